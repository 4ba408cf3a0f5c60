"""Words and tokens: how words are joined into a text, and which tokens of the text are of which word."""

import unicodedata
from collections import Counter
from dataclasses import dataclass

import numpy as np

from naturalistic.datasets.words import is_named_mark

_AFTER_ALL = np.iinfo(np.int64).max  # where a closing special token lies: after every character
_SAMPLE = 2048  # texts that tell whether a tokenizer is one for all of them
_FEW = 4  # texts that a tokenizer may write alike for reasons of its own, such as forms of one punctuation mark


@dataclass
class Encoding:
    """Tokens of one text: ``ids`` and ``offsets`` (n_tokens, 2) in characters, ``n_opening`` and ``n_closing``
    of which were added by the tokenizer at either end ([CLS], [SEP], a beginning of sequence)."""

    ids: np.ndarray
    offsets: np.ndarray
    n_opening: int
    n_closing: int


def check_words(words):
    """Return ``words`` as a list of str without blanks around them, or say which word is wrong.

    Raises
    ------
    TypeError
        If ``words`` is one string, or a word is no str.
    ValueError
        If there are no words, or a word is empty or an aligner's mark in brackets, such as ``<unk>`` or ``{LG}``.
    """
    if isinstance(words, str):
        raise TypeError("words is one str, expected a list with one str a word: text.split() makes one")
    words = list(words)
    if not words:
        raise ValueError("words is empty, expected one str or more")
    for i, word in enumerate(words):
        if not isinstance(word, str):
            raise TypeError(f"words[{i}] is {word!r}, expected str: drop the missing words before")
        if not word.strip():
            raise ValueError(f"words[{i}] is {word!r}, an empty word: drop it, with its onset")
        if is_named_mark(word):
            raise ValueError(
                f"words[{i}] is {word!r}, a mark of an aligner and no word: drop it, with its onset (datasets.words."
                "read_textgrid does, is_mark finds all)"
            )
    return [str(word).strip() for word in words]


def is_attached(word):
    """Whether a word is written onto the one before it: it begins with an apostrophe, or is "n't"."""
    return word[0] in "'’" or word.lower().replace("’", "'") == "n't"


def join_words(words):
    """Join words into a text: one space between two words, none before a clitic (`is_attached`).

    Parameters
    ----------
    words : list of str, n_words

    Returns
    -------
    text : str
    word_spans : array (n_words, 2)
        First character of each word, and the one after its last.
    """
    parts, word_spans, end = [], [], 0
    for i, word in enumerate(words):
        if i and not is_attached(word):
            parts.append(" ")
            end += 1
        parts.append(word)
        word_spans.append((end, end + len(word)))
        end += len(word)
    return "".join(parts), np.array(word_spans, np.int64).reshape(-1, 2)


def encode(tokenizer, texts):
    """Tokenize texts, special tokens included, neither padded nor truncated.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerFast
        Truncation and padding off, as `load_model` leaves it.
    texts : list of str

    Returns
    -------
    encodings : list of Encoding
    """
    return [
        _tidy(raw)
        for k in range(0, len(texts), 1024)
        for raw in tokenizer.backend_tokenizer.encode_batch(texts[k : k + 1024])
    ]


def _tidy(raw):
    offsets = np.array(raw.offsets, np.int64).reshape(-1, 2)
    special = np.array(raw.special_tokens_mask, bool)
    plain = np.flatnonzero(~special)
    n_opening = int(plain[0]) if len(plain) else len(special)
    n_closing = len(special) - 1 - int(plain[-1]) if len(plain) else 0
    # the tokenizer gives special tokens the offsets (0, 0): in order, both columns can be searched
    offsets[len(special) - n_closing :] = _AFTER_ALL
    return Encoding(np.array(raw.ids, np.int64), offsets, n_opening, n_closing)


def token_spans(offsets, word_spans):
    """Return the tokens of each word: all that share a character with it.

    A token over the characters of two words ("don" of "do" + "n't") is of both. The blank which some
    tokenizers put at the beginning of a token is of no word.

    Parameters
    ----------
    offsets : array (n_tokens, 2)
        Characters of each token, in order.
    word_spans : array (n_words, 2)
        Characters of each word, in order.

    Returns
    -------
    spans : array (n_words, 2)
        First token of each word and the one after its last; the same twice if a word has none.
    """
    first = np.searchsorted(offsets[:, 1], word_spans[:, 0], side="right")
    end = np.searchsorted(offsets[:, 0], word_spans[:, 1], side="left")
    return np.stack([first, np.maximum(first, end)], axis=1)


def word_ids(tokenizer, words):
    """Return the token ids of each word as it is written inside a text, without the others.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerFast
    words : list of str, n_words

    Returns
    -------
    ids : list of array, n_words

    Raises
    ------
    ValueError
        If the tokenizer leaves nothing of a word (it holds control or zero-width characters only), or does not tell
        most words apart.
    """
    unique = list(dict.fromkeys(words))
    # a word after another begins with a blank in most vocabularies, so each stands behind a short one here
    texts = [word if is_attached(word) else f"a {word}" for word in unique]
    found = {}
    for word, text, encoding in zip(unique, texts, encode(tokenizer, texts)):
        span = np.array([[len(text) - len(word), len(text)]])
        first, end = token_spans(encoding.offsets, span)[0]
        found[word] = encoding.ids[first:end]
        if first == end:
            raise ValueError(
                f"words[{words.index(word)}] is {word!r}, of which the tokenizer leaves no token: "
                "drop the word, with its onset, or write it in plain characters"
            )
    check_known(tokenizer, unique, [found[word] for word in unique])
    return [found[word] for word in words]


def check_texts(tokenizer, texts):
    """Check that a tokenizer tells most different texts apart, by two thousand of them where there are more.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerBase
    texts : list of str, n_texts

    Raises
    ------
    ValueError
        Naming the tokenizer and some of the texts.
    """
    different = list(dict.fromkeys(texts))
    different = different[:: -(-len(different) // _SAMPLE) or 1]
    ids = tokenizer(different, add_special_tokens=False, verbose=False)["input_ids"] if len(different) > 1 else []
    check_known(tokenizer, different, ids)


def check_known(tokenizer, texts, ids):
    """Check that a tokenizer told most different texts apart.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerBase
    texts : list of str, n_texts
        Different ones.
    ids : list of sequence of int, n_texts
        Tokens of each, without special tokens.

    Raises
    ------
    ValueError
        Naming the tokenizer and some of the texts.
    """
    if problem := _alike(tokenizer, texts, ids):
        raise ValueError(
            f"the tokenizer of {tokenizer.name_or_path or 'the model'} ({type(tokenizer).__name__}, {len(tokenizer):,} "
            f"entries) is not one for these texts: {problem}, so that they would have one vector. Take a model of "
            "their language and script, and look whether its tokenizer's files are whole"
        )


def _alike(tokenizer, texts, ids):
    """Return what is wrong if most different texts are alike to a tokenizer, as without the vocabulary of its model."""
    unknown_id = tokenizer.unk_token_id
    by_text = {_folded(text): np.asarray(row) for text, row in zip(texts, ids)}  # an uncased vocabulary is no fault
    if len(by_text) < 2:
        return None
    unknown = [text for text, row in by_text.items() if len(row) and 2 * np.sum(row == unknown_id) >= len(row)]
    if unknown_id is not None and 2 * len(unknown) > len(by_text):
        return (
            f"{len(unknown):,} of {len(by_text):,} different texts ({_some(unknown)}) are {tokenizer.unk_token} to it"
        )
    same, n_same = Counter(tuple(row.tolist()) for row in by_text.values()).most_common(1)[0]
    if len(by_text) >= _FEW and 2 * n_same > len(by_text):
        alike = [text for text, row in by_text.items() if tuple(row.tolist()) == same]
        return f"{n_same:,} of {len(by_text):,} different texts ({_some(alike)}) are the same tokens to it"
    return None


def _folded(text):
    """Return a text without case and accents."""
    plain = unicodedata.normalize("NFKD", text.strip().casefold())
    return "".join(character for character in plain if not unicodedata.combining(character))


def _some(texts):
    return ", ".join(repr(text[:20]) for text in texts[:3]) + ", ..." * (len(texts) > 3)
