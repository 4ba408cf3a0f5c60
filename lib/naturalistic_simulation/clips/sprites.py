"""Things of the simulated films as parts: shapes with soft edges in coordinates of the thing.

The length of a thing goes from -1 to 1 along ``u`` (it looks to the right), ``v`` points down. A shape is a distance
to its border, negative inside.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Part = tuple[NDArray, tuple[float, float, float] | NDArray]
WHITE = (0.95, 0.95, 0.93)
DARK = (0.10, 0.09, 0.10)
GLASS = (0.72, 0.86, 0.94)


def ellipse(u: NDArray, v: NDArray, x: float, y: float, a: float, b: float) -> NDArray:
    """Return the distance to an ellipse, exact at its axes."""
    return (np.sqrt(((u - x) / a) ** 2 + ((v - y) / b) ** 2) - 1) * min(a, b)


def box(u: NDArray, v: NDArray, x: float, y: float, a: float, b: float, rounded: float = 0.05) -> NDArray:
    """Return the distance to a box with rounded corners."""
    dx = np.abs(u - x) - (a - rounded)
    dy = np.abs(v - y) - (b - rounded)
    outside = np.sqrt(np.maximum(dx, 0) ** 2 + np.maximum(dy, 0) ** 2)
    return outside + np.minimum(np.maximum(dx, dy), 0) - rounded


def polygon(u: NDArray, v: NDArray, corners: tuple[tuple[float, float], ...]) -> NDArray:
    """Return the distance to a convex polygon whose corners go clockwise on the screen."""
    distance = None
    for k, (x, y) in enumerate(corners):
        to_x, to_y = corners[(k + 1) % len(corners)]
        length = np.hypot(to_x - x, to_y - y)
        side = ((u - x) * (to_y - y) - (v - y) * (to_x - x)) / length
        distance = side if distance is None else np.maximum(distance, side)
    return distance


def _shaded(color: NDArray, light: float) -> tuple[float, float, float]:
    return tuple(np.clip(color * light, 0, 1))


def _dog(u: NDArray, v: NDArray, color: NDArray, beat: NDArray) -> list[Part]:
    legs = []
    for x, sign in ((-0.5, 1), (-0.25, -1), (0.25, 1), (0.5, -1)):
        legs.append((box(u - 0.12 * sign * beat * (v > 0.2), v, x, 0.45, 0.07, 0.28), _shaded(color, 0.6)))
    tail = polygon(u, v, ((-0.95, -0.55), (-0.85, -0.6), (-0.55, -0.05), (-0.65, 0.05)))
    return [
        *legs,
        (tail, _shaded(color, 0.8)),
        (ellipse(u, v, -0.05, 0.05, 0.62, 0.27), color),
        (ellipse(u, v, 0.62, -0.32, 0.27, 0.23), color),
        (ellipse(u, v, 0.87, -0.25, 0.14, 0.1), _shaded(color, 0.8)),
        (ellipse(u, v, 0.48, -0.3, 0.1, 0.24), _shaded(color, 0.5)),
        (ellipse(u, v, 0.68, -0.38, 0.05, 0.05), DARK),
    ]


def _fish(u: NDArray, v: NDArray, color: NDArray, beat: NDArray) -> list[Part]:
    wag = v - 0.15 * beat * np.minimum(u, 0)
    stripes = color * (0.72 + 0.28 * np.tanh(4 * np.sin(11 * u)))[..., None]
    return [
        (polygon(u, wag, ((-1, -0.5), (-0.4, 0), (-1, 0.5))), _shaded(color, 0.7)),
        (polygon(u, v, ((-0.2, -0.6), (0.3, -0.25), (-0.3, -0.25))), _shaded(color, 0.7)),
        (ellipse(u, wag, 0.15, 0, 0.75, 0.4), stripes),
        (ellipse(u, v, 0.62, -0.1, 0.09, 0.09), WHITE),
        (ellipse(u, v, 0.64, -0.1, 0.05, 0.05), DARK),
    ]


def _bird(u: NDArray, v: NDArray, color: NDArray, beat: NDArray) -> list[Part]:
    lift = v + 0.9 * beat * np.abs(u + 0.05) * (np.abs(u + 0.05) < 0.9)
    return [
        (polygon(u, v, ((-0.95, -0.12), (-0.4, -0.05), (-0.4, 0.14), (-0.9, 0.2))), _shaded(color, 0.6)),
        (ellipse(u, v, 0, 0.05, 0.5, 0.2), color),
        (ellipse(u, v, 0.5, -0.1, 0.19, 0.17), color),
        (polygon(u, v, ((0.65, -0.15), (0.95, -0.06), (0.65, 0.0))), (0.95, 0.7, 0.15)),
        (ellipse(u, lift, -0.05, -0.18, 0.3, 0.5), _shaded(color, 0.75)),
        (ellipse(u, v, 0.54, -0.13, 0.04, 0.04), DARK),
    ]


def _butterfly(u: NDArray, v: NDArray, color: NDArray, beat: NDArray) -> list[Part]:
    across = u / (0.72 + 0.28 * beat)
    side = np.abs(across)
    return [
        (ellipse(side, v, 0.5, -0.35, 0.46, 0.42), color),
        (ellipse(side, v, 0.4, 0.4, 0.34, 0.36), _shaded(color, 0.75)),
        (ellipse(side, v, 0.58, -0.38, 0.17, 0.15), WHITE),
        (ellipse(side, v, 0.42, 0.42, 0.12, 0.13), DARK),
        (ellipse(u, v, 0, 0, 0.09, 0.6), DARK),
    ]


def _car(u: NDArray, v: NDArray, color: NDArray, beat: NDArray) -> list[Part]:
    parts = [
        (polygon(u, v, ((-0.45, -0.5), (0.25, -0.5), (0.55, -0.05), (-0.65, -0.05))), _shaded(color, 0.85)),
        (polygon(u, v, ((-0.38, -0.42), (-0.12, -0.42), (-0.12, -0.1), (-0.52, -0.1))), GLASS),
        (polygon(u, v, ((-0.02, -0.42), (0.2, -0.42), (0.4, -0.1), (-0.02, -0.1))), GLASS),
        (box(u, v, 0, 0.13, 0.97, 0.24, 0.12), color),
        (box(u, v, 0.88, 0.06, 0.08, 0.06), (0.98, 0.95, 0.6)),
    ]
    for x in (-0.55, 0.55):
        parts += [(ellipse(u, v, x, 0.36, 0.22, 0.22), DARK), (ellipse(u, v, x, 0.36, 0.1, 0.1), (0.7, 0.7, 0.72))]
    return parts


def _boat(u: NDArray, v: NDArray, color: NDArray, beat: NDArray) -> list[Part]:
    lean = u + 0.08 * beat * v
    return [
        (box(lean, v, -0.02, -0.2, 0.04, 0.75), (0.4, 0.27, 0.15)),
        (polygon(lean, v, ((0.05, -0.92), (0.75, 0.12), (0.05, 0.12))), WHITE),
        (polygon(lean, v, ((-0.08, -0.75), (-0.08, 0.12), (-0.6, 0.12))), (0.86, 0.84, 0.78)),
        (polygon(lean, v, ((-0.95, 0.25), (0.98, 0.25), (0.65, 0.68), (-0.7, 0.68))), color),
        (box(lean, v, 0, 0.29, 0.9, 0.05), _shaded(color, 0.55)),
    ]


def _plane(u: NDArray, v: NDArray, color: NDArray, beat: NDArray) -> list[Part]:
    return [
        (polygon(u, v, ((-0.95, -0.55), (-0.75, -0.55), (-0.5, 0.0), (-0.9, 0.0))), _shaded(color, 0.7)),
        (polygon(u, v, ((-0.1, -0.05), (0.25, -0.05), (-0.25, -0.62), (-0.45, -0.62))), _shaded(color, 0.65)),
        (ellipse(u, v, 0, 0, 0.98, 0.19), color),
        (polygon(u, v, ((-0.1, 0.05), (0.25, 0.05), (-0.3, 0.7), (-0.5, 0.7))), _shaded(color, 0.8)),
        (ellipse(u, v, 0.72, -0.05, 0.14, 0.07), GLASS),
        (box(u, v, 0.1, -0.04, 0.4, 0.03), DARK),
    ]


def _balloon(u: NDArray, v: NDArray, color: NDArray, beat: NDArray) -> list[Part]:
    gores = color * (0.68 + 0.32 * np.tanh(3 * np.cos(9 * u)))[..., None]
    return [
        (polygon(u, v, ((-0.5, 0.1), (0.5, 0.1), (0.12, 0.72), (-0.12, 0.72))), _shaded(color, 0.6)),
        (ellipse(u, v, 0, -0.25, 0.68, 0.72), gores),
        (box(u, v, 0, 0.84, 0.16, 0.12), (0.5, 0.33, 0.16)),
    ]


# thing: parts from back to front, given u, v (n_frames, height, width), color (3,) and beat (n_frames, 1, 1) of -1 to 1
PARTS: dict[str, Callable[[NDArray, NDArray, NDArray, NDArray], list[Part]]] = {
    "dog": _dog,
    "fish": _fish,
    "bird": _bird,
    "butterfly": _butterfly,
    "car": _car,
    "boat": _boat,
    "plane": _plane,
    "balloon": _balloon,
}
