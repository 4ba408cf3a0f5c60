"""Color layout, optical flow and motion energy: against plain numpy, known motion and pymoten."""

import sys

import numpy as np
import pytest
from naturalistic.features import video
from naturalistic.features.video import motion
from scipy import ndimage


def textured(seed=0):
    picture = ndimage.gaussian_filter(np.random.default_rng(seed).random((160, 160, 3)), (2, 2, 0))
    return (picture - picture.min()) / np.ptp(picture)


def moving(dx, dy, n_frames=5, size=64):
    """A film of a texture that goes ``dx`` to the right and ``dy`` down a frame."""
    picture = textured()
    frames = [ndimage.shift(picture, (k * dy, k * dx, 0), order=1, mode="wrap") for k in range(n_frames)]
    return (255 * np.stack(frames)[:, 48 : 48 + size, 48 : 48 + size]).round().astype(np.uint8)


# --- layout ---------------------------------------------------------------------------------------------------------


def test_layout_is_the_mean_of_each_cell():
    films = np.random.default_rng(0).integers(0, 256, (2, 3, 16, 24, 3), np.uint8)
    layout = video.color_layout(films)
    expected = films.reshape(2, 3, 8, 2, 8, 3, 3).mean((3, 5)).reshape(2, 3, -1) / 255
    assert layout.dtype == np.float32
    np.testing.assert_allclose(layout, expected, atol=1e-6)
    np.testing.assert_array_equal(video.color_layout(films[1]), layout[1])
    np.testing.assert_allclose(video.color_layout(films, per_film=True), expected.mean(1), atol=1e-6)
    assert video.color_layout(films[0], per_film=True).shape == (192,)


def test_layout_of_a_size_that_cells_do_not_divide():
    frames = np.random.default_rng(0).integers(0, 256, (2, 30, 50, 3), np.uint8)
    layout = video.color_layout(frames, (7, 4))
    fine = frames.repeat(7, axis=1).repeat(4, axis=2)  # each cell a whole number of these
    np.testing.assert_allclose(layout, video.color_layout(fine, (7, 4)), atol=1e-5)
    flat = video.color_layout(np.full((1, 31, 47, 3), 51, np.uint8))
    np.testing.assert_allclose(flat, 0.2, atol=1e-6)


def test_a_layout_is_drawn_and_read_again():
    layout = np.random.default_rng(0).random((2, 4, 192)).astype(np.float32)
    frames = video.layout_frames(layout, (64, 48), smooth=False)
    assert frames.shape == (2, 4, 64, 48, 3) and frames.dtype == np.uint8
    np.testing.assert_allclose(video.color_layout(frames), layout, atol=0.003)
    smooth = video.layout_frames(layout[0], (64, 64))
    assert np.corrcoef(video.color_layout(smooth).ravel(), layout[0].ravel())[0, 1] > 0.9
    outside = video.layout_frames(np.array([-1.0, 0.5, 2.0]), (2, 2), (1, 1))
    np.testing.assert_array_equal(outside[0, 0], [0, 128, 255])


@pytest.mark.parametrize(
    ("frames", "grid", "error", "message"),
    [
        (np.zeros((3, 16, 16, 3)), (8, 8), TypeError, "is of float64, expected uint8"),
        (np.zeros((3, 16, 16), np.uint8), (8, 8), ValueError, r"shape \(16, 16\)|shape \(3, 16, 16\)"),
        (np.zeros((0, 16, 16, 3), np.uint8), (8, 8), ValueError, r"shape \(0, 16, 16, 3\)"),
        (np.zeros((3, 4, 16, 3), np.uint8), (8, 8), ValueError, r"grid\[0\] is 8, .*no more rows than pixels"),
        ([], (8, 8), ValueError, "frames has no film"),
        ([np.zeros((1, 8, 8, 3), np.uint8), np.zeros((2, 8, 8, 3), np.uint8)], (8, 8), ValueError, "films of shapes"),
    ],
)
def test_frames_that_are_none(frames, grid, error, message):
    with pytest.raises(error, match=message):
        video.color_layout(frames, grid)


def test_layouts_that_are_none():
    with pytest.raises(ValueError, match=r"layout has shape \(5,\), expected \(\.\.\., 192\) of a grid of 8 x 8"):
        video.layout_frames(np.zeros(5), (64, 64))
    with pytest.raises(ValueError, match="layout is not finite"):
        video.layout_frames(np.full(192, np.nan), (64, 64))


# --- flow -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dx", "dy"), [(1, 0), (1.5, -2), (0.3, 0.2), (-4, 3), (0, 6)])
def test_flow_recovers_the_motion_of_a_texture(dx, dy):
    flow = video.optical_flow(moving(dx, dy))
    assert flow.shape == (4, 8, 8, 2) and flow.dtype == np.float32
    np.testing.assert_allclose(flow.mean((0, 1, 2)), [dx, dy], atol=0.05)
    assert np.abs(flow - [dx, dy]).mean() < 0.15


def test_flow_of_a_thing_on_a_plain_ground():
    frames = np.full((5, 64, 64, 3), 90, np.uint8)
    for k in range(5):
        frames[k, 20:30, 10 + 2 * k : 20 + 2 * k] = 200
    np.testing.assert_allclose(video.optical_flow(frames, (1, 1))[:, 0, 0], [[2, 0]] * 4, atol=0.1)
    assert np.abs(video.optical_flow(frames)[:, 5:]).max() < 0.01, "nothing moves below"


def test_flow_of_films_is_that_of_each_and_of_a_still_film_none():
    films = np.stack([moving(1, 0), moving(0, -1)])
    flow = video.optical_flow(films)
    for k, film in enumerate(films):
        np.testing.assert_array_equal(video.optical_flow(film), flow[k])
    np.testing.assert_allclose(video.optical_flow(films[:, [0, 0, 0]]), 0, atol=1e-6)
    assert np.isfinite(video.optical_flow(np.zeros((2, 9, 70, 3), np.uint8), (3, 3))).all()
    with pytest.raises(ValueError, match="frames has 1 frame, expected 2 or more"):
        video.optical_flow(films[:, :1])


def test_flow_is_the_same_in_blocks(monkeypatch):
    films = np.stack([moving(dx, dy) for dx in (0, 1) for dy in (-1, 0, 1)])
    whole = video.optical_flow(films)
    monkeypatch.setattr(motion, "_BLOCK", 4 * films[0, 1:, :, :, 0].size)  # 4 films, then 2
    np.testing.assert_array_equal(video.optical_flow(films), whole)


# --- motion energy --------------------------------------------------------------------------------------------------


def test_motion_energy_is_that_of_each_film_by_itself():
    moten = pytest.importorskip("moten")
    films = np.stack([moving(1, 0, size=32), moving(-1, 2, size=32)])
    pyramid = moten.get_default_pyramid((32, 32), 6, spatial_frequencies=[0, 2, 4], temporal_frequencies=[0, 2])
    values = pyramid.parameters_matrix.tolist()
    opposite = [row[:2] + [(row[2] + 180 * (row[5] > 0)) % 360] + row[3:] for row in values]
    order = [values.index(row) if row in values else -1 for row in opposite]  # -1: a blob, which has no direction
    with pytest.raises(ValueError, match=r"temporal_frequencies has 4 Hz, expected 0 to 2\.5"):
        video.motion_energy(films, 5)
    energy = video.motion_energy(films, 6, spatial_frequencies=(0, 2, 4), temporal_frequencies=(0, 2))
    assert energy.shape[:2] == (2, 5) and energy.dtype == np.float32
    for k, film in enumerate(films):
        expected = pyramid.project_stimulus_batched(film @ np.array([0.299, 0.587, 0.114]) * 100 / 255)
        known = np.array(order) >= 0
        np.testing.assert_allclose(energy[k][:, known], expected[:, np.array(order)[known]], atol=2e-3)
        np.testing.assert_array_equal(
            video.motion_energy(film, 6, spatial_frequencies=(0, 2, 4), temporal_frequencies=(0, 2)), energy[k]
        )


@pytest.mark.parametrize(("direction", "axis", "sign"), [(0, 1, 1), (180, 1, -1), (90, 0, -1), (270, 0, 1)])
def test_filters_answer_to_their_own_direction(direction, axis, sign):
    pytest.importorskip("moten")
    directions = (0, 90, 180, 270)
    phase = sign * 2 * np.pi * np.arange(24)[:, None, None] / 12  # 2 Hz at 24 frames a second
    wave = np.sin(2 * np.pi * 4 * np.indices((48, 48))[axis] / 48 - phase)
    frames = np.repeat((127 + 100 * wave[..., None]).round().astype(np.uint8), 3, axis=-1)
    of_filter = np.array([each["direction"] for each in motion.motion_filters((48, 48), 24, (2,), (4,), directions)])
    options = {"temporal_frequencies": (2,), "spatial_frequencies": (4,), "directions": directions}
    energy = video.motion_energy(frames, 24, log=False, **options)[12]
    means = {each: energy[of_filter == each].mean() for each in directions}
    assert means.pop(direction) > 5 * max(means.values())


def test_a_still_film_has_finite_energy_and_little_in_motion():
    pytest.importorskip("moten")
    frames = np.full((16, 24, 24, 3), 120, np.uint8)
    energy = video.motion_energy(frames, 16, spatial_frequencies=(2,))
    assert np.isfinite(energy).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate": 0}, "rate is 0, expected a positive number of frames"),
        (
            {"rate": 16, "spatial_frequencies": (16,)},
            "has 16 cycles a picture, expected .* up to 12, half of 24 pixels",
        ),
        ({"rate": 16, "directions": ()}, r"directions is \(\), expected one number or more"),
    ],
)
def test_frequencies_that_frames_cannot_carry(options, message):
    pytest.importorskip("moten")
    with pytest.raises(ValueError, match=message):
        video.motion_energy(np.zeros((4, 24, 24, 3), np.uint8), **options)


def test_without_pymoten(monkeypatch):
    monkeypatch.setitem(sys.modules, "moten", None)
    with pytest.raises(ImportError, match=r"needs pymoten.*pip install 'naturalistic\[video\]'"):
        video.motion_energy(np.zeros((4, 24, 24, 3), np.uint8), 8)
