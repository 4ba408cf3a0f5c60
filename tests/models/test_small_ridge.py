"""Many small ridge problems at once: the answers of each alone, whatever is odd about one of them."""

import numpy as np
import pytest
from naturalistic.models import ridge
from naturalistic.models.engine import small
from naturalistic.models.ridge import RidgeCV, fit_many
from sklearn.model_selection import KFold, TimeSeriesSplit

from tests.helpers.ridge_reference import make_problem

ALPHAS = np.logspace(-2, 5, 15)
WIDTHS = (12, 1, 7, 3, 12, 5)
ROWS = np.zeros(90)


def problems(dtype=np.float64, n_targets=9):
    """Return six small problems on one set of targets, with odd columns among them."""
    X, Y, groups = make_problem(90, max(WIDTHS), n_targets, dtype=dtype)
    Xs = [X[:, :width].copy() for width in WIDTHS]
    Xs[2][:, 1] = 3.0  # constant
    Xs[3][:, 2] = Xs[3][:, 0] - Xs[3][:, 1]  # collinear
    Xs[4][:30, 4] = 1.0  # constant over the first test rows
    Xs[5] *= np.asarray(1e4, dtype)
    Y[:, 4] = -2.0
    Y[:30, 5] = 0.5
    return Xs, Y, groups


def fit_both(model, Xs, Y, groups, monkeypatch):
    """Return the models fitted at once and those fitted one by one, once it is sure that both were asked."""
    asked = []
    solve = ridge.solve_small
    monkeypatch.setattr(ridge, "solve_small", lambda *given, **how: asked.append(1) or solve(*given, **how))
    together = fit_many(model, Xs, Y, groups)
    assert asked == [1]
    return together, [RidgeCV(**model.get_params()).fit(X, Y, groups) for X in Xs]


def assert_same(together, alone, tolerance):
    for a, b in zip(together, alone, strict=True):
        np.testing.assert_allclose(a.cv_scores_, b.cv_scores_, atol=tolerance)
        np.testing.assert_array_equal(a.alphas_, b.alphas_)
        scale = np.abs(b.coef_).max()
        np.testing.assert_allclose(a.coef_ / scale, b.coef_ / scale, atol=tolerance)
        np.testing.assert_allclose(a.intercept_, b.intercept_, rtol=10 * tolerance, atol=100 * tolerance)
        assert a.coef_.dtype == b.coef_.dtype and a.intercept_.dtype == b.intercept_.dtype
        assert a.coef_.shape == b.coef_.shape


@pytest.mark.parametrize("scoring", ["correlation", "r2"])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("cv", [6, list(KFold(3).split(ROWS)), list(TimeSeriesSplit(3, test_size=15).split(ROWS))])
def test_answers_are_those_of_each_alone(scoring, fit_intercept, cv, monkeypatch):
    Xs, Y, groups = problems()
    model = RidgeCV(ALPHAS, cv, scoring=scoring, fit_intercept=fit_intercept)
    assert_same(*fit_both(model, Xs, Y, groups, monkeypatch), 1e-9)


@pytest.mark.parametrize("scoring", ["correlation", "r2"])
def test_a_gap_and_test_sets_shorter_than_problems_are_wide(scoring, monkeypatch):
    Xs, Y, groups = problems()
    assert_same(*fit_both(RidgeCV(ALPHAS, 18, gap=3, scoring=scoring), Xs, Y, groups, monkeypatch), 1e-9)


def test_float32_stays_float32(monkeypatch):
    Xs, Y, groups = problems(np.float32)
    together, alone = fit_both(RidgeCV([1.0, 1e3], 6), Xs, Y, groups, monkeypatch)
    assert together[0].coef_.dtype == np.float32
    assert_same(together, alone, 2e-5)


def test_more_problems_and_targets_than_are_worked_on_at_once(monkeypatch):
    monkeypatch.setattr(small, "AT_ONCE", 2)
    monkeypatch.setattr(small, "SLAB", 4)
    Xs, Y, groups = problems()
    assert_same(*fit_both(RidgeCV(ALPHAS, 6), Xs, Y, groups, monkeypatch), 1e-9)


def test_one_target_and_its_predictions(monkeypatch):
    Xs, Y, groups = problems()
    together, alone = fit_both(RidgeCV(ALPHAS, 6), Xs, Y[:, 0], groups, monkeypatch)
    for X, a, b in zip(Xs, together, alone, strict=True):
        assert a.predict(X).shape == (90,)
        np.testing.assert_allclose(a.predict(X), b.predict(X), atol=1e-8)


@pytest.mark.parametrize("case", ["wide", "few samples", "two types", "many targets"])
def test_other_problems_go_one_by_one(case, monkeypatch):
    monkeypatch.setattr(ridge, "solve_small", lambda *_, **__: pytest.fail("too large for this way"))
    if case == "wide":
        X, Y, groups = make_problem(200, small.WIDEST + 1, 3)
        Xs = [X, X[:, :4]]
    elif case == "few samples":
        X, Y, groups = make_problem(30, 22, 3)
        Xs = [X, X[:, :4]]
        groups = np.repeat([0, 1], 15)
    elif case == "two types":
        X, Y, groups = make_problem(90, 5, 3)
        Xs = [X, X.astype(np.float32)]
    else:
        monkeypatch.setattr(small, "MOST_BYTES", 2 * 2 * small.AT_ONCE * 6 * 3 * 8 - 1)
        X, Y, groups = make_problem(90, 5, 3)
        Xs = [X, X[:, :4]]
    together = fit_many(RidgeCV(ALPHAS, 2), Xs, Y, groups)
    for X, fitted in zip(Xs, together, strict=True):
        np.testing.assert_array_equal(fitted.coef_, RidgeCV(ALPHAS, 2).fit(X, Y, groups).coef_)
