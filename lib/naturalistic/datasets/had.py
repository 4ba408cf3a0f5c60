"""Actions in thirty brains: the Human Action Dataset, OpenNeuro ds004488, with its films.

Zhou et al. (2023), Scientific Data 10:415; CC0. Each of 30 subjects saw 720 films of 2 s, each once: one of each of 180
actions in each of four cycles. Responses are the data set's own estimates in fsLR32k, 59,412 vertices of cortex a film
(``derivatives/ciftify/sub-XX/results/ses-action01_task-action_cycle-N_beta.dscalar.nii``), with the names of the films
beside them. No film repeats, so the ceiling is that of an action: how alike its films are to a brain.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from naturalistic.datasets import video
from naturalistic.datasets.bids_files import select_subjects
from naturalistic.datasets.film_responses import FilmResponses, check_targets, grayordinate_labels
from naturalistic.datasets.images import open_image, read_values, silence_unseen
from naturalistic.parameters import whole
from naturalistic.text_files import read_text

ATTRIBUTION = "Data and films: Zhou et al. (2023), Human Action Dataset, OpenNeuro ds004488, CC0."
CYCLES = (1, 2, 3, 4)
_RESULTS = "derivatives/ciftify"
_ADVICE = "download it again from openneuro.org/datasets/ds004488"


@dataclass(frozen=True)
class HumanActions:
    """Where the files of the experiment are.

    Attributes
    ----------
    folder : Path
        Root of the BIDS data set.
    subjects : tuple of str
        Labels, such as ``"01"``.
    films : dict of str to Path
        Each film by its name without suffix; those that are there.
    """

    folder: Path
    subjects: tuple
    films: dict

    def responses(self, subject: int | str, *, test_cycle: int = 4, targets: ArrayLike | None = None) -> FilmResponses:
        """Return the responses of a subject, one cycle of which is the test set.

        Parameters
        ----------
        subject : int or str
        test_cycle : int
            1 to 4; its 180 films are one of each action.
        targets : int array, optional
            Vertices to keep; all by default.

        Returns
        -------
        responses : FilmResponses
            Each film once, z-scored over the films of its cycle.

        Raises
        ------
        FileNotFoundError, ValueError
            Naming the file: it is missing, cut short, or its labels are not those of its rows.
        """
        test_cycle = whole("test_cycle", test_cycle, 1, len(CYCLES))
        (label,) = select_subjects([subject], self.subjects, self.folder, _label)
        cycles = {cycle: _read_cycle(self.folder, label, cycle, targets) for cycle in CYCLES}
        training = [cycle for cycle in CYCLES if cycle != test_cycle]
        n_stored = cycles[test_cycle][2]
        columns = check_targets(targets, n_stored)
        regions, hemispheres = grayordinate_labels(n_stored)
        return FilmResponses(
            label=label,
            train=np.concatenate([cycles[cycle][0] for cycle in training])[:, None],
            test=cycles[test_cycle][0][:, None],
            train_films=tuple(name for cycle in training for name in cycles[cycle][1]),
            test_films=cycles[test_cycle][1],
            regions=regions[columns],
            hemispheres=hemispheres[columns],
        )

    def responses_by_action(
        self, subject: int | str, *, targets: ArrayLike | None = None
    ) -> tuple[NDArray, tuple[str, ...]]:
        """Return the response to each action in each cycle, and the actions.

        Parameters
        ----------
        subject, targets
            See `responses`.

        Returns
        -------
        values : float32 array (n_cycles, n_actions, n_targets)
            As `inference.noise_ceiling` takes repeats: films of an action are its repeats.
        actions : tuple of str

        Raises
        ------
        FileNotFoundError, ValueError
            See `responses`; also if a cycle has other actions.
        """
        (label,) = select_subjects([subject], self.subjects, self.folder, _label)
        blocks = []
        actions: tuple[str, ...] = ()
        for cycle in CYCLES:
            values, names, _ = _read_cycle(self.folder, label, cycle, targets)
            found = tuple(sorted(action_of(name) for name in names))
            if len(set(found)) < len(found) or actions not in ((), found):
                raise ValueError(f"{_path(self.folder, label, cycle, 'label.txt')}: expected each action once")
            actions = found
            blocks.append(values[np.argsort([action_of(name) for name in names])])
        return np.stack(blocks), actions

    def film(self, name: str, size: video.Size = None, rate: float | None = None) -> NDArray:
        """Return the frames of a film (n, height, width, 3); see `video.read_frames`.

        Raises
        ------
        FileNotFoundError
            If it is not there.
        """
        if name not in self.films:
            raise FileNotFoundError(f"{self.folder} has no stimuli/ACTION/{name}.mp4; {_ADVICE}")
        return video.read_frames(self.films[name], size, rate)

    def __str__(self) -> str:
        """Say how much there is, and whose it is."""
        return f"ds004488: {len(self.subjects)} subjects; {len(self.films)} films of 2 s\n{ATTRIBUTION}"


def load(dataset: Path | str, *, subjects: Sequence[int | str] | None = None) -> HumanActions:
    """Open the experiment: paths of files, no response yet.

    Parameters
    ----------
    dataset : str or Path
        Folder of ds004488 as downloaded.
    subjects : list of int or str, optional
        All that the folder has by default.

    Raises
    ------
    FileNotFoundError, ValueError
        On a folder that is not ds004488, or a subject that is not there.
    """
    folder = Path(dataset).expanduser()
    folder = folder / "ds004488" if (folder / "ds004488").is_dir() else folder
    there = tuple(sorted(path.parent.name[4:] for path in (folder / _RESULTS).glob("sub-*/results")))
    if not there:
        raise FileNotFoundError(f"{folder} has no {_RESULTS}/sub-01/results; expected ds004488: {_ADVICE}")
    films = video.films_in(folder / "stimuli", (".mp4", ".avi", ".npz"))
    return HumanActions(folder, select_subjects(subjects, there, folder, _label), films)


def action_of(name: str) -> str:
    """Return the action of a film, of a name such as ``v_Applying sunscreen_id_xyz``.

    Raises
    ------
    ValueError
        If the name has no such part.
    """
    found = re.match(r"v_(.+?)_id_", name)
    if not found:
        raise ValueError(f"{name!r} names no action, expected a name such as 'v_Archery_id_xyz'")
    return found[1]


def _label(subject: int | str) -> str:
    text = str(subject).removeprefix("sub-")
    return f"{int(text):02d}" if text.isdigit() else text


def _path(folder: Path, label: str, cycle: int, end: str) -> Path:
    return folder / _RESULTS / f"sub-{label}" / "results" / f"ses-action01_task-action_cycle-{cycle}_{end}"


def _read_cycle(
    folder: Path, label: str, cycle: int, targets: ArrayLike | None
) -> tuple[NDArray, tuple[str, ...], int]:
    """Return z-scored responses (n_films, n_targets), the names of the films, and the number of stored targets."""
    path = _path(folder, label, cycle, "beta.dscalar.nii")
    labels = _path(folder, label, cycle, "label.txt")
    for each in (path, labels):
        if not each.is_file():
            raise FileNotFoundError(f"{each} is missing; {_ADVICE}")
    image = open_image(path)
    if image.ndim != 2 or image.shape[0] < 2:
        raise ValueError(f"{path} has shape {image.shape}, expected (n_films, n_vertices); {_ADVICE}")
    columns = check_targets(targets, image.shape[1])
    values = read_values(image, np.float32)[:, columns].astype(np.float64)
    names = tuple(_film_stem(line) for line in read_text(labels).splitlines() if line.strip())
    if len(names) != len(values) or len(set(names)) < len(names):
        raise ValueError(f"{labels} names {len(set(names))} films, expected the {len(values)} rows of {path.name}")
    silence_unseen(values, path, "vertices", _ADVICE)
    values -= values.mean(axis=0)
    sd = values.std(axis=0)
    scaled = np.divide(values, sd, out=np.zeros_like(values), where=sd > 0)
    return scaled.astype(np.float32), names, image.shape[1]


def _film_stem(line: str) -> str:
    """Return the name of a film in a line, without its folder and suffix."""
    name = line.strip().rpartition("/")[2]
    return name.removesuffix(".mp4").removesuffix(".avi")
