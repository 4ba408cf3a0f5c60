"""Voxels of a subject at MNI coordinates by the subject's own cortex, folding by folding.

The vertex of the subject that is nearest to a voxel has a twin on fsaverage, since FreeSurfer registered both spheres.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from naturalistic.anatomy.surface import SIDES, meshes, midthickness_coordinates
from naturalistic.datasets.subject import VoxelGrid

_NEIGHBORS = 3  # vertices of fsaverage5 between which a point of the sphere lies


def coordinates_by_cortex(
    grid: VoxelGrid, middles: Mapping[str, ArrayLike], spheres: Mapping[str, ArrayLike]
) -> NDArray:
    """Return the MNI152 coordinates of voxels by the nearest vertex of the subject's cortex.

    How far a voxel lies from that vertex is kept, so that the nearest one to the middle of the cortex stays it.

    Parameters
    ----------
    grid : VoxelGrid
        Voxels of the subject, with an affine to mm.
    middles : dict of str to array (n_vertices, 3)
        Vertices of ``"left"`` and ``"right"`` in the middle of the cortex, in voxels of the grid.
    spheres : dict of str to array (n_vertices, 3)
        The same vertices on the sphere that is registered to fsaverage.

    Returns
    -------
    coordinates : array (n_voxels, 3)
        MNI152 mm.
    """
    to_mm = np.asarray(grid.affine)[:3, :3].T
    on_fsaverage = np.concatenate([_twins(spheres[side], k) for k, side in enumerate(SIDES)])
    middle = np.concatenate([np.asarray(middles[side], dtype=float) for side in SIDES]) @ to_mm
    voxels = grid.indices @ to_mm
    _, nearest = cKDTree(middle).query(voxels)
    return on_fsaverage[nearest] + voxels - middle[nearest]


def _twins(sphere: ArrayLike, hemisphere: int) -> NDArray:
    """Return the MNI152 coordinates of points on the sphere, between the vertices of fsaverage5 around them."""
    theirs = np.asarray(meshes("sphere")[hemisphere].coordinates, dtype=float)
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (np.asarray(sphere, dtype=float), theirs)]
    distance, around = cKDTree(unit[1]).query(unit[0], k=_NEIGHBORS)
    weights = 1 / np.maximum(distance, 1e-9)
    weights /= weights.sum(axis=1, keepdims=True)
    middles = np.split(midthickness_coordinates(), 2)[hemisphere]
    return np.einsum("vn,vnk->vk", weights, middles[around])
