"""Pieces of simulated music: a score on a grid of sixteenths, and facts."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from naturalistic_simulation.music.genres import GENRES, STYLES
from naturalistic_simulation.music.harmony import SCALES
from naturalistic_simulation.music.instruments import INSTRUMENTS
from naturalistic_simulation.music.patterns import RHYTHMS

__all__ = [
    "FACT_NAMES",
    "KEYS",
    "MOODS",
    "NOTE_DTYPE",
    "STEPS_PER_BEAT",
    "Piece",
    "Playable",
    "fact_vector",
    "facts",
    "step_seconds",
]

STEPS_PER_BEAT = 4
NOTE_DTYPE = np.dtype([("step", "i4"), ("length", "i4"), ("pitch", "i2"), ("velocity", "i2"), ("instrument", "i2")])
MOODS = ("Happy", "Sad", "Tender", "Exciting", "Angry", "Scary")
KEYS = ("C", "D flat", "D", "E flat", "E", "F", "G flat", "G", "A flat", "A", "B flat", "B")
MODES = tuple(SCALES)
RHYTHM_NAMES = ("none", *RHYTHMS)
HARMONIES = tuple(sorted({kind for s in STYLES.values() for options in s.harmony.values() for kind, _ in options}))
CHANGES = ("none", "build", "drop")


@dataclass(frozen=True, eq=False)
class Piece:
    """A score and its facts.

    ``notes`` is a structured array of `NOTE_DTYPE`, sorted by step: step (sixteenths from the start), length (in
    steps, at most a bar), pitch (MIDI), velocity (1 .. 127) and instrument (index into `instruments.VOICES`).
    Drums are notes like the others. Sound depends on notes, tempo, swing and duration only.
    """

    genre: str
    seed: int
    tempo: float  # beats a minute
    metre: int  # beats a bar
    key: int  # pitch class of the tonic, 0 is C
    mode: str
    swing: float  # 0 straight .. 1 the off-beat eighth falls on the last triplet
    instruments: dict  # role (drums, bass, chords, second, melody) -> name in `instruments.INSTRUMENTS`
    rhythm: str  # name of the drum pattern, or "none"
    harmony: str  # kind of chord progression
    change: str  # none; build: parts come in midway; drop: parts fall away midway
    energy: float  # 0 .. 1
    valence: float  # -1 .. 1
    mood: str
    duration: float  # seconds
    notes: np.ndarray


class Playable(Protocol):
    """Fields that decide the sound: of a `Piece`, or a score of the generator."""

    tempo: float
    swing: float
    duration: float
    notes: np.ndarray


def step_seconds(steps: ArrayLike, tempo: float, swing: float = 0.0) -> NDArray:
    """Return the times of steps.

    Parameters
    ----------
    steps : array-like of float
        Sixteenths from the start; need not be whole.
    tempo : float
        Beats a minute.
    swing : float
        From 0 (straight) to 1 (the off-beat eighth comes at two thirds of the beat).

    Returns
    -------
    seconds : array of float
    """
    beats, inside = np.divmod(np.asarray(steps, dtype=float) / STEPS_PER_BEAT, 1)
    half = 0.5 + swing / 6
    warped = np.where(inside < 0.5, inside * 2 * half, half + (inside - 0.5) * 2 * (1 - half))
    return (beats + warped) * 60 / tempo


def facts(piece: Piece) -> dict:
    """Return the facts of a piece as plain values for JSON.

    Returns
    -------
    facts : dict
        The fields of `Piece` but the notes; ``instruments`` as a list in order of the vocabulary, ``roles`` the
        role of each, ``drums`` whether there are any, and ``note_rate`` the notes a second.
    """
    names = set(piece.instruments.values())
    return {
        "genre": piece.genre,
        "seed": int(piece.seed),
        "tempo": float(piece.tempo),
        "metre": int(piece.metre),
        "key": int(piece.key),
        "mode": piece.mode,
        "swing": float(piece.swing),
        "instruments": [name for name in INSTRUMENTS if name in names],
        "roles": dict(piece.instruments),
        "drums": "drums" in piece.instruments,
        "rhythm": piece.rhythm,
        "harmony": piece.harmony,
        "change": piece.change,
        "energy": float(piece.energy),
        "valence": float(piece.valence),
        "mood": piece.mood,
        "duration": float(piece.duration),
        "note_rate": len(piece.notes) / float(piece.duration),
    }


CODED = {
    "genre": GENRES, "mood": MOODS, "mode": MODES, "rhythm": RHYTHM_NAMES, "harmony": HARMONIES, "change": CHANGES,
    "key": tuple(range(12)),
}  # fmt: skip
SCALED = {"tempo": 200.0, "swing": 1.0, "energy": 1.0, "valence": 1.0, "note_rate": 30.0}
FACT_NAMES = (
    *(f"{fact}={value}" for fact, values in CODED.items() for value in values),
    *(f"instrument={name}" for name in INSTRUMENTS),
    "triple metre",
    *SCALED,
)


def fact_vector(facts_: dict) -> NDArray:
    """Return facts as numbers, with columns named by `FACT_NAMES`.

    Parameters
    ----------
    facts_ : dict
        From `facts`.

    Returns
    -------
    vector : float32 array (n_facts,)
    """
    codes = [facts_[fact] == value for fact, values in CODED.items() for value in values]
    codes += [name in facts_["instruments"] for name in INSTRUMENTS]
    codes += [facts_["metre"] == 3]
    return np.array([*codes, *(facts_[fact] / scale for fact, scale in SCALED.items())], dtype=np.float32)
