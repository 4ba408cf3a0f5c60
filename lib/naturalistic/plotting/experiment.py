"""Figures of any experiment: its clock, and the accuracy of its models."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from naturalistic.encoding.lags import EXPECTED, LagProfile
from naturalistic.plotting.style import COLORS

if TYPE_CHECKING:
    from naturalistic.encoding.scores import Score

_COLORS = ("controls", "static", "layers", "highlight", "joint", "words")


def lag_curve(profile: LagProfile, title: str) -> Figure:
    """Draw the correlation of a fast feature and BOLD by lag.

    Parameters
    ----------
    profile : LagProfile
    title : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig, ax = plt.subplots(figsize=(6.5, 2.4))
    ax.axvspan(*EXPECTED, color="#eeeeee")
    ax.plot(profile.lags, profile.mean, color=COLORS["layers"])
    ax.axvline(profile.peak, color=COLORS["highlight"], lw=1)
    ax.set_xlabel("lag of BOLD (s)")
    ax.set_ylabel("correlation (r)")
    ax.set_title(title)
    return fig


def accuracy_histogram(scores: "Mapping[str, Score]", title: str) -> Figure:
    """Draw the distribution of accuracy over voxels, one line a model.

    Parameters
    ----------
    scores : dict of str to Score
    title : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig, ax = plt.subplots(figsize=(6.5, 2.6))
    for k, (name, score) in enumerate(scores.items()):
        color = COLORS[_COLORS[k % len(_COLORS)]]
        r = score.r[np.isfinite(score.r)]
        ax.hist(r, bins=60, histtype="step", color=color, label=name)
        ax.axvline(r.mean(), color=color, lw=0.8)
    ax.set_xlabel("accuracy (r)")
    ax.set_ylabel("voxels")
    ax.set_yscale("log")
    ax.legend()
    ax.set_title(title)
    return fig
