"""Inference: the ceiling that data allow, what chance gives, and what holds over targets and people."""

from naturalistic.inference.multiple import fdr, max_statistic, p_values

from .blocks import block_permutation_null
from .ceilings import explainable_variance, leave_one_out_correlation, noise_ceiling, normalise
from .group import GroupResult, bootstrap_interval, sign_flip, t_test
from .nulls import circular_shift_null, draw_shifts
from .prevalence import Prevalence, prevalence

__all__ = [
    "GroupResult",
    "Prevalence",
    "block_permutation_null",
    "bootstrap_interval",
    "circular_shift_null",
    "draw_shifts",
    "explainable_variance",
    "fdr",
    "leave_one_out_correlation",
    "max_statistic",
    "noise_ceiling",
    "normalise",
    "p_values",
    "prevalence",
    "sign_flip",
    "t_test",
]
