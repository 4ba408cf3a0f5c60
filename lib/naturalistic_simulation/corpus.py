"""Simulated corpus for retrieval, in the layout of the Free Music Archive.

``<folder>/fma_simulated/000/000001.mp3`` ... and ``<folder>/fma_metadata/tracks.csv``. The table is written at once, a
track when it is first heard. None of the pieces is played to the simulated brains, and no model was trained on them.
The same seed gives the same bytes.
"""

import csv
import functools
import re
from collections.abc import Iterable
from pathlib import Path

import joblib
from naturalistic.cache import check_room, check_writable
from naturalistic.parameters import check_jobs, whole
from tqdm import tqdm

from naturalistic_simulation.corpus_tracks import COLUMNS, SEEDS, recipe, render_track, row_of
from naturalistic_simulation.folders import write_whole

BYTES_PER_TRACK = 150_000  # at most in the mean, measured: 112,000
BYTES_PER_ROW = 150  # of the table, at most
TRACKS = "fma_simulated"
README = """SIMULATED DATA. No one played this music.

Written by naturalistic_simulation.corpus (recipe {recipe}, seed {seed}, {n_tracks} tracks): simulated music to retrieve
from, in the layout of the Free Music Archive (fma_simulated/, fma_metadata/tracks.csv). A track is rendered when it is
first heard.
"""


def simulate_corpus(
    folder: Path | str,
    n_tracks: int = 2000,
    seed: int = 0,
    *,
    render_all: bool = False,
    n_jobs: int | None = None,
    progress: bool = True,
) -> Path:
    """Write the simulated corpus, unless the folder holds it already.

    A corpus of an older recipe is replaced.

    Parameters
    ----------
    folder : str or Path
        Written whole or not at all.
    n_tracks : int
        As many of each genre as the number allows.
    seed : int
        Another seed, other pieces.
    render_all : bool
        Render all tracks now; by default a track is rendered when it is first heard.
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
    RequestError
        If the folder cannot be written, or the disk has too little room.
    """
    n_tracks = whole("n_tracks", n_tracks, 1, SEEDS - 1)
    n_jobs = check_jobs(n_jobs)
    seed = whole("seed", seed, 0, 999, hint="other seeds are of music to train on")
    readme = README.format(recipe=recipe(), seed=seed, n_tracks=n_tracks)

    def write(part: Path) -> None:
        _write_table(part, n_tracks, seed)
        (part / "README").write_text(readme, encoding="utf-8")

    n_bytes = n_tracks * (BYTES_PER_ROW + BYTES_PER_TRACK * render_all)
    folder = write_whole(folder, readme, n_bytes, write, "corpus")
    if render_all:
        tracks = (path_of(folder, track) for track in range(1, n_tracks + 1))
        render_tracks(tracks, n_jobs=n_jobs, progress=progress)
    return folder


def render_tracks(paths: Iterable[Path | str], *, n_jobs: int | None = 1, progress: bool = False) -> None:
    """Render the missing tracks of a corpus, each whole or not at all.

    Parameters
    ----------
    paths : iterable of str or Path
        Of tracks of one corpus.
    n_jobs : int, optional
        Processes; as many as there are cores if None.
    progress : bool
        Show a progress bar.

    Raises
    ------
    FileNotFoundError
        If the corpus has no such track, or was written by an older recipe, whose tracks were others.
    RequestError
        If the folder cannot be written, or the disk has too little room.
    """
    missing = sorted(path for path in map(Path, paths) if not path.is_file())
    if not missing:
        return
    folder = missing[0].parents[2]
    seed, n_tracks = numbers_of(folder)
    jobs = [(path, int(path.stem), seed) for path in missing if path.stem.isdecimal()]
    if strange := set(missing) - {path_of(folder, k) for _, k, _ in jobs if 1 <= k <= n_tracks}:
        raise FileNotFoundError(f"{min(strange)} is missing, and none of the {n_tracks} tracks of {folder}")
    check_writable(folder)
    check_room(folder, len(jobs) * BYTES_PER_TRACK)
    n_jobs = min(n_jobs or joblib.cpu_count(), len(jobs))
    with joblib.parallel_config("loky", n_jobs=n_jobs, inner_max_num_threads=1 if n_jobs > 1 else None):
        rendered = joblib.Parallel(return_as="generator", batch_size=8)(joblib.delayed(render_track)(*j) for j in jobs)
        for _ in tqdm(rendered, total=len(jobs), desc="simulation: corpus", unit="track", disable=not progress):
            pass


def path_of(folder: Path | str, track: int) -> Path:
    """Return the path of a track, rendered or not."""
    return Path(folder) / TRACKS / f"{track // 1000:03d}" / f"{track:06d}.mp3"


def numbers_of(folder: Path | str) -> tuple[int, int]:
    """Return seed and number of tracks of a corpus, by its README.

    Raises
    ------
    FileNotFoundError
        If it was written by another recipe.
    """
    path = Path(folder) / "README"
    numbers = _numbers_in(path.read_text(encoding="utf-8") if path.is_file() else "")
    if numbers is None:
        raise FileNotFoundError(
            f"{folder} was not written by this version of the simulation, which cannot render tracks that it lacks; "
            f"write it again: naturalistic simulate corpus --to {folder}"
        )
    return numbers


@functools.lru_cache(maxsize=8)  # the recipe takes a tenth of a second, and is asked for with every track
def _numbers_in(readme: str) -> tuple[int, int] | None:
    """Return seed and number of tracks from a README, or None for another recipe."""
    match = re.search(r"seed (\d+), (\d+) tracks", readme)
    seed, n_tracks = map(int, match.groups()) if match else (0, 0)
    return (seed, n_tracks) if readme == README.format(recipe=recipe(), seed=seed, n_tracks=n_tracks) else None


def _write_table(folder: Path, n_tracks: int, seed: int) -> None:
    tracks = range(1, n_tracks + 1)
    (folder / "fma_metadata").mkdir()
    for thousand in {track // 1000 for track in tracks}:
        (folder / TRACKS / f"{thousand:03d}").mkdir(parents=True)
    with open(folder / "fma_metadata" / "tracks.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerows([("", *group) for group in zip(*COLUMNS)])
        table.writerow(["track_id"] + [""] * len(COLUMNS))
        table.writerows(row_of(track, seed) for track in tracks)
