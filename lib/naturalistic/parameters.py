"""Numbers that callers and papermill pass, turned into values and checked before any work begins.

Counts and seeds of functions: `whole`, `check_seed`, `check_jobs`. One parameter of a chapter: `checked`; all of them:
`chapter_parameters.check_chapter`. papermill reads numbers, True, False and None of a command line;
``-p delays "[3, 4.5]"`` arrives as text.
"""

import ast
import difflib
import math
from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np

Seed = int | np.random.Generator | np.random.SeedSequence | np.random.BitGenerator
EXAMPLES = {int: (10, [1, 3]), float: (4.5, [3, 4.5]), str: ("name", ["one", "two"])}  # of one value, of a list
WORDS = {int: ("a whole number", "whole numbers"), float: ("a number", "numbers"), str: ("text", "words")}


def checked(
    name: str,
    value: Any,
    kind: Any,
    *,
    least: float | None = None,
    among: Sequence | None = None,
    groups: bool = False,
    example: Any | None = None,
) -> Any:
    """Return a parameter's value.

    Parameters
    ----------
    name : str
        What the chapter calls it.
    value : object
        A value, or the text of one.
    kind : {int, float, str} or a list of one of these
        ``float`` is one number, ``[float]`` a list of one or more. In the text of a list, words need no quotes.
    least : float, optional
        The smallest number that will do.
    among : sequence, optional
        The values that there are.
    groups : bool
        An element may itself be a list, which becomes a tuple, as of delays that are averaged: ``[[8, 9, 10]]``.
    example : object, optional
        What an error shows as a value that would do.

    Returns
    -------
    value : int, float or str, or list of such (and of tuples)

    Raises
    ------
    ValueError
        Naming the parameter, what came, what was expected, and how to say it to papermill.
    """
    many = isinstance(kind, list)
    of = kind[0] if many else kind
    expected = f"a list of one or more {WORDS[of][1]}" if many else WORDS[of][0]
    expected += (f", {least:g} or more" if least is not None else "") + (" (or groups of them)" if groups else "")
    expected += f", of {', '.join(map(repr, among))}" if among is not None else ""
    example = (list(among[:2]) if many else among[0]) if example is None and among else example
    example = EXAMPLES[of][many] if example is None else example
    error = f'{name} is {value!r}, expected {expected}: {name} = {example!r}, or of papermill: -p {name} "{example}"'

    def one(x: Any) -> Any:
        x = _read(x, of)
        small = least is not None and x is not None and x < least
        if x is None or small or (among is not None and x not in among):
            raise ValueError(error + did_you_mean(x, among or ()))
        return x

    if not many:
        return one(value)
    listed = _split(value)
    if not listed:
        raise ValueError(error)
    return [tuple(map(one, x)) if groups and isinstance(x, (list, tuple)) and x else one(x) for x in listed]


def some_of(name: str, value: Iterable[str], known: Sequence[str], *, note: str = "") -> list[str]:
    """Return the names in an argument, in their order.

    It is read once: a generator is empty the second time.

    Parameters
    ----------
    name : str
        Of the argument.
    value : iterable of str
        A list, tuple, generator, array, Series ..., or the text of a list. One name by itself is refused: it would
        be taken apart into letters.
    known : sequence of str
        The names that there are.
    note : str
        What an error adds.

    Returns
    -------
    names : list of str

    Raises
    ------
    ValueError
        If it is no list, is empty, or has a name that is not known.
    """
    expected = f"expected a list of some of {', '.join(known)}{note}"
    try:
        names = checked(name, value, [str])
    except ValueError:
        shown = value if isinstance(value, (str, list, tuple)) else f"of type {type(value).__name__}, no name in it"
        raise ValueError(f"{name} {shown}: {expected}") from None
    if unknown := [each for each in names if each not in known]:
        raise ValueError(f"{name} {unknown}: {expected}")
    return names


def did_you_mean(value: Any, known: Iterable[Any]) -> str:
    """Return ``"; did you mean 'name'?"`` for the nearest of the known names, empty if none is near.

    Parameters
    ----------
    value : object
        What came; only text has a nearest name.
    known : iterable
        Those that there are; what is not text is passed over.

    Returns
    -------
    question : str
    """
    by_lower_case = {name.lower(): name for name in known if isinstance(name, str)}
    written = value.strip().lower() if isinstance(value, str) else ""
    nearest = difflib.get_close_matches(written, by_lower_case, n=1)
    return f"; did you mean {by_lower_case[nearest[0]]!r}?" if nearest else ""


def _split(value: Any) -> list | None:
    """Return the elements of a list or of its text; None where it is neither."""
    if isinstance(value, str):
        text = value.strip()
        if text[:1] + text[-1:] not in ("[]", "()"):
            return None
        try:
            return list(ast.literal_eval(text.replace("\\", "\\\\")))  # of C:\new, \n is no end of a line
        except (ValueError, SyntaxError, TypeError):  # words without quotes
            return [x for word in text[1:-1].split(",") if (x := word.strip(" '\""))]
    try:
        return None if isinstance(value, (dict, bytes)) else list(value)
    except TypeError:
        return None


def _read(x: Any, of: type) -> Any:
    """Return one value as its kind, or None."""
    if of is str:
        return str(x) if isinstance(x, (str, Integral)) and not isinstance(x, bool) and str(x) else None
    if isinstance(x, str):
        try:
            x = float(x)
        except ValueError:
            return None
    if isinstance(x, bool) or not isinstance(x, Real) or not math.isfinite(x):
        return None
    if of is int:
        return int(x) if x == int(x) else None
    return x if isinstance(x, Integral) else float(x)


def is_whole(value: Any) -> bool:
    """Return whether a value is a whole number in any number format.

    3, 3.0, 1e3 and np.int64(3) are; True and "3" are not.
    """
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
        return False
    return isinstance(value, Integral) or (math.isfinite(value) and value == int(value))


def whole(
    name: str, value: Any, least: int | None = 1, most: int | None = None, *, hint: str = "", optional: bool = False
) -> Any:
    """Return a count as an int, after checking it.

    Every public function that takes a count calls this first.

    Parameters
    ----------
    name : str
        What the function calls the argument.
    value : object
        A whole number in any format: ``1e3`` and ``np.int64(1000)`` are 1000.
    least, most : int, optional
        The smallest and the largest that will do.
    hint : str
        What to do, added to the error.
    optional : bool
        None will do too, and comes back.

    Returns
    -------
    value : int, or None

    Raises
    ------
    ValueError
        If the value is no whole number (True and "4" are none) or out of bounds, with its name.
    """
    if optional and value is None:
        return None
    small = least is not None and is_whole(value) and value < least
    if is_whole(value) and not small and (most is None or value <= most):
        return int(value)
    if most is not None:
        bounds = f"a whole number from {least} to {most}"
    elif least is not None:
        bounds = f"a whole number of at least {least}"
    else:
        bounds = "a whole number"
    message = f"{name} is {value!r}, expected {bounds}{' or None' if optional else ''}"
    raise ValueError(message + (f": {hint}" if hint else ""))


def check_seed(seed: Any, name: str = "seed") -> Any:
    """Return a seed for `numpy.random.default_rng`, after checking it.

    Parameters
    ----------
    seed : int, or numpy.random.Generator (or SeedSequence, BitGenerator)
        A whole number of 0 or more, in any number format.
    name : str
        What the function calls the argument.

    Returns
    -------
    seed : int or numpy.random.Generator (or SeedSequence, BitGenerator)
    """
    if isinstance(seed, (np.random.Generator, np.random.SeedSequence, np.random.BitGenerator)):
        return seed
    return whole(name, seed, 0)


def check_jobs(n_jobs: int | None, name: str = "n_jobs") -> int | None:
    """Return a number of processes for joblib: not 0, -1 for all cores, or None."""
    if n_jobs is None or (is_whole(n_jobs) and n_jobs != 0):
        return None if n_jobs is None else int(n_jobs)
    raise ValueError(f"{name} is {n_jobs!r}, expected a whole number of processes, -1 for all cores, or None")
