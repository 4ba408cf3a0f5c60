"""Scores against scipy, scikit-learn and plain loops, and at the edges where sums lose their digits."""

import numpy as np
import pytest
from naturalistic import arrays
from naturalistic.models.scoring import correlation, correlation_matrix, r2
from scipy import stats
from sklearn.metrics import r2_score

TOLERANCE = {np.float32: 1e-6, np.float64: 1e-13}


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    Y = rng.standard_normal((120, 30))
    return Y, 0.5 * Y + rng.standard_normal((120, 30)) + 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_scipy_and_sklearn(pair, dtype):
    Y, Y_hat = (x.astype(dtype) for x in pair)
    r, R2, matrix = correlation(Y, Y_hat), r2(Y, Y_hat), correlation_matrix(Y, Y_hat)
    assert r.dtype == R2.dtype == matrix.dtype == dtype
    assert r.shape == R2.shape == (30,) and matrix.shape == (30, 30)
    wide = [x.astype(float) for x in (Y, Y_hat)]
    expected = [stats.pearsonr(a, b).statistic for a, b in zip(wide[0].T, wide[1].T)]
    np.testing.assert_allclose(r, expected, atol=TOLERANCE[dtype])
    np.testing.assert_allclose(R2, r2_score(*wide, multioutput="raw_values"), atol=2 * TOLERANCE[dtype])
    np.testing.assert_allclose(matrix, np.corrcoef(wide[0].T, wide[1].T)[:30, 30:], atol=TOLERANCE[dtype])
    np.testing.assert_allclose(np.diag(matrix), r, atol=TOLERANCE[dtype])


def test_one_target_gives_a_scalar(pair):
    y, y_hat = pair[0][:, 0], pair[1][:, 0]
    for score in (correlation, r2):
        assert np.shape(score(y, y_hat)) == ()
        assert score(y, y_hat) == pytest.approx(score(y[:, None], y_hat[:, None])[0])
        assert score(np.zeros((9, 0)), np.zeros((9, 0))).shape == (0,)


def test_types_mix_and_integers_and_lists_score_in_float64(pair):
    Y, Y_hat = pair
    assert correlation(Y.astype(np.float32), Y_hat).dtype == np.float64
    assert correlation([1, 2, 3], [2, 4, 6]) == pytest.approx(1)
    assert correlation(np.array([0, 1, 1]), np.array([True, False, False])) == pytest.approx(-1)
    assert correlation(Y.astype(np.float16), Y_hat.astype(np.float16)).dtype == np.float32


def test_blocks_do_not_change_the_scores(pair, monkeypatch):
    whole = [f(*pair) for f in (correlation, r2, correlation_matrix)]
    monkeypatch.setattr(arrays, "BLOCK", 7 * 120)  # seven columns at a time, the last block ragged
    for f, expected in zip((correlation, r2, correlation_matrix), whole):
        np.testing.assert_allclose(f(*pair), expected, atol=1e-15)


def test_a_large_baseline_costs_no_accuracy(pair):
    Y, Y_hat = (np.float32(x + 1e4) for x in pair)  # raw BOLD: the mean is 10,000 times the noise
    exact = [stats.pearsonr(a, b).statistic for a, b in zip(Y.T.astype(float), Y_hat.T.astype(float))]
    np.testing.assert_allclose(correlation(Y, Y_hat), exact, atol=2e-7)
    np.testing.assert_allclose(np.diag(correlation_matrix(Y, Y_hat)), exact, atol=1e-6)
    expected = r2_score(Y.astype(float), Y_hat.astype(float), multioutput="raw_values")
    np.testing.assert_allclose(r2(Y, Y_hat), expected, atol=1e-6)


@pytest.mark.parametrize("scale", [1e-150, 1e-30, 1e30, 1e150])
def test_correlation_has_no_unit(pair, scale):
    Y, Y_hat = pair
    np.testing.assert_allclose(correlation(Y * scale, Y_hat / scale), correlation(Y, Y_hat), atol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("constant", [0, 0.1, 1e4 + 1 / 3, -7e30])
def test_a_constant_column_gives_nan_and_the_others_are_untouched(pair, dtype, constant):
    Y, Y_hat = (x.astype(dtype) for x in pair)
    flat, flat_hat = Y.copy(), Y_hat.copy()
    flat[:, 3], flat_hat[:, 5] = constant, constant
    r, R2, matrix = correlation(flat, flat_hat), r2(flat, Y_hat), correlation_matrix(flat, flat_hat)
    assert np.flatnonzero(np.isnan(r)).tolist() == [3, 5]
    assert np.flatnonzero(np.isnan(R2)).tolist() == [3]
    assert np.isnan(matrix[3]).all() and np.isnan(matrix[:, 5]).all() and np.isnan(matrix).sum() == 59
    assert not np.isinf(r).any() and not np.isinf(R2).any()
    keep = [i for i in range(30) if i not in (3, 5)]
    np.testing.assert_array_equal(r[keep], correlation(Y, Y_hat)[keep])
    assert np.isfinite(r2(Y, flat_hat)).all()  # a constant prediction has an R2


def test_identical_is_one_opposite_is_minus_one_and_scale_matters_only_to_r2(pair):
    Y = pair[0].astype(np.float32)
    assert (correlation(Y, Y) <= 1).all() and (correlation(Y, Y) > 1 - 1e-6).all()
    np.testing.assert_allclose(correlation(Y, -3 * Y + 5), -1, atol=1e-6)
    np.testing.assert_allclose(r2(Y, Y), 1)
    np.testing.assert_allclose(r2(Y, np.broadcast_to(Y.mean(axis=0), Y.shape)), 0, atol=1e-6)
    assert (r2(Y, 3 * Y) < -2).all()


def test_inputs_are_left_as_they_were(pair):
    Y, Y_hat = pair[0].copy(), pair[1].copy()
    for f in (correlation, r2, correlation_matrix):
        f(Y, Y_hat)
    np.testing.assert_array_equal(Y, pair[0])
    np.testing.assert_array_equal(Y_hat, pair[1])


def test_random_predictions_score_as_chance_says():
    rng = np.random.default_rng(1)
    r = correlation(*rng.standard_normal((2, 101, 20000), dtype=np.float32))
    assert r.mean() == pytest.approx(0, abs=4 / np.sqrt(100 * 20000))
    assert r.std() == pytest.approx(0.1, rel=0.03)  # 1 / sqrt(n - 1)


GOOD = np.random.default_rng(2).standard_normal((10, 4))
HOLED = np.where(np.arange(40).reshape(10, 4) % 13 == 7, np.nan, GOOD)  # 3 of 40, the first at (1, 3)
BAD = [
    (GOOD, GOOD[:, :3], r"Y has shape \(10, 4\) and Y_hat \(10, 3\), expected the same"),
    (GOOD, GOOD[:, 0], r"Y has shape \(10, 4\) and Y_hat \(10,\)"),
    (GOOD[None], GOOD[None], r"Y has shape \(1, 10, 4\)"),
    (GOOD[:1], GOOD[:1], r"1 sample\(s\), expected 2 or more"),
    (HOLED, GOOD, r"Y holds 3 value\(s\) that are NaN or infinite, the first at index \(1, 3\)"),
    (GOOD, HOLED * np.inf, r"Y_hat holds 40 value\(s\)"),
    (GOOD * 1j, GOOD, "Y has type complex128, expected real numbers"),
    (GOOD.astype(str), GOOD, "Y has type <U"),
]


@pytest.mark.parametrize("score", [correlation, r2])
@pytest.mark.parametrize("Y, Y_hat, message", BAD)
def test_bad_input(score, Y, Y_hat, message):
    with pytest.raises(ValueError, match=message):
        score(Y, Y_hat)


@pytest.mark.parametrize(
    "A, B, message",
    [
        (GOOD, GOOD[:9], "with the same samples"),
        (GOOD, GOOD[:, 0], r"B \(10,\)"),
        (GOOD[:1], GOOD[:1], "expected 2 or more"),
        (GOOD, HOLED, r"B holds 3 value\(s\)"),
    ],
)
def test_bad_input_of_the_matrix(A, B, message):
    with pytest.raises(ValueError, match=message):
        correlation_matrix(A, B)
