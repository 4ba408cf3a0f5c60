"""Group statistics: scores of subjects who share a stimulus, and intervals over subjects for one stimulus.

Values are one number a subject and target (a score, or the difference of two), subjects first.

People who saw or heard the same are not independent of each other: they share its response, so a prediction that
happens to fit it fits all of them. Two questions must be kept apart.

- Is there anything at all? `shared_stimulus_test` holds the mean over subjects against the mean under the same circular
  shifts for all. Measured on six simulated subjects who share a response (leave-one-out correlation .4) and a
  prediction that knows nothing of it: p <= .05 in 4.6 to 5 %.
- Would other people show it *with this very stimulus*? `t_test_over_subjects`, `sign_flip_over_subjects` and
  `bootstrap_interval` say so, since subjects are drawn and the stimulus is not. They do not say that the effect is more
  than chance: on the same data they have p <= .05 in 7 to 18 %, and after correction for many targets they find
  something in 17 to 75 % of maps in which nothing is.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from naturalistic.arrays import ShapeRepr, as_real, column_blocks, float_type
from naturalistic.inference.multiple import check_tail, max_statistic, p_values
from naturalistic.parameters import Seed, check_seed, whole


@dataclass(frozen=True, repr=False)
class SharedStimulusResult(ShapeRepr):
    """Mean over subjects and its p under the same shifts for all.

    Each field has the shape of one subject's scores.

    Attributes
    ----------
    mean : array
        Over subjects; NaN where none counts.
    p : array
        ``(b + 1) / (m + 1)``, float64.
    p_family : array
        The same corrected for all targets by the best of them in each permutation (family-wise).
    n : int array
        Subjects that count.
    """

    mean: np.ndarray
    p: np.ndarray
    p_family: np.ndarray
    n: np.ndarray


@dataclass(frozen=True, repr=False)
class GroupResult(ShapeRepr):
    """Result of a group test; each field has the shape of one subject's values.

    Attributes
    ----------
    mean : array
        Over subjects.
    low, high : array
        Two-sided confidence interval of the mean, by Student's t.
    statistic : array
    p : array
        float64.
    n : int array
        Subjects that count.
    """

    mean: NDArray
    low: NDArray
    high: NDArray
    statistic: NDArray
    p: NDArray
    n: NDArray


def shared_stimulus_test(
    scores: ArrayLike, null: ArrayLike, *, tail: Literal["greater", "less", "two-sided"] = "greater", least: int = 1
) -> SharedStimulusResult:
    """Test a mean over subjects who share a stimulus against a circular-shift null.

    For two models, pass the differences of their scores and of their nulls: then the null hypothesis is that neither
    predicts more than the other by anything but chance.

    Parameters
    ----------
    scores : array (n_subjects, ...)
        One score a subject and target, such as the mean r of a region; NaN leaves out that subject for that target.
    null : array (n_permutations, n_subjects, ...)
        Scores under circular shifts, in each permutation the same for all subjects (`circular_shift_null` with the same
        runs and seed).
    tail : {"greater", "less", "two-sided"}
    least : int
        Subjects that must count for a target; NaN where fewer do.

    Returns
    -------
    result : SharedStimulusResult

    Raises
    ------
    ValueError
        If shapes do not fit, a subject has a score and no null, or an option is not valid.
    """
    scores = as_real(scores, "scores")
    null = as_real(null, "null")
    if scores.ndim < 1 or null.ndim != scores.ndim + 1 or null.shape[1:] != scores.shape:
        raise ValueError(
            f"scores has shape {scores.shape} and null {null.shape}, expected (n_subjects, ...) and (n_permutations, "
            "n_subjects, ...): the same subjects and targets in both"
        )
    used = ~np.isnan(scores)
    lost = used & np.isnan(null).any(axis=0)
    if lost.any():
        first = tuple(int(k) for k in np.argwhere(lost)[0])
        raise ValueError(
            f"null holds NaN for {int(lost.sum())} score(s) that are numbers, the first at {first}: score both alike"
        )
    n = used.sum(axis=0)
    sums = (np.sum(x, axis=-scores.ndim, where=used, dtype=np.float64) for x in (scores, null))
    mean, null_mean = (x / np.where(n >= max(least, 1), n, np.nan) for x in sums)
    return shared_stimulus_p(mean, null_mean, n, tail=tail)


def shared_stimulus_p(
    mean: ArrayLike, null_mean: ArrayLike, n: ArrayLike, *, tail: Literal["greater", "less", "two-sided"] = "greater"
) -> SharedStimulusResult:
    """Return the shared-stimulus test of means over subjects.

    For means that are computed already, such as maps added up one by one.

    Parameters
    ----------
    mean : array (...)
        NaN where too few subjects count.
    null_mean : array (n_permutations, ...)
    n : int array (...)
        Subjects that count.
    tail : {"greater", "less", "two-sided"}

    Returns
    -------
    result : SharedStimulusResult
    """
    return SharedStimulusResult(mean, p_values(mean, null_mean, tail), max_statistic(mean, null_mean, tail), n)


def t_test_over_subjects(
    values: ArrayLike,
    popmean: float = 0,
    tail: Literal["two-sided", "greater", "less"] = "two-sided",
    confidence: float = 0.95,
    nan: Literal["omit", "propagate"] = "omit",
) -> GroupResult:
    """Return a one-sample t-test over subjects, with its confidence interval.

    Answers for other people and the same stimulus; for whether there is an effect see `shared_stimulus_test`.

    Parameters
    ----------
    values : array (n_subjects, ...)
        One value a subject and target; for a paired test, the differences.
    popmean : float
        Mean under the null hypothesis.
    tail : {"two-sided", "greater", "less"}
        Direction of the test; the interval is two-sided in any case.
    confidence : float
        Of the interval.
    nan : {"omit", "propagate"}
        Whether a NaN leaves out that subject for that target, or makes the target NaN.

    Returns
    -------
    result : GroupResult
        NaN where fewer than two subjects count; statistic and p also where all values are equal.

    Raises
    ------
    ValueError
        If there are fewer than two subjects, a value is infinite, or a name or ``confidence`` is not valid.
    """
    values, x, used = _check(values, nan)
    check_tail(tail)
    n, mean, low, high, error = mean_interval(x, used, confidence)
    equal = np.min(x, axis=0, where=used, initial=np.inf) == np.max(x, axis=0, where=used, initial=-np.inf)
    t = (mean - popmean) / np.where(equal, np.nan, error)
    above, below = (special.stdtr(np.maximum(n - 1, 1), side * t) for side in (-1, 1))
    p = {"greater": above, "less": below, "two-sided": 2 * np.minimum(above, below)}[tail]
    return _result(values, mean, low, high, t, p, n)


def sign_flip_over_subjects(
    values: ArrayLike,
    n_permutations: int = 10000,
    tail: Literal["greater", "less", "two-sided"] = "two-sided",
    seed: Seed = 0,
    max_statistic: bool = False,
    popmean: float = 0,
    confidence: float = 0.95,
    nan: Literal["omit", "propagate"] = "omit",
) -> GroupResult:
    """Return a permutation test over subjects that flips the signs of their values.

    Answers for other people and the same stimulus; for whether there is an effect see `shared_stimulus_test`.
    Needs no normal distribution, only that a subject's value is as likely to be ``popmean + d`` as ``popmean
    - d`` under the null hypothesis. All 2^n flips are used when they are no more than ``n_permutations``;
    then p is the exact share of flips, the observed one included (2^-n at the least: 0.016 for six subjects).
    Otherwise p is ``(b + 1) / (m + 1)`` over m random flips.

    Parameters
    ----------
    values, tail, popmean, confidence, nan
        As for `t_test_over_subjects`; the interval is Student's.
    n_permutations : int
        Largest number of flips.
    seed : int or numpy.random.Generator
        Draws the flips when they are not all used.
    max_statistic : bool
        Whether p is corrected for all targets, by the largest statistic over targets in each flip.

    Returns
    -------
    result : GroupResult
        ``statistic`` is the sum of ``values - popmean`` over its standard deviation under flips, the root of
        the sum of squares: comparable between targets. It and p are NaN where that is 0.

    Raises
    ------
    ValueError
        As for `t_test_over_subjects`, or if ``n_permutations`` is below 1.
    """
    values, x, used = _check(values, nan)
    check_tail(tail)
    n_permutations = whole("n_permutations", n_permutations)
    seed = check_seed(seed)
    n, mean, low, high, _ = mean_interval(x, used, confidence)
    x = np.where(used, x - popmean, 0)
    length = np.sqrt(np.sum(x**2, axis=0))
    defined = (n >= 2) & (length > 0)
    statistic, p = np.full((2, len(n)), np.nan)
    unit = x[:, defined] / length[defined]
    statistic[defined] = unit.sum(axis=0)
    signs, added = _signs(len(x), n_permutations, seed)
    p[defined] = (_count_flips(unit, signs, tail, max_statistic) + added) / (len(signs) + added)
    return _result(values, mean, low, high, statistic, p, n)


def bootstrap_interval(
    values: ArrayLike,
    n_boot: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
    method: Literal["bca", "percentile"] = "bca",
) -> tuple[NDArray, NDArray]:
    """Return a bootstrap confidence interval of the mean over subjects.

    Answers for other units of the kind that is drawn (people and the same stimulus; clips and the same people).
    Every target sees the same resampled subjects. With fewer than about ten subjects it is too narrow (the
    spread of a small sample is too small): `t_test_over_subjects` gives the better interval there.

    Parameters
    ----------
    values : array (n_subjects, ...)
        One value a subject and target.
    n_boot : int
        Resamples.
    confidence : float
    seed : int
    method : {"bca", "percentile"}
        Corrected for bias and skew (Efron 1987), or plain percentiles, which is many times faster.

    Returns
    -------
    low, high : array (...)
        NaN where a subject's value is NaN, or where all are equal.

    Raises
    ------
    ValueError
        If there are fewer than two subjects, a value is infinite, or an argument is not valid.
    """
    values, x, _ = _check(values, "propagate")
    check_confidence(confidence)
    n_boot = whole("n_boot", n_boot)
    seed = check_seed(seed)
    if method not in ("bca", "percentile"):
        raise ValueError(f"method is {method!r}, expected 'bca' or 'percentile'")
    bounds = np.full((2, x.shape[1]), np.nan)
    usable = np.flatnonzero(np.ptp(x, axis=0) > 0)  # False for NaN
    for block in column_blocks(n_boot, len(usable)):  # the same seed in each block: the same subjects
        result = stats.bootstrap(
            (x[:, usable[block]],),
            np.mean,
            axis=0,
            n_resamples=n_boot,
            batch=100,
            confidence_level=confidence,
            method=method,
            rng=np.random.default_rng(seed),
        )
        bounds[:, usable[block]] = result.confidence_interval
    low, high = bounds.astype(float_type(values)).reshape(2, *values.shape[1:])
    return low[()], high[()]


def _check(values: ArrayLike, nan: Literal["omit", "propagate"]) -> tuple[NDArray, NDArray, NDArray]:
    """Return values, the same as (n_subjects, n_targets) of float64, and which of those count."""
    values = as_real(values, "values", "subject")
    if nan not in ("omit", "propagate"):
        raise ValueError(f"nan is {nan!r}, expected 'omit' or 'propagate'")
    if values.ndim < 1 or len(values) < 2:
        raise ValueError(
            f"values has shape {values.shape}, expected (n_subjects, ...) with two subjects "
            "or more: a group test needs their spread"
        )
    if np.isinf(values).any():
        raise ValueError(
            f"values holds {int(np.isinf(values).sum())} infinite value(s), expected numbers or "
            "NaN: repair those, or mark them as NaN"
        )
    x = values.reshape(len(values), -1).astype(np.float64)
    used = ~np.isnan(x)
    return values, x, used if nan == "omit" else used & used.all(axis=0)


def check_confidence(confidence: float) -> None:
    """Raise a ValueError unless ``confidence`` is between 0 and 1."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}, expected between 0 and 1, for example 0.95")


def mean_interval(x: NDArray, used: NDArray, confidence: float) -> tuple[NDArray, NDArray, NDArray, NDArray, NDArray]:
    """Return n, mean, interval (low, high; Student's t) and standard error.

    Parameters
    ----------
    x : array (n_subjects, n_targets)
    used : bool array (n_subjects, n_targets)
    confidence : float
    """
    check_confidence(confidence)
    count = used.sum(axis=0)
    n = np.where(count >= 2, count, np.nan)
    mean = np.sum(x, axis=0, where=used) / n
    error = np.sqrt(np.sum((x - mean) ** 2, axis=0, where=used) / (n - 1) / n)
    half = special.stdtrit(n - 1, (1 + confidence) / 2) * error
    return count, mean, mean - half, mean + half, error


def _signs(n_subjects: int, n_permutations: int, seed: Seed) -> tuple[NDArray, int]:
    """Return rows of signs, and what to add to both counts: 0 if the rows are all there are, 1 if random."""
    if n_subjects < 63 and 2**n_subjects <= n_permutations:
        return 1.0 - 2 * (np.arange(2**n_subjects)[:, None] >> np.arange(n_subjects) & 1), 0
    return np.random.default_rng(seed).choice([-1.0, 1.0], size=(n_permutations, n_subjects)), 1


def _count_flips(
    unit: NDArray, signs: NDArray, tail: Literal["greater", "less", "two-sided"], together: bool
) -> NDArray:
    """Return how many flips are at least as extreme as each observed sum, by target or by the best one."""
    unit = -unit if tail == "less" else unit
    size = np.abs if tail == "two-sided" else np.positive
    observed = size(unit.sum(axis=0)) - 1e-12  # equal up to rounding is a tie, and counts
    count = np.zeros(unit.shape[1], dtype=int)
    best = np.full(len(signs), -np.inf)
    for block in column_blocks(len(signs), unit.shape[1]):
        flipped = size(signs @ unit[:, block])
        best = np.maximum(best, flipped.max(axis=1))
        count[block] = np.sum(flipped >= observed[block], axis=0)
    return len(best) - np.searchsorted(np.sort(best), observed) if together else count


def _result(
    values: NDArray, mean: NDArray, low: NDArray, high: NDArray, statistic: NDArray, p: NDArray, n: NDArray
) -> GroupResult:
    """Return a GroupResult in the shape of one subject's values."""
    shape = values.shape[1:]
    dtype = float_type(values)
    floats = (x.astype(dtype).reshape(shape)[()] for x in (mean, low, high, statistic))
    return GroupResult(*floats, p.reshape(shape)[()], n.reshape(shape)[()])
