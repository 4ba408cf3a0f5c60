"""Cache of arrays by content, one file each, written whole or not at all."""

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from naturalistic.cache import cache_dir


def key(*parts: Any) -> str:
    """Return the SHA-256 of ``parts``, in hex.

    Arrays count by type, shape and bytes, other values by their ``repr``.
    """
    sha = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            sha.update(f"{part.dtype} {part.shape}\n".encode())
            sha.update(np.ascontiguousarray(part))
        else:
            sha.update(f"{part!r}\n".encode())
    return sha.hexdigest()


def _path(folder: str, name: str) -> Path:
    return cache_dir() / folder / name[:2] / f"{name}.npy"


def read(folder: str, name: str, shape: tuple[int, ...]) -> NDArray | None:
    """Return the array stored as ``name``, or None without a readable one."""
    try:
        array = np.load(_path(folder, name), allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return array if array.shape == tuple(shape) else None


def write(folder: str, name: str, array: NDArray) -> None:
    """Keep ``array`` as ``name``: a reader sees all of it or nothing."""
    path = _path(folder, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            np.save(file, array, allow_pickle=False)
        os.replace(part, path)
    except BaseException:
        os.unlink(part)
        raise
