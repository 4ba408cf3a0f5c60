"""Likeness, pace and spread of feature spaces against loops and closed forms."""

import numpy as np
import pytest
from naturalistic.features.geometry import autocorrelation, cka, participation, persistence

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("shape", "width"), [((50, 6), 9), ((20, 40), 9), ((20, 40), 30)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cka_equals_its_definition(shape, width, dtype):
    """By the kernels, HSIC over its square roots, whatever the smaller side is."""
    X = RNG.normal(size=shape).astype(dtype)
    Y = (X[:, :4] @ RNG.normal(size=(4, width)) + RNG.normal(size=(shape[0], width))).astype(dtype)
    H = np.eye(shape[0]) - 1 / shape[0]
    K, L = (H @ (Z @ Z.T).astype(float) @ H for Z in (X, Y))
    assert cka(X, Y) == pytest.approx(np.trace(K @ L) / np.sqrt(np.trace(K @ K) * np.trace(L @ L)), rel=1e-4)


def test_cka_minds_neither_rotation_nor_scale_nor_mean():
    X = RNG.normal(size=(100, 5))
    Q = np.linalg.qr(RNG.normal(size=(5, 5)))[0]
    assert cka(X, 3 * X @ Q + 7) == pytest.approx(1)
    assert cka(X, RNG.normal(size=(100, 5))) < 0.2
    assert np.isnan(cka(X, np.ones((100, 2))))


def test_autocorrelation_equals_a_loop_inside_runs():
    X, runs = RNG.normal(size=(30, 3)).cumsum(axis=0).astype(np.float32), np.repeat([0, 1], [18, 12])
    found = autocorrelation(X, [0, 1, 4, 15, 40], runs)
    assert found[0] == pytest.approx(1) and np.isnan(found[-1])
    for k, lag in enumerate([0, 1, 4]):
        up = down = 0
        for run in (0, 1):
            x = X[runs == run].astype(float)
            x -= x.mean(axis=0)
            pairs = [(x[t], x[t + lag]) for t in range(len(x) - lag)]
            up += sum(a @ b for a, b in pairs)
            down += np.sqrt(sum(a @ a for a, _ in pairs) * sum(b @ b for _, b in pairs))
        assert found[k] == pytest.approx(up / down, rel=1e-5)


def test_autocorrelation_recovers_a_known_pace():
    x = np.zeros((20_000, 4))
    for t in range(1, len(x)):
        x[t] = 0.8 * x[t - 1] + RNG.normal(size=4)
    assert autocorrelation(x, [1, 3]) == pytest.approx([0.8, 0.8**3], abs=0.02)


def test_runs_do_not_see_each_other():
    X, runs = RNG.normal(size=(40, 3)), np.repeat([0, 1], 20)
    moved = X.copy()
    moved[20:] += 100
    np.testing.assert_allclose(autocorrelation(X, [1, 2], runs), autocorrelation(moved, [1, 2], runs))


def test_persistence_of_texts():
    texts, runs = ["a", "a", "b", "", "a"] + ["a", "a", "a"], [0] * 5 + [1] * 3
    # lag 1: aa yes, ab no, b- no | aa yes, aa yes; lag 4: first a and last a of run 0
    assert persistence(texts, [0, 1, 4, 9], runs) == pytest.approx([1, 3 / 5, 1, np.nan], nan_ok=True)


def test_participation():
    line = np.outer(RNG.normal(size=200), RNG.normal(size=5))
    assert participation(line) == pytest.approx(1)
    assert participation(RNG.normal(size=(20_000, 5))) == pytest.approx(5, abs=0.05)
    wide = RNG.normal(size=(10, 60))
    values = np.linalg.eigvalsh(np.cov(wide.T))
    assert participation(wide) == pytest.approx(values.sum() ** 2 / (values**2).sum())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cka(np.eye(3), np.eye(4)), "first has 3 samples and second 4"),
        (lambda: cka(np.ones(3), np.eye(3)), "first has shape (3,)"),
        (lambda: cka(np.full((3, 2), np.nan), np.eye(3)), "first"),
        (lambda: autocorrelation(np.eye(3), [-1]), "lags[0] is -1, expected a whole number of at least 0"),
        (lambda: autocorrelation(np.ones(3), [1]), "features has shape (3,), expected (n_samples, n_features)"),
        (lambda: autocorrelation(np.eye(3), [1], [0, 1]), "runs"),
        (lambda: persistence(["a", "b"], [-1]), "lags[0] is -1, expected a whole number of at least 0"),
        (lambda: persistence(["a", "b"], [0.5]), "lags[0] is 0.5, expected a whole number of at least 0"),
        (lambda: participation(np.zeros((0, 3))), "expected (n_samples, n_features)"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError) as error:
        call()
    assert message in str(error.value)
