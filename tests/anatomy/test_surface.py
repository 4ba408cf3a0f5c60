"""From voxels to the surface: each vertex takes the nearest voxel, far ones take none."""

import matplotlib.pyplot as plt
import nibabel as nib
import numpy as np
import pytest
from naturalistic import plotting
from naturalistic.anatomy import surface
from naturalistic.datasets.subject import VoxelCoordinates


def grid(step):
    axes = [np.arange(-120.0, 121.0, step)] * 3
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)


def test_a_linear_field_comes_back_to_half_a_voxel():
    places = grid(4.0)
    values = surface.to_surface(places[:, 0], places, 4.0)
    expected = np.split(surface.midthickness_coordinates()[:, 0], 2)
    for side, x in zip(surface.SIDES, expected):
        assert values[side].shape == (surface.N_VERTICES,) and np.abs(values[side] - x).max() <= 2.0 + 1e-6
    assert values["left"].mean() < -20 and values["right"].mean() > 20


def test_vertices_without_a_voxel_near_them_are_nan():
    places = grid(4.0)
    right = places[:, 0] > 0
    values = surface.to_surface(np.ones(right.sum()), places[right], 4.0)
    assert np.isnan(values["left"]).mean() > 0.95 and np.isfinite(values["right"]).mean() > 0.95


def test_values_at_the_vertices_stay_there():
    rng = np.random.default_rng(0)
    at = rng.standard_normal(2 * surface.N_VERTICES)
    values = surface.to_surface(at, surface.midthickness_coordinates(), surface.SPACING)
    np.testing.assert_allclose(np.concatenate(list(values.values())), at)


def test_each_vertex_takes_the_value_of_its_parcel(tmp_path):
    affine = np.diag([-4.0, 4, 4, 1])  # x runs from right to left
    affine[:3, 3] = 100, -120, -80
    mm = nib.affines.apply_affine(affine, np.argwhere(np.ones((50, 50, 45))))
    labels = np.where(mm[:, 0] < 0, 7, np.where(mm[:, 1] < 0, 3, 5)).reshape(50, 50, 45)
    labels[..., :15] = 0  # below z = -20 mm there is no parcel
    nib.save(nib.Nifti1Image(labels.astype(np.int16), affine), tmp_path / "atlas.nii.gz")
    coordinates = np.split(surface.midthickness_coordinates(), 2)
    values = surface.parcels_to_surface([[1.0, 2.0], [10.0, 20.0]], tmp_path / "atlas.nii.gz", [7, 3])
    left, right = values["left"], values["right"]
    assert left.shape == (2, surface.N_VERTICES)
    inside = (coordinates[0][:, 0] < -4) & (coordinates[0][:, 2] > -18)
    assert (left[0, inside] == 1).all() and (left[1, inside] == 10).all()
    behind = (coordinates[1][:, 0] > 4) & (coordinates[1][:, 2] > -18) & (coordinates[1][:, 1] < -4)
    before = (coordinates[1][:, 0] > 4) & (coordinates[1][:, 2] > -18) & (coordinates[1][:, 1] > 4)
    assert (right[0, behind] == 2).all() and np.isnan(right[0, before]).all(), "parcel 5 has no value"
    assert np.isnan(left[0, coordinates[0][:, 2] < -30]).all(), "no parcel is near"
    with pytest.raises(ValueError, match=r"values has shape \(3,\) and labels \(2,\), expected"):
        surface.parcels_to_surface([1, 2, 3], tmp_path / "atlas.nii.gz", [7, 3])


def test_each_subject_comes_from_its_own_voxels():
    grids = {"A": VoxelCoordinates(grid(4.0), 4.0), "B": VoxelCoordinates(grid(6.0), 6.0)}
    values = {"B": grids["B"].coordinates[:, 2], "A": grids["A"].coordinates[:, 1]}
    maps = surface.to_surfaces(values, grids)
    for found, subject in zip(maps, "AB", strict=True):
        expected = surface.to_surface(values[subject], grids[subject].coordinates, grids[subject].voxel_size)
        assert all(np.array_equal(found[side], expected[side]) for side in surface.SIDES)


def test_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match=r"expected \(\.\.\., n_voxels\) and \(n_voxels, 3\)"):
        surface.to_surface(np.ones(3), np.ones((4, 3)), 2.0)


@pytest.mark.slow
def test_brain_map_draws_six_views_and_one_bar():
    values = surface.to_surface(surface.midthickness_coordinates()[:, 1], surface.midthickness_coordinates(), 3.0)
    values["left"][:3000] = np.nan
    fig = plotting.brain_map(values, "title", "y (mm)", vmin=-100, vmax=70)
    assert len(fig.axes) == 7 and fig.axes[-1].get_ylabel() == "y (mm)"
    assert np.allclose(fig.axes[-1].get_ylim(), (-100, 70))
    plt.close(fig)


def test_many_maps_go_to_the_surface_at_once():
    places = surface.midthickness_coordinates()[::40]
    values = np.random.default_rng(0).standard_normal((3, len(places))).astype(np.float32)
    together = surface.to_surface(values, places, 4.0)
    for k, row in enumerate(values):
        for side, alone in surface.to_surface(row, places, 4.0).items():
            np.testing.assert_array_equal(together[side][k], alone.astype(np.float32))
    assert together["left"].dtype == np.float32 and np.isnan(together["left"]).any()


def test_a_mean_map_is_over_those_who_have_a_value():
    nan = np.nan
    maps = [{"left": np.array([1.0, nan, nan]), "right": np.array([2.0])}]
    maps.append({"left": np.array([3.0, 5.0, nan]), "right": np.array([4.0])})
    mean = surface.mean_over_subjects(maps)
    np.testing.assert_array_equal(mean["left"], [2, 5, nan])
    np.testing.assert_array_equal(mean["right"], [3])
