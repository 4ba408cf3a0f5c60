"""Figures of what is rare: one region alone, a region without voxels, silence."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from naturalistic import plotting
from naturalistic.plotting.music import draw_spectrogram, power_spectrogram

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_one_region_is_one_panel():
    weights, scores = RNG.normal(size=(5, 1, 4)), RNG.normal(size=(3, 5, 1))
    (ax,) = plotting.fir_responses(np.arange(4), weights, ["LATL"], "made").axes
    np.testing.assert_allclose(ax.get_lines()[-1].get_ydata(), weights[:, 0].mean(axis=0))
    (ax,) = plotting.accuracy_by_context([1, 2, 4], scores, ["LATL"], "made").axes
    np.testing.assert_allclose(ax.get_lines()[-1].get_ydata(), scores[:, :, 0].mean(axis=1))


def test_a_region_without_voxels_has_no_median():
    regions = pd.Categorical(["a", "a", "a", "b"], ["a", "b", "rest"])
    table = pd.DataFrame({"subject": "1", "region": regions, "ceiling": [0.2, 0.4, 0.6, np.nan]})
    first, second, rest = plotting.ceiling_by_region(table, "Simulated").axes
    assert first.get_lines()[-1].get_ydata().tolist() == [0.4, 0.4]
    assert all(len(line.get_ydata()) == 0 for ax in (second, rest) for line in ax.get_lines())


def test_scores_of_subjects_are_dots_beside_their_mean():
    table = pd.DataFrame({"name": ["b", "b", "a"], "subject": ["1", "2", "1"], "score": [0.6, 0.8, 0.9]})
    (ax,) = plotting.subject_scores(table, "name", "score", "Simulated", chance=0.5, oracle={"a": 1, "b": 0.95}).axes
    assert [t.get_text() for t in ax.get_xticklabels()] == ["b", "a"]
    dots, mean, single, *_ = (line.get_ydata() for line in ax.get_lines() if line.get_marker() in (".", "o"))
    assert dots.tolist() == [0.6, 0.8] and mean.tolist() == pytest.approx([0.7]) and single.tolist() == [0.9]
    (oracle,) = (line.get_ydata() for line in ax.get_lines() if line.get_label() == "oracle")
    assert list(oracle) == [0.95, 1] and ax.get_ylim()[0] < 0.5


def test_the_oracle_of_reconstructions_is_a_bar():
    rows = [("generated", "m", "1", 0.7, 0.3), ("generated", "m", "true", 0.9, 0.3)]
    table = pd.DataFrame(rows, columns=["method", "embedding", "subject", "identification", "chance"])
    (ax,) = plotting.reconstruction_scores(table, "Simulated").axes
    (oracle,) = (line.get_ydata() for line in ax.get_lines() if line.get_label() == "oracle")
    assert list(oracle) == [0.9]
    agreement = table.rename(columns={"identification": "score"}).assign(property="genre")
    (ax,) = plotting.class_agreement(agreement, "Simulated").axes
    drawn = {line.get_label(): list(line.get_ydata()) for line in ax.get_lines()}
    assert drawn["oracle"] == [0.9] and drawn["chance"] == [0.3]


def test_the_delay_that_is_used_is_a_dot():
    table = pd.DataFrame({"subject": "1", "delay": [0.0, 1.5], "r": [0.1, 0.2], "selected": [False, True]})
    (ax,) = plotting.delay_curves(table, "Simulated").axes
    line, dot = ax.get_lines()
    assert line.get_ydata().tolist() == [0.1, 0.2] and dot.get_xydata().tolist() == [[1.5, 0.2]]


def test_genres_are_means_over_subjects():
    rows = [("seen", s, g, r) for s, by in {"1": (0.6, 0.8), "2": (0.8, 1.0)}.items() for g, r in zip("ab", by)]
    table = pd.DataFrame(rows, columns=["decoder", "subject", "genre", "identification"])
    _, right, _ = plotting.genre_confusion(np.eye(2), ["a", "b"], table, "Simulated").axes
    np.testing.assert_allclose(right.get_lines()[0].get_xdata(), [0.7, 0.9])


def test_probes_are_bars_beside_chance():
    rows = [("genre", "m", 0.9, 0.1), ("mood", "m", 0.4, 0.2)]
    table = pd.DataFrame(rows, columns=["property", "embedding", "score", "chance"])
    (ax,) = plotting.probe_bars(table, "Simulated").axes
    assert [bar.get_height() for bar in ax.patches] == [0.9, 0.4]
    assert [line.get_ydata()[0] for line in ax.get_lines()] == [0.1, 0.2]


def test_silence_is_drawn_at_the_lowest_level():
    silence, noise = np.zeros(8000), RNG.normal(size=8000)
    fig = plotting.reconstruction_spectrograms(
        {"heard": [noise], "made": [silence]}, ["a"], {"heard": 8000, "made": 8000}, "made"
    )
    heard, made = (ax.images[0].get_array() for ax in fig.axes[:2])
    assert heard.max() == pytest.approx(0, abs=1e-6) and (made <= -70).all()
    plotting.spectrograms([silence], 8000, ["a"], "made")


def test_a_tone_is_where_its_frequency_is():
    t = np.arange(16000) / 16000
    power = power_spectrogram(np.sin(2 * np.pi * 2000 * t), 16000, top=4000)
    row = power[:, 5:-5].sum(axis=1).argmax()
    assert row / (len(power) - 1) * 4000 == pytest.approx(2000, abs=15)  # windows of 80 ms: steps of 12.5 Hz
    image = draw_spectrogram(plt.subplots()[1], power, power.max(), 1.0, top=4000)
    assert image.get_extent() == [0, 1, 0, 4]
