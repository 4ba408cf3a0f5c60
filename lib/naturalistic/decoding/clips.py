"""Codes, averages and bootstrap intervals of clips."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from naturalistic.arrays import as_floats, as_real
from naturalistic.inference import bootstrap_interval


def clip_codes(clips: ArrayLike | None, n_rows: int) -> tuple[NDArray, NDArray]:
    """Return the clips in order of first appearance, and the code of each row.

    Parameters
    ----------
    clips : array-like (n_rows,) or None
        Clip of each row; with None each row is a clip.
    n_rows : int

    Returns
    -------
    ids : array (n_clips,)
    codes : int array (n_rows,)
        Index into ``ids``.

    Raises
    ------
    ValueError
        If ``clips`` does not hold one clip a row.
    """
    labels = np.arange(n_rows) if clips is None else np.asarray(clips)
    if labels.shape != (n_rows,):
        raise ValueError(f"clips has shape {labels.shape}, expected ({n_rows},): the clip of each row")
    ids, first, codes = np.unique(labels, return_index=True, return_inverse=True)
    order = np.argsort(first)
    position = np.empty(len(ids), dtype=int)
    position[order] = np.arange(len(ids))
    return ids[order], position[codes]


def clip_layout(clips: ArrayLike | None, n_rows: int) -> NDArray:
    """Return the rows of each clip, in order.

    Parameters
    ----------
    clips : array-like (n_rows,) or None
        Clip of each row; with None each row is a clip.
    n_rows : int

    Returns
    -------
    layout : int array (n_clips, n_windows)

    Raises
    ------
    ValueError
        If clips differ in their number of windows: they cannot be permuted.
    """
    _, codes = clip_codes(clips, n_rows)
    counts = np.bincount(codes)
    if counts.min() != counts.max():
        raise ValueError(
            f"clips have from {counts.min()} to {counts.max()} windows, expected the same number of each: average "
            "the windows of a clip first (average_clips), or leave out clips that lack some"
        )
    return np.argsort(codes, kind="stable").reshape(-1, counts[0])


def average_clips(values: ArrayLike, clips: ArrayLike) -> tuple[NDArray, NDArray]:
    """Average the windows of each clip.

    Parameters
    ----------
    values : array (n_rows, ...)
    clips : array-like (n_rows,)

    Returns
    -------
    values : array (n_clips, ...)
    clips : array (n_clips,)
        In order of first appearance.

    Raises
    ------
    ValueError
        If ``clips`` does not hold one clip a row.
    """
    values = as_floats(values, "values")
    ids, codes = clip_codes(clips, len(values))
    dtype = values.dtype
    share = (1 / np.bincount(codes)[codes]).astype(dtype)  # a sparse product: np.add.at is many times slower
    averaging = sparse.csr_array((share, (codes, np.arange(len(codes)))), shape=(len(ids), len(codes)))
    means = averaging @ values.reshape(len(values), -1)
    return np.asarray(means, dtype=dtype).reshape(len(ids), *values.shape[1:]), ids


def clip_interval(
    values: ArrayLike, clips: ArrayLike | None = None, confidence: float = 0.95, n_boot: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Return the bootstrap interval of a mean score over clips.

    Clips are resampled with all of their windows; their scores stay fixed. The interval holds for other clips of the
    same kind among the same candidates.

    Parameters
    ----------
    values : array (n_rows,)
        Score of each row, such as `identification`.
    clips : array-like (n_rows,), optional
        Clip of each row; by default each row is a clip.
    confidence : float
    n_boot, seed : int

    Returns
    -------
    low, high : float
        NaN where all clips have the same score (`naturalistic.inference.bootstrap_interval`).
    """
    values = as_real(values, "values")
    if clips is not None:
        values, _ = average_clips(values, clips)
    low, high = bootstrap_interval(values, n_boot=n_boot, confidence=confidence, seed=seed)
    return float(low), float(high)
