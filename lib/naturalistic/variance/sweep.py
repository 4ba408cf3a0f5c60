"""Many feature spaces on the same responses: every layer of a model, scored in training and on the test runs.

Which layer and which voxels are looked at is chosen by cross-validation inside the training runs, as in Nakagi et al.
(2024); the test runs only judge.
"""

from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from naturalistic.parameters import whole
from naturalistic.scoring import as_stored, correlation
from naturalistic.variance.held_out import fit_training_runs
from naturalistic.variance.rows import as_responses
from naturalistic.variance.scores import shifted_p
from naturalistic.variance.side_by_side import SideBySide

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
