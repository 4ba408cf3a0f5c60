"""Small generator of simulated music with its weights.

It is a small MusicLM (Agostinelli et al. 2023). A vector of mini-mulan becomes the tokens of a score (`score_model`,
`sampling`), and the simulation's synthesizer plays them. It was trained on simulated music (`training.composing`): it
knows its instruments and genres, and is of no use for other music. Its measured scores are in ``weights/mini.json``.
"""

import hashlib
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from naturalistic.features.devices import check_device
from naturalistic.features.weight_files import read_weights
from naturalistic.generation.generator import check_embeddings
from naturalistic.intact import read_json
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from naturalistic_simulation.models import embedders
from naturalistic_simulation.models.sampling import write_scores
from naturalistic_simulation.models.score_model import ScoreModel
from naturalistic_simulation.models.tokens import Score
from naturalistic_simulation.music.synthesizer import render

SAMPLE_RATE = 22050  # Hz
BATCH = 64  # scores written side by side
EMBEDDER = "mini-mulan"


def load(
    source: Path | str | None = None, name: str = "mini", device: str = "cpu", weights: Path | str | None = None
) -> "MiniGenerator":
    """Return the small generator of simulated music.

    Parameters
    ----------
    source : str or Path, optional
        Other weights, from ``naturalistic train mini-generator --to FILE``; their card is beside them.
    name : str
    device : str
    weights : str or Path, optional
        The same as ``source``.

    Returns
    -------
    generator : MiniGenerator

    Raises
    ------
    FileNotFoundError, ValueError
        If there are no weights or no card, they are of another network, or the generator was trained on vectors of
        another mini-mulan than the one at hand.
    """
    path = Path(weights or source or path_of())
    card = _card_beside(path)
    again = f"naturalistic train mini-generator --to {shlex.quote(str(path))}"
    known = card.get("embedder", {}).get("sha256")
    here = embedder_hash()
    if known != here:
        raise ValueError(
            f"{path} was trained on vectors of a {EMBEDDER} with the hash {str(known)[:12]}, and the one at hand has "
            f"{here[:12]}: train it again ({again}), or bring back that {EMBEDDER}"
        )
    network = network_of(path, check_device(device))
    if card.get("sha256") != hashlib.sha256(path.read_bytes()).hexdigest():
        raise ValueError(
            f"{path.with_suffix('.json')} is the card of other weights: a training that was stopped before it was "
            f"measured leaves such a pair; run the same training again ({again})"
        )
    return MiniGenerator(network, name, device)


def path_of() -> Path:
    """Return the file of the shipped weights."""
    return embedders.path_of("mini")


def card() -> dict:
    """Return the card of the shipped generator: its training and its scores."""
    return _card_beside(path_of())


def embedder_hash() -> str:
    """Return the SHA-256 of the weights of the mini-mulan at hand."""
    return hashlib.sha256(embedders.path_of(EMBEDDER).read_bytes()).hexdigest()


def network_of(path: Path | str, device: str = "cpu") -> ScoreModel:
    """Return the network with the weights of a file, in double precision.

    The file has half precision.

    Parameters
    ----------
    path : str or Path
        Of the safetensors file.
    device : str

    Returns
    -------
    network : ScoreModel

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file, it was cut short, or it holds other weights.
    """
    network = ScoreModel()
    weights = read_weights(path, "mini-generator")
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(f"{path} holds no weights of ScoreModel: {error}") from error
    return network.double().eval().requires_grad_(False).to(device)


def _card_beside(path: Path) -> dict:
    card = path.with_suffix(".json")
    if not card.is_file():
        raise FileNotFoundError(
            f"{card} is not there: expected the card of {path.name}, which says what vectors it was trained on"
        )
    return read_json(card)


class MiniGenerator:
    """Generator that writes scores from vectors of mini-mulan and plays them.

    See `generator.Generator`.

    Parameters
    ----------
    network : ScoreModel
        From `network_of`.
    name, device : str
    """

    dim = 128
    sample_rate = SAMPLE_RATE

    def __init__(self, network: ScoreModel, name: str = "mini", device: str = "cpu") -> None:
        self.network = network
        self.name = name
        self.device = str(device)

    def write(self, embeddings: ArrayLike, seeds: Sequence[int], duration: float = 15.0) -> Iterator[Score]:
        """Write a score for each vector, one after another; see `generate_all`."""
        vectors, seeds = check_embeddings(embeddings, self.dim, seeds, duration)
        if negative := [seed for seed in seeds if seed < 0]:
            raise ValueError(f"seeds: {negative[0]} is negative, expected 0 or more")
        vectors = torch.from_numpy(vectors.astype(np.float64)).to(self.device)
        for first in range(0, len(seeds), BATCH):
            rows = slice(first, first + BATCH)
            yield from write_scores(self.network, vectors[rows], seeds[rows], float(duration))

    def generate(self, embedding: ArrayLike, seed: int, duration: float = 15.0) -> tuple[NDArray, int]:
        """Return one piece of music and its sample rate; see `Generator.generate`."""
        waveforms, rate = self.generate_all(np.asarray(embedding)[None], [seed], duration, progress=False)
        return waveforms[0], rate

    def generate_all(
        self, embeddings: ArrayLike, seeds: Sequence[int], duration: float = 15.0, progress: bool = True
    ) -> tuple[list[NDArray], int]:
        """Return many pieces of music and the sample rate.

        Piece i depends on row i and seed i alone.

        Parameters
        ----------
        embeddings : array (n, 128)
        seeds : list of int
            Not negative, one a row.
        duration : float
            s.
        progress : bool
            Show a bar if it takes more than 3 s.

        Returns
        -------
        waveforms : list of float32 array (n_samples,)
            Loudness as played, not normalized.
        sample_rate : int
            Hz.

        Raises
        ------
        ValueError
            If the vectors, the seeds or the duration are not as expected.
        """
        scores = self.write(embeddings, seeds, duration)
        bar = tqdm(scores, total=np.size(seeds), desc=self.name, unit="piece", delay=3, disable=not progress)
        return [render(score, SAMPLE_RATE) for score in bar], SAMPLE_RATE
