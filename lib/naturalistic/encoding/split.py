"""Splits: TRs to train and to test on, and delays of features.

`Split` tests whole runs that stay the same; `FoldSplit` leaves out groups of TRs in turn, where there is one run.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from naturalistic.arrays import ShapeRepr, as_floats, release_pages
from naturalistic.datasets.repeats import StackRepeats
from naturalistic.encoding.design import (
    Delays,
    FittedSpaces,
    Spaces,
    check_confounds,
    check_spaces,
    design,
    residuals,
)
from naturalistic.models.engine.validation import check_finite
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


@dataclass(frozen=True, eq=False, repr=False)
class SplitData(ShapeRepr):
    """Delayed features and responses of training and test TRs.

    Attributes
    ----------
    train : dict of array (n_train_trs, n_columns)
        Delayed features of each space, scaled by the training TRs.
    bold : array, memory map or MultiSubjectBold (n_train_trs, n_voxels)
        Responses of the training TRs.
    train_runs : array (n_train_trs,)
    train_groups : array (n_train_trs,)
        What folds of the training TRs keep together.
    test : dict of array (n_samples, n_columns)
        Averaged over repeats and centered in each run: so is what a linear model predicts from them.
    test_runs : array (n_samples,)
    measured : callable
        ``measured(columns)`` gives test responses (n_samples, n) of a slice of voxels, averaged and centered likewise.
    """

    train: dict[str, NDArray]
    bold: "NDArray | MultiSubjectBold"
    train_runs: NDArray
    train_groups: NDArray
    test: dict[str, NDArray]
    test_runs: NDArray
    measured: Callable[[slice], NDArray]


@dataclass(frozen=True, eq=False, repr=False)
class SplitResponses(ShapeRepr):
    """Responses of training and test TRs, checked once for any number of feature spaces.

    Attributes
    ----------
    train : array, memory map or MultiSubjectBold (n_train_trs, n_voxels)
    test_runs : array (n_samples,)
        Of the averaged test TRs.
    measured : callable
        See `SplitData`.
    """

    train: "NDArray | MultiSubjectBold"
    test_runs: NDArray
    measured: Callable[[slice], NDArray]


def split_data(
    features: Spaces, bold: "ArrayLike | MultiSubjectBold", split: Split, confounds: ArrayLike | None = None
) -> SplitData:
    """Return delayed features and responses of the training and the test TRs.

    Parameters
    ----------
    features, bold, split, confounds
        As in `naturalistic.encoding.fit_predict`.

    Returns
    -------
    data : SplitData

    Raises
    ------
    ValueError
        If lengths differ, ``bold`` is not of numbers, or a space is constant over a whole training run or over all
        test runs; the space and the runs are named.
    """
    bold = as_responses(bold)
    check_spaces(features, split.delays, len(bold))
    check_length(split, len(bold))
    if confounds is not None:
        confounds = check_confounds(confounds, len(bold), int((~split.test).sum()))
        bold = residuals(_as_array(bold), confounds, ~split.test)
    return with_features(split_responses(bold, split), features, split, confounds)


def split_responses(bold: "NDArray | MultiSubjectBold", split: Split, remembered_bytes: int = 0) -> SplitResponses:
    """Return the responses of training and test TRs.

    Parameters
    ----------
    bold : array, memory map or MultiSubjectBold (n_trs, n_voxels)
        As `as_responses` gives it.
    split : Split
    remembered_bytes : int
        Averaged test responses are kept, block by block, if those of all voxels take no more than this.

    Returns
    -------
    responses : SplitResponses

    Raises
    ------
    ValueError
        If a test response is not finite. (Those of training are checked by the fit.)
    """
    test = split.test
    test_runs = split.runs[test]
    check_finite(marked_rows(bold, test), "bold of the test runs")
    first, last = np.flatnonzero(test)[[0, -1]]
    span = slice(int(first), int(last) + 1)
    marks = test[span]
    ids = _average_repeats(np.zeros((len(test_runs), 1), np.float32), test_runs, split.repeats)[1]

    def measured(columns: slice = slice(None)) -> NDArray:
        # columns first: rows that lie apart are copied, of these voxels alone
        responses = marked_rows(bold[span, columns], marks)
        averaged = centered(_average_repeats(responses, test_runs, split.repeats)[0], ids)
        release_pages(bold)
        return averaged

    if len(ids) * bold.shape[1] * bold.dtype.itemsize <= remembered_bytes:
        measured = _remembering(measured)
    return SplitResponses(marked_rows(bold, ~test), ids, measured)


def _remembering(measured: Callable[[slice], NDArray]) -> Callable[[slice], NDArray]:
    """Return the same function of a slice, which computes each slice once."""
    known: dict[tuple, NDArray] = {}

    def recalled(columns: slice = slice(None)) -> NDArray:
        key = columns.start, columns.stop, columns.step
        if key not in known:
            known[key] = measured(columns)
        return known[key]

    return recalled


def with_features(
    responses: SplitResponses, features: Spaces, split: Split, confounds: NDArray | None = None
) -> SplitData:
    """Return responses with the delayed features of the training and the test TRs.

    A space that is constant over a whole test run (a level that nobody annotated there) stands at its training mean in
    that run, and predicts nothing there.

    Parameters
    ----------
    responses : SplitResponses
    features, split
        As in `naturalistic.encoding.fit_predict`.
    confounds : array (n_trs, n_confounds), optional
        Regressed out of the features.

    Returns
    -------
    data : SplitData

    Raises
    ------
    ValueError
        As `split_data`, of the features.
    """
    test = split.test
    runs = split.runs
    spaces, delays = check_spaces(features, split.delays, len(test))
    missing = {name: _missing_runs(name, x, runs, test) for name, x in spaces.items()}
    train = {}
    tested = {}
    for name, x in spaces.items():
        X = design({name: x}, delays, split.tr, runs, ~test)
        if confounds is not None:
            X = residuals(X, confounds, ~test)
        for run in missing[name]:
            X[run] = 0
        train[name] = marked_rows(X, ~test)
        averaged, ids = _average_repeats(marked_rows(X, test), runs[test], split.repeats)
        tested[name] = centered(averaged, ids)
    groups = split.groups[~test]
    return SplitData(train, responses.train, runs[~test], groups, tested, responses.test_runs, responses.measured)


def fold_designer(
    features: Spaces | FittedSpaces, split: FoldSplit, lock: AbstractContextManager | None = None
) -> Callable[[NDArray], dict[str, NDArray]]:
    """Return a function that makes the delayed features of a fold.

    Parameters
    ----------
    features, split
        As in `naturalistic.encoding.fit_predict`.
    lock : threading.Lock, optional
        Held while ``features`` is called; of its own by default.

    Returns
    -------
    design_of : callable
        Gives a dict of str to array (n_kept, n_columns), by space, scaled by the training TRs, from the fold's training
        TRs (indices into those that are kept). Threads may call it; ``features`` is called by one at a time.

    Raises
    ------
    ValueError
        If lengths differ, or a space is no table of finite numbers; of what is no function at once, else by fold.
    """
    n_trs = len(split.groups)
    if not callable(features):
        features, _ = check_spaces(features, split.delays, n_trs)
    one_at_a_time = lock or Lock()

    def design_of(train: NDArray) -> dict[str, NDArray]:
        """Return the delayed features of the fold that these TRs train."""
        mask = split.training_mask(train)
        with one_at_a_time:
            of_fold = features(mask) if callable(features) else features
        spaces, delays = check_spaces(of_fold, split.delays, n_trs)
        return {n: design({n: x}, delays, split.tr, split.runs, mask)[split.keep] for n, x in spaces.items()}

    return design_of


def fold_data(features: Spaces | FittedSpaces, bold: NDArray, split: FoldSplit) -> Callable[[tuple], SplitData]:
    """Return a function that makes the delayed features and responses of training and test TRs of a fold.

    Parameters
    ----------
    features, split
        As in `naturalistic.encoding.fit_predict`.
    bold : array (n_trs, n_voxels)

    Returns
    -------
    data_of : callable
        Gives `SplitData` for one ``(train, test)`` of the split; see `fold_designer`.

    Raises
    ------
    ValueError
        If lengths differ, or a space is no table of finite numbers.
    """
    bold = as_floats(bold, "bold")
    check_length(split, len(bold))
    check_finite(bold, "bold")
    responses = bold[split.keep]
    runs = split.kept_runs
    groups = split.kept_groups
    design_of = fold_designer(features, split)

    def data_of(fold: tuple[NDArray, NDArray]) -> SplitData:
        """Return the data of one fold, of which its training and its test TRs are given."""
        train, test = fold
        X = design_of(train)
        measured = centered(responses[test], runs[test])
        return SplitData(
            {name: x[train] for name, x in X.items()},
            responses[train],
            groups[train],
            groups[train],
            {name: centered(x[test], runs[test]) for name, x in X.items()},
            runs[test],
            lambda columns=slice(None): measured[:, columns],
        )

    return data_of


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


def centered(x: NDArray, runs: NDArray) -> NDArray:
    """Return values with mean 0 in each run.

    Parameters
    ----------
    x : array (n_samples, n)
    runs : array (n_samples,)

    Returns
    -------
    x : array (n_samples, n)
        Of the same dtype.
    """
    return np.concatenate([x[s] - x[s].mean(axis=0, dtype=np.float64).astype(x.dtype) for s in run_slices(runs)])


def _as_array(bold: "NDArray | MultiSubjectBold") -> NDArray:
    """Return responses as an array, from which confounds can be regressed out."""
    if not isinstance(bold, np.ndarray):
        raise ValueError(
            f"confounds cannot be regressed out of bold of type {type(bold).__name__}, expected an array: each subject "
            "has confounds of its own, so fit one subject at a time"
        )
    return bold


def _missing_runs(name: str, x: NDArray, runs: NDArray, test: NDArray) -> list[slice]:
    """Return the test runs (slices) in which no feature of a space varies."""
    slices = run_slices(runs, len(x))
    constant = [s for s in slices if (x[s] == x[s.start]).all()]
    in_training = [runs[s.start].item() for s in constant if not test[s.start]]
    if in_training:
        raise ValueError(
            f"the space {name!r} is constant over the whole training run(s) {in_training}: is it missing there? Leave "
            "out those runs, or the space"
        )
    if len(constant) == sum(bool(test[s.start]) for s in slices):
        raise ValueError(
            f"the space {name!r} is constant in each test run ({[runs[s.start].item() for s in constant]}): it "
            "predicts nothing, and what it adds cannot be told; leave it out"
        )
    return constant


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


def _average_repeats(x: NDArray, runs: NDArray, lay_repeats: StackRepeats | None) -> tuple[NDArray, NDArray]:
    """Return the mean over repeats, of the same dtype, and its runs."""
    if lay_repeats is None:
        return x, runs
    repeats, ids = lay_repeats(x, runs)
    return repeats.mean(axis=0, dtype=x.dtype), ids
