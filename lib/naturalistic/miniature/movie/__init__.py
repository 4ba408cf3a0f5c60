"""The movie miniature: a film of three made dramas and six made brains, in the layout of OpenNeuro ds005531.

A package of its own: what lies in ``miniature/*.py`` is part of the recipe of the music miniature, and this is not.
"""

from naturalistic.miniature.movie.make import make_movie

__all__ = ["make_movie"]
