"""Encoding models: from feature spaces to predicted responses on data that the model has not seen."""

from typing import NamedTuple

import numpy as np
from sklearn.base import clone
from tqdm import tqdm

from naturalistic.arrays import as_floats, check_finite
from naturalistic.encoding.design import check_confounds, check_spaces, design, residuals, rotated, shifted
from naturalistic.inference import draw_shifts, p_values
from naturalistic.models.folds import check_folds, check_groups
from naturalistic.models.scoring import correlation
from naturalistic.parameters import whole
from naturalistic.preprocessing import zscore
from naturalistic.runs import check_runs, run_slices

MAX_TARGETS = 20_000  # shifted copies of the responses that are fitted at a time


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
    """How well the held-out responses of a group were predicted.

    Attributes
    ----------
    r : array (n_subjects, n_voxels)
        Pearson correlation, see `correlation_inside`.
    null : array (n_permutations, n_voxels)
        Mean over subjects of the same for models fitted to shifted responses.
    p : array (n_voxels,)
        (b + 1) / (m + 1), with b of m values of the null that reach the mean of r over subjects.
    """

    r: np.ndarray
    null: np.ndarray
    p: np.ndarray


def held_out_predictions(spaces, bold, model, *, groups, cv, delays, tr, runs=None, gap=0, confounds=None, shifts=None):
    """Predict every TR from a model that was fitted without its fold.

    In each outer fold the features are scaled by the mean and standard deviation of the training TRs, delayed
    inside each run, and given to a fresh copy of ``model``, which picks its alphas inside the training TRs.

    Parameters
    ----------
    spaces : dict of str to array (n_trs, n_features), or one array
        Feature spaces on the TR grid, not delayed. An array alone is the space "features".
    bold : array (n_trs, n_voxels)
        Responses, any unit; whole numbers are worked on in float64.
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
    shifts : array of int (n_shifts, n_runs), optional
        For a null: BOLD (less confounds) is shifted circularly inside each run by each row, and each shifted copy
        is fitted and predicted like BOLD itself.

    Returns
    -------
    held_out : HeldOut
        float32 when ``bold`` is; with ``shifts`` of (n_trs, n_shifts * n_voxels), shift by shift.

    Raises
    ------
    ValueError
        Before anything is fitted: if an argument is not as described, lengths differ, a space has no delays, or the
        folds do not test each TR once.
    """
    bold = as_floats(bold, "bold")
    if bold.ndim != 2:
        raise ValueError(f"bold has shape {bold.shape}, expected (n_trs, n_voxels): one voxel is bold[:, None]")
    check_finite(bold, "bold")
    spaces, delays = check_spaces(spaces, delays, len(bold))
    runs, groups = check_runs(runs, len(bold)), check_groups(groups, len(bold))
    folds = check_folds(cv, len(bold), groups, gap, runs, once=True)
    if confounds is not None:
        confounds = check_confounds(confounds, len(bold), min(len(train) for train, _ in folds))
    n_targets = bold.shape[1] * (1 if shifts is None else len(shifts))
    measured, predicted = np.empty((2, len(bold), n_targets), dtype=bold.dtype)
    for train, test in folds:
        X, Y = design(spaces, delays, tr, runs, train), bold
        if confounds is not None:
            X, Y = residuals(X, confounds, train), residuals(Y, confounds, train)
        X = rotated(X)
        if shifts is not None:
            Y = np.concatenate([shifted(Y, row, runs) for row in shifts], axis=1)
        fitted = clone(model).fit(X[train], Y[train], groups=groups[train])
        measured[test], predicted[test] = Y[test], fitted.predict(X[test])
    return HeldOut(measured, predicted)


def correlation_inside(held_out, groups):
    """Correlate held-out predictions and responses inside each group of TRs.

    Each group was predicted by another model, with its own intercept and shrinkage. Pooled over groups, a
    correlation would reward or punish those; inside a group only the time course counts.

    Parameters
    ----------
    held_out : HeldOut
    groups : array-like (n_trs,)
        The groups that were left out whole, each contiguous.

    Returns
    -------
    r : array (n_voxels,)
        Mean over groups, weighted by their length; a constant response or prediction scores 0.

    Raises
    ------
    ValueError
        If a group is not contiguous.
    """
    measured, predicted = (zscore(x, groups) for x in held_out)
    return np.nan_to_num(correlation(measured, predicted))


def group_accuracy(spaces, bold, model, *, groups, confounds=None, n_permutations=200, seed=0, **options):
    """Score one model for each subject of a group that saw or heard the same, against a null that is fitted too.

    Features are the same for all, so all subjects are targets of one regression; only confounds of their own
    need one regression each. For the null, BOLD is shifted in time inside each run, all subjects alike because
    they share the stimulus, and everything is fitted again. (Shifting finished predictions instead would find
    10 to 14 % false positives at 0.05: the models of different folds were fitted on each other's test data, so
    their scores rise and fall together, and a null must let them.)

    Parameters
    ----------
    spaces, model, groups, options
        As in `held_out_predictions`.
    bold : array (n_subjects, n_trs, n_voxels)
    confounds : array (n_subjects, n_trs, n_confounds), optional
        Of each subject.
    n_permutations : int
        Rows of the null; 0 for none (and NaN for p).
    seed : int
        Draws the shifts.

    Returns
    -------
    accuracy : Accuracy

    Raises
    ------
    ValueError
        As `held_out_predictions`; if ``bold`` has other axes, or ``confounds`` are of another number of subjects.
    """
    bold = as_floats(bold, "bold", "subject")
    if bold.ndim != 3:
        raise ValueError(f"bold has shape {bold.shape}, expected (n_subjects, n_trs, n_voxels)")
    n_subjects, n_trs, n_voxels = bold.shape
    n_permutations = whole("n_permutations", n_permutations, 0)
    if confounds is not None:
        if len(confounds) != n_subjects:
            raise ValueError(f"confounds are of {len(confounds)} subjects, expected {n_subjects} as in bold")
        confounds = [check_confounds(own, n_trs, name=f"confounds[{k}]") for k, own in enumerate(confounds)]
    parts = [(bold.transpose(1, 0, 2).reshape(n_trs, -1), None)] if confounds is None else list(zip(bold, confounds))
    batches = shift_batches(options.get("runs"), n_trs, parts[0][0].shape[1], n_permutations, seed)
    jobs = [(targets, own, batch) for targets, own in parts for batch in batches]
    scored = []
    for targets, own, batch in tqdm(jobs, desc="fits", delay=3, leave=False):
        held_out = held_out_predictions(spaces, targets, model, groups=groups, confounds=own, shifts=batch, **options)
        scored.append(correlation_inside(held_out, groups).reshape(len(batch), -1, n_voxels))
    return _summarise(scored, sum(map(len, batches)), n_subjects, n_voxels)


def shift_batches(runs, n_trs, n_targets, n_permutations, seed=0):
    """Return the shifts at which responses are fitted and predicted, in batches that fit into memory.

    Parameters
    ----------
    runs : array-like (n_trs,) or None
    n_trs, n_targets : int
        Of the responses that are shifted.
    n_permutations : int
        0 for none.
    seed : int
        Draws the shifts.

    Returns
    -------
    batches : list of int array (n, n_runs)
        The first row of the first is no shift, the observed alignment.
    """
    shifts = np.zeros((1, len(run_slices(runs, n_trs))), dtype=int)
    if n_permutations:
        shifts = np.concatenate([shifts, draw_shifts(runs, n_permutations, seed=seed, n_trs=n_trs)])
    return np.array_split(shifts, min(len(shifts), -(-len(shifts) * n_targets // MAX_TARGETS)))


def _summarise(scored, n_shifts, n_subjects, n_voxels):
    """Put batches of scores (n_batch, n_subjects or 1, n_voxels) together, subject by subject or all at once."""
    if scored[0].shape[1] == n_subjects:
        scores = np.concatenate(scored)
    else:
        scores = np.concatenate(scored).reshape(n_subjects, n_shifts, n_voxels).transpose(1, 0, 2)
    r, null = scores[0], scores[1:].mean(axis=1)
    return Accuracy(r, null, p_values(r.mean(axis=0), null) if len(null) else np.full(n_voxels, np.nan))
