"""Frames of films at any size and rate, from video files, folders of images and arrays."""

import os
import sys
import tracemalloc
from fractions import Fraction
from pathlib import Path

import h5py
import numpy as np
import pytest
from naturalistic.datasets.video import FilmInfo, film_info, iter_frames, read_frames
from PIL import Image

av = pytest.importorskip("av")

GRAY = [10 * k + 5 for k in range(20)]


def numbered(n=20, height=48, width=64):
    """Return frames whose gray level is their number."""
    return np.stack([np.full((height, width, 3), GRAY[k], dtype=np.uint8) for k in range(n)])


def numbers(frames):
    """Return which of the numbered frames these are."""
    levels = np.asarray(frames).reshape(len(frames), -1).mean(axis=1)
    return [int(np.abs(np.array(GRAY) - level).argmin()) for level in levels]


def write_film(path, frames, times=None, rate=10, codec="libx264", sound=False, **options):
    """Write a video file; ``times`` in ms make its rate variable."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(rate))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p" if codec != "ffv1" else "bgr0"
        stream.options = ({"crf": "5"} if codec == "libx264" else {}) | options
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        if sound:
            add_sound(container)
        for k, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            if times is not None:
                frame.pts = times[k]
                frame.time_base = Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def add_sound(container):
    stream = container.add_stream("aac", rate=16000)
    frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), dtype=np.float32), format="fltp", layout="mono")
    frame.sample_rate = 16000
    container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return write_film(tmp_path_factory.mktemp("film") / "film.mp4", numbered(), g="7")


@pytest.fixture
def real_film():
    path = Path(os.environ.get("NATURALISTIC_DATA", "")) / "video" / "bigbuckbunny.mp4"
    if not path.is_file():
        pytest.skip("needs NATURALISTIC_DATA")
    return path


@pytest.mark.slow
def test_a_real_film_at_its_size_and_rate(real_film):
    assert film_info(real_film) == FilmInfo(height=720, width=1280, rate=25.0, duration=5.28)
    every = read_frames(real_film, size=(90, 160))
    assert every.shape == (132, 90, 160, 3)
    assert every.dtype == np.uint8
    # 8 a second: frame 25 k / 8 of those stored, rounded down, for ceil(5.28 * 8) points in time
    eight = read_frames(real_film, size=(90, 160), rate=8)
    np.testing.assert_array_equal(eight, every[[25 * k // 8 for k in range(43)]])
    # the part is that of the whole, also where no key frame is near
    part = read_frames(real_film, size=(90, 160), rate=8, start=2.5, stop=4)
    np.testing.assert_array_equal(part, eight[20:32])
    stored = read_frames(real_film, size=(90, 160), start=1, stop=2)
    np.testing.assert_array_equal(stored, every[25:50])


@pytest.mark.slow
def test_a_long_film_needs_the_memory_of_one_picture(real_film):
    tracemalloc.start()
    for _ in iter_frames(real_film, size=16, rate=25):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 * 720 * 1280 * 3  # the whole film has 132 pictures


def test_a_real_film_that_was_cut_short(real_film, tmp_path):
    whole = real_film.read_bytes()
    for share in (0.2, 0.6, 0.95):
        (tmp_path / "cut.mp4").write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(ValueError, match=r"cut\.mp4 was cut short.*again"):
            read_frames(tmp_path / "cut.mp4", size=16)


def test_each_stored_frame_comes_once(film):
    frames = read_frames(film)
    assert frames.shape == (20, 48, 64, 3)
    assert numbers(frames) == list(range(20))
    times = [time for time, _ in iter_frames(film)]
    np.testing.assert_allclose(times, np.arange(20) / 10)


@pytest.mark.parametrize("start", [0, 0.3, 0.65, 1.0, 1.9])
@pytest.mark.parametrize("rate", [None, 4, 10, 24])
def test_a_part_is_that_of_the_whole(film, start, rate):
    frames = read_frames(film, rate=rate, start=start, stop=1.95)
    if rate is None:
        assert numbers(frames) == [k for k in range(20) if start - 1e-9 <= k / 10 < 1.95]
    else:
        times = start + np.arange(np.ceil((1.95 - start) * rate - 1e-6)) / rate
        assert numbers(frames) == [int(t * 10 + 1e-6) for t in times]


def test_a_film_of_variable_rate_is_read_by_its_times(tmp_path):
    times = [0, 40, 80, 1000, 1040, 2000, 2500]
    for name in ("film.mp4", "film.mkv"):
        path = write_film(tmp_path / name, numbered(7), times=times)
        # the frame on screen at 0, .25, .5 ... s
        found = numbers(read_frames(path, rate=4))
        assert found[:11] == [0, 2, 2, 2, 3, 4, 4, 4, 5, 5, 6]
        assert [t for t, _ in iter_frames(path)] == pytest.approx(np.array(times) / 1000, abs=1e-3)
        assert numbers(read_frames(path, rate=4, start=1, stop=2)) == [3, 4, 4, 4]


def test_times_count_from_the_first_frame(tmp_path):
    path = write_film(tmp_path / "late.mkv", numbered(5), times=[5000, 5100, 5200, 5300, 5400])
    assert numbers(read_frames(path, rate=10, stop=0.5)) == [0, 1, 2, 3, 4]
    assert numbers(read_frames(path, rate=10, start=0.2, stop=0.4)) == [2, 3]


def test_frames_are_smoothed_before_they_become_smaller(tmp_path):
    stripes = np.zeros((2, 64, 64, 3), dtype=np.uint8)
    stripes[:, :, ::2] = 200
    np.savez(tmp_path / "stripes.npz", frames=stripes, rate=2)
    small = read_frames(tmp_path / "stripes.npz", size=16)
    assert small.shape == (2, 16, 16, 3)
    # picked from every fourth column, it would be all black or all white; the margin lacks half of its neighbors
    assert np.ptp(small[:, 2:-2, 2:-2]) <= 2
    assert abs(float(small.mean()) - 100) < 2


def test_other_shapes_are_cut_or_squeezed(tmp_path):
    wide = np.zeros((1, 40, 80, 3), dtype=np.uint8)
    wide[:, :, 20:60] = 200  # the middle square
    np.savez(tmp_path / "wide.npz", frames=wide, rate=1)
    assert read_frames(tmp_path / "wide.npz", size=20).min() == 200
    squeezed = read_frames(tmp_path / "wide.npz", size=20, fit="stretch")
    assert squeezed.min() == 0
    assert abs(int(squeezed[0, 10, 10, 0]) - 200) <= 3
    assert read_frames(tmp_path / "wide.npz", size=(10, 40)).shape == (1, 10, 40, 3)
    assert read_frames(tmp_path / "wide.npz").shape == wide.shape


@pytest.mark.parametrize("height, width", [(47, 63), (2, 17), (33, 3), (5, 7)])
def test_odd_sizes(tmp_path, height, width):
    path = write_film(tmp_path / "odd.mkv", numbered(6, height, width), codec="ffv1")
    frames = read_frames(path)
    assert frames.shape == (6, height, width, 3)
    assert numbers(frames) == list(range(6))
    assert numbers(read_frames(path, size=8)) == list(range(6))
    assert film_info(path).height == height


@pytest.mark.parametrize("matrix, turns", [((0, 1, -1, 0), 3), ((0, -1, 1, 0), 1), ((-1, 0, 0, -1), 2)])
def test_a_film_that_a_phone_turned_is_turned_back(film, tmp_path, matrix, turns):
    pixels = np.zeros((3, 48, 64, 3), dtype=np.uint8)
    pixels[:, :20, :20] = 250  # upper left
    upright = write_film(tmp_path / "upright.mp4", pixels)
    code = upright.read_bytes()
    unit = 2**16

    def packed(a, b, c, d):
        return np.array([a * unit, b * unit, 0, c * unit, d * unit, 0, 0, 0, 2**30], dtype=">i4").tobytes()

    track = code.index(b"tkhd")
    at = code.index(packed(1, 0, 0, 1), track)
    (tmp_path / "turned.mp4").write_bytes(code[:at] + packed(*matrix) + code[at + 36 :])
    frames = read_frames(tmp_path / "turned.mp4")
    # a matrix of 0 1 -1 0 shows the film turned clockwise
    np.testing.assert_array_equal(frames, np.rot90(read_frames(upright), turns, axes=(1, 2)))
    info = film_info(tmp_path / "turned.mp4")
    assert (info.height, info.width) == frames.shape[1:3]


def test_a_film_with_sound_is_as_long_as_its_picture(tmp_path):
    path = write_film(tmp_path / "sound.mp4", numbered(), sound=True)
    assert len(read_frames(path)) == 20


def test_no_picture_in_a_file(tmp_path):
    with av.open(str(tmp_path / "sound.m4a"), "w", format="mp4") as container:
        add_sound(container)
    with pytest.raises(ValueError, match=r"sound\.m4a has no video stream, only audio; expected a film"):
        read_frames(tmp_path / "sound.m4a")


def test_files_that_are_no_film(tmp_path):
    (tmp_path / "text.mp4").write_text("hello" * 100)
    with pytest.raises(ValueError, match=r"text\.mp4 was cut short or is no video file .*fetch or copy it again"):
        read_frames(tmp_path / "text.mp4")
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(ValueError, match=r"empty\.mp4 is empty"):
        read_frames(tmp_path / "empty.mp4")
    with pytest.raises(FileNotFoundError, match=r"gone\.mp4 is not there; give a video file, a folder of images"):
        read_frames(tmp_path / "gone.mp4")
    (tmp_path / "annex.mp4").write_text("../../.git/annex/objects/Kf/SHA256E-s100--ab.mp4")
    with pytest.raises(ValueError, match=r"annex\.mp4 is a git-annex pointer"):
        read_frames(tmp_path / "annex.mp4")


def test_a_playlist_opens_no_address(tmp_path):
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/secret.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(ValueError, match=r"list\.m3u8"):
        read_frames(tmp_path / "list.m3u8")


def test_every_cut_of_a_film_is_noticed(film, tmp_path):
    whole = film.read_bytes()
    for n in range(1, len(whole) - 1, 211):
        (tmp_path / "cut.mp4").write_bytes(whole[:n])
        with pytest.raises(ValueError, match=r"cut\.mp4 was cut short"):
            read_frames(tmp_path / "cut.mp4")


def test_a_start_behind_the_end(film):
    with pytest.raises(ValueError, match=r"film\.mp4 has no frame from 7 s on, it ends at 2\.000 s"):
        read_frames(film, rate=4, start=7)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"rate": 0}, "rate is 0"),
        ({"rate": float("nan")}, "rate is nan"),
        ({"start": -1}, "start is -1"),
        ({"start": 1, "stop": 1}, "stop 1"),
        ({"size": 0}, "size is 0"),
        ({"size": (4, 4, 4)}, r"size is \(4, 4, 4\)"),
        ({"size": 8.5}, r"size is 8\.5"),
        ({"fit": "pad"}, "fit is 'pad'"),
    ],
)
def test_bad_requests(film, options, message):
    with pytest.raises(ValueError, match=f"{message}.*expected"):
        read_frames(film, **options)


@pytest.mark.parametrize("kind", ["folder", "npz", "hdf5"])
def test_films_without_pyav(tmp_path, monkeypatch, kind):
    monkeypatch.setitem(sys.modules, "av", None)
    frames = numbered(12, 10, 14)
    options = {}
    if kind == "folder":
        path = tmp_path / "frames"
        path.mkdir()
        for k, pixels in enumerate(frames):
            Image.fromarray(pixels).save(path / f"frame{k}.png")  # frame10 comes after frame9
        (path / "notes.txt").write_text("no image")
        options = {"stored_rate": 4}
        assert numbers(read_frames(path)) == list(range(12))
        with pytest.raises(ValueError, match=r"does not state its frames a second; give stored_rate="):
            read_frames(path, rate=2)
    elif kind == "npz":
        path = tmp_path / "film.npz"
        np.savez(path, frames=frames, rate=4.0)
    else:
        path = tmp_path / "films.h5" / "train" / "0001"
        with h5py.File(tmp_path / "films.h5", "w") as file:
            file["train/0001"] = frames
            file["train/0001"].attrs["rate"] = 4.0
    assert film_info(path, **options) == FilmInfo(10, 14, 4.0, 3.0)
    np.testing.assert_array_equal(read_frames(path, **options), frames)
    assert numbers(read_frames(path, rate=2, start=1, **options)) == [4, 6, 8, 10]
    assert read_frames(path, size=(5, 7), rate=8, stop=1, **options).shape == (8, 5, 7, 3)


def test_a_video_file_without_pyav(film, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ModuleNotFoundError, match=r"film\.mp4 needs PyAV.*pip install 'naturalistic\[video\]'"):
        read_frames(film)


def test_arrays_that_are_no_frames(tmp_path):
    np.savez(tmp_path / "other.npz", betas=np.zeros(3))
    with pytest.raises(ValueError, match=r"other\.npz holds betas, expected frames"):
        read_frames(tmp_path / "other.npz")
    np.savez(tmp_path / "float.npz", frames=np.zeros((2, 4, 4, 3)), rate=1)
    with pytest.raises(ValueError, match=r"float\.npz holds an array of shape \(2, 4, 4, 3\) and type float64"):
        read_frames(tmp_path / "float.npz")
    np.savez(tmp_path / "still.npz", frames=numbered(2), rate=-1)
    with pytest.raises(ValueError, match=r"still\.npz has a rate of -1"):
        read_frames(tmp_path / "still.npz")
    with h5py.File(tmp_path / "films.h5", "w") as file:
        file["0001"] = numbered(2)
    with pytest.raises(FileNotFoundError, match=r"films\.h5 has no film '0002'; it has 1, such as 0001"):
        read_frames(tmp_path / "films.h5" / "0002")
    with pytest.raises(ValueError, match=r"films\.h5 is an HDF5 file.*expected one of them: films\.h5/NAME"):
        read_frames(tmp_path / "films.h5")
    (tmp_path / "cut.h5").write_bytes((tmp_path / "films.h5").read_bytes()[:300])
    with pytest.raises(ValueError, match=r"cut\.h5 was cut short"):
        read_frames(tmp_path / "cut.h5" / "0001")
    (tmp_path / "none").mkdir()
    with pytest.raises(FileNotFoundError, match="none has no images"):
        read_frames(tmp_path / "none")
    (tmp_path / "none" / "0.png").write_bytes(b"\x89PNG no more")
    with pytest.raises(ValueError, match=r"0\.png was cut short or is no image"):
        read_frames(tmp_path / "none")
