"""Decoding: from the brain to the embedding of what was heard, and from there to music that exists."""

from .alignment import Alignment, Components, Pooled, align, pool, principal_components
from .calibration import Calibration, calibrate, csls
from .classes import Tagger, agreement_matrix, tagger, top_n_agreement
from .clips import average_clips, clip_interval
from .decoder import Decoder, fit_decoder, held_out, ridge
from .delay import Delay, choose_delay
from .metrics import (
    confusion,
    correlate,
    correlation_by_clip,
    correlation_by_dimension,
    identification,
    mean_rank,
    n_way,
    shares,
    top_k,
)
from .nulls import Tested, clip_orders, correlation_test, identification_test, matched_test
from .parcels import equal_area_parcels, parcel_columns
from .retrieval import Index, build_index
from .splits import Split, one_group_out
from .subjects import decode_left_out, decode_pooled
from .windows import Pairs, Windows, pair, window_bold

__all__ = [
    "Alignment",
    "Calibration",
    "Components",
    "Decoder",
    "Delay",
    "Index",
    "Pairs",
    "Pooled",
    "Split",
    "Tagger",
    "Tested",
    "Windows",
    "agreement_matrix",
    "align",
    "average_clips",
    "build_index",
    "calibrate",
    "choose_delay",
    "clip_interval",
    "clip_orders",
    "confusion",
    "correlate",
    "correlation_by_clip",
    "correlation_by_dimension",
    "correlation_test",
    "csls",
    "decode_left_out",
    "decode_pooled",
    "equal_area_parcels",
    "fit_decoder",
    "held_out",
    "identification",
    "identification_test",
    "matched_test",
    "mean_rank",
    "n_way",
    "one_group_out",
    "pair",
    "parcel_columns",
    "pool",
    "principal_components",
    "ridge",
    "shares",
    "tagger",
    "top_k",
    "top_n_agreement",
    "window_bold",
]
