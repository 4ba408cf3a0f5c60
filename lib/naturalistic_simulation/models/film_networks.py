"""Networks of the small models of simulated films: film and text, and the storyboard's flow."""

import math

import numpy as np
import torch
from naturalistic.decoding.films import TargetSpace
from naturalistic.features.pca import Components
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from naturalistic_simulation.clips.world import N_NUMBERS, PLACES, THINGS

DIM = 32  # of the joint space of films and sentences
FRAMES = (1, 6)  # that the joint model looks at: an early one and a late one
# components of each space that are read from the brain; their errors are as many
SPACES = {"layout": 16, "meaning": 16, "motion": 8}
N_FEATURES = {"layout": 192, "meaning": DIM, "motion": 32}
N_CONDITIONS = sum(SPACES.values())
HIDDEN = 448
N_TIMES = 16


def as_pictures(films: NDArray, frames: tuple[int, ...]) -> torch.Tensor:
    """Return frames of films at half their size as float32 of -1 to 1: (n_films * n_frames, 3, height, width).

    Parameters
    ----------
    films : uint8 array (n_films, n_frames, height, width, 3)
    frames : tuple of int
        Which of them, of eight; spread over however many there are.
    """
    last = films.shape[1] - 1
    chosen = [round(k * last / 7) for k in frames]
    return to_pictures(films[:, chosen])


def to_pictures(films: NDArray) -> torch.Tensor:
    """Return all frames of films as `as_pictures` does.

    Parameters
    ----------
    films : uint8 array (n_films, n_frames, height, width, 3)
    """
    pictures = torch.from_numpy(np.ascontiguousarray(films)).flatten(0, 1).permute(0, 3, 1, 2)
    return functional.avg_pool2d(pictures.float(), 2) / 127.5 - 1


class FilmText(nn.Module):
    """Films and sentences in one space of unit vectors; a small model of the kind of CLIP.

    Parameters
    ----------
    n_words : int
        Of the vocabulary; row 0 stands for none.
    """

    def __init__(self, n_words: int) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(3, 24, 5, stride=2, padding=2),
            nn.BatchNorm2d(24),
            nn.ReLU(),
            nn.Conv2d(24, 48, 3, stride=2, padding=1),
            nn.BatchNorm2d(48),
            nn.ReLU(),
            nn.Conv2d(48, 64, 3, padding=1),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.Conv2d(64, 96, 3, stride=2, padding=1),
            nn.BatchNorm2d(96),
            nn.ReLU(),
        )
        self.film = nn.Sequential(nn.Linear(2 * 96 + 2 * 16 * 96, 128), nn.GELU())
        self.joint = nn.Linear(128, DIM)
        self.labels = nn.Linear(DIM, len(THINGS) + len(PLACES))  # of objects and scenes, in training alone
        self.words = nn.EmbeddingBag(n_words, 64, mode="mean", padding_idx=0)
        self.text = nn.Sequential(nn.Linear(64, 64), nn.GELU(), nn.Linear(64, DIM))
        self.scale = nn.Parameter(torch.tensor(math.log(10.0)))

    def embed(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return unit vectors (n_films, DIM) of ``as_pictures(films, FRAMES)``."""
        maps = self.trunk(pictures).unflatten(0, (-1, len(FRAMES)))
        mean = maps.mean(dim=1)
        change = maps[:, -1] - maps[:, 0]
        pooled = [maps.amax(dim=(1, 3, 4)), mean.mean(dim=(2, 3))]
        x = torch.cat([*pooled, mean.flatten(1), change.flatten(1)], dim=1)
        return functional.normalize(self.joint(self.film(x)), dim=1)

    def embed_words(self, words: torch.Tensor) -> torch.Tensor:
        """Return unit vectors (n_sentences, DIM) of word indices (n_sentences, n_words), 0 where there is none."""
        return functional.normalize(self.text(self.words(words)), dim=1)

    def forward(self, pictures: torch.Tensor, words: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the contrastive loss of films and their sentences, plus that of their labels (n_films, 2)."""
        vectors = self.embed(pictures)
        similarity = self.scale.exp().clamp(max=50) * vectors @ self.embed_words(words).T
        target = torch.arange(len(similarity))
        loss = (functional.cross_entropy(similarity, target) + functional.cross_entropy(similarity.T, target)) / 2
        odds = self.labels(10 * vectors)
        of_things = functional.cross_entropy(odds[:, : len(THINGS)], labels[:, 0])
        return loss + of_things + functional.cross_entropy(odds[:, len(THINGS) :], labels[:, 1])


class StoryboardFlow(nn.Module):
    """Velocity of the flow from noise to the numbers of a storyboard, given what was decoded and its error."""

    def __init__(self) -> None:
        super().__init__()
        n_in = N_NUMBERS + 2 * N_TIMES + 2 * N_CONDITIONS
        self.enter = nn.Linear(n_in, HIDDEN)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(HIDDEN), nn.Linear(HIDDEN, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, HIDDEN))
            for _ in range(2)
        )
        self.leave = nn.Linear(HIDDEN, N_NUMBERS)
        self.register_buffer("frequencies", torch.arange(1, N_TIMES + 1) * math.pi / 2, persistent=False)
        for name, n_components in SPACES.items():  # how targets are made of features, as in training
            self.register_buffer(f"{name}_mean", torch.zeros(N_FEATURES[name]))
            self.register_buffer(f"{name}_axes", torch.zeros(n_components, N_FEATURES[name]))
            self.register_buffer(f"{name}_deviations", torch.ones(n_components))

    def keep_targets(self, spaces: dict[str, TargetSpace]) -> None:
        """Keep the spaces of targets."""
        for name, space in spaces.items():
            parts = space.components
            getattr(self, f"{name}_mean").copy_(torch.from_numpy(parts.mean))
            getattr(self, f"{name}_axes").copy_(torch.from_numpy(parts.axes))
            getattr(self, f"{name}_deviations").copy_(torch.from_numpy(np.sqrt(parts.variances)))

    def targets(self) -> dict[str, TargetSpace]:
        """Return the spaces of targets, by name."""
        spaces = {}
        for name in SPACES:
            mean, axes, deviations = (
                getattr(self, f"{name}_{part}").double().numpy() for part in ("mean", "axes", "deviations")
            )
            variances = deviations**2
            spaces[name] = TargetSpace(Components(mean, axes, variances, float(variances.sum())))
        return spaces

    def forward(self, numbers: torch.Tensor, time: torch.Tensor, conditions: torch.Tensor) -> torch.Tensor:
        """Return velocities (n, N_NUMBERS) at ``time`` (n,) from 0, noise, to 1, a storyboard."""
        angles = time[:, None] * self.frequencies
        x = self.enter(torch.cat([numbers, angles.sin(), angles.cos(), conditions], dim=1))
        for block in self.blocks:
            x = x + block(x)
        return self.leave(functional.gelu(x))
