"""Notes of pitched instruments, read from moving wavetables of partials.

The levels of the partials are laid out every `HOP` seconds, turned into one period of sound each by an inverse FFT,
and read at the pitch of the note while fading from period to period. That is exact for what a plucked string does
(each partial dies at its own rate, as in a Karplus-Strong loop), for a filter that closes, and for formants that stay
put while the pitch moves, and it costs the same for all of them.
"""

import zlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from naturalistic_simulation.music.timbres import Timbre

__all__ = ["band_noise", "tone"]

HOP = 0.02  # seconds between wavetables
TABLE = 512  # samples of a period
MAX_PARTIALS = 56
SILENT = 6.9  # time constants after which a sound is 60 dB down


def tone(timbre: Timbre, pitch: int, brightness: float, seconds: float, sample_rate: int) -> NDArray:
    """Return one note held for a time, about 1 in root mean square at its loudest.

    Parameters
    ----------
    timbre : `timbres.Timbre`
    pitch : int
        MIDI pitch; 69 is 440 Hz.
    brightness : float
        How hard it is played, 0 .. 1.
    seconds : float
        Sounds that die away are cut where they are 60 dB down.
    sample_rate : int

    Returns
    -------
    sound : float32 array (n_samples,)
    """
    frequency = 440.0 * 2 ** ((pitch - 69) / 12)
    last_for = timbre.decay * (261.6 / frequency) ** timbre.decay_tracking * SILENT if timbre.decay else np.inf
    seconds = max(min(seconds, last_for), 0.02)
    n_samples = int(seconds * sample_rate)
    time = np.arange(n_samples, dtype=np.float32) / np.float32(sample_rate)
    levels = partial_levels(timbre, frequency, brightness, seconds, sample_rate)
    tables = periods(levels)
    sound = np.zeros(n_samples, dtype=np.float32)
    for cents in timbre.detune:
        sound += read(tables, time, frequency * 2 ** (cents / 1200), timbre)
    sound /= np.float32(np.sqrt(len(timbre.detune)))
    if timbre.noise:
        level, low, high, fade = timbre.noise
        noise = band_noise(n_samples, low, high, sample_rate, zlib.crc32(f"{timbre.name} {pitch}".encode()))
        sound += level * (0.4 + 0.9 * brightness) * (noise * np.exp(-time / fade) if fade else noise)
    if timbre.tremolo:
        depth, rate = timbre.tremolo
        sound *= 1 - depth * (0.5 - 0.5 * np.cos(2 * np.pi * rate * time))
    rise = min(int(timbre.attack * sample_rate), n_samples)
    sound[:rise] *= 0.5 - 0.5 * np.cos(np.linspace(0, np.pi, rise, dtype=np.float32))
    fall = min(int(0.01 * sample_rate), n_samples)
    if seconds >= last_for:
        sound[n_samples - fall :] *= np.linspace(1, 0, fall, dtype=np.float32)
    return sound.astype(np.float32)


def partial_levels(timbre: Timbre, frequency: float, brightness: float, seconds: float, sample_rate: int) -> NDArray:
    """Return levels (n_frames, n_partials), the loudest frame of unit power."""
    n_partials = int(np.clip(0.45 * sample_rate / frequency, 1, MAX_PARTIALS))
    number = np.arange(1, n_partials + 1)
    hertz = number * frequency
    source = np.zeros(n_partials)
    if timbre.drawbars:
        count = min(n_partials, len(timbre.drawbars))
        source[:count] = timbre.drawbars[:count]
    else:
        source = number**-timbre.slope
    source = np.where(number % 2 == 0, timbre.even, 1.0) * source
    if timbre.pluck:
        source = source * np.abs(np.sin(np.pi * number * timbre.pluck))
    if timbre.formants:
        octaves = np.log2(hertz[:, None] / np.array([f[0] for f in timbre.formants]))
        widths, gains = np.array([f[1:] for f in timbre.formants]).T
        source = source * (timbre.floor + (gains * np.exp(-((octaves / widths) ** 2))).sum(axis=1))
    n_frames = int(seconds / HOP) + 2 if timbre.decay or timbre.sweep else 2
    time = np.arange(n_frames)[:, None] * HOP
    cutoff = timbre.cutoff * (frequency / 261.6) ** timbre.tracking * 2 ** (timbre.touch * (brightness - 0.6))
    cutoff = cutoff * 2 ** (timbre.sweep * np.exp(-time / timbre.sweep_time))
    levels = source / np.sqrt(1 + (hertz / cutoff) ** 4)
    if timbre.decay:
        rate = (frequency / 261.6) ** timbre.decay_tracking / timbre.decay + timbre.damping * (hertz / 1000) ** 1.5
        levels = levels * np.exp(-time * rate)
    return levels / np.sqrt((levels**2).sum(axis=1).max() / 2)


def periods(levels: NDArray) -> NDArray:
    """Return one period a frame (n_frames, TABLE + 1), the first sample repeated."""
    number = np.arange(1, levels.shape[1] + 1)
    phases = np.exp(2j * np.pi * (number**2 * 0.6180339887))  # spread, so that periods are not spiky
    spectrum = np.zeros((len(levels), TABLE // 2 + 1), dtype=np.complex64)
    spectrum[:, 1 : levels.shape[1] + 1] = levels * phases * (TABLE / 2)
    tables = np.fft.irfft(spectrum, TABLE, axis=1).astype(np.float32)
    return np.concatenate([tables, tables[:, :1]], axis=1)


def read(tables: NDArray, time: NDArray, frequency: float, timbre: Timbre) -> NDArray:
    """Read moving wavetables at a frequency, with the timbre's vibrato."""
    cycles = time.astype(np.float64) * frequency
    if timbre.vibrato:
        cents, rate, delay = timbre.vibrato
        depth = frequency * cents / 1200 * np.log(2) / (2 * np.pi * rate)
        cycles += depth * np.minimum(time / delay, 1) * (1 - np.cos(2 * np.pi * rate * time))
    cycles -= np.floor(cycles)
    cycles *= TABLE
    column = cycles.astype(np.int32)
    part = (cycles - column).astype(np.float32)
    if len(tables) == 2:  # nothing moves: one table will do
        flat = tables[0]
        low = flat[column]
        return low + part * (flat[column + 1] - low)
    rows = time / np.float32(HOP)
    row = np.minimum(rows.astype(np.int32), len(tables) - 2)
    fade = rows - row
    flat = tables.ravel()
    column += row * (TABLE + 1)
    low = flat[column]
    sound = (low + part * (flat[column + 1] - low)) * (1 - fade)
    column += TABLE + 1
    low = flat[column]
    return sound + (low + part * (flat[column + 1] - low)) * fade


@lru_cache(maxsize=128)  # the layers of brightness of a note share it
def band_noise(n_samples: int, low: float, high: float, sample_rate: int, seed: int) -> NDArray:
    """Return noise between two frequencies (Hz), of unit rms, from the seed alone."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(n_samples))
    hertz = np.fft.rfftfreq(n_samples, 1 / sample_rate)
    spectrum *= np.sqrt(1 / (1 + (low / np.maximum(hertz, 1)) ** 6) / (1 + (hertz / high) ** 6))
    spectrum[0] = 0
    noise = np.fft.irfft(spectrum, n_samples)
    return (noise / np.maximum(np.sqrt((noise**2).mean()), 1e-12)).astype(np.float32)
