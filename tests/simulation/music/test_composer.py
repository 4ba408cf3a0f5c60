"""Composed pieces: repeatable, well formed, of their style; captions true to them."""

import dataclasses
import json
import re

import numpy as np
import pytest
from naturalistic_simulation.music import caption_words, captions, composer, harmony, instruments, patterns
from naturalistic_simulation.music.genres import STYLES
from naturalistic_simulation.music.melody import melody_part
from naturalistic_simulation.music.parts import Plan, fit

SEEDS = range(12)


@pytest.fixture(scope="module")
def pieces():
    """Return twelve pieces of each genre."""
    return {genre: [composer.compose(genre, seed) for seed in SEEDS] for genre in composer.GENRES}


def pitched(piece):
    """Return the notes of a piece that are not drums."""
    return piece.notes[piece.notes["instrument"] < len(instruments.PITCHED)]


def played(piece, name):
    """Return the notes of one voice."""
    return piece.notes[piece.notes["instrument"] == composer.VOICES.index(name)]


def test_same_seed_same_piece_whatever_came_before():
    first = composer.compose("jazz", 7)
    composer.compose("rock", 8)
    np.random.default_rng(0).random(3)
    again = composer.compose("jazz", 7)
    assert first.notes.tobytes() == again.notes.tobytes() and composer.facts(first) == composer.facts(again)
    assert composer.compose("jazz", 8).notes.tobytes() != first.notes.tobytes()
    assert composer.compose("blues", 7).notes.tobytes() != first.notes.tobytes()


@pytest.mark.slow
@pytest.mark.parametrize("genre", composer.GENRES)
def test_notes_are_well_formed(pieces, genre):
    for piece in pieces[genre]:
        notes = piece.notes
        assert notes.dtype == composer.NOTE_DTYPE and len(notes) > 30
        place = [(n["step"], n["instrument"], n["pitch"]) for n in notes]
        assert place == sorted(set(place))
        assert notes["step"].min() >= 0 and notes["length"].min() >= 1
        assert notes["length"].max() <= piece.metre * composer.STEPS_PER_BEAT
        ends = composer.step_seconds(notes["step"] + notes["length"], piece.tempo, piece.swing)
        assert ends.max() <= piece.duration and ends.max() > piece.duration - 4
        assert notes["velocity"].min() >= 1 and notes["velocity"].max() <= 127
        names = {composer.VOICES[i] for i in notes["instrument"]}
        kit = instruments.KITS[piece.instruments["drums"]].values() if "drums" in piece.instruments else ()
        assert names <= set(piece.instruments.values()) | set(kit)
        assert names >= set(piece.instruments.values()) - set(instruments.KITS)
        for name in names:
            spec, pitch = {**instruments.PITCHED, **instruments.DRUM_VOICES}[name], played(piece, name)["pitch"]
            assert spec.low <= pitch.min() and pitch.max() <= spec.high, name


@pytest.mark.parametrize("genre", composer.GENRES)
def test_facts_are_those_of_the_style(pieces, genre):
    style = STYLES[genre]
    for piece in pieces[genre]:
        assert style.tempo[0] <= piece.tempo <= style.tempo[1] and style.energy[0] <= piece.energy <= style.energy[1]
        assert piece.metre in (3, 4) and piece.mode in style.harmony and piece.mood in composer.MOODS
        assert piece.rhythm in (*style.rhythms, "none") and ("drums" in piece.instruments) == (piece.rhythm != "none")
        if piece.rhythm != "none":
            assert len(patterns.RHYTHMS[piece.rhythm]["kick"]) == piece.metre * composer.STEPS_PER_BEAT
        assert 0 <= piece.swing <= 1 and 0 <= piece.key < 12


@pytest.mark.parametrize("genre", composer.GENRES)
def test_pitches_are_mostly_in_the_scale(pieces, genre):
    in_scale = [
        np.isin((pitched(piece)["pitch"] - piece.key) % 12, harmony.SCALES[piece.mode]).mean()
        for piece in pieces[genre]
    ]
    assert np.mean(in_scale) > 0.9 and min(in_scale) > 0.75


def test_melody_keeps_to_the_scale():
    chords = harmony.progression("I V vi IV", 2, 8, 16)
    playing = {"melody": np.arange(8) >= 4}
    plan = Plan(np.random.default_rng(0), 8, 16, chords, 2, "major", 0.5, np.ones(8), playing)
    notes = np.array(melody_part(plan, "flute", STYLES["classical"]))
    assert set((notes[:, 2] - 2) % 12) <= set(harmony.SCALES["major"])
    assert notes[:, 0].min() >= 4 * 16  # it waits for its entry
    assert np.abs(np.diff(notes[:, 2])).mean() < 6  # moves by small steps
    on_beat = notes[notes[:, 0] % 4 == 0]
    of_chord = [(pitch - chords[step][0]) % 12 in chords[step][1] for step, _, pitch, *_ in on_beat]
    assert len(on_beat) > 8 and all(of_chord)


@pytest.mark.parametrize("genre", composer.GENRES)
def test_pieces_of_a_genre_differ(pieces, genre):
    of = pieces[genre]
    assert len({p.tempo for p in of}) > 6 and len({p.key for p in of}) > 4 and len({p.mood for p in of}) >= 2
    assert len({tuple(sorted(p.instruments.values())) for p in of}) > 6 or genre == "metal"
    assert np.ptp([p.energy for p in of]) > 0.15
    assert len({p.notes.tobytes() for p in of}) == len(of)


def test_one_fact_does_not_give_the_genre_away(pieces):
    """Tempi overlap, and an instrument that only one genre has is missing from many of its pieces."""
    tempo = {genre: [p.tempo for p in of] for genre, of in pieces.items()}
    for genre, own in tempo.items():
        shared = [any(min(o) <= t <= max(o) for g, o in tempo.items() if g != genre) for t in own]
        assert np.mean(shared) > 0.7
    users = {name: {g for g, of in pieces.items() for p in of if name in p.instruments.values()}
             for name in composer.INSTRUMENTS}  # fmt: skip
    assert all(users.values()), [name for name, genres in users.items() if not genres]
    alone = {name: next(iter(genres)) for name, genres in users.items() if len(genres) == 1}
    assert len(alone) < 8
    for name, genre in alone.items():
        assert np.mean([name in p.instruments.values() for p in pieces[genre]]) < 0.7, name


def test_styles_play_as_they_should(pieces):
    for piece in pieces["classical"]:
        assert "drums" not in piece.instruments and len(pitched(piece)) == len(piece.notes)
    for piece in pieces["disco"]:  # a kick on every beat, where the drums play
        kicks = np.concatenate([played(piece, "kick"), played(piece, "machine kick")])["step"]
        beats = np.arange(kicks.min(), kicks.max(), 4)
        assert np.isin(beats, kicks).mean() > 0.75 and kicks.min() % 4 == 0
    for piece in pieces["reggae"]:  # chords off the beat
        steps = played(piece, piece.instruments["chords"])["step"]
        assert piece.instruments.get("melody") == piece.instruments["chords"] or (steps % 16 == 0).mean() < 0.05
    for piece in pieces["metal"]:  # guitars in fifths
        notes = played(piece, "distorted guitar")
        low = notes[notes["pitch"] < 57]
        fifths = sum({7, 12} & set(np.ptp(low["pitch"][low["step"] == s]) + np.zeros(1, int)) != set()
                     for s in np.unique(low["step"]))  # fmt: skip
        assert fifths > 0.6 * len(np.unique(low["step"]))
    waltzes = [p for p in pieces["classical"] if p.metre == 3]
    assert 0 < len(waltzes) < len(pieces["classical"])
    jazz = [p for p in pieces["jazz"] if p.swing > 0.5]
    assert len(jazz) > 6


@pytest.mark.slow
def test_sections_change_where_the_facts_say_so():
    seen = set()
    for seed in range(40):
        piece = composer.compose("pop", seed)
        third = piece.duration / 5
        seconds = composer.step_seconds(piece.notes["step"], piece.tempo, piece.swing)
        begin, end = (seconds < third).sum(), (seconds > piece.duration - third).sum()
        if piece.change != "none":
            seen.add((piece.change, bool(begin < end)))
    assert {("build", True), ("drop", False)} <= seen
    assert ("build", False) not in seen


def test_step_seconds():
    np.testing.assert_allclose(composer.step_seconds([0, 4, 8, 6], 120), [0, 0.5, 1, 0.75])
    np.testing.assert_allclose(composer.step_seconds([0, 2, 4], 60, swing=1.0), [0, 2 / 3, 1])
    assert (np.diff(composer.step_seconds(np.arange(64), 97, 0.7)) > 0).all()


@pytest.mark.parametrize("duration", [2.0, 7.3, 61.0])
def test_other_durations(duration):
    piece = composer.compose("rock", 1, duration)
    ends = composer.step_seconds(piece.notes["step"] + piece.notes["length"], piece.tempo, piece.swing)
    assert duration - 3 < ends.max() <= duration


def test_errors_say_what_was_expected():
    with pytest.raises(ValueError, match=rf"polka.*{', '.join(composer.GENRES)}"):
        composer.compose("polka", 0)
    for duration in (0, -3, np.inf, np.nan):
        with pytest.raises(ValueError, match="positive number of seconds"):
            composer.compose("pop", 0, duration)
    with pytest.raises(ValueError, match="Roman numeral"):
        harmony.chord("H7", 0)
    with pytest.raises(ValueError, match="no voicing"):
        harmony.voicing((0, (0, 4, 7)), 60, 62, 61)


def test_chords():
    assert harmony.chord("bVII7", 2) == (0, (0, 4, 7, 10))
    assert harmony.chord("ii7", 0) == (2, (0, 3, 7, 10))
    assert [c[0] for c in harmony.progression("I V,IV", 0, 3, 4)] == [0] * 4 + [7, 7, 5, 5] + [0] * 4
    tones = harmony.voicing((7, (0, 4, 7, 10)), 40, 80, 60)
    assert set(tones % 12) == {7, 11, 2, 5} and abs(tones.mean() - 60) < 4


def test_tables_agree():
    for name, rhythm in patterns.RHYTHMS.items():
        assert len({len(line) for line in rhythm.values()}) == 1 and len(rhythm["kick"]) in (12, 16), name
        assert all(set(rhythm) <= set(kit) for kit in instruments.KITS.values()), name
    for table in (patterns.BASS_LINES, patterns.COMPS):
        assert all(len(line) in (12, 16) for lines in table.values() for line in lines)
    for genre, style in STYLES.items():
        assert set(style.rhythms) <= set(patterns.RHYTHMS) and set(caption_words.RHYTHM_WORDS) == set(patterns.RHYTHMS)
        lines_of = [(style.bass, patterns.BASS_LINES), (style.chords, patterns.COMPS), (style.second, patterns.COMPS)]
        for role, table in lines_of:
            for name, lines in role.items():
                assert name is None or name in instruments.PITCHED, (genre, name)
                assert set(lines) - {"walk"} <= set(table), (genre, name)
        assert {kind for options in style.harmony.values() for kind, _ in options} <= set(caption_words.HARMONY_WORDS)


def test_moods_follow_energy_and_valence():
    assert composer.mood_of(0.9, -0.8) == "Angry" and composer.mood_of(0.9, 0.5) == "Exciting"
    assert composer.mood_of(0.1, -0.3) == "Sad" and composer.mood_of(0.1, 0.6) == "Tender"
    assert composer.mood_of(0.5, 0.7) == "Happy" and composer.mood_of(0.45, -0.9) == "Scary"


def test_facts_are_plain_and_coded(pieces):
    for of in pieces.values():
        for piece in of[:3]:
            facts = composer.facts(piece)
            assert json.loads(json.dumps(facts)) == facts
            vector = dict(zip(composer.FACT_NAMES, composer.fact_vector(facts)))
            assert len(vector) == len(composer.FACT_NAMES)
            for fact in ("genre", "mood", "mode", "rhythm", "harmony", "change", "key"):
                on = [name for name in vector if name.startswith(f"{fact}=") and vector[name] == 1]
                assert on == [f"{fact}={facts[fact]}"]
            on = [name.split("=")[1] for name in vector if name.startswith("instrument=") and vector[name]]
            assert on == facts["instruments"] and vector["triple metre"] == (facts["metre"] == 3)
            assert vector["tempo"] == pytest.approx(facts["tempo"] / 200)


# Captions


def mentioned(text):
    """Return the instruments that a caption names; longer names are taken out first."""
    words = {word: name for name, options in caption_words.INSTRUMENT_WORDS.items() for word in options}
    words |= dict.fromkeys(caption_words.FIDDLE, "violin")
    found, text = set(), text.lower()
    for word in sorted(words, key=len, reverse=True):
        if re.search(rf"\b{word}\b", text):
            found.add(words[word])
            text = re.sub(rf"\b{word}\b", "_", text)
    return found


@pytest.mark.slow
def test_captions_are_true_and_grammatical(pieces):
    for of in pieces.values():
        for piece in of:
            for seed in (None, 1, 2, 3):
                text = captions.caption(piece, seed)
                kinds = set(piece.instruments.values())
                first = text.split(". ")[0]
                assert mentioned(first) <= kinds and len(mentioned(first)) >= len(kinds) - 1, (text, kinds)
                assert piece.instruments.get("melody", piece.instruments["chords"]) in mentioned(first), text
                own = caption_words.MOOD_WORDS[piece.mood]
                others = {w for mood, words in caption_words.MOOD_WORDS.items() if mood != piece.mood for w in words}
                assert any(word in text.lower() for word in own), text
                assert not any(re.search(rf"\b{word}\b", text.lower()) for word in others), text
                assert not re.search(r"[{}_\[\]]|None|  |\.\.|,\.", text) and text.endswith("."), text
                assert text[0].isupper() and text.count(". ") <= 1 and 6 <= len(text.split()) <= 50, text
                assert not re.search(r"\ba [aeiAEI]|\bA [aeiAEI]|\b[Aa]n [^aeiouAEIOU]|\ba un[^i]|\ba or", text), text
                assert not re.search(r"\ban? (\w+ )?(strings|horns|drums|brushes)\b", text), text
                assert not re.search(r"^An? [^,]+? (accompany|make up)", text.split(" and ")[0]), text
                tempo = re.search(r"about (\d+) beats", text)
                assert tempo is None or abs(int(tempo[1]) - piece.tempo) <= 2.5, text


@pytest.mark.slow
def test_captions_vary_and_repeat(pieces):
    texts = [captions.caption(piece) for of in pieces.values() for piece in of]
    assert texts == [captions.caption(composer.compose(p.genre, p.seed)) for of in pieces.values() for p in of]
    assert len(set(texts)) == len(texts)
    assert len({" ".join(text.split()[:2]) for text in texts}) > 30
    piece = pieces["pop"][0]
    assert len({captions.caption(piece, seed) for seed in range(20)}) > 15
    assert 0.5 < np.mean(["disco" in captions.caption(p, s).lower() for p in pieces["disco"] for s in range(5)]) < 0.95


def test_captions_of_two_and_of_one():
    piece = composer.compose("classical", 0)
    two = dataclasses.replace(piece, instruments={"chords": "harpsichord", "melody": "flute"})
    one = dataclasses.replace(piece, instruments={"chords": "piano", "melody": "piano"})
    assert not any(re.search("accompany|make up", captions.caption(two, seed)) for seed in range(40))
    for seed in range(40):
        text = captions.caption(one, seed)
        assert len(re.findall("piano", text)) == 1 and re.search("alone|Nothing but", text), text


def test_articles():
    assert captions.article("organ") == "an organ" and captions.article("one-drop groove") == "a one-drop groove"
    assert captions.article("unhurried tune") == "an unhurried tune" and captions.article("horn") == "a horn"
    assert captions.joined(["a", "b", "c"]) == "a, b and c" and captions.joined(["a"]) == "a"


def test_facts_of_an_excerpt():
    from naturalistic_simulation.music.clip_facts import clip_facts

    piece = composer.compose("disco", 3)
    whole, half = clip_facts(piece, 0, 30), clip_facts(piece, 5, 20)
    assert 1 < whole["onset_rate"] < 20 and abs(half["onset_rate"] - whole["onset_rate"]) < 4
    assert 30 < half["register"] < 90
    higher = piece.notes.copy()
    higher["pitch"] += 12
    raised = clip_facts(dataclasses.replace(piece, notes=higher), 5, 20)
    assert raised["register"] == pytest.approx(half["register"] + 12) and raised["onset_rate"] == half["onset_rate"]


@pytest.mark.parametrize(("low", "high"), [(40, 51), (28, 60), (0, 127)])
def test_a_pitch_is_moved_by_octaves_into_a_range(low, high):
    """As little as will do: what lies in the range stays, and from outside comes the nearest octave."""
    for pitch in range(-30, 160):
        inside = [p for p in range(low, high + 1) if (p - pitch) % 12 == 0]
        assert fit(pitch, low, high) == min(inside, key=lambda p: abs(p - pitch))
