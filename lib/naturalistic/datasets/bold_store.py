"""Store of preprocessed BOLD: the runs of a subject one after another as one float32 matrix on the disk.

A model of voxels reads blocks of voxels with all of their volumes. With one volume after another on the disk, such a
block is a few kB of every volume, and each pass over a subject's nine hours takes minutes: order "F" keeps the volumes
of a voxel together. A decoder averages whole volumes: order "C" keeps the voxels of a volume together.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import joblib
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from naturalistic.cache import check_room, whole_or_absent
from naturalistic.intact import open_array

NAME = "bold.npy"
_AT_ONCE = 1_000_000_000  # bytes of runs that are written together, so that each voxel gets kilobytes in one piece
_BLOCK = 1024  # voxels transposed at once


def write_runs(
    folder: Path,
    lengths: Sequence[int],
    n_voxels: int,
    read: Callable[[int], NDArray],
    label: str,
    *,
    order: Literal["C", "F"] = "F",
    n_jobs: int = 1,
    progress: bool = True,
) -> None:
    """Fill the matrix of a folder, a group of runs after another, each marked when it is done.

    Parameters
    ----------
    folder : Path
        An interrupted call leaves its matrix and marks there, and the next one goes on with them.
    lengths : list of int
        Volumes of each run.
    n_voxels : int
    read : callable
        ``read(k)`` is run ``k``: float32 (n_trs of the run, n_voxels). With ``n_jobs`` above 1 it is pickled.
    label : str
        Name of the progress bar.
    order : {"C", "F"}
        What lies together: the voxels of a volume, or the volumes of a voxel.
    n_jobs : int
        Processes.
    progress : bool

    Raises
    ------
    RequestError
        If the disk has too little room.
    """
    matrix = folder / NAME
    n_trs = int(sum(lengths))
    if not matrix.is_file():
        check_room(folder, 4 * n_trs * n_voxels)
        _make(matrix, (n_trs, n_voxels), order)
    groups = [[k] for k in range(len(lengths))]
    if order == "F":
        groups = _groups(lengths, max(1, _AT_ONCE // (4 * n_voxels)))
    missing = [group for group in groups if not _mark(folder, group).is_file()]
    with tqdm(total=len(lengths), desc=label, unit="run", disable=not (progress and missing)) as bar:
        bar.update(len(lengths) - sum(map(len, missing)))
        for n_runs in _written(matrix, missing, lengths, n_voxels, order, read, n_jobs):
            bar.update(n_runs)


def open_matrix(folder: Path, advice: str | None = None) -> NDArray:
    """Return the matrix of a folder: float32 memory map (n_trs, n_voxels).

    Parameters
    ----------
    folder : Path
    advice : str, optional
        End of the error: what to do about a damaged file.

    Raises
    ------
    FileNotFoundError, ValueError
        If it is missing or was cut short since it was made.
    """
    return open_array(folder / NAME, advice or f"delete {folder}: it is made again", mmap_mode="r")


def _make(matrix: Path, shape: tuple[int, int], order: str) -> None:
    """Make a matrix of zeros that has its room on the disk."""
    with whole_or_absent(matrix, matrix.with_name("new.npy")) as new:
        options = {"mode": "w+", "dtype": np.float32, "shape": shape, "fortran_order": order == "F"}
        np.lib.format.open_memmap(new, **options).flush()
        with open(new, "r+b") as file:  # a sparse file would be cut by a disk that fills up later
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, new.stat().st_size)


def _mark(folder: Path, group: Sequence[int]) -> Path:
    """Return the file that marks a group of runs as written."""
    return folder / f"{group[0]:03d}-{group[-1]:03d}.done"


def _groups(lengths: Sequence[int], n_trs: int) -> list[list[int]]:
    """Return neighboring runs as lists of indices, of at most ``n_trs`` volumes together or one run."""
    groups = [[0]]
    for k in range(1, len(lengths)):
        if sum(lengths[j] for j in groups[-1]) + lengths[k] <= n_trs:
            groups[-1].append(k)
        else:
            groups.append([k])
    return groups


def _written(
    matrix: Path,
    groups: Sequence[Sequence[int]],
    lengths: Sequence[int],
    n_voxels: int,
    order: str,
    read: Callable[[int], NDArray],
    n_jobs: int,
) -> Iterator[int]:
    """Read and write groups of runs, in processes; yield the number of runs of each when it is done."""
    common = (lengths, n_voxels, order, read)
    if n_jobs == 1 or len(groups) < 2:
        for group in groups:
            yield _write_group(matrix, group, *common)
        return
    with joblib.parallel_config("loky", n_jobs=min(n_jobs, len(groups)), inner_max_num_threads=1):
        jobs = (joblib.delayed(_write_group)(matrix, group, *common) for group in groups)
        yield from joblib.Parallel(return_as="generator_unordered")(jobs)


def _write_group(
    matrix: Path,
    group: Sequence[int],
    lengths: Sequence[int],
    n_voxels: int,
    order: str,
    read: Callable[[int], NDArray],
) -> int:
    """Read a group of runs and write it to its place, not through a map; return the number of its runs.

    Mapped, what is written would count as memory of this process.
    """
    runs = [read(k) for k in group]
    n_trs = int(sum(lengths))
    header = matrix.stat().st_size - 4 * n_trs * n_voxels
    start = int(sum(lengths[: group[0]]))
    with open(matrix, "r+b", buffering=0) as file:
        if order == "C":
            file.seek(header + 4 * start * n_voxels)
            for run in runs:
                file.write(memoryview(np.ascontiguousarray(run, dtype=np.float32)).cast("B"))
        else:
            for v in range(0, n_voxels, _BLOCK):
                block = np.concatenate([run[:, v : v + _BLOCK] for run in runs])
                for k, voxel in enumerate(np.ascontiguousarray(block.T, dtype=np.float32), v):
                    file.seek(header + 4 * (k * n_trs + start))
                    file.write(voxel)
    _mark(matrix.parent, group).touch()
    return len(runs)
