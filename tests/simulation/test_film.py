"""The simulated film: its layout is the measured one, and what was put into the brains is found in them."""

import functools
import json

import numpy as np
import pytest
from naturalistic.datasets import studyforrest
from naturalistic.datasets import studyforrest_files as published
from naturalistic.encoding import FoldSplit, group_accuracy
from naturalistic.features.delays import fir
from naturalistic.inference import leave_one_out_correlation, max_statistic
from naturalistic.models.ridge import RidgeCV
from naturalistic.preprocessing import open_subjects, zscore
from naturalistic_simulation import simulate_film

from tests.helpers.once import write_once


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return studyforrest.load(write_once(tmp_path_factory, "film", functools.partial(simulate_film, subjects=4)))


@pytest.fixture(scope="module")
def truth(film):
    return json.loads((film.folder / "truth.json").read_text())


@pytest.fixture(scope="module")
def bold(film):
    return np.stack([subject.bold for subject in open_subjects(film).values()])


def test_the_layout_is_that_of_the_measured_data(film):
    assert film.is_simulated and film.subjects == ("01", "02", "03", "04") and film.notes == []
    assert film.name == "Simulated data (layout of studyforrest)" and "no brain was measured" in str(film)
    assert "PDDL" not in str(film) and film.title("x") == "x (simulated)"
    assert not film.is_whole and len(film.runs) == 3599
    subject = film.open_subject("03")
    assert subject.bold.shape == (3599, 267) and subject.coordinates.shape == (267, 3)
    assert abs(subject.bold[:451].mean(axis=0)).max() < 1e-3
    assert set(film.networks()) == set(published.NETWORKS)
    assert film.speech()["on"].mean() > 0.3 and film.music().mean() > 0.3
    assert len(film.low_level()) == 6 and 800 < film.cuts().sum() < 1000
    assert np.corrcoef(film.audio_description()["on"], film.speech()["on"])[0, 1] < -0.3
    assert film.emotions()[0] == ("arousal", "valence_positive", "valence_negative", "fear", "love", "n_characters")
    for level in film.levels:
        assert len(film.annotations(level)) == 7198
    assert 5000 < len(film.words().words) < 12000 and film.lines()["person"].nunique() == 5


def test_the_shared_16_s_show_the_same(film):
    light = film.low_level()["brightness"]
    for run in range(1, 8):
        first = int(np.flatnonzero(film.runs == run)[0])
        assert np.corrcoef(light[first - 8 : first - 1], light[first : first + 7])[0, 1] > 0.9


@pytest.mark.slow
def test_parcels_follow_what_the_truth_says_and_others_nothing(film, truth, bold):
    labels = film.labels.tolist()
    others = [k for k, label in enumerate(labels) if str(label) not in truth["parcels"]]
    kept = ~film.is_dropped()
    low_level = film.low_level()
    drives = {
        "loudness": low_level["log_rms"],
        "frame difference": low_level["frame_difference"],
        "speech": film.speech()["words_per_second"],
    }
    mean = bold.mean(axis=0)
    for name, drive in drives.items():
        delayed = np.roll(drive, 2)[kept]
        r = np.array([np.corrcoef(delayed, column)[0, 1] for column in mean[kept].T])
        strongest = [label for label, found in truth["parcels"].items() if found.get(name, 0) > 0.7]
        assert len(strongest) >= 4 and r[[labels.index(int(label)) for label in strongest]].min() > 0.3
        assert np.abs(r[others]).max() < 0.2 and len(others) > 130
    agreement = leave_one_out_correlation(bold[:, kept], film.runs[kept]).mean(axis=0)
    assert 0.1 < agreement.mean() < 0.3 and agreement[others].max() < 0.3 < agreement.max()


def meanings(film, truth):
    """Return the planted vectors of the words, summed in each TR (n_trs, 6)."""
    words = film.words()
    vectors = np.array([truth["vectors"].get(word.strip(".").lower(), [0.0] * 6) for word in words.words])
    per_tr = np.zeros((3599, 6))
    middles = ((words.onsets + words.offsets) / 2)[words.events]
    firsts = np.flatnonzero(np.diff(film.runs, prepend=-1))
    starts = np.array(film.run_starts)[words.event_runs]
    np.add.at(per_tr, firsts[words.event_runs] + ((middles - starts) / 2).astype(int), vectors[words.events])
    return per_tr


def test_meanings_of_words_are_found_by_their_vectors(film, truth, bold):
    per_tr = meanings(film, truth)
    X = np.column_stack([np.roll(per_tr, lag, axis=0) for lag in (2, 3)])
    column = film.labels.tolist().index(
        int(max(truth["parcels"], key=lambda label: truth["parcels"][label].get("meaning", 0)))
    )
    y = bold.mean(axis=0)[:, column]
    train, test = film.runs < 6, film.runs >= 6
    weights = np.linalg.lstsq(X[train], y[train], rcond=None)[0]
    assert np.corrcoef(X[test] @ weights, y[test])[0, 1] > 0.2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["loudness", "frame difference", "meaning"])
def test_each_drive_is_found_in_its_parcels_and_nowhere_else(film, truth, bold, name):
    """Beyond all other drives, by the refitted null of the chapter: every planted parcel, and chance in the rest."""
    low_level = film.low_level()
    drives = {
        "loudness": low_level["log_rms"][:, None],
        "frame difference": low_level["frame_difference"][:, None],
        "speech": np.stack(list(film.speech().values()), axis=1),
        "meaning": meanings(film, truth),
    }
    planted = np.array([truth["parcels"].get(str(label), {}).get(name, 0.0) for label in film.labels])
    others = np.concatenate([x for drive, x in drives.items() if drive != name], axis=1)
    delays = [2, 4, 6, 8]
    split = FoldSplit(film.runs, 4, film.tr, delays, film.runs, keep=~film.is_dropped())
    found = group_accuracy(
        drives[name].astype(np.float32),
        bold.mean(axis=0)[None],
        RidgeCV(np.logspace(0, 6, 4), cv=3, scoring="r2", progress=False),
        split,
        confounds=[fir(zscore(others, film.runs), delays, film.tr, film.runs)],
        n_permutations=59,
        seed=1,
    )
    strong, absent = planted > 0.6, planted == 0
    assert strong.sum() >= 4 and absent.sum() > 100
    assert max_statistic(found.r[0], found.null)[strong].max() <= 0.05
    assert found.r[0, strong].min() > found.r[0, absent].max()
    # by chance 5 % of the parcels that have no such drive; what they share with each other makes that share vary
    assert np.mean(found.p[absent] <= 0.05) <= 0.12 and 0.35 < found.p[absent].mean() < 0.65
    assert np.abs(found.r[0, absent].mean()) < 0.02


@pytest.mark.slow
def test_the_same_seed_gives_the_same_files(film, tmp_path):
    again = simulate_film(tmp_path / "again", subjects=2)
    for name in ("english_dialog.csv", "annotations/lowlevel_per_TR.csv", "brains/sub-02_avmovie_shen278.npz"):
        assert (again / name).read_bytes() == (film.folder / name).read_bytes()
    for name in (published.ATLAS, published.NETWORKS_FILE):
        assert (again / "brains" / name).read_bytes() == (film.folder / "brains" / name).read_bytes()
    assert not (again / "brains/sub-03_avmovie_shen278.npz").exists()
    assert simulate_film(again, subjects=2) == again
    other = simulate_film(tmp_path / "other", seed=3, subjects=1)
    assert (other / "shots.csv").read_bytes() != (again / "shots.csv").read_bytes()
    with pytest.raises(FileExistsError, match="is not this simulated film"):
        simulate_film(other, seed=4, subjects=1)


def test_the_simulated_film_takes_over_and_says_so(film, monkeypatch, capsys):
    monkeypatch.delenv("NATURALISTIC_DATA", raising=False)
    monkeypatch.setattr(published, "HOST", "http://127.0.0.1:9")
    monkeypatch.setattr(studyforrest, "_TRIES", 1)
    monkeypatch.setattr("naturalistic.simulated.simulate", lambda kind: film.folder)
    opened = studyforrest.load(fallback="simulated", subjects=[1])
    out = capsys.readouterr().out
    assert out.startswith("SIMULATED DATA: studyforrest is not to be had here") and "could not be reached" in out
    assert opened.is_simulated and opened.subjects == ("01",)
    assert studyforrest.load("simulated", runs=["run-2"]).n_trs == (441,)
