"""Parts of bass, chords and drums: patterns over chords, with variations."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from naturalistic_simulation.music.harmony import voicing
from naturalistic_simulation.music.instruments import DRUM_VOICES, KITS, PITCHED, VOICE_INDEX, Instrument
from naturalistic_simulation.music.patterns import RHYTHMS

__all__ = ["Plan", "bass_part", "chord_part", "drum_part", "fit"]

DRUM_STROKES = {"X": 1.1, "x": 0.88, "o": 0.5}


@dataclass
class Plan:
    """State that the parts share; notes are (step, length, pitch, velocity, voice)."""

    rng: np.random.Generator
    n_bars: int
    bar_steps: int
    chords: list  # at each step: (root, intervals)
    key: int
    mode: str
    energy: float
    loudness: np.ndarray  # (n_bars,), about 1
    playing: dict  # role -> bool array (n_bars,)

    def velocity(self, bar: int, accent: float = 1.0) -> int:
        """Return a note's velocity from energy, the bar's loudness, accent and chance."""
        value = (48 + 52 * self.energy) * self.loudness[bar] * accent * self.rng.uniform(0.92, 1.08)
        return int(np.clip(value, 12, 127))


def fit(pitch: int, low: int, high: int) -> int:
    """Return a pitch moved by octaves into a range of at least an octave."""
    while pitch < low:
        pitch += 12
    while pitch > high:
        pitch -= 12
    return int(pitch)


def strokes(pattern: str) -> Iterator[tuple[int, str, int]]:
    """Yield each stroke of a pattern: step, character, length with the ``-`` after."""
    for step, character in enumerate(pattern):
        if character not in ".-":
            held = len(pattern[step + 1 :]) - len(pattern[step + 1 :].lstrip("-"))
            yield step, character, 1 + held


def bass_part(plan: Plan, instrument: str, lines: tuple[str, ...], balance: float = 1.0) -> list[tuple]:
    """Return the notes of the bass; ``lines`` are variants, or ``("walk",)``."""
    voice = VOICE_INDEX[instrument]
    spec = PITCHED[instrument]
    notes = []
    floor = spec.low + int(plan.rng.integers(0, 4))
    main = lines[plan.rng.integers(len(lines))]
    for bar in np.flatnonzero(plan.playing["bass"]):
        first = bar * plan.bar_steps
        turn = bar % 4 == 3 and plan.rng.random() < 0.5
        line = lines[plan.rng.integers(len(lines))] if turn else main
        if line == "walk":
            notes += walk(plan, voice, spec, floor, bar, balance)
            continue
        for step, character, length in strokes(line):
            root, intervals = plan.chords[first + step]
            following = plan.chords[min(first + plan.bar_steps, len(plan.chords) - 1)][0]
            fifth = intervals[2] if len(intervals) > 2 else 7
            third = intervals[1] if len(intervals) > 2 else 7
            seventh = intervals[3] if len(intervals) > 3 else 10
            above = {"1": 0, "3": third, "5": fifth, "6": 9, "7": seventh, "8": 12, "n": following - root - 2}
            pitch = fit(fit(root, floor, floor + 11) + above[character], spec.low, spec.high)
            accent = balance * (1.05 if step == 0 else 0.95)
            notes.append((first + step, length, pitch, plan.velocity(bar, accent), voice))
    return notes


def walk(plan: Plan, voice: int, spec: Instrument, floor: int, bar: int, balance: float) -> list[tuple]:
    """Return a bar of walking bass: root, tones of the chord, a leading step."""
    notes = []
    first = bar * plan.bar_steps
    n_beats = plan.bar_steps // 4
    down = plan.rng.random() < 0.4
    for beat in range(n_beats):
        step = first + 4 * beat
        root, intervals = plan.chords[step]
        low_root = fit(root, floor, floor + 11)
        if beat == 0 or plan.chords[step] != plan.chords[step - 1]:
            pitch = low_root
        elif beat == n_beats - 1:
            following = plan.chords[min(step + 4, len(plan.chords) - 1)][0]
            pitch = fit(following, floor, floor + 11) + int(plan.rng.choice([-2, -1, 1, 2], p=[0.25, 0.35, 0.15, 0.25]))
        else:
            tones = intervals[1:4] if len(intervals) > 2 else (7, 12)
            pitch = low_root + tones[(len(tones) - beat if down else beat - 1) % len(tones)]
        pitch = fit(pitch, spec.low, spec.high)
        notes.append((step, 4, pitch, plan.velocity(bar, balance * (1.0 if beat % 2 else 0.94)), voice))
        if plan.rng.random() < 0.07:
            notes[-1] = (step, 2, *notes[-1][2:])
            notes.append((step + 2, 1, pitch, plan.velocity(bar, 0.7 * balance), voice))
    return notes


def chord_part(
    plan: Plan, role: str, instrument: str, comps: tuple[str, ...], center: int, n_tones: int = 4, accent: float = 0.8
) -> list[tuple]:
    """Return the notes of a comping instrument, its patterns kept for some bars."""
    voice = VOICE_INDEX[instrument]
    spec = PITCHED[instrument]
    rng = plan.rng
    notes = []
    previous = None
    main = comps[rng.integers(len(comps))]
    loose = rng.random() < 0.4
    pattern = main
    for bar in range(plan.n_bars):
        if loose:
            pattern = comps[rng.integers(len(comps))] if bar % 2 else main
        if not plan.playing[role][bar]:
            continue
        for step, character, length in strokes(pattern):
            at = bar * plan.bar_steps + step
            root, intervals = plan.chords[at]
            power = instrument == "distorted guitar"
            low_root = fit(root, spec.low, spec.low + 11)
            shape = (root, (0, 7)) if power and character != "1" else (root, intervals)
            if previous is None or plan.chords[at] != previous[0]:
                near = None if power or previous is None else previous[1]
                tones = voicing(shape, spec.low, spec.high, center, n_tones, near)
                previous = (plan.chords[at], tones)
            if character == "m":
                pitches = (low_root, low_root + 7)
            elif character in "ps":
                pitches = (low_root, low_root + (7 if character == "p" else 9))
            elif character.isdigit():
                pitches = (tone(previous[1], int(character) - 1, spec.high),)
            else:
                pitches = previous[1]
            weight = accent * (1.08 if step == 0 else 1.0) * (0.72 if character == "m" else 1.0)
            weight *= 1.3 if len(pitches) == 1 else 1.0  # a chord is as loud as one note
            velocity = plan.velocity(bar, weight)
            notes += [(at, length, int(pitch), velocity, voice) for pitch in pitches]
    return notes


def tone(pitches: NDArray, index: int, high: int) -> int:
    """Return one tone of a chord, an octave higher where there are no more."""
    pitch = pitches[index % len(pitches)] + 12 * (index // len(pitches))
    return pitch if pitch <= high else pitch - 12


def drum_part(plan: Plan, kit: str, rhythm: str, fills: float, balance: float = 1.0) -> list[tuple]:
    """Return the notes of the drums: pattern, changes, fills, and cymbals."""
    rng = plan.rng
    notes = []
    pattern = {slot: line for slot, line in RHYTHMS[rhythm].items()}
    varied = {slot: vary(rng, line) if slot in ("kick", "hat") else line for slot, line in pattern.items()}
    was_fill = True
    for bar in range(plan.n_bars):
        first = bar * plan.bar_steps
        if not plan.playing["drums"][bar]:
            was_fill = True
            continue
        comes_back = bar % 4 == 3
        fill = comes_back and rng.random() < fills
        start = plan.bar_steps - int(rng.choice([4, 6, 8])) if fill else plan.bar_steps
        for slot, line in (varied if comes_back else pattern).items():
            for step, character, _ in strokes(line[:start]):
                notes.append(drum(plan, kit, slot, first + step, bar, balance * DRUM_STROKES[character]))
        if fill:
            notes += fill_bar(plan, kit, bar, first + start, balance)
        if was_fill and plan.energy > 0.3:
            notes.append(drum(plan, kit, "crash", first, bar, 0.9 * balance))
        was_fill = fill
    return notes


def drum(plan: Plan, kit: str, slot: str, step: int, bar: int, accent: float, pitch: int | None = None) -> tuple:
    """Return one drum note; its length of one step is nominal."""
    name = KITS[kit][slot]
    return step, 1, DRUM_VOICES[name].low if pitch is None else pitch, plan.velocity(bar, accent), VOICE_INDEX[name]


def fill_bar(plan: Plan, kit: str, bar: int, start: int, balance: float) -> list[tuple]:
    """Return a fill to the end of a bar: snare and falling toms, growing louder."""
    end = (bar + 1) * plan.bar_steps
    notes = []
    steps = np.arange(start, end)
    keep = plan.rng.random(len(steps)) < 0.55 + 0.4 * plan.energy
    keep[0] = True
    for step in steps[keep]:
        along = (step - start) / (end - start)
        accent = balance * (0.75 + 0.4 * along)
        if along < 0.4 or plan.rng.random() < 0.2:
            notes.append(drum(plan, kit, "snare", step, bar, accent))
        else:
            notes.append(drum(plan, kit, "tom", step, bar, accent, 53 - 4 * int(3.9 * (along - 0.4) / 0.6)))
    return notes


def vary(rng: np.random.Generator, line: str) -> str:
    """Return a pattern with one stroke moved off or added, accents kept."""
    strokes_ = list(line)
    step = int(rng.integers(1, len(line) // 2)) * 2
    strokes_[step] = "x" if line[step] == "." else line[step] if line[step] == "X" else "."
    return "".join(strokes_)
