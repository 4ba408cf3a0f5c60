"""Control features without meaning: speech, light, loudness, cuts, categories.

From the annotations: how many words are said, and whether anybody speaks. From the film: luminance, loudness and cuts,
measured elsewhere and brought to seconds by `on_seconds` and `count_events`, or read from
tables by `datasets.stimulus.stimulus_features`.
"""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from naturalistic.datasets.words import without_marks
from naturalistic.features.text.word_vectors import words_of
from naturalistic.runs import run_slices

_SECONDS = 1e-6  # s; times are written with a few digits


def word_rate(texts: Any, runs: ArrayLike | None = None, unit: Literal["words", "characters"] = "words") -> NDArray:
    """Return the number of spoken words in each second.

    An utterance stands in all seconds in which it is heard, and its words are spread over them evenly. Bracketed marks
    of sounds and gaps, such as ``[laughs]`` or ``<unk>``, are no words: see `datasets.words`.

    Parameters
    ----------
    texts : Annotations of speech, or list of n_seconds lists of str
        Utterances.
    runs : array-like (n_seconds,), optional
        Those of the annotations by default, else one run.
    unit : {"words", "characters"}
        "characters" for languages without blanks between words, such as Japanese; letters and digits count.

    Returns
    -------
    rate : float32 array (n_seconds,)

    Raises
    ------
    ValueError
        On another unit.
    """
    if unit not in ("words", "characters"):
        raise ValueError(f"unit is {unit!r}, expected 'words' or 'characters'")
    texts, runs = _opened(texts, runs)
    rate = np.zeros(len(texts))
    for run in run_slices(runs, len(texts)):
        for first, end, text in _stretches(texts[run]):
            n = len(words_of(text)) if unit == "words" else sum(map(str.isalnum, text))
            rate[run.start + first : run.start + end] += n / (end - first)
    return rate.astype(np.float32)


def speech_on(texts: Any) -> NDArray:
    """Return 1 for each second with speech, else 0: float32 (n_seconds,)."""
    texts, _ = _opened(texts, None)
    return np.array([any(text.strip(". ") for text in second) for second in texts], np.float32)


def on_seconds(values: ArrayLike, rate: float, n_seconds: int) -> NDArray:
    """Return the mean of a measured course over each second.

    Parameters
    ----------
    values : array (n_samples,)
        Such as the mean luminance of each frame, or the loudness of each window, from the start of the run.
    rate : float
        Samples a second; seconds may hold different numbers of them (29.97 frames).
    n_seconds : int
        Of the run.

    Returns
    -------
    means : float32 array (n_seconds,)

    Raises
    ------
    ValueError
        If values are not finite, or do not reach from the first to the last second.
    """
    values = np.asarray(values, float)
    if not (np.isfinite(rate) and rate > 0):
        raise ValueError(f"rate is {rate!r}, expected samples a second, above 0")
    if values.ndim != 1 or not np.isfinite(values).all():
        raise ValueError(f"values has shape {values.shape}, expected finite numbers (n_samples,)")
    second = np.floor(np.arange(len(values)) / rate + _SECONDS).astype(int)
    inside = second < n_seconds
    counts = np.bincount(second[inside], minlength=n_seconds)
    if len(counts) == 0 or not counts.all():
        raise ValueError(
            f"values has {len(values)} samples at {rate:g} a second ({len(values) / rate:.2f} s), expected one or more "
            f"in each of the {n_seconds} s of the run"
        )
    return (np.bincount(second[inside], values[inside], n_seconds) / counts).astype(np.float32)


def count_events(times: ArrayLike, n_seconds: int) -> NDArray:
    """Return the number of events, such as cuts, in each second.

    Parameters
    ----------
    times : array-like (n_events,)
        s from the start of the run.
    n_seconds : int

    Returns
    -------
    counts : float32 array (n_seconds,)

    Raises
    ------
    ValueError
        If a time lies outside of the run.
    """
    times = np.asarray(times, float).reshape(-1)
    outside = times[~((times >= 0) & (times < n_seconds))]
    if len(outside):
        raise ValueError(f"times has {outside[0]:g} s, expected 0 up to {n_seconds} s of the run")
    second = np.minimum(np.floor(times + _SECONDS).astype(int), n_seconds - 1)
    return np.bincount(second, minlength=n_seconds).astype(np.float32)


def controls(
    texts: Any, measured: dict[str, ArrayLike] | None = None, runs: ArrayLike | None = None, unit: str = "words"
) -> dict[str, NDArray]:
    """Return the non-semantic features by name.

    Parameters
    ----------
    texts : Annotations of speech, or list of n_seconds lists of str
    measured : dict of str to array (n_seconds,), optional
        On the grid of seconds, such as ``luminance``, ``loudness`` and ``cuts``. ``n_words``, words spoken by their
        exact times, takes the place of `word_rate`.
    runs, unit
        See `word_rate`.

    Returns
    -------
    spaces : dict of str to float32 array (n_seconds, 1)
        ``word_rate``, ``speech``, and what was measured.

    Raises
    ------
    ValueError
        If what was measured has another number of seconds, or numbers that are not finite.
    """
    spaces = {"word_rate": word_rate(texts, runs, unit), "speech": speech_on(texts)}
    for name, values in (measured or {}).items():
        values = np.asarray(values, np.float32)
        if values.shape != spaces["speech"].shape or not np.isfinite(values).all():
            raise ValueError(
                f"measured[{name!r}] has shape {values.shape}, expected {spaces['speech'].shape}, finite: one number a "
                "second, as the text has"
            )
        spaces["word_rate" if name == "n_words" else name] = values
    return {name: values[:, None] for name, values in spaces.items()}


def concatenate_controls(
    texts: Any, measured: Mapping[str, ArrayLike] | None = None, runs: ArrayLike | None = None, unit: str = "words"
) -> NDArray:
    """Return `controls` as one feature space.

    float32 (n_seconds, n_features); the parameters are those of `controls`.
    """
    return np.concatenate(list(controls(texts, measured, runs, unit).values()), axis=1)


def one_hot(labels: ArrayLike) -> tuple[NDArray, tuple[str, ...]]:
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


def _opened(texts: Any, runs: ArrayLike | None) -> tuple[list[list[str]], Any]:
    runs = getattr(texts, "runs", None) if runs is None else runs
    seconds = getattr(texts, "texts", texts)
    return [[without_marks(text) for text in second] for second in seconds], runs


def _stretches(seconds: Any) -> list[tuple[int, int, str]]:
    """Return (first, end, text) of each utterance of a run: the seconds running in which it stands."""
    open_ = {}
    stretches = []
    for k, second in enumerate([*seconds, []]):
        current = dict.fromkeys(text for text in second if text.strip(". "))  # no set: its order is not fixed
        stretches += [(open_.pop(text), k, text) for text in list(open_) if text not in current]
        open_.update({text: k for text in current if text not in open_})
    return stretches
