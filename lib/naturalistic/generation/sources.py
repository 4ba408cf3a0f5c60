"""Checkpoints of generators: located on the hub or in a folder, and recognized by their descriptions."""

import contextlib
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import LocalEntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError
from huggingface_hub.utils import validate_repo_id

from naturalistic.intact import read_json

# a pipeline of diffusers describes itself in the first, a model of transformers in the second
_DESCRIPTIONS = ("model_index.json", "config.json")
_FILES = ("*.json", "*.txt", "*.safetensors")
_PICKLED = ("*.bin",)  # read by torch.load(weights_only=True), which builds tensors and nothing else
_NEEDED = {
    "musicldm": "model_index.json and the folders text_encoder, tokenizer, feature_extractor, unet, vae, vocoder and "
    "scheduler",
    "musicgen": "config.json, model.safetensors and the tokenizer's files",
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
        Expected generator, for the list of files in a message: "musicldm" or "musicgen".

    Returns
    -------
    folder : Path

    Raises
    ------
    FileNotFoundError
        If there is no such folder, no such model, or no network; naming the files and the command to fetch them.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _check(folder)
    try:
        validate_repo_id(str(name))
    except ValueError:
        raise FileNotFoundError(
            f"{str(name)!r} is not a folder, nor can it be the id of a model on the hub: pass a folder written by "
            "save_pretrained, or an id such as 'ucsd-reach/musicldm'"
        ) from None
    with contextlib.suppress(LocalEntryNotFoundError, FileNotFoundError):
        local = Path(snapshot_download(str(name), revision=revision, local_files_only=True))
        if _has_weights(local, "*.safetensors", *_PICKLED):
            return _check(local)
    return _check(_download(str(name), revision, kind))


def _download(name: str, revision: str | None, kind: str | None) -> Path:
    try:
        folder = Path(snapshot_download(name, revision=revision, allow_patterns=_FILES))
        if not _has_weights(folder, "*.safetensors"):
            folder = Path(snapshot_download(name, revision=revision, allow_patterns=_FILES + _PICKLED))
        return folder
    except RepositoryNotFoundError:
        raise FileNotFoundError(
            f"{name!r} is not a folder, and the hub has no model of that name (or it is a gated one: log in with "
            "`hf auth login`)"
        ) from None
    except RevisionNotFoundError:
        raise FileNotFoundError(f"the model {name!r} has no revision {revision!r} on the hub") from None
    except Exception as error:
        # whichever library carries the request has its own errors; all mean that there was no answer
        raise FileNotFoundError(
            f"{name!r} is not a folder, not in the local cache, and the hub could not be reached "
            f"({type(error).__name__}). It needs {_NEEDED.get(kind, _EITHER)}: where there is a network, run "
            f"`hf download {name} --local-dir FOLDER`, then pass that folder. The miniature's generator ('mini') needs "
            "no download"
        ) from error


def _has_weights(folder: Path, *patterns: str) -> bool:
    """Return whether beside each ``config.json`` there are weights."""
    parts = [path.parent for path in folder.rglob("config.json")]
    return bool(parts) and all(any(any(part.glob(pattern)) for pattern in patterns) for part in parts)


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
