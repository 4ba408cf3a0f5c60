"""Arrays: checked types, and float64 sums on blocks of columns in any number format."""

import dataclasses
import mmap
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

BLOCK = 2**21  # numbers held in float64 at once: 16 MiB an array


def column_blocks(n_rows: int, n_columns: int) -> list[slice]:
    """Return slices of columns with about ``BLOCK`` numbers each."""
    step = max(1, BLOCK // max(n_rows, 1))
    return [slice(start, min(start + step, n_columns)) for start in range(0, n_columns, step)]


def release_pages(x: Any) -> None:
    """Give back the pages that were read of a memory map; other arrays stay as they are.

    A page of a file that was read through a map counts as memory of this process until it is given back. The system
    still has it: to read it again costs next to nothing.

    Parameters
    ----------
    x : array
        A map that was opened to be read alone ("r"), or any view of one. What was written through a map could be lost,
        so that other maps stay as they are.
    """
    if not hasattr(mmap, "MADV_DONTNEED"):
        return
    mode = None
    while x is not None and not isinstance(x, mmap.mmap):
        mode = getattr(x, "mode", mode)
        x = getattr(x, "base", None)
    if x is not None and mode == "r":
        x.madvise(mmap.MADV_DONTNEED)


def row_blocks(X: NDArray) -> list[slice]:
    """Return slices of rows with about ``BLOCK`` numbers each."""
    step = max(1, BLOCK * len(X) // max(X.size, 1))
    return [slice(start, start + step) for start in range(0, len(X), step)]


def take_columns(X: NDArray, columns: ArrayLike | slice) -> NDArray:
    """Return a copy of some columns; the pages of a memory map that were read for it are given back on the way.

    Parameters
    ----------
    X : array or memory map (n_rows, n_columns)
    columns : int array (n,), bool array (n_columns,) or slice
    """
    columns = np.arange(X.shape[1])[columns]
    taken = np.empty((len(X), len(columns)), X.dtype)
    for rows in row_blocks(X):
        taken[rows] = X[rows][:, columns]
        release_pages(X)
    return taken


def float_type(*arrays: ArrayLike) -> np.dtype:
    """Return float32 when every array is float32 (or float16), float64 otherwise."""
    dtype = np.result_type(*arrays)
    return np.dtype(np.float32 if dtype.kind == "f" and dtype.itemsize <= 4 else np.float64)


def mean_and_sd(X: NDArray) -> tuple[NDArray, NDArray]:
    """Return the mean and standard deviation of each column, summed in float64.

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


def as_real(X: ArrayLike, name: str, each: str = "element") -> NDArray:
    """Return ``X`` as an array of real numbers in a format to compute in.

    All borders of the library convert by this.

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


def as_floats(X: ArrayLike, name: str, each: str = "element") -> NDArray:
    """Return ``X`` as float32 if it is float32 or float16, else as float64.

    See `as_real`.
    """
    X = as_real(X, name, each)
    return X.astype(float_type(X), copy=False)


def as_stored(X: ArrayLike, name: str, each: str = "element") -> NDArray:
    """Return ``X`` as an array of real numbers in its own format.

    For arrays that are read block by block.

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


def _check_alike(X: Any, name: str, each: str) -> None:
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


def check_finite(X: NDArray, name: str) -> None:
    """Raise an error if ``X`` has NaN or infinite values.

    The ValueError counts them and gives the first index.
    """
    with np.errstate(all="ignore"):
        if np.isfinite(_sum(X)):  # one pass and no copy in the usual case
            return
    bad = ~np.isfinite(X)
    if bad.any():
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ValueError(
            f"{name} holds {int(bad.sum())} value(s) that are NaN or infinite, the first at "
            f"index {first}: leave out or repair those samples or targets first"
        )


def _sum(X: NDArray) -> float:
    """Return the sum of all values in float64; the pages of a memory map are given back block by block."""
    if not isinstance(X, np.memmap) and not isinstance(X.base, np.memmap):
        return np.sum(X, dtype=np.float64)
    X = X.T if X.strides[0] < X.strides[-1] else X  # as it lies on the disk
    total = 0.0
    for rows in row_blocks(X):
        total += np.sum(X[rows], dtype=np.float64)
        release_pages(X)
    return total


class ShapeRepr:
    """Base of frozen result dataclasses: ``repr`` prints names and shapes.

    A subclass is decorated with ``@dataclass(frozen=True, repr=False)``.
    """

    def __repr__(self) -> str:
        """Return the class with the type and shape of each array; other values as they are."""
        parts = (f"{f.name}={_described(getattr(self, f.name))}" for f in dataclasses.fields(self) if f.repr)
        return f"{type(self).__name__}({', '.join(parts)})"


def _described(value: Any) -> str:
    """Return a short text of a value: the type and shape of an array, the keys of a dict."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape}"
    if isinstance(value, dict):
        return f"dict of {', '.join(map(str, value)) or 'nothing'}"
    text = repr(value)
    return text if len(text) <= 60 else type(value).__name__
