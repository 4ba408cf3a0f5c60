"""The simulated experiment of a lab opens like any other, and its ground truth is found in it."""

import numpy as np
import pytest
from naturalistic import encoding, preprocessing
from naturalistic.datasets import check, experiments
from naturalistic.features.stimulus import stimulus_spaces
from naturalistic_simulation import lab, simulate_lab


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return simulate_lab(tmp_path_factory.mktemp("lab") / "lab")


def test_it_is_a_whole_folder_in_which_one_lacks_a_run(folder):
    words = experiments.stimuli_by_run([str(folder / "stimuli")])
    findings = check.check_folder(folder, task="story", stimulus=words, confounds=["motion", "wm_csf"])
    assert (
        not findings.problems and len(findings.doubts) == 1 and "sub-03 (ses-1_task-story_run-2)" in findings.doubts[0]
    )
    experiment = experiments.open_experiment(folder)
    assert experiment.is_simulated and experiment.tr == 1.5 and experiment.n_dropped["03"] == (2, 2, 2)


@pytest.mark.slow
def test_voxels_that_follow_the_rate_of_words_are_found(folder, tmp_path):
    experiment = experiments.open_experiment(folder, subjects=["03"])
    words = experiments.stimuli_by_run([str(folder / "stimuli")])
    options = {"folder": tmp_path / "store", "n_jobs": 1}
    found = {}
    for confounds in (None, ["motion", "wm_csf"]):
        subject = preprocessing.open_subjects(experiment, confounds=confounds, **options)["03"]
        stimulus = stimulus_spaces(subject, words, model=None)
        found[confounds is None] = encoding.encode(subject, stimulus, n_permutations=1000).scores["word rate"]
    follows = lab.load_truth(folder)[tuple(subject.grid.indices.T)]
    assert (np.bincount(follows)[1:] > 40).all()
    clean = found[False]
    assert (clean.p[follows == 1] < 0.05).mean() > 0.95 and clean.r[follows == 1].mean() > 0.35
    assert clean.significant[follows == 1].mean() > 0.7
    assert clean.significant[follows == 0].mean() < 0.02
    assert clean.r[follows == 1].mean() > found[True].r[follows == 1].mean() + 0.02  # motion hides it


def test_the_same_seed_gives_the_same_story(folder, tmp_path):
    again = simulate_lab(tmp_path / "again")
    for name in ("stimuli/ses-1_run-1.TextGrid", "derivatives/truth/truth.json", "README"):
        assert (again / name).read_bytes() == (folder / name).read_bytes()
    assert simulate_lab(again) == again
    (tmp_path / "other").mkdir()
    with pytest.raises(FileExistsError, match="other exists and is not this simulated experiment"):
        simulate_lab(tmp_path / "other")
