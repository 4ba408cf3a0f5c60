"""Validation of the engine's input: shapes, types, finite values, alphas.

All checks run before any long work. A target array larger than memory (`numpy.memmap`, an HDF5 data set) is
read in blocks of columns and never loaded whole.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_array

from naturalistic.arrays import as_stored, release_pages

SCORINGS = ("correlation", "r2")
BLOCK_BYTES = 2**26


def is_stored(Y: Any) -> bool:
    """Return whether ``Y`` is a two-dimensional data set on disk (shape, dtype, slicing), not an array."""
    return (
        not isinstance(Y, np.ndarray)
        and all(hasattr(Y, name) for name in ("shape", "dtype", "__getitem__"))
        and isinstance(Y.dtype, np.dtype)
        and len(Y.shape) == 2
        and not hasattr(Y, "tocsr")
        and not hasattr(Y, "iloc")
    )


def as_targets(Y: Any, n_samples: int) -> tuple[Any, bool]:
    """Return ``Y`` as a two-dimensional array or data set, and whether it was a vector.

    Parameters
    ----------
    Y : array-like (n_samples, n_targets) or (n_samples,), or a data set on disk (n_samples, n_targets)
    n_samples : int

    Returns
    -------
    Y : array or data set (n_samples, n_targets)
        Neither copied nor converted if it was an array.
    one_target : bool
        Whether Y came as a vector.

    Raises
    ------
    ValueError
        If Y is missing, not numeric, of another length than X, empty, or not finite.
    """
    if Y is None:
        raise ValueError("Y is missing: RidgeCV requires y to be passed, but the target y is None")
    if not is_stored(Y):
        Y = check_array(Y, ensure_2d=False, dtype=None, ensure_all_finite=False, input_name="Y")
        if Y.dtype.kind == "O":
            Y = Y.astype(np.float64)
    if Y.dtype.kind not in "fiub":
        raise ValueError(f"Y has dtype {Y.dtype}, expected real numbers")
    one_target = len(Y.shape) == 1
    if one_target:
        Y = Y.reshape(-1, 1)
    if len(Y.shape) != 2 or Y.shape[1] == 0:
        raise ValueError(f"Y has shape {tuple(Y.shape)}, expected (n_samples, n_targets) with one target or more")
    if Y.shape[0] != n_samples:
        raise ValueError(
            f"X has {n_samples} samples and Y has {Y.shape[0]}: inconsistent numbers of samples; both need one row a TR"
        )
    check_finite(Y, "Y")
    return Y, one_target


def check_finite(array: Any, name: str) -> None:
    """Raise an error that counts the NaN and inf of ``array`` and locates the first.

    Parameters
    ----------
    array : array or data set (n_rows, n_columns)
    name : str
        Name of the argument, for errors.
    """
    if array.dtype.kind != "f":
        return
    n_rows, n_columns = array.shape
    width = max(1, BLOCK_BYTES // max(1, n_rows * array.dtype.itemsize))
    n_bad = 0
    first = None
    for start in range(0, n_columns, width):
        block = np.asarray(array[:, start : start + width])
        with np.errstate(over="ignore", invalid="ignore"):
            finite = np.isfinite(block.sum(dtype=np.float64))  # one pass, no array of flags
        release_pages(array)
        if finite:
            continue
        bad = ~np.isfinite(block)
        n_bad += int(bad.sum())
        if bad.any():
            row, column = (int(k) for k in np.argwhere(bad)[0])
            if first is None or (row, column + start) < first[:2]:
                first = row, column + start, block[row, column]
    if n_bad:
        row, column, value = first
        raise ValueError(
            f"{name} contains NaN or inf: {n_bad} of {n_rows * n_columns} values are not finite, the first at "
            f"row {row}, column {column} ({'NaN' if np.isnan(value) else value}); mask or interpolate them first"
        )


def check_alphas(alphas: ArrayLike) -> NDArray:
    """Return ``alphas`` as a float64 vector of finite positive penalties.

    Raises
    ------
    ValueError
        If there is none, or one is zero, negative or not finite.
    """
    try:
        checked = np.asarray(alphas, dtype=np.float64).ravel()
    except (TypeError, ValueError) as error:
        raise ValueError(f"alphas is {alphas!r}, expected positive numbers") from error
    if len(checked) == 0:
        raise ValueError("alphas is empty, expected one positive number or more")
    bad = ~(np.isfinite(checked) & (checked > 0))
    if bad.any():
        raise ValueError(
            f"alphas must be positive and finite, got {checked[bad][0]!r} (alphas[{np.flatnonzero(bad)[0]}]); for an "
            f"unpenalized fit use a small one such as 1e-6"
        )
    return checked


def check_scoring(scoring: str) -> str:
    """Return ``scoring`` if it is one of `SCORINGS`, or raise a ValueError."""
    if scoring not in SCORINGS:
        raise ValueError(f"scoring is {scoring!r}, expected one of {SCORINGS}")
    return scoring


def as_spaces(X: Mapping[str, ArrayLike], to_fit: bool = True) -> dict[str, NDArray]:
    """Return feature spaces as a dict of finite two-dimensional arrays of one float type and length.

    Parameters
    ----------
    X : dict of array-like (n_samples, n_features)
    to_fit : bool
        Also require two samples, and a feature that varies in each space.

    Returns
    -------
    X : dict of array
        float32 if all spaces are, else float64.

    Raises
    ------
    ValueError
        If there is no space, or one has no column, another length, a value that is not finite or (to fit) no
        feature that varies.
    """
    if not len(X):
        raise ValueError("X has no feature space, expected a dict of one array or more")
    arrays = {name: as_stored(x, f"X[{name!r}]") for name, x in X.items()}
    for name, x in arrays.items():
        label = f"X[{name!r}]"
        if x.ndim != 2 or x.shape[1] == 0:
            raise ValueError(f"{label} has shape {x.shape}, expected (n_samples, n_features) with a column or more")
    lengths = {name: len(x) for name, x in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"the spaces of X differ in length: {lengths}; deliver them all on the same TRs")
    for name, x in arrays.items():
        check_finite(x, f"X[{name!r}]")
        if to_fit and len(x) < 2:
            raise ValueError(f"X[{name!r}] has {len(x)} sample (n_samples = {len(x)}), expected two or more")
        if to_fit and (x.max(axis=0) == x.min(axis=0)).all():
            raise ValueError(f"X[{name!r}] has no feature that varies: all {x.shape[1]} are constant; leave it out")
    single = all(x.dtype == np.float32 for x in arrays.values())
    return {name: x.astype(np.float32 if single else np.float64, copy=False) for name, x in arrays.items()}
