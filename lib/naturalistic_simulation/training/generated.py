"""What the generator can do, measured on clips that it never saw, and whether it copies: the numbers of its card."""

import numpy as np
from naturalistic.datasets.presentation import as_played
from naturalistic.models.scoring import correlation_matrix

from naturalistic_simulation.models.embedders import load_mulan, load_ssl
from naturalistic_simulation.models.generator import MiniGenerator, network_of
from naturalistic_simulation.models.tokens import encode
from naturalistic_simulation.music.composer import GENRES
from naturalistic_simulation.training.composed import CLIP, clip_of, training_scores
from naturalistic_simulation.training.copies import shared_bars, shared_notes
from naturalistic_simulation.training.scores import clip_vectors

HELD_OUT = 2_900_000_000  # seeds of pieces that are neither trained on nor in the miniature


def generator_scores(weights, waveforms, sample_rate, n_pieces, seed=0):
    """Return identification of what is generated from true vectors, and how much of it is in the pieces trained on.

    Parameters
    ----------
    weights : str or Path
    waveforms : list of array (n_samples,)
        Clips as played.
    sample_rate : int
    n_pieces, seed : int
        Of the training.

    Returns
    -------
    scores : dict
    """
    generator, heard = MiniGenerator(network_of(weights)), {"mini-mulan": load_mulan(), "mini-ssl": load_ssl()}
    true = {name: clip_vectors(embedder, waveforms, sample_rate) for name, embedder in heard.items()}
    seeds = list(range(len(waveforms)))
    made, rate = generator.generate_all(true["mini-mulan"], seeds, CLIP, progress=False)
    made = [as_played(wave, rate) for wave in made]
    scores = {"n_clips": len(waveforms)}
    for name, embedder in heard.items():
        scores[f"identification_{name}"] = float(identified(clip_vectors(embedder, made, rate), true[name]).mean())
    written = [encode(score) for score in generator.write(true["mini-mulan"], seeds, CLIP)]
    others = [encode(clip_of(GENRES[k % len(GENRES)], HELD_OUT + k)) for k in seeds]
    learnt = list(zip(*training_scores(n_pieces, seed, progress=False)[:2]))
    for kind, pieces in (("generated", written), ("composed", others)):
        closest = shared_notes(pieces, learnt)
        scores[f"{kind}_notes_in_one_training_piece"] = float(closest.mean())
        scores[f"{kind}_notes_in_one_training_piece_most"] = float(closest.max())
        for what, apart in (("bars", False), ("bars_of_single_voices", True)):
            known, closest = shared_bars(pieces, learnt, apart)
            scores[f"{kind}_{what}_in_any_training_piece"] = float(known.mean())
            scores[f"{kind}_{what}_in_one_training_piece_most"] = float(closest.max())
    return scores


def identified(predicted, target):
    """Return the share of other targets that each prediction is less correlated with than with its own.

    Denk et al. (2023, arXiv 2307.11078); a tie counts half.

    Parameters
    ----------
    predicted, target : array (n, dim)

    Returns
    -------
    share : float64 array (n,)
    """
    likeness = correlation_matrix(np.asarray(predicted, float).T, np.asarray(target, float).T)
    own = np.diag(likeness)[:, None]
    better = (likeness < own) + 0.5 * (likeness == own)
    return (better.sum(axis=1) - 0.5) / (len(own) - 1)
