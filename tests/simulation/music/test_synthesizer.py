"""The sound of pieces: repeatable, in tune, on the beat, within bounds, and different from genre to genre."""

import dataclasses
import hashlib
import subprocess
import sys

import numpy as np
import pytest
from naturalistic_simulation.music import composer, instruments, synthesizer
from naturalistic_simulation.music.drums import DRUMS, stroke
from naturalistic_simulation.music.harmony import SCALES
from naturalistic_simulation.music.timbres import TIMBRES
from naturalistic_simulation.music.tones import tone
from scipy.signal import stft

SAMPLE_RATE = 22050
SEEDS = (0, 1, 2)


@pytest.fixture(scope="module")
def sounds():
    """Return three pieces of each genre, 12 s long, with their sound."""
    pieces = {genre: [composer.compose(genre, seed, 12.0) for seed in SEEDS] for genre in composer.GENRES}
    return {genre: [(piece, synthesizer.render(piece)) for piece in of] for genre, of in pieces.items()}


def score(*rows, tempo=120.0, duration=3.0):
    """Return a piece of given notes (step, length, pitch, velocity, name)."""
    notes = np.array([(*row[:4], composer.VOICES.index(row[4])) for row in rows], dtype=composer.NOTE_DTYPE)
    return dataclasses.replace(composer.compose("pop", 0, duration), notes=notes, tempo=tempo, swing=0.0)


def level(sound):
    """Return the root mean square in decibels."""
    return 10 * np.log10(np.mean(np.square(sound, dtype=np.float64)) + 1e-12)


def centroid(sound, sample_rate=SAMPLE_RATE):
    """Return the centre of the magnitude spectrum (Hz)."""
    spectrum = np.abs(np.fft.rfft(sound))
    return (np.fft.rfftfreq(len(sound), 1 / sample_rate) * spectrum).sum() / spectrum.sum()


def onset_strength(sound, hop=256):
    """Return how much energy comes newly into the spectrum at each hop."""
    _, _, spectrum = stft(sound, SAMPLE_RATE, nperseg=1024, noverlap=1024 - hop)
    rise = np.maximum(np.diff(np.log(np.abs(spectrum) + 1e-3), axis=1), 0).mean(axis=0)
    return rise - rise.mean(), hop / SAMPLE_RATE


@pytest.mark.slow
@pytest.mark.parametrize("genre", composer.GENRES)
def test_sound_is_within_bounds(sounds, genre):
    for piece, sound in sounds[genre]:
        assert sound.dtype == np.float32 and sound.shape == (round(piece.duration * SAMPLE_RATE),)
        assert np.isfinite(sound).all() and 0.05 < np.abs(sound).max() <= 0.99
        assert abs(sound.mean()) < 1e-4
        assert (np.abs(sound) > 0.75).mean() < 0.01  # above this the peaks are rounded off
        crest = 20 * np.log10(np.abs(sound).max()) - level(sound)
        assert 9 < crest < 22
        loud = np.sqrt((sound[: 24 * 11025].reshape(24, -1) ** 2).mean(axis=1))
        assert loud.min() > 0.03 * loud.max()  # no half second is silent
        assert np.abs(sound[-20:]).max() < 0.01


@pytest.mark.slow
def test_same_piece_same_sound_in_any_order_and_process():
    code = """
import hashlib
from naturalistic_simulation.music.composer import compose
from naturalistic_simulation.music.synthesizer import render
for genre in ("metal", "jazz", "hiphop"):
    print(genre, hashlib.sha256(render(compose(genre, 5, 4.0)).tobytes()).hexdigest())
"""
    there = dict(line.split() for line in subprocess.check_output([sys.executable, "-c", code], text=True).splitlines())
    for genre in ("hiphop", "jazz", "metal", "jazz"):  # another order, and one twice
        sound = synthesizer.render(composer.compose(genre, 5, 4.0))
        assert hashlib.sha256(sound.tobytes()).hexdigest() == there[genre]
    synthesizer.pitched_note.cache_clear()
    sound = synthesizer.render(composer.compose("jazz", 5, 4.0))
    assert hashlib.sha256(sound.tobytes()).hexdigest() == there["jazz"]


@pytest.mark.slow
@pytest.mark.parametrize("sample_rate", [8000, 16000, 44100])
def test_other_sample_rates(sample_rate):
    piece = composer.compose("disco", 3, 3.3)
    sound = synthesizer.render(piece, sample_rate)
    assert sound.shape == (round(3.3 * sample_rate),) and sound.dtype == np.float32
    assert np.abs(sound).max() <= 0.99 and abs(sound.mean()) < 1e-3
    assert level(sound) == pytest.approx(level(synthesizer.render(piece)), abs=2.5)
    sound = synthesizer.render(score((8, 4, 60, 100, "piano")), sample_rate)
    first = np.flatnonzero(np.abs(sound) > 0.02 * np.abs(sound).max())[0]
    assert first / sample_rate == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("name", instruments.PITCHED)
def test_instruments_are_in_tune_and_clean_over_their_range(name):
    spec = instruments.PITCHED[name]
    off = 25 if TIMBRES[name].vibrato or len(TIMBRES[name].detune) > 1 else 6  # cents
    for pitch in np.linspace(spec.low, spec.high, 4).astype(int):
        sound = tone(TIMBRES[name], pitch, 0.6, 1.5, SAMPLE_RATE)
        assert sound.dtype == np.float32 and np.isfinite(sound).all() and abs(sound.mean()) < 5e-3
        assert 0.1 < np.sqrt((sound[: SAMPLE_RATE // 2] ** 2).mean()) < 1.6 and abs(sound[0]) < 0.02
        frequency = 440 * 2 ** ((pitch - 69) / 12)
        part = sound[1000:] * np.hanning(len(sound) - 1000)
        spectrum = np.abs(np.fft.rfft(part, 2**18))
        hertz = np.fft.rfftfreq(2**18, 1 / SAMPLE_RATE)
        partials = np.arange(1, 9)[:, None] * frequency * 2 ** (np.linspace(-60, 60, 81) / 1200)
        comb = np.interp(partials, hertz, spectrum, right=0).sum(axis=0)
        assert abs(np.linspace(-60, 60, 81)[comb.argmax()]) <= off, (name, pitch)


@pytest.mark.parametrize("name", DRUMS)
def test_drums_die_away(name):
    low = instruments.DRUM_VOICES[name].low
    soft, hard = (stroke(name, low, low, brightness, SAMPLE_RATE) for brightness in (0.1, 0.9))
    assert hard.dtype == np.float32 and np.isfinite(hard).all() and len(hard) < 5 * SAMPLE_RATE
    tenth = len(hard) // 10
    assert np.abs(hard[-tenth:]).max() < 0.02 * np.abs(hard).max()
    assert level(hard) > level(soft) and abs(hard.mean()) < 1e-3
    np.testing.assert_array_equal(hard, stroke(name, low, low, 0.9, SAMPLE_RATE))


def test_notes_begin_and_end_where_the_score_says():
    for name in ("organ", "piano", "electric bass", "distorted guitar"):
        pitch = 52
        sound = synthesizer.render(score((8, 4, pitch, 100, name), duration=4.0))
        loud = np.abs(sound) > 0.02 * np.abs(sound).max()
        first = np.flatnonzero(loud)[0] / SAMPLE_RATE
        assert first == pytest.approx(1.0, abs=0.02), name
        during, after = sound[int(1.05 * SAMPLE_RATE) : int(1.45 * SAMPLE_RATE)], sound[int(2.2 * SAMPLE_RATE) :]
        assert level(during) > level(after) + 25, name
        edge = np.abs(np.diff(sound))[int(1.48 * SAMPLE_RATE) : int(1.75 * SAMPLE_RATE)]
        assert edge.max() <= 1.3 * np.abs(np.diff(during)).max(), name  # the end makes no click
    sound = synthesizer.render(score((0, 1, 36, 100, "kick"), (4, 1, 36, 100, "kick"), tempo=90))
    for onset in (0, 60 / 90):
        at = int(onset * SAMPLE_RATE)
        assert level(sound[at : at + 400]) > level(sound[at + 9000 : at + 9400]) + 10


@pytest.mark.parametrize("name", ["piano", "violin", "trumpet", "synth bass", "clean guitar", "snare"])
def test_harder_is_louder_and_brighter(name):
    pitch = 38 if name == "snare" else 48 if name == "synth bass" else 62
    soft, hard = (synthesizer.render(score((0, 6, pitch, velocity, name), duration=1.0)) for velocity in (30, 120))
    assert level(hard) > level(soft) + 6 and centroid(hard) > 1.02 * centroid(soft)


def test_a_distorted_guitar_has_partials_that_were_not_played():
    """Two tones through one amplifier beat: their difference frequency is heard, as it is not from a clean guitar."""
    parts = {}
    for name in ("distorted guitar", "clean guitar"):
        sound = synthesizer.render(score((0, 16, 45, 110, name), (0, 16, 52, 110, name), duration=2.0))
        spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
        hertz = np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE)
        made, struck = (spectrum[np.abs(hertz - f) < 2].max() for f in (3 * 164.81 - 110, 164.81))
        parts[name] = made / struck  # 384 Hz lies between the partials of both tones
    assert parts["distorted guitar"] > 5 * parts["clean guitar"]


def test_rhythm_keeps_the_tempo(sounds):
    """The onsets of rhythmic pieces repeat after a beat more than after most other times."""
    better = []
    for genre in ("disco", "rock", "pop", "hiphop", "metal", "country"):
        for piece, sound in sounds[genre]:
            rise, hop = onset_strength(sound)
            lags = np.fft.irfft(np.abs(np.fft.rfft(rise, 2 * len(rise))) ** 2)[: len(rise) // 3]
            beat = round(60 / piece.tempo / hop)
            near = max(lags[k * beat + d] for k in (1, 2) for d in range(-3, 4))
            better.append((near > lags[beat // 5 :]).mean())
    assert np.median(better) > 0.97 and np.mean(better) > 0.93


def test_genres_differ_in_sound(sounds):
    mean = {genre: np.mean([centroid(sound) for _, sound in of]) for genre, of in sounds.items()}
    assert mean["metal"] > 1.3 * mean["classical"] and mean["disco"] > mean["classical"]
    loud = {genre: np.mean([level(sound) for _, sound in of]) for genre, of in sounds.items()}
    assert loud["metal"] > loud["classical"] + 1.5 and loud["rock"] > loud["jazz"]


@pytest.mark.slow
def test_stems_balance_and_drums_are_there_or_not(sounds):
    drums = list(instruments.DRUM_VOICES)
    for genre, of in sounds.items():
        for piece, sound in of:
            part = level(synthesizer.stem(piece, drums)) - level(sound)
            assert (part < -60) == (genre == "classical" or "drums" not in piece.instruments)
            assert part < -60 or -24 < part < 0
            bass = piece.instruments.get("bass")
            assert bass is None or -16 < level(synthesizer.stem(piece, [bass])) - level(sound) < 0.5


@pytest.mark.slow
def test_strong_pitch_classes_are_those_of_the_key(sounds):
    n_tried = 0
    for genre in ("classical", "pop", "country", "disco", "rock"):
        for piece, _ in sounds[genre]:
            if piece.mode != "major":
                continue
            n_tried += 1
            own = synthesizer.stem(piece, list(instruments.PITCHED))
            spectrum, hertz = np.abs(np.fft.rfft(own)) ** 2, np.fft.rfftfreq(len(own), 1 / SAMPLE_RATE)
            inside = (hertz > 60) & (hertz < 1000)
            pitch = 12 * np.log2(hertz[inside] / 440) + 69
            chroma = np.bincount(np.round(pitch).astype(int) % 12, spectrum[inside], 12)
            inside = [chroma[(key + np.array(SCALES["major"])) % 12].sum() / chroma.sum() for key in range(12)]
            assert inside[piece.key] > 0.85, (genre, piece.seed)
            assert (np.argmax(inside) - piece.key) % 12 in (0, 5, 7)  # a key a fifth away shares six of seven tones
    assert n_tried > 4


def test_no_notes_are_silence_and_the_past_does_not_matter():
    piece = score((0, 4, 60, 90, "piano"))
    empty = dataclasses.replace(piece, notes=piece.notes[:0])
    assert (synthesizer.render(empty) == 0).all()
    late = score((400, 4, 60, 90, "piano"))  # beyond the end
    assert (synthesizer.render(late) == 0).all()


@pytest.mark.slow
def test_long_and_loud_scores_do_not_clip():
    rows = [(step, 64, pitch, 127, "string section") for step in range(0, 24, 2) for pitch in range(50, 80, 3)]
    sound = synthesizer.render(score(*rows, tempo=60.0, duration=8.0))
    assert np.abs(sound).max() <= 0.99 and np.abs(sound).max() > 0.5


def test_errors_say_what_was_expected():
    piece = composer.compose("pop", 0, 1.0)
    with pytest.raises(ValueError, match="sample_rate is 4000, expected at least 8000"):
        synthesizer.render(piece, 4000)
    with pytest.raises(ValueError, match=r"duration is -1\.0, expected a positive"):
        synthesizer.render(dataclasses.replace(piece, duration=-1.0))
    with pytest.raises(ValueError, match="kazoo"):
        synthesizer.stem(piece, ["kazoo"])
