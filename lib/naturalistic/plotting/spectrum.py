"""Spectrograms: power by time and frequency, in dB, as all figures of sound draw it."""

import numpy as np
from scipy.signal import ShortTimeFFT

TOP = 8000.0  # Hz
STEP = 0.02  # s
FLOOR = 1e-8  # of the loudest place: -80 dB


def power_of(waveform, sample_rate, top=TOP):
    """Return the power of a sound, by Hann windows of 80 ms every 20 ms.

    Parameters
    ----------
    waveform : array (n_samples,)
    sample_rate : int
        Hz.
    top : float
        Highest frequency kept, Hz.

    Returns
    -------
    power : array (n_frequencies, n_frames)
        From 0 Hz up; squared units of the waveform.
    """
    hop = round(STEP * sample_rate)
    transform = ShortTimeFFT(np.hanning(4 * hop), hop, sample_rate, fft_mode="onesided")
    return transform.spectrogram(np.asarray(waveform, float))[transform.f <= top]


def draw_level(ax, power, loudest, duration, top=TOP):
    """Draw power in dB below ``loudest``, from -70 to 0; silence is all at the lowest.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    power : array (n_frequencies, n_frames)
        From `power_of`.
    loudest : float
        Power of 0 dB.
    duration : float
        Of the sound, s.
    top : float
        Highest frequency, Hz.

    Returns
    -------
    image : matplotlib.image.AxesImage
        What a colour bar is made of; time in s, frequency in kHz.
    """
    level = 10 * np.log10(power / (loudest or 1) + FLOOR)
    extent = (0, duration, 0, top / 1000)
    return ax.imshow(level, aspect="auto", origin="lower", extent=extent, cmap="magma", vmin=-70, vmax=0)
