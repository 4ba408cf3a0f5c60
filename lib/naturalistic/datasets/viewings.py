"""Test runs that were shown more than once, laid on each other."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from naturalistic.datasets.narrative_movie import NarrativeMovie
from naturalistic.runs import run_slices


def viewings(movie: NarrativeMovie) -> Callable[[NDArray, NDArray], tuple[NDArray, NDArray]] | None:
    """Return what lays the viewings of each test run of a movie experiment on each other.

    Parameters
    ----------
    movie : NarrativeMovie

    Returns
    -------
    merge : callable or None
        ``merge(values, runs) -> (n_viewings, n_trs of one viewing, n), runs of those``, for values (n_trs, n) of all
        test runs in the order of the experiment, and their runs; made for `encoding.fit_predict`. None where
        everything was shown once, as in ds005531.

    Raises
    ------
    ValueError
        If test runs were shown unequally often, or (when called) values are not of all test runs.
    """
    if not movie.repeats:
        return None
    names = [run.name for run in movie.select("Test")]
    repeats = movie.repeats
    again = sorted(name for shown in repeats for name in shown)
    if again != sorted(names) or len({len(shown) for shown in repeats}) > 1:
        raise ValueError(
            f"the test runs {', '.join(names)} were not all shown equally often (repeats: {repeats}): take some of "
            "the runs"
        )

    def merge(values: NDArray, runs: NDArray) -> tuple[NDArray, NDArray]:
        slices = run_slices(runs, len(values))
        lengths = [run.n_kept for run in movie.select("Test")]
        if [s.stop - s.start for s in slices] != lengths:
            raise ValueError(
                f"values are of runs of {[s.stop - s.start for s in slices]} TRs, expected all test runs: {lengths}"
            )
        at = dict(zip(names, slices))
        laid = [np.stack([values[at[name]] for name in shown]) for shown in repeats]
        ids = [np.full(x.shape[1], np.asarray(runs)[at[shown[0]].start]) for x, shown in zip(laid, repeats)]
        return np.concatenate(laid, axis=1), np.concatenate(ids)

    return merge
