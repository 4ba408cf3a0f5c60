"""Scores of predicted test runs, against circular shifts.

Models were fitted on other runs than those that are tested, so finished predictions may be shifted for a null (see
`naturalistic.inference.nulls` for cross-validation, where they may not).
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from naturalistic.arrays import ShapeRepr, as_floats
from naturalistic.encoding.prediction import Prediction
from naturalistic.inference import fdr, max_statistic, p_values
from naturalistic.inference.nulls import correlation_and_null
from naturalistic.parameters import check_seed, whole
from naturalistic.runs import check_runs


@dataclass(frozen=True, repr=False)
class Score(ShapeRepr):
    """Accuracy on test runs, by voxel.

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

    r: NDArray
    r2: NDArray
    p: NDArray
    significant: NDArray
    null: NDArray | None = None


def score(
    prediction: Prediction,
    *,
    n_permutations: int = 1000,
    min_shift: int = 1,
    seed: int = 0,
    q: float = 0.05,
    keep_null: bool = False,
) -> Score:
    """Score predictions of test runs, against circular shifts inside each run.

    Parameters
    ----------
    prediction : Prediction
        From `naturalistic.encoding.fit_predict` with a `Split`.
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

    Raises
    ------
    ValueError
        If the samples were predicted by the models of several folds: their finished predictions may not be shifted.
    """
    if not prediction.one_model:
        raise ValueError(
            "prediction is of several folds, whose models were fitted on each other's test data: shifting it finds 10 "
            "to 14 % false positives at 0.05; use group_accuracy, which fits shifted responses again"
        )
    r, null = shifted_scores([prediction], n_permutations, min_shift, seed)
    p = p_values(r, null)
    return Score(r, prediction.r2(), p, fdr(p, q)[0], null if keep_null else None)


def shifted_scores(
    blocks: Iterable[Prediction], n_permutations: int, min_shift: int = 1, seed: int = 0
) -> tuple[NDArray, NDArray]:
    """Return r of test runs, and r of predictions shifted inside each run.

    Parameters
    ----------
    blocks : iterable of Prediction
        Blocks of voxels, one after another: only one need be in memory.
    n_permutations, min_shift, seed
        As in `inference.circular_shift_null`; every block is shifted alike.

    Returns
    -------
    r : array (n_voxels,)
    null : array (n_permutations, n_voxels)
    """
    whole("n_permutations", n_permutations)
    check_seed(seed)
    r = []
    null = []
    for block in blocks:
        observed, shifted = correlation_and_null(
            block.measured, block.predicted, block.runs, n_permutations, min_shift, seed
        )
        r.append(observed)
        null.append(shifted)
    if len(null) == 1:  # a concatenation of one is a copy, of hundreds of megabytes
        return r[0], null[0]
    return np.concatenate(r), np.concatenate(null, axis=1)


def shifted_p(
    blocks: Iterable[Prediction], n_permutations: int, min_shift: int = 1, seed: int = 0
) -> tuple[NDArray, NDArray, NDArray]:
    """Return r of test runs, its p, and p corrected for all voxels.

    The correction is by the best voxel of each shift.

    Parameters
    ----------
    blocks
        As in `shifted_scores`.
    n_permutations, min_shift, seed
        As in `inference.circular_shift_null`.

    Returns
    -------
    r, p, p_max : array (n_voxels,)
    """
    r, null = shifted_scores(blocks, n_permutations, min_shift, seed)
    return r, p_values(r, null), max_statistic(r, null)


def reliable_voxels(
    repeats: ArrayLike,
    runs: ArrayLike | None = None,
    *,
    n_permutations: int = 1000,
    min_shift: int = 1,
    seed: int = 0,
    q: float = 0.05,
) -> NDArray:
    """Mark voxels that respond alike to a repeated stimulus, after FDR.

    Only there can a score be divided by a ceiling. The mean of the first half of the repeats is correlated with that of
    the others, against circular shifts.

    Parameters
    ----------
    repeats : array (n_repeats, n_samples, n_voxels)
        Two or more.
    runs : array (n_samples,), optional
    n_permutations, min_shift, seed
        As in `inference.circular_shift_null`.
    q : float
        False discovery rate over voxels.

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
    runs = check_runs(runs, repeats.shape[1])
    halves = Prediction(repeats[:half].mean(axis=0), repeats[half:].mean(axis=0), runs)
    return fdr(shifted_p([halves], n_permutations, min_shift, seed)[1], q)[0]
