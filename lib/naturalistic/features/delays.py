"""Delays: the hemodynamic response as shifted copies of the features, inside each run.

Nothing crosses a run boundary and nothing wraps round: where a shifted copy has no sample (the first
seconds of a run, or the last for a negative delay) it is zero. Center features first, so that zero is
their mean.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from naturalistic.arrays import as_floats
from naturalistic.parameters import whole
from naturalistic.runs import run_slices


def delays_in_trs(delays: Sequence[float], tr: float) -> NDArray:
    """Return delays (s) as whole TRs.

    Parameters
    ----------
    delays : sequence of float
        Delays in s; positive means that the response comes after the stimulus.
    tr : float
        Repetition time in s.

    Returns
    -------
    shifts : int array (n_delays,)

    Raises
    ------
    ValueError
        If there is no delay, one comes twice, or one is not a multiple of ``tr``.
    """
    delays = np.atleast_1d(np.asarray(delays, dtype=float))
    if not tr > 0:
        raise ValueError(f"tr is {tr!r}, expected seconds above 0")
    if delays.ndim != 1 or delays.size == 0 or not np.isfinite(delays).all():
        raise ValueError(f"delays is {delays.tolist()!r}, expected one or more finite numbers of seconds")
    shifts = np.round(delays / tr).astype(int)
    off = np.abs(shifts * tr - delays) > 1e-6 * tr
    if off.any():
        near = sorted({float(k * tr) for d in delays[off] for k in (np.floor(d / tr), np.ceil(d / tr))})
        raise ValueError(
            f"delays {delays[off].tolist()} s are not multiples of the TR of {tr} s; the nearest that are: {near} s"
        )
    if len(np.unique(shifts)) != len(shifts):
        raise ValueError(f"delays {delays.tolist()} s hold one delay twice")
    return shifts


def shift(features: ArrayLike, n: int, runs: ArrayLike | None = None) -> NDArray:
    """Shift features by ``n`` samples inside each run, zeros where empty.

    Parameters
    ----------
    features : array (n_trs, n_features)
    n : int
        Samples (TRs) to shift by.
    runs : array-like (n_trs,), optional
        Run id of each sample.

    Returns
    -------
    shifted : array (n_trs, n_features)
        float32 if features are float32 or float16, else float64.

    Raises
    ------
    ValueError
        If features are not numbers (n_trs, n_features), or the shift is as long as a run.
    """
    features = as_floats(features, "features")
    n = whole("n", n, None)
    shifted = np.zeros_like(features)
    for s in _slices(features, [n], runs):
        source = features[s]
        target = shifted[s]
        length = len(source)
        target[max(n, 0) : length + min(n, 0)] = source[max(-n, 0) : length - max(n, 0)]
    return shifted


def fir(features: ArrayLike, delays: Sequence[float], tr: float, runs: ArrayLike | None = None) -> NDArray:
    """Stack delayed copies of the features: a finite impulse response model.

    Parameters
    ----------
    features : array (n_trs, n_features)
    delays : sequence of float
        Delays in s, multiples of ``tr``.
    tr : float
        Repetition time in s.
    runs : array-like (n_trs,), optional
        Run id of each sample.

    Returns
    -------
    delayed : array (n_trs, n_delays * n_features)
        Delay by delay: column ``d * n_features + f`` is feature f after delay d. dtype as in `shift`.

    Raises
    ------
    ValueError
        If a delay is not a multiple of ``tr`` or is as long as a run.
    """
    features = as_floats(features, "features")
    shifts = delays_in_trs(delays, tr)
    _slices(features, shifts, runs)
    return np.concatenate([shift(features, n, runs) for n in shifts], axis=1)


def shift_average(features: ArrayLike, delays: Any, tr: float, runs: ArrayLike | None = None) -> NDArray:
    """Average delayed copies of the features: one response of fixed shape.

    Nakagi et al. (2024) take 8, 9 and 10 s.

    Parameters and errors are those of `fir`.

    Returns
    -------
    delayed : array (n_trs, n_features)
        Mean over delays; dtype as in `shift`.
    """
    features = as_floats(features, "features")
    shifts = delays_in_trs(delays, tr)
    _slices(features, shifts, runs)
    total = sum(shift(features, n, runs) for n in shifts)
    return (total / len(shifts)).astype(features.dtype, copy=False)


def delayed(
    features: ArrayLike, delays: Sequence[float | Sequence[float]], tr: float, runs: ArrayLike | None = None
) -> NDArray:
    """Delay features: one copy for each delay or group of delays.

    Parameters
    ----------
    features, tr, runs
        As in `fir`.
    delays : sequence of float or of sequences of float
        In s. ``[2, 4, 6]`` makes three copies (`fir`); ``[(8, 9, 10)]`` one, their average (`shift_average`).

    Returns
    -------
    delayed : array (n_trs, n_copies * n_features)
        Copy by copy; dtype as in `shift`.

    Raises
    ------
    ValueError
        As `fir`; also if a copy comes twice.
    """
    groups = [tuple(np.atleast_1d(np.asarray(group, dtype=float)).tolist()) for group in as_delays(delays)]
    if not groups or len(set(groups)) != len(groups):
        raise ValueError(f"delays is {delays!r}, expected one or more, none of them twice")
    return np.concatenate([shift_average(features, group, tr, runs) for group in groups], axis=1)


def as_delays(delays: Any) -> list:
    """Return delays as a list of numbers and tuples; a single number is a list of one."""
    try:
        listed = [delays] if np.ndim(delays) == 0 else list(delays)
    except ValueError:  # numbers beside groups have no shape in common
        listed = list(delays)
    return [tuple(group) if isinstance(group, (list, tuple, np.ndarray)) else group for group in listed]


def _slices(features: NDArray, shifts: ArrayLike, runs: ArrayLike | None) -> list[slice]:
    """Return the run slices, after checking that every shift fits into every run."""
    if features.ndim != 2:
        raise ValueError(f"features has shape {features.shape}, expected (n_trs, n_features)")
    slices = run_slices(runs, len(features))
    longest = int(np.max(np.abs(shifts)))
    for s in slices:
        if longest >= s.stop - s.start:
            raise ValueError(
                f"a delay of {longest} TRs is as long as the run at samples {s.start} to {s.stop - 1} "
                f"({s.stop - s.start} TRs) or longer: use shorter delays or leave that run out"
            )
    return slices
