"""The published scores of reconstructed films, bit for bit, each with its defect and its honest sibling."""

import math
from itertools import pairwise

import numpy as np
import pytest
from naturalistic.decoding.metrics import identification
from naturalistic.decoding.nulls import identification_test
from naturalistic.decoding.picture_metrics import color_correlation, hue_similarity, ssim, ssim_pairs
from naturalistic.decoding.video_metrics import (
    chance_of_k_of_n,
    change_pairs,
    class_pairs,
    end_point_error,
    end_point_pairs,
    frame_consistency,
    motion_pairs,
    pair_identification_test,
    pair_score_test,
    score_pairs,
    three_of_n,
)
from scipy.ndimage import gaussian_filter
from scipy.stats import binom


def smooth_films(n_films, seed=0, n_frames=2, size=32, sigma=3.0):
    """Return films of smooth random patterns."""
    noise = np.random.default_rng(seed).standard_normal((n_films, n_frames, size, size, 3))
    noise = gaussian_filter(noise, (0, 0, sigma, sigma, 0))
    return np.clip(128 + 45 * noise / noise.std(), 0, 255).astype(np.uint8)


# --- n-way ----------------------------------------------------------------------------------------------------


def published_three_of_n(predicted, target, n, n_trials, seed):
    """Count trials as the evaluation code does, in its order of draws."""
    np.random.seed(seed)  # noqa: NPY002
    scores = []
    for made, true in zip(predicted, target):
        right = np.argsort(true)[-3:]
        others = [c for c in range(len(true)) if c not in right]
        hits = 0
        for _ in range(n_trials):
            picked = np.random.choice(others, n - 1, replace=False)  # noqa: NPY002
            for c in right:
                candidates = np.concatenate([made[[c]], made[picked]])
                if candidates.argsort()[-1] == 0:
                    hits += 1
                    break
        scores.append(hits / n_trials)
    return np.array(scores)


@pytest.mark.parametrize("n", [2, 10])
def test_three_of_n_is_the_published_score(n):
    rng = np.random.default_rng(0)
    predicted, target = rng.standard_normal((2, 12, 40))
    expected = published_three_of_n(predicted, target, n, 20, seed=5)
    np.testing.assert_array_equal(three_of_n(predicted, target, n, 20, seed=5), expected)


@pytest.mark.parametrize("n", [2, 50])
def test_chance_of_three_of_n_is_3_in_n_plus_2(n):
    rng = np.random.default_rng(1)
    predicted, target = rng.standard_normal((2, 2000, 120))  # films that have nothing to do with each other
    exact = np.diag(class_pairs(predicted[:400], target[:400], n)).mean()
    sd = np.sqrt(1 / 12 / 400)
    assert abs(exact - 3 / (n + 2)) < 4 * sd
    assert chance_of_k_of_n(n) == 3 / (n + 2)
    by_trials = three_of_n(predicted, target, n, n_trials=1).mean()
    assert abs(by_trials - 3 / (n + 2)) < 4 * math.sqrt(3 / (n + 2) / 2000)
    assert chance_of_k_of_n(2) == 0.75  # printed beside scores of .83 as if it were .5
    assert chance_of_k_of_n(n, k=1) == 1 / n


def test_exact_scores_are_what_trials_come_to():
    rng = np.random.default_rng(2)
    target = rng.standard_normal((20, 60))
    predicted = target + rng.standard_normal((20, 60))
    for n, k in ((2, 3), (20, 3), (20, 1)):
        exact = np.diag(class_pairs(predicted, target, n, k))
        by_trials = three_of_n(predicted, target, n, 400, k=k)
        np.testing.assert_allclose(by_trials, exact, atol=5 * 0.5 / math.sqrt(400))


def test_one_likeliest_class_has_a_chance_of_1_in_n_with_ties_half():
    target = np.random.default_rng(3).standard_normal((50, 20))
    constant = np.zeros((50, 20))  # a classifier that cannot tell
    for n in (2, 5):
        np.testing.assert_allclose(class_pairs(constant, target, n, k=1), 1 / n)
        result = pair_score_test(class_pairs(constant, target, n, k=1), n_permutations=99)
        assert (result.score, result.p) == (pytest.approx(1 / n), 1)
    assert (class_pairs(constant, target, 2) == 0).all()  # in the published score a tie is a miss


def test_a_shared_prior_raises_the_published_score_and_not_the_test():
    rng = np.random.default_rng(4)
    prior = 3 * rng.standard_normal(100)
    target = prior + rng.standard_normal((80, 100))
    predicted = prior + rng.standard_normal((80, 100))  # the same classes are likely in all films, and nothing else
    pairs = class_pairs(predicted, target, 2)
    result = pair_score_test(pairs, n_permutations=500)
    assert result.score > 0.9
    assert result.chance > 0.9
    assert result.p > 0.05
    assert pair_identification_test(pairs, n_permutations=500).p > 0.05


# --- structural similarity --------------------------------------------------------------------------------------


def test_pictures_are_scored_as_scikit_image_and_opencv_do():
    rng = np.random.default_rng(7)
    true = rng.integers(0, 256, (2, 24, 20, 3), dtype=np.uint8)
    made = np.clip(true.astype(int) + rng.integers(-40, 40, true.shape), 0, 255).astype(np.uint8)
    # scikit-image 0.26.0: structural_similarity(x, y, data_range=255, channel_axis=-1), and of rgb2gray pictures with
    # channel_axis=-1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1.0
    assert ssim(true, made) == pytest.approx(0.9564575694774797, abs=1e-15)
    assert ssim(true, made, "columns") == pytest.approx(0.9383102001233649, abs=1e-15)
    # OpenCV 5.0.0: the cosine of cvtColor(x, COLOR_BGR2HSV)[..., 0], and of COLOR_RGB2HSV
    assert hue_similarity(true, made) == pytest.approx(0.9299414978377976, abs=1e-15)
    assert hue_similarity(true, made, "rgb") == pytest.approx(0.9320928587984713, abs=1e-15)


@pytest.mark.parametrize(
    "color, hue",
    [((255, 0, 0), 0), ((0, 255, 0), 60), ((0, 0, 255), 120), ((255, 0, 1), 0), ((255, 0, 128), 165), ((9, 9, 9), 0)],
)
def test_hues_of_known_colors(color, hue):
    from naturalistic.decoding.picture_metrics import _hue

    assert _hue(np.array([[color]], dtype=np.uint8))[0, 0] == hue


def test_ssim_of_pairs_and_of_itself():
    films = smooth_films(3)
    for definition in ("color", "columns"):
        pairs = ssim_pairs(films, films, definition)
        np.testing.assert_allclose(np.diag(pairs), 1)
        assert pairs[0, 1] == pytest.approx(ssim(films[0], films[1], definition))


def test_ssim_by_column_nearly_doubles_that_of_an_unrelated_blur():
    rng = np.random.default_rng(0)
    frames = gaussian_filter(rng.standard_normal((20, 64, 64, 1)), (0, 1, 1, 0)) + 0.3 * rng.standard_normal(
        (20, 64, 64, 1)
    )
    true = np.clip(128 + 60 * frames / frames.std(), 0, 255).astype(np.uint8).repeat(3, axis=3)
    blur = np.clip(128 + 300 * gaussian_filter(rng.standard_normal(true.shape), (0, 9, 9, 0)), 0, 255).astype(np.uint8)
    color = np.mean([ssim(x[None], y[None]) for x, y in zip(blur, true)])
    columns = np.mean([ssim(x[None], y[None], "columns") for x, y in zip(blur, true)])
    assert columns > 1.7 * color


def test_blur_and_the_mean_film_win_ssim_and_not_identification():
    rng = np.random.default_rng(0)
    films = 0.7 * smooth_films(12, n_frames=1) + 0.3 * smooth_films(1, seed=1, n_frames=1)
    true = films.astype(np.uint8)
    # the right film, and noise; another film, blurred; the same film for each brain
    noisy = np.clip(films + 90 * rng.standard_normal(films.shape), 0, 255).astype(np.uint8)
    blurred = gaussian_filter(np.roll(films, 1, axis=0), (0, 0, 6, 6, 0)).astype(np.uint8)
    mean_film = np.repeat(films.mean(axis=0, keepdims=True).astype(np.uint8), 12, axis=0)
    published = {}
    identified = {}
    for name, made in (("noisy", noisy), ("blurred", blurred), ("mean", mean_film)):
        pairs = ssim_pairs(made, true)
        published[name] = pair_score_test(pairs, n_permutations=200)
        identified[name] = pair_identification_test(pairs, n_permutations=200)
    assert published["mean"].score > published["noisy"].score
    assert published["blurred"].score > published["noisy"].score
    assert published["mean"].p == 1
    assert published["mean"].score == pytest.approx(published["mean"].chance)
    assert identified["noisy"].score > 0.95
    assert identified["blurred"].score < 0.6
    assert identified["mean"].score == pytest.approx(0.5)
    assert identified["mean"].p == 1


# --- color ------------------------------------------------------------------------------------------------------


def test_hue_is_not_centered_and_the_correlation_of_colors_is():
    rng = np.random.default_rng(0)
    unrelated = rng.integers(0, 256, (2, 40, 1, 16, 16, 3), dtype=np.uint8)
    published = [hue_similarity(x, y) for x, y in zip(*unrelated)]
    assert np.mean(published) > 0.7
    honest = [color_correlation(x, y) for x, y in zip(*unrelated)]
    assert abs(np.mean(honest)) < 4 / math.sqrt(40 * 16 * 16)
    film = unrelated[0, 0]
    assert hue_similarity(film, film) == pytest.approx(1)
    assert color_correlation(film, film) == pytest.approx(1)
    assert color_correlation(film, film[..., [1, 2, 0]]) < 0  # the circle of hues turned by a third
    gray = np.full_like(film, 90)
    assert hue_similarity(gray, film) == 0
    assert color_correlation(gray, film) == 0


# --- consistency --------------------------------------------------------------------------------------------------


def test_a_still_picture_has_the_best_consistency_there_is():
    rng = np.random.default_rng(0)
    true = rng.standard_normal((10, 1, 8)) + rng.standard_normal((10, 6, 8))
    still = np.repeat(rng.standard_normal((10, 1, 8)), 6, axis=1)  # of anything
    np.testing.assert_allclose(frame_consistency(still), 1)
    assert frame_consistency(true).mean() < 0.9  # the true films themselves
    expected = [np.mean([np.dot(a, b) / np.linalg.norm(a) / np.linalg.norm(b) for a, b in pairwise(f)]) for f in true]
    np.testing.assert_allclose(frame_consistency(true), expected)
    # with Mind-Animator's gate, films that are unlike the true one count 0
    similarity = np.array([0.6, 0.61] * 5)
    np.testing.assert_array_equal(frame_consistency(still, similarity) > 0, similarity > 0.6)
    # how a film changes is compared with how the true one does
    assert (change_pairs(still, true) == 0).all()
    pairs = change_pairs(true + rng.standard_normal(true.shape), true)
    assert pair_score_test(pairs, n_permutations=500).p < 0.01
    result = pair_identification_test(change_pairs(still, true), n_permutations=99)
    assert (result.score, result.p) == (0.5, 1)


# --- motion -------------------------------------------------------------------------------------------------------


def test_a_film_that_stands_still_beats_imprecise_motion_on_error():
    rng = np.random.default_rng(0)
    true = rng.standard_normal((15, 1, 1, 1, 2)) + np.zeros((15, 3, 8, 8, 1))
    noisy = true + 2 * rng.standard_normal(true.shape)
    still = np.zeros_like(true)
    assert end_point_error(still, true).mean() < end_point_error(noisy, true).mean()
    expected = np.mean([[np.linalg.norm(f - g, axis=-1).mean() for f, g in zip(x, y)] for x, y in zip(noisy, true)], 1)
    np.testing.assert_allclose(end_point_error(noisy, true), expected)
    np.testing.assert_allclose(np.diag(end_point_pairs(noisy, true)), expected)
    # direction: nothing for the still film, much for the imprecise one
    assert (motion_pairs(still, true) == 0).all()
    assert pair_score_test(motion_pairs(noisy, true), n_permutations=500).p < 0.01
    np.testing.assert_allclose(np.diag(motion_pairs(3 * true, true)), 1)
    np.testing.assert_allclose(np.diag(motion_pairs(-true, true)), -1)


def test_of_an_error_less_is_better():
    rng = np.random.default_rng(0)
    true = rng.standard_normal((12, 2, 4, 4, 2))
    pairs = end_point_pairs(true + 0.5 * rng.standard_normal(true.shape), true)
    result = pair_score_test(pairs, n_permutations=300, higher_is_better=False)
    assert result.p < 0.01
    assert 0 < result.score < result.chance
    assert result.score == pytest.approx(result.by_film.mean())
    assert pair_identification_test(pairs, n_permutations=300, higher_is_better=False).score == 1
    assert pair_score_test(pairs, n_permutations=300).p > 0.99


# --- tests --------------------------------------------------------------------------------------------------------


def test_a_constant_prediction_has_half_and_p_1():
    target = np.random.default_rng(0).standard_normal((30, 16))
    constant = np.repeat(target.mean(axis=0, keepdims=True), 30, axis=0)
    assert (identification(np.ones((30, 16)), target) == 0.5).all()
    assert identification_test(np.ones((30, 16)), target, n_permutations=99).p == 1
    # the mean film is the same for each brain: no order of films is better than another
    result = identification_test(constant, target, n_permutations=99)
    assert (result.score, result.p) == (pytest.approx(0.5), 1)
    pairs = score_pairs(lambda made, true: -np.abs(made - true).sum(), constant, target)
    result = pair_identification_test(pairs, n_permutations=99)
    assert (result.score, result.p) == (pytest.approx(0.5), 1)


@pytest.mark.slow
def test_p_is_calibrated_on_blind_sets():
    rng = np.random.default_rng(0)
    p = {"score": [], "identification": [], "segments": []}
    for k in range(300):
        pairs = rng.standard_normal((20, 20)) + 2 * rng.standard_normal((20, 1)) + 2 * rng.standard_normal((1, 20))
        p["score"].append(pair_score_test(pairs, n_permutations=99, seed=k).p)
        p["identification"].append(pair_identification_test(pairs, n_permutations=99, seed=k).p)
        blocks = np.repeat(np.arange(5), 4)
        p["segments"].append(pair_score_test(pairs, blocks, n_permutations=99, seed=k).p)
    low, high = binom.ppf([0.0005, 0.9995], 300, 0.05)
    for values in p.values():
        assert low <= (np.array(values) <= 0.05).sum() <= high


@pytest.mark.slow
def test_neighbors_that_are_similar_need_segments():
    rng = np.random.default_rng(0)
    by_film = []
    by_segment = []
    blocks = np.repeat(np.arange(6), 20)
    for k in range(100):
        # slow drifts in both, which have nothing to do with each other
        x, y = np.cumsum(rng.standard_normal((2, 6, 20, 4)), axis=2).reshape(2, 120, 4)
        pairs = x @ y.T
        by_film.append(pair_score_test(pairs, n_permutations=99, seed=k).p)
        by_segment.append(pair_score_test(pairs, blocks, n_permutations=99, seed=k).p)
    assert np.mean(np.array(by_film) <= 0.05) > 0.15
    assert np.mean(np.array(by_segment) <= 0.05) < 0.13


def test_films_of_a_segment_are_not_compared():
    rng = np.random.default_rng(0)
    blocks = np.repeat(np.arange(6), 4)
    segment = rng.standard_normal((6, 8)).repeat(4, axis=0)
    target = segment + 0.01 * rng.standard_normal((24, 8))
    pairs = target @ segment.T
    assert pair_identification_test(pairs, n_permutations=99).score < 0.96
    assert pair_identification_test(target @ target.T, blocks, n_permutations=99).score > 0.9


def test_few_segments_are_said():
    with pytest.warns(UserWarning, match=r"3 segments have 6 orders: p cannot be below \.05"):
        pair_score_test(np.eye(6), np.repeat([0, 1, 2], 2), n_permutations=19)


def test_pairs_of_any_score():
    pairs = score_pairs(lambda made, true: made - true, [1, 2], [0, 5])
    np.testing.assert_array_equal(pairs, [[1, -4], [2, -3]])
    result = pair_score_test(np.eye(10), n_permutations=50)
    assert (result.score, result.by_film.tolist()) == (1, [1] * 10)
    assert "by_film=float64 (10,)" in repr(result)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: three_of_n(np.ones((2, 5)), np.ones((2, 6)), 2), r"expected the same \(n_films, n_classes\)"),
        (lambda: three_of_n(np.ones((2, 5)), np.ones((2, 5)), 4), "n is 4"),
        (lambda: three_of_n(np.ones((2, 5)), np.ones((2, 5)), 1), "n is 1"),
        (lambda: three_of_n(np.full((2, 5), np.nan), np.ones((2, 5)), 2), "predicted"),
        (lambda: class_pairs(np.ones((2, 3)), np.ones((2, 3)), 2), "k is 3"),
        (lambda: ssim(np.zeros((1, 5, 5, 3), np.uint8), np.zeros((1, 5, 5, 3), np.uint8)), "5 x 5 pixels, expected 7"),
        (lambda: ssim(np.zeros((1, 9, 9, 3), np.uint8), np.zeros((1, 9, 9, 3), np.uint8), "columns"), "expected 11"),
        (lambda: ssim(np.zeros((1, 9, 9, 3)), np.zeros((1, 9, 9, 3))), "float64, expected .* of uint8"),
        (lambda: ssim(smooth_films(1)[0], smooth_films(1)[0][:1]), "expected the same frames and pixels"),
        (lambda: ssim(smooth_films(1)[0], smooth_films(1)[0], "gray"), "definition is 'gray'"),
        (lambda: ssim_pairs(smooth_films(2), smooth_films(1)), "2 generated and 1 true films"),
        (lambda: hue_similarity(smooth_films(1)[0], smooth_films(1)[0], "hsv"), "channels is 'hsv'"),
        (lambda: frame_consistency(np.ones((2, 1, 4))), "two frames or more"),
        (lambda: frame_consistency(np.ones((2, 3, 4)), [1.0]), "one a film"),
        (lambda: change_pairs(np.ones((2, 3, 4)), np.ones((2, 4, 4))), "expected as many of both"),
        (lambda: end_point_error(np.ones((2, 1, 4, 4, 2)), np.ones((2, 1, 4, 4, 3))), "expected the same"),
        (lambda: motion_pairs(np.ones((2, 4, 4, 2)), np.ones((2, 4, 4, 2))), "n_films, n_steps"),
        (lambda: score_pairs(lambda x, y: 0, [1], [1, 2]), "1 generated and 2 true films"),
        (lambda: pair_score_test(np.ones((2, 3))), "expected"),
        (lambda: pair_identification_test(np.ones((1, 1))), "two films or more"),
        (lambda: pair_identification_test(np.full((3, 3), np.nan)), "pairs"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
