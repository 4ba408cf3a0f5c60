"""BOLD by windows equals a loop over volumes; windows stay inside runs; parcels are whole, equal and full."""

import numpy as np
import pytest
from naturalistic import anatomy, decoding
from naturalistic.datasets import music_genre
from naturalistic.decoding.windows import BoldWindows

TR = 1.5


def brain(n_runs=2, n_clips=6, n_voxels=5, seed=0, dtype=np.float32):
    rng = np.random.default_rng(seed)
    clip_of_tr = np.concatenate([np.repeat(rng.permutation(n_clips) + 10 * run, 10) for run in range(n_runs)])
    runs = np.repeat(np.arange(n_runs), 10 * n_clips)
    return rng.standard_normal((len(runs), n_voxels)).astype(dtype), clip_of_tr, runs


def by_hand(bold, clip_of_tr, runs, window, hop, delay, n_windows):
    """Look at every volume of the run and ask whether its time lies in the window."""
    means, clips = [], []
    for first in range(0, len(bold), 10):
        start_of_run = np.flatnonzero(runs == runs[first])[0]
        onset = (first - start_of_run) * TR
        for k in range(n_windows):
            low, high = onset + k * hop + delay, onset + k * hop + window + delay
            rows = [
                t
                for t in range(len(bold))
                if runs[t] == runs[first] and low - 1e-9 <= (t - start_of_run) * TR < high - 1e-9
            ]
            means.append(bold[rows].mean(axis=0) if rows else np.full(bold.shape[1], np.nan))
        clips.append(clip_of_tr[first])
    return np.array(means).reshape(len(clips), n_windows, -1), np.array(clips)


@pytest.mark.parametrize(("window", "hop", "count"), [(1.5, 1.5, 10), (5.0, 1.5, 7), (10.0, 1.5, 4), (15.0, 1.5, 1)])
@pytest.mark.parametrize("delay", [0.0, 3.0, 4.5, 5.0])
def test_windows_equal_a_loop_over_volumes(window, hop, count, delay):
    bold, clip_of_tr, runs = brain()
    found = decoding.window_bold(bold, clip_of_tr, runs, window, hop, delay)
    means, clips = by_hand(bold, clip_of_tr, runs, window, hop, delay, count)
    assert found.bold.dtype == np.float32 and found.bold.shape == (12, count, 5)
    np.testing.assert_allclose(found.bold, means, atol=1e-6)
    np.testing.assert_array_equal(found.clips, clips)
    assert not np.isnan(found.bold[:5]).any(), "volumes of the next clip are used"


@pytest.mark.parametrize("dtype", [np.float64, np.int16])
def test_other_types(dtype):
    bold, clip_of_tr, runs = brain()
    bold = (100 * bold).astype(dtype)
    found = decoding.window_bold(bold, clip_of_tr, runs, 5.0, 1.5, 3.0).bold
    assert found.dtype == (np.float64 if dtype == np.float64 else np.float32)
    np.testing.assert_allclose(found, by_hand(bold, clip_of_tr, runs, 5.0, 1.5, 3.0, 7)[0], rtol=1e-5, atol=1e-4)


def test_repeats_are_averaged_over_those_that_have_the_window():
    rng = np.random.default_rng(1)
    clip_of_tr = np.repeat(np.tile([7, 3, 5], 4), 10)
    bold = rng.standard_normal((120, 4)).astype(np.float32)
    each = decoding.window_bold(bold, clip_of_tr, None, 1.5, 1.5, 4.5)
    mean = decoding.window_bold(bold, clip_of_tr, None, 1.5, 1.5, 4.5, average=True)
    assert mean.clips.tolist() == [7, 3, 5] and not np.isnan(mean.bold).any()
    np.testing.assert_allclose(mean.bold, np.nanmean(each.bold.reshape(4, 3, 10, 4), axis=0), atol=1e-6)
    assert np.isnan(each.bold[11, 7:]).all() and not np.isnan(each.bold[2]).any()
    once = decoding.window_bold(bold[:30], clip_of_tr[:30], None, 1.5, 1.5, 4.5, average=True)
    assert np.isnan(once.bold[2, 7:]).all() and not np.isnan(once.bold[2, :7]).any()


def test_no_run_touches_another():
    bold, clip_of_tr, runs = brain()
    other = bold.copy()
    other[runs == 1] += 5
    a, b = (decoding.window_bold(x, clip_of_tr, runs, 10.0, 1.5, 9.0).bold for x in (bold, other))
    np.testing.assert_array_equal(a[:6], b[:6])
    assert (a[6:] != b[6:]).all()


@pytest.mark.slow
def test_the_experiment_says_which_clip(small_music):
    experiment = music_genre.load(small_music)
    names = [run for run in experiment.runs if run.startswith("Test")]
    clip_of_tr, runs = experiment.clip_of_tr(names), np.repeat(np.arange(2), 400)
    found = decoding.window_bold(np.ones((800, 2), np.float32), clip_of_tr, runs, 10.0, 1.5, 4.5, average=True)
    assert sorted(found.clips) == experiment.clip_indices("Test").tolist() and found.bold.shape == (20, 4, 2)


def test_pairs_leave_out_what_was_not_measured():
    bold, clip_of_tr, runs = brain()
    windows = decoding.window_bold(bold, clip_of_tr, runs, 1.5, 1.5, 3.0)
    vectors = np.random.default_rng(0).standard_normal((16, 10, 3)).astype(np.float32)
    rows = decoding.pair_windows(windows, vectors)
    assert len(rows.bold) == 12 * 10 - 2 * 2 and not np.isnan(rows.bold).any()
    np.testing.assert_array_equal(rows.targets, vectors[rows.clips, rows.windows])
    index = np.random.default_rng(1).permutation(16)
    again = decoding.pair_windows(windows, vectors[index], index)
    for name in ("bold", "targets", "clips", "windows"):
        np.testing.assert_array_equal(getattr(rows, name), getattr(again, name))
    one = decoding.window_bold(bold, clip_of_tr, runs, 15.0, 1.5, 3.0)
    assert decoding.pair_windows(one, vectors[:, 0]).targets.shape == (12, 3)
    values, clips = decoding.average_clips(rows.targets, rows.clips)
    np.testing.assert_allclose(values[1], rows.targets[rows.clips == clips[1]].mean(axis=0), atol=1e-6)
    assert values.dtype == np.float32 and clips.tolist() == list(dict.fromkeys(rows.clips.tolist()))


def test_the_delay_is_found_again():
    rng = np.random.default_rng(3)
    n_clips, dim = 60, 6
    vectors = rng.standard_normal((n_clips, 10, dim)).astype(np.float32)
    clip_of_tr, runs = np.repeat(rng.permutation(n_clips), 10), np.repeat([0, 1], 300)
    heard = vectors[clip_of_tr, np.tile(np.arange(10), n_clips)] @ rng.standard_normal((dim, 20))
    bold = np.zeros((600, 20), np.float32)
    for run in (0, 1):
        bold[300 * run + 3 : 300 * (run + 1)] = heard[300 * run : 300 * (run + 1) - 3]  # 4.5 s
    bold += 2 * rng.standard_normal(bold.shape).astype(np.float32)
    found = decoding.select_delay(bold, clip_of_tr, runs, vectors, 1.5, 1.5)
    assert found.best == 4.5 and found.delays.tolist() == [0, 1.5, 3, 4.5, 6, 7.5, 9]
    assert found.scores.shape == (7,) and found.scores[3] > 0.5 > 3 * np.delete(found.scores, 3).max()
    overlapping = np.stack([vectors[:, k : k + 4].mean(axis=1) for k in range(7)], axis=1)
    few = decoding.select_delay(bold, clip_of_tr, runs, overlapping, 6.0, 1.5, delays=[0, 4.5, 9])
    assert few.best == 4.5
    with pytest.raises(ValueError, match="expected one number of seconds or more"):
        decoding.select_delay(bold, clip_of_tr, runs, vectors, 1.5, 1.5, delays=[])


def test_all_delays_are_scored_on_the_same_windows():
    bold, clip_of_tr, runs = brain(n_clips=10)
    vectors = np.random.default_rng(0).standard_normal((20, 10, 4))
    model = decoding.default_ridge(cv=4)
    both = decoding.select_delay(bold, clip_of_tr, runs, vectors, 1.5, 1.5, delays=[0, 9], model=model)
    windows = decoding.window_bold(bold, clip_of_tr, runs, 1.5, 1.5, 0.0)
    windows.bold[np.isnan(decoding.window_bold(bold, clip_of_tr, runs, 1.5, 1.5, 9.0).bold)] = np.nan
    rows = decoding.pair_windows(windows, vectors)
    assert len(rows.bold) == 200 - 2 * 6
    whole = decoding.fit_decoder(rows.bold, rows.targets, rows.clips, "whole", model=model)
    assert both.scores[0] == pytest.approx(whole.scores[0], abs=1e-6)


BOLD, CLIPS, RUNS = brain()
GOOD = {"bold": BOLD, "clip_of_tr": CLIPS, "runs": RUNS, "window": 5.0, "hop": 1.5, "delay": 3.0}
NAN = BOLD.copy()
NAN[3, 2] = np.nan


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bold": BOLD[:0], "clip_of_tr": CLIPS[:0], "runs": RUNS[:0]}, "one TR or more: has the subject such runs"),
        ({"bold": NAN}, r"bold holds 1 value\(s\) that are NaN or infinite, the first at index \(3, 2\)"),
        ({"clip_of_tr": CLIPS[1:]}, r"clip_of_tr has shape \(119,\), expected \(120,\)"),
        ({"runs": RUNS[1:]}, r"runs has shape \(119,\), expected \(120,\)"),
        ({"clip_of_tr": np.roll(CLIPS, 1)}, "run 0 has 60 TRs that are not whole clips of 10 TRs"),
        ({"runs": np.repeat([0, 1], [55, 65])}, "run 0 has 55 TRs that are not whole clips"),
        ({"window": 0.5, "hop": 0.5}, "window 1 of 0.5 s holds no volume: they come every 1.5 s"),
        ({"window": 16.0}, "window is 16 s, longer than a clip of 15 s"),
        ({"hop": 0.0}, "hop is 0.0, expected a positive number of seconds"),
        ({"delay": -1.0}, "delay -1 s, expected clips of whole TRs and 0 s or more"),
        ({"delay": np.nan}, "delay nan s"),
        ({"tr": 2.0}, "clip is 15 s, tr 2 s .* expected clips of whole TRs"),
    ],
)
def test_bad_windows(change, message):
    with pytest.raises(ValueError, match=message):
        decoding.window_bold(**{**GOOD, **change})


@pytest.mark.parametrize(
    ("vectors", "index", "message"),
    [
        (
            np.ones((16, 6, 3)),
            None,
            r"vectors has shape \(16, 6, 3\), expected \(n_clips, 7, dim\): bold has 7 windows",
        ),
        (np.ones((14, 7, 3)), None, "no row for 2 clips that were presented, the first is clip 14"),
        (np.full((16, 7, 3), np.nan), None, "vectors holds 336 value"),
        (np.ones((16, 7, 3)), np.zeros(16, int), "expected .16,. different clips"),
        (np.ones((16, 7, 3)), np.arange(5), r"index has shape \(5,\)"),
    ],
)
def test_embeddings_that_do_not_match(vectors, index, message):
    with pytest.raises(ValueError, match=message):
        decoding.pair_windows(decoding.window_bold(**GOOD), vectors, index)


def test_a_vector_a_clip_is_for_one_window():
    with pytest.raises(ValueError, match=r"expected \(n_clips, 7, dim\)"):
        decoding.pair_windows(decoding.window_bold(**GOOD), np.ones((16, 3)))
    assert isinstance(decoding.window_bold(**GOOD), BoldWindows)


def cortex(n=3000, seed=0):
    """Return places on two bowls, more of them on the right."""
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((n, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    points = points * [25, 80, 55] + [0, -20, 10]
    points[:, 0] = np.where(rng.random(n) < 0.45, -np.abs(points[:, 0]) - 3, np.abs(points[:, 0]) + 3)
    return points


@pytest.mark.parametrize("n_parcels", [2, 7, 150, 1000, 3000])
def test_parcels_are_equal_and_keep_to_a_hemisphere(n_parcels):
    places = cortex()
    parcels = anatomy.equal_area_parcels(places, n_parcels)
    sizes = np.bincount(parcels)
    assert len(sizes) == n_parcels and sizes.min() >= 1 and sizes.max() <= 2 * sizes.min()
    for parcel in range(n_parcels):
        assert len(set(places[parcels == parcel, 0] < 0)) == 1
    np.testing.assert_array_equal(parcels, anatomy.equal_area_parcels(places, n_parcels))


def test_parcels_are_compact():
    places = cortex()
    parcels = anatomy.equal_area_parcels(places, 150)
    spread = [
        np.linalg.norm(places[parcels == k] - places[parcels == k].mean(axis=0), axis=1).max() for k in range(150)
    ]
    assert np.median(spread) < 20 and max(spread) < 45
    one_side = anatomy.equal_area_parcels(places[places[:, 0] < 0], 10)
    assert len(np.unique(one_side)) == 10


def test_columns_of_parcels():
    columns = anatomy.parcel_columns(np.array([1, -1, 0, 1, -1, 0, 0]), 7)
    assert [c.tolist() for c in columns] == [[2, 5, 6], [0, 3]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: anatomy.equal_area_parcels(cortex(100), 101), "n_parcels is 101, expected a whole number.* to 100"),
        (lambda: anatomy.equal_area_parcels(cortex(100), 1), "n_parcels is 1, expected a whole number from 2"),
        (lambda: anatomy.equal_area_parcels(np.ones((5, 2)), 2), r"shape \(5, 2\), expected \(n_voxels, 3\), mm"),
        (lambda: anatomy.equal_area_parcels(np.full((5, 3), np.nan), 2), "coordinates holds 15 value"),
        (lambda: anatomy.parcel_columns(np.array([0, 2, 2]), 3), r"parcel 1 is empty \(1 of 0 .. 2 are\)"),
        (lambda: anatomy.parcel_columns(np.array([-1, -1]), 2), "has no parcel: all voxels are -1"),
        (lambda: anatomy.parcel_columns(np.array([0, 1]), 3), r"shape \(2,\) .* expected \(3,\) whole numbers"),
        (lambda: anatomy.parcel_columns(np.array([0.0, 1.0]), 2), "type float64"),
    ],
)
def test_bad_parcels(call, message):
    with pytest.raises(ValueError, match=message):
        call()
