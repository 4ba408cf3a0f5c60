"""Scores from sums over blocks of test TRs, and their bootstrap intervals.

R2 and r of a test set need three sums over TRs: of what was measured squared, of the prediction squared, of their
product. Kept by block of TRs they are small, and any resample of blocks is one product with a matrix of counts.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from naturalistic.arrays import ShapeRepr, as_real, column_blocks
from naturalistic.parameters import Seed, check_seed, whole
from naturalistic.runs import run_slices

if TYPE_CHECKING:
    from naturalistic.encoding.prediction import Fitted

KINDS = ("r2", "r")


@dataclass(frozen=True, repr=False)
class ScoreInterval(ShapeRepr):
    """Confidence interval of scores; NaN where there is no score.

    Attributes
    ----------
    low, high : array
        Ends of the interval.
    """

    low: NDArray
    high: NDArray


class BlockSums:
    """Sums over contiguous blocks of test TRs, of several models' predictions.

    Everything is centered in each run before it comes here, so means over a resample are taken as 0.

    Parameters
    ----------
    runs : array (n_trs,)
        Run of each test TR.
    n_voxels : int
    block : int
        TRs in a block: several times the time over which noise is alike. A run is cut into blocks of about this
        length, all within one TR of equal.
    dtype : dtype
        Of the sums kept; they are made in float64.

    Attributes
    ----------
    runs : array (n_blocks,)
        Number of the run of each block.
    measured : array (n_blocks, n_voxels)
        Sum of squares.
    products, squares : dict of array (n_blocks, n_voxels)
        By model: a tuple of the feature spaces in it, or any other name.
    """

    def __init__(self, runs: ArrayLike, n_voxels: int, block: int = 30, dtype: DTypeLike = np.float32) -> None:
        slices = run_slices(runs)
        shortest = min(s.stop - s.start for s in slices)
        hint = f"the shortest test run, of {shortest} TRs, needs two blocks or more"
        block = whole("block", block, 1, shortest // 2, hint=hint)
        counts = [round((s.stop - s.start) / block) for s in slices]
        cuts = [s.start + np.arange(n) * (s.stop - s.start) // n for s, n in zip(slices, counts)]
        self._starts = np.concatenate(cuts)
        self.runs = np.repeat(np.arange(len(slices)), counts)
        self._shape = (len(self.runs), n_voxels)
        self._dtype = dtype
        self.measured = np.full(self._shape, np.nan, dtype)
        self.products = {}
        self.squares = {}

    def add(self, model: Hashable, measured: ArrayLike, predicted: ArrayLike, columns: slice = slice(None)) -> None:
        """Add the predictions of a model.

        Parameters
        ----------
        model : tuple of str, or any other name
        measured, predicted : array (n_trs, n)
            Centered in each run.
        columns : slice
            Voxels that they are of.
        """
        measured = as_real(measured, "measured")
        predicted = as_real(predicted, "predicted")
        for sums in (self.products, self.squares):
            sums.setdefault(model, np.full(self._shape, np.nan, self._dtype))
        targets = [sums[:, columns] for sums in (self.measured, self.products[model], self.squares[model])]
        for block in column_blocks(*measured.shape):  # in float64, so no more than a block at a time
            y = measured[:, block].astype(np.float64)
            p = predicted[:, block].astype(np.float64)
            for sums, values in zip(targets, (y * y, y * p, p * p)):
                sums[:, block] = np.add.reduceat(values, self._starts, axis=0)

    def add_fitted(self, model: Hashable, fitted: "Fitted") -> None:
        """Add the predictions of a fitted model, one block of voxels at a time.

        Parameters
        ----------
        model : tuple of str, or any other name
        fitted : Fitted
            Of `encoding.fit`, tested on the TRs of these sums.
        """
        for columns in column_blocks(len(fitted.data.test_runs), self._shape[1]):
            prediction = fitted.predict(columns)
            self.add(model, prediction.measured, prediction.predicted, columns)

    def join(self, other: "BlockSums") -> "BlockSums":
        """Add the models of other sums of the same test data.

        Parameters
        ----------
        other : BlockSums

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the measured responses or the blocks differ.
        """
        if self._shape != other._shape or not np.allclose(self.measured, other.measured, equal_nan=True):
            raise ValueError("the sums are of other test data or other blocks, expected the same measured responses")
        self.products.update(other.products)
        self.squares.update(other.squares)
        return self

    @classmethod
    def pool(cls, parts: Sequence["BlockSums"]) -> "BlockSums":
        """Put sums of other test runs of the same models and voxels one behind another.

        Parameters
        ----------
        parts : sequence of BlockSums
            Such as one for each fold that leaves out runs.

        Returns
        -------
        pooled : BlockSums
            Of all runs; models can no longer be added.

        Raises
        ------
        ValueError
            If the parts are of other models or of another number of voxels.
        """
        first = parts[0]
        if any(part.products.keys() != first.products.keys() or part._shape[1] != first._shape[1] for part in parts):
            raise ValueError("the parts are of other models or voxels, expected the same in each")
        pooled = cls.__new__(cls)
        n_runs = np.cumsum([0, *(part.runs.max() + 1 for part in parts)])
        pooled.runs = np.concatenate([part.runs + n for part, n in zip(parts, n_runs)])
        pooled._shape = (len(pooled.runs), first._shape[1])
        pooled._dtype = first._dtype
        pooled.measured = np.concatenate([part.measured for part in parts])
        pooled.products = {model: np.concatenate([part.products[model] for part in parts]) for model in first.products}
        pooled.squares = {model: np.concatenate([part.squares[model] for part in parts]) for model in first.squares}
        return pooled

    def score(self, model: Hashable, kind: Literal["r2", "r"] = "r2") -> NDArray:
        """Return the score of a model on all blocks.

        Parameters
        ----------
        model : tuple of str, or any other name
        kind : {"r2", "r"}

        Returns
        -------
        score : array (n_voxels,) of float64
            NaN where a response (for r: or a prediction) is constant.
        """
        return self.resampled([(1, model)], np.ones((1, len(self.runs))), kind)[0]

    def resampled(
        self,
        terms: Sequence[tuple[float, Hashable]],
        counts: NDArray,
        kind: Literal["r2", "r"] = "r2",
        columns: slice = slice(None),
    ) -> NDArray:
        """Return a sum of scores for each resample.

        Parameters
        ----------
        terms : list of (float, model)
            Such as ``[(1, full), (-1, without)]``. The model of no space, ``()``, scores 0.
        counts : array (n_boot, n_blocks)
            Number of times that each block is taken.
        kind : {"r2", "r"}
        columns : slice
            Of voxels.

        Returns
        -------
        scores : array (n_boot, n) of float64

        Raises
        ------
        ValueError
            If ``kind`` or a model is unknown.
        """
        if kind not in KINDS:
            raise ValueError(f"kind is {kind!r}, expected one of {KINDS}")
        unknown = [model for _, model in terms if model != () and model not in self.products]
        if unknown:
            raise ValueError(f"no model {unknown[0]} was fitted, expected one of {list(self.products)}")
        measured = counts @ self.measured[:, columns].astype(np.float64)
        total = np.where(measured > 0, 0, np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            for sign, model in terms:
                if model == ():
                    continue
                product = counts @ self.products[model][:, columns].astype(np.float64)
                square = counts @ self.squares[model][:, columns].astype(np.float64)
                score = (2 * product - square) / measured if kind == "r2" else product / np.sqrt(measured * square)
                total += sign * score
        return total


def draw_counts(runs: ArrayLike, n_boot: int = 1000, seed: Seed = 0) -> NDArray:
    """Draw the number of times that each block is in each resample.

    Blocks are drawn with replacement inside each run. Of a run's n blocks n - 1 are drawn, and each counts n / (n - 1):
    with so few blocks, n of n would give a variance that is too small by (n - 1) / n (Rao & Wu 1988, JASA 83). Right
    for an interval; for a null see `inference.block_permutation_null`.

    Parameters
    ----------
    runs : array (n_blocks,)
        Run of each block.
    n_boot : int
    seed : int

    Returns
    -------
    counts : array (n_boot, n_blocks)
    """
    n_boot = whole("n_boot", n_boot)
    counts = []
    generator = np.random.default_rng(check_seed(seed))
    for run in run_slices(runs):
        n = run.stop - run.start
        counts.append(generator.multinomial(n - 1, np.full(n, 1 / n), n_boot) * (n / (n - 1)))
    return np.concatenate(counts, axis=1)


def score_interval(
    sums: BlockSums,
    terms: Sequence[tuple[float, Hashable]],
    *,
    labels: ArrayLike | None = None,
    n_labels: int | None = None,
    kind: Literal["r2", "r"] = "r2",
    confidence: float = 0.95,
    n_boot: int = 1000,
    seed: Seed = 0,
) -> ScoreInterval:
    """Return the bootstrap interval of a sum of scores.

    It is made of percentiles: of each voxel, or of means over sets of voxels. It says how far the number would move
    with other stretches of film of this kind, for the models as fitted: neither other training data nor other people
    are drawn.

    Parameters
    ----------
    sums : BlockSums
    terms, kind
        As in `BlockSums.resampled`.
    labels : int array (n_voxels,), optional
        Set of each voxel, such as its region or person; -1 is in none. Then the interval is of the mean over a set.
    n_labels : int, optional
        Number of sets; one more than the largest label by default.
    confidence : float
    n_boot, seed
        As in `draw_counts`: one seed draws the same blocks for all models and voxels.

    Returns
    -------
    interval : ScoreInterval
        Of arrays (n_voxels,) or (n_labels,); NaN where there is no score.

    Raises
    ------
    ValueError
        If ``labels`` are not one whole number a voxel, or as in `BlockSums.resampled`.
    """
    n_boot = whole("n_boot", n_boot)
    counts = draw_counts(sums.runs, n_boot, seed)
    n_voxels = sums.measured.shape[1]
    if labels is not None:
        labels = np.asarray(labels)
        if labels.shape != (n_voxels,) or labels.dtype.kind not in "iu":
            raise ValueError(f"labels is {labels.dtype} of shape {labels.shape}, expected whole numbers ({n_voxels},)")
        n_labels = int(labels.max()) + 1 if n_labels is None else whole("n_labels", n_labels)
        label_sums = np.zeros((n_boot, n_labels))
        label_counts = np.zeros((n_boot, n_labels))
    bounds = np.full((2, n_voxels), np.nan)
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    for block in column_blocks(n_boot, n_voxels):
        drawn = sums.resampled(terms, counts, kind, block)
        if labels is None:
            usable = np.isfinite(drawn).all(axis=0)
            bounds[:, block][:, usable] = np.quantile(drawn[:, usable], tails, axis=0)
            continue
        member = (labels[block, None] == np.arange(n_labels)).astype(np.float64)
        finite = np.isfinite(drawn)
        label_sums += np.where(finite, drawn, 0) @ member
        label_counts += finite @ member
    if labels is None:
        return ScoreInterval(low=bounds[0], high=bounds[1])
    with np.errstate(invalid="ignore"):
        low, high = np.quantile(label_sums / label_counts, tails, axis=0)
    return ScoreInterval(low, high)
