"""An index over the beginnings of a corpus of music: what retrieval searches.

Denk et al. (2023), Brain2Music: the embedding of the first 15 s of each track of the Free Music Archive.
"""

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import numpy as np

from naturalistic.cache import cache_dir, folder_lock
from naturalistic.datasets.fma import first_seconds
from naturalistic.datasets.presentation import as_played
from naturalistic.decoding.files import read_json, write_json
from naturalistic.decoding.retrieval import build_index
from naturalistic.parameters import whole

REASONS, CONTENTS = "unreadable.json", "corpus.json"  # beside the index
RECIPE = 1  # raise it when tracks are heard otherwise: an index of before is then another one
LOADERS = 2  # threads that read ahead while the model runs


def index_folder(corpus, embedder, seconds=15.0):
    """Return the folder in the cache for the index of this corpus, as it is now, by this embedder.

    Another model, other weights, or tracks that came, went or changed their size give another folder.

    Parameters
    ----------
    corpus, embedder, seconds
        As of `index_corpus`.

    Returns
    -------
    folder : Path
    """
    sizes = sorted((track.id, os.stat(track.path).st_size) for track in corpus.tracks)
    what = json.dumps([index_identity(embedder, seconds), str(corpus.folder.resolve()), sizes])
    return cache_dir() / "index" / hashlib.sha256(what.encode()).hexdigest()[:16]


def index_corpus(corpus, embedder, folder, *, seconds=15.0, batch_size=64, progress=True):
    """Return the index of a corpus: made, gone on with where it was interrupted, or opened.

    Each track is heard as the experiment would have played it (its first seconds, faded and of one loudness); its
    vector is the mean over windows, brought to length 1.

    Parameters
    ----------
    corpus : datasets.fma.Corpus
        Anything with ``tracks`` that have an ``id`` and a ``path``.
    embedder : features.embedder.Embedder
    folder : str or Path
        Of the index, one for each corpus and embedder.
    seconds : float
    batch_size : int
        Tracks between two saves.
    progress : bool
        Show a bar if it takes more than a few seconds.

    Returns
    -------
    index : Index
        Its names are the tracks' ids. Tracks that cannot be read are in ``skipped``; `unreadable` says why.

    Raises
    ------
    ValueError
        If the folder holds an index of another model, or the corpus has changed since it was begun.
    """
    folder, batch_size = Path(folder), whole("batch_size", batch_size)
    # two at once would write the same parts; a finished index is only read, maybe from a disk that lets nobody write
    with nullcontext() if (folder / "index.json").is_file() else folder_lock(folder):
        return _index(corpus, embedder, folder, seconds, batch_size, progress)


def _index(corpus, embedder, folder, seconds, batch_size, progress):
    paths = {track.id: track.path for track in corpus.tracks}
    _check_unchanged(folder, paths)
    reasons = unreadable(folder)
    identity = index_identity(embedder, seconds)
    with ThreadPoolExecutor(LOADERS) as pool:
        ahead = _Ahead(pool, paths, seconds, embedder.sample_rate, batch_size)

        def vectors(batch):
            sounds = ahead.sounds(batch)
            lost = {name: sound for name, sound in zip(batch, sounds) if isinstance(sound, str)}
            if lost:
                reasons.update(lost)
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
            f"({reasons.get(first, 'no reason kept')}); {folder / REASONS} names all"
        )
    return index


class _Ahead:
    """Reads the sounds of the next batch while the model is at work on one."""

    def __init__(self, pool, paths, seconds, rate, batch_size):
        self.pool, self.paths, self.how, self.batch_size = pool, paths, (seconds, rate), batch_size
        self.names = list(paths)
        self.place = {name: k for k, name in enumerate(self.names)}
        self.jobs = {}

    def sounds(self, batch):
        """Return of each name its sound, or why there is none."""
        self._ask(batch)
        after = self.place[batch[-1]] + 1
        self._ask(self.names[after : after + self.batch_size])
        return [self.jobs.pop(name).result() for name in batch]

    def _ask(self, batch):
        for name in batch:
            if name not in self.jobs:
                self.jobs[name] = self.pool.submit(_hear, self.paths[name], *self.how)


def _hear(path, seconds, rate):
    """Return how a track begins as the experiment would have played it, or why it cannot be heard."""
    try:
        return as_played(first_seconds(path, seconds, rate), rate)
    except (ValueError, FileNotFoundError) as error:  # of the track itself; a failing disk stops, to be gone on with
        return str(error)


def unreadable(folder):
    """Return the tracks that an index leaves out, and why.

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


def index_identity(embedder, seconds=15.0):
    """Return what an index of this embedder is called: the model, its weights and options, and how tracks are heard.

    Parameters
    ----------
    embedder : features.embedder.Embedder
    seconds : float
        Heard of each track.

    Returns
    -------
    identity : str
        As `Index.open` wants it.
    """
    own = embedder.identity() if callable(embedder.identity) else embedder.identity
    parts = [RECIPE, own, embedder.sample_rate, float(embedder.window), float(embedder.hop), embedder.dim]
    short = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]
    return f"{embedder.name} {short}, first {seconds:g} s"


def _means(embedder, sounds):
    """Return the mean vectors of sounds (n, dim), rows of NaN where there is none."""
    rows = np.full((len(sounds), embedder.dim), np.nan, np.float32)
    heard = [k for k, sound in enumerate(sounds) if sound is not None]
    if heard:
        # the index keeps them: a second copy in the cache would be of no use
        windows = embedder.embed([sounds[k] for k in heard], embedder.sample_rate, cache=False, progress=False)
        rows[heard] = windows.mean(axis=1)
    return rows


def _check_unchanged(folder, paths):
    """Note ids and sizes of a corpus; stop if an index was begun with others."""
    now = {name: os.stat(path).st_size for name, path in paths.items()}
    note = folder / CONTENTS
    then = read_json(note)
    if then is None:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(note, now)
        return
    new, gone = now.keys() - then.keys(), then.keys() - now.keys()
    other = [name for name in now.keys() & then.keys() if now[name] != then[name]]
    if new or gone or other:
        example = min([*new, *gone, *other])
        raise ValueError(
            f"{folder} is an index of a corpus that has changed since: {len(new)} tracks are new, {len(gone)} are "
            f"gone, {len(other)} have another size (such as {example}); delete the folder, or give another one"
        )
