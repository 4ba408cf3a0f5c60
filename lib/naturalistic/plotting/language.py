"""Figures of annotated films, stories and language models."""

import textwrap
from collections.abc import Mapping, Sequence
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from naturalistic.plotting.style import COLORS, LEVEL_COLORS, spread

WIDTH = 7.4  # inches of the time line
_LETTERS = 18  # letters of the small font in an inch
_MARKERS = "osD^vP*X"  # one a model; the last model of a level is drawn filled


def levels_on_time_line(
    texts: Mapping[str, Sequence[str]],
    traces: Mapping[str, ArrayLike],
    title: str,
    *,
    start: int = 0,
    step: float | None = None,
) -> Figure:
    """Draw the annotations of each second by level, above traces of sound and picture.

    Parameters
    ----------
    texts : dict of str to list of str (n_seconds,)
        Of one annotator, by level; "" where there is none. A text that does not change is drawn once.
    traces : dict of str to array (n_seconds,)
        By name, such as loudness; each is scaled to its own range.
    title : str
    start : int
        Second of the first entry.
    step : float, optional
        Seconds between ticks; a sixth of the duration by default.

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    n_seconds = len(next(iter(texts.values())))
    n_rows = len(texts) + len(traces)
    heights = [1.5] * len(texts) + [0.5] * len(traces)
    fig, axes = plt.subplots(n_rows, 1, figsize=(WIDTH, 0.95 * len(texts) + 0.45 * len(traces) + 0.8), sharex=True,
                             height_ratios=heights, squeeze=False)  # fmt: skip
    for ax, (level, words) in zip(axes[:, 0], texts.items()):
        for first, last in _constant_spans(words):
            _block(ax, start + first, start + last, words[first], LEVEL_COLORS.get(level, COLORS["words"]), n_seconds)
        ax.set(ylim=(0, 1), yticks=[])
        ax.set_ylabel(level, rotation=0, ha="right", va="center")
    for ax, (name, values) in zip(axes[len(texts) :, 0], traces.items()):
        ax.step(start + np.arange(n_seconds), values, where="post", color=COLORS["ceiling"], lw=0.8)
        ax.set(yticks=[])
        ax.set_ylabel(name.removeprefix("n_").replace("_", " "), rotation=0, ha="right", va="center")
    axes[-1, 0].set(xlabel="time in the run (s)", xlim=(start, start + n_seconds))
    axes[-1, 0].set_xticks(np.arange(start, start + n_seconds + 1, step or max(n_seconds // 6, 1)))
    fig.suptitle(title)
    return fig


def _constant_spans(words: Sequence[str]) -> list[tuple[int, int]]:
    """Return start and end of each constant text, without empty ones."""
    edges = [0, *(k for k in range(1, len(words)) if words[k] != words[k - 1]), len(words)]
    return [(a, b) for a, b in pairwise(edges) if words[a]]


def _block(ax: Axes, first: float, last: float, text: str, color: str, n_seconds: int) -> None:
    """Draw a text over its seconds, as much of it as fits."""
    ax.broken_barh([(first, last - first)], (0.02, 0.96), color=color, alpha=0.25, edgecolor=color, lw=0.6)
    letters = int((last - first) / n_seconds * (WIDTH - 1.2) * _LETTERS)
    if letters >= 5:
        lines = textwrap.wrap(text, letters, break_long_words=False)
        shown = [line if len(line) <= letters else line[: letters - 1] + "…" for line in lines[:5]]
        if len(lines) > 5:
            shown[4] = shown[4].rstrip("…")[: letters - 1] + "…"
        ax.text(first + 0.004 * n_seconds, 0.93, "\n".join(shown), fontsize=6, va="top", clip_on=True)


def change_curves(
    lags: ArrayLike, curves: Mapping[str, ArrayLike], title: str, ylabel: str, *, legend: str | None = None
) -> Figure:
    """Draw the autocorrelation of each level by lag.

    Parameters
    ----------
    lags : array (n_lags,)
        In s.
    curves : dict of str to array (n_lags,)
        By level, or by another name, in the order of a color map.
    title, ylabel : str
    legend : str, optional
        Title of the legend.

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig, ax = plt.subplots(figsize=(5.6, 3))
    shades = plt.get_cmap("viridis")(np.linspace(0.9, 0, len(curves)))
    for k, (level, values) in enumerate(curves.items()):
        dashes = "--" if level == "TimePlace" else "-"  # it may lie on that of Summary
        ax.plot(lags, values, dashes, color=LEVEL_COLORS.get(level, shades[k]), label=level)
    ax.axhline(0, color=COLORS["chance"], lw=0.8)
    ax.set(xlabel="seconds later", ylabel=ylabel, title=title)
    ax.legend(title=legend, fontsize=7.5, title_fontsize=7.5, loc="upper left", bbox_to_anchor=(1, 1))
    return fig


def similarity_of_pairs(pairs: pd.DataFrame, title: str, label: str = "CKA") -> Figure:
    """Draw the similarity of pairs of spaces, beside that of shifted ones.

    Parameters
    ----------
    pairs : pandas.DataFrame
        A row for each pair: columns ``first``, ``second``, ``cka``, ``shifted`` (mean over shifts) and
        ``most_shifted``.
    title, label : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    pairs = pairs.sort_values("cka")
    y = np.arange(len(pairs))
    fig, ax = plt.subplots(figsize=(6.2, 0.28 * len(pairs) + 1.1))
    dots = ax.plot(pairs["cka"], y, "o", color=COLORS["layers"], ms=7, label="as it is", zorder=3)[0]
    bars = ax.barh(y, pairs["most_shifted"], 0.7, color=COLORS["chance"], label="shifted in time, up to the largest")
    lines = ax.vlines(pairs["shifted"], y - 0.35, y + 0.35, color=COLORS["ceiling"], lw=1, label="mean of the shifts")
    ax.set_yticks(y, [f"{a} – {b}" for a, b in zip(pairs["first"], pairs["second"])])
    ax.set(xlim=(0, 1), xlabel=label, title=title)
    ax.legend(handles=[dots, bars, lines], fontsize=8, loc="lower right")
    return fig


def values_by_layer(curves: Mapping[str, ArrayLike], title: str, ylabel: str, xlabel: str = "layer") -> Figure:
    """Draw values by layer of a model, one line a level.

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
        ax.plot(range(len(values)), values, "o-", ms=4, color=LEVEL_COLORS.get(level, COLORS["controls"]), label=level)
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title, xticks=range(len(next(iter(curves.values())))))
    ax.legend(fontsize=7.5, loc="upper left", bbox_to_anchor=(1, 1))
    return fig


def layers_by_level(
    profiles: Mapping[str, ArrayLike], chosen: Mapping[str, ArrayLike], title: str, ylabel: str
) -> Figure:
    """Draw accuracy by layer, one panel a level, of subjects and their mean.

    Parameters
    ----------
    profiles : dict of str to array-like (n_subjects, n_layers)
        By level.
    chosen : dict of str to int array (n_subjects,)
        Selected layer of each subject, marked by a dot.
    title, ylabel : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig, axes = plt.subplots(1, len(profiles), figsize=(7.4, 2.5), sharex=True, sharey=True, squeeze=False)
    for ax, (level, values) in zip(axes[0], profiles.items()):
        values = np.asarray(values)
        color = _level_color(level)
        layers = np.arange(values.shape[1])
        ax.plot(layers, values.T, color=color, lw=0.6, alpha=0.6)
        ax.plot(layers, values.mean(axis=0), color=color, lw=2.2)
        ax.plot(chosen[level], values[np.arange(len(values)), chosen[level]], "o", color=COLORS["ceiling"], ms=3.5)
        ax.axhline(0, color=COLORS["chance"], lw=0.8)
        ax.set(title=level, xlabel="layer", xticks=layers if len(layers) < 10 else layers[:: len(layers) // 5])
    axes[0, 0].set_ylabel(ylabel)
    fig.suptitle(title)
    return fig


def models_by_level(accuracy: pd.DataFrame, title: str, ylabel: str, *, no_meaning: str = "no meaning") -> Figure:
    """Draw accuracy by level and model, beside spaces that know no meaning.

    Parameters
    ----------
    accuracy : pandas.DataFrame
        A row for each subject: columns ``model``, ``level``, ``r``; ``ceiling`` where there is one. The last model is
        drawn filled, and with its ceiling.
    title, ylabel : str
    no_meaning : str
        Level of the spaces that are drawn as lines across the figure.

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    with_meaning = accuracy[accuracy["level"] != no_meaning]
    levels = list(with_meaning["level"].unique())
    models = list(with_meaning["model"].unique())
    fig, ax = plt.subplots(figsize=(7.4, 3.4))
    ax.axhline(0, color=COLORS["chance"], lw=0.8)
    rest = accuracy[accuracy["level"] == no_meaning].groupby("model", sort=False)["r"].mean()
    for name, dashes in zip(rest.index, (":", "-", "-.")):
        ax.axhline(rest[name], color=COLORS["controls"], ls=dashes, lw=1.8, label=f"{name} (no meaning)")
    for (model, level), rows in with_meaning.groupby(["model", "level"], sort=False):
        m = models.index(model)
        color = _level_color(level)
        x = levels.index(level) + (m - (len(models) - 1) / 2) * 0.7 / len(models)
        marker = _MARKERS[m % len(_MARKERS)]
        ax.plot(x + spread(len(rows), 0.14 / len(models)), rows["r"], marker, ms=2.5, color=color, alpha=0.55)
        ax.plot(x, rows["r"].mean(), marker, color=color, mfc=color if model == models[-1] else "white", ms=7.5)
        if model == models[-1] and "ceiling" in rows:
            ends = levels.index(level) + np.array([-0.42, 0.42])
            label = None if levels.index(level) else "ceiling"
            ax.plot(ends, [rows["ceiling"].mean()] * 2, "--", color=COLORS["ceiling"], lw=1, label=label)
    for m, model in enumerate(models):
        face = COLORS["ceiling"] if model == models[-1] else "white"
        ax.plot([], [], _MARKERS[m % len(_MARKERS)], color=COLORS["ceiling"], label=model, mfc=face)
    ax.set_xticks(range(len(levels)), levels)
    ax.set(ylabel=ylabel, title=title)
    ax.legend(fontsize=7.5, loc="upper left", bbox_to_anchor=(1, 1))
    return fig


def sweep_curves(
    x: Sequence,
    curves: Mapping[str, ArrayLike],
    title: str,
    xlabel: str,
    ylabel: str,
    *,
    ceiling: Mapping[str, float] | None = None,
    n_apart: int = 0,
) -> Figure:
    """Draw accuracy by one setting of the analysis, of subjects and their mean.

    Parameters
    ----------
    x : sequence (n_settings,)
        Numbers, or names of settings.
    curves : dict of str to array (n_subjects, n_settings)
        By level or by another name; ``"<level>: ..."`` is drawn dashed, in the color of the level.
    title, xlabel, ylabel : str
    ceiling : dict of str to float, optional
        By name of a curve.
    n_apart : int
        Settings at the end that are of another kind: no line leads to them.

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig, ax = plt.subplots(figsize=(6.2, 3))
    ax.axhline(0, color=COLORS["chance"], lw=0.8)
    categorical = any(isinstance(value, str) for value in x)
    positions = np.arange(len(x)) if categorical else np.asarray(x, dtype=float)
    n_joined = len(positions) - n_apart
    others = [COLORS["layers"], COLORS["highlight"], COLORS["controls"]]
    for k, (name, values) in enumerate(curves.items()):
        level, *more = name.split(": ", 1)
        values = np.asarray(values)
        color = LEVEL_COLORS.get(level, others[k % len(others)])
        line = "--" if more else "-"
        face = "white" if more else color
        mean = np.nanmean(values, axis=0)
        joined, apart = slice(n_joined), slice(n_joined, None)
        ax.plot(positions[joined], values.T[joined], line, color=color, lw=0.5, alpha=0.5)
        ax.plot(positions[joined], mean[joined], "o" + line, ms=4, color=color, mfc=face, lw=2, label=name)
        if n_apart:
            beside = positions[apart] + 0.12 * (k - (len(curves) - 1) / 2)  # else they cover each other
            ax.plot(beside, values.T[apart], ".", color=color, ms=3, alpha=0.5)
            ax.plot(beside, mean[apart], "o", ms=5, color=color, mfc=face)
        if ceiling and name in ceiling:
            ax.axhline(ceiling[name], color=color, ls=":", lw=1)
    if categorical:
        ax.set_xticks(positions, x)
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    ax.legend(fontsize=7.5, loc="upper left", bbox_to_anchor=(1, 1))
    return fig


def _level_color(level: str) -> str:
    return LEVEL_COLORS.get(level, COLORS["controls"])


def words_on_time_line(
    words: Sequence[str],
    onsets: ArrayLike,
    offsets: ArrayLike,
    tr: float,
    title: str,
    *,
    start: float = 0.0,
    stop: float = 12.0,
) -> Figure:
    """Draw words from onset to offset, above the TRs of the same seconds.

    Parameters
    ----------
    words : list of str
    onsets, offsets : array (n_words,)
        In s from the first TR.
    tr : float
        In s.
    title : str
    start, stop : float
        Part of the story to draw, in s.

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig, ax = plt.subplots(figsize=(7.4, 2.4))
    for n, (word, a, b) in enumerate(zip(words, onsets, offsets)):
        if a < start or b > stop:
            continue
        ax.broken_barh([(a, b - a)], (0, 1), color=COLORS["words"], edgecolor="white")
        ax.text((a + b) / 2, 1.15 + 0.55 * (n % 3), word, ha="center", va="bottom", fontsize=7.5)
    for t in np.arange(start, stop + tr / 2, tr):
        ax.axvline(t, color=COLORS["chance"], lw=0.8, zorder=0)
    ax.set(xlim=(start, stop), ylim=(0, 3.2), yticks=[], xlabel="time from the first TR (s)", title=title)
    ax.set_xticks(np.arange(start, stop + tr / 2, tr))
    ax.spines["left"].set_visible(False)
    return fig
