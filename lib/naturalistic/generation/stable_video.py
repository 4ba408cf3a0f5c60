"""Stable Video Diffusion: films from a decoded CLIP vector and a decoded first frame (Blattmann et al. 2023).

The network takes its condition from CLIP ViT-H/14 of a picture and the picture itself as latents. Here a decoded vector
takes the place of the first, and the middle frame of a decoded blurry film that of the second. Weights under Stability
AI's own license: see its page.
"""

import functools
from pathlib import Path
from typing import Any, Literal

import torch
from numpy.typing import NDArray

from naturalistic.features import devices
from naturalistic.generation import sources
from naturalistic.generation.animatediff import check_folders, check_number, check_size
from naturalistic.generation.diffusion_parts import (
    import_diffusers,
    load_diffusion_network,
    load_scheduler,
    quiet_diffusers,
)
from naturalistic.generation.films import DiffusionFilms
from naturalistic.intact import read_json
from naturalistic.parameters import whole

HUB = "stabilityai/stable-video-diffusion-img2vid"
_FOLDERS = ("unet", "vae", "scheduler")


def load(
    source: str | Path = HUB,
    name: str | None = None,
    device: str = "cpu",
    *,
    dtype: Literal["auto", "float32", "float16"] = "auto",
    steps: int = 25,
    guidance: float = 3.0,
    motion: int = 127,
    noise: float = 0.02,
    n_frames: int | None = None,
    size: int | tuple[int, int] = (576, 1024),
    decode_chunk_size: int = 4,
    revision: str | None = None,
) -> DiffusionFilms:
    """Return a generator of films with `diffusers.StableVideoDiffusionPipeline`.

    Parameters
    ----------
    source : str or Path
        Hub id or folder.
    name : str, optional
        Name of the generator; ``source`` by default.
    device : str
    dtype : {"auto", "float32", "float16"}
        "auto": float16 on a GPU, float32 elsewhere.
    steps : int
        Steps of denoising.
    guidance : float
        Weight of the conditions in the last frame; it rises to it from 1 in the first.
    motion : int
        How much moves, 1 to 255.
    noise : float
        Noise that is added to the first frame: more of it lets the vector say more.
    n_frames : int, optional
        Those that the network was trained on by default.
    size : int or (height, width)
        Pixels, multiples of 8.
    decode_chunk_size : int
        Frames that are decoded at once.
    revision : str, optional

    Returns
    -------
    generator : DiffusionFilms
        It needs a film, and takes its middle frame.

    Raises
    ------
    ImportError, FileNotFoundError, ValueError
        See `generation.load`.
    """
    device = devices.check_device(device)
    number_format = devices.precision(device, dtype)
    options = {
        "num_inference_steps": whole("steps", steps),
        "max_guidance_scale": check_number("guidance", guidance),
        "motion_bucket_id": whole("motion", motion, 1, 255),
        "noise_aug_strength": check_number("noise", noise),
        "decode_chunk_size": whole("decode_chunk_size", decode_chunk_size),
        "output_type": "np",
    }
    import_diffusers("Stable Video Diffusion")
    folder = sources.locate(source, revision, "svd")
    name = str(name or source)
    sources.check_kind(folder, name, "StableVideoDiffusionPipeline", "StableVideoDiffusionPipeline")
    check_folders(folder, name, _FOLDERS)
    config = read_json(folder / "unet" / "config.json")
    height, width = check_size(size, 0)
    n_frames = whole("n_frames", config["num_frames"] if n_frames is None else n_frames)
    options |= {"height": height, "width": width, "num_frames": n_frames}
    return DiffusionFilms(
        name,
        int(config["cross_attention_dim"]),
        n_frames,
        (height, width),
        functools.partial(_open, folder, name, device, getattr(torch, number_format)),
        functools.partial(_draw, options),
        needs_film=True,
        takes_film=True,
    )


def _open(folder: Path, name: str, device: str, dtype: torch.dtype) -> Any:
    """Return the pipeline, without the model that would look at a picture: its vector is given."""
    diffusers = import_diffusers("Stable Video Diffusion")
    read = functools.partial(load_diffusion_network, dtype=dtype, only_safetensors=True)
    with quiet_diffusers():
        pipeline = diffusers.StableVideoDiffusionPipeline(
            vae=read(folder / "vae", diffusers.AutoencoderKLTemporalDecoder, f"{name}/vae"),
            unet=read(folder / "unet", diffusers.UNetSpatioTemporalConditionModel, f"{name}/unet"),
            scheduler=load_scheduler(diffusers, folder / "scheduler", name),
            image_encoder=None,
            feature_extractor=None,
        ).to(device)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _draw(
    options: dict[str, Any], pipeline: Any, vector: torch.Tensor, noise: torch.Generator, film: list[Any], text: None
) -> NDArray:
    """Return the frames of a film."""
    vector = vector[:, None].to(pipeline.device, pipeline.unet.dtype)

    def given_vector(image: Any, device: Any, n_films: int, is_guided: bool) -> torch.Tensor:
        return torch.cat([torch.zeros_like(vector), vector]) if is_guided else vector

    pipeline._encode_image = given_vector  # of a picture it would make the vector that was decoded
    return pipeline(film[len(film) // 2], generator=noise, **options).frames[0]
