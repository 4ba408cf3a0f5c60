"""Encoding models: from feature spaces to predicted responses on data that the model has not seen."""

from collections.abc import Mapping

import numpy as np
from sklearn.base import clone

from naturalistic.features.delays import fir
from naturalistic.folds import check_folds
from naturalistic.runs import check_runs


def held_out_predictions(spaces, bold, model, *, groups, cv, delays, tr, runs=None, gap=0):
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

    Returns
    -------
    predicted : array (n_trs, n_voxels)
        Of the dtype of ``bold``.

    Raises
    ------
    ValueError
        If lengths differ, a space has no delays, or the folds do not test each TR once.
    """
    spaces, delays, bold = *_check_spaces(spaces, delays, len(bold)), np.asarray(bold)
    runs, groups = check_runs(runs, len(bold)), np.asarray(groups)
    folds = check_folds(cv, len(bold), groups, gap)
    tested = np.concatenate([test for _, test in folds])
    if len(tested) != len(bold) or len(np.unique(tested)) != len(bold):
        raise ValueError(f"cv tests {len(np.unique(tested))} of {len(bold)} TRs, expected each exactly once")
    predicted = np.empty_like(bold)
    for train, test in folds:
        X = design(spaces, delays, tr, runs, train)
        fitted = clone(model).fit(X[train], bold[train], groups=groups[train])
        predicted[test] = fitted.predict(X[test])
    return predicted


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
