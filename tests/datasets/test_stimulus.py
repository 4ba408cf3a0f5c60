"""Tables of features beside the annotations of a film, which any data set may have."""

from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
from naturalistic.datasets import stimulus


class Run(NamedTuple):
    name: str
    n_seconds: int
    n_overlap: int
    repeat_of: str | None


def movie(folder, *runs):
    known = [Run(*run) for run in runs]
    return SimpleNamespace(
        folder=folder, select=lambda wanted: [r for r in known if wanted is None or r.name in wanted]
    )


def write(folder, run, text, place="annotation", name="features_each1sec"):
    path = folder / "derivatives" / place / f"{run}_{name}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


RUNS = (("a_run-01", 3, 0, None), ("a_run-02", 4, 2, None), ("a_run-03", 4, 2, "a_run-02"))


def test_seconds_in_order_of_runs_without_overlaps(tmp_path):
    write(tmp_path, "a_run-01", "luminance\tcuts\n0.1\t1\n0.2\t0\n0.3\t0\n")
    write(tmp_path, "a_run-02", "luminance\tcuts\n9\t9\n9\t9\n0.4\t1\n0.5\t0\n")
    found = stimulus.stimulus_features(movie(tmp_path, *RUNS))
    assert list(found) == ["luminance", "cuts"] and found["cuts"].dtype == np.float32
    np.testing.assert_allclose(
        found["luminance"], [0.1, 0.2, 0.3, 0.4, 0.5, 0.4, 0.5]
    )  # the last run repeats the second
    np.testing.assert_allclose(stimulus.stimulus_features(movie(tmp_path, *RUNS), ["a_run-02"])["cuts"], [1, 0])


def test_tables_of_the_first_edition(tmp_path):
    for run, n in (("a_run-01", 3), ("a_run-02", 4)):
        write(tmp_path, run, "cuts\n" + "1\n" * n, "stimulus", "each1sec")
    assert stimulus.stimulus_features(movie(tmp_path, *RUNS))["cuts"].tolist() == [1] * 7
    write(tmp_path, "a_run-01", "cuts\n2\n2\n2\n")
    assert stimulus.stimulus_features(movie(tmp_path, *RUNS), ["a_run-01"])["cuts"].tolist() == [2] * 3


def test_data_without_such_files(tmp_path):
    assert stimulus.stimulus_features(movie(tmp_path, *RUNS)) == {}


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("", None, "a_run-01_features_each1sec.tsv is empty, expected the names of columns"),
        ("x\n1\n2\n3\n", None, "a_run-02_features_each1sec.tsv is missing, while a_run-01"),
        ("x\n1\n2\n", "x\n1\n1\n1\n1\n", "has 2 rows, expected 3, one a second of a_run-01"),
        ("x\n1\n2\n3\n", "y\n1\n1\n1\n1\n", "has the columns y, other files x"),
        ("x\n1\nloud\n3\n", "x\n1\n1\n1\n1\n", "expected 1 numbers in each row"),
        ("x\n1\nnan\n3\n", "x\n1\n1\n1\n1\n", "line 3 has no number"),
        ("x\ty\n1\t2\n1\n3\t1\n", "x\ty\n1\t1\n1\t1\n1\t1\n1\t1\n", "expected 2 numbers in each row"),
    ],
)
def test_bad_files(tmp_path, first, second, message):
    write(tmp_path, "a_run-01", first)
    if second:
        write(tmp_path, "a_run-02", second)
    with pytest.raises((ValueError, FileNotFoundError)) as error:
        stimulus.stimulus_features(movie(tmp_path, *RUNS))
    assert message in str(error.value)
