"""Films in six brains: OpenNeuro ds005531, nine titles of drama seen in the scanner, and the text of each second.

Yamaguchi, Koide-Majima, Kubo, Nakai & Nishimoto (2024); CC0. 43 runs a subject, a volume a second. Nakagi et al.
(2024, EMNLP) model them from five levels of text, of which three were released (`annotations`). What was shown when,
and what becomes of the 20 s that runs share, is in `movie_runs`.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from naturalistic.datasets import movie_bold
from naturalistic.datasets.annotations import Annotations, AnnotationTable, join_annotations, read_annotation
from naturalistic.datasets.bids import dataset_root
from naturalistic.datasets.movie_runs import (
    SPLITS,
    MovieRun,
    check_level,
    levels_present,
    published_runs,
    read_runs,
    runs_present,
    select_movie_subjects,
    select_runs,
    subjects_present,
)
from naturalistic.datasets.repeats import StackRepeats, repeated_runs
from naturalistic.datasets.scans import Scan, find
from naturalistic.datasets.subject import Subject, VoxelGrid
from naturalistic.simulated import Titled, is_simulated, name_of

TR = 1.0  # s
DRIFT_WINDOW = 120.0  # s of the paper's running median
ATTRIBUTION = "Data: Yamaguchi et al. (2024), OpenNeuro ds005531, CC0; for research only, subjects stay unknown."


@dataclass(frozen=True)
class NarrativeMovie(Titled):
    """What was shown, and where its files are.

    Wherever a method takes ``runs``, that is None (all), ``"Training"``, ``"Test"`` or a list of names; results come
    in the order of ``self.runs``, whatever the order of the list.

    Attributes
    ----------
    name : str
    is_simulated : bool
        Whether film and brains were simulated, and nothing was measured.
    folder : Path
        Root of the BIDS data set.
    subjects : tuple of str
        Labels, such as ``"S01"``; none where only text was fetched.
    runs : tuple of MovieRun
        Training first.
    notes : list of str
        What is missing and why; to be shown.
    """

    name: str
    is_simulated: bool
    folder: Path
    subjects: tuple
    runs: tuple
    notes: list
    tr: float = TR
    drift_window: float = DRIFT_WINDOW

    def select(self, runs: Sequence[str] | str | None = None) -> tuple[MovieRun, ...]:
        """Return some of the runs, as a tuple of `MovieRun`."""
        if runs is None:
            return self.runs
        if isinstance(runs, str) and runs in SPLITS:
            chosen = tuple(run for run in self.runs if run.split == runs)
            if not chosen:
                raise ValueError(f"there is no {runs} run; the runs are {', '.join(run.name for run in self.runs)}")
            return chosen
        return select_runs(runs, self.runs)

    @property
    def n_seconds(self) -> dict[str, int]:
        """Return the seconds of each run that are left without its overlap, by name."""
        return {run.name: run.n_kept for run in self.runs}

    def run_of_tr(self, runs: Sequence[str] | str | None = None) -> NDArray:
        """Return the run of each second, as index into the selected runs (n_trs,)."""
        chosen = self.select(runs)
        return np.repeat(np.arange(len(chosen)), [run.n_kept for run in chosen])

    def is_test(self) -> NDArray:
        """Return whether each second of all runs is of a test run: bool (n_trs,)."""
        return np.repeat([run.split == "Test" for run in self.runs], [run.n_kept for run in self.runs])

    def fold_of_tr(self, runs: Sequence[str] | str | None = "Training") -> NDArray:
        """Return the fold of each second (n_trs,): all of a title are in one."""
        chosen = self.select(runs)
        return np.repeat([run.fold for run in chosen], [run.n_kept for run in chosen])

    def folds(self, runs: Sequence[str] | str | None = "Training") -> list[tuple[NDArray, NDArray]]:
        """Return ``(train, test)`` row indices of each fold by title, to be given as ``cv``."""
        of_tr = self.fold_of_tr(runs)
        folds = np.unique(of_tr)
        if len(folds) < 2:
            titles = ", ".join(sorted({run.title for run in self.select(runs)}))
            raise ValueError(f"{titles} are all of one fold, expected titles of two folds or more")
        return [(np.flatnonzero(of_tr != fold), np.flatnonzero(of_tr == fold)) for fold in folds]

    @property
    def n_dropped(self) -> tuple[int, ...]:
        """Return the volumes at the start of each run that do not count: those that overlap with the run before."""
        return tuple(run.n_overlap for run in self.runs)

    @property
    def repeats(self) -> list[tuple[str, ...]]:
        """Return names of runs that showed the same, as tuples; none in ds005531."""
        again = [(run.repeat_of, run.name) for run in self.runs if run.repeat_of]
        return [(first, *(name for of, name in again if of == first)) for first in dict.fromkeys(of for of, _ in again)]

    @property
    def stack_repeats(self) -> StackRepeats | None:
        """Return the function that stacks the repeats of all test runs, or None where everything was shown once.

        ``stack_repeats(values, runs)`` gives (n_repeats, n_trs of one repeat, n) and the run of each of these TRs.

        Raises
        ------
        ValueError
            If test runs were shown unequally often.
        """
        test = [run for run in self.runs if run.split == "Test"]
        return repeated_runs([run.name for run in test], [run.n_kept for run in test], self.repeats)

    @property
    def levels(self) -> tuple[str, ...]:
        """Return the levels of which there is text, such as ``("Speech", "Object", "Story")``."""
        return levels_present(self.folder, self.runs)

    def annotations(
        self, level: str, runs: Sequence[str] | str | None = None, *, speech: str = "en", vary: bool = False
    ) -> Annotations:
        """Return the text of each second on one level, overlaps dropped.

        Parameters
        ----------
        level : str
            ``"Speech"``, ``"Object"``, ``"Story"``, ``"Summary"`` or ``"TimePlace"``.
        runs
            As above.
        speech : {"en", "ja"}
            Which of two transcriptions of Speech: translated, or as heard. All else is as its annotators wrote it.
        vary : bool
            As `read_annotation`.

        Returns
        -------
        annotations : Annotations

        Raises
        ------
        ValueError, FileNotFoundError
            As `check_level` and `read_annotation`.
        """
        chosen = self.select(runs)
        by_run = {}
        for run, path in zip(chosen, check_level(self.folder, chosen, level, speech)):
            rows = read_annotation(path, run.n_seconds, speech=level == "Speech", vary=vary)
            by_run[run.name] = AnnotationTable(*(None if part is None else part[run.n_overlap :] for part in rows))
        return join_annotations(level, by_run)

    def open_subject(self, label: str, *, progress: bool = True) -> Subject:
        """Return a subject with the preprocessed volumes of the release, z-scored in each run.

        All runs of this experiment are read at the first call (`movie_bold.open_bold`); after it they are a memory map.
        Without ``locate``: `preprocessing.open_subjects` registers the voxels to MNI152.

        Parameters
        ----------
        label : str
        progress : bool

        Returns
        -------
        subject : Subject
        """
        bold = movie_bold.open_bold(self.folder, self._known(label), self.runs, progress)
        names = tuple(run.name for run in self.runs)
        return Subject(label, bold, self.run_of_tr(), names, self.tr, "scanner", grid=self.voxel_grid(label))

    def voxel_grid(self, label: str) -> VoxelGrid:
        """Return the voxels of a subject on the scanner's grid.

        The affine is None where the reference image (part ``pycortex_db``) was not downloaded.

        Parameters
        ----------
        label : str
        """
        flat = movie_bold.read_mask(movie_bold.mask_path(self.folder, self._known(label)))
        shape, affine = movie_bold.grid(self.folder, label)
        return VoxelGrid(np.stack(np.unravel_index(flat, shape, order="F"), axis=1), shape, affine, to_mni=None)

    def reference_image(self, label: str) -> Path:
        """Return the image of a subject that says where the voxels lie.

        Raises
        ------
        FileNotFoundError
            If it was not downloaded, with the command that downloads it.
        """
        path = movie_bold.reference_path(self.folder, self._known(label))
        if not path.is_file():
            raise FileNotFoundError(
                f"{path} is missing: it says where the voxels lie; download it (naturalistic fetch ds005531 "
                f"--subject {label} --parts pycortex_db --to {shlex.quote(str(self.folder))})"
            )
        return path

    def scans(self, subject: str, space: str = "raw", derivatives: Path | str | None = None) -> list[Scan]:
        """Return the `Scan` of each run of a subject, whole; see `scans.find` for the spaces.

        For `preprocessing.prepare(scans, n_dropped=movie.n_dropped, window=movie.drift_window)`.
        """
        more = {"space": space, "tr": TR, "derivatives": derivatives}
        return [find(self.folder, self._known(subject), run.name, n_trs=run.n_seconds, **more) for run in self.runs]

    def __str__(self) -> str:
        """Say what this is, how much, what was left out, and whose it is."""
        n_s = {split: sum(run.n_kept for run in self.runs if run.split == split) for split in SPLITS}
        lines = [
            f"{self.name}: no brain was measured" if self.is_simulated else self.name,
            f"{len(self.subjects)} subjects x {len(self.runs)} runs of {len({run.title for run in self.runs})} titles, "
            f"TR {TR:g} s; {n_s['Training']:,} s of training, {n_s['Test']:,} s of test",
            f"levels: {', '.join(self.levels) or 'none'}",
            *self.notes,
        ]
        return "\n".join(lines if self.is_simulated else [*lines, ATTRIBUTION])

    def _known(self, subject: str) -> str:
        if subject not in self.subjects:
            raise ValueError(f"subject is {subject!r}, expected one of {', '.join(self.subjects) or 'none'}")
        return subject


def load(
    dataset: Path | str = "simulated",
    *,
    subjects: Sequence[int | str] | str | None = None,
    runs: Sequence[str] | str | None = None,
    overlap: str = "authors",
) -> NarrativeMovie:
    """Open the experiment: its runs and paths of files, no volume yet.

    Parameters
    ----------
    dataset : str or Path
        ``"simulated"`` (in the cache, where it is made at the first call), or the folder of ds005531 as downloaded.
    subjects : list of int or str, optional
        Such as ``[1, "S03"]``; all that the folder has by default.
    runs : list of str, optional
        Such as ``["crown_run-01"]``; all that the folder has by default. What is missing is said in ``notes``.
    overlap : {"authors", "paper"}
        What becomes of the 20 s that runs share: see `movie_runs`. A folder with a ``runs.tsv`` says so itself.

    Returns
    -------
    experiment : NarrativeMovie

    Raises
    ------
    FileNotFoundError, ValueError
        On a folder that is not ds005531, or subjects or runs that do not exist.
    """
    table = published_runs(overlap)  # an unknown rule is said before anything is made
    folder = dataset_root(dataset, "ds005531", "movie")
    simulated = is_simulated(folder)
    if (folder / "runs.tsv").is_file():  # films of its own
        table = read_runs(folder / "runs.tsv")
    notes = []
    there = runs_present(folder, table, notes) if runs is None else select_runs(runs, table)
    subjects = select_movie_subjects(subjects, subjects_present(folder), folder)
    if not subjects:
        notes.append("no subject is there: only what was shown can be read")
    return NarrativeMovie(
        name=name_of("ds005531") if simulated else "ds005531, narrative movies",
        is_simulated=simulated,
        folder=folder,
        subjects=subjects,
        runs=there,
        notes=notes,
    )
