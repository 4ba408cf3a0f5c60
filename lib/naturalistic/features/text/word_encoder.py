"""Features of words from a language model: each layer, each word in its context, or the word alone.

`contextual` extracts in two ways. **exact** runs each word with just its window: features are what the model gives
for that text and nothing else. **chunked** runs long overlapping chunks in which each word has at least its window
before it, many words a pass. Neither lets a word know what comes after it, as a subject who listens does not.

Distance of chunked from exact, for MiniLM, the 2,103 words of *Alice*, windows of 32 words, layers 0 to 6: the time
courses of a dimension correlate .94 .93 .90 .87 .86 .89 .88 on average (cosine of a word's vectors .90 .89 .86 .87
.88 .91 .89; shuffled words have .12 to .27). Letting words look ahead brings nothing nearer: .94 .92 .83 .78 .77 .82
.78. Much of the distance is the position at which a word stands (all of it in layer 0).
``tests/benchmarks/bench_text.py`` prints these, and the speed.
"""

import functools
import hashlib
import json
import warnings
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from naturalistic.cache import memory
from naturalistic.features.text.contexts import check_starts, check_words, cut_starts, plan_chunks
from naturalistic.features.text.forward import TokenizedText, mean_states, progress_bar
from naturalistic.features.text.language_model import LanguageModel, check_layers
from naturalistic.features.text.tokens import Encoding, encode, join_words, token_spans, word_ids

_RECIPE = 2  # part of the cache's key: raise it when the same call gives other numbers
_READ_WORDS = 32  # words read out of a chunk: with fewer, positions are nearer to the exact ones, and it is slower
_TOLERANCE = 1e-5  # of the largest state: a token that moves by more has seen what its mask forbids

Pool = Literal["word", "context"]


def contextual(
    model: LanguageModel,
    words: Sequence[str],
    starts: ArrayLike,
    method: Literal["exact", "chunked"] = "exact",
    pool: Pool = "word",
    cache: bool = True,
    progress: bool = True,
    *,
    layers: Sequence[int] | None = None,
    look_ahead: bool = False,
) -> NDArray[np.float32]:
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
        Store the result, found again by the content of model, words and starts.
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
    parts = [_RECIPE, model.digest, words, starts.tolist(), method, pool, layers, bool(look_ahead)]
    return compute_words(model, len(words), parts, compute, cache)


def compute_words(
    model: LanguageModel,
    n_words: int,
    parts: list,
    compute: Callable[[], tuple[NDArray[np.float32], int]],
    cache: bool,
) -> NDArray[np.float32]:
    """Return features of words, from the cache if they are there, and warn of contexts that were cut.

    Parameters
    ----------
    model : LanguageModel
    n_words : int
    parts : list
        What determines the features, of values that JSON has: the cache finds them by it.
    compute : callable
        Returns the features, and the number of contexts that were cut.
    cache : bool

    Returns
    -------
    features : float32 array
    """
    if cache:
        key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
        features, n_cut = memory("text").cache(_computed, ignore=["compute"])(key, compute)
    else:
        features, n_cut = compute()
    if n_cut:
        warnings.warn(
            f"{n_cut} of {n_words} words have a context longer than {model.name} takes "
            f"({model.max_tokens} tokens): its first words were left out",
            stacklevel=3,
        )
    return features


def _computed(key: str, compute: Callable[[], tuple[NDArray[np.float32], int]]) -> tuple[NDArray[np.float32], int]:
    """Return the result that the cache stores by ``key`` alone."""
    return compute()


def _extract(
    model: LanguageModel,
    words: list[str],
    starts: NDArray[np.int64],
    method: str,
    pool: Pool,
    layers: list[int],
    look_ahead: bool,
    progress: bool,
) -> tuple[NDArray[np.float32], int]:
    """Return the features, and the number of contexts that were cut."""
    if method == "exact":
        texts, n_cut = exact_texts(model, words, starts, pool)
    else:
        texts, n_cut = chunked_texts(model, words, starts, pool, look_ahead)
    with progress_bar(model, texts, progress) as bar:
        return mean_states(model, texts, len(words), layers, bar), n_cut


def static(model: LanguageModel, words: Sequence[str]) -> NDArray[np.float32]:
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
    ids_of = dict(zip(words, word_ids(model.tokenizer, words)))
    vectors = {word: table[ids].float().mean(0).cpu().numpy() for word, ids in ids_of.items()}
    return np.stack([vectors[word] for word in words])


def compare(exact: ArrayLike, chunked: ArrayLike) -> dict[str, NDArray[np.float64]]:
    """Return the distance of two extractions of the same words, layer by layer.

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
    exact = np.asarray(exact, float)
    chunked = np.asarray(chunked, float)
    if exact.shape != chunked.shape or exact.ndim != 3:
        raise ValueError(
            f"exact has shape {exact.shape} and chunked {chunked.shape}, expected both "
            "(n_layers, n_words, dim) of the same words and layers"
        )
    summary = {f"{name}_{part}": [] for name in ("cosine", "correlation") for part in ("mean", "p05")}
    for one, other in zip(exact, chunked):
        cosines = _cosines(one, other, axis=1)
        correlations = _cosines(one - one.mean(0), other - other.mean(0), axis=0)
        for name, values in (("cosine", cosines), ("correlation", correlations)):
            summary[f"{name}_mean"].append(values.mean() if len(values) else np.nan)
            summary[f"{name}_p05"].append(np.percentile(values, 5) if len(values) else np.nan)
    return {name: np.array(values) for name, values in summary.items()}


def _cosines(one: NDArray, other: NDArray, axis: int) -> NDArray:
    norms = np.linalg.norm(one, axis=axis) * np.linalg.norm(other, axis=axis)
    is_defined = norms > 1e-12
    return (one * other).sum(axis)[is_defined] / norms[is_defined]


def _check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise ValueError(f"{name} is {value!r}, expected one of {', '.join(map(repr, choices))}")


# -- from words and their contexts to the texts that a model runs: one for each context, or long chunks --------------


def exact_texts(
    model: LanguageModel, words: list[str], starts: NDArray[np.int64], pool: Pool
) -> tuple[list[TokenizedText], int]:
    """Return one text for each different context, run by itself.

    A causal model's context that begins another one is read out of the longer one's text: the same numbers.

    Parameters
    ----------
    model : LanguageModel
    words : list of str, n_words
    starts : int array (n_words,)
    pool : {"word", "context"}

    Returns
    -------
    texts : list of TokenizedText
    n_cut : int
        Contexts that were longer than the model takes, and lost their beginning.
    """
    n_tokens, limit = _count_tokens(model, words)
    # generous, so that what is cut in the end depends on the context alone and not on how its words are counted
    likely = cut_starts(starts, n_tokens, limit + 32)
    ends = np.arange(len(words)) + 1
    contexts, encodings, firsts = _encode_fitting(model, words, likely, ends, n_tokens)
    text_of = {}
    for i, context in enumerate(contexts):
        encoding = encodings[context]
        if context not in text_of:
            text_of[context] = TokenizedText(encoding.ids[: encoding.end] if model.causal else encoding.ids, [])
        span = [len(context) - len(words[i]), len(context)] if pool == "word" else [0, len(context)]
        first, end = _token_spans_of(encoding, np.array([span]), [i])[0]
        text_of[context].spans.append((i, first, end))
    texts = list(text_of.values())
    return _share_prefixes(texts) if model.causal else texts, int((firsts > starts).sum())


def chunked_texts(
    model: LanguageModel, words: list[str], starts: NDArray[np.int64], pool: Pool, look_ahead: bool
) -> tuple[list[TokenizedText], int]:
    """Return long overlapping chunks, each read out at many words.

    The contexts are cut to 3/4 of what the model takes, which leaves room for words to read.

    Parameters
    ----------
    model : LanguageModel
    words : list of str, n_words
    starts : int array (n_words,)
    pool : {"word", "context"}
    look_ahead : bool

    Returns
    -------
    texts : list of TokenizedText
    n_cut : int
        Contexts that lost their beginning.
    """
    is_masked = not (model.causal or look_ahead)
    if is_masked:
        _check_pair_mask(model)
    n_tokens, limit = _count_tokens(model, words)
    shorter = cut_starts(starts, n_tokens, 3 * limit // 4)
    longest = int((np.arange(len(words)) - shorter).max()) + 1
    chunks = plan_chunks(shorter, n_tokens, limit - limit // 16, max(_READ_WORDS, longest // 4))
    texts = []
    moved = shorter.copy()
    while chunks:
        firsts, _, ends = np.array(chunks).T
        joined, encodings, firsts = _encode_fitting(model, words, firsts, ends, n_tokens)
        again = []
        for chunk, first, (_, begin, end) in zip(joined, firsts, chunks):
            text, divided = _chunk_text(
                encodings[chunk], words[first:end], first, begin, shorter, pool, look_ahead, is_masked
            )
            texts.append(text)
            again += [(first, i, i + 1) for i in divided]
            moved[begin:end] = np.maximum(moved[begin:end], first)
        chunks = again
    return [text for text in texts if text.spans], int((moved > starts).sum())


def _chunk_text(
    encoding: Encoding,
    words: list[str],
    first: int,
    begin: int,
    starts: NDArray[np.int64],
    pool: Pool,
    look_ahead: bool,
    is_masked: bool,
) -> tuple[TokenizedText, list[int]]:
    """Return the text of a chunk of ``words`` (from word ``first`` on, read from ``begin`` on) and words to read again.

    "do" before "n't" is one token with it, "don". Read here, it would know the next word: it gets a chunk that
    ends with itself.
    """
    word_spans = join_words(words)[1]
    spans = _token_spans_of(encoding, word_spans, range(first, first + len(words)))
    is_shared = np.append(spans[1:, 0] < spans[:-1, 1], False)
    to_read = []
    to_read_again = []
    for i in range(begin, first + len(words)):
        if is_shared[i - first]:
            to_read_again.append(i)
            continue
        from_word = i if pool == "word" else max(starts[i], first)
        to_read.append((i, spans[from_word - first, 0], spans[i - first, 1]))
    if look_ahead:
        return TokenizedText(encoding.ids, to_read), to_read_again
    text = TokenizedText(encoding.ids[: encoding.end], to_read)
    if is_masked:
        owners = _token_owners(encoding, word_spans)
        is_special = owners < 0
        text.owners = np.where(is_special, owners, owners + first)
        text.earliest = np.where(is_special, owners, starts[np.maximum(text.owners, 0)])
    return text, to_read_again


def _token_owners(encoding: Encoding, word_spans: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the word of each token, the last one if of two; -1 for opening special tokens."""
    offsets = encoding.offsets[: encoding.end]
    owners = np.searchsorted(word_spans[:, 0], offsets[:, 1], side="left") - 1
    # a blank between two words belongs to the next one
    is_blank = (owners >= 0) & (offsets[:, 0] >= word_spans[np.maximum(owners, 0), 1])
    return np.minimum(owners + is_blank, len(word_spans) - 1)


def _token_spans_of(encoding: Encoding, word_spans: NDArray[np.int64], indices: Sequence[int]) -> NDArray[np.int64]:
    """Return token spans of words, each with one token or more."""
    spans = token_spans(encoding.offsets, word_spans)
    for i, (first, end) in zip(indices, spans):
        if first == end:
            raise ValueError(f"word {i} has no token of its own between its neighbors: write it in plain characters")
    return spans


def _count_tokens(model: LanguageModel, words: list[str]) -> tuple[NDArray[np.int64], int]:
    """Return the tokens of each word by itself, and how many the model takes beside its special tokens."""
    n_tokens = np.array([len(ids) for ids in word_ids(model.tokenizer, words)])
    plain = encode(model.tokenizer, ["a"])[0]
    return n_tokens, model.max_tokens - plain.n_opening - plain.n_closing


def _encode_fitting(
    model: LanguageModel,
    words: list[str],
    firsts: NDArray[np.int64],
    ends: NDArray[np.int64],
    n_tokens: NDArray[np.int64],
) -> tuple[list[str], dict[str, Encoding], NDArray[np.int64]]:
    """Encode ``words[first:end]``, each different text once, without as many first words as are too many.

    Returns
    -------
    texts : list of str, one for each pair of first and end
    encodings : dict of str to Encoding
    firsts : int array
    """
    firsts = np.array(firsts)
    texts = [""] * len(firsts)
    encodings: dict[str, Encoding] = {}
    total = np.concatenate([[0], np.cumsum(n_tokens)])
    todo: Sequence[int] = range(len(firsts))
    while todo:
        for k in todo:
            texts[k] = join_words(words[firsts[k] : ends[k]])[0]
        new = [text for text in dict.fromkeys(texts[k] for k in todo) if text not in encodings]
        encodings.update(zip(new, encode(model.tokenizer, new)))
        n_over = {k: len(encodings[texts[k]].ids) - model.max_tokens for k in todo}
        todo = [k for k in todo if n_over[k] > 0]
        for k in todo:
            if firsts[k] == ends[k] - 1:
                raise ValueError(
                    f"word {firsts[k]} alone has more tokens than the {model.max_tokens} that the model takes: split it"
                )
            enough = np.searchsorted(total, total[firsts[k]] + n_over[k], side="left")
            firsts[k] = min(enough, ends[k] - 1)
    return texts, encodings, firsts


def _share_prefixes(texts: list[TokenizedText]) -> list[TokenizedText]:
    """Return the texts that begin no other one, with the spans of those that do."""
    longest: list[TokenizedText] = []
    for text in sorted(texts, key=lambda text: text.ids.tolist(), reverse=True):  # beginnings come after the whole
        if longest and np.array_equal(longest[-1].ids[: len(text.ids)], text.ids):
            longest[-1].spans += text.spans
        else:
            longest.append(text)
    return longest


def _check_pair_mask(model: LanguageModel) -> None:
    """Raise an error if a token of a bidirectional model sees what a mask of pairs forbids."""
    n_tokens = 8
    n_vocabulary = model.network.get_input_embeddings().weight.shape[0]
    order = np.arange(n_tokens)
    ids = order % n_vocabulary
    last_changed = np.append(ids[:-1], (ids[-1] + 1) % n_vocabulary)
    texts = [
        TokenizedText(each, [(k + n_tokens * t, k, k + 1) for k in order], order, 0 * order)
        for t, each in enumerate((ids, last_changed))
    ]
    try:
        states = mean_states(model, texts, 2 * n_tokens, list(range(model.n_layers)))
    except (RuntimeError, ValueError, IndexError) as error:
        raise ValueError(
            f"{model.name} takes no attention mask of pairs of tokens, which chunks without look-ahead "
            "need: use method='exact', or look_ahead=True"
        ) from error
    moved = np.abs(states[:, : n_tokens - 1] - states[:, n_tokens:-1]).max()
    if moved > _TOLERANCE * np.abs(states).max():
        raise ValueError(
            f"{model.name} looks ahead through an attention mask of pairs of tokens: use method='exact', "
            "or look_ahead=True"
        )
