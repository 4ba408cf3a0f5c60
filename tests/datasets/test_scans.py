"""Files of other people's scans: read in their units, matched by place and content, in all names of fMRIPrep."""

import gzip
import json
import tracemalloc

import nibabel as nib
import numpy as np
import pytest
from naturalistic import preprocessing
from naturalistic.datasets import bids_files, fmriprep, scans

SHAPE, N, TR = (14, 16, 13), 24, 1.5
AFFINE = np.diag([12.0, 12, 12, 1])
AFFINE[:3, 3] = -80, -110, -65
RIGHT = np.zeros(SHAPE, np.uint8)
RIGHT[8:12, 3:12, 3:10] = 1  # x = 16 ... 52 mm
MNI = "space-MNI152NLin2009cAsym"
MOTION = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
RUNS = ("rest_run-01", "rest_run-02")


def func_of(root):
    folder = root / "derivatives/fmriprep/sub-001/func"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def write_image(path, values, affine=AFFINE, tr=None, unit="sec"):
    image = nib.Nifti1Image(values, affine)
    if tr is not None:
        image.header.set_xyzt_units("mm", unit)
        image.header.set_zooms((*image.header.get_zooms()[:3], tr))
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(image, path)
    return path


def bold(seed=0, shape=SHAPE):
    return (np.random.default_rng(seed).standard_normal((*shape, N)) * 10 + 1000).astype(np.float32)


def write_run(root, run=RUNS[0], mask=RIGHT, mask_affine=AFFINE, space=MNI, **header):
    stem = f"sub-001_task-{run}_{space}_desc-"
    write_image(func_of(root) / f"{stem}preproc_bold.nii.gz", bold(), **header)
    return write_image(func_of(root) / f"{stem}brain_mask.nii.gz", mask, mask_affine)


def write_confounds(root, run, ending, names=MOTION):
    rows = [names, *np.random.default_rng(3).standard_normal((N, 6)).round(3).tolist()]
    path = func_of(root) / f"sub-001_task-{run}_{ending}.tsv"
    path.write_text("\n".join("\t".join(map(str, row)) for row in rows) + "\n")
    return np.array(rows[1:])


def find(root, run=RUNS[0], space="mni"):
    return scans.find(root, "001", run, space=space, tr=TR, n_trs=N)


def prepare(root, runs=RUNS[:1], space="mni"):
    them = [find(root, run, space) for run in runs]
    return preprocessing.prepare(them, region="brain", folder=root / "kept", n_jobs=1, window=12.0)


# --- values in their units ------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize(("slope", "inter"), [(1, 0), (0.25, 0), (-1, 0), (1, 300), (0.5, -100)])
def test_slope_and_intercept_are_read_with_the_values(tmp_path, ending, slope, inter):
    stored = np.random.default_rng(0).integers(100, 9000, (4, 4, 4, N)).astype(np.int16)
    image = nib.Nifti1Image(stored, np.eye(4))
    image.header.set_slope_inter(slope, inter)
    path = tmp_path / f"run{ending}"
    nib.save(image, path)
    data, _ = scans.volumes(scans.Scan("001", "run", "raw", (path,), TR, N))
    # integers whose slope was set by hand are saved as they are
    np.testing.assert_allclose(np.asarray(data, float), stored.astype(float) * slope + inter, rtol=1e-6)
    whole = np.asarray(data).dtype
    assert whole == np.int16 if (slope, inter) == (1, 0) else whole.kind == "f"


def test_a_slope_that_nibabel_selects_comes_back(tmp_path):
    values = np.random.default_rng(0).standard_normal((4, 4, 4, N)) * 100 + 5000
    image = nib.Nifti1Image(values, np.eye(4))
    image.set_data_dtype(np.int16)
    nib.save(image, tmp_path / "run.nii.gz")
    data, _ = scans.volumes(scans.Scan("001", "run", "raw", (tmp_path / "run.nii.gz",), TR, N))
    np.testing.assert_allclose(data, values, atol=0.02)


def test_a_scaled_run_is_never_whole_in_float64(tmp_path):
    """A run of full size would take 2 GB more."""
    image = nib.Nifti1Image(np.random.default_rng(0).integers(0, 9000, (40, 40, 30, N)).astype(np.int16), np.eye(4))
    image.header.set_slope_inter(0.5, 3)
    nib.save(image, tmp_path / "run.nii.gz")
    scan = scans.Scan("001", "run", "raw", (tmp_path / "run.nii.gz",), TR, N)
    tracemalloc.start()
    data, _ = scans.volumes(scan)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert data.dtype == np.float32 and peak < 8 * data.size, "2 bytes as stored, 4 as returned, and a volume"


# --- masks by place -------------------------------------------------------------------------------------------


def stored_otherwise(kind):
    """Return the mask of the same places on another grid."""
    flipped = AFFINE.copy()
    if kind == "own":
        return RIGHT, AFFINE
    if kind == "left to right":
        flipped[0] = -12, 0, 0, -80 + 12 * 13
        return np.ascontiguousarray(RIGHT[::-1]), flipped
    if kind == "axes turned":
        return np.ascontiguousarray(RIGHT.transpose(2, 0, 1)), AFFINE[:, [2, 0, 1, 3]]
    if kind == "one volume in 4-D":
        return RIGHT[..., None], AFFINE
    if kind == "finer":
        finer = AFFINE @ np.diag([1 / 3, 1 / 3, 1 / 3, 1])
        finer[:3, 3] -= 4
        return RIGHT.repeat(3, 0).repeat(3, 1).repeat(3, 2), finer
    flipped[:3, 3] += 12 * np.array([7, 2, 2])  # "a part of the field of view"
    return np.ascontiguousarray(RIGHT[7:, 2:, 2:]), flipped


@pytest.mark.parametrize(
    "kind", ["own", "left to right", "axes turned", "one volume in 4-D", "finer", "a part of the field of view"]
)
def test_a_mask_lies_where_its_affine_says(tmp_path, kind):
    write_run(tmp_path, mask=stored_otherwise(kind)[0], mask_affine=stored_otherwise(kind)[1])
    person = prepare(tmp_path)
    np.testing.assert_array_equal(person.grid.mask, RIGHT > 0)
    assert (person.coordinates[:, 0].min(), person.coordinates[:, 0].max()) == (16, 52)


def away(x):
    affine = AFFINE.copy()
    affine[0, 3] += x
    return affine


def write_without_place(path, values):
    image = nib.Nifti1Image(values, None)
    assert image.header["sform_code"] == image.header["qform_code"] == 0
    nib.save(image, path)


def test_a_mask_whose_axes_lie_in_one_plane_is_named(tmp_path):
    flat = AFFINE.copy()
    flat[2, 2] = 0
    path = write_run(tmp_path)
    image = nib.Nifti1Image(RIGHT, None)
    image.header.set_sform(flat, 1)  # nibabel refuses to make such an image, and not to read it
    path.write_bytes(b"")
    with gzip.open(path, "wb") as file:
        image.header.set_data_shape(SHAPE)
        file.write(image.header.binaryblock + bytes(4) + RIGHT.tobytes(order="F"))
    with pytest.raises(ValueError, match=r"brain_mask.nii.gz states no place .* lie in one plane"):
        scans.check([find(tmp_path)])


def test_a_mask_that_states_no_place_is_named(tmp_path):
    """As some programs save masks: nibabel then makes up an affine."""
    path = write_run(tmp_path)
    write_without_place(path, RIGHT)
    with pytest.raises(ValueError, match=r"brain_mask.nii.gz states no place .* cannot be laid on .*preproc_bold"):
        scans.check([find(tmp_path)])
    write_without_place(find(tmp_path).paths[0], bold())  # on the same made-up grid the indices are all there is
    with pytest.warns(UserWarning, match=r"preproc_bold.nii.gz states no place .*left and right may be confused"):
        scans.check([find(tmp_path)])


@pytest.mark.parametrize(
    ("mask", "affine", "message"),
    [
        (RIGHT, away(60), r"lies elsewhere than the run, 25% of it in the field of view: the mask has shape \(14, 16"),
        (RIGHT, away(600), r"lies elsewhere than the run, 0% .*affine \[\[12.0, 0.0, 0.0, 520.0\].*preproc_bold"),
        (RIGHT[0], AFFINE, r"has shape \(16, 13\), expected one volume"),
        (np.stack([RIGHT] * 2, -1), AFFINE, r"has shape \(14, 16, 13, 2\), expected one volume"),
        (RIGHT * 0, AFFINE, "is empty: no voxel is above 0, expected the brain mask of .*preproc_bold"),
    ],
)
def test_a_mask_of_something_else_is_named(tmp_path, mask, affine, message):
    path = write_run(tmp_path, mask=mask, mask_affine=affine)
    with pytest.raises(ValueError, match=message) as error:
        prepare(tmp_path)
    assert str(error.value).startswith(str(path)) and not (tmp_path / "kept").exists()


def test_a_damaged_mask_is_named(tmp_path):
    path = write_run(tmp_path, mask=np.random.default_rng(0).integers(0, 2, SHAPE).astype(np.uint8))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"brain_mask\.nii\.gz is damaged or was cut short"):
        scans.check([find(tmp_path)])


def test_masks_of_runs_that_share_no_voxel(tmp_path):
    write_run(tmp_path)
    write_run(tmp_path, RUNS[1], mask=np.ascontiguousarray(RIGHT[::-1]))
    with pytest.raises(ValueError, match=r"the masks of 2 runs have no voxel in common: .*run-01.*run-02"):
        prepare(tmp_path, RUNS)


@pytest.mark.parametrize(("affine", "cut"), [(away(3), 0), (AFFINE, 1)])
def test_runs_on_two_grids_are_both_named(tmp_path, affine, cut):
    write_run(tmp_path)
    write_run(tmp_path, RUNS[1])
    path = find(tmp_path, RUNS[1]).paths[0]
    write_image(path, bold(shape=(SHAPE[0] - cut, *SHAPE[1:])), affine)
    with pytest.raises(ValueError, match=r"run-02.* has another grid than .*first run: shape .*run-01.*has shape"):
        prepare(tmp_path, RUNS)


def test_voxels_without_numbers(tmp_path):
    """Nowhere a number: outside of the scan. Sometimes none: the file is named."""
    write_run(tmp_path)
    path = find(tmp_path).paths[0]
    values = bold()
    values[8, 3, 3] = np.nan
    write_image(path, values)
    person = prepare(tmp_path)
    assert not person.bold[:, 0].any() and person.bold[:, 1].any()
    values[9, 4, 4, 7] = np.nan
    write_image(path, values)
    with pytest.raises(ValueError, match=r"preproc_bold.nii.gz: 1 of 252 voxels are not finite .*first at TR 7"):
        prepare(tmp_path)


# --- surfaces -------------------------------------------------------------------------------------------------


@pytest.fixture
def small_mesh(monkeypatch):
    monkeypatch.setitem(fmriprep.MESHES, "fsaverage5", (fmriprep.MESHES["fsaverage5"][0], 7))


def write_side(path, courses):
    arrays = [nib.gifti.GiftiDataArray(row) for row in np.asarray(courses, np.float32)]
    nib.save(nib.gifti.GiftiImage(darrays=arrays), path)


def write_surface(root, sizes=(7, 7), form=fmriprep.SURFACES[0], mesh="fsaverage5", run=RUNS[0]):
    rng = np.random.default_rng(0)
    for side, size in zip("LR", sizes):
        path = func_of(root) / form.format(stem=f"sub-001_task-{run}", mesh=mesh, side=side)
        write_side(path, rng.normal(500, 9, (N, size)))


def test_vertices_without_numbers(tmp_path, small_mesh):
    write_surface(tmp_path)
    scan = find(tmp_path, space="fsaverage5")
    courses = scans.vertices(scan)[:, :7].copy()
    courses[:, 2] = np.nan
    write_side(scan.paths[0], courses)
    assert not scans.vertices(scan)[:, 2].any() and scans.vertices(scan)[:, [1, 3]].all()
    courses[5, 4] = np.nan
    write_side(scan.paths[0], courses)
    with pytest.raises(ValueError, match=r"hemi-L.*gii: 1 of 7 vertices are not finite at some TRs, the first at TR 5"):
        scans.vertices(scan)


@pytest.mark.parametrize("sizes", [(7, 12), (12, 7), (12, 12)])
def test_meshes_of_another_size_are_named(tmp_path, small_mesh, sizes):
    write_surface(tmp_path, sizes)
    side = "R" if sizes[0] == 7 else "L"
    with pytest.raises(ValueError, match=rf"hemi-{side}.*has \[12\] vertices, expected 7: those of fsaverage5"):
        scans.check([find(tmp_path, space="fsaverage5")])


@pytest.mark.parametrize("form", fmriprep.SURFACES)
@pytest.mark.parametrize("mesh", fmriprep.MESHES["fsaverage5"][0])
def test_surfaces_of_all_versions_are_found(tmp_path, small_mesh, form, mesh):
    write_surface(tmp_path, form=form, mesh=mesh)
    scan = find(tmp_path, space="fsaverage5")
    scans.check([scan])
    assert scans.vertices(scan).shape == (N, 14)


def test_a_damaged_surface_is_named(tmp_path, small_mesh):
    write_surface(tmp_path)
    scan = find(tmp_path, space="fsaverage5")
    scan.paths[1].write_bytes(scan.paths[1].read_bytes()[:3000])
    with pytest.raises(ValueError, match=r"hemi-R.*func\.gii cannot be read as an image"):
        scans.check([scan])


# --- the repetition time --------------------------------------------------------------------------------------


def write_json(root, name, content):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


OWN = f"sub-001/func/sub-001_task-{RUNS[0]}_bold.json"
SUBJECT = "sub-001/sub-001_task-rest_bold.json"
ROOT = "task-rest_bold.json"
DERIVED = f"derivatives/fmriprep/sub-001/func/sub-001_task-{RUNS[0]}_{MNI}_desc-preproc_bold.json"


@pytest.mark.parametrize("name", [OWN, SUBJECT, ROOT, "bold.json", DERIVED])
def test_a_sidecar_of_any_level_is_read(tmp_path, name):
    write_run(tmp_path)
    write_json(tmp_path, "task-movie_bold.json", {"RepetitionTime": 9})  # of another task
    write_json(tmp_path, name, {"RepetitionTime": TR})
    scans.check([find(tmp_path)])
    path = write_json(tmp_path, name, {"RepetitionTime": 2.0})
    with pytest.raises(ValueError, match=r"says RepetitionTime 2\.0 s, expected 1\.5 s") as error:
        scans.check([find(tmp_path)])
    assert str(error.value).startswith(str(path))


def test_the_nearest_sidecar_wins(tmp_path):
    for k, name in enumerate((ROOT, "task-rest_run-01_bold.json", SUBJECT, OWN)):
        write_json(tmp_path, name, {"RepetitionTime": 1.0 + k})
        tr, path = bids_files.repetition_time(bids_files.sidecars_of(tmp_path / OWN))
        assert (tr, path) == (1.0 + k, tmp_path / name)
    write_json(tmp_path, OWN, {"TaskName": "rest"})  # says nothing of it
    assert bids_files.repetition_time(bids_files.sidecars_of(tmp_path / OWN)) == (3.0, tmp_path / SUBJECT)


def test_a_raw_run_whose_sidecar_is_at_the_root(tmp_path):
    write_image(tmp_path / f"sub-001/func/sub-001_task-{RUNS[0]}_bold.nii.gz", bold())
    with pytest.raises(FileNotFoundError, match=r"1 of 2 files are missing: .*run-01_bold\.json"):
        scans.check([find(tmp_path, space="raw")])
    write_json(tmp_path, ROOT, {"TaskName": "rest"})
    with pytest.raises(ValueError, match=r"task-rest_bold\.json says RepetitionTime None s"):
        scans.check([find(tmp_path, space="raw")])
    write_json(tmp_path, ROOT, {"RepetitionTime": TR})
    scans.check([find(tmp_path, space="raw")])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"RepetitionTime": "n/a"}, "says RepetitionTime 'n/a', expected a number of seconds above 0"),
        ({"RepetitionTime": 0}, "says RepetitionTime 0, expected a number"),
        ({"RepetitionTime": [1.5]}, r"says RepetitionTime \[1\.5\], expected a number"),
        ({"RepetitionTime": 1500}, r"says RepetitionTime 1500\.0 s, expected 1\.5 s, not ms"),
        ([1.5], "holds a list, expected an object"),
        ("{", "is not JSON"),
    ],
)
def test_a_sidecar_that_says_no_time_is_named(tmp_path, content, message):
    write_run(tmp_path)
    path = write_json(tmp_path, ROOT, content)
    with pytest.raises(ValueError, match=message) as error:
        scans.check([find(tmp_path)])
    assert str(error.value).startswith(str(path))


@pytest.mark.parametrize(
    ("tr", "unit"), [(1.5, "sec"), (1500, "msec"), (1.5e6, "usec"), (1500, "sec"), (1.5, "msec"), (1.5, "unknown")]
)
def test_the_header_is_read_where_no_sidecar_is(tmp_path, tr, unit):
    write_run(tmp_path, tr=tr, unit=unit)
    scans.check([find(tmp_path)])
    write_run(tmp_path, tr=tr * 2, unit=unit)
    with pytest.raises(ValueError, match=r"the header of .*preproc_bold.nii.gz says RepetitionTime 3.* expected 1\.5"):
        scans.check([find(tmp_path)])


def test_a_scan_without_any_sidecar(tmp_path):
    path = write_image(tmp_path / "run.nii.gz", bold())
    with pytest.raises(ValueError, match=r"no sidecar of .*run\.nii\.gz says RepetitionTime None s"):
        scans.check([scans.Scan("001", "run", "raw", (path,), TR, N)])
    write_image(path, bold(), tr=TR)
    scans.check([scans.Scan("001", "run", "raw", (path,), TR, N)])


@pytest.mark.parametrize("shape", [SHAPE, SHAPE[:2], (*SHAPE, N, 1)])
def test_an_image_of_other_dimensions_is_named(tmp_path, shape):
    write_run(tmp_path)
    write_image(find(tmp_path).paths[0], np.zeros(shape, np.float32), np.eye(4))
    with pytest.raises(ValueError, match=r"preproc_bold\.nii\.gz has 0 volumes .*, expected 24") as error:
        scans.check([find(tmp_path)])
    assert ";" not in str(error.value)


@pytest.mark.parametrize(("tr", "unit", "warns"), [(2.0, "sec", True), (0, "sec", False), (1.0, "unknown", False)])
def test_a_header_that_contradicts_the_sidecar_is_warned_of(tmp_path, tr, unit, warns, recwarn):
    write_run(tmp_path, tr=tr, unit=unit)
    write_json(tmp_path, ROOT, {"RepetitionTime": TR})
    if warns:
        with pytest.warns(UserWarning, match=r"preproc_bold.* says a TR of 2 s, .*task-rest_bold\.json says 1\.5 s"):
            scans.check([find(tmp_path)])
    else:
        scans.check([find(tmp_path)])
        assert not recwarn.list


# --- variants of fMRIPrep -------------------------------------------------------------------------------------

VARIANTS = [  # in the order in which they are taken
    MNI, f"{MNI}_res-native", f"{MNI}_res-1", f"{MNI}_res-2", "space-MNI152NLin6Asym", "space-MNI152NLin6Asym_res-2",
]  # fmt: skip


@pytest.mark.parametrize("k", range(len(VARIANTS)))
def test_one_variant_is_taken_and_the_mask_of_it(tmp_path, k):
    """Whichever others are there; never one of children, or one that was smoothed."""
    func = func_of(tmp_path)
    others = [f"{MNI}_desc-smoothed", "space-MNIPediatricAsym_cohort-1_desc-preproc", "space-T1w_desc-preproc"]
    for name in [*others, *(f"{variant}_desc-preproc" for variant in reversed(VARIANTS[k:]))]:
        (func / f"sub-001_task-{RUNS[0]}_{name}_bold.nii.gz").touch()
        (func / f"sub-001_task-{RUNS[0]}_{name.rpartition('_')[0]}_desc-brain_mask.nii.gz").touch()
    scan = find(tmp_path)
    assert scan.paths == (func / f"sub-001_task-{RUNS[0]}_{VARIANTS[k]}_desc-preproc_bold.nii.gz",)
    assert scan.mask == func / f"sub-001_task-{RUNS[0]}_{VARIANTS[k]}_desc-brain_mask.nii.gz" and scan.mask.is_file()


def test_the_mask_of_another_variant_does_not_do(tmp_path):
    write_run(tmp_path, space=f"{MNI}_res-2").unlink()
    write_run(tmp_path, space="space-MNI152NLin6Asym")
    with pytest.raises(FileNotFoundError, match=r"2009cAsym_res-2_desc-brain_mask"):
        scans.check([find(tmp_path)])


def test_a_space_that_is_not_there_lists_those_that_are(tmp_path):
    write_run(tmp_path, space="space-T1w")
    write_run(tmp_path, space="space-MNIPediatricAsym_cohort-1_res-2")
    with pytest.raises(FileNotFoundError, match=r"of this run there are MNIPediatricAsym_cohort-1_res-2, T1w"):
        scans.check([find(tmp_path)])
    scans.check([find(tmp_path, space="native")])


def test_runs_of_two_variants_do_not_belong_together(tmp_path):
    write_run(tmp_path)
    write_run(tmp_path, RUNS[1], space="space-MNI152NLin6Asym")
    with pytest.raises(ValueError, match=r"run-02.*NLin6Asym.* is of another space than .*run-01.*NLin2009cAsym"):
        scans.check([find(tmp_path, run) for run in RUNS])


def test_names_before_1_2(tmp_path):
    stem = func_of(tmp_path) / f"sub-001_task-{RUNS[0]}_bold_{MNI}"
    write_image(stem.with_name(f"{stem.name}_preproc.nii.gz"), bold())
    write_image(stem.with_name(f"{stem.name}_brainmask.nii.gz"), RIGHT)
    expected = write_confounds(tmp_path, RUNS[0], "bold_confounds", ("X", "Y", "Z", "RotX", "RotY", "RotZ"))
    person = prepare(tmp_path)
    assert person.bold.shape == (N, RIGHT.sum())
    np.testing.assert_allclose(person.motion, expected)


# --- confounds ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", fmriprep.CONFOUNDS)
def test_confounds_of_all_versions_are_read(tmp_path, ending):
    write_run(tmp_path)
    expected = write_confounds(tmp_path, RUNS[0], ending)
    np.testing.assert_allclose(prepare(tmp_path).motion, expected)


def test_doubts_of_many_runs_are_one_warning(tmp_path, recwarn):
    runs = [f"rest_run-{k:02d}" for k in range(1, 6)]
    for run in runs:
        write_run(tmp_path, run, tr=2.0)
    write_json(tmp_path, ROOT, {"RepetitionTime": TR})
    scans.check([find(tmp_path, run) for run in runs])
    (only,) = recwarn.list
    assert str(only.message).count("says a TR of 2 s") == 3 and str(only.message).endswith("; and 2 more")


def test_a_run_without_confounds_among_others_is_said_each_time(tmp_path):
    for run in RUNS:
        write_run(tmp_path, run)
    expected = write_confounds(tmp_path, RUNS[0], "desc-confounds_regressors")
    for _ in range(2):  # prepared, and opened again
        with pytest.warns(UserWarning, match=r"1 of 2 runs have no confounds, .*run-02_desc-confounds_timeseries\.tsv"):
            person = prepare(tmp_path, RUNS)
        assert person.motion is None and RUNS[1] not in person.scan_motion
        np.testing.assert_allclose(person.scan_motion[RUNS[0]], expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\t".join(MOTION) + "\n" + "\t".join(["0,1"] * 6), "expected 24"),
        ("\t".join(MOTION) + "\n" + "\n".join(["\t".join(["0,1"] * 6)] * N), "row 1: trans_x is no number"),
        ("\t".join(MOTION) + "\n" + "\n".join(["0.1\t0.1"] * N), "row 1 has 2 cells, expected 6"),
        ("", "has no column trans_x"),
        ("\t".join(MOTION).encode("utf-16"), "has 0 rows, expected 24"),  # UTF-16 with its mark is read
    ],
)
def test_broken_confounds_are_said_before_the_work(tmp_path, text, message):
    write_run(tmp_path)
    path = func_of(tmp_path) / f"sub-001_task-{RUNS[0]}_desc-confounds_timeseries.tsv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(ValueError, match=message) as error:
        prepare(tmp_path)
    assert str(error.value).startswith(str(path)) and not (tmp_path / "kept").exists()
