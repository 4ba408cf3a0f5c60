"""Bad input to the ridge engine: each error names the argument, says what came and what to do, at once."""

import numpy as np
import pytest
from naturalistic.models.banded import BandedRidgeCV, draw_gammas
from naturalistic.models.ridge import RidgeCV, cross_val_predict, fit_in_turn, fit_many

from tests.helpers.devices import DEVICE, on_device
from tests.helpers.ridge_reference import make_problem

X, Y, GROUPS = make_problem()


def put(array, value, *places):
    array = array.copy()
    for place in places:
        array[place] = value
    return array


PARAMETERS = {
    "no alpha": (dict(alphas=[]), "alphas is empty"),
    "alpha 0": (dict(alphas=[1, 0]), r"alphas must be positive and finite, got .*0.0.* \(alphas\[1\]\)"),
    "alpha negative": (dict(alphas=[-1]), "alphas must be positive"),
    "alpha NaN": (dict(alphas=[1, np.nan]), "alphas must be positive and finite"),
    "alpha inf": (dict(alphas=[np.inf]), "alphas must be positive and finite"),
    "alpha text": (dict(alphas="many"), "alphas is 'many', expected positive numbers"),
    "scoring": (dict(scoring="accuracy"), "scoring is 'accuracy', expected one of"),
    "more folds than groups": (dict(cv=13), "12 groups cannot fill 13 folds"),
    "one fold": (dict(cv=1), "n_splits is 1, expected a whole number of at least 2"),
    "gap negative": (dict(gap=-1), "gap is -1"),
    "gap over everything": (dict(gap=60), "fold 0 of 4 has no training sample left"),
    "fold without training samples": (dict(cv=[([], [1, 2])]), "fold 0 has no training sample"),
    "fold without test samples": (dict(cv=[([1, 2], [])]), "fold 0 has no test sample"),
    "test in training": (dict(cv=[([1, 2], [2, 3])]), "fold 0 trains on 1 samples that it tests"),
    "rows that are not there": (dict(cv=[([1, 2], [3, 60])]), "lie outside 0 .. 59"),
    "no folds": (dict(cv=[]), "cv has no folds"),
    "device unknown": (dict(device="abacus"), "device is 'abacus', expected 'cpu', 'cuda'"),
    "device of torch that the engine lacks": (dict(device="meta"), "device is 'meta', expected 'cpu' or 'cuda'"),
    "device that is not there": (dict(device="cuda:99"), r"torch finds \d+ CUDA devices here; use device='cpu'"),
    "batch of none": (dict(n_targets_batch=0), "n_targets_batch is 0, expected a whole number of at least 1"),
}


@pytest.mark.parametrize("case", PARAMETERS)
@pytest.mark.parametrize("estimator", [RidgeCV, BandedRidgeCV])
def test_parameters(case, estimator):
    parameters, message = PARAMETERS[case]
    model = estimator(**{"cv": 4, **parameters})
    with pytest.raises(ValueError, match=message):
        model.fit(X if estimator is RidgeCV else {"a": X}, Y, groups=GROUPS)


DATA = {
    "NaN in X": (put(X, np.nan, (3, 2), (1, 7)), Y, "X contains NaN or inf: 2 of 600 values .* row 1, column 7"),
    "inf in X": (put(X, -np.inf, (5, 0)), Y, r"X contains NaN or inf: 1 of 600 .* row 5, column 0 \(-inf\)"),
    "NaN in Y": (X, put(Y, np.nan, (3, 2), (9, 1)), r"Y contains NaN or inf: 2 of 420 .* row 3, column 2 \(NaN\)"),
    "lengths": (X[:50], Y, "X has 50 samples and Y has 60"),
    "no target": (X, Y[:, :0], r"Y has shape \(60, 0\)|0 feature"),
    "three axes": (X, Y[:, :, None], r"dim 3|shape \(60, 7, 1\)"),
    "text": (X, np.full((60, 2), "a"), "Y has dtype <U1, expected real numbers"),
    "complex": (X, Y + 1j, "[Cc]omplex"),
    "no Y": (X, None, "Y is missing"),
    "constant features": (np.ones_like(X), Y, "X has no feature that varies: all 10 are constant over 60 samples"),
    "one sample": (X[:1], Y[:1], "n_samples|1 sample"),
}


@pytest.mark.parametrize("case", DATA)
def test_data(case):
    x, y, message = DATA[case]
    with pytest.raises(ValueError, match=message):
        RidgeCV(cv=4).fit(x, y, groups=GROUPS)


def test_a_value_that_overflows_in_the_sum_is_not_an_error():
    big = put(Y, 1e308, (0, 0), (1, 0))
    model = RidgeCV(cv=4).fit(X, big, GROUPS)
    np.testing.assert_allclose(model.coef_[1:], RidgeCV(cv=4).fit(X, Y, GROUPS).coef_[1:], atol=1e-10)


def test_groups():
    with pytest.raises(ValueError, match=r"groups has shape \(59,\), expected \(60,\)"):
        RidgeCV(cv=4).fit(X, Y, groups=GROUPS[1:])
    with pytest.raises(ValueError, match="cv is 61 folds with n_samples = 60"):
        RidgeCV(cv=61).fit(X, Y)
    with pytest.raises(ValueError, match="expected each exactly once"):
        cross_val_predict(RidgeCV(cv=2), X, Y, GROUPS, [(np.arange(30), np.arange(30, 60))])


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.uint16, bool])
def test_integers_are_numbers(dtype):
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 2, (60, 5)).astype(dtype), rng.integers(0, 2, (60, 3)).astype(dtype)
    model = RidgeCV(cv=4).fit(x, y, GROUPS)
    expected = RidgeCV(cv=4).fit(x.astype(float), y.astype(float), GROUPS)
    assert model.coef_.dtype == np.float64
    np.testing.assert_array_equal(model.coef_, expected.coef_)


@pytest.mark.parametrize("dtype", [np.float16, ">f4", ">f8"])
def test_other_floats_are_numbers(dtype):
    model = RidgeCV(cv=4).fit(X, Y.astype(dtype), GROUPS)
    np.testing.assert_allclose(model.coef_, RidgeCV(cv=4).fit(X, Y, GROUPS).coef_, atol=1e-2)


def test_nothing_long_starts_before_the_checks(monkeypatch):
    monkeypatch.setattr("naturalistic.models.ridge.solve_ridge_cv", lambda *_, **__: pytest.fail("work has started"))
    for parameters, _ in PARAMETERS.values():
        with pytest.raises(ValueError):
            RidgeCV(**{"cv": 4, **parameters}).fit(X, Y, groups=GROUPS)


SPACES = {
    "no space": ({}, "X has no feature space"),
    "space without columns": ({"a": X, "b": X[:, :0]}, r"X\['b'\] has shape \(60, 0\), expected"),
    "vector": ({"a": X[:, 0]}, r"X\['a'\] has shape \(60,\), expected \(n_samples, n_features\)"),
    "lengths": ({"a": X, "b": X[:50]}, r"differ in length: \{'a': 60, 'b': 50\}"),
    "NaN": ({"a": X, "b": put(X, np.nan, (3, 2))}, r"X\['b'\] contains NaN or inf: 1 of 600 .* row 3, column 2"),
    "constant": ({"a": X, "b": np.ones((60, 2))}, r"X\['b'\] has no feature that varies"),
    "text": ({"a": np.full((60, 2), "a")}, r"X\['a'\] has type <U1"),
}


@pytest.mark.parametrize("case", SPACES)
def test_spaces(case):
    x, message = SPACES[case]
    with pytest.raises(ValueError, match=message):
        BandedRidgeCV(cv=4).fit(x, Y, groups=GROUPS)


DRAWS = {
    "none": (dict(n_draws=0), "n_draws is 0, expected a whole number of at least 1"),
    "wrong shape": (dict(n_draws=[[1, 0, 0]]), r"n_draws has shape \(1, 3\), expected .* \(n_draws, 2\)"),
    "negative": (dict(n_draws=[[1, -1]]), "n_draws has weights that are negative"),
    "all zero": (dict(n_draws=[[0, 0]]), "all zero in a draw"),
    "patience": (dict(patience=0), "patience is 0"),
}


@pytest.mark.parametrize("case", DRAWS)
def test_draws(case):
    parameters, message = DRAWS[case]
    with pytest.raises(ValueError, match=message):
        BandedRidgeCV(cv=4, **parameters).fit({"a": X, "b": X[:, :2]}, Y, groups=GROUPS)


def test_predicting_from_other_spaces():
    model = BandedRidgeCV(cv=4, n_draws=2).fit({"a": X, "b": X[:, :2]}, Y, groups=GROUPS)
    with pytest.raises(ValueError, match=r"X has the spaces \['a'\], expected those fitted: \['a', 'b'\]"):
        model.predict({"a": X})
    with pytest.raises(ValueError, match=r"X\['b'\] has 3 features, expected the 2 fitted"):
        model.predict({"a": X, "b": X[:, :3]})


def test_draws_of_nothing():
    with pytest.raises(ValueError, match="n_draws is 0, expected a whole number of at least 1"):
        draw_gammas(0, 3)
    with pytest.raises(ValueError, match="n_spaces is 0, expected a whole number of at least 1"):
        draw_gammas(3, 0)


def test_a_gap_for_folds_that_are_given():
    folds = [(np.arange(len(X) // 2), np.arange(len(X) // 2, len(X)))]
    with pytest.raises(ValueError, match="gap is for a number of folds; give a splitter its own gap"):
        RidgeCV(cv=folds, gap=5).fit(X, Y)


def test_many_problems():
    with pytest.raises(ValueError, match="Xs is empty"):
        fit_many(RidgeCV(), [], Y)
    with pytest.raises(ValueError, match=r"Xs differ in length"):
        fit_many(RidgeCV(cv=4), [X, X[:50]], Y, GROUPS)
    with pytest.raises(ValueError, match=r"Xs\['b'\] contains NaN or inf: 1 of 600"):
        fit_many(RidgeCV(cv=4), {"a": X, "b": put(X, np.nan, (3, 2))}, Y, GROUPS)


def test_models_in_turn():
    with pytest.raises(ValueError, match="Y contains NaN or inf"):
        next(fit_in_turn(RidgeCV(cv=4), [X], put(Y, np.nan, (3, 2)), GROUPS))
    in_turn = fit_in_turn(RidgeCV(cv=4), [X, X[:50]], Y, GROUPS)
    next(in_turn)
    with pytest.raises(ValueError, match=f"X has 50 samples, expected {len(X)}"):
        next(in_turn)


@on_device
@pytest.mark.parametrize("n_features", [10, 100])
@pytest.mark.parametrize("scoring", ["correlation", "r2"])
def test_another_device_gives_the_same(n_features, scoring):
    x, y, groups = make_problem(60, n_features, 7)
    options = {"cv": 4, "scoring": scoring}
    cpu, other = (RidgeCV(**options, device=device).fit(x, y, groups) for device in ("cpu", DEVICE))
    np.testing.assert_array_equal(other.alphas_, cpu.alphas_)
    np.testing.assert_allclose(other.coef_, cpu.coef_, atol=1e-8)
    np.testing.assert_allclose(other.cv_scores_, cpu.cv_scores_, atol=1e-10)
    np.testing.assert_allclose(other.predict(x), cpu.predict(x), atol=1e-8)
    spaces = {"a": x, "b": x[:, :4] ** 2}
    options["n_draws"] = 4
    cpu, other = (BandedRidgeCV(**options, device=device).fit(spaces, y, groups) for device in ("cpu", DEVICE))
    np.testing.assert_array_equal(other.gammas_, cpu.gammas_)
    np.testing.assert_allclose(other.coef_, cpu.coef_, atol=1e-8)


@on_device
def test_another_device_in_float32_and_from_a_file(tmp_path):
    """Scores in float32 may differ by rounding; an alpha may then be its neighbor's equal."""
    x, y, groups = (np.float32(part) if part.dtype == np.float64 else part for part in make_problem(60, 20, 300))
    np.save(tmp_path / "y.npy", y)
    stored = np.load(tmp_path / "y.npy", mmap_mode="r")
    cpu = RidgeCV(cv=4).fit(x, y, groups)
    other = RidgeCV(cv=4, device=DEVICE, n_targets_batch=70).fit(x, stored, groups)
    np.testing.assert_allclose(other.cv_scores_, cpu.cv_scores_, atol=1e-5)
    same = other.alphas_ == cpu.alphas_
    assert same.mean() > 0.99
    np.testing.assert_allclose(other.coef_[same], cpu.coef_[same], atol=1e-4)
