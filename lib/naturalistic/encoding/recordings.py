"""What trains and what tests, so that no recording is in both: runs that played the same stay together everywhere.

The test is never of a recording that the training has: of repeated recordings the one that was repeated most is tested,
else the last run. Where one run or two are all, they are cut into blocks, and time between blocks is left out; runs of
the same recording are cut at the same places of it, and a fold that tests one of these pieces tests the other too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from naturalistic.datasets.repeats import Played, StackRepeats, repeated_runs
from naturalistic.datasets.subject import Subject
from naturalistic.encoding.split import Split
from naturalistic.models.folds import contiguous_groups
from naturalistic.runs import run_slices

if TYPE_CHECKING:
    from naturalistic.features.stimulus import StimulusSpaces

DELAYS = (2.0, 4.0, 6.0, 8.0)  # s
GAP = 16.0  # s left out where a run is cut
_BLOCKS = 6  # into which a single run is cut
_TESTED = 2  # of them
_LEAST_TRAINING = 3  # recordings; fewer are cut
_LEAST_TRS = 20


@dataclass(frozen=True, eq=False)
class RepeatedTest:
    """Repeats of the test, for the ceiling.

    Attributes
    ----------
    subject : Subject
    test : bool array (n_trs,)
    stack : callable
        See `datasets.repeats`.
    """

    subject: Subject
    test: NDArray
    stack: StackRepeats


@dataclass(frozen=True, eq=False)
class Partition:
    """TRs of a subject that train and test.

    Attributes
    ----------
    split : Split
        Of the TRs that are kept. Its groups are recordings, or pieces of them.
    keep : bool array (n_trs,)
    subject : Subject
        Of all TRs; the mean over repeats where all runs played the same.
    spaces : dict of str to array (n_trs, n_features)
    sentence : str
    repeated : RepeatedTest or None
        Where the test was presented more than once.
    """

    split: Split
    keep: NDArray
    subject: Subject
    spaces: dict[str, NDArray]
    sentence: str
    repeated: RepeatedTest | None = None

    @property
    def test(self) -> NDArray:
        """Return the TRs that are tested: bool (n_trs,)."""
        test = np.zeros(len(self.keep), dtype=bool)
        test[self.keep] = self.split.test
        return test


@dataclass(frozen=True, eq=False)
class TimeLine:
    """Recording of each TR, and where in it the TR lies.

    Attributes
    ----------
    by_recording : dict of int to list of str
        Names of the runs that played each recording.
    recordings : int array (n_trs,)
    positions : int array (n_trs,)
        TRs since the recording began.
    """

    by_recording: dict[int, list[str]]
    recordings: NDArray
    positions: NDArray


def time_line(subject: Subject, stimulus: StimulusSpaces) -> TimeLine:
    """Return the recording of each TR by what the runs of a stimulus played.

    Parameters
    ----------
    subject : Subject
    stimulus : StimulusSpaces
        Where it does not say what runs played, each has a recording of its own.
    """
    played = stimulus.played_by_run or tuple(Played(name, 0.0) for name in subject.run_names)
    numbers: dict[object, int] = {}
    of_run = np.array([numbers.setdefault(each.recording, len(numbers)) for each in played])
    by_recording: dict[int, list[str]] = {}
    for name, number in zip(subject.run_names, of_run.tolist()):
        by_recording.setdefault(number, []).append(name)
    starts = np.array([each.start for each in played])
    positions = np.round((subject.tr_times - starts[subject.runs]) / subject.tr).astype(int)
    return TimeLine(by_recording, of_run[subject.runs], positions)


def partition(
    subject: Subject, stimulus: StimulusSpaces, *, test: Sequence[str] | None = None, delays: Sequence[float] = DELAYS
) -> Partition:
    """Return what trains and what tests, so that no recording is in both.

    Parameters
    ----------
    subject : Subject
    stimulus : StimulusSpaces
    test : list of str, optional
        Runs by name. By default those of the recording that was repeated most, else the last run.
    delays : sequence of float
        s.

    Returns
    -------
    partition : Partition

    Raises
    ------
    ValueError
        If a run is not there, training would have a tested recording, or too few TRs are left.
    """
    line = time_line(subject, stimulus)
    if test is None and len(line.by_recording) == 1:
        return _cut_one_recording(subject, stimulus.spaces, line, delays)
    tested = _tested_runs(subject, line.by_recording, test)
    training = [name for name in subject.run_names if name not in tested]
    if not training:
        raise ValueError(f"test is all {len(tested)} runs of subject {subject.label}: leave one or more to train on")
    is_test = np.isin(subject.runs, [subject.run_names.index(name) for name in tested])
    runs = subject.runs.copy()
    groups = line.recordings.copy()
    keep = np.ones(len(runs), dtype=bool)
    sentence = f"Tested on {', '.join(tested)}, trained on {len(training)} other run{'s' * (len(training) > 1)}"
    n_recordings = len(np.unique(line.recordings[~is_test]))
    if n_recordings < _LEAST_TRAINING:
        n_blocks = max(_BLOCKS - 1, n_recordings)
        blocks, stretches, keep[~is_test] = _blocks(subject, line, ~is_test, n_blocks)
        groups[~is_test] = len(subject.run_names) + blocks
        runs[~is_test] = len(subject.run_names) + stretches
        sentence += f", cut into {len(np.unique(blocks))} blocks to choose alpha, {GAP:g} s left out between them"
    if n_recordings < len(training):
        sentence += "; runs of the same recording stay in one fold"
    stack = None
    if len(tested) > 1 and len(np.unique(line.recordings[is_test])) == 1:
        keep[is_test] = _in_all(line.positions[is_test], subject.runs[is_test])
        n_trs = int((is_test & keep).sum()) // len(tested)
        stack = repeated_runs(tested, [n_trs] * len(tested), [tested])
        sentence += f"; the {len(tested)} repeats of the test are averaged"
    _check_lengths(is_test & keep, ~is_test & keep)
    split = Split(is_test[keep], runs[keep], subject.tr, list(delays), _in_blocks(stack), groups[keep])
    repeated = None if stack is None else RepeatedTest(subject, is_test & keep, _in_blocks(stack))
    return Partition(split, keep, subject, dict(stimulus.spaces), sentence + ".", repeated)


def _in_blocks(stack: StackRepeats | None) -> StackRepeats:
    """Return a function that stacks repeats, or one presentation, and cuts a single run into blocks.

    Inside of one run there are few circular shifts, and p could not become small.
    """

    def stack_blocks(values: NDArray, runs: NDArray) -> tuple[NDArray, NDArray]:
        stacked, ids = (values[None], runs) if stack is None else stack(values, runs)
        n_runs = len(run_slices(ids))
        return stacked, contiguous_groups(ids, _TESTED) if n_runs < _TESTED else ids

    return stack_blocks


def _tested_runs(
    subject: Subject, by_recording: Mapping[int, Sequence[str]], test: Sequence[str] | None
) -> Sequence[str]:
    """Return the names of the test runs."""
    if test is None:
        most = max(map(len, by_recording.values()))
        return [names for names in by_recording.values() if len(names) == most][-1]
    unknown = [name for name in test if name not in subject.run_names]
    if unknown or not test:
        raise ValueError(f"test is {list(test)}, subject {subject.label} has the runs {', '.join(subject.run_names)}")
    for names in by_recording.values():
        if 0 < len(set(names) & set(test)) < len(names):
            raise ValueError(
                f"the runs {', '.join(names)} of subject {subject.label} played the same, expected all or none of them "
                f"in test={list(test)}: a model that was trained on a recording is not tested on it"
            )
    return [name for name in subject.run_names if name in test]


def _in_all(positions: NDArray, runs: NDArray) -> NDArray:
    """Return the TRs whose place in the recording all runs have: bool (n_trs,)."""
    common = set(positions.tolist())
    for run in run_slices(runs):
        common &= set(positions[run].tolist())
    return np.isin(positions, list(common))


def _cut_one_recording(
    subject: Subject, spaces: Mapping[str, NDArray], line: TimeLine, delays: Sequence[float]
) -> Partition:
    """Return blocks of one run, the last of which are tested; of runs that are alike, their mean."""
    n_runs = len(subject.run_names)
    each = None
    merged = ""
    if n_runs > 1:
        rows = np.flatnonzero(_in_all(line.positions, subject.runs))
        _check_lengths(rows >= 0, rows >= 0)
        n_trs = len(rows) // n_runs
        firsts = line.positions[rows[0]] - line.positions[[s.start for s in run_slices(subject.runs)]]
        first_trs = tuple(int(n) for n in np.array(subject.first_trs or (0,) * n_runs) + firsts)
        runs = subject.runs[rows]
        bold = np.asarray(subject.bold)[rows]
        each = replace(subject, bold=bold, runs=runs, first_trs=first_trs, motion=None, scan_motion={})
        mean = bold.reshape(n_runs, n_trs, -1).mean(axis=0)
        names = ("mean of the repeats",)
        one_run = np.zeros(n_trs, dtype=int)
        subject = replace(each, bold=mean, runs=one_run, run_names=names, first_trs=first_trs[:1])
        spaces = {name: x[rows[:n_trs]] for name, x in spaces.items()}
        line = TimeLine({0: list(names)}, one_run, line.positions[rows[:n_trs]])
        merged = f"All {n_runs} runs played the same and were averaged. "
    blocks, _, keep = _blocks(subject, line, np.ones(len(subject.runs), dtype=bool), _BLOCKS)
    is_test = np.isin(blocks, np.unique(blocks)[-_TESTED:])
    _check_lengths(is_test & keep, ~is_test & keep)
    split = Split(is_test[keep], blocks[keep], subject.tr, list(delays))
    sentence = (
        f"{merged}One run, cut into {len(np.unique(blocks))} blocks; the last {_TESTED} are tested, {GAP:g} s left out "
        "between all."
    )
    repeated = None
    if each is not None:
        tested = is_test & keep

        def stack(values: NDArray, runs: NDArray) -> tuple[NDArray, NDArray]:
            return values.reshape(n_runs, int(tested.sum()), -1), blocks[tested]

        repeated = RepeatedTest(each, np.tile(tested, n_runs), stack)
    return Partition(split, keep, subject, dict(spaces), sentence, repeated)


def _blocks(subject: Subject, line: TimeLine, trs: NDArray, n_blocks: int) -> tuple[NDArray, NDArray, NDArray]:
    """Return the block of each of some TRs, its stretch inside a run, and which to keep.

    The start of a block inside of a run is left out.
    """
    runs = subject.runs[trs]
    options = {"recordings": line.recordings[trs], "positions": line.positions[trs]}
    blocks = contiguous_groups(runs, n_blocks, **options)
    cut = (runs[1:] != runs[:-1]) | (blocks[1:] != blocks[:-1])
    stretches = np.concatenate([[0], np.cumsum(cut)])
    keep = np.ones(len(runs), dtype=bool)
    gap = round(GAP / subject.tr)
    for stretch in run_slices(stretches):
        if stretch.start and runs[stretch.start] == runs[stretch.start - 1]:
            keep[stretch.start : stretch.start + gap] = False
    return blocks, stretches, keep


def _check_lengths(test: NDArray, training: NDArray) -> None:
    """Raise an error where too little is left to train or to test on."""
    for what, trs in (("test", test), ("train", training)):
        if trs.sum() < _LEAST_TRS:
            raise ValueError(
                f"{int(trs.sum())} TRs are left to {what} on, expected {_LEAST_TRS} or more: the runs are too short "
                "for an encoding model"
            )
