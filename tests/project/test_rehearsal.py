"""The steps that measure chapters on data of full size: run by papermill, not repeated."""

import datetime
import importlib.util
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def script(monkeypatch, tmp_path):
    """The script, at work in a repository of two short chapters."""
    monkeypatch.syspath_prepend(str(ROOT / "book"))
    spec = importlib.util.spec_from_file_location("rehearsal_script", ROOT / "book" / "rehearsal.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "ROOT", tmp_path / "repository")
    (module.ROOT / "notebooks").mkdir(parents=True)
    return module


CHAPTER = """---
kernelspec: {display_name: Python 3, language: python, name: python3}
---

```{code-cell} ipython3
:tags: [parameters]

dataset, subjects, n = "", None, 1
```

```{code-cell} ipython3
import json, os, pathlib
data = pathlib.Path(dataset, "data.txt").read_text()
if pathlib.Path(dataset, "broken").exists():
    raise SystemError("it broke")
results = pathlib.Path(os.environ["NATURALISTIC_RESULTS"])
results.mkdir(exist_ok=True)
text = json.dumps({"data": data, "n": n, "subjects": subjects})
(results / "NAME.json").write_text(text)
```
"""


def little_parts(module, tmp_path, made):
    """Write two chapters; return the parts of a rehearsal on them."""
    import jupytext

    for name in ("02-a", "03-b"):
        path = module.ROOT / "notebooks" / f"{name}.md"
        path.write_text(CHAPTER.replace("NAME", name))
        jupytext.write(jupytext.read(path), path.with_suffix(".ipynb"))
    making = f"import pathlib\ndef make(place):\n    pathlib.Path({str(made)!r}).open('a').write('x')\n"
    making += "    root = pathlib.Path(place, 'ds1')\n    root.mkdir(parents=True, exist_ok=True)\n"
    making += "    (root / 'data.txt').write_text('made')\n"
    (tmp_path / "little_maker.py").write_text(making)
    return {"ds1": {"make": "little_maker:make", "disk_gb": 1, "chapters": {"02-a": {}, "03-b": {"n": 5}}}}


@pytest.mark.slow
def test_chapters_are_run_by_papermill_alone_and_what_is_done_is_not_done_again(script, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    parts = little_parts(script, tmp_path, tmp_path / "made.log")
    folder, published = tmp_path / "out", tmp_path / "published.json"
    (tmp_path / "little_maker.py").write_text("raise SystemExit(3)")
    with pytest.raises(SystemExit, match=r"ds1 was not made whole; start again"):
        script.rehearse("ds1", parts["ds1"], folder)
    assert script.steps_of(folder) == {"ds1, made": {"goes": 1}}
    parts = little_parts(script, tmp_path, tmp_path / "made.log")
    (folder / "ds1" / "ds1").mkdir(parents=True)
    (folder / "ds1" / "ds1" / "broken").touch()
    with pytest.raises(SystemExit, match=r"02-a failed; what ran is in .*02-a\.ipynb\. Start again"):
        script.rehearse("ds1", parts["ds1"], folder)
    steps = script.steps_of(folder)
    assert steps["ds1, made"]["seconds"] >= 0 and steps["ds1, made"]["goes"] == 2
    assert steps["02-a"] == {"goes": 1} and "03-b" not in steps
    script.publish(folder, published, parts)
    assert not published.exists()  # half a rehearsal is no table
    (folder / "ds1" / "ds1" / "broken").unlink()
    script.rehearse("ds1", parts["ds1"], folder)
    steps = script.steps_of(folder)
    assert steps["02-a"]["goes"] == 2 and steps["03-b"]["goes"] == 1 and steps["03-b"]["peak_mb"] > 20
    assert not (folder / "ds1").exists() and (tmp_path / "made.log").read_text() == "xx"
    script.rehearse("ds1", parts["ds1"], folder)  # all is done: nothing is made for it
    assert not (folder / "ds1").exists() and (tmp_path / "made.log").read_text() == "xx"
    script.publish(folder, published, parts)
    table = json.loads(published.read_text())
    assert list(table["steps"]) == ["ds1, made", "02-a", "03-b"] and table["steps"]["02-a"]["goes"] == 2
    assert table["results"]["03-b"] == {"data": "made", "n": 5, "subjects": "[1]"}
    today = datetime.date.today()
    assert datetime.date.fromisoformat(table["steps"]["03-b"]["date"]) >= today - datetime.timedelta(days=1)
    # a step that is done again replaces its own row, and no other
    script.keep_step(tmp_path / "again", "02-a", {**steps["02-a"], "peak_mb": 77})
    (tmp_path / "again" / "results").mkdir()
    (tmp_path / "again" / "results" / "02-a.json").write_text('{"data": "again"}')
    script.publish(tmp_path / "again", published, parts)
    again = json.loads(published.read_text())
    assert again["steps"]["02-a"]["peak_mb"] == 77 and again["results"]["02-a"] == {"data": "again"}
    assert list(again["steps"]) == list(table["steps"]) and again["steps"]["03-b"] == table["steps"]["03-b"]
    assert again["results"]["03-b"] == table["results"]["03-b"]
    assert script.is_done(folder, "03-b", script.key_of("03-b", {"n": 5}))
    assert not script.is_done(folder, "03-b", script.key_of("03-b", {"n": 6}))
    source = script.ROOT / "notebooks" / "03-b.ipynb"
    notebook = json.loads(source.read_text())
    notebook["cells"].append({"cell_type": "markdown", "source": ["a word more"]})
    source.write_text(json.dumps(notebook))
    assert script.is_done(folder, "03-b", script.key_of("03-b", {"n": 5}))  # prose takes no time
    notebook["cells"][-1]["cell_type"] = "code"
    source.write_text(json.dumps(notebook))
    assert not script.is_done(folder, "03-b", script.key_of("03-b", {"n": 5}))


def test_the_parts_name_chapters_and_parameters_that_exist(script):
    import ast

    import jupytext

    for part in script.PARTS.values():
        module, name = part["make"].split(":")
        assert callable(getattr(importlib.import_module(module), name))
        for chapter, parameters in part["chapters"].items():
            notebook = jupytext.read(ROOT / "notebooks" / f"{chapter}.md")
            cell = next(c.source for c in notebook.cells if "parameters" in c.metadata.get("tags", []))
            known = {n.id for n in ast.walk(ast.parse(cell)) if isinstance(n, ast.Name)}
            assert {"dataset", "subjects", *parameters} <= known


def test_an_unknown_data_set_is_refused(script, capsys):
    with pytest.raises(SystemExit):
        script.main(["ds0"])
    assert "no data set ds0; there are ds003720, ds005531" in capsys.readouterr().err
    assert "rehearsal_script" not in sys.modules
