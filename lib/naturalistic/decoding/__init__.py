"""Decoding: from the brain to the embedding of what was heard, and from there to music that exists."""

from naturalistic.decoding.alignment import Alignment, Components, Pooled, align, pool, principal_components
from naturalistic.decoding.calibration import Calibration, calibrate, csls
from naturalistic.decoding.classes import Tagger, agreement_matrix, tagger, top_n_agreement
from naturalistic.decoding.clips import average_clips, clip_interval
from naturalistic.decoding.decoder import Decoder, fit_decoder, held_out, ridge
from naturalistic.decoding.delay import Delay, choose_delay
from naturalistic.decoding.listening import rows_of
from naturalistic.decoding.metrics import (
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
from naturalistic.decoding.nulls import Tested, clip_orders, correlation_test, identification_test, matched_test
from naturalistic.decoding.parcels import equal_area_parcels, parcel_columns
from naturalistic.decoding.retrieval import Index, build_index
from naturalistic.decoding.splits import Split, one_group_out
from naturalistic.decoding.subjects import decode_left_out, decode_pooled
from naturalistic.decoding.windows import Pairs, Windows, pair, window_bold

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
    "rows_of",
    "shares",
    "tagger",
    "top_k",
    "top_n_agreement",
    "window_bold",
]
