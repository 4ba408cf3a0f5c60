"""Figures of what is rare: one region alone, a region without voxels, silence."""

import matplotlib.pyplot as plt
import numpy as np
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
    ceilings, regions = [np.array([0.2, 0.4, 0.6, np.nan])], [np.array([0, 0, 0, 1])]
    first, second, rest = plotting.ceiling_by_region(ceilings, regions, ["a", "b"], "made").axes
    assert first.get_lines()[-1].get_ydata().tolist() == [0.4, 0.4]
    assert all(len(line.get_ydata()) == 0 for ax in (second, rest) for line in ax.get_lines())


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
