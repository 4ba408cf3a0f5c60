"""The Free Music Archive's archives: where they are, and how they become folders of tracks, each whole or not there.

Defferrard et al. (2017), FMA: a dataset for music analysis, ISMIR. The archives are ZIP64 and packed with bzip2, which
many programs cannot read.
"""

import functools
import os
import re
import shutil
import zipfile
import zlib
from pathlib import Path

from tqdm import tqdm

from naturalistic.datasets.place import check_room
from naturalistic.datasets.plan import Plan, RemoteFile, RequestError
from naturalistic.datasets.transfer import FULL, DownloadError

ADDRESS = "https://os.unil.cloud.switch.ch/fma"
METADATA = RemoteFile("fma_metadata.zip", "sha1:f0df49ffe5f2a6008d7dc83c6915b31835dfe733", 358_412_441, "metadata")
SUBSETS = {
    "small": RemoteFile("fma_small.zip", "sha1:ade154f733639d52e35e32f5593efe5be76c6d70", 7_679_594_875, "tracks"),
    "large": RemoteFile("fma_large.zip", "sha1:497109f4dd721066b5ce5e5f250ec604dc78939e", 100_306_112_191, "tracks"),
}
N_TRACKS = {"small": 8_000, "large": 106_574}
TABLES = ("tracks.csv", "genres.csv", "README.txt")  # of the metadata; the rest is features, 1 GB, and a pickle
TABLES_BYTES = 270_000_000


def plan(name="fma", *, subset=None, keep=False):
    """Return the `Plan` to fetch and unpack the metadata and the tracks of a subset.

    Parameters
    ----------
    name : str
    subset : {"small", "large"}
    keep : bool
        Do not delete the archives afterwards.

    Returns
    -------
    plan : Plan

    Raises
    ------
    RequestError
        If the subset is not one of them; a hundred gigabytes are not fetched unasked.
    """
    if subset not in SUBSETS:
        raise RequestError(
            f"subset is {subset!r}, expected 'small' (8,000 tracks, 7.7 GB) or 'large' (106,574 tracks, 100 GB)"
        )
    archive = SUBSETS[subset]
    how = {"subset": subset, "keep": keep}
    # packed sound hardly shrinks: its folder is about as large as its archive
    extra = TABLES_BYTES + round(1.02 * archive.n_bytes)
    finish = functools.partial(unpack, **how)
    return Plan(name, ADDRESS, (METADATA, archive), extra, functools.partial(is_unpacked, subset=subset), finish)


def is_unpacked(folder, subset):
    """Say whether a folder holds the metadata and all tracks of a subset, "small" or "large".

    Raises
    ------
    RequestError
        If the subset's folder is there, but not all of its tracks; or that of the metadata, but no table.
    """
    tracks, table = Path(folder) / f"fma_{subset}", Path(folder) / "fma_metadata" / TABLES[0]
    if os.path.lexists(table.parent) and not table.is_file():
        raise RequestError(f"{table.parent} is there but holds no {table.name}; move it away or choose another folder")
    n_tracks = sum(1 for path in tracks.glob("[0-9][0-9][0-9]/*.mp3") if path.stat().st_size)
    if os.path.lexists(tracks) and n_tracks < N_TRACKS[subset]:
        raise RequestError(
            f"{tracks} is there but holds {n_tracks} of the {N_TRACKS[subset]} tracks; move it away or choose another "
            "folder"
        )
    return n_tracks >= N_TRACKS[subset] and table.is_file()


def unpack(folder, progress=True, *, subset, keep=False):
    """Unpack the archives in a folder to ``fma_metadata/`` and ``fma_<subset>/``; then delete them.

    A folder takes its name when the last of its files is there. Stopped, it goes on at the file that it was at.

    Parameters
    ----------
    folder : str or Path
        Where the archives are.
    progress : bool
        Show a bar.
    subset : {"small", "large"}
    keep : bool
        Do not delete the archives.

    Raises
    ------
    DownloadError
        If an archive is damaged or is not FMA (it is deleted then), or the disk is full (it is kept).
    """
    folder = Path(folder)
    archives = [folder / file.path for file in (METADATA, SUBSETS[subset])]
    for archive, choose in zip(archives, (_tables, functools.partial(_tracks, subset=subset))):
        if not (folder / archive.stem).exists():
            _unpack_one(archive, choose, progress)
    for archive in () if keep else archives:
        archive.unlink()


def _unpack_one(archive, choose, progress):
    """Unpack what ``choose(names)`` says of an archive beside it."""
    half = archive.with_name(f".{archive.stem}-unpacking")
    try:
        with zipfile.ZipFile(archive) as file:
            members = {info.filename: info for info in file.infolist() if not info.is_dir()}
            wanted = [members[name] for name in choose(list(members))]
            todo = [info for info in wanted if _size(half / info.filename) != info.file_size]
            check_room(archive.parent, sum(info.file_size for info in todo))
            for info in tqdm(todo, desc=f"unpack {archive.stem}", unit="file", disable=not progress):
                _extract(file, info, half / info.filename)
        os.rename(half / archive.stem, archive.with_suffix(""))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        _forget(archive, half, error)
    except RequestError as error:
        raise DownloadError(f"{archive} cannot be unpacked: {error}; it is kept") from error
    except OSError as error:
        if error.errno is None:  # bz2 complains about damaged data in this way
            _forget(archive, half, error)
        reason = "the disk is full" if error.errno in FULL else str(error)
        raise DownloadError(f"{archive} cannot be unpacked: {reason}; it is kept") from error
    shutil.rmtree(half, ignore_errors=True)


def _forget(archive, half, error):
    archive.unlink()
    shutil.rmtree(half, ignore_errors=True)
    raise DownloadError(f"{archive} is damaged or is not FMA ({error}) and was deleted; fetch it again") from error


def _extract(file, info, target):
    """Write one member under its name when all of it is there; its CRC is looked at on the way."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    # names are of our own patterns and only contents are taken: no links, modes or owners of the archive
    with file.open(info) as packed, open(part, "wb") as out:
        shutil.copyfileobj(packed, out, 1 << 20)
    os.replace(part, target)


def _tables(names):
    """Return the names of the tables among those of an archive."""
    wanted = [f"fma_metadata/{table}" for table in TABLES if f"fma_metadata/{table}" in names]
    if f"fma_metadata/{TABLES[0]}" not in wanted:
        raise zipfile.BadZipFile(f"it lacks fma_metadata/{TABLES[0]}")
    return wanted


def _tracks(names, subset):
    """Return the names of the tracks among those of an archive; what else is in it is none of ours."""
    track = re.compile(rf"fma_{subset}/(\d{{3}})/\1\d{{3}}\.mp3")
    wanted = [name for name in names if track.fullmatch(name)]
    if len(wanted) < N_TRACKS[subset]:
        raise zipfile.BadZipFile(f"it has {len(wanted)} of {N_TRACKS[subset]} tracks")
    return wanted


def _size(path):
    return path.stat().st_size if path.is_file() else None
