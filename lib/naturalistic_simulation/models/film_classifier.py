"""Classifier of the thing and the place of simulated films; it has no part in decoding or generating."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from naturalistic_simulation.clips.world import PLACES, THINGS
from naturalistic_simulation.models.film_models import CHUNK, loaded
from naturalistic_simulation.models.film_networks import as_pictures

JUDGED = (0, 2, 5, 7)  # frames that it looks at


class FrameClassifier(nn.Module):
    """Classifier of the thing and the place in each frame of a film.

    Plain convolutions between poolings, and one frame at a time: another architecture than that of
    `film_networks.FilmText`, whose vectors generators are given.
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for n_in, n_out in ((3, 24), (24, 48), (48, 96)):
            layers += [nn.Conv2d(n_in, n_out, 3, padding=1), nn.BatchNorm2d(n_out), nn.ReLU(), nn.MaxPool2d(2)]
        self.trunk = nn.Sequential(*layers[:-1])
        self.head = nn.Linear(2 * 96, len(THINGS) + len(PLACES))

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return log-odds of both classes, a row a picture."""
        maps = self.trunk(pictures)
        odds = self.head(torch.cat([maps.amax(dim=(2, 3)), maps.mean(dim=(2, 3))], dim=1))
        return odds[:, : len(THINGS)], odds[:, len(THINGS) :]


class FilmClassifier:
    """Classifier of the thing and the place of a film; see `FrameClassifier`.

    Parameters
    ----------
    network : FrameClassifier
    """

    def __init__(self, network: FrameClassifier) -> None:
        self.network = network

    def log_odds(self, films: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return log-odds of both classes, a row a film.

        Parameters
        ----------
        films : uint8 array (n_films, n_frames, SIZE, SIZE, 3)
        """
        things = []
        places = []
        with torch.no_grad():
            for first in range(0, len(films), CHUNK):
                of_thing, of_place = self.network(as_pictures(films[first : first + CHUNK], JUDGED))
                for kept, odds in ((things, of_thing), (places, of_place)):
                    of_frames = odds.log_softmax(dim=1).unflatten(0, (-1, len(JUDGED)))
                    kept.append(of_frames.mean(dim=1).log_softmax(dim=1).numpy())
        return np.concatenate(things), np.concatenate(places)

    def classify(self, films: NDArray[np.uint8]) -> NDArray[np.intp]:
        """Return the likeliest thing and place: (n_films, 2).

        Parameters
        ----------
        films : uint8 array (n_films, n_frames, SIZE, SIZE, 3)
        """
        things, places = self.log_odds(films)
        return np.stack([things.argmax(axis=1), places.argmax(axis=1)], axis=1)


def load_film_classifier(path: Path | str | None = None) -> FilmClassifier:
    """Return the classifier of thing and place.

    Parameters
    ----------
    path : str or Path, optional
        Of other weights.

    Raises
    ------
    FileNotFoundError, ValueError
        As `load_film_text`.
    """
    return FilmClassifier(loaded(FrameClassifier(), "film-classifier", path))
