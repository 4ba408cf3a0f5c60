"""Selection of the delay between stimulus and BOLD by cross-validation."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from naturalistic.arrays import ShapeRepr, as_stored, take_columns
from naturalistic.decoding.decoder import column_scaling, default_ridge
from naturalistic.decoding.windows import TRAINING, index_windows, pair_windows, select_runs, window_bold
from naturalistic.models.ridge import RidgeCV
from naturalistic.runs import check_runs

if TYPE_CHECKING:
    from naturalistic.datasets.music_genre import MusicGenre
    from naturalistic.datasets.subject import Subject


@dataclass(frozen=True, eq=False, repr=False)
class DelaySelection(ShapeRepr):
    """Delay with the best cross-validated correlation.

    Attributes
    ----------
    best : float
        In s; the first of equals.
    delays : array (n_delays,)
        Candidates, in s.
    scores : array (n_delays,)
        Mean over dimensions of the CV correlation of each candidate.
    """

    best: float
    delays: NDArray
    scores: NDArray


def select_delay(
    bold: ArrayLike,
    clip_of_tr: ArrayLike,
    runs: ArrayLike | None,
    vectors: ArrayLike,
    window: float,
    hop: float,
    delays: ArrayLike | None = None,
    *,
    model: RidgeCV | None = None,
    index: ArrayLike | None = None,
    tr: float = 1.5,
    clip: float = 15.0,
) -> DelaySelection:
    """Select the delay between stimulus and BOLD by cross-validation over whole clips.

    Every delay is scored on the same windows: those whose volumes exist at the longest delay.

    Parameters
    ----------
    bold : array (n_trs, n_voxels)
        Training runs only. A subset of voxels (auditory cortex) suffices, and is faster.
    clip_of_tr : array (n_trs,)
        Clip presented at each TR; each run consists of whole clips.
    runs : array-like (n_trs,) or None
        Run id of each TR.
    vectors : array (n_clips, n_windows, dim)
    window, hop : float
        Windows of the embedding, in s.
    delays : sequence of float, optional
        In s; 0, one TR, two TRs ... up to 9 s by default.
    model : RidgeCV, optional
        `default_ridge()` by default; its ``cv`` makes the folds.
    index : array-like (n_clips,), optional
        Clip of each row of ``vectors``; by default row i is clip i.
    tr, clip : float
        Repetition time and duration of a clip, in s.

    Returns
    -------
    selection : DelaySelection

    Raises
    ------
    ValueError
        If no delay is given, or BOLD, clips and vectors do not match (`window_bold`, `pair_windows`).
    """
    delays = np.arange(0, 9 + tr / 2, tr) if delays is None else np.atleast_1d(np.asarray(delays, dtype=float))
    if delays.ndim != 1 or not len(delays) or not np.isfinite(delays).all():
        raise ValueError(f"delays is {delays!r}, expected one number of seconds or more")
    model = default_ridge() if model is None else model
    bold = as_stored(bold, "bold")
    runs_of_tr = check_runs(runs, len(bold))
    at_longest = index_windows(clip_of_tr, runs_of_tr, window, hop, float(delays.max()), tr, clip)
    scores = []
    for delay in delays.tolist():
        windows = window_bold(bold, clip_of_tr, runs, window, hop, delay, tr, clip)
        windows.bold[at_longest.counts == 0] = np.nan
        pairs = pair_windows(windows, vectors, index)
        mean, scale = column_scaling(pairs.bold)
        fitted = clone(model).fit((pairs.bold - mean) / scale, pairs.targets, groups=pairs.clips)
        scores.append(fitted.cv_scores_.max(axis=0).mean())
    return DelaySelection(float(delays[np.argmax(scores)]), delays, np.array(scores))


def select_subject_delay(
    subject: "Subject",
    experiment: "MusicGenre",
    vectors: NDArray,
    window: float,
    hop: float,
    voxels: NDArray | slice,
    **options: Any,
) -> DelaySelection:
    """Select the delay between stimulus and BOLD on the training runs of a subject.

    Parameters
    ----------
    subject : Subject
    experiment : MusicGenre
    vectors : array (n_clips, n_windows, dim)
        Embeddings of all clips of the experiment, in its order.
    window, hop : float
        Windows of the embedding, in s.
    voxels : bool or int array
        Such as auditory cortex.
    **options
        Of `select_delay`.

    Returns
    -------
    selection : DelaySelection

    Raises
    ------
    ValueError
        If the subject has no training runs, or BOLD, clips and vectors do not match.
    """
    training = select_runs(subject, TRAINING)
    clip_of_tr = experiment.clip_of_tr(training.run_names)
    bold = take_columns(training.bold, voxels)
    return select_delay(bold, clip_of_tr, training.runs, vectors, window, hop, **options)
