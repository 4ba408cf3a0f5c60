"""Do the original and what was rebuilt from the brain sound alike to a listener who names what is heard?

The listener is a set of classifiers trained on other clips, on features that no decoder has used.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from naturalistic.arrays import as_real, check_finite
from naturalistic.parameters import whole


@dataclass(frozen=True)
class Tagger:
    """Classifiers that give each class a probability.

    Attributes
    ----------
    names : tuple of str, n_classes
    models : list
        One for all classes that exclude each other, or one a class.
    n_features : int
    """

    names: tuple
    models: list
    n_features: int

    def probabilities(self, features):
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
            If the number of features is another than in training, or a value is not finite.
        """
        features = _as_features(features)
        if features.shape[1] != self.n_features:
            raise ValueError(f"features has {features.shape[1]} columns, expected {self.n_features} as in training")
        if len(self.models) == 1:
            return self.models[0].predict_proba(features)
        return np.stack([model.predict_proba(features)[:, 1] for model in self.models], axis=1)

    def likeliest(self, features):
        """Return the name of the most probable class of each clip.

        Parameters
        ----------
        features : array (n_clips, n_features)

        Returns
        -------
        names : array (n_clips,) of str
        """
        return np.array(self.names)[self.probabilities(features).argmax(axis=1)]


def tagger(features, labels, names=None, C=0.1):
    """Train a tagger by logistic regression on scaled features.

    Parameters
    ----------
    features : array (n_clips, n_features)
        Such as `naturalistic.features.audio.acoustic`, of clips neither in the test set nor rebuilt.
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
    features, labels = _as_features(features), np.asarray(labels)
    if labels.ndim not in (1, 2) or len(labels) != len(features):
        raise ValueError(
            f"labels has shape {labels.shape}, expected ({len(features)},) or ({len(features)}, n_classes)"
        )

    def train(target):
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
    same = np.flatnonzero(labels.min(axis=0) == labels.max(axis=0))
    if len(same):
        raise ValueError(f"the class {names[same[0]]} is in none or in all of the clips: leave it out")
    return Tagger(names, [train(column) for column in labels.T.astype(int)], features.shape[1])


def top_n_agreement(p_true, p_rebuilt, n):
    """Return the share of the original's ``n`` most probable classes that are among those of the rebuilt clip.

    Denk et al. (2023): overlap of the two sets of n classes; genres with n = 2, instruments with n = 2, moods n = 1.

    Parameters
    ----------
    p_true, p_rebuilt : array (n_clips, n_classes)
        Probabilities of the originals and of what was rebuilt from them.
    n : int
        Of equals, the first classes are taken.

    Returns
    -------
    agreement : array (n_clips,)
        0, 1/n ... 1.

    Raises
    ------
    ValueError
        As of `agreement_matrix`.
    """
    return np.diag(agreement_matrix(p_true, p_rebuilt, n)).copy()


def agreement_matrix(p_true, p_rebuilt, n):
    """Return `top_n_agreement` of each original with each rebuilt clip.

    Parameters
    ----------
    p_true, p_rebuilt, n
        As of `top_n_agreement`.

    Returns
    -------
    agreement : array (n_clips, n_clips)
        Row: rebuilt clip; column: original. `nulls.matched_test` gives its chance and p.

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, or ``n`` is not from 1 to n_classes - 1.
    """
    p_true, p_rebuilt = as_real(p_true, "p_true"), as_real(p_rebuilt, "p_rebuilt")
    if p_true.shape != p_rebuilt.shape or p_true.ndim != 2:
        raise ValueError(
            f"p_true has shape {p_true.shape} and p_rebuilt {p_rebuilt.shape}, expected the same (n_clips, n_classes)"
        )
    check_finite(p_true, "p_true")
    check_finite(p_rebuilt, "p_rebuilt")
    n = whole("n", n, 1, p_true.shape[1] - 1, hint=f"there are {p_true.shape[1]} classes")
    return _among_best(p_rebuilt, n) @ _among_best(p_true, n).T / n


def _among_best(p, n):
    """Return 1 where a class is among the ``n`` most probable of its row, else 0."""
    chosen = np.zeros(p.shape)
    np.put_along_axis(chosen, np.argsort(-p, axis=1, kind="stable")[:, :n], 1, axis=1)
    return chosen


def _as_features(features):
    features = as_real(features, "features")
    if features.ndim != 2 or not features.size:
        raise ValueError(f"features has shape {features.shape}, expected (n_clips, n_features)")
    check_finite(features, "features")
    return features
