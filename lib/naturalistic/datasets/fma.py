"""A corpus of music in the layout of the Free Music Archive: tracks with their titles, and the beginning of each.

Defferrard et al. (2017), FMA: a dataset for music analysis, ISMIR. ``fma_<subset>/000/000002.mp3`` and
``fma_metadata/tracks.csv``, whose header has three rows.
"""

import functools
import shlex
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from naturalistic import simulated
from naturalistic.text_files import cells

ATTRIBUTION = "Music: Free Music Archive (Defferrard et al. 2017), CC BY 4.0; each track under its artist's licence."
SUFFIXES = (".mp3", ".flac", ".wav", ".ogg")
SILENCE = 2.0**-16  # half a step of 16-bit sound
SHORT = 0.05  # s that a track may be short of what is asked: encoders cut at whole frames
WANTED = {"title": ("track", "title"), "artist": ("artist", "name"), "genre": ("track", "genre_top")}


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

    def __str__(self):
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
    def _by_id(self):
        return {track.id: track for track in self.tracks}

    def __len__(self):
        """Return how many tracks there are."""
        return len(self.tracks)

    def __getitem__(self, track_id):
        """Return the track of an id, such as ``"000002"``."""
        if track_id not in self._by_id:
            raise KeyError(f"{self.folder} has no track {track_id!r}")
        return self._by_id[track_id]

    def __str__(self):
        """Say what this is, how much, what is missing, and whose it is."""
        n_genres = len({track.genre for track in self.tracks} - {""})
        lines = [f"{self.name}: {len(self):,} tracks of {n_genres} genres", *self.notes]
        return "\n".join(lines if self.is_simulated else [*lines, ATTRIBUTION])


def load(folder="simulated", subset=None):
    """Open a corpus: ids, places of files and what the table says of them; no sound yet.

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
    tracks = _choose(place, subset)
    listed = [path for path in sorted(tracks.glob("[0-9]*/[0-9]*")) if path.suffix.lower() in SUFFIXES]
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


def first_seconds(path, seconds=15.0, sample_rate=22050):
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
            rate, n_wanted = file.samplerate, round(seconds * file.samplerate)
            waveform = file.read(n_wanted, dtype="float32", always_2d=True).mean(axis=1)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        reason = getattr(error, "error_string", str(error))
        raise ValueError(f"{path} cannot be read as sound ({reason})") from error
    if len(waveform) < n_wanted - SHORT * rate:
        raise ValueError(f"{path} lasts {len(waveform) / rate:.2f} s, expected {seconds:g} s or more")
    if not np.isfinite(waveform).all():
        raise ValueError(f"{path} has samples that are NaN or infinite")
    if not np.abs(waveform).max() > SILENCE:
        raise ValueError(f"{path} is silent in its first {seconds:g} s")
    if rate != sample_rate:
        waveform = soxr.resample(waveform, rate, sample_rate)
    n_samples = round(seconds * sample_rate)
    return np.pad(waveform[:n_samples], (0, max(0, n_samples - len(waveform))))


def _locate(folder):
    """Return the folder that the reader named."""
    if simulated.is_asked_for(folder, "corpus"):
        return simulated.simulate("corpus")
    place = Path(folder).expanduser()
    if not place.is_dir():
        raise FileNotFoundError(
            f"{place} is not a folder; expected FMA (naturalistic fetch fma --subset small --to "
            f"{shlex.quote(str(place))}) or 'simulated'"
        )
    return place


def _choose(place, subset):
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


def _track_id(path):
    """Return the id of a track by its file: six digits, also where a copy dropped zeros; other names as they are."""
    return f"{int(path.stem):06d}" if path.stem.isdecimal() else path.stem


def _read_table(path):
    """Return ``{id: (title, artist, genre)}`` of ``tracks.csv``."""
    table = cells(path)
    header = [next(table, []) for _ in range(3)]
    columns = list(zip(*header[:2]))
    missing = [name for name in WANTED.values() if name not in columns]
    if missing or header[2][:1] != ["track_id"]:
        raise ValueError(
            f"{path} is not FMA's table: expected a header of three rows (group, column, track_id) with "
            f"{', '.join(map(str, WANTED.values()))}"
        )
    places = [columns.index(name) for name in WANTED.values()]
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
