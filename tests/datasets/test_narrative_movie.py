"""ds005531 as downloaded: the real tree of 43 runs, small simulated volumes and text, and broken copies."""

import os
import re
import shutil
from pathlib import Path

import h5py
import naturalistic_simulation
import nibabel as nib
import numpy as np
import pytest
import scipy.io
from naturalistic.datasets import bold_store, movie_bold, movie_runs, narrative_movie, openneuro, scans
from naturalistic.datasets.annotations import LEVELS, MARKER, read_annotation
from naturalistic.datasets.fmriprep import MESHES
from naturalistic.preprocessing import open_subjects, prepare, zscore

from tests.helpers.real_data import real_folder

GRID = (6, 5, 4)
N_GRID = 120
N_VOXELS = 40
COLUMNS = "\t".join(movie_runs.COLUMNS)


# --- what was shown -------------------------------------------------------------------------------------------


def test_the_two_totals_of_the_authors():
    runs = movie_runs.published_runs("authors")
    seconds = {split: sum(r.n_kept for r in runs if r.split == split) for split in ("Training", "Test")}
    assert seconds == {"Training": 22_262, "Test": 7_737}
    assert len(runs) == 41 and not any(run.episode == "bigbangtheory2" for run in runs)
    firsts = sorted(run.name for run in runs if run.n_overlap == 0)
    assert firsts == sorted(
        ["bigbangtheory_run-01", "breakingbad_run-01", "crown_run-01", "dreamgirlsSess1_run-01", "gis_run-01",
         "gis_run-03", "glee_run-01", "heroes_run-01", "mentalist_run-01", "suits_run-01"]
    )  # fmt: skip
    assert sorted(run.name for run in runs if run.split == "Test") == [
        "bigbangtheory_run-02", "breakingbad_run-05", "crown_run-05", "dreamgirlsSess2_run-03",
        "dreamgirlsSess2_run-04", "gis_run-04", "glee_run-04", "heroes_run-05", "mentalist_run-04", "suits_run-03",
    ]  # fmt: skip


def test_the_words_of_the_paper_drop_all_first_seconds():
    runs = movie_runs.published_runs("paper")
    assert len(runs) == 43 and {run.n_overlap for run in runs} == {20}
    assert sum(run.n_kept for run in runs) == 31_045
    assert sum(run.n_kept for run in runs if run.split == "Test") == 7_713
    with pytest.raises(ValueError, match="overlap is 'both', expected one of authors, paper"):
        movie_runs.published_runs("both")


def test_each_title_has_a_fold_and_a_test_run():
    for overlap in movie_runs.OVERLAPS:
        runs = movie_runs.published_runs(overlap)
        assert [run.split for run in runs] == sorted((run.split for run in runs), reverse=True)
        for title in {run.title for run in runs}:
            of_title = [run for run in runs if run.title == title]
            assert len({run.fold for run in of_title}) == 1
            assert sum(run.split == "Test" for run in of_title) == (2 if title == "dreamgirls" else 1)
        assert {run.fold for run in runs} == {0, 1, 2, 3}


@pytest.fixture(scope="session")
def real_movie():
    """Folder of the real text files of ds005531; the test is skipped where they are not."""
    return real_folder("ds005531", "the text files of ds005531")


def test_lengths_are_those_of_the_published_features(real_movie):
    """A feature file is 184 bytes and 1,024 floats for each second: 43 x 16 sizes say how long the runs are."""
    lengths = {run.name: run.n_seconds for run in movie_runs.published_runs("paper")}
    found = 0
    for line in (real_movie / "TREE.tsv").read_text().splitlines()[1:]:
        path, n_bytes = line.split("\t")[:2]
        if match := re.match(r"derivatives/feature/(\w+_run-\d\d)_", path):
            assert (int(n_bytes) - 184) / 4096 == lengths[match[1]], path
            found += 1
    assert found == 43 * 16


def test_the_real_tree_of_43_runs(real_movie):
    movie = narrative_movie.load(real_movie)
    assert movie.subjects == ("S01", "S02", "S03", "S04", "S05", "S06") and len(movie.runs) == 41
    assert not movie.is_simulated and movie.notes == [] and movie.tr == 1 and movie.levels == ()
    assert "22,262 s of training, 7,737 s of test" in str(movie) and "CC0" in str(movie)
    assert movie.title("x") == "x" and movie.repeats == []
    assert len(narrative_movie.load(real_movie, overlap="paper").runs) == 43
    with pytest.raises(ValueError, match=r"\['bigbangtheory_run-03'\].* left out with overlap='authors'"):
        narrative_movie.load(real_movie, runs=["bigbangtheory_run-03"])
    paths = {line.split("\t")[0] for line in (real_movie / "TREE.tsv").read_text().splitlines()}
    for run in movie_runs.published_runs("paper"):
        for kind in ("objectiveAnnot50chara", "speechTranscription", "speechTranscription_EN", "story"):
            assert f"derivatives/annotation/{run.name}_{kind}_each1sec.txt" in paths
        for subject in movie.subjects:
            mask = movie_bold.mask_path("", subject)
            assert {str(mask), str(mask.with_name(f"sub-{subject}_task-{run.name}.mat"))} <= paths
    for scan in movie.scans("S02"):
        assert scan.sidecar.is_file() and scan.tr == 1
        assert str(scan.paths[0].relative_to(real_movie)) + ".gz" in paths


def test_folds_by_title(real_movie):
    movie = narrative_movie.load(real_movie)
    title = np.array([run.title for run in movie.select("Training")])[movie.run_of_tr("Training")]
    folds = movie.folds()
    assert len(folds) == 4 and sum(len(test) for _, test in folds) == 22_262 == len(title)
    assert [set(title[test]) for _, test in folds] == [set(titles) for titles in movie_runs.FOLDS]
    for train, test in folds:
        assert not set(title[train]) & set(title[test]) and len(train) + len(test) == len(title)
    with pytest.raises(ValueError, match="crown are all of one fold"):
        movie.folds(["crown_run-01", "crown_run-02"])


def test_fetch_selects_what_the_loader_reads(tmp_path):
    plan = openneuro.download_plan("ds005531", subjects=["S01"], runs=["dreamgirlsSess2_run-04", "crown_run-01"])
    paths = {file.path for file in plan.files}
    assert len(paths) == 3 + 1 + 2 * 4 + 2 + 1 + 19, "about the data set, participants, text, runs, mask, pycortex"
    assert movie_bold.reference_path(tmp_path, "S01").relative_to(tmp_path).as_posix() in paths
    for path in paths:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    movie = narrative_movie.load(tmp_path)
    assert movie.subjects == ("S01",) and movie.levels == ("Speech", "Object", "Story")
    assert [run.name for run in movie.runs] == ["crown_run-01", "dreamgirlsSess2_run-04"]
    assert movie_bold.mask_path(tmp_path, "S01").is_file()
    assert "39 of 41 runs are not there" in str(movie)
    raw = openneuro.download_plan("ds005531", subjects=[1], runs=["crown_run-01"], parts=["func"])
    names = {Path(file.path).name for file in raw.files if openneuro.part_of(file.path)}
    assert names == {"sub-S01_task-crown_run-01_bold.json", "sub-S01_task-crown_run-01_bold.nii.gz"}
    reference = openneuro.download_plan("ds005531", subjects=[1], parts=["pycortex_db"])
    assert any(file.path.endswith("fs_fullhead/reference.nii.gz") for file in reference.files)


# --- a small data set in that layout --------------------------------------------------------------------------


def write_mat(path, bold, **options):
    with h5py.File(path, "w", userblock_size=512) as file:  # MATLAB's own header comes before HDF5's
        file.create_dataset("dataDT", data=bold, **options)


def write_annotation(folder, run, kind, rows, encoding="utf-8"):
    path = folder / "derivatives" / "annotation" / f"{run}_{kind}_each1sec.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(f"[{k}]{row}\n" for k, row in enumerate(rows)).encode(encoding))
    return path


def make(folder):
    """Write two subjects and five runs of a miniature, with all levels."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README").write_text("SIMULATED DATA of nothing")
    rows, rng = [COLUMNS], np.random.default_rng(0)
    names = {"lamp_run-01": 30, "lamp_run-02": 40, "tide_run-01": 35, "tide_run-02": 33, "tide_run-03": 33}
    for run, n in names.items():
        title = run.split("_")[0]
        split = "Test" if run in ("lamp_run-02", "tide_run-02", "tide_run-03") else "Training"
        again = "tide_run-02" if run == "tide_run-03" else "n/a"
        rows.append(
            f"{run}\t{title}\t{title}\t{n}\t{0 if run.endswith('1') else 5}\t{split}\t{title == 'tide':d}\t{again}"
        )
        if again != "n/a":
            continue
        write_annotation(folder, run, "speechTranscription_EN", [f"{MARKER}ANN:line {k}" for k in range(n)])
        write_annotation(folder, run, "speechTranscription", [f"{MARKER}アン:台詞{k}" for k in range(n)])
        write_annotation(folder, run, "objectiveAnnot50chara", [f"a lamp {k}/灯り{k}//a wall" for k in range(n)])
        for kind in ("story", "summary", "timePlace"):
            write_annotation(folder, run, kind, [f"{kind} {run} {k}/second {k}" for k in range(n)])
    (folder / "runs.tsv").write_text("\n".join(rows) + "\n")
    for subject in ("S01", "S02"):
        mask = movie_bold.mask_path(folder, subject)
        mask.parent.mkdir(parents=True)
        voxels = np.sort(rng.choice(N_GRID, N_VOXELS, replace=False)) + 1
        scipy.io.savemat(mask, {"tvoxels": voxels[:, None].astype(float)}, do_compression=True)
        for run, n in names.items():
            bold = rng.normal(100, 5, (n, N_GRID)).astype(np.float32)
            write_mat(mask.with_name(f"sub-{subject}_task-{run}.mat"), bold, chunks=(7, 11), compression="gzip")
        reference = folder / "derivatives/pycortex_db" / f"sub-{subject}" / "transforms/fs_fullhead/reference.nii.gz"
        reference.parent.mkdir(parents=True)
        nib.save(nib.Nifti1Image(np.zeros(GRID, np.int16), np.diag([8.0, 8, 8, 1])), reference)
    return folder


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return make(tmp_path_factory.mktemp("movie") / "ds005531")


@pytest.fixture
def broken(tmp_path, tree):
    """A copy to be broken."""
    shutil.copytree(tree, tmp_path / "copy")
    return tmp_path / "copy"


def raw_run(folder, subject, run):
    """Return all voxels of a run and its mask, by other means than the loader's."""
    mask = movie_bold.mask_path(folder, subject)
    with h5py.File(mask.with_name(f"sub-{subject}_task-{run}.mat")) as file:
        return file["dataDT"][:], scipy.io.loadmat(mask)["tvoxels"].ravel().astype(int) - 1


def test_a_simulated_experiment(tree, monkeypatch):
    movie = narrative_movie.load(tree)
    assert movie.is_simulated and movie.title("x") == "x (simulated)" and "no brain was measured" in str(movie)
    assert [run.name for run in movie.runs] == [
        "lamp_run-01",
        "tide_run-01",
        "lamp_run-02",
        "tide_run-02",
        "tide_run-03",
    ]
    assert movie.n_seconds == {
        "lamp_run-01": 30, "tide_run-01": 35, "lamp_run-02": 35, "tide_run-02": 28, "tide_run-03": 28,
    }  # fmt: skip
    assert movie.levels == LEVELS and movie.repeats == [("tide_run-02", "tide_run-03")]
    assert movie.run_of_tr("Test").tolist() == [0] * 35 + [1] * 28 + [2] * 28
    assert [len(test) for _, test in movie.folds()] == [30, 35]
    assert movie.n_dropped == (0, 0, 5, 5, 5) and len(movie.run_of_tr()) == 156
    found = narrative_movie.load(tree.parent, subjects=[2], runs=["tide_run-02", "lamp_run-01"])
    assert narrative_movie.load(tree.parent, subjects="[2]").subjects == ("S02",)  # as papermill -p hands it over
    assert found.subjects == ("S02",) and [run.name for run in found.runs] == ["lamp_run-01", "tide_run-02"]
    made = []
    monkeypatch.setattr(naturalistic_simulation, "simulate_movie", lambda to: made.append(make(to)), raising=False)
    assert narrative_movie.load().is_simulated and len(made) == 1


def test_annotations_lose_what_the_scans_lose(tree):
    movie = narrative_movie.load(tree)
    for level in LEVELS:
        text = movie.annotations(level)
        assert len(text) == 156 and text.run_names == tuple(run.name for run in movie.runs)
        np.testing.assert_array_equal(text.runs, movie.run_of_tr())
        assert (text.speakers is None) == (level != "Speech")
    story = movie.annotations("Story", ["lamp_run-02"])
    assert story.texts[0] == ["story lamp_run-02 5", "second 5"] and len(story) == 35
    assert movie.annotations("Object", "Training").texts[1] == ["a lamp 1", "灯り1", "", "a wall"]
    speech = movie.annotations("Speech", "Training")
    assert speech.texts[2] == ["line 2"] and speech.speakers[2] == ["ANN"]
    assert movie.annotations("Speech", speech="ja").speakers[0] == ["アン"]
    again = movie.annotations("Story", ["tide_run-03"])
    assert again.texts == movie.annotations("Story", ["tide_run-02"]).texts, "a repeat has the text of what it repeats"


def test_bold_is_what_is_in_the_files(tree, monkeypatch):
    movie = narrative_movie.load(tree)
    bold = movie.open_subject("S02", progress=False).bold
    assert isinstance(bold, np.memmap) and bold.shape == (156, N_VOXELS) and bold.dtype == np.float32
    expected = []
    for run in movie.runs:
        values, voxels = raw_run(tree, "S02", run.name)
        expected.append(zscore(values[run.n_overlap :][:, voxels]))
    np.testing.assert_allclose(bold, np.concatenate(expected), atol=1e-6)

    def never(*args, **kwargs):
        raise AssertionError("the file was read a second time")

    monkeypatch.setattr(h5py, "File", never)
    subject = movie.open_subject("S02")
    np.testing.assert_array_equal(subject.bold, bold)
    test = subject.select([run.name for run in movie.select("Test")]).bold
    assert isinstance(test, np.memmap) and len(test) == len(movie.run_of_tr("Test"))
    np.testing.assert_array_equal(test, bold[65:])
    scattered = np.r_[np.arange(30), np.arange(100, 128)]
    np.testing.assert_array_equal(subject.select(["tide_run-02", "lamp_run-01"]).bold, bold[scattered])


def test_repeats_side_by_side(tree):
    """As a noise ceiling takes them: (n_repeats, n_trs, n_voxels)."""
    movie = narrative_movie.load(tree)
    subject = movie.open_subject("S01")
    with pytest.raises(ValueError, match="not all shown equally often"):
        _ = movie.stack_repeats
    movie = narrative_movie.load(tree, runs=["lamp_run-01", "tide_run-02", "tide_run-03"])
    test = subject.select([run.name for run in movie.select("Test")])
    repeats, runs = movie.stack_repeats(test.bold, test.runs)
    assert runs.tolist() == [0] * 28
    assert repeats.shape == (2, 28, N_VOXELS)
    np.testing.assert_array_equal(repeats[1], subject.select(["tide_run-03"]).bold)


def test_voxels_lie_where_the_volume_has_them(tree):
    movie = narrative_movie.load(tree)
    grid = movie.voxel_grid("S01")
    indices, shape, affine = grid.indices, grid.shape, grid.affine
    assert shape == GRID and affine[0, 0] == 8 and indices.shape == (N_VOXELS, 3)
    _, flat = raw_run(tree, "S01", "lamp_run-01")
    # the authors' own way back: reshape to (z, y, x)
    volume = np.arange(N_GRID).reshape(GRID[::-1])
    np.testing.assert_array_equal(volume[indices[:, 2], indices[:, 1], indices[:, 0]], flat)


@pytest.mark.parametrize("at_once", [1, 3 * 7 * 4, 7 * 7 * 4, 10**9])
def test_runs_are_written_in_groups_as_one_matrix_of_voxels(tmp_path, monkeypatch, at_once):
    monkeypatch.setattr(bold_store, "_AT_ONCE", at_once)
    monkeypatch.setattr(bold_store, "_BLOCK", 3)
    rng = np.random.default_rng(0)
    runs = [rng.standard_normal((n, 7)).astype(np.float32) for n in (4, 3, 5, 2)]
    stopped = []

    def read(k):
        stopped.append(k)
        if stopped.count(2) == 1 and k == 2:
            raise KeyboardInterrupt
        return runs[k]

    arguments = tmp_path, [len(run) for run in runs], 7, read, "runs"
    with pytest.raises(KeyboardInterrupt):
        bold_store.write_runs(*arguments, progress=False)
    bold_store.write_runs(*arguments, progress=False)
    bold = bold_store.open_matrix(tmp_path)
    np.testing.assert_array_equal(bold, np.concatenate(runs))
    assert bold.flags.f_contiguous and bold.dtype == np.float32
    once = [k for k in range(4) if stopped.count(k) == 1]
    assert once == {1: [0, 1, 3], 3 * 7 * 4: [0, 1, 3], 7 * 7 * 4: [0, 1, 3], 10**9: [3]}[at_once]


def test_an_interrupted_reading_goes_on(broken, monkeypatch):
    monkeypatch.setattr(bold_store, "_AT_ONCE", 1)  # each run by itself
    movie = narrative_movie.load(broken)
    read, seen = movie_bold.read_voxels, []

    def stops(path, voxels):
        seen.append(path.name)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return read(path, voxels)

    monkeypatch.setattr(movie_bold, "read_voxels", stops)
    with pytest.raises(KeyboardInterrupt):
        movie.open_subject("S01", progress=False)
    kept = Path(os.environ["NATURALISTIC_CACHE"]) / "movie"
    assert [path.suffix for path in kept.iterdir()] == [".part"]
    bold = np.array(movie.open_subject("S01", progress=False).bold)
    assert len(seen) == 3 + 3 and [path.suffix for path in kept.iterdir()] == [""]
    monkeypatch.undo()
    monkeypatch.setenv("NATURALISTIC_CACHE", str(broken / "another"))
    np.testing.assert_array_equal(movie.open_subject("S01", progress=False).bold, bold)


def test_another_rule_or_mask_is_read_anew(broken):
    movie = narrative_movie.load(broken)
    before = np.array(movie.open_subject("S01", progress=False).bold)
    table = broken / "runs.tsv"
    table.write_text(table.read_text().replace("\t5\t", "\t6\t"))
    assert len(narrative_movie.load(broken).open_subject("S01", progress=False).bold) == len(before) - 3
    scipy.io.savemat(movie_bold.mask_path(broken, "S01"), {"tvoxels": np.arange(1, 11)})
    assert movie.open_subject("S01", progress=False).bold.shape == (len(before), 10)


@pytest.mark.parametrize("seed", range(40))
def test_tiles_cover_each_chunk_once(seed):
    rng = np.random.default_rng(seed)
    shape = tuple(int(n) for n in rng.integers(1, 60, 2))
    chunks = tuple(int(rng.integers(1, n + 1)) for n in shape) if seed % 4 else None
    n_bytes = int(rng.integers(4, 4000))
    counts, height = np.zeros(shape, int), chunks[0] if chunks else 1
    width = chunks[1] if chunks else shape[1]
    for rows, columns in movie_bold.tiles(shape, chunks, 4, n_bytes):
        counts[rows, columns] += 1
        assert rows.start % height == 0 and columns.start % width == 0, "a chunk is cut in two"
        size = 4 * (rows.stop - rows.start) * (columns.stop - columns.start)
        assert size <= max(n_bytes, 4 * height * width)
    assert (counts == 1).all()


@pytest.mark.parametrize("options", [{}, {"chunks": (1, N_GRID)}, {"chunks": (33, 1), "compression": "gzip"}])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
def test_any_storage_is_read_the_same(tmp_path, options, dtype, monkeypatch):
    monkeypatch.setattr(movie_bold, "_TILE", 1000)
    values = np.random.default_rng(1).normal(100, 9, (33, N_GRID)).astype(dtype)
    write_mat(tmp_path / "run.mat", values, **options)
    voxels = np.random.default_rng(2).permutation(N_GRID)[:17]
    found = movie_bold.read_voxels(tmp_path / "run.mat", voxels)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, values[:, voxels].astype(np.float32))


def test_a_mask_of_version_7_3(broken):
    path = movie_bold.mask_path(broken, "S01")
    before = movie_bold.read_mask(path)
    listed = before[None, :] + 1.0
    path.unlink()
    with h5py.File(path, "w", userblock_size=512) as file:
        file["tvoxels"] = listed
    header = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"
    path.write_bytes(header.ljust(512, b"\x00") + path.read_bytes()[512:])
    np.testing.assert_array_equal(movie_bold.read_mask(path), before)


def test_a_mask_cut_anywhere_is_said(broken):
    path = movie_bold.mask_path(broken, "S01")
    whole = path.read_bytes()
    for n in range(0, len(whole), 7):
        path.write_bytes(whole[:n])
        with pytest.raises(ValueError, match=r"vset_100\.mat") as error:
            movie_bold.read_mask(path)
        assert error.type is ValueError and str(path) in str(error.value), n


def test_voxels_that_motion_correction_lost(broken):
    """Not a number at all seconds, or constant: 0. More of them than a tenth: the mask is of another head."""
    path = movie_bold.mask_path(broken, "S01").with_name("sub-S01_task-lamp_run-01.mat")
    values, voxels = raw_run(broken, "S01", "lamp_run-01")
    values[:, voxels[0]], values[:, voxels[1]] = np.nan, 3.3
    write_mat(path, values)
    movie = narrative_movie.load(broken, runs=["lamp_run-01"])
    bold = movie.open_subject("S01", progress=False).bold
    assert (bold[:, :2] == 0).all() and np.isfinite(bold).all() and (bold[:, 2:].std(axis=0) > 0.99).all()
    values[:, voxels[:5]] = 0
    write_mat(path, values)
    os.utime(path, ns=(1, 1))  # what is kept goes by size and time
    with pytest.raises(ValueError, match=r"5 of the mask's 40 voxels are constant.*mask of another subject"):
        movie.open_subject("S01", progress=False)
    values[3, voxels[9]] = np.inf
    write_mat(path, values)
    os.utime(path, ns=(2, 2))
    with pytest.raises(ValueError, match=r"lamp_run-01.mat: 1 of 40 voxels are not finite"):
        movie.open_subject("S01", progress=False)


def test_a_mask_that_was_not_fetched(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"vset_100\.mat is missing: expected the subject's voxels; fetch it"):
        movie_bold.read_mask(tmp_path / "vset_100.mat")


def cut(path, n=2000):
    path.write_bytes(path.read_bytes()[:-n])


def mat(folder):
    return movie_bold.mask_path(folder, "S01").with_name("sub-S01_task-lamp_run-01.mat")


def mask_of(folder, **arrays):
    scipy.io.savemat(movie_bold.mask_path(folder, "S01"), arrays)


def other_key(path):
    with h5py.File(path, "w") as file:
        file["stim"] = np.zeros(3)


BROKEN_BOLD = {
    "mask beyond": (
        lambda f: mask_of(f, tvoxels=[3, 121]),
        r"vset_100.mat lists voxel 121, .* has 120: is the mask of",
    ),
    "mask from 0": (lambda f: mask_of(f, tvoxels=[0, 4]), "not of whole numbers from 1, each once"),
    "mask twice": (lambda f: mask_of(f, tvoxels=[4, 4]), "not of whole numbers from 1, each once"),
    "mask empty": (lambda f: mask_of(f, tvoxels=[]), "tvoxels is empty"),
    "mask halves": (lambda f: mask_of(f, tvoxels=[1.5]), "not of whole numbers"),
    "mask key": (lambda f: mask_of(f, voxels=[3]), "has the keys voxels, expected tvoxels"),
    "mask cut": (lambda f: cut(movie_bold.mask_path(f, "S01"), 60), "vset_100.mat is no MATLAB file or was cut short"),
    "mask html": (lambda f: movie_bold.mask_path(f, "S01").write_text("<html>404</html>" * 20), "no MATLAB file"),
    "mask gone": (lambda f: movie_bold.mask_path(f, "S01").unlink(), "1 of 6 files are missing: .*vset_100.mat; fetch"),
    "run gone": (lambda f: mat(f).unlink(), "1 of 6 files are missing: .*lamp_run-01.mat"),
    "run cut": (lambda f: cut(mat(f)), "lamp_run-01.mat was cut short, or is no MATLAB v7.3"),
    "run html": (lambda f: mat(f).write_text("<html>404"), "lamp_run-01.mat was cut short, or is no MATLAB v7.3"),
    "run key": (lambda f: other_key(mat(f)), "has the keys stim, expected dataDT"),
    "length": (
        lambda f: write_mat(mat(f), np.zeros((29, N_GRID))),
        "lamp_run-01.mat has 29 volumes, the film and its annotations have 30 s",
    ),
    "voxels": (lambda f: write_mat(mat(f), np.zeros((30, 99))), r"\(30, 99\), expected 30 volumes by 120 voxels"),
    "turned": (lambda f: write_mat(mat(f), np.zeros((N_GRID, 30))), r"\(120, 30\), expected 30 volumes by 120 voxels"),
}


@pytest.mark.parametrize(("spoil", "message"), BROKEN_BOLD.values(), ids=BROKEN_BOLD)
def test_broken_volumes(broken, spoil, message):
    spoil(broken)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        narrative_movie.load(broken).open_subject("S01", progress=False)
    assert not (Path(os.environ["NATURALISTIC_CACHE"]) / "movie").exists(), "something was made before the checks"


def test_a_damaged_chunk_is_said(tmp_path):
    path = tmp_path / "run.mat"
    write_mat(path, np.random.default_rng(0).normal(size=(200, N_GRID)), chunks=(200, N_GRID), compression="gzip")
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4000] = bytes(4000)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"run\.mat is damaged or was cut short"):
        movie_bold.read_voxels(path, np.arange(N_GRID))


# --- one row a second -----------------------------------------------------------------------------------------


def rows_of(tmp_path, lines, n=None, encoding="utf-8", end="\n", **options):
    path = tmp_path / "crown_run-01_story_each1sec.txt"
    content = end.join(lines) + end
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return read_annotation(path, len(lines) if n is None else n, **options)


def test_rows_as_the_authors_read_them(tmp_path):
    lines = ["[00:01]彼は\u3000歩く/he walks", "[00:02]不明/..", "[00:03]", "[00:04]ab不明c/ d [e] "]
    texts, speakers = rows_of(tmp_path, lines)
    assert texts == [["彼は歩く", "he walks"], ["", ""], ["", ""], ["ab..c", "d [e]"]] and speakers is None
    for change in ({"encoding": "utf-8-sig"}, {"encoding": "utf-16"}, {"end": "\r\n"}):
        assert rows_of(tmp_path, lines, **change).texts == texts
    assert rows_of(tmp_path, ["[1]", "[2]"]).texts == [[""], [""]]
    path = tmp_path / "crown_run-01_story_each1sec.txt"
    path.write_text("\n".join(lines), encoding="utf-8")  # no end of line at the end
    assert read_annotation(path, 4).texts == texts


def test_rows_of_speech(tmp_path):
    lines = [
        f"[1]x{MARKER}サム:やあ/アン:うん",
        f"[2]{MARKER}..",
        f"[3]{MARKER}不明:help",
        f"[4]{MARKER}At 5:30 sharp",
        f"[5]{MARKER}SAM:At 5:30: now",
        f"[6]{MARKER}",
        f"[7]{MARKER}a/{MARKER}B:b",
    ]
    texts, speakers = rows_of(tmp_path, lines, speech=True)
    assert texts == [["やあ", "うん"], [""], ["help"], ["At 5:30 sharp"], ["At 5:30: now"], [""], ["a", "b"]]
    assert speakers == [["サム", "アン"], [""], [""], [""], ["SAM"], [""], ["", "B"]]


LINES = [f"[{k}]見る{k}/行く{k}/来る{k}" for k in range(12)]
BROKEN_ROWS = {
    "too few": ({"lines": LINES[:-1], "n": 12}, "has 11 rows, the run lasts 12 s: expected one row a second"),
    "too many": ({"lines": LINES, "n": 647}, "has 12 rows, the run lasts 647 s"),
    "empty": ({"lines": [""], "n": 12}, "has 1 rows, the run lasts 12 s"),
    "annotator": (
        {"lines": [*LINES[:6], "[6]見る/来る", *LINES[7:]]},
        "row 7 has 2 annotators, row 1 has 3: expected the same in all rows",
    ),
    "prefix": ({"lines": [*LINES[:4], "見る/行く/来る", *LINES[5:]]}, r"row 5 is '見る/行く/来る': expected \[..\]"),
    "Shift-JIS": ({"lines": LINES, "encoding": "cp932"}, r"is Shift-JIS, expected UTF-8 .*iconv -f CP932"),
    "marker": ({"lines": LINES, "speech": True}, f"row 1 has no {MARKER}"),
}


@pytest.mark.parametrize(("arguments", "message"), BROKEN_ROWS.values(), ids=BROKEN_ROWS)
def test_broken_rows(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message) as error:
        rows_of(tmp_path, **arguments)
    assert "crown_run-01_story_each1sec.txt" in str(error.value)


def test_files_of_rows_that_are_not_whole(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("\n".join(LINES).encode()[:-3])
    with pytest.raises(ValueError, match=r"a\.txt ends inside of a character: it was cut short"):
        read_annotation(path, 12)
    for strange in (b"\xff\xff\xfd", b"\xff\x81 "):  # the second is no Shift-JIS at all, the first says nothing in it
        path.write_bytes((b"[0]" + strange + b"\n") * 12)
        with pytest.raises(ValueError, match="in an unknown encoding, expected UTF-8"):
            read_annotation(path, 12)
    with pytest.raises(FileNotFoundError, match=r"b\.txt is missing"):
        read_annotation(tmp_path / "b.txt", 12)


def test_annotators_may_vary_on_request(tmp_path):
    lines = [*LINES[:6], "[6]見る/来る", *LINES[7:]]
    assert rows_of(tmp_path, lines, vary=True).texts[6] == ["見る", "来る"]


def test_levels_that_were_not_released(broken):
    annotation = broken / "derivatives/annotation"
    for path in [*annotation.glob("*summary*"), *annotation.glob("*timePlace*")]:
        path.unlink()
    movie = narrative_movie.load(broken)
    assert movie.levels == ("Speech", "Object", "Story")
    for level in ("Summary", "TimePlace"):
        with pytest.raises(ValueError, match=f"has no {level}: Nakagi et al. .* ds005531 was published without it"):
            movie.annotations(level)
    (annotation / "tide_run-01_story_each1sec.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 5 files of Story are missing: .*tide_run-01_story"):
        movie.annotations("Story")
    assert len(movie.annotations("Story", "Test")) == 91
    for wrong in ({"level": "Mood"}, {"level": "Speech", "speech": "fr"}):
        with pytest.raises(ValueError, match="expected one of Speech, Object"):
            movie.annotations(**wrong)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"subjects": 1}, "expected a list"),
        ({"subjects": [9]}, r"\['S09'\].* has S01, S02"),
        ({"subjects": []}, "one or more"),
        ({"runs": ["crown_run-09"]}, "crown_run-09"),
        ({"runs": "lamp_run-01"}, "expected a list"),
        ({"runs": []}, "expected a list"),
        ({"overlap": "none"}, "expected one of authors, paper"),
    ],
)
def test_requests_that_make_no_sense(tree, arguments, message):
    with pytest.raises(ValueError, match=message):
        narrative_movie.load(tree, **arguments)


def test_folders_that_are_not_the_data_set(tmp_path, tree):
    with pytest.raises(FileNotFoundError, match="not a folder"):
        narrative_movie.load(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError, match="expected the layout of ds005531"):
        narrative_movie.load(tmp_path)
    movie = narrative_movie.load(tree, runs=["lamp_run-01"])
    with pytest.raises(ValueError, match="there is no Test run; the runs are lamp_run-01"):
        movie.annotations("Story", "Test")
    with pytest.raises(ValueError, match="expected one of S01, S02"):
        movie.open_subject("S05")


def test_text_without_a_brain(tmp_path, tree):
    shutil.copytree(tree / "derivatives/annotation", tmp_path / "derivatives/annotation")
    for name in ("README", "runs.tsv"):
        shutil.copy(tree / name, tmp_path)
    movie = narrative_movie.load(tmp_path)
    assert movie.subjects == () and "only what was shown can be read" in str(movie)
    assert len(movie.annotations("Object")) == 128, "the repeat has no file of its own and no subject: it is not there"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("n_overlap", "overlap"), "expected run, title, episode"),
        (lambda text: text.replace("\t40\t5\t", "\t40\t40\t"), "row 2: split 'Test' and 40 of 40 s dropped"),
        (lambda text: text.replace("\t40\t5\t", "\tforty\t5\t"), "row 2: n_seconds, n_overlap and fold"),
        (lambda text: text.replace("Training", "Validation", 1), "row 1: split 'Validation'"),
        (lambda text: text.replace("\ttide_run-02\n", "\ttide_run-07\n"), "repeats a run that is not there"),
        (lambda text: text.replace("tide_run-01\t", "lamp_run-01\t", 1), "lamp_run-01 is there twice"),
        (
            lambda text: text.replace("33\t5\tTest\t1\ttide", "33\t4\tTest\t1\ttide"),
            "tide_run-03 has other seconds than",
        ),
        (lambda text: "", "has the columns"),
    ],
)
def test_broken_tables_of_own_films(broken, change, message):
    path = broken / "runs.tsv"
    path.write_text(change(path.read_text()))
    with pytest.raises(ValueError, match=message):
        narrative_movie.load(broken)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"expected the layout of ds005531, with a runs\.tsv"):
        narrative_movie.load(broken)


def test_scans_are_whole_runs(tree, tmp_path, monkeypatch):
    """Scans are prepared whole, drift by a 120-s median; `kept` then says which rows the annotations are of."""
    shutil.copytree(tree, tmp_path / "copy")
    monkeypatch.setitem(MESHES, "fsaverage5", (("fsaverage5",), 7))  # a small mesh
    rng = np.random.default_rng(3)
    for run, n in zip(("lamp_run-01", "lamp_run-02"), (30, 40)):
        raw = tmp_path / "copy/sub-S01/func" / f"sub-S01_task-{run}_bold.nii.gz"
        raw.parent.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(rng.integers(0, 99, (*GRID, n)).astype(np.int16), np.eye(4)), raw)
        raw.with_name(f"sub-S01_task-{run}_bold.json").write_text('{"RepetitionTime": 1}')
        func = tmp_path / "copy/derivatives/fmriprep/sub-S01/func"
        func.mkdir(parents=True, exist_ok=True)
        for side in "LR":
            arrays = [nib.gifti.GiftiDataArray(rng.normal(500, 9, 7).astype(np.float32)) for _ in range(n)]
            path = func / f"sub-S01_task-{run}_hemi-{side}_space-fsaverage5_bold.func.gii"
            nib.save(nib.gifti.GiftiImage(darrays=arrays), path)
    movie = narrative_movie.load(tmp_path / "copy", runs=["lamp_run-01", "lamp_run-02"])
    raw = movie.scans("S01")
    scans.check(raw)
    assert [scan.n_trs for scan in raw] == [30, 40] and scans.volumes(raw[1])[0].shape == (*GRID, 40)
    subject = open_subjects(movie, "fsaverage5", n_jobs=1)["S01"]
    assert subject.bold.shape == (65, 14) and movie.n_dropped == (0, 5)
    np.testing.assert_array_equal(subject.runs, movie.run_of_tr())
    whole = prepare(movie.scans("S01", "fsaverage5"), window=narrative_movie.DRIFT_WINDOW, n_jobs=1)
    assert whole.bold.shape == (70, 14)
    assert len(movie.annotations("Story")) == len(subject.bold)
    with pytest.raises(ValueError, match="expected one of S01, S02"):
        movie.scans("S03")
