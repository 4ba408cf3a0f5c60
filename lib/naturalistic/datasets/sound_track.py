"""Sound track of a film: one channel, on the clock of its pictures. Needs PyAV (the extra ``video``)."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from naturalistic.intact import check_whole

_GAP = 0.5  # s of sound that may be missing at the end of a film before it counts as cut short


def read_sound_track(path: str | Path) -> tuple[NDArray[np.float32], int]:
    """Return the sound of a film as one channel.

    Parameters
    ----------
    path : str or Path
        A video file, or one of sound alone.

    Returns
    -------
    waveform : float32 array (n_samples,)
        Floats of full scale 1, the mean over channels. Sample 0 is at the film's first frame: what begins later has
        silence before it.
    sample_rate : int
        Hz, as stored.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file, it is damaged, or it has no sound.
    ModuleNotFoundError
        If PyAV is not installed.
    """
    path = Path(path)
    check_whole(path, "give a video file")
    av = _import_av(path)
    try:
        with av.open(str(path), options={"protocol_whitelist": "file"}) as container:
            if not container.streams.audio:
                raise ValueError(
                    f"{path} has no sound, only {', '.join(s.type for s in container.streams) or 'nothing'}"
                )
            return _decode(av, container, path)
    except av.error.FFmpegError as error:
        raise ValueError(f"{path} was cut short or is no film ({error}); fetch or copy it again") from error


def _decode(av: Any, container: Any, path: Path) -> tuple[NDArray[np.float32], int]:
    stream = container.streams.audio[0]
    first_frame = _start(container.streams.video[0]) if container.streams.video else _start(stream)
    to_floats = av.AudioResampler(format="fltp")
    parts = []
    start = None
    rate = 0
    for frame in container.decode(stream):
        if start is None:
            start = float(frame.pts * frame.time_base) if frame.pts is not None else _start(stream)
        for part in to_floats.resample(frame):
            rate = part.sample_rate
            # the mean, as everywhere here: FFmpeg's own mix of two channels is louder than each, and may pass 1
            parts.append(part.to_ndarray().mean(axis=0, dtype=np.float32))
    if not parts:
        raise ValueError(f"{path} has a sound track of no samples: it was cut short; fetch or copy it again")
    waveform = np.concatenate(parts)
    stated = float(stream.duration * stream.time_base) if stream.duration else 0.0
    if len(waveform) / rate < stated - _GAP:
        raise ValueError(
            f"{path} was cut short: its sound has {len(waveform) / rate:.2f} s of {stated:.2f} s; fetch or copy it "
            "again"
        )
    late = round((start - first_frame) * rate)
    return (np.pad(waveform, (late, 0)) if late > 0 else waveform[-late:]), int(rate)


def _start(stream: Any) -> float:
    """Return the time of a stream's beginning in s."""
    return float((stream.start_time or 0) * stream.time_base)


def _import_av(path: Path) -> Any:
    try:
        return importlib.import_module("av")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"the sound of {path} needs PyAV, which is not installed: pip install 'naturalistic[video]'", name="av"
        ) from error
