"""Identification, ranks, correlations and confusion of labels.

Row i of ``predicted`` and row i of ``target`` belong to the same clip or window. Metrics are computed from one matrix
product, the Pearson correlation C_ij of predicted row i and target row j. Two values that agree to ten decimals are a
tie. A constant row has correlation 0 with everything, so that its ties give chance.

**Windows.** Windows of one clip overlap and are similar: as candidates for each other they carry little information.
Average them first (`average_clips`; the paper's 60 test clips are then 60 items), or give ``clips``: a window is then
compared only with windows of other clips.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from naturalistic.arrays import as_real, check_finite
from naturalistic.decoding.clips import clip_codes
from naturalistic.features.probes import ranks
from naturalistic.models.scoring import correlation, correlation_matrix
from naturalistic.parameters import whole

_DECIMALS = 10

# similarity of each predicted row (n, dim) with each target row (n_candidates, dim)
Metric = Callable[[NDArray, NDArray], NDArray]


def correlation_similarity(predicted: ArrayLike, target: ArrayLike) -> NDArray:
    """Return the Pearson correlation of each predicted row with each target row.

    Parameters
    ----------
    predicted : array (n, dim)
    target : array (n_candidates, dim)

    Returns
    -------
    similarity : float64 array (n, n_candidates)
        0 for a constant row.

    Raises
    ------
    ValueError
        If dimensions differ or are fewer than two, or a value is not finite.
    """
    predicted = as_real(predicted, "predicted")
    target = as_real(target, "target")
    if predicted.ndim != 2 or target.ndim != 2 or predicted.shape[1] != target.shape[1] or predicted.shape[1] < 2:
        raise ValueError(
            f"predicted has shape {predicted.shape} and target {target.shape}, expected (n, dim) for both, "
            "in the same space of two dimensions or more"
        )
    check_finite(predicted, "predicted")
    check_finite(target, "target")
    return np.nan_to_num(correlation_matrix(predicted.T.astype(float), target.T.astype(float)))


def identification(
    predicted: ArrayLike, target: ArrayLike, clips: ArrayLike | None = None, metric: Metric = correlation_similarity
) -> NDArray:
    """Return the pairwise accuracy of each row (identification, Denk et al. 2023).

    For row i it is the share of the j with C_ii > C_ij; a tie counts half. Chance is 0.5.

    Parameters
    ----------
    predicted, target : array (n, dim)
    clips : array-like (n,), optional
        Clip of each row; rows of the same clip are not compared.
    metric : callable
        ``metric(predicted, target) -> similarity (n, n)``, such as `centered_similarity`, or `csls` of
        `correlation_similarity`.

    Returns
    -------
    accuracy : float64 array (n,)

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, or a row has no candidate.
    """
    rank, _, n_others = _rank(predicted, target, clips, metric)
    return 1 - (rank - 1) / n_others


def n_way_accuracy(
    predicted: ArrayLike,
    target: ArrayLike,
    n: int,
    clips: ArrayLike | None = None,
    metric: Metric = correlation_similarity,
) -> float:
    """Return the expected accuracy among ``n`` candidates drawn at random.

    The target is one of them. The value is exact, from the ranks; ties are broken at random. With w worse and t tied
    among o others it is
    (C(w + t + 1, n) - C(w, n)) / ((t + 1) C(o, n - 1)). Chance is 1 / n; ``n=2`` is the mean of `identification`.

    Parameters
    ----------
    predicted, target : array (n, dim)
    n : int
        From 2 to the number of candidates.
    clips : array-like (n,), optional
        Clip of each row; rows of the same clip are not compared.
    metric : callable
        See `identification`.

    Returns
    -------
    accuracy : float

    Raises
    ------
    ValueError
        If ``n`` is not from 2 to the number of candidates, shapes differ, or a value is not finite.
    """
    rank, ties, n_others = _rank(predicted, target, clips, metric)
    n = whole("n", n, 2, int(n_others.min()) + 1, hint="there are no more candidates")
    worse = np.rint(n_others - (rank - 1) - ties / 2).astype(int)
    accuracy = [
        (math.comb(w + t + 1, n) - math.comb(w, n)) / ((t + 1) * math.comb(o, n - 1))
        for w, t, o in zip(worse.tolist(), ties.tolist(), n_others.tolist())
    ]
    return float(np.mean(accuracy))


def top_k_accuracy(
    predicted: ArrayLike,
    target: ArrayLike,
    k: int,
    clips: ArrayLike | None = None,
    metric: Metric = correlation_similarity,
) -> float:
    """Return the share of rows with the target among the ``k`` best candidates.

    Ties are broken at random.

    Parameters
    ----------
    predicted, target : array (n, dim)
    k : int
        From 1 to the number of candidates; chance is k / n.
    clips : array-like (n,), optional
        Clip of each row; rows of the same clip are not compared.
    metric : callable
        See `identification`.

    Returns
    -------
    accuracy : float

    Raises
    ------
    ValueError
        If ``k`` is not from 1 to the number of candidates, shapes differ, or a value is not finite.
    """
    rank, ties, n_others = _rank(predicted, target, clips, metric)
    k = whole("k", k, 1, int(n_others.min()) + 1, hint="there are no more candidates")
    better = rank - 1 - ties / 2
    return float(np.clip((k - better) / (ties + 1), 0, 1).mean())


def mean_rank(
    predicted: ArrayLike, target: ArrayLike, clips: ArrayLike | None = None, metric: Metric = correlation_similarity
) -> float:
    """Return the mean rank of the target; 1 is best, (n + 1) / 2 is chance.

    A tie counts half.

    Parameters
    ----------
    predicted, target : array (n, dim)
    clips : array-like (n,), optional
        Clip of each row; rows of the same clip are not compared.
    metric : callable
        See `identification`.

    Returns
    -------
    rank : float

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, or a row has no candidate.
    """
    rank, _, _ = _rank(predicted, target, clips, metric)
    return float(rank.mean())


def pairwise_accuracy_matrix(similarity: ArrayLike, clips: ArrayLike | None = None) -> NDArray:
    """Return the pairwise accuracy of each row for each possible target.

    Parameters
    ----------
    similarity : array (n, n)
    clips : array-like (n,), optional
        Clip of each row; rows of the same clip are not compared.

    Returns
    -------
    accuracy : float64 array (n, n)
        Element (i, j): share of the candidates, of other clips than j's, that are less similar to row i than j is. The
        diagonal is `identification`; permuted columns give its null.
    """
    similarity = np.round(as_real(similarity, "similarity"), _DECIMALS)
    _, codes = clip_codes(clips, len(similarity))
    n_worse = rankdata(similarity, axis=1) - 1
    if clips is None:
        return n_worse / (len(similarity) - 1)
    for code in range(codes.max() + 1):
        same = codes == code
        n_worse[:, same] -= rankdata(similarity[:, same], axis=1) - 1
        n_worse[:, same] /= len(codes) - same.sum()
    return n_worse


def correlation_by_dimension(predicted: ArrayLike, target: ArrayLike) -> NDArray:
    """Return the correlation of predicted and true values over rows, by dimension.

    Its mean is what Denk et al. (2023) call correlation.

    Parameters
    ----------
    predicted, target : array (n, dim)

    Returns
    -------
    r : array (dim,)
        0 for a constant dimension; float32 when both are.

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, or there are fewer than two rows.
    """
    return np.nan_to_num(correlation(*check_vectors(predicted, target)))


def label_confusion(
    predicted: ArrayLike, target: ArrayLike, labels: ArrayLike, metric: Metric = correlation_similarity
) -> tuple[NDArray, NDArray]:
    """Count the labels of the most similar other target of each prediction.

    Parameters
    ----------
    predicted, target : array (n, dim)
    labels : array-like (n,)
        Such as genres.
    metric : callable
        See `identification`.

    Returns
    -------
    counts : int array (n_labels, n_labels)
        Row: true label; column: label of the most similar other target (the first of equals).
    names : array (n_labels,)
        In alphabetical order.

    Raises
    ------
    ValueError
        If ``labels`` does not hold one label a row, shapes differ, or a value is not finite.
    """
    similarity, names, codes = labeled_similarity(predicted, target, labels, metric)
    similarity = np.round(similarity, _DECIMALS)
    np.fill_diagonal(similarity, -np.inf)
    counts = np.zeros((len(names), len(names)), dtype=int)
    np.add.at(counts, (codes, codes[similarity.argmax(axis=1)]), 1)
    return counts, names


def identification_by_label(
    predicted: ArrayLike, target: ArrayLike, labels: ArrayLike, metric: Metric = correlation_similarity
) -> tuple[NDArray, NDArray]:
    """Return the mean identification accuracy by label, among all rows.

    Parameters
    ----------
    predicted, target : array (n, dim)
    labels : array-like (n,)
        Such as genres.
    metric : callable
        See `identification`.

    Returns
    -------
    accuracy : array (n_labels,)
    names : array (n_labels,)
        In alphabetical order.

    Raises
    ------
    ValueError
        If ``labels`` does not hold one label a row, shapes differ, or a value is not finite.
    """
    similarity, names, codes = labeled_similarity(predicted, target, labels, metric)
    accuracy = np.diag(pairwise_accuracy_matrix(similarity))
    return np.array([accuracy[codes == k].mean() for k in range(len(names))]), names


def labeled_similarity(
    predicted: ArrayLike, target: ArrayLike, labels: ArrayLike, metric: Metric
) -> tuple[NDArray, NDArray, NDArray]:
    """Return similarity (n, n), names of labels, and the code of each row (n,)."""
    similarity, _ = pairwise_similarity(predicted, target, None, metric)
    if np.shape(labels) != (len(similarity),):
        raise ValueError(f"labels has shape {np.shape(labels)}, expected ({len(similarity)},): one a row")
    names, codes = np.unique(np.asarray(labels), return_inverse=True)
    return similarity, names, codes


def check_vectors(predicted: ArrayLike, target: ArrayLike) -> tuple[NDArray, NDArray]:
    """Return both as arrays (n, dim) of the same shape, of finite numbers."""
    predicted = as_real(predicted, "predicted")
    target = as_real(target, "target")
    if predicted.shape != target.shape or predicted.ndim != 2:
        raise ValueError(
            f"predicted has shape {predicted.shape} and target {target.shape}, expected the same (n, dim): "
            "one prediction for each target"
        )
    check_finite(predicted, "predicted")
    check_finite(target, "target")
    return predicted, target


def pairwise_similarity(
    predicted: ArrayLike, target: ArrayLike, clips: ArrayLike | None, metric: Metric
) -> tuple[NDArray, NDArray]:
    """Return similarity (n, n) and clip codes (n,) of two clips or more."""
    predicted, target = check_vectors(predicted, target)
    _, codes = clip_codes(clips, len(predicted))
    if len(codes) == 0 or codes.max() == 0:
        raise ValueError(f"all {len(codes)} rows are of one clip, expected two clips or more to tell apart")
    return np.asarray(metric(predicted, target), dtype=float), codes


def _rank(
    predicted: ArrayLike, target: ArrayLike, clips: ArrayLike | None, metric: Metric
) -> tuple[NDArray, NDArray, NDArray]:
    """Return rank and ties of the target, and the number of other candidates."""
    similarity, codes = pairwise_similarity(predicted, target, clips, metric)
    similarity = np.round(similarity, _DECIMALS)
    of_target = np.diag(similarity).copy()
    same_clip = codes[:, None] == codes
    np.fill_diagonal(same_clip, False)
    similarity[same_clip] = -np.inf
    ties = (similarity == of_target[:, None]).sum(axis=1) - 1
    return ranks(similarity), ties, len(codes) - 1 - same_clip.sum(axis=1)
