"""Large flat maps of the cortex, one feature space a row, with the names of regions."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import ArrayLike

from naturalistic.anatomy.surface import SIDES
from naturalistic.plotting.style import color_limit, space_color
from naturalistic.plotting.surface import NAMED, draw_flat, name_regions


def flat_maps(
    maps: Mapping[str, Mapping[str, ArrayLike]],
    title: str,
    label: str,
    *,
    vmin: float = 0.0,
    vmax: float | None = None,
    regions: Sequence[str] = NAMED,
) -> Figure:
    """Draw one pair of large flat maps a row on a common scale, with names of regions.

    Parameters
    ----------
    maps : dict of str to dict of str to array (10242,)
        By space; each from `surface.to_surface`. NaN is drawn as the bare surface.
    title, label : str
        ``label`` with the unit.
    vmin, vmax : float
        Ends of the color bar; ``vmax`` is the 99.8th percentile of all maps by default.
    regions : sequence of str
        Of `naturalistic.anatomy.regions`, named on the first row.

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    values = np.concatenate([by_side[side] for by_side in maps.values() for side in SIDES])
    vmax = color_limit(values) if vmax is None else vmax
    shading = {"cmap": "viridis", "vmin": vmin, "vmax": vmax}
    fig, axes = _draw_rows(maps, shading, regions, classes=False)
    fig.colorbar(ScalarMappable(Normalize(vmin, vmax), "viridis"), ax=axes, label=label, aspect=40, shrink=0.8)
    fig.suptitle(title)
    return fig


def flat_class_maps(
    maps: Mapping[str, Mapping[str, ArrayLike]], names: Sequence[str], title: str, *, regions: Sequence[str] = NAMED
) -> Figure:
    """Draw the class of each vertex on large flat maps, in the color of the class.

    Parameters
    ----------
    maps : dict of str to dict of str to array (10242,)
        By name of the row: index of the class in ``names``, NaN where nothing is drawn.
    names : sequence of str
        Feature spaces.
    title : str
    regions : sequence of str
        As in `flat_maps`.

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    colors = [space_color(name) for name in names]
    shading = {"cmap": ListedColormap(colors), "vmin": -0.5, "vmax": len(names) - 0.5}
    fig, _ = _draw_rows(maps, shading, regions, classes=True)
    patches = [Patch(color=color, label=name) for name, color in zip(names, colors)]
    fig.legend(handles=patches, loc="outside lower center", ncols=len(names), fontsize=8)
    fig.suptitle(title)
    return fig


def _draw_rows(
    maps: Mapping[str, Mapping[str, ArrayLike]], shading: dict, regions: Sequence[str], classes: bool
) -> tuple[Figure, np.ndarray]:
    """Draw the flat maps of both hemispheres, one row a map."""
    fig, axes = plt.subplots(len(maps), 2, figsize=(7.4, 2.5 * len(maps) + 0.4), squeeze=False)
    for row, (name, by_side) in enumerate(maps.items()):
        for column, side in enumerate(SIDES):
            ax = axes[row, column]
            draw_flat(ax, side, by_side[side], shading, classes)
            ax.set_title(f"{name}, {side}", fontsize="small")
            if row == 0:
                name_regions(ax, column, regions)
    return fig, axes
