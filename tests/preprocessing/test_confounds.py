"""Confounds by strategy: found beside the BOLD, regressed out inside each run, and refused where they are not whole."""

import json
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from naturalistic import preprocessing
from naturalistic.datasets import bids
from naturalistic.datasets.confounds import check_strategy, read_confounds

from tests.helpers import bids_tree

N_TRS = 60
NAMES = [f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"]


@pytest.fixture
def folder(tmp_path):
    """Return a data set of two runs, whose voxel (2, 2, 2) is half a translation of its run."""
    folder = tmp_path / "tsv of größe"  # nilearn replaces "tsv" in paths, and reads names in ASCII alone
    for run in (1, 2):
        stem = f"sub-01_task-story_run-{run}"
        bids_tree.write_run(folder, Path("sub-01/func"), stem, n_trs=N_TRS, seed=run)
        out = folder / "derivatives/fmriprep/sub-01/func"
        values = np.loadtxt(table_of(folder, run).read_text().splitlines()[2:], usecols=0)
        path = out / f"{stem}_{bids_tree.MNI}_desc-preproc_bold.nii.gz"
        image = nib.load(path)
        data = image.get_fdata(dtype=np.float32)
        data[2, 2, 2, 1:] = 500 + 20 * values + 3 * np.random.default_rng(run).standard_normal(N_TRS - 1)
        nib.save(nib.Nifti1Image(data, image.affine, image.header), path)
    return folder


def table_of(folder, run):
    name = f"sub-01_task-story_run-{run}_desc-confounds_timeseries.tsv"
    return folder / "derivatives/fmriprep/sub-01/func" / name


def add_columns(path, **columns):
    lines = path.read_text().splitlines()
    lines[0] = "\t".join([lines[0], *columns])
    for k in range(1, len(lines)):
        lines[k] = "\t".join([lines[k], *(str(values[k - 1]) for values in columns.values())])
    path.write_text("\n".join(lines) + "\n")


def test_they_are_taken_out_inside_each_run(folder, tmp_path):
    experiment = bids.load(folder)
    scans = experiment.scans("01")
    options = {"drift": "cosine", "window": 1000.0, "region": "brain", "folder": tmp_path / "store"}
    raw = preprocessing.prepare(scans, **options)
    clean = preprocessing.prepare(scans, confounds=["motion", "wm_csf"], **options)
    assert raw.folder != clean.folder and clean.bold.shape == raw.bold.shape
    voxel = np.flatnonzero((raw.grid.indices == 2).all(axis=1))[0]
    for run, scan in enumerate(scans):
        confounds = read_confounds(scan, ["motion", "wm_csf"])
        assert confounds.values.shape == (N_TRS, 8) and set(NAMES) | {"csf", "white_matter"} == set(confounds.names)
        x = confounds.values[:, confounds.names.index("trans_x")]
        rows = raw.runs == run
        assert np.corrcoef(raw.bold[rows, voxel], x)[0, 1] > 0.9
        assert abs(np.corrcoef(clean.bold[rows, voxel], x)[0, 1]) < 0.01
        np.testing.assert_allclose(clean.bold[rows].std(axis=0), 1, atol=1e-4)
    # the other run's confounds change nothing in this one
    alone = preprocessing.prepare(scans[:1], confounds=["motion", "wm_csf"], **options)
    same = np.corrcoef(alone.bold[:, voxel], clean.bold[clean.runs == 0, voxel])[0, 1]
    assert same == pytest.approx(1, abs=1e-5)


def test_scrubbed_volumes_stay_on_the_grid_as_zero(folder, tmp_path):
    displacement = ["n/a", *(["0.1"] * (N_TRS - 1))]
    displacement[30] = "3.0"
    for run in (1, 2):
        add_columns(table_of(folder, run), framewise_displacement=displacement, std_dvars=displacement)
    experiment = bids.load(folder)
    strategy = {"strategy": ["motion", "scrub"], "scrub": 0, "fd_threshold": 1.0}
    assert np.flatnonzero(read_confounds(experiment.scans("01")[0], strategy).censored).tolist() == [30]
    options = {"drift": "cosine", "window": 1000.0, "region": "brain", "folder": tmp_path / "store"}
    subject = preprocessing.open_subjects(experiment, confounds=strategy, **options)["01"]
    assert len(subject.bold) == 2 * N_TRS
    size = np.abs(subject.bold[subject.runs == 0]).max(axis=1)
    assert size[30] < 0.05 and (np.delete(size, 30) > 0.5).all()


def test_compcor_needs_its_sidecar(folder):
    components = np.random.default_rng(0).standard_normal((3, N_TRS)).round(4)
    for run in (1, 2):
        add_columns(table_of(folder, run), a_comp_cor_00=components[0], a_comp_cor_01=components[1],
                    cosine00=components[2])  # fmt: skip
    scan = bids.load(folder).scans("01")[0]
    with pytest.raises(FileNotFoundError, match=r"confounds_timeseries.json is missing: it says which components"):
        read_confounds(scan, "compcor")
    about = {"Method": "aCompCor", "Mask": "combined", "Retained": True, "CumulativeVarianceExplained": 0.3}
    scan.confounds.with_suffix(".json").write_text(
        json.dumps({name: about for name in ("a_comp_cor_00", "a_comp_cor_01")})
    )
    confounds = read_confounds(scan, {"strategy": ["compcor"], "n_compcor": 2})
    assert confounds.names == ("a_comp_cor_00", "a_comp_cor_01", "cosine00")


def test_cells_that_are_missing(folder):
    scan = bids.load(folder).scans("01")[0]
    derivatives = {"strategy": ["motion"], "motion": "derivatives"}
    read_confounds(scan, derivatives)  # the first row of a derivative has none
    lines = scan.confounds.read_text().splitlines()
    cells = lines[8].split("\t")
    cells[1] = "n/a"
    lines[8] = "\t".join(cells)
    scan.confounds.write_text("\n".join(lines))
    with pytest.raises(ValueError, match=r"timeseries.tsv: 1 cells of trans_y are n/a, the first trans_y in row 8"):
        read_confounds(scan, "motion")


def test_what_is_not_there_is_named(folder):
    scan = bids.load(folder).scans("01")[0]
    with pytest.raises(ValueError, match=r"confounds motion, scrub cannot be read.*expected the columns that fMRIPrep"):
        read_confounds(scan, ["motion", "scrub"])
    with pytest.raises(ValueError, match="has 60 rows, expected 70: one a volume of the run"):
        read_confounds(replace(scan, n_trs=70), "motion")
    scan.confounds.unlink()
    gone = bids.load(folder).scans("01")
    with pytest.raises(FileNotFoundError, match=r"func: no confounds of run task-story_run-1 of subject 01; expected"):
        preprocessing.prepare(gone, confounds="motion")


def test_too_many_for_a_run(tmp_path):
    bids_tree.write_run(tmp_path, Path("sub-01/func"), "sub-01_task-story", n_trs=20)
    scans = bids.load(tmp_path).scans("01")
    everything = {"strategy": ["motion", "wm_csf", "global_signal"], "motion": "derivatives"}
    with pytest.raises(ValueError, match=r"16 confounds for 20 volumes of run task-story would take out most"):
        preprocessing.prepare(scans, confounds=everything, region="brain", folder=tmp_path / "store", n_jobs=1)


def test_names_of_strategies():
    assert check_strategy("motion")["strategy"] == ["motion"]
    assert check_strategy({"strategy": ["motion"], "motion": "full"})["motion"] == "full"
    with pytest.raises(ValueError, match=r"confounds are \['motions'\], expected some of .*did you mean 'motion'"):
        check_strategy("motions")
    with pytest.raises(ValueError, match=r"no option 'n_compcors', expected .*did you mean 'n_compcor'"):
        check_strategy({"strategy": ["compcor"], "n_compcors": 3})
