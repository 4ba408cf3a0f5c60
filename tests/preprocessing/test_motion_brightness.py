"""Motion does not depend on how bright a run is: simulated heads, and real ones that turned very far."""

import os
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from naturalistic.preprocessing import brain_mask, correct_motion

from tests.helpers.simulated_head import drifting, grid, image, rigid

SERIES = (4, 5, 6, 7)  # slice orders of one protocol
FOUND = {5: (0.85, 0.94), 9: (0.55, 0.89)}  # volume: correlation with the reference that it has, and must reach


@pytest.fixture(scope="module")
def simulated_run():
    """Return volumes (x, y, z, n_trs), affine, true motion, reference and brain of a run of equal brightness."""
    motion = drifting(np.random.default_rng(2), 8)
    shape, affine = grid(8.0)
    volumes = [image(shape, affine, np.linalg.inv(rigid(m)), noise=20.0, seed=t) for t, m in enumerate(motion)]
    reference = image(shape, affine, noise=20.0, seed=50)
    return np.stack(volumes, axis=-1), affine, motion, reference, brain_mask(reference, affine)


@pytest.fixture(scope="module")
def corrected(simulated_run):
    volumes, affine, _, reference, brain = simulated_run
    return correct_motion(volumes, affine, brain, reference)


@pytest.mark.slow
@pytest.mark.parametrize("gain", [0.05, 0.4, 0.79, 1.0, 1.26, 2.0, 3.0, 20.0])
def test_a_run_of_another_brightness_moves_as_much(simulated_run, corrected, gain):
    volumes, affine, motion, reference, brain = simulated_run
    bold, found = correct_motion((gain * volumes).astype(np.float32), affine, brain, reference)
    assert np.abs(found - motion)[:, :3].max() < 0.2 and np.rad2deg(np.abs(found - motion)[:, 3:]).max() < 0.2
    np.testing.assert_allclose(found, corrected[1], atol=0.002)
    np.testing.assert_allclose(bold / gain, corrected[0], atol=1.0)  # of a brain's 1000


@pytest.fixture(scope="module")
def real():
    """Return volumes, affine and brain of each real series; skipped where they are not."""
    folder = Path(os.environ.get("NATURALISTIC_DATA", "/nowhere")) / "epi"
    if not folder.is_dir():
        pytest.skip("the real head scans are not here: set NATURALISTIC_DATA")
    series = {}
    for k in SERIES:
        scan = nib.load(folder / f"dcmqa_nih_{k}.nii")
        volumes = np.asarray(scan.dataobj, dtype=np.float32)
        series[k] = volumes, scan.affine, brain_mask(volumes[..., 0], scan.affine)
    return series


@pytest.mark.slow
@pytest.mark.parametrize(("k", "gain"), [*((k, 1.0) for k in SERIES), (4, 0.4), (5, 2.0), (6, 2.0), (7, 0.4)])
def test_real_heads_that_turned_far_come_back_or_are_warned_of(real, k, gain):
    volumes, affine, brain = real[k]
    reference = volumes[..., 0]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        bold, _ = correct_motion((gain * volumes).astype(np.float32), affine, brain, reference)
    for t, (before, after) in FOUND.items():
        r = np.corrcoef(reference[brain], volumes[..., t][brain])[0, 1]
        assert before < r < after < np.corrcoef(reference[brain], bold[t])[0, 1]
    warned = [int(str(w.message).split("volume ")[1].split()[0]) for w in caught]
    assert warned and set(warned) <= {2, 3, 4, 6, 7, 8}, "of the impossible ones, and of no other"
