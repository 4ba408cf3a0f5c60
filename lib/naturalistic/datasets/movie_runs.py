"""Runs of ds005531: titles, seconds, splits and folds, and the runs, subjects and levels that a folder holds.

The lengths are those of Nakagi et al. (2024, EMNLP); the feature files of the release have as many rows, run by run.
Every run but an episode's first begins with the last 20 s of the run before it. How these are treated is an option:

``"authors"`` (the totals of the paper, which its code gives): an episode's first run keeps its first 20 s, all
others drop them; the second episode of *The Big Bang Theory* is left out. 22,262 s of training and 7,737 s of test.
That takes four readings: *DreamGirls* is one film, so that the first run of its second session drops 20 s too, and
its last two runs of all (the third and fourth of session 2) test; ``gis`` is one title of two episodes, both of which
begin with 20 s that are kept, and only the last of its four runs tests; the last run of *The Big Bang Theory* is the
second, as its other episode is left out.

``"paper"`` (the words of the paper): all runs drop their first 20 s. Nothing is left out: 31,045 s in all, the size
of the preprocessed data. The last run of *The Big Bang Theory* is then its fourth: 23,332 s train and 7,713 s test.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from naturalistic.datasets.annotations import KINDS, RELEASED, SPEECH
from naturalistic.datasets.bids_files import select_subjects
from naturalistic.datasets.openneuro import run_of
from naturalistic.parameters import some_of
from naturalistic.text_files import read_table

N_OVERLAP = 20  # s
OVERLAPS = ("authors", "paper")
# title, episode, task of the files, number of the first run, seconds of each run (overlap included)
_PARTS = (
    ("bigbangtheory", "bigbangtheory1", "bigbangtheory", 1, (747, 647)),
    ("bigbangtheory", "bigbangtheory2", "bigbangtheory", 3, (663, 623)),
    ("breakingbad", "breakingbad", "breakingbad", 1, (679, 709, 715, 722, 734)),
    ("crown", "crown", "crown", 1, (638, 625, 711, 844, 769)),
    ("dreamgirls", "dreamgirls", "dreamgirlsSess1", 1, (764, 821, 817, 592, 1118)),
    ("dreamgirls", "dreamgirls", "dreamgirlsSess2", 1, (691, 883, 684, 1271)),
    ("gis", "gis1", "gis", 1, (804, 726)),
    ("gis", "gis2", "gis", 3, (673, 852)),
    ("glee", "glee", "glee", 1, (722, 812, 601, 808)),
    ("heroes", "heroes", "heroes", 1, (617, 639, 512, 774, 732)),
    ("mentalist", "mentalist", "mentalist", 1, (737, 607, 660, 760)),
    ("suits", "suits", "suits", 1, (754, 968, 680)),
)
_LEFT_OUT = {"authors": ("bigbangtheory2",), "paper": ()}
_N_TEST = {"dreamgirls": 2}  # last runs of a title that test; 1 of all others
FOLDS = (
    ("breakingbad", "crown"),
    ("bigbangtheory", "dreamgirls"),
    ("gis", "glee", "suits"),
    ("heroes", "mentalist"),
)
COLUMNS = ("run", "title", "episode", "n_seconds", "n_overlap", "split", "fold", "repeat_of")  # of simulated data
SPLITS = ("Training", "Test")
_SUBJECTS = ("S01", "S02", "S03", "S04", "S05", "S06")


@dataclass(frozen=True)
class MovieRun:
    """One run: what was shown in it and what it is for.

    Attributes
    ----------
    name : str
        Task and run of its files, such as ``"crown_run-01"``.
    title, episode : str
        Such as ``"gis"`` and ``"gis2"``.
    n_seconds : int
        s of film, volumes of the scan and rows of an annotation.
    n_overlap : int
        s at the start that are dropped.
    split : str
        ``"Training"`` or ``"Test"``.
    fold : int
        Titles of one fold are left out together.
    repeat_of : str or None
        The run that showed the same before (in simulated data; no film of ds005531 was shown twice).
    """

    name: str
    title: str
    episode: str
    n_seconds: int
    n_overlap: int
    split: str
    fold: int
    repeat_of: str | None = None

    @property
    def n_kept(self) -> int:
        """Return the seconds that are left of the run."""
        return self.n_seconds - self.n_overlap


def published_runs(overlap: str = "authors") -> tuple[MovieRun, ...]:
    """Return the runs of ds005531, training first.

    Parameters
    ----------
    overlap : {"authors", "paper"}
        What becomes of the 20 s at the start of a run; see the module.

    Returns
    -------
    runs : tuple of MovieRun

    Raises
    ------
    ValueError
    """
    if overlap not in OVERLAPS:
        raise ValueError(f"overlap is {overlap!r}, expected one of {', '.join(OVERLAPS)}")
    runs: list[MovieRun] = []
    begun: set[str] = set()
    for title, episode, task, first, lengths in _PARTS:
        if episode in _LEFT_OUT[overlap]:
            continue
        fold = next(k for k, titles in enumerate(FOLDS) if title in titles)
        for number, n_seconds in enumerate(lengths, first):
            n_overlap = 0 if overlap == "authors" and episode not in begun else N_OVERLAP
            begun.add(episode)
            runs.append(MovieRun(f"{task}_run-{number:02d}", title, episode, n_seconds, n_overlap, "Training", fold))
    return _training_first(_with_test(runs))


def _training_first(runs: Sequence[MovieRun]) -> tuple[MovieRun, ...]:
    """Return runs in their order, those of the test last: both splits are then one stretch of a matrix."""
    return tuple(sorted(runs, key=lambda run: SPLITS.index(run.split)))


def read_runs(path: Path | str) -> tuple[MovieRun, ...]:
    """Return the runs of a data set with films of its own, training first: ``runs.tsv`` says what they show.

    Parameters
    ----------
    path : Path
        Tab-separated, with the `COLUMNS`; ``n/a`` in ``repeat_of`` where nothing was shown before.

    Returns
    -------
    runs : tuple of MovieRun

    Raises
    ------
    FileNotFoundError, ValueError
        Naming the file, the row, what was expected and what came.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: expected the runs of the simulated data; simulate them again")
    rows = read_table(path, COLUMNS, "\t")
    runs = [_row(f"{path}, row {k}", row) for k, row in enumerate(rows, 1)]
    names = [run.name for run in runs]
    wrong = [run.name for run in runs if names.count(run.name) > 1 or run.repeat_of not in (None, *names)]
    if wrong:
        raise ValueError(f"{path}: {wrong[0]} is there twice, or repeats a run that is not there")
    lasts = {run.name: (run.n_seconds, run.n_overlap) for run in runs}
    for run in runs:
        if run.repeat_of and lasts[run.name] != lasts[run.repeat_of]:
            raise ValueError(f"{path}: {run.name} has other seconds than {run.repeat_of}, which it repeats")
    return _training_first(runs)


def _with_test(runs: Sequence[MovieRun]) -> list[MovieRun]:
    """Mark the last run of each title, or the last two, as test."""
    marked = list(runs)
    for title in {run.title for run in runs}:
        of_title = [k for k, run in enumerate(runs) if run.title == title]
        for k in of_title[-_N_TEST.get(title, 1) :]:
            marked[k] = replace(runs[k], split="Test")
    return marked


def _row(where: str, row: dict[str, str]) -> MovieRun:
    """Return the run of a row of ``runs.tsv``."""
    try:
        n_seconds, n_overlap, fold = (int(row[name]) for name in ("n_seconds", "n_overlap", "fold"))
    except (TypeError, ValueError):
        raise ValueError(f"{where}: n_seconds, n_overlap and fold are no whole numbers: {row}") from None
    if row["split"] not in SPLITS or not 0 <= n_overlap < n_seconds:
        raise ValueError(
            f"{where}: split {row['split']!r} and {n_overlap} of {n_seconds} s dropped, expected "
            f"{' or '.join(SPLITS)}, and fewer seconds than the run has"
        )
    repeat_of = row["repeat_of"] if row["repeat_of"] not in ("", "n/a") else None
    return MovieRun(row["run"], row["title"], row["episode"], n_seconds, n_overlap, row["split"], fold, repeat_of)


def subjects_present(folder: Path) -> tuple[str, ...]:
    """Return the labels of the subjects of whom the folder has anything; there may be none, only text."""
    derived = folder / "derivatives" / "preprocessed_data"
    return tuple(s for s in _SUBJECTS if (folder / f"sub-{s}").is_dir() or (derived / f"sub-{s}").is_dir())


def select_movie_subjects(
    subjects: Sequence[int | str] | str | None, there: tuple[str, ...], folder: Path
) -> tuple[str, ...]:
    """Return the labels of the requested subjects; see `bids.select_subjects`."""
    return select_subjects(subjects, there, folder, _label)


def runs_present(folder: Path, table: Sequence[MovieRun], notes: list[str]) -> tuple[MovieRun, ...]:
    """Return the runs of which the folder has any file, and note those of which it has none."""
    places = [folder / "derivatives" / "annotation"]
    for subject in _SUBJECTS:
        places += [folder / f"sub-{subject}" / "func", folder / "derivatives" / "preprocessed_data" / f"sub-{subject}"]
    found = {run_of(f"/{path.name}") for place in places if place.is_dir() for path in place.iterdir()}
    there = tuple(run for run in table if run.name in found)
    if not there:
        raise FileNotFoundError(
            f"{folder} has no run in derivatives/annotation, derivatives/preprocessed_data or sub-S0X/func; expected "
            "the layout of ds005531, with a runs.tsv if its films are others"
        )
    missing = [run.name for run in table if run not in there]
    if missing:
        notes.append(f"{len(missing)} of {len(table)} runs are not there: {', '.join(missing)}")
    return there


def select_runs(runs: Sequence[str] | str | None, table: Sequence[MovieRun]) -> tuple[MovieRun, ...]:
    """Return the runs of a table with some names, training first as in the table."""
    names = [run.name for run in table]
    note = " (bigbangtheory_run-03 and 04 of ds005531 are left out with overlap='authors')"
    selected = some_of("runs", runs, names, note=note)
    return tuple(run for run in table if run.name in selected)


def _annotation_path(folder: Path, run: MovieRun, level: str, speech: str = "en") -> Path:
    """Return the annotation of a run on a level; where it has none of its own, that of the run it repeats."""
    kind = SPEECH[speech] if level == "Speech" else KINDS[level]
    paths = [
        folder / "derivatives" / "annotation" / f"{name}_{kind}_each1sec.txt"
        for name in (run.name, run.repeat_of)
        if name is not None
    ]
    return next((path for path in paths if path.is_file()), paths[0])


def levels_present(folder: Path, runs: Sequence[MovieRun]) -> tuple[str, ...]:
    """Return the levels of which some run has text, such as ``("Speech", "Object", "Story")``."""
    return tuple(
        level
        for level in KINDS
        if any(_annotation_path(folder, run, level, speech).is_file() for run in runs for speech in SPEECH)
    )


def check_level(folder: Path, runs: Sequence[MovieRun], level: str, speech: str) -> list[Path]:
    """Return the files of a level, one for each run.

    Raises
    ------
    ValueError, FileNotFoundError
        If there is no such level, it was never released, or files are missing: all are named at once.
    """
    if level not in KINDS or speech not in SPEECH:
        raise ValueError(
            f"level is {level!r} and speech {speech!r}, expected one of {', '.join(KINDS)}; and for speech one of "
            f"{', '.join(SPEECH)}"
        )
    paths = [_annotation_path(folder, run, level, speech) for run in runs]
    missing = [path for path in paths if not path.is_file()]
    if len(missing) == len(paths) and level not in RELEASED:
        raise ValueError(
            f"{folder} has no {level}: Nakagi et al. (2024) used it, but ds005531 was published without it; it has "
            f"{', '.join(RELEASED)}, and simulated data have all of {', '.join(KINDS)}"
        )
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise FileNotFoundError(
            f"{len(missing)} of {len(paths)} files of {level} are missing: {', '.join(map(str, missing[:3]))}{more}; "
            "fetch them (naturalistic fetch ds005531 --subject S01 --parts annotation --to "
            f"{shlex.quote(str(folder))}), or name the runs that you have"
        )
    return paths


def _label(subject: int | str) -> str:
    """Return ``"S01"`` of 1, "1", "S01" or "sub-S01"."""
    text = str(subject).removeprefix("sub-")
    return f"S{int(text):02d}" if text.isdigit() else text
