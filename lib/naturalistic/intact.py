"""Checks that files are whole: not cut short, and no pointer that Git LFS or git-annex left in a file's place."""

import json
import math
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from naturalistic.text_files import read_text

AGAIN = "fetch it again"
_LFS = b"version https://git-lfs.github.com/spec/"
_ANNEX = b"/annex/objects/"
_LONGEST_HEADER = 100_000_000  # bytes, the limit of the format safetensors
_ZIPPED = (".npz", ".bin", ".pt", ".pth")  # torch.save writes zip archives; before 2020 it wrote bare pickles

_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def check_whole(path: Path | str, advice: str = AGAIN) -> None:
    """Check a file by its first bytes, its size and, where its format has one, its table of contents.

    Parameters
    ----------
    path : str or Path
    advice : str
        What to do about a damaged file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        Naming the file, what is wrong and the advice.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there; {advice}")
    if found := _problem(path):
        raise ValueError(f"{path} {found}; {advice}")


def _problem(path: Path) -> str | None:
    """Return what is wrong with a file, None if nothing is."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        head = file.read(1024)
    if head.startswith(_LFS):
        return "is a Git LFS pointer, not the file itself (`git lfs pull` replaces it)"
    if size < 1024 and _ANNEX in head:
        return "is a git-annex pointer, not the file itself (`git annex get` replaces it)"
    if not size:
        return "is empty: it was cut short"
    if path.suffix == ".safetensors":
        return _safetensors_problem(path, size)
    if path.suffix in _ZIPPED and head.startswith(b"PK") and not zipfile.is_zipfile(path):
        return f"was cut short: its {size:,} bytes end without a table of contents"
    if path.suffix == ".npy":
        return _array_problem(path, size)
    if path.suffix == ".json":
        return _json_problem(path)
    return None


def _safetensors_problem(path: Path, size: int) -> str | None:
    """Compare the size of a safetensors file with the one that its header states."""
    if size < 8:
        return f"was cut short: it has {size} bytes"
    with open(path, "rb") as file:
        (n_header,) = struct.unpack("<Q", file.read(8))
        if n_header > _LONGEST_HEADER:
            return "is no safetensors file"
        if n_header + 8 > size:
            return f"was cut short: it has {size:,} bytes, and its header alone has {n_header + 8:,}"
        try:
            header = json.loads(file.read(n_header))
            ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        except (ValueError, KeyError, IndexError, TypeError, AttributeError):
            return "is no safetensors file: its header cannot be read"
    expected = 8 + n_header + max(ends, default=0)
    if size < expected:
        return f"was cut short: it has {size:,} of {expected:,} bytes"
    return None if size == expected else f"is damaged: it has {size:,} bytes, expected {expected:,}"


def _array_problem(path: Path, size: int) -> str | None:
    """Compare the size of an array file with that of its array; a map to be written to would fill it with zeros."""
    try:
        with open(path, "rb") as file:
            version = np.lib.format.read_magic(file)
            shape, _, dtype = _HEADERS[version](file)
            expected = file.tell() + math.prod(shape) * dtype.itemsize
    except (ValueError, EOFError, KeyError) as error:
        return f"was cut short or is no array file ({error})"
    return f"was cut short: it has {size:,} of {expected:,} bytes" if size < expected else None


def _json_problem(path: Path) -> str | None:
    text = read_text(path)
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return f"is not JSON: {error}; it may have been cut short"
    return None


def read_json(path: Path | str, advice: str = AGAIN) -> Any:
    """Return the content of a JSON file, in one of the encodings of `text_files.read_text`.

    Raises
    ------
    FileNotFoundError, ValueError
        See `check_whole`.
    """
    path = Path(path)
    check_whole(path, advice)
    if path.suffix != ".json" and (problem := _json_problem(path)):
        raise ValueError(f"{path} {problem}; {advice}")
    return json.loads(read_text(path))


def open_array(path: Path | str, advice: str = AGAIN, mmap_mode: str | None = None) -> NDArray:
    """Return the array of an ``.npy`` file, or a memory map of it.

    Raises
    ------
    FileNotFoundError, ValueError
        If it is not there, or was cut short or is no array file; with the advice.
    """
    check_whole(path, advice)
    try:
        if mmap_mode == "r+":
            return np.lib.format.open_memmap(path, mode=mmap_mode)
        return np.load(path, mmap_mode=mmap_mode, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(f"{path} was cut short or is no array file ({error}); {advice}") from error


def open_arrays(path: Path | str, advice: str = AGAIN) -> dict[str, NDArray]:
    """Return the arrays of an ``.npz`` file by name.

    Raises
    ------
    FileNotFoundError, ValueError
        If it is not there, or was cut short or is no archive of arrays; with the advice.
    """
    check_whole(path, advice)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except (ValueError, EOFError, OSError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} was cut short or is no archive of arrays ({error}); {advice}") from error
