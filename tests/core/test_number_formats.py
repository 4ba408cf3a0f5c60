"""Results do not depend on the number format of what comes in: half precision, other byte orders, lists, tables."""

import dataclasses
import functools

import numpy as np
import pandas as pd
import pytest
from naturalistic import decoding, encoding, inference
from naturalistic.arrays import mean_and_sd
from naturalistic.encoding import FoldSplit, Split, design
from naturalistic.features import delays, geometry, pca, probes, timing
from naturalistic.features.audio.windows import clips_on_trs
from naturalistic.models import scoring
from naturalistic.models.banded import BandedRidgeCV
from naturalistic.models.ridge import RidgeCV, cross_val_predict, fit_many, solve_ridge_cv

FORMATS = {
    "float16": lambda x: x.astype(np.float16),
    "float32": lambda x: x.astype(np.float32),
    "big-endian": lambda x: x.astype(">f4"),
    "big-endian half": lambda x: x.astype(">f2"),
    "long": lambda x: x.astype(np.longdouble),
    "int16": lambda x: x.astype(np.int16),
    "list": lambda x: x.tolist(),
    "table": lambda x: pd.DataFrame(x) if x.ndim == 2 else x.tolist(),
    "mixed table": lambda x: pd.DataFrame(x).astype({0: np.int16}).astype({1: object}) if x.ndim == 2 else x.tolist(),
}
N_LONG = 22_262  # TRs of a long film: their sum overflows half precision and loses digits in single
N = 240


def whole_numbers(seed, *shape, sd=30.0):
    """Return whole numbers, which every format holds exactly, as float64."""
    return np.rint(np.random.default_rng(seed).standard_normal(shape) * sd)


LONG = whole_numbers(0, N_LONG, 3, sd=np.array([5, 15, 30]))
X = whole_numbers(1, N, 4)
Y = np.rint(X @ whole_numbers(2, 4, 3, sd=1) + whole_numbers(3, N, 3))
THREE = np.rint(whole_numbers(4, 3, N, 2) + whole_numbers(5, N, 2))
GROUPS = np.repeat(np.arange(6), N // 6)
CLIPS = np.repeat(np.arange(N // 10), 10)
TEST = GROUPS == 5
MODEL = RidgeCV([1.0, 100.0], 3, progress=False)
BANDED = BandedRidgeCV([1.0, 100.0], 3, 2, progress=False)
HOW = {"groups": GROUPS, "cv": 3, "delays": [0.0, 2.0], "tr": 2.0}
TESTED = {"test": TEST, "delays": [0.0, 2.0], "tr": 2.0, "runs": GROUPS}


def fitted(model, x, y):
    return model.fit(x, y, groups=GROUPS).predict(x)


def solved(x, y):
    folds = [(np.arange(120), np.arange(120, 240)), (np.arange(120, 240), np.arange(120))]
    return solve_ridge_cv(x, np.asarray(y, dtype=float), [1.0, 10.0], folds).coef


def stacked(calibration):
    return np.stack([calibration.scale, calibration.shift])


def windows(x, y):
    """Return the windows of BOLD with their targets, of clips of 10 TRs."""
    made = decoding.window_bold(y, CLIPS, None, 5.0, 5.0, 0.0, tr=1.0, clip=10.0)
    return decoding.pair_windows(made, vectors_of(x))


def vectors_of(x):
    return np.asarray(x)[: 2 * len(np.unique(CLIPS))].reshape(len(np.unique(CLIPS)), 2, -1)


# by name: a function of the features x (N, 4) and the responses y (N, 3), in one format
PAIRS = {
    "design": lambda x, y: design.design({"a": x, "b": y}, [0.0, (2.0, 4.0)], 2.0, GROUPS, ~TEST),
    "residuals": lambda x, y: design.residuals(y, x, ~TEST),
    "shifted": lambda x, y: design.shifted(y, [1, 2, 3, 4, 5, 6], GROUPS),
    "shift": lambda x, y: delays.shift(x, 2),
    "fir": lambda x, y: delays.fir(x, [2.0, 4.0], 2.0),
    "shift_average": lambda x, y: delays.shift_average(x, [2.0, 4.0, 6.0], 2.0),
    "to_trs": lambda x, y: timing.to_trs(x, np.arange(N), np.arange(0, N, 2), 2.0),
    "to_trs, sum": lambda x, y: timing.to_trs(x, np.arange(N), np.arange(0, N, 60), 60.0, "sum"),
    "components": lambda x, y: pca.fit_components(x, ~TEST, 2).transform(x),
    "correlation": lambda x, y: scoring.correlation(y, X[:, :3]),
    "r2": lambda x, y: scoring.r2(y, y),
    "correlation_matrix": scoring.correlation_matrix,
    "solve_ridge_cv": solved,
    "RidgeCV": lambda x, y: fitted(MODEL, x, y),
    "BandedRidgeCV": lambda x, y: fitted(BANDED, {"x": x}, y),
    "fit_many": lambda x, y: fit_many(MODEL, [x], y, GROUPS)[0].coef_,
    "cross_val_predict": lambda x, y: cross_val_predict(MODEL, x, y, GROUPS, 3),
    "fit_predict, folds": lambda x, y: encoding.fit_predict(x, y, MODEL, FoldSplit(**HOW)).predicted,
    "held_out, confounds": lambda x, y: encoding.fit_predict(x, y, MODEL, FoldSplit(**HOW), confounds=y).measured,
    "circular_shift_null": lambda x, y: inference.circular_shift_null(y, y, GROUPS, 20, 1),
    "block_permutation_null": lambda x, y: inference.block_permutation_null(y, y, GROUPS, 9, 20),
    "t_test": lambda x, y: np.stack(dataclasses.astuple(inference.t_test_over_subjects(y))),
    "sign_flip": lambda x, y: np.stack(dataclasses.astuple(inference.sign_flip_over_subjects(y, 50))),
    "bootstrap_interval": lambda x, y: np.stack(inference.bootstrap_interval(y, 50)),
    "cka": geometry.cka,
    "autocorrelation": lambda x, y: geometry.autocorrelation(x, [0, 1]),
    "participation": lambda x, y: geometry.participation(x),
    "probe": lambda x, y: probes.probe(x, np.asarray(y, dtype=float)[:, 0])[1],
    "unit": lambda x, y: probes.unit(x),
    "windows": lambda x, y: windows(x, y).bold,
    "targets of windows": lambda x, y: windows(x, y).targets,
    "select_delay": lambda x, y: (
        decoding.select_delay(y, CLIPS, None, vectors_of(x), 5, 5, [0, 1], model=MODEL, tr=1, clip=10).scores
    ),
    "fit_decoder": lambda x, y: decoding.fit_decoder(x, y, GROUPS, "voxels", model=MODEL, n_voxels=[2]).predict(x),
    "decoding.held_out_predictions": lambda x, y: decoding.held_out_predictions(
        lambda a, b, c: MODEL.fit(a, b, c), x, y, GROUPS, 3
    ),
    "identification": lambda x, y: decoding.identification(y, y, GROUPS),
    "correlation_by_dimension": lambda x, y: decoding.correlation_by_dimension(y, y),
    "correlation_test": lambda x, y: decoding.correlation_test(y, y, n_permutations=20).null,
    "identification_test": lambda x, y: decoding.identification_test(y, y, n_permutations=20).null,
    "calibrate": lambda x, y: stacked(decoding.calibrate(y, y)),
    "csls": lambda x, y: decoding.csls(x, 2),
    "centered_similarity": lambda x, y: decoding.centered_similarity([1.0, 2, 3])(y, y),
    "average_clips": lambda x, y: decoding.average_clips(x, CLIPS)[0],
    "principal_components": lambda x, y: decoding.principal_components(x, 2)(x),
    "align": lambda x, y: decoding.align(x, y, GROUPS, n_components=2, model=MODEL)(x),
    "pool": lambda x, y: decoding.pool_subjects({"a": x, "b": x}, y, GROUPS, "a", n_components=2, model=MODEL).bold,
    "fit_predict": lambda x, y: encoding.fit_predict({"a": x}, y, MODEL, Split(**TESTED)).predicted,
    "score": lambda x, y: encoding.score(encoding.Prediction(y, y, GROUPS), n_permutations=20).p,
    "sweep": lambda x, y: encoding.sweep_layers(x, y, MODEL, Split(**TESTED), n_permutations=20).r,
    "joint_model": lambda x, y: encoding.joint_model({"a": x, "b": y}, y, BANDED, Split(**TESTED), block=5).r2_by_space,
    "side by side": lambda x, y: fitted(MODEL, x, encoding.MultiSubjectBold({"a": y, "b": y})[:, :]),
    "r2_by_space": lambda x, y: encoding.r2_by_space(y, {"a": y, "b": y}),
    "split_half_data": lambda x, y: encoding.split_half_data({"a": x}, y, MODEL, Split(**TESTED), gap=0).first,
    "learning_curve": lambda x, y: encoding.learning_curve({"a": x}, y, MODEL, Split(**TESTED), gap=0, minutes=[6.0]).r,
    "weight_axes": lambda x, y: encoding.weight_axes([x], 2).explained,
    "project": lambda x, y: encoding.project_weights(x, np.eye(4)),
    "mean_over_delays": lambda x, y: encoding.mean_over_delays(x, 2),
    "text_scores": lambda x, y: encoding.project_texts(x, np.eye(4), x),
}

# the same of an array (n_subjects or n_repeats, N, n_voxels)
STACKS = {
    "group_accuracy": lambda z: encoding.group_accuracy(X, z, MODEL, FoldSplit(**HOW), n_permutations=2).r,
    "own confounds": lambda z: encoding.group_accuracy(X, z, MODEL, FoldSplit(**HOW), n_permutations=0, confounds=z).r,
    "leave_one_out": lambda z: inference.leave_one_out_correlation(z, GROUPS),
    "explainable_variance": lambda z: inference.explainable_variance(z, GROUPS),
    "reliable_voxels": lambda z: encoding.reliable_voxels(z, GROUPS, n_permutations=20).astype(float),
    "reduced": lambda z: pca.pca_transform(np.moveaxis(np.asarray(z), 0, 1), ~TEST, 1),
    "clips_on_trs": lambda z: clips_on_trs(z, np.repeat([0, 1, 2], 10), None, 1.5, 1.5, tr=36.0, clip=360.0),
    "to_trs of layers": lambda z: timing.to_trs(z, np.arange(N), np.arange(0, N, 2), 2.0),
}

LONG_CALLS = {
    "design": lambda x: design.design(x, [0.0, 2.0], 2.0),
    "residuals": lambda x: design.residuals(x, x[:, :1] if isinstance(x, np.ndarray) else LONG[:, :1]),
    "correlation": lambda x: scoring.correlation(x, LONG + whole_numbers(9, N_LONG, 3)),
    "r2": lambda x: scoring.r2(x, LONG + 1),
    "components": lambda x: pca.fit_components(x, np.ones(N_LONG, bool), 2).explained,
    "leave_one_out": lambda x: inference.leave_one_out_correlation([x, LONG + whole_numbers(9, N_LONG, 3)]),
    "t_test": lambda x: np.stack(dataclasses.astuple(inference.t_test_over_subjects(x))),
    "autocorrelation": lambda x: geometry.autocorrelation(x, [1, 2]),
    "average_clips": lambda x: decoding.average_clips(x, np.zeros(N_LONG, int))[0],
    "calibrate": lambda x: stacked(decoding.calibrate(x, LONG)),
    "RidgeCV": lambda x: RidgeCV([1.0], 3, progress=False).fit(x, LONG).coef_,
    "sums of blocks": lambda x: encoding.reliable_voxels([x, x], n_permutations=2).astype(float),
}


@functools.cache
def expected(calls, name):
    """Return what a call gives of float64; once for all formats."""
    if calls == "pairs":
        return PAIRS[name](X, Y)
    return STACKS[name](THREE) if calls == "stacks" else LONG_CALLS[name](LONG)


def check(found, expected):
    """Check the values, and that they are floats of this machine with 32 bits or more."""
    found = np.asarray(found)
    assert found.dtype.kind == "f" and found.dtype.itemsize >= 4 and found.dtype.isnative
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-4 * np.nanmax(np.abs(expected)))


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("format_", FORMATS)
def test_features_and_responses(name, format_):
    into = FORMATS[format_]
    check(PAIRS[name](into(X), into(Y)), expected("pairs", name))


@pytest.mark.parametrize("name", STACKS)
@pytest.mark.parametrize("format_", FORMATS)
def test_subjects_and_repeats(name, format_):
    check(STACKS[name](FORMATS[format_](THREE)), expected("stacks", name))


@pytest.mark.parametrize("name", LONG_CALLS)
@pytest.mark.parametrize("format_", ["float16", "float32", "big-endian", "int16", "table"])
def test_long_films(name, format_):
    check(LONG_CALLS[name](FORMATS[format_](LONG)), expected("long", name))


@pytest.mark.parametrize("format_", [name for name in FORMATS if name != "mixed table"])
def test_large_numbers_do_not_overflow(format_):
    x = FORMATS[format_](np.full((20, 1), 30_000.0))
    np.testing.assert_array_equal(delays.shift_average(x, [2, 4, 6], 2.0)[5:], 30_000)


@pytest.mark.parametrize("n, sd", [(300, 30), (3000, 5), (N_LONG, 1), (N_LONG, 5)])
def test_half_precision_keeps_every_column(n, sd):
    x = (np.random.default_rng(0).standard_normal((n, 3)) * sd).astype(np.float16)
    scaled = design.design(x, [0], 1.0)
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled.std(axis=0, dtype=float), 1, rtol=1e-5)


def test_half_precision_predicts_as_well():
    rng = np.random.default_rng(0)
    x = (rng.standard_normal((3000, 20)) * np.where(np.arange(20) < 10, 8, 0.5)).astype(np.float16)
    y = (x / x.std(0, dtype=float)) @ rng.standard_normal((20, 5)) + rng.standard_normal((3000, 5)) * 3
    how = {"groups": np.repeat(np.arange(10), 300), "cv": 5, "delays": [0], "tr": 1.0}
    half, full = (
        encoding.correlation_inside(encoding.fit_predict(each, y, MODEL, FoldSplit(**how)))
        for each in (x, x.astype(float))
    )
    np.testing.assert_allclose(half, full, atol=1e-5)


@pytest.mark.parametrize("format_", FORMATS)
def test_predictions_of_raw_bold_keep_their_digits(format_):
    """The dtype is that of the fitted model, not that of X: half precision would round 20,000 to 16."""
    bold = Y + 20_000
    x = FORMATS[format_](X)
    found = cross_val_predict(MODEL, x, bold, GROUPS, 3)
    assert found.dtype == MODEL.fit(x, bold, GROUPS).predict(x).dtype
    np.testing.assert_allclose(found, cross_val_predict(MODEL, X, bold, GROUPS, 3), atol=0.1)


def test_predictions_without_groups():
    halves = [(np.arange(120), np.arange(120, 240)), (np.arange(120, 240), np.arange(120))]
    as_indices = cross_val_predict(MODEL, X, Y, None, halves)
    as_marks = cross_val_predict(MODEL, X, Y, None, [(GROUPS < 3, GROUPS >= 3), (GROUPS >= 3, GROUPS < 3)])
    np.testing.assert_array_equal(as_indices, as_marks)
    np.testing.assert_array_equal(as_indices, cross_val_predict(MODEL, X, Y, None, 2))
    one = cross_val_predict(MODEL, X, Y[:, 0], None, halves)
    assert one.shape == (N,)
    np.testing.assert_allclose(one, as_indices[:, 0])


@pytest.mark.parametrize(
    "value, message",
    [
        (np.full((4, 2), "a"), "Y has type <U1, expected real numbers"),
        (np.ones((4, 2), complex), "Y has type complex128, expected real numbers"),
        ([["a", 1.0], [None, 2]], "Y has type|Y has values that are no numbers"),
        ([[1.0, 2.0], [1.0]], r"Y: element 2 has shape \(1,\), expected \(2,\) as element 1"),
    ],
)
def test_what_is_no_number(value, message):
    with pytest.raises(ValueError, match=message):
        scoring.correlation(value, value)


@pytest.mark.parametrize("baseline", [0.0, 1e4])
def test_mean_and_sd(baseline):
    x = np.concatenate([LONG + baseline, np.full((N_LONG, 1), 0.1)], axis=1).astype(np.float32)
    mean, sd = mean_and_sd(x)
    np.testing.assert_allclose(mean, x.astype(float).mean(axis=0), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(sd[:3], x[:, :3].astype(float).std(axis=0), rtol=1e-12)
    assert sd[3] == 0 and mean[3] == np.float32(0.1)
