"""Files of one run of a BIDS data set, raw and as fMRIPrep left them."""

from dataclasses import dataclass
from pathlib import Path

from naturalistic.datasets import fmriprep
from naturalistic.datasets.bids_files import repetition_time, sidecars_of
from naturalistic.datasets.images import header_tr, is_grayordinates, open_image
from naturalistic.datasets.scans import Scan
from naturalistic.text_files import read_cells

_DUMMY = "non_steady_state_outlier"


@dataclass(frozen=True)
class Run:
    """One functional run of one subject.

    Attributes
    ----------
    name : str
        All entities of the file name but the subject's: ``"ses-01_task-story_run-1"``.
    task : str
    session : str or None
    func : Path
        Folder of the run below a root: ``"sub-01/ses-01/func"``.
    n_echoes : int
        Raw images of the run; 0 where only derivatives are there.
    """

    name: str
    task: str
    session: str | None = None
    func: Path = Path()
    n_echoes: int = 0


@dataclass(frozen=True)
class RunFiles:
    """Where the files of a run lie.

    Attributes
    ----------
    folder : Path
        Root of the data set.
    derivatives : Path or None
        Root of the preprocessed files.
    subject : str
    run : Run
    """

    folder: Path
    derivatives: Path | None
    subject: str
    run: Run

    @property
    def stem(self) -> str:
        """Return the start of the names of all files of the run."""
        return f"sub-{self.subject}_{self.run.name}"

    @property
    def raw(self) -> Path:
        """Return the raw image; of a run with several echoes it is not there."""
        return fmriprep.plain_or_compressed(self.folder / self.run.func / f"{self.stem}_bold.nii")

    @property
    def sidecar(self) -> Path:
        """Return the run's own sidecar, which need not be there: those above it count too."""
        return self.folder / self.run.func / f"{self.stem}_bold.json"

    @property
    def events(self) -> Path | None:
        """Return the events of the run, of the nearest file that has them, or None."""
        found = sidecars_of(self.folder / self.run.func / f"{self.stem}_events.tsv")
        return found[0] if found else None

    @property
    def confounds(self) -> Path | None:
        """Return fMRIPrep's table of confounds, or None where it is not there."""
        if self.derivatives is None:
            return None
        path = fmriprep.confounds_file(self.derivatives / self.run.func, self.stem)
        return path if path.is_file() else None

    @property
    def n_dummies(self) -> int:
        """Return the number of dummy volumes at the start of the run, as fMRIPrep found them; 0 without its table."""
        confounds = self.confounds
        if confounds is None:
            return 0
        rows = read_cells(confounds, "\t")
        return sum(name.strip().startswith(_DUMMY) for name in rows[0]) if rows else 0

    @property
    def spaces(self) -> list[str]:
        """Return the spaces in which the run is there."""
        raw = ["raw"] if self.raw.is_file() else []
        if self.derivatives is None:
            return raw
        return raw + fmriprep.spaces_present(self.derivatives / self.run.func, self.stem)

    def images(self, space: str) -> tuple[Path, ...]:
        """Return the image of the run in a space, or its two surfaces; they need not be there.

        Parameters
        ----------
        space : str
            As in `bids.load`.
        """
        if space == "raw":
            return (self.raw,)
        if self.derivatives is None:
            raise FileNotFoundError(
                f"{self.folder} has no derivatives: space={space!r} needs fMRIPrep's output; space='raw' does not"
            )
        func = self.derivatives / self.run.func
        if space in fmriprep.MESHES:
            return fmriprep.surface_files(func, self.stem, space)
        if space in fmriprep.GRAYORDINATES:
            return (fmriprep.grayordinates_file(func, self.stem, space),)
        return fmriprep.volume_files(func, self.stem, space)[:1]

    def is_there(self, space: str) -> bool:
        """Return whether the images of the run are there in a space.

        Parameters
        ----------
        space : str
        """
        if space != "raw" and self.derivatives is None:
            return False
        return all(path.is_file() for path in self.images(space))

    def scan(self, space: str, tr: float) -> Scan:
        """Return the `Scan` of the run; headers are read for the number of volumes.

        Parameters
        ----------
        space : str
        tr : float
            Repetition time, s.

        Raises
        ------
        ValueError
            If raw echoes have not been combined.
        """
        paths = self.images(space)
        if space == "raw":
            if self.run.n_echoes > 1:
                raise ValueError(
                    f"{self.stem} has {self.run.n_echoes} echoes, expected one image: combine them (fMRIPrep does), "
                    "and take a space of its output"
                )
            sidecar = self.sidecar if sidecars_of(self.sidecar) else None
            return Scan(self.subject, self.run.name, space, paths, tr, _n_volumes(paths[0]), sidecar=sidecar)
        more = {"confounds": self.confounds, "sidecar": self.sidecar}
        if space not in fmriprep.MESHES and space not in fmriprep.GRAYORDINATES:
            _, mask = fmriprep.volume_files(self.derivatives / self.run.func, self.stem, space)
            more["mask"] = mask if mask.is_file() else None
        return Scan(self.subject, self.run.name, space, paths, tr, _n_volumes(paths[0]), **more)

    def tr(self, space: str) -> float:
        """Return the repetition time by the sidecars of the run, or by the header of its image, s.

        Parameters
        ----------
        space : str

        Raises
        ------
        ValueError
            If none states it.
        """
        image = self.images(space)[0]
        own = image.with_name(image.name.split(".")[0] + ".json")
        echoes = sorted(self.sidecar.parent.glob(f"{self.stem}_echo-*_bold.json"))
        sidecars = [*sidecars_of(self.sidecar), *echoes, *([own] if own.is_file() else [])]
        seconds, _ = repetition_time(sidecars)
        if seconds is None and space not in fmriprep.MESHES:
            seconds = header_tr(open_image(image))
        if seconds is None:
            raise ValueError(
                f"no sidecar of {self.stem} has a RepetitionTime, nor has its header: give it, bids.load(..., tr=2.0)"
            )
        return round(seconds, 4)  # a header holds float32


def _n_volumes(path: Path) -> int:
    """Return the number of volumes that a header promises; 0 where the file is not there (`scans.check` says so)."""
    if not path.is_file():
        return 0
    image = open_image(path)
    if hasattr(image, "darrays"):
        return len(image.darrays)
    if is_grayordinates(image):
        return image.shape[0]
    return image.shape[3] if len(image.shape) == 4 else 0
