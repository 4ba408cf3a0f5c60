"""Checkpoints of audio models: located, identified, loaded without running code, hashed."""

import hashlib
import json
import pickle
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from naturalistic.features.devices import check_device, precision
from naturalistic.features.text.language_model import hash_parameters, quiet
from naturalistic.features.text.tokenizer_files import load_tokenizer
from naturalistic.features.weight_files import check_weights
from naturalistic.hub import CheckpointFiles, checkpoint_folder
from naturalistic.intact import read_json

PICKLED = ("pytorch_model*.bin",)
_EXTRACTORS = ("preprocessor_config.json", "processor_config.json")  # the second as of transformers 5, for a processor


def locate(name: str | Path, revision: str | None = None) -> Path:
    """Return the folder of a checkpoint, downloaded if it is not in the local cache.

    Parameters
    ----------
    name : str or Path
        A folder, or an id such as "facebook/encodec_24khz".
    revision : str, optional
        Branch, tag or commit on the hub.

    Returns
    -------
    folder : Path
        With ``config.json`` and weights.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, no such model, no network, or files are missing; naming them, and how to get them.
    """
    return checkpoint_folder(name, revision, _CHECKPOINT, "facebook/encodec_24khz")


def has_weights(folder: Path, patterns: tuple[str, ...]) -> bool:
    """Return whether a folder has files of one of the patterns."""
    return any(any(folder.glob(pattern)) for pattern in patterns)


def check_files(folder: Path) -> Path:
    """Return a folder that has a description and weights.

    Raises
    ------
    FileNotFoundError
        Naming what is missing.
    """
    if not (folder / "config.json").is_file():
        raise FileNotFoundError(f"{folder} has no config.json, expected a folder written by save_pretrained")
    if not has_weights(folder, ("*.safetensors", *PICKLED)):
        raise FileNotFoundError(f"{folder} has no weights (model.safetensors), expected them beside config.json")
    return folder


_CHECKPOINT = CheckpointFiles(
    check_files,
    has_weights,
    PICKLED,
    "config.json, model.safetensors, preprocessor_config.json and, to read text, the tokenizer's files",
    "The simulation's models ('mini-mulan', 'mini-ssl') need no download",
)


def kind(folder: Path) -> tuple[str | None, str]:
    """Return the ``model_type`` of a checkpoint and a description for messages.

    The first is None if its configuration has none.

    Raises
    ------
    ValueError
        If its ``config.json`` is a pointer or not JSON.
    """
    config = read_json(folder / "config.json")
    if "model_type" not in config and "mulan" in config:
        return "muq-mulan", "a MuQ-MuLan"
    classes = ", ".join(config.get("architectures") or []) or "no architecture stated"
    return config.get("model_type"), f"a checkpoint of model_type {config.get('model_type')!r} ({classes})"


def prepare(
    source: str | Path, name: str | None, revision: str | None, device: str, dtype: str, wanted: str, class_name: str
) -> tuple[Path, str, str, str]:
    """Check the arguments of a loader and download its checkpoint.

    Returns
    -------
    folder : Path
    name, device, number_format : str

    Raises
    ------
    FileNotFoundError, ValueError
        See `check_device`, `precision`, `locate`, `check_kind`.
    """
    device = check_device(device)
    number_format = precision(device, dtype)
    folder = locate(source, revision)
    name = str(name or source)
    check_kind(folder, name, wanted, class_name)
    return folder, name, device, number_format


def check_kind(folder: Path, name: str | Path, wanted: str, class_name: str) -> None:
    """Check that a folder holds a checkpoint of the ``model_type`` ``wanted``.

    Raises
    ------
    ValueError
        Saying what it is and what was expected.
    """
    model_type, description = kind(folder)
    if model_type != wanted:
        raise ValueError(
            f"{str(name)!r} is {description}, expected model_type {wanted!r} ({class_name}): pass it to "
            "features.audio.load, which picks the model by its config.json, or choose another checkpoint"
        )


def load_network(folder: Path, cls: Any, name: str | Path, device: str, **options: Any) -> Any:
    """Return a network in evaluation mode, float32, from weights only.

    Parameters
    ----------
    folder : Path
    cls : type
        Of transformers.
    name : str or Path
        Of the checkpoint, for messages.
    device : str
    **options
        Of the class, such as ``add_pooling_layer=False``.

    Raises
    ------
    FileNotFoundError, ValueError
        If weights were cut short or cannot be read, parameters are missing (anything in their place would be random
        numbers), or a pickle holds code.
    """
    check_weights(folder)
    safe = bool(list(folder.glob("*.safetensors")))
    try:
        with quiet():
            network, info = cls.from_pretrained(
                folder,
                use_safetensors=safe,
                dtype=torch.float32,
                local_files_only=True,
                output_loading_info=True,
                **options,
            )
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{str(name)!r}: pytorch_model.bin in {folder} holds more than tensors and would run code, so it is not "
            "loaded. Take a checkpoint with model.safetensors"
        ) from error
    except (SafetensorError, OSError, RuntimeError) as error:
        raise ValueError(f"{str(name)!r} cannot be read in {folder}, its weights are damaged: {error}") from error
    if missing := sorted(info["missing_keys"]):
        raise ValueError(
            f"{str(name)!r} lacks {len(missing)} parameters of {cls.__name__} ({missing[0]}, ...): the checkpoint is "
            "of another class, or not complete"
        )
    return network.eval().requires_grad_(False).to(device)


def tokenizer_of(folder: Path, name: str | Path) -> Any:
    """Return the tokenizer of a folder; see `tokenizer_files.load_tokenizer`.

    Raises
    ------
    FileNotFoundError, ValueError
        If its files are missing (transformers makes an empty tokenizer of nothing), or cannot be read.
    """
    with quiet():
        return load_tokenizer(folder, str(name))


def extractor_of(folder: Path, cls: Any, name: str) -> Any:
    """Return the feature extractor of a folder.

    Parameters
    ----------
    folder : Path
    cls : type
        Of transformers.
    name : str
        Of the checkpoint, for messages.

    Raises
    ------
    FileNotFoundError
        If nothing describes it.
    ValueError
        If its description was cut short, or lacks what transformers would replace by a default.
    """
    path = next((folder / file for file in _EXTRACTORS if (folder / file).is_file()), None)
    if path is None:
        raise FileNotFoundError(
            f"{str(name)!r} has no {' or '.join(_EXTRACTORS)}, expected it in {folder} beside the weights"
        )
    config = read_json(path)
    config = config.get("feature_extractor", {}) if path.name == _EXTRACTORS[1] else config
    if "sampling_rate" not in config:
        raise ValueError(
            f"{path} states no sampling_rate, expected one as {cls.__name__}.save_pretrained writes it: transformers "
            "would make up this and all other options; fetch the file again"
        )
    with quiet():
        return cls.from_pretrained(folder, local_files_only=True, trust_remote_code=False)


def digest(network: Any, *extra: Any) -> str:
    """Return a hash of a network's parameters, configuration and further options.

    Parameters
    ----------
    network : torch.nn.Module
    *extra
        Options, and configurations of a feature extractor or tokenizer.
    """
    config = network.config.to_dict() if hasattr(getattr(network, "config", None), "to_dict") else {}
    config = {key: value for key, value in config.items() if key not in ("_name_or_path", "transformers_version")}
    sha = hashlib.sha256(json.dumps([config, extra], sort_keys=True, default=str).encode())
    hash_parameters(sha, network)
    return sha.hexdigest()
