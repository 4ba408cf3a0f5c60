"""Text of each second of a film, on several levels of meaning, as several people wrote it.

The files of ds005531, ``derivatives/annotation/<run>_<kind>_each1sec.txt``, have one row a second. A row begins with
a prefix in brackets; ``/`` stands between annotators. In a row of speech the text comes after ``メイン#``, ``/``
stands between utterances, and a name with ``:`` stands before what its owner says. What cannot be told is ``不明``,
and ``..`` where there is nothing to write: both become empty text (inside of a longer text ``不明`` becomes ``..``),
and the wide spaces of Japanese text are taken out, as in the code of the data's authors.
"""

import re
from collections import namedtuple
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from naturalistic.text_files import read_text

# level -> what its files are called
KINDS = {
    "Speech": "speechTranscription", "Object": "objectiveAnnot50chara", "Story": "story",
    "Summary": "summary", "TimePlace": "timePlace",
}  # fmt: skip
LEVELS = tuple(KINDS)
SPEECH = {"ja": "speechTranscription", "en": "speechTranscription_EN"}
RELEASED = ("Speech", "Object", "Story")
MARKER = "メイン#"  # stands before what is said
_UNKNOWN = "不明"

_PREFIX = re.compile(r"\s*\[[^\]]*\]")
_SPEAKER = re.compile(r"([^:]*?)(?:(?<!\d):|:(?!\d))(.*)", re.DOTALL)  # the colon of "5:30" names nobody

AnnotationTable = namedtuple("AnnotationTable", "texts speakers")


@dataclass(frozen=True)
class Annotations:
    """One level of some runs, second by second.

    Attributes
    ----------
    level : str
        One of `LEVELS`, or what another data set has.
    texts : list of n_seconds lists of str
        Of each annotator; of each utterance in Speech. Empty text where nothing was written.
    speakers : list of n_seconds lists of str, or None
        Who says each utterance, empty where unknown; None on all levels but Speech.
    runs : int array (n_seconds,)
        Index into ``run_names``.
    run_names : tuple of str
    """

    level: str
    texts: list
    speakers: list | None
    runs: np.ndarray
    run_names: tuple

    def __len__(self) -> int:
        """Return the number of seconds."""
        return len(self.texts)


def join_annotations(level: str, by_run: Mapping[str, AnnotationTable]) -> Annotations:
    """Return the `Annotations` of several runs, one after another.

    Parameters
    ----------
    level : str
    by_run : dict of str to AnnotationTable
        By name of the run.
    """
    rows = list(by_run.values())
    speakers = None if any(r.speakers is None for r in rows) else [second for r in rows for second in r.speakers]
    runs = np.repeat(np.arange(len(rows)), [len(r.texts) for r in rows])
    return Annotations(level, [second for r in rows for second in r.texts], speakers, runs, tuple(by_run))


def read_annotation(path: Path | str, n_seconds: int, *, speech: bool = False, vary: bool = False) -> AnnotationTable:
    """Return the rows of one file.

    Parameters
    ----------
    path : str or Path
        UTF-8, or UTF-16 with its byte-order mark; see `text_files`. Blank lines at its end are passed over.
    n_seconds : int
        Of the run: the file must have as many rows.
    speech : bool
        Whether rows hold utterances after `MARKER`; they may be as many as there are.
    vary : bool
        Accept rows of more or fewer annotators than the first row has.

    Returns
    -------
    rows : AnnotationTable
        ``texts`` and, of speech, ``speakers``: lists of n_seconds lists. The text of an annotator who wrote nothing is
        there and empty; if all are, so is the second.

    Raises
    ------
    FileNotFoundError, ValueError
        Naming the file and the row: another encoding, another number of rows, a row without prefix or marker, an
        annotator who is missing.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing: expected the annotation of a run; fetch it (naturalistic fetch ds005531 --subject S01 "
            "--parts annotation --to DIR)"
        )
    lines = read_text(path).replace("\r\n", "\n").split("\n")
    lines = lines[:-1] if not lines[-1] else lines
    while len(lines) > n_seconds and not lines[-1].strip():
        lines.pop()  # blank lines at the end are of no second
    if len(lines) != n_seconds:
        raise ValueError(
            f"{path} has {len(lines):,} rows, the run lasts {n_seconds:,} s: expected one row a second; it was cut "
            "short, or is of another run"
        )
    bare = [_PREFIX.sub("", line, count=1) for line in lines]
    has_prefix = _PREFIX.match(lines[0]) is not None
    for k, line in enumerate(lines, 1):
        if (_PREFIX.match(line) is not None) != has_prefix:
            raise ValueError(f"{path}, row {k} is {line[:40]!r}: expected [..] at its start as in all rows, or in none")
    if speech:
        said = [_utterances(f"{path}, row {k}", row) for k, row in enumerate(bare, 1)]
        return AnnotationTable([texts for texts, _ in said], [names for _, names in said])
    return AnnotationTable(_annotators(path, bare, vary), None)


def _clean(text: str) -> str:
    """Return text without wide spaces; empty where there are only dots."""
    text = text.replace("\u3000", "").replace(_UNKNOWN, "..").strip()
    return text if text.strip(".") else ""


def _annotators(path: Path, rows: list[str], vary: bool) -> list[list[str]]:
    """Return the annotators' texts of each row; all empty where the whole row is."""
    texts = [[_clean(text) for text in row.split("/")] for row in rows]
    written = [k for k, second in enumerate(texts) if any(second)]
    n = len(texts[written[0]]) if written else 1
    for k, second in enumerate(texts):
        if not any(second):
            texts[k] = [""] * n
        elif len(second) != n and not vary:
            raise ValueError(
                f"{path}, row {k + 1} has {len(second)} annotators, row {written[0] + 1} has {n}: expected the same in "
                "all rows, empty text between two / where one wrote nothing; vary=True accepts it"
            )
    return texts


def _utterances(where: str, row: str) -> tuple[list[str], list[str]]:
    """Return texts and speakers of a row of speech."""
    if MARKER not in row:
        raise ValueError(f"{where} has no {MARKER}: expected it before what is said, in each row of speech")
    said = [_spoken(part) for part in "/".join(row.split(MARKER)[1:]).split("/")]
    said = [pair for pair in said if pair[0]] or [("", "")]
    return [text for text, _ in said], [name for _, name in said]


def _spoken(part: str) -> tuple[str, str]:
    """Return text and speaker of an utterance."""
    found = _SPEAKER.fullmatch(part)
    name, text = found.groups() if found else ("", part)
    return _clean(text), _clean(name)
