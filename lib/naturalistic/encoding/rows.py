"""Training and test rows of feature spaces and responses, checked, for models that are tested voxel block by block."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from naturalistic.arrays import as_floats
from naturalistic.encoding.design import check_spaces, design
from naturalistic.models.engine.validation import check_finite
from naturalistic.runs import check_runs, run_slices


class Rows(NamedTuple):
    """What models are fitted on and tested on.

    Attributes
    ----------
    train : dict of array (n_train_trs, n_columns)
        Delayed features of each space, scaled by the training TRs.
    bold : array, memory map or SideBySide (n_train_trs, n_voxels)
    train_runs : array (n_train_trs,)
    test : dict of array (n_samples, n_columns)
        Merged over repeats and centred in each run: so is what a linear model predicts from them.
    test_runs : array (n_samples,)
    measured : callable
        ``measured(columns)`` gives the responses (n_samples, n) of a slice of voxels, merged and centred likewise.
    """

    train: dict
    bold: object
    train_runs: np.ndarray
    test: dict
    test_runs: np.ndarray
    measured: Callable


def split_rows(spaces, bold, *, test, delays, tr, runs, merge=None):
    """Return training and test rows.

    A space that is constant over a whole test run (a level that nobody annotated there) stands at its training mean in
    that run, and predicts nothing there.

    Parameters
    ----------
    spaces, bold, test, delays, tr, runs, merge
        As of `variance.held_out.predict_test_runs`.

    Returns
    -------
    rows : Rows

    Raises
    ------
    ValueError
        If lengths differ, ``bold`` is not of numbers, ``test`` does not mark whole runs, or a space is constant over a
        whole training run or over all test runs; the space and the runs are named.
    """
    bold = as_responses(bold)
    spaces, delays = check_spaces(spaces, delays, len(bold))
    runs = check_runs(runs, len(bold))
    test = _check_test(test, runs, len(bold))
    check_finite(marked_rows(bold, test), "bold of the test runs")  # those of training are checked by the fit
    missing = {name: _missing_runs(name, x, runs, test) for name, x in spaces.items()}
    train, ahead = {}, {}
    for name, x in spaces.items():
        X = design({name: x}, delays, tr, runs, ~test)
        for run in missing[name]:
            X[run] = 0
        train[name] = marked_rows(X, ~test)
        merged, ids = _merged(marked_rows(X, test), runs[test], merge)
        ahead[name] = centred(merged, ids)

    first, last = np.flatnonzero(test)[[0, -1]]
    around, inside = slice(int(first), int(last) + 1), test[first : last + 1]

    def measured(columns=slice(None)):  # columns first: rows that are apart are copied, of these voxels alone
        return centred(_merged(marked_rows(bold[around, columns], inside), runs[test], merge)[0], ids)

    return Rows(train, marked_rows(bold, ~test), runs[~test], ahead, ids, measured)


def as_responses(bold, name="bold"):
    """Return BOLD as something of floats to slice by rows and columns.

    Parameters
    ----------
    bold : array-like, memory map or SideBySide (n_trs, n_voxels)
    name : str
        What the caller calls it.

    Returns
    -------
    bold : array, memory map or SideBySide
        What is float32 or float64 comes back as it is (a memory map is not read); other formats are converted.

    Raises
    ------
    ValueError
        If it is not of numbers (n_trs, n_voxels).
    """
    if getattr(bold, "dtype", None) not in (np.float32, np.float64):
        bold = as_floats(bold, name)
    if len(bold.shape) != 2:
        raise ValueError(f"{name} has shape {bold.shape}, expected (n_trs, n_voxels): one voxel is bold[:, None]")
    return bold


def marked_rows(x, marked):
    """Return the marked rows, as a view (nothing is read from a memory map) where they are adjacent.

    Parameters
    ----------
    x : array or memory map (n_trs, ...)
    marked : bool array (n_trs,)
        One mark or more.

    Returns
    -------
    rows : array (n_marked, ...)
    """
    first, last = np.flatnonzero(marked)[[0, -1]]
    return x[first : last + 1] if last - first + 1 == marked.sum() else x[marked]


def _missing_runs(name, x, runs, test):
    """Return the test runs (slices) in which no feature of a space varies, or raise if it cannot be used."""
    slices = run_slices(runs, len(x))
    constant = [s for s in slices if (x[s] == x[s.start]).all()]
    in_training = [runs[s.start].item() for s in constant if not test[s.start]]
    if in_training:
        raise ValueError(
            f"the space {name!r} is constant over the whole training run(s) {in_training}: is it missing there? Leave "
            "out those runs, or the space"
        )
    if len(constant) == sum(bool(test[s.start]) for s in slices):
        raise ValueError(
            f"the space {name!r} is constant in each test run ({[runs[s.start].item() for s in constant]}): it "
            "predicts nothing, and what it adds cannot be told; leave it out"
        )
    return constant


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


def _merged(x, runs, merge):
    """Return the mean over repeats, of the dtype of ``x``, and the run of each of its samples."""
    if merge is None:
        return x, runs
    repeats, ids = merge(x, runs)
    return repeats.mean(axis=0, dtype=x.dtype), ids


def centred(x, runs):
    """Return values with mean 0 in each run.

    Parameters
    ----------
    x : array (n_samples, n)
    runs : array (n_samples,)

    Returns
    -------
    x : array (n_samples, n)
        Of the same dtype.
    """
    return np.concatenate([x[s] - x[s].mean(axis=0, dtype=np.float64).astype(x.dtype) for s in run_slices(runs)])
