"""Tables and sentences of the chapter on a film: they say the opposite when the values are the opposite."""

import numpy as np
import pandas as pd
import pytest
from naturalistic import encoding
from naturalistic.models import banded
from naturalistic.plotting.film import AVERAGE, plain_name
from naturalistic.reporting import beside, film, overview, results

NETWORKS = ["visual", "default", "visual", "default"]
NAMES = ["context, not static", film.CONTROL, "speech", "static", "layer"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("NATURALISTIC_RESULTS", str(tmp_path))


def differences(sign=1, networks=(film.ALL, "visual", "default")):
    """Return differences of 0.010 to 0.014, with intervals clear of zero on the side of ``sign``."""
    rows = []
    for k, name in enumerate(NAMES):
        for network in networks:
            value = sign * (0.01 + 0.001 * k)
            rows.append(
                {"comparison": name, "network": network, "value": value, "low": value - 0.005, "high": value + 0.005}
            )
    return pd.DataFrame(rows)


def numbers(sign=1, dataset="studyforrest, Forrest Gump"):
    """Return what the chapter saves, of two subjects."""
    spaces = [*film.CONTROLS, "position", "static", "layer 0", "layer 3"]
    r = {name: 0.1 + np.arange(12).reshape(3, 4) / 100 for name in spaces} | {"place": np.full((1, 4), 0.05)}
    lags = [{"run": run, "lag": lag, "r": lag == best} for run, best in zip("ab", (4, 10)) for lag in range(-2, 14, 2)]
    selected = [
        {"subject": name, "fold": fold, "layer": 2 + fold, "context": 0.3, "static": 0.3 - 0.1 * sign}
        for name in (AVERAGE, "sub-01", "sub-02")
        for fold in range(2)
    ]
    length = [
        {"subject": name, "n_runs": n, "r": n / 100 + (name == AVERAGE)} for name in (AVERAGE, "sub-01") for n in (1, 7)
    ]
    found = {
        "accuracy": film.accuracy_table(r, ["sub-01", "sub-02"], NETWORKS),
        "differences": differences(sign),
        "beyond": pd.DataFrame({"space": ["static"], "r": [0.08], "p": [0.05], "n_parcels": [31]}),
        "lags": pd.DataFrame(lags),
        "selected": pd.DataFrame(selected),
        "decoded": pd.DataFrame({"feature": ["loudness"], "r": [0.61], "p": [0.05]}),
        "length": pd.DataFrame(length),
    }
    about = {"n_subjects": 2, "n_trs": 3503, "n_parcels": 4, "model": "minilm", "layer": 3}
    return results.save(film.CHAPTER, {**about, **found}, dataset=dataset, seed=0)


def test_accuracies_are_means_over_the_parcels_of_a_network():
    r = {"sound": np.array([[0.1, 0.2, 0.3, 0.6], [0.0, 0.0, 0.0, 0.4]]), "place": np.full((1, 4), 0.5)}
    table = film.accuracy_table(r, ["sub-01"], NETWORKS)
    assert len(table) == 9 and list(table) == ["space", "subject", "network", "r"]
    one = film.number_row(table, space="sound", subject=AVERAGE, network="default")
    assert one["r"] == pytest.approx(0.4)
    assert film.number_row(table, space="sound", subject="sub-01", network=film.ALL)["r"] == pytest.approx(0.1)
    assert set(film.select(table, space="place")["subject"]) == {AVERAGE}


@pytest.fixture(scope="module")
def joint():
    """A joint model of two spaces, of which the first drives the first two of four parcels."""
    rng = np.random.default_rng(0)
    runs = np.repeat(np.arange(4), 90)
    spaces = {name: rng.standard_normal((360, 3)) for name in ("driving", "idle")}
    bold = rng.standard_normal((360, 4))
    bold[:, :2] += spaces["driving"][:, :2]
    model = banded.BandedRidgeCV([1.0, 100.0], 3, banded.nested_gammas(2, 2), scoring="r2", progress=False)
    return encoding.joint_model(spaces, bold, model, encoding.FoldSplit(runs, 4, 2.0, [0], runs))


def test_what_a_space_adds_is_found_in_its_network_with_an_interval(joint):
    networks = ["a", "a", "b", "b"]
    table = film.joint_differences(joint, {"driving": (joint.spaces, joint.without("driving"))}, networks)
    assert list(table["network"]) == [film.ALL, "a", "b"] and (table["low"] <= table["high"]).all()
    driven = film.number_row(table, network="a")
    assert driven["low"] > 0.3 and film.number_row(table, network="b")["low"] < 0.05
    by_hand = joint.sums.score(joint.spaces, "r") - joint.sums.score(joint.without("driving"), "r")
    assert driven["value"] == pytest.approx(by_hand[:2].mean())
    unique = film.unique_table(joint, networks)
    assert film.number_row(unique, space="driving", network="a")["low"] > 0.2
    assert film.number_row(unique, space="idle", network="a")["value"] < 0.05


def test_sentences_follow_the_numbers():
    text = film.summary(numbers())
    assert "4 to 6 s later in 1 of 2 runs" in text and "2 subjects, 3,503 TRs" in text
    assert "words in context predict more than static ones, +0.0100 (95 % interval +0.0050 to +0.0150)" in text
    assert "is above zero in visual and default; what the audio description adds, in visual and default" in text
    assert "layer 2, 3 for the average brain, r 0.300 where static words have 0.200; in single subjects" in text
    assert "and context is better in 2 of 2" in text
    assert "from 1 to 7 training runs r goes from 1.010 to 1.070 in the average brain, 0.010 to 0.070 in subj" in text
    other = film.summary(numbers(sign=-1))
    assert "predict less than static ones" in other and "is above zero in no network" in other
    assert "better in 0 of 2" in other


def test_the_table_of_models_has_subjects_and_tests_where_there_are_any():
    rows = film.accuracy_rows(numbers())
    assert rows["place"]["subjects"] is None and rows["picture"]["p"] is None
    assert rows["static"]["p"] == "0.05" and rows["static"]["parcels (FWE 5 %)"] == "31"
    assert rows["static"][AVERAGE] == pytest.approx(0.115) and rows["static"]["subjects"] == pytest.approx(0.175)


def test_the_first_page_names_each_control_and_the_data():
    saved = numbers()
    text = film.headline(saved)
    for control in (*film.CONTROLS, "static"):
        assert f"{plain_name(control)} 0.115" in text
    assert "in single subjects 0.300 on average where static words have 0.200, and context is better in 2 of 2" in text
    assert "where static words have 0.400, and context is better in 0 of 2" in film.headline(numbers(sign=-1))
    assert "2 measured brains" in text and "was not played in the scanner, adds +0.0110" in text
    assert "simulated brains" in film.headline(numbers(dataset="Simulated data (layout of studyforrest)"))
    assert list(film.ladder_accuracy(saved)) == [*film.CONTROLS, "static", "layer 3"]
    assert list(film.added(saved)["added"]) == [film.CONTROL, "speech", "static", "layer 3"]


def test_measured_and_simulated_data_are_named_apart():
    real = numbers()
    simulated = numbers(dataset="Simulated data (layout of studyforrest)")
    note = overview.data_note({"film": real, "music": simulated})
    assert "**Measured**: film (studyforrest" in note and "**Simulated**: music (Simulated data" in note
    assert "nothing about brains" in note and ":class: warning" in note
    assert "Simulated" not in overview.data_note({"film": real})
    assert "**Measured**" not in overview.data_note({"film": simulated})


def test_what_was_put_into_a_simulation_is_no_finding_of_measured_data():
    paper = results.published("nakagi2024")
    levels = {
        "dataset": "Simulated data (layout of ds005531)",
        "models": ["static", "large"],
        "gain": {"Speech": {"subjects": [0.1, 0.2], "p": 0.02}},
        "accuracy": {"large": {"Speech": [0.1, 0.3]}, "controls": {"no meaning": [0.2, 0.4]}},
    }
    rows = beside.context_rows(paper, levels, numbers())
    truth = [row["ground truth"] for row in rows.values()]
    assert truth[0] is None and "paper" in truth[1] and truth[2] is None
    assert [*rows][1:] == ["levels of meaning, this run, simulated", "*Forrest Gump*, this run, measured"]
    controls = rows["levels of meaning, this run, simulated"]["control"]
    assert "controls 0.300" in controls and controls.endswith("of the best level 0.200")
    of_film = rows["*Forrest Gump*, this run, measured"]
    assert of_film["difference (r)"].startswith("+0.0100") and "+0.0110" in of_film["control"]


def test_controls_stand_before_levels():
    films = {
        "models": ["static", "large"],
        "accuracy": {"static": {"Speech": [0.1]}, "large": {"Speech": [0.2]}, "controls": {"no meaning": [0.31]}},
        "gain": {"Speech": {}},
    }
    rows = overview.level_rows(films)
    assert [*rows] == ["light, loudness, speech", "Speech"]
    assert rows["light, loudness, speech"]["predicted (r)"] == "0.31"
    assert set(rows["Speech"]) == set(rows["light, loudness, speech"])
