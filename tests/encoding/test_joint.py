"""The joint model of several feature spaces: parts that sum to the score, what each adds, intervals, and stacking."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from naturalistic.encoding import FoldSplit, Split, fit, fit_predict
from naturalistic.encoding import joint as joint_models
from naturalistic.encoding.bootstrap import BlockSums, draw_counts, score_interval
from naturalistic.encoding.design import design
from naturalistic.encoding.multi_subject import MultiSubjectBold
from naturalistic.encoding.partition import r2_by_space, r_by_space
from naturalistic.encoding.scores import score
from naturalistic.encoding.split_data import split_data
from naturalistic.encoding.stacking import residual_products, stack_weights, stacked_model
from naturalistic.models import scoring
from naturalistic.models.banded import BandedRidgeCV
from naturalistic.models.engine.banded import fit_space_sets, nested_gammas
from naturalistic.models.ridge import RidgeCV

ALPHAS = np.logspace(0, 4, 7)
SPLITS = {"r": (r_by_space, scoring.correlation), "r2": (r2_by_space, scoring.r2)}


def make_film(sizes=(6, 8, 5), shares=(0.3, 0.2, 0.0), n_voxels=12, n_train=4, n_test=2, run=80, seed=0, shared=0):
    """Return spaces, bold, and how to fit them; ``shares`` of variance come from each space, the rest is noise.

    The first ``shared`` columns of the second space are those of the first.
    """
    rng = np.random.default_rng(seed)
    n_trs = (n_train + n_test) * run
    spaces = {f"s{k}": rng.standard_normal((n_trs, p)).astype(np.float32) for k, p in enumerate(sizes)}
    if shared:
        spaces["s1"][:, :shared] = spaces["s0"][:, :shared]
    runs = np.repeat(np.arange(n_train + n_test), run)
    bold = np.sqrt(1 - sum(shares)) * rng.standard_normal((n_trs, n_voxels))
    for x, share in zip(spaces.values(), shares):
        late = design({"x": x}, [(1, 2)], 1.0, runs)
        drive = late @ rng.standard_normal((late.shape[1], n_voxels))
        bold += np.sqrt(share) * drive / drive.std(axis=0)
    how = {"test": runs >= n_train, "delays": [(1, 2)], "tr": 1.0, "runs": runs}
    return spaces, bold.astype(np.float32), how


def banded(n_draws=12):
    return BandedRidgeCV(ALPHAS, 4, n_draws, scoring="r2", progress=False)


def ridge():
    return RidgeCV(ALPHAS, 4, scoring="r2", progress=False)


# ---- parts of a score ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", SPLITS)
@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-12), (np.float32, 1e-6)])
@pytest.mark.parametrize("seed", range(5))
def test_parts_of_a_score_sum_to_it(kind, dtype, tolerance, seed):
    rng = np.random.default_rng(seed)
    split, total = SPLITS[kind]
    n_trs, n_voxels, n_spaces = rng.integers(5, 90), rng.integers(1, 20), rng.integers(1, 6)
    parts = rng.standard_normal((n_spaces, n_trs, n_voxels)) + rng.standard_normal((n_spaces, 1, 1))
    measured = 0.5 * parts.sum(axis=0) + rng.standard_normal((n_trs, n_voxels)) + 3
    parts, measured = parts.astype(dtype), measured.astype(dtype)
    found = split(measured, dict(zip("abcdef", parts)))
    assert found.shape == (n_spaces, n_voxels) and found.dtype == dtype
    np.testing.assert_allclose(found.sum(axis=0), total(measured, parts.sum(axis=0)), rtol=0, atol=10 * tolerance)


def test_parts_of_a_score_are_himalayas():
    from himalaya.scoring import correlation_score_split, r2_score_split

    rng = np.random.default_rng(0)
    parts, measured = rng.standard_normal((3, 50, 7)), rng.standard_normal((50, 7))
    measured -= measured.mean(axis=0)
    named = dict(zip("abc", parts))
    np.testing.assert_allclose(r2_by_space(measured, named), r2_score_split(measured, parts), atol=1e-12)
    np.testing.assert_allclose(r_by_space(measured, named), correlation_score_split(measured, parts), atol=1e-12)


def test_a_space_that_predicts_nothing_has_no_part_and_one_that_predicts_all_has_all():
    rng = np.random.default_rng(1)
    measured = rng.standard_normal((40, 3))
    parts = {"all": measured - measured.mean(axis=0), "nothing": np.zeros((40, 3))}
    for split in (r_by_space, r2_by_space):
        shift = measured.mean(axis=0) / 2 if split is r2_by_space else 0  # R2 charges for a wrong mean
        found = split(measured, {name: part + shift for name, part in parts.items()})
        np.testing.assert_allclose(found, [[1, 1, 1], [0, 0, 0]], atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_variance_no_score(dtype):
    rng = np.random.default_rng(2)
    measured = rng.standard_normal((30, 3)).astype(dtype)
    measured[:, 0] = 7.3
    parts = {name: rng.standard_normal((30, 3)).astype(dtype) for name in "ab"}
    parts["b"][:, 1] = 0.1 - parts["a"][:, 1]  # the sum is constant
    assert np.isnan(r_by_space(measured, parts)).all(axis=0).tolist() == [True, True, False]
    assert np.isnan(r2_by_space(measured, parts)).all(axis=0).tolist() == [True, False, False]


@pytest.mark.parametrize("split", [r_by_space, r2_by_space])
def test_what_cannot_be_split(split):
    with pytest.raises(ValueError, match="parts is empty"):
        split(np.ones((4, 2)), {})
    with pytest.raises(ValueError, match="expected the same"):
        split(np.ones((4, 2)), {"a": np.ones((4, 3))})
    with pytest.raises(ValueError, match="NaN or infinite"):
        split(np.ones((4, 2)), {"a": np.full((4, 2), np.nan)})


# ---- sums over blocks, and the bootstrap -----------------------------------------------------------------------


def simulated_sums(lengths=(60, 47), n_voxels=5, block=10, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    runs = np.repeat(np.arange(len(lengths)), lengths)
    arrays = rng.standard_normal((3, len(runs), n_voxels))
    arrays[1] += arrays[0]
    for run in range(len(lengths)):
        arrays[:, runs == run] -= arrays[:, runs == run].mean(axis=1, keepdims=True)
    measured, *predicted = arrays
    sums = BlockSums(runs, n_voxels, block, dtype)
    for model, x in zip(("good", "bad"), predicted):
        for columns in (slice(0, 2), slice(2, n_voxels)):
            sums.add(model, measured[:, columns], x[:, columns], columns)
    return sums, runs, measured, predicted


def test_scores_from_sums_are_the_scores():
    sums, _, measured, predicted = simulated_sums()
    for model, x in zip(("good", "bad"), predicted):
        np.testing.assert_allclose(sums.score(model), scoring.r2(measured, x), atol=1e-12)
        np.testing.assert_allclose(sums.score(model, "r"), scoring.correlation(measured, x), atol=1e-12)


def test_a_resample_is_the_score_of_its_rows():
    sums, runs, measured, (good, bad) = simulated_sums()
    assert np.bincount(sums.runs).tolist() == [6, 5]
    lengths = [10] * 6 + [9, 9, 10, 9, 10]
    assert np.diff([*sums._starts, len(runs)]).tolist() == lengths
    rows = np.split(np.arange(len(runs)), sums._starts[1:])
    counts = np.random.default_rng(1).integers(0, 3, (4, 11))
    found = sums.resampled([(1, "good"), (-1, "bad")], counts)
    r = sums.resampled([(1, "good")], counts, "r", slice(1, 3))
    for row, taken, r_row in zip(found, counts, r):
        index = np.concatenate([np.tile(one, n) for one, n in zip(rows, taken)])
        y = measured[index]
        score = [1 - ((y - x[index]) ** 2).sum(axis=0) / (y**2).sum(axis=0) for x in (good, bad)]
        np.testing.assert_allclose(row, score[0] - score[1], atol=1e-12)
        x = good[index][:, 1:3]
        expected = (y[:, 1:3] * x).sum(axis=0) / np.sqrt((y[:, 1:3] ** 2).sum(axis=0) * (x**2).sum(axis=0))
        np.testing.assert_allclose(r_row, expected, atol=1e-12)


def test_draws_keep_runs_and_have_the_variance_of_a_mean():
    counts = draw_counts(np.repeat([0, 1], [4, 9]), 20_000, seed=3)
    np.testing.assert_allclose(counts[:, :4].sum(axis=1), 4)
    np.testing.assert_allclose(counts[:, 4:].sum(axis=1), 9)
    np.testing.assert_allclose(counts.mean(axis=0), 1, atol=0.03)
    values = np.random.default_rng(0).standard_normal(4)
    drawn = counts[:, :4] @ values / 4
    np.testing.assert_allclose(drawn.var(), values.var(ddof=1) / 4, rtol=0.05)
    np.testing.assert_array_equal(counts, draw_counts(np.repeat([0, 1], [4, 9]), 20_000, seed=3))


def test_intervals_of_sets_of_voxels_are_those_of_their_means(monkeypatch):
    sums = simulated_sums()[0]
    labels, terms = np.array([0, 2, 0, -1, 2]), [(1, "good"), (-1, "bad")]
    interval = score_interval(sums, terms, labels=labels, n_labels=4, n_boot=200, seed=1)
    bounds = np.stack([interval.low, interval.high])
    drawn = sums.resampled(terms, draw_counts(sums.runs, 200, 1))
    for k in (0, 2):
        expected = np.quantile(drawn[:, labels == k].mean(axis=1), [0.025, 0.975])
        np.testing.assert_allclose(bounds[:, k], expected, atol=1e-12)
    assert np.isnan(bounds[:, [1, 3]]).all()
    alone = score_interval(sums, terms, n_boot=200, seed=1)
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    np.testing.assert_allclose(alone.low, low, atol=1e-12)
    np.testing.assert_allclose(alone.high, high, atol=1e-12)
    monkeypatch.setattr("naturalistic.arrays.BLOCK", 400)
    blockwise = score_interval(sums, terms, n_boot=200, seed=1)
    np.testing.assert_allclose(blockwise.low, low, atol=1e-12)
    np.testing.assert_allclose(blockwise.high, high, atol=1e-12)
    again = score_interval(sums, terms, labels=labels, n_labels=4, n_boot=200, seed=1)
    np.testing.assert_allclose(np.stack([again.low, again.high]), bounds, atol=1e-12)


def test_a_constant_voxel_has_no_score_and_does_not_spoil_its_region():
    rng = np.random.default_rng(0)
    measured, predicted = rng.standard_normal((2, 40, 3))
    measured[:, 1] = 0
    sums = BlockSums(np.repeat([0, 1], 20), 3, 5)
    sums.add("m", measured, predicted)
    assert np.isnan(sums.score("m")).tolist() == [False, True, False]
    by_voxel = score_interval(sums, [(1, "m")], n_boot=20)
    for end in (by_voxel.low, by_voxel.high):
        assert np.isnan(end).tolist() == [False, True, False]
    region = score_interval(sums, [(1, "m")], labels=np.zeros(3, int), n_boot=20)
    assert np.isfinite([region.low, region.high]).all()


def test_sums_that_do_not_fit():
    sums = simulated_sums()[0]
    with pytest.raises(ValueError, match="block is 30, expected a whole number from 1 to 23: the shortest"):
        BlockSums(np.repeat([0, 1], [60, 47]), 5, 30)
    with pytest.raises(ValueError, match="no model other was fitted, expected one of"):
        sums.score("other")
    with pytest.raises(ValueError, match="kind is 'R2'"):
        sums.score("good", "R2")
    with pytest.raises(ValueError, match="expected the same measured responses"):
        sums.join(simulated_sums(seed=1)[0])
    with pytest.raises(ValueError, match="labels is float64"):
        score_interval(sums, [(1, "good")], labels=np.zeros(5))


# ---- the joint model -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def film():
    return make_film()


@pytest.fixture(scope="module")
def fitted(film):
    spaces, bold, how = film
    return joint_models.joint_model(spaces, bold, banded(), Split(**how), pairs=[("s0", "s1")], block=10)


@pytest.mark.slow
def test_each_model_is_the_one_fitted_directly(film, fitted):
    spaces, bold, how = film
    for kept in fitted.sets:
        held_out = fit_predict({n: spaces[n] for n in kept}, bold, banded(), Split(**how))
        np.testing.assert_allclose(fitted.sums.score(kept), held_out.r2(), atol=2e-5)
        np.testing.assert_allclose(fitted.sums.score(kept, "r"), held_out.correlation(), atol=2e-5)
    full = fitted.sums.score(fitted.spaces)
    for row, name in zip(joint_models.unique_variance(fitted), spaces):
        np.testing.assert_allclose(row, full - fitted.sums.score(tuple(n for n in spaces if n != name)), atol=1e-12)


@pytest.mark.parametrize("kind", ["r", "r2"])
def test_parts_sum_to_the_score_of_the_joint_model(fitted, kind):
    parts = getattr(fitted, f"{kind}_by_space")
    assert parts.dtype == np.float32
    np.testing.assert_allclose(parts.sum(axis=0), fitted.sums.score(fitted.spaces, kind), atol=2e-6)


@pytest.mark.slow
def test_repeats_are_merged_and_blocks_of_voxels_change_nothing(film, fitted, monkeypatch, tmp_path):
    spaces, bold, how = film
    test = how["test"]

    def merge(x, runs):
        return x.reshape(2, -1, x.shape[1]), runs[: len(runs) // 2]

    held_out = fit_predict(spaces, bold, banded(), Split(repeats=merge, **how))
    ids = held_out.runs
    monkeypatch.setattr("naturalistic.arrays.BLOCK", 3 * test.sum() * 5)
    mapped = np.memmap(tmp_path / "bold", np.float32, "w+", shape=bold.shape)
    mapped[:] = bold
    merged = joint_models.joint_model(spaces, mapped, banded(), Split(repeats=merge, **how), block=10)
    assert merged.sums.runs.tolist() == [0] * 8 and len(ids) == 80
    np.testing.assert_allclose(merged.sums.score(merged.spaces), held_out.r2(), atol=2e-5)
    np.testing.assert_array_equal(merged.gammas, fitted.gammas)
    apart = MultiSubjectBold({"S01": bold[:, :5], "S02": mapped[:, 5:]})
    beside = joint_models.joint_model(spaces, apart, banded(), Split(repeats=merge, **how), block=10)
    np.testing.assert_array_equal(beside.gammas, fitted.gammas)
    np.testing.assert_allclose(beside.r2_by_space, merged.r2_by_space, atol=1e-6)
    stacked = [stacked_model(spaces, x, ridge(), Split(**how), block=10).weights for x in (bold, apart)]
    np.testing.assert_allclose(*stacked, atol=1e-6)


def test_a_rival_is_taken_in_a_block_of_voxels_at_a_time(film, fitted, monkeypatch):
    spaces, bold, how = film
    rival = fit(spaces, bold, ridge(), Split(**how))
    whole = BlockSums(rival.data.test_runs, bold.shape[1], 10)
    prediction = rival.predict()
    whole.add("plain", prediction.measured, prediction.predicted)
    read = []
    watched = replace(rival, data=replace(rival.data, measured=lambda c: read.append(c) or rival.data.measured(c)))
    monkeypatch.setattr("naturalistic.encoding.bootstrap.column_blocks", lambda *_: [slice(0, 7), slice(7, 12)])
    parts = BlockSums(rival.data.test_runs, bold.shape[1], 10)
    parts.add_fitted("plain", watched)
    assert read == [slice(0, 7), slice(7, 12)]
    np.testing.assert_allclose(parts.score("plain"), whole.score("plain"), atol=1e-6)
    np.testing.assert_allclose(whole.score("plain"), rival.predict().r2(), atol=2e-5)


def test_test_runs_that_lie_apart_are_read_of_the_requested_voxels_alone(film):
    spaces, bold, how = film
    apart = np.isin(how["runs"], [1, 4])
    taken = Taken(bold)
    rows = split_data(spaces, taken, Split(**how | {"test": apart}))
    taken.shapes.clear()
    expected = bold[apart].reshape(2, -1, bold.shape[1])
    expected = (expected - expected.mean(axis=1, keepdims=True)).reshape(-1, bold.shape[1])
    np.testing.assert_allclose(rows.measured(slice(2, 5)), expected[:, 2:5], atol=1e-6)
    assert taken.shapes and all(shape[1] == 3 for shape in taken.shapes)


class Taken:
    """An array that notes the shape of all that is taken from it."""

    def __init__(self, x):
        self.x, self.shape, self.dtype, self.shapes = x, x.shape, x.dtype, []

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        part = self.x[index]
        self.shapes.append(part.shape)
        return part


def test_p_is_that_of_shifted_predictions(film):
    spaces, bold, how = film
    joint = joint_models.joint_model(spaces, bold, banded(3), Split(**how), block=10, n_permutations=50, seed=4)
    held_out = fit_predict(spaces, bold, banded(3), Split(**how))
    np.testing.assert_allclose(joint.p, score(held_out, n_permutations=50, seed=4).p, atol=1 / 51 + 1e-9)
    assert joint.p.max() < 0.1


@pytest.mark.slow
def test_test_runs_select_nothing(film, fitted):
    spaces, bold, how = film
    rng, test = np.random.default_rng(9), how["test"]
    bold, spaces = bold.copy(), {name: x.copy() for name, x in spaces.items()}
    bold[test] = rng.standard_normal(bold[test].shape)
    for x in spaces.values():
        x[test] = 5 * rng.standard_normal(x[test].shape) + 2
    other = joint_models.joint_model(spaces, bold, banded(), Split(**how), block=10)
    np.testing.assert_array_equal(other.gammas, fitted.gammas)
    np.testing.assert_array_equal(other.cv_scores, fitted.cv_scores)
    before, after = (stacked_model(x, y, ridge(), Split(**how), block=10) for x, y in (film[:2], (spaces, bold)))
    np.testing.assert_array_equal(after.weights, before.weights)
    assert (before.sums.score("stacked") != after.sums.score("stacked")).all()


@pytest.mark.slow
def test_simulated_shares_are_recovered_and_what_adds_nothing_adds_nothing():
    spaces, bold, how = make_film(shares=(0.3, 0.15, 0.0), n_voxels=80, n_train=8, n_test=4, run=100)
    joint = joint_models.joint_model(spaces, bold, banded(30), Split(**how), pairs=[("s0", "s1")], block=10)
    mean = joint_models.unique_variance(joint).mean(axis=1)
    np.testing.assert_allclose(mean, [0.3, 0.15, 0.0], atol=0.02)
    np.testing.assert_allclose(joint.r2_by_space.mean(axis=1), [0.3, 0.15, 0.0], atol=0.02)
    np.testing.assert_allclose(joint.sums.score(joint.spaces).mean(), 0.45, atol=0.03)
    for beyond in (False, True):  # nothing is shared
        np.testing.assert_allclose(joint_models.commonality(joint, "s0", "s1", beyond).shared.mean(), 0, atol=0.02)
    in_r = joint_models.unique_variance(joint, "r").mean(axis=1)
    expected = np.sqrt(0.45) - np.sqrt([0.15, 0.3, 0.45])
    np.testing.assert_allclose(in_r, expected, atol=0.03)


@pytest.mark.slow
def test_a_space_that_adds_nothing_has_an_interval_around_zero():
    covered, claimed = [], []
    for seed in range(4):
        spaces, bold, how = make_film((6, 8, 3), (0.2, 0.1, 0.0), 100, 24, 3, 80, seed)
        joint = joint_models.joint_model(spaces, bold, banded(8), Split(**how), block=8)
        interval = joint_models.unique_variance_interval(joint, n_boot=400)
        covered.append((interval.low[2] <= 0) & (0 <= interval.high[2]))
        claimed.append(interval.low[2] > 0)
        assert (interval.low[0] > 0).mean() > 0.95  # a real contribution is told from none
    assert 0.85 <= np.mean(covered) <= 0.99  # a little below 0.95: fitted to noise, it truly takes away a little
    assert np.mean(claimed) <= 0.05


@pytest.mark.parametrize("kind", ["r2", "r"])
def test_intervals_cover_what_endless_film_would_give(kind):
    rng = np.random.default_rng(0)
    n_runs, run, n_voxels = 60, 150, 100
    drive, useless, noise = smooth(rng.standard_normal((3, n_runs * run, n_voxels)))
    runs = np.repeat(np.arange(n_runs), run)
    arrays = (0.6 * drive + noise, 0.5 * drive + 0.1 * useless, 0.1 * useless)
    measured, full, without = (np.concatenate([x - x.mean(axis=0) for x in np.split(a, n_runs)]) for a in arrays)
    sums = {n: BlockSums(runs[runs < n], n_voxels, 15, np.float64) for n in (3, n_runs)}
    for n, one in sums.items():
        for model, x in (("full", full), ("without", without)):
            one.add(model, measured[runs < n], x[runs < n])
    truth = sums[n_runs].score("full", kind) - sums[n_runs].score("without", kind)
    terms = [(1, "full"), (-1, "without")]
    interval = score_interval(sums[3], terms, kind=kind, n_boot=500)
    assert 0.85 <= ((interval.low <= truth) & (truth <= interval.high)).mean() <= 0.99
    naive = BlockSums(runs[runs < 3], n_voxels, 1, np.float64)  # single TRs: too sure of itself
    for model, x in (("full", full), ("without", without)):
        naive.add(model, measured[runs < 3], x[runs < 3])
    narrow = score_interval(naive, terms, kind=kind, n_boot=500)
    assert np.median(narrow.high - narrow.low) < 0.85 * np.median(interval.high - interval.low)


def smooth(x):
    """Return AR(1) courses of x (..., n_trs, n_voxels), neighbours correlated by 0.6."""
    x = x.copy()
    for t in range(1, x.shape[-2]):
        x[..., t, :] = 0.6 * x[..., t - 1, :] + 0.8 * x[..., t, :]
    return x


@pytest.mark.slow
def test_what_two_spaces_share_is_in_neither_of_their_unique_parts():
    spaces, bold, how = make_film((6, 8, 5), (0.4, 0.0, 0.1), 60, 8, 4, 100, shared=6)  # s1 holds all of s0
    joint = joint_models.joint_model(spaces, bold, banded(20), Split(**how), pairs=[("s1", "s0")], block=10)
    mean = joint_models.unique_variance(joint).mean(axis=1)
    np.testing.assert_allclose(mean, [0, 0, 0.1], atol=0.02)
    for beyond in (False, True):
        parts = joint_models.commonality(joint, "s0", "s1", beyond)
        means = [parts.only_first.mean(), parts.only_second.mean(), parts.shared.mean()]
        np.testing.assert_allclose(means, [0, 0, 0.4], atol=0.03)
        rest = ("s2",) if beyond else ()
        terms = [(1, joint.only("s0", *rest)), (1, joint.only("s1", *rest)), (-1, joint.only("s0", "s1", *rest))]
        x = score_interval(joint.sums, [*terms, (-1, rest)], n_boot=200, labels=np.zeros(60, int))
        assert x.low[0] < parts.shared.mean() < x.high[0] and x.low[0] > 0.3
    rest, both = joint.sums.score(("s2",)), joint.sums.score(joint.spaces)
    parts = joint_models.commonality(joint, "s0", "s1", True)
    np.testing.assert_allclose(parts.only_first + parts.only_second + parts.shared, both - rest, atol=1e-6)
    without = {n: joint.sums.score(joint.without(n)) for n in ("s0", "s1")}
    expected = without["s0"] + without["s1"] - both - rest
    np.testing.assert_allclose(parts.shared, expected, atol=1e-6)


# ---- spaces that differ in size, in scale, or are not there ----------------------------------------------------


@pytest.mark.slow
def test_the_scale_of_a_space_changes_nothing(film, fitted):
    spaces, bold, how = film
    scaled = {name: x * factor for (name, x), factor in zip(spaces.items(), (np.float32(1e6), 1, np.float32(1e-6)))}
    other = joint_models.joint_model(scaled, bold, banded(), Split(**how), pairs=[("s0", "s1")], block=10)
    np.testing.assert_array_equal(other.gammas, fitted.gammas)
    np.testing.assert_allclose(other.r2_by_space, fitted.r2_by_space, atol=1e-5)
    # of two draws whose scores differ by rounding a reduced model may take the other: in no more than one voxel here
    difference = np.abs(joint_models.unique_variance(other) - joint_models.unique_variance(fitted))
    assert np.sort(difference, axis=None)[-2] < 1e-5 and difference.max() < 1e-4


@pytest.mark.slow
def test_a_small_space_is_not_drowned_by_a_large_one():
    spaces, bold, how = make_film((5, 384), (0.3, 0.0), 20, 5, 2, 80)
    joint = joint_models.joint_model(spaces, bold, banded(nested_gammas(2)), Split(**how), block=10)
    held_out = fit_predict(spaces, bold, ridge(), Split(**how))
    assert joint_models.unique_variance(joint).mean(axis=1)[0] > 0.25
    assert joint.sums.score(joint.spaces).mean() > held_out.r2().mean() + 0.1  # one penalty for all drowns it
    assert (joint.gammas[0] > 0.5).all()


@pytest.mark.slow
@pytest.mark.filterwarnings("error")
def test_a_space_that_is_missing_from_one_test_run_predicts_nothing_there(film):
    spaces, bold, how = film
    gone = how["runs"] == 5
    spaces = spaces | {"s0": np.where(gone[:, None], 0, spaces["s0"])}
    rows = split_data(spaces, bold, Split(**how))
    assert (rows.test["s0"][rows.test_runs == 5] == 0).all()
    assert (rows.test["s0"][rows.test_runs == 4] != 0).any()
    joint = joint_models.joint_model(spaces, bold, banded(), Split(**how), block=10)
    there = joint.sums.runs == 0
    assert np.isfinite(joint_models.unique_variance(joint)).all()
    in_run = joint.sums.resampled([(1, joint.spaces), (-1, joint.without("s0"))], np.stack([there, ~there]) * 1.0)
    assert in_run[0].mean() > 0.2 > 0.02 > in_run[1].mean()


def constant(rows):
    return lambda spaces, how: (spaces | {"s1": np.where(np.isin(how["runs"], rows)[:, None], 0, spaces["s1"])}, how)


WRONG = {
    "a space of zeros in each test run": (constant([4, 5]), r"space 's1' is constant in each test run \(\[4, 5\]\)"),
    "a level missing from a training run": (
        constant([2]),
        r"space 's1' is constant over the whole training run\(s\) \[2\]",
    ),
    "one space": (lambda s, h: ({"s0": s["s0"]}, h), "expected two or more: nothing is left"),
    "another length": (lambda s, h: (s | {"s0": s["s0"][1:]}, h), "spaces have other lengths than the 480 TRs"),
    "a pair of one": (lambda s, h: (s, h | {"pairs": [("s0", "s0")]}), r"pairs holds \('s0', 's0'\), expected two"),
    "a pair unknown": (lambda s, h: (s, h | {"pairs": [("s0", "x")]}), "expected two of the spaces"),
    "half a run": (lambda s, h: (s, h | {"test": np.arange(480) >= 430}), "mark it whole"),
    "blocks too long": (lambda s, h: (s, h | {"block": 50}), "block is 50, expected a whole number from 1 to 40"),
    "given weights": (lambda s, h: (s, h), r"n_draws has no row of weights that are 0 but for \['s1', 's2'\]"),
    "not finite": (lambda s, h: (s | {"s0": s["s0"] * np.nan}, h), "not finite|NaN"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_fitted_is_said(film, case):
    spaces, bold, how = film
    change, message = WRONG[case]
    spaces, how = change(spaces, how)
    options = {"block": 10} | {k: how.pop(k) for k in ("block", "pairs") if k in how}
    model = banded(np.ones((2, 3))) if case == "given weights" else banded(2)
    with pytest.raises(ValueError, match=message):
        joint_models.joint_model(spaces, bold, model, Split(**how), **options)


def test_what_was_not_fitted_is_said(film):
    joint = joint_models.joint_model(*film[:2], banded(2), Split(**film[2]), block=10)
    with pytest.raises(ValueError, match="no space 'x', expected one of"):
        joint_models.commonality(joint, "s0", "x")
    with pytest.raises(ValueError, match="was fitted, expected one of"):
        joint_models.commonality(joint, "s0", "s1")


def test_sets_are_fitted_one_at_a_time(film):
    spaces, bold, how = film
    rows = split_data(spaces, bold, Split(**how))
    fits = fit_space_sets(banded(3), rows.train, rows.bold, [["s1"], ["s2", "s0"]], rows.train_runs)
    first = next(fits)
    assert list(first.spaces_) == ["s1"] and len(first.draws_) == 1
    assert list(next(fits).spaces_) == ["s0", "s2"]
    with pytest.raises(ValueError, match=r"sets holds \['x'\], expected one or more of the spaces"):
        next(fit_space_sets(banded(3), rows.train, rows.bold, [["x"]]))
    with pytest.raises(ValueError, match=r"sets holds \[\]"):
        next(fit_space_sets(banded(3), rows.train, rows.bold, [[]]))


@pytest.mark.parametrize(
    "n_spaces, most, levels, n", [(6, 3, (0.1, 1), 191), (3, 5, (1,), 7), (4, 2, (0.1, 0.3, 1), 34)]
)
def test_weights_without_a_space_are_in_the_list(n_spaces, most, levels, n):
    gammas = nested_gammas(n_spaces, most, levels)
    assert gammas.shape == (n, n_spaces) and len(np.unique(gammas.round(9), axis=0)) == n
    np.testing.assert_allclose(gammas.sum(axis=1), 1)
    for left_out in range(n_spaces):
        rest = gammas.copy()
        rest[:, left_out] = 0
        for row in rest[rest.sum(axis=1) > 0]:
            relative = row / row.max()
            if set(relative[relative > 0].round(9)) <= set(levels):  # else the largest was left out, and levels move
                assert np.isclose(gammas, row / row.sum()).all(axis=1).any()


def test_weights_that_cannot_be():
    for levels in ((0, 1), (0.1, 0.5), ()):
        with pytest.raises(ValueError, match="expected numbers above 0, the largest 1"):
            nested_gammas(3, 2, levels)
    with pytest.raises(ValueError, match="most is 0, expected a whole number of at least 1"):
        nested_gammas(3, 0)


def test_sets_among_the_same_weights_are_the_fits_of_those_weights(film):
    spaces, bold, how = film
    rows, gammas = split_data(spaces, bold, Split(**how)), nested_gammas(3, 2)
    sets = [("s0", "s1", "s2"), ("s0", "s2"), ("s1",)]
    fits = list(fit_space_sets(banded(gammas), rows.train, rows.bold, sets, rows.train_runs))
    for names, part in zip(sets, fits):
        columns = [k for k, name in enumerate(spaces) if name in names]
        own = gammas[(np.delete(gammas, columns, axis=1) == 0).all(axis=1)][:, columns]
        X = {name: rows.train[name] for name in names}
        direct = banded(own).fit(X, rows.bold, groups=rows.train_runs)
        np.testing.assert_allclose(part.cv_scores_, direct.cv_scores_, atol=1e-5)
        np.testing.assert_array_equal(part.alphas_, direct.alphas_)
        for name, outside in part.spaces_.items():
            expected = direct.coef_[:, direct.spaces_[name]] if name in names else 0
            np.testing.assert_allclose(part.coef_[:, outside], expected, atol=1e-4)
        np.testing.assert_allclose(part.predict(rows.train), direct.predict(X), atol=1e-4)
    best = [part.cv_scores_.max(axis=0) for part in fits]
    assert (best[0] >= best[1]).all() and (best[0] >= best[2]).all()  # all spaces were searched where fewer were


@pytest.mark.slow
def test_nested_weights_claim_nothing_of_a_space_that_adds_nothing():
    claimed, covered = [], []
    for seed in range(3):
        spaces, bold, how = make_film((6, 8, 3), (0.2, 0.1, 0.0), 100, 8, 4, 80, seed)
        joint = joint_models.joint_model(spaces, bold, banded(nested_gammas(3)), Split(**how), block=8)
        interval = joint_models.unique_variance_interval(joint, n_boot=400)
        claimed.append(interval.low[2] > 0)
        covered.append((interval.low[2] <= 0) & (0 <= interval.high[2]))
        np.testing.assert_allclose(joint_models.unique_variance(joint).mean(axis=1), [0.2, 0.1, 0], atol=0.03)
    assert np.mean(claimed) <= 0.05 and np.mean(covered) > 0.8


# ---- stacking --------------------------------------------------------------------------------------------------


def simulated_products(n_voxels=40, n_spaces=4, seed=0):
    """Return products of residuals of predictions, of which some are bad, alike, or twice the same."""
    rng = np.random.default_rng(seed)
    y = rng.standard_normal((n_voxels, 60))
    quality = rng.uniform(-0.2, 1, (n_voxels, n_spaces, 1))
    p = quality * y[:, None] + 0.5 * rng.standard_normal((n_voxels, n_spaces, 60))
    e = p - y[:, None]
    return e @ e.transpose(0, 2, 1)


def test_stack_weights_are_the_best_on_the_simplex():
    from scipy.optimize import minimize

    products = simulated_products()
    weights = stack_weights(products)
    assert weights.shape == (4, 40) and (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=0), 1, atol=1e-12)
    assert (weights == 0).any() and (np.count_nonzero(weights, axis=0) > 1).any()
    for R, w in zip(products / 60, weights.T):
        found = minimize(
            lambda v, R=R: v @ R @ v,
            np.full(4, 0.25),
            jac=lambda v, R=R: 2 * R @ v,
            bounds=[(0, 1)] * 4,
            constraints={"type": "eq", "fun": lambda v: v.sum() - 1},
            method="SLSQP",
            options={"ftol": 1e-14},
        )
        assert w @ R @ w <= found.fun + 1e-10
        np.testing.assert_allclose(w, found.x, atol=1e-4)


def test_stack_weights_beat_every_point_of_a_grid():
    products = simulated_products(30, 3, 5)
    steps = np.arange(21) / 20
    grid = np.array([(a, b, 1 - a - b) for a, b in itertools.product(steps, steps) if a + b <= 1 + 1e-9])
    errors = np.einsum("gi,vij,gj->vg", grid, products, grid)
    w = stack_weights(products)
    assert (np.einsum("iv,vij,jv->v", w, products, w) <= errors.min(axis=1) + 1e-9).all()


def test_stack_weights_of_one_space_of_twins_and_of_a_perfect_one():
    assert (stack_weights(np.ones((3, 1, 1))) == 1).all()
    twins = np.array([[[2.0, 2.0, 1], [2, 2, 1], [1, 1, 3]]])
    w = stack_weights(twins)[:, 0]
    np.testing.assert_allclose([w[:2].sum(), w[2]], [2 / 3, 1 / 3], atol=1e-3)
    np.testing.assert_allclose(stack_weights(np.zeros((2, 2, 2))), 0.5)
    perfect = np.diag([0.0, 1.0])[None]
    np.testing.assert_allclose(stack_weights(perfect)[:, 0], [1, 0], atol=1e-6)
    with pytest.raises(ValueError, match="at most 12 spaces"):
        stack_weights(np.ones((2, 13, 13)))
    with pytest.raises(ValueError, match="NaN or infinite"):
        stack_weights(np.full((2, 2, 2), np.nan))


def test_products_of_residuals_are_of_time_courses_inside_runs(monkeypatch):
    rng = np.random.default_rng(0)
    runs, e = np.repeat([0, 1], [20, 30]), rng.standard_normal((3, 50, 7))
    centred = np.concatenate([x - x.mean(axis=1, keepdims=True) for x in (e[:, :20], e[:, 20:])], axis=1)
    monkeypatch.setattr("naturalistic.arrays.BLOCK", 200)
    found = residual_products(e + 3 * runs[:, None], runs)  # what a run's level adds is no error
    np.testing.assert_allclose(found, np.einsum("itv,jtv->vij", centred, centred), atol=1e-9)


@pytest.mark.slow
def test_the_stack_is_the_weighted_mean_of_what_single_spaces_predict(film):
    spaces, bold, how = film
    stacked = stacked_model(spaces, bold, ridge(), Split(**how), block=10, n_voxels_at_once=5)
    alone = [fit_predict({n: x}, bold, ridge(), Split(**how)) for n, x in spaces.items()]
    for name, held_out in zip(spaces, alone):
        np.testing.assert_allclose(stacked.sums.score((name,), "r"), held_out.correlation(), atol=2e-5)
    mixed = sum(w * held_out.predicted for w, held_out in zip(stacked.weights, alone))
    np.testing.assert_allclose(stacked.sums.score("stacked"), scoring.r2(alone[0].measured, mixed), atol=2e-5)
    assert stacked.weights.dtype == np.float32
    assert stacked.sums.score("stacked").mean() > max(stacked.sums.score((n,)).mean() for n in spaces)
    assert stacked.weights[0].mean() > stacked.weights[2].mean() + 0.2  # the third adds nothing
    joint = joint_models.joint_model(spaces, bold, banded(2), Split(**how), block=10)
    joint.sums.join(stacked.sums)  # scored on the same rows: their difference has an interval
    terms = [(1, joint.spaces), (-1, "stacked")]
    interval = score_interval(joint.sums, terms, labels=np.zeros(12, int), n_boot=50)
    assert interval.low[0] < interval.high[0]


def test_stacking_with_other_folds_and_few_runs(film):
    spaces, bold, how = film
    keep = how["runs"] >= 1  # three training runs: two are left inside
    how = how | {"runs": how["runs"][keep], "test": how["test"][keep]}
    spaces = {n: x[keep] for n, x in spaces.items()}
    few = RidgeCV(ALPHAS, 3, scoring="r2", progress=False)
    a, b = (stacked_model(spaces, bold[keep], few, Split(**how), block=10, cv=cv) for cv in (None, 3))
    np.testing.assert_array_equal(a.weights, b.weights)
    three = np.repeat([0, 1, 2], 80)
    rows = np.arange(240)
    other = [(rows[(three != k) & (rows % 80 < 60)], rows[three == k]) for k in range(3)]
    assert (a.weights != stacked_model(spaces, bold[keep], few, Split(**how), block=10, cv=other).weights).any()
    with pytest.raises(ValueError, match="cv makes 2 folds, expected three or more"):
        stacked_model(spaces, bold[keep], few, Split(**how), block=10, cv=2)


# ---- folds that leave out runs ---------------------------------------------------------------------------------


def test_sums_of_folds_are_those_of_all_their_runs():
    rng = np.random.default_rng(0)
    lengths = (60, 47, 52)
    measured, predicted = (rng.standard_normal((sum(lengths), 4)) for _ in range(2))
    runs = np.repeat(np.arange(3), lengths)
    whole = BlockSums(runs, 4, 10, np.float64)
    whole.add("m", measured, predicted)
    parts = []
    for run in range(3):
        part = BlockSums(runs[runs == run], 4, 10, np.float64)
        part.add("m", measured[runs == run], predicted[runs == run])
        parts.append(part)
    pooled = BlockSums.pool(parts)
    assert pooled.runs.tolist() == whole.runs.tolist()
    for kind in ("r", "r2"):
        np.testing.assert_allclose(pooled.score("m", kind), whole.score("m", kind))
    interval, expected = (score_interval(sums, [(1, "m")], n_boot=50) for sums in (pooled, whole))
    np.testing.assert_allclose(interval.low, expected.low)
    parts[1].add("n", measured[runs == 1], predicted[runs == 1])
    with pytest.raises(ValueError, match="of other models or voxels"):
        BlockSums.pool(parts)


@pytest.mark.slow
def test_a_joint_model_in_folds_is_one_model_a_fold(film):
    spaces, bold, how = film
    runs = how["runs"]
    folds = [(np.flatnonzero(runs % 3 != k), np.flatnonzero(runs % 3 == k)) for k in range(3)]
    split = FoldSplit(runs, folds, how["tr"], how["delays"], runs)
    joint = joint_models.joint_model(spaces, bold, banded(), split)
    single = [
        joint_models.joint_model(spaces, bold, banded(), Split(runs % 3 == k, runs, how["tr"], how["delays"]))
        for k in range(3)
    ]
    np.testing.assert_allclose(joint.gammas, np.mean([fold.gammas for fold in single], axis=0), atol=1e-6)
    expected = np.mean([joint_models.unique_variance(fold) for fold in single], axis=0)
    np.testing.assert_allclose(joint_models.unique_variance(joint), expected, atol=0.02)
    assert np.isnan(joint.p).all() and len(joint.sums.runs) == sum(len(fold.sums.runs) for fold in single)
    low = joint_models.unique_variance_interval(joint, n_boot=200).low
    assert (low[0] > 0).mean() > 0.8 and not (low[2] > 0).any()
    with pytest.raises(ValueError, match=r"cannot be shifted; encoding\.group_accuracy fits"):
        joint_models.joint_model(spaces, bold, banded(), split, n_permutations=5)
