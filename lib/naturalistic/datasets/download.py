"""Downloads of published files: each whole and compared with its checksum, or absent under its name.

Checksums are pooch's; transfers are our own, on requests. pooch 1.9 begins a file anew when a connection breaks, and
has no second try, no way to stop and no second file at a time: with scans of 0.5 GB in sets of 46 and 282 GB, each of
them counts. Its processors unpack what an archive holds into its place; ours (`gtzan`, `fma`) take the tracks alone,
and give the folder its name when the last one is there.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from naturalistic.cache import RequestError, put_in_place, whole_or_absent

CHUNK = 1 << 16  # bytes
DISK_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
NOTE = ".naturalistic-verified.json"
_LATER = {408, 425, 429}  # answers that a later try may not get, beside all 5xx


class DownloadError(OSError):
    """A file could not be downloaded; what arrived before it is kept and is not downloaded again."""


class FileRefusedError(DownloadError):
    """One file is not available as it was published; others may be."""


class DownloadStoppedError(DownloadError):
    """The transfer was stopped by its caller."""


class _BrokenTransferError(Exception):  # the connection or the server failed; a later try may go on from here
    pass


class _ContentDiffersError(Exception):  # what came is not the published file
    pass


@dataclass(frozen=True)
class RemoteFile:
    """A published file.

    Attributes
    ----------
    path, remote_path : str
        Relative, with ``/``: below the folder, and below the address (there ``path`` too, if it is empty).
    digest : str or None
        ``"md5:..."``, ``"sha1:..."`` or ``"sha256:..."``, in hexadecimal digits; None where none was published.
    n_bytes : int or None
        Size; None where it is not known.
    group : str
        What the file belongs to, for the table of what is to be downloaded.
    """

    path: str
    digest: str | None = None
    n_bytes: int | None = None
    group: str = ""
    remote_path: str = ""


@dataclass(frozen=True)
class DownloadPlan:
    """Files to be downloaded, and what is done once they are there.

    Attributes
    ----------
    name, base_url : str
        The paths are appended to the address.
    files : tuple of RemoteFile
        All with a size.
    extra_bytes : int
        Disk space that ``finish`` takes beside the files.
    is_finished, finish : callable
        Whether a folder already holds what ``finish`` makes: then no file is needed. ``finish`` is called with the
        folder and ``progress`` after the last file.
    """

    name: str
    base_url: str
    files: tuple[RemoteFile, ...]
    extra_bytes: int = 0
    is_finished: Callable[[Path], bool] = lambda folder: False
    finish: Callable[[Path, bool], None] = lambda folder, progress: None


@dataclass(frozen=True)
class TransferOptions:
    """Options of a transfer."""

    timeout: float = 30.0  # seconds without a byte after which a connection is given up
    n_tries: int = 5  # failures in a row after which a file is given up; bytes in between start the count anew
    pause: float = 1.0  # seconds before the second try; doubled before each further one, up to a minute
    # called with the bytes that came since the last call (negative where some had to be thrown away)
    count: Callable[[int], Any] = lambda n_bytes: None
    report: Callable[[str], Any] = lambda line: None  # called with what went wrong and is tried again
    # once set, transfers end with `DownloadStoppedError` and leave their parts
    stop: threading.Event = field(default_factory=threading.Event)


class VerifiedFiles:
    """A note of the files whose checksums were compared, so that 46 GB are not hashed again.

    A file that has changed in size or time since then is no longer in it.

    Parameters
    ----------
    folder : str or Path
        The note is read from it where there is one; one that cannot be read counts as empty.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self._lock = threading.Lock()
        try:
            noted = json.loads((self.folder / NOTE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            noted = {}
        self._noted = noted if isinstance(noted, dict) else {}

    def holds(self, file: RemoteFile, target: Path) -> bool:
        """Return whether ``target`` was noted as this `RemoteFile` and has not changed since."""
        stamp = self._stamp(file, target)
        return stamp is not None and self._noted.get(file.path) == stamp

    def add(self, file: RemoteFile, target: Path) -> None:
        """Note that ``target`` is this `RemoteFile`; the note is replaced whole or not at all."""
        with self._lock:
            self._noted[file.path] = self._stamp(file, target)
            with contextlib.suppress(OSError):  # without the note the file is hashed again, no more
                with whole_or_absent(self.folder / NOTE, self.folder / (NOTE + ".new")) as new:
                    new.write_text(json.dumps(self._noted, indent=0), encoding="utf-8")

    @staticmethod
    def _stamp(file: RemoteFile, target: Path) -> list | None:
        try:
            status = os.stat(target)
        except OSError:
            return None
        return [status.st_size, status.st_mtime_ns, file.digest] if status.st_size == file.n_bytes else None


def target_of(file: RemoteFile, folder: Path | str) -> Path:
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


def bytes_present(file: RemoteFile, folder: Path | str) -> int:
    """Return how many bytes of a file are in ``folder``, those of its part included; checksums are not compared."""
    target = target_of(file, folder)
    if _size(target) == file.n_bytes:
        return file.n_bytes
    part = _size(_part_of(target))
    return part if part <= file.n_bytes else 0


def is_whole(path: Path, file: RemoteFile) -> bool:
    """Return whether ``path`` has the published size and checksum; reads all of it if it has one."""
    if not path.is_file() or file.n_bytes not in (None, path.stat().st_size):
        return False
    if file.digest is None:
        return True
    import pooch  # half a second to import, as is requests

    algorithm, digest = file.digest.split(":")
    return pooch.file_hash(str(path), alg=algorithm) == digest


def transfer(file: RemoteFile, url: str, target: Path, part: Path, options: TransferOptions) -> None:
    """Download one file to ``target``, going on from ``part`` if that is there.

    Broken connections, silence and the answers 5xx, 408, 425 and 429 are tried again after a pause, from the byte
    that was reached. What has another size or checksum than published is deleted and downloaded once more.

    Parameters
    ----------
    file : RemoteFile
        With a digest or a size; without a size nothing is resumed.
    url : str
    target, part : Path
        The file's name, and the name it has until it is whole; in the same folder, made if it must be.
    options : TransferOptions

    Raises
    ------
    FileRefusedError
        If the server refuses the file (404, 403, ...) or twice sends another.
    DownloadError
        If the server cannot be reached or the connection breaks ``n_tries`` times, or the file cannot be written.
        The part is kept.
    DownloadStoppedError
    """
    failures = 0
    differences = 0
    reached = 0

    def reach(n_bytes: int) -> None:
        nonlocal reached
        options.count(n_bytes - reached)
        reached = n_bytes

    while True:
        before = _size(part)
        try:
            part.parent.mkdir(parents=True, exist_ok=True)
            _complete(file, url, part, options, reach)
            put_in_place(part, target)
            return
        except _ContentDiffersError as error:
            part.unlink(missing_ok=True)
            reach(0)
            differences += 1
            if differences > 1 or options.n_tries == 1:
                raise FileRefusedError(f"{url}: {error}") from error
            options.report(f"{url}: {error}; fetched anew")
        except _BrokenTransferError as error:
            failures = 1 if reached > before + CHUNK else failures + 1
            if failures >= options.n_tries:
                raise DownloadError(f"{url}: {error}") from error
            wait = min(options.pause * 2 ** (failures - 1), 60)
            options.report(f"{url}: {error}; tried again in {wait:g} s")
            if options.stop.wait(wait):
                raise DownloadStoppedError(url) from error
        except DownloadError:
            raise
        except OSError as error:
            full = error.errno in DISK_FULL
            reason = "the disk is full" if full else f"cannot be written ({error.strerror or error})"
            raise DownloadError(f"{target}: {reason}") from error


def _complete(file: RemoteFile, url: str, part: Path, options: TransferOptions, reach: Callable[[int], None]) -> None:
    """Bring ``part`` to its full length and compare it with what was published."""
    import requests

    done = _size(part) if file.n_bytes is not None and _size(part) <= file.n_bytes else 0
    reach(done)
    if done == 0 or done != file.n_bytes:  # a part may be whole but for its name
        try:
            done = _receive(file, url, part, options, reach, done)
        except ValueError as error:  # no address at all: requests' complaints about it are ValueErrors
            raise DownloadError(f"{url}: {error}") from error
        except requests.RequestException as error:
            raise _BrokenTransferError(_reason(error)) from error
    if file.n_bytes is not None and done < file.n_bytes:
        raise _BrokenTransferError(f"the connection broke before the file was whole ({done} of {file.n_bytes} bytes)")
    if not is_whole(part, file):
        algorithm = (file.digest or "size").split(":")[0].upper().replace("SHA", "SHA-")
        raise _ContentDiffersError(f"what came has another {algorithm} than the published file")


def _receive(
    file: RemoteFile, url: str, part: Path, options: TransferOptions, reach: Callable[[int], None], done: int
) -> int:
    """Ask for the bytes from ``done`` on and write them; return the number of bytes there now."""
    import requests

    # compressed on the way, sizes and ranges would mean something else
    headers = {"Accept-Encoding": "identity"}
    if done:
        headers["Range"] = f"bytes={done}-"
    with requests.get(url, headers=headers, stream=True, timeout=options.timeout) as response:
        if not _continues(response, file, done):
            done = 0
            reach(0)
        with open(part, "ab" if done else "wb") as out:
            for chunk in response.iter_content(CHUNK):
                if options.stop.is_set():
                    raise DownloadStoppedError(url)
                out.write(chunk)
                done += len(chunk)
                reach(done)
                if file.n_bytes is not None and done > file.n_bytes:
                    raise _ContentDiffersError(
                        f"the server sends more than the {file.n_bytes} bytes that were published"
                    )
    return done


def _continues(response: Any, file: RemoteFile, done: int) -> bool:
    """Return whether the answer goes on from byte ``done`` (or begins at 0); raise if it is no use at all."""
    code = response.status_code
    if code in _LATER or code >= 500:
        raise _BrokenTransferError(f"the server answered {code}")
    if code == 416:
        raise _ContentDiffersError("the server answered 416: it has no more bytes of this file")
    if code not in (200, 206):
        raise FileRefusedError(f"{response.url}: the server answered {code}")
    if code == 206:
        shown = response.headers.get("Content-Range", "").strip()
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", shown)
        if not found or int(found[1]) != done or found[2] not in ("*", str(file.n_bytes)):
            raise _ContentDiffersError(f"the server answered with another range ({shown})")
        return True
    length = response.headers.get("Content-Length", "")
    if length.isdigit() and file.n_bytes not in (None, int(length)) and "Content-Encoding" not in response.headers:
        raise _ContentDiffersError(f"the server has {length} bytes where {file.n_bytes} were published")
    return False  # all of it, from the start


def _reason(error: Exception) -> str:
    """Return in one line what went wrong on the way."""
    from requests import exceptions

    if isinstance(error, exceptions.ChunkedEncodingError):
        return "the connection broke before the file was whole"
    if isinstance(error, exceptions.Timeout) or "timed out" in str(error).lower():
        return "the server did not answer in time"
    if isinstance(error, exceptions.ConnectionError):
        return "the server could not be reached"
    return " ".join(str(error).split())


def download_files(
    files: Sequence[RemoteFile],
    base_url: str,
    folder: Path,
    *,
    verified: VerifiedFiles | None = None,
    resume: bool = True,
    n_connections: int = 2,
    progress: bool = True,
    **options: float,
) -> None:
    """Download files side by side; those that are there and whole are only looked at.

    Parameters
    ----------
    files : sequence of RemoteFile
    base_url : str
    folder : Path
    verified : VerifiedFiles, optional
    resume : bool
        Keep what has come of a file that could not be finished, and go on from it another time.
    n_connections : int
    progress : bool
    **options
        ``timeout``, ``n_tries`` and ``pause`` of `TransferOptions`.

    Raises
    ------
    DownloadError
        At once if the server fails or the disk is full; after the other files if some are refused or differ.
    """
    from tqdm import tqdm  # slow to import, as is what stands on numpy

    from naturalistic.parameters import whole

    lock = threading.Lock()
    refused: list[FileRefusedError] = []
    in_bytes = all(file.n_bytes is not None for file in files)
    units: dict[str, Any] = {"unit": "B", "unit_scale": True} if in_bytes else {"unit": "file"}
    total = sum(file.n_bytes for file in files) if in_bytes else len(files)
    disable = not (progress and files)
    bar = tqdm(total=total, desc=f"fetch to {folder.name}", disable=disable, mininterval=0.5, **units)

    def count(n: int) -> None:
        with lock:
            bar.update(n)

    transfer_options = TransferOptions(count=count if in_bytes else lambda n: None, report=_report, **options)

    def download_one(file: RemoteFile) -> None:
        if transfer_options.stop.is_set():
            return
        bar.set_postfix_str(file.path.rpartition("/")[2], refresh=False)
        try:
            _download_one(file, base_url, folder, verified, resume, transfer_options)
        except FileRefusedError as error:
            refused.append(error)
        else:
            if not in_bytes:
                count(1)

    pool = ThreadPoolExecutor(whole("n_connections", n_connections))
    with bar:
        try:
            for job in as_completed([pool.submit(download_one, file) for file in files]):
                job.result()
        except BaseException:
            transfer_options.stop.set()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    if refused:
        more = f" (and {len(refused) - 1} more of {len(files)} files)" if len(refused) > 1 else ""
        raise DownloadError(f"{refused[0]}{more}")


def _download_one(
    file: RemoteFile,
    base_url: str,
    folder: Path,
    verified: VerifiedFiles | None,
    resume: bool,
    options: TransferOptions,
) -> None:
    target = target_of(file, folder)
    if verified is not None and verified.holds(file, target):
        options.count(file.n_bytes)
        return
    if target.is_file() and is_whole(target, file):
        options.count(file.n_bytes or 0)
    else:
        if target.is_file():
            _report(f"{target} is not the published file (another size or hash): deleted and fetched anew")
            target.unlink()
        # parts that nobody goes on with get a name that no other process uses
        part = _part_of(target if resume else target.with_name(f"{target.name}.{os.getpid()}"))
        try:
            transfer(file, base_url.rstrip("/") + "/" + quote(file.remote_path or file.path), target, part, options)
        finally:
            if not resume:
                part.unlink(missing_ok=True)
    if verified is not None and file.digest:
        verified.add(file, target)


def download_manifest(
    manifest: Mapping[str, str],
    base_url: str,
    folder: Path | str,
    timeout: float = 10,
    n_connections: int = 8,
    progress: bool = True,
) -> Path:
    """Download the small files of a manifest that ``folder`` lacks, each checked before it takes its name.

    Each is tried once: without network, the error comes at once. Called again, it goes on with what is missing.

    Parameters
    ----------
    manifest : mapping of str to str
        SHA-256 of each file, by path relative to ``base_url`` and to ``folder``.
    base_url : str
        Address that the paths are appended to.
    folder : str or Path
    timeout : float
        Seconds without an answer after which a connection is given up.
    n_connections : int
        Files downloaded side by side.
    progress : bool

    Raises
    ------
    DownloadError
        Naming the first file that failed, why, and how many are there.
    """
    folder = Path(folder)
    files = [RemoteFile(name, f"sha256:{digest}") for name, digest in manifest.items()]
    todo = [file for file in files if not is_whole(target_of(file, folder), file)]
    options: dict[str, Any] = {"timeout": timeout, "n_tries": 1}
    try:
        download_files(todo, base_url, folder, resume=False, n_connections=n_connections, progress=progress, **options)
    except DownloadError as error:
        there = sum(is_whole(target_of(file, folder), file) for file in files)
        raise DownloadError(f"{error}. {there} of {len(files)} files are in {folder}; try again to go on") from error
    return folder


def _part_of(target: Path) -> Path:
    """Return the name under which a file stands while it is not whole."""
    return target.with_name(target.name + ".part")


def _size(path: Path) -> int:
    """Return the size of a file in bytes, 0 where there is none."""
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _report(line: str) -> None:
    from tqdm import tqdm

    tqdm.write(line, file=sys.stderr)
