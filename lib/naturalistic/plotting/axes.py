"""Figures of weight axes: what each explains beside what shifted responses would, and where it lies on the cortex."""

import matplotlib.pyplot as plt
import numpy as np

from naturalistic.anatomy.surface import SIDES
from naturalistic.plotting.encoding import maps_of_spaces
from naturalistic.plotting.style import COLOURS, LEVEL_COLOURS, spread

DIVERGING = "PuOr"  # orange and purple are told apart by colour-blind readers too; white is 0


def explained_by_axis(test, title, *, alpha=0.05, colour=LEVEL_COLOURS["Story"]):
    """Draw the share of variance along each axis: subjects (dots), mean (large; open if not significant), null (grey).

    Parameters
    ----------
    test : AxesTest
        From `encoding.weight_axes_null`; its null is drawn from the lowest value to the (1 - alpha) quantile.
    title : str
    alpha : float
        Of significance.
    colour : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    n_subjects, n_axes = test.axes.by_subject.shape
    x = np.arange(1, n_axes + 1)
    fig, ax = plt.subplots(figsize=(7.4, 2.8))
    low, high = 100 * test.null.min(axis=0), 100 * np.quantile(test.null, 1 - alpha, axis=0)
    ax.bar(x, high - low, 0.7, low, color=COLOURS["chance"], label=f"shifted responses, up to their {1 - alpha:.0%}")
    at = x[:, None] + spread(n_subjects, 0.18)
    ax.plot(at, 100 * test.axes.by_subject.T, ".", color=COLOURS["ceiling"], ms=3.5, alpha=0.7)
    holds = test.p <= alpha
    for marked, face in ((holds, colour), (~holds, "white")):
        ax.plot(x[marked], 100 * test.axes.explained[marked], "o", color=colour, mfc=face, ms=7, zorder=3)
    ax.plot([], [], ".", color=COLOURS["ceiling"], ms=3.5, label="subjects")
    ax.plot([], [], "o", color=colour, ms=7, label=f"all (open: p > {alpha:g})")
    ax.set(xlabel="axis", ylabel="variance of weights (%)", title=title, xticks=x, ylim=(0, None))
    ax.legend(fontsize=8)
    return fig


def axis_maps(maps, title, label="weight along the axis"):
    """Draw one map of signed values a row, white at 0, all on one scale; see `encoding.maps_of_spaces`.

    Parameters
    ----------
    maps : dict of str to dict of str to array (10242,)
        By name of the axis, such as ``"axis 1"``.
    title, label : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    values = np.abs(np.concatenate([by_side[side] for by_side in maps.values() for side in SIDES]))
    most = float(np.nanpercentile(values, 99.8)) if np.isfinite(values).any() else 1.0
    return maps_of_spaces(maps, title, label, vmin=-most, vmax=most, cmap=DIVERGING)
