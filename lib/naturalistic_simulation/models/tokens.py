"""Scores as tokens, and back.

A header is a list of tokens: metre, tempo, swing, key, the voices that play in ascending order, and an end. One event
for each note or chord follows, with six fields: sixteenths since the event before it, voice, lowest pitch (above the
key, but for drums), shape (the intervals of a chord, so that a chord is one event), length, velocity. Compound events
follow Hsiao et al. (2021), "Compound Word Transformer", AAAI:
a clip of 15 s is about 200 of them.

Steps, lengths, pitches and voices come back exactly. Quantized are velocity (`LOUDNESS` wide, back as the middle of its
class), tempo (whole steps of `PACE` beats a minute) and swing (tenths).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from naturalistic_simulation.music.harmony import INTERVALS
from naturalistic_simulation.music.instruments import DRUM_VOICES, PITCHED, VOICES
from naturalistic_simulation.music.piece import NOTE_DTYPE, STEPS_PER_BEAT, Piece, step_seconds

FIELDS = ("advance", "voice", "pitch", "shape", "length", "velocity")
LOUDNESS = 8
PACE = 4
SLOWEST = 40
FASTEST = 240
# steps
SHORTEST_WAIT = 0
LONGEST_WAIT = 31
LONGEST = 16
LOWEST = 15  # a pitch of 26 in the highest key, 11
N_PITCHED = len(PITCHED)
RANGES = np.array([(i.low, i.high) for i in (*PITCHED.values(), *DRUM_VOICES.values())])


def _shapes() -> tuple[tuple[int, ...], ...]:
    """Return shapes of chords (`harmony.voicing`): intervals above the lowest tone."""
    shapes = {(0,), (0, 7), (0, 9), (0, 7, 12)}
    for intervals in INTERVALS.values():
        tones = intervals[:4]
        for inversion in range(len(tones) if len(tones) > 2 else 0):
            turned = sorted(tone + 12 if k < inversion else tone for k, tone in enumerate(tones))
            shapes.add(tuple(tone - turned[0] for tone in turned))
    return tuple(sorted(shapes, key=lambda shape: (len(shape), shape)))


SHAPES = _shapes()
SHAPE_INDEX = {shape: k for k, shape in enumerate(SHAPES)}
SPANS = np.array([shape[-1] for shape in SHAPES])
SIZES = (LONGEST_WAIT + 1, len(VOICES), 101 - LOWEST, len(SHAPES), LONGEST, 128 // LOUDNESS)

METRES = (3, 4)
TEMPI = tuple(range(SLOWEST, FASTEST + 1, PACE))
SWINGS = tuple(k / 10 for k in range(11))
HEADER_SIZES = (len(METRES), len(TEMPI), len(SWINGS), 12, len(VOICES), 1)
HEADER_STARTS = tuple(int(start) for start in np.cumsum((0, *HEADER_SIZES)))  # of each kind; the last is their number
END = HEADER_STARTS[5]


@dataclass(frozen=True, eq=False)
class Score:
    """Score of a piece: notes, timing, bars and key.

    Attributes
    ----------
    tempo : float
        Beats a minute.
    swing : float
    metre : int
        Beats a bar, 3 or 4.
    key : int
        Pitch class that pitches are written above.
    duration : float
        s.
    notes : array of `NOTE_DTYPE`
        Sorted by step, instrument, pitch.
    """

    tempo: float
    swing: float
    metre: int
    key: int
    duration: float
    notes: np.ndarray

    @property
    def bar_steps(self) -> int:
        """Sixteenths of a bar."""
        return self.metre * STEPS_PER_BEAT


def excerpt(piece: Piece, start: float = 0.0, duration: float = 15.0) -> Score:
    """Return the score of an excerpt of a piece, from a bar line on.

    Parameters
    ----------
    piece : Piece
    start, duration : float
        s. The experiment's clips, too, are 15 s from somewhere in a track of 30 s.

    Returns
    -------
    score : Score
    """
    bar_steps = piece.metre * STEPS_PER_BEAT
    first = int(np.ceil(np.round(start * piece.tempo / 60 / piece.metre, 9))) * bar_steps
    notes = piece.notes[piece.notes["step"] >= first].copy()
    notes["step"] -= first
    notes = notes[step_seconds(notes["step"], piece.tempo, piece.swing) < duration]
    return Score(piece.tempo, piece.swing, piece.metre, piece.key, float(duration), notes)


def encode(score: Score) -> tuple[NDArray, NDArray]:
    """Return the tokens of a score.

    Parameters
    ----------
    score : Score

    Returns
    -------
    header : int16 array (n_tokens,)
    events : int16 array (n_events, 6)
        Columns as in `FIELDS`.

    Raises
    ------
    ValueError
        On a score without notes, or with a property that has no token.
    """
    notes = score.notes
    if not len(notes):
        raise ValueError("the score has no notes, expected one or more")
    _check(score)
    velocity = notes["velocity"] // LOUDNESS
    last = 0
    rows = []
    order = np.lexsort((notes["pitch"], velocity, notes["length"], notes["instrument"], notes["step"]))
    together = {}
    for k in order.tolist():
        step, length, pitch, _, voice = notes[k].tolist()
        together.setdefault((step, voice, length, int(velocity[k])), []).append(pitch)
    for (step, voice, length, loud), pitches in together.items():
        shape = SHAPE_INDEX.get(tuple(pitch - pitches[0] for pitch in pitches))
        chords = [(pitches[0], shape)] if shape is not None else [(pitch, 0) for pitch in pitches]
        rows += [(step, voice, pitch, shape, length - 1, loud) for pitch, shape in chords]
    events = np.array(sorted(rows))
    events[:, 2] -= LOWEST + np.where(events[:, 1] < N_PITCHED, score.key, 0)
    events[:, 0] = np.diff(events[:, 0], prepend=last)
    if events[:, 0].max() > LONGEST_WAIT:
        raise ValueError(f"nothing begins for {events[:, 0].max()} steps, expected {LONGEST_WAIT} at most")
    return header_of(score), events.astype(np.int16)


def header_of(score: Score) -> NDArray:
    """Return the header of a score: int16 array (n_tokens,)."""
    values = (METRES.index(score.metre), round((score.tempo - SLOWEST) / PACE), round(score.swing * 10), score.key)
    voices = np.unique(score.notes["instrument"])
    first = [value + start for value, start in zip(values, HEADER_STARTS)]
    return np.array([*first, *(voices + HEADER_STARTS[4]), END], dtype=np.int16)


def read_header(header: NDArray) -> tuple[int, float, float, int, NDArray]:
    """Return metre, tempo, swing, key and the voices (int array) of a header."""
    values = [int(token) - start for token, start in zip(header[:4], HEADER_STARTS)]
    voices = np.asarray(header[4:-1], dtype=int) - HEADER_STARTS[4]
    return METRES[values[0]], float(TEMPI[values[1]]), SWINGS[values[2]], values[3], voices


def decode(header: NDArray, events: NDArray, duration: float = 15.0) -> Score:
    """Return the score of tokens.

    Parameters
    ----------
    header : int array (n_tokens,)
    events : int array (n_events, 6)
    duration : float
        s; what begins later is left out.

    Returns
    -------
    score : Score
        With velocities in the middle of their classes.

    Raises
    ------
    ValueError
        On tokens that are out of range, or a pitch that its voice does not have.
    """
    metre, tempo, swing, key, _ = read_header(header)
    events = np.asarray(events, dtype=int).reshape(-1, len(FIELDS))
    if (events < 0).any() or (events >= SIZES).any():
        raise ValueError(f"events have tokens out of range, expected from 0 to less than {SIZES}")
    steps = np.cumsum(events[:, 0])
    pitches = events[:, 2] + LOWEST + np.where(events[:, 1] < N_PITCHED, key, 0)
    notes = {}
    for step, (_, voice, _, shape, length, loud), pitch in zip(steps.tolist(), events.tolist(), pitches.tolist()):
        for interval in SHAPES[shape]:
            sounded = (length + 1, loud * LOUDNESS + LOUDNESS // 2)
            at = (step, voice, pitch + interval)
            notes[at] = max(notes.get(at, sounded), sounded)  # one key struck twice at once: the longer note stays
    rows = [(step, *sounded, pitch, voice) for (step, voice, pitch), sounded in sorted(notes.items())]
    rows = [(step, length, pitch, loud, voice) for step, length, loud, pitch, voice in rows]
    found = np.array(rows, dtype=NOTE_DTYPE)
    found = found[step_seconds(found["step"], tempo, swing) < duration]
    score = Score(tempo, swing, metre, key, float(duration), found)
    _check(score)
    return score


def _check(score: Score) -> None:
    """Check that a score can be written as tokens and played."""
    notes = score.notes
    known = {
        "metre": score.metre in METRES,
        "tempo": SLOWEST <= score.tempo <= FASTEST,
        "swing": 0 <= score.swing <= 1,
        "key": score.key in range(12),
        "step": (notes["step"] >= 0).all(),
        "instrument": ((notes["instrument"] >= 0) & (notes["instrument"] < len(VOICES))).all(),
        "length": ((notes["length"] >= 1) & (notes["length"] <= LONGEST)).all(),
        "velocity": ((notes["velocity"] >= 0) & (notes["velocity"] <= 127)).all(),
    }
    if wrong := [name for name, good in known.items() if not good]:
        raise ValueError(f"the score has a {wrong[0]} without a token: expected one as `compose` gives")
    low, high = RANGES[notes["instrument"]].T
    out = (notes["pitch"] < low) | (notes["pitch"] > high)
    if out.any():
        note = notes[out][0]
        raise ValueError(
            f"pitch {note['pitch']} at step {note['step']} is not one that {VOICES[note['instrument']]} has: expected "
            f"{low[out][0]} to {high[out][0]}"
        )
