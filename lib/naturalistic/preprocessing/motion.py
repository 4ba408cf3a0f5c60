"""Head motion: where the head was in each volume, and the volumes as if it had not moved.

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

import numpy as np
from scipy import ndimage

from naturalistic.preprocessing.checks import check_affine, check_mask, check_positive, check_volume
from naturalistic.preprocessing.masks import brain_mask
from naturalistic.preprocessing.rigid import (
    grid_center,
    grid_points,
    motion_matrix,
    motion_parameters,
    prepare,
    sample,
    search,
    stream,
)
from naturalistic.runs import run_slices


def estimate_motion(volumes, reference, affine, mask=None, smoothing=5.0):
    """Find where the head was in each volume, relative to ``reference``.

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
    reference, affine = check_volume(reference, "reference"), check_affine(affine)
    mask = brain_mask(reference, affine) if mask is None else check_mask(mask, "mask", reference.shape)
    target = prepare(reference, affine, mask, smoothing)
    matrix, found = np.eye(4), []
    for t, volume in enumerate(stream(volumes, reference.shape)):
        matrix = search(ndimage.spline_filter(volume, 3, output=np.float32), target, matrix, t)
        found.append(motion_parameters(matrix, target.center))
    return np.array(found)


def resample(volumes, motion, affine, mask=None):
    """Return the volumes as if the head had stayed where it was in the reference (cubic B-spline interpolation).

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
    affine, motion = check_affine(affine), _check_motion(motion)
    bold, points, shape = [], None, None
    for t, volume in enumerate(stream(volumes)):
        if points is None:
            shape = volume.shape
            points = grid_points(np.ones(shape, bool) if mask is None else check_mask(mask, "mask", shape))
            center = grid_center(shape, affine)
        if t >= len(motion):
            raise ValueError(f"motion has {len(motion)} rows, but there are more volumes: expected one row a volume")
        coefficients = ndimage.spline_filter(volume, 3, output=np.float32)
        bold.append(sample(coefficients, motion_matrix(motion[t], center), points, affine, np.float32))
    if len(bold) != len(motion):
        raise ValueError(f"motion has {len(motion)} rows for {len(bold)} volumes, expected one row a volume")
    bold = np.stack(bold)
    return bold if mask is not None else np.moveaxis(bold.reshape(-1, *shape), 0, -1)


def correct_motion(volumes, affine, mask, reference, smoothing=5.0):
    """Estimate motion and resample in one pass, one volume in memory at a time: one run, from file to matrix.

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
    reference, affine = check_volume(reference, "reference"), check_affine(affine)
    mask = check_mask(mask, "mask", reference.shape)
    target = prepare(reference, affine, mask, smoothing)
    points, matrix, bold, found = grid_points(mask), np.eye(4), [], []
    for t, volume in enumerate(stream(volumes, reference.shape)):
        coefficients = ndimage.spline_filter(volume, 3, output=np.float32)
        matrix = search(coefficients, target, matrix, t)
        found.append(motion_parameters(matrix, target.center))
        bold.append(sample(coefficients, matrix, points, affine, np.float32))
    return np.stack(bold), np.array(found)


def framewise_displacement(motion, radius=50.0, runs=None):
    """Return how far the head moved since the volume before, in mm (Power et al. 2012, NeuroImage 59:2142).

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


def _check_motion(motion):
    motion = np.asarray(motion, dtype=np.float64)
    if motion.ndim != 2 or motion.shape[1] != 6:
        raise ValueError(f"motion has shape {motion.shape}, expected (n_trs, 6): translations in mm, rotations in rad")
    bad = ~np.isfinite(motion)
    if bad.any():
        raise ValueError(f"motion has values that are NaN or infinite, the first in row {np.argwhere(bad)[0][0]}")
    if np.abs(motion[:, 3:]).max(initial=0) > np.pi:
        raise ValueError("motion has rotations of more than pi, expected rad: were they given in degrees?")
    return motion
