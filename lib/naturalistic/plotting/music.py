"""What was played: the time line of a run, spectrograms of clips, and players to hear them."""

import base64
import html
import io

import matplotlib.pyplot as plt
import numpy as np
import soundfile
from IPython.display import HTML

from naturalistic.plotting.spectrum import TOP, draw_level, power_of
from naturalistic.plotting.style import COLOURS, GENRE_COLOURS

MP3_LEVEL = 0.75  # 0 best .. 1 smallest: 15 s of mono sound take about 60 kB


def run_time_line(clips, duration, title, *, n_dropped=0.0, repeats=1):
    """Draw the clips of a run one after another, coloured by genre.

    Parameters
    ----------
    clips : list of Clip
        In order of play.
    duration : float
        Of each, s.
    title : str
    n_dropped : float
        s at the start that do not count.
    repeats : int
        How often the run plays its clips over; each time is a row.

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    rows = np.array_split(np.arange(len(clips)), repeats)
    fig, axes = plt.subplots(repeats, 1, figsize=(7.4, 0.9 + 0.55 * repeats), sharex=True, squeeze=False)
    for row, ax in zip(rows, axes[:, 0]):
        for k, i in enumerate(row):
            colour = GENRE_COLOURS[clips[i].genre]
            ax.broken_barh([(k * duration, duration)], (0, 1), color=colour, edgecolor="white")
        ax.set(yticks=[], xlim=(-n_dropped, len(rows[0]) * duration))
        ax.spines["left"].set_visible(False)
        if n_dropped and row[0] == 0:
            ax.add_patch(plt.Rectangle((-n_dropped, 0), n_dropped, 1, fill=False, ec=COLOURS["chance"], hatch="///"))
    axes[-1, 0].set_xlabel("time from the first clip that counts (s)")
    patches = [plt.Rectangle((0, 0), 1, 1, color=colour) for colour in GENRE_COLOURS.values()]
    fig.legend(
        patches,
        list(GENRE_COLOURS),
        ncols=10,
        loc="outside lower center",
        fontsize=7.5,
        handlelength=1,
        columnspacing=1,
    )
    fig.suptitle(title)
    return fig


def spectrograms(waveforms, sample_rate, names, title, *, top=TOP):
    """Draw the spectrogram of each clip, in dB below the loudest place of all of them.

    Parameters
    ----------
    waveforms : list of array (n_samples,)
    sample_rate : int
        Hz.
    names : list of str
    title : str
    top : float
        Highest frequency drawn, Hz.

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    n_rows = -(-len(waveforms) // 5)
    fig, axes = plt.subplots(n_rows, 5, figsize=(7.4, 1.75 * n_rows), sharex=True, sharey=True, squeeze=False)
    powers = [power_of(wave, sample_rate, top) for wave in waveforms]
    loudest = max(power.max() for power in powers)
    for wave, power, name, ax in zip(waveforms, powers, names, axes.flat):
        image = draw_level(ax, power, loudest, len(wave) / sample_rate, top)
        ax.set_title(name)
    fig.supxlabel("time (s)", fontsize="medium")
    fig.supylabel("frequency (kHz)", fontsize="medium")
    fig.colorbar(image, ax=axes, label="level (dB)", aspect=30)
    fig.suptitle(title)
    return fig


def play_list(waveforms, sample_rate, names):
    """Return a table of players, one a clip, that work with no network: the sound is in the page, as MP3.

    Parameters
    ----------
    waveforms : list of array (n_samples,)
    sample_rate : int
        Hz.
    names : list of str
        Shown beside the players.

    Returns
    -------
    players : IPython.display.HTML
    """
    cells = [(html.escape(name), player(wave, sample_rate, name)) for wave, name in zip(waveforms, names)]
    rows = [f"<tr><td>{name}</td><td>{audio}</td></tr>" for name, audio in cells]
    return HTML(f'<table class="players">{"".join(rows)}</table>')


def player(waveform, sample_rate, name, level=MP3_LEVEL):
    """Return HTML of one player whose sound, as MP3, is in the page itself.

    Parameters
    ----------
    waveform : array (n_samples,)
        Brought down where its peaks pass 1: players would clip there.
    sample_rate : int
        Hz.
    name : str
        Read out where the page is not seen.
    level : float
        Of compression, from 0 (best) to 1 (smallest).

    Returns
    -------
    html : str
    """
    packed = io.BytesIO()
    # peaks of a clip may pass 1: players clip there
    loudest = max(1.0, float(np.abs(waveform).max()))
    how = {"format": "MP3", "subtype": "MPEG_LAYER_III", "compression_level": level}
    with soundfile.SoundFile(packed, "w", sample_rate, 1, **how) as file:
        file.write(waveform / loudest)
    data = base64.b64encode(packed.getvalue()).decode()
    source = f"data:audio/mpeg;base64,{data}"
    return f'<audio controls preload="none" aria-label="{html.escape(name)}" src="{source}"></audio>'
