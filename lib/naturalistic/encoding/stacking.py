"""Stacking: a model of each feature space, and a weighted mean of predictions.

The weights are not negative and sum to 1, and are chosen on training data that each model had not seen (Breiman 1996,
Stacked regressions, Machine Learning 24; of encoding models Lin, Naselaris & Kay 2023). Where banded ridge finds one
set of weights for all features at once, stacking trusts each space as fitted alone: cheap, and a rival to compare with.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from naturalistic.arrays import ShapeRepr, as_real, check_finite, column_blocks
from naturalistic.encoding.bootstrap import BlockSums
from naturalistic.encoding.multi_subject import MultiSubjectBold
from naturalistic.encoding.split import Split, as_responses
from naturalistic.encoding.split_data import SplitData, split_data
from naturalistic.models.folds import check_folds
from naturalistic.models.ridge import RidgeCV, cross_val_predict
from naturalistic.parameters import is_whole, whole
from naturalistic.runs import run_slices

HELD_BYTES = 2**31
JITTER = 1e-12  # of the mean squared residual: decides between spaces that predict the same


@dataclass(frozen=True, repr=False)
class StackedModel(ShapeRepr):
    """Single-space models and their stack, on test runs.

    Attributes
    ----------
    spaces : tuple of str
    weights : array (n_spaces, n_voxels)
        Chosen on the training runs; not negative, each voxel's sum to 1.
    sums : BlockSums
        Of the models ``"stacked"`` and, for each space, ``(space,)``.
    """

    spaces: tuple[str, ...]
    weights: NDArray
    sums: BlockSums


def stacked_model(
    features: Mapping[str, ArrayLike],
    bold: ArrayLike | MultiSubjectBold,
    model: RidgeCV,
    split: Split,
    *,
    cv: Any = None,
    block: int = 30,
    n_voxels_at_once: int | None = None,
) -> StackedModel:
    """Fit each space alone, stack the predictions, and test both.

    Weights of the stack are chosen on the training runs.

    Parameters
    ----------
    features, bold, split, block
        As in `naturalistic.encoding.joint_model`.
    model : RidgeCV
        Of a single space.
    cv : int, splitter or list of (train, test), optional
        Three folds of the training runs or more, which test each TR once; ``model.cv`` by default. Each is predicted
        by models fitted on the others, with alphas chosen by leaving out each of those in turn.
    n_voxels_at_once : int, optional
        Voxels whose training predictions from all spaces are held at a time; by default as many as 2 GiB hold.

    Returns
    -------
    stacked : StackedModel

    Raises
    ------
    ValueError
        As in `fit_predict`; if ``cv`` makes fewer than three folds.
    """
    bold = as_responses(bold)
    data = split_data(features, bold, split)
    names = tuple(data.train)
    n_voxels = bold.shape[1]
    sums = BlockSums(data.test_runs, n_voxels, block, bold.dtype)
    weights = np.empty((len(names), n_voxels), bold.dtype)
    folds, fold_of = _outer_folds(model, data, cv)
    inner_model = clone(model).set_params(cv=len(folds) - 1)
    size = len(names) * len(data.bold) * bold.dtype.itemsize  # bytes a voxel
    step = whole("n_voxels_at_once", n_voxels_at_once, optional=True) or max(1, HELD_BYTES // size)
    for start in range(0, n_voxels, step):
        columns = slice(start, min(start + step, n_voxels))
        Y = np.asarray(data.bold[:, columns])
        residuals = np.empty((len(names), *Y.shape), Y.dtype)
        for k, name in enumerate(names):
            np.subtract(cross_val_predict(inner_model, data.train[name], Y, fold_of, folds), Y, out=residuals[k])
        weights[:, columns] = stack_weights(residual_products(residuals, data.train_runs))
        del residuals
        measured = data.measured(columns)
        stack = np.zeros_like(measured)
        for name, weight in zip(names, weights[:, columns]):
            fitted = clone(model).fit(data.train[name], Y, groups=data.train_groups)
            predicted = data.test[name] @ fitted.coef_.T
            sums.add((name,), measured, predicted, columns)
            stack += weight * predicted
        sums.add("stacked", measured, stack, columns)
    return StackedModel(names, weights, sums)


def stack_weights(products: ArrayLike) -> NDArray:
    r"""Return the exact weights with the smallest error of the weighted mean.

    With residuals :math:`e_s = p_s - y` the error of a weighted mean is :math:`w^\top R w`, :math:`R = e e^\top`. With
    the spaces that have a weight above 0 known, :math:`w \propto R^{-1} 1` on them (Lagrange). All :math:`2^n - 1` sets
    of spaces are tried, all voxels at once, and the best of those without a negative weight is the answer.

    Parameters
    ----------
    products : array (n_voxels, n_spaces, n_spaces)
        Sums over samples of products of residuals; up to 12 spaces.

    Returns
    -------
    weights : array (n_spaces, n_voxels) of float64
        Two spaces that predict alike share the weight.

    Raises
    ------
    ValueError
        If shapes are wrong, a value is not finite, or there are more than 12 spaces (4,095 sets).
    """
    R = as_real(products, "products").astype(np.float64)
    if R.ndim != 3 or R.shape[1] != R.shape[2] or not 1 <= R.shape[1] <= 12:
        raise ValueError(f"products has shape {R.shape}, expected (n_voxels, n_spaces, n_spaces), at most 12 spaces")
    check_finite(R, "products")
    n_voxels, n = R.shape[:2]
    scale = np.trace(R, axis1=1, axis2=2) / n
    R = R / np.where(scale > 0, scale, 1)[:, None, None] + JITTER * np.eye(n)
    best = np.full(n_voxels, np.inf)
    weights = np.zeros((n_voxels, n))
    for size in range(1, n + 1):
        for members in map(list, itertools.combinations(range(n), size)):
            part = R[:, members][:, :, members]
            w = np.linalg.solve(part, np.ones((n_voxels, size, 1)))[:, :, 0]
            w /= w.sum(axis=1, keepdims=True)
            error = np.einsum("vi,vij,vj->v", w, part, w)
            better = (w >= 0).all(axis=1) & (error < best)
            best[better] = error[better]
            weights[better] = 0
            weights[np.ix_(better, members)] = w[better]
    return weights.T


def _outer_folds(model: RidgeCV, data: SplitData, cv: Any) -> tuple[list[tuple[NDArray, NDArray]], NDArray]:
    """Return folds of the training TRs, and the fold that tests each TR."""
    n_trs = len(data.train_runs)
    cv = model.cv if cv is None else cv
    folds = check_folds(cv, n_trs, data.train_groups, model.gap if is_whole(cv) else 0, once=True)
    if len(folds) < 3:
        raise ValueError(f"cv makes {len(folds)} folds, expected three or more: alphas are chosen by those left in")
    fold_of = np.empty(n_trs, dtype=int)
    for k, (_, test) in enumerate(folds):
        fold_of[test] = k
    return folds, fold_of


def residual_products(residuals: NDArray, runs: ArrayLike) -> NDArray:
    """Return sums over time of products of residuals, centered in each run.

    Parameters
    ----------
    residuals : array (n_spaces, n_trs, n_voxels)
    runs : array (n_trs,)

    Returns
    -------
    products : array (n_voxels, n_spaces, n_spaces) of float64
    """
    n_spaces, _, n_voxels = residuals.shape
    total = np.zeros((n_voxels, n_spaces, n_spaces))
    for run in run_slices(runs):
        for block in column_blocks(n_spaces * (run.stop - run.start), n_voxels):
            E = residuals[:, run, block].astype(np.float64)
            E -= E.mean(axis=1, keepdims=True)
            E = E.transpose(2, 0, 1)
            total[block] += E @ E.transpose(0, 2, 1)
    return total
