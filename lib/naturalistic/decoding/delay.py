"""How many seconds after a sound its trace in the brain is read best."""

from typing import NamedTuple

import numpy as np
from sklearn.base import clone

from naturalistic.arrays import as_stored
from naturalistic.decoding.decoder import ridge, scaling
from naturalistic.decoding.windows import Windows, pair, plan_windows, window_bold
from naturalistic.runs import check_runs


class Delay(NamedTuple):
    """The delay that cross-validation prefers.

    Attributes
    ----------
    best : float
        s; the first of equals.
    delays : array (n_delays,)
        s, those that were tried.
    scores : array (n_delays,)
        Mean over dimensions of the CV correlation of each.
    """

    best: float
    delays: np.ndarray
    scores: np.ndarray


def choose_delay(
    bold, clip_of_tr, runs, vectors, window, hop, delays=None, *, model=None, index=None, tr=1.5, clip=15.0
):
    """Choose the delay between sound and BOLD by cross-validation over whole clips of the training runs.

    Every delay is scored on the same windows: those whose volumes exist at the longest delay.

    Parameters
    ----------
    bold : array (n_trs, n_voxels)
        Training runs only. A part of the voxels (auditory cortex) is enough, and quicker.
    clip_of_tr, runs, window, hop, tr, clip
        As of `windows.window_bold`.
    vectors : array (n_clips, n_windows, dim)
    delays : sequence of float, optional
        s; 0, one TR, two TRs ... up to 9 s by default.
    model : RidgeCV, optional
        `decoder.ridge()` by default; its ``cv`` makes the folds.
    index : array-like (n_clips,), optional
        As of `windows.pair`.

    Returns
    -------
    delay : Delay

    Raises
    ------
    ValueError
        As of `windows.window_bold` and `windows.pair`, or if no delay is given.
    """
    delays = np.arange(0, 9 + tr / 2, tr) if delays is None else np.atleast_1d(np.asarray(delays, dtype=float))
    if delays.ndim != 1 or not len(delays) or not np.isfinite(delays).all():
        raise ValueError(f"delays is {delays!r}, expected one number of seconds or more")
    model, bold = ridge() if model is None else model, as_stored(bold, "bold")
    last = plan_windows(clip_of_tr, check_runs(runs, len(bold)), window, hop, float(delays.max()), tr, clip)
    scores = []
    for delay in delays.tolist():
        found = window_bold(bold, clip_of_tr, runs, window, hop, delay, tr, clip)
        found.bold[last.counts == 0] = np.nan
        rows = pair(Windows(*found), vectors, index)
        mean, scale = scaling(rows.bold)
        fitted = clone(model).fit((rows.bold - mean) / scale, rows.targets, groups=rows.clips)
        scores.append(fitted.cv_scores_.max(axis=0).mean())
    return Delay(float(delays[np.argmax(scores)]), delays, np.array(scores))
