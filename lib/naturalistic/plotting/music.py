"""Figures of music: time lines, spectrograms, players, embeddings, probes."""

import base64
import html
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import soundfile
from IPython.display import HTML
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patheffects import withStroke
from numpy.typing import ArrayLike, NDArray
from scipy.signal import ShortTimeFFT
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from naturalistic.plotting.style import COLORS, GENRE_COLORS, space_color

if TYPE_CHECKING:
    from naturalistic.datasets.events import Clip

TOP = 8000.0  # Hz
STEP = 0.02  # s
FLOOR = 1e-8  # of the maximum: -80 dB
_MP3_LEVEL = 0.75  # 0 best .. 1 smallest: 15 s of mono sound take about 60 kB


def power_spectrogram(waveform: ArrayLike, sample_rate: int, top: float = TOP) -> NDArray:
    """Return the power spectrogram of a sound, with Hann windows of 80 ms every 20 ms.

    Parameters
    ----------
    waveform : array (n_samples,)
    sample_rate : int
        In Hz.
    top : float
        Highest frequency returned, in Hz.

    Returns
    -------
    power : array (n_frequencies, n_frames)
        From 0 Hz up; squared units of the waveform.
    """
    hop = round(STEP * sample_rate)
    transform = ShortTimeFFT(np.hanning(4 * hop), hop, sample_rate, fft_mode="onesided")
    return transform.spectrogram(np.asarray(waveform, float))[transform.f <= top]


def draw_spectrogram(ax: Axes, power: ArrayLike, loudest: float, duration: float, top: float = TOP) -> AxesImage:
    """Draw a power spectrogram in dB relative to ``loudest``, from -70 to 0.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    power : array (n_frequencies, n_frames)
        From `power_spectrogram`.
    loudest : float
        Power of 0 dB.
    duration : float
        Of the sound, in s.
    top : float
        Highest frequency, in Hz.

    Returns
    -------
    image : matplotlib.image.AxesImage
        For a color bar; time in s, frequency in kHz.
    """
    level = 10 * np.log10(power / (loudest or 1) + FLOOR)
    extent = (0, duration, 0, top / 1000)
    return ax.imshow(level, aspect="auto", origin="lower", extent=extent, cmap="magma", vmin=-70, vmax=0)


def run_time_line(
    clips: "Sequence[Clip]", duration: float, title: str, *, n_dropped: float = 0.0, repeats: int = 1
) -> Figure:
    """Draw the clips of a run one after another, colored by genre.

    Parameters
    ----------
    clips : list of Clip
        In order of presentation.
    duration : float
        Of each, in s.
    title : str
    n_dropped : float
        Seconds at the start that are dropped.
    repeats : int
        Number of presentations of each clip; each is a row.

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    rows = np.array_split(np.arange(len(clips)), repeats)
    fig, axes = plt.subplots(repeats, 1, figsize=(7.4, 0.9 + 0.55 * repeats), sharex=True, squeeze=False)
    for row, ax in zip(rows, axes[:, 0]):
        for k, i in enumerate(row):
            color = GENRE_COLORS[clips[i].genre]
            ax.broken_barh([(k * duration, duration)], (0, 1), color=color, edgecolor="white")
        ax.set(yticks=[], xlim=(-n_dropped, len(rows[0]) * duration))
        ax.spines["left"].set_visible(False)
        if n_dropped and row[0] == 0:
            ax.add_patch(plt.Rectangle((-n_dropped, 0), n_dropped, 1, fill=False, ec=COLORS["chance"], hatch="///"))
    axes[-1, 0].set_xlabel("time from the first clip that counts (s)")
    patches = [plt.Rectangle((0, 0), 1, 1, color=color) for color in GENRE_COLORS.values()]
    fig.legend(
        patches,
        list(GENRE_COLORS),
        ncols=10,
        loc="outside lower center",
        fontsize=7.5,
        handlelength=1,
        columnspacing=1,
    )
    fig.suptitle(title)
    return fig


def spectrograms(
    waveforms: Sequence[ArrayLike], sample_rate: int, names: Sequence[str], title: str, *, top: float = TOP
) -> Figure:
    """Draw the spectrogram of each clip, in dB relative to the maximum over clips.

    Parameters
    ----------
    waveforms : list of array (n_samples,)
    sample_rate : int
        In Hz.
    names : list of str
    title : str
    top : float
        Highest frequency drawn, in Hz.

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    n_rows = -(-len(waveforms) // 5)
    fig, axes = plt.subplots(n_rows, 5, figsize=(7.4, 1.75 * n_rows), sharex=True, sharey=True, squeeze=False)
    powers = [power_spectrogram(wave, sample_rate, top) for wave in waveforms]
    loudest = max(power.max() for power in powers)
    for wave, power, name, ax in zip(waveforms, powers, names, axes.flat):
        image = draw_spectrogram(ax, power, loudest, len(wave) / sample_rate, top)
        ax.set_title(name)
    fig.supxlabel("time (s)", fontsize="medium")
    fig.supylabel("frequency (kHz)", fontsize="medium")
    fig.colorbar(image, ax=axes, label="level (dB)", aspect=30)
    fig.suptitle(title)
    return fig


def play_list(waveforms: Sequence[ArrayLike], sample_rate: int, names: Sequence[str]) -> HTML:
    """Return a table of players, one a clip, with their sound in the page as MP3.

    Parameters
    ----------
    waveforms : list of array (n_samples,)
    sample_rate : int
        In Hz.
    names : list of str
        Shown beside the players.

    Returns
    -------
    players : IPython.display.HTML
    """
    cells = [(html.escape(name), audio_player(wave, sample_rate, name)) for wave, name in zip(waveforms, names)]
    rows = [f"<tr><td>{name}</td><td>{audio}</td></tr>" for name, audio in cells]
    return HTML(f'<table class="players">{"".join(rows)}</table>')


def audio_player(waveform: ArrayLike, sample_rate: int, name: str, level: float = _MP3_LEVEL) -> str:
    """Return the HTML of one player, with its sound in the page as MP3.

    Parameters
    ----------
    waveform : array (n_samples,)
        Scaled down where its peaks exceed 1.
    sample_rate : int
        In Hz.
    name : str
        Label for screen readers.
    level : float
        Of compression, from 0 (best) to 1 (smallest).

    Returns
    -------
    html : str
    """
    packed = io.BytesIO()
    loudest = max(1.0, float(np.abs(waveform).max()))  # players clip above 1
    options = {"format": "MP3", "subtype": "MPEG_LAYER_III", "compression_level": level}
    with soundfile.SoundFile(packed, "w", sample_rate, 1, **options) as file:
        file.write(waveform / loudest)
    data = base64.b64encode(packed.getvalue()).decode()
    source = f"data:audio/mpeg;base64,{data}"
    return f'<audio controls preload="none" aria-label="{html.escape(name)}" src="{source}"></audio>'


def clip_maps(vectors: Mapping[str, ArrayLike], genres: Sequence[str], title: str, seed: int = 0) -> Figure:
    """Draw the t-SNE maps of clips in the space of each model, colored by genre.

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
        positions = TSNE(perplexity=min(30, len(x) / 4), init="pca", random_state=seed).fit_transform(x)
        for genre, color in GENRE_COLORS.items():
            of_genre = positions[genres == genre]
            ax.plot(*of_genre.T, ".", color=color, ms=4, alpha=0.8, label=genre)
        _name_genres(ax, positions, genres)
        ax.set(title=name, xticks=[], yticks=[], xlabel="t-SNE 1", ylabel="t-SNE 2")
    fig.suptitle(title)
    return fig


def _name_genres(ax: Axes, positions: NDArray, genres: NDArray) -> None:
    """Write each genre at the middle of its clips, names one below the other where they would overlap."""
    names = [genre for genre in GENRE_COLORS if np.any(genres == genre)]
    middles = np.array([np.median(positions[genres == genre], axis=0) for genre in names]).reshape(-1, 2)
    wide, high = np.ptp(positions, axis=0) * (0.24, 0.055)  # of a name, about
    placed: list[NDArray] = []
    for k in np.argsort(-middles[:, 1]):
        x, y = middles[k]
        for other in placed:  # from above to below
            if abs(x - other[0]) < wide and y > other[1] - high:
                y = other[1] - high
        placed.append(np.array([x, y]))
        halo = [withStroke(linewidth=2, foreground="white")]
        ax.text(x, y, names[k], fontsize=7, ha="center", va="center", weight="bold", path_effects=halo)


def clip_similarity(vectors: Mapping[str, ArrayLike], genres: Sequence[str], title: str) -> Figure:
    """Draw the correlations of pairs of clips in the space of each model.

    Parameters
    ----------
    vectors : dict of str to array (n_clips, dim)
    genres : sequence of str (n_clips,)
    title : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig, axes = plt.subplots(1, len(vectors), figsize=(7.4, 2.9), sharey=True, squeeze=False)
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
    fig.colorbar(image, ax=axes, label="correlation (r)", shrink=0.7, aspect=30)
    fig.suptitle(title)
    return fig


def probe_bars(table: pd.DataFrame, title: str) -> Figure:
    """Draw the scores of linear probes by property and embedding, with chance as a line.

    Parameters
    ----------
    table : DataFrame
        A row for each ``property`` and ``embedding``, with ``score`` and ``chance``.
    title : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig, ax = plt.subplots(figsize=(7.4, 2.8))
    properties = list(table["property"].unique())
    embeddings = list(table["embedding"].unique())
    width = 0.8 / len(embeddings)
    for m, name in enumerate(embeddings):
        x = np.arange(len(properties)) + (m - (len(embeddings) - 1) / 2) * width
        heights = table[table["embedding"] == name].set_index("property")["score"].loc[properties]
        ax.bar(x, heights, width * 0.9, color=space_color(name), label=name)
    chance = table.groupby("property")["chance"].mean().loc[properties]
    for k, height in enumerate(chance):
        label = None if k else "chance"
        ax.plot([k - 0.45, k + 0.45], [height] * 2, color=COLORS["ceiling"], lw=1, ls="--", label=label)
    ax.set_xticks(range(len(properties)), properties)
    ax.set(ylabel="r, or share right", title=title, ylim=(min(0, ax.get_ylim()[0]), 1))
    ax.legend(ncols=len(embeddings) + 1, loc="upper center", bbox_to_anchor=(0.5, -0.12))
    return fig
