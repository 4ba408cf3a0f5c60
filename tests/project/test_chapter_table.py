"""The table of chapters counts what it says it counts."""

from pathlib import Path

import pytest

from tests import chapter_table

ROOT = Path(__file__).resolve().parents[2]
CHAPTER = """---
jupytext:
  text_representation:
    format_name: myst
---

```{code-cell} ipython3
:tags: [parameters]

seed = 1
```

Text.

```{code-cell} ipython3
# why
import numpy as np

pairs = [[a * b for a in range(3)] for b in range(3)]
%time print(pairs)
```

```{code-cell} ipython3
:tags: [hide-input]

for k in range(3):
    print(k)
```
"""


def test_counts():
    code = chapter_table.measure(CHAPTER)
    assert (code.lines, code.hidden, code.longest_hidden) == (5, 2, 2)
    assert (code.longest_cell, code.longest_line) == (5, len("pairs = [[a * b for a in range(3)] for b in range(3)]"))
    assert (code.comprehensions, code.nested, code.names) == (2, 1, 4)
    assert code.hidden_share == 0.4
    assert code.data == "–"


@pytest.mark.parametrize(("default", "data"), [("alice", "alice"), ("as make bench had it", "–")])
def test_the_data_are_those_that_are_opened_by_default(default, data):
    assert chapter_table.measure(CHAPTER.replace("seed = 1", f'dataset = "{default}"  # or another')).data == data


def test_a_chapter_with_another_number_stands_beside_its_older_self():
    assert chapter_table.former("05-music", {"02-music": "", "05-films": ""}) == "02-music"
    assert chapter_table.former("04-real-film", {"01-first": ""}) is None
    old = chapter_table.measure(CHAPTER)
    rows = chapter_table.table({"05-music": old, "04-film": old}, {"05-music": old, "04-film": None}).splitlines()
    assert rows[1].split()[:4] == ["05-music", "5", ">", "5"] and rows[2].split()[:3] == ["04-film", "5", "40%"]


def test_every_chapter_is_counted():
    counted = {name: chapter_table.measure(text) for name, text in chapter_table.chapters().items()}
    assert set(counted) == {path.stem for path in (ROOT / "notebooks").glob("*.md")}
    assert all(code.lines > 0 for code in counted.values())


PAGES_OF_DATA = {"00-overview", "91-results"}  # they draw tables and players, and teach no code


def test_every_chapter_is_within_the_limits():
    for name, text in chapter_table.chapters().items():
        code = chapter_table.measure(text)
        assert code.longest_hidden <= 8 and code.longest_line <= 88 and code.longest_cell <= 20, name
        assert code.nested == 0, name
        assert code.hidden_share <= 0.15 or name in PAGES_OF_DATA, name
