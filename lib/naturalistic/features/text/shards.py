"""Stored vectors of many texts, found by text and layer: a few files a model, not one a text.

A file (a shard) holds the vectors of one block of a computation, layer after layer, and never changes once it is there,
so that any number of processes may read and write: each adds files of its own, and a text that two of them computed is
there twice, which harms nobody. Opening a shard reads its keys alone, the vectors are memory-mapped. The keys have a
checksum, and so has each vector: a damaged one is not found, and computed again.
"""

import hashlib
import struct
import uuid
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from naturalistic.cache import cache_dir, whole_or_absent

_MAGIC = b"naturalistic shard 1\n"
_SIZES = struct.Struct("<5I")  # texts, layers, dim, bytes of a number, checksum of what stands before the vectors
_KEY = 16  # bytes
_HEAD = np.dtype([("key", f"V{_KEY}"), ("n_tokens", "<u4"), ("n_lost", "<u4")])
_FLOATS = {2: np.dtype("<f2"), 4: np.dtype("<f4")}
_SUFFIX = ".shard"


@dataclass(frozen=True)
class _Shard:
    """Contents of a shard: ``heads`` (n_texts,), ``checksums`` (n_layers, n_texts), mapped ``vectors``."""

    layers: NDArray[np.uint32]
    heads: NDArray
    checksums: NDArray[np.uint32]
    vectors: NDArray


def text_key(text: str) -> bytes:
    """Return the key of a text."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_KEY).digest()


def read(
    folder: str, keys: Sequence[bytes], layers: Sequence[int], vectors: NDArray
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Fill in the vectors that are stored.

    Parameters
    ----------
    folder : str
        Folder of a model, inside the cache.
    keys : list of bytes, n_texts
        Different ones, see `text_key`.
    layers : list of int, n_layers
    vectors : array (n_texts, n_layers, dim)
        Filled in where they are found. Only shards of its dtype and dim are read.

    Returns
    -------
    is_found : bool array (n_texts,)
        Texts of which all layers are stored.
    counts : int array (n_texts, 2)
        Tokens that were read and that were lost, as given to `write`.
    """
    is_found = np.zeros(vectors.shape[:2], bool)
    counts = np.zeros((len(keys), 2), np.int64)
    index_of = {key: i for i, key in enumerate(keys)}
    for path in sorted((cache_dir() / folder).glob(f"*{_SUFFIX}")):
        if is_found.all():
            break
        shard = _open(path, vectors.dtype, vectors.shape[2])
        if shard is not None:
            _copy_missing(shard, index_of, layers, vectors, is_found, counts)
    return is_found.all(axis=1), counts


def _copy_missing(
    shard: _Shard,
    index_of: dict[bytes, int],
    layers: Sequence[int],
    vectors: NDArray,
    is_found: NDArray[np.bool_],
    counts: NDArray[np.int64],
) -> None:
    """Copy the vectors that a shard has and that are not yet found."""
    raw = shard.heads["key"].tobytes()
    shard_keys = [raw[_KEY * k : _KEY * (k + 1)] for k in range(len(shard.heads))]
    pairs = [(k, index_of[key]) for k, key in enumerate(shard_keys) if key in index_of]
    in_shard, in_vectors = np.array(pairs, np.int64).reshape(-1, 2).T
    for a, layer in enumerate(layers):
        for s in np.flatnonzero(shard.layers == layer):
            is_missing = ~is_found[in_vectors, a]
            source = in_shard[is_missing]
            target = in_vectors[is_missing]
            block = shard.vectors[s][source]
            is_whole = _checksums(block) == shard.checksums[s][source]
            source = source[is_whole]
            target = target[is_whole]
            vectors[target, a] = block[is_whole]
            is_found[target, a] = True
            counts[target] = np.stack([shard.heads["n_tokens"][source], shard.heads["n_lost"][source]], axis=1)


def _open(path: Path, dtype: np.dtype, dim: int) -> _Shard | None:
    """Return a shard; None if it is damaged, or of another number format or size."""
    try:
        with open(path, "rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                return None
            n_texts, n_layers, shard_dim, n_bytes, checksum = _SIZES.unpack(file.read(_SIZES.size))
            if shard_dim != dim or _FLOATS.get(n_bytes) != dtype:
                return None
            n_before = n_layers * 4 + n_texts * _HEAD.itemsize + n_layers * n_texts * 4
            start = len(_MAGIC) + _SIZES.size + n_before
            if path.stat().st_size != start + n_layers * n_texts * dim * n_bytes:
                return None
            head = file.read(n_before)
        if zlib.crc32(head) != checksum:
            return None
        layers = np.frombuffer(head, "<u4", n_layers)
        heads = np.frombuffer(head, _HEAD, n_texts, layers.nbytes)
        sums = np.frombuffer(head, "<u4", n_layers * n_texts, layers.nbytes + heads.nbytes)
        vectors = np.memmap(path, dtype, "r", start, (n_layers, n_texts, dim))
        return _Shard(layers, heads, sums.reshape(n_layers, n_texts), vectors)
    except (OSError, ValueError, struct.error):
        return None


def write(folder: str, keys: Sequence[bytes], layers: Sequence[int], counts: ArrayLike, vectors: NDArray) -> None:
    """Store vectors: a reader sees all of the shard or nothing.

    Parameters
    ----------
    folder : str
    keys : list of bytes, n_texts
    layers : list of int, n_layers
    counts : int array (n_texts, 2)
    vectors : array (n_layers, n_texts, dim)
    """
    heads = np.empty(len(keys), _HEAD)
    heads["key"] = np.frombuffer(b"".join(keys), f"V{_KEY}")
    heads["n_tokens"], heads["n_lost"] = np.asarray(counts).T
    sums = np.stack([_checksums(block) for block in vectors])
    head = np.array(layers, "<u4").tobytes() + heads.tobytes() + sums.astype("<u4").tobytes()
    n_layers, n_texts, dim = vectors.shape
    sizes = _SIZES.pack(n_texts, n_layers, dim, vectors.dtype.itemsize, zlib.crc32(head))
    path = cache_dir() / folder / f"{uuid.uuid4().hex}{_SUFFIX}"
    with whole_or_absent(path) as part, open(part, "wb") as file:
        file.write(_MAGIC + sizes + head)
        file.write(np.ascontiguousarray(vectors, _FLOATS[vectors.dtype.itemsize]))


def _checksums(vectors: NDArray) -> NDArray[np.uint32]:
    """Return the CRC-32 of each vector, uint32 (n_texts,)."""
    return np.array([zlib.crc32(vector) for vector in np.ascontiguousarray(vectors)], np.uint32)
