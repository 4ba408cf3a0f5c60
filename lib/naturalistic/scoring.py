"""Scores: how close a prediction comes to what was measured, for every target in one pass.

Targets are columns (voxels, embedding dimensions). Sums run in float64, on blocks of columns, so that a raw
signal with a large baseline scores as exactly as a z-scored one and memory does not grow with the targets.
"""

import numpy as np

BLOCK = 2**21  # numbers held in float64 at once: 16 MiB an array


def correlation(Y, Y_hat):
    """Return the Pearson correlation of each column of ``Y`` with the same column of ``Y_hat``.

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


def r2(Y, Y_hat):
    """Return the coefficient of determination of each column, ``1 - sum((Y - Y_hat)^2) / sum((Y - mean)^2)``.

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


def correlation_matrix(A, B):
    """Return the Pearson correlation of every column of ``A`` with every column of ``B``.

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
    A, B = as_real(A, "A"), as_real(B, "B")
    if A.ndim != 2 or B.ndim != 2 or len(A) != len(B):
        raise ValueError(
            f"A has shape {A.shape} and B {B.shape}, expected (n_samples, n_a) and (n_samples, "
            "n_b) with the same samples: transpose them or add an axis"
        )
    if len(A) < 2:
        raise ValueError(f"A and B have {len(A)} sample(s), expected 2 or more")
    check_finite(A, "A"), check_finite(B, "B")
    r = np.empty((A.shape[1], B.shape[1]), dtype=float_type(A, B))
    left, constant = unit_columns(A)
    left = left.astype(r.dtype).T
    for block in column_blocks(len(B), B.shape[1]):
        right, also_constant = unit_columns(B[:, block])
        r[:, block] = np.clip(left @ right.astype(r.dtype), -1, 1)
        r[:, block][:, also_constant] = np.nan
    r[constant] = np.nan
    return r


def unit_columns(X):
    """Centre each column and scale it to length 1, so that correlations become plain products.

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
    largest = np.abs(X).max(axis=0, initial=0)
    constant = largest == 0
    X /= np.where(constant, 1, largest)  # squares neither overflow nor vanish
    X /= np.where(constant, 1, np.sqrt(np.einsum("ij,ij->j", X, X)))
    return X, constant


def column_blocks(n_rows, n_columns):
    """Return slices of columns, each of which holds about ``BLOCK`` numbers."""
    step = max(1, BLOCK // max(n_rows, 1))
    return [slice(start, min(start + step, n_columns)) for start in range(0, n_columns, step)]


def float_type(*arrays):
    """Return float32 when every array is float32 (or float16), float64 otherwise."""
    dtype = np.result_type(*arrays)
    return np.dtype(np.float32 if dtype.kind == "f" and dtype.itemsize <= 4 else np.float64)


def mean_and_sd(X):
    """Return the mean and the standard deviation of each column, summed in float64 whatever comes in.

    In float32 a sum over thousands of TRs of a feature with a large baseline loses the feature; in float16 it is inf.

    Parameters
    ----------
    X : array (n_samples, n_columns)

    Returns
    -------
    mean, sd : array (n_columns,) of float64
        The mean of a constant column is its value, and its standard deviation 0, both exactly. 0 also where a variance
        is below the smallest number of ``X``'s format: models have units that hold 1e-32 everywhere, and divided by
        its standard deviation their last digit would be a feature.
    """
    mean, sd = np.empty((2, X.shape[1]))
    smallest = np.finfo(float_type(X)).tiny
    for block in column_blocks(*X.shape):
        part = X[:, block].astype(np.float64)
        first = part[0].copy()  # exact for a constant, whose mean would not be
        part -= first
        offset = part.mean(axis=0)
        part -= offset
        mean[block] = first + offset
        variance = np.einsum("ij,ij->j", part, part) / len(part)
        sd[block] = np.sqrt(np.where(variance < smallest, 0, variance))
    return mean, sd


def check_pair(Y, Y_hat):
    """Return ``Y`` and ``Y_hat`` as (n_samples, n_targets), and the shape of one score for each target.

    Raises
    ------
    ValueError
        If shapes differ, are not one- or two-dimensional, samples are fewer than two, or a value is not
        finite.
    """
    Y, Y_hat = as_real(Y, "Y"), as_real(Y_hat, "Y_hat")
    if Y.shape != Y_hat.shape or Y.ndim not in (1, 2):
        raise ValueError(
            f"Y has shape {Y.shape} and Y_hat {Y_hat.shape}, expected the same (n_samples, "
            "n_targets) or (n_samples,) for both: one prediction for each measured value"
        )
    if len(Y) < 2:
        raise ValueError(f"Y and Y_hat have {len(Y)} sample(s), expected 2 or more: a score needs variation")
    check_finite(Y, "Y"), check_finite(Y_hat, "Y_hat")
    return Y.reshape(len(Y), -1), Y_hat.reshape(len(Y), -1), Y.shape[1:]


def as_real(X, name, each="element"):
    """Return ``X`` as an array of real numbers in a format to compute in; all borders of the library convert by this.

    Parameters
    ----------
    X : array-like
        An array of any number format and byte order, a table, or nested lists.
    name : str
        What the caller calls it.
    each : str
        What an element of a list is ("subject"), for errors.

    Returns
    -------
    X : array
        Of this machine's byte order. float16 becomes float32, in which sums do not overflow; longer floats become
        float64; whole numbers and bool stay as they are, and so does (without a copy) any float32 or float64.

    Raises
    ------
    ValueError
        If it holds anything but real numbers, or elements of different shapes.
    """
    X = as_stored(X, name, each)
    dtype = X.dtype.newbyteorder("=")
    if dtype.kind == "f":
        dtype = np.dtype({2: np.float32, 4: np.float32}.get(dtype.itemsize, np.float64))
    return X.astype(dtype, copy=False)


def as_floats(X, name, each="element"):
    """Return ``X`` as float32 if it comes in float32 or float16, and as float64 otherwise; see `as_real`."""
    X = as_real(X, name, each)
    return X.astype(float_type(X), copy=False)


def as_stored(X, name, each="element"):
    """Return ``X`` as an array of real numbers in the format in which it came, for what is read block by block.

    Parameters and errors are those of `as_real`.
    """
    try:
        X = np.asarray(X)
    except ValueError as error:  # numpy's "inhomogeneous shape" names no argument
        _check_alike(X, name, each)
        raise ValueError(f"{name} cannot be made an array of numbers: {error}") from error
    if X.dtype.kind == "O":  # columns of several types in a table, or numbers beside None
        try:
            X = X.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name} has values that are no numbers ({error}): leave them out or convert") from error
    if X.dtype.kind not in "fiub":
        raise ValueError(f"{name} has type {X.dtype}, expected real numbers: convert it first")
    return X


def _check_alike(X, name, each):
    """Raise a ValueError that says which element of a list is the first of another shape."""
    try:
        shapes = [np.shape(x) for x in X]
    except ValueError:  # ragged inside an element
        return
    for k, shape in enumerate(shapes):
        if shape != shapes[0]:
            raise ValueError(
                f"{name}: {each} {k + 1} has shape {shape}, expected {shapes[0]} as {each} 1: cut or pad them alike"
            )


def check_finite(X, name):
    """Raise a ValueError that counts the NaN or infinite values of ``X`` and gives the first index."""
    with np.errstate(all="ignore"):
        if np.isfinite(np.sum(X, dtype=np.float64)):  # one pass and no copy in the usual case
            return
    bad = ~np.isfinite(X)
    if bad.any():
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ValueError(
            f"{name} holds {int(bad.sum())} value(s) that are NaN or infinite, the first at "
            f"index {first}: leave out or repair those samples or targets first"
        )
