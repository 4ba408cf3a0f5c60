"""Test runs: predicted by a model that was fitted on the training runs."""

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
    spaces, delays = check_spaces(spaces, delays, len(bold))
    runs, test = check_runs(runs, len(bold)), _check_test(test, runs, len(bold))
    banded = isinstance(model, BandedRidgeCV)
    sets = {name: {name: x} for name, x in spaces.items()} if banded else {"": spaces}
    X = {name: design(part, delays, tr, runs, ~test) for name, part in sets.items()}
    train, ahead = ({name: _rows(x, rows) for name, x in X.items()} for rows in (~test, test))
    fitted = clone(model).fit(train if banded else train[""], _rows(bold, ~test), groups=runs[~test])
    ahead = {name: _merged(x, runs[test], merge)[0] for name, x in ahead.items()}
    measured, ids = _merged(_rows(bold, test), runs[test], merge)
    predicted = fitted.predict(ahead if banded else ahead[""])
    return HeldOut(*(_centred(x, ids) for x in (measured, predicted))), ids


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


def _rows(x, marked):
    """Return the marked rows, as a view (nothing is read from a memory map) where they are adjacent."""
    first, last = np.flatnonzero(marked)[[0, -1]]
    return x[first : last + 1] if last - first + 1 == marked.sum() else x[marked]


def _merged(x, runs, merge):
    """Return the mean over repeats, of the dtype of ``x``, and the run of each of its samples."""
    if merge is None:
        return x, runs
    repeats, ids = merge(x, runs)
    return repeats.mean(axis=0, dtype=x.dtype), ids


def _centred(x, runs):
    return np.concatenate([x[s] - x[s].mean(axis=0, dtype=np.float64).astype(x.dtype) for s in run_slices(runs)])
