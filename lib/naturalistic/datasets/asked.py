"""What a caller asks of a BIDS data set: where it is, and whom of its subjects."""

from pathlib import Path

from naturalistic import simulated
from naturalistic.parameters import checked


def locate(dataset, accession, kind):
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
    folder = simulated.simulate(kind) if simulated.is_asked_for(dataset) else Path(dataset).expanduser()
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is not a folder; expected {accession} as downloaded, or 'simulated'")
    inner = folder / accession
    return inner if inner.is_dir() else folder


def known_subjects(subjects, there, folder, label):
    """Return the labels of the subjects that were asked for, all by default.

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
