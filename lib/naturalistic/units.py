"""Units of work: calls of plain functions whose arguments and results travel as files of a shared folder.

A unit is told apart by a content key: of the function, its arguments and the code of this library. Its result is a
file under that key, whole or absent, so that what was stopped goes on and nothing is computed twice. `cluster` gives
units to workers; this module is what a worker does with one.
"""

import functools
import hashlib
import inspect
import platform
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray

from naturalistic.cache import content_key, whole_or_absent
from naturalistic.intact import open_arrays
from naturalistic.simulated import PACKAGE

Result = dict[str, NDArray]
ARRAYS = "arrays"  # folders inside the shared one
RESULTS = "results"
TOKEN = ".naturalistic-shared"
SMALL = 65536  # bytes: smaller arrays travel with the call
_BLOCK = 1 << 26  # bytes hashed at once


class UnitError(RuntimeError):
    """A unit that cannot be worked on, or a worker that cannot work on it."""


@dataclass(frozen=True)
class StoredArray:
    """An array in the shared folder, opened by workers as a memory map.

    Attributes
    ----------
    name : str
        File inside the folder ``arrays``: the SHA-256 of type, shape and content.
    """

    name: str

    def path(self, folder: Path) -> Path:
        """Return the file of the array in a shared folder."""
        return folder / ARRAYS / self.name[:2] / f"{self.name}.npy"


@dataclass(frozen=True)
class Unit:
    """One call, as it is sent to a worker.

    Attributes
    ----------
    function : callable
        Of keyword arguments; returns a dict of arrays, numbers and text by name.
    arguments : dict
        With `StoredArray` in place of each large array.
    key : str
        Content key of the two and of the library's code.
    """

    function: Callable[..., Mapping[str, Any]]
    arguments: dict[str, Any]
    key: str

    @property
    def name(self) -> str:
        """Return the function's name and the beginning of the key."""
        return f"{getattr(self.function, '__name__', 'unit')}-{self.key[:16]}"

    def path(self, folder: Path) -> Path:
        """Return the file of the result in a shared folder."""
        return folder / RESULTS / self.key[:2] / f"{self.key}.npz"


@dataclass(frozen=True)
class Requirements:
    """Properties that a worker shares with the process that sends it work.

    Attributes
    ----------
    token : str
        Content of a small file in the shared folder: a worker that reads it sees the same folder.
    versions : dict of str to str
        Of Python, numpy and this library's code.
    """

    token: str
    versions: dict[str, str]


def make_unit(function: Callable[..., Mapping[str, Any]], arguments: Mapping[str, Any], folder: Path) -> Unit:
    """Return the unit of a call, after its large arrays were stored in the shared folder.

    Parameters
    ----------
    function : callable
        Of keyword arguments.
    arguments : dict
        Arrays may stand in them, also inside lists and dicts; all else is pickled, and hashed for the key.
    folder : Path
        Shared folder.

    Returns
    -------
    unit : Unit
    """
    stored = {name: _store(value, folder) for name, value in arguments.items()}
    described = sorted((name, joblib.hash(value)) for name, value in stored.items())
    return Unit(function, stored, content_key(_describe(function), library_code(), described))


def run_unit(unit: Unit, folder: Path, requirements: Requirements | None = None) -> str:
    """Work on a unit, write its result and return its key; a result that is there stays as it is.

    Parameters
    ----------
    unit : Unit
    folder : Path
        Shared folder.
    requirements : Requirements, optional
        Checked first where the caller is another process.

    Returns
    -------
    key : str

    Raises
    ------
    UnitError
        If this process does not see the folder, has other versions, or the function returns no dict.
    OSError
        If the result cannot be written; nothing of it stays.
    """
    folder = Path(folder)
    if requirements is not None:
        check_worker(folder, requirements)
    if read_result(unit, folder) is None:
        arguments = {name: _open(value, folder) for name, value in unit.arguments.items()}
        write_result(unit, folder, unit.function(**arguments))
    return unit.key


def read_result(unit: Unit, folder: Path) -> Result | None:
    """Return the arrays of a unit's result, or None if there is none that can be read."""
    try:
        return open_arrays(unit.path(folder))
    except (FileNotFoundError, ValueError):
        return None


def write_result(unit: Unit, folder: Path, values: Mapping[str, Any]) -> None:
    """Write a unit's result, whole or not at all.

    Raises
    ------
    UnitError
        If ``values`` is not a dict of arrays, numbers and text.
    """
    arrays = as_result(unit, values)
    with whole_or_absent(unit.path(folder)) as part, open(part, "wb") as file:
        np.savez(file, **arrays)


def as_result(unit: Unit, values: Mapping[str, Any]) -> Result:
    """Return what a function returned as a dict of arrays.

    Raises
    ------
    UnitError
        If it is something else, such as a list or an array of objects.
    """
    expected = "expected a dict of arrays, numbers and text by name"
    if not isinstance(values, Mapping):
        raise UnitError(f"{unit.name} returned {type(values).__name__}, {expected}")
    arrays = {name: np.asarray(value) for name, value in values.items()}
    objects = [name for name, array in arrays.items() if array.dtype.hasobject]
    if objects:
        raise UnitError(f"{unit.name} returned objects as {', '.join(objects)}, {expected}")
    return arrays


def requirements_of(folder: Path) -> Requirements:
    """Return what workers are held against, and mark the shared folder with its token."""
    path = folder / TOKEN
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with whole_or_absent(path) as part:
            part.write_text(hashlib.sha256(f"{socket.gethostname()} {path}".encode()).hexdigest(), encoding="ascii")
    return Requirements(path.read_text(encoding="ascii"), versions())


def check_worker(folder: Path, requirements: Requirements) -> None:
    """Check that this process sees the shared folder and has the same versions.

    Raises
    ------
    UnitError
        Naming the machine, the folder, and what differs.
    """
    machine = socket.gethostname()
    path = folder / TOKEN
    token = path.read_text(encoding="ascii") if path.is_file() else None
    if token != requirements.token:
        problem = "is another folder there" if token else "is not there"
        raise UnitError(
            f"worker on {machine}: the shared folder {folder} {problem}; name a folder that all machines see under "
            "the same path, such as one of the home directory, by NATURALISTIC_CACHE or folder="
        )
    own = versions()
    differ = [
        f"{name} {own[name]} (here {there})" for name, there in requirements.versions.items() if own[name] != there
    ]
    if differ:
        raise UnitError(f"worker on {machine} has {', '.join(differ)}; start workers from the same environment")


def versions() -> dict[str, str]:
    """Return the versions that decide on a result: Python, numpy, and this library by its code."""
    return {"Python": platform.python_version(), "numpy": np.__version__, "naturalistic": library_code()[:12]}


@functools.cache
def library_code() -> str:
    """Return a hash of the code of both packages."""
    sha = hashlib.sha256()
    library = Path(__file__).parent
    for package in (library, library.with_name(PACKAGE)):
        for path in sorted(package.rglob("*.py")):
            sha.update(path.read_bytes())
    return sha.hexdigest()


def _describe(function: Callable) -> str:
    """Return the name of a function, with its text where it is none of this library."""
    name = f"{function.__module__}.{function.__qualname__}"
    if function.__module__.split(".")[0] in ("naturalistic", PACKAGE):
        return name
    try:
        return f"{name}\n{inspect.getsource(function)}"
    except (OSError, TypeError):
        return name


def _store(value: Any, folder: Path) -> Any:
    """Return a value with its large arrays in the shared folder."""
    if isinstance(value, np.ndarray) and value.nbytes > SMALL and not value.dtype.hasobject:
        return _store_array(value, folder)
    if isinstance(value, dict):
        return {name: _store(x, folder) for name, x in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_store(x, folder) for x in value)
    return value


def _store_array(array: NDArray, folder: Path) -> StoredArray:
    """Write an array under the hash of its content, unless it is there."""
    sha = hashlib.sha256(f"{array.dtype.str} {array.shape}\n".encode())
    n_rows = max(1, _BLOCK * len(array) // array.nbytes)
    for start in range(0, len(array), n_rows):  # of a memory map, a block at a time
        sha.update(np.ascontiguousarray(array[start : start + n_rows]))
    stored = StoredArray(sha.hexdigest())
    path = stored.path(folder)
    if not path.is_file():
        with whole_or_absent(path) as part, open(part, "wb") as file:
            np.save(file, array, allow_pickle=False)
    return stored


def _open(value: Any, folder: Path) -> Any:
    """Return a value with its stored arrays as memory maps."""
    if isinstance(value, StoredArray):
        return np.load(value.path(folder), mmap_mode="r", allow_pickle=False)
    if isinstance(value, dict):
        return {name: _open(x, folder) for name, x in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_open(x, folder) for x in value)
    return value
