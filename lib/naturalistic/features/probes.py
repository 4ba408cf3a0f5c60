"""Linear probes of embeddings (Alain & Bengio 2016), ranks of partners, zero-shot names."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.linear_model import RidgeClassifierCV, RidgeCV
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from naturalistic.arrays import as_floats, as_real
from naturalistic.parameters import check_seed, whole

ALPHAS = np.logspace(-1, 5, 13)
PROMPTS = ("{} music", "a {} track", "this is a piece of {}")
SPOKEN = {"hiphop": "hip-hop"}


def probe(features: ArrayLike, target: ArrayLike, n_folds: int = 5, seed: int = 0) -> tuple[float, NDArray]:
    """Predict a property of held-out clips, and score it.

    A property of numbers is predicted by ridge regression and scored by the correlation of what was predicted with
    what is, over all clips. A property of names is predicted by a ridge classifier and scored by the share of clips
    that are right. Features are scaled, and alpha is chosen, on the training folds alone.

    Parameters
    ----------
    features : array (n_clips, n_features)
    target : array (n_clips,)
        Numbers, or names.
    n_folds : int
        Names are spread evenly over the folds; if one is rarer than there are folds, there are as many as it has clips.
    seed : int
        Of the folds.

    Returns
    -------
    score : float
        Pearson r (0 where all is predicted, or is, the same), or accuracy.
    predicted : array (n_clips,)

    Raises
    ------
    ValueError
        If lengths differ, values are not finite, or a name has one clip only.
    """
    features = as_real(features, "features").astype(np.float64)
    target = np.asarray(target)
    n_folds = whole("n_folds", n_folds, 2)
    seed = whole("seed", seed, 0)
    if features.ndim != 2 or target.shape != (len(features),):
        raise ValueError(f"features has shape {features.shape} and target {target.shape}, expected one target a clip")
    named = not np.issubdtype(target.dtype, np.number)
    if not np.isfinite(features).all() or not (named or np.isfinite(target).all()):
        raise ValueError("features or target has values that are NaN or infinite")
    if named:
        names, counts = np.unique(target, return_counts=True)
        if counts.min() < 2 or len(names) < 2:
            rare = str(names[np.argmin(counts)])
            raise ValueError(f"{rare!r} is the target of {counts.min()} clips, expected 2 or more, and two names")
        n_folds = min(n_folds, int(counts.min()))
        folds = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
        model = RidgeClassifierCV(ALPHAS)
    else:
        folds = KFold(n_folds, shuffle=True, random_state=seed)
        model = RidgeCV(ALPHAS)
    predicted = np.empty(len(target), dtype=target.dtype if named else float)
    for train, test in folds.split(features, target):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # nearly collinear features
            fitted = make_pipeline(StandardScaler(), model).fit(features[train], target[train])
        predicted[test] = fitted.predict(features[test])
    return _score(target, predicted), predicted


def _score(target: NDArray, predicted: NDArray) -> float:
    """Return accuracy, of names, or Pearson r; 0 where nothing varies, which r is not defined for."""
    if not np.issubdtype(target.dtype, np.number):
        return float(np.mean(predicted == target))
    return float(np.corrcoef(predicted, target)[0, 1]) if np.ptp(predicted) and np.ptp(target) else 0.0


def chance(target: ArrayLike, predicted: ArrayLike, n_permutations: int = 1000, seed: int = 0) -> tuple[float, float]:
    """Return the mean score of permuted predictions, and p of the true one.

    Parameters
    ----------
    target, predicted : array (n_clips,)
        As from `probe`.
    n_permutations, seed : int

    Returns
    -------
    mean : float
    p : float
        ``(b + 1) / (m + 1)``, b of m permutations scoring as high or higher: 1 if all is predicted the same.
    """
    target = np.asarray(target)
    predicted = np.asarray(predicted)
    n_permutations = whole("n_permutations", n_permutations)
    rng = np.random.default_rng(check_seed(seed))
    null = np.array([_score(target, rng.permutation(predicted)) for _ in range(n_permutations)])
    n_as_high = np.sum(null >= _score(target, predicted) - 1e-12)
    return float(null.mean()), float((1 + n_as_high) / (1 + n_permutations))


def ranks(similarity: ArrayLike) -> NDArray:
    """Return the rank of the right partner of each row, 1 the best; ties count half.

    Parameters
    ----------
    similarity : array (n, n)
        Of query i and candidate j; the right one is on the diagonal.

    Returns
    -------
    ranks : array (n,)

    Raises
    ------
    ValueError
        If ``similarity`` is not square, or a value is NaN, which is neither above nor below another.
    """
    similarity = as_real(similarity, "similarity")
    if similarity.ndim != 2 or similarity.shape[0] != similarity.shape[1]:
        raise ValueError(f"similarity has shape {similarity.shape}, expected (n, n), the right partner on the diagonal")
    if np.isnan(similarity).any():
        raise ValueError(f"similarity has {np.isnan(similarity).sum()} values that are NaN: is a vector all zeros?")
    right = np.diag(similarity)[:, None]
    return 1 + (similarity > right).sum(axis=1) + ((similarity == right).sum(axis=1) - 1) / 2


def zero_shot(embedder: Any, vectors: ArrayLike, genres: Sequence[str]) -> list[str]:
    """Return the genre of each clip whose phrases are nearest to it.

    Each genre has the mean vector of `PROMPTS`, filled in.

    Parameters
    ----------
    embedder : Embedder
        With a text tower.
    vectors : array (n_clips, dim)
        As the embedder gives them.
    genres : sequence of str
        To choose from.

    Returns
    -------
    named : list of str (n_clips,)
    """
    phrases = [prompt.format(SPOKEN.get(genre, genre)) for genre in genres for prompt in PROMPTS]
    text = embedder.embed_text(phrases).reshape(len(genres), len(PROMPTS), -1).mean(axis=1)
    return [genres[k] for k in np.argmax(unit(vectors) @ unit(text).T, axis=1)]


def unit(vectors: ArrayLike) -> NDArray:
    """Return rows (n, dim) scaled to length 1."""
    vectors = as_floats(vectors, "vectors")
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
