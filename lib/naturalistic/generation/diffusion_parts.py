"""Parts of diffusers' checkpoints: networks and schedulers, each loaded and checked by itself.

A pipeline's own loader fills gaps in the weights with random numbers and a warning; here a gap is an error.
"""

import contextlib
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from safetensors import SafetensorError

from naturalistic.features.text.language_model import quiet
from naturalistic.features.weight_files import check_weights
from naturalistic.intact import read_json


def import_diffusers(wanted: str) -> ModuleType:
    """Return the module diffusers.

    Raises
    ------
    ImportError
        If it is not installed; ``wanted`` is what needs it.
    """
    try:
        return importlib.import_module("diffusers")
    except ImportError as error:
        raise ImportError(
            f"{wanted} needs diffusers, which is not installed: pip install 'naturalistic[generate]'"
        ) from error


@contextlib.contextmanager
def quiet_diffusers() -> Iterator[None]:
    """Keep diffusers and transformers from writing notes while a pipeline is put together."""
    logging = importlib.import_module("diffusers.utils.logging")
    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        with quiet():
            yield
    finally:
        logging.set_verbosity(before)


def load_diffusion_network(
    folder: Path, network_class: Any, name: str, dtype: torch.dtype, *, only_safetensors: bool = False
) -> Any:
    """Return a network of diffusers in evaluation mode; raise an error where its loader would only warn.

    Parameters
    ----------
    folder : Path
    network_class : type
        Of diffusers.
    name : str
        For messages.
    dtype : torch.dtype
    only_safetensors : bool
        Refuse pickles; else they are read as tensors alone.

    Raises
    ------
    FileNotFoundError, ValueError
        If weights are missing, were cut short or cannot be read, or lack parameters.
    """
    check_weights(folder)
    safe = {"use_safetensors": True} if only_safetensors else {}
    try:
        with quiet():
            network, info = network_class.from_pretrained(
                folder,
                local_files_only=True,
                low_cpu_mem_usage=False,
                torch_dtype=dtype,
                output_loading_info=True,
                **safe,
            )
    except (SafetensorError, OSError, RuntimeError) as error:
        raise ValueError(f"{name!r} cannot be read in {folder}, its weights are missing or damaged: {error}") from error
    if missing := sorted(info["missing_keys"]):
        raise ValueError(
            f"{name!r} lacks {len(missing)} parameters of {network_class.__name__} ({missing[0]}, ...): the checkpoint "
            "is of another class, or not complete"
        )
    return network.eval().requires_grad_(False)


def load_scheduler(diffusers: ModuleType, folder: Path, name: str) -> Any:
    """Return the scheduler that a folder names, if it is one of diffusers.

    Raises
    ------
    FileNotFoundError, ValueError
        If nothing names it, or it is none of diffusers.
    """
    path = folder / "scheduler_config.json"
    if not path.is_file():
        raise FileNotFoundError(f"{name!r} has no scheduler_config.json, expected it in {folder}")
    class_name = read_json(path).get("_class_name", "")
    scheduler_class = getattr(diffusers, class_name, None) if class_name.endswith("Scheduler") else None
    if not inspect.isclass(scheduler_class):
        raise ValueError(f"{name!r} has the scheduler {class_name!r}, expected one of diffusers, such as DDIMScheduler")
    return scheduler_class.from_pretrained(folder, local_files_only=True)
