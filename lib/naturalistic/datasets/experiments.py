"""Experiment of any folder that a lab has: BIDS with fMRIPrep's output, or the published series of ds003020."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from naturalistic import simulated
from naturalistic.datasets import bids, lebel
from naturalistic.datasets.bids import BidsExperiment
from naturalistic.datasets.lebel import LeBel
from naturalistic.datasets.run_events import EVENTS, RunEvents
from naturalistic.datasets.words import Transcript

Experiment = BidsExperiment | LeBel


def open_experiment(
    folder: Path | str,
    *,
    task: str | Sequence[str] | None = None,
    subjects: Sequence[int | str] | str | None = None,
    sessions: Sequence[str] | str | None = None,
    space: str | None = None,
    derivatives: Path | str | None = None,
    tr: float | None = None,
) -> Experiment:
    """Open the experiment of a folder by its layout.

    Parameters
    ----------
    folder : Path or str
    task : str or list of str, optional
        Of the published series of ds003020: stories.
    subjects, sessions, space, derivatives, tr
        As in `datasets.bids.load`.

    Returns
    -------
    experiment : BidsExperiment or LeBel

    Raises
    ------
    FileNotFoundError, ValueError
        As `datasets.bids.load` and `datasets.lebel.load`.
    """
    if lebel.is_layout(folder) and space is None and derivatives is None:
        stories = [task] if isinstance(task, str) else task
        return lebel.load(folder, subjects=subjects, stories=stories)
    options = {"subjects": subjects, "sessions": sessions, "space": space, "derivatives": derivatives, "tr": tr}
    return bids.load(folder, task=task, **options)


def dataset_folder(dataset: Path | str) -> Path:
    """Return the folder of a data set, simulated if it is called so.

    Parameters
    ----------
    dataset : str or Path
        ``"simulated"``: an experiment in the layout of fMRIPrep, with a ground truth. Or a folder.
    """
    return simulated.simulate("lab") if simulated.is_requested(dataset) else Path(dataset).expanduser()


def stimulus_files(folder: Path, stimulus: Path | str | None = None) -> str | dict[str, str] | None:
    """Return the files of a stimulus by run: those that are named, or those in ``stimuli`` of the data set.

    Parameters
    ----------
    folder : Path
        Root of the data set.
    stimulus : str or Path, optional
        As in `stimuli_by_run`, also ``"events"``.
    """
    if stimulus is None and (folder / "stimuli").is_dir():
        stimulus = folder / "stimuli"
    return None if stimulus is None else stimuli_by_run([str(stimulus)])


def stimuli_by_run(paths: Sequence[str] | None) -> str | dict[str, str] | None:
    """Return files of a stimulus as one for all runs, or by run.

    Parameters
    ----------
    paths : list of str, optional
        ``"events"``: each run's own events of BIDS (a folder of that name is ``./events``). Or one path; or texts such
        as ``"task-story=words.TextGrid"`` and ``"run-2=b.srt"``: a run or a part of its name, and the file; or a folder
        whose files are named so: ``ses-1_run-2.TextGrid``, ``task-story_words.csv``.

    Returns
    -------
    stimuli : str, dict of str to str, or None

    Raises
    ------
    ValueError
        If there are several and one does not say of which run it is, or two are of the same.
    """
    if not paths:
        return None
    if list(paths) == [EVENTS]:
        return EVENTS
    if len(paths) == 1 and Path(paths[0]).is_dir():
        return _by_name(Path(paths[0]))
    if len(paths) == 1 and ("=" not in paths[0] or Path(paths[0]).exists()):
        return paths[0]
    by_run: dict[str, str] = {}
    for text in paths:
        run, sign, path = text.partition("=")
        if not sign or not run or not path or run in by_run:
            raise ValueError(
                f"{text!r} does not say of which run it is, expected RUN=FILE, such as run-2=words.TextGrid"
            )
        by_run[run] = path
    return by_run


def _by_name(folder: Path) -> dict[str, str]:
    """Return the files of a folder by the entities of their names."""
    by_run: dict[str, str] = {}
    for path in sorted(folder.iterdir()):
        run = "_".join(part for part in path.stem.split("_") if "-" in part)
        if path.name.startswith(".") or path.is_dir() or not run:
            continue
        if run in by_run:
            raise ValueError(f"{folder} has two files of {run}: {by_run[run]} and {path}; name the one, {run}=FILE")
        by_run[run] = str(path)
    if not by_run:
        raise ValueError(f"{folder} has no file whose name says of which run it is, expected such as run-2.TextGrid")
    return by_run


def stimulus_of(experiment: Experiment, label: str, stimulus: Any) -> Any:
    """Return the stimulus of a subject: that of all, or with ``"events"`` the events of the subject's own runs.

    Parameters
    ----------
    experiment : BidsExperiment or LeBel
    label : str
        Of the subject.
    stimulus : str, dict, or other
        From `stimuli_by_run` or `stimulus_files`, or what `features.stimulus.stimulus_spaces` takes.

    Returns
    -------
    stimulus : dict of str to RunEvents, or what was given

    Raises
    ------
    FileNotFoundError, ValueError
        If a run has no events, or the data set is none of BIDS; as `datasets.run_events.read_run_events`.
    """
    if stimulus != EVENTS:
        return stimulus
    if isinstance(experiment, LeBel):
        raise ValueError(f"{experiment.folder} has series of stories and no events of runs: leave the stimulus out")
    events: dict[str, RunEvents] = experiment.events(label)
    return events


def published_words(experiment: Experiment) -> Mapping[str, Transcript] | None:
    """Return the words that a data set publishes by run, or None where it publishes none in a known place.

    Parameters
    ----------
    experiment : BidsExperiment or LeBel
    """
    return experiment.transcripts() if isinstance(experiment, LeBel) else None
