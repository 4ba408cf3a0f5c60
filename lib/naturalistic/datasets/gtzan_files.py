"""GTZAN's archive: where it is, and how it becomes a folder of a thousand tracks, whole or not at all."""

import functools
import gzip
import os
import shutil
import tarfile
import zlib
from pathlib import Path

from tqdm import tqdm

from naturalistic.datasets.events import GENRES
from naturalistic.datasets.plan import Plan, RemoteFile, RequestError
from naturalistic.datasets.transfer import FULL, DownloadError

ADDRESS = "https://huggingface.co/datasets/marsyas/gtzan/resolve/main/data"
ARCHIVE = RemoteFile("genres.tar.gz", None, 1_226_192_050, "archive")  # no hash was published with it
UNPACKED_BYTES = 1000 * 30 * 22050 * 2  # 1000 tracks of 30 s, 22,050 Hz, 16 bit, mono
TRACKS = tuple(f"{genre}/{genre}.{k:05d}.wav" for genre in GENRES for k in range(100))
HALF = ".genres-unpacking"


def plan(name="gtzan", *, keep=False):
    """Return the `Plan` to fetch and unpack GTZAN; with ``keep`` the archive is not deleted afterwards."""
    return Plan(name, ADDRESS, (ARCHIVE,), UNPACKED_BYTES, is_unpacked, functools.partial(unpack, keep=keep))


def is_unpacked(folder):
    """Say whether ``genres`` in a folder holds all tracks (or the folder is itself ``genres``).

    Raises
    ------
    RequestError
        If ``genres`` is there, but not all of its tracks.
    """
    folder = Path(folder)
    if _n_tracks(folder) == len(TRACKS):
        return True
    genres = folder / "genres"
    n_tracks = _n_tracks(genres)
    if os.path.lexists(genres) and n_tracks < len(TRACKS):
        raise RequestError(
            f"{genres} is there but holds {n_tracks} of the {len(TRACKS)} tracks; move it away or choose another folder"
        )
    return n_tracks == len(TRACKS)


def unpack(folder, progress=True, keep=False):
    """Unpack ``genres.tar.gz`` in a folder to ``genres/<genre>/<genre>.NNNNN.wav``; then delete it.

    The tracks take their place together, after the last byte of the archive agreed with its checksum (CRC).

    Parameters
    ----------
    folder : str or Path
        Where the archive is.
    progress : bool
        Show a bar.
    keep : bool
        Do not delete the archive.

    Raises
    ------
    DownloadError
        If the archive is damaged or is not GTZAN (it is deleted then), or the disk is full (it is kept).
    """
    folder = Path(folder)
    archive, half = folder / ARCHIVE.path, folder / HALF
    shutil.rmtree(half, ignore_errors=True)  # of an unpacking that was killed
    half.mkdir()
    try:
        _extract(archive, half, progress)
        os.rename(half / "genres", folder / "genres")
    except (tarfile.TarError, zlib.error, EOFError, gzip.BadGzipFile) as error:
        archive.unlink()
        raise DownloadError(
            f"{archive} is damaged or is not GTZAN ({error}) and was deleted; fetch it again"
        ) from error
    except OSError as error:
        reason = "the disk is full" if error.errno in FULL else str(error)
        raise DownloadError(f"{archive} cannot be unpacked: {reason}; it is kept") from error
    finally:
        shutil.rmtree(half, ignore_errors=True)
    if not keep:
        archive.unlink()


def _extract(archive, half, progress):
    missing = {f"genres/{track}" for track in TRACKS}
    bar = tqdm(total=len(missing), desc="unpack", unit="track", disable=not progress)
    with bar, gzip.open(archive) as unzipped:
        with tarfile.open(fileobj=unzipped, mode="r|") as tar:
            for member in tar:
                name = member.name.removeprefix("./")
                if name in missing and member.isfile():  # what else is in the archive is none of ours
                    (half / name).parent.mkdir(parents=True, exist_ok=True)
                    # names are ours and only contents are taken: no links, modes or owners of the archive
                    with tar.extractfile(member) as track, open(half / name, "wb") as out:
                        shutil.copyfileobj(track, out)
                    missing.remove(name)
                    bar.update()
        while unzipped.read(1 << 20):  # the checksum stands at the very end, behind the last track
            pass
    if missing:
        raise tarfile.TarError(f"it lacks {len(missing)} of {len(TRACKS)} tracks, such as {min(missing)}")


def _n_tracks(genres):
    """Count the tracks in a folder that are not empty."""
    return sum((genres / track).is_file() and (genres / track).stat().st_size > 0 for track in TRACKS)
