"""Chapters on the story, the films and the engine run by papermill, with other parameters than those of the book.

`make book` runs them with those of the book.
"""

import numpy as np
import pytest
from naturalistic.datasets import alice
from naturalistic.reporting import results
from naturalistic_simulation import simulate_movie

from tests.helpers.chapters import MARKS, ROOT, run
from tests.helpers.checkpoints import save_tiny

pytestmark = MARKS


def test_first_model_on_simulated_data_finds_the_ground_truth(tmp_path, monkeypatch, short_minilm):
    printed, n_figures, numbers = run(
        "01-first-model", tmp_path, monkeypatch, dataset="simulated", window=4, n_permutations=60, n_checks=60,
        language_model=str(short_minilm), answers=True,
        subjects="[s18, s22, s23, s24, s26, s28, s30, s31, s33, s35, s36, s37]",  # text, as papermill -p hands it over
    )  # fmt: skip
    assert printed.startswith("Simulated data (layout of Alice)")
    assert n_figures == 6 and numbers["n_subjects"] == 11
    assert numbers["dataset"] == "Simulated data (layout of Alice)"
    assert numbers["r_by_hand"] == pytest.approx(numbers["r_of_library"], abs=1e-3)
    # ground truth: LPTL follows word rate and kind of scene most; LIPL only what listeners share besides
    middle = f"layer {numbers['middle']}"
    assert set(numbers["p"]) == {"controls", "static", middle} and len(numbers["accuracy"]) == 5
    assert numbers["p"]["controls"]["LPTL"] < 0.02 and numbers["p"][middle]["LPTL"] < 0.02
    accuracy = numbers["accuracy"][middle]
    assert max(accuracy, key=accuracy.get) == "LPTL" and accuracy["LPTL"] > 0.15
    assert abs(accuracy["LIPL"]) < 0.1 and numbers["p"]["controls"]["LIPL"] > 0.02
    assert numbers["beyond_p"]["LPTL"] < 0.05 < numbers["beyond_p"]["LIPL"]
    assert numbers["difference_p"]["LIPL"] > 0.05  # neither model predicts it
    assert numbers["known_leave_one_out"] is None
    # all 27 subjects: scenes are found where they are, beyond rhythm, and nowhere else
    check = numbers["check"]
    with_scenes = {region for region, row in check.items() if row["kind of scene"] > 0}
    assert with_scenes == {"LATL", "LPTL", "LIFG"}
    assert {region for region, row in check.items() if row["significant"]} == with_scenes


def test_first_model_on_the_real_data_with_another_model(tmp_path, monkeypatch, real_alice, tiny_gpt2):
    printed, n_figures, numbers = run(
        "01-first-model", tmp_path, monkeypatch, language_model=str(tiny_gpt2), window=8, n_permutations=2, n_checks=2,
    )  # fmt: skip
    assert "CC BY 4.0" in printed and "MADE" not in printed
    assert n_figures == 6 and numbers["n_subjects"] == 27 and numbers["n_trs"] == 358
    for roi, known in zip(alice.ROIS, alice.KNOWN_LEAVE_ONE_OUT):
        assert abs(numbers["leave_one_out_correlation"][roi] - known) < 0.03


def test_ridge_and_delays_on_simulated_data(tmp_path, monkeypatch, short_minilm):
    printed, n_figures, numbers = run(
        "02-ridge-and-delays", tmp_path, monkeypatch, dataset="simulated", window=4, n_alphas=9, n_repeats=2,
        answers=True, language_model=str(short_minilm), subjects="[s18, s22, s23, s24, s26, s28]",
    )  # fmt: skip
    assert printed.startswith("Simulated data (layout of Alice)") and n_figures == 6
    fit, size, r = (numbers["by_alpha"][k] for k in ("training TRs", "size of weights", "held-out TRs"))
    assert fit[0] > 0.99 > fit[-1] and np.all(np.diff(size) < 0) and max(r) > r[0] + 0.02
    choice = numbers["by_choice"]
    inside = [choice["inside, with a gap"], choice["inside, shuffled"]]
    assert choice["on the test"] - 0.03 > max(inside) and min(inside) > choice["no penalty"] + 0.03
    assert numbers["by_delays"]["2-10 s, FIR"] > numbers["by_delays"]["none"]
    one, alike = (numbers["banded_gain"][case] for case in ("one space drives", "all columns count"))
    assert min(one.values()) > 0.05 and np.mean(list(alike.values())) < 0.01
    scaled = numbers["by_scaling"]
    assert scaled["z-scored by run"] == pytest.approx(scaled["without offset or gain"], abs=0.01)
    assert scaled["as scanned"] < scaled["centered by run"] <= scaled["z-scored by run"] + 0.005
    assert 2 <= numbers["response_peak_s"]["LPTL"] <= 8


def test_ceilings_and_nulls_on_simulated_data(tmp_path, monkeypatch, short_minilm):
    printed, n_figures, numbers = run(
        "03-ceilings-and-nulls", tmp_path, monkeypatch, dataset="simulated", n_permutations=39, n_experiments=30,
        answers=True, language_model=str(short_minilm), subjects="[s18, s22, s23, s24, s26, s28]",
    )  # fmt: skip
    assert printed.startswith("Simulated data (layout of Alice)") and n_figures == 4
    ceilings = numbers["ceilings"]
    assert max(ceilings, key=lambda region: ceilings[region]["r"]) == "LPTL" and ceilings["LPTL"]["significant"]
    assert ceilings["LPTL"]["high"] - ceilings["LPTL"]["low"] > ceilings["LPTL"]["student high"] - ceilings["LPTL"]["r"]
    sizes = numbers["ceiling_by_size"]
    assert sizes["2"]["simulated"] < sizes["27"]["simulated"] < sizes["27"]["perfect model, simulated"]
    assert sizes["27"]["story"] is None and sizes["5"]["story"] is not None
    false = numbers["false_positives"]
    assert min(false["formula"], false["shuffled TRs"]) > 0.2 > false["shifted predictions"] > 0.08
    assert false["refitted shifts"] < 0.1
    maps = numbers["false_maps"]
    assert min(maps["t-test, 27 listeners"], maps["sign flips, 27 listeners"]) > 0.25
    assert maps["group null, 27 listeners"] <= 0.2
    assert set(numbers["accuracy"]) == {"controls", "random", "middle layer"}


def test_your_experiment_on_simulated_data(tmp_path, monkeypatch, short_minilm):
    printed, n_figures, numbers = run(
        "16-your-experiment", tmp_path, monkeypatch, window=2, n_permutations=1000, story="simulated",
        language_model=str(short_minilm), answers=True,
    )  # fmt: skip
    assert "problems: 0" in printed and "not all of sub-03" in printed and n_figures == 2
    assert numbers["dataset"].startswith("Simulated data") and set(numbers["lags"]) == {"01", "02", "03"}
    assert all(3 <= lag <= 8 for lag in numbers["lags"].values()) and "wrong clock" not in printed
    assert {row["ceiling"] for row in results.frame(numbers["ceilings"]).to_dict("records")} == {"subjects"}
    truth = results.frame(numbers["truth"]).set_index(["model", "voxels follow"])["significant"]
    assert truth["beyond controls", "kind of scene"] > 0.6 and truth["word rate", "rate of words"] > 0.6
    assert truth["beyond controls", "rate of words"] < 0.1 and truth["beyond controls", "nothing"] < 0.02


@pytest.fixture(scope="module")
def small_movie(tmp_path_factory):
    """One simulated subject of one drama: two runs, the second shown twice."""
    folder = tmp_path_factory.mktemp("made") / "movie"
    return simulate_movie(folder, seed=7, subjects=1, dramas=("bakery",), progress=False)


def test_movie_experiment_on_small_simulated_data(tmp_path, monkeypatch, small_movie):
    printed, n_figures, numbers = run(
        "10-movie-experiment", tmp_path, monkeypatch, dataset=str(small_movie), start=30, answers=True
    )
    assert "1 subjects x 3 runs" in printed and "Speech, Object, Story, Summary, TimePlace" in printed
    assert n_figures == 3 and numbers["dataset"].startswith("Simulated data")
    assert numbers["n_training"] == 450 and numbers["n_test"] == 450
    pace = numbers["half_life"]
    assert pace["Speech"] <= pace["Object"] < pace["Summary"] == pace["TimePlace"]
    assert 0.5 < numbers["ceiling"]["S01"] < 0.95


@pytest.mark.parametrize("kind", ["bert", "gpt2", "opt", "llama"])
def test_language_features_of_each_kind_of_model(tmp_path, monkeypatch, small_movie, kind):
    """Small random checkpoints from disk, by the chapter's parameter."""
    asked = {"dataset": str(small_movie), "sweep": [1, 8], "language_model": str(save_tiny(kind, tmp_path / kind))}
    asked["answers"] = kind == "bert"
    asked["by_command"] = kind == "gpt2"  # papermill -p sweep "[1, 8]" -p subjects None
    printed, n_figures, numbers = run("11-language-features", tmp_path, monkeypatch, subjects=None, **asked)
    assert "(900, 3, 32) (n_seconds, n_layers, dim)" in printed and n_figures == 3
    assert numbers["n_layers"] == 3 and numbers["model"].endswith(kind)
    similarity = results.frame(numbers["cka"])
    itself = similarity[similarity["first"] == similarity["second"]]
    assert len(similarity) == 15 and itself["cka"].to_numpy() == pytest.approx(np.ones(5))
    assert similarity["cka"].between(0, 1 + 1e-9).all()
    paces = numbers["context_autocorrelation_9s"]  # of random networks: nothing is known of them but that both differ
    assert np.isfinite(list(paces.values())).all() and paces["8 s"] != paces["1 s"]


def test_ridge_engine(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT / "notebooks")
    printed, n_figures, numbers = run(
        "90-ridge-engine", tmp_path, monkeypatch, n_features=200, n_voxels=60, answers=True
    )
    assert "equal alphas" in printed and n_figures == 0
    assert numbers["same_as_loop"] == 1 and numbers["largest_difference"] < 1e-4
