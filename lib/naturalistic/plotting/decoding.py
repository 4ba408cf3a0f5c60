"""Figures of decoding and of reconstructed music."""

import html
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import HTML
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from nilearn import plotting as nilearn_plotting
from numpy.typing import ArrayLike

from naturalistic.anatomy.surface import meshes, sulcal_depth
from naturalistic.plotting.music import TOP, audio_player, draw_spectrogram, power_spectrogram
from naturalistic.plotting.style import COLORS, space_color, spread

_RECONSTRUCTION_COLORS = {"retrieved": "#56B4E9", "generated": "#D55E00"}
_Box = tuple[float, float, float, float]  # left, bottom, width, height in fractions of the figure
SMALL = 0.95  # of MP3: thirty players have to fit into a page
# from panel to panel of the pipeline, clockwise, in fractions of the figure
ARROWS = (((0.45, 0.72), (0.51, 0.72)), ((0.92, 0.515), (0.92, 0.435)), ((0.53, 0.22), (0.47, 0.22)))


def delay_curves(table: pd.DataFrame, title: str) -> Figure:
    """Draw the cross-validated correlation of each delay, one line a subject.

    Parameters
    ----------
    table : DataFrame
        A row for each subject and delay: ``subject``, ``delay`` (s), ``r``, and ``selected``, which marks the delay
        that is used by a dot.
    title : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig, ax = plt.subplots(figsize=(5.4, 2.8))
    subjects = table["subject"].unique()
    for shade, subject in zip(plt.get_cmap("Blues")(np.linspace(0.4, 0.95, len(subjects))), subjects):
        curve = table[table["subject"] == subject]
        ax.plot(curve["delay"], curve["r"], color=shade, label=f"sub-{subject}")
        used = curve[curve["selected"]]
        ax.plot(used["delay"], used["r"], "o", color=shade)
    ax.set(xlabel="delay from sound to brain (s)", ylabel="correlation of held-out\ntraining windows (r)", title=title)
    ax.legend(fontsize=7.5)
    return fig


def subject_scores(
    table: pd.DataFrame,
    by: str,
    value: str,
    title: str,
    *,
    ylabel: str = "identification accuracy",
    chance: float | None = None,
    oracle: Mapping[str, float] | None = None,
    colors: Mapping[str, str] | None = None,
) -> Figure:
    """Draw scores of subjects (dots) with mean and standard deviation, by name.

    Parameters
    ----------
    table : DataFrame
        A row for each subject and name.
    by, value : str
        Columns of the names on the x axis, in order of appearance, and of the scores.
    title, ylabel : str
    chance : float, optional
        Drawn as a dashed line.
    oracle : dict of str to float, optional
        Scores of the true vectors, drawn as bars.
    colors : dict of str to color, optional
        By name; `space_color` by default.

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    names = list(table[by].unique())
    fig, ax = plt.subplots(figsize=(min(7.4, 1.6 + 1.15 * len(names)), 3))
    for x, name in enumerate(names):
        values = table.loc[table[by] == name, value].to_numpy()
        color = (colors or {}).get(name) or space_color(name)
        ax.plot(x - 0.08 + spread(len(values), 0.09), values, ".", color=color, ms=7, alpha=0.6)
        error = np.std(values, ddof=1) if len(values) > 1 else 0
        ax.errorbar([x + 0.16], [np.mean(values)], [error], fmt="o", color=color, capsize=3)
    if oracle is not None:
        heights = [oracle[name] for name in names]
        ax.plot(range(len(names)), heights, "_", color=COLORS["ceiling"], ms=14, label="oracle")
    if chance is not None:
        ax.axhline(chance, color=COLORS["chance"], ls="--", lw=1, label="chance")
    ax.set_xticks(range(len(names)), names)
    ax.set(ylabel=ylabel, title=title, xlim=(-0.5, len(names) - 0.3))
    if ax.get_legend_handles_labels()[0]:
        ax.legend(fontsize=7.5, loc="upper left", bbox_to_anchor=(1, 1))
    return fig


def genre_confusion(counts: ArrayLike, names: Sequence[str], table: pd.DataFrame, title: str) -> Figure:
    """Draw the confusion of genres and the identification accuracy by genre.

    Parameters
    ----------
    counts : array (n_genres, n_genres)
        Row: genre presented; column: genre of the other clip whose vector is most similar to the decoded one.
    names : sequence of str
    table : DataFrame
        A row for each ``decoder``, ``subject`` and ``genre``, with its ``identification``.
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
    left.set(xlabel="genre of the most similar other clip", ylabel="genre presented")
    fig.colorbar(image, label="share of clips", shrink=0.7)
    y = np.arange(len(names))
    colors = (COLORS["ceiling"], COLORS["highlight"])
    for k, (decoder, color) in enumerate(zip(table["decoder"].unique(), colors)):
        by_genre = table[table["decoder"] == decoder].groupby("genre")["identification"]
        height = y + 0.18 * (2 * k - 1)
        error = by_genre.std().fillna(0).loc[list(names)].to_numpy()
        mean = by_genre.mean().loc[list(names)].to_numpy()
        right.errorbar(mean, height, xerr=error, fmt="o", color=color, ms=4, capsize=2, label=decoder)
    right.axvline(0.5, color=COLORS["chance"], ls="--", lw=1, label="chance")
    right.set_yticks(y, names)
    right.invert_yaxis()
    right.set(xlabel="identification accuracy", xlim=(0, 1.02))
    right.legend(fontsize=7.5, loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=3, columnspacing=1)
    fig.suptitle(title)
    return fig


def reconstruction_scores(table: pd.DataFrame, title: str, oracle: str = "true") -> Figure:
    """Draw the identification accuracy of reconstructions, chance and oracle.

    Parameters
    ----------
    table : DataFrame
        A row for each ``method``, ``embedding`` and ``subject``, with its ``identification``.
    title : str
    oracle : str
        "Subject" whose sound was reconstructed from the true vectors.

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    named = table.assign(name=table["method"] + ",\n" + table["embedding"])
    of_oracle = named[named["subject"] == oracle].set_index("name")["identification"].to_dict()
    colors = dict(zip(named["name"], map(space_color, named["embedding"])))
    scores = named[named["subject"] != oracle]
    return subject_scores(scores, "name", "identification", title, chance=0.5, oracle=of_oracle, colors=colors)


def class_agreement(table: pd.DataFrame, title: str, oracle: str = "true") -> Figure:
    """Draw the class agreement of reconstructions, chance and oracle.

    Parameters
    ----------
    table : DataFrame
        A row for each ``property``, ``method`` and ``subject``, with its ``score`` and ``chance``.
    title : str
    oracle : str
        "Subject" whose sound was reconstructed from the true vectors.

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    properties = list(table["property"].unique())
    methods = list(table["method"].unique())
    fig, ax = plt.subplots(figsize=(6.6, 3))
    for (name, method), rows in table.groupby(["property", "method"], sort=False):
        color = _RECONSTRUCTION_COLORS.get(method, COLORS["highlight"])
        x = properties.index(name) + 0.34 * (methods.index(method) - (len(methods) - 1) / 2)
        of_subjects = rows[rows["subject"] != oracle]
        values = of_subjects["score"].to_numpy()
        error = np.std(values, ddof=1) if len(values) > 1 else 0
        first = name == properties[0]
        last = first and method == methods[-1]
        ax.plot(x - 0.05 + spread(len(values), 0.05), values, ".", color=color, ms=7, alpha=0.6)
        label = method if first else None
        ax.errorbar([x + 0.08], [values.mean()], [error], fmt="o", color=color, capsize=3, label=label)
        chance = of_subjects["chance"].mean()
        ax.plot(x, chance, "x", color=COLORS["ceiling"], ms=6, label="chance" if last else None)
        height = rows.loc[rows["subject"] == oracle, "score"]
        ax.plot([x] * len(height), height, "_", color=COLORS["ceiling"], ms=16, label="oracle" if last else None)
    ax.set_xticks(range(len(properties)), properties)
    ax.set(ylabel="agreement (share of classes)", ylim=(0, 1.02), title=title)
    ax.legend(fontsize=7.5, loc="upper left", bbox_to_anchor=(1, 1))
    return fig


def reconstruction_spectrograms(
    sounds: Mapping[str, Sequence[ArrayLike]],
    names: Sequence[str],
    sample_rates: Mapping[str, int],
    title: str,
    *,
    top: float = TOP,
) -> Figure:
    """Draw spectrograms of clips (rows), as presented and reconstructed (columns).

    Parameters
    ----------
    sounds : dict of str to list of array (n_samples,)
        By column.
    names : list of str
        Of the rows.
    sample_rates : dict of str to int
        In Hz, by column.
    title : str
    top : float
        Highest frequency drawn, in Hz.

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig, axes = plt.subplots(
        len(names), len(sounds), figsize=(7.4, 1.7 * len(names) + 0.4), sharex=True, sharey=True, squeeze=False
    )
    for k, (column, waves) in enumerate(sounds.items()):
        for ax, wave in zip(axes[:, k], waves):
            power = power_spectrogram(wave, sample_rates[column], top)
            image = draw_spectrogram(ax, power, power.max(), len(wave) / sample_rates[column], top)
        axes[0, k].set_title(column)
    for ax, name in zip(axes[:, 0], names):
        lines = [*name.split(maxsplit=1), "frequency (kHz)"]
        ax.set_ylabel("\n".join(lines), fontsize=7.5)
    fig.supxlabel("time (s)", fontsize="medium")
    fig.colorbar(image, ax=axes, label="level (dB)", aspect=30)
    fig.suptitle(title)
    return fig


def play_table(
    sounds: Mapping[str, Sequence[ArrayLike]], sample_rates: Mapping[str, int], names: Sequence[str]
) -> HTML:
    """Return a table of players, clips in rows, reconstructions in columns.

    Parameters
    ----------
    sounds : dict of str to list of array (n_samples,)
        By column.
    sample_rates : dict of str to int
        In Hz, by column.
    names : list of str
        Of the rows.

    Returns
    -------
    players : IPython.display.HTML
    """
    head = "".join(f"<th>{html.escape(column)}</th>" for column in ("", *sounds))
    rows = []
    for k, name in enumerate(names):
        cells = [html.escape(name)]
        for column, waves in sounds.items():
            cells.append(audio_player(waves[k], sample_rates[column], f"{name}, {column}", SMALL))
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return HTML(f'<table class="players wide"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>')


def reconstruction_pipeline(
    response: ArrayLike,
    read: ArrayLike,
    true: ArrayLike,
    sounds: Mapping[str, ArrayLike],
    sample_rates: Mapping[str, int],
    accuracy: ArrayLike,
    title: str,
) -> Figure:
    """Draw response, decoded vector, reconstructed sound, and encoding accuracy.

    Parameters
    ----------
    response : array (10242,)
        Response to one clip at the vertices of the left hemisphere, in standard deviations.
    read, true : array (dim,)
        Decoded and true vector of the clip.
    sounds : dict of str to array (n_samples,)
        Presented and reconstructed sound, from top to bottom.
    sample_rates : dict of str to int
        In Hz, by the same names.
    accuracy : array (10242,)
        Accuracy of an encoding model at the same vertices; NaN is drawn as the bare surface.
    title : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig = plt.figure(figsize=(7.4, 5.8), layout="none")
    boxes = {"brain": (0.01, 0.52, 0.44, 0.36), "vector": (0.6, 0.59, 0.38, 0.28)}
    boxes |= {"sound": (0.6, 0.09, 0.38, 0.3), "back": (0.01, 0.055, 0.44, 0.36)}
    ends = float(np.nanpercentile(np.abs(response), 99))
    _left_hemisphere(fig, boxes["brain"], response, "RdBu_r", -ends, ends, "response (SD)")
    _vectors(fig.add_axes(boxes["vector"]), read, true)
    _spectrograms(fig, boxes["sound"], sounds, sample_rates)
    top = float(np.nanpercentile(accuracy, 99.5)) if np.isfinite(accuracy).any() else 1.0
    _left_hemisphere(fig, boxes["back"], accuracy, "viridis", 0, top, "accuracy (r)")
    heads = ("1  a brain hears a clip", "2  its vector is read", "3  sound is made of it", "4  vectors predict brains")
    for head, (x, y) in zip(heads, ((0.02, 0.9), (0.55, 0.9), (0.55, 0.415), (0.02, 0.435))):
        fig.text(x, y, head, fontsize=11, weight="bold")
    for begin, end in ARROWS:
        arrow = FancyArrowPatch(
            begin, end, transform=fig.transFigure, arrowstyle="-|>", mutation_scale=22, lw=2.5, color=COLORS["ceiling"]
        )
        fig.add_artist(arrow)
    fig.suptitle(title)
    return fig


def _left_hemisphere(
    fig: Figure, box: _Box, values: ArrayLike, cmap: str, vmin: float, vmax: float, label: str
) -> None:
    """Draw a lateral map of the left hemisphere, with its color bar below."""
    x, y, width, height = box
    ax = fig.add_axes((x - 0.06, y + 0.02, width + 0.12, height + 0.06), projection="3d", zorder=-1)
    nilearn_plotting.plot_surf_stat_map(
        meshes("inflated")[0], stat_map=values, hemi="left", view="lateral", bg_map=sulcal_depth("left"), axes=ax,
        figure=fig, cmap=cmap, vmin=vmin, vmax=vmax, symmetric_cbar=False, colorbar=False, threshold=None,
        engine="matplotlib",
    )  # fmt: skip
    bar = fig.add_axes((x + 0.1, y + 0.035, width - 0.2, 0.015))
    fig.colorbar(ScalarMappable(Normalize(vmin, vmax), cmap), cax=bar, orientation="horizontal", label=label)


def _vectors(ax: Axes, read: ArrayLike, true: ArrayLike) -> None:
    """Draw a decoded vector beside the true one, sorted by the true values."""
    order = np.argsort(true)
    ax.plot(read[order], ".", ms=4, color=COLORS["highlight"], label="read from the brain")
    ax.plot(true[order], color=COLORS["layers"], lw=2, label="of the music")
    ax.set(xlabel="dimension, sorted", ylabel="value", xlim=(-1, len(true)))
    ax.legend(fontsize=7.5, loc="upper left")


def _spectrograms(fig: Figure, box: _Box, sounds: Mapping[str, ArrayLike], sample_rates: Mapping[str, int]) -> None:
    """Draw the spectrogram of each sound, one above the other."""
    x, y, width, height = box
    each = height / len(sounds)
    for k, (name, wave) in enumerate(sounds.items()):
        ax = fig.add_axes((x, y + height - (k + 1) * each + 0.01, width, each - 0.02))
        power = power_spectrogram(wave, sample_rates[name])
        duration = len(wave) / sample_rates[name]
        draw_spectrogram(ax, power, power.max(), duration)
        background = {"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 2}
        look = {"color": _RECONSTRUCTION_COLORS.get(name, "black"), "va": "top", "fontsize": 8, "bbox": background}
        ax.text(0.02, 0.9, name, transform=ax.transAxes, **look)
        ax.set(ylabel="kHz", xticks=np.arange(0, duration + 0.1, 5))
        ax.tick_params(labelbottom=k == len(sounds) - 1)
    ax.set_xlabel("time (s)")
