"""Simulated data in the layouts of real data sets, labeled as simulated.

Music, films and stories, brains that follow them, a scanner that measures these; small models of such music and films
with their weights and training; full-size data; and the ground truth that results are checked against. The package
imports ``naturalistic``; that finds it by name, in ``naturalistic.simulated``.
"""

import importlib
from collections.abc import Callable
from typing import Any

# name -> module of this package, imported on demand
_MODULES = {
    "load_example": "example",
    "simulate_clips": "clips.experiment",
    "simulate_corpus": "corpus",
    "simulate_film": "film",
    "simulate_lab": "lab",
    "simulate_movie": "movie.text_embedding",
    "simulate_music": "music.experiment",
    "simulate_story": "story",
}

__all__ = [
    "load_example",
    "simulate_clips",
    "simulate_corpus",
    "simulate_film",
    "simulate_lab",
    "simulate_movie",
    "simulate_music",
    "simulate_story",
]


def __getattr__(name: str) -> Callable[..., Any]:
    """Return a function, whose module is imported now."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
