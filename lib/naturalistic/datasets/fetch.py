"""Downloads: every file whole and checked, or not there at all."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pooch
import requests
from tqdm import tqdm


class DownloadError(OSError):
    """A file could not be had; what was fetched before it is whole and is not fetched again."""


def read_manifest(path):
    """Return ``{relative path: SHA-256}`` from a text file with one ``hash path`` a line."""
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    return {name: digest for digest, name in (line.split(maxsplit=1) for line in lines if line.strip())}


def sha256(path):
    """Return the SHA-256 of a file as hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def download(manifest, base_url, folder, timeout=10, n_connections=8, progress=True):
    """Fetch the files of a manifest that ``folder`` lacks, each checked before it takes its name.

    A file is written under another name, compared with its SHA-256, and renamed: a broken connection leaves
    nothing behind that could be taken for the file. Called again, it goes on where it stopped.

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
    todo = [name for name, digest in manifest.items() if not _is_whole(folder / name, digest)]
    downloader = pooch.HTTPDownloader(timeout=timeout, progressbar=False)
    bar = tqdm(total=len(todo), desc=f"download to {folder.name}", unit="file", disable=not (progress and todo))

    def fetch(name):
        target, url = folder / name, base_url.rstrip("/") + "/" + name
        try:
            pooch.retrieve(url, manifest[name], target.name, target.parent, downloader=downloader)
        except (requests.RequestException, ValueError, OSError) as error:
            raise DownloadError(f"{url}: {_reason(error)}") from error
        bar.update()

    pooch.get_logger().setLevel("WARNING")
    with bar:
        try:
            for name in todo[:1]:  # offline, the first file says so at once
                fetch(name)
            with ThreadPoolExecutor(n_connections) as pool:
                jobs = [pool.submit(fetch, name) for name in todo[1:]]
                try:
                    for job in jobs:
                        job.result()
                except BaseException:
                    pool.shutdown(wait=True, cancel_futures=True)
                    raise
        except DownloadError as error:
            there = sum(_is_whole(folder / name, digest) for name, digest in manifest.items())
            raise DownloadError(f"{error}. {there} of {len(manifest)} files are in {folder}; try again to go on") from error
    return folder


def _is_whole(path, digest):
    return path.is_file() and sha256(path) == digest


def _reason(error):
    """Say in one line what went wrong."""
    if isinstance(error, requests.HTTPError):
        return f"the server answered {error.response.status_code}"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke before the file was whole"
    if isinstance(error, requests.exceptions.Timeout):
        return "the server did not answer in time"
    if isinstance(error, requests.exceptions.ConnectionError):
        return "the server could not be reached"
    if isinstance(error, ValueError) and "hash" in str(error).lower():
        return "what came has another SHA-256 than the published file"
    return str(error)
