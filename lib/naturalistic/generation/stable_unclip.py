"""Stable unCLIP: a picture from a decoded CLIP vector (Stable Diffusion 2.1 unCLIP; CreativeML OpenRAIL++-M).

It is conditioned on CLIP ViT-H/14 of a picture, to which noise can be added (Ramesh et al. 2022): more of it leaves
more to the network where a vector was decoded badly. A picture is a film in which nothing moves.
"""

import functools
from pathlib import Path
from typing import Any, Literal

import torch
from numpy.typing import NDArray
from transformers import CLIPTextModel

from naturalistic.features import devices
from naturalistic.features.audio import checkpoint
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

HUB = "stabilityai/stable-diffusion-2-1-unclip"
_FOLDERS = ("unet", "vae", "text_encoder", "tokenizer", "image_normalizer", "image_noising_scheduler", "scheduler")


def load(
    source: str | Path = HUB,
    name: str | None = None,
    device: str = "cpu",
    *,
    dtype: Literal["auto", "float32", "float16"] = "auto",
    steps: int = 20,
    guidance: float = 10.0,
    noise_level: int = 0,
    prompt: str = "",
    n_frames: int = 1,
    size: int | tuple[int, int] | None = None,
    revision: str | None = None,
) -> DiffusionFilms:
    """Return a generator of pictures with `diffusers.StableUnCLIPImg2ImgPipeline`.

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
        Weight of the vector against none; 1 or less: the vector alone.
    noise_level : int
        Steps of noise that are added to the vector, up to those of the checkpoint (1,000).
    prompt : str
        Words beside the vector; empty by default.
    n_frames : int
        Times that the picture is repeated.
    size : int or (height, width), optional
        Pixels, multiples of 8; those that the network was trained on by default.
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
        "prompt": prompt,
        "output_type": "np",
    }
    import_diffusers("Stable unCLIP")
    folder = sources.locate(source, revision, "stable-unclip")
    name = str(name or source)
    sources.check_kind(folder, name, "StableUnCLIPImg2ImgPipeline", "StableUnCLIPImg2ImgPipeline")
    check_folders(folder, name, _FOLDERS)
    config = read_json(folder / "unet" / "config.json")
    dim = int(read_json(folder / "image_normalizer" / "config.json")["embedding_dim"])
    if config["projection_class_embeddings_input_dim"] != 2 * dim:
        raise ValueError(
            f"{name!r}: its image_normalizer has {dim} dimensions and its unet takes "
            f"{config['projection_class_embeddings_input_dim']} (a vector and its level of noise): not one checkpoint"
        )
    noises = read_json(folder / "image_noising_scheduler" / "scheduler_config.json")
    most = int(noises.get("num_train_timesteps", 1000)) - 1
    height, width = check_size(size, int(config["sample_size"]) * 8)
    options |= {"height": height, "width": width, "noise_level": whole("noise_level", noise_level, 0, most)}
    return DiffusionFilms(
        name,
        dim,
        whole("n_frames", n_frames),
        (height, width),
        functools.partial(_open, folder, name, device, getattr(torch, number_format)),
        functools.partial(_draw, options),
    )


def _open(folder: Path, name: str, device: str, dtype: torch.dtype) -> Any:
    """Return the pipeline, without the model that would look at a picture: its vector is given."""
    diffusers = import_diffusers("Stable unCLIP")
    from diffusers.pipelines.stable_diffusion import StableUnCLIPImageNormalizer

    read = functools.partial(load_diffusion_network, dtype=dtype, only_safetensors=True)
    text_encoder = checkpoint.load_network(folder / "text_encoder", CLIPTextModel, f"{name}/text_encoder", device)
    with quiet_diffusers():
        pipeline = diffusers.StableUnCLIPImg2ImgPipeline(
            feature_extractor=None,
            image_encoder=None,
            image_normalizer=read(folder / "image_normalizer", StableUnCLIPImageNormalizer, f"{name}/image_normalizer"),
            image_noising_scheduler=load_scheduler(diffusers, folder / "image_noising_scheduler", name),
            tokenizer=checkpoint.tokenizer_of(folder / "tokenizer", name),
            text_encoder=text_encoder.to(dtype),
            unet=read(folder / "unet", diffusers.UNet2DConditionModel, f"{name}/unet"),
            scheduler=load_scheduler(diffusers, folder / "scheduler", name),
            vae=read(folder / "vae", diffusers.AutoencoderKL, f"{name}/vae"),
        ).to(device)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _draw(
    options: dict[str, Any], pipeline: Any, vector: torch.Tensor, noise: torch.Generator, film: None, text: None
) -> NDArray:
    """Return the picture."""
    vector = vector.to(pipeline.device, pipeline.unet.dtype)

    def given_vector(do_classifier_free_guidance: bool, noise_level: Any, generator: Any, **_: Any) -> torch.Tensor:
        noisy = pipeline.noise_image_embeddings(vector, noise_level, generator=generator)
        return torch.cat([torch.zeros_like(noisy), noisy]) if do_classifier_free_guidance else noisy

    pipeline._encode_image = given_vector  # of a picture it would make the vector that was decoded
    return pipeline(image_embeds=vector, generator=noise, **options).images
