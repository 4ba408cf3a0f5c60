"""Style of figures, with colors that color-blind readers tell apart."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

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
    """Set the style of the book for all figures of a notebook."""
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
