"""Which voxels a decoder reads: the best parcels, all, the best voxels, or parcels that are weighed.

One protocol: ``strategy(bold, targets, clips, model, **options) -> Part``, with voxels already scaled. Scores are means
over dimensions of the CV correlation (folds of whole clips), at the best alpha of each dimension.
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls
from sklearn.base import clone

from naturalistic.anatomy.parcels import parcel_columns
from naturalistic.arrays import column_blocks
from naturalistic.models.folds import check_folds
from naturalistic.models.ridge import cross_val_predict, fit_many
from naturalistic.models.scoring import correlation
from naturalistic.parameters import whole


class Part(NamedTuple):
    """What a strategy returns; see `decoder.Decoder` for the names."""

    columns: list
    coefs: list
    intercept: np.ndarray
    scores: np.ndarray
    chosen: np.ndarray
    weights: np.ndarray


def best_parcels(bold, targets, clips, model, *, parcels, n_best=6):
    """Fit one ridge a parcel, keep the best by CV correlation, average their predictions (Denk et al. 2023).

    Parameters
    ----------
    bold : array (n_rows, n_voxels)
    targets : array (n_rows, dim)
    clips : array (n_rows,)
    model : RidgeCV
    parcels : int array (n_voxels,)
    n_best : int
        The paper's 6.

    Returns
    -------
    part : Part

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
    return _combined(columns, models, scores, chosen, weights, targets)


def whole_cortex(bold, targets, clips, model):
    """Fit one ridge on all voxels.

    Parameters
    ----------
    bold, targets, clips, model
        As of `best_parcels`.

    Returns
    -------
    part : Part
    """
    model = _fitted(model, bold, targets, clips)
    return _combined([np.arange(bold.shape[1])], [model], _scores([model]), np.array([0]), np.ones(1), targets)


def best_voxels(bold, targets, clips, model, *, n_voxels=(100, 300, 1000)):
    """Fit one ridge on the voxels that the embedding itself predicts best.

    Voxels are ranked by the CV correlation of an encoding model, from embedding to voxel. How many are taken is chosen
    by another cross-validation, in each fold of which they are ranked anew without the fold.

    Parameters
    ----------
    bold, targets, clips, model
        As of `best_parcels`.
    n_voxels : int or sequence of int
        Numbers to choose from; none is taken that is larger than the number of voxels, except that one stands for all.

    Returns
    -------
    part : Part

    Raises
    ------
    ValueError
        If ``n_voxels`` are no whole numbers above 0.
    """
    listed = n_voxels if np.ndim(n_voxels) == 1 and len(n_voxels) else [n_voxels]
    sizes = np.unique([min(whole("n_voxels", size), bold.shape[1]) for size in listed])
    folds = check_folds(model.cv, len(bold), clips)
    scores = np.zeros(len(sizes))
    for train, test in folds:
        order = _rank_voxels(bold[train], targets[train], clips[train], model)
        for k, size in enumerate(sizes):
            fitted = _fitted(model, bold[train][:, order[:size]], targets[train], clips[train])
            r = correlation(targets[test], fitted.predict(bold[test][:, order[:size]]))
            scores[k] += np.nan_to_num(r).mean() / len(folds)
    best = int(np.argmax(scores))
    order = np.sort(_rank_voxels(bold, targets, clips, model)[: sizes[best]])
    fitted = _fitted(model, bold[:, order], targets, clips)
    part = _combined([order], [fitted], scores, np.array([0]), np.ones(1), targets)
    return part._replace(chosen=np.array([best]))


def stacked_parcels(bold, targets, clips, model, *, parcels, n_candidates=20, per_dimension=False):
    """Weigh the predictions of parcels, no weight below 0 (Breiman 1996, Stacked regressions, Machine Learning 24).

    Weights are the non-negative least squares of the targets on predictions of each fold by models that had not seen
    it. They need not sum to 1, so they also undo some of the shrinkage.

    Parameters
    ----------
    bold, targets, clips, model, parcels
        As of `best_parcels`.
    n_candidates : int
        Best parcels that are weighed.
    per_dimension : bool
        Weights for each dimension of its own, instead of the same for all.

    Returns
    -------
    part : Part
        If nothing predicts, all weights are 0 and the prediction is the mean of the targets.

    Raises
    ------
    ValueError
        As of `best_parcels`.
    """
    n_candidates = whole("n_candidates", n_candidates)
    columns, models, scores = _fit_parcels(bold, targets, clips, model, parcels)
    chosen = _best(scores, min(n_candidates, len(columns)), "n_candidates")
    held_out = np.stack(
        [cross_val_predict(model, bold[:, columns[k]], targets, clips, model.cv) for k in chosen.tolist()]
    )
    weights = _stack(held_out, targets, per_dimension)
    return _combined(columns, models, scores, chosen, weights, targets)


STRATEGIES = {"parcels": best_parcels, "whole": whole_cortex, "voxels": best_voxels, "stack": stacked_parcels}


def _fitted(model, bold, targets, clips):
    return clone(model).fit(bold, targets, groups=clips)


def _scores(models):
    """Return the mean over dimensions of the best CV correlation of each model (n_models,)."""
    return np.array([model.cv_scores_.max(axis=0).mean() for model in models])


def _best(scores, n, name):
    """Return the ``n`` best candidates, the first of equals first."""
    n = whole(name, n, 1, len(scores), hint="there are no more parcels")
    return np.argsort(-scores, kind="stable")[:n]


def _fit_parcels(bold, targets, clips, model, parcels):
    """Return the voxels (list), the fitted model (list) and the score (n_parcels,) of each parcel."""
    if parcels is None:
        raise ValueError("parcels is missing: give the parcel of each voxel, such as equal_area_parcels(coordinates)")
    columns = parcel_columns(parcels, bold.shape[1])
    varies = np.ptp(bold, axis=0) > 0
    for k, voxels in enumerate(columns):
        if not varies[voxels].any():
            raise ValueError(f"parcel {k} has no voxel that varies ({len(voxels)} are constant): mark them with -1")
    models = fit_many(model, [bold[:, voxels] for voxels in columns], targets, clips)
    return columns, models, _scores(models)


def _combined(columns, models, scores, chosen, weights, targets):
    """Return the `Part` of a weighted sum of predictions, each less the mean of the targets."""
    dtype = models[0].coef_.dtype
    mean = targets.mean(axis=0, dtype=np.float64)
    wide = np.broadcast_to(weights[:, None] if weights.ndim == 1 else weights, (len(chosen), len(mean)))
    intercept, coefs = mean.copy(), []
    for k, weight in zip(chosen.tolist(), wide):
        coefs.append((models[k].coef_ * weight[:, None]).astype(dtype))
        intercept += weight * (models[k].intercept_ - mean)
    return Part([columns[k] for k in chosen.tolist()], coefs, intercept.astype(dtype), scores, chosen, weights)


def _rank_voxels(bold, targets, clips, model):
    """Return voxels in the order in which the embedding predicts them (CV correlation), the best first."""
    sd = _spread(targets)
    features = ((targets - targets.mean(axis=0, dtype=np.float64)) / sd).astype(bold.dtype)
    return np.argsort(-_fitted(model, features, bold, clips).cv_scores_.max(axis=0), kind="stable")


def _stack(held_out, targets, per_dimension):
    """Return non-negative weights (n_candidates,), or (n_candidates, dim), of predictions (n_candidates, n_rows, dim).

    One weight for all dimensions: each dimension counts alike, whatever its variance.
    """
    n_candidates, n_rows, dim = held_out.shape
    grams, products = np.empty((dim, n_candidates, n_candidates)), np.empty((dim, n_candidates))
    mean, sd = targets.mean(axis=0, dtype=np.float64), _spread(targets)
    for block in column_blocks(n_candidates * n_rows, dim):
        P = ((held_out[:, :, block] - mean[block]) / sd[block]).transpose(2, 0, 1)
        grams[block] = P @ P.transpose(0, 2, 1)
        products[block] = (P @ ((targets[:, block] - mean[block]) / sd[block]).T[:, :, None])[:, :, 0]
    if per_dimension:
        return np.stack([_nonnegative(G, c) for G, c in zip(grams, products)], axis=1)
    return _nonnegative(grams.sum(axis=0), products.sum(axis=0))


def _spread(targets):
    """Return the standard deviation of each dimension (dim,); 1 of a constant one, whose rounding is no spread."""
    return np.where(np.ptp(targets, axis=0) > 0, targets.std(axis=0, dtype=np.float64), 1)


def _nonnegative(gram, product):
    """Return the w >= 0 (n,) with the smallest w' G w - 2 c' w."""
    values, vectors = np.linalg.eigh(gram)
    kept = values > values[-1] * 1e-12
    if values[-1] <= 0:
        return np.zeros(len(product))
    root = np.sqrt(values[kept])
    return nnls(root[:, None] * vectors[:, kept].T, vectors[:, kept].T @ product / root)[0]
