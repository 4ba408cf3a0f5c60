"""Simulated scans of a film, as preprocessed ones.

They have response, noise, remaining drift and a few spikes. Noise is that of the music experiment (`brain.scanner`),
at its size in percent of the image and with its correlation in time brought from a TR of 1.5 s to one of 1 s; the head
does not move.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.signal import lfilter

from naturalistic_simulation.brain import scanner as music
from naturalistic_simulation.brain.head import SHAPE, brightness, coordinates, gray_matter
from naturalistic_simulation.movie.cortex import NAMES, PLAN, TR, MovieBrain

CORRELATED = music.CORRELATED ** (TR / music.TR)  # lag-1 autocorrelation of physiological noise
DRIFT_LEFT = 0.3  # %, sd of what a running median leaves of the drift
SPIKES = 1.0  # a run, expected
CORTEX = 0.3  # least share of gray matter of the voxels in the mask
STEP = 0.5  # of the image's brightness: values are rounded to it, so that files are small
_SETTLE = 30  # s


@dataclass(frozen=True)
class Truth:
    """Ground truth of one brain on the scanner's grid.

    Voxels are in the order of ``np.indices(SHAPE)``.

    Attributes
    ----------
    region : int array (n_all,)
        Index into `cortex.NAMES`, -1 where there is no response.
    explainable : dict of str to float32 array (n_all,)
        By run: share of the variance in its seconds after the overlap that is response, spikes aside.
    weights : dict of (region, drive) to array (n_columns, n_region_voxels)
        Of the voxels of a region, in their order; a response is the drive through the HRF times this, in units of
        the noise's sd.
    """

    region: np.ndarray
    explainable: np.ndarray
    weights: dict


def in_mask() -> NDArray:
    """Return a mask of the cortex on the grid: bool array (n_all,)."""
    return gray_matter(np.eye(4)) >= CORTEX


def ground_truth(brain: MovieBrain, drives: dict[str, dict], overlaps: dict[str, int]) -> Truth:
    """Return the ground truth of a brain.

    Parameters
    ----------
    brain : MovieBrain
    drives : dict of str to dict of (region, drive) to array
        By run, as `cortex.drives_of` gives them.
    overlaps : dict of str to int
        By run: s at its start that do not count.
    """
    mni = coordinates(np.eye(4))
    region, ratio = brain.strength(mni)
    region = np.where(in_mask(), region, -1)
    ratio = np.where(region >= 0, ratio * np.minimum(gray_matter(np.eye(4)) / 0.4, 1), 0)
    weights = {}
    explainable = {run: np.zeros(len(mni), np.float32) for run in drives}
    for name, (shares, _, _) in PLAN.items():
        here = region == NAMES.index(name)
        followed = {
            drive: [_centered(brain.respond(name, x[name, drive])[overlaps[run] :]) for run, x in drives.items()]
            for drive in shares
        }
        mixture = brain.mixture(name, {drive: np.concatenate(x) for drive, x in followed.items()}, mni[here])
        for drive in shares:
            weights[name, drive] = (mixture[drive] * ratio[here]).astype(np.float32)
        for k, run in enumerate(drives):
            power = sum(followed[drive][k] @ weights[name, drive] for drive in shares).var(axis=0)
            explainable[run][here] = power / (1 + power)
    return Truth(region, explainable, weights)


def scan(
    brain: MovieBrain, truth: Truth, drives: dict[tuple[str, str], NDArray], rng: np.random.Generator
) -> tuple[NDArray, NDArray]:
    """Return the preprocessed volumes of one run.

    Parameters
    ----------
    brain : MovieBrain
    truth : Truth
    drives : dict of (region, drive) to array (n_seconds, n_columns)
        Of this run.
    rng : Generator

    Returns
    -------
    bold : float32 array (n_seconds, n_all)
        Brightness; 0 outside of the head. Voxels in the order of ``np.indices(SHAPE)``.
    spikes : int array (n_spikes,)
        Seconds.
    """
    n_seconds = len(next(iter(drives.values())))
    base = brightness(np.eye(4))
    thermal = 100 * music.THERMAL / np.maximum(base, 1)  # %
    sd = np.sqrt(music.PHYSIOLOGICAL**2 + music.SHARED**2 + DRIFT_LEFT**2 + thermal**2)
    percent = _noise(n_seconds, rng) + rng.standard_normal((n_seconds, len(base)), dtype=np.float32) * thermal
    for (region, drive), weights in truth.weights.items():
        here = truth.region == NAMES.index(region)
        percent[:, here] += (brain.respond(region, drives[region, drive]) @ weights * sd[here]).astype(np.float32)
    spikes = np.sort(rng.choice(n_seconds, rng.poisson(SPIKES), replace=False))
    slices = percent.reshape(n_seconds, *SHAPE)
    for spike in spikes:  # every fourth slice, as one bad multi-band shot
        slices[spike, :, :, rng.integers(4) :: 4] += rng.uniform(3, 8) * rng.choice([-1, 1])
    bold = np.where(base > 0.1 * base.max(), base * (1 + percent / 100), 0)
    return (np.rint(bold / STEP) * STEP).astype(np.float32), spikes


def _noise(n_seconds: int, rng: np.random.Generator) -> NDArray:
    """Return physiological noise and drift in % (n_seconds, n_all)."""
    white = rng.standard_normal((n_seconds + _SETTLE, *SHAPE), dtype=np.float32)
    smooth = gaussian_filter(white, (0, *[music.SPREAD] * 3), truncate=3, mode="wrap")  # as strong at the edges
    smooth /= smooth.std(axis=0).mean()
    local = _autoregressive(smooth.reshape(len(smooth), -1))
    everywhere = _autoregressive(rng.standard_normal((n_seconds + _SETTLE, 1), dtype=np.float32))
    return music.PHYSIOLOGICAL * local + music.SHARED * everywhere + _drift(n_seconds, rng)


def _autoregressive(white: NDArray) -> NDArray:
    """Return autoregressive noise of the same variance, settling samples dropped."""
    gain = np.float32(np.sqrt(1 - CORRELATED**2))
    return lfilter(np.array([gain]), np.array([1, -CORRELATED], dtype=np.float32), white, axis=0)[_SETTLE:]


def _drift(n_seconds: int, rng: np.random.Generator) -> NDArray:
    """Return slow waves (1 to 3 minutes) in % (n_seconds, n_all), each with its map."""
    t = np.arange(n_seconds, dtype=np.float32)
    periods = rng.uniform(60, 180, 4)
    phases = rng.uniform(0, 2 * np.pi, 4)
    courses = np.cos(2 * np.pi * t[:, None] / periods + phases)
    courses /= courses.std(axis=0) * np.sqrt(courses.shape[1])
    maps = np.stack([gaussian_filter(rng.standard_normal(SHAPE), 4, mode="nearest").ravel() for _ in periods])
    maps /= np.sqrt((maps**2).mean(axis=1, keepdims=True))
    return (DRIFT_LEFT * courses @ maps).astype(np.float32)


def _centered(x: NDArray) -> NDArray:
    return x - x.mean(axis=0)
