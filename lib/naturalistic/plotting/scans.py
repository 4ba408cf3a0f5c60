"""Figures of scans: motion, preprocessing, noise ceilings."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from naturalistic.plotting.style import COLORS, spread


def head_motion(motion: ArrayLike, displacement: ArrayLike, runs: ArrayLike, tr: float, title: str) -> Figure:
    """Draw translations, rotations and framewise displacement over all runs.

    Parameters
    ----------
    motion : array (n_trs, 6)
        In mm and rad.
    displacement : array (n_trs,)
        Framewise displacement, in mm.
    runs : array (n_trs,)
        Gray lines mark the start of each run.
    tr : float
        In s.
    title : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    minutes = np.arange(len(motion)) * tr / 60
    fig, axes = plt.subplots(3, 1, figsize=(7.4, 4.2), sharex=True)
    shades = (COLORS["layers"], COLORS["static"], COLORS["joint"])
    rows = [(motion[:, :3], "shift (mm)"), (np.rad2deg(motion[:, 3:]), "rotation (deg)")]
    for ax, (lines, label) in zip(axes, rows):
        for line, name, shade in zip(lines.T, "xyz", shades):
            ax.plot(minutes, line, color=shade, lw=0.7, label=name)
        ax.set_ylabel(label)
    axes[0].legend(ncols=3, loc="lower right", bbox_to_anchor=(1, 0.97), fontsize=7.5)
    axes[2].plot(minutes, displacement, color=COLORS["ceiling"], lw=0.5)
    axes[2].set(ylabel="from volume\nto volume (mm)", xlabel="minutes of scanning", xlim=(0, minutes[-1]))
    for ax in axes:
        for start in minutes[np.flatnonzero(np.diff(runs)) + 1]:
            ax.axvline(start, color=COLORS["chance"], lw=0.5, zorder=0)
    fig.suptitle(title)
    return fig


def voxel_by_step(steps: Mapping[str, ArrayLike], tr: float, title: str) -> Figure:
    """Draw the time course of a voxel in one run after each step of preprocessing.

    Parameters
    ----------
    steps : dict of str to array (n_trs,)
        By step, in order; a step may have fewer volumes, dropped at the start.
    tr : float
        In s.
    title : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig, axes = plt.subplots(len(steps), 1, figsize=(7.4, 1.05 * len(steps) + 0.5), sharex=True, squeeze=False)
    axes = axes[:, 0]
    longest = max(map(len, steps.values()))
    for ax, (name, series) in zip(axes, steps.items()):
        seconds = (np.arange(len(series)) + longest - len(series)) * tr
        ax.plot(seconds, series, color=COLORS["layers"], lw=0.8)
        ax.set_title(name, loc="left", fontsize="small")
        ax.set_ylabel("SD" if abs(np.mean(series)) < 1e-3 and np.std(series) < 2 else "scanner\nunits")
    axes[-1].set(xlabel="time from the start of the run (s)", xlim=(0, longest * tr))
    fig.suptitle(title)
    return fig


def ceiling_by_region(table: pd.DataFrame, title: str) -> Figure:
    """Draw noise ceilings of voxels (dots) and medians by subject (bars).

    Parameters
    ----------
    table : DataFrame
        A row for each voxel: ``subject``, ``region`` (one panel each, in the order of its categories where it has
        them) and ``ceiling``.
    title : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    column = table["region"]
    names = list(column.cat.categories if column.dtype == "category" else column.unique())
    subjects = list(table["subject"].unique())
    fig, axes = plt.subplots(1, len(names), figsize=(7.4, 2.8), sharey=True, squeeze=False)
    for name, ax in zip(names, axes[0]):
        in_region = table[(column == name) & np.isfinite(table["ceiling"])]
        for x, subject in enumerate(subjects, 1):
            values = in_region.loc[in_region["subject"] == subject, "ceiling"].to_numpy()
            dots = values[:: max(1, len(values) // 150)]
            ax.plot(x + spread(len(dots), 0.25), dots, ".", color=COLORS["chance"], ms=2.5)
            if len(values):
                ax.plot([x - 0.35, x + 0.35], [np.median(values)] * 2, color=COLORS["layers"], lw=2.5)
        ax.set_title("\n".join(name.split()), fontsize="small")
        ax.set_xticks(range(1, len(subjects) + 1))
    axes[0, 0].set(ylabel="noise ceiling (r),\nmean of four repeats", ylim=(0, 1))
    fig.supxlabel("subject", fontsize="medium")
    fig.suptitle(title)
    return fig


def explainable_variance(
    x: ArrayLike, y: ArrayLike, title: str, x_name: str = "ground truth", y_name: str = "estimate"
) -> Figure:
    """Draw explainable variance against another estimate or the ground truth.

    Parameters
    ----------
    x, y : array (n_voxels,)
        Explainable variance as a share of all variance, one dot a voxel.
    title, x_name, y_name : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig, ax = plt.subplots(figsize=(4.6, 3.8))
    ax.plot(x, y, ".", color=COLORS["chance"], ms=3)
    edges = np.linspace(x.min(), x.max(), 9)
    groups = [k for k in (np.digitize(x, edges[1:-1]) == n for n in range(8)) if k.sum() >= 5]
    means = np.transpose([(x[k].mean(), y[k].mean()) for k in groups])
    ax.plot(*means, "o-", color=COLORS["layers"], label="mean of similar voxels")
    ends = min(x.min(), y.min()), max(x.max(), y.max())
    ax.plot(ends, ends, color=COLORS["ceiling"], lw=0.8, ls="--", label="equal")
    ax.set(xlabel=f"explainable variance, {x_name}", ylabel=f"explainable variance, {y_name}", title=title)
    ax.legend()
    return fig
