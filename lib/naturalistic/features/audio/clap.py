"""CLAP: one space for music and sentences (Wu et al. 2023, Large-scale Contrastive Language-Audio Pretraining, ICASSP).

Stands for MuLan, whose weights are not public: 512 dimensions, windows of 10 s at 48 kHz, weights under Apache-2.0.
"""

import functools
import warnings
from pathlib import Path
from typing import Any, Literal

import torch
from numpy.typing import NDArray
from transformers import ClapFeatureExtractor, ClapModel

from naturalistic.features import devices
from naturalistic.features.audio import checkpoint
from naturalistic.features.audio.embedder import Embedder
from naturalistic.features.text.tokens import check_tokenizer

HUB = "laion/larger_clap_music"


def load(
    source: str | Path = HUB,
    name: str | None = None,
    device: str = "cpu",
    batch_size: int | None = None,
    dtype: Literal["auto", "float32", "float16"] = "auto",
    *,
    window: float = 10,
    hop: float = 1.5,
    revision: str | None = None,
    normalize: bool = True,
) -> Embedder:
    """Return an embedder with both towers of a `transformers.ClapModel`.

    Parameters
    ----------
    source : str or Path
        Hub id or folder.
    name : str, optional
        What to call it; ``source`` by default.
    device : str
    batch_size : int, optional
        8 windows on a CPU, 64 on a GPU by default.
    dtype : {"auto", "float32", "float16"}
    window, hop : float
        s. A window shorter than 10 s is repeated to fill them; of a longer one the model would take a part at random.
    revision : str, optional
    normalize : bool
        Vectors of length 1, as ``get_audio_features`` and ``get_text_features`` give them. False: the projections
        before that, whose length varies.

    Returns
    -------
    embedder : Embedder

    Raises
    ------
    FileNotFoundError, ValueError
        See `audio.load`.
    """
    arguments = source, name, revision, device, dtype
    folder, name, device, number_format = checkpoint.prepare(*arguments, "clap", "ClapModel")
    extractor = checkpoint.extractor_of(folder, ClapFeatureExtractor, name)
    if window > extractor.max_length_s:
        raise ValueError(f"window is {window:g} s, expected at most the {extractor.max_length_s:g} s that {name} hears")
    tokenizer = checkpoint.tokenizer_of(folder, name)
    network = checkpoint.load_network(folder, ClapModel, name, device)
    parts = network, device, number_format, normalize
    return Embedder(
        name,
        int(extractor.sampling_rate),
        window,
        hop,
        network.config.projection_dim,
        functools.partial(_hear, extractor, *parts),
        functools.partial(_read, tokenizer, *parts),
        functools.partial(_identity, extractor, tokenizer, *parts),
        device,
        devices.batch(batch_size, device, 8, 64),
    )


def _hear(
    extractor: Any, network: Any, device: str, number_format: str, normalize: bool, windows: NDArray
) -> torch.Tensor:
    """Return the vectors of windows."""
    inputs = extractor(list(windows), sampling_rate=extractor.sampling_rate, return_tensors="pt")
    features = inputs["input_features"].to(device, torch.float32)
    # where no sound is longer than 10 s, the extractor of a fused model calls one of them so, picked at random
    is_longer = torch.zeros(len(windows), 1, dtype=torch.bool, device=device)
    with devices.running(device, number_format):
        if normalize:
            return network.get_audio_features(features, is_longer=is_longer).pooler_output
        return network.audio_projection(network.audio_model(features, is_longer=is_longer).pooler_output)


def _read(
    tokenizer: Any, network: Any, device: str, number_format: str, normalize: bool, sentences: list[str]
) -> torch.Tensor:
    """Return the vectors of sentences."""
    check_tokenizer(tokenizer, sentences)
    config = network.config.text_config
    limit = config.max_position_embeddings - config.pad_token_id - 1  # RoBERTa counts positions from there
    n_long = sum(len(ids) > limit for ids in tokenizer(sentences, verbose=False)["input_ids"])
    if n_long:
        warnings.warn(
            f"{n_long} of {len(sentences)} sentences have more than {limit} tokens: their ends are left out",
            stacklevel=2,
        )
    inputs = tokenizer(sentences, padding=True, truncation=True, max_length=limit, return_tensors="pt").to(device)
    ids = inputs["input_ids"]
    mask = inputs["attention_mask"]
    with devices.running(device, number_format):
        if normalize:
            return network.get_text_features(ids, attention_mask=mask).pooler_output
        return network.text_projection(network.text_model(ids, attention_mask=mask).pooler_output)


def _identity(extractor: Any, tokenizer: Any, network: Any, device: str, number_format: str, normalize: bool) -> str:
    words = sorted(tokenizer.get_vocab().items())
    return checkpoint.digest(
        network, extractor.to_json_string(), words, number_format, torch.device(device).type, normalize
    )
