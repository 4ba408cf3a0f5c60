"""Simulated films and scans as files in the layout of ds005531."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from naturalistic_simulation.brain.bids import SIMULATED, _save, write_anatomy
from naturalistic_simulation.brain.head import AFFINE, SHAPE, brightness
from naturalistic_simulation.movie.screenplay import LEVELS, Film, rows

_HEADER = b"MATLAB 7.3 MAT-file, simulated by naturalistic_simulation: no brain was measured"
_COLUMNS = ("luminance", "loudness", "cuts", "n_words")
_CHUNK = 720  # voxels


def write_top(root: Path, readme: str, runs: list[dict], subjects: list[str]) -> None:
    """Write the files of the top level.

    Parameters
    ----------
    root : Path
    readme : str
    runs : list of dict
        The rows of ``runs.tsv``: what the loader needs to know of a film that it does not know.
    subjects : list of str
        Labels.
    """
    root.mkdir()
    (root / "README").write_text(readme, encoding="utf-8")
    (root / "CHANGES").write_text("1.0.0\n  - Simulated\n", encoding="utf-8")
    about = {
        "Name": "Simulated data in the layout of the Narrative Movie fMRI Dataset",
        "BIDSVersion": "v1.9.0",
        "License": "CC0",
        "Authors": ["simulated by naturalistic_simulation.movie"],
    }
    (root / "dataset_description.json").write_text(json.dumps(about, indent=4), encoding="utf-8")
    people = ["participant_id\tage\tsex", *(f"sub-{label}\tn/a\tn/a" for label in subjects)]
    (root / "participants.tsv").write_text("\n".join(people) + "\n", encoding="utf-8")
    table = ["\t".join(runs[0]), *("\t".join(map(str, run.values())) for run in runs)]
    (root / "runs.tsv").write_text("\n".join(table) + "\n", encoding="utf-8")


def write_film(root: Path, run: str, film: Film) -> None:
    """Write the annotations of a run on all levels, and the table of its features.

    Parameters
    ----------
    root : Path
    run : str
        Such as ``"station_run-01"``.
    film : Film
    """
    folder = root / "derivatives" / "annotation"
    folder.mkdir(parents=True, exist_ok=True)
    for level, (kind, _) in LEVELS.items():
        path = folder / f"{run}_{kind}_each1sec.txt"
        path.write_text("\n".join(rows(film, level)) + "\n", encoding="utf-8", newline="\n")
    table = np.stack([getattr(film, name) for name in _COLUMNS], axis=1)
    lines = ["\t".join(_COLUMNS), *("\t".join(f"{value:.6g}" for value in row) for row in table)]
    path = folder / f"{run}_features_each1sec.tsv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def write_subject(root: Path, label: str, mask: NDArray) -> None:
    """Write the anatomy, the reference image of the grid, and the mask of a subject.

    Parameters
    ----------
    root : Path
    label : str
        Such as ``"S01"``.
    mask : bool array (n_all,)
        In the order of ``np.indices(SHAPE)``.
    """
    write_anatomy(root, label, np.eye(4))
    folder = root / "derivatives" / "pycortex_db" / f"sub-{label}" / "transforms" / "fs_fullhead"
    folder.mkdir(parents=True)
    image = np.rint(brightness(np.eye(4))).astype(np.int16).reshape(SHAPE)
    _save(image, AFFINE, folder / "reference.nii.gz")
    (folder / "reference.json").write_text(
        json.dumps(SIMULATED | {"SpatialReference": "MNI152NLin2009cAsym"}), encoding="utf-8"
    )
    folder = _bold_folder(root, label)
    folder.mkdir(parents=True)
    listed = np.flatnonzero(x_fastest(mask)) + 1.0  # MATLAB counts from 1
    _write_mat(folder / "vset_100.mat", "tvoxels", listed[None], "double")


def write_run(root: Path, label: str, run: str, bold: NDArray) -> None:
    """Write the preprocessed volumes of a run.

    Parameters
    ----------
    root : Path
    label, run : str
    bold : float32 array (n_seconds, n_all)
        Voxels in the order of ``np.indices(SHAPE)``.
    """
    path = _bold_folder(root, label) / f"sub-{label}_task-{run}.mat"
    packing = {"chunks": (len(bold), _CHUNK), "compression": "gzip", "compression_opts": 4, "shuffle": True}
    _write_mat(path, "dataDT", x_fastest(bold), "single", **packing)


def x_fastest(values: NDArray) -> NDArray:
    """Return values (..., n_all) of the grid in MATLAB's order of voxels."""
    lead = values.shape[:-1]
    grid = values.reshape(*lead, *SHAPE)
    return grid.transpose(*range(len(lead)), *(len(lead) + axis for axis in (2, 1, 0))).reshape(*lead, -1)


def _bold_folder(root: Path, label: str) -> Path:
    return root / "derivatives" / "preprocessed_data" / f"sub-{label}"


def _write_mat(path: Path, key: str, array: NDArray, kind: str, **packing: Any) -> None:
    """Write one array as a file of its own."""
    with mat_file(path) as file:
        data = file.create_dataset(key, data=array, track_times=False, **packing)
        data.attrs["MATLAB_class"] = np.bytes_(kind)


@contextmanager
def mat_file(path: Path | str) -> Iterator[h5py.File]:
    """Open a MATLAB 7.3 file for writing: HDF5 after a header of 512 bytes."""
    with h5py.File(path, "w", userblock_size=512) as file:
        yield file
    with open(path, "r+b") as file:
        file.write((_HEADER.ljust(124) + b"\x00\x02IM").ljust(512, b"\x00"))
