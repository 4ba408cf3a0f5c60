"""Events of the runs of a BIDS data set: tables of onsets and durations, with any other columns.

A file of events belongs to a run by its name, by the inheritance principle of BIDS: beside
``sub-01/func/sub-01_task-story_run-1_events.tsv`` also ``task-story_events.tsv`` at the root, of all runs of the task.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from naturalistic.arrays import ShapeRepr
from naturalistic.datasets.transcripts import transcript_of
from naturalistic.datasets.words import Transcript
from naturalistic.text_files import number, read_table

if TYPE_CHECKING:
    from naturalistic.datasets.bids_runs import RunFiles

EVENTS = "events"  # in place of a file: each run's own events
TEXT_COLUMNS = ("word", "words", "token", "orth", "text", "sentence", "transcript")
_TIMES = ("onset", "duration")
_EMPTY = ("", "n/a", "na", "nan")
_FEW = 4  # names that a sentence has


@dataclass(frozen=True, eq=False, repr=False)
class RunEvents(ShapeRepr):
    """Events of a run, in the order of time.

    Attributes
    ----------
    path : Path
    rows : int array (n_events,)
        Row of each in the file, from 1.
    onsets, durations : array (n_events,)
        s of the run; a duration that the file does not give is 0.
    columns : dict of str to list of str
        Cells of the other columns.
    """

    path: Path
    rows: NDArray
    onsets: NDArray
    durations: NDArray
    columns: dict[str, list[str]]

    @property
    def text_column(self) -> str | None:
        """Return the name of the column of words or sentences, None where there is none of a usual name."""
        by_name = {name.lower(): name for name in self.columns}
        return next((by_name[usual] for usual in TEXT_COLUMNS if usual in by_name), None)

    def check_column(self, name: str) -> None:
        """Raise an error if there is no such column.

        Parameters
        ----------
        name : str
        """
        if name not in self.columns:
            there = ", ".join(self.columns) or "none"
            raise ValueError(f"{self.path} has no column {name!r}, but besides onset and duration {there}")

    @property
    def content(self) -> tuple:
        """Return onsets and cells: equal for runs that presented the same."""
        return (*self.onsets.tolist(), *((name, *cells) for name, cells in self.columns.items()))

    def transcript(self, column: str | None = None) -> Transcript:
        """Return the words of a column and their times.

        Parameters
        ----------
        column : str, optional
            Of words or sentences; one of a usual name by default.
        """
        column = self.text_column if column is None else column
        if column is None:
            raise ValueError(
                f"{self.path} has the columns {', '.join(self.columns) or 'none'}, expected one of words such as "
                f"{', '.join(TEXT_COLUMNS[:3])}: name it, text=NAME"
            )
        self.check_column(column)
        places = [f"row {row}, column {column!r}" for row in self.rows]
        return transcript_of(self.path, self.columns[column], self.onsets, self.onsets + self.durations, places)


def is_events_file(path: Path | str) -> bool:
    """Return whether a file is one of events by its name.

    Parameters
    ----------
    path : Path or str
    """
    return Path(path).name.lower().endswith("events.tsv")


def read_run_events(path: Path | str) -> RunEvents:
    """Read a file of events.

    Parameters
    ----------
    path : Path or str
        ``_events.tsv``, tab-separated, with the columns ``onset`` and ``duration``, s.

    Returns
    -------
    events : RunEvents

    Raises
    ------
    FileNotFoundError, ValueError
        Naming the file, the row and the column: a column that is missing or is there twice, no row, an onset that is no
        number, a duration below 0.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: expected the events of a run")
    table = read_table(path, _TIMES, "\t")
    names = list(table[0])
    onsets = np.array([_seconds(path, k, "onset", row["onset"]) for k, row in enumerate(table, 1)])
    if missing := np.flatnonzero(np.isnan(onsets)).tolist():
        raise ValueError(
            f"{path}, row {missing[0] + 1}: onset is {table[missing[0]]['onset']!r} ({len(missing)} of {len(table)} "
            "rows), expected s since the run's first volume: fill it in, or remove the row"
        )
    durations = np.array([_seconds(path, k, "duration", row["duration"]) for k, row in enumerate(table, 1)])
    if below := np.flatnonzero(durations < 0).tolist():
        raise ValueError(f"{path}, row {below[0] + 1}: duration is {durations[below[0]]:g}, expected 0 s or more")
    order = np.argsort(onsets, kind="stable")
    columns = {name: [table[k][name].strip() for k in order] for name in names if name not in _TIMES}
    return RunEvents(path, order + 1, onsets[order], np.nan_to_num(durations[order]), columns)


def events_of_runs(files: Sequence[RunFiles]) -> dict[str, RunEvents]:
    """Return the events of each run.

    Parameters
    ----------
    files : list of RunFiles
        Of one subject.

    Returns
    -------
    events : dict of str to RunEvents
        By the name of the run.

    Raises
    ------
    FileNotFoundError
        Naming the runs without a file of events.
    ValueError
        As `read_run_events`.
    """
    silent = [of_run.stem for of_run in files if of_run.events is None]
    if silent:
        more = f" and {len(silent) - _FEW} more" if len(silent) > _FEW else ""
        raise FileNotFoundError(
            f"{len(silent)} of {len(files)} runs have no file of events: {', '.join(silent[:_FEW])}{more}; expected "
            f"{files[0].folder / files[0].run.func / silent[0]}_events.tsv, or one above it for several runs"
        )
    read: dict[Path, RunEvents] = {}  # a file of several runs is read once
    for of_run in files:
        if of_run.events not in read:
            read[of_run.events] = read_run_events(of_run.events)
    return {of_run.run.name: read[of_run.events] for of_run in files}


def outside(events: RunEvents, start: float, end: float) -> NDArray:
    """Return which events lie outside of a scan: bool (n_events,).

    Parameters
    ----------
    events : RunEvents
    start, end : float
        Of the scan on the clock of the events, s.
    """
    ends = events.onsets + events.durations
    return (events.onsets >= end) | ((events.onsets < start) & (ends <= start))


def column_names(by_run: Sequence[RunEvents]) -> list[str]:
    """Return the columns of any run, in their order.

    Parameters
    ----------
    by_run : list of RunEvents
    """
    return list(dict.fromkeys(name for of_run in by_run for name in of_run.columns))


def column_values(by_run: Sequence[RunEvents], column: str) -> list[NDArray]:
    """Return a column as features: its numbers, or whether an event is of each category.

    Parameters
    ----------
    by_run : list of RunEvents
    column : str

    Returns
    -------
    values : list of array (n_events, n_features)
        Of each run; categories are those of all runs, in the order of the alphabet.

    Raises
    ------
    ValueError
        Naming file and column: if it is missing, the same in all events, lacks numbers, or has texts that do not come
        again.
    """
    for of_run in by_run:
        of_run.check_column(column)
    path = by_run[0].path
    cells = [cell for of_run in by_run for cell in of_run.columns[column] if not _is_empty(cell)]
    if len(set(cells)) < 2:
        what = f"is {cells[0]!r} in all events" if cells else "is empty"
        raise ValueError(f"{path}, column {column!r} {what} and tells nothing beyond when they are")
    numbers = [_numbers(of_run, column) for of_run in by_run]
    if all(values is not None for values in numbers):
        return [values[:, None] for values in numbers]
    levels = sorted(set(cells))
    if 2 * sum(cells.count(level) == 1 for level in levels) > len(levels):
        raise ValueError(
            f"{path}, column {column!r} has {len(levels)} different texts in {len(cells)} events, most of them once: "
            "expected categories that come again, or words (text=NAME)"
        )
    return [
        np.array([[cell == level for level in levels] for cell in of_run.columns[column]], dtype=float)
        for of_run in by_run
    ]


def _numbers(events: RunEvents, column: str) -> NDArray | None:
    """Return the numbers of a column, None if it holds text; say which are missing."""
    values = []
    for cell in events.columns[column]:
        try:
            values.append(np.nan if _is_empty(cell) else number(cell))
        except ValueError:
            return None
    missing = np.flatnonzero(np.isnan(values)).tolist()
    if missing and len(missing) < len(values):
        raise ValueError(
            f"{events.path}, row {events.rows[missing[0]]}: column {column!r} is "
            f"{events.columns[column][missing[0]] or 'empty'} ({len(missing)} of {len(values)} rows), expected a "
            "number in each; fill it in or remove those rows"
        )
    return None if missing else np.array(values)


def _is_empty(cell: str) -> bool:
    return cell.lower() in _EMPTY


def _seconds(path: Path, row: int, column: str, cell: str) -> float:
    """Return a time in s, NaN where the cell is empty or n/a."""
    if cell.strip().lower() in _EMPTY:
        return np.nan
    try:
        return number(cell)
    except ValueError as error:
        raise ValueError(f"{path}, row {row}: {column} is {cell!r}, expected s ({error})") from error
