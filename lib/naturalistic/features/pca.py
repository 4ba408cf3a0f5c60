"""Principal components of training seconds.

Not scikit-learn's PCA: it copies the training samples to float64 at once. From 20,000 x 1,500 numbers in float16
(0.06 GB) it takes 0.39 GB where this takes 0.11 GB, and is no faster. The components are the same to 4e-8 of the
largest.

Nakagi et al. (2024, EMNLP) reduce layers of 4,096 dimensions to 1,280 components of the training data before the
regression, then shift by 8, 9 and 10 s and average (`delays.shift_average`; `delays.fir` stacks instead).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg

from naturalistic.arrays import as_stored
from naturalistic.parameters import whole

COMPONENTS = 1280  # of the paper
_BLOCK = 2048  # samples in float64 at once


@dataclass(frozen=True)
class Components:
    """Principal components of training samples.

    Attributes
    ----------
    mean : float64 array (n_features,)
        Of the training samples.
    axes : float64 array (n_components, n_features)
        Of unit length, orthogonal; the largest entry of each is positive.
    variances : float64 array (n_components,)
        Of the training samples along each (divided by n - 1), descending.
    total_variance : float
        Of the training samples in all.
    """

    mean: np.ndarray = field(repr=False)
    axes: np.ndarray = field(repr=False)
    variances: np.ndarray = field(repr=False)
    total_variance: float

    @property
    def explained(self) -> float:
        """Return the share of the training variance that the components have together."""
        return float(self.variances.sum() / self.total_variance)

    def transform(self, features: ArrayLike) -> NDArray:
        """Return features along the components.

        Parameters
        ----------
        features : array (n_samples, n_features)

        Returns
        -------
        reduced : float32 array (n_samples, n_components)

        Raises
        ------
        ValueError
            On another number of features than was fitted.
        """
        features = as_stored(features, "features")
        if features.ndim != 2 or features.shape[1] != len(self.mean):
            raise ValueError(f"features has shape {features.shape}, expected (n_samples, {len(self.mean)}) as fitted")
        reduced = np.empty((len(features), len(self.axes)), np.float32)
        for k in range(0, len(features), _BLOCK):
            reduced[k : k + _BLOCK] = (features[k : k + _BLOCK].astype(np.float64) - self.mean) @ self.axes.T
        return reduced


def fit_components(features: ArrayLike, training: ArrayLike, n_components: int = COMPONENTS) -> Components:
    """Return the principal components of training samples, exact, in float64.

    The eigenvectors are those of the smaller of the two matrices of products, between features or between samples.

    Parameters
    ----------
    features : array (n_samples, n_features)
        Of any number format; read in blocks.
    training : bool array (n_samples,)
        Samples to fit on. The others are not looked at.
    n_components : int

    Returns
    -------
    components : Components

    Raises
    ------
    ValueError
        If there are more components than features or than training samples less one, or than the training samples
        have directions; training features are not finite; ``training`` is not as expected.
    """
    features = as_stored(features, "features")
    where = _check_training(features, training)
    n = len(where)
    n_features = features.shape[1]
    most = min(n_features, n - 1)
    hint = f"there are {n_features} features and {n} training samples"
    n_components = whole("n_components", n_components, 1, most, hint=hint)
    blocks = [where[k : k + _BLOCK] for k in range(0, n, _BLOCK)]
    mean = sum(features[block].sum(axis=0, dtype=np.float64) for block in blocks) / n
    if not np.isfinite(mean).all():
        raise ValueError("features has training samples that are not finite: expected numbers")
    wide = n_features > n
    products = _between_samples if wide else _between_features
    values, vectors, total = products(features, blocks, mean, n_components)
    if values[-1] <= 1e-12 * values[0]:
        rank = int((values > 1e-12 * values[0]).sum())
        raise ValueError(f"n_components is {n_components}, but training samples vary in {rank} directions alone")
    axes = vectors.T * np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(n_components)])[:, None]
    return Components(mean, axes, values / (n - 1), float(total / (n - 1)))


def _between_features(
    features: NDArray, blocks: list[NDArray], mean: NDArray, n_components: int
) -> tuple[NDArray, NDArray, float]:
    """Return the largest eigenvalues of the scatter matrix, its eigenvectors (n_features, n_components), its trace."""
    scatter = np.zeros((len(mean), len(mean)))
    for block in blocks:
        centered = features[block].astype(np.float64) - mean
        scatter += centered.T @ centered
    values, vectors = _largest(scatter, n_components)
    return values, vectors, np.trace(scatter)


def _between_samples(
    features: NDArray, blocks: list[NDArray], mean: NDArray, n_components: int
) -> tuple[NDArray, NDArray, float]:
    """Return the same from the products of samples: X^T u is an eigenvector of X^T X if u is one of X X^T."""
    centered = features[np.concatenate(blocks)].astype(np.float64) - mean
    gram = centered @ centered.T
    values, vectors = _largest(gram, n_components)
    vectors = centered.T @ vectors
    return values, vectors / np.maximum(np.linalg.norm(vectors, axis=0), 1e-300), np.trace(gram)


def _largest(matrix: NDArray, n: int) -> tuple[NDArray, NDArray]:
    """Return the n largest eigenvalues of a symmetric matrix, descending, and their eigenvectors as columns."""
    size = len(matrix)
    values, vectors = linalg.eigh(matrix, subset_by_index=[size - n, size - 1], check_finite=False)
    return np.maximum(values[::-1], 0), vectors[:, ::-1]


class TrainingPCA:
    """Feature spaces along their principal components of the training TRs, for each fold anew.

    What `encoding.fit_predict`, `group_accuracy` and `joint_model` take as features with a `FoldSplit`.

    Parameters
    ----------
    spaces : dict of str to array (n_trs, n_features)
    n_components : int
        Of each space; one of no more features than this stays as it is.
    """

    def __init__(self, spaces: Mapping[str, ArrayLike], n_components: int) -> None:
        self.spaces = dict(spaces)
        self.n_components = whole("n_components", n_components)
        self._known: dict[bytes, dict[str, NDArray]] = {}

    def __call__(self, training: NDArray) -> dict[str, NDArray]:
        """Return the spaces, reduced by components of the training TRs; computed once for each fold.

        Parameters
        ----------
        training : bool array (n_trs,)
        """
        key = np.packbits(training).tobytes()
        if key not in self._known:
            self._known[key] = {
                name: pca_transform(np.asarray(x)[:, None], training, self.n_components)[:, 0]
                for name, x in self.spaces.items()
            }
        return self._known[key]


def pca_transform(features: ArrayLike, training: ArrayLike, n_components: int = COMPONENTS) -> NDArray:
    """Return each layer along its own components of the training seconds.

    Parameters
    ----------
    features : array (n_seconds, n_layers, dim)
    training : bool array (n_seconds,)
    n_components : int
        A layer of no more dimensions than this comes back as it is, in float32, as in the paper.

    Returns
    -------
    reduced : float32 array (n_seconds, n_layers, n_components or dim)

    Raises
    ------
    ValueError
        See `fit_components`.
    """
    features = as_stored(features, "features")
    n_components = whole("n_components", n_components)
    if features.ndim != 3:
        raise ValueError(f"features has shape {features.shape}, expected (n_seconds, n_layers, dim)")
    if features.shape[2] <= n_components:
        return features.astype(np.float32)
    out = np.empty((*features.shape[:2], n_components), np.float32)
    for a in range(features.shape[1]):
        out[:, a] = fit_components(features[:, a], training, n_components).transform(features[:, a])
    return out


def _check_training(features: NDArray, training: ArrayLike) -> NDArray:
    """Return the indices of the training samples."""
    training = np.asarray(training)
    if features.ndim != 2:
        raise ValueError(f"features has shape {features.shape}, expected (n_samples, n_features)")
    if training.dtype != bool or training.shape != (len(features),):
        raise ValueError(
            f"training is {training.dtype} of shape {training.shape}, expected bool ({len(features)},): True for "
            "samples to fit on"
        )
    return np.flatnonzero(training)
