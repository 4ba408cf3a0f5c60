import numpy as np
import pytest
from naturalistic.encoding.design import design
from naturalistic.features import delays

RUNS = np.repeat([0, 1, 2], [12, 9, 15])


def brute_force_shift(features, n, runs):
    out = np.zeros_like(features)
    for t in range(len(features)):
        if 0 <= t - n < len(features) and runs[t - n] == runs[t]:
            out[t] = features[t - n]
    return out


@pytest.mark.parametrize("n", [-5, -1, 0, 1, 8])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shift_equals_a_loop(n, dtype):
    features = np.random.default_rng(0).standard_normal((36, 3)).astype(dtype)
    shifted = delays.shift(features, n, RUNS)
    assert shifted.dtype == dtype
    np.testing.assert_array_equal(shifted, brute_force_shift(features, n, RUNS))


def test_fir_stacks_delay_by_delay():
    features = np.random.default_rng(0).standard_normal((36, 3)).astype(np.float32)
    stacked = delays.fir(features, [2, 4, 8], tr=2.0, runs=RUNS)
    assert stacked.shape == (36, 9) and stacked.dtype == np.float32
    for d, n in enumerate([1, 2, 4]):
        np.testing.assert_array_equal(stacked[:, 3 * d : 3 * d + 3], brute_force_shift(features, n, RUNS))


def test_shift_average_is_the_mean_of_the_copies():
    features = np.random.default_rng(0).standard_normal((36, 3)).astype(np.float32)
    average = delays.shift_average(features, [3, 4.5, 6], tr=1.5, runs=RUNS)
    assert average.dtype == np.float32
    expected = np.mean([brute_force_shift(features, n, RUNS) for n in (2, 3, 4)], axis=0)
    np.testing.assert_allclose(average, expected, rtol=1e-6)


@pytest.mark.parametrize("function", [delays.fir, delays.shift_average])
def test_nothing_crosses_or_wraps(function):
    features = np.random.default_rng(0).standard_normal((36, 3))
    before = function(features, [-2, 0, 2, 6], 2.0, RUNS)
    changed = features.copy()
    changed[RUNS == 1] += 100
    moved = (function(changed, [-2, 0, 2, 6], 2.0, RUNS) != before).any(axis=1)
    assert moved[RUNS == 1].all() and not moved[RUNS != 1].any()
    only_end = np.zeros((36, 1))
    only_end[[11, 20, 35]] = 1  # last TR of each run: a positive delay has nowhere to put it
    assert not function(only_end, [2, 6], 2.0, RUNS).any()


@pytest.mark.parametrize(
    ("wanted", "tr", "message"),
    [
        ([2, 3], 2.0, r"delays \[3.0\] s are not multiples of the TR of 2.0 s; the nearest that are: \[2.0, 4.0\]"),
        ([], 2.0, "expected one or more finite numbers"),
        ([np.nan], 2.0, "expected one or more finite numbers"),
        ([2, 2], 2.0, "one delay twice"),
        ([2], 0, "tr is 0"),
        ([18], 2.0, r"a delay of 9 TRs is as long as the run at samples 12 to 20 \(9 TRs\)"),
        ([-18], 2.0, "a delay of 9 TRs"),
    ],
)
def test_bad_delays(wanted, tr, message):
    with pytest.raises(ValueError, match=message):
        delays.fir(np.zeros((36, 2)), wanted, tr, RUNS)


def test_bad_features():
    with pytest.raises(ValueError, match=r"expected \(n_trs, n_features\)"):
        delays.fir(np.zeros(36), [2], 2.0)
    with pytest.raises(ValueError, match="features has type <U1, expected real numbers"):
        delays.fir(np.full((36, 2), "a"), [2], 2.0)
    with pytest.raises(ValueError, match="one run id for each sample"):
        delays.fir(np.zeros((35, 2)), [2], 2.0, RUNS)


def test_a_group_of_delays_is_one_copy():
    features = np.random.default_rng(0).standard_normal((36, 3)).astype(np.float32)
    both = delays.delayed(features, [2, (4, 6), [8, 10]], 2.0, RUNS)
    assert both.dtype == np.float32
    alone = [delays.shift_average(features, group, 2.0, RUNS) for group in ([2], [4, 6], [8, 10])]
    np.testing.assert_array_equal(both, np.concatenate(alone, axis=1))
    np.testing.assert_array_equal(delays.delayed(features, [2, 4], 2.0, RUNS), delays.fir(features, [2, 4], 2.0, RUNS))
    np.testing.assert_array_equal(delays.delayed(features, 2, 2.0, RUNS), delays.fir(features, [2], 2.0, RUNS))
    for wrong in ([], [2, (2,)], [(2, 4), (2, 4)]):
        with pytest.raises(ValueError, match="none of them twice"):
            delays.delayed(features, wrong, 2.0, RUNS)
    with pytest.raises(ValueError, match="one delay twice"):
        delays.delayed(features, [(2, 2)], 2.0, RUNS)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_design_scales_features_of_any_baseline(dtype):
    baseline = np.array([0, 0.1, -2000, 1e4])
    features = (baseline + np.random.default_rng(0).standard_normal((4000, 4))).astype(dtype)
    constant = np.full((4000, 1), 0.1, dtype)
    X = design({"a": features, "constant": constant}, [0.0], 1.0, train=slice(0, 3000))
    assert X.dtype == dtype and not X[:, 4].any()
    np.testing.assert_allclose(X[:3000, :4].mean(axis=0, dtype=np.float64), 0, atol=1e-3)
    np.testing.assert_allclose(X[:3000, :4].std(axis=0, dtype=np.float64), 1, atol=1e-3)
