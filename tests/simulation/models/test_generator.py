"""The small generator: scores as tokens, what is drawn can be played, and sounds like what it was asked for."""

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from naturalistic.datasets.presentation import as_played
from naturalistic.decoding import identification
from naturalistic.features import audio
from naturalistic_simulation.models import generator as mini
from naturalistic_simulation.models import sampling, tokens
from naturalistic_simulation.models import score_model as model
from naturalistic_simulation.music.composer import GENRES, NOTE_DTYPE, compose
from naturalistic_simulation.music.synthesizer import render
from naturalistic_simulation.training import composed, composing, copies, generated

FRESH = 2_800_000_000  # seeds that nothing else uses


def fresh(n, first=FRESH):
    """Return the scores of clips of pieces that no model was trained on."""
    return [composed.clip_of(GENRES[k % len(GENRES)], first + k) for k in range(n)]


@pytest.fixture(scope="module")
def generator():
    return mini.load()


@pytest.fixture(scope="module")
def requested():
    """Twenty clips, and the vectors of their sound."""
    embedder = audio.load("mini-mulan")
    waves = [as_played(render(score, mini.SAMPLE_RATE), mini.SAMPLE_RATE) for score in fresh(20)]
    return embedder.embed(waves, mini.SAMPLE_RATE, cache=False).mean(axis=1)


@pytest.fixture(scope="module")
def written(generator, requested):
    return list(generator.write(requested, range(20)))


@pytest.fixture(scope="module")
def learnt():
    """Two hundred clips of pieces that the generator was trained on."""
    return [tokens.encode(score) for score in fresh(200, composed.FIRST_SEED)]


@pytest.fixture(scope="module")
def others():
    """Twenty that it was not trained on."""
    return [tokens.encode(score) for score in fresh(20, FRESH + 300)]


@pytest.fixture
def untrained():
    torch.manual_seed(0)
    return model.ScoreModel().double().eval()


@pytest.mark.parametrize("k", range(30))
def test_scores_come_back_from_tokens(k):
    score = composed.clip_of(GENRES[k % 10], FRESH + 100 + k)
    back = tokens.decode(*tokens.encode(score))
    n = min(len(back.notes), len(score.notes))  # a slower or faster class of tempo moves the last notes out or in
    assert n > 0.95 * len(score.notes)
    for field in ("step", "length", "pitch", "instrument"):
        np.testing.assert_array_equal(back.notes[field][:n], score.notes[field][:n])
    assert np.abs(back.notes["velocity"][:n] - score.notes["velocity"][:n]).max() <= tokens.LOUDNESS / 2
    assert abs(back.tempo - score.tempo) <= tokens.PACE / 2 and abs(back.swing - score.swing) <= 0.0501
    again = tokens.decode(*tokens.encode(back))
    np.testing.assert_array_equal(again.notes, back.notes)
    assert (again.tempo, again.swing, again.metre, again.key) == (back.tempo, back.swing, back.metre, back.key)


def test_excerpts_begin_at_bar_lines():
    piece = compose("classical", FRESH + 5)
    score = tokens.excerpt(piece, 7.3, 15.0)
    bar = score.bar_steps
    seconds = 60 / piece.tempo / 4
    first = next(b for b in range(100) if b * bar * seconds >= 7.3) * bar
    later = piece.notes[piece.notes["step"] >= first]
    np.testing.assert_array_equal(score.notes["step"], later["step"][: len(score.notes)] - first)
    np.testing.assert_array_equal(score.notes["pitch"], later["pitch"][: len(score.notes)])
    at_zero = tokens.excerpt(piece, 0.0, 30.0)
    np.testing.assert_array_equal(at_zero.notes, piece.notes)


def one_note(**changes):
    row = {"step": 0, "length": 4, "pitch": 60, "velocity": 80, "instrument": 0} | changes
    return np.array([tuple(row.values())], dtype=NOTE_DTYPE)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"notes": np.array([], dtype=NOTE_DTYPE)}, "the score has no notes"),
        ({"tempo": 300.0}, "the score has a tempo without a token"),
        ({"swing": -0.1}, "the score has a swing without a token"),
        ({"metre": 5}, "the score has a metre without a token"),
        ({"key": 12}, "the score has a key without a token"),
        ({"notes": one_note(length=17)}, "the score has a length without a token"),
        ({"notes": one_note(instrument=42)}, "the score has a instrument without a token"),
        ({"notes": one_note(velocity=128)}, "the score has a velocity without a token"),
        ({"notes": one_note(pitch=101)}, "pitch 101 at step 0 is not one that piano has: expected 28 to 100"),
        ({"notes": one_note(step=40)}, "nothing begins for 40 steps, expected 31 at most"),
    ],
)
def test_scores_that_no_tokens_stand_for(changes, message):
    score = tokens.Score(120.0, 0.0, 4, 0, 15.0, one_note())
    assert len(tokens.decode(*tokens.encode(score)).notes) == 1
    with pytest.raises(ValueError, match=message):
        tokens.encode(dataclasses.replace(score, **changes))


def test_tokens_out_of_range():
    header, events = tokens.encode(fresh(1)[0])
    with pytest.raises(ValueError, match="events have tokens out of range"):
        tokens.decode(header, np.where(np.arange(6) == 3, 99, events))


@pytest.mark.parametrize("k", range(4))
def test_what_was_known_is_found_by_a_plain_search(k):
    """Brute force: the first event after the same place one, two and four bars ago; and the sampler knows the same."""
    score = composed.clip_of(GENRES[3 * k], FRESH + 200 + k)
    header, events = tokens.encode(score)
    known = model.known_before(events, score.bar_steps)
    places, step, rank = [], 0, 0
    for i, (advance, voice, *_) in enumerate(events.tolist()):
        step += advance
        rank = rank + 1 if i and advance == 0 and voice == events[i - 1, 1] else 0
        places.append((step, voice, min(rank, model.RANKS - 1)))
    writing = sampling.Writing([tokens.read_header(header)], 15.0)
    row = np.array([0])
    for i in range(len(events)):
        np.testing.assert_array_equal(writing.known(row)[0], known[i])
        for k_lag, lag in enumerate(model.LAGS, start=1):
            expected = np.zeros(6, dtype=int)
            if i and places[i - 1][0] >= lag * score.bar_steps:
                step, voice, rank = places[i - 1]
                ago = (step - lag * score.bar_steps, voice, rank)
                found = next(j for j, place in enumerate(places) if place > ago)
                fields = events[found].astype(int)
                fields[0] = min(places[found][0] - ago[0], tokens.LONGEST_WAIT)
                expected = model.NOW + k_lag * model.STARTS[-1] + model.STARTS[:-1] + fields
            np.testing.assert_array_equal(known[i, 2 + 6 * k_lag : 8 + 6 * k_lag], expected)
        for field in range(6):
            drawn = np.where(np.arange(6) < field, events[i], 0)[None].astype(int)
            assert writing.allowed(row, drawn, field)[0, events[i, field]], "the grammar forbids what was composed"
        writing.add(row, events[i : i + 1].astype(int))


@pytest.mark.slow
def test_training_and_sampling_compute_the_same(untrained):
    """The loss of a packed batch is the mean of what the sampler's own steps give the same events."""
    pairs = [tokens.encode(score) for score in fresh(3)]
    headers, events = zip(*[(h, e[: 40 + 10 * k]) for k, (h, e) in enumerate(pairs)])
    known = [model.known_before(e, 4 * tokens.read_header(h)[0])[:-1] for h, e in zip(headers, events)]
    order = composing.longest_first(np.arange(3), events)
    assert order.tolist() == [2, 1, 0]
    vectors = torch.nn.functional.normalize(torch.randn(3, 128, dtype=torch.float64), dim=1)
    with torch.inference_mode():
        of_event, of_token = untrained(vectors, *composing.packed(headers, known, events, order))
        losses, token_losses = [], []
        for row, i in enumerate(order):
            condition = untrained.conditions(vectors[row : row + 1])
            token, state = model.BEGIN, None
            for right in headers[i]:
                logits, _, state = untrained.read_header(torch.tensor([[token]]), condition, state)
                token_losses.append(-logits[0, 0].log_softmax(0)[int(right)])
                token = int(right)
            _, states, _ = untrained.read_header(torch.tensor([[token]]), condition, state)
            plan = untrained.plans(states[:, 0], condition)
            state = torch.tanh(untrained.start(plan))
            for before, event in zip(known[i], torch.from_numpy(events[i].astype(int))):
                place = torch.from_numpy(before[None].astype(int))
                inputs = untrained.heard(place, plan)
                state = untrained.next_state(untrained.into(inputs), state)
                branches = untrained.branches(state, inputs)
                logits = [untrained.field(k, branches, event[None, :k], place)[0] for k in range(6)]
                losses.append(sum(-x.log_softmax(0)[right] for x, right in zip(logits, event)))
    assert float(of_event) == pytest.approx(float(np.mean(losses)), rel=1e-9)
    assert float(of_token) == pytest.approx(float(np.mean(token_losses)), rel=1e-9)


def test_whatever_is_drawn_can_be_played(untrained):
    """An untrained network draws wildly: the grammar alone sees to it that a synthesizer can play it."""
    vectors = torch.nn.functional.normalize(torch.randn(40, 128, dtype=torch.float64), dim=1)
    for score in sampling.write_scores(untrained, vectors, list(range(40)), 6.0):
        header, events = tokens.encode(score)
        np.testing.assert_array_equal(tokens.decode(header, events, 6.0).notes, score.notes)
    sound = render(score, 8000)
    assert len(sound) == 48_000 and np.isfinite(sound).all() and np.abs(sound).max() > 0


def test_a_draw_is_of_the_nucleus():
    logits = np.log(np.array([[0.5, 0.3, 0.15, 0.05]])) * sampling.TEMPERATURE
    uniform = (np.arange(2000) + 0.5) / 2000
    drawn = sampling.draw(np.repeat(logits, 2000, 0), np.ones((2000, 4), bool), uniform)
    shares = np.bincount(drawn, minlength=4) / 2000
    np.testing.assert_allclose(shares, np.array([0.5, 0.3, 0.15, 0]) / 0.95, atol=2e-3)
    allowed = np.array([[False, False, True, True]])
    assert set(sampling.draw(np.repeat(logits, 50, 0), np.repeat(allowed, 50, 0), uniform[::40]).tolist()) == {2, 3}


@pytest.mark.slow
def test_a_piece_depends_on_its_vector_and_seed_alone(generator, requested, written):
    backwards = list(generator.write(requested[[7, 3, 0]], [7, 3, 0]))
    for score, k in zip(backwards, (7, 3, 0)):
        np.testing.assert_array_equal(score.notes, written[k].notes)
    (longer,) = generator.write(4.0 * requested[3:4], [3])  # the direction alone counts
    np.testing.assert_array_equal(longer.notes, written[3].notes)
    first, rate = generator.generate(requested[3], seed=3)
    second, _ = generator.generate(requested[3], seed=4)
    np.testing.assert_array_equal(first, render(written[3], rate))
    assert first.dtype == np.float32 and len(first) == 15 * rate and not np.array_equal(first, second)


@pytest.mark.slow
def test_seeds_give_different_pieces(generator, requested):
    scores = [tokens.encode(score) for score in generator.write(np.repeat(requested[:1], 12, axis=0), range(12))]
    for i, one in enumerate(scores):
        known, _ = copies.shared_bars([one], scores[:i] + scores[i + 1 :])
        assert known[0] < 0.9


@pytest.mark.slow
def test_the_sound_is_identified(generator, requested, written):
    """Among twenty clips that nothing was trained on; a condition that went to the wrong row gives chance."""
    embedder = audio.load("mini-mulan")
    waves = [as_played(render(score, mini.SAMPLE_RATE), mini.SAMPLE_RATE) for score in written]
    heard = embedder.embed(waves, mini.SAMPLE_RATE, cache=False).mean(axis=1)
    assert identification(heard, requested).mean() >= 0.75
    assert identification(np.roll(heard, 1, axis=0), requested).mean() < 0.65


@pytest.mark.slow
@pytest.mark.parametrize("apart", [False, True])
def test_no_piece_is_a_copy(written, learnt, others, apart):
    """Generated pieces have no more bars of pieces trained on (a part of them) than other composed pieces have."""
    known, closest = copies.shared_bars([tokens.encode(score) for score in written], learnt, apart)
    known_composed, _ = copies.shared_bars(others, learnt, apart)
    assert known.mean() <= known_composed.mean() + 0.02
    if not apart:
        assert closest.max() < 0.5
    moved = [(np.where(np.arange(len(h)) == 3, 75, h), e) for h, e in learnt[:3]]  # all to B
    np.testing.assert_array_equal(copies.shared_bars(moved, learnt, apart)[1], 1)
    louder = [(h, np.where(np.arange(6) == 5, 15, e)) for h, e in learnt[:3]]
    np.testing.assert_array_equal(copies.shared_bars(louder, learnt, apart)[1], 1)
    longer = [(h, np.where(np.arange(6) == 4, 15 - e, e)) for h, e in learnt[:3]]
    assert copies.shared_bars(longer, learnt, apart)[1].max() < 1


@pytest.mark.parametrize("apart", [False, True])
def test_a_piece_without_a_note_is_a_copy_of_nothing(apart):
    header, events = tokens.encode(fresh(1, FRESH)[0])
    silent, piece = (header, events[:0]), (header, events)
    for pieces, learnt in (([silent, piece], [piece]), ([silent, piece], [silent, piece])):
        np.testing.assert_array_equal(copies.shared_bars(pieces, learnt, apart), [[0, 1], [0, 1]])
        np.testing.assert_array_equal(copies.shared_notes(pieces, learnt), [0, 1])
    np.testing.assert_array_equal(copies.shared_bars([piece], [silent], apart), [[0], [0]])


@pytest.mark.slow
def test_a_copy_is_found_though_it_was_shifted_transposed_or_changed(written, learnt, others):
    def moved(piece, steps, up):
        header, events = piece[0], piece[1].copy()
        events[0, 0] += steps
        pitched = events[:, 1] < tokens.N_PITCHED
        events[pitched, 2] += up
        return header, events

    whole = [moved(p, steps, up) for p, steps, up in zip(learnt, (0, 4, 9), (0, 3, -5))]
    np.testing.assert_allclose(copies.shared_notes(whole, learnt), 1)
    dropped = [(h, np.delete(e, np.flatnonzero(e[:, 0] == 0)[::10], axis=0)) for h, e in learnt[:3]]
    assert copies.shared_notes(dropped, learnt).min() == pytest.approx(1)
    own, composed_ones = (
        copies.shared_notes([tokens.encode(s) for s in written], learnt),
        copies.shared_notes(others, learnt),
    )
    assert own.max() < 0.9 and own.mean() <= composed_ones.mean() + 0.05
    one = learnt[5]
    steps, brute = np.cumsum(one[1][:, 0]), 0
    mine = {(int(t), int(v), int(q)) for t, v, q in zip(steps, one[1][:, 1], one[1][:, 2])}
    t2 = np.cumsum(learnt[6][1][:, 0])
    theirs = {(int(t), int(v), int(q)) for t, v, q in zip(t2, learnt[6][1][:, 1], learnt[6][1][:, 2])}
    for shift in range(-16, 17):
        for up in range(-6, 7):
            hit = sum((t + shift, v, q + up * (v < tokens.N_PITCHED)) in theirs for t, v, q in mine)
            brute = max(brute, hit)
    assert copies.shared_notes([one], [learnt[6]])[0] == pytest.approx(brute / len(mine))


def test_the_card_states_the_required_scores():
    card, weights = mini.card(), Path(mini.path_of()).read_bytes()
    assert card["sha256"] == hashlib.sha256(weights).hexdigest(), "the card is of other weights"
    assert len(weights) < 5e6 and card["minutes"] <= 10 and "simulated music alone" in card["limits"]
    scores = card["scores"]
    assert scores["n_clips"] == 60 and scores["identification_mini-mulan"] >= 0.85
    assert scores["generated_bars_in_one_training_piece_most"] < 0.5
    assert scores["generated_notes_in_one_training_piece_most"] < 0.9
    for what in ("bars", "bars_of_single_voices"):
        assert scores[f"generated_{what}_in_any_training_piece"] < scores[f"composed_{what}_in_any_training_piece"]


@pytest.mark.parametrize(
    ("embedding", "how", "message"),
    [
        (np.ones(127), {}, r"embeddings have shape \(1, 127\), expected \(n, 128\)"),
        (np.zeros(128), {}, "1 of 1 rows are zero"),
        (np.full(128, np.nan), {}, "1 of 1 rows are not finite"),
        (np.ones(128), {"seed": -1}, "seeds: -1 is negative, expected 0 or more"),
        (np.ones(128), {"duration": 0.0}, "duration is 0.0 s, expected more than 0"),
    ],
)
def test_bad_vectors(generator, embedding, how, message):
    with pytest.raises(ValueError, match=message):
        generator.generate(embedding, **{"seed": 0} | how)


def test_a_card_of_other_weights(tmp_path):
    """New weights beside an old card: what a training leaves that was stopped before it was measured."""
    shutil.copy(mini.path_of(), tmp_path / "x.safetensors")
    (tmp_path / "x.json").write_text(json.dumps(mini.card() | {"sha256": "0" * 64}))
    with pytest.raises(ValueError, match=r"x\.json is the card of other weights"):
        mini.load(tmp_path / "x.safetensors")


def test_weights_of_something_else(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"x\.json is not there: expected the card of x\.safetensors"):
        mini.load(tmp_path / "x.safetensors")
    here = {"embedder": {"sha256": mini.embedder_hash()}}
    (tmp_path / "x.json").write_text(json.dumps(here))
    with pytest.raises(FileNotFoundError, match="is not there: expected weights from naturalistic train"):
        mini.load(tmp_path / "x.safetensors")
    shutil.copy(mini.embedders.path_of("mini-mulan"), tmp_path / "x.safetensors")
    with pytest.raises(ValueError, match="holds no weights of ScoreModel"):
        mini.load(tmp_path / "x.safetensors")
    (tmp_path / "x.safetensors").write_bytes(b"x" * 100)
    with pytest.raises(ValueError, match=r"x\.safetensors is no safetensors file; fetch it again, or train it again"):
        mini.load(tmp_path / "x.safetensors")
    (tmp_path / "x.json").write_text(json.dumps({"embedder": {"sha256": "0" * 64}}))
    with pytest.raises(ValueError, match=r"trained on vectors of a mini-mulan with the hash 000000000000, and the one"):
        mini.load(tmp_path / "x.safetensors")


@pytest.mark.slow
def test_a_tiny_training_goes_on_where_it_stopped(tmp_path, monkeypatch):
    how = {"n_pieces": 8, "epochs": 2, "seed": 1, "batch_size": 4, "progress": False}
    monkeypatch.setattr(composed, "CLIP", 11.0)
    monkeypatch.setattr(composed.joblib, "cpu_count", lambda: 1)
    whole = composing.train_generator(tmp_path / "whole.safetensors", **how)
    assert whole[1] < whole[0] and composed.seconds_to_compose(8, 1) > 0
    noisy, calls = composing.noisy, []

    def stop(*args):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return noisy(*args)

    monkeypatch.setattr(composing, "noisy", stop)
    with pytest.raises(KeyboardInterrupt):
        composing.train_generator(tmp_path / "again.safetensors", **how)
    composing.train_generator(tmp_path / "again.safetensors", **how)
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "whole.safetensors").read_bytes()
    assert len(calls) == 3 + 2  # one batch of the broken epoch is done again, and the other
    network = mini.network_of(tmp_path / "again.safetensors")
    scores = sampling.write_scores(network, torch.eye(2, 128, dtype=torch.float64), [0, 1], 3.0)
    assert len(scores) == 2


def test_noise_is_of_the_size_that_it_says():
    vectors = np.eye(50, 128, dtype=np.float32)
    shown = composing.noisy(vectors, np.random.default_rng(0)).numpy()
    np.testing.assert_allclose(np.linalg.norm(shown, axis=1), 1, rtol=1e-5)
    assert np.mean((shown * vectors).sum(axis=1)) == pytest.approx(1 / np.sqrt(1 + composing.NOISE**2), abs=0.02)
    seeds = (composed.FIRST_SEED, generated.HELD_OUT, FRESH)
    assert min(seeds) > 1_000_000_000 + 1_000_000 * 1000  # far from those of the embedders' training, and of each other
