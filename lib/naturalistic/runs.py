"""Runs: ids of samples as slices, and shifts inside them.

Every function of this library that shifts, filters, scales, splits or permutes takes ``runs``, one id a
sample, and works inside one run at a time. This module is the only place that turns ids into slices.
"""

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray


def check_runs(runs: ArrayLike | None, n_trs: int) -> NDArray:
    """Return ``runs`` as an array of ``n_trs`` ids, in one contiguous stretch a run.

    Parameters
    ----------
    runs : array-like (n_trs,) or None
        One id a sample; None means that all samples are of one run.
    n_trs : int
        Samples that the data have.

    Returns
    -------
    runs : array (n_trs,)

    Raises
    ------
    ValueError
        If the length differs, or a run's samples are not contiguous.
    """
    if runs is None:
        return np.zeros(n_trs, dtype=int)
    runs = np.asarray(runs)
    if runs.shape != (n_trs,):
        raise ValueError(f"runs has shape {runs.shape}, expected ({n_trs},): one run id for each sample")
    starts = np.flatnonzero(np.concatenate([[True], runs[1:] != runs[:-1]])) if n_trs else np.zeros(0, int)
    ids = runs[starts]
    if len(np.unique(ids)) != len(ids):
        twice = next(i for k, i in enumerate(ids) if i in ids[:k])
        raise ValueError(f"run {twice} comes in more than one stretch of runs: sort the samples by run and time")
    return runs


def run_slices(runs: ArrayLike | None, n_trs: int | None = None) -> list[slice]:
    """Return one slice for each run, in their order.

    Parameters
    ----------
    runs : array-like (n_trs,) or None
        One id a sample, contiguous; None needs ``n_trs`` and gives one slice.
    n_trs : int, optional
        Samples that the data have; the length of ``runs`` by default.

    Returns
    -------
    slices : list of slice
    """
    runs = check_runs(runs, len(runs) if n_trs is None else n_trs)
    edges = np.flatnonzero(runs[1:] != runs[:-1]) + 1
    bounds = [0, *edges.tolist(), len(runs)]
    return [slice(a, b) for a, b in itertools.pairwise(bounds) if b > a]


def shift_inside_runs(X: ArrayLike, shifts: ArrayLike, slices: Sequence[slice]) -> NDArray:
    """Return an array shifted circularly inside each run.

    Parameters
    ----------
    X : array (n_trs, ...)
    shifts : int array (n_runs,)
        TRs, later for larger.
    slices : list of slice
        From `run_slices`.

    Returns
    -------
    shifted : array (n_trs, ...)
        Of the same dtype.
    """
    return np.concatenate([np.roll(X[run], shift, axis=0) for run, shift in zip(slices, shifts, strict=True)])
