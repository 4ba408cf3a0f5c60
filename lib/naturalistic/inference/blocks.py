"""The null of permuted blocks: see `naturalistic.inference.nulls` for what it keeps and when it holds."""

import math

import numpy as np

from naturalistic.arrays import column_blocks, float_type
from naturalistic.inference.nulls import check_null_input, in_threads
from naturalistic.models.scoring import correlation, unit_columns
from naturalistic.parameters import check_seed, whole


def block_permutation_null(Y, Y_hat, runs, block, n_permutations, seed=0, score=correlation):
    """Return scores of predictions whose blocks of TRs are put in another order within each run.

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
    n_permutations, seed = whole("n_permutations", n_permutations, hint="1000 gives p of 0.001"), check_seed(seed)
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


def _draw_orders(counts, n_permutations, seed):
    """Return (n_permutations, counts[k]) orders of blocks for each run; no two permutations are alike."""
    rng = np.random.default_rng(seed)
    total = math.prod(math.factorial(k) for k in counts) - 1
    if total < n_permutations:
        raise ValueError(
            f"{sum(counts)} blocks in {len(counts)} run(s) have {total} orders other than "
            f"the observed, expected {n_permutations} or more: take shorter blocks or fewer permutations"
        )
    seen, kept = {np.concatenate([np.arange(k) for k in counts]).tobytes()}, []
    while len(kept) < n_permutations:
        tiles = [np.tile(np.arange(k), (n_permutations, 1)) for k in counts]
        for row in np.concatenate([rng.permuted(tile, axis=1) for tile in tiles], axis=1):
            if row.tobytes() not in seen:
                seen.add(row.tobytes())
                kept.append(row)
    return np.split(np.stack(kept[:n_permutations]), np.cumsum(counts)[:-1], axis=1)


def _reordered_correlations(Y, Y_hat, slices, block, orders):
    """Return (n_permutations, n_targets) of r, summed over products of blocks that are each taken once."""
    most = max(order.shape[1] for order in orders)
    null = np.empty((len(orders[0]), Y.shape[1]), dtype=float_type(Y, Y_hat))

    def fill(columns):
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


def _block_products(measured, predicted, block):
    """Return the products of measured places with predicted blocks, for (n_targets, n_trs) of one run.

    Three arrays: (place, block, n_targets) with places counted from the start of the run; the same with
    places moved by the length of the short last block; and (place, n_targets) for the short block itself.
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
