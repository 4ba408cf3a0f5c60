"""The book's build says what is wrong before it runs anything, and knows what changed."""

import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def build(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("build", ROOT / "book" / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "BUILD", tmp_path)
    monkeypatch.setattr(module, "RUNS", tmp_path / "runs")
    return module


def test_chapters_are_found_by_the_start_of_their_names(build):
    assert [s.stem for s in build.find_chapters(["01"])] == ["01-first-model"]
    assert len(build.find_chapters([])) == len(list((ROOT / "notebooks").glob("*.md")))
    with pytest.raises(SystemExit, match="no chapter starts with 77; there are 01-first-model"):
        build.find_chapters(["01", "77"])


def test_a_mistyped_parameter_stops_the_build(build):
    sources = build.find_chapters(["01"])
    build.check_parameters({"window": 64}, sources)
    with pytest.raises(SystemExit, match="no chapter has the parameter widnow; there are dataset, device"):
        build.check_parameters({"widnow": 64}, sources)


def test_values_are_yaml(build):
    assert build.read_parameters([("a", "64"), ("b", "[x, y]"), ("c", "null")]) == {"a": 64, "b": ["x", "y"], "c": None}


def test_the_key_follows_parameters_and_data(build, monkeypatch, tmp_path):
    (source,) = build.find_chapters(["01"])
    monkeypatch.delenv("NATURALISTIC_DATA", raising=False)
    keys = [build.key_of(source, {}), build.key_of(source, {}), build.key_of(source, {"window": 2})]
    monkeypatch.setenv("NATURALISTIC_DATA", str(tmp_path))
    keys.append(build.key_of(source, {}))
    (tmp_path / "alice").mkdir()  # the data have come
    keys.append(build.key_of(source, {}))
    assert keys[0] == keys[1] and len(set(keys)) == 4


def test_a_chapter_on_made_data_is_told_from_one_on_real_data(build, tmp_path):
    (source,) = build.find_chapters(["01"])
    assert not build.stands_in(source)
    (tmp_path / "results").mkdir()
    path = tmp_path / "results" / "01-first-model.json"
    path.write_text(json.dumps({"dataset": "made stand-in for Alice"}))
    assert build.stands_in(source)
    path.write_text(json.dumps({"dataset": "Alice in Wonderland"}))
    assert not build.stands_in(source)


@pytest.mark.filterwarnings("ignore")  # the kernel's
def test_a_failing_chapter_is_named_and_leaves_no_result(build, tmp_path, monkeypatch):
    """The error names the chapter; what ran is kept under another name than a finished chapter's."""
    (tmp_path / "runs").mkdir()
    monkeypatch.setattr(build, "ROOT", tmp_path)
    (tmp_path / "notebooks").mkdir()
    source = tmp_path / "notebooks" / "99-fails.md"
    head = "---\njupytext:\n  text_representation:\n    extension: .md\n    format_name: myst\n"
    head += "kernelspec:\n  name: python3\n"
    source.write_text(head + "  display_name: p\n---\n\n```{code-cell} ipython3\n1 / 0\n```\n")
    with pytest.raises(SystemExit, match=r"notebooks/99-fails.md failed(.|\n)*ZeroDivisionError"):
        build.run_chapter(source, {})
    assert not (tmp_path / "runs" / "99-fails.ipynb").exists()
    assert (tmp_path / "runs" / "99-fails.part.ipynb").exists()


def test_data_that_a_run_fetches_do_not_make_it_run_again(build, monkeypatch, tmp_path):
    """The first run downloads into the cache; the second finds nothing changed."""
    monkeypatch.setattr(build, "SOURCES", ("NATURALISTIC_DATA", "NATURALISTIC_CACHE"))
    monkeypatch.delenv("NATURALISTIC_DATA", raising=False)
    monkeypatch.setenv("NATURALISTIC_CACHE", str(tmp_path / "cache"))
    (source,) = build.find_chapters(["01"])
    ran = []

    def run_chapter(source, parameters):
        ran.append(source.stem)
        (tmp_path / "cache" / "alice").mkdir(parents=True, exist_ok=True)
        (tmp_path / "runs" / f"{source.stem}.ipynb").touch()

    monkeypatch.setattr(build, "run_chapter", run_chapter)
    for _ in range(2):
        build.run_chapters([source], {}, force=False)
    assert ran == ["01-first-model"]
