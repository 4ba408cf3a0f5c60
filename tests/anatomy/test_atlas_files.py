"""Files of atlases that are damaged, of another mesh or stored otherwise."""

from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest
from naturalistic import anatomy

N = 42  # vertices a hemisphere: an icosahedron whose triangles were divided once
NAMES = ["Unknown", "G_one", "S_two"]


def on_surface():
    coordinates = np.random.default_rng(0).uniform(-20, 20, (2 * N, 3))
    return SimpleNamespace(coordinates=coordinates, grid=None, space="fsaverage5")


def annotation(path, n_vertices):
    colours = np.column_stack([np.arange(1, 4) * 10, *[np.arange(3)] * 2, np.zeros(3)])
    labels = np.arange(n_vertices) % 3
    nib.freesurfer.write_annot(path, labels, colours.astype(int), NAMES, fill_ctab=True)
    return path


@pytest.mark.parametrize("n_vertices", [N, 4 * (N - 2) + 2, 16 * (N - 2) + 2])
def test_finer_meshes_of_the_same_family_are_read(tmp_path, n_vertices):
    path = annotation(tmp_path / "lh.annot", n_vertices)
    parcels = anatomy.subject_parcels(on_surface(), [path, path])
    np.testing.assert_array_equal(parcels[:N], np.arange(N) % 3 - 1)


@pytest.mark.parametrize("n_vertices", [12, N - 1, N + 1, 100, 32492])
def test_other_meshes_are_named(tmp_path, n_vertices):
    """Their first vertices are elsewhere, though there are enough of them (32,492: fsLR)."""
    path = annotation(tmp_path / "lh.annot", n_vertices)
    with pytest.raises(ValueError, match=rf"lh\.annot has {n_vertices:,} vertices, expected 42 or a finer fsaverage"):
        anatomy.subject_parcels(on_surface(), [path, path])


@pytest.mark.parametrize("spoil", [lambda b: b[:200], lambda b: b[:-30], lambda b: b"", lambda b: b"<html>404</html>"])
def test_a_broken_annotation_is_named(tmp_path, spoil):
    path = annotation(tmp_path / "lh.annot", N)
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(ValueError, match=r"lh\.annot is no annotation of FreeSurfer, or was cut short"):
        anatomy.subject_parcels(on_surface(), [path, path])


def in_volume():
    rng = np.random.default_rng(0)
    return SimpleNamespace(coordinates=rng.uniform(-13, 13, (60, 3)), grid=np.ones(1, bool), space="mni")


@pytest.mark.parametrize("kind", ["flipped", "one volume in 4-D", "scaled"])
def test_a_label_image_stored_otherwise_gives_the_same_parcels(tmp_path, kind):
    labels = np.random.default_rng(0).integers(0, 5, (10, 10, 10)).astype(np.int16)
    affine = np.diag([3.0, 3, 3, 1])
    affine[:3, 3] = -13.5
    nib.save(nib.Nifti1Image(labels, affine), tmp_path / "own.nii.gz")
    other = affine.copy()
    other[0] = -3, 0, 0, 13.5
    image = {
        "flipped": nib.Nifti1Image(np.ascontiguousarray(labels[::-1]), other),
        "one volume in 4-D": nib.Nifti1Image(labels[..., None], affine),
        "scaled": nib.Nifti1Image(labels, affine),
    }[kind]
    if kind == "scaled":
        image.header.set_slope_inter(2, 0)
    nib.save(image, tmp_path / "other.nii.gz")
    expected = anatomy.subject_parcels(in_volume(), tmp_path / "own.nii.gz")
    np.testing.assert_array_equal(anatomy.subject_parcels(in_volume(), tmp_path / "other.nii.gz"), expected)


def test_a_broken_label_image_is_named(tmp_path):
    path = tmp_path / "atlas.nii.gz"
    nib.save(nib.Nifti1Image(np.random.default_rng(0).integers(0, 99, (10, 10, 10)).astype(np.int16), np.eye(4)), path)
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(ValueError, match=r"atlas\.nii\.gz is damaged or was cut short"):
        anatomy.subject_parcels(in_volume(), path)
    nib.save(nib.Nifti1Image(np.ones((10, 10, 10, 2), np.int16), np.eye(4)), path)
    with pytest.raises(ValueError, match=r"atlas\.nii\.gz has shape \(10, 10, 10, 2\), expected one volume"):
        anatomy.subject_parcels(in_volume(), path)
    nib.save(nib.Nifti1Image(np.ones((10, 10, 10), np.int16), None), path)
    with pytest.raises(ValueError, match=r"atlas\.nii\.gz states no place"):
        anatomy.subject_parcels(in_volume(), path)
