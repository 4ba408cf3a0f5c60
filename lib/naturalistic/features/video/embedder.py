"""Embedders of films: vectors of windows of frames, or of whole films, and of sentences for joint models."""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from naturalistic.cache import content_key, read_array
from naturalistic.features.audio.windows import check_times
from naturalistic.features.towers import Towers, fill
from naturalistic.features.video.frames import check_frames, check_rate, count_windows, frames_of_windows
from naturalistic.parameters import whole

_RECIPE = 1  # part of the cache's key: raise it when the same call gives other numbers
_FOLDER = "video"


@dataclass(frozen=True)
class VideoEmbedder(Towers):
    """A model that sees films, and reads if it has a text tower.

    Attributes
    ----------
    name : str
        As it was requested.
    window, hop : float
        s. Windows start every ``hop`` from 0; only whole ones count. A ``window`` of None is the whole film.
    n_frames : int
        Frames that stand for a window, at the middles of as many equal parts of it.
    dim : int
    frame_tower : callable
        From a list of n windows, each a uint8 array (n_frames, height, width, 3), to their vectors (n, dim), array or
        tensor.
    text_tower : callable, optional
        From a list of n sentences to their vectors (n, dim).
    identity : str or callable
        What determines the vectors besides their input, such as a hash of weights and options; called when needed.
    device : str
    batch_size : int
        Windows of one pass.
    """

    name: str
    window: float | None
    hop: float
    n_frames: int
    dim: int
    frame_tower: Callable = field(repr=False)
    text_tower: Callable | None = field(default=None, repr=False)
    identity: str | Callable = field(default="", repr=False)
    device: str = "cpu"
    batch_size: int = 8

    _cache_folder: ClassVar[str] = _FOLDER
    _no_text: ClassVar[str] = (
        "sees and does not read, it has no text tower: take a joint model such as 'clip', 'siglip2' or 'x-clip'"
    )

    def __post_init__(self) -> None:
        """Check what a reader may have chosen."""
        check_times(self.hop if self.window is None else self.window, self.hop)
        whole("n_frames", self.n_frames, hint="frames that stand for a window")
        whole("batch_size", self.batch_size, hint="windows that go through the model at once")

    @functools.cached_property
    def _identity(self) -> tuple[Any, ...]:
        identity = self.identity() if callable(self.identity) else self.identity
        return (_RECIPE, identity, self.n_frames, self.dim)

    def embed(
        self, films: ArrayLike | Sequence[ArrayLike], rate: float, *, cache: bool = True, progress: bool = True
    ) -> NDArray:
        """Return the vectors of the windows of films.

        Parameters
        ----------
        films : array (n_films, n_frames, height, width, 3) or (n_frames, height, width, 3), or list of the second
            uint8, red, green and blue, of any size: they are resized as the model's own code does. Those of a list may
            differ in size, and have the same number of windows.
        rate : float
            Frames a second. Films of fewer frames than the model takes give some of them twice.
        cache : bool
            Keep the vectors of each film, found again by its frames and by what the model is.
        progress : bool
            Show a bar if it takes more than 3 s.

        Returns
        -------
        vectors : float32 array (n_films, n_windows, dim), or (n_windows, dim) of one film by itself

        Raises
        ------
        TypeError, ValueError
            If films are not as expected (see `frames.check_frames`), are shorter than a window, or differ in their
            number of windows.
        RuntimeError
            If the model gives numbers that are not finite.
        """
        listed, single = check_frames(films)
        rate = check_rate(rate)
        counts = [count_windows(len(film), rate, self.window, self.hop) for film in listed]
        shortest = min(map(len, listed))
        if not min(counts):
            raise ValueError(
                f"films has one of {shortest / rate:g} s ({shortest} frames at {rate:g} a second), expected at least "
                f"the {self.window:g} s of a window of {self.name}: take longer films, or load the model with a "
                "shorter window, or window=None for one vector a film"
            )
        if min(counts) < max(counts):
            raise ValueError(
                f"films has some of {min(counts)} and of {max(counts)} windows, expected one number: pass them one by "
                "one, or load the model with window=None for one vector a film"
            )
        vectors = np.empty((len(listed), counts[0], self.dim), np.float32)
        keys = [None] * len(listed)
        todo = range(len(listed))
        if cache:
            settings = (*self._identity, rate, self.window and float(self.window), float(self.hop))
            keys = [content_key("video", *settings, film) for film in listed]
            todo = [k for k in todo if not fill(vectors, k, read_array(_FOLDER, keys[k], vectors.shape[1:]))]
        self._run(listed, rate, vectors, todo, keys, progress)
        return vectors[0] if single else vectors

    def _run(
        self,
        films: list[NDArray],
        rate: float,
        vectors: NDArray,
        todo: Sequence[int],
        keys: Sequence[str | None],
        progress: bool,
    ) -> None:
        """Fill in ``vectors`` of the films ``todo``, in batches of windows of all of them; keep a film when whole."""
        count = vectors.shape[1]

        def windows() -> Iterator[tuple[int, int, NDArray]]:
            for k in todo:
                index = frames_of_windows(len(films[k]), rate, count, self.window, self.hop, self.n_frames)
                for i in range(count):
                    yield k, i, films[k][index[i]]

        def embed(batch: list[NDArray]) -> NDArray:
            return self._pass(self.frame_tower, batch)

        self._fill_windows(windows(), embed, vectors, todo, keys, progress)
