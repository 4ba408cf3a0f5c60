"""GTZAN: clips as the experiment played them, and tracks that are not as published."""

import numpy as np
import pytest
import soundfile
from naturalistic.datasets import gtzan, presentation
from naturalistic.datasets.events import Clip

RATE = gtzan.SAMPLE_RATE
CLIP = Clip("jazz", 3, 4.25, 19.25)


def write_track(folder, suffix=".wav", rate=RATE, n_channels=1, seconds=30.0, change=None, **more):
    t = np.arange(round(seconds * rate)) / rate
    wave = 0.3 * np.sin(2 * np.pi * 440 * t) * (1 + t / 30)
    if change is not None:
        wave = change(wave)
    path = folder / "genres" / "jazz" / f"jazz.00003{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.stack([wave] * n_channels, axis=1), rate, **more)
    return folder / "genres"


@pytest.mark.parametrize("suffix", [".wav", ".au", ".flac"])
def test_a_clip_is_cut_faded_and_normalised(tmp_path, suffix):
    audio = write_track(tmp_path, suffix)
    wave = gtzan.load_clip(audio, CLIP)
    assert wave.dtype == np.float32 and wave.shape == (15 * RATE,)
    assert np.sqrt(np.mean(wave.astype(float) ** 2)) == pytest.approx(presentation.RMS, rel=1e-5)
    t = (round(CLIP.start * RATE) + np.arange(len(wave))) / RATE
    expected = np.sin(2 * np.pi * 440 * t) * (1 + t / 30)
    middle = slice(3 * RATE, 12 * RATE)
    scale = np.dot(wave[middle], expected[middle]) / np.dot(expected[middle], expected[middle])
    np.testing.assert_allclose(wave[middle], scale * expected[middle], atol=2e-4)  # 16-bit steps

    def envelope(at):
        return np.abs(wave[round(at * RATE) : round((at + 0.05) * RATE)]).max()

    assert envelope(0) < 0.01 * envelope(2) and envelope(14.95) < 0.01 * envelope(12.5)
    assert envelope(0.97) == pytest.approx(0.5 * envelope(2.0), rel=0.1)  # half-way up after a second


def test_clips_are_rows_in_their_order(tmp_path):
    audio = write_track(tmp_path)
    clips = [CLIP, Clip("jazz", 3, 1.0, 16.0)]
    waves = gtzan.load_clips(audio, clips)
    assert waves.dtype == np.float32
    np.testing.assert_array_equal(waves, [gtzan.load_clip(audio, clip) for clip in clips])


def test_another_rate(tmp_path):
    audio = write_track(tmp_path)
    low = gtzan.load_clip(audio, CLIP, 16000)
    assert low.shape == (15 * 16000,) and low.dtype == np.float32
    peak = np.argmax(np.abs(np.fft.rfft(low))) / 15
    assert peak == pytest.approx(440, abs=0.5)


def test_tracks_not_as_published(tmp_path):
    audio = write_track(tmp_path, rate=44100)
    with pytest.raises(ValueError, match=r"jazz.00003.wav has 1 channel\(s\) at 44100 Hz, expected 1 at 22050"):
        gtzan.load_clip(audio, CLIP)
    assert gtzan.load_clip(audio, CLIP, convert=True).shape == (15 * RATE,)
    audio = write_track(tmp_path, n_channels=2)
    with pytest.raises(ValueError, match=r"2 channel\(s\)"):
        gtzan.load_clip(audio, CLIP)
    assert gtzan.load_clip(audio, CLIP, convert=True).shape == (15 * RATE,)


def nan_inside(wave):
    wave[5 * RATE] = np.nan
    return wave


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"change": lambda wave: 0 * wave}, "4.25 to 19.25 s: the sound is silent"),
        ({"change": nan_inside, "subtype": "FLOAT"}, "NaN or infinite"),
        ({"seconds": 18.0}, "lasts 18.00 s, expected 19.25 s"),
    ],
)
def test_broken_tracks(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message) as error:
        gtzan.load_clip(write_track(tmp_path, **arguments), CLIP)
    assert "jazz.00003.wav" in str(error.value)


def test_a_track_a_little_short_of_30_s_is_filled(tmp_path):
    """Published tracks end up to 70 ms before 30 s, and some clips go to the end."""
    wave = gtzan.load_clip(write_track(tmp_path, seconds=29.93), Clip("jazz", 3, 15.0, 30.0))
    assert wave.shape == (15 * RATE,)


def test_missing_and_unreadable_tracks(tmp_path):
    audio = write_track(tmp_path)
    clips = [CLIP, Clip("jazz", 4, 0.0, 15.0), Clip("rock", 1, 0.0, 15.0)]
    with pytest.raises(FileNotFoundError, match=r"lacks 2 tracks that were played: jazz.00004, rock.00001"):
        gtzan.check_tracks(audio, clips)
    gtzan.check_tracks(audio, clips[:1])
    with pytest.raises(FileNotFoundError, match="naturalistic fetch gtzan"):
        gtzan.check_tracks(None, clips)
    with pytest.raises(FileNotFoundError, match="naturalistic fetch gtzan"):
        gtzan.load_clip(None, CLIP)
    with pytest.raises(FileNotFoundError, match=r"rock\.00001\.wav is missing"):
        gtzan.load_clip(audio, clips[2])
    (audio / "jazz" / "jazz.00003.wav").write_bytes(b"not a sound")
    with pytest.raises(ValueError, match="cannot be read as sound"):
        gtzan.load_clip(audio, CLIP)


def test_where_the_sound_is_looked_for(tmp_path):
    data = tmp_path / "data" / "ds003720"
    data.mkdir(parents=True)
    assert gtzan.locate(data) is None
    audio = write_track(tmp_path / "data")
    assert gtzan.locate(data) == audio
    assert gtzan.locate(data, audio) == audio and gtzan.locate(data, audio.parent) == audio
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="expected GTZAN"):
        gtzan.locate(data, tmp_path / "empty")
