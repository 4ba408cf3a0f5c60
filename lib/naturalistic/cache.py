"""Folders that are written to: the cache, its content keys, whole-or-absent writes, locks between processes, room.

All files of the library that something reads again are written here: under another name in the same folder, which
becomes their own when the last byte is there. Stopped, or on a full disk, no half of a file stands under its name.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the command line imports this module, and must answer at once
    import joblib
    from numpy.typing import NDArray

try:
    import fcntl
except ImportError:  # Windows has no such lock; two processes at work in one folder are the user's care there
    fcntl = None

MARGIN = 200_000_000  # bytes left free on the disk


class RequestError(ValueError):
    """A request that cannot be begun; nothing was downloaded or changed."""


def cache_dir() -> Path:
    """Return the folder for downloads and caches: ``$NATURALISTIC_CACHE``, or the user's cache folder."""
    folder = os.environ.get("NATURALISTIC_CACHE")
    if folder:
        return Path(folder).expanduser()
    import pooch  # half a second to import

    return Path(pooch.os_cache("naturalistic"))


def memory(name: str) -> joblib.Memory:
    """Return the `joblib.Memory` called ``name`` inside `cache_dir` (created when something is first stored)."""
    import joblib

    return joblib.Memory(cache_dir() / name, verbose=0)


def content_key(*parts: Any) -> str:
    """Return the SHA-256 of ``parts`` (arrays by their type, shape and bytes, others by their ``repr``), in hex."""
    import numpy as np

    sha = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            sha.update(f"{part.dtype} {part.shape}\n".encode())
            sha.update(np.ascontiguousarray(part))
        else:
            sha.update(f"{part!r}\n".encode())
    return sha.hexdigest()


def read_array(folder: str, key: str, shape: Sequence[int] | None) -> NDArray | None:
    """Return the array cached under ``key``, or None if there is none of this (or any) shape that can be read."""
    import numpy as np

    try:
        array = np.load(_array_path(folder, key), allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return array if shape is None or array.shape == tuple(shape) else None


def write_array(folder: str, key: str, array: NDArray) -> None:
    """Cache ``array`` under ``key``: a reader sees all of it or nothing."""
    import numpy as np

    with whole_or_absent(_array_path(folder, key)) as part, open(part, "wb") as file:
        np.save(file, array, allow_pickle=False)


def _array_path(folder: str, key: str) -> Path:
    return cache_dir() / folder / key[:2] / f"{key}.npy"


@contextlib.contextmanager
def whole_or_absent(target: Path | str, part: Path | None = None) -> Iterator[Path]:
    """Yield a path beside ``target`` that takes its name at the end; on an error nothing is left of it.

    Parameters
    ----------
    target : Path or str
        File or folder; its parent is made if it is not there. A file that is there is replaced, a folder is not.
    part : Path, optional
        Name until then, in the same folder; one that no other process uses by default. A fixed name is for what is
        large and written under a lock: a process that is killed leaves it, and the next one overwrites it.

    Yields
    ------
    part : Path
        For the caller to write: a file, or a folder that the caller makes.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = part or target.with_name(f".{target.name}.{uuid.uuid4().hex[:12]}.part")
    try:
        yield part
        put_in_place(part, target)
    except BaseException:
        remove(part)
        raise


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield a new folder for files that nothing reads later; it is gone when the block ends."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def put_in_place(part: Path | str, target: Path | str) -> None:
    """Give a finished file or folder its name, in one step; for parts that are kept to go on from after an error."""
    os.replace(part, target)


def remove(path: Path) -> None:
    """Remove a file or a folder with all that is in it, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def write_text(path: Path | str, text: str) -> None:
    """Write a text file in UTF-8, whole or not at all."""
    with whole_or_absent(path) as part:
        part.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Make ``folder`` if it is not there, check that it can be written, and keep other processes out meanwhile.

    Two at once would write into the same parts. The lock leaves no file, and ends with its process.

    Raises
    ------
    RequestError
        If the folder cannot be written, or another process is at work in it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise RequestError(f"{folder} cannot be written to ({error.strerror}); choose another folder") from error
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RequestError(f"another process is at work in {folder}; wait for it, or stop it") from error
        except OSError:  # some network disks have no locks
            pass
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Wait until no other process is in such a block for the same folder, which need not be writable; then enter.

    Where the system or the disk has no locks, nobody waits.
    """
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network disks have no locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def free_bytes(folder: Path | str) -> int:
    """Return the free bytes of the disk that has, or would have, ``folder``."""
    return shutil.disk_usage(_nearest(folder)).free


def check_room(folder: Path | str, n_bytes: int) -> None:
    """Compare the bytes still needed, and a `MARGIN`, with the free disk.

    Raises
    ------
    RequestError
        With both numbers.
    """
    free = free_bytes(folder)
    if n_bytes and n_bytes + MARGIN > free:
        raise RequestError(
            f"the disk of {folder} has {format_bytes(free)} free, but {format_bytes(n_bytes)} are still needed, "
            f"and {format_bytes(MARGIN)} to spare; free some space, choose another folder, or ask for less"
        )


def check_folder(folder: Path | str) -> None:
    """Check that ``folder`` is, or could be, a folder; write nothing.

    Raises
    ------
    RequestError
    """
    nearest = _nearest(folder)
    if not nearest.is_dir():
        raise RequestError(f"{nearest} is a file; expected a folder to write to")


def check_writable(folder: Path | str) -> None:
    """Check that files can be written to ``folder``, which need not be there yet; leave nothing behind.

    Raises
    ------
    RequestError
    """
    check_folder(folder)
    nearest = _nearest(folder)
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        raise RequestError(f"{nearest} cannot be written to ({error.strerror}); choose another folder") from error


def format_bytes(n_bytes: int) -> str:
    """Return a number of bytes as text for people: ``"46.52 GB"``."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n_bytes >= size:
            return f"{n_bytes / size:.2f} {unit}"
    return f"{n_bytes} bytes"


def _nearest(folder: Path | str) -> Path:
    """Return the folder itself or the nearest of its parents that is there."""
    folder = Path(folder).absolute()
    return next(path for path in (folder, *folder.parents) if os.path.lexists(path))
