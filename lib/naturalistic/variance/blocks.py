"""The sweep over layers where there is one run: blocks of it are left out in turn."""

from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from naturalistic.design import shifted
from naturalistic.encoding import shift_batches
from naturalistic.folds import GroupGapKFold, check_groups
from naturalistic.parameters import whole
from naturalistic.runs import check_runs
from naturalistic.variance.chosen import choose
from naturalistic.variance.rows import as_responses
from naturalistic.variance.sweep import sweep


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
