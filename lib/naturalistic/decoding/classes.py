"""Agreement of original and reconstructed clips on classes given by a tagger.

The tagger is trained on other clips, on features that no decoder uses.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from naturalistic.arrays import ShapeRepr, as_real, check_finite
from naturalistic.parameters import whole


@dataclass(frozen=True, eq=False, repr=False)
class Tagger(ShapeRepr):
    """Classifiers that give each class a probability.

    Attributes
    ----------
    names : tuple of str, n_classes
    models : list
        One for all of mutually exclusive classes, or one a class.
    n_features : int
    """

    names: tuple[str, ...]
    models: list[ClassifierMixin]
    n_features: int

    def predict_proba(self, features: ArrayLike) -> NDArray:
        """Return the probability of each class.

        Parameters
        ----------
        features : array (n_clips, n_features)

        Returns
        -------
        p : array (n_clips, n_classes)

        Raises
        ------
        ValueError
            If the number of features differs from training, or a value is not finite.
        """
        features = _as_features(features)
        if features.shape[1] != self.n_features:
            raise ValueError(f"features has {features.shape[1]} columns, expected {self.n_features} as in training")
        if len(self.models) == 1:
            return self.models[0].predict_proba(features)
        return np.stack([model.predict_proba(features)[:, 1] for model in self.models], axis=1)

    def predict(self, features: ArrayLike) -> NDArray:
        """Return the name of the most probable class of each clip.

        Parameters
        ----------
        features : array (n_clips, n_features)

        Returns
        -------
        names : array (n_clips,) of str
        """
        return np.array(self.names)[self.predict_proba(features).argmax(axis=1)]


def fit_tagger(features: ArrayLike, labels: ArrayLike, names: Sequence[str] | None = None, C: float = 0.1) -> Tagger:
    """Fit a tagger by logistic regression on scaled features.

    Parameters
    ----------
    features : array (n_clips, n_features)
        Such as `naturalistic.features.audio.acoustic`, of clips that are neither tested nor reconstructed.
    labels : sequence of str (n_clips,), or array (n_clips, n_classes) of 0 and 1
        One class a clip (genre, mood), or any number of them (instruments).
    names : sequence of str, optional
        Of the columns of a two-dimensional ``labels``.
    C : float
        Inverse penalty.

    Returns
    -------
    tagger : Tagger
        Classes of one-dimensional ``labels`` are in alphabetical order.

    Raises
    ------
    ValueError
        If lengths differ, values are not finite, or a class is in none or all of the clips.
    """
    features = _as_features(features)
    labels = np.asarray(labels)
    if labels.ndim not in (1, 2) or len(labels) != len(features):
        raise ValueError(
            f"labels has shape {labels.shape}, expected ({len(features)},) or ({len(features)}, n_classes)"
        )

    def train(target: NDArray) -> ClassifierMixin:
        return make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=5000)).fit(features, target)

    if labels.ndim == 1:
        classes = np.unique(labels)
        if len(classes) < 2:
            raise ValueError(f"all clips are of the class {classes[0]!s}, expected two classes or more")
        return Tagger(tuple(map(str, classes)), [train(labels)], features.shape[1])
    if not np.isin(labels, (0, 1)).all() or labels.shape[1] < 2:
        raise ValueError("labels of two dimensions has other values than 0 and 1, or fewer than two classes")
    names = tuple(map(str, range(labels.shape[1]) if names is None else names))
    if len(names) != labels.shape[1]:
        raise ValueError(f"names has {len(names)} names, expected {labels.shape[1]}, one a column of labels")
    constant = np.flatnonzero(labels.min(axis=0) == labels.max(axis=0))
    if len(constant):
        raise ValueError(f"the class {names[constant[0]]} is in none or in all of the clips: leave it out")
    return Tagger(names, [train(column) for column in labels.T.astype(int)], features.shape[1])


def top_n_agreement(p_true: ArrayLike, p_reconstructed: ArrayLike, n: int) -> NDArray:
    """Return the overlap of top ``n`` classes of original and reconstruction.

    As in Denk et al. (2023): genres with n = 2, instruments with n = 2, moods with n = 1.

    Parameters
    ----------
    p_true, p_reconstructed : array (n_clips, n_classes)
        Probabilities of the originals and of their reconstructions.
    n : int
        Of equals, the first classes are taken.

    Returns
    -------
    agreement : array (n_clips,)
        0, 1/n ... 1.

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, or ``n`` is not from 1 to n_classes - 1.
    """
    return np.diag(agreement_matrix(p_true, p_reconstructed, n)).copy()


def agreement_matrix(p_true: ArrayLike, p_reconstructed: ArrayLike, n: int) -> NDArray:
    """Return `top_n_agreement` of each original with each reconstruction.

    Parameters
    ----------
    p_true, p_reconstructed : array (n_clips, n_classes)
        Probabilities of the originals and of their reconstructions.
    n : int
        Of equals, the first classes are taken.

    Returns
    -------
    agreement : array (n_clips, n_clips)
        Row: reconstruction; column: original. `nulls.matching_test` gives its chance and p.

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, or ``n`` is not from 1 to n_classes - 1.
    """
    p_true = as_real(p_true, "p_true")
    p_reconstructed = as_real(p_reconstructed, "p_reconstructed")
    if p_true.shape != p_reconstructed.shape or p_true.ndim != 2:
        raise ValueError(
            f"p_true has shape {p_true.shape} and p_reconstructed {p_reconstructed.shape}, expected the same (n_clips, "
            "n_classes)"
        )
    check_finite(p_true, "p_true")
    check_finite(p_reconstructed, "p_reconstructed")
    n = whole("n", n, 1, p_true.shape[1] - 1, hint=f"there are {p_true.shape[1]} classes")
    return _among_best(p_reconstructed, n) @ _among_best(p_true, n).T / n


def _among_best(p: NDArray, n: int) -> NDArray:
    """Return 1 where a class is among the ``n`` most probable of its row, else 0."""
    selected = np.zeros(p.shape)
    np.put_along_axis(selected, np.argsort(-p, axis=1, kind="stable")[:, :n], 1, axis=1)
    return selected


def _as_features(features: ArrayLike) -> NDArray:
    """Return features as a finite array (n_clips, n_features)."""
    features = as_real(features, "features")
    if features.ndim != 2 or not features.size:
        raise ValueError(f"features has shape {features.shape}, expected (n_clips, n_features)")
    check_finite(features, "features")
    return features
