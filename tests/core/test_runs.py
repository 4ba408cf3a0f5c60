"""Runs as slices, and run ids that do not fit."""

import pytest
from naturalistic.runs import check_runs, run_slices


def test_run_slices_follow_the_ids():
    assert run_slices(["b", "b", "a", "c", "c", "c"]) == [slice(0, 2), slice(2, 3), slice(3, 6)]
    assert run_slices(None, 4) == [slice(0, 4)]
    assert run_slices([], 0) == []


def test_runs_must_fit_and_be_contiguous():
    with pytest.raises(ValueError, match=r"runs has shape \(3,\), expected \(4,\)"):
        check_runs([0, 0, 1], 4)
    with pytest.raises(ValueError, match="run 0 comes in more than one stretch"):
        check_runs([0, 1, 0], 3)
