"""Motion in films: optical flow on a grid, and motion energy after Nishimoto et al. (2011, Current Biology 21:1641).

Flow is where each part of the picture goes; it needs texture, and is 0 where there is none. Motion energy is the answer
of pairs of spatiotemporal Gabor filters at many places, sizes, speeds and directions, a model of cells in early visual
cortex and MT. It is computed by pymoten (BSD-2-Clause), the package of the laboratory that published it: the extra
``video``.
"""

import importlib
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from naturalistic.features.video.frames import area_weights, check_films, check_rate, luminance
from naturalistic.features.video.layout import GRID
from naturalistic.parameters import whole

_SMALLEST = 12  # pixels: no level of the pyramid is smaller
_STEPS = 4  # of refinement on each level
_NOISE = 1e-4  # squared gradient of a picture from 0 to 1 that is taken for noise; keeps plain areas at 0
_ROUNDING = 1e-6  # squared gradient that rounding to 256 gray levels makes of a plain area
TEMPORAL_FREQUENCIES = (0, 2, 4)  # Hz; of pymoten, as are the others
SPATIAL_FREQUENCIES = (0, 2, 4, 8, 16)  # cycles a picture
DIRECTIONS = (0, 45, 90, 135, 180, 225, 270, 315)  # degrees: 0 is to the right, 90 is up
_BLOCK = 2**18  # pixels of frames whose flow is found at once: enough to forget the loop, few enough for the cache
_GRAY_LEVELS = 100.0  # pymoten's luminance goes from 0 to 100


def optical_flow(frames: ArrayLike, grid: tuple[int, int] = GRID, *, radius: int = 3) -> NDArray[np.float32]:
    """Return the motion between frames in each cell of a grid.

    Lucas and Kanade (1981) on a pyramid, coarse to fine: least squares of the change of brightness on its gradient in
    a neighborhood of each pixel. A cell's motion is the mean over its pixels, weighted by their squared gradients: a
    small thing on a plain ground counts, not the ground.

    Parameters
    ----------
    frames : uint8 array (n_frames, height, width, 3) or (n_films, n_frames, height, width, 3)
        Two frames or more.
    grid : (rows, columns)
    radius : int
        Half the width of the neighborhood in pixels.

    Returns
    -------
    flow : float32 array (n_frames - 1, rows, columns, 2) or (n_films, n_frames - 1, rows, columns, 2)
        Pixels from one frame to the next, to the right and down. 0 where nothing has texture.

    Raises
    ------
    TypeError, ValueError
        If frames are not as expected, or there is one only.
    """
    films, single = check_films(frames)
    n_films, n_frames, height, width, _ = films.shape
    if n_frames < 2:
        raise ValueError("frames has 1 frame, expected 2 or more: motion is between frames")
    rows = area_weights(height, whole("grid[0]", grid[0], 1, height, hint="no more rows than pixels"))
    columns = area_weights(width, whole("grid[1]", grid[1], 1, width, hint="no more columns than pixels"))
    radius = whole("radius", radius)
    flow = np.empty((n_films, n_frames - 1, len(rows), len(columns), 2), np.float32)
    n_together = max(1, _BLOCK // ((n_frames - 1) * height * width))
    for start in range(0, n_films, n_together):
        block = films[start : start + n_together]
        brightness = np.stack([luminance(film) for film in block])
        first = brightness[:, :-1].reshape(-1, height, width)
        dense, texture = _dense_flow(first, brightness[:, 1:].reshape(-1, height, width), radius)
        weights = texture + np.float32(1e-12)
        total = _cell_means(weights, rows, columns)
        gradient = _cell_means(_squared_gradient(first), rows, columns)
        confidence = gradient / (gradient + np.float32(_ROUNDING))
        for axis in range(2):
            of_cells = confidence * _cell_means(weights * dense[axis], rows, columns) / total
            flow[start : start + len(block), ..., axis] = of_cells.reshape(len(block), n_frames - 1, *total.shape[1:])
    return flow[0] if single else flow


def _cell_means(pictures: NDArray, rows: NDArray, columns: NDArray) -> NDArray:
    # a product of matrices for each picture: its sums do not depend on which others are beside it
    return rows @ pictures @ columns.T


def _squared_gradient(pictures: NDArray) -> NDArray:
    along = ndimage.correlate1d(pictures, [-0.5, 0, 0.5], axis=2)
    down = ndimage.correlate1d(pictures, [-0.5, 0, 0.5], axis=1)
    return along * along + down * down


def _dense_flow(first: NDArray, second: NDArray, radius: int) -> tuple[NDArray, NDArray]:
    """Return (2, n, height, width) pixels to the right and down, and the squared gradient (n, height, width)."""
    pyramid = [(first, second)]
    while min(pyramid[-1][0].shape[1:]) >= 2 * _SMALLEST:
        pyramid.append(tuple(_half(picture) for picture in pyramid[-1]))
    flow = np.zeros((2, *pyramid[-1][0].shape), np.float32)
    for small_first, small_second in reversed(pyramid):
        if flow.shape[1:] != small_first.shape:
            flow = _double(flow, small_first.shape[1:])
        for _ in range(_STEPS):
            flow, texture = _refine(flow, small_first, small_second, radius)
    return flow, texture


def _refine(flow: NDArray, first: NDArray, second: NDArray, radius: int) -> tuple[NDArray, NDArray]:
    """Return a flow after one more step of least squares, and the squared gradient."""
    n, height, width = first.shape
    frame, row, column = np.meshgrid(np.arange(n), np.arange(height), np.arange(width), indexing="ij")
    row = row + flow[1]
    column = column + flow[0]
    warped = ndimage.map_coordinates(second, [frame, row, column], np.float32, order=1, mode="nearest")
    middle = (first + warped) / 2
    # what left the picture says nothing: there a pixel keeps what its neighbors and the coarser levels have found
    inside = (row >= 0) & (row <= height - 1) & (column >= 0) & (column <= width - 1)
    along = ndimage.correlate1d(middle, [-0.5, 0, 0.5], axis=2) * inside
    down = ndimage.correlate1d(middle, [-0.5, 0, 0.5], axis=1) * inside
    change = warped - first
    size = (1, 2 * radius + 1, 2 * radius + 1)
    xx, yy, xy, xt, yt = (
        ndimage.uniform_filter(product, size)
        for product in (along * along, down * down, along * down, along * change, down * change)
    )
    xx_noisy = xx + np.float32(_NOISE)
    yy_noisy = yy + np.float32(_NOISE)
    determinant = xx_noisy * yy_noisy - xy * xy
    to_right = -(yy_noisy * xt - xy * yt) / determinant
    to_bottom = -(xx_noisy * yt - xy * xt) / determinant
    # farther than a pixel the linear step is not to be trusted; the coarser levels have found the rest
    return flow + np.clip([to_right, to_bottom], -1, 1), along * along + down * down


def _half(picture: NDArray) -> NDArray:
    """Return pictures (n, height, width) at half their size, blurred before."""
    return ndimage.gaussian_filter(picture, (0, 1, 1), mode="nearest")[:, ::2, ::2]


def _double(flow: NDArray, size: tuple[int, int]) -> NDArray:
    """Return a flow (2, n, height, width) on the next finer level, in its pixels."""
    position = [np.minimum(np.arange(n) / 2, m - 1) for n, m in zip(size, flow.shape[2:])]
    weights = [_line(at, m) for at, m in zip(position, flow.shape[2:])]
    return 2 * (weights[0] @ flow @ weights[1].T)


def _line(position: NDArray, n: int) -> NDArray:
    return np.stack([np.interp(position, np.arange(n), row) for row in np.eye(n)], axis=1).astype(np.float32)


def motion_energy(
    frames: ArrayLike,
    rate: float,
    *,
    temporal_frequencies: Sequence[float] = TEMPORAL_FREQUENCIES,
    spatial_frequencies: Sequence[float] = SPATIAL_FREQUENCIES,
    directions: Sequence[float] = DIRECTIONS,
    log: bool = True,
) -> NDArray[np.float32]:
    """Return the motion energy of each frame in a pyramid of spatiotemporal Gabor filters.

    Parameters
    ----------
    frames : uint8 array (n_frames, height, width, 3) or (n_films, n_frames, height, width, 3)
        Films are separate: nothing of one reaches the next. Beyond both ends a film is dark.
    rate : float
        Frames a second; a filter spans two thirds of a second.
    temporal_frequencies : sequence of float
        Hz, below half the rate.
    spatial_frequencies : sequence of float
        Cycles a picture's height, up to half its pixels.
    directions : sequence of float
        Degrees of the motion: 0 is to the right, 90 is up. (pymoten calls the opposite so.)
    log : bool
        The logarithm of the energy, as published.

    Returns
    -------
    energy : float32 array (n_frames, n_filters) or (n_films, n_frames, n_filters)
        Square root of the sum of squares of both filters of a pair; with ``log``, the logarithm of that plus 1e-5.

    Raises
    ------
    ImportError
        If pymoten is not installed.
    TypeError, ValueError
        If frames are not as expected, or cannot carry a frequency.
    """
    films, single = check_films(frames)
    rate = check_rate(rate)
    moten = _import_moten()
    filters = motion_filters(films.shape[2:4], rate, temporal_frequencies, spatial_frequencies, directions)
    # pymoten convolves in time, which plays its filters backward: one that is drawn as going to the right answers to
    # what goes to the left. Here a direction is that of the motion
    opposite = [
        each | {"direction": (each["direction"] + 180) % 360} if each["temporal_freq"] else each for each in filters
    ]
    n_films, n_frames = films.shape[:2]
    gap = int(filters[0]["filter_temporal_width"])
    energy = np.empty((n_films, n_frames, len(filters)), np.float32)
    # many films are filtered as one with dark frames between them, which is what pymoten takes the world outside of a
    # film to be: the filters are made once, and the numbers are those of each film by itself
    n_together = max(1, 2**26 // ((n_frames + gap) * (films.shape[2] * films.shape[3] + 8 * len(filters))))
    identity = {} if log else {"output_nonlinearity": _unchanged}
    for start in range(0, n_films, n_together):
        brightness = _GRAY_LEVELS * luminance(films[start : start + n_together])
        dark = np.pad(brightness, ((0, 0), (0, gap), (0, 0), (0, 0)))
        joined = dark.reshape(-1, *dark.shape[2:])
        answers = moten.core.project_stimulus_batched(joined, opposite, **identity)
        energy[start : start + n_together] = answers.reshape(*dark.shape[:2], -1)[:, :n_frames]
    return energy[0] if single else energy


def motion_filters(
    size: tuple[int, int],
    rate: float,
    temporal_frequencies: Sequence[float] = TEMPORAL_FREQUENCIES,
    spatial_frequencies: Sequence[float] = SPATIAL_FREQUENCIES,
    directions: Sequence[float] = DIRECTIONS,
) -> list[dict[str, float]]:
    """Return the filters of `motion_energy`, in its order.

    Parameters
    ----------
    size : (height, width)
        Pixels.
    rate : float
        Frames a second.
    temporal_frequencies, spatial_frequencies, directions : sequence of float
        See `motion_energy`.

    Returns
    -------
    filters : list of dict
        ``centerh``, ``centerv`` (picture heights from the left and the top), ``direction``, ``spatial_freq``,
        ``spatial_env``, ``temporal_freq``, ``temporal_env``, ...

    Raises
    ------
    ImportError, ValueError
        See `motion_energy`.
    """
    moten = _import_moten()
    rate = check_rate(rate)
    height, width = size
    _check_frequencies(temporal_frequencies, spatial_frequencies, directions, rate, height)
    width_in_frames = max(1, int(rate * 2 / 3))
    names, values = moten.core.mk_moten_pyramid_params(
        rate,
        filter_temporal_width=width_in_frames,
        aspect_ratio=width / height,
        temporal_frequencies=list(temporal_frequencies),
        spatial_frequencies=list(spatial_frequencies),
        spatial_directions=list(directions),
    )
    return [dict(zip(names, row.tolist())) for row in values]


def _check_frequencies(temporal: Any, spatial: Any, directions: Any, rate: float, height: int) -> None:
    """Check that frames can carry each frequency."""
    for name, values in (
        ("temporal_frequencies", temporal),
        ("spatial_frequencies", spatial),
        ("directions", directions),
    ):
        if not len(values) or not np.isfinite(np.asarray(values, float)).all():
            raise ValueError(f"{name} is {values!r}, expected one number or more")
    if min(temporal) < 0 or max(temporal) > rate / 2:
        raise ValueError(
            f"temporal_frequencies has {max(temporal):g} Hz, expected 0 to {rate / 2:g}, half of {rate:g} frames a "
            "second: read the film at a higher rate, or leave fast motion out"
        )
    if min(spatial) < 0 or max(spatial) > height / 2 or max(spatial) == 0:
        raise ValueError(
            f"spatial_frequencies has {max(spatial):g} cycles a picture, expected above 0 (0 may be among them) up to "
            f"{height / 2:g}, half of {height} pixels: take larger pictures, or leave fine gratings out"
        )


def _unchanged(energy: NDArray) -> NDArray:
    return energy


def _import_moten() -> ModuleType:
    try:
        return importlib.import_module("moten")
    except ImportError as error:
        raise ImportError(
            "motion energy needs pymoten, which is not installed: pip install 'naturalistic[video]'. optical_flow is "
            "another measure of motion, without it"
        ) from error
