"""Which rows a fold trains on, tests and leaves out; products over them by adding, never by cancelling.

The product over a fold's training rows is a sum of the other folds' test blocks (made from running sums from
both ends), so that each block is multiplied once, whatever the number of folds. Rows of a gap are taken off.
"""

from typing import NamedTuple

import numpy as np
import torch


class Fold(NamedTuple):
    """Rows of one fold, each as a slice where they are contiguous and an index array where they are not."""

    train: object
    test: object
    gap: object  # neither trained on nor tested
    n_train: int
    n_test: int
    n_gap: int


class Rows(NamedTuple):
    """All folds of ``n_samples`` rows; ``partition`` if each row is tested exactly once."""

    folds: list
    n_samples: int
    partition: bool


class FoldProducts(NamedTuple):
    """Products of two matrices over all rows, and over the training and the test rows of each fold."""

    total: torch.Tensor  # (q, k)
    train: list  # of tensor (q, k)
    test: list  # of tensor (q, k)


def make_rows(folds, n_samples):
    """Return `Rows` for a list of ``(train, test)`` index arrays (see `naturalistic.models.folds.check_folds`)."""
    made, tested = [], np.zeros(n_samples, dtype=int)
    for train, test in folds:
        rest = np.ones(n_samples, dtype=bool)
        rest[train] = rest[test] = False
        gap = np.flatnonzero(rest)
        tested[test] += 1
        made.append(Fold(*map(_slice_if_contiguous, (train, test, gap)), len(train), len(test), len(gap)))
    return Rows(made, n_samples, bool((tested == 1).all()))


def _slice_if_contiguous(index):
    index = np.asarray(index)
    if len(index) and index[-1] - index[0] == len(index) - 1 and (np.diff(index) == 1).all():
        return slice(int(index[0]), int(index[-1]) + 1)  # a view, where an index array copies
    return index


def fold_products(left, right, rows, dtype=None, test=None):
    """Return ``left' right`` over all rows, over each fold's training rows, and over its test rows.

    Parameters
    ----------
    left : tensor (n_samples, q)
    right : tensor (n_samples, k)
    rows : Rows
    dtype : torch.dtype, optional
        Precision of products and sums; that of the arrays by default.
    test : list of tensor (q, k), optional
        The products over test rows, if they are already known.

    Returns
    -------
    products : FoldProducts
    """

    def product(index):
        a, b = left[index], right[index]
        return (a if dtype is None else a.to(dtype)).T @ (b if dtype is None else b.to(dtype))

    folds = rows.folds
    test = [product(fold.test) for fold in folds] if test is None else test
    if rows.partition:
        total, others = _sums_of_others(test)
    else:
        total = product(slice(None))
        others = [None if 2 * fold.n_train <= rows.n_samples else total - block for fold, block in zip(folds, test)]
    for k, fold in enumerate(folds):
        if others[k] is None or fold.n_gap >= fold.n_train:
            others[k] = product(fold.train)
        elif fold.n_gap:
            others[k] = others[k] - product(fold.gap)
    return FoldProducts(total, others, test)


def _sums_of_others(blocks):
    """Return the sum of all blocks, and for each block the sum of the others, by running sums from both ends."""
    others = [None] * len(blocks)
    before = blocks[0]
    for k in range(1, len(blocks)):
        others[k] = before
        before = before + blocks[k]
    after = blocks[-1]
    for k in range(len(blocks) - 2, 0, -1):
        others[k] = others[k] + after
        after = after + blocks[k]
    others[0] = after if len(blocks) > 1 else blocks[0] * 0
    return before, others
