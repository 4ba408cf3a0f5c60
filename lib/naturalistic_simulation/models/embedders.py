"""Small embedders of simulated music with their weights.

mini-mulan is a small MuLan (Huang et al. 2022): windows of 10 s and captions in one space. mini-ssl is a small w2v-BERT
(Chung et al. 2021): windows of 5 s, no text. Both were trained on simulated music (`training`): they know its
instruments and genres, and are of no use for other music. Their measured scores are in
``weights/<name>.json``.
"""

from collections.abc import Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from naturalistic.features.audio.checkpoint import digest
from naturalistic.features.audio.embedder import Embedder
from naturalistic.features.text.language_model import MINILM, load_model
from naturalistic.features.text.text_encoder import sentence_vectors
from naturalistic.features.weight_files import read_weights
from naturalistic.intact import read_json
from numpy.typing import NDArray

from naturalistic_simulation.models.mel import SAMPLE_RATE, log_mel
from naturalistic_simulation.models.networks import JointSound, JointText, MaskedSound


def load_mulan(
    device: str = "cpu",
    batch_size: int | None = None,
    dtype: str = "auto",
    window: float = 10.0,
    hop: float = 1.5,
    weights: Path | str | None = None,
) -> Embedder:
    """Return mini-mulan as an `Embedder`.

    Parameters
    ----------
    device : str
    batch_size : int, optional
    dtype : {"auto", "float32"}
        float32 either way: the models are small.
    window, hop : float
        s.
    weights : str or Path, optional
        Other weights, from ``naturalistic train mini-mulan --to FILE``.

    Returns
    -------
    embedder : Embedder
        Of 128 dimensions, with a text tower.

    Raises
    ------
    FileNotFoundError, ValueError
        On another ``dtype``, or weights that are not there, were cut short or are of another network.
    """
    _check_dtype(dtype)
    sound = JointSound()
    text = JointText()
    _fill({"sound": sound, "text": text}, weights or path_of("mini-mulan"), "mini-mulan")
    sound = sound.eval().to(device)
    text = text.eval().to(device)
    audio_tower = partial(_embed_sound, sound, device)
    text_tower = partial(_embed_text, text, device)
    return Embedder(
        name="mini-mulan", sample_rate=SAMPLE_RATE, window=window, hop=hop, dim=128, audio_tower=audio_tower,
        text_tower=text_tower, identity=lambda: digest(sound, digest(text), load_model(MINILM).digest), device=device,
        batch_size=batch_size or 64,
    )  # fmt: skip


def load_ssl(
    device: str = "cpu",
    batch_size: int | None = None,
    dtype: str = "auto",
    window: float = 5.0,
    hop: float = 1.5,
    layer: int = 4,
    weights: Path | str | None = None,
) -> Embedder:
    """Return mini-ssl as an `Embedder`: the mean of its states over a window.

    Parameters
    ----------
    device : str
    batch_size : int, optional
    dtype : {"auto", "float32"}
        float32 either way: the models are small.
    window, hop : float
        s.
    layer : int
        0 to 6. The fourth carries most of pitch register and onsets (chosen on pieces that are neither trained on
        nor among the 540 clips).
    weights : str or Path, optional
        Other weights, from ``naturalistic train mini-ssl --to FILE``.

    Returns
    -------
    embedder : Embedder
        Of 192 dimensions.

    Raises
    ------
    FileNotFoundError, ValueError
        On another ``dtype``, a layer that is not there, or weights that are not there, were cut short or are of
        another network.
    """
    _check_dtype(dtype)
    network = MaskedSound()
    _fill({"": network}, weights or path_of("mini-ssl"), "mini-ssl")
    network = network.eval().to(device)
    if layer not in range(len(network.blocks) + 2):
        raise ValueError(f"layer is {layer!r}, expected 0 to {len(network.blocks) + 1}")
    audio_tower = partial(_mean_states, network, device, layer)
    return Embedder(
        name="mini-ssl", sample_rate=SAMPLE_RATE, window=window, hop=hop, dim=len(network.first.norm.weight),
        audio_tower=audio_tower, identity=lambda: digest(network, layer), device=device, batch_size=batch_size or 64,
    )  # fmt: skip


def card(name: str) -> dict:
    """Return the card of a shipped model: its training and its scores."""
    return read_json(files("naturalistic_simulation.models") / "weights" / f"{name}.json", "install the package again")


def path_of(name: str) -> Path:
    """Return the file of a shipped model's weights."""
    return Path(str(files("naturalistic_simulation.models"))) / "weights" / f"{name}.safetensors"


def _check_dtype(dtype: str) -> None:
    if dtype not in ("auto", "float32"):
        raise ValueError(f"dtype is {dtype!r}, expected 'auto' or 'float32': the models are small")


def _embed_sound(sound: JointSound, device: str, windows: NDArray) -> torch.Tensor:
    return sound(log_mel(torch.from_numpy(np.asarray(windows)).to(device)))


def _embed_text(text: JointText, device: str, sentences: Sequence[str]) -> torch.Tensor:
    return text(torch.from_numpy(sentence_vectors(sentences)).to(device))


def _mean_states(network: MaskedSound, device: str, layer: int, windows: NDArray) -> torch.Tensor:
    frames = log_mel(torch.from_numpy(np.asarray(windows)).to(device))
    return network.states(frames, n_layers=layer + 1)[-1].mean(dim=1)  # higher layers would be of no use


def _fill(modules: dict[str, torch.nn.Module], path: Path | str, model: str) -> None:
    """Load weights (half precision on disk) into modules, by prefixes of names."""
    weights = {name: weight.float() for name, weight in read_weights(path, model).items()}
    for prefix, module in modules.items():
        selected = {
            name.removeprefix(f"{prefix}."): w
            for name, w in weights.items()
            if not prefix or name.startswith(f"{prefix}.")
        }
        try:
            module.load_state_dict(selected)
        except RuntimeError as error:
            raise ValueError(f"{path} holds no weights of {type(module).__name__}: {error}") from error
