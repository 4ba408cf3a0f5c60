from .film import FilmCourse, film_course, film_features
from .layout import color_layout, layout_frames
from .motion import motion_energy, optical_flow
from .registry import MODELS, VideoEmbedder, VideoEntry, load

__all__ = [
    "MODELS",
    "FilmCourse",
    "VideoEmbedder",
    "VideoEntry",
    "color_layout",
    "film_course",
    "film_features",
    "layout_frames",
    "load",
    "motion_energy",
    "optical_flow",
]
