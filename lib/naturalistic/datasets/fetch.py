"""Fetching data sets: every file whole and checked, or not there at all under its name."""

import functools
import hashlib
import inspect
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from urllib.parse import quote

from tqdm import tqdm

from naturalistic.datasets import fma_files, gtzan_files, openneuro
from naturalistic.datasets.place import check_folder, check_room, claimed, free_bytes
from naturalistic.datasets.plan import RemoteFile, RequestError, amount, describe, partial_of, space_needed, target_of
from naturalistic.datasets.transfer import DownloadError, FileRefused, Manner, is_whole, transfer
from naturalistic.datasets.verified import Verified
from naturalistic.parameters import whole

# name -> function that makes the Plan; what it takes by keyword can be chosen
DATA_SETS = {
    "ds003720": functools.partial(openneuro.plan, "ds003720"),
    "ds005531": functools.partial(openneuro.plan, "ds005531"),
    "gtzan": gtzan_files.plan,
    "fma": fma_files.plan,
}


def fetch(name, folder, *, base_url=None, n_connections=2, dry_run=False, progress=True, **selection):
    """Fetch a published data set, or some of it, into ``folder``.

    Safe to stop and to repeat: whole files are kept and not fetched again, parts are gone on with. Each file is
    compared with its published size and hash. Other files in the folder are left alone.

    Parameters
    ----------
    name : str
        A key of `DATA_SETS`: ``"ds003720"`` (music), ``"ds005531"`` (films), ``"gtzan"`` (the music's sound) or
        ``"fma"`` (a large corpus of music).
    folder : str or Path
        Made if it is not there.
    base_url : str, optional
        Another copy of the same files.
    n_connections : int
        Files fetched side by side.
    dry_run : bool
        Print what would be fetched; fetch and make nothing.
    progress : bool
        Show a progress bar.
    **selection
        ``subjects``, ``runs`` and ``parts`` of an OpenNeuro data set (see `openneuro.plan`); ``keep`` of GTZAN;
        ``subset`` and ``keep`` of FMA.

    Returns
    -------
    folder : Path

    Raises
    ------
    RequestError
        Before anything is fetched: unknown data set, subject or run; a folder that cannot be written or has too
        little room; another fetch at work in it.
    DownloadError
        If a file could not be had; saying which, why, and how to go on.
    """
    try:
        n_connections = whole("n_connections", n_connections)
    except ValueError as error:
        raise RequestError(str(error)) from error
    plan, folder = plan_of(name, **selection), Path(folder).expanduser()
    check_folder(folder)
    if dry_run:
        needed = f"disk needed: {amount(space_needed(plan, folder))}, free: {amount(free_bytes(folder))}"
        print(f"{name} from {base_url or plan.base_url} to {folder}\n\n{describe(plan, folder)}\n")
        print(f"{needed}; nothing was fetched (dry run)")
        return folder
    if plan.is_finished(folder):
        return folder
    check_room(folder, space_needed(plan, folder))
    with claimed(folder):
        how = {"verified": Verified(folder), "n_connections": n_connections, "progress": progress}
        try:
            fetch_files(plan.files, base_url or plan.base_url, folder, **how)
        except DownloadError as error:
            raise DownloadError(f"{error}. What has arrived is kept in {folder}: fetch again to go on") from error
        plan.finish(folder, progress)
    return folder


def plan_of(name, **selection):
    """Return the `Plan` of a data set for what was selected of it; selections that are None do not count.

    Raises
    ------
    RequestError
        If there is no such data set, or nothing of that kind can be selected in it.
    """
    if name not in DATA_SETS:
        raise RequestError(f"there is no data set {name!r}; there are: {', '.join(DATA_SETS)}")
    takes = {p.name for p in inspect.signature(DATA_SETS[name]).parameters.values() if p.kind is p.KEYWORD_ONLY}
    selection = {key: value for key, value in selection.items() if value is not None}
    for key in selection.keys() - takes:
        raise RequestError(f"{name} takes no {key!r}; it takes: {', '.join(sorted(takes))}")
    return DATA_SETS[name](**selection)


def fetch_files(files, base_url, folder, *, verified=None, resume=True, n_connections=2, progress=True, **how):
    """Fetch files side by side; those that are there and whole are only looked at.

    Parameters
    ----------
    files : sequence of RemoteFile
    base_url : str
    folder : Path
    verified : Verified, optional
        Note of the files that need not be hashed again.
    resume : bool
        Keep what has come of a file that could not be finished, and go on from it another time.
    n_connections : int
    progress : bool
    **how
        ``timeout``, ``n_tries`` and ``pause`` of `transfer.Manner`.

    Raises
    ------
    DownloadError
        At once if the server fails or the disk is full; after the other files if some are refused or differ.
    """
    lock, refused = threading.Lock(), []
    in_bytes = all(file.n_bytes is not None for file in files)
    units = {"unit": "B", "unit_scale": True} if in_bytes else {"unit": "file"}
    total = sum(file.n_bytes for file in files) if in_bytes else len(files)
    disable = not (progress and files)
    bar = tqdm(total=total, desc=f"fetch to {folder.name}", disable=disable, mininterval=0.5, **units)

    def count(n):
        with lock:
            bar.update(n)

    manner = Manner(count=count if in_bytes else lambda n: None, say=_say, **how)

    def one(file):
        if manner.stop.is_set():
            return
        bar.set_postfix_str(file.path.rpartition("/")[2], refresh=False)
        try:
            _fetch_one(file, base_url, folder, verified, resume, manner)
        except FileRefused as error:
            refused.append(error)
        else:
            if not in_bytes:
                count(1)

    pool = ThreadPoolExecutor(whole("n_connections", n_connections))
    with bar:
        try:
            for job in as_completed([pool.submit(one, file) for file in files]):
                job.result()
        except BaseException:
            manner.stop.set()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    if refused:
        more = f" (and {len(refused) - 1} more of {len(files)} files)" if len(refused) > 1 else ""
        raise DownloadError(f"{refused[0]}{more}")


def _fetch_one(file, base_url, folder, verified, resume, manner):
    target = target_of(file, folder)
    if verified is not None and verified.holds(file, target):
        manner.count(file.n_bytes)
        return
    if target.is_file() and is_whole(target, file):
        manner.count(file.n_bytes or 0)
    else:
        if target.is_file():
            _say(f"{target} is not the published file (another size or hash): deleted and fetched anew")
            target.unlink()
        # parts that nobody goes on with get a name that no other process uses
        part = partial_of(target) if resume else partial_of(target.with_name(f"{target.name}.{os.getpid()}"))
        url = base_url.rstrip("/") + "/" + quote(file.path)
        try:
            transfer(file, url, target, part, manner)
        finally:
            if not resume:
                part.unlink(missing_ok=True)
    if verified is not None and file.digest:
        verified.add(file, target)


def _say(line):
    tqdm.write(line, file=sys.stderr)


def read_manifest(path):
    """Return ``{relative path: SHA-256}`` from a text file with one ``hash path`` a line."""
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    return {name: digest for digest, name in (line.split(maxsplit=1) for line in lines if line.strip())}


def sha256(path):
    """Return the SHA-256 of a file as hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def download(manifest, base_url, folder, timeout=10, n_connections=8, progress=True):
    """Fetch the small files of a manifest that ``folder`` lacks, each checked before it takes its name.

    Each is tried once, so that a machine without network says so at once, and nothing is left of a file that
    could not be had. Called again, it goes on with the files that are missing.

    Parameters
    ----------
    manifest : dict of str to str
        SHA-256 of each file, by path relative to ``base_url`` and to ``folder``.
    base_url : str
        Address that the paths are appended to.
    folder : str or Path
    timeout : float
        Seconds without an answer after which a connection is given up.
    n_connections : int
        Files fetched side by side.
    progress : bool
        Show a progress bar.

    Returns
    -------
    folder : Path

    Raises
    ------
    DownloadError
        Naming the first file that failed, why, and how many are there.
    """
    folder = Path(folder)
    files = [RemoteFile(name, f"sha256:{digest}") for name, digest in manifest.items()]
    todo = [file for file in files if not is_whole(target_of(file, folder), file)]
    how = {"resume": False, "timeout": timeout, "n_tries": 1, "n_connections": n_connections, "progress": progress}
    try:
        fetch_files(todo, base_url, folder, **how)
    except DownloadError as error:
        there = sum(is_whole(target_of(file, folder), file) for file in files)
        raise DownloadError(f"{error}. {there} of {len(files)} files are in {folder}; try again to go on") from error
    return folder
