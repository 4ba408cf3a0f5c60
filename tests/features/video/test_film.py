"""Film files on the grid of TRs: their own clock, offsets, runs, stretches, sound, and every space from disk."""

import shutil
import warnings

import numpy as np
import pytest
import torch
from naturalistic.datasets.sound_track import read_sound_track
from naturalistic.features import audio, video
from naturalistic.features.video import film as film_module
from transformers import ASTConfig, ASTFeatureExtractor, ASTModel

from tests.helpers.real_data import real_folder
from tests.helpers.video_checkpoints import save_video_model

SECONDS = 6
RATE = 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Films whose red is the time, whose green is noise."""
    place = tmp_path_factory.mktemp("films")
    n = SECONDS * RATE
    frames = np.random.default_rng(0).integers(0, 256, (n, 24, 32, 3), np.uint8)
    frames[..., 0] = (40 * np.arange(n) / RATE).round()[:, None, None]
    np.savez(place / "ramp.npz", frames=frames, rate=RATE)
    return place


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    place = tmp_path_factory.mktemp("film-models")
    folders = {name: save_video_model(name, place / name) for name in ("clip", "deit", "git", "x-clip")}
    torch.manual_seed(0)
    config = ASTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24, initializer_range=0.2,
        max_length=256, num_mel_bins=32, time_stride=64,
    )  # fmt: skip
    ASTModel(config).save_pretrained(place / "ast")
    ASTFeatureExtractor(max_length=256, num_mel_bins=32).save_pretrained(place / "ast")
    return folders | {"ast": place / "ast"}


def red(features):
    """The time that a layout of one cell shows."""
    return 255 * features[:, 0] / 40


ONE_CELL = {"grid": (1, 1), "rate": RATE}


def test_a_tr_has_what_was_on_the_screen(folder):
    path = folder / "ramp.npz"
    features = video.film_features(path, "layout", 1.5, 4, **ONE_CELL)
    assert features.shape == (4, 3) and features.dtype == np.float32
    middles = 1.5 * np.arange(4) + 0.75
    np.testing.assert_allclose(red(features)[1:3], middles[1:3] - 0.5 / RATE, atol=0.05)
    mean = video.film_features(path, "layout", 1.5, 4, method="mean", **ONE_CELL)
    np.testing.assert_allclose(red(mean), middles - 0.5 / RATE, atol=0.02)


def test_offsets_and_runs(folder):
    path = folder / "ramp.npz"
    options = {"method": "mean", **ONE_CELL}
    whole = video.film_features(path, "layout", 1.0, 6, **options)
    later = video.film_features(path, "layout", 1.0, 8, 2.0, outside="zero", **options)
    np.testing.assert_array_equal(later[:2], 0)
    np.testing.assert_array_equal(later[2:], whole)
    runs = video.film_features([path, str(path)], "layout", 1.0, [2, 4], [0.0, -2.0], **options)
    np.testing.assert_array_equal(runs, whole)
    smooth = video.film_features([path, path], "layout", 1.0, 3, [0, -3], **ONE_CELL)
    np.testing.assert_array_equal(smooth[3:], video.film_features(path, "layout", 1.0, 3, -3, **ONE_CELL))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_trs": 8}, r"has 6 s, and 2 of 8 TRs lie outside .*0 to 8 s of the film.*outside='zero'"),
        ({"offset": 2.0}, r"2 of 6 TRs lie outside .*\(they are at -2 to 4 s"),
        ({"offset": 60, "outside": "zero"}, r"6 of 6 TRs lie outside .*check offset"),
        ({"offset": np.nan}, "offset is nan, expected seconds"),
        ({"offset": [1, 2]}, r"offset has 2 values for 1 film\(s\)"),
        ({"tr": 0}, "tr is 0, expected seconds above 0"),
        ({"n_trs": 2.5}, "n_trs is 2.5"),
        ({"outside": "nan"}, "outside is 'nan', expected 'error' or 'zero'"),
        ({"window": 3}, "window: no option of 'layout', expected one of rate, height, grid"),
        ({"rate": 0.1}, "expected more than a frame at 0.1 a second"),
        ({"space": "motion_energy", "grid": (2, 2)}, "grid: no option of 'motion_energy'"),
    ],
)
def test_requests_that_make_no_sense(folder, arguments, message):
    given = {"space": "layout", "tr": 1.0, "n_trs": 6} | arguments
    if given["space"] == "layout" and "rate" in arguments:
        given["space"] = "flow"
    with pytest.raises(ValueError, match=message):
        video.film_features(folder / "ramp.npz", **given)


SPACES = {"layout": {}, "flow": {"rate": 4}, "motion_energy": {"height": 32}, "clip": {"window": 1, "hop": 0.5}}


@pytest.mark.slow
@pytest.mark.parametrize("space", SPACES)
def test_stretches_are_seamless_and_found_again(folder, models, space, monkeypatch, tmp_path):
    if space == "motion_energy":
        pytest.importorskip("moten")
    path = shutil.copy(folder / "ramp.npz", tmp_path)
    name = models.get(space, space)
    at_once = video.film_course(path, name, cache=False, **SPACES[space])
    assert len(at_once.features) == len(at_once.times) and np.ptp(np.diff(at_once.times)) < 1e-9
    monkeypatch.setattr(film_module, "_STRETCH", 2.0)
    in_parts = video.film_course(path, name, **SPACES[space])
    np.testing.assert_allclose(in_parts.features, at_once.features, atol=1e-5)
    monkeypatch.setattr(film_module, "read_frames", lambda *args, **options: pytest.fail("the film was read"))
    again = video.film_course(path, name, **SPACES[space])
    np.testing.assert_array_equal(again.features, in_parts.features)
    with np.load(path) as arrays:
        np.savez(tmp_path / "other.npz", frames=arrays["frames"][::-1], rate=RATE)
    with pytest.raises(pytest.fail.Exception, match="the film was read"):
        video.film_course(tmp_path / "other.npz", name, **SPACES[space])


def test_the_middles_of_windows_are_their_times(folder, models):
    course = video.film_course(folder / "ramp.npz", models["x-clip"])
    np.testing.assert_allclose(course.times, [1, 2, 3, 4, 5])
    assert repr(course) == "FilmCourse(features (5, 12), times (5,), duration 6 s)"
    embedder = video.load(models["x-clip"])
    with np.load(folder / "ramp.npz") as arrays:
        expected = embedder.embed(arrays["frames"], RATE)
    at_start = np.load(folder / "ramp.npz")["frames"][::4]  # 4 frames in 2 s, as the film is read for it
    np.testing.assert_allclose(course.features, embedder.embed(at_start, 2), atol=1e-5)
    assert expected.shape == course.features.shape
    loaded = video.film_features(folder / "ramp.npz", embedder, 1.0, 6)
    np.testing.assert_array_equal(loaded, video.film_features(folder / "ramp.npz", models["x-clip"], 1.0, 6))


def test_models_that_do_not_fit(folder, models, tiny_gpt2):
    path = folder / "ramp.npz"
    with pytest.raises(ValueError, match="window=None, one vector a film: expected a window in s"):
        video.film_features(path, models["clip"], 1.0, 6, window=None)
    with pytest.raises(ValueError, match=r"ramp\.npz has 6 s, expected at least the 7 s of a window"):
        video.film_features(path, models["clip"], 1.0, 6, window=7)
    with pytest.raises(ValueError, match="layer: options of a model that is loaded by name"):
        video.film_features(path, video.load(models["clip"]), 1.0, 6, layer=1)
    with pytest.raises(FileNotFoundError, match=r"not a folder, nor can it be the id.*Spaces by name are layout, flow"):
        video.film_features(path, "no such/space at/all", 1.0, 6)
    with pytest.raises(ValueError, match="model_type 'gpt2'"):
        video.film_features(path, tiny_gpt2, 1.0, 6)


def test_frames_whose_rate_nothing_states(tmp_path, folder):
    with np.load(folder / "ramp.npz") as arrays:
        np.savez(tmp_path / "bare.npz", frames=arrays["frames"])
    with pytest.raises(ValueError, match="does not state how long it is: pass stored_rate="):
        video.film_features(tmp_path / "bare.npz", "layout", 1.0, 6)
    features = video.film_features(tmp_path / "bare.npz", "layout", 1.0, 6, stored_rate=RATE, **ONE_CELL)
    np.testing.assert_array_equal(features, video.film_features(folder / "ramp.npz", "layout", 1.0, 6, **ONE_CELL))


# --- video files with sound -----------------------------------------------------------------------------------------


def write_sound_film(path, seconds=4, sound_from=0.0, tone=500.0, silent=False):
    """A film of gray frames, with a tone in both channels."""
    av = pytest.importorskip("av")
    rate = 16000
    time = np.arange(int(seconds * rate)) / rate
    wave = (0.3 * np.sin(2 * np.pi * tone * time)).astype(np.float32)
    with av.open(str(path), "w") as container:
        picture = container.add_stream("mpeg4", rate=RATE)
        picture.height = picture.width = 32
        picture.pix_fmt = "yuv420p"
        sound = None if silent else container.add_stream("pcm_s16le", rate=rate)
        if sound:
            sound.layout = "stereo"
        for k in range(seconds * RATE):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 5 * k, np.uint8), format="rgb24")
            container.mux(picture.encode(frame))
        container.mux(picture.encode(None))
        for first in range(0, len(wave) if sound else 0, 1000):
            part = np.ascontiguousarray(np.stack([wave[first : first + 1000]] * 2))
            frame = av.AudioFrame.from_ndarray((32767 * part).T.reshape(1, -1).astype(np.int16), "s16", "stereo")
            frame.sample_rate = rate
            frame.pts = first + round(sound_from * rate)
            container.mux(sound.encode(frame))
        if sound:
            container.mux(sound.encode(None))
    return path


def test_sound_is_mixed_down_and_on_the_clock_of_the_pictures(tmp_path):
    wave, rate = read_sound_track(write_sound_film(tmp_path / "tone.mkv"))
    assert (rate, wave.dtype) == (16000, np.float32) and len(wave) == 4 * 16000
    spectrum = np.abs(np.fft.rfft(wave))
    assert spectrum.argmax() / 4 == 500 and 0.25 < np.abs(wave).max() < 0.35
    late, _ = read_sound_track(write_sound_film(tmp_path / "late.mkv", sound_from=0.5))
    assert np.abs(late[:7900]).max() == 0 and np.abs(late[8100:9000]).max() > 0.25


def test_films_without_sound(tmp_path, folder, models):
    pytest.importorskip("av")
    with pytest.raises(ValueError, match=r"silent\.mkv has no sound, only video"):
        read_sound_track(write_sound_film(tmp_path / "silent.mkv", silent=True))
    with pytest.raises(ValueError, match=r"ramp\.npz was cut short or is no film"):
        video.film_features(folder / "ramp.npz", models["ast"], 1.0, 6, window=2)
    with pytest.raises(FileNotFoundError, match="give a video file"):
        read_sound_track(tmp_path / "none.mp4")


def test_sound_on_the_grid_of_trs(tmp_path, models):
    path = write_sound_film(tmp_path / "tone.mkv")
    features = video.film_features(path, models["ast"], 1.0, 4, window=2, hop=1)
    embedder = audio.load(models["ast"], window=2, hop=1)
    vectors = embedder.embed(*read_sound_track(path))
    assert features.shape == (4, 16) and vectors.shape == (3, 16)
    course = video.film_course(path, embedder)
    np.testing.assert_array_equal(course.features, vectors)
    np.testing.assert_allclose(course.times, [1, 2, 3])


@pytest.mark.slow
@pytest.mark.parametrize("space", ["layout", "motion_energy", "deit", "git", "ast"])
def test_a_published_film(models, space):
    """Big Buck Bunny: 5.3 s of 1280 x 720 with sound in six channels."""
    pytest.importorskip("av")
    if space == "motion_energy":
        pytest.importorskip("moten")
    path = real_folder("video", "Big Buck Bunny") / "bigbuckbunny.mp4"
    options = {"window": 2, "hop": 1} if space == "ast" else {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        features = video.film_features(path, models.get(space, space), 1.0, 7, 1.0, outside="zero", **options)
    assert features.shape[0] == 7 and features.dtype == np.float32 and np.isfinite(features).all()
    np.testing.assert_array_equal(features[0], 0)
    assert np.ptp(features[1:6], axis=0).max() > 1e-4, "the film changes"
