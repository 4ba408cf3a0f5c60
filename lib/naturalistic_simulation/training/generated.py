"""Scores of the generator on held-out clips, and a check for copies."""

from collections.abc import Sequence
from pathlib import Path

from naturalistic.datasets.presentation import as_played
from naturalistic.decoding.metrics import identification
from numpy.typing import NDArray

from naturalistic_simulation.models.embedders import load_mulan, load_ssl
from naturalistic_simulation.models.generator import MiniGenerator, network_of
from naturalistic_simulation.models.tokens import encode
from naturalistic_simulation.music.composer import GENRES
from naturalistic_simulation.training.composed import CLIP, clip_of, training_scores
from naturalistic_simulation.training.copies import shared_bars, shared_notes
from naturalistic_simulation.training.scores import clip_vectors

HELD_OUT = 2_900_000_000  # seeds of pieces that are neither trained on nor among the 540 clips


def generator_scores(
    weights: Path | str, waveforms: Sequence[NDArray], sample_rate: int, n_pieces: int, seed: int = 0
) -> dict:
    """Return identification of generated sound and overlap with training pieces.

    Sound is generated from the vectors of the clips themselves.

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
    generator = MiniGenerator(network_of(weights))
    embedders = {"mini-mulan": load_mulan(), "mini-ssl": load_ssl()}
    true = {name: clip_vectors(embedder, waveforms, sample_rate) for name, embedder in embedders.items()}
    seeds = list(range(len(waveforms)))
    generated, rate = generator.generate_all(true["mini-mulan"], seeds, CLIP, progress=False)
    generated = [as_played(wave, rate) for wave in generated]
    scores = {"n_clips": len(waveforms)}
    for name, embedder in embedders.items():
        accuracy = identification(clip_vectors(embedder, generated, rate), true[name])
        scores[f"identification_{name}"] = float(accuracy.mean())
    written = [encode(score) for score in generator.write(true["mini-mulan"], seeds, CLIP)]
    others = [encode(clip_of(GENRES[k % len(GENRES)], HELD_OUT + k)) for k in seeds]
    learned = list(zip(*training_scores(n_pieces, seed, progress=False)[:2]))
    for kind, pieces in (("generated", written), ("composed", others)):
        closest = shared_notes(pieces, learned)
        scores[f"{kind}_notes_in_one_training_piece"] = float(closest.mean())
        scores[f"{kind}_notes_in_one_training_piece_most"] = float(closest.max())
        for what, apart in (("bars", False), ("bars_of_single_voices", True)):
            known, closest = shared_bars(pieces, learned, apart)
            scores[f"{kind}_{what}_in_any_training_piece"] = float(known.mean())
            scores[f"{kind}_{what}_in_one_training_piece_most"] = float(closest.max())
    return scores
