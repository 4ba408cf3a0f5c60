"""Figures of annotated film: levels on one time line, how fast they change, how alike their spaces are."""

import textwrap
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np

from naturalistic.plotting.style import COLOURS, LEVEL_COLOURS

WIDTH = 7.4  # inches of the time line
LETTERS = 20  # letters of the small font in an inch


def levels_on_time_line(texts, traces, title, *, start=0, step=None):
    """Draw what was written about each second at each level, and below it what can be measured in sound and picture.

    Parameters
    ----------
    texts : dict of str to list of str (n_seconds,)
        One annotator's, by level; "" where there is none. A text that stays is drawn once, as long as it stays.
    traces : dict of str to array (n_seconds,)
        By name, such as loudness; each is scaled to its own range.
    title : str
    start : int
        Second of the first entry, s.
    step : float, optional
        Seconds between ticks; a sixth of the stretch by default.

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    n_seconds, n_rows = len(next(iter(texts.values()))), len(texts) + len(traces)
    heights = [1.5] * len(texts) + [0.5] * len(traces)
    fig, axes = plt.subplots(n_rows, 1, figsize=(WIDTH, 0.95 * len(texts) + 0.45 * len(traces) + 0.8), sharex=True,
                             height_ratios=heights, squeeze=False)  # fmt: skip
    for ax, (level, words) in zip(axes[:, 0], texts.items()):
        for first, last in stretches(words):
            _block(ax, start + first, start + last, words[first], LEVEL_COLOURS.get(level, COLOURS["words"]), n_seconds)
        ax.set(ylim=(0, 1), yticks=[])
        ax.set_ylabel(level, rotation=0, ha="right", va="center")
    for ax, (name, values) in zip(axes[len(texts) :, 0], traces.items()):
        ax.step(start + np.arange(n_seconds), values, where="post", color=COLOURS["ceiling"], lw=0.8)
        ax.set(yticks=[])
        ax.set_ylabel(name, rotation=0, ha="right", va="center")
    axes[-1, 0].set(xlabel="time in the run (s)", xlim=(start, start + n_seconds))
    axes[-1, 0].set_xticks(np.arange(start, start + n_seconds + 1, step or max(n_seconds // 6, 1)))
    fig.suptitle(title)
    return fig


def stretches(words):
    """Return first and last second (excluded) of each text that stays, leaving out where there is none.

    Parameters
    ----------
    words : list of str (n_seconds,)
        "" where there is none.

    Returns
    -------
    stretches : list of (int, int)
        s.
    """
    edges = [0, *(k for k in range(1, len(words)) if words[k] != words[k - 1]), len(words)]
    return [(a, b) for a, b in pairwise(edges) if words[a]]


def _block(ax, first, last, text, colour, n_seconds):
    """Draw a text where it holds, as much of it as fits."""
    ax.broken_barh([(first, last - first)], (0.02, 0.96), color=colour, alpha=0.25, edgecolor=colour, lw=0.6)
    letters = int((last - first) / n_seconds * (WIDTH - 1.2) * LETTERS)
    if letters >= 6:
        lines = textwrap.wrap(text, letters)
        shown = lines[:5] if len(lines) <= 5 else [*lines[:4], lines[4][: max(letters - 1, 1)] + "…"]
        ax.text(first + 0.004 * n_seconds, 0.93, "\n".join(shown), fontsize=5.5, va="top", clip_on=True)


def change_curves(lags, curves, title, ylabel):
    """Draw how much of each level is still there some seconds later.

    Parameters
    ----------
    lags : array (n_lags,)
        s.
    curves : dict of str to array (n_lags,)
        By level, or by another name, in the order of a scale of colours.
    title, ylabel : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig, ax = plt.subplots(figsize=(5.6, 3))
    shades = plt.get_cmap("viridis")(np.linspace(0.9, 0, len(curves)))
    for k, (level, values) in enumerate(curves.items()):
        dashes = "--" if level == "TimePlace" else "-"  # it may lie on that of Summary
        ax.plot(lags, values, dashes, color=LEVEL_COLOURS.get(level, shades[k]), label=level)
    ax.axhline(0, color=COLOURS["chance"], lw=0.8)
    ax.set(xlabel="seconds later", ylabel=ylabel, title=title)
    ax.legend(fontsize=7.5, loc="upper left", bbox_to_anchor=(1, 1))
    return fig


def alignment(matrices, title, label="CKA"):
    """Draw how alike spaces are, one square a matrix, numbers in the cells where there is room.

    Parameters
    ----------
    matrices : dict of str to (matrix (n, n), names)
    title, label : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig, axes = plt.subplots(1, len(matrices), figsize=(7.4, 7.4 / len(matrices) * 0.95), squeeze=False)
    for ax, (name, (matrix, names)) in zip(axes[0], matrices.items()):
        image = ax.imshow(matrix, cmap="viridis", vmin=0, vmax=1)
        ax.set_xticks(range(len(names)), names, rotation=90)
        ax.set_yticks(range(len(names)), names)
        ax.set_title(name)
        for i, row in enumerate(matrix):
            for j, value in enumerate(row):
                ax.text(j, i, f"{value:.2f}".removeprefix("0"), ha="center", va="center", fontsize=6.5,
                        color="black" if value > 0.6 else "white")  # fmt: skip
    fig.colorbar(image, ax=axes, label=label, shrink=0.7)
    fig.suptitle(title)
    return fig


def by_layer(curves, title, ylabel, xlabel="layer"):
    """Draw a number of each level against the layer of a model.

    Parameters
    ----------
    curves : dict of str to array (n_layers,)
    title, ylabel, xlabel : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig, ax = plt.subplots(figsize=(5.6, 3))
    for level, values in curves.items():
        ax.plot(
            range(len(values)), values, "o-", ms=4, color=LEVEL_COLOURS.get(level, COLOURS["controls"]), label=level
        )
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title, xticks=range(len(next(iter(curves.values())))))
    ax.legend(fontsize=7.5, loc="upper left", bbox_to_anchor=(1, 1))
    return fig
