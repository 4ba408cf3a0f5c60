"""Index of the first seconds of each track of a music corpus, for retrieval.

Denk et al. (2023), Brain2Music: the embedding of the first 15 s of each track of the Free Music Archive.
"""

import hashlib
import json
import os
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from naturalistic import simulated
from naturalistic.cache import cache_dir, folder_lock
from naturalistic.datasets.fma import first_seconds
from naturalistic.datasets.presentation import as_played
from naturalistic.decoding.retrieval import Index, build_index, read_json, write_json
from naturalistic.parameters import whole

if TYPE_CHECKING:
    from naturalistic.datasets.fma import Corpus
    from naturalistic.features.audio.embedder import Embedder

REASONS = "unreadable.json"  # beside the index
_CONTENTS = "corpus.json"
RECIPE = 1  # increase it when tracks are presented differently: older indices then do not match
_N_LOADERS = 2  # threads that read the next batch while the model runs


def index_folder(corpus: "Corpus", embedder: "Embedder", seconds: float = 15.0) -> Path:
    """Return the cache folder of the index of a corpus by an embedder.

    Another model, other weights, or tracks that were added, removed or changed in size give another folder.

    Parameters
    ----------
    corpus : datasets.fma.Corpus
    embedder : features.audio.embedder.Embedder
    seconds : float
        Length of each excerpt.

    Returns
    -------
    folder : Path
    """
    contents = sorted(_contents(corpus).items())
    key = json.dumps([index_identity(embedder, seconds), str(corpus.folder.resolve()), contents])
    return cache_dir() / "index" / hashlib.sha256(key.encode()).hexdigest()[:16]


def index_corpus(
    corpus: "Corpus",
    embedder: "Embedder",
    folder: Path | str,
    *,
    seconds: float = 15.0,
    batch_size: int = 64,
    progress: bool = True,
) -> Index:
    """Build or resume the index of a corpus; a finished one is opened.

    Each track is embedded as the experiment would have presented it (its first seconds, faded, at equal loudness);
    its vector is the mean over windows, scaled to length 1.

    Parameters
    ----------
    corpus : datasets.fma.Corpus
        Anything with ``tracks`` that have an ``id`` and a ``path``.
    embedder : features.audio.embedder.Embedder
    folder : str or Path
        Of the index, one for each corpus and embedder.
    seconds : float
        Length of each excerpt.
    batch_size : int
        Tracks between two saves.
    progress : bool
        Show a bar if it takes more than a few seconds.

    Returns
    -------
    index : Index
        Its names are the tracks' ids. Tracks that cannot be read are in ``skipped``; `unreadable_tracks` gives
        the reasons.

    Raises
    ------
    ValueError
        If the folder holds an index of another model, or the corpus has changed since its start.
    """
    folder = Path(folder)
    batch_size = whole("batch_size", batch_size)
    # two processes would write the same parts; a finished index is only read, maybe from a read-only disk
    with nullcontext() if (folder / "index.json").is_file() else folder_lock(folder):
        return _index(corpus, embedder, folder, seconds, batch_size, progress)


def _index(
    corpus: "Corpus", embedder: "Embedder", folder: Path, seconds: float, batch_size: int, progress: bool
) -> Index:
    """Build or open the index of a corpus in a folder that is locked."""
    paths = {track.id: track.path for track in corpus.tracks}
    _check_unchanged(folder, _contents(corpus))
    reasons = unreadable_tracks(folder)
    identity = index_identity(embedder, seconds)
    if getattr(corpus, "recipe", "") and not (folder / "index.json").is_file():
        known = simulated.known_vectors(corpus, identity)
        if known is not None:
            return build_index(folder, list(paths), known, identity, batch_size=len(paths), progress=False)
        simulated.render_tracks(list(paths.values()), n_jobs=None, progress=progress)
    with ThreadPoolExecutor(_N_LOADERS) as pool:
        reader = _BatchReader(pool, paths, seconds, embedder.sample_rate, batch_size)

        def vectors(batch: list[str]) -> NDArray:
            sounds = reader.sounds(batch)
            failed = {name: sound for name, sound in zip(batch, sounds) if isinstance(sound, str)}
            if failed:
                reasons.update(failed)
                write_json(folder / REASONS, reasons)
            return _means(embedder, [None if isinstance(sound, str) else sound for sound in sounds])

        try:
            index = build_index(folder, list(paths), vectors, identity, batch_size=batch_size, progress=progress)
        finally:
            pool.shutdown(cancel_futures=True)
    if index.skipped and progress:
        first = index.skipped[0]
        print(
            f"{len(index.skipped)} of {len(paths)} tracks could not be read and are left out, such as {first} "
            f"({reasons.get(first, 'no reason stored')}); {folder / REASONS} lists all"
        )
    return index


class _BatchReader:
    """Reader of the next batch of sounds while the model embeds one."""

    def __init__(
        self, pool: ThreadPoolExecutor, paths: dict[str, Path], seconds: float, sample_rate: int, batch_size: int
    ) -> None:
        self.pool = pool
        self.paths = paths
        self.seconds = seconds
        self.sample_rate = sample_rate
        self.batch_size = batch_size
        self.names = list(paths)
        self.position = {name: k for k, name in enumerate(self.names)}
        self.jobs: dict[str, Future] = {}

    def sounds(self, batch: list[str]) -> list[NDArray | str]:
        """Return the sound of each name, or the reason why it cannot be read."""
        self._submit(batch)
        after = self.position[batch[-1]] + 1
        self._submit(self.names[after : after + self.batch_size])
        return [self.jobs.pop(name).result() for name in batch]

    def _submit(self, batch: list[str]) -> None:
        for name in batch:
            if name not in self.jobs:
                self.jobs[name] = self.pool.submit(_read_excerpt, self.paths[name], self.seconds, self.sample_rate)


def _read_excerpt(path: Path, seconds: float, sample_rate: int) -> NDArray | str:
    """Return the first seconds of a track, or the reason why it cannot be read."""
    try:
        return as_played(first_seconds(path, seconds, sample_rate), sample_rate)
    except (ValueError, FileNotFoundError) as error:  # of the track itself; a failing disk stops, to be resumed
        return str(error)


def track_vectors(
    corpus: "Corpus", embedder: "Embedder", seconds: float = 15.0, *, batch_size: int = 64, progress: bool = True
) -> NDArray:
    """Return the vectors of the tracks of a corpus, as `index_corpus` computes them.

    Parameters
    ----------
    corpus, embedder, seconds, batch_size, progress
        As in `index_corpus`.

    Returns
    -------
    vectors : float32 array (n_tracks, dim)
        Mean over windows; rows of NaN for tracks that cannot be read.
    """
    paths = {track.id: track.path for track in corpus.tracks}
    names = list(paths)
    vectors = []
    with ThreadPoolExecutor(_N_LOADERS) as pool:
        reader = _BatchReader(pool, paths, seconds, embedder.sample_rate, batch_size)
        for first in tqdm(range(0, len(names), batch_size), unit="batch", delay=3, disable=not progress):
            sounds = reader.sounds(names[first : first + batch_size])
            vectors.append(_means(embedder, [None if isinstance(sound, str) else sound for sound in sounds]))
    return np.concatenate(vectors)


def unreadable_tracks(folder: Path | str) -> dict[str, str]:
    """Return the tracks that an index leaves out, with reasons.

    Parameters
    ----------
    folder : str or Path
        Of the index.

    Returns
    -------
    reasons : dict of str to str
        By id; empty if all could be read.
    """
    return read_json(Path(folder) / REASONS) or {}


def index_identity(embedder: "Embedder", seconds: float = 15.0) -> str:
    """Return the identity of an index: model, weights, options and excerpts.

    Parameters
    ----------
    embedder : features.audio.embedder.Embedder
    seconds : float
        Length of each excerpt.

    Returns
    -------
    identity : str
        For `Index.open`.
    """
    model = embedder.identity() if callable(embedder.identity) else embedder.identity
    parts = [RECIPE, model, embedder.sample_rate, float(embedder.window), float(embedder.hop), embedder.dim]
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]
    return f"{embedder.name} {digest}, first {seconds:g} s"


def _means(embedder: "Embedder", sounds: list[NDArray | None]) -> NDArray:
    """Return the mean vectors of sounds (n, dim), NaN where there is no sound."""
    rows = np.full((len(sounds), embedder.dim), np.nan, np.float32)
    readable = [k for k, sound in enumerate(sounds) if sound is not None]
    if readable:
        # the index stores them: a second copy in the cache would be of no use
        windows = embedder.embed([sounds[k] for k in readable], embedder.sample_rate, cache=False, progress=False)
        rows[readable] = windows.mean(axis=1)
    return rows


def _contents(corpus: "Corpus") -> dict[str, int | str]:
    """Return by id what changes when a track does: the size of its file, or the recipe of a simulated one."""
    if recipe := getattr(corpus, "recipe", ""):
        return {track.id: recipe for track in corpus.tracks}
    return {track.id: os.stat(track.path).st_size for track in corpus.tracks}


def _check_unchanged(folder: Path, contents: dict[str, int | str]) -> None:
    """Write ids and contents of the tracks; raise an error if they differ from those of the start."""
    stored = read_json(folder / _CONTENTS)
    if stored is None:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / _CONTENTS, contents)
        return
    added = contents.keys() - stored.keys()
    removed = stored.keys() - contents.keys()
    changed = [name for name in contents.keys() & stored.keys() if contents[name] != stored[name]]
    if added or removed or changed:
        example = min([*added, *removed, *changed])
        raise ValueError(
            f"{folder} is an index of a corpus that has changed since: {len(added)} tracks are new, {len(removed)} are "
            f"gone, {len(changed)} have another size (such as {example}); delete the folder, or give another one"
        )
