"""Preprocessing of short number formats and of many voxels: sums in float64, results float32 at least."""

import numpy as np
import pytest
from naturalistic.preprocessing import cosine, filters, high_pass, running_median, zscore
from nilearn.signal import butterworth

RUNS = np.repeat([0, 1], [200, 150])
STEPS = {
    "high_pass": lambda x: high_pass(x, 2.0, 0.01, RUNS),
    "running_median": lambda x: running_median(x, 2.0, 60.0, RUNS),
    "cosine": lambda x: cosine(x, 2.0, 0.01, RUNS),
    "zscore": lambda x: zscore(x, RUNS),
}


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
@pytest.mark.parametrize("shape", [(350, 5), (2, 350, 5)])
@pytest.mark.parametrize("level", [500, 30000])
def test_float16_gives_what_its_values_give_in_float32(step, shape, level):
    """A voxel of 1000 with a standard deviation of 5 is no constant; nor do sums of 30,000 overflow."""
    bold = (np.random.default_rng(0).standard_normal(shape) * level / 100 + level).astype(np.float16)
    found = step(bold)
    assert found.dtype == np.float32 and found.any(axis=-2).all()
    np.testing.assert_array_equal(found, step(bold.astype(np.float32)))
    np.testing.assert_allclose(found, step(bold.astype(np.float64)), atol=1e-5 * level)


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_other_formats_come_back_as_they_came(step, dtype):
    assert step(np.random.default_rng(0).standard_normal((350, 3)).astype(dtype)).dtype == dtype


def test_zscore_of_float16_has_sd_1():
    bold = (np.random.default_rng(0).standard_normal((350, 4)) * 5 + 1000).astype(np.float16)
    scaled = zscore(bold, RUNS)
    for run in (0, 1):
        np.testing.assert_allclose(scaled[run == RUNS].std(axis=0), 1, rtol=1e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_high_pass_is_the_filter_of_each_voxel_alone(dtype, monkeypatch):
    """As nilearn filters it in place, voxel after voxel; in blocks of any size."""
    bold = (np.random.default_rng(0).standard_normal((350, 23)).cumsum(axis=0) + 1000).astype(dtype)
    expected = np.empty_like(bold)
    for run in (0, 1):
        expected[run == RUNS] = butterworth(bold[run == RUNS].astype(np.float64), 0.5, high_pass=0.01, copy=False)
    np.testing.assert_allclose(high_pass(bold, 2.0, 0.01, RUNS), expected, atol=1e-5)
    whole = high_pass(bold, 2.0, 0.01, RUNS)
    monkeypatch.setattr(filters, "VOXELS", 4)
    np.testing.assert_array_equal(high_pass(bold, 2.0, 0.01, RUNS), whole)
