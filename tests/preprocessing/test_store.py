"""A subject prepared once: the steps in order, resumed after a stop, no run touched by another, truth recovered."""

import json
import shutil

import nibabel as nib
import numpy as np
import pytest
from naturalistic import cache, inference, preprocessing
from naturalistic.anatomy.surface import N_VERTICES
from naturalistic.cache import RequestError
from naturalistic.datasets import gtzan, music_genre, scans
from naturalistic.preprocessing import store
from naturalistic_simulation import truth
from naturalistic_simulation.brain import cortex, head
from naturalistic_simulation.music.composer import GENRES, INSTRUMENTS, MOODS

N_DUMMY = music_genre.N_DUMMY


@pytest.fixture(scope="module")
def experiment(small_music):
    return music_genre.load(small_music)


@pytest.fixture(scope="module")
def prepared(prepared_music):
    return prepared_music


@pytest.mark.slow
def test_it_is_the_steps_in_order(experiment, prepared):
    scan = experiment.scans("001")[1]
    data, affine = scans.volumes(scan)
    first, _ = scans.volumes(experiment.scans("001")[0])
    reference = np.asarray(first[..., 0], np.float32)
    brain = preprocessing.brain_mask(np.asarray(first, np.float64).mean(axis=3).astype(np.float32), affine)
    bold, motion = preprocessing.correct_motion(data, affine, brain, reference)
    bold = preprocessing.running_median(bold[:, prepared.grid.mask[brain]], 1.5, 240.0)[N_DUMMY:]
    np.testing.assert_allclose(prepared.select(scan.run).bold, preprocessing.zscore(bold), atol=1e-5)
    np.testing.assert_allclose(prepared.scan_motion[scan.run], motion)
    np.testing.assert_allclose(prepared.motion[400:800], motion[N_DUMMY:])


@pytest.mark.slow
def test_shapes_and_names(experiment, prepared):
    assert prepared.bold.dtype == np.float32 and isinstance(prepared.bold, np.memmap)
    assert (
        prepared.bold.shape == (1200, prepared.grid.mask.sum())
        and prepared.runs.tolist() == [0] * 400 + [1] * 400 + [2] * 400
    )
    assert prepared.run_names == experiment.runs and prepared.label == "001" and prepared.tr == 1.5
    test = prepared.select("Test")
    assert isinstance(test.bold, np.memmap) and test.run_names == ("Test_run-01", "Test_run-02")
    assert test.runs.tolist() == [0] * 400 + [1] * 400 and list(test.scan_motion) == list(test.run_names)
    np.testing.assert_array_equal(test.motion, prepared.motion[400:])
    ends = prepared.select(["Test_run-02", prepared.run_names[0]])
    np.testing.assert_array_equal(ends.bold, np.concatenate([prepared.bold[:400], prepared.bold[800:]]))
    assert ends.run_names == (prepared.run_names[0], "Test_run-02") and ends.runs.tolist() == [0] * 400 + [1] * 400
    with pytest.raises(ValueError, match=r"runs are \['Test'\], expected some of Training_run-01"):
        prepared.select(["Test"])
    for run in range(3):
        part = prepared.bold[prepared.runs == run].astype(float)
        np.testing.assert_allclose(part.mean(axis=0), 0, atol=1e-5)
        assert set(np.round(part.std(axis=0), 4)) <= {0.0, 1.0}
    with pytest.raises(ValueError, match="no run begins with 'Rest'"):
        prepared.select("Rest")
    mask = prepared.grid.mask
    assert prepared.coordinates.shape == (mask.sum(), 3) and prepared.voxel_size == pytest.approx(8)
    image = prepared.image(np.arange(mask.sum()))
    i, j, k = np.argwhere(mask)[7]
    assert image.get_fdata()[i, j, k] == 7
    np.testing.assert_allclose((image.affine @ [i, j, k, 1])[:3], prepared.coordinates[7])


@pytest.mark.slow
def test_it_is_opened_the_second_time(experiment, prepared, monkeypatch):
    monkeypatch.setattr(store, "_prepare", None)
    again = store.prepare(experiment.scans("001"), n_dropped=N_DUMMY, folder=prepared.folder.parent)
    np.testing.assert_array_equal(again.bold, prepared.bold)
    how = {"drift": "cosine", "window": 128.0, "folder": prepared.folder.parent}
    with pytest.raises(TypeError):  # other options are another result
        store.prepare(experiment.scans("001"), n_dropped=N_DUMMY, **how)


@pytest.mark.slow
def test_an_interrupted_subject_goes_on(experiment, prepared, tmp_path, monkeypatch):
    whole, done = store._prepare_run, []

    def stop_at_the_third(scans, space, options, part, k):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(scans[k].run)
        return whole(scans, space, options, part, k)

    monkeypatch.setattr(store, "_prepare_run", stop_at_the_third)
    how = {"n_dropped": N_DUMMY, "folder": tmp_path, "n_jobs": 1}
    with pytest.raises(KeyboardInterrupt):
        store.prepare(experiment.scans("001"), **how)
    assert [path.suffix for path in tmp_path.iterdir()] == [".part"], "half a subject stands under the name of a whole"
    done.clear()
    again = store.prepare(experiment.scans("001"), **how)
    assert done == ["Test_run-02"]
    np.testing.assert_array_equal(again.bold, prepared.bold)


@pytest.mark.slow
def test_no_run_touches_another(experiment, prepared, small_music, tmp_path):
    """In two processes, while the others are the work of one."""
    shutil.copytree(small_music / "ds003720", tmp_path / "ds003720")
    path = tmp_path / "ds003720/sub-001/func/sub-001_task-Test_run-01_bold.nii.gz"
    image = nib.load(path)
    noise = np.random.default_rng(0).integers(0, 200, image.shape)
    nib.save(nib.Nifti1Image((image.get_fdata() + noise).astype(np.int16), image.affine), path)
    changed = store.prepare(
        music_genre.load(tmp_path).scans("001"), n_dropped=N_DUMMY, folder=tmp_path / "kept", n_jobs=2
    )
    for run, same in ((0, True), (1, False), (2, True)):
        assert np.array_equal(changed.bold[changed.runs == run], prepared.bold[prepared.runs == run]) == same


@pytest.mark.slow
def test_cosines_and_the_whole_brain(experiment, prepared, tmp_path):
    scan = experiment.scans("001")[:1]
    how = {"drift": "cosine", "window": 128.0, "region": "brain", "folder": tmp_path, "n_jobs": 1}
    other = store.prepare(scan, n_dropped=N_DUMMY, **how)
    mask, whole = prepared.grid.mask, other.grid.mask
    assert whole.sum() > mask.sum() and not (mask & ~whole).any()
    same = other.bold[:, mask[whole]]
    r = np.mean(same * prepared.bold[:400])
    assert 0.8 < r < 1, "another drift removal, the same brain"


@pytest.mark.slow
def test_fmriprep_spaces(tmp_path):
    """Aligned already: voxels of the mask, or vertices; motion is read from the confounds."""
    func = tmp_path / "derivatives/fmriprep/sub-001/func"
    func.mkdir(parents=True)
    rng = np.random.default_rng(0)
    grid, volumes = np.array([[-8.0, 0, 0, 72], [0, 8, 0, -104], [0, 0, 8, -56], [0, 0, 0, 1]]), {}
    for run in ("Test_run-01", "Test_run-02"):
        stem = f"{func}/sub-001_task-{run}"
        volumes[run] = rng.normal(500, 10, (19, 23, 17, 410)).astype(np.float32)
        mask = np.zeros((19, 23, 17), np.uint8)
        mask[2:-2, 2:-2, 2:-2] = 1
        nib.save(nib.Nifti1Image(volumes[run], grid), f"{stem}_space-{scans.MNI}_desc-preproc_bold.nii.gz")
        nib.save(nib.Nifti1Image(mask, grid), f"{stem}_space-{scans.MNI}_desc-brain_mask.nii.gz")
        for side in "LR":
            courses = rng.normal(0, 1, (410, N_VERTICES)).astype(np.float32)
            arrays = [nib.gifti.GiftiDataArray(row) for row in courses]
            nib.save(nib.gifti.GiftiImage(darrays=arrays), f"{stem}_hemi-{side}_space-fsaverage5_bold.func.gii")

    def of(space):
        return [scans.find(tmp_path, "001", run, space=space, tr=1.5, n_trs=410) for run in volumes]

    brain = store.prepare(of("mni"), n_dropped=10, region="brain", folder=tmp_path / "kept", n_jobs=1)
    assert brain.motion is None and np.array_equal(brain.grid.to_mni, np.eye(4)) and brain.grid.mask.sum() == mask.sum()
    by_hand = volumes["Test_run-02"][mask > 0].T
    by_hand = preprocessing.zscore(preprocessing.running_median(by_hand, 1.5, 240.0)[10:])
    np.testing.assert_allclose(brain.bold[400:], by_hand, atol=1e-5)
    cortical = store.prepare(of("mni"), n_dropped=10, folder=tmp_path / "kept", n_jobs=1)
    assert 800 < cortical.grid.mask.sum() < brain.grid.mask.sum()
    sides = store.prepare(of("fsaverage5")[:1], n_dropped=10, folder=tmp_path / "kept", n_jobs=1)
    assert sides.bold.shape == (400, 2 * N_VERTICES) and sides.grid is None and sides.voxel_size == 3
    assert sides.coordinates.shape == (2 * N_VERTICES, 3) and sides.coordinates[:N_VERTICES, 0].mean() < 0
    with pytest.raises(ValueError, match="are no volume"):
        sides.image(np.zeros(2 * N_VERTICES))
    with pytest.raises(ValueError, match="expected raw"):
        preprocessing.trace(of("mni")[0], brain, 0)


def test_confounds_of_another_run(tmp_path):
    """Motion beside the wrong volumes would go unseen."""
    scan = scans.find(tmp_path, "001", "Test_run-01", space="mni", tr=1.5, n_trs=4)
    assert scans.confounds_motion(scan) is None
    scan.confounds.parent.mkdir(parents=True)
    names = [f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"]
    rows = [6 * ["0.5"]] + 3 * [6 * ["0.25"]]
    scan.confounds.write_text("\n".join("\t".join(row) for row in [names, *rows]))
    motion = scans.confounds_motion(scan)
    assert motion.shape == (4, 6) and motion[0, 0] == 0.5 and motion[1, 0] == 0.25
    unknown = [["n/a", *rows[0][1:]], *rows[1:]]
    scan.confounds.write_text("\n".join("\t".join(row) for row in [names, *unknown]))
    with pytest.raises(ValueError, match=r"timeseries\.tsv, row 1: trans_x is no number"):
        scans.confounds_motion(scan)
    scan.confounds.write_text("\n".join("\t".join(row) for row in [names, *rows[1:]]))
    with pytest.raises(ValueError, match=r"timeseries\.tsv has 3 rows, expected 4: one a volume"):
        scans.confounds_motion(scan)
    scan.confounds.write_text("\n".join("\t".join(row[1:]) for row in [names, *rows]))
    with pytest.raises(ValueError, match="has no column trans_x: expected fMRIPrep's confounds"):
        scans.confounds_motion(scan)


@pytest.mark.slow
def test_one_voxel_step_by_step(experiment, prepared):
    steps = preprocessing.trace(experiment.scans("001")[2], prepared, 11)
    assert [len(series) for series in steps.values()] == [410, 410, 410, 400]
    np.testing.assert_allclose(list(steps.values())[-1], prepared.bold[800:, 11], atol=1e-4)
    data, _ = scans.volumes(experiment.scans("001")[2])
    i, j, k = np.argwhere(prepared.grid.mask)[11]
    np.testing.assert_array_equal(steps["as scanned"], data[i, j, k])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"drift": "mean"}, "expected one of median, cosine"),
        ({"region": "thalamus"}, "expected 'cortex' or 'brain'"),
        ({"window": 0}, "window is 0, expected a number of s above 0"),
        ({"window": 2.0}, r"window is 2 s, expected at least 2 TRs of 1\.5 s"),
        ({"n_dropped": -1}, "n_dropped is -1, expected 0 to 409 volumes: a run has 410"),
        ({"n_dropped": 410}, "n_dropped is 410, expected 0 to 409"),
        ({"n_dropped": 1.5}, r"n_dropped is 1\.5"),
        ({"n_dropped": [1, 2]}, "n_dropped has 2 numbers, expected one, or one for each of 3 runs"),
    ],
)
def test_requests_that_make_no_sense(experiment, tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        store.prepare(experiment.scans("001"), folder=tmp_path, **arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_scans_that_do_not_belong_together(experiment, tmp_path):
    mixed = [*experiment.scans("001")[:1], *experiment.scans("001", "mni")[:1]]
    with pytest.raises(ValueError, match="of 2 kinds"):
        store.prepare(mixed, folder=tmp_path)


@pytest.mark.slow
def test_a_run_on_another_grid(experiment, small_music, tmp_path):
    shutil.copytree(small_music / "ds003720", tmp_path / "ds003720")
    path = tmp_path / "ds003720/sub-001/func/sub-001_task-Test_run-01_bold.nii.gz"
    image = nib.load(path)
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj)[:-1], image.affine), path)
    with pytest.raises(ValueError, match=r"Test_run-01_bold.*has another grid"):
        store.prepare(music_genre.load(tmp_path).scans("001"), folder=tmp_path / "kept", n_jobs=1)
    assert not (tmp_path / "kept").exists(), "something was made before the check"


@pytest.mark.slow
def test_a_full_disk_is_said_before_the_work(experiment, tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "free_bytes", lambda _: 10**6)
    with pytest.raises(RequestError, match=r"has 1\.00 MB free, but .* are still needed"):
        store.prepare(experiment.scans("001"), folder=tmp_path)
    assert not list(tmp_path.rglob("bold.npy"))


@pytest.mark.slow
def test_the_simulated_motion_is_found(experiment, prepared):
    known = truth.of_subject(experiment.folder, "001", head.SHAPE)
    wrong = np.abs(np.stack([prepared.scan_motion[run] for run in known.runs]) - known.motion)
    assert wrong[..., :3].max() < 0.2 and np.rad2deg(wrong[..., 3:].max()) < 0.3  # mm, degrees; voxels of 8 mm
    assert np.abs(known.motion[..., :3]).max() > 0.5, "there was motion to be found"


@pytest.mark.slow
def test_the_simulated_pose_is_found(experiment, prepared):
    known = truth.of_subject(experiment.folder, "001", head.SHAPE)
    inside = np.argwhere(head.brightness(known.pose).reshape(head.SHAPE) > 300)
    mm = np.c_[inside, np.ones(len(inside))] @ head.AFFINE.T
    error = np.linalg.norm((mm @ (prepared.grid.to_mni - known.pose).T)[:, :3], axis=1)
    assert error.mean() < 3


@pytest.mark.slow
def test_the_simulated_ceiling_is_found(experiment, prepared):
    known = truth.of_subject(experiment.folder, "001", head.SHAPE)
    planted, region = known.of_voxels(prepared.grid.mask, "Test")
    test = prepared.select("Test")
    found = inference.explainable_variance(*experiment.stack_repeats(test.bold, test.runs))
    assert np.corrcoef(planted, found)[0, 1] > 0.8
    slope, _ = np.polyfit(planted, found, 1)
    assert 0.8 < slope < 1.15
    assert abs(found[region < 0].mean()) < 0.01, "where nothing was planted, something repeats"
    groups = [g for g in (planted > 0.05, planted > 0.15) if g.sum() > 20]
    assert groups
    for group in groups:
        assert found[group].mean() == pytest.approx(planted[group].mean(), rel=0.2)
    assert truth.of_subject(experiment.folder / "sub-001", "001", head.SHAPE) is None, "no truth beside real data"


@pytest.mark.slow
def test_the_simulated_delays_are_found(experiment, prepared):
    """A response shaped by the planted HRF fits best when its peak is where it was planted, to a second."""
    known = truth.of_subject(experiment.folder, "001", head.SHAPE)
    facts = json.loads((experiment.folder.parent / "truth" / "clips.json").read_text())
    kinds = {"genre": GENRES, "instruments": INSTRUMENTS, "mood": MOODS}
    drives = cortex.description(facts, kinds)
    heard = np.stack([cortex.acoustics(gtzan.load_clip(experiment.audio, clip), 22050) for clip in experiment.clips])
    flat = heard.reshape(-1, heard.shape[2])
    drives = {kind: np.repeat(x[:, None], heard.shape[1], axis=1) for kind, x in drives.items()}
    drives["acoustics"] = cortex.unit_variance(flat / flat.std(axis=0)).reshape(heard.shape)
    planted, region = known.of_voxels(prepared.grid.mask, "Test")
    from naturalistic.anatomy.regions import NAMES

    for name, (follows, *_) in cortex.PLAN.items():
        voxels = (region == NAMES.index(name)) & (planted > 0.5 * planted[region == NAMES.index(name)].max())
        peaks = np.arange(3.0, 9.01, 0.5)
        fits = [_fit(experiment, prepared, voxels, drives, follows, peak) for peak in peaks]
        assert peaks[int(np.argmax(fits))] == pytest.approx(known.hrf_peaks[name], abs=1.0), name


def _fit(experiment, prepared, voxels, drives, follows, peak):
    """Return the share of variance that a response of one peak explains in the training run, mean over voxels."""
    run = experiment.runs[0]
    order = [experiment.played[run][-1], *experiment.played[run]]  # with the dummy
    x = np.concatenate([np.concatenate(list(drives[kind][order])) for kind in follows], axis=1)
    x = np.apply_along_axis(lambda column: np.convolve(column, cortex.hrf(peak))[: len(x)], 0, x)
    x = preprocessing.running_median(x.reshape(410, 3, -1).mean(axis=1), 1.5, 240.0)[N_DUMMY:]
    left, size, _ = np.linalg.svd(preprocessing.zscore(x), full_matrices=False)
    y = prepared.bold[prepared.runs == 0][:, voxels].astype(float)
    shrink = (size**2 / (size**2 + 30.0))[:, None]
    return 1 - np.mean((y - left @ (shrink * (left.T @ y))) ** 2) / np.mean(y**2)
