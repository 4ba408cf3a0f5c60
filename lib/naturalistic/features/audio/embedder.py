"""Embedders: vectors of windows of clips, and of sentences for joint models.

Published models and those of the simulation differ in their towers alone; checks, resampling, windows, batches, the
bar and the cache are here, once.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from naturalistic.cache import content_key, read_array
from naturalistic.features.audio.windows import check_times, check_waveforms, cut, n_windows, resample
from naturalistic.features.towers import Towers, fill
from naturalistic.parameters import whole

_RECIPE = 1  # part of the cache's key: raise it when the same call gives other numbers
_FOLDER = "audio"


@dataclass(frozen=True)
class Embedder(Towers):
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

    _cache_folder: ClassVar[str] = _FOLDER
    _no_text: ClassVar[str] = (
        "hears and does not read, it has no text tower: take a joint model such as 'mini-mulan', 'clap' or 'muq-mulan'"
    )

    def __post_init__(self) -> None:
        """Check what a reader may have chosen."""
        check_times(self.window, self.hop)
        whole("batch_size", self.batch_size, hint="windows that go through the model at once")

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
            todo = [k for k in todo if not fill(vectors, k, read_array(_FOLDER, keys[k], vectors.shape[1:]))]
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

        def embed(batch: list[NDArray]) -> NDArray:
            return self._pass(self.audio_tower, np.stack(batch))

        self._fill_windows(windows(), embed, vectors, todo, keys, progress)
