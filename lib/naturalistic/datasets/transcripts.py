"""Words with times, from the files that aligners, transcribers and subtitlers write.

Praat TextGrid (also of the Montreal aligner), Gentle and WhisperX (JSON), SRT, WebVTT and SSA subtitles, ELAN (EAF),
and tables of words or sentences. All times are s from the start of the recording.
"""

import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from naturalistic.datasets.words import Transcript, is_mark, read_textgrid, without_marks
from naturalistic.intact import check_whole, read_json
from naturalistic.text_files import number, read_cells, read_text

# names of columns in any case, the first that a table has; "text" last: beside "word" it is the sentence
_COLUMNS = {
    "word": ("word", "words", "token", "orth", "label", "text", "sentence", "transcript"),
    "onset": ("onset", "start", "begin", "xmin", "tmin", "start_time", "starttime", "onset_s", "start_s"),
    "offset": ("offset", "end", "stop", "xmax", "tmax", "end_time", "endtime", "offset_s", "end_s"),
    "duration": ("duration", "dur", "length", "duration_s"),
}
_SUBTITLES = (".srt", ".vtt", ".ass", ".ssa")
_MOST_BACK = 0.05  # s that a word may begin before the one before it: aligners round


class _Span(NamedTuple):
    """A word or a sentence; its times are NaN where the file does not give them."""

    text: str
    onset: float
    offset: float
    place: str

    @property
    def is_timed(self) -> bool:
        """Whether the file gives both times."""
        return self.onset == self.onset and self.offset == self.offset


def read_transcript(path: Path | str, *, tier: str | None = None, columns: dict[str, str] | None = None) -> Transcript:
    """Read the words of a recording and their times, by the kind of file.

    Parameters
    ----------
    path : Path or str
        ``.TextGrid``; ``.json`` of Gentle or WhisperX; ``.srt``, ``.vtt``, ``.ass``; ``.eaf``; ``.csv`` or ``.tsv``.
    tier : str, optional
        Of a TextGrid or of ELAN, where there are several.
    columns : dict of str to str, optional
        Of a table: names of its columns for ``word``, ``onset``, and ``offset`` or ``duration``, where they are not
        found by themselves.

    Returns
    -------
    transcript : Transcript
        In the order of time. The words of a sentence are spread over it by their letters, and counted as
        ``interpolated``.

    Raises
    ------
    FileNotFoundError, ValueError
        Naming the file and the place in it: another format, no words, times that are missing, negative or do not
        ascend.
    """
    path = Path(path)
    if not path.is_file():
        named = ", and is there by name only: fetch it (git-annex)" if path.is_symlink() else ""
        raise FileNotFoundError(f"{path} is missing: expected a transcript with times{named}")
    check_whole(path)
    kind = path.suffix.lower()
    if kind == ".textgrid":
        return read_textgrid(path, tier=tier)
    readers: dict[str, Callable[[], list[_Span]]] = {
        ".json": lambda: _read_json(path),
        ".eaf": lambda: _read_elan(path, tier),
        ".csv": lambda: _read_table(path, ",", columns or {}),
        ".tsv": lambda: _read_table(path, "\t", columns or {}),
        **{suffix: lambda: _read_subtitles(path) for suffix in _SUBTITLES},
    }
    if kind not in readers:
        raise ValueError(f"{path} is a {kind or 'file without an ending'}, expected .TextGrid, {', '.join(readers)}")
    return _transcript(path, readers[kind]())


def transcript_of(
    path: Path, texts: Sequence[str], onsets: Sequence[float], offsets: Sequence[float], places: Sequence[str]
) -> Transcript:
    """Return the words of texts whose times are known, as `read_transcript` does.

    Parameters
    ----------
    path : Path
        For errors.
    texts : list of str
        Words or sentences, in the order of time.
    onsets, offsets : sequence of float
        s; NaN where a time is not known.
    places : list of str
        Where in the file each stands.
    """
    spans = [_Span(*each) for each in zip(texts, map(float, onsets), map(float, offsets), places)]
    return _transcript(path, spans)


def _transcript(path: Path, spans: list[_Span]) -> Transcript:
    """Return the words of spans, with times for all."""
    left_out: Counter = Counter()
    kept = []
    for span in spans:
        text = without_marks(span.text).strip()
        if is_mark(text) and " " not in text:
            left_out[span.text.strip()] += 1
        else:
            kept.append(span._replace(text=text))
    if not any(span.is_timed for span in kept):
        raise ValueError(f"{path} has no word with a time ({len(spans)} entries), expected a transcript")
    kept, n_untimed = _with_times(kept)
    _check_times(path, kept)
    words: list[str] = []
    onsets: list[float] = []
    offsets: list[float] = []
    n_spread = 0
    for span in kept:
        parts = span.text.split()
        edges = np.concatenate([[0], np.cumsum([len(part) for part in parts])]) / sum(map(len, parts))
        edges = span.onset + edges * (span.offset - span.onset)
        words += parts
        onsets += list(edges[:-1])
        offsets += list(edges[1:])
        n_spread += len(parts) if len(parts) > 1 else 0
    end = max(offsets)
    return Transcript(words, np.array(onsets), np.array(offsets), end, 0, dict(left_out), n_untimed + n_spread)


def _with_times(spans: list[_Span]) -> tuple[list[_Span], int]:
    """Return spans in order of time, those without times spread between their neighbors; and how many these are."""
    filled = list(spans)
    untimed = [k for k, span in enumerate(spans) if not span.is_timed]
    timed = [k for k in range(len(spans)) if k not in set(untimed)]
    for group in _neighbors(untimed):
        before = [spans[k].offset for k in timed if k < group[0]]
        after = [spans[k].onset for k in timed if k > group[-1]]
        start = before[-1] if before else after[0]
        stop = max(after[0], start) if after else start
        edges = np.linspace(start, stop, len(group) + 1)
        for k, onset, offset in zip(group, edges, edges[1:]):
            filled[k] = spans[k]._replace(onset=float(onset), offset=float(offset))
    return filled, len(untimed)


def _neighbors(indices: Sequence[int]) -> list[list[int]]:
    """Return runs of adjacent indices."""
    groups: list[list[int]] = []
    for k in indices:
        if groups and k == groups[-1][-1] + 1:
            groups[-1].append(k)
        else:
            groups.append([k])
    return groups


def _check_times(path: Path, spans: list[_Span]) -> None:
    """Say which span has times that no recording has."""
    before = 0.0
    for span in spans:
        if not (np.isfinite(span.onset) and np.isfinite(span.offset) and 0 <= span.onset <= span.offset):
            raise ValueError(
                f"{path}, {span.place}: {span.text[:40]!r} lasts from {span.onset} to {span.offset} s, expected an "
                "onset of 0 or more and an end after it"
            )
        if span.onset < before - _MOST_BACK:
            raise ValueError(
                f"{path}, {span.place}: {span.text[:40]!r} begins at {span.onset:g} s, before the one before it "
                f"({before:g} s); expected the order of time"
            )
        before = max(before, span.onset)


def _read_json(path: Path) -> list[_Span]:
    """Return the words of Gentle's or WhisperX's output."""
    content = read_json(path)
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__}, expected the output of Gentle or WhisperX")
    if isinstance(content.get("segments"), list):
        return [span for k, segment in enumerate(content["segments"]) for span in _of_segment(path, k, segment)]
    if isinstance(content.get("words"), list):
        return [_of_word(path, f"word {k + 1}", word) for k, word in enumerate(content["words"])]
    raise ValueError(
        f"{path} has the keys {', '.join(map(str, content))}, expected words (Gentle) or segments (WhisperX)"
    )


def _of_segment(path: Path, k: int, segment: Any) -> Iterable[_Span]:
    """Yield the words of a segment, or the segment itself where it has none."""
    if not isinstance(segment, dict):
        raise ValueError(f"{path}, segment {k + 1} is a {type(segment).__name__}, expected its text and times")
    if segment.get("words"):
        for j, word in enumerate(segment["words"]):
            yield _of_word(path, f"segment {k + 1}, word {j + 1}", word)
    else:
        yield _of_word(path, f"segment {k + 1}", {**segment, "word": segment.get("text", "")})


def _of_word(path: Path, place: str, word: Any) -> _Span:
    """Return a word of an aligner; it has no times where the aligner did not find it in the sound."""
    if not isinstance(word, dict) or not isinstance(word.get("word"), str):
        raise ValueError(f"{path}, {place} has no text, expected a word with its start and end")
    times = [word.get("start"), word.get("end")]
    if None in times or word.get("case", "success") != "success":
        return _Span(word["word"], np.nan, np.nan, place)
    try:
        onset, offset = map(float, times)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}, {place}: start and end are {times}, expected s") from error
    return _Span(word["word"], onset, offset, place)


def _read_subtitles(path: Path) -> list[_Span]:
    """Return the subtitles of a file, without their formatting."""
    import pysubs2

    try:
        subtitles = pysubs2.SSAFile.from_string(read_text(path, latin1=True))
    except Exception as error:  # each format has its own
        raise ValueError(f"{path} is no file of subtitles ({error})") from error
    cues = sorted(subtitles, key=lambda cue: cue.start)
    spans = [
        _Span(" ".join(cue.plaintext.split()), cue.start / 1000, cue.end / 1000, f"subtitle {k + 1}")
        for k, cue in enumerate(cues)
        if not cue.is_comment
    ]
    return [span for span in spans if span.text]


def _read_elan(path: Path, tier: str | None) -> list[_Span]:
    """Return the annotations of one tier of ELAN whose times are given."""
    try:
        root = ElementTree.fromstring(read_text(path))
    except ElementTree.ParseError as error:
        raise ValueError(f"{path} is no ELAN file ({error})") from error
    slots = {slot.get("TIME_SLOT_ID"): slot.get("TIME_VALUE") for slot in root.iter("TIME_SLOT")}
    tiers = {
        each.get("TIER_ID"): each for each in root.iter("TIER") if each.find(".//ALIGNABLE_ANNOTATION") is not None
    }
    if tier is None and len(tiers) == 1:
        tier = next(iter(tiers))
    if tier not in tiers:
        names = ", ".join(repr(name) for name in tiers) or "none"
        raise ValueError(f"{path} has the tiers with times {names}, expected one of words: name it, tier=NAME")
    spans = []
    for k, annotation in enumerate(tiers[tier].iter("ALIGNABLE_ANNOTATION")):
        times = [slots.get(annotation.get(f"TIME_SLOT_REF{end}")) for end in (1, 2)]
        onset, offset = (np.nan if value is None else int(value) / 1000 for value in times)
        spans.append(
            _Span(annotation.findtext("ANNOTATION_VALUE") or "", onset, offset, f"annotation {k + 1} of {tier!r}")
        )
    return sorted(spans, key=lambda span: span.onset if span.is_timed else np.inf)


def _read_table(path: Path, delimiter: str, columns: dict[str, str]) -> list[_Span]:
    """Return the rows of a table of words or sentences."""
    rows = read_cells(path, delimiter)
    if not rows:
        raise ValueError(f"{path} is empty, expected words with their onsets and offsets")
    header = [name.strip().lower() for name in rows[0]]
    if len(header) == 4 and _is_number(rows[0][2]) and _is_number(rows[0][3]):  # Gentle's, without a header
        header = ["word", "as in the dictionary", "onset", "offset"]
        rows = [header, *rows]
    index = {kind: _column(path, header, kind, columns.get(kind)) for kind in _COLUMNS}
    if index["word"] is None or index["onset"] is None or (index["offset"] is None and index["duration"] is None):
        raise ValueError(
            f"{path} has the columns {', '.join(rows[0])}, expected word, onset, and offset or duration: name them, "
            'columns={"word": "...", "onset": "...", "offset": "..."}'
        )
    spans = []
    for k, row in enumerate(rows[1:]):
        place = f"row {k + 1}"
        if len(row) < len(header):
            raise ValueError(f"{path}, {place} has {len(row)} cells, expected {len(header)} as its header")
        onset = _seconds(path, place, row[index["onset"]])
        last = _seconds(path, place, row[index["offset"] if index["offset"] is not None else index["duration"]])
        last += onset if index["offset"] is None else 0.0
        spans.append(_Span(row[index["word"]], onset, last, place))
    return spans


def _column(path: Path, header: list[str], kind: str, name: str | None) -> int | None:
    """Return the index of a column by its name, or by those that are usual."""
    if name is not None:
        if name.strip().lower() not in header:
            raise ValueError(f"{path} has no column {name!r}, but {', '.join(header)}")
        return header.index(name.strip().lower())
    return next((header.index(usual) for usual in _COLUMNS[kind] if usual in header), None)


def _seconds(path: Path, place: str, cell: str) -> float:
    """Return a time in s, NaN where the cell is empty or n/a."""
    if cell.strip().lower() in ("", "n/a", "na", "nan"):
        return np.nan
    try:
        return number(cell)
    except ValueError as error:
        raise ValueError(f"{path}, {place}: {cell!r} is no time, expected s") from error


def _is_number(cell: str) -> bool:
    try:
        number(cell)
    except ValueError:
        return False
    return True
