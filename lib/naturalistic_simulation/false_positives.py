"""False positives of a test, counted by the ground truth of simulated data."""

from typing import NamedTuple

import numpy as np
from naturalistic.encoding import Score
from numpy.typing import ArrayLike, NDArray
from scipy.signal import lfilter
from scipy.spatial import cKDTree

_WARM_UP = 100  # samples until the noise has forgotten its start


class FalsePositives(NamedTuple):
    """Shares of significant voxels where there is no response.

    Attributes
    ----------
    share : float
        Of voxels without response, with p at or below ``alpha``; about ``alpha`` if the test holds it.
    beside : float
        The same for voxels beside a responsive one, which are none of the above: motion mixes neighbors.
    false : float
        Share of all FDR discoveries that lie in no responsive voxel nor beside one.
    """

    share: float
    beside: float
    false: float


def smooth_noise(rng: np.random.Generator, n_trs: int, n_columns: int, phi: float = 0.9) -> NDArray:
    """Return first-order autoregressive noise of sd 1, about as slow as BOLD.

    Parameters
    ----------
    rng : numpy.random.Generator
    n_trs, n_columns : int
    phi : float
        Correlation of a sample with the one before.

    Returns
    -------
    noise : array (n_trs, n_columns)
    """
    white = rng.standard_normal((n_trs + _WARM_UP, n_columns))
    return lfilter([np.sqrt(1 - phi**2)], [1, -phi], white, axis=0)[_WARM_UP:]


def false_positives(
    score: Score, responsive: ArrayLike, coordinates: ArrayLike, reach: float, alpha: float = 0.05
) -> FalsePositives:
    """Return the shares of false positives of a score.

    Parameters
    ----------
    score : Score
    responsive : bool array (n_voxels,)
        Where there is a response, by the ground truth.
    coordinates : array (n_voxels, 3)
        mm.
    reach : float
        mm from a responsive voxel within which a voxel is beside it.
    alpha : float
        Level at which a voxel counts as significant.

    Returns
    -------
    shares : FalsePositives
        NaN where there is no such voxel.

    Raises
    ------
    ValueError
        If the three differ in their numbers of voxels.
    """
    responsive = np.asarray(responsive, dtype=bool)
    if responsive.shape != score.p.shape or len(coordinates) != len(responsive):
        raise ValueError(
            f"score is of {len(score.p)} voxels, responsive of {len(responsive)}, coordinates of {len(coordinates)}: "
            "expected the same"
        )
    distance = np.full(len(responsive), np.inf)
    if responsive.any():
        distance = cKDTree(np.asarray(coordinates)[responsive]).query(coordinates)[0]
    tested = np.isfinite(score.p)
    empty = distance > reach
    beside = ~responsive & (distance <= reach)
    return FalsePositives(
        _share(score.p[tested & empty] <= alpha),
        _share(score.p[tested & beside] <= alpha),
        _share(empty[score.significant]),
    )


def _share(marks: NDArray) -> float:
    return float(np.mean(marks)) if len(marks) else float("nan")
