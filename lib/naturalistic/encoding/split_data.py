"""Data of a split: delayed features and responses of the training and the test TRs."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from naturalistic.arrays import ShapeRepr, as_floats, release_pages
from naturalistic.datasets.repeats import StackRepeats
from naturalistic.encoding.design import FittedSpaces, Spaces, check_confounds, check_spaces, design, residuals
from naturalistic.encoding.split import FoldSplit, Split, as_responses, check_length, marked_rows
from naturalistic.models.engine.validation import check_finite
from naturalistic.runs import run_slices

if TYPE_CHECKING:
    from naturalistic.encoding.multi_subject import MultiSubjectBold


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
    spaces, delays = check_spaces(features, split.delays, len(bold))
    check_length(split, len(bold))
    if confounds is not None:
        confounds = check_confounds(confounds, len(bold), int((~split.test).sum()))
        bold = residuals(_as_array(bold), confounds, ~split.test)
    return _with_spaces(split_responses(bold, split), spaces, delays, split, confounds)


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


def with_features(responses: SplitResponses, features: Spaces, split: Split) -> SplitData:
    """Return responses with the delayed features of the training and the test TRs.

    Parameters
    ----------
    responses : SplitResponses
    features, split
        As in `naturalistic.encoding.fit_predict`.

    Returns
    -------
    data : SplitData

    Raises
    ------
    ValueError
        As `split_data`, of the features.
    """
    return _with_spaces(responses, *check_spaces(features, split.delays, len(split.test)), split)


def _with_spaces(
    responses: SplitResponses,
    spaces: dict[str, NDArray],
    delays: Mapping[str, Sequence[float]],
    split: Split,
    confounds: NDArray | None = None,
) -> SplitData:
    """Return responses with features that `check_spaces` has checked, less what confounds explain of them.

    A space that is constant over a whole test run (a level that nobody annotated there) stands at its training mean in
    that run, and predicts nothing there.
    """
    test = split.test
    runs = split.runs
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


def _average_repeats(x: NDArray, runs: NDArray, lay_repeats: StackRepeats | None) -> tuple[NDArray, NDArray]:
    """Return the mean over repeats, of the same dtype, and its runs."""
    if lay_repeats is None:
        return x, runs
    repeats, ids = lay_repeats(x, runs)
    return repeats.mean(axis=0, dtype=x.dtype), ids
