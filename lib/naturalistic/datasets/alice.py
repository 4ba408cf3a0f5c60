"""*Alice in Wonderland* in 27 brains: fMRI of people who listened to the first chapter.

Brennan, Stabler, Van Wagenen, Luh & Hale (2016), Brain & Language 157-158:81-94: 362 TRs of 2 s, the mean
signal of six spheres, motion, word rate, sound power, and a hand-corrected word time line. CC BY 4.0.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from naturalistic import simulated
from naturalistic.cache import cache_dir
from naturalistic.datasets.download import DownloadError, download_manifest
from naturalistic.datasets.subject import Subject
from naturalistic.datasets.words import PAUSES, Transcript, read_textgrid
from naturalistic.parameters import checked
from naturalistic.simulated import Titled
from naturalistic.text_files import read_text

ROIS = ("LATL", "RATL", "LPTL", "LIPL", "LPreM", "LIFG")
TR = 2.0  # s
N_TRS = 362
N_DISCARDED = 10  # volumes that the motion and the generic predictors still have, and the time courses lack
STORY_START = N_DISCARDED * TR  # s of the TextGrid's clock at which TR 0 begins: 20 s of silence came first
# leave-one-out correlation by region, known before any model: 10-mm spheres, 27 listeners, high-pass 0.008 Hz
KNOWN_LEAVE_ONE_OUT = (0.27, 0.22, 0.45, 0.25, 0.24, 0.21)
ATTRIBUTION = (
    "Data: Brennan, Stabler, Van Wagenen, Luh & Hale (2016), Brain & Language 157-158:81-94, "
    "shared by Jonathan Brennan under CC BY 4.0 (creativecommons.org/licenses/by/4.0)."
)
ADDRESS = (
    "https://raw.githubusercontent.com/daandouwe/Thesis/ec54039b6ac5ad7bf8c81b91768108e5be5c1ce0/"
    "brain-data/syntax-in-rnng"
)
TEXTGRID = "alice_stim_shared/DownTheRabbitHoleFinal_exp120_pad_1.TextGrid"
# a copy of the TextGrid in circulation stops after 298,496 of its 301,992 bytes, 28 intervals early
CUT_TEXTGRID = "fead733c77de2ba50919bf2594c86119d09c6f2124cee5b1f7c69543341c4e0c"


@dataclass(frozen=True)
class Alice(Titled):
    """The experiment in memory; time is in s from the first TR.

    Attributes
    ----------
    name : str
    is_simulated : bool
        Whether story and brains were simulated, and nothing was measured.
    folder : Path
    subjects : list of str
    rois : tuple of str
    tr : float
        s.
    bold : array (n_subjects, n_trs, n_rois)
        Mean signal of each sphere, as published.
    motion : array (n_subjects, n_trs, 6)
        Translations in mm and rotations in rad.
    word_rate, sound_power : array (n_trs,)
        As published: convolved with a haemodynamic response; here z-scored.
    words : list of str
    onsets, offsets : array (n_words,)
    covered : array of bool (n_trs,)
        TRs whose middle the transcript reaches.
    runs : array (n_trs,)
        One run.
    notes : list of str
        What was left out and why; to be shown.
    """

    name: str
    is_simulated: bool
    folder: Path
    subjects: list
    rois: tuple
    tr: float
    bold: np.ndarray
    motion: np.ndarray
    word_rate: np.ndarray
    sound_power: np.ndarray
    words: list
    onsets: np.ndarray
    offsets: np.ndarray
    covered: np.ndarray
    runs: np.ndarray
    notes: list

    def open_subject(self, label: str) -> Subject:
        """Return one subject: the mean signal of each region, as published.

        Parameters
        ----------
        label : str
            Such as ``"s18"``.
        """
        if label not in self.subjects:
            raise ValueError(f"subject is {label!r}, expected one of {', '.join(self.subjects)}")
        k = self.subjects.index(label)
        return Subject(label, self.bold[k], self.runs, ("story",), self.tr, "regions", motion=self.motion[k])

    @property
    def tr_times(self) -> NDArray:
        """Return the start of each TR in s (n_trs,)."""
        return np.arange(len(self.runs)) * self.tr

    @property
    def is_whole(self) -> NDArray:
        """Whether these are the published data with every subject that has a signal."""
        return not self.is_simulated and len(self.subjects) == 27

    def __str__(self) -> str:
        """Say what this is, its shapes, what was left out, and whose it is."""
        shape = " x ".join(map(str, self.bold.shape))
        lines = [
            f"{self.name}: no brain was measured" if self.is_simulated else self.name,
            f"bold: {shape} (n_subjects, n_trs, n_rois), TR {self.tr:g} s; {len(self.words)} words",
            *self.notes,
        ]
        return "\n".join(lines if self.is_simulated else [*lines, ATTRIBUTION])


def load(
    dataset: Path | str = "alice",
    *,
    radius: int = 10,
    subjects: Sequence[int | str] | str | None = None,
    fallback: str | None = None,
) -> Alice:
    """Open the experiment.

    Parameters
    ----------
    dataset : str or Path
        ``"alice"`` (see `locate`), ``"simulated"``, or a folder in the published layout.
    radius : {10, 6}
        Radius of the spheres in mm.
    subjects : list of str, optional
        Such as ``["s18", "s22"]``, or the text of such a list; all by default.
    fallback : {"simulated"}, optional
        What is opened where ``"alice"`` cannot be had; the first line of output says so.

    Returns
    -------
    alice : Alice

    Raises
    ------
    FileNotFoundError, ValueError
        On a missing or damaged file, a subject that is not there or asked for twice, or no subject with a signal.
    """
    subjects = None if subjects is None else checked("subjects", subjects, [str], example=["s18", "s22"])
    if radius not in (6, 10):
        raise ValueError(f"radius is {radius!r}, expected 10 or 6 (mm)")
    if fallback not in (None, simulated.NAME):
        raise ValueError(f"fallback is {fallback!r}, expected None or {simulated.NAME!r}")
    if simulated.is_requested(dataset):
        folder = simulated.simulate("story")
    else:
        folder = locate(fallback) if str(dataset) == "alice" else Path(dataset).expanduser()
    data = folder / "alice_data_shared"
    found = sorted(p.name.split("-")[0] for p in (data / f"{radius}mm").glob("s*-timecourses.txt"))
    if not found:
        raise FileNotFoundError(f"{data / f'{radius}mm'} has no sNN-timecourses.txt; expected the Alice data's layout")
    unknown = sorted(set(subjects or ()) - set(found))
    if unknown:
        raise ValueError(f"subjects {unknown} are not in {data}; there are {', '.join(found)}")
    if len(set(subjects or ())) < len(subjects or ()):
        raise ValueError(f"subjects {', '.join(subjects)}: expected each once, who comes twice would count twice")
    return _read(folder, data, radius, list(subjects or found))


def _read(folder: Path, data: Path, radius: int, subjects: list[str]) -> Alice:
    notes = []
    bold = {s: _table(data / f"{radius}mm" / f"{s}-timecourses.txt", len(ROIS)) for s in subjects}
    empty = [s for s in subjects if not bold[s].any()]
    if empty:
        notes.append(f"{', '.join(empty)}: left out, every value is zero")
    subjects = [s for s in subjects if s not in empty]
    if not subjects:
        raise ValueError(f"no subject of {data} has a signal: {', '.join(empty)} are zero everywhere")
    transcript = _transcript(folder / TEXTGRID, notes)
    is_simulated = simulated.is_simulated(folder, "alice_data_shared/README.txt")
    onsets = transcript.onsets - STORY_START
    offsets = transcript.offsets - STORY_START
    covered = (np.arange(N_TRS) + 0.5) * TR <= transcript.end - STORY_START
    if not covered.all():
        notes.append(f"{(~covered).sum()} of {N_TRS} TRs at the end have no transcript and are not modeled")
    return Alice(
        name=simulated.name_of("Alice") if is_simulated else "Alice in Wonderland",
        is_simulated=is_simulated,
        folder=folder,
        subjects=subjects,
        rois=ROIS,
        tr=TR,
        bold=np.stack([bold[s] for s in subjects]).astype(np.float32),
        motion=np.stack([_motion(data, s) for s in subjects]).astype(np.float32),
        word_rate=_shared(data, subjects, "rate"),
        sound_power=_shared(data, subjects, "sndpwr"),
        words=transcript.words,
        onsets=onsets,
        offsets=offsets,
        covered=covered,
        runs=np.zeros(N_TRS, dtype=int),
        notes=notes,
    )


def _transcript(path: Path, notes: list[str]) -> Transcript:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: expected the word time line of the Alice data")
    known_cut = _sha256(path) == CUT_TEXTGRID
    transcript = read_textgrid(path, allow_cut=known_cut)
    if known_cut:
        notes.append(
            f"{path.name} is a known cut copy: its last {transcript.missing} intervals are missing "
            f"(the transcript stops at {transcript.end - STORY_START:.1f} s)"
        )
    if transcript.n_noises:
        marks = ", ".join(f"{mark} ({n})" for mark, n in transcript.left_out.items() if mark.lower() not in PAUSES)
        notes.append(f"{transcript.n_noises} intervals of the transcript are marks of the aligner, no words: {marks}")
    return transcript


def _table(path: Path, n_columns: int, n_rows: int = N_TRS) -> NDArray:
    """Read a text table of numbers and check its shape."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: expected {n_rows} rows of {n_columns} numbers")
    lines = read_text(path).splitlines()
    if not any(line.strip() for line in lines):
        raise ValueError(f"{path} is empty, expected {n_rows} rows of {n_columns} numbers")
    try:
        table = np.loadtxt(lines, ndmin=2)
    except ValueError as error:
        raise ValueError(f"{path} is not a table of numbers: {error}") from error
    if table.shape != (n_rows, n_columns):
        raise ValueError(
            f"{path} has {table.shape[0]} rows and {table.shape[1]} columns, expected {n_rows} and {n_columns}"
        )
    if not np.isfinite(table).all():
        raise ValueError(f"{path} has {(~np.isfinite(table)).sum()} values that are NaN or infinite")
    return table


def _motion(data: Path, subject: str) -> NDArray:
    paths = sorted(data.glob(f"{subject}-rp_*.txt"))
    if len(paths) != 1:
        raise FileNotFoundError(f"{data} has {len(paths)} files {subject}-rp_*.txt, expected one with the motion")
    return _table(paths[0], 6, N_TRS + N_DISCARDED)[N_DISCARDED:]


def _shared(data: Path, subjects: Sequence[str], name: str) -> NDArray:
    """Mean over subjects of a stimulus regressor; it differs between their files by a scale only."""
    columns = np.stack([_table(data / f"{s}-{name}.txt", 1)[:, 0] for s in subjects])
    columns -= columns.mean(axis=1, keepdims=True)
    sd = columns.std(axis=1, keepdims=True)
    if not sd.all():
        raise ValueError(f"{data}: {subjects[int(np.argmin(sd))]}-{name}.txt is constant")
    return (columns / sd).mean(axis=0).astype(np.float32)


def manifest() -> dict[str, str]:
    """Return the SHA-256 of each published file, by its path."""
    return read_manifest(files("naturalistic.datasets") / "alice_sha256.txt")


def read_manifest(path: Any) -> dict[str, str]:
    """Return ``{relative path: SHA-256}`` from a text file with one ``hash path`` a line."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return {name: digest for digest, name in (line.split(maxsplit=1) for line in lines if line.strip())}


def locate(fallback: str | None = None) -> Path:
    """Return the folder of the published data, downloading it if it must.

    Looked for in ``$NATURALISTIC_DATA/alice``, then in the cache, then at the public copy. Every file is
    compared with its SHA-256.

    Parameters
    ----------
    fallback : {"simulated"}, optional
        What stands in for the data where they are not to be had.

    Raises
    ------
    ValueError
        If a file of ``$NATURALISTIC_DATA/alice`` is missing or is not the published one.
    DownloadError
        If the data are nowhere and there is no ``fallback``.
    """
    own = os.environ.get("NATURALISTIC_DATA")
    if own and (Path(own).expanduser() / "alice").is_dir():
        folder = Path(own).expanduser() / "alice"
        check_published(folder)
        return folder
    if own:
        print(f"$NATURALISTIC_DATA ({own}) has no folder alice; looking in the cache and at the public copy.")
    folder = cache_dir() / "alice"
    try:
        return download_manifest(manifest(), ADDRESS, folder)
    except DownloadError as error:
        if fallback is None:
            raise
        print(f"SIMULATED DATA: the Alice data are not to be had here, what follows is no brain's. ({error})")
        return simulated.simulate("story")


def check_published(folder: Path) -> None:
    """Compare the files of a folder with the published ones, by SHA-256.

    Raises
    ------
    FileNotFoundError, ValueError
        If one is missing, or is another one.
    """
    published = manifest()
    missing = [name for name in published if not (folder / name).is_file()]
    if missing:
        raise FileNotFoundError(
            f"{folder} lacks {len(missing)} of {len(published)} files of the Alice data: {', '.join(missing[:5])}"
            f"{' ...' if len(missing) > 5 else ''}; copy them there, or unset $NATURALISTIC_DATA if it leads here"
        )
    wrong = [name for name in published if _sha256(folder / name) not in (published[name], _known_cut(name))]
    if wrong:
        raise ValueError(
            f"{folder}: {', '.join(wrong[:5])}{' ...' if len(wrong) > 5 else ''} "
            "is not the published file (another SHA-256); fetch it again, or open it with load(folder)"
        )


def _known_cut(name: str) -> str | None:
    return CUT_TEXTGRID if name == TEXTGRID else None


def _sha256(path: Path) -> str:
    import pooch

    return pooch.file_hash(str(path), alg="sha256")
