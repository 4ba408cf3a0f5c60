"""cc2017 and HAD: small files under the published names, with the quirks of the published ones."""

import os
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from naturalistic.datasets import cc2017, had
from naturalistic.inference import noise_ceiling

N_TARGETS = 6


def save_cifti(path, values, rows):
    """Write rows x grayordinates as CIFTI, with a header that states no repetition time of use."""
    columns = nib.cifti2.BrainModelAxis.from_mask(np.ones(values.shape[1], dtype=bool), name="cortex_left")
    image = nib.cifti2.Cifti2Image(values.astype(np.float32), header=(rows, columns))
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(image, path)
    return path


def save_run(path, values):
    return save_cifti(path, values, nib.cifti2.SeriesAxis(0, 1, len(values)))


def film_response(seed, n=240):
    """Return a response to each piece that repeats."""
    return np.random.default_rng(seed).standard_normal((n, N_TARGETS))


def run_of(signal, n_volumes, seed):
    """Return a run whose volume at 4 s after piece k is row k of the signal, with a drift and a baseline."""
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((n_volumes, N_TARGETS))
    start = {245: 1, 246: 2}[n_volumes] + 2
    values[start : start + 240] += 3 * signal
    drift = np.linspace(-1, 1, n_volumes)[:, None] ** np.arange(1, 5) @ rng.standard_normal((4, N_TARGETS))
    return 1000 + 20 * (values + 5 * drift)


SEGMENTS = {"seg1": 245, "seg2": 245, "test1": 245, "test2": 246}
REPEATS = (2, 3)


@pytest.fixture(scope="module")
def small_cc(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cc2017")
    place = folder / "video_fmri_dataset" / "subject1" / "fmri"
    for k, (segment, n_volumes) in enumerate(SEGMENTS.items()):
        for run in range(1, REPEATS[segment.startswith("test")] + 1):
            values = run_of(film_response(k), n_volumes, 100 * k + run)
            save_run(place / segment / "cifti" / f"{segment}_{run}_Atlas.dtseries.nii", values)
    (folder / "video_fmri_dataset" / "stimuli").mkdir()
    return folder


@pytest.fixture
def cc_folder(small_cc, tmp_path):
    return Path(shutil.copytree(small_cc, tmp_path / "cc"))


def responses(folder, **options):
    return cc2017.load(folder).responses(1, **({"segments": list(SEGMENTS), "n_repeats": REPEATS} | options))


def test_pieces_pair_with_the_volume_4_s_later(small_cc):
    found = responses(small_cc)
    assert found.train.shape == (480, 2, N_TARGETS)
    assert found.test.shape == (480, 3, N_TARGETS)
    assert found.train_films[:2] == ("seg1_000", "seg1_001")
    assert found.test_films[-1] == "test2_239"
    for k, (split, rows) in enumerate([("train", slice(0, 240)), ("train", slice(240, 480)), ("test", slice(0, 240)),
                                       ("test", slice(240, 480))]):  # fmt: skip
        mean = found.mean_over_repeats(split)[rows]
        signal = film_response(k)
        for target in range(N_TARGETS):
            assert np.corrcoef(mean[:, target], signal[:, target])[0, 1] > 0.9
        # the last pieces too: their volumes come after the film
        assert np.corrcoef(mean[-4:].ravel(), signal[-4:].ravel())[0, 1] > 0.8
    wrong = responses(small_cc, delay=6)
    assert abs(np.corrcoef(wrong.mean_over_repeats("train")[:240, 0], film_response(0)[:, 0])[0, 1]) < 0.3


def test_runs_are_z_scored_and_blocks_are_segments(small_cc):
    found = responses(small_cc)
    for rows in (slice(0, 240), slice(240, 480)):
        np.testing.assert_allclose(found.train[rows].mean(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(found.train[rows].std(axis=0), 1, atol=1e-5)
    assert found.train_blocks.tolist() == ["seg1"] * 240 + ["seg2"] * 240
    assert found.test_blocks.tolist() == ["test1"] * 240 + ["test2"] * 240
    assert noise_ceiling(found.test_repeats(), n_averaged=3).min() > 0.9


def test_the_published_numbers_of_pieces():
    assert len(cc2017.piece_names(cc2017.TRAINING)) == 4320
    assert len(cc2017.piece_names(cc2017.TEST)) == 1200
    assert cc2017.N_REPEATS == (2, 10)


def test_some_targets_and_constant_ones(cc_folder):
    every = responses(cc_folder)
    some = responses(cc_folder, targets=[4, 1])
    np.testing.assert_array_equal(some.train, every.train[:, :, [4, 1]])
    path = cc_folder / "video_fmri_dataset/subject1/fmri/seg1/cifti/seg1_1_Atlas.dtseries.nii"
    values = np.asarray(nib.load(path).dataobj).copy()
    values[:, 2] = 7
    values[:, 3] = np.nan
    save_run(path, values)
    found = responses(cc_folder)
    assert not found.train[:240, 0, 2:4].any()
    assert np.isfinite(found.train).all()
    values[100, 3] = 1
    save_run(path, values)
    with pytest.raises(ValueError, match=r"seg1_1_Atlas.*1 of 6 targets are not finite at some TRs"):
        responses(cc_folder)


def test_voxels_of_mni_space_and_the_run_whose_name_has_a_dot(tmp_path):
    rng = np.random.default_rng(0)
    affine = np.diag([3.0, 3, 3, 1])
    mask = np.zeros((4, 4, 3), dtype=np.uint8)
    mask[1:3, 1:3] = 1
    nib.save(nib.Nifti1Image(mask, affine), tmp_path / "mask.nii.gz")
    place = tmp_path / "video_fmri_dataset" / "subject1" / "fmri"
    for segment, n_volumes in (("seg1", 245), ("test1", 245)):
        (place / segment / "mni").mkdir(parents=True)
        for run, end in ((1, "_mni.nii.gz"), (2, ".mni.nii.gz")):  # as test1_9.mni.nii.gz
            image = nib.Nifti1Image(rng.standard_normal((4, 4, 3, n_volumes)).astype(np.float32), affine)
            nib.save(image, place / segment / "mni" / f"{segment}_{run}{end}")
    options = {"segments": ["seg1", "test1"], "n_repeats": (2, 2), "space": "mni"}
    found = responses(tmp_path, mask=tmp_path / "mask.nii.gz", **options)
    assert found.train.shape == (240, 2, 12)
    stored = nib.load(place / "seg1/mni/seg1_2.mni.nii.gz").get_fdata()[mask > 0].T[3:243]
    assert np.corrcoef(found.train[:, 1, 0], stored[:, 0])[0, 1] > 0.95  # up to the trend
    with pytest.raises(ValueError, match="expected a mask for"):
        responses(tmp_path, **options)


@pytest.mark.parametrize("place", ["", "video_fmri_dataset", "Subject01/video_fmri_dataset", "a/b/video_fmri_dataset"])
def test_folders_to_which_archives_are_unpacked(small_cc, tmp_path, place):
    shutil.copytree(small_cc / "video_fmri_dataset" / "subject1", tmp_path / place / "subject1")
    assert cc2017.load(tmp_path).subjects == ("1",)


def test_a_piece_of_a_film(cc_folder, monkeypatch):
    path = cc_folder / "video_fmri_dataset" / "stimuli" / "seg1.mp4"
    path.write_bytes(b"a film")
    read = []
    monkeypatch.setattr(cc2017.video, "read_frames", lambda *arguments: read.append(arguments))
    experiment = cc2017.load(cc_folder)
    assert list(experiment.segments) == ["seg1"]
    experiment.film("seg1_007", 64, 8)
    assert read == [(path, 64, 8, 14.0, 16.0)]
    with pytest.raises(FileNotFoundError, match=r"has no stimuli/test3\.mp4"):
        experiment.film("test3_000")
    for name in ("seg1", "seg1_240", "clip_001"):
        with pytest.raises(ValueError, match=f"'{name}' names no piece"):
            experiment.film(name)


def test_bad_cc2017(cc_folder, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"has no video_fmri_dataset/subject1/fmri.*10\.4231"):
        cc2017.load(tmp_path / "none")
    for options, message in (
        ({"segments": ["seg1"]}, "one or more of seg1 ... and of test1"),
        ({"segments": ["seg19"]}, "expected a list of some of seg1, seg2"),
        ({"delay": 3}, "delay is 3 s, expected a multiple of 2 s from 0 to 8 s"),
        ({"delay": 10}, "delay is 10 s"),
        ({"space": "raw"}, "space"),
        ({"targets": [9]}, "targets reach from 9 to 9"),
    ):
        with pytest.raises(ValueError, match=message):
            responses(cc_folder, **options)
    with pytest.raises(ValueError, match=r"subjects \['2'\]"):
        cc2017.load(cc_folder).responses(2)
    with pytest.raises(FileNotFoundError, match=r"seg3_1_Atlas\.dtseries\.nii is missing"):
        responses(cc_folder, segments=["seg3", "test1"])
    path = cc_folder / "video_fmri_dataset/subject1/fmri/test2/cifti/test2_3_Atlas.dtseries.nii"
    save_run(path, np.zeros((240, N_TARGETS)))
    with pytest.raises(ValueError, match=r"test2_3_Atlas.* has shape \(240, 6\), expected 245 or 246 volumes"):
        responses(cc_folder)
    save_run(path, np.zeros((246, N_TARGETS + 1)))
    with pytest.raises(ValueError, match=r"test2_3_Atlas.* has 7 grayordinates, other runs 6"):
        responses(cc_folder)
    save_run(path, np.zeros((246, N_TARGETS)))
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"test2_3_Atlas.* (is damaged or was cut short|cannot be read)"):
        responses(cc_folder)


# --- HAD ----------------------------------------------------------------------------------------------------------

ACTIONS = [f"Action{k:02d}" for k in range(12)]


def had_files(folder, cycle):
    place = folder / "derivatives/ciftify/sub-01/results"
    return (place / f"ses-action01_task-action_cycle-{cycle}_beta.dscalar.nii",
            place / f"ses-action01_task-action_cycle-{cycle}_label.txt")  # fmt: skip


@pytest.fixture
def had_folder(tmp_path):
    folder = tmp_path / "ds004488"
    by_action = np.random.default_rng(0).standard_normal((len(ACTIONS), 500))
    for cycle in (1, 2, 3, 4):
        rng = np.random.default_rng(cycle)
        names = [f"v_{action}_id_{cycle}.mp4" for action in ACTIONS]
        path, labels = had_files(folder, cycle)
        values = 10 * cycle + 2 * by_action + rng.standard_normal(by_action.shape)
        save_cifti(path, values, nib.cifti2.ScalarAxis(names))
        labels.write_text("\n".join(names) + "\n")
    (folder / "stimuli" / "Action00").mkdir(parents=True)
    frames = np.full((4, 6, 6, 3), 9, dtype=np.uint8)
    np.savez(folder / "stimuli" / "Action00" / "v_Action00_id_1.npz", frames=frames, rate=2.0)
    return folder


def test_actions_and_their_films(had_folder):
    experiment = had.load(had_folder.parent)
    assert "CC0" in str(experiment)
    found = experiment.responses("sub-01")
    assert found.train.shape == (36, 1, 500)
    assert found.test.shape == (12, 1, 500)
    assert found.train_films[0] == "v_Action00_id_1"
    assert found.test_films[3] == "v_Action03_id_4"
    np.testing.assert_allclose(found.train[:12].mean(axis=0), 0, atol=1e-5)  # of its cycle
    assert experiment.responses(1, test_cycle=2).test_films[0] == "v_Action00_id_2"
    assert experiment.responses(1, targets=[3]).test.shape == (12, 1, 1)
    assert experiment.film("v_Action00_id_1", size=3).shape == (4, 3, 3, 3)
    with pytest.raises(FileNotFoundError, match="v_Action01_id_1"):
        experiment.film("v_Action01_id_1")


def test_names_of_actions():
    assert had.action_of("v_Archery_id_-3yx_start_1") == "Archery"
    assert had.action_of("v_Applying_sunscreen_id_a_id_b") == "Applying_sunscreen"


def test_films_of_an_action_are_its_repeats(had_folder):
    path, labels = had_files(had_folder, 3)
    values = np.asarray(nib.load(path).dataobj)[::-1]  # in another order, as the labels say
    names = labels.read_text().split()[::-1]
    save_cifti(path, values, nib.cifti2.ScalarAxis(names))
    labels.write_text("\n".join(names))
    repeats, actions = had.load(had_folder).responses_by_action(1)
    assert repeats.shape == (4, 12, 500)
    assert actions == tuple(ACTIONS)
    ev = 4 / 5
    assert abs(noise_ceiling(repeats, n_averaged=4).mean() - np.sqrt(4 * ev / (1 + 3 * ev))) < 0.03


def test_bad_had(had_folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="expected ds004488"):
        had.load(tmp_path / "none")
    experiment = had.load(had_folder)
    with pytest.raises(ValueError, match="test_cycle is 5"):
        experiment.responses(1, test_cycle=5)
    path, labels = had_files(had_folder, 2)
    text = labels.read_text()
    labels.write_text(text.replace("Action05", "Action06"))
    with pytest.raises(ValueError, match=r"cycle-2_label\.txt names 11 films, expected the 12 rows of"):
        experiment.responses(1)
    labels.write_text(text.replace("Action05", "Other"))
    with pytest.raises(ValueError, match=r"cycle-2_label\.txt: expected each action once"):
        experiment.responses_by_action(1)
    labels.unlink()
    with pytest.raises(FileNotFoundError, match=r"cycle-2_label\.txt is missing"):
        experiment.responses(1)
    labels.write_text(text)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(ValueError, match=r"cycle-2_beta\.dscalar\.nii"):
        experiment.responses(1)
    with pytest.raises(ValueError, match="'film' names no action"):
        had.action_of("film")


def test_the_published_tree_has_the_names_that_are_read():
    tree = Path(os.environ.get("NATURALISTIC_DATA", "/nowhere")) / "ds004488" / "TREE.tsv"
    if not tree.is_file():
        pytest.skip("needs NATURALISTIC_DATA")
    paths = {line.split("\t")[0] for line in tree.read_text().splitlines()}
    for subject in range(1, 31):
        for cycle in had.CYCLES:
            for end in ("beta.dscalar.nii", "label.txt"):
                assert had._path(Path(), f"{subject:02d}", cycle, end).as_posix() in paths
