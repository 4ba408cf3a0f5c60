"""From windows of BOLD to vectors of an embedding.

All four strategies (`strategies`) end in the same thing: a linear map of some voxels, kept in a `Decoder`. Whatever is
chosen (alphas, parcels, voxels, weights) is chosen by cross-validation inside the rows that `fit_decoder` is given, in
folds of whole clips: windows of one clip overlap.
"""

from dataclasses import dataclass

import numpy as np

from naturalistic.arrays import as_floats, check_finite, float_type, mean_and_sd
from naturalistic.decoding.strategies import STRATEGIES
from naturalistic.models.folds import check_folds, check_groups
from naturalistic.models.ridge import RidgeCV

ALPHAS = tuple(np.logspace(0, 7, 15))


def ridge(alphas=ALPHAS, cv=5, **options):
    """Return the regression that decoders use by default: an alpha for each dimension, five folds of whole clips.

    Parameters
    ----------
    alphas, cv, options
        As of `naturalistic.models.ridge.RidgeCV`.

    Returns
    -------
    model : RidgeCV
    """
    return RidgeCV(alphas, cv, **{"progress": False, **options})


@dataclass(frozen=True)
class Decoder:
    """A linear map from voxels to the dimensions of an embedding.

    Attributes
    ----------
    strategy : str
    mean, scale : array (n_voxels,)
        Of the training rows; voxels are scaled by them.
    columns : list of int array (n_columns,)
        Voxels of each part.
    coefs : list of array (dim, n_columns)
        Of the scaled voxels; their sum over parts is the prediction.
    intercept : array (dim,)
    scores : array (n_candidates,)
        Mean over dimensions of the CV correlation of each candidate: parcel, number of voxels, or the whole.
    chosen : int array
        Candidates that were taken, the best first.
    weights : array (n_chosen,) or (n_chosen, dim)
        What each of them counts.
    """

    strategy: str
    mean: np.ndarray
    scale: np.ndarray
    columns: list
    coefs: list
    intercept: np.ndarray
    scores: np.ndarray
    chosen: np.ndarray
    weights: np.ndarray

    def predict(self, bold):
        """Return the vectors that are read from windows of BOLD.

        Parameters
        ----------
        bold : array (n_rows, n_voxels)

        Returns
        -------
        predicted : array (n_rows, dim)

        Raises
        ------
        ValueError
            If the number of voxels is another than in training, or a value is not finite.
        """
        bold = _as_rows(bold)
        if bold.shape[1] != len(self.mean):
            raise ValueError(f"bold has {bold.shape[1]} voxels, expected {len(self.mean)} as in training")
        predicted = np.tile(self.intercept, (len(bold), 1))
        for columns, coef in zip(self.columns, self.coefs):
            predicted += ((bold[:, columns] - self.mean[columns]) / self.scale[columns]) @ coef.T
        return predicted


def fit_decoder(bold, targets, clips, strategy="parcels", *, model=None, parcels=None, **options):
    """Fit a decoder.

    Parameters
    ----------
    bold : array (n_rows, n_voxels)
        Windows of training runs (`windows.pair`).
    targets : array (n_rows, dim)
        Embeddings of the same windows.
    clips : array-like (n_rows,)
        Clip of each row; no fold divides one.
    strategy : {"parcels", "whole", "voxels", "stack"}
        See `strategies`.
    model : RidgeCV, optional
        `ridge()` by default.
    parcels : int array (n_voxels,), optional
        Parcel of each voxel, for "parcels" and "stack".
    options
        Of the strategy: ``n_best`` (parcels), ``n_voxels`` (voxels), ``n_candidates`` and ``per_dimension`` (stack).

    Returns
    -------
    decoder : Decoder

    Raises
    ------
    ValueError
        Before any long work: what was expected, what came.
    """
    bold = _as_rows(bold)
    targets = as_floats(targets, "targets")
    if targets.ndim != 2 or len(targets) != len(bold):
        raise ValueError(f"targets has shape {targets.shape}, expected ({len(bold)}, dim): one vector a row of bold")
    check_finite(targets, "targets")
    clips = check_groups(clips, len(bold), "clips")
    if clips is None:
        raise ValueError(f"clips is missing, expected ({len(bold)},): the clip of each row of bold")
    if strategy not in STRATEGIES:
        raise ValueError(f"strategy is {strategy!r}, expected one of {', '.join(STRATEGIES)}")
    if strategy in ("parcels", "stack"):
        options["parcels"] = parcels
    mean, scale = scaling(bold)
    part = STRATEGIES[strategy]((bold - mean) / scale, targets, clips, ridge() if model is None else model, **options)
    return Decoder(strategy, mean, scale, *part)


def held_out(fit, bold, targets, clips, cv=5):
    """Predict training rows by decoders that were fitted without their fold, with everything chosen anew.

    Parameters
    ----------
    fit : callable
        ``fit(bold, targets, clips) -> decoder``, such as ``partial(fit_decoder, strategy="whole")``.
    bold : array (n_rows, n_voxels)
    targets : array (n_rows, dim)
    clips : array-like (n_rows,)
    cv : int, splitter or list of (train, test)
        Folds of whole clips; together they test each row once.

    Returns
    -------
    predicted : array (n_rows, dim)
        For `calibration.calibrate`, and for scores inside the training set.

    Raises
    ------
    ValueError
        If folds divide a clip, or do not test each row once.
    """
    bold, targets = _as_rows(bold), as_floats(targets, "targets")
    clips = check_groups(clips, len(bold), "clips")
    if targets.ndim != 2 or len(targets) != len(bold) or clips is None:
        raise ValueError(
            f"targets has shape {targets.shape}, expected ({len(bold)}, dim) and a clip for each: one row a row of bold"
        )
    predicted = np.empty(targets.shape, float_type(bold))
    for train, test in check_folds(cv, len(bold), clips, once=True):
        if len(both := np.intersect1d(clips[train], clips[test])):
            raise ValueError(f"cv divides clip {both[0]}: its windows are in training and test; make folds of clips")
        predicted[test] = fit(bold[train], targets[train], clips[train]).predict(bold[test])
    return predicted


def _as_rows(bold):
    """Return windows of BOLD as a finite array of floats."""
    bold = as_floats(bold, "bold")
    if bold.ndim != 2 or not bold.size:
        raise ValueError(f"bold has shape {bold.shape}, expected (n_rows, n_voxels): has the subject such runs?")
    check_finite(bold, "bold")
    return bold


def scaling(bold):
    """Return mean and standard deviation of each voxel; a constant one has the scale 1, and becomes 0.

    Parameters
    ----------
    bold : array (n_rows, n_voxels)

    Returns
    -------
    mean, scale : array (n_voxels,)
        Of the dtype of ``bold``, made in float64.
    """
    mean, scale = mean_and_sd(bold)
    scale[scale == 0] = 1
    return mean.astype(bold.dtype), scale.astype(bold.dtype)
