"""Group maps: tests over subjects whose maps are on one surface."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from naturalistic.arrays import ShapeRepr
from naturalistic.inference import fdr, sign_flip_over_subjects, t_test_over_subjects
from naturalistic.inference.group import shared_stimulus_p
from naturalistic.inference.prevalence import Prevalence, prevalence
from naturalistic.parameters import Seed, whole

TO_ONE_SPACE = (
    "bring each subject's voxels to one surface first: surface.to_surface(values, coordinates, voxel_size) makes a "
    "dict with 'left' and 'right' of 10,242 vertices"
)


@dataclass(frozen=True, repr=False)
class GroupMap(ShapeRepr):
    """Mean map of subjects who share a stimulus, tested against chance.

    Each field is a dict of sides of arrays (n_vertices,), NaN (False, or 0) where too few subjects count.

    Attributes
    ----------
    mean : dict
        Over subjects.
    p : dict
        Against the mean of the same shifts for all subjects, see `inference.shared_stimulus_test`.
    significant : dict of bool
        After FDR over the vertices of all sides.
    p_family : dict
        Corrected for all vertices by the best of them in each shift.
    n : dict of int
        Subjects who count there.
    """

    mean: dict[str, NDArray]
    p: dict[str, NDArray]
    significant: dict[str, NDArray]
    p_family: dict[str, NDArray]
    n: dict[str, NDArray]


def group_map(
    maps: Sequence[Mapping[str, ArrayLike]],
    nulls: Iterable[Mapping[str, ArrayLike]],
    *,
    q: float = 0.05,
    tail: Literal["greater", "less", "two-sided"] = "greater",
    least: int = 2,
) -> GroupMap:
    """Test the mean map of subjects against the same shifts for all.

    Tests over subjects (`map_over_subjects`) do not answer this: people who watch one film share its response, so that
    a prediction that happens to fit it fits all of them.

    Parameters
    ----------
    maps : list of dict of str to array (n_vertices,)
        One a subject, from `surface.to_surface`: a score such as r. NaN without a voxel.
    nulls : iterable of dict of str to array (n_permutations, n_vertices)
        One a subject, in the same order: the same score under shifts that are alike for all subjects, such as
        `surface.to_surface(score.null, ...)`. A generator keeps only one in memory.
    q : float
        False discovery rate over vertices.
    tail : {"greater", "less", "two-sided"}
    least : int
        Subjects who must count at a vertex.

    Returns
    -------
    group : GroupMap

    Raises
    ------
    ValueError
        If subjects differ in sides, vertices or the number of shifts, nulls are of other subjects, or an option is not
        valid.
    """
    values = stacked(maps, "maps")
    if not 1 <= least <= len(maps):
        raise ValueError(f"least is {least}, expected from 1 to the {len(maps)} subject(s) of maps")
    flat = np.concatenate(list(values.values()), axis=1)
    used = np.isfinite(flat)
    null_sum = None
    n_nulls = 0
    for k, null in enumerate(nulls):
        if k == len(flat):
            raise ValueError(f"nulls are of more than {len(flat)} subjects, expected one for each of maps")
        subject_null = _flat_null(null, k, values, used[k])
        if null_sum is None:
            null_sum = np.zeros(subject_null.shape)
        if subject_null.shape != null_sum.shape:
            raise ValueError(
                f"nulls[{k}] has {len(subject_null)} permutations, expected {len(null_sum)} as of the first subject: "
                "shift all subjects alike"
            )
        null_sum += np.where(used[k], subject_null, 0)
        n_nulls += 1
    if n_nulls != len(flat):
        raise ValueError(f"nulls are of {n_nulls} subjects, expected {len(flat)} as in maps")
    n = used.sum(axis=0)
    n_counted = np.where(n >= least, n, np.nan)
    mean = np.where(used, flat, 0).sum(axis=0) / n_counted
    null_sum /= n_counted
    tested = shared_stimulus_p(mean, null_sum, np.where(n >= least, n, 0), tail=tail)
    return GroupMap(
        mean=_by_side(tested.mean, values),
        p=_by_side(tested.p, values),
        significant=_by_side(fdr(tested.p, q)[0], values),
        p_family=_by_side(tested.p_family, values),
        n=_by_side(tested.n, values),
    )


def _flat_null(null: Mapping[str, ArrayLike], k: int, values: Mapping[str, NDArray], used: NDArray) -> NDArray:
    """Return the null of one subject over the vertices of all sides."""
    expected = {side: x.shape[1] for side, x in values.items()}
    shapes = {side: np.shape(x) for side, x in null.items()} if isinstance(null, Mapping) else np.shape(null)
    if not isinstance(null, Mapping) or {side: shape[-1:] for side, shape in shapes.items()} != {
        side: (n,) for side, n in expected.items()
    }:
        raise ValueError(
            f"nulls[{k}] has shapes {shapes}, expected (n_permutations, n_vertices) with vertices {expected} as in maps"
        )
    flat = np.concatenate([null[side] for side in values], axis=1)
    if np.isnan(flat[:, used]).any():
        raise ValueError(f"nulls[{k}] holds NaN at vertices where maps[{k}] has a score: score both alike")
    return flat


@dataclass(frozen=True, repr=False)
class MapOverSubjects(ShapeRepr):
    """Map tested over subjects, for other people with the same stimulus.

    Each field is a dict of sides. NaN (False, or 0) where too few subjects count. It does not say
    whether there is an effect at all: see `group_map`.

    Attributes
    ----------
    mean, t, p : dict of str to array (n_vertices,)
        Over subjects; p is that of the t-test.
    significant : dict of str to bool array (n_vertices,)
        After FDR over the vertices of all sides.
    p_family : dict of str to array (n_vertices,)
        By sign flips, corrected for all vertices by their largest statistic; at least 2^-n with n subjects, so six of
        them can reach 0.016 and four nothing below 0.05.
    n : dict of str to int array (n_vertices,)
        Subjects who count there.
    n_significant : dict of str to int array (n_vertices,), or None
        Of those, with p at or below ``alpha``.
    prevalence, prevalence_low : dict of str to array (n_vertices,), or None
        Share of people in whom this experiment would find the effect: most probable, and with 95 % at least (see
        `inference.prevalence`).
    """

    mean: dict[str, NDArray]
    t: dict[str, NDArray]
    p: dict[str, NDArray]
    significant: dict[str, NDArray]
    p_family: dict[str, NDArray]
    n: dict[str, NDArray]
    n_significant: dict[str, NDArray] | None = None
    prevalence: dict[str, NDArray] | None = None
    prevalence_low: dict[str, NDArray] | None = None


def map_over_subjects(
    maps: Sequence[Mapping[str, ArrayLike]],
    p_maps: Sequence[Mapping[str, ArrayLike]] | None = None,
    *,
    alpha: float = 0.05,
    q: float = 0.05,
    tail: Literal["greater", "less", "two-sided"] = "greater",
    least: int = 2,
    n_permutations: int = 10_000,
    seed: Seed = 0,
) -> MapOverSubjects:
    """Test each vertex over subjects, for other people with this stimulus.

    Not a test of whether there is an effect where subjects share the stimulus: there, `group_map` is. Measured without
    an effect on six people who share a response, FDR and the family-wise test find something in 17 to 75 % of maps.

    Parameters
    ----------
    maps : list of dict of str to array (n_vertices,)
        One a subject, from `surface.to_surface`: a score whose mean is 0 by chance, such as r. NaN without a voxel.
    p_maps : list of dict of str to array (n_vertices,), optional
        Each subject's own p, not corrected over voxels. Without them there is no prevalence.
    alpha : float
        Level at which a subject counts as significant.
    q : float
        False discovery rate of the group's t-tests.
    tail : {"greater", "less", "two-sided"}
        Of the group's tests.
    least : int
        Subjects who must count at a vertex, 2 or more.
    n_permutations, seed
        As in `inference.sign_flip_over_subjects`.

    Returns
    -------
    result : MapOverSubjects

    Raises
    ------
    ValueError
        If subjects are fewer than two, differ in sides or in the number of vertices, or an option is not valid.
    """
    values = stacked(maps, "maps")
    n_permutations = whole("n_permutations", n_permutations)
    least = whole("least", least, 2)
    if len(maps) < 2 or not 2 <= least <= len(maps):
        raise ValueError(
            f"maps are of {len(maps)} subject(s) and least is {least}, expected two subjects or more, and least from 2 "
            "to all of them: a group test needs their spread"
        )
    flat = np.concatenate(list(values.values()), axis=1)
    flat = np.where(np.isfinite(flat).sum(axis=0) >= least, flat, np.nan)
    tested = t_test_over_subjects(flat, tail=tail)
    family = sign_flip_over_subjects(flat, n_permutations, tail, seed, max_statistic=True)
    result = MapOverSubjects(
        mean=_by_side(tested.mean, values),
        t=_by_side(tested.statistic, values),
        p=_by_side(tested.p, values),
        significant=_by_side(fdr(tested.p, q)[0], values),
        p_family=_by_side(family.p, values),
        n=_by_side(tested.n, values),
    )
    if p_maps is None:
        return result
    n_significant, share = _significant_subjects(stacked(p_maps, "p_maps", like=values), values, alpha, least)
    return replace(
        result,
        n_significant=_by_side(n_significant, values),
        prevalence=_by_side(share.estimate, values),
        prevalence_low=_by_side(share.low, values),
    )


def stacked(
    maps: Iterable[Mapping[str, ArrayLike]], name: str = "maps", like: Mapping[str, NDArray] | None = None
) -> dict[str, NDArray]:
    """Stack the maps of subjects: one array (n_subjects, n_vertices) a side.

    Parameters
    ----------
    maps : list of dict of str to array (n_vertices,)
    name : str
        For the error.
    like : dict of str to array (n_subjects, n_vertices), optional
        Stacked maps, of which these must have the shapes.

    Returns
    -------
    stacked : dict of str to array (n_subjects, n_vertices)

    Raises
    ------
    ValueError
        If there is no map, or subjects differ in sides or in the number of vertices.
    """
    maps = list(maps)
    if not maps:
        raise ValueError(f"{name} is empty, expected a map of each subject")
    if like is not None and len(maps) != len(next(iter(like.values()))):
        raise ValueError(f"{name} are of {len(maps)} subjects, expected {len(next(iter(like.values())))} as in maps")
    if k := [k for k, m in enumerate(maps) if not isinstance(m, Mapping)]:
        raise ValueError(f"{name}[{k[0]}] has shape {np.shape(maps[k[0]])}, expected a dict of sides: {TO_ONE_SPACE}")
    shapes = [{side: np.shape(x) for side, x in m.items()} for m in maps]
    expected = shapes[0] if like is None else {side: x.shape[1:] for side, x in like.items()}
    for k, shape_of in enumerate(shapes):
        if shape_of != expected or any(len(shape) != 1 for shape in shape_of.values()):
            raise ValueError(
                f"{name}[{k}] has shapes {shape_of}, expected {expected} as of the first subject: subjects' own voxels "
                f"cannot be averaged; {TO_ONE_SPACE}"
            )
    return {side: np.stack([np.asarray(m[side], dtype=float) for m in maps]) for side in expected}


def _significant_subjects(
    p: Mapping[str, NDArray], values: Mapping[str, NDArray], alpha: float, least: int
) -> tuple[NDArray, Prevalence]:
    """Return the number of significant subjects at each vertex, and the prevalence."""
    flat = np.concatenate(list(p.values()), axis=1)
    scores = np.concatenate(list(values.values()), axis=1)
    if np.any((flat < 0) | (flat > 1)):
        raise ValueError("p_maps holds values outside [0, 1], expected p-values, not scores nor marks")
    counts = np.isfinite(flat) & np.isfinite(scores)
    n = np.where(counts.sum(axis=0) >= least, counts.sum(axis=0), 0)
    n_significant = np.where(n > 0, ((flat <= alpha) & counts).sum(axis=0), 0)
    return n_significant, prevalence(n_significant, n, alpha)


def _by_side(row: NDArray, values: Mapping[str, NDArray]) -> dict[str, NDArray]:
    """Return a row over all vertices as one array a side."""
    ends = np.cumsum([x.shape[1] for x in values.values()])[:-1]
    return dict(zip(values, np.split(row, ends)))
