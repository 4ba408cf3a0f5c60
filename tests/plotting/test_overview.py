"""The figure of the first page draws what it is given."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from naturalistic import plotting
from naturalistic.anatomy.surface import N_VERTICES


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_four_steps_are_drawn():
    rng = np.random.default_rng(0)
    true = rng.normal(size=12)
    sounds = {"heard": rng.normal(size=8000), "generated": rng.normal(size=16000)}
    accuracy = np.full(N_VERTICES, np.nan)
    accuracy[:3000] = 0.4
    fig = plotting.reconstruction_pipeline(
        rng.normal(size=N_VERTICES),
        true + 1,
        true,
        sounds,
        {"heard": 8000, "generated": 16000},
        accuracy,
        "SIMULATED: x",
    )
    heads = [text.get_text() for text in fig.texts]
    assert [head[0] for head in heads if head[0].isdigit()] == list("1234") and "SIMULATED: x" in heads
    (vector,) = [ax for ax in fig.axes if ax.get_xlabel() == "dimension, sorted"]
    dots, line = (drawn.get_ydata() for drawn in vector.get_lines())
    assert np.allclose(line, np.sort(true)) and np.allclose(dots, line + 1)
    images = [ax for ax in fig.axes if ax.images]
    assert [ax.texts[0].get_text() for ax in images] == ["heard", "generated"]
    assert all(ax.images[0].get_extent() == [0, 1, 0, 8] for ax in images) and images[-1].get_xlabel() == "time (s)"
    assert {ax.get_xlabel() for ax in fig.axes} >= {"response (SD)", "accuracy (r)"}
    plt.close(fig)
