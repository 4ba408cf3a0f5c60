"""Renderer of storyboards: a place with a camera that drifts, and a thing that moves before it."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from naturalistic_simulation.clips.sprites import PARTS
from naturalistic_simulation.clips.world import COLUMN, N_FRAMES, PLACES, RANGES, SIZE, THINGS, paths

MARGIN = 8  # pixels around the screen that the camera reaches
CANVAS = SIZE + 2 * MARGIN
N_GRAINS = 16


def render(boards: ArrayLike, grains: ArrayLike | None = None) -> NDArray[np.uint8]:
    """Return the frames of films.

    Parameters
    ----------
    boards : array (n, n_names)
        See `world.draw_storyboards`.
    grains : int array (n,), optional
        A number a film, for its textures; its place among ``boards`` by default.

    Returns
    -------
    films : uint8 array (n, N_FRAMES, SIZE, SIZE, 3)
    """
    boards = np.asarray(boards, np.float32)
    grains = np.arange(len(boards)) if grains is None else np.asarray(grains, dtype=np.int64)
    films = np.empty((len(boards), N_FRAMES, SIZE, SIZE, 3), np.uint8)
    centers = paths(boards)
    for film, board, grain, center in zip(films, boards, grains.tolist(), centers):
        picture = _film_place(board, grain)
        _put_thing(picture, board, center)
        picture *= 255 * board[COLUMN["light"]]
        np.clip(picture + 0.5, 0, 255, out=picture)
        film[:] = picture
    return films


def _film_place(board: NDArray, grain: int) -> NDArray[np.float32]:
    """Return the place without the thing: (N_FRAMES, SIZE, SIZE, 3), 0 to 1."""
    canvas = _draw_place(PLACES[int(board[1])], board, grain)
    warm = 0.12 * board[COLUMN["tint"]]
    canvas = canvas * np.array([1 + warm, 1, 1 - warm], np.float32)
    frames = np.empty((N_FRAMES, SIZE, SIZE, 3), np.float32)
    for k in range(N_FRAMES):
        time = k - (N_FRAMES - 1) / 2
        left = MARGIN + board[COLUMN["camera_x"]] * time
        top = MARGIN + board[COLUMN["camera_y"]] * time
        x = int(np.floor(left))
        y = int(np.floor(top))
        a = np.float32(left - x)
        b = np.float32(top - y)
        rows = canvas[y : y + SIZE] * (1 - b) + canvas[y + 1 : y + SIZE + 1] * b
        frames[k] = rows[:, x : x + SIZE] * (1 - a) + rows[:, x + 1 : x + SIZE + 1] * a
    return frames


def _put_thing(picture: NDArray, board: NDArray, center: NDArray) -> None:
    """Draw the thing into the frames of its place."""
    size = board[COLUMN["size"]]
    reach = int(np.ceil(size)) + 2
    corners = np.floor(center).astype(int) - reach  # (N_FRAMES, 2), x and y
    span = np.arange(2 * reach + 1)
    xs = corners[:, :1] + span
    ys = corners[:, 1:] + span
    facing = 1 if board[COLUMN["velocity_x"]] >= 0 else -1
    u = np.broadcast_to((facing * (xs - center[:, :1]) / size)[:, None, :], (N_FRAMES, len(span), len(span)))
    v = np.broadcast_to(((ys - center[:, 1:]) / size)[:, :, None], u.shape)
    color = board[[COLUMN["red"], COLUMN["green"], COLUMN["blue"]]]
    beat = np.sin(2.1 * np.arange(N_FRAMES, dtype=np.float32) + board[COLUMN["x"]])[:, None, None]
    inside = ((xs >= 0) & (xs < SIZE))[:, None, :] & ((ys >= 0) & (ys < SIZE))[:, :, None]
    frame = np.arange(N_FRAMES)[:, None, None]
    row = np.clip(ys, 0, SIZE - 1)[:, :, None]
    column = np.clip(xs, 0, SIZE - 1)[:, None, :]
    patch = picture[frame, row, column]
    under = patch.copy()
    shade = (1.08 - 0.22 * v)[..., None].astype(np.float32)  # light comes from above
    for distance, paint in PARTS[THINGS[int(board[0])]](u, v, color, beat):
        alpha = np.clip(0.5 - distance * size, 0, 1)[..., None].astype(np.float32)  # an edge is a pixel wide
        patch += alpha * (np.asarray(paint, np.float32) * shade - patch)
    patch[~inside] = under[~inside]
    # cells outside of the screen were clipped onto its border, which must stay as it was drawn inside
    at = np.nonzero(inside)
    picture[at[0], ys[at[0], at[1]], xs[at[0], at[2]]] = patch[at]


@dataclass(frozen=True)
class _View:
    """Pixels (CANVAS, CANVAS), horizon, textures, sky and number of a film, which its setting is drawn from."""

    x: NDArray
    y: NDArray
    horizon: float
    depth: NDArray  # 0 at the horizon to 1 at the lower border
    coarse: NDArray
    fine: NDArray
    sky: NDArray
    grain: int


@lru_cache(maxsize=1)
def _grains() -> NDArray[np.float32]:
    """Return textures (N_GRAINS, 256, 256) of mean 0 and standard deviation 1, coarse and fine."""
    rng = np.random.default_rng(64)
    frequency = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.rfftfreq(256))
    frequency[0, 0] = 1
    made = []
    for _ in range(N_GRAINS):
        spectrum = np.fft.rfft2(rng.standard_normal((256, 256))) / frequency**1.1
        spectrum[0, 0] = 0
        grain = np.fft.irfft2(spectrum, (256, 256))
        made.append(grain / grain.std())
    return np.asarray(made, np.float32)


def _texture(grain: int, which: int) -> NDArray[np.float32]:
    """Return a texture of a film (CANVAS, CANVAS)."""
    rng = np.random.default_rng([grain, which])
    kind = int(rng.integers(N_GRAINS))
    top = int(rng.integers(256 - CANVAS))
    left = int(rng.integers(256 - CANVAS))
    return _grains()[kind, top : top + CANVAS, left : left + CANVAS]


def _mix(share: NDArray, over: tuple[float, float, float], under: NDArray | tuple) -> NDArray:
    share = share[..., None]
    return share * np.asarray(over, np.float32) + (1 - share) * np.asarray(under, np.float32)


def _draw_place(place: str, board: NDArray, grain: int) -> NDArray[np.float32]:
    """Return a place larger than the screen: (CANVAS, CANVAS, 3)."""
    y, x = np.mgrid[:CANVAS, :CANVAS].astype(np.float32)
    horizon = MARGIN + SIZE * np.clip(board[COLUMN["horizon"]], *RANGES["horizon"])
    coarse = _texture(grain, 0)
    fine = _texture(grain, 1)
    depth = np.clip((y - horizon) / (CANVAS - horizon), 0, 1)
    sky = _mix(np.clip(y / horizon, 0, 1), (0.80, 0.90, 0.97), (0.36, 0.60, 0.92))
    sky = sky + 0.10 * np.clip(coarse, 0, 2)[..., None]  # clouds
    drawn = _SURFACES[place](_View(x, y, float(horizon), depth, coarse, fine, sky, grain))
    return np.clip(drawn, 0, 1).astype(np.float32)


def _below(y: NDArray, line: NDArray | float) -> NDArray:
    return np.clip(y - line + 0.5, 0, 1)


def _meadow(view: _View) -> NDArray:
    hill = view.horizon - 5 * np.sin(view.x / 17 + view.grain % 7) - 2
    grass = np.array([0.33, 0.62, 0.20], np.float32) * (0.8 + 0.3 * view.depth + 0.14 * view.fine)[..., None]
    flowers = (view.fine > 1.5)[..., None] * np.array([0.5, 0.35, 0.1], np.float32)
    return _mix_layers(_below(view.y, hill), grass + flowers, view.sky)


def _sea(view: _View) -> NDArray:
    waves = np.sin((view.y - view.horizon) * (1.6 - view.depth) + 0.35 * view.x * (0.4 + view.depth) + 2 * view.coarse)
    water = np.array([0.08, 0.36, 0.55], np.float32) * (0.85 + 0.18 * waves + 0.25 * view.depth)[..., None]
    foam = np.clip(waves - 0.75, 0, 1)[..., None] * 1.2
    return _mix_layers(_below(view.y, view.horizon), water + foam, view.sky)


def _city(view: _View) -> NDArray:
    rng = np.random.default_rng([view.grain, 2])
    edges = np.cumsum(rng.integers(8, 15, 12))
    house = np.searchsorted(edges, view.x[0], side="right")
    tops = (view.horizon - rng.integers(10, 32, 14))[house]
    walls = rng.uniform(0.38, 0.72, (14, 1)) * np.array([1.0, 0.94, 0.9]) + rng.normal(0, 0.04, (14, 3))
    lit = ((view.x % 4) < 2) & ((view.y % 5) < 2.5)
    facade = walls[house][None] * np.where(lit, 0.45, 1.0)[..., None]
    street = np.array([0.34, 0.34, 0.36], np.float32) * (1 + 0.08 * view.fine)[..., None]
    marks = (np.abs(view.depth - 0.4) < 0.04) & (view.x % 16 < 9)
    street = np.where(marks[..., None], 0.92, street)
    return _mix_layers(_below(view.y, view.horizon), street, _mix_layers(_below(view.y, tops), facade, view.sky))


def _forest(view: _View) -> NDArray:
    leaves = np.array([0.10, 0.34, 0.14], np.float32) * (1 + 0.35 * view.fine)[..., None] + 0.04
    rng = np.random.default_rng([view.grain, 3])
    bark = np.zeros_like(view.x)
    for left in np.cumsum(rng.integers(9, 17, 8)) - 8:
        width = rng.uniform(1.5, 3.5)
        bark = np.maximum(bark, np.clip(width - np.abs(view.x - left - 1.2 * view.coarse) + 0.5, 0, 1))
    trunks = _mix(bark, (0.30, 0.20, 0.12), leaves)
    ground = np.array([0.30, 0.24, 0.12], np.float32) * (0.9 + 0.3 * view.fine)[..., None]
    return _mix_layers(_below(view.y, view.horizon + 12), ground, trunks)


def _desert(view: _View) -> NDArray:
    dune = view.horizon + 6 * np.sin(view.x / 12 + view.grain % 5) * np.cos(view.x / 31)
    ripples = 0.07 * np.sin(1.3 * view.y + 0.25 * view.x + 2 * view.coarse)
    sand = np.array([0.90, 0.74, 0.45], np.float32) * (0.85 + 0.2 * view.depth + ripples)[..., None]
    heat = view.sky * np.array([1.12, 0.98, 0.82], np.float32)
    return _mix_layers(_below(view.y, dune), sand, heat)


def _room(view: _View) -> NDArray:
    paper = 0.9 + 0.10 * np.sign(np.sin(view.x * 0.75)) + 0.02 * view.fine
    wall = np.array([0.74, 0.62, 0.60], np.float32) * paper[..., None]
    boards = 0.9 + 0.12 * np.sign(np.sin((view.x - CANVAS / 2) / (0.5 + view.depth) * 0.6)) + 0.05 * view.coarse
    floor = np.array([0.55, 0.36, 0.20], np.float32) * boards[..., None]
    strip = ((view.y > view.horizon - 3) & (view.y < view.horizon)).astype(np.float32)
    return _mix_layers(_below(view.y, view.horizon), floor, _mix(strip, (0.94, 0.92, 0.88), wall))


def _mix_layers(share: NDArray, over: NDArray, under: NDArray) -> NDArray:
    return share[..., None] * over + (1 - share[..., None]) * under


# place: picture (CANVAS, CANVAS, 3)
_SURFACES = {"meadow": _meadow, "sea": _sea, "city": _city, "forest": _forest, "desert": _desert, "room": _room}
