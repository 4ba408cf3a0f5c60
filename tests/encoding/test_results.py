"""Results of encoding: frozen, used by name, printed as names and shapes."""

import dataclasses

import numpy as np
import pytest
from naturalistic import encoding

CLASSES = [x for x in (getattr(encoding, name) for name in encoding.__all__) if isinstance(x, type)]


@pytest.mark.parametrize("result", CLASSES, ids=lambda x: x.__name__)
def test_no_result_is_unpacked_by_position(result):
    assert not issubclass(result, tuple)
    if dataclasses.is_dataclass(result):
        assert not hasattr(result, "__iter__") and not hasattr(result, "__getitem__")
        assert result.__dataclass_params__.frozen


def test_a_result_prints_names_and_shapes():
    r = np.zeros(3, np.float32)
    score = encoding.Score(r, r, r, r > 0)
    assert repr(score) == ("Score(r=float32 (3,), r2=float32 (3,), p=float32 (3,), significant=bool (3,), null=None)")
    assert (
        repr(encoding.NoiseCeilings({"sub-01": r}, {})) == "NoiseCeilings(r=dict of sub-01, reliable=dict of nothing)"
    )
    with pytest.raises(dataclasses.FrozenInstanceError):
        score.r = r
    with pytest.raises(TypeError, match="cannot unpack"):
        _, _ = encoding.ScoreInterval(r, r)
