"""The example data: one grid of TRs, and an effect that a model finds."""

import numpy as np
import pytest
from naturalistic import encoding
from naturalistic.models import RidgeCV
from naturalistic_simulation import load_example


@pytest.fixture
def example(chapters_cache):
    return load_example()


def test_features_and_responses_share_a_grid(example):
    n_trs, n_regions = example.bold.shape
    assert n_regions == len(example.regions) == 6 and len(example.runs) == n_trs
    assert {name: x.shape for name, x in example.features.items()} == {
        "word rate": (n_trs, 1),
        "word vectors": (n_trs, 384),
    }
    assert sorted(set(example.runs.tolist())) == list(range(6)) and (np.diff(example.runs) >= 0).all()
    assert "bold=float32 (362, 6)" in repr(example)


@pytest.mark.slow
def test_a_model_finds_the_region_that_follows_the_words(example):
    """LPTL follows the rate of words, LIPL does not."""
    split = encoding.Split(example.runs >= 4, example.runs, example.tr, delays=[2, 4, 6, 8])
    rate = example.features["word rate"]
    r = encoding.fit_predict(rate, example.bold, RidgeCV(cv=4), split).correlation()
    by_region = dict(zip(example.regions, r))
    assert by_region["LPTL"] > 0.3 and abs(by_region["LIPL"]) < 0.3
