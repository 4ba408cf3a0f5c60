"""Nulls: what they permute, that nothing crosses a run, and how often they call noise an effect."""

import warnings

import numpy as np
import pytest
from naturalistic.inference import block_permutation_null, circular_shift_null, nulls, p_values
from naturalistic.models.scoring import correlation, r2
from scipy.signal import lfilter

RUNS = np.repeat([7, 3, 5], [41, 60, 50])  # ids are names: any order
SHIFT, BLOCK = {"n_permutations": 40, "min_shift": 4}, {"n_permutations": 40, "block": 12}
NULLS = [(circular_shift_null, SHIFT), (block_permutation_null, BLOCK)]


def ar1(rng, phi, shape):
    """Return stationary first-order autoregressive noise along the first axis, float32."""
    noise = rng.standard_normal((shape[0] + 100, *shape[1:]), dtype=np.float32)
    return lfilter([1], np.float32([1, -phi]), noise, axis=0)[100:].astype(np.float32)


def orders(null, n_trs=RUNS.size, runs=RUNS, **arguments):
    """Return (n_permutations, n_trs): which sample of the prediction each permutation puts where."""
    samples = np.arange(n_trs, dtype=float)
    scores = null(np.zeros(n_trs), samples, runs, score=lambda Y, Y_hat: Y_hat.T, **arguments)
    return scores.reshape(-1, n_trs)


@pytest.mark.parametrize("null, arguments", NULLS)
def test_every_permutation_is_new_keeps_each_run_and_moves_all_targets_alike(null, arguments):
    order = orders(null, **arguments)
    assert order.shape == (40, len(RUNS)) and len(np.unique(order, axis=0)) == 40
    assert not (order == np.arange(len(RUNS))).all(axis=1).any()
    for run in np.unique(RUNS):
        inside = np.flatnonzero(RUNS == run)
        np.testing.assert_array_equal(np.sort(order[:, inside], axis=1), np.tile(inside, (40, 1)))
    two = np.arange(2.0 * len(RUNS)).reshape(-1, 2)
    moved = null(np.zeros_like(two), two, RUNS, score=lambda Y, Y_hat: Y_hat[:, 1] - Y_hat[:, 0], **arguments)
    np.testing.assert_array_equal(moved, 1)


def test_shifts_are_circular_and_no_smaller_than_the_minimum():
    order = orders(circular_shift_null, n_permutations=500, min_shift=4)
    seen = {}
    for run in np.unique(RUNS):
        inside = np.flatnonzero(RUNS == run)
        shift = (inside[0] - order[:, inside[0]]) % len(inside)
        expected = inside[0] + (np.arange(len(inside)) - shift[:, None]) % len(inside)
        np.testing.assert_array_equal(order[:, inside], expected)
        seen[run] = shift
        assert shift.min() == 4 and shift.max() == len(inside) - 4
    assert np.corrcoef([seen[7], seen[3]])[0, 1] == pytest.approx(0, abs=0.15)  # drawn for each run


@pytest.mark.parametrize("block", [7, 10, 12])
def test_blocks_move_as_wholes(block):
    order = orders(block_permutation_null, n_permutations=50, block=block)
    for run in np.unique(RUNS):
        inside = np.flatnonzero(RUNS == run)
        starts = inside[::block]
        inner = np.setdiff1d(inside, starts)  # a sample inside a block comes right after the one before it
        place = np.argsort(order, axis=1)
        np.testing.assert_array_equal(place[:, inner] - place[:, inner - 1], 1)
        assert len(np.unique(place[:, starts[-1]])) > 2  # the last, short block moves too


@pytest.mark.parametrize(
    "null, arguments",
    [
        *NULLS,
        (circular_shift_null, {"n_permutations": 40, "min_shift": 1}),
        (block_permutation_null, {"n_permutations": 40, "block": 10}),
        (block_permutation_null, {"n_permutations": 40, "block": 1}),
        (block_permutation_null, {"n_permutations": 7, "block": 33}),
    ],
)
@pytest.mark.parametrize("dtype, tolerance", [(np.float32, 1e-7), (np.float64, 1e-14)])
def test_the_fast_way_equals_scoring_each_permutation(null, arguments, dtype, tolerance):
    rng = np.random.default_rng(0)
    Y, Y_hat = (rng.standard_normal((2, len(RUNS), 6)) + [[[100]], [[-3]]]).astype(dtype)
    Y[:, 2], Y_hat[:, 4] = 0.1, 1 / 3
    slow = null(Y, Y_hat, RUNS, score=lambda a, b: correlation(a, b), **arguments)
    fast = null(Y, Y_hat, RUNS, **arguments)
    assert fast.dtype == slow.dtype == dtype and fast.shape == (arguments["n_permutations"], 6)
    np.testing.assert_allclose(fast, slow, atol=tolerance)
    assert np.isnan(fast[:, [2, 4]]).all() and np.isfinite(fast[:, [0, 1, 3, 5]]).all()
    np.testing.assert_array_equal(null(Y, Y_hat, RUNS, **arguments), fast)  # the seed fixes it
    np.testing.assert_allclose(null(Y[:, 0], Y_hat[:, 0], RUNS, **arguments), fast[:, 0], atol=tolerance)
    assert not np.array_equal(null(Y, Y_hat, RUNS, seed=1, **arguments), fast, equal_nan=True)
    expected = [r2(Y[:, 1], Y_hat[order.astype(int), 1]) for order in orders(null, **arguments)]
    np.testing.assert_allclose(null(Y, Y_hat, RUNS, score=r2, **arguments)[:, 1], expected, rtol=1e-4)


@pytest.mark.parametrize("length", [768, 769, 808])  # 2^8 x 3, a prime, 8 x 101: padded or not
def test_runs_of_any_length_and_columns_of_any_scale_in_float32(length):
    rng = np.random.default_rng(length)
    runs = np.repeat([0, 1], [length, 150])
    Y, Y_hat = ar1(rng, 0.9, (len(runs), 5)), ar1(rng, 0.9, (len(runs), 5))
    Y[7, 1], Y_hat[:, 2] = 1e4, 1e-4 * Y_hat[:, 2] + 1  # a spike; small on a large baseline
    Y[:length, 3] += 50  # another level in another run
    single = circular_shift_null(Y, Y_hat, runs, 60, 1)
    double = circular_shift_null(Y.astype(float), Y_hat.astype(float), runs, 60, 1)
    moved = circular_shift_null(Y, Y_hat, runs, 60, 1, score=lambda a, b: correlation(a.astype(float), b.astype(float)))
    assert single.dtype == np.float32 and double.dtype == np.float64
    np.testing.assert_allclose(double, moved, atol=1e-13)
    np.testing.assert_allclose(single, double, atol=1e-7)


@pytest.mark.parametrize("null, arguments", NULLS)
def test_threads_change_nothing(null, arguments, monkeypatch):
    Y, Y_hat = np.random.default_rng(5).standard_normal((2, len(RUNS), 23))
    expected = null(Y, Y_hat, RUNS, **arguments)
    pools, used = [{"user_api": "blas", "num_threads": 3}, {"user_api": "openmp", "num_threads": 8}], []
    monkeypatch.setattr("naturalistic.arrays.BLOCK", 3 * len(RUNS))  # a few columns at a time
    monkeypatch.setattr(nulls, "threadpool_info", lambda: pools)
    executor = nulls.ThreadPoolExecutor
    monkeypatch.setattr(nulls, "ThreadPoolExecutor", lambda n: used.append(n) or executor(n))
    np.testing.assert_allclose(null(Y, Y_hat, RUNS, **arguments), expected, atol=1e-15)
    assert used == [3]
    with pytest.raises(ZeroDivisionError):
        nulls.in_threads(lambda block: 1 / block, [1, 0, 2])


@pytest.mark.parametrize("null, arguments", NULLS)
def test_a_difference_between_runs_does_not_change_p(null, arguments):
    rng = np.random.default_rng(3)
    Y, Y_hat = rng.standard_normal((2, len(RUNS), 50))
    p = p_values(correlation(Y, Y_hat), null(Y, Y_hat, RUNS, **arguments))
    raised = Y + RUNS[:, None]
    again = p_values(correlation(raised, Y_hat), null(raised, Y_hat, RUNS, **arguments))
    np.testing.assert_array_equal(again, p)


def test_few_shifts_are_all_used_once_with_a_warning():
    with pytest.warns(UserWarning, match="only 33 circular shifts exist, fewer than the 100 .* p is 0.0294"):
        order = orders(circular_shift_null, 40, None, n_permutations=100, min_shift=4)
    assert sorted(-order[:, 0] % 40) == list(range(4, 37))
    assert len(orders(circular_shift_null, 40, None, n_permutations=33, min_shift=4)) == 33  # no warning
    assert len(orders(block_permutation_null, 20, None, n_permutations=23, block=5)) == 23  # 4! - 1


def false_positives(null, phi, runs, n_sets, **arguments):
    """Return p of ``n_sets`` x 100 tests without effect; each set has permutations of its own."""
    rng, found = np.random.default_rng(11), []
    for _ in range(n_sets):
        Y, Y_hat = ar1(rng, phi, (len(runs), 100)), ar1(rng, phi, (len(runs), 100))
        found.append(p_values(correlation(Y, Y_hat), null(Y, Y_hat, runs, seed=rng, **arguments)))
    return np.concatenate(found)


FOUR_RUNS, SHORT_RUNS = np.repeat(np.arange(4), 400), np.repeat(np.arange(4), 150)


@pytest.mark.slow
@pytest.mark.parametrize(
    "null, phi, arguments",
    [
        (circular_shift_null, 0.5, {"min_shift": 5}),
        (circular_shift_null, 0.7, {"min_shift": 5}),
        (circular_shift_null, 0.9, {"min_shift": 1}),
        (circular_shift_null, 0.9, {"min_shift": 5}),
        (block_permutation_null, 0.5, {"block": 25}),
        (block_permutation_null, 0.9, {"block": 50}),
    ],
)
def test_p_is_uniform_for_autocorrelated_noise(null, phi, arguments):
    """On 40,000 tests these six called .052, .053, .051, .056, .052 and .057 of them an effect at .05."""
    p = false_positives(null, phi, FOUR_RUNS, 100, n_permutations=199, **arguments)
    assert p.min() >= 1 / 200 and p.max() <= 1
    # 10,000 tests that share permutations by the hundred: the standard error at .05 is .0023
    assert 0.05 - 4 * 0.0023 < np.mean(p <= 0.05) < 0.057 + 4 * 0.0023
    assert np.mean(p <= 0.5) == pytest.approx(0.5, abs=0.03)


@pytest.mark.slow
def test_one_run_with_all_its_rotations_holds_the_level():
    with pytest.warns(UserWarning, match="only 399"):
        p = false_positives(circular_shift_null, 0.9, np.zeros(400), 100, n_permutations=1000, min_shift=1)
    assert np.mean(p <= 0.05) == pytest.approx(0.05, abs=4 * 0.0023)


def test_few_rotations_are_warned_of_and_refused():
    """With 80 % of the rotations noise passes in 8 to 12 %, with half of them in 9 to 18 %, near none in 25 to 47 %."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nulls.draw_shifts(FOUR_RUNS, 50, 40)
    with pytest.warns(UserWarning, match="min_shift is 60, which leaves 281 of the 399 rotations .* p is too small"):
        nulls.draw_shifts(FOUR_RUNS, 50, 60)
    with pytest.warns(UserWarning, match="leaves 201 of the 399"):
        nulls.draw_shifts(FOUR_RUNS, 50, 100)
    for min_shift in (101, 200):
        with pytest.raises(ValueError, match=r"expected from 1 to 100: the shortest run \(400 TRs\) has 399 rotations"):
            nulls.draw_shifts(FOUR_RUNS, 50, min_shift)
    with pytest.warns(UserWarning, match="of the 149 rotations"):
        p = false_positives(circular_shift_null, 0.9, SHORT_RUNS, 20, n_permutations=199, min_shift=37)
    assert np.mean(p <= 0.05) > 0.09  # the warning is deserved


@pytest.mark.slow
def test_leaving_out_many_small_shifts_does_not_hold_the_level():
    p = false_positives(circular_shift_null, 0.9, SHORT_RUNS, 60, n_permutations=199, min_shift=10)
    assert 0.07 < np.mean(p <= 0.05) < 0.1  # measured on 40,000 tests: .084, and .057 with min_shift=1


@pytest.mark.slow
def test_shuffled_single_trs_do_not_hold_the_level():
    """The calibration above can fail: the same tests, with blocks of one TR, call noise an effect."""
    p = false_positives(block_permutation_null, 0.7, SHORT_RUNS, 10, n_permutations=199, block=1)
    assert np.mean(p <= 0.05) > 0.12  # measured on 20,000 tests: .165
    white = false_positives(block_permutation_null, 0, SHORT_RUNS, 10, n_permutations=199, block=1)
    assert np.mean(white <= 0.05) == pytest.approx(0.05, abs=0.03)


def test_small_shifts_cost_no_power():
    rng, share = np.random.default_rng(4), {}
    signal = ar1(rng, 0.9, (400, 1000))
    Y = signal + 2 * ar1(rng, 0.9, (400, 1000))
    for min_shift in (1, 20):
        null = circular_shift_null(Y, signal, None, 300, min_shift)
        share[min_shift] = np.mean(p_values(correlation(Y, signal), null) <= 0.05)
    assert share[1] > 0.9 and share[1] > share[20] - 0.03  # measured: .94 and .93


@pytest.mark.parametrize(
    "null, arguments",
    [
        (circular_shift_null, {"min_shift": 1}),
        (circular_shift_null, {"min_shift": 10}),
        (block_permutation_null, {"block": 25}),
    ],
)
def test_a_simulated_effect_is_found(null, arguments):
    rng = np.random.default_rng(4)
    signal = ar1(rng, 0.8, (600, 200))
    Y = signal + 2 * ar1(rng, 0.8, (600, 200))  # r of about .45
    p = p_values(correlation(Y, signal), null(Y, signal, SHORT_RUNS, n_permutations=199, **arguments))
    assert np.mean(p <= 0.01) > 0.95


GOOD = np.random.default_rng(0).standard_normal((40, 3))
HOLED = GOOD.copy()
HOLED[5, 1] = np.inf
TWO = np.repeat([0, 1], [30, 10])


@pytest.mark.parametrize(
    "null, changes, error, message",
    [
        (
            circular_shift_null,
            {"min_shift": 6},
            ValueError,
            r"min_shift is 6, expected from 1 to 3.*\(10 TRs\) has 9",
        ),
        (circular_shift_null, {"min_shift": 0}, ValueError, "min_shift is 0, expected from 1"),
        (circular_shift_null, {"min_shift": 2.5}, ValueError, "min_shift is 2.5, expected a whole number"),
        (block_permutation_null, {"block": 10}, ValueError, "block is 10, expected a whole number from 1 to 9"),
        (block_permutation_null, {"block": 0}, ValueError, "block is 0, expected"),
        (
            block_permutation_null,
            {"block": 8, "n_permutations": 48},
            ValueError,
            r"6 blocks in 2 run\(s\) have 47 orders other than the observed, expected 48 or more: take shorter blocks "
            "or fewer permutations",
        ),
    ],
)
def test_bad_settings(null, changes, error, message):
    with pytest.raises(error, match=message):
        null(GOOD, GOOD, TWO, **{"n_permutations": 5, **changes})


@pytest.mark.parametrize(
    "null, arguments", [(circular_shift_null, {"min_shift": 2}), (block_permutation_null, {"block": 2})]
)
@pytest.mark.parametrize(
    "Y, Y_hat, runs, n_permutations, message",
    [
        (GOOD, GOOD[:, :2], TWO, 5, r"Y has shape \(40, 3\) and Y_hat \(40, 2\)"),
        (GOOD, GOOD, TWO[1:], 5, r"runs has shape \(39,\), expected \(40,\)"),
        (GOOD, GOOD, np.arange(40) % 2, 5, "more than one stretch"),
        (GOOD, HOLED, TWO, 5, r"Y_hat holds 1 value\(s\) that are NaN or infinite, the first at index \(5, 1\)"),
        (GOOD, GOOD, TWO, 0, "n_permutations is 0, expected a whole number of at least 1"),
    ],
)
def test_bad_input(null, arguments, Y, Y_hat, runs, n_permutations, message):
    with pytest.raises(ValueError, match=message):
        null(Y, Y_hat, runs, n_permutations=n_permutations, **arguments)


def test_the_correlation_that_comes_with_its_null_is_that_of_the_two_apart():
    rng = np.random.default_rng(3)
    Y, Y_hat = ar1(rng, 0.8, (len(RUNS), 7)), ar1(rng, 0.8, (len(RUNS), 7))
    Y[:, 2] = 5
    Y_hat[:, 4] *= np.float32(1e-30)
    for dtype in (np.float32, np.float64):
        measured, predicted = Y.astype(dtype), Y_hat.astype(dtype)
        r, null = nulls.correlation_and_null(measured, predicted, RUNS, 40, 4, 1)
        np.testing.assert_array_equal(r, correlation(measured, predicted))
        np.testing.assert_array_equal(null, circular_shift_null(measured, predicted, RUNS, 40, 4, 1))
        assert r.dtype == null.dtype == dtype and np.isnan(r[2]) and np.isfinite(np.delete(r, 2)).all()
