"""Vectors of words from a file in the format of word2vec (Mikolov et al. 2013), binary or text, read where it lies.

The first line says how many words there are and of how many numbers. Then, for each word: the word, a blank, and its
numbers, as float32 bytes (``.bin``) or written out with a line break (``.txt``, ``.vec``). The file is memory-mapped
and read through once for the places of the words; GoogleNews (3 million words, 3.6 GB) keeps about 0.5 GB of them.
"""

import functools
import hashlib
import mmap
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

_WORD = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*")  # "don't", "well-known" and "U.S" are one word each
_PARTS = re.compile(r"[^\W_]+")
SUFFIXES = (".bin", ".txt", ".vec")


@dataclass(frozen=True)
class WordVectors:
    """A file of word vectors.

    Attributes
    ----------
    name : str
        Its path.
    dim : int
    places : dict of str to (int, int)
        Where the numbers of each word begin and end in the file, in bytes.
    content : mmap
    binary : bool
    split : callable
        From a text to its words.
    n_layers : int
        1: a word has one vector.
    """

    name: str
    dim: int
    places: dict = field(repr=False)
    content: mmap.mmap = field(repr=False)
    binary: bool
    split: Callable = field(repr=False)
    n_layers: int = 1

    def __len__(self):
        """Return the number of words."""
        return len(self.places)

    @functools.cached_property
    def digest(self):
        """Return a hash of the file, and of which words a text is split into."""
        sha, code = hashlib.sha256(self.content), getattr(self.split, "__code__", None)
        if code is None:
            how = repr(self.split)
        else:
            constants = [constant for constant in code.co_consts if isinstance(constant, str | int | float)]
            how = repr((self.split.__module__, self.split.__qualname__, code.co_code, code.co_names, constants))
        sha.update(how.encode())
        return sha.hexdigest()

    def vector(self, word):
        """Return the vector of a word, float32 (dim,).

        Raises
        ------
        KeyError
            If there is none.
        ValueError
            If the file has something else there.
        """
        first, end = self.places[word]
        if self.binary:
            found = np.frombuffer(self.content, "<f4", self.dim, first).astype(np.float32)
        else:
            found = _numbers(self.content[first:end], f"{self.name}: the vector of {word!r}")
        if found.shape != (self.dim,) or not np.isfinite(found).all():
            raise ValueError(
                f"{self.name}: the vector of {word!r} has {found.size} numbers, not all finite or not the "
                f"{self.dim} that its first line says: the file is damaged"
            )
        return found

    def known(self, text):
        """Return the words of a text as the file has them, and how many it has not.

        A word is looked for as it is written, then in lower case; then its parts between hyphens or apostrophes.
        """
        found, n_unknown = [], 0
        for word in self.split(text):
            parts = [word] if self._spelt(word) else _PARTS.findall(word) or [word]
            spelt = [self._spelt(part) for part in parts]
            found += [part for part in spelt if part]
            n_unknown += spelt.count(None)
        return found, n_unknown

    def _spelt(self, word):
        return next((way for way in (word, word.lower()) if way in self.places), None)

    def means(self, texts):
        """Return the mean vector of the known words of each text, and how many are known and unknown.

        Parameters
        ----------
        texts : list of str, n_texts

        Returns
        -------
        means : float32 array (n_texts, dim)
            Zero where no word is known.
        counts : int array (n_texts, 2)
        """
        vectors, means, counts = {}, np.zeros((len(texts), self.dim), np.float32), np.zeros((len(texts), 2), int)
        for k, text in enumerate(texts):
            words, n_unknown = self.known(text)
            vectors.update((word, self.vector(word)) for word in words if word not in vectors)
            if words:
                means[k] = np.mean([vectors[word] for word in words], axis=0, dtype=np.float64)
            counts[k] = len(words), n_unknown
        return means, counts


def words_of(text):
    """Return the words of a text that puts blanks or signs between them."""
    return _WORD.findall(text)


def open_word_vectors(path, split=words_of):
    """Open a word2vec file.

    Parameters
    ----------
    path : str or Path
        ``.bin``, or ``.txt`` or ``.vec``; not compressed.
    split : callable
        From a text to its words. Japanese puts no blanks between them: pass a tokenizer of its words.

    Returns
    -------
    vectors : WordVectors

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file, it is of another format, or cut short.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: expected a word2vec file (.bin, .txt or .vec)")
    if path.suffix not in SUFFIXES:
        raise ValueError(f"{path} ends in {path.suffix!r}, expected .bin, .txt or .vec: unpack it first (gunzip)")
    with open(path, "rb") as file:
        first = file.readline(100)
        if re.fullmatch(rb"\s*[1-9]\d*\s+[1-9]\d*\s*", first) is None:
            raise ValueError(
                f"{path} begins with {first[:40]!r}, expected the number of words and of dimensions, as in b'3000000 "
                "300': it is no word2vec file, or lacks this line (as GloVe's do): write it"
            )
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    n_words, dim = map(int, first.split())
    binary = path.suffix == ".bin"
    places = (_binary_places if binary else _text_places)(content, len(first), n_words, dim, path)
    return WordVectors(str(path), dim, places, content, binary, split)


def _binary_places(content, start, n_words, dim, path):
    places, size = {}, 4 * dim
    for k in range(n_words):
        blank = content.find(b" ", start)
        if blank < 0 or blank + 1 + size > len(content):
            raise ValueError(f"{path} ends in word {k + 1:,} of {n_words:,}: it was cut short; get it again")
        # word2vec writes a line break after each vector, gensim does not
        word = content[start:blank].lstrip(b"\n").decode("utf-8", "replace")
        places.setdefault(word, (blank + 1, blank + 1 + size))
        start = blank + 1 + size
    return places


def _text_places(content, start, n_words, dim, path):
    places = {}
    for k in range(n_words):
        end = content.find(b"\n", start)
        end = len(content) if end < 0 else end
        blank = content.find(b" ", start, end)
        if blank < 0:
            raise ValueError(f"{path} ends in word {k + 1:,} of {n_words:,}: it was cut short; get it again")
        last = blank + 1, end
        places.setdefault(content[start:blank].decode("utf-8", "replace"), last)
        start = end + 1
    found = _numbers(content[slice(*last)], f"{path}: its last line")
    if len(found) != dim:
        raise ValueError(f"{path}: its last line has {len(found)} numbers, expected {dim}: it was cut short")
    return places


def _numbers(line, what):
    try:
        return np.array(line.split(), np.float32)
    except ValueError:
        raise ValueError(f"{what} is {bytes(line[:40])!r}, expected numbers: the file is damaged") from None
