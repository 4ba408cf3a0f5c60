"""Published files of OpenNeuro data sets, selected by subject, run and part.

Files, sizes and checksums come from manifests in the package, and the bytes from OpenNeuro's public bucket.
openneuro-py 2026.9 asks the site for the tree at each call, so that nothing can be planned or checked without network;
it writes under the file's final name, where a half of it is taken for a scan; and for large files it has no checksum.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from importlib.resources import files

from naturalistic.cache import RequestError
from naturalistic.datasets.download import DownloadPlan, RemoteFile

_BUCKET = "https://s3.amazonaws.com/openneuro.org"
PARTS = {  # fetched unless others are asked for; what belongs to no part and no subject always comes along
    "ds003720": ("anat", "func"),
    "ds005531": ("annotation", "preprocessed_data", "pycortex_db"),
    "ds005165": ("annotations", "events", "rois"),
}
# parts whose folders lie deeper, or have longer names: the first expression that the path has
_NAMED_PARTS = {
    "ds005165": (
        (r"_roi-(?:WB|BMDgeneral)_", "whole_brain"),
        (r"/prepared_allvoxel_pkl/", "rois"),
        (r"/prepared_betas/", "betas"),
        (r"^derivatives/stimuli_metadata/", "annotations"),
        (r"_events\.tsv$", "events"),
    )
}


def manifest(name: str) -> tuple[RemoteFile, ...]:
    """Return the published files of ``"ds003720"``, ``"ds005531"`` or ``"ds005165"``.

    The manifest has a line ``algorithm:checksum bytes path`` for each; ``-`` where no checksum was published.
    """
    text = (files("naturalistic.datasets") / f"{name}.txt").read_text(encoding="utf-8")
    lines = [line.split(maxsplit=2) for line in text.splitlines() if line.strip()]
    return tuple(RemoteFile(path, None if digest == "-" else digest, int(n_bytes)) for digest, n_bytes, path in lines)


def download_plan(
    name: str,
    *,
    subjects: Iterable[int | str] | None = None,
    runs: Iterable[str] | None = None,
    parts: Iterable[str] | None = None,
) -> DownloadPlan:
    """Return the `DownloadPlan` of a data set, or of some of it.

    Parameters
    ----------
    name : str
        ``"ds003720"`` (music, 46.5 GB), ``"ds005531"`` (films, 282 GB) or ``"ds005165"`` (short films; what is
        prepared of them, 74 GB).
    subjects : iterable, optional
        Such as ``1``, ``"001"`` or ``"sub-001"``; all of them unless given.
    runs : iterable of str, optional
        Such as ``"Training_run-01"``; all unless given. Files that belong to no run come in any case.
    parts : iterable of str, optional
        Folders of a subject or of ``derivatives``, such as ``"func"``; of ds005165 ``"rois"``, ``"betas"``,
        ``"whole_brain"``, ``"annotations"`` and ``"events"``. `PARTS` unless given.

    Returns
    -------
    plan : DownloadPlan

    Raises
    ------
    RequestError
        Naming the subject, run or part that is not there, and those that are.
    """
    published = manifest(name)
    subjects = _select("subject", name, subjects, {subject_of(f.path) for f in published}, _same_subject)
    runs = _select("run", name, runs, {run_of(f.path) for f in published})
    parts = _select("part", name, PARTS[name] if parts is None else parts, {part_of(f.path, name) for f in published})

    def wanted(path: str) -> bool:
        return subject_of(path) in subjects and run_of(path) in runs and part_of(path, name) in parts

    selected = tuple(replace(f, group=_group(f.path, name)) for f in published if wanted(f.path))
    return DownloadPlan(name, f"{_BUCKET}/{name}", selected)


def subject_of(path: str) -> str | None:
    """Return the subject's label in a path, such as ``"001"`` or ``"S01"``, or None."""
    found = re.search(r"(?:^|[/_])sub-([A-Za-z0-9]+)", path)
    return found[1] if found else None


def subjects_of(files: Iterable[RemoteFile]) -> list[str]:
    """Return the labels of all subjects of whom there are files, sorted."""
    return sorted({subject for file in files if (subject := subject_of(file.path)) is not None})


def run_of(path: str) -> str | None:
    """Return task and run in a path, such as ``"Training_run-01"``, or None."""
    found = re.search(r"(?:task-|/)([A-Za-z0-9]+_run-\d+)[_.]", path)
    return found[1] if found else None


def part_of(path: str, name: str = "") -> str | None:
    """Return the part of a data set that a path belongs to, or None.

    It is the folder of ``derivatives`` or of a subject that the path lies in, such as ``"func"``.

    Parameters
    ----------
    path : str
    name : str
        Of the data set; ds005165 names its parts otherwise.
    """
    if name in _NAMED_PARTS:
        return next((part for expression, part in _NAMED_PARTS[name] if re.search(expression, path)), None)
    found = re.match(r"(?:derivatives|sub-[A-Za-z0-9]+)/([^/]+)/", path)
    return found[1] if found else None


def _select(
    kind: str,
    name: str,
    asked: Iterable[int | str] | None,
    there: set[str | None],
    same: Callable[[str, str], bool] = str.__eq__,
) -> set[str | None]:
    """Return the requested labels, and None for the files that have no label."""
    known = sorted(label for label in there if label is not None)
    if asked is None:
        return {None, *known}
    if isinstance(asked, str):
        raise RequestError(f"{kind}s is {asked!r}, expected a list of one or more: {kind}s=[{asked!r}]")
    selected: set[str | None] = {None}
    for label in map(str, asked):
        matching = [each for each in known if same(label, each)]
        if not matching:
            raise RequestError(f"{name} has no {kind} {label!r}; there are: {', '.join(known)}")
        selected.update(matching)
    if selected == {None}:
        raise RequestError(f"no {kind} of {name} is asked for; there are: {', '.join(known)}")
    return selected


def _same_subject(asked: str, known: str) -> bool:
    """Return whether ``1``, ``01``, ``001``, ``S1`` or ``sub-001`` means the subject ``known``."""
    asked = asked.removeprefix("sub-")
    if asked == known:
        return True
    digits = [re.fullmatch(r"[Ss]?0*([1-9]\d*)", label) for label in (asked, known)]
    return all(digits) and digits[0][1] == digits[1][1]


def _group(path: str, name: str) -> str:
    subject = subject_of(path)
    return " ".join(filter(None, (subject and f"sub-{subject}", part_of(path, name)))) or "about the data set"
