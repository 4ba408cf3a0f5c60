"""Encoding models: from feature spaces to predicted responses on data that the model has not seen."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from sklearn.base import clone

from naturalistic.features.delays import fir
from naturalistic.folds import check_folds
from naturalistic.inference import circular_shift_null
from naturalistic.preprocessing import zscore
from naturalistic.runs import check_runs
from naturalistic.scoring import correlation


class HeldOut(NamedTuple):
    """Responses that were predicted by models which had not seen them.

    Attributes
    ----------
    measured : array (n_trs, n_voxels)
        What was to be predicted: BOLD, less what the confounds explain of it.
    predicted : array (n_trs, n_voxels)
    """

    measured: np.ndarray
    predicted: np.ndarray


class Accuracy(NamedTuple):
    """How well held-out responses were predicted.

    Attributes
    ----------
    r : array (n_voxels,)
        Pearson correlation inside each group, averaged over groups (weighted by their length).
    null : array (n_permutations, n_voxels)
        The same with predictions shifted in time.
    """

    r: np.ndarray
    null: np.ndarray


def held_out_predictions(spaces, bold, model, *, groups, cv, delays, tr, runs=None, gap=0, confounds=None):
    """Predict every TR from a model that was fitted without its fold.

    In each outer fold the features are scaled by the mean and standard deviation of the training TRs, delayed
    inside each run, and given to a fresh copy of ``model``, which picks its alphas inside the training TRs.

    Parameters
    ----------
    spaces : dict of str to array (n_trs, n_features), or one array
        Feature spaces on the TR grid, not delayed.
    bold : array (n_trs, n_voxels)
    model : RidgeCV
        Its own ``cv`` splits the training TRs by ``groups``.
    groups : array-like (n_trs,)
        Runs, titles or contiguous blocks that are left out whole.
    cv : int, splitter or list of (train, test)
        Outer folds; together they test each TR once.
    delays : sequence of float, or dict of such by space
        Delays in s; ``[0]`` leaves a space as it is.
    tr : float
        Repetition time in s.
    runs : array-like (n_trs,), optional
        Run id of each TR.
    gap : int
        TRs left out of training on either side of a test group, when ``cv`` is a number.
    confounds : array (n_trs, n_confounds), optional
        Regressed out of features and BOLD by least squares on the training TRs, so that only what the
        confounds cannot explain is predicted, and from what they do not share (Frisch & Waugh 1933).

    Returns
    -------
    held_out : HeldOut
        Of the dtype of ``bold``.

    Raises
    ------
    ValueError
        If lengths differ, a space has no delays, or the folds do not test each TR once.
    """
    bold = np.asarray(bold)
    spaces, delays = _check_spaces(spaces, delays, len(bold))
    runs, groups = check_runs(runs, len(bold)), np.asarray(groups)
    folds = check_folds(cv, len(bold), groups, gap)
    tested = np.concatenate([test for _, test in folds])
    if len(tested) != len(bold) or len(np.unique(tested)) != len(bold):
        raise ValueError(f"cv tests {len(np.unique(tested))} of {len(bold)} TRs, expected each exactly once")
    measured, predicted = np.empty_like(bold), np.empty_like(bold)
    for train, test in folds:
        X, Y = design(spaces, delays, tr, runs, train), bold
        if confounds is not None:
            X, Y = residuals(X, confounds, train), residuals(Y, confounds, train)
        fitted = clone(model).fit(X[train], Y[train], groups=groups[train])
        measured[test], predicted[test] = Y[test], fitted.predict(X[test])
    return HeldOut(measured, predicted)


def accuracy(held_out, groups, *, n_permutations=1000, min_shift=1, seed=0):
    """Score held-out predictions inside each group, with a null of predictions shifted in time.

    Each group was predicted by another model, with its own intercept and shrinkage. Pooled over groups, a
    correlation would reward or punish those; inside a group only the time course counts.

    Parameters
    ----------
    held_out : HeldOut
    groups : array-like (n_trs,)
        The groups that were left out whole, each contiguous; shifts stay inside them.
    n_permutations : int
    min_shift : int
        Least shift in TRs. A larger one makes the test anti-conservative (see `circular_shift_null`).
    seed : int

    Returns
    -------
    accuracy : Accuracy
        A constant response or prediction scores 0.
    """
    measured, predicted = (zscore(x, groups) for x in held_out)
    r = np.nan_to_num(correlation(measured, predicted))
    null = circular_shift_null(measured, predicted, groups, n_permutations, min_shift, seed)
    return Accuracy(r, np.nan_to_num(null))


def design(spaces, delays, tr, runs=None, train=slice(None)):
    """Return all spaces, scaled by their training TRs and delayed, side by side.

    Parameters
    ----------
    spaces, delays, tr, runs
        As in `held_out_predictions`.
    train : index array or slice
        TRs from which mean and standard deviation are taken; a feature that is constant there becomes 0.

    Returns
    -------
    X : array (n_trs, sum of n_delays * n_features)
        Space by space, each delay by delay.
    """
    spaces, delays = _check_spaces(spaces, delays)
    blocks = []
    for name, features in spaces.items():
        mean, sd = features[train].mean(axis=0), features[train].std(axis=0)
        flat = sd <= 1e-6 * np.abs(features[train]).max(axis=0)
        scaled = np.where(flat, 0, (features - mean) / np.where(flat, 1, sd)).astype(features.dtype)
        blocks.append(fir(scaled, delays[name], tr, runs))
    return np.concatenate(blocks, axis=1)


def residuals(X, confounds, train=slice(None)):
    """Return what confounds and a constant leave of X, by least squares on the training TRs.

    Parameters
    ----------
    X : array (n_trs, n_columns)
    confounds : array (n_trs, n_confounds)
    train : index array or slice

    Returns
    -------
    left : array (n_trs, n_columns)
        Of the dtype of X.
    """
    C = np.column_stack([np.ones(len(X)), np.asarray(confounds, dtype=np.float64)])
    C[:, 1:] = (C[:, 1:] - C[train, 1:].mean(axis=0)) / np.maximum(C[train, 1:].std(axis=0), 1e-12)
    weights = np.linalg.lstsq(C[train], X[train].astype(np.float64), rcond=None)[0]
    return (X - C @ weights).astype(X.dtype)


def _check_spaces(spaces, delays, n_trs=None):
    """Return both as dicts with the same keys."""
    if not isinstance(spaces, Mapping):
        spaces = {"features": spaces}
    if not spaces:
        raise ValueError("spaces is empty, expected at least one feature space")
    spaces = {name: np.asarray(X) for name, X in spaces.items()}
    lengths = {name: len(X) for name, X in spaces.items()}
    n_trs = next(iter(lengths.values())) if n_trs is None else n_trs
    wrong = {name: n for name, n in lengths.items() if n != n_trs}
    if wrong:
        raise ValueError(f"spaces have other lengths than the {n_trs} TRs expected: {wrong}")
    delays = delays if isinstance(delays, Mapping) else dict.fromkeys(spaces, delays)
    missing = [name for name in spaces if name not in delays]
    if missing:
        raise ValueError(f"delays has none for the spaces {missing}; [0] leaves a space as it is")
    return spaces, delays
