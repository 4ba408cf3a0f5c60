"""The ridge engine against brute force, scikit-learn and himalaya; then what must not change its results."""

import numpy as np
import pytest
import torch
from naturalistic.models import ridge
from naturalistic.models.engine import solve
from naturalistic.models.engine.fold_data import fold_products, make_fold_indices
from naturalistic.models.engine.scoring import TOLERANCE, Direct, Rotated, compress, shrinkage
from naturalistic.models.engine.small import WIDEST
from naturalistic.models.folds import GroupGapKFold, check_folds
from naturalistic.models.ridge import RidgeCV, cross_val_predict, fit_in_turn, fit_many, make_folds, solve_ridge_cv
from sklearn.model_selection import PredefinedSplit, TimeSeriesSplit
from sklearn.utils.estimator_checks import parametrize_with_checks

from tests.helpers.ridge_reference import brute_force, make_problem, score_columns

ALPHAS = np.logspace(-3, 5, 9)
SHAPES = {  # n_trs, n_features, n_targets; 4 folds of 60 samples train on 45, or on 41 and less with a gap
    "tall": (60, 10, 7),
    "square": (60, 60, 7),
    "wide": (60, 100, 7),
    "as many features as training samples": (60, 45, 7),
    "one feature more": (60, 46, 7),
    "one target": (60, 10, 1),
    "one feature": (60, 1, 7),
    "one of each": (60, 1, 1),
}


def assert_same_fit(model, expected, tolerance):
    coef, intercept, alphas, scores = expected
    np.testing.assert_array_equal(model.alphas_, alphas)
    np.testing.assert_allclose(model.coef_, coef, atol=tolerance * np.abs(coef).max())
    np.testing.assert_allclose(model.intercept_, intercept, atol=tolerance * max(1, np.abs(intercept).max()))
    np.testing.assert_allclose(model.cv_scores_, scores, rtol=tolerance, atol=max(tolerance, 1e-8))


@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-8), (np.float32, 1e-4)])
@pytest.mark.parametrize("scoring", ["correlation", "r2"])
@pytest.mark.parametrize("gap", [pytest.param(0, marks=pytest.mark.slow), 2])
@pytest.mark.parametrize("shape", SHAPES)
def test_same_alphas_and_weights_as_brute_force(shape, gap, scoring, dtype, tolerance):
    X, Y, groups = make_problem(*SHAPES[shape], dtype=dtype)
    model = RidgeCV(ALPHAS, 4, gap=gap, scoring=scoring).fit(X, Y, groups)
    expected = brute_force(X, Y, ALPHAS, check_folds(4, len(X), groups, gap), scoring)
    assert model.coef_.dtype == dtype
    assert_same_fit(model, expected, tolerance)
    Y_hat = X @ expected[0].T + expected[1]
    np.testing.assert_allclose(model.predict(X), Y_hat, atol=tolerance * np.abs(Y_hat).max())


@pytest.mark.parametrize("shape", ["tall", "wide"])
@pytest.mark.parametrize("scoring", ["correlation", "r2"])
def test_without_intercept(shape, scoring):
    X, Y, groups = make_problem(*SHAPES[shape])
    model = RidgeCV(ALPHAS, 4, scoring=scoring, fit_intercept=False).fit(X, Y, groups)
    folds = check_folds(4, len(X), groups)
    assert_same_fit(model, brute_force(X, Y, ALPHAS, folds, scoring, fit_intercept=False), 1e-8)
    assert (model.intercept_ == 0).all()


@pytest.mark.parametrize("splitter", ["TimeSeriesSplit", "partial", "overlapping", "one fold"])
@pytest.mark.parametrize("n_features", [10, 80])
def test_any_splitter(splitter, n_features):
    X, Y, _ = make_problem(60, n_features, 5)
    folds = {
        "TimeSeriesSplit": list(TimeSeriesSplit(4).split(X)),
        "partial": [(np.arange(20, 60), np.arange(10)), (np.r_[0:10, 30:60], np.arange(10, 25))],
        "overlapping": [(np.arange(20, 60), np.arange(20)), (np.arange(30, 60), np.arange(30))],
        "one fold": [(np.arange(0, 60, 2), np.arange(1, 60, 2))],
    }[splitter]
    model = RidgeCV(ALPHAS, folds).fit(X, Y)
    assert_same_fit(model, brute_force(X, Y, ALPHAS, folds), 1e-8)


@pytest.mark.parametrize("n_features", [10, 100])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_tiny_alphas_with_collinear_and_constant_columns(n_features, dtype):
    X, Y, groups = make_problem(60, n_features, 7, dtype=dtype)
    X[:, 3], X[:, 4], X[:, 5] = X[:, 0], 2 * X[:, 1], 7  # twice a copy, and a constant
    alphas = np.logspace(-12, 12, 25)
    model = RidgeCV(alphas, 4).fit(X, Y, groups)
    expected = brute_force(X, Y, alphas, check_folds(4, 60, groups))
    assert np.isfinite(model.coef_).all() and np.isfinite(model.cv_scores_).all()
    assert (model.coef_[:, 5] == 0).all() or np.abs(model.coef_[:, 5]).max() < 1e-6 * np.abs(model.coef_).max()
    np.testing.assert_allclose(model.cv_scores_, expected[3], atol=1e-4 if dtype == np.float32 else 1e-7)
    chosen = np.log10(model.alphas_).round().astype(int) + 12
    best = expected[3].max(axis=0)
    np.testing.assert_allclose(expected[3][chosen, np.arange(7)], best, atol=1e-4 if dtype == np.float32 else 1e-9)


@pytest.mark.parametrize("condition", [1e2, 1e4])
def test_ill_conditioned_features_keep_float32_weights_to_1e_4(condition):
    rng = np.random.default_rng(0)
    X, Y, groups = make_problem(120, 20, 6)
    U, _, Vt = np.linalg.svd(X - X.mean(axis=0), full_matrices=False)
    X = (U * np.geomspace(10, 10 / condition, 20)) @ Vt
    Y = X @ Vt.T @ (np.geomspace(0.1, 0.1 * condition, 20)[:, None] * rng.standard_normal((20, 6)))
    Y += 0.1 * rng.standard_normal(Y.shape)
    X, Y = X.astype(np.float32), Y.astype(np.float32)
    model = RidgeCV([1e-9, 1e-2], 4, scoring="r2").fit(X, Y, groups)
    expected = brute_force(X, Y, [1e-9, 1e-2], check_folds(4, 120, groups), "r2")
    np.testing.assert_array_equal(model.alphas_, expected[2])
    np.testing.assert_allclose(model.coef_, expected[0], atol=1e-4 * np.abs(expected[0]).max())


@pytest.mark.parametrize("n_features", [10, 100])
@pytest.mark.parametrize("scoring", ["correlation", "r2"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_constant_targets_count_zero_and_are_never_inf(n_features, scoring, dtype):
    X, Y, groups = make_problem(60, n_features, 6, dtype=dtype)
    Y[:, 0] = 0.1  # constant everywhere
    Y[:15, 1] = 0.1  # constant over the first test fold
    Y[15:, 2] = 0.1  # constant over the first training fold
    model = RidgeCV(ALPHAS, 4, scoring=scoring).fit(X, Y, groups)
    expected = brute_force(X, Y, ALPHAS, check_folds(4, 60, groups), scoring)[3]
    if scoring == "correlation":  # brute force correlates the rounding of a constant prediction
        folds = [(train, test) for train, test in check_folds(4, 60, groups) if test[0] != 0]
        expected[:, 2] = 0.75 * brute_force(X, Y[:, [2]], ALPHAS, folds, scoring)[3][:, 0]
    assert (model.cv_scores_[:, 0] == 0).all()
    assert np.abs(model.coef_[0]).max() < 1e-6
    np.testing.assert_allclose(model.intercept_[0], 0.1, rtol=1e-6)
    np.testing.assert_allclose(model.cv_scores_, expected, atol=2e-5 if dtype == np.float32 else 1e-8, rtol=1e-5)


def test_features_constant_over_a_test_fold_predict_nothing_there():
    X, Y, groups = make_problem(60, 3, 4, dtype=np.float32)
    X[:15] = X[0]
    scores = RidgeCV(ALPHAS, 4).fit(X, Y, groups).cv_scores_
    folds = [(train, test) for train, test in check_folds(4, 60, groups) if test[0] != 0]
    np.testing.assert_allclose(scores, 0.75 * brute_force(X, Y, ALPHAS, folds)[3], atol=1e-5)


@pytest.mark.parametrize("peer", ["RidgeCV", "KernelRidgeCV"])
@pytest.mark.parametrize("n_features", [20, 60, 150])
@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-8), ("float32", 1e-4)])
def test_same_as_himalaya(peer, n_features, dtype, tolerance):
    from himalaya import kernel_ridge, ridge
    from himalaya.scoring import correlation_score

    X, Y, groups = make_problem(80, n_features, 40)  # its kernel solver is good to 1e-2 in float32 here
    X, Y = X - X.mean(axis=0), Y - Y.mean(axis=0)
    folds = check_folds(4, len(X), groups)
    test_fold = np.concatenate([np.full(len(test), k) for k, (_, test) in enumerate(folds)])
    options = dict(alphas=ALPHAS, cv=PredefinedSplit(test_fold))
    if peer == "RidgeCV":
        params = dict(score_func=correlation_score, warn=False)
        oracle = ridge.RidgeCV(fit_intercept=True, solver_params=params, **options).fit(X, Y)
        coef = oracle.coef_.T
    else:
        params = dict(score_func=correlation_score)
        oracle = kernel_ridge.KernelRidgeCV(fit_intercept=True, solver_params=params, warn=False, **options).fit(X, Y)
        coef = (X.T @ oracle.dual_coef_).T
    model = RidgeCV(ALPHAS, 4).fit(X.astype(dtype), Y.astype(dtype), groups)
    np.testing.assert_allclose(model.alphas_, oracle.best_alphas_, rtol=1e-6)
    np.testing.assert_allclose(model.coef_, coef, atol=tolerance * np.abs(coef).max())


@pytest.mark.slow
@pytest.mark.parametrize("n_features", [150, 700])
@pytest.mark.parametrize("decay", [0, 1])
def test_float32_selects_as_float64_and_as_an_svd_would(n_features, decay):
    rng = np.random.default_rng(0)
    alphas, n_trs, n_targets = np.logspace(-12, 12, 25), 600, 400
    X = rng.standard_normal((n_trs, n_features)) * np.arange(1, n_features + 1) ** -float(decay)
    signal = X @ rng.standard_normal((n_features, n_targets))
    Y = signal / signal.std(axis=0) * rng.uniform(0, 2, n_targets) + rng.standard_normal((n_trs, n_targets))
    X, Y, groups = X.astype(np.float32), Y.astype(np.float32), np.arange(n_trs) // 10
    scores = np.zeros((25, n_targets))
    for train, test in check_folds(4, n_trs, groups):
        x, y = X[train].astype(float), Y[train] - Y[train].mean(axis=0, dtype=float)
        U, s, Vt = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
        Z, w = (X[test] - X[test].mean(axis=0, dtype=float)) @ Vt.T, U.T @ y
        for a, alpha in enumerate(alphas):
            scores[a] += score_columns(Y[test].astype(float), (Z * (s / (s**2 + alpha))) @ w, "correlation") / 4
    single, double = (RidgeCV(alphas, 4).fit(X.astype(dtype), Y.astype(dtype), groups) for dtype in ("f4", "f8"))
    np.testing.assert_allclose(double.cv_scores_, scores, atol=1e-9)
    np.testing.assert_allclose(single.cv_scores_, scores, atol=2e-6)
    for model, tie in ((single, 2e-6), (double, 1e-9)):  # another alpha only where the scores are the same
        chosen = np.log10(model.alphas_).round().astype(int) + 12
        np.testing.assert_allclose(scores[chosen, np.arange(n_targets)], scores.max(axis=0), atol=tie)
    interior = (double.alphas_ > 1e-4) & (double.alphas_ < 1e6)
    assert interior.mean() > 0.5
    np.testing.assert_array_equal(single.alphas_[interior], double.alphas_[interior])


@pytest.mark.parametrize("n_features", [10, 100])
def test_batches_do_not_change_the_result(n_features):
    X, Y, groups = make_problem(60, n_features, 23)
    whole = RidgeCV(ALPHAS, 4).fit(X, Y, groups)
    for n_targets_batch in (1, 5, 22, 100):
        part = RidgeCV(ALPHAS, 4, n_targets_batch=n_targets_batch).fit(X, Y, groups)
        np.testing.assert_array_equal(part.alphas_, whole.alphas_)
        np.testing.assert_allclose(part.coef_, whole.coef_, atol=1e-11)
        np.testing.assert_allclose(part.cv_scores_, whole.cv_scores_, atol=1e-11)


def test_threads_do_not_change_the_result():
    X, Y, groups = make_problem(60, 10, 300)
    threads, fits = torch.get_num_threads(), []
    try:
        for n in (1, 2):
            torch.set_num_threads(n)
            fits.append(RidgeCV(ALPHAS, 4).fit(X, Y, groups))
            assert torch.get_num_threads() == n
    finally:
        torch.set_num_threads(threads)
    np.testing.assert_array_equal(fits[0].alphas_, fits[1].alphas_)
    np.testing.assert_allclose(fits[0].coef_, fits[1].coef_, atol=1e-11)


class Stored:
    """A data set on disk as HDF5 gives it: shape, dtype and slices, and a count of the columns read."""

    def __init__(self, array):
        self.array, self.shape, self.dtype, self.n_read = array, array.shape, array.dtype, 0

    def __getitem__(self, index):
        rows = index[0]
        assert rows == slice(None)
        self.n_read += self.array[index].shape[1]
        return self.array[index]


def test_memory_map_and_data_set_are_as_an_array_and_read_once_a_pass(tmp_path):
    X, Y, groups = make_problem(60, 10, 30, dtype=np.float32)
    expected = RidgeCV(ALPHAS, 4, n_targets_batch=7).fit(X, Y, groups)
    Y.tofile(tmp_path / "Y.dat")
    stored = Stored(Y)
    for source in (np.memmap(tmp_path / "Y.dat", np.float32, "r", shape=Y.shape), stored):
        model = RidgeCV(ALPHAS, 4, n_targets_batch=7).fit(X, source, groups)
        np.testing.assert_array_equal(model.coef_, expected.coef_)
    assert stored.n_read == 2 * Y.shape[1]  # one pass to check, one to fit


@pytest.mark.parametrize("n_features", [10, 100])
def test_permuting_targets_or_features_permutes_the_result(n_features):
    X, Y, groups = make_problem(60, n_features, 9)
    rng = np.random.default_rng(0)
    targets, features = rng.permutation(9), rng.permutation(n_features)
    a = RidgeCV(ALPHAS, 4).fit(X, Y, groups)
    b = RidgeCV(ALPHAS, 4).fit(X[:, features], Y[:, targets], groups)
    np.testing.assert_array_equal(b.alphas_, a.alphas_[targets])
    np.testing.assert_allclose(b.coef_, a.coef_[targets][:, features], atol=1e-10)


def test_scale_and_offset_of_targets_do_not_matter():
    X, Y, groups = make_problem()
    a, b = RidgeCV(ALPHAS, 4).fit(X, Y, groups), RidgeCV(ALPHAS, 4).fit(X, 1000 * Y - 1e5, groups)
    np.testing.assert_array_equal(a.alphas_, b.alphas_)
    np.testing.assert_allclose(b.coef_, 1000 * a.coef_, rtol=1e-7)


@pytest.mark.parametrize("n_features", [10, 100])
def test_a_fold_does_not_see_its_test_samples(n_features):
    X, Y, groups = make_problem(60, n_features, 4)
    folds = check_folds(4, 60, groups)[:1]  # a single fold: its predictions come from its training samples
    test = folds[0][1]
    noisy = Y.copy()
    noisy[test] = 2 * Y[test] + 1e3  # correlation does not see this, unless it got into the weights
    a, b = RidgeCV(ALPHAS, folds).fit(X, Y), RidgeCV(ALPHAS, folds).fit(X, noisy)
    np.testing.assert_allclose(a.cv_scores_, b.cv_scores_, atol=1e-9)


def test_without_groups_folds_are_contiguous_blocks():
    X, Y, _ = make_problem()
    blocks = make_folds(4, 60)
    for k, (_, test) in enumerate(blocks):
        np.testing.assert_array_equal(test, np.arange(15 * k, 15 * k + 15))
    np.testing.assert_array_equal(RidgeCV(ALPHAS, 4).fit(X, Y).coef_, RidgeCV(ALPHAS, blocks).fit(X, Y).coef_)


def test_recovers_a_simulated_response():
    rng = np.random.default_rng(0)
    hrf = np.array([0, 0.2, 0.8, 1, 0.7, 0.3, 0, -0.1])
    stimulus = rng.standard_normal(2000)
    X = np.stack([np.concatenate([np.zeros(d), stimulus[: 2000 - d]]) for d in range(8)], axis=1)
    Y = X @ hrf[:, None] * [1, -2, 0] + rng.standard_normal((2000, 3))
    model = RidgeCV(np.logspace(-2, 4, 13), 5, scoring="r2").fit(X.astype(np.float32), Y.astype(np.float32))
    np.testing.assert_allclose(model.coef_, np.outer([1, -2, 0], hrf), atol=0.1)
    assert model.alphas_[2] > 100 * model.alphas_[1]


@pytest.mark.parametrize("n_features", [8, 70])
def test_many_problems_are_as_one_by_one(n_features):
    X, Y, groups = make_problem(60, n_features, 12)
    Xs = {"all": X, "some": X[:, :5], "one": X[:, :1]}
    model = RidgeCV(ALPHAS, 4, scoring="r2")
    together = fit_many(model, Xs, Y, groups)
    for name, x in Xs.items():
        alone = RidgeCV(ALPHAS, 4, scoring="r2").fit(x, Y, groups)
        np.testing.assert_array_equal(together[name].alphas_, alone.alphas_)
        if n_features > WIDEST:  # of one wide problem all go the general way, and nothing is rounded otherwise
            np.testing.assert_array_equal(together[name].coef_, alone.coef_)
            np.testing.assert_array_equal(together[name].predict(x), alone.predict(x))
        np.testing.assert_allclose(together[name].coef_, alone.coef_, atol=1e-12)
        np.testing.assert_allclose(together[name].predict(x), alone.predict(x), atol=1e-10)
    assert [m.n_features_in_ for m in fit_many(model, list(Xs.values()), Y, groups)] == [n_features, 5, 1]


def test_models_in_turn_are_as_one_by_one_and_read_the_targets_once_more(monkeypatch):
    X, Y, groups = make_problem(90, 20, 6)
    checks = []
    finite = ridge.as_targets
    monkeypatch.setattr(ridge, "as_targets", lambda *given: checks.append(1) or finite(*given))
    asked = []
    designs = (asked.append(n) or X[:, :n] for n in (20, 5, 1))
    for n, fitted in zip((20, 5, 1), fit_in_turn(RidgeCV(cv=4), designs, Y, groups)):
        assert asked[-1] == n  # no design is asked for before its turn
        alone = RidgeCV(cv=4).fit(X[:, :n], Y, groups)
        np.testing.assert_array_equal(fitted.coef_, alone.coef_)
        np.testing.assert_array_equal(fitted.predict(X[:, :n]), alone.predict(X[:, :n]))
    assert len(checks) == 1 + 3  # once in turn, once for each alone


def test_cross_val_predict_is_a_loop_over_folds():
    X, Y, groups = make_problem()
    Y_hat = cross_val_predict(RidgeCV(ALPHAS, 3), X, Y, groups, 4, gap=1)
    for train, test in check_folds(4, len(X), groups, 1):
        expected = RidgeCV(ALPHAS, 3).fit(X[train], Y[train], groups[train]).predict(X[test])
        np.testing.assert_array_equal(Y_hat[test], expected)


@pytest.mark.parametrize("way", [Direct, Rotated])
@pytest.mark.parametrize("shape", ["tall", "wide", "as many features as training samples"])
def test_both_ways_to_the_moments_agree(way, shape, monkeypatch):
    monkeypatch.setattr("naturalistic.models.engine.scoring.direct_is_cheaper", lambda *_: way is Direct)
    X, Y, groups = make_problem(*SHAPES[shape])
    for scoring in ("correlation", "r2"):
        model = RidgeCV(ALPHAS, 4, scoring=scoring).fit(X, Y, groups)
        assert_same_fit(model, brute_force(X, Y, ALPHAS, check_folds(4, len(X), groups), scoring), 1e-8)


@pytest.mark.parametrize("way", [Direct, Rotated])
@pytest.mark.parametrize(("alphas", "pairs"), [(np.logspace(-2, 2, 3), False), (np.logspace(-2, 2, 40), True)])
def test_alphas_are_scored_alike_as_their_own_factors_and_as_mixtures(way, alphas, pairs, monkeypatch):
    """Few alphas are not compressed, and need the norms of their own predictions alone."""
    made = []
    monkeypatch.setattr("naturalistic.models.engine.scoring.direct_is_cheaper", lambda *_: way is Direct)
    monkeypatch.setitem(TOLERANCE, torch.float64, 1e-10)
    monkeypatch.setattr("naturalistic.models.engine.scoring.SLAB", 3)  # of 7 targets: the last slab is shorter
    scorer = solve.FoldScorer
    monkeypatch.setattr(solve, "FoldScorer", lambda *args: made.append(scorer(*args)) or made[-1])
    X, Y, groups = make_problem(*SHAPES["tall"])
    for scoring in ("correlation", "r2"):
        model = RidgeCV(alphas, 4, scoring=scoring).fit(X, Y, groups)
        assert_same_fit(model, brute_force(X, Y, alphas, check_folds(4, len(X), groups), scoring), 1e-8)
    assert [one.pairs for one in made] == [pairs] * 8 and all(isinstance(one.method, way) for one in made)


@pytest.mark.parametrize("tolerance", [1e-3, 1e-6, 1e-8])
def test_filters_are_right_to_the_tolerance_in_every_entry(tolerance):
    eigenvalues = torch.logspace(2, -3, 50, dtype=torch.float64)
    filters = shrinkage(eigenvalues, torch.logspace(-12, 12, 25, dtype=torch.float64))
    factors, mixing = compress(filters, tolerance)
    assert factors.shape[1] < 25
    assert float(((factors @ mixing - filters) / filters).abs().max()) <= 1.01 * tolerance


@pytest.mark.parametrize("tolerance", [1e-6, 1e-14])
@pytest.mark.parametrize("rank", [1, 4, 14, 200])
def test_no_fewer_factors_would_do(rank, tolerance):
    """Numbers of factors that cannot do are not tried; the answer is that of trying all."""
    rng = np.random.default_rng(rank)
    for alphas in (np.logspace(0, 7, 15), np.logspace(-12, 12, 25), np.array([1, 1.001, 1.002])):
        eigenvalues = torch.as_tensor(10 ** rng.uniform(-4, 4, rank))
        filters = shrinkage(eigenvalues, torch.as_tensor(alphas))
        factors, _ = compress(filters, tolerance)
        columns = filters.amax(dim=0)
        scaled = filters / columns / (filters / columns).amax(dim=1, keepdim=True)
        U, s, Vt = torch.linalg.svd(scaled, full_matrices=False)
        errors = [(((U[:, :n] * s[:n]) @ Vt[:n] - scaled).abs() / scaled).max() for n in range(1, len(s) + 1)]
        enough = [n for n, error in enumerate(errors, 1) if error <= tolerance and n < len(alphas)]
        assert factors.shape[1] == min(enough, default=len(alphas))


def test_products_of_a_fold_do_not_cancel():
    rng = np.random.default_rng(0)
    left = torch.as_tensor(rng.standard_normal((60, 4)), dtype=torch.float32)
    right = torch.ones(60, 2)
    right[:15] = 1e9  # an artefact in the first fold's test samples
    rows = make_fold_indices(list(GroupGapKFold(4).split(left, groups=np.arange(60) // 5)), 60)
    train = fold_products(left, right, rows)[1]
    torch.testing.assert_close(train[0], left[15:].T @ right[15:], rtol=1e-5, atol=1e-4)


def test_free_function_takes_arrays_and_gives_arrays():
    X, Y, groups = make_problem(dtype=np.float32)
    found = solve_ridge_cv(X, Y, ALPHAS, check_folds(4, len(X), groups))
    np.testing.assert_array_equal(found.coef, RidgeCV(ALPHAS, 4).fit(X, Y, groups).coef_)


@parametrize_with_checks([RidgeCV(cv=3)])
def test_sklearn_conventions(estimator, check):
    check(estimator)
