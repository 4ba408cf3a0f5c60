"""Features at event times (words, sounds, shots), brought to the grid of TRs.

A TR is the stretch ``[t, t + tr)``. Every method is a sparse matrix of weights from events to TRs, made
from times alone and inside one run, so that nothing leaks from one run into another.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from naturalistic.arrays import as_floats
from naturalistic.parameters import whole
from naturalistic.runs import check_runs, run_slices

METHODS = ("lanczos", "mean", "last", "sum")


def to_trs(
    features: ArrayLike,
    times: ArrayLike,
    tr_times: ArrayLike,
    tr: float,
    method: Literal["lanczos", "mean", "last", "sum"] = "lanczos",
    *,
    lobes: int = 3,
    event_runs: ArrayLike | None = None,
    runs: ArrayLike | None = None,
) -> NDArray:
    """Bring one feature vector an event onto the TR grid.

    Parameters
    ----------
    features : array (n_events, n_features) or (n_layers, n_events, n_features)
        One row an event; a stack of layers shares one matrix of weights.
    times : array-like (n_events,)
        Time of each event in s, ascending inside a run, on the clock of its run.
    tr_times : array-like (n_trs,)
        Start of each TR in s, ascending inside a run.
    tr : float
        Length of a TR in s.
    method : {"lanczos", "mean", "last", "sum"}
        - ``lanczos``: low-pass at the TR grid's Nyquist frequency, read at the middle of each TR. The kernel is
          integrated over the line that joins the events (and holds before the first and after the last), so
          weights sum to 1: constants and slow sinusoids come out as they went in, however irregular the
          events. (A plain Lanczos sum over events multiplies features by the local event rate.)
        - ``mean``: mean of the TR's events; 0 where it has none.
        - ``last``: the last event up to the end of the TR, held while nothing new happens; 0 before the first.
        - ``sum``: sum over the TR's events; of a column of ones it is the event count.
    lobes : int
        Half-width of the Lanczos kernel in TRs.
    event_runs, runs : array-like (n_events,) and (n_trs,), optional
        Run of each event and of each TR; both or neither.

    Returns
    -------
    on_trs : array (n_trs, n_features) or (n_layers, n_trs, n_features)
        float32 if ``features`` are float32 or float16, else float64.

    Raises
    ------
    ValueError
        On lengths that differ, times that do not ascend, or an unknown method.
    """
    features = as_floats(features, "features")
    if features.ndim not in (2, 3):
        raise ValueError(
            f"features has shape {features.shape}, expected (n_events, n_features) or (n_layers, n_events, n_features)"
        )
    weights = tr_weights(times, tr_times, tr, method, lobes=lobes, event_runs=event_runs, runs=runs)
    if features.shape[-2] != weights.shape[1]:
        raise ValueError(f"features has {features.shape[-2]} events and times has {weights.shape[1]}")
    weights = weights.astype(features.dtype)
    if features.ndim == 2:
        return weights @ features
    return np.stack([weights @ layer for layer in features])


def tr_weights(
    times: ArrayLike,
    tr_times: ArrayLike,
    tr: float,
    method: Literal["lanczos", "mean", "last", "sum"] = "lanczos",
    *,
    lobes: int = 3,
    event_runs: ArrayLike | None = None,
    runs: ArrayLike | None = None,
) -> sparse.csr_matrix:
    """Return the sparse weights (n_trs, n_events) of `to_trs`.

    Parameters and errors are the same.
    """
    times = np.asarray(times, dtype=float)
    tr_times = np.asarray(tr_times, dtype=float)
    lobes = whole("lobes", lobes)
    if method not in METHODS:
        raise ValueError(f"method is {method!r}, expected one of {METHODS}")
    if not (np.isfinite(tr) and tr > 0):
        raise ValueError(f"tr is {tr!r}, expected seconds above 0")
    if (event_runs is None) != (runs is None):
        raise ValueError("give both event_runs and runs, or neither")
    event_runs = check_runs(event_runs, len(times))
    runs = check_runs(runs, len(tr_times))
    strangers = set(event_runs.tolist()) - set(runs.tolist())
    if strangers:
        raise ValueError(f"event_runs has runs without a TR: {sorted(strangers)}")
    where = {event_runs[s.start]: s for s in run_slices(event_runs, len(times))} if len(times) else {}
    blocks = []
    columns = []
    for s in run_slices(runs):
        events = where.get(runs[s.start], slice(0, 0))
        _check_ascending("times", times[events])
        _check_ascending("tr_times", tr_times[s])
        low, high, value = _run_weights(times[events], tr_times[s], tr, method, lobes)
        n = high - low
        column = np.repeat(low - np.concatenate([[0], np.cumsum(n)[:-1]]), n) + np.arange(n.sum())
        blocks.append((n, value(np.repeat(np.arange(len(n)), n), column)))
        columns.append(column + events.start)
    counts = np.concatenate([n for n, _ in blocks])
    values = np.concatenate([v for _, v in blocks])
    indptr = np.concatenate([[0], np.cumsum(counts)])
    return sparse.csr_matrix((values, np.concatenate(columns), indptr), shape=(len(tr_times), len(times)))


def _run_weights(
    times: NDArray, tr_times: NDArray, tr: float, method: str, lobes: int
) -> tuple[NDArray, NDArray, Callable]:
    """Return the range of events of each TR, low and high (n_trs,), and a function (row, column) -> weight."""
    high = np.searchsorted(times, tr_times + tr)
    if method == "last":
        return np.maximum(high - 1, 0), high, lambda row, column: np.ones(len(row))
    low = np.searchsorted(times, tr_times)
    if method == "sum":
        return low, high, lambda row, column: np.ones(len(row))
    if method == "mean":
        return low, high, lambda row, column: 1.0 / (high - low)[row]
    middle = tr_times + tr / 2
    n = len(times)
    low = np.maximum(np.searchsorted(times, middle - lobes * tr) - 1, 0)
    high = np.minimum(np.searchsorted(times, middle + lobes * tr, side="right") + 1, n)
    once, twice = _lanczos_integrals(lobes)

    def step(row: NDArray, left: NDArray) -> NDArray:
        """Mean of the kernel's running integral between event ``left`` and the next; 0 and 1 past the ends."""
        a = (times[np.clip(left, 0, n - 1)] - middle[row]) / tr
        b = (times[np.clip(left + 1, 0, n - 1)] - middle[row]) / tr
        apart = b - a > 1e-6
        mean = np.where(apart, (twice(b) - twice(a)) / np.where(apart, b - a, 1), once((a + b) / 2))
        return np.where(left < 0, 0.0, np.where(left >= n - 1, 1.0, mean))

    return low, high, lambda row, column: step(row, column) - step(row, column - 1)


def _lanczos_integrals(lobes: int, n: NDArray = 2048) -> tuple[Callable, Callable]:
    """Return the first and second running integrals of the Lanczos kernel as functions of time in TRs."""
    x = np.linspace(-lobes, lobes, 2 * lobes * n + 1)
    kernel = np.sinc(x) * np.sinc(x / lobes)
    first = np.concatenate([[0.0], np.cumsum((kernel[1:] + kernel[:-1]) / 2)])
    first /= first[-1]
    second = np.concatenate([[0.0], np.cumsum((first[1:] + first[:-1]) / 2)]) / n
    return (
        lambda at: np.interp(at, x, first),
        lambda at: np.interp(at, x, second) + np.maximum(at - lobes, 0.0),
    )


def _check_ascending(name: str, values: NDArray) -> None:
    if not np.isfinite(values).all() or (np.diff(values) < 0).any():
        bad = int(np.flatnonzero(~np.isfinite(values) | (np.diff(values, prepend=-np.inf) < 0))[0])
        raise ValueError(f"{name} must be finite and ascend inside a run; sample {bad} of the run does not")
