"""BOLD Moments: small files under the published names, with what real ones may lack or hold."""

import json
import os
import pickle
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from naturalistic.datasets import bold_moments
from naturalistic.datasets.bold_moments import load, load_bold_moments
from naturalistic.datasets.film_annotations import film_name, read_annotations, read_film_events
from naturalistic.inference import noise_ceiling

N_TRAIN, N_TEST = 6, 4
TRAIN = [f"vid{k:04d}" for k in range(1, N_TRAIN + 1)]
TEST = [f"vid{k:04d}" for k in range(1001, 1001 + N_TEST)]
SIZES = {"lV1v": 5, "rV1v": 4, "lMT": 3, "rPPA": 2, "WB": 20, "BMDgeneral": 9}
PACKS = "derivatives/versionB/MNI152/prepared_allvoxel_pkl/sub-01"
BETAS = "derivatives/versionB/fsLR32k/GLM/sub-01/prepared_betas"


def betas(n_films, n_repeats, n_targets, seed=0, signal=2.0):
    """Return responses (n_films, n_repeats, n_targets) with a signal that repeats."""
    rng = np.random.default_rng(seed)
    return signal * rng.standard_normal((n_films, 1, n_targets)) + rng.standard_normal((n_films, n_repeats, n_targets))


def pack(n_voxels, seed=0):
    """Return a pack as published."""
    return {
        "train_data_allvoxel": betas(N_TRAIN, 3, n_voxels, seed),
        "test_data_allvoxel": betas(N_TEST, 10, n_voxels, seed + 1),
        "train_stim_order": TRAIN,
        "test_stim_order": TEST,
        "train_noiseceiling_allvoxel": np.zeros(n_voxels),
        "test_noiseceiling_allvoxel": np.zeros(n_voxels),
        "roi_indices": np.arange(n_voxels),
    }


def save(path, content, protocol=4):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


def pack_path(folder, region):
    return folder / PACKS / f"sub-01_roi-{region}_betas_normalized.pkl"


def betas_path(folder, split):
    return folder / BETAS / f"sub-01_organized_betas_task-{split}_normalized.pkl"


def annotation(split="train"):
    return {
        "bmd_matrixfilename": "vid_idx0001",
        "set": split,
        "text_descriptions": [f"Caption {k}." for k in range(5)],
        "objects": [["dog", "ball", "--"]] * 5,
        "scenes": ["park"] * 5,
        "actions": ["running"] * 5,
    }


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small") / "ds005165"
    for k, (region, n_voxels) in enumerate(SIZES.items()):
        save(pack_path(folder, region), pack(n_voxels, 10 * k))
    save(betas_path(folder, "train"), (betas(N_TRAIN, 3, 30), TRAIN), protocol=5)
    save(betas_path(folder, "test"), (betas(N_TEST, 10, 30, 1), TEST), protocol=5)
    place = folder / "derivatives/stimuli_metadata"
    place.mkdir(parents=True)
    (place / "annotations.json").write_text(json.dumps({"0001": annotation(), "1001": annotation("test")}))
    (folder / "stimuli").mkdir()
    with h5py.File(folder / "stimuli/films.h5", "w") as file:
        for name in (*TRAIN, *TEST):
            film = file.create_dataset(film_name(name), data=np.full((8, 6, 6, 3), int(name[-1]), dtype=np.uint8))
            film.attrs["rate"] = 8 / 3
    return folder


@pytest.fixture
def folder(small, tmp_path):
    return Path(shutil.copytree(small, tmp_path / "ds005165"))


def test_regions_of_both_hemispheres(small):
    experiment = load(small)
    assert experiment.subjects == ("01",)
    assert not experiment.is_simulated
    assert "CC0" in str(experiment)
    found = experiment.responses(1)
    assert found.train.shape == (N_TRAIN, 3, 14)  # without the packs that hold voxels of others
    assert found.test.shape == (N_TEST, 10, 14)
    assert found.train.dtype == found.test.dtype == np.float32
    assert found.train_films == ("0001", "0002", "0003", "0004", "0005", "0006")
    assert found.test_films == ("1001", "1002", "1003", "1004")
    assert found.region_names == ("V1v", "MT", "PPA")
    assert "".join(found.hemispheres) == "LLLLLRRRRLLLRR"
    assert {region: len(targets) for region, targets in found.by_region().items()} == {"V1v": 9, "MT": 3, "PPA": 2}
    np.testing.assert_array_equal(found.train[:, :, 9:12], pack(3, 20)["train_data_allvoxel"].astype(np.float32))
    assert "float32 (6, 3, 14)" in repr(found)


def test_some_regions(small):
    assert load_bold_moments(small, 1, regions=["MT"]).region_names == ("MT",)
    assert set(load_bold_moments(small, "sub-01", regions=["rV1v"]).hemispheres) == {"R"}
    assert load_bold_moments(small, "01", regions=["WB"]).train.shape == (N_TRAIN, 3, 20)
    both = load_bold_moments(small, 1, regions=["PPA", "V1v"])
    assert both.region_names == ("PPA", "V1v")
    assert both.select_regions(["V1v"]).test.shape == (N_TEST, 10, 9)
    np.testing.assert_array_equal(both.targets_of("PPA"), [0, 1])
    with pytest.raises(ValueError, match=r"regions \['V9'\]: expected a list of some of V1v, MT, PPA, BMDgeneral, WB"):
        load_bold_moments(small, 1, regions=["V9"])


def test_the_ceiling_is_that_of_the_ten_repeats(folder):
    signal, noise = 2.0, 1.0
    content = pack(400)
    content["train_stim_order"] = [f"vid{k:04d}" for k in range(1, 7)]
    content["test_stim_order"] = [f"vid{k:04d}" for k in range(1001, 1201)]
    content["test_data_allvoxel"] = betas(200, 10, 400, 3, signal)
    content["test_data_allvoxel"][:, :, 0] = np.random.default_rng(0).standard_normal((200, 10))
    save(pack_path(folder, "lMT"), content)
    found = load_bold_moments(folder, 1, regions=["MT"])
    ev = signal**2 / (signal**2 + noise**2)
    expected = np.sqrt(10 * ev / (1 + 9 * ev))
    ceiling = noise_ceiling(found.test_repeats(), n_averaged=10)
    assert abs(np.mean(ceiling[1:]) - expected) < 0.005
    assert ceiling[0] < 0.5
    np.testing.assert_allclose(found.mean_over_repeats("test"), found.test.mean(axis=1))


def test_grayordinates(small):
    found = load_bold_moments(small, 1, "betas")
    assert found.train.shape == (N_TRAIN, 3, 30)
    assert found.region_names == ("all",)
    some = load_bold_moments(small, 1, "betas", targets=[7, 3])
    np.testing.assert_array_equal(some.train, found.train[:, :, [7, 3]])
    np.testing.assert_array_equal(some.test, found.test[:, :, [7, 3]])


def test_the_standard_grayordinates_have_hemispheres(folder):
    save(betas_path(folder, "train"), (np.zeros((1, 3, 91282), dtype=np.float32), TRAIN[:1]))
    save(betas_path(folder, "test"), (np.zeros((1, 2, 91282), dtype=np.float32), TEST[:1]))
    found = load_bold_moments(folder, 1, "betas", targets=[0, 29695, 29696, 59411, 59412])
    assert found.regions.tolist() == ["cortex"] * 4 + ["subcortex"]
    assert found.hemispheres.tolist() == ["L", "L", "R", "R", ""]


@pytest.mark.parametrize("targets", [[], [[1]], [0.5], [30], [-1], [1, 1]])
def test_bad_targets(small, targets):
    with pytest.raises(ValueError, match=r"targets .*expected"):
        load_bold_moments(small, 1, "betas", targets=targets)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"subject": 4}, r"subjects \['04'\].* has 01"),
        ({"subject": 1, "parts": "voxels"}, r"parts \['voxels'\]: expected"),
        ({"subject": 1, "parts": "betas", "regions": ["MT"]}, "regions are of"),
        ({"subject": 1, "targets": [1]}, "targets are of"),
    ],
)
def test_bad_requests(small, arguments, message):
    with pytest.raises(ValueError, match=message):
        load_bold_moments(small, **arguments)


def nested(content):
    return {"data": {"betas": (content["train_data_allvoxel"], TRAIN)}, "other": [content["test_data_allvoxel"], TEST]}


def by_key(content):
    return {"train": [content["train_data_allvoxel"], TRAIN], "test": [content["test_data_allvoxel"], TEST]}


def as_arrays(content):
    return content | {"train_stim_order": np.array(TRAIN), "test_stim_order": np.array(TEST)}


def with_files(content):
    order = {f"{split}_stim_order": [f"{split}/{film_name(x)}.mp4" for x in names] for split, names in
             (("train", TRAIN), ("test", TEST))}  # fmt: skip
    return content | order


@pytest.mark.parametrize("form", [nested, by_key, as_arrays, with_files])
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_other_forms_of_a_pack(folder, form, protocol):
    expected = load_bold_moments(folder, 1, regions=["PPA"])
    save(pack_path(folder, "rPPA"), form(pack(2, 30)), protocol)
    found = load_bold_moments(folder, 1, regions=["PPA"])
    np.testing.assert_array_equal(found.train, expected.train)
    np.testing.assert_array_equal(found.test, expected.test)
    assert found.test_films == expected.test_films


def test_a_pack_without_names_has_the_published_order_or_is_refused(folder):
    def nameless(n_train, n_test):
        return {"train_data_allvoxel": np.zeros((n_train, 3, 1)), "test_data_allvoxel": np.zeros((n_test, 10, 1))}

    save(pack_path(folder, "lMT"), nameless(1000, 102))
    found = load_bold_moments(folder, 1, regions=["MT"])
    assert (found.train_films[0], found.train_films[-1], found.test_films[-1]) == ("0001", "1000", "1102")
    save(pack_path(folder, "lMT"), nameless(999, 102))
    with pytest.raises(ValueError, match=r"lMT_betas_normalized\.pkl does not name the films of its 999 and 102 rows"):
        load_bold_moments(folder, 1, regions=["MT"])


class Harm:
    def __reduce__(self):
        return os.system, ("touch harmed",)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"train_stim_order": Harm()}, r"asks for (posix|nt)\.system"),
        ({"test_data_allvoxel": 3}, "holds 1 arrays of three dimensions"),
        ({"more": np.zeros((2, 2, 2))}, "holds 3 arrays of three dimensions .*more"),
        ({"test_data_allvoxel": np.zeros((4, 10, 7))}, "3 voxels in training and 7 in test"),
        ({"test_data_allvoxel": np.zeros((4, 10, 3), dtype=complex)}, "complex128"),
        ({"test_stim_order": ["vid1001"] * 4}, "has a film of test twice"),
        ({"test_stim_order": TRAIN[:4]}, "saw 0001 in training and in test"),
        ({"test_more": ["a1", "a2", "a3", "a4"]}, "has 2 lists of 4 names"),
    ],
)
def test_packs_that_hold_something_else(folder, monkeypatch, tmp_path, change, message):
    monkeypatch.chdir(tmp_path)
    save(pack_path(folder, "lMT"), pack(3) | change)
    with pytest.raises(ValueError, match=message):
        load_bold_moments(folder, 1, regions=["MT"])
    assert not (tmp_path / "harmed").exists()


def test_targets_that_were_not_scanned(folder):
    content = pack(3)
    content["train_data_allvoxel"][:, :, 1] = np.nan
    content["test_data_allvoxel"][:, :, 1] = np.nan
    save(pack_path(folder, "lMT"), content)
    found = load_bold_moments(folder, 1, regions=["MT"])
    assert not found.train[:, :, 1].any()
    content["train_data_allvoxel"][2, 1, 0] = np.nan
    save(pack_path(folder, "lMT"), content)
    with pytest.raises(ValueError, match=r"lMT_betas_normalized\.pkl: 1 of 3 targets are not finite"):
        load_bold_moments(folder, 1, regions=["MT"])


def test_regions_of_other_films(folder):
    content = pack(2)
    content["train_stim_order"] = TRAIN[::-1]
    save(pack_path(folder, "rPPA"), content)
    with pytest.raises(ValueError, match=r"roi-rPPA.* has other films than .*roi-lMT.*or in another order"):
        load_bold_moments(folder, 1)


def test_files_cut_short(folder):
    path = pack_path(folder, "lMT")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"roi-lMT.*was cut short.*fetch it again"):
        load_bold_moments(folder, 1)
    path = betas_path(folder, "test")
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"task-test.*was cut short.*naturalistic fetch ds005165 --subject 01"):
        load_bold_moments(folder, 1, "betas")
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"task-test.*is not there; get it: naturalistic fetch ds005165"):
        load_bold_moments(folder, 1, "betas")
    save(path, [1, 2])
    with pytest.raises(ValueError, match=r"task-test.*holds no pair of responses"):
        load_bold_moments(folder, 1, "betas")
    save(path, (betas(N_TEST, 10, 30), TEST[:2]))
    with pytest.raises(ValueError, match=r"task-test.*names 2 films of 4 rows"):
        load_bold_moments(folder, 1, "betas")
    shutil.rmtree(folder / PACKS)
    with pytest.raises(FileNotFoundError, match=r"--subject 01 --parts rois"):
        load_bold_moments(folder, 1)
    shutil.rmtree(folder / "derivatives")
    with pytest.raises(FileNotFoundError, match=r"expected ds005165 \(naturalistic fetch"):
        load(folder)


def test_films(small):
    experiment = load(small.parent)  # the folder that holds it
    assert list(experiment.films) == [film_name(name) for name in (*TRAIN, *TEST)]
    frames = experiment.film("0003", size=3, rate=4)
    assert frames.shape == (12, 3, 3, 3)
    assert frames.max() == 3
    with pytest.raises(FileNotFoundError, match=r"film 0400 is not there \(10 are\).*boldmoments.*terms"):
        experiment.film("0400")


def test_films_of_another_folder(folder, tmp_path):
    shutil.rmtree(folder / "stimuli")
    experiment = load(folder)
    assert experiment.films == {}
    assert "the films are not there" in str(experiment)
    place = tmp_path / "downloaded" / "stimuli" / "train"
    place.mkdir(parents=True)
    (tmp_path / "downloaded" / "stimuli" / "localizer").mkdir()
    np.savez(place / "0001.npz", frames=np.zeros((2, 4, 4, 3), dtype=np.uint8), rate=2.0)
    (place.parent / "localizer" / "faces.mp4").write_bytes(b"another film")
    assert list(load(folder, films=tmp_path / "downloaded").films) == ["0001"]
    assert load(folder, films=tmp_path / "downloaded").film("0001", rate=4).shape == (4, 4, 4, 3)
    with pytest.raises(FileNotFoundError, match=r"nowhere has no films such as 0001\.mp4: expected .*boldmoments"):
        load(folder, films=tmp_path / "nowhere")


def test_annotations(small, tmp_path):
    found = load(small).annotations()
    assert list(found) == ["0001", "1001"]
    assert found["0001"].captions[4] == "Caption 4."
    assert found["0001"].objects == (("dog", "ball"),) * 5
    assert (found["1001"].split, found["1001"].scenes[0], found["1001"].actions[0]) == ("test", "park", "running")
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps({"0001": annotation() | {"scenes": "park"}}))
    with pytest.raises(ValueError, match=r"annotations\.json: film 0001 lacks one of the lists"):
        read_annotations(path)
    path.write_text("[]")
    with pytest.raises(ValueError, match="holds no films"):
        read_annotations(path)
    with pytest.raises(FileNotFoundError, match="parts annotations"):
        read_annotations(tmp_path / "none.json")


def test_published_events():
    folder = Path(os.environ.get("NATURALISTIC_DATA", "/nowhere")) / "ds005165"
    paths = sorted(folder.glob("sub-*/ses-*/func/*_events.tsv"))
    if not paths:
        pytest.skip("needs NATURALISTIC_DATA")
    for path in paths:
        events = read_film_events(path)
        films = {name for _, name in events}
        is_test = "task-test" in path.name
        assert all((int(name) > 1000) == is_test for name in films)
        onsets = [onset for onset, _ in events]
        assert np.diff(onsets).min() > 3.9
        assert len(events) > 50


def test_events_that_are_damaged(tmp_path):
    path = tmp_path / "events.tsv"
    path.write_text("onset\tduration\tstim_file\n4.0\t3\ttrain/0001.mp4\nlate\t3\ttrain/0002.mp4\n")
    with pytest.raises(ValueError, match=r"events\.tsv, line 3: expected an onset in s and a film"):
        read_film_events(path)
    path.write_text("onset\tduration\n")
    with pytest.raises(ValueError, match="has the columns onset, duration, expected onset and stim_file"):
        read_film_events(path)
    with pytest.raises(FileNotFoundError, match="expected the events of a run"):
        read_film_events(tmp_path / "none.tsv")


@pytest.mark.parametrize("text", ["vid0007", "vid_idx0007", "train/0007.mp4", "0007", 7])
def test_names_of_films(text):
    assert film_name(text) == "0007"


def test_what_names_no_film():
    with pytest.raises(ValueError, match="'oddball' names no film"):
        film_name("oddball")


def test_simulated_data_say_so(folder):
    (folder / "README").write_text("SIMULATED DATA\n")
    experiment = load(folder)
    assert experiment.is_simulated
    assert experiment.title("Responses") == "Responses (simulated)"
    assert bold_moments.ATTRIBUTION not in str(experiment)
