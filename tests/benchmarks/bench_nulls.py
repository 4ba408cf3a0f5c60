"""Nulls of a real subject: 1,000 permutations of 60,000 voxels x 7,716 s, in ten runs of odd lengths.

Run it with ``OMP_NUM_THREADS=2 python tests/benchmarks/bench_nulls.py [--voxels 60000] [--permutations 1000]``. Both
arrays are float32, 1.8 GB each, made before the clock starts. Against the plain ways, timed in this process on some
permutations or a share of the voxels and scaled up (marked *): roll and correlate, permutation by permutation; and one
FFT a run in float64, as long as the run, on one thread. The target is a minute for all shifts on two cores.
"""

import argparse
import os
import resource
import time

import numpy as np
from naturalistic.inference import block_permutation_null, circular_shift_null, draw_shifts
from naturalistic.models.scoring import correlation, unit_columns
from naturalistic.runs import run_slices
from scipy import fft
from threadpoolctl import threadpool_info

LENGTHS = (769, 604, 660, 851, 734, 1271, 607, 808, 732, 680)  # s; test runs of ds005531 are like these
BLOCK = 50  # TRs


def smooth_noise(n_trs, n_voxels, seed):
    """Return smooth noise, float32 (n_trs, n_voxels), made without a float64 copy."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n_trs, n_voxels), dtype=np.float32)
    for t in range(1, n_trs):
        x[t] += np.float32(0.6) * x[t - 1]
    return x


def plain(Y, Y_hat, runs, shifts):
    """Return the null by a roll and a correlation for each permutation."""
    null = []
    for row in shifts:
        moved = np.concatenate([np.roll(Y_hat[s], k, axis=0) for s, k in zip(run_slices(runs), row)])
        null.append(correlation(Y, moved))
    return np.stack(null)


def unpadded(Y, Y_hat, runs, shifts):
    """Return the null by one FFT a run in float64, of the run's own length."""
    measured, predicted = unit_columns(Y)[0], unit_columns(Y_hat)[0]
    r = np.zeros((len(shifts), Y.shape[1]))
    for s, shift in zip(run_slices(runs), shifts.T):
        spectrum = fft.rfft(measured[s], axis=0) * fft.rfft(predicted[s], axis=0).conj()
        r += fft.irfft(spectrum, n=s.stop - s.start, axis=0)[shift]
    return r


def timed(function):
    """Return the result, wall seconds and processor seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = function()
    return result, time.perf_counter() - wall, time.process_time() - cpu


def report(name, wall, cpu, ours=None):
    """Print one line."""
    ratio = "" if ours is None else f"{wall / ours:8.1f} x"
    print(f"{name:52} {wall:9.1f} s wall {cpu:9.1f} s CPU {ratio}", flush=True)


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--voxels", type=int, default=60_000)
    parser.add_argument("--permutations", type=int, default=1000)
    options = parser.parse_args()
    n_voxels, n = options.voxels, options.permutations
    runs = np.repeat(np.arange(len(LENGTHS)), LENGTHS)
    load = os.getloadavg()[0]
    Y, Y_hat = (smooth_noise(len(runs), n_voxels, seed) for seed in (0, 1))
    threads = max(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
    print(
        f"{n_voxels:,} voxels x {len(runs):,} s, {len(LENGTHS)} runs, float32; {n:,} permutations, {threads} thread(s)"
    )
    print(f"load of the machine before: {load:.1f} of {os.cpu_count()} cores; * scaled up")
    null, ours, cpu = timed(lambda: circular_shift_null(Y, Y_hat, runs, n, 1))
    report("circular_shift_null", ours, cpu)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"  peak memory so far {peak:.1f} GiB, {(Y.nbytes + Y_hat.nbytes) / 2**30:.1f} of them data")
    shifts = draw_shifts(runs, n, 1)
    few, wall, cpu = timed(lambda: plain(Y, Y_hat, runs, shifts[:2]))
    report("roll and correlate, permutation by permutation *", wall * n / 2, cpu * n / 2, ours)
    columns = slice(0, max(1, n_voxels // 100))
    part, wall, cpu = timed(lambda: unpadded(Y[:, columns], Y_hat[:, columns], runs, shifts))
    share = n_voxels / part.shape[1]
    report("FFT of each run's length, float64, one thread *", wall * share, cpu * share, ours)
    off = max(np.abs(null[:2] - few).max(), np.abs(null[:, columns] - part).max())
    print(f"  no r is farther than {off:.1e} from these two")
    del null
    _, ours, cpu = timed(lambda: block_permutation_null(Y, Y_hat, runs, BLOCK, n))
    report(f"block_permutation_null, {BLOCK} TRs a block", ours, cpu)
    rows = block_permutation_null(
        Y[:, columns], Y_hat[:, columns], runs, BLOCK, 20, score=lambda a, b: correlation(a, b)
    )
    _, wall, cpu = timed(lambda: block_permutation_null(Y, Y_hat, runs, BLOCK, 2, score=lambda a, b: correlation(a, b)))
    report("the same, permutation by permutation *", wall * n / 2, cpu * n / 2, ours)
    again = block_permutation_null(Y[:, columns], Y_hat[:, columns], runs, BLOCK, 20)
    print(f"  no r is farther than {np.abs(rows - again).max():.1e} from these")


if __name__ == "__main__":
    main()
