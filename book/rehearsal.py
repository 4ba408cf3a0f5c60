"""A rehearsal of the full data: one subject of each data set, made at full size, and the chapters run on it.

For each data set its files are made (naturalistic_simulation.full_size), and chapters are run by the papermill command
that they print. Time, memory and disk of every step are kept; at the end book/benchmarks/rehearsal.json gets them, and
the book shows them. What is interrupted goes on where it was when it is started again: files that are whole, steps that
are done, and what a chapter had prepared in the cache are kept. One data set is there at a time: it is removed when
its chapters are done, and before the next one is made.
"""

import argparse
import datetime
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from costs import machine, measured, write

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "_build" / "rehearsal"
PUBLISHED = ROOT / "book" / "benchmarks" / "rehearsal.json"
COSTS = ("seconds", "cpu_s", "peak_mb", "disk_gb", "goes", "date")
# data set -> function that makes it, the disk that data and cache take at most, chapters and their parameters
PARTS = {
    "ds003720": {
        "make": "naturalistic_simulation.full_size:simulate_music_subject",
        "disk_gb": 16,
        "chapters": {"05-music-experiment": {}, "07-music-decoding": {}, "09-music-encoding": {}},
    },
    "ds005531": {
        "make": "naturalistic_simulation.full_size:simulate_movie_subject",
        "disk_gb": 38,
        "chapters": {
            "10-movie-experiment": {},
            "12-language-encoding": {"contexts": "[1, 4]", "n_best": 5000},
            "13-semantic-maps": {"n_components": 100, "n_best": 5000},
        },
    },
}


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="DATASET", help=f"some of {', '.join(PARTS)}; default all")
    parser.add_argument("--to", type=Path, default=FOLDER, metavar="DIR", help="folder on a disk with room")
    parser.add_argument("--keep", action="store_true", help="keep the data, and the caches of the chapters")
    asked = parser.parse_args(arguments)
    if unknown := [name for name in asked.parts if name not in PARTS]:
        parser.error(f"no data set {', '.join(unknown)}; there are {', '.join(PARTS)}")
    wanted = asked.parts or list(PARTS)
    print("disk needed, one after another: " + ", ".join(f"{name} {PARTS[name]['disk_gb']} GB" for name in wanted))
    folder = asked.to.resolve()
    for name in wanted:
        rehearse(name, PARTS[name], folder, asked.keep)
    publish(folder, PUBLISHED)


def rehearse(name, part, folder, keep=False):
    """Make a data set and run its chapters, but for those that are done; then remove it.

    Parameters
    ----------
    name : str
        Of the data set, and of the folder in which it is made.
    part : dict
        As in `PARTS`.
    folder : Path
    keep : bool
        Leave data and cache.
    """
    place = folder / name
    todo = [c for c, parameters in part["chapters"].items() if not is_done(folder, c, key_of(c, parameters))]
    if not todo:
        print(f"{name}: all chapters were run before")
        return
    step(folder, f"{name}, made", part["make"], lambda: make(part["make"], place), place, again=True)
    for chapter in todo:
        given = {"dataset": place / name, "subjects": "[1]", **part["chapters"][chapter]}
        key = key_of(chapter, part["chapters"][chapter])
        step(folder, chapter, key, lambda chapter=chapter, given=given: run(chapter, given, folder, place), place)
    if not keep:
        shutil.rmtree(place)


def make(function, place):
    """Make a data set in a process of its own, which gives its memory back."""
    module, name = function.split(":")
    code = f"import sys; from {module} import {name}; {name}(sys.argv[1])"
    if subprocess.run([sys.executable, "-c", code, str(place)]).returncode:
        sys.exit(f"{place} was not made whole; start again to go on after what is there")


def key_of(chapter, parameters):
    """Return what tells one run of a chapter from another: its code, not its prose, and its parameters."""
    notebook = json.loads((ROOT / "notebooks" / f"{chapter}.ipynb").read_text(encoding="utf-8"))
    code = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return hashlib.sha256(f"{code}{sorted(parameters.items())}".encode()).hexdigest()[:12]


def run(chapter, parameters, folder, place):
    """Run a chapter by the papermill command, as a reader would."""
    out = folder / f"{chapter}.ipynb"
    command = [Path(sys.executable).parent / "papermill", f"{chapter}.ipynb", out, "--cwd", ROOT / "notebooks"]
    for name, value in parameters.items():
        command += ["-p", name, value]
    places = {"NATURALISTIC_CACHE": str(place / "cache"), "NATURALISTIC_RESULTS": str(folder / "results")}
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run([str(word) for word in command], cwd=ROOT / "notebooks", env={**os.environ, **places})
    if done.returncode:
        sys.exit(f"{chapter} failed; what ran is in {out}. Start again to go on after what is done")


def step(folder, name, key, work, place, again=False):
    """Do a step and keep what it cost; one that is done is left alone, or looked at ``again`` at no cost."""
    if is_done(folder, name, key):
        if again:
            work()
        return
    goes = steps_of(folder).get(name, {}).get("goes", 0) + 1
    keep_step(folder, name, {"goes": goes})
    print(f"{name} ...", flush=True)
    with measured() as cost:
        work()
    today = datetime.date.today().isoformat()
    cost |= {"disk_gb": round(size_of(place) / 1e9, 1), "goes": goes, "date": today, "key": key}
    keep_step(folder, name, cost)
    memory = f"{cost['peak_mb'] / 1000:.1f} GB of memory, " if cost["peak_mb"] else ""
    print(f"{name}: {cost['seconds']:.0f} s, {memory}{cost['disk_gb']:.1f} GB on disk", flush=True)


def steps_of(folder):
    """Return what is known of the steps so far, by name."""
    path = folder / "steps.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def is_done(folder, name, key):
    """Say whether a step was done to its end, as it is asked for now."""
    return steps_of(folder).get(name, {}).get("key") == key


def keep_step(folder, name, cost):
    """Write down a step, whole or not at all."""
    write(folder / "steps.json", steps_of(folder) | {name: cost})


def size_of(folder):
    """Return the bytes that the files of a folder take on the disk."""
    return sum(512 * path.stat().st_blocks for path in Path(folder).rglob("*") if path.is_file())


def publish(folder, to, parts=PARTS):
    """Write the table of all steps for the book; those that were not done again stay as they were published.

    Parameters
    ----------
    folder : Path
    to : Path
    parts : dict
        As `PARTS`.
    """
    before = json.loads(to.read_text(encoding="utf-8")) if to.is_file() else {"steps": {}, "results": {}}
    steps, rows, found = steps_of(folder), {}, {}
    for name, part in parts.items():
        for row in (f"{name}, made", *part["chapters"]):
            if "seconds" in steps.get(row, {}):
                rows[row] = {key: steps[row].get(key) for key in COSTS}
                if row in part["chapters"]:
                    rows[row]["parameters"] = part["chapters"][row]
                    found[row] = json.loads((folder / "results" / f"{row}.json").read_text(encoding="utf-8"))
            elif row in before["steps"]:
                rows[row] = before["steps"][row]
                found |= {row: before["results"][row]} if row in before["results"] else {}
            else:
                print(f"not published: {row} is not done yet")
                return
    write(to, {"machine": machine(), "steps": rows, "results": found})
    print(f"published: {to.name}")


if __name__ == "__main__":
    main()
