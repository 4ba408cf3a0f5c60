"""One simulated subject of ds005531 at full size.

43 preprocessed runs of 663,552 voxels, and the three released levels of text. The films are those of `full_size.film`,
the responses those of the small simulated data; volumes of 8 mm are interpolated onto the scanner's 96 x 96 x 72 of 2
mm, with noise of its own in every voxel of the head.
"""

from collections.abc import Iterable
from pathlib import Path

import nibabel as nib
import numpy as np
from naturalistic.datasets.annotations import KINDS, RELEASED, SPEECH
from naturalistic.datasets.movie_bold import BOLD, SHAPE, VOXELS, mask_path, reference_path
from naturalistic.intact import open_arrays
from naturalistic.parameters import check_jobs, some_of, whole
from numpy.typing import NDArray

from naturalistic_simulation.brain.head import SHAPE as SMALL
from naturalistic_simulation.brain.head import brightness, gray_matter
from naturalistic_simulation.full_size.files import check_disk, in_processes, write_text, write_top, written
from naturalistic_simulation.full_size.film import all_runs, films_of
from naturalistic_simulation.full_size.grid import NOISE, affine_of, enlarge
from naturalistic_simulation.movie import scanner
from naturalistic_simulation.movie.cortex import LAYERS, MovieBrain, drives_of
from naturalistic_simulation.movie.files import mat_file
from naturalistic_simulation.movie.screenplay import Film, rows
from naturalistic_simulation.movie.text_embedding import NAME, embed

SUBJECT = "S01"
N_VOXELS = 88_000  # of the mask, about as many as the subjects have
SLICES = 4  # written at once
CHUNK = SHAPE[0] * 8  # voxels of a chunk of the file, with all seconds of the run
STEP = 1 / 64  # of the image's brightness: values are rounded to it, so that a run is as large as those of the release
BYTES_PER_SECOND = 860_000  # of a run, at most
README = """No brain was measured, and no one saw this film.

Written by naturalistic_simulation.full_size (seed {seed}; responses through {embed_name}): one subject in the
layout and the size of OpenNeuro ds005531. The text is that of three short dramas, told over and over in other words.
"""


def simulate_movie_subject(
    folder: Path | str,
    seed: int = 55310,
    *,
    runs: Iterable[str] | None = None,
    n_jobs: int | None = None,
    progress: bool = True,
) -> Path:
    """Write ``sub-S01`` of ds005531 at full size, with its annotations.

    Runs are as preprocessed. Files that exist are left alone.

    Parameters
    ----------
    folder : str or Path
        Gets ``ds005531``.
    seed : int
    runs : sequence of str, optional
        Some of the 43, such as ``"crown_run-01"``: 0.5 GB each.
    n_jobs : int, optional
        Processes, each with about 1 GB; as many as there are cores by default.
    progress : bool

    Returns
    -------
    root : Path
        ``folder/ds005531``.

    Raises
    ------
    RequestError
        If the folder cannot be written, or the disk has too little room.
    ValueError
        On a number out of range, or a run that the experiment does not have.
    """
    root = Path(folder) / "ds005531"
    seed = whole("seed", seed, 0)
    n_jobs = check_jobs(n_jobs)
    table = list(all_runs())
    if runs is not None:
        chosen = some_of("runs", runs, [run.name for run in table])
        table = [run for run in table if run.name in chosen]
    mask = mask_path(root, SUBJECT)
    paths = [mask.with_name(f"sub-{SUBJECT}_task-{run.name}.mat") for run in table]
    check_disk(root, paths, [run.n_seconds * BYTES_PER_SECOND for run in table])
    write_top(root, README.format(seed=seed, embed_name=NAME), "Narrative Movie fMRI Dataset", "v1.9.0")
    shown = films_of(table)
    _write_texts(root / "derivatives" / "annotation", shown)
    written(mask, _write_mask)
    written(reference_path(root, SUBJECT), _write_reference)
    if all(path.is_file() for path in paths):
        return root
    if progress:
        print("a language model reads nine hours of text, for what the brain will follow: some minutes", flush=True)
    drives = _drives(root.parent / "drives.npz", shown, seed)
    brain = MovieBrain(1, seed)
    truth = scanner.ground_truth(brain, drives, {run.name: run.n_overlap for run in table})
    jobs = [(path, brain, truth, drives[run.name], [seed, 7, k]) for k, (path, run) in enumerate(zip(paths, table))]
    in_processes(_write_run, jobs, "films in a brain at full size", n_jobs, progress)
    return root


def _write_texts(folder: Path, shown: dict[str, Film]) -> None:
    """Write the annotations of released levels, Speech under both of its names."""
    for run, film in shown.items():
        for level in RELEASED:
            text = "\n".join(rows(film, level)) + "\n"
            for kind in SPEECH.values() if level == "Speech" else (KINDS[level],):
                write_text(folder / f"{run}_{kind}_each1sec.txt", text)


def _drives(path: Path, shown: dict[str, Film], seed: int) -> dict[str, dict[tuple[str, ...], NDArray]]:
    """Return the drives of each run, stored in a file: embedding takes minutes."""

    def write(part: Path) -> None:
        drives, _ = drives_of(shown, embed, LAYERS, seed)
        kept = {"\n".join((run, *key)): x for run, of_run in drives.items() for key, x in of_run.items()}
        with open(part, "wb") as file:
            np.savez(file, **kept)

    written(path, write)
    drives = {}
    for name, drive in open_arrays(path, "delete it: it is computed again").items():
        run, *key = name.split("\n")
        drives.setdefault(run, {})[tuple(key)] = drive
    return drives


def _write_mask(path: Path) -> None:
    """List the voxels with the most gray matter, counted from 1, x fastest."""
    gray = enlarge(gray_matter(np.eye(4)).reshape(1, *SMALL), SHAPE).ravel()
    listed = np.sort(np.argsort(-gray, kind="stable")[:N_VOXELS]) + 1.0
    with mat_file(path) as file:
        file.create_dataset(VOXELS, data=listed[None], track_times=False).attrs["MATLAB_class"] = np.bytes_("double")


def _write_reference(path: Path) -> None:
    image = enlarge(brightness(np.eye(4)).reshape(1, *SMALL), SHAPE)[0]
    nib.Nifti1Image(np.rint(image).astype(np.int16).T, affine_of(SHAPE)).to_filename(path)


def _write_run(
    path: Path, brain: MovieBrain, truth: scanner.Truth, drives: dict[tuple[str, ...], NDArray], seed: list[int]
) -> None:
    """Scan a film and write it on the scanner's grid, if it is not there."""

    def write(part: Path) -> None:
        rng = np.random.default_rng(seed)
        bold, _ = scanner.scan(brain, truth, drives, rng)
        write_volumes(part, bold.reshape(-1, *SMALL), rng)

    written(path, write)


def write_volumes(path: Path | str, volumes: NDArray, rng: np.random.Generator) -> None:
    """Write volumes of the grid of 8 mm on the scanner's grid, with noise.

    A few slices are written at a time; noise is added in the head.

    Parameters
    ----------
    path : Path
    volumes : float32 array (n_seconds, 20, 24, 18)
    rng : Generator
    """
    n = len(volumes)
    of_slice = SHAPE[0] * SHAPE[1]
    with mat_file(path) as file:
        packing = {"chunks": (n, CHUNK), "compression": "gzip", "compression_opts": 1, "shuffle": True}
        data = file.create_dataset(BOLD, (n, of_slice * SHAPE[2]), np.float32, track_times=False, **packing)
        data.attrs["MATLAB_class"] = np.bytes_("single")
        for z in range(0, SHAPE[2], SLICES):
            block = enlarge(volumes, SHAPE, slice(z, z + SLICES)).reshape(n, -1)
            head = np.flatnonzero(block.any(axis=0))
            block[:, head] += NOISE * rng.standard_normal((n, len(head)), dtype=np.float32)
            data[:, z * of_slice : (z + SLICES) * of_slice] = np.rint(block / STEP) * STEP
