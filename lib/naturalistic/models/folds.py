"""Folds for autocorrelated data: whole groups, with a gap in time between training and test samples.

Neighboring TRs share slow noise and the same hemodynamic response. A shuffled K-fold therefore tests on
what it was trained on; folds here are made of whole groups (runs, clips, titles, blocks), and the samples
next to a test group are left out of training.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import BaseCrossValidator

from naturalistic.parameters import is_whole, whole
from naturalistic.runs import check_runs, run_slices


def contiguous_groups(
    runs: ArrayLike, n_groups: int, *, recordings: ArrayLike | None = None, positions: ArrayLike | None = None
) -> NDArray:
    """Cut runs into contiguous groups of about equal length, inside runs.

    Runs of the same recording are cut at the same places, and what presented the same stretch of it is one group.

    Parameters
    ----------
    runs : array-like (n_trs,)
        Run id of each sample.
    n_groups : int
        Groups to make; at least one a recording. Longer ones get more of them.
    recordings : array-like (n_trs,), optional
        What was presented, one id for each run; a recording of its own in each run by default.
    positions : array-like of int (n_trs,), optional
        Samples since the recording began; since the run began by default.

    Returns
    -------
    groups : array of int (n_trs,)
        Group ids 0 .. n_groups - 1, in order of time.

    Raises
    ------
    ValueError
        If there are fewer groups than recordings, or more than their samples, or a run has several recordings.
    """
    slices = run_slices(runs)
    n_trs = slices[-1].stop
    of_run = np.arange(len(slices)) if recordings is None else _recording_of_run(recordings, slices)
    since_start = np.concatenate([np.arange(s.stop - s.start) for s in slices])
    positions = since_start if positions is None else np.asarray(positions)
    spans = np.array([[positions[s].min(), positions[s].max() + 1] for s in slices])
    n_recordings = int(of_run.max()) + 1
    first = np.array([spans[of_run == k, 0].min() for k in range(n_recordings)])
    lengths = np.array([spans[of_run == k, 1].max() for k in range(n_recordings)]) - first
    n_groups = whole("n_groups", n_groups, n_recordings, int(lengths.sum()), hint="one a run, up to one a sample")
    pieces = np.ones(n_recordings, dtype=int)
    for _ in range(n_groups - n_recordings):  # the next cut goes where the pieces are longest
        pieces[np.argmax(lengths / pieces)] += 1
    offsets = np.concatenate([[0], np.cumsum(pieces)])
    groups = np.empty(n_trs, dtype=int)
    for s, k in zip(slices, of_run):
        groups[s] = offsets[k] + (positions[s] - first[k]) * pieces[k] // lengths[k]
    return groups


def _recording_of_run(recordings: ArrayLike, slices: list[slice]) -> NDArray:
    """Return the number of each run's recording, in the order in which they first come (n_runs,)."""
    recordings = check_groups(recordings, slices[-1].stop, "recordings")
    mixed = [s for s in slices if (recordings[s] != recordings[s.start]).any()]
    if mixed:
        raise ValueError(f"the run at samples {mixed[0].start} to {mixed[0].stop - 1} has several recordings")
    numbers: dict[object, int] = {}
    return np.array([numbers.setdefault(recordings[s.start].item(), len(numbers)) for s in slices])


class GroupGapKFold(BaseCrossValidator):
    """K-fold over whole groups with a gap between training and test samples.

    Groups are taken in the order in which they first come; each fold tests on neighboring groups, so that
    few samples are lost to gaps. A gap counts rows inside a run; two runs have no gap between them.

    Parameters
    ----------
    n_splits : int
        Number of folds; at most the number of groups.
    gap : int
        Samples (TRs) dropped on either side of each test group.
    runs : array-like (n_samples,), optional
        Run id of each sample; by default all samples are of one run.
    """

    def __init__(self, n_splits: int = 5, gap: int = 0, runs: ArrayLike | None = None) -> None:
        self.n_splits = n_splits
        self.gap = gap
        self.runs = runs

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds."""
        return whole("n_splits", self.n_splits, 2)

    def split(self, X: Any, y: Any | None = None, groups: ArrayLike | None = None) -> Iterator[tuple[NDArray, NDArray]]:
        """Yield ``train, test`` row indices of each fold.

        Parameters
        ----------
        X : array-like (n_samples, ...)
            Only its length is used.
        y : ignored
        groups : array-like (n_samples,)
            Group of each sample.

        Raises
        ------
        ValueError
            If groups are missing or of the wrong length, there are fewer groups than folds, or a fold has
            no training sample left.
        """
        n_samples = len(X)
        n_splits = self.get_n_splits()
        gap = whole("gap", self.gap, 0, hint="samples left out on either side")
        fold_of = _fold_of(n_splits, n_samples, groups)
        runs = check_runs(self.runs, n_samples) if gap else None
        for fold in range(n_splits):
            test = fold_of == fold
            near = _near(test, gap, runs) if gap else test
            if near.all():
                raise ValueError(
                    f"fold {fold} of {n_splits} has no training sample left: {test.sum()} of {n_samples} "
                    f"samples are tested and the gap of {gap} samples covers the rest; use a shorter gap"
                )
            yield np.flatnonzero(~near), np.flatnonzero(test)


def _fold_of(n_splits: int, n_samples: int, groups: ArrayLike | None) -> NDArray:
    """Return the fold of each sample (n_samples,), whole groups and in their order."""
    if groups is None:
        raise ValueError("groups is missing: folds are made of whole groups (runs, clips, titles, blocks)")
    groups = check_groups(groups, n_samples)
    _, first, inverse, sizes = np.unique(groups, return_index=True, return_inverse=True, return_counts=True)
    if len(first) < n_splits:
        raise ValueError(f"{len(first)} groups cannot fill {n_splits} folds: use fewer folds or more groups")
    order = np.argsort(first)
    # a group goes to the fold in which its middle falls on the line of all samples ...
    middles = (np.cumsum(sizes[order]) - sizes[order] / 2) / n_samples
    fold = np.minimum((middles * n_splits).astype(int), n_splits - 1)
    fold[0] = 0
    for k in range(1, len(first)):  # ... with no fold skipped, and none left empty at the end
        fold[k] = min(max(fold[k], fold[k - 1], n_splits - len(first) + k), fold[k - 1] + 1)
    fold_of_group = np.empty(len(first), dtype=int)
    fold_of_group[order] = fold
    return fold_of_group[inverse]


def check_groups(groups: ArrayLike | None, n_samples: int, name: str = "groups") -> NDArray | None:
    """Return groups as an array of one id a sample, or None for none.

    Raises
    ------
    ValueError
        If the length differs, or an id is missing (None or NaN).
    """
    if groups is None:
        return None
    groups = np.asarray(groups)
    if groups.shape != (n_samples,):
        raise ValueError(f"{name} has shape {groups.shape}, expected ({n_samples},): one group a sample")
    missing = np.array([group is None or group != group for group in groups.tolist()], dtype=bool)
    if missing.any():
        raise ValueError(
            f"{name} has {missing.sum()} of {n_samples} values that are None or NaN, the first in row "
            f"{int(missing.argmax())}, expected the group of each sample; leave {name} out for blocks in time"
        )
    return groups


def _near(test: NDArray, gap: int, runs: NDArray) -> NDArray:
    """Mark the samples that are tested or within ``gap`` samples of one, inside each run."""
    near = np.zeros_like(test)
    for s in run_slices(runs):
        reach = np.convolve(test[s], np.ones(2 * gap + 1))[gap : gap + s.stop - s.start]
        near[s] = reach > 0.5
    return near


def check_folds(
    cv: Any,
    n_samples: int,
    groups: ArrayLike | None = None,
    gap: int = 0,
    runs: ArrayLike | None = None,
    once: bool = False,
) -> list[tuple[NDArray, NDArray]]:
    """Return the folds as a list of checked ``(train, test)`` index arrays.

    Parameters
    ----------
    cv : int, splitter or list of (train, test)
        A number of folds makes a `GroupGapKFold`; a splitter is called with ``groups``.
    n_samples : int
    groups : array-like (n_samples,), optional
        Needed when ``cv`` is a number.
    gap : int
        Samples dropped on either side of a test group, when ``cv`` is a number.
    runs : array-like (n_samples,), optional
        Run of each sample; a gap does not reach into another run.
    once : bool
        Demand that the folds together test each sample exactly once.

    Returns
    -------
    folds : list of (train, test)
        Row indices, int arrays.

    Raises
    ------
    ValueError
        If ``cv`` is none of these, a fold is empty, repeats a sample, or trains on what it tests; or, with ``once``, a
        sample is tested never or twice.
    """
    groups = check_groups(groups, n_samples)
    if is_whole(cv):
        cv = GroupGapKFold(int(cv), gap=gap, runs=runs)
    elif gap:
        raise ValueError("gap is for a number of folds; give a splitter its own gap")
    folds = _listed(cv, n_samples, groups)
    if not folds:
        raise ValueError("cv has no folds")
    n_tests = np.zeros(n_samples, dtype=int)
    for k, (train, test) in enumerate(folds):
        n_train = _count_rows(train, n_samples, f"fold {k}", "training")
        n_test = _count_rows(test, n_samples, f"fold {k}", "test")
        if n_shared := np.count_nonzero(n_train & n_test):
            raise ValueError(f"fold {k} trains on {n_shared} samples that it tests")
        n_tests += n_test
    if once and not (n_tests == 1).all():
        raise ValueError(f"cv tests {np.count_nonzero(n_tests)} of {n_samples} samples, expected each exactly once")
    return folds


def _count_rows(index: NDArray, n_samples: int, fold: str, name: str) -> NDArray:
    """Return how often a fold has each sample (n_samples,), 0 or 1, once checked; sorting them would take longer."""
    if len(index) == 0:
        raise ValueError(f"{fold} has no {name} sample")
    inside = index.min() >= 0 and index.max() < n_samples
    counts = np.bincount(index, minlength=n_samples) if inside else np.empty(0, dtype=int)
    if not inside or counts.max() > 1:
        raise ValueError(f"{fold}: its {name} samples repeat, or lie outside 0 .. {n_samples - 1}")
    return counts


def _listed(cv: Any, n_samples: int, groups: NDArray | None) -> list[tuple[NDArray, NDArray]]:
    """Return the folds of a splitter or of a list as pairs of index arrays."""
    if hasattr(cv, "split") and not isinstance(cv, str):
        pairs = cv.split(np.empty((n_samples, 0)), None, groups)
    else:
        try:
            pairs = [(train, test) for train, test in cv]
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"cv is {cv!r}, expected a number of folds, a splitter or a list of (train, test) row indices"
            ) from error
    return [(_as_index(train, n_samples), _as_index(test, n_samples)) for train, test in pairs]


def _as_index(rows: ArrayLike, n_samples: int) -> NDArray:
    """Return rows of a fold as an int array; marks (n_samples,) of bool are turned into one."""
    rows = np.asarray(rows)
    if rows.dtype == bool and rows.shape == (n_samples,):
        return np.flatnonzero(rows)
    if rows.ndim != 1 or (rows.size and rows.dtype.kind not in "iu"):
        raise ValueError(f"cv has rows of type {rows.dtype} and shape {rows.shape}, expected row indices (n,) or marks")
    return rows
