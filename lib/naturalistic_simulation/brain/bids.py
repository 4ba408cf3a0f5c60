"""Simulated runs as files in the layout of ds003720."""

import json
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
from naturalistic.anatomy.template import mni152_template
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from naturalistic_simulation.brain.head import AFFINE
from naturalistic_simulation.brain.scanner import TR

CLIP = 15
UNQUOTED = "Training_run-04"  # three rows of the real files lack the opening quote of the genre
SIMULATED = {
    "Manufacturer": "none: simulated by naturalistic_simulation",
    "ImageComments": "simulated, no brain was measured",
}


def write_top(root: Path, readme: str) -> None:
    """Write the files of the top level of a data set."""
    root.mkdir()
    (root / "README").write_text(readme, encoding="utf-8")
    (root / "CHANGES").write_text("1.0.0\n  - Simulated\n", encoding="utf-8")
    about = {
        "Name": "Simulated data in the layout of the Music Genre fMRI Dataset",
        "BIDSVersion": "1.4.0",
        "License": "CC0",
        "Authors": ["simulated by naturalistic_simulation.music"],
    }
    (root / "dataset_description.json").write_text(json.dumps(about, indent=4), encoding="utf-8")


def write_run(root: Path, label: str, run: str, clips: Sequence[tuple], volumes: NDArray) -> None:
    """Write the image, the sidecar and the events of a run.

    Parameters
    ----------
    root : Path
    label, run : str
        Such as ``"001"`` and ``"Training_run-01"``.
    clips : list of tuple (genre, track, start, end)
        In order of play, the dummy first.
    volumes : int16 array (x, y, z, n_trs)
    """
    func = root / f"sub-{label}" / "func"
    func.mkdir(parents=True, exist_ok=True)
    stem = f"sub-{label}_task-{run}"
    _save(volumes, AFFINE, func / f"{stem}_bold.nii.gz", TR)
    about = {**SIMULATED, "SliceThickness": 8, "RepetitionTime": TR, "TaskName": run.split("_")[0]}
    about["SliceTiming"] = [0] * volumes.shape[2]  # a simulated volume is taken at once
    (func / f"{stem}_bold.json").write_text(json.dumps(about, separators=(",", ":")), encoding="utf-8")
    (func / f"{stem}_events.tsv").write_text(events(clips, run), encoding="utf-8")


def events(clips: Sequence[tuple], run: str) -> str:
    """Return the text of an event file, a line for each clip."""
    lines = ["onset\tduration\tgenre\ttrack\tstart\tend"]
    for k, (genre, track, start, end) in enumerate(clips):
        quote = "" if run == UNQUOTED and k >= len(clips) - 3 else "'"
        lines.append(f"{CLIP * k}\t{CLIP}\t{quote}{genre}'\t{track}\t{start:.6g}\t{end:.6g}")
    return "\n".join(lines)


def write_anatomy(root: Path, label: str, pose: NDArray) -> None:
    """Write a T1-weighted image: the MNI152 template (4 mm) in a subject's pose."""
    template, template_affine = mni152_template()
    shape = (40, 48, 40)
    affine = np.array([[-4.0, 0, 0, 78], [0, 4, 0, -112], [0, 0, 4, -66], [0, 0, 0, 1]])
    ijk1 = np.concatenate([np.indices(shape).reshape(3, -1), np.ones((1, np.prod(shape)))])
    index = (np.linalg.inv(template_affine) @ pose @ affine @ ijk1)[:3]
    values = map_coordinates(template, index, order=1, mode="constant")
    anat = root / f"sub-{label}" / "anat"
    anat.mkdir(parents=True)
    _save(
        np.rint(1000 * values / values.max()).astype(np.int16).reshape(shape), affine, anat / f"sub-{label}_T1w.nii.gz"
    )
    about = {**SIMULATED, "SliceThickness": 4}
    (anat / f"sub-{label}_T1w.json").write_text(json.dumps(about, indent="\t"), encoding="utf-8")


def _save(array: NDArray, affine: NDArray, path: Path, tr: float | None = None) -> None:
    """Write a NIfTI; its bytes depend on its content alone (gzip without time)."""
    image = nib.Nifti1Image(array, affine)
    image.header.set_xyzt_units("mm", "sec")
    image.header["descrip"] = "simulated by naturalistic_simulation"
    if tr is not None:
        image.header.set_zooms((*image.header.get_zooms()[:3], tr))
    nib.save(image, path)
