"""All scores of one listener at once, and one score of all listeners."""

from typing import NamedTuple

import numpy as np

from naturalistic.decoding.metrics import correlate, identification, mean_rank, top_k
from naturalistic.decoding.nulls import Tested, correlation_test, identification_test


class Scores(NamedTuple):
    """How well the test clips of one listener were read.

    Attributes
    ----------
    identification : Tested
        Mean over clips of the share of other clips that are less like the prediction; its null deals out the clips.
    by_clip : array (n_clips,)
        The share of each clip.
    correlation : Tested
        Mean over dimensions of the correlation over clips.
    top_1, top_5 : float
        Share of clips that come first, or among the first five.
    rank : float
        Mean rank of the right clip; 1 is the best.
    """

    identification: Tested
    by_clip: np.ndarray
    correlation: Tested
    top_1: float
    top_5: float
    rank: float


def score(predicted, target, n_permutations=1000, seed=0):
    """Return the `Scores` of predicted vectors.

    Parameters
    ----------
    predicted, target : array (n_clips, dim)
        Row by row of the same clip.
    n_permutations, seed : int
        As of `nulls.matched_test`.

    Returns
    -------
    scores : Scores

    Raises
    ------
    ValueError
        As of `metrics.identification`.
    """
    return Scores(
        identification_test(predicted, target, n_permutations=n_permutations, seed=seed),
        identification(predicted, target),
        correlation_test(predicted, target, n_permutations=n_permutations, seed=seed),
        *(top_k(predicted, target, k) for k in (1, min(5, len(target)))),
        mean_rank(predicted, target),
    )


def accuracies(by_subject, like=correlate):
    """Return the mean identification accuracy of each subject.

    Parameters
    ----------
    by_subject : dict of str to Decoded
        Or to any tuple that begins with predictions and targets (n_clips, dim).
    like : callable
        As of `metrics.identification`.

    Returns
    -------
    accuracy : array (n_subjects,)
    """
    return np.array([identification(*found[:2], like=like).mean() for found in by_subject.values()])
