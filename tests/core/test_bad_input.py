"""What no chapter ever asks for is refused, in words that say what was expected: one table, from all of the library."""

import types
import warnings
from functools import partial

import numpy as np
import pytest
from naturalistic import decoding
from naturalistic.anatomy.surface import meshes
from naturalistic.datasets.repeats import repeated_runs
from naturalistic.datasets.subject import Subject
from naturalistic.encoding.multi_subject import MultiSubjectBold
from naturalistic.features.audio import windows
from naturalistic.generation.generator import check_dim
from naturalistic.inference import nulls
from naturalistic.models import ridge
from naturalistic.models.engine import device
from naturalistic.plotting import interactive
from naturalistic.preprocessing import cortex_mask, estimate_motion, registration, to_mni
from naturalistic.preprocessing.store import _locate
from naturalistic.reporting import results

from tests.helpers.simulated_head import grid, image

A = np.random.default_rng(0).standard_normal((20, 15))
SHAPE, AFFINE = grid(8.0)


class OnDisk:
    """Looks like a data set on disk that has no target."""

    shape, dtype = (20, 0), np.dtype("float32")

    def __getitem__(self, index):
        raise AssertionError("it was read")


def subject_on(mesh):
    bold = np.zeros((10, 3), np.float32)
    return Subject("001", bold, np.zeros(10, int), ("a",), 2.0, mesh, locate=partial(_locate, None, mesh))


def repeated(counts):
    """Stack test runs of which run k was shown ``counts[k]`` times."""
    names = [[f"run{k}-{repeat}" for repeat in range(n)] for k, n in enumerate(counts)]
    repeats = [tuple(group) for group in names if len(group) > 1]
    return repeated_runs([name for group in names for name in group], [10] * sum(counts), repeats)


def away(t1w):
    """Register a head whose anatomy lies a metre beside it."""
    far = AFFINE.copy()
    far[0, 3] += 1000
    return to_mni(t1w, AFFINE, t1w=t1w, t1w_affine=far)


REFUSED = {
    "no permutation": (
        lambda: nulls.draw_shifts(None, 0, n_trs=50),
        r"n_permutations is 0, expected a whole number of at least 1: 1000 gives p of 0\.001",
    ),
    "targets on disk without a column": (
        lambda: ridge.RidgeCV([1.0]).fit(A, OnDisk(), groups=np.arange(20) // 2),
        r"Y has shape \(20, 0\), expected \(n_samples, n_targets\) with one target or more",
    ),
    "an empty clip": (
        lambda: windows.check_waveforms([np.zeros(0), np.zeros(0)], 22050),
        "waveforms has a clip of no samples, expected clips of a window or more",
    ),
    "one row to align": (
        lambda: decoding.align(A[0], A, np.arange(20), n_components=5),
        r"source has shape \(15,\), expected \(n_rows, n_voxels\)",
    ),
    "one row to calibrate": (
        lambda: decoding.calibrate(A[:1], A[:1]),
        r"targets has 1 row\(s\), expected 2 or more: a scale needs variation",
    ),
    "features of a tagger in one dimension": (
        lambda: decoding.fit_tagger(A[0], ["a"] * 15),
        r"features has shape \(15,\), expected \(n_clips, n_features\)",
    ),
    "batches of nothing": (
        lambda: decoding.build_index("nowhere", ["a"], A[:1], {"name": "x"}, batch_size=0),
        "batch_size is 0, expected a whole number of at least 1",
    ),
    "a generator of another space": (
        lambda: check_dim(types.SimpleNamespace(name="mini", dim=128), types.SimpleNamespace(name="clap", dim=512)),
        "generator mini takes vectors of 128 dimensions, and clap has 512: mini goes with mini-mulan",
    ),
    "test runs shown unequally often": (
        lambda: repeated([2, 1]),
        r"the test runs run0-0, run0-1, run1-0 were not all shown equally often .*take some of the runs",
    ),
    "a grid of two axes": (
        lambda: cortex_mask(SHAPE[:2], AFFINE, np.eye(4)),
        r"shape is \(\d+, \d+\), expected three numbers of voxels",
    ),
    "a mesh that is not shipped": (
        lambda: subject_on("fsaverage6").coordinates,
        "the mesh of fsaverage6 is not at hand; ask fMRIPrep for fsaverage5",
    ),
    "a mask of a few voxels": (
        lambda: estimate_motion([image(SHAPE, AFFINE)], image(SHAPE, AFFINE), AFFINE, corner()),
        "mask leaves 0 points to compare, too few to tell how the head moved",
    ),
}


def corner():
    mask = np.zeros(SHAPE, bool)
    mask[0, 0, 0] = True
    return mask


@pytest.mark.parametrize(("call", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_shifts_of_so_many_runs_that_they_cannot_be_counted():
    """More than 2^62 combinations: drawn one by one, as evenly as those that are numbered."""
    runs = np.repeat(np.arange(12), 100)
    shifts = nulls.draw_shifts(runs, 500, min_shift=5, seed=1)
    assert 91**12 > 2**62 and shifts.shape == (500, 12) and len(np.unique(shifts, axis=0)) == 500
    assert shifts.min() == 5 and shifts.max() == 95
    np.testing.assert_array_equal(shifts, nulls.draw_shifts(runs, 500, min_shift=5, seed=1))
    assert (np.abs(shifts.mean(axis=0) - 50) < 6).all()  # 4.5 standard errors


def test_columns_side_by_side_are_neighbors():
    with pytest.raises(IndexError, match="columns are taken every 2, expected neighbors"):
        MultiSubjectBold({"a": A})[:, ::2]


def test_an_anatomy_that_lies_elsewhere():
    with pytest.raises(ValueError, match="no match was found: the images hold nothing in common where they lie"):
        away(image(SHAPE, AFFINE))


@pytest.mark.parametrize(("overlap", "said"), [(0.95, ""), (0.9, ""), (0.85, "the brains overlap 0.85; look at")])
def test_a_poor_match_warns_and_a_good_one_does_not(overlap, said):
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        registration._judge(overlap)
    assert [said in str(one.message) for one in heard] == [True] * bool(said)


def test_hemispheres_of_two_kinds(monkeypatch):
    left, right = meshes("inflated")
    other = types.SimpleNamespace(faces=right.faces[::-1], coordinates=right.coordinates)
    monkeypatch.setattr(interactive, "meshes", lambda kind: (left, other))
    with pytest.raises(ValueError, match="the hemispheres of fsaverage5 differ in their triangles"):
        interactive._mesh()


def test_free_memory_where_the_system_does_not_say(monkeypatch):
    """As on a Mac, and on a system that tells nothing at all."""
    cpu = types.SimpleNamespace(type="cpu")
    known = device.free_memory(cpu)

    def nothing(*_):
        raise OSError

    monkeypatch.setattr(device, "open", nothing, raising=False)
    pages = {"SC_AVPHYS_PAGES": 1000, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr(device.os, "sysconf", pages.__getitem__)
    assert device.free_memory(cpu) == 4_096_000 != known
    monkeypatch.setattr(device.os, "sysconf", nothing)
    assert device.free_memory(cpu) == 2 * 1024**3


def test_numbers_that_nobody_published_or_measured(tmp_path, monkeypatch):
    with pytest.raises(KeyError, match=r"no numbers of 'denk2024' are known; there are those of denk2023, "):
        results.published("denk2024")
    with pytest.raises(FileNotFoundError, match="no benchmark 'speed': work inside a checkout, and run make bench"):
        results.load_benchmark("speed")
    monkeypatch.chdir(tmp_path)
    assert results.find_repository() is None
    with pytest.raises(FileNotFoundError, match="no benchmark 'ridge': work inside a checkout"):
        results.load_benchmark("ridge")


def test_the_most_probable_class():
    """That of the largest probability, whatever the order of the names."""
    features = np.repeat(np.eye(3), 20, axis=0) + 0.01 * np.random.default_rng(1).standard_normal((60, 3))
    genres = np.repeat(["rock", "blues", "jazz"], 20)
    tagger = decoding.fit_tagger(features, genres)
    assert tagger.predict(np.eye(3)).tolist() == ["rock", "blues", "jazz"]
