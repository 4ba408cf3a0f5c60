"""Training of mini-generator: scores of music from vectors of their sound."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from naturalistic_simulation.models.score_model import ScoreModel, known_before
from naturalistic_simulation.models.tokens import read_header
from naturalistic_simulation.training.composed import training_scores
from naturalistic_simulation.training.loop import check_training, fit

# Length of the noise added to a vector of length 1. Decoded vectors are off their targets; this is twice what parts
# two halves of a piece (0.28), and leaves a vector nearer to itself (cosine 0.89) than to other pieces (0.06).
NOISE = 0.5
MOST_EVENTS = 288  # of a score that are learned from; a fifth of all have more


def train_generator(
    path: Path | str, n_pieces: int = 4000, epochs: int = 7, seed: int = 0, batch_size: int = 32, progress: bool = True
) -> list[float]:
    """Train the generator, write its weights, and return the loss of each epoch.

    Parameters
    ----------
    path : str or Path
        Of the safetensors file.
    n_pieces, epochs, seed, batch_size : int
        Checked by `loop.check_training` before the first piece is composed.
    progress : bool
    """
    request = check_training(path, n_pieces=n_pieces, epochs=epochs, seed=seed, batch_size=batch_size)
    headers, events, vectors = training_scores(request.n_pieces, request.seed, progress)
    known = [known_before(e, 4 * read_header(h)[0])[:-1] for h, e in zip(headers, events)]
    torch.manual_seed(request.seed)
    module = ScoreModel()

    def loss_of(indices: NDArray, rng: np.random.Generator) -> torch.Tensor:
        indices = longest_first(indices, events)
        of_event, of_token = module(noisy(vectors[indices], rng), *packed(headers, known, events, indices))
        return of_event + of_token

    return fit(module, loss_of, request, rate=3e-3, decay=0.01, progress=progress)


def noisy(vectors: NDArray, rng: np.random.Generator) -> torch.Tensor:
    """Return vectors (n, dim) of length 1 with noise of the size `NOISE`."""
    x = torch.from_numpy(vectors + rng.standard_normal(vectors.shape, np.float32) * NOISE / vectors.shape[1] ** 0.5)
    return torch.nn.functional.normalize(x, dim=1)


def packed(headers: list[NDArray], known: list[NDArray], events: list[NDArray], indices: NDArray) -> tuple:
    """Return a batch of scores as `ScoreModel` takes it, without vectors.

    The longest score is first.

    Parameters
    ----------
    headers, known, events : list of array
        Of all scores: tokens, what is known before each event, and events.
    indices : int array (n,)
        Sorted by `longest_first`.

    Returns
    -------
    headers : int tensor (n, n_tokens)
    known, events, rows : int tensors (n_events, 26), (n_events, 6), (n_events,)
    sizes : list of int
    """
    lengths = [min(len(events[i]), MOST_EVENTS) for i in indices]
    steps = np.concatenate([np.arange(length) for length in lengths])
    at = np.argsort(steps, kind="stable")
    rows = np.repeat(np.arange(len(indices)), lengths)[at]
    together = [np.concatenate([table[i][:n] for i, n in zip(indices, lengths)])[at] for table in (known, events)]
    padded = np.full((len(indices), max(len(headers[i]) for i in indices)), -1)
    for row, i in enumerate(indices):
        padded[row, : len(headers[i])] = headers[i]
    tensors = [torch.from_numpy(np.asarray(x, dtype=np.int64)) for x in (padded, *together, rows)]
    return *tensors, np.bincount(steps).tolist()


def longest_first(indices: NDArray, events: list[NDArray]) -> NDArray:
    """Return indices of scores sorted by the number of events to learn from."""
    return indices[np.argsort([-min(len(events[i]), MOST_EVENTS) for i in indices], kind="stable")]
