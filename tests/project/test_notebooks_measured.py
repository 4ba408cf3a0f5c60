"""Chapters on music run by papermill on data that look measured: the longest test, in a file of its own."""

import shutil

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from naturalistic.reporting import film, results
from naturalistic_simulation import simulate_corpus, simulate_music

from tests.helpers.chapters import MARKS, ROOT, run

pytestmark = [*MARKS, pytest.mark.long]


@pytest.fixture(scope="module")
def measured_music(tmp_path_factory):
    """Two subjects whose data carry no label and no truth, as measured data do; and a corpus with a broken track."""
    folder = simulate_music(
        tmp_path_factory.mktemp("made") / "music", seed=6, subjects=2, n_training=3, n_test=2, progress=False
    )
    (folder / "ds003720/README").write_text("README of a data set that was measured")
    shutil.rmtree(folder / "truth")
    corpus = simulate_corpus(folder.parent / "corpus", n_tracks=40, render_all=True, progress=False)
    (corpus / "README").write_text("README of a corpus that was recorded")
    sorted(corpus.rglob("*.mp3"))[7].write_bytes(b"not music")
    return {"dataset": str(folder), "n_permutations": 200}, str(corpus)


@pytest.fixture(scope="module")
def atlas(tmp_path_factory):
    """A label image in MNI152 whose parcels are blocks of 45 mm: a third as many as of equal area by default."""
    corner, size = np.array([-90, -126, -72]), 45  # mm
    block = np.indices((45, 54, 45)) * 4 // size
    labels = 1 + np.ravel_multi_index(tuple(block), (4, 5, 4))
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    affine[:3, 3] = corner
    path = tmp_path_factory.mktemp("atlas") / "blocks.nii.gz"
    nib.save(nib.Nifti1Image(labels.astype(np.int16), affine), path)
    return str(path)


def test_music_of_two_subjects_without_ground_truth(tmp_path, monkeypatch, measured_music, atlas):
    """All music chapters one after another, as a lab would run them, and the page that reads what they found."""
    asked, corpus = measured_music
    _, n_figures, read = run("07-music-decoding", tmp_path, monkeypatch, atlas=atlas, **asked)
    assert n_figures == 6 and not read["dataset"].startswith("MADE")
    assert set(read["across"]) == {"own", "others'", "everybody's"}
    corrected = results.frame(read["corrections"]).query("embedding == 'mini-mulan' and correction == 'centered'")
    assert len(corrected) == 2 and corrected["identification"].min() > 0.65
    printed, n_figures, rebuilt = run(
        "08-music-reconstruction", tmp_path, monkeypatch, corpus=corpus, answers=True, **asked
    )
    assert "39 tracks indexed, 1 unreadable" in printed and n_figures == 3
    generated = rebuilt["identification"]["generated"]["mini-mulan"]
    assert generated["oracle"] > 0.85 and min(generated["identification"]) > 0.5
    assert rebuilt["identification"]["retrieved"]["mini-mulan"]["oracle"] > 0.6
    assert set(rebuilt["agreement"]) == {"genre", "instruments"}  # nobody knows the mood
    _, n_figures, mapped = run(
        "09-music-encoding", tmp_path, monkeypatch, delays="[3.0, 4.5, 6.0, 7.5]", answers=True, **asked
    )
    assert n_figures == 4 and "ground_truth" not in mapped
    primary = mapped["regions"]["primary auditory"]
    assert primary["acoustic"]["r"] > primary["genre"]["r"] > 0
    save_films()
    monkeypatch.chdir(ROOT / "notebooks")
    run("91-results", tmp_path, monkeypatch, expects_results=False)


def save_films():
    """Write what the page of results reads of chapters 4, 12, 13 and 15, which are run on films and not here."""
    levels = ["Speech", "Story"]
    r, layers = ({level: list(values) for level in levels} for values in ((0.1, 0.2), (1, 2)))
    found = {
        "accuracy": {"static": r, "large": r},
        "layers": {"large": layers},
        "gain": {level: {} for level in levels},
    }
    about = {"dataset": "another data set", "seed": 0}
    results.save("12-language-encoding", {"models": ["static", "large"], "levels": levels, **found}, **about)
    unique = {region: dict.fromkeys(levels, 0.05) for region in ("primary auditory", "precuneus")}
    results.save("13-semantic-maps", {"unique_r": unique, "axes": {"share": [0.5, 0.3, 0.2]}}, **about)
    names = ["context, not static", film.CONTROL]
    ends = {"value": 0.01, "low": 0.005, "high": 0.015}
    differences = pd.DataFrame({"comparison": names, "network": film.ALL, **ends})
    results.save("04-real-film", {"n_subjects": 2, "differences": differences}, **about)
    field = pd.DataFrame({"method": "brain", "metric": ["2-way", "20-way"], "value": 0.8, "chance": 0.7})
    claims = pd.DataFrame({"claim": ["c"], "number": ["1"], "control": ["0"], "verdict": ["holds"]})
    results.save("15-what-reconstruction-proves", {"field": field, "claims": claims}, **about)
