"""Figures of encoding: where each feature space predicts the cortex, by map and by region."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.patches import Patch
from nilearn import plotting as nilearn_plotting

from naturalistic.anatomy.surface import SIDES, meshes, sulcal_depth
from naturalistic.plotting.style import COLOURS, space_colour, spread
from naturalistic.plotting.surface import commonest, draw_flat


def maps_of_spaces(maps, title, label, *, vmin=0.0, vmax=None, cmap="viridis"):
    """Draw one map a row, all on one scale: outside of both inflated hemispheres, and both laid flat.

    Parameters
    ----------
    maps : dict of str to dict of str to array (10242,)
        By space; each from `surface.to_surface`. NaN is drawn as the bare surface.
    title, label : str
        ``label`` with the unit.
    vmin, vmax : float
        Ends of the colour bar; ``vmax`` is the 99.8th percentile of all maps by default.
    cmap : str or Colormap

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    values = np.concatenate([m[side] for m in maps.values() for side in SIDES])
    if vmax is None:
        vmax = float(np.nanpercentile(values, 99.8)) if np.isfinite(values).any() else 1.0
    fig, grid = _rows(len(maps))
    for row, (name, by_side) in enumerate(maps.items()):
        shown = _row(fig, grid, row, name, by_side, cmap, vmin, vmax, heads=row == 0)
    fig.colorbar(shown, cax=fig.add_subplot(grid[:, 5]), label=label)
    fig.suptitle(title)
    return fig


def best_map(rows, names, title):
    """Draw which space predicts a place best, in the colour of the space.

    Parameters
    ----------
    rows : dict of str to dict of str to array (10242,)
        By name of the row: index of the best space in ``names``, NaN where nothing is to be drawn.
    names : sequence of str
    title : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    colours = [space_colour(name) for name in names]
    fig, grid = _rows(len(rows))
    for row, (name, index) in enumerate(rows.items()):
        _row(fig, grid, row, name, index, ListedColormap(colours), -0.5, len(names) - 0.5, row == 0, classes=True)
    patches = [Patch(color=colour, label=name) for name, colour in zip(names, colours)]
    fig.legend(handles=patches, loc="outside lower center", ncols=len(names), fontsize=8)
    fig.suptitle(title)
    return fig


def scores_by_region(scores, title, ylabel, *, ceiling=None):
    """Draw scores by region: bars are means over subjects, dots are subjects.

    Parameters
    ----------
    scores : dict of str to dict of str to array (n_subjects,)
        By space, or by part of the variance ("only <space>", "shared"); by region.
    title, ylabel : str
    ceiling : dict of str to array (n_subjects,), optional
        By region; the mean is drawn as a line.

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    regions, width = list(next(iter(scores.values()))), 0.84 / len(scores)
    fig, ax = plt.subplots(figsize=(7.4, 3.2))
    ax.axhline(0, color=COLOURS["ceiling"], lw=0.8)
    for m, (name, by_region) in enumerate(scores.items()):
        x = np.arange(len(regions)) + (m - (len(scores) - 1) / 2) * width
        rows = np.array([by_region[region] for region in regions])
        colour = COLOURS["words"] if name == "shared" else space_colour(name.removeprefix("only "))
        with_value = np.isfinite(rows).any(axis=1)
        ax.bar(x[with_value], np.nanmean(rows[with_value], axis=1), width * 0.9, color=colour, alpha=0.8, label=name)
        ax.plot(
            x[:, None] + spread(rows.shape[1], width * 0.25), rows, ".", color=COLOURS["ceiling"], ms=2.5, alpha=0.7
        )
    if ceiling is not None:
        for k, region in enumerate(regions):
            ends, height = [k - 0.45, k + 0.45], [np.nanmean(ceiling[region])] * 2
            ax.plot(ends, height, "--", color=COLOURS["ceiling"], lw=1, label="ceiling" if not k else None)
    ax.set_xticks(range(len(regions)), ["\n".join(region.split()) for region in regions])
    ax.set(ylabel=ylabel, title=title)
    fig.legend(loc="outside lower center", ncols=len(scores) + 1, fontsize=8)
    return fig


def _rows(n):
    """Return a figure of ``n`` rows of maps and its grid: name, four maps, colour bar."""
    fig = plt.figure(figsize=(7.4, 1.15 * n + 0.65))
    grid = fig.add_gridspec(n, 6, width_ratios=[0.42, 1, 1.1, 1.1, 1, 0.07])
    return fig, grid


def _row(fig, grid, row, name, by_side, cmap, vmin, vmax, heads, classes=False):
    """Draw one map on the outside of both hemispheres and on both flat ones; return what a colour bar is made of."""
    shading = {"cmap": cmap, "vmin": vmin, "vmax": vmax}
    ax = fig.add_subplot(grid[row, 0])
    ax.axis("off")
    ax.text(0, 0.5, name, va="center", ha="left", fontsize=8, transform=ax.transAxes)
    for side, column in (("left", 1), ("right", 4)):
        ax = fig.add_subplot(grid[row, column], projection="3d")
        place = {"hemi": side, "view": "lateral", "bg_map": _folds(side, pale=classes), "axes": ax, "figure": fig}
        mesh, values = meshes("inflated")[SIDES.index(side)], by_side[side]
        bare = np.isnan(values).all()  # drawn as a map below its threshold: without any map the folds are paler
        nilearn_plotting.plot_surf_stat_map(
            mesh, stat_map=np.zeros(len(values)) if bare else values, **place, **shading, symmetric_cbar=False,
            colorbar=False, threshold=1.0 if bare else None, engine="matplotlib",
            avg_method=commonest if classes else None,
        )  # fmt: skip
        ax.set_box_aspect(None, zoom=1.55)
        if heads:
            ax.set_title(f"{side}, outside", fontsize="small", y=1.0)
    for side, column in (("left", 2), ("right", 3)):
        ax = fig.add_subplot(grid[row, column])
        draw_flat(ax, side, by_side[side], shading, classes)
        if heads:
            ax.set_title(f"{side}, flat", fontsize="small")
    return ScalarMappable(Normalize(vmin, vmax), cmap)


def _folds(side, pale):
    """Return what is drawn below a map; pale where grey is the colour of a class."""
    depth = sulcal_depth(side)
    return 0.25 * (depth - depth.min()) / np.ptp(depth) if pale else depth
