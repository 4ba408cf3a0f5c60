"""Tests of weight axes: circular-shift null and stability over subjects.

Ridge weights of pure noise are not without direction: they follow the covariance of the features, so the first axis
of noise explains much, and shuffled weights are no null. Here responses are shifted circularly inside each run (all
subjects alike, as they share the stimulus) and fitted again with the penalties that the true responses chose. That
keeps the features' covariance, the penalties, and what voxels and neighboring TRs have in common; it breaks only the
link with the stimulus.

Variance is compared, not its share: signal along many directions has a smaller share along its first than noise has.
The weights of each voxel are divided by their root mean square length over all alignments, the true one among them, so
that under the null none is special, and p is what it says.

**Choose the voxels by their correlation in other runs**, such as the test runs: the null repeats no choice. The best of
many in cross-validation inside the very runs that are shifted have axes even where there is nothing to find (the best
20 of 400 targets of pure noise in 99 of 100 simulations); and a score that grows with the size of the prediction, such
as a covariance, chooses long weights whatever the runs (14 of 20). Chosen by the correlation in other runs, no axis was
found in 120. Nothing else is computed on those runs here, so no score is reported twice.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg
from scipy.optimize import linear_sum_assignment
from scipy.sparse.linalg import eigsh
from tqdm import tqdm

from naturalistic.arrays import ShapeRepr, as_real, check_finite, float_type
from naturalistic.encoding.axes import Axes, axes_of, check_weights, lengths, scatters
from naturalistic.encoding.design import shifted
from naturalistic.inference import draw_shifts, p_values
from naturalistic.parameters import Seed, whole
from naturalistic.runs import check_runs

MAX_KEPT = 1e8  # weights of all shifts that are kept; more are fitted a second time


@dataclass(frozen=True, repr=False)
class AxesTest(ShapeRepr):
    """Axes of the weights against those of shifted responses.

    Attributes
    ----------
    axes : Axes
    null : array (n_permutations, n_axes)
        The largest variance along any direction in shifted weights, when the axes before are taken out; as a share of
        the variance of the true weights, to be held against ``axes.explained``.
    p : array (n_axes,)
        (b + 1) / (m + 1); not below that of any axis before, as an axis counts only if those do.
    sizes : list of array (n_voxels,)
        Root mean square length of each voxel's weights over all alignments, by subject.
    """

    axes: Axes
    null: NDArray
    p: NDArray
    sizes: list[NDArray]

    def n_significant(self, alpha: float = 0.05) -> int:
        """Return the number of significant axes, from the first on.

        Parameters
        ----------
        alpha : float
            Level of significance.

        Returns
        -------
        n : int
        """
        return int((self.p <= alpha).sum())


def refit_weight_axes(
    X: ArrayLike,
    bold: Sequence[ArrayLike],
    alphas: Sequence[ArrayLike],
    shifts: ArrayLike | None = None,
    *,
    runs: ArrayLike | None = None,
    n_delays: int = 1,
) -> Iterator[list[NDArray]]:
    """Yield ridge weights fitted with given penalties to shifted responses.

    All shifts share one decomposition of the features; each costs one product with the responses.

    Parameters
    ----------
    X : array (n_trs, n_delays * n_features)
        Scaled, delayed features of the training runs, as the alphas were chosen with.
    bold : list of array (n_trs, n_voxels)
        One a subject: chosen voxels, the same TRs.
    alphas : list of array (n_voxels,)
        Penalty of each voxel, above 0.
    shifts : int array (n_shifts, n_runs), optional
        From `inference.draw_shifts`; by default one row of zeros, which gives the true weights.
    runs : array-like (n_trs,), optional
    n_delays : int
        Delayed copies in X; their weights are averaged (`axes.mean_over_delays`).

    Yields
    ------
    weights : list of array (n_voxels, n_features)
        One a subject.

    Raises
    ------
    ValueError
        If lengths or numbers of voxels do not match, an alpha is not above 0, a value is not finite, or ``n_delays``
        does not divide the columns of X.
    """
    X, bold, alphas = _checked(X, bold, alphas, n_delays)
    n_delays = int(n_delays)
    runs = check_runs(runs, len(X))
    responses = np.concatenate(bold, axis=1)
    stops = np.cumsum([y.shape[1] for y in bold])[:-1]
    X = X.astype(np.float64)
    U, scale, Vt = linalg.svd(X - X.mean(axis=0), full_matrices=False)
    varying = scale > max(X.shape) * np.finfo(np.float64).eps * scale[0]
    if not varying.any():
        raise ValueError(f"X has no column that varies over its {len(X)} TRs")
    dtype = float_type(responses)
    shrink = (scale[varying] / (scale[varying] ** 2 + np.concatenate(alphas)[:, None])).astype(dtype)
    Vt = Vt[varying].reshape(varying.sum(), n_delays, -1).mean(axis=1).astype(dtype)
    U = U[:, varying].astype(dtype)
    for row in np.zeros((1, len(np.unique(runs))), dtype=int) if shifts is None else shifts:
        coefficients = (U.T @ shifted(responses, row, runs)).T * shrink
        yield np.split(coefficients @ Vt, stops)


def weight_axes_null(
    X: ArrayLike,
    bold: Sequence[ArrayLike],
    alphas: Sequence[ArrayLike],
    n_axes: int = 5,
    *,
    runs: ArrayLike | None = None,
    n_delays: int = 1,
    n_permutations: int = 100,
    seed: Seed = 0,
    center: bool = False,
) -> AxesTest:
    """Test the axes of encoding weights against shifted responses, one by one.

    The first axis is held against the first of shifted weights. For each next one, the axes before it are taken out of
    the weights and of the shifted ones alike, and the largest of what is left are compared. (The second axis against
    the second of the null would be too easy: what comes after a true first axis may well be the first of the noise.)

    Parameters
    ----------
    X, bold, alphas, runs, n_delays
        As in `refit_weight_axes`.
    n_axes, center
        As in `axes.weight_axes`.
    n_permutations, seed
        As in `inference.draw_shifts`.

    Returns
    -------
    test : AxesTest

    Raises
    ------
    ValueError
        As in `refit_weight_axes` and `axes.weight_axes`.
    """
    X, bold, alphas = _checked(X, bold, alphas, n_delays)
    n_axes = whole("n_axes", n_axes)
    n_delays = int(n_delays)
    drawn = draw_shifts(runs, n_permutations, seed=seed, n_trs=len(X))
    shifts = np.concatenate([np.zeros_like(drawn[:1]), drawn])  # the first is none: the observed alignment

    def fits() -> Iterable[list[NDArray]]:
        refits = refit_weight_axes(X, bold, alphas, shifts, runs=runs, n_delays=n_delays)
        return tqdm(refits, "shifts", len(shifts), leave=False, delay=3)

    n_voxels = [y.shape[1] for y in bold]
    stored = list(fits()) if len(shifts) * sum(n_voxels) * X.shape[1] / n_delays <= MAX_KEPT else None
    sizes = 0
    for weights in stored or fits():
        sizes = sizes + np.concatenate(lengths(check_weights(weights, n_axes))) ** 2 / len(shifts)
    sizes = np.split(np.sqrt(sizes), np.cumsum(n_voxels)[:-1])
    null = []
    for k, weights in enumerate(stored or fits()):
        scatter = scatters(weights, sizes, center=center)
        if not k:
            axes = axes_of(scatter, n_axes)
            total = np.trace(scatter.mean(axis=0))
        else:
            null.append(_largest(scatter.mean(axis=0) / total, axes.directions))
    null = np.array(null)
    return AxesTest(axes, null, np.maximum.accumulate(p_values(axes.explained, null)), sizes)


def _largest(scatter: NDArray, directions: NDArray) -> list[float]:
    """Return the largest variance along any direction (n_axes,).

    Each is taken before the next of some directions is taken out.
    """
    largest = []
    for direction in directions:
        largest.append(_top(scatter))
        product = scatter @ direction
        outer = np.outer(direction, product)
        scatter = scatter - outer - outer.T + np.outer(direction, direction) * (direction @ product)
    return largest


def _top(matrix: NDArray) -> float:
    """Return the largest eigenvalue of a symmetric matrix.

    Lanczos' method is several times as fast where the matrix is large, and as exact.
    """
    if len(matrix) <= 64:
        return np.linalg.eigvalsh(matrix)[-1]
    return eigsh(matrix, k=1, which="LA", v0=np.diag(matrix), return_eigenvectors=False)[0]


def _checked(
    X: ArrayLike, bold: Sequence[ArrayLike], alphas: Sequence[ArrayLike], n_delays: int
) -> tuple[NDArray, list[NDArray], list[NDArray]]:
    """Return features, responses and penalties, checked."""
    X = as_real(X, "X")
    bold = [as_real(y, f"bold[{k}]") for k, y in enumerate(bold)]
    n_delays = whole("n_delays", n_delays)
    if X.ndim != 2 or X.shape[1] % n_delays:
        raise ValueError(f"X has shape {X.shape}, expected (n_trs, n_delays * n_features) with n_delays = {n_delays}")
    alphas = [np.asarray(a, dtype=np.float64) for a in alphas]
    if not bold or len(alphas) != len(bold):
        raise ValueError(f"bold is of {len(bold)} subjects and alphas of {len(alphas)}, expected one or more of both")
    for k, (y, a) in enumerate(zip(bold, alphas)):
        if y.ndim != 2 or len(y) != len(X) or a.shape != y.shape[1:]:
            raise ValueError(
                f"bold[{k}] has shape {y.shape} and alphas[{k}] {a.shape}, expected ({len(X)}, n_voxels) and "
                "(n_voxels,)"
            )
        if not (np.isfinite(a) & (a > 0)).all():
            raise ValueError(f"alphas[{k}] holds values that are not finite or not above 0: ridge needs a penalty")
        check_finite(y, f"bold[{k}]")
    check_finite(X, "X")
    return X, bold, alphas


@dataclass(frozen=True, repr=False)
class AxesStability(ShapeRepr):
    """Variance of a left-out subject's weights along the axes of all others.

    Attributes
    ----------
    others : array (n_subjects,)
        Share of the subject's weight variance along the axes of all others.
    own : array (n_subjects,)
        Along as many axes of the subject's own: the most that any could have.
    null : array (n_permutations, n_subjects)
        Along the axes of the others' shifted responses.
    p : float
        Of the mean of ``others``, (b + 1) / (m + 1).
    cosines : array (n_subjects, n_axes)
        Of the others' axes with the subject's own, paired for the largest sum; absolute, in the order of the others.
    null_cosines : array (n_permutations, n_subjects, n_axes)
        The same for shifted responses of all subjects.
    """

    others: NDArray
    own: NDArray
    null: NDArray
    p: float
    cosines: NDArray
    null_cosines: NDArray


def axes_stability(
    weights: Sequence[ArrayLike],
    n_axes: int = 5,
    sizes: Sequence[ArrayLike] | None = None,
    null: Iterable[Sequence[NDArray]] = (),
    *,
    center: bool = False,
) -> AxesStability:
    """Compare the weights of each subject with the axes of all others.

    Parameters
    ----------
    weights : list of array (n_voxels, n_features)
        One a subject, two or more.
    n_axes, sizes, center
        As in `axes.weight_axes`.
    null : iterable of such lists
        Weights of shifted responses, from `refit_weight_axes`; without any, p is NaN.

    Returns
    -------
    stability : AxesStability

    Raises
    ------
    ValueError
        If there are fewer than two subjects, or as in `axes.weight_axes`.
    """
    weights = check_weights(weights, n_axes)
    n_axes = int(n_axes)
    if len(weights) < 2:
        raise ValueError("weights are of 1 subject, expected two or more: one is left out, the others make the axes")
    sizes = lengths(weights) if sizes is None else sizes
    true = scatters(weights, sizes, center=center)
    other_axes = _left_out(true, n_axes)
    own_axes = _each(true, n_axes)
    shares = []
    cosines = []
    for shifted_weights in null:
        scatter = scatters(shifted_weights, sizes, center=center)
        null_axes = _left_out(scatter, n_axes)
        shares.append(_along(true, null_axes))
        cosines.append(_cosines(null_axes, _each(scatter, n_axes)))
    share = _along(true, other_axes)
    shares = np.array(shares).reshape(-1, len(true))
    p = float(p_values(share.mean(), shares.mean(axis=1))) if len(shares) else float("nan")
    cosines = np.array(cosines).reshape(-1, len(true), n_axes)
    return AxesStability(share, _along(true, own_axes), shares, p, _cosines(other_axes, own_axes), cosines)


def _left_out(scatter: NDArray, n_axes: int) -> list[NDArray]:
    """Return the axes of all subjects but one, for each one."""
    total = scatter.sum(axis=0)
    return [axes_of((total - subject)[None], n_axes).directions for subject in scatter]


def _each(scatter: NDArray, n_axes: int) -> list[NDArray]:
    return [axes_of(subject[None], n_axes).directions for subject in scatter]


def _along(scatter: NDArray, directions: Sequence[NDArray]) -> NDArray:
    """Return the share of each subject's variance along directions (n_subjects,)."""
    return np.array([np.sum((d @ subject) * d) / np.trace(subject) for subject, d in zip(scatter, directions)])


def _cosines(other_axes: Sequence[NDArray], own_axes: Sequence[NDArray]) -> NDArray:
    return np.array([matched_cosines(a, b) for a, b in zip(other_axes, own_axes)])


def shrunken_weights(directions: ArrayLike, X: ArrayLike, alpha: float) -> NDArray:
    r"""Return true weights as ridge shrinks them, in expectation.

    They become :math:`w X^\top X (X^\top X + \alpha)^{-1}`. Of directions in which the features hardly vary nothing is
    left, so simulated weights must go through this before found axes can be held against them (and against random ones
    that went through it too).

    Parameters
    ----------
    directions : array (n_directions, n_features)
        Weights on the columns of X.
    X : array (n_trs, n_features)
    alpha : float

    Returns
    -------
    directions : array (n_directions, n_features)
    """
    X = np.asarray(X, dtype=np.float64)
    _, scale, Vt = linalg.svd(X - X.mean(axis=0), full_matrices=False)
    return (np.asarray(directions) @ Vt.T * (scale**2 / (scale**2 + alpha))) @ Vt


def variance_in_subspace(weights: ArrayLike, span: ArrayLike) -> float:
    """Return the mean share of a voxel's squared weights inside a subspace.

    It is 1 if the subspace holds all of them. By chance it is n_directions / n_features, or more where ridge has shrunk
    both: compare random spans.

    Parameters
    ----------
    weights : array (n_voxels, n_features)
        A voxel whose weights are all 0 is left out.
    span : array (n_directions, n_features)
        Any spanning rows.

    Returns
    -------
    share : float
        NaN if all weights are 0.
    """
    weights = np.asarray(weights, dtype=np.float64)
    basis = linalg.orth(np.asarray(span, dtype=np.float64).T)
    power = (weights**2).sum(axis=1)
    inside_power = ((weights @ basis) ** 2).sum(axis=1)
    return float(np.mean(inside_power[power > 0] / power[power > 0])) if power.any() else float("nan")


def matched_cosines(first: ArrayLike, second: ArrayLike) -> NDArray:
    """Return absolute cosines of axes, paired for the largest sum.

    Parameters
    ----------
    first, second : array (n_axes, n_features)
        Rows of unit length.

    Returns
    -------
    cosines : array (n_axes,)
        In the order of ``first``.
    """
    cosines = np.abs(np.asarray(first) @ np.asarray(second).T)
    return cosines[linear_sum_assignment(-cosines)]
