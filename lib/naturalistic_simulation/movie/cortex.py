"""Simulated responses to a film: drives of regions, and their layers.

Speech drives the auditory belt and anterior temporal cortex and a part of primary auditory cortex, which follows
loudness; Object early and higher visual cortex, where luminance adds to it; Story higher visual cortex, precuneus and
lateral prefrontal cortex. Summary and TimePlace drive next to nothing. That is the finding of Nakagi et al. (2024,
EMNLP). A drive is the features that a language model gives for a level's text in each second, at a layer of the
level's own, through a random mixture of few columns of the region's own; the brain follows it through its HRF.
"""

from collections.abc import Callable

import numpy as np
from naturalistic.anatomy.regions import FILM_LANDMARKS, nearest
from numpy.typing import ArrayLike, NDArray

from naturalistic_simulation.brain.cortex import SHARED, _field, _waves, hrf
from naturalistic_simulation.movie.screenplay import Film

TR = 1.0  # s
RANK = 8  # columns of a mixture
# hidden state of a model with seven from which each level's responses come; 0 is the embedding layer
LAYERS = {"Speech": 5, "Object": 2, "Story": 4, "Summary": 5, "TimePlace": 1}
SOUND_AND_LIGHT = ("loudness", "luminance")
# by region: share of each drive in the variance of the response, signal-to-noise ratio (of standard deviations) at its
# center, peak of its HRF (s)
PLAN = {
    "primary auditory": ({"loudness": 0.6, "Speech": 0.4}, 0.85, 4.6),
    "auditory belt": ({"Speech": 0.85, "loudness": 0.15}, 0.75, 5.0),
    "anterior temporal": ({"Speech": 1.0}, 0.50, 5.4),
    "early visual": ({"luminance": 0.5, "Object": 0.5}, 0.85, 4.8),
    "higher visual": ({"Object": 0.6, "Story": 0.3, "luminance": 0.1}, 0.75, 5.2),
    "precuneus": ({"Story": 0.9, "Summary": 0.05, "TimePlace": 0.05}, 0.60, 5.6),
    "lateral prefrontal": ({"Story": 1.0}, 0.50, 6.2),
}
NAMES = tuple(FILM_LANDMARKS)


def level_features(
    seconds: list[list[str]], embed: Callable[[list[str], int], ArrayLike], layer: int
) -> tuple[NDArray, NDArray]:
    """Return the features of each second of a level.

    They are the mean over the vectors of its texts, 0 where there are none.

    Parameters
    ----------
    seconds : list of n_seconds lists of str
    embed : callable
        ``embed(texts, layer) -> (n_texts, n_dims)``.
    layer : int

    Returns
    -------
    features : float32 array (n_seconds, n_dims)
    written : bool array (n_seconds,)
        Whether there is any text.
    """
    unique = list(dict.fromkeys(text for second in seconds for text in second))
    vectors = np.asarray(embed(unique, layer), dtype=np.float32)
    if vectors.ndim != 2 or len(vectors) != len(unique) or not np.isfinite(vectors).all():
        raise ValueError(
            f"embed gave an array {vectors.shape} of {len(unique)} texts at layer {layer}, expected finite numbers "
            f"({len(unique)}, n_dims)"
        )
    vectors = np.round(vectors, 4)  # later digits differ between machines
    index = {text: k for k, text in enumerate(unique)}
    features = np.zeros((len(seconds), vectors.shape[1]), dtype=np.float32)
    for k, second in enumerate(seconds):
        if second:
            features[k] = vectors[[index[text] for text in second]].mean(axis=0)
    return features, np.array([bool(second) for second in seconds])


def drives_of(
    films: dict[str, Film], embed: Callable[[list[str], int], ArrayLike], layers: dict[str, int], seed: int
) -> tuple[dict, dict[str, NDArray]]:
    """Return the drives of a brain by run, and their mixtures of features.

    Parameters
    ----------
    films : dict of str to Film
        By run; each second once, but for overlaps.
    embed : callable
        ``embed(texts, layer) -> (n_texts, n_dims)``.
    layers : dict of str to int
        By level.
    seed : int

    Returns
    -------
    drives : dict of str to dict of (region, drive) to array (n_seconds, n_columns)
        By run. A second without text is 0: it is at the mean of those with text.
    mixtures : dict of str to array
        ``"<level> mean"`` (n_dims,) of the features over seconds with text, and ``"<region> <level>"`` (n_dims, RANK).
    """
    stops = np.cumsum([len(film) for film in films.values()])[:-1]
    of_level = {}
    mixtures = {}
    for level, layer in layers.items():
        seconds = [second for film in films.values() for second in film.texts[level]]
        x, written = level_features(seconds, embed, layer)
        mean = x[written].mean(axis=0) if written.any() else np.zeros(x.shape[1], np.float32)
        mixtures[f"{level} mean"] = mean
        of_level[level] = np.split(np.where(written[:, None], x - mean, 0), stops)
    drives = {run: {} for run in films}
    for k, (region, (shares, _, _)) in enumerate(PLAN.items()):
        for j, drive in enumerate(shares):
            if drive not in SOUND_AND_LIGHT:
                n_dims = of_level[drive][0].shape[1]
                mixture = np.random.default_rng([seed, 5, k, j]).standard_normal((n_dims, RANK)) / np.sqrt(n_dims)
                mixtures[f"{region} {drive}"] = mixture.astype(np.float32)
            for number, (run, film) in enumerate(films.items()):
                if drive in SOUND_AND_LIGHT:
                    drives[run][region, drive] = getattr(film, drive)[:, None] - getattr(film, drive).mean()
                else:
                    drives[run][region, drive] = of_level[drive][number] @ mixtures[f"{region} {drive}"]
    return drives, mixtures


class MovieBrain:
    """Brain of a subject of the movie experiment: its regions, preferences and HRFs.

    Parameters
    ----------
    number : int
        1 to 6.
    seed : int
        Of the whole data set: what subjects share depends on it alone.
    """

    def __init__(self, number: int, seed: int) -> None:
        rng = np.random.default_rng([seed, 1, number])
        self.shift = rng.normal(0, 2.5, 3)  # mm, of the landmarks
        self.gain = rng.uniform(0.85, 1.05)
        late = rng.normal(0, 0.5)
        self.peaks = {name: peak + late + rng.normal(0, 0.2) for name, (_, _, peak) in PLAN.items()}  # s
        n_columns = {
            (region, drive): 1 if drive in SOUND_AND_LIGHT else RANK
            for region, (shares, _, _) in PLAN.items()
            for drive in shares
        }
        self._shared = _waves(np.random.default_rng([seed, 2]), n_columns)
        self._own = _waves(rng, n_columns)

    def strength(self, coordinates: NDArray) -> tuple[NDArray, NDArray]:
        """Return regions (index into `NAMES`, -1 for none) and signal-to-noise ratios."""
        labels, distance = nearest(coordinates, self.shift, FILM_LANDMARKS)
        ratio = np.zeros(len(coordinates))
        for name, (_, peak, _) in PLAN.items():
            here = labels == NAMES.index(name)
            ratio[here] = self.gain * peak * np.exp(-0.5 * (distance[here] / 0.8) ** 2)
        return np.where(ratio > 0, labels, -1), ratio

    def preferences(self, region: str, drive: str, coordinates: NDArray) -> NDArray:
        """Return preferences for the columns of a drive: (n_columns, n_coordinates)."""
        own = np.sqrt(1 - SHARED**2)
        key = region, drive
        field = SHARED * _field(self._shared[key], coordinates) + own * _field(self._own[key], coordinates)
        return 1 + 0.3 * field if drive in SOUND_AND_LIGHT else field

    def respond(self, region: str, drive: NDArray) -> NDArray:
        """Return a drive of one run through the region's HRF: (n_seconds, n_columns)."""
        response = hrf(self.peaks[region], step=TR)
        return np.apply_along_axis(lambda column: np.convolve(column, response)[: len(drive)], 0, drive)

    def mixture(self, region: str, followed: dict[str, NDArray], coordinates: NDArray) -> dict[str, NDArray]:
        """Return weights of a region's drives at coordinates.

        The response has variance 1 in a run.

        Parameters
        ----------
        region : str
        followed : dict of str to array (n_seconds, n_columns)
            By drive: what `respond` gives, of mean 0 in each run; all runs, one after another.
        coordinates : array (n_places, 3)
            MNI mm.

        Returns
        -------
        weights : dict of str to array (n_columns, n_places)
            By drive.
        """
        weights = {}
        total = 0
        for drive, share in PLAN[region][0].items():
            weights[drive] = self.preferences(region, drive, coordinates)
            part = followed[drive] @ weights[drive]
            size = np.sqrt(share) / part.std(axis=0)
            weights[drive] = weights[drive] * size
            total = total + part * size
        return {drive: w / total.std(axis=0) for drive, w in weights.items()}
