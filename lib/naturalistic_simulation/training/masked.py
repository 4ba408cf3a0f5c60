"""Training of mini-ssl: prediction of hidden frames of sound."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from naturalistic_simulation.models.mel import FRAMES_PER_S
from naturalistic_simulation.models.networks import MaskedSound
from naturalistic_simulation.training.joint import excerpts
from naturalistic_simulation.training.loop import check_training, fit
from naturalistic_simulation.training.pieces import training_music

LENGTH = 3 * FRAMES_PER_S  # frames shown at once
# frames in a gap (160 ms), share of frames that are hidden
GAP = 8
SHARE = 0.4


def train_masked(
    path: Path | str, n_pieces: int = 3000, epochs: int = 16, seed: int = 0, batch_size: int = 48, progress: bool = True
) -> list[float]:
    """Train mini-ssl without captions, write its weights, and return its losses.

    Parameters
    ----------
    path : str or Path
        Of the safetensors file.
    n_pieces, epochs, seed, batch_size : int
        Checked by `loop.check_training` before the first piece is composed.
    progress : bool
    """
    request = check_training(path, n_pieces=n_pieces, epochs=epochs, seed=seed, batch_size=batch_size)
    frames, _, _ = training_music(request.n_pieces, request.seed, progress)
    torch.manual_seed(request.seed)
    module = MaskedSound()

    def loss_of(indices: NDArray, rng: np.random.Generator) -> torch.Tensor:
        return module(excerpts(frames, indices, LENGTH, rng), gaps(len(indices), LENGTH, rng))

    return fit(module, loss_of, request, rate=1e-3, progress=progress)


def gaps(n: int, length: int, rng: np.random.Generator) -> torch.Tensor:
    """Return a mask (n, length) of hidden frames, in gaps of `GAP` that may touch."""
    n_gaps = round(SHARE * length / GAP)
    starts = rng.integers(0, length - GAP + 1, size=(n, n_gaps))
    hidden = np.zeros((n, length), dtype=bool)
    for k in range(GAP):
        np.put_along_axis(hidden, starts + k, True, axis=1)
    return torch.from_numpy(hidden)
