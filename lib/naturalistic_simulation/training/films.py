"""Training of the small models of simulated films: film and text, a classifier, the storyboard's flow.

Each has films of its own, by its seed; none of them is in the experiment or its corpus.
"""

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from naturalistic.decoding.films import film_features, target_space
from numpy.typing import NDArray
from torch.nn import functional
from tqdm import tqdm

from naturalistic_simulation.clips.captions import captions
from naturalistic_simulation.clips.render import render
from naturalistic_simulation.clips.world import draw_storyboards, to_numbers
from naturalistic_simulation.folders import write_file
from naturalistic_simulation.models.film_classifier import JUDGED, FrameClassifier, load_film_classifier
from naturalistic_simulation.models.film_models import (
    FilmTextModel,
    load_film_text,
    load_storyboards,
    vocabulary,
    word_codes,
)
from naturalistic_simulation.models.film_networks import (
    FRAMES,
    N_CONDITIONS,
    SPACES,
    FilmText,
    StoryboardFlow,
    to_pictures,
)
from naturalistic_simulation.training.loop import check_training, fit

CHUNK = 100  # films rendered at once
# grains and seeds of the films of each model: apart from each other and from those of experiments (below 10**12)
OWN = {"film-text": 2 * 10**12, "film-classifier": 3 * 10**12, "storyboards": 4 * 10**12, "scores": 5 * 10**12}
N_SCORED = 600


def training_films(
    model: str, n: int, seed: int, frames: tuple[int, ...] | None, progress: bool = True
) -> tuple[NDArray, NDArray]:
    """Return storyboards and films to train a model on.

    Parameters
    ----------
    model : {"film-text", "film-classifier", "storyboards", "scores"}
    n, seed : int
    frames : tuple of int, optional
        Frames that are kept; all by default.
    progress : bool

    Returns
    -------
    boards : array (n, n_names)
    films : uint8 array (n, n_frames, SIZE, SIZE, 3)
    """
    first = OWN[model] + seed * 10**9
    boards = draw_storyboards(n, np.random.default_rng([OWN[model], seed]))
    kept = slice(None) if frames is None else list(frames)
    films = []
    for start in tqdm(range(0, n, CHUNK), desc=f"films of {model}", unit="chunk", delay=3, disable=not progress):
        rows = np.arange(start, min(start + CHUNK, n))
        films.append(render(boards[rows], first + rows)[:, kept])
    return boards, np.concatenate(films)


def train_film_text(
    path: Path | str,
    n_pieces: int = 4000,
    epochs: int = 20,
    seed: int = 0,
    batch_size: int = 100,
    progress: bool = True,
) -> list[float]:
    """Train the joint model of films and sentences, write its weights, and return the loss of each epoch.

    Parameters
    ----------
    path : str or Path
        Of the safetensors file.
    n_pieces, epochs, seed, batch_size : int
        ``n_pieces`` films.
    progress : bool
    """
    request = check_training(path, n_pieces=n_pieces, epochs=epochs, seed=seed, batch_size=batch_size)
    boards, films = training_films("film-text", n_pieces, seed, FRAMES, progress)
    sentences = captions(boards, np.random.default_rng([OWN["film-text"], seed, 1]))
    codes = np.stack([word_codes(of_film) for of_film in sentences])
    labels = torch.from_numpy(boards[:, :2].astype(np.int64))
    torch.manual_seed(seed)
    module = FilmText(len(vocabulary()) + 1)

    def loss_of(indices: NDArray, rng: np.random.Generator) -> torch.Tensor:
        wording = rng.integers(codes.shape[1], size=len(indices))
        return module(to_pictures(films[indices]), torch.from_numpy(codes[indices, wording]), labels[indices])

    return fit(module, loss_of, request, rate=2e-3, decay=0.02, progress=progress)


def train_film_classifier(
    path: Path | str,
    n_pieces: int = 2000,
    epochs: int = 18,
    seed: int = 0,
    batch_size: int = 25,
    progress: bool = True,
) -> list[float]:
    """Train the classifier of thing and place, write its weights, and return the loss of each epoch.

    Parameters
    ----------
    path : str or Path
        Of the safetensors file.
    n_pieces, epochs, seed, batch_size : int
        ``n_pieces`` films; of each one frame, drawn at random, is in an epoch.
    progress : bool
    """
    request = check_training(path, n_pieces=n_pieces, epochs=epochs, seed=seed, batch_size=batch_size)
    boards, films = training_films("film-classifier", n_pieces, seed, JUDGED, progress)
    classes = torch.from_numpy(boards[:, :2].astype(np.int64))
    torch.manual_seed(seed)
    module = FrameClassifier()

    def loss_of(indices: NDArray, rng: np.random.Generator) -> torch.Tensor:
        shown = films[indices, rng.integers(len(JUDGED), size=len(indices))]
        # what it is depends neither on the side nor on where it is
        shown = shown[:, :, ::-1] if rng.random() < 0.5 else shown
        shown = np.roll(shown, rng.integers(-6, 7, 2).tolist(), axis=(1, 2))
        things, places = module(to_pictures(shown[:, None]))
        known = classes[indices]
        return functional.cross_entropy(things, known[:, 0]) + functional.cross_entropy(places, known[:, 1])

    return fit(module, loss_of, request, rate=3e-3, decay=0.02, progress=progress)


def train_storyboards(
    path: Path | str,
    n_pieces: int = 2500,
    epochs: int = 50,
    seed: int = 0,
    batch_size: int = 250,
    progress: bool = True,
) -> list[float]:
    """Train the flow from noise to storyboards, write its weights and targets, and return the loss of each epoch.

    Its conditions are simulated: the targets of a film, seen through a decoder whose reliability is drawn at random for
    each space and dimension, and that reliability.

    Parameters
    ----------
    path : str or Path
        Of the safetensors file.
    n_pieces, epochs, seed, batch_size : int
        ``n_pieces`` films.
    progress : bool
    """
    request = check_training(path, n_pieces=n_pieces, epochs=epochs, seed=seed, batch_size=batch_size)
    boards, films = training_films("storyboards", n_pieces, seed, None, progress)
    spaces = {}
    targets = []
    for name, features in film_features(films, load_film_text(), progress=progress).items():
        spaces[name] = target_space(features, SPACES[name])
        targets.append(spaces[name].transform(features))
    known = torch.from_numpy(np.concatenate(targets, axis=1))
    numbers = torch.from_numpy(to_numbers(boards))
    torch.manual_seed(seed)
    module = StoryboardFlow()
    module.keep_targets(spaces)

    def loss_of(indices: NDArray, rng: np.random.Generator) -> torch.Tensor:
        true = numbers[indices]
        conditions = torch.from_numpy(simulated_conditions(known[indices].numpy(), rng))
        noise = torch.from_numpy(rng.standard_normal(true.shape).astype(np.float32))
        now = torch.from_numpy(rng.uniform(0, 1, len(true)).astype(np.float32))
        between = (1 - now[:, None]) * noise + now[:, None] * true
        return ((module(between, now, conditions) - (true - noise)) ** 2).mean()

    return fit(module, loss_of, request, rate=1e-3, decay=0.0, progress=progress)


def simulated_conditions(targets: NDArray, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return targets as a calibrated decoder would give them, beside its errors: (n_films, 2 * N_CONDITIONS).

    Parameters
    ----------
    targets : array (n_films, N_CONDITIONS)
        Of standard deviation 1.
    rng : Generator
    """
    n = len(targets)
    of_space = np.repeat(rng.uniform(0, 1, (n, len(SPACES))), list(SPACES.values()), axis=1)
    # what is reliable is so in the first components more than in the last, and somewhat by chance
    falling = np.concatenate([np.linspace(1.2, 0.3, size) for size in SPACES.values()])
    share = np.clip(of_space * falling * rng.uniform(0.5, 1.4, (n, N_CONDITIONS)), 0, 0.99)
    share[rng.uniform(0, 1, n) < 0.05] = 0  # nothing was read
    noise = rng.standard_normal((n, N_CONDITIONS))
    decoded = share * targets + np.sqrt(share * (1 - share)) * noise
    return np.concatenate([decoded, np.sqrt(1 - share)], axis=1).astype(np.float32)


TRAINABLE: dict[str, tuple[Callable[..., list[float]], str]] = {
    "film-text": (train_film_text, "joint embedding of simulated films and sentences; a small CLIP"),
    "film-classifier": (
        train_film_classifier,
        "thing and place of a simulated film; it has no part in decoding or generating",
    ),
    "storyboards": (train_storyboards, "storyboards of simulated films from decoded targets and their errors"),
}
LIMITS = "Trained on simulated films alone: it knows their things and places, and nothing else. Of no use for others."


def write_card(name: str, path: Path, losses: list[float], seed: int, size: dict[str, int], minutes: float) -> dict:
    """Write the card of a small model beside its weights, with scores on films that it was not trained on.

    Parameters
    ----------
    name : str
        Of `TRAINABLE`.
    path : Path
        Of the weights.
    losses : list of float
    seed : int
    size : dict of str to int
    minutes : float

    Returns
    -------
    card : dict
    """
    options = "".join(f" --{key.removeprefix('n_')} {value}" for key, value in size.items())
    card = {
        "name": name,
        "about": TRAINABLE[name][1],
        "limits": LIMITS,
        "command": f"naturalistic train {name} --to FILE --seed {seed}{options}",
        "size": size,
        "seed": seed,
        "minutes": round(minutes, 1),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "last_loss": losses[-1] if losses else None,
        "scores": film_scores(name, path),
    }
    text = json.dumps(card, indent=1) + "\n"
    write_file(path.with_suffix(".json"), lambda part: part.write_text(text, encoding="utf-8"))
    return card


def train(name: str, path: Path | str, seed: int = 0, progress: bool = True, **size: int) -> dict:
    """Train a small model of films, and write its weights and its card.

    Parameters
    ----------
    name : str
        Of `TRAINABLE`.
    path : str or Path
        Of the weights; the card is beside them, with ``.json`` at its end.
    seed : int
    progress : bool
    **size
        ``n_pieces`` (films) and ``epochs``, where they are to differ from the model's own.

    Returns
    -------
    card : dict

    Raises
    ------
    ValueError
        Before the first film is drawn, as `cards.train`.
    """
    function = TRAINABLE[name][0]
    defaults = dict(zip(("n_pieces", "epochs"), function.__defaults__ or ()))
    sizes = {**defaults, **size}
    start = time.process_time()
    losses = function(path, seed=seed, progress=progress, **sizes)
    return write_card(name, Path(path), losses, seed, sizes, (time.process_time() - start) / 60)


def film_scores(name: str, path: Path) -> dict[str, float]:
    """Return the scores of a small model on films of their own seed.

    Parameters
    ----------
    name : str
        Of `TRAINABLE`.
    path : Path
        Of the weights.
    """
    boards, films = training_films("scores", N_SCORED, 0, None, progress=False)
    if name == "film-text":
        return _text_scores(load_film_text(path), boards, films)
    if name == "film-classifier":
        judge = load_film_classifier(path)
        right = judge.classify(films) == boards[:, :2].astype(int)
        return {"n_films": N_SCORED, "things": float(right[:, 0].mean()), "places": float(right[:, 1].mean()),
                "both": float(right.all(axis=1).mean())}  # fmt: skip
    generator = load_storyboards(path)
    targets = generator.targets_of(films[:200])
    conditions = generator.condition(targets, np.full(N_CONDITIONS, 0.1))
    drawn = generator.draw(conditions, np.arange(200))
    right = drawn[:, :2].astype(int) == boards[:200, :2].astype(int)
    return {"n_films": 200, "things_from_true_targets": float(right[:, 0].mean()),
            "places_from_true_targets": float(right[:, 1].mean())}  # fmt: skip


def _text_scores(model: FilmTextModel, boards: NDArray, films: NDArray) -> dict[str, float]:
    sentences = [of_film[0] for of_film in captions(boards, np.random.default_rng(1), n=1)]
    vectors = model.embed(films)
    similarity = model.embed_text(sentences) @ vectors.T
    rank = (similarity > np.diag(similarity)[:, None]).sum(axis=1) + 1
    scores: dict[str, float] = {"n_films": len(films), "sentence_to_film_median_rank": float(np.median(rank))}
    half = len(films) // 2
    for k, kind in enumerate(("thing", "place")):
        means = np.stack([vectors[:half][boards[:half, k] == c].mean(axis=0) for c in np.unique(boards[:, k])])
        nearest = np.unique(boards[:, k])[np.argmax(vectors[half:] @ means.T, axis=1)]
        scores[f"{kind}_by_nearest_mean"] = float(np.mean(nearest == boards[half:, k]))
    return scores
