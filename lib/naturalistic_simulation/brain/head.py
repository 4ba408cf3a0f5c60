"""Simulated echo-planar images of a head in any pose.

Brightness and gray matter come from nilearn's copies of the MNI152 tissue templates. A pose is an affine that
takes scanner mm to MNI mm; the image is sampled from the continuous (2-mm) head, never from another image.
"""

from functools import cache

import numpy as np
from naturalistic.anatomy.template import mni152_template
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

VOXEL = 8.0  # mm
SHAPE = (20, 24, 18)
# scanner mm of voxel (i, j, k): the grid is centered on the head
AFFINE = np.array([[-8.0, 0, 0, 76], [0, 8, 0, -110], [0, 0, 8, -62], [0, 0, 0, 1]])
CENTER = (AFFINE @ [*((np.array(SHAPE) - 1) / 2), 1])[:3]
# brightness of tissues in a T2*-weighted image
GRAY = 900.0
WHITE = 720.0
FLUID = 1150.0


@cache
def head() -> tuple[NDArray, NDArray, NDArray]:
    """Return brightness, gray-matter share (2 mm, blurred to 8) and their affine."""
    g, affine = mni152_template("gray")
    w, _ = mni152_template("white")
    b, _ = mni152_template("brain")
    b = b.astype(np.float32)
    g = g / g.max() * b
    w = w / w.max() * b
    fluid = np.clip(b - g - w, 0, 1)
    blur = VOXEL / 2 / np.sqrt(12)  # of a box as wide as a voxel, in 2-mm steps
    bright = gaussian_filter(GRAY * g + WHITE * w + FLUID * fluid, blur)
    return bright, gaussian_filter(g, blur), affine


def rigid(parameters: ArrayLike) -> NDArray:
    """Return the rigid motion of six parameters as a matrix (4, 4).

    Three shifts (mm), then three rotations (rad) about x, y and z, in that order. Rotations are about the center of
    the grid.
    """
    tx, ty, tz, *angles = parameters
    matrix = np.eye(4)
    for axis, angle in enumerate(angles):
        i, j = [(1, 2), (2, 0), (0, 1)][axis]
        turn = np.eye(4)
        turn[i, i] = turn[j, j] = np.cos(angle)
        turn[i, j] = -np.sin(angle)
        turn[j, i] = np.sin(angle)
        matrix = turn @ matrix
    matrix[:3, 3] = CENTER - matrix[:3, :3] @ CENTER + [tx, ty, tz]
    return matrix


def coordinates(pose: NDArray) -> NDArray:
    """Return MNI coordinates (mm) of all voxels under a pose: (n_all, 3)."""
    to_mni = pose @ AFFINE
    return (to_mni[:3, :3] @ _voxels() + to_mni[:3, 3:]).T


def brightness(pose: NDArray) -> NDArray:
    """Return the noiseless image of the head (n_all,) under a pose."""
    return _sample(head()[0], pose)


def gray_matter(pose: NDArray) -> NDArray:
    """Return the share of gray matter in each voxel (n_all,) under a pose."""
    return np.clip(_sample(head()[1], pose), 0, 1)


@cache
def _voxels() -> NDArray:
    """Return the indices of all voxels of the grid (3, n_all)."""
    return np.indices(SHAPE).reshape(3, -1).astype(float)


def _sample(volume: NDArray, pose: NDArray) -> NDArray:
    """Interpolate a 2-mm volume linearly at the coordinates of all voxels."""
    from_mni = np.linalg.inv(head()[2])
    index = from_mni[:3, :3] @ coordinates(pose).T + from_mni[:3, 3:]
    return map_coordinates(volume, index, order=1, mode="constant").astype(np.float32)
