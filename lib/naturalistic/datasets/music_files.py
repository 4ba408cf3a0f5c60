"""Where the files of ds003720 are, and which of its subjects and runs a folder holds."""

from naturalistic.datasets import asked
from naturalistic.datasets.events import check_repeats, read_events
from naturalistic.parameters import some_of

SUBJECTS = ("001", "002", "003", "004", "005")
TRAINING = tuple(f"Training_run-{k:02d}" for k in range(1, 13))
TEST = tuple(f"Test_run-{k:02d}" for k in range(1, 7))
ENDS = ("events.tsv", "bold.json", "bold.nii", "bold.nii.gz")  # files of a run


def locate(dataset):
    """Return the root of the BIDS data set; see `asked.locate`."""
    return asked.locate(dataset, "ds003720", "music")


def known_subjects(subjects, there, folder):
    """Return the labels of the subjects that were asked for; see `asked.known_subjects`."""
    return asked.known_subjects(subjects, there, folder, _label)


def _label(subject):
    """Return ``"001"`` of 1, "1", "001" or "sub-001"."""
    return f"{int(subject):03d}" if str(subject).isdigit() else str(subject).removeprefix("sub-")


def runs_there(folder, subjects, notes):
    """Return the runs of which any subject has a file, and note those of which none has."""
    names = {path.name for s in subjects for path in (folder / f"sub-{s}" / "func").iterdir()}
    there = tuple(
        r for r in TRAINING + TEST if any(f"sub-{s}_task-{r}_{end}" in names for s in subjects for end in ENDS)
    )
    missing = [run for run in TRAINING + TEST if run not in there]
    if not there:
        raise FileNotFoundError(f"{folder / f'sub-{subjects[0]}' / 'func'} has no run; expected the layout of ds003720")
    if missing:
        notes.append(f"{len(missing)} of {len(TRAINING + TEST)} runs are not there: {', '.join(missing)}")
    return there


def known_runs(runs):
    """Return the runs that were asked for, training first."""
    known = TRAINING + TEST
    chosen = some_of("runs", runs, known)
    return tuple(run for run in known if run in chosen)


def same_for_all(folder, subjects, runs):
    """Return the clips of each run, after a look at every subject's file: all heard the same."""
    missing = [p for s in subjects for r in runs if not (p := events_path(folder, s, r)).is_file()]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise FileNotFoundError(
            f"{', '.join(map(str, missing[:3]))}{more} missing: expected the events of {len(runs)} "
            "runs of each subject; name those that are whole with subjects=[...]"
        )
    played = {}
    for run in runs:
        by_subject = {s: read_events(events_path(folder, s, run)) for s in subjects}
        played[run] = by_subject[subjects[0]]
        differ = [s for s in subjects if by_subject[s] != played[run]]
        if differ:
            raise ValueError(
                f"{run}: the clips of sub-{differ[0]} are not those of sub-{subjects[0]}, expected the same"
            )
        if run in TEST:
            check_repeats(events_path(folder, subjects[0], run), played[run])
    return played


def events_path(folder, subject, run):
    """Return the place of an event file."""
    return folder / f"sub-{subject}" / "func" / f"sub-{subject}_task-{run}_events.tsv"
