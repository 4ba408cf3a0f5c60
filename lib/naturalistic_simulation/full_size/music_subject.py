"""One simulated subject of ds003720 at full size.

18 runs of 513,884,512 bytes, 540 tracks and captions: 10 GB in all. Music and responses are those of the small
simulated data; their volumes of 8 mm are interpolated onto the scanner's 96 x 96 x 68 of 2 mm, and each of these has
noise of its own.
"""

import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import nibabel as nib
import numpy as np
import soundfile
from naturalistic.anatomy.template import mni152_template
from naturalistic.parameters import check_jobs, some_of, whole
from numpy.typing import DTypeLike
from scipy.ndimage import affine_transform

from naturalistic_simulation import simulate_music
from naturalistic_simulation.brain.bids import SIMULATED
from naturalistic_simulation.brain.scanner import N_TRS, TR
from naturalistic_simulation.full_size.files import check_disk, in_processes, write_text, write_top, written
from naturalistic_simulation.full_size.grid import NOISE, affine_of, enlarge

SHAPE = (96, 96, 68)
FLOOR = 8.0  # brightness of the air
RUNS = (*(f"Training_run-{k:02d}" for k in range(1, 13)), *(f"Test_run-{k:02d}" for k in range(1, 7)))
BYTES_PER_RUN = 352 + 2 * int(np.prod(SHAPE)) * N_TRS
BYTES_BESIDE = 1_000_000_000  # sound, anatomy and the small data, at most
README = """No brain was measured, and no one played this music.

Written by naturalistic_simulation.full_size (seed {seed}): one subject in the layout and the size of
OpenNeuro ds003720.
"""


def simulate_music_subject(
    folder: Path | str,
    seed: int = 37200,
    *,
    runs: Iterable[str] = RUNS,
    n_jobs: int | None = None,
    progress: bool = True,
) -> Path:
    """Write ``sub-001`` of ds003720 at full size, with sound and captions.

    Files that exist are left alone.

    Parameters
    ----------
    folder : str or Path
        Gets ``ds003720``, ``genres``, ``captions.csv`` and ``truth/clips.json``.
    seed : int
    runs : sequence of str
        Some of `RUNS`: 0.51 GB each.
    n_jobs : int, optional
        Processes, each with about 0.5 GB; as many as there are cores by default.
    progress : bool

    Returns
    -------
    root : Path
        ``folder/ds003720``.

    Raises
    ------
    RequestError
        If the folder cannot be written, or the disk has too little room.
    ValueError
        On a number out of range, or a run that the experiment does not have.
    """
    folder = Path(folder)
    seed = whole("seed", seed, 0, 999_999)
    n_jobs = check_jobs(n_jobs)
    runs = some_of("runs", runs, RUNS)
    root = folder / "ds003720"
    func = folder / "ds003720" / "sub-001" / "func"
    images = [func / f"sub-001_task-{run}_bold.nii" for run in runs]
    check_disk(folder, [*images, folder / "captions.csv"], [BYTES_PER_RUN] * len(images) + [BYTES_BESIDE])
    folder.mkdir(parents=True, exist_ok=True)
    write_top(root, README.format(seed=seed), "Music Genre fMRI Dataset", "1.4.0")
    small = folder / "small"
    if not (folder / "captions.csv").is_file() or not all(path.is_file() for path in images):
        simulate_music(small, seed, subjects=1, n_jobs=n_jobs, progress=progress)
        jobs = [(path, folder / "genres" / path.parent.name) for path in sorted((small / "genres").glob("*/*"))]
        in_processes(_unpack, jobs, "tracks", n_jobs, progress)
        jobs = [(small, run, path, [seed, 7, RUNS.index(run)]) for run, path in zip(runs, images)]
        in_processes(_write_run, jobs, "runs at full size", n_jobs, progress)
        written(root / "sub-001" / "anat" / "sub-001_T1w.nii", _write_anatomy)
        (folder / "truth").mkdir(exist_ok=True)
        for name in ("truth/clips.json", "captions.csv"):  # the last says that all of the rest is there
            written(folder / name, lambda part, name=name: shutil.copy(small / name, part))
    return root


def _unpack(path: Path, to: Path) -> None:
    """Write a simulated track in the format of GTZAN."""

    def write(part: Path) -> None:
        soundfile.write(part, *soundfile.read(path, dtype="int16"), subtype="PCM_16", format="WAV")

    written(to / f"{path.stem}.wav", write)


def _write_run(small: Path, run: str, path: Path, seed: list[int]) -> None:
    """Write the events, the sidecar and the image of a run."""
    stem = f"sub-001_task-{run}"
    source = small / "ds003720" / "sub-001" / "func"
    written(path.parent / f"{stem}_events.tsv", lambda part: shutil.copy(source / f"{stem}_events.tsv", part))
    about = {**SIMULATED, "SliceThickness": 2, "RepetitionTime": TR, "TaskName": run.split("_")[0]}
    write_text(path.parent / f"{stem}_bold.json", json.dumps(about | {"SliceTiming": [0] * SHAPE[2]}))
    written(path, lambda part: write_image(part, source / f"{stem}_bold.nii.gz", seed))


def write_image(path: Path | str, source: Path | str, seed: int | list[int]) -> None:
    """Write a simulated run on the scanner's grid, volume by volume, with noise.

    Parameters
    ----------
    path : Path
    source : Path
        Run of the small data.
    seed : int or list of int
    """
    volumes = np.moveaxis(np.asarray(nib.load(source).dataobj, dtype=np.float32), 3, 0)
    rng = np.random.default_rng(seed)
    with open(path, "wb") as file:
        file.write(_header((*SHAPE, len(volumes)), np.int16))
        for volume in volumes:
            large = enlarge(volume[None], SHAPE)[0]
            large += NOISE * rng.standard_normal(large.shape, dtype=np.float32)
            file.write(np.rint(np.hypot(large, np.float32(FLOOR))).astype(np.int16))
        file.flush()
        os.fsync(file.fileno())


def _header(shape: tuple[int, ...], dtype: DTypeLike) -> bytes:
    """Return the 352 bytes before the voxels of a NIfTI-1 file."""
    header = nib.Nifti1Header()
    header.set_data_dtype(dtype)
    header.set_data_shape(shape)
    header.set_zooms((2, 2, 2, TR)[: len(shape)])
    header.set_xyzt_units("mm", "sec")
    header.set_sform(affine_of(shape[:3]), 1)
    header["descrip"] = "simulated by naturalistic_simulation.full_size"
    header["vox_offset"] = 352
    header["magic"] = b"n+1"
    return header.binaryblock + bytes(4)


def _write_anatomy(path: Path) -> None:
    """Write the MNI152 template as large as the release's image (54,526,304 bytes)."""
    shape = (256, 256, 208)
    template, template_affine = mni152_template()
    step = np.linalg.inv(template_affine) @ affine_of(shape) @ np.diag([0.5, 0.5, 0.5, 1])
    step[:3, 3] += step[:3, :3] @ ((np.array(shape) - 1) / 2)  # about the same center, with voxels of 1 mm
    image = affine_transform(template, step[:3, :3], step[:3, 3], shape, order=1)
    path.write_bytes(_header(shape, np.float32) + np.asfortranarray(1000 * image).tobytes(order="F"))
