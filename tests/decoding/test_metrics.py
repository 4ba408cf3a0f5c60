"""Every metric equals a loop, ties included; chance is what the permutation says; clips move as wholes."""

import itertools

import numpy as np
import pytest
from naturalistic import decoding
from naturalistic.decoding.metrics import pairwise_similarity


def vectors(n=12, dim=7, noise=1.0, seed=0, ties=True):
    rng = np.random.default_rng(seed)
    target = rng.standard_normal((n, dim))
    predicted = target + noise * rng.standard_normal((n, dim))
    if ties:
        target[5] = target[2]  # two candidates alike
        target[7] = 3 * target[2] + 1  # and one alike to a correlation
        predicted[4] = 0.5  # a constant prediction
        target[9] = -2.0  # a constant target
    return predicted, target


def r(x, y):
    return 0.0 if np.ptp(x) == 0 or np.ptp(y) == 0 else np.corrcoef(x, y)[0, 1]


def wins(predicted, target, clips=None):
    """Return for each row the lists of 1 (beaten), 0.5 (tie), 0 over its candidates."""
    clips = np.arange(len(target)) if clips is None else clips
    out = []
    for i, x in enumerate(predicted):
        own = r(x, target[i])
        others = [r(x, target[j]) for j in range(len(target)) if clips[j] != clips[i]]
        out.append([0.5 if abs(own - other) < 1e-9 else float(own > other) for other in others])
    return out


CLIPS = [None, np.repeat([4, 1, 9], 4), np.repeat([0, 1, 2, 3], [1, 3, 6, 2])]


@pytest.mark.parametrize("clips", CLIPS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_identification_and_ranks_equal_a_loop(clips, dtype):
    predicted, target = (x.astype(dtype) for x in vectors())
    by_hand = wins(predicted, target, clips)
    found = decoding.identification(predicted, target, clips)
    np.testing.assert_allclose(found, [np.mean(w) for w in by_hand], atol=1e-12)
    rank = np.mean([1 + sum(1 - x for x in w) for w in by_hand])
    assert decoding.mean_rank(predicted, target, clips) == pytest.approx(rank, abs=1e-9)
    similarity, codes = pairwise_similarity(predicted, target, clips, decoding.correlation_similarity)
    np.testing.assert_allclose(np.diag(decoding.pairwise_accuracy_matrix(similarity, clips)), found, atol=1e-12)
    assert len(codes) == 12


@pytest.mark.parametrize("clips", CLIPS[:2])
@pytest.mark.parametrize("n", [2, 3, 5])
def test_n_way_equals_all_draws(clips, n):
    predicted, target = vectors()
    right = []
    for w in wins(predicted, target, clips):
        drawn = [0 if 0 in draw else 1 / (1 + draw.count(0.5)) for draw in itertools.combinations(w, n - 1)]
        right.append(np.mean(drawn))
    assert decoding.n_way_accuracy(predicted, target, n, clips) == pytest.approx(np.mean(right), abs=1e-12)


def test_two_way_is_identification_and_all_is_top_1():
    predicted, target = vectors()
    assert decoding.n_way_accuracy(predicted, target, 2) == pytest.approx(
        decoding.identification(predicted, target).mean()
    )
    assert decoding.n_way_accuracy(predicted, target, 12) == pytest.approx(
        decoding.top_k_accuracy(predicted, target, 1)
    )


@pytest.mark.parametrize("clips", CLIPS)
@pytest.mark.parametrize("k", [1, 2, 4])
def test_top_k_equals_a_loop(clips, k):
    predicted, target = vectors()
    inside = []
    for w in wins(predicted, target, clips):
        better, ties = w.count(0), w.count(0.5)
        inside.append(np.mean([better + place < k for place in range(ties + 1)]))  # any order of those that tie
    assert decoding.top_k_accuracy(predicted, target, k, clips) == pytest.approx(np.mean(inside))


def test_perfect_and_nothing():
    _, target = vectors(ties=False)
    assert (decoding.identification(target, target) == 1).all() and decoding.mean_rank(target, target) == 1
    assert decoding.top_k_accuracy(target, target, 1) == decoding.n_way_accuracy(target, target, 5) == 1
    assert (decoding.identification(-target, target) < 0.5).all()
    nothing = np.zeros_like(target)
    assert (decoding.identification(nothing, target) == 0.5).all() and decoding.mean_rank(nothing, target) == 6.5
    assert decoding.top_k_accuracy(nothing, target, 3) == pytest.approx(3 / 12)
    assert decoding.n_way_accuracy(nothing, target, 4) == pytest.approx(1 / 4)
    assert (decoding.correlation_by_dimension(nothing, target) == 0).all()


def test_another_target_could_have_been_the_right_one():
    predicted, target = vectors()
    similarity = decoding.correlation_similarity(predicted, target)
    order = np.random.default_rng(0).permutation(12)
    expected = decoding.identification(predicted, target[order])
    np.testing.assert_allclose(
        decoding.pairwise_accuracy_matrix(similarity)[np.arange(12), order], expected, atol=1e-12
    )


def test_correlations_equal_a_loop():
    predicted, target = (x.astype(np.float32) for x in vectors())
    for found, by_hand in (
        (decoding.correlation_by_dimension(predicted, target), [r(*p) for p in zip(predicted.T, target.T)]),
    ):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, by_hand, atol=1e-5)
    assert np.isfinite(decoding.correlation_similarity(predicted, target)).all()


def test_more_noise_identifies_less():
    scores = [decoding.identification(*vectors(200, 20, noise, ties=False)).mean() for noise in (0.1, 1, 3, 1e6)]
    assert scores[0] == 1 and scores == sorted(scores, reverse=True) and abs(scores[3] - 0.5) < 0.08


def test_confusion_equals_a_loop():
    predicted, target = vectors()
    labels = np.array(list("bacbacbacbac"))
    counts, names = decoding.label_confusion(predicted, target, labels)
    by_hand = np.zeros((3, 3), int)
    for i, x in enumerate(predicted):
        best = max((j for j in range(12) if j != i), key=lambda j: (round(r(x, target[j]), 9), -j))
        by_hand["abc".index(labels[i]), "abc".index(labels[best])] += 1
    assert names.tolist() == ["a", "b", "c"] and counts.sum() == 12
    np.testing.assert_array_equal(counts, by_hand)


def test_one_group_out():
    training, test = list("aabbcc"), list("cab")
    splits = decoding.leave_one_group_out(training, test)
    assert [s.group for s in splits] == ["a", "b", "c"]
    assert splits[0].train.tolist() == [2, 3, 4, 5] and splits[0].test.tolist() == [1]
    assert sorted(np.concatenate([s.test for s in splits])) == [0, 1, 2]
    inside = decoding.leave_one_group_out(training)
    assert all(not set(s.train) & set(s.test) for s in inside) and len(inside) == 3
    with pytest.raises(ValueError, match="the test group d is in no training row"):
        decoding.leave_one_group_out(training, ["d"])
    with pytest.raises(ValueError, match="all training rows are of the group a: nothing is left"):
        decoding.leave_one_group_out(["a", "a"])
    with pytest.raises(ValueError, match="expected one group a row"):
        decoding.leave_one_group_out(training, [])


@pytest.mark.parametrize("clips", [None, np.repeat(np.random.default_rng(0).permutation(6), 2)])
def test_nulls_equal_scores_of_targets_in_other_orders(clips):
    predicted, target = vectors()
    orders = decoding.permute_clips(clips, 20, seed=3, n_rows=12)
    one = decoding.identification_test(predicted, target, clips, 20, seed=3)
    assert one.score == pytest.approx(decoding.identification(predicted, target, clips).mean())
    expected = [decoding.identification(predicted, target[order], clips).mean() for order in orders]
    np.testing.assert_allclose(one.null, expected, atol=1e-12)
    assert one.p == (np.sum(one.null >= one.score - 1e-12) + 1) / 21
    two = decoding.correlation_test(predicted, target, clips, 20, seed=3)
    expected = [decoding.correlation_by_dimension(predicted, target[order]).mean() for order in orders]
    np.testing.assert_allclose(two.null, expected, atol=1e-12)
    assert two.score == pytest.approx(decoding.correlation_by_dimension(predicted, target).mean())


def test_windows_of_a_clip_move_together():
    clips = np.array([5, 2, 5, 8, 2, 8, 2, 5, 8])
    orders = decoding.permute_clips(clips, 50)
    for order in orders:
        assert sorted(order) == list(range(9))
        for clip in (2, 5, 8):
            moved = order[clips == clip]
            assert len(set(clips[moved])) == 1 and (np.diff(moved) > 0).all()
    assert len(np.unique(orders, axis=0)) == 6


@pytest.mark.slow
def test_p_is_uniform_without_an_effect():
    rng = np.random.default_rng(0)
    clips, p = np.repeat(np.arange(20), 3), []
    for k in range(400):
        # windows of a clip are alike, in prediction and target: only clips are independent
        predicted, target = (np.repeat(rng.standard_normal((20, 5)), 3, axis=0) for _ in range(2))
        predicted += 0.3 * rng.standard_normal(predicted.shape)
        p.append(decoding.identification_test(predicted, target, clips, 99, seed=k).p)
    p = np.array(p)
    assert 0.02 < np.mean(p <= 0.05) < 0.08 and 0.42 < np.mean(p <= 0.5) < 0.58 and p.min() >= 0.01


def test_chance_is_one_half_and_an_effect_is_found():
    predicted, target = vectors(40, 10, 1.0, ties=False)
    found = decoding.identification_test(predicted, target)
    assert found.null.mean() == pytest.approx(0.5, abs=0.01) and found.p == pytest.approx(1 / 1001)
    assert decoding.correlation_test(predicted, target).p == pytest.approx(1 / 1001)


def test_interval_is_over_clips():
    rng = np.random.default_rng(0)
    clips = np.repeat(np.arange(30), 4)
    values = np.repeat(rng.random(30), 4) + 0.01 * rng.random(120)
    low, high = decoding.clip_interval(values, clips)
    narrow = decoding.clip_interval(values)
    assert low < values.mean() < high and high - low > 1.7 * (narrow[1] - narrow[0])


P, T = vectors(ties=False)
BAD = P.copy()
BAD[3, 1] = np.nan


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: decoding.identification(P, T[:5]), r"\(12, 7\) and target \(5, 7\), expected the same \(n, dim\)"),
        (lambda: decoding.identification(BAD, T), r"predicted holds 1 value.* index \(3, 1\)"),
        (lambda: decoding.identification(P, BAD), r"target holds 1 value.* index \(3, 1\)"),
        (lambda: decoding.identification(P[:1], T[:1]), "all 1 rows are of one clip, expected two clips or more"),
        (lambda: decoding.identification(P, T, np.zeros(12)), "all 12 rows are of one clip"),
        (lambda: decoding.identification(P, T, np.zeros(5)), r"clips has shape \(5,\), expected \(12,\)"),
        (lambda: decoding.correlation_similarity(P, T[:, :3]), "in the same space of two dimensions or more"),
        (lambda: decoding.correlation_similarity(P[:, :1], T[:, :1]), "two dimensions or more"),
        (lambda: decoding.n_way_accuracy(P, T, 13), "n is 13, expected a whole number from 2 to 12"),
        (
            lambda: decoding.n_way_accuracy(P, T, 10, np.repeat([0, 1, 2], 4)),
            "n is 10, expected a whole number from 2 to 9",
        ),
        (lambda: decoding.top_k_accuracy(P, T, 0), "k is 0, expected a whole number from 1 to 12"),
        (lambda: decoding.label_confusion(P, T, ["a"]), r"labels has shape \(1,\), expected \(12,\): one a row"),
        (lambda: decoding.correlation_by_dimension(P, BAD), "target holds 1 value"),
        (lambda: decoding.correlation_test(P, BAD), "target holds 1 value"),
        (lambda: decoding.identification_test(P, T, np.repeat([0, 1], [5, 7])), "clips have from 5 to 7 windows"),
        (lambda: decoding.matching_test(np.ones((2, 3))), r"values has shape \(2, 3\), expected \(n, n\)"),
        (lambda: decoding.matching_test(np.full((2, 2), np.nan)), "values holds 4 value"),
        (
            lambda: decoding.permute_clips(None, 0, n_rows=3),
            "n_permutations is 0, expected a whole number of at least 1",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
