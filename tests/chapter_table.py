"""Print what a reader meets in each chapter's code, and how it was at an older commit.

``python tests/chapter_table.py [COMMIT]`` prints a row a chapter: lines of code, the share of them that is hidden, the
longest hidden cell, the longest shown cell and line, comprehensions (and nested ones), different assigned names, and
the data that it opens by default.
With a commit, each column is "before > now"; a chapter that got another number is found by its name.
"""

import argparse
import ast
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import jupytext

ROOT = Path(__file__).resolve().parents[1]
HIDDEN = {"hide-input", "remove-input", "hide-cell", "remove-cell"}
COMPREHENSIONS = (ast.ListComp, ast.DictComp, ast.SetComp, ast.GeneratorExp)


@dataclass(frozen=True)
class Code:
    """Counts of a chapter's code cells, without the one of parameters.

    Attributes
    ----------
    lines, hidden : int
        Lines of code that are neither blank nor comments, and those of them in hidden cells.
    longest_hidden : int
        Lines of the longest hidden cell.
    longest_cell, longest_line : int
        Lines of the longest shown cell, characters of the longest shown line.
    comprehensions, nested : int
        All, and those within another one.
    names : int
        Different names that are assigned to.
    data : str
        Default of the parameter ``dataset``, a dash where the page opens none.
    """

    lines: int
    hidden: int
    longest_hidden: int
    longest_cell: int
    longest_line: int
    comprehensions: int
    nested: int
    names: int
    data: str

    @property
    def hidden_share(self) -> float:
        """Return the share of lines that is hidden."""
        return self.hidden / max(self.lines, 1)


def measure(text: str) -> Code:
    """Return the counts of a chapter's source."""
    cells = [cell for cell in jupytext.reads(text, fmt="md:myst").cells if cell.cell_type == "code"]
    parameters = [cell.source for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    cells = [cell for cell in cells if "parameters" not in cell.metadata.get("tags", [])]
    shown, hidden = [], []
    for cell in cells:
        (hidden if HIDDEN & set(cell.metadata.get("tags", [])) else shown).append(cell.source)
    trees = [ast.parse(re.sub(r"^[!%]", "# ", source, flags=re.MULTILINE)) for source in (*shown, *hidden)]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    comprehensions = [node for node in nodes if isinstance(node, COMPREHENSIONS)]
    assigned = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return Code(
        lines=sum(map(_n_lines, shown)) + sum(map(_n_lines, hidden)),
        hidden=sum(map(_n_lines, hidden)),
        longest_hidden=max(map(_n_lines, hidden), default=0),
        longest_cell=max((len(source.split("\n")) for source in shown), default=0),
        longest_line=max((len(line) for source in shown for line in source.split("\n")), default=0),
        comprehensions=len(comprehensions),
        nested=sum(_is_nested(node) for node in comprehensions),
        names=len(assigned),
        data=_default_data(parameters),
    )


def _default_data(parameters: list[str]) -> str:
    """Return the data set that a chapter's parameters name: one word; a page that opens none says so in a sentence."""
    named = re.search(r'^dataset = "([^"]*)"', "\n".join(parameters), re.MULTILINE)
    return named[1] if named and " " not in named[1] else "–"


def _n_lines(source: str) -> int:
    return sum(bool(line.strip()) and not line.lstrip().startswith("#") for line in source.split("\n"))


def _is_nested(node: ast.AST) -> bool:
    """Return whether a comprehension holds another one, or loops twice itself."""
    inner = [other for other in ast.walk(node) if other is not node and isinstance(other, COMPREHENSIONS)]
    return bool(inner) or len(node.generators) > 1


def chapters(commit: str | None = None) -> dict[str, str]:
    """Return the source of each chapter by its name, of the working tree or of a commit."""
    if commit is None:
        return {path.stem: path.read_text(encoding="utf-8") for path in sorted((ROOT / "notebooks").glob("*.md"))}
    listed = _git("ls-tree", "--name-only", commit, "notebooks/").split()
    return {Path(name).stem: _git("show", f"{commit}:{name}") for name in listed if name.endswith(".md")}


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"git {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def former(name: str, before: dict[str, str]) -> str | None:
    """Return the name that a chapter had, None if it is new."""
    return next((old for old in before if old[3:] == name[3:]), None)


def table(now: dict[str, Code], before: dict[str, Code | None]) -> str:
    """Return the rows as text."""
    columns = {
        "lines": lambda code: f"{code.lines}",
        "hidden": lambda code: f"{code.hidden_share:.0%}",
        "longest hidden cell": lambda code: f"{code.longest_hidden}",
        "longest cell": lambda code: f"{code.longest_cell}",
        "longest line": lambda code: f"{code.longest_line}",
        "comprehensions": lambda code: f"{code.comprehensions} ({code.nested})",
        "names": lambda code: f"{code.names}",
        "data": lambda code: code.data,
    }
    rows = [["chapter", *columns]]
    for name, code in now.items():
        old = before.get(name)
        cells = [f"{show(old)} > {show(code)}" if old else show(code) for show in columns.values()]
        rows.append([name, *cells])
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def main() -> None:
    """Print the table of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit", nargs="?", help="an older commit to compare with")
    commit = parser.parse_args().commit
    sources = chapters()
    old = chapters(commit) if commit else {}
    before = {name: former(name, old) for name in sources}
    counted = {name: measure(old[was]) if was else None for name, was in before.items()}
    print(table({name: measure(text) for name, text in sources.items()}, counted))
    print("\ncomprehensions (in parentheses: nested); lines without blanks and comments, and without the parameters")


if __name__ == "__main__":
    main()
