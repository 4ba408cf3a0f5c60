"""Small data that the project makes itself, in the layouts of the real data sets; always labelled as made."""

from naturalistic.miniature.music import make_music
from naturalistic.miniature.story import make_story

__all__ = ["make_music", "make_story"]
