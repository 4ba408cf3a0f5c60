"""What the library itself keeps on disk and reads again: cut short, it is named, with what to do."""

import json

import numpy as np
import pytest
import torch
from naturalistic.datasets import bold_store
from naturalistic.decoding.retrieval import Index, build_index
from naturalistic.preprocessing.store import open_prepared
from naturalistic.reporting import results
from naturalistic_simulation.training import composed, loop, pieces

NAMES = [f"n{k}" for k in range(40)]
VECTORS = np.random.default_rng(0).standard_normal((40, 6))


def cut(path):
    content = path.read_bytes()
    path.write_bytes(content[: int(0.9 * len(content))])
    return path


@pytest.mark.parametrize("file", ["index.json", "vectors.npy"])
def test_an_index(tmp_path, file):
    build_index(tmp_path, NAMES, VECTORS, "model", progress=False)
    cut(tmp_path / file)
    with pytest.raises(ValueError, match=rf"{file} .*cut short.*; delete its folder and build the index again"):
        Index.open(tmp_path, "model")


@pytest.mark.parametrize("file", ["progress.json", "vectors.part.npy"])
def test_a_begun_index(tmp_path, file):
    """A map that is written to would be made longer, and zeros would stand for what was lost."""

    def stops(names):
        if names[0] == "n30":
            raise KeyboardInterrupt
        return VECTORS[: len(names)]

    with pytest.raises(KeyboardInterrupt):
        build_index(tmp_path, NAMES, stops, "model", batch_size=10, progress=False)
    cut(tmp_path / file)
    with pytest.raises(ValueError, match=rf"{file} .*cut short.*; delete its folder and build the index again"):
        build_index(tmp_path, NAMES, lambda names: VECTORS[: len(names)], "model", batch_size=10, progress=False)


def test_numbers_and_arrays_of_a_chapter(tmp_path, monkeypatch):
    monkeypatch.setenv("NATURALISTIC_RESULTS", str(tmp_path))
    results.save("01-a", {"r": 0.5}, dataset="alice", seed=0)
    results.save_arrays("01-a", {"r": np.arange(100.0)})
    assert results.load("01-a")["r"] == 0.5 and results.load_arrays("01-a")["r"].shape == (100,)
    for suffix, load in ((".json", results.load), (".npz", results.load_arrays)):
        cut(tmp_path / f"01-a{suffix}")
        with pytest.raises(ValueError, match=rf"01-a\{suffix} .*cut short.*run the chapter 01-a again \(make book\)"):
            load("01-a")
    (tmp_path / "build.json").write_text('{"machine": ')
    with pytest.raises(ValueError, match=r"build\.json is not JSON.*run make book again"):
        results.build_costs()


def prepared(folder):
    np.save(folder / "bold.npy", np.zeros((10, 3), np.float32))
    np.save(folder / "000-motion.npy", np.zeros((10, 6)))
    np.savez(folder / "space.npz", n_voxels=3)
    about = {"subject": "1", "space": "fsaverage5", "tr": 2.0, "n_trs": [10], "run_names": ["a"], "n_dropped": [0]}
    (folder / "about.json").write_text(json.dumps(about))
    return folder


@pytest.mark.parametrize("file", ["bold.npy", "000-motion.npy", "space.npz", "about.json"])
def test_a_prepared_subject(tmp_path, file):
    assert open_prepared(prepared(tmp_path)).bold.shape == (10, 3)
    cut(tmp_path / file)
    with pytest.raises(ValueError, match=rf"{file} .*cut short.*; delete .* and prepare the subject again"):
        open_prepared(tmp_path)


def test_a_matrix_bold_store(tmp_path):
    bold_store.write_runs(tmp_path, [4, 6], 5, lambda k: np.ones(([4, 6][k], 5), np.float32), "runs", progress=False)
    assert bold_store.open_matrix(tmp_path).sum() == 50
    cut(tmp_path / bold_store.NAME)
    with pytest.raises(ValueError, match=r"bold\.npy was cut short: it has .* bytes; delete .*: it is made again"):
        bold_store.open_matrix(tmp_path)


def test_the_checkpoint_of_a_training(tmp_path):
    module = torch.nn.Linear(3, 1)
    request = loop.TrainingRequest(tmp_path / "x.safetensors", n_pieces=4, epochs=2, seed=0, batch_size=4)

    def stops(indices, rng):
        if (tmp_path / "x.safetensors.part").is_file():
            raise KeyboardInterrupt
        return module(torch.ones(len(indices), 3)).square().mean()

    with pytest.raises(KeyboardInterrupt):
        loop.fit(module, stops, request, rate=0.1, progress=False)
    cut(tmp_path / "x.safetensors.part")
    with pytest.raises(
        ValueError, match=r"x\.safetensors\.part .*cut short.*; delete it, and train from the beginning"
    ):
        loop.fit(module, stops, request, rate=0.1, progress=False)


def test_music_to_train_on(tmp_path, monkeypatch):
    monkeypatch.setattr(pieces, "_folder", lambda n_pieces, seed: tmp_path)
    for name in ("frames", "sentences"):
        np.save(tmp_path / f"{name}.npy", np.zeros((2, 3)))
    (tmp_path / "done").write_text("1")
    assert len(pieces.training_music(2)[0]) == 2
    cut(tmp_path / "frames.npy")
    with pytest.raises(ValueError, match=r"frames\.npy was cut short.*: the pieces are composed again"):
        pieces.training_music(2)
    path = tmp_path / "scores.npz"
    monkeypatch.setattr(composed, "_path", lambda n_pieces, seed: path)
    arrays = {"headers": np.arange(4), "n_headers": [2, 2], "events": np.arange(6), "n_events": [3, 3]}
    np.savez(path, **arrays, vectors=np.ones((2, 5)), seconds=3.0)
    assert composed.training_scores(2)[0][1].tolist() == [2, 3] and composed.seconds_to_compose(2) == 3
    cut(path)
    for read in (composed.training_scores, composed.seconds_to_compose):
        with pytest.raises(ValueError, match=r"scores\.npz was cut short.*: the scores are composed again"):
            read(2)
