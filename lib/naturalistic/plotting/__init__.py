"""The book's figures: labelled axes with units, colours that colour-blind readers tell apart, one per thing."""

from naturalistic.plotting.axes import axis_maps, explained_by_axis
from naturalistic.plotting.decoding import delay_curves, genre_confusion, subject_scores
from naturalistic.plotting.embeddings import clip_by_model, clip_maps, likeness, probe_bars
from naturalistic.plotting.encoding import best_map, maps_of_spaces, scores_by_region
from naturalistic.plotting.interactive import SurfacePage, surface_page
from naturalistic.plotting.joint import unique_by_region
from naturalistic.plotting.language import layers_by_level, models_by_level, sweep_curves
from naturalistic.plotting.models import (
    accuracy_by_context,
    accuracy_by_roi,
    responses,
    scores_by_alpha,
    values_by_roi,
    words_on_time_line,
)
from naturalistic.plotting.movie import alignment, by_layer, change_curves, levels_on_time_line
from naturalistic.plotting.music import play_list, run_time_line, spectrograms
from naturalistic.plotting.rebuilt import agreement, play_table, rebuilt_scores, triples
from naturalistic.plotting.scans import ceiling_by_region, head_motion, planted_and_found, voxel_by_step
from naturalistic.plotting.style import COLOURS, GENRE_COLOURS, LEVEL_COLOURS, ROI_NAMES, colour_of, space_colour, style
from naturalistic.plotting.surface import brain_map

__all__ = [
    "COLOURS",
    "GENRE_COLOURS",
    "LEVEL_COLOURS",
    "ROI_NAMES",
    "SurfacePage",
    "accuracy_by_context",
    "accuracy_by_roi",
    "agreement",
    "alignment",
    "axis_maps",
    "best_map",
    "brain_map",
    "by_layer",
    "ceiling_by_region",
    "change_curves",
    "clip_by_model",
    "clip_maps",
    "colour_of",
    "delay_curves",
    "explained_by_axis",
    "genre_confusion",
    "head_motion",
    "layers_by_level",
    "levels_on_time_line",
    "likeness",
    "maps_of_spaces",
    "models_by_level",
    "planted_and_found",
    "play_list",
    "play_table",
    "probe_bars",
    "rebuilt_scores",
    "responses",
    "run_time_line",
    "scores_by_alpha",
    "scores_by_region",
    "space_colour",
    "spectrograms",
    "style",
    "subject_scores",
    "surface_page",
    "sweep_curves",
    "triples",
    "unique_by_region",
    "values_by_roi",
    "voxel_by_step",
    "words_on_time_line",
]
