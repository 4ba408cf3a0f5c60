"""Bayesian reconstruction of films with a sampled prior, after Nishimoto et al. (2011, Current Biology 21:1641).

An encoding model says what response each film of a large set would have given; the likelihood of the measured response
is Gaussian around it. The reconstruction is the mean of the films with the highest likelihood: nothing is generated,
and nothing that the set does not hold can come out.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg
from sklearn.base import clone
from sklearn.covariance import ledoit_wolf

from naturalistic.arrays import ShapeRepr, as_floats, check_finite
from naturalistic.decoding.decoder import default_ridge
from naturalistic.models.ridge import RidgeCV, cross_val_predict
from naturalistic.models.scoring import correlation
from naturalistic.parameters import whole

__all__ = ["ResponseLikelihood", "fit_likelihood", "likeliest", "log_likelihood_of_targets", "mean_of_likeliest"]

ALPHAS = tuple(np.logspace(-1, 5, 13))
N_LIKELIEST = 100  # of the paper


@dataclass(frozen=True, eq=False, repr=False)
class ResponseLikelihood(ShapeRepr):
    """Gaussian likelihood of responses given the features of a film.

    Attributes
    ----------
    voxels : int array (n_selected,)
        Those whose responses the encoding model predicts.
    coef : array (n_selected, n_features)
    intercept : array (n_selected,)
    root : array (n_selected, n_selected)
        Lower Cholesky factor of the covariance of residuals.
    """

    voxels: NDArray
    coef: NDArray
    intercept: NDArray
    root: NDArray

    def log_likelihood(self, responses: ArrayLike, features: ArrayLike) -> NDArray[np.float64]:
        """Return the log-likelihood of each response under each film, up to a constant of the response.

        Parameters
        ----------
        responses : array (n_responses, n_voxels)
            Of all voxels, as in fitting.
        features : array (n_films, n_features)

        Returns
        -------
        log_likelihood : array (n_responses, n_films)
            A smaller covariance (more repeats than in fitting) would scale it, and leave the order as it is.
        """
        responses = as_floats(responses, "responses")
        features = as_floats(features, "features")
        if features.ndim != 2 or features.shape[1] != self.coef.shape[1]:
            raise ValueError(f"features has shape {features.shape}, expected (n_films, {self.coef.shape[1]})")
        measured = linalg.solve_triangular(self.root, (responses[:, self.voxels] - self.intercept).T, lower=True)
        expected = linalg.solve_triangular(self.root, (features @ self.coef.T).T, lower=True)
        crossed = measured.T @ expected
        return crossed - 0.5 * (expected**2).sum(axis=0)


def fit_likelihood(
    features: ArrayLike,
    responses: ArrayLike,
    *,
    n_voxels: int | None = None,
    model: RidgeCV | None = None,
    cv: int = 5,
) -> ResponseLikelihood:
    """Fit encoding models and the covariance of what they do not predict.

    Parameters
    ----------
    features : array (n_films, n_features)
        Of training films.
    responses : array (n_films, n_voxels)
        Means over repeats.
    n_voxels : int, optional
        How many are kept: those with the highest correlation of prediction and response in held-out films; all with a
        correlation above 0 by default.
    model : RidgeCV, optional
    cv : int
        Folds; residuals are those of films that a model was fitted without.

    Returns
    -------
    likelihood : ResponseLikelihood
        The covariance is shrunk by Ledoit and Wolf's amount.

    Raises
    ------
    ValueError
        If shapes do not match, a value is not finite, or no voxel is predicted.
    """
    features = as_floats(features, "features")
    responses = as_floats(responses, "responses")
    if features.ndim != 2 or responses.ndim != 2 or len(features) != len(responses):
        raise ValueError(
            f"features has shape {features.shape} and responses {responses.shape}, expected a row a film in both"
        )
    check_finite(features, "features")
    check_finite(responses, "responses")
    model = default_ridge(ALPHAS, cv) if model is None else model
    films = np.arange(len(features))
    predicted = cross_val_predict(model, features, responses, films, cv)
    r = np.nan_to_num(correlation(responses, predicted))
    order = np.argsort(-r, kind="stable")
    n_predicted = int((r > 0).sum())
    if not n_predicted:
        raise ValueError("no voxel is predicted in held-out films: there is nothing to reconstruct from")
    n_kept = n_predicted if n_voxels is None else min(whole("n_voxels", n_voxels), n_predicted)
    voxels = np.sort(order[:n_kept])
    fitted = clone(model).fit(features, responses[:, voxels], groups=films)
    covariance = ledoit_wolf((responses - predicted)[:, voxels].astype(float))[0]
    root = linalg.cholesky(covariance, lower=True)
    return ResponseLikelihood(voxels, fitted.coef_, fitted.intercept_, root)


def log_likelihood_of_targets(decoded: ArrayLike, error: ArrayLike, targets: ArrayLike) -> NDArray[np.float64]:
    """Return the log-likelihood of films given what was decoded and the decoder's error, up to a constant.

    Targets have mean 0 and standard deviation 1 among all films. Then a calibrated decoder says that they are Gaussian
    around ``decoded`` with ``error``, and the likelihood is that divided by the prior: a target with an error of 1,
    of which nothing was read, counts for nothing.

    Parameters
    ----------
    decoded : array (n_responses, dim)
        Calibrated predictions.
    error : array (dim,)
        Standard deviation of targets around them.
    targets : array (n_films, dim)
        Of films to choose from.

    Returns
    -------
    log_likelihood : array (n_responses, n_films)
    """
    decoded = as_floats(decoded, "decoded").astype(float)
    targets = as_floats(targets, "targets").astype(float)
    error = np.clip(np.asarray(error, float), 0.05, 1)  # no decoder is exact; none is worse than the mean
    if decoded.shape[1:] != targets.shape[1:] or error.shape != decoded.shape[1:]:
        raise ValueError(
            f"decoded has shape {decoded.shape}, error {error.shape} and targets {targets.shape}, expected the same "
            "number of dimensions"
        )
    precision = 1 / error**2
    crossed = (decoded * precision) @ targets.T
    return crossed - 0.5 * (targets**2) @ (precision - 1)


def likeliest(log_likelihood: ArrayLike, n: int = N_LIKELIEST) -> NDArray[np.intp]:
    """Return the films with the highest likelihood, the best first: (n_responses, n).

    Parameters
    ----------
    log_likelihood : array (n_responses, n_films)
    n : int
        From 1 to the number of films; 100 in the paper.
    """
    values = as_floats(log_likelihood, "log_likelihood")
    n = whole("n", n, 1, values.shape[1], hint="there are no more films")
    return np.argsort(-values, axis=1, kind="stable")[:, :n]


def mean_of_likeliest(log_likelihood: ArrayLike, values: ArrayLike, n: int = N_LIKELIEST) -> NDArray[np.float32]:
    """Return the mean over the likeliest films of their frames, or of any other values.

    Parameters
    ----------
    log_likelihood : array (n_responses, n_films)
    values : array (n_films, ...)
    n : int

    Returns
    -------
    mean : float32 array (n_responses, ...)
    """
    values = np.asarray(values)
    best = likeliest(log_likelihood, n)
    mean = np.empty((len(best), *values.shape[1:]), np.float32)
    for k, films in enumerate(best):
        mean[k] = values[films].mean(axis=0, dtype=np.float64)
    return mean
