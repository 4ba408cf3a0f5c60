from .banded import BandedRidgeCV
from .folds import GroupGapKFold, contiguous_groups
from .ridge import RidgeCV, cross_val_predict, fit_many

__all__ = ["BandedRidgeCV", "GroupGapKFold", "RidgeCV", "contiguous_groups", "cross_val_predict", "fit_many"]
