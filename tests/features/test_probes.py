"""Probes find what is there and nothing where nothing is; ranks count ties half."""

import numpy as np
import pytest
from naturalistic.features.probes import chance, probe, ranks


def test_a_linear_property_is_found_and_noise_is_not():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((300, 20)).astype(np.float32)
    y = x @ rng.standard_normal(20) + rng.standard_normal(300)
    r, predicted = probe(x, y)
    assert r > 0.95 and predicted.shape == (300,)
    assert chance(y, predicted, 200)[1] == pytest.approx(1 / 201)
    nothing, predicted = probe(x, rng.standard_normal(300))
    assert abs(nothing) < 0.2


def test_names():
    rng = np.random.default_rng(1)
    names = np.repeat(["a", "b", "c"], 40)
    x = rng.standard_normal((120, 10))
    x[:, 0] += 4 * (names == "a")
    x[:, 1] += 4 * (names == "b")
    accuracy, predicted = probe(x, names)
    assert accuracy > 0.9
    mean, p = chance(names, predicted, 300)
    assert mean == pytest.approx(1 / 3, abs=0.03) and p < 0.01
    assert probe(rng.standard_normal((120, 10)), names)[0] < 0.5


def test_a_rare_name_makes_fewer_folds():
    names = np.array(["a"] * 20 + ["b"] * 3)
    x = np.random.default_rng(0).standard_normal((23, 2)) + 5.0 * (names == "b")[:, None]
    assert probe(x, names)[0] > 0.9


@pytest.mark.slow
def test_p_is_uniform_without_an_effect():
    rng = np.random.default_rng(2)
    p = [chance(rng.permutation(["a", "b"] * 20), rng.permutation(["a", "b"] * 20), 99, k)[1] for k in range(300)]
    assert np.mean(np.array(p) <= 0.05) < 0.09 and min(p) > 0


def test_what_does_not_vary_is_no_finding():
    """The mean predicted for all (a large alpha) has no correlation; it must not pass for the best of all orders."""
    target = np.random.default_rng(0).standard_normal(50)
    for same in (0.5, 0.3):  # of the second, rounding leaves a spread
        assert chance(target, np.full(50, same), 200) == (0, 1)
    assert probe(np.ones((50, 2)), np.full(50, 0.3))[0] == 0


def test_a_fold_never_sees_its_own_clips():
    """A feature that is a clip's own label in disguise for one clip only helps that clip's fold in no way."""
    rng = np.random.default_rng(3)
    y = rng.standard_normal(50)
    x = np.eye(50)  # each clip has a column of its own: nothing carries over
    r, _ = probe(x, y)
    assert r < 0.2


def test_ranks():
    assert ranks([[3, 1, 2], [5, 4, 4], [0, 0, 0]]).tolist() == [1, 2.5, 2]
    with pytest.raises(ValueError, match=r"expected \(n, n\)"):
        ranks(np.ones((2, 3)))


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.ones((4, 2)), np.ones(3), "one target a clip"),
        (np.full((10, 2), np.nan), np.ones(10), "NaN"),
        (np.ones((10, 2)), np.array(["a"] * 9 + ["b"]), "'b' is the target of 1 clips"),
        (np.ones((10, 2)), np.array(["a"] * 10), "two names"),
    ],
)
def test_bad_input(x, y, message):
    with pytest.raises(ValueError, match=message):
        probe(x, y)


def test_a_rank_of_nan_is_none():
    with pytest.raises(ValueError, match="similarity has 2 values that are NaN"):
        ranks([[np.nan, 1], [0, np.nan]])
