"""Where the files of ds005531 are, and which of its subjects, runs and levels a folder holds."""

import shlex

from naturalistic.datasets import asked
from naturalistic.datasets.annotations import KINDS, RELEASED, SPEECH
from naturalistic.datasets.openneuro import run_of
from naturalistic.parameters import some_of

SUBJECTS = ("S01", "S02", "S03", "S04", "S05", "S06")


def locate(dataset):
    """Return the root of the BIDS data set; see `asked.locate`."""
    return asked.locate(dataset, "ds005531", "movie")


def subjects_there(folder):
    """Return the labels of the subjects of whom the folder has anything; there may be none, only text."""
    derived = folder / "derivatives" / "preprocessed_data"
    return tuple(s for s in SUBJECTS if (folder / f"sub-{s}").is_dir() or (derived / f"sub-{s}").is_dir())


def known_subjects(subjects, there, folder):
    """Return the labels of the subjects that were asked for; see `asked.known_subjects`."""
    return asked.known_subjects(subjects, there, folder, _label)


def runs_there(folder, table, notes):
    """Return the runs of which the folder has any file, and note those of which it has none."""
    places = [folder / "derivatives" / "annotation"]
    for subject in SUBJECTS:
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


def known_runs(runs, table):
    """Return the runs of a table with some names, training first as in the table."""
    names = [run.name for run in table]
    note = " (bigbangtheory_run-03 and 04 of ds005531 are left out with overlap='authors')"
    chosen = some_of("runs", runs, names, note=note)
    return tuple(run for run in table if run.name in chosen)


def annotation_path(folder, run, level, speech="en"):
    """Return the annotation of a run on a level; where it has none of its own, that of the run it repeats."""
    kind = SPEECH[speech] if level == "Speech" else KINDS[level]
    paths = [
        folder / "derivatives" / "annotation" / f"{name}_{kind}_each1sec.txt"
        for name in (run.name, run.repeat_of)
        if name is not None
    ]
    return next((path for path in paths if path.is_file()), paths[0])


def levels_there(folder, runs):
    """Return the levels of which some run has text, such as ``("Speech", "Object", "Story")``."""
    return tuple(
        level
        for level in KINDS
        if any(annotation_path(folder, run, level, speech).is_file() for run in runs for speech in SPEECH)
    )


def check_level(folder, runs, level, speech):
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
    paths = [annotation_path(folder, run, level, speech) for run in runs]
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


def _label(subject):
    """Return ``"S01"`` of 1, "1", "S01" or "sub-S01"."""
    text = str(subject).removeprefix("sub-")
    return f"S{int(text):02d}" if text.isdigit() else text
