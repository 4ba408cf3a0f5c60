"""Windows: how many, where, what is in them; and waveforms that are refused before anything runs."""

import numpy as np
import pytest
from naturalistic.features.audio.windows import check_waveforms, cut, n_windows, resample, window_starts

RATES = (8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 96000)


def noise(n_samples, seed=0, n_clips=None):
    shape = n_samples if n_clips is None else (n_clips, n_samples)
    return 0.1 * np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(("window", "expected"), [(10, 4), (5, 7), (1.5, 10), (15, 1), (15.1, 0)])
def test_the_numbers_of_windows_of_the_paper(rate, window, expected):
    assert n_windows(15 * rate, rate, window, 1.5) == expected
    assert n_windows(15 * rate - 1, rate, window, 1.5) == expected  # cut one sample short by rounding
    ends_with_the_clip = window in (1.5, 15)
    assert n_windows(15 * rate - 2, rate, window, 1.5) == expected - ends_with_the_clip


def test_windows_of_a_tenth_of_a_second_do_not_get_lost_to_binary_fractions():
    for n in range(1, 200):
        assert n_windows(n * 4410, 44100, 0.1, 0.1) == n
        assert n_windows(n * 4410 + 4409, 44100, 0.1, 0.1) == n + (n * 4410 + 4409 + 1 == (n + 1) * 4410)


def test_a_window_begins_at_the_sample_nearest_to_its_time():
    assert window_starts(4, 22050, 1.5) == [0, 33075, 66150, 99225]
    starts = np.array(window_starts(1000, 44100, 0.01))
    assert np.abs(starts - np.arange(1000) * 441).max() == 0
    third = np.array(window_starts(1000, 11025, 0.01))
    assert np.abs(third / 11025 - np.arange(1000) * 0.01).max() <= 0.5 / 11025 + 1e-12


@pytest.mark.parametrize("rate", RATES)
def test_windows_hold_the_samples_of_their_time(rate):
    ramp = np.arange(15 * rate, dtype=np.float32)
    windows = cut(ramp, rate, 10, 1.5, 1.5)
    assert windows.shape == (10, round(1.5 * rate))
    for window, second in zip(windows, np.arange(10) * 1.5):
        assert abs(window[0] - second * rate) <= 0.5  # half a sample at 11,025 Hz
        np.testing.assert_array_equal(np.diff(window[:-1]), 1)
    short = cut(ramp[:-1], rate, 10, 1.5, 1.5)
    np.testing.assert_array_equal(short[:9], windows[:9])
    assert short[-1, -1] == 0


def test_resampling_keeps_a_tone_and_the_duration():
    time = np.arange(22050) / 22050
    tone = np.sin(2 * np.pi * 440 * time).astype(np.float32)
    high = resample(tone, 22050, 48000)
    assert high.dtype == np.float32 and abs(len(high) - 48000) <= 1
    expected = np.sin(2 * np.pi * 440 * np.arange(len(high)) / 48000)
    assert np.abs(high - expected)[2000:-2000].max() < 1e-3
    np.testing.assert_array_equal(resample(tone, 22050, 22050), tone)


def test_good_clips_come_back_as_they_are():
    clips = noise(16000, n_clips=3)
    for given in (clips, list(clips), clips.astype(np.float64)):
        checked, single = check_waveforms(given, 16000)
        assert not single and all(clip.dtype == np.float32 for clip in checked)
        np.testing.assert_array_equal(checked, clips)
    checked, single = check_waveforms(clips[0], 16000)
    assert single and len(checked) == 1 and checked[0].shape == (16000,)
    assert check_waveforms(clips[0].tolist(), 16000)[1]
    assert len(check_waveforms(noise(16000, n_clips=2), 16000)[0]) == 2  # two clips, not stereo
    assert len(check_waveforms(clips / 1000, 16000)[0]) == 3  # quiet is not silent


def with_sample(value):
    clips = noise(16000, n_clips=3)
    clips[1, 5] = value
    return clips


def with_silence():
    clips = noise(16000, n_clips=3)
    clips[2] = 0
    clips[1] = 1e-6
    return clips


BAD = {
    "silence": (with_silence, 16000, ValueError, r"silent .* in 2 clips \(index 1, 2\).*leave it out"),
    "offset alone": (lambda: np.full(16000, 0.5), 16000, ValueError, "silent"),
    "8 kHz": (lambda: noise(8000), 8000, ValueError, "sample_rate is 8000 Hz, expected 16000.*allow_low_rate=True"),
    "NaN": (lambda: with_sample(np.nan), 16000, ValueError, r"NaN or infinite in 1 clip \(index 1\) \(1 in the first"),
    "infinite": (lambda: with_sample(-np.inf), 16000, ValueError, "NaN or infinite"),
    "integer PCM": (lambda: np.ones(9, np.int16), 16000, TypeError, "int16 .*divide by 32768.*float32"),
    "32-bit PCM": (lambda: [np.ones(9, np.int32)], 16000, TypeError, "int32 .*divide by 2147483648"),
    "PCM as floats": (lambda: noise(16000) * 32768, 16000, ValueError, "full scale 1.*Divide 16-bit samples"),
    "stereo": (lambda: noise(2, n_clips=16000), 16000, ValueError, r"\(16000, 2\).*2 channel.*mean\(axis=1\)"),
    "stereo in a list": (
        lambda: [noise(2, n_clips=16000)],
        16000,
        ValueError,
        r"waveforms\[0\] has shape \(16000, 2\)",
    ),
    "3-D": (lambda: noise(16000)[None, None], 16000, ValueError, r"shape \(1, 1, 16000\)"),
    "unequal": (lambda: [noise(9), noise(12)], 16000, ValueError, "9 to 12 samples, expected equally long"),
    "none": (lambda: [], 16000, ValueError, "shape"),
    "no sample": (lambda: np.zeros(0, np.float32), 16000, ValueError, "shape"),
    "text": (lambda: "clip.wav", 16000, TypeError, "expected floats"),
    "rate 0": (lambda: noise(16000), 0, ValueError, "sample_rate is 0"),
    "rate as text": (lambda: noise(16000), "22050", ValueError, "sample_rate is '22050'"),
}


@pytest.mark.parametrize("case", BAD, ids=str)
def test_bad_waveforms(case):
    make, rate, error, message = BAD[case]
    with pytest.raises(error, match=message):
        check_waveforms(make(), rate)


def test_low_rates_are_accepted_on_request():
    assert len(check_waveforms(noise(8000), 8000, allow_low_rate=True)[0]) == 1


@pytest.mark.parametrize(
    ("window", "hop", "name"), [(0, 1, "window"), (1, -1, "hop"), (np.nan, 1, "window"), (1, "x", "hop")]
)
def test_bad_times(window, hop, name):
    with pytest.raises(ValueError, match=f"{name} is .* expected a positive number of seconds"):
        n_windows(16000, 16000, window, hop)
