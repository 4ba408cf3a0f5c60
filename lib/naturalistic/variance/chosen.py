"""What the training runs choose for each subject, layer and voxels, and what the test runs say of it."""

from typing import NamedTuple

import numpy as np

from naturalistic.inference import circular_shift_null, noise_ceiling
from naturalistic.parameters import whole
from naturalistic.scoring import as_real
from naturalistic.variance.held_out import fit_training_runs
from naturalistic.variance.rows import marked_rows
from naturalistic.variance.scores import repeats_itself


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
