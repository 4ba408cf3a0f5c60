"""The preprocessed volumes of ds005531: read once by voxel block, kept as one float32 matrix, memory-mapped after that.

``derivatives/preprocessed_data/sub-S0X/sub-S0X_task-<run>.mat`` is MATLAB v7.3, which is HDF5: ``dataDT``, volumes
by 663,552 voxels of the 96 x 96 x 72 grid, x fastest. ``vset_100.mat`` beside it lists in ``tvoxels``, counted from 1,
those of cortex and what lies under it; about 88,000. A run's first seconds are dropped before voxels are z-scored.
"""

import hashlib
import json
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import h5py
import numpy as np
import scipy.io
from numpy.typing import NDArray

from naturalistic.cache import cache_dir, folder_lock, put_in_place
from naturalistic.datasets import bold_store
from naturalistic.datasets.images import open_image, silence_unseen
from naturalistic.datasets.movie_runs import MovieRun

SHAPE = (96, 96, 72)  # of the scanner's grid
# keys of the two kinds of files
BOLD = "dataDT"
VOXELS = "tvoxels"
_MAX_CONSTANT = 0.1  # share of the mask's voxels; more means that the mask is of another head (our judgement)
_RECIPE = 2  # raise it when the same files give other numbers
_TILE = 256_000_000  # bytes read at a time
_BLOCK = 4096  # voxels z-scored at a time


def mask_path(folder: Path, subject: str) -> Path:
    """Return the file of a subject's voxels; runs are beside it."""
    return Path(folder) / "derivatives" / "preprocessed_data" / f"sub-{subject}" / "vset_100.mat"


def reference_path(folder: Path, subject: str) -> Path:
    """Return the path of the image on whose grid voxels are counted."""
    transforms = Path(folder) / "derivatives" / "pycortex_db" / f"sub-{subject}" / "transforms"
    return transforms / "fs_fullhead" / "reference.nii.gz"


def grid(folder: Path, subject: str) -> tuple[tuple[int, ...], NDArray | None]:
    """Return shape (x, y, z) and affine (4, 4, indices to mm) of the grid in which voxels are counted.

    They are those of the reference image of the subject's pycortex transform, where it was fetched (part
    ``pycortex_db``); else the published shape, and None.
    """
    path = reference_path(folder, subject)
    if not path.is_file():
        return SHAPE, None
    image = open_image(path)
    return tuple(image.shape[:3]), image.affine


def read_mask(path: Path) -> NDArray:
    """Return the voxels of a mask, counted from 0 in the file's order: int array (n_voxels,).

    Raises
    ------
    FileNotFoundError, ValueError
        If it is missing, is no MATLAB file (either kind), or does not list whole numbers from 1, each once.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing: expected the subject's voxels; fetch it (naturalistic fetch ds005531 --subject "
            f"{path.parent.name.removeprefix('sub-')} --to {shlex.quote(str(path.parents[3]))})"
        )
    try:
        arrays = scipy.io.loadmat(path)
    except NotImplementedError:  # v7.3
        arrays = _read_v73(path)
    except Exception as error:  # a damaged file makes scipy raise a dozen kinds
        raise ValueError(f"{path} is no MATLAB file or was cut short ({error}); fetch it again") from error
    if VOXELS not in arrays:
        names = ", ".join(key for key in arrays if not key.startswith("__"))
        raise ValueError(f"{path} has the keys {names}, expected {VOXELS}")
    listed = np.asarray(arrays[VOXELS]).ravel()
    if listed.dtype.kind not in "biuf":
        raise ValueError(
            f"{path}: {VOXELS} holds {listed.dtype}, expected a vector of numbers, not a cell, a structure or text"
        )
    voxels = listed.astype(np.int64)
    if not len(voxels) or (voxels != listed).any() or voxels.min() < 1 or len(np.unique(voxels)) < len(voxels):
        raise ValueError(f"{path}: {VOXELS} is empty, or not of whole numbers from 1, each once")
    return voxels - 1


def _read_v73(path: Path) -> dict[str, NDArray | None]:
    """Return what a MATLAB v7.3 file has by key: the voxels where they are an array, None for all else."""
    with _opened(path) as file:
        arrays = dict.fromkeys(file)
        if isinstance(file.get(VOXELS), h5py.Dataset):
            try:
                arrays[VOXELS] = file[VOXELS][()]
            except OSError as error:
                raise ValueError(f"{path} is damaged or was cut short ({error}); fetch it again") from error
    return arrays


def open_bold(folder: Path, subject: str, runs: Sequence[MovieRun], progress: bool = True) -> NDArray:
    """Return the runs of a subject as one matrix, written if it is not there.

    Parameters
    ----------
    folder : Path
        Root of the data set.
    subject : str
        Label, such as ``"S01"``.
    runs : tuple of MovieRun
        In the order wanted.
    progress : bool
        Show a bar while files are read.

    Returns
    -------
    bold : float32 memory map (n_trs, n_voxels)
        Runs one after another, their overlaps dropped; mean 0 and sd 1 in each run, 0 where a voxel is constant.
        The volumes of a voxel stand next to each other. Interrupted, the next call goes on where this one was.

    Raises
    ------
    FileNotFoundError, ValueError
        Before any long work: naming all files that are missing, and each that is cut short or of another size.
    RequestError
        If the disk has too little room.
    """
    mask = mask_path(folder, subject)
    paths = [mask.with_name(f"sub-{subject}_task-{run.name}.mat") for run in runs]
    missing = [str(path) for path in (mask, *paths) if not path.is_file()]
    if missing:
        more = f" and {len(missing) - 4} more" if len(missing) > 4 else ""
        raise FileNotFoundError(
            f"{len(missing)} of {len(paths) + 1} files are missing: {', '.join(missing[:4])}{more}; fetch them "
            f"(naturalistic fetch ds005531 --subject {subject} --to {shlex.quote(str(folder))}), or name the runs that "
            "you have"
        )
    place = cache_dir() / "movie" / f"sub-{subject}-{_key((mask, *paths), runs)}"
    if not place.is_dir():
        voxels = read_mask(mask)
        for path, run in zip(paths, runs):
            _check(path, run, mask, voxels, int(np.prod(grid(folder, subject)[0])))
        part = place.with_name(place.name + ".part")
        with folder_lock(part):
            if not place.is_dir():  # another process may have finished it meanwhile

                def read(k: int) -> NDArray:
                    return _zscored(paths[k], read_voxels(paths[k], voxels)[runs[k].n_overlap :])

                lengths = [run.n_kept for run in runs]
                bold_store.write_runs(part, lengths, len(voxels), read, f"read sub-{subject}", progress=progress)
                put_in_place(part, place)
    return bold_store.open_matrix(place)


def _key(paths: Sequence[Path], runs: Sequence[MovieRun]) -> str:
    """Return a hash of what determines the result: the files (by size and time), what is dropped, the recipe."""
    state = [(str(p.resolve()), p.stat().st_size, p.stat().st_mtime_ns) for p in paths]
    text = json.dumps([_RECIPE, state, [(run.name, run.n_seconds, run.n_overlap) for run in runs]])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _opened(path: Path) -> h5py.File:
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise ValueError(f"{path} was cut short, or is no MATLAB v7.3 file ({error}); fetch it again") from error


def _check(path: Path, run: MovieRun, mask: Path, voxels: NDArray, n_grid: int) -> None:
    """Look at the header of a run."""
    with _opened(path) as file:
        if BOLD not in file:
            raise ValueError(f"{path} has the keys {', '.join(file)}, expected {BOLD}")
        data = file[BOLD]
        if not isinstance(data, h5py.Dataset) or data.dtype.kind not in "iuf":
            found = "a group" if isinstance(data, h5py.Group) else data.dtype
            raise ValueError(f"{path}: {BOLD} is {found}, expected a matrix of numbers: was it saved as a structure?")
        shape = data.shape
    if len(shape) != 2 or shape[1] != n_grid:
        raise ValueError(f"{path}: {BOLD} is {shape}, expected {run.n_seconds} volumes by {n_grid:,} voxels")
    if shape[0] != run.n_seconds:
        raise ValueError(
            f"{path} has {shape[0]} volumes, the film and its annotations have {run.n_seconds} s: expected one volume "
            "a second; is it of another run?"
        )
    if voxels.max() >= shape[1]:
        raise ValueError(
            f"{mask} lists voxel {voxels.max() + 1:,}, {path.name} has {shape[1]:,}: is the mask of another "
            "subject, or of another grid?"
        )


def read_voxels(path: Path, voxels: NDArray) -> NDArray:
    """Return some voxels of a run, as `read_mask` counts them: float32 (n_seconds, n_voxels); each chunk is read once.

    Raises
    ------
    ValueError
        If the file cannot be read to its end.
    """
    order = np.argsort(voxels)
    ascending = np.asarray(voxels)[order]
    with _opened(path) as file:
        data = file[BOLD]
        out = np.empty((len(data), len(voxels)), dtype=np.float32)
        for rows, columns in tiles(data.shape, data.chunks, data.dtype.itemsize):
            first, last = np.searchsorted(ascending, [columns.start, columns.stop])
            if first == last:
                continue
            try:
                tile = data[rows, columns]
            except OSError as error:
                raise ValueError(f"{path} is damaged or was cut short ({error}); fetch it again") from error
            out[rows, order[first:last]] = tile[:, ascending[first:last] - columns.start]
    return out


def tiles(
    shape: Sequence[int], chunks: Sequence[int] | None, itemsize: int, n_bytes: int = _TILE
) -> Iterator[tuple[slice, slice]]:
    """Yield ``rows, columns`` slices that cover a matrix, along the edges of its chunks and of ``n_bytes`` at most.

    A tile is one chunk at least. Columns come first: a tile has all rows where they fit.
    """
    height, width = chunks or (1, shape[1])
    width = min(max(width, n_bytes // (itemsize * shape[0]) // width * width), shape[1])
    height = min(max(height, n_bytes // (itemsize * width) // height * height), shape[0])
    for column in range(0, shape[1], width):
        for row in range(0, shape[0], height):
            yield slice(row, min(row + height, shape[0])), slice(column, min(column + width, shape[1]))


def _zscored(path: Path, bold: NDArray) -> NDArray:
    """Bring each voxel to mean 0 and sd 1, in place; 0 where it is constant, or nowhere a number."""
    n_constant = 0
    for v in range(0, bold.shape[1], _BLOCK):
        block = bold[:, v : v + _BLOCK]
        # as motion correction leaves the edges of the volume
        silence_unseen(block, path, "voxels", "is the mask of another subject?")
        values = block.astype(np.float64)
        values -= values.mean(axis=0)
        sd = np.sqrt((values**2).mean(axis=0))
        flat = sd <= 8 * np.finfo(np.float32).eps * np.abs(block).max(axis=0)
        bold[:, v : v + _BLOCK] = np.where(flat, 0, values / np.where(flat, 1, sd))
        n_constant += int(flat.sum())
    if n_constant > _MAX_CONSTANT * bold.shape[1]:
        raise ValueError(
            f"{path}: {n_constant:,} of the mask's {bold.shape[1]:,} voxels are constant, expected less than "
            f"{_MAX_CONSTANT:.0%}: is the mask of another subject?"
        )
    return bold
