"""Captions of simulated pieces.

One or two English sentences state the facts of a piece, in many wordings.
"""

from collections.abc import Sequence

import numpy as np

from naturalistic_simulation.music.caption_words import (
    CHANGE_WORDS,
    FIDDLE,
    HARMONY_WORDS,
    INSTRUMENT_WORDS,
    MOOD_WORDS,
    RHYTHM_WORDS,
    STYLE_BY_FACT,
    STYLE_WORDS,
    TEMPO_WORDS,
)
from naturalistic_simulation.music.genres import GENRES
from naturalistic_simulation.music.piece import Piece

__all__ = ["caption", "tempo_class"]

FIRST_WITH_LEAD = (
    "{A_mood_tempo_style} with {lead} over {backing}",
    "{A_tempo_style} in which {lead} plays over {backing}; the mood is {mood}",
    "{Lead} leads {a_mood_style} at {tempo_phrase}, backed by {backing}",
    "{A_mood_style} at {tempo_phrase}: {lead} in front, {backing} behind",
    "{Backing} accompany {lead} in {a_mood_tempo_style}",
    "{Mood} and {tempo}, {a_style} featuring {lead} with {backing}",
    "Over {backing}, {lead} carries the tune of {a_mood_tempo_style}",
)
FIRST_WITHOUT_LEAD = (
    "{A_mood_tempo_style} played by {backing}",
    "{A_mood_style} at {tempo_phrase}, made of {backing}",
    "{Mood} and {tempo}, {a_style} with {backing} and no lead melody",
    "{Backing} make up {a_mood_tempo_style}",
)
FIRST_SOLO = (
    "{A_mood_tempo_style} for {backing} alone",
    "{A_tempo_style} played by {backing} alone; the mood is {mood}",
    "Nothing but {backing} in {a_mood_style} at {tempo_phrase}",
)


def caption(piece: Piece, seed: int | None = None) -> str:
    """Return a caption of a piece.

    It states style, instruments, tempo and mood, often rhythm, harmony or form.

    Parameters
    ----------
    piece : `piece.Piece`
    seed : int, optional
        Of the wording: the same piece and seed give the same caption. By default the piece's own seed.

    Returns
    -------
    caption : str
        One or two sentences.
    """
    rng = np.random.default_rng((piece.seed if seed is None else seed, GENRES.index(piece.genre), 7))
    lead, backing = players(piece, rng)
    mood = pick(rng, MOOD_WORDS[piece.mood])
    tempo = pick(rng, TEMPO_WORDS[tempo_class(piece.tempo)])
    style = pick(rng, style_words(piece))
    about = {"beats": f"about {5 * round(piece.tempo / 5)} beats a minute", "word": f"{article(tempo)} tempo"}
    words = {
        "mood": mood,
        "tempo": tempo,
        "style": style,
        "mood_style": f"{mood} {style}",
        "tempo_style": f"{tempo} {style}",
        "mood_tempo_style": f"{mood}, {tempo} {style}" if rng.random() < 0.5 else f"{tempo}, {mood} {style}",
    }
    words |= {f"a_{name}": article(text) for name, text in words.items()}
    words["tempo_phrase"] = about["word" if tempo in ("slow", "fast", "brisk", "lively", "rapid") else "beats"]
    words |= {"lead": lead, "backing": joined(backing)}
    words |= {name[0].upper() + name[1:]: text[0].upper() + text[1:] for name, text in words.items() if text}
    templates = FIRST_WITH_LEAD if lead else FIRST_SOLO if "melody" in piece.instruments else FIRST_WITHOUT_LEAD
    if len(backing) == 1:  # verbs are in the plural
        templates = [template for template in templates if not template.startswith("{Backing}")]
    first = pick(rng, templates).format(**words)
    return " ".join(f"{sentence}." for sentence in (first, *more(piece, rng)))


def tempo_class(tempo: float) -> str:
    """Return slow, medium, lively or fast for a number of beats a minute."""
    return "slow" if tempo < 84 else "medium" if tempo < 110 else "lively" if tempo < 138 else "fast"


def players(piece: Piece, rng: np.random.Generator) -> tuple[str, list[str]]:
    """Return words for the lead and for the other instruments.

    The lead is an empty string if there is none; of the others all or all but one are listed. An instrument that
    plays everything alone is no lead, but the only one of the list.
    """
    roles = piece.instruments
    lead = roles.get("melody")
    others = [roles[role] for role in ("chords", "second", "bass", "drums") if role in roles]
    others = [name for name in dict.fromkeys(others) if name != lead]
    if len(others) > 3 and rng.random() < 0.5:
        others.remove(others[rng.integers(1, len(others))])
    if not others:
        return "", [name_of(lead, piece.genre, rng)]
    return name_of(lead, piece.genre, rng) if lead else "", [name_of(name, piece.genre, rng) for name in others]


def name_of(instrument: str, genre: str, rng: np.random.Generator) -> str:
    """Return a name of an instrument, with an article unless it is plural."""
    words = FIDDLE if (instrument, genre) == ("violin", "country") else INSTRUMENT_WORDS[instrument]
    word = pick(rng, words)
    return word if plural(word) else article(word)


def plural(word: str) -> bool:
    """Return whether an instrument's words are plural."""
    return word.split()[-1] in ("strings", "horns", "drums", "brushes")


def style_words(piece: Piece) -> list[str]:
    """Return names of a piece's style, from its genre and its facts."""
    words = list(STYLE_WORDS[piece.genre])
    for (genre, fact, value), special in STYLE_BY_FACT.items():
        if genre == piece.genre and getattr(piece, fact) == value:
            words += special * 2
    return words


def more(piece: Piece, rng: np.random.Generator) -> list[str]:
    """Return at most one more sentence, about the beat, the harmony or the form."""
    choices = []
    if piece.rhythm != "none":
        beat = pick(rng, RHYTHM_WORDS[piece.rhythm])
        choices += [pick(rng, (f"The rhythm is {beat}", f"Underneath there is {beat}", f"It moves to {beat}"))] * 3
    elif piece.metre == 3:
        choices += ["It is in three and has no drums"] * 2
    else:
        choices += ["There are no drums"]
    choices.append(pick(rng, HARMONY_WORDS[piece.harmony]))
    if piece.change != "none":
        choices += [pick(rng, CHANGE_WORDS[piece.change])] * 2
    return [choices[rng.integers(len(choices))]] if rng.random() < 0.8 else []


def pick(rng: np.random.Generator, words: Sequence[str]) -> str:
    """Draw one of some words."""
    return words[rng.integers(len(words))]


def article(words: str) -> str:
    """Return words after a or an, by their sound."""
    vowel = words[0].lower() in "aeiou" and not words.startswith(("one", "uni", "eu"))
    return f"{'an' if vowel or words.startswith(('hour', 'honest')) else 'a'} {words}"


def joined(words: list[str]) -> str:
    """Return words as a list in English: one, two and three."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
