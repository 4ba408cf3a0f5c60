"""Ridge on all samples under the weights of one draw, and many draws at hand at once."""

import torch

from naturalistic.models.engine import solve
from naturalistic.models.engine.basis import eigh_above_floor
from naturalistic.models.engine.spaces import scaled_inner

FITS_BYTES = 2**28  # of decompositions held at once: the targets are read once for all of them


def grouped_fits(spaces, gammas, draws):
    """Yield the fits of draws, as many at a time as `FITS_BYTES` hold (one, if a single one is larger).

    Targets on a disk are read once a group, where once a draw would take longer than the fits.

    Parameters
    ----------
    spaces : Spaces
    gammas : array (n_draws, n_spaces)
    draws : list of int
        Rows of ``gammas``.

    Yields
    ------
    fits : dict of int to FullFit
    """
    q, n_samples = spaces.Q.shape[1], len(spaces.Q)
    size = 2 * q * q if _is_primal(spaces.Q) else n_samples * (n_samples + q)  # numbers that a fit keeps
    step = max(1, FITS_BYTES // (size * spaces.Q.element_size()))
    for first in range(0, len(draws), step):
        yield {k: FullFit(spaces, gammas[k]) for k in draws[first : first + step]}


def right_side(spaces, y):
    """Return what `FullFit` is called with for targets: their products with the columns, or in dual form themselves."""
    return spaces.Q[:, :-1].T @ y if _is_primal(spaces.Q) else y


def _is_primal(Q):
    return Q.shape[1] - 1 <= len(Q)


class FullFit:
    """Ridge on all samples under one draw; called with a `right_side` and its alphas it returns inner weights."""

    def __init__(self, spaces, gamma):
        Q = spaces.Q[:, :-1]
        scale, inner = scaled_inner(spaces, gamma)
        dtype, self.primal = Q.dtype, _is_primal(spaces.Q)
        if self.primal:
            total = inner.total
            if total is None:
                total = Q.T.to(torch.float64) @ Q.to(torch.float64)
            gram = scale[:, None] * total[: len(scale), : len(scale)] * scale
            self.eigenvalues, vectors = eigh_above_floor(gram, len(Q))
            self.W = (vectors / self.eigenvalues.sqrt() * scale[:, None]).T.to(dtype)
            self.back = (scale[:, None] / spaces.scale[:, None] * vectors).to(dtype)
        else:
            kernel = inner.kernel if inner.kernel is not None else solve.kernel_of(spaces.Q, scale)
            self.eigenvalues, vectors = eigh_above_floor(kernel, len(Q))
            outer = (scale**2 / spaces.scale).to(dtype)  # back to the scale of each space's own basis
            self.W = vectors.T.to(dtype)
            self.back = outer[:, None] * (Q.T @ vectors.to(dtype))

    def __call__(self, z, alphas):
        """Return weights (n_targets, q - 1) on the columns of each space's ``Q diag(scale)``."""
        e = self.eigenvalues[:, None]
        filters = (e.sqrt() if self.primal else 1) / (e + alphas)
        return (filters.to(z.dtype) * (self.W @ z)).T @ self.back.T
