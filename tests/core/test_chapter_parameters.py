"""All parameters of a chapter as papermill passes them: what it cannot use stops in its first cell."""

import ast
import os
import subprocess
import sys
import types
from functools import cache
from pathlib import Path

import jupytext
import nbformat
import pytest
from naturalistic import chapter_parameters
from naturalistic.chapter_parameters import check_chapter, check_names

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Work in a folder that holds data in folders with blanks and commas in their names."""
    for name in ("data/ds003720", "data/my music, part 2", "None of it"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "captions.csv").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("dataset", "simulated", "simulated"),
        ("dataset", "data/ds003720", "data/ds003720"),
        ("dataset", "data/my music, part 2", "data/my music, part 2"),
        ("dataset", Path("data/ds003720"), "data/ds003720"),
        ("dataset", "miniature", "miniature"),  # the old name, of which the loader warns
        ("subjects", None, None),
        ("subjects", "None", None),
        ("subjects", "null", None),
        ("subjects", "[1, 3]", ["1", "3"]),
        ("subjects", [1, 3], ["1", "3"]),
        ("captions", "captions.csv", "captions.csv"),
        ("captions", "", None),
        ("atlas", "captions.csv", "captions.csv"),
        ("atlas", "[captions.csv, data/ds003720]", ["captions.csv", "data/ds003720"]),
        ("atlas", ["captions.csv", "None of it"], ["captions.csv", "None of it"]),
        ("models", "['C:\\models\\new', clap]", None),
        ("models", r"['C:\models\new', 'clap']", [r"C:\models\new", "clap"]),
        ("delays", "[[4, 5, 6]]", [(4, 5, 6)]),
        ("n_permutations", "200", 200),
        ("n_of_anything", 3.0, 3),
        ("query", "a sad, slow piano", "a sad, slow piano"),
        ("layers", {"Speech": 5}, {"Speech": 5}),
        ("device", "cpu", "cpu"),
        ("of_a_chapter_to_come", object, object),
    ],
)
def test_what_papermill_passes_becomes_a_value(folders, name, value, wanted):
    if name == "models" and wanted is None:  # words without quotes and with: neither Python nor a list of words
        wanted = ["C:\\models\\new", "clap"]
    assert getattr(check_chapter(**{name: value}), name) == wanted


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "dataset",
            None,
            "dataset is None, and has to be given: dataset = 'simulated', or of papermill: -p dataset \"",
        ),
        ("dataset", "None", "dataset is 'None', and has to be given"),
        ("dataset", True, "dataset is True, expected the path of a file or folder"),
        ("dataset", 3720, "dataset is 3720, expected the path"),
        ("dataset", "simulatd", "nothing is there in .*, where this runs; known by name: .* did you mean 'simulated'?"),
        ("dataset", "data/ds003721", "did you mean 'data/ds003720'?"),
        ("dataset", "data/my music", "dataset is 'data/my music', and nothing is there"),
        ("dataset", "data/ds003720 ", "it begins or ends with a blank"),
        ("dataset", "'data/ds003720'", "quotes within quotes: dataset = 'simulated'"),
        ("dataset", "[data/ds003720, data/ds005531]", "expected one path, this is the text of a list"),
        ("dataset", r"C:\data\new", r"as under Windows; inside WSL, C:\\data is /mnt/c/data"),
        ("dataset", "D:/data", "as under Windows"),
        ("dataset", r"data\ds003720", "as under Windows"),
        ("audio", "/nowhere/at/all", "audio is '/nowhere/at/all', and nothing is there$"),
        ("atlas", "[captions.csv, captions.cvs]", "atlas is 'captions.cvs', .* did you mean 'captions.csv'?"),
        ("subjects", 1, "expected a list of one or more words: subjects = .'1', '3'., or of papermill: -p subjects"),
        ("subjects", "S01,S02", "subjects is 'S01,S02', expected a list"),
        ("subjects", "[]", "expected a list of one or more"),
        ("subjects", "[1, 3", "expected a list of one or more"),
        ("space", "natve", "of 'raw', 'native', 'mni', 'fsaverage5': .*; did you mean 'native'?"),
        ("delays", "3, 4.5", "expected a list of one or more numbers"),
        ("delays", "None", "delays is 'None', and has to be given"),
        ("n_permutations", "many", "expected a whole number, 1 or more"),
        ("n_components", 0, "n_components is 0, expected a whole number, 1 or more"),
        ("seed", -1, "seed is -1, expected a whole number, 0 or more"),
        ("seed", "None", "seed is 'None', and has to be given: seed = 10"),
        ("window", 2.5, "window is 2.5, expected a whole number"),
        ("language_model", ["minilm"], "language_model is ..minilm.., expected text: language_model = 'minilm'"),
        ("layers", "{Speech: 5}", r'expected a mapping; of papermill: -y "layers: {Speech: 5}"'),
        ("device", "cuad", "device is 'cuad', expected 'cpu' or 'cuda'; did you mean 'cuda'?"),
        ("device", "gpu 1", "device is 'gpu 1', expected 'cpu' or 'cuda'"),
    ],
)
def test_what_cannot_be_names_the_way_out(folders, name, value, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        check_chapter(**{name: value})


def test_a_gpu_that_is_not_there(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match=r"device is 'cuda:1', but torch .* sees no GPU: pass device='cpu'"):
        check_chapter(device="cuda:1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert check_chapter(device="cuda").device == "cuda"


def test_a_folder_that_cannot_be_listed(folders):
    """No neighbor is proposed, and the error is that of the path."""
    with pytest.raises(FileNotFoundError, match="audio is 'no/such/folder', and nothing is there in"):
        check_chapter(audio="no/such/folder")


def test_a_wrong_name_is_answered_by_the_nearest():
    with pytest.raises(
        ValueError, match=r"no parameter is called 'n_permutation'; .*\. Did you mean 'n_permutations'\?"
    ):
        check_names(["seed", "n_permutation"], ["n_permutations", "seed"])
    with pytest.raises(ValueError, match=r"no parameter is called 'moon'; there are seed\.$"):
        check_names(["moon"], ["seed"])
    check_names([], ["seed"])


def test_names_that_papermill_set(monkeypatch):
    cells = ["", "seed = 1", "# Parameters\nseed = 2\nsubjcts = [1, 3]\n", "from x import y"]
    shell = types.SimpleNamespace(user_ns={"In": cells})
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    assert chapter_parameters.injected_names() == ["seed", "subjcts"]
    with pytest.raises(ValueError, match=r"no parameter is called 'subjcts'; .* Did you mean 'subjects'\?"):
        check_chapter(seed=2, subjects=None)
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: None))
    assert chapter_parameters.injected_names() == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-p", "subjcts", "[1]"], "Did you mean 'subjects'?"),
        (["-y", "subjects: S01"], "expected a list of one or more words"),
        (["-y", "{dataset: 'my data, all', subjects: None}"], "dataset is 'my data, all', and nothing is there"),
        (["-f", "given.yaml"], "as under Windows"),
        (["-p", "subjects", "[1, 3]", "-p", "seed", "2"], None),
    ],
)
def test_papermill_stops_in_the_first_cell(tmp_path, options, message):
    """By the command, as a reader types it."""
    first = 'dataset = "simulated"\nsubjects = None\nseed = 1'
    check = "from naturalistic.chapter_parameters import check_chapter\n"
    check += "chosen = check_chapter(dataset=dataset, subjects=subjects, seed=seed)\nprint(chosen)"
    cells = [nbformat.v4.new_code_cell(first, metadata={"tags": ["parameters"]})]
    cells += [nbformat.v4.new_code_cell(text) for text in (check, "print('work begins')")]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), tmp_path / "in.ipynb")
    (tmp_path / "given.yaml").write_text("dataset: 'C:\\data\\new'\n")
    command = [sys.executable, "-m", "papermill", "in.ipynb", "out.ipynb", "--no-progress-bar", *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "lib")}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    printed = str([cell.get("outputs") for cell in nbformat.read(tmp_path / "out.ipynb", 4).cells])
    assert (done.returncode == 0) == (message is None) == ("work begins" in printed), done.stderr
    assert (message or "subjects=['1', '3'], seed=2") in done.stderr + printed


CHAPTERS = sorted((ROOT / "notebooks").glob("*.md"))
UNCHECKED = {"00-overview", "91-results", "92-benchmarks"}  # they open no data


@cache
def first_cells(source):
    """Return the code of a chapter's cell of parameters and of the one after it."""
    cells = [cell.source for cell in jupytext.read(source).cells if cell.cell_type == "code"]
    return cells[0], cells[1]


def stored(code):
    """Return the names that a cell assigns to."""
    nodes = ast.walk(ast.parse(code))
    return [node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]


def passed_on(code):
    """Return the names that a cell hands to `check_chapter`."""
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    called = [call for call in calls if ast.unparse(call.func) == "check_chapter"]
    return [keyword.arg for call in called for keyword in call.keywords]


def checks(source):
    return "check_chapter" in first_cells(source)[1]


def test_every_chapter_that_opens_data_checks_its_parameters():
    assert {source.stem for source in CHAPTERS if not checks(source)} <= UNCHECKED


WIRED = pytest.mark.parametrize("source", [*filter(checks, CHAPTERS)], ids=lambda path: path.stem)


@WIRED
def test_a_chapter_that_checks_its_parameters_checks_all_of_them(source):
    parameters, check = first_cells(source)
    assert sorted(passed_on(check)) == sorted(stored(parameters))
    unruled = [name for name in passed_on(check) if name not in chapter_parameters.RULES and not name.startswith("n_")]
    assert unruled == [], "write a rule for it"


def first_two(source, **given):
    """Run a chapter's first two cells in this process, between them what papermill injects; return the names."""
    parameters, check = first_cells(source)
    names = {}
    exec(parameters, names)
    names |= given
    exec(check, names)
    return names


SLIPS = {
    int: ("many", None, 0.5, True),
    float: ("long", None, -1),
    str: (None, "None", ["one"]),
    Path: (None, "simulatd", "my data, all", " simulated", r"C:\data\new", "[a, b]", 3720),
}
SLIPS_OF_A_LIST = ("[1, 3", "S01,S02", "[]", 7)


@WIRED
def test_each_slip_stops_a_chapter_in_its_first_cell(source, folders):
    for name in stored(first_cells(source)[0]):
        rule = chapter_parameters.RULES.get(name, chapter_parameters.Rule(int))
        slips = SLIPS_OF_A_LIST if isinstance(rule.kind, list) else SLIPS.get(rule.kind, ("{Speech: 5",))
        for slip in slips:
            if (rule.optional and slip in (None, "None")) or (slip == -1 and rule.least is None):
                continue
            with pytest.raises((ValueError, FileNotFoundError), match=f"^{name} is "):
                first_two(source, **{name: slip})


@WIRED
def test_a_name_that_a_chapter_does_not_know_stops_it(source, monkeypatch):
    shell = types.SimpleNamespace(user_ns={"In": ["# Parameters\nsubjcts = [1, 3]\n"]})
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    with pytest.raises(ValueError, match=r"called 'subjcts'; .* Did you mean 'subjects'\?"):
        first_two(source)


@WIRED
def test_the_text_of_a_value_is_that_value_from_the_first_cell_on(source):
    """As papermill -p hands a list over, -y a None."""
    names = first_two(source, subjects="[1, 3]", seed="7")
    assert names["subjects"] == ["1", "3"] and names["seed"] == 7
    assert first_two(source, subjects="None")["subjects"] is None
    for name in set(stored(first_cells(source)[0])) & {"delays", "sweep", "contexts"}:
        assert first_two(source, **{name: "[2, 4]"})[name] == [2, 4]
