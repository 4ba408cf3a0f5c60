"""Ceilings: simulated signal and noise are found again, and the edges are NaN rather than nonsense."""

import numpy as np
import pytest
from naturalistic import encoding, inference
from naturalistic.inference import (
    explainable_variance,
    leave_one_out_correlation,
    leave_one_out_interval,
    leave_one_out_null,
    noise_ceiling,
    normalize,
    p_values,
)
from naturalistic.models import scoring
from scipy import stats
from scipy.signal import lfilter

RUNS = np.repeat([0, 1, 2], [150, 100, 250])


def responses(n, signal, seed=0, n_trs=500, n_voxels=400):
    """Return (n, n_trs, n_voxels) of variance 1, of which ``signal`` is shared; and the signal."""
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal((n_trs, n_voxels), dtype=np.float32)
    noise = rng.standard_normal((n, n_trs, n_voxels), dtype=np.float32)
    return np.float32(np.sqrt(signal)) * shared + np.float32(np.sqrt(1 - signal)) * noise, shared


def zscore(x, runs):
    return np.concatenate([stats.zscore(x[runs == k], axis=0) for k in np.unique(runs)])


def test_leave_one_out_equals_a_plain_loop():
    bold, _ = responses(4, 0.3, n_voxels=5)
    bold = np.float32(bold * 3 + 100 * RUNS[:, None])  # another level in each run must not count
    r = leave_one_out_correlation(bold, RUNS)
    z = np.stack([zscore(subject.astype(float), RUNS) for subject in bold])
    for s in range(4):
        others = np.delete(z, s, axis=0).mean(axis=0)
        expected = [stats.pearsonr(z[s, :, v], others[:, v]).statistic for v in range(5)]
        np.testing.assert_allclose(r[s], expected, atol=1e-6)
    assert r.dtype == np.float32 and r.shape == (4, 5)


@pytest.mark.parametrize("n, signal", [(2, 0.2), (6, 0.1), (6, 0.5), (27, 0.05)])
def test_leave_one_out_has_its_expected_value(n, signal):
    bold, _ = responses(n, signal)
    expected = signal / np.sqrt(signal + (1 - signal) / (n - 1))  # S + N = 1
    assert leave_one_out_correlation(bold, RUNS).mean() == pytest.approx(expected, abs=0.006)


def test_leave_one_out_leaves_out_what_does_not_vary():
    bold, _ = responses(5, 0.4, n_voxels=6)
    bold[1] = 0  # a subject that was lost
    bold[2, RUNS == 1, 3] = 7.1  # a voxel outside of one subject's field of view in one run
    bold[:, :, 5] = 0.1  # a voxel that is nowhere
    r = leave_one_out_correlation(bold, RUNS)
    assert np.isnan(r[1]).all() and np.isnan(r[:, 5]).all() and np.isnan(r[2, 3]) and np.isnan(r).sum() == 11
    z = np.stack([zscore(bold[s, :, 3].astype(float), RUNS) for s in (3, 4)] + [np.zeros(500)])
    z[2, RUNS != 1] = np.concatenate([stats.zscore(bold[2, RUNS == k, 3].astype(float)) for k in (0, 2)])
    others = np.where(RUNS == 1, z.sum(axis=0) / 2, z.sum(axis=0) / 3)  # a mean over who is there
    own = zscore(bold[0, :, 3].astype(float), RUNS)
    assert r[0, 3] == pytest.approx(stats.pearsonr(own, others).statistic, abs=1e-6)
    without = leave_one_out_correlation(np.delete(bold, 1, axis=0), RUNS)
    np.testing.assert_allclose(np.delete(r, 1, axis=0), without, atol=1e-6)
    alone = np.zeros((3, 500, 1), dtype=np.float32)
    alone[0, :, 0] = bold[0, :, 0]
    assert np.isnan(leave_one_out_correlation(alone)).all()


@pytest.mark.parametrize("n", [2, 4, 10])
@pytest.mark.parametrize("signal", [0, 0.1, 0.5, 0.9])
def test_explainable_variance_finds_the_simulated_share(n, signal):
    repeats, _ = responses(n, signal, seed=n)
    ev = explainable_variance(repeats, RUNS)
    assert ev.dtype == np.float32 and ev.mean() == pytest.approx(signal, abs=0.006)
    raw = explainable_variance(repeats, RUNS, correct_bias=False)
    assert raw.mean() == pytest.approx(signal + (1 - signal) / n, abs=0.006)  # 1 / n where there is none


def test_explainable_variance_is_the_mean_correlation_between_repeats():
    repeats, _ = responses(4, 0.3, n_voxels=7)
    pairs = [scoring.correlation(repeats[i], repeats[j]) for i in range(4) for j in range(i)]
    np.testing.assert_allclose(explainable_variance(repeats), np.mean(pairs, axis=0), atol=1e-6)


def test_level_and_gain_of_a_run_are_no_signal():
    repeats, _ = responses(3, 0.0)
    shifted = 1000 + repeats * (1 + RUNS[:, None]) + 50 * RUNS[:, None]
    np.testing.assert_allclose(explainable_variance(shifted, RUNS), explainable_variance(repeats, RUNS), atol=1e-5)
    assert explainable_variance(shifted).mean() > 0.9  # without runs, the level passes for signal


@pytest.mark.slow
def test_the_interval_of_the_mean_of_what_is_shared_covers_it():
    """Each subject is in the others' means: Student's interval of the n correlations is too narrow, the jackknife's
    not.

    Measured over 2,000 voxels, 27 subjects: nothing shared, Student misses 0 in 16 %, the jackknife in .6 %; mean
    correlation .24 and .55: 10 and 6 % against 3 and 4 %.
    """
    rng, missed = np.random.default_rng(0), {"jackknife": [], "student": []}
    for _ in range(8):
        noise = rng.standard_normal((27, 200, 100))
        interval = leave_one_out_interval(noise)
        r = leave_one_out_correlation(noise)
        np.testing.assert_allclose(interval.mean, r.mean(axis=0), atol=1e-12)
        student = inference.t_test_over_subjects(r)
        for name, found in (("jackknife", interval), ("student", student)):
            missed[name].append(np.mean((found.low > 0) | (found.high < 0)))
    assert np.mean(missed["jackknife"]) < 0.05 and np.mean(missed["student"]) > 0.1
    signal, estimates, intervals = rng.standard_normal((200, 50)), [], []
    for _ in range(20):
        found = leave_one_out_interval(0.5 * signal + rng.standard_normal((12, 200, 50)))
        estimates.append(found.mean)
        intervals.append(found)
    truth = np.mean(estimates, axis=0)
    share = np.mean([(i.low > truth) | (i.high < truth) for i in intervals])
    assert truth.mean() > 0.3 and 0.005 < share < 0.06  # neither too narrow nor so wide that it says nothing


def test_the_interval_of_a_single_voxel_leaves_out_who_does_not_vary():
    bold, _ = responses(6, 0.4, n_voxels=3)
    bold[2, RUNS == 1, 1] = 7.1
    whole = leave_one_out_interval(bold, RUNS)
    assert whole.mean.dtype == np.float32 and np.isfinite([whole.mean, whole.low, whole.high]).all()
    r = leave_one_out_correlation(bold, RUNS)
    np.testing.assert_allclose(whole.mean, np.nanmean(r, axis=0), atol=1e-6)
    bold[1:5, :, 2] = 0.3  # two are left
    two = leave_one_out_interval(bold, RUNS)
    assert np.isfinite(two.mean[2]) and np.isnan([two.low[2], two.high[2]]).all()
    assert np.isnan(leave_one_out_interval(bold[:2, :, :1], RUNS).low).all()


@pytest.mark.slow
def test_shifted_apart_nothing_is_shared_and_p_is_uniform():
    rng, p = np.random.default_rng(1), []
    for _ in range(10):
        noise = signal_filter(rng.standard_normal((8, 250, 100)))
        p.append(p_values(leave_one_out_correlation(noise).mean(axis=0), leave_one_out_null(noise, None, 199, rng)))
    assert np.mean(np.concatenate(p) <= 0.05) == pytest.approx(0.05, abs=0.025)
    bold, _ = responses(8, 0.2, n_voxels=20)
    bold[3, :, 4] = 0
    found = leave_one_out_null(bold, RUNS, 99)
    assert found.shape == (99, 20) and found.dtype == np.float32
    assert p_values(np.nanmean(leave_one_out_correlation(bold, RUNS), axis=0), found).max() == 0.01


def signal_filter(x):
    """Return first-order autoregressive noise (n_subjects, n_trs, n_voxels) made of white noise, phi .7."""
    return lfilter([1], [1, -0.7], x, axis=1)[:, 50:]


def test_a_floor_on_the_ceiling_is_no_guard_and_reliability_is():
    """Where nothing repeats, the ceiling is above .1 in half of the voxels: why `normalize` asks for a test."""
    noise = np.random.default_rng(2).standard_normal((4, 300, 2000)).astype(np.float32)
    ceiling = noise_ceiling(noise, 4)
    assert np.mean(ceiling > 0.1) > 0.4
    reliable = encoding.reliable_voxels(noise, n_permutations=200)
    share = normalize(np.full(2000, 0.05), ceiling, reliable)
    assert np.mean(np.isfinite(share)) < 0.01


@pytest.mark.parametrize("n_averaged", [1, 2, 8])
def test_a_perfect_model_reaches_the_ceiling(n_averaged):
    repeats, signal = responses(8, 0.3, n_trs=2000, n_voxels=200)
    ceiling = noise_ceiling(repeats, n_averaged, np.zeros(2000))
    averaged = repeats[:n_averaged].mean(axis=0)
    reached = scoring.correlation(averaged, signal)
    assert ceiling.dtype == np.float32
    assert np.abs(ceiling - reached).max() < 0.08
    assert (ceiling - reached).mean() == pytest.approx(0, abs=0.005)
    assert normalize(reached, ceiling, np.ones(200, bool)).mean() == pytest.approx(1, abs=0.01)
    expected = np.sqrt(0.3 / (0.3 + 0.7 / n_averaged))
    assert ceiling.mean() == pytest.approx(expected, abs=0.01)


def test_normalised_variance_divides_by_the_reliability():
    """The model explains half of what can be: that is (r / ceiling)^2, and not r^2 / ceiling."""
    repeats, signal = responses(6, 0.4, n_trs=4000, n_voxels=100)
    rng = np.random.default_rng(5)
    model = signal + rng.standard_normal(signal.shape, dtype=np.float32)
    r, ceiling = scoring.correlation(repeats[0], model), noise_ceiling(repeats)
    assert (normalize(r, ceiling, np.ones(100, bool)) ** 2).mean() == pytest.approx(0.5, abs=0.01)
    assert (r**2 / ceiling).mean() == pytest.approx(0.5 * np.sqrt(0.4), abs=0.02)  # the misreading


def test_ceilings_of_given_values():
    ev = np.array([-0.2, 0, 0.25, 1, np.nan], dtype=np.float32)
    np.testing.assert_allclose(noise_ceiling(ev), [0, 0, 0.5, 1, np.nan])
    np.testing.assert_allclose(noise_ceiling(ev, 3), np.sqrt([0, 0, 0.5, 1, np.nan]), rtol=1e-6)
    assert noise_ceiling(ev, np.int64(3)).dtype == np.float32
    marks = np.array([True, True, True, False, True])
    share = normalize(np.float32([[0.2, 0.2, -0.1, 1, 1]]), noise_ceiling(ev), marks)
    np.testing.assert_allclose(share, [[np.nan, np.nan, -0.2, np.nan, np.nan]], rtol=1e-6)
    assert share.dtype == np.float32


def test_a_constant_repeat_gives_nan():
    repeats, _ = responses(3, 0.5, n_voxels=4)
    repeats[1, RUNS == 2, 2] = 1 / 3
    for f in (explainable_variance, noise_ceiling):
        assert np.flatnonzero(np.isnan(f(repeats, runs=RUNS))).tolist() == [2]
    assert np.isnan(normalize(np.ones(4), noise_ceiling(repeats, runs=RUNS), np.ones(4, bool))[2])


def test_runs_are_apart():
    repeats, _ = responses(3, 0.3, n_voxels=8)
    order = np.concatenate([np.flatnonzero(RUNS == k) for k in (2, 0, 1)])
    for f in (explainable_variance, leave_one_out_correlation):
        np.testing.assert_allclose(f(repeats, RUNS), f(repeats[:, order], RUNS[order]), atol=1e-6)
        one = repeats[:, RUNS == 0]
        np.testing.assert_allclose(f(np.concatenate([one, one], axis=1), np.repeat([0, 1], 150)), f(one), atol=1e-6)


GOOD = np.random.default_rng(0).standard_normal((3, 20, 2))
HOLED = GOOD.copy()
HOLED[1, 4, 0] = np.nan


@pytest.mark.parametrize("f", [leave_one_out_correlation, explainable_variance])
@pytest.mark.parametrize(
    "X, runs, message",
    [
        (GOOD[0], None, r"shape \(20, 2\), expected \(n_\w+, n_trs, n_voxels\)"),
        (GOOD[:1], None, r"has 1 \w+, expected 2 or more"),
        (GOOD, np.zeros(19), r"runs has shape \(19,\), expected \(20,\)"),
        (GOOD, [0] * 19 + [1], r"shortest run of \w+ has 1 sample"),
        (HOLED, None, r"1 value\(s\) that are NaN or infinite, the first at index \(1, 4, 0\)"),
    ],
)
def test_bad_series(f, X, runs, message):
    with pytest.raises(ValueError, match=message):
        f(X, runs)


@pytest.mark.parametrize(
    "f, arguments, message",
    [
        (noise_ceiling, (GOOD[0],), "add a last axis"),
        (noise_ceiling, ([0.5], 0), "n_averaged is 0, expected a whole number of at least 1"),
        (noise_ceiling, ([1.5],), "reaches 1.5, expected a share of at most 1"),
        (normalize, (np.zeros(3), np.ones(4), np.ones(4, bool)), r"r has shape \(3,\) and ceiling \(4,\)"),
        (normalize, (np.zeros(3), np.ones(3), np.ones(3)), r"reliable is float64 of shape \(3,\), expected bool"),
        (leave_one_out_interval, (GOOD, None, 95), "confidence is 95, expected between 0 and 1"),
        (leave_one_out_null, (GOOD, None, 0), "n_permutations is 0, expected a whole number"),
    ],
)
def test_bad_ceilings(f, arguments, message):
    with pytest.raises(ValueError, match=message):
        f(*arguments)


def test_every_public_name_is_there():
    assert all(callable(getattr(inference, name)) for name in inference.__all__)
