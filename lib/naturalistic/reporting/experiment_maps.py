"""Maps of encoding models as files that other programs open: NIfTI, GIFTI, CIFTI."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
from nibabel.cifti2 import BrainModelAxis, Cifti2Image, ScalarAxis
from nibabel.gifti import GiftiDataArray, GiftiImage, GiftiMetaData
from numpy.typing import ArrayLike, NDArray

from naturalistic.anatomy.fslr import fslr_to_fsaverage5, why_no_map
from naturalistic.anatomy.surface import N_VERTICES, to_surface
from naturalistic.datasets.fmriprep import GRAYORDINATES, TEMPLATES
from naturalistic.datasets.subject import Subject
from naturalistic.encoding.experiment import SubjectEncoding

_STRUCTURES = {"left": "CortexLeft", "right": "CortexRight"}


def maps_of(one: SubjectEncoding) -> dict[str, NDArray]:
    """Return the maps of a subject by name: r of each model, whether it is significant, ceiling and share of it."""
    maps = {}
    for name, score in one.scores.items():
        short = "".join(part.capitalize() for part in name.split())
        maps[f"r{short}"] = score.r
        maps[f"significant{short}"] = score.significant.astype(float)
    maps["ceiling"] = one.ceiling.values
    if one.ceiling.is_ceiling:
        maps["shareOfCeiling"] = one.share_of_ceiling
    return maps


def write_maps(folder: Path, label: str, one: SubjectEncoding, template: str = TEMPLATES[0]) -> list[Path]:
    """Write the maps of a subject.

    Parameters
    ----------
    folder : Path
    label : str
    one : SubjectEncoding
    template : str
        Whole name of the space ``"mni"``.

    Returns
    -------
    paths : list of Path
        Empty where columns have no place: regions, or series without a grid.
    """
    subject = one.subject
    maps = maps_of(one)
    if subject.grid is not None:
        space = {"mni": template, "native": "T1w", "raw": "func"}.get(subject.space, subject.space)
        paths = []
        for name, values in maps.items():
            paths.append(folder / f"sub-{label}_space-{space}_desc-{name}_statmap.nii.gz")
            nib.save(_volume(subject, values), paths[-1])
        return paths
    if subject.surface is None:
        return []
    if subject.space in GRAYORDINATES:
        path = folder / f"sub-{label}_space-{subject.space}_desc-encoding_statmap.dscalar.nii"
        nib.save(_grayordinates(subject, maps), path)
        return [path]
    paths = []
    for name, values in maps.items():
        for side, on_mesh in subject.surface.on_mesh(values).items():
            hemisphere = side[0].upper()
            stem = f"sub-{label}_hemi-{hemisphere}_space-{subject.space}_desc-{name}"
            paths.append(folder / f"{stem}_statmap.shape.gii")
            about = GiftiMetaData({"AnatomicalStructurePrimary": _STRUCTURES[side]})
            array = GiftiDataArray(on_mesh.astype(np.float32), intent="NIFTI_INTENT_SHAPE")
            nib.save(GiftiImage(darrays=[array], meta=about), paths[-1])
    return paths


def on_fsaverage5(subject: Subject, values: ArrayLike) -> dict[str, NDArray] | None:
    """Return values at the vertices of fsaverage5, for a figure; None where no place of the columns is known.

    Parameters
    ----------
    subject : Subject
    values : array (n_voxels,)
    """
    if subject.grid is not None:
        return None if why_no_figure(subject) else to_surface(values, subject.coordinates, subject.voxel_size)
    if subject.surface is None:
        return None
    if subject.space in GRAYORDINATES:
        return fslr_to_fsaverage5(subject.surface.on_mesh(values))
    # the first vertices of a finer mesh of FreeSurfer are those of fsaverage5
    return {side: x[:N_VERTICES].astype(float) for side, x in subject.surface.on_mesh(values).items()}


def why_no_figure(subject: Subject) -> str:
    """Return why no map of a subject is drawn, and what opens the values; empty where one can be.

    Parameters
    ----------
    subject : Subject
    """
    if subject.space in GRAYORDINATES and subject.surface is not None:
        drawn = on_fsaverage5(subject, np.zeros(subject.bold.shape[1]))
        return why_no_map(subject.surface.n_vertices) if drawn is None else ""
    if subject.surface is not None:
        return ""
    if subject.grid is None and subject.locate is None:
        return "No map: the columns of these data are regions without a place in a volume or on a surface."
    try:
        _ = subject.coordinates
    except (FileNotFoundError, ValueError) as error:
        whole = "in a volume, as NIfTI files, they are whole" if subject.grid is not None else "scores are in the table"
        return f"No map on the cortex ({whole}): {error}"
    return ""


def by_hemisphere(one: SubjectEncoding) -> pd.DataFrame:
    """Return a row for each model and hemisphere of data on a surface.

    Parameters
    ----------
    one : SubjectEncoding
    """
    surface = one.subject.surface
    sides = np.repeat(["left", "right"], [len(surface.left), len(surface.right)])
    rows = []
    for name, score in one.scores.items():
        for side in ("left", "right"):
            of_side = sides == side
            rows.append({
                "model": name, "hemisphere": side, "vertices": int(of_side.sum()),
                "mean r": float(np.nanmean(score.r[of_side])), "highest r": float(np.nanmax(score.r[of_side])),
                "significant": int(score.significant[of_side].sum()),
            })  # fmt: skip
    return pd.DataFrame(rows)


def _volume(subject: Subject, values: NDArray) -> nib.Nifti1Image:
    """Return values on the grid that was scanned, in its own space."""
    grid = subject.grid
    volume = np.full(grid.shape, np.nan, dtype=np.float32)
    volume[tuple(grid.indices.T)] = values
    return nib.Nifti1Image(volume, grid.affine)


def _grayordinates(subject: Subject, maps: dict[str, NDArray]) -> Cifti2Image:
    """Return maps at the vertices of both cortices."""
    surface = subject.surface
    parts = (("cortex_left", surface.left), ("cortex_right", surface.right))
    axes = [BrainModelAxis.from_surface(vertices, surface.n_vertices, name=name) for name, vertices in parts]
    values = np.stack([np.asarray(x, dtype=np.float32) for x in maps.values()])
    return Cifti2Image(values, (ScalarAxis(list(maps)), axes[0] + axes[1]))
