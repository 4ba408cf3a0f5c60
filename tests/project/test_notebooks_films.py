"""Chapters 12 and 13 by papermill: ground truth of two subjects is found; one subject, neither truth nor repeats."""

import json
import shutil

import nbformat
import numpy as np
import pytest
from naturalistic.reporting import results
from naturalistic_simulation import simulate_movie

from tests.helpers.chapters import MARKS, run
from tests.helpers.once import write_once

pytestmark = MARKS
LEVELS = ("Speech", "Object", "Story")


def displayed(folder, chapter):
    """Return all text that the cells of a chapter displayed."""
    cells = nbformat.read(folder / f"{chapter}.ipynb", 4).cells
    outputs = [output for cell in cells if cell.cell_type == "code" for output in cell.outputs]
    return "\n".join(str(output.get("data", {}).get("text/markdown", "")) for output in outputs)


@pytest.fixture(scope="module")
def two_subjects(tmp_path_factory):
    """Three dramas as in the book, two subjects."""
    return write_once(
        tmp_path_factory, "two subjects", lambda folder: simulate_movie(folder, subjects=2, progress=False)
    )


@pytest.fixture(scope="module")
def one_subject(tmp_path_factory, two_subjects):
    """The same as a lab would have it: nothing was shown twice, and nobody knows the truth."""
    folder = tmp_path_factory.mktemp("once") / "movie"
    shutil.copytree(two_subjects, folder)
    shutil.rmtree(folder / "truth")
    root = folder / "ds005531"
    shutil.rmtree(root / "sub-S02", ignore_errors=True)
    lines = (root / "runs.tsv").read_text().splitlines(keepends=True)
    (root / "runs.tsv").write_text("".join(line for line in lines if "_run-03" not in line))
    for path in root.rglob("*run-03*"):
        path.unlink()
    return folder


def test_levels_and_layers_are_found_in_two_subjects(tmp_path, monkeypatch, two_subjects):
    printed, n_figures, numbers = run(
        "12-language-encoding", tmp_path, monkeypatch, dataset=str(two_subjects), contexts="[1, 8]", story="simulated",
        n_permutations=999, story_permutations=9, answers=True,
    )  # fmt: skip
    assert printed.startswith("Simulated data") and n_figures == 7 and numbers["n_subjects"] == 2
    for level in LEVELS:
        assert np.abs(numbers["checks"]["layer_steps"][level]).max() <= 1
        assert min(numbers["gain"][level]["subjects"]) > 0
        assert numbers["by_delay"][level]["4-6 s"] > numbers["by_delay"][level]["8-10 s"]
        assert 0.03 < numbers["checks"]["false_share"][level] < 0.08
        assert 0 < numbers["of_ceiling"]["minilm"][level] < 1
    found, true = (numbers["checks"][f"region_level_{k}"] for k in ("found", "true"))
    assert found == true and set(true.values()) == set(LEVELS)
    means = {level: np.mean(values) for level, values in numbers["accuracy"]["minilm"].items()}
    assert min(means[k] for k in LEVELS) > 2 * max(means["Summary"], means["TimePlace"])
    assert numbers["alice_data"] == "Simulated data (layout of Alice)"
    scores = results.frame(numbers["scores"])
    assert len(scores) == 2 * 12 and set(scores["level"]) == {*numbers["levels"], "no meaning"}
    assert "the controls reach" in displayed(tmp_path, "12-language-encoding")
    differences = results.frame(numbers["differences"])
    against_controls = differences[differences["second"] == "controls no meaning"]
    assert set(against_controls["level"]) == set(numbers["levels"])  # no level without its control
    assert (differences["low"] < differences["high"]).all()


def test_unique_variance_is_where_it_was_simulated(tmp_path, monkeypatch, two_subjects):
    layers = {"Speech": 5, "Object": 2, "Story": 4, "Summary": 5, "TimePlace": 1}
    _, n_figures, numbers = run(
        "13-semantic-maps", tmp_path, monkeypatch, dataset=str(two_subjects), layers=layers, n_together=2,
        n_permutations=999, delays="[[4, 5, 6]]", answers=True,
    )  # fmt: skip
    assert n_figures == 5
    truth = results.frame(numbers["truth"]).set_index(["region", "space"])
    unique, low = truth["unique"], truth["low"]
    own = {
        "auditory belt": "Speech",
        "anterior temporal": "Speech",
        "precuneus": "Story",
        "lateral prefrontal": "Story",
    }
    for region, level in own.items():
        assert unique[region, level] > 0.01 and low[region, level] > 0
        assert max(v for k, v in unique[region].items() if k not in (level, "controls")) < 0.004
    assert unique["early visual", "controls"] > 0.05 < unique["primary auditory", "controls"]
    assert max(unique["elsewhere"]) < 0.001
    for level, region in (("Summary", "precuneus"), ("TimePlace", "primary auditory")):
        assert unique[region, level] < 0.004
    inside = results.frame(numbers["in_directions"]).pivot(index="voxels", columns="directions", values="share")
    for region in ("precuneus", "lateral prefrontal"):
        assert inside.loc[region].idxmax() == region
    assert numbers["axes"]["p"][0] <= 0.05
    rivals = results.frame(numbers["rivals"]).set_index(["model", "voxels"])["r2"]
    assert rivals["banded", "reliable"] > rivals["plain", "reliable"]
    assert rivals["banded", "others"] < rivals["plain", "others"]  # said first in the chapter
    said = displayed(tmp_path, "13-semantic-maps")
    assert said.index("Over all voxels") < said.index("In reliable voxels")
    assert set(numbers["group"]) == {"same shifts for all, FDR 5 %", "same shifts for all, family-wise 5 %"}


def test_one_subject_without_ground_truth_or_repeats(tmp_path, monkeypatch, one_subject):
    printed, n_figures, swept = run(
        "12-language-encoding", tmp_path, monkeypatch, dataset=str(one_subject), contexts=[1], story="simulated",
        subjects="[1]", language_models="[minilm]", n_permutations=999, story_permutations=9,
    )  # fmt: skip
    assert "1,350 s of training, 1,350 s of test" in printed and n_figures == 7
    assert swept["checks"] == {} and swept["of_ceiling"]["minilm"]["Story"] is None
    json.dumps(swept, allow_nan=False)
    _, n_figures, joint = run(
        "13-semantic-maps",
        tmp_path,
        monkeypatch,
        dataset=str(one_subject),
        n_together=1,
        subjects=[1],
        n_permutations=999,
    )
    assert joint["layers"]["Speech"] == int(np.median(swept["layers"]["minilm"]["Speech"]))
    assert n_figures == 5 and joint["group"] == {} and joint["axes"]["stability"] is None
    assert joint["truth"] == {"columns": [], "rows": []}
