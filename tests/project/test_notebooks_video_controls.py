"""Chapter 15 by papermill: two subjects of small simulated data, and the answers to its exercises."""

import numpy as np
import pytest
from naturalistic.reporting import results

from tests.helpers.chapters import MARKS, run
from tests.helpers.short_films import films_of_a_chapter

pytestmark = MARKS


@pytest.fixture(scope="module")
def short_films(tmp_path_factory):
    """Films and brains of another seed than the book's, shared with the tests of chapter 14."""
    return films_of_a_chapter(tmp_path_factory)


def test_reconstructions_are_held_against_their_controls(tmp_path, monkeypatch, short_films):
    printed, n_figures, numbers = run(
        "15-what-reconstruction-proves", tmp_path, monkeypatch, dataset=str(short_films), n_seeds=2,
        n_permutations=199, answers=True,
    )  # fmt: skip
    assert printed.startswith("Simulated data") and n_figures == 4 and numbers["n_subjects"] == 2
    table = results.frame(numbers["table"]).set_index(["method", "metric"])
    assert (table.loc["oracle", "share"] == 1).all() and (table.loc["oracle", "p"] < 0.02).all()
    assert (table.loc["brain, one draw", "p"] < 0.02).all() and table.loc["brain, one draw", "share"].max() < 1
    for method in ("shuffled brain", "no brain"):
        assert table.loc[method, "p"].min() > 0.02 and table.loc[method, "share"].abs().max() < 0.3, method
    constant = table.loc["mean film"]
    assert np.allclose(constant.loc[["classifier", "layout", "motion"], "value"], 0.5) and (constant["p"] == 1).all()
    assert table.loc[("still film", "motion"), "value"] == 0.5
    field = results.frame(numbers["field"]).set_index(["method", "metric"])
    assert field.loc[("brain, one draw", "2-way"), "chance"] > 0.6  # and not one half
    assert abs(field.loc[("shuffled brain", "2-way"), "value"] - field.loc[("oracle", "2-way"), "chance"]) < 0.08
    assert field.loc[("still film", "consistency"), "value"] > field.loc[("oracle", "consistency"), "value"]
    category = results.frame(numbers["category"]).set_index(["method", "training"])
    assert category.loc[("nearest training film", "without"), "hits"] < 0.1  # it is not there
    claims = results.frame(numbers["claims"]).set_index("claim")["verdict"]
    assert claims["the film that was shown is identified"] == claims["motion is reconstructed"] == "holds"
    assert claims["a published 2-way score starts from a chance of one half"] == "does not hold"
    assert len(numbers["by_seed"]) == 2
