"""Training of small models by name, and the cards of their held-out scores."""

import csv
import hashlib
import inspect
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from naturalistic.datasets import gtzan, music_genre
from naturalistic.datasets.music_genre import MusicGenre
from naturalistic.features.audio.acoustic import acoustic
from numpy.typing import NDArray

from naturalistic_simulation import truth
from naturalistic_simulation.folders import write_file
from naturalistic_simulation.models.embedders import load_mulan, load_ssl
from naturalistic_simulation.models.generator import EMBEDDER, embedder_hash
from naturalistic_simulation.training import composed, pieces
from naturalistic_simulation.training.composing import train_generator
from naturalistic_simulation.training.generated import generator_scores
from naturalistic_simulation.training.joint import train_joint
from naturalistic_simulation.training.loop import check_training
from naturalistic_simulation.training.masked import train_masked
from naturalistic_simulation.training.scores import clip_vectors, joint_scores, probe_scores

# name -> training, loading (of an embedder), description
TRAINABLE = {
    "mini-mulan": (train_joint, load_mulan, "joint embedding of simulated music and its captions; a small MuLan"),
    "mini-ssl": (train_masked, load_ssl, "frame states of simulated music, learned without words; a small w2v-BERT"),
    "mini-generator": (train_generator, None, "scores of simulated music, written from vectors of mini-mulan; a small "
                       "MusicLM"),
}  # fmt: skip
SIZES = ("n_pieces", "epochs")
LIMITS = (
    "Trained on simulated music alone: it knows the instruments and genres of naturalistic_simulation, and nothing "
    "else. Of no use for recorded music."
)


def train(name: str, path: Path | str, seed: int = 0, progress: bool = True, **size: int) -> dict:
    """Train a small model, and write its weights and its card.

    Its scores are measured on the 540 simulated clips.

    Parameters
    ----------
    name : {"mini-mulan", "mini-ssl", "mini-generator"}
    path : str or Path
        Of the weights; the card is beside them, with ``.json`` at its end.
    seed : int
        Of the pieces to train on, the first weights and the order of samples.
    progress : bool
    **size
        ``n_pieces`` and ``epochs``, where they are to differ from the model's own.

    Returns
    -------
    card : dict

    Raises
    ------
    ValueError
        Before the first piece is composed: if there is no such model, a size is below 1 or the seed below 0, ``path``
        cannot be written or is a folder, or a training that was interrupted there was another one.
    """
    if name not in TRAINABLE:
        raise ValueError(f"name is {name!r}, expected one of {', '.join(TRAINABLE)}")
    unknown = set(size) - set(SIZES)
    if unknown:
        raise ValueError(f"{sorted(unknown)[0]} is no size of a training, expected some of {', '.join(SIZES)}")
    fit, load, about = TRAINABLE[name]
    size = {key: p.default for key, p in inspect.signature(fit).parameters.items() if key in SIZES} | size
    request = check_training(path, seed=seed, **size)
    path = request.path
    seed = request.seed
    size = {key: getattr(request, key) for key in size}
    compose, seconds_to_compose = _music_for(load)
    compose(size["n_pieces"], seed, progress)
    start = time.perf_counter()
    losses = fit(path, seed=seed, progress=progress, **size)
    minutes = (seconds_to_compose(size["n_pieces"], seed) + time.perf_counter() - start) / 60
    options = "".join(f" --{key.removeprefix('n_')} {value}" for key, value in size.items())
    command = f"naturalistic train {name} --to FILE --seed {seed}{options}"
    card: dict = {"name": name, "about": about, "limits": LIMITS, "command": command}
    card |= {
        "size": size,
        "seed": seed,
        "minutes": round(minutes, 1),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    if load is None:
        card["embedder"] = {"name": EMBEDDER, "sha256": embedder_hash()}
    scores = measure(name, path) if load else measure_generator(path, size["n_pieces"], seed)
    card |= {"last_loss": losses[-1] if losses else None, "scores": scores}
    text = json.dumps(card, indent=1) + "\n"
    write_file(path.with_suffix(".json"), lambda part: part.write_text(text, encoding="utf-8"))
    return card


def _music_for(load: Callable | None) -> tuple[Callable, Callable[[int, int], float]]:
    """Return functions for the training music of a model, and for its seconds."""
    if load is None:
        return composed.training_scores, composed.seconds_to_compose
    return pieces.training_music, pieces.seconds_to_compose


def properties(experiment: MusicGenre, waveforms: Sequence[NDArray]) -> dict[str, NDArray]:
    """Return properties of simulated clips for probes.

    Low-level ones are measured, the others composed.

    Parameters
    ----------
    experiment : MusicGenre
        The simulated one.
    waveforms : list of array (n_samples,)
        Its clips, at `gtzan.SAMPLE_RATE`.

    Returns
    -------
    facts : dict of str to array (n_clips,)
    """
    described = acoustic(np.stack(waveforms), gtzan.SAMPLE_RATE)
    facts = truth.of_clips(experiment.folder, experiment.clips)
    return {
        "onset strength": described["onset"][:, 0],
        "brightness": described["spectral_mean"][:, 0],
        "pitch register": facts["register"],
        "onset rate": facts["onset_rate"],
        "mood": facts["mood"],
        "genre": facts["genre"],
    }


def measure(name: str, weights: Path | str | None = None) -> dict:
    """Return the scores of an embedder on the 540 simulated clips.

    It was trained on none of them.

    Parameters
    ----------
    name : str
        Of `TRAINABLE`.
    weights : str or Path, optional
        Those that come with the package by default.

    Returns
    -------
    scores : dict
    """
    experiment = music_genre.load("simulated")
    waveforms = [gtzan.load_clip(experiment.audio, clip) for clip in experiment.clips]
    folder = experiment.folder.parent
    facts = properties(experiment, waveforms)
    embedder = TRAINABLE[name][1](weights=weights)
    scores = {"probes": probe_scores(clip_vectors(embedder, waveforms, gtzan.SAMPLE_RATE), facts)}
    if embedder.has_text:
        with open(folder / "captions.csv", newline="", encoding="utf-8") as file:
            sentences = [row["caption"] for row in csv.DictReader(file)]
        scores |= joint_scores(embedder, waveforms, gtzan.SAMPLE_RATE, sentences, [c.genre for c in experiment.clips])
    return scores


def measure_generator(weights: Path | str, n_pieces: int, seed: int = 0) -> dict:
    """Return the scores of a generator on the 60 simulated test clips.

    It was trained on none of them, but on ``n_pieces`` pieces of the ``seed``.
    """
    experiment = music_genre.load("simulated")
    clips = [experiment.clips[k] for k in experiment.clip_indices("Test")]
    waveforms = [gtzan.load_clip(experiment.audio, clip) for clip in clips]
    return generator_scores(weights, waveforms, gtzan.SAMPLE_RATE, n_pieces, seed)
