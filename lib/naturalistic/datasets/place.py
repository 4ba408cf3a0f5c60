"""The folder that files are fetched to: it can be written, has room, and nobody else fetches to it now."""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from naturalistic.datasets.plan import RequestError, amount

try:
    import fcntl
except ImportError:  # Windows has no such lock; two fetches to one folder are the user's care there
    fcntl = None

MARGIN = 200_000_000  # bytes left free on the disk


def free_bytes(folder):
    """Return the free bytes of the disk on which ``folder`` is, or would be made."""
    return shutil.disk_usage(_nearest(folder)).free


def check_room(folder, n_bytes):
    """Compare the bytes still needed, and a `MARGIN`, with the free disk.

    Raises
    ------
    RequestError
        With both numbers.
    """
    free = free_bytes(folder)
    if n_bytes and n_bytes + MARGIN > free:
        raise RequestError(
            f"the disk of {folder} has {amount(free)} free, but {amount(n_bytes)} are still needed, "
            f"and {amount(MARGIN)} to spare; free some space, choose another folder, or fetch less"
        )


def check_folder(folder):
    """Look whether ``folder`` can be a folder; makes nothing.

    Raises
    ------
    RequestError
    """
    nearest = _nearest(folder)
    if not nearest.is_dir():
        raise RequestError(f"{nearest} is a file; expected a folder to fetch to")


def check_writable(folder):
    """Look whether files can be written to ``folder``, or to where it would be made; leaves nothing behind.

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


@contextlib.contextmanager
def claimed(folder):
    """Make ``folder`` if it is not there, see that it can be written, and keep other fetches out of it meanwhile.

    Two at once would write into the same parts.

    Raises
    ------
    RequestError
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


def _nearest(folder):
    """Return the folder itself or the nearest of its parents that is there."""
    folder = Path(folder).absolute()
    return next(path for path in (folder, *folder.parents) if os.path.lexists(path))
