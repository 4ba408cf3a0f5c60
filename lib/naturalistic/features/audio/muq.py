"""MuQ-MuLan: one space for music and sentences (Zhu et al. 2025, arXiv 2501.01108), through its own package `muq`.

Stands for MuLan: 512 dimensions, windows of 10 s at 24 kHz, weights under CC BY-NC 4.0. The package is an optional
extra, ``pip install 'naturalistic[muq]'``.
"""

import functools
import importlib
from pathlib import Path
from typing import Any, Literal

import torch
from numpy.typing import NDArray

from naturalistic.features import devices
from naturalistic.features.audio import checkpoint
from naturalistic.features.audio.embedder import Embedder
from naturalistic.features.weight_files import check_weights
from naturalistic.intact import read_json

HUB = "OpenMuQ/MuQ-MuLan-large"
# what the package builds its two towers from, by name; it would run code that comes with any other repository
_TOWERS = {
    "audio_model": ("OpenMuQ/MuQ-large-msd-iter",),
    "text_model": ("xlm-roberta-base", "FacebookAI/xlm-roberta-base"),
}


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
) -> Embedder:
    """Return an embedder with the audio and the text tower of a ``muq.MuQMuLan``.

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
        s. The window is that of the model.
    revision : str, optional

    Returns
    -------
    embedder : Embedder

    Raises
    ------
    ImportError
        If the package is not installed.
    FileNotFoundError, ValueError
        See `audio.load`.
    """
    package = _package()
    arguments = source, name, revision, device, dtype
    folder, name, device, number_format = checkpoint.prepare(*arguments, "muq-mulan", "MuQMuLan")
    _check_towers(folder, name)
    check_weights(folder)
    try:
        network = package.MuQMuLan.from_pretrained(str(folder))
    except OSError as error:
        parts = ", ".join((HUB, _TOWERS["audio_model"][0], _TOWERS["text_model"][0]))
        raise FileNotFoundError(
            f"{name!r} is built from other models of the hub that are not here ({parts}): where there is a network, "
            "run `hf download NAME` for each and copy the hub's cache"
        ) from error
    network = network.to(device).eval().requires_grad_(False)
    if window != network.clip_secs:
        raise ValueError(f"window is {window:g} s, expected the {network.clip_secs:g} s that {name} hears")
    parts = network, device, number_format
    return Embedder(
        name,
        int(network.sr),
        window,
        hop,
        int(network.config.mulan.dim_latent),
        functools.partial(_hear, *parts),
        functools.partial(_read, *parts),
        functools.partial(_identity, *parts),
        device,
        devices.batch(batch_size, device, 8, 64),
    )


def _package() -> Any:
    """Return the module muq."""
    try:
        return importlib.import_module("muq")
    except ImportError as error:
        raise ImportError(
            f"MuQ-MuLan needs the package muq, which is not installed ({error}): pip install 'naturalistic[muq]'. "
            "'clap' is another joint model, without it"
        ) from error


def _check_towers(folder: Path, name: str) -> None:
    config = read_json(folder / "config.json")
    for part, known in _TOWERS.items():
        tower = (config.get(part) or {}).get("name")
        if tower not in known:
            raise ValueError(
                f"{name!r} takes its {part} from {tower!r}, expected one of {', '.join(known)}: the package muq runs "
                "code that comes with other repositories"
            )


def _hear(network: Any, device: str, number_format: str, windows: NDArray) -> torch.Tensor:
    """Return the vectors of windows; of one window each, ``network(wavs=...)`` gives the same, one after the other."""
    with devices.running(device, number_format):
        return network.mulan_module.get_audio_latents(torch.from_numpy(windows).to(device))


def _read(network: Any, device: str, number_format: str, sentences: list[str]) -> torch.Tensor:
    with devices.running(device, number_format):
        return network(texts=sentences)


def _identity(network: Any, device: str, number_format: str) -> str:
    return checkpoint.digest(network, number_format, torch.device(device).type)
