"""Simulated short films: what they show, and brains that follow it in the layout of BOLD Moments."""

import json
import pickle
from functools import partial

import h5py
import numpy as np
import pytest
from naturalistic.simulated import is_simulated
from naturalistic_simulation import simulate_clips, truth
from naturalistic_simulation.clips import world
from naturalistic_simulation.clips.brain import REGIONS, ClipBrain, direction_field, film_drives
from naturalistic_simulation.clips.captions import THING_WORDS, captions
from naturalistic_simulation.clips.render import render

from tests.helpers.once import write_once

SMALL = {"subjects": 2, "n_train": 96, "n_test": 48, "n_corpus": 10, "progress": False}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_once(tmp_path_factory, "short films", partial(simulate_clips, **SMALL))


def packs_of(folder, subject):
    place = folder / "ds005165" / "derivatives" / "versionB" / "MNI152" / "prepared_allvoxel_pkl" / f"sub-{subject}"
    packs = {}
    for path in sorted(place.glob("*.pkl")):
        with open(path, "rb") as file:
            packs[path.name.split("_roi-")[1].split("_")[0]] = pickle.load(file)
    return packs


def ceiling(betas):
    """Return the share of signal in the mean over repeats, by voxel: from both halves of the repeats."""
    halves = [betas[:, start::2].mean(axis=1) for start in (0, 1)]
    a, b = ((half - half.mean(axis=0)) / half.std(axis=0) for half in halves)
    r = (a * b).mean(axis=0)
    return 2 * r / (1 + r)


def test_numbers_of_a_storyboard_come_back():
    boards = world.draw_storyboards(100, np.random.default_rng(1))
    numbers = world.to_numbers(boards)
    assert numbers.shape == (100, world.N_NUMBERS)
    np.testing.assert_allclose(world.from_numbers(numbers), boards, atol=1e-4)
    np.testing.assert_allclose(numbers[:, -3:].std(axis=0), 1, atol=0.2)


def test_each_thing_is_in_each_place_equally_often():
    boards = world.draw_storyboards(96, np.random.default_rng(2))
    counts = np.zeros((len(world.THINGS), len(world.PLACES)))
    np.add.at(counts, (boards[:, 0].astype(int), boards[:, 1].astype(int)), 1)
    assert (counts == 2).all()


def test_the_thing_is_where_the_storyboard_says():
    boards = np.repeat(world.draw_storyboards(1, np.random.default_rng(3)), 2, axis=0)
    boards[:, world.COLUMN["thing"]] = world.THINGS.index("car")
    velocity = [world.COLUMN["velocity_x"], world.COLUMN["velocity_y"], world.COLUMN["swing"]]
    boards[:, velocity] = [2.0, -1.0, 0.0]
    boards[1, [world.COLUMN["red"], world.COLUMN["green"], world.COLUMN["blue"]]] = [1.0, 0.0, 0.0]
    boards[0, [world.COLUMN["red"], world.COLUMN["green"], world.COLUMN["blue"]]] = [0.0, 1.0, 0.0]
    films = render(boards, [7, 7]).astype(float)
    differs = np.abs(films[1] - films[0]).sum(axis=-1)  # the thing has another color, its place is the same
    rows, columns = np.mgrid[: world.SIZE, : world.SIZE]
    for frame, center in zip(differs, world.paths(boards)[0]):
        found = np.array([(frame * columns).sum(), (frame * rows).sum()]) / frame.sum()
        assert np.abs(found - center).max() < 0.35 * boards[0, world.COLUMN["size"]]


def test_edges_are_soft_and_backgrounds_have_texture():
    films = render(world.draw_storyboards(12, np.random.default_rng(4)))
    assert films.dtype == np.uint8 and films.shape == (12, world.N_FRAMES, 64, 64, 3)
    colors = [len(np.unique(film[0].reshape(-1, 3), axis=0)) for film in films]
    assert min(colors) > 200  # a picture of flat squares has ten


def test_directions_of_the_camera_are_opposite_to_what_moves():
    boards = world.draw_storyboards(2, np.random.default_rng(5))
    boards[:, [world.COLUMN["velocity_x"], world.COLUMN["velocity_y"], world.COLUMN["swing"]]] = 0
    boards[:, [world.COLUMN["x"], world.COLUMN["y"], world.COLUMN["size"]]] = [20, 20, 10]
    boards[:, world.COLUMN["camera_y"]] = 0
    boards[:, world.COLUMN["camera_x"]] = [1.5, -1.5]
    field = direction_field(boards)[:, 3, 3]  # far from the thing
    assert field[0].argmax() == 4 and field[1].argmax() == 0  # to the left, to the right


def test_captions_say_what_is_shown():
    boards = world.draw_storyboards(60, np.random.default_rng(6))
    for board, sentences in zip(boards, captions(boards, np.random.default_rng(0))):
        assert len(sentences) == 5
        for sentence in sentences:
            assert any(word in sentence for word in THING_WORDS[world.THINGS[int(board[0])]]), sentence


def test_files_are_those_of_the_layout(folder):
    root = folder / "ds005165"
    assert is_simulated(root)
    packs = packs_of(folder, "02")
    assert set(packs) == {side + region for region in REGIONS for side in "lr"}
    allowed = (dict, list, str, np.ndarray)
    for pack in packs.values():
        assert all(isinstance(value, allowed) for value in pack.values())
        assert pack["train_data_allvoxel"].shape[:2] == (96, 3) and pack["test_data_allvoxel"].shape[:2] == (48, 10)
        assert pack["train_stim_order"][0] == "vid0001" and pack["test_stim_order"][-1] == "vid1048"
        np.testing.assert_allclose(pack["train_data_allvoxel"].std(axis=(0, 1)), 1, atol=1e-3)
    annotations = json.loads((root / "derivatives" / "stimuli_metadata" / "annotations.json").read_text())
    assert len(annotations) == 144 and len(annotations["1001"]["text_descriptions"]) == 5
    with h5py.File(root / "stimuli" / "films.h5") as films:
        assert len(films) == 144 and films["0001"].shape == (world.N_FRAMES, 64, 64, 3)
        assert films["0001"].attrs["rate"] == world.RATE
    with h5py.File(root / "stimuli" / "corpus.h5") as corpus:
        assert len(corpus) == 10


def test_one_thing_can_be_left_out(folder):
    films = truth.of_short_films(folder / "ds005165")
    assert set(films["thing"][films["plan"] == "category"]) == {world.LEFT_OUT}
    assert world.LEFT_OUT not in set(films["thing"][films["plan"] == "all"])
    assert {"train", "test"} <= set(films["part"][films["plan"] == "category"])


def test_ceilings_are_those_that_were_simulated(folder):
    regions = truth.of_short_film_regions(folder / "ds005165", "01").set_index("region")
    for pack, content in packs_of(folder, "01").items():
        found = ceiling(content["test_data_allvoxel"]).mean()
        assert abs(found - regions["explainable"][pack[1:]]) < 0.2, pack
    assert regions["explainable"]["BA2"] == 0
    assert regions["explainable"].drop("BA2").between(0.3, 0.6).all()


def test_halves_of_the_field_are_where_retinotopy_has_them():
    boards = world.draw_storyboards(200, np.random.default_rng(8))
    noise = np.random.default_rng(9).integers(0, 255, (200, 2, 64, 64, 3)).astype(np.uint8)
    drives = film_drives(noise, boards)
    brain = ClipBrain(1, 5)
    quadrants = {"lV1v": (0, 1), "rV1v": (0, 0), "lV1d": (1, 1), "rV1d": (1, 0)}  # lower half, right half
    for pack, (low, right) in quadrants.items():
        signals = brain.signals(pack, drives)
        r = []
        for y in (0, 1):
            for x in (0, 1):
                seen = drives["layout"][:, 8 * y : 8 * y + 8, 8 * x : 8 * x + 8].reshape(200, -1)
                r.append(np.abs(np.corrcoef(seen.T, signals.T)[: seen.shape[1], seen.shape[1] :]).max(axis=0).mean())
        assert int(np.argmax(r)) == 2 * low + right, pack


@pytest.mark.slow
def test_the_same_seed_gives_the_same_data(folder, tmp_path):
    again = simulate_clips(tmp_path / "again", **SMALL)
    for name in ("films.tsv", "plan.json"):
        assert (again / "truth" / name).read_bytes() == (folder / "truth" / name).read_bytes()
    first = packs_of(folder, "02")["lMT"]["train_data_allvoxel"]
    np.testing.assert_array_equal(packs_of(again, "02")["lMT"]["train_data_allvoxel"], first)
    assert simulate_clips(again, **SMALL) == again  # left alone
    with pytest.raises(FileExistsError, match="is not this simulated data set"):
        simulate_clips(again, **{**SMALL, "seed": 1})
