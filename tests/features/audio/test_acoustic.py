"""Acoustic descriptors: known answers for tones, clicks and noise; loudness; the grid of time steps."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from naturalistic.features.audio import acoustic as module
from naturalistic.features.audio.acoustic import SIZES, acoustic, acoustic_frames, log_mel

RATE = 22050


def tone(frequency, seconds=6, rate=RATE, level=0.3):
    return (level * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def noise(seconds=6, rate=RATE, seed=0):
    return 0.1 * np.random.default_rng(seed).standard_normal(round(seconds * rate)).astype(np.float32)


def clicks(per_minute, seconds=15, rate=RATE):
    """Short bursts of noise, the first after half a beat."""
    sound, beat = np.zeros(round(seconds * rate), np.float32), 60 / per_minute
    burst = 0.5 * np.random.default_rng(0).standard_normal(round(0.01 * rate)).astype(np.float32)
    for when in np.arange(beat / 2, seconds - 0.1, beat):
        sound[round(when * rate) :][: len(burst)] = burst
    return sound


@pytest.mark.slow
def test_shapes_and_types():
    both = acoustic(np.stack([noise(), tone(440)]), RATE)
    assert {name: values.shape for name, values in both.items()} == {name: (2, n) for name, n in SIZES.items()}
    assert all(values.dtype == np.float32 and np.isfinite(values).all() for values in both.values())
    single = acoustic(tone(440), RATE)
    for name in SIZES:
        np.testing.assert_array_equal(single[name], both[name][1])


@pytest.mark.slow
@pytest.mark.parametrize(("frequency", "pitch_class"), [(440, 9), (880, 9), (261.63, 0), (659.26, 4)])
@pytest.mark.parametrize("rate", [22050, 48000])
def test_a_pure_tone(frequency, pitch_class, rate):
    found = acoustic(tone(frequency, rate=rate), rate)
    centroid, bandwidth, rolloff, flatness = found["spectral_mean"]
    assert abs(centroid - frequency) < RATE / 2048  # a bin
    assert abs(rolloff - frequency) < 3 * RATE / 2048  # the spectrum of the window is that wide
    assert bandwidth < 150 and flatness < 1e-3
    assert found["chroma"].argmax() == pitch_class and found["chroma"][pitch_class] > 0.95
    assert found["onset"][2] < 0.5


@pytest.mark.slow
def test_white_noise():
    found = acoustic(noise(), RATE)
    centroid, _, rolloff, flatness = found["spectral_mean"]
    assert abs(centroid - RATE / 4) < 150 and abs(rolloff - 0.85 * RATE / 2) < 250
    assert flatness > 0.5  # of periodograms of white noise, exp(-Euler's constant) = 0.56
    assert found["chroma"].min() > 0.4


@pytest.mark.slow
@pytest.mark.parametrize("per_minute", [50, 90, 120, 150])
def test_a_click_track(per_minute):
    found = acoustic(clicks(per_minute), RATE)
    assert abs(found["tempo"][0] - per_minute) < 3
    assert abs(found["onset"][2] - per_minute / 60) < 0.1


@pytest.mark.slow
@pytest.mark.parametrize(("per_minute", "heard"), [(180, 90), (240, 120)])
def test_a_fast_click_track_is_estimated_an_octave_down(per_minute, heard):
    """Tempo is known up to a factor of two; the number of onsets is not."""
    found = acoustic(clicks(per_minute), RATE)
    assert abs(found["tempo"][0] - heard) < 3 and abs(found["onset"][2] - per_minute / 60) < 0.1


@pytest.mark.slow
@pytest.mark.parametrize("gain", [0.1, 3])
def test_loudness_moves_the_level_and_nothing_else(gain):
    sound = clicks(120, 6) + tone(330) + 0.1 * noise()
    plain, louder = acoustic(sound, RATE), acoustic(gain * sound, RATE)
    np.testing.assert_allclose(louder["mel_mean"] - plain["mel_mean"], 20 * np.log10(gain), atol=1e-3)
    np.testing.assert_allclose(louder["mfcc_mean"][1:], plain["mfcc_mean"][1:], atol=1e-3)
    for name in set(SIZES) - {"mel_mean", "mfcc_mean"}:
        np.testing.assert_allclose(louder[name], plain[name], rtol=1e-3, atol=1e-3, err_msg=name)


@pytest.mark.slow
def test_a_clip_is_described_once(monkeypatch):
    first = acoustic(noise(2), RATE)
    monkeypatch.setattr(module, "_describe", lambda *args: pytest.fail("computed again"))
    again = acoustic(noise(2), RATE)
    assert all(np.array_equal(first[name], again[name]) for name in SIZES)
    with pytest.raises(pytest.fail.Exception, match="computed again"):
        acoustic(noise(2, seed=1), RATE)
    with pytest.raises(pytest.fail.Exception, match="computed again"):
        acoustic(noise(2), RATE, cache=False)


def test_log_mel_of_a_tone_has_its_peak_at_the_tone():
    frames = log_mel(tone(1000, 2), RATE)
    assert frames.shape == (101, 64) and frames.dtype == np.float32
    import librosa

    centres = librosa.mel_frequencies(66, fmax=RATE / 2)[1:-1]
    assert abs(centres[frames[50].argmax()] - 1000) < 60
    assert frames.max() - frames.min() <= 80.001
    assert log_mel(tone(1000, 2, 44100), 44100, n_mels=32, step=0.01).shape == (201, 32)


@pytest.mark.parametrize("rate", [16000, 22050, 44100])
def test_the_grid_of_steps(rate):
    sound = np.concatenate([tone(500, 3, rate), tone(2000, 3, rate)])
    frames = acoustic_frames(sound, rate, 1.5)
    assert {name: x.shape for name, x in frames.items()} == {
        "mel": (4, 64), "chroma": (4, 12), "onset": (4, 1), "spectral": (4, 4), "contrast": (4, 7),
    }  # fmt: skip
    assert all(values.dtype == np.float32 for values in frames.values())
    np.testing.assert_allclose(frames["spectral"][[0, 3], 0], [500, 2000], rtol=0.05)
    assert frames["onset"][:, 0].argmax() == 2  # the tone changes at 3 s
    assert acoustic_frames(sound, rate, 0.7)["mel"].shape == (8, 64)  # 0.4 s are left


def test_a_step_holds_its_frames_and_no_other(monkeypatch):
    numbers = np.arange(301.0)[:, None]
    monkeypatch.setattr(module, "_frames", lambda sound: dict.fromkeys(
        ("mel", "chroma", "onset", "spectral", "contrast"), numbers))  # fmt: skip
    frames = acoustic_frames(noise(6), RATE, 1.5)["mel"][:, 0]
    np.testing.assert_array_equal(frames, [37, 112, 187, 262])  # frames 0-74, 75-149, ...


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: acoustic(noise(0.5), RATE), "clips of 0.5 s, expected at least 1 s"),
        (lambda: acoustic(np.zeros(RATE), RATE), "silent"),
        (lambda: acoustic(noise(rate=8000), 8000), "expected 16000 or more"),
        (lambda: acoustic_frames(noise(1), RATE, 1.5), "lasts 1 s, expected 1.5 s or more"),
        (lambda: acoustic_frames(noise(1), RATE, 0.01), "step is 0.01 s, expected at least the 0.02 s"),
        (lambda: acoustic_frames(np.stack([noise(1)] * 2), RATE, 0.5), r"shape \(2, 22050\), expected one clip"),
        (lambda: log_mel(noise(1), RATE, step=0), "hop is 0"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


IMPORTS_WHILE_LOOKING = """
import fcntl, os, sys
held = {}
class Look:
    def find_spec(self, name, path=None, target=None):
        if name in ("librosa.core.audio", "librosa.core.pitch", "librosa.util.utils"):  # these compile
            handle = os.open(os.path.dirname(next(iter(sys.modules["librosa"].__path__)) + "/"), os.O_RDONLY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                held[name] = False
            except BlockingIOError:
                held[name] = True
            os.close(handle)
sys.meta_path.insert(0, Look())
import naturalistic.features.audio.acoustic
print(sorted(held.items()))
"""


@pytest.mark.slow
def test_no_two_processes_compile_librosa_at_once():
    pytest.importorskip("fcntl")
    done = subprocess.run([sys.executable, "-c", IMPORTS_WHILE_LOOKING], capture_output=True, text=True)
    expected = [(name, True) for name in ("librosa.core.audio", "librosa.core.pitch", "librosa.util.utils")]
    assert done.stdout.strip() == str(expected), done.stderr


def test_only_one_module_imports_librosa():
    library = Path(module.__file__).parents[2]
    by = [p for p in library.parent.rglob("naturalistic*/**/*.py") if "import librosa" in p.read_text(encoding="utf-8")]
    assert by == [Path(module.__file__)]
