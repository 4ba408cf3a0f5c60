"""Features to an orthonormal basis of their span: ``X - mean = Q diag(scale) V'``, once for all folds.

Ridge on ``Q diag(scale)`` is ridge on X, with weights turned by V; it has min(n_samples, n_features) columns
or fewer. Products ``Q' Y`` keep the small directions of collinear features in float32, which ``X' Y`` loses.
"""

import numpy as np
import torch

CHUNK_BYTES = 2**26


class Basis:
    """Orthonormal basis of the centred features.

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

    def __init__(self, X, device, dtype, fit_intercept=True, n_targets=1):
        self.X, self.device, self.dtype = X, device, dtype
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
            if n_targets >= self.rank:  # fewer targets are turned through the samples, without a copy of X
                self.V = torch.empty((n_features, self.rank), dtype=dtype, device=device)
                for columns, chunk in self._chunks():
                    self.V[columns] = (chunk.T @ (vectors / self.scale)).to(dtype)

    def _chunks(self):
        """Yield slices of rows (primal) or columns (dual) with that part of the centred X in float64."""
        axis = 0 if self.primal else 1
        length, width = self.X.shape[axis], self.X.shape[1 - axis]
        step = max(1, CHUNK_BYTES // (8 * width))
        for start in range(0, length, step):
            part = slice(start, min(start + step, length))
            index = (part, slice(None)) if self.primal else (slice(None), part)
            yield part, self._to_device(self.X[index] - (self.mean if self.primal else self.mean[part]))

    def _to_device(self, array):
        return torch.as_tensor(np.ascontiguousarray(array, dtype=np.float64), device=self.device)

    def _gram(self):
        """Return X'X (primal) or XX' (dual) of the centred features, float64."""
        size = min(self.X.shape)
        gram = torch.zeros((size, size), dtype=torch.float64, device=self.device)
        for _, chunk in self._chunks():
            gram += chunk.T @ chunk if self.primal else chunk @ chunk.T
        return gram

    def weights(self, inner):
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


def eigh_above_floor(matrix, size):
    """Return the eigenvalues above the numerical floor and their vectors, largest first.

    An eigenvalue below ``size * eps`` of the largest is rounding of a rank-deficient matrix: its direction
    says nothing, and a tiny alpha would blow it up, so it is left out (as a pseudo-inverse does).

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
    if matrix.device.type == "cpu":  # numpy's LAPACK takes two thirds of torch's time, and frees Python meanwhile
        eigenvalues, vectors = map(torch.from_numpy, np.linalg.eigh(matrix.numpy()))
    else:
        eigenvalues, vectors = torch.linalg.eigh(matrix)
    floor = max(size, len(matrix)) * torch.finfo(torch.float64).eps * max(float(eigenvalues[-1]), 0.0)
    rank = int((eigenvalues > floor).sum())
    return eigenvalues.flip(0)[:rank], vectors.flip(1)[:, :rank].contiguous()
