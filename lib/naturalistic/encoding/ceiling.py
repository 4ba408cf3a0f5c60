"""Ceilings of any experiment: from repeats, else from subjects who share the stimulus, else halves of the training."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from naturalistic.arrays import ShapeRepr
from naturalistic.datasets.images import same_grid
from naturalistic.datasets.repeats import StackRepeats
from naturalistic.datasets.subject import Subject
from naturalistic.encoding.prediction import Prediction
from naturalistic.encoding.reliability import spearman_brown
from naturalistic.encoding.scores import reliable_voxels, shifted_p
from naturalistic.inference import explainable_variance, fdr, noise_ceiling
from naturalistic.models.folds import contiguous_groups
from naturalistic.preprocessing import zscore
from naturalistic.runs import run_slices

LEAST_OTHERS = 2  # subjects beside one, whose mean is worth comparing with
_INDIVIDUAL = ("raw", "native")  # spaces in which voxels of two subjects are not the same

Kind = Literal["repeats", "subjects", "halves"]


@dataclass(frozen=True, eq=False, repr=False)
class Ceiling(ShapeRepr):
    """What a score can be held against.

    Attributes
    ----------
    kind : {"repeats", "subjects", "halves"}
    values : array (n_voxels,)
        Correlation; NaN where it cannot be told.
    reliable : bool array (n_voxels,)
        Voxels that repeat, or are shared, by a circular-shift test; none of "halves".
    sentence : str
        What it is, of how many.
    """

    kind: Kind
    values: NDArray
    reliable: NDArray
    sentence: str

    @property
    def is_ceiling(self) -> bool:
        """Return whether scores may be divided by it: the agreement of halves bounds no response."""
        return self.kind != "halves"


def find_ceiling(
    subject: Subject,
    test: NDArray,
    *,
    repeats: StackRepeats | None = None,
    others: Mapping[str, Subject] | None = None,
    agreement: Callable[[], NDArray] | None = None,
    n_permutations: int = 1000,
    seed: int = 0,
) -> Ceiling:
    """Return the best ceiling that an experiment gives of its test runs.

    Parameters
    ----------
    subject : Subject
    test : bool array (n_trs,)
        TRs that are tested.
    repeats : callable, optional
        Stacks repeats of the test runs, see `datasets.repeats`.
    others : mapping of str to Subject, optional
        Taken are those who have the test runs, with as many TRs, in a space in which voxels are the same.
    agreement : callable, optional
        Returns the correlation (n_voxels,) of predictions of the test runs by models of each half of the training, such
        as that of `split_half_data`.
    n_permutations, seed
        Of the tests of reliability.

    Returns
    -------
    ceiling : Ceiling

    Raises
    ------
    ValueError
        If there is neither a repeat, nor enough others, nor ``agreement``.
    """
    if repeats is not None:
        return _of_repeats(subject, test, repeats, n_permutations, seed)
    shared = _mean_of_others(subject, test, others or {})
    if shared is not None:
        return _of_subjects(subject, test, *shared, n_permutations, seed)
    if agreement is None:
        raise ValueError(
            f"subject {subject.label} has no repeats, and fewer than {LEAST_OTHERS} others have the same test runs: "
            "expected agreement= of halves"
        )
    with np.errstate(invalid="ignore"):
        values = np.sqrt(spearman_brown(np.clip(agreement(), -1, 1)))
    if np.isnan(values).all():
        sentence = "Nothing was presented twice, and the training is too short to be halved: no ceiling."
        return Ceiling("halves", values, np.zeros(len(values), dtype=bool), sentence)
    sentence = (
        "Nothing was presented twice, and fewer than three subjects share the test: no ceiling. Shown is how well the "
        "model agrees with itself, fitted on each half of the training (square root of the Spearman-Brown "
        "reliability); scores are not divided by it."
    )
    return Ceiling("halves", values, np.zeros(len(values), dtype=bool), sentence)


def _of_repeats(subject: Subject, test: NDArray, stack: StackRepeats, n_permutations: int, seed: int) -> Ceiling:
    """Return the ceiling of the mean over repeats."""
    stacked, runs = stack(np.asarray(subject.bold[test]), subject.runs[test])
    values = noise_ceiling(explainable_variance(stacked, runs), n_averaged=len(stacked))
    reliable = reliable_voxels(stacked, runs, n_permutations=n_permutations, seed=seed)
    sentence = (
        f"The test was presented {len(stacked)} times: the ceiling is the highest correlation that any model can have "
        "with the mean of the repeats."
    )
    return Ceiling("repeats", values, reliable, sentence)


def _of_subjects(
    subject: Subject, test: NDArray, shared: NDArray, n_others: NDArray, n_permutations: int, seed: int
) -> Ceiling:
    """Return the correlation with the mean of the others."""
    runs = contiguous_groups(subject.runs[test], max(2, len(run_slices(subject.runs[test]))))  # one run has few shifts
    own = zscore(np.asarray(subject.bold[test]), runs)
    prediction = Prediction(own, zscore(shared, runs), runs)
    values, p, _ = shifted_p([prediction], n_permutations, seed=seed)
    defined = (n_others > 0) & np.isfinite(values)
    reliable = np.zeros(len(values), dtype=bool)
    if defined.any():
        reliable[defined] = fdr(p[defined])[0]
    sentence = (
        f"{int(n_others.max())} others heard or saw the same test: the ceiling is the correlation with their mean, a "
        "lower bound of what a model can reach, as the others are noisy too and each subject responds in a way of its "
        "own."
    )
    return Ceiling("subjects", np.where(defined, values, np.nan), reliable, sentence)


def _mean_of_others(subject: Subject, test: NDArray, others: Mapping[str, Subject]) -> tuple[NDArray, NDArray] | None:
    """Return the mean of the others' test runs (n_test_trs, n_voxels), and how many have each voxel; or None."""
    names = [subject.run_names[run] for run in dict.fromkeys(subject.runs[test].tolist())]
    total = np.zeros((int(test.sum()), subject.bold.shape[1]), dtype=np.float32)
    counts = np.zeros(subject.bold.shape[1], dtype=int)
    n_found = 0
    for label in others:
        if label == subject.label:
            continue
        other = others[label]
        columns = matched_columns(subject, other)
        rows = _rows_of(subject, test, other, names)
        if columns is None or rows is None:
            continue
        n_found += 1
        there = columns >= 0
        total[:, there] += zscore(np.asarray(other.bold[rows])[:, columns[there]], subject.runs[test])
        counts += there
    if n_found < LEAST_OTHERS:
        return None
    return total / np.maximum(counts, 1), counts


def _rows_of(subject: Subject, test: NDArray, other: Subject, names: list[str]) -> NDArray | None:
    """Return the TRs of another subject that are those of the test, or None where runs or their lengths differ."""
    rows = []
    for name in names:
        if name not in other.run_names or other.tr != subject.tr:
            return None
        own = subject.runs == subject.run_names.index(name)
        theirs = other.runs == other.run_names.index(name)
        own_times = subject.tr_times[own]
        # some volumes may have been dropped in one and not in the other
        position = {round(time, 3): index for index, time in zip(np.flatnonzero(theirs), other.tr_times[theirs])}
        wanted = [round(time, 3) for time in own_times[test[own]]]
        if any(time not in position for time in wanted):
            return None
        rows += [position[time] for time in wanted]
    return np.array(rows)


def matched_columns(subject: Subject, other: Subject) -> NDArray | None:
    """Return the column of another subject's BOLD for each of a subject's.

    Parameters
    ----------
    subject, other : Subject

    Returns
    -------
    columns : int array (n_voxels,), or None
        -1 where the other has none; None where voxels of the two are not the same: raw or native space, another grid or
        mesh.
    """
    if subject.space != other.space or subject.space in _INDIVIDUAL:
        return None
    if subject.grid is not None and other.grid is not None:
        if not same_grid(subject.grid.shape, subject.grid.affine, other.grid.shape, other.grid.affine):
            return None
        position = np.full(other.grid.shape, -1)
        position[tuple(other.grid.indices.T)] = np.arange(len(other.grid.indices))
        return position[tuple(subject.grid.indices.T)]
    if subject.surface is not None and other.surface is not None:
        same = subject.surface.n_vertices == other.surface.n_vertices
        same = same and np.array_equal(subject.surface.left, other.surface.left)
        same = same and np.array_equal(subject.surface.right, other.surface.right)
        return np.arange(subject.bold.shape[1]) if same else None
    same = subject.bold.shape[1] == other.bold.shape[1]
    return np.arange(subject.bold.shape[1]) if same else None
