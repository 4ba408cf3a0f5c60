"""Memory of long work: pages of a file are given back, and a whole brain is copied no oftener than it must."""

import functools
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from naturalistic import decoding, encoding
from naturalistic.arrays import check_finite, release_pages
from naturalistic.decoding.windows import BoldWindows
from naturalistic.encoding import Split
from naturalistic.models.ridge import RidgeCV

N_VOXELS, N_REPEATS = 8000, 4
RUNS = np.repeat(np.arange(4), 120)  # the last two are tests, of thirty TRs four times
CLIPS = np.repeat(np.arange(48), 10)
MODEL = RidgeCV(np.logspace(2, 4, 2), cv=2, progress=False)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A file of BOLD (n_trs, n_voxels) as a BOLD store has it: 15 MB, one volume after another."""
    path = tmp_path_factory.mktemp("store") / "bold.npy"
    np.save(path, np.random.default_rng(0).standard_normal((len(RUNS), N_VOXELS), dtype=np.float32))
    return path


def mapped_bytes(path):
    """Return the bytes of a file that count as memory of this process."""
    mappings = Path("/proc/self/smaps")
    if not mappings.is_file():
        pytest.skip("the system does not say which pages are mapped")
    total = 0
    of_file = False
    for line in mappings.read_text().splitlines():
        first = line.split()[0]
        if not first.endswith(":"):
            of_file = line.endswith(str(path))
        elif of_file and first == "Rss:":
            total += 1024 * int(line.split()[1])
    return total


def peak_of(work):
    """Return what ``work()`` returns, and the most that its arrays held at once, in bytes."""
    tracemalloc.start()
    try:
        result = work()
        return result, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def repeats(values, runs):
    """Stack the four repeats of each test run."""
    stacked = [values[runs == run].reshape(N_REPEATS, -1, values.shape[1]) for run in np.unique(runs)]
    return np.concatenate(stacked, axis=1), np.repeat(np.unique(runs), 120 // N_REPEATS)


def test_pages_of_a_view_are_given_back_and_hold_the_same_numbers(stored):
    bold = np.load(stored, mmap_mode="r")
    view = np.asarray(bold[100:400])
    before = view.sum(dtype=np.float64)
    assert mapped_bytes(stored) > 0.9 * view.nbytes
    release_pages(view)
    assert mapped_bytes(stored) < 0.1 * view.nbytes and view.sum(dtype=np.float64) == before


def test_what_was_written_through_a_map_is_not_lost(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((300, 100)))
    for mode in ("c", "r+"):  # copy on write has its changes in memory alone
        x = np.load(tmp_path / "x.npy", mmap_mode=mode)
        x[:] = 7
        release_pages(x)
        assert (x == 7).all()
    release_pages(np.zeros(3))  # of an array there is nothing to give back
    release_pages([1, 2])


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_file_is_checked_block_by_block(tmp_path, order):
    x = np.asarray(np.random.default_rng(1).standard_normal((6000, 900), dtype=np.float32), order=order)
    x[4500, 17] = np.nan
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    check_finite(mapped[:4000], "x")
    assert mapped_bytes(tmp_path / "x.npy") < 0.1 * x.nbytes
    with pytest.raises(
        ValueError, match=r"x holds 1 value\(s\) that are NaN or infinite, the first at index \(4500, 17\)"
    ):
        check_finite(mapped, "x")


def test_windows_of_a_file_are_computed_run_by_run(stored):
    bold = np.load(stored, mmap_mode="r")
    windows = decoding.window_bold(bold, CLIPS, RUNS, 5.0, 1.5, 3.0)
    assert mapped_bytes(stored) < 0.3 * bold.nbytes
    np.testing.assert_array_equal(windows.bold, decoding.window_bold(np.array(bold), CLIPS, RUNS, 5.0, 1.5, 3.0).bold)


def test_windows_are_paired_without_a_copy_where_all_are_there():
    windows = BoldWindows(np.random.default_rng(2).standard_normal((6, 3, 5), dtype=np.float32), np.arange(6))
    vectors = np.arange(36.0).reshape(6, 3, 2)
    pairs = decoding.pair_windows(windows, vectors)
    assert np.shares_memory(pairs.bold, windows.bold)
    np.testing.assert_array_equal(pairs.bold, windows.bold.reshape(18, 5))
    windows.bold[2, 1] = np.nan
    fewer = decoding.pair_windows(windows, vectors)
    assert len(fewer.bold) == 17 and not np.shares_memory(fewer.bold, windows.bold)


@pytest.mark.parametrize("strategy", ["parcels", "voxels"])
def test_a_decoder_holds_one_scaled_copy(strategy):
    rng = np.random.default_rng(3)
    bold = rng.standard_normal((120, 4 * N_VOXELS), dtype=np.float32)
    targets = bold[:, :2] + rng.standard_normal((120, 2), dtype=np.float32)
    options = {"parcels": np.arange(bold.shape[1]) * 40 // bold.shape[1], "n_best": 3}
    options = options if strategy == "parcels" else {"n_voxels": 100}
    fit = functools.partial(decoding.fit_decoder, strategy=strategy, model=MODEL, **options)
    _, peak = peak_of(lambda: fit(bold, targets, np.arange(120)))
    assert peak < 2.2 * bold.nbytes, f"{peak / bold.nbytes:.1f} times the BOLD"


def test_repeats_are_averaged_block_by_block(stored, monkeypatch):
    monkeypatch.setattr("naturalistic.arrays.BLOCK", 2**17)  # the brain is small too
    bold = np.load(stored, mmap_mode="r")
    features = np.random.default_rng(4).standard_normal((len(RUNS), 3), dtype=np.float32)
    fitted = encoding.fit(features, bold, MODEL, Split(RUNS >= 2, RUNS, 1.0, [0], repeats=repeats))
    prediction, peak = peak_of(fitted.predict)
    results = prediction.measured.nbytes + prediction.predicted.nbytes
    assert mapped_bytes(stored) < 0.3 * bold.nbytes
    assert peak < results + 0.3 * bold.nbytes  # half of it is tested
    part = fitted.predict(slice(10, 700))
    np.testing.assert_array_equal(part.measured, prediction.measured[:, 10:700])
    np.testing.assert_allclose(part.predicted, prediction.predicted[:, 10:700], atol=1e-6)
    by_hand, _ = repeats(bold[RUNS >= 2], RUNS[RUNS >= 2])
    expected = by_hand.mean(axis=0).reshape(2, -1, N_VOXELS)
    expected = (expected - expected.mean(axis=1, keepdims=True)).reshape(-1, N_VOXELS)
    np.testing.assert_allclose(prediction.measured, expected, atol=1e-5)
