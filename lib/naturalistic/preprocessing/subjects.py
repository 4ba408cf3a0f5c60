"""Subjects of any experiment, opened in one way: published BOLD as it is, scans through preprocessing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from naturalistic.anatomy.own_cortex import coordinates_by_cortex
from naturalistic.datasets.images import read_volume
from naturalistic.datasets.pycortex import CortexFiles, read_surfaces
from naturalistic.datasets.subject import Subject, Subjects, VoxelCoordinates
from naturalistic.intact import read_json
from naturalistic.preprocessing.registration import to_mni
from naturalistic.preprocessing.store import prepare


def open_subjects(
    experiment: Any, space: str | None = None, *, derivatives: Path | str | None = None, **options: Any
) -> Subjects:
    """Return the subjects of an experiment, each opened at its first use.

    Parameters
    ----------
    experiment : MusicGenre, NarrativeMovie, StudyForrest, Alice or BidsExperiment
        What a data set's ``load`` returns.
    space : str, optional
        ``"raw"`` preprocesses the scans; ``"mni"``, ``"fsaverage5"`` and others take fMRIPrep's output (see
        `scans.find`). By default the BOLD that was published ready for models, and where there is none, raw scans.
    derivatives : Path or str, optional
        fMRIPrep's folder, if it is not the data set's own.
    **options
        Of `prepare`, for scans; by default the experiment's dropped volumes and its window of drift removal.

    Returns
    -------
    subjects : Subjects
        Mapping of label to `Subject`. Coordinates of published volumes come from the registration of the subject's
        reference image to MNI152; without that image, asking for them raises an error with the command to download it.

    Raises
    ------
    TypeError
        If there are options, but nothing to preprocess.
    """
    if space is None and hasattr(experiment, "open_subject"):
        if options or derivatives is not None:
            raise TypeError(f"{', '.join(options) or 'derivatives'}: the published BOLD of {experiment.name} is ready")
        return Subjects(experiment.subjects, partial(_open_published, experiment))
    return Subjects(
        experiment.subjects,
        partial(_prepare_scans, experiment, space or getattr(experiment, "space", "raw"), derivatives, options),
    )


def _prepare_scans(
    experiment: Any, space: str, derivatives: Path | str | None, options: dict[str, Any], label: str
) -> Subject:
    scans = experiment.scans(label, space, derivatives)
    n_dropped = experiment.n_dropped
    if isinstance(n_dropped, Mapping):  # dummy volumes that differ between subjects
        n_dropped = n_dropped[label]
    return prepare(scans, **{"n_dropped": n_dropped, "window": experiment.drift_window, **options})


def _open_published(experiment: Any, label: str) -> Subject:
    subject = experiment.open_subject(label)
    if hasattr(experiment, "cortex_files"):
        return replace(subject, locate=partial(_locate_by_cortex, experiment.cortex_files(label), subject))
    if subject.grid is None or subject.locate is not None:
        return subject
    return replace(subject, locate=partial(_register, experiment, subject))


def _locate_by_cortex(files: CortexFiles, subject: Subject) -> VoxelCoordinates:
    """Return MNI coordinates of a subject's voxels by the subject's own cortex, registered by FreeSurfer."""
    if missing := files.missing(subject.bold.shape[1]):
        raise FileNotFoundError(f"subject {subject.label} has no coordinates: {missing}")
    coordinates = coordinates_by_cortex(subject.grid, *read_surfaces(files))
    return VoxelCoordinates(coordinates, subject.grid.voxel_size)


def _register(experiment: Any, subject: Subject) -> VoxelCoordinates:
    """Return MNI coordinates of a subject's voxels; approximate, by an affine (see `to_mni`).

    The subject's reference image is registered to the template. If the sidecar of that image has
    ``"SpatialReference": "MNI152..."``, the grid is already in MNI152 mm.
    """
    path = experiment.reference_image(subject.label)
    reference, affine = read_volume(path, np.float32)
    matrix = np.eye(4) if _is_in_mni(path) else to_mni(reference, affine)
    scanned = subject.grid
    if scanned is None:
        raise ValueError(f"subject {subject.label} has no voxels: {path} places none")
    grid = replace(scanned, affine=affine, to_mni=matrix)
    return VoxelCoordinates(grid.coordinates, grid.voxel_size)


def _is_in_mni(path: Path) -> bool:
    """Return whether the sidecar of an image says that it lies in MNI152 space."""
    sidecar = path.with_name(path.name.partition(".")[0] + ".json")
    return sidecar.is_file() and str(read_json(sidecar).get("SpatialReference", "")).startswith("MNI152")
