"""Sentences of part I change with their numbers."""

import pandas as pd
import pytest
from naturalistic.reporting import first_model

REGIONS = ("LATL", "LPTL")


def numbers(**changes):
    """Results of the first chapter as they are read from its file."""
    flags = {"LATL": False, "LPTL": True}
    values = {"LATL": 0.01, "LPTL": 0.2}
    base = {
        "dataset": "Simulated data", "n_subjects": 5, "n_trs": 300, "model": "m", "window": 8, "middle": 3,
        "accuracy": {"controls": values, "layer 2": values, "layer 3": values},
        "p": {"controls": values, "layer 3": values},
        "significant": {"controls": flags, "layer 3": flags},
        "difference": {"LATL": -0.1, "LPTL": 0.1}, "difference_significant": {"LATL": True, "LPTL": True},
        "beyond_significant": {"LATL": False, "LPTL": True}, "beyond_low": {"LATL": 0.02, "LPTL": 0.1},
        "accuracy_by_context": {"1": values, "32": {"LATL": 0.11, "LPTL": 0.1}},
        "known_leave_one_out": None, "leave_one_out_correlation": {"LATL": 0.2, "LPTL": 0.4},
    }  # fmt: skip
    return {**base, **changes}


def test_findings_follow_the_numbers():
    text = first_model.findings(numbers())
    assert "In 1 of 2 regions layer 3 predicts" in text and "in 1 it does so significantly better" in text
    assert "**above** in LPTL and **below** in LATL" in text
    assert "clear of zero and yet not significant: LATL" in text
    assert "+0.10 in LATL, -0.10 in LPTL" in text and "Check" not in text
    nothing = dict.fromkeys(REGIONS, False)
    changed = {"significant": {"controls": nothing, "layer 3": nothing}, "difference_significant": nothing}
    text = first_model.findings(numbers(**changed))
    assert "In 0 of 2 regions" in text and "**above** in none and **below** in none" in text


def test_known_correlations_are_compared():
    text = first_model.findings(numbers(known_leave_one_out={"LATL": 0.21, "LPTL": 0.4}))
    assert "differ from them by at most 0.010" in text
    with pytest.raises(ValueError, match=r"off by 0\.200, expected at most 0\.03"):
        first_model.findings(numbers(known_leave_one_out={"LATL": 0.2, "LPTL": 0.6}))


def test_the_check_names_what_was_missed():
    check = pd.DataFrame(
        {"region": ["A", "B", "C"], "kind of scene": [0.3, 0.3, 0.0], "significant": [True, False, True]}
    )
    text = first_model.truth_sentence(check)
    assert "Scenes drive A and B." in text and "found in A and missed in B" in text and "without a cause: C" in text


def test_sentences_on_nulls_and_ridge_follow_the_numbers():
    counted = {
        "dataset": "d", "n_subjects": 3, "n_experiments": 60, "false_positives": {"formula": 0.34},
        "false_maps": {"t-test": 0.52}, "wrong_time": {"share": 0.08, "map": 0.1},
        "accuracy": {"random": {"A": 0.02, "B": 0.04}},
    }  # fmt: skip
    text = first_model.nulls_found(counted)
    assert all(part in text for part in ("34% (formula)", "52% (t-test)", "8% of regions", "0.030 (random)"))
    ridge = {
        "dataset": "d", "n_subjects": 3, "by_choice": {"inside": 0.07}, "by_delays": {"none": 0.02},
        "by_scaling": {"as scanned": 0.3}, "response_peak_s": {"A": 6.0, "B": None},
        "banded_gain": {"one": {"75": 0.1}},
    }  # fmt: skip
    text = first_model.ridge_found(ridge)
    assert "peaks after 6 s in A;" in text and "where one: +0.100 with 75 rows" in text
