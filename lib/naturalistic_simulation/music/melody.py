"""Melodies: short motifs, repeated and varied over the chords in phrases."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from naturalistic_simulation.music.genres import Style
from naturalistic_simulation.music.harmony import PENTATONIC, SCALES, scale_pitches
from naturalistic_simulation.music.instruments import PITCHED, VOICE_INDEX, Instrument
from naturalistic_simulation.music.parts import Plan

__all__ = ["melody_part"]

MOTIF_BARS = 2
SKIPS = (-3, -2, -1, 0, 1, 2, 3)
PLANS = ("AABA", "ABAB", "AABC", "ABAC")


@dataclass(frozen=True)
class Motif:
    """Motif of two bars: steps, lengths, and moves along the scale."""

    steps: np.ndarray
    lengths: np.ndarray
    moves: np.ndarray


def draw_motif(rng: np.random.Generator, bar_steps: int, density: float, syncopation: float) -> Motif:
    """Draw a motif: rhythm weighted to the beats, mostly small moves."""
    n_steps = MOTIF_BARS * bar_steps
    step = np.arange(n_steps)
    weights = np.where(step % 4 == 0, 1.0, np.where(step % 2 == 0, 0.45 + syncopation, 0.05 + 0.25 * syncopation))
    weights[-4:] *= 0.15
    n_notes = int(np.clip(round(MOTIF_BARS * density * rng.uniform(0.8, 1.2)), 2, n_steps // 2))
    steps = np.sort(rng.choice(n_steps, n_notes, replace=False, p=weights / weights.sum()))
    gaps = np.diff(np.append(steps, n_steps))
    lengths = np.where(rng.random(n_notes) < 0.15, np.maximum(gaps - 1, 1), gaps)
    moves = rng.choice(SKIPS, n_notes, p=(0.06, 0.14, 0.25, 0.1, 0.25, 0.14, 0.06))
    return Motif(steps, np.minimum(lengths, min(8, bar_steps)), moves)


def varied_ending(rng: np.random.Generator, motif: Motif) -> Motif:
    """Return a motif whose second half moves elsewhere."""
    moves = motif.moves.copy()
    half = len(moves) // 2
    moves[half:] = rng.permutation(moves[half:])
    return Motif(motif.steps, motif.lengths, moves)


def melody_part(plan: Plan, instrument: str, style: Style, balance: float = 1.0) -> list[tuple]:
    """Return the notes of a melody on an instrument.

    Motifs of two bars make phrases of four, which come back as the style repeats; every note is of the scale,
    and notes on the beat mostly move to the nearest tone of the chord.
    """
    rng = plan.rng
    voice = VOICE_INDEX[instrument]
    spec = PITCHED[instrument]
    scale = (PENTATONIC if style.pentatonic else SCALES)[plan.mode]
    if plan.mode == "blues":
        scale = PENTATONIC["blues"]
    low, high = melody_range(spec, rng)
    ladder = scale_pitches(plan.key, scale, low, high)
    density = np.interp(plan.energy + rng.normal(0, 0.15), (0, 1), style.density)
    motifs = {name: draw_motif(rng, plan.bar_steps, density, style.syncopation) for name in "ABC"}
    order = PLANS[rng.integers(len(PLANS))]
    notes = []
    here = len(ladder) // 2
    for phrase in range(-(-plan.n_bars // MOTIF_BARS)):
        if rng.random() < style.repeats:
            motif = motifs[order[phrase % len(order)]]
            motif = varied_ending(rng, motif) if rng.random() < 0.3 else motif
        else:
            motif = draw_motif(rng, plan.bar_steps, density, style.syncopation)
        here = round(0.5 * here + 0.25 * len(ladder))  # phrases start near the middle of the range
        for step, length, move in zip(motif.steps, motif.lengths, motif.moves):
            at = phrase * MOTIF_BARS * plan.bar_steps + int(step)
            bar = at // plan.bar_steps
            if bar >= plan.n_bars:
                break
            here = int(np.clip(here + move, 0, len(ladder) - 1))
            if step % 4 == 0 or length >= 4:
                here = nearest_chord_tone(ladder, here, plan.chords[at])
            if plan.playing["melody"][bar]:
                accent = balance * (1.05 + 0.06 * (step % 4 == 0) + 0.01 * (here - len(ladder) / 2))
                notes.append((at, int(length), int(ladder[here]), plan.velocity(bar, accent), voice))
    return notes


def melody_range(spec: Instrument, rng: np.random.Generator) -> tuple[int, int]:
    """Return the range of a melody inside its instrument's: an octave and a half."""
    middle = np.clip(rng.normal(71, 3), spec.low + 9, spec.high - 9)
    return max(spec.low, int(middle) - 9), min(spec.high, int(middle) + 10)


def nearest_chord_tone(ladder: NDArray, here: int, chord: tuple) -> int:
    """Return the nearest rung that belongs to the chord, or the same if none does."""
    root, intervals = chord
    rungs = np.flatnonzero(np.isin((ladder - root) % 12, np.array(intervals) % 12))
    return here if len(rungs) == 0 else int(rungs[np.argmin(np.abs(rungs - here))])
