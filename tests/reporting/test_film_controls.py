"""Verdicts on reconstructed films follow the numbers, whichever way they fall."""

import numpy as np
import pandas as pd
import pytest
from naturalistic.plotting import film_controls as figures
from naturalistic.reporting import film_controls as reports

METHODS = ("oracle", reports.BRAIN, reports.DRAWS, "shuffled brain", "no brain", "mean film", "still film")


def score_table(metrics, better=0.2, p=0.001):
    """Return a table in which the brain is that much above chance."""
    rows = []
    for metric in metrics:
        for method in METHODS:
            knows = method in ("oracle", reports.BRAIN, reports.DRAWS)
            value = 0.5 + (0.4 if method == "oracle" else better) * knows
            rows.append({"metric": metric, "method": method, "value": value, "lowest": value - 0.1,
                         "highest": value + 0.1, "n_subjects": 2, "chance": 0.5, "p": p if knows else 1.0,
                         "share": (value - 0.5) / 0.4})  # fmt: skip
    return pd.DataFrame(rows)


def difference_table(low, high):
    rows = []
    pairs = [(reports.BRAIN, "no brain"), (reports.BRAIN, reports.NEAREST), (reports.DRAWS, "mean of nearest"),
             (reports.DRAWS, "mean of retrieved")]  # fmt: skip
    for method, control in pairs:
        for metric in ("classifier", "motion"):
            rows.append({"metric": metric, "method": method, "control": control, "difference": (low + high) / 2,
                         "low": low, "high": high, "n_ahead": 1, "n_subjects": 2})  # fmt: skip
    return pd.DataFrame(rows)


def category(with_p, without_p):
    rows = [
        {"method": "generated", "training": "with", "hits": 0.6, "lowest": 0.5, "highest": 0.7, "false": 0.1,
         "p": with_p},
        {"method": "generated", "training": "without", "hits": 0.3, "lowest": 0.2, "highest": 0.4, "false": 0.1,
         "p": without_p},
    ]  # fmt: skip
    return pd.DataFrame(rows)


def verdicts(better=0.2, p=0.001, low=0.1, high=0.2, with_p=0.01, without_p=0.5):
    honest = score_table(("classifier", "motion"), better, p)
    published = score_table(("2-way", "SSIM", "consistency"), better, p)
    claims = reports.claims_table(honest, published, difference_table(low, high), category(with_p, without_p))
    return claims.set_index("claim")["verdict"]


def test_a_brain_that_is_read_and_one_that_is_not():
    good = verdicts()
    assert good["the film that was shown is identified"] == good["motion is reconstructed"] == "holds"
    assert good["a generated film beats the nearest training film"] == "holds"
    bad = verdicts(better=0.0, p=0.6, low=-0.2, high=-0.1)
    assert bad["the film that was shown is identified"] == bad["motion is reconstructed"] == "does not hold"
    assert bad["a generated film beats the nearest training film"] == "does not hold"
    assert bad["more structural similarity is a better reconstruction"] == "does not hold"
    assert verdicts(low=-0.1, high=0.2)["a generated film beats the nearest training film"] == "open"


@pytest.mark.parametrize(
    ("with_p", "without_p", "verdict"),
    [(0.01, 0.5, "does not hold"), (0.01, 0.01, "holds in part"), (0.5, 0.5, "open")],
)
def test_a_category_that_returns_and_one_that_was_never_there(with_p, without_p, verdict):
    found = verdicts(with_p=with_p, without_p=without_p)
    assert found["what the decoder was never trained on is reconstructed"] == verdict


def test_the_answer_lists_each_claim_once():
    claims = reports.claims_table(
        score_table(("classifier", "motion")), score_table(("2-way", "SSIM", "consistency")),
        difference_table(-0.1, 0.2), category(0.01, 0.01),
    )  # fmt: skip
    text = reports.answer_text(claims, "simulated films")
    assert text.startswith("For this data set (simulated films):") and all(
        text.count(claim) == 1 for claim in claims["claim"]
    )
    assert "**What cannot be said:**" in text and "**What stays open:**" in text


def test_cells_and_sentences_say_the_numbers():
    table = score_table(("classifier", "motion"))
    table.loc[table["method"] == "no brain", "p"] = np.nan
    cells = reports.control_cells(table)
    assert cells.loc[reports.BRAIN, "motion"] == "0.700 · 0.500 · 0.001 · 50%"
    assert cells.loc["no brain", "motion"] == "0.500 · 0.500 · – · 0%"
    assert reports.control_cells(table, share=False, digits=2).loc["oracle", "motion"] == "0.90 · 0.50 · 0.001"
    assert "by motion 50%, where" in reports.share_text(table)
    assert "trained with and without" in reports.category_text(category(0.01, 0.5), "balloon")
    cells = reports.interval_cells(difference_table(-0.1, 0.2))
    assert cells.loc["brain, one draw – no brain", "motion"] == "+0.050 [-0.100, +0.200], 1 of 2"


def ranking(rank):
    rows = []
    for metric in ("classifier", "SSIM"):
        for method in ("mean film", "still film"):
            above = rank if metric == "SSIM" else "below"
            rows.append({"metric": metric, "method": method, "value": 0.4, "brain": 0.3, "rank": above})
    return pd.DataFrame(rows)


def test_fooled_scores_are_named():
    text = reports.ranking_text(ranking("above"), ["mean film", "still film"])
    assert text.startswith(
        "Of 2 scores, 1 rank a control above the brain: SSIM (mean film 0.40, still film 0.40; brain"
    )
    assert "0 rank a control above the brain. 1 cannot" in reports.ranking_text(ranking("equal"), ["mean film"])


def test_figures_are_drawn_from_the_tables():
    table = score_table(("classifier", "exact 20-way", "layout", "motion"))
    assert len(figures.control_scores(table, "Simulated data").axes) == 4
    grid = figures.controls_above_brain(ranking("above"), ["still film", "mean film"], "Simulated data").axes[0]
    assert len(grid.texts) == 4 and [label.get_text() for label in grid.get_yticklabels()] == ["classifier", "SSIM"]
    rates = figures.category_rates(category(0.01, 0.5), "Simulated data").axes[0]
    assert [label.get_text() for label in rates.get_yticklabels()] == ["generated, with it", "generated, without it"]
