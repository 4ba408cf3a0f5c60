"""Scores of several subjects as numbers for a results file, and as words for a table."""

import numpy as np

from naturalistic.decoding import clip_interval
from naturalistic.reporting import results


def of_scores(by_subject, seed=0):
    """Return what a chapter keeps of the scores of its subjects.

    Parameters
    ----------
    by_subject : dict of str to decoding.Scores
    seed : int
        Of the bootstrap over clips.

    Returns
    -------
    numbers : dict
        ``identification``, ``correlation``, ``top_1``, ``top_5``, ``mean_rank``, ``p`` (n_subjects,); ``chance``, the
        mean of the nulls; ``low`` and ``high``, the 95 % interval over clips of the mean over subjects.
    """
    scores = list(by_subject.values())
    low, high = clip_interval(np.mean([one.by_clip for one in scores], axis=0), seed=seed)
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


def of_tests(by_subject):
    """Return what a chapter keeps of a test of each subject: ``subjects`` and ``p`` (n_subjects,), and ``chance``.

    Parameters
    ----------
    by_subject : dict of str to decoding.Tested

    Returns
    -------
    numbers : dict
    """
    tests = list(by_subject.values())
    return {
        "subjects": np.array([test.score for test in tests]),
        "p": np.array([test.p for test in tests]),
        "chance": float(np.mean([test.null.mean() for test in tests])),
    }


def mean_sd(values, digits=3):
    """Return ``"0.862 ± 0.016"``: mean and standard deviation over subjects; the mean alone of one subject.

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


def score_cells(numbers):
    """Return the cells of one row of a table of scores, from what `of_scores` returns.

    Parameters
    ----------
    numbers : dict
        Also as `results.load` returns them.

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


def test_cells(numbers):
    """Return the cells of one row of a table of tests, from what `of_tests` returns.

    Parameters
    ----------
    numbers : dict
        Also as `results.load` returns them.

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


def level_cells(numbers, level):
    """Return the cells of one level of meaning in a table of what a language model predicts in films.

    Parameters
    ----------
    numbers : dict
        Of chapter 9, as `results.load` returns them.
    level : str

    Returns
    -------
    cells : dict of str to str
        By name of the column; the gain over word vectors only where it passes the same shifts for all viewers (p <=
        .05) and its interval over viewers is above 0.
    """
    gain = numbers["gain"][level]
    passes = gain.get("p", 1) <= 0.05 and gain.get("low", -1) > 0
    sure = f"{np.mean(gain['subjects']):+.3f} ({gain['low']:+.3f})" if passes else "not reliably"
    accuracy = numbers["accuracy"][numbers["models"][-1]][level]
    return {"predicted (r)": f"{np.mean(accuracy):.2f}", "better than word vectors by (at least, 95 %)": sure}


def chosen_layers(model, dataset):
    """Return the layer of each level that chapter 9 chose: the median over subjects.

    Parameters
    ----------
    model : str
        One of its language models.
    dataset : str
        The name of the data set that it must have been run on.

    Returns
    -------
    layers : dict of str to int
        By level.

    Raises
    ------
    FileNotFoundError, ValueError
        As `results.load`, or if it was run without this model.
    """
    chose = results.load("09-language-encoding", dataset)["layers"]
    if model not in chose:
        raise ValueError(
            f"chapter 9 was run with {', '.join(chose)}, expected {model}: run it with that, or give layers"
        )
    return {level: int(np.median(of_subjects)) for level, of_subjects in chose[model].items()}
