"""p-values from nulls, and corrections for multiple tests.

p-values are float64 whatever the scores are, so that a threshold means what it says.
"""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from naturalistic.arrays import as_real, column_blocks

TAILS = ("greater", "less", "two-sided")
TIE = 64  # scores within this many roundings of each other are ties; ties count against the effect


def p_values(
    observed: ArrayLike, null: ArrayLike, tail: Literal["greater", "less", "two-sided"] = "greater"
) -> NDArray:
    """Return permutation p-values, ``(b + 1) / (m + 1)``, target by target.

    b of the m scores of the null are at least as extreme as the observed one (Phipson & Smyth 2010); so p is
    never 0, and never below 1 / (m + 1).

    Parameters
    ----------
    observed : array (n_targets,) or scalar
        Scores of the predictions as they are.
    null : array (n_permutations, n_targets)
        Scores of the permuted predictions.
    tail : {"greater", "less", "two-sided"}
        Which scores count as extreme; two-sided takes twice the smaller p (the null need not be symmetric).

    Returns
    -------
    p : array (n_targets,)
        NaN where the observed score is NaN.

    Raises
    ------
    ValueError
        If the targets differ, the null is empty, ``tail`` is unknown, or the null has a NaN where the
        observed score has none.
    """
    observed, null, tie = _check_null(observed, null, tail)
    p = np.empty(observed.size)
    flat = observed.reshape(-1)
    scores = null.reshape(len(null), -1)
    for block in column_blocks(len(null), len(p)):
        slack = tie * np.abs(flat[block])
        above = (np.sum(scores[:, block] >= flat[block] - slack, axis=0) + 1) / (len(null) + 1)
        below = (np.sum(scores[:, block] <= flat[block] + slack, axis=0) + 1) / (len(null) + 1)
        both = np.minimum(1, 2 * np.minimum(above, below))
        p[block] = {"greater": above, "less": below, "two-sided": both}[tail]
    p[np.isnan(flat)] = np.nan
    return p.reshape(observed.shape)[()]


def max_statistic(
    observed: ArrayLike, null: ArrayLike, tail: Literal["greater", "less", "two-sided"] = "greater"
) -> NDArray:
    """Return p-values corrected for all targets by the null of the best one.

    Controls the probability of even one false positive (Nichols & Holmes 2002), whatever the correlation
    between targets, as long as one permutation moved all targets alike.

    Parameters
    ----------
    observed : array (n_targets,)
        Scores of the predictions as they are.
    null : array (n_permutations, n_targets)
        Scores of the permuted predictions.
    tail : {"greater", "less", "two-sided"}
        Which scores count as extreme; two-sided takes the largest absolute score, so the score's null should
        be centered on 0.

    Returns
    -------
    p_adjusted : array (n_targets,)
        ``(b + 1) / (m + 1)``; NaN where the observed score is NaN (such a target is left out).

    Raises
    ------
    ValueError
        As for `p_values`.
    """
    observed, null, tie = _check_null(observed, null, tail)
    orient = {"greater": np.positive, "less": np.negative, "two-sided": np.abs}[tail]
    used = ~np.isnan(observed)
    p = np.full(observed.shape, np.nan)
    if used.any():
        scores = orient(observed[used])
        best = np.sort([orient(row[used]).max() for row in null])
        p[used] = (len(best) - np.searchsorted(best, scores - tie * np.abs(scores)) + 1) / (len(best) + 1)
    return p[()]


def fdr(p: ArrayLike, q: float = 0.05, method: Literal["bh", "by"] = "bh") -> tuple[NDArray, NDArray]:
    """Return the tests that pass at false discovery rate ``q``, and adjusted p.

    Benjamini & Hochberg (1995), or Benjamini & Yekutieli (2001), which holds under any dependence. Over all
    of ``p`` at once, whatever its shape, by ``scipy.stats.false_discovery_control``.

    Parameters
    ----------
    p : array, any shape
        p-values; NaN ones (voxels without a score) are left out and do not count as tests.
    q : float
        Share of false positives that is accepted among the positives.
    method : {"bh", "by"}

    Returns
    -------
    reject : array of bool, shape of ``p``
        False where p is NaN.
    p_adjusted : array, shape of ``p``
        At or below ``q`` where rejected; NaN where p is NaN.

    Raises
    ------
    ValueError
        If a p-value is outside [0, 1], ``q`` outside (0, 1), or ``method`` unknown.
    """
    p = as_real(p, "p").astype(np.float64)
    if not 0 < q < 1:
        raise ValueError(f"q is {q}, expected between 0 and 1, for example 0.05")
    if method not in ("bh", "by"):
        raise ValueError(f"method is {method!r}, expected 'bh' or 'by'")
    invalid = (p < 0) | (p > 1)
    if invalid.any():
        raise ValueError(
            f"{int(invalid.sum())} of {p.size} p-values are outside [0, 1], the first is "
            f"{p[invalid][0]}: pass p-values, not scores"
        )
    used = ~np.isnan(p)
    adjusted = np.full(p.shape, np.nan)
    if used.any():
        adjusted[used] = stats.false_discovery_control(p[used], method=method)
    return adjusted <= q, adjusted


def check_tail(tail: Literal["greater", "less", "two-sided"]) -> None:
    """Raise a ValueError unless ``tail`` is one of the three names."""
    if tail not in TAILS:
        raise ValueError(f"tail is {tail!r}, expected one of {', '.join(map(repr, TAILS))}")


def _check_null(
    observed: ArrayLike, null: ArrayLike, tail: Literal["greater", "less", "two-sided"]
) -> tuple[NDArray, NDArray, float]:
    """Return both as floating arrays and the relative difference of a tie, or raise a ValueError."""
    check_tail(tail)
    observed = as_real(observed, "observed")
    null = as_real(null, "null")
    if null.ndim != observed.ndim + 1 or null.shape[1:] != observed.shape:
        raise ValueError(
            f"null has shape {null.shape} and observed {observed.shape}, expected "
            f"(n_permutations, {', '.join(map(str, observed.shape))}): the same targets in both"
        )
    if len(null) < 1:
        raise ValueError("null has no permutation, expected 1 or more")
    lost = ~np.isnan(observed) & np.isnan(null.max(axis=0))
    if lost.any():
        first = tuple(int(i) for i in np.argwhere(lost)[0])
        raise ValueError(
            f"null holds NaN for {int(lost.sum())} target(s) whose observed score is a number, "
            f"the first at {first}: score both in the same way"
        )
    observed, null = (x if x.dtype.kind == "f" else x.astype(np.float64) for x in (observed, null))
    return observed, null, TIE * max(np.finfo(observed.dtype).eps, np.finfo(null.dtype).eps)
