"""What chance gives: the targets of whole clips are dealt out to other clips.

A clip is the unit: its windows overlap, so they move together and keep their order. Predictions stay as they are, made
by a model that never saw these clips; under the null any clip could have been the one that was heard.
"""

from typing import NamedTuple

import numpy as np

from naturalistic.arrays import as_real, check_finite
from naturalistic.decoding.clips import clip_layout
from naturalistic.decoding.metrics import check_vectors, correlate, likeness_of_pairs, shares
from naturalistic.inference import p_values
from naturalistic.models.scoring import unit_columns
from naturalistic.parameters import check_seed, whole


class Tested(NamedTuple):
    """A score and its null.

    Attributes
    ----------
    score : float
    null : array (n_permutations,)
        Its mean is the chance level.
    p : float
        (b + 1) / (m + 1), b of m permutations scoring as high or higher.
    """

    score: float
    null: np.ndarray
    p: float


def clip_orders(clips, n_permutations, seed=0, n_rows=None):
    """Return rows in other orders: each clip's windows take the place of another clip's.

    Parameters
    ----------
    clips : array-like (n_rows,) or None
        None, with ``n_rows``: each row is a clip.
    n_permutations, seed : int

    Returns
    -------
    orders : int array (n_permutations, n_rows)

    Raises
    ------
    ValueError
        If clips have different numbers of windows, or ``n_permutations`` is below 1.
    """
    n_permutations, seed = whole("n_permutations", n_permutations, hint="1000 gives p of 0.001"), check_seed(seed)
    layout = clip_layout(clips, len(clips) if n_rows is None else n_rows)
    dealt = np.random.default_rng(seed).permuted(np.tile(np.arange(len(layout)), (n_permutations, 1)), axis=1)
    orders = np.empty((n_permutations, layout.size), dtype=int)
    orders[:, layout.ravel()] = layout[dealt].reshape(n_permutations, -1)
    return orders


def matched_test(values, clips=None, n_permutations=1000, seed=0):
    """Test whether the right pairs score higher than pairs dealt out at random.

    Parameters
    ----------
    values : array (n, n)
        Score of row i if j were its partner; the right partners are on the diagonal.
    clips : array-like (n,), optional
        Clip of each row.
    n_permutations, seed : int

    Returns
    -------
    tested : Tested
        Of the mean over the diagonal.

    Raises
    ------
    ValueError
        If ``values`` are not square, or not finite; as of `clip_orders`.
    """
    values = as_real(values, "values").astype(np.float64)
    if values.ndim != 2 or values.shape[0] != values.shape[1]:
        raise ValueError(f"values has shape {values.shape}, expected (n, n), the right partner on the diagonal")
    check_finite(values, "values")
    orders = clip_orders(clips, n_permutations, seed, len(values))
    rows = np.arange(len(values))
    null = values[rows, orders].mean(axis=1)
    score = values[rows, rows].mean()
    return Tested(float(score), null, float(p_values(score, null)))


def identification_test(predicted, target, clips=None, n_permutations=1000, seed=0, like=correlate):
    """Test `metrics.identification`.

    Parameters
    ----------
    predicted, target, clips, like
        As in `metrics.identification`.
    n_permutations, seed : int
        As of `matched_test`.

    Returns
    -------
    tested : Tested
        Of the mean accuracy.

    Raises
    ------
    ValueError
        As of both.
    """
    n_permutations, seed = whole("n_permutations", n_permutations), check_seed(seed)  # before the long product
    likeness, _ = likeness_of_pairs(predicted, target, clips, like)
    return matched_test(shares(likeness, clips), clips, n_permutations, seed)


def correlation_test(predicted, target, clips=None, n_permutations=1000, seed=0):
    """Test the mean over dimensions of `metrics.correlation_by_dimension`.

    Parameters
    ----------
    predicted, target : array (n, dim)
    clips, n_permutations, seed
        As of `matched_test`.

    Returns
    -------
    tested : Tested

    Raises
    ------
    ValueError
        As of `metrics.check_vectors` and `matched_test`.
    """
    predicted, target = check_vectors(predicted, target)
    left, right = unit_columns(predicted)[0], unit_columns(target)[0]
    return matched_test(left @ right.T * (len(left) / left.shape[1]), clips, n_permutations, seed)
