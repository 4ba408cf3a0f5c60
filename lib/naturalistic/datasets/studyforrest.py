"""*Forrest Gump* as studyforrest.org described it: who says what, what is seen, where and when, cuts and music.

Tables of https://github.com/psychoinformatics-de/studyforrest-data-annotations (CC0), all in one folder; their fMRI is
OpenNeuro ds000113. Times are s from the start of the film as shown in the scanner, in eight segments. Here each
segment is a run and each second a row, with the same structure as the text of ds005531 (`annotations`):

- Speech: ``english_dialog.csv``, each line in all seconds in which it is heard;
- Story: ``german_audio_description.csv``, what is told to blind listeners, in German, where nobody speaks;
- TimePlace: ``locations.tsv`` and ``scenes.csv``, two descriptions, each until the next one.

Nobody described each second by itself, as Object of ds005531 does, or minutes at a time, as Summary: both are absent.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from naturalistic.datasets.annotations import Annotations, AnnotationTable, join_annotations
from naturalistic.parameters import some_of
from naturalistic.text_files import number, read_table

# file -> its columns
TABLES = {
    "fmri_segments.csv": ("start", "end", "id"),
    "english_dialog.csv": ("start", "end", "person", "text"),
    "german_audio_description.csv": ("start", "end", "text"),
    "locations.tsv": ("onset", "duration", "major_location", "setting", "locale", "int_or_ext", "time_of_day"),
    "scenes.csv": ("start", "location", "tod", "setting"),
    "shots.csv": ("start",),
    "music.tsv": ("onset", "duration", "artist", "title"),
}
LEVELS = ("Speech", "Story", "TimePlace")
ATTRIBUTION = "Text: studyforrest.org, annotations of Forrest Gump, CC0."
_TIMES = ("start", "end", "onset", "duration")
_MOST_BACKWARDS = 1.0  # s; one line of the published dialogue ends 0.1 s before it begins
_SIDES = {"int": "inside", "ext": "outside"}


@dataclass(frozen=True)
class StudyForrest:
    """The film's text and where it is cut into runs.

    Attributes
    ----------
    folder : Path
    run_names : tuple of str
        ``"segment-1"`` ... ``"segment-8"``, or some of them.
    bounds : dict of str to (int, int)
        First second of a run, and the second after its last one, from the start of the film.
    tables : dict of str to list of dict
        AnnotationTable by file; times are floats, all else is text.
    levels : tuple of str
    """

    folder: Path
    run_names: tuple
    bounds: dict
    tables: dict
    levels: tuple = LEVELS
    is_simulated: bool = False

    @property
    def n_seconds(self) -> dict[str, int]:
        """Return the seconds of each run, by name."""
        return {run: stop - start for run, (start, stop) in self.bounds.items()}

    def annotations(self, level: str) -> Annotations:
        """Return the text of each second on one level, as `annotations.Annotations`.

        Raises
        ------
        ValueError
            On a level that the tables do not have.
        """
        if level not in LEVELS:
            raise ValueError(f"level is {level!r}, the tables have {', '.join(LEVELS)}: nobody wrote another one")
        if level == "Speech":
            rows = [(r["start"], r["end"], (r["text"], r["person"])) for r in self.tables["english_dialog.csv"]]
            said = self._by_second(rows, ("", ""))
            return join_annotations(level, {run: AnnotationTable(*_apart(seconds)) for run, seconds in said.items()})
        if level == "Story":
            rows = self.tables["german_audio_description.csv"]
            told = self._by_second([(r["start"], r["end"], r["text"]) for r in rows], "")
            return join_annotations(level, {run: AnnotationTable(seconds, None) for run, seconds in told.items()})
        columns = [self._by_second(rows, "") for rows in (self._locations(), self._scenes())]
        # of two places in one second the later one counts: each is described by both once
        last = {run: [[c[run][k][-1] for c in columns] for k in range(n)] for run, n in self.n_seconds.items()}
        return join_annotations(level, {run: AnnotationTable(seconds, None) for run, seconds in last.items()})

    def cuts(self) -> NDArray:
        """Return the number of cuts from shot to shot in each second (n_seconds of all runs,)."""
        onsets = np.floor([row["start"] for row in self.tables["shots.csv"]]).astype(int)
        counted = np.bincount(onsets, minlength=max(stop for _, stop in self.bounds.values()))
        return np.concatenate([counted[start:stop] for start, stop in self.bounds.values()])

    def music(self) -> Annotations:
        """Return artist and title of what is played in each second, as `annotations.Annotations`."""
        rows = [
            (r["onset"], r["onset"] + r["duration"], f"{r['artist']}: {r['title']}") for r in self.tables["music.tsv"]
        ]
        return join_annotations(
            "Music", {run: AnnotationTable(seconds, None) for run, seconds in self._by_second(rows, "").items()}
        )

    def title(self, text: str) -> str:
        """Return ``text`` as a figure title."""
        return text

    def __str__(self) -> str:
        """Say what this is, how much, and whose it is."""
        seconds = sum(self.n_seconds.values())
        return f"Forrest Gump, {len(self.run_names)} runs, {seconds:,} s; levels: {', '.join(LEVELS)}\n{ATTRIBUTION}"

    def _locations(self) -> Iterator[tuple[float, float, str]]:
        for row in self.tables["locations.tsv"]:
            places = dict.fromkeys((row["major_location"], row["setting"], row["locale"]))
            text = ", ".join((*places, _SIDES.get(row["int_or_ext"], row["int_or_ext"]), row["time_of_day"]))
            yield row["onset"], row["onset"] + row["duration"], text

    def _scenes(self) -> Iterator[tuple[float, float, str]]:
        rows = self.tables["scenes.csv"]
        ends = [*(row["start"] for row in rows[1:]), np.inf]
        for row, end in zip(rows, ends):
            side = _SIDES.get(row["setting"].lower(), row["setting"].lower())
            yield row["start"], end, f"{row['location'].lower()}, {side}, {row['tod'].lower()}"

    def _by_second(self, rows: Iterable[tuple[float, float, Any]], nothing: Any) -> dict[str, list[list]]:
        """Return by run what is going on in each second, in order of time; ``[nothing]`` where nothing is."""
        stop = max(stop for _, stop in self.bounds.values())
        seconds = [[] for _ in range(stop)]
        for start, end, what in sorted(rows, key=lambda row: row[0]):
            # one line of dialogue ends 0.1 s before it starts: what is there lasts a second at least
            for k in range(int(start), max(int(np.ceil(min(end, stop))), min(int(start) + 1, stop))):
                seconds[k].append(what)
        whole = [there or [nothing] for there in seconds]
        return {run: whole[start:stop] for run, (start, stop) in self.bounds.items()}


def load(folder: Path | str, *, runs: Sequence[str] | str | None = None) -> StudyForrest:
    """Open the tables.

    Parameters
    ----------
    folder : str or Path
        With all files of `TABLES`.
    runs : list of str, optional
        Such as ``["segment-1"]``; all by default.

    Returns
    -------
    film : StudyForrest

    Raises
    ------
    FileNotFoundError, ValueError
        Naming all files that are missing; a column or a time that is not there; runs that do not exist.
    """
    folder = Path(folder).expanduser()
    missing = [name for name in TABLES if not (folder / name).is_file()]
    if missing:
        raise FileNotFoundError(
            f"{folder} lacks {', '.join(missing)}: expected tables of "
            "https://github.com/psychoinformatics-de/studyforrest-data-annotations, all in this folder"
        )
    tables = {name: _read(folder / name, columns) for name, columns in TABLES.items()}
    bounds = _bounds(folder / "fmri_segments.csv", tables["fmri_segments.csv"])
    chosen = tuple(bounds) if runs is None else some_of("runs", runs, tuple(bounds))
    bounds = {run: bound for run, bound in bounds.items() if run in chosen}
    return StudyForrest(folder, tuple(bounds), bounds, tables)


def _apart(seconds: list[list[tuple[str, str]]]) -> tuple[list[list[str]], list[list[str]]]:
    """Return texts and speakers of seconds of pairs."""
    return [[text for text, _ in second] for second in seconds], [[name for _, name in second] for second in seconds]


def _bounds(path: Path, rows: list[dict[str, Any]]) -> dict[str, tuple[int, int]]:
    """Return first second and end of each segment by its name, or say which does not follow the one before it."""
    bounds = {}
    last = 0
    for k, row in enumerate(rows, 1):
        start = int(row["start"])
        stop = int(row["end"])
        name = f"segment-{row['id'].strip()}"
        if name in bounds or not last <= start < stop:
            raise ValueError(
                f"{path}, row {k}: {name} from {start} to {stop} s, expected each segment once, behind the end of the "
                f"one before it ({last} s)"
            )
        bounds[name] = (start, stop)
        last = stop
    return bounds


def _read(path: Path, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows of a table in order of time, times as numbers."""
    rows = read_table(path, columns, "\t" if path.suffix == ".tsv" else ",")
    times = [name for name in columns if name in _TIMES]
    for k, row in enumerate(rows, 1):
        where = f"{path}, row {k} ({list(row.values())})"
        try:
            row.update({name: number(row[name]) for name in times})
        except ValueError as error:
            raise ValueError(f"{where}: {error}; was the file cut short?") from error
        begin = row[times[0]]
        length = row["duration"] if "duration" in times else row.get("end", begin) - begin if "end" in times else 0
        if begin < 0:
            raise ValueError(f"{where} begins {-begin:g} s before the film, expected {times[0]} of 0 s or more")
        if length < -_MOST_BACKWARDS:
            raise ValueError(f"{where} ends {-length:g} s before it begins, expected an end behind {times[0]}")
    return rows if path.name == "fmri_segments.csv" else sorted(rows, key=lambda row: row[times[0]])
