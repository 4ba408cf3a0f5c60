r"""Prevalence of an effect in the population, from the number of significant subjects.

With few subjects who were each measured for long, whether the mean over subjects differs from zero says little; each
subject is a test of its own, repeated n times (Ince, Paton, Kay & Schyns 2021, eLife 10:e62461). A person with the
effect is significant with probability b, the sensitivity, and one without it with probability alpha; so with a share
:math:`\gamma` of people who have it, each subject is significant with probability
:math:`\theta = \alpha + (b - \alpha) \gamma`, and k of n by a binomial distribution of it.

Subjects are taken as independent. Those who share a stimulus are so for that stimulus only: a prediction that happens
to fit the film is significant in all of them. So the share is of people *who see this film*; whether there is an effect
at all is for `inference.shared_stimulus_test` to say.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from naturalistic.arrays import ShapeRepr, as_real
from naturalistic.inference.group import check_confidence


@dataclass(frozen=True, repr=False)
class Prevalence(ShapeRepr):
    """Share of people who have an effect; each field has the shape of the counts.

    Attributes
    ----------
    estimate : array
        Most probable share (maximum of the posterior).
    low : array
        The share is above this with probability ``confidence`` (a quantile of the posterior: one-sided, and not the
        end of a highest-density interval). It is above 0 even if no subject is significant, as the prior gives
        nothing to exactly 0: hold it against a share that matters, such as a half.
    """

    estimate: np.ndarray
    low: np.ndarray


def prevalence(
    n_significant: ArrayLike,
    n_subjects: ArrayLike,
    alpha: float = 0.05,
    *,
    sensitivity: float = 1.0,
    confidence: float = 0.95,
) -> Prevalence:
    """Return the prevalence of an effect, under a uniform prior.

    Parameters
    ----------
    n_significant : int array (...)
        Subjects with p at or below ``alpha``, such as one count a voxel.
    n_subjects : int or int array (...)
        Subjects who count there.
    alpha : float
        False positive rate of the test in one subject. p-values must hold it: those corrected over voxels (FDR) do
        not have this rate, so count uncorrected ones.
    sensitivity : float
        Probability that a person with the effect is significant. With 1 the estimate is the share of people in whom
        this experiment would find it, which is at most the share who have it.
    confidence : float
        Of the lower bound.

    Returns
    -------
    prevalence : Prevalence
        float64; NaN where no subject counts.

    Raises
    ------
    ValueError
        If counts are no whole numbers, negative or larger than the subjects, or a probability is not valid.
    """
    k, n = _check_counts(n_significant, n_subjects)
    _check_rates(alpha, sensitivity)
    check_confidence(confidence)
    estimate = np.clip((k / np.where(n > 0, n, np.nan) - alpha) / (sensitivity - alpha), 0, 1)
    theta = _quantile(k, n, alpha, sensitivity, 1 - confidence)
    low = np.clip((theta - alpha) / (sensitivity - alpha), 0, 1)
    # with thousands of subjects, next to none of them significant, the posterior is a spike that floats cannot hold
    low = np.where(_mass(k, n, alpha, sensitivity) > 0, low, estimate)
    return Prevalence(estimate[()], np.where(n > 0, low, np.nan)[()])


def _mass(k: NDArray, n: NDArray, alpha: float, sensitivity: float) -> NDArray:
    """Return how much of Beta(k + 1, n - k + 1) lies from ``alpha`` to ``sensitivity``."""
    a = k + 1
    b = n - k + 1
    below = special.betainc(a, b, sensitivity) - special.betainc(a, b, alpha)
    above = special.betaincc(a, b, alpha) - special.betaincc(a, b, sensitivity)
    return np.where(k > n * (alpha + sensitivity) / 2, below, above)  # from the tail that is small, where it is exact


def _quantile(k: NDArray, n: NDArray, alpha: float, sensitivity: float, q: float) -> NDArray:
    """Return the quantile of theta, which is Beta(k + 1, n - k + 1) cut off at ``alpha`` and ``sensitivity``."""
    a = k + 1
    b = n - k + 1
    mass = _mass(k, n, alpha, sensitivity)
    from_below = special.betaincinv(a, b, np.clip(special.betainc(a, b, alpha) + q * mass, 0, 1))
    from_above = special.betainccinv(a, b, np.clip(special.betaincc(a, b, alpha) - q * mass, 0, 1))
    return np.where(k > n * (alpha + sensitivity) / 2, from_below, from_above)


def _check_counts(n_significant: ArrayLike, n_subjects: ArrayLike) -> tuple[NDArray, NDArray]:
    """Return both counts as float arrays of one shape."""
    counts = as_real(n_significant, "n_significant"), as_real(n_subjects, "n_subjects")
    for x, name in zip(counts, ("n_significant", "n_subjects")):
        if not (np.isfinite(x) & (x >= 0) & (x == np.floor(x))).all():
            raise ValueError(f"{name} holds values that are no counts, expected whole numbers of subjects, 0 or more")
    if counts[1].shape not in ((), counts[0].shape):
        raise ValueError(
            f"n_significant has shape {counts[0].shape} and n_subjects {counts[1].shape}, expected one number of "
            "subjects, or one for each count"
        )
    k, n = np.broadcast_arrays(*counts)
    if (k > n).any():
        raise ValueError(f"n_significant is up to {int((k - n).max())} above n_subjects, expected at most all of them")
    return k.astype(np.float64), n.astype(np.float64)


def _check_rates(alpha: float, sensitivity: float) -> None:
    """Raise a ValueError unless a test with these rates tells people with the effect from those without."""
    if not 0 < alpha < sensitivity <= 1:
        raise ValueError(
            f"alpha is {alpha} and sensitivity {sensitivity}, expected 0 < alpha < sensitivity <= 1: a test that is "
            "significant more often with the effect than without it"
        )
