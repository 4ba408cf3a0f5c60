"""Parcels: patches of cortex of equal size, where no atlas is at hand."""

import numpy as np

from naturalistic.arrays import as_real, check_finite
from naturalistic.parameters import whole


def equal_area_parcels(coordinates, n_parcels=150):
    """Cut the cortex into compact parcels of about equally many voxels, no parcel in both hemispheres.

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
    parcels, first = np.empty(len(coordinates), dtype=int), 0
    for side, share in zip(sides, shares):
        for k, piece in enumerate(_halved(side, coordinates, share)):
            parcels[piece] = first + k
        first += share
    return parcels


def _halved(voxels, coordinates, n_parcels):
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


def parcel_columns(parcels, n_voxels):
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
