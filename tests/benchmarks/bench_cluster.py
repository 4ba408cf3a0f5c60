"""Units of work on workers: efficiency of two, overhead of a small job, and a plan of the whole study.

Run it with ``python tests/benchmarks/bench_cluster.py [--quick] [--out FILE]``. One worker is held against two on the
same sweep of layers and subjects, each worker with one thread; then units that do nothing tell what a unit costs. The
plan puts six subjects, five models of 35 layers and five levels on 1 to 200 workers at measured seconds: those of a
layer of a subject at full size (``book/benchmarks/sweep.json``) and of a subject's joint model, which is one unit
(``rehearsal.json``), after the sweep.
"""

import argparse
import heapq
import json
import tempfile
import time
from pathlib import Path

import numpy as np
from naturalistic import encoding
from naturalistic.cluster import connect
from naturalistic.encoding import Split
from naturalistic.models import ridge

OUT = Path(__file__).parents[2] / "book" / "benchmarks" / "cluster.json"
SWEEP = OUT.with_name("sweep.json")
REHEARSAL = OUT.with_name("rehearsal.json")
JOINT = "13-semantic-maps"  # its chapter is one joint model and its tests
N_SUBJECTS, N_MODELS, N_LEVELS, N_LAYERS = 6, 5, 5, 35
WORKERS = (1, 2, 4, 8, 16, 32, 64, 128, 200)


def nothing(k):
    """Return what came."""
    return {"k": k}


def study(n_trs=2400, n_voxels=1500, n_layers=4, dim=256):
    """Return features and responses of six subjects, and a split."""
    rng = np.random.default_rng(0)
    runs = np.arange(n_trs) * 8 // n_trs
    features = rng.standard_normal((n_trs, n_layers, dim)).astype(np.float32)
    bold = {str(k): rng.standard_normal((n_trs, n_voxels)).astype(np.float32) for k in range(N_SUBJECTS)}
    return features, encoding.MultiSubjectBold(bold), Split(runs == 7, runs, 1.0, [(4, 5, 6)])


def seconds_of_sweep(n_workers, **size):
    """Return the seconds of a sweep by so many workers, after they have started and imported what they need."""
    features, bold, split = study(**size)
    model = ridge.RidgeCV(np.logspace(0, 6, 13), cv=3, progress=False)
    with tempfile.TemporaryDirectory() as folder, connect("dask", folder=folder, n_workers=n_workers) as workers:
        workers._client.run(lambda: __import__("naturalistic.encoding.layers") and None)
        start = time.perf_counter()
        encoding.sweep_layers(features, bold, model, split, n_permutations=200, workers=workers)
        return time.perf_counter() - start


def local_seconds(**size):
    """Return the seconds of the same sweep in one process with one thread, without workers."""
    features, bold, split = study(**size)
    model = ridge.RidgeCV(np.logspace(0, 6, 13), cv=3, progress=False)
    start = time.perf_counter()
    encoding.sweep_layers(features, bold, model, split, n_permutations=200)
    return time.perf_counter() - start


def overhead(n_units=20):
    """Return seconds of one unit that does nothing, and of each of many."""
    with tempfile.TemporaryDirectory() as folder, connect("dask", folder=folder, n_workers=2) as workers:
        workers.map(nothing, [{"k": -1}])
        start = time.perf_counter()
        workers.map(nothing, [{"k": 0}])
        one = time.perf_counter() - start
        start = time.perf_counter()
        workers.map(nothing, [{"k": k} for k in range(1, n_units + 1)])
        return one, (time.perf_counter() - start) / n_units


def makespan(seconds, n_workers):
    """Return when the last of independent units ends, the longest first, each on the next free worker."""
    free = [0.0] * n_workers
    for unit in sorted(seconds, reverse=True):
        heapq.heapreplace(free, free[0] + unit)
    return max(free)


def plan(layer_s, joint_s):
    """Return a row for each number of workers: hours, share of the time that workers work, and what holds them up.

    Preparing BOLD, and reading the texts by models of billions of parameters, is not in it.

    Parameters
    ----------
    layer_s : float
        Seconds of a layer of a subject and level, a unit.
    joint_s : float
        Seconds of a subject's joint model, a unit that waits for the sweep.
    """
    n_levels = N_SUBJECTS * N_MODELS * N_LEVELS
    layers = [layer_s] * (n_levels * N_LAYERS)
    whole_levels = [layer_s * N_LAYERS] * n_levels
    joint = [joint_s] * N_SUBJECTS
    work = sum(layers) + sum(joint)
    rows = []
    for n in WORKERS:
        stages = {"the sweep": makespan(layers, n), "a subject's joint model": makespan(joint, n)}
        seconds = sum(stages.values())
        by_level = makespan(whole_levels, n) + stages["a subject's joint model"]
        # what holds up: the stage in which most of the workers' time is spent waiting
        idle = {name: n * stages[name] - sum(units) for name, units in zip(stages, (layers, joint))}
        busy = work / (n * seconds)
        held_up = "nothing: all work" if busy > 0.95 else max(idle, key=idle.get)
        hours = {"hours": seconds / 3600, "hours_by_level": by_level / 3600, "busy": busy, "bottleneck": held_up}
        rows.append({"workers": n, **hours})
    return rows


def main(arguments=None):
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a small sweep, once: only whether it runs")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args(arguments)
    size = {"n_trs": 1920, "n_voxels": 40, "n_layers": 2, "dim": 16} if options.quick else {}
    ones, twos, local = [], [], []
    for _ in range(1 if options.quick else 3):  # in turn, so that all see the same machine
        local.append(local_seconds(**size))
        ones.append(seconds_of_sweep(1, **size))
        twos.append(seconds_of_sweep(2, **size))
    efficiency = min(ones) / (2 * min(twos))
    n_units = N_SUBJECTS * study(**size)[0].shape[1]
    print(f"sweep of {n_units} units: one worker {min(ones):.1f} s, two {min(twos):.1f} s, efficiency {efficiency:.0%}")
    one, each = overhead(5 if options.quick else 20)
    print(f"a unit that does nothing: {one * 1000:.0f} ms alone, {each * 1000:.0f} ms of many")
    sweep, rehearsal = (json.loads(path.read_text(encoding="utf-8")) for path in (SWEEP, REHEARSAL))
    result = {"n_units": n_units, "local_s": local, "one_s": ones, "two_s": twos, "efficiency": efficiency}
    result |= {"unit_s": one, "unit_of_many_s": each}
    result["study"] = f"{N_SUBJECTS} subjects, {N_MODELS} models of {N_LAYERS} layers, {N_LEVELS} levels"
    result["plan"] = plan(sweep["tenth"]["subject_s"], rehearsal["steps"][JOINT]["cpu_s"])
    for row in result["plan"]:
        text = "{workers:4d} workers: {hours:6.1f} h, whole levels as units {hours_by_level:6.1f} h, {busy:.0%} busy: "
        print(text.format(**row) + row["bottleneck"])
    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
