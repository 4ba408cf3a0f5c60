"""Chapters run by papermill, with other parameters than those of the book (which `make book` runs)."""

import json
import shutil
from pathlib import Path

import jupytext
import nbformat
import nibabel as nib
import numpy as np
import papermill
import pytest
from naturalistic.datasets import alice
from naturalistic.datasets.scans import MNI
from naturalistic.features.planted_text import make_movie
from naturalistic.miniature import make_corpus, make_music
from test_level_features import save_tiny

ROOT = Path(__file__).resolve().parents[1]

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # other people's kernels and sockets


def run(chapter, tmp_path, monkeypatch, expects_results=True, **parameters):
    """Run a chapter in a temporary folder; return its text outputs and its results."""
    monkeypatch.setenv("NATURALISTIC_RESULTS", str(tmp_path / "results"))
    nbformat.write(jupytext.read(ROOT / "notebooks" / f"{chapter}.md"), tmp_path / "in.ipynb")
    done = papermill.execute_notebook(
        str(tmp_path / "in.ipynb"), str(tmp_path / "out.ipynb"), parameters, kernel_name="python3", progress_bar=False
    )
    outputs = [o for cell in done.cells if cell.cell_type == "code" for o in cell.outputs]
    printed = "".join(o.text for o in outputs if o.output_type == "stream" and o.name == "stdout")
    n_figures = sum("image/png" in o.get("data", {}) for o in outputs)
    path = tmp_path / "results" / f"{chapter}.json"
    return printed, n_figures, json.loads(path.read_text()) if expects_results else None


def test_first_model_on_the_stand_in_finds_what_was_planted(tmp_path, monkeypatch):
    printed, n_figures, numbers = run(
        "01-first-model", tmp_path, monkeypatch, dataset="stand-in", window=4, n_permutations=60,
        subjects=["s18", "s22", "s23", "s24", "s26", "s28", "s30", "s31", "s33", "s35", "s36", "s37"],
    )  # fmt: skip
    assert printed.startswith("MADE STAND-IN")
    assert n_figures == 6 and numbers["n_subjects"] == 11
    assert numbers["dataset"] == "made stand-in for Alice"
    # planted: LPTL follows word rate and kind of scene most; LIPL only what listeners share besides
    middle = f"layer {numbers['middle']}"
    assert numbers["p"]["controls"]["LPTL"] < 0.02 and numbers["p"][middle]["LPTL"] < 0.02
    accuracy = numbers["accuracy"][middle]
    assert max(accuracy, key=accuracy.get) == "LPTL" and accuracy["LPTL"] > 0.15
    assert abs(accuracy["LIPL"]) < 0.1 and numbers["p"]["controls"]["LIPL"] > 0.02
    assert numbers["beyond_p"]["LPTL"] < 0.05 < numbers["beyond_p"]["LIPL"]
    assert numbers["difference_p"]["LIPL"] > 0.05  # neither model predicts it
    assert numbers["known_leave_one_out"] is None
    assert 2 <= numbers["response_peak_s"]["LPTL"] <= 8


def test_first_model_on_the_real_data_with_another_model(tmp_path, monkeypatch, real_alice, tiny_gpt2):
    printed, n_figures, numbers = run(
        "01-first-model", tmp_path, monkeypatch, language_model=str(tiny_gpt2), window=8, n_permutations=2,
    )  # fmt: skip
    assert "CC BY 4.0" in printed and "MADE" not in printed
    assert n_figures == 6 and numbers["n_subjects"] == 27 and numbers["n_trs"] == 358
    for roi, known in zip(alice.ROIS, alice.KNOWN_LEAVE_ONE_OUT):
        assert abs(numbers["leave_one_out_correlation"][roi] - known) < 0.03


def test_music_experiment_on_the_miniature_finds_what_was_planted(tmp_path, monkeypatch, small_music):
    printed, n_figures, numbers = run("02-music-experiment", tmp_path, monkeypatch, dataset=str(small_music))
    assert "made music, and no brain was measured" in printed and "15 of 18 runs are not there" in printed
    assert n_figures == 7 and numbers["dataset"].startswith("MADE MINIATURE") and numbers["n_subjects"] == 1
    planted, ceiling = numbers["planted"], numbers["ceiling"]["sub-001"]
    assert planted["r"] > 0.8 and 0.8 < planted["slope"] < 1.15 and planted["shift_error_mm"] < 0.2
    assert ceiling["primary auditory"] > 0.4 > 0.3 > ceiling["early visual"]


def test_music_experiment_without_a_truth(tmp_path, monkeypatch, small_music):
    """As with measured data: no label, no truth; halves of the test runs are held against each other."""
    shutil.copytree(small_music, tmp_path / "data")
    (tmp_path / "data/ds003720/README").write_text("README of a data set that was measured")
    shutil.rmtree(tmp_path / "data/truth")
    parameters = {"dataset": str(tmp_path / "data"), "subjects": [1]}
    printed, n_figures, numbers = run("02-music-experiment", tmp_path, monkeypatch, **parameters)
    assert "CC0" in printed and "MADE" not in printed
    assert n_figures == 7 and "planted" not in numbers and numbers["halves_r"] > 0.4


def test_music_experiment_on_fmriprep_output(tmp_path, monkeypatch, small_music):
    """Volumes that are in MNI space already, without confounds: no step is traced and no motion is drawn."""
    shutil.copytree(small_music, tmp_path / "data")
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
    _, n_figures, numbers = run("02-music-experiment", tmp_path, monkeypatch, **parameters)
    assert n_figures == 6 and numbers["halves_r"] > 0.3
    assert numbers["ceiling"]["sub-001"]["auditory belt"] > 0.3


def test_music_features_on_the_small_miniature(tmp_path, monkeypatch, small_music):
    printed, n_figures, numbers = run("04-music-features", tmp_path, monkeypatch, dataset=str(small_music))
    assert "(60, 4, 128)" in printed and "(60, 7, 192)" in printed
    assert n_figures == 4 and numbers["n_clips"] == 60 and numbers["dataset"].startswith("MADE MINIATURE")
    assert numbers["caption_to_clip_median_rank"] <= 2 and numbers["zero_shot_genre_accuracy"] >= 0.75
    genre, onsets = numbers["probes"]["genre"], numbers["probes"]["onset strength"]
    assert genre["mini-mulan"] > 0.7 > 3 * numbers["chance"]["genre"] and onsets["mini-ssl"] > 0.4


def test_music_is_read_from_the_small_miniature(tmp_path, monkeypatch, small_music):
    """One subject, 40 clips to train on, 20 to test."""
    asked = {"dataset": str(small_music), "n_permutations": 200, "subjects": "[1]"}
    printed, n_figures, numbers = run("06-music-decoding", tmp_path, monkeypatch, **asked)
    assert "15 of 18 runs are not there" in printed and n_figures == 6
    assert numbers["n_test_clips"] == 20 and numbers["n_subjects"] == 1
    joint = numbers["repairs"]["mini-mulan"]
    assert joint["centred"][0] > 0.65 and numbers["scores"]["mini-mulan"]["p"][0] < 0.05
    assert abs(numbers["scores"]["mini-mulan"]["chance"] - 0.5) < 0.03
    assert list(numbers["across"]) == ["own"]  # nobody else to learn from


@pytest.fixture(scope="module")
def measured_music(tmp_path_factory):
    """Two subjects whose data carry no label and no truth, as measured data do; and a corpus with a broken track."""
    folder = make_music(
        tmp_path_factory.mktemp("made") / "music", seed=6, subjects=2, n_training=3, n_test=2, progress=False
    )
    (folder / "ds003720/README").write_text("README of a data set that was measured")
    shutil.rmtree(folder / "truth")
    corpus = make_corpus(folder.parent / "corpus", n_tracks=40, progress=False)
    sorted(corpus.rglob("*.mp3"))[7].write_bytes(b"not music")
    return {"dataset": str(folder), "n_permutations": 200}, str(corpus)


def test_music_of_two_subjects_without_a_truth(tmp_path, monkeypatch, measured_music):
    """All music chapters one after another, as a lab would run them, and the page that reads what they found."""
    asked, corpus = measured_music
    _, n_figures, read = run("06-music-decoding", tmp_path, monkeypatch, **asked)
    assert n_figures == 6 and not read["dataset"].startswith("MADE")
    assert set(read["across"]) == {"own", "others'", "everybody's"}
    assert min(read["repairs"]["mini-mulan"]["centred"]) > 0.65
    printed, n_figures, rebuilt = run("07-music-reconstruction", tmp_path, monkeypatch, corpus=corpus, **asked)
    assert "39 tracks indexed, 1 unreadable" in printed and n_figures == 3
    generated = rebuilt["identification"]["generated"]["mini-mulan"]
    assert generated["oracle"] > 0.85 and min(generated["identification"]) > 0.5
    assert rebuilt["identification"]["retrieved"]["mini-mulan"]["oracle"] > 0.6
    assert set(rebuilt["agreement"]) == {"genre", "instruments"}  # nobody knows the mood
    _, n_figures, mapped = run("08-music-encoding", tmp_path, monkeypatch, **asked)
    assert n_figures == 4 and "planted" not in mapped
    primary = mapped["regions"]["primary auditory"]
    assert primary["acoustic"]["r"] > primary["genre"]["r"] > 0
    monkeypatch.chdir(ROOT / "notebooks")
    run("91-results", tmp_path, monkeypatch, expects_results=False)


@pytest.fixture(scope="module")
def small_movie(tmp_path_factory):
    """One made viewer of one drama: two runs, the second seen twice."""
    folder = tmp_path_factory.mktemp("made") / "movie"
    return make_movie(folder, seed=7, subjects=1, dramas=("bakery",), progress=False)


def test_movie_experiment_on_a_small_miniature(tmp_path, monkeypatch, small_movie):
    printed, n_figures, numbers = run("03-movie-experiment", tmp_path, monkeypatch, dataset=str(small_movie), start=30)
    assert "1 subjects x 3 runs" in printed and "Speech, Object, Story, Summary, TimePlace" in printed
    assert n_figures == 3 and numbers["dataset"].startswith("MADE MINIATURE")
    assert numbers["n_training"] == 450 and numbers["n_test"] == 450
    pace = numbers["half_life"]
    assert pace["Speech"] <= pace["Object"] < pace["Summary"] == pace["TimePlace"]
    assert 0.5 < numbers["ceiling"]["S01"] < 0.95


@pytest.mark.parametrize("kind", ["bert", "gpt2", "opt", "llama"])
def test_language_features_of_each_kind_of_model(tmp_path, monkeypatch, small_movie, kind):
    """Small random checkpoints from disk, by the chapter's parameter."""
    asked = {"dataset": str(small_movie), "sweep": [1, 8], "language_model": str(save_tiny(kind, tmp_path / kind))}
    printed, n_figures, numbers = run("05-language-features", tmp_path, monkeypatch, **asked)
    assert "(900, 3, 32) (n_seconds, n_layers, dim)" in printed and n_figures == 5
    assert numbers["n_layers"] == 3 and numbers["model"].endswith(kind)
    assert all(numbers["cka"][level][level] == pytest.approx(1) for level in numbers["cka"])
    paces = numbers["context_autocorrelation_9s"]  # of random networks: nothing is known of them but that both differ
    assert np.isfinite(list(paces.values())).all() and paces["8 s"] != paces["1 s"]


def test_ridge_engine(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT / "notebooks")
    printed, n_figures, numbers = run("90-ridge-engine", tmp_path, monkeypatch, n_features=200, n_voxels=60)
    assert "equal alphas" in printed and n_figures == 1
    assert numbers["same_as_loop"] == 1 and numbers["largest_difference"] < 1e-4
