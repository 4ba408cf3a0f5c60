"""Counts and seeds: a whole number in any format is one, anything else is refused by the name of the argument."""

import dataclasses

import numpy as np
import pytest
from naturalistic import anatomy, decoding, encoding, inference, parameters
from naturalistic.encoding import FoldSplit
from naturalistic.encoding.bootstrap import BlockSums, score_interval
from naturalistic.features import delays, geometry, pca, probes, timing
from naturalistic.models import folds
from naturalistic.models.banded import BandedRidgeCV
from naturalistic.models.engine.banded import draw_gammas, nested_gammas
from naturalistic.models.ridge import RidgeCV, cross_val_predict

RNG = np.random.default_rng(0)
A, B = RNG.standard_normal((2, 100, 3))
RUNS = np.repeat(np.arange(10), 10)
MODEL = RidgeCV([1.0], 2, progress=False)
HOW = {"groups": RUNS, "cv": 2, "delays": [0], "tr": 2.0}
SUMS = BlockSums(RUNS, 3, 5)

# the argument, a call with a number for it, a number that will do
CALLS = [
    ("n_permutations", lambda n: inference.circular_shift_null(A, B, RUNS, n, 1), 5),
    ("min_shift", lambda n: inference.circular_shift_null(A, B, None, 5, n), 2),
    ("seed", lambda n: inference.draw_shifts(RUNS, 5, seed=n), 5),
    ("n_permutations", lambda n: inference.block_permutation_null(A, B, None, 10, n), 50),
    ("block", lambda n: inference.block_permutation_null(A, B, None, n, 5), 10),
    ("seed", lambda n: inference.block_permutation_null(A, B, None, 10, 5, n), 10),
    ("n_permutations", lambda n: inference.sign_flip_over_subjects(A, n), 100),
    ("seed", lambda n: inference.sign_flip_over_subjects(A, 10, seed=n), 100),
    ("n_boot", lambda n: inference.bootstrap_interval(A, n), 20),
    ("seed", lambda n: inference.bootstrap_interval(A, 5, seed=n), 20),
    ("n_averaged", lambda n: inference.noise_ceiling([0.5], n), 2),
    ("n_permutations", lambda n: encoding.group_accuracy(A, B[None], MODEL, FoldSplit(**HOW), n_permutations=n), 2),
    ("cv", lambda n: RidgeCV([1.0], n).fit(A, B, RUNS), 2),
    ("cv", lambda n: cross_val_predict(MODEL, A, B, RUNS, n), 2),
    ("gap", lambda n: RidgeCV([1.0], 2, gap=n).fit(A, B, RUNS), 1),
    ("n_targets_batch", lambda n: RidgeCV([1.0], 2, n_targets_batch=n).fit(A, B, RUNS), 2),
    ("n_splits", lambda n: list(folds.GroupGapKFold(n).split(A, None, RUNS)), 2),
    ("n_groups", lambda n: folds.contiguous_groups(RUNS, n), 12),
    ("n_draws", lambda n: BandedRidgeCV([1.0], 2, n).fit({"a": A, "b": B}, B, RUNS), 2),
    ("seed", lambda n: BandedRidgeCV([1.0], 2, 2, n).fit({"a": A, "b": B}, B, RUNS), 2),
    ("patience", lambda n: BandedRidgeCV([1.0], 2, 2, patience=n).fit({"a": A}, B, RUNS), 2),
    ("n_spaces", lambda n: draw_gammas(2, n), 3),
    ("most", lambda n: nested_gammas(3, n), 2),
    ("n", lambda n: delays.shift(A, n), 2),
    ("lobes", lambda n: timing.to_trs(A, np.arange(100.0), np.arange(0, 100, 2.0), 2.0, lobes=n), 2),
    ("n_components", lambda n: pca.fit_components(A, np.ones(100, bool), n), 2),
    (r"lags\[0\]", lambda n: geometry.autocorrelation(A, [n]), 2),
    ("n_folds", lambda n: probes.probe(A, B[:, 0], n), 3),
    ("n_permutations", lambda n: probes.chance(A[:, 0], B[:, 0], n), 3),
    ("k", lambda n: decoding.top_k_accuracy(A, B, n), 3),
    ("n", lambda n: decoding.n_way_accuracy(A, B, n), 3),
    ("k", lambda n: decoding.csls(A, n), 3),
    ("n", lambda n: decoding.agreement_matrix(A, B, n), 2),
    ("n_permutations", lambda n: decoding.score_decoding(A, B, n), 30),
    ("seed", lambda n: decoding.score_decoding(A, B, 5, n), 30),
    ("n_permutations", lambda n: decoding.within_label_test(A, B, RUNS, n), 30),
    ("n_components", lambda n: decoding.principal_components(A, n), 2),
    ("n_components", lambda n: decoding.align(A, B, RUNS, n_components=n, model=MODEL), 2),
    ("n_parcels", lambda n: anatomy.equal_area_parcels(A, n), 4),
    ("n_boot", lambda n: decoding.clip_interval(A[:, 0], n_boot=n), 20),
    ("n_best", lambda n: decoding.fit_decoder(A, B, RUNS, parcels=np.array([0, 0, 1]), model=MODEL, n_best=n), 2),
    ("n_voxels", lambda n: decoding.fit_decoder(A, B, RUNS, "voxels", model=MODEL, n_voxels=[n]), 2),
    ("n_permutations", lambda n: encoding.score(encoding.Prediction(A, B, RUNS), n_permutations=n), 5),
    ("block", lambda n: BlockSums(RUNS, 3, n), 5),
    ("n_boot", lambda n: score_interval(SUMS, [(1, ())], n_boot=n), 5),
    ("seed", lambda n: score_interval(SUMS, [(1, ())], n_boot=3, seed=n), 5),
    ("n_delays", lambda n: encoding.mean_over_delays(A, n), 3),
    ("n_axes", lambda n: encoding.weight_axes([A], n), 2),
    ("n_axes", lambda n: encoding.axes_stability([A, B], n), 2),
    ("n", lambda n: encoding.extreme_texts([str(k) for k in range(100)], A, n), 2),
]


def same(found, expected):
    if isinstance(expected, (np.ndarray, float, int)):
        np.testing.assert_array_equal(found, expected)
    elif dataclasses.is_dataclass(expected):
        for field in dataclasses.fields(expected):
            same(getattr(found, field.name), getattr(expected, field.name))
    elif isinstance(expected, (tuple, list)):
        assert len(found) == len(expected)
        for a, b in zip(found, expected):
            same(a, b)


@pytest.mark.parametrize(("name", "call", "number"), CALLS)
@pytest.mark.filterwarnings("ignore:only .* circular shifts exist")
def test_every_public_count(name, call, number):
    for other in (float(number), np.int64(number), np.float32(number), np.array(number)):
        same(call(other), call(number))
    for wrong in (1.5, True, "4", None if name not in ("n_targets_batch", "patience") else [2], np.nan):
        with pytest.raises(ValueError, match=rf"{name} is |{name} has shape|{name} has rows"):
            call(wrong)


@pytest.mark.parametrize("value", [3, 3.0, 3e0, np.int8(3), np.float16(3), np.array(3)])
def test_whole_numbers(value):
    found = parameters.whole("n", value)
    assert found == 3 and type(found) is int and parameters.is_whole(value)


@pytest.mark.parametrize(
    ("value", "options", "message"),
    [
        (0, {}, "n is 0, expected a whole number of at least 1"),
        (9, {"most": 8, "hint": "there are no more"}, "n is 9, expected a whole number from 1 to 8: there are no more"),
        (1.5, {"least": None}, "n is 1.5, expected a whole number"),
        (np.bool_(True), {}, "n is np.True_, expected"),
        (np.inf, {"optional": True}, "n is inf, expected a whole number of at least 1 or None"),
        ("4", {}, "n is '4', expected"),
        ([4], {}, r"n is \[4\], expected"),
    ],
)
def test_what_is_no_count(value, options, message):
    with pytest.raises(ValueError, match=message):
        parameters.whole("n", value, **options)


def test_seeds_and_processes():
    generator = np.random.default_rng(0)
    assert parameters.check_seed(generator) is generator and parameters.check_seed(5.0) == 5
    assert [parameters.check_jobs(n) for n in (None, -1, 2.0)] == [None, -1, 2]
    for wrong in (0, 1.5, "2"):
        with pytest.raises(ValueError, match=r"n_jobs is .*, expected a whole number of processes"):
            parameters.check_jobs(wrong)
    with pytest.raises(ValueError, match="seed is -1, expected a whole number of at least 0"):
        parameters.check_seed(-1)


SUBJECTS = [A, A[:90]]
RAGGED = {
    "isc": (lambda: inference.leave_one_out_correlation(SUBJECTS), r"bold: subject 2 has shape \(90, 3\)"),
    "repeats": (lambda: inference.explainable_variance(SUBJECTS), r"repeats: repeat 2 has shape \(90, 3\)"),
    "t_test": (lambda: inference.t_test_over_subjects([A[0], A[0, :2]]), r"subject 2 has shape \(2,\)"),
    "sign_flip": (lambda: inference.sign_flip_over_subjects([A[0], A[0, :2]]), r"values: subject 2 has shape \(2,\)"),
    "bootstrap": (lambda: inference.bootstrap_interval([A[0], A[0, :2]]), r"values: subject 2 has shape \(2,\)"),
    "group": (
        lambda: encoding.group_accuracy(A, SUBJECTS, MODEL, FoldSplit(**HOW)),
        r"bold: subject 2 .* as subject 1",
    ),
    "reliable_voxels": (lambda: encoding.reliable_voxels(SUBJECTS), r"repeats: repeat 2 has shape \(90, 3\)"),
    "scores": (lambda: encoding.best_space([[1.0, 2], [1.0]]), r"scores: element 2 has shape \(1,\)"),
}


@pytest.mark.parametrize("case", RAGGED)
def test_subjects_of_different_lengths(case):
    call, message = RAGGED[case]
    with pytest.raises(ValueError, match=message):
        call()


GROUPS = {
    "none": ([None] * 100, "groups has 100 of 100 values that are None or NaN, the first in row 0"),
    "NaN": (np.where(np.arange(100) == 7, np.nan, RUNS), "groups has 1 of 100 values .* the first in row 7"),
    "short": (RUNS[:99], r"groups has shape \(99,\), expected \(100,\)"),
}


@pytest.mark.parametrize("case", GROUPS)
@pytest.mark.parametrize(
    "call",
    [
        lambda groups: RidgeCV([1], 2).fit(A, B, groups),
        lambda groups: cross_val_predict(MODEL, A, B, groups, 2),
        lambda groups: encoding.fit_predict(A, B, MODEL, FoldSplit(**HOW | {"groups": groups})),
        lambda groups: list(folds.GroupGapKFold(2).split(A, None, groups)),
        lambda groups: folds.check_folds([([0, 1], [2])], 100, groups),
    ],
)
def test_groups_that_are_missing(case, call):
    groups, message = GROUPS[case]
    with pytest.raises(ValueError, match=message):
        call(groups)


@pytest.mark.parametrize("cv", ["4", "ab", 2.5, True, [1, 2], [([0.5], [1])], [(A, B)]])
def test_folds_that_are_none(cv):
    with pytest.raises(ValueError, match=r"cv is .*, expected a number of folds, a splitter or|cv has rows of type"):
        folds.check_folds(cv, 100, RUNS)
