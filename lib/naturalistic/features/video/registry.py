"""Registry of models of pictures and films: by name, hub id or folder.

::

    embedder = video.load("clip", device="cuda", window=None)
    vectors = embedder.embed(films, 24)             # (n_films, 1, dim)
    targets = embedder.embed_text(captions)         # (n_captions, dim), of a joint model

========= ==================================== ====== ======== ====== ======================================
name      model                                dim    window   frames what it learned from
========= ==================================== ====== ======== ====== ======================================
clip      openai/clip-vit-base-patch32         512    1 s      4      pictures and sentences
siglip2   google/siglip2-base-patch16-224      768    1 s      4      pictures and sentences
x-clip    microsoft/xclip-base-patch32         512    2 s      8      films and sentences
blip-2    Salesforce/blip2-itm-vit-g           256    1 s      1      pictures and sentences
git       microsoft/git-base                   768    1 s      1      pictures and sentences
deit      facebook/deit-base-distilled-...     768    1 s      4      pictures and their categories
videomae  MCG-NJU/videomae-base                768    2 s      16     films, parts of which it fills in
v-jepa2   facebook/vjepa2-vitl-fpc64-256       1,024  4 s      64     films, parts of which it predicts
========= ==================================== ====== ======== ====== ======================================
"""

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from naturalistic import simulated
from naturalistic.features import devices
from naturalistic.features.audio.checkpoint import kind
from naturalistic.features.video import checkpoint
from naturalistic.features.video.embedder import VideoEmbedder
from naturalistic.hub import MODELS as IDS

__all__ = ["MODELS", "VideoEmbedder", "VideoEntry", "load"]


@dataclass(frozen=True)
class VideoEntry:
    """A model that can be loaded by a short name.

    Attributes
    ----------
    loader : str
        ``"module:function"``, imported when first needed.
    model_type : str, optional
        Of the checkpoints that it loads; without one it is a model that comes with the package.
    """

    loader: str
    model_type: str | None = None


_PICTURES = "naturalistic.features.video.picture_models:load"
_FILMS = "naturalistic.features.video.film_models:load"
MODELS = {
    "clip": VideoEntry(_PICTURES, "clip"),
    "siglip2": VideoEntry(_PICTURES, "siglip"),  # its checkpoints of a fixed size are of SigLIP's class
    "blip-2": VideoEntry(_PICTURES, "blip-2"),
    "git": VideoEntry(_PICTURES, "git"),
    "deit": VideoEntry(_PICTURES, "deit"),
    "x-clip": VideoEntry(_FILMS, "xclip"),
    "videomae": VideoEntry(_FILMS, "videomae"),
    "v-jepa2": VideoEntry(_FILMS, "vjepa2"),
}


def load(
    name: str | Path,
    device: str = "cpu",
    batch_size: int | None = None,
    dtype: Literal["auto", "float32", "float16"] | None = None,
    *,
    revision: str | None = None,
    **options: Any,
) -> VideoEmbedder:
    """Return the embedder of that name.

    Parameters
    ----------
    name : str or Path
        A short name of `MODELS`, a hub id, or a folder, known by the ``config.json`` in it.
    device : str
        "cpu", "cuda".
    batch_size : int, optional
        Windows of one pass; the vectors do not depend on it. By default as many as fit into a share of free memory.
    dtype : {"auto", "float32", "float16"}, optional
        "auto" (the default): float16 autocast on a GPU, float32 elsewhere.
    revision : str, optional
        Branch, tag or commit on the hub.
    **options
        Of the model: ``window`` (s, or None for whole films), ``hop`` (s), ``n_frames`` and ``layer``.

    Returns
    -------
    embedder : VideoEmbedder
        ``embed(films, rate)``, ``embed_text(sentences)`` where ``has_text``; ``window``, ``hop``, ``dim``.

    Raises
    ------
    FileNotFoundError
        If there is no such model, or no network to fetch it; naming the files and the command to fetch them.
    ValueError
        If the checkpoint is of another class or lacks parameters, or an option is unknown or has no such value.
    """
    device = devices.check_device(device)
    entry = MODELS.get(str(name))
    sources = {"source": IDS.get(str(name), name)}
    if entry is None:
        folder = checkpoint.locate(name, revision)
        entry = _recognize(folder, name)
        sources = {"source": folder}
    loader = simulated.find_loader(entry.loader)
    options |= {} if batch_size is None else {"batch_size": batch_size}
    options |= {} if dtype is None else {"dtype": dtype}
    options |= {} if revision is None else {"revision": revision}
    known = [key for key in inspect.signature(loader).parameters if key not in ("source", "name", "device")]
    if unknown := sorted(set(options) - set(known)):
        raise ValueError(f"{', '.join(unknown)}: no option of {str(name)!r}, expected one of {', '.join(known)}")
    if entry.model_type:
        sources["name"] = str(name)
    else:
        sources = {}
    return loader(**sources, device=device, **options)


def knows(model_type: str | None) -> bool:
    """Return whether there is a loader of checkpoints of a ``model_type``."""
    return model_type is not None and any(entry.model_type == model_type for entry in MODELS.values())


def _recognize(folder: Path, name: str | Path) -> VideoEntry:
    """Return the entry that loads a checkpoint."""
    model_type, description = kind(Path(folder))
    for entry in MODELS.values():
        if entry.model_type and entry.model_type == model_type:
            return entry
    known = ", ".join(f"{entry.model_type!r} ({short})" for short, entry in MODELS.items() if entry.model_type)
    raise ValueError(f"{str(name)!r} is {description}, expected a model_type of {known}")
