"""Data that all processes of a run share, made once."""

import contextlib
import os

try:
    import fcntl
except ImportError:  # Windows has no such lock; there two processes may make the same data twice
    fcntl = None

CHAPTERS = "cache of chapters"


def write_once(tmp_path_factory, name, make):
    """Return the folder that ``make(folder)`` makes, once for all processes of a run: a second one waits."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base  # each process has its own below it
    folder = base / "made" / name
    folder.parent.mkdir(exist_ok=True)
    with open(base / f"{name}.lock", "w") if fcntl else contextlib.nullcontext() as lock:
        if fcntl:
            fcntl.flock(lock, fcntl.LOCK_EX)
        return make(folder)
