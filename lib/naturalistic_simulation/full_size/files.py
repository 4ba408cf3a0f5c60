"""Files at full size, written whole or not at all.

A file that exists is left alone, so that an interrupted run resumes.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import joblib
from naturalistic.cache import check_room, check_writable
from naturalistic.simulated import MARKS

from naturalistic_simulation.folders import part_of, write_file
from naturalistic_simulation.music.experiment import in_parallel


def written(path: Path | str, write: Callable[[Path], object]) -> bool:
    """Write a file whole, unless it exists; return whether it was written."""
    path = Path(path)
    if path.is_file():
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    for stale in path.parent.glob(part_of(path, "*").name):  # of a process that was killed: it is large
        stale.unlink()
    write_file(path, write)
    return True


def write_text(path: Path | str, text: str) -> bool:
    """Write a small text file whole or not at all, unless it exists."""
    return written(path, lambda part: part.write_text(text, encoding="utf-8", newline="\n"))


def write_top(root: Path, readme: str, name: str, version: str) -> None:
    """Write README and description of a data set, marked as simulated data.

    The text of ``readme`` follows on the mark; ``name`` and BIDS ``version`` are those of the real data set.
    """
    write_text(root / "README", f"{MARKS[0]}. {readme}")
    about = {"Name": f"Simulated data in the layout of the {name}", "BIDSVersion": version}
    write_text(root / "dataset_description.json", json.dumps(about, indent=4))


def check_disk(folder: Path | str, paths: Sequence[Path], n_bytes: Sequence[int]) -> None:
    """Check that a folder can be written and has room for its missing files.

    ``n_bytes`` is the size of each of ``paths``.

    Raises
    ------
    RequestError
        With the bytes that are needed and those that are free.
    """
    if not all(path.is_file() for path in paths):  # finished files may be on a read-only disk
        check_writable(folder)
    check_room(Path(folder), sum(n for path, n in zip(paths, n_bytes) if not path.is_file()))


def in_processes(function: Callable, jobs: Sequence[tuple], name: str, n_jobs: int | None, progress: bool) -> None:
    """Call a function for each tuple of arguments, in processes of one thread each.

    By default there are as many processes as cores; ``name`` labels the progress bar.
    """
    with joblib.parallel_config("loky", n_jobs=n_jobs or joblib.cpu_count(), inner_max_num_threads=1):
        in_parallel(function, jobs, name, progress)
