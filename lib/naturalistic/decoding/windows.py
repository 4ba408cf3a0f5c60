"""Windows of BOLD at a delay, paired with the embeddings of the stimulus."""

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from naturalistic.arrays import ShapeRepr, as_floats, as_stored, check_finite, release_pages
from naturalistic.decoding.clips import average_clips, clip_codes
from naturalistic.features.audio.windows import n_windows
from naturalistic.runs import check_runs, run_slices

if TYPE_CHECKING:
    from naturalistic.datasets.music_genre import MusicGenre
    from naturalistic.datasets.subject import Subject

TRAINING: Literal["Training"] = "Training"
TEST: Literal["Test"] = "Test"


@dataclass(frozen=True, eq=False, repr=False)
class BoldWindows(ShapeRepr):
    """BOLD averaged over windows.

    Attributes
    ----------
    bold : array (n_played, n_windows, n_voxels)
        NaN where a window lies beyond the end of its run.
    clips : array (n_played,)
        Clip of each presentation.
    """

    bold: NDArray
    clips: NDArray


@dataclass(frozen=True, eq=False, repr=False)
class WindowPairs(ShapeRepr):
    """Windows of BOLD paired with embeddings, one row a window.

    Attributes
    ----------
    bold : array (n_rows, n_voxels)
    targets : array (n_rows, dim)
    clips : array (n_rows,)
    windows : int array (n_rows,)
        Number of the window within its clip.
    """

    bold: NDArray
    targets: NDArray
    clips: NDArray
    windows: NDArray


@dataclass(frozen=True, eq=False, repr=False)
class WindowedData(ShapeRepr):
    """Training and test windows of one subject with their embeddings.

    Attributes
    ----------
    train, test : WindowPairs
        ``clips`` are indices into the clips of the experiment. Test windows are averages over their repeats.
    """

    train: WindowPairs
    test: WindowPairs


@dataclass(frozen=True, eq=False, repr=False)
class WindowIndex(ShapeRepr):
    """TRs of each window of each presentation.

    Attributes
    ----------
    first : int array (n_played, n_windows)
        First TR.
    counts : int array (n_played, n_windows)
        Number of TRs; 0 where the window lies beyond the end of its run.
    clips : array (n_played,)
        Clip of each presentation.
    """

    first: NDArray
    counts: NDArray
    clips: NDArray


def make_windows(
    subject: "Subject", experiment: "MusicGenre", vectors: NDArray, window: float, hop: float, delay: float
) -> WindowedData:
    """Make training and test windows of a subject, paired with their embeddings.

    Parameters
    ----------
    subject : Subject
    experiment : MusicGenre
    vectors : array (n_clips, n_windows, dim)
        Embeddings of all clips of the experiment, in its order.
    window, hop, delay : float
        In s.

    Returns
    -------
    data : WindowedData

    Raises
    ------
    ValueError
        If the subject has no training or no test runs, or ``vectors`` does not hold one row a clip.
    """
    if len(vectors) != len(experiment.clips):
        raise ValueError(
            f"vectors are of {len(vectors)} clips, but the experiment has {len(experiment.clips)}: embed all of "
            "experiment.clips, in that order"
        )

    def pairs(split: Literal["Training", "Test"], average: bool) -> WindowPairs:
        part = select_runs(subject, split)
        clip_of_tr = experiment.clip_of_tr(part.run_names)
        windows = window_bold(part.bold, clip_of_tr, part.runs, window, hop, delay, average=average)
        return pair_windows(windows, vectors)

    return WindowedData(train=pairs(TRAINING, average=False), test=pairs(TEST, average=True))


def average_by_clip(data: WindowedData) -> WindowedData:
    """Average the windows of each clip, in BOLD and embeddings.

    Decoders of one row a clip are fitted in a fraction of the time.

    Parameters
    ----------
    data : WindowedData

    Returns
    -------
    data : WindowedData
        ``windows`` are 0.
    """
    return WindowedData(train=_average_pairs(data.train), test=_average_pairs(data.test))


def _average_pairs(pairs: WindowPairs) -> WindowPairs:
    bold, clips = average_clips(pairs.bold, pairs.clips)
    targets, _ = average_clips(pairs.targets, pairs.clips)
    return WindowPairs(bold, targets, clips, np.zeros(len(clips), dtype=int))


def select_runs(subject: "Subject", split: Literal["Training", "Test"]) -> "Subject":
    """Return a subject with the training or test runs alone.

    Parameters
    ----------
    subject : Subject
    split : {"Training", "Test"}

    Returns
    -------
    selected : Subject

    Raises
    ------
    ValueError
        If the subject has no such run; with the command that downloads one.
    """
    if not any(name.startswith(split) for name in subject.run_names):
        available = ", ".join(subject.run_names)
        command = f"naturalistic fetch ds003720 --subject {subject.label} --runs {split}_run-01 --to DIR"
        raise ValueError(
            f"subject {subject.label} has no {split} runs, only {available}: download them ({command}), or leave it out"
        )
    return subject.select(split)


def window_bold(
    bold: ArrayLike,
    clip_of_tr: ArrayLike,
    runs: ArrayLike | None,
    window: float,
    hop: float,
    delay: float,
    tr: float = 1.5,
    clip: float = 15.0,
    average: bool = False,
) -> BoldWindows:
    """Average BOLD over the TRs of each window of each clip, ``delay`` s later.

    Window k of a clip, from k hop to k hop + window, takes the volumes whose onset lies in [start + delay, start +
    window + delay). They may belong to the next clip. Volumes beyond the end of the run do not exist; the mean is over
    those that do.

    Parameters
    ----------
    bold : array (n_trs, n_voxels)
        Runs one after another, without dummy volumes.
    clip_of_tr : array (n_trs,)
        Clip presented at each TR; each run consists of whole clips.
    runs : array-like (n_trs,) or None
        Run id of each TR.
    window, hop : float
        Windows of the embedding, in s.
    delay : float
        In s.
    tr : float
        Repetition time, in s.
    clip : float
        Duration of a clip, in s.
    average : bool
        Average the repeats of a clip; clips are in order of their first presentation.

    Returns
    -------
    windows : BoldWindows
        A window without any volume is NaN; with ``average`` repeats that lack it are left out.

    Raises
    ------
    ValueError
        If lengths differ, a run does not consist of whole clips, a window holds no volume, or a value is not finite.
    """
    bold = as_stored(bold, "bold")
    if bold.ndim != 2 or not len(bold):
        raise ValueError(
            f"bold has shape {bold.shape}, expected (n_trs, n_voxels) with one TR or more: has the subject such runs?"
        )
    index = index_windows(clip_of_tr, check_runs(runs, len(bold)), window, hop, delay, tr, clip)
    check_finite(bold, "bold")
    dtype = np.float64 if bold.dtype.kind == "f" and bold.dtype.itemsize > 4 else np.float32
    weights = _window_weights(index, len(bold), dtype)
    missing = index.counts == 0
    clips = index.clips
    if average:
        clips, codes = clip_codes(clips, len(clips))
        repeat_weights, missing = _repeat_weights(codes, missing, dtype)
        weights = repeat_weights @ weights
    means = _weighted_sums(weights, bold, runs, dtype).reshape(len(clips), index.counts.shape[1], -1)
    means[missing] = np.nan
    return BoldWindows(means, clips)


def index_windows(
    clip_of_tr: ArrayLike, runs: NDArray, window: float, hop: float, delay: float, tr: float, clip: float
) -> WindowIndex:
    """Find the TRs of each window of each presentation.

    Parameters
    ----------
    clip_of_tr : array (n_trs,)
        Clip presented at each TR; each run consists of whole clips.
    runs : array (n_trs,)
    window, hop, delay, tr, clip : float
        In s.

    Returns
    -------
    index : WindowIndex

    Raises
    ------
    ValueError
        If lengths differ, a run does not consist of whole clips, or a window holds no volume.
    """
    clip_of_tr = np.asarray(clip_of_tr)
    if clip_of_tr.shape != runs.shape:
        raise ValueError(f"clip_of_tr has shape {clip_of_tr.shape}, expected {runs.shape}: the clip of each TR of bold")
    exact_tr = Fraction(str(tr))  # times in floats would put volumes on the edge of a window on either side
    trs_per_clip = Fraction(str(clip)) / exact_tr
    if trs_per_clip.denominator != 1 or not np.isfinite(delay) or delay < 0:
        raise ValueError(
            f"clip is {clip:g} s, tr {tr:g} s and delay {delay:g} s, expected clips of whole TRs and 0 s or more"
        )
    starts, ends = _presentations(clip_of_tr, runs, int(trs_per_clip))
    count = n_windows(round(clip * 48000), 48000, window, hop)
    if not count:
        raise ValueError(f"window is {window:g} s, longer than a clip of {clip:g} s")
    onsets = [(k * Fraction(str(hop)) + Fraction(str(delay))) / exact_tr for k in range(count)]
    length = Fraction(str(window)) / exact_tr
    edges = np.array([(-(-onset // 1), -(-(onset + length) // 1)) for onset in onsets], dtype=int)
    empty = edges[:, 0] == edges[:, 1]
    if empty.any():
        k = int(np.flatnonzero(empty)[0])
        raise ValueError(
            f"window {k} of {window:g} s holds no volume: they come every {tr:g} s; take windows of {tr:g} s or more"
        )
    first = starts[:, None] + edges[:, 0]
    counts = np.minimum(starts[:, None] + edges[:, 1], ends[:, None]) - first
    return WindowIndex(first, np.maximum(counts, 0), clip_of_tr[starts])


def _presentations(clip_of_tr: NDArray, runs: NDArray, trs_per_clip: int) -> tuple[NDArray, NDArray]:
    """Return the first TR of each presentation and the end of its run (n_played,)."""
    starts = []
    ends = []
    for run in run_slices(runs):
        n_clips, rest = divmod(run.stop - run.start, trs_per_clip)
        blocks = clip_of_tr[run][: n_clips * trs_per_clip].reshape(n_clips, trs_per_clip)
        if rest or (blocks != blocks[:, :1]).any():
            raise ValueError(
                f"run {runs[run.start]} has {run.stop - run.start} TRs that are not whole clips of {trs_per_clip} TRs "
                "one after another: drop the dummy volumes, and give clip_of_tr in the order of presentation"
            )
        starts.append(run.start + trs_per_clip * np.arange(n_clips))
        ends.append(np.full(n_clips, run.stop))
    return np.concatenate(starts), np.concatenate(ends)


def _weighted_sums(weights: sparse.csr_array, bold: NDArray, runs: ArrayLike | None, dtype: type) -> NDArray:
    """Return weights (n, n_trs) times BOLD (n_trs, n_voxels), run by run: one run is in memory at a time."""
    sums = np.zeros((weights.shape[0], bold.shape[1]), dtype)
    for run in run_slices(runs, len(bold)):
        of_run = weights[:, run]
        rows = np.flatnonzero(np.diff(of_run.indptr))  # no window reaches beyond its run
        sums[rows] += of_run[rows] @ bold[run].astype(dtype, copy=False)
        release_pages(bold)
    return sums


def _window_weights(index: WindowIndex, n_trs: int, dtype: type) -> sparse.csr_array:
    """Return the matrix (n_played * n_windows, n_trs) that averages over windows."""
    first = index.first.ravel()
    counts = index.counts.ravel()
    ends = np.concatenate([[0], np.cumsum(counts)])
    columns = np.arange(ends[-1]) + np.repeat(first - ends[:-1], counts)
    weights = np.repeat(1 / np.maximum(counts, 1), counts).astype(dtype)
    return sparse.csr_array((weights, columns, ends), shape=(len(counts), n_trs))


def _repeat_weights(codes: NDArray, missing: NDArray, dtype: type) -> tuple[sparse.csr_array, NDArray]:
    """Return the matrix that averages repeats, and the windows without any."""
    n_windows = missing.shape[1]
    rows = (codes[:, None] * n_windows + np.arange(n_windows)).ravel()
    present = ~missing.ravel()
    n_repeats = np.bincount(rows[present], minlength=(codes.max() + 1) * n_windows)
    weights = (1 / n_repeats[rows[present]]).astype(dtype)
    shape = (len(n_repeats), len(rows))
    averaging = sparse.csr_array((weights, (rows[present], np.flatnonzero(present))), shape=shape)
    return averaging, (n_repeats == 0).reshape(-1, n_windows)


def pair_windows(windows: BoldWindows, vectors: ArrayLike, index: ArrayLike | None = None) -> WindowPairs:
    """Pair windows of BOLD with embeddings, without windows that are NaN.

    Parameters
    ----------
    windows : BoldWindows
    vectors : array (n_clips, n_windows, dim), or (n_clips, dim) for one window a clip
    index : array-like (n_clips,), optional
        Clip of each row of ``vectors``; by default row i is clip i.

    Returns
    -------
    pairs : WindowPairs

    Raises
    ------
    ValueError
        If a presented clip has no vectors, or they have another number of windows, or are not finite.
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
    unknown = np.setdiff1d(windows.clips, index)
    if len(unknown):
        raise ValueError(
            f"vectors has no row for {len(unknown)} clips that were presented, the first is clip {unknown[0]}"
        )
    order = np.argsort(index)
    rows = order[np.searchsorted(index, windows.clips, sorter=order)]
    present = ~np.isnan(windows.bold[:, :, 0])
    presentation, window = np.nonzero(present)
    # where all are there nothing is copied: windows of a whole brain are gigabytes
    bold = windows.bold.reshape(-1, windows.bold.shape[2]) if present.all() else windows.bold[present]
    return WindowPairs(bold, vectors[rows][present], windows.clips[presentation], window)
