"""Runs a chapter of the book in a test."""

import importlib
import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import jupytext
import nbformat
import pytest

from tests.helpers.kernels import Patient

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "book"))
execution = importlib.import_module("execution")
# other people's kernels and sockets may warn; features and preprocessed runs are computed once for all chapters
MARKS = [pytest.mark.slow, pytest.mark.filterwarnings("ignore"), pytest.mark.usefixtures("chapters_cache")]


def run(chapter, tmp_path, monkeypatch, expects_results=True, by_command=False, answers=False, **parameters):
    """Run a chapter in a temporary folder; return its text outputs, the number of its figures and its results.

    With ``by_command`` it is run as a reader does, ``papermill in.ipynb out.ipynb -p name value``; with ``answers`` the
    answers to its exercises are run behind its last cell.
    """
    monkeypatch.setenv("NATURALISTIC_RESULTS", str(tmp_path / "results"))
    notebook = jupytext.read(ROOT / "notebooks" / f"{chapter}.md")
    if answers:
        notebook.cells += [nbformat.v4.new_code_cell(code) for code in answers_of(notebook)]
    nbformat.write(notebook, tmp_path / "in.ipynb")
    paths = [str(tmp_path / name) for name in ("in.ipynb", f"{chapter}.ipynb")]
    if by_command:
        values = [word for name, value in parameters.items() for word in ("-p", name, str(value))]
        command = [sys.executable, "-m", "papermill", *paths, *values, "-k", "python3", "--no-progress-bar"]
        execution.patiently(lambda: finished(command))
    else:
        execution.execute(*paths, parameters, progress_bar=False, kernel_manager_class=Patient)
    done = nbformat.read(paths[1], 4)
    outputs = [o for cell in done.cells if cell.cell_type == "code" for o in cell.outputs]
    printed = "".join(o.text for o in outputs if o.output_type == "stream" and o.name == "stdout")
    n_figures = sum("image/png" in o.get("data", {}) for o in outputs)
    path = tmp_path / "results" / f"{chapter}.json"
    return printed, n_figures, json.loads(path.read_text()) if expects_results else None


def answers_of(notebook):
    """Return the code of a chapter's answers, block by block; there must be some."""
    text = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    (answers,) = re.findall(r"^:::\{admonition\} Answers\n:class: dropdown\n(.*?)^:::$", text, re.DOTALL | re.MULTILINE)
    blocks = re.findall(r"```python\n(.*?)```", answers, re.DOTALL)
    assert blocks
    return [textwrap.dedent(block) for block in blocks]


def finished(command):
    """Run a command; one that fails raises what it said last."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
