"""Small data that the project makes itself, in the layouts of the real data sets; always labelled as made."""

from naturalistic.miniature.corpus import make_corpus
from naturalistic.miniature.movie import make_movie
from naturalistic.miniature.music import make_music
from naturalistic.miniature.story import make_story

__all__ = ["make_corpus", "make_movie", "make_music", "make_story"]
