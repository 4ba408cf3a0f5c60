"""Whose variance: how much of the test runs each feature space predicts, which predicts best, what it adds alone."""

from naturalistic.variance.axes import Axes, mean_over_delays, project, weight_axes
from naturalistic.variance.axes_null import AxesTest, permuted_axes, refitted
from naturalistic.variance.axes_stability import Stability, as_ridge_sees, share_in_span, stability
from naturalistic.variance.axes_texts import extremes, text_scores
from naturalistic.variance.blocks import BlockSweep, sweep_blocks
from naturalistic.variance.chosen import Choice, at_layer, ceilings, choose, choose_each, null_over_voxels, over_voxels
from naturalistic.variance.compare import (
    Best,
    Parts,
    best_space,
    by_region,
    divide,
    mean_by_label,
    parts_by_region,
    shared_map,
)
from naturalistic.variance.group import GroupMap, MapOverSubjects, group_map, map_over_subjects
from naturalistic.variance.held_out import Fitted, fit_training_runs, predict_test_runs
from naturalistic.variance.joint import Joint, joint_model, pair_parts, shared_interval, unique, unique_interval
from naturalistic.variance.learning import LearningCurve, learning_curve, predict_from
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
    "Axes",
    "AxesTest",
    "Best",
    "BlockSweep",
    "Choice",
    "Fitted",
    "GroupMap",
    "Halves",
    "Joint",
    "Layers",
    "LearningCurve",
    "MapOverSubjects",
    "Parts",
    "Score",
    "SideBySide",
    "Stability",
    "Stacked",
    "annotator_halves",
    "as_ridge_sees",
    "at_layer",
    "best_space",
    "by_region",
    "ceilings",
    "choose",
    "choose_each",
    "data_halves",
    "divide",
    "extremes",
    "fit_training_runs",
    "group_map",
    "half_annotators",
    "half_data",
    "interval",
    "joint_model",
    "learning_curve",
    "map_over_subjects",
    "mean_by_label",
    "mean_over_delays",
    "null_over_voxels",
    "of_annotators",
    "over_voxels",
    "pair_parts",
    "parts_by_region",
    "permuted_axes",
    "predict_from",
    "predict_test_runs",
    "project",
    "refitted",
    "repeats_itself",
    "score",
    "share_in_span",
    "shared_interval",
    "shared_map",
    "spearman_brown",
    "split_r",
    "split_r2",
    "stability",
    "stacked_model",
    "sweep",
    "sweep_blocks",
    "text_scores",
    "unique",
    "unique_interval",
    "weight_axes",
]
