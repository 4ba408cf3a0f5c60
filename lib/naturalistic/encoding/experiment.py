"""Encoding models of any experiment: split, models, null, ceiling and clock of a subject, with every choice in words.

What trains and what tests is chosen in `encoding.recordings`.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from naturalistic.arrays import ShapeRepr, take_columns
from naturalistic.datasets.subject import Subject
from naturalistic.encoding.ceiling import Ceiling, find_ceiling
from naturalistic.encoding.design import design
from naturalistic.encoding.lags import LagProfile, lag_profile
from naturalistic.encoding.prediction import Prediction, fit_predict
from naturalistic.encoding.recordings import DELAYS, Partition, partition
from naturalistic.encoding.reliability import split_half_data
from naturalistic.encoding.scores import Score, score
from naturalistic.inference import normalize
from naturalistic.models.ridge import RidgeCV

if TYPE_CHECKING:
    from naturalistic.features.stimulus import StimulusSpaces

ALPHAS = tuple(np.logspace(0, 7, 15))
CONTROL_LENGTH = 12.0  # s of the response to a control that is taken out
BEYOND = "beyond controls"
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
    progress: bool = False,
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
    progress : bool
        Show a bar over the models.

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
    n_groups = len(np.unique(parts.split.groups[~parts.split.test]))
    ridge = RidgeCV(alphas, cv=min(5, n_groups), device=device, progress=False)
    scores = {}
    for name, features in tqdm(spaces.items(), f"models of {subject.label}", leave=False, disable=not progress):
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
                      f"chosen over {min(5, n_groups)} folds of whole training recordings or blocks",
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
            profile = lag_profile(stimulus.clock, take_columns(subject.bold, voxels), subject.tr, subject.runs)
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
    try:
        coordinates = np.asarray(subject.coordinates)
    except (FileNotFoundError, ValueError):
        return columns  # files that place the voxels in MNI space were not downloaded; scores do not need them
    return columns | {axis: coordinates[:, k].round(2) for k, axis in enumerate("xyz")}
