"""MiniLM features that simulated brains follow in films.

They are hidden states, averaged over the tokens of a text. `movie.experiment` knows no model; here one is handed to
it.
"""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from naturalistic.features.text.forward import TokenizedText, mean_states
from naturalistic.features.text.language_model import MINILM, LanguageModel, load_model
from naturalistic.features.text.tokens import check_tokenizer
from numpy.typing import NDArray

from naturalistic_simulation.movie import experiment

NAME = "MiniLM, mean over the tokens of a text"


def embed(texts: Sequence[str], layer: int, model: LanguageModel | None = None) -> NDArray:
    """Return one vector for each text.

    It is the mean of a hidden state over its tokens, special tokens left out.

    Parameters
    ----------
    texts : list of str, n_texts
        None of them empty.
    layer : int
        0 is the embedding layer.
    model : LanguageModel, optional
        MiniLM by default.

    Returns
    -------
    vectors : float32 array (n_texts, dim)

    Raises
    ------
    ValueError
        If there is no such layer, a text has no token, or the tokenizer does not tell most texts apart.
    """
    model = model or _minilm()
    if not 0 <= layer < model.n_layers:
        raise ValueError(f"layer is {layer}, {model.name} has 0 (the embedding layer) to {model.n_layers - 1}")
    if not len(texts):
        return np.zeros((0, model.dim), np.float32)
    check_tokenizer(model.tokenizer, texts)
    tokens = model.tokenizer(list(texts), truncation=True, max_length=model.max_tokens, return_special_tokens_mask=True)
    tokenized = []
    for k, (ids, special) in enumerate(zip(tokens["input_ids"], tokens["special_tokens_mask"])):
        own = np.flatnonzero(np.array(special) == 0)
        if not len(own):
            raise ValueError(f"texts[{k}] is {texts[k]!r}, which has no token; expected some words")
        tokenized.append(TokenizedText(np.array(ids), [(k, int(own[0]), int(own[-1]) + 1)]))
    return mean_states(model, tokenized, len(tokenized), [layer])[0]


def simulate_movie(folder: Path | str, seed: int = 5531, subjects: int = 6, **options: Any) -> Path:
    """Write the movie experiment of `movie.experiment`, responses through MiniLM."""
    return experiment.simulate_movie(folder, seed, subjects, embed=embed, embed_name=NAME, **options)


@functools.cache
def _minilm() -> LanguageModel:
    return load_model(MINILM)  # type: ignore[return-value]  # this one is a language model
