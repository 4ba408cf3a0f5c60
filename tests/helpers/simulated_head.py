"""A head for tests of motion, masks and registration: an echo-planar image of the MNI152 brain from any pose."""

from functools import cache

import numpy as np
from naturalistic.anatomy.template import mni152_template
from scipy import ndimage

CENTRE = np.array([0.0, -18.0, 8.0])  # mm, of the brain and of all grids


@cache
def head():
    """Return the brightness of the head on a 2-mm grid, fluid > grey > white > scalp, and its affine."""
    brain, affine = mni152_template("brain")
    grey, white = (mni152_template(kind)[0] * brain for kind in ("gray", "white"))
    fluid = np.clip(brain - grey - white, 0, 1)
    scalp = ndimage.binary_dilation(brain, iterations=3) & ~brain
    return (1400 * fluid + 1000 * grey + 800 * white + 150 * scalp).astype(np.float32), affine


def grid(size, cut=0):
    """Return shape and affine of a grid of ``size`` mm voxels around the head, x to the left; ``cut`` mm less high."""
    shape = tuple(int(np.ceil(edge / size)) for edge in (160, 192, 152 - cut))
    affine = np.diag([-size, size, size, 1.0])
    affine[:3, 3] = CENTRE - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return shape, affine


def rigid(motion, centre=CENTRE):
    """Return the matrix of three shifts (mm) and three rotations (rad, about x, then y, then z)."""
    matrix = np.eye(4)
    for axis, angle in enumerate(motion[3:]):
        i, j = [(1, 2), (2, 0), (0, 1)][axis]
        turn = np.eye(3)
        turn[i, i] = turn[j, j] = np.cos(angle)
        turn[i, j], turn[j, i] = -np.sin(angle), np.sin(angle)
        matrix[:3, :3] = turn @ matrix[:3, :3]
    matrix[:3, 3] = motion[:3] + centre - matrix[:3, :3] @ centre
    return matrix


def image(shape, affine, to_head=None, response=0, noise=0.0, seed=0):
    """Return what the scanner sees; ``to_head`` takes its mm to the head's, ``response`` is added to the head."""
    brightness, head_affine = head()
    size = abs(affine[1, 1])
    seen = brightness + response
    if size > 2:
        seen = ndimage.gaussian_filter(seen, size / 2 / np.sqrt(12))
    step = np.linalg.inv(head_affine) @ (np.eye(4) if to_head is None else to_head) @ affine
    volume = ndimage.affine_transform(seen, step[:3, :3], step[:3, 3], output_shape=shape, order=1)
    return (volume + noise * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)


def drifting(rng, n_trs, jump=True):
    """Return made motion (n_trs, 6): slow walks of at most 2 mm and 2 degrees, and a jump in the middle."""
    motion = np.cumsum(rng.standard_normal((n_trs, 6)), axis=0)
    motion -= motion[0]
    motion *= np.r_[[1.0] * 3, [np.deg2rad(1.0)] * 3] / np.abs(motion).max(axis=0)
    if jump:
        motion[n_trs // 2 :] += [1.0, -0.6, 0.8, *np.deg2rad([-0.9, 0.7, 1.0])]
    return motion
