"""Feature bases and the eigenproblem of each fold.

`Basis` turns features into an orthonormal basis of their span, ``X - mean = Q diag(scale) V'``, once for all folds.
Ridge on ``Q diag(scale)`` is ridge on X, with weights turned by V; it has min(n_samples, n_features) columns
or fewer. Products ``Q' Y`` keep the small directions of collinear features in float32, which ``X' Y`` loses.

`Spectrum` holds all that predicting and scoring needs of a fold's features. With ``eigenvalues`` e of the training
Gram matrix (primal) or kernel (dual), the centered test predictions of one alpha are
``Z diag(e / (e + alpha)) W B``, where B holds ``Q_train' Y_train`` (primal) or ``Y_train`` (dual).
"""

from collections.abc import Iterator
from contextlib import nullcontext
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

CHUNK_BYTES = 2**26
ONE_THREAD = 500  # columns: more threads would wait at full load for longer than such an eigenproblem takes


class Basis:
    """Orthonormal basis of the centered features.

    Attributes
    ----------
    Q : tensor (n_samples, rank + 1)
        Basis in the working precision; its last column is ones, so that ``Q' Y`` holds the sums of Y too.
    scale : tensor (rank,)
        Singular values, float64; their squares are above ``max(n_samples, n_features) * eps`` of the largest.
    mean : array (n_features,)
        Feature means, float64 (zeros without intercept).
    V : tensor (n_features, rank) or None
    kernel : tensor (n_samples, n_samples) or None
        Inner products of the samples, if there are fewer samples than features.
    """

    def __init__(
        self, X: NDArray, device: torch.device, dtype: torch.dtype, fit_intercept: bool = True, n_targets: int = 1
    ) -> None:
        self.X = X
        self.device = device
        self.dtype = dtype
        n_samples, n_features = X.shape
        self.mean = X.mean(axis=0, dtype=np.float64) if fit_intercept else np.zeros(n_features)
        self.primal = n_features <= n_samples
        gram = self._gram()
        self.kernel = None if self.primal else gram
        eigenvalues, vectors = eigh_above_floor(gram, max(n_samples, n_features))
        self.scale = eigenvalues.sqrt()
        self.rank = len(self.scale)
        self.Q = torch.ones((n_samples, self.rank + 1), dtype=dtype, device=device)
        self.V = None
        if self.primal:
            for rows, chunk in self._chunks():
                self.Q[rows, : self.rank] = (chunk @ vectors / self.scale).to(dtype)
            self.V = vectors.to(dtype)
        else:
            self.Q[:, : self.rank] = vectors.to(dtype)
            if n_targets >= self.rank:  # with fewer targets weights go through the samples, without a copy of X
                self.V = torch.empty((n_features, self.rank), dtype=dtype, device=device)
                for columns, chunk in self._chunks():
                    self.V[columns] = (chunk.T @ (vectors / self.scale)).to(dtype)

    def _chunks(self) -> Iterator[tuple[slice, torch.Tensor]]:
        """Yield slices of rows (primal) or columns (dual) with that part of the centered X in float64."""
        axis = 0 if self.primal else 1
        length = self.X.shape[axis]
        width = self.X.shape[1 - axis]
        step = max(1, CHUNK_BYTES // (8 * width))
        for start in range(0, length, step):
            part = slice(start, min(start + step, length))
            index = (part, slice(None)) if self.primal else (slice(None), part)
            yield part, self._to_device(self.X[index] - (self.mean if self.primal else self.mean[part]))

    def _to_device(self, array: NDArray) -> torch.Tensor:
        return torch.as_tensor(np.ascontiguousarray(array, dtype=np.float64), device=self.device)

    def _gram(self) -> torch.Tensor:
        """Return X'X (primal) or XX' (dual) of the centered features, float64."""
        size = min(self.X.shape)
        gram = torch.zeros((size, size), dtype=torch.float64, device=self.device)
        for _, chunk in self._chunks():
            gram += chunk.T @ chunk if self.primal else chunk @ chunk.T
        return gram

    def weights(self, inner: torch.Tensor) -> torch.Tensor:
        """Turn weights on the columns of ``Q diag(scale)`` into weights on the features.

        Parameters
        ----------
        inner : tensor (n_targets, rank)

        Returns
        -------
        coef : tensor (n_targets, n_features)
        """
        if self.V is not None:
            return inner @ self.V.T
        dual = (inner / self.scale).to(torch.float64) @ self.Q[:, : self.rank].T.to(torch.float64)
        coef = torch.empty((len(inner), self.X.shape[1]), dtype=self.dtype, device=self.device)
        for columns, chunk in self._chunks():
            coef[:, columns] = (dual @ chunk).to(self.dtype)
        return coef


def eigh(matrices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return eigenvalues (..., k), the smallest first, and vectors (..., k, k) of symmetric matrices (..., k, k)."""
    if matrices.device.type != "cpu":
        return torch.linalg.eigh(matrices)
    # numpy's LAPACK takes two thirds of torch's time, and releases the GIL
    alone = matrices.shape[-1] <= ONE_THREAD and torch.get_num_threads() > 1
    with threadpool_limits(1, user_api="blas") if alone else nullcontext():
        eigenvalues, vectors = np.linalg.eigh(matrices.numpy())
    return torch.from_numpy(eigenvalues), torch.from_numpy(vectors)


def eigh_above_floor(matrix: torch.Tensor, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the eigenvalues above the numerical floor and their vectors, largest first.

    An eigenvalue below ``size * eps`` of the largest is rounding of a rank-deficient matrix: its direction
    carries no information, and a tiny alpha would blow it up, so it is left out (as a pseudo-inverse does).

    Parameters
    ----------
    matrix : tensor (k, k)
        Symmetric, float64, positive semi-definite but for rounding.
    size : int
        Largest dimension of the array whose Gram matrix this is.

    Returns
    -------
    eigenvalues : tensor (rank,)
    vectors : tensor (k, rank)
    """
    eigenvalues, vectors = eigh(matrix)
    floor = max(size, len(matrix)) * torch.finfo(torch.float64).eps * max(float(eigenvalues[-1]), 0.0)
    rank = int((eigenvalues > floor).sum())
    return eigenvalues.flip(0)[:rank], vectors.flip(1)[:, :rank].contiguous()


class Spectrum(NamedTuple):
    """Eigenproblem of one fold, float64.

    Attributes
    ----------
    eigenvalues : tensor (rank,)
    Z : tensor (n_test, rank)
        Test features on the eigenvectors over singular values, their test mean subtracted.
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


def primal_spectrum(gram: torch.Tensor, Q_test: torch.Tensor, scale: torch.Tensor, fit_intercept: bool) -> Spectrum:
    """Solve a fold with at least as many training samples as columns.

    Parameters
    ----------
    gram : tensor (q, q)
        ``Q' Q`` over the training rows, float64; the last column of Q is ones, so that the last row and
        column are sums, with which the training mean is subtracted exactly.
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
    centered = gram[:-1, :-1] - torch.outer(mean, sums)
    eigenvalues, V = eigh_above_floor(scale[:, None] * centered * scale, int(n_train))
    turn = (scale[:, None] * V / eigenvalues.sqrt()).T
    eps = torch.finfo(Q_test.dtype).eps
    Q_test = Q_test[:, :-1].to(torch.float64)
    test_mean = Q_test.mean(dim=0)
    Z = _without_rounding((Q_test - test_mean) @ turn.T, eps * Q_test.abs().amax(dim=0) @ turn.abs().T)
    W = torch.cat([turn, -(turn @ mean)[:, None]], dim=1)
    W_test = torch.cat([turn, -(turn @ test_mean)[:, None]], dim=1)
    return Spectrum(eigenvalues, Z, turn @ (test_mean - mean), W, W_test, False)


def dual_spectrum(
    kernel: torch.Tensor, train: slice | NDArray, test: slice | NDArray, fit_intercept: bool, eps: float
) -> Spectrum:
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
    K = kernel[train][:, train]
    K_test = kernel[test][:, train]
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


def _without_rounding(Z: torch.Tensor, rounding: torch.Tensor) -> torch.Tensor:
    """Set to zero the columns of ``Z`` no larger than ``rounding`` (features that are constant over the test)."""
    return Z * (Z.abs().amax(dim=0) > 4 * rounding)
