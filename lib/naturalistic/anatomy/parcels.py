"""Parcels of cortex: those of an atlas, or compact ones of equal area."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import ArrayLike, NDArray

from naturalistic.arrays import as_real, check_finite
from naturalistic.datasets.images import nearest_values, read_volume
from naturalistic.parameters import whole

OUTSIDE = ("unknown", "medial_wall", "medial wall", "corpuscallosum", "???")  # names of what is no cortex


def subject_parcels(
    subject: Any, atlas: str | Path | Sequence[str | Path] | None = None, n_parcels: int = 150
) -> NDArray:
    """Return the parcel of each voxel or vertex of a subject.

    The paper's parcels are those of Destrieux et al. (2010, NeuroImage 53), 74 a hemisphere: of fsaverage5,
    FreeSurfer's ``lh.aparc.a2009s.annot`` and ``rh.aparc.a2009s.annot``; in volumes, a label image in MNI152.

    Parameters
    ----------
    subject : Subject
    atlas : str or Path, or two of them, optional
        A NIfTI image of whole-number labels in MNI152 mm, 0 outside; or, for a subject on fsaverage5, the annotations
        of the left and the right hemisphere (of fsaverage5 or finer, whose first 10,242 vertices are those of
        fsaverage5). None: parcels of equal area.
    n_parcels : int
        Of equal area.

    Returns
    -------
    parcels : int array (n_voxels,)
        0 .. n - 1 without a gap, those of the left hemisphere's annotation first; -1 outside of all.

    Raises
    ------
    FileNotFoundError, ValueError
        Naming the file, and what was expected.
    """
    if atlas is None:
        return equal_area_parcels(subject.coordinates, n_parcels)
    paths = [Path(p).expanduser() for p in ([atlas] if isinstance(atlas, (str, Path)) else atlas)]
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(f"{path} is not there; expected an atlas: a NIfTI label image or two .annot files")
    if len(paths) == 2:
        if subject.grid is not None:
            raise ValueError(
                f"atlas has two files, annotations of a surface, but the subject is in the volume ({subject.space}): "
                "give a label image in MNI152"
            )
        labels = np.concatenate(_of_both_sides(paths, len(subject.coordinates) // 2))
    elif len(paths) == 1:
        labels = _of_volume(paths[0], subject.coordinates)
    else:
        raise ValueError(f"atlas names {len(paths)} files, expected one label image, or a left and a right annotation")
    return _numbered(labels, paths)


def _of_volume(path: Path, coordinates: NDArray) -> NDArray:
    """Return the label of the atlas's voxel that holds each place; 0 outside of its field of view."""
    volume, affine = read_volume(path, placed=True)
    if not np.array_equal(volume, np.round(volume)):
        raise ValueError(f"{path} has broken numbers, expected one volume of whole labels")
    return nearest_values(volume, affine, coordinates).astype(int)


def _of_both_sides(paths: Sequence[Path], n_vertices: int) -> list[NDArray]:
    """Return the labels of the left and of the right vertices; 0 for what is no cortex, left and right apart."""
    hemispheres = []
    first = 1
    for path in paths:
        try:
            labels, _, names = nib.freesurfer.read_annot(path)
        except Exception as error:  # a damaged file raises a dozen kinds
            raise ValueError(f"{path} is no annotation of FreeSurfer, or was cut short ({error})") from error
        if not _is_mesh(len(labels), n_vertices):
            raise ValueError(
                f"{path} has {len(labels):,} vertices, expected {n_vertices:,} or a finer fsaverage mesh's"
            )
        names = [name.decode().lower() for name in names]
        cortex = np.array([name not in OUTSIDE for name in names] + [False])  # -1: of no label
        labels = labels[:n_vertices]
        hemispheres.append(np.where(cortex[labels], labels + first, 0))
        first += len(names)
    return hemispheres


def _is_mesh(n_vertices: int, n_coarse: int) -> bool:
    """Return whether a mesh is the coarse one or divides its triangles in four, once or more often."""
    while n_vertices > n_coarse and (n_vertices - 2) % 4 == 0:
        n_vertices = (n_vertices - 2) // 4 + 2
    return n_vertices == n_coarse


def _numbered(labels: NDArray, paths: Sequence[Path]) -> NDArray:
    """Return labels that occur, renumbered from 0; -1 where the label is 0 or less."""
    present = np.unique(labels[labels > 0])
    if not len(present):
        raise ValueError(f"{paths[0]} has no label at any voxel of the subject: is it in MNI152 mm?")
    return np.where(labels > 0, np.searchsorted(present, labels), -1)


def equal_area_parcels(coordinates: ArrayLike, n_parcels: int = 150) -> NDArray:
    """Cut the cortex into compact parcels of equal size, none in both hemispheres.

    Each hemisphere is halved again and again across its longest axis (the first principal one), at the voxel that gives
    each side its share of parcels. Nothing is drawn at random.

    Parameters
    ----------
    coordinates : array (n_voxels, 3)
        MNI152 mm; x < 0 is left.
    n_parcels : int
        As many as the Destrieux atlas has by default (150), shared out by the number of voxels.

    Returns
    -------
    parcels : int array (n_voxels,)
        0 .. n_parcels - 1, left before right; sizes within a factor of 2.

    Raises
    ------
    ValueError
        If there are fewer voxels than would fill the parcels.
    """
    coordinates = as_real(coordinates, "coordinates").astype(np.float64)
    if coordinates.ndim != 2 or coordinates.shape[1] != 3:
        raise ValueError(f"coordinates has shape {coordinates.shape}, expected (n_voxels, 3), mm")
    check_finite(coordinates, "coordinates")
    sides = [np.flatnonzero(side) for side in (coordinates[:, 0] < 0, coordinates[:, 0] >= 0)]
    sides = [side for side in sides if len(side)]
    hint = "one a hemisphere, up to one a voxel"
    n_parcels = whole("n_parcels", n_parcels, len(sides), len(coordinates), hint=hint)
    shares = [n_parcels]
    if len(sides) == 2:
        left = round(n_parcels * len(sides[0]) / len(coordinates))
        left = min(max(left, 1, n_parcels - len(sides[1])), n_parcels - 1, len(sides[0]))
        shares = [left, n_parcels - left]
    parcels = np.empty(len(coordinates), dtype=int)
    first = 0
    for side, share in zip(sides, shares):
        for k, piece in enumerate(_halved(side, coordinates, share)):
            parcels[piece] = first + k
        first += share
    return parcels


def _halved(voxels: NDArray, coordinates: NDArray, n_parcels: int) -> list[NDArray]:
    """Return ``n_parcels`` arrays of voxels, by halving."""
    if n_parcels == 1:
        return [voxels]
    places = coordinates[voxels]
    axis = np.linalg.eigh(np.cov(places.T))[1][:, -1] if len(voxels) > 1 else np.ones(3)
    axis = axis * np.sign(axis[np.argmax(np.abs(axis))])
    order = voxels[np.argsort(np.round(places @ axis, 6), kind="stable")]
    few = n_parcels // 2
    cut = round(len(voxels) * few / n_parcels)
    return [*_halved(order[:cut], coordinates, few), *_halved(order[cut:], coordinates, n_parcels - few)]


def parcel_columns(parcels: ArrayLike, n_voxels: int) -> list[NDArray]:
    """Return the voxels of each parcel.

    Parameters
    ----------
    parcels : int array (n_voxels,)
        0 .. n_parcels - 1; -1 is outside of all (an atlas's medial wall).
    n_voxels : int

    Returns
    -------
    columns : list of int array
        One a parcel.

    Raises
    ------
    ValueError
        If there is not one label a voxel, or a parcel is empty.
    """
    parcels = np.asarray(parcels)
    if parcels.shape != (n_voxels,) or parcels.dtype.kind not in "iu":
        raise ValueError(
            f"parcels has shape {parcels.shape} and type {parcels.dtype}, expected ({n_voxels},) whole numbers: the "
            "parcel of each voxel of bold, -1 for none"
        )
    sizes = np.bincount(parcels[parcels >= 0])
    if not len(sizes):
        raise ValueError("parcels has no parcel: all voxels are -1")
    if not sizes.all():
        empty = np.flatnonzero(sizes == 0)
        raise ValueError(
            f"parcel {empty[0]} is empty ({len(empty)} of 0 .. {len(sizes) - 1} are): number those that have voxels "
            "without a gap"
        )
    order = np.argsort(parcels, kind="stable")[(parcels < 0).sum() :]
    return np.split(order, np.cumsum(sizes)[:-1])
