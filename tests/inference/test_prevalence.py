"""Prevalence over subjects: against the posterior on a grid, and how often its bound holds."""

import numpy as np
import pytest
from naturalistic.inference.prevalence import prevalence

GRID = np.linspace(0, 1, 200_001)


def on_grid(k, n, alpha, b, confidence):
    """Return the maximum and the lower bound of the posterior, summed by trapezia over the binomial likelihood."""
    theta = alpha + (b - alpha) * GRID
    with np.errstate(divide="ignore"):
        log = np.where(k, k * np.log(theta), 0) + (np.where(n - k, (n - k) * np.log1p(-theta), 0) if n > k else 0)
    likelihood = np.exp(log - log.max())
    below = np.concatenate([[0], np.cumsum(likelihood[1:] + likelihood[:-1])])
    return GRID[likelihood.argmax()], np.interp(1 - confidence, below / below[-1], GRID)


@pytest.mark.parametrize("alpha, b, confidence", [(0.05, 1, 0.95), (0.05, 0.8, 0.95), (0.01, 1, 0.5), (0.2, 0.6, 0.99)])
def test_estimate_and_bound_are_those_of_the_posterior_on_a_grid(alpha, b, confidence):
    n = np.repeat([1, 2, 6, 20, 300], 7)
    k = np.round(n * np.tile([0, 0.04, 0.1, 0.35, 0.7, 0.96, 1], 5)).astype(int)
    found = prevalence(k, n, alpha, sensitivity=b, confidence=confidence)
    expected = np.array([on_grid(*pair, alpha, b, confidence) for pair in zip(k, n)]).T
    np.testing.assert_allclose(found.estimate, expected[0], atol=1e-5)
    np.testing.assert_allclose(found.low, expected[1], atol=1e-5)
    assert np.all((found.low > 0) & (found.low < 1))


def test_known_numbers():
    """17 of 50 at .05: (.34 - .05) / .95 = .305; all of 6: the bound solves theta^7 = .05 nearly, .652 of theta."""
    assert prevalence(17, 50).estimate == pytest.approx(0.29 / 0.95)
    assert prevalence(6, 6).estimate == 1
    assert prevalence(6, 6).low == pytest.approx((0.05 ** (1 / 7) - 0.05) / 0.95, abs=1e-6)
    assert prevalence(0, 6).estimate == 0 and prevalence(0, 6).low < 0.01


@pytest.mark.slow
def test_the_bound_holds_as_often_as_it_says():
    """People drawn from the prior, subjects from them: the share lies above the bound in 95 of 100 experiments."""
    rng = np.random.default_rng(0)
    for n, alpha in ((6, 0.05), (6, 0.01), (25, 0.05)):
        share = rng.uniform(size=40_000)
        has = rng.uniform(size=(n, len(share))) < share
        k = np.sum(has | (rng.uniform(size=has.shape) < alpha), axis=0)
        held = np.mean(share >= prevalence(k, n, alpha).low)
        assert held == pytest.approx(0.95, abs=4 * np.sqrt(0.05 * 0.95 / len(share)))


def test_more_subjects_bring_the_bound_to_the_share():
    rng = np.random.default_rng(1)
    for share in (0.2, 0.7):
        k = rng.binomial(20_000, 0.05 + 0.95 * share)
        found = prevalence(k, 20_000)
        assert found.estimate == pytest.approx(share, abs=0.015) and share - 0.02 < found.low < found.estimate
    tails = prevalence(np.array([0, 2000]), 2000)  # tails too small to be subtracted from 1
    # theta^2001 = .05 for all, and (1 - theta)^2001 = .95 * .95^2001 for none
    expected = [1 - 0.95 ** (2002 / 2001), 0.05 ** (1 / 2001)]
    np.testing.assert_allclose(tails.low, (np.array(expected) - 0.05) / 0.95, rtol=1e-6)
    spike = prevalence(0, 50_000)
    assert spike.low == spike.estimate == 0


def test_counts_of_any_shape_and_nobody():
    k, n = np.array([[0, 3, 0], [6, 2, 0]]), np.array([[6, 6, 0], [6, 5, 0]])
    found = prevalence(k, n)
    assert found.estimate.shape == found.low.shape == (2, 3) and found.low.dtype == np.float64
    assert np.isnan(found.estimate[:, 2]).all() and np.isnan(found.low[:, 2]).all()
    assert found.low[1, 1] == prevalence(2, 5).low and np.isfinite(found.low[:, :2]).all()


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((7, 6), "n_significant is up to 1 above n_subjects, expected at most all"),
        ((-1, 6), "n_significant holds values that are no counts"),
        ((0.5, 6), "n_significant holds values that are no counts, expected whole numbers of subjects"),
        ((np.array([1, np.nan]), 6), "n_significant holds values that are no counts"),
        ((1, np.inf), "n_subjects holds values that are no counts"),
        (([1, 2], [6, 6, 6]), r"n_significant has shape \(2,\) and n_subjects \(3,\), expected one number"),
        (("3", 6), "n_significant has type"),
        ((3, 6, 0), "alpha is 0 and sensitivity 1.0, expected 0 < alpha < sensitivity <= 1"),
        ((3, 6, 1.0), "alpha is 1.0 and sensitivity"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        prevalence(*arguments)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"sensitivity": 0.05}, "alpha is 0.05 and sensitivity 0.05"),
        ({"sensitivity": 2}, "alpha is 0.05 and sensitivity 2, expected"),
        ({"confidence": 1}, "confidence is 1, expected between 0 and 1"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        prevalence(3, 6, **options)
