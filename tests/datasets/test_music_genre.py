"""ds003720 as downloaded: the real tree of 90 runs with small simulated volumes, and what is wrong in broken copies."""

import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from naturalistic.datasets import music_genre, scans
from naturalistic.datasets.events import GENRES, Clip, check_repeats, read_events
from naturalistic.datasets.fmriprep import MESHES
from naturalistic.datasets.music_genre import SUBJECTS, TRAINING

N_TRS = music_genre.N_TRS


def write_volume(path, n_trs=N_TRS, shape=(4, 4, 3), seed=0):
    volumes = np.random.default_rng(seed).integers(100, 200, (*shape, n_trs)).astype(np.int16)
    nib.save(nib.Nifti1Image(volumes, np.diag([2.0, 2, 2, 1])), path)


@pytest.fixture(scope="module")
def tree(tmp_path_factory, real_music):
    """Folder with the real text files of 90 runs, and small made volumes in place of the scanner's."""
    folder = tmp_path_factory.mktemp("ds003720")
    shutil.copytree(real_music, folder, dirs_exist_ok=True)
    small = folder / "small.nii"
    write_volume(small)
    for sidecar in sorted(folder.glob("sub-*/func/*_bold.json")):
        shutil.copy(small, sidecar.with_suffix(".nii"))
    small.unlink()
    return folder


@pytest.fixture
def broken(tmp_path, tree):
    """A copy of subject 1 to be broken."""
    shutil.copytree(tree / "sub-001", tmp_path / "sub-001")
    return tmp_path


def test_the_real_tree_of_90_runs(tree):
    experiment = music_genre.load(tree)
    assert experiment.subjects == SUBJECTS and len(experiment.runs) == 18
    assert len(experiment.clips) == 540 and len(set(experiment.clips)) == 540
    training, test = (experiment.clip_indices(split) for split in ("Training", "Test"))
    assert (len(training), len(test)) == (480, 60) and not set(training) & set(test)
    of_split = [{experiment.clips[i].track_name for i in part} for part in (training, test)]
    assert not of_split[0] & of_split[1], "a track is in training and test"
    for genre in GENRES:
        assert sum(clip.genre == genre for clip in experiment.clips) == 54
    assert not experiment.is_simulated and "CC0" in str(experiment) and "GTZAN" in experiment.notes[0]
    found = [scan for subject in experiment.subjects for scan in experiment.scans(subject)]
    assert len(found) == 90
    scans.check(found)
    data, affine = scans.volumes(found[-1])
    assert data.shape == (4, 4, 3, N_TRS) and affine[0, 0] == 2


def test_rows_that_lack_a_quote(tree):
    clips = read_events(tree / "sub-001/func/sub-001_task-Training_run-04_events.tsv")
    assert [clip.genre for clip in clips[-3:]] == ["classical", "jazz", "metal"]


def test_the_dummy_is_the_clip_before(tree):
    """The clip dropped from a training run is the last of the run before it: then nothing is lost."""
    experiment = music_genre.load(tree, subjects=[1])
    for previous, run in zip((TRAINING[-1], *TRAINING), TRAINING):
        path = tree / f"sub-001/func/sub-001_task-{run}_events.tsv"
        genre, track = path.read_text().splitlines()[1].split("\t")[2:4]
        last = experiment.clips[experiment.played[previous][-1]]
        assert (genre.strip("'"), int(track)) == (last.genre, last.track)


def test_clips_and_repeats_on_trs(tree):
    experiment = music_genre.load(tree, subjects=["sub-002"], runs=["Test_run-02", "Test_run-01"])
    assert experiment.runs == ("Test_run-01", "Test_run-02") and len(experiment.clips) == 20
    of_tr = experiment.clip_of_tr(experiment.runs)
    assert of_tr.shape == (800,)
    ids = np.repeat([0, 1], 400)
    bold = np.stack([of_tr, np.arange(800)], axis=1).astype(np.float32)
    repeats, runs = experiment.stack_repeats(bold, ids)
    assert repeats.shape == (4, 200, 2) and runs.tolist() == [0] * 100 + [1] * 100
    assert (repeats[:, :, 0] == repeats[:1, :, 0]).all(), "repeats are not of the same clips"
    np.testing.assert_array_equal(repeats[:, 100, 1], [400, 500, 600, 700])
    with pytest.raises(ValueError, match="without the dummy"):
        experiment.stack_repeats(bold[:790], ids[:790])


def test_clip_names():
    assert str(Clip("blues", 7, 0.5, 15.5)) == "blues.00007 0.5-15.5 s"


EVENTS = "sub-001/func/sub-001_task-Training_run-03_events.tsv"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[:-1], "has 40 rows, expected 41"),
        (lambda lines: ["onset\tgenre", *lines[1:]], "expected the columns onset"),
        (lambda lines: [*lines[:5], lines[5].replace("15\t'", "15\t'polka"), *lines[6:]], "row 4 has the genre 'polka"),
        (lambda lines: [*lines[:-1], lines[-1].replace("600", "630")], "ends at 615 s"),
        (lambda lines: [*lines[:2], lines[2] + "\t7", *lines[3:]], "row 1 has 7 cells"),
        (lambda lines: [*lines[:2], lines[2].replace("15\t15", "15\tten"), *lines[3:]], "not of numbers"),
        (lambda lines: [*lines[:2], "15\t15\t'pop'\t100\t1\t16", *lines[3:]], "track 100"),
        (lambda lines: [*lines[:2], "15\t15\t'pop'\t10\t16\t31", *lines[3:]], "from 16 to 31 s"),
    ],
)
def test_broken_events(broken, change, message):
    path = broken / EVENTS
    path.write_text("\n".join(change(path.read_text().splitlines())))
    with pytest.raises(ValueError, match=message) as error:
        music_genre.load(broken)
    assert "Training_run-03_events.tsv" in str(error.value)


def test_events_that_are_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"run\.tsv is missing: expected the events of a run"):
        read_events(tmp_path / "run.tsv")


def test_a_split_without_a_run(tree):
    experiment = music_genre.load(tree, runs=["Training_run-02", "Training_run-01"])
    with pytest.raises(ValueError, match="there is no Test run; the runs are Training_run-01, Training_run-02"):
        experiment.clip_indices("Test")


def test_test_clips_in_another_order(tree):
    path = tree / "sub-001/func/sub-001_task-Test_run-01_events.tsv"
    clips = read_events(path)
    assert len(check_repeats(path, clips)) == 10
    with pytest.raises(ValueError, match="4 times over"):
        check_repeats(path, [clips[1], clips[0], *clips[2:]])


def test_subjects_as_papermill_hands_them_over(tree):
    """``papermill -p subjects "[1]"`` passes a text."""
    assert music_genre.load(tree, subjects="[1]").subjects == music_genre.load(tree, subjects=[1]).subjects
    assert music_genre.load(tree, subjects="['sub-002', 1]").subjects == ("002", "001")
    with pytest.raises(ValueError, match="subjects 001, 001: expected each once"):
        music_genre.load(tree, subjects="[1, 'sub-001']")


def test_subjects_with_another_stimulus(tmp_path, tree):
    for subject in ("001", "002"):
        shutil.copytree(tree / f"sub-{subject}", tmp_path / f"sub-{subject}")
    a, b = (tmp_path / f"sub-002/func/sub-002_task-Training_run-0{k}_events.tsv" for k in (1, 2))
    shutil.copy(b, a)
    with pytest.raises(ValueError, match="Training_run-01: the clips of sub-002 are not those of sub-001"):
        music_genre.load(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"subjects": 1}, "expected a list"),
        ({"subjects": "1"}, "expected a list"),
        ({"subjects": "[7, 1]"}, "has 001"),
        ({"subjects": "[]"}, "one or more"),
        ({"subjects": [9]}, "has 001"),
        ({"subjects": []}, "one or more"),
        ({"runs": ["Training_run-13"]}, "Training_run-13"),
        ({"runs": "Test_run-01"}, "expected a list"),
        ({"audio": "/nowhere"}, "has no folder of a genre"),
    ],
)
def test_requests_that_make_no_sense(tree, arguments, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        music_genre.load(tree, **arguments)


def test_folders_that_are_not_the_data_set(tmp_path):
    with pytest.raises(FileNotFoundError, match="not a folder"):
        music_genre.load(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError, match="expected the layout of ds003720"):
        music_genre.load(tmp_path)


def test_runs_that_were_not_fetched_are_noted(broken):
    for path in (broken / "sub-001/func").glob("*Test_run-0[2-6]*"):
        path.unlink()
    experiment = music_genre.load(broken)
    assert len(experiment.runs) == 13 and len(experiment.clips) == 490
    assert "5 of 18 runs are not there: Test_run-02" in str(experiment)
    for path in (broken / "sub-001/func").iterdir():
        path.unlink()
    with pytest.raises(FileNotFoundError, match="has no run"):
        music_genre.load(broken)


def test_missing_files_are_named_at_once(broken):
    func = broken / "sub-001/func"
    (func / "sub-001_task-Training_run-02_events.tsv").unlink()
    with pytest.raises(FileNotFoundError, match=r"Training_run-02_events\.tsv"):
        music_genre.load(broken)
    experiment = music_genre.load(broken, runs=["Training_run-01", "Test_run-03"])
    for name in ("Training_run-01_bold.nii", "Test_run-03_bold.json"):
        (func / f"sub-001_task-{name}").unlink()
    with pytest.raises(FileNotFoundError, match=r"2 of 4 files.*Training_run-01_bold.nii.*Test_run-03_bold.json"):
        scans.check(experiment.scans("001"))


def spoil_tr(func):
    path = func / "sub-001_task-Training_run-01_bold.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "RepetitionTime": 2.0}))


def spoil_size(func):
    path = func / "sub-001_task-Training_run-01_bold.nii"
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_tr, "RepetitionTime 2.0 s, expected 1.5 s"),
        (spoil_size, "39,612 of 39,712 bytes: it was cut short"),
        (lambda func: write_volume(func / "sub-001_task-Training_run-01_bold.nii", 409), "409 volumes.*expected 410"),
        (
            lambda func: (func / "sub-001_task-Training_run-01_bold.nii").write_bytes(b"<html>404"),
            "cannot be read as an",
        ),
        (lambda func: (func / "sub-001_task-Training_run-01_bold.json").write_text("{"), "is not JSON"),
    ],
)
def test_broken_scans(broken, spoil, message):
    spoil(broken / "sub-001/func")
    with pytest.raises(ValueError, match=message) as error:
        scans.check(music_genre.load(broken).scans("001"))
    assert "Training_run-01_bold" in str(error.value)


def test_a_cut_compressed_scan_says_so(tmp_path):
    path = tmp_path / "sub-001/func/sub-001_task-Test_run-01_bold.nii.gz"
    path.parent.mkdir(parents=True)
    write_volume(path)
    scan = scans.find(tmp_path, "001", "Test_run-01", space="raw", tr=1.5, n_trs=N_TRS)
    assert scan.paths == (path,)
    whole, _ = scans.volumes(scan)
    assert whole.dtype == np.int16
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(ValueError, match=r"bold\.nii\.gz is damaged or was cut short"):
        scans.volumes(scan)


@pytest.fixture
def fmriprep(tmp_path, tree):
    """fMRIPrep's output of one run in three spaces."""
    shutil.copytree(tree / "sub-001", tmp_path / "sub-001")
    func = tmp_path / "derivatives/fmriprep/sub-001/func"
    func.mkdir(parents=True)
    stem = str(func / "sub-001_task-Test_run-01")
    rng = np.random.default_rng(1)
    for space in ("T1w", scans.MNI):
        volumes = rng.normal(500, 10, (5, 4, 3, N_TRS)).astype(np.float32)
        nib.save(nib.Nifti1Image(volumes, np.eye(4)), f"{stem}_space-{space}_desc-preproc_bold.nii.gz")
        nib.save(
            nib.Nifti1Image(np.ones((5, 4, 3), np.uint8), np.eye(4)), f"{stem}_space-{space}_desc-brain_mask.nii.gz"
        )
    for side, level in (("L", 1), ("R", 2)):
        arrays = [nib.gifti.GiftiDataArray(np.full(7, level * 1000 + t, np.float32)) for t in range(N_TRS)]
        nib.save(nib.gifti.GiftiImage(darrays=arrays), f"{stem}_hemi-{side}_space-fsaverage5_bold.func.gii")
    names = ["trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z", "framewise_displacement"]
    rows = [[0.1 * t, 0, 0, 0, 0, 0.01, "n/a" if t == 0 else 0.1] for t in range(N_TRS)]
    lines = ["\t".join(map(str, row)) for row in [names, *rows]]
    Path(f"{stem}_desc-confounds_timeseries.tsv").write_text("\n".join(lines))
    return tmp_path


@pytest.mark.slow
def test_fmriprep_output(fmriprep, monkeypatch):
    monkeypatch.setitem(MESHES, "fsaverage5", (("fsaverage5",), 7))  # a small mesh
    experiment = music_genre.load(fmriprep, runs=["Test_run-01"])
    for space in ("native", "mni"):
        (scan,) = experiment.scans("001", space)
        scans.check([scan])
        data, _ = scans.volumes(scan)
        assert data.shape == (5, 4, 3, N_TRS) and scan.mask.is_file()
    (surface,) = experiment.scans("001", "fsaverage5")
    scans.check([surface])
    values = scans.vertices(surface)
    assert values.shape == (N_TRS, 14) and values.dtype == np.float32
    assert values[3].tolist() == [1003.0] * 7 + [2003.0] * 7
    motion = scans.confounds_motion(surface)
    assert motion.shape == (N_TRS, 6)
    np.testing.assert_allclose(motion[2], [0.2, 0, 0, 0, 0, 0.01])
    with pytest.raises(ValueError, match="expected one of raw"):
        experiment.scans("001", "talairach")
    with pytest.raises(FileNotFoundError, match="fsaverage6"):
        scans.check(experiment.scans("001", "fsaverage6"))
    surface.confounds.write_text(surface.confounds.read_text().replace("rot_y", "rot_2").replace("trans_x", "x"))
    with pytest.raises(
        ValueError, match=r"timeseries\.tsv has no column trans_x, rot_y: expected fMRIPrep's confounds"
    ):
        scans.confounds_motion(surface)
    with pytest.raises(ValueError, match="expected one of 001"):
        experiment.scans("004")
