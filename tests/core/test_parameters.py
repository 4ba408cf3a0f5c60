"""Parameters of chapters: what papermill hands over becomes a value, or an error that says what to do."""

import re

import numpy as np
import pytest
from naturalistic.parameters import checked


@pytest.mark.parametrize(
    ("value", "kind", "how", "wanted"),
    [
        (200, int, {}, 200),
        ("200", int, {}, 200),
        (200.0, int, {}, 200),
        (np.int64(3), int, {"least": 3}, 3),
        ("1.5", float, {}, 1.5),
        ("gpt2", str, {}, "gpt2"),
        ([1, 8], [float], {"least": 1}, [1, 8]),
        ("[1, 8]", [float], {}, [1, 8]),
        ("(1, 8.5)", [float], {}, [1, 8.5]),
        ("[3]", [int], {}, [3]),
        (np.array([1.5, 2]), [float], {}, [1.5, 2.0]),
        ("[clap, w2v-bert]", [str], {}, ["clap", "w2v-bert"]),
        ("[\"clap\", 'models/a b']", [str], {}, ["clap", "models/a b"]),
        ("[1, 3]", [str], {}, ["1", "3"]),
        ("[001, 002]", [str], {}, ["001", "002"]),
        ("[[8, 9, 10]]", [float], {"groups": True}, [(8, 9, 10)]),
        ([2, (4, 5)], [float], {"groups": True, "least": 0}, [2, (4, 5)]),
        ("native", str, {"among": ("raw", "native")}, "native"),
    ],
)
def test_values_and_their_text(value, kind, how, wanted):
    got = checked("it", value, kind, **how)
    assert got == wanted and type(got) is type(wanted)
    assert not isinstance(wanted, list) or list(map(type, got)) == list(map(type, wanted))


@pytest.mark.parametrize(
    ("value", "kind", "how", "message"),
    [
        ("3;4", [float], {}, "one or more numbers: it = [3, 4.5], or of papermill: -p it"),
        (4.5, [float], {}, 'of papermill: -p it "[3, 4.5]"'),
        (4.5, [float], {}, "it is 4.5, expected a list of one or more numbers"),
        ("4.5", [float], {}, "it is '4.5', expected a list of one or more numbers"),
        ([], [float], {}, "it is [], expected a list of one or more numbers"),
        ("[]", [str], {}, "it is '[]', expected a list of one or more words"),
        (None, [int], {}, "it is None, expected a list of one or more whole numbers"),
        ({"a": 1}, [str], {}, "it is {'a': 1}, expected a list of one or more words"),
        ("[1, x]", [float], {}, "it is '[1, x]', expected a list of one or more numbers"),
        ([1, -1], [float], {"least": 0}, "it is [1, -1], expected a list of one or more numbers, 0 or more"),
        ("[[8, 9]]", [float], {}, "it is '[[8, 9]]', expected a list of one or more numbers:"),
        ([[]], [float], {"groups": True}, "it is [[]], expected a list of one or more numbers (or groups of them)"),
        ([1, [-2]], [float], {"groups": True, "least": 0}, "numbers, 0 or more (or groups of them)"),
        (float("nan"), float, {}, "it is nan, expected a number"),
        ("many", int, {"least": 1}, "expected a whole number, 1 or more: it = 10, or of papermill: -p it"),
        (0, int, {"least": 1}, "it is 0, expected a whole number, 1 or more"),
        (2.5, int, {}, "it is 2.5, expected a whole number"),
        (True, int, {}, "it is True, expected a whole number"),
        (None, str, {}, "it is None, expected text"),
        ("", str, {}, "it is '', expected text"),
        ("moon", str, {"among": ("raw", "native")}, "it is 'moon', expected text, of 'raw', 'native': it = 'raw'"),
        ("5", [str], {"example": ["S01"]}, "it = ['S01'], or of papermill: -p it \"['S01']\""),
    ],
)
def test_what_cannot_be_is_said(value, kind, how, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        checked("it", value, kind, **how)
