"""Index of the embeddings of a corpus, with exact search.

One folder a corpus: ``vectors.npy`` (float16, unit length, read as a memory map) and ``index.json`` (names, and the
model of the vectors).
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from naturalistic import intact
from naturalistic.arrays import ShapeRepr, as_real, check_finite
from naturalistic.cache import whole_or_absent, write_text
from naturalistic.intact import open_array
from naturalistic.parameters import whole

BLOCK = 8192  # vectors in float32 at once
_FLOAT32_ERROR = 1e-5  # float32 products that differ by less are compared in float64
_REPAIR = "delete its folder and build the index again"


@dataclass(frozen=True, eq=False, repr=False)
class Index(ShapeRepr):
    """Unit vectors of a corpus with the names of their recordings.

    Attributes
    ----------
    vectors : float16 memory map (n, dim)
    names : tuple of str, n
    skipped : tuple of str
        Recordings that could not be read.
    identity : str
        Model of the vectors, with its version.
    """

    vectors: NDArray
    names: tuple[str, ...]
    skipped: tuple[str, ...]
    identity: str

    @classmethod
    def open(cls, folder: Path | str, identity: str) -> "Index":
        """Open a finished index.

        Parameters
        ----------
        folder : str or Path
        identity : str
            Model of the queries; an index of another model is an error.

        Returns
        -------
        index : Index

        Raises
        ------
        FileNotFoundError, ValueError
            If there is no finished index, one of its files is cut short, or it is of another model.
        """
        folder = Path(folder)
        about = read_json(folder / "index.json")
        if about is None:
            raise FileNotFoundError(f"{folder} holds no finished index; build it with build_index")
        _check_identity(folder, about["identity"], identity)
        vectors = open_array(folder / "vectors.npy", _REPAIR, mmap_mode="r")
        if vectors.shape != (len(about["names"]), about["dim"]) or vectors.dtype != np.float16:
            raise ValueError(
                f"{folder / 'vectors.npy'} holds {vectors.dtype} {vectors.shape}, expected float16 "
                f"({len(about['names'])}, {about['dim']}): delete the folder and build it again"
            )
        return cls(vectors, tuple(about["names"]), tuple(about["skipped"]), about["identity"])

    def search(self, queries: ArrayLike, k: int = 10) -> tuple[NDArray, NDArray]:
        """Return the ``k`` vectors with the largest cosine to each query.

        Parameters
        ----------
        queries : array (n_queries, dim) or (dim,)
            Of any length above 0.
        k : int

        Returns
        -------
        rows : int array (n_queries, k)
            Index into ``names``, by decreasing cosine; of equals the first in the index.
        cosines : float64 array (n_queries, k)

        Raises
        ------
        ValueError
            If queries have another number of dimensions, are not finite or zero, or ``k`` is not from 1 to the size of
            the index.
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
        rows = np.empty((len(queries), k), dtype=int)
        cosines = np.empty((len(queries), k))
        for i, candidates in enumerate(self._candidates(queries.astype(np.float32), k)):
            stored = self.vectors[candidates].astype(np.float64)
            # equal for equal vectors, which a matrix product is not
            exact = (stored * queries[i]).sum(axis=1) / np.sqrt((stored**2).sum(axis=1))
            order = np.argsort(-exact, kind="stable")[:k]
            rows[i] = candidates[order]
            cosines[i] = exact[order]
        return rows, np.clip(cosines, -1, 1)

    def _candidates(self, queries: NDArray, k: int) -> list[NDArray]:
        """Return rows that may be among the ``k`` best of each query, in float32."""
        n_queries = len(queries)
        rows = [np.empty(0, int)] * n_queries
        scores = [np.empty(0, np.float32)] * n_queries
        for start in range(0, len(self.vectors), BLOCK):
            stored = self.vectors[start : start + BLOCK].astype(np.float32)
            block = queries @ stored.T
            block /= np.sqrt(np.einsum("ij,ij->i", stored, stored))  # float16 rounds their length
            limits = np.full(n_queries, -np.inf)
            if block.shape[1] >= k:
                limits = np.partition(block, -k, axis=1)[:, -k]
            for i in range(n_queries):
                limit = np.partition(scores[i], -k)[-k] if len(scores[i]) >= k else -np.inf
                floor = max(limits[i], limit) - _FLOAT32_ERROR
                kept = scores[i] >= floor
                new = np.flatnonzero(block[i] >= floor)
                rows[i] = np.concatenate([rows[i][kept], new + start])
                scores[i] = np.concatenate([scores[i][kept], block[i, new]])
        return rows

    def names_of(self, rows: NDArray) -> list:
        """Return the names of rows, as a nested list of the same shape."""
        return np.array(self.names, dtype=object)[rows].tolist()


def build_index(
    folder: Path | str,
    names: Sequence[str],
    vectors: ArrayLike | Callable[[list[str]], ArrayLike],
    identity: str,
    *,
    batch_size: int = 256,
    progress: bool = True,
) -> Index:
    """Build an index, or resume one that was interrupted; a finished one is opened.

    Parameters
    ----------
    folder : str or Path
    names : sequence of str
        Of the recordings, each once.
    vectors : array (n, dim), or callable
        ``vectors(names) -> (len(names), dim)`` embeds a batch; it is not called again for finished batches. A row of
        NaN marks a recording that cannot be read: it is left out and listed in ``skipped``.
    identity : str
        Model of the vectors, with its version.
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
    folder = Path(folder)
    names = [str(name) for name in names]
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
        raise ValueError(f"{folder} holds an unfinished index of other recordings: give another folder, or delete it")
    part = folder / "vectors.part.npy"
    store = open_array(part, _REPAIR, mmap_mode="r+") if state["done"] else None
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


def _finish(folder: Path, names: list[str], store: NDArray, identity: str) -> None:
    """Write the readable vectors, and last the JSON that completes the index."""
    readable = ~np.isnan(store[:, 0])
    if not readable.any():
        raise ValueError(f"none of the {len(names)} recordings could be read")
    # under a fixed name: it is large, and one process builds the index of a folder
    with whole_or_absent(folder / "vectors.npy", folder / "vectors.whole.npy") as part:
        stored = np.lib.format.open_memmap(part, "w+", np.float16, (int(readable.sum()), store.shape[1]))
        rows = np.flatnonzero(readable)
        for start in range(0, len(rows), BLOCK):
            stored[start : start + BLOCK] = store[rows[start : start + BLOCK]]
        stored.flush()
    about = {
        "identity": identity,
        "dim": store.shape[1],
        "names": [name for name, ok in zip(names, readable) if ok],
        "skipped": [name for name, ok in zip(names, readable) if not ok],
    }
    write_json(folder / "index.json", about)
    for rest in ("vectors.part.npy", "progress.json"):
        (folder / rest).unlink(missing_ok=True)


def _unit(rows: ArrayLike, batch: list[str], dim: int | None) -> NDArray:
    """Return a batch as float16 of unit length, NaN for unreadable recordings."""
    rows = as_real(rows, "vectors")
    if rows.ndim != 2 or len(rows) != len(batch) or not rows.shape[1] or dim not in (None, rows.shape[1]):
        raise ValueError(
            f"vectors has shape {rows.shape} for {len(batch)} names, expected ({len(batch)}, {dim or 'dim'})"
        )
    rows = rows.astype(np.float64)
    unreadable = np.isnan(rows).all(axis=1)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    bad = ~unreadable & ~(np.isfinite(length[:, 0]) & (length[:, 0] > 0))
    if bad.any():
        raise ValueError(
            f"the vector of {batch[int(np.argmax(bad))]} is all zeros or not finite; a row of NaN means unreadable"
        )
    return (rows / length).astype(np.float16)


def _from_array(names: list[str], vectors: ArrayLike) -> Callable[[list[str]], NDArray]:
    """Return the function that embeds a batch from an array (n, dim)."""
    vectors = as_real(vectors, "vectors")
    if vectors.ndim != 2 or len(vectors) != len(names):
        raise ValueError(f"vectors has shape {vectors.shape}, expected ({len(names)}, dim): one row a name")
    position = {name: k for k, name in enumerate(names)}
    return lambda batch: vectors[position[batch[0]] : position[batch[-1]] + 1]


def _check_identity(folder: Path, stored: str, expected: str) -> None:
    if stored != expected:
        raise ValueError(
            f"{folder} is an index of {stored}, expected {expected}: cosines between two models mean nothing"
        )


def _digest(names: list[str]) -> str:
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def read_json(path: Path) -> dict | None:
    """Read a JSON file of an index.

    Parameters
    ----------
    path : Path

    Returns
    -------
    content : dict or None
        None where there is no file.

    Raises
    ------
    ValueError
        If the file is cut short.
    """
    return intact.read_json(path, _REPAIR) if path.is_file() else None


def write_json(path: Path, content: dict) -> None:
    """Write a JSON file of an index, whole or not at all.

    Parameters
    ----------
    path : Path
    content : dict
        An entry a line, so that a long list can be read.
    """
    write_text(path, json.dumps(content, indent=0))
