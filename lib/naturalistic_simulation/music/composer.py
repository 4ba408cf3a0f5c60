"""Composition of simulated music, a piece from a genre and a seed.

Simulated pieces take the place of GTZAN's clips.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from naturalistic_simulation.music.genres import GENRES, STYLES, Style
from naturalistic_simulation.music.harmony import progression
from naturalistic_simulation.music.instruments import INSTRUMENTS, VOICES
from naturalistic_simulation.music.melody import melody_part
from naturalistic_simulation.music.parts import Plan, bass_part, chord_part, drum_part
from naturalistic_simulation.music.patterns import BASS_LINES, COMPS, RHYTHMS
from naturalistic_simulation.music.piece import (
    FACT_NAMES,
    MOODS,
    NOTE_DTYPE,
    STEPS_PER_BEAT,
    Piece,
    fact_vector,
    facts,
    step_seconds,
)

__all__ = [
    "FACT_NAMES",
    "GENRES",
    "INSTRUMENTS",
    "MOODS",
    "NOTE_DTYPE",
    "STEPS_PER_BEAT",
    "VOICES",
    "Character",
    "Piece",
    "compose",
    "draw_character",
    "fact_vector",
    "facts",
    "mood_of",
    "step_seconds",
]

BRIGHTNESS = {"major": 1.0, "mixolydian": 0.6, "blues": 0.0, "dorian": -0.2, "minor": -0.8, "harmonic minor": -0.9,
              "phrygian": -1.0}  # fmt: skip


@dataclass(frozen=True)
class Character:
    """Properties of a piece that are drawn before its notes.

    Attributes
    ----------
    energy, valence : float
        0 .. 1 and -1 .. 1.
    metre : int
        Beats a bar.
    mode, harmony : str
    numerals : tuple
        Chords of the progression.
    tempo : float
        Beats a minute.
    """

    energy: float
    valence: float
    metre: int
    mode: str
    harmony: str
    numerals: tuple
    tempo: float

    @property
    def mood(self) -> str:
        """One of `MOODS`."""
        return mood_of(self.energy, self.valence)


def draw_character(genre: str, seed: int) -> Character:
    """Return the character of the piece that `compose` writes, without its notes."""
    return _draw_character(_generator_of(genre, seed), STYLES[genre])


def compose(genre: str, seed: int, duration: float = 30.0) -> Piece:
    """Compose a piece of a genre from a seed.

    The same genre, seed and duration always give the same piece.

    Parameters
    ----------
    genre : str
        One of `GENRES`.
    seed : int
        Not negative. Neighboring seeds give unrelated pieces.
    duration : float
        Seconds.

    Returns
    -------
    piece : Piece
    """
    if genre not in GENRES:
        raise ValueError(f"genre is {genre!r}, expected one of {', '.join(GENRES)}")
    if not 0 < duration < np.inf:
        raise ValueError(f"duration is {duration!r}, expected a positive number of seconds")
    rng = _generator_of(genre, seed)
    style = STYLES[genre]
    character = _draw_character(rng, style)
    energy = character.energy
    metre = character.metre
    tempo = character.tempo
    swing = float(rng.uniform(*style.swing)) if rng.random() < 0.9 else 0.0
    players = draw_players(rng, style, metre, energy)
    rhythm = players["drums"][1] if "drums" in players else "none"
    key = int(rng.integers(12))
    bar_steps = metre * STEPS_PER_BEAT
    n_bars = int(np.ceil(duration * tempo / 60 / metre)) + 1
    playing, loudness, change = draw_form(rng, style, list(players), n_bars)
    chords = progression(character.numerals, key, n_bars, bar_steps)
    plan = Plan(rng, n_bars, bar_steps, chords, key, character.mode, energy, loudness, playing)
    notes = score(plan, players, style, duration, tempo, swing)
    return Piece(
        genre=genre, seed=int(seed), tempo=tempo, metre=metre, key=key, mode=character.mode, swing=round(swing, 3),
        instruments={role: player[0] for role, player in players.items()}, rhythm=rhythm,
        harmony=character.harmony, change=change, energy=energy, valence=character.valence, mood=character.mood,
        duration=float(duration), notes=notes,
    )  # fmt: skip


def _generator_of(genre: str, seed: int) -> np.random.Generator:
    return np.random.default_rng((seed, GENRES.index(genre)))


def _draw_character(rng: np.random.Generator, style: Style) -> Character:
    energy = float(rng.uniform(*style.energy))
    valence = float(rng.uniform(*style.valence))
    metre = 3 if rng.random() < style.waltz else 4
    mode = draw_mode(rng, style, valence)
    harmony, numerals = style.harmony[mode][rng.integers(len(style.harmony[mode]))]
    return Character(energy, valence, metre, mode, harmony, numerals, draw_tempo(rng, style, energy))


def mood_of(energy: float, valence: float) -> str:
    """Return the mood, one of `MOODS`, of an energy (0 .. 1) and a valence (-1 .. 1)."""
    if energy >= 0.6:
        return "Angry" if valence < -0.2 else "Exciting" if energy >= 0.7 or valence < 0.2 else "Happy"
    if valence < -0.4 and energy >= 0.25:
        return "Scary"
    if valence >= 0.15 and energy >= 0.35:
        return "Happy"
    return "Tender" if valence >= 0 else "Sad"


def pick(rng: np.random.Generator, weights: dict) -> Any:
    """Draw a key of a dict by its weights."""
    names = list(weights)
    values = np.array(list(weights.values()), dtype=float)
    return names[rng.choice(len(names), p=values / values.sum())]


def draw_mode(rng: np.random.Generator, style: Style, valence: float) -> str:
    """Draw a mode, brighter for happier pieces."""
    return pick(rng, {mode: np.exp(1.6 * valence * BRIGHTNESS[mode]) for mode in style.harmony})


def draw_tempo(rng: np.random.Generator, style: Style, energy: float) -> float:
    """Draw a whole number of beats a minute, faster for more energy."""
    low, high = style.energy
    along = np.clip(0.45 * (energy - low) / (high - low) + 0.55 * rng.random(), 0, 1)
    return float(round(style.tempo[0] + (style.tempo[1] - style.tempo[0]) * along))


def fitting(table: dict[str, tuple], names: Iterable[str], metre: int) -> tuple[str, ...]:
    """Return the named patterns that fill a bar of the metre; walking bass fits any."""
    lines = [line for name in names if name != "walk" for line in table[name]]
    return tuple(line for line in lines if len(line) == metre * STEPS_PER_BEAT)


def draw_players(rng: np.random.Generator, style: Style, metre: int, energy: float) -> dict[str, tuple]:
    """Draw the players: role -> (instrument, patterns), the drums' by name."""
    players = {}
    rhythms = [name for name in style.rhythms if len(RHYTHMS[name]["kick"]) == metre * STEPS_PER_BEAT]
    kit = pick(rng, style.kits)
    if kit is not None and rhythms:
        players["drums"] = (kit, rhythms[rng.integers(len(rhythms))])
    instrument = draw_instrument(rng, style.bass, BASS_LINES, metre)
    if instrument is not None:
        names = [n for n in style.bass[instrument] if n == "walk" or fitting(BASS_LINES, (n,), metre)]
        name = names[rng.integers(len(names))]
        players["bass"] = (instrument, ("walk",) if name == "walk" else fitting(BASS_LINES, (name,), metre))
    for role, options in (("chords", style.chords), ("second", style.second)):
        if role == "second" and rng.random() >= style.second_chance:
            continue
        options = {name: names for name, names in options.items() if name != players.get("chords", ("",))[0]}
        instrument = draw_instrument(rng, options, COMPS, metre)
        if instrument is not None:
            names = [n for n in options[instrument] if fitting(COMPS, (n,), metre)]
            players[role] = (instrument, fitting(COMPS, (names[rng.integers(len(names))],), metre))
    lead = pick(rng, style.melody)
    if lead is not None:
        players["melody"] = (lead, ())
    return players


def draw_instrument(rng: np.random.Generator, options: dict, table: dict[str, tuple], metre: int) -> str | None:
    """Draw an instrument that has a pattern in the metre, or None where listed."""
    able = [i for i, names in options.items() if i is None or "walk" in names or fitting(table, names, metre)]
    return able[rng.integers(len(able))] if able else None


def draw_form(
    rng: np.random.Generator, style: Style, roles: list[str], n_bars: int
) -> tuple[dict[str, NDArray], NDArray, str]:
    """Draw the playing parts and the loudness of each bar, and a change midway."""
    playing = {role: np.ones(n_bars, dtype=bool) for role in roles}
    phase = rng.uniform(0, 2 * np.pi)
    period = 8
    loudness = 1 + style.swell * np.sin(2 * np.pi * np.arange(n_bars) / period + phase)
    removable = [role for role in roles if role != "chords"]  # something always plays
    if rng.random() >= style.change or n_bars < 6 or not removable:
        return playing, loudness, "none"
    change = ("build", "drop")[int(rng.random() < 0.35)]
    share = rng.uniform(0.2, 0.4)  # of the time is sparse
    at = round(n_bars * (share if change == "build" else 1 - share) / 2) * 2
    quiet = np.arange(n_bars) < at if change == "build" else np.arange(n_bars) >= at
    n_out = int(rng.integers(1, max(2, len(removable) // 2 + 1)))
    for role in rng.permutation(removable)[:n_out]:
        playing[str(role)] = ~quiet
    return playing, np.where(quiet, 0.78, 1.0) * loudness, change


def score(plan: Plan, players: dict[str, tuple], style: Style, duration: float, tempo: float, swing: float) -> NDArray:
    """Return the notes of all parts as a sorted array, cut at the duration."""
    rows = []
    for role, (instrument, patterns) in players.items():
        balance = style.balance.get(role, 1.0)
        if role == "drums":
            rows += drum_part(plan, instrument, patterns, style.fills, balance)
        elif role == "bass":
            rows += bass_part(plan, instrument, patterns, balance)
        elif role == "melody":
            rows += melody_part(plan, instrument, style, balance)
        else:
            power = instrument == "distorted guitar"
            center = 46 if power else (57 if role == "chords" else 65) + int(plan.rng.integers(-3, 4))
            accent = balance * (0.72 if role == "chords" else 0.62)
            rows += chord_part(plan, role, instrument, patterns, center, accent=accent)
    longest = {}
    for step, length, pitch, velocity, voice in rows:  # two parts may strike one key at once: the longer note stays
        at = (step, voice, pitch)
        longest[at] = max(longest.get(at, (0, 0)), (length, velocity))
    last = np.arange(plan.n_bars * plan.bar_steps + 1)
    last = last[step_seconds(last, tempo, round(swing, 3)) <= duration][-1]
    kept = [
        (step, min(length, last - step, plan.bar_steps), pitch, velocity, voice)
        for (step, voice, pitch), (length, velocity) in sorted(longest.items())
        if step < last
    ]
    return np.array(kept, dtype=NOTE_DTYPE)
