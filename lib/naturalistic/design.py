"""Design matrices: feature spaces scaled by training TRs, delayed inside runs, freed of confounds."""

from collections.abc import Mapping

import numpy as np

from naturalistic.features.delays import delayed
from naturalistic.runs import run_slices


def design(spaces, delays, tr, runs=None, train=slice(None)):
    """Return all spaces, scaled by their training TRs and delayed, side by side.

    Parameters
    ----------
    spaces, delays, tr, runs
        As in `naturalistic.encoding.held_out_predictions`.
    train : index array or slice
        TRs from which mean and standard deviation are taken; a feature that is constant there becomes 0.

    Returns
    -------
    X : array (n_trs, sum of n_delays * n_features)
        Space by space, each delay by delay.

    Raises
    ------
    ValueError
        As `check_spaces`, and `naturalistic.features.delays.delayed`.
    """
    spaces, delays = check_spaces(spaces, delays)
    blocks = []
    for name, features in spaces.items():
        # in float32 the sum over thousands of TRs of a feature with a large baseline loses the feature
        mean = features[train].mean(axis=0, dtype=np.float64).astype(features.dtype)
        sd = (features[train] - mean).std(axis=0)
        flat = sd <= 1e-6 * np.abs(features[train]).max(axis=0)
        scaled = np.where(flat, 0, (features - mean) / np.where(flat, 1, sd)).astype(features.dtype)
        blocks.append(delayed(scaled, delays[name], tr, runs))
    return np.concatenate(blocks, axis=1)


def residuals(X, confounds, train=slice(None)):
    """Return what confounds and a constant leave of X, by least squares on the training TRs.

    Parameters
    ----------
    X : array (n_trs, n_columns)
    confounds : array (n_trs, n_confounds)
    train : index array or slice

    Returns
    -------
    left : array (n_trs, n_columns)
        Of the dtype of X.
    """
    C = np.column_stack([np.ones(len(X)), np.asarray(confounds, dtype=np.float64)])
    C[:, 1:] = (C[:, 1:] - C[train, 1:].mean(axis=0)) / np.maximum(C[train, 1:].std(axis=0), 1e-12)
    weights = np.linalg.lstsq(C[train], X[train].astype(np.float64), rcond=None)[0]
    return (X - C @ weights).astype(X.dtype)


def rotated(X):
    r"""Return features (n_trs, at most n_trs) with the same inner products: ridge predicts the same from them.

    With :math:`X^\top = QR`, :math:`XX^\top = R^\top R`; and ridge depends on X through :math:`XX^\top` alone.
    """
    if X.shape[1] <= X.shape[0]:
        return X
    return np.linalg.qr(X.T.astype(np.float64), mode="r").T.astype(X.dtype)


def shifted(bold, shifts, runs=None):
    """Return ``bold`` (n_trs, n_voxels) shifted circularly inside each run, by ``shifts`` (n_runs,) TRs, one a run."""
    slices = run_slices(runs, len(bold))
    return np.concatenate([np.roll(bold[s], n, axis=0) for s, n in zip(slices, shifts, strict=True)])


def check_spaces(spaces, delays, n_trs=None):
    """Return spaces and delays as dicts of arrays and of sequences, checked; see `design`.

    Raises
    ------
    ValueError
        If there is no space, lengths differ, or a space has no delays.
    """
    if not isinstance(spaces, Mapping):
        spaces = {"features": spaces}
    if not spaces:
        raise ValueError("spaces is empty, expected at least one feature space")
    spaces = {name: np.asarray(X) for name, X in spaces.items()}
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
