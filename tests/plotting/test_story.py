"""Figures of part I: a first model, ridge and delays, ceilings and nulls."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from naturalistic import plotting
from naturalistic.inference import MeanInterval

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_each_panel_of_a_design_matrix_is_one_delay():
    X = RNG.normal(size=(30, 3 * 5))
    axes = plotting.design_matrix(X, [2, 4, 6], "simulated", n_features=4, n_trs=20).axes
    assert [ax.get_title() for ax in axes[:3]] == ["2 s later", "4 s later", "6 s later"]
    np.testing.assert_allclose(axes[1].images[0].get_array(), X[:20, 5:9])


def test_predictions_are_scaled_inside_their_block():
    rows = {"response": "one", "time": np.arange(20), "block": np.repeat([0, 1], 10)}
    series = pd.DataFrame({**rows, "measured": RNG.normal(size=20), "predicted": RNG.normal(size=20)})
    series.loc[10:, "predicted"] += 100  # an intercept of its own
    (ax,) = plotting.predicted_and_measured(series, "simulated").axes
    assert all(abs(np.mean(line.get_ydata())) < 1e-9 for line in ax.get_lines())


@pytest.mark.parametrize("n_subjects", [1, 4])
def test_models_are_open_closed_or_square(n_subjects):
    rows = []
    for model, p, significant in (("controls", 0.01, True), ("static", 0.5, False), ("layer 1", np.nan, False)):
        for subject in range(n_subjects):
            values = {"r": RNG.normal(), "p": p, "significant": significant}
            rows.append({"model": model, "subject": subject, "region": "LATL", **values})
    ceiling = MeanInterval(*np.array([[0.3], [0.2], [0.4]]))
    figure = plotting.models_by_region(pd.DataFrame(rows), ceiling, "simulated")
    means = [line for line in figure.axes[0].get_lines() if line.get_marker() in ("o", "s")]
    assert [line.get_marker() for line in means] == ["o", "o", "s"]
    assert [line.get_markerfacecolor() == "white" for line in means] == [False, True, True]


def test_curves_are_columns():
    frame = pd.DataFrame({"alpha": [1.0, 10.0], "fit": [0.9, 0.5], "held out": [0.1, 0.2]})
    labels = {"xlabel": "alpha", "ylabel": "r"}
    (ax,) = plotting.curves(frame, "alpha", "simulated", xscale="log", marked={"fit": 10.0}, **labels).axes
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["fit", "held out"]
    assert any(list(line.get_xdata()) == [10.0] for line in ax.get_lines())


def test_the_mean_over_subjects_is_drawn_for_each_choice():
    frame = pd.DataFrame({"inside, with a gap": [0.1, 0.3], "on the test": [0.2, 0.6]})
    (ax,) = plotting.subjects_by_choice(frame, "simulated", "r").axes
    np.testing.assert_allclose(ax.get_lines()[-1].get_ydata(), [0.2, 0.4])
    assert [label.get_text() for label in ax.get_xticklabels()] == ["inside\nwith a gap", "on the test"]


def test_shares_above_the_level_have_another_color():
    (ax,) = plotting.shares_by_test({"bad": 0.5, "good": 0.05}, 100, "simulated", "share (%)").axes
    good, bad = ax.patches
    assert good.get_width() == pytest.approx(5) and bad.get_width() == pytest.approx(50)
    assert good.get_facecolor() != bad.get_facecolor()


def test_subjects_who_share_a_story_are_dots_without_bars():
    """Student's interval over them would be of other people who hear this very story."""
    scores = {"layers": RNG.normal(size=(5, 2)), "static": RNG.normal(size=(5, 2))}
    ceiling = MeanInterval(*np.array([[0.3, 0.3], [0.2, 0.2], [0.4, 0.4]]))
    significant = {"layers": [True, False], "static": [False, False]}
    figure = plotting.accuracy_by_roi(scores, ceiling, significant, ["LATL", "LPTL"], "simulated")
    for region, ax in enumerate(figure.axes[:2]):
        assert ax.containers == []  # no error bars
        means = [line for line in ax.get_lines() if line.get_marker() == "o"]
        wanted = [values[:, region].mean() for values in scores.values()]
        np.testing.assert_allclose([line.get_ydata()[0] for line in means], wanted)
    assert means[0].get_markerfacecolor() == "white"
