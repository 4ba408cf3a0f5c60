"""Figures of decoding: delays, identification by embedding and by genre."""

import matplotlib.pyplot as plt
import numpy as np

from naturalistic.plotting.embeddings import MODEL_COLOURS
from naturalistic.plotting.style import COLOURS, spread


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
    """
    fig, ax = plt.subplots(figsize=(5.4, 2.8))
    for shade, (name, line) in zip(plt.get_cmap("Blues")(np.linspace(0.4, 0.95, len(scores))), scores.items()):
        ax.plot(delays, line, color=shade, label=name)
        ax.plot(chosen[name], line[list(delays).index(chosen[name])], "o", color=shade)
    ax.set(xlabel="delay from sound to brain (s)", ylabel="correlation of held-out\ntraining windows (r)", title=title)
    ax.legend(fontsize=7.5)
    return fig


def score_by_model(scores, title, ylabel, *, chance=None, known=None):
    """Draw a score of every subject (dots), and the mean with its standard deviation, by embedding or strategy.

    Parameters
    ----------
    scores : dict of str to array (n_subjects,)
    title, ylabel : str
    chance : float, optional
        Drawn as a line.
    known : dict of str to float, optional
        Published values, drawn as crosses.
    """
    fig, ax = plt.subplots(figsize=(6.2, 3))
    for x, (name, values) in enumerate(scores.items()):
        colour = MODEL_COLOURS[x % len(MODEL_COLOURS)]
        ax.plot(x + spread(len(values), 0.12), values, ".", color=colour, ms=6, alpha=0.6)
        error = np.std(values, ddof=1) if len(values) > 1 else 0
        ax.errorbar([x + 0.25], [np.mean(values)], [error], fmt="o", color=colour, capsize=3)
        if known and name in known:
            ax.plot(
                x - 0.25,
                known[name],
                "x",
                color=COLOURS["ceiling"],
                label="paper" if "paper" not in ax.get_legend_handles_labels()[1] else None,
            )
    if chance is not None:
        ax.axhline(chance, color=COLOURS["chance"], ls="--", lw=1, label="chance")
    ax.set_xticks(range(len(scores)), list(scores))
    ax.set(ylabel=ylabel, title=title)
    ax.legend(fontsize=7.5)
    return fig


def genre_confusion(counts, names, title):
    """Draw which genre the most alike other clip has (columns), by the genre of the clip that was heard (rows).

    Parameters
    ----------
    counts : array (n_genres, n_genres)
    names : sequence of str
    title : str
    """
    fig, ax = plt.subplots(figsize=(4.6, 3.8))
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = ax.imshow(share, cmap="viridis", vmin=0, vmax=max(0.5, share.max()))
    ax.set_xticks(range(len(names)), names, rotation=90)
    ax.set_yticks(range(len(names)), names)
    ax.set(xlabel="genre of the clip most like the decoded vector", ylabel="genre heard", title=title)
    fig.colorbar(image, label="share of clips")
    return fig
