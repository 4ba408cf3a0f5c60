"""*Forrest Gump* in 15 brains: two hours of film, and what is said, shown, played and felt in it.

Hanke et al. (2014, Sci Data 1:140003; 2016, Sci Data 3:160092), studyforrest.org, OpenNeuro ds000113. Here are the mean
time series of 267 parcels of the Shen atlas, as published: detrended, motion regressed out, smoothed by 4 mm, z-scored
in each run. The film was cut into eight runs; the last 16 s of each are shown again at the start of the next. Subjects
heard it in German; the text of the dialogue is English.

Times are s of the film as shown. Nobody described each second by itself, as Object of ds005531 does, or minutes at a
time, as Summary: both levels are absent.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from naturalistic import simulated
from naturalistic.cache import cache_dir
from naturalistic.datasets import studyforrest_files as published
from naturalistic.datasets.annotations import Annotations, AnnotationTable, join_annotations
from naturalistic.datasets.download import DownloadError, VerifiedFiles, target_of
from naturalistic.datasets.fetch import fetch
from naturalistic.datasets.studyforrest_files import ATLAS, LABELS, N_TRS, NAME, TR
from naturalistic.datasets.studyforrest_tables import (
    EMOTIONS,
    TABLES,
    FilmGrid,
    FilmWords,
    by_second,
    find_words,
    line_bounds,
    read_emotions,
    read_low_level,
    read_tables,
    spoken_words,
)
from naturalistic.datasets.subject import Subject
from naturalistic.parameters import checked, some_of
from naturalistic.simulated import Titled

if TYPE_CHECKING:
    import pandas as pd

RUN_NAMES = tuple(f"run-{k}" for k in range(1, 9))
# s of the film at which each run begins, found where its frames agree with those that ended the run before
RUN_STARTS = (0.0, 886.0, 1752.08, 2612.16, 3572.2, 4480.28, 5342.36, 6410.44)
N_DROPPED = 12  # TRs at the start of a run: 8 show again what ended the run before, 4 hold the response to that
LEVELS = ("Speech", "Story", "TimePlace")
SPACE = "shen278"
ATTRIBUTION = (
    "Data: studyforrest.org, Hanke et al. (2014, Sci Data 1:140003; 2016, Sci Data 3:160092); parcel time series PDDL "
    "1.0, annotations CC0. Subjects heard the film in German; the text is English."
)
_SIDES = {"int": "inside", "ext": "outside"}
_TRIES = 3  # of a download, before it counts as impossible


@dataclass(frozen=True)
class StudyForrest(Titled):
    """The experiment: subjects, runs and annotations on the TRs.

    Attributes
    ----------
    name : str
    is_simulated : bool
        Whether film and brains were simulated, and nothing was measured.
    folder : Path
    subjects : tuple of str
        Labels, such as ``"01"``; none where there are only tables.
    run_names : tuple of str
        ``"run-1"`` ... ``"run-8"``, or some of them.
    n_trs : tuple of int
        TRs of each run.
    run_starts : tuple of float
        s of the film at which each run begins.
    notes : list of str
        What is missing and why; to be shown.
    tables : dict of str to list of dict
        Rows by the name of the file; times are numbers, all else is text.
    labels : int array (267,)
        Parcels of the Shen atlas that all subjects have.
    tr : float
        s.
    n_dropped : int
        TRs at the start of each run that should not count: they show the 16 s that ended the run before, and hold the
        response to them.
    levels : tuple of str
        What `annotations` takes.
    """

    name: str
    is_simulated: bool
    folder: Path
    subjects: tuple[str, ...]
    run_names: tuple[str, ...]
    n_trs: tuple[int, ...]
    run_starts: tuple[float, ...]
    notes: list[str]
    tables: dict[str, list[dict[str, Any]]] = field(repr=False)
    labels: NDArray = field(default_factory=LABELS.copy, repr=False)
    tr: float = TR
    n_dropped: int = N_DROPPED
    levels: tuple[str, ...] = LEVELS
    is_published: bool = False  # files are compared with their published SHA-256

    # --- time ---

    @property
    def grid(self) -> FilmGrid:
        """Return the TRs of the runs on the clock of the film."""
        return FilmGrid(self.run_names, self.run_starts, self.n_trs, self.tr)

    @property
    def runs(self) -> NDArray:
        """Return the run of each TR, as index into ``run_names`` (n_trs,)."""
        return self.grid.runs

    @property
    def n_seconds(self) -> dict[str, int]:
        """Return the seconds of each run, by name."""
        return {run: int(n * self.tr) for run, n in zip(self.run_names, self.n_trs)}

    def tr_times(self) -> NDArray:
        """Return the s of the film at which each TR begins (n_trs,)."""
        return self.grid.tr_times

    def is_repeated(self) -> NDArray:
        """Return the TRs at the start of a run that show what ended the run before: bool (n_trs,)."""
        ends = np.add(RUN_STARTS, np.multiply(N_TRS, TR))
        end_before = dict(zip(RUN_NAMES, [0.0, *ends[:-1]]))
        return self.tr_times() < np.repeat([end_before[run] - 1e-6 for run in self.run_names], self.n_trs)

    def is_dropped(self) -> NDArray:
        """Return the first ``n_dropped`` TRs of each run: bool (n_trs,)."""
        return np.concatenate([np.arange(n) < self.n_dropped for n in self.n_trs])

    # --- brains ---

    @property
    def is_whole(self) -> bool:
        """Whether these are the published data with every subject and run."""
        everybody = self.subjects == published.published_subjects()
        return not self.is_simulated and everybody and self.run_names == RUN_NAMES

    def open_subject(self, label: str) -> Subject:
        """Return one subject: mean time series of the parcels, as published.

        Parameters
        ----------
        label : str
            Such as ``"01"``.

        Raises
        ------
        FileNotFoundError, ValueError
            On a subject that does not exist, or a file that is missing, damaged or of another commit.
        """
        if label not in self.subjects:
            raise ValueError(f"subject is {label!r}, expected one of {', '.join(self.subjects) or 'none'}")
        runs = [RUN_NAMES.index(run) for run in self.run_names]
        bold = published.read_bold(self.folder, label, runs, self.is_published)
        return Subject(
            label,
            bold,
            self.runs,
            self.run_names,
            self.tr,
            SPACE,
            locate=lambda: published.parcel_coordinates(self.folder),
            folder=self.folder,
        )

    @property
    def atlas(self) -> Path | None:
        """Return the label image of the Shen atlas (MNI, 3 mm), or None where the folder lacks it."""
        return published.atlas_path(self.folder)

    def networks(self) -> tuple[str, ...] | None:
        """Return the network of each parcel (267), or None where the folder lacks the file; see `NETWORKS`."""
        return published.networks(self.folder)

    # --- picture and sound ---

    def low_level(self) -> dict[str, NDArray]:
        """Return light and sound of each TR, by name: float arrays (n_trs,).

        Means of the frames (0.04 s) of a TR: ``brightness``, ``brightness_left_right``, ``brightness_up_down``,
        ``frame_difference``, ``log_rms`` (logarithm of the mean rms of the sound) and ``loudness_left_right``.

        Raises
        ------
        FileNotFoundError, ValueError
            Where the folder has neither the per-frame files nor their means, or one of them ends early.
        """
        return read_low_level(self.folder, self.grid, self._check)

    def cuts(self) -> NDArray:
        """Return the number of shots that begin in each TR (n_trs,)."""
        return self.grid.counts([row["start"] for row in self.tables["shots.csv"]])

    def music(self) -> NDArray:
        """Return the share of each TR in which music plays (n_trs,)."""
        rows = self.tables["music.tsv"]
        return self.grid.share([r["onset"] for r in rows], [r["onset"] + r["duration"] for r in rows])

    # --- words ---

    def lines(self) -> pd.DataFrame:
        """Return the lines of the dialogue: a row for each line and run in which it begins.

        Columns: ``line`` (index into ``english_dialog.csv``), ``start`` and ``end`` (s of the film), ``person``,
        ``text``, ``run`` (index into ``run_names``), ``start_in_run`` and ``end_in_run`` (s). A line in the 16 s that
        two runs share has two rows.
        """
        import pandas as pd

        rows = self.tables["english_dialog.csv"]
        starts, ends = line_bounds(rows)
        parts = []
        for run, edges in enumerate(self.grid.edges()):
            inside = np.flatnonzero((starts >= edges[0]) & (starts < edges[-1]))
            columns = {
                "line": inside,
                "start": starts[inside],
                "end": ends[inside],
                "person": [rows[k]["person"] for k in inside],
                "text": [rows[k]["text"] for k in inside],
                "run": run,
                "start_in_run": starts[inside] - edges[0],
                "end_in_run": ends[inside] - edges[0],
            }
            parts.append(pd.DataFrame(columns))
        return pd.concat(parts, ignore_index=True)

    def words(self) -> FilmWords:
        """Return the words of the dialogue, those of a line spread evenly over it, as `FilmWords`."""
        return find_words(self.tables["english_dialog.csv"], self.grid)

    def speech(self) -> dict[str, NDArray]:
        """Return ``on``, the share of each TR in which somebody speaks, and ``words_per_second`` (n_trs,)."""
        rows = self.tables["english_dialog.csv"]
        starts, ends = line_bounds(rows)
        n_words = [len(spoken_words(row["text"])) for row in rows]
        return {"on": self.grid.share(starts, ends), "words_per_second": self.grid.rate(starts, ends, n_words)}

    def audio_description(self) -> dict[str, NDArray]:
        """Return ``on`` and ``words_per_second`` of the German audio description, which these subjects did not hear.

        A control: it speaks where the film is silent, so that its presence alone predicts auditory cortex.
        """
        rows = self.tables["german_audio_description.csv"]
        starts, ends = line_bounds(rows)
        n_words = [len(spoken_words(row["text"])) for row in rows]
        return {"on": self.grid.share(starts, ends), "words_per_second": self.grid.rate(starts, ends, n_words)}

    def emotions(self) -> tuple[tuple[str, ...], NDArray[np.float32]]:
        """Return the names of emotions and their values on the TRs (n_trs, n): means over the characters.

        Raises
        ------
        FileNotFoundError, ValueError
            If the table is missing or damaged.
        """
        path = published.needed_file(self.folder, EMOTIONS, "the emotions of the characters")
        self._check(path, EMOTIONS)
        return read_emotions(path, self.grid)

    def annotations(self, level: str) -> Annotations:
        """Return the text of each second of the runs on one level, as `annotations.Annotations`.

        Parameters
        ----------
        level : {"Speech", "Story", "TimePlace"}
            Lines of the dialogue in all seconds in which they are heard; the German audio description; places by
            ``locations.tsv`` and ``scenes.csv``, two descriptions, each until the next one.

        Raises
        ------
        ValueError
            On a level that the tables do not have.
        """
        if level not in LEVELS:
            raise ValueError(f"level is {level!r}, the tables have {', '.join(LEVELS)}: nobody wrote another one")
        if level == "Speech":
            lines = self.tables["english_dialog.csv"]
            rows = [(*bounds, (r["text"], r["person"])) for *bounds, r in zip(*line_bounds(lines), lines)]
            said = by_second(rows, ("", ""), self.grid)
            return join_annotations(level, {run: _split_speakers(seconds) for run, seconds in said.items()})
        if level == "Story":
            rows = [(r["start"], r["end"], r["text"]) for r in self.tables["german_audio_description.csv"]]
            told = by_second(rows, "", self.grid)
            return join_annotations(level, {run: AnnotationTable(seconds, None) for run, seconds in told.items()})
        columns = [by_second(rows, "", self.grid) for rows in (self._locations(), self._scenes())]
        # of two places in one second the later one counts: each is described by both once
        last = {run: [[c[run][k][-1] for c in columns] for k in range(n)] for run, n in self.n_seconds.items()}
        return join_annotations(level, {run: AnnotationTable(seconds, None) for run, seconds in last.items()})

    def __str__(self) -> str:
        """Say what this is, its shapes, what is missing, and whose it is."""
        minutes = sum(self.n_trs) * self.tr / 60
        lines = [
            f"{self.name}: no brain was measured" if self.is_simulated else self.name,
            f"{len(self.subjects)} subjects x {sum(self.n_trs):,} TRs of {self.tr:g} s x {len(self.labels)} parcels; "
            f"{len(self.run_names)} runs, {minutes:.0f} min; levels: {', '.join(self.levels)}",
            *self.notes,
        ]
        return "\n".join(lines if self.is_simulated else [*lines, ATTRIBUTION])

    def _check(self, path: Path, name: str) -> None:
        if self.is_published:
            published.check_published(path, name)

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


def load(
    dataset: Path | str = NAME,
    *,
    subjects: Sequence[int | str] | str | None = None,
    runs: Sequence[str] | str | None = None,
    fallback: str | None = None,
) -> StudyForrest:
    """Open the experiment.

    Parameters
    ----------
    dataset : str or Path
        ``"studyforrest"`` (see `locate`), ``"simulated"``, or a folder in one of the layouts of `studyforrest_files`.
    subjects : list of int or str, optional
        Such as ``[1, "02"]``, or the text of such a list; all by default. Only theirs are downloaded.
    runs : list of str, optional
        Such as ``["run-1"]``; all by default.
    fallback : {"simulated"}, optional
        What is opened where ``"studyforrest"`` cannot be had; the first line of output says so.

    Returns
    -------
    film : StudyForrest

    Raises
    ------
    FileNotFoundError, ValueError
        On a missing or damaged table, subjects or runs that do not exist, or a subject asked for twice.
    DownloadError
        If the data are nowhere and there is no ``fallback``.
    """
    if subjects is not None:
        subjects = checked("subjects", subjects, [str], example=["01", "02"])
    selected = RUN_NAMES if runs is None else some_of("runs", runs, RUN_NAMES)
    if fallback not in (None, simulated.NAME):
        raise ValueError(f"fallback is {fallback!r}, expected None or {simulated.NAME!r}")
    notes: list[str] = []
    is_published = str(dataset) == NAME
    if simulated.is_requested(dataset):
        folder = simulated.simulate("film")
    elif is_published:
        folder = locate(subjects, fallback, notes)
    else:
        folder = Path(dataset).expanduser()
    is_simulated = simulated.is_simulated(folder)
    is_published = is_published and not is_simulated
    labels = _select_subjects(subjects, folder)
    if not labels:
        notes.append("no subject is there: only the film's annotations can be read")
    if published.atlas_path(folder) is None:
        notes.append(
            f"{ATLAS} is not there: no coordinates of parcels, no maps (naturalistic fetch studyforrest --parts atlas)"
        )
    names = [run for run in RUN_NAMES if run in selected]
    return StudyForrest(
        name=simulated.name_of(NAME) if is_simulated else "studyforrest, Forrest Gump",
        is_simulated=is_simulated,
        folder=folder,
        subjects=labels,
        run_names=tuple(names),
        n_trs=tuple(N_TRS[RUN_NAMES.index(run)] for run in names),
        run_starts=tuple(RUN_STARTS[RUN_NAMES.index(run)] for run in names),
        notes=notes,
        tables=_tables(folder, is_published),
        is_published=is_published,
    )


def locate(
    subjects: Sequence[int | str] | None = None, fallback: str | None = None, notes: list[str] | None = None
) -> Path:
    """Return the folder of the published data, downloading them if it must.

    Looked for in ``$NATURALISTIC_DATA/studyforrest``, then in the cache, then in the public repositories (202 MB of CSV
    for all subjects), each file compared with its SHA-256. CSV stay in the cache: the folder is then the published
    tree, which can be checked, copied and read again by a later version without network.

    Parameters
    ----------
    subjects : list of int or str, optional
        Those that are needed; all by default.
    fallback : {"simulated"}, optional
        What stands in for the data where they are not to be had.
    notes : list of str, optional
        Gets what could not be downloaded and is not needed: the image of the atlas.

    Raises
    ------
    RequestError
        Before anything is downloaded: an unknown subject, a disk without room.
    DownloadError
        If the data are nowhere and there is no ``fallback``.
    """
    own = os.environ.get("NATURALISTIC_DATA")
    if own and (Path(own).expanduser() / NAME).is_dir():
        return Path(own).expanduser() / NAME
    if own:
        print(f"$NATURALISTIC_DATA ({own}) has no folder {NAME}; looking in the cache and at the public copies.")
    folder = cache_dir() / NAME
    try:
        _download(folder, _TRIES, subjects=subjects, parts=["bold", "annotations"])
    except DownloadError as error:
        if fallback is None:
            raise
        print(f"SIMULATED DATA: {NAME} is not to be had here, what follows is no brain's. ({error})")
        return simulated.simulate("film")
    try:
        _download(folder, 1, parts=["atlas"])
    except DownloadError as error:
        if notes is not None:
            notes.append(f"the atlas could not be downloaded ({error})")
    return folder


def _download(folder: Path, n_tries: int, **selection: Any) -> None:
    """Download what is not there; without a lock where all is there, so that chapters may load it side by side."""
    verified = VerifiedFiles(folder)
    files = published.download_plan(**selection).files
    if not all(verified.holds(file, target_of(file, folder)) for file in files):
        fetch(NAME, folder, n_connections=8, n_tries=n_tries, **selection)


def _select_subjects(subjects: Sequence[str] | None, folder: Path) -> tuple[str, ...]:
    """Return the labels of the requested subjects, in the order of the request."""
    known = published.subjects_present(folder)
    if subjects is None:
        return known
    labels = tuple(published.subject_label(each, known, folder) for each in subjects)
    if len(set(labels)) < len(labels):
        raise ValueError(f"subjects {', '.join(labels)}: expected each once, who comes twice would count twice")
    return labels


def _tables(folder: Path, is_published: bool) -> dict[str, list[dict[str, Any]]]:
    """Return the tables of a folder, or name all that are missing."""
    found = {name: published.find_file(folder, name) for name in TABLES}
    if missing := [name.rpartition("/")[2] for name, path in found.items() if path is None]:
        raise FileNotFoundError(
            f"{folder} lacks {', '.join(missing)}: expected tables of "
            "https://github.com/psychoinformatics-de/studyforrest-data-annotations; download them: "
            f"naturalistic fetch studyforrest --parts annotations --to {folder}"
        )
    if is_published:
        for name, path in found.items():
            published.check_published(path, name)
    return read_tables(found)


def _split_speakers(seconds: list[list[tuple[str, str]]]) -> AnnotationTable:
    """Return texts and speakers of seconds of pairs."""
    texts = [[text for text, _ in second] for second in seconds]
    return AnnotationTable(texts, [[name for _, name in second] for second in seconds])
