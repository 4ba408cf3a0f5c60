"""Places of the columns of ds003020, from the files of pycortex and FreeSurfer that it publishes."""

import json

import nibabel as nib
import numpy as np
import pytest
from naturalistic import preprocessing
from naturalistic.anatomy.own_cortex import coordinates_by_cortex
from naturalistic.anatomy.surface import midthickness_coordinates
from naturalistic.datasets import check, lebel
from naturalistic.datasets.pycortex import read_surfaces
from naturalistic.reporting.experiment_maps import on_fsaverage5, why_no_figure

from tests.helpers import bids_tree

STORE = "derivative/pycortex-db/UTS01"
TRANSFORM = f"{STORE}/transforms/UTS01_auto"


@pytest.fixture(params=["gii", "npz"])
def placed(tmp_path, monkeypatch, request):
    """Return a data set with the surfaces of a subject, and where its columns lie."""
    monkeypatch.setenv("NATURALISTIC_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "ds003020"
    coordinates = bids_tree.write_pycortex(folder, npz=request.param == "npz")
    bids_tree.write_series(folder, ("avatar",), ("UTS01",), n_trs=20, n_voxels=len(coordinates))
    return folder, coordinates


def test_columns_are_the_voxels_of_the_mask_with_x_fastest(placed):
    folder, coordinates = placed
    subject = preprocessing.open_subjects(lebel.load(folder))["UTS01"]
    x, y, z = subject.grid.indices.T
    assert (np.diff(np.ravel_multi_index((z, y, x), subject.grid.shape[::-1])) > 0).all()
    # this subject is fsaverage: a voxel lies where its affine says
    away = np.linalg.norm(subject.coordinates - coordinates, axis=1)
    assert np.median(away) < 0.1 and away.max() < 1
    drawn = on_fsaverage5(subject, coordinates[:, 1])
    for side, expected in zip(("left", "right"), np.split(midthickness_coordinates()[:, 1], 2)):
        assert np.isfinite(drawn[side]).all() and np.abs(drawn[side] - expected).max() < 4


def test_a_subject_whose_folds_lie_elsewhere_is_drawn_by_its_sphere(placed):
    """Vertices in another order on both: the place comes from the sphere, not from the position in the scan."""
    folder, _ = placed
    data = lebel.load(folder)
    middles, spheres = read_surfaces(data.cortex_files("UTS01"))
    subject = preprocessing.open_subjects(data)["UTS01"]
    straight = coordinates_by_cortex(subject.grid, middles, spheres)
    turned = {side: sphere * [-1, 1, 1] for side, sphere in spheres.items()}  # medial and lateral exchanged
    moved = coordinates_by_cortex(subject.grid, middles, turned)
    assert np.median(np.linalg.norm(moved - straight, axis=1)) > 20
    shuffle = np.random.default_rng(0).permutation(len(middles["left"]))
    both = [{**each, "left": each["left"][shuffle]} for each in (middles, spheres)]
    np.testing.assert_allclose(coordinates_by_cortex(subject.grid, *both), straight, atol=1e-6)


def damaged_mask(folder):
    path = folder / TRANSFORM / "mask_thick.nii.gz"
    image = nib.load(path)
    nib.save(nib.Nifti1Image(np.ones(image.shape, np.uint8), image.affine), path)


def other_vertices(folder):
    path = folder / "derivative/freesurfer_subjdir/UTS01/surf/lh.sphere.reg"
    points, faces = nib.freesurfer.read_geometry(path)
    nib.freesurfer.write_geometry(path, points[:-1], faces[:100])


def no_matrix(folder):
    (folder / TRANSFORM / "matrices.xfm").write_text(json.dumps({"epi": []}))


def no_transform(folder):
    (folder / TRANSFORM / "matrices.xfm").unlink()


def no_surface(folder):
    (folder / STORE / "surfaces/wm_lh.gii").write_bytes(b"<xml")


DAMAGES = {
    damaged_mask: r"mask_cortical.nii.gz has 0, mask_thick.nii.gz has [\d,]+ voxels, expected [\d,]+ as the series",
    other_vertices: r"surfaces of UTS01 have different vertices: .* lh.sphere.reg 10,241; fetch them again",
    no_matrix: r"matrices.xfm has no matrix 'coord' \(4, 4\)",
    no_transform: r"UTS01 has no coordinates: fetch .*matrices.xfm \(git-annex\)",
    no_surface: r"wm_lh.gii cannot be read as a surface",
}


@pytest.mark.parametrize("placed", ["gii"], indirect=True)
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_what_is_wrong_stops_the_map_alone_and_is_said(placed, damage):
    folder, coordinates = placed
    damage(folder)
    subject = preprocessing.open_subjects(lebel.load(folder))["UTS01"]
    assert on_fsaverage5(subject, coordinates[:, 1]) is None
    with pytest.raises((FileNotFoundError, ValueError), match=DAMAGES[damage]) as caught:
        _ = subject.coordinates
    assert why_no_figure(subject).endswith(str(caught.value))
    findings = check.check_folder(folder)
    assert not findings.problems
    if damage in (damaged_mask, no_transform):
        assert any("no map is drawn" in doubt for doubt in findings.doubts)
