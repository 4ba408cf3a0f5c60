"""Scores of reconstructed films: those of the published work, step by step, and an honest one beside each.

The published scores are computed as the evaluation code of MinD-Video, Mind-Animator, NEURONS and CineBrain computes
them, with their defects, so that a value can be set beside theirs:

- `three_of_n`: a hit where *any* of the true film's three likeliest classes wins among n classes. Chance is 3 / (n + 2)
  where classes are exchangeable (`chance_of_k_of_n`), not 1 / n, and more where films share a prior over classes.
- `frame_consistency` ("CLIP-pcc"): neighboring frames of the generated film alone. A still picture has 1.
- `end_point_error`: a film that stands still beats motion that is right but imprecise.
- `picture_metrics.ssim` and `picture_metrics.hue_similarity`: pixels and colors.

A score says something only beside what the same generator reaches with the films of other rows. So each has a function
of pairs: value (i, j) is the score of generated film i as a reconstruction of film j. Its diagonal is the published
score, `pair_score_test` gives its measured chance and p, and `pair_identification_test` the share of films that the
true one beats.
"""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from naturalistic.arrays import ShapeRepr, as_real, check_finite
from naturalistic.decoding.metrics import pairwise_accuracy_matrix
from naturalistic.decoding.nulls import matching_test
from naturalistic.decoding.picture_metrics import check_same_number
from naturalistic.models.scoring import correlation_matrix
from naturalistic.parameters import whole

K_CLASSES = 3
N_TRIALS = 100
GATE = 0.6  # similarity to the true film at or below which Mind-Animator counts a film's consistency as 0


@dataclass(frozen=True, eq=False, repr=False)
class FilmScore(ShapeRepr):
    """Score of reconstructed films with its measured chance.

    Attributes
    ----------
    by_film : array (n_films,)
    score : float
        Mean over films.
    chance : float
        Mean score against other films of the test set: that of the null.
    null : array (n_permutations,)
    p : float
        (b + 1) / (m + 1), for b of m permutations with the same or a better score.
    """

    by_film: NDArray
    score: float
    chance: float
    null: NDArray
    p: float


def pair_score_test(
    pairs: ArrayLike,
    blocks: ArrayLike | None = None,
    n_permutations: int = 1000,
    seed: int = 0,
    *,
    higher_is_better: bool = True,
) -> FilmScore:
    """Test the mean score of generated films against other true films.

    Parameters
    ----------
    pairs : array (n_films, n_films)
        Score of generated film i (row) against true film j (column).
    blocks : array-like (n_films,), optional
        Segment of each film where films follow each other in a longer one: segments are permuted as a whole, because
        neighbors are similar. Whole films by default.
    n_permutations, seed : int
    higher_is_better : bool
        False for an error, such as `end_point_error`.

    Returns
    -------
    result : FilmScore

    Raises
    ------
    ValueError
        If ``pairs`` is not square or not finite, or segments have different numbers of films.
    """
    pairs = as_real(pairs, "pairs").astype(np.float64)
    sign = 1 if higher_is_better else -1
    result = matching_test(sign * pairs, blocks, n_permutations, seed)
    n_units = len(pairs) if blocks is None else len(np.unique(np.asarray(blocks)))
    if math.factorial(min(n_units, 20)) < 20:
        warnings.warn(
            f"{n_units} {'films' if blocks is None else 'segments'} have {math.factorial(n_units)} orders: p cannot be "
            "below .05 whatever the films show",
            stacklevel=2,
        )
    null = sign * result.null
    return FilmScore(np.diag(pairs).copy(), sign * result.score, float(null.mean()), null, result.p)


def pair_identification_test(
    pairs: ArrayLike,
    blocks: ArrayLike | None = None,
    n_permutations: int = 1000,
    seed: int = 0,
    *,
    higher_is_better: bool = True,
) -> FilmScore:
    """Return the share of other films that the true one beats, by any score.

    Chance is .5. A tie counts half, so a generator that makes the same film of every brain has exactly .5 and p = 1.

    Parameters
    ----------
    pairs, blocks, n_permutations, seed, higher_is_better
        See `pair_score_test`. Films of the same segment are not compared.

    Returns
    -------
    result : FilmScore

    Raises
    ------
    ValueError
        See `pair_score_test`.
    """
    pairs = as_real(pairs, "pairs").astype(np.float64)
    if pairs.ndim != 2 or pairs.shape[0] != pairs.shape[1] or len(pairs) < 2:
        raise ValueError(f"pairs has shape {pairs.shape}, expected (n_films, n_films) of two films or more")
    check_finite(pairs, "pairs")
    accuracy = pairwise_accuracy_matrix(pairs if higher_is_better else -pairs, blocks)
    return pair_score_test(accuracy, blocks, n_permutations, seed)


def score_pairs(metric: Callable[[Any, Any], float], predicted: ArrayLike, target: ArrayLike) -> NDArray:
    """Return the score of each generated film against each true film.

    Parameters
    ----------
    metric : callable
        ``metric(predicted[i], target[j])`` is a number.
    predicted, target : sequence of n_films

    Returns
    -------
    pairs : float64 array (n_films, n_films)

    Raises
    ------
    ValueError
        If there is not one generated film for each true one.
    """
    check_same_number(predicted, target)
    return np.array([[float(metric(made, true)) for true in target] for made in predicted])


def chance_of_k_of_n(n: int, k: int = K_CLASSES) -> float:
    """Return the chance of `three_of_n` where all classes are alike: k / (n + k - 1).

    The k true classes win if the likeliest of them is the likeliest of n - 1 + k classes.

    Parameters
    ----------
    n : int
        Classes that compete, one of them true.
    k : int
        True classes that are tried.
    """
    n = whole("n", n, 2)
    k = whole("k", k, 1)
    return k / (n + k - 1)


def three_of_n(
    predicted: ArrayLike, target: ArrayLike, n: int, n_trials: int = N_TRIALS, seed: int = 0, k: int = K_CLASSES
) -> NDArray:
    """Return the published n-way score of each film, by trials.

    The true film's ``k`` likeliest classes are right. In each trial n - 1 other classes are drawn; it is a hit if *any*
    right class is more probable in the generated film than all of them. The published "+-" is over trials; over films
    it is `pair_score_test` of `class_pairs` that gives chance and p.

    Parameters
    ----------
    predicted : array (n_films, n_classes)
        Probability (or logit) of each class in the generated film, by a classifier of pictures or films.
    target : array (n_films, n_classes)
        In the true film.
    n : int
        2 or 50 in the published work.
    n_trials, seed, k : int

    Returns
    -------
    accuracy : float64 array (n_films,)
        Draws are those of ``numpy.random.choice`` after ``numpy.random.seed(seed)``.

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, or ``n`` leaves too few other classes.
    """
    predicted, target, n, k = _check_classes(predicted, target, n, k)
    n_trials = whole("n_trials", n_trials, 1)
    rng = np.random.RandomState(seed)
    accuracy = np.empty(len(predicted))
    for i, (made, true) in enumerate(zip(predicted, target)):
        right = _likeliest(true, k)
        others = np.setdiff1d(np.arange(len(true)), right)
        best = made[right].max()
        hits = sum(best > made[rng.choice(others, n - 1, replace=False)].max() for _ in range(n_trials))
        accuracy[i] = hits / n_trials
    return accuracy


def class_pairs(predicted: ArrayLike, target: ArrayLike, n: int, k: int = K_CLASSES) -> NDArray:
    """Return the exact n-way score of each generated film against each true film.

    It is the expectation of `three_of_n` over its draws, without trials. With ``k=1`` the likeliest class alone is
    right, and chance is 1 / n where classes are alike; the measured chance is that of `pair_score_test`.

    Parameters
    ----------
    predicted, target, n, k
        See `three_of_n`.

    Returns
    -------
    pairs : float64 array (n_films, n_films)
        A tie is a miss, as in the published code, with ``k`` of 2 or more; with ``k=1`` it is broken at random.

    Raises
    ------
    ValueError
        See `three_of_n`.
    """
    predicted, target, n, k = _check_classes(predicted, target, n, k)
    n_others = predicted.shape[1] - k
    total = math.comb(n_others, n - 1)
    by_worse = np.array([math.comb(w, n - 1) / total for w in range(n_others + 1)])
    pairs = np.empty((len(predicted), len(target)))
    for j, true in enumerate(target):
        right = _likeliest(true, k)
        others = np.delete(predicted, right, axis=1)
        best = predicted[:, right].max(axis=1)[:, None]
        worse = (others < best).sum(axis=1)
        pairs[:, j] = by_worse[worse]
        ties = (others == best).sum(axis=1)
        if k == 1 and ties.any():
            for i in np.flatnonzero(ties):
                w = int(worse[i])
                t = int(ties[i])
                pairs[i, j] = (math.comb(w + t + 1, n) - math.comb(w, n)) / ((t + 1) * total)
    return pairs


def _check_classes(predicted: ArrayLike, target: ArrayLike, n: int, k: int) -> tuple[NDArray, NDArray, int, int]:
    predicted = as_real(predicted, "predicted")
    target = as_real(target, "target")
    if predicted.ndim != 2 or predicted.shape != target.shape or not len(predicted):
        raise ValueError(
            f"predicted has shape {predicted.shape} and target {target.shape}, expected the same (n_films, n_classes)"
        )
    check_finite(predicted, "predicted")
    check_finite(target, "target")
    n_classes = predicted.shape[1]
    k = whole("k", k, 1, n_classes - 1, hint="right classes of a film")
    n = whole("n", n, 2, n_classes - k + 1, hint="there are no more other classes")
    return predicted, target, n, k


def _likeliest(values: NDArray, k: int) -> NDArray:
    return np.argsort(values, kind="stable")[-k:]


def frame_consistency(embeddings: ArrayLike, similarity: ArrayLike | None = None, gate: float = GATE) -> NDArray:
    """Return the published consistency of each film ("CLIP-pcc"): the mean cosine of neighboring frames.

    It does not use the true film, and a still picture has 1, the best value there is.

    Parameters
    ----------
    embeddings : array (n_films, n_frames, dim)
        Of the frames of generated films, by CLIP in the published work.
    similarity : array (n_films,), optional
        Of generated and true film. Films at or below ``gate`` count 0, as in Mind-Animator's code; no gate by default.
    gate : float

    Returns
    -------
    consistency : float64 array (n_films,)

    Raises
    ------
    ValueError
        If there is no second frame, a value is not finite, or lengths differ.
    """
    embeddings = _check_embeddings(embeddings, "embeddings")
    norms = np.linalg.norm(embeddings, axis=2)
    products = (embeddings[:, 1:] * embeddings[:, :-1]).sum(axis=2)
    norm = np.maximum(norms[:, 1:] * norms[:, :-1], 1e-8)
    consistency = (products / norm).mean(axis=1)
    if similarity is None:
        return consistency
    similarity = as_real(similarity, "similarity")
    if similarity.shape != consistency.shape:
        raise ValueError(f"similarity has shape {similarity.shape}, expected ({len(consistency)},): one a film")
    return np.where(similarity <= gate, 0.0, consistency)


def change_pairs(predicted: ArrayLike, target: ArrayLike) -> NDArray:
    """Return the correlation of how generated and true films change from frame to frame.

    Parameters
    ----------
    predicted, target : array (n_films, n_frames, dim)
        Embeddings of frames.

    Returns
    -------
    pairs : float64 array (n_films, n_films)
        Of generated film i and true film j; 0 for a still picture.

    Raises
    ------
    ValueError
        If shapes differ, there is no second frame, or a value is not finite.
    """
    changes = []
    for name, values in (("predicted", predicted), ("target", target)):
        values = _check_embeddings(values, name)
        changes.append(np.diff(values, axis=1).reshape(len(values), -1))
    return _correlations(changes[0], changes[1])


def _check_embeddings(values: ArrayLike, name: str) -> NDArray:
    values = as_real(values, name).astype(np.float64)
    if values.ndim != 3 or values.shape[1] < 2 or not len(values):
        raise ValueError(f"{name} has shape {values.shape}, expected (n_films, n_frames, dim) with two frames or more")
    check_finite(values, name)
    return values


def _correlations(predicted: NDArray, target: NDArray) -> NDArray:
    if predicted.shape != target.shape:
        raise ValueError(f"predicted has {predicted.shape} and target {target.shape} numbers, expected as many of both")
    return np.nan_to_num(correlation_matrix(predicted.T, target.T))


def end_point_error(predicted: ArrayLike, target: ArrayLike) -> NDArray:
    """Return the published motion error of each film: the mean distance of the flow vectors, in pixels.

    Parameters
    ----------
    predicted, target : array (n_films, n_steps, height, width, 2)
        Flow from each frame to the next; the published code takes Farneback's.

    Returns
    -------
    error : float64 array (n_films,)
        Lower is better.

    Raises
    ------
    ValueError
        If shapes differ or a value is not finite.
    """
    predicted, target = _check_flows(predicted, target)
    distance = np.linalg.norm(target - predicted, axis=-1)
    return distance.mean(axis=(2, 3)).mean(axis=1)


def end_point_pairs(predicted: ArrayLike, target: ArrayLike) -> NDArray:
    """Return `end_point_error` of each generated film against each true film (n_films, n_films)."""
    predicted, target = _check_flows(predicted, target)
    return np.array([end_point_error(np.broadcast_to(made, target.shape), target) for made in predicted])


def motion_pairs(predicted: ArrayLike, target: ArrayLike) -> NDArray:
    """Return the similarity of direction of each generated film's motion with that of each true film.

    It is the cosine of the two flow fields over all places and steps: 1 for the right motion at any speed, 0 for a
    film that stands still, -1 for the opposite motion.

    Parameters
    ----------
    predicted, target : array (n_films, n_steps, height, width, 2)

    Returns
    -------
    pairs : float64 array (n_films, n_films)

    Raises
    ------
    ValueError
        If shapes differ or a value is not finite.
    """
    predicted, target = _check_flows(predicted, target)
    x = predicted.reshape(len(predicted), -1)
    y = target.reshape(len(target), -1)
    norm = np.linalg.norm(x, axis=1)[:, None] * np.linalg.norm(y, axis=1)
    return np.divide(x @ y.T, norm, out=np.zeros_like(norm), where=norm > 0)


def _check_flows(predicted: ArrayLike, target: ArrayLike) -> tuple[NDArray, NDArray]:
    predicted = as_real(predicted, "predicted").astype(np.float64)
    target = as_real(target, "target").astype(np.float64)
    if predicted.ndim != 5 or predicted.shape[-1] != 2 or not predicted.size or predicted.shape != target.shape:
        raise ValueError(
            f"predicted has shape {predicted.shape} and target {target.shape}, expected the same "
            "(n_films, n_steps, height, width, 2)"
        )
    check_finite(predicted, "predicted")
    check_finite(target, "target")
    return predicted, target
