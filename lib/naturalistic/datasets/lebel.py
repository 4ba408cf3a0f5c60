"""Stories in brains of LeBel et al. (2023), OpenNeuro ds003020: series ready for models, and the words of each story.

LeBel, Wagner, Jain et al. (2023), Scientific Data 10:555: 84 stories, up to 8 subjects, TR 2 s. The series of a story
is ``derivative/preprocessed_data/UTS0X/STORY.hf5``, its words ``derivative/TextGrids/STORY.TextGrid``. CC0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from naturalistic.cache import cache_dir, content_key, folder_lock, put_in_place
from naturalistic.datasets import bold_store
from naturalistic.datasets.bids_files import select_subjects
from naturalistic.datasets.images import silence_unseen
from naturalistic.datasets.pycortex import CortexFiles, voxels_of_mask
from naturalistic.datasets.subject import Subject, VoxelGrid
from naturalistic.datasets.transcripts import read_transcript
from naturalistic.datasets.words import Transcript
from naturalistic.simulated import Titled, is_simulated, name_of

ACCESSION = "ds003020"
TR = 2.0  # s
# the sound began 10 s into the scan, and the published series begin 10 s later still
FIRST_TR = 5  # volumes of the sound's clock before the series begin
SERIES = Path("derivative") / "preprocessed_data"
TEXTGRIDS = Path("derivative") / "TextGrids"
PYCORTEX = Path("derivative") / "pycortex-db"
FREESURFER = Path("derivative") / "freesurfer_subjdir"
_KEY = "data"
_REPEATS = "individual_repeats"  # of the story that was heard ten times, whose data are the mean


@dataclass(frozen=True, eq=False)
class LeBel(Titled):
    """Subjects and stories of the data set; `preprocessing.open_subjects` opens them.

    Attributes
    ----------
    name : str
    is_simulated : bool
    folder : Path
    subjects : tuple of str
    stories : dict of str to tuple of str
        By subject, those whose series and words are there.
    tr : float
        Repetition time, s.
    notes : list of str
    """

    name: str
    is_simulated: bool
    folder: Path
    subjects: tuple[str, ...]
    stories: Mapping[str, tuple[str, ...]]
    tr: float
    notes: list[str]

    def transcript(self, story: str) -> Transcript:
        """Return the words of a story; times are s since its sound began.

        Parameters
        ----------
        story : str
        """
        return read_transcript(self.folder / TEXTGRIDS / f"{story}.TextGrid", tier="word")

    def transcripts(self) -> dict[str, Transcript]:
        """Return the words of all stories, by the name of the run."""
        return {story: self.transcript(story) for story in sorted({s for each in self.stories.values() for s in each})}

    def open_subject(self, label: str) -> Subject:
        """Return a subject: each story a run, z-scored in it.

        The first time the series are written into one file in the cache.

        Parameters
        ----------
        label : str
            Such as ``"UTS01"``.
        """
        if label not in self.subjects:
            raise ValueError(f"subject is {label!r}, expected one of {', '.join(self.subjects)}")
        stories = self.stories[label]
        shapes = [self.shape(label, story) for story in stories]
        if len({n_voxels for _, n_voxels in shapes}) > 1:
            listed = ", ".join(f"{story} {n_voxels:,}" for story, (_, n_voxels) in zip(stories, shapes))
            raise ValueError(f"stories of {label} have different voxels ({listed}), expected the same in all")
        n_voxels = shapes[0][1]
        folder = self._stored(label, [n_trs for n_trs, _ in shapes], n_voxels)
        return Subject(
            label=label,
            bold=bold_store.open_matrix(folder),
            runs=np.repeat(np.arange(len(stories)), [n_trs for n_trs, _ in shapes]),
            run_names=stories,
            tr=self.tr,
            space="raw",  # that of the scan: no two subjects share it
            first_trs=(FIRST_TR,) * len(stories),
            grid=self._grid(label, n_voxels),
            folder=folder,
        )

    def cortex_files(self, label: str) -> CortexFiles:
        """Return where the files lie that place a subject's columns on the cortex; they need not be there.

        Parameters
        ----------
        label : str
        """
        return CortexFiles(self.folder / PYCORTEX / label, f"{label}_auto", self.folder / FREESURFER / label)

    def _grid(self, label: str, n_voxels: int) -> VoxelGrid | None:
        """Return the voxels of the columns, or None where they are not known: scores do not need them."""
        try:
            return voxels_of_mask(self.cortex_files(label), n_voxels)
        except ValueError:
            return None  # `CortexFiles.missing` says why

    def shape(self, label: str, story: str) -> tuple[int, int]:
        """Return the TRs and voxels of a series by its header.

        Parameters
        ----------
        label : str
        story : str
        """
        path = self.series(label, story)
        with _open(path) as file:
            shape = file[_KEY].shape
        if len(shape) != 2 or not all(shape):
            raise ValueError(f"{path}: {_KEY!r} has shape {shape}, expected (n_trs, n_voxels)")
        return int(shape[0]), int(shape[1])

    def repeats(self, label: str, story: str) -> NDArray | None:
        """Return the repeats of a story (n_repeats, n_trs, n_voxels), or None where its file has only their mean.

        Parameters
        ----------
        label : str
        story : str
        """
        with _open(self.series(label, story)) as file:
            return np.asarray(file[_REPEATS], dtype=np.float32) if _REPEATS in file else None

    def series(self, label: str, story: str) -> Path:
        """Return the file of a series.

        Parameters
        ----------
        label : str
        story : str
        """
        return self.folder / SERIES / label / f"{story}.hf5"

    def _stored(self, label: str, n_trs: Sequence[int], n_voxels: int) -> Path:
        """Return the folder of a subject's series in one matrix, written if it is not there."""
        paths = [self.series(label, story) for story in self.stories[label]]
        state = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
        place = cache_dir() / "lebel" / f"{label}-{content_key(state)[:12]}"
        if not place.is_dir():
            part = place.with_name(place.name + ".part")
            with folder_lock(part):
                if not place.is_dir():
                    bold_store.write_runs(part, n_trs, n_voxels, lambda k: _read(paths[k]), f"read {label}")
                    put_in_place(part, place)
        return place

    def __str__(self) -> str:
        """Return what this is, how much, and what is missing."""
        n_stories = [len(stories) for stories in self.stories.values()]
        first = f"{self.name}: no brain was measured" if self.is_simulated else self.name
        counts = " to ".join(map(str, sorted({min(n_stories), max(n_stories)})))
        people = f"{len(self.subjects)} subject{'s'[: len(self.subjects) != 1]}"
        return "\n".join([first, f"{people}, {counts} stories, TR {self.tr:g} s", *self.notes])


def is_layout(folder: Path | str) -> bool:
    """Return whether a folder has the series of this data set.

    Parameters
    ----------
    folder : Path or str
    """
    return (Path(folder).expanduser() / SERIES).is_dir()


def load(
    folder: Path | str, *, subjects: Sequence[int | str] | str | None = None, stories: Sequence[str] | None = None
) -> LeBel:
    """Open the data set.

    Parameters
    ----------
    folder : Path or str
        Root of the data set, with those series and TextGrids that were downloaded.
    subjects : list of str, optional
        Such as ``["UTS03"]``; all by default.
    stories : list of str, optional
        All by default whose series and words are there.

    Returns
    -------
    lebel : LeBel

    Raises
    ------
    FileNotFoundError
        If there is no series, or a named story is not there.
    ValueError
        If a subject is not there.
    """
    folder = Path(folder).expanduser()
    if not is_layout(folder):
        raise FileNotFoundError(f"{folder / SERIES} is not a folder; expected {ACCESSION} with its derivatives")
    labels = tuple(sorted(path.name for path in (folder / SERIES).iterdir() if path.is_dir()))
    chosen = select_subjects(subjects, labels, folder / SERIES, lambda label: str(label).removeprefix("sub-"))
    there = {}
    notes = []
    for label in chosen:
        names = sorted(path.stem for path in (folder / SERIES / label).glob("*.hf5"))
        broken = [name for name in names if not (folder / SERIES / label / f"{name}.hf5").is_file()]
        silent = [name for name in names if not (folder / TEXTGRIDS / f"{name}.TextGrid").is_file()]
        absent = [name for name in stories or () if name not in names or name in {*broken, *silent}]
        if absent:
            raise FileNotFoundError(
                f"{', '.join(absent)}: the series of {label} or the TextGrid is not there; fetch both, or name others"
            )
        for what, lacking in (("only named (git-annex), fetch them", broken), ("without a TextGrid", silent)):
            if lacking and stories is None:
                notes.append(f"{label}: {len(lacking)} series are {what}: {', '.join(lacking[:3])}")
        usable = [name for name in names if name not in {*broken, *silent}]
        there[label] = tuple(name for name in usable if stories is None or name in stories)
        if not there[label]:
            raise FileNotFoundError(f"{folder / SERIES / label} has no series with a TextGrid; {'; '.join(notes)}")
    simulated = is_simulated(folder)
    name = name_of(ACCESSION) if simulated else f"Stories of LeBel et al. ({ACCESSION})"
    return LeBel(name, simulated, folder, chosen, there, TR, notes)


def _open(path: Path) -> h5py.File:
    """Open a file of series that has them under their key."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: expected the series of a story; fetch it (git-annex)")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise ValueError(f"{path} is damaged or was cut short ({error}); fetch it again") from error
    if _KEY not in file:
        keys = ", ".join(file)
        file.close()
        raise ValueError(f"{path} has the keys {keys}, expected {_KEY!r}: series (n_trs, n_voxels)")
    return file


def _read(path: Path) -> NDArray:
    """Return a series z-scored over time, 0 where a voxel has none."""
    with _open(path) as file:
        try:
            bold = np.asarray(file[_KEY], dtype=np.float32)
        except OSError as error:
            raise ValueError(f"{path} is damaged or was cut short ({error}); fetch it again") from error
    silence_unseen(bold, path, "voxels", "fetch it again")
    bold -= bold.mean(axis=0, dtype=np.float64).astype(np.float32)
    sd = bold.std(axis=0, dtype=np.float64).astype(np.float32)
    return bold / np.where(sd > 0, sd, 1)
