"""What errors, warnings and reports advise to run is a command that runs: each is parsed as its program parses it."""

import ast
import functools
import re
import shlex
import tomllib
from pathlib import Path

import pytest
from huggingface_hub.cli.hf import app
from naturalistic import cli
from naturalistic.datasets import movie_bold, narrative_movie
from naturalistic.datasets.fetch import plan_of
from naturalistic.datasets.openneuro import download_plan

ROOT = Path(__file__).resolve().parents[2]
LIBRARY, SIMULATION = ROOT / "lib" / "naturalistic", ROOT / "lib" / "naturalistic_simulation"
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
# what stands for a value that a message is filled with; every other one is a path
VALUES = {
    "kind": "music", "train": "mini-ssl", "subset": "small", "split": "Test", "options": " --epochs 3", "seed": "0",
    "extra": "generate", "part": "atlas", "parts": "rois",
}  # fmt: skip
SUBJECTS = {"ds003720": "001", "ds005531": "S01", "ds005165": "01", "studyforrest": "01"}
NAMED = {"fetch": "ds003720", "train": "mini-ssl"}  # what {name} is
# a command stands alone, in parentheses, in quotes or at the end of a sentence
OURS = re.compile(r"naturalistic (?:fetch|simulate|train|doctor)\b(?:'[^']*'|[^()`;:\n'])*")
MAKES = re.compile(r"(?:\(|`|or |run |: )make ([a-z-]+)(?=[)`,; ]|$)")
HUBS = re.compile(r"`(hf [^`]*)`")
PIPS = re.compile(r"pip install ((?:-e )?(?:\"[^\"]*\"|'[^']*'|\S+))")
PROSE = {
    "them", "it", "of", "a", "the", "room", "music", "minutes", "what", "folds", "one", "windows", "small", "big", "is",
}  # fmt: skip


def filled(node):
    """Return a literal as its reader sees it, with something in the place of each value."""
    if isinstance(node, ast.Constant):
        return node.value
    text = ""
    for part in node.values:
        if isinstance(part, ast.Constant):
            text += part.value
            continue
        text += f"\0{ast.unparse(part.value).encode().hex()}\0"  # without brackets or quotes of its own
    return text


@functools.cache
def texts():
    """Return all of them, when a test first needs them: to read the library takes a second in each process."""
    return list(literals())


def literals():
    """Yield the file and line of each string of the library, and the string."""
    for path in sorted([*LIBRARY.rglob("*.py"), *SIMULATION.rglob("*.py")]):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        inside = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in nodes:
            is_text = isinstance(node, ast.JoinedStr) or isinstance(getattr(node, "value", None), str)
            if is_text and isinstance(node, (ast.JoinedStr, ast.Constant)) and id(node) not in inside:
                text = re.sub(r"\s*\n\s*", " ", filled(node)) if isinstance(node, ast.Constant) else filled(node)
                yield f"{path.relative_to(LIBRARY.parent)}:{node.lineno}", text


def with_values(text, value):
    """Return a text with ``value(source)`` in the place of each ``{source}``."""
    return re.sub(r"\0([0-9a-f]*)\0", lambda match: value(bytes.fromhex(match[1]).decode()), text)


def value_of(command, source):
    """Return what stands for ``{source}`` in a command."""
    if source == "name":
        return NAMED[command.split()[1]]
    if "subject" in source or source == "path.parent.name.removeprefix('sub-')":
        return next((SUBJECTS[name] for name in SUBJECTS if name in command), SUBJECTS["ds003720"])
    return VALUES.get(source, "/a/folder")


def commands():
    """Yield where each command of ours is advised, and its words."""
    for place, text in texts():
        if place.startswith("naturalistic/cli.py"):  # its examples are tested below
            continue
        for found in OURS.finditer(text):
            command = re.split(r"``|\. |, (?!\0)| \(", found[0])[0].rstrip("., ")
            if command in ("naturalistic simulate", "naturalistic train"):
                continue  # the name of a command, in a docstring
            yield place, with_values(command, functools.partial(value_of, command))


def test_every_advised_command_of_ours_parses():
    for place, command in commands():
        check_command(f"{place} {command}", shlex.split(command.replace("{to}", "/a/folder"))[1:])


def check_command(where, words):
    assert not [word for word in words if word.endswith("...")], where
    try:
        given = cli._parser().parse_args(words)
    except SystemExit as end:
        assert end.code == 0 and words[-1] == "--help", where
        return
    if words[:2] == ["fetch", "studyforrest"]:  # all subjects by default
        assert plan_of(given.name, subjects=cli._subjects(given.name, given.subjects), parts=given.parts).files, where
    elif "subjects" in vars(given) and words[0] == "fetch":
        assert given.subjects, f"{where}: whose scans is not said, which is refused"
        runs = None if given.runs is None else [run for run in given.runs if run != "..."]
        assert download_plan(given.name, subjects=given.subjects, runs=runs, parts=given.parts).files, where


def test_commands_are_found():
    """Or the test above would say nothing."""
    found = " ".join(command for _, command in commands())
    for words in ("fetch ds003720", "fetch ds005531", "fetch gtzan", "fetch fma", "simulate music",
                  "train mini-ssl", "train mini-generator", "doctor --gpu"):  # fmt: skip
        assert f"naturalistic {words}" in found


@pytest.mark.parametrize("name", [*cli.FETCHABLE, *cli.SIMULATED, *cli.TRAINABLE])
def test_the_examples_of_the_command_line_parse(name, capsys):
    command = next(c for c, of in (("fetch", cli.FETCHABLE), ("simulate", cli.SIMULATED), ("train", cli.TRAINABLE))
                   if name in of)  # fmt: skip
    with pytest.raises(SystemExit):
        cli.main([command, name, "--help"])
    example = re.search(r"^ +naturalistic (.+)$", capsys.readouterr().out, re.MULTILINE)[1]
    assert cli._parser().parse_args(shlex.split(example)).name == name if command != "simulate" else True
    cli._parser().parse_args(shlex.split(example))


def test_every_target_of_make_is_there():
    advised = {target: place for place, text in texts() for target in MAKES.findall(text)}
    assert {"book", "bench"} <= set(advised)
    assert {t: place for t, place in advised.items() if t not in TARGETS | PROSE} == {}


def test_every_extra_is_declared_and_quoted():
    """Without quotes, zsh takes brackets for a pattern."""
    advised = [(place, found) for place, text in texts() for found in PIPS.findall(text)]
    assert len(advised) >= 4
    for place, found in advised:
        if "[" not in found:
            continue
        found = with_values(found, VALUES.get)
        assert found.removeprefix("-e ")[0] in "'\"", f"{place}: {found}"
        extras = re.search(r"\[(.*)\]", found)[1].split(",")
        assert set(extras) <= set(EXTRAS), f"{place}: {found}"


def test_every_command_of_the_hub_parses():
    advised = sorted({found for _, text in texts() for found in HUBS.findall(text)})
    assert any("auth login" in command for command in advised) and any("download" in c for c in advised)
    for command in advised:
        words = shlex.split(with_values(command, lambda source: "some/one"))[1:]
        parser, context = app, app.make_context("hf", list(words))
        while hasattr(parser, "resolve_command"):
            first, parser, rest = parser.resolve_command(context, [*context._protected_args, *context.args])
            context = parser.make_context(first, rest, parent=context)


def test_messages_name_no_program_that_is_not_checked():
    """A new kind of command in a message has to be added to this file."""
    known = {"dask", "hf", "git", "naturalistic", "make", "pip", "papermill", "jupyter-book"}
    for place, text in texts():
        for found in re.findall(r"(?<!`)`([a-z][a-z-]+) [a-z-][^`=()]*`(?!`)", text):
            assert found in known, f"{place}: {found}"


# --- as they stand in errors that were raised ----------------------------------------------------------------------


def advice_of(error):
    return re.search(r"\((naturalistic (?:'[^']*'|[^)'])*)\)", str(error))[1]


@pytest.fixture
def film(tmp_path):
    """A folder of the film experiment, with a blank in its name, that has one run's annotation of two."""
    folder = tmp_path / "my films"
    texts = folder / "derivatives" / "annotation"
    texts.mkdir(parents=True)
    (texts / "suits_run-01_story_each1sec.txt").write_text("[0] a\n" * 754)
    (texts / "suits_run-02_objectiveAnnot50chara_each1sec.txt").write_text("x")
    return folder


RAISE = {
    "annotations": lambda film: narrative_movie.load(film).annotations("Story"),
    "voxels": lambda film: movie_bold.read_mask(movie_bold.mask_path(film, "S02")),
}


@pytest.mark.parametrize("name", RAISE)
def test_the_advice_of_an_error_runs(film, tmp_path, monkeypatch, capsys, name):
    monkeypatch.setenv("NATURALISTIC_CACHE", str(tmp_path / "my cache"))
    with pytest.raises(FileNotFoundError) as error:
        RAISE[name](film)
    words = shlex.split(advice_of(error.value))[1:]
    given = cli._parser().parse_args(words)
    assert words[0] == "fetch" and Path(given.to) == film
    assert cli.main([*words, "--dry-run"]) == 0
    assert "nothing was fetched (dry run)" in capsys.readouterr().out
