"""Figures of a real film: accuracy by lag, the ladder of models, identification by segment length."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from naturalistic.plotting.style import COLORS, feature_color, spread


def accuracy_by_lag(
    lags: ArrayLike, curves: Mapping[str, ArrayLike], title: str, *, expected: tuple[float, float] = (4.0, 6.0)
) -> Figure:
    """Draw the correlation of a feature with the response by lag, one line a run.

    Parameters
    ----------
    lags : array (n_lags,)
        s by which the response is later.
    curves : dict of str to array (n_lags,)
        By run.
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
    shades = plt.get_cmap("viridis")(np.linspace(0.9, 0, len(curves)))
    for shade, (name, values) in zip(shades, curves.items()):
        best = int(np.argmax(values))
        ax.plot(lags, values, color=shade, lw=1.2, label=name)
        ax.plot(np.asarray(lags)[best], np.asarray(values)[best], "o", color=shade, ms=4)
    ax.set(xlabel="response later by (s)", ylabel="correlation (r)", title=title)
    ax.legend(fontsize=7.5, loc="upper left", bbox_to_anchor=(1, 1))
    return fig


def model_ladder(
    subjects: Mapping[str, ArrayLike],
    average: Mapping[str, float],
    title: str,
    ylabel: str,
    *,
    ceiling: float | None = None,
    ends: Mapping[str, tuple[float, float]] | None = None,
) -> Figure:
    """Draw accuracies of models, from the simplest to the richest: subjects and the average brain.

    Parameters
    ----------
    subjects : dict of str to array (n_subjects,)
        By model; small dots.
    average : dict of str to float
        Of the average brain; large dots, joined.
    title, ylabel : str
    ceiling : float, optional
        Drawn as a dashed line.
    ends : dict of str to (float, float), optional
        Range of a null, drawn as a gray bar.

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    names = list(subjects)
    fig, ax = plt.subplots(figsize=(min(7.4, 1.6 + 0.5 * len(names)), 3.2))
    ax.axhline(0, color=COLORS["ceiling"], lw=0.8)
    ax.plot(range(len(names)), [average[name] for name in names], color=COLORS["chance"], lw=1, zorder=1)
    for x, name in enumerate(names):
        color = feature_color(name, names)
        values = np.asarray(subjects[name])
        if ends and name in ends:
            ax.vlines(x, *ends[name], color=COLORS["chance"], lw=6, alpha=0.6, label="null, 95 %" if not x else None)
        ax.plot(x + spread(len(values), 0.14), values, ".", color=color, ms=4, alpha=0.6)
        ax.plot(x, average[name], "o", color=color, ms=7, label="average brain" if not x else None)
    if ceiling is not None:
        ax.axhline(ceiling, ls="--", color=COLORS["ceiling"], lw=1, label="ceiling of a subject")
    ax.set_xticks(range(len(names)), names, rotation=35, ha="right")
    ax.set(ylabel=ylabel, title=title)
    ax.legend(fontsize=7.5, loc="upper left", bbox_to_anchor=(1, 1))
    return fig


def identification_by_length(
    seconds: Sequence[float],
    accuracy: Mapping[str, ArrayLike],
    chance: Mapping[str, ArrayLike],
    title: str,
    ylabel: str = "pairwise accuracy",
) -> Figure:
    """Draw identification accuracy by the length of segments, with the range of the null.

    Parameters
    ----------
    seconds : list of float (n_lengths,)
    accuracy : dict of str to array (n_lengths,) or (n_subjects, n_lengths)
        By what was identified; with several rows the mean, and each as a thin line.
    chance : dict of str to array (n_lengths,)
        Upper end of the null, by the same names; drawn dotted.
    title, ylabel : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig, ax = plt.subplots(figsize=(5.6, 3.1))
    ax.axhline(0.5, color=COLORS["chance"], ls="--", lw=1, label="chance")
    shades = [COLORS[name] for name in ("layers", "static", "joint", "highlight", "words")]
    for color, (name, values) in zip(shades, accuracy.items()):
        rows = np.atleast_2d(values)
        if len(rows) > 1:
            ax.plot(seconds, rows.T, color=color, lw=0.5, alpha=0.4)
        ax.plot(seconds, rows.mean(axis=0), "o-", color=color, ms=4, label=name)
        if name in chance:
            ax.plot(seconds, chance[name], ":", color=color, lw=1)
    ax.set(xlabel="length of a segment (s)", ylabel=ylabel, title=title, ylim=(0.4, 1.02))
    ax.legend(fontsize=7.5, loc="upper left", bbox_to_anchor=(1, 1))
    return fig
