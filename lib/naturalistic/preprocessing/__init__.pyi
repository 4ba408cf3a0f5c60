from .filters import cosine, high_pass, running_median
from .masks import brain_mask, cortex_mask
from .motion import correct_motion, estimate_motion, framewise_displacement, resample
from .registration import to_mni
from .scaling import zscore
from .store import open_prepared, prepare
from .subjects import open_subjects
from .voxel_trace import trace

__all__ = [
    "brain_mask",
    "correct_motion",
    "cortex_mask",
    "cosine",
    "estimate_motion",
    "framewise_displacement",
    "high_pass",
    "open_prepared",
    "open_subjects",
    "prepare",
    "resample",
    "running_median",
    "to_mni",
    "trace",
    "zscore",
]
