import json

import numpy as np
import pandas as pd
import pytest
from naturalistic.reporting import results, summaries


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("NATURALISTIC_RESULTS", str(tmp_path / "r"))
    return tmp_path / "r"


def test_what_is_saved_is_loaded(folder):
    numbers = {"r": np.array([0.5, np.nan], np.float32), "n": np.int64(3), "ok": np.bool_(True), "of": {1: (2.5, None)}}
    saved = results.save("09-x", numbers, dataset="made", seed=1)
    assert saved == results.load("09-x") == json.loads((folder / "09-x.json").read_text())
    assert saved["r"] == [0.5, None] and saved["n"] == 3 and saved["ok"] is True and saved["of"] == {"1": [2.5, None]}
    assert saved["dataset"] == "made" and saved["seed"] == 1 and "numpy" in saved["versions"]
    assert [p.name for p in folder.iterdir()] == ["09-x.json"]


def test_a_tidy_table_is_saved_and_comes_back(folder):
    tidy = pd.DataFrame({"region": ["A", "B"], "r": np.array([0.5, np.nan], np.float32), "n": [3, 4]})
    saved = results.save("09-x", {"accuracy": tidy}, dataset="made", seed=1)
    assert saved["accuracy"] == {"columns": ["region", "r", "n"], "rows": [["A", 0.5, 3], ["B", None, 4]]}
    back = results.frame(results.load("09-x")["accuracy"])
    pd.testing.assert_frame_equal(back, tidy, check_dtype=False)
    assert back["r"].dtype == float and np.isnan(back["r"][1])
    empty = results.save("09-x", {"accuracy": tidy[:0]}, dataset="made", seed=1)
    assert list(results.frame(empty["accuracy"])) == ["region", "r", "n"]


def test_a_table_that_would_lose_something_is_refused(folder):
    tidy = pd.DataFrame({"region": ["A", "B"], "r": [0.5, 0.1]})
    with pytest.raises(TypeError, match="reset_index"):
        results.save("09-x", {"a": tidy.set_index("region")}, dataset="made", seed=1)
    with pytest.raises(ValueError, match="share a name: r, r"):
        results.save("09-x", {"a": tidy[["r", "r"]]}, dataset="made", seed=1)
    with pytest.raises(ValueError, match="no saved table"):
        results.frame({"A": 0.5})
    assert not folder.exists() or not list(folder.iterdir())


def test_what_cannot_be_said_in_json_is_refused_and_the_old_file_stays(folder):
    results.save("09-x", {"a": 1}, dataset="made", seed=1)
    with pytest.raises(ValueError, match="a result is infinite"):
        results.save("09-x", {"a": np.inf}, dataset="made", seed=1)
    with pytest.raises(TypeError, match="a result is of type set"):
        results.save("09-x", {"a": {1}}, dataset="made", seed=1)
    assert results.load("09-x")["a"] == 1


def test_a_chapter_that_was_not_run():
    with pytest.raises(FileNotFoundError, match="run the chapter 09-x first"):
        results.load("09-x")


def test_results_of_a_checkout(monkeypatch, tmp_path):
    monkeypatch.delenv("NATURALISTIC_RESULTS")
    (tmp_path / "lib" / "naturalistic").mkdir(parents=True)
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    assert results.results_dir() == tmp_path / "_build" / "results"


def test_table():
    values = {"a": {"x": 0.123, "y": None}, "b": {"x": -1.0, "y": 2.0}}
    bold = {"a": {"x": True, "y": False}, "b": {"x": False, "y": False}}
    assert results.table(values, bold, corner="r").split("\n") == [
        "| r | x | y |",
        "| --- | --- | --- |",
        "| a | **0.12** | – |",
        "| b | -1.00 | 2.00 |",
    ]


def test_table_of_a_frame():
    tidy = pd.DataFrame({"region": ["A", "A", "B"], "lag": [2, 4, 2], "r": [0.123, 1, -1]})
    wide = tidy.pivot(index="region", columns="lag", values="r")
    lines = results.table(wide, wide > 0.5, corner="r").split("\n")
    assert lines == ["| r | 2 | 4 |", "| --- | --- | --- |", "| A | 0.12 | **1.00** |", "| B | -1.00 | – |"]


def test_arrays_are_kept_as_they_are_and_replaced_whole(folder):
    arrays = {"heard": np.arange(6, dtype=np.float16).reshape(2, 3), "left": np.array([np.nan, 1.0], np.float32)}
    results.save_arrays("09-x", {"old": np.zeros(1)})
    results.save_arrays("09-x", arrays)
    back = results.load_arrays("09-x")
    assert set(back) == {"heard", "left"} and all(back[k].dtype == arrays[k].dtype for k in arrays)
    assert all(np.array_equal(back[k], arrays[k], equal_nan=True) for k in arrays)
    assert [p.name for p in folder.iterdir()] == ["09-x.npz"]
    with pytest.raises(FileNotFoundError, match="run the chapter 08-y first"):
        results.load_arrays("08-y")


def test_objects_among_arrays_are_refused(folder):
    results.save_arrays("09-x", {"a": np.zeros(1)})
    with pytest.raises(ValueError, match="a is an array of objects, expected numbers"):
        results.save_arrays("09-x", {"a": np.array([{}], dtype=object)})
    assert results.load_arrays("09-x")["a"].shape == (1,)


@pytest.mark.parametrize(
    ("dataset", "shown"),
    [
        ("Simulated data (layout of ds003720)", "A title (simulated)"),
        ("made stand-in for Alice", "A title (simulated)"),
        ("ds003720, music genre", "A title"),
    ],
)
def test_figure_titles_of_results_say_that_the_data_are_simulated(dataset, shown):
    numbers = results.save("09-x", {}, dataset=dataset, seed=1)
    assert results.title(numbers, "A title") == shown and results.is_simulated(numbers) == (shown != "A title")
    assert results.has_results("09-x") and not results.has_results("09-y")


def test_layers_are_those_of_the_same_data(tmp_path, monkeypatch):
    from naturalistic.reporting import summaries

    monkeypatch.setenv("NATURALISTIC_RESULTS", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="run the chapter 12-language-encoding first"):
        summaries.chosen_layers("minilm", "made")
    chose = {"minilm": {"Speech": [5, 5, 2], "Story": [4, 5]}}
    results.save("12-language-encoding", {"layers": chose}, dataset="made", seed=0)
    assert summaries.chosen_layers("minilm", "made") == {"Speech": 5, "Story": 4}
    with pytest.raises(ValueError, match="is of made, expected ds005531: run the chapter 12-language-encoding on it"):
        summaries.chosen_layers("minilm", "ds005531")
    with pytest.raises(ValueError, match="was run with minilm, expected gpt2"):
        summaries.chosen_layers("gpt2", "made")


def test_text_does_not_end_its_cell():
    table = results.table({"a|b": {"x": "1 | 2\n3", "y": "4"}})
    assert table.splitlines()[-1] == "| a\\|b | 1 \\| 2 3 | 4 |"


def test_a_table_has_no_zero_below_zero():
    text = results.table({"a": {"x": -0.004, "y": -0.006, "z": 0.0}})
    assert text.splitlines()[-1].split("|")[2:5] == [" 0.00 ", " -0.01 ", " 0.00 "]


def test_names_are_listed_as_a_sentence_lists_them():
    assert summaries.joined(["a", "b", "c"]) == "a, b and c" and summaries.joined(iter(["a", "b"])) == "a and b"
    assert (
        summaries.joined([3]) == "3" and summaries.joined([]) == "none" and summaries.joined([], "nobody") == "nobody"
    )


@pytest.mark.parametrize("chapter", ["12-language-encoding", "13-semantic-maps"])
def test_the_cost_at_full_size_is_of_the_kept_run(chapter, monkeypatch):
    steps = {chapter: {"cpu_s": 5400.0, "peak_mb": 7300.0}}
    monkeypatch.setattr(results, "load_benchmark", lambda name: {"steps": steps} if name == "rehearsal" else {})
    sentence = summaries.full_size_cost(chapter)
    assert "took 1.5 hours of one core and 7.3 GB of memory: {ref}`sec:rehearsal`." in sentence
