"""Scans: one run of one subject on disk, as the scanner wrote it or as fMRIPrep left it.

A `Scan` says what is to be read and how long it must be; `check` looks at headers and sidecars of many scans
before any long work, `volumes` and `vertices` read one run.
"""

import json
import zlib
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

SPACES = ("raw", "native", "mni", "fsaverage5", "fsaverage6", "fsaverage")
MNI = "MNI152NLin2009cAsym"


@dataclass(frozen=True)
class Scan:
    """One run of one subject.

    Attributes
    ----------
    subject, run : str
        Such as ``"001"`` and ``"Training_run-01"``.
    space : str
        One of `SPACES`; ``"raw"`` is before any preprocessing.
    paths : tuple of Path
        One image; two surface files (left, right) in an fsaverage space.
    tr : float
        Repetition time in s that the scan must have.
    n_trs : int
        Volumes that it must have.
    mask, confounds, sidecar : Path or None
        fMRIPrep's brain mask and confounds; the scanner's sidecar.
    """

    subject: str
    run: str
    space: str
    paths: tuple
    tr: float
    n_trs: int
    mask: Path | None = None
    confounds: Path | None = None
    sidecar: Path | None = None

    @property
    def is_surface(self):
        """Whether the run is on the vertices of a surface."""
        return self.space.startswith("fsaverage")


def find(folder, subject, run, *, space, tr, n_trs, derivatives=None):
    """Return the `Scan` of a run; files need not be there (`check` says which are not).

    Parameters
    ----------
    folder : Path
        Root of the BIDS data set.
    subject, run : str
        Labels, as in `Scan`.
    space : str
        ``"raw"``, or fMRIPrep's output: ``"native"`` (the subject's T1w), ``"mni"``, ``"fsaverage5"``...
    tr, n_trs
        What the scan must have.
    derivatives : Path, optional
        fMRIPrep's output folder; ``folder/derivatives/fmriprep`` by default.

    Raises
    ------
    ValueError
        If ``space`` is none of `SPACES`.
    """
    if space not in SPACES:
        raise ValueError(f"space is {space!r}, expected one of {', '.join(SPACES)}")
    stem = f"sub-{subject}_task-{run}"
    raw = Path(folder) / f"sub-{subject}" / "func"
    if space == "raw":
        path = _either(raw / f"{stem}_bold.nii")
        return Scan(subject, run, space, (path,), tr, n_trs, sidecar=raw / f"{stem}_bold.json")
    func = Path(derivatives or Path(folder) / "derivatives" / "fmriprep") / f"sub-{subject}" / "func"
    confounds = func / f"{stem}_desc-confounds_timeseries.tsv"
    more = {"tr": tr, "n_trs": n_trs, "confounds": confounds, "sidecar": raw / f"{stem}_bold.json"}
    if space.startswith("fsaverage"):
        paths = tuple(func / f"{stem}_hemi-{side}_space-{space}_bold.func.gii" for side in "LR")
        return Scan(subject, run, space, paths, **more)
    name = {"native": "T1w", "mni": MNI}[space]
    path = _either(func / f"{stem}_space-{name}_desc-preproc_bold.nii")
    mask = _either(func / f"{stem}_space-{name}_desc-brain_mask.nii")
    return Scan(subject, run, space, (path,), mask=mask, **more)


def check(scans):
    """Look at all headers and sidecars before any long work.

    Raises
    ------
    FileNotFoundError
        Naming every file that is missing, all at once.
    ValueError
        Naming each file that is truncated, is no image, or has another length or TR.
    """
    wanted = [path for scan in scans for path in (*scan.paths, scan.mask) if path is not None]
    wanted += [scan.sidecar for scan in scans if scan.space == "raw"]
    missing = [path for path in wanted if not path.is_file()]
    if missing:
        raise FileNotFoundError(
            f"{len(missing)} of {len(wanted)} files are missing: {_some(missing)}; fetch them "
            "(`naturalistic fetch --help` lists the data sets), or name the runs and the space that you have"
        )
    wrong = [problem for scan in scans for problem in _problems(scan)]
    if wrong:
        raise ValueError("; ".join(wrong[:5]) + (f"; and {len(wrong) - 5} more" if len(wrong) > 5 else ""))


def volumes(scan):
    """Open the run of a volume scan.

    Returns
    -------
    data : array or array proxy (x, y, z, n_trs)
        Indexed as ``data[..., t]``. An uncompressed file stays on disk and is read volume by volume; a
        compressed one is read whole, as the integers that it holds.
    affine : array (4, 4)
        From voxel indices to mm.

    Raises
    ------
    ValueError
        If the file cannot be read to its end.
    """
    path = scan.paths[0]
    image = nib.load(path)
    if path.name.endswith(".nii"):
        return image.dataobj, image.affine
    try:
        slope, intercept = image.header.get_slope_inter()
        whole = slope in (None, 1.0) and intercept in (None, 0.0)
        data = np.asanyarray(image.dataobj.get_unscaled() if whole else image.get_fdata(dtype=np.float32))
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{path} is damaged or was cut short ({error}); fetch it again") from error
    return data, image.affine


def vertices(scan):
    """Return the run of a surface scan, left vertices before right ones: float32 (n_trs, n_vertices).

    Vertices that fMRIPrep left without values (its option for the medial surface) are 0, as others outside of the scan.
    """
    sides = []
    for path in scan.paths:
        sides.append(np.stack([array.data for array in nib.load(path).darrays]).astype(np.float32))
    bold = np.concatenate(sides, axis=1)
    bold[np.isnan(bold)] = 0
    return bold


def confounds_motion(scan):
    """Return fMRIPrep's motion estimates (n_trs, 6), mm and rad, or None where it left none.

    Raises
    ------
    ValueError
        If columns are missing, or the table has another number of rows than the scan must have volumes.
    """
    if scan.confounds is None or not scan.confounds.is_file():
        return None
    names = [f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"]
    table = np.genfromtxt(scan.confounds, delimiter="\t", names=True, missing_values="n/a", dtype=float)
    absent = [name for name in names if name not in (table.dtype.names or ())]
    if absent:
        raise ValueError(f"{scan.confounds} has no column {', '.join(absent)}: expected fMRIPrep's confounds")
    motion = np.stack([np.atleast_1d(table[name]) for name in names], axis=1)
    if len(motion) != scan.n_trs:
        raise ValueError(f"{scan.confounds} has {len(motion)} rows, expected {scan.n_trs}: one a volume of the run")
    return motion


def _either(path):
    """Return ``path``, or its compressed twin if only that is there."""
    packed = path.with_name(path.name + ".gz")
    return packed if packed.is_file() and not path.is_file() else path


def _some(paths, n=4):
    return ", ".join(map(str, paths[:n])) + (f" and {len(paths) - n} more" if len(paths) > n else "")


def _problems(scan):
    """Yield what is wrong with the files of a scan, one sentence each."""
    if scan.sidecar is not None and scan.sidecar.is_file():
        try:
            tr = json.loads(scan.sidecar.read_text(encoding="utf-8")).get("RepetitionTime")
        except ValueError as error:
            yield f"{scan.sidecar} is not JSON ({error})"
        else:
            if tr is None or abs(float(tr) - scan.tr) > 1e-3:
                yield f"{scan.sidecar} says RepetitionTime {tr} s, expected {scan.tr:g} s: is it of this data set?"
    for path in scan.paths:
        try:
            image = nib.load(path)
        except (nib.filebasedimages.ImageFileError, OSError, EOFError, zlib.error, ValueError) as error:
            yield f"{path} cannot be read as an image ({error}); fetch it again"
            continue
        if scan.is_surface:
            shape, n_found = "a surface", len(image.darrays)
        else:
            shape = image.shape
            n_found = shape[3] if len(shape) == 4 else 0
            yield from _truncated(path, image)
        if n_found != scan.n_trs:
            yield f"{path} has {n_found} volumes ({shape}), expected {scan.n_trs}: the run is not whole"


def _truncated(path, image):
    """Compare the size of an uncompressed NIfTI with what its header promises."""
    if path.name.endswith(".nii"):
        promised = image.dataobj.offset + int(np.prod(image.shape)) * image.dataobj.dtype.itemsize
        if path.stat().st_size < promised:
            yield f"{path} has {path.stat().st_size:,} of {promised:,} bytes: it was cut short; fetch it again"
