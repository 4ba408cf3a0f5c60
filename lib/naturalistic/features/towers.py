"""What embedders of sound and of films share: checked passes through a network, and vectors of sentences."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from naturalistic.cache import content_key, read_array, write_array

_SENTENCES = 32  # of one pass


class Towers:
    """Base of embedders: a tower for the stimulus, and one for sentences if the model is a joint one.

    Subclasses are dataclasses with ``name``, ``dim``, ``batch_size`` and ``text_tower``, and state ``_identity``,
    ``_cache_folder`` and ``_no_text``.
    """

    name: str
    dim: int
    batch_size: int
    text_tower: Callable | None
    _cache_folder: str
    _no_text: str

    @property
    def _identity(self) -> tuple[Any, ...]:
        raise NotImplementedError

    @property
    def has_text(self) -> bool:
        """Return whether there is a text tower."""
        return self.text_tower is not None

    def _fill_windows(
        self,
        stream: Iterator[tuple[int, int, NDArray]],
        embed: Callable[[list[NDArray]], NDArray],
        vectors: NDArray,
        todo: Sequence[int],
        keys: Sequence[str | None],
        progress: bool,
    ) -> None:
        """Fill in ``vectors`` of the stimuli ``todo``, in batches of windows of all of them; keep one when it is whole.

        Parameters
        ----------
        stream : iterator of (stimulus, window, content)
        embed : callable
            From the contents of a batch to their vectors (n, dim).
        vectors : array (n_stimuli, n_windows, dim)
        todo : sequence of int
        keys : sequence of str or None
            Of the cache; None keeps nothing.
        progress : bool
        """
        count = vectors.shape[1]
        left = Counter({k: count for k in todo})
        with tqdm(
            total=len(todo) * count, desc=self.name, unit="window", delay=3, leave=False, disable=not progress
        ) as bar:
            while batch := list(itertools.islice(stream, int(self.batch_size))):
                stimuli, windows, contents = zip(*batch)
                vectors[stimuli, windows] = embed(list(contents))
                left.subtract(stimuli)
                for k in dict.fromkeys(stimuli):
                    if not left[k] and keys[k]:
                        write_array(self._cache_folder, keys[k], vectors[k])
                bar.update(len(batch))

    @torch.inference_mode()
    def _pass(self, tower: Callable, batch: Any) -> NDArray:
        """Return the float32 array of what a tower gives, checked."""
        out = tower(batch)
        out = out.float().cpu().numpy() if isinstance(out, torch.Tensor) else np.asarray(out, np.float32)
        if out.shape != (len(batch), self.dim):
            raise RuntimeError(f"{self.name} gave an array {out.shape}, expected {(len(batch), self.dim)}")
        if not np.isfinite(out).all():
            raise RuntimeError(
                f"{self.name} gave numbers that are not finite: load it with dtype='float32' if it ran in float16"
            )
        return out

    def embed_text(self, sentences: Sequence[str], *, cache: bool = True) -> NDArray:
        """Return the vectors of sentences, in the space of `embed`.

        Parameters
        ----------
        sentences : list of str, n_sentences
        cache : bool
            Keep the vector of each sentence.

        Returns
        -------
        vectors : float32 array (n_sentences, dim)

        Raises
        ------
        TypeError, ValueError
            If the model has no text tower, ``sentences`` is no list of strings, or some are empty.
        """
        if not self.has_text:
            raise ValueError(f"{self.name} {self._no_text} (has_text says which do)")
        sentences = check_sentences(sentences)
        vectors = np.empty((len(sentences), self.dim), np.float32)
        todo = list(range(len(sentences)))
        keys = {}
        if cache:
            keys = {k: content_key("text", *self._identity, sentence) for k, sentence in enumerate(sentences)}
            todo = [k for k in todo if not fill(vectors, k, read_array(self._cache_folder, keys[k], (self.dim,)))]
        for first in range(0, len(todo), _SENTENCES):
            batch = todo[first : first + _SENTENCES]
            vectors[batch] = self._pass(self.text_tower, [sentences[k] for k in batch])
            for k in batch if cache else []:
                write_array(self._cache_folder, keys[k], vectors[k])
        return vectors


def fill(vectors: NDArray, k: int, cached: NDArray | None) -> bool:
    """Put what was found in the cache in its row; return whether there was anything."""
    if cached is not None:
        vectors[k] = cached
    return cached is not None


def check_sentences(sentences: Any) -> list[str]:
    """Return sentences as a list.

    Raises
    ------
    TypeError, ValueError
        If they are no list of strings, or some are empty.
    """
    if isinstance(sentences, str):
        raise TypeError(f"sentences is the string {sentences[:40]!r}, expected a list of them: [{sentences[:40]!r}]")
    sentences = list(sentences)
    not_text = [k for k, sentence in enumerate(sentences) if not isinstance(sentence, str)]
    if not_text:
        raise TypeError(f"sentences[{not_text[0]}] is {sentences[not_text[0]]!r}, expected a string")
    empty = [k for k, sentence in enumerate(sentences) if not sentence.strip()]
    if empty or not sentences:
        listed = ", ".join(map(str, empty[:5])) or "none given"
        raise ValueError(f"sentences has empty captions (index {listed}), expected text: leave them out or write them")
    return sentences
