from .layout import color_layout, layout_frames
from .motion import motion_energy, optical_flow
from .registry import MODELS, VideoEmbedder, VideoEntry, load

__all__ = [
    "MODELS",
    "VideoEmbedder",
    "VideoEntry",
    "color_layout",
    "layout_frames",
    "load",
    "motion_energy",
    "optical_flow",
]
