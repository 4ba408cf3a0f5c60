"""w2v-BERT 2.0: self-supervised states of sound, averaged over a window (Barrault et al. 2023, arXiv 2312.05187).

Stands for the w2v-BERT of MusicLM, whose weights are not public: 1,024 dimensions, windows of 5 s at 16 kHz, weights
under the MIT license. It learned from speech, MusicLM's from music.
"""

import functools
from pathlib import Path
from typing import Any, Literal

import torch
from numpy.typing import NDArray
from torch import nn
from transformers import SeamlessM4TFeatureExtractor, Wav2Vec2BertModel

from naturalistic.features import devices
from naturalistic.features.audio import checkpoint
from naturalistic.features.audio.embedder import Embedder

HUB = "facebook/w2v-bert-2.0"
# MusicLM reads layer 7 of the second half (masked prediction) of 12 + 12 layers; the same depth is our choice here
_DEPTH = 19 / 24


def load(
    source: str | Path = HUB,
    name: str | None = None,
    device: str = "cpu",
    batch_size: int | None = None,
    dtype: Literal["auto", "float32", "float16"] = "auto",
    *,
    window: float = 5,
    hop: float = 1.5,
    revision: str | None = None,
    layer: int | None = None,
) -> Embedder:
    """Return an embedder of a layer of a `transformers.Wav2Vec2BertModel`.

    Frame states are averaged over the window.

    Parameters
    ----------
    source : str or Path
        Hub id or folder.
    name : str, optional
        What to call it; ``source`` by default.
    device : str
    batch_size : int, optional
        4 windows on a CPU, 32 on a GPU by default.
    dtype : {"auto", "float32", "float16"}
    window, hop : float
        s. A window is heard by itself: no state knows what is outside it.
    revision : str, optional
    layer : int, optional
        Which of ``hidden_states``: 0 is the input of the first layer, -1 the output of the last. By default 19 of 24,
        or that share of the depth of another model. Layers above it are not run.

    Returns
    -------
    embedder : Embedder

    Raises
    ------
    FileNotFoundError, ValueError
        See `audio.load`; also if the model lacks the layer.
    """
    arguments = source, name, revision, device, dtype
    folder, name, device, number_format = checkpoint.prepare(*arguments, "wav2vec2-bert", "Wav2Vec2BertModel")
    extractor = checkpoint.extractor_of(folder, SeamlessM4TFeatureExtractor, name)
    network = checkpoint.load_network(folder, Wav2Vec2BertModel, name, device)
    layer = _check_layer(layer, network.config.num_hidden_layers)
    # without the layers above, and what stands on them, the output is the state that is asked for
    network.encoder.layers = nn.ModuleList(network.encoder.layers[:layer])
    network.intermediate_ffn = network.adapter = None
    return Embedder(
        name,
        int(extractor.sampling_rate),
        window,
        hop,
        network.config.hidden_size,
        functools.partial(_hear, extractor, network, device, number_format),
        None,
        functools.partial(_identity, extractor, network, device, number_format),
        device,
        devices.batch(batch_size, device, 4, 32),
    )


def _check_layer(layer: int | None, n_layers: int) -> int:
    """Return the layer as a number from 0 on."""
    if layer is None:
        return round(_DEPTH * n_layers)
    if isinstance(layer, bool) or not isinstance(layer, int) or not -n_layers - 1 <= layer <= n_layers:
        raise ValueError(f"layer is {layer!r}, expected 0 (input of the first layer) to {n_layers}, or -1 for the last")
    return layer % (n_layers + 1)


def _hear(extractor: Any, network: Any, device: str, number_format: str, windows: NDArray) -> torch.Tensor:
    """Return the mean state of each window, over frames that are not padding."""
    inputs = extractor(list(windows), sampling_rate=extractor.sampling_rate, return_tensors="pt").to(device)
    mask = inputs["attention_mask"]
    with devices.running(device, number_format):
        states = network(inputs["input_features"], attention_mask=mask).last_hidden_state
    weights = mask[..., None].to(torch.float32)
    return (states.float() * weights).sum(1) / weights.sum(1)


def _identity(extractor: Any, network: Any, device: str, number_format: str) -> str:
    n_layers = len(network.encoder.layers)
    return checkpoint.digest(network, extractor.to_json_string(), n_layers, number_format, torch.device(device).type)
