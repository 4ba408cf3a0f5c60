from .layout import color_layout, layout_frames
from .motion import motion_energy, optical_flow

__all__ = ["color_layout", "layout_frames", "motion_energy", "optical_flow"]
