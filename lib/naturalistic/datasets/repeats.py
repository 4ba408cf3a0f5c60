"""Test runs that were presented more than once: their repeats stacked on each other.

An experiment's ``stack_repeats(values, runs)`` takes values (n_trs, n) of all its test runs and gives
(n_repeats, n_trs of one repeat, n) and the run of each of these; `encoding.Split` averages over them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from naturalistic.runs import run_slices

StackRepeats = Callable[[NDArray, NDArray], tuple[NDArray, NDArray]]


class Played(NamedTuple):
    """What a run played: runs of the same recording are never on both sides of a split.

    Attributes
    ----------
    recording : hashable
        Equal for runs that played the same.
    start : float
        s of the run's clock at which the recording begins.
    """

    recording: Any
    start: float


def stack_repeats_in_runs(values: NDArray, runs: NDArray, n_repeats: int, n_trs: int) -> tuple[NDArray, NDArray]:
    """Stack the repeats of which each run consists.

    Parameters
    ----------
    values : array (n_trs, n)
        Of test runs without dummy volumes.
    runs : array (n_trs,)
    n_repeats : int
        Repeats in each run, one after another.
    n_trs : int
        TRs of a clip; a repeat has whole clips.

    Returns
    -------
    repeats : array (n_repeats, n_trs / n_repeats, n)
    runs : array (n_trs / n_repeats,)

    Raises
    ------
    ValueError
        If a run does not divide into that many repeats of whole clips.
    """
    slices = run_slices(runs, len(values))
    parts = []
    for s in slices:
        length, rest = divmod(s.stop - s.start, n_repeats)
        if rest or length % n_trs:
            raise ValueError(
                f"the run at samples {s.start} to {s.stop - 1} has {s.stop - s.start} TRs, expected "
                f"{n_repeats} repeats of whole clips of {n_trs} TRs: pass test runs without the dummy"
            )
        parts.append(np.asarray(values[s]).reshape(n_repeats, length, -1))
    ids = np.concatenate([np.full(part.shape[1], np.asarray(runs)[s.start]) for part, s in zip(parts, slices)])
    return np.concatenate(parts, axis=1), ids


def repeated_runs(
    names: Sequence[str], lengths: Sequence[int], repeats: Sequence[Sequence[str]]
) -> StackRepeats | None:
    """Return the function that stacks test runs which repeat each other.

    Parameters
    ----------
    names : list of str
        Test runs in the order of the values.
    lengths : list of int
        TRs of each.
    repeats : list of tuple of str
        Runs that showed the same.

    Returns
    -------
    stack_repeats : callable or None
        None where everything was shown once.

    Raises
    ------
    ValueError
        If test runs were shown unequally often, or (when called) values are not of all test runs.
    """
    if not repeats:
        return None
    repeated = sorted(name for group in repeats for name in group)
    if repeated != sorted(names) or len({len(group) for group in repeats}) > 1:
        raise ValueError(
            f"the test runs {', '.join(names)} were not all shown equally often (repeats: {list(repeats)}): take some "
            "of the runs"
        )

    return RepeatedRuns(tuple(names), tuple(map(int, lengths)), tuple(map(tuple, repeats)))


@dataclass(frozen=True)
class RepeatedRuns:
    """Function that stacks test runs which repeat each other, see `repeated_runs`; it can be sent to other processes.

    Attributes
    ----------
    names : tuple of str
        Test runs in the order of the values.
    lengths : tuple of int
        TRs of each.
    repeats : tuple of tuple of str
        Runs that showed the same.
    """

    names: tuple[str, ...]
    lengths: tuple[int, ...]
    repeats: tuple[tuple[str, ...], ...]

    def __call__(self, values: NDArray, runs: NDArray) -> tuple[NDArray, NDArray]:
        """Return values stacked as (n_repeats, n_samples, n), and the run of each sample."""
        slices = run_slices(runs, len(values))
        if [s.stop - s.start for s in slices] != list(self.lengths):
            raise ValueError(
                f"values are of runs of {[s.stop - s.start for s in slices]} TRs, expected all test runs: "
                f"{list(self.lengths)}"
            )
        slice_of = dict(zip(self.names, slices))
        stacked = [np.stack([values[slice_of[name]] for name in group]) for group in self.repeats]
        first = [np.asarray(runs)[slice_of[group[0]].start] for group in self.repeats]
        ids = [np.full(x.shape[1], run) for x, run in zip(stacked, first)]
        return np.concatenate(stacked, axis=1), np.concatenate(ids)
