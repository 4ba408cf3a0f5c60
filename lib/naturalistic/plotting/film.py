"""Figures of a film: accuracy by lag, network, delay and amount of data; ladder of models; what is decoded."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from naturalistic.plotting.style import COLORS, FILM_COLORS, feature_color, spread

AVERAGE = "average brain"  # its rows in the column "subject" of tables
_PLAIN = {"speech": "presence of speech", "random": "random vectors", "static": "static word vectors"}


def accuracy_by_lag(curves: pd.DataFrame, title: str, *, expected: tuple[float, float] = (4.0, 6.0)) -> Figure:
    """Draw the correlation of a feature with the response by lag, one line a run.

    Parameters
    ----------
    curves : DataFrame
        Columns ``run``, ``lag`` (s by which the response is later) and ``r``.
    title : str
    expected : (float, float)
        s between which a hemodynamic response peaks; shaded.

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig, ax = plt.subplots(figsize=(5.6, 3))
    ax.axvspan(*expected, color=COLORS["chance"], alpha=0.35, lw=0, label="expected peak")
    ax.axhline(0, color=COLORS["chance"], lw=0.8)
    runs = list(curves.groupby("run", sort=False))
    shades = plt.get_cmap("viridis")(np.linspace(0.9, 0, len(runs)))
    for shade, (name, rows) in zip(shades, runs):
        best = rows.loc[rows["r"].idxmax()]
        ax.plot(rows["lag"], rows["r"], color=shade, lw=1.2, label=name)
        ax.plot(best["lag"], best["r"], "o", color=shade, ms=4)
    ax.set(xlabel="response later by (s)", ylabel="correlation (r)", title=title)
    ax.legend(fontsize=7.5, loc="upper left", bbox_to_anchor=(1, 1))
    return fig


def model_ladder(accuracy: pd.DataFrame, title: str, ylabel: str, *, ceilings: Mapping[str, float]) -> Figure:
    """Draw accuracies of models, from the simplest to the richest: subjects and the average brain.

    Parameters
    ----------
    accuracy : DataFrame
        Columns ``space``, ``subject`` and ``r``; rows of the average brain are large dots, joined, those of subjects
        small ones.
    title, ylabel : str
    ceilings : dict of str to float
        By name; dashed lines.

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    names = list(accuracy["space"].unique())
    is_average = accuracy["subject"] == AVERAGE
    average = accuracy[is_average].set_index("space")["r"]
    fig, ax = plt.subplots(figsize=(min(7.6, 2.4 + 0.38 * len(names)), 3.4))
    ax.axhline(0, color=COLORS["ceiling"], lw=0.8)
    ax.plot(range(len(names)), average[names], color=COLORS["chance"], lw=1, zorder=1)
    for x, name in enumerate(names):
        color = feature_color(name, names)
        values = accuracy["r"][~is_average & (accuracy["space"] == name)].to_numpy()
        dots = {"label": "average brain"} if not x else {}
        small = {"label": "subject"} if not x else {}
        ax.plot(x + spread(len(values), 0.14), values, ".", color=color, ms=4, alpha=0.6, **small)
        ax.plot(x, average[name], "o", color=color, ms=7, **dots)
    styles = ("--", ":")
    for style, (name, value) in zip(styles, ceilings.items()):
        ax.axhline(value, ls=style, color=COLORS["ceiling"], lw=1, label=f"ceiling, {name}")
    ax.set_xticks(range(len(names)), names, rotation=40, ha="right")
    ax.set(ylabel=ylabel, title=title)
    ax.legend(fontsize=7.5, loc="upper left", bbox_to_anchor=(1, 1))
    return fig


def accuracy_by_network(accuracy: pd.DataFrame, ceiling: Mapping[str, float], title: str, ylabel: str) -> Figure:
    """Draw the accuracy of each space by network, with the ceiling of the network.

    Parameters
    ----------
    accuracy : DataFrame
        Columns ``space``, ``network`` and ``r``, one row each.
    ceiling : dict of str to float
        By network; drawn as a short dashed line.
    title, ylabel : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    networks = list(ceiling)
    names = list(accuracy["space"].unique())
    fig, ax = plt.subplots(figsize=(7.4, 3.2))
    ax.axhline(0, color=COLORS["ceiling"], lw=0.8)
    for k, name in enumerate(names):
        values = accuracy[accuracy["space"] == name].set_index("network")["r"]
        x = np.arange(len(networks)) + 0.7 * (k - (len(names) - 1) / 2) / len(names)
        ax.plot(x, values[networks], "o", color=feature_color(name, names), ms=5, label=name)
    for k, network in enumerate(networks):
        label = {"label": "ceiling"} if not k else {}
        ax.plot([k - 0.42, k + 0.42], [ceiling[network]] * 2, "--", color=COLORS["ceiling"], lw=1, **label)
    ax.set_xticks(range(len(networks)), networks, rotation=30, ha="right")
    ax.set(ylabel=ylabel, title=title)
    ax.legend(fontsize=7.5, loc="upper left", bbox_to_anchor=(1, 1))
    return fig


def differences_by_network(table: pd.DataFrame, title: str, ylabel: str, *, by: str = "space") -> Figure:
    """Draw values by network with their intervals.

    Parameters
    ----------
    table : DataFrame
        Columns ``network``, the one that ``by`` names, ``value``, ``low`` and ``high``; NaN ends draw no interval.
    title, ylabel : str
    by : str
        Column whose values differ in color.

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    networks = list(table["network"].unique())
    names = list(table[by].unique())
    fig, ax = plt.subplots(figsize=(7.4, 3.2))
    ax.axhline(0, color=COLORS["ceiling"], lw=0.8)
    for k, name in enumerate(names):
        rows = table[table[by] == name].set_index("network").loc[networks]
        x = np.arange(len(networks)) + 0.7 * (k - (len(names) - 1) / 2) / len(names)
        color = feature_color(name, names)
        ax.vlines(x, rows["low"], rows["high"], color=color, lw=1.5)
        ax.plot(x, rows["value"], "o", color=color, ms=4.5, label=name)
    ax.set_xticks(range(len(networks)), networks, rotation=30, ha="right")
    ax.set(ylabel=ylabel, title=title)
    ax.legend(fontsize=7.5, loc="upper left", bbox_to_anchor=(1, 1))
    return fig


def accuracy_by_delay(delays: pd.DataFrame, title: str) -> Figure:
    """Draw the accuracy of each space at single delays, the peak of each marked.

    Parameters
    ----------
    delays : DataFrame
        Columns ``space``, ``delay`` (s) and ``r``.
    title : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig, ax = plt.subplots(figsize=(5.6, 2.8))
    ax.axhline(0, color=COLORS["chance"], lw=0.8)
    names = list(delays["space"].unique())
    for name, rows in delays.groupby("space", sort=False):
        color = feature_color(name, names)
        best = rows.loc[rows["r"].idxmax()]
        ax.plot(rows["delay"], rows["r"], color=color, lw=1.2, label=name)
        ax.plot(best["delay"], best["r"], "o", color=color, ms=5)
    ax.set(xlabel="delay (s)", ylabel="r, mean over parcels", title=title)
    ax.legend(fontsize=7.5, loc="upper left", bbox_to_anchor=(1, 1))
    return fig


def accuracy_by_runs(curve: pd.DataFrame, title: str) -> Figure:
    """Draw accuracy by the number of training runs: a thick line for the average brain, thin ones for subjects.

    Parameters
    ----------
    curve : DataFrame
        Columns ``subject``, ``n_runs`` and ``r``.
    title : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig, ax = plt.subplots(figsize=(5.0, 2.8))
    ax.axhline(0, color=COLORS["chance"], lw=0.8)
    label = {"label": "subject"}
    for name, rows in curve.groupby("subject", sort=False):
        if name == AVERAGE:
            ax.plot(rows["n_runs"], rows["r"], "o-", color=COLORS["layers"], label=name)
        else:
            ax.plot(rows["n_runs"], rows["r"], color=COLORS["controls"], lw=0.8, alpha=0.7, **label)
            label = {}
    ax.set(xlabel="training runs", ylabel="r, mean over parcels", title=title)
    ax.legend(fontsize=7.5, loc="upper left", bbox_to_anchor=(1, 1))
    return fig


def decoded_series(series: pd.DataFrame, title: str) -> Figure:
    """Draw features of the film and what was decoded of them, one row a feature.

    Parameters
    ----------
    series : DataFrame
        Columns ``feature``, ``seconds``, ``shown`` and ``decoded``; both are scaled to their own range.
    title : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    features = list(series.groupby("feature", sort=False))
    fig, axes = plt.subplots(len(features), 1, figsize=(7.4, 1.3 * len(features) + 0.7), sharex=True, squeeze=False)
    for ax, (name, rows) in zip(axes[:, 0], features):
        for column, color, width in (("shown", COLORS["chance"], 2.0), ("decoded", COLORS["layers"], 1.2)):
            values = rows[column] - rows[column].mean()
            ax.plot(rows["seconds"], values / values.std(), color=color, lw=width, label=column)
        ax.set(ylabel=name, yticks=[])
    axes[0, 0].legend(fontsize=7.5, loc="upper left", bbox_to_anchor=(1, 1))
    axes[0, 0].set_title(title)
    axes[-1, 0].set_xlabel("time in the run (s)")
    return fig


def identification_by_length(table: pd.DataFrame, title: str, ylabel: str = "pairwise accuracy") -> Figure:
    """Draw identification accuracy by the length of segments, with the highest value of the null.

    Parameters
    ----------
    table : DataFrame
        Columns ``matched``, ``subject``, ``seconds``, ``accuracy`` and ``null_high``: of several subjects the mean is
        thick and each one thin; ``null_high`` is dotted, where it is no NaN.
    title, ylabel : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig, ax = plt.subplots(figsize=(6.2, 3.1))
    ax.axhline(0.5, color=COLORS["chance"], ls="--", lw=1, label="chance")
    shades = [COLORS[name] for name in ("layers", "static", "joint", "highlight", "words")]
    for color, (name, rows) in zip(shades, table.groupby("matched", sort=False)):
        for _, of_subject in rows.groupby("subject", sort=False):
            ax.plot(of_subject["seconds"], of_subject["accuracy"], color=color, lw=0.5, alpha=0.4)
        means = rows.groupby("seconds")[["accuracy", "null_high"]].mean()
        ax.plot(means.index, means["accuracy"], "o-", color=color, ms=4, label=name)
        ax.plot(means.index, means["null_high"], ":", color=color, lw=1)
    ax.set(xlabel="length of a segment (s)", ylabel=ylabel, title=title, ylim=(0.4, 1.02))
    ax.legend(fontsize=7.5, loc="upper left", bbox_to_anchor=(1, 1))
    return fig


def controls_bars(differences: pd.DataFrame, accuracy: Mapping[str, float], title: str) -> Figure:
    """Draw accuracy of a language model among its controls, and what each adds to all others.

    Parameters
    ----------
    differences : DataFrame
        Columns ``added``, ``value``, ``low`` and ``high``: differences of the joint model with and without.
    accuracy : dict of str to float
        By space, of models of one space.
    title : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig, (left, right) = plt.subplots(1, 2, figsize=(7.4, 0.27 * len(accuracy) + 1.1), sharey=True)
    names = list(accuracy)[::-1]
    colors = [FILM_COLORS.get(name, feature_color(name, names)) for name in names]
    left.barh([plain_name(name) for name in names], [accuracy[name] for name in names], color=colors)
    left.set(xlabel="r, mean over parcels", title="each by itself")
    rows = differences.iloc[::-1]
    shades = [feature_color(name, names) for name in rows["added"]]
    right.axvline(0, color=COLORS["ceiling"], lw=0.8)
    added = [plain_name(name) for name in rows["added"]]
    right.hlines(added, rows["low"], rows["high"], color=shades, lw=2)
    right.scatter(rows["value"], added, color=shades, s=22, zorder=3)
    right.set(xlabel="difference in r, 95 % interval", title="what it adds to all others")
    fig.suptitle(title)
    return fig


def plain_name(name: str) -> str:
    """Return what a feature space is called where its chapter was not read."""
    return _PLAIN.get(name, "language model" if name.startswith("layer ") else name)
