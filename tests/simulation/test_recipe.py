"""The hash of the code that writes simulated data is that of the code, and of nothing else."""

from naturalistic_simulation.folders import recipe_of

SOURCE = '''"""A module."""
import os


class A:
    def f(self, x: int = 0, *, y=()) -> str:
        """Return text."""
        return f"{x:.2f} {[]} {y!r}"


def g(): return {k: None for k in []}
'''


def recipe(tmp_path, text):
    path = tmp_path / "module.py"
    path.write_text(text)
    return recipe_of([path])


def test_every_python_says_the_same(tmp_path):
    """3.12 and 3.13 print trees in another way; the vectors that come with the package are found by this hash."""
    assert recipe(tmp_path, SOURCE) == "6e8d236d"


def test_only_what_changes_files_counts(tmp_path):
    same = SOURCE.replace("Return text.", "Text.").replace(": int", "").replace("import os", "import sys")
    assert recipe(tmp_path, same) == recipe(tmp_path, SOURCE)
    assert recipe(tmp_path, SOURCE.replace("x=0", "x=1").replace("= 0", "= 1")) != recipe(tmp_path, SOURCE)
