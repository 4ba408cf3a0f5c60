"""Tables of published numbers beside those of a run."""

import pandas as pd
from naturalistic.reporting import beside, results


def test_published_scores_of_films_stand_beside_the_controls_of_the_run():
    table = pd.DataFrame(
        {
            "method": ["brain", "brain", "no brain", "no brain"],
            "metric": ["2-way", "20-way"] * 2,
            "value": [0.81, 0.4, 0.77, 0.2],
            "chance": [0.76, 0.21, 0.77, 0.2],
        }
    )
    of_run = {
        "field": {"columns": list(table), "rows": table.to_numpy().tolist()},
        "dataset": "Simulated data (layout of ds005165)",
    }
    works = [results.published(work) for work in ("chen2023cinematic", "lu2025", "wang2025neurons")]
    rows = beside.video_rows(works, of_run)
    assert list(rows) == ["MinD-Video", "Mind-Animator", "NEURONS", "this run, simulated: brain",
                          "this run, simulated: no brain"]  # fmt: skip
    assert rows["MinD-Video"]["2-way score"] == "0.839" and rows["MinD-Video"]["chance"] == "not printed"
    assert rows["NEURONS"]["50-way score"] == "0.262" and rows["NEURONS"]["20-way score"] is None
    ours = rows["this run, simulated: no brain"]
    assert (ours["2-way score"], ours["chance"], ours["50-way score"]) == ("0.770", "0.770 | 0.200", None)
    assert len({tuple(row) for row in rows.values()}) == 1, "the same columns everywhere"
