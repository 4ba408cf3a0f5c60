"""Scores of the small models on held-out clips, for their cards."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from naturalistic.features.audio.embedder import Embedder
from naturalistic.features.probes import probe, ranks, unit, zero_shot
from numpy.typing import ArrayLike, NDArray

GAIN = 0.1  # -20 dB


def clip_vectors(embedder: Embedder, waveforms: Sequence[NDArray], sample_rate: int, **options: Any) -> NDArray:
    """Return the mean vector over the windows of each clip: (n_clips, dim).

    Parameters
    ----------
    embedder : Embedder
    waveforms : list of array (n_samples,)
    sample_rate : int
        Hz.
    **options
        Passed on to ``embedder.embed``.
    """
    return embedder.embed(waveforms, sample_rate, **options).mean(axis=1)


def joint_scores(
    embedder: Embedder, waveforms: Sequence[NDArray], sample_rate: int, sentences: list[str], genres: list[str]
) -> dict[str, float]:
    """Return retrieval ranks, zero-shot accuracy and the effect of loudness.

    Parameters
    ----------
    embedder : Embedder
    waveforms : list of array (n_samples,)
    sample_rate : int
    sentences : list of str
        Caption of each clip.
    genres : list of str
        Genre of each clip.

    Returns
    -------
    scores : dict of str to float
    """
    vectors = clip_vectors(embedder, waveforms, sample_rate)
    similarity = unit(embedder.embed_text(sentences)) @ unit(vectors).T
    quiet = clip_vectors(embedder, [GAIN * wave for wave in waveforms[:20]], sample_rate, cache=False)
    named = zero_shot(embedder, vectors, sorted(set(genres)))
    return {
        "n_clips": len(waveforms),
        "caption_to_clip_median_rank": float(np.median(ranks(similarity))),
        "clip_to_caption_median_rank": float(np.median(ranks(similarity.T))),
        "caption_to_clip_first": float(np.mean(ranks(similarity) == 1)),
        "zero_shot_genre_accuracy": float(np.mean(np.array(named) == np.array(genres))),
        "largest_change_at_minus_20_dB": float(np.abs(quiet - vectors[:20]).max()),
    }


def probe_scores(vectors: NDArray, facts: dict[str, ArrayLike]) -> dict[str, float]:
    """Return scores of linear probes of clip vectors, by name of the fact.

    Parameters
    ----------
    vectors : array (n_clips, dim)
    facts : dict of str to array (n_clips,)
        Names are scored by accuracy, numbers by r.
    """
    return {name: probe(vectors, np.asarray(values))[0] for name, values in facts.items()}
