"""From a decoded embedding to sound, and to films.

::

    generator = generation.load("mini", device="cpu")
    waveform, sample_rate = generator.generate(vector, seed=1)

======== ============================ ==================== ===================================================
name     model                        stands for           conditioned on
======== ============================ ==================== ===================================================
musicldm ucsd-reach/musicldm          MusicLM              the decoded CLAP vector itself
musicgen facebook/musicgen-small      MusicLM              words: tags read from the decoded vector
mini     comes with the package       MusicLM              the decoded vector of mini-mulan
======== ============================ ==================== ===================================================

Generators of films (``animatediff``, ``svd``, ``kandinsky``, ``stable-unclip``) are listed in `generation.films`.
"""

import inspect
from pathlib import Path
from typing import Any

from naturalistic import simulated
from naturalistic.features import devices
from naturalistic.generation import sources
from naturalistic.generation.films import FilmGenerator
from naturalistic.generation.generator import Generator, check_dim, check_embeddings

__all__ = ["KINDS", "MODELS", "FilmGenerator", "Generator", "check_dim", "check_embeddings", "load"]

# short name -> module:function, called as function(source=..., name=..., device=..., **options)
MODELS = {
    "mini": simulated.MODELS["mini"],
    "musicldm": "naturalistic.generation.musicldm:load",
    "musicgen": "naturalistic.generation.musicgen:load",
    "animatediff": "naturalistic.generation.animatediff:load",
    "svd": "naturalistic.generation.stable_video:load",
    "kandinsky": "naturalistic.generation.kandinsky:load",
    "stable-unclip": "naturalistic.generation.stable_unclip:load",
}
# class of a pipeline or model_type of a model, as its folder says -> short name of its loader
KINDS = {
    "MusicLDMPipeline": "musicldm",
    "musicgen": "musicgen",
    "StableDiffusionPipeline": "animatediff",
    "StableVideoDiffusionPipeline": "svd",
    "KandinskyV22Pipeline": "kandinsky",
    "StableUnCLIPImg2ImgPipeline": "stable-unclip",
}


def load(name: str | Path, device: str = "cpu", **options: Any) -> Generator | FilmGenerator:
    """Return the generator of that name.

    Parameters
    ----------
    name : str or Path
        A short name of `MODELS`, a hub id, or a folder, known by the ``model_index.json`` (a pipeline of diffusers) or
        the ``config.json`` in it.
    device : str
        "cpu", "cuda".
    **options
        Options of the model: ``steps``, ``guidance``, ``dtype``, ``batch_size``, ``revision`` (musicldm); ``words``,
        ``embedder``, ``n_words``, ``guidance``, ``revision`` (musicgen); ``steps``, ``guidance``, ``size``,
        ``n_frames`` and more of films, see their modules.

    Returns
    -------
    generator : Generator or FilmGenerator
        Of sound: ``generate(embedding, seed, duration)``, ``generate_all(embeddings, seeds, duration)``; ``name``,
        ``dim``, ``sample_rate``. Of films: ``generate(embedding, seed, film)``, ``generate_all(embeddings, seeds,
        films)``; ``name``, ``dim``, ``n_frames``, ``size``.

    Raises
    ------
    FileNotFoundError
        If there is no such model, or no network to fetch it; naming the files and the command to fetch them.
    ValueError
        If the checkpoint is of another class, is damaged or lacks parameters, or an option is unknown.
    ImportError
        If the model needs an extra that is not installed.
    """
    device = devices.check_device(device)
    short = str(name)
    given = {"device": device, "name": str(name)}
    if short not in MODELS:
        folder = sources.locate(name, options.get("revision"))
        short = _recognize(folder, name)
        given["source"] = folder
    loader = simulated.find_loader(MODELS[short])
    known = [key for key in inspect.signature(loader).parameters if key not in ("source", "name", "device")]
    if unknown := sorted(set(options) - set(known)):
        raise ValueError(f"{', '.join(unknown)}: no option of {str(name)!r}, expected one of {', '.join(known)}")
    return loader(**given, **options)


def _recognize(folder: Path, name: str | Path) -> str:
    """Return the short name of the loader of a checkpoint."""
    kind, description = sources.kind_of(folder)
    if kind not in KINDS:
        known = ", ".join(f"{known_kind} ({short})" for known_kind, short in KINDS.items())
        raise ValueError(f"{str(name)!r} is {description}, expected one of {known}")
    return KINDS[kind]
