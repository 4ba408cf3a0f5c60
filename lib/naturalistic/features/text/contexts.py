"""Context of each word: windows in seconds or words, and chunks of text that hold many windows."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from naturalistic.datasets.words import is_named_mark
from naturalistic.runs import run_slices

_ROUNDING = 1e-9  # s; onsets such as 0.3 are not exact, and a word that lies just on the edge belongs to the window


def context_starts(
    onsets: ArrayLike,
    window: float | None,
    unit: Literal["words", "seconds"] = "words",
    mode: Literal["sliding", "growing"] = "sliding",
    runs: ArrayLike | None = None,
) -> NDArray[np.int64]:
    """Return the first word of the context of each word.

    The context of word ``i`` is ``words[starts[i]:i + 1]``: it ends with the word and never leaves its run.

    Parameters
    ----------
    onsets : array-like (n_words,)
        Onset of each word in s, in order inside a run.
    window : float or None
        Length of the longest context. In words, the word itself included (1: the word alone); in seconds, from
        the onset of the first word to that of the last. None: everything since the run began.
    unit : {"words", "seconds"}
    mode : {"sliding", "growing"}
        "sliding": the last ``window`` before each word. "growing": the context grows from the beginning of the
        run; where one more word would make it longer than ``window``, it begins anew with the last half of the
        window (``window // 2`` words, or the words of the last ``window / 2`` s) and grows again.
    runs : array-like (n_words,), optional
        Run of each word; one run by default.

    Returns
    -------
    starts : int array (n_words,)

    Raises
    ------
    ValueError
        If onsets are not in order, the window is not above 0, or ``unit`` or ``mode`` is unknown.
    """
    onsets = np.asarray(onsets, float)
    if onsets.ndim != 1:
        raise ValueError(f"onsets has shape {onsets.shape}, expected (n_words,): one onset for each word, in s")
    _check_window(window, unit, mode)
    starts = np.zeros(len(onsets), np.int64)
    for run in run_slices(runs, len(onsets)):
        inside = onsets[run]
        wrong = np.flatnonzero(~(np.diff(inside, prepend=inside[0]) >= 0))
        if len(wrong):
            i = run.start + int(wrong[0])
            raise ValueError(
                f"onsets[{i}] is {onsets[i]:g} s after {onsets[max(i - 1, 0)]:g} s, expected onsets "
                "in order inside a run: sort the words by onset, or pass runs"
            )
        clock = np.arange(len(inside)) if unit == "words" else inside
        starts[run] = run.start + _starts_of_run(clock, window, unit, mode)
    return starts


def _check_window(window: float | None, unit: str, mode: str) -> None:
    if unit not in ("words", "seconds"):
        raise ValueError(f"unit is {unit!r}, expected 'words' or 'seconds'")
    if mode not in ("sliding", "growing"):
        raise ValueError(f"mode is {mode!r}, expected 'sliding' or 'growing'")
    if window is None:
        return
    if not window > 0:
        raise ValueError(f"window is {window!r}, expected a number of {unit} above 0, or None for the whole run")
    if unit == "words" and window != int(window):
        raise ValueError(f"window is {window!r}, expected a whole number of words: or pass unit='seconds'")


def _starts_of_run(clock: NDArray, window: float | None, unit: str, mode: str) -> NDArray[np.int64]:
    """Return starts inside one run, whose words come at ``clock`` (s, or the number of the word)."""
    if window is None:
        return np.zeros(len(clock), np.int64)
    in_words = unit == "words"
    longest = window - 1 if in_words else window
    half = window // 2 if in_words else window / 2
    sliding = np.searchsorted(clock, clock - longest - _ROUNDING, side="left")
    if mode == "sliding":
        return sliding
    restarts = np.searchsorted(clock, clock - half - _ROUNDING, side="left")
    starts = np.zeros(len(clock), np.int64)
    for i in range(1, len(clock)):
        too_long = sliding[i] > starts[i - 1]
        starts[i] = restarts[i] if too_long else starts[i - 1]
    return starts


def check_words(words: Sequence[str]) -> list[str]:
    """Return ``words`` as a list of str without blanks around them, or raise an error that names the wrong one.

    Raises
    ------
    TypeError
        If ``words`` is one string, or a word is no str.
    ValueError
        If there are no words, or a word is empty or an aligner's mark in brackets, such as ``<unk>`` or ``{LG}``.
    """
    if isinstance(words, str):
        raise TypeError("words is one str, expected a list with one str a word: text.split() makes one")
    words = list(words)
    if not words:
        raise ValueError("words is empty, expected one str or more")
    for i, word in enumerate(words):
        if not isinstance(word, str):
            raise TypeError(f"words[{i}] is {word!r}, expected str: drop the missing words before")
        if not word.strip():
            raise ValueError(f"words[{i}] is {word!r}, an empty word: drop it, with its onset")
        if is_named_mark(word):
            raise ValueError(
                f"words[{i}] is {word!r}, a mark of an aligner and no word: drop it, with its onset (datasets.words."
                "read_textgrid does, is_mark finds all)"
            )
    return [str(word).strip() for word in words]


def check_starts(starts: ArrayLike, n_words: int) -> NDArray[np.int64]:
    """Return ``starts`` as an int array (n_words,), or raise an error if one lies outside the words up to its own.

    Raises
    ------
    ValueError
        If the shape differs, a start is no whole number, is negative, or lies beyond its word.
    """
    starts = np.asarray(starts)
    if starts.shape != (n_words,) or not np.issubdtype(starts.dtype, np.integer):
        raise ValueError(
            f"starts is {starts.dtype} of shape {starts.shape}, expected whole numbers of shape "
            f"({n_words},), one for each word: context_starts makes them"
        )
    wrong = np.flatnonzero((starts < 0) | (starts > np.arange(n_words)))
    if len(wrong):
        i = int(wrong[0])
        raise ValueError(f"starts[{i}] is {starts[i]}, expected 0 to {i}: a context ends with its word")
    return starts.astype(np.int64)


def cut_starts(starts: NDArray[np.int64], n_tokens: NDArray[np.int64], limit: int) -> NDArray[np.int64]:
    """Move starts on, so that no context has more than ``limit`` tokens (but always the word itself).

    Parameters
    ----------
    starts : int array (n_words,)
    n_tokens : int array (n_words,)
        Tokens of each word by itself.
    limit : int

    Returns
    -------
    starts : int array (n_words,)
    """
    total = np.concatenate([[0], np.cumsum(n_tokens)])
    earliest = np.searchsorted(total, total[1:] - limit, side="left")
    return np.maximum(starts, np.minimum(earliest, np.arange(len(starts))))


def plan_chunks(
    starts: NDArray[np.int64], n_tokens: NDArray[np.int64], limit: int, n_read: int
) -> list[tuple[int, int, int]]:
    """Divide words into stretches, each read out of one chunk that holds all their contexts.

    The content of a chunk depends on nothing later than its last word, so nothing leaks back through the plan. No
    chunk crosses a boundary that no context crosses (the beginning of a run).

    Parameters
    ----------
    starts : int array (n_words,)
    n_tokens : int array (n_words,)
    limit : int
        Tokens that a chunk may have, when it is more than one context.
    n_read : int
        Words that are read out of one chunk at most.

    Returns
    -------
    chunks : list of (first, begin, end)
        The chunk is ``words[first:end]``, and ``words[begin:end]`` are read out of it.
    """
    n_words = len(starts)
    is_boundary = np.minimum.accumulate(starts[::-1])[::-1] >= np.arange(n_words)  # no later context reaches behind
    total = np.concatenate([[0], np.cumsum(n_tokens)])
    chunks = []
    begin = 0
    while begin < n_words:
        first = int(starts[begin])
        end = begin + 1
        while end < n_words and end - begin < n_read and not is_boundary[end]:
            earlier = min(first, int(starts[end]))
            if total[end + 1] - total[earlier] > limit:
                break
            first = earlier
            end += 1
        chunks.append((first, begin, end))
        begin = end
    return chunks
