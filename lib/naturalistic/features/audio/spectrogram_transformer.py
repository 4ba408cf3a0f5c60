"""AST: a transformer of spectrograms that names sounds (Gong et al. 2021, Interspeech).

The audio space of Nakagi et al. (2024): any sound, not music alone; 768 dimensions, windows of up to 10.24 s at 16 kHz,
weights under BSD-3-Clause.
"""

import functools
import warnings
from pathlib import Path
from typing import Any, Literal

import torch
from numpy.typing import NDArray
from transformers import ASTFeatureExtractor, ASTModel

from naturalistic.features import devices
from naturalistic.features.audio import checkpoint
from naturalistic.features.audio.embedder import Embedder

HUB = "MIT/ast-finetuned-audioset-10-10-0.4593"
_FRAME = 0.01  # s from one row of the spectrogram to the next
_SPAN = 0.025  # s of sound in a row


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
    layer: int | None = None,
) -> Embedder:
    """Return an embedder of a `transformers.ASTModel`.

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
        s. What is missing in a window to the 10.24 s of the model is silence to it.
    revision : str, optional
    layer : int, optional
        Which of ``hidden_states``: 0 is the input of the first layer, -1 the output of the last; mean over its tokens.
        By default the model's own vector, from which it names the sound.

    Returns
    -------
    embedder : Embedder

    Raises
    ------
    FileNotFoundError, ValueError
        See `audio.load`; also if the model lacks the layer, or the window is longer than it.
    """
    arguments = source, name, revision, device, dtype
    folder, name, device, number_format = checkpoint.prepare(*arguments, "audio-spectrogram-transformer", "ASTModel")
    with warnings.catch_warnings():
        # of the published 128 bands the lowest are narrower than a bin of the spectrum, and stay empty in training too
        warnings.filterwarnings("ignore", "At least one mel filter has all zero values", UserWarning)
        extractor = checkpoint.extractor_of(folder, ASTFeatureExtractor, name)
    network = checkpoint.load_network(folder, ASTModel, name, device)
    longest = (network.config.max_length - 1) * _FRAME + _SPAN
    if window > longest:
        raise ValueError(f"window is {window:g} s, expected at most the {longest:g} s that {name} takes")
    n_layers = network.config.num_hidden_layers
    if layer is not None and (isinstance(layer, bool) or not -n_layers - 1 <= layer <= n_layers):
        raise ValueError(f"layer is {layer!r}, expected 0 (input of the first layer) to {n_layers}, -1 for the last")
    layer = None if layer is None else layer % (n_layers + 1)
    parts = extractor, network, device, number_format
    return Embedder(
        name,
        int(extractor.sampling_rate),
        window,
        hop,
        network.config.hidden_size,
        functools.partial(_hear, *parts, layer),
        None,
        functools.partial(_identity, *parts, layer),
        device,
        devices.batch(batch_size, device, 4, 32),
    )


def _hear(
    extractor: Any, network: Any, device: str, number_format: str, layer: int | None, windows: NDArray
) -> torch.Tensor:
    """Return the vectors of windows."""
    inputs = extractor(list(windows), sampling_rate=extractor.sampling_rate, return_tensors="pt")["input_values"]
    with devices.running(device, number_format):
        out = network(inputs.to(device, torch.float32), output_hidden_states=layer is not None)
    return out.pooler_output if layer is None else out.hidden_states[layer].float().mean(1)


def _identity(extractor: Any, network: Any, device: str, number_format: str, layer: int | None) -> str:
    return checkpoint.digest(network, extractor.to_json_string(), number_format, torch.device(device).type, layer)
