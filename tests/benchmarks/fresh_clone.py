"""What a newcomer waits for: a bare clone, its installation, all tests, the book, its pages alone, the book again.

Run it with ``python tests/benchmarks/fresh_clone.py [--to DIR] [--python PYTHON] [--out FILE]`` on a machine that does
nothing else. The clone has an empty home and nothing in its caches. The first step that fails ends it, and nothing is
written; what the steps print is in DIR/*.log.
"""

import argparse
import datetime
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
OUT = ROOT / "book" / "benchmarks" / "fresh_clone.json"
sys.path.insert(0, str(ROOT / "book"))
from costs import machine, write  # noqa: E402

# name on the page, command, and a file that is removed before it
STEPS = (
    ("install", "make .venv/installed", None),
    ("all tests, the long ones too", "make test-all TESTFLAGS=--durations=40", None),
    ("make book from nothing", "make book", None),
    ("pages alone", "make book", "_build/pages.key"),
    ("make book again", "make book", None),
    ("tests of the pages in a browser", ".venv/bin/pytest tests/project/test_browser.py", None),
)
# what would let a clone find what it should make; data that are named for tests stay
HIDDEN = ("PYTHONPATH", "NATURALISTIC_CACHE", "NATURALISTIC_RESULTS", "OMP_NUM_THREADS", "LOKY_MAX_CPU_COUNT")


def run(name, command, clone, environment, log):
    """Run a step and return its seconds and what it printed."""
    print(f"{name} ...", flush=True)
    start = time.perf_counter()
    with log.open("w") as stream:
        done = subprocess.run(command, shell=True, cwd=clone, env=environment, stdout=stream, stderr=subprocess.STDOUT)
    seconds = time.perf_counter() - start
    print(f"{name}: {seconds:.0f} s", flush=True)
    if done.returncode:
        sys.exit(f"{name} failed: see {log}")
    return round(seconds, 1), log.read_text(encoding="utf-8", errors="replace")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=Path, metavar="DIR", help="an empty or new folder; default a temporary one")
    parser.add_argument("--python", help="as in make PYTHON=...; default what make finds")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    folder = options.to.resolve() if options.to else Path(tempfile.mkdtemp())
    clone, home = folder / "clone", folder / "home"
    home.mkdir(parents=True)
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    environment = {key: value for key, value in os.environ.items() if key not in HIDDEN} | {"HOME": str(home)}
    if options.python:
        environment["PYTHON"] = options.python
    load = os.getloadavg()[0]
    steps, tests = {}, {}
    for k, (name, command, without) in enumerate(STEPS):
        if without:
            (clone / without).unlink()
        steps[name], printed = run(name, command, clone, environment, folder / f"{k}.log")
        if found := re.findall(r"(\d+ passed[^\n]*?) in [\d.]+s", printed):
            tests[name] = re.sub(r"\x1b\[\d*m", "", found[-1])
    chapters = json.loads((clone / "_build" / "results" / "build.json").read_text(encoding="utf-8"))["chapters"]
    version = subprocess.run([clone / ".venv/bin/python", "-V"], capture_output=True, text=True).stdout.split()[1]
    found = {
        "machine": machine(), "python": version, "date": datetime.date.today().isoformat(), "load": round(load, 1),
        "steps": steps, "tests": tests, "chapters_s": {name: cost["seconds"] for name, cost in chapters.items()},
    }  # fmt: skip
    write(options.out, found)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
