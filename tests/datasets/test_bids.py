"""Any BIDS data set: what its names tell, what is missing, and its subjects through preprocessing."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from naturalistic import preprocessing
from naturalistic.datasets import bids

from tests.helpers import bids_tree
from tests.helpers.real_data import real_folder


@pytest.fixture
def folder(tmp_path):
    return bids_tree.write_data_set(tmp_path / "lab")


def test_runs_come_from_names_in_their_order_and_differences_are_noted(folder):
    experiment = bids.load(folder)
    assert experiment.subjects == ("01", "02") and experiment.tr == 2.0 and experiment.space == "mni"
    assert [run.name for run in experiment.runs["01"]] == [
        "ses-a_task-story_run-1", "ses-a_task-story_run-2", "ses-b_task-story_run-10",
    ]  # fmt: skip
    assert experiment.runs["01"][2].session == "b" and experiment.runs["01"][0].task == "story"
    assert "2 of 3 runs are there of every subject; not all of sub-02 (ses-b_task-story_run-10)" in str(experiment)
    assert "A story of ours" in str(experiment) and not experiment.is_simulated


def test_subjects_are_opened_as_those_of_any_data_set(folder, tmp_path):
    experiment = bids.load(folder)
    subjects = preprocessing.open_subjects(experiment, region="brain", folder=tmp_path / "store")
    subject = subjects["01"]
    n_voxels = np.prod([n - 2 for n in bids_tree.SHAPE])
    assert subject.bold.shape == (20 + 20 + 20 - 1, n_voxels)  # run-1 has a dummy volume
    assert subject.run_names == tuple(run.name for run in experiment.runs["01"]) and subject.space == "mni"
    assert np.bincount(subject.runs).tolist() == [19, 20, 20] and subject.motion.shape == (59, 6)
    for run in range(3):
        np.testing.assert_allclose(subject.bold[subject.runs == run].mean(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(subject.bold[subject.runs == run].std(axis=0), 1, atol=1e-4)
    assert subjects["02"].run_names == ("ses-a_task-story_run-1", "ses-a_task-story_run-2")
    corner = bids_tree.AFFINE @ [1, 1, 1, 1]  # prepared volumes are in MNI152 already
    np.testing.assert_allclose(subject.coordinates[0], corner[:3])


def test_some_subjects_and_sessions(folder):
    experiment = bids.load(folder, subjects=[1], sessions="a")
    assert experiment.subjects == ("01",) and len(experiment.runs["01"]) == 2 and not experiment.notes
    assert bids.load(folder, subjects=["sub-02"]).subjects == ("02",)
    with pytest.raises(ValueError, match=r"subjects \['9'\]: .* has 01, 02"):
        bids.load(folder, subjects=[9])
    with pytest.raises(ValueError, match=r"session c: .* has a, b"):
        bids.load(folder, sessions=["c"])


def test_a_task_must_be_named_where_there_are_several(folder):
    bids_tree.write_run(folder, Path("sub-01/ses-a/func"), "sub-01_ses-a_task-rest")
    with pytest.raises(ValueError, match=r"has the tasks rest, story: say which, task='rest'"):
        bids.load(folder)
    assert [run.task for run in bids.load(folder, task="rest").runs["01"]] == ["rest"]
    assert bids.load(folder, task="rest").subjects == ("01",)
    assert len(bids.load(folder, task=["rest", "task-story"]).runs["01"]) == 4
    with pytest.raises(ValueError, match=r"task film: .* has rest, story"):
        bids.load(folder, task="film")


def test_the_output_folder_alone_is_enough(folder, tmp_path):
    output = shutil.move(folder / "derivatives" / "fmriprep", tmp_path / "out")
    shutil.rmtree(folder)
    experiment = bids.load(output)
    assert experiment.space == "mni" and experiment.tr == 2.0  # of the header
    assert [len(experiment.runs[subject]) for subject in experiment.subjects] == [3, 2]
    assert [scan.n_trs for scan in experiment.scans("02")] == [20, 20]


def test_derivatives_elsewhere(folder, tmp_path):
    output = shutil.move(folder / "derivatives" / "fmriprep", tmp_path / "out")
    assert bids.load(folder).space == "raw" and bids.load(folder).derivatives is None
    assert bids.load(folder, derivatives=output).space == "mni"
    with pytest.raises(FileNotFoundError, match=r"derivatives .*nowhere is not a folder"):
        bids.load(folder, derivatives=tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"5 of 5 runs are not there in space 'mni', as sub-01_ses-a.* raw"):
        bids.load(folder, space="mni")


def test_a_space_by_its_whole_name(folder):
    output = folder / "derivatives" / "fmriprep"
    for path in list(output.rglob("*MNI152NLin2009cAsym_res-2*")):
        shutil.copy(path, path.with_name(path.name.replace("2009cAsym_res-2", "6Asym")))
    scan = bids.load(folder, space="MNI152NLin6Asym").scans("01")[0]
    assert "MNI152NLin6Asym_desc-preproc" in scan.paths[0].name and "NLin6Asym_desc-brain" in scan.mask.name
    default = bids.load(folder).scans("01")[0]
    assert "MNI152NLin2009cAsym_res-2" in default.paths[0].name
    subjects = preprocessing.open_subjects(bids.load(folder, space="MNI152NLin6Asym"), region="brain")
    np.testing.assert_allclose(subjects["02"].coordinates[0], (bids_tree.AFFINE @ [1, 1, 1, 1])[:3])


def test_a_surface(folder):
    bids_tree.write_surfaces(
        folder / "derivatives/fmriprep/sub-02/ses-a/func", "sub-02_ses-a_task-story_run-1", n_trs=20
    )
    bids_tree.write_surfaces(
        folder / "derivatives/fmriprep/sub-02/ses-a/func", "sub-02_ses-a_task-story_run-2", n_trs=20
    )
    experiment = bids.load(folder, subjects=["02"], space="fsaverage5")
    assert [scan.n_trs for scan in experiment.scans("02")] == [20, 20]
    subject = preprocessing.open_subjects(experiment)["02"]
    assert subject.bold.shape == (39, 2 * 10_242) and subject.coordinates.shape == (2 * 10_242, 3)
    on_mesh = subject.surface.on_mesh(np.arange(2 * 10_242))
    assert on_mesh["right"][0] == 10_242 and np.isfinite(on_mesh["left"]).all()


def test_half_downloaded_files_are_named_before_any_work(folder):
    """git-annex leaves links to nowhere."""
    path = next((folder / "derivatives/fmriprep/sub-02").rglob("*run-2*_desc-preproc_bold.nii.gz"))
    path.unlink()
    path.symlink_to("../../../.git/annex/objects/none")
    raw = next((folder / "sub-01").rglob("*run-10_bold.nii.gz"))
    raw.unlink()
    raw.symlink_to("../.git/annex/objects/none")
    with pytest.raises(FileNotFoundError, match=r"no space has all 5 runs \(mni: 4, raw: 4\).*git-annex"):
        bids.load(folder)
    with pytest.raises(FileNotFoundError, match=r"1 of 5 runs are not there in space 'mni', as sub-02_ses-a.*run-2"):
        bids.load(folder, space="mni")
    assert bids.load(folder, subjects=["01"]).space == "mni"  # the output is whole


def test_echoes_must_be_combined(tmp_path):
    for echo in (1, 2, 3):
        stem = f"sub-FR001_task-lppFR_run-07_echo-{echo}"
        bids_tree.write_run(tmp_path, Path("sub-FR001/func"), stem, prepared=False)
    with pytest.raises(FileNotFoundError, match="no space has all 1 runs"):
        bids.load(tmp_path)
    out = tmp_path / "derivatives/fmriprep/sub-FR001/func"
    bids_tree.write_image(out / f"sub-FR001_task-lppFR_run-07_{bids_tree.MNI}_desc-preproc_bold.nii.gz", 20)
    experiment = bids.load(tmp_path)
    assert experiment.space == "mni" and experiment.tr == 2.0 and experiment.runs["FR001"][0].n_echoes == 3
    assert [run.name for run in experiment.runs["FR001"]] == ["task-lppFR_run-07"]
    with pytest.raises(ValueError, match="sub-FR001_task-lppFR_run-07 has 3 echoes, expected one image: combine them"):
        experiment.scans("FR001", "raw")


def test_several_repetition_times(folder):
    for path in (folder / "sub-02").rglob("*_bold.json"):
        path.write_text(json.dumps({"RepetitionTime": 1.5}))
    with pytest.raises(
        ValueError, match=r"several repetition times: 2 s \(sub-01_.*\), 1.5 s \(sub-02_.*; load one by"
    ):
        bids.load(folder)
    assert bids.load(folder, subjects=["02"]).tr == 1.5


def test_no_repetition_time(tmp_path):
    func = Path("sub-01/func")
    bids_tree.write_run(tmp_path, func, "sub-01_task-story", prepared=False)
    (tmp_path / func / "sub-01_task-story_bold.json").write_text("{}")
    bids_tree.write_image(tmp_path / func / "sub-01_task-story_bold.nii.gz", 20, tr=0.0)
    with pytest.raises(
        ValueError, match=r"no sidecar of sub-01_task-story has a RepetitionTime.*bids.load\(..., tr=2.0\)"
    ):
        bids.load(tmp_path)
    assert bids.load(tmp_path, tr=1).tr == 1.0


def test_a_folder_without_runs(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere is not a folder; expected the root of a BIDS data set"):
        bids.load(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="has no functional run"):
        bids.load(tmp_path)


def test_a_file_of_pickles_in_the_folder_is_not_read(folder):
    """The index library keeps one under such a name; loading it would run what it holds."""
    from ancpbids import plugins

    marker = folder / "it ran"
    code = f"cos\nsystem\n(S'touch {marker.name}'\ntR."
    for name in (getattr(plugins.plugin_pickle, "ANCPBIDS_PICKLE_FILE", ".ancp-bids-pickle"), "ancpbids.pickle"):
        (folder / name).write_text(code)
    bids.load(folder)
    assert not marker.exists() and not Path(marker.name).exists()


def test_events_are_inherited(folder):
    events = folder / "task-story_events.tsv"
    events.write_text("onset\tduration\ttrial_type\n0\t1\tstory\n")
    experiment = bids.load(folder)
    run = experiment.runs["01"][0].name
    assert experiment.events_path("01", run) == events
    own = folder / "sub-01/ses-a/func" / f"sub-01_{run}_events.tsv"
    shutil.copy(events, own)
    assert experiment.events_path("01", run) == own and experiment.events_path("02", run) == events
    with pytest.raises(ValueError, match="run is 'x', subject 01 has ses-a_task-story_run-1"):
        experiment.events_path("01", "x")


def test_names_that_are_not_ascii(tmp_path):
    bids_tree.write_run(tmp_path / "Daten für uns", Path("sub-01/func"), "sub-01_task-größe")
    experiment = bids.load(tmp_path / "Daten für uns")
    assert experiment.name == "Daten für uns" and experiment.runs["01"][0].task == "größe"


@pytest.mark.parametrize(
    ("accession", "options", "n_subjects", "run"),
    [
        ("ds002345", {"task": "pieman"}, 8, "task-pieman_run-1"),
        ("ds003643", {"task": "lppFR"}, 3, "task-lppFR_run-07"),
    ],
)
def test_names_of_public_data_sets(tmp_path, accession, options, n_subjects, run):
    """Every name of the published tree, the contents of one image for all."""
    tree = real_folder(accession, "names of public data sets") / "TREE.tsv"
    image = tmp_path / "image.nii.gz"
    bids_tree.write_image(image, 5)
    with open(tree, encoding="utf-8") as file:
        paths = [row["path"] for row in csv.DictReader(file, delimiter="\t")]
    for name in paths:
        path = tmp_path / accession / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".nii.gz"):
            path.symlink_to(image)
        elif name.endswith(".json"):
            path.write_text('{"RepetitionTime": 2.0}' if "_bold" in name else "{}")
        else:
            path.touch()
    experiment = bids.load(tmp_path / accession, **options)
    assert run in {each.name for runs in experiment.runs.values() for each in runs}
    assert len(experiment.subjects) >= n_subjects or experiment.subjects
    assert all(scan.n_trs == 5 for scan in experiment.scans(experiment.subjects[0]))


def test_grayordinates_are_the_cortex_alone(folder):
    func = folder / "derivatives/fmriprep/sub-02/ses-a/func"
    for run in (1, 2):
        path = func / f"sub-02_ses-a_task-story_run-{run}_space-fsLR_den-91k_bold.dtseries.nii"
        bids_tree.write_grayordinates(path, seed=run)
    experiment = bids.load(folder, subjects=["02"], space="fsLR")
    assert [scan.n_trs for scan in experiment.scans("02")] == [20, 20] and experiment.tr == 2.0
    subject = preprocessing.open_subjects(experiment)["02"]
    assert subject.bold.shape == (39, 80) and subject.grid is None and subject.space == "fsLR"
    on_mesh = subject.surface.on_mesh(np.arange(80))
    assert on_mesh["left"].shape == (32_492,) and on_mesh["left"][5] == 0 and on_mesh["right"][5] == 40
    assert np.isnan(on_mesh["left"]).sum() == 32_492 - 40
    with pytest.raises(ValueError, match="mesh of fsLR is not at hand"):
        _ = subject.coordinates
    bids_tree.write_grayordinates(path, n_cortex=41)
    with pytest.raises(ValueError, match="has other vertices than the subject's first run"):
        preprocessing.open_subjects(bids.load(folder, subjects=["02"], space="fsLR"))["02"]


def test_the_header_of_grayordinates_has_the_repetition_time(folder):
    shutil.rmtree(folder / "sub-01")
    shutil.rmtree(folder / "sub-02")
    func = folder / "derivatives/fmriprep/sub-02/ses-a/func"
    for run in (1, 2):
        path = func / f"sub-02_ses-a_task-story_run-{run}_space-fsLR_den-91k_bold.dtseries.nii"
        bids_tree.write_grayordinates(path, tr=1.5)
    assert bids.load(folder, subjects=["02"], space="fsLR").tr == 1.5
