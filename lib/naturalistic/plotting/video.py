"""Figures of films: targets by region, scores of methods, stills and animated sheets."""

import base64
import html
import io
import textwrap
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import HTML
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from naturalistic.plotting.style import COLORS, spread

__all__ = ["film_sheet", "film_stills", "identification_by_method", "target_by_region"]

GAP = 4  # pixels between films of a sheet
MOST_BYTES = 150_000  # of a sheet


def target_by_region(table: pd.DataFrame, title: str, value: str = "identification") -> Figure:
    """Draw what is read from where: a cell a region and target, mean over subjects.

    Parameters
    ----------
    table : DataFrame
        A row for each subject, ``region`` and ``target``, with ``value``, of which .5 is chance.
    title : str
    value : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    means = table.pivot_table(index="region", columns="target", values=value, sort=False)
    fig, ax = plt.subplots(figsize=(4.2, 0.34 * len(means) + 1.1))
    picture = ax.imshow(means, vmin=0.5, vmax=1, cmap="Blues", aspect="auto")
    ax.set_xticks(range(means.shape[1]), means.columns)
    ax.set_yticks(range(len(means)), means.index)
    for row, of_region in enumerate(means.to_numpy()):
        for column, score in enumerate(of_region):
            ax.text(column, row, f"{score:.2f}", ha="center", va="center", color="w" if score > 0.8 else "k")
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    fig.colorbar(picture, ax=ax, label="identification accuracy (chance .5)")
    ax.set_title(title)
    return fig


def identification_by_method(table: pd.DataFrame, title: str) -> Figure:
    """Draw the scores of methods, a panel a measure, a dot a subject and a bar their mean.

    Parameters
    ----------
    table : DataFrame
        A row for each ``method``, ``measure`` and subject, with ``identification``.
    title : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    methods = list(table["method"].unique())
    measures = list(table["measure"].unique())
    fig, axes = plt.subplots(1, len(measures), figsize=(7.4, 0.32 * len(methods) + 1.2), sharey=True, squeeze=False)
    for measure, ax in zip(measures, axes[0]):
        for row, method in enumerate(methods):
            chosen = (table["measure"] == measure) & (table["method"] == method)
            scores = table.loc[chosen, "identification"].to_numpy()
            ax.plot(scores, row + spread(len(scores), 0.15), ".", color=COLORS["chance"])
            ax.plot([scores.mean()] * 2, [row - 0.32, row + 0.32], color=COLORS["layers"], lw=2.5)
        ax.axvline(0.5, color=COLORS["chance"], ls="--", lw=1)
        ax.set(xlim=(0.35, 1.02), title=measure)
    axes[0, 0].set_yticks(range(len(methods)), methods)
    axes[0, 0].invert_yaxis()
    fig.supxlabel("identification accuracy", fontsize="medium")
    fig.suptitle(title)
    return fig


def film_stills(
    films: Mapping[str, ArrayLike], rows: Sequence[str], title: str, frames: Sequence[int] = (0, -1)
) -> Figure:
    """Draw frames of films side by side: a row a film, some frames for each kind.

    Parameters
    ----------
    films : dict of str to uint8 array (n_films, n_frames, height, width, 3)
        By kind, such as ``"true"`` and ``"generated"``.
    rows : sequence of str
        Name of each film.
    title : str
    frames : sequence of int
        Which frames.

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    width = 0.15 + 0.75 * len(frames)  # inches
    size = (max(width * len(films), 3.0), 0.85 * len(rows) + 0.7)
    fig, axes = plt.subplots(len(rows), len(films), figsize=size, squeeze=False)
    for column, (kind, of_kind) in enumerate(films.items()):
        for row, name in enumerate(rows):
            ax = axes[row, column]
            shown = np.asarray(of_kind[row])
            ax.imshow(np.concatenate([shown[k] for k in frames], axis=1))
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
            if row == 0:
                ax.set_title(textwrap.fill(kind, int(11 * width)), fontsize="small")
            if column == 0:
                ax.set_ylabel(name, fontsize="x-small")
    fig.suptitle(title)
    return fig


def film_sheet(films: Mapping[str, ArrayLike], alt: str, rate: float = 8 / 3, zoom: int = 2) -> HTML:
    """Return films that move side by side, as one animated picture (WebP) of 150 kB at most.

    Parameters
    ----------
    films : dict of str to uint8 array (n_films, n_frames, height, width, 3)
        By kind; a column each, a row a film.
    alt : str
        Text for those who do not see it.
    rate : float
        Frames a second.
    zoom : int
        Screen pixels a pixel.

    Returns
    -------
    sheet : HTML
        A page printed on paper leaves it out: draw `film_stills` beside it.
    """
    pictures = [Image.fromarray(frame) for frame in sheet_frames(films)]
    encoded = b""
    for quality in (80, 60, 40, 25, 10):
        buffer = io.BytesIO()
        options = {"save_all": True, "append_images": pictures[1:], "duration": round(1000 / rate), "loop": 0}
        pictures[0].save(buffer, "WEBP", quality=quality, method=4, **options)
        encoded = buffer.getvalue()
        if len(encoded) <= MOST_BYTES:
            break
    width = pictures[0].width * zoom
    names = "".join(f'<span style="flex:1;text-align:center">{html.escape(kind)}</span>' for kind in films)
    return HTML(
        f'<div class="film-sheet" style="max-width:{width}px"><div style="display:flex;font-size:small">{names}</div>'
        f'<img style="width:100%;image-rendering:pixelated" alt="{html.escape(alt, quote=True)}" '
        f'src="data:image/webp;base64,{base64.b64encode(encoded).decode()}"></div>'
    )


def sheet_frames(films: Mapping[str, ArrayLike]) -> NDArray[np.uint8]:
    """Return the frames of a sheet of films: (n_frames, height, width, 3), white between films.

    Parameters
    ----------
    films : dict of str to uint8 array (n_films, n_frames, height, width, 3)
    """
    arrays = [np.asarray(of_kind) for of_kind in films.values()]
    shapes = {array.shape for array in arrays}
    if len(shapes) != 1 or arrays[0].ndim != 5:
        raise ValueError(f"films have shapes {sorted(shapes)}, expected one: (n_films, n_frames, height, width, 3)")
    n_films, n_frames, height, width, _ = arrays[0].shape
    sheet = np.full(
        (n_frames, n_films * (height + GAP) - GAP, len(arrays) * (width + GAP) - GAP, 3), 255, dtype=np.uint8
    )
    for column, array in enumerate(arrays):
        left = column * (width + GAP)
        for row in range(n_films):
            top = row * (height + GAP)
            sheet[:, top : top + height, left : left + width] = array[row]
    return sheet
