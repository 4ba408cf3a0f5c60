"""Scores of every alpha from the moments of few predictions.

The filters of all alphas (`shrinkage`) are written in as few dimensions as the precision needs (`compress`).
Correlation and r2 need only the squared norm of an alpha's predictions, their product with the targets and their
mean. All three follow from the predictions of the few ``factors`` that span the filters. Two exact methods give
them; `FoldScorer` takes the cheaper:

`Direct`
    makes the factors' predictions, ``n_test`` rows each. Best for short test sets.
`Rotated`
    turns the targets into the eigenbasis once, where the norm needs the triangle R of a QR decomposition of the
    test features (at most rank rows, half of them zeros) and the product is a sum over eigenvectors.
"""

from typing import Any, Literal, NamedTuple

import numpy as np
import torch

from naturalistic.models.engine.decomposition import Spectrum

TOLERANCE = {torch.float32: 1e-6, torch.float64: 1e-14}


def shrinkage(eigenvalues: torch.Tensor, alphas: torch.Tensor) -> torch.Tensor:
    """Return ``e / (e + alpha)`` (rank, n_alphas), float64."""
    return eigenvalues[:, None] / (eigenvalues[:, None] + alphas[None, :])


def compress(filters: torch.Tensor, tolerance: float) -> tuple[torch.Tensor, torch.Tensor]:
    r"""Write the filters of all alphas as combinations of few.

    The matrix :math:`e_i / (e_i + \alpha_j)` is of Cauchy type, its singular values fall geometrically: 25
    alphas from 1e-12 to 1e12 span 7 to 10 dimensions at 1e-6. As many are kept as make every single entry, not
    only their sum, right to ``tolerance`` times itself.

    Parameters
    ----------
    filters : tensor (rank, n_alphas)
        Positive, float64.
    tolerance : float
        Largest relative error of an entry.

    Returns
    -------
    factors : tensor (rank, n_kept)
    mixing : tensor (n_kept, n_alphas)
        ``factors @ mixing`` is ``filters`` to the tolerance, exactly if nothing is gained by compressing.
    """
    rank, n_alphas = filters.shape
    columns = filters.amax(dim=0) if rank else torch.ones(n_alphas, dtype=filters.dtype, device=filters.device)
    scaled = filters / columns  # scores do not depend on the size of a prediction; neither must the tolerance
    exact = scaled, torch.diag(columns)
    if n_alphas < 3 or rank == 0:
        return exact
    rows = scaled.amax(dim=1, keepdim=True)
    scaled = scaled / rows
    U, s, Vt = torch.linalg.svd(scaled, full_matrices=False)
    for n_kept in range(_fewest(s, scaled.numel(), tolerance), min(len(s), n_alphas - 1) + 1):
        error = (U[:, :n_kept] * s[:n_kept]) @ Vt[:n_kept] - scaled
        if float((error.abs() / scaled).max()) <= tolerance:
            return rows * U[:, :n_kept] * s[:n_kept], Vt[:n_kept] * columns
    return exact


def _fewest(s: torch.Tensor, size: int, tolerance: float) -> int:
    """Return a number of dimensions that fewer cannot do: their largest error is no less than their mean one.

    Entries are 1 at most, so that an error relative to them is no less than the error itself.
    """
    left = np.sqrt(np.cumsum(np.square(s.cpu().numpy())[::-1])[::-1] / size)  # of keeping 0, 1, ...
    return max(1, int(np.count_nonzero(left > 2 * tolerance)))  # 2: rounding of the singular values


SLAB = 1024  # targets at a time: their arrays stay in cache
N_STEPS = 8  # steps of the staircase that stands for a triangle: 9/16 of the square's work


class TargetStats(NamedTuple):
    """Means and sums of squares of the targets over a fold's rows, float64, one value a target."""

    test_mean: torch.Tensor
    test_ss: torch.Tensor  # about the test mean; 0 exactly where the target is constant
    train_mean: torch.Tensor  # zeros without intercept
    train_varies: torch.Tensor  # bool


def _squares(predicted: torch.Tensor, pairs: bool) -> torch.Tensor:
    """Return products of factors' predictions (n_targets, k, n): of all pairs (n_targets, k, k), or each with itself.

    Alphas that could not be compressed are their own factors, and no alpha needs the product of two of them.
    """
    if pairs:
        return torch.bmm(predicted, predicted.mT)
    return torch.linalg.vector_norm(predicted, dim=2).square_()


class Direct:
    """Moments from the predictions of each factor: one product with ``(n_test + 1) * n_factors`` rows."""

    def __init__(
        self, spectrum: Spectrum, factors: torch.Tensor, dtype: torch.dtype, n_targets: int, pairs: bool = True
    ) -> None:
        self.pairs = pairs
        self.n_factors = factors.shape[1]
        self.n_test = len(spectrum.Z)
        W = spectrum.W.to(dtype)
        blocks = [(spectrum.Z * f).to(dtype) @ W for f in factors.T]
        self.rows = torch.cat(blocks) if blocks else W[:0]
        self.mean_rows = (factors.T * spectrum.Z_mean).to(dtype) @ W

    def moments(
        self, B_train: torch.Tensor, _: torch.Tensor, Y_test: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return norms (see `_squares`), products (n_targets, k) and means (n_targets, k) of k factors."""
        norms = []
        products = []
        for start in range(0, B_train.shape[1], SLAB):
            slab = slice(start, start + SLAB)
            predicted = (B_train[:, slab].T @ self.rows.T).view(-1, self.n_factors, self.n_test)
            norms.append(_squares(predicted, self.pairs))
            products.append(torch.bmm(predicted, Y_test[:, slab].T.contiguous()[:, :, None])[:, :, 0])
        return torch.cat(norms), torch.cat(products), B_train.T @ self.mean_rows.T


class Rotated:
    """Moments in the eigenbasis: norm by the triangle of the test features, product by a sum."""

    def __init__(
        self, spectrum: Spectrum, factors: torch.Tensor, dtype: torch.dtype, n_targets: int, pairs: bool = True
    ) -> None:
        self.pairs = pairs
        n_test, rank = spectrum.Z.shape
        n_factors = factors.shape[1]
        saved = n_factors * (2 * n_test * rank - stair_work(n_test, rank))
        if n_targets * saved > 16 * n_test * rank**2:  # what the decomposition costs, in float64
            R = torch.linalg.qr(spectrum.Z, mode="r").R
            step = max(64, -(-rank // N_STEPS))
        else:
            R = spectrum.Z
            step = n_test
        self.stairs = [(k, R[k : k + step, k:].T.to(dtype).contiguous()) for k in range(0, len(R), step)]
        self.W = spectrum.W.to(dtype)
        self.W_test = spectrum.W_test.to(dtype)
        self.factors = factors.to(dtype)
        self.mean_factors = (factors * spectrum.Z_mean[:, None]).to(dtype)

    def moments(
        self, B_train: torch.Tensor, B_test: torch.Tensor, _: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return norms (see `_squares`), products (n_targets, k) and means (n_targets, k) of k factors."""
        norms = []
        products = []
        means = []
        for start in range(0, B_train.shape[1], SLAB):
            slab = slice(start, start + SLAB)
            w = B_train[:, slab].T @ self.W.T
            products.append((w * (B_test[:, slab].T @ self.W_test.T)) @ self.factors)
            means.append(w @ self.mean_factors)
            norm = 0
            for first, stair in self.stairs:
                # the filters go into the few rows of the staircase, not into the coordinates of every target
                filtered = (self.factors[first:, :, None] * stair[:, None, :]).flatten(1)
                norm = norm + _squares((w[:, first:] @ filtered).view(len(w), -1, stair.shape[1]), self.pairs)
            norms.append(norm)
        return torch.cat(norms), torch.cat(products), torch.cat(means)


class FoldScorer:
    """Scores of all alphas on one fold.

    Parameters
    ----------
    spectrum : Spectrum
    alphas : tensor (n_alphas,)
    scoring : {"correlation", "r2"}
    dtype : torch.dtype
        Precision of the large products.
    n_targets : int
        Targets that will be scored: their number decides which method is the cheaper.
    """

    def __init__(
        self,
        spectrum: Spectrum,
        alphas: torch.Tensor,
        scoring: Literal["correlation", "r2"],
        dtype: torch.dtype,
        n_targets: int,
    ) -> None:
        self.scoring = scoring
        self.n_test = len(spectrum.Z)
        self.dual = spectrum.dual
        factors, self.mixing = compress(shrinkage(spectrum.eigenvalues, alphas), TOLERANCE[dtype])
        self.pairs = factors.shape[1] < len(alphas)
        self.empty = len(spectrum.eigenvalues) == 0
        method = Direct if direct_is_cheaper(spectrum, factors.shape[1], n_targets) else Rotated
        self.method = None if self.empty else method(spectrum, factors, dtype, n_targets, self.pairs)

    @property
    def n_bytes(self) -> int:
        """Memory that the scorer keeps."""
        tensors = [] if self.empty else [x for value in vars(self.method).values() for x in _tensors(value)]
        return sum(x.numel() * x.element_size() for x in tensors)

    def scores(
        self, B_train: torch.Tensor, B_test: torch.Tensor, Y_test: torch.Tensor, stats: TargetStats
    ) -> torch.Tensor:
        """Return the scores (n_alphas, n_targets), float64; 0 where a score is not defined.

        Parameters
        ----------
        B_train : tensor (q, n_targets)
            ``Q_train' Y_train`` (primal) or ``Y_train`` (dual).
        B_test : tensor (q, n_targets)
            ``Q_test' Y_test`` (primal) or ``Y_test`` (dual).
        Y_test : tensor (n_test, n_targets)
        stats : TargetStats
        """
        if self.empty:
            ss = cross = mean = torch.zeros(
                (self.mixing.shape[1], Y_test.shape[1]), dtype=torch.float64, device=Y_test.device
            )
        else:
            norms, products, means = (m.to(torch.float64) for m in self.method.moments(B_train, B_test, Y_test))
            squares = self.mixing**2  # diagonal where alphas are their own factors
            if self.pairs:
                squares = (self.mixing[:, None, :] * self.mixing[None, :, :]).flatten(0, 1)
            ss = (norms.flatten(1) @ squares).T.clamp(min=0)
            cross = (products @ self.mixing).T
            mean = (means @ self.mixing).T
        if self.scoring == "correlation":
            return correlation_scores(ss, cross, stats)
        return r2_scores(ss, cross, mean, stats, self.n_test)


def correlation_scores(ss: torch.Tensor, cross: torch.Tensor, stats: TargetStats) -> torch.Tensor:
    """Return correlations (..., n_alphas, n_targets) of predictions with targets; 0 where they are not defined.

    Parameters
    ----------
    ss : tensor (..., n_alphas, n_targets)
        Sum of squares of the predictions about their mean over the test rows, float64.
    cross : tensor (..., n_alphas, n_targets)
        Sum of their products with the targets.
    stats : TargetStats
    """
    defined = (ss > 0) & (stats.test_ss > 0) & stats.train_varies
    size = (ss * stats.test_ss).sqrt()
    score = torch.where(defined, cross / size, torch.zeros_like(cross)).clamp(-1, 1)
    return torch.nan_to_num(score, nan=0.0, posinf=0.0, neginf=0.0)


def r2_scores(
    ss: torch.Tensor, cross: torch.Tensor, mean: torch.Tensor, stats: TargetStats, n_test: int
) -> torch.Tensor:
    """Return explained shares of variance (..., n_alphas, n_targets); 0 where they are not defined.

    Parameters
    ----------
    ss, cross, stats
        As in `correlation_scores`.
    mean : tensor (..., n_alphas, n_targets)
        Of the predictions over the test rows, counted from the training mean.
    n_test : int
    """
    shift = stats.test_mean - stats.train_mean - mean * stats.train_varies
    varies = stats.train_varies.to(ss.dtype)
    residual = stats.test_ss - (2 * cross - ss) * varies + n_test * shift**2
    score = torch.where(stats.test_ss > 0, 1 - residual / stats.test_ss, torch.zeros_like(cross))
    return torch.nan_to_num(score, nan=0.0, posinf=0.0, neginf=0.0)


def _tensors(value: Any) -> list[torch.Tensor]:
    """Return the tensors in a value: itself, or those in (lists of) tuples."""
    if isinstance(value, torch.Tensor):
        return [value]
    return [x for part in value for x in _tensors(part)] if isinstance(value, (list, tuple)) else []


def direct_is_cheaper(spectrum: Spectrum, n_factors: int, n_targets: int) -> bool:
    """Return whether `Direct` takes fewer operations than `Rotated` (products in float64 count twice)."""
    n_test, rank = spectrum.Z.shape
    q = spectrum.W.shape[1]
    k = n_factors
    q_test = spectrum.W_test.shape[1]
    direct = 2 * n_test * q * k * (n_targets + rank)
    rotated = n_targets * (2 * rank * (q + q_test) + k * stair_work(n_test, rank)) + 8 * n_test * rank**2
    return direct <= rotated


def stair_work(n_test: int, rank: int) -> float:
    """Return the operations of one product with the staircase of a triangle of ``min(n_test, rank)`` rows."""
    rows = min(n_test, rank)
    return 2 * rows * rank - rows**2 * (1 - 1 / N_STEPS)
