"""Figures of levels of meaning: controls and chance are drawn, and no interval over people who share a film."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from naturalistic import plotting


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def example_accuracy(ceiling=True):
    rows = []
    keys = [("small", "Speech"), ("small", "Story"), ("large", "Speech"), ("large", "Story")]
    for k, (model, level) in enumerate([*keys, ("word rate", "no meaning"), ("controls", "no meaning")]):
        for subject in range(3):
            row = {"model": model, "level": level, "r": 0.1 * k + 0.01 * subject}
            rows.append(row | ({"ceiling": 0.7} if ceiling else {}))
    return pd.DataFrame(rows)


def heights(ax, label):
    line = next(x for x in ax.lines if x.get_label().startswith(label))
    return set(np.round(line.get_ydata(), 6))


def test_controls_chance_and_ceiling_are_lines_across_the_levels():
    ax = plotting.models_by_level(example_accuracy(), "title", "r").axes[0]
    assert heights(ax, "controls") == {0.51} and heights(ax, "word rate") == {0.41}
    assert heights(ax, "ceiling") == {0.7}
    assert any(set(line.get_ydata()) == {0} for line in ax.lines)  # chance
    assert [x.get_text() for x in ax.get_xticklabels()] == ["Speech", "Story"]
    assert not ax.collections and not ax.containers  # no band and no bar of an interval
    ax = plotting.models_by_level(example_accuracy(ceiling=False), "title", "r").axes[0]
    assert "ceiling" not in [line.get_label() for line in ax.lines]


def test_sweeps_show_subjects_and_their_mean():
    curves = {
        "Speech": np.array([[0.1, 0.3], [0.3, 0.5]]),
        "Speech: averaged": np.zeros((2, 2)),
        "plain": np.ones((2, 2)),
    }
    ax = plotting.sweep_curves([1, 8], curves, "title", "x", "y").axes[0]
    lines = {line.get_label(): line for line in ax.lines}
    np.testing.assert_allclose(lines["Speech"].get_ydata(), [0.2, 0.4])
    assert len(ax.lines) == 1 + 3 * 3 and not ax.collections
    assert lines["Speech: averaged"].get_linestyle() == "--"
    assert lines["plain"].get_color() != lines["Speech"].get_color()


def test_no_line_leads_to_a_setting_of_another_kind():
    curves = {"Speech": np.array([[0.1, 0.3, 0.6], [0.3, 0.5, 0.8]])}
    ax = plotting.sweep_curves(["2-4 s", "4-6 s", "all"], curves, "title", "x", "y", n_apart=1).axes[0]
    lines = {line.get_label(): line for line in ax.lines}
    np.testing.assert_allclose(lines["Speech"].get_ydata(), [0.2, 0.4])
    alone = [line for line in ax.lines if len(line.get_xdata()) == 1]
    assert {line.get_linestyle() for line in alone} == {"None"} and {line.get_xdata()[0] for line in alone} == {2}
    np.testing.assert_allclose([line.get_ydata()[0] for line in alone], [0.6, 0.8, 0.7])


def test_pairs_are_drawn_beside_shifted_ones():
    pairs = pd.DataFrame(
        {
            "first": ["A", "A"],
            "second": ["B", "C"],
            "cka": [0.6, 0.2],
            "shifted": [0.1, 0.1],
            "most_shifted": [0.2, 0.3],
        }
    )
    ax = plotting.similarity_of_pairs(pairs, "title").axes[0]
    assert [x.get_text() for x in ax.get_yticklabels()] == ["A – C", "A – B"]
    assert [bar.get_width() for bar in ax.patches] == [0.3, 0.2] and ax.get_xlim() == (0, 1)


@pytest.mark.parametrize("total", [None, [0.3, 0.1]])
def test_unique_variance_beside_the_whole(total):
    values = {"Speech": [0.1, 0.2], "controls": [0.0, 0.1]}
    bounds = {name: [[-0.1, 0.0], [0.2, 0.3]] for name in values}
    fig = plotting.unique_by_region(values, bounds, ["belt", "precuneus"], "title", "R²", total=total)
    labels = [text.get_text() for text in fig.legends[0].get_texts()]
    assert ("all spaces" in labels) == (total is not None)
