"""Time course of one voxel after each step of preprocessing, for figures."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from naturalistic.datasets.images import describe_grid, same_grid
from naturalistic.datasets.scans import Scan, volumes
from naturalistic.datasets.subject import Subject
from naturalistic.preprocessing.motion import resample
from naturalistic.preprocessing.scaling import zscore
from naturalistic.preprocessing.store import DRIFTS


def trace(
    scan: Scan, subject: Subject, column: int, *, drift: Literal["median", "cosine"] = "median", window: float = 240.0
) -> dict[str, NDArray]:
    """Return the course of one voxel of a raw run after each step.

    Parameters
    ----------
    scan : Scan
        Raw.
    subject : Subject
        The same subject, prepared; its motion and mask are used.
    column : int
        Voxel, as a column of ``subject.bold``.
    drift : {"median", "cosine"}
    window : float
        s; both as they were for `prepare`.

    Returns
    -------
    steps : dict of str to array (n_trs,)
        The last one without the volumes that were dropped.

    Raises
    ------
    ValueError
        If the scan is not raw, or of another grid than the subject.
    """
    if scan.space != "raw":
        raise ValueError(f"the scan is in the space {scan.space!r}, expected raw: fMRIPrep did the first steps itself")
    data, affine = volumes(scan)
    if not same_grid(data.shape[:3], affine, subject.grid.shape, subject.grid.affine):
        raise ValueError(
            f"{scan.paths[0]} has {describe_grid(data.shape[:3], affine)}, the subject has "
            f"{describe_grid(subject.grid.shape, subject.grid.affine)}: expected a run of this subject"
        )
    place = tuple(subject.grid.indices[column])
    alone = np.zeros(subject.grid.shape, dtype=bool)
    alone[place] = True
    raw = np.array([data[(*place, t)] for t in range(scan.n_trs)], dtype=np.float32)
    still = resample(data, subject.scan_motion[scan.run], affine, alone)
    flat = DRIFTS[drift](still, scan.tr, window)
    n_dropped = scan.n_trs - int((subject.runs == subject.run_names.index(scan.run)).sum())
    return {
        "as scanned": raw,
        "motion corrected": still[:, 0],
        f"drift removed ({drift}, {window:g} s)": flat[:, 0],
        "first clip dropped, z-scored": zscore(flat[n_dropped:])[:, 0],
    }
