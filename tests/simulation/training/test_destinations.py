"""Trainings and makings look at every argument, and at the place they write to, before the first piece of work."""

from pathlib import Path

import pytest
from naturalistic import cli
from naturalistic_simulation import simulate_clips, simulate_corpus, simulate_film, simulate_music
from naturalistic_simulation.full_size.movie_subject import simulate_movie_subject
from naturalistic_simulation.full_size.music_subject import simulate_music_subject
from naturalistic_simulation.movie.text_embedding import simulate_movie
from naturalistic_simulation.story import simulate_story
from naturalistic_simulation.training import cards, composing, joint, loop, masked

UNWRITABLE = "/proc/made"  # not even the superuser makes a file there


@pytest.fixture(autouse=True)
def no_work(monkeypatch):
    """Fail where long work begins."""

    def work(*args, **kwargs):
        pytest.fail("work has started")

    for name in ("pieces.training_music", "composed.training_scores", "masked.training_music", "joint.training_music"):
        monkeypatch.setattr(f"naturalistic_simulation.training.{name}", work)
    monkeypatch.setattr("naturalistic_simulation.training.composing.training_scores", work)
    for name in ("music.experiment.write_whole", "corpus.write_whole", "movie.experiment.write_whole"):
        monkeypatch.setattr(f"naturalistic_simulation.{name}", work)
    monkeypatch.setattr("naturalistic_simulation.full_size.music_subject.simulate_music", work)
    monkeypatch.setattr("naturalistic_simulation.full_size.movie_subject._write_texts", work)


MAKERS = {
    "nobody": (simulate_music, {"subjects": 0}, "subjects is 0, expected a whole number from 1"),
    "fewer than nobody": (simulate_music, {"subjects": -3}, "subjects is -3, expected"),
    "half a subject": (simulate_music, {"subjects": 1.5}, "subjects is 1.5, expected"),
    "subjects as text": (simulate_music, {"subjects": "2"}, "subjects is '2', expected"),
    "no training run": (simulate_music, {"n_training": 0}, "n_training is 0, expected"),
    "a negative number of test runs": (simulate_music, {"n_test": -1}, "n_test is -1, expected"),
    "more runs than tracks": (simulate_music, {"n_training": 30}, "n_training is 30 and n_test 6, which needs 126"),
    "seed of music": (simulate_music, {"seed": -1}, "seed is -1, expected"),
    "no process": (simulate_music, {"n_jobs": 0}, "n_jobs is 0, expected"),
    "no track": (simulate_corpus, {"n_tracks": 0}, "n_tracks is 0, expected"),
    "half a process": (simulate_corpus, {"n_jobs": 0.5}, "n_jobs is 0.5, expected"),
    "nobody at the films": (simulate_movie, {"subjects": -3}, "subjects is -3, expected"),
    "seed of films": (simulate_movie, {"seed": True}, "seed is True, expected"),
    "a film for nobody": (simulate_film, {"subjects": 0}, "subjects is 0, expected a whole number from 1 to 15"),
    "a film for sixteen": (simulate_film, {"subjects": 16}, "subjects is 16, expected a whole number from 1 to 15"),
    "seed of a film": (simulate_film, {"seed": -1}, "seed is -1, expected"),
    "short films for nobody": (simulate_clips, {"subjects": 0}, "subjects is 0, expected a whole number from 1 to 10"),
    "too few short films": (simulate_clips, {"n_train": 3}, "n_train is 3, expected a whole number from 16 to 1000"),
    "seed of a story": (simulate_story, {"seed": None}, "seed is None, expected"),
    "seed of full-size music": (simulate_music_subject, {"seed": 1.5}, "seed is 1.5, expected"),
    "no such run of music": (simulate_music_subject, {"runs": ["Test_run-07"]}, r"runs \['Test_run-07'\]: expected"),
    "no such run of a film": (simulate_movie_subject, {"runs": ["crown_run-99"]}, r"runs \['crown_run-99'\]: expected"),
    "no run": (simulate_movie_subject, {"runs": []}, r"runs \[\]: expected a list of some of"),
    "seed of a full-size film": (simulate_movie_subject, {"seed": -1}, "seed is -1, expected"),
}


@pytest.mark.parametrize(("make", "options", "message"), MAKERS.values(), ids=MAKERS)
def test_makers_check_every_number(tmp_path, make, options, message):
    with pytest.raises(ValueError, match=message):
        make(tmp_path / "made", **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("make", [simulate_music_subject, simulate_movie_subject])
def test_full_size_data_check_the_folder(make):
    with pytest.raises(ValueError, match="/proc cannot be written to"):
        make(UNWRITABLE)


TRAINERS = [masked.train_masked, joint.train_joint, composing.train_generator]
SIZES = {
    "no piece": ({"n_pieces": 0}, "n_pieces is 0, expected"),
    "no epoch": ({"epochs": 0}, "epochs is 0, expected"),
    "half a batch": ({"batch_size": 0.5}, "batch_size is 0.5, expected"),
    "seed": ({"seed": -1}, "seed is -1, expected"),
}


@pytest.mark.parametrize("train", TRAINERS)
@pytest.mark.parametrize(("size", "message"), SIZES.values(), ids=SIZES)
def test_trainers_check_every_number(tmp_path, train, size, message):
    with pytest.raises(ValueError, match=message):
        train(tmp_path / "x.safetensors", **size)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("train", [*TRAINERS, lambda path: cards.train("mini-ssl", path)])
@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("", "is a folder, expected the file of the weights"),
        ("x.json", r"ends in \.json, expected a name such as"),
        (UNWRITABLE, "/proc cannot be written to"),
        ("file/x.safetensors", "is a file; expected a folder"),
    ],
)
def test_trainers_check_the_place(tmp_path, train, place, message):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=message):
        train(tmp_path / place)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_an_interrupted_training_of_another_kind(tmp_path):
    import torch

    path = tmp_path / "x.safetensors"
    torch.save({"asked": {"seed": 3, "n_samples": 5, "epochs": 2}}, tmp_path / "x.safetensors.part")
    with pytest.raises(ValueError, match="is of a training with seed 3, expected 4"):
        cards.train("mini-ssl", path, 4, n_pieces=5, epochs=2)
    request = loop.check_training(path, n_pieces=5.0, epochs=2, seed=3)
    assert request == loop.TrainingRequest(path, n_pieces=5, epochs=2, seed=3, batch_size=1)


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("mini", {}, "name is 'mini', expected one of mini-mulan"),
        ("mini-ssl", {"pieces": 3}, "pieces is no size of a training, expected some of n_pieces, epochs"),
    ],
)
def test_trainings_that_are_not(tmp_path, name, size, message):
    with pytest.raises(ValueError, match=message):
        cards.train(name, tmp_path / "x.safetensors", **size)


@pytest.mark.parametrize(
    "command",
    [
        f"train mini-ssl --to {UNWRITABLE}/x.safetensors",
        "train mini-ssl --to FOLDER",
        "train mini-mulan --to FOLDER/x.safetensors --pieces 0",
        "train mini-generator --to FOLDER/x.safetensors --seed -1",
        "simulate music --to FOLDER/m --subjects 0",
        "simulate music --to FOLDER/m --subjects -3",
        f"simulate music --to {UNWRITABLE}",
        f"simulate corpus --to {UNWRITABLE}",
        f"simulate movie --to {UNWRITABLE}",
    ],
)
def test_commands_refuse_with_status_2(tmp_path, capsys, command):
    assert cli.main(command.replace("FOLDER", str(tmp_path)).split()) == 2
    assert capsys.readouterr().err.startswith("naturalistic: ")
    assert list(tmp_path.iterdir()) == [] and not Path(UNWRITABLE).exists()
