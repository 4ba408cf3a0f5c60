"""Benchmarks on a GPU: our ridge beside himalaya and plain torch, and the models of sound, text and film by precision.

Run by ``tests/device/check.sh``. Seconds are those of a fit after a first small one, with what is asynchronous waited
for; memory is the most that torch held. ``--device cpu --quick`` runs all of it in seconds on a machine without a GPU,
so that a borrowed one is not spent on mistakes.
"""

import argparse
import functools
import json
import platform
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch

OUT = Path(__file__).parents[2] / "book" / "benchmarks" / "device.json"
CASES = {  # the first two as in bench_ridge.py, with more targets: a GPU is no help for less
    "tall": {"n": 6000, "p": 1024, "t": 40000, "alphas": np.logspace(0, 6, 10), "folds": 5},
    "report": {"n": 8000, "p": 1280, "t": 40000, "alphas": np.logspace(-12, 12, 25), "folds": 4},
    "wide": {"n": 3000, "p": 3072, "t": 40000, "alphas": np.logspace(0, 6, 10), "folds": 5},
}
SMALL = {"n": 120, "p": 16, "t": 64}
HIMALAYA_BATCH = 5000  # targets: all at once, as is its default, do not fit


def make_case(case, quick=False):
    """Return features, targets and the fold of each sample, float32."""
    case = {**case, **SMALL} if quick else case
    rng = np.random.default_rng(0)
    X = rng.standard_normal((case["n"], case["p"]), dtype=np.float32)
    Y = rng.standard_normal((case["n"], case["t"]), dtype=np.float32)
    Y += (X @ rng.standard_normal((case["p"], case["t"]), dtype=np.float32)) * np.float32(0.05)
    return X, Y, np.arange(case["n"]) * case["folds"] // case["n"]


def run_ours(case, X, Y, fold, device):
    """Return the alphas that our ridge selects, as numpy, and the scores of all (n_alphas, n_targets)."""
    from naturalistic.models.ridge import RidgeCV

    model = RidgeCV(case["alphas"], case["folds"], device=device, progress=False).fit(X, Y, groups=fold)
    return model.alphas_, model.cv_scores_


def run_himalaya(case, X, Y, fold, device):
    """Return the alphas that himalaya's ridge selects with its torch back end of the device."""
    from himalaya.backend import set_backend
    from himalaya.ridge import RidgeCV
    from himalaya.scoring import correlation_score
    from sklearn.model_selection import PredefinedSplit

    backend = set_backend("torch" if device == "cpu" else "torch_cuda")
    options = {"score_func": correlation_score, "n_targets_batch": HIMALAYA_BATCH, "warn": False}
    alphas = case["alphas"].astype(np.float32)
    model = RidgeCV(alphas, cv=PredefinedSplit(fold), fit_intercept=True, solver_params=options)
    try:
        return backend.to_numpy(model.fit(X, Y).best_alphas_)
    finally:
        set_backend("numpy")


def run_torch(case, X, Y, fold, device):
    """Return the alphas of a ridge as one writes it in an afternoon: an SVD a fold, a prediction an alpha."""
    x, y = (torch.as_tensor(part, device=device) for part in (X, Y))
    fold = torch.as_tensor(fold, device=device)
    scores = 0
    for k in range(case["folds"]):
        train, test = fold != k, fold == k
        mean, y_mean = x[train].mean(0), y[train].mean(0)
        U, s, Vt = torch.linalg.svd(x[train] - mean, full_matrices=False)
        inner = U.T @ (y[train] - y_mean)
        measured = y[test] - y[test].mean(0)
        rows = []
        for alpha in case["alphas"]:
            predicted = (x[test] - mean) @ (Vt.T @ ((s / (s**2 + alpha))[:, None] * inner))
            predicted -= predicted.mean(0)
            rows.append((predicted * measured).sum(0) / (predicted.norm(dim=0) * measured.norm(dim=0)))
        scores = scores + torch.stack(rows)
    return case["alphas"][scores.argmax(0).cpu().numpy()]


SOLVERS = {"ours": run_ours, "himalaya": run_himalaya, "plain torch": run_torch}


def measured(work, device):
    """Return what ``work()`` returns, its seconds, and the most memory of the device that torch held (GB)."""
    gpu = torch.device(device).type == "cuda"
    if gpu:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    result = work()
    if gpu:
        torch.cuda.synchronize()
    seconds = time.perf_counter() - start
    return result, seconds, torch.cuda.max_memory_allocated() / 1e9 if gpu else None


def as_good(chosen, scores, alphas):
    """Return the share of targets whose alpha scores within 1e-5 of the best; below some size all score the same."""
    number = np.abs(np.log(chosen)[:, None] - np.log(alphas)).argmin(axis=1)
    return float((scores.max(axis=0) - scores[number, np.arange(len(number))] < 1e-5).mean())


def compare_ridge(device, quick=False, cases=CASES):
    """Return a row for each case and solver: seconds, memory, times ours, share of alphas as good."""
    rows = []
    for name, case in cases.items():
        small = make_case(case, quick=True)
        data = make_case(case, quick)
        ours = None
        for solver, run in SOLVERS.items():
            row = {"case": name, "solver": solver}
            try:
                run(case, *small, device)  # imports, thread pools and kernels are not timed
                alphas, seconds, memory = measured(functools.partial(run, case, *data, device), device)
            except Exception as error:  # one that fails is told, and the others are still measured
                rows.append({**row, "left_out": f"{type(error).__name__}: {error}"[:200]})
                continue
            if ours is None and solver != "ours":
                rows.append({**row, "left_out": "ours failed: nothing to compare with"})
                continue
            if solver == "ours":
                alphas, scores = alphas
                ours = seconds
            good = as_good(alphas, scores, case["alphas"])
            rows.append({**row, "seconds": seconds, "gb": memory, "ratio": seconds / ours, "as_good": good})
    return rows


def compare_precisions(device, quick=False):
    """Return a row for each model and number format: seconds, and the largest error beside float32."""
    from naturalistic.features import text

    sentences = [f"line {k}: the moon shines on the roof, and a dog barks" for k in range(6 if quick else 4000)]
    formats = ("float32", "bfloat16", *(("float16",) if torch.device(device).type == "cuda" else ()))
    rows = []
    exact = None
    for dtype in formats:
        model = text.load_model("minilm", device=device, dtype=dtype)
        work = functools.partial(text.sentence_vectors, sentences, model)
        work()
        vectors, seconds, memory = measured(work, device)
        exact = vectors if exact is None else exact
        error = float(np.abs(vectors - exact).max() / np.abs(exact).max())
        rows.append({"model": "minilm", "dtype": dtype, "seconds": seconds, "gb": memory, "error": error})
    return rows


def describe(device):
    """Name the device and the versions that ran on it."""
    gpu = torch.device(device).type == "cuda"
    name = torch.cuda.get_device_name(device) if gpu else f"no GPU: {platform.machine()}"
    return {"device": name, "torch": torch.__version__, "cuda": torch.version.cuda if gpu else None}


def print_table(result):
    """Print all rows, one a line."""
    print(f"\n{result['device']}, torch {result['torch']}")
    print(f"{'case':10}{'solver':14}{'seconds':>9}{'GB':>7}{'x ours':>8}{'as good':>12}")
    for row in result["ridge"]:
        if "left_out" in row:
            print(f"{row['case']:10}{row['solver']:14}left out: {row['left_out']}")
            continue
        memory = "-" if row["gb"] is None else f"{row['gb']:.2f}"
        figures = f"{row['seconds']:9.2f}{memory:>7}{row['ratio']:8.1f}{row['as_good']:12.4f}"
        print(f"{row['case']:10}{row['solver']:14}{figures}")
    print(f"{'model':10}{'format':14}{'seconds':>9}{'error':>10}")
    for row in result["precisions"]:
        print(f"{row['model']:10}{row['dtype']:14}{row['seconds']:9.2f}{row['error']:10.1e}")
    tests = result.get("tests")
    if tests:
        print("tests on the device: " + ", ".join(f"{n} {kind}" for kind, n in tests.items()))


def outcomes(path):
    """Return how many tests passed, failed and were skipped, from pytest's JUnit file."""
    import xml.etree.ElementTree as ET

    suite = ET.parse(path).getroot().find("testsuite")
    n = {key: int(suite.get(key)) for key in ("tests", "failures", "errors", "skipped")}
    failed = n["failures"] + n["errors"]
    return {"passed": n["tests"] - failed - n["skipped"], "failed": failed, "skipped": n["skipped"]}


def main(arguments=None):
    """Measure, write, and print the table last."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda", help="cuda, or cpu to try the way")
    parser.add_argument("--quick", action="store_true", help="tiny arrays: only whether it runs")
    parser.add_argument("--tests", type=Path, metavar="FILE", help="JUnit file of the tests on the device")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args(arguments)
    warnings.filterwarnings("ignore")
    result = {**describe(options.device), "quick": options.quick}
    result["ridge"] = compare_ridge(options.device, options.quick)
    result["precisions"] = compare_precisions(options.device, options.quick)
    if options.tests is not None and options.tests.is_file():
        result["tests"] = outcomes(options.tests)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=options.out.parent, suffix=".part", delete=False) as part:
        part.write(json.dumps(result, indent=1) + "\n")
    Path(part.name).chmod(0o644)
    Path(part.name).replace(options.out)
    print_table(result)


if __name__ == "__main__":
    main()
