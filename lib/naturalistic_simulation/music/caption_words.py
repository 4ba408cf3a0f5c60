"""Vocabulary of the captions."""

__all__ = [
    "CHANGE_WORDS",
    "FIDDLE",
    "HARMONY_WORDS",
    "INSTRUMENT_WORDS",
    "MOOD_WORDS",
    "RHYTHM_WORDS",
    "STYLE_BY_FACT",
    "STYLE_WORDS",
    "TEMPO_WORDS",
]

# Names of each instrument; words that end in s are plural.
INSTRUMENT_WORDS = {
    "piano": ("piano",),
    "harpsichord": ("harpsichord",),
    "electric piano": ("electric piano", "mellow electric piano"),
    "organ": ("organ", "drawbar organ"),
    "vibraphone": ("vibraphone",),
    "violin": ("violin", "solo violin"),
    "cello": ("cello",),
    "string section": ("string section", "strings", "bowed strings"),
    "flute": ("flute",),
    "clarinet": ("clarinet",),
    "trumpet": ("trumpet",),
    "saxophone": ("saxophone", "tenor saxophone"),
    "brass section": ("brass section", "horns", "horn section"),
    "harmonica": ("harmonica", "blues harp"),
    "voice": ("wordless voice", "singing voice"),
    "acoustic guitar": ("acoustic guitar", "steel-string guitar"),
    "clean guitar": ("clean electric guitar", "electric guitar with a clean tone"),
    "distorted guitar": ("distorted guitar", "overdriven electric guitar"),
    "banjo": ("banjo",),
    "steel guitar": ("pedal steel guitar", "steel guitar"),
    "upright bass": ("upright bass", "double bass"),
    "electric bass": ("electric bass", "bass guitar"),
    "synth bass": ("synth bass", "synthesizer bass"),
    "sub bass": ("deep sub bass", "booming sub bass"),
    "synth lead": ("synthesizer lead", "bright synthesizer"),
    "synth pad": ("synthesizer pad", "soft synth pad"),
    "drum kit": ("drums", "drum kit", "live drums"),
    "brushed drums": ("brushed drums", "drums played with brushes"),
    "drum machine": ("drum machine", "programmed drums"),
}
FIDDLE = ("fiddle", "country fiddle")

MOOD_WORDS = {
    "Happy": ("happy", "cheerful", "sunny", "good-humoured", "joyful"),
    "Sad": ("sad", "melancholy", "mournful", "wistful", "sorrowful"),
    "Tender": ("tender", "gentle", "warm", "affectionate", "soft-hearted"),
    "Exciting": ("exciting", "energetic", "exhilarating", "high-spirited", "thrilling"),
    "Angry": ("angry", "aggressive", "fierce", "furious", "hostile"),
    "Scary": ("scary", "eerie", "ominous", "unsettling", "menacing"),
}
TEMPO_WORDS = {
    "slow": ("slow", "unhurried", "slow-paced"),
    "medium": ("mid-tempo", "moderately paced", "medium-paced"),
    "lively": ("lively", "brisk", "up-tempo"),
    "fast": ("fast", "rapid", "quick"),
}

STYLE_WORDS = {
    "blues": ("blues", "blues number", "blues tune", "bar-room blues"),
    "classical": ("classical piece", "piece of chamber music", "classical movement", "concert piece"),
    "country": ("country song", "country tune", "honky-tonk song", "country number"),
    "disco": ("disco track", "disco tune", "dance-floor number", "seventies dance track"),
    "hiphop": ("hip-hop beat", "rap instrumental", "hip-hop instrumental", "hip-hop loop"),
    "jazz": ("jazz tune", "jazz number", "jazz performance", "jazz improvisation"),
    "metal": ("metal track", "heavy metal track", "metal song", "heavy riff-driven track"),
    "pop": ("pop song", "pop tune", "pop track", "radio-friendly song"),
    "reggae": ("reggae track", "reggae tune", "reggae groove", "island groove"),
    "rock": ("rock song", "rock track", "rock number", "rock tune"),
}
# More for pieces with a fact: (genre, fact, value) -> words.
STYLE_BY_FACT = {
    ("blues", "harmony", "twelve-bar blues"): ("twelve-bar blues",),
    ("blues", "rhythm", "shuffle"): ("shuffle blues", "blues shuffle"),
    ("classical", "metre", 3): ("classical waltz", "minuet-like piece"),
    ("country", "metre", 3): ("country waltz",),
    ("country", "rhythm", "train beat"): ("train-beat country song",),
    ("disco", "rhythm", "four on the floor"): ("four-on-the-floor disco track",),
    ("hiphop", "rhythm", "boom bap"): ("boom-bap beat", "head-nodding boom-bap loop"),
    ("hiphop", "rhythm", "trap"): ("trap beat", "trap instrumental"),
    ("jazz", "rhythm", "swing"): ("swing tune", "swinging jazz number"),
    ("jazz", "rhythm", "jazz waltz"): ("jazz waltz",),
    ("jazz", "rhythm", "bossa nova"): ("bossa nova",),
    ("metal", "rhythm", "thrash beat"): ("thrash metal track",),
    ("pop", "rhythm", "ballad"): ("pop ballad",),
    ("reggae", "rhythm", "one drop"): ("one-drop reggae groove",),
    ("rock", "rhythm", "driving backbeat"): ("driving rock song",),
    ("rock", "metre", 3): ("rock ballad in three",),
}

RHYTHM_WORDS = {
    "shuffle": ("a rolling shuffle", "a shuffling ride cymbal"),
    "slow shuffle": ("a lazy shuffle", "a loping, swung beat"),
    "swing": ("a swinging ride cymbal", "a swing feel"),
    "jazz waltz": ("a light swing in three", "a swung waltz beat"),
    "bossa nova": ("a bossa nova beat with rim clicks", "a gently syncopated Latin beat"),
    "four on the floor": ("a four-on-the-floor kick", "a steady kick on every beat"),
    "disco sixteenths": ("a busy dance beat of hi-hat sixteenths", "a pounding kick and chattering hi-hats"),
    "boom bap": ("a boom-bap beat", "a dusty kick-and-snare loop"),
    "lazy boom bap": ("a laid-back kick-and-snare loop", "a lazy head-nodding beat"),
    "trap": ("a sparse trap beat with rattling hi-hats", "a half-speed beat with rattling hi-hats"),
    "one drop": ("a one-drop beat", "a beat that drops on the third count"),
    "steppers": ("a steppers beat with a kick on every count", "a marching reggae beat"),
    "rockers": ("a loose rockers beat", "an off-beat hi-hat groove"),
    "train beat": ("a train beat", "a chugging snare pattern"),
    "two-step": ("a plain two-step beat", "a simple boom-chick beat"),
    "country waltz": ("a waltz beat", "a beat in three"),
    "waltz ballad": ("a rolling beat in three", "a swaying three-beat pattern"),
    "backbeat": ("a plain backbeat", "a solid backbeat"),
    "driving backbeat": ("a driving backbeat", "a hard-hitting backbeat"),
    "sixteenth backbeat": ("a backbeat with busy hi-hats", "a tight beat with sixteenth-note hi-hats"),
    "half-time": ("a half-time beat", "a spacious half-time groove"),
    "ballad": ("a soft ballad beat", "a restrained ballad beat"),
    "stomp": ("a stomping beat", "a stomp on every beat"),
    "double kick": ("relentless double-kick drumming", "a hail of double kicks"),
    "gallop": ("a galloping beat", "a galloping kick drum"),
    "thrash beat": ("a thrash beat", "a breakneck thrash beat"),
    "half-time metal": ("a crushing half-time beat", "a heavy half-time breakdown beat"),
}
HARMONY_WORDS = {
    "twelve-bar blues": ("The chords follow the twelve-bar form", "It goes round a twelve-bar progression"),
    "two-chord vamp": ("It rocks between a few chords", "The harmony is a simple vamp"),
    "one-chord loop": ("The harmony hardly moves", "It circles over almost one chord"),
    "four-chord loop": ("Four chords go round and round", "A four-chord loop repeats"),
    "three-chord song": ("The song gets by on three chords", "It keeps to three plain chords"),
    "two-five-one changes": ("The chords move in two-five-ones", "The harmony turns through jazz changes"),
    "classical cadence": ("The phrases end in clear cadences", "It moves from phrase to cadence"),
    "circle of fifths": ("The chords fall through the circle of fifths", "The harmony descends by fifths"),
    "power-chord riff": ("It is built on power-chord riffs", "Riffs of power chords carry it"),
}
CHANGE_WORDS = {
    "build": ("More parts come in as it goes on", "It starts sparse and fills out", "It builds up midway"),
    "drop": ("Parts fall away towards the end", "It thins out later on", "The texture empties midway"),
}
