"""BIDS data sets: their roots, their subjects, and the JSON sidecars that describe a run."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from naturalistic import simulated
from naturalistic.intact import read_json
from naturalistic.parameters import checked

_REPETITION_TIME = "RepetitionTime"


def dataset_root(dataset: Path | str, accession: str, kind: str) -> Path:
    """Return the root of a BIDS data set.

    Parameters
    ----------
    dataset : str or Path
        ``"simulated"``, or a folder: the data set, or one that holds it under its accession.
    accession : str
        Such as ``"ds003720"``.
    kind : str
        What `simulated.simulate` calls it; simulated in the cache where it is not there yet.

    Returns
    -------
    root : Path

    Raises
    ------
    FileNotFoundError
        If it is not there.
    ModuleNotFoundError
        If simulated data are asked for, and the simulation is not installed.
    """
    folder = simulated.simulate(kind) if simulated.is_requested(dataset) else Path(dataset).expanduser()
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is not a folder; expected {accession} as downloaded, or 'simulated'")
    inner = folder / accession
    return inner if inner.is_dir() else folder


def select_subjects(
    subjects: Sequence[int | str] | str | None, there: tuple[str, ...], folder: Path, label: Callable[[int | str], str]
) -> tuple[str, ...]:
    """Return the labels of the requested subjects, all by default.

    Parameters
    ----------
    subjects : list of int or str, or None
        Or the text of a list, such as ``"[1, 3]"``: that is what ``papermill -p subjects "[1, 3]"`` hands over.
    there : tuple of str
        Labels of those whom the folder has.
    folder : Path
    label : callable
        ``label(subject)`` is the label of what was asked for.

    Returns
    -------
    labels : tuple of str

    Raises
    ------
    ValueError
        If it is no list, is empty, or names somebody who is not there, or twice.
    """
    if subjects is None:
        return there
    asked = checked("subjects", subjects, [str], example=list(there[:2]) or None)
    labels = tuple(label(subject) for subject in asked)
    absent = [each for each in labels if each not in there]
    if absent:
        raise ValueError(f"subjects {absent}: {folder} has {', '.join(there) or 'none'}, expected one or more of them")
    if len(set(labels)) < len(labels):
        raise ValueError(f"subjects {', '.join(labels)}: expected each once, who comes twice would count twice")
    return labels


def sidecars_of(path: Path) -> list[Path]:
    """Return the files that describe a run, the nearest first (BIDS: the inheritance principle).

    A file describes the run if its name has the run's suffix and no entity that the run's name lacks: beside
    ``sub-001/func/sub-001_task-rest_run-01_bold.json`` also ``sub-001/sub-001_task-rest_bold.json`` and
    ``task-rest_bold.json`` at the root.

    Parameters
    ----------
    path : Path
        The run's own sidecar (``_bold.json``) or events (``_events.tsv``), which need not exist.

    Returns
    -------
    paths : list of Path
    """
    own = path.stem.split("_")
    found = []
    for folder in _folders(path):
        names = [p for p in folder.glob(f"*{own[-1]}{path.suffix}") if set(p.stem.split("_")) <= set(own)]
        found += sorted(names, key=lambda p: (-p.stem.count("_"), p.name))
    return found


def _folders(path: Path) -> list[Path]:
    """Return the folder of a run and those above it, up to the root of the data set."""
    parents = list(path.parents)
    subject = next((k for k, folder in enumerate(parents) if folder.name.startswith("sub-")), 0)
    return parents[: subject + 2] if parents[subject].name.startswith("sub-") else parents[:1]


def _read_sidecar(path: Path) -> dict[str, Any]:
    """Return what a sidecar says, as a dict.

    Raises
    ------
    ValueError
        Naming the file, if it is not JSON or no object.
    """
    content = read_json(path)
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__}, expected an object of keys and values")
    return content


def repetition_time(paths: list[Path]) -> tuple[float | None, Path | None]:
    """Return the repetition time in s of the first sidecar that states one, and that sidecar; None, None if none does.

    Raises
    ------
    ValueError
        Naming the sidecar that cannot be read, or whose RepetitionTime is no number of seconds above 0.
    """
    for path in paths:
        content = _read_sidecar(path)
        if _REPETITION_TIME in content:
            tr = content[_REPETITION_TIME]
            if isinstance(tr, bool) or not isinstance(tr, (int, float)) or not np.isfinite(tr) or tr <= 0:
                raise ValueError(f"{path} says RepetitionTime {tr!r}, expected a number of seconds above 0")
            return float(tr), path
    return None, None
