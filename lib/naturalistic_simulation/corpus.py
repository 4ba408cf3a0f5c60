"""The miniature's corpus: made pieces to retrieve from, in the layout of the Free Music Archive.

``<folder>/fma_made/000/000001.mp3`` ... and ``<folder>/fma_metadata/tracks.csv``. None of the pieces is played to the
made brains, and no model was trained on them. The same seed gives the same bytes.
"""

import csv
from pathlib import Path

import joblib
import numpy as np
import soundfile
import soxr
from naturalistic.parameters import check_jobs, whole
from tqdm import tqdm

from naturalistic_simulation.folders import made_whole, recipe_of
from naturalistic_simulation.music.composer import GENRES, compose, facts
from naturalistic_simulation.music.synthesizer import render

# the clips' seeds end at 1e9, those of training music lie from 1e9 on, those of training scores from 3e9 on
FIRST_SEED, SEEDS = 2_000_000_000, 1_000_000
SECONDS = 15.0
# Rendered as the clips are, but packed at 32 kHz: the encoder cuts the top of a file of 22,050 Hz off at 9 kHz, and the
# embeddings of the small models move (mean cosine 0.98, 0.999 so).
RENDERED, SAMPLE_RATE = 22050, 32000
PACKING = {"format": "MP3", "subtype": "MPEG_LAYER_III", "bitrate_mode": "VARIABLE", "compression_level": 0.4}
BYTES_PER_TRACK = 150_000  # at most in the mean, measured: 112,000
ARTIST = "The miniature's composer (made)"
# FMA's header has three rows: group, column, and the name of the index
COLUMNS = (("artist", "name"), ("set", "split"), ("set", "subset"), ("track", "duration"), ("track", "genre_top"),
           ("track", "title"))  # fmt: skip
README = """SIMULATED DATA. No one played this music.

Written by naturalistic_simulation.corpus (recipe {recipe}, seed {seed}, {n_tracks} tracks): made music to retrieve
from, in the layout of the Free Music Archive (fma_made/, fma_metadata/tracks.csv).
"""


def make_corpus(folder, n_tracks=2000, seed=0, *, n_jobs=None, progress=True):
    """Write the corpus, or leave it alone if it is there already; one of an older recipe is made anew.

    Parameters
    ----------
    folder : str or Path
        Made whole or not at all.
    n_tracks : int
        As many of each genre as the number allows.
    seed : int
        Another seed, other pieces.
    n_jobs : int, optional
        Processes; as many as there are cores by default. The bytes do not depend on it.
    progress : bool
        Show a progress bar.

    Returns
    -------
    folder : Path

    Raises
    ------
    ValueError, FileExistsError
        On a number out of range, or if the folder holds something else.
    OSError
        If the folder cannot be written, or the disk has too little room.
    """
    n_tracks, n_jobs = whole("n_tracks", n_tracks, 1, SEEDS - 1), check_jobs(n_jobs)
    seed = whole("seed", seed, 0, 999, hint="others make music to train on")
    readme = README.format(recipe=recipe(), seed=seed, n_tracks=n_tracks)

    def write(part):
        _write(part, n_tracks, seed, n_jobs or joblib.cpu_count(), progress)
        (part / "README").write_text(readme, encoding="utf-8")

    return made_whole(folder, readme, n_tracks * BYTES_PER_TRACK, write, "corpus")


def recipe():
    """Return a short hash of the code that makes the corpus: when it changes, the files may."""
    unheard = ("caption_words.py", "captions.py", "clip_facts.py", "experiment.py")
    sources = sorted(path for path in (Path(__file__).parent / "music").glob("*.py") if path.name not in unheard)
    return recipe_of([*sources, Path(__file__)])


def piece_of(track, seed=0):
    """Return the `Piece` of a track (1 or more): what is to be heard in its file."""
    return compose(GENRES[(track - 1) % len(GENRES)], FIRST_SEED + SEEDS * seed + track, SECONDS)


def _write(folder, n_tracks, seed, n_jobs, progress):
    tracks = range(1, n_tracks + 1)
    (folder / "fma_metadata").mkdir()
    for thousand in {track // 1000 for track in tracks}:
        (folder / "fma_made" / f"{thousand:03d}").mkdir(parents=True)
    with joblib.parallel_config("loky", n_jobs=n_jobs, inner_max_num_threads=1):
        parallel = joblib.Parallel(return_as="generator", batch_size=8)
        made = parallel(joblib.delayed(_make_track)(folder, track, seed) for track in tracks)
        rows = list(tqdm(made, total=n_tracks, desc="simulation: corpus", unit="track", disable=not progress))
    with open(folder / "fma_metadata" / "tracks.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerows([("", *group) for group in zip(*COLUMNS)])
        table.writerow(["track_id"] + [""] * len(COLUMNS))
        table.writerows(rows)


def _make_track(folder, track, seed):
    """Compose, render and pack a track; return its row of the table."""
    piece = piece_of(track, seed)
    sound = soxr.resample(render(piece, RENDERED), RENDERED, SAMPLE_RATE)
    sound *= 0.9 / max(np.abs(sound).max(), 0.9)  # packing may raise peaks
    soundfile.write(folder / "fma_made" / f"{track // 1000:03d}" / f"{track:06d}.mp3", sound, SAMPLE_RATE, **PACKING)
    fact = facts(piece)
    title = f"{fact['mood']} {piece.genre}, {piece.tempo:.0f} beats a minute (made)"
    return track, ARTIST, "training", "made", round(SECONDS), piece.genre, title
