"""Ridge regression with one alpha per target, chosen by cross-validation over groups."""

from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from naturalistic import scoring
from naturalistic.folds import check_folds

SCORERS = {"r2": scoring.r2, "correlation": scoring.correlation}


def solve_ridge(X, Y, alphas):
    r"""Solve :math:`\min_B \|Y - XB\|^2 + \alpha \|B\|^2` for each alpha and every target.

    Parameters
    ----------
    X : array (n_samples, n_features)
        Centred features.
    Y : array (n_samples, n_targets)
        Centred targets.
    alphas : sequence of float
        Penalties, as in scikit-learn.

    Yields
    ------
    weights : array (n_features, n_targets)
        In float64, one array for each alpha, in order.
    """
    X = np.asarray(X, dtype=np.float64)
    dual = X.shape[0] < X.shape[1]
    values, V = np.linalg.eigh(X @ X.T if dual else X.T @ X)
    values = np.maximum(values, 0)
    VY = V.T @ (Y if dual else X.T @ Y)
    for alpha in alphas:
        solution = V @ (VY / (values + alpha)[:, None])
        yield X.T @ solution if dual else solution


class RidgeCV(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Ridge regression; each target gets the alpha with the best mean score over folds of whole groups.

    Parameters
    ----------
    alphas : array-like (n_alphas,)
        Penalties to choose from, on scikit-learn's scale.
    cv : int, splitter or list of (train, test)
        Number of folds (whole groups, see `naturalistic.folds.GroupGapKFold`) or a splitter.
    gap : int
        Samples left out of training on either side of a test group, when ``cv`` is a number.
    scoring : {"correlation", "r2"}
        What makes one alpha better than another.
    fit_intercept : bool
        Centre X and Y by their training means.

    Attributes
    ----------
    coef_ : array (n_targets, n_features)
    intercept_ : array (n_targets,)
    alphas_ : array (n_targets,)
        Alpha chosen for each target.
    cv_scores_ : array (n_alphas, n_targets)
        Mean over folds of the score; a fold in which the score is not defined counts as 0.
    """

    def __init__(self, alphas=(0.1, 1.0, 10.0), cv=5, *, gap=0, scoring="correlation", fit_intercept=True, device="cpu"):
        self.alphas = alphas
        self.cv = cv
        self.gap = gap
        self.scoring = scoring
        self.fit_intercept = fit_intercept
        self.device = device

    def fit(self, X, Y, groups=None):
        """Choose an alpha for each target, then fit on all samples.

        Parameters
        ----------
        X : array (n_samples, n_features)
        Y : array (n_samples, n_targets) or (n_samples,)
        groups : array-like (n_samples,), optional
            Group (run, clip, title, block) of each sample; needed when ``cv`` is a number.

        Returns
        -------
        self
        """
        X, Y = validate_data(self, X, Y, multi_output=True, y_numeric=True, dtype=(np.float32, np.float64))
        alphas = np.asarray(self.alphas, dtype=np.float64).ravel()
        if len(alphas) == 0 or not (alphas > 0).all():
            raise ValueError(f"alphas must be positive, got {self.alphas!r}")
        if self.scoring not in SCORERS:
            raise ValueError(f"scoring is {self.scoring!r}, expected one of {sorted(SCORERS)}")
        self._one_target = Y.ndim == 1
        Y = Y.reshape(len(Y), -1).astype(X.dtype)
        folds = check_folds(self.cv, len(X), groups, self.gap if isinstance(self.cv, Integral) else 0)
        scores = np.zeros((len(folds), len(alphas), Y.shape[1]))
        for k, (train, test) in enumerate(folds):
            x_mean, y_mean = self._means(X[train], Y[train])
            for a, weights in enumerate(solve_ridge(X[train] - x_mean, Y[train] - y_mean, alphas)):
                scores[k, a] = SCORERS[self.scoring](Y[test], (X[test] - x_mean) @ weights + y_mean)
        self.cv_scores_ = np.nan_to_num(scores).mean(axis=0)
        best = self.cv_scores_.argmax(axis=0)
        self.alphas_ = alphas[best]
        x_mean, y_mean = self._means(X, Y)
        self.coef_ = np.empty((Y.shape[1], X.shape[1]), dtype=X.dtype)
        for a, weights in enumerate(solve_ridge(X - x_mean, Y - y_mean, alphas)):
            self.coef_[best == a] = weights[:, best == a].T
        self.intercept_ = y_mean - self.coef_ @ x_mean
        return self

    def _means(self, X, Y):
        if not self.fit_intercept:
            return np.zeros(X.shape[1], X.dtype), np.zeros(Y.shape[1], Y.dtype)
        return X.mean(axis=0), Y.mean(axis=0)

    def predict(self, X):
        """Return predictions (n_samples, n_targets), or (n_samples,) if fitted on one target."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=self.coef_.dtype)
        Y_hat = X @ self.coef_.T + self.intercept_
        return Y_hat[:, 0] if self._one_target else Y_hat
