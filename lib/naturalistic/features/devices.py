"""Device, number format and batch size of a network."""

import contextlib
from contextlib import AbstractContextManager

import torch

from naturalistic.models.engine.device import free_memory
from naturalistic.parameters import whole


def check_device(device: str) -> str:
    """Return a device as text.

    Raises
    ------
    ValueError
        If there is none of that name, or it is a GPU that is not here.
    """
    try:
        requested = torch.device(device)
    except (RuntimeError, TypeError):
        raise ValueError(f"device is {device!r}, expected 'cpu' or 'cuda'") from None
    if requested.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device is {device!r}, but torch {torch.__version__} sees no GPU: pass device='cpu'")
    if requested.type == "cuda" and (requested.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"device is {device!r}, but torch finds {torch.cuda.device_count()} GPU(s), counted from 0")
    return str(device)


def precision(device: str, dtype: str = "auto") -> str:
    """Return the number format of a forward pass.

    "float32", or "float16" (autocast), which only a GPU runs.

    Raises
    ------
    ValueError
        If ``dtype`` is neither of them nor "auto", or is float16 on a CPU.
    """
    if dtype not in ("auto", "float32", "float16"):
        raise ValueError(f"dtype is {dtype!r}, expected 'auto', 'float32' or 'float16'")
    gpu = torch.device(device).type == "cuda"
    if dtype == "float16" and not gpu:
        raise ValueError(f"dtype is 'float16' on device {device!r}, expected a GPU: pass device='cuda' or 'float32'")
    return "float16" if gpu and dtype != "float32" else "float32"


def running(device: str, number_format: str) -> AbstractContextManager:
    """Return a context in which a forward pass has the given number format."""
    if number_format == "float16":
        return torch.autocast(torch.device(device).type, torch.float16)
    return contextlib.nullcontext()


def batch(batch_size: int | None, device: str, on_cpu: int, on_gpu: int) -> int:
    """Return the given batch size, or else the default of the device."""
    if batch_size is not None:
        return whole("batch_size", batch_size)
    return on_cpu if torch.device(device).type == "cpu" else on_gpu


def fitting_batch(batch_size: int | None, device: str, n_bytes: int, on_cpu: int, on_gpu: int) -> int:
    """Return the given batch size, or else the default of the device, fewer where memory is short.

    Parameters
    ----------
    batch_size : int, optional
    device : str
    n_bytes : int
        Working memory of one item; a quarter of the free memory is filled at most.
    on_cpu, on_gpu : int
        Defaults.
    """
    if batch_size is not None:
        return whole("batch_size", batch_size)
    fitting = free_memory(torch.device(device)) // 4 // max(1, n_bytes)
    return int(max(1, min(batch(None, device, on_cpu, on_gpu), fitting)))
