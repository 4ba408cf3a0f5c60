"""What others meet first: README, its example, the version, workflows, issue forms, and how make finds a Python."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from PIL import Image

from tests import check_package

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SUPPORTED = ["3.11", "3.12", "3.13"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
LINK = re.compile(r"\]\((?!https?:)([^)#]+)\)")
# owner/name@v1, or release/v1
PINNED = re.compile(r"[\w.-]+/[\w./-]+@(release/)?v\d+")


def test_readme_is_short_and_its_links_lead_somewhere():
    assert len(README.splitlines()) <= 120
    targets = LINK.findall(README)
    assert len(targets) >= 15
    assert [target for target in targets if not (ROOT / target).is_file()] == []


def test_readme_lists_every_chapter():
    listed = set(re.findall(r"\(notebooks/(\d\d-[a-z-]+)\.md\)", README))
    assert listed == {path.stem for path in (ROOT / "notebooks").glob("*.md")}
    for number, name in re.findall(r"^\| (\d+) \| \[([a-z-]+)\]", README, re.MULTILINE):
        assert (ROOT / "notebooks" / f"{int(number):02d}-{name}.md").is_file()


def test_readme_names_targets_of_make_and_its_picture_is_small():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z-]+)", README))
    assert {"book", "test", "doctor", "package"} <= named <= targets
    picture = ROOT / re.search(r"!\[.*?\]\((.*?)\)", README)[1]
    assert picture.stat().st_size <= 150_000
    with Image.open(picture) as opened:
        assert opened.width >= 800


@pytest.mark.slow
def test_readme_example_has_eight_lines_and_prints_a_number(tmp_path, chapters_cache):
    code = check_package.readme_example()
    assert len([line for line in code.splitlines() if line.strip()]) <= 8
    assert max(map(len, code.splitlines())) <= 100
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "lib"), "PYTHONWARNINGS": "error::UserWarning"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    assert float(re.fullmatch(r"r = (-?\d\.\d\d), mean of 6 regions\n", done.stdout)[1]) > 0.1


def test_how_to_run_starts_with_one_notebook():
    """Then papermill, then the whole book; Windows is told where to go."""
    running = (ROOT / "book" / "running.md").read_text(encoding="utf-8")
    first, second, third = (running.index(text) for text in ("jupyter lab notebooks/", "bin/papermill", "make book\n"))
    assert first < second < third
    assert "WSL" in running and "WSL" in README
    chapters = re.findall(r"notebooks/(\S+\.ipynb)", running)
    assert chapters and all((ROOT / "notebooks" / name).is_file() for name in chapters)


def test_all_files_of_the_packages_come_along():
    """A file that no pattern of package-data matches would be missing from the wheel."""
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    listed = subprocess.run(["git", "ls-files", "lib"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    left = []
    for name in listed.split():
        package, _, inside = name.removeprefix("lib/").partition("/")
        suffixes = {pattern.rpartition("*")[2] for pattern in patterns[package]}
        if not inside.endswith(".py") and inside not in suffixes and Path(inside).suffix not in suffixes:
            left.append(name)
    assert left == []


def test_spelling_of_license():
    """American, as the field's packages spell it."""
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "CITATION.cff", "book/running.md"):
        words = (ROOT / name).read_text(encoding="utf-8").replace("licences.md", "")
        assert "licence" not in words.lower(), name


def test_one_version_everywhere():
    """The installed version is the tag's; the files that cannot read it name the newest release."""
    import naturalistic
    from packaging.version import Version

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["version"] and "version" not in project["project"]
    newest = re.search(r"^## (\d+\.\d+\.\d+) - (\d{4}-\d\d-\d\d)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (citation["version"], str(citation["date-released"])) == newest.groups()
    assert f"version {newest[1]}" in (ROOT / "book" / "citing.md").read_text()
    fallback = Version(project["tool"]["setuptools_scm"]["fallback_version"])
    assert fallback.is_devrelease and fallback.base_version == newest[1]
    assert Version(naturalistic.__version__).local is None, "a chapter's results would change with each commit"


def test_all_say_the_same_pythons():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = [c.rpartition(" ")[2] for c in project["classifiers"] if re.search(r":: 3\.\d+$", c)]
    assert named == SUPPORTED and project["requires-python"] == f">={SUPPORTED[0]}"
    tests = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text())["jobs"]
    assert all(tests[job]["strategy"]["matrix"]["python"] == SUPPORTED for job in ("linux", "macos"))
    for text in (README, (ROOT / "book" / "running.md").read_text()):
        assert "Python 3.11, 3.12 or 3.13" in text


def fake_python(folder, name, version):
    """Write a program that answers as a Python of some version does; a version of None does not start."""
    minor = "raise SystemExit(127)" if version is None else f"import sys; sys.version_info = {version!r}"
    program = folder / name
    program.write_text(
        f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -I -S -c "$(printf \'%s\\n%s\' "{minor}" "$2")"\n'
    )
    program.chmod(0o755)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("there", "taken"),
    [
        ({"python3.11": (3, 11), "python3.12": (3, 12), "python3.13": (3, 13)}, "python3.13"),
        ({"python3.11": (3, 11), "python3.12": (3, 12), "python3.13": None}, "python3.12"),
        ({"python3.11": (3, 11), "python3.12": None, "python3.13": None}, "python3.11"),
        ({"python3": (3, 12)}, "python3"),
        ({"python3": (3, 10)}, None),
        ({"python3": (3, 14)}, None),
        ({}, None),
    ],
)
def test_make_takes_the_newest_python_that_runs(tmp_path, there, taken):
    """A shim of pyenv has the name and does not start."""
    for name in ("python3.11", "python3.12", "python3.13", "python3"):
        fake_python(tmp_path, name, there.get(name))
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHON", "MAKEFLAGS", "MAKELEVEL")}
    environment["PATH"] = f"{tmp_path}:{environment['PATH']}"
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    command = ["make", "--dry-run", "-C", str(tmp_path), ".venv/installed"]
    said = subprocess.run(command, capture_output=True, text=True, env=environment).stdout
    assert (f"{taken} -m venv --clear .venv" in said) if taken else ("found none: name one" in said)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_ask_for_little_and_pin_their_actions(path):
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for name, job in workflow["jobs"].items():
        assert job["timeout-minutes"] and job["runs-on"] in ("ubuntu-latest", "macos-latest"), name
        for step in job["steps"]:
            if "uses" in step:
                assert PINNED.fullmatch(step["uses"]), step["uses"]
                checkout = step["uses"].startswith("actions/checkout")
                assert not checkout or step["with"]["persist-credentials"] is False
            assert set(re.findall(r"^make ([a-z-]+)", step.get("run", ""))) <= targets
            assert "${{" not in step.get("run", ""), "text of others must not become a command: use env"


def test_workflows_do_what_was_promised():
    assert [path.stem for path in WORKFLOWS] == ["book", "release", "tests", "weekly"]
    read = {path.stem: yaml.safe_load(path.read_text()) for path in WORKFLOWS}
    triggers = {name: workflow[True] for name, workflow in read.items()}  # YAML 1.1 reads "on" as true
    assert triggers["book"]["push"] == triggers["tests"]["push"] == {"branches": ["main"]}
    assert triggers["release"] == {"push": {"tags": ["v*"]}} and triggers["weekly"]["schedule"]
    assert read["release"]["jobs"]["publish"]["permissions"] == {"id-token": "write"}
    steps = read["book"]["jobs"]["build"]["steps"]
    (built,) = [step for step in steps if step.get("run", "").startswith("make book")]
    assert built["env"]["REPOSITORY"] == "${{ github.server_url }}/${{ github.repository }}"


def test_issue_forms_and_hooks_are_whole():
    forms = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
    assert [form.stem for form in forms] == ["bug", "config", "proposal", "question"]
    for form in forms[:1] + forms[2:]:
        read = yaml.safe_load(form.read_text())
        assert {"name", "description", "body"} <= set(read)
        ids = [field["id"] for field in read["body"]]
        assert len(set(ids)) == len(ids)
    pinned = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    hooks = {
        repo["repo"]: repo["rev"] for repo in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    }
    assert hooks["https://github.com/astral-sh/ruff-pre-commit"] == f"v{pinned['ruff']}"
    assert hooks["https://github.com/mwouts/jupytext"] == f"v{pinned['jupytext']}"
