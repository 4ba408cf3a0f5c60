"""Files of weights: which ones a checkpoint is read from, and whether they are whole."""

import shlex
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from naturalistic.intact import check_whole, read_json

# as transformers and diffusers call them; a checkpoint in shards has an index of these in their place
_NAMES = ("model.safetensors", "diffusion_pytorch_model.safetensors")
_DESCRIPTIONS = ("config.json", "generation_config.json", "preprocessor_config.json", "processor_config.json")


def check_weights(folder: Path) -> None:
    """Check the weights of a checkpoint, and what describes them, before they are read.

    Only what is read is looked at: a pickle that was left a pointer beside whole safetensors harms nobody.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    FileNotFoundError, ValueError
        If a shard is missing, or a file is a pointer, was cut short or is damaged; naming it.
    """
    for file in _DESCRIPTIONS:
        if (folder / file).is_file():
            check_whole(folder / file)
    for path in _weights_read(folder):
        check_whole(path, "fetch it again, as all files beside config.json")


def _weights_read(folder: Path) -> list[Path]:
    """Return the files that weights come from."""
    for name in _NAMES:
        if (folder / name).is_file():
            return [folder / name]
        index = folder / f"{name}.index.json"
        if index.is_file():
            return [folder / shard for shard in sorted(set(read_json(index).get("weight_map", {}).values()))]
    return sorted(folder.glob("*.safetensors")) or sorted(folder.glob("*.bin"))


def read_weights(path: str | Path, train: str) -> dict[str, torch.Tensor]:
    """Return the tensors of a safetensors file, by name.

    Parameters
    ----------
    path : str or Path
    train : str
        Name of the model in ``naturalistic train``, for messages.

    Raises
    ------
    FileNotFoundError, ValueError
        If it is not there, is a pointer, was cut short, or is no safetensors file; naming it.
    """
    command = f"naturalistic train {train} --to {shlex.quote(str(path))}"
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path} is not there: expected weights from {command}")
    check_whole(path, f"fetch it again, or train it again ({command})")
    try:
        return load_file(str(path))
    except SafetensorError as error:
        raise ValueError(f"{path} cannot be read as safetensors: {error}") from error
