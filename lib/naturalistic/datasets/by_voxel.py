"""Runs one after another as one matrix on the disk, in which the volumes of a voxel stand next to each other.

Models read blocks of voxels with all of their volumes. With one volume after another on the disk, such a block is a
few kB of every volume, and each pass over a subject's nine hours takes minutes; here it is a stretch of the file.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from naturalistic.cache import check_room, whole_or_absent
from naturalistic.intact import open_array

NAME = "bold.npy"
_AT_ONCE = 1_000_000_000  # bytes of runs that are written together, so that each voxel gets kilobytes in one piece
_BLOCK = 1024  # voxels turned at once


def write_runs(
    folder: Path,
    lengths: Sequence[int],
    n_voxels: int,
    read: Callable[[int], NDArray],
    what: str,
    progress: bool = True,
) -> None:
    """Fill the matrix of a folder, a group of runs after another, each marked when it is done.

    Parameters
    ----------
    folder : Path
        Where an interrupted call left its matrix and its marks, this one goes on.
    lengths : list of int
        Volumes of each run.
    n_voxels : int
    read : callable
        ``read(k)`` is run ``k``: float32 (n_trs of the run, n_voxels).
    what : str
        Name of the progress bar.
    progress : bool

    Raises
    ------
    RequestError
        If the disk has too little room.
    """
    stops = np.cumsum(lengths).tolist()
    matrix = folder / NAME
    n_bytes = 4 * stops[-1] * n_voxels
    if not matrix.is_file():
        check_room(folder, n_bytes)
        with whole_or_absent(matrix, folder / "new.npy") as new:
            shape = {"dtype": np.float32, "shape": (stops[-1], n_voxels), "fortran_order": True}
            np.lib.format.open_memmap(new, mode="w+", **shape).flush()
    offset = matrix.stat().st_size - n_bytes
    with tqdm(total=len(lengths), desc=what, unit="run", disable=not progress) as bar:
        for group in _groups(lengths, max(1, _AT_ONCE // (4 * n_voxels))):
            done = folder / f"{group[0]:03d}-{group[-1]:03d}.done"
            if not done.is_file():
                bold = []
                for k in group:
                    bold.append(read(k))
                    bar.update()
                _write(matrix, bold, offset + 4 * (stops[group[0]] - lengths[group[0]]), 4 * stops[-1])
                done.touch()
            else:
                bar.update(len(group))


def open_matrix(folder: Path) -> NDArray:
    """Return the matrix of a folder: float32 memory map (n_trs, n_voxels), volumes of a voxel next to each other.

    Raises
    ------
    FileNotFoundError, ValueError
        If it is missing or was cut short since it was made.
    """
    return open_array(folder / NAME, f"delete {folder}: it is made again", mmap_mode="r")


def _groups(lengths: Sequence[int], n_trs: int) -> list[list[int]]:
    """Return neighbouring runs as lists of indices, of at most ``n_trs`` volumes together or one run."""
    groups = [[0]]
    for k in range(1, len(lengths)):
        if sum(lengths[j] for j in groups[-1]) + lengths[k] <= n_trs:
            groups[-1].append(k)
        else:
            groups.append([k])
    return groups


def _write(matrix: Path, bold: list[NDArray], start: int, step: int) -> None:
    """Write runs at ``start`` bytes for the first voxel, ``step`` bytes further for each other; not through a map.

    Mapped, what is written would count as memory of this process.
    """
    with open(matrix, "r+b", buffering=0) as file:
        for v in range(0, bold[0].shape[1], _BLOCK):
            turned = np.ascontiguousarray(np.concatenate([run[:, v : v + _BLOCK] for run in bold]).T)
            for k, voxel in enumerate(turned, v):
                file.seek(start + k * step)
                file.write(voxel)
