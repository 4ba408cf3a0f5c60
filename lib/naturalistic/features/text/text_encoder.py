"""Vectors of whole texts: the mean over the tokens of a text on each layer of a model, or one sentence vector.

Special tokens ([CLS], a beginning of sequence) are in no mean of `text_vectors`. A text of more tokens than the model
takes loses its first ones. Vectors are stored in float16 (`shards`), and rounded to it whether they come from there or
not: the same texts give the same numbers. Among other texts they are in other batches, which moves a last digit at
times.
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from naturalistic.features.text import shards
from naturalistic.features.text.forward import TokenizedText, mean_states, progress_bar
from naturalistic.features.text.language_model import (
    MINILM,
    LanguageModel,
    StaticVectors,
    check_layers,
    load_model,
)
from naturalistic.features.text.tokens import Encoding, check_tokenizer, encode
from naturalistic.features.text.word_vectors import WordVectors

_RECIPE = 1  # part of the cache's name: raise it when the same call gives other numbers
# of one shard: what an interrupted computation has to do again at most
_BLOCK_TEXTS = 2048
_BLOCK_BYTES = 2**26


@dataclass(frozen=True)
class TextVectors:
    """Vectors of texts.

    Attributes
    ----------
    vectors : float16 (or float32) array (n_texts, n_layers, dim)
        Zero for a text that has no vector.
    n_tokens : int array (n_texts,)
        Tokens (known words, of a word2vec file) in the mean; a text of which there are none has no vector.
    n_lost : int array (n_texts,)
        Tokens left out at the beginning of a text that is too long; of a word2vec file, unknown words.
    """

    vectors: NDArray
    n_tokens: NDArray[np.int64]
    n_lost: NDArray[np.int64]

    def __repr__(self) -> str:
        """Return the shape, not the numbers."""
        n_texts, n_layers, dim = self.vectors.shape
        return f"TextVectors(n_texts={n_texts}, n_layers={n_layers}, dim={dim}, dtype={self.vectors.dtype})"


def text_vectors(
    model: LanguageModel | StaticVectors | WordVectors,
    texts: Sequence[str],
    layers: Sequence[int] | None = None,
    *,
    cache: bool = True,
    keep: Literal["float16", "float32"] = "float16",
    progress: bool = True,
) -> TextVectors:
    """Return the vectors of different texts on each layer.

    Parameters
    ----------
    model : LanguageModel, StaticVectors or WordVectors
        See `language_model.load_model`.
    texts : list of str, n_texts
        Each is computed by itself, so equal ones should be given once.
    layers : list of int, optional
        0 is the embedding layer, -1 the last; all by default. All come from one pass.
    cache : bool
        Store vectors on disk, found again by text, layer and content of the model.
    keep : {"float16", "float32"}
        Number format of the vectors. A model with states beyond 65,504 needs float32.
    progress : bool
        Show a bar if it takes more than 3 s.

    Returns
    -------
    vectors : TextVectors

    Raises
    ------
    TypeError, ValueError
        If a text is empty or no str, the model lacks a layer, its tokenizer does not tell most texts apart, or states
        do not fit ``keep``.

    Warns
    -----
    UserWarning
        If texts are longer than the model takes, or words are in no vocabulary, with their number.
    """
    texts = _check_texts(texts)
    layers = check_layers(model, layers)
    if keep not in ("float16", "float32"):
        raise ValueError(f"keep is {keep!r}, expected 'float16' or 'float32'")
    vectors = np.zeros((len(texts), len(layers), model.dim), keep)
    is_stored = np.zeros(len(texts), bool)
    counts = np.zeros((len(texts), 2), np.int64)
    if cache:
        folder = f"levels/{model.digest[:32]}-{_RECIPE}-{keep}"
        keys = [shards.text_key(text) for text in texts]
        is_stored, counts = shards.read(folder, keys, layers, vectors)
    missing = np.flatnonzero(~is_stored)
    if len(missing) and hasattr(model, "tokenizer"):  # a word2vec file has none, and counts the words that it lacks
        check_tokenizer(model.tokenizer, texts)
    for indices, block, block_counts in _computed(model, [texts[i] for i in missing], layers, progress):
        rounded = _rounded(model, block, keep)
        indices = missing[indices]
        if cache:
            shards.write(folder, [keys[i] for i in indices], layers, block_counts, rounded)
        vectors[indices] = rounded.transpose(1, 0, 2)
        counts[indices] = block_counts
    _warn_of_lost_tokens(model, counts)
    n_tokens, n_lost = counts.T
    return TextVectors(vectors, n_tokens, n_lost)


def sentence_vectors(sentences: Sequence[str], model: LanguageModel | None = None) -> NDArray[np.float32]:
    """Return one vector of length 1 for each sentence (Reimers & Gurevych 2019, EMNLP).

    It is the mean of the last layer over all tokens, special ones too, as MiniLM was trained to give it. A sentence of
    more tokens than the model takes loses its last ones.

    Parameters
    ----------
    sentences : sequence of str, n_sentences
    model : LanguageModel, optional
        MiniLM by default.

    Returns
    -------
    vectors : float32 array (n_sentences, dim)

    Raises
    ------
    ValueError
        If a sentence is empty, ``sentences`` is a single string, or the tokenizer does not tell most of them apart.
    """
    if isinstance(sentences, str):
        raise ValueError(f"sentences is the string {sentences!r}, expected a list of sentences")
    sentences = list(sentences)
    empty = [k for k, sentence in enumerate(sentences) if not sentence.strip()]
    if empty:
        raise ValueError(f"sentences {empty[:5]} are empty: leave them out, or say what they stand for")
    model = model or load_model(MINILM)
    check_tokenizer(model.tokenizer, sentences)
    texts = []
    for k, encoding in enumerate(encode(model.tokenizer, sentences)):
        n_lost = max(0, len(encoding.ids) - model.max_tokens)
        ids = np.delete(encoding.ids, np.arange(encoding.end - n_lost, encoding.end))
        texts.append(TokenizedText(ids, [(k, 0, len(ids))]))
    vectors = mean_states(model, texts, len(texts), [model.n_layers - 1])[0]
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def _check_texts(texts: Sequence[str]) -> list[str]:
    if isinstance(texts, str):
        raise TypeError(f"texts is the string {texts[:40]!r}, expected a list of them: [{texts[:40]!r}]")
    texts = list(texts)
    if not texts:
        raise ValueError("texts is empty, expected one text or more")
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"texts[{i}] is {text!r}, expected str")
        if not text.strip():
            raise ValueError(f"texts[{i}] is {text!r}, an empty text: write '..' where nobody wrote anything")
    return texts


def _rounded(model: LanguageModel | StaticVectors | WordVectors, block: NDArray[np.float32], keep: str) -> NDArray:
    """Return float32 vectors in the number format ``keep``; raise an error if they do not fit it."""
    if not np.isfinite(block).all():
        raise ValueError(f"{model.name} gave numbers that are not finite: load it with dtype='float32' or 'bfloat16'")
    if keep == "float16" and np.abs(block).max() > np.finfo(np.float16).max:
        raise ValueError(f"{model.name} has states beyond the 65,504 of float16: pass keep='float32'")
    return block.astype(keep)


def _warn_of_lost_tokens(model: LanguageModel | StaticVectors | WordVectors, counts: NDArray[np.int64]) -> None:
    n_read, n_lost = counts.sum(axis=0)
    n_texts = int((counts[:, 1] > 0).sum())
    if n_lost and hasattr(model, "max_tokens"):
        warnings.warn(
            f"{n_texts:,} of {len(counts):,} different texts are longer than {model.name} takes ({model.max_tokens} "
            f"tokens): their first tokens were left out ({n_lost:,} of {n_lost + n_read:,} in all)",
            stacklevel=3,
        )
    elif n_lost:
        warnings.warn(
            f"{n_lost:,} of {n_lost + n_read:,} words, in {n_texts:,} of {len(counts):,} different texts, are not in "
            f"{model.name}: they were skipped",
            stacklevel=3,
        )


def _computed(
    model: LanguageModel | StaticVectors | WordVectors, texts: list[str], layers: list[int], progress: bool
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]]:
    """Yield indices of some texts, their vectors (n_layers, n, dim) and counts (n, 2), until all are computed.

    The longest come first: those that do not fit memory fail at once.
    """
    if not texts:
        return
    if not isinstance(model, LanguageModel):  # vectors of words: one layer, no context, nothing to batch
        for k in range(0, len(texts), _BLOCK_TEXTS):
            means, counts = model.means(texts[k : k + _BLOCK_TEXTS])
            yield np.arange(k, k + len(means)), np.stack([means for _ in layers]), counts
        return
    fitting = [_fitting(encoding, model.max_tokens) for encoding in encode(model.tokenizer, texts)]
    tokenized = [text for text, _ in fitting]
    order = np.argsort([-len(text.ids) for text in tokenized], kind="stable")
    block_size = max(1, min(_BLOCK_TEXTS, _BLOCK_BYTES // (4 * len(layers) * model.dim)))
    with progress_bar(model, tokenized, progress) as bar:
        for k in range(0, len(order), block_size):
            indices = order[k : k + block_size]
            block = []
            counts = []
            for index_in_block, i in enumerate(indices):
                text, n_lost = fitting[i]
                first, end = text.spans[0][1:]
                block.append(TokenizedText(text.ids, [(index_in_block, first, end)]))
                counts.append((end - first, n_lost))
            yield indices, mean_states(model, block, len(block), layers, bar), np.array(counts)


def _fitting(encoding: Encoding, max_tokens: int) -> tuple[TokenizedText, int]:
    """Return the tokens that fit the model, read between the special ones, and the number of those that were lost."""
    n_lost = max(0, len(encoding.ids) - max_tokens)
    first = encoding.n_opening
    ids = np.concatenate([encoding.ids[:first], encoding.ids[first + n_lost :]])
    return TokenizedText(ids, [(0, first, len(ids) - encoding.n_closing)]), n_lost
