"""The repository keeps its own rules: pairs, pins, layers, no outputs, no machine in it."""

import ast
import functools
import importlib
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import jupytext
import nbformat
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = sorted((ROOT / "notebooks").glob("*.md"))
PAGES = ("00", "91", "92")  # of notebooks that only read what others found
ANSWERS = ":::{admonition} Answers\n"
LIBRARY, SIMULATION = ROOT / "lib" / "naturalistic", ROOT / "lib" / "naturalistic_simulation"
MEETING = "simulated.py"  # the one module of the library that knows the simulation, by its name
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# from low to high; a module imports from its own layer or a lower one
LAYERS = [
    {
        "arrays",
        "runs",
        "cache",
        "chapter_parameters",
        "cluster",
        "hub",
        "intact",
        "parameters",
        "pickles",
        "renamed",
        "simulated",
        "text_files",
        "units",
    },
    {"models"},
    {"datasets"},
    {"anatomy"},
    {"inference", "preprocessing", "features"},
    {"generation"},
    {"encoding"},
    {"decoding"},
    {"plotting", "reporting"},
    {"chapters", "doctor"},
    {"cli", "__main__"},
]


def modules():
    return [*LIBRARY.rglob("*.py"), *SIMULATION.rglob("*.py")]


@functools.cache
def parsed(path):
    """Return a module and all its statements, once for all tests: imports and definitions are nothing else."""
    return list(statements(ast.parse(path.read_text(encoding="utf-8"))))


def statements(node):
    """Yield a module and its statements, those inside of others too."""
    yield node
    for name in ("body", "orelse", "handlers", "finalbody", "cases"):
        for inside in getattr(node, name, []):
            yield from statements(inside)


def tracked():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.splitlines() if (ROOT / name).is_file()]


def name_of(requirement):
    return re.match(r"[A-Za-z0-9._-]+", requirement)[0].lower().replace("_", "-")


@pytest.mark.parametrize("source", CHAPTERS, ids=lambda p: p.stem)
def test_each_chapter_has_its_pair(source):
    """If this fails: make pairs."""
    text, pair = jupytext.read(source), nbformat.read(source.with_suffix(".ipynb"), 4)

    def content(notebook):
        keep = ("tags", "mystnb")
        return [(c.cell_type, c.source, {k: c.metadata[k] for k in keep if k in c.metadata}) for c in notebook.cells]

    assert content(text) == content(pair)
    assert all(not c.get("outputs") and c.get("execution_count") is None for c in pair.cells if c.cell_type == "code")


def test_no_notebook_without_a_source():
    assert {p.stem for p in (ROOT / "notebooks").glob("*.ipynb")} == {p.stem for p in CHAPTERS}


@pytest.mark.parametrize("source", CHAPTERS, ids=lambda p: p.stem)
def test_chapters_are_short_and_can_be_parametrised(source):
    cells = [c for c in jupytext.read(source).cells if c.cell_type == "code"]
    assert "parameters" in cells[0].metadata.get("tags", [])
    parameters = {n.id for n in ast.walk(ast.parse(cells[0].source)) if isinstance(n, ast.Name)}
    assert {"dataset", "subjects", "device", "seed"} <= parameters
    shown = [c for c in cells if "hide-input" not in c.metadata.get("tags", [])]
    assert max((len(c.source.split("\n")) for c in shown[1:]), default=0) <= 20
    assert len(cells[0].source.split("\n")) <= 20  # one line a parameter
    assert max(len(line) for c in shown for line in c.source.split("\n")) <= 105


@pytest.mark.parametrize("source", [p for p in CHAPTERS if not p.stem.startswith(PAGES)], ids=lambda p: p.stem)
def test_each_chapter_prints_the_command_that_runs_it(source):
    """With parameters that it has."""
    text, cell = source.read_text(encoding="utf-8"), jupytext.read(source).cells
    first = next(c.source for c in cell if c.cell_type == "code")
    known = {n.id for n in ast.walk(ast.parse(first)) if isinstance(n, ast.Name)}
    commands = re.findall(r"^papermill ((?:.*\\\n)*.*)$", text, re.MULTILINE)
    assert commands
    for command in commands:
        words = shlex.split(command.replace("\\\n", " "), comments=True)
        assert words[:2] == [f"notebooks/{source.stem}.ipynb", "out.ipynb"]
        given = {words[k + 1].split(":")[0] for k, word in enumerate(words) if word in ("-p", "-y")}
        assert given and given <= known


@pytest.mark.parametrize("source", [p for p in CHAPTERS if not p.stem.startswith(PAGES)], ids=lambda p: p.stem)
def test_each_exercise_has_an_answer(source):
    """Their code is run behind the chapters, by tests/project/test_notebooks*.py."""
    exercises, _, answers = source.read_text(encoding="utf-8").partition("## Exercises")[2].partition(ANSWERS)
    asked = re.findall(r"^(\d+)\. ", exercises, re.MULTILINE)
    assert asked and re.findall(r"^(\d+)\. ", answers.partition("\n:::\n")[0], re.MULTILINE) == asked


@pytest.mark.parametrize("source", CHAPTERS, ids=lambda p: p.stem)
def test_every_figure_title_can_say_that_the_data_are_simulated(source):
    for cell in jupytext.read(source).cells:
        if cell.cell_type == "code" and re.search(r"plotting\.(?!set_style)", cell.source):
            assert ".title(" in cell.source or "imulated" in cell.source, cell.source


def test_environment_points_to_the_one_list():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert environment["dependencies"] == ["python=3.11", "pip", {"pip": ["-c constraints.txt", "-e .[book,test]"]}]


def test_every_dependency_is_pinned():
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and line[0] != "#"]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line) for line in lines)
    pinned = {name_of(line): line.split("==")[1] for line in lines}
    extras = PROJECT["optional-dependencies"]
    wanted = [*PROJECT["dependencies"], *extras["book"], *extras["test"]]
    wanted.remove("naturalistic[book,cluster,video]")  # the tests build pages, start workers and read films
    wanted += [*extras["cluster"], *extras["video"]]
    assert [w for w in wanted if name_of(w) not in pinned] == []
    for requirement in wanted:
        if "==" in requirement:
            assert requirement.split("==")[1] == pinned[name_of(requirement)]
    assert pinned["torch"] == "2.13.0" and pinned["jupyter-book"] == "1.0.4.post1"


def test_every_import_is_declared():
    """A package that only comes along with another one is not ours to import, one of an extra only where it is used."""
    import sys

    named = {"sklearn": "scikit-learn", "yaml": "pyyaml", "PIL": "pillow", "moten": "pymoten"}
    declared = {name_of(r) for r in PROJECT["dependencies"]} | {"naturalistic", "naturalistic-simulation"}
    extras = PROJECT["optional-dependencies"]
    optional = {name_of(r.partition("[")[0]) for name, rs in extras.items() if name != "test" for r in rs}
    missing = {}
    for path in modules():
        lines = {node.lineno for node in parsed(path)[0].body}  # at the top
        for node in parsed(path):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module]
            known = declared if getattr(node, "lineno", 0) in lines else declared | optional
            for top in {n.split(".")[0] for n in names} - sys.stdlib_module_names:
                if name_of(named.get(top, top)) not in known:
                    missing.setdefault(top, path.name)
    assert missing == {}


def layer_of(module):
    return next((k for k, layer in enumerate(LAYERS) if module in layer), None)


def test_lower_layers_never_import_higher_ones():
    for path in LIBRARY.rglob("*.py"):
        own = path.relative_to(LIBRARY).parts[0].removesuffix(".py")
        if own == "__init__":
            continue
        assert layer_of(own) is not None, f"{path.name} is in no layer"
        for node in parsed(path):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "naturalistic":
                parts = node.module.split(".")[1:] or [a.name for a in node.names]
                assert layer_of(parts[0]) <= layer_of(own), f"{path.relative_to(LIBRARY)} imports {parts[0]}"


def test_the_library_knows_the_simulation_in_one_place_by_name():
    """Both are installed together, and the library works without the second."""
    assert (LIBRARY / MEETING).is_file()
    for path in LIBRARY.rglob("*.py"):
        if path.name not in (MEETING, "renamed.py"):  # the second imports nothing
            assert SIMULATION.name not in path.read_text(encoding="utf-8"), path.relative_to(LIBRARY)
    nodes = list(ast.walk(ast.parse((LIBRARY / MEETING).read_text(encoding="utf-8"))))
    imported = [n for n in nodes if isinstance(n, (ast.Import, ast.ImportFrom)) and SIMULATION.name in ast.dump(n)]
    assert imported == [], "it is imported when it is asked for"
    assert sum(getattr(n, "attr", None) == "import_module" for n in nodes) == 1


def test_nothing_of_a_machine_in_the_repository():
    private = re.compile(r"(?<![\w.])/(?:work|root|home|Users|tmp|opt)/\w+")
    for path in tracked():
        if path.suffix in {".py", ".md", ".yml", ".toml", ".txt", ".ipynb", ".css", ".bib", ""}:
            found = private.search(path.read_text(encoding="utf-8"))
            assert not found, f"{path.relative_to(ROOT)}: {found[0]}"


def test_only_the_designed_things_stand_at_the_top():
    allowed = {"book", "notebooks", "lib", "tests", "environment.yml", "README.md", "pyproject.toml"}
    allowed |= {"constraints.txt", "Makefile", "LICENSE", "CITATION.cff", "CHANGELOG.md", "CONTRIBUTING.md"}
    top = {path.relative_to(ROOT).parts[0] for path in tracked()}
    assert {name for name in top if not name.startswith(".")} <= allowed


def test_modules_hold_one_idea():
    """500 lines at most; a limit of 250 was met by cutting one idea into four files."""
    long = {p.name: n for p in modules() if (n := len(p.read_text().splitlines())) > 500}
    assert long == {}


RETIRED_TABLE = "## Words that we do not use"
# (module, public name or "" for a summary line, word) and why it stays
RETIRED_WORDS_THAT_STAY = {
    ("download.py", "VerifiedFiles", "verified"): "files whose checksums were compared in this place",
    ("doctor.py", "places", "places"): "folders in which data are looked for, not coordinates",
    ("score_model.py", "heard", "heard"): "the notes that the network has played so far",
}


@functools.cache
def retired_words():
    """Return the words of the glossary's table, and a pattern that finds them in names and in sentences."""
    table = (ROOT / "book" / "glossary.md").read_text(encoding="utf-8").partition(RETIRED_TABLE)[2]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("|")][2:]
    words = [word.strip() for row in rows for word in row.split(",")]
    joined = "|".join(re.sub("[ -]", "[ _-]", word) for word in words)
    return words, re.compile(rf"(?<![a-z])({joined})s?(?![a-z])")


def retired_in(nodes):
    """Return (name, word) of the public names of a module, and ("", word) of the summary lines of its docstrings."""
    found, (_, pattern) = [], retired_words()
    for node in nodes:
        if isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef)):
            summary = (ast.get_docstring(node) or "").partition("\n")[0].lower()
            found += [("", match[1]) for match in pattern.finditer(summary)]
            name = getattr(node, "name", "_")
            if not name.startswith("_"):
                words = re.sub("(?<=[a-z])(?=[A-Z])", "_", name).lower()
                found += [(name, match[1]) for match in pattern.finditer(words)]
    return found


def test_public_names_and_summaries_are_the_words_of_the_field():
    found = set()
    for path in modules():
        named = "" if path.stem.startswith("_") else f"def {path.stem}(): ..."  # a module's name is public too
        nodes = [*parsed(path), *statements(ast.parse(named))]
        found |= {(path.name, *hit) for hit in retired_in(nodes)}
    assert found == set(RETIRED_WORDS_THAT_STAY)


def test_names_of_tests_are_the_words_of_the_field():
    found = set()
    for path in (ROOT / "tests").rglob("*.py"):
        found |= {(path.name, *hit) for hit in retired_in(parsed(path)) if hit[0]}
    assert found == set()


def test_retired_words_are_found():
    words, _ = retired_words()
    assert len(words) >= 25 and {"planted", "stand-in", "likeness", "judge", "asked", "heard", "rebuilt"} <= set(words)
    source = '"""Made data."""\nif True:\n    def stand_in(): ...\nclass PlantedTruth: ...\ndef homemade(): "remade"'
    assert retired_in(statements(ast.parse(source))) == [
        ("", "made"),
        ("stand_in", "stand_in"),
        ("PlantedTruth", "planted"),
    ]


def test_no_test_imports_a_test():
    """What two files of tests share is in tests/helpers."""
    for path in (ROOT / "tests").rglob("*.py"):
        for node in parsed(path):
            names = [a.name for a in node.names] if isinstance(node, (ast.Import, ast.ImportFrom)) else []
            if isinstance(node, ast.ImportFrom):
                assert not node.level, f"{path.name}: import by the whole name"
                names = [node.module, *names]
            parts = {part for name in names for part in name.split(".")}
            wrong = {part for part in parts if part == "conftest" or part.startswith("test_")}
            assert wrong == set(), f"{path.relative_to(ROOT)} imports {wrong}"


def test_docstrings_and_messages_have_no_retired_word():
    for path in LIBRARY.rglob("*.py"):
        if path.name not in ("renamed.py", MEETING):  # which know the old names of modules and data sets
            text = path.read_text(encoding="utf-8")
            assert re.findall(r"\b(miniature|stand-in|likeness|planted)\b", text, re.I) == [], path


ROLE = re.compile(r"\{py:(\w+)\}`(?:[^`<]*<)?~?([\w.]+)>?`")
PAGES_OF_TEXT = sorted([*CHAPTERS, *ROOT.glob("book/*.md"), *ROOT.glob("book/api/*.md")])


def documented_at(target):
    """Return where the reference documents what a dotted name leads to: the module that defines it."""
    parts = target.split(".")
    for k in range(len(parts), 0, -1):
        try:
            found = module = importlib.import_module(".".join(parts[:k]))
        except ModuleNotFoundError:
            continue
        for name in parts[k:]:
            found = getattr(found, name, None)
        return ".".join([getattr(found, "__module__", module.__name__), *parts[k:]])
    return None


def test_each_mention_of_a_function_leads_to_its_place_in_the_reference():
    """By another name, such as that of the package which exports it, the page shows it without a link."""
    mentions = {(page.name, target) for page in PAGES_OF_TEXT for _, target in ROLE.findall(page.read_text())}
    assert len(mentions) > 100
    assert [mention for mention in sorted(mentions) if documented_at(mention[1]) != mention[1]] == []
    assert documented_at("naturalistic.encoding.lag_profile") == "naturalistic.encoding.lags.lag_profile"
