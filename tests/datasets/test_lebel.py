"""Series of stories in HDF5 with TextGrids, in the layout of ds003020."""

import csv

import h5py
import numpy as np
import pytest
from naturalistic import preprocessing
from naturalistic.datasets import lebel
from naturalistic.datasets.spoken import words_in_runs
from naturalistic.features.text import stories as story_features

from tests.helpers import bids_tree
from tests.helpers.real_data import real_folder

STORIES = ("adollshouse", "avatar", "wheretheressmoke")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("NATURALISTIC_CACHE", str(tmp_path / "cache"))
    return bids_tree.write_series(tmp_path / "ds003020", STORIES)


def test_each_story_is_a_run(folder):
    data = lebel.load(folder)
    assert data.subjects == ("UTS01", "UTS02") and data.stories["UTS01"] == STORIES and lebel.is_layout(folder)
    subject = preprocessing.open_subjects(data)["UTS01"]
    assert subject.bold.shape == (3 * 40, 12) and subject.bold.dtype == np.float32 and subject.tr == 2.0
    for run in range(3):
        np.testing.assert_allclose(subject.bold[subject.runs == run][:, 1:].std(axis=0), 1, atol=1e-5)
    assert not subject.bold[:, 0].any()  # outside of the scan
    with pytest.raises(FileNotFoundError, match=r"UTS01 has no coordinates: .*UTS01_auto has no mask"):
        _ = subject.coordinates


def test_words_come_on_the_clock_of_the_sound(folder):
    """The series begin 10 s after the sound; a word at 11 s lies in the first TR."""
    data = lebel.load(folder, subjects=["UTS01"], stories=["avatar"])
    subject = data.open_subject("UTS01")
    assert subject.tr_times[:2].tolist() == [10.0, 12.0]
    with pytest.warns(UserWarning, match="lie outside of run 'avatar'"):
        words = words_in_runs(data.transcripts(), subject)
    rate = story_features.word_rate(words)[:, 0]
    assert rate[:40].tolist() == [2.0] * 40  # a word each second


def test_what_is_missing(folder):
    broken = folder / lebel.SERIES / "UTS01" / "avatar.hf5"
    broken.unlink()
    broken.symlink_to("../../.git/annex/objects/none")
    (folder / lebel.TEXTGRIDS / "adollshouse.TextGrid").unlink()
    data = lebel.load(folder)
    assert data.stories == {"UTS01": ("wheretheressmoke",), "UTS02": ("avatar", "wheretheressmoke")}
    assert "UTS01: 1 series are only named (git-annex), fetch them: avatar" in str(data)
    with pytest.raises(FileNotFoundError, match="avatar: the series of UTS01 or the TextGrid is not there"):
        lebel.load(folder, stories=["avatar"])
    with pytest.raises(ValueError, match=r"subjects \['UTS09'\]: .* has UTS01, UTS02"):
        lebel.load(folder, subjects=["UTS09"])
    with pytest.raises(FileNotFoundError, match="preprocessed_data is not a folder; expected ds003020"):
        lebel.load(folder / "derivative")


def test_files_of_another_content(folder):
    path = folder / lebel.SERIES / "UTS02" / "avatar.hf5"
    with h5py.File(path, "w") as file:
        file["responses"] = np.zeros((3, 3))
    data = lebel.load(folder, subjects=["UTS02"])
    with pytest.raises(ValueError, match=r"avatar.hf5 has the keys responses, expected 'data'"):
        data.open_subject("UTS02")
    path.write_bytes(b"\x89HDF")
    with pytest.raises(ValueError, match=r"avatar.hf5 is damaged or was cut short .*fetch it again"):
        data.open_subject("UTS02")
    with h5py.File(path, "w") as file:
        file["data"] = np.ones((40, 5))
    with pytest.raises(ValueError, match=r"stories of UTS02 have different voxels \(adollshouse 12, avatar 5"):
        data.open_subject("UTS02")


def test_repeats_where_the_file_has_them(folder):
    data = lebel.load(folder, subjects=["UTS01"])
    assert data.repeats("UTS01", "avatar") is None
    with h5py.File(data.series("UTS01", "wheretheressmoke"), "a") as file:
        file["individual_repeats"] = np.zeros((10, 40, 12))
    assert data.repeats("UTS01", "wheretheressmoke").shape == (10, 40, 12)


def test_every_name_of_the_published_tree(tmp_path):
    with open(real_folder("ds003020", "names of ds003020") / "TREE.tsv", encoding="utf-8") as file:
        paths = [row["path"] for row in csv.DictReader(file, delimiter="\t")]
    for name in paths:
        if name.startswith(("derivative/TextGrids", "derivative/preprocessed_data")):
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    data = lebel.load(tmp_path)
    assert len(data.subjects) == 9 and min(map(len, data.stories.values())) >= 20
