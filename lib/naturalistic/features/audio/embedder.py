"""Embedders: vectors of windows of clips, and of sentences for joint models.

Published models and those of the simulation differ in their towers alone; checks, resampling, windows, batches, the
bar and the cache are here, once.
"""

import functools
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from naturalistic.cache import content_key, read_array, write_array
from naturalistic.features.audio.windows import check_times, check_waveforms, cut, n_windows, resample
from naturalistic.parameters import whole

_RECIPE = 1  # part of the cache's key: raise it when the same call gives other numbers
_FOLDER = "audio"


@dataclass(frozen=True)
class Embedder:
    """A model that hears, and reads if it has a text tower.

    Attributes
    ----------
    name : str
        As it was asked for.
    sample_rate : int
        Hz at which the model listens; sound of another rate is resampled (soxr).
    window, hop : float
        s. Windows start every ``hop`` from 0; only whole ones count.
    dim : int
    audio_tower : callable
        From windows, float32 array (n, n_samples), to their vectors (n, dim), array or tensor.
    text_tower : callable, optional
        From a list of n sentences to their vectors (n, dim).
    identity : str or callable
        What determines the vectors besides their input, such as a hash of weights and options; called when needed.
    device : str
    batch_size : int
        Windows of one pass.
    """

    name: str
    sample_rate: int
    window: float
    hop: float
    dim: int
    audio_tower: Callable = field(repr=False)
    text_tower: Callable | None = field(default=None, repr=False)
    identity: str | Callable = field(default="", repr=False)
    device: str = "cpu"
    batch_size: int = 8

    def __post_init__(self) -> None:
        """Check what a reader may have chosen."""
        check_times(self.window, self.hop)
        whole("batch_size", self.batch_size, hint="windows that go through the model at once")

    @property
    def has_text(self) -> bool:
        """Return whether there is a text tower."""
        return self.text_tower is not None

    @functools.cached_property
    def _identity(self) -> tuple[Any, ...]:
        identity = self.identity() if callable(self.identity) else self.identity
        return (_RECIPE, identity, self.sample_rate, self.dim)

    def embed(
        self,
        waveforms: ArrayLike | Sequence[ArrayLike],
        sample_rate: float,
        *,
        cache: bool = True,
        progress: bool = True,
        allow_low_rate: bool = False,
    ) -> NDArray:
        """Return the vectors of the windows of clips.

        Parameters
        ----------
        waveforms : array (n_clips, n_samples) or (n_samples,), or list of arrays (n_samples,)
            Mono floats of full scale 1, equally long.
        sample_rate : float
            Hz. Resampled if the model listens at another.
        cache : bool
            Keep the vectors of each clip, found again by its samples and by what the model is.
        progress : bool
            Show a bar if it takes more than 3 s.
        allow_low_rate : bool
            Take sound below 16,000 Hz.

        Returns
        -------
        vectors : float32 array (n_clips, n_windows, dim), or (n_windows, dim) of one clip by itself

        Raises
        ------
        TypeError, ValueError
            If clips are not as expected (see `windows.check_waveforms`) or shorter than a window.
        RuntimeError
            If the model gives numbers that are not finite.
        """
        clips, single = check_waveforms(waveforms, sample_rate, allow_low_rate=allow_low_rate)
        n_samples = min(map(len, clips))
        count = n_windows(n_samples, sample_rate, self.window, self.hop)
        if not count:
            raise ValueError(
                f"waveforms has clips of {n_samples / sample_rate:g} s ({n_samples} samples at "
                f"{sample_rate:g} Hz), expected at least the {self.window:g} s of a window of {self.name}: take longer "
                "clips, or load the model with a shorter window"
            )
        vectors = np.empty((len(clips), count, self.dim), np.float32)
        keys = [None] * len(clips)
        todo = range(len(clips))
        if cache:
            settings = (*self._identity, float(sample_rate), float(self.window), float(self.hop))
            keys = [content_key("audio", *settings, clip) for clip in clips]
            todo = [k for k in todo if not _fill(vectors, k, read_array(_FOLDER, keys[k], vectors.shape[1:]))]
        self._run(clips, sample_rate, vectors, todo, keys, progress)
        return vectors[0] if single else vectors

    def _run(
        self,
        clips: list[NDArray],
        sample_rate: float,
        vectors: NDArray,
        todo: Sequence[int],
        keys: Sequence[str | None],
        progress: bool,
    ) -> None:
        """Fill in ``vectors`` of the clips ``todo``, in batches of windows of all of them; keep a clip when whole."""
        count = vectors.shape[1]

        def windows() -> Iterator[tuple[int, int, NDArray]]:
            for k in todo:
                sound = resample(clips[k], sample_rate, self.sample_rate)
                for i, window in enumerate(cut(sound, self.sample_rate, count, self.window, self.hop)):
                    yield k, i, window

        left = Counter({k: count for k in todo})
        stream = windows()
        with tqdm(
            total=len(todo) * count, desc=self.name, unit="window", delay=3, leave=False, disable=not progress
        ) as bar:
            while batch := list(itertools.islice(stream, int(self.batch_size))):
                ks, places, sounds = zip(*batch)
                vectors[ks, places] = self._pass(self.audio_tower, np.stack(sounds))
                left.subtract(ks)
                for k in dict.fromkeys(ks):
                    if not left[k] and keys[k]:
                        write_array(_FOLDER, keys[k], vectors[k])
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
            raise ValueError(
                f"{self.name} hears and does not read, it has no text tower: take a joint model such as 'mini-mulan', "
                "'clap' or 'muq-mulan' (has_text says which do)"
            )
        sentences = _check_sentences(sentences)
        vectors = np.empty((len(sentences), self.dim), np.float32)
        todo = list(range(len(sentences)))
        keys = {}
        if cache:
            keys = {k: content_key("text", *self._identity, sentence) for k, sentence in enumerate(sentences)}
            todo = [k for k in todo if not _fill(vectors, k, read_array(_FOLDER, keys[k], (self.dim,)))]
        for first in range(0, len(todo), 32):
            batch = todo[first : first + 32]
            vectors[batch] = self._pass(self.text_tower, [sentences[k] for k in batch])
            for k in batch if cache else []:
                write_array(_FOLDER, keys[k], vectors[k])
        return vectors


def _fill(vectors: NDArray, k: int, cached: NDArray | None) -> bool:
    """Put what was found in the cache in its place; return whether there was anything."""
    if cached is not None:
        vectors[k] = cached
    return cached is not None


def _check_sentences(sentences: Any) -> list[str]:
    """Return the sentences as a list."""
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
