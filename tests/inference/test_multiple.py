"""p-values and their correction: against plain loops, and for the error rates that they promise."""

import numpy as np
import pytest
from naturalistic.inference import fdr, max_statistic, p_values
from scipy import stats

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_p_values_equal_a_plain_loop(dtype):
    observed, null = RNG.standard_normal(30).astype(dtype), RNG.standard_normal((99, 30)).astype(dtype)
    greater = [(sum(n >= o for n in column) + 1) / 100 for o, column in zip(observed, null.T)]
    less = [(sum(n <= o for n in column) + 1) / 100 for o, column in zip(observed, null.T)]
    np.testing.assert_allclose(p_values(observed, null), greater)
    np.testing.assert_allclose(p_values(observed, null, "less"), less)
    two = p_values(observed, null, "two-sided")
    np.testing.assert_allclose(two, np.minimum(1, 2 * np.minimum(greater, less)))
    assert two.dtype == np.float64
    assert p_values(observed[0], null[:, 0]) == greater[0]
    square = p_values(observed.reshape(5, 6), null.reshape(99, 5, 6))
    np.testing.assert_allclose(square.ravel(), greater)


def test_p_is_never_zero_and_ties_count_against():
    null = np.zeros((19, 3))
    np.testing.assert_allclose(p_values([1.0, 0.0, -1.0], null), [0.05, 1, 1])
    np.testing.assert_allclose(p_values([1.0, 0.0, -1.0], null, "two-sided"), [0.1, 1, 0.1])
    assert p_values(0.1 + 0.2, np.full(19, 0.3)) == 1  # equal up to rounding
    assert p_values(np.float32(0.1), np.full(19, 0.1)) == 1
    assert p_values(0.1, np.full(19, 0.1, dtype=np.float32)) == 1
    assert p_values(0.3 + 1e-9, np.full(19, 0.3)) == 0.05


def test_two_sided_p_of_a_null_off_zero():
    null = np.random.default_rng(1).standard_normal((999, 1)) + 5
    assert p_values([5.0], null, "two-sided") > 0.9 and p_values([0.0], null, "two-sided") == 0.002


def test_a_nan_score_has_no_p():
    observed, null = RNG.standard_normal(4), RNG.standard_normal((9, 4))
    observed[2], null[:, 2] = np.nan, np.nan
    for f in (p_values, max_statistic):
        p = f(observed, null)
        assert np.flatnonzero(np.isnan(p)).tolist() == [2]
        np.testing.assert_array_equal(np.delete(p, 2), f(np.delete(observed, 2), np.delete(null, 2, axis=1)))
    assert np.isnan(max_statistic([np.nan], np.full((9, 1), np.nan))).all()


@pytest.mark.parametrize("tail, orient", [("greater", np.positive), ("less", np.negative), ("two-sided", np.abs)])
def test_max_statistic_equals_a_plain_loop(tail, orient):
    observed, null = 2 * RNG.standard_normal(30), RNG.standard_normal((99, 30))
    expected = [(sum(max(orient(row)) >= orient(o) for row in null) + 1) / 100 for o in observed]
    p = max_statistic(observed, null, tail)
    np.testing.assert_allclose(p, expected)
    assert (p >= p_values(observed, null, tail) - 1e-12).all() or tail == "two-sided"
    np.testing.assert_array_equal(max_statistic(null.max(axis=0).max() * np.ones(30), null), 0.02)  # a tie


@pytest.mark.slow
@pytest.mark.parametrize("shared", [0.0, 0.9])
def test_max_statistic_controls_the_family(shared):
    """In 600 families of 50 targets without effect, alone or correlated, about 5 % have a false positive."""
    rng, wrong = np.random.default_rng(1), 0
    for _ in range(600):
        common, own = rng.standard_normal((200, 1)), rng.standard_normal((200, 50))
        scores = np.sqrt(shared) * common + np.sqrt(1 - shared) * own
        wrong += (max_statistic(scores[0], scores[1:]) <= 0.05).any()
    assert wrong / 600 == pytest.approx(0.05, abs=4 * 0.009)


def brute_force_bh(p, q):
    order = np.argsort(p)
    passed = [k for k in range(len(p)) if p[order[k]] <= q * (k + 1) / len(p)]
    reject = np.zeros(len(p), dtype=bool)
    reject[order[: max(passed, default=-1) + 1]] = True
    return reject


@pytest.mark.parametrize("q", [0.01, 0.05, 0.2])
def test_fdr_equals_a_plain_loop(q):
    rng = np.random.default_rng(2)
    for n in (1, 2, 10, 300):
        p = np.where(rng.random(n) < 0.3, rng.random(n) ** 6, rng.random(n))
        reject, adjusted = fdr(p, q)
        np.testing.assert_array_equal(reject, brute_force_bh(p, q))
        np.testing.assert_array_equal(reject, adjusted <= q)
        by, _ = fdr(p, q, "by")
        np.testing.assert_array_equal(by, brute_force_bh(p, q / np.sum(1 / np.arange(1, n + 1))))


def test_fdr_of_any_shape_leaves_nan_out():
    p = RNG.random((4, 5, 6)) ** 4
    whole = fdr(p)
    holed = np.concatenate([p.ravel(), [np.nan] * 30]).reshape(5, 5, 6)  # the NaN do not count as tests
    for flat, part in zip(whole, fdr(holed)):
        assert part.shape == (5, 5, 6)
        np.testing.assert_array_equal(part.ravel()[:120], flat.ravel())
    assert not fdr(holed)[0][4].any() and np.isnan(fdr(holed)[1][4]).all()
    assert fdr(np.full(3, np.nan))[0].sum() == 0 and fdr([])[0].shape == (0,)
    assert fdr(np.float32(p))[1].dtype == np.float64
    assert fdr(0.01)[0]


def test_fdr_holds_its_rate_and_finds_the_effect():
    rng, share, found = np.random.default_rng(3), [], []
    for _ in range(300):
        z = rng.standard_normal(500)
        z[:100] += 3
        reject, _ = fdr(stats.norm.sf(z), 0.1)
        share.append(reject[100:].sum() / max(reject.sum(), 1))
        found.append(reject[:100].mean())
    assert np.mean(share) == pytest.approx(0.1 * 400 / 500, abs=4 * np.std(share) / np.sqrt(300))
    assert np.mean(found) > 0.75


@pytest.mark.slow
def test_fdr_without_effect_is_the_family_rate():
    rng = np.random.default_rng(4)
    wrong = np.mean([fdr(rng.random(200), 0.05)[0].any() for _ in range(1000)])
    assert wrong == pytest.approx(0.05, abs=4 * 0.007)


NULL = np.zeros((9, 3))


@pytest.mark.parametrize("f", [p_values, max_statistic])
@pytest.mark.parametrize(
    "observed, null, tail, message",
    [
        (np.zeros(4), NULL, "greater", r"null has shape \(9, 3\) and observed \(4,\), expected \(n_perm\w+, 4\)"),
        (np.zeros(3), NULL[0], "greater", r"null has shape \(3,\)"),
        (np.zeros(3), NULL[:0], "greater", "null has no permutation"),
        (np.zeros(3), NULL, "both", "tail is 'both', expected one of 'greater', 'less', 'two-sided'"),
        (np.zeros(3), NULL * [1, np.nan, 1], "less", r"NaN for 1 target\(s\) .* the first at \(1,\)"),
    ],
)
def test_bad_nulls(f, observed, null, tail, message):
    with pytest.raises(ValueError, match=message):
        f(observed, null, tail)


@pytest.mark.parametrize(
    "p, q, method, message",
    [
        ([0.1, 1.2, -1], 0.05, "bh", r"2 of 3 p-values are outside \[0, 1\], the first is 1.2"),
        ([0.1], 0, "bh", "q is 0, expected between 0 and 1"),
        ([0.1], 1, "bh", "q is 1"),
        ([0.1], 0.05, "holm", "method is 'holm', expected 'bh' or 'by'"),
    ],
)
def test_bad_p(p, q, method, message):
    with pytest.raises(ValueError, match=message):
        fdr(p, q, method)
