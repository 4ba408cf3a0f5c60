"""Learning curves: test runs predicted from parts of the training runs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from naturalistic.arrays import ShapeRepr, take_columns
from naturalistic.encoding.design import Delays, Spaces, bytes_of_fit, check_spaces
from naturalistic.encoding.multi_subject import MultiSubjectBold
from naturalistic.encoding.prediction import Prediction, fit_predict
from naturalistic.encoding.split import Split, as_responses, check_length
from naturalistic.features.delays import as_delays
from naturalistic.models.engine.device import in_parallel, pick_device
from naturalistic.models.folds import GroupGapKFold, contiguous_groups
from naturalistic.models.ridge import RidgeCV
from naturalistic.parameters import is_whole, whole
from naturalistic.runs import check_runs, run_slices

LEAST = 10  # TRs that each fold must test and keep


@dataclass(frozen=True, repr=False)
class LearningCurve(ShapeRepr):
    """Accuracy on test runs by minutes of training.

    Attributes
    ----------
    minutes : array (n_points,)
        Of film that the model was fitted on.
    r : array (n_points, n_voxels)
        Pearson correlation on the test runs.
    """

    minutes: NDArray
    r: NDArray


def learning_curve(
    features: Spaces,
    bold: ArrayLike | MultiSubjectBold,
    model: RidgeCV,
    split: Split,
    *,
    minutes: Sequence[float] | None = None,
    order: Sequence | None = None,
    voxels: ArrayLike | slice | Mapping[str, NDArray] | None = None,
    gap: int = 10,
) -> LearningCurve:
    """Predict the test runs from more and more minutes of the training runs.

    The minutes of one point are among those of the next: one run after another, each from its start, so that more
    minutes are also more runs, of other films where a run is of a film. Alphas are chosen
    inside these minutes alone, by folds made in the same way for all points (`blocked_folds`); the test runs stay.

    Parameters
    ----------
    features, bold, model, split
        As in `fit_predict`. Of the model's ``cv`` only the number of folds is kept.
    minutes : sequence of float, optional
        An eighth, a quarter, a half and all of the training runs by default.
    order : sequence, optional
        Ids of training runs in the order in which they are taken; all, as they come, by default. Runs that are not
        named are left out.
    voxels : index array or slice, or dict of str to index array, optional
        Columns of ``bold``, chosen without the test runs; by subject of a `MultiSubjectBold`.
    gap : int
        TRs left out of training on either side of a block that a fold tests.

    Returns
    -------
    curve : LearningCurve
        A piece of a run that is no longer than the longest delay is left out, and not counted in ``minutes``.

    Raises
    ------
    ValueError
        As `fit_predict`; if the minutes are more than there are or too few for the folds, or a run of ``order``
        is no training run.
    """
    bold = as_responses(bold)
    gap = whole("gap", gap, 0)
    check_length(split, len(bold))
    tr = split.tr
    pieces = _pieces(split.runs, split.test, order)
    total = sum(len(piece) for piece in pieces)
    available = total * tr / 60
    minutes = available / np.array([8, 4, 2, 1]) if minutes is None else np.atleast_1d(np.asarray(minutes, dtype=float))
    counts = [min(round(m * 60 / tr), total) if 0 < m <= available + 1e-9 else 0 for m in minutes.tolist()]
    if not counts or min(counts) < 1:
        raise ValueError(f"minutes are {minutes.tolist()}, expected one or more, above 0 and up to {available:.4g}")
    if voxels is not None:
        bold = bold.select_voxels(voxels) if isinstance(bold, MultiSubjectBold) else take_columns(bold, voxels)
    longest = _longest(features, split.delays, len(bold), tr)
    parts = [_first(pieces, n, longest, len(bold)) for n in counts]

    def score_part(keep: NDArray) -> NDArray:
        return fit_predict_part(keep, features, bold, model, split, gap=gap).correlation()

    n_bytes = bytes_of_fit(features, split.delays, *bold.shape)
    # the most minutes, which take longest, come first: all others are done meanwhile
    order_of_work = np.argsort(counts, kind="stable")[::-1]
    scored = in_parallel(score_part, [parts[k] for k in order_of_work], pick_device(model.device), n_bytes)
    r = dict(zip(order_of_work.tolist(), scored))
    return LearningCurve(np.array([keep.sum() * tr / 60 for keep in parts]), np.stack([r[k] for k in range(len(r))]))


def fit_predict_part(
    keep: NDArray, features: Spaces, bold: ArrayLike | MultiSubjectBold, model: RidgeCV, split: Split, *, gap: int = 10
) -> Prediction:
    """Predict the test runs from some of the training TRs.

    Features are scaled, and alphas chosen, by these alone.

    Parameters
    ----------
    keep : bool array (n_trs,)
        Training TRs to fit on, in one stretch of a run. Features before it count as none, as before a run's start.
    features, bold, model, split
        As in `fit_predict`. Of the model's ``cv`` only the number of folds is kept.
    gap : int
        As in `blocked_folds`.

    Returns
    -------
    prediction : Prediction
    """
    bold = as_responses(bold)
    spaces, _ = check_spaces(features, split.delays, len(bold))
    check_length(split, len(bold))
    folds = blocked_folds(split.runs[keep], _n_folds(model.cv), gap, split.groups[keep])
    kept = keep | split.test
    part = {name: x[kept] for name, x in spaces.items()}
    return fit_predict(part, bold[kept], clone(model).set_params(cv=folds, gap=0), split.select(kept))


def blocked_folds(
    runs: ArrayLike, n_folds: int, gap: int = 10, groups: ArrayLike | None = None
) -> list[tuple[NDArray, NDArray]]:
    """Return folds of runs, or of contiguous blocks where runs are few.

    Runs are cut into blocks of about equal length, three a fold (one a run, where runs are three times as many as folds
    or more); a fold tests neighboring blocks, and TRs near to them in the same run are left out of training.

    Parameters
    ----------
    runs : array (n_trs,)
    n_folds : int
    gap : int
        TRs left out of training on either side of what is tested.
    groups : array (n_trs,), optional
        Of a `Split`: runs of one group presented the same, are cut at the same places, and tested together.

    Returns
    -------
    folds : list of (train, test)

    Raises
    ------
    ValueError
        If a fold would test or train on fewer than 10 TRs.
    """
    n_trs = len(runs)
    n_folds = whole("n_folds", n_folds, 2)
    gap = whole("gap", gap, 0)
    if n_trs // n_folds < LEAST or n_trs - math.ceil(n_trs / n_folds) - 2 * gap < LEAST:
        raise ValueError(
            f"{n_trs} TRs to train on are too few for {n_folds} folds with gaps of {gap} TRs: expected {LEAST} or more "
            "in each fold and outside of it; take more minutes, fewer folds or a shorter gap"
        )
    runs = check_runs(runs, n_trs)
    groups = runs if groups is None else np.asarray(groups)
    cuts = (runs[1:] != runs[:-1]) | (groups[1:] != groups[:-1])
    stretches = np.concatenate([[0], np.cumsum(cuts)])  # each is of one run and one group
    n_blocks = max(3 * n_folds, len(np.unique(groups)))
    blocks = contiguous_groups(stretches, n_blocks, recordings=groups)
    return list(GroupGapKFold(n_folds, gap, runs).split(blocks, None, blocks))


def _n_folds(cv: Any) -> int:
    """Return the number of folds of a model's ``cv``."""
    if is_whole(cv):
        return int(cv)
    return cv.get_n_splits() if hasattr(cv, "get_n_splits") else len(list(cv))


def _pieces(runs: NDArray, test: NDArray, order: Sequence | None) -> list[NDArray]:
    """Return the TRs of each training run, in order."""
    training = {runs[s.start].item(): np.arange(s.start, s.stop) for s in run_slices(runs) if not test[s].any()}
    order = list(training) if order is None else list(order)
    if not order or len(set(order)) != len(order) or not set(order) <= set(training):
        raise ValueError(f"order is {order}, expected training runs, each once: {list(training)}")
    return [training[run] for run in order]


def _longest(spaces: Spaces, delays: Delays, n_trs: int, tr: float) -> int:
    """Return the longest delay of any space in TRs."""
    delays_by_space = check_spaces(spaces, delays, n_trs)[1].values()
    return math.ceil(max(np.max(group) for delays in delays_by_space for group in as_delays(delays)) / tr)


def _first(pieces: Sequence[NDArray], n: int, longest: int, n_trs: int) -> NDArray:
    """Mark the first n TRs, without a last piece shorter than the delays."""
    keep = np.zeros(n_trs, dtype=bool)
    for piece in pieces:
        part = piece[:n]
        keep[part] = len(part) > longest
        n -= len(part)
    return keep
