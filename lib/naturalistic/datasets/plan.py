"""What is to be fetched: files with their sizes and hashes, and how much of them a folder holds already."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


class RequestError(ValueError):
    """What was asked for cannot be begun; nothing was fetched or changed."""


@dataclass(frozen=True)
class RemoteFile:
    """A published file.

    Attributes
    ----------
    path : str
        Relative, with ``/``: both below the address and below the folder.
    digest : str or None
        ``"md5:..."``, ``"sha1:..."`` or ``"sha256:..."``, in hexadecimal digits; None where none was published.
    n_bytes : int or None
        Size; None where it is not known.
    group : str
        What the file belongs to, for the table of what is to be fetched.
    """

    path: str
    digest: str | None = None
    n_bytes: int | None = None
    group: str = ""


@dataclass(frozen=True)
class Plan:
    """Files to be fetched, and what is done once they are there.

    Attributes
    ----------
    name : str
    base_url : str
        Address that the paths are appended to.
    files : tuple of RemoteFile
        All with a size.
    extra_bytes : int
        Disk space that ``finish`` takes beside the files.
    is_finished : callable
        Says whether a folder already holds what ``finish`` makes: then no file is wanted.
    finish : callable
        Called with the folder and ``progress`` after the last file.
    """

    name: str
    base_url: str
    files: tuple
    extra_bytes: int = 0
    is_finished: Callable = lambda folder: False
    finish: Callable = lambda folder, progress: None


@dataclass
class Holding:
    """How much of a group of files is there; sizes in bytes."""

    n_files: int = 0
    n_bytes: int = 0
    bytes_there: int = 0


def read_files(path):
    """Return the `RemoteFile` of each line ``algorithm:hash bytes path`` of a manifest."""
    lines = [line.split(maxsplit=2) for line in Path(path).read_text(encoding="utf-8").splitlines() if line.strip()]
    return tuple(RemoteFile(name, digest, int(n_bytes)) for digest, n_bytes, name in lines)


def target_of(file, folder):
    """Return where a file goes below ``folder``.

    Raises
    ------
    RequestError
        If its path would lead out of the folder.
    """
    parts = re.split(r"[/\\]", file.path)
    if any(part in ("", ".", "..") or ":" in part for part in parts):
        raise RequestError(f"the manifest lists {file.path!r}, which is no path inside a folder")
    return Path(folder).joinpath(*parts)


def partial_of(target):
    """Return the name under which a file stands while it is not whole."""
    return target.with_name(target.name + ".part")


def bytes_there(file, folder):
    """Return how many bytes of a file are in ``folder``: all of them, those of its part, or 0; hashes not looked at."""
    target = target_of(file, folder)
    if _size(target) == file.n_bytes:
        return file.n_bytes
    part = _size(partial_of(target))
    return part if part is not None and part <= file.n_bytes else 0


def survey(plan, folder):
    """Return what is to be had and what is there, as ``{group: Holding}``; reads no file and changes nothing."""
    holdings, finished = {}, plan.is_finished(folder)
    for file in plan.files:
        there = file.n_bytes if finished else bytes_there(file, folder)
        holding = holdings.setdefault(file.group, Holding())
        holding.n_files += 1
        holding.n_bytes += file.n_bytes
        holding.bytes_there += there
    return holdings


def space_needed(plan, folder):
    """Return the bytes of disk that a plan still takes: of what is not there yet, and to finish."""
    if plan.is_finished(folder):
        return 0
    return plan.extra_bytes + sum(held.n_bytes - held.bytes_there for held in survey(plan, folder).values())


def describe(plan, folder):
    """Return a table of what is to be had, what is there (by its size) and what is still to come."""
    rows = [("", "files", "size", "there", "to fetch")]
    holdings = survey(plan, folder)
    total = Holding()
    for group, held in [*holdings.items(), ("total", total)]:
        left = held.n_bytes - held.bytes_there
        sizes = [amount(n) for n in (held.n_bytes, held.bytes_there, left)]
        rows.append((group, str(held.n_files), *sizes))
        if held is not total:
            total.n_files += held.n_files
            total.n_bytes += held.n_bytes
            total.bytes_there += held.bytes_there
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = [row[0].ljust(widths[0]) + "".join("  " + c.rjust(w) for c, w in zip(row[1:], widths[1:])) for row in rows]
    return "\n".join(lines)


def amount(n_bytes):
    """Write a number of bytes for people: ``"46.52 GB"``."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n_bytes >= size:
            return f"{n_bytes / size:.2f} {unit}"
    return f"{n_bytes} bytes"


def _size(path):
    try:
        return os.stat(path).st_size
    except OSError:
        return None
