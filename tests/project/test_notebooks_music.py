"""Chapters on music run by papermill on one small simulated subject, with other parameters than those of the book."""

import shutil

import nibabel as nib
import numpy as np
import pytest
from naturalistic.datasets.scans import MNI
from naturalistic.reporting import results

from tests.helpers.chapters import MARKS, run

EMBEDDINGS = ("mini-mulan", "mini-ssl", "text")
pytestmark = [*MARKS, pytest.mark.usefixtures("prepared_music")]


def copied(source, folder):
    """Copy an experiment; its scans are links, so that what was preprocessed before is known again."""
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("*_bold.nii.gz"))
    for path in source.rglob("*_bold.nii.gz"):
        (folder / path.relative_to(source)).symlink_to(path)


def test_music_experiment_on_simulated_data_finds_the_ground_truth(tmp_path, monkeypatch, small_music):
    printed, n_figures, numbers = run(
        "05-music-experiment", tmp_path, monkeypatch, dataset=str(small_music), answers=True
    )
    assert "no brain was measured" in printed and "15 of 18 runs are not there" in printed
    assert n_figures == 7 and numbers["dataset"].startswith("Simulated data") and numbers["n_subjects"] == 1
    truth, ceiling = numbers["ground_truth"], numbers["ceiling"]["sub-001"]
    assert truth["r"] > 0.8 and 0.8 < truth["slope"] < 1.15 and truth["shift_error_mm"] < 0.2
    assert ceiling["primary auditory"] > 0.4 > 0.3 > ceiling["early visual"]
    by_region = results.frame(numbers["ceilings"]).set_index("region")["median"]
    assert by_region["primary auditory"] == ceiling["primary auditory"] and by_region["all"] == ceiling["median"]


def test_music_experiment_without_ground_truth(tmp_path, monkeypatch, small_music):
    """As with measured data: no label, no truth; halves of the test runs are held against each other."""
    copied(small_music, tmp_path / "data")
    (tmp_path / "data/ds003720/README").write_text("README of a data set that was measured")
    shutil.rmtree(tmp_path / "data/truth")
    parameters = {"dataset": str(tmp_path / "data"), "subjects": [1]}
    printed, n_figures, numbers = run("05-music-experiment", tmp_path, monkeypatch, **parameters)
    assert "CC0" in printed and "MADE" not in printed
    assert n_figures == 7 and "ground_truth" not in numbers and numbers["halves_r"] > 0.4


def test_music_experiment_on_fmriprep_output(tmp_path, monkeypatch, small_music):
    """Volumes that are in MNI space already, without confounds: no step is traced and no motion is drawn."""
    copied(small_music, tmp_path / "data")
    root = tmp_path / "data/ds003720"
    func = root / "derivatives/fmriprep/sub-001/func"
    func.mkdir(parents=True)
    for path in sorted((root / "sub-001/func").glob("*_bold.nii.gz")):
        image = nib.load(path)
        stem = f"{func / path.name.removesuffix('_bold.nii.gz')}_space-{MNI}_desc"
        shutil.copy(path, f"{stem}-preproc_bold.nii.gz")
        inside = (np.asarray(image.dataobj).mean(axis=3) > 300).astype(np.uint8)
        nib.save(nib.Nifti1Image(inside, image.affine), f"{stem}-brain_mask.nii.gz")
    parameters = {"dataset": str(tmp_path / "data"), "space": "mni"}
    _, n_figures, numbers = run("05-music-experiment", tmp_path, monkeypatch, **parameters)
    assert n_figures == 6 and numbers["halves_r"] > 0.3
    assert numbers["ceiling"]["sub-001"]["auditory belt"] > 0.3


def test_music_features_on_small_simulated_data(tmp_path, monkeypatch, small_music):
    asked = {"dataset": str(small_music), "models": "[mini-mulan, mini-ssl]"}  # text, as papermill -p hands it over
    printed, n_figures, numbers = run("06-music-features", tmp_path, monkeypatch, answers=True, **asked)
    assert "(60, 4, 128)" in printed and "(60, 7, 192)" in printed
    assert n_figures == 3 and numbers["n_clips"] == 60 and numbers["dataset"].startswith("Simulated data")
    assert numbers["caption_to_clip_median_rank"] <= 2 and numbers["zero_shot_genre_accuracy"] >= 0.75
    genre, onsets = numbers["probes"]["genre"], numbers["probes"]["onset strength"]
    assert genre["mini-mulan"] > 0.7 > 3 * numbers["chance"]["genre"] and onsets["mini-ssl"] > 0.4
    assert len(results.frame(numbers["probe_scores"])) == 6 * 3  # properties, embeddings


def test_music_is_decoded_from_small_simulated_data(tmp_path, monkeypatch, small_music):
    """One subject, 40 clips to train on, 20 to test."""
    asked = {"dataset": str(small_music), "n_permutations": 200, "subjects": "[1]"}
    printed, n_figures, numbers = run("07-music-decoding", tmp_path, monkeypatch, answers=True, **asked)
    assert "15 of 18 runs are not there" in printed and n_figures == 6
    assert numbers["n_test_clips"] == 20 and numbers["n_subjects"] == 1
    corrected = results.frame(numbers["corrections"]).set_index(["embedding", "correction"])["identification"]
    assert corrected["mini-mulan", "centered"] > 0.65 and numbers["scores"]["mini-mulan"]["p"][0] < 0.05
    accuracy = results.frame(numbers["accuracy"])
    assert accuracy["identification"].tolist() == [numbers["scores"][name]["identification"][0] for name in EMBEDDINGS]
    assert set(results.frame(numbers["strategies"])["decoder"]) == {"parcels", "whole", "voxels", "stack"}
    tests = results.frame(numbers["genre_tests"])
    assert len(tests) == 4 and tests["p"].between(0, 1).all() and len(numbers["confusion"]) == 10
    assert abs(numbers["scores"]["mini-mulan"]["chance"] - 0.5) < 0.03
    assert list(numbers["across"]) == ["own"]  # nobody else to learn from
