"""Sound of a piece: cached notes on three buses, amplifiers, and a room."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import butter, lfilter, sosfilt

from naturalistic_simulation.music.drums import stroke
from naturalistic_simulation.music.instruments import DRUM_VOICES, PITCHED, VOICES
from naturalistic_simulation.music.piece import Playable, step_seconds
from naturalistic_simulation.music.timbres import TIMBRES
from naturalistic_simulation.music.tones import tone

__all__ = ["render", "stem"]

LENGTHS = (0.15, 0.3, 0.6, 1.2, 2.4, 5.0)  # seconds that notes are computed for; longer ones as needed
LAYERS = 4  # of brightness, by velocity
CACHED_NOTES = 1024  # about 100 kB each at 22,050 Hz
MASTER = 0.085
ROOM = (0.45, 0.2)  # reverberation: seconds until it is 60 dB down, level
HALL = (1.5, 0.4)  # for pieces without drums
DRIVE = 10.0
LEAD = 57  # guitars from this pitch up have an amplifier of their own, or they would blur with the chords
CEILING = 0.97
KNEE = 0.75


def render(piece: Playable, sample_rate: int = 22050) -> NDArray:
    """Return the sound of a piece.

    Parameters
    ----------
    piece : Playable
        Such as a `Piece`.
    sample_rate : int
        Samples a second, at least 8000.

    Returns
    -------
    sound : float32 array (n_samples,)
        ``round(duration * sample_rate)`` samples between -0.97 and 0.97. Loudness is as played: not normalized.
    """
    return mix(piece, piece.notes, sample_rate)


def stem(piece: Playable, voices: Sequence[str], sample_rate: int = 22050) -> NDArray:
    """Return the sound of some voices (`instruments.VOICES`) of a piece."""
    unknown = [name for name in voices if name not in VOICES]
    if unknown:
        raise ValueError(f"voices {unknown} are not among the {len(VOICES)} of instruments.VOICES")
    chosen = [VOICES.index(name) for name in voices]
    return mix(piece, piece.notes[np.isin(piece.notes["instrument"], chosen)], sample_rate)


def mix(piece: Playable, notes: NDArray, sample_rate: int) -> NDArray:
    """Return the sound of notes of a piece, in the piece's room."""
    if sample_rate < 8000:
        raise ValueError(f"sample_rate is {sample_rate!r}, expected at least 8000")
    if not 0 < piece.duration < np.inf:
        raise ValueError(f"duration is {piece.duration!r}, expected a positive number of seconds")
    n_samples = round(piece.duration * sample_rate)
    buses = add_notes(piece, notes, n_samples, sample_rate)
    room = buses["room"]
    if buses["drive"] is not None:
        room += amplified(buses["drive"], sample_rate)
    if buses["lead"] is not None:
        room += amplified(buses["lead"], sample_rate)
    drummed = bool((piece.notes["instrument"] >= len(PITCHED)).any())
    sound = buses["near"] + reverberated(room, ROOM if drummed else HALL, sample_rate)
    return mastered(sound, sample_rate)


def add_notes(piece: Playable, notes: NDArray, n_samples: int, sample_rate: int) -> dict[str, NDArray]:
    """Return the buses near, room, drive and lead; the last two only where used."""
    buses = {name: np.zeros(n_samples, dtype=np.float32) for name in ("near", "room")}
    buses |= dict.fromkeys(("drive", "lead"))
    edges = (notes["step"], notes["step"] + notes["length"])
    columns = [np.round(step_seconds(e, piece.tempo, piece.swing) * sample_rate).astype(int) for e in edges]
    columns += [notes[name] for name in ("pitch", "velocity", "instrument")]
    for start, end, pitch, velocity, index in zip(*(column.tolist() for column in columns)):
        name = VOICES[index]
        spec = PITCHED.get(name) or DRUM_VOICES[name]
        bus = "lead" if spec.bus == "drive" and pitch >= LEAD else spec.bus
        if buses[bus] is None:
            buses[bus] = np.zeros(n_samples, dtype=np.float32)
        gain = np.float32(spec.level * (velocity / 90) ** 1.6)
        layer = min(velocity * LAYERS // 128, LAYERS - 1)
        if name in DRUM_VOICES:
            sound = drum_note(name, pitch, layer, sample_rate)
            held = n_samples
            release = 0
        else:
            held = end - start
            release = int(TIMBRES[name].release * sample_rate)
            seconds = (held + release) / sample_rate
            computed = next((length for length in LENGTHS if length >= seconds), seconds)
            sound = pitched_note(name, pitch, layer, computed, sample_rate)
        add(buses[bus], sound, start, held, release, gain)
    return buses


def add(bus: NDArray, sound: NDArray, start: int, held: int, release: int, gain: np.float32) -> None:
    """Add a note to a bus: as it is while held, then fading over the release."""
    whole = min(held, len(sound), len(bus) - start)
    if whole > 0:
        bus[start : start + whole] += gain * sound[:whole]
    tail = min(release, len(sound) - whole, len(bus) - start - whole) if whole == held else 0
    if tail > 0:
        bus[start + whole : start + whole + tail] += gain * fading(release)[:tail] * sound[whole : whole + tail]


@lru_cache(maxsize=128)
def fading(n_samples: int) -> NDArray:
    """Return half a cosine from 1 to 0."""
    return (0.5 + 0.5 * np.cos(np.linspace(0, np.pi, n_samples))).astype(np.float32)


@lru_cache(maxsize=CACHED_NOTES)
def pitched_note(name: str, pitch: int, layer: int, seconds: float, sample_rate: int) -> NDArray:
    """Return a note of a pitched instrument, computed once."""
    return tone(TIMBRES[name], pitch, (layer + 0.5) / LAYERS, seconds, sample_rate)


@lru_cache(maxsize=256)
def drum_note(name: str, pitch: int, layer: int, sample_rate: int) -> NDArray:
    """Return a stroke of a drum, computed once."""
    return stroke(name, pitch, DRUM_VOICES[name].low, (layer + 0.5) / LAYERS, sample_rate)


def amplified(bus: NDArray, sample_rate: int) -> NDArray:
    """Return a guitar bus after a softly clipping amplifier and a cabinet."""
    cabinet = butter(2, (95, min(5200, 0.45 * sample_rate)), "bandpass", fs=sample_rate, output="sos")
    return sosfilt(cabinet.astype(np.float32), np.tanh(np.float32(DRIVE) * bus)).astype(np.float32)


@lru_cache(maxsize=8)
def room_response(seconds: float, n_fft: int, sample_rate: int) -> NDArray:
    """Return the spectrum of a room: always the same noise that dies away."""
    rng = np.random.default_rng(20)
    time = np.arange(int(seconds * sample_rate)) / sample_rate
    noise = rng.standard_normal(len(time))
    dark = lfilter([0.25], [1, -0.75], noise) * 2.0
    fade = np.exp(-6.9 * time / seconds)
    response = dark * fade + noise * 0.5 * fade**2.5
    response[: int(0.006 * sample_rate)] = 0
    return rfft((response / np.sqrt((response**2).sum())).astype(np.float32), n_fft)


def reverberated(bus: NDArray, room: tuple[float, float], sample_rate: int) -> NDArray:
    """Return a bus with a room's answer added."""
    seconds, level = room
    n_fft = next_fast_len(len(bus) + int(seconds * sample_rate), real=True)
    answer = irfft(rfft(bus, n_fft) * room_response(seconds, n_fft, sample_rate), n_fft)[: len(bus)]
    return bus + np.float32(level) * answer


def mastered(sound: NDArray, sample_rate: int) -> NDArray:
    """Return a mix without DC, limited softly, and faded out in the last 20 ms."""
    pole = np.float32(np.exp(-2 * np.pi * 20 / sample_rate))
    sound = lfilter(np.array([1, -1], dtype=np.float32), np.array([1, -pole], dtype=np.float32), sound)
    sound *= np.float32(MASTER)
    over = np.abs(sound) > KNEE
    high = sound[over]
    sound[over] = np.sign(high) * (KNEE + (CEILING - KNEE) * np.tanh((np.abs(high) - KNEE) / (CEILING - KNEE)))
    fade = min(len(sound), int(0.02 * sample_rate))
    sound[len(sound) - fade :] *= fading(max(fade, 1))[:fade]
    return sound.astype(np.float32)
