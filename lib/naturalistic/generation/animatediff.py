"""AnimateDiff with an IP-Adapter: films from a decoded CLIP vector, and from a decoded blurry film.

Stable Diffusion 1.5 (Rombach et al. 2022; CreativeML OpenRAIL-M) draws, a motion adapter (Guo et al. 2024; Apache-2.0)
moves it, and an IP-Adapter (Ye et al. 2023; Apache-2.0) conditions it on a vector of CLIP ViT-H/14. With a blurry film
noise is added to it, by ``strength``, and taken away again; without one a film comes from noise alone.
"""

import functools
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from transformers import CLIPTextModel

from naturalistic.features import devices
from naturalistic.features.audio import checkpoint
from naturalistic.features.weight_files import check_weights
from naturalistic.generation import sources
from naturalistic.generation.diffusion_parts import (
    import_diffusers,
    load_diffusion_network,
    load_scheduler,
    quiet_diffusers,
)
from naturalistic.generation.films import DiffusionFilms
from naturalistic.hub import hub_file
from naturalistic.intact import check_whole, read_json
from naturalistic.parameters import whole

HUB = "stable-diffusion-v1-5/stable-diffusion-v1-5"
MOTION = "guoyww/animatediff-motion-adapter-v1-5-2"
IP_ADAPTER = ("h94/IP-Adapter", "models/ip-adapter_sd15.safetensors")
_FOLDERS = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")
_PROJECTION = "image_proj.proj.weight"  # (tokens * width of the attention, width of the vector)
_FIRST_KEY = "ip_adapter.1.to_k_ip.weight"


def load(
    source: str | Path = HUB,
    name: str | None = None,
    device: str = "cpu",
    *,
    motion_adapter: str | Path = MOTION,
    ip_adapter: str | Path | None = None,
    dtype: Literal["auto", "float32", "float16"] = "auto",
    steps: int = 25,
    guidance: float = 7.5,
    strength: float = 0.8,
    scale: float = 1.0,
    prompt: str = "",
    n_frames: int = 16,
    size: int | tuple[int, int] | None = None,
    revision: str | None = None,
) -> DiffusionFilms:
    """Return a generator of films with `diffusers.AnimateDiffPipeline` and its video-to-video sibling.

    Parameters
    ----------
    source : str or Path
        Hub id or folder of Stable Diffusion 1.x.
    name : str, optional
        Name of the generator; ``source`` by default.
    device : str
    motion_adapter : str or Path
        Hub id or folder.
    ip_adapter : str or Path, optional
        A ``.safetensors`` file for pooled vectors; ``ip-adapter_sd15`` by default, downloaded if it is not here.
    dtype : {"auto", "float32", "float16"}
        "auto": float16 on a GPU, float32 elsewhere.
    steps : int
        Steps of denoising; of them the share ``strength`` is done where a film is given.
    guidance : float
        Weight of the conditions against none; 1 or less: the conditions alone.
    strength : float
        Noise that is added to a given film: 0 keeps it as it is, 1 leaves nothing of it.
    scale : float
        Weight of the vector against the prompt.
    prompt : str
        Words beside the vector. Meaning that was not decoded should not come in here: it is empty by default.
    n_frames : int
    size : int or (height, width), optional
        Pixels, multiples of 8; those that the network was trained on by default.
    revision : str, optional
        Of ``source``.

    Returns
    -------
    generator : DiffusionFilms

    Raises
    ------
    ImportError
        If diffusers is not installed.
    FileNotFoundError, ValueError
        See `generation.load`; also if the parts do not fit each other.
    """
    device = devices.check_device(device)
    number_format = devices.precision(device, dtype)
    options = {"num_inference_steps": whole("steps", steps), "guidance_scale": check_number("guidance", guidance)}
    if not 0 < check_number("strength", strength) <= 1:
        raise ValueError(f"strength is {strength!r}, expected above 0 and at most 1")
    if int(steps * strength) < 1:
        raise ValueError(f"strength is {strength!r}: of {steps} steps none is left, expected {1 / steps:g} or more")
    import_diffusers("AnimateDiff")
    folder = sources.locate(source, revision, "animatediff")
    name = str(name or source)
    sources.check_kind(folder, name, "StableDiffusionPipeline", "StableDiffusionPipeline")
    check_folders(folder, name, _FOLDERS)
    motion = sources.locate(motion_adapter, None, "motion adapter")
    adapter = _locate_adapter(ip_adapter)
    config = read_json(folder / "unet" / "config.json")
    words = read_json(folder / "text_encoder" / "config.json")
    check_weights(motion)
    most = int(read_json(motion / "config.json").get("motion_max_seq_length", 32))
    n_frames = whole("n_frames", n_frames, 1, most, hint="the motion adapter counts no further")
    height, width = check_size(size, int(config["sample_size"]) * 8)
    options |= {"height": height, "width": width, "prompt": prompt, "output_type": "np"}
    return DiffusionFilms(
        name,
        _adapter_dim(adapter, int(config["cross_attention_dim"])),
        n_frames,
        (height, width),
        functools.partial(_open, folder, motion, adapter, name, device, getattr(torch, number_format), float(scale)),
        functools.partial(_draw, options, float(strength), n_frames),
        takes_film=True,
        text_shape=(int(words["max_position_embeddings"]), int(words["hidden_size"])),
    )


def check_number(option: str, value: Any) -> float:
    """Return a number.

    Raises
    ------
    ValueError
        If it is none, or not finite.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not np.isfinite(value):
        raise ValueError(f"{option} is {value!r}, expected a number")
    return float(value)


def check_size(size: Any, own: int, step: int = 8) -> tuple[int, int]:
    """Return height and width in pixels, multiples of ``step``.

    Raises
    ------
    ValueError
        If they are none.
    """
    height, width = (own, own) if size is None else (size, size) if np.ndim(size) == 0 else size
    for side in (height, width):
        if whole("size", side) % step:
            raise ValueError(f"size is {size!r}, expected multiples of {step} pixels")
    return int(height), int(width)


def check_folders(folder: Path, name: str, wanted: tuple[str, ...]) -> None:
    """Check that a checkpoint has its parts, with weights that are whole and no pickles.

    Raises
    ------
    FileNotFoundError, ValueError
        Naming the part.
    """
    if missing := [part for part in wanted if not (folder / part).is_dir()]:
        raise FileNotFoundError(
            f"{name!r} lacks {', '.join(missing)} in {folder}, expected the folders {', '.join(wanted)}"
        )
    for part in wanted:
        if (folder / part / "config.json").is_file():
            check_weights(folder / part)
            if not any((folder / part).glob("*.safetensors")):
                raise FileNotFoundError(
                    f"{name!r} has no .safetensors in {folder / part}, expected weights in that format: pickles are "
                    "not read"
                )


def _locate_adapter(ip_adapter: str | Path | None) -> Path:
    """Return the file of an IP-Adapter."""
    if ip_adapter is None:
        return hub_file(*IP_ADAPTER)
    path = Path(ip_adapter).expanduser()
    check_whole(path, f"pass the file {Path(IP_ADAPTER[1]).name} of {IP_ADAPTER[0]}")
    if path.suffix != ".safetensors":
        raise ValueError(f"{path} is no .safetensors file, expected weights in that format: pickles are not read")
    return path


def _adapter_dim(path: Path, width: int) -> int:
    """Return the size of the vectors that an IP-Adapter takes, from the head of its file."""
    try:
        with safe_open(path, "pt") as weights:
            names = set(weights.keys())
            if not {_PROJECTION, _FIRST_KEY} <= names:
                raise ValueError(
                    f"{path} has no {_PROJECTION} and {_FIRST_KEY}, expected an IP-Adapter of one pooled vector, such "
                    f"as {Path(IP_ADAPTER[1]).name} (a 'plus' or 'faceid' one takes others)"
                )
            n_out, dim = weights.get_slice(_PROJECTION).get_shape()
            of_key = weights.get_slice(_FIRST_KEY).get_shape()[1]
    except SafetensorError as error:
        raise ValueError(f"{path} cannot be read as safetensors: {error}") from error
    if of_key != width or n_out % width:
        raise ValueError(
            f"{path} is for an attention of {of_key} dimensions, and the unet has {width}: take the IP-Adapter of this "
            "Stable Diffusion"
        )
    return int(dim)


def _open(
    folder: Path, motion: Path, adapter: Path, name: str, device: str, dtype: torch.dtype, scale: float
) -> tuple[Any, Any]:
    """Return the pipeline from noise, and the one from a film, with the same networks."""
    diffusers = import_diffusers("AnimateDiff")
    text_encoder = checkpoint.load_network(folder / "text_encoder", CLIPTextModel, f"{name}/text_encoder", device)
    read = functools.partial(load_diffusion_network, dtype=dtype, only_safetensors=True)
    parts = {
        "vae": read(folder / "vae", diffusers.AutoencoderKL, f"{name}/vae"),
        "text_encoder": text_encoder.to(dtype),
        "tokenizer": checkpoint.tokenizer_of(folder / "tokenizer", name),
        "unet": read(folder / "unet", diffusers.UNet2DConditionModel, f"{name}/unet"),
        "motion_adapter": read(motion, diffusers.MotionAdapter, motion.name),
        "scheduler": load_scheduler(diffusers, folder / "scheduler", name),
    }
    with quiet_diffusers():
        from_noise = diffusers.AnimateDiffPipeline(**parts)
        _load_adapter(from_noise, adapter, scale)
        from_noise = from_noise.to(device)
        from_film = diffusers.AnimateDiffVideoToVideoPipeline(**(parts | {"unet": from_noise.unet}))
    for pipeline in (from_noise, from_film):
        pipeline.set_progress_bar_config(disable=True)
    return from_noise, from_film


def _load_adapter(pipeline: Any, path: Path, scale: float) -> None:
    """Put an IP-Adapter into the network of a pipeline."""
    state: dict[str, dict[str, torch.Tensor]] = {"image_proj": {}, "ip_adapter": {}}
    with safe_open(path, "pt") as weights:
        for key in weights.keys():
            part, _, rest = key.partition(".")
            state.setdefault(part, {})[rest] = weights.get_tensor(key)
    try:
        pipeline.unet._load_ip_adapter_weights([state], low_cpu_mem_usage=False)
    except (KeyError, RuntimeError) as error:
        raise ValueError(
            f"{path} does not fit the unet ({error}): take the IP-Adapter of this Stable Diffusion"
        ) from error
    pipeline.set_ip_adapter_scale(scale)


def _draw(
    options: dict[str, Any],
    strength: float,
    n_frames: int,
    pipelines: tuple[Any, Any],
    vector: torch.Tensor,
    noise: torch.Generator,
    film: list[Any] | None,
    text: NDArray | None,
) -> NDArray:
    """Return the frames of a film."""
    from_noise, from_film = pipelines
    vector = vector[:, None].to(from_noise.device, from_noise.unet.dtype)
    if options["guidance_scale"] > 1:
        vector = torch.cat([torch.zeros_like(vector), vector])
    options = options | {"generator": noise, "ip_adapter_image_embeds": [vector]}
    if text is not None:
        states = torch.from_numpy(text)[None].to(from_noise.device, from_noise.unet.dtype)
        options |= {"prompt": None, "prompt_embeds": states}
    if film is None:
        return from_noise(num_frames=n_frames, **options).frames[0]
    return from_film(video=film, strength=strength, **options).frames[0]
