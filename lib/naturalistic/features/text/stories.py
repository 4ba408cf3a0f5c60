"""A story that was heard word by word, as features on the TRs of those who heard it."""

import numpy as np

from naturalistic.features import text, timing


def story_features(story, model, n_words=32):
    """Return what every layer of a language model makes of each word and those before it, on the grid of TRs.

    Parameters
    ----------
    story : Story
        From `datasets.alice.load`.
    model : LanguageModel
        From `text.load_model` or `text_models.load`.
    n_words : int
        Words that a word is read with, itself among them.

    Returns
    -------
    layers : float32 array (n_covered, n_layers, dim)
        On the TRs that the transcript reaches (``story.covered``); each word counts at its middle.
    static : float32 array (n_covered, 1, dim)
        The model's input embeddings alone.
    word_rate : float32 array (n_covered, 1)
        Words that begin in a TR.
    """
    starts = text.context_starts(story.onsets, n_words)
    middles, grid = (story.onsets + story.offsets) / 2, (story.tr_times[story.covered], story.tr)
    layers = timing.to_trs(text.contextual(model, story.words, starts), middles, *grid)
    static = timing.to_trs(text.static(model, story.words), middles, *grid)
    word_rate = timing.to_trs(np.ones((len(story.words), 1), np.float32), story.onsets, *grid, method="sum")
    return layers.transpose(1, 0, 2), static[:, None], word_rate
