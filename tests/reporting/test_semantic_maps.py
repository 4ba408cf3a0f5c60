"""Tables and sentences on joint models: they say first where the joint model loses, and change with the numbers."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from naturalistic.encoding import GroupMap, ScoreInterval
from naturalistic.reporting import semantic_maps


def example_rivals(everywhere=-0.006, reliable=0.09):
    rows = []
    scores = {"banded": (everywhere, reliable, -0.02), "stacked": (0.002, 0.07, -0.01), "plain": (0.004, 0.06, 0.0)}
    for model, values in scores.items():
        for voxels, r2 in zip(("all", "reliable", "others"), values):
            row = {"model": model, "voxels": voxels, "r2": r2}
            rows.append(row if voxels == "all" else row | {"gain_low": 0.01, "gain_high": 0.02})
    return pd.DataFrame(rows)


def test_the_sentence_about_rivals_follows_the_data():
    text = semantic_maps.rivals_sentence(example_rivals())
    assert text.index("Over all voxels, banded ridge comes **last**") < text.index("In reliable voxels")
    assert "comes **best**: R² = 0.090 (stacked 0.070, plain 0.060)" in text
    assert "Over all voxels, banded ridge comes **second**" in semantic_maps.rivals_sentence(example_rivals(0.003))
    table = semantic_maps.rivals_table(example_rivals())
    assert "+0.010 to +0.020" in table and table.splitlines()[2].count("–") == 2


@pytest.mark.parametrize(("last", "words"), [(0.3, "The gap is largest"), (0.2, "is not largest")])
def test_the_sentence_about_more_film_follows_the_data(last, words):
    curves = {"banded": np.array([[0.1, last]]), "plain": np.array([[0.1, 0.25]])}
    text = semantic_maps.learning_sentence([3, 22], curves)
    assert words in text and f"{last - 0.25:+.3f} (22 min)" in text


def example_regions(all_spaces=0.02):
    rows = []
    for region, alone in (("belt", 0.03), ("precuneus", 0.01)):
        for space, share in (("Speech", 1.0), ("Story", 0.5)):
            row = {"region": region, "space": space, "alone": alone * share, "unique": alone * share}
            rows.append(row | {"low": alone * share - 0.012, "high": 0.1, "all_spaces": all_spaces})
    return pd.DataFrame(rows)


def test_regions_where_a_part_exceeds_the_whole_are_named():
    text = semantic_maps.excess_sentence(example_regions())
    assert "belt (Speech alone 0.030, all 0.020)" in text and "belt (Speech: 0.030 of 0.020)" in text
    assert "precuneus" not in text
    assert semantic_maps.excess_sentence(example_regions(0.04)).count("no region") == 2
    table = semantic_maps.region_table(example_regions())
    assert "| belt | Speech 0.030 | 0.020 | Speech 0.030, Story 0.015 |" in table
    assert table.splitlines()[-1].endswith("| – |")


def test_nested_keeps_order_and_values():
    values = semantic_maps.nested(example_regions(), "region", "space", "unique")
    assert list(values) == ["belt", "precuneus"] and values["belt"] == {"Speech": 0.03, "Story": 0.015}


def test_unique_variance_by_true_region():
    plan = SimpleNamespace(names=("belt", "motor"), shares={"belt": {"Speech": 0.6, "loudness": 0.2}})
    unique = {"Speech": np.array([0.2, 0.1, 0.0]), "controls": np.array([0.0, 0.2, 0.0])}
    interval = ScoreInterval(np.full((2, 3), 0.01), np.full((2, 3), 0.3))
    table = semantic_maps.unique_by_truth(unique, interval, np.array([0, 0, 2]), plan)
    assert list(table["region"].unique()) == ["belt", "elsewhere"]  # nobody has a voxel in the other
    assert table.set_index(["region", "space"])["unique"]["belt", "Speech"] == pytest.approx(0.15)
    assert table["true_share"].tolist() == [0.6, 0.2, 0, 0]
    text = semantic_maps.truth_text(table, {"Speech": 0.01, "controls": 0.03})
    assert "| belt | Speech 0.6, controls 0.2 | **+0.150** | **+0.100** |" in text
    assert "| elsewhere | nothing |" in text and "1.0% (Speech), 3.0% (controls)" in text


def test_group_shares_count_vertices_of_two_subjects():
    n = {"left": np.array([2, 2, 1]), "right": np.array([0, 2, 2])}
    mark = {"left": np.array([True, False, True]), "right": np.array([False, False, True])}
    p = {side: np.where(x, 0.01, 0.5) for side, x in mark.items()}
    group = GroupMap(mean=p, p=p, significant=mark, p_family=p, n=n)
    shares = semantic_maps.group_shares(group)
    assert shares == {"same shifts for all, FDR 5 %": 0.5, "same shifts for all, family-wise 5 %": 0.5}
    assert "50.0% (same shifts for all, FDR 5 %)" in semantic_maps.group_sentence(group)
    assert semantic_maps.group_shares(None) == {} and "One subject" in semantic_maps.group_sentence(None)


def test_axes_and_their_stability():
    tested = SimpleNamespace(
        axes=SimpleNamespace(explained=np.array([0.2, 0.1])), p=np.array([0.01, 0.4]), null=np.full((9, 2), 0.05)
    )
    ends = [SimpleNamespace(low=[("night", -2.0)], high=[("day", 1.5)])] * 2
    text = semantic_maps.axes_text(tested, ends, 1)
    assert text == "- **axis 1** (p = 0.01), at one end: “day” (+1.5); at the other: “night” (-2.0)"
    stability = SimpleNamespace(
        others=np.array([0.1, 0.2]), own=np.array([0.3, 0.3]), null=np.full((19, 2), 0.05), p=0.05,
        cosines=np.full((2, 1), 0.8), null_cosines=np.full((19, 2, 1), 0.2),
    )  # fmt: skip
    sentence = semantic_maps.stability_sentence(stability, 1)
    assert "15.0% lies along the 1 axes" in sentence and "with 19 shifts no p is below 0.05" in sentence
    assert "0.80 (shifted: 0.20)" in sentence
    assert semantic_maps.axes_numbers(tested, 1, stability)["stability"]["p"] == 0.05
    assert semantic_maps.axes_numbers(tested, 1, None)["stability"] is None
