"""Figures of a first model, of ridge and delays, and of ceilings and nulls."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from scipy import stats

from naturalistic.inference import MeanInterval
from naturalistic.plotting.style import COLORS, ROI_NAMES, draw_mean, feature_color, spread

_LINE_COLORS = ("layers", "static", "joint", "highlight", "words", "controls")


def design_matrix(X: ArrayLike, delays: Sequence[float], title: str, n_features: int = 12, n_trs: int = 60) -> Figure:
    """Draw the start of a design matrix: some features at each delay.

    Parameters
    ----------
    X : array (n_trs, n_delays * n_features)
        Delay by delay, as `features.delays.fir` stacks it.
    delays : sequence of float (n_delays,)
        In s.
    title : str
    n_features, n_trs : int
        Features of each delay and TRs that are drawn.

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    blocks = np.split(np.asarray(X)[:n_trs], len(delays), axis=1)
    fig, axes = plt.subplots(1, len(blocks), figsize=(7.4, 3), sharey=True, squeeze=False)
    for delay, block, ax in zip(delays, blocks, axes[0]):
        shown = ax.imshow(block[:, :n_features], aspect="auto", cmap="PuOr", vmin=-2.5, vmax=2.5, interpolation="none")
        ax.set_title(f"{delay:g} s later")
        ax.set_xticks([0, n_features - 1], [1, n_features])
    axes[0, 0].set_ylabel("TR")
    fig.supxlabel("feature", fontsize="medium")
    fig.colorbar(shown, ax=axes[0, -1], label="SD")
    fig.suptitle(title)
    return fig


def predicted_and_measured(series: pd.DataFrame, title: str) -> Figure:
    """Draw predicted over measured responses, one panel for each response.

    Parameters
    ----------
    series : DataFrame
        Columns ``response`` (name of the panel), ``time`` (s), ``block``, ``measured`` and ``predicted``. Both are
        scaled to the same size inside a block, as a correlation does.
    title : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    names = list(series["response"].unique())
    fig, axes = plt.subplots(len(names), 1, figsize=(7.4, 1.9 * len(names) + 0.5), sharex=True, squeeze=False)
    for name, ax in zip(names, axes[:, 0]):
        rows = series[series["response"] == name]
        for block, part in rows.groupby("block"):
            if block % 2:
                ax.axvspan(part["time"].min(), part["time"].max(), color=COLORS["chance"], alpha=0.25, lw=0)
            first = block == rows["block"].min()
            for column, color, label in (("measured", "ceiling", "response"), ("predicted", "layers", "prediction")):
                scaled = (part[column] - part[column].mean()) / part[column].std()
                ax.plot(part["time"], scaled, color=COLORS[color], lw=1.1, label=label if first else None)
        ax.set(title=name, ylabel="SD", ylim=(-4, 4))
    axes[-1, 0].set_xlabel("time in the story (s)")
    axes[0, 0].legend(ncols=2, loc="upper right", fontsize=8)
    fig.suptitle(title)
    return fig


def models_by_region(accuracy: pd.DataFrame, ceiling: MeanInterval, title: str) -> Figure:
    """Draw the accuracy of models in one panel a region, beside the ceiling.

    Parameters
    ----------
    accuracy : DataFrame
        A row for each model, subject and region: columns ``model``, ``subject``, ``region``, ``r``, ``p`` (NaN where
        the model was not tested) and ``significant``. Tested models have round markers, filled if significant; the
        others a small square.
    ceiling : inference.MeanInterval
        Arrays (n_regions,), in the order of the regions' first rows.
    title : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    regions = list(accuracy["region"].unique())
    models = list(accuracy["model"].unique())
    n_rows = -(-len(regions) // 3)
    fig, axes = plt.subplots(n_rows, 3, figsize=(7.4, 2.4 * n_rows), sharex=True, sharey=True, squeeze=False)
    for k, (region, ax) in enumerate(zip(regions, axes.flat)):
        ax.axhspan(ceiling.low[k], ceiling.high[k], color=COLORS["ceiling"], alpha=0.12, lw=0)
        ax.axhline(ceiling.mean[k], color=COLORS["ceiling"], lw=1, ls="--")
        ax.axhline(0, color=COLORS["chance"], lw=0.8)
        for x, model in enumerate(models):
            rows = accuracy[(accuracy["region"] == region) & (accuracy["model"] == model)]
            _draw_model(ax, x, rows, feature_color(model, models))
        ax.set_title(f"{region}: {ROI_NAMES.get(region, '')}")
        ax.set_xticks(range(len(models)), models, rotation=60, ha="right")
    for ax in axes[:, 0]:
        ax.set_ylabel("accuracy (r)")
    fig.suptitle(title)
    return fig


def _draw_model(ax: plt.Axes, x: float, rows: pd.DataFrame, color: str | tuple[float, ...]) -> None:
    """Draw subjects and their mean; open or square unless significant."""
    values = rows["r"].to_numpy()
    ax.plot(x + spread(len(values), 0.2), values, ".", color=color, ms=3, alpha=0.5)
    tested = bool(rows["p"].notna().all())
    filled = bool(rows["significant"].all())
    draw_mean(ax, x, float(values.mean()), color, filled, "o" if tested else "s")


def curves(
    frame: pd.DataFrame,
    x: str,
    title: str,
    *,
    xlabel: str,
    ylabel: str,
    xscale: str = "linear",
    marked: Mapping[str, float] | None = None,
) -> Figure:
    """Draw one line for each column of a table.

    Parameters
    ----------
    frame : DataFrame
        Columns ``x`` and those that are drawn.
    x : str
        Name of the column of the x axis.
    title, xlabel, ylabel : str
    xscale : {"linear", "log"}
    marked : dict of str to float, optional
        By column, the x at which a dot is drawn.

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig, ax = plt.subplots(figsize=(6, 3))
    ax.axhline(0, color=COLORS["chance"], lw=0.8)
    for color, name in zip(_LINE_COLORS, frame.columns.drop(x)):
        ax.plot(frame[x], frame[name], "-", color=COLORS[color], lw=1.4, label=name)
        if marked and name in marked:
            ax.plot(marked[name], frame[name][np.isclose(frame[x], marked[name])], "o", color=COLORS[color], ms=6)
    ax.set(xscale=xscale, xlabel=xlabel, ylabel=ylabel, title=title)
    ax.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    return fig


def subjects_by_choice(frame: pd.DataFrame, title: str, ylabel: str) -> Figure:
    """Draw values of subjects (joined dots) and their mean under each choice.

    Parameters
    ----------
    frame : DataFrame (n_subjects, n_choices)
        A column for each choice; no interval is drawn, as differences between choices are within subjects.
    title, ylabel : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig, ax = plt.subplots(figsize=(min(7.4, 2 + 1.1 * frame.shape[1]), 3))
    x = np.arange(frame.shape[1])
    ax.axhline(0, color=COLORS["chance"], lw=0.8)
    ax.plot(x, frame.to_numpy().T, color=COLORS["chance"], lw=0.6, alpha=0.7)
    ax.plot(x, frame.mean(), "o-", color=COLORS["layers"], ms=6)
    ax.set_xticks(x, ["\n".join(str(name).split(", ")) for name in frame.columns])
    ax.set(ylabel=ylabel, title=title)
    return fig


def shares_by_test(shares: Mapping[str, float], n: int, title: str, xlabel: str, *, level: float = 0.05) -> Figure:
    """Draw the share of false positives of each test, with 95 % intervals, beside the level.

    Parameters
    ----------
    shares : dict of str to float
        By test.
    n : int
        Independent trials behind each share, for the interval (Wilson).
    title, xlabel : str
    level : float
        Drawn as a line.

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig, ax = plt.subplots(figsize=(6.4, 0.55 * len(shares) + 1.1))
    for y, share in enumerate(reversed(shares.values())):
        low, high = stats.binomtest(round(share * n), n).proportion_ci(method="wilson")
        color = COLORS["joint"] if low <= level else COLORS["highlight"]
        ax.barh(y, 100 * share, 0.6, color=color, alpha=0.75)
        ax.hlines(y, 100 * low, 100 * high, color=COLORS["ceiling"], lw=1.2)
        ax.text(100 * high + 0.6, y, f"{share:.0%}", va="center", fontsize=8)
    ax.axvline(100 * level, color=COLORS["ceiling"], ls="--", lw=1)
    ax.set_yticks(range(len(shares)), list(reversed(shares)))
    ax.set(xlabel=xlabel, title=title)
    return fig
