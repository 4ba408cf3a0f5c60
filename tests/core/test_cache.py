"""What is written, whole or absent: on errors, when stopped, by two processes at once; and in one place only."""

import ast
import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import naturalistic
import naturalistic_simulation
import numpy as np
import pytest
from naturalistic import cache

PACKAGES = [Path(package.__file__).parent for package in (naturalistic, naturalistic_simulation)]
# what gives a file its name in one step, or makes a file to be given one
OWN = {"replace", "rename", "renames", "link", "move", "mkstemp", "mkdtemp", "NamedTemporaryFile", "TemporaryDirectory"}
MODULES = {"os", "shutil", "tempfile"}
NAMED = re.compile(rf"\b({'|'.join(MODULES)})\s*\.\s*({'|'.join(OWN)})|from\s+({'|'.join(MODULES)})\s")


def calls_of(path):
    """Return the calls and imports of `OWN` functions in a file, as text."""
    source = path.read_text(encoding="utf-8")
    if not NAMED.search(source):  # most have none: to parse and walk all takes a second
        return
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id in MODULES and node.attr in OWN:
                yield f"{node.value.id}.{node.attr}"
        if isinstance(node, ast.ImportFrom) and node.module in MODULES:
            yield from (f"from {node.module} import {name.name}" for name in node.names if name.name in OWN)


def test_files_get_their_names_in_one_module():
    found = {
        path.relative_to(package.parent).as_posix(): list(calls_of(path))
        for package in PACKAGES
        for path in package.rglob("*.py")
    }
    assert {name: calls for name, calls in found.items() if calls} == {
        "naturalistic/cache.py": ["os.replace", "tempfile.TemporaryDirectory"]
    }


def test_a_file_comes_whole_in_a_new_folder(tmp_path):
    target = tmp_path / "a" / "b.txt"
    with cache.whole_or_absent(target) as part:
        assert part.parent == target.parent
        part.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    assert list(target.parent.iterdir()) == [target]
    cache.write_text(target, "újra")
    assert target.read_text(encoding="utf-8") == "újra"


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, OSError(errno.ENOSPC, "No space left on device")])
@pytest.mark.parametrize("before", [None, "before"])
@pytest.mark.parametrize("fixed", [False, True])
def test_an_error_leaves_what_was_there(tmp_path, error, before, fixed):
    target = tmp_path / "file"
    if before:
        target.write_text(before)
    with pytest.raises(error if isinstance(error, type) else OSError):
        with cache.whole_or_absent(target, tmp_path / "part" if fixed else None) as part:
            part.write_text("half")
            raise error
    assert [path.name for path in tmp_path.iterdir()] == ["file"] * bool(before)
    assert not before or target.read_text() == before


def test_an_error_before_anything_is_written(tmp_path):
    with pytest.raises(KeyboardInterrupt), cache.whole_or_absent(tmp_path / "file"):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_folders(tmp_path):
    target = tmp_path / "folder"
    with pytest.raises(ZeroDivisionError), cache.whole_or_absent(target) as part:
        (part / "sub").mkdir(parents=True)
        (part / "sub" / "file").touch()
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
    with cache.whole_or_absent(target) as part:
        part.mkdir()
        (part / "file").touch()
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == ["folder", "folder/file"]
    with pytest.raises(OSError), cache.whole_or_absent(target) as part:  # somebody's folder is not replaced
        part.mkdir()
        (part / "other").touch()
    assert [path.name for path in target.iterdir()] == ["file"] and len(list(tmp_path.iterdir())) == 1


def test_files_can_be_read_by_others(tmp_path):
    """Those of the module tempfile are their maker's alone, which a lab's shared cache would not survive."""
    plain = tmp_path / "plain"
    plain.touch()
    cache.write_text(tmp_path / "written", "text")
    assert (tmp_path / "written").stat().st_mode == plain.stat().st_mode


@pytest.mark.slow
def test_two_processes_write_one_array_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv("NATURALISTIC_CACHE", str(tmp_path))
    code = (
        "import numpy as np; from naturalistic import cache\n"
        "for k in range(40):\n"
        "    cache.write_array('a', 'ab', np.full(100_000, {value}))\n"
        "    assert len(set(cache.read_array('a', 'ab', (100_000,)))) == 1"
    )
    environment = os.environ | {"PYTHONPATH": str(PACKAGES[0].parent)}
    writers = [subprocess.Popen([sys.executable, "-c", code.format(value=v)], env=environment) for v in (1.0, 2.0)]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["ab.npy"]


def test_a_killed_process_leaves_nothing_under_the_name(tmp_path):
    code = (
        "import os, sys; from naturalistic import cache\n"
        "with cache.whole_or_absent(sys.argv[1]) as part:\n"
        "    part.write_text('half')\n"
        "    os.kill(os.getpid(), 9)"
    )
    environment = os.environ | {"PYTHONPATH": str(PACKAGES[0].parent)}
    command = [sys.executable, "-c", code, str(tmp_path / "file")]
    assert subprocess.run(command, env=environment, check=False).returncode == -9
    assert not (tmp_path / "file").exists()


def test_arrays_that_do_not_fit_or_cannot_be_read():
    assert cache.read_array("a", "abc", (3,)) is None
    cache.write_array("a", "abc", np.arange(3.0))
    np.testing.assert_array_equal(cache.read_array("a", "abc", [3]), [0, 1, 2])
    assert cache.read_array("a", "abc", (2,)) is None
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        cache.write_array("a", "abd", np.array([{}]))
    path = next(cache.cache_dir().rglob("abc.npy"))
    path.write_bytes(path.read_bytes()[:-1])
    assert cache.read_array("a", "abc", (3,)) is None
    assert [path.name for path in cache.cache_dir().rglob("*") if path.is_file()] == ["abc.npy"]


def test_keys_know_type_shape_and_content():
    x = np.arange(6.0)
    arrays = [x, x.reshape(2, 3), x.astype("float32"), x[::-1], -x]
    keys = [cache.content_key("a", 1, array) for array in arrays]
    keys += [cache.content_key("a", 2, x), cache.content_key("b", 1, x), cache.content_key("a", 1.0, x)]
    assert len(set(keys)) == len(keys) and all(len(key) == 64 for key in keys)
    assert cache.content_key("a", 1, x[::-1][::-1]) == keys[0]


@pytest.mark.skipif(cache.fcntl is None, reason="no locks on this system")
def test_one_process_at_a_time(tmp_path):
    with cache.folder_lock(tmp_path / "a"):
        busy = pytest.raises(cache.RequestError, match="another process is at work in")
        with busy, cache.folder_lock(tmp_path / "a"):
            pass
        with cache.folder_lock(tmp_path / "b"):
            pass
    with cache.folder_lock(tmp_path / "a"):
        assert list((tmp_path / "a").iterdir()) == []
