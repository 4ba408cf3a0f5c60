"""A stimulus that was presented twice is never on both sides of a split: not in folds for alphas, nor in halves."""

import numpy as np
import pytest
from naturalistic import encoding
from naturalistic.datasets.repeats import Played
from naturalistic.datasets.spoken import words_in_runs
from naturalistic.datasets.subject import Subject
from naturalistic.datasets.words import Transcript
from naturalistic.encoding.learning import blocked_folds
from naturalistic.encoding.recordings import partition, time_line
from naturalistic.features.stimulus import StimulusSpaces
from naturalistic.models import RidgeCV

TR = 2.0
N_TRS = 80
N_VOXELS = 30
ALPHAS = np.logspace(-1, 6, 8)


def responses_to(recordings, seed=0, n_features=40):
    """Return runs, features, and responses that are the same each time and that no feature explains."""
    rng = np.random.default_rng(seed)
    features = {name: rng.standard_normal((N_TRS, n_features)) for name in sorted(set(recordings))}
    locked = {name: rng.standard_normal((N_TRS, N_VOXELS)) for name in sorted(set(recordings))}
    runs = np.repeat(np.arange(len(recordings)), N_TRS)
    x = np.concatenate([features[name] for name in recordings])
    bold = np.concatenate([locked[name] for name in recordings])
    return runs, x, bold + 0.3 * rng.standard_normal(bold.shape)


def ids_of(recordings):
    return np.repeat([sorted(set(recordings)).index(name) for name in recordings], N_TRS)


def subject_of(recordings, bold):
    names = tuple(f"task-story_run-{k + 1}" for k in range(len(recordings)))
    return Subject("01", bold.astype(np.float32), np.repeat(np.arange(len(names)), N_TRS), names, TR, "regions")


def stimulus_of(subject, x, recordings):
    """Return spaces whose words tell which runs played the same."""
    onsets = TR * np.arange(N_TRS - 1)
    story = {}
    for name in set(recordings):
        words = [f"{name}{k}" for k in range(len(onsets))]
        story[name] = Transcript(words, onsets, onsets + 1, float(onsets[-1] + 1), 0, {})
    words = words_in_runs(dict(zip(subject.run_names, (story[name] for name in recordings))), subject)
    return StimulusSpaces({"context": x.astype(np.float32)}, words, "a model", 3)


@pytest.mark.parametrize("recordings", ["abcdabcde", "aabbccdde"])
def test_folds_for_alphas_do_not_find_a_recording_again(recordings):
    """What a brain does at a moment of a story looks like what features predict, if the story is in both sides."""
    runs, x, bold = responses_to(recordings)
    test = ids_of(recordings) == 4
    model = RidgeCV(ALPHAS, cv=4, progress=False)
    leaking = encoding.fit(x, bold, model, encoding.Split(test, runs, TR, [0]))
    grouped = encoding.Split(test, runs, TR, [0], groups=ids_of(recordings))
    right = encoding.fit(x, bold, model, grouped)
    found = [fitted.model.cv_scores_.max(axis=0).mean() for fitted in (leaking, right)]
    assert abs(found[1]) < 0.05 and np.median(right.model.alphas_) >= 1e3
    if recordings.startswith("abcd"):  # else neighbors in time share a fold already
        assert found[0] > 0.15 and np.median(leaking.model.alphas_) < 10
    assert right.predict().correlation().mean() < 0.1


def test_encode_groups_runs_that_played_the_same():
    recordings = "abcabcd"
    _, x, bold = responses_to(recordings)
    subject = subject_of(recordings, bold)
    stimulus = stimulus_of(subject, x, recordings)
    parts = partition(subject, stimulus, test=["task-story_run-7"])
    training = parts.split.groups[~parts.split.test]
    assert "runs of the same recording stay in one fold" in parts.sentence and len(np.unique(training)) == 3
    np.testing.assert_array_equal(training[: 3 * N_TRS], training[3 * N_TRS :])
    found = encoding.encode(subject, stimulus, test=["task-story_run-7"], n_permutations=20)
    assert "over 3 folds" in found.choices["regression"] and np.abs(found.scores["context"].r.mean()) < 0.1
    # two recordings in training are cut, each at the same places
    parts = partition(subject, stimulus, test=["task-story_run-7", "task-story_run-1", "task-story_run-4"])
    groups = parts.split.groups[~parts.split.test]
    half = len(groups) // 2
    np.testing.assert_array_equal(groups[:half], groups[half:])
    assert len(np.unique(groups)) == 5 and len(np.unique(parts.split.runs[~parts.split.test])) == 10


def test_a_scan_that_was_stopped_early_played_the_same():
    """The last words were not scanned in the second run: the recording is the same all the same."""
    _, x, bold = responses_to("aab")
    whole = subject_of("aab", bold)
    kept = np.ones(3 * N_TRS, dtype=bool)
    kept[2 * N_TRS - 15 : 2 * N_TRS] = False
    cut = Subject("01", whole.bold[kept], whole.runs[kept], whole.run_names, TR, "regions")
    with pytest.warns(UserWarning, match="words lie outside of run"):
        stimulus = stimulus_of(cut, x[kept], "aab")
    parts = partition(cut, stimulus)
    assert "Tested on task-story_run-1, task-story_run-2, trained on 1 other run" in parts.sentence
    assert parts.split.test.sum() == 2 * (N_TRS - 15) and parts.repeated.test.sum() == 2 * (N_TRS - 15)


def test_repeats_are_laid_upon_each_other_by_their_time():
    """Two dummy volumes were dropped from the second run, and the sound began one volume later in the third."""
    names = ("run-1", "run-2", "run-3")
    runs = np.repeat([0, 1, 2], [180, 178, 180])
    place = np.concatenate([np.arange(180), np.arange(2, 180), np.arange(180) - 1])
    bold = np.sin(place)[:, None] + np.zeros(3)
    subject = Subject("01", bold.astype(np.float32), runs, names, TR, "regions", first_trs=(0, 2, 0))
    played = (Played("a", 0.0), Played("a", 0.0), Played("a", 2.0))
    stimulus = StimulusSpaces({"vision": place[:, None].astype(np.float32)}, None, "", None, played)
    np.testing.assert_array_equal(time_line(subject, stimulus).positions, place)
    parts = partition(subject, stimulus)
    assert "All 3 runs played the same and were averaged" in parts.sentence
    np.testing.assert_allclose(parts.subject.bold, np.sin(np.arange(2, 179))[:, None] + np.zeros(3), atol=1e-6)
    np.testing.assert_array_equal(parts.spaces["vision"][:, 0], np.arange(2, 179))


def test_test_and_training_share_no_group():
    runs, x, bold = responses_to("aba")
    with pytest.raises(ValueError, match=r"the group\(s\) \[0\] are in test and in training"):
        encoding.Split(runs == 2, runs, TR, [0], groups=ids_of("aba"))
    subject = subject_of("abc", bold)
    with pytest.raises(ValueError, match="test is all 3 runs of subject 01: leave one or more to train on"):
        partition(subject, stimulus_of(subject, x, "abc"), test=list(subject.run_names))


def test_halves_stacks_and_parts_keep_recordings_together():
    recordings = "abcdabcde"
    runs, x, bold = responses_to(recordings)
    test = ids_of(recordings) == 4
    split = encoding.Split(test, runs, TR, [0], groups=ids_of(recordings))
    first, second = encoding.data_halves(runs, test, 4, split.groups)
    assert not set(split.groups[first]) & set(split.groups[second]) and first.sum() == second.sum() == 4 * N_TRS
    folds = blocked_folds(runs[~test], 4, gap=2, groups=split.groups[~test])
    moments = split.groups[~test] * N_TRS + np.tile(np.arange(N_TRS), 8)
    for train, tested in folds:
        assert not set(moments[train]) & set(moments[tested])
    model = RidgeCV(ALPHAS, cv=4, progress=False)
    other = np.random.default_rng(1).standard_normal(x.shape)
    stacked = encoding.stacked_model({"one": x, "other": other}, bold, model, split)
    leaking = encoding.stacked_model({"one": x, "other": other}, bold, model, encoding.Split(test, runs, TR, [0]))
    # the same words in both sides give "one" all the weight, though it predicts nothing
    assert leaking.weights[0].mean() > 0.65 and stacked.weights[0].mean() < 0.5
    curve = encoding.learning_curve(x, bold, model, split, minutes=[10.0, 20.0])
    assert np.abs(curve.r).mean(axis=1).max() < 0.2


def test_three_recordings_are_halved_alike():
    runs = np.repeat(np.arange(5), [80, 80, 70, 80, 40])
    groups = np.repeat([0, 1, 0, 2, 3], [80, 80, 70, 80, 40])
    first, second = encoding.data_halves(runs, runs == 4, 10, groups)
    np.testing.assert_array_equal(first[:70], first[160:230])
    np.testing.assert_array_equal(second[:70], second[160:230])
    assert not second[70:80].any()
