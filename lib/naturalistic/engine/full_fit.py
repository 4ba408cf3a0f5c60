"""Ridge on all samples under the weights of one draw, and many draws at hand at once."""

import torch

from naturalistic.engine import solve
from naturalistic.engine.basis import eigh_above_floor
from naturalistic.engine.spaces import scaled_inner

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
    size = 2 * q * q if q - 1 <= n_samples else n_samples * (n_samples + q)  # numbers that a fit keeps
    step = max(1, FITS_BYTES // (size * spaces.Q.element_size()))
    for first in range(0, len(draws), step):
        yield {k: FullFit(spaces, gammas[k]) for k in draws[first : first + step]}


class FullFit:
    """Ridge on all samples under one draw; called with targets and their alphas it returns inner weights."""

    def __init__(self, spaces, gamma):
        self.Q = spaces.Q[:, :-1]
        scale, inner = scaled_inner(spaces, gamma)
        dtype, self.primal = self.Q.dtype, len(scale) <= len(self.Q)
        outer = (scale**2 / spaces.scale).to(dtype)  # back to the scale of each space's own basis
        if self.primal:
            total = inner.total
            if total is None:
                total = self.Q.T.to(torch.float64) @ self.Q.to(torch.float64)
            gram = scale[:, None] * total[: len(scale), : len(scale)] * scale
            self.eigenvalues, vectors = eigh_above_floor(gram, len(self.Q))
            self.W = (vectors / self.eigenvalues.sqrt() * scale[:, None]).T.to(dtype)
            self.back = (scale[:, None] / spaces.scale[:, None] * vectors).to(dtype)
        else:
            kernel = inner.kernel if inner.kernel is not None else solve.kernel_of(spaces.Q, scale)
            self.eigenvalues, vectors = eigh_above_floor(kernel, len(self.Q))
            self.W = vectors.T.to(dtype)
            self.back = outer[:, None] * (self.Q.T @ vectors.to(dtype))

    def __call__(self, y, alphas):
        """Return weights (n_targets, q - 1) on the columns of each space's ``Q diag(scale)``."""
        e = self.eigenvalues[:, None]
        if self.primal:
            filters = (e.sqrt() / (e + alphas)).to(y.dtype)
            return (filters * (self.W @ (self.Q.T @ y))).T @ self.back.T
        return ((1 / (e + alphas)).to(y.dtype) * (self.W @ y)).T @ self.back.T
