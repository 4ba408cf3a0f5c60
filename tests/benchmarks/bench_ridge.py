"""The ridge engine against himalaya, scikit-learn and a plain per-fold SVD ridge: same folds, alphas and scoring.

Every solver runs in a process of its own, on the same made data, in float32 with its default batches (but see the
report case). Printed:
wall and processor seconds of the fit, peak memory over what was there before it (inputs not counted), the share
of targets with our alpha, the ratio to ours; for ours also the matrix-product operations and their rate, as a
share of the rate of a large product measured in the same process. On a machine that others use, the ratio of
processor seconds on one thread is the one to trust.

    python tests/benchmarks/bench_ridge.py --case tall --threads 1 --quick
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

import numpy as np

CASES = {
    "tall": dict(n=6000, p=[1024], t=20000, alphas=np.logspace(0, 6, 10), folds=5, expected=5.0),
    # himalaya's default, all targets at once, needs more than 20 GB here: 5,000 at a time is what a user would choose
    "report": dict(
        n=8000, p=[1280], t=20000, alphas=np.logspace(-12, 12, 25), folds=4, expected=12.0, himalaya_batch=5000
    ),
    "wide": dict(n=3000, p=[3072], t=20000, alphas=np.logspace(0, 6, 10), folds=5, expected=1.5),
    "banded": dict(n=3000, p=[512] * 3, t=10000, alphas=np.logspace(0, 6, 10), folds=5, draws=20, expected=3.0),
    "rois": dict(
        n=1920,
        p=np.linspace(60, 700, 150).astype(int).tolist(),
        t=128,
        alphas=np.logspace(0, 6, 12),
        folds=5,
        expected=5.0,
    ),
}
PEERS = {
    "ridge": [
        "ours",
        "RidgeCV-torch",
        "RidgeCV-numpy",
        "KernelRidgeCV-torch",
        "KernelRidgeCV-numpy",
        "scikit-learn",
        "svd",
    ],
    "banded": [
        "ours",
        "GroupRidgeCV-torch",
        "GroupRidgeCV-numpy",
        "MultipleKernelRidgeCV-torch",
        "MultipleKernelRidgeCV-numpy",
    ],
}
TIMEOUT = 900  # s: a peer that takes longer is left out, and the table says so


def make_data(case, scale):
    """Return features (list), targets, fold number of each sample; ``scale`` shrinks the number of targets."""
    rng = np.random.default_rng(0)
    n, t = case["n"], max(16, int(case["t"] * scale))
    Xs = [rng.standard_normal((n, p), dtype=np.float32) for p in case["p"]]
    if case is CASES["rois"]:
        Xs = Xs[:: max(1, round(1 / scale))]
        t = case["t"]
    Y = rng.standard_normal((n, t), dtype=np.float32)
    for X in Xs[:3]:
        Y += (X @ rng.standard_normal((X.shape[1], t), dtype=np.float32)) * rng.uniform(0, 0.1, t).astype(np.float32)
    return Xs, Y, np.arange(n) * case["folds"] // n


def run_ours(case, Xs, Y, fold):
    """Fit our estimator; return the alphas chosen and the scores (n_alphas, n_targets), a row and an array a model."""
    from naturalistic.models.banded import BandedRidgeCV
    from naturalistic.models.ridge import RidgeCV, fit_many

    options = dict(alphas=case["alphas"], cv=case["folds"], progress=False)
    if "draws" in case:
        model = BandedRidgeCV(n_draws=case["gammas"], **options)
        return [model.fit({str(k): X for k, X in enumerate(Xs)}, Y, groups=fold).alphas_], None
    models = fit_many(RidgeCV(**options), Xs, Y, groups=fold) if len(Xs) > 1 else [RidgeCV(**options)]
    if len(Xs) == 1:
        models[0].fit(Xs[0], Y, groups=fold)
    return [model.alphas_ for model in models], np.concatenate([model.cv_scores_ for model in models], axis=1)


def run_himalaya(peer, case, Xs, Y, fold):
    """Fit one of himalaya's estimators and return the alphas chosen, one row a model."""
    from himalaya import kernel_ridge, ridge
    from himalaya.backend import set_backend
    from himalaya.scoring import correlation_score
    from sklearn.model_selection import PredefinedSplit

    name, backend = peer.split("-")
    backend = set_backend(backend)
    cv, alphas = PredefinedSplit(fold), case["alphas"].astype(np.float32)
    options = dict(score_func=correlation_score, n_targets_batch=case.get("himalaya_batch"))
    if name in ("GroupRidgeCV", "MultipleKernelRidgeCV"):
        gammas = backend.asarray(case["gammas"].astype(np.float32))
        options.update(n_iter=gammas, alphas=alphas, progress_bar=False)
        if name == "GroupRidgeCV":
            model = ridge.GroupRidgeCV(groups="input", solver_params=options, cv=cv, fit_intercept=True)
            model.fit(Xs, Y)
        else:
            Xs = [X - X.mean(0) for X in Xs]
            kernels = np.stack([X @ X.T for X in Xs])
            model = kernel_ridge.MultipleKernelRidgeCV(
                kernels="precomputed", solver_params=options, cv=cv, fit_intercept=True
            )
            model.fit(kernels, Y)
        return [np.exp(-np.log(np.exp(backend.to_numpy(model.deltas_).astype(np.float64)).sum(0)))]
    chosen = []
    for X in Xs:
        if name == "RidgeCV":
            model = ridge.RidgeCV(alphas=alphas, cv=cv, fit_intercept=True, solver_params=dict(options, warn=False))
        else:
            model = kernel_ridge.KernelRidgeCV(alphas=alphas, cv=cv, fit_intercept=True, solver_params=options)
        model.fit(X, Y)
        chosen.append(backend.to_numpy(model.best_alphas_))
    return chosen


def run_sklearn(case, Xs, Y, fold):
    """Ridge by scikit-learn, which has no alpha a target over folds: a fit a fold and alpha, then one of all alphas."""
    from sklearn.linear_model import Ridge

    chosen = []
    for X in Xs:
        scores = np.zeros((len(case["alphas"]), Y.shape[1]))
        for k in range(case["folds"]):
            train, test = fold != k, fold == k
            measured = Y[test] - Y[test].mean(axis=0)
            for row, alpha in enumerate(case["alphas"]):
                predicted = Ridge(alpha).fit(X[train], Y[train]).predict(X[test])
                predicted -= predicted.mean(axis=0)
                norms = np.linalg.norm(predicted, axis=0) * np.linalg.norm(measured, axis=0)
                scores[row] += np.einsum("ij,ij->j", predicted, measured) / norms
        best = case["alphas"][scores.argmax(axis=0)]
        for alpha in np.unique(best):  # an array of alphas would factor a matrix for each target
            Ridge(alpha).fit(X, Y[:, best == alpha])
        chosen.append(best)
    return chosen


def run_svd(case, Xs, Y, fold):
    """Ridge as one would write it in an afternoon: an SVD a fold, a prediction an alpha; torch, float32."""
    import torch

    chosen = []
    for X in Xs:
        x, y = torch.as_tensor(X), torch.as_tensor(Y)
        scores = torch.zeros(len(case["alphas"]), y.shape[1])
        for k in range(case["folds"]):
            train, test = torch.as_tensor(fold != k), torch.as_tensor(fold == k)
            x_mean, y_mean = x[train].mean(0), y[train].mean(0)
            U, s, Vt = torch.linalg.svd(x[train] - x_mean, full_matrices=False)
            UY, Z = U.T @ (y[train] - y_mean), (x[test] - x_mean) @ Vt.T
            truth = y[test] - y[test].mean(0)
            truth /= truth.norm(dim=0)
            for a, alpha in enumerate(case["alphas"]):
                guess = (Z * (s / (s**2 + float(alpha)))) @ UY
                guess -= guess.mean(0)
                scores[a] += (guess * truth).sum(0) / guess.norm(dim=0)
        best = scores.argmax(0)
        U, s, Vt = torch.linalg.svd(x - x.mean(0), full_matrices=False)
        UY = U.T @ (y - y.mean(0))
        shrink = s[:, None] / (s[:, None] ** 2 + torch.as_tensor(case["alphas"], dtype=torch.float32)[best])
        _ = Vt.T @ (shrink * UY)
        chosen.append(case["alphas"][best.numpy()])
    return chosen


class Memory(threading.Thread):
    """Samples the resident memory of this process; `peak` is the largest, in GB over the first."""

    def __init__(self):
        super().__init__(daemon=True)
        self.first, self.peak, self.stopped = self.now(), 0.0, threading.Event()

    @staticmethod
    def now():
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e9

    def run(self):
        while not self.stopped.wait(0.02):
            self.peak = max(self.peak, self.now() - self.first)


def product_rate():
    """Return GFLOP/s of a float32 matrix product, by wall and by processor time."""
    import torch

    a = torch.randn(2048, 2048)
    a @ a
    wall, cpu, k = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - wall < 1:
        a @ a
        k += 1
    flops = k * 2 * 2048**3 / 1e9
    return flops / (time.perf_counter() - wall), flops / (time.process_time() - cpu)


def count_products(case, Xs, Y, fold):
    """Return the GFLOP of our engine's matrix products, from a second fit that is not timed."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    torch.set_num_threads(1)  # the counter sees its own thread only
    with FlopCounterMode(display=False) as counter:
        run_ours(case, Xs, Y, fold)
    return counter.get_total_flops() / 1e9


def work(args):
    """Run one solver on one case in this process and write what was measured."""
    import torch

    torch.set_num_threads(args.threads)
    warnings.filterwarnings("ignore")
    case = CASES[args.case]
    Xs, Y, fold = make_data(case, args.scale)
    if "draws" in case:
        from naturalistic.models.banded import draw_gammas

        case["gammas"] = draw_gammas(case["draws"], len(Xs), seed=0)
    warm_up(args.worker, case)
    rate, cpu_rate = product_rate()
    memory = Memory()
    memory.start()
    wall, cpu = time.perf_counter(), time.process_time()
    chosen, scores = run(args.worker, case, Xs, Y, fold)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    memory.stopped.set()
    np.save(args.out + ".npy", np.concatenate(chosen))
    if scores is not None:
        np.save(args.out + ".scores.npy", scores)
    out_size = 4 * Y.shape[1] * sum(X.shape[1] for X in Xs) / 1e9
    gflop = count_products(case, Xs, Y, fold) if args.worker == "ours" else 0
    result = dict(
        seconds=wall,
        cpu_seconds=cpu,
        peak_gb=memory.peak,
        outputs_gb=out_size,
        product_rate=rate,
        product_rate_cpu=cpu_rate,
        gflop=gflop,
    )
    Path(args.out).write_text(json.dumps(result))


def run(peer, case, Xs, Y, fold):
    """Fit ``peer`` and return the alphas chosen, one row a model, and the scores if it is ours."""
    if peer == "ours":
        return run_ours(case, Xs, Y, fold)
    if peer in OTHERS:
        return OTHERS[peer](case, Xs, Y, fold), None
    return run_himalaya(peer, case, Xs, Y, fold), None


def as_good(chosen, scores, alphas):
    """Return the share of targets for which the alphas ``chosen`` by a peer score within 1e-6 of the best."""
    number = np.abs(np.log(chosen)[:, None] - np.log(alphas)).argmin(axis=1)
    return float((scores.max(axis=0) - scores[number, np.arange(len(number))] < 1e-6).mean())


OTHERS = {"scikit-learn": run_sklearn, "svd": run_svd}


def warm_up(peer, case):
    """Fit something tiny first, so that imports and thread pools are not timed."""
    rng = np.random.default_rng(1)
    small = [rng.standard_normal((60, 8)).astype(np.float32) for _ in case["p"][:3]]
    run(
        peer,
        case,
        small,
        rng.standard_normal((60, 5)).astype(np.float32),
        np.arange(60) * case["folds"] // 60,
    )


def measure(name, peer, args):
    """Run one solver in a subprocess; return what it measured with the alphas chosen, or why there is nothing."""
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "result.json")
        command = [
            sys.executable,
            __file__,
            "--worker",
            peer,
            "--case",
            name,
            "--threads",
            str(args.threads),
            "--scale",
            str(args.scale),
            "--out",
            out,
        ]
        command += ["--draws", str(args.draws)] if args.draws else []
        env = dict(
            os.environ,
            OMP_NUM_THREADS=str(args.threads),
            OPENBLAS_NUM_THREADS=str(args.threads),
            MKL_NUM_THREADS=str(args.threads),
        )
        try:
            done = subprocess.run(command, env=env, timeout=TIMEOUT, capture_output=True, text=True)
        except subprocess.TimeoutExpired:
            return {"left_out": f"longer than {TIMEOUT} s"}
        if done.returncode:
            return {"left_out": (done.stderr.strip().splitlines() or ["killed"])[-1][:200]}
        result = dict(json.loads(Path(out).read_text()), chosen=np.load(out + ".npy"))
        if Path(out + ".scores.npy").exists():
            result["scores"] = np.load(out + ".scores.npy")
        return result


def compare(name, args):
    """Print the table of one case and return it."""
    case = CASES[name]
    peers = PEERS["banded" if "draws" in case else "ridge"]
    if args.peers:
        peers = ["ours"] + [peer for peer in peers if peer in args.peers.split(",")]
    p = sorted(set(case["p"]))
    shape = f"{len(case['p'])} x {p[0]}" + (f"..{p[-1]}" if len(p) > 1 else "")
    t = case["t"] if name == "rois" else int(case["t"] * args.scale)
    print(
        f"\n{name}: n {case['n']}, p {shape}, t {t}, scale {args.scale}, "
        f"{len(case['alphas'])} alphas, {case['folds']} folds, {args.threads} threads",
        flush=True,
    )
    print(
        f"{'':30}{'wall s':>9}{'cpu s':>9}{'peak GB':>9}{'x wall':>8}{'x cpu':>8}{'same alpha':>12}{'as good':>9}",
        flush=True,
    )
    table = {peer: measure(name, peer, args) for peer in peers[:1]}
    ours = dict(table["ours"])
    for peer in peers:
        row = table[peer] = table.get(peer) or measure(name, peer, args)
        if "left_out" in row or "left_out" in ours:
            print(f"{peer:30}  left out: {row.get('left_out', 'nothing to compare with')}", flush=True)
            continue
        print_row(peer, rate(row, ours, case["alphas"]))
    found = [r for p, r in table.items() if p not in ("ours", *OTHERS) and "ratio" in r]
    if found:
        best = {key: min(r[key] for r in found) for key in ("ratio", "cpu_ratio")}
        print(
            f"himalaya's best: {best['ratio']:.1f} x by wall, {best['cpu_ratio']:.1f} x by processor time; expected "
            f"{case['expected']} x",
            flush=True,
        )
        table["himalaya_best"] = best
    return table


def rate(row, ours, alphas):
    """Add to what a solver measured how it compares with ours; its arrays are taken out."""
    chosen = row.pop("chosen")
    row.pop("scores", None)
    row["same_alpha"] = float(np.isclose(np.log(chosen), np.log(ours["chosen"]), atol=1e-3).mean())
    row["as_good"] = as_good(chosen, ours["scores"], alphas) if "scores" in ours else row["same_alpha"]
    row["ratio"] = row["seconds"] / ours["seconds"]
    row["cpu_ratio"] = row["cpu_seconds"] / ours["cpu_seconds"]
    return row


def print_row(peer, row):
    """Print one line of the table, and for ours a second one with the rate of its matrix products."""
    print(
        f"{peer:30}{row['seconds']:9.1f}{row['cpu_seconds']:9.1f}{row['peak_gb']:9.2f}{row['ratio']:8.1f}"
        f"{row['cpu_ratio']:8.1f}{row['same_alpha']:12.4f}{row['as_good']:9.4f}",
        flush=True,
    )
    if peer == "ours":
        share = row["gflop"] / row["cpu_seconds"] / row["product_rate_cpu"]
        print(
            f"{'':30}{row['gflop']:.0f} GFLOP of products, {row['gflop'] / row['seconds']:.0f} GFLOP/s, {share:.0%} of "
            f"the product rate a processor second ({row['product_rate_cpu']:.0f} GFLOP/s); outputs "
            f"{row['outputs_gb']:.2f} GB",
            flush=True,
        )


def summarise(table):
    """Return one row of the book's table: ours beside the fastest of himalaya's solvers."""
    ours = table["ours"]
    others = ("ours", "himalaya_best", *OTHERS)
    best = min((r for p, r in table.items() if p not in others and "ratio" in r), key=rank)
    return {
        "ours (s)": ours["seconds"],
        "himalaya (s)": best["seconds"],
        "times faster": best["ratio"],
        "ours (GB)": ours["peak_gb"],
        "himalaya (GB)": best["peak_gb"],
        "outputs (GB)": ours["outputs_gb"],
        "GFLOP/s": ours["gflop"] / ours["seconds"],
        "of the product rate": ours["gflop"] / ours["seconds"] / ours["product_rate"],
        "same alpha": best["same_alpha"],
        "as good": best["as_good"],
    }


def rank(row):
    """Order solvers by wall seconds."""
    return row["seconds"]


def machine():
    """Name the processor and count its cores."""
    names = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores"


def main():
    """Parse the command line; run one solver, or all on the chosen cases."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", choices=[*CASES, "all"], default="all")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--quick", action="store_true", help="a tenth of the targets (or of the ROIs)")
    parser.add_argument("--scale", type=float, default=None, help="share of the targets (or of the ROIs)")
    parser.add_argument("--draws", type=int, help="draws of the banded case (20)")
    parser.add_argument("--peers", help="only these, by comma")
    parser.add_argument("--out", default="_build/results/bench-ridge.json")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.draws:
        CASES["banded"]["draws"] = args.draws
    args.scale = args.scale or (0.1 if args.quick else 1.0)
    if args.worker:
        return work(args)
    names = list(CASES) if args.case == "all" else [args.case]
    tables = {name: compare(name, args) for name in names}
    out = Path(args.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    report = dict(
        machine=machine(),
        threads=args.threads,
        scale=args.scale,
        summary={name: summarise(table) for name, table in tables.items() if "himalaya_best" in table},
        cases=tables,
    )
    out.write_text(json.dumps(report, indent=1))
    return None


if __name__ == "__main__":
    main()
