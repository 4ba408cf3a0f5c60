"""Head motion: what was moved is found, and put back."""

import nibabel as nib
import numpy as np
import pytest
from naturalistic.preprocessing import brain_mask, correct_motion, estimate_motion, framewise_displacement, resample
from scipy import ndimage

from tests.helpers.simulated_head import drifting, grid, head, image, rigid

NOISE = 20.0  # of grey matter's 1000: a temporal signal-to-noise ratio of 50


def scan(size, n_trs, noise=NOISE, blob=0.03, still=False):
    """Return volumes (x, y, z, n_trs), affine, motion, reference and brain of a run; visual cortex responds by 3 %."""
    rng = np.random.default_rng(1)
    shape, affine = grid(size)
    motion = drifting(rng, n_trs) * (not still)
    where = nib.affines.apply_affine(np.linalg.inv(head()[1]), [0, -85, 5])
    near = np.exp(-0.5 * (((np.indices(head()[0].shape).T - where) / 6) ** 2).sum(-1)).T
    course = np.sin(np.arange(n_trs) / 3)
    volumes = [
        image(shape, affine, np.linalg.inv(rigid(m)), blob * course[t] * near * head()[0], noise, t + 10)
        for t, m in enumerate(motion)
    ]
    reference = image(shape, affine, noise=noise, seed=5)
    return np.stack(volumes, axis=-1), affine, motion, reference, brain_mask(reference, affine)


@pytest.mark.slow
@pytest.mark.parametrize(("size", "n_trs", "error"), [(4.0, 24, 0.1), (8.0, 60, 0.2)])
def test_known_motion_is_found_and_a_response_is_not_taken_for_it(size, n_trs, error):
    volumes, affine, motion, reference, brain = scan(size, n_trs)
    found = estimate_motion(volumes, reference, affine, brain)
    wrong = np.abs(found - motion)
    assert wrong[:, :3].max() < error
    assert np.rad2deg(wrong[:, 3:]).max() < error
    # the response's own time course leaves next to nothing in the estimate
    course = np.sin(np.arange(n_trs) / 3)
    assert np.abs(course @ (found - motion) / (course @ course))[:3].max() < 0.05


@pytest.mark.slow
def test_known_motion_is_found_at_full_size():
    volumes, affine, motion, reference, brain = scan(2.0, 6)
    bold, found = correct_motion(volumes, affine, brain, reference)
    assert np.abs(found - motion)[:, :3].max() < 0.05
    assert np.rad2deg(np.abs(found - motion)[:, 3:]).max() < 0.05
    assert bold.std(axis=0).mean() < 0.5 * volumes[brain].std(axis=-1).mean()


@pytest.mark.slow
def test_correction_lowers_the_variance_to_that_of_a_still_head():
    volumes, affine, _, reference, brain = scan(4.0, 24, blob=0)
    still = scan(4.0, 24, blob=0, still=True)[0]
    bold, _ = correct_motion(volumes, affine, brain, reference)
    inside = ndimage.binary_erosion(brain)[brain]  # at the rim the coarse voxels lose detail that no one gets back
    before, floor = volumes[brain].std(axis=-1)[inside].mean(), still[brain].std(axis=-1)[inside].mean()
    assert bold.dtype == np.float32 and bold.shape == (24, brain.sum())
    assert bold.std(axis=0)[inside].mean() < floor + 0.15 * (before - floor)


@pytest.mark.slow
def test_a_large_jump_is_followed():
    shape, affine = grid(4.0)
    motion = np.array([5.0, -4.0, 4.0, *np.deg2rad([5, -4, 4])])
    volume = image(shape, affine, np.linalg.inv(rigid(motion)), noise=NOISE)
    found = estimate_motion([volume], image(shape, affine, noise=NOISE, seed=3), affine)
    np.testing.assert_allclose(found[0], motion, atol=0.1)


def test_a_still_head_has_no_motion_and_is_returned_as_it_came():
    shape, affine = grid(8.0)
    volume = image(shape, affine)
    brain = brain_mask(volume, affine)
    bold, motion = correct_motion(np.stack([volume] * 3, -1), affine, brain, volume)
    np.testing.assert_allclose(motion, 0, atol=1e-4)
    np.testing.assert_allclose(bold, np.stack([volume[brain]] * 3), atol=0.5)


@pytest.mark.parametrize("axis", range(6))
def test_signs(axis):
    """Positive is right, front, up, and right-handed about them, whatever the axes of the grid."""
    shape, affine = grid(8.0)
    step = np.zeros(6)
    step[axis] = 1.0 if axis < 3 else 0.02
    moved = image(shape, affine, np.linalg.inv(rigid(step)))
    found = estimate_motion([moved], image(shape, affine), affine)[0]
    np.testing.assert_allclose(found[:3], step[:3], atol=0.1)
    np.testing.assert_allclose(found[3:], step[3:], atol=0.003)


@pytest.mark.slow
def test_streams_give_the_same_as_arrays_and_again_the_same(tmp_path):
    volumes, affine, _, reference, brain = scan(8.0, 40)
    volumes = np.rint(volumes).astype(np.int16)
    bold, motion = correct_motion(volumes, affine, brain, reference)
    for name in ("run.nii", "run.nii.gz"):
        nib.save(nib.Nifti1Image(volumes, affine), tmp_path / name)
        picture = nib.load(tmp_path / name)
        for source in (picture, picture.dataobj, (volumes[..., t] for t in range(40))):
            again, as_well = correct_motion(source, affine, brain, reference)
            np.testing.assert_array_equal(again, bold)
            np.testing.assert_array_equal(as_well, motion)
    np.testing.assert_array_equal(estimate_motion(volumes, reference, affine, brain), motion)
    np.testing.assert_allclose(resample(volumes, motion, affine, brain), bold, atol=1e-3)
    whole = resample(volumes, motion, affine)
    assert whole.shape == volumes.shape
    np.testing.assert_allclose(whole[brain].T, bold, atol=1e-3)


def test_framewise_displacement_is_the_sum_of_steps_and_stops_at_runs():
    motion = np.zeros((6, 6))
    motion[1:, 0] = 1.0
    motion[2:, 4] = -0.02
    motion[3:] += 7  # the next run: another place on the bed
    motion[3:, 3:] -= 7
    runs = [0, 0, 0, 1, 1, 1]
    np.testing.assert_allclose(framewise_displacement(motion, runs=runs), [0, 1, 1, 0, 0, 0])
    np.testing.assert_allclose(framewise_displacement(motion, radius=80.0, runs=runs)[2], 1.6)


def test_a_volume_that_cannot_be_matched_is_named():
    shape, affine = grid(8.0)
    volume = image(shape, affine)
    nonsense = np.random.default_rng(0).normal(1000, 300, shape)
    with pytest.warns(UserWarning, match="the motion of volume 1 was not found"):
        estimate_motion([volume, nonsense, volume], volume, affine)


def spoil(what):
    """Return arguments of correct_motion with one of them broken."""
    shape, affine = grid(8.0)
    volume = image(shape, affine)
    good = dict(volumes=np.stack([volume] * 2, -1), affine=affine, mask=volume > 400, reference=volume)
    bad = volume.copy()
    bad[3, 4, 5] = np.nan
    changes = {
        "nan volume": dict(volumes=[volume, bad]),
        "nan reference": dict(reference=bad),
        "volume's grid": dict(volumes=[volume[1:]]),
        "no volumes": dict(volumes=[]),
        "one 3-D array": dict(volumes=volume),
        "mask's grid": dict(mask=good["mask"][1:]),
        "empty mask": dict(mask=np.zeros(shape, bool)),
        "no mask": dict(mask=volume),
        "affine's shape": dict(affine=np.eye(3)),
        "flat affine": dict(affine=np.diag([8.0, 8, 0, 1])),
        "flat reference": dict(reference=np.full(shape, 7.0)),
        "smoothing": dict(smoothing=-1.0),
    }
    return {**good, **changes[what]}


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("nan volume", r"volume 1 has 1 values that are NaN or infinite, the first at voxel \(3, 4, 5\)"),
        ("nan reference", "reference has 1 values that are NaN"),
        ("volume's grid", r"volume 0 has shape \(19, 24, 19\), expected \(20, 24, 19\)"),
        ("no volumes", "volumes is empty"),
        ("one 3-D array", r"volumes has shape \(20, 24, 19\), expected \(x, y, z, n_trs\)"),
        ("mask's grid", r"mask has shape \(19, 24, 19\), expected \(20, 24, 19\)"),
        ("empty mask", "mask is empty"),
        ("no mask", "mask has values other than 0 and 1"),
        ("affine's shape", r"affine has shape \(3, 3\)"),
        ("flat affine", "cannot be inverted"),
        ("flat reference", "too flat"),
        ("smoothing", "smoothing is -1.0"),
    ],
)
def test_bad_input(what, message):
    with pytest.raises(ValueError, match=message):
        correct_motion(**spoil(what))


def test_bad_motion():
    shape, affine = grid(8.0)
    volumes = np.zeros((*shape, 2))
    with pytest.raises(ValueError, match=r"motion has shape \(2, 5\)"):
        resample(volumes, np.zeros((2, 5)), affine)
    for n in (1, 3):
        with pytest.raises(ValueError, match=f"motion has {n} rows"):
            resample(volumes, np.zeros((n, 6)), affine)
    with pytest.raises(ValueError, match="given in degrees"):
        framewise_displacement(np.full((3, 6), 4.0))
    with pytest.raises(ValueError, match="NaN or infinite, the first in row 2"):
        framewise_displacement(np.r_[np.zeros((2, 6)), np.full((1, 6), np.nan)])
