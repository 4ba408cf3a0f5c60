"""The whole way in one figure: from a brain to a vector, to sound, and back to the brain."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.patches import FancyArrowPatch
from nilearn import plotting as nilearn_plotting

from naturalistic.anatomy.surface import meshes, sulcal_depth
from naturalistic.plotting.rebuilt import WAYS
from naturalistic.plotting.spectrum import draw_level, power_of
from naturalistic.plotting.style import COLOURS

# from panel to panel, clockwise, in parts of the figure
ARROWS = (((0.45, 0.72), (0.51, 0.72)), ((0.92, 0.515), (0.92, 0.435)), ((0.53, 0.22), (0.47, 0.22)))


def journey(response, read, true, sounds, sample_rates, accuracy, title):
    """Draw the four steps clockwise: a brain's answer, the vector read from it, the sound made, what is predicted.

    Parameters
    ----------
    response : array (10242,)
        A brain's answer to one clip at the vertices of the left hemisphere, standard deviations.
    read, true : array (dim,)
        The clip's vector as it was read from the brain, and as it is.
    sounds : dict of str to array (n_samples,)
        What was heard and what was made, from top to bottom.
    sample_rates : dict of str to int
        Hz, by the same names.
    accuracy : array (10242,)
        Correlation of an encoding model's prediction at the same vertices; NaN is drawn as the bare surface.
    title : str

    Returns
    -------
    fig : matplotlib.figure.Figure
    """
    fig = plt.figure(figsize=(7.4, 5.8), layout="none")
    boxes = {"brain": (0.01, 0.52, 0.44, 0.36), "vector": (0.6, 0.59, 0.38, 0.28)}
    boxes |= {"sound": (0.6, 0.09, 0.38, 0.3), "back": (0.01, 0.055, 0.44, 0.36)}
    ends = float(np.nanpercentile(np.abs(response), 99))
    _left_side(fig, boxes["brain"], response, "RdBu_r", -ends, ends, "response (SD)")
    _two_vectors(fig.add_axes(boxes["vector"]), read, true)
    _spectrograms(fig, boxes["sound"], sounds, sample_rates)
    top = float(np.nanpercentile(accuracy, 99.5)) if np.isfinite(accuracy).any() else 1.0
    _left_side(fig, boxes["back"], accuracy, "viridis", 0, top, "accuracy (r)")
    heads = ("1  a brain hears a clip", "2  its vector is read", "3  sound is made of it", "4  vectors predict brains")
    for head, (x, y) in zip(heads, ((0.02, 0.9), (0.55, 0.9), (0.55, 0.415), (0.02, 0.435))):
        fig.text(x, y, head, fontsize=11, weight="bold")
    for begin, end in ARROWS:
        arrow = FancyArrowPatch(
            begin, end, transform=fig.transFigure, arrowstyle="-|>", mutation_scale=22, lw=2.5, color=COLOURS["ceiling"]
        )
        fig.add_artist(arrow)
    fig.suptitle(title)
    return fig


def _left_side(fig, box, values, cmap, vmin, vmax, label):
    """Draw a map on the outside of the left hemisphere, with its colour bar below."""
    x, y, width, height = box
    ax = fig.add_axes((x - 0.06, y + 0.02, width + 0.12, height + 0.06), projection="3d", zorder=-1)
    nilearn_plotting.plot_surf_stat_map(
        meshes("inflated")[0], stat_map=values, hemi="left", view="lateral", bg_map=sulcal_depth("left"), axes=ax,
        figure=fig, cmap=cmap, vmin=vmin, vmax=vmax, symmetric_cbar=False, colorbar=False, threshold=None,
        engine="matplotlib",
    )  # fmt: skip
    bar = fig.add_axes((x + 0.1, y + 0.035, width - 0.2, 0.015))
    fig.colorbar(ScalarMappable(Normalize(vmin, vmax), cmap), cax=bar, orientation="horizontal", label=label)


def _two_vectors(ax, read, true):
    """Draw the numbers of a vector as they are, sorted, and as they were read."""
    order = np.argsort(true)
    ax.plot(read[order], ".", ms=4, color=COLOURS["highlight"], label="read from the brain")
    ax.plot(true[order], color=COLOURS["layers"], lw=2, label="of the music")
    ax.set(xlabel="dimension, sorted", ylabel="value", xlim=(-1, len(true)))
    ax.legend(fontsize=7.5, loc="upper left")


def _spectrograms(fig, box, sounds, sample_rates):
    """Draw the spectrogram of each sound, one above the other."""
    x, y, width, height = box
    each = height / len(sounds)
    for k, (name, wave) in enumerate(sounds.items()):
        ax = fig.add_axes((x, y + height - (k + 1) * each + 0.01, width, each - 0.02))
        power, duration = power_of(wave, sample_rates[name]), len(wave) / sample_rates[name]
        draw_level(ax, power, power.max(), duration)
        box = {"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 2}
        ax.text(0.02, 0.9, name, transform=ax.transAxes, color=WAYS.get(name, "black"), va="top", fontsize=8, bbox=box)
        ax.set(ylabel="kHz", xticks=np.arange(0, duration + 0.1, 5))
        ax.tick_params(labelbottom=k == len(sounds) - 1)
    ax.set_xlabel("time (s)")
