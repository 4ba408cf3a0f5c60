"""Captions of the music experiment's 540 clips: an English sentence or more on genre, instruments, rhythm and mood.

The published ones are a CSV of Kaggle (nishimotolab/music-caption-brain2music, Denk et al. 2023); simulated data have a
``captions.csv`` of its own. Either may name its columns as it likes: what is needed is one column with the caption and
one, or two, with the track (``blues.00098``, ``blues/blues.00098.wav``, or genre and number). No track was played in
two places, so seconds inside the track (``start``, ``end``) are checked where there are such columns, and not missed
where there are none.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from naturalistic.datasets.events import CLIP, GENRES, Clip
from naturalistic.text_files import number, read_cells

_CAPTION_COLUMNS = ("caption", "text", "description", "music_caption", "caption_15s", "caption_en", "english_caption")
_TRACK = re.compile(rf"(?<![a-z])({'|'.join(GENRES)})[ ._-]?(\d{{1,5}})(?!\d)", re.IGNORECASE)
_TIMES = {"start": ("start", "start_time", "start_s", "onset"), "end": ("end", "end_time", "end_s")}
# names as captions have them: several words may stand for one instrument, also in the plural
INSTRUMENTS = {
    "piano": ("piano",), "guitar": ("guitar",), "bass": ("bass",), "drums": ("drum", "percussion"),
    "drum machine": ("drum machine", "programmed drum"), "synthesizer": ("synth", "synthesizer", "synthesiser"),
    "organ": ("organ",), "strings": ("string", "violin", "cello", "viola"), "saxophone": ("saxophone", "sax"),
    "brass": ("trumpet", "trombone", "horn", "brass"), "woodwind": ("flute", "clarinet", "oboe"),
    "voice": ("voice", "vocal", "singer", "singing", "sung", "rapper"), "harmonica": ("harmonica",),
    "banjo": ("banjo",), "fiddle": ("fiddle",), "vibraphone": ("vibraphone",), "harpsichord": ("harpsichord",),
    "electronic": ("electronic", "sampler", "turntable"), "choir": ("choir", "chorus"),
}  # fmt: skip
_NEAR = 0.011  # s: event files give hundredths


def load_captions(
    path: Path | str, clips: Iterable[Clip] | None = None, *, columns: dict[str, str] | None = None
) -> dict[Clip, str]:
    """Return the caption of each clip.

    Parameters
    ----------
    path : str or Path
        CSV with a header, in UTF-8 or UTF-16; with commas, semicolons or tabs.
    clips : iterable of Clip, optional
        Those wanted, in this order (captions of others are left out). Without them the file must have the columns
        ``start`` and ``end``, and the captions of all of its clips are returned.
    columns : dict, optional
        Where the header says otherwise: ``{"caption": "Sentence", "track": "File"}``, also "genre", "start", "end".

    Returns
    -------
    captions : dict of Clip to str

    Raises
    ------
    FileNotFoundError, ValueError
        Naming the file and the columns it has, or all captions at once that are missing, empty, twice there, of no
        track, or of other seconds of the track.
    """
    path = Path(path).expanduser()
    clips = None if clips is None else list(clips)
    if clips == []:
        raise ValueError("clips is empty, expected the clips whose captions are wanted; None takes all of the file")
    header, rows = _read(path)
    names = _columns(path, header, rows, columns or {})
    if clips is None and not {"start", "end"} <= set(names):
        raise ValueError(
            f"{path} has the columns {', '.join(header)}, expected start and end too where no clips are given: pass "
            "clips (of the event files), or columns={'start': NAME, 'end': NAME}"
        )
    found = {}
    problems = []
    for k, row in enumerate(rows, 2):
        try:
            track, seconds, caption = _row(row, names)
        except ValueError as error:
            problems.append(f"row {k}: {error}")
            continue
        if track in found:
            problems.append(f"row {k}: {_name(track)} a second time")
        found[track] = seconds, caption, k
    if clips is None and not problems:
        clips = [_clip(track, seconds) for track, (seconds, _, _) in found.items()]
    return _matched(path, found, clips or [], problems)


def mentioned(sentences: Sequence[str], words: dict[str, tuple[str, ...]] = INSTRUMENTS) -> NDArray:
    """Return which of some things each sentence names.

    Parameters
    ----------
    sentences : sequence of str
    words : dict of str to tuple of str
        The words that stand for each thing, singular; whole words count, in any case.

    Returns
    -------
    found : bool array (n_sentences, n_things)
        "drum machine" names both the machine and drums.
    """
    patterns = [re.compile(rf"\b(?:{'|'.join(map(re.escape, of))})s?\b", re.IGNORECASE) for of in words.values()]
    return np.array([[bool(pattern.search(sentence)) for pattern in patterns] for sentence in sentences])


def _matched(
    path: Path, found: dict[tuple[str, int], tuple], clips: list[Clip], problems: list[str]
) -> dict[Clip, str]:
    """Return the captions of the clips, or say all that is wrong."""
    captions = {}
    for clip in clips:
        seconds, caption, number = found.get((clip.genre, clip.track), (None, None, None))
        if caption is None:
            problems.append(f"{clip.track_name} has no caption")
        elif not caption:
            problems.append(f"row {number}: the caption of {clip.track_name} is empty")
        elif seconds and max(abs(seconds[0] - clip.start), abs(seconds[1] - clip.end)) > _NEAR:
            problems.append(f"row {number}: seconds {seconds[0]:g} to {seconds[1]:g}, the clip played is {clip}")
        else:
            captions[clip] = caption
    if problems:
        listed = "\n  ".join(problems[:20]) + (f"\n  and {len(problems) - 20} more" if len(problems) > 20 else "")
        raise ValueError(f"{path} has {len(problems)} problem(s), expected one caption for each clip:\n  {listed}")
    return captions


def _read(path: Path) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows, as lists of text."""
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing: expected a CSV of captions, such as that of "
            "https://www.kaggle.com/datasets/nishimotolab/music-caption-brain2music"
        )
    lines = [line for line in read_cells(path, None) if line]
    if len(lines) < 2:
        raise ValueError(f"{path} has {len(lines)} line(s), expected a header and a caption on each clip")
    header = [cell.strip() for cell in lines[0]]
    short = [k for k, line in enumerate(lines[1:], 2) if len(line) != len(header)]
    if short:
        raise ValueError(
            f"{path}, row {short[0]} has {len(lines[short[0] - 1])} cells, expected {len(header)}: is a caption with a "
            "comma not in quotes?"
        )
    return header, [[cell.strip() for cell in line] for line in lines[1:]]


def _columns(path: Path, header: list[str], rows: list[list[str]], chosen: dict[str, str]) -> dict[str, int]:
    """Return the number of each column that is used."""
    lower = [name.lower().replace(" ", "_") for name in header]
    have = f"{path} has the columns {', '.join(header)}"
    if unknown := sorted(set(chosen) - {"caption", "track", "genre", "start", "end"}):
        raise ValueError(f"columns has {', '.join(unknown)}, expected caption, track, genre, start, end")
    if missing := [name for name in chosen.values() if name not in header]:
        raise ValueError(f"{have}, but not {', '.join(missing)} that was asked for")
    names = {what: header.index(name) for what, name in chosen.items()}
    for what, known in {"caption": _CAPTION_COLUMNS, **_TIMES}.items():
        fits = [lower.index(name) for name in known if name in lower]
        if what not in names and len(fits) == 1:
            names[what] = fits[0]
    if "caption" not in names:
        raise ValueError(
            f"{have}, expected one of {', '.join(_CAPTION_COLUMNS)}: say which it is, columns={{'caption': NAME}}"
        )
    if "track" not in names and {"genre", "track"} <= set(lower):
        names |= {"genre": lower.index("genre"), "track": lower.index("track")}
    if "track" not in names:
        # whatever the column is called, its cells name tracks
        fits = [k for k in range(len(header)) if k != names["caption"] and all(_TRACK.search(row[k]) for row in rows)]
        if not fits:
            raise ValueError(
                f"{have}, expected a column of tracks such as {GENRES[0]}.00098, or the columns genre and track: say "
                "which it is, columns={'track': NAME} (and 'genre')"
            )
        names["track"] = fits[0]
    return names


def _row(row: list[str], names: dict[str, int]) -> tuple[tuple[str, int], tuple[float, float] | None, str]:
    """Return (genre, number), (start, end) or None, and the caption of a row."""
    text = row[names["track"]]
    match = _TRACK.search(text)
    if not match and "genre" in names:
        match = _TRACK.fullmatch(f"{row[names['genre']].strip(chr(39))}.{text}")
    if not match:
        raise ValueError(f"{text!r} is no track, expected such as {GENRES[0]}.00098")
    seconds = None
    if {"start", "end"} <= set(names):
        try:
            seconds = number(row[names["start"]]), number(row[names["end"]])
        except ValueError:
            raise ValueError(f"start and end are {row[names['start']]!r} and {row[names['end']]!r}") from None
        if abs(seconds[1] - seconds[0] - CLIP) > _NEAR:
            raise ValueError(f"{text} from {seconds[0]:g} to {seconds[1]:g} s, expected {CLIP:g} s")
    return (match[1].lower(), int(match[2])), seconds, " ".join(row[names["caption"]].split())


def _clip(track: tuple[str, int], seconds: tuple[float, float]) -> Clip:
    return Clip(*track, *seconds)


def _name(track: tuple[str, int]) -> str:
    return Clip(*track, 0, 0).track_name
