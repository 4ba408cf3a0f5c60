"""Simulated data at full size, in the layout of the real ones."""

import itertools

import h5py
import nibabel as nib
import numpy as np
import pytest
import soundfile
from naturalistic.cache import RequestError
from naturalistic.datasets import fetch, movie_bold, music_genre, narrative_movie
from naturalistic_simulation.brain import bids, head
from naturalistic_simulation.full_size import files, film, grid, movie_subject, music_subject

RUNS = film.all_runs()


# --- the grid


def test_each_place_of_the_large_grid_has_the_value_of_its_own_millimetres():
    mm = (head.AFFINE @ np.concatenate([np.indices(head.SHAPE).reshape(3, -1), np.ones((1, 8640))]))[:3]
    large = grid.enlarge(mm.reshape(3, *head.SHAPE).astype(np.float32), music_subject.SHAPE)
    assert large.shape == (3, 68, 96, 96) and large.dtype == np.float32
    k, j, i = np.indices(large.shape[1:])
    expected = grid.affine_of(music_subject.SHAPE)[:3] @ np.stack([i, j, k, np.ones_like(i)]).reshape(4, -1)
    inside = (np.abs(expected.T - head.CENTER) <= (np.array(head.SHAPE) - 1) / 2 * head.VOXEL).all(axis=1)
    assert 400_000 < inside.sum() < 600_000
    np.testing.assert_allclose(large.reshape(3, -1)[:, inside], expected[:, inside], atol=1e-3)
    far = (np.abs(expected.T - head.CENTER) >= (np.array(head.SHAPE) + 1) / 2 * head.VOXEL).any(axis=1)
    assert far.any() and not large.reshape(3, -1)[:, far].any()


def test_some_slices_are_those_of_the_whole():
    volumes = np.random.default_rng(0).standard_normal((2, *head.SHAPE)).astype(np.float32)
    whole_grid = grid.enlarge(volumes, movie_subject.SHAPE)
    np.testing.assert_allclose(grid.enlarge(volumes, movie_subject.SHAPE, slice(8, 12)), whole_grid[:, 8:12], atol=1e-5)


# --- the film


@pytest.fixture(scope="module")
def shown():
    return film.films_of(RUNS)


@pytest.mark.slow
def test_each_run_is_as_long_as_the_real_one_and_begins_with_the_end_of_the_one_before(shown):
    assert len(shown) == 43 and sum(len(of_run) for of_run in shown.values()) == 31905
    assert {run.name: run.n_seconds for run in RUNS} == {name: len(of_run) for name, of_run in shown.items()}
    in_order = sorted(RUNS, key=lambda run: (run.episode, run.name))
    for a, b in itertools.pairwise(in_order):
        for level in film.N_ANNOTATORS:
            same = shown[a.name].texts[level][-20:] == shown[b.name].texts[level][:20]
            assert same == (a.episode == b.episode) or level in ("Summary", "TimePlace")


@pytest.mark.slow
def test_nine_hours_have_many_different_texts_of_as_many_annotators_as_the_real_ones(shown):
    seconds = {level: [s for of_run in shown.values() for s in of_run.texts[level]] for level in film.N_ANNOTATORS}
    assert {level: {len(s) for s in all_of} for level, all_of in seconds.items()} == {
        level: {n} for level, n in film.N_ANNOTATORS.items()
    }
    different = {level: len({text for s in all_of for text in s}) for level, all_of in seconds.items()}
    assert different["Object"] > 20_000 and different["Story"] > 10_000


def test_a_film_is_first_annotated_as_it_was_written():
    seconds = [["one two three", "four"], [], ["five six", "four"]]
    assert film.retold(seconds, 0) == seconds
    again = film.retold(seconds, 1)
    assert again[0] == ["one two three four", "four five six"] and again[1] == []
    more = film.retold(seconds, 0, 3)
    assert [len(s) for s in more] == [3, 0, 3] and more[0][:2] == seconds[0] and more[0][2] not in seconds[0]


@pytest.mark.slow
def test_the_loader_of_the_real_data_opens_the_text(shown, tmp_path):
    root = tmp_path / "ds005531"
    files.write_top(root, movie_subject.README.format(seed=1, embed_name="x"), "Narrative Movie fMRI Dataset", "v1.9.0")
    assert (root / "README").read_text().startswith("SIMULATED DATA. No brain was measured")
    movie_subject._write_texts(root / "derivatives" / "annotation", shown)
    movie = narrative_movie.load(tmp_path, overlap="authors")
    n = {split: sum(run.n_kept for run in movie.select(split)) for split in ("Training", "Test")}
    assert n == {"Training": 22262, "Test": 7737} and movie.levels == ("Speech", "Object", "Story")
    assert movie.is_simulated and movie.title("x") == "x (simulated)"
    assert movie.name == "Simulated data (layout of ds005531)" and "no brain was measured" in str(movie)
    run = movie.select("Test")[0]
    read = movie.annotations("Object", [run.name])
    assert read.texts == shown[run.name].texts["Object"][run.n_overlap :]
    with pytest.raises(ValueError, match="has no Summary: Nakagi et al"):
        movie.annotations("Summary")


# --- the subject of the films


@pytest.mark.slow
def test_a_film_in_a_brain_has_the_grid_of_the_release_and_noise_in_the_head_alone(tmp_path):
    rng = np.random.default_rng(1)
    base = head.brightness(np.eye(4)).reshape(head.SHAPE)
    small = np.where(base > 100, base + rng.normal(0, 5, (24, *head.SHAPE)), 0).astype(np.float32)
    path, mask = tmp_path / "run.mat", tmp_path / "vset_100.mat"
    movie_subject.write_volumes(path, small, rng)
    movie_subject._write_mask(mask)
    assert path.read_bytes()[:10] == b"MATLAB 7.3"
    voxels = movie_bold.read_mask(mask)
    assert len(voxels) == 88_000 and voxels.max() < np.prod(movie_bold.SHAPE)
    with h5py.File(path) as file:
        assert file["dataDT"].shape == (24, 663_552) and file["dataDT"].dtype == np.float32
        values = file["dataDT"][:]
    clean = grid.enlarge(small, movie_subject.SHAPE).reshape(24, -1)
    in_head = clean.any(axis=0)
    assert not values[:, ~in_head].any() and 0.2 < in_head.mean() < 0.6 and in_head[voxels].mean() > 0.99
    noise = (values - clean)[:, in_head]
    assert abs(noise.std() / grid.NOISE - 1) < 0.01 and abs(noise.mean()) < 0.05
    assert abs(np.mean(noise[:, 1:] * noise[:, :-1])) < 1  # each voxel has its own
    np.testing.assert_array_equal(movie_bold.read_voxels(path, voxels[:50]), values[:, voxels[:50]])


def test_the_reference_image_lies_where_the_small_simulation_does(tmp_path):
    path = movie_bold.reference_path(tmp_path, "S01")
    files.written(path, movie_subject._write_reference)
    image = nib.load(path)
    assert image.shape == (96, 96, 72) and movie_bold.grid(tmp_path, "S01")[0] == (96, 96, 72)
    values = np.asarray(image.dataobj, dtype=float)
    small = head.brightness(np.eye(4)).reshape(head.SHAPE)
    assert np.abs(center_of(values, image.affine) - center_of(small, head.AFFINE)).max() < 1


def center_of(values, affine):
    """Return the centre of brightness in mm."""
    weights = values / values.sum()
    ijk = [(weights * index).sum() for index in np.indices(values.shape)]
    return affine[:3, :3] @ ijk + affine[:3, 3]


# --- the subject of the music


def make_little(folder, seed, subjects, **_):
    """Stand for `simulate_music`: two runs of twelve volumes and a track, all that is read of the small data."""
    rng = np.random.default_rng(seed)
    func = folder / "ds003720" / "sub-001" / "func"
    func.mkdir(parents=True, exist_ok=True)
    clips = [("blues", k, 1.5, 16.5) for k in range(10)]
    for run in ("Training_run-01", "Test_run-01"):
        volumes = rng.integers(200, 900, (*head.SHAPE, 12)).astype(np.int16)
        nib.save(nib.Nifti1Image(volumes, head.AFFINE), func / f"sub-001_task-{run}_bold.nii.gz")
        order = clips[:1] * 41 if run.startswith("Training") else [clips[-1], *clips * 4]
        (func / f"sub-001_task-{run}_events.tsv").write_text(bids.events(order, run))
    (folder / "genres" / "blues").mkdir(parents=True, exist_ok=True)
    sound = rng.integers(-9000, 9000, 22050).astype(np.int16)
    soundfile.write(folder / "genres" / "blues" / "blues.00000.flac", sound, 22050, subtype="PCM_16")
    (folder / "captions.csv").write_text("genre,track,start,end,caption\n")
    (folder / "truth").mkdir(exist_ok=True)
    (folder / "truth" / "clips.json").write_text("[]")


TWO = ("Training_run-01", "Test_run-01")


@pytest.mark.slow
def test_a_music_subject_is_opened_as_the_real_data_are(tmp_path, monkeypatch):
    monkeypatch.setattr(music_subject, "simulate_music", make_little)
    root = music_subject.simulate_music_subject(tmp_path, 3, runs=TWO, n_jobs=1, progress=False)
    experiment = music_genre.load(root, subjects="[1]")
    assert experiment.runs == TWO and experiment.title("x") == "x (simulated)"
    assert experiment.audio == tmp_path / "genres" and len(experiment.clips) == 10
    path = root / "sub-001" / "func" / "sub-001_task-Test_run-01_bold.nii"
    image = nib.load(path)
    assert image.shape == (*music_subject.SHAPE, 12) and image.header.get_zooms() == (2, 2, 2, 1.5)
    assert image.get_data_dtype() == np.int16 and path.stat().st_size == 352 + 2 * 626_688 * 12
    assert music_subject.BYTES_PER_RUN == 513_884_512
    small = nib.load(tmp_path / "small" / "ds003720" / "sub-001" / "func" / "sub-001_task-Test_run-01_bold.nii.gz")
    middle = grid.enlarge(np.asarray(small.dataobj, np.float32)[..., 5][None], music_subject.SHAPE)[0].T
    noise = np.asarray(image.dataobj)[..., 5][middle > 300] - middle[middle > 300]
    assert abs(noise.std() / grid.NOISE - 1) < 0.02 and abs(noise.mean()) < 0.5
    unpacked, of_track = soundfile.read(tmp_path / "genres" / "blues" / "blues.00000.wav", dtype="int16")
    packed, _ = soundfile.read(tmp_path / "small" / "genres" / "blues" / "blues.00000.flac", dtype="int16")
    assert of_track == 22050 and np.array_equal(unpacked, packed)
    anatomy = root / "sub-001" / "anat" / "sub-001_T1w.nii"
    assert anatomy.stat().st_size == 54_526_304 and nib.load(anatomy).shape == (256, 256, 208)


def test_the_sizes_are_those_of_the_release():
    plan = fetch.plan_of("ds003720", subjects=["1"])
    sizes = {file.n_bytes for file in plan.files if file.path.endswith("bold.nii")}
    assert sizes == {music_subject.BYTES_PER_RUN}
    assert {file.n_bytes for file in plan.files if file.path.endswith("T1w.nii")} == {54_526_304}
    plan = fetch.plan_of("ds005531", subjects=["S01"], parts=["preprocessed_data"])
    real = sum(file.n_bytes for file in plan.files if "task-" in file.path)
    assert abs(real / sum(run.n_seconds * movie_subject.BYTES_PER_SECOND for run in RUNS) - 1) < 0.2


@pytest.mark.slow
def test_what_was_interrupted_goes_on_and_ends_with_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(music_subject, "simulate_music", make_little)
    root = music_subject.simulate_music_subject(tmp_path / "a", 3, runs=TWO, n_jobs=1, progress=False)
    func = root / "sub-001" / "func"
    first, second = (func / f"sub-001_task-{run}_bold.nii" for run in TWO)
    kept, time = second.read_bytes(), first.stat().st_mtime_ns
    second.unlink()
    (second.parent / f".{second.stem}-x1{second.suffix}").write_bytes(kept[:1000])  # as a killed process leaves it
    music_subject.simulate_music_subject(tmp_path / "a", 3, runs=TWO, n_jobs=1, progress=False)
    assert second.read_bytes() == kept and first.stat().st_mtime_ns == time
    assert not list(func.glob(".*"))


def test_a_full_disk_is_an_error_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr("naturalistic.cache.free_bytes", lambda folder: 5_000_000_000)
    with pytest.raises(RequestError, match=r"10\.25 GB are still needed"):
        music_subject.simulate_music_subject(tmp_path)
    with pytest.raises(RequestError, match=r"27\.44 GB are still needed"):
        movie_subject.simulate_movie_subject(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_writer_that_fails_leaves_no_file_that_could_be_taken_for_whole(tmp_path):
    def fail(part):
        part.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        files.written(tmp_path / "run.mat", fail)
    assert not (tmp_path / "run.mat").exists()
    assert files.write_text(tmp_path / "run.mat", "all") and (tmp_path / "run.mat").read_text() == "all"
    assert not files.write_text(tmp_path / "run.mat", "more") and (tmp_path / "run.mat").read_text() == "all"
