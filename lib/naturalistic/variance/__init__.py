"""Whose variance: how much of the test runs each feature space predicts, which predicts best, what it adds alone."""

from naturalistic.variance.blocks import sweep_blocks
from naturalistic.variance.chosen import Choice, at_layer, ceilings, choose, choose_each, over_voxels
from naturalistic.variance.compare import Best, Parts, best_space, by_region, divide, parts_by_region, shared_map
from naturalistic.variance.held_out import predict_test_runs
from naturalistic.variance.planted import FalsePositives, false_positives
from naturalistic.variance.scores import Score, repeats_itself, score
from naturalistic.variance.side_by_side import SideBySide
from naturalistic.variance.sweep import Layers, sweep

__all__ = [
    "Best",
    "Choice",
    "FalsePositives",
    "Layers",
    "Parts",
    "Score",
    "SideBySide",
    "at_layer",
    "best_space",
    "by_region",
    "ceilings",
    "choose",
    "choose_each",
    "divide",
    "false_positives",
    "over_voxels",
    "parts_by_region",
    "predict_test_runs",
    "repeats_itself",
    "score",
    "shared_map",
    "sweep",
    "sweep_blocks",
]
