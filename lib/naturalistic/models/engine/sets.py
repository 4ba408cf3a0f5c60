"""Banded models of many sets of the same feature spaces: decompositions are made once, weights are tried once."""

import itertools

import numpy as np
from sklearn.base import clone

from naturalistic.models.engine.bands import solve_choices
from naturalistic.models.engine.inputs import check_alphas
from naturalistic.parameters import is_whole, whole


def nested_gammas(n_spaces, most=3, levels=(0.1, 1.0)):
    """Return weights of feature spaces that hold, for every set of the spaces, the weights without the others.

    Of up to ``most`` spaces each has one of the ``levels``, relative to the others; the rest have 0. A space that is
    left out leaves weights that are in the list too, so that models with and without a space were searched alike, and
    differ by the space and not by the luck of two random searches.

    Parameters
    ----------
    n_spaces : int
    most : int
        Spaces that share a target. Of 6 spaces: 51 rows with 2, 191 with 3, 416 with 4.
    levels : sequence of float
        Above 0; the largest is 1.

    Returns
    -------
    gammas : array (n_rows, n_spaces)
        Each row sums to 1; single spaces first.

    Raises
    ------
    ValueError
        If a level is not above 0, the largest is not 1, or a number is below 1.
    """
    levels = np.unique(np.asarray(levels, dtype=np.float64))
    if not (len(levels) and levels[0] > 0 and levels[-1] == 1):
        raise ValueError(f"levels is {levels.tolist()}, expected numbers above 0, the largest 1")
    n_spaces, most = whole("n_spaces", n_spaces), whole("most", most)
    rows = []
    for size in range(1, min(most, n_spaces) + 1):
        for members in itertools.combinations(range(n_spaces), size):
            for weights in itertools.product(levels, repeat=size):
                if max(weights) == 1:
                    row = np.zeros(n_spaces)
                    row[list(members)] = weights
                    rows.append(row / row.sum())
    return np.array(rows)


def fit_sets(model, X, Y, sets, groups=None):
    """Fit one model for each set of feature spaces; decompositions are made once, and no model is kept here.

    Parameters
    ----------
    model : BandedRidgeCV
        Not fitted itself: its clones are. If ``n_draws`` is a number, each set has its own draws (one, if it is of
        one space). If it is an array of weights for all spaces, such as `nested_gammas`, all are tried once, and a
        set chooses among the rows that give its own spaces all the weight: sets are then searched alike.
    X : dict of array (n_samples, n_features)
    Y : array or data set (n_samples, n_targets)
    sets : sequence of sequence of str
        Names of spaces; within a set the order is that of X.
    groups : array-like (n_samples,), optional

    Yields
    ------
    fitted : BandedRidgeCV
        Of the set's spaces; with an array of weights of all spaces, those that are not in the set weighing 0.

    Raises
    ------
    ValueError
        If a set is empty or names another space, no row of weights is of a set's spaces alone, or as
        `BandedRidgeCV.fit`.
    """
    for names in sets:
        if not len(names) or set(names) - set(X):
            raise ValueError(f"sets holds {list(names)}, expected one or more of the spaces {list(X)}")
    checked = clone(model)
    X, Y, folds = checked._checked(X, Y, groups)
    spaces = checked._make_spaces(X, Y, folds)
    if is_whole(model.n_draws):
        for names in sets:
            kept = [name for name in X if name in names]
            part = _copy(checked, X, kept, model.n_draws if len(kept) > 1 else 1)
            yield part._fit_spaces(spaces if len(kept) == len(X) else spaces.select(kept), Y)
        return
    gammas = np.asarray(model.n_draws, dtype=np.float64)
    choices = [_rows_of(gammas, list(X), names) for names in sets]
    how = {name: getattr(model, name) for name in ("scoring", "fit_intercept", "n_targets_batch", "progress")}
    for rows, found in zip(choices, solve_choices(spaces, Y, check_alphas(model.alphas), gammas, choices, **how)):
        yield _copy(checked, X, list(X), gammas[rows])._fit_spaces(spaces, Y, found)


def _copy(checked, X, names, n_draws):
    part = clone(checked).set_params(n_draws=n_draws)
    part._one_target, part.n_features_in_ = checked._one_target, sum(X[name].shape[1] for name in names)
    return part


def _rows_of(gammas, spaces, names):
    """Return the rows of weights that are 0 outside of a set of spaces."""
    outside = [k for k, name in enumerate(spaces) if name not in names]
    rows = np.flatnonzero((gammas[:, outside] == 0).all(axis=1))
    if not len(rows):
        raise ValueError(
            f"n_draws has no row of weights that are 0 but for {list(names)}: nested_gammas makes such rows for all "
            "sets, a number draws for each"
        )
    return rows
