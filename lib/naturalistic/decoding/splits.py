"""One genre out: does a decoder know music of a kind that it was never trained on?"""

from typing import NamedTuple

import numpy as np


class Split(NamedTuple):
    """Rows to train on and rows to test on, by the group that is left out.

    Attributes
    ----------
    group : object
        Such as ``"jazz"``: in no training row, in all test rows.
    train : int array
        Rows of the training set.
    test : int array
        Rows of the test set.
    """

    group: object
    train: np.ndarray
    test: np.ndarray


def one_group_out(training, test=None):
    """Return one `Split` for each group: train without it, test on it alone.

    Put the predictions of all test rows together before they are compared, so that candidates are of all groups. Each
    decoder's mean prediction lies a little away from the group that it never saw, which makes this test a hard one.

    Parameters
    ----------
    training : sequence (n_rows,)
        Group (genre) of each training row.
    test : sequence (n_test_rows,), optional
        Of each test row; by default the training rows are tested, in folds of groups.

    Returns
    -------
    splits : list of Split
        Groups of the test set in alphabetical order; together they test each row once.

    Raises
    ------
    ValueError
        If nothing is left to train on, or a test group is unknown to the training set (nothing would be left out).
    """
    training = np.asarray(training)
    test = training if test is None else np.asarray(test)
    if training.ndim != 1 or test.ndim != 1 or not len(test):
        raise ValueError(f"training has shape {training.shape} and test {test.shape}, expected one group a row")
    groups = np.unique(test)
    unknown = np.setdiff1d(groups, training)
    if len(unknown):
        raise ValueError(f"the test group {unknown[0]!s} is in no training row: leaving it out would change nothing")
    if len(np.unique(training)) < 2:
        raise ValueError(f"all training rows are of the group {training[0]!s}: nothing is left to train on")
    return [Split(group, np.flatnonzero(training != group), np.flatnonzero(test == group)) for group in groups.tolist()]
