"""Held-out prediction: models fitted on training TRs predict other TRs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from tqdm import tqdm

from naturalistic.arrays import ShapeRepr, as_floats, check_finite, column_blocks, float_type
from naturalistic.encoding.design import (
    FittedSpaces,
    Spaces,
    bytes_of_fit,
    check_confounds,
    residuals,
    rotated,
    shifted_copies,
)
from naturalistic.encoding.multi_subject import MultiSubjectBold
from naturalistic.encoding.split import FoldSplit, Split, check_length
from naturalistic.encoding.split_data import SplitData, fold_designer, split_data
from naturalistic.inference import draw_shifts, p_values
from naturalistic.models.banded import BandedRidgeCV
from naturalistic.models.engine.device import in_parallel, pick_device
from naturalistic.models.ridge import RidgeCV
from naturalistic.models.scoring import correlation, r2
from naturalistic.parameters import whole
from naturalistic.preprocessing.validation import check_bold
from naturalistic.runs import run_slices

MAX_TARGETS = 20_000  # shifted copies of the responses that are fitted at a time


@dataclass(frozen=True, eq=False)
class Prediction:
    """Responses beside the predictions of models that had not seen them.

    Attributes
    ----------
    measured : array (n_samples, n_voxels)
        Responses, less what confounds explain of them. Of a `Split` the mean over repeats, centered in each run.
    predicted : array (n_samples, n_voxels)
    runs : array (n_samples,)
        Inside of which measured and predicted are compared: test runs of a `Split`, groups of a `FoldSplit`.
    one_model : bool
        Whether one model predicted all samples, as of a `Split`. Then finished predictions may be shifted for a null;
        those of several folds may not, see `group_accuracy`.
    fold : int array (n_samples,), or None
        Of a `FoldSplit`: the fold that left each sample out.
    cv_scores : array (n_folds, n_voxels), or None
        Of a `FoldSplit`: best mean score inside the training TRs of each fold.
    """

    measured: NDArray
    predicted: NDArray
    runs: NDArray
    one_model: bool = True
    fold: NDArray | None = None
    cv_scores: NDArray | None = None

    def __repr__(self) -> str:
        n_samples, n_voxels = np.shape(self.measured)
        return f"Prediction({n_samples} samples, {n_voxels} voxels, {len(run_slices(self.runs))} runs)"

    def correlation(self) -> NDArray:
        """Return the Pearson correlation of measured and predicted (n_voxels,)."""
        return correlation(self.measured, self.predicted)

    def r2(self) -> NDArray:
        """Return the explained share of variance (n_voxels,).

        It is below 0 if the prediction is worse than the mean.
        """
        return r2(self.measured, self.predicted)


@dataclass(frozen=True, repr=False)
class Accuracy(ShapeRepr):
    """Accuracy of held-out predictions in a group of subjects.

    Attributes
    ----------
    r : array (n_subjects, n_voxels)
        Pearson correlation, see `correlation_inside`.
    null : array (n_permutations, n_voxels)
        Mean over subjects of the same for models fitted to shifted responses.
    p : array (n_voxels,)
        (b + 1) / (m + 1), with b of m values of the null that reach the mean of r over subjects.
    fold_r : array (n_folds, n_subjects, n_voxels)
        Pearson correlation in what each fold left out.
    fold_cv : array (n_folds, n_subjects, n_voxels)
        Best mean score inside the training TRs of each fold: by this layers and voxels may be selected for it.
    """

    r: NDArray
    null: NDArray
    p: NDArray
    fold_r: NDArray
    fold_cv: NDArray

    def to_frame(self, subjects: Sequence[str], regions: Sequence[str]) -> pd.DataFrame:
        """Return a row for each subject and region.

        Parameters
        ----------
        subjects : sequence of str (n_subjects,)
        regions : sequence of str (n_voxels,)

        Returns
        -------
        frame : DataFrame
            Columns ``subject``, ``region``, ``r``, and ``p`` of the group in that region (NaN without a null).
        """
        if self.r.shape != (len(subjects), len(regions)):
            raise ValueError(f"r has shape {self.r.shape}, expected ({len(subjects)}, {len(regions)}) as of the names")
        rows = {
            "subject": np.repeat(list(subjects), len(regions)),
            "region": np.tile(list(regions), len(subjects)),
            "r": self.r.ravel(),
            "p": np.tile(self.p, len(subjects)),
        }
        return pd.DataFrame(rows)


@dataclass(frozen=True, eq=False, repr=False)
class Fitted(ShapeRepr):
    """Model of the training runs, with the data of training and test.

    Attributes
    ----------
    model : RidgeCV or BandedRidgeCV
    data : SplitData
    """

    model: RidgeCV | BandedRidgeCV
    data: SplitData

    def predict(self, columns: slice = slice(None)) -> Prediction:
        """Predict a slice of voxels in the test runs, centered in each run.

        Parameters
        ----------
        columns : slice
            Of voxels.

        Returns
        -------
        prediction : Prediction
        """
        features = np.concatenate(list(self.data.test.values()), axis=1)
        predicted = features @ self.model.coef_[columns].T
        measured = np.empty(predicted.shape, self.data.bold.dtype)
        first = columns.indices(len(self.model.coef_))[0]
        for block in column_blocks(len(self.data.bold), measured.shape[1]):  # repeats of a block alone are copied
            measured[:, block] = self.data.measured(slice(first + block.start, first + block.stop))
        return Prediction(measured, predicted, self.data.test_runs)


def fit(
    features: Spaces,
    bold: ArrayLike | MultiSubjectBold,
    model: RidgeCV | BandedRidgeCV,
    split: Split,
    *,
    confounds: ArrayLike | None = None,
) -> Fitted:
    """Fit a copy of a model on the training runs.

    Alphas are chosen by folds of whole runs, or of the groups of the split.

    Parameters
    ----------
    features, bold, model, split, confounds
        As in `fit_predict`.

    Returns
    -------
    fitted : Fitted

    Raises
    ------
    ValueError
        As in `fit_predict`.
    """
    data = split_data(features, bold, split, confounds)
    banded = isinstance(model, BandedRidgeCV)
    X = data.train if banded else np.concatenate(list(data.train.values()), axis=1)
    return Fitted(clone(model).fit(X, data.bold, groups=data.train_groups), data)


def fit_predict(
    features: Spaces | FittedSpaces,
    bold: ArrayLike | MultiSubjectBold | Callable[[NDArray], ArrayLike],
    model: RidgeCV | BandedRidgeCV,
    split: Split | FoldSplit,
    *,
    confounds: ArrayLike | None = None,
    shifts: ArrayLike | None = None,
) -> Prediction:
    """Predict responses from a model that was fitted without them.

    With a `Split` one model is fitted on the training runs and predicts the test runs. With a `FoldSplit` each fold is
    predicted by a model of the others. Features are scaled by the mean and standard deviation of the training TRs,
    delayed inside each run, and given to a fresh copy of ``model``, which chooses its alphas inside the training TRs.

    Parameters
    ----------
    features : dict of str to array (n_trs, n_features), or one array
        Feature spaces on the TR grid, not delayed. An array alone is the space "features". With a `FoldSplit` also a
        function that gives these from the mask of the training TRs (n_trs,), as `features.pca.TrainingPCA` does.
    bold : array, memory map or MultiSubjectBold (n_trs, n_voxels)
        Responses, any unit; whole numbers are worked on in float64. With a `FoldSplit` also a function that gives an
        array from the mask of the training TRs (n_trs,): responses that are fitted themselves, such as components.
    model : RidgeCV or BandedRidgeCV
        Its own ``cv`` splits the training TRs by the groups of the split, which are runs by default. A banded one gets
        each space by itself (of a `Split`).
    split : Split or FoldSplit
    confounds : array (n_trs, n_confounds), optional
        Regressed out of features and BOLD by least squares on the training TRs, so that only what the
        confounds cannot explain is predicted, and from what they do not share (Frisch & Waugh 1933).
    shifts : array of int (n_shifts, n_runs), optional
        For the null of a `FoldSplit`: BOLD (less confounds) is shifted circularly inside each run by each row, and each
        shifted copy is fitted and predicted like BOLD itself.

    Returns
    -------
    prediction : Prediction
        float32 when ``bold`` is; with ``shifts`` of (n_trs, n_shifts * n_voxels), shift by shift.

    Raises
    ------
    ValueError
        Before anything is fitted: if an argument is not as described, lengths differ, a space has no delays or is
        constant, or the folds do not test each TR once.
    """
    if isinstance(split, FoldSplit):
        return _fit_predict_folds(features, bold, model, split, confounds, shifts)
    if not isinstance(split, Split):
        raise TypeError(f"split is of type {type(split).__name__}, expected Split or FoldSplit")
    if shifts is not None:
        raise ValueError("shifts are given with a Split, expected a FoldSplit: pass the prediction to score instead")
    return fit(features, bold, model, split, confounds=confounds).predict()


def _fit_predict_folds(
    features: Spaces | FittedSpaces,
    bold: ArrayLike | Callable[[NDArray], ArrayLike],
    model: RidgeCV | BandedRidgeCV,
    split: FoldSplit,
    confounds: ArrayLike | None,
    shifts: ArrayLike | None,
) -> Prediction:
    """Predict each fold by a model of the others."""
    responses = None if callable(bold) else _kept_responses(bold, split)
    groups = split.kept_groups
    if confounds is not None:
        n_train = min(len(train) for train, _ in split.folds())
        confounds = check_confounds(confounds, len(split.keep), n_train)[split.keep]
    one_at_a_time = Lock()  # nobody's function need expect threads
    design_of = fold_designer(features, split, one_at_a_time)

    def predict_fold(indices: tuple[NDArray, NDArray]) -> tuple[NDArray, NDArray, NDArray]:
        """Return measured and predicted responses of one fold, and the best scores inside its training TRs."""
        train, test = indices
        X = np.concatenate(list(design_of(train).values()), axis=1)
        Y = responses
        if Y is None:
            with one_at_a_time:
                of_fold = bold(split.training_mask(train))
            Y = _kept_responses(of_fold, split)
        if confounds is not None:
            X = residuals(X, confounds, train)
            Y = residuals(Y, confounds, train)
        X = rotated(X)
        if shifts is not None:
            Y = shifted_copies(Y, shifts, split.kept_runs)
        fitted = clone(model).fit(X[train], Y[train], groups=groups[train])
        return Y[test], fitted.predict(X[test]), np.max(fitted.cv_scores_, axis=0)

    folds = split.folds()
    n_targets = (len(groups) if responses is None else responses.shape[1]) * (1 if shifts is None else len(shifts))
    n_bytes = bytes_of_fit(features, split.delays, len(groups), n_targets)
    measured = predicted = np.empty((0, 0))
    fold_of = np.empty(len(groups), dtype=int)
    cv_scores = []
    for (_, test), of_fold in zip(folds, in_parallel(predict_fold, folds, pick_device(model.device), n_bytes)):
        if not cv_scores:
            measured, predicted = np.empty((2, len(groups), of_fold[0].shape[1]), dtype=of_fold[0].dtype)
        measured[test], predicted[test] = of_fold[:2]
        fold_of[test] = len(cv_scores)
        cv_scores.append(of_fold[2])
    return Prediction(measured, predicted, groups, one_model=False, fold=fold_of, cv_scores=np.stack(cv_scores))


def _kept_responses(bold: ArrayLike, split: FoldSplit) -> NDArray:
    """Return responses of the TRs that are kept, once checked."""
    bold = as_floats(bold, "bold")
    if bold.ndim != 2:
        raise ValueError(f"bold has shape {bold.shape}, expected (n_trs, n_voxels): one voxel is bold[:, None]")
    check_finite(bold, "bold")
    check_length(split, len(bold))
    return bold[split.keep]


def correlation_inside(prediction: Prediction) -> NDArray:
    """Correlate predictions and responses inside each run or group of TRs.

    Each group of a `FoldSplit` was predicted by another model, with its own intercept and shrinkage. Pooled over
    groups, a correlation would reward or punish those; inside a group only the time course counts.

    Parameters
    ----------
    prediction : Prediction
        Its groups, each contiguous.

    Returns
    -------
    r : array (n_voxels,)
        Mean over groups, weighted by their length; a constant response or prediction scores 0.

    Raises
    ------
    ValueError
        If a group is not contiguous.
    """
    measured = check_bold(prediction.measured)
    predicted = check_bold(prediction.predicted)
    slices = run_slices(prediction.runs, len(measured))
    r = np.zeros(measured.shape[1], dtype=float_type(measured, predicted))
    for columns in column_blocks(max(s.stop - s.start for s in slices), measured.shape[1]):
        product = 0
        sizes = [0, 0]  # TRs of the groups in which measured and predicted vary
        for s in slices:
            n = s.stop - s.start
            sides = [_centered_or_flat(x[s, columns]) for x in (measured, predicted)]
            (x, x_ss, x_varies), (y, y_ss, y_varies) = sides
            r_inside = np.einsum("ij,ij->j", x, y) / np.sqrt(np.where(x_varies & y_varies, x_ss * y_ss, 1))
            product = product + n * np.where(x_varies & y_varies, r_inside, 0)
            sizes = [size + n * varies for size, (_, _, varies) in zip(sizes, sides)]
        r[columns] = np.clip(product / np.sqrt(np.maximum(sizes[0] * sizes[1], 1)), -1, 1)
    return r


def _centered_or_flat(x: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Return columns less their means, in float64, their sums of squares, and whether they vary by `zscore`'s rule."""
    centered = x - x.mean(axis=0, dtype=np.float64)
    ss = np.einsum("ij,ij->j", centered, centered)
    largest = np.maximum(x.max(axis=0), -x.min(axis=0))
    return centered, ss, np.sqrt(ss / len(x)) > 8 * np.finfo(x.dtype).eps * largest


def _correlation_in_folds(prediction: Prediction, n_targets: int) -> NDArray:
    """Return `correlation_inside` of what each fold left out, of the first targets (n_folds, n_targets)."""
    by_fold = []
    for k in range(len(prediction.cv_scores)):
        tested = prediction.fold == k
        measured = prediction.measured[tested, :n_targets]
        predicted = prediction.predicted[tested, :n_targets]
        by_fold.append(correlation_inside(Prediction(measured, predicted, prediction.runs[tested])))
    return np.stack(by_fold)


def group_accuracy(
    features: Spaces | FittedSpaces,
    bold: ArrayLike,
    model: RidgeCV,
    split: FoldSplit,
    *,
    confounds: Sequence[ArrayLike] | NDArray | None = None,
    n_permutations: int = 200,
    seed: int = 0,
) -> Accuracy:
    """Score one model for each subject of a group, against a refitted null.

    Subjects saw or heard the same. Features are the same for all, so all subjects are targets of one regression; only
    confounds of their own need one regression each. For the null, BOLD is shifted in time inside each run, all subjects
    alike because they share the stimulus, and everything is fitted again. (Shifting finished predictions instead would
    find 10 to 14 % false positives at 0.05: the models of different folds were fitted on each other's test data, so
    their scores rise and fall together, and a null must let them.)

    Parameters
    ----------
    features, model
        As in `fit_predict`.
    bold : array (n_subjects, n_trs, n_voxels)
    split : FoldSplit
    confounds : array (n_trs, n_confounds) or (n_subjects, n_trs, n_confounds), optional
        Shared by all, such as the rate of words, or of each subject, which takes as many regressions as subjects.
    n_permutations : int
        Rows of the null; 0 for none (and NaN for p).
    seed : int
        Draws the shifts.

    Returns
    -------
    accuracy : Accuracy

    Raises
    ------
    ValueError
        As `fit_predict`; if ``bold`` has other axes, or ``confounds`` are of another number of subjects.
    """
    bold = as_floats(bold, "bold", "subject")
    if bold.ndim != 3:
        raise ValueError(f"bold has shape {bold.shape}, expected (n_subjects, n_trs, n_voxels)")
    n_subjects, n_trs, n_voxels = bold.shape
    n_permutations = whole("n_permutations", n_permutations, 0)
    everybody = bold.transpose(1, 0, 2).reshape(n_trs, -1)
    if confounds is None:
        parts = [(everybody, None)]
    elif isinstance(confounds, np.ndarray) and confounds.ndim == 2 and len(confounds) == n_trs != n_subjects:
        parts = [(everybody, check_confounds(confounds, n_trs))]
    else:
        if len(confounds) != n_subjects:
            raise ValueError(
                f"confounds are of {len(confounds)} subjects, expected {n_subjects} as in bold, or one array "
                f"({n_trs}, n_confounds) for all"
            )
        parts = [
            (y, check_confounds(x, n_trs, name=f"confounds[{k}]")) for k, (y, x) in enumerate(zip(bold, confounds))
        ]
    check_length(split, n_trs)
    batches = shift_batches(split.kept_runs, int(split.keep.sum()), parts[0][0].shape[1], n_permutations, seed)
    jobs = [(targets, subject_confounds, batch) for targets, subject_confounds in parts for batch in batches]
    scored = []
    fold_r = []
    fold_cv = []
    for targets, subject_confounds, batch in tqdm(jobs, desc="fits", delay=3, leave=False):
        prediction = fit_predict(features, targets, model, split, confounds=subject_confounds, shifts=batch)
        scored.append(correlation_inside(prediction).reshape(len(batch), -1, n_voxels))
        if not batch[0].any():  # the observed alignment comes first
            fold_r.append(_correlation_in_folds(prediction, targets.shape[1]))
            fold_cv.append(prediction.cv_scores[:, : targets.shape[1]])
    r, null, p = _summarize(scored, sum(map(len, batches)), n_subjects, n_voxels)
    by_fold = (np.concatenate(x, axis=1).reshape(-1, n_subjects, n_voxels) for x in (fold_r, fold_cv))
    return Accuracy(r, null, p, *by_fold)


def shift_batches(
    runs: ArrayLike | None, n_trs: int, n_targets: int, n_permutations: int, seed: int = 0
) -> list[NDArray]:
    """Return the shifts of responses to fit, in batches that fit into memory.

    Parameters
    ----------
    runs : array-like (n_trs,) or None
    n_trs, n_targets : int
        Of the responses that are shifted.
    n_permutations : int
        0 for none.
    seed : int
        Draws the shifts.

    Returns
    -------
    batches : list of int array (n, n_runs)
        The first row of the first is no shift, the observed alignment.
    """
    shifts = np.zeros((1, len(run_slices(runs, n_trs))), dtype=int)
    if n_permutations:
        shifts = np.concatenate([shifts, draw_shifts(runs, n_permutations, seed=seed, n_trs=n_trs)])
    return np.array_split(shifts, min(len(shifts), -(-len(shifts) * n_targets // MAX_TARGETS)))


def _summarize(
    scored: list[NDArray], n_shifts: int, n_subjects: int, n_voxels: int
) -> tuple[NDArray, NDArray, NDArray]:
    """Return r, null and p of a group from batches of scores.

    Batches (n_batch, n_subjects or 1, n_voxels) come subject by subject, or of all subjects at once.
    """
    if scored[0].shape[1] == n_subjects:
        scores = np.concatenate(scored)
    else:
        scores = np.concatenate(scored).reshape(n_subjects, n_shifts, n_voxels).transpose(1, 0, 2)
    r = scores[0]
    null = scores[1:].mean(axis=1)
    return r, null, p_values(r.mean(axis=0), null) if len(null) else np.full(n_voxels, np.nan)
