"""Frames of films: checks, luminance, windows of frames, and pictures as a network takes them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from naturalistic.features.audio.windows import n_windows

_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as pictures and videos are coded


def check_frames(frames: ArrayLike | Sequence[ArrayLike]) -> tuple[list[NDArray[np.uint8]], bool]:
    """Check the frames of a film, or of several.

    Parameters
    ----------
    frames : array (n_frames, height, width, 3) or (n_films, n_frames, height, width, 3), or list of the first
        uint8, red, green and blue. Films of a list may differ in length and size.

    Returns
    -------
    films : list of uint8 array (n_frames, height, width, 3)
    single : bool
        Whether it was one film by itself.

    Raises
    ------
    TypeError, ValueError
        If they are of another type or shape, or there are none.
    """
    if isinstance(frames, (list, tuple)) and frames and np.ndim(frames[0]) == 4:
        films = [np.asarray(film) for film in frames]
        single = False
    else:
        films = np.asarray(frames)
        single = films.ndim == 4
        films = [films] if single else films
    shape = np.shape(films[0]) if len(films) else ()
    for k, film in enumerate(films):
        name = "frames" if single else f"frames[{k}]"
        if np.ndim(film) != 4 or film.shape[-1] != 3 or not film.size:
            raise ValueError(
                f"{name} has shape {np.shape(film)}, expected (n_frames, height, width, 3), "
                "one frame or more; gray pictures are np.repeat(gray[..., None], 3, -1)"
            )
        if film.dtype != np.uint8:
            raise TypeError(
                f"{name} is of {film.dtype}, expected uint8 from 0 to 255: of floats from "
                "0 to 1, (255 * frames).round().astype('uint8')"
            )
    if not shape:
        raise ValueError("frames has no film, expected one or more")
    return list(films), single


def check_films(frames: ArrayLike | Sequence[ArrayLike]) -> tuple[NDArray[np.uint8], bool]:
    """Check films of one length and size, and return them as one array.

    Parameters
    ----------
    frames : array (n_frames, height, width, 3) or (n_films, n_frames, height, width, 3), or list of the first

    Returns
    -------
    films : uint8 array (n_films, n_frames, height, width, 3)
    single : bool

    Raises
    ------
    TypeError, ValueError
        See `check_frames`; or if lengths or sizes differ.
    """
    films, single = check_frames(frames)
    shapes = sorted({film.shape for film in films})
    if len(shapes) > 1:
        raise ValueError(f"frames has films of shapes {shapes[0]} and {shapes[-1]}, expected one: pass them one by one")
    return np.stack(films) if not isinstance(frames, np.ndarray) else np.asarray(frames).reshape(-1, *shapes[0]), single


def luminance(films: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return how bright each pixel is, from 0 to 1: the weighted sum of red, green and blue (ITU-R BT.601).

    Parameters
    ----------
    films : uint8 array (..., height, width, 3)

    Returns
    -------
    luminance : float32 array (..., height, width)
    """
    return films.astype(np.float32) @ (_LUMINANCE / 255)


def area_weights(n_pixels: int, n_cells: int) -> NDArray[np.float32]:
    """Return the share of each pixel in the mean of each cell, (n_cells, n_pixels).

    Rows sum to 1; a pixel on a border counts for both cells by its area, so any size has any number of cells.
    """
    edges = np.arange(n_cells + 1) * n_pixels / n_cells
    pixels = np.arange(n_pixels)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    weights = np.maximum(overlap, 0)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def count_windows(n_frames: int, rate: float, window: float | None, hop: float) -> int:
    """Return the number of whole windows of a film; 1 where ``window`` is None, the whole film.

    Parameters
    ----------
    n_frames : int
    rate : float
        Frames a second.
    window, hop : float
        s.
    """
    if window is None:
        return 1
    return n_windows(n_frames, rate, window, hop)


def frames_of_windows(
    n_frames: int, rate: float, count: int, window: float | None, hop: float, n_sampled: int
) -> NDArray[np.intp]:
    """Return which frames stand for each window: ``n_sampled``, at the middles of as many equal parts of it.

    Parameters
    ----------
    n_frames : int
        Of the film.
    rate : float
        Frames a second.
    count : int
        Windows, of `count_windows`.
    window, hop : float
        s; the whole film if ``window`` is None.
    n_sampled : int
        A film of fewer frames a window gives some of them twice.

    Returns
    -------
    index : int array (count, n_sampled)
    """
    length = n_frames / rate if window is None else window
    times = np.arange(count)[:, None] * hop + (np.arange(n_sampled) + 0.5) * length / n_sampled
    # a time on the border of two frames is of the second, whatever the rounding
    return np.clip(np.floor(times * rate + 1e-6).astype(np.intp), 0, n_frames - 1)


def window_middles(count: int, window: float, hop: float) -> NDArray[np.float64]:
    """Return the middle of each window in s, (count,)."""
    return np.arange(count) * hop + window / 2


def check_rate(rate: Any, name: str = "rate") -> float:
    """Return a number of frames a second.

    Raises
    ------
    ValueError
        If it is no positive number.
    """
    is_number = isinstance(rate, (int, float, np.number)) and not isinstance(rate, bool)
    if not (is_number and np.isfinite(rate) and rate > 0):
        raise ValueError(f"{name} is {rate!r}, expected a positive number of frames a second")
    return float(rate)
