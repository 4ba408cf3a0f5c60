"""Tables and sentences on ceilings and encoding models: means over subjects, and a verdict only where there is one."""

import numpy as np
import pandas as pd
import pytest
from naturalistic.reporting import music_encoding


@pytest.fixture
def voxels():
    """Eleven voxels of one subject in two regions, one outside of the scan."""
    ceilings = [*np.linspace(0, 1, 11), np.nan]
    regions = pd.Categorical(["auditory"] * 6 + ["rest"] * 6, ["auditory", "visual", "rest"])
    return pd.DataFrame({"subject": "001", "region": regions, "ceiling": ceilings})


def test_ceilings_are_of_all_voxels_and_of_regions(voxels):
    table = music_encoding.ceiling_table(voxels)
    assert list(table["region"]) == ["all", "auditory", "rest"] and list(table["n_voxels"]) == [11, 6, 5]
    assert table["median"].tolist() == pytest.approx([0.5, 0.25, 0.8])
    summary = music_encoding.ceiling_summary(table)["sub-001"]
    assert list(summary) == ["median", "95th percentile", "99.5th percentile", "auditory", "rest"]
    assert summary["95th percentile"] == pytest.approx(0.95)
    text = music_encoding.ceiling_text(table)
    assert "| ceiling | sub-001 |" in text and "| 95th percentile | 0.95 |" in text


def test_a_ceiling_is_compared_with_what_is_known():
    text = music_encoding.ceiling_check_text({"halves_r": 0.66})
    assert "r = 0.66" in text and "truth" not in text
    known = {"r": 0.9, "slope": 1.0, "offset": 0.0, "shift_error_mm": 0.1, "turn_error_degrees": 0.2}
    assert "correlates 0.90 with the ground truth" in music_encoding.ceiling_check_text(
        {"halves_r": 0, "ground_truth": known}
    )


@pytest.fixture
def accuracy():
    rows = []
    for region, r in {"auditory": 0.5, "motor": 0.0}.items():
        for subject, more in {"1": 0.0, "2": 0.1}.items():
            for space in ("joint", "acoustic"):
                row = {"region": region, "subject": subject, "space": space, "r": r + more * (space == "joint")}
                row |= {"of_ceiling": r if r else np.nan, "significant": r, "ceiling": 0.8, "reliable": 2 * r}
                rows.append(row)
    return pd.DataFrame(rows)


@pytest.fixture
def winners():
    rows = {"region": ["auditory", "motor"], "best": ["joint", "joint"], "p": [0.01, np.nan], "better": [True, False]}
    return pd.DataFrame(rows)


def test_regions_are_means_over_subjects(accuracy, winners):
    summary = music_encoding.region_summary(accuracy, winners)
    assert summary["auditory"]["joint"] == {"r": pytest.approx(0.55), "of_ceiling": 0.5, "significant": 0.5}
    assert summary["auditory"]["ceiling"] == pytest.approx(0.8) and summary["auditory"]["reliable"] == 1
    assert summary["motor"]["joint"]["of_ceiling"] is None and summary["motor"]["best"] == "joint"
    lines = music_encoding.region_text(accuracy).splitlines()
    assert lines[2] == "| r / ceiling | joint | acoustic | voxels that repeat |"
    assert lines[4:] == ["| auditory | 0.50 | 0.50 | 1.00 |", "| motor | – | – | 0.00 |"]


def test_a_winner_is_named_where_voxels_are_predicted(accuracy, winners):
    text = music_encoding.winner_text(winners, accuracy)
    assert "- auditory: **joint** (r = 0.55, p = 0.01): beats each of the others" in text and "motor" not in text
    assert "not better than each" in music_encoding.winner_text(winners.assign(better=False), accuracy)
    assert music_encoding.winner_text(winners, accuracy.assign(significant=0.0)).startswith("No region")


def test_parts_of_variance_are_signed():
    unique = pd.DataFrame({"region": ["a", "a"], "subject": ["1", "2"], "space": ["shared"] * 2, "r2": [0.1, -0.3]})
    assert "| a | -0.100 |" in music_encoding.unique_text(unique)


def test_permuted_vectors_are_counted():
    permuted = {"subject": ["1", "2"], "p_below_0.05": [0.04, 0.06], "n_significant": [0, 10], "n_voxels": [100, 1000]}
    text = music_encoding.permuted_text(pd.DataFrame(permuted))
    assert "in 5.0% of voxels (4.0% to 6.0% in single subjects), and 0.50% after correction" in text


def test_the_truth_is_compared_where_it_is_known():
    none = pd.DataFrame()
    assert "no ground truth" in music_encoding.ground_truth_text(none, none, none)
    shares = {"subject": ["1", "2"], "space": ["joint"] * 2, "share": [0.04, 0.06], "beside": 0.2, "false": 0.0}
    recovered = pd.DataFrame(
        {"region": ["a"] * 2, "subject": ["1"] * 2, "space": ["joint", "acoustic"], "r": [0.5, 0.3]}
    )
    advantage = pd.DataFrame({"region": ["a", "b"][:1], "difference": [0.2], "p": [0.004]})
    text = music_encoding.ground_truth_text(pd.DataFrame(shares), recovered, advantage)
    assert "| joint | 0.050 | 0.200 | 0.000 |" in text and "| a | 0.500 | 0.300 | 0.200 | 0.004 |" in text
