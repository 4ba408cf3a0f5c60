"""Nulls: chance scores that keep the autocorrelation of brain and stimulus.

Shuffled single TRs are no null for signals that are smooth in time: the shuffled prediction is white,
scatters less than a smooth one, and far too many voxels pass. Here predictions move as wholes (circular
shift) or in long blocks, inside each run; the model is not fitted again. One permutation moves all targets
alike, so correlations between voxels are kept and the maximum over voxels can be used.

Both nulls suppose that within a run the series are stationary: with a trend, or a start unlike the end, the
seam of a shift is unlike the rest, so detrend each run of ``Y`` and of the prediction. A difference in level
between runs adds the same to the observed score and to all of the null. Neither null works for a stimulus
that is nearly periodic (a block design with a fixed cycle): a shift by one cycle changes nothing.

Which settings hold the level was measured on AR(1) data with phi = 0.9 and no effect: the share of tests
with p < 0.05 among 20,000 or more, to about 0.1 %:

- Shifts. A rank test is exact over a group, here all rotations (``min_shift=1``). Leaving out small shifts,
  whose scores are like the observed one, makes p too small. One run of 400 TRs: 5.0 % with ``min_shift`` 1,
  5.6 % with 5, 7.3 % with 20. Four runs of 400: 5.1 % with 1, 5.6 % with 5; of 150: 5.7 % with 1, 6.9 % with
  5, 8.4 % with 10. The larger ones find no more: with one run and an effect of r = 0.44, 94, 94 and 93 %
  of targets pass with 1, 5 and 20. So take 1, or at most 1 % of the run.
- How many rotations are left. With ``min_shift`` a tenth of the run (80 % of its rotations left) it is 7.5 % for one
  run of 400, 8.2 % for four, 9 to 11 % for runs of 60 to 150; with a quarter (half of them left) 9 to 18 %; near half
  of the run 25 to 47 %. So `draw_shifts` warns below 80 % and refuses below a half.
- Blocks. Each seam breaks the autocorrelation. Two runs of about 200 TRs: 30 % with blocks of 1 TR, 10 % with
  10, 6.7 % with 25, 5.5 % with 50.

Both are for one model and data that it was not fitted on. Predictions by cross-validation are another case:
the model of each fold was fitted on the other folds' responses, so the folds' scores go up and down together,
which a null of fixed predictions does not show (10 to 14 % false positives instead of 5). There, shift first
and fit again: `naturalistic.encoding.prediction.group_accuracy` does.
"""

import math
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft
from threadpoolctl import threadpool_info, threadpool_limits

from naturalistic.arrays import column_blocks, float_type
from naturalistic.models.scoring import check_pair, correlation, unit_columns
from naturalistic.parameters import Seed, check_seed, whole
from naturalistic.runs import run_slices, shift_inside_runs

LEFT_WITHOUT_WARNING = 0.8  # share of a run's rotations


def circular_shift_null(
    Y: ArrayLike,
    Y_hat: ArrayLike,
    runs: ArrayLike | None,
    n_permutations: int,
    min_shift: int,
    seed: Seed = 0,
    score: Callable[[NDArray, NDArray], NDArray] = correlation,
) -> NDArray:
    """Return circular-shift null scores, shifted by a random amount in each run.

    No two permutations are alike and none is the observed alignment. If there are fewer shifts than
    ``n_permutations``, each is used once and a warning says so: the null has that many rows.

    Parameters
    ----------
    Y, Y_hat : array (n_trs, n_targets) or (n_trs,)
        Measured and predicted responses of the test set.
    runs : array (n_trs,) or None
        Run of each sample; None for one run.
    n_permutations : int
        Rows of the null.
    min_shift : int
        Smallest shift in TRs, both ways; a large one makes p too small (see above), so that it is warned of from a
        tenth of the shortest run and refused from a quarter.
    seed : int or numpy.random.Generator
        Draws the shifts.
    score : callable
        ``score(Y, Y_hat) -> (n_targets,)``. For `correlation` all shifts are done at once, by FFT.

    Returns
    -------
    null : array (n_permutations, n_targets) or (n_permutations,)
        To be compared with ``score(Y, Y_hat)`` by `p_values` or `max_statistic`.

    Raises
    ------
    ValueError
        If shapes or values are not valid, a number is below 1, or ``min_shift`` leaves fewer than half of the rotations
        of a run.
    """
    Y, Y_hat, shape, slices = check_null_input(Y, Y_hat, runs, n_permutations)
    shifts = draw_shifts(runs, n_permutations, min_shift, seed, n_trs=len(Y))
    if score is correlation:
        _, null = _shifted_correlations(Y, Y_hat, slices, shifts)
    else:
        null = np.stack([score(Y, shift_inside_runs(Y_hat, row, slices)) for row in shifts])
    return null.reshape(-1, *shape)


def correlation_and_null(
    Y: ArrayLike, Y_hat: ArrayLike, runs: ArrayLike | None, n_permutations: int, min_shift: int, seed: Seed = 0
) -> tuple[NDArray, NDArray]:
    """Return `correlation` and its `circular_shift_null`, for which columns are standardized once.

    Parameters
    ----------
    Y, Y_hat : array (n_trs, n_targets)
    runs, n_permutations, min_shift, seed
        As in `circular_shift_null`.

    Returns
    -------
    r : array (n_targets,)
    null : array (n_permutations, n_targets)

    Raises
    ------
    ValueError
        As `circular_shift_null`.
    """
    Y, Y_hat, _, slices = check_null_input(Y, Y_hat, runs, n_permutations)
    return _shifted_correlations(Y, Y_hat, slices, draw_shifts(runs, n_permutations, min_shift, seed, n_trs=len(Y)))


def check_null_input(
    Y: ArrayLike, Y_hat: ArrayLike, runs: ArrayLike | None, n_permutations: int
) -> tuple[NDArray, NDArray, tuple[int, ...], list[slice]]:
    """Return both arrays in two dimensions, the shape of a score, and run slices."""
    Y, Y_hat, shape = check_pair(Y, Y_hat)
    whole("n_permutations", n_permutations, hint="1000 gives p of 0.001")
    return Y, Y_hat, shape, run_slices(runs, len(Y))


def draw_shifts(
    runs: ArrayLike | None, n_permutations: int, min_shift: int = 1, seed: Seed = 0, n_trs: int | None = None
) -> NDArray:
    """Return circular shifts, one for each run, no two permutations alike.

    None is the observed alignment.

    Parameters
    ----------
    runs : array (n_trs,) or None
        Run of each sample; None for one run of ``n_trs`` samples.
    n_permutations, min_shift, seed
        As in `circular_shift_null`.

    Returns
    -------
    shifts : int array (n_permutations, n_runs)
        In TRs, later for larger; fewer rows, with a warning, if no more exist.

    Raises
    ------
    ValueError
        If ``n_permutations`` is below 1, or ``min_shift`` below 1 or so large that fewer than half of the rotations of
        a run are left.

    Warns
    -----
    UserWarning
        If fewer than 80 % of the rotations of a run are left, or fewer shifts exist than ``n_permutations``.
    """
    n_permutations = whole("n_permutations", n_permutations, hint="1000 gives p of 0.001")
    seed = check_seed(seed)
    min_shift = whole("min_shift", min_shift, None)
    lengths = [run.stop - run.start for run in run_slices(runs, n_trs)]
    shortest = min(lengths)
    largest = max((shortest + 2) // 4, 1)  # half of the shortest run's rotations are left
    if not 1 <= min_shift <= largest or shortest < 2:
        raise ValueError(
            f"min_shift is {min_shift}, expected from 1 to {largest}: the shortest run ({shortest} TRs) has "
            f"{max(shortest - 1, 0)} rotations, and with fewer than half of them p at .05 is reached by noise in 10 to "
            "40 %; take a smaller shift (1 is best), or leave that run out"
        )
    if shortest - 2 * min_shift + 1 < LEFT_WITHOUT_WARNING * (shortest - 1):
        warnings.warn(
            f"min_shift is {min_shift}, which leaves {shortest - 2 * min_shift + 1} of the {shortest - 1} rotations of "
            f"the shortest run: p is too small (at .05, about 8 to 12 % of noise passes); 1 holds the level",
            stacklevel=3,
        )
    return _draw_shifts([n - 2 * min_shift + 1 for n in lengths], n_permutations, seed) + min_shift


def _draw_shifts(counts: list[int], n_permutations: int, seed: Seed) -> NDArray:
    """Return different rows, column k from 0 to ``counts[k] - 1``; all rows if there are no more."""
    rng = np.random.default_rng(seed)
    total = math.prod(counts)
    if total < n_permutations:
        warnings.warn(
            f"only {total} circular shifts exist, fewer than the {n_permutations} asked for: "
            f"each is used once, and the smallest p is {1 / (total + 1):.3g}",
            stacklevel=3,
        )
    if total < 2**62:
        chosen = rng.choice(total, size=min(total, n_permutations), replace=False)
        return np.stack(np.unravel_index(chosen, counts), axis=1)
    return rng.integers(counts, size=(n_permutations, len(counts)))  # a repeat is next to impossible


def _shifted_correlations(Y: NDArray, Y_hat: NDArray, slices: list[slice], shifts: NDArray) -> tuple[NDArray, NDArray]:
    """Return r (n_targets,) and that of each shift (n_permutations, n_targets), by FFT, summed over runs.

    Shifts keep the mean and the length of a column, so only the product of the two unit columns changes.
    """
    null = np.empty((len(shifts), Y.shape[1]), dtype=float_type(Y, Y_hat))
    observed = np.empty(Y.shape[1], dtype=null.dtype)

    def fill(columns: slice) -> None:
        measured, constant = unit_columns(Y[:, columns])
        predicted, also_constant = unit_columns(Y_hat[:, columns])
        observed[columns] = np.clip(np.einsum("ij,ij->j", measured, predicted), -1, 1)
        observed[columns][constant | also_constant] = np.nan
        # float32 of unit columns: r is off by 2e-8 at most in 60,000 x 7,700, less than its own last digit
        measured, predicted = (x.astype(null.dtype, copy=False) for x in (measured, predicted))
        r = np.zeros((len(shifts), measured.shape[1]))
        for run, shift in zip(slices, shifts.T):
            _add_rotations(r, measured[run], predicted[run], shift)
        null[:, columns] = np.clip(r, -1, 1)
        null[:, columns][:, constant | also_constant] = np.nan

    in_threads(fill, column_blocks(max(len(Y), len(shifts)), Y.shape[1]))
    return observed, null


def _add_rotations(r: NDArray, measured: NDArray, predicted: NDArray, shift: NDArray) -> None:
    """Add the products of ``measured`` with ``predicted`` (n_trs, n) rotated by each of ``shift`` to ``r``."""
    n_trs = len(measured)
    circular = fft.next_fast_len(n_trs, real=True) == n_trs
    # a run of 769 TRs, a prime, takes twice as long as one padded with zeros; what is padded correlates linearly,
    # and a rotation is the sum of two linear lags
    n = n_trs if circular else fft.next_fast_len(2 * n_trs - 1, real=True)
    spectrum = fft.rfft(measured, n, axis=0)
    spectrum *= fft.rfft(predicted, n, axis=0).conj()
    lagged = fft.irfft(spectrum, n, axis=0)
    r += lagged[shift]
    if not circular:
        r += lagged[shift - n_trs]


def in_threads(work: Callable[[slice], None], blocks: list[slice]) -> None:
    """Call ``work(block)`` for each block of columns, in as many threads as BLAS has."""
    n_threads = 1
    if len(blocks) > 1:
        n_threads = max((pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"), default=1)
    if n_threads == 1:
        for block in blocks:
            work(block)
        return
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(min(n_threads, len(blocks))) as pool:
        list(pool.map(work, blocks))  # raises what a block raised


def block_permutation_null(
    Y: ArrayLike,
    Y_hat: ArrayLike,
    runs: ArrayLike | None,
    block: int,
    n_permutations: int,
    seed: Seed = 0,
    score: Callable[[NDArray, NDArray], NDArray] = correlation,
) -> NDArray:
    """Return null scores of predictions with permuted blocks of TRs in each run.

    Every block is used once (no resampling). A run that ``block`` does not divide ends in a shorter block,
    which moves like the others. No two permutations are alike and none is the observed order.

    Parameters
    ----------
    Y, Y_hat, runs, n_permutations, score
        As for `circular_shift_null`; with `correlation` as score, blocks are multiplied only once.
    block : int
        TRs in a block; many times the autocorrelation, as each seam breaks it.
    seed : int or numpy.random.Generator
        Draws the orders.

    Returns
    -------
    null : array (n_permutations, n_targets) or (n_permutations,)
        To be compared with ``score(Y, Y_hat)`` by `p_values` or `max_statistic`.

    Raises
    ------
    ValueError
        If shapes or values are not valid, ``n_permutations`` or ``block`` is below 1, a run has fewer than
        two blocks, or there are fewer orders than ``n_permutations``.
    """
    n_permutations = whole("n_permutations", n_permutations, hint="1000 gives p of 0.001")
    seed = check_seed(seed)
    Y, Y_hat, shape, slices = check_null_input(Y, Y_hat, runs, n_permutations)
    lengths = [run.stop - run.start for run in slices]
    hint = f"the shortest run, of {min(lengths)} TRs, needs two blocks or more; take shorter blocks"
    block = whole("block", block, 1, min(lengths) - 1, hint=hint)
    orders = _draw_orders([-(-n // block) for n in lengths], n_permutations, seed)
    if score is correlation:
        null = _reordered_correlations(Y, Y_hat, slices, block, orders)
    else:
        pieces = [np.split(np.arange(run.start, run.stop), range(block, run.stop - run.start, block)) for run in slices]
        null = np.stack(
            [
                score(Y, Y_hat[np.concatenate([p[i] for p, row in zip(pieces, rows) for i in row])])
                for rows in zip(*orders)
            ]
        )
    return null.reshape(-1, *shape)


def _draw_orders(counts: list[int], n_permutations: int, seed: Seed) -> list[NDArray]:
    """Return (n_permutations, counts[k]) orders of blocks for each run; no two permutations are alike."""
    rng = np.random.default_rng(seed)
    total = math.prod(math.factorial(k) for k in counts) - 1
    if total < n_permutations:
        raise ValueError(
            f"{sum(counts)} blocks in {len(counts)} run(s) have {total} orders other than "
            f"the observed, expected {n_permutations} or more: take shorter blocks or fewer permutations"
        )
    drawn = {np.concatenate([np.arange(k) for k in counts]).tobytes()}
    orders = []
    while len(orders) < n_permutations:
        tiles = [np.tile(np.arange(k), (n_permutations, 1)) for k in counts]
        for row in np.concatenate([rng.permuted(tile, axis=1) for tile in tiles], axis=1):
            if row.tobytes() not in drawn:
                drawn.add(row.tobytes())
                orders.append(row)
    return np.split(np.stack(orders[:n_permutations]), np.cumsum(counts)[:-1], axis=1)


def _reordered_correlations(
    Y: NDArray, Y_hat: NDArray, slices: list[slice], block: int, orders: list[NDArray]
) -> NDArray:
    """Return (n_permutations, n_targets) of r, summed over products of blocks that are each taken once."""
    most = max(order.shape[1] for order in orders)
    null = np.empty((len(orders[0]), Y.shape[1]), dtype=float_type(Y, Y_hat))

    def fill(columns: slice) -> None:
        """Put the null of some targets in its place."""
        measured, constant = unit_columns(Y[:, columns])
        predicted, also_constant = unit_columns(Y_hat[:, columns])
        r = np.zeros((len(null), measured.shape[1]))
        for run, order in zip(slices, orders):
            n_whole, rest = divmod(run.stop - run.start, block)
            before, after, last = _block_products(measured[run].T, predicted[run].T, block)
            late = np.cumsum(order == n_whole, axis=1) > 0  # the short block stands before
            for place in range(order.shape[1]):
                # where a block lands depends on whether the short one stands before it: three tables in one
                table = (
                    before[place]
                    if not rest
                    else np.concatenate(
                        [before[min(place, n_whole - 1)], after[max(place - 1, 0)], last[place : place + 1]]
                    )
                )
                short = order[:, place] == n_whole
                r += table[np.where(short, 2 * n_whole, order[:, place] + n_whole * late[:, place])]
        null[:, columns] = np.clip(r, -1, 1)
        null[:, columns][:, constant | also_constant] = np.nan

    in_threads(fill, column_blocks(max(len(Y), len(null), 2 * most**2), Y.shape[1]))
    return null


def _block_products(measured: NDArray, predicted: NDArray, block: int) -> tuple[NDArray, NDArray, NDArray]:
    """Return the products of measured and predicted blocks of one run, by target.

    Measured and predicted are (n_targets, n_trs). Three arrays: (place, block, n_targets) with places counted from
    the start of the run; the same with places moved by the length of the short last block; and (place, n_targets) for
    the short block itself.
    """
    n_targets, n_trs = measured.shape
    n_whole, rest = divmod(n_trs, block)
    blocks = predicted[:, : n_trs - rest].reshape(n_targets, n_whole, block).swapaxes(1, 2)
    before, after = (
        measured[:, start : start + n_whole * block].reshape(n_targets, n_whole, block) @ blocks for start in (0, rest)
    )
    ends = np.stack([measured[:, p * block : p * block + rest] for p in range(n_whole + 1)])
    last = np.einsum("ptr,tr->pt", ends, predicted[:, n_trs - rest :])
    return (*(np.ascontiguousarray(np.moveaxis(x, 0, 2)) for x in (before, after)), last)
