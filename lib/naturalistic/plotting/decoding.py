"""Figures of decoding: delays, scores of every subject, confusion of genres."""

import matplotlib.pyplot as plt
import numpy as np

from naturalistic.plotting.style import COLOURS, space_colour, spread


def delay_curves(delays, scores, chosen, title):
    """Draw the cross-validated correlation against the delay, one line a subject, with the delay that was chosen.

    Parameters
    ----------
    delays : array (n_delays,)
        s.
    scores : dict of str to array (n_delays,)
        By subject.
    chosen : dict of str to float
    title : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig, ax = plt.subplots(figsize=(5.4, 2.8))
    for shade, (name, line) in zip(plt.get_cmap("Blues")(np.linspace(0.4, 0.95, len(scores))), scores.items()):
        ax.plot(delays, line, color=shade, label=f"sub-{name}")
        ax.plot(chosen[name], line[list(delays).index(chosen[name])], "o", color=shade)
    ax.set(xlabel="delay from sound to brain (s)", ylabel="correlation of held-out\ntraining windows (r)", title=title)
    ax.legend(fontsize=7.5)
    return fig


def subject_scores(scores, title, ylabel, *, chance=None, oracle=None, known=None, colours=None):
    """Draw a score of every subject (dots), and beside them the mean with its standard deviation, by name.

    Parameters
    ----------
    scores : dict of str to array (n_subjects,)
    title, ylabel : str
    chance : float, optional
        Drawn as a broken line.
    oracle : dict of str to float, optional
        What the true vectors would give, drawn as a bar.
    known : dict of str to float, optional
        Published values, drawn as crosses.
    colours : dict of str to colour, optional
        By name; `space_colour` by default.

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig, ax = plt.subplots(figsize=(min(7.4, 1.6 + 1.15 * len(scores)), 3))
    for x, (name, values) in enumerate(scores.items()):
        colour = (colours or {}).get(name) or space_colour(name)
        ax.plot(x - 0.08 + spread(len(values), 0.09), values, ".", color=colour, ms=7, alpha=0.6)
        error = np.std(values, ddof=1) if len(values) > 1 else 0
        ax.errorbar([x + 0.16], [np.mean(values)], [error], fmt="o", color=colour, capsize=3)
    for marks, how, label in ((oracle, "_", "oracle"), (known, "x", "paper")):
        places = [(x, marks[name]) for x, name in enumerate(scores) if name in (marks or {})]
        if places:
            at, values = np.transpose(places)
            ax.plot(
                at + 0.34 * (how == "x"), values, how, color=COLOURS["ceiling"], ms=14 if how == "_" else 6, label=label
            )
    if chance is not None:
        ax.axhline(chance, color=COLOURS["chance"], ls="--", lw=1, label="chance")
    ax.set_xticks(range(len(scores)), list(scores))
    ax.set(ylabel=ylabel, title=title, xlim=(-0.5, len(scores) - 0.3))
    if ax.get_legend_handles_labels()[0]:
        ax.legend(fontsize=7.5, loc="upper left", bbox_to_anchor=(1, 1))
    return fig


def genre_confusion(counts, names, by_genre, title):
    """Draw the genre of the most alike other clip, and beside it the scores by genre of the clip that was heard.

    Parameters
    ----------
    counts : array (n_genres, n_genres)
        Row: genre heard; column: genre of the other clip whose vector is most like the decoded one.
    names : sequence of str
    by_genre : dict of str to array (n_subjects, n_genres)
        Identification accuracy of each kind of decoder.
    title : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig, (left, right) = plt.subplots(1, 2, figsize=(7.4, 3.6), width_ratios=[1.25, 1])
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = left.imshow(share, cmap="viridis", vmin=0, vmax=max(0.5, share.max()))
    left.set_xticks(range(len(names)), names, rotation=90)
    left.set_yticks(range(len(names)), names)
    left.set(xlabel="genre of the most alike other clip", ylabel="genre heard")
    fig.colorbar(image, label="share of clips", shrink=0.7)
    y, colours = np.arange(len(names)), (COLOURS["ceiling"], COLOURS["highlight"])
    for k, ((kind, values), colour) in enumerate(zip(by_genre.items(), colours)):
        place = y + 0.18 * (2 * k - 1)
        error = np.std(values, axis=0, ddof=1) if len(values) > 1 else 0
        right.errorbar(np.mean(values, axis=0), place, xerr=error, fmt="o", color=colour, ms=4, capsize=2, label=kind)
    right.axvline(0.5, color=COLOURS["chance"], ls="--", lw=1, label="chance")
    right.set_yticks(y, names)
    right.invert_yaxis()
    right.set(xlabel="identification accuracy")
    right.legend(fontsize=7.5, loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=3, columnspacing=1)
    fig.suptitle(title)
    return fig
