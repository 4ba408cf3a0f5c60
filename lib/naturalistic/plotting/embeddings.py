"""Figures of embeddings: a clip as each model sees it, maps and likeness of clips, what probes read."""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from naturalistic.plotting.style import COLOURS, GENRE_COLOURS, space_colour


def clip_by_model(frames, step, vectors, windows, hop, title):
    """Draw a clip's log-mel frames, and below them the windows of each model where they lie in time.

    Parameters
    ----------
    frames : array (n_frames, n_mels)
        dB.
    step : float
        s between frames.
    vectors : dict of str to array (n_windows, dim)
    windows : dict of str to float
        Length of a model's windows, s.
    hop : float
        s between windows.
    title : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig, axes = plt.subplots(len(vectors) + 1, 1, figsize=(7.4, 1.6 * (len(vectors) + 1)), sharex=True)
    duration = len(frames) * step
    axes[0].imshow(frames.T, aspect="auto", origin="lower", extent=(0, duration, 0, frames.shape[1]), cmap="magma")
    axes[0].set(ylabel="mel band", title="what all models are given: power by time and frequency")
    for ax, (name, rows) in zip(axes[1:], vectors.items()):
        scaled = rows / np.abs(rows).max()
        middles = np.arange(len(rows)) * hop + windows[name] / 2
        edges = np.append(middles - hop / 2, middles[-1] + hop / 2)
        ax.pcolormesh(edges, np.arange(rows.shape[1] + 1), scaled.T, cmap="RdBu_r", vmin=-1, vmax=1, rasterized=True)
        plural = "s" if len(rows) > 1 else ""
        ax.set(
            ylabel="dimension", title=f"{name}: {len(rows)} window{plural} of {windows[name]:g} s, each at its middle"
        )
    axes[-1].set(xlabel="time (s)", xlim=(0, duration))
    fig.suptitle(title)
    return fig


def clip_maps(vectors, genres, title, seed=0):
    """Draw all clips as dots in the plane, near where the model has them near (t-SNE), coloured by genre.

    Parameters
    ----------
    vectors : dict of str to array (n_clips, dim)
    genres : sequence of str (n_clips,)
    title : str
    seed : int

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig, axes = plt.subplots(1, len(vectors), figsize=(7.4, 3.4), squeeze=False)
    genres = np.asarray(genres)
    for ax, (name, x) in zip(axes[0], vectors.items()):
        x = PCA(min(30, *x.shape), random_state=seed).fit_transform(x)
        places = TSNE(perplexity=min(30, len(x) / 4), init="pca", random_state=seed).fit_transform(x)
        for genre, colour in GENRE_COLOURS.items():
            here = places[genres == genre]
            ax.plot(*here.T, ".", color=colour, ms=4, alpha=0.8, label=genre)
            if len(here):
                ax.text(*np.median(here, axis=0), genre, fontsize=7, ha="center", weight="bold")
        ax.set(title=name, xticks=[], yticks=[], xlabel="t-SNE 1", ylabel="t-SNE 2")
    fig.suptitle(title)
    return fig


def likeness(vectors, genres, title):
    """Draw the correlation between the vectors of all pairs of clips, clips sorted by genre.

    Parameters
    ----------
    vectors : dict of str to array (n_clips, dim)
    genres : sequence of str (n_clips,)
    title : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig, axes = plt.subplots(1, len(vectors), figsize=(7.4, 3.1), squeeze=False)
    order = np.argsort(genres, kind="stable")
    names, starts = np.unique(np.asarray(genres)[order], return_index=True)
    middles = (starts + np.append(starts[1:], len(order))) / 2
    for ax, (name, x) in zip(axes[0], vectors.items()):
        x = x[order] - x.mean(axis=0)
        image = ax.imshow(np.corrcoef(x), cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
        ax.set_xticks(middles, names, rotation=90, fontsize=6.5)
        ax.set_yticks(middles, names, fontsize=6.5)
        ax.tick_params(length=0)
        ax.set_title(name)
    fig.colorbar(image, ax=axes, label="correlation (r)", shrink=0.8)
    fig.suptitle(title)
    return fig


def probe_bars(scores, chance, title):
    """Draw what linear probes read from each model, by property, with chance as a line.

    Parameters
    ----------
    scores : dict of str to dict of str to float
        By property, by model.
    chance : dict of str to float
        By property.
    title : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig, ax = plt.subplots(figsize=(7.4, 2.8))
    models = list(next(iter(scores.values())))
    width = 0.8 / len(models)
    for m, name in enumerate(models):
        x = np.arange(len(scores)) + (m - (len(models) - 1) / 2) * width
        ax.bar(x, [row[name] for row in scores.values()], width * 0.9, color=space_colour(name), label=name)
    for k, name in enumerate(scores):
        ax.plot(
            [k - 0.45, k + 0.45],
            [chance[name]] * 2,
            color=COLOURS["ceiling"],
            lw=1,
            ls="--",
            label="chance" * (not k) or None,
        )
    ax.set_xticks(range(len(scores)), list(scores))
    ax.set(ylabel="r, or share right", title=title, ylim=(min(0, ax.get_ylim()[0]), 1))
    ax.legend(ncols=len(models) + 1, loc="upper center", bbox_to_anchor=(0.5, -0.12))
    return fig
