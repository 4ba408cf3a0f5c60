"""From the scanner's signal to what a model is asked to predict; each step stays inside a run.

:mod:`.filters` takes out drifts, :mod:`.scaling` brings voxels to one scale, :mod:`.motion` puts the head back,
:mod:`.masks` says where brain and cortex are, :mod:`.registration` where a voxel lies in the MNI space,
:mod:`.store` does all of it for a subject, once.
"""

from naturalistic.preprocessing.filters import cosine, high_pass, running_median
from naturalistic.preprocessing.masks import brain_mask, cortex_mask
from naturalistic.preprocessing.motion import (
    correct_motion,
    estimate_motion,
    framewise_displacement,
    resample,
)
from naturalistic.preprocessing.movie_space import Places, movie_places
from naturalistic.preprocessing.prepared import Prepared, open_prepared
from naturalistic.preprocessing.registration import to_mni
from naturalistic.preprocessing.scaling import zscore
from naturalistic.preprocessing.store import prepare
from naturalistic.preprocessing.trace import trace

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
