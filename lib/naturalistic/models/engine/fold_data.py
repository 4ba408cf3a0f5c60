"""Training and test samples of each fold: products over them, and statistics of the targets.

The product over a fold's training rows is a sum of the other folds' test blocks (made from running sums from
both ends), so that each block is multiplied once, whatever the number of folds, and nothing cancels. Rows of a gap
are subtracted. Targets are read once and summed once, for any number of scorers.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from naturalistic.arrays import release_pages
from naturalistic.models.engine.scoring import FoldScorer, TargetStats


class Fold(NamedTuple):
    """Rows of one fold, each as a slice where they are contiguous and an index array where they are not."""

    train: object
    test: object
    gap: object  # neither trained on nor tested
    n_train: int
    n_test: int
    n_gap: int


class FoldIndices(NamedTuple):
    """All folds of ``n_samples`` rows; ``partition`` if each row is tested exactly once."""

    folds: list
    n_samples: int
    partition: bool


class FoldProducts(NamedTuple):
    """Products of two matrices over all rows, and over the training and the test rows of each fold."""

    total: torch.Tensor  # (q, k)
    train: list  # of tensor (q, k)
    test: list  # of tensor (q, k)


def make_fold_indices(folds: Sequence[tuple[NDArray, NDArray]], n_samples: int) -> FoldIndices:
    """Return `FoldIndices` for checked ``(train, test)`` pairs (see `naturalistic.models.folds.check_folds`)."""
    parts = []
    tested = np.zeros(n_samples, dtype=int)
    for train, test in folds:
        rest = np.ones(n_samples, dtype=bool)
        rest[train] = rest[test] = False
        gap = np.flatnonzero(rest)
        tested[test] += 1
        parts.append(Fold(*map(_slice_if_contiguous, (train, test, gap)), len(train), len(test), len(gap)))
    return FoldIndices(parts, n_samples, bool((tested == 1).all()))


def _slice_if_contiguous(index: ArrayLike) -> slice | NDArray:
    index = np.asarray(index)
    if len(index) and index[-1] - index[0] == len(index) - 1 and (np.diff(index) == 1).all():
        return slice(int(index[0]), int(index[-1]) + 1)  # a view, where an index array copies
    return index


def fold_products(
    left: torch.Tensor,
    right: torch.Tensor,
    indices: FoldIndices,
    dtype: torch.dtype | None = None,
    test: list[torch.Tensor] | None = None,
) -> FoldProducts:
    """Return ``left' right`` over all rows and over the training and test rows of each fold.

    Parameters
    ----------
    left : tensor (n_samples, q)
    right : tensor (n_samples, k)
    indices : FoldIndices
    dtype : torch.dtype, optional
        Precision of products and sums; that of the arrays by default.
    test : list of tensor (q, k), optional
        The products over test rows, if they are already known.

    Returns
    -------
    products : FoldProducts
    """

    def product(index: slice | NDArray) -> torch.Tensor:
        a = left[index]
        b = right[index]
        return (a if dtype is None else a.to(dtype)).T @ (b if dtype is None else b.to(dtype))

    folds = indices.folds
    test = [product(fold.test) for fold in folds] if test is None else test
    if indices.partition:
        total, others = sums_of_others(test)
    else:
        total = product(slice(None))
        others = [None if 2 * fold.n_train <= indices.n_samples else total - block for fold, block in zip(folds, test)]
    for k, fold in enumerate(folds):
        if others[k] is None or fold.n_gap >= fold.n_train:
            others[k] = product(fold.train)
        elif fold.n_gap:
            others[k] = others[k] - product(fold.gap)
    return FoldProducts(total, others, test)


def sums_of_others(blocks: list[torch.Tensor]) -> tuple[torch.Tensor, list]:
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


class FoldTargets(NamedTuple):
    """A batch of targets in one fold."""

    train: torch.Tensor | None  # (q, n_targets) ``Q_train' Y_train``; None if all folds are dual
    test: torch.Tensor | None  # the same of the test rows
    y_test: torch.Tensor  # (n_test, n_targets)
    stats: TargetStats


def load_targets(
    Y: Any, batch: slice, device: torch.device, dtype: torch.dtype, fit_intercept: bool
) -> tuple[torch.Tensor, NDArray]:
    """Read a batch of targets as a contiguous copy in working precision, its means subtracted.

    Returns
    -------
    y : tensor (n_samples, n_targets)
    y_mean : array (n_targets,)
        float64; zeros without intercept.
    """
    native = np.float32 if Y.dtype == np.float32 else np.float64  # integers, half precision, other byte orders
    array = np.array(Y[:, batch], dtype=native, order="C")
    release_pages(Y)
    y = torch.as_tensor(array, device=device)
    if not fit_intercept:
        return y.to(dtype), np.zeros(y.shape[1])
    if device.type == "cpu":  # numpy sums in float64 without a copy in float64: an eighth of torch's time
        with np.errstate(over="ignore", invalid="ignore"):
            y_mean = torch.from_numpy(array.mean(axis=0, dtype=np.float64))
    else:
        y_mean = y.mean(dim=0, dtype=torch.float64)
    y = y.to(dtype).sub_(y_mean.to(dtype)) if y.dtype == dtype else (y - y_mean).to(dtype)
    return y, y_mean.cpu().numpy()


def fold_statistics(
    y: torch.Tensor, indices: FoldIndices, products: FoldProducts | None, fit_intercept: bool
) -> list[FoldTargets]:
    """Return the products and statistics of a batch of targets in each fold.

    Parameters
    ----------
    y : tensor (n_samples, n_targets)
    indices : FoldIndices
    products : FoldProducts, or None
        Of the features with ``y``; None if all folds are dual.
    fit_intercept : bool

    Returns
    -------
    fold_targets : list of FoldTargets
    """
    train_constant, test_constant = _constant_targets(y, indices, fit_intercept)
    fold_targets = []
    for k, fold in enumerate(indices.folds):
        y_test = y[fold.test]
        train, test = (None, None) if products is None else (products.train[k], products.test[k])
        sums = y[fold.train].sum(dim=0) if train is None else train[-1]
        # the last column of the features is ones, so that a product holds the sums of the targets too
        test_mean = y_test.mean(dim=0) if test is None else test[-1] / fold.n_test
        test_ss = (y_test - test_mean).square_().sum(dim=0).to(torch.float64)
        train_mean = sums.to(torch.float64) / fold.n_train * fit_intercept
        stats = TargetStats(test_mean, test_ss * ~test_constant[k], train_mean, ~train_constant[k])
        fold_targets.append(FoldTargets(train, test, y_test, stats))
    return fold_targets


def score_folds(
    scorers: list[FoldScorer],
    fold_targets: list[FoldTargets],
    y: torch.Tensor,
    indices: FoldIndices,
    columns: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return the mean scores over folds.

    Parameters
    ----------
    scorers : list of FoldScorer
        One a fold.
    fold_targets : list of FoldTargets
    y : tensor (n_samples, n_targets)
    indices : FoldIndices
    columns : tensor of int, optional
        Columns of the features that the scorers have, if not all.

    Returns
    -------
    scores : tensor (n_alphas, n_targets), float64
    """
    scores = 0
    for scorer, fold, targets in zip(scorers, indices.folds, fold_targets):
        if scorer.dual:
            B_train = y[fold.train]
            B_test = targets.y_test
        else:
            B_train, B_test = (x if columns is None else x[columns] for x in (targets.train, targets.test))
        scores = scores + scorer.scores(B_train, B_test, targets.y_test, targets.stats)
    return scores / len(scorers)


def _constant_targets(
    y: torch.Tensor, indices: FoldIndices, fit_intercept: bool
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Return which targets are exactly constant over each fold's training and its test rows.

    Without intercept a constant training target still moves the weights, unless it is zero.

    Returns
    -------
    train, test : list of bool tensor (n_targets,)
    """

    def extremes(index: slice | NDArray) -> torch.Tensor:
        rows = y[index]
        if rows.device.type == "cpu":  # numpy takes a sixth of torch's time
            return torch.from_numpy(np.stack([rows.numpy().max(axis=0), -rows.numpy().min(axis=0)]))
        return torch.stack([rows.amax(dim=0), -rows.amin(dim=0)])

    test = [extremes(fold.test) for fold in indices.folds]
    if indices.partition and len(test) > 1 and not any(fold.n_gap for fold in indices.folds):
        train = [torch.stack(test[:k] + test[k + 1 :]).amax(dim=0) for k in range(len(test))]
    else:
        train = [extremes(fold.train) for fold in indices.folds]
    constant = [ends[0] == -ends[1] for ends in train]
    if not fit_intercept:
        constant = [same & (ends[0] == 0) for same, ends in zip(constant, train)]
    return constant, [ends[0] == -ends[1] for ends in test]
