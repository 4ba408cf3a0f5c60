"""Banded ridge: the random search over the weights of feature spaces, the fit at the best, and sets of spaces.

Scaling the columns of space s by ``sqrt(gamma_s)`` before ridge penalizes its weights by ``alpha / gamma_s``.
The columns' inner products are computed once; a draw of gamma scales their rows and columns (``D G D``).
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from tqdm import tqdm

from naturalistic.models.engine import solve
from naturalistic.models.engine.device import batches, free_memory, in_parallel
from naturalistic.models.engine.fold_data import FoldTargets, fold_products, fold_statistics, load_targets, score_folds
from naturalistic.models.engine.spaces import (
    FullFit,
    Spaces,
    columns_above_floor,
    grouped_fits,
    right_side,
    scaled_inner,
)
from naturalistic.models.engine.validation import check_alphas
from naturalistic.parameters import check_seed, is_whole, whole

CACHE_BYTES = 2**27  # of products kept between two readings of the targets; larger ones are computed again
SCORERS_BYTES = 2**28  # of the scorers of draws that are tried together: the targets are read once for all of them
DRAWS_AT_ONCE = 16  # whose scorers are made in parallel


def draw_gammas(
    n_draws: int, n_spaces: int, concentration: float | Sequence[float] = (0.1, 1.0), seed: int = 0
) -> NDArray:
    """Draw weights of feature spaces from Dirichlet distributions, equal ones first.

    Parameters
    ----------
    n_draws : int
    n_spaces : int
    concentration : float or sequence of float
        Below 1 most draws favor one space, at 1 they are uniform on the simplex. A sequence is cycled through.
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
    n_draws = whole("n_draws", n_draws)
    n_spaces = whole("n_spaces", n_spaces)
    generator = np.random.default_rng(check_seed(seed))
    concentration = np.atleast_1d(concentration)
    gammas = [generator.dirichlet([concentration[k % len(concentration)]] * n_spaces) for k in range(n_draws)]
    gammas[0] = np.full(n_spaces, 1 / n_spaces)
    return np.array(gammas)


def gammas_to_try(
    n_draws: int | ArrayLike, n_spaces: int, concentration: float | Sequence[float], seed: int
) -> NDArray:
    """Return weights (n_draws, n_spaces), drawn if ``n_draws`` is a number.

    An array of weights is checked; see `BandedRidgeCV`.

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


class BandedSolution(NamedTuple):
    """Solution of `solve_banded`, as numpy arrays."""

    coef: dict  # name: (n_targets, n_features)
    target_mean: np.ndarray  # (n_targets,)
    alphas: np.ndarray  # (n_targets,)
    gammas: np.ndarray  # (n_spaces, n_targets)
    cv_scores: np.ndarray  # (n_draws, n_targets), of the best alpha; NaN where a target had stopped


def solve_banded(
    spaces: Spaces,
    Y: Any,
    alphas: NDArray,
    gammas: NDArray,
    *,
    scoring: Literal["correlation", "r2"],
    fit_intercept: bool,
    patience: int | None = None,
    n_targets_batch: int | None = None,
    progress: bool = False,
) -> BandedSolution:
    """Select weights of the spaces and an alpha for each target, then fit on all samples.

    Parameters
    ----------
    spaces : Spaces
    Y : array or data set (n_samples, n_targets)
        Read once for as many draws as `SCORERS_BYTES` hold (with patience for each), and once more for the weights.
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
    BandedSolution
    """
    search = _Search(spaces, Y, alphas, scoring, fit_intercept, n_targets_batch)
    n_targets = Y.shape[1]
    scores = np.full((len(gammas), n_targets), np.nan)
    best_score = np.full(n_targets, -np.inf)
    best_draw = np.zeros(n_targets, dtype=int)
    best_alpha = np.zeros(n_targets, dtype=int)
    n_idle = np.zeros(n_targets, dtype=int)
    n_together = len(gammas) if patience is None else 1  # a target that stops does so between draws
    with search.bar(len(gammas), progress) as bar:
        for first in range(0, len(gammas), n_together):
            active = np.flatnonzero(n_idle < (patience or 1))
            if len(active) == 0:
                break
            results = search.try_draws(gammas[first : first + n_together], active, bar)
            for k, (draw_scores, draw_alphas) in enumerate(results, first):
                scores[k, active] = draw_scores
                is_better = draw_scores > best_score[active] + solve.TIE[spaces.Q.dtype]
                improved = active[is_better]
                n_idle[active] += 1
                n_idle[improved] = 0
                best_score[improved] = draw_scores[is_better]
                best_draw[improved] = k
                best_alpha[improved] = draw_alphas[is_better]
    coef, mean = search.refit(gammas, best_draw, best_alpha)
    return BandedSolution(coef, mean, alphas[best_alpha], gammas[best_draw].T, scores)


def solve_row_sets(
    spaces: Spaces,
    Y: Any,
    alphas: NDArray,
    gammas: NDArray,
    row_sets: Sequence[NDArray],
    *,
    scoring: Literal["correlation", "r2"],
    fit_intercept: bool,
    n_targets_batch: int | None = None,
    progress: bool = False,
) -> Iterator[BandedSolution]:
    """Search all weights once; then fit the best of each set of rows, one solution after the other.

    Parameters
    ----------
    spaces, Y, alphas, gammas, scoring, fit_intercept, n_targets_batch, progress
        As in `solve_banded`.
    row_sets : sequence of int array
        Rows of ``gammas`` to select from.

    Yields
    ------
    BandedSolution
        With the scores of its rows alone.
    """
    search = _Search(spaces, Y, alphas, scoring, fit_intercept, n_targets_batch)
    targets = np.arange(Y.shape[1])
    with search.bar(len(gammas), progress) as bar:
        scores, alpha = (np.stack(part) for part in zip(*search.try_draws(gammas, targets, bar)))
    fits = {}  # sets that choose the same draw share its fit
    for rows in row_sets:
        row_scores = scores[rows]
        # the first of equals
        best = (row_scores >= row_scores.max(axis=0) - solve.TIE[spaces.Q.dtype]).argmax(axis=0)
        draw = np.asarray(rows)[best]
        coef, mean = search.refit(gammas, draw, alpha[draw, targets], fits)
        yield BandedSolution(coef, mean, alphas[alpha[draw, targets]], gammas[draw].T, row_scores)


class _Search:
    """Targets in batches; their products with the features are kept between readings if they fit."""

    def __init__(
        self,
        spaces: Spaces,
        Y: Any,
        alphas: NDArray,
        scoring: Literal["correlation", "r2"],
        fit_intercept: bool,
        n_targets_batch: int | None,
    ) -> None:
        self.spaces = spaces
        self.Y = Y
        self.alphas = alphas
        self.scoring = scoring
        self.fit_intercept = fit_intercept
        self.device = spaces.Q.device
        self.dtype = spaces.Q.dtype
        self.penalties = torch.as_tensor(alphas, dtype=torch.float64, device=self.device)
        size = solve.bytes_per_target(spaces.indices, spaces.Q, sum(len(b.mean) for b in spaces.bases.values()))
        self.batches = batches(Y.shape[1], 2 * size, self.device, n_targets_batch)
        n_bytes = len(spaces.indices.folds) * spaces.Q.shape[1] * Y.shape[1] * spaces.Q.element_size()
        self.cache = {} if n_bytes <= min(CACHE_BYTES, free_memory(self.device) // 4) else None

    def load(self, batch: slice) -> tuple[torch.Tensor, NDArray]:
        return load_targets(self.Y, batch, self.device, self.dtype, self.fit_intercept)

    def bar(self, n_draws: int, progress: bool) -> tqdm:
        """Return a progress bar that counts targets, each as often as there are draws."""
        total = n_draws * self.Y.shape[1]
        return tqdm(total=total, unit="fit", unit_scale=True, disable=not progress, delay=solve.PROGRESS_DELAY)

    def try_draws(self, gammas: NDArray, active: NDArray, bar: tqdm) -> Iterator[tuple[NDArray, NDArray]]:
        """Yield the best scores (n_active,) of each draw over alphas, and the numbers of those alphas."""
        for group in self._scored_draws(gammas, len(active)):

            def score(batch: slice, group: list = group) -> tuple[NDArray, NDArray]:
                """Return both (n_draws of the group, n) for the active targets of one batch."""
                columns = active[(active >= batch.start) & (active < batch.stop)] - batch.start
                if len(columns) == 0:
                    return np.empty((len(group), 0)), np.empty((len(group), 0), dtype=int)
                y, fold_targets = self._statistics(batch, columns)
                indices = self.spaces.indices
                draw_scores = [score_folds(scorers, fold_targets, y, indices, used) for scorers, used in group]
                alphas = [solve.first_best(scores, self.dtype) for scores in draw_scores]
                best = [scores.gather(0, alpha[None])[0] for scores, alpha in zip(draw_scores, alphas)]
                return torch.stack(best).cpu().numpy(), torch.stack(alphas).cpu().numpy()

            parts = []
            for part in in_parallel(score, self.batches, self.device):
                parts.append(part)
                bar.update(part[0].size)
            group.clear()  # frees their memory before the next are made
            yield from zip(*(np.concatenate(part, axis=1) for part in zip(*parts)))

    def _scored_draws(self, gammas: NDArray, n_targets: int) -> Iterator[list]:
        """Yield the scorers of draws and the columns they use, as many draws at a time as `SCORERS_BYTES` hold."""
        options = self.penalties, self.scoring, self.fit_intercept, n_targets

        def make(gamma: NDArray) -> tuple[list, torch.Tensor | None]:
            spaces, columns = columns_above_floor(self.spaces, gamma)
            scale, inner = scaled_inner(spaces, gamma)
            return solve.fold_scorers(spaces.Q, scale, spaces.indices, inner, *options), columns

        group = []
        size = 0
        first = 0
        n_at_once = 1  # the first shows how large they are; of large ones the folds are made in parallel, not the draws
        while first < len(gammas):
            for scorers, columns in in_parallel(make, gammas[first : first + n_at_once], self.device):
                group.append((scorers, columns))
                size += sum(scorer.n_bytes for scorer in scorers)
                first += 1
            mean_size = max(1, size // len(group))
            if size >= SCORERS_BYTES:
                yield group
                group = []
                size = 0
            n_at_once = max(1, min(DRAWS_AT_ONCE, (SCORERS_BYTES - size) // mean_size))
        if group:
            yield group

    def _statistics(self, batch: slice, columns: NDArray) -> tuple[torch.Tensor, list[FoldTargets]]:
        """Return some targets (counted from the batch's first) and their `FoldTargets`."""
        y, _ = self.load(batch)
        indices = self.spaces.indices
        blocks = None if self.cache is None else self.cache.get(batch.start)
        if blocks is None and any(solve.is_primal(fold, len(self.spaces.scale)) for fold in indices.folds):
            blocks = [self.spaces.Q[fold.test].T @ y[fold.test] for fold in indices.folds]
            if self.cache is not None:
                self.cache[batch.start] = blocks
        if len(columns) < y.shape[1]:
            y = y[:, columns]
            blocks = blocks and [block[:, columns] for block in blocks]
        products = blocks and fold_products(self.spaces.Q, y, indices, test=blocks)
        return y, fold_statistics(y, indices, products, self.fit_intercept)

    def refit(
        self, gammas: NDArray, draw: NDArray, alpha: NDArray, known: dict[int, FullFit] | None = None
    ) -> tuple[dict[str, NDArray], NDArray]:
        """Return weights {name: (n_targets, n_features)} and target means (n_targets,) at the best draws."""
        bases = self.spaces.bases
        n_targets = self.Y.shape[1]
        dtype = np.float32 if self.dtype == torch.float32 else np.float64
        coef = {name: np.empty((n_targets, len(basis.mean)), dtype) for name, basis in bases.items()}
        means = np.empty(n_targets)
        for fits in grouped_fits(self.spaces, gammas, np.unique(draw).tolist(), known):

            def fit(batch: slice, fits: dict[int, FullFit] = fits) -> None:
                """Fill in the weights and means of the targets of one batch whose best is one of these draws."""
                columns = {k: x for k in fits if len(x := np.flatnonzero(draw[batch] == k))}
                if not columns:
                    return
                y, mean = self.load(batch)
                z = right_side(self.spaces, y)  # of all: a product for each draw would read the features once for each
                for k, in_batch in columns.items():
                    targets = in_batch + batch.start
                    means[targets] = mean[in_batch]
                    inner = fits[k](z[:, in_batch], self.penalties[alpha[targets]])
                    for number, (name, basis) in enumerate(bases.items()):
                        part = inner[:, self.spaces.space == number]
                        coef[name][targets] = basis.weights(part).cpu().numpy()

            list(in_parallel(fit, self.batches, self.device))
            fits.clear()
        return coef, means


def nested_gammas(n_spaces: int, most: int = 3, levels: Sequence[float] = (0.1, 1.0)) -> NDArray:
    """Return weights of feature spaces that contain the weights of every subset of the spaces.

    Up to ``most`` spaces each have one of the ``levels``, relative to the others; the rest have 0. A space that is
    left out leaves weights that are in the list too, so that models with and without a space are searched alike, and
    differ by the space and not by the luck of two random searches.

    Parameters
    ----------
    n_spaces : int
    most : int
        Spaces that share a target. Of 6 spaces: 51 rows with 2, 191 with 3, 416 with 4.
    levels : sequence of float
        Above 0; the largest is 1.

    Returns
    -------
    gammas : array (n_rows, n_spaces)
        Each row sums to 1; single spaces first.

    Raises
    ------
    ValueError
        If a level is not above 0, the largest is not 1, or a number is below 1.
    """
    levels = np.unique(np.asarray(levels, dtype=np.float64))
    if not (len(levels) and levels[0] > 0 and levels[-1] == 1):
        raise ValueError(f"levels is {levels.tolist()}, expected numbers above 0, the largest 1")
    n_spaces = whole("n_spaces", n_spaces)
    most = whole("most", most)
    rows = []
    for size in range(1, min(most, n_spaces) + 1):
        for members in itertools.combinations(range(n_spaces), size):
            for weights in itertools.product(levels, repeat=size):
                if max(weights) == 1:
                    row = np.zeros(n_spaces)
                    row[list(members)] = weights
                    rows.append(row / row.sum())
    return np.array(rows)


def fit_space_sets(
    model: Any, X: Mapping[str, ArrayLike], Y: Any, sets: Sequence[Sequence[str]], groups: ArrayLike | None = None
) -> Iterator[Any]:
    """Fit one model for each set of feature spaces, with one decomposition for all.

    Parameters
    ----------
    model : BandedRidgeCV
        Not fitted itself: its clones are. If ``n_draws`` is a number, each set has its own draws (one, if it is of
        one space). If it is an array of weights for all spaces, such as `nested_gammas`, all are tried once, and a
        set selects among the rows that give its spaces all the weight: sets are then searched alike.
    X : dict of array (n_samples, n_features)
    Y : array or data set (n_samples, n_targets)
    sets : sequence of sequence of str
        Names of spaces; within a set the order is that of X.
    groups : array-like (n_samples,), optional

    Yields
    ------
    fitted : BandedRidgeCV
        Of the set's spaces; with an array of weights of all spaces, those that are not in the set weighing 0.

    Raises
    ------
    ValueError
        If a set is empty or names another space, no row of weights is of a set's spaces alone, or as
        `BandedRidgeCV.fit`.
    """
    for names in sets:
        if not len(names) or set(names) - set(X):
            raise ValueError(f"sets holds {list(names)}, expected one or more of the spaces {list(X)}")
    checked = clone(model)
    X, Y, folds = checked._checked(X, Y, groups)
    spaces = checked._make_spaces(X, Y, folds)
    if is_whole(model.n_draws):
        for names in sets:
            selected = [name for name in X if name in names]
            part = _copy(checked, X, selected, model.n_draws if len(selected) > 1 else 1)
            yield part._fit_spaces(spaces if len(selected) == len(X) else spaces.select(selected), Y)
        return
    gammas = np.asarray(model.n_draws, dtype=np.float64)
    row_sets = [_rows_within(gammas, list(X), names) for names in sets]
    options = {name: getattr(model, name) for name in ("scoring", "fit_intercept", "n_targets_batch", "progress")}
    solutions = solve_row_sets(spaces, Y, check_alphas(model.alphas), gammas, row_sets, **options)
    for rows, solution in zip(row_sets, solutions):
        yield _copy(checked, X, list(X), gammas[rows])._fit_spaces(spaces, Y, solution)


def _copy(checked: Any, X: dict[str, NDArray], names: Sequence[str], n_draws: Any) -> Any:
    part = clone(checked).set_params(n_draws=n_draws)
    part._one_target = checked._one_target
    part.n_features_in_ = sum(X[name].shape[1] for name in names)
    return part


def _rows_within(gammas: NDArray, spaces: Sequence[str], names: Sequence[str]) -> NDArray:
    """Return the rows of weights that are 0 outside of a set of spaces."""
    outside = [k for k, name in enumerate(spaces) if name not in names]
    rows = np.flatnonzero((gammas[:, outside] == 0).all(axis=1))
    if not len(rows):
        raise ValueError(
            f"n_draws has no row of weights that are 0 but for {list(names)}: nested_gammas makes such rows for all "
            "sets, a number draws for each"
        )
    return rows
