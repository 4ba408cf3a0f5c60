"""The cortical surface fsaverage5 of nilearn: its meshes, and values of voxels at its vertices."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from nilearn.datasets import load_fsaverage, load_fsaverage_data
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from naturalistic.datasets.images import read_volume

SIDES = ("left", "right")
N_VERTICES = 10242  # of one hemisphere
SPACING = 3.0  # mm between vertices, about
# MNI305, where fsaverage lies, to MNI152 (FreeSurfer's CoordinateSystems wiki page, item 8)
MNI305_TO_MNI152 = np.array([
    [0.9975, -0.0073, 0.0176, -0.0429],
    [0.0146, 1.0009, -0.0024, 1.5496],
    [-0.0130, -0.0093, 0.9971, 1.1840],
])  # fmt: skip
REACH = 1.0  # half diagonals of a voxel: how far from a vertex the nearest voxel may be


@cache
def meshes(kind: str) -> tuple[Any, Any]:
    """Return the left and right mesh of one kind."""
    mesh = load_fsaverage("fsaverage5")[kind]
    return mesh.parts["left"], mesh.parts["right"]


@cache
def sulcal_depth(side: str) -> NDArray:
    """Return the sulcal depth at the vertices of a hemisphere (10242,)."""
    return np.asarray(load_fsaverage_data("fsaverage5", data_type="sulcal").data.parts[side])


@cache
def midthickness_coordinates() -> NDArray:
    """Return the coordinates of the midthickness vertices.

    (20484, 3), MNI152 mm, left before right.
    """
    middles = [(p.coordinates + w.coordinates) / 2 for p, w in zip(meshes("pial"), meshes("white_matter"))]
    return to_mni152(np.concatenate(middles))


def to_mni152(coordinates: NDArray) -> NDArray:
    """Return coordinates (n, 3) of fsaverage, in MNI305 mm, as MNI152 mm."""
    return coordinates @ MNI305_TO_MNI152[:, :3].T + MNI305_TO_MNI152[:, 3]


def to_surface(values: ArrayLike, coordinates: ArrayLike, voxel_size: float) -> dict[str, NDArray]:
    """Return the values of the nearest voxels at the midthickness vertices of fsaverage5.

    Parameters
    ----------
    values : array (..., n_voxels)
        One map, or many of the same voxels, such as a null.
    coordinates : array (n_voxels, 3)
        MNI152 mm of the voxels.
    voxel_size : float
        mm. A vertex with no voxel within `REACH` half diagonals is NaN.

    Returns
    -------
    values : dict of str to array (..., 10242)
        ``"left"`` and ``"right"``; float64, but for many maps of float32, which stay so.

    Raises
    ------
    ValueError
        If values and coordinates are not of the same voxels.
    """
    values = np.asarray(values)
    coordinates = np.asarray(coordinates, dtype=float)
    values = values if values.dtype == np.float32 and values.ndim > 1 else values.astype(float)
    if values.ndim < 1 or coordinates.shape != (values.shape[-1], 3):
        raise ValueError(
            f"values has shape {values.shape} and coordinates {coordinates.shape}, "
            "expected (..., n_voxels) and (n_voxels, 3)"
        )
    distance, nearest = cKDTree(coordinates).query(midthickness_coordinates())
    at_vertices = values[..., nearest]
    at_vertices[..., distance > REACH * np.sqrt(3) / 2 * voxel_size] = np.nan
    return dict(zip(SIDES, np.split(at_vertices, 2, axis=-1)))


def parcels_to_surface(
    values: ArrayLike, atlas: Path | str, labels: ArrayLike, reach: float = 6.0
) -> dict[str, NDArray]:
    """Return the values of parcels of an atlas at the midthickness vertices of fsaverage5.

    Parameters
    ----------
    values : array (..., n_parcels)
    atlas : Path or str
        Label image in MNI152 mm, 0 outside.
    labels : int array (n_parcels,)
        Label of each parcel in the image.
    reach : float
        mm. A vertex takes the label of the nearest voxel that has one; with none so near, it is NaN, as are vertices
        whose label is none of ``labels``.

    Returns
    -------
    values : dict of str to float64 array (..., 10242)
        ``"left"`` and ``"right"``.

    Raises
    ------
    ValueError
        If there is not one value a label.
    """
    values = np.asarray(values, dtype=float)
    labels = np.asarray(labels)
    if values.ndim < 1 or values.shape[-1:] != labels.shape:
        raise ValueError(f"values has shape {values.shape} and labels {labels.shape}, expected (..., n) and (n,)")
    volume, affine = read_volume(atlas, placed=True)
    inside = np.argwhere(volume > 0)
    tree = cKDTree(inside @ affine[:3, :3].T + affine[:3, 3])
    distance, nearest = tree.query(midthickness_coordinates(), distance_upper_bound=reach)
    label = np.full(len(distance), -1)
    near = np.isfinite(distance)
    label[near] = volume[tuple(inside[nearest[near]].T)]
    order = np.argsort(labels)
    column = order[np.minimum(np.searchsorted(labels[order], label), len(labels) - 1)]
    at_vertices = np.where(labels[column] == label, values[..., column], np.nan)
    return dict(zip(SIDES, np.split(at_vertices, 2, axis=-1)))


def to_surfaces(values: dict[str, ArrayLike], subjects: Mapping[str, Any]) -> list[dict[str, NDArray]]:
    """Return `to_surface` of the values of each subject, for maps of a group.

    Parameters
    ----------
    values : dict of str to array (n_voxels,)
        By subject.
    subjects : mapping of str to Subject
        With ``coordinates`` and ``voxel_size``, such as `preprocessing.open_subjects` gives.

    Returns
    -------
    maps : list of dict of str to array (10242,)
        In the order of ``subjects``.
    """
    return [to_surface(values[s], subject.coordinates, subject.voxel_size) for s, subject in subjects.items()]


def mean_over_subjects(maps: Sequence[Mapping[str, ArrayLike]]) -> dict[str, NDArray]:
    """Return the mean map of subjects, over those who have a value at a vertex.

    Parameters
    ----------
    maps : list of dict of str to array (10242,)
        One a subject, from `to_surface`; NaN without a voxel.

    Returns
    -------
    mean : dict of str to array (10242,)
        NaN where no subject has a value.
    """
    mean = {}
    for side in SIDES:
        values = np.array([by_side[side] for by_side in maps])
        n = np.isfinite(values).sum(axis=0)
        mean[side] = np.nansum(values, axis=0) / np.where(n > 0, n, np.nan)
    return mean
