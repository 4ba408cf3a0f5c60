"""Joint models: several feature spaces by banded ridge, with and without each.

Unique variance of a space (`unique_variance`) is the score of all spaces less that of all others: signed, as on data
that no model has seen a space may also take away. It is not the space's part of the score (`r2_by_space`), and not
the score of the space alone: what several spaces share is in neither of their unique parts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from naturalistic.arrays import ShapeRepr, column_blocks
from naturalistic.encoding.bootstrap import BlockSums, ScoreInterval, score_interval
from naturalistic.encoding.comparison import VariancePartition, mean_by_label, variance_partitioning
from naturalistic.encoding.design import FittedSpaces, bytes_of_fit
from naturalistic.encoding.multi_subject import MultiSubjectBold
from naturalistic.encoding.partition import r2_by_space, r_by_space
from naturalistic.encoding.prediction import Prediction
from naturalistic.encoding.scores import shifted_scores
from naturalistic.encoding.split import FoldSplit, Split, as_responses
from naturalistic.encoding.split_data import SplitData, fold_data, split_data
from naturalistic.inference import p_values
from naturalistic.models.banded import BandedRidgeCV
from naturalistic.models.engine.banded import SCORERS_BYTES, fit_space_sets
from naturalistic.models.engine.device import in_parallel, pick_device
from naturalistic.models.engine.spaces import FITS_BYTES
from naturalistic.parameters import whole


@dataclass(frozen=True, repr=False)
class JointModel(ShapeRepr):
    """Joint model of all spaces, and models of some of them, on test runs.

    Attributes
    ----------
    spaces : tuple of str
        In the order of the first axis of all below; also the name of the model of all spaces in ``sums``.
    r_by_space, r2_by_space : array (n_spaces, n_voxels)
        Part of each space in the score of all.
    gammas : array (n_spaces, n_voxels)
        Weights chosen on the training runs; each voxel's sum to 1. Of folds, like the scores by space, the mean.
    cv_scores : array (n_voxels,)
        Best mean score over the training folds, of the model of all spaces.
    p : array (n_voxels,)
        Of the correlation of the model of all spaces, one-sided, from predictions shifted circularly in each test run;
        NaN without permutations.
    sums : BlockSums
        Of every model fitted, by the tuple of its spaces in the order of ``spaces`` (`sets`); and of the model of all
        spaces when the part of one is taken out of its prediction.
    null : array (n_permutations, n_voxels), or None
        Correlations of the shifted predictions of the model of all spaces, if they were kept.
    """

    spaces: tuple[str, ...]
    r_by_space: NDArray
    r2_by_space: NDArray
    gammas: NDArray
    cv_scores: NDArray
    p: NDArray
    sums: BlockSums
    null: NDArray | None = None

    @property
    def sets(self) -> list[tuple[str, ...]]:
        """Sets of spaces of which a model was fitted (list of tuple of str)."""
        return [model for model in self.sums.products if isinstance(model, tuple)]

    def without(self, *names: str) -> tuple[str, ...]:
        """Return the spaces that are left, as the name of a model.

        Parameters
        ----------
        *names : str

        Returns
        -------
        model : tuple of str

        Raises
        ------
        ValueError
            If there is no such space.
        """
        unknown = [name for name in names if name not in self.spaces]
        if unknown:
            raise ValueError(f"no space {unknown[0]!r}, expected one of {list(self.spaces)}")
        return tuple(name for name in self.spaces if name not in names)

    def only(self, *names: str) -> tuple[str, ...]:
        """Return these spaces in the order of all, as the name of a model."""
        return self.without(*self.without(*names))


def joint_model(
    features: Mapping[str, ArrayLike] | FittedSpaces,
    bold: ArrayLike | MultiSubjectBold,
    model: BandedRidgeCV,
    split: Split | FoldSplit,
    *,
    pairs: Sequence[tuple[str, str]] = (),
    block: int = 30,
    n_permutations: int = 0,
    seed: int = 0,
    keep_null: bool = False,
) -> JointModel:
    """Fit the model of all spaces and those without each, and test them.

    One model is held at a time, and predictions of one block of voxels. With a `FoldSplit` each fold of runs is
    predicted by models of the others, and the sums of all test runs are pooled.

    Parameters
    ----------
    features : dict of array (n_trs, n_features)
        Two or more; controls are a space like others. With a `FoldSplit` also a function, as in `fit_predict`.
    bold : array, memory map or MultiSubjectBold (n_trs, n_voxels)
    model : BandedRidgeCV
        Best with ``n_draws=nested_gammas(n_spaces)`` (see `engine.sets`): with random draws, models with and without a
        space also differ by the luck of their searches.
    split : Split or FoldSplit
        The folds of a `FoldSplit` leave out whole runs, without a gap.
    pairs : sequence of (str, str)
        Also fit what `commonality` needs: each of the two alone, both alone, and all without both.
    block : int
        TRs in a block of the bootstrap.
    n_permutations, seed : int
        Circular shifts for p, as in `encoding.score`; none with a `FoldSplit`, see `group_accuracy`.
    keep_null : bool
        Whether to keep the null of the model of all spaces, as in `encoding.score`.

    Returns
    -------
    joint : JointModel

    Raises
    ------
    ValueError
        As in `fit_predict`, and if there are fewer than two spaces or a pair is not of two of them.
    """
    if isinstance(split, FoldSplit):
        if n_permutations:
            raise ValueError(
                f"n_permutations is {n_permutations} with a FoldSplit, expected 0: predictions of several models "
                "cannot be shifted; encoding.group_accuracy fits shifted responses again"
            )
        data_of = fold_data(features, bold, split)

        def fit_fold(fold: tuple[NDArray, NDArray]) -> JointModel:
            return _fit_joint(data_of(fold), model, pairs, block, 0, seed, False)

        n_trs, n_voxels = np.shape(bold)
        n_bytes = bytes_of_fit(features, split.delays, n_trs, n_voxels) + SCORERS_BYTES + FITS_BYTES
        return _pool_folds(list(in_parallel(fit_fold, split.folds(), pick_device(model.device), n_bytes)))
    data = split_data(features, as_responses(bold), split)
    return _fit_joint(data, model, pairs, block, whole("n_permutations", n_permutations, 0), seed, keep_null)


def _fit_joint(
    data: SplitData,
    model: BandedRidgeCV,
    pairs: Sequence[tuple[str, str]],
    block: int,
    n_permutations: int,
    seed: int,
    keep_null: bool,
) -> JointModel:
    """Fit the models of all sets of spaces on training TRs, and test them."""
    names = tuple(data.train)
    sets = sets_of(names, pairs)
    n_voxels = data.bold.shape[1]
    dtype = data.bold.dtype
    sums = BlockSums(data.test_runs, n_voxels, block, dtype)
    fits = fit_space_sets(model, data.train, data.bold, sets, data.train_groups)
    parts = np.empty((2, len(names), n_voxels), dtype)
    p = np.full(n_voxels, np.nan)
    kept_null = np.empty((n_permutations, n_voxels), dtype) if keep_null and n_permutations else None
    for members, fitted in zip(sets, fits):
        for columns in column_blocks(len(data.test_runs), n_voxels):
            part_by_space = {n: data.test[n] @ fitted.coef_[columns, fitted.spaces_[n]].T for n in members}
            measured = data.measured(columns)
            predicted = sum(part_by_space.values())
            sums.add(members, measured, predicted, columns)
            if members == names:
                parts[0][:, columns] = r_by_space(measured, part_by_space)
                parts[1][:, columns] = r2_by_space(measured, part_by_space)
                for name, part in part_by_space.items():
                    sums.add(_less(name), measured, predicted - part, columns)
            if members == names and n_permutations:
                r, null = shifted_scores([Prediction(measured, predicted, data.test_runs)], n_permutations, seed=seed)
                p[columns] = p_values(r, null)
                if keep_null:
                    kept_null[: len(null), columns] = null
                    n_shifts = len(null)
        if members == names:
            gammas = fitted.gammas_ / fitted.gammas_.sum(axis=0)
            cv_scores = np.nanmax(fitted.cv_scores_, axis=0)
        del fitted
    kept_null = None if kept_null is None else kept_null[:n_shifts]  # short runs have fewer shifts than were asked for
    return JointModel(names, parts[0], parts[1], gammas, cv_scores, p, sums, kept_null)


def _pool_folds(folds: Sequence[JointModel]) -> JointModel:
    """Pool joint models of the same spaces that were tested on other runs."""
    weights = np.array([len(fold.sums.runs) for fold in folds], dtype=np.float64)
    weights /= weights.sum()

    def mean(name: str) -> NDArray:
        return sum(weight * getattr(fold, name) for weight, fold in zip(weights, folds))

    return JointModel(
        folds[0].spaces,
        mean("r_by_space"),
        mean("r2_by_space"),
        mean("gammas"),
        mean("cv_scores"),
        np.full_like(folds[0].p, np.nan),
        BlockSums.pool([fold.sums for fold in folds]),
    )


def _less(name: str) -> str:
    """Name the model of all spaces less the predicted part of one."""
    return f"all spaces, less the part of {name}"


def sets_of(names: Sequence[str], pairs: Sequence[tuple[str, str]] = ()) -> list[tuple[str, ...]]:
    """Return the sets of spaces to fit.

    These are all spaces, all but each, and for each pair both, each alone, and all but both.

    Parameters
    ----------
    names : sequence of str
    pairs : sequence of (str, str)
        As in `joint_model`.

    Returns
    -------
    sets : list of tuple of str
        Each once, that of all spaces first.

    Raises
    ------
    ValueError
        If there are fewer than two spaces, or a pair is not of two of them.
    """
    names = tuple(names)
    if len(names) < 2:
        raise ValueError(f"spaces holds {list(names)}, expected two or more: nothing is left when one is left out")
    sets = [names] + [tuple(n for n in names if n != left_out) for left_out in names]
    for pair in pairs:
        if len(set(pair)) != 2 or not set(pair) <= set(names):
            raise ValueError(f"pairs holds {tuple(pair)}, expected two of the spaces {list(names)}")
        both = tuple(n for n in names if n in pair)
        sets += [both, both[:1], both[1:], tuple(n for n in names if n not in pair)]
    return [members for members in dict.fromkeys(sets) if members]


def unique_variance(joint: JointModel, kind: Literal["r2", "r"] = "r2") -> NDArray:
    """Return the variance that each space explains and the others do not.

    It is the score of all spaces less that of all but one.

    Parameters
    ----------
    joint : JointModel
    kind : {"r2", "r"}
        Of explained variance, or of correlations (as Nakagi et al. 2024).

    Returns
    -------
    unique : array (n_spaces, n_voxels)
        Signed.
    """
    return np.stack(
        [joint.sums.score(joint.spaces, kind) - joint.sums.score(joint.without(n), kind) for n in joint.spaces]
    )


def unique_variance_interval(joint: JointModel, kind: Literal["r2", "r"] = "r2", **options: Any) -> ScoreInterval:
    """Return guarded bootstrap intervals of `unique_variance`.

    Each model's weights are searched on training folds, and the model without a space may find others that fit more
    noise. Then it is worse on test runs though the space adds nothing: plain bootstrap intervals lie above 0 in 5 to
    7 % of voxels where 2.5 % may, for a space of 1 feature beside two of 10 (its size is the cause, not how slowly it
    changes), whether or not another space predicts. Two guards:

    - The lower end is the lower one of two: of the score less that of the model fitted without the space, and of the
      score less that of the same model when the space's part of the prediction is taken out. The second needs no second
      search, and knows nothing of what the others could have taken over.
    - Counted only where R2 of all spaces is above 0 on the test runs. (Their score in training is no such guard: it is
      the best of many draws, above 0 in 88 % of voxels of noise.)

    With both it is 0.2 to 1 %, at a cost of a tenth of the voxels where the space did add, and of no region.

    Parameters
    ----------
    joint : JointModel
    kind : {"r2", "r"}
    options
        ``labels``, ``n_labels``, ``confidence``, ``n_boot``, ``seed`` of `score_interval`.

    Returns
    -------
    interval : ScoreInterval
        Of arrays (n_spaces, n_voxels) or (n_spaces, n_labels); NaN where R2 of all spaces (with labels: its mean over
        the voxels of a label) is not above 0.
    """
    low = []
    high = []
    for name in joint.spaces:
        against_refitted = [(1, joint.spaces), (-1, joint.without(name))]
        against_removed = [(1, joint.spaces), (-1, _less(name))]
        refitted = score_interval(joint.sums, against_refitted, kind=kind, **options)
        removed = score_interval(joint.sums, against_removed, kind=kind, **options)
        low.append(np.minimum(refitted.low, removed.low))
        high.append(refitted.high)
    predicted = _predicts(joint, joint.spaces, options)
    return ScoreInterval(np.where(predicted, low, np.nan), np.where(predicted, high, np.nan))


def _predicts(joint: JointModel, model: tuple[str, ...], options: Mapping[str, Any]) -> NDArray:
    """Return whether R2 of a model is above 0 on the test runs, by voxel or label."""
    r2 = joint.sums.score(model)
    labels = options.get("labels")
    if labels is None:
        return r2 > 0
    return mean_by_label(r2, labels, options.get("n_labels") or int(np.max(labels)) + 1) > 0


def commonality(joint: JointModel, first: str, second: str, beyond: bool = False) -> VariancePartition:
    r"""Divide the variance that two spaces explain into own and shared parts.

    By default of the two alone, :math:`R^2_a + R^2_b - R^2_{ab}` shared (`variance_partitioning`); what other spaces
    explain too is in it. With ``beyond`` the same is asked of what the two add to all others, rest for short:
    every score is less that of the rest, and

    .. math:: \text{shared} = R^2_{rest, a} + R^2_{rest, b} - R^2_{all} - R^2_{rest},

    which is the loss of leaving out both, less the losses of leaving out each. Positive: either can stand in for the
    other, and so neither of their unique parts has it. Negative: they explain more together than each by itself.

    Parameters
    ----------
    joint : JointModel
        Fitted with ``pairs`` that hold these two.
    first, second : str
    beyond : bool

    Returns
    -------
    parts : VariancePartition
        Arrays (n_voxels,), which sum to what both explain: alone, or beyond the rest.
    """
    rest = joint.without(first, second)
    rest = rest if beyond else ()
    base = joint.sums.score(rest)
    scores = [joint.sums.score(joint.only(*rest, *names)) for names in ((first,), (second,), (first, second))]
    return variance_partitioning(*(score - base for score in scores))
