"""Interpolation from the simulated grid (8 mm) to the scanner's (2 mm).

Both grids have the same center.
"""

import numpy as np
from numpy.typing import NDArray

from naturalistic_simulation.brain.head import CENTER, SHAPE, VOXEL

SIZE = 2.0  # mm, of a voxel of both data sets
NOISE = 12.0  # sd of what is added in each voxel, where the brightest tissue is about 1,000


def affine_of(shape: tuple[int, ...]) -> NDArray:
    """Return the affine (4, 4) of a grid of `SIZE` mm about the same center."""
    affine = np.diag([-SIZE, SIZE, SIZE, 1.0])
    affine[:3, 3] = CENTER - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return affine


def enlarge(volumes: NDArray, shape: tuple[int, ...], slices: slice = slice(None)) -> NDArray:
    """Return volumes interpolated linearly on a grid of `SIZE` mm.

    Values are 0 outside of the grid of 8 mm.

    Parameters
    ----------
    volumes : float32 array (n, 20, 24, 18)
        On the grid of 8 mm, x first.
    shape : tuple of int
        Of the larger grid.
    slices : slice
        Along z, of the larger grid.

    Returns
    -------
    volumes : float32 array (n, n_slices, y, x)
        x fastest, as NIfTI and MATLAB keep it.
    """
    x, y, z = (_weights(n, m) for n, m in zip(shape, SHAPE))
    seen = np.einsum("cz,nxyz->ncyx", z[slices], volumes, optimize=True)
    return np.matmul(np.matmul(y, seen), x.T)


def _weights(n: int, m: int) -> NDArray:
    """Return the weights (n, m) of the m points of an axis in its n finer ones."""
    at = (np.arange(n) - (n - 1) / 2) * SIZE / VOXEL + (m - 1) / 2
    return np.maximum(0, 1 - np.abs(at[:, None] - np.arange(m))).astype(np.float32)
