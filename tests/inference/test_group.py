"""Group tests: against scipy and plain loops, and for the rates that they promise."""

from itertools import product

import numpy as np
import pytest
from naturalistic.inference import bootstrap_interval, sign_flip_over_subjects, t_test_over_subjects
from scipy import stats

TAILS = ("two-sided", "greater", "less")


def draws(n_subjects, n_targets, effect=0.0, seed=0):
    """Return (n_subjects, n_targets) of normal values with standard deviation 1 and mean ``effect``."""
    return np.random.default_rng(seed).standard_normal((n_subjects, n_targets)) + effect


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("dtype, tolerance", [(np.float32, 1e-5), (np.float64, 1e-12)])
def test_t_equals_scipy(tail, dtype, tolerance):
    values = draws(7, 12, 0.7).astype(dtype).reshape(7, 3, 4)
    result = t_test_over_subjects(values, 0.1, tail, 0.9)
    expected = stats.ttest_1samp(values.astype(float), 0.1, alternative=tail)
    np.testing.assert_allclose(result.statistic, expected.statistic, rtol=tolerance)
    np.testing.assert_allclose(result.p, expected.pvalue, rtol=1e-5)
    low, high = stats.ttest_1samp(values.astype(float), 0.1).confidence_interval(0.9)
    np.testing.assert_allclose([result.low, result.high], [low, high], rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(result.mean, values.mean(axis=0), rtol=tolerance)
    assert result.mean.dtype == result.low.dtype == result.statistic.dtype == dtype
    assert result.p.dtype == np.float64 and result.p.shape == (3, 4) and (result.n == 7).all()


def test_t_omits_or_propagates_nan():
    values = draws(8, 20, 0.5)
    values[np.random.default_rng(1).random((8, 20)) < 0.2] = np.nan
    values[1:, 0], values[:, 1] = np.nan, np.nan  # one subject, none
    result = t_test_over_subjects(values)
    assert result.n[0] <= 1 and result.n[1] == 0
    assert np.isnan(result.p[:2]).all() and np.isnan(result.mean[:2]).all()
    expected = stats.ttest_1samp(values[:, 2:], 0, nan_policy="omit")
    np.testing.assert_allclose(result.p[2:], expected.pvalue)
    np.testing.assert_allclose(result.low[2:], expected.confidence_interval().low)
    np.testing.assert_array_equal(result.n, np.sum(~np.isnan(values), axis=0))
    holed = np.isnan(values).any(axis=0)
    for test in (t_test_over_subjects, sign_flip_over_subjects):
        np.testing.assert_array_equal(np.isnan(test(values, nan="propagate").p), holed)
        np.testing.assert_array_equal(np.isnan(test(values, nan="propagate").low), holed)


def test_one_target_gives_scalars_and_equal_values_have_no_t():
    assert (
        np.shape(t_test_over_subjects([0.1, 0.2, 0.4]).p) == () == np.shape(sign_flip_over_subjects([0.1, 0.2, 0.4]).p)
    )
    result = t_test_over_subjects(np.full((5, 2), 0.1))
    assert np.isnan(result.p).all() and np.isnan(result.statistic).all()
    np.testing.assert_allclose([result.mean, result.low, result.high], 0.1)
    assert np.isnan(sign_flip_over_subjects(np.zeros((5, 2))).p).all()
    assert sign_flip_over_subjects(np.full((5, 1), 0.1), tail="greater").p == 1 / 32


def test_small_p_keeps_its_digits():
    values = draws(30, 1, 6)
    for tail, sign in (("greater", 1), ("less", -1), ("two-sided", 1)):
        expected = stats.ttest_1samp(sign * values, 0, alternative=tail).pvalue
        np.testing.assert_allclose(t_test_over_subjects(sign * values, tail=tail).p, expected, rtol=1e-6)
        assert 0 < expected[0] < 1e-17


@pytest.mark.parametrize("tail, orient", [("two-sided", np.abs), ("greater", np.positive), ("less", np.negative)])
def test_all_sign_flips_equal_a_plain_loop(tail, orient):
    values = draws(6, 9, 0.4)
    flips = np.array(list(product([1, -1], repeat=6)))
    expected = [np.mean([orient(f @ v) >= orient(v.sum()) - 1e-12 for f in flips]) for v in values.T]
    result = sign_flip_over_subjects(values, tail=tail)
    np.testing.assert_allclose(result.p, expected)
    assert result.p.min() >= 1 / 64
    unit = values / np.sqrt(np.sum(values**2, axis=0))
    np.testing.assert_allclose(result.statistic, unit.sum(axis=0))
    best = [orient(np.sum(f[:, None] * unit, axis=0)).max() for f in flips]
    together = [np.mean([b >= orient(u.sum()) - 1e-12 for b in best]) for u in unit.T]
    np.testing.assert_allclose(sign_flip_over_subjects(values, tail=tail, max_statistic=True).p, together)
    np.testing.assert_allclose(sign_flip_over_subjects(values + 3, tail=tail, popmean=3).p, expected)


def test_sign_flips_equal_scipy_and_random_ones_come_close():
    values = draws(10, 5, 0.5, seed=3)
    exact = stats.permutation_test(
        (values,),
        np.mean,
        permutation_type="samples",
        axis=0,
        vectorized=True,
        alternative="greater",
        n_resamples=np.inf,
    )
    result = sign_flip_over_subjects(values, tail="greater")
    np.testing.assert_allclose(result.p, exact.pvalue)
    drawn = sign_flip_over_subjects(values, 1023, "greater")  # one fewer than all: random, with the +1
    np.testing.assert_allclose(drawn.p, exact.pvalue, atol=4 * 0.5 / np.sqrt(1023))
    assert np.allclose(drawn.p * 1024, np.round(drawn.p * 1024)) and drawn.p.min() >= 1 / 1024
    np.testing.assert_array_equal(drawn.p, sign_flip_over_subjects(values, 1023, "greater").p)
    assert (drawn.p != sign_flip_over_subjects(values, 1023, "greater", seed=1).p).any()
    for field in ("mean", "low", "high"):
        np.testing.assert_array_equal(getattr(result, field), getattr(t_test_over_subjects(values), field))


def test_sign_flip_omits_nan():
    values = draws(9, 3, 0.6).astype(np.float32)
    values[[2, 5], 1] = np.nan
    result = sign_flip_over_subjects(values)
    assert result.n.tolist() == [9, 7, 9] and result.statistic.dtype == np.float32
    assert result.p[1] == pytest.approx(sign_flip_over_subjects(np.delete(values[:, 1], [2, 5])).p)


def test_blocks_do_not_change_the_flips(monkeypatch):
    values = draws(12, 40, 0.5)
    whole = [sign_flip_over_subjects(values, max_statistic=m).p for m in (False, True)]
    monkeypatch.setattr("naturalistic.arrays.BLOCK", 4096 * 7)
    for m in (False, True):
        np.testing.assert_array_equal(sign_flip_over_subjects(values, max_statistic=m).p, whole[m])


@pytest.mark.parametrize("test", [t_test_over_subjects, sign_flip_over_subjects])
@pytest.mark.parametrize("tail", TAILS)
def test_p_is_uniform_without_effect(test, tail):
    for n_subjects in (6, 27):
        arguments = {"n_permutations": 999} if test is sign_flip_over_subjects else {}
        p = test(draws(n_subjects, 4000, seed=n_subjects), tail=tail, **arguments).p
        level = 0.0625 if test is sign_flip_over_subjects and n_subjects == 6 else 0.05  # a share that 64 flips have
        assert np.mean(p <= level) == pytest.approx(level, abs=4 * 0.0036)
        assert np.mean(p <= 0.5) == pytest.approx(0.5, abs=0.03) and p.min() > 0


def test_the_largest_flip_controls_the_family():
    rng = np.random.default_rng(5)
    scale = np.geomspace(0.01, 100, 30)  # targets of any unit count alike
    families = (rng.standard_normal((8, 30)) * scale for _ in range(600))
    wrong = [(sign_flip_over_subjects(x, tail="greater", max_statistic=True).p <= 0.05).any() for x in families]
    assert np.mean(wrong) == pytest.approx(0.05, abs=4 * 0.009)
    effect = draws(12, 30) * scale
    effect[:, 7] += 2 * scale[7]
    found = sign_flip_over_subjects(effect, max_statistic=True).p <= 0.05
    assert np.flatnonzero(found).tolist() == [7]


def coverage(low, high, truth=0.3):
    return np.mean((low <= truth) & (truth <= high))


def test_intervals_cover():
    """Of 4000 intervals, 95 % hold the mean: Student's at any n; the bootstrap's only when n is not small."""
    for n_subjects in (5, 27):
        result = t_test_over_subjects(draws(n_subjects, 4000, 0.3, seed=n_subjects))
        assert coverage(result.low, result.high) == pytest.approx(0.95, abs=4 * 0.0035)
    many, few = draws(40, 1500, 0.3), draws(6, 1500, 0.3)
    assert coverage(*bootstrap_interval(many, 500, method="percentile")) == pytest.approx(0.94, abs=0.025)
    assert coverage(*bootstrap_interval(many[:, :400], 500)) == pytest.approx(0.94, abs=0.045)
    assert coverage(*bootstrap_interval(few, 500, method="percentile")) < 0.9  # as its docstring warns


@pytest.mark.parametrize("method", ["bca", "percentile"])
def test_bootstrap_equals_scipy_in_any_block(method, monkeypatch):
    values = draws(10, 12, 1).astype(np.float32).reshape(10, 3, 4)
    found = stats.bootstrap(
        (values.astype(float),),
        np.mean,
        axis=0,
        n_resamples=400,
        batch=100,
        method=method,
        rng=np.random.default_rng(0),
    )
    for block in (2**21, 400 * 5):
        monkeypatch.setattr("naturalistic.arrays.BLOCK", block)
        low, high = bootstrap_interval(values, 400, method=method)
        assert low.shape == (3, 4) and low.dtype == np.float32
        np.testing.assert_allclose([low, high], found.confidence_interval, rtol=1e-5)


def test_bootstrap_has_no_interval_without_spread():
    values = draws(8, 4)
    values[3, 0], values[:, 2] = np.nan, 0.1
    low, high = bootstrap_interval(values, 200)
    np.testing.assert_array_equal(np.isnan(low), [True, False, True, False])
    np.testing.assert_array_equal(np.isnan(high), np.isnan(low))


@pytest.mark.parametrize(
    "test, arguments, message",
    [
        (t_test_over_subjects, {"tail": "up"}, "tail is 'up', expected one of"),
        (t_test_over_subjects, {"nan": "raise"}, "nan is 'raise', expected 'omit' or 'propagate'"),
        (t_test_over_subjects, {"confidence": 95}, "confidence is 95, expected between 0 and 1"),
        (sign_flip_over_subjects, {"tail": "up"}, "tail is 'up'"),
        (sign_flip_over_subjects, {"n_permutations": 0}, "n_permutations is 0, expected a whole number of at least 1"),
        (bootstrap_interval, {"n_boot": 0}, "n_boot is 0"),
        (bootstrap_interval, {"method": "basic"}, "method is 'basic', expected"),
        (bootstrap_interval, {"confidence": 1}, "confidence is 1"),
    ],
)
def test_bad_settings(test, arguments, message):
    with pytest.raises(ValueError, match=message):
        test(draws(5, 2), **arguments)


@pytest.mark.parametrize("test", [t_test_over_subjects, sign_flip_over_subjects, bootstrap_interval])
@pytest.mark.parametrize(
    "values, message",
    [
        (np.zeros((1, 4)), r"values has shape \(1, 4\), expected .* two subjects or more"),
        (np.float64(3), r"values has shape \(\)"),
        (np.array([[1, np.inf], [0, 0]]), r"1 infinite value\(s\)"),
        (np.array([["a"], ["b"]]), "values has type <U1"),
    ],
)
def test_bad_values(test, values, message):
    with pytest.raises(ValueError, match=message):
        test(values)
