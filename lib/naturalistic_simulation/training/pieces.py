"""Training music of the embedders, from seeds that nothing else uses."""

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path

import joblib
import numpy as np
import torch
from naturalistic.cache import cache_dir
from naturalistic.datasets import presentation
from naturalistic.datasets.presentation import as_played
from naturalistic.features.probes import SPOKEN
from naturalistic.features.text.text_encoder import sentence_vectors
from naturalistic.intact import open_array
from numpy.typing import NDArray
from tqdm import tqdm

from naturalistic_simulation.folders import recipe_of, write_file
from naturalistic_simulation.models import mel
from naturalistic_simulation.models.mel import FRAMES_PER_S, N_MELS, SAMPLE_RATE, log_mel
from naturalistic_simulation.music.captions import caption
from naturalistic_simulation.music.composer import GENRES, compose, facts
from naturalistic_simulation.music.piece import Piece
from naturalistic_simulation.music.synthesizer import render

FIRST_SEED = 1_000_000_000  # the experiment's seeds are below (its seed x 1000 + track)
CLIP = 15  # s; a piece of 30 s gives two clips
N_CAPTIONS = 2  # wordings of each piece; two lists of tags stand beside them, as MuLan had short labels too


def training_music(n_pieces: int, seed: int = 0, progress: bool = True) -> tuple[NDArray, NDArray, list[dict]]:
    """Return frames, captions and facts of simulated pieces, cached.

    Parameters
    ----------
    n_pieces : int
        As many of each genre as the number allows.
    seed : int
        Another seed, other pieces.

    Returns
    -------
    frames : float16 memory map (n_pieces, 2, 750, 64)
        Log-mel power of both halves of a piece, faded and normalized as the experiment's clips are.
    sentences : float32 array (n_pieces, 4, 384)
        Sentence vectors of two wordings of the caption, of a list of tags, and of the genre.
    facts : list of dict
    """
    folder = _folder(n_pieces, seed)
    names = [(GENRES[k % len(GENRES)], FIRST_SEED + 1_000_000 * seed + k) for k in range(n_pieces)]
    if not (folder / "done").is_file():
        _compose_all(folder, names, progress)
    again = f"delete {folder}: the pieces are composed again"
    frames = open_array(folder / "frames.npy", again, mmap_mode="r")
    return frames, open_array(folder / "sentences.npy", again), [facts(compose(*name)) for name in names]


def seconds_to_compose(n_pieces: int, seed: int = 0) -> float:
    """Return the time that composing the pieces of `training_music` took, s."""
    return float((_folder(n_pieces, seed) / "done").read_text())


def _folder(n_pieces: int, seed: int) -> Path:
    key = hashlib.sha256(f"{n_pieces} {seed} {_own_code()}".encode()).hexdigest()[:12]
    return cache_dir() / "training" / f"pieces-{n_pieces}-{seed}-{key}"


def _own_code() -> str:
    """Return a hash of the code of pieces, sound and frames."""
    here = Path(__file__).parents[1]
    unheard = ("clip_facts.py", "experiment.py")
    sources = sorted(path for path in (here / "music").glob("*.py") if path.name not in unheard)
    return recipe_of([*sources, Path(__file__), Path(mel.__file__), Path(presentation.__file__)])


def _compose_all(folder: Path, names: Sequence[tuple[str, int]], progress: bool) -> None:
    start = time.perf_counter()
    folder.mkdir(parents=True, exist_ok=True)
    shape = (len(names), 2, CLIP * FRAMES_PER_S, N_MELS)
    frames = np.lib.format.open_memmap(folder / "frames.npy", mode="w+", dtype=np.float16, shape=shape)
    with joblib.parallel_config("loky", n_jobs=joblib.cpu_count(), inner_max_num_threads=1):
        parallel = joblib.Parallel(return_as="generator", batch_size=4)
        every = parallel(joblib.delayed(_frames_of)(*name) for name in names)
        for k, both in enumerate(tqdm(every, total=len(names), desc="pieces to train on", disable=not progress)):
            frames[k] = both
    frames.flush()
    texts = [text for name in names for text in texts_of(compose(*name))]
    vectors = sentence_vectors(texts).reshape(len(names), N_CAPTIONS + 2, -1)
    write_file(folder / "sentences.npy", lambda part: np.save(part, vectors))
    (folder / "done").write_text(f"{time.perf_counter() - start:.0f}")  # s


def texts_of(piece: Piece) -> list[str]:
    """Return texts on a piece: captions, a list of tags, its genre."""
    fact = facts(piece)
    genre = SPOKEN.get(piece.genre, piece.genre)
    tags = ", ".join([genre, fact["mood"].lower(), *fact["instruments"]])
    return [*(caption(piece, seed=wording) for wording in range(N_CAPTIONS)), tags, genre]


def _frames_of(genre: str, seed: int) -> NDArray:
    """Return the log-mel frames of both halves of a piece: float16 (2, 750, 64)."""
    torch.set_num_threads(1)
    waveform = render(compose(genre, seed), SAMPLE_RATE)
    halves = [as_played(half, SAMPLE_RATE) for half in np.split(waveform[: 30 * SAMPLE_RATE], 2)]
    return log_mel(torch.from_numpy(np.stack(halves))).numpy().astype(np.float16)
