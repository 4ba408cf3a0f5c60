"""A unit's key follows function, arguments and code; its result is whole or absent; a worker is checked first."""

import resource
import signal

import numpy as np
import pytest
from naturalistic import units
from naturalistic.units import UnitError, check_worker, make_unit, read_result, requirements_of, run_unit

from tests.helpers.unit_functions import moments, noted, returns

X = np.random.default_rng(0).normal(size=(400, 50)).astype(np.float32)


def test_result_is_that_of_the_call(tmp_path):
    unit = make_unit(moments, {"x": X, "power": 2}, tmp_path)
    run_unit(unit, tmp_path)
    result = read_result(unit, tmp_path)
    np.testing.assert_array_equal(result["total"], moments(X, 2)["total"])
    assert result["power"] == 2 and result["map"]


def test_large_arrays_are_stored_once_by_content(tmp_path):
    nested = {"x": X, "power": 1}
    first = make_unit(moments, nested, tmp_path)
    second = make_unit(moments, {"x": X.copy(), "power": 2}, tmp_path)
    assert first.arguments["x"] == second.arguments["x"]
    assert len(list(tmp_path.rglob("*.npy"))) == 1
    assert make_unit(returns, {"value": [{"a": X}, (X, 3)]}, tmp_path).arguments["value"][1][0] == first.arguments["x"]


def test_stored_arrays_come_back_inside_lists_and_dicts(tmp_path):
    unit = make_unit(returns, {"value": {"a": X, "b": 2}}, tmp_path)
    run_unit(unit, tmp_path)
    result = read_result(unit, tmp_path)
    np.testing.assert_array_equal(result["a"], X)
    assert result["b"] == 2


def test_key_changes_with_everything_that_decides(tmp_path, monkeypatch):
    def key(function=moments, **change):
        return make_unit(function, {"x": X, "power": 2} | change, tmp_path).key

    other = X.copy()
    other[3, 7] += 1
    base = key()
    assert key() == base == key(x=X.copy())
    small = [key(x=X[:3]), key(x=X[:3] + 1)]  # these travel with the call
    keys = [base, key(power=3), key(power=2.0), key(x=other), key(x=X[:, ::-1]), key(x=X.astype(float)), *small]
    keys += [key(returns, value=1), key(x=X.reshape(800, 25))]
    monkeypatch.setattr(units, "library_code", lambda: "another")
    keys.append(key())
    assert len(set(keys)) == len(keys)


def test_key_follows_the_text_of_a_function_of_ones_own(tmp_path, monkeypatch):
    before = make_unit(returns, {"value": 1}, tmp_path).key
    monkeypatch.setattr(units.inspect, "getsource", lambda function: "def returns(value): ...")
    assert make_unit(returns, {"value": 1}, tmp_path).key != before


def test_finished_unit_is_not_computed_again(tmp_path):
    unit = make_unit(moments, {"x": X, "power": 2, "log": str(tmp_path / "log")}, tmp_path)
    for _ in range(3):
        run_unit(unit, tmp_path)
    assert noted(tmp_path / "log") == [2]


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 half of a file"])
def test_damaged_result_is_computed_again(tmp_path, damage):
    unit = make_unit(moments, {"x": X, "power": 2}, tmp_path)
    run_unit(unit, tmp_path)
    unit.path(tmp_path).write_bytes(damage)
    assert read_result(unit, tmp_path) is None
    run_unit(unit, tmp_path)
    assert read_result(unit, tmp_path)["power"] == 2


@pytest.mark.parametrize("value", [[1, 2], None, {"a": {1, 2}}, {"a": np.array([{}])}])
def test_other_results_are_refused(tmp_path, value):
    unit = make_unit(returns, {"value": value}, tmp_path)
    with pytest.raises(UnitError, match="expected a dict of arrays, numbers and text"):
        run_unit(unit, tmp_path)
    assert not unit.path(tmp_path).exists()


def test_result_that_does_not_fit_leaves_nothing(tmp_path):
    unit = make_unit(returns, {"value": {"x": X}}, tmp_path)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limit[1]))
    try:
        with pytest.raises(OSError):
            run_unit(unit, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, ignored)
    assert not list((tmp_path / units.RESULTS).rglob("*.*"))
    run_unit(unit, tmp_path)
    np.testing.assert_array_equal(read_result(unit, tmp_path)["x"], X)


def test_worker_that_sees_another_folder_is_named(tmp_path):
    required = requirements_of(tmp_path / "shared")
    assert requirements_of(tmp_path / "shared") == required
    check_worker(tmp_path / "shared", required)
    with pytest.raises(UnitError, match=f"shared folder {tmp_path}/absent is not there; name a folder"):
        check_worker(tmp_path / "absent", required)
    requirements_of(tmp_path / "other")
    with pytest.raises(UnitError, match=f"{tmp_path}/other is another folder there"):
        check_worker(tmp_path / "other", required)


def test_worker_with_other_versions_is_named(tmp_path, monkeypatch):
    required = requirements_of(tmp_path)
    monkeypatch.setattr(units.np, "__version__", "1.0")
    with pytest.raises(UnitError, match=r"has numpy 1\.0 \(here .*start workers from the same environment"):
        check_worker(tmp_path, required)
    monkeypatch.undo()
    monkeypatch.setattr(units, "library_code", lambda: "f" * 64)
    unit = make_unit(moments, {"x": X, "power": 1}, tmp_path)
    with pytest.raises(UnitError, match=r"naturalistic ffffffffffff \(here "):
        run_unit(unit, tmp_path, required)
