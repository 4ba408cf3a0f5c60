"""Training scores of the generator, from seeds that nothing else uses."""

import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import joblib
import numpy as np
import torch
from naturalistic.cache import cache_dir
from naturalistic.datasets import presentation
from naturalistic.datasets.presentation import as_played
from naturalistic.features.audio.embedder import Embedder
from naturalistic.intact import open_arrays
from numpy.typing import NDArray
from tqdm import tqdm

from naturalistic_simulation.folders import recipe_of, write_file
from naturalistic_simulation.models import mel, tokens
from naturalistic_simulation.models.embedders import load_mulan, path_of
from naturalistic_simulation.models.mel import SAMPLE_RATE
from naturalistic_simulation.models.tokens import Score, encode, excerpt
from naturalistic_simulation.music.composer import GENRES, compose
from naturalistic_simulation.music.synthesizer import render

FIRST_SEED = 3_000_000_000  # above the seeds of the experiment, of the corpus and of the embedders' training
# modules that a score and its sound depend on
PLAYED = ("composer", "drums", "genres", "harmony", "instruments", "melody", "parts", "patterns", "piece",
          "synthesizer", "timbres", "tones")  # fmt: skip
_AGAIN = "delete it: the scores are composed again"
# s: clips begin at a bar line in the first seconds of a track of 30 s, as the experiment's
CLIP = 15.0
LATEST = 14.0


def training_scores(
    n_pieces: int, seed: int = 0, progress: bool = True
) -> tuple[list[NDArray], list[NDArray], NDArray]:
    """Return tokens and vectors of simulated clips, cached.

    Parameters
    ----------
    n_pieces : int
        As many of each genre as the number allows; one clip of each.
    seed : int
        Another seed, other pieces.

    Returns
    -------
    headers, events : list of int16 array
        Tokens from `tokens.encode`.
    vectors : float32 array (n_pieces, 128)
        Mini-mulan's mean over the windows of the clip as played, brought to length 1.
    """
    path = _path(n_pieces, seed)
    if not path.is_file():
        names = [(GENRES[k % len(GENRES)], FIRST_SEED + 1_000_000 * seed + k) for k in range(n_pieces)]
        _compose_all(path, names, progress)
    stored = open_arrays(path, _AGAIN)
    split = [np.split(stored[name], np.cumsum(stored[f"n_{name}"])[:-1]) for name in ("headers", "events")]
    return *split, stored["vectors"]


def seconds_to_compose(n_pieces: int, seed: int = 0) -> float:
    """Return the time that composing the scores of `training_scores` took, s."""
    return float(open_arrays(_path(n_pieces, seed), _AGAIN)["seconds"])


def clip_of(genre: str, seed: int) -> Score:
    """Return the score of a clip of a track, from a bar line that the seed draws."""
    start = np.random.default_rng((seed, 1)).uniform(0, LATEST)
    return excerpt(compose(genre, seed), start, CLIP)


def vector_of(score: Score, embedder: Embedder) -> NDArray:
    """Return the vector of a score as played, of length 1: mean over windows (dim,)."""
    heard = embedder.embed(as_played(render(score, SAMPLE_RATE), SAMPLE_RATE), SAMPLE_RATE, cache=False, progress=False)
    mean = heard.mean(axis=0)
    return mean / np.linalg.norm(mean)


def _path(n_pieces: int, seed: int) -> Path:
    sources = [Path(__file__), *(Path(module.__file__) for module in (tokens, mel, presentation))]
    sources += [Path(__file__).parents[1] / "music" / f"{name}.py" for name in PLAYED]
    code = recipe_of(sources, path_of("mini-mulan").read_bytes())
    return cache_dir() / "training" / f"scores-{n_pieces}-{seed}-{code}.npz"


def _compose_all(path: Path, names: Sequence[tuple[str, int]], progress: bool) -> None:
    start = time.perf_counter()
    path.parent.mkdir(parents=True, exist_ok=True)
    with joblib.parallel_config("loky", n_jobs=joblib.cpu_count(), inner_max_num_threads=1):
        samples = joblib.Parallel(return_as="generator", batch_size=4)(joblib.delayed(_sample)(*name) for name in names)
        bar = tqdm(samples, total=len(names), desc="scores to train on", disable=not progress)
        headers, events, vectors = zip(*bar)
    arrays = {
        "headers": np.concatenate(headers),
        "n_headers": [len(header) for header in headers],
        "events": np.concatenate(events),
        "n_events": [len(event) for event in events],
        "vectors": np.stack(vectors),
        "seconds": time.perf_counter() - start,
    }
    write_file(path, lambda part: np.savez(part, **arrays))


@lru_cache(maxsize=1)
def _embedder() -> Embedder:
    return load_mulan()


def _sample(genre: str, seed: int) -> tuple[NDArray, NDArray, NDArray]:
    """Return header, events and vector of a clip."""
    torch.set_num_threads(1)
    score = clip_of(genre, seed)
    return *encode(score), vector_of(score, _embedder())
