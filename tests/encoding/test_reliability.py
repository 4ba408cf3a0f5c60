"""Halves of the data and of annotators, and learning curves: what each model saw, and what it must not have seen."""

import numpy as np
import pytest
from naturalistic import encoding
from naturalistic.datasets.annotations import Annotations
from naturalistic.encoding import Split, fit_predict
from naturalistic.encoding.learning import blocked_folds, fit_predict_part, learning_curve
from naturalistic.encoding.multi_subject import MultiSubjectBold
from naturalistic.encoding.reliability import (
    annotator_halves,
    data_halves,
    select_annotators,
    spearman_brown,
    split_half_annotators,
    split_half_data,
)
from naturalistic.models.banded import BandedRidgeCV
from naturalistic.models.ridge import RidgeCV
from naturalistic.models.scoring import correlation
from naturalistic.runs import run_slices
from scipy.signal import lfilter
from sklearn.linear_model import Ridge

LENGTHS = [100, 120, 90, 110, 80, 95]  # the last two test
RUNS = np.repeat([4, 9, 2, 7, 1, 5], LENGTHS)
TEST = np.isin(RUNS, [1, 5])
HOW = {"test": TEST, "delays": [2, 4], "tr": 1.0, "runs": RUNS}
MODEL = RidgeCV(np.logspace(0, 4, 5), cv=3, progress=False)


def smooth(rng, *shape, phi=0.6):
    return lfilter([1], [1, -phi], rng.standard_normal(shape), axis=0)


def simulated(seed=0, n_voxels=12, n_signal=8, noise=1.0):
    """Return features and responses that follow them 2 and 4 s later, but for the last voxels."""
    rng = np.random.default_rng(seed)
    X = smooth(rng, len(RUNS), 6)
    weights = rng.standard_normal((12, n_voxels)) * (np.arange(n_voxels) < n_signal)
    delayed = np.zeros((len(X), 12))
    for s in run_slices(RUNS):
        delayed[s][2:, :6], delayed[s][4:, 6:] = X[s][:-2], X[s][:-4]
    return X, delayed @ weights + 5 * noise * smooth(rng, len(X), n_voxels)


@pytest.fixture(scope="module")
def data():
    return simulated()


@pytest.mark.parametrize("n_training", range(1, 9))
def test_halves_share_nothing_are_of_training_runs_and_of_about_one_length(n_training):
    rng = np.random.default_rng(n_training)
    lengths = rng.integers(60, 130, n_training + 2)
    runs = np.repeat(rng.permutation(n_training + 2), lengths)
    test = np.isin(runs, runs[[0, -1]])
    first, second = data_halves(runs, test, gap=10)
    assert not np.any(first & second) and not np.any((first | second) & test)
    assert abs(int(first.sum()) - int(second.sum())) <= (lengths.max() if n_training >= 4 else 0)
    both = first | second
    for s in run_slices(runs):
        if test[s].any():
            continue
        if n_training >= 4:
            assert first[s].all() or second[s].all()
        else:
            left = np.flatnonzero(~both[s])
            assert 10 <= len(left) <= 11 and np.all(np.diff(left) == 1) and first[s][0] != first[s][-1]
            assert first[s].any() and second[s].any() and np.count_nonzero(np.diff(first[s].astype(int))) == 1
    begins = [first[s.start] for s in run_slices(runs) if not test[s].any()]
    assert n_training >= 4 or begins == [True, False, True][:n_training]  # neither half is always the later one


def by_hand(X, Y, half, alpha):
    """Return the predictions of the test runs of scikit-learn's ridge, fitted on the rows of a half."""
    Z = (X - X[half].mean(axis=0)) / X[half].std(axis=0)
    D = np.zeros((len(Z), 2 * Z.shape[1]))
    for s in run_slices(RUNS):
        D[s][2:, :6], D[s][4:, 6:] = Z[s][:-2], Z[s][:-4]
    predicted, measured = Ridge(alpha).fit(D[half], Y[half]).predict(D), Y.copy()
    for x in (predicted, measured):
        for s in run_slices(RUNS):
            x[s] -= x[s].mean(axis=0)
    return measured[TEST], predicted[TEST]


def test_half_data_is_two_ridges_of_whole_runs(data):
    found = split_half_data(*data, RidgeCV([30.0], cv=3, progress=False), Split(**HOW))
    pairs = [by_hand(*data, half, 30.0) for half in data_halves(RUNS, TEST)]
    np.testing.assert_allclose(found.first, correlation(*pairs[0]), atol=1e-8)
    np.testing.assert_allclose(found.second, correlation(*pairs[1]), atol=1e-8)
    np.testing.assert_allclose(found.agreement, correlation(pairs[0][1], pairs[1][1]), atol=1e-8)
    np.testing.assert_allclose(found.full_length, spearman_brown(found.agreement))


@pytest.mark.parametrize("n_runs", [2, 4])
def test_what_a_half_did_not_see_does_not_change_it(data, n_runs):
    rng = np.random.default_rng(1)
    rows = TEST | np.isin(RUNS, [4, 9, 2, 7][:n_runs])
    X, Y = (x[rows] for x in data)
    how = {"test": TEST[rows], "delays": [2, 4], "tr": 1.0, "runs": RUNS[rows]}
    halves = data_halves(how["runs"], how["test"])
    before = split_half_data(X, Y, MODEL, Split(**how))
    for seen, other, name in ((0, 1, "second"), (1, 0, "first")):
        new_X, new_Y = X.copy(), Y.copy()
        new_X[halves[seen]], new_Y[halves[seen]] = 1e3, rng.standard_normal((halves[seen].sum(), Y.shape[1]))
        new_X[halves[seen]] += rng.standard_normal((halves[seen].sum(), X.shape[1]))
        after = split_half_data(new_X, new_Y, MODEL, Split(**how))
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
        changed = ("first", "second")[seen]
        assert not np.allclose(getattr(after, changed), getattr(before, changed)) and halves[other].any()
    new_Y = np.where((how["test"] | ~(halves[0] | halves[1]))[:, None], rng.standard_normal(Y.shape), Y)
    after = split_half_data(X, new_Y, MODEL, Split(**how))
    np.testing.assert_array_equal(after.agreement, before.agreement)  # what is tested is not fitted
    assert not np.allclose(after.first, before.first)


def test_voxels_with_signal_agree_and_noise_does_not_on_average():
    found = [split_half_data(*simulated(seed, 40, 20), MODEL, Split(**HOW)) for seed in range(6)]
    agreement = np.array([f.agreement for f in found])
    assert agreement[:, :20].mean() > 0.7
    means = agreement[:, 20:].mean(axis=1)  # of independent data sets
    assert abs(means.mean()) < 4 * means.std(ddof=1) / np.sqrt(len(means))
    full = found[0].full_length
    assert np.all(full[:20] > agreement[0, :20]) and np.isnan(full[agreement[0] <= 0]).all()


def test_spearman_brown_tells_the_agreement_of_two_data_sets_that_are_twice_as_long():
    half, told, true, light = [], [], [], RidgeCV([1e-3], cv=3, progress=False)
    for seed in range(3):
        X, signal = simulated(seed, 60, 60, noise=0)
        rng = np.random.default_rng(200 + seed)
        sets = [signal + 6 * smooth(rng, *signal.shape) for _ in range(2)]
        halves = split_half_data(X, sets[0], light, Split(**HOW))
        half.append(halves.agreement.mean())
        told.append(np.nanmean(halves.full_length))
        true.append(np.mean(correlation(*(fit_predict(X, Y, light, Split(**HOW)).predicted for Y in sets))))
    assert np.mean(told) == pytest.approx(np.mean(true), abs=0.03) and np.mean(half) < np.mean(true) - 0.06
    np.testing.assert_allclose(
        spearman_brown(np.float32([1, 0.5, 0, -0.2, np.nan])), [1, 2 / 3, np.nan, np.nan, np.nan]
    )


@pytest.mark.parametrize("lengths", [[60], [61, 33], [50, 50, 12], [40] * 10, [200, 30, 30]])
@pytest.mark.parametrize("gap", [0, 5])
def test_blocked_folds_test_each_tr_once_and_keep_away_from_it(lengths, gap):
    runs = np.repeat(np.arange(len(lengths))[::-1], lengths)
    folds = blocked_folds(runs, 3, gap)
    np.testing.assert_array_equal(np.sort(np.concatenate([test for _, test in folds])), np.arange(len(runs)))
    for train, test in folds:
        away = np.abs(train[:, None] - test).astype(float)
        away[runs[train][:, None] != runs[test]] = np.inf
        assert away.min() > gap and len(train) >= 10 and len(test) >= len(runs) / 5
    if lengths == [40] * 10:  # many runs: whole ones
        assert all(len(np.unique(runs[test])) * 40 == len(test) for _, test in folds)


def test_a_learning_curve_ends_at_the_model_of_all_training_runs(data):
    one = RidgeCV([30.0], cv=3, progress=False)
    curve = learning_curve(*data, one, Split(**HOW))
    np.testing.assert_allclose(curve.minutes, 420 / 60 / np.array([8, 4, 2, 1]), atol=0.6 / 60)
    np.testing.assert_allclose(curve.r[-1], fit_predict(*data, one, Split(**HOW)).correlation(), atol=1e-12)
    assert curve.r.shape == (4, 12) and curve.r[-1, :8].mean() > curve.r[0, :8].mean() + 0.03
    some = learning_curve(*data, one, Split(**HOW), voxels=[3, 1], minutes=[7])
    np.testing.assert_allclose(some.r[0], curve.r[-1][[3, 1]], atol=1e-12)
    people = MultiSubjectBold({"a": data[1][:, :5], "b": data[1][:, 5:]})
    picked = learning_curve(data[0], people, one, Split(**HOW), voxels={"a": [3], "b": [0, 6]}, minutes=[7])
    np.testing.assert_allclose(picked.r[0], curve.r[-1][[3, 5, 11]], atol=1e-12)
    apart = split_half_data(data[0], people, one, Split(**HOW))
    np.testing.assert_allclose(apart.agreement, split_half_data(*data, one, Split(**HOW)).agreement, atol=1e-12)


@pytest.mark.parametrize("order", [None, [2, 4, 9, 7]])
def test_a_point_of_the_curve_sees_its_minutes_from_the_start_of_runs_and_no_more(data, order):
    X, Y = data
    rng = np.random.default_rng(2)
    minutes = [1, 4]
    rows = np.concatenate([np.flatnonzero(RUNS == run) for run in order or [4, 9, 2, 7]])
    before = learning_curve(X, Y, MODEL, Split(**HOW), minutes=minutes, order=order)
    np.testing.assert_allclose(before.minutes, minutes)
    for k, m in enumerate(minutes):
        new_X, new_Y = X.copy(), Y.copy()
        unseen = rows[round(60 * m) :]
        new_X[unseen], new_Y[unseen] = rng.standard_normal((len(unseen), 6)), 1e4
        after = learning_curve(new_X, new_Y, MODEL, Split(**HOW), minutes=minutes[: k + 1], order=order)
        np.testing.assert_array_equal(after.r, before.r[: k + 1])
        new_Y = Y.copy()
        new_Y[rows[round(60 * m) - 1]] += 100  # the last that it sees
        moved = learning_curve(X, new_Y, MODEL, Split(**HOW), minutes=[m], order=order)
        assert np.abs(moved.r - before.r[k]).max() > 1e-3
        keep = np.zeros(len(RUNS), dtype=bool)
        keep[rows[: round(60 * m)]] = True
        np.testing.assert_array_equal(fit_predict_part(keep, X, Y, MODEL, Split(**HOW)).correlation(), before.r[k])


def test_a_piece_no_longer_than_the_delays_is_left_out(data):
    curve = learning_curve(*data, MODEL, Split(**HOW), minutes=[103 / 60, 105 / 60])  # the first run has 100 TRs
    np.testing.assert_allclose(curve.minutes * 60, [100, 105])
    grouped = learning_curve(*data, MODEL, Split(**HOW | {"delays": {"features": [(1, 2), 3]}}), minutes=[103 / 60])
    np.testing.assert_allclose(grouped.minutes * 60, 100)


def test_several_spaces_a_banded_model_folds_of_titles_and_repeats(data):
    X, Y = data
    spaces = {"a": X[:, :2], "b": X[:, 2:]}
    how = HOW | {"delays": {"a": [2], "b": [2, 4]}}
    banded = BandedRidgeCV([1.0, 100.0], 3, [[1, 0], [0.5, 0.5], [0, 1]], progress=False)
    assert split_half_data(spaces, Y, banded, Split(**how)).agreement[:8].mean() > 0.6
    titles = [(np.arange(200), np.arange(220, 420)), (np.arange(220, 420), np.arange(200))]  # of all training rows
    split = RidgeCV([1.0, 100.0], cv=titles, progress=False)
    two = RidgeCV([1.0, 100.0], cv=2, progress=False)
    by_titles = split_half_data(spaces, Y, split, Split(**how))
    by_number = split_half_data(spaces, Y, two, Split(**how))
    for name in ("agreement", "full_length", "first", "second"):
        np.testing.assert_array_equal(getattr(by_titles, name), getattr(by_number, name))

    def merge(x, runs):
        return np.stack([x[runs == 1], x[runs == 5][:80]]), np.zeros(80)

    merged = split_half_data(spaces, Y, two, Split(repeats=merge, **how))
    plain = split_half_data(spaces, Y, two, Split(**how))
    assert merged.first.shape == (12,) and not np.allclose(merged.first, plain.first)


WROTE = [["a", "b", "c", "d", "e"], [""], ["", "", "", "", ""], ["", "k", "", "m", ""], []]
STORY = Annotations("Object", WROTE, None, np.array([0, 0, 0, 1, 1]), ("x", "y"))


def test_annotators_are_divided_and_nobody_is_in_both_halves():
    first, second = annotator_halves(STORY)
    assert first.texts == [["a", "c", "e"], [""] * 3, [""] * 3, ["", "", ""], [""] * 3]
    assert second.texts == [["b", "d"], [""] * 2, [""] * 2, ["k", "m"], [""] * 2]
    assert first.level == "Object" and first.run_names == ("x", "y") and len(second) == 5
    np.testing.assert_array_equal(second.runs, STORY.runs)
    assert select_annotators(STORY, [4, 0]).texts[0] == ["e", "a"] and STORY.texts[0] == list("abcde")


def test_models_of_two_groups_of_annotators_agree_as_far_as_their_features_do(data):
    X, Y = data
    rng = np.random.default_rng(3)
    same = split_half_annotators(X, X, Y, MODEL, Split(**HOW))
    np.testing.assert_allclose(same.agreement, 1)
    noisy = [X + 1.5 * smooth(rng, *X.shape) for _ in range(2)]
    found = split_half_annotators(*noisy, Y, MODEL, Split(**HOW))
    assert found.full_length is None and np.all(found.agreement[:8] < 0.95) and found.agreement[:8].mean() > 0.1
    np.testing.assert_array_equal(found.second, fit_predict(noisy[1], Y, MODEL, Split(**HOW)).correlation())


ONE = Annotations("Story", [["a"]], None, np.zeros(1, int), ("x",))
SAID = Annotations("Speech", [["a"]], [["ANN"]], np.zeros(1, int), ("x",))
VARY = Annotations("Story", [["a", "b"], ["c"]], None, np.zeros(2, int), ("x",))
MUTE = Annotations("Story", [[""], [""]], None, np.zeros(2, int), ("x",))


@pytest.mark.parametrize(
    "annotations, which, message",
    [
        (SAID, [0], "Speech has no annotators: its texts are utterances"),
        (VARY, [0], "Story has 2 in second 0, 1 in second 1: expected the same number of annotators"),
        (MUTE, [0], "Story has no text"),
        (ONE, [1], r"which is \[1\], expected different numbers from 0 to 0: Story has 1 annotator"),
        (STORY, [0, 0], r"which is \[0, 0\], expected different"),
        (STORY, [], r"which is \[\], expected different numbers from 0 to 4"),
    ],
)
def test_bad_annotators(annotations, which, message):
    with pytest.raises(ValueError, match=message):
        select_annotators(annotations, which)
    with pytest.raises(ValueError, match="Story has one annotator, expected two or more to divide"):
        annotator_halves(ONE)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"minutes": [0]}, r"minutes are \[0.0\], expected one or more, above 0 and up to 7"),
        ({"minutes": [7.1]}, r"minutes are \[7.1\], .* up to 7"),
        ({"minutes": []}, r"minutes are \[\], expected one or more"),
        ({"minutes": [np.nan]}, r"minutes are \[nan\]"),
        ({"minutes": [0.6]}, "36 TRs to train on are too few for 3 folds with gaps of 10 TRs.* take more minutes"),
        ({"order": [4, 1]}, r"order is \[4, 1\], expected training runs, each once: \[4, 9, 2, 7\]"),
        ({"order": [4, 4]}, r"order is \[4, 4\], expected training runs"),
        ({"order": [4], "minutes": [2]}, r"minutes are \[2.0\], .* up to 1.667"),
        ({"delays": {"other": [2]}}, r"delays has none for the spaces \['features'\]"),
        ({"test": np.zeros(len(RUNS), bool)}, "test marks 0 of"),
        ({"runs": RUNS[1:]}, r"test is bool of shape \(595,\) and runs has shape \(594,\)"),
    ],
)
def test_bad_curves(data, options, message):
    with pytest.raises(ValueError, match=message):
        split = Split(**HOW | {k: options[k] for k in ("delays", "test", "runs") if k in options})
        learning_curve(*data, MODEL, split, **{k: options[k] for k in ("minutes", "order") if k in options})


def test_bad_halves(data):
    X, Y = data
    with pytest.raises(ValueError, match="run 4 has 100 TRs, expected 120 or more: two halves of 10 and a gap of 100"):
        data_halves(RUNS[RUNS != 7], TEST[RUNS != 7], gap=100)
    with pytest.raises(ValueError, match="test marks a part of every run, expected whole training runs"):
        data_halves(RUNS, np.ones(len(RUNS), bool))
    flat = X.copy()
    flat[data_halves(RUNS, TEST)[1]] = 0
    with pytest.raises(ValueError, match="'features' is constant over the whole training run"):
        split_half_data(flat, Y, MODEL, Split(**HOW))
    with pytest.raises(ValueError, match="'features' is constant in each test run"):
        split_half_annotators(X, np.where(TEST[:, None], 0, X), Y, MODEL, Split(**HOW))
    with pytest.raises(ValueError, match=r"r goes up to 1\.2 in size"):
        spearman_brown([0.5, 1.2])


def test_halves_of_noise_agree_where_training_chose_and_not_where_the_test_did():
    """Why voxels for `split_half_data` are not chosen inside training."""
    rng = np.random.default_rng(5)
    X = rng.standard_normal((len(RUNS), 12)).astype(np.float32)
    Y = rng.standard_normal((len(RUNS), 800)).astype(np.float32)
    fitted = encoding.fit(X, Y, MODEL, Split(**HOW))
    agreement = split_half_data(X, Y, MODEL, Split(**HOW)).agreement
    by_training = encoding.select_layer_and_voxels(fitted.model.cv_scores_.max(axis=0)[None], 60).voxels
    by_test = encoding.select_layer_and_voxels(fitted.predict().correlation()[None], 60).voxels
    assert agreement[by_training].mean() > 0.1
    assert abs(agreement[by_test].mean()) < 0.1 and abs(agreement.mean()) < 0.03
