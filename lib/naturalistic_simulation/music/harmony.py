"""Scales, chords written as Roman numerals, and their pitches."""

import re

import numpy as np
from numpy.typing import NDArray

__all__ = ["SCALES", "chord", "progression", "scale_pitches", "voicing"]

SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
    "blues": (0, 2, 3, 4, 5, 6, 7, 9, 10),  # mixolydian with the blue third and fifth
}

# Melodies keep to fewer notes than the chords do where a style asks for it.
PENTATONIC = {
    "major": (0, 2, 4, 7, 9),
    "minor": (0, 3, 5, 7, 10),
    "dorian": (0, 3, 5, 7, 10),
    "mixolydian": (0, 2, 4, 7, 9, 10),
    "phrygian": (0, 1, 5, 7, 8),
    "harmonic minor": (0, 2, 3, 7, 8),
    "blues": (0, 3, 5, 6, 7, 10),
}

DEGREES = {"I": 0, "II": 2, "III": 4, "IV": 5, "V": 7, "VI": 9, "VII": 11}
INTERVALS = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "7": (0, 4, 7, 10),
    "m7": (0, 3, 7, 10),
    "maj7": (0, 4, 7, 11),
    "9": (0, 4, 7, 10, 14),
    "m9": (0, 3, 7, 10, 14),
    "mdim": (0, 3, 6),
    "mdim7": (0, 3, 6, 10),
    "sus": (0, 5, 7),
    "5": (0, 7),
    "m5": (0, 7),
}
NUMERAL = re.compile(r"(b?)(VII|VI|IV|V|III|II|I|vii|vi|iv|v|iii|ii|i)(.*)")


def chord(numeral: str, key: int) -> tuple[int, tuple[int, ...]]:
    """Return the root and the intervals of a chord.

    The root is a pitch class, intervals are in semitones above it. A numeral is written from the major scale: ``bVII``
    is a whole tone under the key, lower case is minor.
    """
    match = NUMERAL.fullmatch(numeral)
    quality = "" if match is None else ("m" if match[2].islower() else "") + match[3]
    if match is None or quality not in INTERVALS:
        raise ValueError(f"chord {numeral!r} is not a Roman numeral with one of {sorted(set(INTERVALS))}")
    return (key + DEGREES[match[2].upper()] - len(match[1])) % 12, INTERVALS[quality]


def progression(text: str, key: int, n_bars: int, n_steps: int) -> list[tuple]:
    """Return the chord at each step of bars of ``n_steps`` steps.

    A chord is ``(root, intervals)``. In ``text`` a blank separates bars and a comma the chords of one bar, as in
    ``"ii7,V7 Imaj7"``; it is repeated until there are ``n_bars``.
    """
    bars = [[chord(numeral, key) for numeral in bar.split(",")] for bar in text.split()]
    chords = []
    for bar in range(n_bars):
        options = bars[bar % len(bars)]
        chords += [options[step * len(options) // n_steps] for step in range(n_steps)]
    return chords


def scale_pitches(key: int, intervals: tuple[int, ...], low: int, high: int) -> NDArray:
    """Return the MIDI pitches from low to high whose pitch class is in a scale on key."""
    pitches = np.arange(low, high + 1)
    return pitches[np.isin((pitches - key) % 12, np.array(intervals) % 12)]


def voicing(
    chord_: tuple[int, tuple[int, ...]],
    low: int,
    high: int,
    center: int,
    n_tones: int = 4,
    previous: NDArray | None = None,
) -> NDArray:
    """Return pitches of a chord, close to a center and to the previous chord.

    Parts move little from chord to chord. Power chords (root and fifth) double the root at the octave.
    """
    root, intervals = chord_
    tones = list(intervals[:n_tones]) if len(intervals) > 2 else [0, 7, 12]
    target = center if previous is None else 0.7 * np.mean(previous) + 0.3 * center
    best = None
    cost = np.inf
    for inversion in range(len(tones) if len(intervals) > 2 else 1):
        shape = np.sort([t + 12 if i < inversion else t for i, t in enumerate(tones)])
        for octave in range(1, 8):
            pitches = 12 * octave + root + shape
            if pitches[0] < low or pitches[-1] > high:
                continue
            distance = abs(pitches.mean() - target)
            if distance < cost:
                best = pitches
                cost = distance
    if best is None:
        raise ValueError(f"no voicing of {chord_} fits between pitches {low} and {high}")
    return best
