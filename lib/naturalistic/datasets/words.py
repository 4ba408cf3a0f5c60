"""Words on a time line: transcripts as Praat TextGrids.

Aligners write more than words into their tiers: pauses (``sp``, ``sil``, empty text), noise (``spn``, ``{NS}``,
``<laugh>``), and what they do not know (``<unk>``). These are no words, and a reader counts them apart. By the rules of
`is_mark`, the text of an interval is none if it

- has no letter and no digit, such as ``""``, ``"#"`` and ``"..."``;
- is all in brackets, ``<...>``, ``[...]`` or ``{...}``;
- is one of `_BARE_MARKS`, in any case: what the Penn, Montreal, Kaldi and BAS aligners write without brackets, and what
  the TextGrids of LeBel et al. (2023) do.

Text that runs on, such as subtitles, has words of the same letters ("sp" among them): there only bracketed names of
marks (`BRACKETED`) are taken out, by `without_marks`.
"""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from naturalistic.text_files import read_start, read_text

PAUSES = frozenset({"", "sp", "sil", "<p>", "<p:>", "<sil>", "<eps>"})  # where nobody speaks
_BARE_MARKS = frozenset("sp sil spn nsn lau br cg lg ls ns sentence_start sentence_end".split())
BRACKETED = (
    "eps unk oov sil sp spn nsn s /s p p: br cg ig lg ls ns sl lau nib usb noise vocnoise vocalnoise vocalized-noise "
    "laugh laughs laughing laughter cough coughs coughing breath breaths breathing sigh sighs silence pause music "
    "applause inaudible unintelligible iver click lipsmack"
).split()
_WORD_TIERS = ("words", "word", "ort-mau", "ort", "orthography", "transcript")
_OTHER_TIERS = "phones phone phonemes phoneme mau kan kan-mau syllables sentences utterances".split()
_MOST_OVERLAP = 0.01  # s; times are written with a few digits

_BRACKETS = re.compile(r"<[^<>]*>|\[[^\[\]]*\]|\{[^{}]*\}")
_NAMES = "|".join(map(re.escape, BRACKETED))
_NAMED = re.compile(
    "|".join(rf"{a}\s*(?:{_NAMES})\s*{b}" for a, b in ("<>", (r"\[", r"\]"), (r"\{", r"\}"))), re.IGNORECASE
)
# what counts in a TextGrid, long or short: text in quotes ("" is a quote in it), numbers and flags that stand alone
_TOKEN = re.compile(
    r'"(?P<text>(?:[^"]|"")*)"|(?P<cut>")|(?<!\S)(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?!\S)'
    r"|(?<!\S)<(?P<flag>exists|absent)>"
)


class Transcript(NamedTuple):
    """Words of a recording and the times at which they were said.

    Attributes
    ----------
    words : list of str
        As transcribed; clitics ("'s", "n't") may be words of their own.
    onsets, offsets : array (n_words,)
        Start and end of each word in s.
    end : float
        Time in s up to which the transcript goes.
    missing : int
        Intervals that the file announces and does not hold; 0 for a whole file.
    left_out : dict of str to int
        Intervals that are no words (see the module), by their text.
    interpolated : int
        Words whose times the file does not give: those of a subtitle or a sentence are spread over it, a word that an
        aligner did not find lies between its neighbors.
    """

    words: list
    onsets: np.ndarray
    offsets: np.ndarray
    end: float
    missing: int
    left_out: dict
    interpolated: int = 0

    @property
    def n_noises(self) -> int:
        """Return the number of intervals that are neither words nor pauses."""
        return sum(n for mark, n in self.left_out.items() if mark.lower() not in PAUSES)


class _Tier(NamedTuple):
    """An interval tier as read: ``rows`` of (xmin, xmax, text), ``announced`` of which there should be."""

    name: str
    announced: int
    end: float
    rows: list


def is_mark(text: str) -> bool:
    """Return whether the text of an interval is an aligner's mark and no word; see the module."""
    text = text.strip()
    return not any(map(str.isalnum, text)) or text.lower() in _BARE_MARKS or _BRACKETS.fullmatch(text) is not None


def is_named_mark(text: str) -> bool:
    """Return whether a word of running text is a bracketed mark, such as ``<unk>`` or ``{LG}``; "sp" is none."""
    return _NAMED.fullmatch(text.strip()) is not None


def without_marks(text: str) -> str:
    """Return running text without bracketed marks, such as ``[laughs]`` or ``<unk>``; other brackets stay."""
    return _NAMED.sub(" ", text)


def read_textgrid(path: Path | str, allow_cut: bool = False, *, tier: str | None = None) -> Transcript:
    """Read the word tier of a Praat TextGrid, in the long or the short text format.

    Parameters
    ----------
    path : str or Path
        UTF-8, UTF-16 with its byte-order mark (as Praat writes what is not ASCII), or Latin-1.
    allow_cut : bool
        Accept a file that stops before its announced last interval, and count what is missing.
    tier : str, optional
        Name of the tier. By default the only interval tier, or else the only one that has a name of `_WORD_TIERS`
        (also behind a speaker's: ``"Ann - words"``).

    Returns
    -------
    transcript : Transcript
        Without pauses and other marks of the aligner; times as in the file.

    Raises
    ------
    ValueError
        If the file is no TextGrid, is cut, has no such tier or several, or its times do not ascend.
    """
    path = Path(path)
    if read_start(path).startswith("ooBinaryFile"):
        raise ValueError(f"{path} is in Praat's binary format: open it in Praat and save it as a text file")
    found = _select_tier(path, _tiers(path, read_text(path, latin1=True)), tier)
    end = found.rows[-1][1] if found.rows else 0.0
    if len(found.rows) < found.announced and not allow_cut:
        raise ValueError(
            f"{path} is cut: it announces {found.announced} intervals up to {found.end:.1f} s and holds "
            f"{len(found.rows)}, up to {end:.1f} s; fetch it again, or pass allow_cut=True to use what is there"
        )
    onsets, offsets = (np.array([row[k] for row in found.rows], float) for k in (0, 1))
    _check_times(path, found, onsets, offsets)
    words = [row[2].strip() for row in found.rows]
    spoken = np.array([not is_mark(word) for word in words], dtype=bool)
    return Transcript(
        [word for word, said in zip(words, spoken) if said],
        onsets[spoken],
        offsets[spoken],
        end,
        found.announced - len(found.rows),
        dict(Counter(word for word, said in zip(words, spoken) if not said)),
    )


def _check_times(path: Path, tier: _Tier, onsets: NDArray, offsets: NDArray) -> None:
    """Say which interval ends before it begins, begins before the one before it, or overlaps it."""
    bad = np.flatnonzero((offsets < onsets) | (np.diff(onsets, prepend=-np.inf) < 0))
    if len(bad):
        raise ValueError(f"{path}, tier {tier.name!r}: the times of interval {bad[0] + 1} do not ascend")
    bad = np.flatnonzero(onsets[1:] < offsets[:-1] - _MOST_OVERLAP)
    if len(bad):
        k = int(bad[0]) + 1
        raise ValueError(
            f"{path}: interval {k + 1} of tier {tier.name!r} begins at {onsets[k]:g} s, before interval {k} ends "
            f"({offsets[k - 1]:g} s); expected one after another"
        )


def _select_tier(path: Path, tiers: list[_Tier], name: str | None) -> _Tier:
    """Return the tier of that name, or the one that holds words."""
    names = ", ".join(repr(tier.name) for tier in tiers) or "none"
    if name is not None:
        chosen = [tier for tier in tiers if tier.name == name]
    elif len(tiers) == 1:
        chosen = [tier for tier in tiers if _kind(tier) not in _OTHER_TIERS]
    else:
        chosen = [tier for tier in tiers if _kind(tier) in _WORD_TIERS]
    if len(chosen) != 1:
        several = "several interval tiers" if len(tiers) > 1 else "one interval tier" if tiers else "no interval tier"
        raise ValueError(
            f"{path} has {several} ({names}), expected {'one' if name is None else f'one called {name!r}'} of words: "
            "name it, tier=NAME"
        )
    return chosen[0]


def _kind(tier: _Tier) -> str:
    """Return the name of a tier in lower case, without that of its speaker."""
    return tier.name.lower().rsplit(" - ", 1)[-1].strip()


def _tiers(path: Path, text: str) -> list[_Tier]:
    """Return the interval tiers of a TextGrid; those of points are passed over."""
    tokens = _Tokens(path, text)
    if "ooTextFile" not in text[:100]:
        raise ValueError(f"{path} is not a TextGrid in one of Praat's text formats")
    if tokens.take("text") not in ("ooTextFile", "ooTextFile short") or tokens.take("text") != "TextGrid":
        raise ValueError(f"{path} is not a TextGrid in one of Praat's text formats")
    for _ in ("xmin", "xmax"):
        tokens.take("number")
    if tokens.take("flag") != "exists":
        raise ValueError(f"{path} is a TextGrid without tiers, expected an interval tier of words")
    tiers = []
    for _ in range(int(tokens.take("number") or 0)):
        kind, name, _, end, announced = (tokens.take(k) for k in ("text", "text", "number", "number", "number"))
        if announced is None:
            break  # cut in the head of a tier
        if kind not in ("IntervalTier", "TextTier"):
            raise ValueError(f"{path} has a tier of the class {kind!r}, expected IntervalTier or TextTier")
        tokens.where = f"tier {name!r}"
        fields = ("number", "number", "text") if kind == "IntervalTier" else ("number", "text")
        rows = [row for k in range(int(announced)) if None not in (row := tokens.row(fields, k + 1))]
        if kind == "IntervalTier":
            tiers.append(_Tier(name, int(announced), float(end), rows))
    if tokens.next_kind() is not None:
        raise ValueError(
            f"{path} holds more than it announces behind {tokens.where}: is the number of intervals wrong?"
        )
    return tiers


class _Tokens:
    """What counts in a TextGrid, one thing after another; None behind the end of a file that was cut."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.where = "its head"
        self._found = _TOKEN.finditer(text)
        self._next = next(self._found, None)

    def next_kind(self) -> str | None:
        """Return ``"text"``, ``"number"`` or ``"flag"`` of what comes next, None at the end or where text is cut."""
        kind = self._next.lastgroup if self._next else None
        return None if kind == "cut" else kind

    def take(self, kind: str) -> Any:
        """Return what comes next, which must be of a kind."""
        found = self.next_kind()
        if found is None:
            return None
        value = self._next[found]
        if found != kind:
            raise ValueError(f"{self.path}, {self.where}: expected a {kind}, found {value[:40]!r}")
        self._next = next(self._found, None)
        if kind == "number":
            return float(value)
        return value.replace('""', '"')

    def row(self, kinds: Sequence[str], k: int) -> tuple:
        """Return the fields of interval or point ``k``; some are None where the file was cut."""
        where = self.where
        self.where = f"{where}, number {k}"
        row = tuple([self.take(kind) for kind in kinds])
        self.where = where
        return row
