"""Tables and sentences on levels of meaning: they follow the numbers, controls first."""

import numpy as np
import pandas as pd
import pytest
from naturalistic.inference import shared_stimulus_test
from naturalistic.reporting import language_levels

LEVELS = ("Speech", "Story")


def example_accuracy(control=0.3, ceiling=True):
    """Accuracy of two models at two levels and of what knows no meaning, three subjects."""
    rows = []
    of = {("small", "Speech"): 0.1, ("small", "Story"): 0.05, ("large", "Speech"): 0.2, ("large", "Story"): 0.15}
    of |= {("word rate", "no meaning"): 0.02, ("controls", "no meaning"): control}
    for (model, level), r in of.items():
        for k, subject in enumerate(("S01", "S02", "S03")):
            row = {"model": model, "level": level, "subject": subject, "layer": k}
            row |= {"r": r + 0.01 * k, "r_same": r / 2 + 0.01 * k}
            rows.append(row | ({"of_ceiling": r, "ceiling": 0.6} if ceiling else {}))
    return pd.DataFrame(rows)


def test_values_of_subjects_keep_their_order():
    accuracy = example_accuracy()
    values = language_levels.by_model_and_level(accuracy, "layer")
    assert list(values) == ["small", "large", "word rate", "controls"] and list(values["large"]) == list(LEVELS)
    assert values["large"]["Story"] == [0, 1, 2]
    shares = language_levels.mean_of_ceiling(accuracy)
    assert shares["large"]["Speech"] == pytest.approx(0.2)
    assert language_levels.mean_of_ceiling(example_accuracy(ceiling=False))["large"] == dict.fromkeys(LEVELS)


def test_the_sentence_about_controls_follows_the_data():
    above = language_levels.control_sentence(example_accuracy(control=0.3))
    assert "stand above every level" in above and "r = 0.310" in above and "Speech of large" in above
    below = language_levels.control_sentence(example_accuracy(control=0.12))
    assert "beaten by 2 of 4" in below and "above every level" not in below


def test_controls_come_first_in_the_table():
    accuracy = example_accuracy()
    rng = np.random.default_rng(0)
    keys = dict.fromkeys(zip(accuracy["model"], accuracy["level"]))
    null = {key: rng.normal(0, 0.01, (99, 3)) for key in keys}
    lines = language_levels.accuracy_table(accuracy, null).splitlines()
    assert lines[2].startswith("| word rate (no meaning) |") and lines[3].startswith("| controls (no meaning) |")
    assert len(lines) == 2 + 6 and "| 0.010 |" in lines[3] and "0 1 2" in lines[3]
    assert "–" in language_levels.accuracy_table(example_accuracy(ceiling=False), null)


def example_differences(p=0.002):
    row = {"mean": 0.05, "low": 0.02, "high": 0.08, "p": p, "significant": p < 0.05, "level": "Speech"}
    return pd.DataFrame([row | {"first": "large Speech", "second": "small Speech"}])


def test_differences_and_gains():
    text = language_levels.difference_table(example_differences())
    assert "| large Speech − small Speech | +0.050 | +0.020\u00a0to\u00a0+0.080 | **0.002** |" in text
    assert "**" not in language_levels.difference_table(example_differences(0.4)).splitlines()[-1]
    gains = language_levels.gains(example_accuracy(), example_differences(), "large", "small")
    assert gains["Speech"]["subjects"] == pytest.approx([0.05, 0.05, 0.05])
    assert gains["Speech"]["low"] == 0.02 and "p" not in gains["Story"]


@pytest.mark.parametrize(("effect", "words"), [(0.5, "adds to the words"), (0.0, "does not clearly add to")])
def test_the_sentence_about_a_story_follows_the_data(effect, words):
    rng = np.random.default_rng(1)
    null = rng.normal(0, 0.1, (99, 4))
    tests = {name: shared_stimulus_test(np.full(4, effect), null) for name in ("static", "controls")}
    r = {name: np.full((4, 2), 0.1) for name in ("layers", "static", "controls")}
    text = language_levels.story_sentence(r, tests, [2, 2, 3])
    assert words in text and "2 2 3" in text and "over subjects" not in text


def test_ground_truth_beside_what_was_found():
    rows = [("belt", "Speech", 0.2, 0.8), ("belt", "Story", 0.1, 0.0), ("precuneus", "Speech", 0.3, 0.0)]
    rows += [("precuneus", "Story", 0.2, 0.5), ("elsewhere", "Speech", 0.0, 0.0), ("elsewhere", "Story", 0.0, 0.0)]
    by_region = pd.DataFrame(rows, columns=["region", "level", "r", "true_share"])
    false = pd.DataFrame({"level": LEVELS, "share": [0.05, 0.04], "false": [0.01, np.nan]})
    layers = {"Speech": np.array([3, 5]), "Story": np.array([2, 2])}
    checks = language_levels.truth_checks(by_region, false, layers, {"Speech": 4, "Story": 4})
    assert checks["layer_steps"] == {"Speech": [-1, 1], "Story": [-2, -2]}
    assert checks["region_level_found"] == {"belt": "Speech", "precuneus": "Speech"}
    assert checks["region_level_true"] == {"belt": "Speech", "precuneus": "Story"}
    text = language_levels.truth_text(checks, by_region, LEVELS)
    assert "within one in 2 of 4" in text and "belt (Speech)" in text and "1.0% (Speech)" in text
    assert "(Story) of the discoveries" not in text  # none was made
    assert language_levels.truth_checks(by_region, false, layers, {}) == {}
