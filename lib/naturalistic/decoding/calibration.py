"""Two repairs of predicted vectors: they are too small, and some candidates are everybody's neighbour."""

from typing import NamedTuple

import numpy as np

from naturalistic.arrays import as_floats, as_real, check_finite, float_type
from naturalistic.decoding.metrics import check_vectors, correlate
from naturalistic.parameters import whole


class Calibration(NamedTuple):
    """A scale and a shift for each dimension: ``calibration(predicted)`` is ``predicted * scale + shift``.

    Attributes
    ----------
    scale, shift : array (dim,)
    """

    scale: np.ndarray
    shift: np.ndarray

    def __call__(self, predicted):
        """Return calibrated predictions.

        Parameters
        ----------
        predicted : array (n, dim)

        Returns
        -------
        calibrated : array (n, dim)

        Raises
        ------
        ValueError
            If the dimensions are not those it was learnt from.
        """
        predicted = as_real(predicted, "predicted")
        if predicted.ndim != 2 or predicted.shape[1] != len(self.scale):
            raise ValueError(f"predicted has shape {predicted.shape}, expected (n, {len(self.scale)})")
        return predicted * self.scale + self.shift


def calibrate(predicted_cv, targets, method="variance"):
    """Learn from training data how far ridge shrinks each dimension.

    Parameters
    ----------
    predicted_cv : array (n_rows, dim)
        Predictions of training rows by decoders that had not seen them (`held_out`). Predictions of the rows that a
        decoder was fitted on are too good, and teach nothing.
    targets : array (n_rows, dim)
    method : {"variance", "regression"}
        "variance" gives predictions the mean and standard deviation of the targets: it undoes the shrinkage, also
        where the prediction is bad. "regression" is the least-squares line of targets on predictions: dimensions that
        are predicted badly shrink further.

    Returns
    -------
    calibration : Calibration
        A dimension whose predictions are constant, but for rounding, keeps its scale. float32 when both are.

    Raises
    ------
    ValueError
        If shapes differ, there are fewer than two rows, a value is not finite, or ``method`` is unknown.
    """
    predicted_cv, targets = check_vectors(predicted_cv, targets)
    if len(targets) < 2:
        raise ValueError(f"targets has {len(targets)} row(s), expected 2 or more: a scale needs variation")
    if method not in ("variance", "regression"):
        raise ValueError(f"method is {method!r}, expected 'variance' or 'regression'")
    dtype = float_type(predicted_cv, targets)
    x, y = predicted_cv.astype(float), targets.astype(float)
    x_mean, y_mean = x.mean(axis=0), y.mean(axis=0)
    flat = x.std(axis=0) <= 1e-6 * np.maximum(np.abs(x).max(axis=0), y.std(axis=0))
    spread = np.where(flat, 1, x.std(axis=0))
    if method == "variance":
        scale = y.std(axis=0) / spread
    else:
        scale = ((x - x_mean) * (y - y_mean)).mean(axis=0) / spread**2
    scale = np.where(flat, 1, scale)
    return Calibration(scale.astype(dtype), (y_mean - scale * x_mean).astype(dtype))


def centred(mean):
    """Return a likeness of vectors as seen from a middle: their correlation after ``mean`` was taken off both.

    Where all vectors of a space have much in common, plain correlation is ruled by it: a target near the middle is like
    every prediction. The middle must come from training clips.

    Parameters
    ----------
    mean : array (dim,)

    Returns
    -------
    like : callable
        ``like(predicted, target) -> (n, n)``, for `metrics.identification` and the tests of `nulls`.
    """
    mean = as_real(mean, "mean")
    check_finite(mean, "mean")
    return lambda predicted, target: correlate(predicted - mean, target - mean)


def csls(likeness, k=10, reference=None):
    """Correct a likeness for hubs: candidates that are close to every query.

    Cross-domain similarity local scaling (Conneau et al. 2018, Word translation without parallel data, ICLR):
    2 C_ij - r_i - r_j, where r_i is the mean likeness of query i to its k nearest candidates and r_j that of candidate
    j to its k nearest queries.

    Parameters
    ----------
    likeness : array (n_queries, n_candidates)
        Such as `metrics.correlate`.
    k : int
    reference : array (n_reference, n_candidates), optional
        Likeness of other queries to the same candidates (held-out predictions of training clips), from which r_j is
        taken. Without it r_j is taken from ``likeness`` itself, that is from all predictions of the test set together.

    Returns
    -------
    corrected : array (n_queries, n_candidates)

    Raises
    ------
    ValueError
        If shapes do not match, a value is not finite, or there are fewer than ``k`` queries or candidates.
    """
    likeness = as_floats(likeness, "likeness")
    reference = likeness if reference is None else as_floats(reference, "reference")
    if likeness.ndim != 2 or reference.ndim != 2 or reference.shape[1] != likeness.shape[1]:
        raise ValueError(
            f"likeness has shape {likeness.shape} and reference {reference.shape}, expected (n_queries, n_candidates) "
            "with the same candidates"
        )
    check_finite(likeness, "likeness")
    check_finite(reference, "reference")
    k = whole("k", k, 1, min(likeness.shape[1], len(reference)), hint="there are no more neighbors")
    of_query = -np.partition(-likeness, k - 1, axis=1)[:, :k].mean(axis=1)
    of_candidate = -np.partition(-reference, k - 1, axis=0)[:k].mean(axis=0)
    return 2 * likeness - of_query[:, None] - of_candidate
