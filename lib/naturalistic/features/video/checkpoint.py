"""Checkpoints of models of pictures and films: located, identified, and how they take their pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import CLIPImageProcessorPil

from naturalistic.features.audio import checkpoint
from naturalistic.features.devices import check_device, precision
from naturalistic.features.text.language_model import quiet
from naturalistic.hub import CheckpointFiles, checkpoint_folder
from naturalistic.intact import read_json

# the second of models that take films only, the third as of transformers 5 for a processor of several parts
_PROCESSORS = ("preprocessor_config.json", "video_preprocessor_config.json", "processor_config.json")
_PARTS = ("image_processor", "video_processor")
_NORMALIZED = ("image_mean", "image_std", "size")
_OPTIONS = ("crop_size", "do_center_crop", "do_normalize", "do_rescale", "do_resize", "resample", "rescale_factor")
_FILES = CheckpointFiles(
    checkpoint.check_files,
    checkpoint.has_weights,
    checkpoint.PICKLED,
    "config.json, model.safetensors, preprocessor_config.json and, to read text, the tokenizer's files",
    "color_layout and optical_flow need no download",
)


def locate(name: str | Path, revision: str | None = None) -> Path:
    """Return the folder of a checkpoint, downloaded if it is not in the local cache.

    Parameters
    ----------
    name : str or Path
        A folder, or an id such as "openai/clip-vit-base-patch32".
    revision : str, optional
        Branch, tag or commit on the hub.

    Returns
    -------
    folder : Path

    Raises
    ------
    FileNotFoundError
        If there is no such folder, no such model, no network, or files are missing; naming them, and how to get them.
    """
    return checkpoint_folder(name, revision, _FILES, "openai/clip-vit-base-patch32")


def prepare(
    source: str | Path, name: str | None, revision: str | None, device: str, dtype: str, types: Sequence[str]
) -> tuple[Path, str, str, str, str]:
    """Check the arguments of a loader and download its checkpoint.

    Returns
    -------
    folder : Path
    name, device, number_format, model_type : str

    Raises
    ------
    FileNotFoundError, ValueError
        Also if the checkpoint is of another ``model_type`` than one of ``types``.
    """
    device = check_device(device)
    number_format = precision(device, dtype)
    folder = locate(source, revision)
    name = str(name or source)
    model_type, description = checkpoint.kind(folder)
    if model_type not in types:
        raise ValueError(
            f"{name!r} is {description}, expected a model_type of {', '.join(types)}: pass it to features.video.load, "
            "which picks the model by its config.json, or choose another checkpoint"
        )
    return folder, name, device, number_format, str(model_type)


class Pictures:
    """Frames as a network takes them: resized, cut and normalized as the checkpoint states.

    transformers' own code for it, whatever the model: its classes for films need torchvision, and do the same steps.

    Parameters
    ----------
    folder : Path
    name : str
        Of the checkpoint, for messages.
    size : int
        Pixels of a side that the network takes.

    Raises
    ------
    FileNotFoundError
        If nothing states the steps.
    ValueError
        If the file lacks one, or makes pictures of another size.
    """

    def __init__(self, folder: Path, name: str, size: int) -> None:
        path, config = _read_steps(folder, name)
        if missing := [key for key in _NORMALIZED if key not in config]:
            raise ValueError(
                f"{path} states no {', '.join(missing)}, expected them as a processor's save_pretrained writes them: "
                "transformers would make them up; fetch the file again"
            )
        self.options = {key: config[key] for key in (*_NORMALIZED, *_OPTIONS) if config.get(key) is not None}
        self.options.setdefault("do_center_crop", "crop_size" in self.options)
        with quiet():
            self.processor = CLIPImageProcessorPil(**self.options)
        shape = self(np.zeros((1, size, size + 7, 3), np.uint8)).shape[2:]
        if shape != (size, size):
            raise ValueError(
                f"{path} makes pictures of {shape[0]} x {shape[1]} pixels, and the network of {name!r} takes "
                f"{size} x {size}: not one checkpoint"
            )

    def __call__(self, frames: NDArray[np.uint8]) -> torch.Tensor:
        """Return frames (n, height, width, 3) as float32 tensor (n, 3, size, size)."""
        pixels = self.processor(list(frames), return_tensors="np", input_data_format="channels_last")["pixel_values"]
        return torch.from_numpy(np.asarray(pixels, np.float32))


def _read_steps(folder: Path, name: str) -> tuple[Path, dict[str, Any]]:
    """Return the file that states the steps, and what it states."""
    path = next((folder / file for file in _PROCESSORS if (folder / file).is_file()), None)
    if path is None:
        raise FileNotFoundError(f"{name!r} has no {_PROCESSORS[0]}, expected it in {folder} beside the weights")
    config = read_json(path)
    part = next((config[part] for part in _PARTS if isinstance(config.get(part), dict)), config)
    return path, part
