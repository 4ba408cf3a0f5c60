"""Tables and sentences of the chapter on what a reconstruction proves; each verdict follows from the numbers."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

__all__ = [
    "answer_text",
    "category_text",
    "claims_table",
    "control_cells",
    "interval_cells",
    "ranking_text",
    "share_text",
]

BRAIN = "brain, one draw"
DRAWS = "brain, mean of draws"
NEAREST = "nearest training film"
LEVEL = 0.05
HOLDS = "holds"
FAILS = "does not hold"
OPEN = "open"


def control_cells(table: pd.DataFrame, share: bool = True, digits: int = 3) -> pd.DataFrame:
    """Return a row a method and a column a metric: value, measured chance, p and share of the ceiling as text.

    Parameters
    ----------
    table : DataFrame
        Of `decoding.film_controls.control_table`.
    share : bool
        Say the share of the ceiling.
    digits : int
        Of value and chance.

    Returns
    -------
    cells : DataFrame
        A dash stands for what was not computed.
    """
    texts = []
    for row in table.to_dict("records"):
        parts = [f"{row['value']:.{digits}f}", f"{row['chance']:.{digits}f}", _number(row["p"], ".3f")]
        if share:
            parts.append(_number(row["share"], ".0%"))
        texts.append(" · ".join(parts))
    cells = table.assign(text=texts).pivot_table(
        index="method", columns="metric", values="text", aggfunc="first", sort=False
    )
    return cells.rename_axis(index=None, columns=None)


def interval_cells(differences: pd.DataFrame) -> pd.DataFrame:
    """Return a row a pair of methods and a column a metric: difference, interval and subjects ahead as text.

    Parameters
    ----------
    differences : DataFrame
        Rows of `decoding.film_controls.difference_over_films`.
    """
    texts = []
    for row in differences.itertuples():
        interval = f"[{row.low:+z.3f}, {row.high:+z.3f}]"
        texts.append(f"{row.difference:+z.3f} {interval}, {row.n_ahead} of {row.n_subjects}")
    pairs = differences["method"] + " – " + differences["control"]
    named = differences.assign(pair=pairs, text=texts)
    cells = named.pivot_table(index="pair", columns="metric", values="text", aggfunc="first", sort=False)
    return cells.rename_axis(index=None, columns=None)


def _number(value: float, style: str) -> str:
    return "–" if np.isnan(value) else f"{value:{style}}"


def ranking_text(ranking: pd.DataFrame, controls: Sequence[str]) -> str:
    """Return which metrics put a control above the film from the brain, and which cannot tell the two apart.

    Parameters
    ----------
    ranking : DataFrame
        Of `decoding.film_controls.ranking_over_films`.
    controls : sequence of str

    Returns
    -------
    text : str
        Markdown.
    """
    chosen = ranking[ranking["method"].isin(controls)]
    above = []
    for metric, of_metric in chosen[chosen["rank"] == "above"].groupby("metric", sort=False):
        names = ", ".join(f"{row.method} {row.value:.2f}" for row in of_metric.itertuples())
        above.append(f"{metric} ({names}; brain {of_metric['brain'].iloc[0]:.2f})")
    equal = chosen.loc[chosen["rank"] == "equal", "metric"].unique()
    return (
        f"Of {chosen['metric'].nunique()} scores, {len(above)} rank a control above the brain"
        f"{': ' if above else ''}{'; '.join(above)}. {len(equal)} cannot tell one from it"
        f"{': ' if len(equal) else ''}{'; '.join(equal)}."
    )


def share_text(table: pd.DataFrame, brain: str = BRAIN) -> str:
    """Return how much of the ceiling the brain reaches, and which methods reach more.

    Parameters
    ----------
    table : DataFrame
        Of `decoding.film_controls.control_table`.
    brain : str

    Returns
    -------
    text : str
        Markdown.
    """
    sentences = []
    for metric, of_metric in table.groupby("metric", sort=False):
        share = of_metric.set_index("method")["share"]
        others = share.drop([brain, DRAWS, "oracle"], errors="ignore")
        best = others.idxmax()
        sentences.append(
            f"by {metric} {share[brain]:.0%}, where the best of the others, {best}, has {others[best]:.0%}"
        )
    return f"Of what the generator makes of the true targets, **{brain}** reaches {'; '.join(sentences)}."


def claims_table(
    honest: pd.DataFrame, published: pd.DataFrame, differences: pd.DataFrame, category: pd.DataFrame
) -> pd.DataFrame:
    """Return claims about a reconstruction, each with its number, its control and a verdict.

    Parameters
    ----------
    honest, published : DataFrame
        Of `decoding.film_controls.control_table`.
    differences : DataFrame
        Rows of `decoding.film_controls.difference_over_films`.
    category : DataFrame
        Of `decoding.film_controls.category_table`: ``training`` is "with" or "without", ``method`` "generated" and
        others.

    Returns
    -------
    claims : DataFrame
        ``claim``, ``number``, ``control``, ``verdict``.
    """
    by = honest.set_index(["metric", "method"])
    field = published.set_index(["metric", "method"])
    rows = [
        _identified(by),
        _compared("the brain adds to the generator's prior", differences, BRAIN, "no brain"),
        _compared("a generated film beats the nearest training film", differences, BRAIN, NEAREST),
        _compared("the mean of draws beats the mean of as many training films", differences, DRAWS, "mean of nearest"),
        _compared("the mean of draws beats the mean of as many retrieved", differences, DRAWS, "mean of retrieved"),
        _motion(by),
        _published(field),
        _two_way(field),
        _pixels(field),
        _consistency(field),
        _left_out(category),
    ]
    return pd.DataFrame(rows)


def _identified(by: pd.DataFrame) -> dict:
    brain = by.loc[("classifier", BRAIN)]
    shuffled = by.loc[("classifier", "shuffled brain")]
    holds = brain["p"] < LEVEL <= shuffled["p"]
    return {
        "claim": "the film that was shown is identified",
        "number": f"{brain['value']:.3f}, p {brain['p']:.3f}",
        "control": f"shuffled brain {shuffled['value']:.3f}, p {shuffled['p']:.3f}",
        "verdict": HOLDS if holds else FAILS if brain["p"] >= LEVEL else OPEN,
    }


def _compared(claim: str, differences: pd.DataFrame, method: str, control: str) -> dict:
    chosen = differences[(differences["method"] == method) & (differences["control"] == control)]
    texts = [f"{row.metric} {row.difference:+z.3f}" for row in chosen.itertuples()]
    if (chosen["low"] > 0).all():
        verdict = HOLDS
    elif (chosen["high"] < 0).any() or (chosen["difference"] <= 0).all():
        verdict = FAILS
    else:
        ahead = chosen.loc[chosen["low"] > 0, "metric"].tolist()
        verdict = f"{HOLDS} by {', '.join(ahead)}; else {OPEN}" if ahead else OPEN
    return {"claim": claim, "number": "; ".join(texts), "control": control, "verdict": verdict}


def _motion(by: pd.DataFrame) -> dict:
    brain = by.loc[("motion", BRAIN)]
    still = by.loc[("motion", "still film")]
    return {
        "claim": "motion is reconstructed",
        "number": f"{brain['value']:.3f}, p {brain['p']:.3f}",
        "control": f"still film {still['value']:.3f}, p {still['p']:.3f}",
        "verdict": HOLDS if brain["p"] < LEVEL and brain["value"] > still["value"] else FAILS,
    }


def _published(field: pd.DataFrame) -> dict:
    brain = field.loc[("2-way", BRAIN)]
    shuffled = field.loc[("2-way", "shuffled brain")]
    return {
        "claim": "the published 2-way score is above its measured chance",
        "number": f"{brain['value']:.3f}, chance {brain['chance']:.3f}, p {brain['p']:.3f}",
        "control": f"shuffled brain {shuffled['value']:.3f}, p {shuffled['p']:.3f}",
        "verdict": HOLDS if brain["p"] < LEVEL <= shuffled["p"] else FAILS if brain["p"] >= LEVEL else OPEN,
    }


def _two_way(field: pd.DataFrame) -> dict:
    brain = field.loc[("2-way", BRAIN)]
    shuffled = field.loc[("2-way", "shuffled brain")]
    nothing = field.loc[("2-way", "no brain")]
    return {
        "claim": "a published 2-way score starts from a chance of one half",
        "number": f"{brain['value']:.3f}, measured chance {brain['chance']:.3f}",
        "control": f"shuffled brain {shuffled['value']:.3f}, no brain {nothing['value']:.3f}",
        "verdict": HOLDS if abs(brain["chance"] - 0.5) < 0.02 else FAILS,
    }


def _pixels(field: pd.DataFrame) -> dict:
    brain = field.loc[("SSIM", BRAIN), "value"]
    mean = field.loc[("SSIM", "mean film"), "value"]
    return {
        "claim": "more structural similarity is a better reconstruction",
        "number": f"{brain:.3f}",
        "control": f"mean film {mean:.3f}",
        "verdict": FAILS if mean >= brain else OPEN,
    }


def _consistency(field: pd.DataFrame) -> dict:
    brain = field.loc[("consistency", BRAIN), "value"]
    still = field.loc[("consistency", "still film"), "value"]
    return {
        "claim": "consistent frames are evidence of the film that was shown",
        "number": f"{brain:.3f}, p {field.loc[('consistency', BRAIN), 'p']:.3f}",
        "control": f"still film {still:.3f}",
        "verdict": FAILS if field.loc[("consistency", BRAIN), "p"] >= LEVEL or still >= brain else OPEN,
    }


def _left_out(category: pd.DataFrame) -> dict:
    by = category.set_index(["method", "training"])
    without = by.loc[("generated", "without")]
    with_it = by.loc[("generated", "with")]
    if with_it["p"] >= LEVEL:
        verdict = OPEN  # nothing to lose: it is not reconstructed with it either
    elif without["p"] >= LEVEL:
        verdict = FAILS
    else:
        verdict = HOLDS if without["hits"] >= with_it["lowest"] else f"{HOLDS} in part"
    return {
        "claim": "what the decoder was never trained on is reconstructed",
        "number": f"named in {without['hits']:.0%} (trained on it: {with_it['hits']:.0%})",
        "control": f"in films of other things {without['false']:.0%}, p {without['p']:.3f}",
        "verdict": verdict,
    }


def category_text(category: pd.DataFrame, thing: str) -> str:
    """Return what became of a category that was left out of the training films.

    Parameters
    ----------
    category : DataFrame
        Of `decoding.film_controls.category_table`.
    thing : str

    Returns
    -------
    text : str
        Markdown.
    """
    sentences = []
    for method, of_method in category.groupby("method", sort=False):
        parts = []
        for row in of_method.itertuples():
            rate = f"{row.hits:.0%} (in films of other things {row.false:.0%}, p {row.p:.3f})"
            parts.append(f"{row.training} it {rate}")
        sentences.append(f"{method}: {', '.join(parts)}")
    return f"How often the classifier names the {thing} in films of one, trained with and without it. " + (
        ". ".join(sentence[0].upper() + sentence[1:] for sentence in sentences) + "."
    )


def answer_text(claims: pd.DataFrame, dataset: str) -> str:
    """Return what can be said and what cannot, from the verdicts.

    Parameters
    ----------
    claims : DataFrame
        Of `claims_table`.
    dataset : str
        What the verdicts are about.

    Returns
    -------
    text : str
        Markdown.
    """
    holds = claims["verdict"].str.startswith(HOLDS)
    fails = claims["verdict"].str.startswith(FAILS)
    sentences = []
    for heading, chosen in (("can be said", holds), ("cannot be said", fails), ("stays open", ~holds & ~fails)):
        names = [
            row.claim if row.verdict in (HOLDS, FAILS, OPEN) else f"{row.claim} ({row.verdict})"
            for row in claims[chosen].itertuples()
        ]
        sentences.append(f"**What {heading}:** {'; '.join(names) if names else 'nothing of the table'}.")
    return "\n\n".join([f"For this data set ({dataset}):", *sentences])
