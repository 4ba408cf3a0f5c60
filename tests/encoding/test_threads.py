"""Folds and parts of a curve side by side in threads: the same results, a thread of BLAS each, functions one by one."""

import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from naturalistic import encoding
from naturalistic.models.banded import BandedRidgeCV, nested_gammas
from naturalistic.models.engine import device
from naturalistic.models.ridge import RidgeCV
from threadpoolctl import threadpool_info

RUNS = np.repeat(np.arange(4), 60)
SPLIT = encoding.FoldSplit(RUNS, 4, 2.0, [2, 4], RUNS)
ONE = encoding.Split(RUNS == 3, RUNS, 2.0, [2, 4])
RIDGE = RidgeCV(np.logspace(0, 4, 5), cv=3, scoring="r2", progress=False)
BANDED = BandedRidgeCV(np.logspace(0, 4, 3), 3, nested_gammas(2, 2), scoring="r2", progress=False)


@pytest.fixture
def simulated():
    rng = np.random.default_rng(0)
    spaces = {name: rng.standard_normal((240, n)).astype(np.float32) for name, n in (("a", 6), ("b", 9))}
    late = np.roll(spaces["a"], 2, axis=0) @ rng.standard_normal((6, 20))
    return spaces, (late + rng.standard_normal((240, 20))).astype(np.float32)


@pytest.fixture
def threads():
    """Set the number of torch's threads, and put back what it was."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def predict(spaces, bold):
    shifts = np.array([[0, 0, 0, 0], [9, 20, 31, 40]])
    confounds = np.random.default_rng(1).standard_normal((240, 2))
    prediction = encoding.fit_predict(spaces, bold, RIDGE, SPLIT, confounds=confounds, shifts=shifts)
    return prediction.measured, prediction.predicted, prediction.cv_scores, prediction.fold


def join(spaces, bold):
    joint = encoding.joint_model(spaces, bold, BANDED, SPLIT)
    return joint.gammas, joint.r_by_space, encoding.unique_variance(joint)


def learn(spaces, bold):
    curve = encoding.learning_curve(spaces, bold, RIDGE, ONE, minutes=[3, 1.5, 6, 4], gap=2)
    return curve.minutes, curve.r


@pytest.mark.parametrize("function", [predict, join, learn])
def test_two_threads_give_the_results_of_one(function, simulated, threads):
    threads(1)
    expected = function(*simulated)
    threads(2)
    found = function(*simulated)
    assert torch.get_num_threads() == 2
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    threads(1)
    other = function(simulated[0], np.roll(simulated[1], 1, axis=0))
    assert not np.allclose(expected[1], other[1], atol=1e-3)  # the comparison can fail


def test_folds_have_one_thread_of_blas_each_and_functions_are_called_by_one(simulated, threads):
    spaces, bold = simulated
    inside = []
    seen = []

    def watched(mask):
        inside.append(threading.get_ident())
        assert len(inside) == 1
        blas = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
        seen.append((threading.get_ident(), torch.get_num_threads(), max(blas)))
        time.sleep(0.02)
        inside.pop()
        return spaces

    threads(2)
    found = encoding.fit_predict(watched, lambda mask: (watched(mask), bold)[1], RIDGE, replace(SPLIT))
    np.testing.assert_allclose(found.predicted, encoding.fit_predict(spaces, bold, RIDGE, SPLIT).predicted, atol=1e-6)
    assert len(seen) == 8 and {one[1:] for one in seen} == {(1, 1)}
    assert threading.get_ident() not in {one[0] for one in seen}


def test_folds_that_do_not_fit_into_memory_are_fitted_one_after_another(simulated, threads, monkeypatch):
    callers = []
    monkeypatch.setattr(device, "free_memory", lambda _: 2**20)

    def of_fold(mask):
        callers.append(threading.get_ident())
        return simulated[0]

    threads(2)
    encoding.fit_predict(of_fold, simulated[1], RIDGE, SPLIT)
    assert set(callers) == {threading.get_ident()}


def test_items_run_in_parallel_as_far_as_memory_goes(threads, monkeypatch):
    threads(3)
    monkeypatch.setattr(device, "free_memory", lambda _: 10 * 2**30)
    lock = threading.Lock()
    now = [0]
    most = [0]

    def work(item):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.02)
        with lock:
            now[0] -= 1
        return item

    for n_bytes, expected in ((0, 3), (2**20, 3), (2 * 2**30, 2), (4 * 2**30, 1), (20 * 2**30, 1)):
        most[0] = 0
        assert list(device.in_parallel(work, range(6), torch.device("cpu"), n_bytes)) == list(range(6))
        assert most[0] == expected
