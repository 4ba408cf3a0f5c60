"""How well test runs are predicted, and where there is anything to predict.

Models were fitted on other runs than those that are tested, so finished predictions may be shifted for a null (see
`naturalistic.inference.nulls` for cross-validation, where they may not).
"""

from typing import NamedTuple

import numpy as np

from naturalistic.arrays import as_floats
from naturalistic.inference import circular_shift_null, fdr, max_statistic, p_values
from naturalistic.models.scoring import correlation, r2
from naturalistic.parameters import check_seed, whole


class Score(NamedTuple):
    """How well test runs are predicted, by voxel.

    Attributes
    ----------
    r : array (n_voxels,)
        Pearson correlation; NaN where a response or prediction is constant.
    r2 : array (n_voxels,)
        Share of variance explained, below 0 if worse than the mean.
    p : array (n_voxels,)
        Of r, one-sided.
    significant : bool array (n_voxels,)
        After FDR over voxels.
    null : array (n_permutations, n_voxels), or None
        Correlations of the shifted predictions, if they were kept.
    """

    r: np.ndarray
    r2: np.ndarray
    p: np.ndarray
    significant: np.ndarray
    null: np.ndarray | None = None


def score(held_out, runs, *, n_permutations=1000, min_shift=1, seed=0, q=0.05, keep_null=False):
    """Score predictions of test runs, against predictions shifted circularly inside each run.

    Parameters
    ----------
    held_out : HeldOut
        From `variance.held_out.predict_test_runs`, centred in each run.
    runs : array (n_samples,)
    n_permutations, min_shift, seed
        As in `inference.circular_shift_null`.
    q : float
        False discovery rate over voxels.
    keep_null : bool
        Whether to keep the null, for a test of a group that shares the stimulus: one seed gives the same shifts to all
        subjects. 1,000 shifts of 60,000 voxels are 240 MB; take the means that are needed and let it go.

    Returns
    -------
    score : Score
    """
    r, null = shifted_scores([held_out], runs, n_permutations, min_shift, seed)
    p = p_values(r, null)
    return Score(r, r2(*held_out), p, fdr(p, q)[0], null if keep_null else None)


def shifted_scores(blocks, runs, n_permutations, min_shift=1, seed=0):
    """Return r of test runs, and r of predictions shifted circularly inside each run.

    Parameters
    ----------
    blocks : iterable of HeldOut
        Blocks of voxels, one after another: only one need be in memory.
    runs, n_permutations, min_shift, seed
        As of `score`; every block is shifted alike.

    Returns
    -------
    r : array (n_voxels,)
    null : array (n_permutations, n_voxels)
    """
    whole("n_permutations", n_permutations), check_seed(seed)
    r, null = [], []
    for measured, predicted in blocks:
        r.append(correlation(measured, predicted))
        null.append(circular_shift_null(measured, predicted, runs, n_permutations, min_shift, seed))
    return np.concatenate(r), np.concatenate(null, axis=1)


def shifted_p(blocks, runs, n_permutations, min_shift=1, seed=0):
    """Return r of test runs, its p, and p corrected for all voxels by the best of them in each shift.

    Parameters
    ----------
    blocks, runs, n_permutations, min_shift, seed
        As of `shifted_scores`.

    Returns
    -------
    r, p, p_max : array (n_voxels,)
    """
    r, null = shifted_scores(blocks, runs, n_permutations, min_shift, seed)
    return r, p_values(r, null), max_statistic(r, null)


def repeats_itself(repeats, runs=None, *, n_permutations=1000, min_shift=1, seed=0, q=0.05):
    """Return which voxels answer a repeated stimulus alike, after FDR: only there a ceiling can be divided by.

    The mean of the first half of the repeats is correlated with that of the others, against circular shifts.

    Parameters
    ----------
    repeats : array (n_repeats, n_samples, n_voxels)
        Two or more.
    runs : array (n_samples,), optional
    n_permutations, min_shift, seed, q
        As in `score`.

    Returns
    -------
    reliable : bool array (n_voxels,)

    Raises
    ------
    ValueError
        If there are fewer than two repeats.
    """
    repeats = as_floats(repeats, "repeats", "repeat")
    if repeats.ndim != 3 or len(repeats) < 2:
        raise ValueError(f"repeats has shape {repeats.shape}, expected (n_repeats, n_samples, n_voxels), two or more")
    half = len(repeats) // 2
    first, second = repeats[:half].mean(axis=0), repeats[half:].mean(axis=0)
    return fdr(shifted_p([(first, second)], runs, n_permutations, min_shift, seed)[1], q)[0]
