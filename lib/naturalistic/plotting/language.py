"""Figures of language models and films: accuracy by layer, by model and level, and over a sweep of one setting."""

import matplotlib.pyplot as plt
import numpy as np

from naturalistic.inference import t_test_over_subjects
from naturalistic.plotting.style import COLOURS, LEVEL_COLOURS, spread

MARKERS = "osD^vP*X"  # one a model; the last model of a level is drawn filled


def layers_by_level(profiles, chosen, title, ylabel):
    """Draw accuracy by layer in one panel a level: subjects (thin), their mean (thick), and the layer of each subject.

    Parameters
    ----------
    profiles : dict of str to array-like (n_subjects, n_layers)
        By level.
    chosen : dict of str to int array (n_subjects,)
    title, ylabel : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig, axes = plt.subplots(1, len(profiles), figsize=(7.4, 2.5), sharex=True, sharey=True, squeeze=False)
    for ax, (level, values) in zip(axes[0], profiles.items()):
        values = np.asarray(values)
        colour, layers = _colour(level), np.arange(values.shape[1])
        ax.plot(layers, values.T, color=colour, lw=0.6, alpha=0.6)
        ax.plot(layers, values.mean(axis=0), color=colour, lw=2.2)
        ax.plot(chosen[level], values[np.arange(len(values)), chosen[level]], "o", color=COLOURS["ceiling"], ms=3.5)
        ax.axhline(0, color=COLOURS["chance"], lw=0.8)
        ax.set(title=level, xlabel="layer", xticks=layers if len(layers) < 10 else layers[:: len(layers) // 5])
    axes[0, 0].set_ylabel(ylabel)
    fig.suptitle(title)
    return fig


def models_by_level(scores, title, ylabel, *, ceiling=None):
    """Draw the accuracy of every model at every level: subjects (small), mean with its 95 % interval.

    Parameters
    ----------
    scores : dict of str to dict of str to array (n_subjects,)
        By model, then level.
    title, ylabel : str
    ceiling : dict of str to array (n_subjects,), optional
        By level.

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig, ax = plt.subplots(figsize=(7.4, 3.2))
    ax.axhline(0, color=COLOURS["chance"], lw=0.8)
    levels = list(dict.fromkeys(level for by in scores.values() for level in by))
    asked = {level: [model for model, by in scores.items() if level in by] for level in levels}
    most = max(map(len, asked.values()))
    for m, (model, by_level) in enumerate(scores.items()):
        marker = MARKERS[m % len(MARKERS)]
        for level in by_level:
            models, values, colour = asked[level], by_level[level], _colour(level)
            x = levels.index(level) + (models.index(model) - (len(models) - 1) / 2) * 0.7 / most
            ax.plot(x + spread(len(values), 0.14 / most), values, marker, ms=2.5, color=colour, alpha=0.55)
            face = colour if model == models[-1] else "white"
            _mean(ax, x, values, fmt=marker, color=colour, mfc=face, ms=6.5, capsize=2, zorder=3)
        last = COLOURS["ceiling"] if model in [models[-1] for models in asked.values()] else "white"
        ax.plot([], [], marker, color=COLOURS["ceiling"], label=model, mfc=last)
    for n, (level, values) in enumerate((ceiling or {}).items()):
        k = levels.index(level)
        ends, height = [k - 0.42, k + 0.42], [np.nanmean(values)] * 2
        ax.plot(ends, height, "--", color=COLOURS["ceiling"], lw=1, label=None if n else "ceiling")
    ax.set_xticks(range(len(levels)), levels)
    ax.set(ylabel=ylabel, title=title)
    ax.legend(fontsize=7.5, loc="upper left", bbox_to_anchor=(1, 1))
    return fig


def sweep_curves(x, curves, title, xlabel, ylabel, *, ceiling=None):
    """Draw accuracy against one setting of the analysis: mean over subjects, with its 95 % interval.

    Parameters
    ----------
    x : sequence (n_settings,)
        Numbers, or names of settings.
    curves : dict of str to array (n_subjects, n_settings)
        By level or by another name; ``"<level>: ..."`` is drawn in the level's colour, broken.
    title, xlabel, ylabel : str
    ceiling : dict of str to float, optional
        By name of a curve.

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig, ax = plt.subplots(figsize=(6.2, 3))
    ax.axhline(0, color=COLOURS["chance"], lw=0.8)
    named = any(isinstance(value, str) for value in x)
    at = np.arange(len(x)) if named else np.asarray(x, dtype=float)
    for name, values in curves.items():
        level, *more = name.split(": ", 1)
        mean = np.nanmean(values, axis=0)
        colour = _colour(level)
        ax.plot(at, mean, "o--" if more else "o-", ms=4, color=colour, mfc="white" if more else colour, label=name)
        if len(values) > 1:
            group = t_test_over_subjects(values)
            ax.fill_between(at, group.low, group.high, color=colour, alpha=0.15, lw=0)
        if ceiling and name in ceiling:
            ax.axhline(ceiling[name], color=colour, ls=":", lw=1)
    if named:
        ax.set_xticks(at, x)
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    ax.legend(fontsize=7.5, loc="upper left", bbox_to_anchor=(1, 1))
    return fig


def _mean(ax, x, values, **look):
    """Draw the mean of subjects, with its interval where there are two or more."""
    error = None
    if len(values) > 1:
        group = t_test_over_subjects(values)
        error = [[group.mean - group.low], [group.high - group.mean]]
    ax.errorbar([x], [np.nanmean(values)], yerr=error, **look)


def _colour(level):
    return LEVEL_COLOURS.get(level, COLOURS["controls"])
