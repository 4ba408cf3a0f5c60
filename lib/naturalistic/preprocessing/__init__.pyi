from .filters import cosine, high_pass, running_median
from .masks import brain_mask, cortex_mask
from .motion import correct_motion, estimate_motion, framewise_displacement, resample
from .movie_space import Places, movie_places
from .prepared import Prepared, open_prepared
from .registration import to_mni
from .scaling import zscore
from .store import prepare
from .voxel_trace import trace

__all__ = [
    "Places",
    "Prepared",
    "brain_mask",
    "correct_motion",
    "cortex_mask",
    "cosine",
    "estimate_motion",
    "framewise_displacement",
    "high_pass",
    "movie_places",
    "open_prepared",
    "prepare",
    "resample",
    "running_median",
    "to_mni",
    "trace",
    "zscore",
]
