"""Simulated scanner: motion, noise, drift and spikes around a response.

An image is ``|brightness(pose) * (1 + percent / 100) + thermal|``: the head moves in it, the percentages are the
response, noise that is correlated in space and time, and drift; thermal noise is complex (Gudbjartsson & Patz 1995).
"""

from dataclasses import dataclass

import numpy as np
from naturalistic.anatomy.regions import NAMES
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.signal import lfilter

from naturalistic_simulation.brain.cortex import MusicBrain
from naturalistic_simulation.brain.head import SHAPE, brightness, coordinates, gray_matter, rigid

TR = 1.5
N_TRS = 410
# sd: % of brightness (local, of the whole head), units of brightness
PHYSIOLOGICAL = 0.9
SHARED = 0.3
THERMAL = 6.0
CORRELATED = 0.45  # lag-1 autocorrelation of physiological noise
SPREAD = 0.55  # voxels, of its Gaussian neighborhood
DRIFT = 1.2  # %
SPIKES = 2.0  # a run, expected
DEGREE = np.pi / 180


@dataclass(frozen=True)
class Truth:
    """Ground truth of a run, on the scanner's grid.

    Attributes
    ----------
    motion : array (n_trs, 6)
        mm and rad, as `head.rigid` takes them: where the head went from its first pose.
    region : int array (n_all,)
        Index into `regions.NAMES`, -1 where there is no response.
    explainable : array (n_all,)
        Share of the variance (drift and motion aside) that is response.
    spikes : int array (n_spikes,)
        Volumes.
    """

    motion: np.ndarray
    region: np.ndarray
    explainable: np.ndarray
    spikes: np.ndarray


def motion_of_run(rng: np.random.Generator, first: bool) -> NDArray:
    """Return simulated head motion of a run (n_trs, 6), in mm and rad.

    It has an offset, slow drift, jitter and rare jumps. The first volume of a subject's ``first`` run is the origin.
    """
    lie = rng.normal(0, 0.5, 6) * (not first)
    slide = np.cumsum(rng.normal(0, 0.012, (N_TRS, 6)), axis=0) + np.linspace(0, 1, N_TRS)[:, None] * rng.normal(
        0, 0.2, 6
    )
    shiver = rng.normal(0, 0.02, (N_TRS, 6))
    jerk = np.zeros((N_TRS, 6))
    for start in rng.integers(20, N_TRS, rng.poisson(0.7)):
        jerk[start:] += rng.normal(0, 0.25, 6)
    motion = (lie + slide + shiver + jerk) * [1, 1, 1, *[DEGREE] * 3]  # as many degrees as mm
    return motion - motion[0] * first


def scan(
    brain: MusicBrain,
    pose: NDArray,
    responses: dict[str, NDArray],
    covariances: dict[str, NDArray],
    rng: np.random.Generator,
    first: bool = False,
) -> tuple[NDArray, Truth]:
    """Return the volumes of a run and their ground truth.

    Parameters
    ----------
    brain : cortex.MusicBrain
    pose : array (4, 4)
        Scanner mm to MNI mm in the subject's first volume.
    responses : dict of str to array (n_trs, n_columns)
        Drives of each region in this run, through its HRF.
    covariances : dict of str to array (n_columns, n_columns)
        Of that over the whole experiment: it sets the response's size.
    rng : Generator
    first : bool
        Whether this is the subject's first run.

    Returns
    -------
    volumes : int16 array (x, y, z, n_trs)
    truth : Truth
    """
    motion = motion_of_run(rng, first)
    middle = pose @ np.linalg.inv(rigid(motion.mean(axis=0)))
    base = brightness(middle)
    gray = gray_matter(middle)
    sd = np.sqrt(PHYSIOLOGICAL**2 + SHARED**2 + (100 * THERMAL / np.maximum(base, 1)) ** 2)  # %
    region, ratio = brain.strength(coordinates(middle))
    ratio = ratio * np.minimum(gray / 0.4, 1)
    percent = _noise(rng) + _drift(rng)
    for name, followed in responses.items():
        here = region == NAMES.index(name)
        weights = brain.weights(name, coordinates(middle)[here])
        size = np.sqrt(np.einsum("iv,ij,jv->v", weights, covariances[name], weights))
        percent[:, here] += (followed @ (weights / size) * (ratio * sd)[here]).astype(np.float32)
    images = np.stack([brightness(pose @ np.linalg.inv(rigid(m))) for m in motion])
    images *= 1 + percent / 100
    spikes = _add_spikes(images, rng)
    images += rng.standard_normal(images.shape, dtype=np.float32) * THERMAL
    imaginary = rng.standard_normal(images.shape, dtype=np.float32) * THERMAL
    volumes = np.rint(np.hypot(images, imaginary)).astype(np.int16)
    explainable = np.where(region >= 0, ratio**2 / (1 + ratio**2), 0)
    volumes = np.ascontiguousarray(volumes.T).reshape(*SHAPE, N_TRS)
    return volumes, Truth(motion, region, explainable, spikes)


def _noise(rng: np.random.Generator) -> NDArray:
    """Return physiological noise in % (n_trs, n_all), smooth, a part of it global."""
    white = rng.standard_normal((N_TRS + 20, *SHAPE), dtype=np.float32)
    smooth = gaussian_filter(white, (0, SPREAD, SPREAD, SPREAD), truncate=3)
    smooth /= smooth.std(axis=0).mean()
    local = _autoregressive(smooth.reshape(len(smooth), -1))
    everywhere = _autoregressive(rng.standard_normal((N_TRS + 20, 1), dtype=np.float32))
    return PHYSIOLOGICAL * local + SHARED * everywhere


def _autoregressive(white: NDArray) -> NDArray:
    """Return autoregressive noise of the same variance, 20 settling samples less."""
    gain = np.float32(np.sqrt(1 - CORRELATED**2))
    return lfilter(np.array([gain]), np.array([1, -CORRELATED], dtype=np.float32), white, axis=0)[20:]


def _drift(rng: np.random.Generator) -> NDArray:
    """Return slow drift in % (n_trs, n_all): a line and two waves, each with its map."""
    t = np.linspace(0, 1, N_TRS, dtype=np.float32)
    courses = np.stack([t - 0.5, np.cos(np.pi * (2 * t + rng.uniform(0, 2))) / 2, np.cos(np.pi * 3 * t) / 3], axis=1)
    maps = np.stack([gaussian_filter(rng.standard_normal(SHAPE), 4, mode="nearest") for _ in range(3)])
    maps = maps.reshape(3, -1)
    return (DRIFT * courses @ (maps / maps.std(axis=1, keepdims=True))).astype(np.float32)


def _add_spikes(images: NDArray, rng: np.random.Generator) -> NDArray:
    """Add spikes of some % to every fourth slice, and return their volumes."""
    spikes = np.sort(rng.choice(N_TRS, rng.poisson(SPIKES), replace=False))
    by_slice = images.reshape(N_TRS, *SHAPE)
    for spike in spikes:
        by_slice[spike, :, :, rng.integers(4) :: 4] *= 1 + rng.uniform(0.03, 0.08) * rng.choice([-1, 1])
    return spikes
