"""Models of pictures for films, frame by frame: CLIP, SigLIP 2, BLIP-2, GIT and DeiT.

A window's vector is the mean over its frames. CLIP (Radford et al. 2021), SigLIP 2 (Tschannen et al. 2025), BLIP-2
(Li et al. 2023) and GIT (Wang et al. 2022) learned from pictures with sentences, DeiT (Touvron et al. 2021) from
pictures alone: the vision and the multimodal spaces of Nakagi et al. (2024). Weights under MIT (CLIP, BLIP-2, GIT) and
Apache-2.0 (SigLIP 2, DeiT).
"""

import functools
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import transformers
from numpy.typing import NDArray

from naturalistic.features import devices
from naturalistic.features.audio.checkpoint import digest, load_network, tokenizer_of
from naturalistic.features.text.tokens import check_tokenizer
from naturalistic.features.video.checkpoint import Pictures, prepare
from naturalistic.features.video.embedder import VideoEmbedder
from naturalistic.hub import MODELS
from naturalistic.parameters import whole

HUB = MODELS["clip"]


@dataclass(frozen=True)
class Family:
    """What differs between models of pictures.

    Attributes
    ----------
    network : str
        Class of transformers.
    see : callable
        Called with the network, pixels (n, 3, size, size), and whether hidden states are needed: its output, with
        ``hidden_states`` and, as ``vectors``, what stands for a picture by default.
    dim : callable
        Of these vectors, from the configuration.
    is_joint : bool
        Whether it has a text tower in the same space.
    padding : bool or str
        Of sentences.
    options : dict
        Of the class.
    n_frames : int
        Of a window, by default.
    """

    network: str
    see: Callable
    dim: Callable
    is_joint: bool = False
    padding: bool | str = True
    options: tuple[tuple[str, Any], ...] = ()
    n_frames: int = 4


def _see_joint(network: Any, pixels: torch.Tensor, hidden: bool) -> tuple[Any, torch.Tensor]:
    out = network.get_image_features(pixel_values=pixels, output_hidden_states=hidden)
    return out, out.pooler_output


def _see_queries(network: Any, pixels: torch.Tensor, hidden: bool) -> tuple[Any, torch.Tensor]:
    out = network(pixel_values=pixels, output_hidden_states=hidden)
    return out, out.image_embeds.mean(1)


def _see_first_word(network: Any, pixels: torch.Tensor, hidden: bool) -> tuple[Any, torch.Tensor]:
    """Return the state from which GIT begins its sentence: of all positions the one that has seen the picture."""
    begin = torch.full((len(pixels), 1), network.config.bos_token_id, device=pixels.device)
    out = network(pixel_values=pixels, input_ids=begin, output_hidden_states=hidden)
    return out, out.last_hidden_state[:, -1]


def _see_tokens(network: Any, pixels: torch.Tensor, hidden: bool) -> tuple[Any, torch.Tensor]:
    out = network(pixel_values=pixels, output_hidden_states=hidden)
    return out, out.last_hidden_state.mean(1)


FAMILIES = {
    "clip": Family("CLIPModel", _see_joint, lambda c: c.projection_dim, is_joint=True),
    "siglip": Family(
        "SiglipModel", _see_joint, lambda c: c.vision_config.hidden_size, is_joint=True, padding="max_length"
    ),
    "blip-2": Family("Blip2VisionModelWithProjection", _see_queries, lambda c: c.image_text_hidden_size, n_frames=1),
    "git": Family("GitModel", _see_first_word, lambda c: c.hidden_size, n_frames=1),
    "deit": Family("DeiTModel", _see_tokens, lambda c: c.hidden_size, options=(("add_pooling_layer", False),)),
}


def load(
    source: str | Path = HUB,
    name: str | None = None,
    device: str = "cpu",
    batch_size: int | None = None,
    dtype: Literal["auto", "float32", "float16"] = "auto",
    *,
    window: float | None = 1,
    hop: float = 1,
    n_frames: int | None = None,
    layer: int | None = None,
    normalize: bool = True,
    revision: str | None = None,
) -> VideoEmbedder:
    """Return an embedder that sees films frame by frame.

    Parameters
    ----------
    source : str or Path
        Hub id or folder.
    name : str, optional
        What to call it; ``source`` by default.
    device : str
    batch_size : int, optional
        Windows of one pass; by default as many as fit into a share of free memory.
    dtype : {"auto", "float32", "float16"}
    window, hop : float
        s; a ``window`` of None is the whole film.
    n_frames : int, optional
        Frames of a window; 4 by default, 1 of BLIP-2 and GIT.
    layer : int, optional
        Of the vision model (of GIT: of the model of text that sees the picture), instead of the model's own vector: 0
        is the input of the first layer, -1 the output of the last; mean over its tokens (of GIT: the first word's).
    normalize : bool
        CLIP, SigLIP and their sentences: vectors of length 1, before the mean over frames. False: as they come, which
        is what IP-Adapter and unCLIP take.
    revision : str, optional

    Returns
    -------
    embedder : VideoEmbedder

    Raises
    ------
    FileNotFoundError, ValueError
        See `video.load`; also if the model lacks the layer.
    """
    folder, name, device, number_format, model_type = prepare(source, name, revision, device, dtype, [*FAMILIES])
    family = FAMILIES[model_type]
    n_frames = whole("n_frames", family.n_frames if n_frames is None else n_frames)
    tokenizer = tokenizer_of(folder, name) if family.is_joint else None
    config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    vision = getattr(config, "vision_config", config)
    pictures = Pictures(folder, name, int(vision.image_size))
    layered = config if model_type == "git" else vision
    layer = check_layer(layer, layered.num_hidden_layers)
    network = load_network(folder, getattr(transformers, family.network), name, device, **dict(family.options))
    parts = network, device, number_format
    see = functools.partial(_see, family, pictures, *parts, layer, normalize and family.is_joint)
    read = functools.partial(read_sentences, tokenizer, family.padding, *parts, normalize)
    described = tokenizer and sorted(tokenizer.get_vocab().items())
    options = (pictures.options, described, number_format, torch.device(device).type, layer, normalize, family.network)
    return VideoEmbedder(
        name,
        window,
        hop,
        n_frames,
        family.dim(config) if layer is None else layered.hidden_size,
        see,
        read if family.is_joint else None,
        functools.partial(digest, network, *options),
        device,
        devices.fitting_batch(batch_size, device, n_frames * picture_bytes(vision), 8, 64),
    )


def check_layer(layer: int | None, n_layers: int) -> int | None:
    """Return a layer as a number from 0 on, or None.

    Raises
    ------
    ValueError
        If the model lacks it.
    """
    if layer is None:
        return None
    if isinstance(layer, bool) or not isinstance(layer, (int, np.integer)) or not -n_layers - 1 <= layer <= n_layers:
        raise ValueError(
            f"layer is {layer!r}, expected 0 (input of the first layer) to {n_layers}, -1 for the last, or None for "
            "the model's own vector"
        )
    return int(layer) % (n_layers + 1)


def picture_bytes(config: Any) -> int:
    """Return about how much working memory a picture takes in a vision transformer: one layer's states, and pixels."""
    patch = getattr(config, "patch_size", 16)
    n_tokens = (int(config.image_size) // int(patch)) ** 2 + 1
    wide = 8 * config.hidden_size + 2 * getattr(config, "intermediate_size", 4 * config.hidden_size)
    return 4 * (n_tokens * wide + 3 * 3 * int(config.image_size) ** 2)


def _see(
    family: Family,
    pictures: Pictures,
    network: Any,
    device: str,
    number_format: str,
    layer: int | None,
    normalize: bool,
    windows: list[NDArray[np.uint8]],
) -> torch.Tensor:
    """Return the vectors of windows: the mean over their frames."""
    pixels = torch.cat([pictures(frames) for frames in windows]).to(device)
    with devices.running(device, number_format):
        out, vectors = family.see(network, pixels, layer is not None)
    if layer is not None:
        states = out.hidden_states[layer].float()
        vectors = states[:, -1] if family.see is _see_first_word else states.mean(1)
    elif normalize:
        vectors = torch.nn.functional.normalize(vectors.float(), dim=-1)
    return vectors.float().reshape(len(windows), -1, vectors.shape[-1]).mean(1)


def read_sentences(
    tokenizer: Any,
    padding: bool | str,
    network: Any,
    device: str,
    number_format: str,
    normalize: bool,
    sentences: list[str],
) -> torch.Tensor:
    """Return the vectors of sentences of a joint model.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerBase
    padding : bool or str
        Of transformers; a model that was trained on sentences of full length gets no mask.
    network : transformers.PreTrainedModel
        With ``get_text_features``.
    device, number_format : str
    normalize : bool
        To length 1.
    sentences : list of str

    Returns
    -------
    vectors : tensor (n, dim)
    """
    check_tokenizer(tokenizer, sentences)
    limit = network.config.text_config.max_position_embeddings
    n_long = sum(len(ids) > limit for ids in tokenizer(sentences, verbose=False)["input_ids"])
    if n_long:
        warnings.warn(
            f"{n_long} of {len(sentences)} sentences have more than {limit} tokens: their ends are left out",
            stacklevel=2,
        )
    inputs = tokenizer(sentences, padding=padding, truncation=True, max_length=limit, return_tensors="pt").to(device)
    mask = {} if padding == "max_length" else {"attention_mask": inputs["attention_mask"]}
    with devices.running(device, number_format):
        vectors = network.get_text_features(inputs["input_ids"], **mask).pooler_output
    return torch.nn.functional.normalize(vectors.float(), dim=-1) if normalize else vectors
