"""Checkpoints of generators: located on the hub or in a folder, and recognized by their descriptions."""

from pathlib import Path

from naturalistic.hub import CheckpointFiles, checkpoint_folder
from naturalistic.intact import read_json

# a pipeline of diffusers describes itself in the first, a model of transformers in the second
_DESCRIPTIONS = ("model_index.json", "config.json")
_PICKLED = ("*.bin",)
NEEDED = {
    "musicldm": "model_index.json and the folders text_encoder, tokenizer, feature_extractor, unet, vae, vocoder and "
    "scheduler",
    "musicgen": "config.json, model.safetensors and the tokenizer's files",
    "animatediff": "model_index.json and the folders unet, vae, text_encoder, tokenizer and scheduler",
    "motion adapter": "config.json and diffusion_pytorch_model.safetensors",
    "svd": "model_index.json and the folders unet, vae and scheduler",
    "kandinsky": "model_index.json and the folders unet, movq and scheduler",
    "stable-unclip": "model_index.json and the folders unet, vae, text_encoder, tokenizer, image_normalizer, "
    "image_noising_scheduler and scheduler",
}
_EITHER = "a pipeline's model_index.json and folders, or a model's config.json, model.safetensors and tokenizer"


def locate(name: str | Path, revision: str | None = None, kind: str | None = None) -> Path:
    """Return the folder of a checkpoint, downloaded if it is a hub id that is not in the local cache.

    Parameters
    ----------
    name : str or Path
        A folder, or an id such as "ucsd-reach/musicldm".
    revision : str, optional
        Branch, tag or commit on the hub.
    kind : str, optional
        Expected generator, for the list of files in a message, such as "musicldm".

    Returns
    -------
    folder : Path

    Raises
    ------
    FileNotFoundError
        If there is no such folder, no such model, or no network; naming the files and the command to fetch them.
    """
    instead = "The simulation's generator ('mini') needs no download"
    files = CheckpointFiles(_check, _has_weights, _PICKLED, NEEDED.get(kind, _EITHER), instead)
    return checkpoint_folder(name, revision, files, "ucsd-reach/musicldm")


def _has_weights(folder: Path, patterns: tuple[str, ...]) -> bool:
    """Return whether beside each ``config.json`` there are weights."""
    places = [path.parent for path in folder.rglob("config.json")]
    return bool(places) and all(any(any(place.glob(p)) for p in patterns) for place in places)


def _check(folder: Path) -> Path:
    if not any((folder / file).is_file() for file in _DESCRIPTIONS):
        raise FileNotFoundError(
            f"{folder} has no {' and no '.join(_DESCRIPTIONS)}, expected a folder written by save_pretrained"
        )
    return folder


def kind_of(folder: Path) -> tuple[str | None, str]:
    """Return the kind of a checkpoint, for loaders, and a description of it, for messages.

    Parameters
    ----------
    folder : Path
        With a ``model_index.json`` or a ``config.json``.

    Returns
    -------
    kind : str or None
        Class (of a pipeline) or ``model_type`` (of a model).
    description : str

    Raises
    ------
    ValueError
        If the description is a pointer or not JSON.
    """
    path = next(folder / file for file in _DESCRIPTIONS if (folder / file).is_file())
    description = read_json(path)
    if path.name == _DESCRIPTIONS[0]:
        return description.get("_class_name"), f"a pipeline of diffusers ({description.get('_class_name')})"
    classes = ", ".join(description.get("architectures") or []) or "no architecture stated"
    return description.get("model_type"), f"a checkpoint of model_type {description.get('model_type')!r} ({classes})"


def check_kind(folder: Path, name: str | Path, wanted: str, class_name: str) -> None:
    """Check that a folder holds a checkpoint of the kind that a loader loads.

    Parameters
    ----------
    folder : Path
    name : str or Path
        Name of the checkpoint, for the message.
    wanted : str
        Kind that the loader loads.
    class_name : str
        For the message.

    Raises
    ------
    ValueError
        Naming the kind that it is and the one that was expected.
    """
    kind, description = kind_of(folder)
    if kind != wanted:
        raise ValueError(
            f"{str(name)!r} is {description}, expected {class_name}: pass it to generation.load, which picks the "
            "generator by what the folder holds, or choose another checkpoint"
        )
