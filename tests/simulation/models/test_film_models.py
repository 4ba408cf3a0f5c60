"""Small models of simulated films: a classifier, film and text, and the generator of storyboards."""

import hashlib
import json

import numpy as np
import pytest
from naturalistic.decoding import identification
from naturalistic_simulation.clips.captions import captions
from naturalistic_simulation.clips.render import render
from naturalistic_simulation.clips.world import draw_storyboards
from naturalistic_simulation.models import film_classifier, film_models
from naturalistic_simulation.models.film_networks import N_CONDITIONS, SPACES
from naturalistic_simulation.training.films import LIMITS, simulated_conditions, train

N = 120


@pytest.fixture(scope="module")
def world():
    """Storyboards and films that no model was trained on."""
    boards = draw_storyboards(N, np.random.default_rng([9, 9]))
    return boards, render(boards, 9 * 10**12 + np.arange(N))


@pytest.fixture(scope="module")
def generator():
    return film_models.load_storyboards()


def test_the_classifier_is_right_on_true_films(world):
    boards, films = world
    right = film_classifier.load_film_classifier().classify(films) == boards[:, :2].astype(int)
    assert right.all(axis=1).mean() >= 0.9


def test_sentences_find_their_films(world):
    boards, films = world
    model = film_models.load_film_text()
    sentences = [of_film[0] for of_film in captions(boards, np.random.default_rng(2), n=1)]
    similarity = model.embed_text(sentences) @ model.embed(films).T
    rank = (similarity > np.diag(similarity)[:, None]).sum(axis=1) + 1
    assert np.median(rank) <= 10  # of 120; chance 60
    np.testing.assert_allclose(np.linalg.norm(model.embed(films), axis=1), 1, atol=1e-5)


@pytest.mark.slow
def test_true_targets_give_the_film_back(world, generator):
    boards, films = world
    targets = generator.targets_of(films)
    given = generator.condition(targets, np.full(N_CONDITIONS, 0.1))
    drawn = generator.draw(given, np.arange(N))
    assert (drawn[:, 0] == boards[:, 0]).mean() > 0.4 and (drawn[:, 1] == boards[:, 1]).mean() > 0.95
    made, rate = generator.generate_all(given, np.arange(N))
    assert made.shape == films.shape and rate > 0
    again = generator.targets_of(made)
    for columns in generator.columns.values():
        assert identification(again[:, columns], targets[:, columns]).mean() > 0.75
        assert abs(identification(np.roll(again[:, columns], 7, axis=0), targets[:, columns]).mean() - 0.5) < 0.12


def test_without_anything_read_all_classes_are_drawn(generator):
    given = generator.condition(np.zeros((400, N_CONDITIONS)), np.ones(N_CONDITIONS))
    drawn = generator.draw(given, np.arange(400))
    counts = np.bincount(drawn[:, 0].astype(int), minlength=8)
    assert counts.min() > 10


def test_a_film_depends_on_its_row_and_its_seed_alone(world, generator):
    targets = generator.targets_of(world[1][:4])
    given = generator.condition(targets, np.full(N_CONDITIONS, 0.4))
    all_films = generator.generate_all(given, [5, 6, 7, 8])[0]
    np.testing.assert_array_equal(generator.generate(given[2], 7)[0], all_films[2])
    assert not np.array_equal(generator.generate(given[2], 8)[0], all_films[2])


def test_a_vector_of_another_width_is_refused(generator):
    with pytest.raises(ValueError, match="the targets of storyboards"):
        generator.condition(np.zeros((3, 7)), np.zeros(7))
    with pytest.raises(ValueError, match=r"expected finite numbers \(n_films, 80\)"):
        generator.generate_all(np.zeros((3, N_CONDITIONS)), [1, 2, 3])
    with pytest.raises(ValueError, match="2 for 3 conditions"):
        generator.draw(np.zeros((3, generator.dim)), [1, 2])


def test_simulated_conditions_are_calibrated():
    """As a decoder's: the slope of targets on predictions is 1, and the error is the one that is handed over."""
    rng = np.random.default_rng(4)
    targets = rng.standard_normal((20_000, N_CONDITIONS)).astype(np.float32)
    given = simulated_conditions(targets, rng)
    decoded = given[:, :N_CONDITIONS]
    error = given[:, N_CONDITIONS:]
    slope = (decoded * targets).sum() / (decoded**2).sum()
    assert abs(slope - 1) < 0.02
    assert abs(np.mean((targets - decoded) ** 2) - np.mean(error**2)) < 0.01


def test_cards_say_what_weights_they_are_of():
    total = 0
    for name in ("film-text", "film-classifier", "storyboards"):
        path = film_models.WEIGHTS / f"{name}.safetensors"
        card = json.loads(path.with_suffix(".json").read_text())
        assert card["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest() and card["limits"] == LIMITS
        total += path.stat().st_size
    assert total < 5_000_000


@pytest.mark.slow
def test_a_model_is_trained_by_its_command(tmp_path):
    card = train("storyboards", tmp_path / "model.safetensors", seed=3, progress=False, n_pieces=60, epochs=1)
    assert card["command"].endswith("--seed 3 --pieces 60 --epochs 1") and sum(SPACES.values()) == N_CONDITIONS
    again = train("storyboards", tmp_path / "again.safetensors", seed=3, progress=False, n_pieces=60, epochs=1)
    assert again["sha256"] == card["sha256"]
