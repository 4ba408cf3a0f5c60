"""Ridge for many small problems at once: the steps of `solve`, each one array operation for all problems and folds.

A parcel of thirty voxels is decoded in a millisecond of arithmetic, for which the general path makes some hundred
calls. Problems of different widths are padded by columns of zeros, whose eigenvalues are zero and are left out as those
of collinear columns are.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from naturalistic.models.engine.decomposition import eigh
from naturalistic.models.engine.device import in_parallel
from naturalistic.models.engine.fold_data import (
    Fold,
    FoldIndices,
    FoldTargets,
    fold_products,
    fold_statistics,
    load_targets,
    make_fold_indices,
    sums_of_others,
)
from naturalistic.models.engine.scoring import correlation_scores, r2_scores, shrinkage
from naturalistic.models.engine.solve import DTYPES, PROGRESS_DELAY, RidgeSolution, first_best

WIDEST = 64  # columns: wider problems fill the products of the general path
AT_ONCE = 16  # problems
MOST_BYTES = 2**28  # of their products with the targets in all folds: the general path works on batches of targets
SLAB = 256  # targets scored at a time: their predictions under all alphas stay in cache


def is_small(Xs: Sequence[NDArray], n_targets: int, folds: Sequence[tuple[NDArray, NDArray]]) -> bool:
    """Return whether all problems are narrow, no wider than training samples are many, and their products fit."""
    widest = max(X.shape[1] for X in Xs)
    n_bytes = 2 * len(folds) * AT_ONCE * (widest + 1) * n_targets * Xs[0].itemsize
    return widest <= min(WIDEST, *(len(train) for train, _ in folds)) and n_bytes <= MOST_BYTES


def solve_small(
    Xs: Sequence[NDArray],
    Y: Any,
    alphas: NDArray,
    folds: Sequence[tuple[NDArray, NDArray]],
    *,
    scoring: Literal["correlation", "r2"],
    fit_intercept: bool,
    device: torch.device,
    progress: bool = False,
) -> list[RidgeSolution]:
    """Solve small problems on the same targets and folds; the answers are those of `solve_ridge_cv` but for rounding.

    Parameters
    ----------
    Xs : list of array (n_samples, n_features)
        For which `is_small` holds, all float32 or all float64.
    Y : array (n_samples, n_targets)
    alphas : array (n_alphas,)
        Checked.
    folds : list of (train, test)
        Checked.
    scoring : {"correlation", "r2"}
    fit_intercept : bool
    device : torch.device
    progress : bool
        Show a bar if it takes longer than a few seconds.

    Returns
    -------
    solutions : list of RidgeSolution
    """
    indices = make_fold_indices(folds, len(Xs[0]))
    y, y_mean = load_targets(Y, slice(None), device, DTYPES[Xs[0].dtype], fit_intercept)
    penalties = torch.as_tensor(alphas, dtype=torch.float64, device=device)

    def solve_part(part: Sequence[NDArray]) -> list[RidgeSolution]:
        """Solve the problems that are padded to one width."""
        bases = _bases(part, device, y.dtype, fit_intercept)
        columns = bases.Q.permute(1, 0, 2).flatten(1)  # (n_samples, n_problems * q); the last column is ones
        products = fold_products(columns, y, indices)
        targets = fold_statistics(y, indices, products, fit_intercept)
        grams = _training_grams(bases.Q.to(torch.float64), indices)
        scores = 0
        for fold, gram, of_fold in zip(indices.folds, grams, targets):
            spectra = _spectra(gram, bases.Q[:, fold.test], bases.scale, fit_intercept)
            scores = scores + _scores(spectra, penalties, of_fold, fold, scoring)
        scores = scores / len(indices.folds)
        best = first_best(scores, y.dtype)  # (n_problems, n_targets)
        shrink = bases.scale[:, :, None] / (bases.scale[:, :, None] ** 2 + penalties)
        filters = shrink.to(y.dtype).gather(2, best[:, None, :].expand(-1, shrink.shape[1], -1))
        total = products.total.view(len(part), -1, y.shape[1])[:, :-1]
        coef = ((filters * total).mT @ bases.V.to(y.dtype).mT).cpu().numpy()
        solutions = []
        for k, X in enumerate(part):
            of_problem = np.ascontiguousarray(coef[k, :, : X.shape[1]])
            intercept = (y_mean - of_problem @ bases.mean[k, : X.shape[1]]).astype(X.dtype)
            chosen = alphas[best[k].cpu().numpy()]
            solutions.append(RidgeSolution(of_problem, intercept, chosen, scores[k].cpu().numpy()))
        return solutions

    by_width = np.argsort([X.shape[1] for X in Xs], kind="stable").tolist()  # neighbors are padded least
    parts = [by_width[start : start + AT_ONCE] for start in range(0, len(by_width), AT_ONCE)]
    solutions: dict[int, RidgeSolution] = {}
    with tqdm(total=len(Xs), unit="model", disable=not progress, delay=PROGRESS_DELAY) as bar:
        for part, solved in zip(parts, in_parallel(lambda part: solve_part([Xs[k] for k in part]), parts, device)):
            solutions.update(zip(part, solved))
            bar.update(len(part))
    return [solutions[k] for k in range(len(Xs))]


class _Bases(NamedTuple):
    """Orthonormal bases of the centered features, see `decomposition.Basis`; what is left out is zero."""

    Q: torch.Tensor  # (n_problems, n_samples, width + 1), the last column of ones
    scale: torch.Tensor  # (n_problems, width) float64
    V: torch.Tensor  # (n_problems, width, width) float64
    mean: np.ndarray  # (n_problems, width) float64


def _bases(Xs: Sequence[NDArray], device: torch.device, dtype: torch.dtype, fit_intercept: bool) -> _Bases:
    """Return the bases of problems, padded to the width of the widest."""
    n_samples = len(Xs[0])
    width = max(X.shape[1] for X in Xs)
    mean = np.zeros((len(Xs), width))
    padded = np.zeros((len(Xs), n_samples, width))
    for k, X in enumerate(Xs):
        if fit_intercept:
            mean[k, : X.shape[1]] = X.mean(axis=0, dtype=np.float64)
        padded[k, :, : X.shape[1]] = X - mean[k, : X.shape[1]]
    X = torch.as_tensor(padded, device=device)
    eigenvalues, V = _eigh_above_floor(X.mT @ X, n_samples)
    scale = eigenvalues.sqrt()
    Q = torch.ones((len(Xs), n_samples, width + 1), dtype=dtype, device=device)
    Q[:, :, :-1] = (X @ (V * _inverse(scale)[:, None, :])).to(dtype)
    return _Bases(Q, scale, V, mean)


def _eigh_above_floor(matrices: torch.Tensor, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return eigenvalues (n, k) and vectors (n, k, k); those below the floor of `decomposition` are zero."""
    eigenvalues, vectors = eigh(matrices)
    largest = eigenvalues[:, -1:].clamp(min=0)
    kept = eigenvalues > max(size, matrices.shape[1]) * torch.finfo(torch.float64).eps * largest
    return eigenvalues * kept, vectors * kept[:, None, :]


def _inverse(values: torch.Tensor) -> torch.Tensor:
    """Return 1 / values, 0 where they are 0."""
    return torch.where(values > 0, 1 / values, torch.zeros_like(values))


def _training_grams(Q: torch.Tensor, indices: FoldIndices) -> list[torch.Tensor]:
    """Return ``Q' Q`` (n_problems, q, q) over the training rows of each fold, summed without cancellation."""

    def gram(rows: slice | NDArray) -> torch.Tensor:
        return Q[:, rows].mT @ Q[:, rows]

    if not indices.partition or any(fold.n_gap for fold in indices.folds):
        return [gram(fold.train) for fold in indices.folds]
    return sums_of_others([gram(fold.test) for fold in indices.folds])[1]


class _Spectra(NamedTuple):
    """`decomposition.Spectrum` of each problem in one fold, float64; what is left out is zero."""

    eigenvalues: torch.Tensor  # (n_problems, width)
    Z: torch.Tensor  # (n_problems, n_test, width)
    Z_mean: torch.Tensor  # (n_problems, width)
    W: torch.Tensor  # (n_problems, width, width + 1)
    W_test: torch.Tensor


def _spectra(gram: torch.Tensor, Q_test: torch.Tensor, scale: torch.Tensor, fit_intercept: bool) -> _Spectra:
    """Solve the eigenproblems of a fold: `decomposition.primal_spectrum` for all problems."""
    n_train = gram[0, -1, -1]
    sums = gram[:, :-1, -1]
    mean = sums / n_train if fit_intercept else torch.zeros_like(sums)
    centered = gram[:, :-1, :-1] - mean[:, :, None] * sums[:, None, :]
    eigenvalues, V = _eigh_above_floor(scale[:, :, None] * centered * scale[:, None, :], int(n_train))
    turn = (scale[:, :, None] * V * _inverse(eigenvalues.sqrt())[:, None, :]).mT
    eps = torch.finfo(Q_test.dtype).eps
    Q_test = Q_test[:, :, :-1].to(torch.float64)
    test_mean = Q_test.mean(dim=1)
    Z = (Q_test - test_mean[:, None]) @ turn.mT
    rounding = (eps * Q_test.abs().amax(dim=1)[:, None] @ turn.abs().mT)[:, 0]
    Z = Z * (Z.abs().amax(dim=1) > 4 * rounding)[:, None]  # features that are constant over the test rows
    Z_mean = (turn @ (test_mean - mean)[:, :, None])[:, :, 0]
    W = torch.cat([turn, -turn @ mean[:, :, None]], dim=2)
    W_test = torch.cat([turn, -turn @ test_mean[:, :, None]], dim=2)
    return _Spectra(eigenvalues, Z, Z_mean, W, W_test)


def _scores(
    spectra: _Spectra,
    alphas: torch.Tensor,
    targets: FoldTargets,
    fold: Fold,
    scoring: Literal["correlation", "r2"],
) -> torch.Tensor:
    """Return the scores (n_problems, n_alphas, n_targets) of a fold, float64; 0 where a score is not defined."""
    n_problems, n_test, width = spectra.Z.shape
    n_alphas = len(alphas)
    dtype = targets.y_test.dtype
    filters = shrinkage(spectra.eigenvalues.flatten(), alphas).view(n_problems, width, n_alphas).mT
    R = torch.linalg.qr(spectra.Z, mode="r").R if n_test > width else spectra.Z
    norm_rows = (filters[:, :, None, :] * R[:, None]).flatten(1, 2).to(dtype)
    mean_rows = (filters * spectra.Z_mean[:, None, :]).to(dtype)
    filters = filters.to(dtype)
    W = spectra.W.to(dtype)
    W_test = spectra.W_test.to(dtype)
    B_train, B_test = (B.view(n_problems, width + 1, -1) for B in (targets.train, targets.test))
    moments = []
    for start in range(0, B_train.shape[2], SLAB):
        slab = slice(start, start + SLAB)
        w = W @ B_train[:, :, slab]
        predicted = (norm_rows @ w).view(n_problems, n_alphas, -1, w.shape[2])
        norms = predicted.square_().sum(dim=2)
        moments.append((norms, filters @ (w * (W_test @ B_test[:, :, slab])), mean_rows @ w))
    ss, cross, mean = (torch.cat(parts, dim=2).to(torch.float64) for parts in zip(*moments))
    if scoring == "correlation":
        return correlation_scores(ss, cross, targets.stats)
    return r2_scores(ss, cross, mean, targets.stats, fold.n_test)
