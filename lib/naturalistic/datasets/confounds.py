"""Confounds of fMRIPrep by strategy, as nilearn's `load_confounds` names them, for one run at a time."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from nilearn.interfaces.fmriprep import load_confounds
from numpy.typing import NDArray

from naturalistic.arrays import ShapeRepr
from naturalistic.cache import scratch_folder
from naturalistic.datasets.scans import Scan
from naturalistic.parameters import did_you_mean
from naturalistic.text_files import read_cells

STRATEGIES = ("motion", "wm_csf", "global_signal", "compcor", "scrub", "high_pass", "non_steady_state")
# options of each, with nilearn's defaults but for motion, whose 24 columns are many for a short run
OPTIONS = {
    "motion": "basic", "wm_csf": "basic", "global_signal": "basic", "compcor": "anat_combined", "n_compcor": 5,
    "scrub": 5, "fd_threshold": 0.5, "std_dvars_threshold": 1.5,
}  # fmt: skip
_STEM = "sub-1_task-run"  # of copies under names that nilearn knows, whatever the run is called

Strategy = str | Sequence[str] | Mapping[str, Any]


@dataclass(frozen=True, eq=False, repr=False)
class Confounds(ShapeRepr):
    """Confounds of one run.

    Attributes
    ----------
    values : array (n_trs, n_confounds)
        Centered.
    names : tuple of str
    censored : bool array (n_trs,)
        Volumes that do not count: scrubbed, or before the steady state.
    """

    values: NDArray
    names: tuple[str, ...]
    censored: NDArray

    def with_spikes(self) -> NDArray:
        """Return the values and a column for each censored volume, 1 there and 0 elsewhere (n_trs, n_columns)."""
        spikes = np.eye(len(self.censored))[:, self.censored]
        return np.concatenate([self.values, spikes], axis=1)


def check_strategy(strategy: Strategy) -> dict[str, Any]:
    """Return a strategy as its parts and all their options.

    Parameters
    ----------
    strategy : str, list of str, or dict
        Some of `STRATEGIES`; or a dict of them under ``"strategy"`` beside options of nilearn's `load_confounds`, such
        as ``{"strategy": ["motion", "compcor"], "motion": "full", "n_compcor": 10}``.

    Returns
    -------
    strategy : dict

    Raises
    ------
    ValueError
        If a part or an option is not known.
    """
    given = dict(strategy) if isinstance(strategy, Mapping) else {"strategy": strategy}
    parts = given.pop("strategy", ())
    parts = [parts] if isinstance(parts, str) else list(parts)
    unknown = [part for part in parts if part not in STRATEGIES]
    if unknown or not parts:
        raise ValueError(
            f"confounds are {parts}, expected some of {', '.join(STRATEGIES)}"
            + (did_you_mean(unknown[0], STRATEGIES) if unknown else "")
        )
    for name in given:
        if name not in OPTIONS:
            raise ValueError(
                f"confounds have no option {name!r}, expected {', '.join(OPTIONS)}{did_you_mean(name, OPTIONS)}"
            )
    # nilearn wants the slow cosines beside components that were taken from data without them
    if "compcor" in parts and "high_pass" not in parts:
        parts.append("high_pass")
    return {"strategy": parts, **OPTIONS, **given}


def read_confounds(scan: Scan, strategy: Strategy) -> Confounds:
    """Read the confounds of a run.

    Parameters
    ----------
    scan : Scan
        From fMRIPrep, with its table of confounds.
    strategy : str, list of str, or dict
        As in `check_strategy`.

    Returns
    -------
    confounds : Confounds
        The first row of derivatives, which has no value, is that of the second.

    Raises
    ------
    FileNotFoundError
        If the table is not there, or the JSON beside it that names the components of CompCor.
    ValueError
        Naming the table, if columns are missing, cells are n/a, or it has another length than the run.
    """
    options = check_strategy(strategy)
    table = scan.confounds
    if table is None or not table.is_file():
        where = table if table is not None else scan.paths[0].parent
        raise FileNotFoundError(
            f"{where}: no confounds of run {scan.run} of subject {scan.subject}; expected fMRIPrep's "
            "desc-confounds_timeseries.tsv beside the BOLD: fetch it, or pass confounds=None"
        )
    sidecar = table.with_suffix(".json")
    if "compcor" in options["strategy"] and not sidecar.is_file():
        raise FileNotFoundError(
            f"{sidecar} is missing: it says which components of {table.name} are CompCor's; fetch it, or leave "
            "'compcor' out"
        )
    frame, kept = _load(table, sidecar, options)
    n_rows = max(len(read_cells(table, "\t")) - 1, 0)
    if n_rows != scan.n_trs:
        raise ValueError(f"{table} has {n_rows} rows, expected {scan.n_trs}: one a volume of the run")
    values = np.asarray(frame, dtype=float).reshape(n_rows, -1)
    names = tuple(map(str, getattr(frame, "columns", ())))
    missing = ~np.isfinite(values)
    if missing.any():
        row, column = np.argwhere(missing)[0]
        raise ValueError(
            f"{table}: {missing.sum()} cells of {', '.join(np.array(names)[missing.any(axis=0)][:4])} are n/a, the "
            f"first {names[column]} in row {row + 1}; expected numbers after the first row: leave those confounds out"
        )
    censored = np.zeros(n_rows, dtype=bool)
    if kept is not None:
        censored[:] = True
        censored[kept] = False
    if censored.sum() > n_rows / 2:
        raise ValueError(
            f"{table}: {censored.sum()} of {n_rows} volumes would be scrubbed; leave the run out, or raise "
            f"fd_threshold ({options['fd_threshold']:g} mm) and std_dvars_threshold"
        )
    return Confounds(values, names, censored)


def _load(table: Path, sidecar: Path, options: dict[str, Any]) -> tuple[Any, NDArray | None]:
    """Return nilearn's table of confounds, and the volumes that it keeps (None: all).

    It finds files by names of fMRIPrep 20 and later in ASCII; copies have such, whatever the files are called.
    """
    with scratch_folder() as folder:
        image = folder / f"{_STEM}_desc-preproc_bold.nii.gz"
        image.touch()
        copy = folder / f"{_STEM}_desc-confounds_timeseries.tsv"
        shutil.copyfile(table, copy)
        if sidecar.is_file():
            shutil.copyfile(sidecar, copy.with_suffix(".json"))
        else:
            copy.with_suffix(".json").write_text("{}", encoding="utf-8")
        try:
            return load_confounds(str(image), **options)
        except Exception as error:  # pandas and nilearn have several
            reason = str(error).replace(str(folder), str(table.parent))
            raise ValueError(
                f"{table}: confounds {', '.join(options['strategy'])} cannot be read ({reason}); expected the columns "
                "that fMRIPrep writes, leave out those that it did not"
            ) from error
