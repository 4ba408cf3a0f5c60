"""Ridge with one alpha per target: the loop over batches of targets."""

from typing import NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from naturalistic.arrays import as_floats
from naturalistic.models.engine.basis import Basis
from naturalistic.models.engine.device import batches, in_parallel, pick_device
from naturalistic.models.engine.inputs import check_alphas
from naturalistic.models.engine.moments import Judge
from naturalistic.models.engine.rows import FoldProducts, fold_products, make_rows
from naturalistic.models.engine.spectrum import dual_spectrum, primal_spectrum
from naturalistic.models.engine.targets import load_targets, look, score_folds

DTYPES = {np.dtype(np.float32): torch.float32, np.dtype(np.float64): torch.float64}
TIE = {torch.float32: 3e-8, torch.float64: 1e-12}  # scores closer than this are equal
PROGRESS_DELAY = 5  # s without a bar: short fits stay silent


class RidgeSolution(NamedTuple):
    """What `solve_ridge_cv` returns, as numpy arrays."""

    coef: np.ndarray  # (n_targets, n_features)
    intercept: np.ndarray  # (n_targets,)
    alphas: np.ndarray  # (n_targets,)
    cv_scores: np.ndarray  # (n_alphas, n_targets), float64


def solve_ridge_cv(
    X,
    Y,
    alphas,
    folds,
    *,
    scoring="correlation",
    fit_intercept=True,
    device="cpu",
    n_targets_batch=None,
    progress=False,
):
    r"""Choose an alpha for each target by cross-validation, then fit on all samples.

    Minimises :math:`\|y - Xb - c\|^2 + \alpha \|b\|^2` for each target y; the intercept c is not penalised.

    Parameters
    ----------
    X : array (n_samples, n_features)
        float32 or float64: the precision of the large products and of what comes back. Gram matrices and
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
    X, alphas = as_floats(X, "X"), check_alphas(alphas)
    device, dtype = pick_device(device), DTYPES[X.dtype]
    rows, n_targets = make_rows(folds, len(X)), Y.shape[1]
    basis = Basis(X, device, dtype, fit_intercept, n_targets)
    penalties = torch.as_tensor(alphas, dtype=torch.float64, device=device)
    inner = inner_products(basis.Q, basis.scale, rows, basis.kernel)
    judges = fold_judges(basis.Q, basis.scale, rows, inner, penalties, scoring, fit_intercept, n_targets)
    del inner
    basis.kernel = None  # its memory is for the targets now
    shrink = basis.scale[:, None] / (basis.scale[:, None] ** 2 + penalties)
    out = _to_fill(n_targets, X.shape[1], len(alphas), X.dtype)

    def solve(batch):
        y, y_mean = load_targets(Y, batch, device, dtype, fit_intercept)
        products = None if all(judge.dual for judge in judges) else fold_products(basis.Q, y, rows)
        scores = score_folds(judges, look(y, rows, products, fit_intercept), y, rows)
        best = first_best(scores, dtype)
        total = basis.Q.T @ y if products is None else products.total
        out.coef[batch] = basis.weights((shrink.to(dtype)[:, best] * total[:-1]).T).cpu().numpy()
        out.intercept[batch] = y_mean - out.coef[batch] @ basis.mean
        out.alphas[batch] = alphas[best.cpu().numpy()]
        out.cv_scores[:, batch] = scores.cpu().numpy()
        return batch.stop - batch.start

    parts = batches(n_targets, bytes_per_target(rows, basis.Q, X.shape[1]), device, n_targets_batch)
    with tqdm(total=n_targets, unit="target", disable=not progress, delay=PROGRESS_DELAY) as bar:
        for done in in_parallel(solve, parts, device):
            bar.update(done)
    return out


def _to_fill(n_targets, n_features, n_alphas, dtype):
    """Return a `RidgeSolution` of empty arrays, to be filled batch by batch."""
    return RidgeSolution(
        np.empty((n_targets, n_features), dtype),
        np.empty(n_targets, dtype),
        np.empty(n_targets),
        np.empty((n_alphas, n_targets)),
    )


def first_best(scores, dtype):
    """Return the row of the best score of each target (n_targets,), the first of those equal but for rounding.

    One feature's correlation is the same for every alpha; which of them rounding favours must not decide.
    """
    return (scores >= scores.amax(dim=0) - TIE[dtype]).to(torch.uint8).argmax(dim=0)


class InnerProducts(NamedTuple):
    """Products of the features with each other, float64: what the folds' eigenproblems are made of."""

    total: torch.Tensor | None  # (q, q), Q' Q over all samples
    train: list | None  # of (q, q), over each fold's training samples
    kernel: torch.Tensor | None  # (n_samples, n_samples), of the scaled columns


def inner_products(Q, scale, rows, kernel=None):
    """Return the `InnerProducts` that the folds need: primal, dual or both; ``kernel`` if it is known."""
    primal = [is_primal(fold, len(scale)) for fold in rows.folds]
    total, train, _ = fold_products(Q, Q, rows, torch.float64) if any(primal) else FoldProducts(None, None, None)
    if not all(primal) and kernel is None:
        kernel = kernel_of(Q, scale)
    return InnerProducts(total, train, None if all(primal) else kernel)


def kernel_of(Q, scale):
    """Return the inner products of all samples, with the columns of Q (but the last) times ``scale``."""
    scaled = Q[:, :-1].to(torch.float64) * scale
    return scaled @ scaled.T


def fold_judges(Q, scale, rows, inner, alphas, scoring, fit_intercept, n_targets):
    """Return the `Judge` of each fold, primal where it has as many training samples as columns.

    Parameters
    ----------
    Q : tensor (n_samples, q)
        Its last column is ones.
    scale : tensor (q - 1,)
    rows : Rows
    inner : InnerProducts
    alphas : tensor (n_alphas,)
    scoring : {"correlation", "r2"}
    fit_intercept : bool
    n_targets : int

    Returns
    -------
    judges : list of Judge
    """

    def make(k):
        fold = rows.folds[k]
        if is_primal(fold, len(scale)):
            spectrum = primal_spectrum(inner.train[k], Q[fold.test], scale, fit_intercept)
        else:
            eps = torch.finfo(Q.dtype).eps
            spectrum = dual_spectrum(inner.kernel, fold.train, fold.test, fit_intercept, eps)
        return Judge(spectrum, alphas, scoring, Q.dtype, n_targets)

    return list(in_parallel(make, range(len(rows.folds)), Q.device))


def is_primal(fold, rank):
    """Say whether a fold's problem is smaller in features than in training samples."""
    return fold.n_train >= rank


def bytes_per_target(rows, Q, n_features):
    """Return the working memory of one target: two copies of it, its products with Q, its weights."""
    values = 3 * rows.n_samples + (2 * len(rows.folds) + 4) * Q.shape[1] + 2 * n_features
    return values * Q.element_size()
