"""Figures of the joint model: what each feature space adds to all others, by region, with its interval."""

import matplotlib.pyplot as plt
import numpy as np

from naturalistic.plotting.style import COLOURS, space_colour


def unique_by_region(values, bounds, regions, title, ylabel):
    """Draw what each feature space adds in each region: a dot, and its interval as a line.

    Parameters
    ----------
    values : dict of str to array (n_regions,)
        By space.
    bounds : dict of str to array (2, n_regions)
        Ends of the intervals.
    regions : sequence of str
    title, ylabel : str
        ``ylabel`` with the unit.

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig, ax = plt.subplots(figsize=(7.4, 3.2))
    ax.axhline(0, color=COLOURS["ceiling"], lw=0.8)
    width = 0.8 / len(values)
    for m, (name, y) in enumerate(values.items()):
        x = np.arange(len(regions)) + (m - (len(values) - 1) / 2) * width
        colour = space_colour(name)
        ax.vlines(x, *bounds[name], color=colour, lw=1.6)
        ax.plot(x, y, "o", color=colour, ms=3.5, label=name)
    ax.set_xticks(range(len(regions)), ["\n".join(region.split()) for region in regions])
    ax.set(ylabel=ylabel, title=title)
    fig.legend(loc="outside lower center", ncols=len(values), fontsize=8)
    return fig
