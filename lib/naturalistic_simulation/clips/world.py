"""World of the simulated films: things, settings, colors, and the numbers that one film is drawn from.

A *storyboard* is a row of numbers. It says all that a film shows but for the grain of its textures, which comes from
the number of the film.
"""

from collections.abc import Sequence

import numpy as np
from naturalistic.parameters import whole
from numpy.typing import ArrayLike, NDArray

SIZE = 64  # pixels, height and width
N_FRAMES = 8
RATE = 8 / 3  # frames a second: films last 3 s, as those of BOLD Moments
ANIMALS = ("dog", "fish", "bird", "butterfly")
VEHICLES = ("car", "boat", "plane", "balloon")
THINGS = ANIMALS + VEHICLES
PLACES = ("meadow", "sea", "city", "forest", "desert", "room")
# occurs only in films of the plan "category", which can be left out
LEFT_OUT = "balloon"
COLORS = {
    "red": (0.86, 0.16, 0.14),
    "orange": (0.96, 0.55, 0.12),
    "yellow": (0.95, 0.87, 0.20),
    "green": (0.18, 0.62, 0.24),
    "blue": (0.16, 0.34, 0.85),
    "purple": (0.58, 0.22, 0.72),
    "white": (0.93, 0.93, 0.92),
    "black": (0.12, 0.12, 0.14),
}
# lowest and highest value of each number but thing and place
RANGES = {
    "x": (20.0, 44.0),  # pixels, at half the film
    "y": (20.0, 44.0),
    "size": (10.0, 18.0),  # pixels, half its length
    "velocity_x": (-2.6, 2.6),  # pixels a frame, on the screen
    "velocity_y": (-2.6, 2.6),
    "swing": (0.0, 5.0),  # pixels, up and down
    "camera_x": (-1.6, 1.6),  # pixels a frame
    "camera_y": (-1.6, 1.6),
    "red": (0.0, 1.0),
    "green": (0.0, 1.0),
    "blue": (0.0, 1.0),
    "light": (0.6, 1.15),  # of the whole picture
    "tint": (-1.0, 1.0),  # of the place, from cold to warm
    "horizon": (0.35, 0.65),  # share of the height
}
NAMES = ("thing", "place", *RANGES)
COLUMN = {name: k for k, name in enumerate(NAMES)}
N_NUMBERS = len(THINGS) + len(PLACES) + len(RANGES)
ONE_HOT = 2.0  # of a class in the numbers of a generator: as large as the others' standard deviations


def draw_storyboards(
    n: int, rng: np.random.Generator, things: Sequence[str] = THINGS, balanced: bool = True
) -> NDArray[np.float32]:
    """Draw storyboards at random.

    Parameters
    ----------
    n : int
    rng : Generator
    things : sequence of str
        Some of `THINGS`.
    balanced : bool
        Show each thing in each place equally often, up to the remainder.

    Returns
    -------
    boards : float32 array (n, n_names)
        Columns in the order of `NAMES`; thing and place are indices.
    """
    n = whole("n", n)
    codes = np.array([THINGS.index(thing) for thing in things])
    pairs = np.array([(thing, place) for thing in codes for place in range(len(PLACES))])
    if balanced:
        order = np.concatenate([rng.permutation(len(pairs)) for _ in range(n // len(pairs) + 1)])[:n]
    else:
        order = rng.integers(len(pairs), size=n)
    boards = np.empty((n, len(NAMES)), np.float32)
    boards[:, :2] = pairs[order]
    for name, (low, high) in RANGES.items():
        boards[:, COLUMN[name]] = rng.uniform(low, high, n)
    for axis, most in (("velocity", 2.6), ("camera", 1.6)):
        angle = rng.uniform(0, 2 * np.pi, n)
        speed = most * np.sqrt(rng.uniform(0, 1, n))
        boards[:, COLUMN[f"{axis}_x"]] = speed * np.cos(angle)
        boards[:, COLUMN[f"{axis}_y"]] = speed * np.sin(angle)
    boards[:, COLUMN["swing"]] *= rng.uniform(0, 1, n) < 0.4
    palette = np.array(list(COLORS.values()), np.float32)
    colors = palette[rng.integers(len(palette), size=n)] + rng.normal(0, 0.04, (n, 3))
    boards[:, [COLUMN["red"], COLUMN["green"], COLUMN["blue"]]] = np.clip(colors, 0, 1)
    return boards


def to_numbers(boards: ArrayLike) -> NDArray[np.float32]:
    """Return storyboards as numbers of about mean 0 and standard deviation 1, for a generator.

    Parameters
    ----------
    boards : array (n, n_names)

    Returns
    -------
    numbers : float32 array (n, N_NUMBERS)
        Thing and place as one of `ONE_HOT` among zeros, minus their mean.
    """
    boards = np.asarray(boards, np.float32)
    parts = []
    for name, classes in (("thing", THINGS), ("place", PLACES)):
        chosen = boards[:, COLUMN[name], None].astype(int) == np.arange(len(classes))
        parts.append(ONE_HOT * (chosen - 1 / len(classes)))
    low, high = np.array(list(RANGES.values()), np.float32).T
    parts.append((boards[:, 2:] - (low + high) / 2) / ((high - low) / np.sqrt(12)))
    return np.concatenate(parts, axis=1).astype(np.float32)


def from_numbers(numbers: ArrayLike) -> NDArray[np.float32]:
    """Return the storyboards of a generator's numbers; those out of range are clipped.

    Parameters
    ----------
    numbers : array (n, N_NUMBERS)

    Returns
    -------
    boards : float32 array (n, n_names)
    """
    numbers = np.asarray(numbers, np.float32)
    boards = np.empty((len(numbers), len(NAMES)), np.float32)
    n_things = len(THINGS)
    n_classes = n_things + len(PLACES)
    boards[:, 0] = numbers[:, :n_things].argmax(axis=1)
    boards[:, 1] = numbers[:, n_things:n_classes].argmax(axis=1)
    low, high = np.array(list(RANGES.values()), np.float32).T
    boards[:, 2:] = numbers[:, n_classes:] * ((high - low) / np.sqrt(12)) + (low + high) / 2
    boards[:, 2:] = np.clip(boards[:, 2:], low, high)
    return boards


def color_names(boards: ArrayLike) -> list[str]:
    """Return the nearest of `COLORS` of the thing in each film.

    Parameters
    ----------
    boards : array (n, n_names)
    """
    palette = np.array(list(COLORS.values()))
    colors = np.asarray(boards)[:, [COLUMN["red"], COLUMN["green"], COLUMN["blue"]]]
    nearest = np.linalg.norm(colors[:, None] - palette, axis=2).argmin(axis=1)
    return [list(COLORS)[k] for k in nearest]


def paths(boards: ArrayLike) -> NDArray[np.float32]:
    """Return where the center of the thing is in each frame.

    Parameters
    ----------
    boards : array (n, n_names)

    Returns
    -------
    centers : float32 array (n, N_FRAMES, 2)
        x and y, pixels from the upper left.
    """
    boards = np.asarray(boards, np.float32)
    time = np.arange(N_FRAMES, dtype=np.float32) - (N_FRAMES - 1) / 2
    x = boards[:, COLUMN["x"], None] + boards[:, COLUMN["velocity_x"], None] * time
    y = boards[:, COLUMN["y"], None] + boards[:, COLUMN["velocity_y"], None] * time
    y = y + boards[:, COLUMN["swing"], None] * np.sin(2 * np.pi * time / (N_FRAMES - 1))
    return np.stack([x, y], axis=2)
