"""Words with times from every kind of file that labs have, and what is wrong in them."""

import json

import numpy as np
import pytest
from naturalistic.datasets.transcripts import read_transcript

WORDS = ["the", "long", "story"]
ONSETS = [0.5, 1.0, 2.0]
OFFSETS = [0.9, 1.5, 2.5]

GENTLE = {
    "transcript": "the long story",
    "words": [
        {"word": word, "case": "success", "start": start, "end": end, "alignedWord": word}
        for word, start, end in zip(WORDS, ONSETS, OFFSETS)
    ],
}
WHISPERX = {
    "segments": [
        {"start": 0.5, "end": 1.5, "text": " the long", "words": [
            {"word": "the", "start": 0.5, "end": 0.9, "score": 0.9}, {"word": "long", "start": 1.0, "end": 1.5}]},
        {"start": 2.0, "end": 2.5, "text": " story", "words": [{"word": "story", "start": 2.0, "end": 2.5}]},
    ],
    "word_segments": [],
}  # fmt: skip
ELAN = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT><TIME_ORDER>{slots}</TIME_ORDER>
<TIER TIER_ID="words" LINGUISTIC_TYPE_REF="default">{annotations}</TIER>
<TIER TIER_ID="notes"/></ANNOTATION_DOCUMENT>"""


def elan():
    times = [time for pair in zip(ONSETS, OFFSETS) for time in pair]
    slots = "".join(
        f'<TIME_SLOT TIME_SLOT_ID="ts{k}" TIME_VALUE="{round(time * 1000)}"/>' for k, time in enumerate(times)
    )
    form = (
        '<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a{k}" TIME_SLOT_REF1="ts{first}" TIME_SLOT_REF2="ts{last}">'
        "<ANNOTATION_VALUE>{word}</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>"
    )
    annotations = "".join(form.format(k=k, first=2 * k, last=2 * k + 1, word=word) for k, word in enumerate(WORDS))
    return ELAN.format(slots=slots, annotations=annotations)


def table(delimiter, names, *, duration=False):
    rows = [delimiter.join(names)]
    for word, start, end in zip(WORDS, ONSETS, OFFSETS):
        rows.append(delimiter.join([word, str(start), f"{end - start:.3f}" if duration else str(end)]))
    return "\n".join(rows) + "\n"


FILES = {
    "gentle.json": json.dumps(GENTLE),
    "whisperx.json": json.dumps(WHISPERX),
    "words.eaf": elan(),
    "words.csv": table(",", ["Word", "Start_time", "End_time"]),
    "sub-01_task-story_events.tsv": table("\t", ["text", "onset", "duration"], duration=True),
    "align.csv": "".join(f"{w},{w.lower()},{a},{b}\n" for w, a, b in zip(WORDS, ONSETS, OFFSETS)),
    "words.srt": "".join(
        f"{k + 1}\n00:00:0{a:.3f} --> 00:00:0{b:.3f}\n<i>{w}</i>\n\n".replace(".", ",")
        for k, (w, a, b) in enumerate(zip(WORDS, ONSETS, OFFSETS))
    ),
    "words.vtt": "WEBVTT\n\n"
    + "".join(f"00:0{a:.3f} --> 00:0{b:.3f}\n{w}\n\n" for w, a, b in zip(WORDS, ONSETS, OFFSETS)),
}


@pytest.mark.parametrize("name", FILES)
def test_the_same_words_from_every_format(tmp_path, name):
    path = tmp_path / name
    path.write_text(FILES[name], encoding="utf-8")
    transcript = read_transcript(path)
    assert transcript.words == WORDS and transcript.interpolated == 0 and transcript.end == 2.5
    np.testing.assert_allclose(transcript.onsets, ONSETS)
    np.testing.assert_allclose(transcript.offsets, OFFSETS)


def test_a_textgrid_is_read_as_before(tmp_path):
    path = tmp_path / "words.TextGrid"
    path.write_text(
        'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n3\n<exists>\n1\n"IntervalTier"\n"words"\n0\n3\n2\n'
        '0\n1\n"the"\n1\n3\n"sp"\n'
    )
    assert read_transcript(path).words == ["the"] and read_transcript(path).left_out == {"sp": 1}


def test_words_of_a_subtitle_are_spread_by_their_letters(tmp_path):
    path = tmp_path / "film.srt"
    path.write_text("1\n00:00:01,000 --> 00:00:02,000\nAB ABCD\nABCD\n\n2\n00:00:03,000 --> 00:00:04,000\n[music]\n\n")
    transcript = read_transcript(path)
    assert transcript.words == ["AB", "ABCD", "ABCD"] and transcript.interpolated == 3
    np.testing.assert_allclose(transcript.onsets, [1.0, 1.2, 1.6])
    np.testing.assert_allclose(transcript.offsets, [1.2, 1.6, 2.0])
    assert sum(transcript.left_out.values()) == 1


def test_words_that_an_aligner_did_not_find_lie_between_their_neighbors(tmp_path):
    words = [*GENTLE["words"][:1], {"word": "very", "case": "not-found-in-audio"},
             {"word": "very", "case": "not-found-in-audio"}, *GENTLE["words"][1:]]  # fmt: skip
    path = tmp_path / "gentle.json"
    path.write_text(json.dumps({"words": [*words, {"word": "ends", "case": "not-found-in-audio"}]}))
    transcript = read_transcript(path)
    assert transcript.words == ["the", "very", "very", "long", "story", "ends"] and transcript.interpolated == 3
    np.testing.assert_allclose(transcript.onsets, [0.5, 0.9, 0.95, 1.0, 2.0, 2.5])
    path = tmp_path / "whisperx.json"  # a number has no times there
    segment = {"start": 0, "end": 2, "words": [{"word": "in", "start": 0.0, "end": 0.5}, {"word": "2014."}]}
    path.write_text(json.dumps({"segments": [segment]}))
    assert read_transcript(path).words == ["in", "2014."] and read_transcript(path).interpolated == 1


def test_columns_by_name(tmp_path):
    path = tmp_path / "words.csv"
    path.write_text(table(",", ["mot", "debut", "fin"]))
    with pytest.raises(
        ValueError, match=r"words.csv has the columns mot, debut, fin, expected word, onset, and offset"
    ):
        read_transcript(path)
    columns = {"word": "mot", "onset": "debut", "offset": "fin"}
    assert read_transcript(path, columns=columns).words == WORDS
    with pytest.raises(ValueError, match="has no column 'wort', but mot, debut, fin"):
        read_transcript(path, columns={**columns, "word": "wort"})


def test_two_tiers_of_elan(tmp_path):
    path = tmp_path / "words.eaf"
    text = elan()
    tier = text[text.index("<TIER TIER_ID") : text.index("</TIER>") + 7]
    path.write_text(text.replace('<TIER TIER_ID="notes"/>', tier.replace('"words"', '"Ann"')))
    with pytest.raises(ValueError, match=r"tiers with times 'words', 'Ann', expected one of words: name it, tier=NAME"):
        read_transcript(path)
    assert read_transcript(path, tier="Ann").words == WORDS


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", "[1]", "holds a list, expected the output of Gentle or WhisperX"),
        ("a.json", '{"results": []}', r"has the keys results, expected words \(Gentle\) or segments"),
        ("a.json", '{"words": [{"start": 1}]}', "word 1 has no text"),
        ("a.json", '{"words": [{"word": "a", "start": "x", "end": 1}]}', "word 1: start and end are"),
        ("a.json", '{"words": [{"word": "a", "case": "not-found-in-audio"}]}', r"no word with a time \(1 entries\)"),
        ("a.eaf", "<ANNOTATION_DOCUMENT>", "is no ELAN file"),
        ("a.eaf", "<ANNOTATION_DOCUMENT/>", "tiers with times none"),
        ("a.srt", "just text", "a.srt"),
        ("a.csv", "", "a.csv is empty"),
        (
            "a.csv",
            "word,onset,offset\na,1,2\nb,0.5,3\n",
            r"row 2: 'b' begins at 0.5 s, before the one before it \(1 s\)",
        ),
        ("a.csv", "word,onset,offset\na,2,1\n", "row 1: 'a' lasts from 2.0 to 1.0 s"),
        ("a.csv", "word,onset,offset\na,-1,1\n", "row 1: 'a' lasts from -1.0 to 1.0 s"),
        ("a.csv", "word,onset,offset\na,soon,1\n", "row 1: 'soon' is no time, expected s"),
        ("a.csv", "word,onset,offset\na,1\n", "row 1 has 2 cells, expected 3"),
        ("a.mp3", "x", "is a .mp3, expected .TextGrid, .json"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        read_transcript(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"a.srt is missing: expected a transcript"):
        read_transcript(tmp_path / "a.srt")
