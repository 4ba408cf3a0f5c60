"""Banded ridge against himalaya at given band weights, against ridge on scaled features, and on simulated data."""

import numpy as np
import pytest
from naturalistic.models.banded import BandedRidgeCV, draw_gammas, nested_gammas
from naturalistic.models.engine import spaces
from naturalistic.models.engine.banded import fit_space_sets
from naturalistic.models.folds import check_folds
from naturalistic.models.ridge import RidgeCV
from sklearn.model_selection import PredefinedSplit
from sklearn.utils.estimator_checks import parametrize_with_checks

ALPHAS = np.logspace(-2, 4, 7)
SIZES = {"tall": (5, 8, 3), "wide together": (30, 40, 20), "one wide": (70, 20, 30), "as many": (15, 15, 15)}


def make_spaces(sizes=(5, 8, 3), n_trs=60, n_targets=9, seed=0, dtype=np.float64):
    """Return spaces of which only the second makes the targets, the targets, and groups of five samples."""
    rng = np.random.default_rng(seed)
    X = {f"space {k}": rng.standard_normal((n_trs, p)) + 1 for k, p in enumerate(sizes)}
    Y = X["space 1"] @ rng.standard_normal((sizes[1], n_targets)) / np.sqrt(sizes[1])
    Y = Y + rng.standard_normal(Y.shape) + 5
    return {name: x.astype(dtype) for name, x in X.items()}, Y.astype(dtype), np.arange(n_trs) // 5


@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-8), (np.float32, 1e-4)])
@pytest.mark.parametrize("scoring", [pytest.param("correlation", marks=pytest.mark.slow), "r2"])
@pytest.mark.parametrize("sizes", SIZES)
def test_same_as_himalaya_group_ridge_at_given_weights(sizes, scoring, dtype, tolerance):
    from himalaya.ridge import solve_group_ridge_random_search
    from himalaya.scoring import correlation_score, r2_score

    X, Y, groups = make_spaces(SIZES[sizes])
    cast = {name: x.astype(dtype) for name, x in X.items()}
    model = BandedRidgeCV(ALPHAS, 4, n_draws=12, scoring=scoring).fit(cast, Y.astype(dtype), groups)
    deltas, weights, scores, intercept = solve_group_ridge_random_search(
        list(X.values()),
        Y,
        n_iter=model.draws_,
        alphas=ALPHAS,
        fit_intercept=True,
        return_weights=True,
        score_func=correlation_score if scoring == "correlation" else r2_score,
        cv=PredefinedSplit(_fold(groups)),
        progress_bar=False,
        warn=False,
    )
    np.testing.assert_allclose(model.deltas_, deltas, rtol=1e-5)
    np.testing.assert_allclose(model.coef_.T, weights, atol=tolerance * np.abs(weights).max())
    np.testing.assert_allclose(model.intercept_, intercept, atol=10 * tolerance)
    np.testing.assert_allclose(model.cv_scores_, scores, atol=tolerance, rtol=tolerance)


def test_same_as_himalaya_multiple_kernel_ridge_at_given_weights():
    from himalaya.kernel_ridge import solve_multiple_kernel_ridge_random_search
    from himalaya.scoring import r2_score

    X, Y, groups = make_spaces((70, 20, 30))
    X = {name: x - x.mean(axis=0) for name, x in X.items()}
    Y = Y - Y.mean(axis=0)
    model = BandedRidgeCV(ALPHAS, 4, n_draws=12, scoring="r2", fit_intercept=False).fit(X, Y, groups)
    kernels = np.stack([x @ x.T for x in X.values()])
    deltas, dual, scores = solve_multiple_kernel_ridge_random_search(
        kernels,
        Y,
        n_iter=model.draws_,
        alphas=ALPHAS,
        score_func=r2_score,
        return_weights="dual",
        cv=PredefinedSplit(_fold(groups)),
        progress_bar=False,
    )[:3]
    np.testing.assert_allclose(model.deltas_, deltas, rtol=1e-8)
    np.testing.assert_allclose(model.cv_scores_, scores, atol=1e-8)
    for name, delta in zip(X, deltas):
        np.testing.assert_allclose(
            model.coef_[:, model.spaces_[name]].T,
            X[name].T @ (dual * np.exp(delta)),
            atol=1e-8 * np.abs(dual).max(),
        )


def _fold(groups):
    fold = np.empty(len(groups), dtype=int)
    for k, (_, test) in enumerate(check_folds(4, len(groups), groups)):
        fold[test] = k
    return fold


@pytest.mark.parametrize("gap", [0, 2])
@pytest.mark.parametrize("sizes", SIZES)
def test_one_draw_is_ridge_on_scaled_features(sizes, gap):
    X, Y, groups = make_spaces(SIZES[sizes])
    gamma = np.array([0.5, 0.2, 0.3])
    model = BandedRidgeCV(ALPHAS, 4, n_draws=gamma[None], gap=gap).fit(X, Y, groups)
    size = np.concatenate([np.full(x.shape[1], g**0.5) for x, g in zip(X.values(), gamma)])
    scaled = np.concatenate(list(X.values()), axis=1) * size
    ridge = RidgeCV(ALPHAS, 4, gap=gap).fit(scaled, Y, groups)
    np.testing.assert_array_equal(model.alphas_, ridge.alphas_)
    np.testing.assert_allclose(model.coef_, ridge.coef_ * size, atol=1e-10)
    np.testing.assert_allclose(model.intercept_, ridge.intercept_, atol=1e-10)
    np.testing.assert_allclose(model.cv_scores_[0], ridge.cv_scores_.max(axis=0), atol=1e-10)


@pytest.mark.slow
def test_finds_the_active_space():
    X, Y, groups = make_spaces((30, 30, 30), n_trs=200, n_targets=30)
    model = BandedRidgeCV(ALPHAS, 4, n_draws=40).fit(X, Y, groups)
    assert (model.gammas_.argmax(axis=0) == 1).mean() > 0.9
    joint = RidgeCV(ALPHAS, 4).fit(np.concatenate(list(X.values()), axis=1), Y, groups)
    assert (model.cv_scores_.max(axis=0) >= joint.cv_scores_.max(axis=0) - 1e-12).all()  # equal weights are tried
    assert model.cv_scores_.max(axis=0).mean() > joint.cv_scores_.max(axis=0).mean() + 0.02


@pytest.mark.parametrize("sizes", SIZES)
def test_parts_sum_to_the_prediction(sizes):
    X, Y, groups = make_spaces(SIZES[sizes])
    model = BandedRidgeCV(ALPHAS, 4, n_draws=5).fit(X, Y, groups)
    parts = model.predict(X, split=True)
    assert list(parts) == list(X)
    np.testing.assert_allclose(sum(parts.values()), model.predict(X), atol=1e-10)
    for part in parts.values():  # no part carries another's offset
        np.testing.assert_allclose(part.mean(axis=0), Y.mean(axis=0) / 3, atol=1e-10)
    shuffled = {name: X[name] for name in reversed(X)}
    np.testing.assert_array_equal(model.predict(shuffled), model.predict(X))


@pytest.mark.slow
@pytest.mark.parametrize("sizes", SIZES)
def test_a_set_of_spaces_is_fitted_as_if_there_were_no_others(sizes):
    X, Y, groups = make_spaces(SIZES[sizes])
    model = BandedRidgeCV(ALPHAS, 4, n_draws=6)
    rests = [{other: x for other, x in X.items() if other != name} for name in X]
    full, *parts = fit_space_sets(model, X, Y, [X, *rests], groups)
    np.testing.assert_allclose(full.coef_, model.fit(X, Y, groups).coef_, atol=1e-8)
    for rest, part in zip(rests, parts, strict=True):
        expected = BandedRidgeCV(ALPHAS, 4, n_draws=6).fit(rest, Y, groups)
        np.testing.assert_array_equal(part.alphas_, expected.alphas_)
        np.testing.assert_allclose(part.coef_, expected.coef_, atol=1e-8)
        np.testing.assert_allclose(part.predict(rest), expected.predict(rest), atol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("sizes", ["tall", "wide together"])
def test_sets_with_the_same_weights_share_one_fit(sizes, monkeypatch):
    X, Y, groups = make_spaces(SIZES[sizes], n_targets=23)
    gammas = nested_gammas(3, 2)
    made = []
    full_fit = spaces.FullFit
    monkeypatch.setattr(spaces, "FullFit", lambda of, gamma: made.append(tuple(gamma)) or full_fit(of, gamma))
    sets = [list(X), *([other for other in X if other != name] for name in X)]
    fits = list(fit_space_sets(BandedRidgeCV(ALPHAS, 4, n_draws=gammas), X, Y, sets, groups))
    assert 1 < len(made) == len(set(made)) <= len(gammas)
    for names, fitted in zip(sets, fits, strict=True):
        outside = [k for k, name in enumerate(X) if name not in names]
        rows = gammas[(gammas[:, outside] == 0).all(axis=1)]
        expected = BandedRidgeCV(ALPHAS, 4, n_draws=rows).fit(X, Y, groups)
        np.testing.assert_array_equal(fitted.gammas_, expected.gammas_)
        np.testing.assert_allclose(fitted.coef_, expected.coef_, atol=1e-10)


@pytest.mark.parametrize("sizes", ["tall", "wide together"])
def test_batches_and_kept_products_do_not_change_the_result(sizes, monkeypatch):
    X, Y, groups = make_spaces(SIZES[sizes], n_targets=23)
    fits = [BandedRidgeCV(ALPHAS, 4, n_draws=5).fit(X, Y, groups)]
    fits.append(BandedRidgeCV(ALPHAS, 4, n_draws=5, n_targets_batch=4).fit(X, Y, groups))
    monkeypatch.setattr("naturalistic.models.engine.banded.CACHE_BYTES", 0)
    monkeypatch.setattr("naturalistic.models.engine.banded.SCORERS_BYTES", 0)  # one draw at a time
    monkeypatch.setattr("naturalistic.models.engine.spaces.FITS_BYTES", 0)
    fits.append(BandedRidgeCV(ALPHAS, 4, n_draws=5, n_targets_batch=4).fit(X, Y, groups))
    for other in fits[1:]:
        np.testing.assert_array_equal(other.gammas_, fits[0].gammas_)
        np.testing.assert_allclose(other.coef_, fits[0].coef_, atol=1e-10)


@pytest.mark.parametrize("patience, n_read", [(None, 1 + 1 + 1), (6, 1 + 6 + 1)])
def test_targets_are_looked_through_tried_and_fitted_with_one_reading_each(patience, n_read):
    X, Y, groups = make_spaces(n_targets=24)
    stored = Counted(Y)
    model = BandedRidgeCV(ALPHAS, 4, n_draws=6, n_targets_batch=24, patience=patience).fit(X, stored, groups)
    assert len(np.unique(model.gammas_, axis=1).T) > 2  # several draws won
    assert stored.n_read == n_read


class Counted:
    """A data set on disk, as far as the engine can tell, that counts how often it is read."""

    def __init__(self, Y):
        self.Y, self.shape, self.dtype, self.n_read = Y, Y.shape, Y.dtype, 0

    def __getitem__(self, index):
        self.n_read += 1
        return self.Y[index]


@pytest.mark.slow
def test_patience_stops_targets_and_keeps_what_they_had():
    X, Y, groups = make_spaces(n_targets=40)
    patient = BandedRidgeCV(ALPHAS, 4, n_draws=30).fit(X, Y, groups)
    hasty = BandedRidgeCV(ALPHAS, 4, n_draws=30, patience=3, n_targets_batch=7).fit(X, Y, groups)
    seen = np.isfinite(hasty.cv_scores_)
    assert seen[:4].all() and not seen.all()
    np.testing.assert_allclose(hasty.cv_scores_[seen], patient.cv_scores_[seen], atol=1e-12)
    for target in range(40):
        scores = patient.cv_scores_[: seen[:, target].sum(), target]
        best = scores.argmax()
        assert seen[:, target].sum() in (30, best + 4)  # three draws after the best, then no more
        np.testing.assert_array_equal(hasty.gammas_[:, target], hasty.draws_[best])


def test_a_weight_of_zero_leaves_a_space_out():
    X, Y, groups = make_spaces()
    model = BandedRidgeCV(ALPHAS, 4, n_draws=[[0, 1, 0]]).fit(X, Y, groups)
    expected = RidgeCV(ALPHAS, 4).fit(X["space 1"], Y, groups)
    np.testing.assert_allclose(model.coef_[:, model.spaces_["space 1"]], expected.coef_, atol=1e-10)
    assert (model.coef_[:, model.spaces_["space 0"]] == 0).all()
    assert np.isneginf(model.deltas_[0]).all()


def test_draws_are_the_seeds():
    a, b, c = draw_gammas(6, 3, seed=1), draw_gammas(6, 3, seed=1), draw_gammas(6, 3, seed=2)
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)
    np.testing.assert_allclose(a.sum(axis=1), 1)
    np.testing.assert_allclose(a[0], 1 / 3)


@parametrize_with_checks([BandedRidgeCV(cv=3, n_draws=1)])
def test_sklearn_conventions(estimator, check):
    check(estimator)
