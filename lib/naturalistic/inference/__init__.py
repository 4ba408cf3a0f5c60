"""Inference: the ceiling that data allow, what chance gives, and what holds over targets and people."""

from naturalistic.inference.multiple import fdr, max_statistic, p_values
from naturalistic.renamed import explain_old_attributes

from .ceilings import (
    MeanInterval,
    explainable_variance,
    leave_one_out_correlation,
    leave_one_out_interval,
    leave_one_out_null,
    noise_ceiling,
    normalize,
)
from .group import (
    GroupResult,
    SharedStimulusResult,
    bootstrap_interval,
    shared_stimulus_test,
    sign_flip_over_subjects,
    t_test_over_subjects,
)
from .nulls import block_permutation_null, circular_shift_null, draw_shifts
from .prevalence import Prevalence, prevalence

__all__ = [
    "GroupResult",
    "MeanInterval",
    "Prevalence",
    "SharedStimulusResult",
    "block_permutation_null",
    "bootstrap_interval",
    "circular_shift_null",
    "draw_shifts",
    "explainable_variance",
    "fdr",
    "leave_one_out_correlation",
    "leave_one_out_interval",
    "leave_one_out_null",
    "max_statistic",
    "noise_ceiling",
    "normalize",
    "p_values",
    "prevalence",
    "shared_stimulus_test",
    "sign_flip_over_subjects",
    "t_test_over_subjects",
]

__getattr__ = explain_old_attributes(__name__)
