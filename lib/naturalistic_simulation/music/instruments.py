"""Instruments of the simulated music: ranges and levels; the drum kits."""

from dataclasses import dataclass

__all__ = ["DRUM_VOICES", "INSTRUMENTS", "KITS", "PITCHED", "VOICES", "VOICE_INDEX", "Instrument"]


@dataclass(frozen=True)
class Instrument:
    """Range (MIDI), level in the mix, and bus: near (dry), room (wet) or drive."""

    low: int
    high: int
    level: float = 1.0
    bus: str = "room"


PITCHED = {
    "piano": Instrument(28, 100, 1.0),
    "harpsichord": Instrument(36, 89, 0.75),
    "electric piano": Instrument(36, 89, 0.95),
    "organ": Instrument(36, 91, 0.62),
    "vibraphone": Instrument(53, 89, 0.95),
    "violin": Instrument(55, 96, 0.8),
    "cello": Instrument(36, 72, 0.9),
    "string section": Instrument(43, 91, 0.68),
    "flute": Instrument(60, 93, 0.75),
    "clarinet": Instrument(50, 87, 0.75),
    "trumpet": Instrument(54, 84, 0.75),
    "saxophone": Instrument(49, 80, 0.8),
    "brass section": Instrument(46, 82, 0.55),
    "harmonica": Instrument(58, 88, 0.7),
    "voice": Instrument(50, 79, 0.95),
    "acoustic guitar": Instrument(40, 83, 0.95),
    "clean guitar": Instrument(40, 86, 0.85),
    "distorted guitar": Instrument(36, 86, 0.82, "drive"),
    "banjo": Instrument(48, 88, 1.1),
    "steel guitar": Instrument(45, 86, 0.8),
    "upright bass": Instrument(28, 60, 1.25, "near"),
    "electric bass": Instrument(28, 62, 1.1, "near"),
    "synth bass": Instrument(26, 60, 0.95, "near"),
    "sub bass": Instrument(26, 52, 1.4, "near"),
    "synth lead": Instrument(52, 93, 0.62),
    "synth pad": Instrument(41, 86, 0.6),
}

# Drums are notes too; their pitch says only how high a tom or a kick is tuned.
DRUM_VOICES = {
    "kick": Instrument(36, 36, 3.0, "near"),
    "snare": Instrument(38, 38, 2.3),
    "rim": Instrument(37, 37, 1.7),
    "brush": Instrument(38, 38, 1.3),
    "closed hat": Instrument(42, 42, 1.1, "near"),
    "open hat": Instrument(46, 46, 1.1, "near"),
    "ride": Instrument(51, 51, 0.95),
    "crash": Instrument(49, 49, 1.2),
    "tom": Instrument(41, 53, 2.2),
    "tambourine": Instrument(54, 54, 1.3),
    "machine kick": Instrument(36, 36, 3.4, "near"),
    "machine snare": Instrument(38, 38, 2.2),
    "clap": Instrument(39, 39, 1.6),
    "machine hat": Instrument(42, 42, 1.1, "near"),
    "machine open hat": Instrument(46, 46, 1.1, "near"),
    "cowbell": Instrument(56, 56, 1.2),
}

# Drum of each line of a pattern, by kit.
KITS = {
    "drum kit": dict(
        kick="kick", snare="snare", rim="rim", hat="closed hat", open="open hat", ride="ride", crash="crash", tom="tom",
        clap="snare", shake="tambourine",
    ),
    "brushed drums": dict(
        kick="kick", snare="brush", rim="rim", hat="closed hat", open="ride", ride="ride", crash="ride", tom="tom",
        clap="brush", shake="brush",
    ),
    "drum machine": dict(
        kick="machine kick", snare="machine snare", rim="rim", hat="machine hat", open="machine open hat",
        ride="machine hat", crash="crash", tom="tom", clap="clap", shake="cowbell",
    ),
}  # fmt: skip

VOICES = (*PITCHED, *DRUM_VOICES)  # a note's instrument is an index into it
VOICE_INDEX = {name: index for index, name in enumerate(VOICES)}
INSTRUMENTS = (*PITCHED, *KITS)  # instruments by their everyday names: the vocabulary of the facts
