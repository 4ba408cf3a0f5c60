"""Simulated responses to music: drives, strengths and delays of regions.

Primary auditory cortex follows the sound (loudness in twelve bands, onsets). The auditory belt and anterior
temporal cortex follow the composer's description (genre, instruments, tempo, energy, mode, mood), lateral
prefrontal cortex its genre and mood alone. All other places follow nothing. No embedding model is involved: what
later chapters decode is found through the brain's own mixture, not simulated.
"""

from collections.abc import Callable, Hashable, Sequence

import numpy as np
from naturalistic.anatomy.regions import NAMES, nearest
from numpy.typing import NDArray
from scipy.fft import rfft
from scipy.stats import gamma

STEP = 0.5  # s between samples of a drive
N_BANDS = 12
# by region: drives that it follows, signal-to-noise ratio (of standard deviations) at its center, peak of its HRF (s)
PLAN = {
    "primary auditory": (("acoustics",), 0.85, 4.6),
    "auditory belt": (("genre", "instruments", "character", "mood"), 0.75, 5.0),
    "anterior temporal": (("genre", "instruments", "character", "mood"), 0.50, 5.4),
    "lateral prefrontal": (("genre", "mood"), 0.45, 6.2),
}
LENGTH = 14.0  # mm over which the preferences of neighbors are similar
SHARED = 0.8  # of a preference that all brains have in common; the rest, sqrt(1 - 0.8**2), is a subject's own
N_WAVES = 128


def acoustics(waveform: NDArray, sample_rate: int) -> NDArray:
    """Return loudness in twelve bands and onset strength of a waveform.

    Shape (n_steps, 13), a row every `STEP` s.

    Parameters
    ----------
    waveform : array (n_samples,)
        As played, a whole number of steps long.
    sample_rate : int
    """
    hop = round(0.02 * sample_rate)
    n_steps = round(len(waveform) / sample_rate / STEP)
    per_step = round(STEP / 0.02)
    padded = np.concatenate([np.zeros(hop), waveform, np.zeros(hop)])
    frames = np.lib.stride_tricks.sliding_window_view(padded, 2 * hop)[: n_steps * per_step * hop : hop]
    # rolled as scipy's ShortTimeFFT rolls them, whose numbers these are; all frames at once take a third of its time
    frames = np.roll(frames * np.hanning(2 * hop + 1)[:-1], -hop, axis=1)
    power = np.abs(rfft(frames, axis=1).T) ** 2
    edges = np.geomspace(60, 0.45 * sample_rate, N_BANDS + 1)
    of_bin = np.digitize(np.fft.rfftfreq(2 * hop, 1 / sample_rate), edges) - 1
    bands = np.stack([power[of_bin == k].mean(axis=0) for k in range(N_BANDS)], axis=1)
    loudness = np.log(bands + 1e-4)
    rise = np.maximum(np.diff(loudness, axis=0, prepend=loudness[:1]), 0).mean(axis=1, keepdims=True)
    frames = np.concatenate([loudness, rise], axis=1)
    return frames.reshape(n_steps, per_step, -1).mean(axis=1)


def description(facts: list[dict], vocabulary: dict[str, tuple]) -> dict[str, NDArray]:
    """Return the composer's facts as numbers, by kind.

    Parameters
    ----------
    facts : list of dict
        Of each clip: genre, instruments, tempo (beats a minute), energy, mode, mood.
    vocabulary : dict of str to tuple
        All values of ``genre``, ``instruments`` and ``mood``.

    Returns
    -------
    drives : dict of str to array (n_clips, n_columns)
        Centered over clips; each kind has a total variance of 1.
    """

    def hot(name: str, values: Callable[[dict], Sequence[str]]) -> NDArray:
        return np.array([[value in values(fact) for value in vocabulary[name]] for fact in facts], dtype=float)

    numbers = [[np.log2(f["tempo"]), 3 * f["energy"], float(f["mode"] == "major")] for f in facts]
    columns = {
        "genre": hot("genre", lambda f: (f["genre"],)),
        "instruments": hot("instruments", lambda f: f["instruments"]),
        "character": np.array(numbers),
        "mood": hot("mood", lambda f: (f["mood"],)),
    }
    return {name: unit_variance(x) for name, x in columns.items()}


def unit_variance(x: NDArray) -> NDArray:
    """Center columns and divide all by one number, so that their variances sum to 1."""
    x = x - x.mean(axis=0)
    return x / np.sqrt(x.var(axis=0).sum())


def hrf(peak: float, step: float = STEP, duration: float = 32.0) -> NDArray:
    """Return an HRF of area 1 that peaks at ``peak`` s: a double gamma (Glover 1999)."""
    t = np.arange(0, duration, step)
    rise = gamma.pdf(t, peak + 1)
    fall = gamma.pdf(t, peak + 11)
    response = rise - fall / 6
    return response / response.sum()


class MusicBrain:
    """Brain of a subject of the music experiment: its regions, preferences and HRFs.

    Parameters
    ----------
    number : int
        1 to 5.
    n_columns : dict of str to int
        Columns of each drive.
    seed : int
        Of the whole data set: what subjects share depends on it alone.
    """

    def __init__(self, number: int, n_columns: dict[str, int], seed: int) -> None:
        rng = np.random.default_rng([seed, 1, number])
        self.shift = rng.normal(0, 2.5, 3)  # mm, of the landmarks
        self.gain = rng.uniform(0.85, 1.05)
        late = rng.normal(0, 0.5)
        self.peaks = {name: peak + late + rng.normal(0, 0.2) for name, (_, _, peak) in PLAN.items()}  # s
        self.n_columns = n_columns
        self._shared = _waves(np.random.default_rng([seed, 2]), n_columns)
        self._own = _waves(rng, n_columns)

    def strength(self, coordinates: NDArray) -> tuple[NDArray, NDArray]:
        """Return regions (index into `NAMES`, -1 for none) and signal-to-noise ratios."""
        labels, distance = nearest(coordinates, self.shift)
        snr = np.zeros(len(coordinates))
        for name, (_, peak, _) in PLAN.items():
            here = labels == NAMES.index(name)
            snr[here] = self.gain * peak * np.exp(-0.5 * (distance[here] / 0.8) ** 2)
        return np.where(snr > 0, labels, -1), snr

    def weights(self, name: str, coordinates: NDArray) -> NDArray:
        """Return preferences for a region's drives: (n_columns, n_coordinates)."""
        own = np.sqrt(1 - SHARED**2)
        fields = [
            SHARED * _field(self._shared[kind], coordinates) + own * _field(self._own[kind], coordinates)
            for kind in PLAN[name][0]
        ]
        return np.concatenate(fields)

    def drive(self, name: str, drives: dict[str, NDArray]) -> NDArray:
        """Return a region's drives of a run through its HRF: (n_steps, n_columns)."""
        x = np.concatenate([drives[kind] for kind in PLAN[name][0]], axis=1)
        response = hrf(self.peaks[name])
        return np.apply_along_axis(lambda column: np.convolve(column, response)[: len(x)], 0, x)


def _waves(rng: np.random.Generator, n_columns: dict) -> dict[Hashable, tuple[NDArray, NDArray, NDArray]]:
    """Return random plane waves and mixtures of columns: a smooth field over space."""
    return {
        kind: (
            rng.normal(0, 1 / LENGTH, (3, N_WAVES)),
            rng.uniform(0, 2 * np.pi, N_WAVES),
            rng.normal(0, np.sqrt(2 / N_WAVES), (n, N_WAVES)),
        )
        for kind, n in n_columns.items()
    }


def _field(waves: tuple[NDArray, NDArray, NDArray], coordinates: NDArray) -> NDArray:
    """Return random fields of variance 1 at coordinates: (n_columns, n_coordinates)."""
    frequency, phase, mixture = waves
    return mixture @ np.cos(coordinates @ frequency + phase).T
