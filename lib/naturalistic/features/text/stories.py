"""NDArray[np.float32] of a story, word by word, on the TRs of the subjects who listened to it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from naturalistic.features import timing
from naturalistic.features.text.contexts import context_starts
from naturalistic.features.text.language_model import LanguageModel
from naturalistic.features.text.word_encoder import contextual, static

if TYPE_CHECKING:
    from naturalistic.datasets.alice import Alice


def contextual_features(
    story: "Alice", model: LanguageModel, n_words: int | None = 32, layers: Sequence[int] | None = None
) -> NDArray[np.float32]:
    """Return every layer of a language model for each word with those before it, on the TRs of a story.

    Parameters
    ----------
    story : Alice
        From `datasets.alice.load`.
    model : LanguageModel
        From `language_model.load_model`.
    n_words : int, optional
        Words of context, the word itself included; None: the whole story up to the word.
    layers : list of int, optional
        0 is the embedding layer, -1 the last; all by default.

    Returns
    -------
    features : float32 array (n_covered, n_layers, dim)
        On the TRs that the transcript covers (``story.covered``); each word counts at its middle.
    """
    starts = context_starts(story.onsets, n_words)
    states = contextual(model, story.words, starts, layers=layers)
    return timing.to_trs(states, _middles(story), story.tr_times[story.covered], story.tr).transpose(1, 0, 2)


def static_features(story: "Alice", model: LanguageModel) -> NDArray[np.float32]:
    """Return the model's input embeddings of the words, without context, on the TRs of a story.

    Parameters
    ----------
    story : Alice
    model : LanguageModel

    Returns
    -------
    features : float32 array (n_covered, dim)
    """
    vectors = static(model, story.words)
    return timing.to_trs(vectors, _middles(story), story.tr_times[story.covered], story.tr)


def word_rate(story: "Alice") -> NDArray[np.float32]:
    """Return the number of words that begin in each TR of a story.

    Parameters
    ----------
    story : Alice

    Returns
    -------
    rate : float32 array (n_covered, 1)
    """
    ones = np.ones((len(story.words), 1), np.float32)
    return timing.to_trs(ones, story.onsets, story.tr_times[story.covered], story.tr, method="sum")


def _middles(story: "Alice") -> NDArray:
    """Return the middle of each word in s."""
    return (story.onsets + story.offsets) / 2
