"""Identification of segments: the seconds of a film that activity belongs to, among those of the same run.

Time-segment matching (Haxby et al. 2011, Neuron 72:404-16) when both sides are brains; decoding when one side is what
was read from a brain and the other what was shown.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from naturalistic.arrays import ShapeRepr
from naturalistic.decoding.metrics import check_vectors, identification
from naturalistic.inference import draw_shifts, p_values
from naturalistic.parameters import whole
from naturalistic.preprocessing import zscore
from naturalistic.runs import check_runs, run_slices, shift_inside_runs


@dataclass(frozen=True, repr=False)
class SegmentIdentification(ShapeRepr):
    """Identification of segments among those of their run.

    Attributes
    ----------
    accuracy : array (n_segments,)
        Share of the other segments of the run that the prediction is less similar to than to the right one; a tie
        counts half. Chance is 0.5.
    runs : array (n_segments,)
        Run of each segment.
    null : array (n_permutations,)
        Mean accuracy with the prediction shifted circularly inside each run.
    p : float
        (b + 1) / (m + 1) of the mean accuracy; NaN without permutations.
    """

    accuracy: NDArray
    runs: NDArray
    null: NDArray
    p: float

    @property
    def is_first(self) -> NDArray:
        """Return whether no other segment of the run is as similar: exact identification, bool (n_segments,).

        Chance is 1 in the number of segments of the run.
        """
        return self.accuracy == 1


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
    predicted, target = check_vectors(predicted, target)
    runs = check_runs(runs, len(predicted))
    slices = run_slices(runs)
    shortest = min(s.stop - s.start for s in slices)
    n_trs = whole("n_trs", n_trs, 1, shortest // 2, hint=f"the shortest run, of {shortest} TRs, needs two segments")
    n_permutations = whole("n_permutations", n_permutations, 0)
    predicted = zscore(predicted, runs)
    segments = [_segments(zscore(target, runs)[s], n_trs) for s in slices]
    accuracy = _identify(predicted, segments, slices, n_trs)
    null = np.empty(0)
    p = np.nan
    if n_permutations:
        shifts = draw_shifts(runs, n_permutations, seed=seed)
        shifted = (shift_inside_runs(predicted, row, slices) for row in shifts)
        null = np.array([_identify(x, segments, slices, n_trs).mean() for x in shifted])
        p = float(p_values(accuracy.mean(keepdims=True), null[:, None])[0])
    run_of_segment = np.concatenate([np.full(len(x), runs[s.start]) for x, s in zip(segments, slices)])
    return SegmentIdentification(accuracy, run_of_segment, null, p)


def _segments(values: NDArray, n_trs: int) -> NDArray:
    """Return the segments of a run as rows (n_segments, n_trs * n_columns)."""
    n = len(values) // n_trs
    return values[: n * n_trs].reshape(n, -1)


def _identify(predicted: NDArray, segments: list[NDArray], slices: list[slice], n_trs: int) -> NDArray:
    """Return the pairwise accuracy of each segment among those of its run."""
    pairs = ((_segments(predicted[s], n_trs), target) for s, target in zip(slices, segments))
    return np.concatenate([identification(found, target) for found, target in pairs])
