"""MusicLDM: diffusion of a spectrogram from a vector of CLAP (Chen et al. 2024, MusicLDM, ICASSP).

Stands for MusicLM. What conditions it is CLAP's vector of a sentence, of length 1, and CLAP has one space for
sentences and music: a vector decoded from the brain takes the sentence's place. It must be a vector of the checkpoint's
own CLAP (`extract_clap`): those of another CLAP have the same size and mean something else. It was trained on pieces
of 10 s; longer ones are made in one go as well.
"""

import importlib
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from naturalistic.features import devices
from naturalistic.generation import sources
from naturalistic.generation.assembly import assemble
from naturalistic.generation.generator import check_embeddings

HUB = "ucsd-reach/musicldm"
STEPS, GUIDANCE = 200, 2.0  # of the pipeline


def load(
    source=HUB,
    name=None,
    device="cpu",
    *,
    dtype="auto",
    steps=STEPS,
    guidance=GUIDANCE,
    batch_size=None,
    revision=None,
):
    """Return a generator with the pipeline `diffusers.MusicLDMPipeline`.

    Parameters
    ----------
    source : str or Path
        Hub id or folder.
    name : str, optional
        What to call it; ``source`` by default.
    device : str
    dtype : {"auto", "float32", "float16"}
        "auto": float16 on a GPU, float32 elsewhere.
    steps : int
        Of denoising.
    guidance : float
        How much more the vector counts than the empty sentence; 1 or less: the vector alone.
    batch_size : int, optional
        Pieces side by side: 1 on a CPU, 8 on a GPU by default. Another one changes a piece by rounding only.
    revision : str, optional

    Returns
    -------
    generator : MusicLDM

    Raises
    ------
    ImportError
        If diffusers is not installed.
    FileNotFoundError, ValueError
        See `generation.load`.
    """
    device = devices.check_device(device)
    number_format = devices.precision(device, dtype)
    for option, value in (("steps", steps), ("batch_size", 1 if batch_size is None else batch_size)):
        if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 1:
            raise ValueError(f"{option} is {value!r}, expected a whole number, 1 or more")
    if not np.isfinite(guidance):
        raise ValueError(f"guidance is {guidance!r}, expected a number")
    diffusers = _diffusers()
    folder, name = sources.locate(source, revision, "musicldm"), str(name or source)
    sources.check_kind(folder, name, "MusicLDMPipeline", "MusicLDMPipeline")
    pipeline = assemble(diffusers, folder, name).to(device, getattr(torch, number_format))
    pipeline.set_progress_bar_config(disable=True)
    batch_size = devices.batch(batch_size, device, 1, 8)
    return MusicLDM(name, pipeline, int(steps), float(guidance), int(batch_size), device)


@dataclass(frozen=True)
class MusicLDM:
    """A `Generator` whose vectors are of CLAP.

    Attributes
    ----------
    name : str
    pipeline : diffusers.MusicLDMPipeline
    steps : int
    guidance : float
    batch_size : int
    device : str
    """

    name: str
    pipeline: Any = field(repr=False)
    steps: int = STEPS
    guidance: float = GUIDANCE
    batch_size: int = 1
    device: str = "cpu"

    @property
    def dim(self):
        """Of the vectors that condition it."""
        return int(self.pipeline.unet.config.projection_class_embeddings_input_dim)

    @property
    def sample_rate(self):
        """Hz."""
        return int(self.pipeline.vocoder.config.sampling_rate)

    def generate(self, embedding, seed, duration=15.0):
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
        ValueError, RuntimeError
            As of `generate_all`.
        """
        waveforms, sample_rate = self.generate_all(np.asarray(embedding)[None], [seed], duration, progress=False)
        return waveforms[0], sample_rate

    def generate_all(self, embeddings, seeds, duration=15.0, progress=True):
        """Return many pieces of music; see `Generator.generate_all`.

        Parameters
        ----------
        embeddings : array (n, dim)
        seeds : sequence of int
            One a row.
        duration : float
            s, of each piece.
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
            See `check_embeddings`; or if the duration is less than the pipeline can make.
        RuntimeError
            If what came is not finite.
        """
        embeddings, seeds = check_embeddings(embeddings, self.dim, seeds, duration)
        waveforms = []
        with tqdm(total=len(seeds), desc=self.name, unit="piece", disable=not progress) as bar:
            for first in range(0, len(seeds), self.batch_size):
                batch = slice(first, first + self.batch_size)
                waveforms += self._run(embeddings[batch], seeds[batch], duration)
                bar.update(len(seeds[batch]))
        return waveforms, self.sample_rate

    @torch.inference_mode()
    def _run(self, embeddings, seeds, duration):
        """Return the waveforms of a batch; a piece's noise comes from its own seed."""
        # on the CPU whatever the device: the same seed begins from the same noise everywhere
        noises = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
        nothing = None
        if self.guidance > 1:
            # the pipeline's own would come from get_text_features, which gives another type since transformers 5
            nothing = self._nothing().expand(len(seeds), -1)
        sounds = self.pipeline(
            prompt_embeds=torch.from_numpy(embeddings).to(self.device), negative_prompt_embeds=nothing,
            audio_length_in_s=duration, num_inference_steps=self.steps, guidance_scale=self.guidance, generator=noises,
        ).audios  # fmt: skip
        sounds = np.asarray(sounds, np.float32)
        if not np.isfinite(sounds).all():
            raise RuntimeError(
                f"{self.name} gave sound that is not finite: load it with dtype='float32' if it ran in float16"
            )
        return list(sounds)

    def _nothing(self):
        """Return CLAP's vector of the empty sentence (1, dim), from which guidance leads away."""
        inputs = self.pipeline.tokenizer([""], return_tensors="pt").to(self.device)
        ids, mask = inputs["input_ids"], inputs["attention_mask"]
        return self.pipeline.text_encoder.get_text_features(ids, attention_mask=mask).pooler_output


def extract_clap(source, folder, revision=None):
    """Write the CLAP of a checkpoint as a folder that `features.audio.load` loads: its vectors are the ones to decode.

    Parameters
    ----------
    source : str or Path
        Hub id or folder of the pipeline.
    folder : str or Path
        Made; the weights are copied to it.
    revision : str, optional
        Branch, tag or commit on the hub.

    Returns
    -------
    folder : Path

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such checkpoint, or it is of another class.
    """
    source, folder = sources.locate(source, revision, "musicldm"), Path(folder)
    sources.check_kind(source, source, "MusicLDMPipeline", "MusicLDMPipeline")
    folder.mkdir(parents=True, exist_ok=True)
    for part in ("feature_extractor", "tokenizer", "text_encoder"):
        shutil.copytree(source / part, folder, dirs_exist_ok=True)
    return folder


def _diffusers():
    try:
        return importlib.import_module("diffusers")
    except ImportError as error:
        raise ImportError(
            "MusicLDM needs diffusers, which is not installed: pip install 'naturalistic[generate]'"
        ) from error
