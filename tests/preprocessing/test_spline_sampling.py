"""Cubic splines between voxels: scipy's numbers, wherever the points lie."""

import numpy as np
import pytest
from naturalistic.preprocessing.spline_sampling import sample_spline
from scipy import ndimage


def cloud(shape, n_points, reach, seed=0):
    """Return spline coefficients of noise, a matrix that turns and shifts, and points up to ``reach`` grids away."""
    rng = np.random.default_rng(seed)
    volume = rng.normal(size=shape).astype(np.float32)
    points = np.vstack([rng.uniform(-reach, 1 + reach, (3, n_points)) * np.array(shape)[:, None], np.ones(n_points)])
    matrix = np.eye(4)
    matrix[:3] += 0.1 * rng.normal(size=(3, 4))
    return ndimage.spline_filter(volume, 3, output=np.float32), matrix, points


@pytest.mark.parametrize("shape", [(12, 15, 9), (4, 5, 3), (2, 7, 1)])
@pytest.mark.parametrize("reach", [0.0, 0.4, 7.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_are_those_of_scipy(shape, reach, dtype):
    coefficients, matrix, points = cloud(shape, 2000, reach)
    expected = ndimage.map_coordinates(
        coefficients, (matrix @ points)[:3], order=3, prefilter=False, mode="mirror", output=dtype
    )
    values = sample_spline(coefficients, matrix, points, dtype)
    assert values.dtype == dtype
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-6 if dtype == np.float32 else 1e-11)


def test_a_volume_is_itself_at_its_voxels():
    volume = np.random.default_rng(1).normal(size=(6, 7, 8)).astype(np.float32)
    points = np.vstack([np.indices(volume.shape).reshape(3, -1), np.ones(volume.size)])
    values = sample_spline(ndimage.spline_filter(volume, 3), np.eye(4), points)
    np.testing.assert_allclose(values, volume.ravel(), atol=1e-5)


def test_a_volume_in_fortran_order_is_read_as_it_is():
    coefficients, matrix, points = cloud((6, 7, 8), 100, 0.2)
    np.testing.assert_array_equal(
        sample_spline(np.asfortranarray(coefficients), matrix, points), sample_spline(coefficients, matrix, points)
    )


def test_a_point_that_is_nowhere_reads_no_memory_of_others():
    coefficients, matrix, points = cloud((6, 7, 8), 3, 0.0)
    points[0, 0], points[1, 1] = np.nan, 1e300
    values = sample_spline(coefficients, matrix, points)
    assert np.isnan(values[0]) and np.isfinite(values[2])
