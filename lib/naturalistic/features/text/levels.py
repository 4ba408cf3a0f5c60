"""Language features of an annotated film: vectors of the text that annotators wrote about each second.

The text of a second is that of each annotator in the last ``window`` seconds; its features are the mean over the
tokens of an annotator's text, then over annotators (Nakagi et al. 2024, EMNLP: 1 s, and longer windows as a control).
An annotator who wrote nothing counts as ``..``; a second about which nobody did is zero. Of speech, utterances stand in
for annotators: each is read after what was said before it in the window.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from naturalistic.features.text.language_model import LanguageModel, StaticVectors, check_layers
from naturalistic.features.text.text_encoder import TextVectors, text_vectors
from naturalistic.features.text.word_vectors import WordVectors
from naturalistic.runs import run_slices

if TYPE_CHECKING:
    from naturalistic.datasets.annotations import Annotations

_EMPTY = ".."  # text of an annotator who wrote nothing
_BLOCK = 512  # s averaged at once

Texts = Sequence[Sequence[str]]


def level_features(
    model: LanguageModel | StaticVectors | WordVectors,
    annotations: "Annotations | Texts",
    window: int = 1,
    *,
    runs: ArrayLike | None = None,
    layers: Sequence[int] | None = None,
    utterances: bool | None = None,
    dtype: Literal["float32", "float16"] = "float32",
    cache: bool = True,
    keep: Literal["float16", "float32"] = "float16",
    progress: bool = True,
) -> NDArray:
    """Return the features of each second on every layer of a model.

    Parameters
    ----------
    model : LanguageModel, StaticVectors or WordVectors
        See `language_model.load_model`.
    annotations : Annotations, or list of n_seconds lists of str
        Text of each second, one for each annotator, empty where one wrote nothing.
    window : int
        Seconds of text, the second itself included; see `window_texts`.
    runs : array-like (n_seconds,), optional
        Run of each second; those of ``annotations`` by default, else one. No window leaves its run.
    layers : list of int, optional
        0 is the embedding layer, -1 the last; all by default (33 of 4,096 dimensions over 30,000 s: 16 GB in float32).
    utterances : bool, optional
        Whether the texts of a second are utterances, however many, and not those of annotators; by default if
        ``annotations`` have speakers.
    dtype : {"float32", "float16"}
        Number format of the features.
    cache, keep, progress
        See `text_encoder.text_vectors`.

    Returns
    -------
    features : array (n_seconds, n_layers, dim)

    Raises
    ------
    TypeError, ValueError
        If the model lacks a layer, there is no text, the number of annotators changes, or an option is unknown.

    Warns
    -----
    UserWarning
        If texts are longer than the model takes (they lose their beginning), or words are in no vocabulary.
    """
    check_layers(model, layers)
    if dtype not in ("float32", "float16"):
        raise ValueError(f"dtype is {dtype!r}, expected 'float32' or 'float16'")
    texts = getattr(annotations, "texts", annotations)
    runs = getattr(annotations, "runs", None) if runs is None else runs
    if utterances is None:
        utterances = getattr(annotations, "speakers", None) is not None
    by_second = window_texts(texts, window, runs, utterances)
    different, index = _indexed(by_second)
    vectors = text_vectors(model, different, layers, cache=cache, keep=keep, progress=progress)
    return _averaged(vectors, index, dtype)


def window_texts(
    texts: Texts, window: int = 1, runs: ArrayLike | None = None, utterances: bool = False
) -> list[list[str]]:
    """Return the text of each annotator in the seconds up to each second.

    What stands there in several seconds running (a shot's description, a sentence while it is said) is taken once.

    Parameters
    ----------
    texts : list of n_seconds lists of str
    window : int
        Seconds, the second itself included; fewer at the beginning of a run.
    runs : array-like (n_seconds,), optional
    utterances : bool
        Whether a second's texts are utterances, and not those of annotators.

    Returns
    -------
    by_second : list of n_seconds lists of str
        One text an annotator, ``..`` for one who wrote nothing; no text at all where nobody did. Of utterances one for
        each of the second, with what was said before it in the window; in silence all that was said before.

    Raises
    ------
    TypeError, ValueError
        If there is no text at all, the number of annotators changes, or ``window`` is no whole number above 0.
    """
    if not window >= 1 or window != int(window):
        raise ValueError(f"window is {window!r}, expected a whole number of seconds, 1 or more")
    cleaned = _cleaned(texts)
    cleaned = cleaned if utterances else _by_annotator(cleaned)
    window_of = _said if utterances else _written
    by_second = []
    for run in run_slices(runs, len(cleaned)):
        inside = cleaned[run]
        by_second += [window_of(inside[max(0, t + 1 - int(window)) : t + 1]) for t in range(len(inside))]
    return by_second


def _written(seconds: Texts) -> list[str]:
    """Return the text of each annotator over some seconds."""
    texts = [_joined([[text] if text else [] for text in column]) for column in zip(*seconds)]
    return [text or _EMPTY for text in texts] if any(texts) else []


def _said(seconds: Texts) -> list[str]:
    """Return each utterance of the last of some seconds, after those before it."""
    *before, now = seconds
    spoken = [text for text in now if text]
    texts = [_joined([*before, [text]]) for text in spoken] or [_joined(before)]
    return [text for text in texts if text]


def _joined(seconds: Texts) -> str:
    """Return parts (n_seconds lists of str) as one text; a part that stood there a second before is the same."""
    parts: list[str] = []
    before: Sequence[str] = []
    for now in seconds:
        parts += [part for part in now if part and part not in before]
        before = now
    return " ".join(parts)


def _cleaned(texts: Texts) -> list[list[str]]:
    """Return texts without blanks around them, empty where there are only dots."""
    if isinstance(texts, str) or any(isinstance(second, str) or second is None for second in texts):
        raise TypeError("texts is not in the form expected, a list over seconds of lists of str, one an annotator")
    cleaned = []
    for k, second in enumerate(texts):
        if wrong := [text for text in second if not isinstance(text, str)]:
            raise TypeError(f"texts[{k}] holds {wrong[0]!r}, expected str, empty where nothing was written")
        cleaned.append([text.strip() if text.strip(". ") else "" for text in second])
    if not any(any(second) for second in cleaned):
        raise ValueError(f"texts has no text at all in its {len(cleaned):,} s: leave this level out")
    return cleaned


def _by_annotator(cleaned: list[list[str]]) -> list[list[str]]:
    """Return texts of as many annotators in all seconds; those without any text may have had any number."""
    first = next(k for k, second in enumerate(cleaned) if any(second))
    n_annotators = len(cleaned[first])
    for k, second in enumerate(cleaned):
        if any(second) and len(second) != n_annotators:
            raise ValueError(
                f"texts[{k}] has {len(second)} annotators and texts[{first}] has {n_annotators}: expected the same in "
                "all seconds, empty text for one who wrote nothing; utterances=True if these are no annotators"
            )
    return [second if any(second) else [""] * n_annotators for second in cleaned]


def _indexed(by_second: Texts) -> tuple[list[str], NDArray[np.int64]]:
    """Return the different texts, and the index of each second and annotator among them; -1 for none."""
    index_of: dict[str, int] = {}
    for second in by_second:
        for text in second:
            index_of.setdefault(text, len(index_of))
    index = np.full((len(by_second), max(map(len, by_second))), -1)
    for line, second in zip(index, by_second):
        line[: len(second)] = [index_of[text] for text in second]
    return list(index_of), index


def _averaged(texts: TextVectors, index: NDArray[np.int64], dtype: str) -> NDArray:
    """Return the mean over annotators (n_seconds, n_layers, dim); texts without a vector are left out of it."""
    vectors = texts.vectors
    features = np.zeros((len(index), *vectors.shape[1:]), dtype)
    has_vector = np.append(texts.n_tokens > 0, False)[index]
    n_written = has_vector.sum(axis=1)
    for k in range(0, len(index), _BLOCK):
        block = slice(k, k + _BLOCK)
        total = np.zeros(features[block].shape, np.float32)
        for column, taken in zip(index[block].T, has_vector[block].T):
            total[taken] += vectors[column[taken]]
        features[block] = total / np.maximum(n_written[block], 1)[:, None, None]
    return features
