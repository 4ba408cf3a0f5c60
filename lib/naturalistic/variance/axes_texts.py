"""Weight axes held against the texts that make them: where each text lies, and what stands at either end."""

import numpy as np

from naturalistic.design import design
from naturalistic.parameters import whole
from naturalistic.scoring import as_real, check_finite
from naturalistic.variance.axes import project


def text_scores(vectors, directions, training):
    """Return where texts lie on each axis.

    Parameters
    ----------
    vectors : array (n_texts, n_features)
        Features of each text, not scaled; such as ``text_vectors(model, texts, [layer]).vectors[:, 0]``.
    directions : array (n_axes, n_features)
    training : array (n_trs, n_features)
        Features of the training TRs, not delayed; texts are centred and scaled by them, as `design.design` did.

    Returns
    -------
    scores : array (n_texts, n_axes)
        In standard deviations of training features.

    Raises
    ------
    ValueError
        If texts, training TRs and axes are of other features.
    """
    vectors, training = as_real(vectors, "vectors"), as_real(training, "training")
    if vectors.ndim != 2 or training.ndim != 2 or vectors.shape[1] != training.shape[1]:
        raise ValueError(
            f"vectors has shape {vectors.shape} and training {training.shape}, expected the same features in both"
        )
    both = np.concatenate([training, vectors])
    scaled = design(both, [0.0], 1.0, train=slice(len(training)))  # one place says how features are scaled
    return project(scaled[len(training) :], directions)


def extremes(texts, scores, n=5):
    """Return the different texts at either end of each axis.

    Parameters
    ----------
    texts : list of str (n_texts,)
        Where one comes several times, its mean score counts.
    scores : array (n_texts, n_axes)
    n : int

    Returns
    -------
    ends : list of (low, high)
        One an axis; each a list of n (text, score), the outermost first.

    Raises
    ------
    ValueError
        If texts and scores do not match, or there are fewer than 2 n different texts.
    """
    scores = as_real(scores, "scores")
    if scores.ndim != 2 or len(texts) != len(scores):
        raise ValueError(f"scores has shape {scores.shape}, expected ({len(texts)}, n_axes): a row for each text")
    check_finite(scores, "scores")
    names, n = list(dict.fromkeys(texts)), whole("n", n)
    if len(names) < 2 * n:
        raise ValueError(f"n is {n}, expected 1 to {len(names) // 2}: there are {len(names)} different texts")
    place = {name: k for k, name in enumerate(names)}
    index = np.array([place[text] for text in texts])
    counts = np.bincount(index)
    ends = []
    for column in scores.T:
        mean = np.bincount(index, column) / counts
        order = np.argsort(mean, kind="stable")
        ends.append(tuple([(names[k], float(mean[k])) for k in some[:n]] for some in (order, order[::-1])))
    return ends
