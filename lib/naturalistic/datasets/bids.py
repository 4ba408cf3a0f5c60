"""Any BIDS data set: its subjects and runs, raw or as fMRIPrep left them.

Subjects, sessions and runs come from file names, the repetition time from sidecars. Files that are named but not
there (git-annex) are reported before any long work.
"""

import re
import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from naturalistic.datasets.bids_files import select_subjects
from naturalistic.datasets.bids_runs import Run, RunFiles
from naturalistic.datasets.fmriprep import SPACES
from naturalistic.datasets.run_events import RunEvents, events_of_runs
from naturalistic.datasets.scans import Scan
from naturalistic.intact import read_json
from naturalistic.simulated import Titled, is_simulated

# spaces by default, the first that every run has: voxels of a template are compared between subjects without ado
PREFERENCE = ("mni", "fsaverage5", "fsaverage6", "fsaverage", "fsLR", "native", "raw")
DRIFT_WINDOW = 240.0  # s
_NOT_OF_A_RUN = ("sub", "echo", "part", "space", "res", "den", "desc", "hemi", "cohort", "recording")


@dataclass(frozen=True, eq=False)
class BidsExperiment(Titled):
    """Subjects and runs of one or more tasks of a BIDS data set; `preprocessing.open_subjects` opens them.

    Attributes
    ----------
    name : str
        Of the data set, by its description.
    is_simulated : bool
    folder : Path
    derivatives : Path or None
        Root of the preprocessed files.
    space : str
        Space that `scans` takes by default.
    subjects : tuple of str
    runs : dict of str to tuple of Run
        By subject, in the order of their names.
    tr : float
        Repetition time, s.
    notes : list of str
        Differences between subjects that a reader should know.
    """

    name: str
    is_simulated: bool
    folder: Path
    derivatives: Path | None
    space: str
    subjects: tuple[str, ...]
    runs: dict[str, tuple[Run, ...]]
    tr: float
    notes: list[str]
    drift_window: float = DRIFT_WINDOW

    def scans(self, subject: str, space: str | None = None, derivatives: Path | str | None = None) -> list[Scan]:
        """Return the `Scan` of each run of a subject; headers are read for the number of volumes.

        Parameters
        ----------
        subject : str
        space : str, optional
            As in `load`; the experiment's by default.
        derivatives : Path or str, optional
            Root of the preprocessed files, if it is not the experiment's.
        """
        root = Path(derivatives) if derivatives is not None else self.derivatives
        files = [RunFiles(self.folder, root, subject, run) for run in self._runs_of(subject)]
        return [of_run.scan(space or self.space, self.tr) for of_run in files]

    @cached_property
    def n_dropped(self) -> dict[str, tuple[int, ...]]:
        """Return the dummy volumes at the start of each run, by subject: fMRIPrep's non-steady-state outliers."""
        dropped = {}
        for subject, runs in self.runs.items():
            files = [RunFiles(self.folder, self.derivatives, subject, run) for run in runs]
            dropped[subject] = tuple(of_run.n_dummies for of_run in files)
        return dropped

    @cached_property
    def template(self) -> str:
        """Return the space by its whole name in the images, such as ``"MNI152NLin6Asym"`` where it is ``"mni"``."""
        if self.space not in SPACES:
            return self.space
        subject = self.subjects[0]
        image = RunFiles(self.folder, self.derivatives, subject, self.runs[subject][0]).images(self.space)[0]
        named = re.search(r"_space-([A-Za-z0-9]+)", image.name)
        return named[1] if named else self.space

    def events_path(self, subject: str, run: str) -> Path | None:
        """Return the events file of a run, or None where there is none.

        Parameters
        ----------
        subject : str
        run : str
            ``name`` of a `Run`.
        """
        names = {each.name: each for each in self._runs_of(subject)}
        if run not in names:
            raise ValueError(f"run is {run!r}, subject {subject} has {', '.join(names)}")
        return RunFiles(self.folder, self.derivatives, subject, names[run]).events

    def events(self, subject: str) -> dict[str, RunEvents]:
        """Return the events of each run of a subject, by the name of the run.

        Parameters
        ----------
        subject : str

        Raises
        ------
        FileNotFoundError, ValueError
            As `run_events.events_of_runs`.
        """
        return events_of_runs([RunFiles(self.folder, self.derivatives, subject, run) for run in self._runs_of(subject)])

    def _runs_of(self, subject: str) -> tuple[Run, ...]:
        if subject not in self.runs:
            raise ValueError(f"subject is {subject!r}, expected one of {', '.join(self.subjects)}")
        return self.runs[subject]

    def __str__(self) -> str:
        """Return what this is, how much, and what differs between subjects."""
        n_runs = [len(runs) for runs in self.runs.values()]
        counts = f"{min(n_runs)}" if len(set(n_runs)) == 1 else f"{min(n_runs)} to {max(n_runs)}"
        tasks = sorted({run.task for runs in self.runs.values() for run in runs})
        return "\n".join([
            f"{self.name}: no brain was measured" if self.is_simulated else self.name,
            f"{len(self.subjects)} subjects x {counts} runs of {', '.join(tasks)}, TR {self.tr:g} s",
            f"space {', '.join(dict.fromkeys([self.space, self.template]))}",
            *self.notes,
        ])  # fmt: skip


def load(
    folder: Path | str,
    *,
    task: str | Sequence[str] | None = None,
    subjects: Sequence[int | str] | str | None = None,
    sessions: Sequence[str] | str | None = None,
    space: str | None = None,
    derivatives: Path | str | None = None,
    tr: float | None = None,
) -> BidsExperiment:
    """Open a BIDS data set, with fMRIPrep's output or without.

    Parameters
    ----------
    folder : Path or str
        Root of the data set, or fMRIPrep's output folder itself.
    task : str or list of str, optional
        Needed if the data set has several.
    subjects, sessions : list of str, optional
        Labels without ``sub-`` and ``ses-``; all by default.
    space : str, optional
        ``"mni"`` (any MNI152 template), ``"native"`` (T1w), ``"fsaverage5"``, ``"fsaverage6"``, ``"fsaverage"``,
        ``"fsLR"`` (CIFTI, the cortex of it), ``"raw"``, or a space by its whole name such as
        ``"MNI152NLin6Asym_res-2"``. By default the first of `PREFERENCE` that every run has.
    derivatives : Path or str, optional
        fMRIPrep's output folder; ``derivatives/fmriprep`` by default, else ``derivatives`` itself.
    tr : float, optional
        Repetition time, s, where no sidecar or header has it.

    Returns
    -------
    experiment : BidsExperiment

    Raises
    ------
    FileNotFoundError
        If there is no such folder, no functional run, or no run in the requested space.
    ValueError
        If the data set has no such task, session or subject, or runs have several repetition times.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is not a folder; expected the root of a BIDS data set")
    root = derivatives_root(folder, derivatives)
    found = index_runs(folder, root)
    if not found:
        raise FileNotFoundError(f"{folder} has no functional run (sub-*/func/*_bold.nii.gz), nor has {root or folder}")
    found = select_runs(found, "task", task, folder)
    found = select_runs(found, "session", sessions, folder) if sessions is not None else found
    labels = select_subjects(subjects, tuple(sorted(found)), folder, partial(label_of, known=tuple(found)))
    runs = {label: tuple(found[label]) for label in labels}
    files = [RunFiles(folder, root, label, run) for label in labels for run in runs[label]]
    space = _choose_space(files, space)
    tr = _common_tr(files, space) if tr is None else float(tr)
    notes = differences(runs)
    return BidsExperiment(_name_of(folder), is_simulated(folder), folder, root, space, labels, runs, tr, notes)


def label_of(subject: int | str, known: Sequence[str]) -> str:
    """Return the label of a subject who may be named by number: 1 is 001 where there is one such label.

    Parameters
    ----------
    subject : int or str
    known : list of str
        Labels that there are.
    """
    label = str(subject).removeprefix("sub-")
    if label in known or not label.isdigit():
        return label
    same = [each for each in known if each.isdigit() and int(each) == int(label)]
    return same[0] if len(same) == 1 else label


def derivatives_root(folder: Path, derivatives: Path | str | None) -> Path | None:
    """Return the folder of preprocessed files, or None where there is none.

    Parameters
    ----------
    folder : Path
        Root of the data set.
    derivatives : Path or str, optional
        That folder, if it is elsewhere.
    """
    if derivatives is not None:
        root = Path(derivatives).expanduser()
        if not root.is_dir():
            raise FileNotFoundError(f"derivatives {root} is not a folder; expected fMRIPrep's output")
        return root
    if _description(folder).get("DatasetType") == "derivative":
        return folder
    inside = folder / "derivatives"
    candidates = [inside / "fmriprep", *sorted(inside.glob("fmriprep*")), inside]
    return next((each for each in candidates if each.is_dir() and any(each.glob("sub-*"))), None)


def index_runs(folder: Path, root: Path | None) -> dict[str, list[Run]]:
    """Return the runs of each subject that the names of raw and preprocessed files tell of.

    Parameters
    ----------
    folder : Path
        Root of the data set.
    root : Path or None
        Of the preprocessed files.
    """
    places = [] if root == folder else [folder]
    places += [root] if root is not None else []
    found: dict[str, dict[str, Run]] = defaultdict(dict)
    for place in places:
        for path, entities in _functional_files(place):
            parts = path.name.split("_")[:-1]
            name = "_".join(part for part in parts if "-" in part and part.partition("-")[0] not in _NOT_OF_A_RUN)
            of_subject = found[str(entities["sub"])]
            n_echoes = (of_subject[name].n_echoes if name in of_subject else 0) + (place == folder and root != folder)
            below = path.parent.relative_to(place)
            session = str(entities["ses"]) if "ses" in entities else None
            of_subject[name] = Run(name, str(entities["task"]), session, below, n_echoes)
    return {subject: sorted(runs.values(), key=_in_natural_order) for subject, runs in found.items()}


def _in_natural_order(run: Run) -> list[tuple[bool, int, str]]:
    """Return a key that sorts run-2 before run-10."""
    parts = re.split(r"(\d+)", run.name)
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]


def _functional_files(root: Path) -> list[tuple[Path, dict[str, str]]]:
    """Return each BOLD file below a root, with the entities of its name."""
    import ancpbids

    # without options it reads names alone: with them it would unpickle an index that lies in the folder
    artifacts = ancpbids.load_dataset(str(root)).query(suffix="bold")
    files = []
    for artifact in artifacts:
        path = Path(artifact.get_absolute_path())
        below = path.relative_to(root).parts
        images = (".nii", ".nii.gz", ".func.gii")
        if below[0].startswith("sub-") and path.name.endswith(images) and "task" in artifact.entities:
            files.append((path, artifact.entities))
    return files


def select_runs(found: dict[str, list[Run]], kind: str, wanted: Sequence[str] | str | None, folder: Path) -> dict:
    """Return the runs of the wanted tasks or sessions; subjects without any are left out.

    Parameters
    ----------
    found : dict of list of Run
        By subject.
    kind : {"task", "session"}
    wanted : str or list of str, optional
    folder : Path
        For the error.
    """
    known = sorted({getattr(run, kind) for runs in found.values() for run in runs} - {None})
    if wanted is None:
        if len(known) > 1:
            raise ValueError(f"{folder} has the {kind}s {', '.join(known)}: say which, {kind}={known[0]!r}")
        return found
    names = [wanted] if isinstance(wanted, str) else list(wanted)
    short = {"task": "task-", "session": "ses-"}[kind]
    names = [str(name).removeprefix(short) for name in names]
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"{kind} {', '.join(unknown)}: {folder} has {', '.join(known) or 'none'}")
    chosen = {subject: [run for run in runs if getattr(run, kind) in names] for subject, runs in found.items()}
    return {subject: runs for subject, runs in chosen.items() if runs}


def _choose_space(files: Sequence[RunFiles], space: str | None) -> str:
    """Return the requested space, or the first that every run has."""
    if space is not None:
        lacking = [of_run for of_run in files if not of_run.is_there(space)]
        if lacking:
            raise FileNotFoundError(
                f"{len(lacking)} of {len(files)} runs are not there in space {space!r}, as {lacking[0].stem}, which "
                f"is there in {', '.join(lacking[0].spaces) or 'none'}: fetch them, run fMRIPrep, or name another space"
            )
        return space
    counts = {}
    for candidate in PREFERENCE:
        counts[candidate] = sum(of_run.is_there(candidate) for of_run in files)
        if counts[candidate] == len(files):
            return candidate
    listed = ", ".join(f"{name}: {n}" for name, n in counts.items() if n) or "none"
    raise FileNotFoundError(
        f"no space has all {len(files)} runs ({listed}): a file that is only named (git-annex) does not count; "
        "fetch the rest, or name subjects, a task and a space"
    )


def _common_tr(files: Sequence[RunFiles], space: str) -> float:
    """Return the repetition time of all runs, s."""
    first: dict[float, str] = {}
    for of_run in files:
        first.setdefault(of_run.tr(space), of_run.stem)
    if len(first) > 1:
        listed = ", ".join(f"{tr:g} s ({stem})" for tr, stem in first.items())
        raise ValueError(f"runs have several repetition times: {listed}; load one by subjects=, task= or sessions=")
    return next(iter(first))


def differences(runs: dict[str, tuple[Run, ...]]) -> list[str]:
    """Return sentences on subjects who lack runs that others have.

    Parameters
    ----------
    runs : dict of tuple of Run
        By subject.
    """
    names = sorted({run.name for of_subject in runs.values() for run in of_subject})
    lacking = {subject: sorted(set(names) - {run.name for run in of_subject}) for subject, of_subject in runs.items()}
    n_common = sum(not any(name in missing for missing in lacking.values()) for name in names)
    if not any(lacking.values()):
        return []
    listed = [
        f"sub-{subject} ({', '.join(missing[:3])}{' ...' if len(missing) > 3 else ''})"
        for subject, missing in lacking.items()
        if missing
    ]
    more = f" and {len(listed) - 5} more" if len(listed) > 5 else ""
    return [f"{n_common} of {len(names)} runs are there of every subject; not all of {', '.join(listed[:5])}{more}"]


def _description(folder: Path) -> dict:
    """Return the data set's description, empty where there is none."""
    path = folder / "dataset_description.json"
    if not path.is_file():
        return {}
    try:
        content = read_json(path)
    except ValueError as error:
        warnings.warn(f"{error}: read without it", stacklevel=4)
        return {}
    return content if isinstance(content, dict) else {}


def _name_of(folder: Path) -> str:
    """Return the data set's name, by its description, else its folder's."""
    name = _description(folder).get("Name")
    return name if isinstance(name, str) and name.strip() else folder.resolve().name
