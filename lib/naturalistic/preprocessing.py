"""From the scanner's signal to what a model is asked to predict; each step stays inside a run."""

import numpy as np
from nilearn.signal import butterworth

from naturalistic.runs import run_slices


def high_pass(bold, tr, cutoff, runs=None, order=5):
    """Remove what changes more slowly than ``cutoff`` with a zero-phase Butterworth filter, per run.

    Parameters
    ----------
    bold : array (n_trs, n_voxels) or (n_subjects, n_trs, n_voxels)
    tr : float
        Repetition time in s.
    cutoff : float
        High-pass frequency in Hz.
    runs : array-like (n_trs,), optional
        Run id of each sample.
    order : int
        Order of the filter, which runs forwards and backwards.

    Returns
    -------
    filtered : array of the same shape and dtype
    """
    bold = _check(bold)
    if bold.ndim == 3:
        return np.stack([high_pass(subject, tr, cutoff, runs, order) for subject in bold])
    if not 0 < cutoff < 0.5 / tr:
        raise ValueError(f"cutoff is {cutoff!r} Hz, expected more than 0 and less than {0.5 / tr:g} (half the rate)")
    filtered = np.empty_like(bold)
    for s in run_slices(runs, len(bold)):
        if s.stop - s.start <= 3 * (order + 1):
            raise ValueError(
                f"the run at samples {s.start} to {s.stop - 1} has {s.stop - s.start} TRs, too few for a filter of "
                f"order {order}: expected more than {3 * (order + 1)}"
            )
        filtered[s] = butterworth(bold[s].astype(np.float64), 1.0 / tr, high_pass=cutoff, order=order)
    return filtered


def zscore(bold, runs=None):
    """Scale each voxel to mean 0 and standard deviation 1 inside each run; a constant voxel becomes 0.

    Parameters
    ----------
    bold : array (n_trs, n_voxels) or (n_subjects, n_trs, n_voxels)
    runs : array-like (n_trs,), optional
        Run id of each sample.

    Returns
    -------
    scaled : array of the same shape and dtype
    """
    bold = _check(bold)
    if bold.ndim == 3:
        return np.stack([zscore(subject, runs) for subject in bold])
    scaled = np.empty_like(bold)
    for s in run_slices(runs, len(bold)):
        centred = bold[s] - bold[s].mean(axis=0, dtype=np.float64)
        sd = np.sqrt((centred**2).mean(axis=0))
        # rounding leaves a constant voxel a tiny spread: relative to its size, that is nothing
        flat = sd <= 8 * np.finfo(bold.dtype).eps * np.abs(bold[s]).max(axis=0)
        scaled[s] = np.where(flat, 0, centred / np.where(flat, 1, sd))
    return scaled


def _check(bold):
    bold = np.asarray(bold)
    if bold.ndim not in (2, 3) or not np.issubdtype(bold.dtype, np.floating):
        raise ValueError(
            f"bold is {bold.dtype} of shape {bold.shape}, expected float of shape "
            "(n_trs, n_voxels) or (n_subjects, n_trs, n_voxels)"
        )
    bad = ~np.isfinite(bold)
    if bad.any():
        *_, t, v = np.argwhere(bad)[0]
        raise ValueError(f"bold has {bad.sum()} values that are NaN or infinite, the first at TR {t}, voxel {v}")
    return bold
