"""Chapter 14 by papermill: two subjects of small simulated data, and the answers to its exercises."""

import numpy as np
import pytest
from naturalistic.reporting import results

from tests.helpers.chapters import MARKS, run
from tests.helpers.short_films import films_of_a_chapter

pytestmark = MARKS


@pytest.fixture(scope="module")
def short_films(tmp_path_factory):
    """Films and brains of another seed than the book's."""
    return films_of_a_chapter(tmp_path_factory)


def test_films_are_reconstructed_beside_their_controls(tmp_path, monkeypatch, short_films):
    printed, n_figures, numbers = run(
        "14-video-reconstruction", tmp_path, monkeypatch, dataset=str(short_films), n_permutations=199, n_draws=2,
        answers=True,
    )  # fmt: skip
    assert printed.startswith("Simulated data") and n_figures == 3 and numbers["n_subjects"] == 2
    scores = results.frame(numbers["scores"])
    means = scores.pivot_table(index="method", columns="measure", values="identification")
    assert means.loc["oracle", "classifier"] > 0.85 and means.loc["oracle", "layout"] > 0.85
    assert means.loc["mean of draws", "classifier"] > 0.6
    for method in ("generated", "retrieved", "nearest training film", "mean of nearest", "Bayes"):
        assert means.loc[method, "classifier"] > 0.55, method
    assert abs(means.loc["shuffled brain"].mean() - 0.5) < 0.08
    constant = scores[scores["method"] == "mean film"]
    assert np.allclose(constant["identification"], 0.5) and np.allclose(constant["p"], 1)
    assert set(scores["method"]) >= {"nearest training film", "shuffled brain", "oracle"}
    regions = results.frame(numbers["by_region"]).pivot_table(index="region", columns="target", values="identification")
    assert regions["motion"].idxmax() == "MT" and regions.loc["BA2"].max() < 0.62
