"""Decoding: from the brain to the embedding of what was heard, and from there to music that exists."""

from naturalistic.decoding.alignment import Alignment, Components, Pooled, align, pool, principal_components
from naturalistic.decoding.atlas import parcels_of
from naturalistic.decoding.calibration import Calibration, calibrate, centred, csls
from naturalistic.decoding.classes import Tagger, agreement_matrix, tagger, top_n_agreement
from naturalistic.decoding.clips import average_clips, clip_interval
from naturalistic.decoding.corpus import index_corpus, index_folder, unreadable
from naturalistic.decoding.decoder import Decoder, fit_decoder, held_out, ridge
from naturalistic.decoding.delay import Delay, choose_delay
from naturalistic.decoding.groups import by_group, confusion, within_group_test
from naturalistic.decoding.listening import (
    Decoded,
    Heard,
    decode,
    decode_other_genres,
    delay_of,
    listen,
    of_clips,
    per_clip,
    recalibrated,
)
from naturalistic.decoding.metrics import (
    correlate,
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
from naturalistic.decoding.scores import Scores, accuracies, score
from naturalistic.decoding.splits import Split, one_group_out
from naturalistic.decoding.subjects import decode_alone, decode_left_out, decode_pooled
from naturalistic.decoding.windows import Pairs, Windows, pair, window_bold

__all__ = [
    "Alignment",
    "Calibration",
    "Components",
    "Decoded",
    "Decoder",
    "Delay",
    "Heard",
    "Index",
    "Pairs",
    "Pooled",
    "Scores",
    "Split",
    "Tagger",
    "Tested",
    "Windows",
    "accuracies",
    "agreement_matrix",
    "align",
    "average_clips",
    "build_index",
    "by_group",
    "calibrate",
    "centred",
    "choose_delay",
    "clip_interval",
    "clip_orders",
    "confusion",
    "correlate",
    "correlation_by_dimension",
    "correlation_test",
    "csls",
    "decode",
    "decode_alone",
    "decode_left_out",
    "decode_other_genres",
    "decode_pooled",
    "delay_of",
    "equal_area_parcels",
    "fit_decoder",
    "held_out",
    "identification",
    "identification_test",
    "index_corpus",
    "index_folder",
    "listen",
    "matched_test",
    "mean_rank",
    "n_way",
    "of_clips",
    "one_group_out",
    "pair",
    "parcel_columns",
    "parcels_of",
    "per_clip",
    "pool",
    "principal_components",
    "recalibrated",
    "ridge",
    "score",
    "shares",
    "tagger",
    "top_k",
    "top_n_agreement",
    "unreadable",
    "window_bold",
    "within_group_test",
]
