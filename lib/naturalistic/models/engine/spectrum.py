"""The eigenproblem of one fold: everything about its features that predicting and scoring needs.

With ``eigenvalues`` e of the training Gram matrix (primal) or kernel (dual), the centred test predictions of
one alpha are ``Z diag(e / (e + alpha)) W B``, where B holds ``Q_train' Y_train`` (primal) or ``Y_train`` (dual).
"""

from typing import NamedTuple

import torch

from naturalistic.models.engine.basis import eigh_above_floor


class Spectrum(NamedTuple):
    """One fold, float64.

    Attributes
    ----------
    eigenvalues : tensor (rank,)
    Z : tensor (n_test, rank)
        Test features on the eigenvectors over singular values, their test mean taken off.
    Z_mean : tensor (rank,)
        That mean, counted from the training mean.
    W : tensor (rank, q)
        Turns B into the training targets' coordinates on the left singular vectors.
    W_test : tensor (rank, q)
        ``Z' Y_test`` as a product with ``Q_test' Y_test`` (primal) or with ``Y_test`` (dual).
    dual : bool
    """

    eigenvalues: torch.Tensor
    Z: torch.Tensor
    Z_mean: torch.Tensor
    W: torch.Tensor
    W_test: torch.Tensor
    dual: bool


def primal_spectrum(gram, Q_test, scale, fit_intercept):
    """Solve a fold with at least as many training samples as columns.

    Parameters
    ----------
    gram : tensor (q, q)
        ``Q' Q`` over the training rows, float64; the last column of Q is ones, so that the last row and
        column are sums, with which the training mean is taken off exactly.
    Q_test : tensor (n_test, q)
    scale : tensor (q - 1,)
        Size of each column but the last.
    fit_intercept : bool

    Returns
    -------
    Spectrum
    """
    n_train = gram[-1, -1]
    sums = gram[:-1, -1]
    mean = sums / n_train if fit_intercept else torch.zeros_like(sums)
    centred = gram[:-1, :-1] - torch.outer(mean, sums)
    eigenvalues, V = eigh_above_floor(scale[:, None] * centred * scale, int(n_train))
    turn = (scale[:, None] * V / eigenvalues.sqrt()).T
    eps, Q_test = torch.finfo(Q_test.dtype).eps, Q_test[:, :-1].to(torch.float64)
    test_mean = Q_test.mean(dim=0)
    Z = _without_rounding((Q_test - test_mean) @ turn.T, eps * Q_test.abs().amax(dim=0) @ turn.abs().T)
    W = torch.cat([turn, -(turn @ mean)[:, None]], dim=1)
    W_test = torch.cat([turn, -(turn @ test_mean)[:, None]], dim=1)
    return Spectrum(eigenvalues, Z, turn @ (test_mean - mean), W, W_test, False)


def dual_spectrum(kernel, train, test, fit_intercept, eps):
    """Solve a fold with fewer training samples than columns.

    Parameters
    ----------
    kernel : tensor (n_samples, n_samples)
        Inner products of all samples, float64.
    train, test : slice or index
    fit_intercept : bool
    eps : float
        Rounding of the features.

    Returns
    -------
    Spectrum
    """
    K, K_test = kernel[train][:, train], kernel[test][:, train]
    size = float(K_test.abs().max()) if K_test.numel() else 0.0
    if fit_intercept:
        column = K.mean(dim=0)
        K = K - column - column[:, None] + column.mean()
        K_test = K_test - column - K_test.mean(dim=1, keepdim=True) + column.mean()
    eigenvalues, U = eigh_above_floor(K, len(K))
    test_mean = K_test.mean(dim=0)
    turn = U / eigenvalues
    Z = _without_rounding((K_test - test_mean) @ turn, eps * size * turn.abs().sum(dim=0))
    return Spectrum(eigenvalues, Z, test_mean @ turn, U.T, Z.T, True)


def _without_rounding(Z, rounding):
    """Set to zero the columns of ``Z`` no larger than ``rounding`` (features that are constant over the test)."""
    return Z * (Z.abs().amax(dim=0) > 4 * rounding)
