"""Simulated music experiment in the layout of ds003720 and GTZAN.

``<folder>/ds003720`` is the BIDS data set, ``<folder>/genres`` the sound, ``<folder>/captions.csv`` a sentence on
each clip, ``<folder>/truth`` the ground truth. The same seed gives the same bytes.
"""

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import joblib
import numpy as np
import soundfile
from naturalistic.anatomy import regions
from naturalistic.datasets import presentation
from naturalistic.datasets.presentation import as_played
from naturalistic.parameters import check_jobs, whole
from numpy.typing import NDArray
from tqdm import tqdm

from naturalistic_simulation.brain import bids
from naturalistic_simulation.brain.cortex import PLAN, STEP, MusicBrain, acoustics, description, unit_variance
from naturalistic_simulation.brain.head import rigid
from naturalistic_simulation.brain.scanner import N_TRS, TR, Truth, scan
from naturalistic_simulation.folders import recipe_of, write_whole
from naturalistic_simulation.music.captions import caption
from naturalistic_simulation.music.clip_facts import clip_facts
from naturalistic_simulation.music.composer import GENRES, INSTRUMENTS, MOODS, compose, facts
from naturalistic_simulation.music.synthesizer import render

SAMPLE_RATE = 22050
N_CLIPS = 40
N_TEST_CLIPS = 10
N_REPEATS = 4
CLIP = 15.0
TRACK = 30.0
TRACKS = 100  # of each genre
# at most, measured
BYTES_PER_RUN = 4_600_000
BYTES_PER_TRACK = 900_000
# one simulated data set is told from another by this text; the recipe changes with the code
README = """SIMULATED DATA. No brain was measured, and no one played this music.

Written by naturalistic_simulation.music.experiment (recipe {recipe}, seed {seed}, {n_subjects} subjects,
{n_training} + {n_test} runs): simulated music in ten genres (genres/), the responses of simulated brains to it
(ds003720/, in the layout of OpenNeuro ds003720), captions of the clips (captions.csv), and the ground truth (truth/).
"""


def simulate_music(
    folder: Path | str,
    seed: int = 3720,
    subjects: int = 5,
    *,
    n_training: int = 12,
    n_test: int = 6,
    n_jobs: int | None = None,
    progress: bool = True,
) -> Path:
    """Write the music experiment, unless the folder holds it already.

    An experiment of an older recipe is replaced.

    Parameters
    ----------
    folder : str or Path
        Written whole or not at all.
    seed : int
    subjects : int
        How many: sub-001 to sub-00N.
    n_training, n_test : int
        Runs of each kind; the experiment has 12 and 6.
    n_jobs : int, optional
        Processes; as many as there are cores by default. The bytes do not depend on it.
    progress : bool
        Show progress bars.

    Returns
    -------
    folder : Path

    Raises
    ------
    ValueError, FileExistsError
        On a seed out of range, or if the folder holds something else.
    RequestError
        If the folder cannot be written, or the disk has too little room.
    """
    seed = whole("seed", seed, 0, 999_999, hint="other seeds are of music to train on")
    subjects = whole("subjects", subjects, 1, 999)
    n_jobs = check_jobs(n_jobs)
    n_training = whole("n_training", n_training)
    n_test = whole("n_test", n_test, 0)
    if (n_of_each := (n_training * N_CLIPS + n_test * N_TEST_CLIPS) / len(GENRES)) > TRACKS:
        raise ValueError(
            f"n_training is {n_training} and n_test {n_test}, which needs {n_of_each:g} tracks of each genre, expected "
            f"at most the {TRACKS} that there are: take fewer runs"
        )
    readme = README.format(recipe=recipe(), seed=seed, n_subjects=subjects, n_training=n_training, n_test=n_test)
    n_clips = n_training * N_CLIPS + n_test * N_TEST_CLIPS
    n_bytes = subjects * (n_training + n_test) * BYTES_PER_RUN + n_clips * BYTES_PER_TRACK

    def write(part: Path) -> None:
        with joblib.parallel_config("loky", n_jobs=n_jobs or joblib.cpu_count(), inner_max_num_threads=1):
            _write(part, readme, seed, subjects, n_training, n_test, progress)

    return write_whole(folder, readme, n_bytes, write)


def recipe() -> str:
    """Return a short hash of the code."""
    here = Path(__file__).parent
    sources = [*sorted(here.glob("*.py")), *sorted((here.parent / "brain").glob("*.py"))]
    return recipe_of([*sources, Path(presentation.__file__), Path(regions.__file__)])


def plan(seed: int, n_training: int = 12, n_test: int = 6) -> tuple[list[tuple], dict[str, list[int]]]:
    """Draw the clips and the order of play.

    Returns
    -------
    clips : list of tuple (genre, track, start, end)
        Each of another track, as many of each genre as the numbers allow; training first.
    played : dict of str to list of int
        By run, the 41 clips in order of play, the dummy first.
    """
    rng = np.random.default_rng([seed, 0])
    n = n_training * N_CLIPS + n_test * N_TEST_CLIPS
    tracks = {genre: rng.permutation(TRACKS) for genre in GENRES}
    training = rng.permutation(np.arange(n_training * N_CLIPS) % len(GENRES))
    test = np.concatenate([rng.permutation(N_TEST_CLIPS) for _ in range(n_test)]) if n_test else []
    clips = []
    used = dict.fromkeys(GENRES, 0)
    for k in [*training, *test]:
        genre = GENRES[int(k)]
        start = round(float(rng.uniform(0, TRACK - CLIP)), 2)
        clips.append((genre, int(tracks[genre][used[genre]]), start, round(start + CLIP, 2)))
        used[genre] += 1
    runs = np.arange(n_training * N_CLIPS).reshape(n_training, N_CLIPS).tolist()
    played = {f"Training_run-{k + 1:02d}": [runs[k - 1][-1], *run] for k, run in enumerate(runs)}
    for k, run in enumerate(np.arange(n_training * N_CLIPS, n).reshape(n_test, N_TEST_CLIPS).tolist()):
        played[f"Test_run-{k + 1:02d}"] = [run[-1], *(run * N_REPEATS)]
    return clips, played


def _write(folder: Path, readme: str, seed: int, subjects: int, n_training: int, n_test: int, progress: bool) -> None:
    clips, played = plan(seed, n_training, n_test)
    (folder / "truth").mkdir()
    for genre in GENRES:
        (folder / "genres" / genre).mkdir(parents=True)
    tracks = in_parallel(_simulate_track, [(folder, clip, seed) for clip in clips], "tracks of music", progress)
    sound, of_clip, captions = zip(*tracks)
    with open(folder / "captions.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerows(
            [("genre", "track", "start", "end", "caption"), *((*c, text) for c, text in zip(clips, captions))]
        )
    kept = [
        {"track": f"{genre}.{track:05d}", "start": start, **fact}
        for (genre, track, start, _), fact in zip(clips, of_clip)
    ]
    (folder / "truth" / "clips.json").write_text(json.dumps(kept, indent=1), encoding="utf-8")
    bids.write_top(folder / "ds003720", readme)
    drives = _drives(np.stack(sound), of_clip, played)
    jobs = [(folder, number, clips, played, drives, seed) for number in range(1, subjects + 1)]
    for job in jobs:
        _simulate_subject(*job, progress)
    (folder / "README").write_text(readme, encoding="utf-8")


def _simulate_track(folder: Path, clip: tuple, seed: int) -> tuple[NDArray, dict, str]:
    """Compose and render a track; return acoustics, facts and caption of its clip."""
    genre, track, start, end = clip
    piece = compose(genre, seed * 1000 + track, TRACK)
    waveform = render(piece, SAMPLE_RATE)
    soundfile.write(folder / "genres" / genre / f"{genre}.{track:05d}.flac", waveform, SAMPLE_RATE, subtype="PCM_16")
    first = round(start * SAMPLE_RATE)
    heard = as_played(waveform[first : first + round(CLIP * SAMPLE_RATE)], SAMPLE_RATE)
    return acoustics(heard, SAMPLE_RATE), facts(piece) | clip_facts(piece, start, end), caption(piece)


def _drives(sound: NDArray, of_clip: Sequence[dict], played: dict[str, list[int]]) -> dict[str, dict[str, NDArray]]:
    """Return drives by run and kind: (n_steps of 41 clips, n_columns)."""
    n_steps = sound.shape[1]
    flat = sound.reshape(-1, sound.shape[2])
    by_kind = {"acoustics": unit_variance(flat / flat.std(axis=0)).reshape(sound.shape)}
    vocabulary = {"genre": GENRES, "instruments": INSTRUMENTS, "mood": MOODS}
    for kind, x in description(of_clip, vocabulary).items():
        by_kind[kind] = np.repeat(x[:, None], n_steps, axis=1)
    return {run: {kind: np.concatenate(list(x[order])) for kind, x in by_kind.items()} for run, order in played.items()}


def _simulate_subject(
    folder: Path,
    number: int,
    clips: list[tuple],
    played: dict[str, list[int]],
    drives: dict[str, dict[str, NDArray]],
    seed: int,
    progress: bool,
) -> None:
    """Write the anatomy, all runs and the ground truth of one subject."""
    root = folder / "ds003720"
    label = f"{number:03d}"
    n_columns = {kind: x.shape[1] for kind, x in next(iter(drives.values())).items()}
    brain = MusicBrain(number, n_columns, seed)
    pose = pose_of(number, seed)
    bids.write_anatomy(root, label, pose)
    responses = {run: {name: _on_trs(brain.drive(name, drives[run])) for name in PLAN} for run in played}
    covariances = {name: np.cov(np.concatenate([r[name] for r in responses.values()]).T) for name in PLAN}
    jobs = []
    for k, (run, order) in enumerate(played.items()):
        drawn = responses[run], covariances, [seed, 3, number, k], k == 0
        jobs.append((root, label, run, [clips[i] for i in order], brain, pose, *drawn))
    truths = in_parallel(_simulate_run, jobs, f"sub-{label}", progress)
    np.savez(
        folder / "truth" / f"sub-{label}.npz",
        pose=pose,
        runs=np.array(list(played)),
        motion=np.stack([t.motion for t in truths]),
        region=np.stack([t.region for t in truths]),
        explainable=np.stack([t.explainable for t in truths]).astype(np.float32),
        spikes=np.array([[k, v] for k, t in enumerate(truths) for v in t.spikes], dtype=int).reshape(-1, 2),
        hrf_peaks=np.array([brain.peaks[name] for name in PLAN]),
        regions=np.array(list(PLAN)),
    )  # fmt: skip


def pose_of(number: int, seed: int) -> NDArray:
    """Return the pose of a subject's head: the affine from scanner mm to MNI mm."""
    rng = np.random.default_rng([seed, 4, number])
    size = np.diag([*rng.uniform(0.97, 1.03, 3), 1.0])
    return size @ rigid([*rng.normal(0, 2, 3), *rng.normal(0, np.deg2rad(2), 3)])


def _simulate_run(
    root: Path,
    label: str,
    run: str,
    clips: list[tuple],
    brain: MusicBrain,
    pose: NDArray,
    responses: dict[str, NDArray],
    covariances: dict[str, NDArray],
    seed: list[int],
    first: bool,
) -> Truth:
    volumes, truth = scan(brain, pose, responses, covariances, np.random.default_rng(seed), first)
    bids.write_run(root, label, run, clips, volumes)
    return truth


def _on_trs(x: NDArray) -> NDArray:
    """Average a response over each TR: (n_steps, n_columns) to (n_trs, n_columns)."""
    return x.reshape(N_TRS, round(TR / STEP), -1).mean(axis=1)


def in_parallel(function: Callable, jobs: Sequence[tuple], name: str, progress: bool) -> list:
    """Return the function's results over jobs, in order, with a progress bar."""
    results = joblib.Parallel(return_as="generator")(joblib.delayed(function)(*job) for job in jobs)
    return list(tqdm(results, total=len(jobs), desc=f"simulation: {name}", disable=not progress))
