"""Filters that remove slow scanner drift inside each run."""

import numpy as np
from nilearn.signal import butterworth, create_cosine_drift
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from naturalistic.preprocessing.validation import check_bold, check_positive
from naturalistic.runs import run_slices

VOXELS = 4096  # filtered at a time: enough to be fast, few enough that copies stay small


def high_pass(bold: ArrayLike, tr: float, cutoff: float, runs: ArrayLike | None = None, order: int = 5) -> NDArray:
    """Remove drift below ``cutoff`` with a zero-phase Butterworth filter, per run.

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
    filtered : array of the same shape and dtype; float32 for float16
        A constant voxel becomes 0.

    Raises
    ------
    ValueError
        If a value is NaN or infinite, ``cutoff`` is not below half the sampling rate, or a run is too short for the
        filter.
    """
    bold = check_bold(bold)
    check_positive(tr, "tr", "s")
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
        for v in range(0, bold.shape[1], VOXELS):
            columns = bold[s, v : v + VOXELS].astype(np.float64)
            # without a copy nilearn filters voxel after voxel, thirty times as slowly
            filtered[s, v : v + VOXELS] = butterworth(columns, 1 / tr, high_pass=cutoff, order=order, copy=True)
        _silence_constant(filtered[s], bold[s])
    return filtered


def _silence_constant(filtered: NDArray, bold: NDArray) -> None:
    """Set to 0 what a filter left of constant voxels: rounding, which a z-score would make as large as a signal."""
    filtered[:, bold.max(axis=0) == bold.min(axis=0)] = 0


def running_median(bold: ArrayLike, tr: float, window: float = 240.0, runs: ArrayLike | None = None) -> NDArray:
    """Subtract from each sample the median of the ``window`` around it, per run.

    The median follows the drift of the scanner and is not drawn along by a strong response, as a mean would be
    (240 s in Denk et al. 2023, arXiv 2307.11078). The window holds an odd number of TRs, the sample in its middle;
    beyond the ends of a run stand the run's own samples, mirrored (c b a | a b c), so that at the very end the
    median is over half a window, each of its samples counted twice.

    Parameters
    ----------
    bold : array (n_trs, n_voxels) or (n_subjects, n_trs, n_voxels)
    tr : float
        Repetition time in s.
    window : float
        Width of the window in s; rounded to the nearest odd number of TRs, 3 at least. It may be longer than a run.
    runs : array-like (n_trs,), optional
        Run id of each sample.

    Returns
    -------
    filtered : array of the same shape and dtype; float32 for float16
        A constant voxel becomes 0.

    Raises
    ------
    ValueError
        If a value is NaN or infinite, or the window is shorter than 2 TRs.
    """
    bold = check_bold(bold)
    check_positive(tr, "tr", "s")
    check_positive(window, "window", "s")
    if window < 2 * tr:
        raise ValueError(f"window is {window:g} s, expected at least 2 TRs of {tr:g} s")
    if bold.ndim == 3:
        return np.stack([running_median(subject, tr, window, runs) for subject in bold])
    half = max(1, round((window / tr - 1) / 2))
    filtered = np.empty_like(bold)
    for s in run_slices(runs, len(bold)):
        for v in range(0, bold.shape[1], VOXELS):
            columns = bold[s, v : v + VOXELS].T
            mirrored = np.pad(columns, ((0, 0), (half, half)), mode="symmetric")
            # All voxels one behind the other are one long signal to scipy, whose filter of a signal (not of an
            # image) keeps the window sorted as it moves. No window around a sample reaches the next voxel.
            medians = ndimage.median_filter(mirrored.ravel(), size=2 * half + 1).reshape(mirrored.shape)
            filtered[s, v : v + VOXELS] = (columns - medians[:, half:-half]).T
    return filtered


def cosine(bold: ArrayLike, tr: float, cutoff: float = 1 / 128, runs: ArrayLike | None = None) -> NDArray:
    """Remove discrete cosines slower than ``cutoff`` and the mean, per run.

    The cosines are those of SPM and nilearn (:func:`nilearn.glm.first_level.make_first_level_design_matrix`).

    Parameters
    ----------
    bold : array (n_trs, n_voxels) or (n_subjects, n_trs, n_voxels)
    tr : float
        Repetition time in s.
    cutoff : float
        High-pass frequency in Hz. A run shorter than ``1 / (2 cutoff)`` s loses only its mean.
    runs : array-like (n_trs,), optional
        Run id of each sample.

    Returns
    -------
    filtered : array of the same shape and dtype; float32 for float16
        A constant voxel becomes 0.

    Raises
    ------
    ValueError
        If a value is NaN or infinite, ``cutoff`` is not below half the sampling rate, or a run has one TR.
    """
    bold = check_bold(bold)
    check_positive(tr, "tr", "s")
    if not 0 < cutoff < 0.5 / tr:
        raise ValueError(f"cutoff is {cutoff!r} Hz, expected more than 0 and less than {0.5 / tr:g} (half the rate)")
    if bold.ndim == 3:
        return np.stack([cosine(subject, tr, cutoff, runs) for subject in bold])
    filtered = np.empty_like(bold)
    for s in run_slices(runs, len(bold)):
        n_trs = s.stop - s.start
        if n_trs < 2:
            raise ValueError(f"the run at sample {s.start} has one TR, expected at least two")
        drifts = create_cosine_drift(cutoff, np.arange(n_trs) * tr)
        drifts /= np.linalg.norm(drifts, axis=0)  # orthonormal, so the fit is two products
        # the mean first: float32 has too few digits for a drift on top of a thousand
        centered = bold[s] - bold[s].mean(axis=0, dtype=np.float64)
        filtered[s] = centered - drifts @ (drifts.T @ centered)
        _silence_constant(filtered[s], bold[s])
    return filtered
