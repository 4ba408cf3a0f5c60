"""Identification of segments: the seconds of a film that activity belongs to, among those of the same run.

Time-segment matching (Haxby et al. 2011, Neuron 72:404-16) when both sides are brains; decoding when one side is what
was read from a brain and the other what was shown.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from naturalistic.arrays import ShapeRepr, as_real, check_finite
from naturalistic.decoding.metrics import correlation_similarity
from naturalistic.inference import draw_shifts, p_values
from naturalistic.parameters import whole
from naturalistic.preprocessing import zscore
from naturalistic.runs import check_runs, run_slices, shift_inside_runs

_DECIMALS = 10  # two correlations that agree so far are a tie


@dataclass(frozen=True, repr=False)
class SegmentIdentification(ShapeRepr):
    """Identification of segments among those of their run.

    Attributes
    ----------
    accuracy : array (n_segments,)
        Share of the other segments of the run that the prediction is less similar to than to the right one; a tie
        counts half. Chance is 0.5.
    is_first : bool array (n_segments,)
        Whether no other segment of the run is as similar: exact identification, with a chance of 1 in as many.
    runs : array (n_segments,)
        Run of each segment.
    null : array (n_permutations,)
        Mean accuracy with the prediction shifted circularly inside each run.
    p : float
        (b + 1) / (m + 1) of the mean accuracy; NaN without permutations.
    """

    accuracy: NDArray
    is_first: NDArray
    runs: NDArray
    null: NDArray
    p: float


def identify_segments(
    predicted: ArrayLike,
    target: ArrayLike,
    runs: ArrayLike | None,
    n_trs: int,
    *,
    n_permutations: int = 0,
    seed: int = 0,
) -> SegmentIdentification:
    """Identify each segment of the target by its correlation with the prediction.

    Columns are z-scored inside each run; a segment is all columns at all of its TRs, as one vector. Segments do not
    overlap, and what is left at the end of a run is not used.

    Parameters
    ----------
    predicted, target : array (n_total_trs, n_columns)
        Such as decoded and true features, or one subject's BOLD and the mean of the others.
    runs : array-like (n_total_trs,) or None
    n_trs : int
        TRs of a segment.
    n_permutations : int
        Circular shifts for the null; what is smooth stays smooth under it.
    seed : int

    Returns
    -------
    identified : SegmentIdentification

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, or a run has fewer than two segments.
    """
    predicted = as_real(predicted, "predicted")
    target = as_real(target, "target")
    if predicted.ndim != 2 or predicted.shape != target.shape:
        raise ValueError(
            f"predicted has shape {predicted.shape} and target {target.shape}, expected (n_trs, n_columns) for both"
        )
    check_finite(predicted, "predicted")
    check_finite(target, "target")
    runs = check_runs(runs, len(predicted))
    slices = run_slices(runs)
    shortest = min(s.stop - s.start for s in slices)
    n_trs = whole("n_trs", n_trs, 1, shortest // 2, hint=f"the shortest run, of {shortest} TRs, needs two segments")
    n_permutations = whole("n_permutations", n_permutations, 0)
    predicted = zscore(predicted, runs)
    segments = [_segments(zscore(target, runs)[s], n_trs) for s in slices]
    accuracy, is_first = _identify(predicted, segments, slices, n_trs)
    null = np.empty(0)
    p = np.nan
    if n_permutations:
        shifts = draw_shifts(runs, n_permutations, seed=seed)
        shifted = (shift_inside_runs(predicted, row, slices) for row in shifts)
        null = np.array([_identify(x, segments, slices, n_trs)[0].mean() for x in shifted])
        p = float(p_values(accuracy.mean(keepdims=True), null[:, None])[0])
    run_of_segment = np.concatenate([np.full(len(x), runs[s.start]) for x, s in zip(segments, slices)])
    return SegmentIdentification(accuracy, is_first, run_of_segment, null, p)


def _segments(values: NDArray, n_trs: int) -> NDArray:
    """Return the segments of a run as rows (n_segments, n_trs * n_columns)."""
    n = len(values) // n_trs
    return values[: n * n_trs].reshape(n, -1)


def _identify(predicted: NDArray, segments: list[NDArray], slices: list[slice], n_trs: int) -> tuple[NDArray, NDArray]:
    """Return accuracy and exact identification of each segment of all runs."""
    accuracy = []
    is_first = []
    for target, s in zip(segments, slices):
        similarity = np.round(correlation_similarity(_segments(predicted[s], n_trs), target), _DECIMALS)
        right = np.diag(similarity)[:, None]
        below = (similarity < right).sum(axis=1)
        ties = (similarity == right).sum(axis=1) - 1
        accuracy.append((below + ties / 2) / (len(target) - 1))
        is_first.append(below == len(target) - 1)
    return np.concatenate(accuracy), np.concatenate(is_first)
