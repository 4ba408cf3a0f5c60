"""Banded ridge: several feature spaces, each with its own penalty per target."""

from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from naturalistic.models.engine.banded import BandedSolution, draw_gammas, gammas_to_try, nested_gammas, solve_banded
from naturalistic.models.engine.device import pick_device
from naturalistic.models.engine.solve import DTYPES
from naturalistic.models.engine.spaces import Spaces, make_spaces
from naturalistic.models.engine.validation import as_spaces, as_targets, check_alphas, check_scoring
from naturalistic.models.ridge import make_folds
from naturalistic.parameters import whole

__all__ = ["BandedRidgeCV", "draw_gammas", "nested_gammas"]


class BandedRidgeCV(MultiOutputMixin, RegressorMixin, BaseEstimator):
    r"""Ridge regression on several feature spaces with a weight per space and target.

    Minimizes :math:`\|y - \sum_s X_s b_s - c\|^2 + \alpha \sum_s \|b_s\|^2 / \gamma_s` for each target, with
    :math:`\gamma` the best of random draws from the simplex and :math:`\alpha` the best of ``alphas``, both by
    cross-validation over whole groups (Dupre la Tour et al. 2022, NeuroImage 264:119728). The parametrization is
    himalaya's: its ``deltas`` are :math:`\log(\gamma_s / \alpha)`.

    Parameters
    ----------
    alphas : array-like (n_alphas,)
    cv : int, splitter or list of (train, test)
    n_draws : int, or array-like (n_draws, n_spaces)
        How many weights to draw (the first draw is equal weights), or the weights to try: not negative, a row
        not all zero.
    seed : int
        Of the draws.
    concentration : float or sequence of float
        Of the Dirichlet distributions, cycled through.
    patience : int, optional
        A target that this many draws in a row have not improved is left out of further draws. By default every
        target sees every draw.
    gap, scoring, fit_intercept, device, n_targets_batch, progress
        As in `naturalistic.models.ridge.RidgeCV`.

    Attributes
    ----------
    coef_ : array (n_targets, n_features)
        For the features of all spaces, side by side.
    spaces_ : dict of slice
        Columns of each space.
    intercept_ : array (n_targets,)
    alphas_ : array (n_targets,)
    gammas_, deltas_ : array (n_spaces, n_targets)
        Weights chosen, and ``log(gammas_ / alphas_)`` (-inf for a weight of 0).
    cv_scores_ : array (n_draws, n_targets)
        Mean score over folds of the best alpha of each draw; NaN where a target had stopped.
    draws_ : array (n_draws, n_spaces)
    """

    def __init__(
        self,
        alphas: ArrayLike = (0.1, 1.0, 10.0),
        cv: Any = 5,
        n_draws: int | ArrayLike = 20,
        seed: int = 0,
        *,
        concentration: float | Sequence[float] = (0.1, 1.0),
        patience: int | None = None,
        gap: int = 0,
        scoring: Literal["correlation", "r2"] = "correlation",
        fit_intercept: bool = True,
        device: str = "cpu",
        n_targets_batch: int | None = None,
        progress: bool = True,
    ) -> None:
        self.alphas = alphas
        self.cv = cv
        self.n_draws = n_draws
        self.seed = seed
        self.concentration = concentration
        self.patience = patience
        self.gap = gap
        self.scoring = scoring
        self.fit_intercept = fit_intercept
        self.device = device
        self.n_targets_batch = n_targets_batch
        self.progress = progress

    def fit(self, X: Any, Y: Any, groups: ArrayLike | None = None) -> Self:
        """Select weights and an alpha for each target, then fit on all samples.

        Parameters
        ----------
        X : dict of array (n_samples, n_features)
            One entry a feature space. (A single array is one space, ``"X"``.)
        Y : array or data set (n_samples, n_targets), or array (n_samples,)
        groups : array-like (n_samples,), optional
            As in `naturalistic.models.ridge.RidgeCV`.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Before any long work, if an argument is not as described: what was expected, what came.
        """
        X, Y, folds = self._checked(X, Y, groups)
        return self._fit_spaces(self._make_spaces(X, Y, folds), Y)

    def _checked(
        self, X: Any, Y: Any, groups: ArrayLike | None
    ) -> tuple[dict[str, NDArray], Any, list[tuple[NDArray, NDArray]]]:
        """Return X as a dict, Y as something to slice, and the folds; every argument is checked here."""
        if not _is_dict(X):
            X = {"X": validate_data(self, X, dtype=(np.float64, np.float32), ensure_all_finite=False)}
        X = as_spaces(X)
        n_samples = len(next(iter(X.values())))
        self.n_features_in_ = sum(x.shape[1] for x in X.values())
        Y, self._one_target = as_targets(Y, n_samples)
        pick_device(self.device)
        check_alphas(self.alphas)
        check_scoring(self.scoring)
        whole("n_targets_batch", self.n_targets_batch, optional=True)
        whole("patience", self.patience, optional=True)
        gammas_to_try(self.n_draws, len(X), self.concentration, self.seed)
        return X, Y, make_folds(self.cv, n_samples, groups, self.gap)

    def _make_spaces(self, X: dict[str, NDArray], Y: Any, folds: list[tuple[NDArray, NDArray]]) -> Spaces:
        dtype = DTYPES[next(iter(X.values())).dtype]
        return make_spaces(X, folds, pick_device(self.device), dtype, self.fit_intercept, Y.shape[1])

    def _fit_spaces(self, spaces: Spaces, Y: Any, solution: BandedSolution | None = None) -> Self:
        """Take over a solution, or search and fit."""
        self.draws_ = gammas_to_try(self.n_draws, len(spaces.bases), self.concentration, self.seed)
        solution = solution or solve_banded(
            spaces,
            Y,
            check_alphas(self.alphas),
            self.draws_,
            scoring=self.scoring,
            fit_intercept=self.fit_intercept,
            patience=whole("patience", self.patience, optional=True),
            n_targets_batch=self.n_targets_batch,
            progress=self.progress,
        )
        ends = np.cumsum([0] + [len(basis.mean) for basis in spaces.bases.values()])
        self.spaces_ = {name: slice(a, b) for name, a, b in zip(spaces.bases, ends[:-1].tolist(), ends[1:].tolist())}
        self.coef_ = np.concatenate(list(solution.coef.values()), axis=1)
        self._target_mean = solution.target_mean
        self._feature_mean = np.concatenate([basis.mean for basis in spaces.bases.values()])
        self.intercept_ = (solution.target_mean - self.coef_ @ self._feature_mean).astype(self.coef_.dtype)
        self.alphas_ = solution.alphas
        self.gammas_ = solution.gammas
        self.cv_scores_ = solution.cv_scores
        with np.errstate(divide="ignore"):
            self.deltas_ = np.log(self.gammas_ / self.alphas_)
        return self

    def predict(self, X: Any, split: bool = False) -> Any:
        """Return predictions, or with ``split`` the part of each space.

        Parameters
        ----------
        X : dict of array (n_samples, n_features)
            The spaces that were fitted, in any order.
        split : bool

        Returns
        -------
        Y_hat : array (n_samples, n_targets), or (n_samples,) if fitted on one target
            With ``split`` a dict of one such array a space, which sum to the prediction: the space's features,
            their training means taken off, times its weights, plus an equal share of the targets' means.

        Raises
        ------
        ValueError
            If the spaces or their features are not those that were fitted.
        """
        check_is_fitted(self)
        X = self._to_predict(X)
        if not split:
            return self._shaped(np.concatenate(list(X.values()), axis=1) @ self.coef_.T + self.intercept_)
        share = self._target_mean / len(X)
        parts = {}
        for name, x in X.items():
            columns = self.spaces_[name]
            offset = share - self.coef_[:, columns] @ self._feature_mean[columns]
            parts[name] = self._shaped(x @ self.coef_[:, columns].T + offset.astype(self.coef_.dtype))
        return parts

    def _to_predict(self, X: Any) -> dict[str, NDArray]:
        if not _is_dict(X):
            X = {"X": validate_data(self, X, reset=False, dtype=self.coef_.dtype)}
        if set(X) != set(self.spaces_):
            raise ValueError(f"X has the spaces {sorted(X)}, expected those fitted: {sorted(self.spaces_)}")
        X = as_spaces({name: X[name] for name in self.spaces_}, to_fit=False)
        for name, columns in self.spaces_.items():
            if X[name].shape[1] != columns.stop - columns.start:
                raise ValueError(
                    f"X[{name!r}] has {X[name].shape[1]} features, expected the {columns.stop - columns.start} fitted"
                )
        return {name: x.astype(self.coef_.dtype, copy=False) for name, x in X.items()}

    def _shaped(self, Y_hat: NDArray) -> NDArray:
        return Y_hat[:, 0] if self._one_target else Y_hat


def _is_dict(X: Any) -> bool:
    """Return whether X is a dict of spaces; one of scipy's sparse matrices is a dict too."""
    return isinstance(X, dict) and not hasattr(X, "tocsr")
