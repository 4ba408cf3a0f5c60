"""The joint model: several feature spaces at once by banded ridge, with and without each, tested on test runs.

What a space explains on its own (`unique_variance`) is the score of all spaces less that of all others: signed, as on
data that no model has seen a space may also take away. It is not the space's part of the score (`r2_by_space`), and not
the score of the space alone: what several spaces share is in neither of their unique parts.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from naturalistic.arrays import column_blocks
from naturalistic.encoding.bootstrap import BlockSums, score_interval
from naturalistic.encoding.comparison import VariancePartition, mean_by_label, variance_partitioning
from naturalistic.encoding.partition import r2_by_space, r_by_space
from naturalistic.encoding.prediction import Prediction
from naturalistic.encoding.scores import shifted_scores
from naturalistic.encoding.split import Split, as_responses, split_data
from naturalistic.inference import p_values
from naturalistic.models.banded import BandedRidgeCV
from naturalistic.models.engine.banded import fit_space_sets
from naturalistic.parameters import whole


class JointModel(NamedTuple):
    """A joint model of all spaces, and models of some of them, on test runs.

    Attributes
    ----------
    spaces : tuple of str
        In the order of the first axis of all below; also the name of the model of all spaces in ``sums``.
    r_by_space, r2_by_space : array (n_spaces, n_voxels)
        Part of each space in the score of all.
    gammas : array (n_spaces, n_voxels)
        Weights chosen on the training runs; each voxel's sum to 1.
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

    spaces: tuple
    r_by_space: np.ndarray
    r2_by_space: np.ndarray
    gammas: np.ndarray
    cv_scores: np.ndarray
    p: np.ndarray
    sums: BlockSums
    null: np.ndarray | None = None

    @property
    def sets(self):
        """Sets of spaces of which a model was fitted (list of tuple of str)."""
        return [model for model in self.sums.products if isinstance(model, tuple)]

    def without(self, *names):
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

    def only(self, *names):
        """Return these spaces in the order of all, as the name of a model."""
        return self.without(*self.without(*names))


def joint_model(
    features: dict[str, NDArray],
    bold: Any,
    model: BandedRidgeCV,
    split: Split,
    *,
    pairs: Sequence[tuple[str, str]] = (),
    block: int = 30,
    n_permutations: int = 0,
    seed: int = 0,
    keep_null: bool = False,
) -> JointModel:
    """Fit the model of all spaces and those without each, on the training runs, and test them.

    One model is held at a time, and predictions of one block of voxels.

    Parameters
    ----------
    features : dict of array (n_trs, n_features)
        Two or more; controls are a space like others.
    bold : array, memory map or MultiSubjectBold (n_trs, n_voxels)
    model : BandedRidgeCV
        Best with ``n_draws=nested_gammas(n_spaces)`` (see `engine.sets`): with random draws, models with and without a
        space also differ by the luck of their searches.
    split : Split
    pairs : sequence of (str, str)
        Also fit what `commonality` needs: each of the two alone, both alone, and all without both.
    block : int
        TRs in a block of the bootstrap.
    n_permutations, seed : int
        Circular shifts for p, as in `encoding.score`.
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
    bold = as_responses(bold)
    n_permutations = whole("n_permutations", n_permutations, 0)
    data = split_data(features, bold, split)
    names = tuple(data.train)
    sets = sets_of(names, pairs)
    n_voxels = bold.shape[1]
    sums = BlockSums(data.test_runs, n_voxels, block, bold.dtype)
    fits = fit_space_sets(model, data.train, data.bold, sets, data.train_runs)
    parts, p = np.empty((2, len(names), n_voxels), bold.dtype), np.full(n_voxels, np.nan)
    kept_null = np.empty((n_permutations, n_voxels), bold.dtype) if keep_null and n_permutations else None
    for kept, fitted in zip(sets, fits):
        for columns in column_blocks(len(data.test_runs), n_voxels):
            of_space = {n: data.test[n] @ fitted.coef_[columns, fitted.spaces_[n]].T for n in kept}
            measured, predicted = data.measured(columns), sum(of_space.values())
            sums.add(kept, measured, predicted, columns)
            if kept == names:
                parts[0][:, columns] = r_by_space(measured, of_space)
                parts[1][:, columns] = r2_by_space(measured, of_space)
                for name, part in of_space.items():
                    sums.add(_less(name), measured, predicted - part, columns)
            if kept == names and n_permutations:
                r, null = shifted_scores([Prediction(measured, predicted, data.test_runs)], n_permutations, seed=seed)
                p[columns] = p_values(r, null)
                if keep_null:
                    kept_null[: len(null), columns] = null
                    n_drawn = len(null)
        if kept == names:
            gammas, cv_scores = fitted.gammas_ / fitted.gammas_.sum(axis=0), np.nanmax(fitted.cv_scores_, axis=0)
        del fitted
    kept_null = None if kept_null is None else kept_null[:n_drawn]  # short runs have fewer shifts than were asked for
    return JointModel(names, parts[0], parts[1], gammas, cv_scores, p, sums, kept_null)


def _less(name):
    """Return the name of the model of all spaces whose prediction lacks the part of one."""
    return f"all spaces, less the part of {name}"


def sets_of(names, pairs=()):
    """Return the sets of spaces to fit: all, all but each, and for each pair both, each alone, and all but both.

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
    return [kept for kept in dict.fromkeys(sets) if kept]


def unique_variance(joint: JointModel, kind: Literal["r2", "r"] = "r2") -> NDArray:
    """Return what each space explains that the others do not: the score of all less that of all but it.

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


def unique_variance_interval(joint: JointModel, kind: Literal["r2", "r"] = "r2", **options: Any) -> NDArray:
    """Return intervals of `unique_variance`, guarded against the luck of a search, where all spaces together predict.

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
        ``labels``, ``n_labels``, ``confidence``, ``n_boot``, ``seed`` of `encoding.interval`.

    Returns
    -------
    bounds : array (2, n_spaces, n_voxels), or (2, n_spaces, n_labels)
        NaN where R2 of all spaces (with labels: its mean over the voxels of a label) is not above 0.
    """
    bounds = []
    for name in joint.spaces:
        refitted, removed = (
            score_interval(joint.sums, [(1, joint.spaces), (-1, other)], kind=kind, **options)
            for other in (joint.without(name), _less(name))
        )
        bounds.append([np.minimum(refitted[0], removed[0]), refitted[1]])
    return np.where(_predicts(joint, joint.spaces, options), np.swapaxes(bounds, 0, 1), np.nan)


def _predicts(joint, model, options):
    """Return where R2 of a model is above 0 on the test runs: by voxel, or of its mean by label."""
    r2 = joint.sums.score(model)
    labels = options.get("labels")
    if labels is None:
        return r2 > 0
    return mean_by_label(r2, labels, options.get("n_labels") or int(np.max(labels)) + 1) > 0


def commonality(joint: JointModel, first: str, second: str, beyond: bool = False) -> VariancePartition:
    r"""Divide what two spaces explain: only the first, only the second, and what both explain alike.

    By default of the two alone, :math:`R^2_a + R^2_b - R^2_{ab}` shared (`encoding.divide`); what other spaces
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


def commonality_interval(joint: JointModel, first: str, second: str, beyond: bool = False, **options: Any) -> NDArray:
    """Return the bootstrap interval of the shared part of `commonality`, where the models that it is made of predict.

    Parameters
    ----------
    joint, first, second, beyond
        As in `commonality`.
    options
        As in `unique_variance_interval`.

    Returns
    -------
    bounds : array (2, n_voxels) or (2, n_labels)
        NaN, as of `unique_variance_interval`, where R2 of both spaces (with ``beyond``: of all) is not above 0.
    """
    rest = joint.without(first, second)
    rest = rest if beyond else ()
    terms = [(1, joint.only(*rest, first)), (1, joint.only(*rest, second))]
    terms += [(-1, joint.only(*rest, first, second)), (-1, rest)]
    bounds = score_interval(joint.sums, terms, **options)
    return np.where(_predicts(joint, joint.only(*rest, first, second), options), bounds, np.nan)
