"""Figures of reconstructed films beside their controls."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from naturalistic.plotting.style import COLORS

__all__ = ["category_rates", "control_scores", "controls_above_brain"]

RANK_COLORS = {"above": COLORS["highlight"], "equal": "#D0D0D0", "below": "#E8F0F7", "itself": "#FFFFFF"}


def control_scores(table: pd.DataFrame, title: str, oracle: str = "oracle") -> Figure:
    """Draw the scores of methods and controls, each beside its measured chance and the ceiling.

    Parameters
    ----------
    table : DataFrame
        Of `decoding.film_controls.control_table`.
    title : str
    oracle : str
        Method that is the ceiling.

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    methods = list(table["method"].unique())
    metrics = list(table["metric"].unique())
    fig, axes = plt.subplots(1, len(metrics), figsize=(8.0, 0.26 * len(methods) + 1.2), sharey=True, squeeze=False)
    for metric, ax in zip(metrics, axes[0]):
        of_metric = table[table["metric"] == metric].set_index("method")
        ax.axvline(of_metric.loc[oracle, "value"], color=COLORS["ceiling"], lw=1, ls=":")
        for row, method in enumerate(methods):
            found = of_metric.loc[method]
            above = found["p"] < 0.05
            color = COLORS["layers"] if above else COLORS["controls"]
            ax.plot([found["lowest"], found["highest"]], [row, row], color=color, lw=2)
            ax.plot(found["value"], row, "o", color=color, mfc=color if above else "white", ms=5)
            ax.plot([found["chance"]] * 2, [row - 0.35, row + 0.35], color=COLORS["highlight"], lw=1.5)
        ax.set_title(metric)
        ax.set_xlim(min(0.0 if of_metric["chance"].min() < 0.3 else 0.4, of_metric["lowest"].min() - 0.02), 1.02)
    axes[0, 0].set_yticks(range(len(methods)), methods)
    axes[0, 0].invert_yaxis()
    fig.supxlabel("score (chance orange, ceiling dotted)", fontsize="medium")
    fig.suptitle(title)
    return fig


def controls_above_brain(ranking: pd.DataFrame, methods: Sequence[str], title: str) -> Figure:
    """Draw which metrics rank a control above the brain: a cell a metric and method.

    Parameters
    ----------
    ranking : DataFrame
        Of `decoding.film_controls.ranking_over_films`.
    methods : sequence of str
        Columns in their order.
    title : str

    Returns
    -------
    fig : matplotlib.figure.Figure
        Orange: above; gray: not told apart; pale: below.
    """
    ranks = ranking.pivot_table(index="metric", columns="method", values="rank", aggfunc="first", sort=False)[
        [*methods]
    ]
    values = ranking.pivot_table(index="metric", columns="method", values="value", sort=False)[[*methods]]
    fig, ax = plt.subplots(figsize=(0.95 * ranks.shape[1] + 1.7, 0.3 * len(ranks) + 1.3))
    colors = np.array([[to_rgb(RANK_COLORS[rank]) for rank in of_metric] for of_metric in ranks.to_numpy()])
    ax.imshow(colors, aspect="auto")
    for row, of_metric in enumerate(values.to_numpy()):
        for column, value in enumerate(of_metric):
            text = "w" if ranks.iloc[row, column] == "above" else "k"
            ax.text(column, row, f"{value:.2f}", ha="center", va="center", color=text)
    names = [method.replace(", ", ",\n").replace(" ", "\n", 1) for method in ranks.columns]
    ax.set_xticks(range(ranks.shape[1]), names, fontsize="small")
    ax.set_yticks(range(len(ranks)), ranks.index)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    fig.suptitle(title)
    return fig


def category_rates(table: pd.DataFrame, title: str) -> Figure:
    """Draw how often a category is named, with and without it in the training, beside films of others.

    Parameters
    ----------
    table : DataFrame
        Of `decoding.film_controls.category_table`.
    title : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig, ax = plt.subplots(figsize=(5.6, 0.42 * len(table) + 1.1))
    for row, found in enumerate(table.to_dict("records")):
        filled = found["training"] == "with"
        ax.plot([found["lowest"], found["highest"]], [row, row], color=COLORS["layers"], lw=2)
        ax.plot(found["hits"], row, "o", color=COLORS["layers"], mfc=COLORS["layers"] if filled else "white", ms=6)
        ax.plot([found["false"]] * 2, [row - 0.35, row + 0.35], color=COLORS["highlight"], lw=1.5)
    names = [f"{row.method}, {row.training} it" for row in table.itertuples()]
    ax.set_yticks(range(len(table)), names)
    ax.invert_yaxis()
    ax.set_xlim(-0.03, 1.03)
    ax.set_xlabel("share of films in which it is named")
    ax.set_title(title)
    return fig
