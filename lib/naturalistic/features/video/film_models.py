"""Models of films, several frames at once: X-CLIP, VideoMAE and V-JEPA 2.

X-CLIP (Ni et al. 2022) learned from films with sentences, VideoMAE (Tong et al. 2022) and V-JEPA 2 (Assran et al. 2025)
from films alone, parts of which they fill in or predict. Weights under MIT (X-CLIP, V-JEPA 2) and CC BY-NC 4.0
(VideoMAE: not for sale).
"""

import functools
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
from naturalistic.features.video.checkpoint import Pictures, prepare
from naturalistic.features.video.embedder import VideoEmbedder
from naturalistic.features.video.picture_models import check_layer, picture_bytes, read_sentences
from naturalistic.hub import MODELS
from naturalistic.parameters import whole

HUB = MODELS["x-clip"]


@dataclass(frozen=True)
class FilmFamily:
    """What differs between models of films.

    Attributes
    ----------
    network : str
        Class of transformers.
    see : callable
        Called with the network and pixels (n, n_frames, 3, size, size), and whether hidden states are needed: the
        output and the vectors (n, dim).
    size, n_frames : str
        Names of the configuration's pixels of a side, and of its frames.
    window : float
        s, by default.
    is_joint : bool
        Whether it has a text tower in the same space.
    """

    network: str
    see: Callable
    size: str
    n_frames: str
    window: float
    is_joint: bool = False


def _see_x_clip(network: Any, pixels: torch.Tensor, hidden: bool) -> tuple[Any, torch.Tensor]:
    out = network.get_video_features(pixels, output_hidden_states=hidden)
    return out, out.pooler_output


def _see_videomae(network: Any, pixels: torch.Tensor, hidden: bool) -> tuple[Any, torch.Tensor]:
    out = network(pixels, output_hidden_states=hidden)
    return out, out.last_hidden_state.mean(1)


def _see_v_jepa(network: Any, pixels: torch.Tensor, hidden: bool) -> tuple[Any, torch.Tensor]:
    out = network(pixels, skip_predictor=True, output_hidden_states=hidden)
    return out, out.last_hidden_state.mean(1)


FAMILIES = {
    "xclip": FilmFamily("XCLIPModel", _see_x_clip, "image_size", "num_frames", 2, is_joint=True),
    "videomae": FilmFamily("VideoMAEModel", _see_videomae, "image_size", "num_frames", 2),
    "vjepa2": FilmFamily("VJEPA2Model", _see_v_jepa, "crop_size", "frames_per_clip", 4),
}


def load(
    source: str | Path = HUB,
    name: str | None = None,
    device: str = "cpu",
    batch_size: int | None = None,
    dtype: Literal["auto", "float32", "float16"] = "auto",
    *,
    window: float | Literal["own"] | None = "own",
    hop: float = 1,
    n_frames: int | None = None,
    layer: int | None = None,
    revision: str | None = None,
) -> VideoEmbedder:
    """Return an embedder that sees several frames of a film at once.

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
    window : float, None or "own"
        s; None is the whole film, and "own" 2 s, of V-JEPA 2 4 s.
    hop : float
        s.
    n_frames : int, optional
        Frames of a window: those that the model was trained on by default. V-JEPA 2 takes any whole number of pairs,
        the others no other.
    layer : int, optional
        Instead of the model's own vector: 0 is the input of the first layer, -1 the output of the last; mean over its
        tokens.
    revision : str, optional

    Returns
    -------
    embedder : VideoEmbedder

    Raises
    ------
    FileNotFoundError, ValueError
        See `video.load`; also if the model lacks the layer, or takes another number of frames.
    """
    folder, name, device, number_format, model_type = prepare(source, name, revision, device, dtype, [*FAMILIES])
    family = FAMILIES[model_type]
    config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    vision = getattr(config, "vision_config", config)
    n_frames = _check_n_frames(n_frames, int(getattr(vision, family.n_frames)), config, name)
    layer = check_layer(layer, vision.num_hidden_layers)
    tokenizer = tokenizer_of(folder, name) if family.is_joint else None
    size = int(getattr(vision, family.size))
    pictures = Pictures(folder, name, size)
    network = load_network(folder, getattr(transformers, family.network), name, device)
    parts = network, device, number_format
    own = config.projection_dim if family.is_joint else vision.hidden_size
    described = tokenizer and sorted(tokenizer.get_vocab().items())
    options = (pictures.options, described, number_format, torch.device(device).type, layer, family.network)
    return VideoEmbedder(
        name,
        family.window if window == "own" else window,
        hop,
        n_frames,
        own if layer is None else vision.hidden_size,
        functools.partial(_see, family, pictures, *parts, layer),
        functools.partial(read_sentences, tokenizer, True, *parts, True) if family.is_joint else None,
        functools.partial(digest, network, *options),
        device,
        devices.fitting_batch(batch_size, device, _film_bytes(vision, size, n_frames), 4, 32),
    )


def _check_n_frames(n_frames: int | None, own: int, config: Any, name: str) -> int:
    """Return the frames of a window, if the model can take so many."""
    if n_frames is None:
        return own
    n_frames = whole("n_frames", n_frames)
    tubelet = getattr(config, "tubelet_size", 2)
    if config.model_type == "vjepa2":
        if n_frames % tubelet:
            raise ValueError(f"n_frames is {n_frames}, expected a multiple of {tubelet}, which {name} takes together")
    elif n_frames != own:
        raise ValueError(f"n_frames is {n_frames}, expected the {own} that {name} was trained on, or None for them")
    return n_frames


def _film_bytes(config: Any, size: int, n_frames: int) -> int:
    """Return about how much working memory a window takes."""
    described = config if hasattr(config, "image_size") else type("Size", (), {**vars(config), "image_size": size})
    return n_frames * picture_bytes(described)


def _see(
    family: FilmFamily,
    pictures: Pictures,
    network: Any,
    device: str,
    number_format: str,
    layer: int | None,
    windows: list[NDArray[np.uint8]],
) -> torch.Tensor:
    """Return the vectors of windows."""
    pixels = torch.stack([pictures(frames) for frames in windows]).to(device)
    with devices.running(device, number_format):
        out, vectors = family.see(network, pixels, layer is not None)
    if layer is None:
        return vectors
    states = out.hidden_states[layer].float()  # of X-CLIP a row for each frame, of the others one for each film
    return states.mean(1).reshape(len(windows), -1, states.shape[-1]).mean(1)
