"""Features of a story or of a film's dialogue, word by word, on the TRs of its subjects."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from naturalistic.datasets.spoken import SpokenWords
from naturalistic.features import timing
from naturalistic.features.text.contexts import context_starts
from naturalistic.features.text.language_model import LanguageModel
from naturalistic.features.text.word_encoder import contextual, static

if TYPE_CHECKING:
    from naturalistic.datasets.alice import Alice

Method = Literal["lanczos", "mean", "last", "sum"]


def contextual_features(
    story: "Alice | SpokenWords",
    model: LanguageModel,
    n_words: int | None = 32,
    layers: Sequence[int] | None = None,
    *,
    n_lines: int | None = None,
    method: Method = "lanczos",
) -> NDArray[np.float32]:
    """Return every layer of a language model for each word with those before it, on the TRs of a story.

    Parameters
    ----------
    story : Alice or SpokenWords
        From `datasets.alice.load`, from the method ``words`` of `datasets.studyforrest.load`, or from
        `datasets.spoken.words_in_runs`.
    model : LanguageModel
        From `language_model.load_model`.
    n_words : int, optional
        Words of context, the word itself included; None: the whole story up to the word. It never reaches from one
        recording into another.
    layers : list of int, optional
        0 is the embedding layer, -1 the last; all by default.
    n_lines : int, optional
        Of a film: the context is the word's line up to it and so many lines before, instead of ``n_words``.
    method : {"lanczos", "mean", "last", "sum"}
        As `on_trs`.

    Returns
    -------
    features : float32 array (n_covered, n_layers, dim)
        On the TRs that the transcript covers (``story.covered``); each word counts at its middle.
    """
    if n_lines is None:
        texts = story.texts if isinstance(story, SpokenWords) else None
        starts = context_starts(np.arange(len(story.words)), n_words, runs=texts)
    else:
        starts = story.context_starts(n_lines)
    return on_trs(contextual(model, story.words, starts, layers=layers), story, method).transpose(1, 0, 2)


def static_features(
    story: "Alice | SpokenWords", model: LanguageModel, *, method: Method = "lanczos"
) -> NDArray[np.float32]:
    """Return the model's input embeddings of the words, without context, on the TRs of a story.

    Parameters
    ----------
    story : Alice or SpokenWords
    model : LanguageModel
    method : {"lanczos", "mean", "last", "sum"}
        As `on_trs`.

    Returns
    -------
    features : float32 array (n_covered, dim)
    """
    return on_trs(static(model, story.words), story, method)


def word_rate(story: "Alice | SpokenWords") -> NDArray[np.float32]:
    """Return the number of words that begin in each TR of a story.

    Parameters
    ----------
    story : Alice or SpokenWords

    Returns
    -------
    rate : float32 array (n_covered, 1)
    """
    return on_trs(np.ones((len(story.words), 1), np.float32), story, "sum", at="onset")


def on_trs(
    features: ArrayLike,
    story: "Alice | SpokenWords",
    method: Method = "lanczos",
    *,
    at: Literal["middle", "onset"] = "middle",
) -> NDArray:
    """Bring features of the words of a story onto its TRs.

    Parameters
    ----------
    features : array (n_words, n_features) or (n_layers, n_words, n_features)
        Of ``story.words``.
    story : Alice or SpokenWords
        Spoken words come onto the TRs of every run in which they are heard, and of no other.
    method : {"lanczos", "mean", "last", "sum"}
        As `timing.to_trs`. In a film minutes pass without a word: "lanczos" joins the words around them by a line,
        "mean" has 0 there.
    at : {"middle", "onset"}
        When a word counts.

    Returns
    -------
    on_trs : array (n_covered, n_features) or (n_layers, n_covered, n_features)
    """
    if at not in ("middle", "onset"):
        raise ValueError(f"at is {at!r}, expected 'middle' or 'onset'")
    times = story.onsets if at == "onset" else (story.onsets + story.offsets) / 2
    if not isinstance(story, SpokenWords):
        return timing.to_trs(features, times, story.tr_times[story.covered], story.tr, method)
    order = np.lexsort((times[story.events], story.event_runs))
    events = story.events[order]
    runs = {"event_runs": story.event_runs[order], "runs": story.runs}
    of_events = np.asarray(features)[..., events, :]
    return timing.to_trs(of_events, times[events], story.tr_times, story.tr, method, **runs)
