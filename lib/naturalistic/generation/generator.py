"""Protocol of generators: a vector and a seed in, sound out; checks of both before the work starts."""

from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from naturalistic.parameters import whole

if TYPE_CHECKING:
    from naturalistic.features.audio.embedder import Embedder


class Generator(Protocol):
    """Generates music from a vector of an embedding space.

    Attributes
    ----------
    name : str
    dim : int
        Size of the vectors that condition it.
    sample_rate : int
        Sample rate of the sound in Hz.
    """

    name: str
    dim: int
    sample_rate: int

    def generate(self, embedding: ArrayLike, seed: int, duration: float = 15.0) -> tuple[NDArray[np.float32], int]:
        """Return one piece of music: (waveform, sample_rate).

        Parameters
        ----------
        embedding : array (dim,)
            Its length does not matter, only its direction.
        seed : int
            Another seed, another piece.
        duration : float
            s.

        Returns
        -------
        waveform : float32 array (n_samples,)
        sample_rate : int
            Hz.
        """
        ...

    def generate_all(
        self, embeddings: ArrayLike, seeds: ArrayLike, duration: float = 15.0, progress: bool = True
    ) -> tuple[list[NDArray[np.float32]], int]:
        """Return many pieces of music; piece i depends on row i and seed i alone.

        Parameters
        ----------
        embeddings : array (n, dim)
        seeds : sequence of int
            One a row.
        duration : float
            s, of each piece.
        progress : bool
            Show a bar.

        Returns
        -------
        waveforms : list of float32 array (n_samples,)
        sample_rate : int
            Hz.
        """
        ...


def check_embeddings(
    embeddings: ArrayLike, dim: int, seeds: ArrayLike, duration: float = 1.0, *, unit: bool = True
) -> tuple[NDArray[np.float32], list[int]]:
    """Return vectors and seeds, or raise an error before the work starts.

    Parameters
    ----------
    embeddings : array (n, dim)
    dim : int
        Size of the vectors that the generator takes.
    seeds : sequence of int
        One a row.
    duration : float
        s.
    unit : bool
        Bring vectors to length 1.

    Returns
    -------
    vectors : float32 array (n, dim)
    seeds : list of int

    Raises
    ------
    ValueError
        If the vectors are not of the generator's space, are not finite or are zero, seeds do not match them, or the
        duration is not positive.
    """
    vectors = np.asarray(embeddings, dtype=np.float32)
    if vectors.ndim != 2 or vectors.shape[1] != dim:
        raise ValueError(
            f"embeddings have shape {vectors.shape}, expected (n, {dim}): this generator is conditioned on vectors of "
            f"{dim} dimensions; decode the embedding that it was trained with"
        )
    is_finite = np.isfinite(vectors).all(axis=1)
    if not is_finite.all():
        raise ValueError(f"embeddings: {np.sum(~is_finite)} of {len(vectors)} rows are not finite")
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not length.all():
        raise ValueError(f"embeddings: {np.sum(length == 0)} of {len(vectors)} rows are zero and have no direction")
    seeds = [whole(f"seeds[{k}]", seed, None) for k, seed in enumerate(np.atleast_1d(seeds))]
    if len(seeds) != len(vectors):
        raise ValueError(f"seeds: {len(seeds)} for {len(vectors)} embeddings, expected one each")
    if not duration > 0:
        raise ValueError(f"duration is {duration} s, expected more than 0")
    return vectors / length if unit else vectors, seeds


def check_dim(generator: Generator, embedder: "Embedder") -> None:
    """Check that a generator takes the vectors of an embedder, before any of them is decoded.

    Parameters
    ----------
    generator : Generator
    embedder : features.embedder.Embedder

    Raises
    ------
    ValueError
        If the dimensions differ.
    """
    if generator.dim != embedder.dim:
        raise ValueError(
            f"generator {generator.name} takes vectors of {generator.dim} dimensions, and {embedder.name} has "
            f"{embedder.dim}: mini goes with mini-mulan, musicldm with its own CLAP, musicgen with any joint model"
        )
