import numpy as np
import pytest
from naturalistic.features.timing import METHODS, to_trs, tr_weights

TR = 2.0
TR_TIMES = np.arange(0, 300, TR)


def spoken_times(seed=0, rate=3.0, duration=300.0):
    """Word times with the irregularity of speech: gamma gaps, now and then a pause."""
    rng = np.random.default_rng(seed)
    gaps = rng.gamma(3, 1 / (3 * rate), int(duration * rate * 2)) + (rng.random(int(duration * rate * 2)) < 0.1)
    times = np.cumsum(gaps)
    return times[times < duration]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_lanczos_keeps_constants(dtype):
    times = spoken_times()
    on_trs = to_trs(np.full((len(times), 2), 7, dtype), times, TR_TIMES, TR)
    assert on_trs.dtype == dtype
    np.testing.assert_allclose(on_trs, 7, rtol=1e-6)


@pytest.mark.parametrize("period", [20, 30, 60, 150])
def test_lanczos_keeps_slow_sinusoids(period):
    times = spoken_times()
    on_trs = to_trs(np.sin(2 * np.pi * times / period)[:, None], times, TR_TIMES, TR)[:, 0]
    expected = np.sin(2 * np.pi * (TR_TIMES + TR / 2) / period)
    inside = slice(4, -4)  # the kernel needs three TRs on either side
    assert np.abs(on_trs - expected)[inside].max() < 0.06
    assert np.sqrt(np.mean((on_trs - expected)[inside] ** 2)) < 0.015


def test_lanczos_removes_what_the_trs_cannot_show():
    times = np.arange(0, 300, 0.1)
    fast = to_trs(np.sin(2 * np.pi * times / 1.3)[:, None], times, TR_TIMES, TR)
    assert np.abs(fast[4:-4]).max() < 0.02


def test_lanczos_equals_numerical_integration():
    times, values = spoken_times(1, 1.0, 60.0), None
    values = np.random.default_rng(1).standard_normal(len(times))
    fine = np.arange(-30, 90, 1e-3) + 5e-4
    line = np.interp(fine, times, values)
    for t in (0.0, 20.0, 40.0, 58.0):
        x = (fine - (t + TR / 2)) / TR
        kernel = np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)
        expected = (kernel * line).sum() / kernel.sum()
        assert to_trs(values[:, None], times, [t], TR)[0, 0] == pytest.approx(expected, abs=1e-4)


def test_lanczos_does_not_care_how_many_events_say_the_same():
    """A plain Lanczos sum would double where words come twice as fast."""
    slow, fast = np.arange(0, 150, 0.5), np.arange(150, 300, 0.1)
    times = np.concatenate([slow, fast])
    np.testing.assert_allclose(to_trs(np.ones((len(times), 1)), times, TR_TIMES, TR), 1)


@pytest.mark.parametrize("method", ["mean", "sum", "last"])
def test_simple_methods_equal_a_loop(method):
    times = spoken_times(2, 0.4)
    features = np.random.default_rng(0).standard_normal((len(times), 3))
    expected = np.zeros((len(TR_TIMES), 3))
    for n, t in enumerate(TR_TIMES):
        inside = features[(times >= t) & (times < t + TR)]
        if method == "last":
            inside = features[times < t + TR][-1:]
        if len(inside):
            expected[n] = inside.sum(0) if method == "sum" else inside.mean(0)
    np.testing.assert_allclose(to_trs(features, times, TR_TIMES, TR, method), expected, atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_nothing_leaks_between_runs(method):
    times, runs = spoken_times(), np.repeat([0, 1], len(TR_TIMES))
    both = {"event_runs": np.repeat([0, 1], len(times)), "runs": runs}
    features = np.random.default_rng(0).standard_normal((2 * len(times), 2))
    double = to_trs(features, np.tile(times, 2), np.tile(TR_TIMES, 2), TR, method, **both)
    np.testing.assert_allclose(double[runs == 0], to_trs(features[: len(times)], times, TR_TIMES, TR, method))
    np.testing.assert_allclose(double[runs == 1], to_trs(features[len(times) :], times, TR_TIMES, TR, method))


@pytest.mark.parametrize("method", METHODS)
def test_layers_share_weights_and_empty_is_zero(method):
    times = spoken_times()
    layers = np.random.default_rng(0).standard_normal((4, len(times), 3)).astype(np.float32)
    stack = to_trs(layers, times, TR_TIMES, TR, method)
    assert stack.shape == (4, len(TR_TIMES), 3) and stack.dtype == np.float32
    np.testing.assert_array_equal(stack[2], to_trs(layers[2], times, TR_TIMES, TR, method))
    assert not to_trs(np.zeros((0, 3)), [], TR_TIMES, TR, method).any()


def test_weights_are_sparse():
    times = spoken_times()
    assert tr_weights(times, TR_TIMES, TR).nnz / len(TR_TIMES) < 60


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"times": [0.0, 2.0, 1.0]}, "times must be finite and ascend inside a run; sample 2"),
        ({"times": [0.0, np.nan, 1.0]}, "times must be finite"),
        ({"times": [0.0, 1.0]}, "features has 3 events and times has 2"),
        ({"method": "linear"}, "method is 'linear', expected one of"),
        ({"tr": 0}, "tr is 0"),
        ({"runs": np.zeros(150)}, "both event_runs and runs, or neither"),
        ({"features": np.full((3, 2), "a")}, "features has type <U1, expected real numbers"),
        ({"features": np.zeros(3)}, r"features has shape \(3,\), expected \(n_events, n_features\)"),
        ({"event_runs": [0, 0, 5], "runs": np.zeros(150, int)}, r"runs without a TR: \[5\]"),
    ],
)
def test_bad_input(arguments, message):
    good = {"features": np.zeros((3, 2)), "times": [0.0, 1.0, 2.0], "tr_times": TR_TIMES, "tr": TR}
    with pytest.raises(ValueError, match=message):
        to_trs(**{**good, **arguments})
