"""Identification of segments: the seconds of a film that activity belongs to, among those of the same run.

Time-segment matching (Haxby et al. 2011, Neuron 72:404-16) when both sides are brains; decoding when one side is what
was read from a brain and the other what was shown.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from naturalistic.arrays import ShapeRepr
from naturalistic.decoding.metrics import check_vectors
from naturalistic.inference import draw_shifts, p_values
from naturalistic.parameters import whole
from naturalistic.preprocessing import zscore
from naturalistic.runs import check_runs, run_slices

_DECIMALS = 10  # of a correlation: what is closer than that is a tie


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
    target = zscore(target, runs)
    shifts = np.zeros((1, len(slices)), dtype=int)  # the observed alignment comes first
    if n_permutations:
        shifts = np.concatenate([shifts, draw_shifts(runs, n_permutations, seed=seed)])
    by_run = [_identify(predicted[s], target[s], n_trs, of_run) for s, of_run in zip(slices, shifts.T)]
    run_of_segment = np.concatenate([np.full(x.shape[1], runs[s.start]) for x, s in zip(by_run, slices)])
    accuracy = np.concatenate(by_run, axis=1)
    null = accuracy[1:].mean(axis=1)
    p = np.nan
    if n_permutations:
        p = float(p_values(accuracy[0].mean(keepdims=True), null[:, None])[0])
    return SegmentIdentification(accuracy[0], run_of_segment, null, p)


def _identify(predicted: NDArray, target: NDArray, n_trs: int, shifts: NDArray) -> NDArray:
    """Return the pairwise accuracy of each segment among those of its run (n_shifts, n_segments).

    A segment's product with another is a sum over the products of their TRs, which no shift changes: a shift only
    turns them over. So TRs are multiplied once (n_run_trs x n_run_trs numbers in memory).
    """
    predicted = predicted.astype(np.float64)
    target = target.astype(np.float64)
    products = predicted @ target.T
    size = n_trs * predicted.shape[1]
    target_sums, target_ss = _moments(target.sum(axis=1), np.einsum("ij,ij->i", target, target), n_trs, size)
    sums = predicted.sum(axis=1)
    squares = np.einsum("ij,ij->i", predicted, predicted)
    accuracy = np.empty((len(shifts), len(target_sums)))
    for k, shift in enumerate(shifts):
        predicted_sums, predicted_ss = _moments(np.roll(sums, shift), np.roll(squares, shift), n_trs, size)
        covariance = _segment_products(np.roll(products, shift, axis=0), n_trs)
        covariance -= np.outer(predicted_sums, target_sums) / size
        scale = np.sqrt(np.outer(predicted_ss, target_ss))
        similarity = np.divide(covariance, scale, out=np.zeros_like(covariance), where=scale > 0)
        similarity = np.round(similarity, _DECIMALS)
        right = np.diag(similarity)[:, None]
        ties = (similarity == right).sum(axis=1) - 1
        accuracy[k] = ((similarity < right).sum(axis=1) + ties / 2) / (len(similarity) - 1)
    return accuracy


def _moments(sums: NDArray, squares: NDArray, n_trs: int, size: int) -> tuple[NDArray, NDArray]:
    """Return the sum of each segment, and its sum of squares about its mean, exactly 0 for a constant one."""
    n = len(sums) // n_trs
    total = sums[: n * n_trs].reshape(n, n_trs).sum(axis=1)
    square = squares[: n * n_trs].reshape(n, n_trs).sum(axis=1)
    about_mean = square - total**2 / size
    return total, np.where(about_mean > 1e-12 * square, about_mean, 0)


def _segment_products(products: NDArray, n_trs: int) -> NDArray:
    """Return the product of each predicted with each true segment, from the products of TRs."""
    n = len(products) // n_trs
    blocks = products[: n * n_trs, : n * n_trs].reshape(n, n_trs, n, n_trs)
    return np.einsum("itjt->ij", blocks)
