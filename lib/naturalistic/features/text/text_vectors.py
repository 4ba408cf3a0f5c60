"""One vector for each text and layer of a model: the mean over its tokens. Texts run by length, each one once.

Special tokens ([CLS], a beginning of sequence) are in no mean. A text of more tokens than the model takes loses its
first ones. Vectors are kept on disk in float16 (`shards`), and rounded to it whether they come from there or not: the
same texts give the same numbers. Among other texts they are in other batches, which moves a last digit at times.
"""

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from tqdm import tqdm

from naturalistic.features.text import shards
from naturalistic.features.text.passes import tokens_of_batch
from naturalistic.features.text.spans import check_texts, encode

_RECIPE = 1  # part of the cache's name: raise it when the same call gives other numbers
_BLOCK_TEXTS, _BLOCK_BYTES = 2048, 2**26  # of one shard: what an interrupted computation has to do again at most


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

    vectors: np.ndarray
    n_tokens: np.ndarray
    n_lost: np.ndarray


def text_vectors(model, texts, layers=None, *, cache=True, keep="float16", progress=True):
    """Return the vectors of different texts on each layer.

    Parameters
    ----------
    model : LanguageModel, StaticVectors or WordVectors
        See `text_models.load`.
    texts : list of str, n_texts
        Each is computed by itself, so equal ones should be given once.
    layers : list of int, optional
        0 is the embedding layer, -1 the last; all by default. All come from one pass.
    cache : bool
        Keep vectors on disk, found again by text, layer and content of the model.
    keep : {"float16", "float32"}
        Number format of the vectors. A model with states beyond 65,504 needs float32.
    progress : bool
        Show a bar if it takes more than 3 s.

    Returns
    -------
    found : TextVectors

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
    texts, layers = _check_texts(texts), check_layers(model, layers)
    if keep not in ("float16", "float32"):
        raise ValueError(f"keep is {keep!r}, expected 'float16' or 'float32'")
    vectors = np.zeros((len(texts), len(layers), model.dim), keep)
    there, counts = np.zeros(len(texts), bool), np.zeros((len(texts), 2), np.int64)
    if cache:
        folder = f"levels/{model.digest[:32]}-{_RECIPE}-{keep}"
        keys = [shards.text_key(text) for text in texts]
        there, counts = shards.read(folder, keys, layers, vectors)
    todo = np.flatnonzero(~there)
    if len(todo) and hasattr(model, "tokenizer"):  # a word2vec file has none, and counts the words that it lacks
        check_texts(model.tokenizer, texts)
    for where, block, counted in _computed(model, [texts[i] for i in todo], layers, progress):
        block, where = _rounded(model, block, keep), todo[where]
        if cache:
            shards.write(folder, [keys[i] for i in where], layers, counted, block)
        vectors[where], counts[where] = block.transpose(1, 0, 2), counted
    _say_what_is_lost(model, counts)
    return TextVectors(vectors, *counts.T)


def check_layers(model, layers):
    """Return layers as a list of numbers from 0 on; all if ``layers`` is None.

    Raises
    ------
    ValueError
        If there is none, or the model lacks one.
    """
    if layers is None:
        return list(range(model.n_layers))
    layers = [int(layer) for layer in np.atleast_1d(layers)]
    wrong = [layer for layer in layers if not -model.n_layers <= layer < model.n_layers]
    if wrong or not layers:
        raise ValueError(
            f"layers has {wrong[0] if wrong else 'no layer'}, expected some of 0 (the embedding layer) to "
            f"{model.n_layers - 1}: {model.name} has {model.n_layers}"
        )
    return [layer % model.n_layers for layer in layers]


def _check_texts(texts):
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


def _rounded(model, block, keep):
    """Return float32 vectors in the number format ``keep``, or say that they do not fit."""
    if not np.isfinite(block).all():
        raise ValueError(f"{model.name} gave numbers that are not finite: load it with dtype='float32' or 'bfloat16'")
    if keep == "float16" and np.abs(block).max() > np.finfo(np.float16).max:
        raise ValueError(f"{model.name} has states beyond the 65,504 of float16: pass keep='float32'")
    return block.astype(keep)


def _say_what_is_lost(model, counts):
    (n_read, n_lost), n_hit = counts.sum(axis=0), int((counts[:, 1] > 0).sum())
    if n_lost and hasattr(model, "max_tokens"):
        warnings.warn(
            f"{n_hit:,} of {len(counts):,} different texts are longer than {model.name} takes ({model.max_tokens} "
            f"tokens): their first tokens were left out ({n_lost:,} of {n_lost + n_read:,} in all)",
            stacklevel=3,
        )
    elif n_lost:
        warnings.warn(
            f"{n_lost:,} of {n_lost + n_read:,} words, in {n_hit:,} of {len(counts):,} different texts, are not in "
            f"{model.name}: they were skipped",
            stacklevel=3,
        )


def _computed(model, texts, layers, progress):
    """Yield indices of some texts, their vectors (n_layers, n, dim) in float32, and counts (n, 2), until all are done.

    The longest come first: what does not fit memory fails at once.
    """
    if not texts:
        return
    if hasattr(model, "means"):  # vectors of words: one layer, no context, nothing to batch
        for k in range(0, len(texts), _BLOCK_TEXTS):
            means, counts = model.means(texts[k : k + _BLOCK_TEXTS])
            yield np.arange(k, k + len(means)), np.stack([means for _ in layers]), counts
        return
    encodings = encode(model.tokenizer, texts)
    rows = [_fitting(encoding, model.max_tokens) for encoding in encodings]
    order = np.argsort([-len(row[0]) for row in rows], kind="stable")
    size = max(1, min(_BLOCK_TEXTS, _BLOCK_BYTES // (4 * len(layers) * model.dim)))
    total = sum(len(row[0]) for row in rows)
    with tqdm(
        total=total, desc=model.name, unit="token", delay=3, mininterval=0.5, leave=False, disable=not progress
    ) as bar:
        for k in range(0, len(order), size):
            where = order[k : k + size]
            vectors = [_pass(model, batch, layers, bar) for batch in _batches([rows[i] for i in where], model.device)]
            counts = [(end - first, n_lost) for _, first, end, n_lost in (rows[i] for i in where)]
            yield where, np.concatenate(vectors, axis=1), np.array(counts)


def _fitting(encoding, max_tokens):
    """Return ids that fit the model, the first token to read and the one after the last, and how many were lost."""
    ids, opening, closing = encoding.ids, encoding.n_opening, encoding.n_closing
    n_lost = max(0, len(ids) - max_tokens)
    ids = np.concatenate([ids[:opening], ids[opening + n_lost :]])
    return ids, opening, len(ids) - closing, n_lost


def _batches(rows, device):
    """Yield rows of nearly one length together; they come in order of length, the longest first."""
    limit, first = tokens_of_batch(device), 0
    for k in range(1, len(rows) + 1):
        if k == len(rows) or (k - first + 1) * len(rows[first][0]) > limit:
            yield rows[first:k]
            first = k


@torch.inference_mode()
def _pass(model, batch, layers, bar):
    """Return the mean states of the texts of a batch (n_layers, n, dim); the sums are in float32."""
    lengths = np.array([len(row[0]) for row in batch])
    ids = np.full((len(batch), lengths[0]), model.tokenizer.pad_token_id or 0, np.int64)
    weights = np.zeros(ids.shape, np.float32)
    for line, weight, (row, first, end, _) in zip(ids, weights, batch):
        line[: len(row)] = row
        weight[first:end] = 1 / max(end - first, 1)
    mask = None
    if lengths[-1] < lengths[0] and not model.causal:  # nothing before it sees the padding of a causal model
        mask = torch.from_numpy((np.arange(lengths[0]) < lengths[:, None]).astype(np.int64)).to(model.device)
    ids, weights = torch.from_numpy(ids).to(model.device), torch.from_numpy(weights)[:, None]
    states = model.network(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states
    # a model spread over several GPUs has each layer's states where the layer is
    means = [torch.bmm(weights.to(states[a].device), states[a].float())[:, 0].cpu().numpy() for a in layers]
    bar.update(int(lengths.sum()))
    return np.stack(means)
