"""One file over HTTP: streamed to a part, resumed where it stopped, checked, and given its name only when whole."""

import errno
import hashlib
import os
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import requests

CHUNK = 1 << 16  # bytes
FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
LATER = {408, 425, 429}  # answers that a later try may not get, beside all 5xx


class DownloadError(OSError):
    """A file could not be had; what was fetched before it is kept and is not fetched again."""


class FileRefused(DownloadError):
    """One file is not to be had as it was published; others may be."""


class Stopped(DownloadError):
    """The transfer was told to stop."""


class _Broken(Exception):
    """The connection or the server failed; a later try may go on from here."""


class _Differs(Exception):
    """What came is not the published file."""


@dataclass(frozen=True)
class Manner:
    """How files are fetched.

    Attributes
    ----------
    timeout : float
        Seconds without a byte after which a connection is given up.
    n_tries : int
        Failures in a row after which a file is given up; bytes that came in between start the count anew.
    pause : float
        Seconds before the second try; doubled before each further one, up to a minute.
    count : callable
        Called with the bytes that came since the last call (negative where some had to be thrown away).
    say : callable
        Called with a line about what went wrong and is tried again.
    stop : threading.Event
        Once set, transfers end with `Stopped` and leave their parts.
    """

    timeout: float = 30.0
    n_tries: int = 5
    pause: float = 1.0
    count: Callable = lambda n_bytes: None
    say: Callable = lambda line: None
    stop: threading.Event = field(default_factory=threading.Event)


def new_hash(digest):
    """Return a hash object for a digest written ``"md5:..."``, or None where there is no digest."""
    return hashlib.new(digest.split(":")[0], usedforsecurity=False) if digest else None


def hash_into(hasher, path):
    """Feed a file to a hash object (which may be None) and return its size in bytes."""
    n_bytes = 0
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            n_bytes += len(chunk)
            if hasher is not None:
                hasher.update(chunk)
    return n_bytes


def is_whole(path, file):
    """Say whether ``path`` holds a `RemoteFile` with the published size and hash; reads all of it if it has one."""
    if not path.is_file() or file.n_bytes not in (None, path.stat().st_size):
        return False
    hasher = new_hash(file.digest)
    if hasher is not None:
        hash_into(hasher, path)
    return _names(hasher, file.digest)


def transfer(file, url, target, part, manner):
    """Fetch one file to ``target``, going on from ``part`` if that is there.

    Broken connections, silence and the answers 5xx, 408 and 429 are tried again after a pause, from the byte that
    was reached. What has another size or hash than published is deleted and fetched once more.

    Parameters
    ----------
    file : RemoteFile
        With a digest or a size; without a size nothing is resumed.
    url : str
    target, part : Path
        The file's name, and the name it has until it is whole; in the same folder, made if it must be.
    manner : Manner

    Raises
    ------
    FileRefused
        If the server refuses the file (404, 403, ...) or twice sends another.
    DownloadError
        If the server cannot be reached or the connection breaks ``n_tries`` times, or the file cannot be written.
        The part is kept.
    Stopped
    """
    failures, differences, at = 0, 0, 0

    def reach(n_bytes):
        nonlocal at
        manner.count(n_bytes - at)
        at = n_bytes

    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            part.parent.mkdir(parents=True, exist_ok=True)
            _complete(file, url, part, manner, reach)
            os.replace(part, target)
            return
        except _Differs as error:
            part.unlink(missing_ok=True)
            reach(0)
            differences += 1
            if differences > 1 or manner.n_tries == 1:
                raise FileRefused(f"{url}: {error}") from error
            manner.say(f"{url}: {error}; fetched anew")
        except _Broken as error:
            failures = 1 if at > before + CHUNK else failures + 1
            if failures >= manner.n_tries:
                raise DownloadError(f"{url}: {error}") from error
            wait = min(manner.pause * 2 ** (failures - 1), 60)
            manner.say(f"{url}: {error}; tried again in {wait:g} s")
            if manner.stop.wait(wait):
                raise Stopped(url) from error
        except DownloadError:
            raise
        except OSError as error:
            full = error.errno in FULL
            reason = "the disk is full" if full else f"cannot be written ({error.strerror or error})"
            raise DownloadError(f"{target}: {reason}") from error


def _complete(file, url, part, manner, reach):
    """Bring ``part`` to its full length and compare it with what was published."""
    hasher, done = new_hash(file.digest), 0
    if part.exists() and file.n_bytes is not None and part.stat().st_size <= file.n_bytes:
        done = hash_into(hasher, part)
    reach(done)
    if done == 0 or done != file.n_bytes:  # a part may be whole but for its name
        try:
            done, hasher = _receive(file, url, part, manner, reach, done, hasher)
        except ValueError as error:  # no address at all: requests' complaints about it are ValueErrors
            raise DownloadError(f"{url}: {error}") from error
        except requests.RequestException as error:
            raise _Broken(_reason(error)) from error
    if file.n_bytes is not None and done < file.n_bytes:
        raise _Broken(f"the connection broke before the file was whole ({done} of {file.n_bytes} bytes)")
    if not _names(hasher, file.digest):
        raise _Differs(f"what came has another {_algorithm(file.digest)} than the published file")


def _receive(file, url, part, manner, reach, done, hasher):
    """Ask for the bytes from ``done`` on and write them; return the bytes there now, and their hash."""
    # compressed on the way, sizes and ranges would mean something else
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={done}-"} if done else {})
    with requests.get(url, headers=headers, stream=True, timeout=manner.timeout) as response:
        if not _continues(response, file, done):
            done, hasher = 0, new_hash(file.digest)
            reach(0)
        with open(part, "ab" if done else "wb") as out:
            for chunk in response.iter_content(CHUNK):
                if manner.stop.is_set():
                    raise Stopped(url)
                out.write(chunk)
                if hasher is not None:
                    hasher.update(chunk)
                done += len(chunk)
                reach(done)
                if file.n_bytes is not None and done > file.n_bytes:
                    raise _Differs(f"the server sends more than the {file.n_bytes} bytes that were published")
    return done, hasher


def _continues(response, file, done):
    """Say whether the answer goes on from byte ``done`` (or begins at 0); raise if it is no use at all."""
    code = response.status_code
    if code in LATER or code >= 500:
        raise _Broken(f"the server answered {code}")
    if code == 416:
        raise _Differs("the server answered 416: it has no more bytes of this file")
    if code not in (200, 206):
        raise FileRefused(f"{response.url}: the server answered {code}")
    if code == 206:
        first, total = _content_range(response)
        if first != done or total not in (None, file.n_bytes):
            raise _Differs(f"the server answered with another range ({response.headers.get('Content-Range')})")
        return True
    length = response.headers.get("Content-Length", "")
    if length.isdigit() and file.n_bytes not in (None, int(length)) and "Content-Encoding" not in response.headers:
        raise _Differs(f"the server has {length} bytes where {file.n_bytes} were published")
    return False  # all of it, from the start


def _content_range(response):
    """Return first byte and total size of an answer 206, None for what it does not say."""
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "").strip())
    if not found:
        return None, None
    return int(found[1]), None if found[2] == "*" else int(found[2])


def _names(hasher, digest):
    return hasher is None or hasher.hexdigest() == digest.split(":")[1]


def _algorithm(digest):
    return {"md5": "MD5", "sha1": "SHA-1", "sha256": "SHA-256"}.get(digest.split(":")[0], digest.split(":")[0])


def _reason(error):
    """Say in one line what went wrong on the way."""
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke before the file was whole"
    if isinstance(error, requests.exceptions.Timeout) or "timed out" in str(error).lower():
        return "the server did not answer in time"
    if isinstance(error, requests.exceptions.ConnectionError):
        return "the server could not be reached"
    return " ".join(str(error).split())
