"""One brain read by a decoder of others: a shared latent is found through everybody's own mixture of it."""

from functools import partial

import numpy as np
import pytest
from naturalistic import decoding

N_CLIPS, N_WINDOWS, DIM = 80, 2, 8
CLIPS = np.repeat(np.arange(N_CLIPS), N_WINDOWS)
MODEL = decoding.default_ridge(np.logspace(0, 5, 6), cv=4)
FIT = partial(decoding.fit_decoder, strategy="whole", model=MODEL)
WIDTHS = {"001": 120, "002": 90, "003": 200}


def mixing(subject):
    return np.random.default_rng(int(subject)).standard_normal((DIM, WIDTHS[subject]))


def simulated_bold(targets, noise, seed):
    rng = np.random.default_rng(seed)
    return {
        s: (targets @ mixing(s) + noise * rng.standard_normal((len(targets), w)) + 3).astype(np.float32)
        for s, w in WIDTHS.items()
    }


def experiment(noise=3.0):
    rng = np.random.default_rng(0)
    targets, truth = (
        np.repeat(rng.standard_normal((n, DIM)), N_WINDOWS, axis=0).astype(np.float32) for n in (N_CLIPS, 30)
    )
    return simulated_bold(targets, noise, 1), simulated_bold(truth, noise, 2), targets, truth


def accuracy(predicted, truth):
    clips = np.repeat(np.arange(30), N_WINDOWS)
    return decoding.identification(*(decoding.average_clips(x, clips)[0] for x in (predicted, truth))).mean()


@pytest.mark.parametrize("method", ["ridge", "procrustes"])
def test_alignment_carries_a_brain_to_another(method):
    training, test, _, _ = experiment(noise=0.5)
    found = decoding.align(training["001"], training["002"], CLIPS, method, n_components=DIM, model=MODEL)
    carried = found(test["001"])
    assert carried.dtype == np.float32 and carried.shape == test["002"].shape
    r = [np.corrcoef(a, b)[0, 1] for a, b in zip(carried.T, test["002"].T)]
    assert np.median(r) > (0.9 if method == "ridge" else 0.6)
    np.testing.assert_allclose(found.components(test["001"]), found.target(carried), atol=1e-2)


def test_procrustes_finds_a_rotation():
    rng = np.random.default_rng(0)
    source = rng.standard_normal((100, 12)) * np.linspace(1, 4, 12)
    rotation = np.linalg.qr(rng.standard_normal((12, 12)))[0]
    target = 2.5 * source @ rotation + 7
    found = decoding.align(source, target, method="procrustes", n_components=12)
    np.testing.assert_allclose(found(source), target, atol=1e-8)


@pytest.mark.parametrize("shape", [(30, 80), (80, 30)])
def test_components_are_those_of_the_svd(shape):
    X = np.random.default_rng(0).standard_normal(shape) + 5
    found = decoding.principal_components(X, 6)
    expected = np.linalg.svd(X - X.mean(axis=0), full_matrices=False)[2][:6]
    np.testing.assert_allclose(np.abs(np.sum(found.axes * expected, axis=1)), 1, atol=1e-9)
    np.testing.assert_allclose(found.axes @ found.axes.T, np.eye(6), atol=1e-9)


@pytest.mark.parametrize("options", [{"method": "ridge"}, {"method": "procrustes"}, {"to_voxels": True}])
def test_a_subject_is_decoded_by_a_decoder_of_others(options):
    training, test, targets, truth = experiment()
    options = {"n_components": 20, "model": MODEL, **options}
    for subject in WIDTHS:
        predicted = decoding.decode_left_out_subject(training, test, targets, CLIPS, subject, FIT, **options)
        assert predicted.shape == truth.shape and accuracy(predicted, truth) > 0.9
    pooled = decoding.decode_pooled(training, test, targets, CLIPS, FIT, "002", **options)
    assert all(accuracy(p, truth) > 0.9 for p in pooled.values()) and list(pooled) == list(WIDTHS)


def test_more_subjects_help():
    training, test, targets, truth = experiment(noise=14.0)
    few = np.arange(60)  # of each person's rows
    training = {s: b[few] for s, b in training.items()}
    alone = np.mean([accuracy(FIT(training[s], targets[few], CLIPS[few]).predict(test[s]), truth) for s in WIDTHS])
    pooled = decoding.decode_pooled(training, test, targets[few], CLIPS[few], FIT, "003", n_components=15, model=MODEL)
    assert np.mean([accuracy(p, truth) for p in pooled.values()]) > alone - 0.03 and alone > 0.6


def test_a_clip_is_one_group_in_all_brains():
    training, _, targets, _ = experiment()
    pooled = decoding.pool_subjects(training, targets, CLIPS, "001", n_components=10, model=MODEL)
    assert pooled.bold.shape == (3 * 160, 10) and pooled.targets.shape == (480, DIM)
    assert set(pooled.clips) == set(CLIPS) and pooled.subjects.tolist() == ["001"] * 160 + ["002"] * 160 + ["003"] * 160
    np.testing.assert_array_equal(pooled.to_reference["001"](training["001"]), pooled.bold[:160])
    np.testing.assert_array_equal(pooled.to_reference["003"](training["003"]), pooled.bold[320:])


def test_no_test_row_moves_another():
    training, test, targets, _ = experiment()
    how = {"n_components": 12, "model": MODEL}
    before = decoding.decode_left_out_subject(training, test, targets, CLIPS, "003", FIT, **how)
    changed = {s: b.copy() for s, b in test.items()}
    changed["001"] += 50
    changed["003"][10:] += 50
    after = decoding.decode_left_out_subject(training, changed, targets, CLIPS, "003", FIT, **how)
    np.testing.assert_allclose(before[:10], after[:10], atol=1e-5)
    assert (before[10:] != after[10:]).any()


def test_the_left_out_subject_trains_no_decoder():
    training, test, targets, _ = experiment()
    seen = []

    def watched(bold, targets, clips):
        seen.append(len(bold))
        return FIT(bold, targets, clips)

    decoding.decode_left_out_subject(training, test, targets, CLIPS, "001", watched, n_components=10, model=MODEL)
    assert seen == [2 * 160]


def test_the_model_given_stays_as_it_is():
    training, *_ = experiment()
    model = decoding.default_ridge(cv=4)
    decoding.align(training["001"], training["002"], CLIPS, n_components=5, model=model)
    assert not hasattr(model, "coef_")


A, B = (np.random.default_rng(k).standard_normal((20, 15)) for k in range(2))
NAN = A.copy()
NAN[1, 1] = np.nan
GROUPS = np.repeat(np.arange(10), 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: decoding.align(A, B[1:], GROUPS, n_components=5),
            "source has 20 rows and target 19, expected the same",
        ),
        (lambda: decoding.align(NAN, B, GROUPS, n_components=5), r"source holds 1 value.*index \(1, 1\)"),
        (lambda: decoding.align(A, NAN, GROUPS, n_components=5), r"target holds 1 value"),
        (lambda: decoding.align(A, B, n_components=5), "clips is missing: ridge selects its alphas in folds"),
        (lambda: decoding.align(A, B, GROUPS, "hyper", 5), "method is 'hyper', expected 'ridge' or 'procrustes'"),
        (lambda: decoding.align(A, B, GROUPS), "n_components is 100, expected a whole number from 1 to 15"),
        (lambda: decoding.principal_components(np.outer(A[:, 0], B[0]), 3), "rows span only 1 dimensions"),
        (
            lambda: decoding.align(A, B, method="procrustes", n_components=5)(A[:, 1:]),
            "bold has 14 voxels, expected 15",
        ),
        (lambda: decoding.pool_subjects({"1": A}, A, GROUPS, "2"), "reference is '2', expected one of 1"),
        (
            lambda: decoding.pool_subjects({"1": A, "2": B[1:]}, A, GROUPS, "1"),
            "subject 2 has 19 rows, targets 20 and clips 20",
        ),
        (
            lambda: decoding.decode_pooled({"1": A, "2": B}, {"1": A}, A, GROUPS, FIT, "1"),
            "subject 2 has no test runs: leave it out, or download them",
        ),
        (
            lambda: decoding.decode_left_out_subject({"1": A, "2": B}, {"2": B[:0]}, A, GROUPS, "2", FIT),
            "subject 2 has no test runs",
        ),
        (lambda: decoding.decode_left_out_subject({"1": A}, {"1": A}, A, GROUPS, "1", FIT), "two subjects or more: 1"),
        (
            lambda: decoding.decode_left_out_subject({"1": A, "2": B}, {"2": B}, A, GROUPS, "2", FIT, "2"),
            "reference is '2', the subject that is left out; take one of 1",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
