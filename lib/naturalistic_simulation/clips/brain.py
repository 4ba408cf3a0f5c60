"""Simulated responses to short films, by region.

Early visual cortex follows the layout of the picture, each voxel a spot of the visual field (left hemisphere the right
half, ventral parts the upper half); MT the direction of motion in a wide field; lateral occipital and fusiform cortex
the thing; the parahippocampal place area the place. One region follows nothing.
"""

import numpy as np
from naturalistic.parameters import whole
from numpy.typing import NDArray

from naturalistic_simulation.clips.world import ANIMALS, COLUMN, N_FRAMES, PLACES, SIZE, THINGS, paths

FIELD = 16  # cells of the visual field in height and width
DIRECTIONS = 8
WIDE_FIELD = 4  # cells of the field of motion
N_CODES = 6  # columns of the code of things and places
# region of the published packs: center of the right one (MNI mm), share of each drive in the variance of its signal
REGIONS: dict[str, tuple[tuple[float, float, float], dict[str, float]]] = {
    "V1v": ((8.0, -88.0, -4.0), {"layout": 1.0}),
    "V1d": ((8.0, -92.0, 6.0), {"layout": 1.0}),
    "V2v": ((12.0, -84.0, -8.0), {"layout": 1.0}),
    "V2d": ((14.0, -94.0, 12.0), {"layout": 1.0}),
    "MT": ((46.0, -68.0, 4.0), {"motion": 0.85, "layout": 0.15}),
    "LOC": ((44.0, -72.0, -4.0), {"thing": 0.85, "layout": 0.15}),
    "FFA": ((40.0, -52.0, -18.0), {"thing": 1.0}),
    "PPA": ((26.0, -44.0, -10.0), {"place": 0.85, "layout": 0.15}),
    "BA2": ((46.0, -30.0, 52.0), {}),
}
N_VOXELS = 40  # of a region in a hemisphere
RADIUS = 7.0  # mm
# share of the variance of a mean of ten repeats that is signal, from the worst voxel of a region to the best
CEILING = (0.15, 0.75)
N_REPEATS = {"train": 3, "test": 10}
SHARED_NOISE = 0.25  # share of the noise's variance that the voxels of a region have in common
N_SHARED = 4  # patterns of it
GRID = ((91, 109, 91), 2.0, (-90.0, -126.0, -72.0))  # shape, mm, and corner of the MNI152 grid of the voxel indices


def film_drives(films: NDArray[np.uint8], boards: NDArray) -> dict[str, NDArray]:
    """Return what regions respond to.

    Parameters
    ----------
    films : uint8 array (n, n_frames, SIZE, SIZE, 3)
    boards : array (n, n_names)
        Their storyboards.

    Returns
    -------
    drives : dict of array
        ``"layout"`` (n, FIELD, FIELD, 3): mean color of each cell; ``"motion"`` (n, WIDE_FIELD, WIDE_FIELD,
        DIRECTIONS): motion in each direction; ``"thing"`` and ``"place"`` (n, N_CODES).
    """
    cell = SIZE // FIELD
    n, n_frames = films.shape[:2]
    layout = np.empty((n, FIELD, FIELD, 3), np.float32)
    for k, film in enumerate(films):
        cells = film.reshape(n_frames, FIELD, cell, FIELD, cell, 3)
        layout[k] = cells.mean(axis=(0, 2, 4), dtype=np.float32) / 255
    rng = np.random.default_rng(5165)  # codes are those of the species, the same for each seed
    things = rng.standard_normal((len(THINGS), N_CODES))
    things[:, 0] = [2.0 if thing in ANIMALS else -2.0 for thing in THINGS]
    places = rng.standard_normal((len(PLACES), N_CODES))
    return {
        "layout": layout,
        "motion": direction_field(boards),
        "thing": things[boards[:, 0].astype(int)].astype(np.float32),
        "place": places[boards[:, 1].astype(int)].astype(np.float32),
    }


def direction_field(boards: NDArray) -> NDArray[np.float32]:
    """Return how much moves in each direction, by cell of the visual field and over the film.

    A cell moves with the thing as far as the thing covers it, and otherwise against the camera.

    Parameters
    ----------
    boards : array (n, n_names)

    Returns
    -------
    motion : float32 array (n, WIDE_FIELD, WIDE_FIELD, DIRECTIONS)
        Speed (pixels a frame) times the squared cosine to the direction, 0 beyond a right angle.
    """
    centers = paths(boards)
    middle = (np.arange(WIDE_FIELD) + 0.5) * SIZE / WIDE_FIELD
    wide = 0.5 * SIZE / WIDE_FIELD
    angles = 2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS
    units = np.stack([np.cos(angles), np.sin(angles)])
    camera = -boards[:, [COLUMN["camera_x"], COLUMN["camera_y"]]][:, None, None, :]
    spread = 2 * (boards[:, COLUMN["size"], None, None] ** 2 + wide**2)
    total = np.zeros((len(boards), WIDE_FIELD, WIDE_FIELD, DIRECTIONS))
    for k in range(N_FRAMES - 1):
        step = (centers[:, k + 1] - centers[:, k])[:, None, None, :]
        dx = middle[None, None, :] - centers[:, k, 0, None, None]
        dy = middle[None, :, None] - centers[:, k, 1, None, None]
        cover = np.exp(-(dx**2 + dy**2) / spread)[..., None]
        velocity = cover * step + (1 - cover) * camera
        speed = np.linalg.norm(velocity, axis=-1, keepdims=True)
        along = np.maximum(velocity @ units, 0)
        total += along**2 / np.maximum(speed, 1e-6)
    return (total / (N_FRAMES - 1)).astype(np.float32)


class ClipBrain:
    """Brain of a subject of the experiment with short films.

    Parameters
    ----------
    number : int
        1 or more.
    seed : int
        Of the whole data set.
    """

    def __init__(self, number: int, seed: int) -> None:
        self.number = whole("number", number)
        self.seed = seed
        rng = np.random.default_rng([seed, 1, number])
        self.gain = float(rng.uniform(0.8, 1.1))
        self.coordinates: dict[str, NDArray] = {}  # by pack, (n_voxels, 3) MNI mm
        for pack in self.packs:
            center = np.array(REGIONS[pack[1:]][0])
            center[0] *= 1 if pack[0] == "r" else -1
            away = rng.standard_normal((N_VOXELS, 3))
            away *= RADIUS * rng.uniform(0, 1, (N_VOXELS, 1)) ** (1 / 3) / np.linalg.norm(away, axis=1, keepdims=True)
            self.coordinates[pack] = center + rng.normal(0, 1.5, 3) + away

    @property
    def packs(self) -> tuple[str, ...]:
        """Names of regions by hemisphere, such as ``"lV1v"``."""
        return tuple(side + region for region in REGIONS for side in "lr")

    def signals(self, pack: str, drives: dict[str, NDArray]) -> NDArray:
        """Return what a region does without noise: (n_films, N_VOXELS), of mean 0 and standard deviation 1.

        Parameters
        ----------
        pack : str
            Such as ``"lV1v"``.
        drives : dict of array
            See `film_drives`.

        Returns
        -------
        signals : array
            Zeros where the region follows nothing.
        """
        shares = REGIONS[pack[1:]][1]
        n_films = len(drives["thing"])
        total = np.zeros((n_films, N_VOXELS))
        for k, (drive, share) in enumerate(shares.items()):
            rng = np.random.default_rng([self.seed, 2, self.number, self.packs.index(pack), k])
            if drive == "layout":
                part = self._retinotopic(pack, drives["layout"], rng)
            elif drive == "motion":
                part = self._direction_tuned(pack, drives["motion"], rng)
            else:
                part = drives[drive] @ rng.standard_normal((N_CODES, N_VOXELS))
            total += np.sqrt(share) * _standardized(part)
        return _standardized(total) if shares else total

    def respond(self, pack: str, signals: NDArray, part: str) -> tuple[NDArray, NDArray]:
        """Return single trials, z-scored by voxel, and the share of signal in the mean of ten.

        Parameters
        ----------
        pack : str
        signals : array (n_films, N_VOXELS)
            Of the part's films; of standard deviation 1 in all of them.
        part : {"train", "test"}

        Returns
        -------
        betas : float32 array (n_films, n_repeats, N_VOXELS)
        explainable : array (N_VOXELS,)
        """
        index = self.packs.index(pack)
        fixed = np.random.default_rng([self.seed, 3, self.number, index])
        explainable = np.clip(self.gain * fixed.uniform(*CEILING, N_VOXELS), 0, 0.9)
        patterns = fixed.standard_normal((N_SHARED, N_VOXELS)) / np.sqrt(N_SHARED)
        size = np.sqrt(explainable / (1 - explainable) / 10)  # of the signal, where the noise of a trial has 1
        rng = np.random.default_rng([self.seed, 4, self.number, index, list(N_REPEATS).index(part)])
        shape = (len(signals), N_REPEATS[part])
        noise = np.sqrt(1 - SHARED_NOISE) * rng.standard_normal((*shape, N_VOXELS))
        noise += np.sqrt(SHARED_NOISE) * rng.standard_normal((*shape, N_SHARED)) @ patterns
        trials = noise + (size * signals)[:, None]
        trials -= trials.mean(axis=(0, 1))
        trials /= trials.std(axis=(0, 1))
        follows = bool(REGIONS[pack[1:]][1])
        return trials.astype(np.float32), explainable if follows else np.zeros(N_VOXELS)

    def voxel_indices(self, pack: str) -> NDArray[np.int64]:
        """Return the voxels of a region as indices into the MNI152 grid of 2 mm (C order)."""
        shape, step, corner = GRID
        cells = np.rint((self.coordinates[pack] - corner) / step).astype(int)
        return np.ravel_multi_index(tuple(cells.T), shape).astype(np.int64)

    def _retinotopic(self, pack: str, layout: NDArray, rng: np.random.Generator) -> NDArray:
        """Return the drive of spots of the visual field, each with a preferred color."""
        early = pack[1:3] in ("V1", "V2")
        x = rng.uniform(0, 0.55, N_VOXELS) if early else rng.uniform(0, 1, N_VOXELS)
        if early and pack[0] == "l":  # the left hemisphere sees the right half
            x = 1 - x
        y = rng.uniform(0, 0.55, N_VOXELS) if early else rng.uniform(0, 1, N_VOXELS)
        if early and pack[-1] == "d":  # dorsal parts see the lower half
            y = 1 - y
        width = 0.09 if early else 0.3
        middle = (np.arange(FIELD) + 0.5) / FIELD
        near_x = np.exp(-0.5 * ((middle[:, None] - x) / width) ** 2)
        near_y = np.exp(-0.5 * ((middle[:, None] - y) / width) ** 2)
        color = rng.standard_normal((3, N_VOXELS)) * 0.6 + rng.choice([-1, 1], N_VOXELS)
        seen = np.einsum("nyxc,yv,xv->nvc", layout, near_y, near_x, optimize=True)
        return np.einsum("nvc,cv->nv", seen, color)

    def _direction_tuned(self, pack: str, motion: NDArray, rng: np.random.Generator) -> NDArray:
        """Return the drive of wide fields, each with a preferred direction."""
        preferred = rng.uniform(0, 2 * np.pi, N_VOXELS)
        angles = 2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS
        tuning = np.exp(1.5 * (np.cos(angles[:, None] - preferred) - 1))
        x = rng.uniform(0.2, 0.8, N_VOXELS)
        y = rng.uniform(0.2, 0.8, N_VOXELS)
        middle = (np.arange(WIDE_FIELD) + 0.5) / WIDE_FIELD
        near_x = np.exp(-0.5 * ((middle[:, None] - x) / 0.3) ** 2)
        near_y = np.exp(-0.5 * ((middle[:, None] - y) / 0.3) ** 2)
        return np.einsum("nyxd,yv,xv,dv->nv", motion, near_y, near_x, tuning, optimize=True)


def _standardized(values: NDArray) -> NDArray:
    """Return columns with mean 0 and standard deviation 1."""
    return (values - values.mean(axis=0)) / values.std(axis=0)
