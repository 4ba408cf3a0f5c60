"""Are weight axes the same in all people? Those of all others are tried on each subject, and spans are compared."""

from typing import NamedTuple

import numpy as np
from scipy import linalg
from scipy.optimize import linear_sum_assignment

from naturalistic.inference import p_values
from naturalistic.variance.axes import axes_of, check_weights, lengths, scatters


class Stability(NamedTuple):
    """How well the axes of the other subjects serve a subject who was left out.

    Attributes
    ----------
    others : array (n_subjects,)
        Share of the subject's weight variance along the axes of all others.
    own : array (n_subjects,)
        Along as many axes of his own: the most that any could have.
    null : array (n_permutations, n_subjects)
        Along the axes of the others' shifted responses.
    p : float
        Of the mean of ``others``, (b + 1) / (m + 1).
    cosines : array (n_subjects, n_axes)
        Of the others' axes with his own, paired for the largest sum; absolute, in the order of the others' axes.
    null_cosines : array (n_permutations, n_subjects, n_axes)
        The same for shifted responses of all, his own too.
    """

    others: np.ndarray
    own: np.ndarray
    null: np.ndarray
    p: float
    cosines: np.ndarray
    null_cosines: np.ndarray


def stability(weights, n_axes=5, sizes=None, null=(), *, centre=False):
    """Return how well the axes of all other subjects serve each subject.

    Parameters
    ----------
    weights : list of array (n_voxels, n_features)
        One a subject, two or more.
    n_axes, sizes, centre
        As in `axes.weight_axes`.
    null : iterable of such lists
        Weights of shifted responses, from `refitted`; without any, p is NaN.

    Returns
    -------
    stability : Stability

    Raises
    ------
    ValueError
        If there are fewer than two subjects; as of `axes.weight_axes`.
    """
    weights, n_axes = check_weights(weights, n_axes), int(n_axes)
    if len(weights) < 2:
        raise ValueError("weights are of 1 subject, expected two or more: one is left out, the others make the axes")
    sizes = lengths(weights) if sizes is None else sizes
    true = scatters(weights, sizes, centre=centre)
    others, own = _left_out(true, n_axes), _each(true, n_axes)
    shares, cosines = [], []
    for shifted_weights in null:
        scatter = scatters(shifted_weights, sizes, centre=centre)
        null_others = _left_out(scatter, n_axes)
        shares.append(_along(true, null_others))
        cosines.append(_cosines(null_others, _each(scatter, n_axes)))
    found = _along(true, others)
    shares = np.array(shares).reshape(-1, len(true))
    p = float(p_values(found.mean(), shares.mean(axis=1))) if len(shares) else float("nan")
    cosines = np.array(cosines).reshape(-1, len(true), n_axes)
    return Stability(found, _along(true, own), shares, p, _cosines(others, own), cosines)


def _left_out(scatter, n_axes):
    """Return the axes of all but one subject, for each one."""
    total = scatter.sum(axis=0)
    return [axes_of((total - own)[None], n_axes).directions for own in scatter]


def _each(scatter, n_axes):
    return [axes_of(own[None], n_axes).directions for own in scatter]


def _along(scatter, directions):
    """Return the share of each subject's variance along some directions (n_subjects,)."""
    return np.array([np.sum((d @ own) * d) / np.trace(own) for own, d in zip(scatter, directions)])


def _cosines(others, own):
    return np.array([matched_cosines(a, b) for a, b in zip(others, own)])


def as_ridge_sees(directions, X, alpha):
    r"""Return what ridge leaves, in expectation, of true weights: :math:`w X^\top X (X^\top X + \alpha)^{-1}`.

    Of directions in which the features hardly vary nothing is left, so planted weights must go through this before
    found axes can be held against them (and against random ones that went through it too).

    Parameters
    ----------
    directions : array (n_directions, n_features)
        Weights on the columns of X.
    X : array (n_trs, n_features)
    alpha : float

    Returns
    -------
    directions : array (n_directions, n_features)
    """
    X = np.asarray(X, dtype=np.float64)
    _, scale, turn = linalg.svd(X - X.mean(axis=0), full_matrices=False)
    return (np.asarray(directions) @ turn.T * (scale**2 / (scale**2 + alpha))) @ turn


def share_in_span(weights, span):
    """Return the mean share of a voxel's squared weights that lies in a span: 1 if the span holds all of them.

    By chance it is n_directions / n_features, or more where ridge has shrunk both: compare random spans.

    Parameters
    ----------
    weights : array (n_voxels, n_features)
        A voxel whose weights are all 0 is left out.
    span : array (n_directions, n_features)
        Any spanning rows.

    Returns
    -------
    share : float
        NaN if all weights are 0.
    """
    weights = np.asarray(weights, dtype=np.float64)
    basis = linalg.orth(np.asarray(span, dtype=np.float64).T)
    power = (weights**2).sum(axis=1)
    inside = ((weights @ basis) ** 2).sum(axis=1)
    return float(np.mean(inside[power > 0] / power[power > 0])) if power.any() else float("nan")


def matched_cosines(first, second):
    """Return the absolute cosine of each axis of ``first`` with its partner in ``second``, paired for the largest sum.

    Parameters
    ----------
    first, second : array (n_axes, n_features)
        Rows of unit length.

    Returns
    -------
    cosines : array (n_axes,)
        In the order of ``first``.
    """
    cosines = np.abs(np.asarray(first) @ np.asarray(second).T)
    return cosines[linear_sum_assignment(-cosines)]
