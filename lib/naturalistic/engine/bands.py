"""Several feature spaces, each with its own weight: the random search over weights, and the fit at the best.

Scaling the columns of space s by ``sqrt(gamma_s)`` before ridge penalises its weights by ``alpha / gamma_s``.
The columns' inner products are made once; a draw of gamma scales their rows and columns (``D G D``).
"""

from numbers import Integral
from typing import NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from naturalistic.engine import solve
from naturalistic.engine.basis import eigh_above_floor
from naturalistic.engine.device import batches, free_memory, in_parallel
from naturalistic.engine.inputs import check_count
from naturalistic.engine.spaces import heard_columns, scaled_inner

CACHE_BYTES = 2**27  # of products kept from draw to draw; beyond it they are made again (about 6 % more time)


def draw_gammas(n_draws, n_spaces, concentration=(0.1, 1.0), seed=0):
    """Draw weights of feature spaces from Dirichlet distributions; the first draw weighs all spaces alike.

    Parameters
    ----------
    n_draws : int
    n_spaces : int
    concentration : float or sequence of float
        Below 1 most draws favour one space, at 1 they are uniform on the simplex. A sequence is cycled through.
    seed : int

    Returns
    -------
    gammas : array (n_draws, n_spaces)
        Each row sums to 1.

    Raises
    ------
    ValueError
        If a number is not whole and positive.
    """
    check_count(n_draws, "n_draws"), check_count(n_spaces, "n_spaces")
    generator, concentration = np.random.default_rng(seed), np.atleast_1d(concentration)
    gammas = [generator.dirichlet([concentration[k % len(concentration)]] * n_spaces) for k in range(n_draws)]
    gammas[0] = np.full(n_spaces, 1 / n_spaces)
    return np.array(gammas)


def gammas_to_try(n_draws, n_spaces, concentration, seed):
    """Return weights (n_draws, n_spaces), drawn if ``n_draws`` is a number and else checked; see `BandedRidgeCV`.

    Raises
    ------
    ValueError
        If the number is not whole and positive, or the weights are of another shape, negative, not finite, or all
        zero in a draw.
    """
    if isinstance(n_draws, Integral):
        return draw_gammas(n_draws, n_spaces, concentration, seed)
    gammas = np.asarray(n_draws, dtype=np.float64)
    if gammas.ndim != 2 or gammas.shape[1] != n_spaces or not len(gammas):
        raise ValueError(f"n_draws has shape {gammas.shape}, expected a number or (n_draws, {n_spaces}) weights")
    if not (np.isfinite(gammas).all() and (gammas >= 0).all() and (gammas.sum(axis=1) > 0).all()):
        raise ValueError("n_draws has weights that are negative, not finite, or all zero in a draw")
    return gammas


class BandsSolution(NamedTuple):
    """What `solve_banded` returns, as numpy arrays."""

    coef: dict  # name: (n_targets, n_features)
    target_mean: np.ndarray  # (n_targets,)
    alphas: np.ndarray  # (n_targets,)
    gammas: np.ndarray  # (n_spaces, n_targets)
    cv_scores: np.ndarray  # (n_draws, n_targets), of the best alpha; NaN where a target had stopped


def solve_banded(
    spaces, Y, alphas, gammas, *, scoring, fit_intercept, patience=None, n_targets_batch=None, progress=False
):
    """Choose weights of the spaces and an alpha for each target, then fit on all samples.

    Parameters
    ----------
    spaces : Spaces
    Y : array or data set (n_samples, n_targets)
        Read once a draw; its products with the features are kept if they fit `CACHE_BYTES`.
    alphas : array (n_alphas,)
    gammas : array (n_draws, n_spaces)
        Weights to try, in order.
    scoring : {"correlation", "r2"}
    fit_intercept : bool
    patience : int, optional
        A target stops when this many draws in a row have not improved it.
    n_targets_batch : int, optional
    progress : bool

    Returns
    -------
    BandsSolution
    """
    search = _Search(spaces, Y, alphas, scoring, fit_intercept, n_targets_batch)
    scores = np.full((len(gammas), Y.shape[1]), np.nan)
    best = np.full(Y.shape[1], -np.inf)
    draw, alpha, idle = (np.zeros(Y.shape[1], dtype=int) for _ in range(3))
    for k, gamma in enumerate(tqdm(gammas, unit="draw", disable=not progress, delay=solve.PROGRESS_DELAY)):
        active = np.arange(Y.shape[1]) if patience is None else np.flatnonzero(idle < patience)
        if len(active) == 0:
            break
        scores[k, active], chosen = search.try_draw(gamma, active)
        better = scores[k, active] > best[active] + solve.TIE[spaces.Q.dtype]
        idle[active] += 1
        won = active[better]
        best[won], draw[won], alpha[won], idle[won] = scores[k, won], k, chosen[better], 0
    coef, mean = search.refit(gammas, draw, alpha)
    return BandsSolution(coef, mean, alphas[alpha], gammas[draw].T, scores)


def solve_choices(spaces, Y, alphas, gammas, choices, *, scoring, fit_intercept, n_targets_batch=None, progress=False):
    """Search all weights once; then fit the best of each choice of rows, one solution after the other.

    Parameters
    ----------
    spaces, Y, alphas, gammas, scoring, fit_intercept, n_targets_batch, progress
        As of `solve_banded`.
    choices : sequence of int array
        Rows of ``gammas`` to choose from.

    Yields
    ------
    BandsSolution
        With the scores of its rows alone.
    """
    search, every = _Search(spaces, Y, alphas, scoring, fit_intercept, n_targets_batch), np.arange(Y.shape[1])
    bar = tqdm(gammas, unit="draw", disable=not progress, delay=solve.PROGRESS_DELAY)
    scores, alpha = (np.stack(part) for part in zip(*(search.try_draw(gamma, every) for gamma in bar)))
    for rows in choices:
        among = scores[rows]
        best = (among >= among.max(axis=0) - solve.TIE[spaces.Q.dtype]).argmax(axis=0)  # the first of equals
        draw = np.asarray(rows)[best]
        coef, mean = search.refit(gammas, draw, alpha[draw, every])
        yield BandsSolution(coef, mean, alphas[alpha[draw, every]], gammas[draw].T, among)


class _Search:
    """The targets, in batches, with their products with the features kept from draw to draw if they fit."""

    def __init__(self, spaces, Y, alphas, scoring, fit_intercept, n_targets_batch):
        self.spaces, self.Y, self.alphas = spaces, Y, alphas
        self.scoring, self.fit_intercept = scoring, fit_intercept
        self.device, self.dtype = spaces.Q.device, spaces.Q.dtype
        self.penalties = torch.as_tensor(alphas, dtype=torch.float64, device=self.device)
        size = solve.bytes_per_target(spaces.rows, spaces.Q, sum(len(b.mean) for b in spaces.bases.values()))
        self.batches = batches(Y.shape[1], 2 * size, self.device, n_targets_batch)
        kept = len(spaces.rows.folds) * spaces.Q.shape[1] * Y.shape[1] * spaces.Q.element_size()
        self.cache = {} if kept <= min(CACHE_BYTES, free_memory(self.device) // 4) else None

    def load(self, batch):
        return solve.load_targets(self.Y, batch, self.device, self.dtype, self.fit_intercept)

    def try_draw(self, gamma, active):
        """Return the best score (n_active,) over alphas of one draw, and the number of that alpha."""
        spaces, heard = heard_columns(self.spaces, gamma)
        scale, inner = scaled_inner(spaces, gamma)
        judges = solve.fold_judges(
            spaces.Q, scale, spaces.rows, inner, self.penalties, self.scoring, self.fit_intercept, len(active)
        )

        def judge(batch):
            """Return the same for the active targets of one batch."""
            columns = active[(active >= batch.start) & (active < batch.stop)] - batch.start
            if len(columns) == 0:
                return np.empty(0), np.empty(0, dtype=int)
            y = self.load(batch)[0]
            blocks = None if self.cache is None else self.cache.get(batch.start)
            if blocks is None and not all(judge.dual for judge in judges):
                blocks = [self.spaces.Q[fold.test].T @ y[fold.test] for fold in spaces.rows.folds]
                if self.cache is not None:
                    self.cache[batch.start] = blocks
            if len(columns) < y.shape[1]:
                y = y[:, columns]
                blocks = None if blocks is None else [block[:, columns] for block in blocks]
            if heard is not None:
                blocks = [block[heard] for block in blocks]
            scores = solve.score_folds(judges, spaces.Q, y, spaces.rows, self.fit_intercept, blocks)[1]
            chosen = solve.first_best(scores, self.dtype)
            return scores.gather(0, chosen[None])[0].cpu().numpy(), chosen.cpu().numpy()

        found = list(in_parallel(judge, self.batches, self.device))
        return tuple(np.concatenate(part) for part in zip(*found))

    def refit(self, gammas, draw, alpha):
        """Return weights {name: (n_targets, n_features)} and target means (n_targets,) at the chosen draws."""
        bases, n_targets = self.spaces.bases, self.Y.shape[1]
        dtype = np.float32 if self.dtype == torch.float32 else np.float64
        coef = {name: np.empty((n_targets, len(basis.mean)), dtype) for name, basis in bases.items()}
        means = np.empty(n_targets)
        for k in np.unique(draw):
            weigh = FullFit(self.spaces, gammas[k])

            def fit(batch, k=k, weigh=weigh):
                columns = np.flatnonzero(draw[batch] == k)
                if len(columns) == 0:
                    return
                y, mean = self.load(batch)
                targets = columns + batch.start
                means[targets] = mean[columns]
                inner = weigh(y[:, columns], self.penalties[alpha[targets]])
                for number, (name, basis) in enumerate(bases.items()):
                    part = inner[:, self.spaces.space == number]
                    coef[name][targets] = basis.weights(part).cpu().numpy()

            list(in_parallel(fit, self.batches, self.device))
        return coef, means


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
