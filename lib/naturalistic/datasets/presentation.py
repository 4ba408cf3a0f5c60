"""Sound as the music experiment played it: faded in and out, every clip equally loud."""

import numpy as np
from numpy.typing import NDArray

_FADE = 2.0  # s
RMS = 0.1  # full scale 1; the paper does not state its level


def _fades(n_samples: int, sample_rate: float, duration: float = _FADE) -> NDArray:
    """Return a gain (n_samples,), float32, that rises and falls along half a cosine over ``duration`` s at each end."""
    n = min(round(duration * sample_rate), n_samples // 2)
    rise = (0.5 - 0.5 * np.cos(np.pi * (np.arange(n) + 0.5) / n)).astype(np.float32)
    gain = np.ones(n_samples, dtype=np.float32)
    gain[:n] = rise
    gain[n_samples - n :] = rise[::-1]
    return gain


def as_played(waveform: NDArray, sample_rate: float) -> NDArray:
    """Fade a clip in and out and bring it to the root mean square `RMS`.

    Parameters
    ----------
    waveform : array (n_samples,)
    sample_rate : int
        Hz.

    Returns
    -------
    waveform : float32 array (n_samples,)
        Peaks may pass 1.

    Raises
    ------
    ValueError
        If there is no sound in it, or a sample is not finite.
    """
    waveform = np.asarray(waveform, dtype=np.float32)
    if not np.isfinite(waveform).all():
        raise ValueError("the sound has samples that are NaN or infinite")
    waveform = waveform * _fades(len(waveform), sample_rate)
    power = np.mean(waveform**2, dtype=np.float64)
    if power == 0:
        raise ValueError("the sound is silent: there is no loudness to normalise")
    return (waveform * (RMS / np.sqrt(power))).astype(np.float32)
