"""Annotations of *Forrest Gump* on the TRs of its eight runs.

Times of all tables are s of the film as shown. Of the per-frame files they are s of their own run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from naturalistic.arrays import ShapeRepr
from naturalistic.datasets.spoken import SpokenWords
from naturalistic.datasets.studyforrest_files import TR, find_file
from naturalistic.parameters import whole
from naturalistic.text_files import number, read_table, read_text

# path in the repository -> columns; fmri_segments.csv is none of them: its bounds are the middles of what two runs show
TABLES = {
    "old/speech/english_dialog.csv": ("start", "end", "person", "text"),
    "old/speech/german_audio_description.csv": ("start", "end", "text"),
    "researchcut/locations.tsv": (
        "onset", "duration", "major_location", "setting", "locale", "int_or_ext", "time_of_day",
    ),
    "old/structure/scenes.csv": ("start", "location", "tod", "setting"),
    "old/structure/shots.csv": ("start",),
    "researchcut/music.tsv": ("onset", "duration", "artist", "title"),
}  # fmt: skip
EMOTIONS = "researchcut/emotions_av_1s_events.tsv"
FRAMES = {
    "visual": ("segments/avmovie/conf_visual_run-{}_events.tsv", ("brmean", "brlr", "brud", "norm_diff")),
    "audio": ("segments/avmovie/conf_audio_run-{}_events.tsv", ("rms", "lrdiff")),
}
PER_TR = "annotations/lowlevel_per_TR.csv"
# column -> name of the feature
LOW_LEVEL = {
    "brmean": "brightness",
    "brlr": "brightness_left_right",
    "brud": "brightness_up_down",
    "norm_diff": "frame_difference",
    "rms": "log_rms",
    "lrdiff": "loudness_left_right",
}
_TIMES = ("start", "end", "onset", "duration")
_MOST_BACKWARDS = 1.0  # s; one line of the published dialogue ends 0.1 s before it begins
_LAST = 6900.0  # s of the film that each table reaches: the last scene begins at 6,945 s, and the film ends at 7,086 s
_FASTEST = 6.0  # words a second, of a line whose end is wrong: 43 of 985 lines last 0.001 s, the median line has 2.8
_USUAL = 3.0  # words a second, of such a line
_QUIET = 1e-5  # rms under which the logarithm does not follow; the quietest TR has 3e-5
_ROUNDING = 1e-6  # s; 1752.08 + 2 is not exact
_DIMENSIONS = ("arousal", "valence_positive", "valence_negative")
_DIRECTION = re.compile(r"^\s*\([^)]*\)\s*")  # "(over radio)" in front of what is said


@dataclass(frozen=True, eq=False, repr=False)
class FilmGrid(ShapeRepr):
    """TRs of some runs, on the clock of the film.

    Attributes
    ----------
    run_names : tuple of str
    starts : tuple of float
        s of the film at which the first TR of each run begins.
    n_trs : tuple of int
        TRs of each run.
    tr : float
        s.
    """

    run_names: tuple[str, ...]
    starts: tuple[float, ...]
    n_trs: tuple[int, ...]
    tr: float = TR

    @property
    def runs(self) -> NDArray:
        """Return the run of each TR, as index into ``run_names`` (n_trs,)."""
        return np.repeat(np.arange(len(self.n_trs)), self.n_trs)

    @property
    def tr_times(self) -> NDArray:
        """Return the s of the film at which each TR begins (n_trs,)."""
        return np.concatenate([edges[:-1] for edges in self.edges()])

    def edges(self) -> list[NDArray]:
        """Return the bounds of the TRs of each run, in s of the film: arrays (n_trs of the run + 1,)."""
        return [start + self.tr * np.arange(n + 1) for start, n in zip(self.starts, self.n_trs)]

    def counts(self, times: ArrayLike) -> NDArray:
        """Return how many of the times (s) lie in each TR (n_trs,)."""
        times = np.sort(times)
        return np.concatenate([np.diff(np.searchsorted(times, edges - _ROUNDING)) for edges in self.edges()])

    def share(self, starts: ArrayLike, ends: ArrayLike) -> NDArray:
        """Return the share of each TR that any of the intervals (s) covers: 0 to 1 (n_trs,)."""
        bounds = []
        for start, end in sorted(zip(starts, ends)):
            if bounds and start <= bounds[-1][1]:
                bounds[-1][1] = max(end, bounds[-1][1])
            else:
                bounds.append([start, end])
        first, last = np.reshape(bounds, (-1, 2)).T
        return np.minimum(self._integrate(first, last, np.ones(len(bounds))) / self.tr, 1.0)

    def rate(self, starts: ArrayLike, ends: ArrayLike, amounts: ArrayLike) -> NDArray:
        """Return amounts per second, each spread evenly over its interval (n_trs,)."""
        starts = np.asarray(starts, dtype=float)
        ends = np.asarray(ends, dtype=float)
        return self._integrate(starts, ends, np.asarray(amounts) / (ends - starts)) / self.tr

    def _integrate(self, starts: NDArray, ends: NDArray, slopes: NDArray) -> NDArray:
        """Return the integral over each TR of a sum of boxes."""
        times, where = np.unique(np.concatenate([starts, ends]), return_inverse=True)
        slope = np.cumsum(np.bincount(where, np.concatenate([slopes, -slopes]), len(times)))
        total = np.concatenate([[0.0], np.cumsum(slope[:-1] * np.diff(times))])
        integral = np.concatenate([np.diff(np.interp(edges, times, total)) for edges in self.edges()])
        return np.where(np.abs(integral) < _ROUNDING, 0.0, integral)  # sums of slopes return to 0 but for rounding


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class FilmWords(SpokenWords):
    """Words of the dialogue and the times at which they are spoken.

    The times of words are s of the film; those of a line are spread evenly over it. Words are as written, with
    punctuation, without stage directions such as "(over radio)". A word is heard twice where two runs show the same
    16 s.

    Attributes
    ----------
    lines : int array (n_words,)
        Line of each word, from 0.
    positions : int array (n_words,)
        Words that stand before it in its line.
    """

    lines: NDArray
    positions: NDArray

    def context_starts(self, n_lines: int) -> NDArray:
        """Return the first word of each word's context: its line up to it, and ``n_lines`` lines before.

        For `word_encoder.contextual`.

        Parameters
        ----------
        n_lines : int
            0: the word's own line alone.

        Returns
        -------
        starts : int array (n_words,)
        """
        n_lines = whole("n_lines", n_lines, 0)
        spoken = np.unique(self.lines)
        first = np.searchsorted(self.lines, spoken)
        rank = np.searchsorted(spoken, self.lines)
        return first[np.maximum(rank - n_lines, 0)]


# --- tables of the film --------------------------------------------------------------------------------------------


def read_tables(paths: Mapping[str, Path]) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of tables of `TABLES` by their file's name, in order of time; times are numbers.

    Raises
    ------
    ValueError
        Naming the file and the row: a time or a column that is not there, a file that ends before the film does.
    """
    return {path.rpartition("/")[2]: _read(paths[path], columns) for path, columns in TABLES.items()}


def _read(path: Path, columns: Sequence[str]) -> list[dict[str, Any]]:
    rows = read_table(path, columns, "\t" if path.suffix == ".tsv" else ",")
    times = [name for name in columns if name in _TIMES]
    last = 0.0
    for k, row in enumerate(rows, 1):
        where = f"{path}, row {k} ({list(row.values())})"
        try:
            row.update({name: number(row[name]) for name in times})
        except ValueError as error:
            raise ValueError(f"{where}: {error}; was the file cut short?") from error
        begin = row[times[0]]
        length = row["duration"] if "duration" in times else row.get("end", begin) - begin if "end" in times else 0
        if begin < 0:
            raise ValueError(f"{where} begins {-begin:g} s before the film, expected {times[0]} of 0 s or more")
        if length < -_MOST_BACKWARDS:
            raise ValueError(f"{where} ends {-length:g} s before it begins, expected an end behind {times[0]}")
        last = max(last, begin + length)
    if last < _LAST:
        raise ValueError(
            f"{path} ends at {last:,.1f} s of the film, which lasts 7,086 s: expected rows up to {_LAST:,.0f} s or "
            f"later; was the file cut short? Fetch it again (naturalistic fetch studyforrest --parts annotations)"
        )
    return sorted(rows, key=lambda row: row[times[0]])


def line_bounds(rows: Sequence[Mapping[str, Any]]) -> tuple[NDArray, NDArray]:
    """Return start and end of lines in s; a line of more than 6 words a second lasts as if it had 3.

    In the published dialogue 43 lines last 0.001 s, one ends before it begins, and 24 more cannot be said so fast.
    """
    starts = np.array([row["start"] for row in rows])
    ends = np.array([row["end"] for row in rows])
    n_words = np.array([max(len(spoken_words(row["text"])), 1) for row in rows])
    too_fast = ends - starts < n_words / _FASTEST
    return starts, np.where(too_fast, starts + n_words / _USUAL, ends)


def spoken_words(text: str) -> list[str]:
    """Return the words of a line, without a stage direction in front of it and without lone signs."""
    return [word for word in _DIRECTION.sub("", text).split() if any(map(str.isalnum, word))]


def find_words(rows: Sequence[Mapping[str, Any]], grid: FilmGrid) -> FilmWords:
    """Return the words of the dialogue, those of a line spread evenly over it.

    Parameters
    ----------
    rows : sequence of dict
        Of ``english_dialog.csv``.
    grid : FilmGrid
    """
    said = [spoken_words(row["text"]) for row in rows]
    n_words = np.array([len(words) for words in said])
    lines = np.repeat(np.arange(len(rows)), n_words)
    positions = np.concatenate([np.arange(n) for n in n_words]).astype(int)
    starts, ends = line_bounds(rows)
    length = ((ends - starts) / np.maximum(n_words, 1))[lines]
    onsets = starts[lines] + positions * length
    offsets = onsets + length
    middles = (onsets + offsets) / 2
    events = []
    for edges in grid.edges():
        inside = np.flatnonzero((middles >= edges[0]) & (middles < edges[-1]))
        events.append(inside[np.argsort(middles[inside], kind="stable")])
    return FilmWords(
        words=[word for words in said for word in words],
        onsets=onsets,
        offsets=offsets,
        lines=lines,
        positions=positions,
        events=np.concatenate(events),
        event_runs=np.repeat(np.arange(len(events)), [len(each) for each in events]),
        tr_times=grid.tr_times,
        runs=grid.runs,
        tr=grid.tr,
    )


def by_second(rows: Iterable[tuple[float, float, Any]], nothing: Any, grid: FilmGrid) -> dict[str, list[list]]:
    """Return what is going on in each second of each run.

    Parameters
    ----------
    rows : iterable of (start, end, content)
        s of the film. Content lasts a second at least: one line of dialogue ends before it starts.
    nothing : object
        Content of a second in which there is nothing.
    grid : FilmGrid

    Returns
    -------
    seconds : dict of str to list of lists
        By run; of each second all contents, in order of time.
    """
    rows = sorted(rows, key=lambda row: row[0])
    by_run = {}
    for name, start, n_trs in zip(grid.run_names, grid.starts, grid.n_trs):
        n_seconds = int(n_trs * grid.tr)
        seconds = [[] for _ in range(n_seconds)]
        for begin, end, content in rows:
            first = int(np.floor(begin - start + _ROUNDING))
            last = max(int(np.ceil(min(end - start, n_seconds) - _ROUNDING)), first + 1)
            for k in range(max(first, 0), min(last, n_seconds)):
                seconds[k].append(content)
        by_run[name] = [second or [nothing] for second in seconds]
    return by_run


def read_emotions(path: Path, grid: FilmGrid) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """Return the emotions of the characters on the TRs: names, and means over the characters (n_trs, n).

    Values are the agreement of observers, 0 to 1 (arousal -1 to 1), and 0 where no character is described.
    Emotions that nobody shows are left out, as are cues (``c_...``) and directions (``d_...``). The last
    column, ``n_characters``, counts the characters that are described.

    Parameters
    ----------
    path : Path
        Of ``emotions_av_1s_events.tsv``: a row for each character and stretch of whole seconds.
    grid : FilmGrid
    """
    rows = _read(path, ("onset", "duration", "character", *_DIMENSIONS))
    names = [*_DIMENSIONS, *(name for name in rows[0] if name.startswith("e_"))]
    try:
        values = np.array([[number(row[name]) for name in names] for row in rows])
    except ValueError as error:
        raise ValueError(f"{path}: {error}; was the file cut short?") from error
    starts = np.array([row["onset"] for row in rows])
    lengths = np.array([row["duration"] for row in rows])
    if (lengths <= 0).any():
        raise ValueError(f"{path} has a row without a duration, expected a whole number of seconds; fetch it again")
    n_characters = grid.rate(starts, starts + lengths, lengths)
    columns = []
    shown = [k for k, name in enumerate(names) if name in _DIMENSIONS or values[:, k].any()]
    for k in shown:
        total = grid.rate(starts, starts + lengths, values[:, k] * lengths)
        columns.append(np.divide(total, n_characters, out=np.zeros_like(total), where=n_characters > _ROUNDING))
    table = np.stack([*columns, n_characters], axis=1).astype(np.float32)
    return (*(names[k].removeprefix("e_") for k in shown), "n_characters"), table


# --- light and sound -----------------------------------------------------------------------------------------------


def read_low_level(folder: Path, grid: FilmGrid, check: Callable[[Path, str], None]) -> dict[str, NDArray]:
    """Return light and sound of each TR, by name (see `LOW_LEVEL`).

    Parameters
    ----------
    folder : Path
        With the per-frame files as published, or with their means, ``annotations/lowlevel_per_TR.csv``. The means of a
        run's last TR have the gray frames behind it too, in which the film stands still.
    grid : FilmGrid
    check : callable
        ``check(path, published)`` compares a file with the published one.

    Returns
    -------
    low_level : dict of str to float array (n_trs,)

    Raises
    ------
    FileNotFoundError, ValueError
        Naming the file, what was expected, and what to do.
    """
    numbers = [int(name.partition("-")[2]) for name in grid.run_names]
    wanted = [template.format(k) for template, _ in FRAMES.values() for k in numbers]
    found = {path: find_file(folder, path) for path in wanted}
    compact = find_file(folder, PER_TR)
    if compact is not None and None in found.values():
        means = _read_per_tr(compact, numbers, grid.n_trs)
    elif None in found.values():
        missing = [path for path, there in found.items() if there is None]
        raise FileNotFoundError(
            f"{folder} lacks {', '.join(missing[:3])}{' ...' * (len(missing) > 3)} and {PER_TR}: expected one of them, "
            f"with light and sound; download: naturalistic fetch studyforrest --parts annotations --to {folder}"
        )
    else:
        means = {}
        for template, columns in FRAMES.values():
            parts = []
            for k, n_trs in zip(numbers, grid.n_trs):
                published = template.format(k)
                check(found[published], published)
                parts.append(_frame_means(found[published], columns, n_trs, grid.tr))
            means.update(zip(columns, np.concatenate(parts).T))
    low_level = {name: means[column] for column, name in LOW_LEVEL.items()}
    low_level["log_rms"] = np.log(np.maximum(low_level["log_rms"], _QUIET))
    return low_level


def _frame_means(path: Path, columns: Sequence[str], n_trs: int, tr: float) -> NDArray:
    """Return the means of the frames that begin in each TR (n_trs, n_columns)."""
    text = read_text(path)
    header, *rows = text.splitlines() or [""]
    names = header.split("\t")
    if absent := [name for name in ("onset", *columns) if name not in names]:
        raise ValueError(f"{path} has the columns {', '.join(names)}, and lacks {', '.join(absent)}; fetch it again")
    if not text.endswith("\n"):
        raise ValueError(f"{path} ends inside of row {len(rows)}: it was cut short; fetch it again")
    try:
        cells = [names.index(name) for name in ("onset", *columns)]
        table = np.loadtxt(rows, delimiter="\t", usecols=cells, ndmin=2)
    except ValueError as error:
        raise ValueError(f"{path} is not a table of numbers ({error}); fetch it again") from error
    frame_trs = np.floor(table[:, 0] / tr + _ROUNDING).astype(int)
    inside = (frame_trs >= 0) & (frame_trs < n_trs)
    n_frames = np.bincount(frame_trs[inside], minlength=n_trs)
    if not n_frames.all():
        raise ValueError(
            f"{path} has frames from {table[0, 0]:g} to {table[-1, 0]:g} s and none in TR {int(np.argmin(n_frames))}, "
            f"expected frames in all {n_trs} TRs ({n_trs * tr:g} s); fetch it again"
        )
    sums = [np.bincount(frame_trs[inside], column, n_trs) for column in table[inside, 1:].T]
    return np.stack(sums, axis=1) / n_frames[:, None]


def _read_per_tr(path: Path, numbers: Sequence[int], n_trs: Sequence[int]) -> dict[str, NDArray]:
    """Return the columns of the table of means, of some runs."""
    rows = read_table(path, ("run", "tr", *LOW_LEVEL))
    try:
        table = np.array([[number(row[name]) for name in ("run", "tr", *LOW_LEVEL)] for row in rows])
    except ValueError as error:
        raise ValueError(f"{path}: {error}; was the file cut short?") from error
    parts = []
    for k, n in zip(numbers, n_trs):
        part = table[table[:, 0] == k]
        if not np.array_equal(part[:, 1], np.arange(n)):
            raise ValueError(
                f"{path} has {len(part)} rows of run {k}, expected {n}, of the TRs 0 to {n - 1} in order; was it cut "
                "short? Copy it again, or fetch the per-frame files"
            )
        parts.append(part[:, 2:])
    return dict(zip(LOW_LEVEL, np.concatenate(parts).T))
