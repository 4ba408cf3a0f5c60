"""Small models of simulated films with their weights: film and text, and a generator of storyboards.

Their measured scores are in the cards beside the weights.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from naturalistic.decoding.films import FilmEmbedder, film_features
from naturalistic.features.weight_files import read_weights
from naturalistic.parameters import whole
from numpy.typing import ArrayLike, NDArray
from torch import nn

from naturalistic_simulation.clips.captions import PLACE_WORDS, THING_WORDS, VERBS
from naturalistic_simulation.clips.render import render
from naturalistic_simulation.clips.world import COLORS, N_NUMBERS, RATE, from_numbers
from naturalistic_simulation.models.film_networks import (
    DIM,
    FRAMES,
    N_CONDITIONS,
    SPACES,
    FilmText,
    StoryboardFlow,
    as_pictures,
)

WEIGHTS = Path(__file__).parent / "weights"
CHUNK = 200  # films at once
N_STEPS = 24  # of the flow from noise to a storyboard
GRAIN = 6 * 10**12  # textures of generated films are their own
Network = TypeVar("Network", bound=nn.Module)


@lru_cache(maxsize=1)
def vocabulary() -> dict[str, int]:
    """Return the words of captions with their indices, from 1 on."""
    texts = [*COLORS, "small large fast to the left right upwards downwards in front of before a an is can be seen"]
    for words in (THING_WORDS, PLACE_WORDS, VERBS):
        texts += [text for of_kind in words.values() for text in of_kind]
    known = sorted({word for text in texts for word in text.split()})
    return {word: k + 1 for k, word in enumerate(known)}


class FilmTextModel:
    """Joint embedding of films and sentences; see `film_networks.FilmText`.

    Parameters
    ----------
    network : FilmText
    name : str
    """

    dim = DIM

    def __init__(self, network: FilmText, name: str = "film-text") -> None:
        self.network = network
        self.name = name

    def embed(self, films: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return unit vectors (n_films, dim).

        Parameters
        ----------
        films : uint8 array (n_films, n_frames, SIZE, SIZE, 3)
        """
        vectors = []
        with torch.no_grad():
            for first in range(0, len(films), CHUNK):
                vectors.append(self.network.embed(as_pictures(films[first : first + CHUNK], FRAMES)).numpy())
        return np.concatenate(vectors)

    def embed_text(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        """Return unit vectors (n_sentences, dim).

        Parameters
        ----------
        sentences : sequence of str
        """
        with torch.no_grad():
            return self.network.embed_words(torch.from_numpy(word_codes(sentences))).numpy()


class StoryboardGenerator:
    """Generator of films from decoded targets and the decoder's own error.

    Conditions are the targets as decoded (`film_features`, whitened components of each space) and the standard
    deviation of the decoder's error in each: one set of weights serves good and poor decoders.

    Parameters
    ----------
    network : StoryboardFlow
    embedder : FilmEmbedder
        Of the meaning, as in training.
    """

    name = "storyboards"
    dim = 2 * N_CONDITIONS
    rate = RATE

    def __init__(self, network: StoryboardFlow, embedder: FilmEmbedder) -> None:
        self.network = network
        self.embedder = embedder
        self.spaces = network.targets()

    def targets_of(self, films: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the targets of films: (n_films, N_CONDITIONS).

        Parameters
        ----------
        films : uint8 array (n_films, n_frames, SIZE, SIZE, 3)
        """
        return self.to_targets(film_features(films, self.embedder))

    def to_targets(self, features: dict[str, NDArray]) -> NDArray[np.float32]:
        """Return the targets of features: (n_films, N_CONDITIONS).

        Parameters
        ----------
        features : dict of array
            See `film_features`.
        """
        return np.concatenate([space.transform(features[name]) for name, space in self.spaces.items()], axis=1)

    @property
    def columns(self) -> dict[str, slice]:
        """Return the columns of each space among the targets."""
        ends = np.cumsum([0, *SPACES.values()]).tolist()
        return {name: slice(a, b) for name, a, b in zip(SPACES, ends[:-1], ends[1:])}

    def condition(self, decoded: ArrayLike, error: ArrayLike) -> NDArray[np.float32]:
        """Return conditions: (n_films, dim).

        Parameters
        ----------
        decoded : array (n_films, N_CONDITIONS)
            Calibrated: as large as they are reliable.
        error : array (N_CONDITIONS,)
            Standard deviation of the targets around them, 0 to 1.

        Raises
        ------
        ValueError
            If shapes are not as described, or a value is not finite.
        """
        decoded = np.asarray(decoded, np.float32)
        error = np.asarray(error, np.float32)
        if decoded.ndim != 2 or decoded.shape[1] != N_CONDITIONS or error.shape != (N_CONDITIONS,):
            raise ValueError(
                f"decoded has shape {decoded.shape} and error {error.shape}, expected (n_films, {N_CONDITIONS}) and "
                f"({N_CONDITIONS},): the targets of {self.name}"
            )
        return np.concatenate([decoded, np.tile(np.clip(error, 0, 1), (len(decoded), 1))], axis=1)

    def draw(self, conditions: ArrayLike, seeds: ArrayLike) -> NDArray[np.float32]:
        """Draw a storyboard for each condition: (n_films, n_names).

        Parameters
        ----------
        conditions : array (n_films, dim)
            Of `condition`.
        seeds : int array (n_films,)
            Another seed, another storyboard.

        Raises
        ------
        ValueError
            If conditions or seeds are not as described.
        """
        conditions = np.asarray(conditions, np.float32)
        if conditions.ndim != 2 or conditions.shape[1] != self.dim or not np.isfinite(conditions).all():
            raise ValueError(
                f"conditions has shape {conditions.shape}, expected finite numbers (n_films, {self.dim}): the vectors "
                "of StoryboardGenerator.condition"
            )
        numbers = [whole(f"seeds[{k}]", seed, 0) for k, seed in enumerate(np.atleast_1d(seeds))]
        if len(numbers) != len(conditions):
            raise ValueError(f"seeds: {len(numbers)} for {len(conditions)} conditions, expected one each")
        noise = np.stack([np.random.default_rng([1, seed]).standard_normal(N_NUMBERS) for seed in numbers])
        x = torch.from_numpy(noise.astype(np.float32))
        given = torch.from_numpy(conditions)
        with torch.no_grad():
            for k in range(N_STEPS):  # Heun's method
                now = torch.full((len(x),), k / N_STEPS)
                then = torch.full((len(x),), (k + 1) / N_STEPS)
                velocity = self.network(x, now, given)
                ahead = self.network(x + velocity / N_STEPS, then, given)
                x = x + (velocity + ahead) / (2 * N_STEPS)
        return from_numbers(x.numpy())

    def generate(self, embedding: ArrayLike, seed: int) -> tuple[NDArray[np.uint8], float]:
        """Return one film and its frames a second.

        Parameters
        ----------
        embedding : array (dim,)
            Of `condition`.
        seed : int

        Returns
        -------
        film : uint8 array (n_frames, SIZE, SIZE, 3)
        rate : float
        """
        films, rate = self.generate_all(np.asarray(embedding)[None], [seed])
        return films[0], rate

    def generate_all(self, embeddings: ArrayLike, seeds: ArrayLike) -> tuple[NDArray[np.uint8], float]:
        """Return a film for each vector, and their frames a second; film i depends on row i and seed i alone.

        Parameters
        ----------
        embeddings : array (n_films, dim)
            Of `condition`.
        seeds : int array (n_films,)

        Returns
        -------
        films : uint8 array (n_films, n_frames, SIZE, SIZE, 3)
        rate : float
        """
        boards = self.draw(embeddings, seeds)
        return render(boards, GRAIN + np.atleast_1d(seeds)), self.rate


def word_codes(sentences: Sequence[str], n_words: int = 24) -> NDArray[np.int64]:
    """Return words of sentences as indices into `vocabulary`: (n_sentences, n_words), 0 for none or an unknown one.

    Parameters
    ----------
    sentences : sequence of str
    n_words : int
        Of a sentence, at most.
    """
    words = vocabulary()
    codes = np.zeros((len(sentences), n_words), np.int64)
    for row, sentence in zip(codes, sentences):
        plain = "".join(letter if letter.isalpha() else " " for letter in sentence.lower())
        found = [words.get(word, 0) for word in plain.split()][:n_words]
        row[: len(found)] = found
    return codes


def load_film_text(path: Path | str | None = None) -> FilmTextModel:
    """Return the joint model of films and sentences.

    Parameters
    ----------
    path : str or Path, optional
        Of other weights.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file, it was cut short, or it holds other weights.
    """
    return FilmTextModel(loaded(FilmText(len(vocabulary()) + 1), "film-text", path))


def load_storyboards(path: Path | str | None = None) -> StoryboardGenerator:
    """Return the generator of films from decoded targets.

    Parameters
    ----------
    path : str or Path, optional
        Of other weights.

    Raises
    ------
    FileNotFoundError, ValueError
        As `load_film_text`.
    """
    return StoryboardGenerator(loaded(StoryboardFlow(), "storyboards", path), load_film_text())


def loaded(network: Network, name: str, path: Path | str | None) -> Network:
    """Return a network with the weights of a file, those that come with the package by default.

    Parameters
    ----------
    network : torch.nn.Module
    name : str
        Of the model, as ``naturalistic train`` calls it.
    path : str or Path, optional

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file, it was cut short, or it holds other weights.
    """
    path = WEIGHTS / f"{name}.safetensors" if path is None else Path(path)
    weights = read_weights(path, name)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(f"{path} holds no weights of {type(network).__name__}: {error}") from error
    return network.float().eval().requires_grad_(False)
