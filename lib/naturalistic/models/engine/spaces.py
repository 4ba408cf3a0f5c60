"""Feature spaces side by side on one orthonormal basis each, and what a draw of weights makes of them."""

from typing import NamedTuple

import torch

from naturalistic.models.engine import solve
from naturalistic.models.engine.basis import Basis
from naturalistic.models.engine.rows import make_rows


class Spaces(NamedTuple):
    """Feature spaces on one orthonormal basis each, side by side, with their inner products."""

    bases: dict  # name: Basis
    Q: torch.Tensor  # (n_samples, q), the last column is ones
    scale: torch.Tensor  # (q - 1,)
    space: torch.Tensor  # (q - 1,), number of the space of each column
    rows: object
    inner: solve.InnerProducts

    def select(self, names):
        """Return the spaces ``names`` alone (in their order here), with the inner products already made."""
        numbers = torch.tensor([list(self.bases).index(name) for name in names], device=self.space.device)
        part = self.narrow(torch.isin(self.space, numbers))
        bases = {name: self.bases[name] for name in names}
        return part._replace(bases=bases, space=torch.searchsorted(numbers, part.space))

    def narrow(self, keep):
        """Return the columns ``keep`` (bool tensor (q - 1,)) alone; inner products are cut out where they were made."""
        columns = torch.cat([torch.nonzero(keep)[:, 0], torch.tensor([len(keep)], device=keep.device)])
        Q, scale = self.Q[:, columns], self.scale[keep]
        if self.all_primal():
            train = [gram[columns][:, columns] for gram in self.inner.train]
            inner = solve.InnerProducts(self.inner.total[columns][:, columns], train, None)
        else:
            inner = solve.inner_products(Q, scale, self.rows)
        return self._replace(Q=Q, scale=scale, space=self.space[keep], inner=inner)

    def all_primal(self):
        """Say whether every fold has at least as many training samples as there are columns."""
        return all(solve.is_primal(fold, len(self.scale)) for fold in self.rows.folds)

    def scale_at(self, gamma):
        """Return the columns' scale (q - 1,) under the spaces' weights ``gamma``."""
        return self.scale * torch.as_tensor(gamma, dtype=torch.float64, device=self.Q.device)[self.space].sqrt()


def make_spaces(X, folds, device, dtype, fit_intercept, n_targets):
    """Return `Spaces` for a dict of features.

    Parameters
    ----------
    X : dict of array (n_samples, n_features)
    folds : list of (train, test)
    device : torch.device
    dtype : torch.dtype
    fit_intercept : bool
    n_targets : int
    """
    bases = {name: Basis(x, device, dtype, fit_intercept, n_targets) for name, x in X.items()}
    Q = torch.cat([basis.Q[:, :-1] for basis in bases.values()] + [next(iter(bases.values())).Q[:, -1:]], dim=1)
    for basis in bases.values():
        basis.kernel = None
        if basis.primal or basis.V is not None:
            basis.Q = None  # its copy is in the joint one
    scale = torch.cat([basis.scale for basis in bases.values()])
    space = torch.repeat_interleave(
        torch.arange(len(bases)), torch.tensor([basis.rank for basis in bases.values()])
    ).to(device)
    rows = make_rows(folds, len(Q))
    return Spaces(bases, Q, scale, space, rows, solve.inner_products(Q, scale, rows))


def heard_columns(spaces, gamma):
    """Leave out the columns that a draw makes smaller than the numerical floor of the eigenvalues.

    Draws of a low concentration give a space a weight of 1e-15 as soon as not: what cannot be told from rounding
    need not be multiplied.

    Returns
    -------
    spaces : Spaces
    heard : tensor of int (q,), or None
        Columns of Q that are left; None if all are.
    """
    size = spaces.scale_at(gamma) ** 2
    keep = size > len(spaces.Q) / 2 * torch.finfo(torch.float64).eps * size.max()  # as in `eigh_above_floor`
    if keep.all() or not spaces.all_primal():
        return spaces, None
    last = torch.ones(1, dtype=torch.bool, device=keep.device)
    return spaces.narrow(keep), torch.nonzero(torch.cat([keep, last]))[:, 0]


def scaled_inner(spaces, gamma):
    """Return the columns' scale under one draw, and the inner products that go with it."""
    scale, inner = spaces.scale_at(gamma), spaces.inner
    if inner.kernel is not None:
        inner = inner._replace(kernel=solve.kernel_of(spaces.Q, scale))
    return scale, inner
