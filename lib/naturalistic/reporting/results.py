"""Results of chapters as files, and tables of them."""

import json
import math
import os
import platform
from collections.abc import Mapping
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from naturalistic import simulated
from naturalistic.cache import whole_or_absent, write_text
from naturalistic.intact import open_arrays, read_json

_PACKAGES = ("naturalistic", "numpy", "scipy", "torch", "transformers")


def results_dir() -> Path:
    """Return the folder of results.

    It is ``$NATURALISTIC_RESULTS``, or ``_build/results`` of the repository; outside a checkout ``_build/results``
    under the current folder.
    """
    if os.environ.get("NATURALISTIC_RESULTS"):
        return Path(os.environ["NATURALISTIC_RESULTS"]).expanduser()
    return (find_repository() or Path.cwd()) / "_build" / "results"


def find_repository() -> Path | None:
    """Return the root of the repository that the current folder is in, or None."""
    current = Path.cwd()
    for folder in (current, *current.parents):
        if (folder / "lib" / "naturalistic").is_dir() and (folder / "pyproject.toml").is_file():
            return folder
    return None


def save(chapter: str, numbers: Mapping, *, dataset: str, seed: int) -> dict:
    """Write the numbers of a chapter, whole or not at all.

    Parameters
    ----------
    chapter : str
        Such as ``"01-first-model"``; the file is ``<results_dir>/<chapter>.json``.
    numbers : dict
        By name; values are numbers, strings, arrays, tidy tables (DataFrames; `frame` returns them), or lists and
        dicts of them. NaN becomes null.
    dataset : str
    seed : int

    Returns
    -------
    numbers : dict
        As `load` returns them.

    Raises
    ------
    TypeError, ValueError
        If a value has no form in JSON, or is infinite.
    """
    about = {"dataset": dataset, "seed": seed, "versions": {p: version(p) for p in _PACKAGES}}
    about["versions"]["python"] = platform.python_version()
    text = json.dumps(_plain({**about, **numbers}), indent=1, ensure_ascii=False, allow_nan=False)
    path = results_dir() / f"{chapter}.json"
    write_text(path, text + "\n")
    return json.loads(text)


def load(chapter: str, dataset: str | None = None) -> dict:
    """Read the numbers of a chapter.

    Parameters
    ----------
    chapter : str
    dataset : str, optional
        Name of the data set that the chapter must have been run on.

    Returns
    -------
    numbers : dict

    Raises
    ------
    FileNotFoundError, ValueError
        If the chapter has not been run, or was run on other data.
    """
    path = results_dir() / f"{chapter}.json"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there: run the chapter {chapter} first (make book)")
    numbers = read_json(path, _repair(chapter))
    if dataset is not None and numbers["dataset"] != dataset:
        raise ValueError(f"{path} is of {numbers['dataset']}, expected {dataset}: run the chapter {chapter} on it")
    return numbers


def frame(saved: Mapping) -> pd.DataFrame:
    """Return the tidy table that a results file holds.

    Parameters
    ----------
    saved : dict
        ``columns`` and ``rows``, as `save` writes a DataFrame.

    Returns
    -------
    table : pandas.DataFrame
        A row for each observation; null is NaN in a column of numbers.

    Raises
    ------
    ValueError
        If it is not a saved table.
    """
    if not isinstance(saved, Mapping) or set(saved) != {"columns", "rows"}:
        raise ValueError(f"a value of type {type(saved).__name__} is no saved table, expected its columns and rows")
    return pd.DataFrame(saved["rows"], columns=saved["columns"]).infer_objects()


def build_costs() -> dict | None:
    """Read time and peak memory of each chapter, as measured by ``make book``.

    Returns
    -------
    costs : dict or None
        ``machine``, and ``chapters``: by name ``seconds``, ``peak_mb`` (None where it was not measured) and
        ``dataset``. None where the chapters were run without ``make book``.
    """
    path = results_dir() / "build.json"
    return read_json(path, "run make book again") if path.is_file() else None


def save_arrays(chapter: str, arrays: Mapping[str, ArrayLike]) -> None:
    """Write the arrays of a chapter for other pages, whole or not at all.

    Parameters
    ----------
    chapter : str
        The file is ``<results_dir>/<chapter>.npz``.
    arrays : dict of str to array

    Raises
    ------
    ValueError
        If an array holds objects, which cannot be read without pickle.
    """
    objects = [name for name, x in arrays.items() if np.asarray(x).dtype == object]
    if objects:
        raise ValueError(f"{objects[0]} is an array of objects, expected numbers")
    path = results_dir() / f"{chapter}.npz"
    with whole_or_absent(path) as part, open(part, "wb") as file:
        np.savez_compressed(file, **arrays)


def load_arrays(chapter: str) -> dict[str, NDArray]:
    """Read the arrays of a chapter, by name.

    Raises
    ------
    FileNotFoundError, ValueError
        If the chapter has not been run, or the file was cut short.
    """
    path = results_dir() / f"{chapter}.npz"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there: run the chapter {chapter} first (make book)")
    return open_arrays(path, _repair(chapter))


def _repair(chapter: str) -> str:
    """Return the advice for a damaged file of a chapter."""
    return f"delete it and run the chapter {chapter} again (make book)"


def has_results(chapter: str) -> bool:
    """Return whether a chapter has been run."""
    return (results_dir() / f"{chapter}.json").is_file()


def title(numbers: Mapping, text: str) -> str:
    """Return the title of a figure, with the name of simulated data."""
    return simulated.title(text, numbers["dataset"])


def is_simulated(numbers: Mapping) -> bool:
    """Return whether the numbers of a chapter are of simulated data."""
    return simulated.has_simulated_name(numbers["dataset"])


def published(work: str) -> dict:
    """Return the numbers that a publication reports.

    Parameters
    ----------
    work : str
        Key in the list of references of the book, such as ``"denk2023"``.

    Returns
    -------
    numbers : dict
        By measure and embedding: ``mean`` over subjects, ``sd`` where it is reported.

    Raises
    ------
    KeyError
        If the library holds none of its numbers.
    """
    known = json.loads(files("naturalistic.reporting").joinpath("published.json").read_text(encoding="utf-8"))
    if work not in known:
        raise KeyError(f"no numbers of {work!r} are known; there are those of {', '.join(known)}")
    return known[work]


def load_benchmark(name: str) -> dict:
    """Read the results of a benchmark by ``make bench``.

    Parameters
    ----------
    name : str
        Of its file in ``book/benchmarks``, such as ``"ridge"``.

    Returns
    -------
    results : dict

    Raises
    ------
    FileNotFoundError
        Outside a checkout of the repository, or if there is no benchmark of that name.
    """
    root = find_repository()
    path = root / "book" / "benchmarks" / f"{name}.json" if root else None
    if path is None or not path.is_file():
        raise FileNotFoundError(f"no benchmark {name!r}: work inside a checkout, and run make bench to measure it")
    return read_json(path, "run make bench to measure it again")


def _plain(value: object) -> object:
    """Convert arrays and numpy numbers to lists and Python numbers for JSON."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, pd.DataFrame):
        return _plain_table(value)
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


def _plain_table(values: pd.DataFrame) -> dict:
    """Convert a tidy table to its columns and rows for JSON."""
    if not isinstance(values.index, pd.RangeIndex):
        raise TypeError("a table among the results has an index, which is not saved: make it columns by reset_index()")
    if not values.columns.is_unique:
        raise ValueError(f"columns of a table among the results share a name: {', '.join(map(str, values.columns))}")
    columns = [values[name].tolist() for name in values]
    return {"columns": [str(name) for name in values], "rows": [_plain(list(row)) for row in zip(*columns)]}


def table(
    values: Mapping[str, Mapping] | pd.DataFrame,
    bold: Mapping[str, Mapping[str, bool]] | pd.DataFrame | None = None,
    digits: int = 2,
    corner: str = "",
) -> str:
    """Return numbers as a Markdown table.

    Parameters
    ----------
    values : dict of str to dict of str to float or str, or pandas.DataFrame
        By row, then column, as read from a results file; a DataFrame by its index and columns. None and NaN are shown
        as a dash, strings are unchanged, but for what would end a cell.
    bold : dict of str to dict of str to bool, or pandas.DataFrame, optional
        Cells to print in bold, with the same keys.
    digits : int
    corner : str
        Header of the column of row names.

    Returns
    -------
    text : str
    """
    values = values.to_dict("index") if isinstance(values, pd.DataFrame) else values
    bold = bold.to_dict("index") if isinstance(bold, pd.DataFrame) else bold
    columns = list(next(iter(values.values())))

    def cell(row: str, column: str) -> str:
        value = values[row][column]
        if value is None or value != value:
            text = "–"
        else:
            text = value if isinstance(value, str) else f"{value:z.{digits}f}"
        return f"**{text}**" if bold and bold[row][column] else text

    lines = [[corner, *map(str, columns)], ["---"] * (len(columns) + 1)]
    lines += [[str(row), *(cell(row, column) for column in columns)] for row in values]
    escaped = ([text.replace("|", "\\|").replace("\n", " ") for text in line] for line in lines)  # either ends a cell
    return "\n".join("| " + " | ".join(line) + " |" for line in escaped)
