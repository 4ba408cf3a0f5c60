"""Preprocessing of a subject's scans into the BOLD store.

Raw scans: each volume is moved onto the subject's first volume, voxels of the mask are kept, slow drift is
removed, the dropped volumes are cut, and the rest is z-scored; each step inside a run. Scans from fMRIPrep are
already aligned: they begin at the mask.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import partial
from numbers import Integral
from pathlib import Path
from typing import Any, Literal

import joblib
import numpy as np
from numpy.typing import NDArray

from naturalistic.anatomy.surface import SPACING, midthickness_coordinates
from naturalistic.arrays import column_blocks
from naturalistic.cache import cache_dir, folder_lock, put_in_place, whole_or_absent
from naturalistic.datasets import bold_store, fmriprep
from naturalistic.datasets import scans as scans_of
from naturalistic.datasets.confounds import Strategy, check_strategy, read_confounds
from naturalistic.datasets.fmriprep import is_mni
from naturalistic.datasets.images import silence_unseen
from naturalistic.datasets.scans import Scan
from naturalistic.datasets.subject import Subject, SurfaceVertices, VoxelCoordinates, VoxelGrid
from naturalistic.intact import open_array, open_arrays, read_json
from naturalistic.preprocessing.filters import cosine, running_median
from naturalistic.preprocessing.masks import brain_mask, cortex_mask
from naturalistic.preprocessing.motion import correct_motion
from naturalistic.preprocessing.registration import to_mni
from naturalistic.preprocessing.scaling import zscore
from naturalistic.preprocessing.validation import check_positive

_ROUNDING = 1e-5  # share of a voxel's standard deviation
RECIPE = 2  # raise it when the same scans and options give other numbers
# by name: (bold, tr, window in s) -> bold
DRIFTS = {"median": running_median, "cosine": lambda bold, tr, window: cosine(bold, tr, 1 / window)}


def prepare(
    scans: Sequence[Scan],
    *,
    n_dropped: int | Sequence[int] = 0,
    drift: Literal["median", "cosine"] = "median",
    window: float = 240.0,
    region: Literal["cortex", "brain"] = "cortex",
    confounds: Strategy | None = None,
    folder: str | Path | None = None,
    n_jobs: int | None = None,
) -> Subject:
    """Preprocess a subject's scans, or open them if they are in the store.

    Interrupted, it goes on with the runs that are not done. Peak memory is that of one run in each process.

    Parameters
    ----------
    scans : list of Scan
        Of one subject and one space, in the order wanted.
    n_dropped : int, or list of int by run
        Volumes at the start of a run that do not count; dropped after drift was removed.
    drift : {"median", "cosine"}
        A running median, or discrete cosines.
    window : float
        s: length of the running median, or the longest period that is kept.
    region : {"cortex", "brain"}
        Voxels of gray matter of the cerebral cortex, or the whole brain mask. All vertices on a surface.
    confounds : str, list of str, or dict, optional
        Regressed out of each run after drift was removed from both: some of `datasets.confounds.STRATEGIES`, such as
        ``["motion", "wm_csf"]``, see `datasets.confounds.check_strategy`. Scrubbed volumes stay on the grid of TRs, as
        0: each is a regressor.
    folder : Path, optional
        Where prepared subjects are kept; in the cache by default.
    n_jobs : int, optional
        Processes, two at most by default; each takes about 2 GB for a raw run of full size.

    Returns
    -------
    subject : Subject
        Mean 0 and standard deviation 1 in each run, 0 where a voxel is constant.

    Raises
    ------
    FileNotFoundError, ValueError
        As `scans.check`, before any long work; or on an option with an unknown value, or scans that are not of one
        subject and space.
    RequestError
        If the disk has too little room.
    """
    dropped = [n_dropped] * len(scans) if np.ndim(n_dropped) == 0 else list(n_dropped)
    _check_request(scans, dropped, drift, window, region)
    options: dict[str, Any] = {"n_dropped": list(map(int, dropped)), "drift": drift}
    options |= {"window": window, "region": region}
    if confounds is not None:
        options["confounds"] = check_strategy(confounds)
    scans_of.check(scans)
    for scan in scans if confounds is not None else ():  # of all runs, before long work
        read_confounds(scan, confounds)
    place = Path(folder or cache_dir() / "prepared") / f"sub-{scans[0].subject}-{_key(scans, options)}"
    if not place.is_dir():
        part = place.with_name(place.name + ".part")
        with folder_lock(part):
            if not place.is_dir():  # another process may have finished it meanwhile
                _prepare(scans, options, part, n_jobs or min(2, joblib.cpu_count()))
                put_in_place(part, place)
    return open_prepared(place)


def _check_request(scans: Sequence[Scan], n_dropped: Sequence[int], drift: str, window: float, region: str) -> None:
    series = {(scan.subject, scan.space, scan.tr) for scan in scans}
    if len(series) != 1:
        raise ValueError(f"scans are of {len(series)} kinds {sorted(series)}, expected one subject, space and TR")
    if drift not in DRIFTS:
        raise ValueError(f"drift is {drift!r}, expected one of {', '.join(DRIFTS)}")
    check_positive(window, "window", "s")
    if window < 2 * scans[0].tr:
        raise ValueError(f"window is {window:g} s, expected at least 2 TRs of {scans[0].tr:g} s")
    if len(n_dropped) != len(scans):
        raise ValueError(f"n_dropped has {len(n_dropped)} numbers, expected one, or one for each of {len(scans)} runs")
    for scan, n in zip(scans, n_dropped):
        if not isinstance(n, Integral) or not 0 <= n < scan.n_trs:
            raise ValueError(f"n_dropped is {n!r}, expected 0 to {scan.n_trs - 1} volumes: a run has {scan.n_trs}")
    if region not in ("cortex", "brain"):
        raise ValueError(f"region is {region!r}, expected 'cortex' or 'brain'")


def _key(scans: Sequence[Scan], options: dict[str, Any]) -> str:
    """Return a hash of what determines the result: the files (by size and time), the options, the recipe."""
    files = [path for scan in scans for path in (*scan.paths, scan.mask, scan.confounds) if path and path.is_file()]
    state = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    if "confounds" in options:
        sidecars = [scan.confounds.with_suffix(".json") for scan in scans if scan.confounds is not None]
        state += [(str(path), path.stat().st_mtime_ns) for path in sidecars if path.is_file()]
    text = json.dumps([RECIPE, state, [(scan.n_trs, scan.tr) for scan in scans], options])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _prepare(scans: Sequence[Scan], options: dict[str, Any], part: Path, n_jobs: int) -> None:
    """Fill a folder: space first, then run after run; the description last."""
    space = _space(scans, options["region"], part)
    n_trs = [scan.n_trs - n for scan, n in zip(scans, options["n_dropped"])]
    read = partial(_prepare_run, scans, space, options, part)
    label = f"preprocess sub-{scans[0].subject}"
    bold_store.write_runs(part, n_trs, space["n_voxels"], read, label, order="C", n_jobs=n_jobs)
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
    left, right = scans_of.vertex_indices(scan)
    return {"n_voxels": len(left) + len(right), "left": left, "right": right}


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
    matrix = np.eye(4) if is_mni(scans[0].space) else to_mni(mean, affine, brain=brain)
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


def _prepare_run(scans: Sequence[Scan], space: dict[str, Any], options: dict[str, Any], part: Path, k: int) -> NDArray:
    """Return one run, preprocessed, and keep its motion."""
    scan = scans[k]
    if scan.is_surface:
        bold = scans_of.vertices(scan)
        motion = scans_of.confounds_motion(scan)
    else:
        data, affine = scans_of.volumes(scan)
        bold, motion = _masked(scan, data, affine, space)
    remove_drift = partial(DRIFTS[options["drift"]], tr=scan.tr, window=options["window"])
    bold = remove_drift(bold)
    if "confounds" in options:
        confounds = read_confounds(scan, options["confounds"])
        confounds.censored[: options["n_dropped"][k]] = True  # what will be dropped is not fitted
        # drift out of both first: what is regressed out brings none of it back
        bold = _less_confounds(bold, remove_drift(confounds.with_spikes().astype(np.float32)), scan)
    motion = np.full((scan.n_trs, 6), np.nan) if motion is None else motion
    with whole_or_absent(part / f"{k:03d}-motion.npy", part / f"{k:03d}-motion.tmp") as new, open(new, "wb") as file:
        np.save(file, motion)
    return zscore(bold[options["n_dropped"][k] :])


def _less_confounds(bold: NDArray, columns: NDArray, scan: Scan) -> NDArray:
    """Return a run less what confounds explain of it by least squares."""
    # an orthonormal basis: columns may depend on one another, as those of cosines do that drift removal took out
    scaled = columns.astype(np.float64)
    norms = np.linalg.norm(scaled, axis=0)
    scaled = scaled[:, norms > 1e-6 * max(norms.max(initial=0.0), 1e-12)]
    scaled = np.column_stack([np.ones(len(bold)), scaled / np.linalg.norm(scaled, axis=0)])
    basis, strengths, _ = np.linalg.svd(scaled, full_matrices=False)
    basis = basis[:, strengths > 1e-5 * strengths.max()]
    if 2 * basis.shape[1] > len(bold):
        raise ValueError(
            f"{scan.confounds}: {basis.shape[1]} confounds for {len(bold)} volumes of run {scan.run} would take out "
            "most of what was measured; name fewer, or n_compcor"
        )
    residuals = np.empty(bold.shape, dtype=np.float32)
    for block in column_blocks(*bold.shape):
        y = bold[:, block].astype(np.float64)
        rest = y - basis @ (basis.T @ y)
        rest[:, rest.std(axis=0) < _ROUNDING * y.std(axis=0)] = 0  # all explained: what is left is rounding
        residuals[:, block] = rest
    return residuals


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


def open_prepared(place: Path) -> Subject:
    """Open the folder of a subject that `prepare` finished.

    Raises
    ------
    FileNotFoundError, ValueError
        If a file of it is missing or was cut short since.
    """
    advice = f"delete {place} and prepare the subject again"
    description = read_json(place / "about.json", advice)
    space = open_arrays(place / "space.npz", advice)
    names = tuple(description["run_names"])
    motion = {name: open_array(place / f"{k:03d}-motion.npy", advice) for k, name in enumerate(names)}
    grid = VoxelGrid.from_mask(space["mask"], space["affine"], space["to_mni"]) if "mask" in space else None
    return Subject(
        label=description["subject"],
        bold=bold_store.open_matrix(place, advice),
        runs=np.repeat(np.arange(len(names)), description["n_trs"]),
        run_names=names,
        tr=description["tr"],
        space=description["space"],
        motion=_kept_motion(list(motion.values()), description["n_dropped"]),
        first_trs=tuple(description["n_dropped"]),
        scan_motion={name: x for name, x in motion.items() if not np.isnan(x).any()},
        grid=grid,
        surface=_surface(space, description["space"]) if grid is None else None,
        locate=partial(_locate, grid, description["space"]),
        folder=place,
    )


def _surface(space: dict[str, Any], name: str) -> SurfaceVertices:
    """Return the vertices of the columns; those prepared before they were kept are all of the mesh."""
    n_vertices = fmriprep.n_vertices_of(name, int(space["n_voxels"]))
    left = space.get("left", np.arange(n_vertices))
    return SurfaceVertices(left, space.get("right", np.arange(n_vertices)), n_vertices)


def _kept_motion(motion: Sequence[NDArray], n_dropped: Sequence[int]) -> NDArray | None:
    """Return the motion of the volumes that were kept (n_trs, 6), or None if that of a run is unknown."""
    kept = np.concatenate([x[n:] for x, n in zip(motion, n_dropped)])
    return None if np.isnan(kept).any() else kept


def _locate(grid: VoxelGrid | None, space: str) -> VoxelCoordinates:
    """Return the coordinates of the voxels of a grid, or of the vertices of a mesh."""
    if grid is not None:
        return VoxelCoordinates(grid.coordinates, grid.voxel_size)
    if space != "fsaverage5":
        raise ValueError(f"the mesh of {space} is not at hand; ask fMRIPrep for fsaverage5")
    return VoxelCoordinates(midthickness_coordinates(), SPACING)
