"""Style of figures, with colors that color-blind readers tell apart."""

import importlib
import io
import sys
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import Collection, PathCollection
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from numpy.typing import NDArray

MOST_SVG = 150_000  # bytes; above it a page takes the PNG
MARKER_BYTES = 105  # of an SVG, about
VERTEX_BYTES = 20

# Okabe & Ito's palette; each item keeps its color throughout the book
COLORS = {
    "controls": "#999999",
    "static": "#E69F00",
    "layers": "#0072B2",
    "ceiling": "#000000",
    "chance": "#BBBBBB",
    "words": "#56B4E9",
    "joint": "#009E73",
    "highlight": "#D55E00",
}
# Tol's muted palette, one a genre; used as labels beside names, never alone
GENRE_COLORS = {
    "blues": "#332288",
    "classical": "#88CCEE",
    "country": "#DDCC77",
    "disco": "#AA4499",
    "hiphop": "#117733",
    "jazz": "#CC6677",
    "metal": "#222222",
    "pop": "#EE99AA",
    "reggae": "#44AA99",
    "rock": "#882255",
}
# by what they stand for: a joint model blue, a model of sound alone orange, a codec red; others as they are
_EMBEDDING_COLORS = {
    **dict.fromkeys(("mini-mulan", "clap", "muq-mulan"), "#0072B2"),
    **dict.fromkeys(("mini-ssl", "w2v-bert"), "#E69F00"),
    "encodec": "#D55E00",
    "text": "#009E73",
    "genre": "#CC79A7",
    "acoustic": "#999999",
}
# of the five levels of meaning in a film
LEVEL_COLORS = {
    "Speech": "#E69F00",
    "Object": "#0072B2",
    "Story": "#009E73",
    "Summary": "#CC79A7",
    "TimePlace": "#56B4E9",
}
# of descriptions of a real film; layers of a language model are blue, static vectors orange
FILM_COLORS = {
    "picture": "#009E73",
    "sound": "#56B4E9",
    "speech": "#999999",
    "emotions": "#882255",
    "place": "#DDCC77",
    "position": "#117733",
    "random": "#CC79A7",
    "audio description": "#BBBBBB",
}
ROI_NAMES = {
    "LATL": "left anterior temporal",
    "RATL": "right anterior temporal",
    "LPTL": "left posterior temporal",
    "LIPL": "left inferior parietal",
    "LPreM": "left premotor",
    "LIFG": "left inferior frontal",
}


def set_style() -> None:
    """Set the style of the book for all figures of a notebook.

    In a notebook figures of lines, bars and dots are also displayed as SVG, which is sharp at any width.
    """
    plt.rcParams.update(
        {
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.titlesize": "medium",
            "figure.constrained_layout.use": True,
            "figure.dpi": 110,
            "font.size": 9,
            "legend.frameon": False,
        }
    )
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is not None:
        if "inline" in plt.get_backend():
            importlib.import_module("matplotlib_inline.backend_inline")  # its import takes other formats away
        shell.display_formatter.formatters["image/svg+xml"].for_type(Figure, small_svg)


def small_svg(fig: Figure) -> str | None:
    """Return a figure as SVG, or None if it holds images or surfaces or would be large.

    Parameters
    ----------
    fig : matplotlib.figure.Figure

    Returns
    -------
    svg : str or None
    """
    if fig.findobj(AxesImage) or _svg_bytes(fig) > MOST_SVG:  # drawing it would take seconds
        return None
    file = io.StringIO()
    fig.savefig(file, format="svg", bbox_inches="tight", metadata={"Date": None})
    svg = file.getvalue()
    return svg if len(svg) <= MOST_SVG else None


def _svg_bytes(fig: Figure) -> int:
    """Return about how large the lines, dots and surfaces of a figure are as SVG."""
    n_markers = 0
    n_vertices = 0
    for line in fig.findobj(lambda artist: isinstance(artist, Line2D)):
        n_points = len(np.atleast_1d(line.get_xdata()))
        n_vertices += n_points * (line.get_linestyle() != "None")
        n_markers += n_points * (line.get_marker() not in ("None", None, ""))
    for each in fig.findobj(lambda artist: isinstance(artist, Collection)):
        if isinstance(each, PathCollection):
            n_markers += len(each.get_offsets())
        else:
            n_vertices += sum(len(path.vertices) for path in each.get_paths())
    return MARKER_BYTES * n_markers + VERTEX_BYTES * n_vertices


def feature_color(name: str, names: Sequence[str] = ()) -> str | tuple[float, ...]:
    """Return the color of a feature space; layers share a hue, darker with depth.

    Parameters
    ----------
    name : str
    names : sequence of str
        All spaces of the figure.

    Returns
    -------
    color : str or tuple
    """
    if name.startswith("layer "):
        deepest = max([int(n.split()[1]) for n in [*names, name] if n.startswith("layer ")])
        return plt.get_cmap("Blues")(0.35 + 0.6 * int(name.split()[1]) / max(deepest, 1))
    return {**FILM_COLORS, **COLORS}.get(name, COLORS["highlight"])


def space_color(name: str) -> str:
    """Return the color of an embedding, a level or a control; black for other names.

    Parameters
    ----------
    name : str

    Returns
    -------
    color : str
    """
    if name.startswith("layer "):
        return COLORS["layers"]
    return {**COLORS, **FILM_COLORS, **_EMBEDDING_COLORS, **LEVEL_COLORS}.get(name, COLORS["ceiling"])


def color_limit(values: NDArray) -> float:
    """Return the end of a color bar: the 99.8th percentile, so that single values do not stretch it.

    Parameters
    ----------
    values : array
        NaN is left out; where nothing is finite the end is 1.

    Returns
    -------
    limit : float
    """
    return float(np.nanpercentile(values, 99.8)) if np.isfinite(values).any() else 1.0


def spread(n: int, width: float) -> NDArray:
    """Return horizontal offsets that keep dots apart, the same in each call.

    Parameters
    ----------
    n : int
    width : float
        Largest offset, in units of the axis.

    Returns
    -------
    offsets : array (n,)
    """
    return np.random.default_rng(0).uniform(-width, width, n)


def draw_mean(ax: Axes, x: float, mean: float, color: str | tuple[float, ...], filled: bool, marker: str = "o") -> None:
    """Draw a mean as a marker, open if not ``filled``.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    x, mean : float
    color : color
    filled : bool
    marker : str
        A square (``"s"``) is smaller.
    """
    size = 5 if marker == "o" else 3.5
    ax.plot([x], [mean], marker, color=color, mfc=color if filled else "white", ms=size, zorder=3)
