"""Summaries of scores of several subjects, for results files and tables."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import ArrayLike

from naturalistic.decoding.clips import clip_interval
from naturalistic.decoding.nulls import DecodingScores, PermutationResult
from naturalistic.reporting import results


def summarize_scores(by_subject: Mapping[str, DecodingScores], seed: int = 0) -> dict:
    """Summarize the decoding scores of several subjects.

    Parameters
    ----------
    by_subject : dict of str to decoding.DecodingScores
    seed : int
        Of the bootstrap over clips.

    Returns
    -------
    numbers : dict
        ``identification``, ``correlation``, ``top_1``, ``top_5``, ``mean_rank``, ``p`` (n_subjects,); ``chance``, the
        mean of the nulls; ``low`` and ``high``, the 95 % interval over clips of the mean over subjects.
    """
    scores = list(by_subject.values())
    low, high = clip_interval(np.mean([score.by_clip for score in scores], axis=0), seed=seed)
    return {
        "identification": np.array([one.identification.score for one in scores]),
        "correlation": np.array([one.correlation.score for one in scores]),
        "top_1": np.array([one.top_1 for one in scores]),
        "top_5": np.array([one.top_5 for one in scores]),
        "mean_rank": np.array([one.rank for one in scores]),
        "p": np.array([one.identification.p for one in scores]),
        "chance": float(np.mean([one.identification.null.mean() for one in scores])),
        "low": low,
        "high": high,
    }


def summarize_tests(by_subject: Mapping[str, PermutationResult]) -> dict:
    """Summarize the permutation tests of several subjects.

    Parameters
    ----------
    by_subject : dict of str to decoding.PermutationResult

    Returns
    -------
    numbers : dict
        ``subjects``, their scores, and ``p`` (n_subjects,); ``chance``, the mean of the nulls.
    """
    tests = list(by_subject.values())
    return {
        "subjects": np.array([test.score for test in tests]),
        "p": np.array([test.p for test in tests]),
        "chance": float(np.mean([test.null.mean() for test in tests])),
    }


def mean_sd(values: ArrayLike, digits: int = 3) -> str:
    """Format mean and standard deviation over subjects, such as ``"0.862 ± 0.016"``.

    The standard deviation is left out for one subject.

    Parameters
    ----------
    values : array (n_subjects,)
    digits : int

    Returns
    -------
    text : str
    """
    values = np.asarray(values, dtype=float)
    spread = f" ± {values.std(ddof=1):.{digits}f}" if len(values) > 1 else ""
    return f"{values.mean():.{digits}f}{spread}"


def score_cells(numbers: Mapping) -> dict[str, str]:
    """Format the summary of decoding scores as the cells of a table row.

    Parameters
    ----------
    numbers : dict
        From `summarize_scores`, also as `results.load` returns them.

    Returns
    -------
    cells : dict of str to str
        By name of the column.
    """
    return {
        "identification accuracy": mean_sd(numbers["identification"]),
        "95 % interval over clips": f"{numbers['low']:.3f} to {numbers['high']:.3f}",
        "chance, measured": f"{numbers['chance']:.3f}",
        "largest p": f"{np.max(numbers['p']):.2g}",
        "correlation": mean_sd(numbers["correlation"]),
        "first": mean_sd(numbers["top_1"], 2),
        "among first 5": mean_sd(numbers["top_5"], 2),
        "mean rank": mean_sd(numbers["mean_rank"], 1),
    }


def test_cells(numbers: Mapping) -> dict[str, str]:
    """Format the summary of permutation tests as the cells of a table row.

    Parameters
    ----------
    numbers : dict
        From `summarize_tests`, also as `results.load` returns them.

    Returns
    -------
    cells : dict of str to str
        By name of the column.
    """
    return {
        "score": mean_sd(numbers["subjects"]),
        "chance, measured": f"{numbers['chance']:.3f}",
        "largest p": f"{np.max(numbers['p']):.2g}",
    }


def level_cells(numbers: Mapping, level: str) -> dict[str, str]:
    """Format the accuracy of a language model at one level as table cells.

    Parameters
    ----------
    numbers : dict
        Of chapter 12, as `results.load` returns them.
    level : str

    Returns
    -------
    cells : dict of str to str
        By name of the column; the gain over word vectors only where it is significant under shifts common to all
        subjects (p <= .05) and its interval, of the same shifts, is above 0.
    """
    gain = numbers["gain"][level]
    significant = gain.get("p", 1) <= 0.05 and gain.get("low", -1) > 0
    gain_text = "not reliably"
    if significant:
        gain_text = f"{np.mean(gain['subjects']):+z.3f} ({gain['low']:+z.3f} to {gain['high']:+z.3f})"
    accuracy = numbers["accuracy"][numbers["models"][-1]][level]
    return {"predicted (r)": f"{np.mean(accuracy):.2f}", "better than word vectors by (95 % interval)": gain_text}


def chosen_layers(model: str, dataset: str) -> dict[str, int]:
    """Return the median over subjects of the layer selected in chapter 12, by level.

    Parameters
    ----------
    model : str
        One of its language models.
    dataset : str
        Name of the data set that chapter 12 must have been run on.

    Returns
    -------
    layers : dict of str to int
        By level.

    Raises
    ------
    FileNotFoundError, ValueError
        If the chapter has not been run, or on other data, or without this model.
    """
    by_model = results.load("12-language-encoding", dataset)["layers"]
    if model not in by_model:
        raise ValueError(
            f"chapter 12 was run with {', '.join(by_model)}, expected {model}: run it with that, or give layers"
        )
    return {level: int(np.median(layers)) for level, layers in by_model[model].items()}


def joined(names: Iterable[object], nothing: str = "none") -> str:
    """Return names as a sentence lists them: ``"a, b and c"``.

    Parameters
    ----------
    names : iterable
    nothing : str
        Returned if there are none.

    Returns
    -------
    text : str
    """
    listed = [str(name) for name in names]
    if len(listed) < 2:
        return listed[0] if listed else nothing
    return f"{', '.join(listed[:-1])} and {listed[-1]}"


def full_size_cost(chapter: str) -> str:
    """Return a sentence on what a chapter took on a simulated subject of full size.

    Parameters
    ----------
    chapter : str
        Such as ``"13-semantic-maps"``; a step of the rehearsal.

    Returns
    -------
    text : str
    """
    cost = results.load_benchmark("rehearsal")["steps"][chapter]
    return (
        f"This chapter, for one simulated subject of full size, took {cost['cpu_s'] / 3600:.1f} hours of one core and "
        f"{cost['peak_mb'] / 1000:.1f} GB of memory: {{ref}}`sec:rehearsal`."
    )
