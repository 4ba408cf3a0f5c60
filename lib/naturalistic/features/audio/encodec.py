"""EnCodec: codec latents averaged over a window (Défossez et al. 2022, arXiv 2210.13438).

Stands for SoundStream, whose weights are not public: 128 dimensions, windows of 1.5 s at 24 kHz, weights under MIT
(code) and CC BY-NC 4.0 (checkpoint).
"""

import functools
from pathlib import Path
from typing import Any, Literal

import torch
from numpy.typing import NDArray
from transformers import EncodecModel

from naturalistic.features import devices
from naturalistic.features.audio import checkpoint
from naturalistic.features.audio.embedder import Embedder

HUB = "facebook/encodec_24khz"


def load(
    source: str | Path = HUB,
    name: str | None = None,
    device: str = "cpu",
    batch_size: int | None = None,
    dtype: Literal["auto", "float32", "float16"] = "auto",
    *,
    window: float = 1.5,
    hop: float = 1.5,
    revision: str | None = None,
    bandwidth: float | None = None,
) -> Embedder:
    """Return an embedder of the encoder of a `transformers.EncodecModel`.

    Its 75 frames a second are averaged over the window.

    Parameters
    ----------
    source : str or Path
        Hub id or folder; a mono model.
    name : str, optional
        What to call it; ``source`` by default.
    device : str
    batch_size : int, optional
        4 windows on a CPU, 256 on a GPU by default.
    dtype : {"auto", "float32", "float16"}
    window, hop : float
        s.
    revision : str, optional
    bandwidth : float, optional
        kbit/s of the codec, such as 6: the sum of the vectors that the codebooks choose. By default the encoder's
        output before that, which loses nothing.

    Returns
    -------
    embedder : Embedder

    Raises
    ------
    FileNotFoundError, ValueError
        See `audio.load`; also if the model is a stereo one or lacks the bandwidth.
    """
    arguments = source, name, revision, device, dtype
    folder, name, device, number_format = checkpoint.prepare(*arguments, "encodec", "EncodecModel")
    network = checkpoint.load_network(folder, EncodecModel, name, device)
    config = _check_config(network.config, name, bandwidth)
    del network.decoder  # half of the weights, and not used here
    return Embedder(
        name,
        config.sampling_rate,
        window,
        hop,
        config.hidden_size,
        functools.partial(_hear, network, device, number_format, bandwidth),
        None,
        functools.partial(_identity, network, device, number_format, bandwidth),
        device,
        devices.batch(batch_size, device, 4, 256),
    )


def _check_config(config: Any, name: str, bandwidth: float | None) -> Any:
    """Return the configuration of a mono model that has the bandwidth."""
    if config.audio_channels != 1 or config.normalize:
        raise ValueError(
            f"{name!r} is an EnCodec of {config.audio_channels} channel(s), normalize={config.normalize}, expected a "
            f"mono one that does not normalize, such as {HUB}"
        )
    if bandwidth is not None and bandwidth not in config.target_bandwidths:
        known = ", ".join(map(str, config.target_bandwidths))
        raise ValueError(f"bandwidth is {bandwidth!r}, expected None or one of {known} kbit/s")
    return config


def _hear(network: Any, device: str, number_format: str, bandwidth: float | None, windows: NDArray) -> torch.Tensor:
    """Return the mean over frames."""
    sound = torch.from_numpy(windows)[:, None].to(device)
    with devices.running(device, number_format):
        frames = network.encoder(sound).float()
    if bandwidth is not None:
        frames = network.quantizer.decode(network.quantizer.encode(frames, bandwidth).to(device))
    return frames.mean(-1)


def _identity(network: Any, device: str, number_format: str, bandwidth: float | None) -> str:
    return checkpoint.digest(network, bandwidth, number_format, torch.device(device).type)
