"""Reconstructed films beside their controls: measures, scores of pairs, and shares of a ceiling.

A score of a reconstruction says nothing alone. Here each is a matrix of pairs, reconstructed film i against true film
j, for the brain and for every control alike. The mean of the matrices over draws and subjects is tested by permuting
whole films, the same for all subjects: subjects share the films, and are no independent replications over them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from naturalistic.arrays import ShapeRepr
from naturalistic.decoding.films import CHUNK, FLOW_GRID, FilmEmbedder
from naturalistic.decoding.metrics import correlation_similarity, pairwise_accuracy_matrix
from naturalistic.decoding.picture_metrics import hue_pairs, ssim_shifts
from naturalistic.decoding.video_metrics import (
    GATE,
    class_pairs,
    end_point_pairs,
    frame_consistency,
    motion_pairs,
    pair_score_test,
)
from naturalistic.features.video import color_layout, optical_flow
from naturalistic.parameters import whole

__all__ = [
    "HONEST",
    "PUBLISHED",
    "FilmClassifier",
    "FilmMeasures",
    "category_table",
    "control_table",
    "difference_over_films",
    "honest_pairs",
    "mean_measures",
    "mean_pairs",
    "measure_films",
    "published_pairs",
    "still_films",
]

N_WAY = (2, 20)  # classes that compete in the published score
SHIFTS = 2  # of the true films, for the chance of structural similarity
EVERY = 2  # frames from one that published scores of frames look at to the next
SLOW_EVERY = 4  # the same of scores of pixels, which are slow
HONEST = ("classifier", "exact 20-way", "layout", "motion")
# published scores, and whether higher is better
PUBLISHED = {
    "2-way": True,
    "20-way": True,
    "SSIM": True,
    "SSIM, columns": True,
    "consistency": True,
    "consistency, gated": True,
    "hue": True,
    "EPE": False,
}
ALL = "all"  # stands for a subject where a control is the same for all of them

Scores = Mapping[str, Mapping[str, Mapping[str, NDArray]]]  # by method, subject and metric: pairs


class FilmClassifier(Protocol):
    """Says what a film shows; it has no part in decoding or generating."""

    def log_odds(self, films: NDArray[np.uint8]) -> tuple[NDArray, ...]:
        """Return log-probabilities (n_films, n_classes) of each kind of class, such as things and scenes."""
        ...


@dataclass(frozen=True, eq=False, repr=False)
class FilmMeasures(ShapeRepr):
    """Numbers by which films are compared.

    Attributes
    ----------
    classes : tuple of array (n_films, n_classes)
        Log-probabilities of each kind of class.
    layout : array (n_films, n_cells * 3)
    flow : array (n_films, n_steps, rows, columns, 2)
    frames : array (n_films, n_frames, dim) or None
        Embeddings of single frames, which published scores alone need.
    """

    classes: tuple[NDArray, ...]
    layout: NDArray
    flow: NDArray
    frames: NDArray | None = None

    def select(self, films: ArrayLike) -> "FilmMeasures":
        """Return the measures of some films.

        Parameters
        ----------
        films : int array (n_selected,)
        """
        films = np.asarray(films)
        frames = None if self.frames is None else self.frames[films]
        return FilmMeasures(tuple(kind[films] for kind in self.classes), self.layout[films], self.flow[films], frames)

    @property
    def odds(self) -> NDArray:
        """Return log-probabilities side by side, each kind centered by film: (n_films, n_classes of all kinds)."""
        return np.concatenate([kind - kind.mean(axis=1, keepdims=True) for kind in self.classes], axis=1)

    @property
    def joint(self) -> NDArray:
        """Return log-probabilities of the classes of all kinds together: (n_films, product of n_classes)."""
        joint = self.classes[0]
        for kind in self.classes[1:]:
            joint = (joint[:, :, None] + kind[:, None, :]).reshape(len(joint), -1)
        return joint


def measure_films(
    films: NDArray[np.uint8], classifier: FilmClassifier, embedder: FilmEmbedder | None = None
) -> FilmMeasures:
    """Return the numbers by which films are compared.

    Parameters
    ----------
    films : uint8 array (n_films, n_frames, height, width, 3)
        Height and width even.
    classifier : FilmClassifier
    embedder : FilmEmbedder, optional
        Of single frames, each taken for a film; every second one.

    Returns
    -------
    measures : FilmMeasures
        Flow is that of the film at half its size, in 4 x 4 cells, between the frames of every second pair, as in
        `films.film_features`.
    """
    parts: dict[str, list[NDArray]] = {"layout": [], "flow": [], "frames": []}
    for first in range(0, len(films), CHUNK):
        chunk = films[first : first + CHUNK]
        n, n_frames, height, width, _ = chunk.shape
        parts["layout"].append(color_layout(chunk, per_film=True))
        even = chunk[:, : n_frames - n_frames % 2].astype(np.uint16)
        rows = even[:, :, ::2] + even[:, :, 1::2]
        halves = ((rows[:, :, :, ::2] + rows[:, :, :, 1::2]) / np.float32(4)).round().astype(np.uint8)
        flow = optical_flow(halves.reshape(-1, 2, height // 2, width // 2, 3), FLOW_GRID)
        parts["flow"].append(flow.reshape(n, n_frames // 2, *FLOW_GRID, 2))
        if embedder is not None:
            single = chunk[:, ::EVERY].reshape(-1, 1, height, width, 3)
            parts["frames"].append(embedder.embed(single).reshape(n, len(single) // n, -1))
    joined = {name: np.concatenate(values) for name, values in parts.items() if values}
    return FilmMeasures(classes=tuple(classifier.log_odds(films)), **joined)


def mean_measures(draws: Sequence[FilmMeasures]) -> FilmMeasures:
    """Return the mean of the measures of several draws: each film's numbers, not its pixels.

    Parameters
    ----------
    draws : sequence of FilmMeasures
        Of the same films in the same order.

    Returns
    -------
    mean : FilmMeasures
        Without embeddings of frames.
    """
    n_kinds = len(draws[0].classes)
    classes = tuple(np.mean([draw.classes[k] for draw in draws], axis=0) for k in range(n_kinds))
    layout = np.mean([draw.layout for draw in draws], axis=0)
    flow = np.mean([draw.flow for draw in draws], axis=0)
    return FilmMeasures(classes, layout, flow)


def still_films(films: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return films in which the middle frame stands still.

    Parameters
    ----------
    films : uint8 array (n_films, n_frames, height, width, 3)
    """
    middle = films.shape[1] // 2
    return np.repeat(films[:, middle : middle + 1], films.shape[1], axis=1)


def honest_pairs(measures: FilmMeasures, true: FilmMeasures) -> dict[str, NDArray]:
    """Return scores of pairs whose chance is known: value (i, j) is that of film i as a reconstruction of film j.

    Parameters
    ----------
    measures, true : FilmMeasures
        Of the reconstructed films and of the true ones.

    Returns
    -------
    pairs : dict of array (n_films, n_films)
        ``"classifier"``, ``"layout"`` and ``"motion"``: the share of true films that are less similar (chance .5; a
        tie counts half); ``"exact 20-way"``: the true film's likeliest class beats 19 others.
    """
    n = min(N_WAY[1], true.joint.shape[1])
    return {
        "classifier": pairwise_accuracy_matrix(correlation_similarity(measures.odds, true.odds)),
        "exact 20-way": class_pairs(measures.joint, true.joint, n, k=1),
        "layout": pairwise_accuracy_matrix(correlation_similarity(measures.layout, true.layout)),
        "motion": pairwise_accuracy_matrix(motion_pairs(measures.flow, true.flow)),
    }


def published_pairs(
    films: NDArray[np.uint8],
    measures: FilmMeasures,
    true_films: NDArray[np.uint8],
    true: FilmMeasures,
    shifts: ArrayLike = tuple(range(SHIFTS + 1)),
) -> dict[str, NDArray]:
    """Return the published scores of pairs, with their defects (`video_metrics`, `picture_metrics`).

    Parameters
    ----------
    films, true_films : uint8 array (n_films, n_frames, height, width, 3)
    measures, true : FilmMeasures
        Of these films.
    shifts : int array
        Of the true films, for the two definitions of structural similarity, which are slow; the first is 0.

    Returns
    -------
    pairs : dict of array
        By the names of `PUBLISHED`: (n_films, n_films), for structural similarity (n_films, n_shifts). The n-way scores
        are the expectation of `video_metrics.three_of_n` over its draws.
    """
    n_classes = true.joint.shape[1]
    if measures.frames is None or true.frames is None:
        raise ValueError("measures have no embeddings of frames: call measure_films with an embedder")
    consistency = frame_consistency(measures.frames)
    similarity = _cosines(measures.frames.mean(axis=1), true.frames.mean(axis=1))
    n_films = len(films)
    pairs = {}
    for n in N_WAY:
        pairs[f"{n}-way"] = class_pairs(measures.joint, true.joint, min(n, n_classes - 2), k=3)
    for name, definition in (("SSIM", "color"), ("SSIM, columns", "columns")):
        pairs[name] = ssim_shifts(films[:, ::SLOW_EVERY], true_films[:, ::SLOW_EVERY], shifts, definition)
    pairs["consistency"] = np.tile(consistency[:, None], (1, n_films))  # the true film has no part in it
    pairs["consistency, gated"] = np.where(similarity <= GATE, 0.0, consistency[:, None])
    pairs["hue"] = hue_pairs(films[:, ::SLOW_EVERY], true_films[:, ::SLOW_EVERY])
    pairs["EPE"] = end_point_pairs(measures.flow, true.flow)
    return pairs


def _cosines(first: NDArray, second: NDArray) -> NDArray:
    norms = np.linalg.norm(first, axis=1)[:, None] * np.linalg.norm(second, axis=1)
    return first @ second.T / np.maximum(norms, 1e-8)


def mean_pairs(draws: Sequence[Mapping[str, NDArray]]) -> dict[str, NDArray]:
    """Return the mean over draws of scores of pairs.

    Parameters
    ----------
    draws : sequence of dict of array
    """
    return {name: np.mean([draw[name] for draw in draws], axis=0) for name in draws[0]}


def control_table(
    scores: Scores,
    metrics: Mapping[str, bool],
    n_permutations: int = 1000,
    seed: int = 0,
    oracle: str = "oracle",
) -> pd.DataFrame:
    """Return each method's score beside its measured chance, its p and its share of the oracle's.

    Parameters
    ----------
    scores : dict of str to dict of str to dict of str to array
        By method, subject (`ALL` where a method needs none) and metric: pairs (n_films, n_films), or (n_films,
        n_shifts) of which the first is the true film.
    metrics : dict of str to bool
        Whether higher is better.
    n_permutations, seed : int
        The same permutations of whole films for all subjects.
    oracle : str
        Method whose distance from its chance is the ceiling.

    Returns
    -------
    table : DataFrame
        A row for each ``metric`` and ``method``: ``value`` (mean over films and subjects), ``lowest`` and ``highest``
        (of subjects), ``n_subjects``, ``chance`` (mean of the null), ``p`` (NaN where pairs are of shifts, too few for
        it), ``share`` (of the ceiling).

    Raises
    ------
    ValueError
        If there is no oracle, or a matrix has another number of films.
    """
    if oracle not in scores:
        raise ValueError(f"scores has the methods {', '.join(scores)}, expected {oracle!r} among them")
    rows = []
    for metric, higher in metrics.items():
        of_metric = {}
        for method, by_subject in scores.items():
            pairs = [of_subject[metric] for of_subject in by_subject.values()]
            shapes = {array.shape for array in pairs}
            if len(shapes) != 1:
                raise ValueError(f"{metric} of {method} has the shapes {sorted(shapes)}, expected one for all subjects")
            by_film = np.array([_of_true_film(array) for array in pairs])
            chance, p = _chance(np.mean(pairs, axis=0), n_permutations, seed, higher)
            of_metric[method] = {
                "metric": metric,
                "method": method,
                "value": float(by_film.mean()),
                "lowest": float(by_film.mean(axis=1).min()),
                "highest": float(by_film.mean(axis=1).max()),
                "n_subjects": len(pairs),
                "chance": chance,
                "p": p,
            }
        ceiling = of_metric[oracle]["value"] - of_metric[oracle]["chance"]
        for row in of_metric.values():
            distance = row["value"] - row["chance"]
            rows.append({**row, "share": distance / ceiling if abs(ceiling) > 1e-9 else np.nan})
    return pd.DataFrame(rows)


def _of_true_film(pairs: NDArray) -> NDArray:
    """Return the score of each film against its own true one."""
    return np.diag(pairs) if pairs.shape[0] == pairs.shape[1] else pairs[:, 0]


def _chance(pairs: NDArray, n_permutations: int, seed: int, higher: bool) -> tuple[float, float]:
    """Return the mean of the null and p, which shifts are too few for."""
    if pairs.shape[0] != pairs.shape[1]:
        return float(pairs[:, 1:].mean()), np.nan
    result = pair_score_test(pairs, None, n_permutations, seed, higher_is_better=higher)
    return result.chance, result.p


def difference_over_films(
    scores: Scores, method: str, control: str, metric: str, n_bootstrap: int = 2000, seed: int = 0
) -> dict:
    """Return how far a method is ahead of a control, with an interval over films and subjects.

    Parameters
    ----------
    scores : dict of str to dict of str to dict of str to array
        See `control_table`.
    method, control, metric : str
    n_bootstrap, seed : int
        Films and subjects are resampled both, each with replacement.

    Returns
    -------
    row : dict
        ``metric``, ``method``, ``control``, ``difference``, ``low`` and ``high`` (95 %), ``n_ahead`` of ``n_subjects``.
    """
    values = _differences(scores, method, control, metric)
    low, high = _interval(values, n_bootstrap, seed)
    return {
        "metric": metric,
        "method": method,
        "control": control,
        "difference": float(values.mean()),
        "low": low,
        "high": high,
        "n_ahead": int((values.mean(axis=1) > 0).sum()),
        "n_subjects": len(values),
    }


def ranking_over_films(
    scores: Scores, metrics: Mapping[str, bool], brain: str, n_bootstrap: int = 2000, seed: int = 0
) -> pd.DataFrame:
    """Return which methods each metric ranks above the film from the brain, or cannot tell from it.

    Parameters
    ----------
    scores : dict of str to dict of str to dict of str to array
        See `control_table`.
    metrics : dict of str to bool
        Whether higher is better.
    brain : str
        Method that the others are compared with.
    n_bootstrap, seed : int
        See `difference_over_films`.

    Returns
    -------
    ranking : DataFrame
        A row a ``metric`` and ``method``: ``value``, ``brain`` (its value), and ``rank``: "above" or "below" the brain,
        "equal" where the 95 % interval of the difference holds 0, or "itself".
    """
    rows = []
    for metric, higher in metrics.items():
        of_brain = np.mean([_of_true_film(of_subject[metric]) for of_subject in scores[brain].values()])
        for method, by_subject in scores.items():
            values = _differences(scores, brain, method, metric) * (1 if higher else -1)
            low, high = _interval(values, n_bootstrap, seed)
            rank = "below" if low > 1e-9 else "above" if high < -1e-9 else "equal"
            rank = "itself" if method == brain else rank
            value = np.mean([_of_true_film(of_subject[metric]) for of_subject in by_subject.values()])
            rows.append(
                {"metric": metric, "method": method, "value": float(value), "brain": float(of_brain), "rank": rank}
            )
    return pd.DataFrame(rows)


def _differences(scores: Scores, method: str, control: str, metric: str) -> NDArray:
    """Return how far each subject's films are ahead of the control's: (n_subjects, n_films)."""
    by_film = []
    for label, of_subject in scores[method].items():
        other = scores[control].get(label, scores[control].get(ALL))
        if other is None:
            raise ValueError(f"{control} has no scores of subject {label}, and none for {ALL} subjects")
        by_film.append(_of_true_film(of_subject[metric]) - _of_true_film(other[metric]))
    return np.array(by_film)


def _interval(values: NDArray, n_bootstrap: int, seed: int) -> tuple[float, float]:
    """Return the 95 % interval of the mean where subjects and films are both resampled."""
    n_bootstrap = whole("n_bootstrap", n_bootstrap)
    rng = np.random.default_rng(seed)
    shares = [rng.multinomial(n, np.full(n, 1 / n), n_bootstrap) / n for n in values.shape]
    low, high = np.quantile(((shares[0] @ values) * shares[1]).sum(axis=1), [0.025, 0.975])
    return float(low), float(high)


def category_table(
    named: Mapping[tuple[str, str], ArrayLike], shows: ArrayLike, n_permutations: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Return how often a category is named in films that show it, beside films that do not.

    Parameters
    ----------
    named : dict of (method, training) to bool array (n_sets, n_films)
        Whether the category was named in the reconstruction of each film; a set for each subject and draw.
    shows : bool array (n_films,)
        Whether the true film shows it.
    n_permutations, seed : int
        Films are permuted, the same for all sets.

    Returns
    -------
    table : DataFrame
        A row a method and training: ``hits`` (rate in films that show it), ``lowest`` and ``highest`` (over sets),
        ``false`` (rate in the others, the measured chance), ``p`` (of the difference).

    Raises
    ------
    ValueError
        If no film shows the category, all do, or numbers of films differ.
    """
    shows = np.asarray(shows, bool)
    n_permutations = whole("n_permutations", n_permutations)
    if not shows.any() or shows.all():
        raise ValueError(f"{shows.sum()} of {shows.size} films show the category, expected some that do and some not")
    rng = np.random.default_rng(seed)
    orders = rng.permuted(np.tile(np.arange(len(shows)), (n_permutations, 1)), axis=1)
    rows = []
    for (method, training), values in named.items():
        values = np.atleast_2d(np.asarray(values, float))
        if values.shape[1] != len(shows):
            raise ValueError(f"named has {values.shape[1]} films for {method}, expected {len(shows)} as in shows")
        by_film = values.mean(axis=0)
        hits = float(by_film[shows].mean())
        null = by_film[orders][:, : shows.sum()].mean(axis=1)
        p = float((np.sum(null >= hits - 1e-9) + 1) / (n_permutations + 1))
        of_sets = values[:, shows].mean(axis=1)
        rows.append(
            {
                "method": method,
                "training": training,
                "hits": hits,
                "lowest": float(of_sets.min()),
                "highest": float(of_sets.max()),
                "false": float(by_film[~shows].mean()),
                "p": p,
            }
        )
    return pd.DataFrame(rows)
