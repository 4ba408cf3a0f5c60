"""Captions of clips: the file of simulated data, files that name their columns otherwise, and all that can be wrong."""

import csv

import pytest
from naturalistic.datasets.captions import load_captions
from naturalistic.datasets.events import Clip

CLIPS = [Clip("blues", 98, 3.5, 18.5), Clip("jazz", 4, 0.0, 15.0), Clip("rock", 0, 14.2, 29.2)]
TEXTS = ["A slow blues, with a guitar.", "Piano and brushes.", "Loud drums."]
PLAIN = [[c.genre, c.track, c.start, c.end, text] for c, text in zip(CLIPS, TEXTS)]
HEADER = ["genre", "track", "start", "end", "caption"]


def written(folder, header, rows, encoding="utf-8"):
    path = folder / "captions.csv"
    with open(path, "w", newline="", encoding=encoding) as file:
        csv.writer(file).writerows([header, *rows])
    return path


def test_the_layout_of_the_simulated_captions(tmp_path):
    path = written(tmp_path, HEADER, PLAIN)
    assert load_captions(path) == dict(zip(CLIPS, TEXTS))
    assert list(load_captions(path, CLIPS[::-1])) == CLIPS[::-1]  # in the order that was asked for
    assert load_captions(path, CLIPS[:1]) == {CLIPS[0]: TEXTS[0]}


@pytest.mark.slow
def test_the_simulated_captions_themselves(small_music):
    from naturalistic.datasets.events import read_events

    events = sorted((small_music / "ds003720").rglob("*events.tsv"))
    clips = sorted({clip for path in events for clip in read_events(path)})
    captions = load_captions(small_music / "captions.csv", clips)
    assert list(captions) == clips and all(text.endswith(".") for text in captions.values())


@pytest.mark.parametrize(
    "track", ["blues.00098", "blues.00098.wav", "genres/blues/blues.00098.au", "Blues_98", "'blues' 98"]
)
def test_a_track_may_be_written_in_many_ways(track, tmp_path):
    track = track.replace("'", "")
    path = written(tmp_path, ["File Name", "Caption"], [[track, TEXTS[0]]])
    assert load_captions(path, CLIPS[:1]) == {CLIPS[0]: TEXTS[0]}


def test_columns_of_other_names_and_a_byte_order_mark(tmp_path):
    rows = [[k, "by hand", text, f"{c.genre}.{c.track:05d}"] for k, (c, text) in enumerate(zip(CLIPS, TEXTS))]
    path = written(tmp_path, ["", "who", "Sentence", "what"], rows, "utf-8-sig")
    assert load_captions(path, CLIPS, columns={"caption": "Sentence"}) == dict(zip(CLIPS, TEXTS))
    assert load_captions(path, CLIPS, columns={"caption": "Sentence", "track": "what"}) == dict(zip(CLIPS, TEXTS))
    with pytest.raises(ValueError, match=r"columns , who, Sentence, what, expected one of caption, text.*columns="):
        load_captions(path, CLIPS)


def test_genres_quoted_as_in_the_event_files_and_captions_of_several_lines(tmp_path):
    rows = [["'blues'", "00098", " A slow blues,\n with a guitar. "]]
    path = written(tmp_path, ["genre", "track", "text"], rows)
    assert load_captions(path, CLIPS[:1]) == {CLIPS[0]: TEXTS[0]}


def test_all_that_is_wrong_is_said_at_once(tmp_path):
    rows = [PLAIN[0], [*PLAIN[1][:4], "  "], PLAIN[0], ["polka", 3, 0, 15, "Accordion."], ["pop", 1, 0, 12, "Short."]]
    path = written(tmp_path, HEADER, rows)
    with pytest.raises(ValueError, match="5 problem") as error:
        load_captions(path, CLIPS)
    for part in (
        "row 4: blues.00098 a second time",
        "row 5: '3' is no track, expected such as blues.00098",
        "row 6: 1 from 0 to 12 s, expected 15 s",
        "row 3: the caption of jazz.00004 is empty",
        "rock.00000 has no caption",
    ):
        assert part in str(error.value)


def test_seconds_that_are_no_numbers(tmp_path):
    path = written(tmp_path, HEADER, [["blues", 98, "early", 18.5, TEXTS[0]]])
    with pytest.raises(ValueError, match=r"row 2: start and end are 'early' and '18\.5'"):
        load_captions(path, CLIPS[:1])


def test_a_caption_of_other_seconds_is_refused(tmp_path):
    path = written(tmp_path, HEADER, [["blues", 98, 4.5, 19.5, TEXTS[0]]])
    with pytest.raises(ValueError, match=r"row 2: seconds 4.5 to 19.5, the clip played is blues.00098 3.5-18.5 s"):
        load_captions(path, CLIPS[:1])


@pytest.mark.parametrize(
    ("header", "rows", "columns", "message"),
    [
        (["name", "caption"], [["song", "Text."]], {}, "columns name, caption, expected a column of tracks such as"),
        (["track", "words"], [["blues.00098", "Text."]], {}, "expected one of caption, text, .*columns="),
        (["track", "text", "caption"], [["blues.00098", "a", "b"]], {}, "expected one of caption"),
        (["track", "caption"], [["blues.00098", "Text."]], {"caption": "Words"}, "but not Words that was asked for"),
        (["track", "caption"], [["blues.00098", "Text."]], {"sound": "track"}, "columns has sound, expected caption"),
        (["track", "caption"], [["blues.00098", "Slow", "sad"]], {}, "row 2 has 3 cells, expected 2: is a caption"),
        (["track", "caption"], [], {}, r"has 1 line\(s\), expected a header"),
    ],
)
def test_files_that_are_not_captions(header, rows, columns, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        load_captions(written(tmp_path, header, rows), CLIPS[:1], columns=columns)


def test_other_broken_files(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"is missing: expected a CSV.*kaggle"):
        load_captions(tmp_path / "none.csv")
    with pytest.raises(ValueError, match="expected start and end too where no clips are given"):
        load_captions(written(tmp_path, ["track", "caption"], [["blues.00098", "Text."]]))
    path = written(tmp_path, ["track", "caption"], [["blues.00098", "ブルース"]], "shift_jis")
    with pytest.raises(ValueError, match="is Shift-JIS, expected UTF-8"):
        load_captions(path, CLIPS[:1])
