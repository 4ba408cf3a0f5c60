"""Geometry of feature spaces: similarity, autocorrelation, dimensionality."""

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from naturalistic.arrays import as_real, check_finite
from naturalistic.parameters import whole
from naturalistic.runs import run_slices


def cka(first: ArrayLike, second: ArrayLike) -> float:
    r"""Return the linear centered kernel alignment of two spaces over the same samples.

    .. math:: \frac{\lVert Y^\top X \rVert_F^2}{\lVert X^\top X \rVert_F \, \lVert Y^\top Y \rVert_F}

    for centered X and Y (Kornblith et al. 2019, Similarity of neural network representations revisited, ICML): 1 for
    spaces that differ by a rotation and a scale, near 0 for unrelated ones if there are many more samples than
    features. With few samples it is high for anything: hold it against one of them shifted in time.

    Parameters
    ----------
    first : array (n_samples, n_features)
    second : array (n_samples, other n_features)

    Returns
    -------
    alignment : float
        From 0 to 1; NaN where a space is constant.

    Raises
    ------
    ValueError
        If the samples of the two differ in number, or a value is not finite.
    """
    X = _centered(first, "first")
    Y = _centered(second, "second")
    if len(X) != len(Y):
        raise ValueError(f"first has {len(X)} samples and second {len(Y)}, expected the same samples in both")
    if min(X.shape[1], Y.shape[1]) > len(X):
        K = X @ X.T
        L = Y @ Y.T
        shared = (K * L).sum()
        norms = np.linalg.norm(K) * np.linalg.norm(L)
    else:
        shared = np.linalg.norm(Y.T @ X) ** 2
        norms = np.linalg.norm(X.T @ X) * np.linalg.norm(Y.T @ Y)
    return float(shared / norms) if norms > 0 else float("nan")


def autocorrelation(features: ArrayLike, lags: Sequence[int], runs: ArrayLike | None = None) -> NDArray:
    """Return the autocorrelation of a feature space at lags, inside runs.

    Parameters
    ----------
    features : array (n_samples, n_features)
        Centered in each run here.
    lags : sequence of int
        Samples; a run that is not longer than a lag has no part in it.
    runs : array-like (n_samples,), optional

    Returns
    -------
    r : array (n_lags,)
        Sum over runs and features of lagged products, over the sum of squares of the same samples: 1 at lag 0. NaN for
        a constant space, or a lag that no run is longer than.

    Raises
    ------
    ValueError
        If the shape differs, a value is not finite, or a lag is no whole number of 0 or more.
    """
    X = as_real(features, "features")
    lags = _check_lags(lags)
    if X.ndim != 2:
        raise ValueError(f"features has shape {X.shape}, expected (n_samples, n_features)")
    check_finite(X, "features")
    products = np.zeros(len(lags))
    squares = np.zeros(len(lags))
    for rows in run_slices(runs, len(X)):
        run = X[rows].astype(np.float64)
        run = run - run.mean(axis=0)
        power = (run**2).sum(axis=1)
        for k, lag in enumerate(lags.tolist()):
            if lag < len(run):
                early = slice(0, len(run) - lag)
                late = slice(lag, len(run))
                products[k] += np.einsum("ij,ij->", run[early], run[late])
                squares[k] += np.sqrt(power[early].sum() * power[late].sum())
    return np.divide(products, squares, out=np.full(len(lags), np.nan), where=squares > 0)


def persistence(texts: Sequence[Hashable], lags: Sequence[int], runs: ArrayLike | None = None) -> NDArray:
    """Return the share of seconds with the same text as some seconds before.

    Parameters
    ----------
    texts : list of hashable (n_seconds,)
        One annotator's text of each second; "" where there is none, which is left out.
    lags : sequence of int
        Seconds.
    runs : array-like (n_seconds,), optional

    Returns
    -------
    share : array (n_lags,)
        Of the seconds with a text and a second that much later in the same run; NaN where there is none.

    Raises
    ------
    ValueError
        If a lag is no whole number of 0 or more.
    """
    lags = _check_lags(lags)
    names, codes = np.unique(np.array([str(text) for text in texts]), return_inverse=True)
    codes = np.where(names[codes] == "", -1, codes)
    same = np.zeros(len(lags))
    all_ = np.zeros(len(lags))
    for rows in run_slices(runs, len(codes)):
        run = codes[rows]
        for k, lag in enumerate(lags.tolist()):
            early = run[: max(len(run) - lag, 0)]
            late = run[lag:]
            has_text = early >= 0
            same[k] += np.sum(early[has_text] == late[has_text])
            all_[k] += has_text.sum()
    return np.divide(same, all_, out=np.full(len(lags), np.nan), where=all_ > 0)


def participation(features: ArrayLike) -> float:
    r"""Return the participation ratio :math:`(\sum_i \lambda_i)^2 / \sum_i \lambda_i^2`.

    With the eigenvalues of its covariance (Gao et al. 2017, bioRxiv 214262): 1 for a line, n_features for a ball.

    Parameters
    ----------
    features : array (n_samples, n_features)

    Returns
    -------
    dimensions : float
        NaN for a constant space.

    Raises
    ------
    ValueError
        If there are no samples, or a value is not finite.
    """
    X = _centered(features, "features")
    gram = X.T @ X if X.shape[1] <= len(X) else X @ X.T
    spread = np.trace(gram)
    return float(spread**2 / (gram**2).sum()) if spread > 0 else float("nan")


def _check_lags(lags: Sequence[int]) -> NDArray:
    """Return lags as an int array (n_lags,)."""
    if np.ndim(lags) != 1:
        raise ValueError(f"lags are {lags!r}, expected a list of whole numbers, 0 or more")
    return np.array([whole(f"lags[{k}]", lag, 0) for k, lag in enumerate(lags)], dtype=int)


def _centered(X: ArrayLike, name: str) -> NDArray:
    X = as_real(X, name)
    if X.ndim != 2 or not len(X):
        raise ValueError(f"{name} has shape {X.shape}, expected (n_samples, n_features)")
    check_finite(X, name)
    X = X.astype(np.float64)
    return X - X.mean(axis=0)
