"""Training of mini-mulan: a clip and its caption are brought together, those of other clips are pushed apart."""

import numpy as np
import torch
from torch import nn

from naturalistic_simulation.models.mel import FRAMES_PER_S
from naturalistic_simulation.models.networks import JointSound, JointText
from naturalistic_simulation.training.loop import check_training, fit
from naturalistic_simulation.training.pieces import training_music

WINDOW = 10  # s
SHARES = (0.35, 0.35, 0.2, 0.1)  # how often each text of a piece is read: two captions, tags, its genre
SHORTEST = 4  # s: excerpts of several lengths cost less than whole windows and teach as much


class Joint(nn.Module):
    """Both towers and the temperature of their contrast."""

    def __init__(self):
        super().__init__()
        self.sound = JointSound()
        self.text = JointText()
        self.scale = nn.Parameter(torch.tensor(np.log(1 / 0.07), dtype=torch.float32))

    def forward(self, frames, vectors):
        """Return the symmetric contrastive loss (van den Oord et al. 2018; Radford et al. 2021) of n pairs.

        Parameters
        ----------
        frames : float tensor (n, n_frames, 64)
            Log-mel.
        vectors : float tensor (n, dim)
            Of sentences.

        Returns
        -------
        loss : float tensor ()
            Nats.
        """
        similarity = self.sound(frames) @ self.text(vectors).T * self.scale.exp().clamp(max=50)
        right = torch.arange(len(similarity), device=similarity.device)
        return (nn.functional.cross_entropy(similarity, right) + nn.functional.cross_entropy(similarity.T, right)) / 2


def train_joint(path, n_pieces=3000, epochs=36, seed=0, batch_size=200, progress=True):
    """Train mini-mulan and write its weights.

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
    frames, sentences, _ = training_music(n_pieces, seed, progress)
    torch.manual_seed(seed)
    module = Joint()

    def loss_of(indices, rng):
        length = int(rng.integers(SHORTEST, WINDOW + 1)) * FRAMES_PER_S
        shown = excerpts(frames, indices, length, rng)
        wording = rng.choice(len(SHARES), size=len(indices), p=SHARES)
        return module(shown, torch.from_numpy(sentences[indices, wording]))

    return fit(
        module,
        loss_of,
        n_pieces,
        path=path,
        epochs=epochs,
        batch_size=batch_size,
        rate=2e-3,
        seed=seed,
        progress=progress,
    )


def excerpts(frames, indices, length, rng):
    """Return a random excerpt of each piece.

    Parameters
    ----------
    frames : array (n_pieces, 2, n_frames, 64)
    indices : int array (n,)
    length : int
        Frames.
    rng : Generator

    Returns
    -------
    shown : float32 tensor (n, length, 64)
    """
    half = rng.integers(2, size=len(indices))
    start = rng.integers(frames.shape[2] - length + 1, size=len(indices))
    cut = [frames[i, h, s : s + length] for i, h, s in zip(indices, half, start)]
    return torch.from_numpy(np.stack(cut)).float()
