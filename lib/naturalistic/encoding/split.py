"""Splits: TRs to train and to test on, and delays of features.

`Split` tests whole runs that stay the same; `FoldSplit` leaves out groups of TRs in turn, where there is one run. What
of features and responses is trained and tested is in `split_data`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from naturalistic.arrays import as_floats
from naturalistic.datasets.repeats import StackRepeats
from naturalistic.encoding.design import Delays
from naturalistic.models.folds import check_folds, check_groups
from naturalistic.runs import check_runs, run_slices

if TYPE_CHECKING:
    from naturalistic.encoding.multi_subject import MultiSubjectBold

Rows = TypeVar("Rows", NDArray, "MultiSubjectBold")  # what has rows keeps its type when some are taken


@dataclass(frozen=True, eq=False)
class Split:
    """Test runs and training runs of a subject, and the time axis that both share.

    Attributes
    ----------
    test : bool array (n_trs,)
        TRs of whole runs; the others train.
    runs : array (n_trs,)
        Run id of each TR.
    tr : float
        Repetition time in s.
    delays : sequence of float, or dict of such by space
        Delays of the features in s.
    repeats : callable, optional
        From values (n_test_trs, n) and their runs to repeats (n_repeats, n_samples, n) and the runs of samples, such as
        ``experiment.stack_repeats``. The mean over repeats is then predicted: that of the features predicts that of the
        responses, as the model is linear.
    groups : array (n_trs,), optional
        What stays together wherever training TRs are divided (folds that choose alphas or weights, halves): runs by
        default. TRs that presented the same stimulus, such as two runs of one story, need the same group: what a brain
        does each time at the same moment would else be in training and be tested (`datasets.repeats`).

    Raises
    ------
    ValueError
        If lengths differ, ``test`` does not mark whole runs and leave some to train on, or a group is in both.
    """

    test: NDArray
    runs: NDArray
    tr: float
    delays: Delays
    repeats: StackRepeats | None = None
    groups: NDArray | None = None

    def __post_init__(self) -> None:
        test = np.asarray(self.test)
        runs = check_runs(self.runs, len(np.atleast_1d(self.runs)))
        test = _check_test(test, runs)
        groups = runs if self.groups is None else check_groups(self.groups, len(runs))
        shared = np.intersect1d(groups[test], groups[~test])
        if len(shared):
            raise ValueError(
                f"the group(s) {shared.tolist()} are in test and in training: a model that was trained on a recording "
                "is not tested on it"
            )
        object.__setattr__(self, "test", test)
        object.__setattr__(self, "runs", runs)
        object.__setattr__(self, "groups", groups)

    def __repr__(self) -> str:
        n_test = int(self.test.sum())
        n_runs = len(run_slices(self.runs))
        return f"Split({len(self.test) - n_test} training and {n_test} test TRs of {self.tr} s in {n_runs} runs)"

    def select(self, trs: NDArray) -> "Split":
        """Return the split of some TRs.

        Parameters
        ----------
        trs : bool array (n_trs,)

        Returns
        -------
        split : Split
        """
        return Split(self.test[trs], self.runs[trs], self.tr, self.delays, self.repeats, self.groups[trs])


@dataclass(frozen=True, eq=False)
class FoldSplit:
    """Groups of TRs that are left out in turn, where no run is set aside.

    Attributes
    ----------
    groups : array (n_trs,)
        Runs, titles or contiguous blocks that are left out whole.
    cv : int, splitter or list of (train, test)
        Outer folds; together they test each TR once.
    tr : float
        Repetition time in s.
    delays : sequence of float, or dict of such by space
        Delays of the features in s; ``[0]`` leaves a space as it is.
    runs : array (n_trs,), optional
        Run id of each TR; one run by default.
    gap : int
        TRs left out of training on either side of a test group, when ``cv`` is a number.
    keep : bool array (n_trs,), optional
        TRs that train and test; all by default. The others only give delayed features what came before, such as the
        start of a run that shows again what ended the run before. Folds are of the TRs that are kept.

    Raises
    ------
    ValueError
        If lengths differ, or groups are missing.
    """

    groups: NDArray
    cv: Any
    tr: float
    delays: Delays
    runs: NDArray | None = None
    gap: int = 0
    keep: NDArray | None = None

    def __post_init__(self) -> None:
        if self.groups is None:
            raise ValueError("groups is None, expected the group of each TR: runs, titles or contiguous blocks")
        n_trs = len(np.atleast_1d(self.groups))
        object.__setattr__(self, "groups", check_groups(self.groups, n_trs))
        object.__setattr__(self, "runs", check_runs(self.runs, n_trs))
        keep = np.ones(n_trs, dtype=bool) if self.keep is None else np.asarray(self.keep)
        if keep.dtype != bool or keep.shape != (n_trs,) or not keep.any():
            raise ValueError(f"keep is {keep.dtype} of shape {keep.shape}, expected one bool for each of {n_trs} TRs")
        object.__setattr__(self, "keep", keep)

    @property
    def kept_runs(self) -> NDArray:
        """Return the run of each TR that is kept (n_kept,)."""
        return self.runs[self.keep]

    @property
    def kept_groups(self) -> NDArray:
        """Return the group of each TR that is kept (n_kept,)."""
        return self.groups[self.keep]

    def folds(self) -> list[tuple[NDArray, NDArray]]:
        """Return ``(train, test)`` indices into the TRs that are kept, of each fold."""
        n_kept = int(self.keep.sum())
        return check_folds(self.cv, n_kept, self.kept_groups, self.gap, self.kept_runs, once=True)

    def training_mask(self, train: NDArray) -> NDArray:
        """Return training TRs (indices into those that are kept) as a mask of all TRs: bool (n_trs,)."""
        mask = np.zeros(len(self.keep), dtype=bool)
        mask[np.flatnonzero(self.keep)[train]] = True
        return mask

    def __repr__(self) -> str:
        n_groups = len(np.unique(self.groups))
        n_trs = int(self.keep.sum())
        return f"FoldSplit({n_trs} TRs of {self.tr} s in {n_groups} groups, cv={self.cv}, gap={self.gap})"


def check_length(split: Split | FoldSplit, n_trs: int) -> None:
    """Raise an error unless a split has as many TRs as the responses.

    Raises
    ------
    ValueError
        Naming both lengths.
    """
    if len(split.runs) != n_trs:
        name = "groups" if isinstance(split, FoldSplit) else "test"
        raise ValueError(f"{name} has shape ({len(split.runs)},), expected ({n_trs},): one value for each TR of bold")


def as_responses(bold: "ArrayLike | MultiSubjectBold", name: str = "bold") -> "NDArray | MultiSubjectBold":
    """Return BOLD as floats that can be sliced by rows and columns.

    Parameters
    ----------
    bold : array-like, memory map or MultiSubjectBold (n_trs, n_voxels)
    name : str
        Name of the argument in errors.

    Returns
    -------
    bold : array, memory map or MultiSubjectBold
        float32 and float64 come back as they are (a memory map is not read); other formats are converted.

    Raises
    ------
    ValueError
        If it is not of numbers (n_trs, n_voxels).
    """
    if getattr(bold, "dtype", None) not in (np.float32, np.float64):
        bold = as_floats(bold, name)
    if len(bold.shape) != 2:
        raise ValueError(f"{name} has shape {bold.shape}, expected (n_trs, n_voxels): one voxel is bold[:, None]")
    return bold


def marked_rows(x: Rows, marked: NDArray) -> Rows:
    """Return the marked rows, as a view where they are adjacent.

    Nothing is read from a memory map then.

    Parameters
    ----------
    x : array or memory map (n_trs, ...)
    marked : bool array (n_trs,)
        One mark or more.

    Returns
    -------
    rows : array (n_marked, ...)
    """
    first, last = np.flatnonzero(marked)[[0, -1]]
    if last - first + 1 == marked.sum():
        return x[first : last + 1]
    return x[marked]


def _check_test(test: NDArray, runs: NDArray) -> NDArray:
    """Return the mask of test TRs, once checked.

    They must be of whole runs and leave some to train on.
    """
    n_trs = len(runs)
    if test.dtype != bool or test.shape != (n_trs,):
        raise ValueError(
            f"test is {test.dtype} of shape {test.shape} and runs has shape ({n_trs},), expected one True or False and "
            "one run id for each TR"
        )
    if test.all() or not test.any():
        raise ValueError(
            f"test marks {test.sum()} of {n_trs} TRs, expected some to test on and others to train on: has the subject "
            "test runs and training runs?"
        )
    parts = [s for s in run_slices(runs, n_trs) if 0 < test[s].sum() < s.stop - s.start]
    if parts:
        raise ValueError(f"test marks a part of the run at TRs {parts[0].start} to {parts[0].stop - 1}: mark it whole")
    return test
