"""Pickles are read as data: nothing that one names is imported or called."""

import collections
import os
import pickle
import struct
from fractions import Fraction

import numpy as np
import pytest
from naturalistic.pickles import read_pickle

CONTENT = {
    "betas": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "names": ["vid0001", "vid0002"],
    "nested": ([1, -2, 2**70, 2.5, True, None], {"x": b"raw", 3: "ü"}),
}


def save(path, content, protocol=4):
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


@pytest.mark.parametrize("protocol", range(6))
def test_data_come_back_as_they_were(tmp_path, protocol):
    found = read_pickle(save(tmp_path / "betas.pkl", CONTENT, protocol))
    assert found["betas"].dtype == np.float32
    np.testing.assert_array_equal(found["betas"], CONTENT["betas"])
    assert found["names"] == CONTENT["names"]
    assert found["nested"] == CONTENT["nested"]


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "array",
    [
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(12, dtype=">i2").reshape(3, 4)[:, ::2],
        np.array(["vid0001", "vid0102"]),
        np.array([True, False]),
        np.array(3.5),
        np.zeros((0, 3)),
        np.array([b"ab", b"c"]),
        np.arange(3, dtype=np.float16),
        np.float32(2.5),
        np.int64(-7),
    ],
)
def test_arrays_of_each_kind_come_back(tmp_path, array, protocol):
    found = read_pickle(save(tmp_path / "array.pkl", array, protocol))
    assert found.dtype == array.dtype
    assert found.shape == array.shape
    np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_of_numpy_1_and_2_come_back(tmp_path, protocol):
    here = pickle.dumps(CONTENT["betas"], protocol=protocol)
    # the names that numpy 1 gave its modules; STACK_GLOBAL states their length
    old = here.replace(b"numpy._core.", b"numpy.core.").replace(b"\x8c\x16numpy.core.mult", b"\x8c\x15numpy.core.mult")
    old = old.replace(b"\x8c\x13numpy.core.num", b"\x8c\x12numpy.core.num")
    if protocol >= 4:  # the frame is shorter by the letter
        (size,) = struct.unpack("<Q", old[3:11])
        old = old[:3] + struct.pack("<Q", size - (len(here) - len(old))) + old[11:]
    assert old != here
    (tmp_path / "old.pkl").write_bytes(old)
    np.testing.assert_array_equal(read_pickle(tmp_path / "old.pkl"), CONTENT["betas"])


def test_what_is_shared_is_read_once(tmp_path):
    array = np.arange(3)
    found = read_pickle(save(tmp_path / "shared.pkl", [array, array, {"again": array}]))
    assert found[0] is found[1] is found[2]["again"]
    assert not found[0].flags.writeable


class Runs:
    """An object whose pickle calls a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    "function, arguments, name",
    [
        (os.system, ("touch harmed",), r"(posix|nt)\.system"),
        (eval, ("open('harmed', 'w')",), r"_*builtins?_*\.eval"),
        (exec, ("open('harmed', 'w')",), r"_*builtins?_*\.exec"),
        (getattr, (os, "system"), r"_*builtins?_*\.getattr"),
        (np.load, ("x.npy", None, True), r"numpy\.load"),
        (__import__, ("os",), r"_*builtins?_*\.__import__"),
        (collections.OrderedDict, (), r"collections\.OrderedDict"),
        (bytes, (10**12,), "bytes with arguments"),
        (np.dtype, ("O",), "dtype 'O'"),
    ],
)
@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_calls_are_refused_by_name(tmp_path, monkeypatch, function, arguments, name, protocol):
    monkeypatch.chdir(tmp_path)
    if function is getattr:  # a module cannot be pickled: the chain begins with its import
        arguments = (Runs(__import__, "os"), "system")
    path = save(tmp_path / "bad.pkl", {"train": Runs(function, *arguments)}, protocol)
    with pytest.raises(ValueError, match=rf"bad\.pkl asks for .*({name}|__import__).*expected a pickle of arrays"):
        read_pickle(path)
    assert not (tmp_path / "harmed").exists()


@pytest.mark.parametrize(
    "content, name",
    [
        (Fraction(1, 2), r"fractions\.Fraction"),
        (np.array([1, "a", None], dtype=object), "dtype 'O"),
        (np.zeros(2, dtype=[("a", "f8"), ("b", "O")]), "dtype 'V"),
        (np.ma.masked_array([1.0, 2.0], [0, 1]), r"numpy\.ma"),
        (np.datetime64("2020-01-01"), "dtype 'M8"),
        ({1, 2}, r"builtin.*set|EMPTY_SET"),
        (1j, r"_*builtins?_*\.complex"),
        ({(1, 2): "key"}, "a key of type tuple"),
        (np.random.default_rng, r"numpy\.random"),
        (np.ndarray, "ndarray, by itself"),
        (np.dtype("f8"), "an array without values, by itself"),
    ],
)
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_what_is_no_data_is_refused(tmp_path, content, name, protocol):
    with pytest.raises(ValueError, match=rf"bad\.pkl asks for .*({name})"):
        read_pickle(save(tmp_path / "bad.pkl", content, protocol))


@pytest.mark.parametrize(
    "code, message",
    [
        (b"cos\nsystem\n(S'touch harmed'\ntR.", r"os\.system"),
        (b"(ios\nsystem\n.", "INST"),
        (b"(cos\nsystem\nS'touch harmed'\no.", r"os\.system"),
        (b"\x80\x02ccopyreg\n__newobj__\n.", r"copyreg\.__newobj__"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", r"os\.system"),
        (b"\x80\x02Pid\n.", "PERSID"),
        (b"\x80\x02\x82\x01.", "EXT1"),
        (b"\x80\x02cnumpy\ndtype\n}b.", "a state of a _Name"),
        (b"\x80\x02cnumpy\nndarray\nK\x05\x85R.", "a call of ndarray"),
        (b"\x80\x02K\x05]R.", "a call of int"),
        (b"\x80\x02K\x05K\x05a.", "items of a int"),
        (b"\x80\x05\x97.", "NEXT_BUFFER"),
    ],
)
def test_crafted_instructions_are_refused(tmp_path, code, message):
    (tmp_path / "bad.pkl").write_bytes(code)
    with pytest.raises(ValueError, match=rf"bad\.pkl asks for .*{message}"):
        read_pickle(tmp_path / "bad.pkl")


def shaped(shape, n_bytes, dtype=b"f8"):
    """Return a pickle whose array claims a shape."""
    head = b"\x80\x02cnumpy._core.numeric\n_frombuffer\n(B" + struct.pack("<i", n_bytes) + bytes(n_bytes)
    n = b"".join(b"\x8a\x08" + struct.pack("<q", k) for k in shape)
    return head + b"cnumpy\ndtype\nX\x02\0\0\0" + dtype + b"\x89\x88\x87R(" + n + b"tX\x01\0\0\0CtR."


@pytest.mark.parametrize("shape", [(10**12, 10**12), (3,), (-2,), (2, 2)])
def test_claimed_shapes_have_to_be_those_of_the_bytes(tmp_path, shape):
    (tmp_path / "good.pkl").write_bytes(shaped((2,), 16))
    assert read_pickle(tmp_path / "good.pkl").shape == (2,)
    (tmp_path / "bad.pkl").write_bytes(shaped(shape, 16))
    with pytest.raises(ValueError, match=r"bad\.pkl was cut short or is no pickle .*shape"):
        read_pickle(tmp_path / "bad.pkl")


@pytest.mark.parametrize(
    "code",
    [
        b"\x80\x04\x8e" + struct.pack("<Q", 2**45) + b"ab.",  # BINBYTES8
        b"\x80\x05\x96" + struct.pack("<Q", 2**45) + b"ab.",  # BYTEARRAY8
        b"\x80\x04\x8d" + struct.pack("<Q", 2**62) + b"ab.",  # BINUNICODE8
        b"\x80\x04\x8e" + struct.pack("<Q", 2**64 - 1) + b"ab.",
        b"\x80\x04\x95" + struct.pack("<Q", 2**60),  # a frame
        b"\x80\x04]r" + struct.pack("<I", 2**32 - 1) + b"h\x05.",  # a memo of 2^32 places
        b"\x80\x04.",
        b"\x80\x04K\x01K\x02.",
        b"\x80\x04t.",
        b"\x80\x04}K\x01s.",
        b"not a pickle at all",
        b"\xff\xd8\xff\xe0",
    ],
)
def test_claimed_lengths_and_other_nonsense_are_refused(tmp_path, code):
    (tmp_path / "bad.pkl").write_bytes(code)
    with pytest.raises(ValueError, match=r"bad\.pkl (was cut short or is no pickle|asks for).*"):
        read_pickle(tmp_path / "bad.pkl")


def test_files_cut_short_are_refused_at_any_byte(tmp_path):
    whole = pickle.dumps((CONTENT["betas"], CONTENT["names"]), protocol=5)
    for n in range(1, len(whole)):
        (tmp_path / "cut.pkl").write_bytes(whole[:n])
        with pytest.raises(ValueError, match=r"cut\.pkl was cut short.*fetch it again"):
            read_pickle(tmp_path / "cut.pkl")


def test_missing_empty_and_pointer_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone\.pkl is not there; do this"):
        read_pickle(tmp_path / "gone.pkl", advice="do this")
    (tmp_path / "empty.pkl").touch()
    with pytest.raises(ValueError, match=r"empty\.pkl is empty"):
        read_pickle(tmp_path / "empty.pkl")
    (tmp_path / "annex.pkl").write_text("../../.git/annex/objects/xx/SHA256E-s5--ab.pkl")
    with pytest.raises(ValueError, match=r"annex\.pkl is a git-annex pointer"):
        read_pickle(tmp_path / "annex.pkl")
