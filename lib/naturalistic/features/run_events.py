"""Feature spaces of events: columns of their files on the TRs of a subject's runs.

A column of numbers is one feature, its value times the share of each TR that the event lasts; a column of categories is
one feature for each. An event without a duration counts as if it lasted the TR in which it begins. When events begin
and that they last at all is a control of its own, the event rate.
"""

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from naturalistic.datasets.run_events import RunEvents, column_names, column_values, outside
from naturalistic.datasets.spoken import value_of_run
from naturalistic.datasets.subject import Subject

EVENT_RATE = "event rate"


def event_spaces(
    subject: Subject,
    events: RunEvents | Mapping[str, RunEvents],
    *,
    columns: Sequence[str] | None = None,
    offset: float | Mapping[str, float] = 0.0,
) -> dict[str, NDArray]:
    """Return the event rate and the columns of events on the TRs of a subject.

    Parameters
    ----------
    subject : Subject
    events : RunEvents, or dict of str to RunEvents
        Of all runs alike, or by run or a part of its name.
    columns : list of str, optional
        Without onset and duration. By default all that can be features; a warning says which cannot, and why.
    offset : float, or dict of str to float
        s of the scan at which the clock of the events begins.

    Returns
    -------
    spaces : dict of str to float32 array (n_trs, n_features)
        ``"event rate"``, where it varies, and a space for each column, by its name.

    Raises
    ------
    ValueError
        Naming file and column: if most events lie outside of their run, a named column is missing, holds n/a among
        numbers, is the same in all events, or has categories that never come again; or no column is left.
    """
    by_run = [value_of_run(events, n, "event file") if isinstance(events, Mapping) else events
              for n in subject.run_names]  # fmt: skip
    weights = []
    onsets = []
    for run, of_run in enumerate(by_run):
        name = subject.run_names[run]
        start = float(value_of_run(offset, name, "offset") if isinstance(offset, Mapping) else offset)
        tr_times = subject.tr_times[subject.runs == run] - start
        _check_inside(of_run, 0.0 - start, float(tr_times[-1]) + subject.tr, subject, name)
        weights.append(_shares(of_run, tr_times, subject.tr))
        onsets.append(_shares(of_run, tr_times, subject.tr, only_onsets=True))
    spaces = _rate(weights, onsets)
    if not spaces:
        warnings.warn("events are the same at each TR: the event rate is no control", stacklevel=2)
    n_controls = len(spaces)
    reasons = []
    for column in column_names(by_run) if columns is None else columns:
        try:
            spaces[column] = _column_space(by_run, column, weights)
        except ValueError as error:
            if columns is not None:
                raise ValueError(f"{error}: name other columns (--columns)") from error
            reasons.append(str(error))
    if len(spaces) == n_controls:
        raise ValueError(
            f"no column of {by_run[0].path.name} can be a feature: {'; '.join(reasons) or 'there is none'}; expected "
            "one of words, of numbers or of categories besides onset and duration"
        )
    if reasons:
        warnings.warn(f"columns that are no features: {'; '.join(reasons)}", stacklevel=2)
    return spaces


def _check_inside(events: RunEvents, start: float, end: float, subject: Subject, name: str) -> None:
    """Raise an error if most events lie outside of their run, and warn of some; in dropped volumes they are inside."""
    beyond = outside(events, start, end)
    if not beyond.any():
        return
    first = int(beyond.argmax())
    sentence = (
        f"{events.path}: {int(beyond.sum())} of {len(beyond)} events lie outside of run {name!r} of subject "
        f"{subject.label}, the first in row {events.rows[first]} (onset {events.onsets[first]:g} s, scan "
        f"{start:g} to {end:g} s)"
    )
    if 2 * beyond.sum() > len(beyond):
        raise ValueError(f"{sentence}: are they of another run, in ms, or is the offset wrong?")
    warnings.warn(sentence, stacklevel=4)


def _shares(events: RunEvents, tr_times: NDArray, tr: float, only_onsets: bool = False) -> NDArray:
    """Return the share of each TR that each event lasts (n_trs, n_events); 1 where one without a duration begins."""
    starts = tr_times[:, None]
    begins = (events.onsets >= starts) & (events.onsets < starts + tr)
    if only_onsets:
        return begins.astype(float)
    ends = events.onsets + events.durations
    lasting = np.clip(np.minimum(ends, starts + tr) - np.maximum(events.onsets, starts), 0, None) / tr
    return np.where(events.durations > 0, lasting, begins)


def _rate(weights: Sequence[NDArray], onsets: Sequence[NDArray]) -> dict[str, NDArray]:
    """Return the events that begin in each TR and the share that they last, of these what varies in each run."""
    features = []
    for parts in (onsets, weights):
        by_run = [part.sum(axis=1) for part in parts]
        if all(np.ptp(of_run) > 0 for of_run in by_run):
            features.append(np.concatenate(by_run))
    if len(features) == 2 and np.allclose(features[0], features[1]):
        features = features[:1]
    return {EVENT_RATE: np.stack(features, axis=1).astype(np.float32)} if features else {}


def _column_space(by_run: Sequence[RunEvents], column: str, weights: Sequence[NDArray]) -> NDArray:
    """Return a column on the TRs of all runs (n_trs, n_features)."""
    blocks = [shares @ values for shares, values in zip(weights, column_values(by_run, column))]
    for of_run, block in zip(by_run, blocks):
        if not np.ptp(block, axis=0).any():
            raise ValueError(f"{of_run.path}, column {column!r} is the same at all TRs of the run")
    return np.concatenate(blocks).astype(np.float32)
