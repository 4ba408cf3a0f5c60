"""Units on workers: the numbers of one process, nothing twice, and faults that are said."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from naturalistic import cluster
from naturalistic.cache import RequestError
from naturalistic.units import UnitError

from tests.helpers.slurm import jobs_in_queue, running_slurm
from tests.helpers.unit_functions import always_killed, fails_at, killed_once, moments, noted, returns

ROOT = Path(__file__).parents[2]
X = np.random.default_rng(0).normal(size=(400, 50)).astype(np.float32)
EXPECTED = [moments(X, power)["total"] for power in range(1, 6)]
JOBS = """\
jobs: 2
jobqueue:
  slurm:
    cores: 1
    memory: 900MB
    interface: lo
    walltime: "00:05:00"
    log-directory: {logs}
"""


def units_of(log=None, **more):
    return [{"x": X, "power": power, "log": None if log is None else str(log), **more} for power in range(1, 6)]


def assert_expected(results):
    for result, expected in zip(results, EXPECTED, strict=True):
        np.testing.assert_array_equal(result["total"], expected)


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory):
    """Two workers of Dask on this machine, and the folder that they share."""
    with cluster.connect("dask", folder=tmp_path_factory.mktemp("units"), n_workers=2) as workers:
        yield workers


def test_local_needs_no_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with cluster.connect() as workers:
        assert_expected(workers.map(moments, units_of()))
        assert "1 at work, results in memory" in repr(workers)
    assert not os.listdir(tmp_path)


def test_local_goes_on_where_it_was_stopped(tmp_path):
    log = tmp_path / "log"
    units = [{"power": power, "bad": 3, "log": str(log)} for power in range(1, 6)]
    with cluster.connect(folder=tmp_path / "units") as workers:
        for _ in range(2):
            with pytest.raises(ArithmeticError, match="power 3 is bad"):
                workers.map(fails_at, units)
    assert noted(log) == [1, 2, 3, 3]


@pytest.mark.parametrize("value", [[1], {"a": {1}}])
def test_results_are_of_one_kind_in_memory_too(value):
    with cluster.connect() as workers, pytest.raises(UnitError, match="expected a dict"):
        workers.map(returns, [{"value": value}])


@pytest.mark.slow
def test_workers_give_the_same_numbers_once(two_workers, tmp_path):
    log = tmp_path / "log"
    units = units_of(log, seconds=0.2)
    first = two_workers.map(moments, [*units, *units[:2]])  # asked for twice
    again = two_workers.map(moments, units)
    assert_expected(first[:5])
    assert_expected(again)
    assert sorted(noted(log)) == [1, 2, 3, 4, 5]
    assert len({int(result["pid"]) for result in first}) == 2
    assert all(result["map"] for result in first)
    assert os.getpid() not in {int(result["pid"]) for result in first}


@pytest.mark.slow
def test_killed_worker_costs_its_unit_alone(two_workers, tmp_path):
    log = tmp_path / "log"
    assert_expected(two_workers.map(killed_once, units_of(log, seconds=0.1)))
    assert sorted(noted(log)) == [1, 2, 2, 3, 4, 5]


@pytest.mark.slow
def test_error_of_a_unit_is_raised_and_the_others_stay(two_workers, tmp_path):
    log = tmp_path / "log"
    units = [{"power": power, "bad": 3, "log": str(log)} for power in range(1, 6)]
    with pytest.raises(ArithmeticError, match="power 3 is bad"):
        two_workers.map(fails_at, units)
    time.sleep(0.5)  # those already at work end
    done = set(noted(log))
    results = two_workers.map(fails_at, [unit for unit in units if unit["power"] in done - {3}])
    assert [int(r["power"]) for r in results] == sorted(done - {3})
    assert len(noted(log)) == len(done)


@pytest.mark.slow
def test_unit_that_kills_every_worker_is_an_error():
    with (
        cluster.connect("dask", n_workers=1) as workers,
        pytest.raises(UnitError, match=r"always_killed.* was lost with 4 workers one after another"),
    ):
        workers.map(always_killed, [{"power": 1}])


@pytest.mark.slow
def test_restarted_scheduler_is_found_again(tmp_path):
    address = f"tcp://127.0.0.1:{free_port()}"
    log = tmp_path / "log"
    processes = start_dask(address)
    try:
        with cluster.connect(address, folder=tmp_path / "units", timeout=60) as workers:
            restarted = restart_after(log, processes, address)
            assert_expected(workers.map(moments, units_of(log, seconds=1.0)))
            processes = restarted()
    finally:
        for process in processes:
            process.kill()
            process.wait()
    counts = noted(log)
    assert set(counts) == {1, 2, 3, 4, 5}
    assert counts.count(1) == 1  # it was done before


def restart_after(log, processes, address):
    """Kill scheduler and worker once two units have begun, and start both again, in a thread."""
    import threading

    started = []

    def work():
        while not log.exists() or len(noted(log)) < 2:
            time.sleep(0.05)
        for process in processes:
            process.kill()
            process.wait()
        started.extend(start_dask(address))

    thread = threading.Thread(target=work)
    thread.start()

    def finished():
        thread.join()
        return started

    return finished


def start_dask(address):
    """Start a scheduler and one worker."""
    port = address.rpartition(":")[2]
    module = [sys.executable, "-m"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": ROOT}
    common = ["--host", "127.0.0.1", "--no-dashboard"]
    scheduler = [*module, "distributed.cli.dask_scheduler", *common, "--port", port]
    worker = [*module, "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    return [subprocess.Popen(scheduler, **quiet), subprocess.Popen(worker, **quiet)]


def free_port():
    import socket

    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def test_nobody_at_an_address_is_said(tmp_path):
    address = f"tcp://127.0.0.1:{free_port()}"
    with pytest.raises(RequestError, match=f"no scheduler answers at {address}"):
        with cluster.connect(address, folder=tmp_path, timeout=1):
            pass


@pytest.mark.parametrize("name", ["loky", "Local", "host:8786", "", "slurm"])
def test_unknown_cluster_is_refused(name):
    with pytest.raises(RequestError, match="expected 'local', 'dask', the address of a scheduler"):
        with cluster.connect(name):
            pass


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("jobs: [", "is no YAML"),
        ("", "has no section jobqueue"),
        ("jobqueue: {slurm: {cores: 1, memory: 1GB}, pbs: {}}", "one batch system"),
        ("jobqueue: {slrum: {cores: 1, memory: 1GB}}", "did you mean 'slurm'"),
        ("jobqueue: {slurm: {cores: 1}}", "needs cores and memory"),
        ("jobqueue: {slurm: {cores: 1, memory: 1GB, wall-time: 1}}", "no option 'wall-time'.*'walltime'"),
        ("{jobs: 0, jobqueue: {slurm: {cores: 1, memory: 1GB}}}", "jobs is 0"),
        ("{jobs: many, jobqueue: {slurm: {cores: 1, memory: 1GB}}}", "jobs is 'many'"),
    ],
)
def test_wrong_file_of_jobs_is_refused(tmp_path, text, message):
    path = tmp_path / "jobs.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RequestError, match=message) as caught:
        with cluster.connect(path, folder=tmp_path):
            pass
    assert str(path) in str(caught.value)


def test_absent_file_of_jobs_is_named(tmp_path):
    with pytest.raises(RequestError, match=r"absent\.yaml cannot be read \(No such file"):
        with cluster.connect(tmp_path / "absent.yaml", folder=tmp_path):
            pass


def test_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").touch()
    for name in ("local", "dask"):
        with pytest.raises(RequestError, match="is a file; expected a folder"):
            with cluster.connect(name, folder=tmp_path / "file" / "units"):
                pass


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    """Environment of a real SLURM on this machine."""
    with running_slurm(tmp_path_factory.mktemp("slurm")) as environment:
        yield environment


@pytest.fixture
def jobs_file(tmp_path, slurm, monkeypatch):
    """YAML file of two jobs of it."""
    monkeypatch.setenv("SLURM_CONF", slurm["SLURM_CONF"])
    monkeypatch.setenv("PATH", slurm["PATH"])
    monkeypatch.chdir(ROOT)
    path = tmp_path / "slurm.yaml"
    path.write_text(JOBS.format(logs=tmp_path / "logs"), encoding="utf-8")
    return path


@pytest.mark.slow
def test_slurm_gives_the_same_numbers_and_leaves_no_job(jobs_file, slurm, tmp_path):
    log = tmp_path / "log"
    with cluster.connect(jobs_file, folder=tmp_path / "units", timeout=120) as workers:
        assert jobs_in_queue(slurm)
        results = workers.map(killed_once, units_of(log, seconds=0.3))
        assert_expected(results)
    assert sorted(noted(log)) == [1, 2, 2, 3, 4, 5]
    assert_queue_empty(slurm)
    with cluster.connect(folder=tmp_path / "units") as workers:  # all are there
        assert_expected(workers.map(killed_once, units_of(log, seconds=0.3)))
    assert len(noted(log)) == 6


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_leaves_no_job(jobs_file, slurm, tmp_path, number):
    log = tmp_path / "log"
    code = f"""
import signal
import numpy as np
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
from naturalistic import cluster
from tests.helpers.unit_functions import moments
with cluster.connect({str(jobs_file)!r}, folder={str(tmp_path / "units")!r}, timeout=120) as workers:
    workers.map(moments, [dict(x=np.ones((4, 2)), power=k, log={str(log)!r}, seconds=60.0) for k in range(4)])
print("came to its end")
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    end = time.monotonic() + 120
    while not log.exists() and time.monotonic() < end:
        time.sleep(0.1)
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)
    assert log.exists(), stderr
    assert process.returncode != 0, stdout + stderr
    assert_queue_empty(slurm)


def assert_queue_empty(environment):
    end = time.monotonic() + 20
    while jobs_in_queue(environment) and time.monotonic() < end:
        time.sleep(0.2)
    assert jobs_in_queue(environment) == []
