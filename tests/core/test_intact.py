"""Files that were cut short, or that Git LFS and git-annex left as pointers: named, with what to do."""

import struct
import zipfile

import numpy as np
import pytest
from naturalistic import intact
from safetensors.numpy import save_file

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
ANNEX = b"/annex/objects/MD5E-s46--0123456789abcdef0123456789abcdef.nii.gz\n"


@pytest.fixture
def files(tmp_path):
    """One whole file of each format."""
    array = np.arange(1000.0)
    save_file({"a": array, "b": array[:3]}, tmp_path / "w.safetensors")
    save_file({}, tmp_path / "none.safetensors")
    np.save(tmp_path / "a.npy", array)
    np.savez(tmp_path / "a.npz", a=array)
    with zipfile.ZipFile(tmp_path / "w.bin", "w") as file:
        file.writestr("data.pkl", bytes(2000))
    (tmp_path / "a.json").write_text('{"a": [1, 2]}')
    (tmp_path / "vocab.txt").write_text("[UNK]\nthe\n")
    (tmp_path / "old.bin").write_bytes(b"\x80\x02a bare pickle")
    return tmp_path


def test_whole_files_pass(files):
    for path in files.iterdir():
        intact.check_whole(path)
    assert intact.read_json(files / "a.json") == {"a": [1, 2]}
    np.testing.assert_array_equal(intact.open_array(files / "a.npy", mmap_mode="r"), np.arange(1000.0))
    np.testing.assert_array_equal(intact.open_arrays(files / "a.npz")["a"], np.arange(1000.0))


@pytest.mark.parametrize("name", ["w.safetensors", "a.npy", "a.npz", "w.bin", "a.json", "vocab.txt"])
@pytest.mark.parametrize(("content", "says"), [(LFS, "is a Git LFS pointer"), (ANNEX, "is a git-annex pointer"),
                                               (b"", "is empty")])  # fmt: skip
def test_pointers_and_empty_files(files, name, content, says):
    (files / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name} {says}.*; fetch it again"):
        intact.check_whole(files / name)


def _safetensors(header):
    return struct.pack("<Q", len(header)) + header


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (lambda whole: whole[:-1], r"was cut short: it has 8,\d+ of 8,\d+ bytes"),
        (lambda whole: whole[:30], "was cut short: it has 30 bytes, and its header alone has"),
        (lambda whole: whole[:5], "was cut short: it has 5 bytes"),
        (lambda whole: whole + b"x", "is damaged: it has"),
        (lambda whole: b"<!DOCTYPE html><html>404</html>", "is no safetensors file"),
        (lambda whole: _safetensors(b'{"a": 3}'), "is no safetensors file"),
        (lambda whole: _safetensors(b"not json"), "is no safetensors file"),
    ],
)
def test_damaged_safetensors(files, content, says):
    path = files / "w.safetensors"
    path.write_bytes(content(path.read_bytes()))
    with pytest.raises(ValueError, match=rf"w\.safetensors {says}.*; get another"):
        intact.check_whole(path, "get another")


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("a.npy", intact.open_array),
        ("a.npy", lambda path: intact.open_array(path, mmap_mode="r")),
        ("a.npy", lambda path: intact.open_array(path, mmap_mode="r+")),
        ("a.npz", intact.open_arrays),
        ("w.bin", intact.check_whole),
        ("a.json", intact.read_json),
    ],
)
@pytest.mark.parametrize("left", [0.05, 0.5, 0.97])
def test_files_cut_short(files, name, read, left):
    path = files / name
    whole = path.read_bytes()
    path.write_bytes(whole[: max(1, int(left * len(whole)))])
    with pytest.raises(ValueError, match=rf"{name} .*cut short.*fetch it again"):
        read(path)


@pytest.mark.parametrize("read", [intact.open_array, intact.open_arrays, intact.read_json, intact.check_whole])
def test_a_file_that_is_not_there(tmp_path, read):
    with pytest.raises(FileNotFoundError, match=r"x\.npy is not there; fetch it again"):
        read(tmp_path / "x.npy")


def test_a_member_of_an_archive_that_was_damaged(files):
    path = files / "a.npz"
    content = bytearray(path.read_bytes())
    content[2000:2010] = bytes(10)
    content[5000:5010] = b"\xff" * 10
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.npz was cut short or is no archive of arrays .*CRC"):
        intact.open_arrays(path)
