"""Tables of the page of benchmarks: they follow the files."""

import json
from pathlib import Path

import pandas as pd
import pytest
from naturalistic.reporting import benchmarks, results

STEP = {"seconds": 90, "cpu_s": 120.0, "peak_mb": 2500, "disk_gb": 10.4, "goes": 2}


def test_a_sweep_is_a_row_for_each_case():
    small = {"n_layers": 35, "whole_s": 60.0, "one_layer_s": 2.0, "one_layer_apart_s": 3.0}
    full = {"n_voxels": 8800, "n_trs": 29999, "all_s": 24.0, "subject_s": 160.0}
    table = benchmarks.sweep_table({"simulated": small, "tenth": full})
    assert table["seconds"].tolist() == [60, 2, 3, 24, 160]
    assert table.index[0] == "simulated data, 35 layers" and table.index[3] == "8,800 voxels x 29,999 s, one layer"


def test_a_step_without_processor_time_has_none():
    steps = {"one": {**STEP, "cpu_s": None}, "two": {**STEP, "parameters": {"space": "mni", "n": 3}}}
    table = benchmarks.step_table(steps)
    assert pd.isna(table.loc["one", "minutes of one core"]) and table.loc["one", "beside dataset and subjects"] == "–"
    assert table.loc["two"].tolist() == ["1.5", "2.0", "2.5", "10", "2", "–", "space = mni, n = 3"]


def test_peaks_are_of_all_steps():
    steps = {"one": STEP, "two": {**STEP, "peak_mb": 7300, "disk_gb": 45.0}}
    text = benchmarks.full_size_peaks({"machine": "2 cores", "steps": steps})
    assert text.startswith("2 cores. No step held more than **7.3 GB**") and "at most 45 GB" in text


def test_what_a_full_size_run_found_is_a_line_for_each_chapter():
    found = {
        benchmarks.SCANS: {"n_voxels": {"sub-001": 60000}, "halves_r": 0.8},
        benchmarks.DECODING: {"joint": "clap", "scores": {"clap": {"identification": [0.8, 0.9], "chance": 0.5}}},
        benchmarks.ENCODING: {
            "joint": "clap", "n_significant": {"clap": [3000, 4000]}, "dealt": {"p_below_0.05": {"1": 0.05, "2": 0.06}},
        },
        benchmarks.LANGUAGE: {
            "models": ["a", "b"], "n_voxels": 88000, "accuracy": {"b": {"Speech": [0.2, 0.4], "Story": [0.1, 0.1]}},
        },
        benchmarks.MAPS: {"unique_r": {"elsewhere": {"Speech": 0.01}, "belt": {"Speech": 0.03}}},
    }  # fmt: skip
    scans, decoded, encoded, films, unique = benchmarks.found_lines(found)
    assert "60,000" in scans and "r = 0.80" in scans and "0.85 (chance 0.50)" in decoded
    assert "clap predicts: 7,000" in encoded and "in 5.5%" in encoded
    assert "88,000" in films and "b predicts" in films and "Speech 0.30; Story 0.10" in films
    assert unique.endswith("Speech 0.030 (belt)")


def test_each_solver_is_a_row_beside_ours():
    ours = {"seconds": 2.0, "cpu_seconds": 4.0, "peak_gb": 0.5, "as_good": 1.0}
    solvers = {
        "ours": ours,
        "RidgeCV-torch": {**ours, "seconds": 6.0, "cpu_seconds": 10.0},
        "himalaya_best": {"ratio": 3},
    }
    table = benchmarks.peer_table({"cases": {"tall": {**solvers, "KernelRidgeCV-numpy": {"left_out": "killed"}}}})
    assert list(table.index) == ["tall: ours", "tall: RidgeCV-torch", "tall: KernelRidgeCV-numpy"]
    assert table.loc["tall: RidgeCV-torch"].tolist() == ["6.0", "3.0", "2.5", "0.50", "1.0000"]
    assert table.loc["tall: KernelRidgeCV-numpy", "seconds"] == "killed"
    assert results.table(table).count("–") == 6  # no ratio of ours to ours


def test_what_was_not_measured_is_not_shown(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert benchmarks.load_if_measured("device") is None
    assert benchmarks.device_text(None) == "**Not measured**: `tests/device/check.sh` measures it."
    assert benchmarks.cluster_text(None).startswith("**Not measured**")
    (tmp_path / "lib" / "naturalistic").mkdir(parents=True)
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "book" / "benchmarks").mkdir(parents=True)
    (tmp_path / "book" / "benchmarks" / "device.json").write_text(json.dumps({"device": "a GPU"}))
    assert benchmarks.load_if_measured("device") == {"device": "a GPU"}


def test_a_plan_is_a_row_for_each_number_of_workers():
    plan = [{"workers": 1, "hours": 240.0, "hours_by_level": 240.0, "busy": 1.0, "bottleneck": "nothing: all work"},
            {"workers": 200, "hours": 1.9, "hours_by_level": 2.2, "busy": 0.65, "bottleneck": "a model"}]  # fmt: skip
    seconds = {
        "local_s": [9.0, 10.0],
        "one_s": [10.0, 11.0],
        "two_s": [5.5, 7.0],
        "unit_s": 0.057,
        "unit_of_many_s": 0.018,
    }
    text = benchmarks.cluster_text(
        {"study": "6 subjects", "n_units": 24, "efficiency": 10 / 11, **seconds, "plan": plan}
    )
    assert "24 units took 9.0 s without workers, 10.0 s with one and 5.5 s with two" in text and "**91%**" in text
    assert "took 57 ms alone and 18 ms among many" in text
    assert "The study: 6 subjects." in text and "| 200 | 1.9 | 2.2 | 65% | a model |" in text


def test_a_gpu_has_a_row_for_each_solver_and_number_format():
    ridge = [{"case": "tall", "solver": "ours", "seconds": 0.5, "gb": 2.0, "ratio": 1.0, "as_good": 1.0},
             {"case": "tall", "solver": "himalaya", "left_out": "OutOfMemoryError: no"}]  # fmt: skip
    precisions = [{"model": "minilm", "dtype": "float32", "seconds": 2.0, "gb": None, "error": 0.0},
                  {"model": "minilm", "dtype": "float16", "seconds": 1.0, "gb": 1.0, "error": 4e-4}]  # fmt: skip
    device = {"device": "a GPU", "torch": "2.13", "ridge": ridge, "precisions": precisions}
    text = benchmarks.device_text(device)
    assert "| ridge, tall: ours | 0.50 | 1.0 | 2.00 | 1.0000 |" in text and "OutOfMemoryError: no" in text
    assert "| minilm, float16 | 1.00 | 0.5 | 1.00 | 4.0e-04 |" in text and text.endswith("a GPU, torch 2.13.")
    text = benchmarks.device_text({**device, "tests": {"passed": 41, "failed": 0}})
    assert text.endswith("Tests on it: 41 passed, 0 failed.")


@pytest.mark.parametrize("name", ["ridge", "cluster", "device"])
def test_files_that_are_published_are_shown(name):
    path = Path(__file__).parents[2] / "book" / "benchmarks" / f"{name}.json"
    if not path.is_file():
        pytest.skip(f"{path.name} was not measured")
    found = json.loads(path.read_text(encoding="utf-8"))
    show = {"ridge": benchmarks.peer_table, "cluster": benchmarks.cluster_text, "device": benchmarks.device_text}[name]
    assert len(show(found))


def test_what_a_newcomer_waits_for_is_a_row_for_each_step():
    assert "fresh_clone.py" in benchmarks.fresh_clone_text(None)
    fresh = {
        "machine": "2 cores", "python": "3.12.1", "date": "2026-12-01", "load": 0.1,
        "steps": {"install": 125.0, "make book again": 1.6}, "tests": {"install": "3 passed"},
        "chapters_s": {f"0{k}-a": float(k) for k in range(1, 8)},
    }  # fmt: skip
    text = benchmarks.fresh_clone_text(fresh)
    assert "| install | 2.1 min | 3 passed |" in text and "| make book again | 1.6 s | – |" in text
    assert "Python 3.12.1, 2026-12-01" in text and "07-a 7 s, 06-a 6 s" in text and "02-a" not in text
