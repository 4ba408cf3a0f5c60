"""Design matrices: feature spaces scaled, delayed, freed of confounds."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from naturalistic.arrays import as_floats, check_finite, column_blocks, mean_and_sd
from naturalistic.features.delays import delayed
from naturalistic.runs import run_slices, shift_inside_runs

Spaces: TypeAlias = ArrayLike | Mapping[str, ArrayLike]
FittedSpaces: TypeAlias = Callable[
    [NDArray], Spaces
]  # from the mask of training TRs, so that nothing else is fitted on
Delays: TypeAlias = Sequence[float] | Mapping[str, Sequence[float]]


def design(
    spaces: Spaces, delays: Delays, tr: float, runs: ArrayLike | None = None, train: NDArray | slice = slice(None)
) -> NDArray:
    """Return all spaces scaled by their training TRs, delayed, and side by side.

    Parameters
    ----------
    spaces : dict of str to array (n_trs, n_features), or one array
        Feature spaces on the TR grid, not delayed.
    delays : sequence of float, or dict of such by space
        In s, multiples of ``tr``.
    tr : float
        Repetition time in s.
    runs : array-like (n_trs,), optional
        Run id of each TR; one run by default.
    train : index array or slice
        TRs from which mean and standard deviation are taken; a feature that is constant there becomes 0.

    Returns
    -------
    X : array (n_trs, sum of n_delays * n_features)
        Space by space, each delay by delay. float32, or float64 if a space came as float64 or as whole numbers.

    Raises
    ------
    ValueError
        As `check_spaces`, and `naturalistic.features.delays.delayed`.
    """
    spaces, delays = check_spaces(spaces, delays)
    blocks = [delayed(_scaled(features, train), delays[name], tr, runs) for name, features in spaces.items()]
    return np.concatenate(blocks, axis=1)


def _scaled(features: NDArray, train: NDArray | slice) -> NDArray:
    """Return features z-scored by their training TRs, of the same dtype.

    Sums and differences are in float64.
    """
    mean, sd = mean_and_sd(features[train])
    scaled = np.empty_like(features)
    for block in column_blocks(*features.shape):
        flat = sd[block] <= 1e-6 * np.abs(features[train, block]).max(axis=0)
        part = (features[:, block].astype(np.float64) - mean[block]) / np.where(flat, 1, sd[block])
        scaled[:, block] = np.where(flat, 0, part)
    return scaled


def residuals(X: ArrayLike, confounds: ArrayLike, train: NDArray | slice = slice(None)) -> NDArray:
    """Regress confounds and a constant out of X, by weights of the training TRs.

    Parameters
    ----------
    X : array (n_trs, n_columns)
    confounds : array (n_trs, n_confounds)
    train : index array or slice

    Returns
    -------
    left : array (n_trs, n_columns)
        float32 if X is float32 or float16, else float64.

    Raises
    ------
    ValueError
        As `check_confounds`.
    """
    X = as_floats(X, "X")
    C = np.column_stack([np.ones(len(X)), check_confounds(confounds, len(X), len(np.arange(len(X))[train]))])
    C[:, 1:] = (C[:, 1:] - C[train, 1:].mean(axis=0)) / np.maximum(C[train, 1:].std(axis=0), 1e-12)
    weights = np.linalg.lstsq(C[train], X[train].astype(np.float64), rcond=None)[0]
    return (X - C @ weights).astype(X.dtype)


def check_confounds(confounds: ArrayLike, n_trs: int, n_train: int | None = None, name: str = "confounds") -> NDArray:
    """Return confounds as float64 (n_trs, n_confounds), once checked.

    Parameters
    ----------
    confounds : array-like (n_trs, n_confounds) or (n_trs,)
    n_trs : int
        TRs of what the confounds are regressed out of.
    n_train : int, optional
        TRs that the regression is fitted on; all by default.
    name : str
        Name of the confounds in errors.

    Raises
    ------
    ValueError
        If a value is not finite, the length differs, or there are as many confounds as training TRs: such a
        regression leaves nothing.
    """
    C = as_floats(confounds, name).astype(np.float64)
    C = C[:, None] if C.ndim == 1 else C
    if C.ndim != 2 or len(C) != n_trs:
        raise ValueError(
            f"{name} has shape {np.shape(confounds)}, expected ({n_trs}, n_confounds): one row for each of the {n_trs} "
            "TRs of bold and features"
        )
    bad = ~np.isfinite(C)
    if bad.any():
        row = int(np.flatnonzero(bad.any(axis=1))[0])
        values = "1 value that is" if bad.sum() == 1 else f"{bad.sum()} values that are"
        kind = "NaN" if np.isnan(C).sum() == bad.sum() else "NaN or infinite"
        raise ValueError(f"{name} has {values} {kind}, the first in row {row} (fMRIPrep writes n/a there: put 0)")
    n_train = n_trs if n_train is None else n_train
    if C.shape[1] > n_train - 2:
        raise ValueError(
            f"{name} has {C.shape[1]} columns for {n_train} TRs to fit on, expected at most {n_train - 2}: that many "
            "explain any signal; take fewer, or their principal components"
        )
    return C


def rotated(X: NDArray) -> NDArray:
    r"""Return at most n_trs features with the same inner products.

    With :math:`X^\top = QR`, :math:`XX^\top = R^\top R`; and ridge depends on X through :math:`XX^\top` alone.
    """
    if X.shape[1] <= X.shape[0]:
        return X
    return np.linalg.qr(X.T.astype(np.float64), mode="r").T.astype(X.dtype)


def shifted(bold: ArrayLike, shifts: ArrayLike, runs: ArrayLike | None = None) -> NDArray:
    """Shift BOLD circularly inside each run.

    ``bold`` is (n_trs, n_voxels), ``shifts`` (n_runs,) are in TRs.
    """
    bold = as_floats(bold, "bold")
    return shift_inside_runs(bold, shifts, run_slices(runs, len(bold)))


def shifted_copies(bold: NDArray, shifts: ArrayLike, runs: ArrayLike | None = None) -> NDArray:
    """Return copies of BOLD side by side, each `shifted` by one row of shifts.

    Parameters
    ----------
    bold : array (n_trs, n_voxels)
    shifts : int array (n_shifts, n_runs)
        In TRs.
    runs : array-like (n_trs,), optional

    Returns
    -------
    copies : array (n_trs, n_shifts * n_voxels)
        Shift by shift, of the same dtype.
    """
    shifts = np.asarray(shifts)
    n_trs, n_voxels = bold.shape
    copies = np.empty((n_trs, len(shifts), n_voxels), dtype=bold.dtype)
    for run, by_copy in zip(run_slices(runs, n_trs), shifts.T, strict=True):
        source = bold[run]
        for k, shift in enumerate(by_copy % len(source)):  # written once: there are as many copies as shifts
            copies[run, k][shift:] = source[: len(source) - shift]
            copies[run, k][:shift] = source[len(source) - shift :]
    return copies.reshape(n_trs, -1)


def check_spaces(
    spaces: Spaces, delays: Delays, n_trs: int | None = None
) -> tuple[dict[str, NDArray], Mapping[str, Sequence[float]]]:
    """Return spaces and delays as dicts, once checked.

    Raises
    ------
    ValueError
        If there is no space, a space is no table of finite numbers, lengths differ, or a space has no delays.
    """
    if not isinstance(spaces, Mapping):
        spaces = {"features": spaces}
    if not spaces:
        raise ValueError("spaces is empty, expected at least one feature space")
    spaces = {name: as_floats(X, f"the space {name!r}") for name, X in spaces.items()}
    for name, X in spaces.items():
        if X.ndim != 2 or 0 in X.shape:
            raise ValueError(
                f"the space {name!r} has shape {X.shape}, expected (n_trs, n_features); one feature is X[:, None]"
            )
        check_finite(X, f"the space {name!r}")
    lengths = {name: len(X) for name, X in spaces.items()}
    n_trs = next(iter(lengths.values())) if n_trs is None else n_trs
    wrong = {name: n for name, n in lengths.items() if n != n_trs}
    if wrong:
        raise ValueError(f"spaces have other lengths than the {n_trs} TRs expected: {wrong}")
    delays = delays if isinstance(delays, Mapping) else dict.fromkeys(spaces, delays)
    missing = [name for name in spaces if name not in delays]
    if missing:
        raise ValueError(f"delays has none for the spaces {missing}; [0] leaves a space as it is")
    return spaces, delays


def bytes_of_fit(features: Spaces | FittedSpaces, delays: Delays, n_trs: int, n_targets: int) -> int:
    """Return about the working memory of one fit: some copies of features and responses, matrices of products.

    Parameters
    ----------
    features, delays
        As in `naturalistic.encoding.fit_predict`. Of a function, as many columns are expected as TRs.
    n_trs, n_targets : int
        Of the responses that are fitted, shifted copies included.

    Returns
    -------
    n_bytes : int
    """
    n_columns = n_trs
    if not callable(features):
        spaces, by_space = check_spaces(features, delays)
        n_columns = sum(x.shape[1] * len(by_space[name]) for name, x in spaces.items())
    return 8 * n_trs * (2 * n_targets + 2 * n_columns + 4 * min(n_columns, n_trs))
