"""MusicLDM: diffusion of a spectrogram from a vector of CLAP (Chen et al. 2024, MusicLDM, ICASSP).

Stands for MusicLM. The condition is CLAP's vector of a sentence, of length 1, and CLAP has one space for sentences and
music: a vector decoded from the brain takes the place of the sentence. It must be a vector of the checkpoint's own CLAP
(`extract_clap`): those of another CLAP have the same size and mean something else. The model was trained on pieces of
10 s; longer ones are generated in one go as well.

The sampling loop stands here, over the current network classes of diffusers and transformers: diffusers has the whole
pipeline in a folder of deprecated ones only. Each part is loaded and checked by itself: the pipeline's own loader fills
gaps in the weights with random numbers and a warning; here a gap is an error.
"""

import inspect
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm
from transformers import ClapModel, SpeechT5HifiGan

from naturalistic.features import devices
from naturalistic.features.audio import checkpoint
from naturalistic.generation import sources
from naturalistic.generation.diffusion_parts import import_diffusers, load_diffusion_network, load_scheduler
from naturalistic.generation.generator import check_embeddings

HUB = "ucsd-reach/musicldm"
_STEPS = 200  # of the published pipeline, as is the guidance
_GUIDANCE = 2.0
_FOLDERS = ("text_encoder", "tokenizer", "feature_extractor", "unet", "vae", "vocoder", "scheduler")
_CLAP_FOLDERS = ("feature_extractor", "tokenizer", "text_encoder")


def load(
    source: str | Path = HUB,
    name: str | None = None,
    device: str = "cpu",
    *,
    dtype: Literal["auto", "float32", "float16"] = "auto",
    steps: int = _STEPS,
    guidance: float = _GUIDANCE,
    batch_size: int | None = None,
    revision: str | None = None,
) -> "MusicLDM":
    """Return a generator from a checkpoint of MusicLDM, as diffusers' `save_pretrained` wrote it.

    Parameters
    ----------
    source : str or Path
        Hub id or folder.
    name : str, optional
        Name of the generator; ``source`` by default.
    device : str
    dtype : {"auto", "float32", "float16"}
        "auto": float16 on a GPU, float32 elsewhere.
    steps : int
        Steps of denoising.
    guidance : float
        Weight of the vector against the empty sentence; 1 or less: the vector alone.
    batch_size : int, optional
        Pieces side by side: 1 on a CPU, 8 on a GPU by default. Another one changes a piece by rounding only.
    revision : str, optional
        Branch, tag or commit on the hub.

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
    diffusers = import_diffusers("MusicLDM")
    folder = sources.locate(source, revision, "musicldm")
    name = str(name or source)
    sources.check_kind(folder, name, "MusicLDMPipeline", "MusicLDMPipeline")
    return MusicLDM(
        name=name,
        parts=_load_parts(diffusers, folder, name, device, getattr(torch, number_format)),
        steps=int(steps),
        guidance=float(guidance),
        batch_size=int(devices.batch(batch_size, device, 1, 8)),
        device=device,
    )


@dataclass(frozen=True)
class Parts:
    """Networks of a MusicLDM checkpoint, in evaluation mode.

    Attributes
    ----------
    text_encoder : transformers.ClapModel
    tokenizer : transformers.PreTrainedTokenizerBase
    unet : diffusers.UNet2DConditionModel
        Denoises the latents, conditioned on a vector of CLAP.
    vae : diffusers.AutoencoderKL
        Between latents and log-mel spectrograms.
    vocoder : transformers.SpeechT5HifiGan
        From log-mel spectrograms to sound.
    scheduler : diffusers scheduler
        Steps of denoising.
    """

    text_encoder: Any
    tokenizer: Any
    unet: Any
    vae: Any
    vocoder: Any
    scheduler: Any

    @property
    def latent_scale(self) -> int:
        """Return the size of a spectrogram relative to its latents, in either direction."""
        return 2 ** (len(self.vae.config.block_out_channels) - 1)


@dataclass(frozen=True)
class MusicLDM:
    """A `Generator` whose vectors are of CLAP.

    Attributes
    ----------
    name : str
    parts : Parts
    steps : int
    guidance : float
    batch_size : int
    device : str
    """

    name: str
    parts: Parts = field(repr=False)
    steps: int = _STEPS
    guidance: float = _GUIDANCE
    batch_size: int = 1
    device: str = "cpu"

    @property
    def dim(self) -> int:
        """Return the size of the vectors that condition it."""
        return int(self.parts.unet.config.projection_class_embeddings_input_dim)

    @property
    def sample_rate(self) -> int:
        """Return the sample rate of the sound in Hz."""
        return int(self.parts.vocoder.config.sampling_rate)

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
        ValueError, RuntimeError
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
            See `check_embeddings`; or if the duration is less than one row of the latents.
        RuntimeError
            If the sound is not finite.
        """
        vectors, seeds = check_embeddings(embeddings, self.dim, seeds, duration)
        shortest = self._frame_duration * self.parts.latent_scale
        if duration < shortest:
            raise ValueError(f"duration is {duration:g} s, expected {shortest:g} s or more")
        waveforms = []
        with tqdm(total=len(seeds), desc=self.name, unit="piece", disable=not progress) as bar:
            for first in range(0, len(seeds), self.batch_size):
                batch = slice(first, first + self.batch_size)
                waveforms += self._run(vectors[batch], seeds[batch], duration)
                bar.update(len(seeds[batch]))
        return waveforms, self.sample_rate

    @property
    def _frame_duration(self) -> float:
        """Return the duration of a frame of the spectrogram in s."""
        return float(np.prod(self.parts.vocoder.config.upsample_rates)) / self.sample_rate

    @torch.inference_mode()
    def _run(self, vectors: NDArray[np.float32], seeds: list[int], duration: float) -> list[NDArray[np.float32]]:
        """Return the waveforms of a batch; the noise of a piece comes from its own seed."""
        # on the CPU whatever the device: the same seed begins from the same noise everywhere
        generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
        condition = torch.from_numpy(vectors).to(self.device, self.parts.unet.dtype)
        latents = self._denoise(condition, generators, duration)
        vae = self.parts.vae
        spectrogram = vae.decode(1 / vae.config.scaling_factor * latents).sample
        sounds = self.parts.vocoder(spectrogram.squeeze(1)).cpu().float()
        waveforms = sounds[:, : int(duration * self.sample_rate)].numpy()
        if not np.isfinite(waveforms).all():
            raise RuntimeError(
                f"{self.name} gave sound that is not finite: load it with dtype='float32' if it ran in float16"
            )
        return list(waveforms)

    def _denoise(self, condition: torch.Tensor, generators: list[torch.Generator], duration: float) -> torch.Tensor:
        """Return the latents of a batch, from noise to the last step.

        With guidance each step predicts the noise twice, with the empty sentence and with the vectors, and goes beyond
        the second by the difference of both (Ho & Salimans 2022).
        """
        unet = self.parts.unet
        scheduler = self.parts.scheduler
        is_guided = self.guidance > 1
        if is_guided:
            empty = self._empty_sentence().to(condition).expand(len(condition), -1)
            condition = torch.cat([empty, condition])
        scheduler.set_timesteps(self.steps, device=self.device)
        latents = self._noise(generators, duration, condition.dtype)
        options = {"generator": generators} if "generator" in inspect.signature(scheduler.step).parameters else {}
        for timestep in scheduler.timesteps:
            inputs = torch.cat([latents] * 2) if is_guided else latents
            inputs = scheduler.scale_model_input(inputs, timestep)
            noise = unet(inputs, timestep, encoder_hidden_states=None, class_labels=condition, return_dict=False)[0]
            if is_guided:
                without, with_vector = noise.chunk(2)
                noise = without + self.guidance * (with_vector - without)
            latents = scheduler.step(noise, timestep, latents, **options).prev_sample
        return latents

    def _noise(self, generators: list[torch.Generator], duration: float, dtype: torch.dtype) -> torch.Tensor:
        """Return the first latents (n, channels, time, frequency): time is rounded up to whole rows."""
        scale = self.parts.latent_scale
        n_frames = int(duration / self._frame_duration)
        n_rows = int(np.ceil(n_frames / scale))
        n_bands = int(self.parts.vocoder.config.model_in_dim) // scale
        shape = (1, self.parts.unet.config.in_channels, n_rows, n_bands)
        noise = torch.cat([torch.randn(shape, generator=generator, dtype=dtype) for generator in generators])
        return noise.to(self.device) * self.parts.scheduler.init_noise_sigma

    def _empty_sentence(self) -> torch.Tensor:
        """Return CLAP's vector of the empty sentence (1, dim), from which guidance leads away."""
        inputs = self.parts.tokenizer([""], return_tensors="pt").to(self.device)
        ids = inputs["input_ids"]
        return self.parts.text_encoder.get_text_features(ids, attention_mask=inputs["attention_mask"]).pooler_output


def extract_clap(source: str | Path, folder: str | Path, revision: str | None = None) -> Path:
    """Write the CLAP of a checkpoint as a folder that `features.audio.load` loads: its vectors are the ones to decode.

    Parameters
    ----------
    source : str or Path
        Hub id or folder of the checkpoint.
    folder : str or Path
        Created; the weights are copied to it.
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
    source = sources.locate(source, revision, "musicldm")
    sources.check_kind(source, source, "MusicLDMPipeline", "MusicLDMPipeline")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for part in _CLAP_FOLDERS:
        shutil.copytree(source / part, folder, dirs_exist_ok=True)
    return folder


def _load_parts(diffusers: ModuleType, folder: Path, name: str, device: str, dtype: torch.dtype) -> Parts:
    """Return the parts of a checkpoint, or raise an error that names the one that is missing, damaged or misfit."""
    if missing := [part for part in _FOLDERS if not (folder / part).is_dir()]:
        raise FileNotFoundError(
            f"{name!r} lacks {', '.join(missing)} in {folder}, expected the folders {', '.join(_FOLDERS)}"
        )
    text_encoder = checkpoint.load_network(folder / "text_encoder", ClapModel, f"{name}/text_encoder", device)
    vocoder = checkpoint.load_network(folder / "vocoder", SpeechT5HifiGan, f"{name}/vocoder", device)
    parts = Parts(
        text_encoder=text_encoder.to(dtype),
        tokenizer=checkpoint.tokenizer_of(folder / "tokenizer", name),
        unet=load_diffusion_network(folder / "unet", diffusers.UNet2DConditionModel, f"{name}/unet", dtype).to(device),
        vae=load_diffusion_network(folder / "vae", diffusers.AutoencoderKL, f"{name}/vae", dtype).to(device),
        vocoder=vocoder.to(dtype),
        scheduler=load_scheduler(diffusers, folder / "scheduler", name),
    )
    clap_dim = parts.text_encoder.config.projection_dim
    unet_dim = parts.unet.config.projection_class_embeddings_input_dim
    if clap_dim != unet_dim:
        raise ValueError(
            f"{name!r}: its CLAP has {clap_dim} dimensions and its unet takes {unet_dim}: not one checkpoint"
        )
    n_bands = int(parts.vocoder.config.model_in_dim)
    if n_bands % parts.latent_scale:
        raise ValueError(
            f"{name!r}: its vocoder has {n_bands} bands, expected a multiple of {parts.latent_scale}, by which its vae "
            "shrinks them: not one checkpoint"
        )
    return parts
