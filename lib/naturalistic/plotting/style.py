"""The book's look: colours that colour-blind readers tell apart, one per thing, and small parts of figures."""

import matplotlib.pyplot as plt
import numpy as np

# Okabe & Ito's palette; a thing keeps its colour throughout the book
COLOURS = {
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
GENRE_COLOURS = {
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
EMBEDDING_COLOURS = {
    **dict.fromkeys(("mini-mulan", "clap", "muq-mulan"), "#0072B2"),
    **dict.fromkeys(("mini-ssl", "w2v-bert"), "#E69F00"),
    "encodec": "#D55E00",
    "text": "#009E73",
    "genre": "#CC79A7",
    "acoustic": "#999999",
}
# of the five levels of meaning in a film
LEVEL_COLOURS = {
    "Speech": "#E69F00",
    "Object": "#0072B2",
    "Story": "#009E73",
    "Summary": "#CC79A7",
    "TimePlace": "#56B4E9",
}
ROI_NAMES = {
    "LATL": "left anterior temporal",
    "RATL": "right anterior temporal",
    "LPTL": "left posterior temporal",
    "LIPL": "left inferior parietal",
    "LPreM": "left premotor",
    "LIFG": "left inferior frontal",
}


def style():
    """Set the book's look for all figures of a notebook."""
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


def colour_of(name, names=()):
    """Return the colour of a feature space by its name; layers share a hue, deeper is darker among ``names``.

    Parameters
    ----------
    name : str
    names : sequence of str
        All spaces of the figure.

    Returns
    -------
    colour : str or tuple
    """
    if name.startswith("layer "):
        deepest = max([int(n.split()[1]) for n in [*names, name] if n.startswith("layer ")])
        return plt.get_cmap("Blues")(0.35 + 0.6 * int(name.split()[1]) / max(deepest, 1))
    return COLOURS.get(name, COLOURS["highlight"])


def space_colour(name):
    """Return the colour of a feature space: embedding, level, or what is held against them; black for others.

    Parameters
    ----------
    name : str

    Returns
    -------
    colour : str
    """
    return {**COLOURS, **EMBEDDING_COLOURS, **LEVEL_COLOURS}.get(name, COLOURS["ceiling"])


def spread(n, width):
    """Return sideways offsets that keep dots apart, the same each time.

    Parameters
    ----------
    n : int
    width : float
        Largest offset to either side, in units of the axis.

    Returns
    -------
    offsets : array (n,)
    """
    return np.random.default_rng(0).uniform(-width, width, n)


def mean_with_interval(ax, x, group, k, colour, filled):
    """Draw the mean and the 95 % interval of element ``k`` of a `t_test_over_subjects`; open if not ``filled``.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    x : float
        Where it stands.
    group : GroupResult
        Of `inference.t_test_over_subjects`, or an `inference.MeanInterval`.
    k : int
    colour : str
    filled : bool
    """
    error = [[group.mean[k] - group.low[k]], [group.high[k] - group.mean[k]]]
    face = colour if filled else "white"
    ax.errorbar([x], [group.mean[k]], yerr=error, fmt="o", color=colour, mfc=face, ms=5, capsize=2, zorder=3)
