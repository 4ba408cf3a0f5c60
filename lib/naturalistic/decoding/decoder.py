"""Decoders: linear maps from windows of BOLD to the dimensions of an embedding.

All four strategies (`strategies`) end in a linear map of some voxels, held by a `Decoder`. Everything that is selected
(alphas, parcels, voxels, weights) is selected by cross-validation within the rows given to `fit_decoder`, in folds of
whole clips, because windows of one clip overlap.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import BaseCrossValidator

from naturalistic.arrays import ShapeRepr, as_floats, check_finite, float_type, mean_and_sd
from naturalistic.decoding.clips import average_clips
from naturalistic.decoding.strategies import STRATEGIES
from naturalistic.decoding.windows import WindowedData, WindowPairs
from naturalistic.models.folds import check_folds, check_groups
from naturalistic.models.ridge import RidgeCV

ALPHAS = tuple(np.logspace(0, 7, 15))

Strategy = Literal["parcels", "whole", "voxels", "stack"]
Folds: TypeAlias = int | BaseCrossValidator | Sequence[tuple[NDArray, NDArray]]


def default_ridge(alphas: ArrayLike = ALPHAS, cv: Folds = 5, **options: Any) -> RidgeCV:
    """Return the default regression of decoders, with an alpha for each dimension.

    Parameters
    ----------
    alphas : array-like (n_alphas,)
    cv : int, splitter or list of (train, test)
    **options
        Of `naturalistic.models.ridge.RidgeCV`.

    Returns
    -------
    model : RidgeCV
    """
    return RidgeCV(alphas, cv, **{"progress": False, **options})


@dataclass(frozen=True, eq=False, repr=False)
class Decoder(ShapeRepr):
    """Linear map from voxels to the dimensions of an embedding.

    Attributes
    ----------
    strategy : str
    mean, scale : array (n_voxels,)
        Of the training rows; voxels are scaled by them.
    columns : list of int array (n_columns,)
        Voxels of each part.
    coefs : list of array (dim, n_columns)
        Of the scaled voxels; the prediction is their sum over parts.
    intercept : array (dim,)
    scores : array (n_candidates,)
        Mean over dimensions of the CV correlation of each candidate: parcel, number of voxels, or whole cortex.
    chosen : int array (n_chosen,)
        Selected candidates, the best first.
    weights : array (n_chosen,) or (n_chosen, dim)
        Weight of each selected candidate.
    """

    strategy: str
    mean: NDArray
    scale: NDArray
    columns: list[NDArray]
    coefs: list[NDArray]
    intercept: NDArray
    scores: NDArray
    chosen: NDArray
    weights: NDArray

    def predict(self, bold: ArrayLike) -> NDArray:
        """Predict vectors from windows of BOLD.

        Parameters
        ----------
        bold : array (n_rows, n_voxels)

        Returns
        -------
        predicted : array (n_rows, dim)

        Raises
        ------
        ValueError
            If the number of voxels differs from training, or a value is not finite.
        """
        bold = _check_bold(bold)
        if bold.shape[1] != len(self.mean):
            raise ValueError(f"bold has {bold.shape[1]} voxels, expected {len(self.mean)} as in training")
        predicted = np.tile(self.intercept, (len(bold), 1))
        for columns, coef in zip(self.columns, self.coefs):
            predicted += ((bold[:, columns] - self.mean[columns]) / self.scale[columns]) @ coef.T
        return predicted


@dataclass(frozen=True, eq=False, repr=False)
class DecodingResult(ShapeRepr):
    """True and decoded embeddings of the test clips.

    Attributes
    ----------
    predicted, target : array (n_clips, dim)
        Means over the windows of a clip.
    clips : int array (n_clips,)
        Indices into the clips of the experiment.
    decoder : Decoder or None
        None where several decoders were used.
    """

    predicted: NDArray
    target: NDArray
    clips: NDArray
    decoder: Decoder | None = None


@dataclass(frozen=True, eq=False, repr=False)
class GroupSplit(ShapeRepr):
    """Training and test rows with one group left out.

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
    train: NDArray
    test: NDArray


def fit_decoder(
    bold: ArrayLike,
    targets: ArrayLike,
    clips: ArrayLike,
    strategy: Strategy = "parcels",
    *,
    model: RidgeCV | None = None,
    parcels: ArrayLike | None = None,
    **options: Any,
) -> Decoder:
    """Fit a decoder.

    Parameters
    ----------
    bold : array (n_rows, n_voxels)
        Training windows (`windows.pair_windows`).
    targets : array (n_rows, dim)
        Embeddings of the same windows.
    clips : array-like (n_rows,)
        Clip of each row; no fold divides one.
    strategy : {"parcels", "whole", "voxels", "stack"}
        See `strategies`.
    model : RidgeCV, optional
        `default_ridge()` by default.
    parcels : int array (n_voxels,), optional
        Parcel of each voxel, for "parcels" and "stack".
    **options
        Of the strategy: ``n_best`` (parcels), ``n_voxels`` (voxels), ``n_candidates`` and ``per_dimension`` (stack).

    Returns
    -------
    decoder : Decoder

    Raises
    ------
    ValueError
        If shapes do not match, a value is not finite, or an option is out of range.
    """
    bold = _check_bold(bold)
    targets = as_floats(targets, "targets")
    if targets.ndim != 2 or len(targets) != len(bold):
        raise ValueError(f"targets has shape {targets.shape}, expected ({len(bold)}, dim): one vector a row of bold")
    check_finite(targets, "targets")
    groups = check_groups(clips, len(bold), "clips")
    if groups is None:
        raise ValueError(f"clips is missing, expected ({len(bold)},): the clip of each row of bold")
    if strategy not in STRATEGIES:
        raise ValueError(f"strategy is {strategy!r}, expected one of {', '.join(STRATEGIES)}")
    if strategy in ("parcels", "stack"):
        options["parcels"] = parcels
    model = default_ridge() if model is None else model
    mean, scale = column_scaling(bold)
    scaled = bold - mean
    scaled /= scale
    fit = STRATEGIES[strategy](scaled, targets, groups, model, **options)
    return Decoder(strategy, mean, scale, fit.columns, fit.coefs, fit.intercept, fit.scores, fit.chosen, fit.weights)


def held_out_predictions(
    fit: Callable[[NDArray, NDArray, NDArray], Decoder],
    bold: ArrayLike,
    targets: ArrayLike,
    clips: ArrayLike,
    cv: Folds = 5,
) -> NDArray:
    """Predict training rows by decoders fitted without their fold.

    Everything that a decoder selects is selected again without the fold.

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
        For `calibration.calibrate`, and for scores within the training set.

    Raises
    ------
    ValueError
        If folds divide a clip, or do not test each row once.
    """
    bold = _check_bold(bold)
    targets = as_floats(targets, "targets")
    groups = check_groups(clips, len(bold), "clips")
    if targets.ndim != 2 or len(targets) != len(bold) or groups is None:
        raise ValueError(
            f"targets has shape {targets.shape}, expected ({len(bold)}, dim) and a clip for each: one row a row of bold"
        )
    predicted = np.empty(targets.shape, float_type(bold))
    for train, test in check_folds(cv, len(bold), groups, once=True):
        divided = np.intersect1d(groups[train], groups[test])
        if len(divided):
            raise ValueError(f"cv divides clip {divided[0]}: its windows are in training and test; make folds of clips")
        predicted[test] = fit(bold[train], targets[train], groups[train]).predict(bold[test])
    return predicted


def decode(data: WindowedData, strategy: Strategy = "parcels", **options: Any) -> DecodingResult:
    """Fit a decoder on the training windows of a subject and decode the test clips.

    Parameters
    ----------
    data : WindowedData
    strategy : {"parcels", "whole", "voxels", "stack"}
    **options
        Of `fit_decoder`.

    Returns
    -------
    result : DecodingResult
    """
    decoder = fit_decoder(data.train.bold, data.train.targets, data.train.clips, strategy, **options)
    return average_result(decoder.predict(data.test.bold), data.test, decoder)


def decode_left_out_genres(
    data: WindowedData, genres: ArrayLike, strategy: Strategy = "parcels", **options: Any
) -> DecodingResult:
    """Decode each test clip by a decoder fitted without clips of its genre.

    Parameters
    ----------
    data : WindowedData
    genres : array (n_clips,) of str
        Of all clips of the experiment.
    strategy : {"parcels", "whole", "voxels", "stack"}
    **options
        Of `fit_decoder`.

    Returns
    -------
    result : DecodingResult

    Raises
    ------
    ValueError
        If a test genre is in no training clip, or all training clips are of one genre.
    """
    genres = np.asarray(genres)
    train = data.train
    test = data.test
    predicted = np.empty_like(test.targets)
    for split in leave_one_group_out(genres[train.clips], genres[test.clips]):
        rows = split.train
        decoder = fit_decoder(train.bold[rows], train.targets[rows], train.clips[rows], strategy, **options)
        predicted[split.test] = decoder.predict(test.bold[split.test])
    return average_result(predicted, test)


def leave_one_group_out(training: ArrayLike, test: ArrayLike | None = None) -> list[GroupSplit]:
    """Return a split for each group: training rows without it, test rows of it alone.

    Combine the predictions of all test rows before they are compared, so that candidates are of all groups. The mean
    prediction of each decoder is somewhat off for the group that it was not fitted on, which makes this test hard.

    Parameters
    ----------
    training : array-like (n_rows,)
        Group (genre) of each training row.
    test : array-like (n_test_rows,), optional
        Group of each test row; by default the training rows are tested, in folds of groups.

    Returns
    -------
    splits : list of GroupSplit
        Test groups in alphabetical order; together they test each row once.

    Raises
    ------
    ValueError
        If no training row remains, or a test group is in no training row (nothing would be left out).
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
    return [
        GroupSplit(group, np.flatnonzero(training != group), np.flatnonzero(test == group)) for group in groups.tolist()
    ]


def average_result(predicted: ArrayLike, test: WindowPairs, decoder: Decoder | None = None) -> DecodingResult:
    """Average predictions and targets of test windows by clip.

    Parameters
    ----------
    predicted : array (n_rows, dim)
        One row a test window.
    test : WindowPairs
    decoder : Decoder, optional

    Returns
    -------
    result : DecodingResult
    """
    predicted, clips = average_clips(predicted, test.clips)
    target, _ = average_clips(test.targets, test.clips)
    return DecodingResult(predicted, target, clips, decoder)


def column_scaling(bold: NDArray) -> tuple[NDArray, NDArray]:
    """Return mean and scale of each voxel; the scale of a constant one is 1.

    Parameters
    ----------
    bold : array (n_rows, n_voxels)

    Returns
    -------
    mean, scale : array (n_voxels,)
        Of the dtype of ``bold``, computed in float64.
    """
    mean, scale = mean_and_sd(bold)
    scale[scale == 0] = 1
    return mean.astype(bold.dtype), scale.astype(bold.dtype)


def _check_bold(bold: ArrayLike) -> NDArray:
    """Return windows of BOLD as a finite array (n_rows, n_voxels) of floats."""
    bold = as_floats(bold, "bold")
    if bold.ndim != 2 or not bold.size:
        raise ValueError(f"bold has shape {bold.shape}, expected (n_rows, n_voxels): has the subject such runs?")
    check_finite(bold, "bold")
    return bold
