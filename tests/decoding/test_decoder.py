"""Decoders find a simulated signal, equal their definition, and select nothing by the test data."""

from functools import partial

import numpy as np
import pytest
from naturalistic import decoding
from naturalistic.models.folds import GroupGapKFold
from naturalistic.models.ridge import RidgeCV, cross_val_predict
from naturalistic.models.scoring import correlation
from scipy.optimize import nnls

N_CLIPS, N_WINDOWS, DIM, N_VOXELS = 60, 3, 6, 80
PARCELS = np.repeat(np.arange(10), 8)
CLIPS = np.repeat(np.arange(N_CLIPS), N_WINDOWS)
MODEL = decoding.default_ridge(np.logspace(0, 4, 5), cv=4)
OPTIONS = {
    "parcels": {"parcels": PARCELS, "n_best": 3},
    "whole": {},
    "voxels": {"n_voxels": (8, 24, 60)},
    "stack": {"parcels": PARCELS, "n_candidates": 5},
}


def simulated_subject(seed=0, snr=1.0, signal=(2, 5, 6), dtype=np.float32):
    """Parcels 2, 5 and 6 follow the embedding; windows of one clip are alike."""
    rng = np.random.default_rng(seed)
    clips = rng.standard_normal((N_CLIPS, 1, DIM)) + 0.3 * rng.standard_normal((N_CLIPS, N_WINDOWS, DIM))
    targets = clips.reshape(-1, DIM)
    mixing = np.random.default_rng(99).standard_normal((DIM, N_VOXELS)) / np.sqrt(DIM)
    mixing[:, ~np.isin(PARCELS, signal)] = 0
    bold = snr * targets @ mixing + rng.standard_normal((len(targets), N_VOXELS))
    return (10 + 3 * bold).astype(dtype), targets.astype(dtype)


def fit(strategy, bold, targets, clips=CLIPS, **options):
    return decoding.fit_decoder(bold, targets, clips, strategy, model=MODEL, **{**OPTIONS[strategy], **options})


@pytest.mark.parametrize("strategy", OPTIONS)
def test_each_strategy_decodes_the_simulated_signal(strategy):
    bold, targets = simulated_subject()
    decoder = fit(strategy, bold, targets)
    test, truth = simulated_subject(seed=1)
    predicted = decoder.predict(test)
    assert predicted.dtype == np.float32 and predicted.shape == truth.shape
    mean_p, mean_t = (decoding.average_clips(x, CLIPS)[0] for x in (predicted, truth))
    assert decoding.identification(mean_p, mean_t).mean() > 0.95
    noise, truth = simulated_subject(seed=2, snr=0.0)[0], simulated_subject(seed=3)[1]
    assert 0.35 < decoding.identification(decoder.predict(noise), truth, CLIPS).mean() < 0.65
    assert decoder.strategy == strategy and np.isfinite(decoder.scores).all()


def test_the_simulated_parcels_are_selected_and_averaged():
    bold, targets = simulated_subject()
    decoder = fit("parcels", bold, targets)
    assert set(decoder.chosen) == {2, 5, 6} and decoder.scores.shape == (10,)
    assert decoder.scores[[2, 5, 6]].min() > 0.3 > decoder.scores[[0, 1, 3]].max()
    scaled = (bold - bold.mean(axis=0, dtype=float)) / bold.std(axis=0, dtype=float)
    expected = 0
    for parcel in (2, 5, 6):
        model = RidgeCV(MODEL.alphas, cv=4).fit(scaled[:, parcel == PARCELS], targets, CLIPS)
        expected = expected + model.predict(scaled[:, parcel == PARCELS]) / 3
        assert decoder.scores[parcel] == pytest.approx(model.cv_scores_.max(axis=0).mean(), abs=1e-4)
    np.testing.assert_allclose(decoder.predict(bold), expected, atol=1e-4)


def test_whole_cortex_is_one_ridge():
    bold, targets = simulated_subject(dtype=np.float64)
    scaled = (bold - bold.mean(axis=0)) / bold.std(axis=0)
    model = RidgeCV(MODEL.alphas, cv=4).fit(scaled, targets, CLIPS)
    np.testing.assert_allclose(fit("whole", bold, targets).predict(bold), model.predict(scaled), atol=1e-10)


@pytest.mark.slow
def test_voxels_are_those_of_the_signal():
    bold, targets = simulated_subject(snr=2.0)
    decoder = fit("voxels", bold, targets)
    assert decoder.scores.shape == (3,) and len(decoder.columns[0]) == 24
    assert np.isin(PARCELS[decoder.columns[0]], [2, 5, 6]).mean() > 0.95
    assert len(fit("voxels", bold, targets, n_voxels=8).columns[0]) == 8
    assert len(fit("voxels", bold, targets, n_voxels=1000).columns[0]) == N_VOXELS


def test_the_number_of_voxels_is_scored_without_having_seen_the_fold():
    """With nothing to find, voxels picked by all rows would look good in cross-validation: these must not."""
    bold, targets = simulated_subject(seed=5, snr=0.0)
    assert np.abs(fit("voxels", bold, targets, n_voxels=(5, 20)).scores).max() < 0.15


@pytest.mark.slow
@pytest.mark.parametrize("per_dimension", [False, True])
def test_stacking_is_non_negative_least_squares(per_dimension):
    bold, targets = simulated_subject(dtype=np.float64)
    decoder = fit("stack", bold, targets, n_candidates=4, per_dimension=per_dimension)
    scaled = (bold - bold.mean(axis=0)) / bold.std(axis=0)
    held = [cross_val_predict(MODEL, scaled[:, k == PARCELS], targets, CLIPS, 4) for k in decoder.chosen]
    mean, sd = targets.mean(axis=0), targets.std(axis=0)
    held, wanted = [(h - mean) / sd for h in held], (targets - mean) / sd
    if per_dimension:
        weights = np.stack([nnls(np.stack([h[:, d] for h in held], 1), wanted[:, d])[0] for d in range(DIM)], axis=1)
    else:
        weights = nnls(np.stack([h.ravel() for h in held], 1), wanted.ravel())[0]
    np.testing.assert_allclose(decoder.weights, weights, atol=1e-6)
    assert (decoder.weights >= 0).all()
    whole = 0
    for k, w in zip(decoder.chosen, decoder.weights):
        model = RidgeCV(MODEL.alphas, cv=4).fit(scaled[:, k == PARCELS], targets, CLIPS)
        whole = whole + (model.predict(scaled[:, k == PARCELS]) - mean) * w
    np.testing.assert_allclose(decoder.predict(bold), whole + mean, atol=1e-8)


@pytest.mark.slow
def test_a_constant_dimension_does_not_move_the_stack():
    bold, targets = simulated_subject()
    constant = np.column_stack([targets, np.full(len(targets), 0.1)])  # in float64 its mean is not quite 0.1
    assert constant.std(axis=0)[-1] > 0
    plain, more = (fit("stack", bold, x) for x in (targets.astype(float), constant))
    np.testing.assert_allclose(more.weights, plain.weights, rtol=1e-6, atol=1e-6)


@pytest.mark.slow
def test_stacking_nothing_gives_the_mean():
    rng = np.random.default_rng(0)
    targets = rng.standard_normal((180, 2))
    bold = np.repeat(rng.standard_normal((60, 80)), 3, axis=0)
    decoder = decoding.fit_decoder(
        bold, targets - targets.mean(axis=0) + 4, CLIPS, "stack", model=MODEL, parcels=PARCELS
    )
    assert decoder.weights.max() < 0.5
    np.testing.assert_allclose(decoder.predict(bold).mean(axis=0), 4, atol=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", OPTIONS)
def test_scaling_of_voxels_changes_nothing(strategy):
    bold, targets = simulated_subject(dtype=np.float64)
    other = bold * np.linspace(0.1, 50, N_VOXELS) + np.arange(N_VOXELS)
    a, b = (fit(strategy, x, targets).predict(x) for x in (bold, other))
    np.testing.assert_allclose(a, b, atol=1e-6)


def test_a_constant_voxel_counts_for_nothing():
    bold, targets = simulated_subject()
    dead = bold.copy()
    dead[:, 3] = 7
    decoder = fit("whole", dead, targets)
    test = simulated_subject(seed=1)[0]
    shifted = test.copy()
    shifted[:, 3] += 100
    np.testing.assert_allclose(decoder.predict(test), decoder.predict(shifted), atol=1e-4)


@pytest.mark.parametrize("strategy", OPTIONS)
def test_no_clip_is_in_two_folds(strategy, monkeypatch):
    seen, split = [], GroupGapKFold.split

    def watched(self, X, y=None, groups=None):
        for train, test in split(self, X, y, groups):
            seen.append(len(np.intersect1d(groups[train], groups[test])))
            yield train, test

    monkeypatch.setattr(GroupGapKFold, "split", watched)
    fit(strategy, *simulated_subject())
    assert len(seen) >= 4 and not any(seen)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", OPTIONS)
def test_a_fold_that_is_held_out_moves_nothing_that_predicts_it(strategy):
    bold, targets = simulated_subject()
    how = partial(decoding.fit_decoder, strategy=strategy, model=MODEL, **OPTIONS[strategy])
    predicted = decoding.held_out_predictions(how, bold, targets, CLIPS, cv=3)
    first = CLIPS < 20
    changed = targets.copy()
    changed[first] = np.random.default_rng(7).standard_normal((60, DIM))
    again = decoding.held_out_predictions(how, bold, changed, CLIPS, cv=3)
    np.testing.assert_array_equal(predicted[first], again[first])
    assert (predicted[~first] != again[~first]).any()
    assert correlation(targets, predicted).mean() > 0.5


def test_a_window_does_not_predict_its_neighbor():
    """Noise that windows of a clip share in brain and target alike must not look like decoding."""
    rng = np.random.default_rng(8)
    bold = np.repeat(rng.standard_normal((N_CLIPS, 40)), 3, axis=0) + 0.1 * rng.standard_normal((180, 40))
    targets = np.repeat(rng.standard_normal((N_CLIPS, DIM)), 3, axis=0) + 0.1 * rng.standard_normal((180, DIM))
    assert abs(decoding.fit_decoder(bold, targets, CLIPS, "whole", model=MODEL).scores[0]) < 0.2
    leaky = RidgeCV(MODEL.alphas, cv=4).fit(bold, targets, groups=np.tile([0, 1, 2, 3], 45))
    assert leaky.cv_scores_.max(axis=0).mean() > 0.6, "folds that divide clips would have found it"


def test_a_genre_that_was_never_trained_on():
    """The map from brain to embedding is one map: it holds for a genre whose centre is somewhere else."""
    rng = np.random.default_rng(0)
    genres = np.repeat(["a", "b", "c"], 20)
    targets = simulated_subject()[1] + np.repeat(rng.standard_normal((3, DIM)), 60, axis=0).astype(np.float32)
    bold = targets @ rng.standard_normal((DIM, N_VOXELS)) + 3 * rng.standard_normal((180, N_VOXELS))
    predicted = np.empty_like(targets)
    for split in decoding.leave_one_group_out(np.repeat(genres, 3)):
        predicted[split.test] = fit("whole", bold[split.train], targets[split.train], CLIPS[split.train]).predict(
            bold[split.test]
        )
    mean_p, mean_t = (decoding.average_clips(x, CLIPS)[0] for x in (predicted, targets))
    assert decoding.identification(mean_p, mean_t).mean() > 0.8


BOLD, TARGETS = simulated_subject()
NAN = BOLD.copy()
NAN[2, 1] = np.nan
DEAD = BOLD.copy()
DEAD[:, PARCELS == 4] = 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((BOLD[:0], TARGETS[:0], CLIPS[:0], "whole"), r"\(0, 80\), expected .*: has the subject such runs"),
        ((NAN, TARGETS, CLIPS, "whole"), r"bold holds 1 value.*index \(2, 1\)"),
        (
            (BOLD, TARGETS[:9], CLIPS, "whole"),
            r"targets has shape \(9, 6\), expected \(180, dim\): one vector a row of bold",
        ),
        ((BOLD, TARGETS[:, 0], CLIPS, "whole"), r"targets has shape \(180,\), expected \(180, dim\)"),
        ((BOLD, TARGETS, CLIPS[:9], "whole"), r"clips has shape \(9,\), expected \(180,\)"),
        ((BOLD, TARGETS, CLIPS, "deep"), "strategy is 'deep', expected one of parcels, whole, voxels, stack"),
        ((BOLD, TARGETS, CLIPS, "parcels"), "parcels is missing: .* equal_area_parcels"),
        ((BOLD, TARGETS, np.zeros(180), "whole"), "1 groups cannot fill 4 folds"),
    ],
)
def test_bad_rows(arguments, message):
    with pytest.raises(ValueError, match=message):
        decoding.fit_decoder(*arguments, model=MODEL)


@pytest.mark.parametrize(
    ("strategy", "options", "message"),
    [
        ("parcels", {"parcels": PARCELS + (PARCELS > 3)}, r"parcel 4 is empty \(1 of 0 .. 10 are\)"),
        ("parcels", {"n_best": 11}, "n_best is 11, expected a whole number from 1 to 10: there are no more parcels"),
        ("parcels", {"bold": DEAD}, r"parcel 4 has no voxel that varies \(8 are constant\)"),
        ("stack", {"n_candidates": 0}, "n_candidates is 0"),
        ("voxels", {"n_voxels": 0}, "n_voxels is 0, expected a whole number of at least 1"),
        ("voxels", {"n_voxels": (1.5, 2)}, "n_voxels is 1.5, expected a whole number"),
    ],
)
def test_bad_options(strategy, options, message):
    options = dict(options)
    with pytest.raises(ValueError, match=message):
        fit(strategy, options.pop("bold", BOLD), TARGETS, **options)


def test_bad_use():
    decoder = fit("whole", BOLD, TARGETS)
    with pytest.raises(ValueError, match="bold has 79 voxels, expected 80 as in training"):
        decoder.predict(BOLD[:, 1:])
    how = partial(decoding.fit_decoder, strategy="whole", model=MODEL)
    with pytest.raises(ValueError, match="cv divides clip 29"):
        decoding.held_out_predictions(
            how, BOLD, TARGETS, CLIPS, [(np.arange(89), np.arange(89, 180)), (np.arange(89, 180), np.arange(89))]
        )
    with pytest.raises(ValueError, match="expected each exactly once"):
        decoding.held_out_predictions(how, BOLD, TARGETS, CLIPS, [(np.arange(90), np.arange(90, 180))])


def test_calibration_undoes_shrinkage():
    rng = np.random.default_rng(0)
    truth = rng.standard_normal((500, 4)).astype(np.float32) * [1, 2, 3, 4] + [5, 6, 7, 8]
    shrunk = (truth - truth.mean(axis=0)) * [0.1, 0.2, 0.5, 0.9] + 1
    for method in ("variance", "regression"):
        calibration = decoding.calibrate(shrunk, truth, method)
        np.testing.assert_allclose(calibration(shrunk), truth, atol=1e-4)
    noisy = truth + 5 * rng.standard_normal(truth.shape)
    scaled = decoding.calibrate(noisy, truth)(noisy)
    np.testing.assert_allclose(scaled.std(axis=0), truth.std(axis=0), rtol=1e-5)
    np.testing.assert_allclose(scaled.mean(axis=0), truth.mean(axis=0), rtol=1e-5)
    slope = [np.polyfit(noisy[:, d], truth[:, d], 1)[0] for d in range(4)]
    np.testing.assert_allclose(decoding.calibrate(noisy, truth, "regression").scale, slope, rtol=1e-5)
    flat = decoding.calibrate(np.ones((10, 2), np.float32), np.arange(20, dtype=np.float32).reshape(10, 2))
    assert flat.scale.tolist() == [1, 1] and flat.scale.dtype == np.float32
    np.testing.assert_allclose(flat(np.ones((1, 2), np.float32)), [[9, 10]])


def test_csls_equals_a_loop():
    rng = np.random.default_rng(0)
    similarity, reference = rng.random((8, 6)), rng.random((20, 6))
    for other in (None, reference):
        found = decoding.csls(similarity, 3, other)
        for i in range(8):
            for j in range(6):
                of_query = np.sort(similarity[i])[-3:].mean()
                of_candidate = np.sort((similarity if other is None else other)[:, j])[-3:].mean()
                assert found[i, j] == pytest.approx(2 * similarity[i, j] - of_query - of_candidate)


def test_csls_takes_hubs_away():
    rng = np.random.default_rng(0)
    target = rng.standard_normal((60, 30))
    predicted = target + 0.7 * rng.standard_normal((60, 30)) + 2 * target[0]  # all are pulled to one candidate
    plain = decoding.top_k_accuracy(predicted, target, 1)
    corrected = decoding.top_k_accuracy(
        predicted, target, 1, metric=lambda p, t: decoding.csls(decoding.correlation_similarity(p, t))
    )
    assert corrected > plain + 0.2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: decoding.calibrate(TARGETS, TARGETS[:9]), r"predicted has shape \(180, 6\) and target \(9, 6\)"),
        (lambda: decoding.calibrate(TARGETS, TARGETS, "none"), "expected 'variance' or 'regression'"),
        (lambda: decoding.calibrate(NAN, BOLD), "predicted holds 1 value"),
        (lambda: decoding.calibrate(TARGETS, TARGETS)(BOLD), r"shape \(180, 80\), expected \(n, 6\)"),
        (lambda: decoding.csls(np.ones((5, 5))), "k is 10, expected a whole number from 1 to 5"),
        (lambda: decoding.csls(np.ones((5, 5)), 2, np.ones((5, 4))), "with the same candidates"),
        (lambda: decoding.csls(np.full((5, 5), np.nan), 2), "similarity holds 25 value"),
    ],
)
def test_bad_calibration(call, message):
    with pytest.raises(ValueError, match=message):
        call()
