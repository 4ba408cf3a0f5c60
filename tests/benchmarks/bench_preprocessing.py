"""The running median and the motion estimate against their peers, on the same made data in one process.

Median: 400 TRs x 60,000 voxels, float32, window 161 (peers are timed on a share of the voxels and scaled up).
Motion: volumes of the made head under known motion; ours (estimate only) and SimpleITK's registration with four
of its optimisers, one thread each. Ratios are what to trust on a machine that others use.

    python tests/benchmarks/bench_preprocessing.py --size 8 --volumes 40
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from naturalistic.preprocessing import brain_mask, correct_motion, estimate_motion, running_median
from naturalistic.preprocessing.registration import TO_LPS, _image
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.helpers.simulated_head import CENTRE, drifting, grid, image, rigid

N_TRS, N_VOXELS, WINDOW = 400, 60000, 161
HALF = WINDOW // 2


def median_peers():
    """Return the ways to a running median, each with the share of the voxels it is timed on."""

    def flat(bold):
        mirrored = np.pad(bold.T, ((0, 0), (HALF, HALF)), mode="symmetric")
        return ndimage.median_filter(mirrored.ravel(), size=WINDOW).reshape(mirrored.shape)

    peers = {
        "ours": (lambda bold: running_median(bold, 1.5), 1.0),
        "scipy, columns in a row": (flat, 0.1),
        "scipy, image": (lambda bold: ndimage.median_filter(bold, size=(WINDOW, 1)), 0.01),
    }
    try:
        import bottleneck

        peers["bottleneck"] = (lambda bold: bottleneck.move_median(bold.T.copy(), WINDOW, min_count=1), 0.1)
    except ImportError:
        print("bottleneck is not installed: left out")
    try:
        import pandas

        peers["pandas"] = (
            lambda bold: pandas.DataFrame(bold).rolling(WINDOW, center=True, min_periods=1).median(),
            0.01,
        )
    except ImportError:
        print("pandas is not installed: left out")
    return peers


def best_of(function, repeats=3):
    """Return the smallest wall seconds of ``repeats`` calls, and what the last one gave."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = function()
        seconds.append(time.perf_counter() - start)
    return min(seconds), result


def compare_medians():
    """Print seconds for the whole run, and ratios to ours."""
    bold = 1000 + np.random.default_rng(0).standard_normal((N_TRS, N_VOXELS), dtype=np.float32) * 10
    print(f"running median, {N_TRS} x {N_VOXELS}, window {WINDOW}\n{'':32}{'s':>9}{'x ours':>9}")
    ours = None
    for name, (function, share) in median_peers().items():
        part = np.ascontiguousarray(bold[:, : int(N_VOXELS * share)])
        seconds = best_of(lambda function=function, part=part: function(part))[0] / share
        ours = ours or seconds
        print(f"{name:32}{seconds:9.2f}{seconds / ours:9.1f}", flush=True)


def itk_motion(volumes, reference, affine, brain, optimiser, share):
    """Estimate motion with SimpleITK: mean squares over a regular ``share`` of the brain's voxels, one level."""
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMeanSquares()
    method.SetMetricSamplingStrategy(method.REGULAR)
    method.SetMetricSamplingPercentage(share, 1)
    method.SetMetricFixedMask(sitk.Cast(_image(ndimage.binary_dilation(brain), affine), sitk.sitkUInt8))
    method.SetInterpolator(sitk.sitkLinear)
    method.SetShrinkFactorsPerLevel([1])
    method.SetSmoothingSigmasPerLevel([0])
    {
        "gradient": lambda: method.SetOptimizerAsRegularStepGradientDescent(1.0, 0.01, 100, 0.5, 1e-6),
        "conjugate gradient": lambda: method.SetOptimizerAsConjugateGradientLineSearch(1.0, 20, 1e-5, 5),
        "L-BFGS": lambda: method.SetOptimizerAsLBFGS2(1e-4, 30),
        "Powell": lambda: method.SetOptimizerAsPowell(10, 20, 0.1, 0.01, 0.001),
    }[optimiser]()
    if optimiser == "Powell":  # it asks for no gradient, and so has no scales of its own
        method.SetOptimizerScales([80, 80, 80, 1, 1, 1])
    else:
        method.SetOptimizerScalesFromPhysicalShift()
    fixed, last, found = _image(reference, affine), [0.0] * 6, []
    for volume in np.moveaxis(volumes, -1, 0):
        transform = sitk.Euler3DTransform()
        transform.SetComputeZYX(True)
        transform.SetCenter((TO_LPS[:3, :3] @ CENTRE).tolist())
        transform.SetParameters(last)
        method.SetInitialTransform(transform, inPlace=True)
        method.Execute(fixed, _image(volume, affine))
        last = transform.GetParameters()
        found.append(last)
    found = np.array(found) * [-1, -1, 1, -1, -1, 1]
    return found[:, [3, 4, 5, 0, 1, 2]]


def compare_motion(size, n_volumes):
    """Print milliseconds a volume, ratios to ours, and the largest errors."""
    shape, affine = grid(size)
    motion = drifting(np.random.default_rng(1), n_volumes)
    reference = image(shape, affine, noise=20.0, seed=5)
    volumes = [image(shape, affine, np.linalg.inv(rigid(m)), noise=20.0, seed=t + 10) for t, m in enumerate(motion)]
    volumes, brain = np.stack(volumes, axis=-1), brain_mask(reference, affine)
    print(f"\nmotion, {shape} voxels of {size:g} mm, {n_volumes} volumes")
    print(f"{'':32}{'ms':>9}{'x ours':>9}{'mm':>9}{'degrees':>9}")
    peers = {"ours": lambda: estimate_motion(volumes, reference, affine, brain)}
    peers["ours, with resampling"] = lambda: correct_motion(volumes, affine, brain, reference)[1]
    share = 0.3 if size > 4 else 0.02  # of the grid: what gave the best accuracy for its time
    for optimiser in ("gradient", "conjugate gradient", "L-BFGS", "Powell"):
        peers[f"SimpleITK, {optimiser}"] = lambda optimiser=optimiser: itk_motion(
            volumes, reference, affine, brain, optimiser, share
        )
    ours = None
    for name, function in peers.items():
        seconds, found = best_of(function, 2)
        ours = ours or seconds
        wrong = np.abs(found - motion)
        print(
            f"{name:32}{1000 * seconds / n_volumes:9.1f}{seconds / ours:9.1f}{wrong[:, :3].max():9.3f}"
            f"{np.rad2deg(wrong[:, 3:].max()):9.3f}",
            flush=True,
        )


def main():
    """Parse the command line and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=float, nargs="*", default=[8.0, 2.0], help="mm of a voxel")
    parser.add_argument("--volumes", type=int, nargs="*", default=[40, 6], help="one number a size")
    args = parser.parse_args()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    compare_medians()
    for size, n_volumes in zip(args.size, args.volumes):
        compare_motion(size, n_volumes)


if __name__ == "__main__":
    main()
