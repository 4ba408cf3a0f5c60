"""Training of mini-ssl: frames of sound are hidden, and predicted from those around them."""

import numpy as np
import torch

from naturalistic_simulation.models.mel import FRAMES_PER_S
from naturalistic_simulation.models.networks import MaskedSound
from naturalistic_simulation.training.joint import excerpts
from naturalistic_simulation.training.loop import check_training, fit
from naturalistic_simulation.training.pieces import training_music

LENGTH = 3 * FRAMES_PER_S  # frames shown at once
# frames in a gap (160 ms), share of frames that are hidden
GAP = 8
SHARE = 0.4


def train_masked(path, n_pieces=3000, epochs=16, seed=0, batch_size=48, progress=True):
    """Train mini-ssl and write its weights; no caption is read.

    Parameters
    ----------
    path : str or Path
        Of the safetensors file.
    n_pieces, epochs, seed, batch_size : int
    progress : bool

    Returns
    -------
    losses : list of float

    Raises
    ------
    ValueError
        Before the first piece is composed: as of `loop.check_training`.
    """
    path, numbers = check_training(path, n_pieces=n_pieces, epochs=epochs, seed=seed, batch_size=batch_size)
    n_pieces, epochs, seed, batch_size = numbers.values()
    frames, _, _ = training_music(n_pieces, seed, progress)
    torch.manual_seed(seed)
    module = MaskedSound()

    def loss_of(indices, rng):
        return module(excerpts(frames, indices, LENGTH, rng), gaps(len(indices), LENGTH, rng))

    return fit(
        module,
        loss_of,
        n_pieces,
        path=path,
        epochs=epochs,
        batch_size=batch_size,
        rate=1e-3,
        seed=seed,
        progress=progress,
    )


def gaps(n, length, rng):
    """Return a mask of hidden frames, in gaps of `GAP` frames that may touch.

    Parameters
    ----------
    n, length : int
        Samples and frames.
    rng : numpy.random.Generator

    Returns
    -------
    hidden : bool tensor (n, length)
    """
    n_gaps = round(SHARE * length / GAP)
    starts = rng.integers(0, length - GAP + 1, size=(n, n_gaps))
    hidden = np.zeros((n, length), dtype=bool)
    for k in range(GAP):
        np.put_along_axis(hidden, starts + k, True, axis=1)
    return torch.from_numpy(hidden)
