"""Sidecars of BIDS: JSON files that describe a run, its own before those of the folders above."""

import numpy as np

from naturalistic.text_files import read_json

REPETITION_TIME = "RepetitionTime"


def sidecars_of(path):
    """Return the JSON files that describe a run, the nearest first (BIDS: the inheritance principle).

    A file describes the run if its name has the run's suffix and no entity that the run's name lacks: beside
    ``sub-001/func/sub-001_task-rest_run-01_bold.json`` also ``sub-001/sub-001_task-rest_bold.json`` and
    ``task-rest_bold.json`` at the root.

    Parameters
    ----------
    path : Path
        The run's own sidecar, which need not exist.

    Returns
    -------
    paths : list of Path
    """
    own = path.stem.split("_")
    found = []
    for folder in _folders(path):
        names = [p for p in folder.glob(f"*{own[-1]}.json") if set(p.stem.split("_")) <= set(own)]
        found += sorted(names, key=lambda p: (-p.stem.count("_"), p.name))
    return found


def _folders(path):
    """Return the folder of a run and those above it, up to the root of the data set."""
    parents = list(path.parents)
    subject = next((k for k, folder in enumerate(parents) if folder.name.startswith("sub-")), 0)
    return parents[: subject + 2] if parents[subject].name.startswith("sub-") else parents[:1]


def read_sidecar(path):
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


def repetition_time(paths):
    """Return the repetition time in s of the first sidecar that states one, and that sidecar; None, None if none does.

    Raises
    ------
    ValueError
        Naming the sidecar that cannot be read, or whose RepetitionTime is no number of seconds above 0.
    """
    for path in paths:
        content = read_sidecar(path)
        if REPETITION_TIME in content:
            tr = content[REPETITION_TIME]
            if isinstance(tr, bool) or not isinstance(tr, (int, float)) or not np.isfinite(tr) or tr <= 0:
                raise ValueError(f"{path} says RepetitionTime {tr!r}, expected a number of seconds above 0")
            return float(tr), path
    return None, None
