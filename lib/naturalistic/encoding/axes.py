r"""Weight axes: directions in feature space along which encoding weights lie.

The weights of a voxel say which features it follows; principal components over the voxels of all subjects are the
axes along which most of it happens (Huth et al. 2012, Neuron 76:1210; Nakagi et al. 2024, EMNLP: of the Story level).
Decisions that the papers leave open:

- **Each voxel's weights are divided by a size**, as ridge weights are the longer the less a voxel was shrunk, and a few
  voxels would make the axes. That is their own length here; or, better, the length that they have when responses are
  shifted in time (`axes_null.weight_axes_null`): then a voxel counts by how far it stands out of chance. With either,
  choose voxels first, by their correlation in other runs (`axes_null` says why).
- **No centering over voxels.** A weight of 0 is a voxel that follows nothing; what all voxels follow alike is an axis
  like any other, and centering would hide it. ``center=True`` subtracts each subject's mean, as a plain PCA does.
- **Subjects weigh alike**: each one's scatter :math:`W_s^\top W_s` is divided by the number of voxels.

Ridge weights of pure noise have strong axes too, for they follow the covariance of the features: believe no axis
without `naturalistic.encoding.axes_null`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg

from naturalistic.arrays import ShapeRepr, as_floats, as_real, check_finite, float_type
from naturalistic.encoding.design import design
from naturalistic.parameters import whole


@dataclass(frozen=True, repr=False)
class Axes(ShapeRepr):
    """Axes of encoding weights.

    Attributes
    ----------
    directions : array (n_axes, n_features)
        Of unit length, orthogonal; the largest entry of each is positive, as its sign means nothing.
    explained : array (n_axes,)
        Share of the weights' variance, mean over subjects; descending.
    by_subject : array (n_subjects, n_axes)
        The same of each subject.
    """

    directions: NDArray
    explained: NDArray
    by_subject: NDArray


@dataclass(frozen=True)
class AxisEnds:
    """Texts at both ends of an axis.

    Attributes
    ----------
    low, high : list of (str, float)
        Texts and their scores, the outermost first.
    """

    low: list[tuple[str, float]]
    high: list[tuple[str, float]]


def mean_over_delays(weights: ArrayLike, n_delays: int) -> NDArray:
    """Average weights over delayed copies of the features.

    Parameters
    ----------
    weights : array (n_voxels, n_delays * n_features)
        Delay by delay, as `design.design` lays out one space.
    n_delays : int

    Returns
    -------
    weights : array (n_voxels, n_features)

    Raises
    ------
    ValueError
        If ``n_delays`` does not divide the columns.
    """
    weights = as_floats(weights, "weights")
    n_delays = whole("n_delays", n_delays)
    if weights.ndim != 2 or weights.shape[1] % n_delays:
        raise ValueError(
            f"weights has shape {weights.shape}, expected (n_voxels, n_delays * n_features) with n_delays = {n_delays}"
        )
    return weights.reshape(len(weights), n_delays, -1).mean(axis=1)


def weight_axes(
    weights: Sequence[ArrayLike], n_axes: int = 5, sizes: Sequence[ArrayLike] | None = None, *, center: bool = False
) -> Axes:
    """Return the principal axes of the weights of subjects, who weigh alike.

    Parameters
    ----------
    weights : list of array (n_voxels, n_features)
        One a subject, of chosen voxels; on z-scored features. Average delayed copies before
        (`mean_over_delays`). A voxel whose weights are all 0 counts for nothing.
    n_axes : int
    sizes : list of array (n_voxels,), optional
        Divisors of the weights of each voxel; their length by default. `axes_null.weight_axes_null` gives better.
    center : bool
        Subtract each subject's mean over voxels.

    Returns
    -------
    axes : Axes

    Raises
    ------
    ValueError
        If subjects differ in their features, one has fewer voxels than axes or weights of 0 alone, a value is not
        finite, or the weights vary in fewer directions than axes.
    """
    weights = check_weights(weights, n_axes)
    n_axes = int(n_axes)
    return axes_of(scatters(weights, lengths(weights) if sizes is None else sizes, center=center), n_axes)


def lengths(weights: Sequence[ArrayLike]) -> list[NDArray]:
    """Return the length of each voxel's weights: list of array (n_voxels,)."""
    return [np.linalg.norm(as_real(w, "weights").astype(np.float64), axis=1) for w in weights]


def scatters(weights: Sequence[NDArray], sizes: Sequence[ArrayLike], *, center: bool = False) -> NDArray:
    """Return the mean product of each subject's weights, divided by their sizes.

    Parameters
    ----------
    weights : list of array (n_voxels, n_features)
        One a subject.
    sizes : list of array (n_voxels,)
        A voxel of size 0 counts for nothing.
    center : bool
        Subtract each subject's mean over voxels.

    Returns
    -------
    scatter : array (n_subjects, n_features, n_features) of float64

    Raises
    ------
    ValueError
        If there is not one size a voxel.
    """
    if [len(w) for w in weights] != [len(size) for size in sizes]:
        raise ValueError(
            f"sizes are of {[len(size) for size in sizes]} voxels and weights of {[len(w) for w in weights]}, expected "
            "one size for each voxel of each subject"
        )
    products = []
    for w, size in zip(weights, sizes):
        size = np.asarray(size, dtype=w.dtype)[:, None]
        scaled = np.divide(w, size, out=np.zeros_like(w), where=size > 0)
        if center:
            scaled = scaled - scaled.mean(axis=0, dtype=np.float64).astype(w.dtype)
        products.append((scaled.T @ scaled).astype(np.float64) / len(w))
    return np.stack(products)


def axes_of(scatter: NDArray, n_axes: int) -> Axes:
    """Return the axes of scatters: the eigenvectors of their mean.

    Parameters
    ----------
    scatter : array (n_subjects, n_features, n_features)
        From `scatters`.
    n_axes : int

    Returns
    -------
    axes : Axes

    Raises
    ------
    ValueError
        If the weights of a subject leave nothing, or vary in fewer directions than axes.
    """
    mean = scatter.mean(axis=0)
    size = scatter.shape[-1]
    n_axes = whole("n_axes", n_axes)
    values, vectors = linalg.eigh(mean, subset_by_index=[size - n_axes, size - 1])
    values = values[::-1]
    directions = vectors[:, ::-1].T
    totals = np.trace(scatter, axis1=1, axis2=2)
    if not (totals > 1e-12 * totals.max()).all():
        empty = int(totals.argmin())
        raise ValueError(f"weights[{empty}] leave nothing: all 0, or the same in all voxels and centered; leave it out")
    if values[-1] <= 1e-12 * values[0]:
        rank = int((values > 1e-12 * values[0]).sum())
        raise ValueError(f"n_axes is {n_axes}, but the weights vary in {rank} direction(s) alone: are they constant?")
    largest = np.abs(directions).argmax(axis=1)
    directions = directions * np.sign(directions[np.arange(n_axes), largest])[:, None]
    along = np.einsum("af,sfg,ag->sa", directions, scatter, directions, optimize=True)
    return Axes(directions, values / np.trace(mean), along / totals[:, None])


def check_weights(weights: Sequence[ArrayLike], n_axes: int = 1) -> list[NDArray]:
    """Return weights as a list of finite arrays, once checked.

    Parameters
    ----------
    weights : list of array (n_voxels, n_features)
    n_axes : int
        Each subject must have as many voxels and features.

    Returns
    -------
    weights : list of array (n_voxels, n_features)
        float32 stays float32.

    Raises
    ------
    ValueError
        As in `weight_axes`.
    """
    weights = [as_real(w, f"weights[{k}]") for k, w in enumerate(weights)]
    if not weights:
        raise ValueError("weights is empty, expected those of one subject or more")
    for k, w in enumerate(weights):
        if w.ndim != 2:
            raise ValueError(f"weights[{k}] has shape {w.shape}, expected (n_voxels, n_features)")
        if w.shape[1] != weights[0].shape[1]:
            raise ValueError(
                f"weights[{k}] is of {w.shape[1]} features and weights[0] of {weights[0].shape[1]}, expected the same "
                "features of all subjects"
            )
        if not len(w):
            raise ValueError(f"weights[{k}] has no voxel: leave that subject out, or choose more voxels")
        whole("n_axes", n_axes, 1, min(w.shape), hint=f"weights[{k}] is of {len(w)} voxels and {w.shape[1]} features")
        check_finite(w, f"weights[{k}]")
    return [w.astype(float_type(w), copy=False) for w in weights]


def project_weights(weights: ArrayLike, directions: ArrayLike) -> NDArray:
    """Project the weights of each voxel on each axis.

    For maps of all voxels: there weights are not brought to unit length, so that a voxel that nothing predicts, which
    ridge shrinks, is near 0.

    Parameters
    ----------
    weights : array (n_voxels, n_features)
    directions : array (n_axes, n_features)

    Returns
    -------
    reach : array (n_voxels, n_axes)
        In units of the weights; float32 when they are.

    Raises
    ------
    ValueError
        If weights and axes are of other features.
    """
    weights = as_floats(weights, "weights")
    directions = as_real(directions, "directions")
    if weights.ndim != 2 or directions.ndim != 2 or weights.shape[1] != directions.shape[1]:
        raise ValueError(
            f"weights has shape {weights.shape} and directions {directions.shape}, expected the same features in both"
        )
    return weights @ directions.T.astype(weights.dtype)


def project_texts(vectors: ArrayLike, directions: ArrayLike, training: ArrayLike) -> NDArray:
    """Project the features of texts on each axis.

    Parameters
    ----------
    vectors : array (n_texts, n_features)
        Features of each text, not scaled; such as ``text_vectors(model, texts, [layer]).vectors[:, 0]``.
    directions : array (n_axes, n_features)
    training : array (n_trs, n_features)
        Features of the training TRs, not delayed; texts are centered and scaled by them, as `design.design` did.

    Returns
    -------
    scores : array (n_texts, n_axes)
        In standard deviations of training features.

    Raises
    ------
    ValueError
        If texts, training TRs and axes are of other features.
    """
    vectors = as_real(vectors, "vectors")
    training = as_real(training, "training")
    if vectors.ndim != 2 or training.ndim != 2 or vectors.shape[1] != training.shape[1]:
        raise ValueError(
            f"vectors has shape {vectors.shape} and training {training.shape}, expected the same features in both"
        )
    both = np.concatenate([training, vectors])
    scaled = design(both, [0.0], 1.0, train=slice(len(training)))  # one place says how features are scaled
    return project_weights(scaled[len(training) :], directions)


def extreme_texts(texts: Sequence[str], scores: ArrayLike, n: int = 5) -> list[AxisEnds]:
    """Return the different texts at either end of each axis.

    Parameters
    ----------
    texts : list of str (n_texts,)
        Of a text that comes several times, the mean score counts.
    scores : array (n_texts, n_axes)
    n : int

    Returns
    -------
    ends : list of AxisEnds
        One an axis, each of n texts at either end.

    Raises
    ------
    ValueError
        If texts and scores do not match, or there are fewer than 2 n different texts.
    """
    scores = as_real(scores, "scores")
    if scores.ndim != 2 or len(texts) != len(scores):
        raise ValueError(f"scores has shape {scores.shape}, expected ({len(texts)}, n_axes): a row for each text")
    check_finite(scores, "scores")
    names = list(dict.fromkeys(texts))
    n = whole("n", n)
    if len(names) < 2 * n:
        raise ValueError(f"n is {n}, expected 1 to {len(names) // 2}: there are {len(names)} different texts")
    index_of = {name: k for k, name in enumerate(names)}
    index = np.array([index_of[text] for text in texts])
    counts = np.bincount(index)
    ends = []
    for column in scores.T:
        mean = np.bincount(index, column) / counts
        order = np.argsort(mean, kind="stable")
        low = [(names[k], float(mean[k])) for k in order[:n]]
        high = [(names[k], float(mean[k])) for k in order[::-1][:n]]
        ends.append(AxisEnds(low, high))
    return ends
