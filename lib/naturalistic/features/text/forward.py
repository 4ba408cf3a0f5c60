"""The forward pass of a language model over many texts: batched by length, every layer read out at spans of tokens."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from naturalistic.features.text.language_model import LanguageModel

# Tokens of one batch, padding included. On a CPU more is slower: the activations of about 1,500 tokens still fit the
# caches (MiniLM on two cores: 160 GFLOP/s at 1,344 tokens of 42-token texts, 114 at 5,376). A GPU wants many.
_BATCH_TOKENS = {"cpu": 1536, "cuda": 32768}
_OTHER_BATCH_TOKENS = 4096
SPECIAL = -1  # owner of an opening special token: every token sees it, it sees only others of its kind


@dataclass
class TokenizedText:
    """A text as the network takes it, and the spans of tokens to read out.

    Attributes
    ----------
    ids : int array (n_tokens,)
        Special tokens included.
    spans : list of (index, first, end)
        The mean state of tokens ``first:end`` is row ``index`` of the features.
    owners : int array (n_tokens,), optional
        Word of each token, `SPECIAL` for opening special tokens. With it the network sees only pairs of tokens that
        ``owners`` and ``earliest`` allow; without it, what its architecture allows.
    earliest : int array (n_tokens,), optional
        First word that each token may see. No token sees a word after its own.
    """

    ids: NDArray[np.int64]
    spans: list[tuple[int, int, int]]
    owners: NDArray[np.int64] | None = None
    earliest: NDArray[np.int64] | None = None


def progress_bar(model: LanguageModel, texts: Sequence[TokenizedText], show: bool) -> tqdm:
    """Return a progress bar over the tokens of texts, which appears after 3 s.

    Parameters
    ----------
    model : LanguageModel
        Its name stands before the bar.
    texts : list of TokenizedText
    show : bool

    Returns
    -------
    bar : tqdm
        A context manager.
    """
    total = sum(len(text.ids) for text in texts)
    return tqdm(total=total, desc=model.name, unit="token", delay=3, mininterval=0.5, leave=False, disable=not show)


def mean_states(
    model: LanguageModel,
    texts: Sequence[TokenizedText],
    n_spans: int,
    layers: Sequence[int],
    bar: tqdm | None = None,
) -> NDArray[np.float32]:
    """Return the mean hidden state of each span of tokens on each layer.

    Parameters
    ----------
    model : LanguageModel
    texts : list of TokenizedText
        All with ``owners``, or none.
    n_spans : int
        Spans of all texts together.
    layers : list of int
        Hidden states to read, 0 is the embedding layer.
    bar : tqdm, optional
        Moved on by the number of tokens of each batch.

    Returns
    -------
    states : float32 array (n_layers, n_spans, dim)
        Means are taken in float32, whatever the number format of the network.
    """
    states = np.zeros((len(layers), n_spans, model.dim), np.float32)
    for batch in _batches(texts, _tokens_of_batch(model.device)):
        indices = [index for text in batch for index, _, _ in text.spans]
        states[:, indices] = _run_batch(model, batch, layers)
        if bar is not None:
            bar.update(sum(len(text.ids) for text in batch))
    return states


def _tokens_of_batch(device: str) -> int:
    """Return the number of tokens, padding included, of a fast pass on a device ("cpu", "cuda:0")."""
    return _BATCH_TOKENS.get(device.split(":")[0], _OTHER_BATCH_TOKENS)


def _batches(texts: Sequence[TokenizedText], batch_tokens: int) -> Iterator[list[TokenizedText]]:
    """Yield texts of similar length together, the longest first: those that do not fit memory fail at once."""
    batch: list[TokenizedText] = []
    for text in sorted(texts, key=lambda text: -len(text.ids)):
        if batch and (len(batch) + 1) * len(batch[0].ids) > batch_tokens:
            yield batch
            batch = []
        batch.append(text)
    if batch:
        yield batch


def padded_batches(
    model: LanguageModel, texts: Sequence[TokenizedText]
) -> Iterator[tuple[list[TokenizedText], torch.Tensor]]:
    """Yield texts of similar length together, with their token ids on the model's device (n_texts, n_tokens).

    Padding comes last: a causal model never sees it.

    Parameters
    ----------
    model : LanguageModel
    texts : list of TokenizedText
    """
    for batch in _batches(texts, _tokens_of_batch(model.device)):
        yield batch, _network_inputs(model, batch)[0]


@torch.inference_mode()
def _run_batch(model: LanguageModel, batch: Sequence[TokenizedText], layers: Sequence[int]) -> NDArray[np.float32]:
    """Return the mean states (n_layers, n_spans, dim) of a batch, in the order of its texts and their spans."""
    ids, mask = _network_inputs(model, batch)
    hidden = model.network(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states
    weights, is_span = _span_weights(batch, ids.shape[1])
    means = []
    for layer in layers:
        # a model spread over several GPUs has each layer's states where the layer is
        device = hidden[layer].device
        mean = torch.bmm(weights.to(device), hidden[layer].float())
        means.append(mean[is_span.to(device)].cpu().numpy())
    return np.stack(means)


def _network_inputs(model: LanguageModel, batch: Sequence[TokenizedText]) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return token ids (n_texts, n_tokens), and the attention mask: None, of padding, or of pairs of tokens."""
    lengths = np.array([len(text.ids) for text in batch])
    padding = model.tokenizer.pad_token_id or 0
    ids = torch.from_numpy(_padded([text.ids for text in batch], padding)).to(model.device)
    mask = None
    if batch[0].owners is not None:
        mask = _pair_mask(batch, next(model.network.parameters()).dtype)
    elif lengths.min() < lengths.max() and not model.causal:  # padding comes last: a causal model never sees it
        mask = torch.from_numpy((np.arange(lengths.max()) < lengths[:, None]).astype(np.int64))
    return ids, None if mask is None else mask.to(model.device)


def _pair_mask(batch: Sequence[TokenizedText], dtype: torch.dtype) -> torch.Tensor:
    """Return the additive mask (n_texts, 1, n_tokens, n_tokens): 0 where a token may see another, else the lowest."""
    after_all = np.iinfo(np.int64).max  # padding: after every word
    owners = _padded([text.owners for text in batch], after_all)
    earliest = _padded([text.earliest for text in batch], after_all)
    key = owners[:, None, :]
    query = owners[:, :, None]
    is_seen = (key <= query) & ((key >= earliest[:, :, None]) | (key == SPECIAL))
    return torch.where(torch.from_numpy(is_seen), 0.0, torch.finfo(dtype).min).to(dtype)[:, None]


def _padded(arrays: Sequence[NDArray[np.int64] | None], fill: int) -> NDArray[np.int64]:
    padded = np.full((len(arrays), max(map(len, arrays))), fill, np.int64)
    for line, array in zip(padded, arrays):
        line[: len(array)] = array
    return padded


def _span_weights(batch: Sequence[TokenizedText], n_tokens: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return weights (n_texts, most_spans, n_tokens) of the means, and which of these spans exist."""
    weights = np.zeros((len(batch), max(len(text.spans) for text in batch), n_tokens), np.float32)
    is_span = np.zeros(weights.shape[:2], bool)
    for t, text in enumerate(batch):
        is_span[t, : len(text.spans)] = True
        for s, (_, first, end) in enumerate(text.spans):
            weights[t, s, first:end] = 1 / max(end - first, 1)
    return torch.from_numpy(weights), torch.from_numpy(is_span)
