"""Registry of embedders of music and other sound: by name, hub id or folder.

::

    embedder = audio.load("clap", device="cuda")
    vectors = embedder.embed(waveforms, 22050)      # (n_clips, n_windows, dim)
    targets = embedder.embed_text(captions)         # (n_captions, dim), of a joint model

========== =============================== ============ ====== ======== ===================
name       model                           stands for   dim    window   windows per 15 s
========== =============================== ============ ====== ======== ===================
clap       laion/larger_clap_music         MuLan        512    10 s     4
muq-mulan  OpenMuQ/MuQ-MuLan-large         MuLan        512    10 s     4
w2v-bert   facebook/w2v-bert-2.0           w2v-BERT     1,024  5 s      7
encodec    facebook/encodec_24khz          SoundStream  128    1.5 s    10
ast        MIT/ast-finetuned-audioset-...  itself       768    10 s     4
mini-mulan comes with the package          MuLan        128    10 s     4
mini-ssl   comes with the package          w2v-BERT     192    5 s      7
========== =============================== ============ ====== ======== ===================
"""

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from naturalistic import simulated
from naturalistic.features import devices
from naturalistic.features.audio import checkpoint
from naturalistic.features.audio.embedder import Embedder

__all__ = ["MODELS", "Embedder", "Entry", "load"]


@dataclass(frozen=True)
class Entry:
    """A model that can be loaded by a short name.

    Attributes
    ----------
    loader : str
        ``"module:function"``, imported when first asked for.
    model_type : str, optional
        Of the checkpoints that it loads; without one it is a model that comes with the package.
    """

    loader: str
    model_type: str | None = None


MODELS = {
    "mini-mulan": Entry(simulated.MODELS["mini-mulan"]),
    "mini-ssl": Entry(simulated.MODELS["mini-ssl"]),
    "clap": Entry("naturalistic.features.audio.clap:load", "clap"),
    "muq-mulan": Entry("naturalistic.features.audio.muq:load", "muq-mulan"),
    "w2v-bert": Entry("naturalistic.features.audio.wav2vec:load", "wav2vec2-bert"),
    "encodec": Entry("naturalistic.features.audio.encodec:load", "encodec"),
    "ast": Entry("naturalistic.features.audio.spectrogram_transformer:load", "audio-spectrogram-transformer"),
}


def load(
    name: str | Path,
    device: str = "cpu",
    batch_size: int | None = None,
    dtype: Literal["auto", "float32", "float16"] | None = None,
    *,
    window: float | None = None,
    hop: float | None = None,
    revision: str | None = None,
    **options: Any,
) -> Embedder:
    """Return the embedder of that name.

    Parameters
    ----------
    name : str or Path
        A short name of `MODELS`, a hub id, or a folder, known by the ``config.json`` in it (``"./clap"`` for a folder
        that has a short name).
    device : str
        "cpu", "cuda".
    batch_size : int, optional
        Windows of one pass; the vectors do not depend on it. On a CPU a single window keeps it busy already, and larger
        batches win nothing; a GPU wants many, which is its default.
    dtype : {"auto", "float32", "float16"}, optional
        "auto" (the default): float16 autocast on a GPU, float32 elsewhere.
    window, hop : float, optional
        s; the model's own window and 1.5 s by default.
    revision : str, optional
        Branch, tag or commit on the hub.
    **options
        Of the model: ``normalize`` (clap), ``layer`` (w2v-bert, ast), ``bandwidth`` (encodec).

    Returns
    -------
    embedder : Embedder
        ``embed(waveforms, sample_rate)``, ``embed_text(sentences)`` where ``has_text``; ``sample_rate``, ``window``,
        ``hop``, ``dim``.

    Raises
    ------
    FileNotFoundError
        If there is no such model, or no network to fetch it; naming the files and the command to fetch them.
    ValueError
        If the checkpoint is of another class or lacks parameters, or an option is unknown or has no such value.
    ImportError
        If the model needs an extra that is not installed.
    """
    device = devices.check_device(device)
    entry = MODELS.get(str(name))
    sources = {}
    if entry is None:
        folder = checkpoint.locate(name, revision)
        entry = _recognize(folder, name)
        sources = {"source": folder}
    loader = simulated.find_loader(entry.loader)
    keywords = {"batch_size": batch_size, "dtype": dtype, "window": window, "hop": hop, "revision": revision}
    options |= {key: value for key, value in keywords.items() if value is not None}
    taken = [key for key in inspect.signature(loader).parameters if key not in ("source", "name", "device")]
    if unknown := sorted(set(options) - set(taken)):
        raise ValueError(f"{', '.join(unknown)}: no option of {str(name)!r}, expected one of {', '.join(taken)}")
    if entry.model_type:
        sources["name"] = str(name)
    return loader(**sources, device=device, **options)


def _recognize(folder: str | Path, name: str | Path) -> Entry:
    """Return the entry that loads a checkpoint."""
    model_type, description = checkpoint.kind(Path(folder))
    for entry in MODELS.values():
        if entry.model_type and entry.model_type == model_type:
            return entry
    known = ", ".join(f"{entry.model_type!r} ({short})" for short, entry in MODELS.items() if entry.model_type)
    raise ValueError(f"{str(name)!r} is {description}, expected a model_type of {known}")
