"""Sentence vectors: the mean of MiniLM's last states, what that model was trained to give."""

import numpy as np
import torch

from naturalistic.features.text.language_model import MINILM, load_model
from naturalistic.features.text.spans import check_texts
from naturalistic.parameters import whole


def sentence_vectors(sentences, model=None, batch_size=64):
    """Return one vector of length 1 for each sentence (Reimers & Gurevych 2019, EMNLP).

    Parameters
    ----------
    sentences : sequence of str
    model : LanguageModel, optional
        MiniLM by default.
    batch_size : int

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
    empty = [k for k, sentence in enumerate(sentences) if not sentence.strip()]
    if empty:
        raise ValueError(f"sentences {empty[:5]} are empty: leave them out, or say what they stand for")
    batch_size = whole("batch_size", batch_size)
    model = model or load_model(MINILM)
    check_texts(model.tokenizer, sentences)
    order = np.argsort([len(sentence) for sentence in sentences], kind="stable")  # little padding in a batch
    vectors = np.empty((len(sentences), model.dim), dtype=np.float32)
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        tokens = model.tokenizer(
            [sentences[k] for k in batch],
            padding=True,
            truncation=True,
            max_length=model.max_tokens,
            return_tensors="pt",
        ).to(model.device)
        with torch.inference_mode():
            states = model.network(**tokens, output_hidden_states=True).hidden_states[model.n_layers - 1].float()
        seen = tokens["attention_mask"][..., None]
        mean = (states * seen).sum(dim=1) / seen.sum(dim=1)
        vectors[batch] = torch.nn.functional.normalize(mean, dim=1).cpu().numpy()
    return vectors
