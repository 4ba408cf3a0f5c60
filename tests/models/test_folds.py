"""Folds of whole runs and clips, with gaps between training and test."""

import numpy as np
import pytest
from naturalistic.models.folds import GroupGapKFold, check_folds, contiguous_groups


def test_contiguous_groups_stay_in_runs_and_are_even():
    runs = np.repeat([5, 7, 9], [100, 50, 31])
    groups = contiguous_groups(runs, 9)
    assert np.unique(groups).tolist() == list(range(9))
    assert (np.diff(groups) >= 0).all()
    for g in range(9):
        assert len(np.unique(runs[groups == g])) == 1
    sizes = np.bincount(groups)
    assert sizes.max() <= 2 * sizes.min()


@pytest.mark.parametrize("n_groups", [2, 182, 3.5, "3", True])
def test_contiguous_groups_says_what_it_needs(n_groups):
    with pytest.raises(ValueError, match="expected a whole number from 3"):
        contiguous_groups(np.repeat([5, 7, 9], [100, 50, 31]), n_groups)


def test_runs_of_the_same_recording_are_cut_alike():
    runs = np.repeat([0, 1, 2], [60, 90, 50])
    recordings = np.repeat(["a", "b", "a"], [60, 90, 50])
    groups = contiguous_groups(runs, 5, recordings=recordings)
    np.testing.assert_array_equal(groups[150:], groups[:50])
    assert np.unique(groups[:60]).tolist() == [0, 1] and np.unique(groups[60:150]).tolist() == [2, 3, 4]
    # the last run begins ten samples later in the recording
    positions = np.concatenate([np.arange(60), np.arange(90), 10 + np.arange(50)])
    later = contiguous_groups(runs, 5, recordings=recordings, positions=positions)
    np.testing.assert_array_equal(later[150:], later[10:60])
    np.testing.assert_array_equal(contiguous_groups(runs, 7, recordings=runs), contiguous_groups(runs, 7))
    with pytest.raises(ValueError, match="the run at samples 0 to 59 has several recordings"):
        contiguous_groups(runs, 5, recordings=np.arange(200))
    with pytest.raises(ValueError, match="expected a whole number from 2"):
        contiguous_groups(runs, 1, recordings=recordings)


@pytest.mark.parametrize("seed", range(20))
def test_folds_are_a_partition_of_whole_groups(seed):
    rng = np.random.default_rng(seed)
    n_groups = int(rng.integers(2, 15))
    groups = np.repeat(rng.permutation(n_groups), rng.integers(1, 200, n_groups))
    n_splits = int(rng.integers(2, n_groups + 1))
    tested = np.zeros(len(groups), int)
    for train, test in GroupGapKFold(n_splits).split(groups, groups=groups):
        tested[test] += 1
        assert len(train) + len(test) == len(groups)
        assert not set(groups[train]) & set(groups[test])
    assert (tested == 1).all()


def test_gap_removes_neighbors_inside_the_run_only():
    runs = np.repeat([0, 1], 30)
    groups = contiguous_groups(runs, 6)
    for train, test in GroupGapKFold(6, gap=4, runs=runs).split(runs, groups=groups):
        distance = np.abs(train[:, None] - test[None])
        same_run = runs[train][:, None] == runs[test][None]
        assert distance[same_run].min() == 5
        assert (~np.isin(np.flatnonzero(runs != runs[test[0]]), train)).sum() == 0


def brute_force_gap(test, gap, n):
    return [i for i in range(n) if min(abs(i - t) for t in test) > gap]


def test_gap_equals_brute_force():
    groups = np.repeat([0, 1, 2, 0, 1], [7, 3, 9, 5, 6])
    for train, test in GroupGapKFold(3, gap=2).split(groups, groups=groups):
        assert train.tolist() == brute_force_gap(test, 2, len(groups))


@pytest.mark.parametrize(
    ("options", "groups", "message"),
    [
        ({"n_splits": 5}, None, "groups is missing"),
        ({"n_splits": 5}, [0, 1], r"groups has shape \(2,\), expected \(10,\)"),
        ({"n_splits": 5}, np.repeat([0, 1], 5), "2 groups cannot fill 5 folds"),
        ({"n_splits": 1}, np.arange(10), "n_splits is 1"),
        ({"n_splits": 2, "gap": -1}, np.arange(10), "gap is -1"),
        ({"n_splits": 2, "gap": 5}, np.repeat([0, 1], 5), "fold 0 of 2 has no training sample left"),
    ],
)
def test_bad_folds(options, groups, message):
    with pytest.raises(ValueError, match=message):
        list(GroupGapKFold(**options).split(np.zeros(10), groups=groups))


@pytest.mark.parametrize(
    ("cv", "message"),
    [
        ([([0, 1], [1, 2])], "fold 0 trains on 1 samples that it tests"),
        ([([0, 1], [])], "fold 0 has no test sample"),
        ([([0, 0], [1])], "training samples repeat"),
        ([([0, 9], [1])], "lie outside 0 .. 3"),
        ([], "cv has no folds"),
    ],
)
def test_check_folds_refuses(cv, message):
    with pytest.raises(ValueError, match=message):
        check_folds(cv, 4)
