"""Permutation tests of decoding: targets of whole clips are permuted among clips.

The clip is the unit: its windows overlap, so they move together and keep their order. Predictions stay fixed, from a
model that was not fitted on these clips; under the null any clip could have been presented.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from naturalistic.arrays import ShapeRepr, as_real, check_finite
from naturalistic.decoding.clips import clip_layout
from naturalistic.decoding.decoder import DecodingResult
from naturalistic.decoding.metrics import (
    Metric,
    check_vectors,
    correlation_similarity,
    identification,
    labeled_similarity,
    mean_rank,
    pairwise_accuracy_matrix,
    pairwise_similarity,
    top_k_accuracy,
)
from naturalistic.inference import p_values
from naturalistic.models.scoring import unit_columns
from naturalistic.parameters import check_seed, whole


@dataclass(frozen=True, eq=False, repr=False)
class PermutationResult(ShapeRepr):
    """Score with its permutation null.

    Attributes
    ----------
    score : float
    null : array (n_permutations,)
        Its mean is the chance level.
    p : float
        (b + 1) / (m + 1), for b of m permutations with the same or a higher score.
    """

    score: float
    null: NDArray
    p: float


@dataclass(frozen=True, eq=False, repr=False)
class DecodingScores(ShapeRepr):
    """Scores of the test clips of one subject.

    Attributes
    ----------
    identification : PermutationResult
        Mean identification accuracy over clips.
    by_clip : array (n_clips,)
        Identification accuracy of each clip.
    correlation : PermutationResult
        Mean over dimensions of the correlation over clips.
    top_1, top_5 : float
        Share of clips that rank first, or among the first five.
    rank : float
        Mean rank of the target; 1 is best.
    """

    identification: PermutationResult
    by_clip: NDArray
    correlation: PermutationResult
    top_1: float
    top_5: float
    rank: float


def permute_clips(clips: ArrayLike | None, n_permutations: int, seed: int = 0, n_rows: int | None = None) -> NDArray:
    """Return permutations of rows that permute whole clips.

    Parameters
    ----------
    clips : array-like (n_rows,) or None
        None, with ``n_rows``: each row is a clip.
    n_permutations, seed : int
    n_rows : int, optional

    Returns
    -------
    orders : int array (n_permutations, n_rows)

    Raises
    ------
    ValueError
        If clips have different numbers of windows, or ``n_permutations`` is below 1.
    """
    n_permutations = whole("n_permutations", n_permutations, hint="1000 gives p of 0.001")
    seed = check_seed(seed)
    layout = clip_layout(clips, len(clips) if n_rows is None else n_rows)
    permuted = np.random.default_rng(seed).permuted(np.tile(np.arange(len(layout)), (n_permutations, 1)), axis=1)
    orders = np.empty((n_permutations, layout.size), dtype=int)
    orders[:, layout.ravel()] = layout[permuted].reshape(n_permutations, -1)
    return orders


def matching_test(
    values: ArrayLike, clips: ArrayLike | None = None, n_permutations: int = 1000, seed: int = 0
) -> PermutationResult:
    """Test the mean score of matching pairs against pairs permuted at random.

    Parameters
    ----------
    values : array (n, n)
        Score of each pair; matching pairs are on the diagonal.
    clips : array-like (n,), optional
        Clip of each row.
    n_permutations, seed : int

    Returns
    -------
    result : PermutationResult
        Of the mean over the diagonal.

    Raises
    ------
    ValueError
        If ``values`` are not square or not finite, or clips have different numbers of windows.
    """
    values = as_real(values, "values").astype(np.float64)
    if values.ndim != 2 or values.shape[0] != values.shape[1]:
        raise ValueError(f"values has shape {values.shape}, expected (n, n), the right partner on the diagonal")
    check_finite(values, "values")
    orders = permute_clips(clips, n_permutations, seed, len(values))
    rows = np.arange(len(values))
    null = values[rows, orders].mean(axis=1)
    score = values[rows, rows].mean()
    return PermutationResult(float(score), null, float(p_values(score, null)))


def identification_test(
    predicted: ArrayLike,
    target: ArrayLike,
    clips: ArrayLike | None = None,
    n_permutations: int = 1000,
    seed: int = 0,
    metric: Metric = correlation_similarity,
) -> PermutationResult:
    """Test the mean identification accuracy.

    Parameters
    ----------
    predicted, target : array (n, dim)
    clips : array-like (n,), optional
        Clip of each row; rows of the same clip are not compared, and are permuted together.
    n_permutations, seed : int
    metric : callable
        See `metrics.identification`.

    Returns
    -------
    result : PermutationResult

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, or clips have different numbers of windows.
    """
    n_permutations = whole("n_permutations", n_permutations)  # before the long product
    seed = check_seed(seed)
    similarity, _ = pairwise_similarity(predicted, target, clips, metric)
    return matching_test(pairwise_accuracy_matrix(similarity, clips), clips, n_permutations, seed)


def correlation_test(
    predicted: ArrayLike,
    target: ArrayLike,
    clips: ArrayLike | None = None,
    n_permutations: int = 1000,
    seed: int = 0,
) -> PermutationResult:
    """Test the mean over dimensions of `metrics.correlation_by_dimension`.

    Parameters
    ----------
    predicted, target : array (n, dim)
    clips : array-like (n,), optional
        Clip of each row.
    n_permutations, seed : int

    Returns
    -------
    result : PermutationResult

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, or clips have different numbers of windows.
    """
    predicted, target = check_vectors(predicted, target)
    Z_predicted = unit_columns(predicted)[0]
    Z_target = unit_columns(target)[0]
    values = Z_predicted @ Z_target.T * (len(predicted) / predicted.shape[1])
    return matching_test(values, clips, n_permutations, seed)


def within_label_test(
    predicted: ArrayLike,
    target: ArrayLike,
    labels: ArrayLike,
    n_permutations: int = 1000,
    seed: int = 0,
    metric: Metric = correlation_similarity,
) -> PermutationResult:
    """Test identification among the rows of the same label alone.

    Predictions that hold nothing but the label are at chance here. Under the null the targets of a label are permuted
    among its rows.

    Parameters
    ----------
    predicted, target : array (n, dim)
    labels : array-like (n,)
        Such as genres.
    n_permutations, seed : int
    metric : callable
        See `metrics.identification`.

    Returns
    -------
    result : PermutationResult
        ``score`` is the mean over rows; rows that are alone with their label are left out. All is NaN where no label
        has two rows.

    Raises
    ------
    ValueError
        If ``labels`` does not hold one label a row, shapes differ, or a value is not finite.
    """
    n_permutations = whole("n_permutations", n_permutations)
    seed = check_seed(seed)
    similarity, names, codes = labeled_similarity(predicted, target, labels, metric)
    blocks = []
    for k in range(len(names)):
        rows = np.flatnonzero(codes == k)
        if len(rows) > 1:
            blocks.append(pairwise_accuracy_matrix(similarity[np.ix_(rows, rows)]))
    if not blocks:
        return PermutationResult(np.nan, np.full(n_permutations, np.nan), np.nan)
    rng = np.random.default_rng(seed)
    n_rows = sum(map(len, blocks))
    score = sum(np.trace(block) for block in blocks) / n_rows
    null = np.zeros(n_permutations)
    for block in blocks:
        permuted = rng.permuted(np.tile(np.arange(len(block)), (n_permutations, 1)), axis=1)
        null += block[np.arange(len(block)), permuted].sum(axis=1) / n_rows
    return PermutationResult(score, null, float(p_values(np.array([score]), null[:, None])[0]))


def score_decoding(
    predicted: ArrayLike, target: ArrayLike, n_permutations: int = 1000, seed: int = 0
) -> DecodingScores:
    """Return all scores of predicted vectors, with their nulls.

    Parameters
    ----------
    predicted, target : array (n_clips, dim)
    n_permutations, seed : int

    Returns
    -------
    scores : DecodingScores

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, or there are fewer than two clips.
    """
    return DecodingScores(
        identification=identification_test(predicted, target, n_permutations=n_permutations, seed=seed),
        by_clip=identification(predicted, target),
        correlation=correlation_test(predicted, target, n_permutations=n_permutations, seed=seed),
        top_1=top_k_accuracy(predicted, target, 1),
        top_5=top_k_accuracy(predicted, target, min(5, len(target))),
        rank=mean_rank(predicted, target),
    )


def identification_by_subject(
    results: Mapping[str, DecodingResult], metric: Metric = correlation_similarity
) -> NDArray:
    """Return the mean identification accuracy of each subject.

    Parameters
    ----------
    results : dict of str to DecodingResult
        By subject.
    metric : callable
        See `metrics.identification`.

    Returns
    -------
    accuracy : array (n_subjects,)
    """
    return np.array([identification(x.predicted, x.target, metric=metric).mean() for x in results.values()])
