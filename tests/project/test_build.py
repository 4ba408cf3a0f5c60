"""The book's build says what is wrong before it runs anything, and knows what changed."""

import contextlib
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from docutils.nodes import Text, literal, paragraph
from docutils.utils import new_document
from naturalistic.reporting import results

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def build(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("build", ROOT / "book" / "build.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.syspath_prepend(ROOT / "book")
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "BUILD", tmp_path)
    monkeypatch.setattr(module, "RUNS", tmp_path / "runs")
    return module


def test_chapters_are_found_by_the_start_of_their_names(build):
    assert [s.stem for s in build.find_chapters(["01"])] == ["01-first-model"]
    assert len(build.find_chapters([])) == len(list((ROOT / "notebooks").glob("*.md")))
    with pytest.raises(SystemExit, match="no chapter starts with 77; there are 00-overview, 01-first"):
        build.find_chapters(["01", "77"])


def test_a_mistyped_parameter_stops_the_build(build):
    sources = build.find_chapters(["01"])
    build.check_parameters({"window": 64}, sources)
    with pytest.raises(SystemExit, match=r"no chapter has the parameter widnow; did you mean 'window'\? there are"):
        build.check_parameters({"widnow": 64}, sources)
    with pytest.raises(SystemExit, match="no chapter has the parameter moon; there are dataset, device"):
        build.check_parameters({"moon": 64}, sources)


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


def test_a_chapter_on_simulated_data_differs_from_one_on_real_data(build, tmp_path):
    (source,) = build.find_chapters(["01"])
    assert not build.is_a_fallback(source)
    (tmp_path / "results").mkdir()
    path = tmp_path / "results" / "01-first-model.json"
    path.write_text(json.dumps({"dataset": "Simulated data (layout of Alice)"}))
    assert build.is_a_fallback(source)
    path.write_text(json.dumps({"dataset": "Alice in Wonderland"}))
    assert not build.is_a_fallback(source)


@pytest.mark.parametrize(
    ("dataset", "badge"),
    [
        (
            "Simulated data (layout of ds003720)",
            '<p class="data-badge simulated">Simulated data (layout of ds003720): no brain was measured</p>',
        ),
        ("Alice <EEG & fMRI>", '<p class="data-badge measured">Measured data: Alice &lt;EEG &amp; fMRI&gt;</p>'),
        ("simulated", None),
        (None, None),
    ],
)
def test_a_page_has_one_badge_that_follows_the_data(build, dataset, badge):
    cells = [{"source": ["(ch:one)=\n", "# One: a title\n", "\n", "Text.\n", "# no title"]}, {"source": "# Two"}]
    page = json.loads(build.with_badge(json.dumps({"cells": cells}), dataset))
    first = "".join(page["cells"][0]["source"])
    assert first == f"(ch:one)=\n# One: a title\n\n{badge}\n\nText.\n# no title" if badge else page["cells"] == cells
    assert page["cells"][1] == cells[1]


def test_the_badge_is_of_the_last_run(build, tmp_path):
    (source,) = build.find_chapters(["01"])
    assert build.opened(source) is None
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "01-first-model.json").write_text(json.dumps({"dataset": "Alice"}))
    assert build.opened(source) == "Alice"


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


@pytest.mark.parametrize(
    ("errors", "n_runs", "ends"),
    [
        ([], 1, None),
        (["Kernel died before replying to kernel_info"] * 2, 3, None),
        (["Kernel died before replying to kernel_info"] * 3, 3, "before replying"),
        (["Kernel died"], 1, "Kernel died"),  # in a cell: by its own fault
    ],
)
def test_a_kernel_that_finds_its_port_taken_is_started_again(build, monkeypatch, errors, n_runs, ends):
    import execution

    asked, errors = [], list(errors)

    def execute_notebook(*paths, **how):
        asked.append((paths, how))
        if errors:
            raise RuntimeError(errors.pop(0))

    monkeypatch.setattr(execution.papermill, "execute_notebook", execute_notebook)
    with pytest.raises(RuntimeError, match=ends) if ends else contextlib.nullcontext():
        execution.execute("in", "out", {"a": 1}, cwd="there")
    expected = (("in", "out", {"a": 1}), {"kernel_name": "python3", "iopub_timeout": execution.LATE, "cwd": "there"})
    assert asked == [expected] * n_runs


def test_data_that_a_run_fetches_do_not_make_it_run_again(build, monkeypatch, tmp_path):
    """The first run downloads into the cache; the second finds nothing changed."""
    monkeypatch.setattr(build, "SOURCES", ("NATURALISTIC_DATA", "NATURALISTIC_CACHE"))
    monkeypatch.delenv("NATURALISTIC_DATA", raising=False)
    monkeypatch.setenv("NATURALISTIC_CACHE", str(tmp_path / "cache"))
    (source,) = build.find_chapters(["01"])
    ran = []

    def run_chapter(source, parameters, bar=True):
        ran.append(source.stem)
        (tmp_path / "cache" / "alice").mkdir(parents=True, exist_ok=True)
        (tmp_path / "runs" / f"{source.stem}.ipynb").touch()

    monkeypatch.setattr(build, "run_chapter", run_chapter)
    for _ in range(2):
        build.run_chapters([source], {}, force=False)
    assert ran == ["01-first-model"]


GREEDY = """
import subprocess, sys, time
source = "x = bytearray(60_000_000); print(flush=True); input()"
child = subprocess.Popen([sys.executable, "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
y = bytearray(90_000_000)
time.sleep(3)
del y
child.communicate(b"go")
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="memory is read from /proc")
def test_memory_is_that_of_a_process_and_of_those_it_started(build):
    from costs import measured

    idle = subprocess.Popen([sys.executable, "-c", "x = bytearray(300_000_000); import time; time.sleep(60)"])
    try:
        with measured() as cost:
            subprocess.run([sys.executable, "-c", GREEDY], check=True)
    finally:
        idle.kill()
        idle.wait()
    assert 140 < cost["peak_mb"] < 250  # both, and not the one that was there before
    assert cost["seconds"] >= 2.9


@pytest.mark.slow
def test_a_short_peak_is_not_missed(build, monkeypatch):
    """The system notes the most that a process has held: between two looks it may come and go."""
    import costs

    monkeypatch.setattr(costs, "EVERY", 0.6)
    source = "x = bytearray(200_000_000); del x; import time; time.sleep(4)"
    with costs.measured() as cost:
        subprocess.run([sys.executable, "-c", source], check=True)
    assert cost["peak_mb"] is None or cost["peak_mb"] > 195


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="processor time is read from /proc")
def test_processor_time_is_that_of_work_and_not_of_waiting(build):
    import costs

    busy = "import time\nwhile time.process_time() < 1: pass\ntime.sleep(3)"
    with costs.measured() as cost:
        both = [subprocess.Popen([sys.executable, "-c", busy]) for _ in range(2)]
        [one.wait() for one in both]
    assert 1.9 < cost["cpu_s"] < 2.6 and cost["seconds"] >= 4


def test_without_proc_there_is_no_memory(build, monkeypatch, tmp_path):
    import costs

    monkeypatch.setattr(costs, "PROC", tmp_path)
    with costs.measured() as cost:
        subprocess.run([sys.executable, "-c", "import time; time.sleep(0.3)"], check=True)
    assert cost["peak_mb"] is None and cost["cpu_s"] is None and cost["seconds"] >= 0.3


def test_costs_of_chapters_that_were_not_run_are_kept(build, tmp_path, monkeypatch):
    """A rerun replaces the chapter's own; a chapter that is no more, and the page that reads the file, are left out."""
    monkeypatch.setenv("NATURALISTIC_RESULTS", str(tmp_path / "results"))
    assert results.build_costs() is None
    path = tmp_path / "results" / "build.json"
    path.parent.mkdir()
    kept = {"01-first-model": {"seconds": 9}, "77-no-more": {"seconds": 1}}
    path.write_text(json.dumps({"machine": "", "chapters": kept}))
    monkeypatch.setattr(build, "ROOT", tmp_path)
    (tmp_path / "notebooks").mkdir()
    for name in ("01-first-model", "05-music-experiment", build.SUMMARIES[-1]):
        (tmp_path / "notebooks" / f"{name}.md").touch()
    first, second, summary = build.find_chapters([])
    for source in (second, summary):
        (tmp_path / "results" / f"{source.stem}.json").write_text('{"dataset": "made"}')
        build.note_cost(source, {"seconds": 2.5, "peak_mb": 7})
    found = results.build_costs()
    assert found["chapters"] == {
        first.stem: {"seconds": 9},
        second.stem: {"seconds": 2.5, "peak_mb": 7, "dataset": "made"},
    }
    assert "cores" in found["machine"]
    before = build.state_key(summary, {})
    build.note_cost(second, {"seconds": 3.5, "peak_mb": 7})
    assert build.state_key(summary, {}) != before  # the page is made again
    path.write_text("{")
    build.note_cost(second, {"seconds": 1, "peak_mb": 7})
    assert list(results.build_costs()["chapters"]) == [second.stem]


def test_pages_that_sum_up_come_last_and_only_when_their_chapters_have_results(build, tmp_path):
    first, *_, engine = build.find_chapters(["01", "06", "90"])
    assert build.with_summaries([first, engine]) == [first, engine]
    (tmp_path / "results").mkdir()
    text = (ROOT / "notebooks" / "00-overview.md").read_text()
    for chapter in re.findall(r'"(\d\d-[a-z-]+)"', text):
        (tmp_path / "results" / f"{chapter}.json").touch()
    (tmp_path / "results" / "13-semantic-maps.json").unlink(missing_ok=True)  # read by the page of results
    assert [s.stem for s in build.with_summaries([engine])] == ["90-ridge-engine"]
    assert [s.stem for s in build.with_summaries([first])] == ["01-first-model", "00-overview"]
    everything = [s.stem for s in build.with_summaries(build.find_chapters([]))]
    assert everything[-2:] == ["00-overview", "91-results"] and everything[0] == "01-first-model"


def test_a_chapter_runs_again_when_what_it_reads_of_another_changes(build, monkeypatch, tmp_path):
    monkeypatch.setattr(build, "ROOT", tmp_path)
    monkeypatch.setattr(build, "code_key", lambda source, parameters: source.stem)
    monkeypatch.setattr(build, "simulate_data", lambda sources, parameters: None)
    (tmp_path / "results").mkdir()
    sources, ran = (
        [tmp_path / f"{name}.md" for name in ("01-first-model", "12-language-encoding", "13-semantic-maps")],
        [],
    )

    def run_chapter(source, parameters, bar=True):
        ran.append(source.stem)
        (tmp_path / "results" / f"{source.stem}.json").write_text(json.dumps({"dataset": "made", "run": len(ran)}))
        (tmp_path / "runs" / f"{source.stem}.ipynb").touch()

    monkeypatch.setattr(build, "run_chapter", run_chapter)
    build.run_chapters(sources, {}, force=False)
    build.run_chapters(sources, {}, force=False)
    assert ran == [source.stem for source in sources]
    (tmp_path / "results" / "12-language-encoding.json").write_text("{}")  # by hand: both, one after the other
    build.run_chapters(sources, {}, force=False)
    assert ran[3:] == ["12-language-encoding", "13-semantic-maps"]
    build.run_chapters(sources[1:2], {}, force=True)
    build.run_chapters(sources, {}, force=False)
    assert ran[5:] == ["12-language-encoding", "13-semantic-maps"]


def test_every_package_has_its_page_of_the_reference():
    """If this fails: a page like its neighbors' in book/api, and its line in book/_toc.yml."""
    spec = importlib.util.spec_from_file_location("reference", ROOT / "book" / "reference.py")
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    modules = reference.public_modules()
    assert {"naturalistic.decoding.nulls", "naturalistic_simulation.truth"} <= set(modules) and not [
        m for m in modules if "._" in m
    ]
    listed = (ROOT / "book" / "_toc.yml").read_text()
    for page in {reference.page_of(module) for module in modules}:
        assert f"book/api/{page}\n" in listed
        asks = [f"naturalistic.{page}", f"naturalistic_simulation.{page}", "naturalistic_simulation"]
        text = (ROOT / "book" / "api" / f"{page}.md").read_text()
        assert any(f"```{{modules}} {package}\n```" in text for package in asks)
    text = reference.of_package("naturalistic.inference")
    assert "{py:obj}`fdr <naturalistic.inference.multiple.fdr>`" in text and text.count("automodule") > 3
    listed = reference.list_of_modules()
    assert all(f"`{module}`" in listed or f"<{module}>`" in listed for module in modules)


def test_pages_get_buttons_only_where_the_repository_is_public(build, tmp_path, monkeypatch):
    import launch

    def cloned_from(address):
        subprocess.run(["git", "-C", str(tmp_path), "remote", "set-url", "origin", address], check=True)
        return launch.repository(tmp_path)

    monkeypatch.delenv("REPOSITORY", raising=False)
    assert launch.repository(tmp_path / "no-such-folder") is None
    assert launch.repository(tmp_path) is None  # no clone
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    assert launch.repository(tmp_path) is None  # no remote
    subprocess.run(["git", "-C", str(tmp_path), "remote", "add", "origin", "elsewhere"], check=True)
    (tmp_path / "inside").mkdir()
    public = "https://github.com/some-body/natural.istic"
    for address in (public, f"{public}.git", f"{public}/"):
        assert cloned_from(address) == public
        assert launch.repository(tmp_path / "inside") is None  # what it was cloned from says nothing of its folders
    secret = public.replace("https://", "https://name:secret@")
    for address in (secret, "git@github.com:some-body/naturalistic.git", "https://example.org/a/b", f"{public}/tree/x"):
        assert cloned_from(address) is None
    cloned_from(public)
    monkeypatch.setenv("REPOSITORY", "")
    assert launch.repository(tmp_path) is None  # switched off
    monkeypatch.setenv("REPOSITORY", "https://github.com/you/it.git")
    assert launch.repository(tmp_path) == "https://github.com/you/it"
    monkeypatch.setenv("REPOSITORY", "github.com/you/it")
    with pytest.raises(SystemExit, match=r"REPOSITORY is github[.]com/you/it, expected an address such as https://"):
        launch.repository(tmp_path)


@pytest.mark.slow
def test_buttons_open_the_notebooks_of_the_repository(build, tmp_path, monkeypatch):
    """Two pages made with an address and without: a chapter has its buttons, a page that runs nothing has none."""
    book = tmp_path / "book"
    (book / "notebooks").mkdir(parents=True)
    (book / "book").mkdir()
    source = "# A chapter\n\nIts text.\n"
    kernel = {"kernelspec": {"name": "python3", "display_name": "p", "language": "python"}}
    cell = {"cell_type": "markdown", "id": "a", "metadata": {}, "source": source}
    notebook = {"cells": [cell], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (book / "notebooks" / "01-one.ipynb").write_text(json.dumps(notebook))
    (book / "book" / "words.md").write_text("# Words\n\nNothing is run here.\n")
    (book / "_toc.yml").write_text("format: jb-book\nroot: notebooks/01-one\nchapters:\n  - file: book/words\n")
    ours = yaml.safe_load((ROOT / "book" / "_config.yml").read_text())
    theme = {"html_theme_options": ours["sphinx"]["config"]["html_theme_options"]}
    ours = {**{name: ours[name] for name in ("title", "execute", "html")}, "sphinx": {"config": theme}}
    command = [Path(sys.executable).parent / "jupyter-book", "build", book, "--path-output", tmp_path]

    def pages_of(config):
        (book / "_config.yml").write_text(config)
        subprocess.run([*map(str, command), "--all", "-W", "-n", "-q"], check=True, capture_output=True, timeout=200)
        read = [tmp_path / "_build" / "html" / name for name in ("notebooks/01-one.html", "book/words.html")]
        return [path.read_text(encoding="utf-8") for path in read]

    plain = yaml.safe_dump(ours)
    for page in pages_of(plain):
        assert not re.search("mybinder|colab|github.com/you", page)
    chapter, words = pages_of(build.with_buttons(plain, "https://github.com/you/it", "main"))
    assert 'href="https://mybinder.org/v2/gh/you/it/main?urlpath=lab/tree/notebooks/01-one.ipynb"' in chapter
    assert 'href="https://colab.research.google.com/github/you/it/blob/main/notebooks/01-one.ipynb"' in chapter
    assert 'href="https://github.com/you/it"' in chapter and 'href="https://github.com/you/it"' in words
    assert not re.search("mybinder|colab", words)


def test_the_staged_book_has_buttons_when_its_address_is_given(build, tmp_path, monkeypatch):
    monkeypatch.setattr(build, "STAGE", tmp_path / "stage")
    build.RUNS.mkdir()
    for source in build.find_chapters([]):
        (build.RUNS / f"{source.stem}.ipynb").touch()
    build.make_stage()
    config = yaml.safe_load((build.STAGE / "_config.yml").read_text())
    build.make_stage("https://github.com/you/it")
    told = yaml.safe_load((build.STAGE / "_config.yml").read_text())
    before, after = (x["sphinx"]["config"]["html_theme_options"] for x in (config, told))
    assert not any("repository" in name or "launch" in name for name in before)
    assert after["repository_url"] == "https://github.com/you/it" and after["repository_branch"] == "main"
    told["sphinx"]["config"]["html_theme_options"] = {name: after[name] for name in before}
    assert told == config  # and nothing else is changed
    assert not (build.STAGE / "book" / "launch.py").exists()


def test_no_line_ends_between_a_number_and_its_percent_sign(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "book")
    typography = importlib.import_module("typography")
    doctree = new_document("page")
    code = literal("", "5 % 2")
    doctree += [paragraph("", "", Text("at 5 % or 95 %")), paragraph("", "", code)]
    typography.keep_percent_signs(None, doctree, "page")
    assert [part.astext() for part in doctree] == ["at 5\xa0% or 95\xa0%", "5 % 2"]
