"""The index of a corpus: complete about what it leaves out, and known again."""

import json
import re
import shutil

import numpy as np
import pytest
from naturalistic import decoding
from naturalistic.datasets import fma
from naturalistic.datasets.presentation import as_played
from naturalistic.decoding import corpus as indexing
from naturalistic.features import audio

from tests.helpers.corpus import IDS, REASONS, embedder


@pytest.mark.slow
def test_the_index_is_of_the_mean_window_of_the_first_seconds(archive, tmp_path, capsys):
    corpus, model = fma.load(archive), embedder()
    index = decoding.index_corpus(corpus, model, tmp_path / "i", batch_size=2)
    assert index.names == tuple(IDS)
    for name, stored in zip(index.names, index.vectors):
        sound = as_played(fma.first_seconds(corpus[name].path, 15.0, 16000), 16000)
        vector = model.embed(sound, 16000, cache=False).mean(axis=0)
        np.testing.assert_allclose(stored, vector / np.linalg.norm(vector), atol=1e-3)
    assert index.names_of(index.search(index.vectors[2].astype(float), 1)[0]) == [["000010"]]


def test_what_cannot_be_read_is_left_out_counted_and_named(archive, tmp_path, capsys):
    index = decoding.index_corpus(fma.load(archive), embedder(), tmp_path / "i", batch_size=3)
    assert index.skipped == tuple(REASONS)
    found = decoding.unreadable_tracks(tmp_path / "i")
    assert list(found) == list(REASONS)
    for name, reason in REASONS.items():
        assert re.search(reason, found[name]) and f"{name}.mp3" in found[name]
    said = capsys.readouterr().out
    assert "5 of 9 tracks could not be read and are left out, such as 000020" in said and "unreadable.json" in said
    again = decoding.index_corpus(fma.load(archive), embedder(), tmp_path / "i")
    assert again.skipped == index.skipped and len(again.names) == 4


@pytest.mark.slow
def test_an_interrupted_index_goes_on_and_forgets_no_reason(archive, tmp_path, monkeypatch):
    corpus, passes, means = fma.load(archive), [], indexing._means

    def stop(model, sounds):
        if sum(passes):
            raise KeyboardInterrupt
        return means(model, sounds)

    monkeypatch.setattr(indexing, "_means", stop)
    with pytest.raises(KeyboardInterrupt):
        decoding.index_corpus(corpus, embedder(passes=passes), tmp_path / "i", batch_size=5)
    assert passes == [8, 4], "three tracks of four windows, and two that cannot be read"
    monkeypatch.setattr(indexing, "_means", means)
    more = []
    index = decoding.index_corpus(corpus, embedder(passes=more), tmp_path / "i", batch_size=4)
    assert sum(more) == 4, "only the track that was not done"
    assert index.names == tuple(IDS) and list(decoding.unreadable_tracks(tmp_path / "i")) == list(REASONS)
    whole = decoding.index_corpus(corpus, embedder(), tmp_path / "whole")
    np.testing.assert_array_equal(index.vectors, whole.vectors)


def test_an_index_of_another_model_or_of_another_corpus_is_refused(archive, tmp_path):
    corpus = fma.load(archive)
    decoding.index_corpus(corpus, embedder(), tmp_path / "i", progress=False)
    with pytest.raises(ValueError, match=r"is an index of toy \w+, first 15 s, expected clap \w+, first 15 s: cosines"):
        decoding.index_corpus(corpus, embedder(name="clap"), tmp_path / "i")
    with pytest.raises(ValueError, match=r"is an index of toy \w+, first 15 s, expected toy \w+, first 15 s: cosines"):
        decoding.index_corpus(corpus, embedder("other weights"), tmp_path / "i")
    with pytest.raises(ValueError, match=r"expected toy \w+, first 10 s"):
        decoding.index_corpus(corpus, embedder(), tmp_path / "i", seconds=10)
    fewer = fma.Corpus(corpus.name, False, corpus.folder, corpus.tracks[1:], ())
    with pytest.raises(
        ValueError, match=r"corpus that has changed since: 0 tracks are new, 1 are gone, 0 have another"
    ):
        decoding.index_corpus(fewer, embedder(), tmp_path / "i")
    note = json.loads((tmp_path / "i" / "corpus.json").read_text())
    (tmp_path / "i" / "corpus.json").write_text(json.dumps(note | {"000005": 1}))
    with pytest.raises(ValueError, match=r"1 have another size \(such as 000005\); delete the folder"):
        decoding.index_corpus(corpus, embedder(), tmp_path / "i")


def test_each_model_and_corpus_has_a_folder_in_the_cache(archive, tmp_path):
    corpus, folder = fma.load(archive), decoding.index_folder(fma.load(archive), embedder())
    backwards = fma.Corpus(corpus.name, False, corpus.folder, corpus.tracks[::-1], ())
    assert decoding.index_folder(backwards, embedder()) == folder and folder.parent.name == "index"
    fewer = fma.Corpus(corpus.name, False, corpus.folder, corpus.tracks[1:], ())
    (tmp_path / "fma_small").mkdir()
    for track in corpus.tracks:
        shutil.copy(track.path, tmp_path / "fma_small")
    copied = tuple(fma.Track(track.id, tmp_path / "fma_small" / track.path.name) for track in corpus.tracks)
    longer = fma.Corpus(corpus.name, False, corpus.folder, copied, ())
    assert decoding.index_folder(longer, embedder()) == folder, "the sizes count, not where a track lies"
    with open(longer.tracks[0].path, "ab") as file:
        file.write(b"x")
    others = [(longer, embedder()), (fewer, embedder()), (corpus, embedder("b")), (corpus, embedder(name="clap"))]
    found = {decoding.index_folder(*other) for other in others} | {decoding.index_folder(corpus, embedder(), 10.0)}
    assert len(found | {folder}) == 6


def test_a_corpus_in_which_nothing_can_be_read(archive, tmp_path):
    corpus = fma.load(archive)
    broken = tuple(track for track in corpus.tracks if track.id in REASONS)
    with pytest.raises(ValueError, match="none of the 5 recordings could be read"):
        decoding.index_corpus(fma.Corpus("x", False, corpus.folder, broken, ()), embedder(), tmp_path / "i")
    assert len(decoding.unreadable_tracks(tmp_path / "i")) == 5


@pytest.mark.slow
def test_the_small_models_hear_the_simulated_corpus(small_corpus, tmp_path):
    index = decoding.index_corpus(fma.load(small_corpus), audio.load("mini-mulan"), tmp_path / "i", progress=False)
    assert index.vectors.shape == (5, 128) and index.skipped == () and index.identity.startswith("mini-mulan ")
    same = index.vectors.astype(float) @ index.vectors.astype(float).T
    assert np.median(same[np.triu_indices(5, 1)]) < 0.9
