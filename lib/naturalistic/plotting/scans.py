"""Figures of scans: motion, a voxel through preprocessing, ceilings by region and against the truth."""

import matplotlib.pyplot as plt
import numpy as np

from naturalistic.plotting.style import COLOURS, spread


def head_motion(motion, displacement, runs, tr, title):
    """Draw shifts, rotations and framewise displacement over all runs.

    Parameters
    ----------
    motion : array (n_trs, 6)
        mm and rad.
    displacement : array (n_trs,)
        mm from the volume before.
    runs : array (n_trs,)
        Grey lines are where a run begins.
    tr : float
        s.
    title : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    minutes = np.arange(len(motion)) * tr / 60
    fig, axes = plt.subplots(3, 1, figsize=(7.4, 4.2), sharex=True)
    shades = (COLOURS["layers"], COLOURS["static"], COLOURS["joint"])
    rows = [(motion[:, :3], "shift (mm)", "xyz"), (np.rad2deg(motion[:, 3:]), "rotation (degrees)", "xyz")]
    for ax, (lines, label, names) in zip(axes, rows):
        for line, name, shade in zip(lines.T, names, shades):
            ax.plot(minutes, line, color=shade, lw=0.7, label=name)
        ax.set_ylabel(label)
        ax.legend(ncols=3, loc="upper right", fontsize=7.5)
    axes[2].plot(minutes, displacement, color=COLOURS["ceiling"], lw=0.5)
    axes[2].set(ylabel="from volume\nto volume (mm)", xlabel="minutes of scanning", xlim=(0, minutes[-1]))
    for ax in axes:
        for start in minutes[np.flatnonzero(np.diff(runs)) + 1]:
            ax.axvline(start, color=COLOURS["chance"], lw=0.5, zorder=0)
    fig.suptitle(title)
    return fig


def voxel_by_step(steps, tr, title):
    """Draw the course of one voxel in one run after each step of preprocessing.

    Parameters
    ----------
    steps : dict of str to array (n_trs,)
        By step, in order; a step may have fewer volumes, dropped at the start.
    tr : float
        s.
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
        ax.plot(seconds, series, color=COLOURS["layers"], lw=0.8)
        ax.set_title(name, loc="left", fontsize="small")
        ax.set_ylabel("sd" if abs(np.mean(series)) < 1e-3 and np.std(series) < 2 else "scanner\nunits")
    axes[-1].set(xlabel="time from the start of the run (s)", xlim=(0, longest * tr))
    fig.suptitle(title)
    return fig


def ceiling_by_region(ceilings, regions, names, title):
    """Draw the ceilings of a region's voxels (dots) and the median of each subject (bars), one panel a region.

    Parameters
    ----------
    ceilings : list of array (n_voxels,)
        One a subject.
    regions : list of int array (n_voxels,)
        Index into ``names``; -1 elsewhere.
    names : sequence of str
    title : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig, axes = plt.subplots(1, len(names) + 1, figsize=(7.4, 2.8), sharey=True)
    for k, (name, ax) in enumerate(zip([*names, "rest of cortex"], axes)):
        wanted = k if k < len(names) else -1
        for x, (values, labels) in enumerate(zip(ceilings, regions), 1):
            here = values[(labels == wanted) & np.isfinite(values)]
            dots = here[:: max(1, len(here) // 150)]
            ax.plot(x + spread(len(dots), 0.25), dots, ".", color=COLOURS["chance"], ms=2.5)
            if len(here):
                ax.plot([x - 0.35, x + 0.35], [np.median(here)] * 2, color=COLOURS["layers"], lw=2.5)
        ax.set_title("\n".join(name.split()), fontsize="small")
        ax.set_xticks(range(1, len(ceilings) + 1))
    axes[0].set(ylabel="noise ceiling (r),\nmean of four repeats", ylim=(0, 1))
    fig.supxlabel("subject", fontsize="medium")
    fig.suptitle(title)
    return fig


def planted_and_found(x, y, title, x_name="planted", y_name="found"):
    """Draw explainable variance found twice, or found against planted: one dot a voxel, and the line of equality.

    Parameters
    ----------
    x, y : array (n_voxels,)
        Shares of variance.
    title, x_name, y_name : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig, ax = plt.subplots(figsize=(4.6, 3.8))
    ax.plot(x, y, ".", color=COLOURS["chance"], ms=3)
    edges = np.linspace(x.min(), x.max(), 9)
    groups = [k for k in (np.digitize(x, edges[1:-1]) == n for n in range(8)) if k.sum() >= 5]
    means = np.transpose([(x[k].mean(), y[k].mean()) for k in groups])
    ax.plot(*means, "o-", color=COLOURS["layers"], label="means of voxels alike")
    ends = min(x.min(), y.min()), max(x.max(), y.max())
    ax.plot(ends, ends, color=COLOURS["ceiling"], lw=0.8, ls="--", label="equal")
    ax.set(xlabel=f"explainable variance, {x_name}", ylabel=f"explainable variance, {y_name}", title=title)
    ax.legend()
    return fig
