"""Head motion: rigid estimates for each volume, and volumes resampled without it.

The estimate is the least-squares one of SPM and AFNI (Friston et al. 1995, Human Brain Mapping 3:165; Cox and
Jesmanowicz 1999, Magnetic Resonance in Medicine 42:1014): the head is rigid, so a volume differs from the
reference, to first order, by six images known beforehand, the changes that a small step along each of the six
parameters makes in the reference. Steps are inverted (Baker and Matthews 2004, IJCV 56:221), so that these six
images, and the solution of their least squares, are computed once for a whole experiment.

Motion is six numbers a volume: x, y, z in **mm** towards right, anterior, superior, then the rotations about
these axes in **rad**, right-handed. They say where the head went: a point of the head that lies at ``p`` in the
reference lies at ``R (p - c) + c + t`` in the volume, with ``c`` the center of the grid and
``R = Rz(rot_z) Ry(rot_y) Rx(rot_x)``. (Programs differ: some report the inverse, the correction, with opposite
signs, and turn about the origin of the scanner. Framewise displacement and regression hardly notice.)

Left alone: slice timing, the distortion of the image that motion changes, and signal lost through spin history.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from naturalistic.preprocessing.masks import brain_mask
from naturalistic.preprocessing.validation import check_affine, check_mask, check_positive, check_volume, voxel_sizes
from naturalistic.runs import run_slices

BLOCK = 32  # volumes read at once: few enough for memory, enough that a compressed file is not read once a volume
SPACING = 4.0  # mm between the points that are compared; a smaller step costs time and adds next to nothing
PRECISION = 0.005  # mm (or mm on a sphere of 50 mm): a smaller step ends the search
STEPS = 40  # at most; two or three are usual
GAIN = 0.8, 1.25  # brightness of a volume relative to the reference; between them the steps come to rest as they are
FWHM_TO_SD = 1 / np.sqrt(8 * np.log(2))


class _Target(NamedTuple):
    """The reference, ready to be compared with many volumes."""

    points: np.ndarray  # (4, n_points) voxel indices, and a row of ones
    values: np.ndarray  # (n_points,) what the smoothed reference has there
    solve: np.ndarray  # (7, n_points) turns a difference of values into the small motion and change of scale behind it
    affine: np.ndarray
    center: np.ndarray  # mm
    blur: np.ndarray  # standard deviation of the smoothing, in voxels


def _motion_matrix(motion: ArrayLike, center: ArrayLike) -> NDArray:
    """Return the matrix (4, 4) that moves a point of the reference head, in mm, to where it lies in the volume.

    Parameters
    ----------
    motion : array (6,)
        Three translations in mm, three rotations in rad.
    center : array (3,)
        Center of rotation in mm: :func:`_grid_center`.
    """
    sx, sy, sz = np.sin(motion[3:])
    cx, cy, cz = np.cos(motion[3:])
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    matrix = np.eye(4)
    matrix[:3, :3] = about_z @ about_y @ about_x
    matrix[:3, 3] = motion[:3] + center - matrix[:3, :3] @ center
    return matrix


def _motion_parameters(matrix: NDArray, center: NDArray) -> NDArray:
    """Return the six parameters of a rigid ``matrix`` (4, 4): the inverse of :func:`_motion_matrix`."""
    R = matrix[:3, :3]
    rotations = np.arctan2(R[2, 1], R[2, 2]), -np.arcsin(np.clip(R[2, 0], -1, 1)), np.arctan2(R[1, 0], R[0, 0])
    return np.concatenate([matrix[:3, 3] - center + R @ center, rotations])


def _grid_center(shape: tuple[int, ...], affine: NDArray) -> NDArray:
    """Return the center (3,) in mm of a grid of ``shape``: the point about which the head is said to turn."""
    return affine[:3, :3] @ ((np.array(shape) - 1) / 2) + affine[:3, 3]


def _stream(volumes: Any, shape: tuple[int, ...] | None = None) -> Iterator[NDArray]:
    """Yield each volume (x, y, z) as float32, checked; an array or proxy (x, y, z, n_trs) is read in blocks.

    ``shape`` is the grid expected; that of the first volume by default. A ValueError says which volume is wrong.
    """
    if hasattr(volumes, "dataobj"):
        volumes = volumes.dataobj
    n_dims = len(getattr(volumes, "shape", ()))
    if n_dims and n_dims != 4:
        raise ValueError(
            f"volumes has shape {tuple(volumes.shape)}, expected (x, y, z, n_trs) or an iterable of (x, y, z)"
        )
    t = -1
    for t, volume in enumerate(_blocks(volumes) if n_dims else volumes):
        volume = check_volume(volume, f"volume {t}", shape)
        shape = volume.shape
        yield volume
    if t < 0:
        raise ValueError("volumes is empty, expected at least one volume (x, y, z)")


def _blocks(volumes: Any) -> Iterator[NDArray]:
    for start in range(0, volumes.shape[3], BLOCK):
        block = np.asarray(volumes[..., start : start + BLOCK])
        yield from np.moveaxis(block, -1, 0)


def _grid_points(mask: NDArray) -> NDArray:
    """Return the voxel indices of ``mask`` with a row of ones, (4, n_points)."""
    return np.vstack([np.array(np.nonzero(mask), dtype=np.float64), np.ones((1, mask.sum()))])


def _sample(
    coefficients: NDArray, matrix: NDArray, points: NDArray, affine: NDArray, dtype: type = np.float64
) -> NDArray:
    """Return what the volume of these spline ``coefficients`` has where ``matrix`` (mm to mm) takes the ``points``."""
    from naturalistic.preprocessing.spline_sampling import sample_spline  # imports a compiler, which few need

    return sample_spline(coefficients, np.linalg.inv(affine) @ matrix @ affine, points, dtype)


def _comparison_target(reference: NDArray, affine: ArrayLike, mask: ArrayLike, smoothing: float) -> _Target:
    """Return the :class:`_Target` for ``reference``: points of the brain and its rim, and their least squares.

    Parameters
    ----------
    reference : float32 array (x, y, z)
    affine : array (4, 4)
        Voxel indices to mm.
    mask : bool array (x, y, z)
        Brain.
    smoothing : float
        Full width at half maximum, mm.

    Raises
    ------
    ValueError
        If ``smoothing`` is no width, or what is in the mask is too small or too flat to compare.
    """
    if not np.isscalar(smoothing) or not 0 <= smoothing < np.inf:
        raise ValueError(f"smoothing is {smoothing!r}, expected a width in mm, 0 for none")
    sizes = voxel_sizes(affine)
    blur = smoothing * FWHM_TO_SD / sizes
    coefficients = ndimage.gaussian_filter(ndimage.spline_filter(reference, 3, output=np.float32), blur, mode="mirror")
    points = _grid_points(_compared(mask, sizes))
    if points.shape[1] < 50:
        raise ValueError(f"mask leaves {points.shape[1]} points to compare, too few to tell how the head moved")
    center = _grid_center(reference.shape, affine)
    values = _sample(coefficients, np.eye(4), points, affine)
    half = np.eye(4)
    slopes = []
    for axis in range(3):
        half[axis, 3] = 0.5
        ahead = _sample(coefficients, affine @ half @ np.linalg.inv(affine), points, affine)
        behind = _sample(coefficients, affine @ np.linalg.inv(half) @ np.linalg.inv(affine), points, affine)
        slopes.append(ahead - behind)
        half[axis, 3] = 0
    slopes = np.linalg.inv(affine[:3, :3]).T @ slopes  # a voxel -> a mm
    arms = (affine @ points)[:3] - center[:, None]
    # a turn by w moves a point by w x arm, and slope . (w x arm) = w . (arm x slope)
    turns = np.cross(arms, slopes, axis=0)
    # the seventh: images differ in scale too (scanner drift, saturation of the first volumes)
    images = np.vstack([slopes, turns, values])
    if np.linalg.matrix_rank(images @ images.T) < 7:
        raise ValueError("reference is too flat inside the mask to tell how the head moved")
    return _Target(points, values, np.linalg.solve(images @ images.T, images), affine, center, blur)


def _compared(mask: NDArray, sizes: NDArray) -> NDArray:
    """Return the points compared: the brain and a rim of SPACING mm, thinned to SPACING, off the faces of the grid."""
    near = ndimage.distance_transform_edt(~mask, sampling=sizes) <= max(SPACING, sizes.max())
    every = np.maximum(1, np.round(SPACING / sizes)).astype(int)
    thinned = np.zeros_like(mask)
    thinned[tuple(slice(None, None, k) for k in every)] = True
    # what lies at a face of the grid leaves it with the smallest motion
    inner = np.zeros_like(mask)
    inner[tuple(slice(k, -k) for k in every)] = True
    return near & thinned & inner


def _search(coefficients: NDArray, target: _Target, start: NDArray, name: int) -> NDArray:
    """Return the rigid matrix (reference to volume, mm) found from ``start``; ``name`` is the volume's number.

    Volume and reference are compared up to a factor: sessions and receiver gains differ in brightness.
    """
    # smoothing the coefficients of a spline smooths the spline: the volume needs no second prefilter
    smooth = ndimage.gaussian_filter(coefficients, target.blur, mode="mirror") if target.blur.any() else coefficients
    matrix = start
    for _ in range(STEPS):
        values = _sample(smooth, matrix, target.points, target.affine)
        step = (target.solve @ (values - target.values))[:6]
        # a volume that is twice as bright changes twice as much with each mm: its steps are twice too long
        gain = (values @ target.values) / (target.values @ target.values)
        if gain > 0 and not GAIN[0] <= gain <= GAIN[1]:
            step = step / gain
        matrix = matrix @ np.linalg.inv(_motion_matrix(step, target.center))
        if np.abs(step[:3]).max() < PRECISION and 50 * np.abs(step[3:]).max() < PRECISION:
            return matrix
    warnings.warn(
        f"the motion of volume {name} was not found to {PRECISION} mm in {STEPS} steps: look at this volume",
        stacklevel=3,
    )
    return matrix


def estimate_motion(
    volumes: Any, reference: ArrayLike, affine: ArrayLike, mask: ArrayLike | None = None, smoothing: float = 5.0
) -> NDArray:
    """Estimate the head motion of each volume, relative to ``reference``.

    Parameters
    ----------
    volumes : array or array proxy (x, y, z, n_trs), or iterable of arrays (x, y, z)
        One run (or more): each search starts where the volume before was found. A proxy is read in blocks.
    reference : array (x, y, z)
        For a whole subject the same: the first volume of the first run, or the mean of a corrected run.
    affine : array (4, 4)
        Voxel indices to mm, of volumes and reference.
    mask : array (x, y, z), optional
        Brain; it is compared with a rim of one spacing around it. :func:`brain_mask` of the reference by default.
    smoothing : float
        Full width at half maximum, in mm, of the smoothing before the comparison; 0 for none.

    Returns
    -------
    motion : array (n_trs, 6)
        Translations in mm and rotations in rad; see the module for their directions.

    Raises
    ------
    ValueError
        If grids differ, a value is not finite, or the reference inside the mask is too small or too flat to compare.
    """
    reference = check_volume(reference, "reference")
    affine = check_affine(affine)
    mask = brain_mask(reference, affine) if mask is None else check_mask(mask, "mask", reference.shape)
    target = _comparison_target(reference, affine, mask, smoothing)
    matrix = np.eye(4)
    motion = []
    for t, volume in enumerate(_stream(volumes, reference.shape)):
        matrix = _search(ndimage.spline_filter(volume, 3, output=np.float32), target, matrix, t)
        motion.append(_motion_parameters(matrix, target.center))
    return np.array(motion)


def resample(volumes: Any, motion: ArrayLike, affine: ArrayLike, mask: ArrayLike | None = None) -> NDArray:
    """Resample volumes into the position of the reference, by cubic B-splines.

    Of the interpolations tried on a still head under simulated motion, the cubic leaves the least variance that
    was not there before; the linear one blurs, the windowed sinc takes a hundred times as long.

    Parameters
    ----------
    volumes : array or array proxy (x, y, z, n_trs), or iterable of arrays (x, y, z)
    motion : array (n_trs, 6)
        As :func:`estimate_motion` gives it.
    affine : array (4, 4)
        Voxel indices to mm.
    mask : array (x, y, z), optional
        Voxels wanted; all by default.

    Returns
    -------
    bold : array (n_trs, n_voxels) float32, voxels in the order of ``mask``; without ``mask`` (x, y, z, n_trs)
        What moved in from outside the grid mirrors what lies inside its face.

    Raises
    ------
    ValueError
        If there is not one row of motion a volume, rotations are no rad, or grids differ.
    """
    affine = check_affine(affine)
    motion = _check_motion(motion)
    bold = []
    points = None
    shape = None
    for t, volume in enumerate(_stream(volumes)):
        if points is None:
            shape = volume.shape
            points = _grid_points(np.ones(shape, bool) if mask is None else check_mask(mask, "mask", shape))
            center = _grid_center(shape, affine)
        if t >= len(motion):
            raise ValueError(f"motion has {len(motion)} rows, but there are more volumes: expected one row a volume")
        coefficients = ndimage.spline_filter(volume, 3, output=np.float32)
        bold.append(_sample(coefficients, _motion_matrix(motion[t], center), points, affine, np.float32))
    if len(bold) != len(motion):
        raise ValueError(f"motion has {len(motion)} rows for {len(bold)} volumes, expected one row a volume")
    bold = np.stack(bold)
    return bold if mask is not None else np.moveaxis(bold.reshape(-1, *shape), 0, -1)


def correct_motion(
    volumes: Any, affine: ArrayLike, mask: ArrayLike, reference: ArrayLike, smoothing: float = 5.0
) -> tuple[NDArray, NDArray]:
    """Estimate motion and resample a run in one pass, one volume in memory.

    Parameters
    ----------
    volumes : array or array proxy (x, y, z, n_trs), or iterable of arrays (x, y, z)
        For instance the ``dataobj`` of a nibabel image.
    affine : array (4, 4)
        Voxel indices to mm.
    mask : array (x, y, z)
        Brain voxels of the reference: those that are returned, and those that are compared.
    reference : array (x, y, z)
        See :func:`estimate_motion`.
    smoothing : float
        Full width at half maximum, in mm, of the smoothing before the comparison only: the result is not smoothed.

    Returns
    -------
    bold : array (n_trs, n_voxels) float32
        Voxels in the order of ``mask``.
    motion : array (n_trs, 6)
        Translations in mm and rotations in rad; see the module for their directions.

    Raises
    ------
    ValueError
        As :func:`estimate_motion`.
    """
    reference = check_volume(reference, "reference")
    affine = check_affine(affine)
    mask = check_mask(mask, "mask", reference.shape)
    target = _comparison_target(reference, affine, mask, smoothing)
    points = _grid_points(mask)
    matrix = np.eye(4)
    bold = []
    motion = []
    for t, volume in enumerate(_stream(volumes, reference.shape)):
        coefficients = ndimage.spline_filter(volume, 3, output=np.float32)
        matrix = _search(coefficients, target, matrix, t)
        motion.append(_motion_parameters(matrix, target.center))
        bold.append(_sample(coefficients, matrix, points, affine, np.float32))
    return np.stack(bold), np.array(motion)


def framewise_displacement(motion: ArrayLike, radius: float = 50.0, runs: ArrayLike | None = None) -> NDArray:
    """Return the framewise displacement in mm (Power et al. 2012).

    The sum of the absolute changes of the six parameters, rotations as arcs on a sphere of ``radius``.

    Parameters
    ----------
    motion : array (n_trs, 6)
        Translations in mm, rotations in rad.
    radius : float
        Radius of the head in mm.
    runs : array-like (n_trs,), optional
        Run id of each sample: the first of a run has no volume before it and gets 0.

    Returns
    -------
    displacement : array (n_trs,)
        mm.

    Raises
    ------
    ValueError
        If motion is not (n_trs, 6), not finite, or has rotations that are no rad.
    """
    motion = _check_motion(motion)
    check_positive(radius, "radius", "mm")
    displacement = np.zeros(len(motion))
    for s in run_slices(runs, len(motion)):
        steps = np.abs(np.diff(motion[s], axis=0))
        displacement[s.start + 1 : s.stop] = steps[:, :3].sum(axis=1) + radius * steps[:, 3:].sum(axis=1)
    return displacement


def _check_motion(motion: ArrayLike) -> NDArray:
    motion = np.asarray(motion, dtype=np.float64)
    if motion.ndim != 2 or motion.shape[1] != 6:
        raise ValueError(f"motion has shape {motion.shape}, expected (n_trs, 6): translations in mm, rotations in rad")
    bad = ~np.isfinite(motion)
    if bad.any():
        raise ValueError(f"motion has values that are NaN or infinite, the first in row {np.argwhere(bad)[0][0]}")
    if np.abs(motion[:, 3:]).max(initial=0) > np.pi:
        raise ValueError("motion has rotations of more than pi, expected rad: were they given in degrees?")
    return motion
