"""What all generators share: a vector and a seed in, sound out, with what is wrong said before the work starts."""

from typing import Protocol

import numpy as np

from naturalistic.parameters import whole


class Generator(Protocol):
    """Makes music from a place in an embedding space.

    Attributes
    ----------
    name : str
    dim : int
        Of the vectors that condition it.
    sample_rate : int
        Hz, of what it gives.
    """

    name: str
    dim: int
    sample_rate: int

    def generate(self, embedding, seed, duration=15.0):
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

    def generate_all(self, embeddings, seeds, duration=15.0, progress=True):
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


def check_embeddings(embeddings, dim, seeds, duration):
    """Return vectors of length 1 and seeds, or say what is wrong with them.

    Parameters
    ----------
    embeddings : array (n, dim)
    dim : int
        That the generator takes.
    seeds : sequence of int
        One a row.
    duration : float
        s.

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
    x = np.asarray(embeddings, dtype=np.float32)
    if x.ndim != 2 or x.shape[1] != dim:
        raise ValueError(
            f"embeddings have shape {x.shape}, expected (n, {dim}): this generator is conditioned on vectors of "
            f"{dim} dimensions; decode the embedding that it was trained with"
        )
    if not np.isfinite(x).all():
        raise ValueError(f"embeddings: {np.sum(~np.isfinite(x).all(axis=1))} of {len(x)} rows are not finite")
    length = np.linalg.norm(x, axis=1, keepdims=True)
    if not length.all():
        raise ValueError(f"embeddings: {np.sum(length == 0)} of {len(x)} rows are zero and have no direction")
    seeds = [whole(f"seeds[{k}]", seed, None) for k, seed in enumerate(np.atleast_1d(seeds))]
    if len(seeds) != len(x):
        raise ValueError(f"seeds: {len(seeds)} for {len(x)} embeddings, expected one each")
    if not duration > 0:
        raise ValueError(f"duration is {duration} s, expected more than 0")
    return x / length, seeds


def check_dim(generator, embedder):
    """Stop if a generator does not take an embedder's vectors; before they are decoded, indexed or anything.

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
