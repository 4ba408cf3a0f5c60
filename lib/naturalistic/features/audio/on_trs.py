"""From windows of clips to the grid of TRs: what an embedding says of the music at each volume.

A window's vector is already a mean over the window, so it stands for the window's middle, and a TR takes the line
between the two middles around its own. The mean of all windows that cover a TR would blur what is blurred: with
windows of 10 s it reaches 10 s to either side.
"""

import joblib
import numpy as np
from tqdm import tqdm

from naturalistic.arrays import as_floats
from naturalistic.cache import content_key, read_array, write_array
from naturalistic.features.audio.acoustic import acoustic_frames
from naturalistic.features.audio.windows import check_times, check_waveforms, n_windows
from naturalistic.parameters import check_jobs
from naturalistic.runs import check_runs, run_slices

_RECIPE = 1  # part of the cache's key: raise it when the same call gives other numbers


def clips_on_trs(vectors, clip_of_tr, runs, window, hop=1.5, *, tr=1.5, clip=15.0):
    """Return the vector of the music at each TR, before any delay.

    Linear between the middles of windows; before the first middle of a clip and after its last the nearest window
    is held, so nothing of one clip reaches another. One window is constant over its clip.

    Parameters
    ----------
    vectors : array (n_clips, n_windows, dim)
        Of all clips, in the order that ``clip_of_tr`` counts in.
    clip_of_tr : int array (n_trs,)
        Index of the clip that is played at each TR; runs are of whole clips.
    runs : array-like (n_trs,) or None
    window, hop : float
        Of the vectors, s.
    tr : float
        Repetition time, s.
    clip : float
        Duration of a clip, s.

    Returns
    -------
    features : array (n_trs, dim)
        float32, or float64 if the vectors are float64 or whole numbers.

    Raises
    ------
    ValueError
        If clips and vectors do not match (both numbers are said), windows do not fill a clip, a run is not of whole
        clips, or a value is not finite.
    """
    vectors = as_floats(vectors, "vectors")
    per_clip = _trs_of_clip(clip, tr)
    _check_vectors(vectors, window, hop, clip)
    played = _played(np.asarray(clip_of_tr), runs, per_clip)
    if played.min() < 0 or played.max() >= len(vectors):
        raise ValueError(
            f"vectors is of {len(vectors)} clips, but clip_of_tr counts up to clip {played.max()}, so there are "
            f"{played.max() + 1} or more: embed all clips of the experiment, in its order"
        )
    weights = window_weights(vectors.shape[1], window, hop, per_clip, tr).astype(vectors.dtype)
    on_trs = weights @ vectors  # once a clip, not once a repeat
    return on_trs[played].reshape(-1, vectors.shape[2])


def window_weights(count, window, hop, per_clip, tr):
    """Return what each TR of a clip takes of each window: (per_clip, count), rows sum to 1."""
    middles = np.arange(count) * hop + window / 2
    times = (np.arange(per_clip) + 0.5) * tr
    return np.stack([np.interp(times, middles, row) for row in np.eye(count)], axis=1)


def one_hot(labels):
    """Return labels as columns of zeros and ones.

    Parameters
    ----------
    labels : sequence (n,)

    Returns
    -------
    columns : float32 array (n, n_names)
        In the order of the sorted names.
    names : tuple of str

    Raises
    ------
    ValueError
        If there is no label, or more than one dimension.
    """
    labels = np.asarray(labels)
    if labels.ndim != 1 or not len(labels):
        raise ValueError(f"labels has shape {labels.shape}, expected (n,), one label or more")
    names, index = np.unique(labels, return_inverse=True)
    return np.eye(len(names), dtype=np.float32)[index], tuple(map(str, names))


def acoustic_steps(waveforms, sample_rate, step=1.5, *, cache=True, progress=True, n_jobs=1):
    """Return acoustic features of clips, step by step: `acoustic.acoustic_frames`, side by side.

    Parameters
    ----------
    waveforms : array (n_clips, n_samples), or list of arrays (n_samples,)
        Mono floats of full scale 1, equally long.
    sample_rate : float
        Hz.
    step : float
        s, such as a TR.
    cache : bool
        Keep the numbers of each clip, found again by its samples.
    progress : bool
        Show a bar if it takes more than 3 s.
    n_jobs : int
        Processes.

    Returns
    -------
    features : float32 array (n_clips, n_steps, 88)
        As vectors of windows of one step: loudness in 64 bands, chroma, onset strength, spectrum, contrast.

    Raises
    ------
    TypeError, ValueError
        As `acoustic.acoustic_frames`.
    """
    n_jobs = check_jobs(n_jobs)
    clips, _ = check_waveforms(waveforms, sample_rate)
    n_steps = n_windows(min(map(len, clips)), sample_rate, step, step)
    kept = [read_array("acoustic", key, (n_steps, 88)) for key in _keys(clips, sample_rate, step)] if cache else []
    found = dict(enumerate(kept))
    todo = [k for k in range(len(clips)) if found.get(k) is None]
    work = (joblib.delayed(_steps)(clips[k], sample_rate, step, n_steps) for k in todo)
    made = joblib.Parallel(n_jobs=n_jobs, return_as="generator")(work)
    bar = tqdm(made, total=len(todo), desc="acoustic", unit="clip", delay=3, leave=False, disable=not progress)
    for values, k in zip(bar, todo):  # the generator first, so that it runs to its end
        found[k] = values
        if cache:
            write_array("acoustic", _keys([clips[k]], sample_rate, step)[0], values)
    return np.stack([found[k] for k in range(len(clips))])


def _keys(clips, sample_rate, step):
    return [content_key("acoustic steps", _RECIPE, float(sample_rate), float(step), clip) for clip in clips]


def _steps(clip, sample_rate, step, n_steps):
    """Return the features of one clip (n_steps, 88)."""
    return np.concatenate(list(acoustic_frames(clip, sample_rate, step).values()), axis=1)[:n_steps]


def _trs_of_clip(clip, tr):
    check_times(clip, tr)
    per_clip = round(clip / tr)
    if abs(per_clip * tr - clip) > 1e-6 * tr:
        raise ValueError(f"a clip of {clip:g} s is not a whole number of TRs of {tr:g} s")
    return per_clip


def _check_vectors(vectors, window, hop, clip):
    """Check that vectors are of windows inside a clip."""
    check_times(window, hop)
    if vectors.ndim != 3 or not vectors.size:
        raise ValueError(
            f"vectors has shape {vectors.shape}, expected (n_clips, n_windows, dim); one vector a clip is "
            "vectors[:, None]"
        )
    last = (vectors.shape[1] - 1) * hop + window
    if last > clip + 1e-6:
        raise ValueError(
            f"vectors has {vectors.shape[1]} windows of {window:g} s every {hop:g} s, which end at {last:g} s, "
            f"expected windows inside the {clip:g} s of a clip"
        )
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=(1, 2)))
    if len(bad):
        raise ValueError(f"vectors of {len(bad)} clip(s) are not finite, the first is clip {bad[0]}: embed them again")


def _played(clip_of_tr, runs, per_clip):
    """Return the clips in the order in which they are played, each run being of whole clips."""
    runs = check_runs(runs, len(clip_of_tr))
    for s in run_slices(runs, len(clip_of_tr)):
        here, rest = clip_of_tr[s], (s.stop - s.start) % per_clip
        if rest or (here.reshape(-1, per_clip) != here[::per_clip, None]).any():
            raise ValueError(
                f"the run at TRs {s.start} to {s.stop - 1} is not of whole clips of {per_clip} TRs: leave the dummy "
                "out, and pass runs as they were played"
            )
    return clip_of_tr[::per_clip]
