"""Small data that the project makes itself, in the layouts of the real data sets; always labelled as made.

Music, films and stories, brains that follow them, a scanner that measures these; small models of such music with their
weights and training; data as large as the published ones; and the truth that all of it is checked against. It may
import ``naturalistic``; that finds it by name, in ``naturalistic.simulated``.
"""

import importlib

# name -> module of this package; imported when it is asked for
_MAKERS = {
    "make_corpus": "corpus",
    "make_movie": "movie.text_embedding",
    "make_music": "music.experiment",
    "make_story": "story",
}

__all__ = ["make_corpus", "make_movie", "make_music", "make_story"]


def __getattr__(name):
    """Return a function of a module that is imported now."""
    if name not in _MAKERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MAKERS[name]}"), name)
