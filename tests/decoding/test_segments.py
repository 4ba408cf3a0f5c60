"""Identification of segments: found where they are, at chance where nothing is, ties half, runs apart."""

import numpy as np
import pytest
from naturalistic.decoding import identify_segments
from scipy.signal import lfilter

RUNS = np.repeat([0, 1, 2], [100, 87, 93])


def smooth(rng, n_columns=6):
    return lfilter([1], [1, -0.8], rng.standard_normal((len(RUNS), n_columns)), axis=0)


def test_the_truth_identifies_itself():
    x = smooth(np.random.default_rng(0))
    found = identify_segments(x, 3 * x + 5, RUNS, 10, n_permutations=19)
    assert (found.accuracy == 1).all() and found.is_first.all() and found.p == 0.05
    assert found.runs.tolist() == [0] * 10 + [1] * 8 + [2] * 9 and found.null.shape == (19,)


def test_longer_segments_are_easier_and_equal_a_loop():
    rng = np.random.default_rng(1)
    target = smooth(rng)
    predicted = target + 6 * smooth(rng)
    accuracy = [identify_segments(predicted, target, RUNS, n).accuracy.mean() for n in (3, 10, 30)]
    assert 0.55 < accuracy[0] < accuracy[1] < accuracy[2]
    expected = []
    for run in range(3):
        p, t = (x[RUNS == run] for x in (predicted, target))
        p, t = ((x - x.mean(axis=0)) / x.std(axis=0) for x in (p, t))
        starts = range(0, len(p) - 9, 10)
        for i in starts:
            r = [np.corrcoef(p[i : i + 10].ravel(), t[j : j + 10].ravel())[0, 1] for j in starts]
            expected.append(np.mean([r[i // 10] > r[j // 10] for j in starts if j != i]))
    np.testing.assert_allclose(identify_segments(predicted, target, RUNS, 10).accuracy, expected)


def test_a_constant_prediction_is_at_chance():
    target = smooth(np.random.default_rng(2))
    found = identify_segments(np.zeros_like(target), target, RUNS, 10, n_permutations=9)
    assert (found.accuracy == 0.5).all() and not found.is_first.any() and found.p == 1


@pytest.mark.slow
def test_p_is_uniform_where_nothing_is_shared():
    p = []
    for seed in range(120):
        rng = np.random.default_rng([7, seed])
        p.append(identify_segments(smooth(rng), smooth(rng), RUNS, 10, n_permutations=39, seed=seed).p)
    p = np.array(p)
    assert 0.01 <= np.mean(p <= 0.05) <= 0.11 and 0.4 < p.mean() < 0.6


def test_what_cannot_be_identified():
    x = smooth(np.random.default_rng(3))
    with pytest.raises(ValueError, match=r"n_trs is 44, expected .* the shortest run, of 87 TRs, needs two segments"):
        identify_segments(x, x, RUNS, 44)
    with pytest.raises(ValueError, match=r"predicted has shape \(280, 5\) and target \(280, 6\)"):
        identify_segments(x[:, :5], x, RUNS, 10)
    x[3, 2] = np.nan
    with pytest.raises(ValueError, match="target"):
        identify_segments(np.nan_to_num(x), x, RUNS, 10)
