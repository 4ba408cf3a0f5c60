"""Encoding models of any experiment: what trains, what tests, which ceiling, and a ground truth that is found."""

import numpy as np
import pytest
from naturalistic.datasets.spoken import words_in_runs
from naturalistic.datasets.subject import Subject, VoxelGrid
from naturalistic.datasets.words import Transcript
from naturalistic.encoding.ceiling import find_ceiling, matched_columns
from naturalistic.encoding.experiment import BEYOND, delays_of, encode
from naturalistic.encoding.recordings import partition
from naturalistic.features.delays import shift
from naturalistic.features.stimulus import StimulusSpaces
from naturalistic_simulation.false_positives import smooth_noise

TR = 2.0
LENGTHS = (110, 100, 90, 100)
N_VOXELS = 12  # three follow the rate, three the context, the others nothing; the last has no signal


def runs_of(lengths):
    return np.repeat(np.arange(len(lengths)), lengths)


def spaces_of(lengths, seed=0):
    rng = np.random.default_rng(seed)
    n_trs = sum(lengths)
    rate = rng.standard_normal((n_trs, 1)).astype(np.float32)
    context = rng.standard_normal((n_trs, 6)).astype(np.float32)
    context[:, 0] += rate[:, 0]  # context and rate overlap
    return {"word rate": rate, "context": context}


def respond(spaces, lengths, seed=1, noise=1.0, private=0):
    """Return responses 4 and 6 s later."""
    rng = np.random.default_rng(seed)
    drives = np.zeros((sum(lengths), N_VOXELS))
    drives[:, :3] = spaces["word rate"]
    drives[:, 3:6] = spaces["context"][:, 1:] @ np.random.default_rng(5).standard_normal((5, 3)) / 2
    late = shift(drives, 2, runs_of(lengths)) + shift(drives, 3, runs_of(lengths))
    bold = late + noise * smooth_noise(np.random.default_rng([seed, private]), sum(lengths), N_VOXELS, 0.4)
    bold[:, -1] = 0
    return bold.astype(np.float32) + 0 * rng.random()


def subject_of(bold, lengths, label="01", names=None):
    names = names or tuple(f"task-story_run-{k + 1}" for k in range(len(lengths)))
    return Subject(label, bold, runs_of(lengths), names, TR, "regions")


def stimulus_of(spaces, words=None):
    return StimulusSpaces(spaces, words, "a model", 3)


def words_of(subject, recordings):
    """Return words of which recordings (by run) have their own; a word each two seconds."""
    transcripts = {}
    encoded = {}
    for name, recording in zip(subject.run_names, recordings):
        if recording not in encoded:
            n = int((subject.runs == subject.run_names.index(name)).sum())
            onsets = TR * np.arange(n - 1)
            words = [f"{recording}{k}" for k in range(n - 1)]
            encoded[recording] = Transcript(words, onsets, onsets + 1, float(onsets[-1] + 1), 0, {})
        transcripts[name] = encoded[recording]
    return words_in_runs(transcripts, subject)


@pytest.fixture(scope="module")
def encoded():
    spaces = spaces_of(LENGTHS)
    subject = subject_of(respond(spaces, LENGTHS), LENGTHS)
    return encode(subject, stimulus_of(spaces), n_permutations=200)


def test_the_ground_truth_is_found(encoded):
    assert encoded.main == "context" and list(encoded.scores) == ["word rate", "context", BEYOND]
    assert encoded.scores["word rate"].significant[:3].all() and encoded.scores["context"].significant[3:6].all()
    beyond = encoded.scores[BEYOND]
    assert beyond.significant[3:6].all() and (beyond.r[3:6] > 0.5).all()
    assert not beyond.significant[:3].any() and (encoded.scores["context"].r[:3] > 0.3).all()
    assert sum(one.significant[6:].sum() for one in encoded.scores.values()) <= 1
    assert encoded.scores["context"].p[-1] == 1 or not encoded.scores["context"].significant[-1]
    assert 4 <= encoded.lag.peak <= 6 and encoded.lag.is_expected and not encoded.notes


def test_each_choice_is_in_words_and_each_voxel_a_row(encoded):
    assert encoded.choices["split"] == "Tested on task-story_run-4, trained on 3 other runs."
    assert (
        encoded.choices["controls"] == "word rate, at each TR up to 12 s"
        and "2, 4, 6, 8 s" in encoded.choices["delays"]
    )
    frame = encoded.frame()
    assert len(frame) == N_VOXELS and {"r_context", "p_beyond_controls", "ceiling", "column"} <= set(frame)
    summary = encoded.summary()
    assert summary["model"].tolist() == list(encoded.scores) and (summary["voxels"] == N_VOXELS).all()
    assert (
        encoded.ceiling.kind == "halves" and not encoded.ceiling.is_ceiling and frame["share_of_ceiling"].isna().all()
    )


def test_a_single_run_is_cut_and_time_between_is_left_out():
    spaces = spaces_of((360,))
    subject = subject_of(respond(spaces, (360,)), (360,))
    parts = partition(subject, stimulus_of(spaces))
    assert parts.split.test.sum() == 2 * 52 and (~parts.keep).sum() == 5 * 8 and not parts.keep[60:68].any()
    assert "One run, cut into 6 blocks; the last 2 are tested, 16 s left out" in parts.sentence
    found = encode(subject, stimulus_of(spaces), n_permutations=100)
    assert found.scores["context"].significant[3:6].all()


def test_two_runs_train_on_blocks_of_the_first():
    spaces = spaces_of((200, 100))
    subject = subject_of(respond(spaces, (200, 100)), (200, 100))
    parts = partition(subject, stimulus_of(spaces))
    assert parts.split.test[-100:].all() and len(np.unique(parts.split.runs[~parts.split.test])) == 5
    assert "trained on 1 other run, cut into 5 blocks" in parts.sentence
    assert partition(subject, stimulus_of(spaces), test=["task-story_run-1"]).split.test.sum() == 200
    with pytest.raises(ValueError, match=r"test is \['run-9'\], subject 01 has the runs task-story_run-1"):
        partition(subject, stimulus_of(spaces), test=["run-9"])


def test_repeats_are_tested_and_bound_the_score():
    """The second and the fourth run play the same: they are the test, and are averaged."""
    lengths = (110, 100, 90, 100, 120)
    spaces = spaces_of(lengths)
    rows = [np.flatnonzero(runs_of(lengths) == k) for k in range(5)]
    for x in spaces.values():
        x[rows[3]] = x[rows[1]]
    subject = subject_of(respond(spaces, lengths, noise=1.5), lengths)
    words = words_of(subject, "abcbd")
    parts = partition(subject, stimulus_of(spaces, words))
    assert "Tested on task-story_run-2, task-story_run-4, trained on 3 other runs; the 2 repeats" in parts.sentence
    found = encode(subject, stimulus_of(spaces, words), n_permutations=200)
    assert found.ceiling.kind == "repeats" and "presented 2 times" in found.ceiling.sentence
    assert found.ceiling.reliable[:6].all() and found.ceiling.reliable[6:].sum() <= 1
    assert np.nanmedian(found.share_of_ceiling[3:6]) == pytest.approx(1, abs=0.15)
    with pytest.raises(ValueError, match="run-2, task-story_run-4 of subject 01 played the same, expected all or none"):
        partition(subject, stimulus_of(spaces, words), test=["task-story_run-2"])


def test_runs_that_all_play_the_same_are_averaged_and_cut():
    """A model that was trained on a story is not tested on it."""
    one = spaces_of((300,))
    lengths = (300, 300)
    spaces = {name: np.concatenate([x, x]) for name, x in one.items()}
    subject = subject_of(respond(spaces, lengths), lengths)
    words = words_of(subject, "aa")
    parts = partition(subject, stimulus_of(spaces, words))
    assert (
        parts.subject.bold.shape == (300, N_VOXELS) and "All 2 runs played the same and were averaged" in parts.sentence
    )
    found = encode(subject, stimulus_of(spaces, words), n_permutations=200)
    assert found.ceiling.kind == "repeats" and found.ceiling.reliable[:6].all()
    assert found.scores["context"].significant[3:6].all()


def test_subjects_who_share_the_test_give_a_ceiling():
    spaces = spaces_of(LENGTHS)
    people = {label: subject_of(respond(spaces, LENGTHS, private=k), LENGTHS, label) for k, label in enumerate("abc")}
    del_run = people["c"].select(list(people["c"].run_names[1:]))  # one who lacks a run of the training
    found = encode(people["a"], stimulus_of(spaces), others={**people, "c": del_run}, n_permutations=200)
    assert (
        found.ceiling.kind == "subjects" and found.ceiling.reliable[:6].all() and "2 others" in found.ceiling.sentence
    )
    assert found.ceiling.reliable[6:].sum() <= 1 and np.isnan(found.ceiling.values[-1])
    lacking = {label: people[label].select(list(people[label].run_names[:3])) for label in "bc"}
    test = people["a"].runs == 3
    with pytest.raises(ValueError, match="no repeats, and fewer than 2 others have the same test runs"):
        find_ceiling(people["a"], test, others=lacking)


def test_voxels_are_matched_by_place():
    mask = np.zeros((3, 3, 3), bool)
    mask[0, 0] = True
    other = mask.copy()
    other[0, 0, 0], other[2, 2, 2] = False, True

    def placed(voxels, space="mni", size=1):
        grid = VoxelGrid.from_mask(voxels, size * np.eye(4), np.eye(4))
        return Subject("1", np.zeros((4, 3)), np.zeros(4, int), ("a",), TR, space, grid=grid)

    assert matched_columns(placed(mask), placed(other)).tolist() == [-1, 0, 1]
    assert matched_columns(placed(mask), placed(mask, size=2)) is None
    assert matched_columns(placed(mask, "raw"), placed(other, "raw")) is None


def test_a_wrong_clock_is_noted():
    spaces = spaces_of(LENGTHS)
    bold = respond(spaces, LENGTHS, noise=0.3)
    late = subject_of(shift(bold, 5, runs_of(LENGTHS)), LENGTHS)
    found = encode(late, stimulus_of(spaces), n_permutations=20)
    assert not found.lag.is_expected and any("Clock: the response follows the feature best after 14 s" in n or
                                             "after 16 s" in n for n in found.notes)  # fmt: skip


def test_what_cannot_be_fitted():
    spaces = spaces_of((40,))
    with pytest.raises(ValueError, match=r"TRs are left to .* on, expected 20 or more: the runs are too short"):
        encode(subject_of(respond(spaces, (40,)), (40,)), stimulus_of(spaces))
    silent = subject_of(np.zeros((40, 3), np.float32), (40,))
    with pytest.raises(ValueError, match=r"subject 01 has no voxel with a signal \(3 voxels\)"):
        encode(silent, stimulus_of(spaces))
    with pytest.raises(ValueError, match="main is 'vision', expected one of word rate, context"):
        encode(subject_of(respond(spaces_of((360,)), (360,)), (360,)), stimulus_of(spaces_of((360,))), main="vision")
    assert delays_of(1.5) == [1.5, 4.5, 6.0, 7.5] and delays_of(0.8)[0] == pytest.approx(1.6)
