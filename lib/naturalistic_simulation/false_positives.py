"""Against the truth of a miniature: how often a test says yes where nothing was planted."""

from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree


class FalsePositives(NamedTuple):
    """What was found where nothing was planted.

    Attributes
    ----------
    share : float
        Of these voxels with p at or below ``alpha``; about ``alpha`` if the test holds it.
    beside : float
        The same for voxels beside a planted one, which are none of the above: motion mixes neighbours.
    false : float
        Share of all FDR discoveries that lie in none of the planted places nor beside them.
    """

    share: float
    beside: float
    false: float


def false_positives(score, planted, coordinates, reach, alpha=0.05):
    """Return how often a score is significant where nothing was planted.

    Parameters
    ----------
    score : Score
    planted : bool array (n_voxels,)
    coordinates : array (n_voxels, 3)
        mm.
    reach : float
        mm from a planted voxel within which a voxel is beside it.
    alpha : float
        Level at which a voxel counts as significant.

    Returns
    -------
    found : FalsePositives
        NaN of nothing.

    Raises
    ------
    ValueError
        If the three are of other numbers of voxels.
    """
    planted = np.asarray(planted, dtype=bool)
    if planted.shape != score.p.shape or len(coordinates) != len(planted):
        raise ValueError(
            f"score is of {len(score.p)} voxels, planted of {len(planted)}, coordinates of {len(coordinates)}: "
            "expected the same"
        )
    distance = np.full(len(planted), np.inf)
    if planted.any():
        distance = cKDTree(np.asarray(coordinates)[planted]).query(coordinates)[0]
    tested = np.isfinite(score.p)
    empty, beside = distance > reach, ~planted & (distance <= reach)
    return FalsePositives(
        _share(score.p[tested & empty] <= alpha),
        _share(score.p[tested & beside] <= alpha),
        _share(empty[score.significant]),
    )


def _share(marks):
    return float(np.mean(marks)) if len(marks) else float("nan")
