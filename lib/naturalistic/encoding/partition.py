"""Parts of feature spaces in the score of the joint model that sums them.

The product measure (Hoffman 1960; of encoding models St-Laurent et al. 2023 and Dupre la Tour et al. 2022, NeuroImage
264:119728): what two spaces predict alike is halved between them. A part may be negative, where a space predicts
against what was measured and another makes up for it. `unique_variance` asks another question: what would be lost
without the space.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from naturalistic.arrays import column_blocks, float_type
from naturalistic.models.scoring import check_pair, unit_columns


def r_by_space(measured: ArrayLike, parts: Mapping[str, ArrayLike]) -> NDArray:
    r"""Divide the correlation of a prediction over the spaces it is the sum of.

    .. math:: r_s = \frac{\sum_t y_t p_{st}}{\|y\| \, \|\sum_k p_k\|}, \qquad \sum_s r_s = r,

    all centered over samples.

    Parameters
    ----------
    measured : array (n_samples, n_voxels)
    parts : dict of array (n_samples, n_voxels)
        By space, such as from ``BandedRidgeCV.predict(X, split=True)``; centered in each run if scores are to be of
        time courses inside runs.

    Returns
    -------
    split : array (n_spaces, n_voxels)
        In the order of ``parts``; NaN where what was measured, or the whole prediction, is constant. float32 when
        all are.

    Raises
    ------
    ValueError
        If there is no part, shapes differ, or a value is not finite.
    """
    measured, parts = _checked(measured, parts)
    split = np.empty((len(parts), measured.shape[1]), dtype=float_type(measured, *parts))
    for block in column_blocks(len(parts) * len(measured), measured.shape[1]):
        unit, constant = unit_columns(measured[:, block])
        P = np.stack([part[:, block] for part in parts]).astype(np.float64)
        total = P.sum(axis=0)
        flat = constant | _rounding_only(total, P, split.dtype)
        total -= total.mean(axis=0)
        length = np.sqrt(np.einsum("tv,tv->v", total, total))
        split[:, block] = np.einsum("tv,stv->sv", unit, P) / np.where(flat, np.nan, length)
    return split


def r2_by_space(measured: ArrayLike, parts: Mapping[str, ArrayLike]) -> NDArray:
    r"""Divide the explained variance of a prediction over its spaces.

    .. math:: R^2_s = \frac{\sum_t p_{st} (2 y_t - \sum_k p_{kt})}{\sum_t y_t^2}, \qquad \sum_s R^2_s = R^2,

    with y less its mean over samples, of which an equal share is taken off each part.

    Parameters
    ----------
    measured : array (n_samples, n_voxels)
    parts : dict of array (n_samples, n_voxels)
        As in `r_by_space`.

    Returns
    -------
    split : array (n_spaces, n_voxels)
        Sums over spaces to `naturalistic.models.scoring.r2`; NaN where responses are constant. float32 when all are.

    Raises
    ------
    ValueError
        If there is no part, shapes differ, or a value is not finite.
    """
    measured, parts = _checked(measured, parts)
    split = np.empty((len(parts), measured.shape[1]), dtype=float_type(measured, *parts))
    for block in column_blocks(len(parts) * len(measured), measured.shape[1]):
        Y = measured[:, block].astype(np.float64)
        first = Y[0].copy()
        Y -= first  # a constant becomes exactly zero
        mean = Y.mean(axis=0)
        Y -= mean
        P = np.stack([part[:, block] for part in parts]) - (first + mean) / len(parts)
        size = np.einsum("tv,tv->v", Y, Y)
        split[:, block] = np.einsum("stv,tv->sv", P, 2 * Y - P.sum(axis=0)) / np.where(size > 0, size, np.nan)
    return split


def _checked(measured: ArrayLike, parts: Mapping[str, ArrayLike]) -> tuple[NDArray, list[NDArray]]:
    """Return measured responses and a list of parts, all (n_samples, n_voxels)."""
    if not len(parts):
        raise ValueError("parts is empty, expected the part of one space or more, by name")
    pairs = {name: check_pair(measured, part) for name, part in parts.items()}
    return next(iter(pairs.values()))[0], [part for _, part, _ in pairs.values()]


def _rounding_only(total: NDArray, parts: NDArray, dtype: np.dtype) -> NDArray:
    """Mark columns whose sum of parts varies by their rounding alone."""
    return np.ptp(total, axis=0) <= 8 * np.finfo(dtype).eps * np.abs(parts).max(axis=(0, 1))
