"""The simulated corpus: pieces that nobody else has, rendered when they are read; the vectors that come with it."""

import numpy as np
import pytest
import soundfile
from naturalistic import cache, cli, decoding
from naturalistic.cache import RequestError
from naturalistic.datasets import fma
from naturalistic.decoding import corpus as indexing
from naturalistic.features import audio
from naturalistic_simulation import corpus as simulated
from naturalistic_simulation import corpus_tracks, corpus_vectors, simulate_corpus
from naturalistic_simulation import folders as whole
from naturalistic_simulation.music import experiment as music
from naturalistic_simulation.training import pieces

from tests.helpers.corpus import RATE, embedder, sounds_in
from tests.helpers.server import contents


def test_the_simulated_corpus_is_read_as_the_real_one(small_corpus):
    corpus = fma.load(small_corpus)
    assert corpus.is_simulated and str(corpus) == "Simulated data (layout of FMA): 5 tracks of 5 genres"
    assert (small_corpus / "fma_simulated/000/000005.mp3").is_file() and corpus.notes == ()
    track = corpus["000004"]
    piece = corpus_tracks.piece_of(4)
    assert track.genre == piece.genre and "(simulated)" in track.title and "(simulated)" in track.artist
    assert piece.mood in track.title and f"{piece.tempo:.0f} beats" in track.title
    heard = fma.first_seconds(track.path, sample_rate=RATE)
    written = corpus_tracks.render(piece, RATE)
    assert np.corrcoef(heard, written)[0, 1] > 0.99, "packed, but in time and in tune"


@pytest.mark.slow
def test_the_same_seed_gives_the_same_corpus(small_corpus, tmp_path):
    again = simulate_corpus(tmp_path / "c", 5, n_jobs=2, render_all=True, progress=False)
    assert contents(again) == contents(small_corpus)
    assert simulate_corpus(again, 5, progress=False) == again and contents(again) == contents(small_corpus)
    other = simulate_corpus(tmp_path / "d", 1, seed=1, n_jobs=1, render_all=True, progress=False)
    assert contents(other)["fma_simulated/000/000001.mp3"] != contents(again)["fma_simulated/000/000001.mp3"]
    with pytest.raises(FileExistsError, match="is not this corpus"):
        simulate_corpus(again, 6, progress=False)


@pytest.mark.slow
def test_a_track_is_rendered_when_it_is_first_read(small_corpus, tmp_path):
    corpus = fma.load(simulate_corpus(tmp_path / "c", 5, progress=False))
    assert len(corpus) == 5 and corpus["000003"].title == fma.load(small_corpus)["000003"].title
    assert sounds_in(tmp_path) == []
    heard = fma.first_seconds(corpus["000003"].path)
    assert sounds_in(tmp_path) == ["000003.mp3"]
    np.testing.assert_array_equal(heard, fma.first_seconds(fma.load(small_corpus)["000003"].path))
    simulate_corpus(tmp_path / "c", 5, n_jobs=1, render_all=True, progress=False)
    assert contents(tmp_path / "c") == contents(small_corpus)
    with pytest.raises(FileNotFoundError, match=r"000006\.mp3 is missing, and none of the 5 tracks"):
        fma.first_seconds(corpus.folder / "000/000006.mp3")


@pytest.mark.slow
def test_a_track_that_cannot_be_rendered_leaves_nothing(tmp_path, monkeypatch):
    corpus = fma.load(simulate_corpus(tmp_path / "c", 2, progress=False))
    write = soundfile.write

    def stop(path, *how, **more):
        write(path, *how, **more)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(corpus_tracks.soundfile, "write", stop)
    with pytest.raises(OSError, match="No space left"):
        fma.first_seconds(corpus["000001"].path)
    assert sounds_in(tmp_path) == []
    monkeypatch.setattr(simulated, "recipe", lambda: "other")
    simulated._numbers_in.cache_clear()
    with pytest.raises(FileNotFoundError, match=r"was not written by this version of the simulation.*simulate corpus"):
        fma.first_seconds(corpus["000001"].path)
    simulated._numbers_in.cache_clear()


def test_its_pieces_are_nobody_elses():
    first, last = corpus_tracks.piece_of(1).seed, corpus_tracks.piece_of(corpus_tracks.SEEDS - 1, 999).seed
    assert first > max(999_999 * 1000 + 99, pieces.FIRST_SEED + 999 * 1_000_000) and last < 3_000_000_000
    genres = [corpus_tracks.piece_of(k).genre for k in range(1, 21)]
    assert sorted(genres) == sorted([*corpus_tracks.GENRES, *corpus_tracks.GENRES])


def write_code(folder, code):
    (folder / "code.py").write_bytes(code)
    return folder / "code.py"


@pytest.mark.slow
def test_the_corpus_changes_no_other_recipe(monkeypatch, tmp_path):
    """What is in music/ is part of the recipe of the music experiment and of the training pieces' key."""
    before = music.recipe(), pieces._own_code(), corpus_tracks.recipe()
    plain = type(music.Path()).read_bytes
    changed = type(music.Path())(corpus_tracks.__file__)
    harmless = b"# a comment\nimport this as THAT\n\ndef f(x: int) -> int:\n    return x\n"
    bare = b"def f(x):\n    return x\n"
    with_f = whole.recipe_of([write_code(tmp_path, bare)])
    assert whole.recipe_of([write_code(tmp_path, harmless)]) == with_f
    assert whole.recipe_of([write_code(tmp_path, bare.replace(b"x\n", b"2 * x\n"))]) != with_f
    for more, same in ((b"# a comment\n", True), (b"OTHER = 1\n", False)):
        monkeypatch.setattr(type(changed), "read_bytes", lambda p, more=more: plain(p) + more * (p == changed))
        assert (music.recipe(), pieces._own_code()) == before[:2] and (corpus_tracks.recipe() == before[2]) is same


def test_two_processes_do_not_replace_each_others(tmp_path, monkeypatch):
    def write(folder, *_):
        (tmp_path / "c").mkdir()
        readme = simulated.README.format(recipe=corpus_tracks.recipe(), seed=0, n_tracks=3)
        (tmp_path / "c" / "README").write_text(readme)
        (tmp_path / "c" / "first").write_text("there")

    monkeypatch.setattr(simulated, "_write_table", write)
    simulate_corpus(tmp_path / "c", 3)
    assert (tmp_path / "c" / "first").is_file() and [p.name for p in tmp_path.iterdir()] == ["c"]


def test_an_older_corpus_is_replaced_and_a_broken_one_leaves_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(simulated, "_write_table", lambda folder, *_: (folder / "x").write_text(simulated.recipe()))
    for name in ("old", "new"):
        monkeypatch.setattr(simulated, "recipe", lambda name=name: name)
        simulate_corpus(tmp_path / "c")
        assert (tmp_path / "c" / "x").read_text() == name
    assert "older recipe" in capsys.readouterr().out

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(simulated, "_write_table", fail)
    with pytest.raises(OSError, match="No space left"):
        simulate_corpus(tmp_path / "d")
    assert [p.name for p in tmp_path.iterdir()] == ["c"]
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: type("usage", (), {"free": 5e6}))
    with pytest.raises(RequestError, match=r"5.00 MB free, but 300.30 MB are still needed"):
        simulate_corpus(tmp_path / "d", render_all=True)
    with pytest.raises(RequestError, match="cannot be written"):
        simulate_corpus("/proc/simulated/d")  # not even the superuser writes there
    for arguments, message in (
        ((0,), "n_tracks is 0"),
        ((5, 1000), "seed is 1000, expected a whole number from 0 to 999"),
    ):
        with pytest.raises(ValueError, match=message):
            simulate_corpus(tmp_path / "e", *arguments)


# --- Vectors that come with the package -----------------------------------------------------------------------


@pytest.mark.slow
def test_the_vectors_that_come_are_those_of_this_corpus_and_this_embedder(tmp_path):
    """Whoever changes the composer, the corpus or mini-mulan computes them again: naturalistic train corpus-vectors."""
    corpus, embedder = fma.load(simulate_corpus(tmp_path / "c", 2000, progress=False)), audio.load("mini-mulan")
    identity, ids = indexing.index_identity(embedder), [track.id for track in corpus.tracks]
    known = corpus_vectors.known_vectors(tmp_path / "c", ids, identity)
    assert known is not None, "run: naturalistic train corpus-vectors --to " + str(corpus_vectors.path_of())
    assert known.shape == (2000, 128) and known.dtype == np.float32 and np.isfinite(known).all()
    picked = tuple(corpus[f"{k:06d}"] for k in (1, 777, 2000))
    few = fma.Corpus(corpus.name, True, corpus.folder, picked, (), corpus.recipe)
    again = indexing.track_vectors(few, embedder)
    np.testing.assert_allclose(again, known[[0, 776, 1999]], atol=1e-5)


@pytest.mark.slow
def test_an_index_of_known_vectors_renders_nothing(small_corpus, tmp_path):
    corpus, embedder = fma.load(simulate_corpus(tmp_path / "c", 5, progress=False)), audio.load("mini-mulan")
    index = decoding.index_corpus(corpus, embedder, tmp_path / "i", progress=False)
    assert sounds_in(tmp_path) == [] and index.names == tuple(track.id for track in corpus.tracks)
    folder = decoding.index_folder(corpus, embedder)
    fma.first_seconds(corpus["000001"].path)
    assert decoding.index_folder(fma.load(tmp_path / "c"), embedder) == folder, "what was heard is the same corpus"
    again = decoding.index_corpus(corpus, embedder, tmp_path / "i", progress=False)
    np.testing.assert_array_equal(again.vectors, index.vectors)
    vectors = indexing.track_vectors(fma.load(small_corpus), embedder, progress=False)
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(index.vectors.astype(np.float32), units, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "model"), [(1, "mini-mulan"), (0, "toy")])
def test_other_pieces_and_other_models_are_rendered_and_embedded(tmp_path, seed, model):
    corpus = fma.load(simulate_corpus(tmp_path / "c", 3, seed=seed, progress=False))
    chosen = embedder() if model == "toy" else audio.load(model)
    index = decoding.index_corpus(corpus, chosen, tmp_path / "i", progress=False)
    assert sounds_in(tmp_path / "c") == [f"{k:06d}.mp3" for k in (1, 2, 3)] and len(index.names) == 3
    vectors = indexing.track_vectors(corpus, chosen, progress=False)
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(index.vectors.astype(np.float32), units, atol=1e-3)


@pytest.mark.slow
def test_vectors_are_written_whole_and_known_again(tmp_path):
    path = corpus_vectors.write_vectors(tmp_path / "v.safetensors", tmp_path / "c", seed=2, n_tracks=3)
    identity, ids = indexing.index_identity(audio.load("mini-mulan")), ["000001", "000003"]
    known = corpus_vectors.known_vectors(tmp_path / "c", ids, identity, path)
    assert known.shape == (2, 128) and {p.name for p in tmp_path.iterdir()} == {"c", "v.safetensors"}
    assert corpus_vectors.known_vectors(tmp_path / "c", ids, "another model", path) is None
    assert corpus_vectors.known_vectors(tmp_path / "c", ["000004"], identity, path) is None
    other = simulate_corpus(tmp_path / "d", 3, seed=3, progress=False)
    assert corpus_vectors.known_vectors(other, ids, identity, path) is None
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"v\.safetensors .*install the package again"):
        corpus_vectors.known_vectors(tmp_path / "c", ids, identity, path)


@pytest.mark.slow
def test_the_command_that_computes_the_vectors(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("NATURALISTIC_CACHE", str(tmp_path / "cache"))
    command = ["train", "corpus-vectors", "--to", str(tmp_path / "v.safetensors"), "--pieces", "2"]
    assert cli.main(command) == 0 and (tmp_path / "v.safetensors").is_file()
    assert "vectors of 2 tracks" in capsys.readouterr().out
    assert cli.main([*command, "--seed", "1000"]) == 2 and "seed is 1000" in capsys.readouterr().err
