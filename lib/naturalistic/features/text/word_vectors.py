"""Vectors of words from a file in the format of word2vec (Mikolov et al. 2013), binary or text, read where it lies.

The first line says how many words there are and of how many numbers. Then, for each word: the word, a blank, and its
numbers, as float32 bytes or written out with a line break. Files of GloVe are such text without the first line. What a
file is, its content says and not its name: gensim writes text into a ``.bin`` where it is told to. The file is
memory-mapped and read through once for the places of the words; GoogleNews (3 million words, 3.6 GB) keeps about 0.5 GB
of them.

A word may hold blanks ("ice cream", GloVe's ". . ."). In text its numbers are the last of the line. In bytes the first
blank ends a word, unless what follows its numbers then is no word and a later blank puts that right; a file with more
than a few such words is refused, as numbers may happen to look like letters.
"""

import codecs
import functools
import hashlib
import mmap
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from naturalistic.datasets.words import without_marks

_WORD = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*")  # "don't", "well-known" and "U.S" are one word each
_PARTS = re.compile(r"[^\W_]+")
SUFFIXES = (".bin", ".txt", ".vec")  # by which a name is known to be no model of the hub; formats go by content
_HEADER = re.compile(rb"\s*[1-9]\d*\s+[1-9]\d*\s*")
_PACKED = {b"\x1f\x8b": "gunzip", b"PK\x03\x04": "unzip", b"BZh": "bunzip2", b"\xfd7zXZ": "unxz"}
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SHARE_WITH_BLANK = 0.01  # of words in a file of bytes; more are refused
_ODD = re.compile(rb"[:-@\xb9-\xbf]")  # bytes with which a float32 from 1e-4 to 8 ends
_PLAIN = re.compile(rb"\n?[!-9A-~]+ ")  # a word that nobody doubts
_NO_LATIN1 = re.compile(rb"[\x00-\x1f\x7f-\x9f]")
_LONGEST_WORD = 1000  # bytes; word2vec itself takes 100 characters
_MOST_BLANKS = 8  # of one word


@dataclass(frozen=True)
class WordVectors:
    """A file of word vectors.

    Attributes
    ----------
    name : str
        Its path.
    dim : int
    places : dict of str to (int, int)
        First byte of the numbers of each word in the file, and the one after the last.
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

    def __len__(self) -> int:
        """Return the number of words."""
        return len(self.places)

    @functools.cached_property
    def digest(self) -> str:
        """Return a hash of the file, and of the function that splits texts."""
        sha = hashlib.sha256(self.content)
        code = getattr(self.split, "__code__", None)
        if code is None:
            split = repr(self.split)
        else:
            constants = [constant for constant in code.co_consts if isinstance(constant, str | int | float)]
            split = repr((self.split.__module__, self.split.__qualname__, code.co_code, code.co_names, constants))
        sha.update(f"{split} without marks".encode())
        return sha.hexdigest()

    def vector(self, word: str) -> NDArray[np.float32]:
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
            vector = np.frombuffer(self.content, "<f4", self.dim, first).astype(np.float32)
        else:
            vector = _numbers(self.content[first:end], f"{self.name}: the vector of {word!r}")
        if vector.shape != (self.dim,) or not np.isfinite(vector).all():
            raise ValueError(
                f"{self.name}: the vector of {word!r} has {vector.size} numbers, not all finite or not the "
                f"{self.dim} that its first line says: the file is damaged"
            )
        return vector

    def known(self, text: str) -> tuple[list[str], int]:
        """Return the words of a text as the file has them, and the number of unknown ones.

        A word is looked for as it is written, then in lower case; then its parts between hyphens or apostrophes.
        Bracketed marks such as ``[laughs]`` or ``<unk>`` are no words: see `datasets.words`.
        """
        words = []
        n_unknown = 0
        for word in self.split(without_marks(text)):
            parts = [word] if self._spelling(word) else _PARTS.findall(word) or [word]
            spellings = [self._spelling(part) for part in parts]
            words += [spelling for spelling in spellings if spelling]
            n_unknown += spellings.count(None)
        return words, n_unknown

    def _spelling(self, word: str) -> str | None:
        return next((spelling for spelling in (word, word.lower()) if spelling in self.places), None)

    def means(self, texts: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return the mean vector of the known words of each text, with the numbers of known and unknown ones.

        Parameters
        ----------
        texts : list of str, n_texts

        Returns
        -------
        means : float32 array (n_texts, dim)
            Zero where no word is known.
        counts : int array (n_texts, 2)
        """
        vectors: dict[str, NDArray[np.float32]] = {}
        means = np.zeros((len(texts), self.dim), np.float32)
        counts = np.zeros((len(texts), 2), int)
        for k, text in enumerate(texts):
            words, n_unknown = self.known(text)
            vectors.update((word, self.vector(word)) for word in words if word not in vectors)
            if words:
                means[k] = np.mean([vectors[word] for word in words], axis=0, dtype=np.float64)
            counts[k] = len(words), n_unknown
        return means, counts


def words_of(text: str) -> list[str]:
    """Return the words of a text that puts blanks or signs between them."""
    return _WORD.findall(text)


def open_word_vectors(path: str | Path, split: Callable[[str], list[str]] = words_of) -> WordVectors:
    """Open a file of word vectors in the format of word2vec or GloVe.

    Parameters
    ----------
    path : str or Path
        Binary or text, by its content; with the line of counts, or text without it (GloVe). Not compressed.
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
    with open(path, "rb") as file:
        _check_unpacked(path, file.read(6))
        if not path.stat().st_size:
            raise ValueError(f"{path} is empty, expected the number of words and of dimensions, and words")
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    start, n_words, dim, binary = _layout(content, path)
    places = (_binary_places if binary else _text_places)(content, start, n_words, dim, path)
    return WordVectors(str(path), dim, places, content, binary, split)


def _layout(content: mmap.mmap, path: Path) -> tuple[int, int | None, int, bool]:
    """Return the first byte, the number of words (None: not in the file), their size, and whether it is binary."""
    start = len(codecs.BOM_UTF8) if content[:3] == codecs.BOM_UTF8 else 0
    first = content[start : content.find(b"\n", start, start + 100) + 1]
    n_words: int | None = None
    dim = 0
    if _HEADER.fullmatch(first) is not None:
        n_words, dim = map(int, first.split())
        start += len(first)
    fields = _line(content, start).split()
    tail = _n_numbers(fields[1:])
    if n_words is None:
        # a single number could be anything, such as a list of words and counts
        if tail < 2:
            raise ValueError(
                f"{path} begins with {content[:40]!r}, expected the number of words and of dimensions, as in b'3000000 "
                "300', or a word and its numbers (as GloVe's do): it is no file of word vectors"
            )
        return start, None, tail, False
    if tail == dim:
        return start, n_words, dim, False
    is_text = tail and _is_text(b" ".join(fields))
    if is_text and tail == len(fields) - 1:
        raise ValueError(f"{path}: its first line says {dim} numbers a word, word 1 ({fields[0]!r}) has {tail}")
    return start, n_words, dim, not is_text


def _check_unpacked(path: Path, head: bytes) -> None:
    """Raise an error that tells how to unpack a file, if it is packed."""
    for mark, command in _PACKED.items():
        if head.startswith(mark):
            raise ValueError(f"{path} is packed, but word vectors are read where they lie: unpack it first ({command})")
    if head[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        raise ValueError(f"{path} is UTF-16, expected UTF-8: convert it (iconv -f UTF-16 -t UTF-8)")


def _line(content: mmap.mmap, start: int) -> bytes:
    """Return the line that begins at a byte; of bytes without a line break, the first few."""
    end = content.find(b"\n", start, start + (1 << 20))
    return content[start:end] if end >= 0 else content[start : start + (1 << 20)]


def _n_numbers(fields: list[bytes]) -> int:
    """Return the number of numbers at the end of the fields of a line."""
    n = 0
    for text in reversed(fields):
        try:
            float(text)
        except ValueError:
            break
        n += 1
    return n


def _is_text(line: bytes) -> bool:
    """Return whether bytes are text without control characters, in UTF-8; numbers as float32 hold other bytes."""
    try:
        return _CONTROL.search(line.decode("utf-8")) is None
    except UnicodeDecodeError:
        return False


def _decoded(word: bytes, k: int, not_utf8: list[int]) -> str:
    """Return a word as text, and append the number of one that is no UTF-8."""
    try:
        return word.decode("utf-8")
    except UnicodeDecodeError:
        not_utf8.append(k)
        return word.decode("utf-8", "replace")


def _warn_of(not_utf8: list[int], n_words: int, path: Path) -> None:
    if not_utf8:
        warnings.warn(
            f"{path}: {len(not_utf8):,} of {n_words:,} words are no UTF-8, such as word {not_utf8[0]:,}: no text will "
            "find them",
            stacklevel=4,
        )


def _binary_places(content: mmap.mmap, start: int, n_words: int, dim: int, path: Path) -> dict[str, tuple[int, int]]:
    """Return the first byte of the numbers of each word, and the one after the last."""
    places: dict[str, tuple[int, int]] = {}
    not_utf8: list[int] = []
    with_blank = []
    odd = []
    for k in range(n_words):
        blank, n_blanks = _end_of_word(content, start, 4 * dim, k, n_words, path)
        # word2vec writes a line break after each vector, gensim does not
        raw = content[start:blank].lstrip(b"\n")
        word = _decoded(raw, k + 1, not_utf8)
        if n_blanks:
            with_blank.append((k + 1, word))
        if _ODD.search(raw) or not_utf8[-1:] == [k + 1]:
            odd.append((k + 1, word))
        start = blank + 1 + 4 * dim
        places.setdefault(word, (blank + 1, start))
    if rest := len(content) - start - (content[start:] == b"\n"):
        raise ValueError(
            f"{path} has {rest:,} bytes more than the {n_words:,} words of {dim} numbers that its first line says: the "
            "line is wrong, or a word has a blank inside; write the file anew, as text"
        )
    _check_unambiguous(with_blank, odd, n_words, path)
    _warn_of(not_utf8, n_words, path)
    return places


def _check_unambiguous(with_blank: list, odd: list, n_words: int, path: Path) -> None:
    """Raise an error if words have a blank inside, and others could end elsewhere."""
    if not with_blank or (not odd and len(with_blank) <= max(1, _SHARE_WITH_BLANK * n_words)):
        return
    k, word = with_blank[0]
    other = f" and whether word {odd[0][0]:,} ({odd[0][1]!r}) begins with numbers" if odd else ""
    raise ValueError(
        f"{path}: {len(with_blank):,} of {n_words:,} words have a blank inside, such as word {k:,} ({word!r}), which "
        f"leaves open where a word ends{other}: write the file anew, as text"
    )


def _end_of_word(content: mmap.mmap, start: int, size: int, k: int, n_words: int, path: Path) -> tuple[int, int]:
    """Return the blank that ends the word at ``start``, and the number of blanks inside it.

    It is the first, unless no proper word follows its numbers and one does follow those of a later blank.
    """
    first = content.find(b" ", start)
    if first < 0 or first + 1 + size > len(content):
        raise ValueError(f"{path} ends in word {k + 1:,} of {n_words:,}: it was cut short; get it again")
    is_last = k + 1 == n_words
    if not is_last and _PLAIN.match(content, first + 1 + size):
        return first, 0
    quality = _goes_on(content, first + 1 + size, is_last)
    blank = first
    for n_blanks in range(1, _MOST_BLANKS if quality < 2 else 0):
        blank = content.find(b" ", blank + 1, start + _LONGEST_WORD)
        if blank < 0 or blank + 1 + size > len(content) or not _is_text(content[start:blank].lstrip(b"\n")):
            break
        if _goes_on(content, blank + 1 + size, is_last) == 2:
            return blank, n_blanks
    if quality or is_last or _may_be_cut_or_latin1(_word_at(content, first + 1 + size)):
        return first, 0
    raise ValueError(
        f"{path}: behind word {k + 1:,} of {n_words:,} ({content[start:first].lstrip()[:40]!r}) and its numbers no "
        "word begins: it or the next one has a blank inside or is no UTF-8, or there are other numbers than the first "
        "line says; write the file anew, as text"
    )


def _goes_on(content: mmap.mmap, start: int, is_last: bool) -> int:
    """Return 2 if a file goes on at a byte with a word or its end, 1 with an odd word, 0 if with neither.

    Numbers that are taken for the beginning of a word are odd at least, by the byte that ends them.
    """
    if content[start : start + 2] in (b"", b"\n"):
        return 2
    word = _word_at(content, start)
    if is_last or not word or not _is_text(word):
        return 0
    return 1 if _ODD.search(word) else 2


def _word_at(content: mmap.mmap, start: int) -> bytes:
    """Return the bytes up to the next blank, without the line break before them."""
    end = content.find(b" ", start, start + _LONGEST_WORD)
    return content[start:end].lstrip(b"\n") if end > start else b""


def _may_be_cut_or_latin1(word: bytes) -> bool:
    """Return whether bytes are a word cut inside a character (as word2vec does after 100 bytes), or one in Latin-1."""
    return bool(word) and (any(_is_text(word[:-n]) for n in (1, 2, 3)) or _NO_LATIN1.search(word) is None)


def _text_places(
    content: mmap.mmap, start: int, n_words: int | None, dim: int, path: Path
) -> dict[str, tuple[int, int]]:
    """Return the first byte of the numbers of each word, and the one after the last."""
    places: dict[str, tuple[int, int]] = {}
    not_utf8: list[int] = []
    k = 0
    last = None
    while start < len(content):
        end = content.find(b"\n", start)
        end = len(content) if end < 0 else end
        line = content[start:end].rstrip()
        if not line and not content[start:].strip():
            break
        if k == n_words:
            raise ValueError(f"{path} has more words than the {n_words:,} that its first line says: correct the line")
        k += 1
        if line.count(b" ") == dim:
            n_word = line.find(b" ")
        else:  # a blank in the word, tabs, or other numbers than expected
            parts = line.rsplit(None, dim)
            if len(parts) <= dim:
                where = f"the line of word {k:,}" if content[end:].strip() else "its last line"
                raise ValueError(
                    f"{path}: {where} has {max(len(line.split()) - 1, 0)} numbers, expected {dim}: it was cut short"
                )
            n_word = len(parts[0])
        last = start + n_word + 1, end
        places.setdefault(_decoded(line[:n_word], k, not_utf8), last)
        start = end + 1
    if k < (n_words or 1):
        raise ValueError(f"{path} ends in word {k + 1:,} of {n_words:,}: it was cut short; get it again")
    _numbers(content[slice(*last)], f"{path}: its last line")
    _warn_of(not_utf8, k, path)
    return places


def _numbers(line: bytes, what: str) -> NDArray[np.float32]:
    try:
        return np.array(line.split(), np.float32)
    except ValueError:
        raise ValueError(f"{what} is {bytes(line[:40])!r}, expected numbers: the file is damaged") from None
