"""Which files of an OpenNeuro data set to fetch: those of the chosen subjects, runs and parts."""

import re
from dataclasses import replace
from importlib.resources import files

from naturalistic.datasets.plan import Plan, RequestError, read_files

BUCKET = "https://s3.amazonaws.com/openneuro.org"
PARTS = {  # fetched unless others are asked for; what belongs to no part and no subject always comes along
    "ds003720": ("anat", "func"),
    "ds005531": ("annotation", "preprocessed_data", "pycortex_db"),
}


def manifest(name):
    """Return the published files of ``"ds003720"`` or ``"ds005531"``, as a tuple of `RemoteFile`."""
    return read_files(files("naturalistic.datasets") / f"{name}.txt")


def plan(name, *, subjects=None, runs=None, parts=None):
    """Return the `Plan` to fetch a data set, or some of it.

    Parameters
    ----------
    name : str
        ``"ds003720"`` (music, 46.5 GB) or ``"ds005531"`` (films, 282 GB).
    subjects : iterable, optional
        Such as ``1``, ``"001"`` or ``"sub-001"``; all of them unless given.
    runs : iterable of str, optional
        Such as ``"Training_run-01"``; all unless given. Files that belong to no run come in any case.
    parts : iterable of str, optional
        Folders of a subject or of ``derivatives``, such as ``"func"``; `PARTS` unless given.

    Returns
    -------
    plan : Plan

    Raises
    ------
    RequestError
        Naming the subject, run or part that is not there, and those that are.
    """
    published = manifest(name)
    subjects = _choose("subject", name, subjects, {subject_of(f.path) for f in published}, _same_subject)
    runs = _choose("run", name, runs, {run_of(f.path) for f in published})
    parts = _choose("part", name, PARTS[name] if parts is None else parts, {part_of(f.path) for f in published})

    def wanted(path):
        return subject_of(path) in subjects and run_of(path) in runs and part_of(path) in parts

    chosen = tuple(replace(f, group=_group(f.path)) for f in published if wanted(f.path))
    return Plan(name, f"{BUCKET}/{name}", chosen)


def subject_of(path):
    """Return the subject's label in a path, such as ``"001"`` or ``"S01"``, or None."""
    found = re.search(r"(?:^|[/_])sub-([A-Za-z0-9]+)", path)
    return found and found[1]


def run_of(path):
    """Return task and run in a path, such as ``"Training_run-01"``, or None."""
    found = re.search(r"(?:task-|/)([A-Za-z0-9]+_run-\d+)[_.]", path)
    return found and found[1]


def part_of(path):
    """Return the folder of ``derivatives`` or of a subject that a path lies in, such as ``"func"``, or None."""
    found = re.match(r"(?:derivatives|sub-[A-Za-z0-9]+)/([^/]+)/", path)
    return found and found[1]


def _choose(kind, name, asked, there, same=str.__eq__):
    """Return the labels that were asked for, and None for the files that have no label."""
    there = sorted(there - {None})
    if asked is None:
        return {None, *there}
    if isinstance(asked, str):
        raise RequestError(f"{kind}s is {asked!r}, expected a list of one or more: {kind}s=[{asked!r}]")
    chosen = {None}
    for label in map(str, asked):
        matching = [known for known in there if same(label, known)]
        if not matching:
            raise RequestError(f"{name} has no {kind} {label!r}; there are: {', '.join(there)}")
        chosen.update(matching)
    if chosen == {None}:
        raise RequestError(f"no {kind} of {name} is asked for; there are: {', '.join(there)}")
    return chosen


def _same_subject(asked, known):
    """Say whether ``1``, ``01``, ``001``, ``S1`` or ``sub-001`` means the subject labelled ``known``."""
    asked = asked.removeprefix("sub-")
    if asked == known:
        return True
    digits = [re.fullmatch(r"[Ss]?0*([1-9]\d*)", label) for label in (asked, known)]
    return all(digits) and digits[0][1] == digits[1][1]


def _group(path):
    subject = subject_of(path)
    return " ".join(filter(None, (subject and f"sub-{subject}", part_of(path)))) or "about the data set"
