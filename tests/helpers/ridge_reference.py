"""What the engine is compared with: loops of scikit-learn over folds, alphas and targets."""

import numpy as np
from sklearn.linear_model import Ridge

TIE = 1e-9  # scores closer than this are equal in float64: the first alpha wins, as in the engine


def score_columns(Y, Y_hat, scoring):
    """Return the score of each column; 0 where it is not defined."""
    Y_hat = Y_hat.reshape(Y.shape)
    constant = np.ptp(Y, axis=0) == 0
    with np.errstate(all="ignore"):
        if scoring == "r2":
            score = 1 - ((Y - Y_hat) ** 2).sum(axis=0) / ((Y - Y.mean(axis=0)) ** 2).sum(axis=0)
        else:
            a, b = Y - Y.mean(axis=0), Y_hat - Y_hat.mean(axis=0)
            b[:, np.abs(b).max(axis=0) < 1e-13 * (1 + np.abs(Y_hat).max(axis=0))] = 0
            score = (a * b).sum(axis=0) / np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    return np.where(constant, 0, np.nan_to_num(score, posinf=0, neginf=0))


def brute_force(X, Y, alphas, folds, scoring="correlation", fit_intercept=True):
    """Return coef, intercept, alphas and cv_scores of ridge by brute force, float64."""
    X, Y = np.asarray(X, np.float64), np.asarray(Y, np.float64)
    scores = np.zeros((len(folds), len(alphas), Y.shape[1]))
    for k, (train, test) in enumerate(folds):
        for a, alpha in enumerate(alphas):
            ridge = Ridge(alpha=alpha, solver="svd", fit_intercept=fit_intercept).fit(X[train], Y[train])
            ridge.coef_ = ridge.coef_.reshape(Y.shape[1], -1)
            center = X[train].mean(axis=0) if fit_intercept else 0
            Y_hat = (X[test] - center) @ ridge.coef_.T  # a mean of 10 would hide predictions of 1e-10
            if scoring == "r2" and fit_intercept:
                Y_hat = Y_hat + Y[train].mean(axis=0)
            scores[k, a] = score_columns(Y[test], Y_hat, scoring)
    scores = scores.mean(axis=0)
    best = (scores >= scores.max(axis=0) - TIE).argmax(axis=0)
    fits = [Ridge(alpha=alphas[b], solver="svd", fit_intercept=fit_intercept).fit(X, y) for b, y in zip(best, Y.T)]
    coef, intercept = np.array([fit.coef_ for fit in fits]), np.array([fit.intercept_ for fit in fits])
    return coef, intercept * np.ones(len(best)), np.asarray(alphas)[best], scores


def make_problem(n_trs=60, n_features=10, n_targets=7, seed=0, dtype=np.float64):
    """Return features and targets with signal and means that are not zero, and groups of five samples."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_trs, n_features)) + 3
    noise = 2 * np.sqrt(n_features) * rng.standard_normal((n_trs, n_targets))
    Y = X @ rng.standard_normal((n_features, n_targets)) + noise + 10
    return X.astype(dtype), Y.astype(dtype), np.arange(n_trs) // 5
