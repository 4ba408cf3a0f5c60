"""A chapter by name: its parameters are checked first, and with workers each subject is a job before all are."""

import json

import nbformat
import pytest
from naturalistic import chapters
from naturalistic.cache import RequestError
from naturalistic.cli import main

PARAMETERS = 'dataset = "simulated"\nsubjects = None\nseed = 1\n'
CELL = """\
import json, os
from naturalistic.cluster import connect
from tests.helpers.unit_functions import moments
with connect("local") as workers:
    units = [{"x": [float(seed)], "power": int(s), "log": str(dataset)} for s in subjects or [1]]
    print(json.dumps([float(result["total"]) for result in workers.map(moments, units)]))
"""


@pytest.fixture
def book(tmp_path, monkeypatch):
    """Folder with one chapter that computes a unit for each subject."""
    folder = tmp_path / "clone" / "notebooks"
    folder.mkdir(parents=True)
    first = nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
    notebook = nbformat.v4.new_notebook(cells=[first, nbformat.v4.new_code_cell(CELL)])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, folder / "07-small.ipynb")
    monkeypatch.setenv("PYTHONPATH", f"{chapters.__file__.rsplit('/', 2)[0]}:{__file__.rsplit('/', 3)[0]}")
    return folder.parent


def printed(path):
    """Return what the chapter printed."""
    [output] = nbformat.read(path, as_version=4).cells[-1].outputs
    return json.loads(output.text)


@pytest.mark.parametrize("name", ["small", "07-small", "07"])
def test_chapters_are_found_by_name(book, name):
    assert chapters.find_chapter(name, book).name == "07-small.ipynb"


def test_chapters_of_this_clone_are_found(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    path = chapters.find_chapter("language-encoding")
    assert path.name == "12-language-encoding.ipynb"
    assert chapters.chapter_parameters(path)["dataset"] == "simulated"


def test_what_is_not_there_is_named(book, tmp_path, monkeypatch):
    with pytest.raises(RequestError, match=r"no chapter is called 'smal'; did you mean 'small'.*07-small"):
        chapters.find_chapter("smal", book)
    with pytest.raises(RequestError, match="run this in a clone of the book"):
        chapters.find_chapter("small", tmp_path / "absent")
    with pytest.raises(RequestError, match="07-small has no parameter 'sed'; did you mean 'seed'"):
        chapters.run_subjects("small", {"sed": 1}, to=tmp_path / "runs", folder=book)
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_jobs_of_subjects_leave_their_units_to_the_run_of_all(book, tmp_path, monkeypatch):
    monkeypatch.chdir(book)
    log = tmp_path / "log"
    to = tmp_path / "runs"
    arguments = ["run", "small", "--dataset", str(log), "--subjects", "1", "2", "--cluster", "dask", "--to", str(to)]
    assert main([*arguments, "-p", "seed", "3"]) == 0
    assert printed(to / "07-small-2.ipynb") == [9.0]
    assert printed(to / "07-small.ipynb") == [3.0, 9.0]
    assert sorted(log.read_text().split()) == ["1", "2"]  # the run of all computed nothing again
    assert not list(to.glob(".*"))


def test_all_subjects_are_those_of_the_folder(book, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(book)
    assert main(["run", "small", "--dataset", str(tmp_path / "empty"), "--subjects", "all"]) == 2
    assert "has no folders sub-" in capsys.readouterr().err
    for name in ("sub-02", "sub-10"):
        (tmp_path / "data" / name).mkdir(parents=True)
    asked = {}
    monkeypatch.setattr(chapters, "run_subjects", lambda name, parameters, **options: asked.update(options) or [])
    assert main(["run", "small", "--dataset", str(tmp_path / "data"), "--subjects", "all"]) == 0
    assert asked["subjects"] == ["02", "10"]
