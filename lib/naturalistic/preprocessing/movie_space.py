"""Coordinates of the voxels of the preprocessed movie data."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from naturalistic.arrays import ShapeRepr
from naturalistic.datasets import movie_bold
from naturalistic.datasets.images import read_volume
from naturalistic.intact import read_json
from naturalistic.preprocessing.registration import to_mni


@dataclass(frozen=True, repr=False)
class VoxelCoordinates(ShapeRepr):
    """Coordinates of a subject's voxels in MNI space.

    Attributes
    ----------
    coordinates : array (n_voxels, 3)
        MNI152 mm: approximate, by an affine (see `to_mni`).
    voxel_size : float
        mm, of an edge (the cube root of a voxel's volume).
    """

    coordinates: np.ndarray
    voxel_size: float


def movie_coordinates(movie: Any, subject: str) -> VoxelCoordinates:
    """Return the MNI coordinates of each column of ``movie.bold(subject)``.

    The voxels are those of the subject's echo-planar images, so the reference image of the release is registered to
    the template. If the sidecar of that image has ``"SpatialReference": "MNI152..."``, the grid is already in
    MNI152 mm.

    Parameters
    ----------
    movie : NarrativeMovie
    subject : str

    Returns
    -------
    voxels : VoxelCoordinates

    Raises
    ------
    FileNotFoundError
        If the reference image was not fetched.
    ValueError
        If it cannot be registered; see `to_mni`.
    """
    ijk, _, affine = movie.voxels(subject)
    if affine is None:
        raise FileNotFoundError(
            f"{movie_bold.reference_path(movie.folder, subject)} is missing: it says where the voxels lie; fetch it "
            f"(naturalistic fetch ds005531 --subject {subject} --parts pycortex_db --to "
            f"{shlex.quote(str(movie.folder))})"
        )
    matrix = affine
    path = movie_bold.reference_path(movie.folder, subject)
    if not _is_in_mni(path):
        reference, _ = read_volume(path, np.float32)
        matrix = to_mni(reference, affine) @ affine
    coordinates = ijk @ matrix[:3, :3].T + matrix[:3, 3]
    return VoxelCoordinates(coordinates, float(abs(np.linalg.det(affine[:3, :3])) ** (1 / 3)))


def _is_in_mni(path: Path) -> bool:
    """Return whether the sidecar of an image says that it lies in MNI152 space."""
    sidecar = path.with_name(path.name.partition(".")[0] + ".json")
    return sidecar.is_file() and str(read_json(sidecar).get("SpatialReference", "")).startswith("MNI152")
