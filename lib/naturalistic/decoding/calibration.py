"""Corrections of predicted vectors for shrinkage, for a shared mean and for hubs."""

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from naturalistic.arrays import ShapeRepr, as_floats, as_real, check_finite, float_type
from naturalistic.decoding.decoder import Decoder, DecodingResult, average_result, fit_decoder, held_out_predictions
from naturalistic.decoding.metrics import Metric, check_vectors, correlation_similarity, identification
from naturalistic.decoding.windows import WindowedData
from naturalistic.parameters import whole

Method = Literal["variance", "regression"]
METHODS: tuple[Method, ...] = ("variance", "regression")


@dataclass(frozen=True, eq=False, repr=False)
class Calibration(ShapeRepr):
    """Linear correction of predictions: ``predicted * scale + shift``.

    Attributes
    ----------
    scale, shift : array (dim,)
    """

    scale: NDArray
    shift: NDArray

    def __call__(self, predicted: ArrayLike) -> NDArray:
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
            If the number of dimensions differs from training.
        """
        predicted = as_real(predicted, "predicted")
        if predicted.ndim != 2 or predicted.shape[1] != len(self.scale):
            raise ValueError(f"predicted has shape {predicted.shape}, expected (n, {len(self.scale)})")
        return predicted * self.scale + self.shift


def calibrate(predicted_cv: ArrayLike, targets: ArrayLike, method: Method = "variance") -> Calibration:
    """Fit scale and shift of each dimension on held-out training predictions.

    Parameters
    ----------
    predicted_cv : array (n_rows, dim)
        Predictions of training rows by decoders fitted without them (`held_out_predictions`). Predictions of rows that
        a decoder was fitted on are overfitted, and show no shrinkage.
    targets : array (n_rows, dim)
    method : {"variance", "regression"}
        "variance" gives predictions the mean and standard deviation of the targets: it undoes shrinkage, also of poor
        predictions. "regression" is the least-squares line of targets on predictions: poorly predicted dimensions
        shrink further.

    Returns
    -------
    calibration : Calibration
        A dimension whose predictions are constant up to rounding keeps its scale. float32 when both are.

    Raises
    ------
    ValueError
        If shapes differ, there are fewer than two rows, a value is not finite, or ``method`` is unknown.
    """
    predicted_cv, targets = check_vectors(predicted_cv, targets)
    if len(targets) < 2:
        raise ValueError(f"targets has {len(targets)} row(s), expected 2 or more: a scale needs variation")
    if method not in METHODS:
        raise ValueError(f"method is {method!r}, expected 'variance' or 'regression'")
    dtype = float_type(predicted_cv, targets)
    x = predicted_cv.astype(float)
    y = targets.astype(float)
    x_mean = x.mean(axis=0)
    y_mean = y.mean(axis=0)
    constant = x.std(axis=0) <= 1e-6 * np.maximum(np.abs(x).max(axis=0), y.std(axis=0))
    x_sd = np.where(constant, 1, x.std(axis=0))
    if method == "variance":
        scale = y.std(axis=0) / x_sd
    else:
        scale = ((x - x_mean) * (y - y_mean)).mean(axis=0) / x_sd**2
    scale = np.where(constant, 1, scale)
    return Calibration(scale.astype(dtype), (y_mean - scale * x_mean).astype(dtype))


def decode_calibrated(
    data: WindowedData, decoder: Decoder, method: Method | None = None, cv: int = 5, **options: Any
) -> DecodingResult:
    """Decode the test clips and undo the shrinkage of each dimension.

    Parameters
    ----------
    data : WindowedData
    decoder : Decoder
        Fitted on the training windows.
    method : {"variance", "regression"}, optional
        See `calibrate`, which is fitted on training windows, each predicted by a decoder of the same strategy fitted
        without its clip's fold. By default the method with the better identification of these predictions.
    cv : int
        Number of folds.
    **options
        Of the strategy, such as ``parcels``.

    Returns
    -------
    result : DecodingResult
    """
    train = data.train
    fit = partial(fit_decoder, strategy=decoder.strategy, **options)
    predicted_cv = held_out_predictions(fit, train.bold, train.targets, train.clips, cv)
    calibrations = [calibrate(predicted_cv, train.targets, name) for name in ([method] if method else METHODS)]
    best = calibrations[0]
    if len(calibrations) > 1:
        accuracy = [identification(x(predicted_cv), train.targets, train.clips).mean() for x in calibrations]
        best = calibrations[int(np.argmax(accuracy))]
    return average_result(best(decoder.predict(data.test.bold)), data.test, decoder)


def centered_similarity(mean: ArrayLike) -> Metric:
    """Return the metric that correlates vectors after subtraction of ``mean``.

    Where all vectors of a space share a large component, plain correlation is dominated by it: a target near the mean
    is similar to every prediction. The mean must come from training clips.

    Parameters
    ----------
    mean : array (dim,)

    Returns
    -------
    metric : callable
        ``metric(predicted, target) -> similarity (n, n)``, for `metrics.identification` and the tests of `nulls`.
    """
    mean = as_real(mean, "mean")
    check_finite(mean, "mean")
    return lambda predicted, target: correlation_similarity(predicted - mean, target - mean)


def csls(similarity: ArrayLike, k: int = 10, reference: ArrayLike | None = None) -> NDArray:
    """Correct a similarity for hubs: candidates that are close to every query.

    Cross-domain similarity local scaling (Conneau et al. 2018, Word translation without parallel data, ICLR):
    2 C_ij - r_i - r_j, where r_i is the mean similarity of query i to its k nearest candidates and r_j that of
    candidate j to its k nearest queries.

    Parameters
    ----------
    similarity : array (n_queries, n_candidates)
        Such as `metrics.correlation_similarity`.
    k : int
    reference : array (n_reference, n_candidates), optional
        Similarity of other queries to the same candidates (held-out predictions of training clips), for r_j. By
        default r_j comes from ``similarity`` itself, that is from all predictions of the test set together.

    Returns
    -------
    corrected : array (n_queries, n_candidates)

    Raises
    ------
    ValueError
        If shapes do not match, a value is not finite, or there are fewer than ``k`` queries or candidates.
    """
    similarity = as_floats(similarity, "similarity")
    reference = similarity if reference is None else as_floats(reference, "reference")
    if similarity.ndim != 2 or reference.ndim != 2 or reference.shape[1] != similarity.shape[1]:
        raise ValueError(
            f"similarity has shape {similarity.shape} and reference {reference.shape}, expected (n_queries, "
            "n_candidates) with the same candidates"
        )
    check_finite(similarity, "similarity")
    check_finite(reference, "reference")
    k = whole("k", k, 1, min(similarity.shape[1], len(reference)), hint="there are no more neighbors")
    of_query = -np.partition(-similarity, k - 1, axis=1)[:, :k].mean(axis=1)
    of_candidate = -np.partition(-reference, k - 1, axis=0)[:k].mean(axis=0)
    return 2 * similarity - of_query[:, None] - of_candidate
