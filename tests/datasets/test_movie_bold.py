"""Files of ds005531 that hold something else than numbers or images: the file and the key are named."""

import h5py
import numpy as np
import pytest
import scipy.io
from naturalistic.datasets import movie_bold

GRID, N = 24, 6


def cell(values):
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


@pytest.mark.parametrize(
    "value", [cell([np.arange(3), np.arange(2)]), "3 4 5", {"index": np.arange(1, 4)}, np.array([1 + 2j])]
)
def test_voxels_that_are_no_vector(tmp_path, value):
    path = tmp_path / "vset_100.mat"
    scipy.io.savemat(path, {"tvoxels": value})
    with pytest.raises(ValueError, match=r"vset_100\.mat: tvoxels holds .*expected a vector of numbers"):
        movie_bold.read_mask(path)


def write_v73(path, key, kind):
    with h5py.File(path, "w", userblock_size=512) as file:
        if kind == "group":
            file.create_group(key)["inner"] = np.arange(3)
        elif kind == "cell":
            file["inner"] = np.arange(3)
            file.create_dataset(key, data=[[file["inner"].ref]], dtype=h5py.ref_dtype)
        elif kind == "text":
            file.create_dataset(key, data=["a", "b"], dtype=h5py.string_dtype())
        else:
            file[key] = np.array([[3.0], [1.0], [7.0]])
    with open(path, "r+b") as file:  # what MATLAB writes before the HDF5
        file.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    return path


@pytest.mark.parametrize("kind", ["group", "cell", "text"])
def test_voxels_of_version_7_3_that_are_no_vector(tmp_path, kind):
    path = write_v73(tmp_path / "vset_100.mat", "tvoxels", kind)
    with pytest.raises(ValueError, match=r"vset_100\.mat: tvoxels holds .*expected a vector of numbers"):
        movie_bold.read_mask(path)


def test_voxels_of_version_7_3(tmp_path):
    path = write_v73(tmp_path / "vset_100.mat", "tvoxels", "numbers")
    assert movie_bold.read_mask(path).tolist() == [2, 0, 6]


@pytest.mark.parametrize(("kind", "what"), [("group", "a group"), ("cell", "object"), ("text", "object")])
def test_volumes_that_are_no_matrix(tmp_path, monkeypatch, kind, what):
    """Said before anything is made."""
    monkeypatch.setenv("NATURALISTIC_CACHE", str(tmp_path / "cache"))
    mask = movie_bold.mask_path(tmp_path, "S01")
    mask.parent.mkdir(parents=True)
    scipy.io.savemat(mask, {"tvoxels": np.arange(1, 5)})
    run = type("Run", (), {"name": "lamp_run-01", "n_seconds": N, "n_overlap": 0, "n_kept": N})()
    write_v73(mask.with_name("sub-S01_task-lamp_run-01.mat"), "dataDT", kind)
    with pytest.raises(ValueError, match=rf"lamp_run-01\.mat: dataDT is {what}, expected a matrix of numbers"):
        movie_bold.open_bold(tmp_path, "S01", (run,), progress=False)
    assert not (tmp_path / "cache").exists()


def test_a_reference_that_is_no_image(tmp_path):
    path = movie_bold.reference_path(tmp_path, "S01")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"<html>404</html>")
    with pytest.raises(ValueError, match=r"reference\.nii\.gz cannot be read as an image"):
        movie_bold.grid(tmp_path, "S01")
