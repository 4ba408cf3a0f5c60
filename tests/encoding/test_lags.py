"""A stimulus on a wrong clock is noticed."""

import warnings

import numpy as np
import pytest
from naturalistic import encoding

TR = 2.0
RUNS = np.repeat([0, 1, 2], [150, 140, 160])


def response_to(feature, peak, rng, n_voxels=1, noise=2.0):
    """A response that peaks so many seconds after the feature, inside each run, in noise."""
    bold = noise * rng.standard_normal((len(feature), n_voxels))
    kernel = np.exp(-0.5 * ((TR * np.arange(-3, 15) - peak) / 2.0) ** 2)
    for run in np.unique(RUNS):
        inside = RUNS == run
        follows = np.convolve(feature[inside], kernel)[3 : 3 + inside.sum()]
        bold[inside, : max(n_voxels // 2, 1)] += follows[:, None]
    return bold.astype(np.float32)


@pytest.mark.parametrize("n_voxels", [1, 30])
def test_the_lag_of_a_response_is_found(n_voxels):
    rng = np.random.default_rng(0)
    feature = rng.standard_normal(len(RUNS))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        profile = encoding.lag_profile(feature, response_to(feature, 6.0, rng, n_voxels), TR, RUNS)
    assert profile.peak == 6.0 and profile.is_expected
    assert profile.by_run.shape == (3, len(profile.lags)) and profile.lags[0] == -10 and profile.lags[-1] == 20
    np.testing.assert_allclose(profile.mean, profile.by_run.mean(axis=0))


def test_a_stimulus_that_begins_late_is_warned_of():
    """Eight seconds: what two runs of a film share."""
    rng = np.random.default_rng(1)
    feature = rng.standard_normal(len(RUNS))
    with pytest.warns(UserWarning, match="best after -2 s, expected 3 to 8 s: are the onsets of the stimulus right"):
        profile = encoding.lag_profile(feature, response_to(feature, -2.0, rng), TR, RUNS)
    assert not profile.is_expected


def test_runs_do_not_touch():
    """Whatever a neighbor holds, a run's profile is that of the run alone."""
    rng = np.random.default_rng(2)
    feature = rng.standard_normal(len(RUNS))
    bold = response_to(feature, 5.0, rng)
    both = encoding.lag_profile(feature, bold, TR, RUNS)
    for k, run in enumerate(np.unique(RUNS)):
        inside = run == RUNS
        alone = encoding.lag_profile(feature[inside], bold[inside], TR, expected=(-100, 100))
        np.testing.assert_allclose(alone.by_run[0], both.by_run[k], atol=1e-6)


def test_drift_that_both_have_is_no_response():
    rng = np.random.default_rng(3)
    drift = np.sin(2 * np.pi * np.arange(len(RUNS)) / 140)
    feature = rng.standard_normal(len(RUNS))
    bold = response_to(feature, 6.0, rng) + 20 * drift[:, None].astype(np.float32)
    profile = encoding.lag_profile(feature + 20 * drift, bold, TR, RUNS)
    assert profile.peak == 6.0 and profile.mean[0] < 0.2


def test_a_constant_voxel_has_no_correlation():
    rng = np.random.default_rng(4)
    feature = rng.standard_normal(len(RUNS))
    bold = np.hstack([response_to(feature, 6.0, rng), np.full((len(RUNS), 1), 3.0, np.float32)])
    assert np.isfinite(encoding.lag_profile(feature, bold, TR, RUNS).by_run).all()


def test_trs_that_are_left_out_have_no_say():
    """The start of each run is of another film: no value of its response counts, and its feature only comes before."""
    rng = np.random.default_rng(6)
    feature = rng.standard_normal(len(RUNS))
    bold = response_to(feature, 6.0, rng)
    position = np.concatenate([np.arange(np.sum(run == RUNS)) for run in np.unique(RUNS)])
    keep = position >= 12
    kept = encoding.lag_profile(feature, bold, TR, RUNS, keep=keep, cutoff=1e-6)
    spoiled = bold.copy()
    spoiled[~keep] += 50 * rng.standard_normal((np.sum(~keep), 1)).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        all_trs = encoding.lag_profile(feature, spoiled, TR, RUNS, cutoff=1e-6)
    assert all_trs.mean.max() < 0.5 * kept.mean.max()
    np.testing.assert_allclose(
        encoding.lag_profile(feature, spoiled, TR, RUNS, keep=keep, cutoff=1e-6).by_run, kept.by_run, atol=0.02
    )
    inside = (RUNS == 1) & keep
    late = np.flatnonzero(inside) - 3  # 6 s; what came before the first kept TR is there
    expected = np.corrcoef(feature[late], bold[inside, 0])[0, 1]
    assert kept.by_run[1, kept.lags.tolist().index(6.0)] == pytest.approx(expected, abs=0.01)


def test_a_profile_is_a_table():
    rng = np.random.default_rng(7)
    feature = rng.standard_normal(len(RUNS))
    profile = encoding.lag_profile(feature, response_to(feature, 6.0, rng), TR, RUNS)
    frame = profile.to_frame(["a", "b", "c"])
    assert frame.columns.tolist() == ["run", "lag", "r"] and len(frame) == profile.by_run.size
    row = frame[(frame["run"] == "b") & (frame["lag"] == 6.0)]
    assert row["r"].item() == profile.by_run[1, profile.lags.tolist().index(6.0)]
    with pytest.raises(ValueError, match="runs has 2 names, expected 3"):
        profile.to_frame(["a", "b"])


def test_arguments_without_sense_are_refused():
    feature = np.random.default_rng(5).standard_normal(len(RUNS))
    bold = np.zeros((len(RUNS), 2), np.float32)
    with pytest.raises(ValueError, match=r"lags are \[3\] s, expected multiples of the repetition time, 2 s"):
        encoding.lag_profile(feature, bold, TR, RUNS, lags=[3])
    with pytest.raises(ValueError, match="expected one value for each TR"):
        encoding.lag_profile(feature[1:], bold, TR, RUNS)
    with pytest.raises(ValueError, match="feature does not change in a run"):
        encoding.lag_profile(np.where(RUNS == 1, 0.0, feature), bold, TR, RUNS)
    with pytest.raises(ValueError, match=r"keep is int64 of shape \(450,\), expected one bool for each of 450 TRs"):
        encoding.lag_profile(feature, bold, TR, RUNS, keep=np.ones(len(RUNS), int))
    with pytest.raises(ValueError, match=r"keep leaves 0 TR\(s\) of the run at TRs 150 to 289 at a lag of 10 TRs"):
        encoding.lag_profile(feature, bold, TR, RUNS, keep=RUNS != 1)
