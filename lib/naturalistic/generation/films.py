"""Protocol of generators of films, and the one class behind all adapters of diffusers.

::

    generator = generation.load("animatediff", device="cuda", strength=0.7)
    frames = generator.generate(vector, seed=1, film=blurry)     # (n_frames, height, width, 3) uint8

=============== ============================================== ====== ==================================================
name            model                                          dim    conditioned on
=============== ============================================== ====== ==================================================
animatediff     stable-diffusion-v1-5/stable-diffusion-v1-5    1,024  CLIP ViT-H/14 of a picture, a blurry film if given
svd             stabilityai/stable-video-diffusion-img2vid     1,024  CLIP ViT-H/14, and a first frame
kandinsky       kandinsky-community/kandinsky-2-2-decoder      1,280  CLIP ViT-bigG/14; one picture
stable-unclip   stabilityai/stable-diffusion-2-1-unclip        1,024  CLIP ViT-H/14; one picture
=============== ============================================== ====== ==================================================

The vectors are those of `features.video.load` with ``normalize=False`` and the CLIP that the model was trained with;
their length counts. ``load`` reads descriptions only: a vector of another size is refused before any weights are read,
which happens at the first film.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from tqdm import tqdm

from naturalistic.features.video.frames import check_films
from naturalistic.generation.diffusion_parts import quiet_diffusers
from naturalistic.generation.generator import check_embeddings


class FilmGenerator(Protocol):
    """Generates films from a vector of an embedding space.

    Attributes
    ----------
    name : str
    dim : int
        Size of the vectors that condition it.
    n_frames : int
    size : (height, width)
        Pixels.
    """

    name: str
    dim: int
    n_frames: int
    size: tuple[int, int]

    def generate(self, embedding: ArrayLike, seed: int, film: ArrayLike | None = None) -> NDArray[np.uint8]:
        """Return one film.

        Parameters
        ----------
        embedding : array (dim,)
        seed : int
            Another seed, another film.
        film : uint8 array (n, height, width, 3), optional
            What was decoded of the picture, such as `features.video.layout_frames`: of any length and size.

        Returns
        -------
        frames : uint8 array (n_frames, height, width, 3)
        """
        ...

    def generate_all(
        self, embeddings: ArrayLike, seeds: ArrayLike, films: ArrayLike | None = None, progress: bool = True
    ) -> NDArray[np.uint8]:
        """Return many films; film i depends on row i, seed i and film i alone.

        Parameters
        ----------
        embeddings : array (n, dim)
        seeds : sequence of int, n
        films : uint8 array (n, n_frames, height, width, 3), optional
        progress : bool
            Show a bar.

        Returns
        -------
        frames : uint8 array (n, n_frames, height, width, 3)
        """
        ...


@dataclass(frozen=True)
class DiffusionFilms:
    """A `FilmGenerator` with a pipeline of diffusers.

    Attributes
    ----------
    name : str
    dim, n_frames : int
    size : (height, width)
    open : callable
        Called once, at the first film: the pipeline.
    draw : callable
        Called with the pipeline, a vector (1, dim), a torch generator, the frames of a film at the generator's size
        (n_frames of them; None if no film was given), and states of tokens (or None): frames from 0 to 1, (n, height,
        width, 3).
    needs : {"nothing", "film"}
        Whether a film must be given.
    takes_film : bool
    text_shape : (n_tokens, width), optional
        Of states of tokens, where they are taken.
    """

    name: str
    dim: int
    n_frames: int
    size: tuple[int, int]
    open: Callable = field(repr=False)
    draw: Callable = field(repr=False)
    needs_film: bool = False
    takes_film: bool = False
    text_shape: tuple[int, int] | None = None

    @functools.cached_property
    def pipeline(self) -> Any:
        """Return the pipeline, loaded when it is first needed."""
        with torch.random.fork_rng(devices=[]):  # networks are filled with random numbers before they are read
            return self.open()

    def generate(
        self, embedding: ArrayLike, seed: int, film: ArrayLike | None = None, text: ArrayLike | None = None
    ) -> NDArray[np.uint8]:
        """Return one film; see `FilmGenerator.generate`.

        Parameters
        ----------
        embedding : array (dim,)
        seed : int
        film : uint8 array (n, height, width, 3), optional
        text : array (n_tokens, width), optional
            See `generate_all`.

        Returns
        -------
        frames : uint8 array (n_frames, height, width, 3)

        Raises
        ------
        TypeError, ValueError, RuntimeError
            See `generate_all`.
        """
        films = None if film is None else np.asarray(film)[None]
        texts = None if text is None else np.asarray(text)[None]
        return self.generate_all(np.asarray(embedding)[None], [seed], films, progress=False, texts=texts)[0]

    def generate_all(
        self,
        embeddings: ArrayLike,
        seeds: ArrayLike,
        films: ArrayLike | None = None,
        progress: bool = True,
        *,
        texts: ArrayLike | None = None,
    ) -> NDArray[np.uint8]:
        """Return many films; see `FilmGenerator.generate_all`.

        Parameters
        ----------
        embeddings : array (n, dim)
        seeds : sequence of int, n
        films : uint8 array (n, n_frames, height, width, 3), optional
        progress : bool
            Show a bar.
        texts : array (n, n_tokens, width), optional
            States of a sentence's tokens, decoded, in the place of the prompt (AnimateDiff: 77 x 768 of CLIP ViT-L/14).

        Returns
        -------
        frames : uint8 array (n, n_frames, height, width, 3)

        Raises
        ------
        TypeError, ValueError
            See `check_embeddings`; or if films or texts do not match, or films are missing where they are needed.
        RuntimeError
            If the picture is not finite.
        """
        vectors, seeds = check_embeddings(embeddings, self.dim, seeds, unit=False)
        given = self._check_films(films, len(vectors))
        states = self._check_texts(texts, len(vectors))
        frames = np.empty((len(vectors), self.n_frames, *self.size, 3), np.uint8)
        with tqdm(total=len(seeds), desc=self.name, unit="film", disable=not progress) as bar:
            for k, (vector, seed) in enumerate(zip(vectors, seeds)):
                film = None if given is None else given[k]
                frames[k] = self._run(vector, seed, film, None if states is None else states[k])
                bar.update()
        return frames

    def _check_films(self, films: Any, n: int) -> NDArray[np.uint8] | None:
        """Return the films that were given, if they are such as are taken."""
        if films is None:
            if self.needs_film:
                raise ValueError(
                    f"films: none given, and {self.name} begins from one: pass what was decoded of the picture, such "
                    "as features.video.layout_frames of a layout"
                )
            return None
        if not self.takes_film:
            raise ValueError(f"films: {self.name} takes none, it is conditioned on vectors alone")
        films, _ = check_films(films)
        if len(films) != n:
            raise ValueError(f"films: {len(films)} for {n} embeddings, expected one each")
        return films

    def _check_texts(self, texts: Any, n: int) -> NDArray[np.float32] | None:
        """Return the states of tokens that were given, if they are such as are taken."""
        if texts is None:
            return None
        if self.text_shape is None:
            raise ValueError(f"texts: {self.name} takes none")
        texts = np.asarray(texts, np.float32)
        if texts.shape != (n, *self.text_shape) or not np.isfinite(texts).all():
            raise ValueError(f"texts have shape {texts.shape}, expected {(n, *self.text_shape)}, finite")
        return texts

    @torch.inference_mode()
    def _run(self, vector: NDArray, seed: int, film: NDArray | None, text: NDArray | None) -> NDArray[np.uint8]:
        """Return one film; its noise comes from its own seed."""
        # on the CPU whatever the device: the same seed begins from the same noise everywhere
        noise = torch.Generator("cpu").manual_seed(seed)
        resized = None if film is None else _resize(film, self.n_frames, self.size)
        pipeline = self.pipeline
        with quiet_diffusers():
            drawn = self.draw(pipeline, torch.from_numpy(vector)[None], noise, resized, text)
        frames = np.asarray(drawn, np.float32)
        if not np.isfinite(frames).all():
            raise RuntimeError(
                f"{self.name} gave pictures that are not finite: load it with dtype='float32' if it ran in float16"
            )
        if len(frames) == 1:  # a picture is a film in which nothing moves
            frames = np.repeat(frames, self.n_frames, axis=0)
        return (255 * np.clip(frames, 0, 1)).round().astype(np.uint8)


def _resize(film: NDArray[np.uint8], n_frames: int, size: tuple[int, int]) -> list[Image.Image]:
    """Return a film at a generator's length and size: the frames at the middles of as many equal parts of it."""
    index = ((np.arange(n_frames) + 0.5) * len(film) / n_frames).astype(int)
    return [Image.fromarray(frame).resize(size[::-1], Image.Resampling.BICUBIC) for frame in film[index]]
