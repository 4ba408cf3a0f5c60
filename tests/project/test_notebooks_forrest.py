"""The chapter on a film by papermill, on a simulated film whose ground truth is known."""

import json

from naturalistic.plotting.film import AVERAGE
from naturalistic.reporting import film, results

from tests.helpers.chapters import MARKS, run

pytestmark = MARKS


def test_words_are_found_and_controls_are_not(tmp_path, monkeypatch, short_minilm):
    printed, n_figures, numbers = run(
        "04-real-film", tmp_path, monkeypatch, dataset="simulated", subjects="[1, 2]", n_permutations=19,
        n_components=12, language_model=str(short_minilm),
    )  # fmt: skip
    assert printed.startswith("Simulated data") and n_figures == 12 and numbers["n_subjects"] == 2
    json.dumps(numbers, allow_nan=False)
    lags = results.frame(numbers["lags"])
    assert set(lags.loc[lags.groupby("run")["r"].idxmax(), "lag"]) <= {4, 6}
    average = film.ladder_accuracy(numbers)
    assert min(average["picture"], average["sound"], average["speech"], average["static"]) > 0.02
    beyond = results.frame(numbers["beyond"]).set_index("space")
    assert beyond["p"]["static"] == 0.05 and beyond["r"]["static"] > 0.02
    assert beyond["r"]["static"] > 3 * abs(beyond["r"][film.CONTROL])
    # the grammar has so few words that a vector for each, of any kind, tells the kind of scene
    assert beyond["r"]["static"] > beyond["r"]["random"]
    gain = film.number_row(results.frame(numbers["differences"]), comparison="context, not static", network=film.ALL)
    assert gain["low"] < 0, "the simulated cortex follows words alone: context adds nothing"
    identified = results.frame(numbers["identified"]).set_index(["matched", "seconds"])["accuracy"]
    assert identified["words", 60.0] > identified["words", 10.0] > 0.55
    decoded = results.frame(numbers["decoded"]).set_index("feature")
    assert decoded["p"]["loudness"] == 0.05 and decoded["r"]["loudness"] > 0.1
    length = results.frame(numbers["length"]).set_index(["subject", "n_runs"])["r"]
    assert length[AVERAGE, 7] > length[AVERAGE, 1]
    delays = results.frame(numbers["delays"])
    peaks = delays.loc[delays.groupby("space")["r"].idxmax()].set_index("space")["delay"]
    assert peaks["sound"] in (4, 6)
