"""Forward passes of a language model over many texts: batched by length, read out at the tokens asked for."""

from dataclasses import dataclass

import numpy as np
import torch
from tqdm import tqdm

# Tokens of one batch, padding included. On a CPU more is slower: the activations of about 1,500 tokens still fit the
# caches (MiniLM on two cores: 160 GFLOP/s at 1,344 tokens of 42-token texts, 114 at 5,376). A GPU wants many.
_BATCH_TOKENS = {"cpu": 1536, "cuda": 32768}
_NO_WORD = -1  # an opening special token: seen by all, sees only its like


@dataclass
class Row:
    """One text to run.

    Attributes
    ----------
    ids : int array (n_tokens,)
    reads : list of (word, first, end)
        The mean of tokens ``first:end`` is the feature of ``word``.
    owners, since : int arrays (n_tokens,), optional
        Word of each token, and the first word that it may see: nothing else before, nothing after its word.
        Without them the network sees as it likes.
    """

    ids: np.ndarray
    reads: list
    owners: np.ndarray | None = None
    since: np.ndarray | None = None


def run_rows(model, rows, n_words, layers, batch_tokens=None, progress=False):
    """Run every row and return the features that are read out of them.

    Parameters
    ----------
    model : LanguageModel
    rows : list of Row
        All with ``owners``, or none.
    n_words : int
    layers : list of int
        Hidden states to keep, 0 is the embedding layer.
    batch_tokens : int, optional
        Tokens of one batch, padding included; by default what is fast on the device.
    progress : bool
        Show a bar if it takes more than 3 s.

    Returns
    -------
    features : float32 array (n_layers, n_words, dim)
    """
    batch_tokens = batch_tokens or tokens_of_batch(model.device)
    features = np.zeros((len(layers), n_words, model.dim), np.float32)
    total = sum(len(row.ids) for row in rows)
    with tqdm(
        total=total, desc=model.name, unit="token", delay=3, mininterval=0.5, leave=False, disable=not progress
    ) as bar:
        for batch in _batches(rows, batch_tokens):
            words, values = _run_batch(model, batch, layers)
            features[:, words] = values
            bar.update(sum(len(row.ids) for row in batch))
    return features


def tokens_of_batch(device):
    """Return how many tokens, padding included, make a fast pass on a device ("cpu", "cuda:0")."""
    return _BATCH_TOKENS.get(device.split(":")[0], 4096)


def _batches(rows, batch_tokens):
    """Rows of nearly one length together, the longest first (what does not fit memory fails at once)."""
    batch = []
    for row in sorted(rows, key=lambda row: -len(row.ids)):
        if batch and (len(batch) + 1) * len(batch[0].ids) > batch_tokens:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


@torch.inference_mode()
def _run_batch(model, batch, layers):
    """Words that are read, and their features (n_layers, n_read, dim)."""
    ids, mask = _inputs(model, batch)
    states = model.network(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states
    weights, taken, words = _read_weights(batch, ids.shape[1])
    weights, taken = weights.to(states[0]), taken.to(ids.device)
    means = [torch.bmm(weights, states[layer])[taken].float().cpu().numpy() for layer in layers]
    return words, np.stack(means)


def _inputs(model, batch):
    """Token ids (n_rows, n_tokens), and the attention mask: None, of padding, or of every pair of tokens."""
    lengths = np.array([len(row.ids) for row in batch])
    pad = model.tokenizer.pad_token_id or 0
    ids = torch.from_numpy(_stacked([row.ids for row in batch], pad)).to(model.device)
    mask = None
    if batch[0].owners is not None:
        mask = _pair_mask(batch, next(model.network.parameters()).dtype)
    elif lengths.min() < lengths.max() and not model.causal:  # nothing before it sees the padding of a causal model
        mask = torch.from_numpy((np.arange(lengths.max()) < lengths[:, None]).astype(np.int64))
    return ids, None if mask is None else mask.to(model.device)


def _pair_mask(batch, dtype):
    """Additive mask (n_rows, 1, n_tokens, n_tokens): 0 where a token may see another, else the lowest number."""
    last = np.iinfo(np.int64).max  # padding: after every word
    owners = _stacked([row.owners for row in batch], last)
    since = _stacked([row.since for row in batch], last)
    key, query = owners[:, None, :], owners[:, :, None]
    seen = (key <= query) & ((key >= since[:, :, None]) | (key == _NO_WORD))
    return torch.where(torch.from_numpy(seen), 0.0, torch.finfo(dtype).min).to(dtype)[:, None]


def _stacked(arrays, fill):
    out = np.full((len(arrays), max(map(len, arrays))), fill, np.int64)
    for line, array in zip(out, arrays):
        line[: len(array)] = array
    return out


def _read_weights(batch, n_tokens):
    """Weights (n_rows, n_reads, n_tokens) of the means, which of the reads there are, and their words."""
    weights = np.zeros((len(batch), max(len(row.reads) for row in batch), n_tokens), np.float32)
    taken = np.zeros(weights.shape[:2], bool)
    for b, row in enumerate(batch):
        for r, (_, first, end) in enumerate(row.reads):
            weights[b, r, first:end] = 1 / (end - first)
        taken[b, : len(row.reads)] = True
    words = np.array([word for row in batch for word, _, _ in row.reads])
    return torch.from_numpy(weights), torch.from_numpy(taken), words
