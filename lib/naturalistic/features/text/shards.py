"""Vectors of many texts on disk, found by text and layer: some files a model, not one a text.

A file (a shard) holds what one block of a computation gave, layer after layer, and never changes once it is there, so
that any number of processes may read and write: each adds files of its own, and a text that two of them computed is
there twice, which harms nobody. Opening a shard reads its keys alone, the vectors are memory-mapped. The keys have a
checksum, and so has each vector: what is damaged is not found, and computed anew.
"""

import hashlib
import struct
import uuid
import zlib

import numpy as np

from naturalistic.cache import cache_dir, whole_or_absent

_MAGIC = b"naturalistic shard 1\n"
_SIZES = struct.Struct("<5I")  # texts, layers, dim, bytes of a number, checksum of what stands before the vectors
_KEY = 16  # bytes
_HEAD = np.dtype([("key", f"V{_KEY}"), ("n_tokens", "<u4"), ("n_lost", "<u4")])
_FLOATS = {2: np.dtype("<f2"), 4: np.dtype("<f4")}
_SUFFIX = ".shard"


def text_key(text):
    """Return the key (bytes) of a text."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_KEY).digest()


def read(folder, keys, layers, vectors):
    """Fill in the vectors that are kept.

    Parameters
    ----------
    folder : str
        Of a model, inside the cache.
    keys : list of bytes, n_texts
        Different ones, see `text_key`.
    layers : list of int, n_layers
    vectors : array (n_texts, n_layers, dim)
        Filled in where ``found``. Only shards of its dtype and dim are read.

    Returns
    -------
    found : bool array (n_texts,)
        Texts of which all layers were there.
    counts : int array (n_texts, 2)
        Tokens that were read and that were lost, as `write` was told.
    """
    found = np.zeros(vectors.shape[:2], bool)
    counts = np.zeros((len(keys), 2), np.int64)
    wanted = {key: i for i, key in enumerate(keys)}
    for path in sorted((cache_dir() / folder).glob(f"*{_SUFFIX}")):
        if found.all():
            break
        opened = _open(path, vectors.dtype, vectors.shape[2])
        if opened is not None:
            _take(*opened, wanted, layers, vectors, found, counts)
    return found.all(axis=1), counts


def _take(kept_layers, heads, sums, kept, wanted, layers, vectors, found, counts):
    """Copy what a shard has and is not yet found."""
    raw = heads["key"].tobytes()
    pairs = [(r, wanted.get(raw[_KEY * r : _KEY * (r + 1)])) for r in range(len(heads))]
    rows, places = np.array([pair for pair in pairs if pair[1] is not None], np.int64).reshape(-1, 2).T
    for a, layer in enumerate(layers):
        for s in np.flatnonzero(kept_layers == layer):
            new = ~found[places, a]
            some, to = rows[new], places[new]
            block = kept[s][some]
            whole = _checksums(block) == sums[s][some]
            to = to[whole]
            vectors[to, a], found[to, a] = block[whole], True
            counts[to] = np.stack([heads["n_tokens"][some][whole], heads["n_lost"][some][whole]], axis=1)


def _open(path, dtype, dim):
    """Return layers, heads, checksums and mapped vectors of a shard; None if it is damaged or of another kind."""
    try:
        with open(path, "rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                return None
            n_texts, n_layers, kept_dim, n_bytes, checksum = _SIZES.unpack(file.read(_SIZES.size))
            if kept_dim != dim or _FLOATS.get(n_bytes) != dtype:
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
        return layers, heads, sums.reshape(n_layers, n_texts), vectors
    except (OSError, ValueError, struct.error):
        return None


def write(folder, keys, layers, counts, vectors):
    """Keep vectors: a reader sees all of the shard or nothing.

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


def _checksums(vectors):
    """Return the CRC-32 of each vector, uint32 (n_texts,)."""
    return np.array([zlib.crc32(vector) for vector in np.ascontiguousarray(vectors)], np.uint32)
