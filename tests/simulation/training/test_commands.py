"""`naturalistic train`, from the command to the card: on a few pieces and small simulated data, in a minute."""

import hashlib
import json
import math
import shlex
import shutil

import naturalistic_simulation
import numpy as np
import pytest
from naturalistic import cli
from naturalistic_simulation.models import generator as mini
from naturalistic_simulation.training import cards

SIZE = "--seed 3 --pieces 12 --epochs 1"
PROPERTIES = {"onset strength", "brightness", "pitch register", "onset rate", "mood", "genre"}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """The pieces are made once for all models."""
    return tmp_path_factory.mktemp("trained")


@pytest.fixture
def train(small_music, cache, tmp_path, monkeypatch, capsys):
    """A function that runs the command as a user does, and returns the printed card and the path of the weights."""
    monkeypatch.setenv("NATURALISTIC_CACHE", str(cache))
    monkeypatch.setattr(
        naturalistic_simulation, "simulate_music", lambda to, **_: to.exists() or shutil.copytree(small_music, to)
    )
    monkeypatch.setattr(cards.composed.joblib, "cpu_count", lambda: 1)

    def run(command):
        path = tmp_path / "again" / "model.safetensors"
        assert cli.main(shlex.split(command.replace("FILE", str(path)))) == 0
        return json.loads(capsys.readouterr().out), path

    return run


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mini-mulan", "mini-ssl"])
def test_an_embedder_is_trained_measured_and_repeated_by_the_command_on_its_card(train, name):
    card, path = train(f"train {name} --to FILE {SIZE}")
    assert card == json.loads(path.with_suffix(".json").read_text())
    assert card["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert card["size"] == {"n_pieces": 12, "epochs": 1} and card["seed"] == 3 and math.isfinite(card["last_loss"])
    assert set(card["scores"]["probes"]) == PROPERTIES
    wave = np.random.default_rng(0).standard_normal((1, 15 * 22050)).astype(np.float32)
    load = cards.TRAINABLE[name][1]
    vector, shipped = (load(weights=weights).embed(wave, 22050, cache=False) for weights in (path, None))
    assert np.isfinite(vector).all() and vector.shape == shipped.shape and not np.allclose(vector, shipped)
    reads = {"caption_to_clip_median_rank", "zero_shot_genre_accuracy"} <= set(card["scores"])
    assert reads == (name == "mini-mulan") and card["scores"].get("n_clips", 60) == 60
    path.unlink()
    again, _ = train(card["command"].removeprefix("naturalistic "))
    assert again["sha256"] == card["sha256"] and again["scores"] == card["scores"]


@pytest.mark.slow
def test_a_generator_is_trained_measured_and_opened_with_its_card(train):
    card, path = train(f"train mini-generator --to FILE {SIZE}")
    assert card["embedder"] == {"name": "mini-mulan", "sha256": mini.embedder_hash()}
    assert card["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    found = card["scores"]
    assert found.pop("n_clips") == 20 and all(0 <= value <= 1 for value in found.values())
    assert {kind.split("_")[0] for kind in found} == {"identification", "generated", "composed"}
    assert mini.load(path).dim == 128


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--pieces 0", "n_pieces is 0, expected a whole number of at least 1"),
        ("--pieces 10 --epochs -1", "epochs is -1, expected a whole number of at least 1"),
        ("--pieces 10 --seed -1", "seed is -1, expected a whole number of at least 0"),
    ],
)
@pytest.mark.parametrize("name", cards.TRAINABLE)
def test_sizes_that_train_nothing(tmp_path, name, options, message, capsys):
    assert cli.main(["train", name, "--to", str(tmp_path / "new" / "x.safetensors"), *options.split()]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
