"""Styles of the ten genres as data: their options and chances."""

from dataclasses import dataclass, field

__all__ = ["GENRES", "STYLES", "Style"]

GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")


@dataclass(frozen=True)
class Style:
    """Options of a genre: ranges, and names in `patterns` and `instruments`."""

    tempo: tuple  # beats a minute
    energy: tuple  # 0 .. 1
    valence: tuple  # -1 .. 1
    harmony: dict  # mode -> ((kind, Roman numerals), ...)
    rhythms: tuple  # names; those of the piece's metre are drawn from
    kits: dict  # kit, or None for no drums -> weight
    bass: dict  # instrument or None -> names of lines
    chords: dict  # instrument -> names of comping patterns
    melody: dict  # instrument or None -> weight
    second: dict = field(default_factory=lambda: {None: ()})  # a second chord instrument
    second_chance: float = 0.5
    density: tuple = (3, 6)  # melody notes a bar
    syncopation: float = 0.3
    repeats: float = 0.8  # chance that a phrase comes back instead of a new one
    pentatonic: bool = False
    swing: tuple = (0.0, 0.0)  # 0 straight .. 1 triplets
    waltz: float = 0.0  # chance of three beats a bar
    change: float = 0.35  # chance of a section without some of the parts
    swell: float = 0.05  # depth of slow dynamics
    fills: float = 0.5  # chance that a fourth bar ends in one
    balance: dict = field(default_factory=dict)  # role -> how hard it plays


BLUES_12 = "I7 I7 I7 I7 IV7 IV7 I7 I7 V7 IV7 I7 V7"
QUICK_12 = "I7 IV7 I7 I7 IV7 IV7 I7 I7 V7 IV7 I7,IV7 I7,V7"
MINOR_12 = "i7 i7 i7 i7 iv7 iv7 i7 i7 bVI7 V7 i7 V7"

STYLES = {
    "blues": Style(
        tempo=(62, 138), energy=(0.15, 0.8), valence=(-0.8, 0.5), swing=(0.75, 1.0), swell=0.08,
        harmony={
            "blues": (("twelve-bar blues", BLUES_12), ("twelve-bar blues", QUICK_12),
                      ("two-chord vamp", "I7 I7 IV7 I7")),
            "minor": (("twelve-bar blues", MINOR_12),),
        },
        rhythms=("shuffle", "shuffle", "slow shuffle", "slow shuffle", "swing"),
        kits={"drum kit": 7, "brushed drums": 2, None: 1},
        bass={"electric bass": ("boogie", "walk", "quarters"), "upright bass": ("walk", "boogie"), None: ()},
        chords={"clean guitar": ("boogie", "blues stabs"), "piano": ("boogie", "blues stabs"),
                "acoustic guitar": ("boogie", "fingerpick"), "organ": ("blues stabs", "sustain"),
                "distorted guitar": ("boogie",)},
        second={"piano": ("blues stabs",), "organ": ("sustain",)}, second_chance=0.4,
        melody={"harmonica": 6, "clean guitar": 4, "distorted guitar": 1, "voice": 2, "saxophone": 1, "piano": 1},
        density=(3, 6), syncopation=0.5, repeats=0.6, pentatonic=True, balance={"melody": 1.1},
    ),
    "classical": Style(
        tempo=(60, 150), energy=(0.0, 0.6), valence=(-0.9, 0.9), waltz=0.35, swell=0.28, change=0.3,
        harmony={
            "major": (("classical cadence", "I V7 I IV I,V7 I ii,V7 I"), ("classical cadence", "I I IV V7 vi ii V7 I"),
                      ("circle of fifths", "I IV viidim iii vi ii V7 I")),
            "harmonic minor": (("classical cadence", "i V7 i iv i,V7 i iv,V7 i"),
                               ("circle of fifths", "i iv bVII bIII bVI iidim V7 i")),
        },
        rhythms=(), kits={None: 1},
        bass={"cello": ("cello line", "held"), None: ()},
        chords={"piano": ("alberti", "broken chord", "waltz"), "string section": ("sustain", "pulse", "eighths"),
                "harpsichord": ("alberti", "broken chord", "pulse"), "acoustic guitar": ("fingerpick", "broken chord")},
        second={"string section": ("sustain",), "cello": ("sustain",)}, second_chance=0.35,
        melody={"violin": 4, "flute": 3, "piano": 4, "clarinet": 2, "cello": 1, "trumpet": 1, "voice": 1},
        density=(3, 8), syncopation=0.05, repeats=0.75,
    ),
    "country": Style(
        tempo=(76, 168), energy=(0.2, 0.8), valence=(-0.6, 1.0), waltz=0.18, swing=(0.0, 0.35),
        harmony={
            "major": (("three-chord song", "I I IV I I I V V"), ("three-chord song", "I IV I V I IV I,V I"),
                      ("three-chord song", "I I V V V V I I"), ("four-chord loop", "I V vi IV")),
            "mixolydian": (("three-chord song", "I bVII IV I"),),
        },
        rhythms=("train beat", "train beat", "two-step", "two-step", "shuffle", "country waltz", "waltz ballad",
                 "backbeat"),
        kits={"drum kit": 6, "brushed drums": 3, None: 2},
        bass={"upright bass": ("two-beat",), "electric bass": ("two-beat", "waltz")},
        chords={"acoustic guitar": ("boom-chick", "strum"), "banjo": ("banjo roll", "strum"),
                "clean guitar": ("boom-chick",)},
        second={"banjo": ("banjo roll",), "acoustic guitar": ("strum", "boom-chick"), "steel guitar": ("sustain",)},
        second_chance=0.8,
        melody={"violin": 5, "steel guitar": 5, "voice": 3, "harmonica": 1, "clean guitar": 1, "banjo": 1},
        density=(3, 7), syncopation=0.15, pentatonic=True,
    ),
    "disco": Style(
        tempo=(104, 134), energy=(0.5, 1.0), valence=(-0.3, 1.0), change=0.4,
        harmony={
            "minor": (("four-chord loop", "i7 bVII bVImaj7 V7"), ("two-chord vamp", "i7 i7 iv7 iv7"),
                      ("circle of fifths", "i7 iv7 bVII bIIImaj7")),
            "dorian": (("two-chord vamp", "i7 IV7"),), "major": (("four-chord loop", "Imaj7 vi7 ii7 V7"),),
        },
        rhythms=("four on the floor", "disco sixteenths"), kits={"drum kit": 6, "drum machine": 4},
        bass={"electric bass": ("octaves", "disco run"), "synth bass": ("octaves", "offbeat")},
        chords={"clean guitar": ("sixteenth chop",), "electric piano": ("stabs", "sixteenth chop"),
                "piano": ("stabs", "eighths")},
        second={"string section": ("sustain",), "brass section": ("stabs",), "synth pad": ("sustain",)},
        second_chance=0.9,
        melody={"voice": 4, "string section": 3, "brass section": 2, "synth lead": 2, "flute": 1, "saxophone": 1},
        density=(3, 7), syncopation=0.5, pentatonic=True, balance={"melody": 1.2, "bass": 1.05},
    ),
    "hiphop": Style(
        tempo=(70, 112), energy=(0.25, 0.85), valence=(-0.9, 0.5), swing=(0.0, 0.6), change=0.45, fills=0.25,
        harmony={
            "minor": (("two-chord vamp", "i7 bVImaj7"), ("one-chord loop", "i7"), ("two-chord vamp", "i7 i7 iv7 v7")),
            "dorian": (("two-chord vamp", "i9 IV9"),), "phrygian": (("one-chord loop", "i i bII i"),),
        },
        rhythms=("boom bap", "lazy boom bap", "trap", "half-time"), kits={"drum machine": 8, "drum kit": 2},
        bass={"sub bass": ("808",), "synth bass": ("808", "syncopated"), "electric bass": ("808", "dub")},
        chords={"electric piano": ("loop",), "piano": ("loop", "arpeggio"), "string section": ("loop", "stabs"),
                "vibraphone": ("loop", "arpeggio"), "clean guitar": ("loop",)},
        second={"synth pad": ("sustain",), "brass section": ("stabs",)}, second_chance=0.3,
        melody={None: 8, "synth lead": 1, "flute": 1, "saxophone": 1, "voice": 1},
        density=(2, 4), syncopation=0.5, repeats=1.0, pentatonic=True,
        balance={"drums": 1.18, "bass": 1.18, "chords": 0.85},
    ),
    "jazz": Style(
        tempo=(72, 208), energy=(0.1, 0.75), valence=(-0.6, 0.8), waltz=0.15, swing=(0.55, 1.0), swell=0.1, fills=0.2,
        harmony={
            "major": (("two-five-one changes", "ii7 V7 Imaj7 Imaj7"), ("two-five-one changes", "Imaj7 VI7 ii7 V7"),
                      ("two-five-one changes", "ii7,V7 Imaj7,vi7 ii7,V7 iii7,VI7")),
            "dorian": (("two-chord vamp", "i7 i7 i7 i7 ii7 ii7 i7 i7"), ("two-chord vamp", "i9 IV9")),
            "minor": (("two-five-one changes", "iidim7 V7 i7 i7"),), "blues": (("twelve-bar blues", QUICK_12),),
        },
        rhythms=("swing", "swing", "swing", "jazz waltz", "bossa nova"),
        kits={"drum kit": 6, "brushed drums": 5, None: 0.5},
        bass={"upright bass": ("walk", "walk", "two-beat"), "electric bass": ("walk", "bossa")},
        chords={"piano": ("charleston",), "clean guitar": ("charleston", "pulse"), "organ": ("charleston",),
                "vibraphone": ("charleston",), "electric piano": ("charleston",)},
        second={"brass section": ("stabs",), "clean guitar": ("pulse",)}, second_chance=0.2,
        melody={"saxophone": 5, "trumpet": 4, "piano": 3, "vibraphone": 2, "clarinet": 1, "flute": 1,
                "clean guitar": 2},
        density=(4, 8), syncopation=0.5, repeats=0.3, balance={"drums": 0.95, "melody": 1.05},
    ),
    "metal": Style(
        tempo=(92, 196), energy=(0.6, 1.0), valence=(-1.0, 0.1), change=0.3,
        harmony={
            "phrygian": (("power-chord riff", "i5 i5 i5 bII5"), ("power-chord riff", "i5 bII5 i5 bVII5,bII5")),
            "minor": (("power-chord riff", "i5 i5 bVI5 bVII5"), ("power-chord riff", "i5 bIII5 bVII5 bVI5")),
            "harmonic minor": (("power-chord riff", "i5 i5 iv5 V5"),),
        },
        rhythms=("double kick", "gallop", "thrash beat", "half-time metal", "driving backbeat"), kits={"drum kit": 1},
        bass={"electric bass": ("eighths", "gallop")},
        chords={"distorted guitar": ("chug", "gallop", "tremolo", "power eighths")},
        second={"distorted guitar": ("power",), "string section": ("sustain",), "synth pad": ("sustain",)},
        second_chance=0.35,
        melody={"distorted guitar": 4, None: 4, "voice": 2, "synth lead": 1},
        density=(4, 10), syncopation=0.2, fills=0.6, balance={"drums": 1.08, "chords": 1.1},
    ),
    "pop": Style(
        tempo=(72, 136), energy=(0.2, 0.9), valence=(-0.6, 1.0), change=0.55,
        harmony={
            "major": (("four-chord loop", "I V vi IV"), ("four-chord loop", "I vi IV V"),
                      ("four-chord loop", "vi IV I V"), ("four-chord loop", "IV I V vi")),
            "minor": (("four-chord loop", "i bVI bIII bVII"), ("four-chord loop", "i iv bVI bVII")),
        },
        rhythms=("backbeat", "four on the floor", "ballad", "sixteenth backbeat", "stomp", "half-time"),
        kits={"drum machine": 8, "drum kit": 2, None: 0.5},
        bass={"synth bass": ("eighths", "syncopated", "offbeat"), "electric bass": ("eighths", "held"),
              "sub bass": ("held",)},
        chords={"piano": ("halves", "arpeggio", "pulse"), "acoustic guitar": ("strum", "fingerpick"),
                "electric piano": ("halves", "pulse"), "synth pad": ("sustain",), "clean guitar": ("arpeggio",)},
        second={"synth pad": ("sustain",), "string section": ("sustain",), "clean guitar": ("arpeggio",),
                "synth lead": ("arpeggio",), "cello": ("sustain",)},
        second_chance=0.85,
        melody={"voice": 7, "synth lead": 4, "piano": 1, "violin": 1}, density=(4, 8), syncopation=0.4,
    ),
    "reggae": Style(
        tempo=(62, 98), energy=(0.2, 0.65), valence=(-0.3, 1.0), swing=(0.0, 0.7), change=0.4,
        harmony={
            "major": (("two-chord vamp", "I IV"), ("three-chord song", "I IV I V"), ("four-chord loop", "I vi IV V")),
            "minor": (("two-chord vamp", "i iv"), ("two-chord vamp", "i bVII")),
            "dorian": (("two-chord vamp", "i ii"),),
        },
        rhythms=("one drop", "steppers", "rockers"), kits={"drum kit": 8, "drum machine": 2},
        bass={"electric bass": ("dub",), "sub bass": ("dub",), "synth bass": ("dub",)},
        chords={"clean guitar": ("skank",), "piano": ("skank",), "organ": ("skank",)},
        second={"organ": ("bubble",), "brass section": ("stabs",), "clean guitar": ("skank",)}, second_chance=0.7,
        melody={"voice": 5, "brass section": 2, "trumpet": 1, "saxophone": 2, "flute": 1, "harmonica": 1, None: 2},
        density=(2, 5), syncopation=0.4, pentatonic=True, balance={"bass": 1.12, "chords": 1.15, "drums": 0.95},
    ),
    "rock": Style(
        tempo=(84, 172), energy=(0.35, 1.0), valence=(-0.7, 0.8), change=0.4, fills=0.7,
        harmony={
            "mixolydian": (("three-chord song", "I bVII IV I"), ("three-chord song", "I I bVII IV")),
            "minor": (("four-chord loop", "i bVII bVI bVII"), ("four-chord loop", "i bIII bVII IV")),
            "major": (("three-chord song", "I IV V IV"), ("four-chord loop", "I V vi IV")),
        },
        rhythms=("driving backbeat", "backbeat", "half-time", "waltz ballad", "stomp"), waltz=0.06,
        kits={"drum kit": 1},
        bass={"electric bass": ("eighths", "syncopated", "quarters", "waltz")},
        chords={"distorted guitar": ("power eighths", "power", "strum"), "acoustic guitar": ("strum",),
                "clean guitar": ("strum", "arpeggio", "eighths")},
        second={"clean guitar": ("arpeggio",), "organ": ("sustain",), "distorted guitar": ("power",),
                "piano": ("eighths",)},
        second_chance=0.6,
        melody={"voice": 5, "distorted guitar": 4, "clean guitar": 1, "organ": 1, None: 1},
        density=(3, 7), syncopation=0.4, pentatonic=True,
    ),
}  # fmt: skip
