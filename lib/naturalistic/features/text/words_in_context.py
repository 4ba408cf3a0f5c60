"""Features of words from a language model: each layer, each word in its context, or the word alone.

`contextual` extracts in two ways. **exact** runs each word with just its window: features are what the model gives
for that text and nothing else. **chunked** runs long overlapping chunks in which each word has at least its window
before it, many words a pass. Neither lets a word know what comes after it, as a listener does not.

How far chunked is from exact, for MiniLM, the 2,103 words of *Alice*, windows of 32 words, layers 0 to 6: the time
courses of a dimension correlate .94 .93 .90 .87 .86 .89 .88 on average (cosine of a word's vectors .90 .89 .86 .87
.88 .91 .89; shuffled words have .12 to .27). Letting words look ahead brings nothing nearer: .94 .92 .83 .78 .77 .82
.78. Much of the distance is the position at which a word stands (all of it in layer 0).
``tests/benchmarks/bench_text.py`` prints these, and the speed.
"""

import functools
import hashlib
import json
import warnings

import numpy as np

from naturalistic.cache import memory
from naturalistic.features.text.contexts import check_starts, context_starts
from naturalistic.features.text.language_model import LanguageModel, load_model
from naturalistic.features.text.passes import run_rows
from naturalistic.features.text.rows import chunked_rows, exact_rows
from naturalistic.features.text.spans import check_words, word_ids
from naturalistic.features.text.text_vectors import check_layers

__all__ = ["LanguageModel", "compare", "context_starts", "contextual", "load_model", "static"]

_RECIPE = 1  # part of the cache's key: raise it when the same call gives other numbers


def contextual(
    model, words, starts, method="exact", pool="word", cache=True, progress=True, *, layers=None, look_ahead=False
):
    """Return the hidden states of every layer for each word in its context.

    Parameters
    ----------
    model : LanguageModel
    words : list of str, n_words
        As transcribed. A word that begins with an apostrophe, and "n't", is written onto the one before; a token
        of two words ("don" of "do" + "n't") counts for both.
    starts : int array (n_words,)
        First word of each context, which ends with the word: see `context_starts`. A context of more tokens than
        the model takes loses its first words, with a warning.
    method : {"exact", "chunked"}
        "exact": each context by itself, equal ones once. "chunked": more than ten times faster at 32 words, with
        other numbers. A causal model then sees its window and up to 32 words more (a quarter of the longest window,
        if that is more). In a bidirectional one each token sees the words of its own window up to its own word, and
        words stand at other positions than alone.
    pool : {"word", "context"}
        Mean over the tokens of the word, or over all of its context; special tokens are in neither.
    cache : bool
        Keep the result, found again by the content of model, words and starts.
    progress : bool
        Show a bar if it takes more than 3 s.
    layers : list of int, optional
        Layers to return, 0 is the embedding layer, -1 the last; all by default.
    look_ahead : bool
        With "chunked" and a bidirectional model: let words see what comes after them in the chunk. For comparison.

    Returns
    -------
    features : float32 array (n_layers, n_words, dim)

    Raises
    ------
    ValueError
        If an argument has an unknown value, a word is empty or has no token, or the model lacks a layer.
    """
    words = check_words(words)
    starts = check_starts(starts, len(words))
    layers = check_layers(model, layers)
    _check_choice("method", method, ("exact", "chunked"))
    _check_choice("pool", pool, ("word", "context"))
    if look_ahead and method == "exact":
        raise ValueError("look_ahead is True, which an exact context has none of: pass method='chunked'")
    compute = functools.partial(_extract, model, words, starts, method, pool, layers, look_ahead, progress)
    if cache:
        parts = [_RECIPE, model.digest, words, starts.tolist(), method, pool, layers, bool(look_ahead)]
        key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
        features, n_cut = memory("text").cache(_computed, ignore=["compute"])(key, compute)
    else:
        features, n_cut = compute()
    if n_cut:
        warnings.warn(
            f"{n_cut} of {len(words)} words have a context longer than {model.name} takes "
            f"({model.max_tokens} tokens): its first words were left out",
            stacklevel=2,
        )
    return features


def _computed(key, compute):
    """What the cache stores, by ``key`` alone."""
    return compute()


def _extract(model, words, starts, method, pool, layers, look_ahead, progress):
    if method == "exact":
        rows, n_cut = exact_rows(model, words, starts, pool)
    else:
        rows, n_cut = chunked_rows(model, words, starts, pool, look_ahead)
    return run_rows(model, rows, len(words), layers, progress=progress), n_cut


def static(model, words):
    """Return the model's own input embeddings of each word, without context and position: a word2vec-like baseline.

    Parameters
    ----------
    model : LanguageModel
    words : list of str, n_words

    Returns
    -------
    vectors : float32 array (n_words, dim)
        Mean over the tokens of the word by itself.

    Raises
    ------
    ValueError
        If a word is empty or has no token.
    """
    table = model.network.get_input_embeddings().weight.detach()
    words = check_words(words)
    vectors = {
        word: table[ids].float().mean(0).cpu().numpy()
        for word, ids in dict(zip(words, word_ids(model.tokenizer, words))).items()
    }
    return np.stack([vectors[word] for word in words])


def compare(exact, chunked):
    """Return how far two extractions of the same words are from each other, layer by layer.

    Parameters
    ----------
    exact, chunked : arrays (n_layers, n_words, dim)

    Returns
    -------
    summary : dict of str to array (n_layers,)
        "cosine_mean", "cosine_p05": between the two vectors of a word, over words. "correlation_mean",
        "correlation_p05": between the two time courses of a dimension, over dimensions; a dimension that does not
        vary is left out, and a layer with none that varies has nan.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    exact, chunked = np.asarray(exact, float), np.asarray(chunked, float)
    if exact.shape != chunked.shape or exact.ndim != 3:
        raise ValueError(
            f"exact has shape {exact.shape} and chunked {chunked.shape}, expected both "
            "(n_layers, n_words, dim) of the same words and layers"
        )
    summary = {f"{name}_{part}": [] for name in ("cosine", "correlation") for part in ("mean", "p05")}
    for a, b in zip(exact, chunked):
        centred = a - a.mean(0), b - b.mean(0)
        for name, values in (("cosine", _cosines(a, b, axis=1)), ("correlation", _cosines(*centred, axis=0))):
            summary[f"{name}_mean"].append(values.mean() if len(values) else np.nan)
            summary[f"{name}_p05"].append(np.percentile(values, 5) if len(values) else np.nan)
    return {name: np.array(values) for name, values in summary.items()}


def _cosines(a, b, axis):
    norms = np.linalg.norm(a, axis=axis) * np.linalg.norm(b, axis=axis)
    alive = norms > 1e-12
    return (a * b).sum(axis)[alive] / norms[alive]


def _check_choice(name, value, choices):
    if value not in choices:
        raise ValueError(f"{name} is {value!r}, expected one of {', '.join(map(repr, choices))}")
