"""Simulated movie experiment in the layout of ds005531.

``<folder>/ds005531`` is the data set, ``<folder>/truth`` its ground truth. Each drama is a title of two runs. The
second begins with the last 20 s of the first, as in the real data, and is shown twice: it tests. The same seed and the
same embedding give the same bytes.
"""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import joblib
import numpy as np
from naturalistic.anatomy import regions
from naturalistic.parameters import check_jobs, whole
from numpy.typing import ArrayLike, NDArray

from naturalistic_simulation.folders import recipe_of, write_whole
from naturalistic_simulation.movie import files, scanner
from naturalistic_simulation.movie.cortex import LAYERS, NAMES, PLAN, SOUND_AND_LIGHT, TR, MovieBrain, drives_of
from naturalistic_simulation.movie.screenplay import DRAMAS, OVERLAP, films, read_drama
from naturalistic_simulation.music.experiment import in_parallel

MAX_SUBJECTS = 6
# at most, measured
BYTES_PER_RUN = 3_500_000
BYTES_PER_SUBJECT = 3_000_000
BYTES_OF_TEXT = 10_000_000
# one simulated data set is told from another by this text; the recipe changes with the code and the dramas
README = """SIMULATED DATA. No brain was measured, and no one saw this film.

Written by naturalistic_simulation.movie (recipe {recipe}, seed {seed}, {n_subjects} subjects, {dramas}; responses
through {embed_name}): three short dramas as text, second by second, the responses of simulated brains to them
(ds005531/, in the layout of OpenNeuro ds005531), and the ground truth (truth/). The volumes are as preprocessed ones,
on a grid of 8 mm whose affine leads to MNI152 mm. runs.tsv says what each run shows; the last run of a title repeats
its second. Tables of features beside the annotations, which the real data lack, say how bright and loud each second
is, where it is cut, and how many words are spoken in it.
"""


def simulate_movie(
    folder: Path | str,
    seed: int = 5531,
    subjects: int = 6,
    *,
    embed: Callable[[list[str], int], ArrayLike],
    embed_name: str,
    dramas: Sequence[Path | str] = DRAMAS,
    n_jobs: int | None = None,
    progress: bool = True,
) -> Path:
    """Write the movie experiment, unless the folder holds it already.

    An experiment of an older recipe is replaced.

    Parameters
    ----------
    folder : str or Path
        Written whole or not at all.
    seed : int
    subjects : int
        How many: sub-S01 to sub-S0N, 6 at most.
    embed : callable
        ``embed(texts, layer) -> (n_texts, n_dims)``: the features of texts at a hidden state of a language model,
        `LAYERS` says which ones. It is called in this process only.
    embed_name : str
        Name of the model; another one is another data set.
    dramas : sequence of str
        Some of `DRAMAS`, or JSON files.
    n_jobs : int, optional
        Processes; as many as there are cores by default. The bytes do not depend on it.
    progress : bool
        Show progress bars.

    Returns
    -------
    folder : Path

    Raises
    ------
    ValueError, FileExistsError, FileNotFoundError
        On a number out of range, a drama that is not as it should be, or if the folder holds something else.
    RequestError
        If the folder cannot be written, or the disk has too little room.
    """
    seed = whole("seed", seed, 0, 999_999)
    subjects = whole("subjects", subjects, 1, MAX_SUBJECTS)
    n_jobs = check_jobs(n_jobs)
    stories = _read(dramas)
    embed_name = " ".join(str(embed_name).split())
    about = {"seed": seed, "n_subjects": subjects, "dramas": ", ".join(stories), "embed_name": embed_name}
    readme = README.format(recipe=recipe(stories), **about)
    n_runs = sum(len(drama["runs"]) + 1 for drama in stories.values())
    n_bytes = subjects * (n_runs * BYTES_PER_RUN + BYTES_PER_SUBJECT) + BYTES_OF_TEXT

    def write(part: Path) -> None:
        with joblib.parallel_config("loky", n_jobs=n_jobs or joblib.cpu_count(), inner_max_num_threads=1):
            _write(part, readme, stories, seed, subjects, embed, progress)

    return write_whole(folder, readme, n_bytes, write)


def recipe(stories: dict[str, dict]) -> str:
    """Return a short hash of the code and the dramas."""
    here = Path(__file__).parent
    sources = [*sorted(here.glob("*.py")), *sorted((here.parent / "brain").glob("*.py")), Path(regions.__file__)]
    return recipe_of(sources, json.dumps(stories, sort_keys=True).encode())


def run_table(stories: dict[str, dict]) -> list[dict]:
    """Return the rows of ``runs.tsv``, one a run.

    The last run of a title repeats the one before it.

    Parameters
    ----------
    stories : dict of str to dict
        Dramas by title.
    """
    table = []
    for fold, (title, drama) in enumerate(stories.items()):
        n = len(drama["runs"])
        for number in range(1, n + 2):
            shown = min(number, n)
            table.append(
                {
                    "run": f"{title}_run-{number:02d}",
                    "title": title,
                    "episode": title,
                    "n_seconds": len(films(drama)[shown - 1]),
                    "n_overlap": OVERLAP if shown > 1 else 0,
                    "split": "Test" if shown == n else "Training",
                    "fold": fold,
                    "repeat_of": f"{title}_run-{n:02d}" if number > n else "n/a",
                }
            )
    return table


def _read(dramas: Sequence[Path | str]) -> dict[str, dict]:
    """Return dramas by title, which is a part of file names."""
    if isinstance(dramas, (str, Path)) or not len(dramas):
        raise ValueError(f"dramas is {dramas!r}, expected a list of some of {', '.join(DRAMAS)}, or of JSON files")
    stories = {re.sub(r"[^A-Za-z0-9]", "", Path(name).stem): read_drama(name) for name in dramas}
    if len(stories) < len(dramas):
        raise ValueError(f"dramas are {', '.join(map(str, dramas))}, expected each once")
    return stories


def _write(
    folder: Path,
    readme: str,
    stories: dict[str, dict],
    seed: int,
    subjects: int,
    embed: Callable[[list[str], int], ArrayLike],
    progress: bool,
) -> None:
    root = folder / "ds005531"
    table = run_table(stories)
    labels = [f"S{number:02d}" for number in range(1, subjects + 1)]
    files.write_top(root, readme, table, labels)
    of_run = {
        f"{title}_run-{k:02d}": film for title, drama in stories.items() for k, film in enumerate(films(drama), 1)
    }
    for run, film in of_run.items():
        files.write_film(root, run, film)
    drives, mixtures = drives_of(of_run, embed, LAYERS, seed)
    overlaps = {row["run"]: row["n_overlap"] for row in table}
    _write_film_truth(folder / "truth", drives, mixtures)
    jobs = []
    brains = []
    for number, label in enumerate(labels, 1):
        files.write_subject(root, label, scanner.in_mask())
        brain = MovieBrain(number, seed)
        truth = scanner.ground_truth(brain, drives, overlaps)
        brains.append((brain, truth))
        for k, row in enumerate(table):
            jobs.append((root, label, row["run"], brain, truth, drives[_shown(row)], [seed, 3, number, k]))
    spikes = in_parallel(_simulate_run, jobs, "films in brains", progress)
    for k, (label, (brain, truth)) in enumerate(zip(labels, brains)):
        of_subject = spikes[k * len(table) : (k + 1) * len(table)]
        _write_truth(folder / "truth" / f"sub-{label}.npz", brain, truth, table, of_subject)
    (folder / "README").write_text(readme, encoding="utf-8")


def _shown(row: dict) -> str:
    """Return the run whose film a row shows."""
    return row["run"] if row["repeat_of"] == "n/a" else row["repeat_of"]


def _simulate_run(
    root: Path,
    label: str,
    run: str,
    brain: MovieBrain,
    truth: scanner.Truth,
    drives: dict[tuple[str, str], NDArray],
    seed: list[int],
) -> NDArray:
    bold, spikes = scanner.scan(brain, truth, drives, np.random.default_rng(seed))
    files.write_run(root, label, run, bold)
    return spikes


def _write_film_truth(folder: Path, drives: dict[str, dict], mixtures: dict[str, NDArray]) -> None:
    """Write the ground truth that all brains share: plan, mixtures, drives."""
    folder.mkdir()
    regions = [
        {"region": name, "shares": shares, "signal_to_noise": ratio, "hrf_peak": peak}
        for name, (shares, ratio, peak) in PLAN.items()
    ]
    plan = {"tr": TR, "layers": LAYERS, "not_of_text": SOUND_AND_LIGHT, "names": NAMES, "regions": regions}
    (folder / "plan.json").write_text(json.dumps(plan, indent=1), encoding="utf-8")
    np.savez(folder / "mixtures.npz", **mixtures)
    for run, of_run in drives.items():
        arrays = {" ".join(key): x.astype(np.float32) for key, x in of_run.items()}
        np.savez(folder / f"{run}_drives.npz", **arrays)


def _write_truth(path: Path, brain: MovieBrain, truth: scanner.Truth, table: list[dict], spikes: list[NDArray]) -> None:
    """Write the ground truth of a subject, named as in the music experiment."""
    n = len(table)
    weights = {f"weights {region} {drive}": x for (region, drive), x in truth.weights.items()}
    np.savez(
        path,
        pose=np.eye(4),
        runs=np.array([row["run"] for row in table]),
        motion=np.zeros((n, 0, 6)),
        region=np.tile(truth.region, (n, 1)),
        explainable=np.stack([truth.explainable[_shown(row)] for row in table]),
        spikes=np.array([[k, v] for k, of_run in enumerate(spikes) for v in of_run], dtype=int).reshape(-1, 2),
        hrf_peaks=np.array([brain.peaks[name] for name in PLAN]),
        regions=np.array(list(PLAN)),
        **weights,
    )
