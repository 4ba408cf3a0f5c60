"""Tracks of the simulated corpus: pieces, rows of the table, files.

This module and `music` decide the bytes of the corpus: its recipe is a hash of their code.
"""

from pathlib import Path

import numpy as np
import soundfile
import soxr

from naturalistic_simulation.folders import recipe_of, write_file
from naturalistic_simulation.music.composer import GENRES, compose, draw_character
from naturalistic_simulation.music.piece import Piece
from naturalistic_simulation.music.synthesizer import render

# the clips' seeds end at 1e9, those of training music lie from 1e9 on, those of training scores from 3e9 on
FIRST_SEED = 2_000_000_000
SEEDS = 1_000_000
SECONDS = 15.0
# Rendered as the clips are, but packed at 32 kHz: the encoder cuts the top of a file of 22,050 Hz off at 9 kHz, and the
# embeddings of the small models move (mean cosine 0.98, 0.999 so).
RENDERED = 22050
SAMPLE_RATE = 32000
PACKING = {"format": "MP3", "subtype": "MPEG_LAYER_III", "bitrate_mode": "VARIABLE", "compression_level": 0.4}
ARTIST = "The simulation's composer (simulated)"
# FMA's header has three rows: group, column, and the name of the index
COLUMNS = (("artist", "name"), ("set", "split"), ("set", "subset"), ("track", "duration"), ("track", "genre_top"),
           ("track", "title"))  # fmt: skip


def recipe() -> str:
    """Return a short hash of the code that writes the corpus."""
    unheard = ("caption_words.py", "captions.py", "clip_facts.py", "experiment.py")
    sources = sorted(path for path in (Path(__file__).parent / "music").glob("*.py") if path.name not in unheard)
    return recipe_of([*sources, Path(__file__)])


def piece_of(track: int, seed: int = 0) -> Piece:
    """Return the piece of a track (1 or more)."""
    genre, piece_seed = _name_of(track, seed)
    return compose(genre, piece_seed, SECONDS)


def row_of(track: int, seed: int = 0) -> tuple[int | str, ...]:
    """Return the row of the table for a track, in the order of `COLUMNS`."""
    genre, piece_seed = _name_of(track, seed)
    character = draw_character(genre, piece_seed)
    title = f"{character.mood} {genre}, {character.tempo:.0f} beats a minute (simulated)"
    return track, ARTIST, "training", "simulated", round(SECONDS), genre, title


def render_track(path: Path, track: int, seed: int = 0) -> None:
    """Compose, render and pack a track, and write its file whole or not at all."""
    sound = soxr.resample(render(piece_of(track, seed), RENDERED), RENDERED, SAMPLE_RATE)
    sound *= 0.9 / max(np.abs(sound).max(), 0.9)  # packing may raise peaks
    write_file(path, lambda part: soundfile.write(part, sound, SAMPLE_RATE, **PACKING))


def _name_of(track: int, seed: int) -> tuple[str, int]:
    """Return the genre and the seed of the piece of a track."""
    return GENRES[(track - 1) % len(GENRES)], FIRST_SEED + SEEDS * seed + track
