"""Windows on TRs equal a loop; test runs are predicted from training runs alone; a simulated signal is found."""

from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from naturalistic import encoding, plotting
from naturalistic.datasets.repeats import stack_repeats_in_runs
from naturalistic.encoding import Prediction, Split
from naturalistic.encoding.design import design
from naturalistic.features import audiovisual
from naturalistic.features.audio import acoustic, windows
from naturalistic.features.audio.acoustic import acoustic_frames
from naturalistic.features.delays import fir
from naturalistic.inference import circular_shift_null, explainable_variance, p_values
from naturalistic.models.banded import BandedRidgeCV
from naturalistic.models.ridge import RidgeCV
from naturalistic.plotting.surface import majority_class
from naturalistic_simulation.false_positives import false_positives
from scipy.signal import lfilter
from sklearn.linear_model import Ridge

TR, LAGS = 1.5, [3.0, 4.5]
N_TRAIN, N_TEST, DIM = 6, 4, 3  # runs of 12 clips; runs of 3 clips, four times; numbers of a vector


def at_times(vectors, window, hop, n=10):
    """Place one clip's windows on its TRs, TR by TR."""
    rows = []
    for k in range(n):
        place = ((k + 0.5) * TR - window / 2) / hop  # in windows
        place = min(max(place, 0), len(vectors) - 1)
        low = int(np.floor(place))
        high = min(low + 1, len(vectors) - 1)
        rows.append((1 - (place - low)) * vectors[low] + (place - low) * vectors[high])
    return np.array(rows)


def experiment(seed=0):
    """Clip of each TR, runs and which are test runs: 72 training clips once, 12 test clips four times."""
    rng = np.random.default_rng(seed)
    played = [rng.permutation(12) + 12 * run for run in range(N_TRAIN)]
    played += [np.tile(72 + 3 * run + np.arange(3), 4) for run in range(N_TEST)]
    clip_of_tr = np.repeat(np.concatenate(played), 10)
    runs = np.repeat(np.arange(N_TRAIN + N_TEST), 120)
    return clip_of_tr, runs, runs >= N_TRAIN


FOUR_TIMES = partial(stack_repeats_in_runs, n_repeats=4, n_trs=10)  # as the test runs of ds003720


def simulate(seed=0, n_voxels=6, noise=1.5):
    """Two spaces; the first third of the voxels follow the first space, the second third the second, the rest none."""
    rng = np.random.default_rng([seed, 1])
    clip_of_tr, runs, test = experiment(seed)
    vectors = {"a": rng.standard_normal((84, 1, DIM)), "b": rng.standard_normal((84, 10, DIM))}
    window = {"a": 15.0, "b": 1.5}
    spaces = {k: windows.clips_on_trs(v.astype(np.float32), clip_of_tr, runs, window[k]) for k, v in vectors.items()}
    signal = [fir(x, LAGS, TR, runs) @ rng.standard_normal((2 * DIM, n_voxels // 3)) for x in spaces.values()]
    signal = [x / x.std(axis=0) for x in signal] + [np.zeros((len(runs), n_voxels // 3))]
    bold = np.concatenate(signal, axis=1)
    bold += noise * lfilter([0.8], [1, -0.6], rng.standard_normal(bold.shape), axis=0)
    how = {"test": test, "delays": LAGS, "tr": TR, "runs": runs, "repeats": FOUR_TIMES}
    return spaces, bold.astype(np.float32), how


@pytest.mark.parametrize(("window", "hop", "count"), [(1.5, 1.5, 10), (5.0, 1.5, 7), (10.0, 1.5, 4), (6.0, 2.5, 4)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_vectors_on_trs_equal_a_loop(window, hop, count, dtype):
    clip_of_tr, runs, _ = experiment()
    vectors = np.random.default_rng(1).standard_normal((84, count, 5)).astype(dtype)
    found = windows.clips_on_trs(vectors, clip_of_tr, runs, window, hop)
    expected = np.concatenate([at_times(vectors[k], window, hop) for k in clip_of_tr[::10]])
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, atol=1e-5)
    if count == 10:  # windows of one TR are the TRs themselves
        np.testing.assert_allclose(found, vectors[clip_of_tr[::10]].reshape(-1, 5), rtol=1e-6)


def test_a_constant_stays_and_one_window_is_held():
    clip_of_tr, runs, _ = experiment()
    one = np.random.default_rng(2).standard_normal((84, 1, 4)).astype(np.float32)
    np.testing.assert_array_equal(windows.clips_on_trs(one, clip_of_tr, runs, 15.0), one[clip_of_tr, 0])
    same = windows.clips_on_trs(np.repeat(one, 4, axis=1), clip_of_tr, runs, 10.0)
    np.testing.assert_allclose(same, one[clip_of_tr, 0], atol=1e-6)


def test_nothing_of_a_clip_reaches_another():
    clip_of_tr, runs, _ = experiment()
    vectors = np.random.default_rng(3).standard_normal((84, 7, 2)).astype(np.float32)
    before = windows.clips_on_trs(vectors, clip_of_tr, runs, 5.0)
    vectors[75] += 100
    changed = (windows.clips_on_trs(vectors, clip_of_tr, runs, 5.0) != before).any(axis=1)
    np.testing.assert_array_equal(changed, clip_of_tr == 75)
    assert changed.sum() == 40  # four hearings of ten TRs


def test_one_hot():
    columns, names = audiovisual.one_hot(["rock", "blues", "rock"])
    assert names == ("blues", "rock") and columns.dtype == np.float32
    np.testing.assert_array_equal(columns, [[0, 1], [1, 0], [0, 1]])


def test_acoustic_steps_are_the_frames_of_each_clip(monkeypatch):
    rng = np.random.default_rng(4)
    waves = [0.1 * rng.standard_normal(22050 * 3 + k).astype(np.float32) for k in range(2)]  # cuts round
    found = acoustic.acoustic_steps(waves, 22050, progress=False)
    assert found.shape == (2, 2, 88)
    expected = np.concatenate(list(acoustic_frames(waves[1], 22050).values()), axis=1)
    np.testing.assert_array_equal(found[1], expected)
    monkeypatch.setattr(acoustic, "acoustic_frames", None)  # the second time they come from the cache
    np.testing.assert_array_equal(acoustic.acoustic_steps(waves, 22050, progress=False), found)


BAD_VECTORS = {
    "too few clips": ({"vectors": np.ones((83, 1, 2))}, "vectors is of 83 clips, but clip_of_tr counts up to clip 83"),
    "two-dimensional": ({"vectors": np.ones((84, 2))}, r"one vector a clip is vectors\[:, None\]"),
    "text": ({"vectors": np.full((84, 1, 2), "a")}, "vectors has type <U1"),
    "too long": ({"vectors": np.ones((84, 8, 2)), "window": 5.0}, "end at 15.5 s, expected windows inside the 15 s"),
    "dummy left in": ({"clip_of_tr": np.roll(experiment()[0], 5)}, "not of whole clips of 10 TRs: leave the dummy out"),
    "TR that does not divide": ({"tr": 2.0}, "a clip of 15 s is not a whole number of TRs of 2 s"),
    "not finite": ({"vectors": np.where(np.arange(84)[:, None, None] == 7, np.nan, np.ones((84, 1, 2)))}, "is clip 7"),
    "negative window": ({"window": -1.0}, "window is -1.0"),
}


@pytest.mark.parametrize("case", BAD_VECTORS)
def test_bad_vectors_are_named(case):
    wrong, message = BAD_VECTORS[case]
    clip_of_tr, runs, _ = experiment()
    arguments = {"vectors": np.ones((84, 1, 2)), "clip_of_tr": clip_of_tr, "runs": runs, "window": 5.0} | wrong
    with pytest.raises(ValueError, match=message):
        windows.clips_on_trs(**arguments)


def test_predictions_equal_a_plain_ridge_and_a_loop_over_repeats():
    spaces, bold, how = simulate()
    held_out = encoding.fit_predict(spaces, bold, RidgeCV(alphas=[10.0], cv=3), Split(**how))
    ids = held_out.runs
    test, runs = how["test"], how["runs"]
    X = design(spaces, LAGS, TR, runs, ~test).astype(float)
    fitted = Ridge(alpha=10.0).fit(X[~test], bold[~test].astype(float))
    for values, found in ((bold, held_out.measured), (fitted.predict(X), held_out.predicted)):
        for run in range(N_TRAIN, N_TRAIN + N_TEST):
            mean = values[runs == run].reshape(4, 30, -1).mean(axis=0)
            np.testing.assert_allclose(found[ids == run], mean - mean.mean(axis=0), atol=2e-4)
    assert held_out.predicted.dtype == np.float32 and len(ids) == 120


def test_without_repeats_every_test_tr_is_predicted():
    spaces, bold, how = simulate()
    held_out = encoding.fit_predict(spaces["a"], bold, RidgeCV(cv=3), Split(**how | {"repeats": None}))
    ids = held_out.runs
    assert held_out.measured.shape == (480, 6)
    np.testing.assert_array_equal(ids, how["runs"][how["test"]])


@pytest.mark.parametrize("model", [RidgeCV(cv=3), BandedRidgeCV(cv=3, n_draws=3, progress=False)])
def test_the_test_runs_move_nothing_that_was_fitted(model):
    spaces, bold, how = simulate()
    before = encoding.fit_predict(spaces, bold, model, Split(**how))
    changed = bold.copy()
    changed[how["test"]] += 50 * np.random.default_rng(6).standard_normal((480, 6)).astype(np.float32)
    after = encoding.fit_predict(spaces, changed, model, Split(**how))
    np.testing.assert_array_equal(after.predicted, before.predicted)
    assert not np.allclose(after.measured, before.measured)


def test_a_memory_map_gives_the_same(tmp_path):
    spaces, bold, how = simulate()
    np.save(tmp_path / "bold.npy", bold)
    mapped = np.load(tmp_path / "bold.npy", mmap_mode="r")
    a, b = (encoding.fit_predict(spaces, x, RidgeCV(cv=3), Split(**how)) for x in (bold, mapped))
    np.testing.assert_array_equal(a.measured, b.measured)
    np.testing.assert_array_equal(a.predicted, b.predicted)


def test_the_simulated_space_is_found_and_its_unique_variance():
    spaces, bold, how = simulate(n_voxels=30, noise=1.0)
    model = RidgeCV(alphas=np.logspace(0, 4, 5), cv=3)
    weights = [[1, 0], [0.9, 0.1], [0.5, 0.5], [0.1, 0.9], [0, 1]]  # either space alone is among them
    banded = BandedRidgeCV(alphas=np.logspace(0, 4, 5), cv=3, n_draws=weights, progress=False)
    scores = {k: encoding.score(encoding.fit_predict(x, bold, model, Split(**how))) for k, x in spaces.items()}
    both = encoding.score(encoding.fit_predict(spaces, bold, banded, Split(**how)))
    assert scores["a"].significant[:10].all() and scores["b"].significant[10:20].all()
    assert np.mean([s.significant[20:].mean() for s in scores.values()]) <= 0.1
    parts = encoding.variance_partitioning(scores["a"].r2, scores["b"].r2, both.r2)
    only_a = parts.only_first.reshape(3, 10).mean(axis=1)
    only_b = parts.only_second.reshape(3, 10).mean(axis=1)
    assert only_a[0] > 0.4 and only_b[1] > 0.4
    assert np.abs([only_a[1], only_b[0], only_a[2], only_b[2]]).max() < 0.06
    total = parts.only_first + parts.only_second + parts.shared
    np.testing.assert_allclose(total, both.r2, atol=1e-6)


def test_repeats_differ_from_noise():
    _, bold, how = simulate(n_voxels=60, noise=1.0)
    test = how["test"]
    repeats, ids = FOUR_TIMES(bold[test], how["runs"][test])
    reliable = encoding.reliable_voxels(repeats, ids, seed=1)
    assert reliable[:40].mean() > 0.95 and reliable[40:].mean() <= 0.1
    assert np.median(explainable_variance(repeats, ids)[:40]) > 0.2


def test_the_null_holds_its_level_with_constant_predictions_of_clips():
    """Predictions that stand still for ten TRs, responses that are smooth noise: p is uniform."""
    rng, share = np.random.default_rng(7), []
    runs = np.repeat(np.arange(6), 100)
    for _ in range(20):
        clips = np.repeat(rng.standard_normal((60, 3)), 10, axis=0)
        predicted = lfilter([1], [1, -0.6], clips, axis=0) @ rng.standard_normal((3, 100))
        measured = lfilter([1], [1, -0.5], rng.standard_normal((600, 100)), axis=0)
        measured, predicted = (x.reshape(6, 100, -1) for x in (measured, predicted))
        pair = [(x - x.mean(axis=1, keepdims=True)).reshape(600, -1) for x in (measured, predicted)]
        share.append(np.mean(encoding.score(Prediction(*pair, runs), n_permutations=199).p <= 0.05))
    assert abs(np.mean(share) - 0.05) < 0.02


def test_score_is_of_its_own_pieces():
    spaces, bold, how = simulate()
    held_out = encoding.fit_predict(spaces, bold, RidgeCV(cv=3), Split(**how))
    ids = held_out.runs
    found = encoding.score(held_out, n_permutations=50, seed=9)
    np.testing.assert_array_equal(found.r, held_out.correlation())
    null = circular_shift_null(held_out.measured, held_out.predicted, ids, 50, 1, 9)
    np.testing.assert_array_equal(found.p, p_values(found.r, null))
    measured = np.where(np.arange(6) == 2, 0, held_out.measured).astype(np.float32)
    lost = encoding.score(Prediction(measured, held_out.predicted, ids), n_permutations=50)
    assert np.isnan([lost.r[2], lost.r2[2], lost.p[2]]).all() and not lost.significant[2]


def test_the_best_space_must_beat_each_of_the_others():
    rng = np.random.default_rng(8)
    scores = (
        rng.normal(0, 0.02, (3, 5, 4)) + np.array([[0.5, 0.5, 0.1, 0], [0.2, 0.5, 0.4, 0], [0, 0.3, 0, 0]])[:, None]
    )
    null = rng.normal(0, 0.02, (3, 999, 5, 4))
    scores[:, 4, 3] = np.nan  # four subjects
    best = encoding.best_space(scores, null)
    assert best.space[0] == 0 and best.space[2] == 1 and best.p[[0, 2]].max() == 3 / 1000
    assert best.p[1] > 0.05  # two are alike
    lost = scores.copy()
    lost[:, 1:, 0] = np.nan
    assert encoding.best_space(lost, null).space[0] == 0
    pairs = [p_values((scores[0] - scores[k]).mean(axis=0)[1], (null[0] - null[k]).mean(axis=1)[:, 1]) for k in (1, 2)]
    np.testing.assert_allclose(best.p[1], min(1, 3 * max(pairs)))
    assert np.isnan(encoding.best_space(scores).p).all()  # without a null nothing is tested


def test_the_best_space_of_equals_is_seldom_significant():
    rng = np.random.default_rng(9)
    scores, null = rng.standard_normal((5, 5, 400)), rng.standard_normal((5, 199, 5, 400))
    assert (encoding.best_space(scores, null).p < 0.05).mean() < 0.05


def test_means_by_region():
    values = [np.array([1, 2, np.nan, 4, 7.0]), np.array([True, False])]
    found = encoding.mean_by_region(values, [np.array([0, 0, 0, 2, -1]), np.array([1, 1])], ["x", "y", "z"])
    expected = {"x": [1.5, np.nan], "y": [np.nan, 0.5], "z": [4, np.nan], "elsewhere": [7, np.nan]}
    assert list(found) == list(expected)
    for name, means in expected.items():
        np.testing.assert_array_equal(found[name], means)


def test_parts_by_region_keep_their_names_and_sum():
    rng = np.random.default_rng(11)
    labels = [np.array([0, 1, 1, -1, 0]), np.array([1, 1, 0])]
    whole = [rng.random((3, len(x))) for x in labels]
    parts = [encoding.variance_partitioning(*x) for x in whole]
    found = encoding.partition_by_region(parts, labels, ["x", "y"], ["joint", "acoustic"])
    assert list(found) == ["only joint", "only acoustic", "shared"] and list(found["shared"]) == ["x", "y"]
    total = sum(part["x"] for part in found.values())
    np.testing.assert_allclose(total, [x[2][y == 0].mean() for x, y in zip(whole, labels)])
    expected = [(x[2] - x[1])[y == 1].mean() for x, y in zip(whole, labels)]
    np.testing.assert_allclose(found["only joint"]["y"], expected)


def test_one_subject_has_a_best_space_and_a_p_of_its_own():
    scores = np.array([[[0.1, 0.4, np.nan]], [[0.3, 0.2, 0.1]]])
    best = encoding.best_space(scores, np.zeros((2, 19, 1, 3)))
    np.testing.assert_array_equal(best.space, [1, 0, -1])
    np.testing.assert_allclose(best.p, [2 / 20, 2 / 20, np.nan])


def test_means_by_label_are_those_of_each_row():
    values = np.array([[1, 2, np.nan, 4, 7.0], [0, 1, 5, 2, 9]])
    found = encoding.mean_by_label(values, np.array([0, 0, 1, 2, -1]), 4)
    np.testing.assert_array_equal(found, [[1.5, np.nan, 4, np.nan], [0.5, 5, 2, np.nan]])
    with pytest.raises(ValueError, match=r"labels float64 of shape \(5,\), expected .*whole numbers"):
        encoding.mean_by_label(values, np.zeros(5), 2)


def test_a_map_is_shared_by_most_of_those_who_have_a_voxel_there():
    maps = [{"left": np.array([0.2, 0.4, np.nan, np.nan])}, {"left": np.array([0.4, 0.2, 0.3, np.nan])}]
    marks = [{"left": np.array([1, 1, np.nan, np.nan])}, {"left": np.array([1, 0, 1, np.nan])}]
    np.testing.assert_allclose(encoding.consensus_map(maps, marks)["left"], [0.3, np.nan, 0.3, np.nan])
    with pytest.raises(ValueError, match="maps are of 2 subjects and significant of 1"):
        encoding.consensus_map(maps, marks[:1])


def test_false_positives_are_counted_by_distance():
    places = np.array([[x, 0.0, 0.0] for x in (0, 1, 2, 30, 40, 50, 60)])
    p = np.array([0.001, 0.02, 0.5, 0.01, 0.3, 0.9, np.nan])
    score = encoding.Score(r=p, r2=p, p=p, significant=np.array([True, True, False, True, False, False, False]))
    found = false_positives(score, np.array([True] + [False] * 6), places, reach=5)
    np.testing.assert_allclose(found, [1 / 3, 1 / 2, 1 / 3])
    with pytest.raises(ValueError, match="score is of 7 voxels, responsive of 3, coordinates of 7"):
        false_positives(score, np.ones(3, bool), places, 5)


BAD_RUNS = {
    "no test run": ({"test": np.zeros(1200, bool)}, "test marks 0 of 1200 TRs.*has the subject test runs"),
    "no training run": ({"test": np.ones(1200, bool)}, "test marks 1200 of 1200 TRs"),
    "half a run": ({"test": np.arange(1200) >= 780}, "a part of the run at TRs 720 to 839: mark it whole"),
    "numbers": ({"test": np.arange(480)}, r"test is int64 of shape \(480,\) and runs has shape \(1200,\)"),
    "runs too short": ({"runs": np.zeros(7)}, r"runs has shape \(7,\)"),
}


@pytest.mark.parametrize("case", BAD_RUNS)
def test_bad_runs_are_named(case):
    wrong, message = BAD_RUNS[case]
    spaces, bold, how = simulate()
    with pytest.raises(ValueError, match=message):
        encoding.fit_predict(spaces, bold, RidgeCV(cv=3), Split(**how | wrong))


def test_other_bad_input_is_named():
    with pytest.raises(ValueError, match=r"first, second and both have shapes \(2,\), \(3,\), \(2,\)"):
        encoding.variance_partitioning(np.ones(2), np.ones(3), np.ones(2))
    with pytest.raises(ValueError, match="two spaces or more"):
        encoding.best_space(np.ones((1, 5, 3)))
    with pytest.raises(ValueError, match="repeats has shape"):
        encoding.reliable_voxels(np.ones((1, 30, 3)))
    with pytest.raises(ValueError, match=r"values are of 1 subjects and labels of 1, of shapes \[\(\(3,\), \(2,\)\)\]"):
        encoding.mean_by_region([np.ones(3)], [np.zeros(2, int)], ["x"])
    with pytest.raises(ValueError, match="labels has shape"):
        audiovisual.one_hot([])


def surface_map(value, seed=0):
    rng = np.random.default_rng(seed)
    return {side: np.where(rng.random(10242) < 0.3, np.nan, value) for side in ("left", "right")}


@pytest.mark.slow
def test_figures_are_drawn_with_regions_and_spaces_that_have_nothing():
    nothing = {side: np.full(10242, np.nan) for side in ("left", "right")}
    fig = plotting.space_maps({"mini-mulan": surface_map(0.4), "genre": nothing}, "Simulated", "r")
    assert [t.get_text() for ax in fig.axes for t in ax.texts] == ["mini-mulan", "genre"]
    plotting.space_maps({"genre": nothing}, "Simulated", "r")
    fig = plotting.best_space_map({"all": surface_map(1.0), "none": nothing}, ["text", "acoustic"], "Simulated")
    assert [t.get_text() for t in fig.legends[0].get_texts()] == ["text", "acoustic"]
    plt.close("all")


@pytest.mark.slow
def test_flat_maps_name_regions_once_and_draw_what_there_is():
    nothing = {side: np.full(10242, np.nan) for side in ("left", "right")}
    fig = plotting.flat_maps(
        {"mini-mulan": surface_map(0.4), "genre": nothing}, "Simulated", "r", regions=["precuneus"]
    )
    assert [ax.get_title() for ax in fig.axes[:4]] == [
        f"{name}, {side}" for name in ("mini-mulan", "genre") for side in ("left", "right")
    ]
    assert [t.get_text() for ax in fig.axes for t in ax.texts] == ["precuneus", "precuneus"]
    plotting.flat_maps({"genre": nothing}, "Simulated", "r")
    fig = plotting.flat_class_maps({"all": surface_map(1.0), "none": nothing}, ["text", "acoustic"], "Simulated")
    assert [t.get_text() for t in fig.legends[0].get_texts()] == ["text", "acoustic"]
    plt.close("all")


def test_bars_are_means_over_subjects():
    scores = {("x", "1", "text"): 0.1, ("x", "2", "text"): 0.3, ("y", "1", "text"): 0.5, ("y", "2", "text"): np.nan}
    scores |= {(region, subject, "only acoustic"): float(region == "y") for region in "xy" for subject in "12"}
    table = pd.DataFrame([(*key, r) for key, r in scores.items()], columns=["region", "subject", "space", "r"])
    table["ceiling"] = np.where(table["region"] == "x", 0.6, 0.7)
    fig = plotting.scores_by_region(table, "r", "Simulated", "r", ceiling="ceiling")
    heights = [bar.get_height() for bar in fig.axes[0].patches]
    np.testing.assert_allclose(heights, [0.2, 0.5, 0, 1])
    dashed = [line.get_ydata()[0] for line in fig.axes[0].get_lines() if line.get_linestyle() == "--"]
    np.testing.assert_allclose(dashed, [0.6, 0.7])
    plt.close("all")


def test_a_triangle_between_two_classes_is_of_one_of_them():
    nan = np.nan
    corners = np.array([[0, 2, nan], [0, 2, 2], [nan, 2, 0], [2, 0, 4], [nan, nan, 3], [3, 3, 1]])
    np.testing.assert_array_equal(majority_class(corners), [0, 2, 2, 2, nan, 3])
    np.testing.assert_array_equal(np.apply_along_axis(majority_class, 1, corners), majority_class(corners))
