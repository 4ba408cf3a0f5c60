"""A corpus of music in the layout of the Free Music Archive: tracks with their titles, and the beginning of each.

Defferrard et al. (2017), FMA: a dataset for music analysis, ISMIR. ``fma_<subset>/000/000002.mp3`` and
``fma_metadata/tracks.csv``, whose header has three rows. The archives are ZIP64 and packed with bzip2, which many
programs cannot read; here they become folders of tracks, each whole or absent.
"""

import functools
import os
import re
import shlex
import shutil
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from tqdm import tqdm

from naturalistic import simulated
from naturalistic.cache import RequestError, check_room, put_in_place, whole_or_absent
from naturalistic.datasets.download import DISK_FULL, DownloadError, DownloadPlan, RemoteFile
from naturalistic.text_files import cells

ATTRIBUTION = "Music: Free Music Archive (Defferrard et al. 2017), CC BY 4.0; each track under its artist's licence."
_SUFFIXES = (".mp3", ".flac", ".wav", ".ogg")
_SILENCE = 2.0**-16  # half a step of 16-bit sound
_SHORT = 0.05  # s that a track may be short of what is asked: encoders cut at whole frames
_WANTED = {"title": ("track", "title"), "artist": ("artist", "name"), "genre": ("track", "genre_top")}
_ADDRESS = "https://os.unil.cloud.switch.ch/fma"
METADATA = RemoteFile("fma_metadata.zip", "sha1:f0df49ffe5f2a6008d7dc83c6915b31835dfe733", 358_412_441, "metadata")
SUBSETS = {
    "small": RemoteFile("fma_small.zip", "sha1:ade154f733639d52e35e32f5593efe5be76c6d70", 7_679_594_875, "tracks"),
    "large": RemoteFile("fma_large.zip", "sha1:497109f4dd721066b5ce5e5f250ec604dc78939e", 100_306_112_191, "tracks"),
}
N_TRACKS = {"small": 8_000, "large": 106_574}
TABLES = ("tracks.csv", "genres.csv", "README.txt")  # of the metadata; the rest is features, 1 GB, and a pickle
TABLES_BYTES = 270_000_000


@dataclass(frozen=True)
class Track:
    """A recording of a corpus; what its table does not say is "".

    Attributes
    ----------
    id : str
        Six digits, as its file is called.
    path : Path
    title, artist, genre : str
    """

    id: str
    path: Path
    title: str = ""
    artist: str = ""
    genre: str = ""

    def __str__(self) -> str:
        """Say who plays what."""
        name = f"{self.artist}: {self.title}" if self.artist else self.title
        return (name or f"track {self.id}") + (f" ({self.genre})" if self.genre else "")


@dataclass(frozen=True)
class Corpus:
    """Tracks of one subset.

    Attributes
    ----------
    name : str
    is_simulated : bool
        Whether this is music that the project's composer wrote.
    folder : Path
        That of the tracks, such as ``fma_small``.
    tracks : tuple of Track
        In the order of their ids.
    notes : tuple of str
        What is missing; to be shown.
    recipe : str
        Of simulated tracks, which are rendered when they are first heard: what they depend on. "" of others.
    """

    name: str
    is_simulated: bool
    folder: Path
    tracks: tuple
    notes: tuple
    recipe: str = ""

    @functools.cached_property
    def _by_id(self) -> dict[str, Track]:
        return {track.id: track for track in self.tracks}

    def __len__(self) -> int:
        """Return how many tracks there are."""
        return len(self.tracks)

    def __getitem__(self, track_id: str) -> Track:
        """Return the track of an id, such as ``"000002"``."""
        if track_id not in self._by_id:
            raise KeyError(f"{self.folder} has no track {track_id!r}")
        return self._by_id[track_id]

    def __str__(self) -> str:
        """Say what this is, how much, what is missing, and whose it is."""
        n_genres = len({track.genre for track in self.tracks} - {""})
        lines = [f"{self.name}: {len(self):,} tracks of {n_genres} genres", *self.notes]
        return "\n".join(lines if self.is_simulated else [*lines, ATTRIBUTION])


def load(folder: Path | str = "simulated", subset: str | None = None) -> Corpus:
    """Open a corpus: ids, paths of files and their rows of the table; no sound yet.

    Parameters
    ----------
    folder : str or Path
        ``"simulated"`` (in the cache, where it is made at the first call); or where FMA was fetched to; or the folder
        of the tracks itself, such as ``fma_small``.
    subset : str, optional
        Such as ``"small"`` or ``"large"``; needed where a folder has several.

    Returns
    -------
    corpus : Corpus
        Without titles where there is no table; its ``notes`` say so.

    Raises
    ------
    FileNotFoundError, ValueError
        If there are no tracks, or several subsets to choose from, or the table is not FMA's.
    """
    place = _locate(folder)
    tracks = _select_tracks(place, subset)
    listed = [path for path in sorted(tracks.glob("[0-9]*/[0-9]*")) if path.suffix.lower() in _SUFFIXES]
    paths = {_track_id(path): path for path in listed}
    table = tracks.parent / "fma_metadata" / "tracks.csv"
    known, notes = (_read_table(table), []) if table.is_file() else ({}, [f"{table} is not there: no titles"])
    is_simulated = simulated.is_simulated(tracks.parent)
    if is_simulated:  # its tracks are rendered when they are first heard
        paths = {name: tracks / name[:3] / f"{name}.mp3" for name in known} | paths
    if not paths:
        raise FileNotFoundError(f"{tracks} has no tracks; expected the layout of FMA, such as {tracks}/000/000002.mp3")
    unknown = [name for name in paths if name not in known]
    if known and unknown:
        notes.append(f"{len(unknown)} of {len(paths)} tracks are not in {table.name}, such as {unknown[0]}: no titles")
    name = simulated.name_of("FMA") if is_simulated else f"Free Music Archive, {tracks.name}"
    found = tuple(Track(k, path, *known.get(k, ())) for k, path in paths.items())
    recipe = simulated.recipe_of(tracks.parent) if is_simulated else ""
    return Corpus(name, is_simulated, tracks, found, tuple(notes), recipe)


def load_beginnings(
    paths: Sequence[Path | str], seconds: float = 15.0, sample_rate: float = 22050, *, progress: bool = True
) -> NDArray:
    """Return how tracks begin; simulated ones are rendered side by side first.

    Parameters
    ----------
    paths : list of str or Path
    seconds : float
    sample_rate : int
        Hz of the result.
    progress : bool
        Show a bar while tracks are rendered.

    Returns
    -------
    waveforms : float32 array (n_tracks, seconds * sample_rate)

    Raises
    ------
    FileNotFoundError, ValueError
        Of the first file that cannot be read, as `first_seconds`.
    """
    simulated.render_tracks([Path(path) for path in paths], n_jobs=None, progress=progress)
    return np.stack([first_seconds(path, seconds, sample_rate) for path in paths])


def first_seconds(path: Path | str, seconds: float = 15.0, sample_rate: float = 22050) -> NDArray:
    """Return how a track begins.

    Parameters
    ----------
    path : str or Path
        MP3, FLAC, WAV or OGG.
    seconds : float
    sample_rate : int
        Hz of the result.

    Returns
    -------
    waveform : float32 array (seconds * sample_rate,)
        The mean over channels.

    Raises
    ------
    FileNotFoundError, ValueError
        Naming the file: missing, unreadable, too short, not finite, silent.
    """
    path = Path(path)
    simulated.render_tracks([path])
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing")
    if not path.stat().st_size:
        raise ValueError(f"{path} is an empty file")
    try:
        with soundfile.SoundFile(path) as file:
            rate = file.samplerate
            n_wanted = round(seconds * file.samplerate)
            waveform = file.read(n_wanted, dtype="float32", always_2d=True).mean(axis=1)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        reason = getattr(error, "error_string", str(error))
        raise ValueError(f"{path} cannot be read as sound ({reason})") from error
    if len(waveform) < n_wanted - _SHORT * rate:
        raise ValueError(f"{path} lasts {len(waveform) / rate:.2f} s, expected {seconds:g} s or more")
    if not np.isfinite(waveform).all():
        raise ValueError(f"{path} has samples that are NaN or infinite")
    if not np.abs(waveform).max() > _SILENCE:
        raise ValueError(f"{path} is silent in its first {seconds:g} s")
    if rate != sample_rate:
        waveform = soxr.resample(waveform, rate, sample_rate)
    n_samples = round(seconds * sample_rate)
    return np.pad(waveform[:n_samples], (0, max(0, n_samples - len(waveform))))


def _locate(folder: Path | str) -> Path:
    """Return the folder that the reader named."""
    if simulated.is_requested(folder, "corpus"):
        return simulated.simulate("corpus")
    place = Path(folder).expanduser()
    if not place.is_dir():
        raise FileNotFoundError(
            f"{place} is not a folder; expected FMA (naturalistic fetch fma --subset small --to "
            f"{shlex.quote(str(place))}) or 'simulated'"
        )
    return place


def _select_tracks(place: Path, subset: str | None) -> Path:
    """Return the folder of the tracks."""
    subsets = {p.name[4:]: p for p in sorted(place.glob("fma_*")) if p.is_dir() and p.name != "fma_metadata"}
    if place.name.startswith("fma_") and not subsets:
        subsets = {place.name[4:]: place}
    if subset is not None:
        if subset not in subsets:
            raise FileNotFoundError(f"{place} has no fma_{subset}; it has {', '.join(subsets) or 'no subset of FMA'}")
        return subsets[subset]
    if not subsets:
        raise FileNotFoundError(f"{place} has no fma_small, fma_large or such; expected the layout of FMA")
    if len(subsets) > 1:
        raise ValueError(f"{place} has {', '.join(subsets)}: say which, as subset")
    return next(iter(subsets.values()))


def _track_id(path: Path) -> str:
    """Return the id of a track by its file: six digits, also where a copy dropped zeros; other names as they are."""
    return f"{int(path.stem):06d}" if path.stem.isdecimal() else path.stem


def _read_table(path: Path) -> dict[str, tuple[str, ...]]:
    """Return ``{id: (title, artist, genre)}`` of ``tracks.csv``."""
    table = cells(path)
    header = [next(table, []) for _ in range(3)]
    columns = list(zip(*header[:2]))
    missing = [name for name in _WANTED.values() if name not in columns]
    if missing or header[2][:1] != ["track_id"]:
        raise ValueError(
            f"{path} is not FMA's table: expected a header of three rows (group, column, track_id) with "
            f"{', '.join(map(str, _WANTED.values()))}"
        )
    places = [columns.index(name) for name in _WANTED.values()]
    known = {}
    for number, row in enumerate(table, 1):
        if not row:
            continue
        if not row[0].strip().isdecimal() or len(row) <= max(places):
            raise ValueError(
                f"{path} cannot be read as a table: row {number} has {len(row)} cells and the id {row[0][:40]!r}, "
                f"expected {len(columns)} cells and digits such as 000002; was the file cut short?"
            )
        known[f"{int(row[0]):06d}"] = tuple(row[k] for k in places)
    return known


def download_plan(name: str = "fma", *, subset: str | None = None, keep: bool = False) -> DownloadPlan:
    """Return the `DownloadPlan` of the metadata and the tracks of a subset, unpacking included.

    Parameters
    ----------
    name : str
    subset : {"small", "large"}
    keep : bool
        Do not delete the archives afterwards.

    Returns
    -------
    plan : DownloadPlan

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
    # packed sound hardly shrinks: its folder is about as large as its archive
    extra = TABLES_BYTES + round(1.02 * archive.n_bytes)
    finish = functools.partial(unpack, subset=subset, keep=keep)
    is_finished = functools.partial(is_unpacked, subset=subset)
    return DownloadPlan(name, _ADDRESS, (METADATA, archive), extra, is_finished, finish)


def is_unpacked(folder: Path | str, subset: str) -> bool:
    """Return whether a folder holds the metadata and all tracks of a subset, "small" or "large".

    Raises
    ------
    RequestError
        If the subset's folder is there, but not all of its tracks; or that of the metadata, but no table.
    """
    tracks = Path(folder) / f"fma_{subset}"
    table = Path(folder) / "fma_metadata" / TABLES[0]
    if os.path.lexists(table.parent) and not table.is_file():
        raise RequestError(f"{table.parent} is there but holds no {table.name}; move it away or choose another folder")
    n_tracks = sum(1 for path in tracks.glob("[0-9][0-9][0-9]/*.mp3") if path.stat().st_size)
    if os.path.lexists(tracks) and n_tracks < N_TRACKS[subset]:
        raise RequestError(
            f"{tracks} is there but holds {n_tracks} of the {N_TRACKS[subset]} tracks; move it away or choose another "
            "folder"
        )
    return n_tracks >= N_TRACKS[subset] and table.is_file()


def unpack(folder: Path | str, progress: bool = True, *, subset: str, keep: bool = False) -> None:
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
    for archive, select in zip(archives, (_tables, functools.partial(_tracks, subset=subset))):
        if not (folder / archive.stem).exists():
            _unpack_one(archive, select, progress)
    for archive in () if keep else archives:
        archive.unlink()


def _unpack_one(archive: Path, select: Callable[[list[str]], list[str]], progress: bool) -> None:
    """Unpack what ``select(names)`` names of an archive beside it."""
    half = archive.with_name(f".{archive.stem}-unpacking")
    try:
        with zipfile.ZipFile(archive) as file:
            members = {info.filename: info for info in file.infolist() if not info.is_dir()}
            wanted = [members[name] for name in select(list(members))]
            todo = [info for info in wanted if _size(half / info.filename) != info.file_size]
            check_room(archive.parent, sum(info.file_size for info in todo))
            for info in tqdm(todo, desc=f"unpack {archive.stem}", unit="file", disable=not progress):
                _extract(file, info, half / info.filename)
        put_in_place(half / archive.stem, archive.with_suffix(""))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        _forget(archive, half, error)
    except RequestError as error:
        raise DownloadError(f"{archive} cannot be unpacked: {error}; it is kept") from error
    except OSError as error:
        if error.errno is None:  # bz2 complains about damaged data in this way
            _forget(archive, half, error)
        reason = "the disk is full" if error.errno in DISK_FULL else str(error)
        raise DownloadError(f"{archive} cannot be unpacked: {reason}; it is kept") from error
    shutil.rmtree(half, ignore_errors=True)


def _forget(archive: Path, half: Path, error: Exception) -> NoReturn:
    archive.unlink()
    shutil.rmtree(half, ignore_errors=True)
    raise DownloadError(f"{archive} is damaged or is not FMA ({error}) and was deleted; fetch it again") from error


def _extract(file: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path) -> None:
    """Write one member under its name when all of it is there; its CRC is looked at on the way."""
    # names are of our own patterns and only contents are taken: no links, modes or owners of the archive
    with whole_or_absent(target, target.with_name(target.name + ".part")) as part:
        with file.open(info) as packed, open(part, "wb") as out:
            shutil.copyfileobj(packed, out, 1 << 20)


def _tables(names: list[str]) -> list[str]:
    """Return the names of the tables among those of an archive."""
    wanted = [f"fma_metadata/{table}" for table in TABLES if f"fma_metadata/{table}" in names]
    if f"fma_metadata/{TABLES[0]}" not in wanted:
        raise zipfile.BadZipFile(f"it lacks fma_metadata/{TABLES[0]}")
    return wanted


def _tracks(names: list[str], subset: str) -> list[str]:
    """Return the names of the tracks among those of an archive; what else is in it is none of ours."""
    track = re.compile(rf"fma_{subset}/(\d{{3}})/\1\d{{3}}\.mp3")
    wanted = [name for name in names if track.fullmatch(name)]
    if len(wanted) < N_TRACKS[subset]:
        raise zipfile.BadZipFile(f"it has {len(wanted)} of {N_TRACKS[subset]} tracks")
    return wanted


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None
