"""An index over a large corpus of embeddings: which recordings are most like a decoded vector?

One folder a corpus: ``vectors.npy`` (float16, unit length, read as a memory map) and ``index.json`` (names, the model
that made them). The search is exact: every vector is looked at.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from naturalistic.arrays import as_real, check_finite
from naturalistic.cache import whole_or_absent
from naturalistic.decoding.files import AGAIN, read_json, write_json
from naturalistic.intact import open_array
from naturalistic.parameters import whole

BLOCK = 8192  # vectors in float32 at once
CLOSE = 1e-5  # float32 products nearer than this are told apart in float64


@dataclass(frozen=True)
class Index:
    """Unit vectors of a corpus, and what they are of.

    Attributes
    ----------
    vectors : float16 memory map (n, dim)
    names : tuple of str, n
    skipped : tuple of str
        What could not be read.
    identity : str
        Model that made the vectors.
    """

    vectors: np.ndarray
    names: tuple
    skipped: tuple
    identity: str

    @classmethod
    def open(cls, folder, identity):
        """Open a finished index.

        Parameters
        ----------
        folder : str or Path
        identity : str
            Model of the queries; an index of another one is refused.

        Returns
        -------
        index : Index

        Raises
        ------
        FileNotFoundError, ValueError
            If there is no finished index, a file of it was cut short, or it is of another model.
        """
        folder = Path(folder)
        about = read_json(folder / "index.json")
        if about is None:
            raise FileNotFoundError(f"{folder} holds no finished index; make it with build_index")
        _check_identity(folder, about["identity"], identity)
        vectors = open_array(folder / "vectors.npy", AGAIN, mmap_mode="r")
        if vectors.shape != (len(about["names"]), about["dim"]) or vectors.dtype != np.float16:
            raise ValueError(
                f"{folder / 'vectors.npy'} holds {vectors.dtype} {vectors.shape}, expected float16 "
                f"({len(about['names'])}, {about['dim']}): delete the folder and build it again"
            )
        return cls(vectors, tuple(about["names"]), tuple(about["skipped"]), about["identity"])

    def search(self, queries, k=10):
        """Return the ``k`` vectors with the largest cosine to each query.

        Parameters
        ----------
        queries : array (n_queries, dim) or (dim,)
            Of any length but 0.
        k : int

        Returns
        -------
        rows : int array (n_queries, k)
            Index into ``names``, the nearest first; of equals the first in the index.
        cosines : float64 array (n_queries, k)

        Raises
        ------
        ValueError
            If queries are of other dimensions, not finite or zero, or ``k`` is not from 1 to the size of the index.
        """
        queries = np.atleast_2d(as_real(queries, "queries")).astype(np.float64)
        if queries.ndim != 2 or queries.shape[1] != self.vectors.shape[1]:
            raise ValueError(f"queries has shape {queries.shape}, expected (n_queries, {self.vectors.shape[1]})")
        check_finite(queries, "queries")
        k = whole("k", k, 1, len(self.vectors), hint="the index holds no more")
        length = np.linalg.norm(queries, axis=1, keepdims=True)
        if not length.all():
            raise ValueError(f"query {int(np.argmin(length))} is all zeros: it has no direction")
        queries /= length
        near = self._near(queries.astype(np.float32), k)
        rows, cosines = np.empty((len(queries), k), dtype=int), np.empty((len(queries), k))
        for i, (query, found) in enumerate(zip(queries, near)):
            stored = self.vectors[found].astype(np.float64)
            exact = (stored * query).sum(axis=1) / np.sqrt((stored**2).sum(axis=1))  # alike for alike vectors
            order = np.argsort(-exact, kind="stable")[:k]
            rows[i], cosines[i] = found[order], exact[order]
        return rows, np.clip(cosines, -1, 1)

    def _near(self, queries, k):
        """Return for each query the rows, ascending, that are among its ``k`` best or too close to them to tell."""
        n_queries = len(queries)
        rows, scores = [np.empty(0, int)] * n_queries, [np.empty(0, np.float32)] * n_queries
        for start in range(0, len(self.vectors), BLOCK):
            stored = self.vectors[start : start + BLOCK].astype(np.float32)
            block = queries @ stored.T
            block /= np.sqrt(np.einsum("ij,ij->i", stored, stored))  # rounding to float16 left them not quite 1 long
            full = block.shape[1] >= k
            limits = np.partition(block, -k, axis=1)[:, -k] if full else np.full(n_queries, -np.inf)
            for i in range(n_queries):
                so_far = np.partition(scores[i], -k)[-k] if len(scores[i]) >= k else -np.inf
                floor = max(limits[i], so_far) - CLOSE
                old, new = scores[i] >= floor, np.flatnonzero(block[i] >= floor)
                rows[i] = np.concatenate([rows[i][old], new + start])
                scores[i] = np.concatenate([scores[i][old], block[i, new]])
        return rows

    def named(self, rows):
        """Return the names of rows, as a nested list of the same shape."""
        return np.array(self.names, dtype=object)[rows].tolist()


def build_index(folder, names, vectors, identity, *, batch_size=256, progress=True):
    """Make an index, or go on with one that was interrupted; a finished one is opened.

    Parameters
    ----------
    folder : str or Path
    names : sequence of str
        Of the recordings, each once.
    vectors : array (n, dim), or callable
        ``vectors(names) -> (len(names), dim)`` embeds a batch; what is done is not asked for again. A row of NaN says
        that the recording cannot be read: it is left out, counted and named.
    identity : str
        Model that makes the vectors, with its version.
    batch_size : int
        Recordings between two saves.
    progress : bool
        Show a bar if it takes more than a few seconds.

    Returns
    -------
    index : Index

    Raises
    ------
    ValueError
        If names repeat, vectors have another size or are zero, or the folder holds an index of another model or corpus.
    """
    folder, names = Path(folder), [str(name) for name in names]
    if len(set(names)) != len(names) or not names:
        raise ValueError(f"names has {len(names)} names, {len(set(names))} of them different; expected each once")
    batch_size = whole("batch_size", batch_size)
    about = read_json(folder / "index.json")
    if about is not None:
        _check_identity(folder, about["identity"], identity)
        if sorted(about["names"] + about["skipped"]) != sorted(names):
            raise ValueError(f"{folder} holds a finished index of other recordings: give another folder, or delete it")
        return Index.open(folder, identity)
    if not callable(vectors):
        vectors = _from_array(names, vectors)
    folder.mkdir(parents=True, exist_ok=True)
    state = read_json(folder / "progress.json") or {"identity": identity, "done": 0, "names": _digest(names)}
    _check_identity(folder, state["identity"], identity)
    if state["names"] != _digest(names):
        raise ValueError(f"{folder} holds a begun index of other recordings: give another folder, or delete it")
    part = folder / "vectors.part.npy"
    store = open_array(part, AGAIN, mmap_mode="r+") if state["done"] else None
    with tqdm(total=len(names), initial=state["done"], unit="vector", delay=3, disable=not progress) as bar:
        while state["done"] < len(names):
            batch = names[state["done"] : state["done"] + batch_size]
            rows = _unit(vectors(batch), batch, None if store is None else store.shape[1])
            if store is None:
                store = np.lib.format.open_memmap(part, "w+", np.float16, (len(names), rows.shape[1]))
            store[state["done"] : state["done"] + len(batch)] = rows
            store.flush()
            state["done"] += len(batch)
            write_json(folder / "progress.json", state)
            bar.update(len(batch))
    _finish(folder, names, store, identity)
    return Index.open(folder, identity)


def _finish(folder, names, store, identity):
    """Put the vectors that could be read under their name; the JSON, written last, says that the index is whole."""
    there = ~np.isnan(store[:, 0])
    if not there.any():
        raise ValueError(f"none of the {len(names)} recordings could be read")
    # under a fixed name: it is large, and one process builds the index of a folder
    with whole_or_absent(folder / "vectors.npy", folder / "vectors.whole.npy") as whole:
        kept = np.lib.format.open_memmap(whole, "w+", np.float16, (int(there.sum()), store.shape[1]))
        rows = np.flatnonzero(there)
        for start in range(0, len(rows), BLOCK):
            kept[start : start + BLOCK] = store[rows[start : start + BLOCK]]
        kept.flush()
    readable = [name for name, t in zip(names, there) if t]
    skipped = [name for name, t in zip(names, there) if not t]
    about = {"identity": identity, "dim": store.shape[1], "names": readable, "skipped": skipped}
    write_json(folder / "index.json", about)
    for rest in ("vectors.part.npy", "progress.json"):
        (folder / rest).unlink(missing_ok=True)


def _unit(rows, batch, dim):
    """Return a batch as float16 of unit length, NaN where a recording could not be read; checked."""
    rows = as_real(rows, "vectors")
    if rows.ndim != 2 or len(rows) != len(batch) or not rows.shape[1] or dim not in (None, rows.shape[1]):
        raise ValueError(
            f"vectors has shape {rows.shape} for {len(batch)} names, expected ({len(batch)}, {dim or 'dim'})"
        )
    rows = rows.astype(np.float64)
    lost = np.isnan(rows).all(axis=1)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    bad = ~lost & ~(np.isfinite(length[:, 0]) & (length[:, 0] > 0))
    if bad.any():
        raise ValueError(f"the vector of {batch[int(np.argmax(bad))]} is all zeros or not finite; NaN says unreadable")
    return (rows / length).astype(np.float16)


def _from_array(names, vectors):
    """Return the callable of an array (n, dim)."""
    vectors = as_real(vectors, "vectors")
    if vectors.ndim != 2 or len(vectors) != len(names):
        raise ValueError(f"vectors has shape {vectors.shape}, expected ({len(names)}, dim): one row a name")
    place = {name: k for k, name in enumerate(names)}
    return lambda batch: vectors[place[batch[0]] : place[batch[-1]] + 1]


def _check_identity(folder, found, wanted):
    if found != wanted:
        raise ValueError(f"{folder} is an index of {found}, expected {wanted}: cosines between two models mean nothing")


def _digest(names):
    return hashlib.sha256("\n".join(names).encode()).hexdigest()
