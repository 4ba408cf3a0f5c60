"""The two small models that come with the package: their scores as on their cards, and how they are trained."""

import dataclasses
import hashlib
import json

import numpy as np
import pytest
import torch
from naturalistic.datasets import captions, gtzan, music_genre
from naturalistic.features import audio
from naturalistic.features.probes import probe, ranks, unit, zero_shot
from naturalistic.features.text.text_encoder import sentence_vectors
from naturalistic_simulation import truth
from naturalistic_simulation.models import embedders as mini
from naturalistic_simulation.models import mel, networks
from naturalistic_simulation.music import experiment as music
from naturalistic_simulation.training import loop, masked, pieces

RATE = mel.SAMPLE_RATE


@pytest.fixture(scope="module")
def played_clips(small_music):
    """Clips of the small miniature (not those of the cards), their sound, captions and facts."""
    experiment = music_genre.load(small_music)
    waves = np.stack([gtzan.load_clip(experiment.audio, clip) for clip in experiment.clips])
    sentences = list(captions.load_captions(small_music / "captions.csv", experiment.clips).values())
    return waves, sentences, truth.of_clips(experiment.folder, experiment.clips)


@pytest.mark.slow
def test_the_shipped_joint_model_on_clips_that_no_card_saw(played_clips):
    waves, sentences, facts = played_clips
    model = audio.load("mini-mulan")
    assert (model.window, model.hop, model.dim, model.has_text) == (10.0, 1.5, 128, True)
    windows = model.embed(waves, RATE, cache=False)
    assert windows.shape == (60, 4, 128) and windows.dtype == np.float32
    vectors = windows.mean(axis=1)
    rank = ranks(unit(model.embed_text(sentences, cache=False)) @ unit(vectors).T)
    assert np.median(rank) <= 2  # of 60
    genres = sorted(set(facts["genre"]))
    assert np.mean(np.array(zero_shot(model, vectors, genres)) == facts["genre"]) >= 0.8
    for gain in (0.05, 1.7):
        np.testing.assert_allclose(model.embed(gain * waves[:3], RATE, cache=False), windows[:3], atol=1e-4)


@pytest.mark.slow
def test_the_shipped_model_of_sound_alone(played_clips):
    waves, _, _ = played_clips
    model = audio.load("mini-ssl")
    windows = model.embed(waves, RATE, cache=False)
    assert windows.shape == (60, 7, 192) and not model.has_text
    np.testing.assert_allclose(model.embed(0.05 * waves[:3], RATE, cache=False), windows[:3], atol=1e-3)
    assert np.abs(audio.load("mini-ssl", layer=1).embed(waves[:1], RATE, cache=False) - windows[:1]).max() > 0.1
    with pytest.raises(ValueError, match="expected 0 to 6"):
        audio.load("mini-ssl", layer=9)
    with pytest.raises(ValueError, match="has no text tower"):
        model.embed_text(["jazz"])
    order = np.random.default_rng(0).permutation(RATE)  # the same samples in another order are another sound
    shuffled = waves[:1].reshape(1, 15, RATE)[:, :, order].reshape(1, -1)
    assert np.abs(model.embed(shuffled, RATE, cache=False) - windows[:1]).max() > 0.1


def test_cards_state_the_required_scores():
    joint, alone = mini.card("mini-mulan"), mini.card("mini-ssl")
    assert joint["scores"]["caption_to_clip_median_rank"] <= 5 and joint["scores"]["n_clips"] == 540
    assert joint["scores"]["zero_shot_genre_accuracy"] >= 0.85
    assert joint["scores"]["largest_change_at_minus_20_dB"] < 1e-3
    a, b = joint["scores"]["probes"], alone["scores"]["probes"]
    assert a["genre"] > b["genre"] and a["mood"] > b["mood"]
    assert b["onset strength"] > a["onset strength"] + 0.05 and b["brightness"] > a["brightness"] + 0.05
    assert abs(b["pitch register"] - a["pitch register"]) < 0.02  # read equally well from both: not what was hoped for
    for card in (joint, alone):
        weights = mini.path_of(card["name"]).read_bytes()
        assert hashlib.sha256(weights).hexdigest() == card["sha256"], "the card is of other weights"
        assert len(weights) < 5e6 and card["minutes"] <= 10 and "simulated music alone" in card["limits"]


def test_frames_are_of_equal_loudness_and_right_length():
    wave = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 5 * RATE)).astype(np.float32))
    frames = mel.log_mel(wave)
    assert frames.shape == (2, 250, 64)
    torch.testing.assert_close(
        mel.same_loudness(frames), mel.same_loudness(mel.log_mel(0.01 * wave)), atol=1e-3, rtol=0
    )
    assert mel.same_loudness(frames).min() >= mel.FLOOR
    tone = torch.sin(2 * np.pi * 1000 * torch.arange(RATE) / RATE)[None]
    assert mel.log_mel(tone)[0, 20].argmax() == pytest.approx(18, abs=1)  # 15 of 49.9 mel


def test_sentence_vectors():
    sentences = ["a sad piano", "a mournful piano piece", "fast metal with two guitars"]
    vectors = sentence_vectors(sentences)
    assert vectors.shape == (3, 384) and vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2
    np.testing.assert_allclose(sentence_vectors(sentences[:1]), vectors[:1], atol=1e-5)
    with pytest.raises(ValueError, match=r"sentences \[1\] are empty"):
        sentence_vectors(["x", " "])
    with pytest.raises(ValueError, match="expected a list"):
        sentence_vectors("x")


def test_training_pieces_are_not_the_simulated_clips(tmp_path):
    with pytest.raises(
        ValueError, match="expected a whole number from 0 to 999999"
    ):  # its tracks' seeds are its seed x 1000 + track
        music.simulate_music(tmp_path / "m", seed=1_000_000)
    assert pieces.FIRST_SEED >= 1000 * 1_000_000


@pytest.mark.slow
def test_gaps():
    hidden = masked.gaps(20, 150, np.random.default_rng(0))
    assert hidden.shape == (20, 150) and 0.25 < hidden.float().mean() < masked.SHARE + 0.01
    network = networks.MaskedSound()
    frames = torch.randn(20, 150, 64)
    changed = frames + hidden[..., None] * 0.01 * torch.randn(20, 150, 64)
    a, b = (network.states(mel.same_loudness(x), hidden)[-1] for x in (frames, changed))
    assert (a - b).abs().max() < 0.1, "hidden frames were seen, but for their part in the loudness"


class Line(torch.nn.Module):
    """A line through points, to train in no time."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(2))


def line(x):
    module = Line()
    return module, lambda k, rng: ((module.weight[0] * x[k] + module.weight[1] - (2 * x[k] + 1)) ** 2).mean()


@pytest.mark.slow
def test_training_goes_on_where_it_stopped(tmp_path):
    x = torch.linspace(-1, 1, 64)
    how = {"rate": 0.1, "decay": 0.0, "progress": False}
    whole = loop.TrainingRequest(tmp_path / "whole.safetensors", n_pieces=64, epochs=30, seed=3, batch_size=16)
    again = dataclasses.replace(whole, path=tmp_path / "again.safetensors")
    module, loss_of = line(x)
    losses = loop.fit(module, loss_of, whole, **how)
    assert losses[-1] < 0.01 * losses[0]
    broken, loss_of = line(x)
    calls = []

    def stop(k, rng):
        calls.append(1)
        if len(calls) == 50:
            raise KeyboardInterrupt
        return loss_of(k, rng)

    with pytest.raises(KeyboardInterrupt):
        loop.fit(broken, stop, again, **how)
    assert not (tmp_path / "again.safetensors").exists()
    with pytest.raises(ValueError, match="is of a training with seed 3, expected 4"):
        loop.fit(*line(x), dataclasses.replace(again, seed=4), **how)
    with pytest.raises(ValueError, match="with epochs 30, expected 3"):
        loop.fit(*line(x), dataclasses.replace(again, epochs=3), **how)
    rest, loss_of = line(x)
    loop.fit(rest, loss_of, again, **how)
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "whole.safetensors").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["again.safetensors", "whole.safetensors"]


def test_weights_of_something_else(tmp_path):
    module, loss_of = line(torch.ones(4))
    request = loop.TrainingRequest(tmp_path / "x.safetensors", n_pieces=4, epochs=1, seed=0, batch_size=4)
    loop.fit(module, loss_of, request, rate=0.1, progress=False)
    with pytest.raises(ValueError, match="holds no weights of JointSound"):
        mini.load_mulan(weights=tmp_path / "x.safetensors")


@pytest.mark.slow
def test_a_short_training_learns(tmp_path):
    """Ninety pieces and a few epochs: the loss falls, the file opens as a model, genre can be read from it."""
    from naturalistic_simulation.training.joint import train_joint

    losses = train_joint(tmp_path / "m.safetensors", n_pieces=90, epochs=25, batch_size=30, seed=1, progress=False)
    assert losses[-1] < 0.8 * np.log(30)  # 30 pairs in a batch: their logarithm is chance
    model = mini.load_mulan(weights=tmp_path / "m.safetensors")
    frames, _, facts = pieces.training_music(90, 1, progress=False)
    assert frames.shape == (90, 2, 750, 64) and len(facts) == 90
    wave = np.random.default_rng(0).standard_normal((2, 15 * RATE)).astype(np.float32)
    assert model.embed(wave, RATE, cache=False).shape == (2, 4, 128)
    assert (
        probe(np.asarray(frames[:, 0].astype(np.float32).mean(axis=1)), np.array([f["genre"] for f in facts]))[0] > 0.3
    )
    assert json.dumps(facts[0])
