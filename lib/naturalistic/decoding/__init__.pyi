from .alignment import Alignment, Components, Pooled, align, pool, principal_components
from .calibration import Calibration, calibrate, centred, csls
from .classes import Tagger, agreement_matrix, tagger, top_n_agreement
from .clips import average_clips, clip_interval
from .corpus import index_corpus, index_folder, unreadable
from .decoder import Decoder, fit_decoder, held_out, ridge
from .delay import Delay, choose_delay
from .groups import by_group, confusion, within_group_test
from .listening import (
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
from .metrics import (
    correlate,
    correlation_by_dimension,
    identification,
    mean_rank,
    n_way,
    shares,
    top_k,
)
from .nulls import Tested, clip_orders, correlation_test, identification_test, matched_test
from .retrieval import Index, build_index
from .scores import Scores, accuracies, score
from .splits import Split, one_group_out
from .subjects import decode_alone, decode_left_out, decode_pooled
from .windows import Pairs, Windows, pair, window_bold

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
