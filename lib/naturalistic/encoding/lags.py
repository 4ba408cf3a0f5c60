"""Lag between a stimulus and the response to it, a check that both run on the same clock."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from naturalistic.arrays import ShapeRepr, as_floats
from naturalistic.features.delays import shift
from naturalistic.preprocessing.filters import high_pass
from naturalistic.runs import run_slices

EXPECTED = (3.0, 8.0)  # s; a hemodynamic response peaks in it


@dataclass(frozen=True, eq=False, repr=False)
class LagProfile(ShapeRepr):
    """How strongly a feature and the response go together, by lag.

    Attributes
    ----------
    lags : array (n_lags,)
        s by which the response is later than the feature.
    by_run : array (n_runs, n_lags)
        Correlation of one response; of several, the root of the mean squared correlation.
    mean : array (n_lags,)
        Mean over runs.
    peak : float
        Lag of the highest mean, s.
    is_expected : bool
        Whether the peak lies where that of a hemodynamic response does.
    """

    lags: NDArray
    by_run: NDArray
    mean: NDArray
    peak: float
    is_expected: bool

    def to_frame(self, runs: Sequence[str]) -> pd.DataFrame:
        """Return a row for each run and lag.

        Parameters
        ----------
        runs : sequence of str (n_runs,)
            Names.

        Returns
        -------
        frame : DataFrame
            Columns ``run``, ``lag`` (s) and ``r``.
        """
        if len(runs) != len(self.by_run):
            raise ValueError(f"runs has {len(runs)} names, expected {len(self.by_run)}, one for each run")
        rows = {
            "run": np.repeat(list(runs), len(self.lags)),
            "lag": np.tile(self.lags, len(runs)),
            "r": self.by_run.ravel(),
        }
        return pd.DataFrame(rows)


def lag_profile(
    feature: ArrayLike,
    bold: ArrayLike,
    tr: float,
    runs: ArrayLike | None = None,
    *,
    lags: Sequence[float] | None = None,
    keep: ArrayLike | None = None,
    cutoff: float = 0.01,
    expected: tuple[float, float] = EXPECTED,
) -> LagProfile:
    """Return correlations of a feature and the response by lag, and warn of a late peak.

    A stimulus on a wrong clock still predicts, as what it does changes slowly; but its peak is not that of a response.
    Slow drifts, which stimuli have as brains do, are taken out of both.

    Parameters
    ----------
    feature : array (n_trs,)
        Such as loudness or the rate of words: something that changes fast.
    bold : array (n_trs,) or (n_trs, n_voxels)
    tr : float
        Repetition time, s.
    runs : array-like (n_trs,), optional
    lags : sequence of float, optional
        s, multiples of the repetition time; -10 to 20 by default.
    keep : bool array (n_trs,), optional
        TRs of the response that are correlated; all by default. The others are filtered with their run and only give
        the feature what came before, such as the start of a run that shows again what ended the run before.
    cutoff : float
        Hz.
    expected : (float, float)
        s between which the peak of a response lies.

    Returns
    -------
    profile : LagProfile

    Raises
    ------
    ValueError
        If lengths differ, a lag is no multiple of the repetition time, a run keeps fewer than two TRs at a lag, or the
        feature does not change.
    """
    feature = as_floats(feature, "feature")
    bold = as_floats(bold, "bold")
    bold = bold[:, None] if bold.ndim == 1 else bold
    if feature.ndim != 1 or len(feature) != len(bold):
        raise ValueError(f"feature has shape {feature.shape}, bold {bold.shape}: expected one value for each TR")
    steps = np.arange(np.ceil(-10 / tr), np.floor(20 / tr) + 1) if lags is None else np.asarray(lags, float) / tr
    if not np.allclose(steps, np.round(steps)):
        raise ValueError(f"lags are {list(lags or ())} s, expected multiples of the repetition time, {tr:g} s")
    steps = np.round(steps).astype(int)
    stimulus = high_pass(feature[:, None].astype(float), tr, cutoff=cutoff, runs=runs)
    response = high_pass(bold, tr, cutoff=cutoff, runs=runs)
    slices = run_slices(runs, len(feature))
    kept = _checked_keep(keep, slices, len(feature), int(np.abs(steps).max(initial=0)))
    if any(not np.ptp(feature[run]) for run in slices):
        raise ValueError(
            "feature does not change in a run, expected one that does, such as loudness or the rate of words"
        )
    by_run = np.empty((len(slices), len(steps)))
    for column, step in enumerate(steps):
        later = shift(stimulus, int(step), runs)
        for row, run in enumerate(slices):
            by_run[row, column] = _strength(later[run, 0], response[run], kept[run], int(step))
    mean = by_run.mean(axis=0)
    peak = float(steps[np.argmax(mean)] * tr)
    is_expected = expected[0] <= peak <= expected[1]
    if not is_expected:
        warnings.warn(
            f"the response follows the feature best after {peak:g} s, expected {expected[0]:g} to {expected[1]:g} s: "
            "are the onsets of the stimulus right (offset), and is it that of these runs?",
            stacklevel=2,
        )
    return LagProfile(steps * tr, by_run, mean, peak, is_expected)


def _checked_keep(keep: ArrayLike | None, slices: Sequence[slice], n_trs: int, longest: int) -> NDArray:
    """Return the mask of TRs that are kept (n_trs,), two or more of each run at the longest lag either way."""
    kept = np.ones(n_trs, dtype=bool) if keep is None else np.asarray(keep)
    if kept.dtype != bool or kept.shape != (n_trs,):
        raise ValueError(f"keep is {kept.dtype} of shape {kept.shape}, expected one bool for each of {n_trs} TRs")
    for run in slices:
        inside = kept[run]
        left = min(inside[longest:].sum(), inside[: len(inside) - longest].sum())
        if left < 2:
            raise ValueError(
                f"keep leaves {left} TR(s) of the run at TRs {run.start} to {run.stop - 1} at a lag of {longest} TRs, "
                "expected two or more: keep more, or take shorter lags"
            )
    return kept


def _strength(stimulus: NDArray, response: NDArray, kept: NDArray, step: int) -> float:
    """Return the correlation where both are there; of several responses, the root of the mean square."""
    there = kept.copy()
    there[: max(step, 0)] = False
    there[len(there) + min(step, 0) :] = False
    x = stimulus[there] - stimulus[there].mean()
    y = response[there] - response[there].mean(axis=0, dtype=float)
    scale = np.sqrt((x**2).sum() * (y.astype(float) ** 2).sum(axis=0))
    r = np.divide(x @ y, scale, out=np.zeros(y.shape[1]), where=scale > 0)
    return float(r[0]) if len(r) == 1 else float(np.sqrt(np.mean(r**2)))
