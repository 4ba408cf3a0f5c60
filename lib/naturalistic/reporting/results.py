"""The numbers of a chapter, written once to a JSON file and read from there by prose, tables and pages."""

import json
import math
import os
import platform
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import numpy as np

from naturalistic import simulated
from naturalistic.cache import whole_or_absent, write_text
from naturalistic.intact import open_arrays, read_json

PACKAGES = ("naturalistic", "numpy", "scipy", "torch", "transformers")


def results_dir():
    """Return the folder of results: ``$NATURALISTIC_RESULTS``, or ``_build/results`` of the repository.

    Outside a checkout it is ``_build/results`` under the current folder.
    """
    if os.environ.get("NATURALISTIC_RESULTS"):
        return Path(os.environ["NATURALISTIC_RESULTS"]).expanduser()
    return (repository() or Path.cwd()) / "_build" / "results"


def repository():
    """Return the root of the repository that the current folder is in, or None."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "lib" / "naturalistic").is_dir() and (folder / "pyproject.toml").is_file():
            return folder
    return None


def save(chapter, numbers, *, dataset, seed):
    """Write a chapter's numbers, whole or not at all.

    Parameters
    ----------
    chapter : str
        Such as ``"01-first-model"``; the file is ``<results_dir>/<chapter>.json``.
    numbers : dict
        Plain names; values are numbers, strings, arrays, or lists and dicts of such. NaN becomes null.
    dataset : str
    seed : int

    Returns
    -------
    numbers : dict
        What was written, as `load` returns it.

    Raises
    ------
    TypeError, ValueError
        If a value cannot be held by JSON, or is infinite.
    """
    about = {"dataset": dataset, "seed": seed, "versions": {p: version(p) for p in PACKAGES}}
    about["versions"]["python"] = platform.python_version()
    text = json.dumps(_plain({**about, **numbers}), indent=1, ensure_ascii=False, allow_nan=False)
    path = results_dir() / f"{chapter}.json"
    write_text(path, text + "\n")
    return json.loads(text)


def load(chapter, dataset=None):
    """Return the numbers that a chapter wrote.

    Parameters
    ----------
    chapter : str
    dataset : str, optional
        The name of the data set that they must be of.

    Returns
    -------
    numbers : dict

    Raises
    ------
    FileNotFoundError, ValueError
        If the chapter has not been run, or on other data.
    """
    path = results_dir() / f"{chapter}.json"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there: run the chapter {chapter} first (make book)")
    numbers = read_json(path, _again(chapter))
    if dataset is not None and numbers["dataset"] != dataset:
        raise ValueError(f"{path} is of {numbers['dataset']}, expected {dataset}: run the chapter {chapter} on it")
    return numbers


def costs():
    """Return what ``make book`` measured of each chapter that it ran: seconds, and the peak of memory in MB.

    Returns
    -------
    costs : dict or None
        ``machine``, and ``chapters``: by name ``seconds``, ``peak_mb`` (None where it could not be seen) and
        ``dataset``. None where the chapters were run in another way.
    """
    path = results_dir() / "build.json"
    return read_json(path, "run make book again") if path.is_file() else None


def save_arrays(chapter, arrays):
    """Write the arrays of a chapter that other pages draw or play, whole or not at all.

    Parameters
    ----------
    chapter : str
        The file is ``<results_dir>/<chapter>.npz``.
    arrays : dict of str to array

    Raises
    ------
    ValueError
        If one is of objects, which could not be read again.
    """
    if objects := [name for name, x in arrays.items() if np.asarray(x).dtype == object]:
        raise ValueError(f"{objects[0]} is an array of objects, expected numbers")
    path = results_dir() / f"{chapter}.npz"
    with whole_or_absent(path) as part, open(part, "wb") as file:
        np.savez_compressed(file, **arrays)


def load_arrays(chapter):
    """Return the arrays that a chapter wrote, by name.

    Raises
    ------
    FileNotFoundError, ValueError
        If the chapter has not been run, or the file was cut short.
    """
    path = results_dir() / f"{chapter}.npz"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there: run the chapter {chapter} first (make book)")
    return open_arrays(path, _again(chapter))


def _again(chapter):
    return f"delete it and run the chapter {chapter} again (make book)"


def is_there(chapter):
    """Say whether a chapter has been run: whether `load` finds its numbers."""
    return (results_dir() / f"{chapter}.json").is_file()


def title(numbers, text):
    """Return ``text`` as a figure title, marked if the numbers, as `load` returns them, are of simulated data."""
    return simulated.title(text, numbers["dataset"])


def is_simulated(numbers):
    """Return whether the numbers of a chapter, as `load` returns them, are of simulated data."""
    return simulated.has_simulated_name(numbers["dataset"])


def published(work):
    """Return the numbers that a publication reports, by its key in the book's list of references.

    Parameters
    ----------
    work : str
        Such as ``"denk2023"``.

    Returns
    -------
    numbers : dict
        By measure and embedding: ``mean`` over subjects, ``sd`` where it is reported.

    Raises
    ------
    KeyError
        If none of its numbers is known here.
    """
    known = json.loads(files("naturalistic.reporting").joinpath("published.json").read_text(encoding="utf-8"))
    if work not in known:
        raise KeyError(f"no numbers of {work!r} are known; there are those of {', '.join(known)}")
    return known[work]


def load_benchmark(name):
    """Return what ``make bench`` measured, by the name of its file in ``book/benchmarks``, such as ``"ridge"``.

    Raises
    ------
    FileNotFoundError
        Outside a checkout of the repository, or if there is no benchmark of that name.
    """
    root = repository()
    path = root / "book" / "benchmarks" / f"{name}.json" if root else None
    if path is None or not path.is_file():
        raise FileNotFoundError(f"no benchmark {name!r}: work inside a checkout, and run make bench to measure it")
    return read_json(path, "run make bench to measure it again")


def _plain(value):
    """Turn arrays and numpy numbers into lists and Python numbers that JSON can hold."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        if math.isinf(value):
            raise ValueError("a result is infinite; find out why before it is saved")
        return None
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"a result is of type {type(value).__name__}, expected numbers, strings, lists, dicts or arrays")


def table(values, bold=None, digits=2, corner=""):
    """Return numbers as a Markdown table.

    Parameters
    ----------
    values : dict of str to dict of str to float or str
        Rows of columns, as read from a results file; None is drawn as a dash, words stay as they are.
    bold : dict of str to dict of str to bool, optional
        Cells to print in bold, with the same keys.
    digits : int
    corner : str
        Head of the column of row names.

    Returns
    -------
    text : str
    """
    columns = list(next(iter(values.values())))

    def cell(row, column):
        value = values[row][column]
        text = "–" if value is None else value if isinstance(value, str) else f"{value:z.{digits}f}"
        return f"**{text}**" if bold and bold[row][column] else text

    lines = [[corner, *columns], ["---"] * (len(columns) + 1)]
    lines += [[row, *(cell(row, column) for column in columns)] for row in values]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
