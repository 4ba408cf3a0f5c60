"""Reliability over data and annotators: two halves and their agreement."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from naturalistic.arrays import ShapeRepr, as_real, float_type
from naturalistic.datasets.annotations import Annotations
from naturalistic.encoding.design import Spaces
from naturalistic.encoding.learning import LEAST, fit_predict_part
from naturalistic.encoding.multi_subject import MultiSubjectBold
from naturalistic.encoding.prediction import Prediction, fit_predict
from naturalistic.encoding.split import Split, as_responses, check_length
from naturalistic.models.ridge import RidgeCV
from naturalistic.models.scoring import correlation
from naturalistic.parameters import whole
from naturalistic.runs import check_runs, run_slices


@dataclass(frozen=True, repr=False)
class SplitHalves(ShapeRepr):
    """Two models that predict the same test runs.

    Attributes
    ----------
    agreement : array (n_voxels,)
        Pearson correlation of the two predictions; NaN where one is constant.
    full_length : array (n_voxels,), or None
        Agreement to be expected of twice the data, see `spearman_brown`; None where it cannot be told.
    first, second : array (n_voxels,)
        Accuracy of each, Pearson correlation with the responses.
    """

    agreement: NDArray
    full_length: NDArray | None
    first: NDArray
    second: NDArray


def split_half_data(
    features: Spaces, bold: ArrayLike | MultiSubjectBold, model: RidgeCV, split: Split, *, gap: int = 10
) -> SplitHalves:
    """Compare models of each half of the training runs by their predictions.

    Two halves share no response, so that their predictions agree by what is in both: a voxel without signal has an
    agreement of 0 on average. But a single one scatters widely, as predictions from few smooth features are alike or
    opposite by chance: agreement is no test, and it says nothing about being right (a confound repeats as well).

    Parameters
    ----------
    features, bold, model, split
        As in `fit_predict`. Of the model's ``cv`` only the number of folds is kept: folds are blocks of each half
        (`learning.blocked_folds`). Responses z-scored by whole runs are taken as they are.
    gap : int
        TRs left out between halves of one run, and between the folds of a half.

    Returns
    -------
    halves : SplitHalves

    Raises
    ------
    ValueError
        As `fit_predict` and `data_halves`.
    """
    bold = as_responses(bold)
    check_length(split, len(bold))
    first_half, second_half = data_halves(split.runs, split.test, gap, split.groups)
    first = fit_predict_part(first_half, features, bold, model, split, gap=gap)
    second = fit_predict_part(second_half, features, bold, model, split, gap=gap)
    halves = _compared(first, second)
    return replace(halves, full_length=spearman_brown(halves.agreement))


def split_half_annotators(
    first: Spaces, second: Spaces, bold: ArrayLike | MultiSubjectBold, model: RidgeCV, split: Split
) -> SplitHalves:
    """Compare models of the features from two groups of annotators.

    Both are fitted on the same responses. The accuracy of each half, beside that of all annotators, says what the
    others add. The agreement of the two does not say how much annotators agree: both models err with the noise of the
    same responses, and where features are alike their errors are, even in a voxel that follows nothing.

    Parameters
    ----------
    first, second : dict of str to array (n_trs, n_features), or one array
        Feature spaces from the texts of two groups, see `annotator_halves`.
    bold, model, split
        As in `fit_predict`.

    Returns
    -------
    halves : SplitHalves
    """
    bold = as_responses(bold)
    return _compared(fit_predict(first, bold, model, split), fit_predict(second, bold, model, split))


def spearman_brown(r: ArrayLike) -> NDArray:
    """Return the reliability of twice as much data from that of two halves.

    It is ``2 r / (1 + r)``, with the correlation r of the halves. It is that of the *mean* of both predictions, and
    holds where the halves are of equal length, and each is the same signal with an error of its own of the same size. A
    model fitted on all data comes near to that mean, but shrinks less. It does not hold where the halves disagree (NaN
    at 0 and below; so for the mean of many voxels take the mean of ``r`` first, as the mean of what is left after the
    NaNs is too high), nor for accuracies: these grow with data by another law, which `learning.learning_curve`
    measures.

    Parameters
    ----------
    r : array

    Returns
    -------
    reliability : array
        Of the shape of ``r``.

    Raises
    ------
    ValueError
        If a value is no correlation.
    """
    r = as_real(r, "r")
    if np.any(np.abs(r) > 1 + 1e-6):
        raise ValueError(f"r goes up to {np.nanmax(np.abs(r)):.4g} in size, expected correlations in [-1, 1]")
    above = np.where(r > 0, r, np.nan)
    return (2 * above / (1 + above)).astype(float_type(r))[()]


def data_halves(
    runs: ArrayLike, test: ArrayLike, gap: int = 10, groups: ArrayLike | None = None
) -> tuple[NDArray, NDArray]:
    """Divide the training TRs into two halves of about equal length.

    With four training runs or more, each half is of whole runs: one after another goes to the half that is shorter so
    far. With fewer, each run is cut in the middle; first and second parts then take turns, so that neither half is
    always the later one. Runs that presented the same count as one, and the same of them goes to the same half.

    Parameters
    ----------
    runs : array-like (n_trs,)
    test : bool array (n_trs,)
        TRs of whole test runs.
    gap : int
        TRs left out in the middle of a run that is cut.
    groups : array-like (n_trs,), optional
        Of a `Split`: runs of one group presented the same.

    Returns
    -------
    first, second : bool array (n_trs,)

    Raises
    ------
    ValueError
        If there is no training run, or one to be cut is too short.
    """
    test = np.asarray(test)
    gap = whole("gap", gap, 0)
    runs = check_runs(runs, len(test))
    training = [s for s in run_slices(runs) if not test[s].any()]
    if not training:
        raise ValueError("test marks a part of every run, expected whole training runs to divide")
    halves = np.zeros((2, len(test)), dtype=bool)
    groups = runs if groups is None else np.asarray(groups)
    together: dict[object, list[slice]] = {}
    for s in training:
        together.setdefault(groups[s.start].item(), []).append(s)
    if len(together) >= 4:
        for of_group in together.values():
            half = halves.sum(axis=1).argmin()
            for s in of_group:
                halves[half, s] = True
        return halves[0], halves[1]
    for k, of_group in enumerate(together.values()):
        n_trs = min(s.stop - s.start for s in of_group)
        half_length = (n_trs - gap) // 2
        if half_length < LEAST:
            raise ValueError(
                f"run {runs[of_group[0].start]} has {n_trs} TRs, expected {2 * LEAST + gap} or more: two halves of "
                f"{LEAST} and a gap of {gap} between them"
            )
        for s in of_group:
            halves[k % 2, s.start : s.start + half_length] = True
            halves[1 - k % 2, s.start + n_trs - half_length : s.start + n_trs] = True
    return halves[0], halves[1]


def annotator_halves(annotations: Annotations) -> tuple[Annotations, Annotations]:
    """Divide the annotators into two halves, by turns.

    Of five, the first, third and fifth are one half, and the two between the other.

    Parameters
    ----------
    annotations : Annotations
        Of a level that was annotated, see `select_annotators`.

    Returns
    -------
    first, second : Annotations

    Raises
    ------
    ValueError
        If there is one annotator alone, or as in `select_annotators`.
    """
    n = _n_annotators(annotations)
    if n < 2:
        raise ValueError(f"{annotations.level} has one annotator, expected two or more to divide")
    return select_annotators(annotations, range(0, n, 2)), select_annotators(annotations, range(1, n, 2))


def select_annotators(annotations: Annotations, which: Iterable[int]) -> Annotations:
    """Return the texts of some of the annotators.

    Parameters
    ----------
    annotations : Annotations
        Of a level that was annotated: Speech has utterances, as they were said, and no annotators.
    which : sequence of int
        Counted from 0, in the order of the texts; the same person may be another number in another run.

    Returns
    -------
    annotations : Annotations

    Raises
    ------
    ValueError
        If the level has no annotators, their number changes, or one of ``which`` does not exist or comes twice.
    """
    n = _n_annotators(annotations)
    which = list(which)
    if not which or len(set(which)) != len(which) or not set(which) <= set(range(n)):
        raise ValueError(
            f"which is {which}, expected different numbers from 0 to {n - 1}: {annotations.level} has {n} annotator(s)"
        )
    texts = [[second[k] for k in which] if any(second) else [""] * len(which) for second in annotations.texts]
    return replace(annotations, texts=texts)


def _n_annotators(annotations: Annotations) -> int:
    """Return the number of annotators, the same in all seconds with text."""
    if annotations.speakers is not None:
        raise ValueError(
            f"{annotations.level} has no annotators: its texts are utterances, as they were said; compare another level"
        )
    counts = {len(second): k for k, second in reversed(list(enumerate(annotations.texts))) if any(second)}
    if len(counts) != 1:
        seconds_by_count = ", ".join(f"{n} in second {k}" for n, k in sorted(counts.items(), key=lambda item: item[1]))
        raise ValueError(
            f"{annotations.level} has {seconds_by_count or 'no text'}: expected the same number of annotators in all "
            "seconds"
        )
    return next(iter(counts))


def _compared(first: Prediction, second: Prediction) -> SplitHalves:
    """Return agreement and accuracies of two predictions of the same test runs."""
    return SplitHalves(
        correlation(first.predicted, second.predicted),
        None,
        first.correlation(),
        second.correlation(),
    )
