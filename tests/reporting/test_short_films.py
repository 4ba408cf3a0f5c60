"""Tables and sentences of the chapter on rebuilt films say what the scores say, whichever way they fall."""

import numpy as np
import pandas as pd
from naturalistic.reporting import short_films


def scores(**by_method):
    rows = []
    for method, values in by_method.items():
        for k, value in enumerate(values):
            rows.append({"method": method.replace("_", " "), "subject": f"{k}", "measure": "judge",
                         "identification": value, "p": 0.01 if value > 0.6 else 0.5})  # fmt: skip
    return pd.DataFrame(rows)


def test_a_method_that_loses_is_said_to_lose():
    table = scores(generated=[0.7, 0.72], nearest_training_film=[0.8, 0.81])
    assert "by judge it is behind in all subjects (difference -0.095)" in short_films.method_text(table, "generated")
    table = scores(generated=[0.9, 0.92], nearest_training_film=[0.8, 0.81])
    assert "is ahead in all subjects (difference +0.105)" in short_films.method_text(table, "generated")
    table = scores(generated=[0.9, 0.7], nearest_training_film=[0.8, 0.8])
    assert "is ahead in 1 of 2 subjects" in short_films.method_text(table, "generated")


def test_summary_counts_subjects_above_chance():
    summary = short_films.summary_table(scores(generated=[0.5, 0.7, 0.9]))
    assert summary["subjects with p < .05"].tolist() == ["2 of 3"]
    assert summary[["lowest", "highest"]].to_numpy().tolist() == [[0.5, 0.9]]


def test_the_printed_table_has_a_row_a_method_in_their_order():
    summary = short_films.summary_table(scores(oracle=[0.9], generated=[0.5, 0.7, 0.9]))
    table = short_films.by_method(summary)
    assert table.index.tolist() == ["oracle", "generated"]
    assert table.loc["generated", "judge"] == "0.70 (0.50 to 0.90; 2 of 3)"


def test_the_region_with_the_fewest_small_p_is_named():
    rows = []
    for region, accuracy, p in (("V1", 0.9, 0.01), ("MT", 0.7, 0.01), ("BA2", 0.5, 0.6)):
        rows.append({"subject": "01", "region": region, "target": "layout", "identification": accuracy, "p": p})
    text = short_films.region_text(pd.DataFrame(rows))
    assert "layout from V1 (0.90)" in text and "In BA2 0% of the tests" in text


def test_constant_films_score_half_with_p_one():
    rng = np.random.default_rng(0)
    true = {"layout": rng.standard_normal((20, 5))}
    constant = {"layout": np.tile(rng.standard_normal(5), (20, 1))}
    (row,) = short_films.score_films(constant, true, "mean film", "none", 50)
    assert row["identification"] == 0.5 and row["p"] == 1
    (row,) = short_films.score_films(true, true, "oracle", "true", 50)
    assert row["identification"] == 1 and row["p"] < 0.05


def test_best_middle_and_worst_are_by_rank():
    films, names = short_films.best_middle_worst([0.1, 0.9, 0.5, 0.7, 0.3])
    assert films.tolist() == [1, 2, 0] and names == ["best", "middle", "worst"]
