"""A chapter's parameters as papermill hands them over, turned into values and checked before any work begins.

papermill reads numbers, True, False and None of a command line; ``-p delays "[3, 4.5]"`` arrives as text.
"""

import ast
import math
from numbers import Integral, Real

EXAMPLES = {int: (10, [1, 3]), float: (4.5, [3, 4.5]), str: ("name", ["one", "two"])}  # of one value, of a list
WORDS = {int: ("a whole number", "whole numbers"), float: ("a number", "numbers"), str: ("text", "words")}


def checked(name, value, kind, *, least=None, among=None, groups=False, example=None):
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

    def one(x):
        x = _read(x, of)
        small = least is not None and x is not None and x < least
        if x is None or small or (among is not None and x not in among):
            raise ValueError(error)
        return x

    if not many:
        return one(value)
    listed = _split(value)
    if not listed:
        raise ValueError(error)
    return [tuple(map(one, x)) if groups and isinstance(x, (list, tuple)) and x else one(x) for x in listed]


def some_of(name, value, known, *, note=""):
    """Return the names that an argument asks for, in their order, read once: a generator is empty the second time.

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


def _split(value):
    """Return the elements of a list or of its text; None where it is neither."""
    if isinstance(value, str):
        text = value.strip()
        if text[:1] + text[-1:] not in ("[]", "()"):
            return None
        try:
            return list(ast.literal_eval(text))
        except (ValueError, SyntaxError, TypeError):  # words without quotes
            return [x for word in text[1:-1].split(",") if (x := word.strip(" '\""))]
    try:
        return None if isinstance(value, (dict, bytes)) else list(value)
    except TypeError:
        return None


def _read(x, of):
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
