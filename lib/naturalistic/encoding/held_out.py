"""Test runs: predicted by a model that was fitted on the training runs."""

from typing import NamedTuple

import numpy as np
from sklearn.base import clone

from naturalistic.encoding.fit import HeldOut
from naturalistic.encoding.rows import Rows, split_rows
from naturalistic.models.banded import BandedRidgeCV


class Fitted(NamedTuple):
    """A model of the training runs, and the rows that it was fitted on and is tested on.

    Attributes
    ----------
    model : RidgeCV or BandedRidgeCV
    rows : Rows
    """

    model: object
    rows: Rows

    def held_out(self, columns=slice(None)):
        """Return the `HeldOut` of a slice of voxels: responses and predictions, centred in each run.

        Parameters
        ----------
        columns : slice
            Of voxels.

        Returns
        -------
        held_out : HeldOut
        """
        ahead = np.concatenate(list(self.rows.test.values()), axis=1)
        return HeldOut(self.rows.measured(columns), ahead @ self.model.coef_[columns].T)


def fit_training_runs(spaces, bold, model, *, test, delays, tr, runs, merge=None):
    """Fit a copy of a model on the training runs.

    Parameters
    ----------
    spaces, bold, model, test, delays, tr, runs, merge
        As of `predict_test_runs`.

    Returns
    -------
    fitted : Fitted

    Raises
    ------
    ValueError
        As of `predict_test_runs`.
    """
    rows = split_rows(spaces, bold, test=test, delays=delays, tr=tr, runs=runs, merge=merge)
    banded = isinstance(model, BandedRidgeCV)
    X = rows.train if banded else np.concatenate(list(rows.train.values()), axis=1)
    return Fitted(clone(model).fit(X, rows.bold, groups=rows.train_runs), rows)


def predict_test_runs(spaces, bold, model, *, test, delays, tr, runs, merge=None):
    """Predict test runs from a model that was fitted on all other runs, alphas chosen by folds of whole runs.

    Parameters
    ----------
    spaces, delays, tr
        As in `encoding.held_out_predictions`; the spaces are scaled by their training TRs.
    bold : array, memory map or SideBySide (n_trs, n_voxels)
    model : RidgeCV or BandedRidgeCV
        A banded one gets each space by itself.
    test : bool array (n_trs,)
        TRs of whole runs; the others train.
    runs : array-like (n_trs,)
    merge : callable, optional
        From values (n_test_trs, n) and their runs to repeats (n_repeats, n_samples, n) and the runs of samples, such
        as `music_genre.repeats`. The mean over repeats is then predicted: that of the features predicts that of the
        responses, as the model is linear.

    Returns
    -------
    held_out : HeldOut
        Centred in each run, as the ceiling is.
    runs : array (n_samples,)

    Raises
    ------
    ValueError
        As `rows.split_rows`.
    """
    fitted = fit_training_runs(spaces, bold, model, test=test, delays=delays, tr=tr, runs=runs, merge=merge)
    return fitted.held_out(), fitted.rows.test_runs
