"""Whose variance: how much of the test runs each feature space predicts, which predicts best, what it adds alone."""

from naturalistic.variance.blocks import sweep_blocks
from naturalistic.variance.chosen import Choice, at_layer, ceilings, choose, choose_each, over_voxels
from naturalistic.variance.compare import Best, Parts, best_space, by_region, divide, parts_by_region, shared_map
from naturalistic.variance.group import GroupMap, group_map
from naturalistic.variance.held_out import Fitted, fit_training_runs, predict_test_runs
from naturalistic.variance.joint import Joint, joint_model, pair_parts, shared_interval, unique, unique_interval
from naturalistic.variance.learning import LearningCurve, learning_curve, predict_from
from naturalistic.variance.planted import FalsePositives, false_positives
from naturalistic.variance.reliability import (
    Halves,
    annotator_halves,
    data_halves,
    half_annotators,
    half_data,
    of_annotators,
    spearman_brown,
)
from naturalistic.variance.scores import Score, repeats_itself, score
from naturalistic.variance.side_by_side import SideBySide
from naturalistic.variance.split import split_r, split_r2
from naturalistic.variance.stacking import Stacked, stacked_model
from naturalistic.variance.sums import interval
from naturalistic.variance.sweep import Layers, sweep

__all__ = [
    "Best",
    "Choice",
    "FalsePositives",
    "Fitted",
    "GroupMap",
    "Halves",
    "Joint",
    "Layers",
    "LearningCurve",
    "Parts",
    "Score",
    "SideBySide",
    "Stacked",
    "annotator_halves",
    "at_layer",
    "best_space",
    "by_region",
    "ceilings",
    "choose",
    "choose_each",
    "data_halves",
    "divide",
    "false_positives",
    "fit_training_runs",
    "group_map",
    "half_annotators",
    "half_data",
    "interval",
    "joint_model",
    "learning_curve",
    "of_annotators",
    "over_voxels",
    "pair_parts",
    "parts_by_region",
    "predict_from",
    "predict_test_runs",
    "repeats_itself",
    "score",
    "shared_interval",
    "shared_map",
    "spearman_brown",
    "split_r",
    "split_r2",
    "stacked_model",
    "sweep",
    "sweep_blocks",
    "unique",
    "unique_interval",
]
