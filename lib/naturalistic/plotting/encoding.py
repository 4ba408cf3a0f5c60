"""Figures of encoding models: accuracy, maps, unique variance, weight axes."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.patches import Patch
from nilearn import plotting as nilearn_plotting
from numpy.typing import ArrayLike, NDArray

from naturalistic.anatomy.surface import SIDES, meshes, sulcal_depth
from naturalistic.inference import t_test_over_subjects
from naturalistic.plotting.style import (
    COLORS,
    LEVEL_COLORS,
    ROI_NAMES,
    color_limit,
    draw_mean,
    feature_color,
    space_color,
    spread,
)
from naturalistic.plotting.surface import draw_flat, majority_class

if TYPE_CHECKING:
    from naturalistic.encoding import AxesTest
    from naturalistic.inference import GroupResult, MeanInterval

_DIVERGING = "PuOr"  # color-blind readers tell orange from purple; white is 0


def space_maps(
    maps: Mapping[str, Mapping[str, ArrayLike]],
    title: str,
    label: str,
    *,
    vmin: float = 0.0,
    vmax: float | None = None,
    cmap: str | Colormap = "viridis",
) -> Figure:
    """Draw one map a row, inflated and flat, on a common scale.

    Parameters
    ----------
    maps : dict of str to dict of str to array (10242,)
        By space; each from `surface.to_surface`. NaN is drawn as the bare surface.
    title, label : str
        ``label`` with the unit.
    vmin, vmax : float
        Ends of the color bar; ``vmax`` is the 99.8th percentile of all maps by default.
    cmap : str or Colormap

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    values = np.concatenate([m[side] for m in maps.values() for side in SIDES])
    vmax = color_limit(values) if vmax is None else vmax
    fig, grid = _rows(len(maps))
    for row, (name, by_side) in enumerate(maps.items()):
        shown = _row(fig, grid, row, name, by_side, cmap, vmin, vmax, heads=row == 0)
    fig.colorbar(shown, cax=fig.add_subplot(grid[:, 5]), label=label)
    fig.suptitle(title)
    return fig


def best_space_map(rows: Mapping[str, Mapping[str, ArrayLike]], names: Sequence[str], title: str) -> Figure:
    """Draw the best feature space of each vertex, in the color of the space.

    Parameters
    ----------
    rows : dict of str to dict of str to array (10242,)
        By name of the row: index of the best space in ``names``, NaN where nothing is drawn.
    names : sequence of str
    title : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    colors = [space_color(name) for name in names]
    fig, grid = _rows(len(rows))
    for row, (name, index) in enumerate(rows.items()):
        _row(fig, grid, row, name, index, ListedColormap(colors), -0.5, len(names) - 0.5, row == 0, classes=True)
    patches = [Patch(color=color, label=name) for name, color in zip(names, colors)]
    fig.legend(handles=patches, loc="outside lower center", ncols=len(names), fontsize=8)
    fig.suptitle(title)
    return fig


def scores_by_region(table: pd.DataFrame, value: str, title: str, ylabel: str, *, ceiling: str | None = None) -> Figure:
    """Draw scores by region: bars are means over subjects, dots are subjects.

    Parameters
    ----------
    table : DataFrame
        A row for each ``region``, ``subject`` and ``space``; of a variance partition the space is its part ("only
        <space>", "shared").
    value : str
        Column of the scores.
    title, ylabel : str
    ceiling : str, optional
        Column of the noise ceilings; their mean over subjects is drawn as a line.

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    regions = list(table["region"].unique())
    spaces = list(table["space"].unique())
    width = 0.84 / len(spaces)
    fig, ax = plt.subplots(figsize=(7.4, 3.2))
    ax.axhline(0, color=COLORS["ceiling"], lw=0.8)
    for m, name in enumerate(spaces):
        x = np.arange(len(regions)) + (m - (len(spaces) - 1) / 2) * width
        of_space = table[table["space"] == name]
        rows = of_space.pivot_table(index="region", columns="subject", values=value, dropna=False, sort=False)
        rows = rows.loc[regions].to_numpy()
        color = COLORS["words"] if name == "shared" else space_color(name.removeprefix("only "))
        with_value = np.isfinite(rows).any(axis=1)
        ax.bar(x[with_value], np.nanmean(rows[with_value], axis=1), width * 0.9, color=color, alpha=0.8, label=name)
        ax.plot(x[:, None] + spread(rows.shape[1], width * 0.25), rows, ".", color=COLORS["ceiling"], ms=2.5, alpha=0.7)
    if ceiling is not None:
        heights = table.groupby("region")[ceiling].mean().loc[regions]
        for k, height in enumerate(heights):
            label = None if k else "ceiling"
            ax.plot([k - 0.45, k + 0.45], [height] * 2, "--", color=COLORS["ceiling"], lw=1, label=label)
    ax.set_xticks(range(len(regions)), ["\n".join(region.split()) for region in regions])
    ax.set(ylabel=ylabel, title=title)
    fig.legend(loc="outside lower center", ncols=len(spaces) + 1, fontsize=8)
    return fig


def _rows(n: int) -> tuple[Figure, GridSpec]:
    """Make a figure of ``n`` rows of maps, and its grid: name, four maps, color bar."""
    fig = plt.figure(figsize=(7.4, 1.15 * n + 0.65))
    grid = fig.add_gridspec(n, 6, width_ratios=[0.42, 1, 1.1, 1.1, 1, 0.07])
    return fig, grid


def _row(
    fig: Figure,
    grid: GridSpec,
    row: int,
    name: str,
    by_side: Mapping[str, ArrayLike],
    cmap: str | Colormap,
    vmin: float,
    vmax: float,
    heads: bool,
    classes: bool = False,
) -> ScalarMappable:
    """Draw one row of maps and return the mappable of its color bar."""
    shading = {"cmap": cmap, "vmin": vmin, "vmax": vmax}
    ax = fig.add_subplot(grid[row, 0])
    ax.axis("off")
    ax.text(0, 0.5, name, va="center", ha="left", fontsize=8, transform=ax.transAxes)
    for side, column in (("left", 1), ("right", 4)):
        ax = fig.add_subplot(grid[row, column], projection="3d")
        view = {"hemi": side, "view": "lateral", "bg_map": _folds(side, pale=classes), "axes": ax, "figure": fig}
        mesh = meshes("inflated")[SIDES.index(side)]
        values = by_side[side]
        bare = np.isnan(values).all()  # drawn as a map below its threshold: without any map the folds are paler
        nilearn_plotting.plot_surf_stat_map(
            mesh, stat_map=np.zeros(len(values)) if bare else values, **view, **shading, symmetric_cbar=False,
            colorbar=False, threshold=1.0 if bare else None, engine="matplotlib",
            avg_method=majority_class if classes else None,
        )  # fmt: skip
        ax.set_box_aspect(None, zoom=1.55)
        if heads:
            ax.set_title(f"{side}, lateral", fontsize="small", y=1.0)
    for side, column in (("left", 2), ("right", 3)):
        ax = fig.add_subplot(grid[row, column])
        draw_flat(ax, side, by_side[side], shading, classes)
        if heads:
            ax.set_title(f"{side}, flat", fontsize="small")
    return ScalarMappable(Normalize(vmin, vmax), cmap)


def _folds(side: str, pale: bool) -> NDArray:
    """Return the background of a map; pale where gray is the color of a class."""
    depth = sulcal_depth(side)
    return 0.25 * (depth - depth.min()) / np.ptp(depth) if pale else depth


def unique_by_region(
    values: Mapping[str, ArrayLike],
    bounds: Mapping[str, ArrayLike],
    regions: Sequence[str],
    title: str,
    ylabel: str,
    *,
    total: ArrayLike | None = None,
) -> Figure:
    """Draw the unique variance of each feature space by region, with intervals.

    Parameters
    ----------
    values : dict of str to array (n_regions,)
        By space.
    bounds : dict of str to array (2, n_regions)
        Ends of the intervals.
    regions : sequence of str
    title, ylabel : str
        ``ylabel`` with the unit.
    total : array (n_regions,), optional
        Score of the model of all spaces, drawn as a line across each region.

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig, ax = plt.subplots(figsize=(7.4, 3.2))
    ax.axhline(0, color=COLORS["ceiling"], lw=0.8)
    if total is not None:
        x = np.arange(len(regions))
        ax.hlines(total, x - 0.45, x + 0.45, color=COLORS["ceiling"], lw=1.6, label="all spaces")
    width = 0.8 / len(values)
    for m, (name, y) in enumerate(values.items()):
        x = np.arange(len(regions)) + (m - (len(values) - 1) / 2) * width
        color = space_color(name)
        ax.vlines(x, *bounds[name], color=color, lw=1.6)
        ax.plot(x, y, "o", color=color, ms=3.5, label=name)
    names = ["\n".join(region.split()) for region in regions]
    ax.set_xticks(range(len(regions)), names, fontsize=8 if len(regions) < 9 else 7)
    ax.set(ylabel=ylabel, title=title)
    fig.legend(loc="outside lower center", ncols=len(values) + (total is not None), fontsize=8)
    return fig


def explained_by_axis(
    test: "AxesTest", title: str, *, alpha: float = 0.05, color: str = LEVEL_COLORS["Story"]
) -> Figure:
    """Draw the variance along each weight axis, of subjects, their mean and the null.

    Parameters
    ----------
    test : AxesTest
        Its null is drawn from the lowest value to the (1 - alpha) quantile.
    title : str
    alpha : float
        Of significance; axes above it are drawn open.
    color : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    n_subjects, n_axes = test.axes.by_subject.shape
    x = np.arange(1, n_axes + 1)
    fig, ax = plt.subplots(figsize=(7.4, 2.8))
    low = 100 * test.null.min(axis=0)
    high = 100 * np.quantile(test.null, 1 - alpha, axis=0)
    ax.bar(x, high - low, 0.7, low, color=COLORS["chance"], label=f"shifted responses, lowest to {1 - alpha:.0%}")
    at = x[:, None] + spread(n_subjects, 0.18)
    ax.plot(at, 100 * test.axes.by_subject.T, ".", color=COLORS["ceiling"], ms=3.5, alpha=0.7)
    significant = test.p <= alpha
    for marked, face in ((significant, color), (~significant, "white")):
        ax.plot(x[marked], 100 * test.axes.explained[marked], "o", color=color, mfc=face, ms=7, zorder=3)
    ax.plot([], [], ".", color=COLORS["ceiling"], ms=3.5, label="subjects")
    ax.plot([], [], "o", color=color, ms=7, label=f"all (open: p > {alpha:g})")
    ax.set(xlabel="axis", ylabel="variance of weights (%)", title=title, xticks=x, ylim=(0, None))
    ax.legend(fontsize=8)
    return fig


def axis_maps(maps: Mapping[str, Mapping[str, ArrayLike]], title: str, label: str = "weight along the axis") -> Figure:
    """Draw one map of signed values a row on a common scale, white at 0.

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
    most = color_limit(values)
    return space_maps(maps, title, label, vmin=-most, vmax=most, cmap=_DIVERGING)


def values_by_roi(
    values: ArrayLike,
    rois: Sequence[str],
    title: str,
    ylabel: str,
    significant: ArrayLike | None = None,
    interval: "MeanInterval | None" = None,
) -> Figure:
    """Draw values of subjects (dots) and their mean with its 95 % interval, by region.

    Parameters
    ----------
    values : array (n_subjects, n_rois)
    rois : sequence of str
    title, ylabel : str
    significant : array of bool (n_rois,), optional
        Regions whose mean is drawn filled; the others are open.
    interval : inference.MeanInterval, optional
        For values that depend on each other across subjects (`inference.leave_one_out_interval`). By default Student's
        t interval, which is of other people with this very stimulus: say so beside the figure.

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig, ax = plt.subplots(figsize=(6.6, 2.8))
    x = np.arange(len(rois))
    group = interval or t_test_over_subjects(values)
    ax.axhline(0, color=COLORS["chance"], lw=0.8)
    ax.plot(x + spread(len(values), 0.15)[:, None], values, ".", color=COLORS["chance"], ms=4, zorder=1)
    filled = np.ones(len(rois), bool) if significant is None else np.asarray(significant)
    for k in x:
        _draw_mean_interval(ax, k, group, k, COLORS["ceiling"], filled[k])
    ax.set_xticks(x, ["\n".join([r, *ROI_NAMES.get(r, "").split()]) for r in rois])
    ax.set(ylabel=ylabel, title=title)
    return fig


def accuracy_by_roi(
    scores: Mapping[str, ArrayLike],
    ceiling: "MeanInterval",
    significant: Mapping[str, ArrayLike],
    rois: Sequence[str],
    title: str,
) -> Figure:
    """Draw accuracy by feature space in one panel a region, beside the ceiling.

    Subjects are dots and their mean a marker without a bar: they share the stimulus, so that their spread says nothing
    about other stimuli.

    Parameters
    ----------
    scores : dict of str to array (n_subjects, n_rois)
        Correlation r of each feature space.
    ceiling : inference.MeanInterval
        Arrays (n_rois,), from `inference.leave_one_out_interval`.
    significant : dict of str to array of bool (n_rois,)
        Drawn as filled (significant) or open markers.
    rois : sequence of str
    title : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    n_rows = -(-len(rois) // 3)
    fig, axes = plt.subplots(n_rows, 3, figsize=(7.4, 2.4 * n_rows), sharex=True, sharey=True, squeeze=False)
    offsets = spread(len(next(iter(scores.values()))), 0.2)
    for k, (roi, ax) in enumerate(zip(rois, axes.flat)):
        ax.axhspan(ceiling.low[k], ceiling.high[k], color=COLORS["ceiling"], alpha=0.12, lw=0)
        ax.axhline(ceiling.mean[k], color=COLORS["ceiling"], lw=1, ls="--")
        ax.axhline(0, color=COLORS["chance"], lw=0.8)
        for x, (name, values) in enumerate(scores.items()):
            color = feature_color(name, scores)
            ax.plot(x + offsets, values[:, k], ".", color=color, ms=3, alpha=0.5)
            draw_mean(ax, x, np.mean(values[:, k]), color, bool(significant[name][k]))
        ax.set_title(f"{roi}: {ROI_NAMES.get(roi, '')}")
        ax.set_xticks(range(len(scores)), list(scores))
    for ax in axes[:, 0]:
        ax.set_ylabel("accuracy (r)")
    fig.suptitle(title)
    return fig


def accuracy_by_context(windows: Sequence[int], scores: ArrayLike, rois: Sequence[str], title: str) -> Figure:
    """Draw accuracy by words of context, one panel a region: subjects (thin) and their mean.

    Parameters
    ----------
    windows : sequence of int (n_windows,)
        Words of context.
    scores : array (n_windows, n_subjects, n_rois)
    rois : sequence of str
    title : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig, axes = plt.subplots(1, len(rois), figsize=(7.4, 2.4), sharey=True, squeeze=False)
    for k, (roi, ax) in enumerate(zip(rois, axes[0])):
        by_window = np.asarray(scores)[:, :, k]
        ax.axhline(0, color=COLORS["chance"], lw=0.8)
        ax.plot(windows, by_window, color=COLORS["chance"], lw=0.4, alpha=0.6)
        ax.plot(windows, by_window.mean(axis=1), "o-", color=COLORS["layers"], ms=3)
        ax.set_xscale("log", base=2)
        ax.set_xticks(windows[::2], [f"{w:g}" for w in windows[::2]])
        ax.set_title(roi)
    axes[0, 0].set_ylabel("accuracy (r)")
    fig.supxlabel("context (words)", fontsize="medium")
    fig.suptitle(title)
    return fig


def fir_responses(delays: ArrayLike, weights: ArrayLike, rois: Sequence[str], title: str) -> Figure:
    """Draw FIR weights by delay, one panel a region, with their mean.

    Parameters
    ----------
    delays : array (n_delays,)
        In s.
    weights : array (n_subjects, n_rois, n_delays)
    rois : sequence of str
    title : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig, axes = plt.subplots(1, len(rois), figsize=(7.4, 2.4), sharey=True, squeeze=False)
    for k, (roi, ax) in enumerate(zip(rois, axes[0])):
        ax.axhline(0, color=COLORS["chance"], lw=0.8)
        ax.plot(delays, weights[:, k].T, color=COLORS["chance"], lw=0.4, alpha=0.6)
        ax.plot(delays, weights[:, k].mean(axis=0), "o-", color=COLORS["layers"], ms=3)
        ax.set_title(roi)
    low, high = np.percentile(weights, [1, 99])
    axes[0, 0].set(ylim=(low, high), ylabel="weight (SD of BOLD\nper SD of word rate)")
    fig.supxlabel("delay (s)", fontsize="medium")
    fig.suptitle(title)
    return fig


def _draw_mean_interval(
    ax: Axes, x: float, group: "GroupResult | MeanInterval", k: int, color: str, filled: bool
) -> None:
    """Draw the mean and the 95 % interval of element ``k``; open if not ``filled``."""
    error = [[group.mean[k] - group.low[k]], [group.high[k] - group.mean[k]]]
    face = color if filled else "white"
    ax.errorbar([x], [group.mean[k]], yerr=error, fmt="o", color=color, mfc=face, ms=5, capsize=2, zorder=3)
