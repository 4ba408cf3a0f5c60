"""The sweep over layers where there is one run: blocks of it are left out in turn."""

import numpy as np

from naturalistic.folds import GroupGapKFold, check_groups
from naturalistic.runs import check_runs
from naturalistic.variance.chosen import choose
from naturalistic.variance.rows import as_responses
from naturalistic.variance.sweep import sweep


def sweep_blocks(features, bold, model, *, groups, cv, gap, delays, tr, runs=None):
    """Choose a layer without each fold, and test it on the fold.

    Unlike runs, blocks of one run touch each other: TRs within ``gap`` of a fold are neither trained nor tested on, and
    no delay reaches from one side of a cut, or of the end of a run, to the other.

    Parameters
    ----------
    features : array (n_trs, n_layers, dim) or (n_trs, dim)
    bold : array (n_trs, n_voxels)
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

    Returns
    -------
    r : array (n_voxels,)
        Pearson correlation on what was left out, at the layer with the best mean CV score over all voxels: mean over
        folds; a fold whose prediction is constant counts as 0.
    layers : int array (cv,)
        Chosen without each fold.

    Raises
    ------
    ValueError
        As of `sweep`, `folds.GroupGapKFold` and `runs.check_runs`.
    """
    bold = as_responses(bold)
    groups, runs, scores, layers = check_groups(groups, len(bold)), check_runs(runs, len(bold)), [], []
    for train, test in GroupGapKFold(cv, gap, runs).split(bold, groups=groups):
        rows = np.sort(np.concatenate([train, test]))
        cut = (np.diff(rows) > 1) | (groups[rows[1:]] != groups[rows[:-1]]) | (runs[rows[1:]] != runs[rows[:-1]])
        pieces = np.concatenate([[0], np.cumsum(cut)])
        how = {"test": np.isin(rows, test), "runs": pieces, "delays": delays, "tr": tr}
        found = sweep(features[rows], bold[rows], model, **how)
        layers.append(choose(found.cv, bold.shape[1]).layer)
        scores.append(found.r[layers[-1]])
    return np.nan_to_num(scores).mean(axis=0), np.array(layers)
