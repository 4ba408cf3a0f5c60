"""Chapters run side by side where they can, one after another where they must."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAD = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  name: python3
  display_name: p
---

```{code-cell} ipython3
import os, time
from pathlib import Path
def wait_for(name):
    end = time.time() + 100
    while not Path(name).exists():
        assert time.time() < end, f"{name} did not come"
        time.sleep(0.05)
"""


@pytest.fixture
def small_book(tmp_path):
    """A book of its own, whose chapters are a few lines; returns the call that builds it."""
    shutil.copytree(ROOT / "book", tmp_path / "book", ignore=shutil.ignore_patterns("api", "_static", "benchmarks"))
    (tmp_path / "notebooks").mkdir()
    shutil.copy(ROOT / "constraints.txt", tmp_path)

    def build(chapters, *flags):
        for name, code in chapters.items():
            (tmp_path / "notebooks" / f"{name}.md").write_text(f"{HEAD}{code}\n```\n")
        command = [sys.executable, tmp_path / "book" / "build.py", "--no-html", *flags]
        environment = {k: v for k, v in os.environ.items() if k not in ("OMP_NUM_THREADS", "LOKY_MAX_CPU_COUNT")}
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
        return done, tmp_path / "notebooks", tmp_path / "_build" / "runs"

    return build


@pytest.mark.slow
def test_two_chapters_run_at_once_and_those_that_read_others_after_them(small_book):
    """Each of the first two waits for the other; 13 reads what 12 wrote last; a page that sums up reads all."""
    chapters = {
        "01-one": "Path('one').touch()\nwait_for('twelve')",
        "12-language-encoding": "Path('twelve').touch()\nwait_for('one')\ntime.sleep(1)\nPath('end of twelve').touch()",
        "13-semantic-maps": "assert Path('end of twelve').exists()\nPath('thirteen').touch()",
        "91-results": "assert Path('thirteen').exists()\nPath('threads').write_text(os.environ['OMP_NUM_THREADS'])",
    }
    done, notebooks, runs = small_book(chapters, "--jobs", "2")
    assert done.returncode == 0, done.stderr
    assert sorted(path.stem for path in runs.glob("*.key")) == sorted(chapters)
    ended = re.findall(r"^(\d\d)-\S+: \d+ s", done.stdout, re.MULTILINE)
    assert sorted(ended) == ["01", "12", "13", "91"] and ended[2:] == ["13", "91"]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert int((notebooks / "threads").read_text()) == max(1, cores // 2)
    again, *_ = small_book(chapters, "--jobs", "2")
    assert "0 to run, 4 unchanged" in again.stdout


@pytest.mark.slow
def test_a_chapter_that_fails_loses_nothing_of_the_one_beside_it(small_book):
    """What runs comes to its end and is kept, nothing new is started, the error names the chapter."""
    chapters = {
        "01-one": "wait_for('begun')\n1 / 0",
        # it ends after the other has failed, however slow the machine is
        "04-two": "Path('begun').touch()\n"
        "other = Path('../_build/runs/01-one.part.ipynb')\n"
        "while not (other.exists() and 'ZeroDivisionError' in other.read_text()):\n    time.sleep(0.1)\n"
        "time.sleep(2)",
        "05-three": "Path('three').touch()",
    }
    flags = ("--jobs", "2", "01", "04", "05")
    done, notebooks, runs = small_book({**chapters, "05-three": "wait_for('begun')"}, "--jobs", "2", "01", "04")
    assert done.returncode == 1 and "notebooks/01-one.md failed" in done.stderr and "ZeroDivision" in done.stderr
    assert [path.stem for path in runs.glob("*.key")] == ["04-two"]
    (notebooks / "begun").unlink()
    (runs / "01-one.part.ipynb").unlink()
    done, notebooks, runs = small_book({**chapters, "04-two": f"{chapters['04-two']}\n# again"}, *flags)
    assert done.returncode == 1 and "01-one.md failed" in done.stderr
    assert [path.stem for path in runs.glob("*.key")] == ["04-two"] and not (notebooks / "three").exists()


@pytest.mark.slow
def test_a_chapter_that_is_killed_is_said_to_be(small_book):
    """The worker is gone, as when the system is out of memory."""
    chapters = {"01-one": "import signal\nos.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(30)", "04-two": ""}
    done, *_ = small_book(chapters, "--jobs", "2")
    assert done.returncode == 1 and "a chapter was killed, perhaps for want of memory" in done.stderr
    assert "--jobs 1" in done.stderr


def test_lanes_follow_cores_and_memory(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "book")
    import lanes
    import psutil

    def available(gigabytes):
        return lambda: type("Memory", (), {"available": gigabytes * 1e9})()

    monkeypatch.setattr(lanes, "cores", lambda: 2)
    monkeypatch.setattr(psutil, "virtual_memory", available(24))
    assert lanes.number_of_lanes() == 2
    monkeypatch.setattr(psutil, "virtual_memory", available(7))
    assert lanes.number_of_lanes() == 1
    monkeypatch.setattr(psutil, "virtual_memory", available(2))
    assert lanes.number_of_lanes() == 1
    monkeypatch.setattr(lanes, "cores", lambda: 64)
    monkeypatch.setattr(psutil, "virtual_memory", available(500))
    assert lanes.number_of_lanes() == lanes.MOST
