"""Validation of the input of preprocessing."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def check_bold(bold: ArrayLike) -> NDArray:
    """Return ``bold`` as an array, after checking it.

    Parameters
    ----------
    bold : array (n_trs, n_voxels) or (n_subjects, n_trs, n_voxels)
        Floating point, every value finite.

    Returns
    -------
    bold : array of the same shape and dtype; float32 for float16

    Raises
    ------
    ValueError
        If the number of dimensions or the dtype differs, or a value is NaN or infinite.
    """
    bold = np.asarray(bold)
    if bold.ndim not in (2, 3) or not np.issubdtype(bold.dtype, np.floating):
        raise ValueError(
            f"bold is {bold.dtype} of shape {bold.shape}, expected float of shape "
            "(n_trs, n_voxels) or (n_subjects, n_trs, n_voxels)"
        )
    # three digits are too few for what is left of a voxel without its mean
    bold = bold.astype(np.promote_types(bold.dtype, np.float32), copy=False)
    bad = ~np.isfinite(bold)
    if bad.any():
        *_, t, v = np.argwhere(bad)[0]
        raise ValueError(f"bold has {bad.sum()} values that are NaN or infinite, the first at TR {t}, voxel {v}")
    return bold


def check_positive(value: Any, name: str, unit: str) -> None:
    """Raise a ValueError unless ``value`` is a finite number of ``unit`` above 0."""
    if not np.isscalar(value) or not np.isfinite(value) or value <= 0:
        raise ValueError(f"{name} is {value!r}, expected a number of {unit} above 0")


def check_volume(volume: ArrayLike, name: str, shape: tuple[int, ...] | None = None) -> NDArray:
    """Return ``volume`` (x, y, z) as float32, after checking it.

    Parameters
    ----------
    volume : array (x, y, z)
        Any real dtype, every value finite.
    name : str
        What the message calls it.
    shape : tuple of 3 int, optional
        The grid that it must have.

    Raises
    ------
    ValueError
        If it has another shape, or a value is NaN or infinite.
    """
    volume = np.asarray(volume)
    if volume.ndim != 3 or (shape is not None and volume.shape != tuple(shape)):
        wanted = "(x, y, z)" if shape is None else f"{tuple(shape)}"
        raise ValueError(f"{name} has shape {volume.shape}, expected {wanted}")
    volume = volume.astype(np.float32)
    bad = ~np.isfinite(volume)
    if bad.any():
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ValueError(f"{name} has {bad.sum()} values that are NaN or infinite, the first at voxel {first}")
    return volume


def check_mask(mask: ArrayLike, name: str, shape: tuple[int, ...]) -> NDArray:
    """Return ``mask`` as bool (x, y, z), after checking it against ``shape``."""
    mask = np.asarray(mask)
    if mask.shape != tuple(shape):
        raise ValueError(f"{name} has shape {mask.shape}, expected {tuple(shape)}, the grid of the volumes")
    if not np.isin(mask, (0, 1)).all():
        raise ValueError(f"{name} has values other than 0 and 1, expected a mask")
    if not mask.any():
        raise ValueError(f"{name} is empty: no voxel is in it")
    return mask.astype(bool)


def check_affine(affine: ArrayLike, name: str = "affine") -> NDArray:
    """Return ``affine`` as float64 (4, 4), after checking it.

    It is finite and invertible, with a last row of 0 0 0 1.
    """
    affine = np.asarray(affine, dtype=np.float64)
    if affine.shape != (4, 4):
        raise ValueError(f"{name} has shape {affine.shape}, expected (4, 4): voxel indices to mm")
    if not np.isfinite(affine).all() or not np.allclose(affine[3], [0, 0, 0, 1]):
        raise ValueError(f"{name} is no affine: expected finite numbers and a last row of 0 0 0 1, got\n{affine}")
    if abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise ValueError(f"{name} cannot be inverted: its three axes lie in one plane,\n{affine}")
    return affine


def voxel_sizes(affine: ArrayLike) -> NDArray:
    """Return the three edges of a voxel in mm, from the columns of ``affine`` (4, 4)."""
    return np.linalg.norm(affine[:3, :3], axis=0)
