"""Timbres of the pitched instruments as numbers."""

from dataclasses import dataclass, replace

__all__ = ["TIMBRES", "Timbre"]


@dataclass(frozen=True)
class Timbre:
    """Sound of an instrument; Hz and seconds, at middle C where pitch matters."""

    name: str = ""
    slope: float = 1.0  # partial k starts at k ** -slope,
    drawbars: tuple = ()  # or at these levels
    even: float = 1.0  # level of even partials
    pluck: float = 0.0  # place along the string where it is plucked: takes out partials
    formants: tuple = ()  # (Hz, width in octaves, gain): resonances that stay where they are
    floor: float = 0.3  # level away from the formants
    cutoff: float = 4000.0  # above this partials are weaker
    tracking: float = 0.5  # degree to which the cutoff follows the pitch
    touch: float = 2.5  # octaves that the cutoff opens from the softest to the hardest note
    sweep: float = 0.0  # octaves that the cutoff is more open at the start
    sweep_time: float = 0.1
    decay: float = 0.0  # time constant; 0 sustains
    decay_tracking: float = 0.6  # higher notes die sooner
    damping: float = 0.0  # faster decay of high partials
    attack: float = 0.003
    release: float = 0.06
    vibrato: tuple = ()  # (cents, Hz, seconds until it is full)
    tremolo: tuple = ()  # (depth, Hz)
    detune: tuple = (0.0,)  # cents; more than one is an ensemble
    noise: tuple = ()  # (level, low Hz, high Hz, time constant, 0 sustains): hammer, breath, bow


GUITAR = Timbre(slope=0.9, pluck=0.18, cutoff=3600, decay=0.9, damping=0.7, release=0.05, noise=(0.12, 800, 5000, 0.01))
BOW = Timbre(
    slope=0.9, cutoff=5200, touch=2.0, attack=0.07, release=0.12, vibrato=(16, 5.6, 0.35), floor=0.35,
    formants=((450, 0.5, 0.6), (1100, 0.5, 0.5), (2600, 0.6, 0.8)), noise=(0.025, 1500, 7000, 0.0),
)  # fmt: skip
BRASS = Timbre(
    slope=0.5, cutoff=2300, touch=3.0, sweep=-1.2, sweep_time=0.05, attack=0.03, release=0.06, tracking=0.7,
    vibrato=(10, 5.2, 0.5), formants=((1300, 0.9, 0.8),), floor=0.5,
)  # fmt: skip
ELECTRIC_BASS = Timbre(slope=0.9, pluck=0.22, cutoff=1200, tracking=0.6, decay=0.8, decay_tracking=0.3, damping=2.0,
                       release=0.04, noise=(0.08, 300, 2500, 0.012))  # fmt: skip

SOUNDS = {
    "piano": Timbre(slope=0.8, pluck=0.125, cutoff=2300, tracking=0.8, touch=3.5, decay=1.1, damping=0.5, release=0.12,
                    detune=(-0.7, 0.6), noise=(0.1, 200, 2500, 0.012)),
    "harpsichord": Timbre(slope=0.35, pluck=0.09, cutoff=6000, touch=0.3, decay=0.7, damping=0.25, attack=0.001,
                          noise=(0.15, 2000, 9000, 0.006)),
    "electric piano": Timbre(drawbars=(1, 0.28, 0.06, 0.12, 0.02, 0.03, 0.1, 0.05), cutoff=1800, touch=4.0, sweep=0.8,
                             decay=1.2, decay_tracking=0.4, damping=0.6, release=0.1, tremolo=(0.25, 4.6)),
    "organ": Timbre(drawbars=(1, 0.85, 0.6, 0.5, 0, 0.3, 0, 0.25), cutoff=6000, touch=0.3, attack=0.006, release=0.03,
                    vibrato=(9, 6.4, 0.05), tremolo=(0.16, 6.4), noise=(0.08, 800, 5000, 0.008)),
    "vibraphone": Timbre(drawbars=(1, 0.02, 0, 0.35, 0, 0, 0, 0, 0, 0.1), cutoff=4500, decay=1.3, damping=0.8,
                         release=0.2, tremolo=(0.35, 5.4), noise=(0.05, 500, 4000, 0.006)),
    "violin": BOW,
    "cello": replace(BOW, cutoff=2200, attack=0.08, vibrato=(13, 5.0, 0.4),
                     formants=((250, 0.5, 0.7), (600, 0.5, 0.6), (1500, 0.6, 0.4))),
    "string section": replace(BOW, attack=0.1, release=0.2, cutoff=4500, detune=(-11, 1, 9), vibrato=(9, 5.1, 0.2)),
    "flute": Timbre(drawbars=(1, 0.42, 0.16, 0.07, 0.03), cutoff=3500, touch=1.5, attack=0.05, release=0.08,
                    vibrato=(9, 5.0, 0.3), tremolo=(0.12, 5.0), noise=(0.06, 1500, 6000, 0.0)),
    "clarinet": Timbre(slope=0.8, even=0.12, cutoff=1900, touch=2.0, attack=0.04, release=0.06,
                       noise=(0.012, 1500, 6000, 0.0)),
    "trumpet": BRASS,
    "saxophone": Timbre(slope=0.55, cutoff=3200, touch=2.0, attack=0.035, release=0.06, vibrato=(18, 5.0, 0.35),
                        formants=((550, 0.5, 1.0), (1200, 0.45, 0.7), (2500, 0.5, 0.35)), floor=0.25,
                        noise=(0.035, 1500, 7000, 0.0)),
    "brass section": replace(BRASS, detune=(-8, 0, 7), vibrato=(), cutoff=2600, attack=0.025),
    "harmonica": Timbre(slope=0.5, even=0.75, cutoff=4500, touch=1.5, attack=0.03, release=0.05, tremolo=(0.25, 5.5),
                        formants=((900, 0.6, 0.7), (2200, 0.5, 0.7)), floor=0.3, noise=(0.03, 2000, 7000, 0.0)),
    "voice": Timbre(slope=1.0, cutoff=5000, touch=1.5, attack=0.06, release=0.09, vibrato=(26, 5.4, 0.35), floor=0.08,
                    formants=((700, 0.32, 1.0), (1180, 0.25, 0.7), (2750, 0.2, 0.5), (3600, 0.2, 0.25)),
                    noise=(0.02, 1500, 7000, 0.0)),
    "acoustic guitar": replace(GUITAR, cutoff=5200, pluck=0.14, decay=0.75, slope=0.65, noise=(0.2, 1500, 8000, 0.012)),
    "clean guitar": replace(GUITAR, vibrato=(3, 4.0, 0.3)),
    "distorted guitar": replace(GUITAR, cutoff=4500, decay=2.2, damping=0.3, release=0.03, touch=2.0, noise=()),
    "banjo": replace(GUITAR, cutoff=5000, pluck=0.08, slope=0.55, decay=0.28, damping=0.8,
                     formants=((900, 0.6, 0.8), (2500, 0.6, 0.6)), floor=0.4, noise=(0.25, 1500, 6000, 0.008)),
    "steel guitar": replace(GUITAR, cutoff=3200, decay=2.5, damping=0.4, attack=0.03, vibrato=(14, 4.6, 0.4), noise=()),
    "upright bass": replace(ELECTRIC_BASS, cutoff=600, decay=0.55, attack=0.006, noise=(0.15, 200, 1500, 0.015)),
    "electric bass": ELECTRIC_BASS,
    "synth bass": Timbre(slope=1.0, cutoff=420, tracking=0.4, sweep=2.4, sweep_time=0.12, touch=2.0, decay=1.5,
                         decay_tracking=0.0, release=0.025, detune=(-4, 4)),
    "sub bass": Timbre(drawbars=(1, 0.3, 0.14, 0.05, 0.03), cutoff=500, tracking=0.0, touch=0.5, sweep=1.0, decay=0.9,
                       decay_tracking=0.0, release=0.06),
    "synth lead": Timbre(slope=1.0, cutoff=3500, touch=2.0, sweep=1.2, sweep_time=0.15, attack=0.005, release=0.06,
                         detune=(-7, 6), vibrato=(12, 5.5, 0.4)),
    "synth pad": Timbre(slope=1.0, cutoff=1900, touch=1.5, attack=0.25, release=0.3, detune=(-10, 0, 11)),
}  # fmt: skip
TIMBRES = {name: replace(timbre, name=name) for name, timbre in SOUNDS.items()}
