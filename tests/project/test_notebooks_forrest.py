"""The chapter on a real film by papermill, on a simulated film whose ground truth is known."""

import json

from tests.helpers.chapters import MARKS, run

pytestmark = MARKS


def test_words_are_found_and_controls_are_not(tmp_path, monkeypatch):
    printed, n_figures, numbers = run(
        "04-real-film", tmp_path, monkeypatch, dataset="simulated", subjects="[1, 2, 3]", n_permutations=19,
        word_vectors="static:minilm", n_components=20,
    )  # fmt: skip
    assert printed.startswith("Simulated data") and n_figures == 6 and numbers["n_subjects"] == 3
    json.dumps(numbers, allow_nan=False)
    assert set(numbers["peak_lag"].values()) <= {4, 6}
    average = numbers["average"]
    assert min(average["picture"], average["sound"], average["speech"], average["static"]) > 0.02
    beyond = numbers["beyond"]
    assert beyond["static"]["p"] == 0.05 and beyond["static"]["r"] > 0.02
    assert beyond["static"]["r"] > 3 * max(abs(beyond["random"]["r"]), abs(beyond["not heard"]["r"]))
    assert numbers["gain"]["p"] > 0.05, "the simulated cortex follows words alone, and context adds"
    found = numbers["identification"]
    assert found["words"]["60.0"] > found["words"]["10.0"] > 0.55
