"""How long the sweep over levels and layers takes: the whole miniature, and a tenth of a subject at full size.

Run it with ``python tests/benchmarks/bench_sweep.py [--tenth]``. The first part is chapter 12's sweep: six simulated
subjects, five levels, seven layers of MiniLM, cross-validation, test runs and 1,000 shifts each; beside it, in the
same run, the same layer with one regression for each viewer in place of one for all. ``--tenth`` adds 8,800 voxels x
29,999 s of noise with 1,280 features, memory-mapped, as one layer of one level of ds005531 after reduction; a whole
subject is extrapolated from the rate by voxel and the part that does not depend on voxels.
"""

import argparse
import json
import os
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from naturalistic import encoding
from naturalistic.datasets import narrative_movie
from naturalistic.encoding import Split
from naturalistic.features.text import language_model, levels
from naturalistic.models import ridge

ALPHAS = np.logspace(0, 6, 13)


def timed(function):
    """Result and seconds."""
    start = time.perf_counter()
    result = function()
    return result, time.perf_counter() - start


def simulated():
    """Print and return the time of the whole sweep, and of one layer done in two ways."""
    movie = narrative_movie.load()
    bold = encoding.MultiSubjectBold({s: movie.open_subject(s).bold for s in movie.subjects})
    model = ridge.RidgeCV(ALPHAS, cv=movie.folds(), progress=False)
    network = language_model.load_model()
    how = {"test": movie.is_test(), "runs": movie.run_of_tr(), "tr": movie.tr, "repeats": movie.stack_repeats}
    how |= {"delays": [(4, 5, 6)], "n_permutations": 1000}
    x, seconds = timed(lambda: {k: levels.level_features(network, movie.annotations(k)) for k in movie.levels})
    print(f"features of {len(x)} levels, {x['Story'].shape}, from text or cache: {seconds:.1f} s")
    one = x["Story"][:, 4]
    together = min(timed(lambda: encoding.sweep_layers(one, bold, model, Split(**how)))[1] for _ in range(2))
    apart = timed(lambda: [encoding.sweep_layers(one, b, model, Split(**how)) for b in bold.bold.values()])[1]
    print(f"one layer, {bold.shape[1]:,} voxels: {together:.1f} s")
    print(f"one layer, each viewer alone: {apart:.1f} s, {apart / together:.2f} x")
    seconds = timed(lambda: [encoding.sweep_layers(features, bold, model, Split(**how)) for features in x.values()])[1]
    n = sum(features.shape[1] for features in x.values())
    print(f"whole sweep, {n} layers x {len(bold.columns)} viewers, test and shifts: {seconds:.0f} s (asked: under 300)")
    return {"whole_s": seconds, "one_layer_s": together, "one_layer_apart_s": apart, "n_layers": n}


def tenth(n_voxels=8_800, n_trs=29_999, n_test=7_737, dim=1280):
    """Print and return the time of one layer for a tenth of a subject at full size, and so of the whole."""
    rng = np.random.default_rng(0)
    runs = np.minimum(np.arange(n_trs) // 698, 42)
    test = runs >= runs[n_trs - n_test]
    x = rng.standard_normal((n_trs, dim), dtype=np.float32)
    folds = np.array_split(np.flatnonzero(~test), 4)
    cv = [(np.setdiff1d(np.flatnonzero(~test), fold), fold) for fold in folds]
    model = ridge.RidgeCV(ALPHAS, cv=cv, progress=False)
    how = {"test": test, "runs": runs, "tr": 1.0, "delays": [(8, 9, 10)], "n_permutations": 1000}
    with tempfile.TemporaryDirectory() as folder:
        bold = np.lib.format.open_memmap(f"{folder}/bold.npy", "w+", np.float32, (n_trs, n_voxels))
        for a in range(0, n_trs, 1000):
            bold[a : a + 1000] = rng.standard_normal((min(1000, n_trs - a), n_voxels), dtype=np.float32)
        few = timed(lambda: encoding.sweep_layers(x, bold[:, :200], model, Split(**how)))[1]
        all_ = timed(lambda: encoding.sweep_layers(x, bold, model, Split(**how)))[1]
    rate = (all_ - few) / (n_voxels - 200)
    whole = few + rate * (10 * n_voxels - 200)
    print(f"one layer at full length, {dim} features: {few:.0f} s for 200 voxels, {all_:.0f} s for {n_voxels:,}")
    print(f"so {whole / 60:.1f} min a layer for {10 * n_voxels:,} voxels, {35 * whole / 3600:.1f} h for 5 x 7 layers")
    about = {"n_voxels": n_voxels, "n_trs": n_trs, "dim": dim, "few_s": few, "all_s": all_}
    return about | {"subject_s": whole, "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6}


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenth", action="store_true", help="also a tenth of a subject at full size: 1.1 GB of disk")
    parser.add_argument("--out", help="file for the numbers, such as book/benchmarks/sweep.json")
    asked = parser.parse_args()
    load = os.getloadavg()[0]
    print(f"load of the machine before: {load:.1f} of {os.cpu_count()} cores")
    found = {"n_cores": os.cpu_count(), "load": load, "simulated": simulated()}
    if asked.tenth:
        found["tenth"] = tenth()
    if asked.out:
        Path(asked.out).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
