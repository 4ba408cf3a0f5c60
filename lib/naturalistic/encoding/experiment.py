"""Encoding models of any experiment: split, models, null, ceiling and clock of a subject, with every choice in words.

The test is never of a recording that the training has: of repeated recordings the one that was repeated most is tested,
else the last run. Where one run or two are all, they are cut into blocks, and time between blocks is left out.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from naturalistic.arrays import ShapeRepr
from naturalistic.datasets.repeats import StackRepeats, repeated_runs
from naturalistic.datasets.subject import Subject
from naturalistic.encoding.ceiling import Ceiling, find_ceiling
from naturalistic.encoding.design import design
from naturalistic.encoding.lags import LagProfile, lag_profile
from naturalistic.encoding.prediction import Prediction, fit_predict
from naturalistic.encoding.reliability import split_half_data
from naturalistic.encoding.scores import Score, score
from naturalistic.encoding.split import Split
from naturalistic.inference import normalize
from naturalistic.models.folds import contiguous_groups
from naturalistic.models.ridge import RidgeCV
from naturalistic.runs import run_slices

if TYPE_CHECKING:
    from naturalistic.features.stimulus import StimulusSpaces

DELAYS = (2.0, 4.0, 6.0, 8.0)  # s
ALPHAS = tuple(np.logspace(0, 7, 15))
CONTROL_LENGTH = 12.0  # s of the response to a control that is taken out
GAP = 16.0  # s left out where a run is cut
BEYOND = "beyond controls"
_BLOCKS = 6  # into which a single run is cut
_TESTED = 2  # of them
_LEAST_TRAINING = 3  # runs; fewer are cut
_LEAST_TRS = 20
_HALVES_GAP = 4  # TRs
_ENOUGH = 5000  # voxels of which the lag is taken


@dataclass(frozen=True, eq=False, repr=False)
class SubjectEncoding(ShapeRepr):
    """Encoding models of one subject.

    Attributes
    ----------
    subject : Subject
    scores : dict of str to Score
        By feature space; and ``"beyond controls"``, the main space less what controls explain.
    main : str
        The space that the experiment is about.
    ceiling : Ceiling
    lag : LagProfile or None
        None where the clock's feature is constant in a run.
    n_features : dict of str to int
    choices : dict of str to str
        Every choice, in words.
    notes : list of str
        What a reader should know.
    """

    subject: Subject
    scores: dict[str, Score]
    main: str
    ceiling: Ceiling
    lag: LagProfile | None
    n_features: dict[str, int]
    choices: dict[str, str]
    notes: list[str]

    @property
    def share_of_ceiling(self) -> NDArray:
        """Return r of the main space as a share of the ceiling, NaN where voxels are not reliable (n_voxels,)."""
        return normalize(self.scores[self.main].r, self.ceiling.values, self.ceiling.reliable)

    def summary(self) -> pd.DataFrame:
        """Return a row for each model."""
        rows = []
        for name, one in self.scores.items():
            rows.append({
                "subject": self.subject.label, "model": name, "features": self.n_features[name],
                "mean r": float(np.nanmean(one.r)), "highest r": float(np.nanmax(one.r)),
                "significant": int(one.significant.sum()), "voxels": len(one.r),
            })  # fmt: skip
        return pd.DataFrame(rows)

    def frame(self) -> pd.DataFrame:
        """Return a row for each voxel, vertex or region, with place, scores and ceiling."""
        columns: dict[str, Any] = {"subject": self.subject.label, **_places(self.subject)}
        for name, one in self.scores.items():
            short = name.replace(" ", "_")
            columns[f"r_{short}"] = one.r
            columns[f"p_{short}"] = one.p
            columns[f"significant_{short}"] = one.significant.astype(int)
        columns["ceiling"] = self.ceiling.values
        columns["reliable"] = self.ceiling.reliable.astype(int)
        columns["share_of_ceiling"] = self.share_of_ceiling
        return pd.DataFrame(columns)


@dataclass(frozen=True, eq=False)
class RepeatedTest:
    """Repeats of the test, for the ceiling.

    Attributes
    ----------
    subject : Subject
    test : bool array (n_trs,)
    stack : callable
        See `datasets.repeats`.
    """

    subject: Subject
    test: NDArray
    stack: StackRepeats


@dataclass(frozen=True, eq=False)
class Partition:
    """TRs of a subject that train and test.

    Attributes
    ----------
    split : Split
        Of the TRs that are kept.
    keep : bool array (n_trs,)
    subject : Subject
        Of all TRs; the mean over repeats where all runs played the same.
    spaces : dict of str to array (n_trs, n_features)
    sentence : str
    repeated : RepeatedTest or None
        Where the test was presented more than once.
    """

    split: Split
    keep: NDArray
    subject: Subject
    spaces: dict[str, NDArray]
    sentence: str
    repeated: RepeatedTest | None = None

    @property
    def test(self) -> NDArray:
        """Return the TRs that are tested: bool (n_trs,)."""
        test = np.zeros(len(self.keep), dtype=bool)
        test[self.keep] = self.split.test
        return test


def encode(
    subject: Subject,
    stimulus: StimulusSpaces,
    *,
    others: Mapping[str, Subject] | None = None,
    test: Sequence[str] | None = None,
    main: str | None = None,
    delays: Sequence[float] | None = None,
    alphas: Sequence[float] = ALPHAS,
    n_permutations: int = 1000,
    q: float = 0.05,
    seed: int = 0,
    device: str = "cpu",
) -> SubjectEncoding:
    """Fit, predict and test encoding models of one subject, and find the ceiling.

    Parameters
    ----------
    subject : Subject
    stimulus : StimulusSpaces
        From `features.stimulus.stimulus_spaces`.
    others : mapping of str to Subject, optional
        All subjects of the experiment, for a ceiling where nothing was repeated.
    test : list of str, optional
        Runs to test on, by name; chosen by `partition` by default.
    main : str, optional
        Space of interest, by default ``context``, else ``static``, else the last one.
    delays : sequence of float, optional
        s, multiples of the repetition time; those nearest to `DELAYS` by default.
    alphas : sequence of float
        Penalties to choose from, inside the training runs.
    n_permutations : int
        Circular shifts of the predictions.
    q : float
        False discovery rate over voxels.
    seed : int
    device : str
        Of the regression.

    Returns
    -------
    encoding : SubjectEncoding

    Raises
    ------
    ValueError
        If there are too few TRs, a run of ``test`` is not there or plays what the training plays too, or no voxel has a
        signal.
    """
    if not subject.bold.shape[1] or not np.any(subject.bold[: min(len(subject.bold), 50)]):
        raise ValueError(f"subject {subject.label} has no voxel with a signal ({subject.bold.shape[1]} voxels)")
    notes: list[str] = []
    delays = delays_of(subject.tr) if delays is None else list(delays)
    parts = partition(subject, stimulus, test=test, delays=delays)
    main = _main_space(stimulus.spaces, main)
    bold = _rows(parts.subject.bold, parts.keep)
    spaces = {name: _rows(x, parts.keep) for name, x in parts.spaces.items()}
    n_groups = len(run_slices(parts.split.runs[~parts.split.test]))
    ridge = RidgeCV(alphas, cv=min(5, n_groups), device=device, progress=False)
    scores = {}
    for name, features in spaces.items():
        prediction = fit_predict({name: features}, bold, ridge, parts.split)
        scores[name] = _scored(prediction, n_permutations, seed, q)
    n_features = {name: x.shape[1] for name, x in spaces.items()}
    controls = {name: spaces[name] for name in stimulus.controls if name != main}
    if controls:
        # at each TR: between a few delays some of the response would be left, and the main space would find it
        every = [k * subject.tr for k in range(int(CONTROL_LENGTH / subject.tr) + 1)]
        columns = design(controls, dict.fromkeys(controls, every), subject.tr, parts.split.runs, ~parts.split.test)
        prediction = fit_predict({main: spaces[main]}, bold, ridge, parts.split, confounds=columns)
        scores[BEYOND] = _scored(prediction, n_permutations, seed, q)
        n_features[BEYOND] = n_features[main]
    else:
        notes.append(f"No control was given: what {main} predicts may be what the rate of words or loudness does.")
    ceiling = _ceiling(parts, others, spaces[main], bold, ridge, n_permutations, seed)
    lag = _lag(subject, stimulus, notes)
    n_needed = int(np.ceil(len(scores[main].r) / q / (n_permutations + 1)))
    if not any(one.significant.any() for one in scores.values()) and n_needed > 1:
        notes.append(
            f"No voxel is significant. With {n_permutations} shifts p is 1/{n_permutations + 1} at best, so that FDR "
            f"over {len(scores[main].r):,} voxels needs {n_needed} or more such voxels: raise n_permutations."
        )
    choices = {
        "split": parts.sentence,
        "delays": f"{', '.join(f'{delay:g}' for delay in delays)} s, inside each run or block",
        "regression": f"ridge, one alpha for each voxel out of {len(alphas)} from {min(alphas):g} to {max(alphas):g}, "
                      f"chosen over {min(5, n_groups)} folds of whole training runs or blocks",
        "null": f"{n_permutations} circular shifts of the predictions inside test runs or their halves, "
        f"FDR {q:g} over voxels, seed {seed}",
        "main space": main,
        "controls": f"{', '.join(controls)}, at each TR up to {CONTROL_LENGTH:g} s" if controls else "none",
        "ceiling": ceiling.sentence,
    }  # fmt: skip
    return SubjectEncoding(subject, scores, main, ceiling, lag, n_features, choices, notes)


def delays_of(tr: float) -> list[float]:
    """Return the multiples of a repetition time that are nearest to `DELAYS`, s.

    Parameters
    ----------
    tr : float
        s.
    """
    return sorted({round(max(1, round(delay / tr)) * tr, 6) for delay in DELAYS})


def partition(
    subject: Subject, stimulus: StimulusSpaces, *, test: Sequence[str] | None = None, delays: Sequence[float] = DELAYS
) -> Partition:
    """Return what trains and what tests, so that no recording is in both.

    Parameters
    ----------
    subject : Subject
    stimulus : StimulusSpaces
    test : list of str, optional
        Runs by name. By default those of the recording that was repeated most, else the last run.
    delays : sequence of float
        s.

    Returns
    -------
    partition : Partition

    Raises
    ------
    ValueError
        If a run is not there, training would have a tested recording, or too few TRs are left.
    """
    recordings = _recordings(subject, stimulus)
    spaces = stimulus.spaces
    merged = ""
    if test is None and len(recordings) == 1 and len(subject.run_names) > 1:
        merged = f"All {len(subject.run_names)} runs played the same and were averaged. "
        return _cut(subject, spaces, delays, merged, average=True)
    tested = _tested_runs(subject, recordings, test)
    training = [name for name in subject.run_names if name not in tested]
    if not training:
        return _cut(subject, spaces, delays, merged)
    is_test = np.isin(subject.runs, [subject.run_names.index(name) for name in tested])
    groups = subject.runs.copy()
    keep = np.ones(len(groups), dtype=bool)
    sentence = f"Tested on {', '.join(tested)}, trained on {len(training)} other run{'s' * (len(training) > 1)}"
    if len(training) < _LEAST_TRAINING:
        blocks, keep_training = _blocks(subject.runs[~is_test], subject.tr, _BLOCKS - 1)
        groups[~is_test] = len(subject.run_names) + blocks
        keep[~is_test] = keep_training
        sentence += f", cut into {len(np.unique(blocks))} blocks to choose alpha, {GAP:g} s left out between them"
    stack = None
    if len(tested) > 1 and len({_recording_of(recordings, name) for name in tested}) == 1:
        lengths = [int((subject.runs == subject.run_names.index(name)).sum()) for name in tested]
        if len(set(lengths)) == 1:
            stack = repeated_runs(tested, lengths, [tested])
            sentence += f"; the {len(tested)} repeats of the test are averaged"
    _check_lengths(is_test & keep, ~is_test & keep)
    split = Split(is_test[keep], groups[keep], subject.tr, list(delays), _in_blocks(stack))
    repeated = None if stack is None else RepeatedTest(subject, is_test, _in_blocks(stack))
    return Partition(split, keep, subject, spaces, sentence + ".", repeated)


def _in_blocks(stack: StackRepeats | None) -> StackRepeats:
    """Return a function that stacks repeats, or one presentation, and cuts a single run into blocks.

    Inside of one run there are few circular shifts, and p could not become small.
    """

    def stack_blocks(values: NDArray, runs: NDArray) -> tuple[NDArray, NDArray]:
        stacked, ids = (values[None], runs) if stack is None else stack(values, runs)
        n_runs = len(run_slices(ids))
        return stacked, contiguous_groups(ids, _TESTED) if n_runs < _TESTED else ids

    return stack_blocks


def _recording_of(recordings: Mapping[Any, Sequence[str]], name: str) -> Any:
    """Return the recording that a run played."""
    return next(key for key, names in recordings.items() if name in names)


def _recordings(subject: Subject, stimulus: StimulusSpaces) -> dict[Any, list[str]]:
    """Return the runs that played the same words, by recording; without words each run by itself."""
    if stimulus.words is None:
        return {name: [name] for name in subject.run_names}
    words = stimulus.words
    found: dict[Any, list[str]] = {}
    for run, name in enumerate(subject.run_names):
        played = words.events[words.event_runs == run]
        found.setdefault(tuple(words.words[k] for k in played) or name, []).append(name)
    return found


def _tested_runs(subject: Subject, recordings: Mapping[Any, list[str]], test: Sequence[str] | None) -> list[str]:
    """Return the names of the test runs."""
    if test is None:
        most = max(map(len, recordings.values()))
        return [names for names in recordings.values() if len(names) == most][-1]
    unknown = [name for name in test if name not in subject.run_names]
    if unknown or not test:
        raise ValueError(f"test is {list(test)}, subject {subject.label} has the runs {', '.join(subject.run_names)}")
    for names in recordings.values():
        if 0 < len(set(names) & set(test)) < len(names):
            raise ValueError(
                f"the runs {', '.join(names)} of subject {subject.label} played the same, expected all or none of them "
                f"in test={list(test)}: a model that was trained on a recording is not tested on it"
            )
    return [name for name in subject.run_names if name in test]


def _cut(
    subject: Subject, spaces: Mapping[str, NDArray], delays: Sequence[float], merged: str, average: bool = False
) -> Partition:
    """Return blocks of one run, the last of which are tested; of runs that are alike, their mean."""
    repeated = None
    if average:
        lengths = np.bincount(subject.runs)
        n_trs = int(lengths.min())
        rows = np.concatenate([np.flatnonzero(subject.runs == run)[:n_trs] for run in range(len(lengths))])
        each = replace(
            subject, bold=np.asarray(subject.bold)[rows], runs=subject.runs[rows], motion=None, scan_motion={}
        )
        mean = each.bold.reshape(len(lengths), n_trs, -1).mean(axis=0)
        names = ("mean of the repeats",)
        one_run = np.zeros(n_trs, dtype=int)
        subject = replace(each, bold=mean, runs=one_run, run_names=names, first_trs=subject.first_trs[:1])
        spaces = {name: x[:n_trs] for name, x in spaces.items()}
    blocks, keep = _blocks(subject.runs, subject.tr, _BLOCKS)
    last = np.unique(blocks)[-_TESTED:]
    is_test = np.isin(blocks, last)
    _check_lengths(is_test & keep, ~is_test & keep)
    split = Split(is_test[keep], blocks[keep], subject.tr, list(delays))
    sentence = (
        f"{merged}One run, cut into {len(np.unique(blocks))} blocks; the last {_TESTED} are tested, {GAP:g} s left out "
        "between all."
    )
    if average:
        tested = is_test & keep

        def stack(values: NDArray, runs: NDArray) -> tuple[NDArray, NDArray]:
            return values.reshape(len(lengths), int(tested.sum()), -1), blocks[tested]

        repeated = RepeatedTest(each, np.tile(tested, len(lengths)), stack)
    return Partition(split, keep, subject, dict(spaces), sentence, repeated)


def _blocks(runs: NDArray, tr: float, n_blocks: int) -> tuple[NDArray, NDArray]:
    """Return the block of each TR, and which to keep: the start of a block inside of a run is left out."""
    blocks = contiguous_groups(runs, max(n_blocks, len(run_slices(runs))))
    keep = np.ones(len(runs), dtype=bool)
    gap = round(GAP / tr)
    for block in run_slices(blocks):
        if block.start and runs[block.start] == runs[block.start - 1]:
            keep[block.start : block.start + gap] = False
    return blocks, keep


def _check_lengths(test: NDArray, training: NDArray) -> None:
    """Raise an error where too little is left to train or to test on."""
    for what, trs in (("test", test), ("train", training)):
        if trs.sum() < _LEAST_TRS:
            raise ValueError(
                f"{int(trs.sum())} TRs are left to {what} on, expected {_LEAST_TRS} or more: the runs are too short "
                "for an encoding model"
            )


def _rows(x: NDArray, keep: NDArray) -> NDArray:
    """Return the rows that are kept; all of a memory map stay on the disk."""
    return x if keep.all() else np.asarray(x)[keep]


def _main_space(spaces: Mapping[str, NDArray], main: str | None) -> str:
    if main is not None and main not in spaces:
        raise ValueError(f"main is {main!r}, expected one of {', '.join(spaces)}")
    return main or next((name for name in ("context", "static") if name in spaces), list(spaces)[-1])


def _scored(prediction: Prediction, n_permutations: int, seed: int, q: float) -> Score:
    """Return the score, of voxels without a signal 0 and not significant."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # constant voxels have no correlation
        return score(prediction, n_permutations=n_permutations, seed=seed, q=q)


def _ceiling(
    parts: Partition,
    others: Mapping[str, Subject] | None,
    features: NDArray,
    bold: NDArray,
    ridge: RidgeCV,
    n_permutations: int,
    seed: int,
) -> Ceiling:
    """Return the best ceiling of the test."""

    def agreement() -> NDArray:
        try:
            return split_half_data({"main": features}, bold, ridge, parts.split, gap=_HALVES_GAP).agreement
        except ValueError:  # too short to be halved
            return np.full(bold.shape[1], np.nan)

    options = {"agreement": agreement, "n_permutations": n_permutations, "seed": seed}
    if parts.repeated is not None:
        return find_ceiling(parts.repeated.subject, parts.repeated.test, repeats=parts.repeated.stack, **options)
    return find_ceiling(parts.subject, parts.test, others=others, **options)


def _lag(subject: Subject, stimulus: StimulusSpaces, notes: list[str]) -> LagProfile | None:
    """Return the lag at which the fast feature predicts best; what is wrong becomes a note."""
    voxels = slice(None, None, max(1, subject.bold.shape[1] // _ENOUGH))
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            profile = lag_profile(stimulus.clock, np.asarray(subject.bold[:, voxels]), subject.tr, subject.runs)
    except ValueError as error:
        notes.append(f"The clock could not be checked: {error}.")
        return None
    notes += [f"Clock: {warning.message}" for warning in caught if issubclass(warning.category, UserWarning)]
    return profile


def _places(subject: Subject) -> dict[str, Any]:
    """Return columns that say which voxel, vertex or region each row is."""
    n_voxels = subject.bold.shape[1]
    if subject.surface is not None:
        sides = np.repeat(["left", "right"], [len(subject.surface.left), len(subject.surface.right)])
        return {"hemisphere": sides, "vertex": np.concatenate([subject.surface.left, subject.surface.right])}
    if subject.grid is None:
        return {"column": np.arange(n_voxels)}
    columns = {axis: subject.grid.indices[:, k] for k, axis in enumerate("ijk")}
    coordinates = np.asarray(subject.coordinates)
    return columns | {axis: coordinates[:, k].round(2) for k, axis in enumerate("xyz")}
