"""Test runs: predicted by a model that was fitted on the training runs."""

from typing import NamedTuple

import numpy as np
from sklearn.base import clone

from naturalistic.banded import BandedRidgeCV
from naturalistic.design import check_spaces, design
from naturalistic.encoding import HeldOut
from naturalistic.runs import check_runs, run_slices


def predict_test_runs(spaces, bold, model, *, test, delays, tr, runs, merge=None):
    """Predict test runs from a model that was fitted on all other runs, alphas chosen by folds of whole runs.

    Parameters
    ----------
    spaces, delays, tr
        As in `encoding.held_out_predictions`; the spaces are scaled by their training TRs.
    bold : array or memory map (n_trs, n_voxels)
    model : RidgeCV or BandedRidgeCV
        A banded one gets each space by itself.
    test : bool array (n_trs,)
        TRs of whole runs; the others train.
    runs : array-like (n_trs,)
    merge : callable, optional
        From values (n_test_trs, n) and their runs to repeats (n_repeats, n_samples, n) and the runs of samples, such
        as `music_genre.repeats`. The mean over repeats is then predicted: that of the features predicts that of the
        responses, as the model is linear.

    Returns
    -------
    held_out : HeldOut
        Centred in each run, as the ceiling is.
    runs : array (n_samples,)
    """
    fitted = fit_training_runs(spaces, bold, model, test=test, delays=delays, tr=tr, runs=runs, merge=merge)
    measured = merged_test_runs(bold, fitted)
    predicted = fitted.model.predict(fitted.ahead)
    return HeldOut(measured, centred(predicted, fitted.runs)), fitted.runs


class Fitted(NamedTuple):
    """A model of the training runs, and the features of the test runs that it predicts from.

    Attributes
    ----------
    model : RidgeCV or BandedRidgeCV
    ahead : array (n_samples, n_columns), or dict of such by space
        Delayed features of the test runs, the mean over repeats.
    runs : array (n_samples,)
        Run of each sample.
    test : bool array (n_trs,)
    runs_of_test : array (n_test_trs,)
        Before repeats are merged.
    merge : callable or None
    """

    model: object
    ahead: object
    runs: np.ndarray
    test: np.ndarray
    runs_of_test: np.ndarray
    merge: object


def fit_training_runs(spaces, bold, model, *, test, delays, tr, runs, merge=None):
    """Fit a copy of a model on the training runs; parameters as of `predict_test_runs`.

    Returns
    -------
    fitted : Fitted
    """
    spaces, delays = check_spaces(spaces, delays, len(bold))
    runs, test = check_runs(runs, len(bold)), _check_test(test, runs, len(bold))
    _check_varies(spaces, test)
    banded = isinstance(model, BandedRidgeCV)
    sets = {name: {name: x} for name, x in spaces.items()} if banded else {"": spaces}
    X = {name: design(part, delays, tr, runs, ~test) for name, part in sets.items()}
    train = {name: marked_rows(x, ~test) for name, x in X.items()}
    fitted = clone(model).fit(train if banded else train[""], marked_rows(bold, ~test), groups=runs[~test])
    ahead = {name: _merged(marked_rows(x, test), runs[test], merge) for name, x in X.items()}
    ids = next(iter(ahead.values()))[1]
    ahead = {name: x for name, (x, _) in ahead.items()}
    return Fitted(fitted, ahead if banded else ahead[""], ids, test, runs[test], merge)


def merged_test_runs(bold, fitted, columns=slice(None)):
    """Return the responses of the test runs (n_samples, n_voxels), the mean over repeats, centred in each run."""
    measured, ids = _merged(marked_rows(bold, fitted.test)[:, columns], fitted.runs_of_test, fitted.merge)
    return centred(measured, ids)


def _check_test(test, runs, n_trs):
    """Return the mask of test TRs, which must be of whole runs and leave some to train on."""
    test = np.asarray(test)
    if test.dtype != bool or test.shape != (n_trs,):
        raise ValueError(f"test is {test.dtype} of shape {test.shape}, expected bool ({n_trs},): one mark a TR")
    if test.all() or not test.any():
        raise ValueError(
            f"test marks {test.sum()} of {n_trs} TRs, expected some to test on and others to train on: has the subject "
            "test runs and training runs?"
        )
    split = [s for s in run_slices(runs, n_trs) if 0 < test[s].sum() < s.stop - s.start]
    if split:
        raise ValueError(f"test marks a part of the run at TRs {split[0].start} to {split[0].stop - 1}: mark it whole")
    return test


def marked_rows(x, marked):
    """Return the marked rows, as a view (nothing is read from a memory map) where they are adjacent."""
    first, last = np.flatnonzero(marked)[[0, -1]]
    return x[first : last + 1] if last - first + 1 == marked.sum() else x[marked]


def _check_varies(spaces, test):
    """Raise an error that names a space which is constant in all of the training or all of the test TRs."""
    for name, x in spaces.items():
        for split, rows in (("training", ~test), ("test", test)):
            values = marked_rows(x, rows)
            if (values.max(axis=0) == values.min(axis=0)).all():
                raise ValueError(
                    f"the space {name!r} has no feature that varies in the {split} runs: check how it was made, or "
                    "leave it out"
                )


def _merged(x, runs, merge):
    """Return the mean over repeats, of the dtype of ``x``, and the run of each of its samples."""
    if merge is None:
        return x, runs
    repeats, ids = merge(x, runs)
    return repeats.mean(axis=0, dtype=x.dtype), ids


def centred(x, runs):
    """Return ``x`` (n_samples, n) with mean 0 in each run."""
    return np.concatenate([x[s] - x[s].mean(axis=0, dtype=np.float64).astype(x.dtype) for s in run_slices(runs)])
