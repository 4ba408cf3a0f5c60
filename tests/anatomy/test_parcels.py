"""Parcels from an atlas: label images, annotations, and none."""

from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest
from naturalistic import anatomy

N = 20  # vertices a hemisphere


def subject(space="mni", mask=True):
    rng = np.random.default_rng(0)
    places = rng.uniform(-20, 20, (2 * N, 3))
    return SimpleNamespace(coordinates=places, grid=np.ones(1, bool) if mask else None, space=space)


def annotation(path, labels, names):
    colours = np.column_stack([np.arange(1, len(names) + 1) * 10, *[np.arange(len(names))] * 2, np.zeros(len(names))])
    nib.freesurfer.write_annot(path, np.asarray(labels), colours.astype(int), list(names), fill_ctab=True)
    return path


def label_image(path, volume, affine):
    nib.save(nib.Nifti1Image(volume, affine), path)
    return path


def test_a_label_image_gives_each_voxel_the_label_where_it_lies(tmp_path):
    """Against a loop over voxels; labels are numbered without a gap, what lies outside is -1."""
    volume = np.zeros((10, 10, 10), np.int16)
    volume[:5], volume[5:, :5], volume[5:, 5:, 5:] = 11143, 7, 12
    affine = np.diag([3.0, 3.0, 3.0, 1.0])
    affine[:3, 3] = -13.5
    one = subject()
    found = anatomy.subject_parcels(one, label_image(tmp_path / "atlas.nii.gz", volume, affine))
    order = {7: 0, 12: 1, 11143: 2, 0: -1}
    for place, parcel in zip(one.coordinates, found):
        i, j, k = np.round((place + 13.5) / 3).astype(int)
        inside = all(0 <= x < 10 for x in (i, j, k))
        assert parcel == (order[int(volume[i, j, k])] if inside else -1)
    assert set(found) == {-1, 0, 1, 2}
    assert len(anatomy.parcel_columns(found, 2 * N)) == 3


def test_annotations_of_both_sides_are_distinct_and_the_medial_wall_is_outside(tmp_path):
    names = ["Unknown", "G_one", "Medial_wall", "S_two"]
    left = annotation(tmp_path / "lh.annot", [1] * 5 + [3] * 10 + [2] * 5, names)
    right = annotation(tmp_path / "rh.annot", [3] * 12 + [0] * 8 + [1] * 54, names)  # the next finer mesh: 74 vertices
    found = anatomy.subject_parcels(subject("fsaverage5", mask=False), [left, right])
    assert found.tolist() == [0] * 5 + [1] * 10 + [-1] * 5 + [2] * 12 + [-1] * 8


def test_without_an_atlas_parcels_have_equal_area():
    found = anatomy.subject_parcels(subject(), n_parcels=8)
    assert np.array_equal(found, anatomy.equal_area_parcels(subject().coordinates, 8))


def test_bad_atlases(tmp_path):
    far = label_image(
        tmp_path / "far.nii", np.ones((2, 2, 2), np.int16), np.diag([1, 1, 1, 1]) + np.eye(4)[:, ::-1] * 900
    )
    maps = label_image(tmp_path / "maps.nii", np.full((2, 2, 2), 0.3), np.eye(4))
    short = annotation(tmp_path / "short.annot", [1] * 5, ["Unknown", "G_one"])
    for atlas, one, error, message in [
        (tmp_path / "no.nii", subject(), FileNotFoundError, "is not there; expected an atlas"),
        (far, subject(), ValueError, "has no label at any voxel"),
        (maps, subject(), ValueError, "has broken numbers, expected one volume of whole labels"),
        ([short, short], subject(), ValueError, "but the subject is in the volume (mni)"),
        ([short, short], subject("fsaverage5", mask=False), ValueError, "has 5 vertices, expected 20"),
        ([short] * 3, subject(), ValueError, "names 3 files"),
    ]:
        with pytest.raises(error) as raised:
            anatomy.subject_parcels(one, atlas)
        assert message in str(raised.value)
