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
    assert list(rows) == ["MinD-Video", "Mind-Animator", "NEURONS", "brain", "no brain"]
    assert rows["MinD-Video"]["2-way score"] == "0.839" and rows["MinD-Video"]["2-way chance"] == "not printed"
    assert rows["NEURONS"]["50-way score"] == "0.262" and rows["NEURONS"]["20-way score"] is None
    ours = rows["no brain"]
    assert ours["data"] == "this run, simulated" and ours["50-way score"] is None
    assert [ours[name] for name in ("2-way score", "2-way chance", "20-way score", "20-way chance")] == [
        "0.770", "0.770", "0.200", "0.200"
    ]  # fmt: skip
    assert len({tuple(row) for row in rows.values()}) == 1, "the same columns everywhere"
    assert "|" not in "".join(str(value) for row in rows.values() for value in row.values()), "it would end a cell"


def test_it_is_said_whether_generated_or_retrieved_sound_agrees_more():
    def agreement(generated, retrieved):
        return {"generated": {"subjects": generated}, "retrieved": {"subjects": retrieved}}

    found = {"genre": agreement([0.5, 0.5], [0.6, 0.7]), "mood": agreement([0.4, 0.3], [0.3, 0.3])}
    said = beside.agreement_text({"agreement": found})
    assert "what is generated agrees more on mood; what is retrieved agrees more on genre (means" in said
    one_way = beside.agreement_text({"agreement": {**found, "mood": agreement([0.1], [0.2])}})
    assert "retrieved agrees more on genre and mood" in one_way and "generated" not in one_way
