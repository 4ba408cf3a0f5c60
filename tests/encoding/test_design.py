"""Confounds are looked at first: what is wrong with them is not said of features or BOLD."""

import numpy as np
import pandas as pd
import pytest
from naturalistic.encoding import FoldSplit, fit_predict, group_accuracy
from naturalistic.encoding.design import check_confounds, design, residuals
from naturalistic.models.ridge import RidgeCV

RNG = np.random.default_rng(0)
X = RNG.standard_normal((80, 6))
Y = X @ RNG.standard_normal((6, 4)) + RNG.standard_normal((80, 4))
GROUPS = np.repeat(np.arange(8), 10)
HOW = {"groups": GROUPS, "cv": 4, "delays": [0], "tr": 2.0}
MODEL = RidgeCV([1, 10], 4, progress=False)
DISPLACEMENT = np.abs(RNG.standard_normal((80, 1)))
HOLED = DISPLACEMENT.copy()
HOLED[0] = np.nan
INFINITE = HOLED.copy()
INFINITE[7] = np.inf

BAD = {
    "NaN": (HOLED, r" has 1 value that is NaN, the first in row 0 \(fMRIPrep writes n/a there: put 0\)"),
    "inf": (INFINITE, " has 2 values that are NaN or infinite, the first in row 0"),
    "a row too few": (
        DISPLACEMENT[1:],
        r" has shape \(79, 1\), expected \(80, n_confounds\): one row for each",
    ),
    "turned": (DISPLACEMENT.T, r" has shape \(1, 80\), expected \(80, n_confounds\)"),
    "text": (np.full((80, 1), "n/a"), " has type <U3, expected real numbers"),
}


def held_out(confounds):
    return fit_predict(X, Y, MODEL, FoldSplit(**HOW), confounds=confounds)


def of_a_group(confounds):
    both = [DISPLACEMENT, confounds]
    return group_accuracy(X, np.stack([Y, Y]), MODEL, FoldSplit(**HOW), confounds=both, n_permutations=3)


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize(
    ("call", "name"),
    [(held_out, "confounds"), (of_a_group, r"confounds\[1\]"), (lambda c: residuals(Y, c), "confounds")],
)
def test_what_is_wrong_is_said_of_the_confounds(monkeypatch, case, call, name):
    monkeypatch.setattr(RidgeCV, "fit", lambda *_, **__: pytest.fail("work has started"))
    confounds, message = BAD[case]
    with pytest.raises(ValueError, match=name + message):
        call(confounds)


@pytest.mark.parametrize("n", [59, 60, 90])
def test_more_confounds_than_training_trs(n):
    """Folds train on 60 TRs: 59 confounds and a constant explain any signal."""
    with pytest.raises(ValueError, match=f"confounds has {n} columns for 60 TRs to fit on, expected at most 58"):
        held_out(RNG.standard_normal((80, n)))
    assert held_out(RNG.standard_normal((80, 58))).measured.shape == (80, 4)


def test_a_vector_and_a_table_are_confounds():
    expected = held_out(DISPLACEMENT).measured
    for other in (DISPLACEMENT[:, 0], pd.DataFrame(DISPLACEMENT), DISPLACEMENT.tolist()):
        np.testing.assert_array_equal(held_out(other).measured, expected)
    assert check_confounds(DISPLACEMENT[:, 0], 80).shape == (80, 1)


@pytest.mark.parametrize(
    ("spaces", "bold", "message"),
    [
        (X, Y[:, 0], r"bold has shape \(80,\), expected \(n_trs, n_voxels\): one voxel is bold\[:, None\]"),
        (X, np.where(np.arange(80)[:, None] == 3, np.nan, Y), r"bold holds 4 value\(s\) that are NaN"),
        ({"sound": X, "cuts": X[:, 0]}, Y, r"the space 'cuts' has shape \(80,\), expected \(n_trs, n_features\)"),
        ({"sound": X, "cuts": X[:, :0]}, Y, r"the space 'cuts' has shape \(80, 0\)"),
        ({"sound": X, "cuts": HOLED}, Y, r"the space 'cuts' holds 1 value\(s\) that are NaN or infinite"),
    ],
)
def test_spaces_and_bold_are_named(monkeypatch, spaces, bold, message):
    monkeypatch.setattr(RidgeCV, "fit", lambda *_, **__: pytest.fail("work has started"))
    with pytest.raises(ValueError, match=message):
        fit_predict(spaces, bold, MODEL, FoldSplit(**HOW))


def test_a_unit_that_holds_only_rounding_is_constant():
    """The last layer of MiniLM has two such units; scaled to 1 they changed the accuracy of the layer by .002."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((80, 3)).astype(np.float32)
    X[:, 1] = 1e-32 * rng.standard_normal(80)
    scaled = design(X, [0], 1.0)
    assert (scaled[:, 1] == 0).all() and np.allclose(scaled[:, [0, 2]].std(axis=0), 1, atol=1e-5)
    small = design(X[:, :1] * np.float32(1e-9), [0], 1.0)  # small is not constant
    assert np.allclose(small.std(axis=0), 1, atol=1e-5)
