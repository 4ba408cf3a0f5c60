"""Published data sets that can be downloaded by name, in whole or in part."""

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from naturalistic.cache import RequestError, check_folder, check_room, folder_lock, format_bytes, free_bytes
from naturalistic.datasets import fma, gtzan, openneuro, studyforrest_files
from naturalistic.datasets.download import DownloadError, DownloadPlan, VerifiedFiles, bytes_present, download_files
from naturalistic.parameters import whole

# name -> function that makes the DownloadPlan; what it takes by keyword can be selected
DATA_SETS: dict[str, Callable[..., DownloadPlan]] = {
    "ds003720": functools.partial(openneuro.download_plan, "ds003720"),
    "ds005531": functools.partial(openneuro.download_plan, "ds005531"),
    "ds005165": functools.partial(openneuro.download_plan, "ds005165"),
    "gtzan": gtzan.download_plan,
    "fma": fma.download_plan,
    "studyforrest": studyforrest_files.download_plan,
}


def fetch(
    name: str,
    folder: Path | str,
    *,
    base_url: str | None = None,
    n_connections: int = 2,
    n_tries: int = 5,
    dry_run: bool = False,
    progress: bool = True,
    **selection: Any,
) -> Path:
    """Download a published data set, or some of it, into ``folder``.

    Safe to stop and to repeat: whole files are kept and not fetched again, parts are gone on with. Each file is
    compared with its published size and hash. Other files in the folder are left alone.

    Parameters
    ----------
    name : str
        A key of `DATA_SETS`: ``"ds003720"`` (music), ``"ds005531"`` (films), ``"ds005165"`` (short films),
        ``"gtzan"`` (the music's sound), ``"fma"`` (a large corpus of music) or ``"studyforrest"`` (a film).
    folder : str or Path
        Made if it is not there.
    base_url : str, optional
        Another copy of the same files.
    n_connections : int
        Files fetched side by side.
    n_tries : int
        Failures in succession after which a file is given up.
    dry_run : bool
        Print what would be fetched; fetch and make nothing.
    progress : bool
        Show a progress bar.
    **selection
        ``subjects``, ``runs`` and ``parts`` of an OpenNeuro data set (see `openneuro.plan`); ``keep`` of GTZAN;
        ``subset`` and ``keep`` of FMA; ``subjects`` and ``parts`` of studyforrest.

    Returns
    -------
    folder : Path

    Raises
    ------
    RequestError
        Before anything is fetched: unknown data set, subject or run; a folder that cannot be written or has too
        little room; another fetch at work in it.
    DownloadError
        If a file could not be had; saying which, why, and how to go on.
    """
    try:
        n_connections = whole("n_connections", n_connections)
    except ValueError as error:
        raise RequestError(str(error)) from error
    plan = plan_of(name, **selection)
    folder = Path(folder).expanduser()
    check_folder(folder)
    if dry_run:
        needed = f"disk needed: {format_bytes(_space_needed(plan, folder))}, free: {format_bytes(free_bytes(folder))}"
        print(f"{name} from {base_url or plan.base_url} to {folder}\n\n{describe(plan, folder)}\n")
        print(f"{needed}; nothing was fetched (dry run)")
        return folder
    if plan.is_finished(folder):
        return folder
    check_room(folder, _space_needed(plan, folder))
    with folder_lock(folder):
        try:
            download_files(
                plan.files,
                base_url or plan.base_url,
                folder,
                verified=VerifiedFiles(folder),
                n_connections=n_connections,
                progress=progress,
                n_tries=n_tries,
            )
        except DownloadError as error:
            raise DownloadError(f"{error}. What has arrived is kept in {folder}: fetch again to go on") from error
        plan.finish(folder, progress)
    return folder


def plan_of(name: str, **selection: Any) -> DownloadPlan:
    """Return the `DownloadPlan` of a data set for what was selected of it; selections that are None do not count.

    Raises
    ------
    RequestError
        If there is no such data set, or nothing of that kind can be selected in it.
    """
    if name not in DATA_SETS:
        raise RequestError(f"there is no data set {name!r}; there are: {', '.join(DATA_SETS)}")
    takes = {p.name for p in inspect.signature(DATA_SETS[name]).parameters.values() if p.kind is p.KEYWORD_ONLY}
    selection = {key: value for key, value in selection.items() if value is not None}
    for key in selection.keys() - takes:
        raise RequestError(f"{name} takes no {key!r}; it takes: {', '.join(sorted(takes))}")
    return DATA_SETS[name](**selection)


def _space_needed(plan: DownloadPlan, folder: Path) -> int:
    """Return the bytes of disk that a plan still takes: of what is not there yet, and to finish."""
    if plan.is_finished(folder):
        return 0
    return plan.extra_bytes + sum(file.n_bytes - bytes_present(file, folder) for file in plan.files)


def describe(plan: DownloadPlan, folder: Path) -> str:
    """Return a table of what is published, what is there (by its size) and what is still to come."""
    finished = plan.is_finished(folder)
    held: dict[str, list[int]] = {}
    for file in plan.files:
        present = file.n_bytes if finished else bytes_present(file, folder)
        row = held.get(file.group, [0, 0, 0])
        held[file.group] = [row[0] + 1, row[1] + file.n_bytes, row[2] + present]
    held["total"] = [sum(column) for column in zip(*held.values())]
    rows = [("", "files", "size", "there", "to fetch")]
    for group, (n_files, n_bytes, present) in held.items():
        sizes = [format_bytes(n) for n in (n_bytes, present, n_bytes - present)]
        rows.append((group, str(n_files), *sizes))
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = [row[0].ljust(widths[0]) + "".join("  " + c.rjust(w) for c, w in zip(row[1:], widths[1:])) for row in rows]
    return "\n".join(lines)
