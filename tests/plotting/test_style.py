"""Figures as SVG where that is small, as PNG alone where it is not."""

import sys
import types

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from naturalistic import plotting
from naturalistic.plotting.style import MOST_SVG, small_svg

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def figure():
    plotting.set_style()
    fig, ax = plt.subplots()
    ax.plot([1, 2, 3], "o-")
    ax.set_title("a title")
    yield fig
    plt.close("all")


def test_a_line_is_small(figure):
    svg = small_svg(figure)
    assert svg.startswith("<?xml") and "</svg>" in svg and len(svg) < MOST_SVG / 5


def test_images_many_dots_and_surfaces_stay_png(figure):
    many, wide = RNG.normal(size=(2, 5000)), RNG.normal(size=(60, 60))
    for draw in (
        lambda ax: ax.imshow(wide),
        lambda ax: ax.plot(*many, "."),
        lambda ax: ax.scatter(*many),
        lambda ax: ax.tripcolor(*many, RNG.normal(size=5000)),
    ):
        fig, ax = plt.subplots()
        draw(ax)
        assert small_svg(fig) is None


def test_a_notebook_shows_figures_as_svg(monkeypatch):
    shown = {}
    formatter = types.SimpleNamespace(for_type=lambda kind, show: shown.update({kind: show}))
    shell = types.SimpleNamespace(display_formatter=types.SimpleNamespace(formatters={"image/svg+xml": formatter}))
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    plotting.set_style()
    assert shown == {Figure: small_svg}
