"""Scores of predictions against measured values, for every target in one pass.

Targets are columns (voxels, embedding dimensions). Sums run in float64, on blocks of columns, so that a raw
signal with a large baseline scores as exactly as a z-scored one and memory does not grow with the targets.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from naturalistic.arrays import as_real, check_finite, column_blocks, float_type

_SQUARES = 1e-200, 1e200  # a sum of squares between them is exact: none overflowed, and those that vanished are nothing


def correlation(Y: ArrayLike, Y_hat: ArrayLike) -> NDArray:
    """Return the Pearson correlation of each column of ``Y`` and ``Y_hat``.

    Parameters
    ----------
    Y, Y_hat : array (n_samples, n_targets) or (n_samples,)
        Measured and predicted values, any unit.

    Returns
    -------
    r : array (n_targets,), or a scalar for one-dimensional input
        In [-1, 1]; NaN where either column is constant. float32 when both inputs are.

    Raises
    ------
    ValueError
        If shapes differ, there are fewer than two samples, or a value is not finite.
    """
    Y, Y_hat, shape = check_pair(Y, Y_hat)
    r = np.empty(Y.shape[1], dtype=float_type(Y, Y_hat))
    for block in column_blocks(len(Y), Y.shape[1]):
        measured, constant = unit_columns(Y[:, block])
        predicted, also_constant = unit_columns(Y_hat[:, block])
        r[block] = np.clip(np.einsum("ij,ij->j", measured, predicted), -1, 1)
        r[block][constant | also_constant] = np.nan
    return r.reshape(shape)[()]


def r2(Y: ArrayLike, Y_hat: ArrayLike) -> NDArray:
    """Return the coefficient of determination of each column.

    It is ``1 - sum((Y - Y_hat)^2) / sum((Y - mean)^2)``.

    Unlike the correlation it charges for a wrong scale and a wrong baseline; it is negative for a prediction
    worse than the mean of ``Y``.

    Parameters
    ----------
    Y, Y_hat : array (n_samples, n_targets) or (n_samples,)
        Measured and predicted values, in the same unit.

    Returns
    -------
    r2 : array (n_targets,), or a scalar for one-dimensional input
        At most 1; NaN where ``Y`` is constant, whatever the prediction. float32 when both inputs are.

    Raises
    ------
    ValueError
        If shapes differ, there are fewer than two samples, or a value is not finite.
    """
    Y, Y_hat, shape = check_pair(Y, Y_hat)
    scores = np.empty(Y.shape[1], dtype=float_type(Y, Y_hat))
    for block in column_blocks(len(Y), Y.shape[1]):
        measured = Y[:, block].astype(np.float64)
        residual = measured - Y_hat[:, block]
        measured -= measured[0].copy()  # a constant column becomes exactly zero
        measured -= measured.mean(axis=0)
        total = np.einsum("ij,ij->j", measured, measured)
        unexplained = np.einsum("ij,ij->j", residual, residual)
        score = 1 - unexplained / np.where(total > 0, total, np.nan)
        scores[block] = np.maximum(score, np.finfo(scores.dtype).min)  # finite, however bad the prediction
    return scores.reshape(shape)[()]


def correlation_matrix(A: ArrayLike, B: ArrayLike) -> NDArray:
    """Return the Pearson correlation of every column of ``A`` and ``B``.

    One matrix product; for correlations between rows (patterns) pass the transposed arrays.

    Parameters
    ----------
    A : array (n_samples, n_a)
    B : array (n_samples, n_b)

    Returns
    -------
    r : array (n_a, n_b)
        In [-1, 1]; NaN in the row or column of a constant. float32 when both inputs are.

    Raises
    ------
    ValueError
        If an array is not two-dimensional, samples differ or are fewer than two, or a value is not finite.
    """
    A = as_real(A, "A")
    B = as_real(B, "B")
    if A.ndim != 2 or B.ndim != 2 or len(A) != len(B):
        raise ValueError(
            f"A has shape {A.shape} and B {B.shape}, expected (n_samples, n_a) and (n_samples, "
            "n_b) with the same samples: transpose them or add an axis"
        )
    if len(A) < 2:
        raise ValueError(f"A and B have {len(A)} sample(s), expected 2 or more")
    check_finite(A, "A")
    check_finite(B, "B")
    r = np.empty((A.shape[1], B.shape[1]), dtype=float_type(A, B))
    left, constant = unit_columns(A)
    left = left.astype(r.dtype).T
    for block in column_blocks(len(B), B.shape[1]):
        right, also_constant = unit_columns(B[:, block])
        r[:, block] = np.clip(left @ right.astype(r.dtype), -1, 1)
        r[:, block][:, also_constant] = np.nan
    r[constant] = np.nan
    return r


def unit_columns(X: NDArray) -> tuple[NDArray, NDArray]:
    """Center each column and scale it to length 1: correlations become products.

    Parameters
    ----------
    X : array (n_samples, n_columns)

    Returns
    -------
    unit : array (n_samples, n_columns) of float64
        A constant column is exactly zero.
    constant : array (n_columns,) of bool
    """
    X = X.astype(np.float64)
    X -= X[0].copy()  # exact for a constant, whose mean would not be
    X -= X.mean(axis=0)
    squares = np.einsum("ij,ij->j", X, X)
    constant = np.zeros(X.shape[1], dtype=bool)
    odd = ~((squares > _SQUARES[0]) & (squares < _SQUARES[1]))
    if odd.any():
        largest = np.abs(X[:, odd]).max(axis=0)
        constant[odd] = largest == 0
        scaled = X[:, odd] / np.where(largest == 0, 1, largest)  # its squares neither overflow nor vanish
        squares[odd] = np.einsum("ij,ij->j", scaled, scaled)
        X[:, odd] = scaled
    X /= np.where(constant, 1, np.sqrt(squares))
    return X, constant


def check_pair(Y: ArrayLike, Y_hat: ArrayLike) -> tuple[NDArray, NDArray, tuple[int, ...]]:
    """Return ``Y`` and ``Y_hat`` in two dimensions, and the shape of the scores.

    Raises
    ------
    ValueError
        If shapes differ, are not one- or two-dimensional, samples are fewer than two, or a value is not
        finite.
    """
    Y = as_real(Y, "Y")
    Y_hat = as_real(Y_hat, "Y_hat")
    if Y.shape != Y_hat.shape or Y.ndim not in (1, 2):
        raise ValueError(
            f"Y has shape {Y.shape} and Y_hat {Y_hat.shape}, expected the same (n_samples, "
            "n_targets) or (n_samples,) for both: one prediction for each measured value"
        )
    if len(Y) < 2:
        raise ValueError(f"Y and Y_hat have {len(Y)} sample(s), expected 2 or more: a score needs variation")
    check_finite(Y, "Y")
    check_finite(Y_hat, "Y_hat")
    return Y.reshape(len(Y), -1), Y_hat.reshape(len(Y), -1), Y.shape[1:]
