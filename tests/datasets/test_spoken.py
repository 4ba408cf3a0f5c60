"""Words of recordings in the runs of an experiment."""

import numpy as np
import pytest
from naturalistic.datasets.spoken import words_in_runs
from naturalistic.datasets.subject import Subject
from naturalistic.datasets.words import Transcript
from naturalistic.features.text import stories

TR = 2.0


def recording(n_words, start=0.0, step=0.5, name="w"):
    onsets = start + step * np.arange(n_words)
    return Transcript([f"{name}{k}" for k in range(n_words)], onsets, onsets + step, float(onsets[-1] + step), 0, {})


def subject_of(n_trs, names, first_trs=()):
    runs = np.repeat(np.arange(len(n_trs)), n_trs)
    bold = np.zeros((sum(n_trs), 1), np.float32)
    return Subject("01", bold, runs, tuple(names), TR, "mni", first_trs=first_trs)


def test_each_run_hears_its_recording_and_contexts_stay_inside():
    subject = subject_of([10, 12], ["task-a_run-1", "task-b_run-1"])
    words = words_in_runs({"task-a": recording(40), "task-b": recording(20, name="v")}, subject)
    assert len(words.words) == 60 and np.bincount(words.event_runs).tolist() == [40, 20]
    rate = stories.word_rate(words)[:, 0]
    assert rate[:10].tolist() == [4.0] * 10 and rate[10:].tolist() == [4.0] * 5 + [0.0] * 7
    assert words.texts.tolist() == [0] * 40 + [1] * 20


def test_a_recording_that_two_runs_play_is_read_once():
    subject = subject_of([10, 10], ["task-a_run-1", "task-a_run-2"])
    words = words_in_runs({"task-a": recording(40)}, subject)
    assert len(words.words) == 40 and len(words.events) == 80
    rate = stories.word_rate(words)[:, 0]
    assert rate.tolist() == [4.0] * 20
    assert words_in_runs(recording(40), subject).words == words.words


def test_offset_and_dropped_volumes_move_words_together():
    """The recording begins 6 s into the scan; two volumes were dropped, so TR 0 begins at 4 s."""
    subject = subject_of([8], ["task-a"], first_trs=(2,))
    np.testing.assert_allclose(subject.tr_times, 4 + TR * np.arange(8))
    words = words_in_runs(recording(12), subject, offset=6.0)
    assert stories.word_rate(words)[:, 0].tolist() == [0, 4, 4, 4, 0, 0, 0, 0]
    same = words_in_runs(recording(12), subject, offset={"task-a": 6.0})
    np.testing.assert_array_equal(same.onsets, words.onsets)


def test_words_outside_of_the_scan_are_context_alone():
    subject = subject_of([5], ["task-a"])
    with pytest.warns(
        UserWarning, match=r"4 of 24 words lie outside of run 'task-a' of subject 01 \(words 0.2 to 11.8"
    ):
        words = words_in_runs(recording(24), subject)
    assert len(words.words) == 24 and len(words.events) == 20


def test_the_recording_of_another_run_is_refused():
    subject = subject_of([5], ["task-a"])
    with pytest.raises(ValueError, match="is it the recording of another run, or is the offset wrong"):
        words_in_runs(recording(60), subject)
    with pytest.raises(ValueError, match="another run"):
        words_in_runs(recording(10), subject, offset=200.0)


def test_a_run_without_a_recording():
    subject = subject_of([5, 5], ["task-a_run-1", "task-b_run-1"])
    with pytest.raises(ValueError, match=r"run 'task-b_run-1' has 0 of the transcripts task-a, expected one: name it"):
        words_in_runs({"task-a": recording(20)}, subject)
    with pytest.raises(ValueError, match="run 'task-a_run-1' has 2 of the transcripts"):
        words_in_runs({"task-a": recording(20), "run-1": recording(20)}, subject)


def test_selected_runs_keep_their_times():
    subject = subject_of([4, 3], ["task-a", "task-b"], first_trs=(1, 2))
    np.testing.assert_allclose(subject.select(["task-b"]).tr_times, [4, 6, 8])
