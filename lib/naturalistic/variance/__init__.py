"""Whose variance: how much of the test runs each feature space predicts, which predicts best, what it adds alone."""

from naturalistic.variance.compare import Best, Parts, best_space, by_region, divide, parts_by_region, shared_map
from naturalistic.variance.held_out import predict_test_runs
from naturalistic.variance.planted import FalsePositives, false_positives
from naturalistic.variance.scores import Score, repeats_itself, score

__all__ = [
    "Best",
    "FalsePositives",
    "Parts",
    "Score",
    "best_space",
    "by_region",
    "divide",
    "false_positives",
    "parts_by_region",
    "predict_test_runs",
    "repeats_itself",
    "score",
    "shared_map",
]
