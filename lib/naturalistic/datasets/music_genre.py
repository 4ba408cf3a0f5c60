"""Music in five brains: OpenNeuro ds003720, 540 clips of ten genres, played in the scanner.

Nakai, Koide-Majima & Nishimoto (2021), Brain and Behavior 11:e01936; CC0. 18 runs a subject (12 of training, 6
of test) of 410 volumes at a TR of 1.5 s. The sound is not in the data set: it is GTZAN's (`datasets.gtzan`).
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from naturalistic.datasets import gtzan
from naturalistic.datasets.bids_files import dataset_root, select_subjects
from naturalistic.datasets.events import CLIP, N_REPEATS, Clip, check_repeats, read_events
from naturalistic.datasets.repeats import stack_repeats_in_runs
from naturalistic.datasets.scans import Scan, find
from naturalistic.parameters import some_of
from naturalistic.simulated import Titled, is_simulated, name_of

TR = 1.5  # s
N_TRS = 410  # volumes of a run as scanned
DRIFT_WINDOW = 240.0  # s of the running median of Denk et al. (2023)
N_DUMMY = 10  # volumes of the dummy clip, which do not count
_TRS_PER_CLIP = round(CLIP / TR)
ATTRIBUTION = "Data: Nakai, Koide-Majima & Nishimoto (2021), OpenNeuro ds003720, CC0. Sound: GTZAN."
SUBJECTS = ("001", "002", "003", "004", "005")
TRAINING = tuple(f"Training_run-{k:02d}" for k in range(1, 13))
TEST = tuple(f"Test_run-{k:02d}" for k in range(1, 7))
_ENDS = ("events.tsv", "bold.json", "bold.nii", "bold.nii.gz")  # files of a run


@dataclass(frozen=True)
class MusicGenre(Titled):
    """What was played, and where its files are.

    Attributes
    ----------
    name : str
    is_simulated : bool
        Whether sound and brains were simulated, and nothing was measured.
    folder : Path
        Root of the BIDS data set.
    audio : Path or None
        GTZAN's folder of genres, where it was found.
    subjects : tuple of str
        Labels, such as ``"001"``.
    runs : tuple of str
        Such as ``"Training_run-01"``, training first.
    clips : list of Clip
        Each once: those of the training runs, then those of the test runs, in the order of play.
    played : dict of str to array (40,)
        By run, which clip (index into ``clips``) was played; the dummy is left out.
    notes : list of str
        What is missing and why; to be shown.
    """

    name: str
    is_simulated: bool
    folder: Path
    audio: Path | None
    subjects: tuple
    runs: tuple
    clips: list
    played: dict
    notes: list
    tr: float = TR
    drift_window: float = DRIFT_WINDOW

    def clip_indices(self, split: str) -> NDArray:
        """Return the indices of the clips of ``"Training"`` or ``"Test"``, in the order of ``clips``."""
        runs = self._of(split)
        if not runs:
            raise ValueError(f"there is no {split} run; the runs are {', '.join(self.runs)}")
        return np.unique(np.concatenate([self.played[run] for run in runs]))

    def scans(self, subject: str, space: str = "raw", derivatives: Path | str | None = None) -> list[Scan]:
        """Return the `Scan` of each run of a subject; see `scans.find` for the spaces."""
        if subject not in self.subjects:
            raise ValueError(f"subject is {subject!r}, expected one of {', '.join(self.subjects)}")
        return [
            find(self.folder, subject, run, space=space, tr=TR, n_trs=N_TRS, derivatives=derivatives)
            for run in self.runs
        ]

    @property
    def n_dropped(self) -> tuple[int, ...]:
        """Return the volumes at the start of each run that do not count: those of the dummy clip."""
        return (N_DUMMY,) * len(self.runs)

    def stack_repeats(self, values: NDArray, runs: NDArray) -> tuple[NDArray, NDArray]:
        """Stack the four repeats of each test run.

        Parameters
        ----------
        values : array (n_trs, n)
            Of test runs, 400 TRs each: the dummy's volumes are dropped.
        runs : array (n_trs,)

        Returns
        -------
        repeats : array (4, n_trs / 4, n)
        runs : array (n_trs / 4,)

        Raises
        ------
        ValueError
            If a run does not divide into four repeats of whole clips.
        """
        return stack_repeats_in_runs(values, runs, N_REPEATS, _TRS_PER_CLIP)

    def clip_of_tr(self, runs: Sequence[str]) -> NDArray:
        """Return the clip (index into ``clips``) played at each TR of the named runs, dummy left out (n_trs,)."""
        return np.concatenate([np.repeat(self.played[run], _TRS_PER_CLIP) for run in runs])

    def __str__(self) -> str:
        """Say what this is, how much, what was left out, and whose it is."""
        n_training, n_test = (len(self._of(split)) for split in ("Training", "Test"))
        lines = [
            f"{self.name}: no brain was measured" if self.is_simulated else self.name,
            f"{len(self.subjects)} subjects x ({n_training} training + {n_test} test runs) x {N_TRS} volumes, "
            f"TR {TR:g} s; {len(self.clips)} clips of {CLIP:g} s",
            *self.notes,
        ]
        return "\n".join(lines if self.is_simulated else [*lines, ATTRIBUTION])

    def _of(self, split: str) -> list[str]:
        return [run for run in self.runs if run.startswith(split)]


def load(
    dataset: Path | str = "simulated",
    *,
    subjects: Sequence[int | str] | str | None = None,
    runs: Sequence[str] | str | None = None,
    audio: Path | str | None = None,
) -> MusicGenre:
    """Open the experiment: events and paths of files, no volume yet.

    Parameters
    ----------
    dataset : str or Path
        ``"simulated"`` (in the cache, where it is made at the first call), or the folder of ds003720 as downloaded.
    subjects : list of int or str, optional
        Such as ``[1, 3]``; all that the folder has by default.
    runs : list of str, optional
        Such as ``["Test_run-01"]``; all that the folder has by default. What is missing is said in ``notes``.
    audio : str or Path, optional
        Folder of GTZAN; by default looked for beside the data set.

    Returns
    -------
    experiment : MusicGenre

    Raises
    ------
    FileNotFoundError, ValueError
        On a folder that is not ds003720, missing events, subjects or runs that do not exist.
    """
    folder = dataset_root(dataset, "ds003720", "music")
    there = tuple(s for s in SUBJECTS if (folder / f"sub-{s}" / "func").is_dir())
    if not there:
        raise FileNotFoundError(f"{folder} has no sub-001/func ... sub-005/func; expected the layout of ds003720")
    subjects = select_subjects(subjects, there, folder, _label)
    notes = []
    runs = _runs_present(folder, subjects, notes) if runs is None else select_runs(runs)
    simulated = is_simulated(folder)
    played = _read_clips(folder, subjects, runs)
    clips = list(dict.fromkeys(clip for run in runs for clip in played[run]))
    index = {clip: k for k, clip in enumerate(clips)}
    audio = gtzan.locate(folder, audio)
    if audio is None:
        fetch = f"naturalistic fetch gtzan --to {shlex.quote(str(folder))}"
        notes.append(f"GTZAN's sound is not beside the data set ({fetch}): no clip can be heard")
    return MusicGenre(
        name=name_of("ds003720") if simulated else "ds003720, Music Genre fMRI",
        is_simulated=simulated,
        folder=folder,
        audio=audio,
        subjects=subjects,
        runs=runs,
        clips=clips,
        played={run: np.array([index[clip] for clip in played[run]]) for run in runs},
        notes=notes,
    )


def _label(subject: int | str) -> str:
    """Return ``"001"`` of 1, "1", "001" or "sub-001"."""
    return f"{int(subject):03d}" if str(subject).isdigit() else str(subject).removeprefix("sub-")


def _runs_present(folder: Path, subjects: Sequence[str], notes: list[str]) -> tuple[str, ...]:
    """Return the runs of which any subject has a file, and note those of which none has."""
    names = {path.name for s in subjects for path in (folder / f"sub-{s}" / "func").iterdir()}
    there = tuple(
        r for r in TRAINING + TEST if any(f"sub-{s}_task-{r}_{end}" in names for s in subjects for end in _ENDS)
    )
    missing = [run for run in TRAINING + TEST if run not in there]
    if not there:
        raise FileNotFoundError(f"{folder / f'sub-{subjects[0]}' / 'func'} has no run; expected the layout of ds003720")
    if missing:
        notes.append(f"{len(missing)} of {len(TRAINING + TEST)} runs are not there: {', '.join(missing)}")
    return there


def select_runs(runs: Sequence[str] | str | None) -> tuple[str, ...]:
    """Return the requested runs, training first."""
    known = TRAINING + TEST
    selected = some_of("runs", runs, known)
    return tuple(run for run in known if run in selected)


def _read_clips(folder: Path, subjects: Sequence[str], runs: Sequence[str]) -> dict[str, list[Clip]]:
    """Return the clips of each run; all subjects' files have to hold the same."""
    missing = [p for s in subjects for r in runs if not (p := _events_path(folder, s, r)).is_file()]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise FileNotFoundError(
            f"{', '.join(map(str, missing[:3]))}{more} missing: expected the events of {len(runs)} "
            "runs of each subject; name those that are whole with subjects=[...]"
        )
    played = {}
    for run in runs:
        by_subject = {s: read_events(_events_path(folder, s, run)) for s in subjects}
        played[run] = by_subject[subjects[0]]
        differ = [s for s in subjects if by_subject[s] != played[run]]
        if differ:
            raise ValueError(
                f"{run}: the clips of sub-{differ[0]} are not those of sub-{subjects[0]}, expected the same"
            )
        if run in TEST:
            check_repeats(_events_path(folder, subjects[0], run), played[run])
    return played


def _events_path(folder: Path, subject: str, run: str) -> Path:
    """Return the place of an event file."""
    return folder / f"sub-{subject}" / "func" / f"sub-{subject}_task-{run}_events.tsv"
