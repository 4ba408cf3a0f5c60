"""Tables and sentences of the chapter on films from brain activity."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from naturalistic.decoding.nulls import identification_test

__all__ = ["best_middle_worst", "by_method", "method_text", "region_text", "score_films", "summary_table"]

NEAREST = "nearest training film"


def score_films(
    features: Mapping[str, ArrayLike],
    true: Mapping[str, ArrayLike],
    method: str,
    subject: str,
    n_permutations: int = 1000,
    seed: int = 0,
) -> list[dict]:
    """Return the identification of true films by reconstructed ones, a row a measure.

    Parameters
    ----------
    features, true : dict of str to array (n_films, dim)
        By measure: of the reconstructed films and of the true ones.
    method, subject : str
        For the rows.
    n_permutations, seed : int

    Returns
    -------
    rows : list of dict
        ``method``, ``subject``, ``measure``, ``identification``, ``p``.
    """
    rows = []
    for measure, target in true.items():
        result = identification_test(features[measure], target, n_permutations=n_permutations, seed=seed)
        rows.append(
            {"method": method, "subject": subject, "measure": measure, "identification": result.score, "p": result.p}
        )
    return rows


def summary_table(scores: pd.DataFrame) -> pd.DataFrame:
    """Return mean and range over subjects of each method and measure, and how many are above chance.

    Parameters
    ----------
    scores : DataFrame
        Rows of `score_films`.

    Returns
    -------
    summary : DataFrame
    """
    rows = []
    for (method, measure), found in scores.groupby(["method", "measure"], sort=False):
        values = found["identification"]
        rows.append(
            {
                "method": method,
                "measure": measure,
                "identification": float(values.mean()),
                "lowest": float(values.min()),
                "highest": float(values.max()),
                "subjects with p < .05": f"{int((found['p'] < 0.05).sum())} of {len(found)}",
            }
        )
    return pd.DataFrame(rows)


def by_method(summary: pd.DataFrame) -> pd.DataFrame:
    """Return the summary as it is printed: a row a method, a column a measure.

    Parameters
    ----------
    summary : DataFrame
        Of `summary_table`.

    Returns
    -------
    table : DataFrame
        Of texts: mean over subjects, lowest to highest, and how many have p < .05.
    """
    texts = []
    for row in summary.to_dict("records"):
        spread = f"{row['lowest']:.2f} to {row['highest']:.2f}"
        texts.append(f"{row['identification']:.2f} ({spread}; {row['subjects with p < .05']})")
    table = summary.assign(text=texts).pivot(index="method", columns="measure", values="text")
    return table.loc[summary["method"].unique(), summary["measure"].unique()]


def region_text(table: pd.DataFrame) -> str:
    """Return which region each target is read from best, and where nothing is.

    Parameters
    ----------
    table : DataFrame
        A row for each subject, ``region`` and ``target``, with ``identification`` and ``p``.

    Returns
    -------
    text : str
        Markdown.
    """
    means = table.pivot_table(index="region", columns="target", values="identification", sort=False)
    sentences = []
    for target in means:
        best = means[target].idxmax()
        sentences.append(f"{target} from {best} ({means[target].max():.2f})")
    share = table.groupby("region", sort=False)["p"].apply(lambda p: float((p < 0.05).mean()))
    blind = share.idxmin()
    return (
        f"On average over {table['subject'].nunique()} subjects, read best: {'; '.join(sentences)}. In {blind} "
        f"{share[blind]:.0%} of the tests have p < .05, where chance gives 5%; its mean accuracy is "
        f"{means.loc[blind].mean():.2f}."
    )


def method_text(scores: pd.DataFrame, method: str, baseline: str = NEAREST) -> str:
    """Return how a method compares with its baseline in each measure, over subjects.

    Parameters
    ----------
    scores : DataFrame
        Rows of `score_films`.
    method, baseline : str

    Returns
    -------
    text : str
        Markdown. A method wins where it is ahead in all subjects, loses where it is behind in all.
    """
    means = scores.pivot_table(index="subject", columns=["measure", "method"], values="identification")
    sentences = []
    for measure in scores["measure"].unique():
        ahead = (means[measure][method] - means[measure][baseline]).dropna()
        if (ahead > 0).all():
            verdict = "is ahead in all subjects"
        elif (ahead < 0).all():
            verdict = "is behind in all subjects"
        else:
            verdict = f"is ahead in {int((ahead > 0).sum())} of {len(ahead)} subjects"
        sentences.append(f"by {measure} it {verdict} (difference {ahead.mean():+z.3f})")
    return f"**{method}** against **{baseline}**: {'; '.join(sentences)}."


def best_middle_worst(by_film: ArrayLike) -> tuple[NDArray[np.intp], list[str]]:
    """Return the films with the best, the middle and the worst rank, and names for them.

    Parameters
    ----------
    by_film : array (n_films,)
        Such as the identification of each film.

    Returns
    -------
    films : int array (3,)
    names : list of str
    """
    order = np.argsort(-np.asarray(by_film), kind="stable")
    films = order[[0, len(order) // 2, -1]]
    return films, ["best", "middle", "worst"]
