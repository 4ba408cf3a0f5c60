"""From TRs to windows: the response to a piece of sound is measured some seconds after it was heard."""

from fractions import Fraction
from typing import NamedTuple

import numpy as np
from scipy import sparse

from naturalistic.arrays import as_floats, as_stored, check_finite
from naturalistic.decoding.clips import clip_codes
from naturalistic.features.audio.windows import n_windows
from naturalistic.runs import check_runs, run_slices


class Windows(NamedTuple):
    """BOLD averaged over windows.

    Attributes
    ----------
    bold : array (n_played, n_windows, n_voxels)
        NaN where a window lies beyond the end of its run.
    clips : array (n_played,)
        Clip that was played.
    """

    bold: np.ndarray
    clips: np.ndarray


class Pairs(NamedTuple):
    """What a decoder learns from: one row a window.

    Attributes
    ----------
    bold : array (n_rows, n_voxels)
    targets : array (n_rows, dim)
    clips : array (n_rows,)
    windows : int array (n_rows,)
        Which window of its clip.
    """

    bold: np.ndarray
    targets: np.ndarray
    clips: np.ndarray
    windows: np.ndarray


def window_bold(bold, clip_of_tr, runs, window, hop, delay, tr=1.5, clip=15.0, average=False):
    """Average BOLD over the TRs that answer to each window of each clip.

    The window from k hop to k hop + window of a clip is answered ``delay`` s later: by the volumes whose time (that
    of their beginning) lies in [start + delay, start + window + delay). These may be volumes of the next clip. Volumes
    beyond the end of the run do not exist; the mean is over those that do.

    Parameters
    ----------
    bold : array (n_trs, n_voxels)
        Runs one after another, without the dummy.
    clip_of_tr : array (n_trs,)
        Clip that was played at each TR; each run is of whole clips.
    runs : array-like (n_trs,) or None
        Run id of each TR.
    window, hop : float
        Of the embedding, s.
    delay : float
        s.
    tr : float
        Repetition time, s.
    clip : float
        Duration of a clip, s.
    average : bool
        Average the repeats of a clip (the four of a test run); clips are in the order in which they are first played.

    Returns
    -------
    windows : Windows
        A window none of whose volumes exists is NaN; with ``average`` repeats that lack it are left out.

    Raises
    ------
    ValueError
        If lengths differ, a run is not of whole clips, a window holds no volume, or a value is not finite.
    """
    bold = as_stored(bold, "bold")
    if bold.ndim != 2 or not len(bold):
        raise ValueError(
            f"bold has shape {bold.shape}, expected (n_trs, n_voxels) with one TR or more: has the subject such runs?"
        )
    plan = plan_windows(clip_of_tr, check_runs(runs, len(bold)), window, hop, delay, tr, clip)
    check_finite(bold, "bold")
    dtype = np.float64 if bold.dtype.kind == "f" and bold.dtype.itemsize > 4 else np.float32
    mean, missing, clips = _averaging(plan, len(bold), dtype), plan.counts == 0, plan.clips
    if average:
        clips, codes = clip_codes(clips, len(clips))
        merge, missing = _merging(codes, missing, dtype)
        mean = merge @ mean
    out = np.asarray(mean @ bold.astype(dtype, copy=False)).reshape(len(clips), plan.counts.shape[1], -1)
    out[missing] = np.nan
    return Windows(out, clips)


class Plan(NamedTuple):
    """First TR (n_played, n_windows) and number of TRs of each window, and the clips that were played (n_played,)."""

    first: np.ndarray
    counts: np.ndarray
    clips: np.ndarray


def plan_windows(clip_of_tr, runs, window, hop, delay, tr, clip):
    """Say which TRs answer to each window.

    Parameters
    ----------
    clip_of_tr, runs, window, hop, delay, tr, clip
        As of `window_bold`.

    Returns
    -------
    plan : Plan

    Raises
    ------
    ValueError
        As of `window_bold`.
    """
    clip_of_tr = np.asarray(clip_of_tr)
    if clip_of_tr.shape != runs.shape:
        raise ValueError(f"clip_of_tr has shape {clip_of_tr.shape}, expected {runs.shape}: the clip of each TR of bold")
    exact = {name: Fraction(str(x)) for name, x in dict(tr=tr, clip=clip, hop=hop, window=window).items()}
    trs_per_clip = exact["clip"] / exact["tr"]
    if trs_per_clip.denominator != 1 or not np.isfinite(delay) or delay < 0:
        raise ValueError(
            f"clip is {clip:g} s, tr {tr:g} s and delay {delay:g} s, expected clips of whole TRs and 0 s or more"
        )
    starts, ends = _presentations(clip_of_tr, runs, int(trs_per_clip))
    count = n_windows(round(clip * 48000), 48000, window, hop)
    if not count:
        raise ValueError(f"window is {window:g} s, longer than a clip of {clip:g} s")
    begin = [(k * exact["hop"] + Fraction(str(delay))) / exact["tr"] for k in range(count)]
    edges = np.array([(-(-x // 1), -(-(x + exact["window"] / exact["tr"]) // 1)) for x in begin], dtype=int)
    if (edges[:, 0] == edges[:, 1]).any():
        k = int(np.flatnonzero(edges[:, 0] == edges[:, 1])[0])
        raise ValueError(
            f"window {k} of {window:g} s holds no volume: they come every {tr:g} s; take windows of {tr:g} s or more"
        )
    first = starts[:, None] + edges[:, 0]
    counts = np.minimum(starts[:, None] + edges[:, 1], ends[:, None]) - first
    return Plan(first, np.maximum(counts, 0), clip_of_tr[starts])


def _presentations(clip_of_tr, runs, trs_per_clip):
    """Return the first TR of each clip that was played and the end of its run (n_played,)."""
    starts, ends = [], []
    for run in run_slices(runs):
        n_clips, rest = divmod(run.stop - run.start, trs_per_clip)
        blocks = clip_of_tr[run][: n_clips * trs_per_clip].reshape(n_clips, trs_per_clip)
        if rest or (blocks != blocks[:, :1]).any():
            raise ValueError(
                f"run {runs[run.start]} has {run.stop - run.start} TRs that are not whole clips of {trs_per_clip} TRs "
                "one after another: drop the dummy's volumes, and give clip_of_tr in the order of play"
            )
        starts.append(run.start + trs_per_clip * np.arange(n_clips))
        ends.append(np.full(n_clips, run.stop))
    return np.concatenate(starts), np.concatenate(ends)


def _averaging(plan, n_trs, dtype):
    """Return the sparse matrix (n_played * n_windows, n_trs) whose product with BOLD is the mean of each window."""
    first, counts = plan.first.ravel(), plan.counts.ravel()
    ends = np.concatenate([[0], np.cumsum(counts)])
    columns = np.arange(ends[-1]) + np.repeat(first - ends[:-1], counts)
    weights = np.repeat(1 / np.maximum(counts, 1), counts).astype(dtype)
    return sparse.csr_array((weights, columns, ends), shape=(len(counts), n_trs))


def _merging(codes, missing, dtype):
    """Return the sparse matrix that averages the repeats that have a window, and which windows no repeat has."""
    n_windows = missing.shape[1]
    rows = (codes[:, None] * n_windows + np.arange(n_windows)).ravel()
    there = ~missing.ravel()
    n_there = np.bincount(rows[there], minlength=(codes.max() + 1) * n_windows)
    weights = (1 / n_there[rows[there]]).astype(dtype)
    merge = sparse.csr_array((weights, (rows[there], np.flatnonzero(there))), shape=(len(n_there), len(rows)))
    return merge, (n_there == 0).reshape(-1, n_windows)


def pair(windows, vectors, index=None):
    """Lay windows of BOLD beside the embeddings of the same windows; those without a volume are left out.

    Parameters
    ----------
    windows : Windows
    vectors : array (n_clips, n_windows, dim), or (n_clips, dim) for one window a clip
    index : array-like (n_clips,), optional
        Clip that each row of ``vectors`` is of; by default row i is clip i.

    Returns
    -------
    pairs : Pairs

    Raises
    ------
    ValueError
        If a clip that was played has no vectors, or they have another number of windows, or are not finite.
    """
    vectors = as_floats(vectors, "vectors")
    if vectors.ndim == 2:
        vectors = vectors[:, None]
    count = windows.bold.shape[1]
    if vectors.ndim != 3 or vectors.shape[1] != count:
        raise ValueError(
            f"vectors has shape {vectors.shape}, expected (n_clips, {count}, dim): bold has {count} windows a clip; "
            "take the window and hop of the embedding for both"
        )
    check_finite(vectors, "vectors")
    index = np.arange(len(vectors)) if index is None else np.asarray(index)
    if index.shape != (len(vectors),) or len(np.unique(index)) != len(index):
        raise ValueError(f"index has shape {index.shape}, expected ({len(vectors)},) different clips: one a row")
    lost = np.setdiff1d(windows.clips, index)
    if len(lost):
        raise ValueError(f"vectors has no row for {len(lost)} clips that were played, the first is clip {lost[0]}")
    order = np.argsort(index)
    rows = order[np.searchsorted(index, windows.clips, sorter=order)]
    there = ~np.isnan(windows.bold[:, :, 0])
    played, which = np.nonzero(there)
    return Pairs(windows.bold[there], vectors[rows][there], windows.clips[played], which)
