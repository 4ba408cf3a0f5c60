"""GTZAN: a thousand tracks of 30 s in ten genres, and the clips that the music experiment cut from them.

Tzanetakis & Cook (2002), IEEE Transactions on Speech and Audio Processing 10(5):293-302. One folder a genre,
``<genre>/<genre>.NNNNN.wav`` (older copies: ``.au``), 22,050 Hz, mono, 16 bit.
"""

import functools
import gzip
import os
import shutil
import tarfile
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from tqdm import tqdm

from naturalistic.cache import RequestError, put_in_place
from naturalistic.datasets.download import DISK_FULL, DownloadError, DownloadPlan, RemoteFile
from naturalistic.datasets.events import CLIP, GENRES, Clip
from naturalistic.datasets.presentation import as_played

SAMPLE_RATE = 22050  # Hz, as published
_SUFFIXES = (".wav", ".au", ".flac")
_AGAIN = "(naturalistic fetch gtzan --to DIR)"
_DAMAGED_COPIES = {"jazz.00054": f"the copy on Kaggle is damaged, the archive's is whole {_AGAIN}"}
_ADDRESS = "https://huggingface.co/datasets/marsyas/gtzan/resolve/main/data"
ARCHIVE = RemoteFile("genres.tar.gz", None, 1_226_192_050, "archive")  # no hash was published with it
_UNPACKED_BYTES = 1000 * 30 * 22050 * 2  # 1000 tracks of 30 s, 22,050 Hz, 16 bit, mono
TRACKS = tuple(f"{genre}/{genre}.{k:05d}.wav" for genre in GENRES for k in range(100))
_HALF = ".genres-unpacking"


def locate(folder: Path | str, audio: Path | str | None = None) -> Path | None:
    """Return the folder that holds the genres' folders, or None where there is none.

    Parameters
    ----------
    folder : Path
        The data set, beside which ``genres``, ``gtzan`` or ``GTZAN`` is looked for.
    audio : str or Path, optional
        The reader's own choice: it, or ``genres`` in it, must hold the folders of genres.

    Returns
    -------
    audio : Path or None

    Raises
    ------
    FileNotFoundError
        If ``audio`` is given and holds no folder of a genre.
    """
    if audio is not None:
        places = [Path(audio).expanduser()]
    else:
        places = [base / name for base in (Path(folder), Path(folder).parent) for name in ("genres", "gtzan", "GTZAN")]
    for place in [p for base in places for p in (base, base / "genres")]:
        if any((place / genre).is_dir() for genre in GENRES):
            return place
    if audio is not None:
        raise FileNotFoundError(f"{audio} has no folder of a genre ({', '.join(GENRES[:3])} ...); expected GTZAN")
    return None


def track_path(audio: Path | str, clip: Clip) -> Path:
    """Return the file of a clip's track; the first of `_SUFFIXES` that is there, or the ``.wav`` that is not."""
    stem = Path(audio) / clip.genre / clip.track_name
    paths = [stem.with_name(stem.name + suffix) for suffix in _SUFFIXES]
    return next((path for path in paths if path.is_file()), paths[0])


def check_tracks(audio: Path | None, clips: Iterable[Clip]) -> None:
    """Check that the tracks of all clips are there.

    Parameters
    ----------
    audio : Path or None
        Folder of the genres' folders.
    clips : iterable of Clip

    Raises
    ------
    FileNotFoundError
        Naming all tracks that are missing, all at once.
    """
    if audio is None:
        raise FileNotFoundError("there is no folder of GTZAN: fetch it (naturalistic fetch gtzan --to DIR) and name it")
    missing = sorted({clip.track_name for clip in clips if not track_path(audio, clip).is_file()})
    if missing:
        raise FileNotFoundError(f"{audio} lacks {len(missing)} tracks that were played: {', '.join(missing)}")


def load_clip(audio: Path | None, clip: Clip, sample_rate: int = SAMPLE_RATE, *, convert: bool = False) -> NDArray:
    """Return a clip as the experiment played it: cut, faded in and out over 2 s, brought to one loudness.

    Parameters
    ----------
    audio : Path
        Folder of the genres' folders.
    clip : Clip
    sample_rate : int
        Hz of the result; resampled if the track has another.
    convert : bool
        Take tracks that are not as published (stereo, another rate), mixed down and resampled.

    Returns
    -------
    waveform : float32 array (n_samples,)
        Root mean square `sound.RMS`; peaks may pass 1.

    Raises
    ------
    FileNotFoundError, ValueError
        Naming the file: missing, unreadable, not as published, shorter than the clip's end, not finite, silent.
    """
    if audio is None:
        check_tracks(audio, [clip])
    path = track_path(audio, clip)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: expected the track of the clip {clip}")
    waveform, rate = _read(path, clip, convert)
    if rate != sample_rate:
        waveform = soxr.resample(waveform, rate, sample_rate)
    try:
        return as_played(waveform, sample_rate)
    except ValueError as error:
        raise ValueError(f"{path}, {clip.start:g} to {clip.end:g} s: {error}") from error


def load_clips(audio: Path | None, clips: Iterable[Clip], sample_rate: int = SAMPLE_RATE) -> NDArray:
    """Return clips as the experiment played them, one a row.

    Parameters
    ----------
    audio : Path
        Folder of the genres' folders.
    clips : iterable of Clip
        All of one duration.
    sample_rate : int
        Hz of the result.

    Returns
    -------
    waveforms : float32 array (n_clips, n_samples)

    Raises
    ------
    FileNotFoundError, ValueError
        As `load_clip`.
    """
    return np.stack([load_clip(audio, clip, sample_rate) for clip in clips])


def _read(path: Path, clip: Clip, convert: bool) -> tuple[NDArray, int]:
    """Return the clip's samples (mono) and their rate."""
    try:
        with soundfile.SoundFile(path) as file:
            rate = file.samplerate
            n_channels = file.channels
            n_samples = file.frames
            if (rate, n_channels) != (SAMPLE_RATE, 1) and not convert:
                raise ValueError(
                    f"{path} has {n_channels} channel(s) at {rate} Hz, expected 1 at {SAMPLE_RATE} as published; "
                    "convert=True mixes down and resamples"
                )
            # tracks are 30 s give or take a few samples; the last clips end with them
            start = round(clip.start * rate)
            stop = start + round(CLIP * rate)  # all clips are equally long, to the sample
            if n_samples < stop - 0.1 * rate:
                raise ValueError(
                    f"{path} lasts {n_samples / rate:.2f} s, expected {clip.end:g} s or more for the clip {clip}"
                )
            file.seek(start)
            waveform = file.read(stop - start, dtype="float32", always_2d=True, fill_value=0)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        reason = getattr(error, "error_string", str(error))
        known = _DAMAGED_COPIES.get(path.stem, f"it was cut short or is no sound; fetch it again {_AGAIN}")
        raise ValueError(f"{path} cannot be read as sound ({reason}): {known}") from error
    return waveform.mean(axis=1), rate


def download_plan(name: str = "gtzan", *, keep: bool = False) -> DownloadPlan:
    """Return the `DownloadPlan` of GTZAN; with ``keep`` its archive is not deleted after unpacking."""
    return DownloadPlan(name, _ADDRESS, (ARCHIVE,), _UNPACKED_BYTES, is_unpacked, functools.partial(unpack, keep=keep))


def is_unpacked(folder: Path | str) -> bool:
    """Return whether ``genres`` in a folder holds all tracks (or the folder is itself ``genres``).

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


def unpack(folder: Path | str, progress: bool = True, keep: bool = False) -> None:
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
    archive = folder / ARCHIVE.path
    half = folder / _HALF
    shutil.rmtree(half, ignore_errors=True)  # of an unpacking that was killed
    half.mkdir()
    try:
        _extract(archive, half, progress)
        put_in_place(half / "genres", folder / "genres")
    except (tarfile.TarError, zlib.error, EOFError, gzip.BadGzipFile) as error:
        archive.unlink()
        raise DownloadError(
            f"{archive} is damaged or is not GTZAN ({error}) and was deleted; fetch it again"
        ) from error
    except OSError as error:
        reason = "the disk is full" if error.errno in DISK_FULL else str(error)
        raise DownloadError(f"{archive} cannot be unpacked: {reason}; it is kept") from error
    finally:
        shutil.rmtree(half, ignore_errors=True)
    if not keep:
        archive.unlink()


def _extract(archive: Path, half: Path, progress: bool) -> None:
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


def _n_tracks(genres: Path) -> int:
    """Count the tracks in a folder that are not empty."""
    return sum((genres / track).is_file() and (genres / track).stat().st_size > 0 for track in TRACKS)
