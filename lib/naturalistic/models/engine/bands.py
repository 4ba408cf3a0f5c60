"""Several feature spaces, each with its own weight: the random search over weights, and the fit at the best.

Scaling the columns of space s by ``sqrt(gamma_s)`` before ridge penalises its weights by ``alpha / gamma_s``.
The columns' inner products are made once; a draw of gamma scales their rows and columns (``D G D``).
"""

from typing import NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from naturalistic.models.engine import solve
from naturalistic.models.engine.device import batches, free_memory, in_parallel
from naturalistic.models.engine.full_fit import grouped_fits, right_side
from naturalistic.models.engine.rows import fold_products
from naturalistic.models.engine.spaces import heard_columns, scaled_inner
from naturalistic.models.engine.targets import load_targets, look, score_folds
from naturalistic.parameters import check_seed, is_whole, whole

CACHE_BYTES = 2**27  # of products kept from one reading of the targets to the next; beyond it they are made again
JUDGES_BYTES = 2**28  # of what judges draws that are tried together: the targets are read once for all of them


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
    n_draws, n_spaces = whole("n_draws", n_draws), whole("n_spaces", n_spaces)
    generator, concentration = np.random.default_rng(check_seed(seed)), np.atleast_1d(concentration)
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
    if is_whole(n_draws):
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
        Read once for as many draws as `JUDGES_BYTES` hold (with patience for each), and once more for the weights.
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
    scores, best = np.full((len(gammas), Y.shape[1]), np.nan), np.full(Y.shape[1], -np.inf)
    draw, alpha, idle = (np.zeros(Y.shape[1], dtype=int) for _ in range(3))
    together = len(gammas) if patience is None else 1  # a target that stops does so between draws
    with search.bar(len(gammas), progress) as bar:
        for first in range(0, len(gammas), together):
            active = np.flatnonzero(idle < (patience or 1))
            if len(active) == 0:
                break
            tried = search.try_draws(gammas[first : first + together], active, bar)
            for k, (found, chosen) in enumerate(tried, first):
                scores[k, active] = found
                better = found > best[active] + solve.TIE[spaces.Q.dtype]
                idle[active] += 1
                won = active[better]
                best[won], draw[won], alpha[won], idle[won] = found[better], k, chosen[better], 0
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
    with search.bar(len(gammas), progress) as bar:
        scores, alpha = (np.stack(part) for part in zip(*search.try_draws(gammas, every, bar)))
    for rows in choices:
        among = scores[rows]
        best = (among >= among.max(axis=0) - solve.TIE[spaces.Q.dtype]).argmax(axis=0)  # the first of equals
        draw = np.asarray(rows)[best]
        coef, mean = search.refit(gammas, draw, alpha[draw, every])
        yield BandsSolution(coef, mean, alphas[alpha[draw, every]], gammas[draw].T, among)


class _Search:
    """The targets, in batches, with their products with the features kept from one reading to the next if they fit."""

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
        return load_targets(self.Y, batch, self.device, self.dtype, self.fit_intercept)

    def bar(self, n_draws, progress):
        """Return a progress bar that counts targets, each as often as there are draws."""
        how = {"unit": "fit", "unit_scale": True, "disable": not progress, "delay": solve.PROGRESS_DELAY}
        return tqdm(total=n_draws * self.Y.shape[1], **how)

    def try_draws(self, gammas, active, bar):
        """Yield of each draw the best scores (n_active,) over alphas, and the numbers of those alphas."""
        for group in self._judged(gammas, len(active)):

            def judge(batch, group=group):
                """Return both (n_draws of the group, n) for the active targets of one batch."""
                columns = active[(active >= batch.start) & (active < batch.stop)] - batch.start
                if len(columns) == 0:
                    return np.empty((len(group), 0)), np.empty((len(group), 0), dtype=int)
                y, seen = self._look(batch, columns)
                found = [score_folds(judges, seen, y, self.spaces.rows, heard) for judges, heard in group]
                chosen = [solve.first_best(scores, self.dtype) for scores in found]
                best = [scores.gather(0, first[None])[0] for scores, first in zip(found, chosen)]
                return torch.stack(best).cpu().numpy(), torch.stack(chosen).cpu().numpy()

            parts = []
            for part in in_parallel(judge, self.batches, self.device):
                parts.append(part)
                bar.update(part[0].size)
            group.clear()  # gives their memory back before the next are made
            yield from zip(*(np.concatenate(part, axis=1) for part in zip(*parts)))

    def _judged(self, gammas, n_targets):
        """Yield the judges of draws, with the columns they hear, as many draws at a time as `JUDGES_BYTES` hold."""
        group, size, how = [], 0, (self.penalties, self.scoring, self.fit_intercept, n_targets)
        for gamma in gammas:
            spaces, heard = heard_columns(self.spaces, gamma)
            scale, inner = scaled_inner(spaces, gamma)
            judges = solve.fold_judges(spaces.Q, scale, spaces.rows, inner, *how)
            group.append((judges, heard))
            size += sum(judge.n_bytes for judge in judges)
            if size >= JUDGES_BYTES:
                yield group
                group, size = [], 0
        if group:
            yield group

    def _look(self, batch, columns):
        """Return some targets (counted from the batch's first) and what each fold sees of them."""
        y, rows = self.load(batch)[0], self.spaces.rows
        blocks = None if self.cache is None else self.cache.get(batch.start)
        if blocks is None and any(solve.is_primal(fold, len(self.spaces.scale)) for fold in rows.folds):
            blocks = [self.spaces.Q[fold.test].T @ y[fold.test] for fold in rows.folds]
            if self.cache is not None:
                self.cache[batch.start] = blocks
        if len(columns) < y.shape[1]:
            y, blocks = y[:, columns], blocks and [block[:, columns] for block in blocks]
        products = blocks and fold_products(self.spaces.Q, y, rows, test=blocks)
        return y, look(y, rows, products, self.fit_intercept)

    def refit(self, gammas, draw, alpha):
        """Return weights {name: (n_targets, n_features)} and target means (n_targets,) at the chosen draws."""
        bases, n_targets = self.spaces.bases, self.Y.shape[1]
        dtype = np.float32 if self.dtype == torch.float32 else np.float64
        coef = {name: np.empty((n_targets, len(basis.mean)), dtype) for name, basis in bases.items()}
        means = np.empty(n_targets)
        for fits in grouped_fits(self.spaces, gammas, np.unique(draw).tolist()):

            def fit(batch, fits=fits):
                """Fill in the weights and means of the targets of one batch that chose one of these draws."""
                columns = {k: own for k in fits if len(own := np.flatnonzero(draw[batch] == k))}
                if not columns:
                    return
                y, mean = self.load(batch)
                z = right_side(self.spaces, y)  # of all: a product for each draw would read the features once for each
                for k, own in columns.items():
                    targets = own + batch.start
                    means[targets] = mean[own]
                    inner = fits[k](z[:, own], self.penalties[alpha[targets]])
                    for number, (name, basis) in enumerate(bases.items()):
                        part = inner[:, self.spaces.space == number]
                        coef[name][targets] = basis.weights(part).cpu().numpy()

            list(in_parallel(fit, self.batches, self.device))
            fits.clear()
        return coef, means
