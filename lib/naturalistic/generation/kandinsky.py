"""Kandinsky 2.2: a picture from a decoded CLIP vector (Razzhigaev et al. 2023; Apache-2.0).

Its decoder is conditioned on CLIP ViT-bigG/14 alone, with no words at all. A picture is a film in which nothing moves.
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

HUB = "kandinsky-community/kandinsky-2-2-decoder"
_FOLDERS = ("unet", "movq", "scheduler")
_STEP = 64  # pixels: of sizes between two multiples the pipeline makes the larger one


def load(
    source: str | Path = HUB,
    name: str | None = None,
    device: str = "cpu",
    *,
    dtype: Literal["auto", "float32", "float16"] = "auto",
    steps: int = 50,
    guidance: float = 4.0,
    n_frames: int = 1,
    size: int | tuple[int, int] = 512,
    revision: str | None = None,
) -> DiffusionFilms:
    """Return a generator of pictures with `diffusers.KandinskyV22Pipeline`.

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
        Weight of the vector against a vector of zeros; 1 or less: the vector alone.
    n_frames : int
        Times that the picture is repeated.
    size : int or (height, width)
        Pixels, multiples of 64.
    revision : str, optional

    Returns
    -------
    generator : DiffusionFilms

    Raises
    ------
    ImportError, FileNotFoundError, ValueError
        See `generation.load`.
    """
    device = devices.check_device(device)
    number_format = devices.precision(device, dtype)
    options = {
        "num_inference_steps": whole("steps", steps),
        "guidance_scale": check_number("guidance", guidance),
        "output_type": "np",
    }
    import_diffusers("Kandinsky")
    folder = sources.locate(source, revision, "kandinsky")
    name = str(name or source)
    sources.check_kind(folder, name, "KandinskyV22Pipeline", "KandinskyV22Pipeline")
    check_folders(folder, name, _FOLDERS)
    height, width = check_size(size, 512, _STEP)
    options |= {"height": height, "width": width}
    return DiffusionFilms(
        name,
        int(read_json(folder / "unet" / "config.json")["encoder_hid_dim"]),
        whole("n_frames", n_frames),
        (height, width),
        functools.partial(_open, folder, name, device, getattr(torch, number_format)),
        functools.partial(_draw, options),
    )


def _open(folder: Path, name: str, device: str, dtype: torch.dtype) -> Any:
    diffusers = import_diffusers("Kandinsky")
    read = functools.partial(load_diffusion_network, dtype=dtype, only_safetensors=True)
    with quiet_diffusers():
        pipeline = diffusers.KandinskyV22Pipeline(
            unet=read(folder / "unet", diffusers.UNet2DConditionModel, f"{name}/unet"),
            movq=read(folder / "movq", diffusers.VQModel, f"{name}/movq"),
            scheduler=load_scheduler(diffusers, folder / "scheduler", name),
        ).to(device)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _draw(
    options: dict[str, Any], pipeline: Any, vector: torch.Tensor, noise: torch.Generator, film: None, text: None
) -> NDArray:
    """Return the picture."""
    vector = vector.to(pipeline.device, pipeline.unet.dtype)
    none = torch.zeros_like(vector)
    return pipeline(image_embeds=vector, negative_image_embeds=none, generator=noise, **options).images
