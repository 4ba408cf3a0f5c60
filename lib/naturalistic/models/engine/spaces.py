"""Feature spaces side by side: their bases, their scale under a draw of weights, and the fit on all samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from numpy.typing import NDArray

from naturalistic.models.engine import solve
from naturalistic.models.engine.decomposition import Basis, eigh_above_floor
from naturalistic.models.engine.device import in_parallel
from naturalistic.models.engine.fold_data import FoldIndices, make_fold_indices
from naturalistic.models.engine.solve import InnerProducts


class Spaces(NamedTuple):
    """Feature spaces on one orthonormal basis each, side by side, with their inner products."""

    bases: dict  # name: Basis
    Q: torch.Tensor  # (n_samples, q), the last column is ones
    scale: torch.Tensor  # (q - 1,)
    space: torch.Tensor  # (q - 1,), number of the space of each column
    indices: FoldIndices
    inner: solve.InnerProducts

    def select(self, names: Sequence[str]) -> Spaces:
        """Return the spaces ``names`` alone, in their order here, with inner products."""
        numbers = torch.tensor([list(self.bases).index(name) for name in names], device=self.space.device)
        part = self.narrow(torch.isin(self.space, numbers))
        bases = {name: self.bases[name] for name in names}
        return part._replace(bases=bases, space=torch.searchsorted(numbers, part.space))

    def narrow(self, keep: torch.Tensor) -> Spaces:
        """Return the columns ``keep`` (bool tensor (q - 1,)) alone, with inner products."""
        columns = torch.cat([torch.nonzero(keep)[:, 0], torch.tensor([len(keep)], device=keep.device)])
        Q = self.Q[:, columns]
        scale = self.scale[keep]
        if self.all_primal():
            train = [gram[columns][:, columns] for gram in self.inner.train]
            inner = solve.InnerProducts(self.inner.total[columns][:, columns], train, None)
        else:
            inner = solve.inner_products(Q, scale, self.indices)
        return self._replace(Q=Q, scale=scale, space=self.space[keep], inner=inner)

    def all_primal(self) -> bool:
        """Return whether every fold has at least as many training samples as there are columns."""
        return all(solve.is_primal(fold, len(self.scale)) for fold in self.indices.folds)

    def scale_at(self, gamma: NDArray) -> torch.Tensor:
        """Return the columns' scale (q - 1,) under the spaces' weights ``gamma``."""
        return self.scale * torch.as_tensor(gamma, dtype=torch.float64, device=self.Q.device)[self.space].sqrt()


def make_spaces(
    X: Mapping[str, NDArray],
    folds: Sequence[tuple[NDArray, NDArray]],
    device: torch.device,
    dtype: torch.dtype,
    fit_intercept: bool,
    n_targets: int,
) -> Spaces:
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

    def make(x: NDArray) -> Basis:
        return Basis(x, device, dtype, fit_intercept, n_targets)

    n_bytes = max(_bytes_of_eigh(min(x.shape)) for x in X.values())
    bases = dict(zip(X, in_parallel(make, list(X.values()), device, n_bytes)))
    Q = torch.cat([basis.Q[:, :-1] for basis in bases.values()] + [next(iter(bases.values())).Q[:, -1:]], dim=1)
    for basis in bases.values():
        basis.kernel = None
        if basis.primal or basis.V is not None:
            basis.Q = None  # its copy is in the joint one
    scale = torch.cat([basis.scale for basis in bases.values()])
    space = torch.repeat_interleave(
        torch.arange(len(bases)), torch.tensor([basis.rank for basis in bases.values()])
    ).to(device)
    indices = make_fold_indices(folds, len(Q))
    return Spaces(bases, Q, scale, space, indices, solve.inner_products(Q, scale, indices))


def columns_above_floor(spaces: Spaces, gamma: NDArray) -> tuple[Spaces, torch.Tensor | None]:
    """Leave out the columns that a draw makes smaller than the numerical floor of the eigenvalues.

    Draws of a low concentration often give a space a weight of 1e-15: columns that cannot be told from rounding
    need not be multiplied.

    Returns
    -------
    spaces : Spaces
    columns : tensor of int (q,), or None
        Columns of Q that are left; None if all are.
    """
    keep = _above_floor(spaces, gamma)
    if keep is None:
        return spaces, None
    last = torch.ones(1, dtype=torch.bool, device=keep.device)
    return spaces.narrow(keep), torch.nonzero(torch.cat([keep, last]))[:, 0]


def _above_floor(spaces: Spaces, gamma: NDArray) -> torch.Tensor | None:
    """Return which columns (bool tensor (q - 1,)) a draw leaves above the floor; None if all, or in the dual."""
    size = spaces.scale_at(gamma) ** 2
    keep = size > len(spaces.Q) / 2 * torch.finfo(torch.float64).eps * size.max()  # as in `eigh_above_floor`
    return None if keep.all() or not spaces.all_primal() else keep


def scaled_inner(spaces: Spaces, gamma: NDArray) -> tuple[torch.Tensor, InnerProducts]:
    """Return the columns' scale under one draw, and the inner products that go with it."""
    scale = spaces.scale_at(gamma)
    inner = spaces.inner
    if inner.kernel is not None:
        inner = inner._replace(kernel=solve.kernel_of(spaces.Q, scale))
    return scale, inner


FITS_BYTES = 2**28  # of decompositions held at once: the targets are read once for all of them


def grouped_fits(
    spaces: Spaces, gammas: NDArray, draws: list[int], known: dict[int, FullFit] | None = None
) -> Iterator[dict[int, FullFit]]:
    """Yield the fits of draws, as many at a time as `FITS_BYTES` hold (at least one).

    Targets on a disk are read once a group; once a draw would take longer than the fits.

    Parameters
    ----------
    spaces : Spaces
    gammas : array (n_draws, n_spaces)
    draws : list of int
        Rows of ``gammas``.
    known : dict of int to FullFit, optional
        Fits that were made before, to which those of this call are added while `FITS_BYTES` hold them.

    Yields
    ------
    fits : dict of int to FullFit
    """
    q = spaces.Q.shape[1]
    n_samples = len(spaces.Q)
    size = 2 * q * q if _is_primal(spaces.Q) else n_samples * (n_samples + q)  # numbers that a fit keeps
    step = max(1, FITS_BYTES // (size * spaces.Q.element_size()))
    known = {} if known is None else known
    for first in range(0, len(draws), step):
        wanted = draws[first : first + step]
        fits = {k: known[k] for k in wanted if k in known}
        missing = [k for k in wanted if k not in known]
        made = in_parallel(
            lambda k: FullFit(spaces, gammas[k]), missing, spaces.Q.device, _bytes_of_eigh(min(q, n_samples))
        )
        for k, fit in zip(missing, made):
            fits[k] = fit
            if len(known) < step:
                known[k] = fit
        yield fits


def _bytes_of_eigh(size: int) -> int:
    """Return the working memory of an eigendecomposition (size x size): matrix, vectors and two copies, float64."""
    return 4 * 8 * size**2


def right_side(spaces: Spaces, y: torch.Tensor) -> torch.Tensor:
    """Return the argument of `FullFit` for targets: their products with the columns, or (dual) themselves."""
    return spaces.Q[:, :-1].T @ y if _is_primal(spaces.Q) else y


def _is_primal(Q: torch.Tensor) -> bool:
    return Q.shape[1] - 1 <= len(Q)


class FullFit:
    """Ridge on all samples under one draw; maps a `right_side` and its alphas to inner weights."""

    def __init__(self, spaces: Spaces, gamma: NDArray) -> None:
        Q = spaces.Q[:, :-1]
        scale, inner = scaled_inner(spaces, gamma)
        dtype = Q.dtype
        self.primal = _is_primal(spaces.Q)
        self.n_columns = Q.shape[1]
        self.columns = None  # those that the draw leaves above the floor, if not all: a small problem, not a large one
        if self.primal:
            total = inner.total
            if total is None:
                total = Q.T.to(torch.float64) @ Q.to(torch.float64)
            total = total[: len(scale), : len(scale)]
            own_scale = spaces.scale
            keep = _above_floor(spaces, gamma)
            if keep is not None:
                self.columns = torch.nonzero(keep)[:, 0]
                total = total[self.columns][:, self.columns]
                scale = scale[keep]
                own_scale = own_scale[keep]
            gram = scale[:, None] * total * scale
            self.eigenvalues, vectors = eigh_above_floor(gram, len(Q))
            self.W = (vectors / self.eigenvalues.sqrt() * scale[:, None]).T.to(dtype)
            self.back = (scale[:, None] / own_scale[:, None] * vectors).to(dtype)
        else:
            kernel = inner.kernel if inner.kernel is not None else solve.kernel_of(spaces.Q, scale)
            self.eigenvalues, vectors = eigh_above_floor(kernel, len(Q))
            outer = (scale**2 / spaces.scale).to(dtype)  # back to the scale of each space's own basis
            self.W = vectors.T.to(dtype)
            self.back = outer[:, None] * (Q.T @ vectors.to(dtype))

    def __call__(self, z: torch.Tensor, alphas: torch.Tensor) -> torch.Tensor:
        """Return weights (n_targets, q - 1) on the columns of each space's ``Q diag(scale)``."""
        z = z if self.columns is None else z[self.columns]
        e = self.eigenvalues[:, None]
        filters = (e.sqrt() if self.primal else 1) / (e + alphas)
        weights = (filters.to(z.dtype) * (self.W @ z)).T @ self.back.T
        if self.columns is None:
            return weights
        of_all = torch.zeros((len(weights), self.n_columns), dtype=z.dtype, device=z.device)
        of_all[:, self.columns] = weights
        return of_all
