from .filters import cosine, high_pass, running_median
from .masks import brain_mask, cortex_mask
from .motion import correct_motion, estimate_motion, framewise_displacement, resample
from .movie_space import VoxelCoordinates, movie_coordinates
from .registration import to_mni
from .scaling import zscore
from .store import Prepared, open_prepared, prepare
from .voxel_trace import trace

__all__ = [
    "Prepared",
    "VoxelCoordinates",
    "brain_mask",
    "correct_motion",
    "cortex_mask",
    "cosine",
    "estimate_motion",
    "framewise_displacement",
    "high_pass",
    "movie_coordinates",
    "open_prepared",
    "prepare",
    "resample",
    "running_median",
    "to_mni",
    "trace",
    "zscore",
]
