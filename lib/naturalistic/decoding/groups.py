"""Scores by label: which genre is taken for which, and how well clips are told apart inside one."""

import numpy as np

from naturalistic.decoding.metrics import DECIMALS, correlate, likeness_of_pairs, shares
from naturalistic.decoding.nulls import Tested
from naturalistic.inference import p_values
from naturalistic.parameters import check_seed, whole


def confusion(predicted, target, labels, like=correlate):
    """Count the labels of the target that each prediction is most like, its own target left out.

    Parameters
    ----------
    predicted, target : array (n, dim)
    labels : sequence (n,)
        Such as genres.
    like : callable

    Returns
    -------
    counts : int array (n_labels, n_labels)
        Row: true label; column: label of the best matching other target (the first of equals).
    names : array (n_labels,)
        In alphabetical order.

    Raises
    ------
    ValueError
        If there is not one label a row; as of `metrics.identification`.
    """
    likeness, names, codes = _labelled(predicted, target, labels, like)
    likeness = np.round(likeness, DECIMALS)
    np.fill_diagonal(likeness, -np.inf)
    counts = np.zeros((len(names), len(names)), dtype=int)
    np.add.at(counts, (codes, codes[likeness.argmax(axis=1)]), 1)
    return counts, names


def by_group(predicted, target, labels, like=correlate):
    """Return the mean identification accuracy of the rows of each label, among all rows.

    Parameters
    ----------
    predicted, target, labels, like
        As of `confusion`.

    Returns
    -------
    accuracy : array (n_labels,)
    names : array (n_labels,)
        In alphabetical order.

    Raises
    ------
    ValueError
        As of `confusion`.
    """
    likeness, names, codes = _labelled(predicted, target, labels, like)
    each = np.diag(shares(likeness))
    return np.array([each[codes == k].mean() for k in range(len(names))]), names


def within_group_test(predicted, target, labels, n_permutations=1000, seed=0, like=correlate):
    """Test identification among the rows of the same label alone: does it know more than the label?

    Parameters
    ----------
    predicted, target, labels, like
        As of `confusion`.
    n_permutations, seed : int
        Under the null, the targets of a label are dealt out among its rows.

    Returns
    -------
    tested : Tested
        ``score`` is the mean over rows; rows that are alone with their label are left out. All is NaN where no label
        has two rows.

    Raises
    ------
    ValueError
        As of `confusion`.
    """
    n_permutations, seed = whole("n_permutations", n_permutations), check_seed(seed)
    likeness, names, codes = _labelled(predicted, target, labels, like)
    blocks = [
        shares(likeness[np.ix_(rows, rows)]) for k in range(len(names)) if len(rows := np.flatnonzero(codes == k)) > 1
    ]
    if not blocks:
        return Tested(np.nan, np.full(n_permutations, np.nan), np.nan)
    rng, n_rows = np.random.default_rng(seed), sum(map(len, blocks))
    score, null = sum(np.trace(block) for block in blocks) / n_rows, np.zeros(n_permutations)
    for block in blocks:
        dealt = rng.permuted(np.tile(np.arange(len(block)), (n_permutations, 1)), axis=1)
        null += block[np.arange(len(block)), dealt].sum(axis=1) / n_rows
    return Tested(score, null, float(p_values(np.array([score]), null[:, None])[0]))


def _labelled(predicted, target, labels, like):
    """Return the likeness of all pairs, the names of the labels and which of them each row has."""
    likeness, _ = likeness_of_pairs(predicted, target, None, like)
    if np.shape(labels) != (len(likeness),):
        raise ValueError(f"labels has shape {np.shape(labels)}, expected ({len(likeness)},): one a row")
    return likeness, *np.unique(np.asarray(labels), return_inverse=True)
