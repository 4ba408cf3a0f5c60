"""How well predicted vectors tell one clip from another.

Row i of ``predicted`` and row i of ``target`` are of the same clip or window. Everything is made of one matrix
product: the Pearson correlation C_ij of predicted row i with target row j. Two values that agree in ten decimals are a
tie. A constant row (a decoder that learnt nothing) is correlated with nothing: 0, so that all its ties give chance.

**Windows.** The windows of one clip overlap and are alike: as candidates for each other they say little. Either average
them first (`average_clips`; the paper's 60 test clips are then 60 items), or give ``clips``: then a window is compared
with the windows of other clips alone.
"""

import math

import numpy as np
from scipy.stats import rankdata

from naturalistic.arrays import as_real, check_finite
from naturalistic.decoding.clips import clip_codes
from naturalistic.features.probes import ranks
from naturalistic.models.scoring import correlation, correlation_matrix
from naturalistic.parameters import whole

DECIMALS = 10


def correlate(predicted, target):
    """Return the Pearson correlation of each predicted row with each target row, 0 for a constant row.

    Parameters
    ----------
    predicted : array (n, dim)
    target : array (n_candidates, dim)

    Returns
    -------
    likeness : float64 array (n, n_candidates)

    Raises
    ------
    ValueError
        If dimensions differ or are fewer than two, or a value is not finite.
    """
    predicted, target = as_real(predicted, "predicted"), as_real(target, "target")
    if predicted.ndim != 2 or target.ndim != 2 or predicted.shape[1] != target.shape[1] or predicted.shape[1] < 2:
        raise ValueError(
            f"predicted has shape {predicted.shape} and target {target.shape}, expected (n, dim) for both, "
            "in the same space of two dimensions or more"
        )
    check_finite(predicted, "predicted")
    check_finite(target, "target")
    return np.nan_to_num(correlation_matrix(predicted.T.astype(float), target.T.astype(float)))


def identification(predicted, target, clips=None, like=correlate):
    """Return how often each prediction is more like its own target than like another one.

    Denk et al. (2023): for item i the share of the j with C_ii > C_ij; a tie counts half. Chance is 0.5.

    Parameters
    ----------
    predicted, target : array (n, dim)
    clips : array-like (n,), optional
        Clip of each row; rows of the same clip are not compared.
    like : callable
        ``like(predicted, target) -> (n, n)``: another likeness, such as `csls` of `correlate`.

    Returns
    -------
    accuracy : float64 array (n,)

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, or a row has nothing to be compared with.
    """
    rank, _, others = _rank(predicted, target, clips, like)
    return 1 - (rank - 1) / others


def n_way(predicted, target, n, clips=None, like=correlate):
    """Return the expected share of right choices among ``n`` candidates: the right one and n - 1 drawn from the others.

    Exact, from the ranks; ties are broken at random. With w others that are worse and t that tie among o, it is
    (C(w + t + 1, n) - C(w, n)) / ((t + 1) C(o, n - 1)), the mean over all draws. Chance is 1 / n; ``n=2`` is the mean
    of `identification`.

    Parameters
    ----------
    predicted, target, clips, like
        As in `identification`.
    n : int
        From 2 to the number of candidates.

    Returns
    -------
    accuracy : float

    Raises
    ------
    ValueError
        If ``n`` is not from 2 to the number of candidates; as of `identification`.
    """
    rank, ties, others = _rank(predicted, target, clips, like)
    n = whole("n", n, 2, int(others.min()) + 1, hint="there are no more candidates")
    worse = np.rint(others - (rank - 1) - ties / 2).astype(int)
    right = [
        (math.comb(w + t + 1, n) - math.comb(w, n)) / ((t + 1) * math.comb(o, n - 1))
        for w, t, o in zip(worse.tolist(), ties.tolist(), others.tolist())
    ]
    return float(np.mean(right))


def top_k(predicted, target, k, clips=None, like=correlate):
    """Return the share of rows whose target is among the ``k`` best candidates; ties are broken at random.

    Parameters
    ----------
    predicted, target, clips, like
        As in `identification`.
    k : int
        From 1 to the number of candidates; chance is k / n.

    Returns
    -------
    accuracy : float

    Raises
    ------
    ValueError
        If ``k`` is not from 1 to the number of candidates; as of `identification`.
    """
    rank, ties, others = _rank(predicted, target, clips, like)
    k = whole("k", k, 1, int(others.min()) + 1, hint="there are no more candidates")
    better = rank - 1 - ties / 2
    return float(np.clip((k - better) / (ties + 1), 0, 1).mean())


def mean_rank(predicted, target, clips=None, like=correlate):
    """Return the mean rank of the right target: 1 is the best, (n + 1) / 2 is chance, ties count half.

    Parameters
    ----------
    predicted, target, clips, like
        As in `identification`.

    Returns
    -------
    rank : float

    Raises
    ------
    ValueError
        As of `identification`.
    """
    return float(_rank(predicted, target, clips, like)[0].mean())


def shares(likeness, clips=None):
    """Return what `identification` would be if another target were the right one.

    Parameters
    ----------
    likeness : array (n, n)
    clips : array-like (n,), optional

    Returns
    -------
    shares : float64 array (n, n)
        Of row i if j were right: the share of candidates (of other clips than j's) that it is more like j than like.
        The diagonal is `identification`; other orders of the columns make its null.
    """
    likeness = np.round(as_real(likeness, "likeness"), DECIMALS)
    codes = clip_codes(clips, len(likeness))[1]
    beaten = rankdata(likeness, axis=1) - 1
    if clips is None:
        return beaten / (len(likeness) - 1)
    for code in range(codes.max() + 1):
        own = codes == code
        beaten[:, own] -= rankdata(likeness[:, own], axis=1) - 1
        beaten[:, own] /= len(codes) - own.sum()
    return beaten


def check_vectors(predicted, target):
    """Return both as arrays (n, dim) of the same shape, of finite numbers."""
    predicted, target = as_real(predicted, "predicted"), as_real(target, "target")
    if predicted.shape != target.shape or predicted.ndim != 2:
        raise ValueError(
            f"predicted has shape {predicted.shape} and target {target.shape}, expected the same (n, dim): "
            "one prediction for each target"
        )
    check_finite(predicted, "predicted")
    check_finite(target, "target")
    return predicted, target


def likeness_of_pairs(predicted, target, clips, like):
    """Return ``like(predicted, target)`` (n, n) and clip codes (n,), with two clips or more."""
    predicted, target = check_vectors(predicted, target)
    codes = clip_codes(clips, len(predicted))[1]
    if len(codes) == 0 or codes.max() == 0:
        raise ValueError(f"all {len(codes)} rows are of one clip, expected two clips or more to tell apart")
    return np.asarray(like(predicted, target), dtype=float), codes


def _rank(predicted, target, clips, like):
    """Return the rank of the right target, its ties, and the number of other candidates, (n,) each."""
    likeness, codes = likeness_of_pairs(predicted, target, clips, like)
    likeness = np.round(likeness, DECIMALS)
    right = np.diag(likeness).copy()
    same = codes[:, None] == codes
    np.fill_diagonal(same, False)
    likeness[same] = -np.inf
    ties = (likeness == right[:, None]).sum(axis=1) - 1
    return ranks(likeness), ties, len(codes) - 1 - same.sum(axis=1)


def correlation_by_dimension(predicted, target):
    """Return the correlation of predicted and true values over rows, 0 for a constant dimension.

    Its mean is what Denk et al. (2023) call correlation.

    Parameters
    ----------
    predicted, target : array (n, dim)

    Returns
    -------
    r : array (dim,)
        float32 when both are.

    Raises
    ------
    ValueError
        As of `check_vectors`; if there are fewer than two rows.
    """
    return np.nan_to_num(correlation(*check_vectors(predicted, target)))
