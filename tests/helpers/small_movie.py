"""A simulated film experiment that is small, with a vector of its own for each text."""

import numpy as np
from naturalistic_simulation.movie.experiment import simulate_movie

TITLES = ("lighthouse", "bakery")


def embed(texts, layer):
    """Return a vector of its own for each text and layer: what no sum of words explains."""
    return np.array([np.random.default_rng([layer, *text.encode()]).standard_normal(24) for text in texts])


def write(folder, **options):
    how = {"seed": 5, "subjects": 1, "dramas": TITLES, "n_jobs": 1, "progress": False} | options
    return simulate_movie(folder, embed=embed, embed_name="made vectors", **how)
