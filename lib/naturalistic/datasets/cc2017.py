"""Eleven hours of film in three brains: cc2017, the data of most published film reconstruction.

Wen et al. (2018), Cerebral Cortex 28:4136; Purdue University Research Repository, doi 10.4231/R7SF2TCW, CC0. 18
training segments of 8 min were shown twice and 5 test segments ten times, TR 2 s, which no header states. A run has 245
or 246 volumes: 1 or 2 before the film, 240 of it, and 4 after it. A segment is cut into pieces of 2 s, and each is
paired with the volume 4 s later, so that the last pieces take volumes of those after the film: 4,320 pieces of training
and 1,200 of test. Neighboring pieces are similar: what is permuted is the segment (``blocks``), not the piece.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from naturalistic.datasets import video
from naturalistic.datasets.bids_files import select_subjects
from naturalistic.datasets.film_responses import N_CORTEX, FilmResponses, check_targets, grayordinate_labels
from naturalistic.datasets.images import mask_on_grid, open_image, read_values, silence_unseen
from naturalistic.parameters import some_of

ATTRIBUTION = "Data: Wen et al. (2018), Purdue University Research Repository, doi 10.4231/R7SF2TCW, CC0."
TR = 2.0  # s
DELAY = 4.0  # s
N_PIECES = 240  # of a segment
N_AFTER = 4  # volumes after the film
N_BEFORE = {245: 1, 246: 2}  # volumes of a run -> of them before the film
TRAINING = tuple(f"seg{k}" for k in range(1, 19))
TEST = tuple(f"test{k}" for k in range(1, 6))
N_REPEATS = (2, 10)  # of a training and a test segment
TREND_ORDER = 4  # of the polynomial that the data's authors take out of each run
_ADVICE = "download it again from doi.org/10.4231/R7SF2TCW"
_PLACES = ("", "video_fmri_dataset", "*/video_fmri_dataset", "*/*/video_fmri_dataset")
# in which words a run's name ends; that of run 9 of test1 of subject 1 has a dot
_ENDS = {"cifti": ("_Atlas.dtseries.nii",), "mni": ("_mni.nii.gz", ".mni.nii.gz", "_mni.nii")}


@dataclass(frozen=True)
class Cc2017:
    """Where the files of the experiment are.

    Attributes
    ----------
    folder : Path
    subjects : tuple of str
        ``"1"`` to ``"3"``, those that are there.
    segments : dict of str to Path
        Film of each segment, those that are there.
    """

    folder: Path
    subjects: tuple
    segments: dict

    def responses(
        self,
        subject: int | str,
        *,
        segments: Sequence[str] | None = None,
        space: Literal["cifti", "mni"] = "cifti",
        targets: ArrayLike | None = None,
        mask: Path | str | None = None,
        delay: float = DELAY,
        trend_order: int = TREND_ORDER,
        n_repeats: tuple[int, int] = N_REPEATS,
    ) -> FilmResponses:
        """Return the responses of a subject to pieces of 2 s.

        Parameters
        ----------
        subject : int or str
        segments : list of str, optional
            Such as ``["seg1", "seg2", "test1"]``; all of them by default. Of both kinds there has to be one.
        space : {"cifti", "mni"}
            Grayordinates of fsLR32k, or voxels of MNI space.
        targets : int array, optional
            Grayordinates to keep; the 59,412 of cortex by default, which takes 5 GB.
        mask : str or Path, optional
            Image of the voxels to keep; needed for ``"mni"``.
        delay : float
            s from a piece to its volume: a multiple of 2 from 0 to 8.
        trend_order : int
            Order of the polynomial that is taken out of each run.
        n_repeats : (int, int)
            Runs of each training and each test segment.

        Returns
        -------
        responses : FilmResponses
            z-scored in each run. Films are called ``"seg1_000"`` ... ``"seg1_239"``, and blocks are segments.

        Raises
        ------
        FileNotFoundError, ValueError
            Naming the file: it is missing, cut short, or has another number of volumes or grayordinates.
        """
        (label,) = select_subjects([subject], self.subjects, self.folder, _label)
        known = TRAINING + TEST
        selected = known if segments is None else some_of("segments", segments, known)
        by_split = [[each for each in selected if each in of] for of in (TRAINING, TEST)]
        if not all(by_split):
            raise ValueError(f"segments are {', '.join(selected)}, expected one or more of seg1 ... and of test1 ...")
        if (space == "mni") != (mask is not None):
            raise ValueError(f'space is {space!r} and mask {mask}, expected a mask for "mni" and none for "cifti"')
        first = _first_volume(delay)
        place = _find(self.folder, f"subject{label}/fmri") or self.folder
        reader = _Reader(place, space, targets, mask, first, trend_order)
        values = [reader.read(names, n) for names, n in zip(by_split, n_repeats)]
        regions, hemispheres = reader.labels()
        return FilmResponses(
            label=label,
            train=values[0],
            test=values[1],
            train_films=piece_names(by_split[0]),
            test_films=piece_names(by_split[1]),
            regions=regions,
            hemispheres=hemispheres,
            train_blocks=np.repeat(by_split[0], N_PIECES),
            test_blocks=np.repeat(by_split[1], N_PIECES),
        )

    def film(self, name: str, size: video.Size = None, rate: float | None = None) -> NDArray:
        """Return the frames of a piece, such as ``"seg1_000"``; see `video.read_frames`.

        Raises
        ------
        FileNotFoundError, ValueError
            If the film of its segment is not there, or it names no piece.
        """
        found = re.fullmatch(r"((?:seg|test)\d+)_(\d{3})", name)
        if not found or int(found[2]) >= N_PIECES:
            raise ValueError(f"{name!r} names no piece, expected one such as 'seg1_000' ... 'seg1_{N_PIECES - 1}'")
        if found[1] not in self.segments:
            raise FileNotFoundError(f"{self.folder} has no stimuli/{found[1]}.mp4; {_ADVICE}")
        start = int(found[2]) * TR
        return video.read_frames(self.segments[found[1]], size, rate, start, start + TR)

    def __str__(self) -> str:
        """Say how much there is, and whose it is."""
        return f"cc2017: {len(self.subjects)} subjects, films of {len(self.segments)} segments\n{ATTRIBUTION}"


def load(dataset: Path | str) -> Cc2017:
    """Open the experiment: paths of files, no volume yet.

    Parameters
    ----------
    dataset : str or Path
        Folder that holds ``video_fmri_dataset``, or one such folder for each subject, as unpacked.

    Raises
    ------
    FileNotFoundError
        If no subject is there.
    """
    folder = Path(dataset).expanduser()
    there = tuple(label for label in ("1", "2", "3") if _find(folder, f"subject{label}/fmri"))
    if not there:
        raise FileNotFoundError(
            f"{folder} has no video_fmri_dataset/subject1/fmri; expected cc2017 unpacked: {_ADVICE}"
        )
    films = {name: _find(folder, f"stimuli/{name}.mp4") for name in TRAINING + TEST}
    return Cc2017(folder, there, {name: path for name, path in films.items() if path})


def piece_names(segments: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the pieces of segments, ``"seg1_000"`` and so on."""
    return tuple(f"{segment}_{k:03d}" for segment in segments for k in range(N_PIECES))


def _label(subject: int | str) -> str:
    return str(subject).removeprefix("subject").lstrip("0")


def _find(folder: Path, path: str) -> Path | None:
    """Return a file or folder below one of the folders to which archives are unpacked."""
    for place in _PLACES:
        for found in sorted(folder.glob(f"{place}/{path}" if place else path)):
            return found
    return None


def _first_volume(delay: float) -> int:
    """Return how many volumes after its own a piece's response is taken."""
    volumes = delay / TR
    if volumes != int(volumes) or not 0 <= volumes <= N_AFTER:
        raise ValueError(f"delay is {delay:g} s, expected a multiple of {TR:g} s from 0 to {N_AFTER * TR:g} s")
    return int(volumes)


class _Reader:
    """Reads runs of one subject, all with the same targets."""

    def __init__(
        self,
        folder: Path,
        space: str,
        targets: ArrayLike | None,
        mask: Path | str | None,
        first: int,
        trend_order: int,
    ) -> None:
        (self.space,) = some_of("space", [space], tuple(_ENDS))
        self.folder = folder
        self.targets = targets
        self.mask_path = mask
        self.first = first
        # an orthonormal basis of the trend, the mean among it
        self.trend = np.linalg.qr(np.polynomial.legendre.legvander(np.linspace(-1, 1, N_PIECES), trend_order))[0]
        self.columns: NDArray | None = None
        self.n_stored = 0
        self.mask: NDArray | None = None

    def read(self, segments: list[str], n_repeats: int) -> NDArray:
        """Return responses (n_segments * 240, n_repeats, n_targets)."""
        values = None
        for s, segment in enumerate(segments):
            for r in range(n_repeats):
                run = self._read_run(self._path(segment, r + 1))
                if values is None:
                    values = np.empty((len(segments) * N_PIECES, n_repeats, run.shape[1]), dtype=np.float32)
                values[s * N_PIECES : (s + 1) * N_PIECES, r] = run
        return values

    def labels(self) -> tuple[NDArray, NDArray]:
        """Return structure and hemisphere of each target."""
        if self.space == "mni":
            n = int(self.mask.sum())
            return np.full(n, "all"), np.full(n, "", dtype="<U1")
        regions, hemispheres = grayordinate_labels(self.n_stored)
        return regions[self.columns], hemispheres[self.columns]

    def _path(self, segment: str, run: int) -> Path:
        place = self.folder / segment / self.space
        names = [f"{segment}_{run}{end}" for end in _ENDS[self.space]]
        for name in names:
            if (place / name).is_file():
                return place / name
        raise FileNotFoundError(f"{place / names[0]} is missing; {_ADVICE}, or name the segments that are there")

    def _read_run(self, path: Path) -> NDArray:
        """Return the z-scored volumes of a run's pieces (240, n_targets)."""
        image = open_image(path)
        n_volumes = image.shape[0] if self.space == "cifti" else image.shape[-1]
        if image.ndim != (2 if self.space == "cifti" else 4) or n_volumes not in N_BEFORE:
            raise ValueError(
                f"{path} has shape {image.shape}, expected {' or '.join(map(str, N_BEFORE))} volumes of "
                f"{'grayordinates' if self.space == 'cifti' else 'three dimensions'}; {_ADVICE}"
            )
        start = N_BEFORE[n_volumes] + self.first
        bold = self._columns_of(path, image)[start : start + N_PIECES].astype(np.float64)
        silence_unseen(bold, path, "targets", _ADVICE)
        varies = np.ptp(bold, axis=0) > 0
        bold -= self.trend @ (self.trend.T @ bold)
        sd = bold.std(axis=0)
        return np.divide(bold, sd, out=np.zeros_like(bold), where=varies & (sd > 0)).astype(np.float32)

    def _columns_of(self, path: Path, image: object) -> NDArray:
        """Return the targets of a run (n_volumes, n_targets)."""
        if self.space == "mni":
            values = read_values(image, np.float32)
            if self.mask is None:
                self.mask = mask_on_grid(Path(self.mask_path), image.shape[:3], image.affine, path)
            if self.mask.shape != values.shape[:3]:
                raise ValueError(f"{path} has the grid {values.shape[:3]}, other runs {self.mask.shape}; {_ADVICE}")
            return values[self.mask].T
        n_stored = image.shape[1]
        if self.columns is None:
            default = np.arange(min(n_stored, N_CORTEX))
            self.columns = check_targets(default if self.targets is None else self.targets, n_stored)
            self.n_stored = n_stored
        if n_stored != self.n_stored:
            raise ValueError(f"{path} has {n_stored:,} grayordinates, other runs {self.n_stored:,}; {_ADVICE}")
        return read_values(image, np.float32)[:, self.columns]
