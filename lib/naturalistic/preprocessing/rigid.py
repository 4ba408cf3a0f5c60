"""The mathematics under :mod:`naturalistic.preprocessing.motion`: rigid matrices, and the search for one."""

import warnings
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from naturalistic.preprocessing.checks import check_volume, voxel_sizes

BLOCK = 32  # volumes read at once: few enough for memory, enough that a compressed file is not read once a volume
SPACING = 4.0  # mm between the points that are compared; a smaller step costs time and adds next to nothing
PRECISION = 0.005  # mm (or mm on a sphere of 50 mm): a smaller step ends the search
STEPS = 40  # at most; two or three are usual
GAIN = 0.8, 1.25  # brightness of a volume relative to the reference; between them the steps come to rest as they are
FWHM_TO_SD = 1 / np.sqrt(8 * np.log(2))


class Target(NamedTuple):
    """The reference, ready to be compared with many volumes."""

    points: np.ndarray  # (4, n_points) voxel indices, and a row of ones
    values: np.ndarray  # (n_points,) what the smoothed reference has there
    solve: np.ndarray  # (7, n_points) turns a difference of values into the small motion and change of scale behind it
    affine: np.ndarray
    center: np.ndarray  # mm
    blur: np.ndarray  # standard deviation of the smoothing, in voxels


def motion_matrix(motion, center):
    """Return the matrix (4, 4) that moves a point of the reference head, in mm, to where it lies in the volume.

    Parameters
    ----------
    motion : array (6,)
        Three translations in mm, three rotations in rad.
    center : array (3,)
        Center of rotation in mm: :func:`grid_center`.
    """
    (sx, sy, sz), (cx, cy, cz) = np.sin(motion[3:]), np.cos(motion[3:])
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    matrix = np.eye(4)
    matrix[:3, :3] = about_z @ about_y @ about_x
    matrix[:3, 3] = motion[:3] + center - matrix[:3, :3] @ center
    return matrix


def motion_parameters(matrix, center):
    """Return the six parameters of a rigid ``matrix`` (4, 4): the inverse of :func:`motion_matrix`."""
    R = matrix[:3, :3]
    rotations = np.arctan2(R[2, 1], R[2, 2]), -np.arcsin(np.clip(R[2, 0], -1, 1)), np.arctan2(R[1, 0], R[0, 0])
    return np.concatenate([matrix[:3, 3] - center + R @ center, rotations])


def grid_center(shape, affine):
    """Return the center (3,) in mm of a grid of ``shape``: the point about which the head is said to turn."""
    return affine[:3, :3] @ ((np.array(shape) - 1) / 2) + affine[:3, 3]


def stream(volumes, shape=None):
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


def _blocks(volumes):
    for start in range(0, volumes.shape[3], BLOCK):
        block = np.asarray(volumes[..., start : start + BLOCK])
        yield from np.moveaxis(block, -1, 0)


def grid_points(mask):
    """Return the voxel indices of ``mask`` with a row of ones, (4, n_points)."""
    return np.vstack([np.array(np.nonzero(mask), dtype=np.float64), np.ones((1, mask.sum()))])


def sample(coefficients, matrix, points, affine, dtype=np.float64):
    """Return what the volume of these spline ``coefficients`` has where ``matrix`` (mm to mm) takes the ``points``."""
    to_voxels = np.linalg.inv(affine) @ matrix @ affine
    # "mirror" is what spline_filter takes to lie outside: another mode is wrong at the faces of the grid
    return ndimage.map_coordinates(
        coefficients, (to_voxels @ points)[:3], order=3, prefilter=False, mode="mirror", output=dtype
    )


def prepare(reference, affine, mask, smoothing):
    """Return the :class:`Target` for ``reference``: points of the brain and its rim, and their least squares.

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
    points = grid_points(_compared(mask, sizes))
    if points.shape[1] < 50:
        raise ValueError(f"mask leaves {points.shape[1]} points to compare, too few to tell how the head moved")
    center = grid_center(reference.shape, affine)
    values = sample(coefficients, np.eye(4), points, affine)
    half = np.eye(4)
    slopes = []
    for axis in range(3):
        half[axis, 3] = 0.5
        ahead = sample(coefficients, affine @ half @ np.linalg.inv(affine), points, affine)
        behind = sample(coefficients, affine @ np.linalg.inv(half) @ np.linalg.inv(affine), points, affine)
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
    return Target(points, values, np.linalg.solve(images @ images.T, images), affine, center, blur)


def _compared(mask, sizes):
    """Return the points compared: the brain and a rim of SPACING mm, thinned to SPACING, off the faces of the grid."""
    near = ndimage.distance_transform_edt(~mask, sampling=sizes) <= max(SPACING, sizes.max())
    every = np.maximum(1, np.round(SPACING / sizes)).astype(int)
    kept = np.zeros_like(mask)
    kept[tuple(slice(None, None, k) for k in every)] = True
    # what lies at a face of the grid leaves it with the smallest motion
    inner = np.zeros_like(mask)
    inner[tuple(slice(k, -k) for k in every)] = True
    return near & kept & inner


def search(coefficients, target, start, name):
    """Return the rigid matrix (reference to volume, mm) found from ``start``; ``name`` is the volume's number.

    Volume and reference are compared up to a factor: sessions and receiver gains differ in brightness.
    """
    # smoothing the coefficients of a spline smooths the spline: the volume needs no second prefilter
    smooth = ndimage.gaussian_filter(coefficients, target.blur, mode="mirror") if target.blur.any() else coefficients
    matrix = start
    for _ in range(STEPS):
        values = sample(smooth, matrix, target.points, target.affine)
        step = (target.solve @ (values - target.values))[:6]
        # a volume that is twice as bright changes twice as much with each mm: its steps are twice too long
        gain = (values @ target.values) / (target.values @ target.values)
        if gain > 0 and not GAIN[0] <= gain <= GAIN[1]:
            step = step / gain
        matrix = matrix @ np.linalg.inv(motion_matrix(step, target.center))
        if np.abs(step[:3]).max() < PRECISION and 50 * np.abs(step[3:]).max() < PRECISION:
            return matrix
    warnings.warn(
        f"the motion of volume {name} was not found to {PRECISION} mm in {STEPS} steps: look at this volume",
        stacklevel=3,
    )
    return matrix
