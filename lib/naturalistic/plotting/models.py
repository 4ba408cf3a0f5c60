"""Figures of models and of what they predict: accuracy, ceilings, responses."""

import matplotlib.pyplot as plt
import numpy as np

from naturalistic.inference import t_test_over_subjects
from naturalistic.plotting.style import COLOURS, ROI_NAMES, colour_of, mean_with_interval, spread


def words_on_time_line(words, onsets, offsets, tr, title, *, start=0.0, stop=12.0):
    """Draw each word from its onset to its offset above the TRs that measured while it was said.

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
        ax.broken_barh([(a, b - a)], (0, 1), color=COLOURS["words"], edgecolor="white")
        ax.text((a + b) / 2, 1.15 + 0.55 * (n % 3), word, ha="center", va="bottom", fontsize=7.5)
    for t in np.arange(start, stop + tr / 2, tr):
        ax.axvline(t, color=COLOURS["chance"], lw=0.8, zorder=0)
    ax.set(xlim=(start, stop), ylim=(0, 3.2), yticks=[], xlabel="time from the first TR (s)", title=title)
    ax.set_xticks(np.arange(start, stop + tr / 2, tr))
    ax.spines["left"].set_visible(False)
    return fig


def values_by_roi(values, rois, title, ylabel, significant=None, interval=None):
    """Draw a value for every subject (dots) and the mean with its 95 % interval, by region.

    Parameters
    ----------
    values : array (n_subjects, n_rois)
    rois : sequence of str
    title, ylabel : str
    significant : array of bool (n_rois,), optional
        Regions whose mean is drawn filled; the others are open.
    interval : inference.MeanInterval, optional
        Where values of subjects depend on each other, such as `inference.leave_one_out_interval`; Student's by default.

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig, ax = plt.subplots(figsize=(6.6, 2.8))
    x, group = np.arange(len(rois)), interval or t_test_over_subjects(values)
    ax.axhline(0, color=COLOURS["chance"], lw=0.8)
    ax.plot(x + spread(len(values), 0.15)[:, None], values, ".", color=COLOURS["chance"], ms=4, zorder=1)
    filled = np.ones(len(rois), bool) if significant is None else np.asarray(significant)
    for k in x:
        mean_with_interval(ax, k, group, k, COLOURS["ceiling"], filled[k])
    ax.set_xticks(x, ["\n".join([r, *ROI_NAMES.get(r, "").split()]) for r in rois])
    ax.set(ylabel=ylabel, title=title)
    return fig


def accuracy_by_roi(scores, ceiling, significant, rois, title):
    """Draw accuracy by feature space in one panel a region, beside the ceiling.

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
    apart, top = spread(len(next(iter(scores.values()))), 0.2), ceiling
    for k, (roi, ax) in enumerate(zip(rois, axes.flat)):
        ax.axhspan(top.low[k], top.high[k], color=COLOURS["ceiling"], alpha=0.12, lw=0)
        ax.axhline(top.mean[k], color=COLOURS["ceiling"], lw=1, ls="--")
        ax.axhline(0, color=COLOURS["chance"], lw=0.8)
        for x, (name, values) in enumerate(scores.items()):
            colour = colour_of(name, scores)
            ax.plot(x + apart, values[:, k], ".", color=colour, ms=2.5, alpha=0.45)
            mean_with_interval(ax, x, t_test_over_subjects(values), k, colour, significant[name][k])
        ax.set_title(f"{roi}: {ROI_NAMES.get(roi, '')}")
        ax.set_xticks(range(len(scores)), list(scores), rotation=60, ha="right")
    for ax in axes[:, 0]:
        ax.set_ylabel("accuracy (r)")
    fig.suptitle(title)
    return fig


def accuracy_by_context(windows, scores, rois, title):
    """Draw accuracy against the words of context, one line a region, with 95 % intervals over subjects.

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
        group = t_test_over_subjects(np.moveaxis(scores[:, :, k], 0, 1))
        ax.axhline(0, color=COLOURS["chance"], lw=0.8)
        ax.fill_between(windows, group.low, group.high, color=COLOURS["layers"], alpha=0.25, lw=0)
        ax.plot(windows, group.mean, "o-", color=COLOURS["layers"], ms=3)
        ax.set_xscale("log", base=2)
        ax.set_xticks(windows[::2], [f"{w:g}" for w in windows[::2]])
        ax.set_title(roi)
    axes[0, 0].set_ylabel("accuracy (r)")
    fig.supxlabel("context (words)", fontsize="medium")
    fig.suptitle(title)
    return fig


def responses(delays, weights, rois, title):
    """Draw FIR weights as a response over time, one panel a region: subjects as lines, mean with 95 % interval.

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
        group = t_test_over_subjects(weights[:, k])
        ax.axhline(0, color=COLOURS["chance"], lw=0.8)
        ax.plot(delays, weights[:, k].T, color=COLOURS["chance"], lw=0.4, alpha=0.6)
        ax.fill_between(delays, group.low, group.high, color=COLOURS["words"], alpha=0.4, lw=0)
        ax.plot(delays, group.mean, "o-", color=COLOURS["layers"], ms=3)
        ax.set_title(roi)
    low, high = np.percentile(weights, [1, 99])
    axes[0, 0].set(ylim=(low, high), ylabel="weight (sd of BOLD\nper sd of word rate)")
    fig.supxlabel("delay (s)", fontsize="medium")
    fig.suptitle(title)
    return fig


def scores_by_alpha(alphas, scores, chosen, title):
    """Draw cross-validated scores against alpha, one line a target, with the alphas that were chosen.

    Parameters
    ----------
    alphas : array (n_alphas,)
    scores : array (n_alphas, n_targets)
    chosen : array (n_targets,)
    title : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig, ax = plt.subplots(figsize=(6, 2.8))
    shades = plt.get_cmap("Blues")(np.linspace(0.45, 0.95, scores.shape[1]))
    for line, alpha, shade in zip(scores.T, chosen, shades):
        ax.plot(alphas, line, color=shade)
        ax.plot(alpha, line[np.flatnonzero(alphas == alpha)[0]], "o", color=shade, ms=6)
    ax.axhline(0, color=COLOURS["chance"], lw=0.8)
    ax.set(xscale="log", xlabel="alpha", ylabel="mean over folds (r)", title=title)
    return fig
