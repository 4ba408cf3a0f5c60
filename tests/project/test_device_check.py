"""What a machine with a GPU is borrowed for, tried where there is none: the script, the benchmark, the marks."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from naturalistic.reporting import benchmarks

from tests.device import bench_device

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tests" / "device" / "check.sh"
PYTHON = """#!/bin/sh
echo "$NATURALISTIC_TEST_DEVICE: $*" >> "{log}"
case "$*" in *pytest*) exit {status};; esac
"""


def check(folder, *options, status=0):
    """Run the script with a Python that only notes what it was asked; return the exit status and the notes."""
    python, log = folder / "python", folder / "log"
    python.write_text(PYTHON.format(log=log, status=status))
    python.chmod(0o755)
    done = subprocess.run(["bash", SCRIPT, *options], env={**os.environ, "PYTHON": str(python)}, capture_output=True)
    return done.returncode, log.read_text().splitlines() if log.is_file() else []


def test_the_script_runs_tests_and_benchmarks_on_the_device(tmp_path):
    status, (tests, bench) = check(tmp_path, "--device", "cpu", "--quick", "--out", "x.json")
    assert status == 0
    assert tests.startswith("cpu: -m pytest -m gpu --junit-xml ") and tests.endswith("tests/generation")
    assert bench.startswith("cpu: tests/device/bench_device.py --device cpu --quick --tests ")
    assert bench.endswith("--out x.json")


def test_benchmarks_run_though_a_test_failed(tmp_path):
    status, (asked, tests, bench) = check(tmp_path, status=1)
    assert status == 1, "a failed test fails the script"
    assert "sees no GPU" in asked and "pytest" in tests
    assert bench.startswith("cuda: tests/device/bench_device.py --device cuda --tests ")
    assert bench.endswith("--out book/benchmarks/device.json"), "the page reads it there"


def test_an_unknown_option_runs_nothing(tmp_path):
    assert check(tmp_path, "--gpu") == (2, [])


def test_every_test_of_a_gpu_is_marked():
    """The script runs marked tests alone; one that is skipped without a GPU in another way it would not find."""
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        assert "skipif(not torch.cuda" not in text or path == Path(__file__), f"{path.name}: mark it with on_device"


def test_outcomes_are_those_of_pytest(tmp_path):
    path = tmp_path / "report.xml"
    path.write_text('<testsuites><testsuite tests="9" failures="1" errors="1" skipped="2"></testsuite></testsuites>')
    assert bench_device.outcomes(path) == {"passed": 5, "failed": 2, "skipped": 2}


@pytest.mark.slow
def test_the_benchmark_runs_on_a_cpu_and_the_page_shows_it(tmp_path, capsys):
    out = tmp_path / "new" / "device.json"
    bench_device.main(["--device", "cpu", "--quick", "--out", str(out)])
    printed = capsys.readouterr().out
    result = json.loads(out.read_text(encoding="utf-8"))
    assert [row["solver"] for row in result["ridge"]] == ["ours", "himalaya", "plain torch"] * 3
    assert not any("left_out" in row for row in result["ridge"]) and printed.rstrip().splitlines()[-1].startswith(
        "minilm"
    )
    assert min(row["as_good"] for row in result["ridge"]) > 0.9, "all solve the same problem"
    assert [row["dtype"] for row in result["precisions"]] == ["float32", "bfloat16"]
    assert result["precisions"][0]["error"] == 0 < result["precisions"][1]["error"] < 0.1
    assert benchmarks.device_text(result).startswith("**Not measured**"), "nor was it"
    text = benchmarks.device_text({**result, "quick": False})
    assert "ridge, report: himalaya" in text and "no GPU" in text
    assert os.listdir(out.parent) == ["device.json"]


def test_a_solver_that_fails_is_reported_and_the_others_go_on(monkeypatch):
    def out_of_memory(*_):
        raise MemoryError("no room")

    monkeypatch.setitem(bench_device.SOLVERS, "himalaya", out_of_memory)
    rows = bench_device.compare_ridge("cpu", True, {"tall": {**bench_device.CASES["tall"]}})
    assert rows[1]["left_out"] == "MemoryError: no room" and rows[2]["seconds"] > 0
