"""Ridge regression with one alpha per target, selected by cross-validation over groups."""

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin, clone
from sklearn.utils.validation import check_is_fitted, validate_data
from tqdm import tqdm

from naturalistic.arrays import as_stored
from naturalistic.models.engine import solve_ridge_cv
from naturalistic.models.engine.device import in_parallel, pick_device
from naturalistic.models.engine.small import is_small, solve_small
from naturalistic.models.engine.solve import PROGRESS_DELAY, RidgeSolution
from naturalistic.models.engine.validation import as_targets, check_alphas, check_finite, check_scoring
from naturalistic.models.folds import check_folds, check_groups, contiguous_groups
from naturalistic.parameters import is_whole, whole

__all__ = ["RidgeCV", "cross_val_predict", "fit_in_turn", "fit_many", "make_folds", "solve_ridge_cv"]


def make_folds(
    cv: Any, n_samples: int, groups: ArrayLike | None = None, gap: int = 0, once: bool = False
) -> list[tuple[NDArray, NDArray]]:
    """Return checked folds; without groups, a number makes contiguous blocks.

    Parameters
    ----------
    cv : int, splitter or list of (train, test)
    n_samples : int
    groups : array-like (n_samples,), optional
        Group of each sample. If missing and ``cv`` is a number, the folds are as many contiguous blocks of equal
        length, in the order of the samples: never shuffled.
    gap : int
        Samples left out of training on either side of a test group, when ``cv`` is a number.
    once : bool
        Demand that the folds together test each sample exactly once.

    Returns
    -------
    folds : list of (train, test)

    Raises
    ------
    ValueError
        If there are fewer than 2 folds or more than samples, a gap is given for folds that are given, or as
        `naturalistic.models.folds.check_folds`.
    """
    if is_whole(cv) and groups is None:
        if not 2 <= cv <= n_samples:
            raise ValueError(
                f"cv is {cv} folds with n_samples = {n_samples}, expected 2 folds or more and a sample for each"
            )
        groups = contiguous_groups(np.zeros(n_samples, dtype=int), int(cv))
    return check_folds(cv, n_samples, groups, gap, once=once)


class RidgeCV(MultiOutputMixin, RegressorMixin, BaseEstimator):
    r"""Ridge regression with one alpha per target, selected over folds of groups.

    Minimizes :math:`\|y - Xb - c\|^2 + \alpha \|b\|^2` for each target. Exact: the same alphas and weights as a
    loop of `sklearn.linear_model.Ridge` over folds, alphas and targets.

    Parameters
    ----------
    alphas : array-like (n_alphas,)
        Penalties to choose from, on scikit-learn's scale.
    cv : int, splitter or list of (train, test)
        Number of folds (whole groups, see `naturalistic.models.folds.GroupGapKFold`) or a splitter.
    gap : int
        Samples left out of training on either side of a test group, when ``cv`` is a number.
    scoring : {"correlation", "r2"}
        What makes one alpha better than another.
    fit_intercept : bool
        Center X and Y by their training means.
    device : str
        "cpu", "cuda" or "cuda:<number>". Arrays are numpy's on the way in and out.
    n_targets_batch : int, optional
        Targets worked on at a time; by default as many as fit a share of the free memory.
    progress : bool
        Show a progress bar if the fit takes more than a few seconds.

    Attributes
    ----------
    coef_ : array (n_targets, n_features)
    intercept_ : array (n_targets,)
    alphas_ : array (n_targets,)
        Alpha chosen for each target; the first of equals.
    cv_scores_ : array (n_alphas, n_targets)
        Mean over folds of the score; a fold in which the score is not defined (constant target or prediction)
        counts as 0.
    """

    def __init__(
        self,
        alphas: ArrayLike = (0.1, 1.0, 10.0),
        cv: Any = 5,
        *,
        gap: int = 0,
        scoring: Literal["correlation", "r2"] = "correlation",
        fit_intercept: bool = True,
        device: str = "cpu",
        n_targets_batch: int | None = None,
        progress: bool = True,
    ) -> None:
        self.alphas = alphas
        self.cv = cv
        self.gap = gap
        self.scoring = scoring
        self.fit_intercept = fit_intercept
        self.device = device
        self.n_targets_batch = n_targets_batch
        self.progress = progress

    def fit(self, X: ArrayLike, Y: Any, groups: ArrayLike | None = None) -> Self:
        """Select an alpha for each target, then fit on all samples.

        Parameters
        ----------
        X : array (n_samples, n_features)
            float32 is worked on in float32 (Gram matrices in float64), anything else in float64.
        Y : array (n_samples, n_targets) or (n_samples,)
            Also a `numpy.memmap` or an HDF5 data set (n_samples, n_targets): checked in one pass, fitted in
            another, a batch of targets at a time.
        groups : array-like (n_samples,), optional
            Group (run, clip, title, block) of each sample. Without it, ``cv`` folds are contiguous blocks.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Before any long work, if an argument is not as described: what was expected, what came.
        """
        X = _as_features(self, X)
        Y, self._one_target = as_targets(Y, len(X))
        return self._fit(X, Y, *self._checked(len(X), groups))

    def _checked(self, n_samples: int, groups: ArrayLike | None) -> tuple[NDArray, list[tuple[NDArray, NDArray]]]:
        """Return alphas and folds, all parameters checked."""
        pick_device(self.device)
        check_scoring(self.scoring)
        whole("n_targets_batch", self.n_targets_batch, optional=True)
        return check_alphas(self.alphas), make_folds(self.cv, n_samples, groups, self.gap)

    def _fit(self, X: NDArray, Y: Any, alphas: NDArray, folds: list[tuple[NDArray, NDArray]]) -> Self:
        solution = solve_ridge_cv(
            X,
            Y,
            alphas,
            folds,
            scoring=self.scoring,
            fit_intercept=self.fit_intercept,
            device=self.device,
            n_targets_batch=self.n_targets_batch,
            progress=self.progress,
        )
        return self._keep(solution)

    def _keep(self, solution: RidgeSolution) -> Self:
        self.coef_, self.intercept_, self.alphas_, self.cv_scores_ = solution
        return self

    def predict(self, X: ArrayLike) -> NDArray:
        """Return predictions (n_samples, n_targets), or (n_samples,) for one target."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=self.coef_.dtype)
        Y_hat = X @ self.coef_.T + self.intercept_
        return Y_hat[:, 0] if self._one_target else Y_hat


def _as_features(model: RidgeCV, X: ArrayLike, name: str = "X") -> NDArray:
    """Return features as a finite float array with two samples or more, and note their number in the model."""
    X = validate_data(model, X, dtype=(np.float64, np.float32), ensure_all_finite=False, ensure_min_samples=2)
    check_finite(X, name)
    if (X.max(axis=0) == X.min(axis=0)).all():
        raise ValueError(
            f"{name} has no feature that varies: all {X.shape[1]} are constant over {len(X)} samples; check how "
            f"they were made"
        )
    return X


def fit_many(
    model: RidgeCV, Xs: Sequence[ArrayLike] | Mapping[Any, ArrayLike], Y: ArrayLike, groups: ArrayLike | None = None
) -> list[RidgeCV] | dict[Any, RidgeCV]:
    """Fit one model for each feature matrix on the same targets and folds.

    Parameters
    ----------
    model : RidgeCV
        Not fitted itself: its clones are.
    Xs : list of array (n_samples, n_features), or dict of them
        The number of features may differ.
    Y : array (n_samples, n_targets)
    groups : array-like (n_samples,), optional

    Returns
    -------
    models : list of RidgeCV, or dict with the names of ``Xs``

    Raises
    ------
    ValueError
        If ``Xs`` is empty or its matrices differ in length, or as `RidgeCV.fit`.
    """
    if not len(Xs):
        raise ValueError("Xs is empty, expected one feature matrix or more")
    named = Xs if isinstance(Xs, dict) else dict(enumerate(Xs))
    template = clone(model).set_params(progress=False)
    models = {name: copy.copy(template) for name in named}  # a clone each would take as long as a small fit
    checked = {name: _as_features(models[name], X, f"Xs[{name!r}]") for name, X in named.items()}
    n_samples = len(next(iter(checked.values())))
    if any(len(X) != n_samples for X in checked.values()):
        raise ValueError(f"Xs differ in length: { ({name: len(X) for name, X in checked.items()}) }")
    Y, one_target = as_targets(Y, n_samples)
    alphas, folds = model._checked(n_samples, groups)

    device = pick_device(model.device)
    for fitted in models.values():
        fitted._one_target = one_target
    if len({X.dtype for X in checked.values()}) == 1 and is_small(list(checked.values()), Y.shape[1], folds):
        solutions = solve_small(
            list(checked.values()), Y, alphas, folds,
            scoring=model.scoring, fit_intercept=model.fit_intercept, device=device, progress=model.progress,
        )  # fmt: skip
        for fitted, solution in zip(models.values(), solutions):
            fitted._keep(solution)
    else:
        fits = in_parallel(lambda name: models[name]._fit(checked[name], Y, alphas, folds), list(named), device)
        for _ in tqdm(fits, total=len(named), unit="model", disable=not model.progress, delay=PROGRESS_DELAY):
            pass
    for fitted in models.values():
        fitted.set_params(progress=model.progress)
    return models if isinstance(Xs, dict) else list(models.values())


def fit_in_turn(model: RidgeCV, Xs: Iterable[ArrayLike], Y: Any, groups: ArrayLike | None = None) -> Iterator[RidgeCV]:
    """Fit one model after another on the same targets and folds, and hold only the one at hand.

    Targets, which may be a memory map of hundreds of thousands of voxels, are checked once.

    Parameters
    ----------
    model : RidgeCV
        Not fitted itself: its clones are.
    Xs : iterable of array (n_samples, n_features)
        Asked for one at a time.
    Y : array or data set (n_samples, n_targets)
    groups : array-like (n_samples,), optional

    Yields
    ------
    fitted : RidgeCV

    Raises
    ------
    ValueError
        As `RidgeCV.fit`.
    """
    checked = None
    for X in Xs:
        fitted = clone(model)
        X = _as_features(fitted, X)
        if checked is None:
            checked = *as_targets(Y, len(X)), *fitted._checked(len(X), groups)
        targets, fitted._one_target, alphas, folds = checked
        if len(X) != len(targets):
            raise ValueError(f"X has {len(X)} samples, expected {len(targets)} as the targets have")
        yield fitted._fit(X, targets, alphas, folds)


def cross_val_predict(
    model: RidgeCV, X: ArrayLike, Y: ArrayLike, groups: ArrayLike | None = None, cv: Any = 5, gap: int = 0
) -> NDArray:
    """Predict every sample from a model fitted without its fold.

    Alpha is selected inside the training samples.

    Parameters
    ----------
    model : RidgeCV
        Cloned for each fold; its own ``cv`` splits the training samples by ``groups``.
    X : array-like (n_samples, n_features)
    Y : array-like (n_samples, n_targets) or (n_samples,), as `RidgeCV.fit` takes it
    groups : array-like (n_samples,), optional
        Without them a number of folds cuts the samples into contiguous blocks, outside as inside.
    cv : int, splitter or list of (train, test)
        Outer folds; they must test every sample once.
    gap : int
        Samples left out of training on either side of a test group, when ``cv`` is a number.

    Returns
    -------
    Y_hat : array of the shape of Y
        Of the dtype of the fitted model's predictions: float32 if X is float32, else float64.

    Raises
    ------
    ValueError
        If the folds do not test every sample once, or as `RidgeCV.fit`.
    """
    if isinstance(X, dict):
        raise ValueError(
            f"X is a dict of the spaces {list(X)}, expected one array (n_samples, n_features) for a RidgeCV"
        )
    X = as_stored(X, "X")
    if X.ndim != 2:
        raise ValueError(f"X has shape {X.shape}, expected (n_samples, n_features)")
    Y, one_target = as_targets(Y, len(X))
    groups = check_groups(groups, len(X))
    Y_hat = None
    for train, test in make_folds(cv, len(X), groups, gap, once=True):
        fitted = clone(model).fit(X[train], Y[train], groups=None if groups is None else groups[train])
        predicted = fitted.predict(X[test])
        if Y_hat is None:
            Y_hat = np.empty(Y.shape, dtype=predicted.dtype)
        Y_hat[test] = predicted
    return Y_hat[:, 0] if one_target else Y_hat
