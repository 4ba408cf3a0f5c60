"""Clips: which rows belong together because they are windows of the same piece of music."""

import numpy as np
from scipy import sparse

from naturalistic.arrays import as_floats, as_real
from naturalistic.inference import bootstrap_interval


def clip_codes(clips, n_rows):
    """Return the clips in the order in which they first come, and which of them each row is of.

    Parameters
    ----------
    clips : array-like (n_rows,) or None
        Clip of each row; None means that each row is a clip.
    n_rows : int

    Returns
    -------
    ids : array (n_clips,)
    codes : int array (n_rows,)
        Index into ``ids``.

    Raises
    ------
    ValueError
        If there is not one clip a row.
    """
    clips = np.arange(n_rows) if clips is None else np.asarray(clips)
    if clips.shape != (n_rows,):
        raise ValueError(f"clips has shape {clips.shape}, expected ({n_rows},): the clip of each row")
    ids, first, codes = np.unique(clips, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty(len(ids), dtype=int)
    place[order] = np.arange(len(ids))
    return ids[order], place[codes]


def clip_layout(clips, n_rows):
    """Return the rows of each clip, in order.

    Parameters
    ----------
    clips : array-like (n_rows,) or None
        As of `clip_codes`.
    n_rows : int

    Returns
    -------
    layout : int array (n_clips, n_windows)

    Raises
    ------
    ValueError
        If some clips have more windows than others: they cannot take each other's place.
    """
    codes = clip_codes(clips, n_rows)[1]
    counts = np.bincount(codes)
    if counts.min() != counts.max():
        raise ValueError(
            f"clips have from {counts.min()} to {counts.max()} windows, expected the same number of each: average "
            "the windows of a clip first (average_clips), or leave out clips that lack some"
        )
    return np.argsort(codes, kind="stable").reshape(-1, counts[0])


def average_clips(values, clips):
    """Average the windows of each clip.

    Parameters
    ----------
    values : array (n_rows, ...)
    clips : array-like (n_rows,)

    Returns
    -------
    values : array (n_clips, ...)
    clips : array (n_clips,)
        In the order in which they first come.

    Raises
    ------
    ValueError
        If there is not one clip a row.
    """
    values = as_floats(values, "values")
    ids, codes = clip_codes(clips, len(values))
    dtype = values.dtype
    share = (1 / np.bincount(codes)[codes]).astype(dtype)  # a sparse product: np.add.at is many times slower
    merge = sparse.csr_array((share, (codes, np.arange(len(codes)))), shape=(len(ids), len(codes)))
    means = merge @ values.reshape(len(values), -1)
    return np.asarray(means, dtype=dtype).reshape(len(ids), *values.shape[1:]), ids


def clip_interval(values, clips=None, confidence=0.95, n_boot=2000, seed=0):
    """Return a bootstrap interval of a mean score: clips are drawn again, with all of their windows.

    The scores themselves stay as they are: the interval is for other clips like these among the same candidates.

    Parameters
    ----------
    values : array (n_rows,)
        Score of each row, such as `identification`.
    clips : array-like (n_rows,), optional
        By default each row is a clip.
    confidence : float
    n_boot, seed : int

    Returns
    -------
    low, high : float
        NaN where all clips score the same (`naturalistic.inference.bootstrap_interval`).
    """
    values = as_real(values, "values")
    if clips is not None:
        values = average_clips(values, clips)[0]
    low, high = bootstrap_interval(values, n_boot=n_boot, confidence=confidence, seed=seed)
    return float(low), float(high)
