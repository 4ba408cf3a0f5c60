"""MusicGen: a language model of EnCodec's tokens, prompted with words (Copet et al. 2023, NeurIPS).

Stands for MusicLM. It takes words and no vectors: a decoded vector is put into words first, those of a list that have
the nearest vectors in the same joint space.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm
from transformers import MusicgenForConditionalGeneration

from naturalistic.features import audio, devices
from naturalistic.features.audio import checkpoint
from naturalistic.features.text.tokens import check_tokenizer
from naturalistic.generation import sources
from naturalistic.generation.generator import check_embeddings

if TYPE_CHECKING:
    from naturalistic.features.audio.embedder import Embedder

HUB = "facebook/musicgen-small"
_GUIDANCE = 3.0  # of the paper
# the prompt has the nearest of each kind
WORDS = {
    "mood": ("happy", "sad", "tender", "exciting", "angry", "scary"),
    "genre": ("blues", "classical", "country", "disco", "hip-hop", "jazz", "metal", "pop", "reggae", "rock",
              "electronic", "folk", "soul"),
    "instrument": ("acoustic guitar", "electric guitar", "piano", "violin", "strings", "trumpet", "saxophone", "flute",
                   "organ", "synthesizer", "accordion", "harp", "banjo"),
    "rhythm": ("slow tempo", "medium tempo", "fast tempo", "heavy drums", "no drums"),
}  # fmt: skip


def load(
    source: str | Path = HUB,
    name: str | None = None,
    device: str = "cpu",
    *,
    embedder: "str | Path | Embedder" = "clap",
    words: Sequence[str] | Mapping[str, Sequence[str]] | None = None,
    n_words: int = 3,
    guidance: float = _GUIDANCE,
    dtype: Literal["auto", "float32", "float16"] = "auto",
    revision: str | None = None,
) -> "MusicGen":
    """Return a generator with a `transformers.MusicgenForConditionalGeneration`.

    Parameters
    ----------
    source : str or Path
        Hub id or folder.
    name : str, optional
        Name of the generator; ``source`` by default.
    device : str
    embedder : str, Path or Embedder
        Joint model of the vectors that are decoded, for its text tower; by name as in `features.audio.load`.
    words : list of str, or dict of str to list of str
        Vocabulary of the prompt, tags or whole captions: the ``n_words`` nearest of a list, or the nearest of each kind
        of a dict. `WORDS` by default.
    n_words : int
    guidance : float
        Weight of the words against no words; 1 or less: the words alone.
    dtype : {"auto", "float32", "float16"}
        "auto": float16 autocast on a GPU, float32 elsewhere.
    revision : str, optional
        Branch, tag or commit on the hub.

    Returns
    -------
    generator : MusicGen

    Raises
    ------
    FileNotFoundError, ValueError
        See `generation.load`; or if the embedder has no text tower.
    """
    device = devices.check_device(device)
    number_format = devices.precision(device, dtype)
    words = _check_words(WORDS if words is None else words, n_words)
    if not np.isfinite(guidance):
        raise ValueError(f"guidance is {guidance!r}, expected a number")
    folder = sources.locate(source, revision, "musicgen")
    name = str(name or source)
    sources.check_kind(folder, name, "musicgen", "model_type 'musicgen' (MusicgenForConditionalGeneration)")
    tokenizer = checkpoint.tokenizer_of(folder, name)
    check_tokenizer(tokenizer, [text for listed in words.values() for text in listed])
    network = checkpoint.load_network(folder, MusicgenForConditionalGeneration, name, device)
    reader = audio.load(embedder, device) if not hasattr(embedder, "embed_text") else embedder
    kinds = {kind: reader.embed_text(list(listed)) for kind, listed in words.items()}
    counts = dict.fromkeys(words, 1) if len(words) > 1 or None not in words else {None: n_words}
    return MusicGen(name, network, tokenizer, words, kinds, counts, float(guidance), device, number_format)


@dataclass(frozen=True)
class MusicGen:
    """A `Generator` that puts a vector into words.

    Attributes
    ----------
    name : str
    network, tokenizer
        Of transformers.
    vocabulary : dict of str to tuple of str
        Words of the prompt, by kind.
    vectors : dict of str to array (n, dim)
        Vectors of the vocabulary.
    counts : dict of str to int
        Words of each kind in the prompt.
    guidance : float
    device, number_format : str
    """

    name: str
    network: Any = field(repr=False)
    tokenizer: Any = field(repr=False)
    vocabulary: dict = field(repr=False)
    vectors: dict = field(repr=False)
    counts: dict = field(repr=False)
    guidance: float = _GUIDANCE
    device: str = "cpu"
    number_format: str = "float32"

    @property
    def dim(self) -> int:
        """Return the size of the embedder's vectors."""
        return next(iter(self.vectors.values())).shape[1]

    @property
    def sample_rate(self) -> int:
        """Return the sample rate of the sound in Hz."""
        return int(self.network.config.audio_encoder.sampling_rate)

    def words(self, embedding: ArrayLike) -> str:
        """Return the prompt of a vector (dim,): the nearest words by cosine, with commas between them."""
        vector = check_embeddings(np.asarray(embedding)[None], self.dim, [0], 1)[0][0]
        nearest = []
        for kind, vectors in self.vectors.items():
            cosines = vectors @ vector / np.linalg.norm(vectors, axis=1)
            best = np.argsort(-cosines, kind="stable")[: self.counts[kind]]
            nearest += [self.vocabulary[kind][k] for k in best]
        return ", ".join(nearest)

    def generate(self, embedding: ArrayLike, seed: int, duration: float = 15.0) -> tuple[NDArray[np.float32], int]:
        """Return one piece of music; see `Generator.generate`.

        Parameters
        ----------
        embedding : array (dim,)
        seed : int
        duration : float
            s.

        Returns
        -------
        waveform : float32 array (n_samples,)
        sample_rate : int
            Hz.

        Raises
        ------
        ValueError
            See `generate_all`.
        """
        waveforms, sample_rate = self.generate_all(np.asarray(embedding)[None], [seed], duration, progress=False)
        return waveforms[0], sample_rate

    def generate_all(
        self, embeddings: ArrayLike, seeds: ArrayLike, duration: float = 15.0, progress: bool = True
    ) -> tuple[list[NDArray[np.float32]], int]:
        """Return many pieces of music; see `Generator.generate_all`.

        Parameters
        ----------
        embeddings : array (n, dim)
        seeds : sequence of int, n
        duration : float
            Length of each piece in s.
        progress : bool
            Show a bar.

        Returns
        -------
        waveforms : list of float32 array (n_samples,)
        sample_rate : int
            Hz.

        Raises
        ------
        ValueError
            See `check_embeddings`; or if the duration is more than the model has positions for.
        """
        vectors, seeds = check_embeddings(embeddings, self.dim, seeds, duration)
        # the codebooks follow each other by a token, and so end one after the other
        n_tokens = math.ceil(duration * self._frame_rate) + self.network.decoder.num_codebooks
        longest = self.network.config.decoder.max_position_embeddings
        if n_tokens > longest:
            raise ValueError(
                f"duration is {duration:g} s, expected at most "
                f"{(longest - self.network.decoder.num_codebooks) / self._frame_rate:g} s, for which {self.name} has "
                "positions"
            )
        pieces = tqdm(list(zip(vectors, seeds)), desc=self.name, unit="piece", disable=not progress)
        waveforms = [self._run(self.words(vector), seed, n_tokens, duration) for vector, seed in pieces]
        return waveforms, self.sample_rate

    @property
    def _frame_rate(self) -> float:
        """Return the number of tokens of a second."""
        return self.network.config.audio_encoder.frame_rate

    @torch.inference_mode()
    def _run(self, text: str, seed: int, n_tokens: int, duration: float) -> NDArray[np.float32]:
        """Return the waveform of a text; one by one, as transformers draws from the one generator of torch."""
        inputs = self.tokenizer([text], return_tensors="pt").to(self.device)
        gpus = [torch.device(self.device)] if torch.device(self.device).type == "cuda" else []
        with torch.random.fork_rng(devices=gpus), devices.running(self.device, self.number_format):
            torch.manual_seed(seed)
            sound = self.network.generate(
                input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], do_sample=True,
                guidance_scale=self.guidance if self.guidance > 1 else None, max_new_tokens=n_tokens,
            )  # fmt: skip
        waveform = sound[0].float().mean(dim=0).cpu().numpy()
        n_samples = round(duration * self.sample_rate)
        return np.pad(waveform[:n_samples], (0, max(0, n_samples - len(waveform))))


def _check_words(words: Sequence[str] | Mapping, n_words: int) -> dict:
    """Return the vocabulary by kind; a list is one kind without a name."""
    if not isinstance(words, Mapping):
        if isinstance(words, str):
            raise TypeError(f"words is the string {words!r}, expected a list of them, or a dict of lists")
        words = {None: words}
        if not 1 <= n_words <= len(words[None]):
            raise ValueError(f"n_words is {n_words}, expected from 1 to {len(words[None])}, the length of words")
    words = {kind: tuple(listed) for kind, listed in words.items()}
    if not words or not all(words.values()):
        raise ValueError("words is empty, or a kind of it, expected what can be said")
    return words
