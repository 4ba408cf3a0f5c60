"""Figures and players of music that was rebuilt from brains, beside what was heard."""

import html

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import HTML

from naturalistic.plotting.decoding import subject_scores
from naturalistic.plotting.music import player
from naturalistic.plotting.spectrum import TOP, draw_level, power_of
from naturalistic.plotting.style import COLOURS, space_colour, spread

WAYS = {"retrieved": "#56B4E9", "generated": "#D55E00"}  # ways from a vector to sound
SMALL = 0.95  # of MP3: thirty players have to fit into a page


def rebuilt_scores(scores, subjects, title):
    """Draw the identification accuracy of rebuilt sound, by way and embedding, beside chance and oracle.

    Parameters
    ----------
    scores : dict of (way, embedding) to dict of str to Scores
        By subject, and ``"true"`` for sound that was rebuilt from the true vectors.
    subjects : list of str
    title : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    names = {(way, model): f"{way},\n{model}" for way, model in scores}
    accuracy = {names[k]: np.array([by[s].identification.score for s in subjects]) for k, by in scores.items()}
    oracle = {names[k]: by["true"].identification.score for k, by in scores.items()}
    colours = {name: space_colour(model) for (_, model), name in names.items()}
    how = {"chance": 0.5, "oracle": oracle, "colours": colours}
    return subject_scores(accuracy, title, "identification accuracy", **how)


def agreement(tested, subjects, title):
    """Draw how often rebuilt sound and original agree on classes, beside chance and oracle.

    Parameters
    ----------
    tested : dict of (kind, way) to dict of str to Tested
        By subject, and ``"true"`` for sound that was rebuilt from the true vectors.
    subjects : list of str
    title : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    kinds, ways = (list(dict.fromkeys(part)) for part in zip(*tested))
    fig, ax = plt.subplots(figsize=(6.6, 3))
    for k, kind in enumerate(kinds):
        for w, way in enumerate(ways):
            by, colour = tested[kind, way], WAYS.get(way, COLOURS["highlight"])
            x, values = k + 0.34 * (w - (len(ways) - 1) / 2), np.array([by[s].score for s in subjects])
            once = k == 0
            ax.plot(x - 0.05 + spread(len(values), 0.05), values, ".", color=colour, ms=7, alpha=0.6)
            error = np.std(values, ddof=1) if len(values) > 1 else 0
            ax.errorbar(
                [x + 0.08], [values.mean()], [error], fmt="o", color=colour, capsize=3, label=way if once else None
            )
            chance = np.mean([by[s].null.mean() for s in subjects])
            last = once and w == len(ways) - 1
            ax.plot(x, chance, "x", color=COLOURS["ceiling"], ms=6, label="chance" if last else None)
            ax.plot(x, by["true"].score, "_", color=COLOURS["ceiling"], ms=16, label="oracle" if last else None)
    ax.set_xticks(range(len(kinds)), kinds)
    ax.set(ylabel="agreement (share of classes)", ylim=(0, 1.02), title=title)
    ax.legend(fontsize=7.5, loc="upper left", bbox_to_anchor=(1, 1))
    return fig


def triples(sounds, names, sample_rates, title, *, top=TOP):
    """Draw spectrograms of clips (rows) as they were heard and as they were rebuilt (columns).

    Parameters
    ----------
    sounds : dict of str to list of array (n_samples,)
        By column.
    names : list of str
        Of the rows.
    sample_rates : dict of str to int
        Hz, by column.
    title : str
    top : float
        Highest frequency drawn, Hz.

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig, axes = plt.subplots(
        len(names), len(sounds), figsize=(7.4, 1.7 * len(names) + 0.4), sharex=True, sharey=True, squeeze=False
    )
    for column, (kind, waves) in enumerate(sounds.items()):
        for ax, wave in zip(axes[:, column], waves):
            power = power_of(wave, sample_rates[kind], top)
            image = draw_level(ax, power, power.max(), len(wave) / sample_rates[kind], top)
        axes[0, column].set_title(kind)
    for ax, name in zip(axes[:, 0], names):
        ax.set_ylabel(name.replace(", ", ",\n"), fontsize=7.5)
    fig.supxlabel("time (s)", fontsize="medium")
    fig.colorbar(image, ax=axes, label="level (dB), frequency in kHz", aspect=30)
    fig.suptitle(title)
    return fig


def play_table(sounds, sample_rates, names):
    """Return a table of players: clips in rows, as they were heard and rebuilt in columns.

    Parameters
    ----------
    sounds : dict of str to list of array (n_samples,)
        By column.
    sample_rates : dict of str to int
        Hz, by column.
    names : list of str
        Of the rows.

    Returns
    -------
    players : IPython.display.HTML
    """
    head = "".join(f"<th>{html.escape(kind)}</th>" for kind in ("", *sounds))
    rows = [
        f"<tr><td>{html.escape(name)}</td>"
        + "".join(
            f"<td>{player(x[k], sample_rates[kind], f'{name}, {kind}', SMALL)}</td>" for kind, x in sounds.items()
        )
        + "</tr>"
        for k, name in enumerate(names)
    ]
    return HTML(f'<table class="players wide"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>')
