"""Words on a time line: transcripts as Praat TextGrids."""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

PAUSES = frozenset({"", "sp", "sil", "<p>"})  # what forced aligners write where nobody speaks

_INTERVAL = re.compile(
    r'intervals \[(\d+)\]:\s*xmin = (\S+)\s+xmax = (\S+)\s+text = "((?:[^"]|"")*)"',
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
    """

    words: list
    onsets: np.ndarray
    offsets: np.ndarray
    end: float
    missing: int


def read_textgrid(path, allow_cut=False):
    """Read the word tier of a long-format Praat TextGrid.

    Parameters
    ----------
    path : str or Path
    allow_cut : bool
        Accept a file that stops before its announced last interval, and count what is missing.

    Returns
    -------
    transcript : Transcript
        Without pauses; times as in the file.

    Raises
    ------
    ValueError
        If the file is no TextGrid, is cut, or its times do not ascend.
    """
    path = Path(path)
    text = path.read_text(encoding="utf-8")
    size = re.search(r"intervals: size = (\d+)", text)
    if not text.startswith('File type = "ooTextFile"') or size is None:
        raise ValueError(f"{path} is not a TextGrid in Praat's long text format with an interval tier")
    if len(re.findall(r"intervals: size", text)) > 1:
        raise ValueError(f"{path} has several interval tiers, expected the word tier alone")
    found, announced = _INTERVAL.findall(text), int(size[1])
    end = float(found[-1][2]) if found else 0.0
    if len(found) < announced and not allow_cut:
        whole = re.search(r"xmax = (\S+)", text)[1]
        raise ValueError(
            f"{path} is cut: it announces {announced} intervals up to {float(whole):.1f} s and holds {len(found)}, "
            f"up to {end:.1f} s; fetch it again, or pass allow_cut=True to use what is there"
        )
    onsets, offsets = (np.array([float(i[k]) for i in found]) for k in (1, 2))
    bad = np.flatnonzero((offsets < onsets) | (np.diff(onsets, prepend=-np.inf) < 0))
    if len(bad):
        raise ValueError(f"{path}: the times of interval {found[bad[0]][0]} do not ascend")
    words = [i[3].replace('""', '"').strip() for i in found]
    spoken = np.array([w.lower() not in PAUSES for w in words], dtype=bool)
    return Transcript(
        [w for w, s in zip(words, spoken) if s], onsets[spoken], offsets[spoken], end, announced - len(found)
    )
