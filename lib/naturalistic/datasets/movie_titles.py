"""What was shown in ds005531: titles, runs and their seconds, which runs test, which titles share a fold.

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

from dataclasses import dataclass, replace
from pathlib import Path

from naturalistic.text_files import read_table

N_OVERLAP = 20  # s
OVERLAPS = ("authors", "paper")
# title, episode, task of the files, number of the first run, seconds of each run (overlap included)
PARTS = (
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
LEFT_OUT = {"authors": ("bigbangtheory2",), "paper": ()}
N_TEST = {"dreamgirls": 2}  # last runs of a title that test; 1 of all others
FOLDS = (
    ("breakingbad", "crown"),
    ("bigbangtheory", "dreamgirls"),
    ("gis", "glee", "suits"),
    ("heroes", "mentalist"),
)
COLUMNS = ("run", "title", "episode", "n_seconds", "n_overlap", "split", "fold", "repeat_of")  # of a miniature
SPLITS = ("Training", "Test")


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
        The run that showed the same before (in a miniature; no film of ds005531 was shown twice).
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
    def n_kept(self):
        """Return the seconds that are left of the run."""
        return self.n_seconds - self.n_overlap


def published_runs(overlap="authors"):
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
    runs, begun = [], set()
    for title, episode, task, first, lengths in PARTS:
        if episode in LEFT_OUT[overlap]:
            continue
        fold = next(k for k, titles in enumerate(FOLDS) if title in titles)
        for number, n_seconds in enumerate(lengths, first):
            n_overlap = 0 if overlap == "authors" and episode not in begun else N_OVERLAP
            begun.add(episode)
            runs.append(MovieRun(f"{task}_run-{number:02d}", title, episode, n_seconds, n_overlap, "Training", fold))
    return training_first(_with_test(runs))


def training_first(runs):
    """Return runs in their order, those of the test last: both splits are then one stretch of a matrix."""
    return tuple(sorted(runs, key=lambda run: SPLITS.index(run.split)))


def read_runs(path):
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
        raise FileNotFoundError(f"{path} is missing: expected the runs of the miniature; make it again")
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
    return training_first(runs)


def _with_test(runs):
    """Mark the last run of each title, or the last two, as test."""
    marked = list(runs)
    for title in {run.title for run in runs}:
        of_title = [k for k, run in enumerate(runs) if run.title == title]
        for k in of_title[-N_TEST.get(title, 1) :]:
            marked[k] = replace(runs[k], split="Test")
    return marked


def _row(where, row):
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
