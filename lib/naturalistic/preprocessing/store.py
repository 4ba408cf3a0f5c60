"""A subject's runs, preprocessed once, kept as one float32 file and memory-mapped after that.

Raw scans: each volume is moved onto the subject's first volume, voxels of the mask are kept, slow drift is
removed, the volumes that do not count are dropped, and what is left is z-scored; each step inside a run. Scans
that fMRIPrep left are already aligned: they begin at the mask.
"""

import hashlib
import json
import os
import shutil
from numbers import Integral
from pathlib import Path

import joblib
import numpy as np
from tqdm import tqdm

from naturalistic.cache import cache_dir, folder_lock, put_in_place, whole_or_absent
from naturalistic.datasets import scans as scans_of
from naturalistic.datasets.images import silence_unseen
from naturalistic.intact import open_arrays
from naturalistic.preprocessing.checks import check_positive
from naturalistic.preprocessing.filters import cosine, running_median
from naturalistic.preprocessing.masks import brain_mask, cortex_mask
from naturalistic.preprocessing.motion import correct_motion
from naturalistic.preprocessing.prepared import open_prepared
from naturalistic.preprocessing.registration import to_mni
from naturalistic.preprocessing.scaling import zscore

RECIPE = 2  # raise it when the same scans and options give other numbers
# by name: (bold, tr, window in s) -> bold
DRIFTS = {"median": running_median, "cosine": lambda bold, tr, window: cosine(bold, tr, 1 / window)}


def prepare(scans, *, n_dropped=0, drift="median", window=240.0, region="cortex", folder=None, n_jobs=None):
    """Preprocess a subject's scans, or open what was preprocessed before.

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


def _check_request(scans, n_dropped, drift, window, region):
    kinds = {(scan.subject, scan.space, scan.tr) for scan in scans}
    if len(kinds) != 1:
        raise ValueError(f"scans are of {len(kinds)} kinds {sorted(kinds)}, expected one subject, space and TR")
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


def _key(scans, options):
    """Return a hash of what determines the result: the files (by size and time), the options, the recipe."""
    files = [path for scan in scans for path in (*scan.paths, scan.mask, scan.confounds) if path and path.is_file()]
    state = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    text = json.dumps([RECIPE, state, [(scan.n_trs, scan.tr) for scan in scans], options])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _prepare(scans, options, part, n_jobs):
    """Fill a folder: space first, then run after run, each marked when it is done."""
    space = _space(scans, options["region"], part)
    n_trs = [scan.n_trs - options["n_dropped"] for scan in scans]
    stops = np.cumsum(n_trs)
    shape = (int(stops[-1]), space["n_voxels"])
    needed, free = 4 * shape[0] * shape[1], shutil.disk_usage(part).free
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
    about = {
        "subject": scans[0].subject, "space": scans[0].space, "tr": scans[0].tr, "n_trs": n_trs,
        "run_names": [scan.run for scan in scans], **options,
    }  # fmt: skip
    (part / "about.json").write_text(json.dumps(about, indent=1), encoding="utf-8")


def _space(scans, region, part):
    """Return (and keep) reference, mask and registration of the subject's space."""
    kept = part / "space.npz"
    if not kept.is_file():
        space = _surface_space(scans[0]) if scans[0].is_surface else _volume_space(scans, region)
        with whole_or_absent(kept, part / "space.tmp") as new, open(new, "wb") as file:
            np.savez(file, **space)
    space = open_arrays(kept, f"delete {part} and prepare the subject again")
    return space | {"n_voxels": int(space["n_voxels"])}


def _surface_space(scan):
    return {"n_voxels": scans_of.vertices(scan).shape[1]}


def _volume_space(scans, region):
    """Look at the first run: the volume all others are moved onto, what is brain, and where it lies in MNI152."""
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


def _prepare_run(scan, space, options, part, k, start):
    """Preprocess one run into its rows of the file; its motion, written last, marks it as done."""
    if scan.is_surface:
        bold, motion = scans_of.vertices(scan), scans_of.confounds_motion(scan)
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


def _masked(scan, data, affine, space):
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
