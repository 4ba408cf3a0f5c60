"""Simulated film of two hours in 15 simulated brains, in the compact layout of studyforrest.

Lines come from the grammar of `story`, in scenes of one kind; shots, music, light and sound are drawn. Each parcel near
an auditory, visual or language region mixes drives of the film through a hemodynamic response, a signal of its own
that all subjects share, and noise of its subject; all other parcels have the last two alone. No drive depends on the
context of a word: a language model with context has nothing to add. The ground truth is saved beside the data.
"""

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import scipy.io
from naturalistic.anatomy.parcels import equal_area_parcels
from naturalistic.datasets.studyforrest import RUN_STARTS
from naturalistic.datasets.studyforrest_files import (
    ATLAS,
    LABELS,
    N_PARCELS,
    N_TRS,
    NETWORKS,
    NETWORKS_FILE,
    TR,
    published_subjects,
)
from naturalistic.parameters import whole
from nilearn.datasets import load_mni152_brain_mask
from nilearn.glm.first_level import spm_hrf
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.signal import fftconvolve, lfilter

from naturalistic_simulation import story
from naturalistic_simulation.folders import recipe_of, write_whole

LENGTH = 7086.5  # s of film
STEP = 0.2  # s between samples of light, sound and drives
SCALE = 0.0005  # of the stored whole numbers, as in the measured data
N_BYTES = 2_000_000  # of a subject, at most
N_MEANINGS = 6  # dimensions of the vector of a word that parcels follow
NOISE = 1.6  # sd of a subject's own noise where the response of a parcel has 1
SHARED = 0.35  # sd of a parcel's own signal that all subjects have
# drive -> centers in MNI mm (both sides where x is not 0), largest weight
PLACES = {
    "loudness": (((52, -20, 6),), 1.0),
    "frame difference": (((12, -88, 4), (44, -70, 4)), 1.0),
    "speech": (((58, -30, 2), (56, -4, -8)), 0.9),
    "meaning": (((50, -58, 22), (48, 24, 14), (56, -10, -20), (0, -56, 36)), 0.8),
}
WIDTH = 16.0  # mm, of the fall of a weight with distance
LEAST = 0.25  # weights under it are 0
# a center for each network in MNI mm, both sides; the nearest one names a parcel of the cerebrum
CENTERS = {
    "visual": ((14, -82, 4),),
    "somatomotor": ((40, -22, 52), (54, -14, 8)),
    "dorsal attention": ((28, -56, 54),),
    "ventral attention": ((36, 10, 6), (58, -38, 28)),
    "limbic": ((26, 8, -28), (12, 36, -22)),
    "frontoparietal": ((42, 26, 30), (46, -52, 46)),
    "default": ((6, 48, 10), (6, -54, 30), (58, -16, -14), (46, -66, 32)),
}
PEOPLE = ("ANNA", "BEN", "CLARA", "DAVID", "EMIL")
README = """SIMULATED DATA. No brain was measured and nobody saw this film.

Written by naturalistic_simulation.film (recipe {recipe}, seed {seed}, {subjects} subjects) in the compact layout of
studyforrest, so that a chapter can run where those data cannot be had. The ground truth is in truth.json.
"""


@dataclass(frozen=True)
class _Film:
    """Lines (start, end, name, text), scenes (start, kind), shots (s), music (start, end), samples every `STEP` s."""

    lines: list[tuple[float, float, str, str]]
    scenes: list[tuple[float, str]]
    shots: NDArray
    music: list[tuple[float, float]]
    samples: dict[str, NDArray]


def simulate_film(folder: Path | str, seed: int = 1994, subjects: int = 15) -> Path:
    """Write the simulated film, unless the folder holds it already.

    Parameters
    ----------
    folder : str or Path
        Written whole or not at all.
    seed : int
        The same seed gives the same bytes.
    subjects : int
        From 1 to 15.

    Returns
    -------
    folder : Path

    Raises
    ------
    FileExistsError
        If the folder holds something else.
    RequestError
        If the folder cannot be written, or the disk has too little room.
    """
    seed = whole("seed", seed, 0)
    subjects = whole("subjects", subjects, 1, len(published_subjects()))
    recipe = recipe_of([Path(__file__), Path(story.__file__)])
    readme = README.format(recipe=recipe, seed=seed, subjects=subjects)

    def write(part: Path) -> None:
        _write(part, readme, seed, subjects)

    return write_whole(folder, readme, (subjects + 2) * N_BYTES, write, "simulated film")


def _write(folder: Path, readme: str, seed: int, subjects: int) -> None:
    rng = np.random.default_rng(seed)
    film = _shoot(rng)
    _write_tables(folder, film, rng)
    (folder / "brains").mkdir()
    centers = _write_atlas(folder / "brains")
    weights = _weights(centers)
    drives, vectors = _drives(film, rng)
    names = [name for name in PLACES for _ in range(N_MEANINGS if name == "meaning" else 1)]
    mixing = np.stack([weights[name] for name in names], axis=1)
    mixing[:, np.array(names) == "meaning"] *= rng.standard_normal((len(centers), N_MEANINGS)) / np.sqrt(N_MEANINGS)
    shared = _noise(rng, (sum(N_TRS), len(centers)), 0.6)
    delays = {}
    for label in published_subjects()[:subjects]:
        # drawn for each subject by itself, so that the first ones are the same however many there are
        own = np.random.default_rng([seed, int(label)])
        delays[label] = float(own.normal(6.0, 0.3))
        strength = own.uniform(0.8, 1.2)
        response = _respond(drives, delays[label]) @ mixing.T
        bold = strength * response + SHARED * shared + NOISE * _noise(own, response.shape, 0.5)
        _save_subject(folder / "brains" / f"sub-{label}_avmovie_shen278.npz", bold)
    kept = {str(label): {name: round(float(weights[name][k]), 3) for name in PLACES if weights[name][k]}
            for k, label in enumerate(LABELS)}  # fmt: skip
    truth = {"parcels": {label: drives for label, drives in kept.items() if drives}, "hrf_delays": delays}
    truth |= {"vectors": {word: vector.round(4).tolist() for word, vector in vectors.items()}}
    (folder / "truth.json").write_text(json.dumps(truth, indent=1), encoding="utf-8")
    (folder / "README").write_text(readme, encoding="utf-8")


# --- film ----------------------------------------------------------------------------------------------------------


def _shoot(rng: np.random.Generator) -> _Film:
    """Return a film: a story of which half is spoken, in stretches, and picture and sound around it."""
    intervals, scenes = story.tell(rng, LENGTH - 60)
    quiet = _stretches(rng, 15, 60)
    lines = []
    spoken: list[tuple[float, float, str]] = []
    for onset, offset, word in [*intervals, (LENGTH, LENGTH, "sp")]:
        if word != "sp":
            spoken.append((onset, offset, word))
            continue
        if spoken and not _inside(spoken[0][0], quiet):
            text = " ".join(word for _, _, word in spoken).capitalize() + "."
            bounds = (round(float(spoken[0][0]), 1), round(float(spoken[-1][1]), 1))
            lines.append((*bounds, str(rng.choice(PEOPLE)), text))
        spoken = []
    lengths = rng.gamma(2.0, 4.2, 2000) + 0.6
    shots = np.concatenate([[0.0], np.round(np.cumsum(lengths) / 0.04) * 0.04])
    shots = shots[shots < LENGTH - 2]
    music = _stretches(rng, 30, 120)
    return _Film(lines, scenes, shots, music, _light_and_sound(rng, lines, shots, music))


def _stretches(rng: np.random.Generator, shortest: float, longest: float) -> list[tuple[float, float]]:
    """Return stretches of time that take half of the film, the last one at its end."""
    bounds = np.cumsum(rng.uniform(shortest, longest, 2 * int(LENGTH / shortest)))
    bounds = bounds[bounds < LENGTH - longest]
    bounds = [*bounds[: len(bounds) // 2 * 2], LENGTH - 10, LENGTH - 4]
    return [(round(float(a), 2), round(float(b), 2)) for a, b in zip(bounds[::2], bounds[1::2])]


def _inside(time: float, stretches: Iterable[tuple[float, float]]) -> bool:
    return any(start <= time < end for start, end in stretches)


def _light_and_sound(
    rng: np.random.Generator, lines: Sequence[tuple], shots: NDArray, music: Sequence[tuple[float, float]]
) -> dict[str, NDArray]:
    """Return the columns of the table of light and sound, every `STEP` s."""
    times = np.arange(0, LENGTH + 20, STEP)
    of_shot = np.searchsorted(shots, times, side="right") - 1
    n_shots = len(shots)

    def drawn(sd: float) -> NDArray:
        return sd * rng.standard_normal(n_shots)[of_shot]

    motion = rng.gamma(2.0, 0.015, n_shots)[of_shot] * np.exp(0.3 * _noise(rng, (len(times), 1), 0.9)[:, 0])
    cut = np.diff(of_shot, prepend=-1) > 0
    speaks = _boxes(times, [line[:2] for line in lines])
    plays = _boxes(times, music)
    loud = -5.5 + 1.8 * speaks + 1.0 * plays + 0.5 * _noise(rng, (len(times), 1), 0.97)[:, 0]
    return {
        "brmean": np.clip(90 + drawn(30) + 4 * _noise(rng, (len(times), 1), 0.95)[:, 0], 0, 255),
        "brlr": drawn(30),
        "brud": drawn(30),
        "norm_diff": np.clip(motion + 0.4 * cut, 0, 1),
        "rms": np.exp(loud),
        "lrdiff": 0.002 * _noise(rng, (len(times), 1), 0.9)[:, 0],
    }


def _boxes(times: NDArray, intervals: Iterable[tuple[float, float]]) -> NDArray:
    """Return 1 inside of intervals and 0 outside."""
    inside = np.zeros(len(times))
    for start, end in intervals:
        inside[np.searchsorted(times, start) : np.searchsorted(times, end)] = 1
    return inside


def _write_tables(folder: Path, film: _Film, rng: np.random.Generator) -> None:
    """Write all tables, with times of the film."""
    _save(folder / "english_dialog.csv", ("start", "end", "person", "text"), film.lines)
    pauses = [(a[1] + 0.5, b[0] - 0.5) for a, b in zip(film.lines, film.lines[1:]) if b[0] - a[1] > 4]
    pauses.append((LENGTH - 9, LENGTH - 6))
    texts = ("Ein Zimmer, davor ein Weg.", "Jemand geht durch die Tür.", "Es wird langsam dunkel.")
    described = []
    for start, end in pauses:
        for at in np.arange(start, end - 2, 7.0):
            described.append((round(float(at), 1), round(float(min(end, at + 5)), 1), str(rng.choice(texts))))
    _save(folder / "german_audio_description.csv", ("start", "end", "text"), described)
    _save(folder / "shots.csv", ("start",), [(round(float(start), 2),) for start in film.shots])
    music = [(start, round(end - start, 2), "Nobody", "simulated") for start, end in film.music]
    _save(folder / "music.tsv", ("onset", "duration", "artist", "title"), music)
    starts = [round(float(start), 2) for start, _ in film.scenes]
    ends = [*starts[1:], LENGTH]
    sides = [("INT", "EXT")[k] for k in rng.integers(0, 2, len(starts))]
    of_day = [("DAY", "NIGHT")[k] for k in rng.integers(0, 2, len(starts))]
    kinds = [str(kind) for _, kind in film.scenes]
    rows = [(a, kind.upper(), when, side) for a, kind, when, side in zip(starts, kinds, of_day, sides)]
    _save(folder / "scenes.csv", ("start", "location", "tod", "setting"), rows)
    header = ("onset", "duration", "major_location", "setting", "locale", "int_or_ext", "flow_of_time", "time_of_day")
    rows = [
        (a, round(b - a, 2), kind, f"the {kind}", f"the {kind}", side.lower(), "+", when.lower())
        for a, b, kind, when, side in zip(starts, ends, kinds, of_day, sides)
    ]
    _save(folder / "locations.tsv", header, rows)
    header = ("onset", "duration", "character", "arousal", "valence_positive", "valence_negative", "e_fear", "e_love")
    rows = []
    for a, b in zip(starts, ends):
        values = [round(float(x), 3) for x in [rng.uniform(-1, 1), *rng.uniform(0, 1, 4)]]
        rows.append((int(a), max(int(b) - int(a), 1), str(rng.choice(PEOPLE)), *values))
    _save(folder / "emotions_av_1s_events.tsv", header, rows)
    means = [_tr_means(film.samples[name]) for name in film.samples]
    runs = [(run, tr) for run, n in enumerate(N_TRS, 1) for tr in range(n)]
    rows = [(*place, *(f"{x:.6g}" for x in values)) for place, values in zip(runs, np.transpose(means))]
    (folder / "annotations").mkdir()
    _save(folder / "annotations" / "lowlevel_per_TR.csv", ("run", "tr", *film.samples), rows)


def _tr_means(samples: NDArray) -> NDArray:
    """Return means of samples in each TR of all runs."""
    per_tr = round(TR / STEP)
    first = [round(start / STEP) for start in RUN_STARTS]
    parts = [samples[a : a + n * per_tr].reshape(n, per_tr).mean(axis=1) for a, n in zip(first, N_TRS)]
    return np.concatenate(parts)


def _save(path: Path, header: Sequence[str], rows: Iterable[Sequence]) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, delimiter="\t" if path.suffix == ".tsv" else ",", lineterminator="\n")
        table.writerow(header)
        table.writerows(rows)


# --- brains --------------------------------------------------------------------------------------------------------


def _write_atlas(folder: Path) -> NDArray:
    """Write image and networks of 278 parcels of equal size; return the centers of those that everybody has, mm."""
    mask = load_mni152_brain_mask(resolution=3)
    inside = np.asarray(mask.dataobj) > 0
    mm = nib.affines.apply_affine(mask.affine, np.argwhere(inside))
    parcels = equal_area_parcels(mm, N_PARCELS)
    volume = np.zeros(inside.shape, np.int16)
    volume[inside] = parcels + 1
    nib.save(nib.Nifti1Image(volume, mask.affine), folder / ATLAS)
    n_voxels = np.bincount(parcels)
    centers = np.stack([np.bincount(parcels, mm[:, k]) for k in range(3)], axis=1) / n_voxels[:, None]
    path = folder / NETWORKS_FILE
    codes = np.array([NETWORKS.index(_network(center)) + 1 for center in centers], np.uint8)
    scipy.io.savemat(path, {"yeoROIs": codes[:, None]})
    content = path.read_bytes()
    path.write_bytes(b"MATLAB 5.0 MAT-file, simulated".ljust(116) + content[116:])  # without the time of writing
    return centers[LABELS - 1]


def _network(center: NDArray) -> str:
    """Return the network of a parcel by its center in MNI mm."""
    x, y, z = center
    if z < -18 and y < -42:
        return "cerebellum"
    if abs(x) < 18 and -35 < y < 15 and -40 < z < 16:
        return "subcortical"
    distances = {name: min(_distance(center, place) for place in places) for name, places in CENTERS.items()}
    return min(distances, key=lambda name: distances[name])


def _distance(centers: NDArray, place: Sequence[float]) -> NDArray:
    """Return the distance in mm to a place on the same side."""
    mirrored = np.concatenate([np.abs(centers[..., :1]), centers[..., 1:]], axis=-1)
    return np.linalg.norm(mirrored - place, axis=-1)


def _weights(centers: NDArray) -> dict[str, NDArray]:
    """Return the weight of each drive in the response of each parcel (n_parcels,)."""
    weights = {}
    for name, (places, largest) in PLACES.items():
        distance = np.min([_distance(centers, place) for place in places], axis=0)
        weight = largest * np.exp(-(distance**2) / (2 * WIDTH**2))
        weights[name] = np.where(weight < LEAST, 0.0, weight)
    return weights


def _drives(film: _Film, rng: np.random.Generator) -> tuple[NDArray, dict[str, NDArray]]:
    """Return what parcels follow, every `STEP` s (n_steps, 3 + N_MEANINGS), and the vectors of the words.

    Words of one kind of scene have vectors that are alike.
    """
    times = np.arange(len(film.samples["rms"])) * STEP
    kinds = {kind: rng.standard_normal(N_MEANINGS) for kind in story.SCENES}
    vectors = {}
    for kind, groups in story.SCENES.items():
        for word in " ".join(groups).split():
            vectors[word] = kinds[kind] + 0.7 * rng.standard_normal(N_MEANINGS)
    words = np.zeros((len(times), 1 + N_MEANINGS))
    for start, end, _, text in film.lines:
        spoken = text.rstrip(".").lower().split()
        at = np.searchsorted(times, start + (np.arange(len(spoken)) + 0.5) * (end - start) / len(spoken))
        for k, word in zip(at, spoken):
            words[k, 0] += 1
            words[k, 1:] += vectors.get(word, np.zeros(N_MEANINGS))
    words = gaussian_filter1d(words, 0.5 / STEP, axis=0)
    moved = gaussian_filter1d(film.samples["norm_diff"], 0.5 / STEP)
    drives = np.column_stack([np.log(film.samples["rms"]), moved, words])
    return (drives - drives.mean(axis=0)) / drives.std(axis=0), vectors


def _respond(drives: NDArray, delay: float) -> NDArray:
    """Return the responses to drives on the TRs of all runs: each run begins without a past (n_trs, n_drives)."""
    hrf = _hrf(delay)
    per_tr = round(TR / STEP)
    parts = []
    for start, n in zip(RUN_STARTS, N_TRS):
        first = round(start / STEP)
        shown = drives[first : first + n * per_tr]
        response = fftconvolve(shown, hrf[:, None], axes=0)[: len(shown)]
        parts.append(response.reshape(n, per_tr, -1).mean(axis=1))
    response = np.concatenate(parts)
    return (response - response.mean(axis=0)) / response.std(axis=0)


def _hrf(delay: float) -> NDArray:
    """Return a hemodynamic response whose peak is moved by ``delay`` - 6 s."""
    hrf = spm_hrf(STEP, oversampling=1, time_length=32.0)
    times = np.arange(len(hrf)) * STEP
    return np.interp(times * 6.0 / delay, times, hrf)


def _noise(rng: np.random.Generator, shape: tuple[int, int], phi: float) -> NDArray:
    """Return first-order autoregressive noise of sd 1 along the first axis."""
    drawn = rng.standard_normal((shape[0] + 50, shape[1]))
    return lfilter([np.sqrt(1 - phi**2)], [1, -phi], drawn, axis=0)[50:]


def _save_subject(path: Path, bold: NDArray) -> None:
    """Write a subject's parcels, z-scored in each run, as whole numbers."""
    ends = np.cumsum(N_TRS)
    parts = np.split(bold, ends[:-1])
    scored = np.concatenate([(part - part.mean(axis=0)) / part.std(axis=0) for part in parts])
    np.savez_compressed(
        path,
        bold=np.round(scored / SCALE).astype(np.int16),
        scale=np.float32(SCALE),
        labels=LABELS.astype(np.int16),
        run_lengths=np.array(N_TRS, np.int16),
    )
