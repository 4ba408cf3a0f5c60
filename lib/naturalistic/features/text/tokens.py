"""Tokens of texts and of the words in them, and whether a tokenizer is one for these texts."""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

_AFTER_ALL = np.iinfo(np.int64).max  # offset of a closing special token: after every character
_SAMPLE = 2048  # texts that tell whether a tokenizer is one for all of them
_FEW = 4  # texts that a tokenizer may write alike for reasons of its own, such as forms of one punctuation mark


@dataclass
class Encoding:
    """Tokens of one text.

    Attributes
    ----------
    ids : int array (n_tokens,)
    offsets : int array (n_tokens, 2)
        First character of each token, and the one after its last.
    n_opening, n_closing : int
        Special tokens that the tokenizer added at either end ([CLS], [SEP], a beginning of sequence).
    """

    ids: NDArray[np.int64]
    offsets: NDArray[np.int64]
    n_opening: int
    n_closing: int

    @property
    def end(self) -> int:
        """Return the place after the last token that is not a closing special token."""
        return len(self.ids) - self.n_closing


def is_attached(word: str) -> bool:
    """Return whether a word is written onto the one before it: it begins with an apostrophe, or is "n't"."""
    return word[0] in "'’" or word.lower().replace("’", "'") == "n't"


def join_words(words: Sequence[str]) -> tuple[str, NDArray[np.int64]]:
    """Return words as one text: a space between two words, none before a clitic (`is_attached`).

    Parameters
    ----------
    words : list of str, n_words

    Returns
    -------
    text : str
    word_spans : int array (n_words, 2)
        First character of each word, and the one after its last.
    """
    parts = []
    word_spans = []
    end = 0
    for i, word in enumerate(words):
        if i and not is_attached(word):
            parts.append(" ")
            end += 1
        parts.append(word)
        word_spans.append((end, end + len(word)))
        end += len(word)
    return "".join(parts), np.array(word_spans, np.int64).reshape(-1, 2)


def encode(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[Encoding]:
    """Tokenize texts, special tokens included, neither padded nor truncated.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerFast
        Truncation and padding off, as `load_model` leaves it.
    texts : list of str, n_texts

    Returns
    -------
    encodings : list of Encoding, n_texts
    """
    return [
        _encoding(fast)
        for k in range(0, len(texts), 1024)
        for fast in tokenizer.backend_tokenizer.encode_batch(texts[k : k + 1024])
    ]


def _encoding(fast: Any) -> Encoding:
    """Return the `Encoding` of a text from that of the tokenizers library."""
    offsets = np.array(fast.offsets, np.int64).reshape(-1, 2)
    is_special = np.array(fast.special_tokens_mask, bool)
    plain = np.flatnonzero(~is_special)
    n_opening = int(plain[0]) if len(plain) else len(is_special)
    n_closing = len(is_special) - 1 - int(plain[-1]) if len(plain) else 0
    # the tokenizer gives special tokens the offsets (0, 0): in order, both columns can be searched
    offsets[len(is_special) - n_closing :] = _AFTER_ALL
    return Encoding(np.array(fast.ids, np.int64), offsets, n_opening, n_closing)


def token_spans(offsets: NDArray[np.int64], word_spans: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the tokens of each word: all that share a character with it.

    A token over the characters of two words ("don" of "do" + "n't") belongs to both. The blank that some
    tokenizers put at the beginning of a token belongs to no word.

    Parameters
    ----------
    offsets : int array (n_tokens, 2)
        Characters of each token, in order.
    word_spans : int array (n_words, 2)
        Characters of each word, in order.

    Returns
    -------
    spans : int array (n_words, 2)
        First token of each word and the one after its last; the same twice if a word has none.
    """
    first = np.searchsorted(offsets[:, 1], word_spans[:, 0], side="right")
    end = np.searchsorted(offsets[:, 0], word_spans[:, 1], side="left")
    return np.stack([first, np.maximum(first, end)], axis=1)


def word_ids(tokenizer: PreTrainedTokenizerBase, words: Sequence[str]) -> list[NDArray[np.int64]]:
    """Return the token ids of each word as it is written inside a text, without the others.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerFast
    words : list of str, n_words

    Returns
    -------
    ids : list of int array, n_words

    Raises
    ------
    ValueError
        If the tokenizer leaves nothing of a word (it holds control or zero-width characters only), or does not tell
        most words apart.
    """
    unique = list(dict.fromkeys(words))
    # a word after another begins with a blank in most vocabularies, so each stands behind a short one here
    texts = [word if is_attached(word) else f"a {word}" for word in unique]
    ids_of = {}
    for word, text, encoding in zip(unique, texts, encode(tokenizer, texts)):
        word_span = np.array([[len(text) - len(word), len(text)]])
        first, end = token_spans(encoding.offsets, word_span)[0]
        ids_of[word] = encoding.ids[first:end]
        if first == end:
            raise ValueError(
                f"words[{words.index(word)}] is {word!r}, of which the tokenizer leaves no token: "
                "drop the word, with its onset, or write it in plain characters"
            )
    _check_token_ids(tokenizer, unique, list(ids_of.values()))
    return [ids_of[word] for word in words]


def check_tokenizer(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> None:
    """Check that a tokenizer tells most different texts apart, on 2,048 of them where there are more.

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
    _check_token_ids(tokenizer, different, ids)


def _check_token_ids(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], ids: Sequence) -> None:
    """Raise an error if most of different texts have the same token ids, or unknown ones."""
    if problem := _problem_of(tokenizer, texts, ids):
        raise ValueError(
            f"the tokenizer of {tokenizer.name_or_path or 'the model'} ({type(tokenizer).__name__}, {len(tokenizer):,} "
            f"entries) is not one for these texts: {problem}, so that they would have one vector. Take a model of "
            "their language and script, and look whether its tokenizer's files are whole"
        )


def _problem_of(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], ids: Sequence) -> str | None:
    """Return the problem if most texts are alike to a tokenizer, as without the vocabulary of its model."""
    unknown_id = tokenizer.unk_token_id
    # an uncased vocabulary is no fault
    ids_of = {_folded(text): np.asarray(ids_of_text) for text, ids_of_text in zip(texts, ids)}
    if len(ids_of) < 2:
        return None
    unknown = [text for text, own in ids_of.items() if len(own) and 2 * np.sum(own == unknown_id) >= len(own)]
    if unknown_id is not None and 2 * len(unknown) > len(ids_of):
        return f"{len(unknown):,} of {len(ids_of):,} different texts ({_some(unknown)}) are {tokenizer.unk_token} to it"
    same, n_same = Counter(tuple(own.tolist()) for own in ids_of.values()).most_common(1)[0]
    if len(ids_of) >= _FEW and 2 * n_same > len(ids_of):
        alike = [text for text, own in ids_of.items() if tuple(own.tolist()) == same]
        return f"{n_same:,} of {len(ids_of):,} different texts ({_some(alike)}) are the same tokens to it"
    return None


def _folded(text: str) -> str:
    """Return a text without case and accents."""
    plain = unicodedata.normalize("NFKD", text.strip().casefold())
    return "".join(character for character in plain if not unicodedata.combining(character))


def _some(texts: Sequence[str]) -> str:
    return ", ".join(repr(text[:20]) for text in texts[:3]) + ", ..." * (len(texts) > 3)
