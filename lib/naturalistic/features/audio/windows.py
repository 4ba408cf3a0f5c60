"""Waveforms and their windows: checks, resampling, windows that start every hop, and windows on the grid of TRs.

Times are rational numbers, so that counts hold at every sample rate: 15 s have 10 windows of 1.5 s, 7 of 5 s, 4 of
10 s and 1 of 15 s at a hop of 1.5 s, whether they are 330,750 samples or 720,000.

A window's vector is already a mean over the window, so it stands for the window's middle, and `clips_on_trs` gives a
TR the line between the two middles around its own. The mean of all windows that cover a TR would blur what is
blurred: with windows of 10 s it reaches 10 s to either side.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import soxr
from numpy.typing import ArrayLike, NDArray

from naturalistic.arrays import as_floats
from naturalistic.runs import check_runs, run_slices

MIN_RATE = 16000  # Hz; below, half of the band that music models listen to is missing
SILENCE = 2.0**-16  # half a step of 16-bit sound: a clip that never passes it is silent
LOUD = 32.0  # floats are sound of full scale 1; faded and normalized clips pass it by a few times, integers by far
MAX_CHANNELS = 8
UNEQUAL = 2  # samples by which rounding of their ends may make clips of one duration differ


def _exact(seconds: Any) -> Fraction:
    """Return the decimal that is written, not its binary neighbor: 0.1 is a tenth."""
    return Fraction(str(seconds))


def check_times(window: float, hop: float) -> None:
    """Check a window and a hop.

    Raises
    ------
    ValueError
        If one is no positive number of seconds.
    """
    for name, value in (("window", window), ("hop", hop)):
        number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
        if not (number and np.isfinite(value) and value > 0):
            raise ValueError(f"{name} is {value!r}, expected a positive number of seconds")


def n_windows(n_samples: int, sample_rate: float, window: float, hop: float) -> int:
    """Return the number of whole windows of a clip.

    Parameters
    ----------
    n_samples : int
    sample_rate : float
        Hz.
    window, hop : float
        s. Windows start at 0, hop, 2 hop ...

    Returns
    -------
    n_windows : int
        A clip cut one sample short by rounding has the windows of the whole one.

    Raises
    ------
    ValueError
        If ``window`` or ``hop`` is no positive number.
    """
    check_times(window, hop)
    spare = Fraction(int(n_samples) + 1) / _exact(sample_rate) - _exact(window)
    return int(spare // _exact(hop)) + 1 if spare >= 0 else 0


def window_starts(count: int, sample_rate: float, hop: float) -> list[int]:
    """Return the first sample of each of ``count`` windows, nearest to its time."""
    return [round(k * _exact(hop) * _exact(sample_rate)) for k in range(count)]


def cut(waveform: NDArray, sample_rate: float, count: int, window: float, hop: float) -> NDArray:
    """Return windows of a clip.

    Parameters
    ----------
    waveform : array (n_samples,)
    sample_rate : float
        Hz.
    count : int
        From `n_windows`, of the clip before it was resampled.
    window, hop : float
        s.

    Returns
    -------
    windows : array (count, n_window_samples)
        Where rounding leaves a clip a sample short of its last window's end, that sample is 0.
    """
    length = round(_exact(window) * _exact(sample_rate))
    starts = window_starts(count, sample_rate, hop)
    missing = starts[-1] + length - len(waveform)
    if missing > 0:
        waveform = np.pad(waveform, (0, missing))
    return np.stack([waveform[start : start + length] for start in starts])


def resample(waveform: ArrayLike, sample_rate: float, new_rate: float) -> NDArray:
    """Return a clip (n_samples,) at another rate (Hz), float32.

    By soxr's "HQ"; the clip itself if the rate is the same.
    """
    if sample_rate == new_rate:
        return np.ascontiguousarray(waveform, np.float32)
    return soxr.resample(np.ascontiguousarray(waveform, np.float32), sample_rate, new_rate)


def check_rate(sample_rate: float, allow_low_rate: bool = False) -> None:
    """Check a sample rate.

    Raises
    ------
    ValueError
        If it is no positive number, or below `MIN_RATE` and that is not allowed.
    """
    number = isinstance(sample_rate, (int, float, np.number)) and not isinstance(sample_rate, bool)
    if not (number and np.isfinite(sample_rate) and sample_rate > 0):
        raise ValueError(f"sample_rate is {sample_rate!r}, expected a positive number of Hz, such as 22050")
    if sample_rate < MIN_RATE and not allow_low_rate:
        raise ValueError(
            f"sample_rate is {sample_rate:g} Hz, expected {MIN_RATE} or more: such sound has nothing above "
            f"{sample_rate / 2:g} Hz, and resampling does not bring it back. Take sound of a higher rate, or pass "
            "allow_low_rate=True to go on with what there is"
        )


def check_waveforms(
    waveforms: ArrayLike | Sequence[ArrayLike], sample_rate: float, *, allow_low_rate: bool = False
) -> tuple[list[NDArray], bool]:
    """Check clips of mono sound.

    Parameters
    ----------
    waveforms : array (n_clips, n_samples) or (n_samples,), or list of arrays (n_samples,)
        Floats of full scale 1, all equally long (in a list, give or take `UNEQUAL` samples, which the rounding of cuts
        leaves). An array (2, n_samples) is two clips.
    sample_rate : float
        Hz.
    allow_low_rate : bool
        Take rates below `MIN_RATE`.

    Returns
    -------
    clips : list of float32 arrays (n_samples,)
    single : bool
        Whether one clip came by itself.

    Raises
    ------
    TypeError
        If samples are integers (PCM) or no numbers.
    ValueError
        If the rate, the shape or the lengths are not as expected, samples are not finite or far beyond full scale,
        or clips are silent; naming the clips.
    """
    check_rate(sample_rate, allow_low_rate)
    if isinstance(waveforms, (list, tuple)) and np.ndim(waveforms[0] if len(waveforms) else 0):
        clips = _each(waveforms)
        single = False
    else:
        clips, single = _split(waveforms)
    clips = [np.ascontiguousarray(clip, np.float32) for clip in clips]
    _check_samples(clips)
    return clips, single


def _split(waveforms: Any) -> tuple[NDArray, bool]:
    """Return the clips of an array, and whether it is a clip by itself."""
    clips = np.asarray(waveforms)
    _check_samples_type(clips.dtype)
    single = clips.ndim == 1
    clips = clips[None] if single else clips
    if clips.ndim != 2 or not clips.size:
        raise ValueError(f"waveforms has shape {np.shape(waveforms)}, expected (n_clips, n_samples) or (n_samples,)")
    if clips.shape[1] <= MAX_CHANNELS < clips.shape[0]:
        raise ValueError(
            f"waveforms has shape {clips.shape}, expected (n_clips, n_samples): this looks like a clip of "
            f"{clips.shape[1]} channel(s), (n_samples, n_channels). Mix it down: waveform.mean(axis=1)"
        )
    return clips, single


def _each(waveforms: Any) -> list[NDArray]:
    """Return the clips of a list."""
    clips = [np.asarray(clip) for clip in waveforms]
    for k, clip in enumerate(clips):
        if clip.ndim != 1:
            raise ValueError(
                f"waveforms[{k}] has shape {clip.shape}, expected (n_samples,): mix a clip of several channels down "
                "to one (the mean over channels)"
            )
        _check_samples_type(clip.dtype)
    least = min(map(len, clips))
    most = max(map(len, clips))
    if not least:
        raise ValueError("waveforms has a clip of no samples, expected clips of a window or more")
    if most - least > UNEQUAL:
        raise ValueError(
            f"waveforms has clips of {least} to {most} samples, expected equally long ones: cut them, or pass them one "
            "by one"
        )
    return clips


def _check_samples_type(dtype: np.dtype) -> None:
    if dtype.kind in "iu":
        scale = f"divide by {2 ** (8 * dtype.itemsize - 1)}" if dtype.kind == "i" else "subtract the middle, divide"
        raise TypeError(
            f"waveforms has samples of {dtype} (integer PCM), expected floats of full scale 1: {scale}, or read the "
            "file with soundfile.read(path, dtype='float32')"
        )
    if dtype.kind != "f":
        raise TypeError(f"waveforms has samples of {dtype}, expected floats of full scale 1")


def _check_samples(clips: list[NDArray]) -> None:
    """Check for what no embedding is meant for."""
    silent = []
    broken = []
    loud = []
    for k, clip in enumerate(clips):
        peak = np.abs(clip).max()
        if not np.isfinite(peak):
            broken.append(k)
        elif peak > LOUD:
            loud.append(k)
        elif peak < SILENCE or np.ptp(clip) == 0:
            silent.append(k)
    if broken:
        n_bad = int(np.sum(~np.isfinite(clips[broken[0]])))
        raise ValueError(
            f"waveforms has samples that are NaN or infinite in {_some(broken)} ({n_bad} in the first): read the sound "
            "again, or leave the clip out"
        )
    if loud:
        raise ValueError(
            f"waveforms has samples up to {np.abs(clips[loud[0]]).max():g} in {_some(loud)}, expected floats of full "
            "scale 1: were they integers once? Divide 16-bit samples by 32768"
        )
    if silent:
        raise ValueError(
            f"waveforms is silent (nothing above {SILENCE:.1e} of full scale) in {_some(silent)}: silence has no "
            "embedding to speak of. Check how the clip was cut, or leave it out"
        )


def _some(numbers: list[int]) -> str:
    listed = ", ".join(map(str, numbers[:5])) + (" ..." if len(numbers) > 5 else "")
    return f"{len(numbers)} clip{'s' if len(numbers) > 1 else ''} (index {listed})"


def clips_on_trs(
    vectors: ArrayLike,
    clip_of_tr: ArrayLike,
    runs: ArrayLike | None,
    window: float,
    hop: float = 1.5,
    *,
    tr: float = 1.5,
    clip: float = 15.0,
) -> NDArray:
    """Return the vector of the music at each TR, before any delay.

    Linear between the middles of windows; before the first middle of a clip and after its last the nearest window
    is held, so nothing of one clip reaches another. One window is constant over its clip.

    Parameters
    ----------
    vectors : array (n_clips, n_windows, dim)
        Of all clips, in the order that ``clip_of_tr`` counts in.
    clip_of_tr : int array (n_trs,)
        Index of the clip that is played at each TR; runs are of whole clips.
    runs : array-like (n_trs,) or None
    window, hop : float
        Of the vectors, s.
    tr : float
        Repetition time, s.
    clip : float
        Duration of a clip, s.

    Returns
    -------
    features : array (n_trs, dim)
        float32, or float64 if the vectors are float64 or whole numbers.

    Raises
    ------
    ValueError
        If clips and vectors do not match (both numbers are said), windows do not fill a clip, a run is not of whole
        clips, or a value is not finite.
    """
    vectors = as_floats(vectors, "vectors")
    per_clip = _trs_of_clip(clip, tr)
    _check_vectors(vectors, window, hop, clip)
    played = _played(np.asarray(clip_of_tr), runs, per_clip)
    if played.min() < 0 or played.max() >= len(vectors):
        raise ValueError(
            f"vectors is of {len(vectors)} clips, but clip_of_tr counts up to clip {played.max()}, so there are "
            f"{played.max() + 1} or more: embed all clips of the experiment, in its order"
        )
    weights = window_weights(vectors.shape[1], window, hop, per_clip, tr).astype(vectors.dtype)
    on_trs = weights @ vectors  # once a clip, not once a repeat
    return on_trs[played].reshape(-1, vectors.shape[2])


def window_weights(count: int, window: float, hop: float, per_clip: int, tr: float) -> NDArray:
    """Return the weight of each window at each TR of a clip.

    (per_clip, count); rows sum to 1.
    """
    middles = np.arange(count) * hop + window / 2
    times = (np.arange(per_clip) + 0.5) * tr
    return np.stack([np.interp(times, middles, row) for row in np.eye(count)], axis=1)


def _trs_of_clip(clip: float, tr: float) -> int:
    check_times(clip, tr)
    per_clip = round(clip / tr)
    if abs(per_clip * tr - clip) > 1e-6 * tr:
        raise ValueError(f"a clip of {clip:g} s is not a whole number of TRs of {tr:g} s")
    return per_clip


def _check_vectors(vectors: NDArray, window: float, hop: float, clip: float) -> None:
    """Check that vectors are of windows inside a clip."""
    check_times(window, hop)
    if vectors.ndim != 3 or not vectors.size:
        raise ValueError(
            f"vectors has shape {vectors.shape}, expected (n_clips, n_windows, dim); one vector a clip is "
            "vectors[:, None]"
        )
    last = (vectors.shape[1] - 1) * hop + window
    if last > clip + 1e-6:
        raise ValueError(
            f"vectors has {vectors.shape[1]} windows of {window:g} s every {hop:g} s, which end at {last:g} s, "
            f"expected windows inside the {clip:g} s of a clip"
        )
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=(1, 2)))
    if len(bad):
        raise ValueError(f"vectors of {len(bad)} clip(s) are not finite, the first is clip {bad[0]}: embed them again")


def _played(clip_of_tr: NDArray, runs: ArrayLike | None, per_clip: int) -> NDArray:
    """Return the clips in the order in which they are played, each run being of whole clips."""
    runs = check_runs(runs, len(clip_of_tr))
    for s in run_slices(runs, len(clip_of_tr)):
        run_clips = clip_of_tr[s]
        rest = (s.stop - s.start) % per_clip
        if rest or (run_clips.reshape(-1, per_clip) != run_clips[::per_clip, None]).any():
            raise ValueError(
                f"the run at TRs {s.start} to {s.stop - 1} is not of whole clips of {per_clip} TRs: leave the dummy "
                "out, and pass runs as they were played"
            )
    return clip_of_tr[::per_clip]
