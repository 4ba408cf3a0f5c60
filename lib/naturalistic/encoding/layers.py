"""Layers of a model: scores of each, selection inside training runs, accuracy of the selected on test runs.

Which layer and which voxels are looked at is chosen by cross-validation inside the training runs, as in Nakagi et al.
(2024); the test runs only judge.
"""

from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from naturalistic.arrays import as_real, as_stored
from naturalistic.encoding.design import shifted
from naturalistic.encoding.fit import shift_batches
from naturalistic.encoding.held_out import fit_training_runs
from naturalistic.encoding.multi_subject import SideBySide
from naturalistic.encoding.rows import as_responses, marked_rows
from naturalistic.encoding.scores import repeats_itself, shifted_p
from naturalistic.inference import circular_shift_null, noise_ceiling
from naturalistic.models.folds import GroupGapKFold, check_groups
from naturalistic.models.scoring import correlation
from naturalistic.parameters import whole
from naturalistic.runs import check_runs

_BLOCK = 8192  # voxels tested at once: 0.25 GB of responses for two hours of test film


class Layers(NamedTuple):
    """How well each layer predicts each voxel.

    Attributes
    ----------
    cv : array (n_layers, n_voxels)
        Mean score over folds of the training runs, at the best alpha.
    r : array (n_layers, n_voxels)
        Pearson correlation on the test runs.
    p : array (n_layers, n_voxels)
        Of r, one-sided, from shifted predictions; NaN if no permutations were asked for.
    p_max : array (n_layers, n_voxels)
        The same corrected for all voxels of a subject, by the best of them in each shift (family-wise).
    """

    cv: np.ndarray
    r: np.ndarray
    p: np.ndarray
    p_max: np.ndarray


def sweep(features, bold, model, *, test, delays, tr, runs, merge=None, n_permutations=0, seed=0, name="layers"):
    """Fit and test one model for each layer of a feature space.

    Parameters
    ----------
    features : array (n_trs, n_layers, dim) or (n_trs, dim)
    bold : array (n_trs, n_voxels) or SideBySide
    model : RidgeCV
    test, delays, tr, runs, merge
        As in `predict_test_runs`.
    n_permutations : int
        Circular shifts of the null, see `score`; 0 for none.
    seed : int
        The same shifts for every layer, so that layers differ by what they predict alone.
    name : str
        Of the progress bar.

    Returns
    -------
    layers : Layers

    Raises
    ------
    ValueError
        As `predict_test_runs`; if a layer does not vary.
    """
    bold = as_responses(bold)
    features, n_permutations = as_stored(features, "features"), whole("n_permutations", n_permutations, 0)
    features = features[:, None] if features.ndim == 2 else features
    if features.ndim != 3:
        raise ValueError(f"features has shape {features.shape}, expected (n_trs, n_layers, dim) or (n_trs, dim)")
    how = {"test": test, "delays": delays, "tr": tr, "runs": runs, "merge": merge}
    subjects = bold.columns.values() if isinstance(bold, SideBySide) else [slice(0, bold.shape[1])]
    size = features.shape[1], bold.shape[1]  # p in float64: rounded up, one at the level itself would not count
    (cv, r), (p, p_max) = np.full((2, *size), np.nan, np.float32), np.full((2, *size), np.nan)
    for k in tqdm(range(features.shape[1]), desc=name, delay=3, leave=False):
        fitted = fit_training_runs({f"{name}, layer {k}": features[:, k]}, bold, model, **how)
        cv[k] = fitted.model.cv_scores_.max(axis=0)
        for own in subjects:  # the best voxel of a shift is that of a subject
            blocks = (fitted.held_out(slice(v, min(v + _BLOCK, own.stop))) for v in range(own.start, own.stop, _BLOCK))
            if n_permutations:
                ids = fitted.rows.test_runs
                r[k, own], p[k, own], p_max[k, own] = shifted_p(blocks, ids, n_permutations, seed=seed)
            else:
                r[k, own] = np.concatenate([correlation(*held_out) for held_out in blocks])
    return Layers(cv, r, p, p_max)


class Choice(NamedTuple):
    """What the training runs chose for one subject.

    Attributes
    ----------
    layer : int
    voxels : int array (n_best,)
        The best first.
    cv : array (n_layers,)
        Mean score of the ``n_best`` voxels of each layer.
    """

    layer: int
    voxels: np.ndarray
    cv: np.ndarray


def choose(cv, n_best):
    """Choose a layer, and the voxels that it predicts best, by scores from inside the training runs.

    A layer is judged by the mean over its own best voxels (Nakagi et al. 2024: 5,000 of about 70,000).

    Parameters
    ----------
    cv : array (n_layers, n_voxels)
        Of one subject, from `sweep`.
    n_best : int

    Returns
    -------
    choice : Choice

    Raises
    ------
    ValueError
        If ``n_best`` is not from 1 to the number of voxels.
    """
    cv = as_real(cv, "cv")
    if cv.ndim != 2:
        raise ValueError(f"cv has shape {cv.shape}, expected (n_layers, n_voxels)")
    n_best = whole("n_best", n_best, 1, cv.shape[1], hint=f"cv is of {cv.shape[1]} voxels")
    best = np.argsort(-cv, axis=1, kind="stable")[:, :n_best]
    means = np.take_along_axis(cv, best, axis=1).mean(axis=1)
    layer = int(np.argmax(means))
    return Choice(layer, best[layer], means)


def choose_each(cv, n_best):
    """Return the `Choice` of each subject.

    Parameters
    ----------
    cv : dict of str to array (n_layers, n_voxels)
        By subject.
    n_best : int
        As of `choose`.

    Returns
    -------
    choices : dict of str to Choice
    """
    return {subject: choose(x, n_best) for subject, x in cv.items()}


def at_layer(values, choices):
    """Return each subject's values at the layer that was chosen.

    Parameters
    ----------
    values : dict of str to array (n_layers, n_voxels)
        By subject.
    choices : dict of str to Choice

    Returns
    -------
    values : dict of str to array (n_voxels,)
    """
    return {subject: x[choices[subject].layer] for subject, x in values.items()}


def over_voxels(values, choices):
    """Return the mean of each subject's values over the voxels that were chosen, NaN left out.

    Parameters
    ----------
    values : dict of str to array (n_voxels,)
        By subject.
    choices : dict of str to Choice

    Returns
    -------
    means : array (n_subjects,)
    """
    return np.array([np.nanmean(x[choices[subject].voxels]) for subject, x in values.items()])


def null_over_voxels(
    features, bold, model, choices, voxels, *, test, delays, tr, runs, merge=None, n_permutations=1000, seed=0
):
    """Return the null of a subject's mean r over some voxels at the layer that was chosen: the same shifts for all.

    For a test of subjects who share the stimulus (`inference.shared_stimulus_test`). Layers are chosen after a `sweep`,
    and the null of every layer and voxel would not fit into memory; so the chosen layer is fitted once more, to these
    voxels alone.

    Parameters
    ----------
    features, bold, model, test, delays, tr, runs, merge
        As in `sweep`; ``bold`` is a `SideBySide`.
    choices : dict of str to Choice
        By subject, of which the layer is taken.
    voxels : dict of str to int array (n,)
        By subject, chosen without the test runs.
    n_permutations, seed
        As in `circular_shift_null`.

    Returns
    -------
    null : array (n_permutations, n_subjects)
    """
    features = as_real(features, "features")
    features = features[:, None] if features.ndim == 2 else features
    subjects = list(bold.bold)
    null = {}
    for layer in sorted({choices[s].layer for s in subjects}):
        members = [s for s in subjects if choices[s].layer == layer]
        picked = type(bold)({s: bold.bold[s] for s in members}).pick({s: voxels[s] for s in members})
        fitted = fit_training_runs(
            {"layer": features[:, layer]}, picked, model, test=test, delays=delays, tr=tr, runs=runs, merge=merge
        )
        for s, columns in picked.columns.items():
            measured, predicted = fitted.held_out(columns)
            shifted = circular_shift_null(measured, predicted, fitted.rows.test_runs, n_permutations, 1, seed)
            null[s] = np.nanmean(shifted, axis=1, dtype=np.float64)
    return np.stack([null[s] for s in subjects], axis=1)


def ceilings(bold, *, test, runs, merge, seed=0):
    """Return each subject's noise ceiling in test runs that were shown more than once, and where it is more than noise.

    Parameters
    ----------
    bold : SideBySide
    test, runs, merge
        As in `predict_test_runs`.
    seed : int
        Of the shifts that say where responses repeat, see `repeats_itself`.

    Returns
    -------
    ceiling : dict of str to array (n_voxels,)
        By subject: r of a perfect model with the mean of all viewings; empty if ``merge`` is None.
    reliable : dict of str to bool array (n_voxels,)
    """
    ceiling, reliable = {}, {}
    for subject, x in bold.bold.items() if merge else ():
        repeats, ids = merge(marked_rows(x, test), np.asarray(runs)[test])
        ceiling[subject] = noise_ceiling(repeats, len(repeats), ids)
        reliable[subject] = repeats_itself(repeats, ids, seed=seed)
    return ceiling, reliable


class BlockSweep(NamedTuple):
    """How well blocks are predicted at the layer that was chosen without them.

    Attributes
    ----------
    r : array (n_voxels,)
        Pearson correlation on what was left out: mean over folds; a fold whose prediction is constant counts as 0.
    layers : int array (n_folds,)
        Chosen without each fold.
    null : array (n_permutations, n_voxels)
        The same of responses that were shifted before everything was fitted, and the layer chosen, again.
    """

    r: np.ndarray
    layers: np.ndarray
    null: np.ndarray


def sweep_blocks(features, bold, model, *, groups, cv, gap, delays, tr, runs=None, n_permutations=0, seed=0):
    """Choose a layer without each fold, and test it on the fold.

    Unlike runs, blocks of one run touch each other: TRs within ``gap`` of a fold are neither trained nor tested on, and
    no delay reaches from one side of a cut, or of the end of a run, to the other. For the null the responses are
    shifted circularly inside runs and all is done again, as the models of different folds were fitted on each other's
    test data (see `encoding.group_accuracy`).

    Parameters
    ----------
    features : array (n_trs, n_layers, dim) or (n_trs, dim)
    bold : array (n_trs, n_voxels)
        Voxels of all subjects who share the stimulus side by side: a shift moves all alike.
    model : RidgeCV
        Its own ``cv`` splits what is left of the training TRs by piece.
    groups : array-like (n_trs,)
        Contiguous blocks, left out whole.
    cv : int
        Outer folds.
    gap : int
        TRs.
    delays, tr
        As in `predict_test_runs`.
    runs : array-like (n_trs,), optional
    n_permutations : int
        Rows of the null; 0 for none.
    seed : int
        Draws the shifts.

    Returns
    -------
    found : BlockSweep
        The layer is the one with the best mean CV score over all voxels.

    Raises
    ------
    ValueError
        As of `sweep`, `folds.GroupGapKFold` and `runs.check_runs`.
    """
    bold, n_permutations = as_responses(bold), whole("n_permutations", n_permutations, 0)
    groups, runs = check_groups(groups, len(bold)), check_runs(runs, len(bold))
    n_voxels = bold.shape[1]
    batches = shift_batches(runs, len(bold), n_voxels, n_permutations, seed)
    jobs = [(fold, batch) for fold in GroupGapKFold(cv, gap, runs).split(bold, groups=groups) for batch in batches]
    scores, layers = [], []
    for (train, test), batch in tqdm(jobs, desc="blocks", delay=3, leave=False):
        rows = np.sort(np.concatenate([train, test]))
        cut = (np.diff(rows) > 1) | (groups[rows[1:]] != groups[rows[:-1]]) | (runs[rows[1:]] != runs[rows[:-1]])
        pieces = np.concatenate([[0], np.cumsum(cut)])
        copies = np.concatenate([shifted(bold, row, runs)[rows] for row in batch], axis=1)
        found = sweep(
            features[rows], copies, model, test=np.isin(rows, test), runs=pieces, delays=delays, tr=tr, name="layers"
        )
        for k in range(len(batch)):
            own = slice(k * n_voxels, (k + 1) * n_voxels)
            layers.append(choose(found.cv[:, own], n_voxels).layer)
            scores.append(found.r[layers[-1], own])
    scores = np.nan_to_num(scores).reshape(cv, -1, n_voxels).mean(axis=0)
    return BlockSweep(scores[0], np.array(layers).reshape(cv, -1)[:, 0], scores[1:])
