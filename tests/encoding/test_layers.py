"""The sweep over layers: what it must equal, find, and not see; selection in training; repeats and coordinates."""

import pickle
import shutil

import nibabel as nib
import numpy as np
import pytest
from naturalistic import encoding, preprocessing
from naturalistic.anatomy import regions
from naturalistic.cluster import connect
from naturalistic.datasets import narrative_movie
from naturalistic.encoding import FoldSplit, Split, design
from naturalistic.inference import circular_shift_null, draw_shifts, p_values
from naturalistic.models.ridge import RidgeCV
from naturalistic_simulation import truth

from tests.helpers.simulated_head import grid, image

RUNS = np.repeat(np.arange(5), 120)
TEST = RUNS >= 3
HOW = {"test": TEST, "delays": [(2, 3)], "tr": 1.0, "runs": RUNS}
MODEL = RidgeCV(np.logspace(0, 4, 5), cv=3, progress=False)


def smooth(rng, *shape):
    """Slow noise of standard deviation 1 along the first axis."""
    x = rng.standard_normal(shape)
    for t in range(1, len(x)):
        x[t] += 0.6 * x[t - 1]
    return (x / x.std(axis=0)).astype(np.float32)


@pytest.fixture(scope="module")
def simulated():
    """Four layers of 12 features; voxels 0 to 9 follow layer 2, 2.5 s later; the others follow nothing."""
    rng = np.random.default_rng(0)
    layers = smooth(rng, len(RUNS), 4, 12)
    late = design.design(layers[:, 2], [(2, 3)], 1.0, RUNS)
    bold = smooth(rng, len(RUNS), 40)
    bold[:, :10] += late @ rng.standard_normal((12, 10)) * 0.4
    return layers, bold.astype(np.float32)


def test_each_layer_is_fitted_and_scored_as_if_alone(simulated):
    layers, bold = simulated
    found = encoding.sweep_layers(layers, bold, MODEL, Split(**HOW), n_permutations=50, seed=3)
    for k in range(4):
        pair = encoding.fit_predict(layers[:, k], bold, MODEL, Split(**HOW))
        alone = encoding.score(pair, n_permutations=50, seed=3)
        np.testing.assert_allclose(found.r[k], alone.r, atol=1e-5)
        np.testing.assert_allclose(found.p[k], alone.p, atol=1e-6)
        X = design.design({"x": layers[:, k]}, [(2, 3)], 1.0, RUNS, ~TEST)[~TEST]
        expected = MODEL.fit(X, bold[~TEST], groups=RUNS[~TEST]).cv_scores_.max(axis=0)
        np.testing.assert_allclose(found.cv[k], expected, atol=1e-5)
    assert (found.p_max >= found.p - 1e-6).all()
    one = encoding.sweep_layers(layers[:, 2], bold, MODEL, Split(**HOW))
    np.testing.assert_allclose(one.r[0], found.r[2], atol=1e-6)
    assert np.isnan(one.p).all() and np.isnan(one.p_max).all()


@pytest.mark.parametrize(("remembered", "times"), [(2**29, 1), (0, 4)])
def test_test_responses_are_averaged_once_where_they_can_be_kept(simulated, monkeypatch, remembered, times):
    layers, bold = simulated
    expected = encoding.sweep_layers(layers, bold, MODEL, Split(**HOW), n_permutations=20)
    averaged = []

    def repeats(x, runs):
        averaged.append(x.shape[1])
        return x[None], runs

    monkeypatch.setattr(encoding.layers, "_REMEMBERED", remembered)
    found = encoding.sweep_layers(layers, bold, MODEL, Split(**HOW, repeats=repeats), n_permutations=20)
    assert averaged.count(bold.shape[1]) == times
    np.testing.assert_array_equal(found.r, expected.r)
    np.testing.assert_array_equal(found.p, expected.p)


def test_voxels_are_tested_in_blocks_that_share_their_shifts(simulated, monkeypatch, tmp_path):
    layers, bold = simulated
    np.save(tmp_path / "bold.npy", bold)
    mapped = encoding.MultiSubjectBold({"S01": np.load(tmp_path / "bold.npy", mmap_mode="r"), "S02": bold[:, :7]})
    whole = encoding.sweep_layers(layers[:, :2], mapped, MODEL, Split(**HOW), n_permutations=40, seed=3)
    monkeypatch.setattr("naturalistic.encoding.layers._BLOCK", 9)
    blocks = encoding.sweep_layers(layers[:, :2], mapped, MODEL, Split(**HOW), n_permutations=40, seed=3)
    for name in ("cv", "r", "p", "p_max"):
        np.testing.assert_allclose(getattr(blocks, name), getattr(whole, name), atol=1e-6, err_msg=name)
    assert not np.allclose(whole.p_max[:, :7], whole.p_max[:, 40:])  # each subject has a best voxel of his own


def test_simulated_layer_and_voxels_are_found(simulated):
    layers, bold = simulated
    found = encoding.sweep_layers(layers, bold, MODEL, Split(**HOW), n_permutations=200)
    choice = encoding.select_layer_and_voxels(found.cv, 10)
    assert choice.layer == 2 and set(choice.voxels) == set(range(10))
    assert (found.p[2, :10] <= 0.01).all() and (found.p_max[2, :10] <= 0.05).all()
    assert np.mean(found.p[:, 10:] <= 0.05) < 0.12


def test_subjects_side_by_side_are_fitted_like_alone(simulated, tmp_path):
    layers, bold = simulated
    stored = np.lib.format.open_memmap(tmp_path / "b.npy", "w+", np.float32, (len(RUNS), 25))
    stored[:] = bold[:, 15:]
    both = encoding.MultiSubjectBold({"a": bold[:, :15], "b": stored})
    assert both.shape == bold.shape and len(both) == len(bold)
    for index in ((slice(None), slice(10, 20)), (slice(5, 9), slice(0, 40)), (RUNS == 2, slice(15, 16))):
        np.testing.assert_array_equal(both[index], bold[index])
    np.testing.assert_array_equal(both[10:20][:, :], bold[10:20])
    marked = both[RUNS >= 3]
    np.testing.assert_array_equal(marked[:, :], bold[RUNS >= 3])
    assert np.shares_memory(marked.bold["a"], bold)  # neighbours are not copied
    picked = both.select_voxels({"a": np.array([3, 0]), "b": np.array([24])})
    np.testing.assert_array_equal(picked[:, :], bold[:, [3, 0, 39]])
    marks = {"a": np.arange(15) % 4 == 1, "b": np.arange(25) > 20}
    np.testing.assert_array_equal(both.select_voxels(marks)[:, :], bold[:, np.concatenate(list(marks.values()))])
    with pytest.raises(IndexError):
        both.select_voxels({"a": marks["b"], "b": marks["b"]})
    together = encoding.sweep_layers(layers, both, MODEL, Split(**HOW), n_permutations=30)
    for name, columns in both.columns.items():
        alone = encoding.sweep_layers(layers, bold[:, columns], MODEL, Split(**HOW), n_permutations=30)
        for kind in ("cv", "r", "p", "p_max"):
            np.testing.assert_allclose(both.split(getattr(together, kind))[name], getattr(alone, kind), atol=2e-5)


@pytest.mark.parametrize(
    ("bold", "message"),
    [
        ({}, "no subject"),
        ({"a": np.zeros((5, 2)), "b": np.zeros((6, 2))}, "the same TRs for all subjects"),
        ({"a": np.zeros(5)}, r"expected \(n_trs, n_voxels\)"),
        ({"a": np.zeros((5, 2)), "b": np.zeros((5, 2), np.float32)}, "expected one"),
    ],
)
def test_bad_subjects(bold, message):
    with pytest.raises(ValueError, match=message):
        encoding.MultiSubjectBold(bold)


def test_no_selection_uses_the_test_runs(simulated):
    layers, bold = simulated
    before = encoding.sweep_layers(layers, bold, MODEL, Split(**HOW))
    rng = np.random.default_rng(1)
    other, changed = layers.copy(), bold.copy()
    other[TEST], changed[TEST] = smooth(rng, TEST.sum(), 4, 12) * 3, smooth(rng, TEST.sum(), 40) + 5
    after = encoding.sweep_layers(other, changed, MODEL, Split(**HOW))
    np.testing.assert_array_equal(after.cv, before.cv)
    assert np.abs(after.r - before.r).max() > 0.1


def test_selection_takes_the_best_voxels_of_the_best_layer():
    cv = np.array([[0.5, 0.1, 0.0, 0.0], [0.3, 0.4, 0.0, -0.2], [0.2, 0.2, 0.2, 0.2]])
    assert encoding.select_layer_and_voxels(cv, 1).layer == 0
    two = encoding.select_layer_and_voxels(cv, 2)
    assert two.layer == 1 and two.voxels.tolist() == [1, 0]
    np.testing.assert_allclose(two.cv, [0.3, 0.35, 0.2])
    each = encoding.select_layer_and_voxels({"a": cv, "b": cv[::-1]}, 2)
    values = {"a": cv * 10, "b": cv * 100}
    assert each.at_layer(values)["b"].tolist() == (cv[1] * 100).tolist()
    np.testing.assert_allclose(each.mean_over_voxels(each.at_layer(values)), [3.5, 35])
    for n in (0, 5):
        with pytest.raises(ValueError, match=f"n_best is {n}"):
            encoding.select_layer_and_voxels(cv, n)


def test_a_level_that_is_missing_is_named(simulated):
    layers, bold = simulated
    spaces = {"Speech": layers[:, 1], "Story": layers[:, 0].copy()}
    spaces["Story"][RUNS == 1] = 0
    with pytest.raises(ValueError, match=r"'Story' is constant over the whole training run\(s\) \[1\]"):
        encoding.fit_predict(spaces, bold, MODEL, Split(**HOW))
    spaces["Story"] = layers[:, 0] * ~TEST[:, None]
    with pytest.raises(ValueError, match=r"'Story' is constant in each test run \(\[3, 4\]\)"):
        encoding.fit_predict(spaces, bold, MODEL, Split(**HOW))
    silent = layers[:, 0].copy()
    silent[RUNS == 3] = 0  # without text in one of the test runs it predicts nothing there
    predicted = encoding.fit_predict(silent, bold, MODEL, Split(**HOW)).predicted
    ids = RUNS[TEST]
    assert not predicted[ids == 3].any() and predicted[ids == 4].any()


def test_p_at_the_level_itself_counts(simulated):
    found = encoding.sweep_layers(simulated[0][:, 2], simulated[1], MODEL, Split(**HOW), n_permutations=19)
    level = np.float64(0.05)  # the least p of 19 shifts; rounded to float32 it would lie above
    assert (found.p[0, :10] <= level).sum() > 5 and found.r.dtype == np.float32


def test_features_of_too_many_axes(simulated):
    with pytest.raises(ValueError, match=r"expected \(n_trs, n_layers, dim\)"):
        encoding.sweep_layers(simulated[0][None], simulated[1], MODEL, Split(**HOW))


@pytest.mark.slow
def test_blocks_are_left_out_with_their_surroundings():
    rng = np.random.default_rng(2)
    layers = smooth(rng, 360, 3, 8)
    bold = smooth(rng, 360, 12) + design.design(layers[:, 1], [1, 2], 1.0) @ rng.standard_normal((16, 12)) * 0.5
    how = {"groups": np.repeat(np.arange(6), 60), "cv": 6, "gap": 8, "delays": [1, 2], "tr": 1.0}
    model = RidgeCV(np.logspace(0, 4, 5), cv=5, gap=8, progress=False)
    scores = encoding.sweep_layers_in_folds(layers, bold, model, FoldSplit(**how))
    assert scores.null.shape == (0, 12)
    assert scores.layers.tolist() == [1] * 6 and scores.r.min() > 0.4
    noise = encoding.sweep_layers_in_folds(layers, smooth(rng, 360, 300), model, FoldSplit(**how)).r
    assert abs(noise.mean()) < 0.03
    seen = []

    class Spy(RidgeCV):
        def _fit(self, X, Y, alphas, folds):
            seen.append(len(Y))
            return super()._fit(X, Y, alphas, folds)

    spy = Spy(np.logspace(0, 4, 5), cv=5, gap=8, progress=False)
    encoding.sweep_layers_in_folds(layers, bold, spy, FoldSplit(**how))
    assert seen == [292] * 3 + [284] * 12 + [292] * 3  # 300, less the gap on one side or on both


def test_no_delay_crosses_the_end_of_a_run_inside_a_block(monkeypatch):
    rng, pieces = np.random.default_rng(0), []
    sweep = encoding.sweep_layers

    def spy(features, bold, model, split, **options):
        pieces.append(split.runs)
        return sweep(features, bold, model, split, **options)

    monkeypatch.setattr("naturalistic.encoding.layers.sweep_layers", spy)
    how = {"groups": np.repeat(np.arange(6), 40), "cv": 3, "gap": 0, "delays": [1, 2], "tr": 1.0}
    model = RidgeCV([1.0, 10.0], cv=3, progress=False)
    runs = (np.arange(240) >= 100).astype(int)  # the second run begins in the middle of a block
    encoding.sweep_layers_in_folds(smooth(rng, 240, 4), smooth(rng, 240, 3), model, FoldSplit(runs=runs, **how))
    assert all(np.diff(piece)[99] for piece in pieces) and len(pieces) == 3


def test_responses_of_whole_numbers(simulated):
    whole = np.rint(10 * simulated[1]).astype(np.int16)  # their means and predictions must not be cut to whole numbers
    found = encoding.fit_predict({"layer": simulated[0][:, 0]}, whole, MODEL, Split(**HOW))
    expected = encoding.fit_predict({"layer": simulated[0][:, 0]}, whole.astype(float), MODEL, Split(**HOW))
    np.testing.assert_array_equal(found.predicted, expected.predicted)


# ---- repeats, ceilings, coordinates ----


def test_repeats_are_stacked(small_movie):
    movie = narrative_movie.load(small_movie)
    merge, runs = movie.stack_repeats, movie.run_of_tr("Test")
    values = np.arange(len(runs), dtype=float)[:, None]
    laid, ids = merge(values, runs)
    names = [run.name for run in movie.select("Test")]
    for shown in movie.repeats:
        at = [np.flatnonzero(runs == names.index(name)) for name in shown]
        where = ids == names.index(shown[0])
        np.testing.assert_array_equal(laid[:, where, 0], at)
    with pytest.raises(ValueError, match="expected all test runs"):
        merge(values[:-3], runs[:-3])
    some = [run.name for run in movie.runs if not run.repeat_of]
    assert narrative_movie.load(small_movie, runs=some).stack_repeats is None


@pytest.mark.slow
def test_ceiling_is_that_of_the_mean_of_all_repeats(small_movie):
    movie = narrative_movie.load(small_movie)
    runs = movie.run_of_tr()
    test = np.isin(runs, [k for k, run in enumerate(movie.runs) if run.split == "Test"])
    bold = encoding.MultiSubjectBold({s: movie.open_subject(s, progress=False).bold for s in movie.subjects})
    how = {"test": test, "runs": runs, "tr": movie.tr, "delays": [4.0]}
    ceilings = encoding.noise_ceilings(bold, Split(repeats=movie.stack_repeats, **how))
    plan = truth.of_movie(movie)
    for s in movie.subjects:
        e = plan.explainable[s]
        expected = np.sqrt(2 * e / (1 + e))
        assert np.corrcoef(ceilings.r[s], expected)[0, 1] > 0.5
        reliable = ceilings.reliable[s]
        assert reliable[e > 0.15].mean() > 0.5 and reliable[e == 0].mean() < 0.05
    assert encoding.noise_ceilings(bold, Split(repeats=None, **how)) == encoding.NoiseCeilings({}, {})


@pytest.mark.slow
def test_ground_truth_of_a_film_is_at_its_voxels(small_movie):
    from naturalistic_simulation.movie.cortex import LAYERS, NAMES, PLAN

    movie = narrative_movie.load(small_movie)
    plan = truth.of_movie(movie)
    assert plan.names == NAMES and plan.layers == LAYERS and set(plan.shares) == set(PLAN)
    for s in movie.subjects:
        places = preprocessing.open_subjects(movie)[s].coordinates
        near = regions.label(places, regions.FILM_LANDMARKS)  # each viewer's are some mm off
        both = (near >= 0) & (plan.region[s] >= 0)
        assert both.sum() > 100 and np.mean(near[both] == plan.region[s][both]) > 0.95
        assert (plan.explainable[s] > 0).sum() > 100 and (plan.explainable[s][plan.region[s] < 0] == 0).all()


@pytest.mark.slow
def test_measured_voxels_are_registered(small_movie, tmp_path):
    folder = tmp_path / "ds005531"
    shutil.copytree(small_movie / "ds005531" if (small_movie / "ds005531").is_dir() else small_movie, folder)
    movie = narrative_movie.load(folder)
    subject = movie.subjects[0]
    expected = preprocessing.open_subjects(movie)[subject].voxel_size
    path = next(folder.glob(f"derivatives/pycortex_db/sub-{subject}/transforms/*/reference.nii.gz"))
    shape, affine = grid(4.0)
    moved = np.eye(4)
    moved[:3, 3] = 6, -9, 4
    nib.save(nib.Nifti1Image(image(shape, affine, to_head=moved), affine), path)
    path.with_suffix("").with_suffix(".json").unlink()  # it says that the grid lies in MNI152 space
    measured = narrative_movie.load(folder)
    found = preprocessing.open_subjects(measured)[subject]
    ijk = movie.voxel_grid(subject).indices
    true = ijk @ affine[:3, :3].T + affine[:3, 3] + moved[:3, 3]
    inside = np.linalg.norm(true - [0, -18, 8], axis=1) < 60
    assert np.linalg.norm(found.coordinates - true, axis=1)[inside].mean() < 4
    assert found.voxel_size == pytest.approx(4) and expected > 4
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"reference.nii.gz is missing.*--parts pycortex_db"):
        _ = preprocessing.open_subjects(narrative_movie.load(folder))[subject].coordinates


def test_correlation_is_what_the_sweep_reports(simulated):
    layers, bold = simulated
    pair = encoding.fit_predict(layers[:, 2], bold, MODEL, Split(**HOW))
    r = encoding.sweep_layers(layers[:, 2], bold, MODEL, Split(**HOW)).r[0]
    np.testing.assert_allclose(r, pair.correlation(), atol=1e-5)


def test_a_score_needs_a_null(simulated):
    pair = encoding.fit_predict(simulated[0][:, 2], simulated[1], MODEL, Split(**HOW))
    with pytest.raises(ValueError, match="n_permutations is 0, expected a whole number of at least 1"):
        encoding.score(pair, n_permutations=0)
    with pytest.raises(ValueError, match="n_permutations is 0, expected a whole number of at least 1"):
        encoding.reliable_voxels(np.stack([pair.measured, pair.predicted]), pair.runs, n_permutations=0)


@pytest.mark.slow
def test_blocks_against_shifts_that_are_fitted_again():
    """Noise passes as often as it should though folds were fitted on each other's data; what is there is found."""
    rng = np.random.default_rng(6)
    layers = smooth(rng, 360, 3, 8)
    how = {"groups": np.repeat(np.arange(6), 60), "cv": 6, "gap": 8, "delays": [1, 2], "tr": 1.0}
    model = RidgeCV([1.0, 100.0], cv=3, gap=8, progress=False)
    bold = smooth(rng, 360, 60)
    bold[:, :20] += design.design(layers[:, 1], [1, 2], 1.0) @ rng.standard_normal((16, 20)) * 0.5
    found = encoding.sweep_layers_in_folds(layers, bold, model, FoldSplit(**how), n_permutations=39, seed=1)
    assert found.null.shape == (39, 60)
    p = p_values(found.r, found.null)
    assert np.mean(p[:20] <= 0.05) > 0.9 and np.mean(p[20:] <= 0.05) < 0.2
    shifts = draw_shifts(None, 39, seed=1, n_trs=360)
    alone = encoding.sweep_layers_in_folds(layers, design.shifted(bold, shifts[4]), model, FoldSplit(**how))
    np.testing.assert_allclose(found.null[4], alone.r, atol=1e-5)
    plain = encoding.sweep_layers_in_folds(layers, bold, model, FoldSplit(**how))
    np.testing.assert_allclose(plain.r, found.r, atol=1e-6)
    np.testing.assert_array_equal(plain.layers, found.layers)


def test_the_null_of_selected_voxels_is_that_of_the_sweep(simulated):
    layers, bold, *_ = simulated
    whole = encoding.MultiSubjectBold({"a": bold[:, :30], "b": bold[:, 30:]})
    found = encoding.sweep_layers(layers, whole, MODEL, Split(**HOW))
    choices = encoding.select_layer_and_voxels(whole.split(found.cv), 5)
    voxels = {s: c.voxels for s, c in choices.items()}
    null = encoding.null_over_voxels(layers, whole, MODEL, Split(**HOW), choices, voxels, n_permutations=25, seed=3)
    assert null.shape == (25, 2)
    for k, (s, x) in enumerate(whole.bold.items()):
        pair = encoding.fit_predict(layers[:, choices[s].layer], x[:, voxels[s]], MODEL, Split(**HOW))
        expected = circular_shift_null(pair.measured, pair.predicted, pair.runs, 25, 1, 3).mean(axis=1)
        np.testing.assert_allclose(null[:, k], expected, atol=1e-5)


def test_units_of_layers_and_subjects_give_the_sweep(simulated, tmp_path):
    layers, bold = simulated
    both = encoding.MultiSubjectBold({"a": bold[:, :15], "b": bold[:, 15:]})
    options = {"n_permutations": 30, "seed": 4}
    expected = encoding.sweep_layers(layers, both, MODEL, Split(**HOW), **options)
    with connect(folder=tmp_path) as workers:
        found = encoding.sweep_layers(layers, both, MODEL, Split(**HOW), workers=workers, **options)
        stored = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")}
        one = encoding.sweep_layers(layers, bold[:, :15], MODEL, Split(**HOW), workers=workers, **options)
        again = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")}
        encoding.sweep_layers(layers, both, MODEL, Split(**HOW), workers=workers, n_permutations=30, seed=5)
    assert len(stored) == 8 and again == stored  # one subject alone is found among what was done for both
    assert len(list(tmp_path.rglob("*.npz"))) == 16
    for kind in ("cv", "r", "p", "p_max"):
        np.testing.assert_allclose(getattr(found, kind), getattr(expected, kind), atol=2e-5)
        np.testing.assert_array_equal(getattr(one, kind), getattr(found, kind)[:, :15])


def test_function_that_stacks_repeats_can_be_sent(small_movie):
    merge = narrative_movie.load(small_movie).stack_repeats
    sent = pickle.loads(pickle.dumps(merge))  # of this process: nothing that was downloaded
    assert sent == merge
