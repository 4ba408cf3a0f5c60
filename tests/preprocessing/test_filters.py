import numpy as np
import pytest
from naturalistic.preprocessing import cosine, high_pass, running_median, zscore
from nilearn.glm.first_level.design_matrix import create_cosine_drift

RUNS = np.repeat([0, 1], [200, 150])


def test_high_pass_keeps_fast_and_removes_slow():
    t = 2.0 * np.arange(362)
    slow, fast = np.sin(2 * np.pi * t / 400), np.sin(2 * np.pi * t / 30)
    filtered = high_pass(np.stack([slow, fast, 100 + slow + fast], 1).astype(np.float32), 2.0, 0.008)
    assert filtered.dtype == np.float32
    inside = slice(60, -60)
    assert np.abs(filtered[inside, 0]).max() < 0.05
    np.testing.assert_allclose(filtered[inside, 1:], np.stack([fast, fast], 1)[inside], atol=0.05)


@pytest.mark.parametrize("step", [
    lambda x, runs: high_pass(x, 2.0, 0.01, runs), zscore,
    lambda x, runs: running_median(x, 2.0, 60.0, runs), lambda x, runs: cosine(x, 2.0, 0.01, runs),
])  # fmt: skip
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
    with pytest.raises(ValueError, match=r"tr is 0\.0, expected|bold"):
        high_pass(bold, 0.0, cutoff)


def brute_median(bold, width, runs):
    """Subtract the median of ``width`` samples around each, the run mirrored at its ends: a loop."""
    filtered, half = np.empty_like(bold), width // 2
    for run in np.unique(runs):
        rows = np.flatnonzero(runs == run)
        n = len(rows)
        for t in range(n):
            around = np.arange(t - half, t + half + 1) % (2 * n)
            around = np.where(around >= n, 2 * n - 1 - around, around)
            filtered[rows[t]] = bold[rows[t]] - np.median(bold[rows[around]], axis=0)
    return filtered


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("window", "width"), [(6.0, 3), (10.0, 5), (9.9, 5), (240.0, 121), (1000.0, 501)])
def test_running_median_is_that_of_a_loop(dtype, window, width):
    bold = (np.random.default_rng(0).standard_normal((350, 5)).cumsum(axis=0) + 1000).astype(dtype)
    bold[:, 1] = np.round(bold[:, 1])  # ties
    filtered = running_median(bold, 2.0, window, RUNS)
    assert filtered.dtype == dtype
    np.testing.assert_array_equal(filtered, brute_median(bold, width, RUNS))


def test_running_median_over_blocks_of_voxels_and_subjects(monkeypatch):
    bold = np.random.default_rng(0).standard_normal((2, 350, 23)).astype(np.float32)
    bold[0, :, 4] = 7
    whole = running_median(bold, 1.5, 60, RUNS)
    assert not whole[0, :, 4].any()
    monkeypatch.setattr("naturalistic.preprocessing.filters.VOXELS", 4)
    np.testing.assert_array_equal(running_median(bold[1], 1.5, 60, RUNS), whole[1])


def test_running_median_takes_drift_and_leaves_responses():
    t = 1.5 * np.arange(400)
    drift, response = 3 * np.cos(np.pi * t / 600), np.sin(2 * np.pi * t / 30)
    filtered = running_median((500 + drift + response)[:, None], 1.5)[:, 0]
    assert np.abs(filtered - response)[80:-80].max() < 0.25
    assert np.corrcoef(filtered, response)[0, 1] > 0.9


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("level", [0.1, 1000.3, 12345.678])
@pytest.mark.parametrize("step", [
    lambda x: high_pass(x, 2.0, 0.01, RUNS), lambda x: running_median(x, 2.0, 60.0, RUNS),
    lambda x: cosine(x, 2.0, 0.01, RUNS),
])  # fmt: skip
def test_a_constant_voxel_has_no_signal_after_any_filter(step, level, dtype):
    """What rounding leaves of it, a z-score would bring to sd 1; constant in one run alone counts there alone."""
    bold = np.full((350, 2), level, dtype)
    bold[RUNS == 1, 1] += np.random.default_rng(0).standard_normal(150).astype(dtype)
    filtered = step(bold)
    assert filtered.dtype == dtype and not filtered[:, 0].any() and not filtered[RUNS == 0].any()
    scaled = zscore(filtered, RUNS)
    assert not scaled[RUNS == 0].any() and scaled[RUNS == 1, 1].std() == pytest.approx(1, abs=1e-3)


def test_cosine_is_the_regression_on_nilearns_drifts():
    bold = (np.random.default_rng(0).standard_normal((350, 4)).cumsum(axis=0) + 5000).astype(np.float32)
    bold[:, 2] = 5000
    filtered = cosine(bold, 2.0, 1 / 128, RUNS)
    assert filtered.dtype == np.float32 and not filtered[:, 2].any()
    for run in (0, 1):
        own = bold[run == RUNS].astype(float)
        drifts = create_cosine_drift(1 / 128, 2.0 * np.arange(len(own)))
        left = own - drifts @ np.linalg.lstsq(drifts, own, rcond=None)[0]
        np.testing.assert_allclose(filtered[run == RUNS], left, atol=1e-4)
    np.testing.assert_array_equal(cosine(np.stack([bold] * 2), 2.0, 1 / 128, RUNS)[1], filtered)


@pytest.mark.parametrize("step", [running_median, cosine])
@pytest.mark.parametrize(
    ("bold", "options", "message"),
    [
        (np.zeros((350, 2), int), {}, "bold is int64"),
        (np.full((350, 2), np.nan), {}, "700 values that are NaN or infinite, the first at TR 0, voxel 0"),
        (np.zeros((350, 2)), dict(tr=0.0), "tr is 0.0, expected a number of s above 0"),
        (np.zeros((350, 2)), dict(tr=np.nan), "tr is nan"),
        (np.zeros((350, 2)), dict(runs=np.zeros(5)), r"runs has shape \(5,\)"),
    ],
)
def test_bad_input_of_the_drift_filters(step, bold, options, message):
    with pytest.raises(ValueError, match=message):
        step(bold, **{"tr": 2.0, **options})


def test_bad_windows_and_cutoffs():
    bold = np.zeros((350, 2))
    with pytest.raises(ValueError, match="window is 3 s, expected at least 2 TRs of 2 s"):
        running_median(bold, 2.0, 3.0)
    with pytest.raises(ValueError, match="window is inf"):
        running_median(bold, 2.0, np.inf)
    with pytest.raises(ValueError, match=r"less than 0\.25"):
        cosine(bold, 2.0, 0.3)
    with pytest.raises(ValueError, match="has one TR"):
        cosine(bold[:1], 2.0)
