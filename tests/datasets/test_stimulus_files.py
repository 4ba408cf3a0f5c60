"""Odd files of stimulus data sets: read right where there is one right reading, else named with row and way out."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from naturalistic.datasets import alice, fma, gtzan
from naturalistic.datasets.annotations import read_annotation
from naturalistic.datasets.events import COLUMNS, Clip, read_events
from naturalistic.simulated import is_simulated

ROWS = [f"{15 * k}\t15\t'blues'\t{k}\t0\t15" for k in range(41)]
EVENTS = "\n".join(["\t".join(COLUMNS), *ROWS]) + "\n"
EVENT_FILES = {
    "as published": EVENTS.encode(),
    "of Windows": EVENTS.replace("\n", "\r\n").encode(),
    "byte-order mark": EVENTS.encode("utf-8-sig"),
    "UTF-16": EVENTS.encode("utf-16"),
    "blank lines behind it": (EVENTS + "\n\r\n \n").encode(),
    "quoted cells": "\n".join('"' + line.replace("\t", '"\t"') + '"' for line in EVENTS.splitlines()).encode(),
}


@pytest.mark.parametrize("content", EVENT_FILES.values(), ids=EVENT_FILES)
def test_events_are_the_same_in_every_spelling(tmp_path, content):
    path = tmp_path / "events.tsv"
    path.write_bytes(content)
    assert read_events(path) == [Clip("blues", k, 0, 15) for k in range(1, 41)]


BROKEN_EVENTS = {
    "empty": ("", "begins with"),
    "a header alone": ("\t".join(COLUMNS) + "\n", "has 0 rows, expected 41"),
    "an onset n/a": (EVENTS.replace("30\t15", "n/a\t15"), r"row 2 .*could not convert 'n/a' to a number"),
    "an onset nan": (EVENTS.replace("30\t15", "nan\t15"), r"row 2 .*could not convert 'nan' to a number"),
    "a decimal comma": (EVENTS.replace("30\t15", "30,0\t15"), r"row 2 .*write the decimal comma as a point"),
    "before the run": (EVENTS.replace("\n0\t15", "\n-15\t15"), "row 0 lasts from -15 s"),
    "out of order": ("\n".join(["\t".join(COLUMNS), *ROWS[::-1]]), "row 0 lasts from 600 s"),
}


@pytest.mark.parametrize("text, message", BROKEN_EVENTS.values(), ids=BROKEN_EVENTS)
def test_broken_events(tmp_path, text, message):
    path = tmp_path / "events.tsv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        read_events(path)
    assert "events.tsv" in str(error.value)


def test_blank_lines_behind_annotations_are_no_seconds(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("[1]a\n[2]b\n\n \n")
    assert read_annotation(path, 2).texts == [["a"], ["b"]]
    with pytest.raises(ValueError, match="has 4 rows, the run lasts 1 s"):
        path.write_text("[1]a\n[2]b\n\n[3]c\n")
        read_annotation(path, 1)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_a_readme_says_that_data_are_simulated_in_any_encoding(tmp_path, encoding):
    (tmp_path / "README").write_bytes("SIMULATED DATA of näh".encode(encoding))
    assert is_simulated(tmp_path)


# --- tracks and stories -------------------------------------------------------------------------------------------

HEADER = [",album,artist,track,track", ",title,name,genre_top,title", "track_id,,,,"]
TRACKS = "\n".join([*HEADER, "2,Album,Ann,Rock,Tune", "3,Album,Bén,,Song"]) + "\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_table_of_tracks(tmp_path, encoding):
    for name in ("fma_small/000/000002.mp3", "fma_small/000/3.mp3", "fma_metadata/tracks.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "fma_metadata/tracks.csv").write_bytes(TRACKS.encode(encoding))
    corpus = fma.load(tmp_path)
    assert [(track.id, track.artist) for track in corpus.tracks] == [("000002", "Ann"), ("000003", "Bén")]
    assert corpus.notes == ()


@pytest.mark.parametrize(
    "row, problem", [("x2,A,B,C,D", "the id 'x2'"), ("2,A", "row 1 has 2 cells"), ("2.0,A,B,C,D", "the id '2.0'")]
)
def test_an_id_that_is_no_number_names_file_and_row(tmp_path, row, problem):
    for name in ("fma_small/000/000002.mp3", "fma_metadata/tracks.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "fma_metadata/tracks.csv").write_text("\n".join([*HEADER, row]))
    with pytest.raises(ValueError, match=rf"tracks\.csv cannot be read as a table: .*{problem}"):
        fma.load(tmp_path)


@pytest.mark.parametrize("number, hint", [(54, "copy on Kaggle is damaged"), (55, "fetch it again")])
def test_a_damaged_track_says_what_to_do(tmp_path, number, hint):
    path = tmp_path / "jazz" / f"jazz.{number:05d}.wav"
    path.parent.mkdir()
    path.write_bytes(np.random.default_rng(0).bytes(4000))
    with pytest.raises(ValueError, match=rf"jazz\.{number:05d}\.wav cannot be read as sound .*{hint}"):
        gtzan.load_clip(tmp_path, Clip("jazz", number, 0, 15))


def test_marks_of_an_aligner_are_noted_in_a_story(simulated_story, tmp_path):
    folder = Path(shutil.copytree(simulated_story, tmp_path / "story"))
    path = folder / alice.TEXTGRID
    text = path.read_text(encoding="utf-8")
    before = alice.load(folder, subjects=["s18"])
    word = f'text = "{before.words[0]}"'
    path.write_bytes(text.replace(word, 'text = "{LG}"', 1).encode("utf-16"))
    after = alice.load(folder, subjects=["s18"])
    assert after.words == before.words[1:] and after.onsets.tolist() == before.onsets[1:].tolist()
    assert [n for n in after.notes if n not in before.notes] == [
        "1 intervals of the transcript are marks of the aligner, no words: {LG} (1)"
    ]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_tables_of_a_story_in_other_encodings(simulated_story, tmp_path, encoding):
    folder = Path(shutil.copytree(simulated_story, tmp_path / "story"))
    path = folder / "alice_data_shared" / "s18-rate.txt"
    path.write_bytes(path.read_text().encode(encoding))
    np.testing.assert_array_equal(
        alice.load(folder, subjects=["s18"]).word_rate, alice.load(simulated_story, subjects=["s18"]).word_rate
    )
    path.write_text("")
    with pytest.raises(ValueError, match=r"s18-rate\.txt is empty, expected 362 rows"):
        alice.load(folder, subjects=["s18"])
