"""Scaling of voxels inside each run."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from naturalistic.preprocessing.validation import check_bold
from naturalistic.runs import run_slices


def zscore(bold: ArrayLike, runs: ArrayLike | None = None) -> NDArray:
    """Scale each voxel to mean 0 and standard deviation 1 inside each run.

    A constant voxel becomes 0.

    Parameters
    ----------
    bold : array (n_trs, n_voxels) or (n_subjects, n_trs, n_voxels)
    runs : array-like (n_trs,), optional
        Run id of each sample.

    Returns
    -------
    scaled : array of the same shape and dtype; float32 for float16

    Raises
    ------
    ValueError
        If a value is NaN or infinite.
    """
    bold = check_bold(bold)
    if bold.ndim == 3:
        return np.stack([zscore(subject, runs) for subject in bold])
    scaled = np.empty_like(bold)
    for s in run_slices(runs, len(bold)):
        centered = bold[s] - bold[s].mean(axis=0, dtype=np.float64)
        sd = np.sqrt((centered**2).mean(axis=0))
        # rounding leaves a constant voxel a tiny spread: relative to its size, that is nothing
        flat = sd <= 8 * np.finfo(bold.dtype).eps * np.abs(bold[s]).max(axis=0)
        scaled[s] = np.where(flat, 0, centered / np.where(flat, 1, sd))
    return scaled
