"""Units of work on workers: efficiency of two, overhead of a small job, and a plan of the whole study.

Run it with ``python tests/benchmarks/bench_cluster.py``. One worker is held against two on the same sweep of layers and
subjects, each worker with one thread; then units that do nothing tell what a unit costs. The plan puts six subjects,
five models of 35 layers and five levels on 1 to 200 workers at the measured seconds of a layer of a subject at full
size (``book/benchmarks/sweep.json``).
"""

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
N_SUBJECTS, N_MODELS, N_LEVELS, N_LAYERS = 6, 5, 5, 35
WORKERS = (1, 2, 4, 8, 16, 32, 64, 128, 200)


def nothing(k):
    """Return what came."""
    return {"k": k}


def study(n_trs=2400, n_voxels=1500, n_layers=4, dim=256):
    """Return features and responses of six subjects, and a split."""
    rng = np.random.default_rng(0)
    runs = np.arange(n_trs) // 300
    features = rng.standard_normal((n_trs, n_layers, dim)).astype(np.float32)
    bold = {str(k): rng.standard_normal((n_trs, n_voxels)).astype(np.float32) for k in range(N_SUBJECTS)}
    return features, encoding.MultiSubjectBold(bold), Split(runs == 7, runs, 1.0, [(4, 5, 6)])


def seconds_of_sweep(n_workers):
    """Return the seconds of a sweep by so many workers, after they have started and imported what they need."""
    features, bold, split = study()
    model = ridge.RidgeCV(np.logspace(0, 6, 13), cv=3, progress=False)
    with tempfile.TemporaryDirectory() as folder, connect("dask", folder=folder, n_workers=n_workers) as workers:
        workers._client.run(lambda: __import__("naturalistic.encoding.layers") and None)
        start = time.perf_counter()
        encoding.sweep_layers(features, bold, model, split, n_permutations=200, workers=workers)
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


def plan(layer_s):
    """Return hours of the sweep of the whole study by number of workers, by layers of a subject and by whole levels.

    The sweep alone: to prepare BOLD and to read the texts by models of billions of parameters is not in it.
    """
    n_levels = N_SUBJECTS * N_MODELS * N_LEVELS
    layers = [layer_s] * (n_levels * N_LAYERS)
    whole_levels = [layer_s * N_LAYERS] * n_levels
    rows = []
    for n in WORKERS:
        hours = {"hours": makespan(layers, n) / 3600, "hours_by_level": makespan(whole_levels, n) / 3600}
        rows.append({"workers": n, **hours})
    return rows


def main():
    """Measure, print and write."""
    ones, twos = [], []
    for _ in range(3):  # in turn, so that both see the same machine
        ones.append(seconds_of_sweep(1))
        twos.append(seconds_of_sweep(2))
    efficiency = min(ones) / (2 * min(twos))
    print(f"sweep of 24 units: one worker {min(ones):.1f} s, two {min(twos):.1f} s, efficiency {efficiency:.0%}")
    one, each = overhead()
    print(f"a unit that does nothing: {one * 1000:.0f} ms alone, {each * 1000:.0f} ms of many")
    measured = json.loads(SWEEP.read_text(encoding="utf-8"))
    result = {"one_s": ones, "two_s": twos, "efficiency": efficiency, "unit_s": one, "unit_of_many_s": each}
    result["plan"] = plan(measured["tenth"]["subject_s"])
    for row in result["plan"]:
        print("{workers:4d} workers: {hours:6.1f} h, whole levels as units {hours_by_level:6.1f} h".format(**row))
    OUT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
