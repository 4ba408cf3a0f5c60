"""Strategies of decoders: best parcels or voxels, whole cortex, stacking.

Protocol: ``strategy(bold, targets, clips, model, **options) -> StrategyFit``, with voxels already scaled. Scores are
means over dimensions of the CV correlation (folds of whole clips), at the best alpha of each dimension.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import nnls
from sklearn.base import clone

from naturalistic.anatomy.parcels import parcel_columns
from naturalistic.arrays import ShapeRepr, column_blocks
from naturalistic.models.folds import check_folds
from naturalistic.models.ridge import RidgeCV, cross_val_predict, fit_many
from naturalistic.models.scoring import correlation
from naturalistic.parameters import whole

PARCELS_AT_ONCE = 16  # whose voxels are copied: those of all would be the whole brain once more


@dataclass(frozen=True, eq=False, repr=False)
class StrategyFit(ShapeRepr):
    """Result of a strategy.

    Attributes
    ----------
    columns, coefs, intercept, scores, chosen, weights
        See `decoder.Decoder`.
    """

    columns: list[NDArray]
    coefs: list[NDArray]
    intercept: NDArray
    scores: NDArray
    chosen: NDArray
    weights: NDArray


def best_parcels(
    bold: NDArray, targets: NDArray, clips: NDArray, model: RidgeCV, *, parcels: ArrayLike, n_best: int = 6
) -> StrategyFit:
    """Average the predictions of the best parcels (Denk et al. 2023).

    Parameters
    ----------
    bold : array (n_rows, n_voxels)
    targets : array (n_rows, dim)
    clips : array (n_rows,)
    model : RidgeCV
    parcels : int array (n_voxels,)
    n_best : int
        Number of parcels with the best CV correlation; 6 in the paper.

    Returns
    -------
    fit : StrategyFit

    Raises
    ------
    ValueError
        If ``parcels`` are missing or not valid, one has no voxel that varies, or ``n_best`` is not from 1 to their
        number.
    """
    n_best = whole("n_best", n_best)
    columns, models, scores = _fit_parcels(bold, targets, clips, model, parcels)
    chosen = _best(scores, n_best, "n_best")
    weights = np.full(len(chosen), 1 / len(chosen))
    return _combine(columns, models, scores, chosen, weights, targets)


def whole_cortex(bold: NDArray, targets: NDArray, clips: NDArray, model: RidgeCV) -> StrategyFit:
    """Fit one ridge on all voxels.

    Parameters
    ----------
    bold : array (n_rows, n_voxels)
    targets : array (n_rows, dim)
    clips : array (n_rows,)
    model : RidgeCV

    Returns
    -------
    fit : StrategyFit
    """
    fitted = _fit_ridge(model, bold, targets, clips)
    columns = [np.arange(bold.shape[1])]
    return _combine(columns, [fitted], _scores([fitted]), np.array([0]), np.ones(1), targets)


def best_voxels(
    bold: NDArray,
    targets: NDArray,
    clips: NDArray,
    model: RidgeCV,
    *,
    n_voxels: int | Sequence[int] = (100, 300, 1000),
) -> StrategyFit:
    """Fit one ridge on the voxels best predicted from the embedding.

    Voxels are ranked by the CV correlation of an encoding model, from embedding to voxel. Their number is selected by
    an outer cross-validation, in each fold of which voxels are ranked without the fold.

    Parameters
    ----------
    bold : array (n_rows, n_voxels)
    targets : array (n_rows, dim)
    clips : array (n_rows,)
    model : RidgeCV
    n_voxels : int or sequence of int
        Candidate numbers; those above the number of voxels stand for all voxels.

    Returns
    -------
    fit : StrategyFit

    Raises
    ------
    ValueError
        If ``n_voxels`` are not whole numbers above 0.
    """
    candidates = n_voxels if np.ndim(n_voxels) == 1 and len(n_voxels) else [n_voxels]
    sizes = np.unique([min(whole("n_voxels", size), bold.shape[1]) for size in candidates])
    folds = check_folds(model.cv, len(bold), clips)
    scores = np.zeros(len(sizes))
    for train, test in folds:
        order = _rank_voxels(bold[train], targets[train], clips[train], model)
        for k, size in enumerate(sizes):
            voxels = order[:size]
            fitted = _fit_ridge(model, bold[np.ix_(train, voxels)], targets[train], clips[train])
            r = correlation(targets[test], fitted.predict(bold[np.ix_(test, voxels)]))
            scores[k] += np.nan_to_num(r).mean() / len(folds)
    best = int(np.argmax(scores))
    order = np.sort(_rank_voxels(bold, targets, clips, model)[: sizes[best]])
    fitted = _fit_ridge(model, bold[:, order], targets, clips)
    fit = _combine([order], [fitted], scores, np.array([0]), np.ones(1), targets)
    return replace(fit, chosen=np.array([best]))


def stacked_parcels(
    bold: NDArray,
    targets: NDArray,
    clips: NDArray,
    model: RidgeCV,
    *,
    parcels: ArrayLike,
    n_candidates: int = 20,
    per_dimension: bool = False,
) -> StrategyFit:
    """Stack predictions of parcels with non-negative weights (Breiman 1996).

    Stacked regressions, Machine Learning 24. Weights are the non-negative least squares of the targets on predictions
    of each fold by models fitted without it. They need not sum to 1, so they also undo some of the shrinkage.

    Parameters
    ----------
    bold : array (n_rows, n_voxels)
    targets : array (n_rows, dim)
    clips : array (n_rows,)
    model : RidgeCV
    parcels : int array (n_voxels,)
    n_candidates : int
        Number of parcels with the best CV correlation that are stacked.
    per_dimension : bool
        Separate weights for each dimension, instead of the same for all.

    Returns
    -------
    fit : StrategyFit
        If nothing is predicted, all weights are 0 and the prediction is the mean of the targets.

    Raises
    ------
    ValueError
        If ``parcels`` are missing or not valid, one has no voxel that varies, or ``n_candidates`` is below 1.
    """
    n_candidates = whole("n_candidates", n_candidates)
    columns, models, scores = _fit_parcels(bold, targets, clips, model, parcels)
    chosen = _best(scores, min(n_candidates, len(columns)), "n_candidates")
    predictions = [cross_val_predict(model, bold[:, columns[k]], targets, clips, model.cv) for k in chosen.tolist()]
    weights = _stacking_weights(np.stack(predictions), targets, per_dimension)
    return _combine(columns, models, scores, chosen, weights, targets)


STRATEGIES: dict[str, Callable[..., StrategyFit]] = {
    "parcels": best_parcels,
    "whole": whole_cortex,
    "voxels": best_voxels,
    "stack": stacked_parcels,
}


def _fit_ridge(model: RidgeCV, X: NDArray, Y: NDArray, clips: NDArray) -> RidgeCV:
    return clone(model).fit(X, Y, groups=clips)


def _scores(models: list[RidgeCV]) -> NDArray:
    """Return the mean over dimensions of the best CV correlation by model."""
    return np.array([model.cv_scores_.max(axis=0).mean() for model in models])


def _best(scores: NDArray, n: int, name: str) -> NDArray:
    """Return the ``n`` best candidates, the first of equals first."""
    n = whole(name, n, 1, len(scores), hint="there are no more parcels")
    return np.argsort(-scores, kind="stable")[:n]


def _fit_parcels(
    bold: NDArray, targets: NDArray, clips: NDArray, model: RidgeCV, parcels: ArrayLike
) -> tuple[list[NDArray], list[RidgeCV], NDArray]:
    """Return the voxels, the fitted model and the score of each parcel."""
    if parcels is None:
        raise ValueError("parcels is missing: give the parcel of each voxel, such as equal_area_parcels(coordinates)")
    columns = parcel_columns(parcels, bold.shape[1])
    varies = np.ptp(bold, axis=0) > 0
    for k, voxels in enumerate(columns):
        if not varies[voxels].any():
            raise ValueError(f"parcel {k} has no voxel that varies ({len(voxels)} are constant): mark them with -1")
    models: list[RidgeCV] = []
    for start in range(0, len(columns), PARCELS_AT_ONCE):
        part = {k: bold[:, columns[k]] for k in range(start, min(start + PARCELS_AT_ONCE, len(columns)))}
        models += fit_many(model, part, targets, clips).values()
    return columns, models, _scores(models)


def _combine(
    columns: list[NDArray],
    models: list[RidgeCV],
    scores: NDArray,
    chosen: NDArray,
    weights: NDArray,
    targets: NDArray,
) -> StrategyFit:
    """Return the weighted sum of predictions, each minus the mean of the targets."""
    dtype = models[0].coef_.dtype
    mean = targets.mean(axis=0, dtype=np.float64)
    by_dimension = np.broadcast_to(weights[:, None] if weights.ndim == 1 else weights, (len(chosen), len(mean)))
    intercept = mean.copy()
    coefs = []
    for k, weight in zip(chosen.tolist(), by_dimension):
        coefs.append((models[k].coef_ * weight[:, None]).astype(dtype))
        intercept += weight * (models[k].intercept_ - mean)
    return StrategyFit([columns[k] for k in chosen.tolist()], coefs, intercept.astype(dtype), scores, chosen, weights)


def _rank_voxels(bold: NDArray, targets: NDArray, clips: NDArray, model: RidgeCV) -> NDArray:
    """Return voxels by decreasing CV correlation of their encoding model."""
    features = ((targets - targets.mean(axis=0, dtype=np.float64)) / _column_sd(targets)).astype(bold.dtype)
    return np.argsort(-_fit_ridge(model, features, bold, clips).cv_scores_.max(axis=0), kind="stable")


def _stacking_weights(predictions: NDArray, targets: NDArray, per_dimension: bool) -> NDArray:
    """Return non-negative weights (n_candidates,) or (n_candidates, dim).

    With one weight for all dimensions, each dimension counts equally, whatever its variance.
    """
    n_candidates, n_rows, dim = predictions.shape
    grams = np.empty((dim, n_candidates, n_candidates))
    products = np.empty((dim, n_candidates))
    mean = targets.mean(axis=0, dtype=np.float64)
    sd = _column_sd(targets)
    for block in column_blocks(n_candidates * n_rows, dim):
        P = ((predictions[:, :, block] - mean[block]) / sd[block]).transpose(2, 0, 1)
        Y = (targets[:, block] - mean[block]) / sd[block]
        grams[block] = P @ P.transpose(0, 2, 1)
        products[block] = (P @ Y.T[:, :, None])[:, :, 0]
    if per_dimension:
        return np.stack([_nonnegative_solution(G, c) for G, c in zip(grams, products)], axis=1)
    return _nonnegative_solution(grams.sum(axis=0), products.sum(axis=0))


def _column_sd(targets: NDArray) -> NDArray:
    """Return the standard deviation of each dimension, 1 for a constant one."""
    return np.where(np.ptp(targets, axis=0) > 0, targets.std(axis=0, dtype=np.float64), 1)


def _nonnegative_solution(G: NDArray, c: NDArray) -> NDArray:
    """Return the w >= 0 (n,) with the smallest w' G w - 2 c' w."""
    values, vectors = np.linalg.eigh(G)
    if values[-1] <= 0:
        return np.zeros(len(c))
    kept = values > values[-1] * 1e-12
    root = np.sqrt(values[kept])
    return nnls(root[:, None] * vectors[:, kept].T, vectors[:, kept].T @ c / root)[0]
