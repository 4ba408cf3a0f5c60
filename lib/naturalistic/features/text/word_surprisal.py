"""Surprisal of words: how badly a causal language model predicts each word from those before it."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from naturalistic.features.text.contexts import check_starts, check_words
from naturalistic.features.text.forward import TokenizedText, padded_batches, progress_bar
from naturalistic.features.text.language_model import LanguageModel, load_causal_network
from naturalistic.features.text.word_encoder import compute_words, exact_texts

_RECIPE = 1  # part of the cache's key: raise it when the same call gives other numbers


def surprisal(
    model: LanguageModel,
    words: Sequence[str],
    starts: ArrayLike,
    *,
    cache: bool = True,
    progress: bool = True,
) -> NDArray[np.float32]:
    """Return the surprisal of each word in its context.

    The surprisal of a word is ``-log2 p(word | words before it in its context)``, the sum over its tokens (Levy 2008,
    Cognition 106:1126-1177). A context begins with the model's token for a beginning, so that its first word has one
    too.

    Parameters
    ----------
    model : LanguageModel
        A causal one, such as GPT-2.
    words : list of str, n_words
    starts : int array (n_words,)
        First word of each context, which ends with the word: see `context_starts`.
    cache : bool
        Store the result, found again by the content of model, words and starts.
    progress : bool
        Show a bar if it takes more than 3 s.

    Returns
    -------
    surprisal : float32 array (n_words,)
        Bits.

    Raises
    ------
    ValueError
        If the model is not causal: it does not predict the next word; or has no token for a beginning.
    """
    words = check_words(words)
    starts = check_starts(starts, len(words))
    if not model.causal:
        raise ValueError(
            f"{model.name} sees the words after a word, so it predicts none: expected a causal model, such as gpt2"
        )
    opening = _opening_token(model)
    parts = [_RECIPE, "surprisal", model.digest, words, starts.tolist()]
    compute = functools.partial(_extract, model, words, starts, opening, progress)
    return compute_words(model, len(words), parts, compute, cache)


def _extract(
    model: LanguageModel, words: list[str], starts: NDArray[np.int64], opening: int, progress: bool
) -> tuple[NDArray[np.float32], int]:
    """Return the surprisal of each word, and the number of contexts that were cut."""
    texts, n_cut = exact_texts(model, words, starts, "word")
    texts = [_opened(text, opening, model.max_tokens) for text in texts]
    network = load_causal_network(model)
    bits = np.zeros(len(words), np.float32)
    with progress_bar(model, texts, progress) as bar:
        for batch, ids in padded_batches(model, texts):
            for text, information in zip(batch, _information(network, ids)):
                for index, first, end in text.spans:
                    bits[index] = information[first:end].sum()
            bar.update(sum(len(text.ids) for text in batch))
    return bits, n_cut


def _opening_token(model: LanguageModel) -> int:
    """Return the token that stands before a text, or else the one that ends the text before it."""
    for source in (model.tokenizer, model.network.config):
        for name in ("bos_token_id", "eos_token_id"):
            token = getattr(source, name, None)
            if isinstance(token, int):
                return token
    raise ValueError(f"{model.name} has no token for the beginning or the end of a text, in tokenizer or configuration")


def _opened(text: TokenizedText, opening: int, max_tokens: int) -> TokenizedText:
    """Return a text that begins with the opening token; of a full one, the first token makes room for it."""
    if len(text.ids) and text.ids[0] == opening:
        return text
    dropped = max(len(text.ids) + 1 - max_tokens, 0)
    spans = [(index, max(first + 1 - dropped, 1), end + 1 - dropped) for index, first, end in text.spans]
    return TokenizedText(np.concatenate([[opening], text.ids[dropped:]]), spans)


@torch.inference_mode()
def _information(network: Any, ids: torch.Tensor) -> NDArray[np.float32]:
    """Return the bits of each token given those before it (n_texts, n_tokens); 0 for the first."""
    logits = network(input_ids=ids).logits[:, :-1].float()
    chosen = torch.gather(logits, 2, ids[:, 1:, None].to(logits.device))[..., 0]
    nats = torch.logsumexp(logits, dim=2) - chosen
    bits = np.zeros(ids.shape, np.float32)
    bits[:, 1:] = (nats / np.log(2)).cpu().numpy()
    return bits
