"""Shipped vectors of the simulated corpus, for an index without rendering.

They are of the default corpus by mini-mulan, computed by ``naturalistic train corpus-vectors --to FILE``. They hold for
one recipe of the corpus, one seed, and one embedder with its weights; for others, tracks are rendered and embedded.
"""

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
from naturalistic.datasets.fma import load
from naturalistic.decoding.corpus import index_identity, track_vectors
from naturalistic.intact import check_whole
from naturalistic.parameters import whole
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file

from naturalistic_simulation.corpus import numbers_of, simulate_corpus
from naturalistic_simulation.corpus_tracks import SECONDS, recipe
from naturalistic_simulation.folders import write_file
from naturalistic_simulation.models.embedders import load_mulan

NAME = "corpus_vectors.safetensors"


def path_of() -> Path:
    """Return the file of the vectors that come with the package."""
    return Path(str(files("naturalistic_simulation") / NAME))


def known_vectors(
    folder: Path | str, ids: Sequence[str], identity: str, path: Path | str | None = None
) -> NDArray[np.float32] | None:
    """Return the shipped vectors of tracks, or None if there are none.

    Parameters
    ----------
    folder : str or Path
        Of the corpus.
    ids : sequence of str
        Such as ``"000001"``.
    identity : str
        From `naturalistic.decoding.corpus.index_identity`.
    path : str or Path, optional
        Of other vectors, from ``naturalistic train corpus-vectors --to FILE``.

    Returns
    -------
    vectors : float32 array (n_tracks, dim) or None
        None if the corpus is of another recipe or seed, the vectors are of another embedder, or a track has none.
    """
    path = Path(path or path_of())
    try:
        seed, _ = numbers_of(folder)
    except FileNotFoundError:
        return None
    tracks = np.array([int(name) for name in ids])
    check_whole(path, "install the package again")
    with safe_open(str(path), "numpy") as file:
        if file.metadata() != _description(identity, seed):
            return None
        vectors = file.get_tensor("vectors")
    return vectors[tracks - 1] if tracks.max() <= len(vectors) else None


def write_vectors(path: Path | str, folder: Path | str, seed: int = 0, n_tracks: int = 2000) -> Path:
    """Render a corpus, embed it by mini-mulan, and write the vectors.

    Parameters
    ----------
    path : str or Path
        Of the safetensors file, written whole or not at all.
    folder : str or Path
        Of the corpus; what is rendered there already is not rendered again.
    seed, n_tracks : int
        Of the corpus.

    Returns
    -------
    path : Path

    Raises
    ------
    ValueError
        If `corpus.simulate_corpus` refuses a number or the folder.
    """
    path = Path(path)
    seed = whole("seed", seed, 0)
    corpus = load(simulate_corpus(folder, n_tracks, seed, render_all=True))
    embedder = load_mulan()
    vectors = track_vectors(corpus, embedder, SECONDS)
    description = _description(index_identity(embedder, SECONDS), seed)
    write_file(path, lambda part: save_file({"vectors": vectors}, str(part), description))
    return path


def _description(identity: str, seed: int) -> dict[str, str]:
    """Return the metadata of vectors: recipe, seed and embedder."""
    return {"recipe": recipe(), "seed": str(seed), "embedder": identity}
