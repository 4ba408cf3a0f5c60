"""Spaces of a stimulus from its files: their names, their clock, and files of another run."""

import numpy as np
import pytest
import soundfile
from naturalistic import encoding
from naturalistic.datasets.subject import Subject
from naturalistic.features.stimulus import stimulus_spaces

from tests.helpers import bids_tree

TR = 2.0
WORDS = "the old sailor rowed a boat near the quiet harbour and she watched the storm over the dark valley".split()


@pytest.fixture
def subject():
    runs = np.repeat([0, 1], [40, 30])
    return Subject("01", np.zeros((70, 1), np.float32), runs, ("task-a_run-1", "task-b_run-1"), TR, "mni")


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    for name, n in (("a", 76), ("b", 56)):
        bids_tree.write_textgrid(tmp_path / f"{name}.TextGrid", list(rng.choice(WORDS, n)))
    return {"task-a": tmp_path / "a.TextGrid", "task-b": tmp_path / "b.TextGrid"}


def test_words_give_three_spaces(subject, files):
    made = stimulus_spaces(subject, files, n_words=8)
    assert {name: x.shape for name, x in made.spaces.items()} == {
        "word rate": (70, 1), "static": (70, 384), "context": (70, 384),
    }  # fmt: skip
    assert made.model == "minilm" and made.layer == 3 and made.controls == ("word rate",)
    np.testing.assert_array_equal(made.clock, made.spaces["word rate"][:, 0])
    assert made.clock[:38].tolist() == [2.0] * 38 and made.clock[40:68].tolist() == [2.0] * 28
    last = stimulus_spaces(subject, files, n_words=8, layer=-1).spaces["context"]
    assert not np.allclose(last, made.spaces["context"])
    assert set(stimulus_spaces(subject, files, model=None).spaces) == {"word rate"}
    assert set(stimulus_spaces(subject, files, model="static:minilm").spaces) == {"word rate", "static"}


def test_an_offset_moves_all_spaces(subject, files):
    with pytest.warns(UserWarning, match="words lie outside of run"):
        made = stimulus_spaces(subject, files, model=None, offset={"task-a": 20.0, "task-b": 0.0})
    assert made.clock[:10].tolist() == [0.0] * 10 and made.clock[10] == 2.0 and made.clock[40] == 2.0


def test_sound_is_loud_when_it_plays(subject, tmp_path):
    rate = 16_000
    rng = np.random.default_rng(1)
    envelope = np.repeat(rng.choice([0.001, 0.3], 60), rate)
    soundfile.write(tmp_path / "a.wav", envelope * rng.standard_normal(60 * rate), rate)
    soundfile.write(tmp_path / "b.wav", np.stack([envelope[: 50 * rate]] * 2, axis=1), rate)
    audio = {"task-a": tmp_path / "a.wav", "task-b": tmp_path / "b.wav"}
    made = stimulus_spaces(subject, audio=audio, offset=4.0)
    assert made.spaces["spectrum"].shape == (70, 64) and made.controls == ("loudness",)
    steps = np.log(envelope[::rate]).reshape(30, 2).mean(axis=1)
    assert np.corrcoef(made.clock[2:32], steps)[0, 1] > 0.9
    assert not made.clock[:2].any() and not made.clock[32:40].any()
    # a response that is 6 s later is found there
    late = np.concatenate([np.zeros(3), made.clock[:37], np.zeros(3), made.clock[40:67]])
    assert encoding.lag_profile(made.clock, late, TR, subject.runs).peak == 6.0
    with pytest.warns(UserWarning, match="the response follows the feature best after -4 s, expected 3 to 8 s"):
        encoding.lag_profile(np.roll(made.clock, 5), late, TR)


def test_features_of_the_caller_stand_beside(subject, files):
    made = stimulus_spaces(subject, files, model=None, more={"vision": np.ones(70)})
    assert made.spaces["vision"].shape == (70, 1)
    with pytest.raises(ValueError, match=r"more\['vision'\] has shape \(69, 1\), expected \(70, n_features\)"):
        stimulus_spaces(subject, files, model=None, more={"vision": np.ones(69)})
    with pytest.raises(ValueError, match="more has 'word rate', which is a space of words"):
        stimulus_spaces(subject, files, model=None, more={"word rate": np.ones(70)})


def test_bad_stimuli(subject, files, tmp_path):
    with pytest.raises(ValueError, match="stimulus, audio and more are empty"):
        stimulus_spaces(subject)
    with pytest.raises(FileNotFoundError, match=r"none.srt is missing: expected a transcript"):
        stimulus_spaces(subject, tmp_path / "none.srt")
    with pytest.raises(ValueError, match="run 'task-b_run-1' has 0 of the transcripts task-a"):
        stimulus_spaces(subject, {"task-a": files["task-a"]})
    long = tmp_path / "long.wav"
    soundfile.write(long, np.random.default_rng(0).standard_normal(150 * 16_000) / 9, 16_000)
    with pytest.raises(ValueError, match="is it the sound of another run, or is the offset wrong"):
        stimulus_spaces(subject, audio=long)
    (tmp_path / "no.wav").write_text("no sound")
    with pytest.raises(ValueError, match=r"no.wav cannot be read as sound"):
        stimulus_spaces(subject, audio=tmp_path / "no.wav")
