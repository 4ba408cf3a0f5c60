"""Ridge with one alpha per target: the loop over batches of targets."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from naturalistic.arrays import as_floats
from naturalistic.models.engine.decomposition import Basis, dual_spectrum, primal_spectrum
from naturalistic.models.engine.device import batches, in_parallel, pick_device
from naturalistic.models.engine.fold_data import (
    Fold,
    FoldIndices,
    FoldProducts,
    fold_products,
    fold_statistics,
    load_targets,
    make_fold_indices,
    score_folds,
)
from naturalistic.models.engine.scoring import FoldScorer
from naturalistic.models.engine.validation import check_alphas

DTYPES = {np.dtype(np.float32): torch.float32, np.dtype(np.float64): torch.float64}
TIE = {torch.float32: 3e-8, torch.float64: 1e-12}  # scores closer than this are equal
PROGRESS_DELAY = 5  # s without a bar: short fits stay silent


class RidgeSolution(NamedTuple):
    """Solution of `solve_ridge_cv`, as numpy arrays."""

    coef: np.ndarray  # (n_targets, n_features)
    intercept: np.ndarray  # (n_targets,)
    alphas: np.ndarray  # (n_targets,)
    cv_scores: np.ndarray  # (n_alphas, n_targets), float64


def solve_ridge_cv(
    X: ArrayLike,
    Y: Any,
    alphas: ArrayLike,
    folds: Sequence[tuple[NDArray, NDArray]],
    *,
    scoring: Literal["correlation", "r2"] = "correlation",
    fit_intercept: bool = True,
    device: str = "cpu",
    n_targets_batch: int | None = None,
    progress: bool = False,
) -> RidgeSolution:
    r"""Select an alpha for each target by cross-validation, then fit on all samples.

    Minimizes :math:`\|y - Xb - c\|^2 + \alpha \|b\|^2` for each target y; the intercept c is not penalized.

    Parameters
    ----------
    X : array (n_samples, n_features)
        float32 or float64: the precision of the large products and of the result. Gram matrices and
        eigendecompositions are float64 in both.
    Y : array or data set (n_samples, n_targets)
        Read in batches of columns, each once.
    alphas : array (n_alphas,)
        Penalties, float64, positive.
    folds : list of (train, test)
    scoring : {"correlation", "r2"}
    fit_intercept : bool
    device : str
    n_targets_batch : int, optional
    progress : bool
        Show a bar if it takes longer than a few seconds.

    Returns
    -------
    RidgeSolution
        An alpha is the one with the best mean score over folds, the first of equals (`TIE`). A fold in which a score is
        not defined (constant targets or predictions) counts 0 for that target.
    """
    X = as_floats(X, "X")
    alphas = check_alphas(alphas)
    device = pick_device(device)
    dtype = DTYPES[X.dtype]
    indices = make_fold_indices(folds, len(X))
    n_targets = Y.shape[1]
    basis = Basis(X, device, dtype, fit_intercept, n_targets)
    penalties = torch.as_tensor(alphas, dtype=torch.float64, device=device)
    inner = inner_products(basis.Q, basis.scale, indices, basis.kernel)
    scorers = fold_scorers(basis.Q, basis.scale, indices, inner, penalties, scoring, fit_intercept, n_targets)
    del inner
    basis.kernel = None  # its memory is for the targets now
    shrink = basis.scale[:, None] / (basis.scale[:, None] ** 2 + penalties)
    solution = _empty_solution(n_targets, X.shape[1], len(alphas), X.dtype)

    def solve_batch(batch: slice) -> int:
        y, y_mean = load_targets(Y, batch, device, dtype, fit_intercept)
        products = None if all(scorer.dual for scorer in scorers) else fold_products(basis.Q, y, indices)
        scores = score_folds(scorers, fold_statistics(y, indices, products, fit_intercept), y, indices)
        best = first_best(scores, dtype)
        total = basis.Q.T @ y if products is None else products.total
        solution.coef[batch] = basis.weights((shrink.to(dtype)[:, best] * total[:-1]).T).cpu().numpy()
        solution.intercept[batch] = y_mean - solution.coef[batch] @ basis.mean
        solution.alphas[batch] = alphas[best.cpu().numpy()]
        solution.cv_scores[:, batch] = scores.cpu().numpy()
        return batch.stop - batch.start

    parts = batches(n_targets, bytes_per_target(indices, basis.Q, X.shape[1]), device, n_targets_batch)
    with tqdm(total=n_targets, unit="target", disable=not progress, delay=PROGRESS_DELAY) as bar:
        for n_solved in in_parallel(solve_batch, parts, device):
            bar.update(n_solved)
    return solution


def _empty_solution(n_targets: int, n_features: int, n_alphas: int, dtype: np.dtype) -> RidgeSolution:
    """Return a `RidgeSolution` of empty arrays, to be filled batch by batch."""
    return RidgeSolution(
        np.empty((n_targets, n_features), dtype),
        np.empty(n_targets, dtype),
        np.empty(n_targets),
        np.empty((n_alphas, n_targets)),
    )


def first_best(scores: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return the alpha (row) with the best score of each target, the first of those equal but for rounding.

    One feature's correlation is the same for every alpha; which of them rounding favors must not decide.

    Parameters
    ----------
    scores : tensor (..., n_alphas, n_targets)
    dtype : torch.dtype
        Of the products behind the scores.
    """
    return (scores >= scores.amax(dim=-2, keepdim=True) - TIE[dtype]).to(torch.uint8).argmax(dim=-2)


class InnerProducts(NamedTuple):
    """Products of the features with each other, float64, for the eigenproblems of the folds."""

    total: torch.Tensor | None  # (q, q), Q' Q over all samples
    train: list | None  # of (q, q), over each fold's training samples
    kernel: torch.Tensor | None  # (n_samples, n_samples), of the scaled columns


def inner_products(
    Q: torch.Tensor, scale: torch.Tensor, indices: FoldIndices, kernel: torch.Tensor | None = None
) -> InnerProducts:
    """Return the `InnerProducts` that the folds need: primal, dual or both; ``kernel`` if it is known."""
    primal = [is_primal(fold, len(scale)) for fold in indices.folds]
    total, train, _ = fold_products(Q, Q, indices, torch.float64) if any(primal) else FoldProducts(None, None, None)
    if not all(primal) and kernel is None:
        kernel = kernel_of(Q, scale)
    return InnerProducts(total, train, None if all(primal) else kernel)


def kernel_of(Q: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Return the inner products of all samples, with the columns of Q (but the last) times ``scale``."""
    scaled = Q[:, :-1].to(torch.float64) * scale
    return scaled @ scaled.T


def fold_scorers(
    Q: torch.Tensor,
    scale: torch.Tensor,
    indices: FoldIndices,
    inner: InnerProducts,
    alphas: torch.Tensor,
    scoring: Literal["correlation", "r2"],
    fit_intercept: bool,
    n_targets: int,
) -> list[FoldScorer]:
    """Return the `FoldScorer` of each fold, primal where it has as many training samples as columns.

    Parameters
    ----------
    Q : tensor (n_samples, q)
        Its last column is ones.
    scale : tensor (q - 1,)
    indices : FoldIndices
    inner : InnerProducts
    alphas : tensor (n_alphas,)
    scoring : {"correlation", "r2"}
    fit_intercept : bool
    n_targets : int

    Returns
    -------
    scorers : list of FoldScorer
    """

    def make(k: int) -> FoldScorer:
        fold = indices.folds[k]
        if is_primal(fold, len(scale)):
            spectrum = primal_spectrum(inner.train[k], Q[fold.test], scale, fit_intercept)
        else:
            eps = torch.finfo(Q.dtype).eps
            spectrum = dual_spectrum(inner.kernel, fold.train, fold.test, fit_intercept, eps)
        return FoldScorer(spectrum, alphas, scoring, Q.dtype, n_targets)

    return list(in_parallel(make, range(len(indices.folds)), Q.device))


def is_primal(fold: Fold, rank: int) -> bool:
    """Return whether a fold's problem is smaller in features than in training samples."""
    return fold.n_train >= rank


def bytes_per_target(indices: FoldIndices, Q: torch.Tensor, n_features: int) -> int:
    """Return the working memory of one target: two copies of it, its products with Q, its weights."""
    values = 3 * indices.n_samples + (2 * len(indices.folds) + 4) * Q.shape[1] + 2 * n_features
    return values * Q.element_size()
