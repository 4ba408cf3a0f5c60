"""Where the brain is, where its cortex is, and where it lies in the MNI space."""

import functools

import numpy as np
import pytest
import SimpleITK as sitk
from naturalistic.anatomy.template import mni152_template
from naturalistic.preprocessing import brain_mask, cortex_mask, to_mni
from naturalistic.preprocessing.registration import brain_overlap
from scipy import ndimage

from tests.helpers.simulated_head import CENTRE, grid, image, rigid

# MNI152 mm, left and right
CORTEX = {
    "Heschl": (46, -20, 8), "V1": (8, -86, 4), "lingual": (12, -72, -6), "fusiform": (38, -52, -20),
    "DLPFC": (40, 30, 32), "insula": (38, 4, 2), "cingulate": (4, 34, 20), "precuneus": (4, -50, 28),
    "temporal pole": (40, 14, -32),
}  # fmt: skip
ELSEWHERE = {
    "thalamus": (11, -19, 8), "caudate": (12, 12, 8), "putamen": (26, 3, 1), "pallidum": (20, -4, 0),
    "cerebellum": (25, -60, -32), "lobule VI": (20, -58, -26), "vermis": (2, -62, -18), "crus I": (40, -60, -38),
    "brain stem": (2, -28, -32), "midbrain": (6, -20, -10), "white": (26, -25, 30),
}  # fmt: skip


def subject(size, seed, uneven=0.0):
    """Return the image of a person, its affine and the true matrix to MNI: shift, turn and scale, coil's brightness."""
    rng = np.random.default_rng(seed)
    truth = rigid(np.r_[rng.uniform(-8, 8, 3), np.deg2rad(rng.uniform(-6, 6, 3))])
    truth[:3, :3] *= rng.uniform(0.95, 1.05, 3)
    truth[:3, 3] += CENTRE - (truth @ [*CENTRE, 1])[:3] + rng.uniform(-8, 8, 3)
    shape, affine = grid(size)
    volume = image(shape, affine, truth, noise=5.0, seed=seed)
    return volume * (1 + uneven * np.linspace(-1, 1, shape[1], dtype=np.float32)[:, None]), affine, truth


@functools.cache
def placed(size, seed):
    """Return the same of a person under an uneven coil, and the matrix that is found; once for all tests."""
    volume, affine, truth = subject(size, seed, uneven=0.15)
    return volume, affine, truth, to_mni(volume, affine)


def template_brain(to_mni, shape, affine):
    """Return the template's brain on another grid."""
    brain, brain_affine = mni152_template("brain")
    step = np.linalg.inv(brain_affine) @ to_mni @ affine
    inside = brain.astype(np.float32)
    inside = ndimage.gaussian_filter(inside, abs(affine[0, 0]) / 2 / np.sqrt(12))
    return ndimage.affine_transform(inside, step[:3, :3], step[:3, 3], output_shape=shape, order=1) > 0.5


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def mean_error(found, truth):
    """Return the mean distance in mm, over the template's brain, from where a point should be."""
    brain, affine = mni152_template("brain", 4)
    points = np.argwhere(brain)
    points = affine @ np.c_[points, np.ones(len(points))].T
    return np.linalg.norm((found @ np.linalg.inv(truth) @ points - points)[:3], axis=0).mean()


@pytest.mark.parametrize("size", [8.0, 4.0, 2.0])
@pytest.mark.parametrize("uneven", [0.0, 0.2])
def test_the_brain_is_found_on_coarse_and_fine_grids(size, uneven):
    volume, affine, truth = subject(size, 0, uneven)
    mask = brain_mask(volume, affine)
    assert mask.dtype == bool
    assert dice(mask, template_brain(truth, mask.shape, affine)) > 0.96
    assert ndimage.label(mask)[1] == 1 and (ndimage.binary_fill_holes(mask) == mask).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "error", "seeds"),
    [(8.0, 2.5, (1, 2)), (3.0, 1.0, (1,)), pytest.param(2.0, 1.0, (1, 2), marks=pytest.mark.slow)],
)
def test_a_known_pose_is_found(size, error, seeds):
    for seed in seeds:
        volume, affine, truth, found = placed(size, seed)
        assert mean_error(found, truth) < error
        assert brain_overlap(brain_mask(volume, affine), affine, found) > 0.95


@pytest.mark.slow
def test_the_same_image_gives_the_same_matrix_and_leaves_the_threads_alone():
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    volume, affine, _, found = placed(8.0, 1)
    np.testing.assert_array_equal(to_mni(volume, affine), found)
    assert sitk.ProcessObject.GetGlobalDefaultNumberOfThreads() == before


@pytest.mark.slow
def test_a_known_pose_is_found_through_the_anatomy():
    """The anatomy lies turned to the image, as after a movement between the two, and has a skull."""
    volume, affine, truth = subject(8.0, 1)
    shape, t1w_affine = grid(3.0)
    template, template_affine = mni152_template()
    brain, _ = mni152_template("brain")
    skull = ndimage.binary_dilation(brain, iterations=5) & ~ndimage.binary_dilation(brain, iterations=3)
    between = rigid([2.0, -3, 1, 0.03, 0.02, -0.03])
    step = np.linalg.inv(template_affine) @ truth @ between @ t1w_affine
    t1w = template * brain + 0.9 * skull
    t1w = ndimage.affine_transform(t1w.astype(np.float32), step[:3, :3], step[:3, 3], output_shape=shape, order=1)
    assert mean_error(to_mni(volume, affine, t1w=t1w, t1w_affine=t1w_affine), truth) < 3


@pytest.mark.slow
def test_a_poor_match_is_seen():
    volume, affine, truth = subject(8.0, 1)
    brain = brain_mask(volume, affine)
    assert brain_overlap(brain, affine, truth) > 0.95
    away = truth.copy()
    away[:3, 3] += 25
    assert brain_overlap(brain, affine, away) < 0.8
    ball = np.linalg.norm((np.indices(volume.shape).T - [10, 12, 9]), axis=-1).T < 3.5
    noise = np.random.default_rng(0).normal(1000, 100, volume.shape)
    half = brain.copy()
    half[10:] = False
    for picture, mask in ((volume, half), (noise, ball)):
        with pytest.raises(ValueError, match="no match"):
            to_mni(picture, affine, mask)


@pytest.mark.slow
def test_an_image_that_is_cut_below_is_still_placed():
    shape, affine = grid(4.0, cut=24)
    affine[2, 3] += 12  # what is cut is the cerebellum
    volume = image(shape, affine, noise=5.0)
    assert mean_error(to_mni(volume, affine), np.eye(4)) < 4


@pytest.mark.slow
@pytest.mark.parametrize("size", [2.0, 4.0])
def test_cortex_is_marked_and_the_rest_left_out(size):
    shape, affine = grid(size)
    mask = cortex_mask(shape, affine, np.eye(4), share=0.3)

    def share(x, y, z):
        found = []
        for side in (1, -1):
            i, j, k = np.rint(np.linalg.inv(affine) @ [side * x, y, z, 1])[:3].astype(int)
            found.append(mask[i - 1 : i + 2, j - 1 : j + 2, k - 1 : k + 2].mean())
        return np.mean(found)

    assert {name: share(*place) for name, place in CORTEX.items() if share(*place) < 0.6} == {}
    assert {name: share(*place) for name, place in ELSEWHERE.items() if share(*place) > 0.3 * (size > 2)} == {}


@pytest.mark.slow
def test_cortex_comes_along_with_the_pose():
    for size, n_voxels in ((8.0, (1800, 2500)), (3.0, (30000, 45000))):
        volume, affine, truth = subject(size, 2, uneven=0.15)
        mask = cortex_mask(volume.shape, affine, truth)
        assert n_voxels[0] < mask.sum() < n_voxels[1]
        brain = brain_mask(volume, affine)
        np.testing.assert_array_equal(cortex_mask(volume.shape, affine, truth, brain), mask & brain)
        if size == 8:
            assert dice(mask, cortex_mask(volume.shape, affine, placed(size, 2)[3])) > 0.9


def bad(**changes):
    shape, affine = grid(8.0)
    return {**dict(mean_volume=image(shape, affine), affine=affine), **changes}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(mean_volume=np.zeros((20, 24, 18))), "expected 300 to 3000"),
        (dict(mean_volume=np.ones((20, 24, 18, 2))), r"mean_volume has shape \(20, 24, 18, 2\)"),
        (dict(mean_volume=np.full((20, 24, 18), np.inf)), "NaN or infinite"),
        (dict(affine=np.diag([0.8, 0.8, 0.8, 1])), "does affine give mm"),
        (dict(affine=np.zeros((4, 4))), "last row"),
    ],
)
def test_bad_input_of_the_masks_and_the_registration(arguments, message):
    for step in (brain_mask, to_mni):
        with pytest.raises(ValueError, match=message):
            step(**bad(**arguments))


def test_bad_input_of_the_cortex():
    shape, affine = grid(8.0)
    with pytest.raises(ValueError, match="no voxel of this grid is cortex"):
        cortex_mask(shape, affine, rigid([500.0, 0, 0, 0, 0, 0]))
    with pytest.raises(ValueError, match="share is 0"):
        cortex_mask(shape, affine, np.eye(4), share=0)
    with pytest.raises(ValueError, match="brain has shape"):
        cortex_mask(shape, affine, np.eye(4), np.ones((2, 2, 2)))
    with pytest.raises(ValueError, match="to_mni has shape"):
        cortex_mask(shape, affine, np.eye(3))
