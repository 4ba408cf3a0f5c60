"""Training of mini-mulan: contrast of clips and captions."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from naturalistic_simulation.models.mel import FRAMES_PER_S
from naturalistic_simulation.models.networks import JointSound, JointText
from naturalistic_simulation.training.loop import check_training, fit
from naturalistic_simulation.training.pieces import training_music

WINDOW = 10  # s
SHARES = (0.35, 0.35, 0.2, 0.1)  # chances of each text of a piece: two captions, tags, its genre
SHORTEST = 4  # s: excerpts of several lengths cost less than whole windows and teach as much


class Joint(nn.Module):
    """Both towers and the temperature of their contrast."""

    def __init__(self) -> None:
        super().__init__()
        self.sound = JointSound()
        self.text = JointText()
        self.scale = nn.Parameter(torch.tensor(np.log(1 / 0.07), dtype=torch.float32))

    def forward(self, frames: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
        """Return the symmetric contrastive loss of n pairs.

        Van den Oord et al. (2018); Radford et al. (2021).

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


def train_joint(
    path: Path | str,
    n_pieces: int = 3000,
    epochs: int = 36,
    seed: int = 0,
    batch_size: int = 200,
    progress: bool = True,
) -> list[float]:
    """Train mini-mulan, write its weights, and return the loss of each epoch.

    Parameters
    ----------
    path : str or Path
        Of the safetensors file.
    n_pieces, epochs, seed, batch_size : int
        Checked by `loop.check_training` before the first piece is composed.
    progress : bool
    """
    request = check_training(path, n_pieces=n_pieces, epochs=epochs, seed=seed, batch_size=batch_size)
    frames, sentences, _ = training_music(request.n_pieces, request.seed, progress)
    torch.manual_seed(request.seed)
    module = Joint()

    def loss_of(indices: NDArray, rng: np.random.Generator) -> torch.Tensor:
        length = int(rng.integers(SHORTEST, WINDOW + 1)) * FRAMES_PER_S
        shown = excerpts(frames, indices, length, rng)
        wording = rng.choice(len(SHARES), size=len(indices), p=SHARES)
        return module(shown, torch.from_numpy(sentences[indices, wording]))

    return fit(module, loss_of, request, rate=2e-3, progress=progress)


def excerpts(frames: NDArray, indices: NDArray, length: int, rng: np.random.Generator) -> torch.Tensor:
    """Return a random excerpt of each piece: float32 tensor (n, length, 64).

    Parameters
    ----------
    frames : array (n_pieces, 2, n_frames, 64)
    indices : int array (n,)
    length : int
        Frames.
    rng : Generator
    """
    half = rng.integers(2, size=len(indices))
    start = rng.integers(frames.shape[2] - length + 1, size=len(indices))
    cut = [frames[i, h, s : s + length] for i, h, s in zip(indices, half, start)]
    return torch.from_numpy(np.stack(cut)).float()
