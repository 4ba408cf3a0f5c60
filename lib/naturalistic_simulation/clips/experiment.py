"""Simulated experiment with short films in the layout of BOLD Moments (ds005165).

``<folder>/ds005165`` is the data set with the films, ``<folder>/truth`` its ground truth. Films of the training set are
shown three times, those of the test set ten times. A corpus of other films lies beside them. The same seed gives the
same numbers.
"""

import json
import pickle
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from naturalistic.parameters import whole
from numpy.typing import NDArray
from tqdm import tqdm

from naturalistic_simulation.clips.brain import REGIONS, ClipBrain, film_drives
from naturalistic_simulation.clips.captions import annotate
from naturalistic_simulation.clips.render import render
from naturalistic_simulation.clips.world import LEFT_OUT, NAMES, PLACES, RATE, THINGS, draw_storyboards
from naturalistic_simulation.folders import recipe_of, write_whole

MAX_SUBJECTS = 10
FIRST_TEST = 1001  # number of the first test film, as published
BYTES_PER_FILM = 110_000
BYTES_PER_SUBJECT = 8_000_000
CHUNK = 100  # films rendered at once
README = """SIMULATED DATA. No brain was measured, and no one saw these films.

Written by naturalistic_simulation.clips (recipe {recipe}, seed {seed}, {n_subjects} subjects, {n_train} + {n_test}
films, {n_corpus} others): short films drawn by a program, the responses of simulated brains to them (ds005165/, in the
layout of OpenNeuro ds005165), and the ground truth (truth/). Films are in ds005165/stimuli: films.h5 those of the
experiment, corpus.h5 the others.
"""


def simulate_clips(
    folder: Path | str,
    seed: int = 5165,
    subjects: int = 5,
    n_train: int = 400,
    n_test: int = 60,
    n_corpus: int = 2000,
    progress: bool = True,
) -> Path:
    """Write the experiment with short films, unless the folder holds it already.

    Parameters
    ----------
    folder : str or Path
        Written whole or not at all.
    seed : int
    subjects : int
        How many: sub-01 to sub-0N, 10 at most.
    n_train, n_test, n_corpus : int
        Films, at most 1,000 to train.
    progress : bool
        Show progress bars.

    Returns
    -------
    folder : Path

    Raises
    ------
    ValueError, FileExistsError
        On a number out of range, or if the folder holds something else.
    RequestError
        If the folder cannot be written, or the disk has too little room.
    """
    seed = whole("seed", seed, 0, 999_999)
    subjects = whole("subjects", subjects, 1, MAX_SUBJECTS)
    n_train = whole("n_train", n_train, 16, FIRST_TEST - 1)
    n_test = whole("n_test", n_test, 8, 999)
    n_corpus = whole("n_corpus", n_corpus, 1, 99_999)
    sizes = {"n_train": n_train, "n_test": n_test, "n_corpus": n_corpus}
    sources = sorted(Path(__file__).parent.glob("*.py"))
    readme = README.format(recipe=recipe_of(sources), seed=seed, n_subjects=subjects, **sizes)
    n_bytes = (n_train + n_test + n_corpus) * BYTES_PER_FILM + subjects * BYTES_PER_SUBJECT

    def write(part: Path) -> None:
        _write(part, readme, seed, subjects, sizes, progress)

    return write_whole(folder, readme, n_bytes, write)


def film_table(seed: int, n_train: int, n_test: int, n_corpus: int) -> pd.DataFrame:
    """Return the films of an experiment: a row a film, with its name, its part, its plan and its storyboard.

    Parameters
    ----------
    seed, n_train, n_test, n_corpus : int

    Returns
    -------
    films : DataFrame
        ``name``, ``part`` ("train", "test", "corpus"), ``plan`` ("category" for the films of `world.LEFT_OUT`),
        ``grain`` of the textures, and the numbers of the storyboard; ``thing`` and ``place`` by name.
    """
    parts = []
    counts = {"train": (n_train, 1), "test": (n_test, FIRST_TEST), "corpus": (n_corpus, 1)}
    for k, (part, (n, first)) in enumerate(counts.items()):
        table = pd.DataFrame(draw_storyboards(n, np.random.default_rng([seed, k])), columns=list(NAMES))
        mark = "c" if part == "corpus" else ""
        table.insert(0, "name", [f"{mark}{number:04d}" for number in range(first, first + n)])
        table.insert(1, "part", part)
        table.insert(2, "grain", seed * 1_000_000 + k * 100_000 + np.arange(n))
        parts.append(table)
    films = pd.concat(parts, ignore_index=True)
    films["thing"] = [THINGS[int(code)] for code in films["thing"]]
    films["place"] = [PLACES[int(code)] for code in films["place"]]
    films.insert(2, "plan", np.where(films["thing"] == LEFT_OUT, "category", "all"))
    return films


def storyboards(films: pd.DataFrame) -> NDArray[np.float32]:
    """Return the storyboards of a table of films: (n_films, n_names).

    Parameters
    ----------
    films : DataFrame
        Of `film_table`.
    """
    numbers = films[list(NAMES)].copy()
    numbers["thing"] = [THINGS.index(thing) for thing in films["thing"]]
    numbers["place"] = [PLACES.index(place) for place in films["place"]]
    return numbers.to_numpy(np.float32)


def _write(folder: Path, readme: str, seed: int, subjects: int, sizes: dict[str, int], progress: bool) -> None:
    root = folder / "ds005165"
    films = film_table(seed, **sizes)
    labels = [f"{number:02d}" for number in range(1, subjects + 1)]
    _write_top(root, readme, labels)
    shown = films[films["part"] != "corpus"]
    frames = _write_films(root / "stimuli" / "films.h5", shown, "films", progress)
    _write_films(root / "stimuli" / "corpus.h5", films[films["part"] == "corpus"], "corpus", progress)
    _write_annotations(root, shown, seed)
    truth = folder / "truth"
    truth.mkdir()
    films.to_csv(truth / "films.tsv", sep="\t", index=False, float_format="%.6g", lineterminator="\n")
    plan = {region: shares for region, (_, shares) in REGIONS.items()}
    text = json.dumps({"left_out": LEFT_OUT, "things": THINGS, "places": PLACES, "shares": plan}, indent=1)
    (truth / "plan.json").write_text(text + "\n", encoding="utf-8")
    drives = film_drives(frames, storyboards(shown))
    parts = shown["part"].to_numpy()
    names = {part: [f"vid{name}" for name in shown["name"][parts == part]] for part in ("train", "test")}
    for number, label in enumerate(labels, 1):
        brain = ClipBrain(number, seed)
        known = _write_subject(root, label, brain, drives, parts, names)
        np.savez(truth / f"sub-{label}.npz", **known)
    (folder / "README").write_text(readme, encoding="utf-8")


def _write_top(root: Path, readme: str, labels: list[str]) -> None:
    root.mkdir()
    (root / "README").write_text(readme, encoding="utf-8")
    about = {
        "Name": "Simulated data in the layout of the BOLD Moments Dataset",
        "BIDSVersion": "v1.9.0",
        "License": "CC0",
        "Authors": ["simulated by naturalistic_simulation.clips"],
    }
    (root / "dataset_description.json").write_text(json.dumps(about, indent=4), encoding="utf-8")
    people = ["participant_id\tage\tsex", *(f"sub-{label}\tn/a\tn/a" for label in labels)]
    (root / "participants.tsv").write_text("\n".join(people) + "\n", encoding="utf-8")
    (root / "stimuli").mkdir()


def _write_films(path: Path, films: pd.DataFrame, what: str, progress: bool) -> NDArray[np.uint8]:
    """Render films into an HDF5 file, and return their frames."""
    boards = storyboards(films)
    grains = films["grain"].to_numpy()
    names = films["name"].tolist()
    rendered = []
    with h5py.File(path, "w") as file:
        for first in tqdm(range(0, len(films), CHUNK), desc=what, unit="chunk", delay=3, disable=not progress):
            rows = slice(first, first + CHUNK)
            rendered.append(render(boards[rows], grains[rows]))
            for name, frames in zip(names[rows], rendered[-1]):
                file.create_dataset(name, data=frames, chunks=frames.shape, compression="gzip", compression_opts=1)
                file[name].attrs["rate"] = RATE
    return np.concatenate(rendered)


def _write_annotations(root: Path, films: pd.DataFrame, seed: int) -> None:
    boards = storyboards(films)
    annotations = {}
    for k, (name, part) in enumerate(zip(films["name"], films["part"])):
        annotations[name] = annotate(boards[k : k + 1], seed, name, part)
    folder = root / "derivatives" / "stimuli_metadata"
    folder.mkdir(parents=True)
    (folder / "annotations.json").write_text(json.dumps(annotations, indent=1) + "\n", encoding="utf-8")


def _write_subject(
    root: Path,
    label: str,
    brain: ClipBrain,
    drives: dict[str, NDArray],
    parts: NDArray,
    names: dict[str, list[str]],
) -> dict[str, NDArray]:
    """Write the packs of a subject, and return its ground truth."""
    folder = root / "derivatives" / "versionB" / "MNI152" / "prepared_allvoxel_pkl" / f"sub-{label}"
    folder.mkdir(parents=True)
    known: dict[str, NDArray] = {}
    for pack in brain.packs:
        signals = brain.signals(pack, drives)
        content: dict[str, object] = {"roi_indices": brain.voxel_indices(pack)}
        for part in ("train", "test"):
            betas, explainable = brain.respond(pack, signals[parts == part], part)
            content[f"{part}_data_allvoxel"] = betas
            content[f"{part}_stim_order"] = names[part]
        known[f"explainable {pack}"] = explainable
        known[f"coordinates {pack}"] = brain.coordinates[pack]
        with open(folder / f"sub-{label}_roi-{pack}_betas_normalized.pkl", "wb") as file:
            pickle.dump(content, file, protocol=4)
    return known
