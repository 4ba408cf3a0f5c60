"""Store of preprocessed BOLD: a subject's runs as one float32 file, memory-mapped.

Raw scans: each volume is moved onto the subject's first volume, voxels of the mask are kept, slow drift is
removed, the dropped volumes are cut, and the rest is z-scored; each step inside a run. Scans from fMRIPrep are
already aligned: they begin at the mask.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any, Literal

import joblib
import nibabel as nib
import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from naturalistic.anatomy.surface import SPACING, midthickness_coordinates
from naturalistic.cache import cache_dir, folder_lock, put_in_place, whole_or_absent
from naturalistic.datasets import scans as scans_of
from naturalistic.datasets.images import silence_unseen
from naturalistic.datasets.scans import Scan
from naturalistic.intact import open_array, open_arrays, read_json
from naturalistic.preprocessing.filters import cosine, running_median
from naturalistic.preprocessing.masks import brain_mask, cortex_mask
from naturalistic.preprocessing.motion import correct_motion
from naturalistic.preprocessing.registration import to_mni
from naturalistic.preprocessing.scaling import zscore
from naturalistic.preprocessing.validation import check_positive

RECIPE = 2  # raise it when the same scans and options give other numbers
# by name: (bold, tr, window in s) -> bold
DRIFTS = {"median": running_median, "cosine": lambda bold, tr, window: cosine(bold, tr, 1 / window)}


def prepare(
    scans: Sequence[Scan],
    *,
    n_dropped: int = 0,
    drift: Literal["median", "cosine"] = "median",
    window: float = 240.0,
    region: Literal["cortex", "brain"] = "cortex",
    folder: str | Path | None = None,
    n_jobs: int | None = None,
) -> Prepared:
    """Preprocess a subject's scans, or open them if they are in the store.

    Interrupted, it goes on with the runs that are not done. Peak memory is that of one run in each process.

    Parameters
    ----------
    scans : list of Scan
        Of one subject and one space, in the order wanted.
    n_dropped : int
        Volumes at the start of each run that do not count; dropped after drift was removed.
    drift : {"median", "cosine"}
        A running median, or discrete cosines.
    window : float
        s: length of the running median, or the longest period that is kept.
    region : {"cortex", "brain"}
        Voxels of gray matter of the cerebral cortex, or the whole brain mask. All vertices on a surface.
    folder : Path, optional
        Where prepared subjects are kept; in the cache by default.
    n_jobs : int, optional
        Processes, two at most by default; each takes about 2 GB for a raw run of full size.

    Returns
    -------
    subject : Prepared

    Raises
    ------
    FileNotFoundError, ValueError
        As `scans.check`, before any long work; or on an option with an unknown value, or scans that are not of one
        subject and space.
    OSError
        If the disk has too little room.
    """
    _check_request(scans, n_dropped, drift, window, region)
    options = {"n_dropped": n_dropped, "drift": drift, "window": window, "region": region}
    scans_of.check(scans)
    place = Path(folder or cache_dir() / "prepared") / f"sub-{scans[0].subject}-{_key(scans, options)}"
    if not place.is_dir():
        part = place.with_name(place.name + ".part")
        with folder_lock(part):
            if not place.is_dir():  # another process may have finished it meanwhile
                _prepare(scans, options, part, n_jobs or min(2, joblib.cpu_count()))
                put_in_place(part, place)
    return open_prepared(place)


def _check_request(scans: Sequence[Scan], n_dropped: int, drift: str, window: float, region: str) -> None:
    series = {(scan.subject, scan.space, scan.tr) for scan in scans}
    if len(series) != 1:
        raise ValueError(f"scans are of {len(series)} kinds {sorted(series)}, expected one subject, space and TR")
    if drift not in DRIFTS:
        raise ValueError(f"drift is {drift!r}, expected one of {', '.join(DRIFTS)}")
    check_positive(window, "window", "s")
    if window < 2 * scans[0].tr:
        raise ValueError(f"window is {window:g} s, expected at least 2 TRs of {scans[0].tr:g} s")
    shortest = min(scan.n_trs for scan in scans)
    if not isinstance(n_dropped, Integral) or not 0 <= n_dropped < shortest:
        raise ValueError(f"n_dropped is {n_dropped!r}, expected 0 to {shortest - 1} volumes: a run has {shortest}")
    if region not in ("cortex", "brain"):
        raise ValueError(f"region is {region!r}, expected 'cortex' or 'brain'")


def _key(scans: Sequence[Scan], options: dict[str, Any]) -> str:
    """Return a hash of what determines the result: the files (by size and time), the options, the recipe."""
    files = [path for scan in scans for path in (*scan.paths, scan.mask, scan.confounds) if path and path.is_file()]
    state = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    text = json.dumps([RECIPE, state, [(scan.n_trs, scan.tr) for scan in scans], options])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _prepare(scans: Sequence[Scan], options: dict[str, Any], part: Path, n_jobs: int) -> None:
    """Fill a folder: space first, then run after run, each marked when it is done."""
    space = _space(scans, options["region"], part)
    n_trs = [scan.n_trs - options["n_dropped"] for scan in scans]
    stops = np.cumsum(n_trs)
    shape = (int(stops[-1]), space["n_voxels"])
    needed = 4 * shape[0] * shape[1]
    free = shutil.disk_usage(part).free
    path = part / "bold.npy"
    if not path.is_file():
        if free < 1.02 * needed:
            raise OSError(f"{part} has {free / 1e9:.2f} GB free, sub-{scans[0].subject} needs {needed / 1e9:.2f} GB")
        with whole_or_absent(path, part / "bold.new.npy") as new:
            np.lib.format.open_memmap(new, mode="w+", dtype=np.float32, shape=shape).flush()
            with open(new, "r+b") as file:  # a sparse file would be cut by a disk that fills up later
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), 0, new.stat().st_size)
    todo = [k for k in range(len(scans)) if not (part / f"{k:03d}-motion.npy").is_file()]
    jobs = (joblib.delayed(_prepare_run)(scans[k], space, options, part, k, int(stops[k] - n_trs[k])) for k in todo)
    with joblib.parallel_config("loky", n_jobs=min(n_jobs, max(len(todo), 1)), inner_max_num_threads=1):
        done = joblib.Parallel(return_as="generator_unordered")(jobs)
        for _ in tqdm(done, total=len(todo), desc=f"preprocess sub-{scans[0].subject}", unit="run", disable=not todo):
            pass
    description = {
        "subject": scans[0].subject, "space": scans[0].space, "tr": scans[0].tr, "n_trs": n_trs,
        "run_names": [scan.run for scan in scans], **options,
    }  # fmt: skip
    (part / "about.json").write_text(json.dumps(description, indent=1), encoding="utf-8")


def _space(scans: Sequence[Scan], region: str, part: Path) -> dict[str, Any]:
    """Return (and keep) reference, mask and registration of the subject's space."""
    path = part / "space.npz"
    if not path.is_file():
        space = _surface_space(scans[0]) if scans[0].is_surface else _volume_space(scans, region)
        with whole_or_absent(path, part / "space.tmp") as new, open(new, "wb") as file:
            np.savez(file, **space)
    space = open_arrays(path, f"delete {part} and prepare the subject again")
    return space | {"n_voxels": int(space["n_voxels"])}


def _surface_space(scan: Scan) -> dict[str, Any]:
    return {"n_voxels": scans_of.vertices(scan).shape[1]}


def _volume_space(scans: Sequence[Scan], region: str) -> dict[str, Any]:
    """Return reference volume, masks and registration, from the first run."""
    data, affine = scans_of.volumes(scans[0])
    reference = np.asarray(data[..., 0], dtype=np.float32)
    mean = np.zeros(reference.shape, dtype=np.float64)
    for t in range(scans[0].n_trs):
        mean += data[..., t]
    mean = (mean / scans[0].n_trs).astype(np.float32)
    if scans[0].mask is not None:
        brain = scans_of.masks_on_grid(scans, reference.shape, affine)
    else:
        brain = brain_mask(mean, affine)
    matrix = np.eye(4) if scans[0].space == "mni" else to_mni(mean, affine, brain=brain)
    mask = cortex_mask(brain.shape, affine, matrix, brain=brain) if region == "cortex" else brain
    if not mask.any():
        raise ValueError(f"no voxel of {scans[0].paths[0]} is in the mask of the {region}; look at its affine")
    return {
        "reference": reference,
        "affine": affine,
        "brain": brain,
        "mask": mask,
        "to_mni": matrix,
        "n_voxels": mask.sum(),
    }


def _prepare_run(scan: Scan, space: dict[str, Any], options: dict[str, Any], part: Path, k: int, start: int) -> None:
    """Preprocess one run into its rows of the file; its motion, written last, marks it as done."""
    if scan.is_surface:
        bold = scans_of.vertices(scan)
        motion = scans_of.confounds_motion(scan)
    else:
        data, affine = scans_of.volumes(scan)
        bold, motion = _masked(scan, data, affine, space)
    drift = DRIFTS[options["drift"]]
    bold = zscore(drift(bold, scan.tr, options["window"])[options["n_dropped"] :])
    rows = np.lib.format.open_memmap(part / "bold.npy", mode="r+")
    rows[start : start + len(bold)] = bold
    rows.flush()
    motion = np.full((scan.n_trs, 6), np.nan) if motion is None else motion
    with whole_or_absent(part / f"{k:03d}-motion.npy", part / f"{k:03d}-motion.tmp") as new, open(new, "wb") as file:
        np.save(file, motion)


def _masked(scan: Scan, data: Any, affine: NDArray, space: dict[str, Any]) -> tuple[NDArray, NDArray | None]:
    """Return the voxels of the mask (n_trs, n_voxels), moved onto the reference if raw, and the motion."""
    if scan.space == "raw":
        try:
            bold, motion = correct_motion(data, affine, space["brain"], space["reference"])
        except ValueError as error:
            raise ValueError(f"{scan.paths[0]}: {error}") from error
        return bold[:, space["mask"][space["brain"]]], motion
    bold = np.empty((scan.n_trs, space["n_voxels"]), dtype=np.float32)
    for t in range(scan.n_trs):
        bold[t] = np.asarray(data[..., t])[space["mask"]]
    silence_unseen(bold, scan.paths[0], "voxels", "look at this run, or fetch it again")
    return bold, scans_of.confounds_motion(scan)


@dataclass(frozen=True)
class Prepared:
    """One subject, ready for a model.

    Attributes
    ----------
    subject : str
    space : str
        Space of the scans.
    bold : float32 memory map (n_trs, n_voxels)
        All runs, one after another; mean 0 and sd 1 in each run, 0 where a voxel is constant.
    runs : int array (n_trs,)
        Index into ``run_names``.
    run_names : tuple of str
    motion : array (n_trs, 6) or None
        mm and rad; None where fMRIPrep left no confounds of a run.
    mask : bool array (x, y, z) or None
        Voxels that are kept; None on a surface.
    affine : array (4, 4) or None
        Voxel indices to mm of the subject's space.
    to_mni : array (4, 4) or None
        mm of the subject's space to MNI152 mm.
    tr : float
        s.
    folder : Path
        Where it is kept.
    """

    subject: str
    space: str
    bold: np.ndarray
    runs: np.ndarray
    run_names: tuple
    motion: np.ndarray
    mask: np.ndarray
    affine: np.ndarray
    to_mni: np.ndarray
    tr: float
    folder: Path

    @property
    def coordinates(self) -> NDArray:
        """Return the coordinates (n_voxels, 3) of voxels or fsaverage5 vertices, MNI152 mm."""
        if self.mask is None:
            if self.space != "fsaverage5":
                raise ValueError(f"the mesh of {self.space} is not at hand; ask fMRIPrep for fsaverage5")
            return midthickness_coordinates()
        matrix = self.to_mni @ self.affine
        return np.argwhere(self.mask) @ matrix[:3, :3].T + matrix[:3, 3]

    @property
    def voxel_size(self) -> float:
        """Return the edge of a cube of a voxel's volume, or the spacing of vertices, mm."""
        return SPACING if self.mask is None else float(abs(np.linalg.det(self.affine[:3, :3])) ** (1 / 3))

    def motion_of(self, run: str) -> NDArray | None:
        """Return the motion (n_trs, 6) of a whole run, mm and rad; None if unknown.

        The dropped volumes are in it too.
        """
        motion = open_array(self.folder / f"{self.run_names.index(run):03d}-motion.npy", _again(self.folder))
        return None if np.isnan(motion).any() else motion

    def select(self, start: str) -> tuple[NDArray, NDArray, tuple[str, ...]]:
        """Return the runs with names that begin with ``start``.

        Parameters
        ----------
        start : str
            Such as ``"Test"``.

        Returns
        -------
        bold : float32 array (n_trs, n_voxels)
            Still mapped where the runs lie side by side.
        runs : int array (n_trs,)
        names : tuple of str

        Raises
        ------
        ValueError
            If no run begins so.
        """
        names = tuple(name for name in self.run_names if name.startswith(start))
        if not names:
            raise ValueError(f"no run begins with {start!r}; there are {', '.join(self.run_names)}")
        rows = np.isin(self.runs, [self.run_names.index(name) for name in names])
        first, last = np.flatnonzero(rows)[[0, -1]]
        adjacent = last - first + 1 == rows.sum()
        return (self.bold[first : last + 1] if adjacent else self.bold[rows]), self.runs[rows], names

    def image(self, values: ArrayLike) -> nib.Nifti1Image:
        """Return values (n_voxels,) as a NIfTI image in MNI152 space, NaN outside.

        Raises
        ------
        ValueError
            If the subject is on a surface.
        """
        if self.mask is None:
            raise ValueError("values on a surface are no volume: draw them on the mesh itself")
        volume = np.full(self.mask.shape, np.nan, dtype=np.float32)
        volume[self.mask] = values
        return nib.Nifti1Image(volume, self.to_mni @ self.affine)


def open_prepared(place: Path) -> Prepared:
    """Open a folder that `store.prepare` finished.

    Raises
    ------
    FileNotFoundError, ValueError
        If a file of it is missing or was cut short since.
    """
    again = _again(place)
    description = read_json(place / "about.json", again)
    space = open_arrays(place / "space.npz", again)
    n_dropped = description["n_dropped"]
    n_runs = len(description["run_names"])
    motion = np.concatenate([open_array(place / f"{k:03d}-motion.npy", again)[n_dropped:] for k in range(n_runs)])
    return Prepared(
        subject=description["subject"],
        space=description["space"],
        bold=open_array(place / "bold.npy", again, mmap_mode="r"),
        runs=np.repeat(np.arange(n_runs), description["n_trs"]),
        run_names=tuple(description["run_names"]),
        motion=None if np.isnan(motion).any() else motion,
        mask=space.get("mask"),
        affine=space.get("affine"),
        to_mni=space.get("to_mni"),
        tr=description["tr"],
        folder=place,
    )


def _again(place: Path) -> str:
    return f"delete {place} and prepare the subject again"
