"""Color layout: a film as a grid of few colored cells.

Early visual cortex follows it, and a film that is drawn from it is a blurry one: what a generator of films begins from.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from naturalistic.features.video.frames import area_weights, check_films
from naturalistic.parameters import whole

GRID = (8, 8)  # rows, columns


def color_layout(frames: ArrayLike, grid: tuple[int, int] = GRID, *, per_film: bool = False) -> NDArray[np.float32]:
    """Return the mean color of each cell of a grid over the frames.

    Parameters
    ----------
    frames : uint8 array (n_frames, height, width, 3) or (n_films, n_frames, height, width, 3)
    grid : (rows, columns)
        Cells are equally large; a pixel between two counts for both by its area.
    per_film : bool
        The mean over the frames of a film, one row a film.

    Returns
    -------
    layout : float32 array (n_frames, rows * columns * 3) or (n_films, n_frames, rows * columns * 3)
        From 0 to 1: red, green and blue of the first row's cells, left to right, then of the next row. Per film
        (rows * columns * 3,) or (n_films, rows * columns * 3).

    Raises
    ------
    TypeError, ValueError
        If frames are not as expected, or the grid is finer than the pixels.
    """
    films, single = check_films(frames)
    n_films, n_frames, height, width, _ = films.shape
    n_rows = whole("grid[0]", grid[0], 1, height, hint="no more rows than pixels")
    n_columns = whole("grid[1]", grid[1], 1, width, hint="no more columns than pixels")
    rows = area_weights(height, n_rows) / 255
    columns = area_weights(width, n_columns)
    layout = np.empty((n_films, n_frames, n_rows, n_columns, 3), np.float32)
    for k, film in enumerate(films):  # one film in float32 at a time
        by_row = np.tensordot(film.astype(np.float32), rows, (1, 1))  # (n_frames, width, 3, rows)
        layout[k] = np.tensordot(by_row, columns, (1, 1)).transpose(0, 2, 3, 1)
    layout = layout.reshape(n_films, n_frames, -1)
    if per_film:
        layout = layout.mean(axis=1, dtype=np.float64).astype(np.float32)
    return layout[0] if single else layout


def layout_frames(
    layout: ArrayLike, size: tuple[int, int], grid: tuple[int, int] = GRID, *, smooth: bool = True
) -> NDArray[np.uint8]:
    """Return the frames that a layout describes: the blurry film that a video generator begins from.

    Parameters
    ----------
    layout : array (..., rows * columns * 3)
        From 0 to 1, as of `color_layout`; what was decoded may be outside, and is cut off there.
    size : (height, width)
        Pixels.
    grid : (rows, columns)
        Of the layout.
    smooth : bool
        Linear between the middles of cells; False: each cell in one color.

    Returns
    -------
    frames : uint8 array (..., height, width, 3)

    Raises
    ------
    ValueError
        If the layout is of another grid, or is not finite.
    """
    layout = np.asarray(layout, np.float32)
    n_rows = whole("grid[0]", grid[0])
    n_columns = whole("grid[1]", grid[1])
    if layout.ndim < 1 or layout.shape[-1] != n_rows * n_columns * 3:
        raise ValueError(
            f"layout has shape {layout.shape}, expected (..., {n_rows * n_columns * 3}) of a grid of "
            f"{n_rows} x {n_columns} cells in three colors"
        )
    if not np.isfinite(layout).all():
        raise ValueError("layout is not finite: decode it again, or leave out what could not be decoded")
    cells = layout.reshape(-1, n_rows, n_columns, 3)
    rows = _between_cells(whole("size[0]", size[0]), n_rows, smooth)
    columns = _between_cells(whole("size[1]", size[1]), n_columns, smooth)
    pixels = np.einsum("hr,nrck,wc->nhwk", rows, cells, columns, optimize=True)
    frames = (255 * np.clip(pixels, 0, 1)).round().astype(np.uint8)
    return frames.reshape(*layout.shape[:-1], *frames.shape[1:])


def _between_cells(n_pixels: int, n_cells: int, smooth: bool) -> NDArray[np.float32]:
    """Return the weight of each cell at each pixel, (n_pixels, n_cells); rows sum to 1."""
    position = (np.arange(n_pixels) + 0.5) * n_cells / n_pixels - 0.5
    if not smooth:
        position = np.clip(np.floor(position + 0.5), 0, n_cells - 1)
    cells = np.arange(n_cells)
    return np.stack([np.interp(position, cells, row) for row in np.eye(n_cells)], axis=1).astype(np.float32)
