import numpy as np
import pytest

from naturalistic.preprocessing import high_pass, zscore

RUNS = np.repeat([0, 1], [200, 150])


def test_high_pass_keeps_fast_and_removes_slow():
    t = 2.0 * np.arange(362)
    slow, fast = np.sin(2 * np.pi * t / 400), np.sin(2 * np.pi * t / 30)
    filtered = high_pass(np.stack([slow, fast, 100 + slow + fast], 1).astype(np.float32), 2.0, 0.008)
    assert filtered.dtype == np.float32
    inside = slice(60, -60)
    assert np.abs(filtered[inside, 0]).max() < 0.05
    np.testing.assert_allclose(filtered[inside, 1:], np.stack([fast, fast], 1)[inside], atol=0.05)


@pytest.mark.parametrize("step", [lambda x, runs: high_pass(x, 2.0, 0.01, runs), zscore])
def test_runs_do_not_touch_each_other(step):
    bold = np.random.default_rng(0).standard_normal((350, 4))
    before = step(bold, RUNS)
    changed = bold.copy()
    changed[RUNS == 1] = 5 * changed[RUNS == 1] + 3
    np.testing.assert_array_equal(step(changed, RUNS)[RUNS == 0], before[RUNS == 0])


def test_zscore_and_constant_voxels():
    bold = np.random.default_rng(0).standard_normal((350, 3)).astype(np.float32) * 5 + 1000
    bold[:, 1] = 1234.567
    scaled = zscore(bold, RUNS)
    assert scaled.dtype == np.float32
    assert not scaled[:, 1].any()
    for run in (0, 1):
        np.testing.assert_allclose(scaled[RUNS == run][:, [0, 2]].mean(0), 0, atol=1e-4)
        np.testing.assert_allclose(scaled[RUNS == run][:, [0, 2]].std(0), 1, rtol=1e-4)


@pytest.mark.parametrize(
    ("bold", "cutoff", "message"),
    [
        (np.zeros((350, 2), int), 0.01, "bold is int64"),
        (np.full((350, 2), np.nan), 0.01, "700 values that are NaN or infinite, the first at TR 0, voxel 0"),
        (np.zeros((350, 2)), 0.3, "less than 0.25"),
        (np.zeros((350, 2)), 0.0, "more than 0"),
        (np.zeros((10, 2)), 0.01, "too few for a filter of order 5"),
    ],
)
def test_bad_input(bold, cutoff, message):
    with pytest.raises(ValueError, match=message):
        high_pass(bold, 2.0, cutoff)
