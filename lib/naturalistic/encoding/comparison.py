"""Comparison of feature spaces: the best of each region, variance partitioning."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from naturalistic.arrays import ShapeRepr, as_real
from naturalistic.encoding.group import stacked
from naturalistic.inference import shared_stimulus_test


@dataclass(frozen=True, repr=False)
class VariancePartition(ShapeRepr):
    """Explained variance of two feature spaces, divided into three parts.

    Attributes are arrays of one shape, which sum to the variance that both explain together.
    """

    only_first: NDArray
    only_second: NDArray
    shared: NDArray


def variance_partitioning(first: ArrayLike, second: ArrayLike, both: ArrayLike) -> VariancePartition:
    """Divide the explained variance of two feature spaces.

    This is commonality analysis (Newton & Spurrell 1967).

    Parameters
    ----------
    first, second, both : array (...)
        r2 of each space alone and of both together, signed: on data held out a space may take away.

    Returns
    -------
    parts : VariancePartition
        ``only_first = both - second``, ``only_second = both - first``, ``shared = first + second - both``.

    Raises
    ------
    ValueError
        If shapes differ.
    """
    first = as_real(first, "first")
    second = as_real(second, "second")
    both = as_real(both, "both")
    if not first.shape == second.shape == both.shape:
        raise ValueError(
            f"first, second and both have shapes {first.shape}, {second.shape}, {both.shape}, expected one"
        )
    return VariancePartition(both - second, both - first, first + second - both)


@dataclass(frozen=True, repr=False)
class BestSpace(ShapeRepr):
    """Space that predicts best, by region.

    Attributes
    ----------
    space : int array (...)
        Index into the spaces; -1 where no subject has a score.
    p : array (...)
        That it is better than *each* of the others; NaN without a null, or with no subject.
    """

    space: NDArray
    p: NDArray


def best_space(scores: ArrayLike, null: ArrayLike | None = None) -> BestSpace:
    """Select the space with the highest mean over subjects, and test it.

    To beat all others, each single comparison must hold: p is the largest of the one-sided paired comparisons (an
    intersection-union test, Berger 1982), times the number of spaces, as any of them might have come first. Each
    compares the mean difference over subjects with that under the same shifts for all
    (`inference.shared_stimulus_test`).

    Parameters
    ----------
    scores : array (n_spaces, n_subjects, ...)
        Two spaces or more; NaN where a subject has no score.
    null : array (n_spaces, n_permutations, n_subjects, ...), optional
        The same scores of shifted predictions, in each permutation the same shifts for all spaces and subjects.

    Returns
    -------
    best : BestSpace

    Raises
    ------
    ValueError
        If there are fewer than two spaces, or no subject; if the null does not fit.
    """
    scores = as_real(scores, "scores")
    if scores.ndim < 2 or scores.shape[0] < 2 or scores.shape[1] < 1:
        raise ValueError(f"scores has shape {scores.shape}, expected (n_spaces, n_subjects, ...), two spaces or more")
    usable = np.isfinite(scores).all(axis=0)  # a subject counts for all spaces or for none
    scores = np.where(usable, scores, np.nan)
    lost = ~usable.any(axis=0)
    space = np.where(lost, -np.inf, np.nansum(scores, axis=1)).argmax(axis=0)
    p = np.full(space.shape, np.nan)
    if null is not None:
        null = as_real(null, "null")
        if null.ndim != scores.ndim + 1 or null[:, :1].shape != (len(scores), 1, *scores.shape[1:]):
            raise ValueError(
                f"scores has shape {scores.shape} and null {null.shape}, expected (n_spaces, n_subjects, ...) and "
                "(n_spaces, n_permutations, n_subjects, ...)"
            )
        for first in range(len(scores)):
            others = [k for k in range(len(scores)) if k != first]
            p_against = [shared_stimulus_test(scores[first] - scores[k], null[first] - null[k]).p for k in others]
            p = np.where(space == first, np.minimum(1, len(scores) * np.max(p_against, axis=0)), p)
        p = np.where(lost, np.nan, p)
    return BestSpace(np.where(lost, -1, space), p)


def mean_by_label(values: ArrayLike, labels: ArrayLike, n_labels: int) -> NDArray:
    """Return means over the voxels of each label, NaN left out.

    Parameters
    ----------
    values : array (..., n_voxels)
        Scores, marks, or a null (n_permutations, n_voxels).
    labels : int array (n_voxels,)
        Such as a voxel's region; -1 is in none.
    n_labels : int

    Returns
    -------
    means : array (..., n_labels)
        float64; NaN where a label has no value.

    Raises
    ------
    ValueError
        If labels are not one whole number a voxel.
    """
    values = np.asarray(values)
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iu" or values.shape[-1:] != labels.shape:
        raise ValueError(
            f"values has shape {values.shape} and labels {labels.dtype} of shape {labels.shape}, expected (..., "
            "n_voxels) and whole numbers (n_voxels,)"
        )
    means = np.full((*values.shape[:-1], n_labels), np.nan)
    for k in range(n_labels):
        members = values[..., labels == k]
        used = np.isfinite(members)
        n = used.sum(axis=-1)
        total = np.sum(members, axis=-1, where=used, dtype=np.float64)
        means[..., k] = total / np.where(n > 0, n, np.nan)
    return means


def consensus_map(
    maps: Sequence[Mapping[str, ArrayLike]], significant: Sequence[Mapping[str, ArrayLike]], least: float = 0.5
) -> dict[str, NDArray]:
    """Return the mean of a map over subjects where most are significant.

    Parameters
    ----------
    maps, significant : list of dict of str to array (10242,)
        One a subject, from `surface.to_surface`: values, and 1 where they are significant (NaN without a voxel).
    least : float
        Share of the subjects with a voxel there.

    Returns
    -------
    mean : dict of str to array (10242,)
        NaN elsewhere.

    Raises
    ------
    ValueError
        If numbers of subjects, sides or vertices differ.
    """
    if len(maps) != len(significant) or not maps:
        raise ValueError(f"maps are of {len(maps)} subjects and significant of {len(significant)}, expected the same")
    shared = {}
    stacked_maps = stacked(maps)
    for side, marks in stacked(significant, "significant", like=stacked_maps).items():
        values = stacked_maps[side]
        counted = np.isfinite(values) & np.isfinite(marks)
        n = np.maximum(counted.sum(axis=0), 1)
        widespread = np.where(counted, marks, 0).sum(axis=0) / n > least
        shared[side] = np.where(widespread, np.where(counted, values, 0).sum(axis=0) / n, np.nan)
    return shared


def mean_by_region(
    values: Sequence[ArrayLike], labels: Sequence[ArrayLike], names: Sequence[str], elsewhere: str = "elsewhere"
) -> dict[str, NDArray]:
    """Return each subject's mean over the voxels of each region, NaN left out.

    Parameters
    ----------
    values : list of array (n_voxels,)
        One a subject: numbers, or marks, of which the mean is a share.
    labels : list of int array (n_voxels,)
        Index into ``names``; -1 elsewhere.
    names : sequence of str

    Returns
    -------
    means : dict of str to array (n_subjects,)
        Of each of ``names``, then of ``elsewhere``; NaN where a subject has no value.

    Raises
    ------
    ValueError
        If values and labels differ in subjects or voxels.
    """
    values = list(values)
    labels = list(labels)
    if [np.shape(x) for x in values] != [np.shape(x) for x in labels] or any(np.ndim(x) != 1 for x in labels):
        shapes = [(np.shape(x), np.shape(y)) for x, y in zip(values, labels)]
        raise ValueError(
            f"values are of {len(values)} subjects and labels of {len(labels)}, of shapes {shapes}, expected "
            "(n_voxels,) for both of each subject"
        )
    regions = [*names, elsewhere]
    region_labels = [np.where(np.asarray(y) < 0, len(names), y) for y in labels]
    means = [mean_by_label(x, y, len(regions)) for x, y in zip(values, region_labels)]
    return dict(zip(regions, np.array(means).T))


def partition_by_region(
    parts: Sequence[VariancePartition], labels: Sequence[ArrayLike], names: Sequence[str], spaces: Sequence[str]
) -> dict[str, dict[str, NDArray]]:
    """Return the mean of each part of the variance over the voxels of each region.

    Parameters
    ----------
    parts : list of VariancePartition
        One a subject, from `variance_partitioning`.
    labels, names
        As in `mean_by_region`.
    spaces : sequence of str
        Names of the first and of the second space.

    Returns
    -------
    means : dict of str to dict of str to array (n_subjects,)
        ``"only <first>"``, ``"only <second>"`` and ``"shared"``, by region.
    """
    first, second = spaces
    values = {
        f"only {first}": [x.only_first for x in parts],
        f"only {second}": [x.only_second for x in parts],
        "shared": [x.shared for x in parts],
    }
    means = {part: mean_by_region(x, labels, names) for part, x in values.items()}
    return {part: {name: row[name] for name in names} for part, row in means.items()}
