"""One-bar patterns of the styles.

A character is a sixteenth: 16 to a bar of four beats, 12 of three. Everywhere ``.`` is a rest and ``-`` holds the note
before.

- Drums: ``X`` accent, ``x`` stroke, ``o`` ghost note.
- Bass: ``1 3 5 7 8`` tone of the chord, ``6`` the sixth, ``n`` leads into the next bar.
- Chords: ``x`` the chord, ``m`` a muted stroke, ``p`` root and fifth, ``s`` root and sixth, digits single tones of
  the chord from its lowest.
"""

__all__ = ["BASS_LINES", "COMPS", "RHYTHMS"]

RHYTHMS = {
    "shuffle": dict(kick="X.......x.x.....", snare="....X.......X...", ride="X.x.X.x.X.x.X.x."),
    "slow shuffle": dict(kick="X.......x.......", snare="....X.......X...", hat="x.x.x.x.x.x.x.x."),
    "swing": dict(kick="o...o...o...o...", hat="....x.......x...", ride="X...x.x.X...x.x.", snare="......o........."),
    "jazz waltz": dict(kick="x...........", hat="....x...x...", ride="X...x.x.x...", snare="..........o."),
    "bossa nova": dict(kick="x.....x.x.....x.", rim="x.....x.....x...", hat="x.x.x.x.x.x.x.x."),
    "four on the floor": dict(
        kick="X...X...X...X...", clap="....X.......X...", open="..X...X...X...X.", hat="x.........x....."
    ),
    "disco sixteenths": dict(
        kick="X...X...X...X...", snare="....X.......X...", hat="xox.xox.xox.xox.", open="..x...x...x...x."
    ),
    "boom bap": dict(kick="X......x..x.....", snare="....X.......X...", hat="x.x.x.x.x.x.x.x."),
    "lazy boom bap": dict(kick="X..x......xx....", snare="....X..o.o..X...", hat="x.x.x.x.x.x.x.xo"),
    "trap": dict(kick="X.....x...x.....", clap="........X.......", hat="xoxoxoxoxxxoxoxx"),
    "one drop": dict(kick="........X.......", rim="........X.......", hat="x.x.x.x.x.x.x.xo"),
    "steppers": dict(kick="X...X...X...X...", rim="........X..x....", hat="x.xox.x.x.xox.x."),
    "rockers": dict(kick="X.......x.......", snare="........X.......", hat="..x...x...x...x.", rim="...x......x....."),
    "train beat": dict(kick="X...x...X...x...", snare="ooXoooXoooXoooXo"),
    "two-step": dict(kick="X.......X.......", snare="....x.......x...", hat="x.x.x.x.x.x.x.x."),
    "country waltz": dict(kick="X...........", rim="....x...x...", hat="x...x...x..."),
    "waltz ballad": dict(kick="X.........x.", snare="........X...", hat="x.x.x.x.x.x."),
    "backbeat": dict(kick="X.......X.x.....", snare="....X.......X...", hat="x.x.x.x.x.x.x.x."),
    "driving backbeat": dict(kick="X..x..x.X..x....", snare="....X.......X...", hat="X.x.X.x.X.x.X.x."),
    "sixteenth backbeat": dict(kick="X.....x...x.....", snare="....X.......X...", hat="XoxoXoxoXoxoXoxo"),
    "half-time": dict(kick="X.....x.........", snare="........X.......", hat="x...x...x...x..."),
    "ballad": dict(kick="X.........x.....", snare="....x.......x...", hat="x...x...x...x..."),
    "stomp": dict(kick="X...X...X...X...", snare="....X.......X...", shake="x.x.x.x.x.x.x.x."),
    "double kick": dict(kick="XxxxXxxxXxxxXxxx", snare="....X.......X...", ride="X...X...X...X..."),
    "gallop": dict(kick="X.xxX.xxX.xxX.xx", snare="....X.......X...", hat="X...X...X...X..."),
    "thrash beat": dict(kick="X...X.x.X...X.x.", snare="..X...X...X...X.", hat="x.x.x.x.x.x.x.x."),
    "half-time metal": dict(kick="X.xx..x.....xxxx", snare="........X.......", crash="X.......x......."),
}

BASS_LINES = {
    "held": ("1---------------", "1-----------"),
    "quarters": ("1--.1--.1--.1--.", "1--.1--.5--.1--."),
    "eighths": ("1-1-1-1-1-1-1-1-", "1-1-1-1-1-1-1-n-"),
    "two-beat": ("1---....5---....", "1---....5---..n.", "1---........"),
    "boogie": ("1-3-5-6-7-6-5-3-", "1-1-3-3-5-5-6-6-"),
    "octaves": ("1.8.1.8.1.8.1.8.", "1.8.1.8.1.8.5.n."),
    "disco run": ("1.811.8.1.811.58", "1..81.8.1..85.n."),
    "syncopated": ("1--1--1-..1-5-..", "1-----1-..8-..5.", "1--.5-1-...1--n."),
    "808": ("1-------....1---", "1-----..1---..5-", "1----------.1-1-"),
    "dub": ("1--1..5-..3-1...", "....1-1-5-..3-1-", "1-..1-3-5---....", "..1-1-..5-8-5-.."),
    "gallop": ("1.111.111.111.11",),
    "bossa": ("1-----5-5-----1-",),
    "waltz": ("1---........", "1---....5---"),
    "offbeat": ("..1-..1-..1-..1-", "..1-..1-..1-..8-"),
    "cello line": ("1---5---8---5---", "1-------5-------", "1---3---5---"),
}

COMPS = {
    "sustain": ("x---------------", "x-----------"),
    "halves": ("x-------x-------",),
    "pulse": ("x--.x--.x--.x--.", "x--.x--.x--."),
    "eighths": ("x-x-x-x-x-x-x-x-",),
    "skank": ("..x...x...x...x.", "....x.......x...", "..xx..x...xx..x."),
    "bubble": (".x.xx..x.x.xx..x", "..x.x.x...x.x.x."),
    "charleston": ("x--...x-........", "......x---....x-", "..x-......x-....", "x--...x-....x...", "x--...x-...."),
    "alberti": ("1-3-2-3-1-3-2-3-", "1323132313231323", "1-3-2-3-2-3-"),
    "broken chord": ("1-2-3-4-3-2-1-2-", "1---2---3---2---", "1-2-3-4-3-2-"),
    "waltz": ("1---x---x---", "1---x--.x-x-"),
    "boom-chick": ("1---x-..2---x-..", "1---x-x.2---x-x.", "1---x-..x-.."),
    "strum": ("x---x-x-..x-x-x-", "x---x-x-x---x-x-", "x---x-x-x-x-"),
    "fingerpick": ("1-3-2-4-1-3-2-4-", "1--32-4-1--32-43", "1-3-2-4-3-2-"),
    "banjo roll": ("1324132413241324", "1234123412341234"),
    "boogie": ("p-p-s-s-p-p-s-s-",),
    "blues stabs": ("....x.......x...", "......x-......x-", "x-....x-........"),
    "sixteenth chop": ("x.xx..xx.x.xx.x.", "..xx..x...xx..xx", "x..x..x...x..x.."),
    "stabs": ("x..x..x.........", "x.....x...x.....", "....x..x........"),
    "loop": ("x-----..3-2-....", "x--...x-----....", "1-3-4-3-x---....", "x-------......2-"),
    "power": ("x-------x-----x-", "x---------------", "x-----x-----x---"),
    "power eighths": ("x-x-x-x-x-x-x-x-", "x-m-m-x-m-m-x-m-"),
    "chug": ("mmmmx-mmmmmmx---", "m.mmm.mmm.mmx---", "mmxmmxmmx-mmmmx-"),
    "gallop": ("m.mmm.mmm.mmm.mm", "x.mmm.mmx.mmm.mm"),
    "tremolo": ("xxxxxxxxxxxxxxxx",),
    "arpeggio": ("1-2-3-2-1-2-3-2-", "123-123-123-12-3", "1-2-3-2-1-2-"),
}
