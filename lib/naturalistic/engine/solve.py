"""Ridge with one alpha per target: the loop over batches of targets."""

from typing import NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from naturalistic.engine.basis import Basis
from naturalistic.engine.device import batches, in_parallel, pick_device
from naturalistic.engine.moments import Judge, TargetStats
from naturalistic.engine.rows import fold_products, make_rows
from naturalistic.engine.spectrum import dual_spectrum, primal_spectrum

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
        total, scores = score_folds(judges, basis.Q, y, rows, fit_intercept)
        best = first_best(scores, dtype)
        total = basis.Q.T @ y if total is None else total
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
    total, train, _ = fold_products(Q, Q, rows, torch.float64) if any(primal) else (None, None, None)
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


def score_folds(judges, Q, y, rows, fit_intercept, test_products=None):
    """Return ``Q' y`` (None if all folds are dual) and the mean scores over folds (n_alphas, n_targets)."""
    if all(judge.dual for judge in judges):
        total, train, test = None, None, None
    else:
        total, train, test = fold_products(Q, y, rows, test=test_products)
    constant = constant_targets(y, rows, fit_intercept)
    scores = 0
    for k, (judge, fold) in enumerate(zip(judges, rows.folds)):
        y_test = y[fold.test]
        if judge.dual:
            B_train, B_test, sums = y[fold.train], y_test, y[fold.train].sum(dim=0)
        else:
            B_train, B_test, sums = train[k], test[k], train[k][-1]
        test_mean = y_test.mean(dim=0)
        test_ss = (y_test - test_mean).square_().sum(dim=0).to(torch.float64)
        train_mean = sums.to(torch.float64) / fold.n_train * fit_intercept
        stats = TargetStats(test_mean, test_ss * ~constant[1][k], train_mean, ~constant[0][k])
        scores = scores + judge.scores(B_train, B_test, y_test, stats)
    return total, scores / len(judges)


def constant_targets(y, rows, fit_intercept):
    """Say which targets are exactly constant over each fold's training and over its test rows.

    Without intercept a constant training target still moves the weights, unless it is zero.

    Returns
    -------
    train, test : list of bool tensor (n_targets,)
    """

    def extremes(index):
        return torch.stack([y[index].amax(dim=0), -y[index].amin(dim=0)])

    test = [extremes(fold.test) for fold in rows.folds]
    if rows.partition and len(test) > 1 and not any(fold.n_gap for fold in rows.folds):
        train = [torch.stack(test[:k] + test[k + 1 :]).amax(dim=0) for k in range(len(test))]
    else:
        train = [extremes(fold.train) for fold in rows.folds]
    constant = [ends[0] == -ends[1] for ends in train]
    if not fit_intercept:
        constant = [same & (ends[0] == 0) for same, ends in zip(constant, train)]
    return constant, [ends[0] == -ends[1] for ends in test]


def load_targets(Y, batch, device, dtype, fit_intercept):
    """Read a batch of targets: a contiguous copy in working precision, its means taken off.

    Returns
    -------
    y : tensor (n_samples, n_targets)
    y_mean : array (n_targets,)
        float64; zeros without intercept.
    """
    native = np.float32 if Y.dtype == np.float32 else np.float64  # integers, half precision, other byte orders
    y = torch.as_tensor(np.array(Y[:, batch], dtype=native, order="C"), device=device)
    if not fit_intercept:
        return y.to(dtype), np.zeros(y.shape[1])
    y_mean = y.mean(dim=0, dtype=torch.float64)
    y = y.to(dtype).sub_(y_mean.to(dtype)) if y.dtype == dtype else (y - y_mean).to(dtype)
    return y, y_mean.cpu().numpy()


def bytes_per_target(rows, Q, n_features):
    """Return the working memory of one target: two copies of it, its products with Q, its weights."""
    values = 3 * rows.n_samples + (2 * len(rows.folds) + 4) * Q.shape[1] + 2 * n_features
    return values * Q.element_size()
