"""Tables of the page of benchmarks: they follow the files."""

import pandas as pd
from naturalistic.reporting import benchmarks

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
    assert table.loc["two"].tolist() == ["1.5", "2.0", "2.5", "10", "2", "space = mni, n = 3"]


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
