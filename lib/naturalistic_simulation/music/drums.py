"""Strokes of drums: a swept body, ringing modes and a burst of noise."""

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from naturalistic_simulation.music.tones import SILENT, band_noise

__all__ = ["DRUMS", "Drum", "stroke"]

METAL = (2050, 3040, 3690, 4170, 5470, 6340, 7420, 8850)  # inharmonic, as of a plate
BELL = (545, 1210, 1790, 2630, 3720, 5180, 6900)


@dataclass(frozen=True)
class Drum:
    """Levels of a drum's three parts; frequencies in Hz, time constants in seconds."""

    body: float = 0.0
    body_hertz: tuple = (200, 60)  # from, to
    body_sweep: float = 0.03
    body_decay: float = 0.15
    modes: float = 0.0
    mode_hertz: tuple = ()
    mode_decay: float = 0.1
    noise: float = 0.0
    noise_band: tuple = (1000, 8000)
    noise_decay: float = 0.05
    bursts: tuple = (0.0,)  # when the noise starts anew
    attack: float = 0.0


DRUMS = {
    "kick": Drum(body=1, body_hertz=(170, 52), body_sweep=0.025, body_decay=0.11, noise=0.14, noise_band=(1500, 5000),
                 noise_decay=0.006),
    "snare": Drum(body=0.55, body_hertz=(260, 185), body_sweep=0.02, body_decay=0.06, modes=0.25, mode_hertz=(331, 480),
                  mode_decay=0.05, noise=0.55, noise_band=(1200, 8500), noise_decay=0.075),
    "rim": Drum(modes=0.9, mode_hertz=(520, 1680, 2440), mode_decay=0.018, noise=0.3, noise_band=(1500, 6000),
                noise_decay=0.006),
    "brush": Drum(body=0.15, body_hertz=(230, 185), body_decay=0.05, noise=0.6, noise_band=(1800, 7500),
                  noise_decay=0.11, attack=0.02),
    "closed hat": Drum(modes=0.25, mode_hertz=METAL, mode_decay=0.03, noise=0.8, noise_band=(6500, 10500),
                       noise_decay=0.03),
    "open hat": Drum(modes=0.25, mode_hertz=METAL, mode_decay=0.15, noise=0.8, noise_band=(6000, 10500),
                     noise_decay=0.16),
    "ride": Drum(modes=0.7, mode_hertz=BELL, mode_decay=0.35, noise=0.4, noise_band=(5000, 10000), noise_decay=0.22),
    "crash": Drum(modes=0.25, mode_hertz=METAL, mode_decay=0.6, noise=0.9, noise_band=(2500, 10000), noise_decay=0.5,
                  attack=0.003),
    "tom": Drum(body=1, body_hertz=(190, 100), body_sweep=0.06, body_decay=0.17, noise=0.1, noise_band=(600, 3000),
                noise_decay=0.02),
    "tambourine": Drum(modes=0.3, mode_hertz=METAL[4:], mode_decay=0.08, noise=0.8, noise_band=(5500, 10500),
                       noise_decay=0.06, bursts=(0.0, 0.025)),
    "machine kick": Drum(body=1, body_hertz=(130, 46), body_sweep=0.035, body_decay=0.22, noise=0.06,
                         noise_band=(1000, 4000), noise_decay=0.004),
    "machine snare": Drum(body=0.6, body_hertz=(240, 175), body_sweep=0.01, body_decay=0.07, noise=0.6,
                          noise_band=(2500, 9500), noise_decay=0.09),
    "clap": Drum(noise=1.0, noise_band=(900, 3800), noise_decay=0.055, bursts=(0.0, 0.011, 0.023)),
    "machine hat": Drum(noise=1.0, noise_band=(7500, 10800), noise_decay=0.018),
    "machine open hat": Drum(noise=1.0, noise_band=(7000, 10800), noise_decay=0.13),
    "cowbell": Drum(modes=1.0, mode_hertz=(562, 845, 1690), mode_decay=0.07),
}  # fmt: skip


def stroke(name: str, pitch: int, nominal: int, brightness: float, sample_rate: int) -> NDArray:
    """Return one stroke of a drum, its parts at the levels of its table entry.

    Parameters
    ----------
    name : str
        A key of `DRUMS`.
    pitch, nominal : int
        MIDI pitch asked for and the one the table is written for: the body is tuned by their difference.
    brightness : float
        How hard it is struck, 0 .. 1: softer strokes have less noise and lower bands.
    sample_rate : int

    Returns
    -------
    sound : float32 array (n_samples,)
        Dies away to 60 dB below its start.
    """
    drum = DRUMS[name]
    times = [drum.body_decay * (drum.body > 0), drum.mode_decay * (drum.modes > 0), drum.noise_decay * (drum.noise > 0)]
    n_samples = int(sample_rate * (SILENT * max(times) + drum.bursts[-1] + drum.attack))
    time = np.arange(n_samples) / sample_rate
    sound = np.zeros(n_samples)
    if drum.body:
        start, end = drum.body_hertz
        cycles = end * time + (start - end) * drum.body_sweep * (1 - np.exp(-time / drum.body_sweep))
        cycles *= 2 ** ((pitch - nominal) / 12)
        sound += drum.body * np.sin(2 * np.pi * cycles) * np.exp(-time / drum.body_decay)
    if drum.modes:
        for index, hertz in enumerate(f for f in drum.mode_hertz if f < 0.47 * sample_rate):
            phase = 2 * np.pi * (hertz * time + 0.618 * index)
            weight = drum.modes / np.sqrt(len(drum.mode_hertz)) * (0.5 + 0.5 * brightness)
            sound += weight * np.sin(phase) * np.exp(-time * (1 + 0.25 * index) / drum.mode_decay)
    if drum.noise:
        low, high = drum.noise_band
        high = min(high * 2 ** (0.9 * (brightness - 0.7)), 0.48 * sample_rate)
        noise = band_noise(n_samples, low, high, sample_rate, zlib.crc32(name.encode()))
        envelope = np.zeros(n_samples)
        for burst in drum.bursts:
            after = time >= burst
            envelope[after] = np.exp(-(time[after] - burst) / drum.noise_decay)
        sound += drum.noise * (0.45 + 0.6 * brightness) * envelope * noise
    rise = max(int(drum.attack * sample_rate), int(0.001 * sample_rate))
    sound[:rise] *= np.linspace(0, 1, rise)
    return (sound - sound.mean() * np.hanning(n_samples) / np.hanning(n_samples).mean()).astype(np.float32)
