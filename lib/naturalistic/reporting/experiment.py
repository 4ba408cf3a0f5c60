"""Encoding models of a folder, from data to a BIDS derivative: scores, maps, provenance and a report of one file."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from naturalistic import encoding, preprocessing
from naturalistic.cache import check_writable, whole_or_absent
from naturalistic.datasets import check, experiments
from naturalistic.datasets.bids import BidsExperiment
from naturalistic.datasets.confounds import Strategy, read_confounds
from naturalistic.datasets.experiments import Experiment
from naturalistic.datasets.fmriprep import TEMPLATES
from naturalistic.datasets.run_events import EVENTS
from naturalistic.datasets.words import Transcript
from naturalistic.encoding.experiment import SubjectEncoding
from naturalistic.features.stimulus import read_stimuli, stimulus_spaces
from naturalistic.features.text.language_model import MINILM, load_model
from naturalistic.reporting.experiment_maps import write_maps
from naturalistic.reporting.experiment_page import write_page

DESCRIPTION = "dataset_description.json"
BY_DEFAULT = (("motion", "wm_csf"), ("motion",))  # confounds, the first that all runs have
_PACKAGES = ("naturalistic", "numpy", "scipy", "scikit-learn", "nibabel", "nilearn", "torch", "transformers")
_MOST = 5  # problems that an error names


def encode_folder(
    folder: Path | str,
    to: Path | str,
    *,
    task: str | Sequence[str] | None = None,
    subjects: Sequence[int | str] | str | None = None,
    sessions: Sequence[str] | str | None = None,
    space: str | None = None,
    derivatives: Path | str | None = None,
    tr: float | None = None,
    stimulus: Any = None,
    audio: Any = None,
    model: str | None = MINILM,
    layer: int | None = None,
    n_words: int = 32,
    offset: float | Mapping[str, float] = 0.0,
    columns: Sequence[str] | None = None,
    text: str | None = None,
    confounds: Strategy | str | None = "default",
    region: str = "cortex",
    test: Sequence[str] | None = None,
    main: str | None = None,
    n_permutations: int = 1000,
    seed: int = 0,
    device: str = "cpu",
    progress: bool = True,
) -> Path:
    """Encode the subjects of a folder and write scores, maps, provenance and a report.

    Parameters
    ----------
    folder : Path or str
        BIDS with fMRIPrep's output, or the published series of ds003020.
    to : Path or str
        Written whole or not at all; a folder that an earlier call wrote is replaced.
    task, subjects, sessions, space, derivatives, tr
        As in `datasets.experiments.open_experiment`.
    stimulus, audio, model, layer, n_words, offset, columns, text
        As in `features.stimulus.stimulus_spaces`; ``"events"``: each run's own events. Words by default: those that the
        data set publishes.
    confounds : str, list of str, dict or None
        As in `preprocessing.prepare`; by default motion, white matter and CSF where all runs have them.
    region : {"cortex", "brain"}
    test, main
        As in `encoding.encode`.
    n_permutations, seed, device
        As in `encoding.encode`.
    progress : bool

    Returns
    -------
    to : Path

    Raises
    ------
    FileExistsError
        If ``to`` holds something else.
    FileNotFoundError, ValueError
        If a check of the folder has problems, naming the first of them; before any long work.
    """
    to = Path(to).expanduser()
    _check_target(to)
    check_writable(to.parent)
    if n_permutations < 1:
        raise ValueError(f"n_permutations is {n_permutations}, expected a whole number of at least 1")
    where: dict[str, Any] = {
        "task": task, "subjects": subjects, "sessions": sessions, "space": space, "derivatives": derivatives, "tr": tr
    }  # fmt: skip
    placed: dict[str, Any] = {"offset": offset, "columns": columns, "text": text}
    of_model = {"layer": layer, "n_words": n_words}
    options: dict[str, Any] = {
        "test": test, "main": main, "n_permutations": n_permutations, "seed": seed, "device": device
    }  # fmt: skip
    request = {
        "folder": str(folder), **where, "stimulus": stimulus, "audio": audio, "model": model, **of_model, **placed,
        "confounds": confounds, "region": region, **options,
    }  # fmt: skip
    required = None if isinstance(confounds, str) and confounds == "default" else confounds
    findings = check.check_folder(folder, **where, stimulus=stimulus, audio=audio, **placed, confounds=required)
    _raise_problems(findings)
    experiment = experiments.open_experiment(folder, **where)
    _check_test(experiment, test)
    if stimulus is None:
        stimulus = experiments.published_words(experiment)
    shared = stimulus if stimulus in (None, EVENTS) else read_stimuli(stimulus)
    stimuli = {label: experiments.stimulus_of(experiment, label, shared) for label in experiment.subjects}
    opened, preparation = _open_subjects(experiment, confounds, region)
    has_words = any(_has_words(each, text) for each in stimuli.values())
    language_model = load_model(model, device=device) if model is not None and has_words else None
    encodings = {}
    notes = [f"Folder: {doubt}" for doubt in findings.doubts]
    for label in tqdm(experiment.subjects, desc="subjects", disable=not progress):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            spaces = stimulus_spaces(
                opened[label], stimuli[label], audio=audio, model=language_model, **of_model, **placed
            )
            # with events of their own, people need not have seen the same under the same name of a run
            others = {other: opened[other] for other in stimuli if _same_stimulus(stimuli[label], stimuli[other])}
            encodings[label] = encoding.encode(opened[label], spaces, others=others, progress=progress, **options)
        notes += [f"sub-{label}: {w.message}" for w in caught if issubclass(w.category, UserWarning)]
    with whole_or_absent(to) as part:
        part.mkdir()
        write_encodings(part, experiment, encodings, preparation, notes, request)
        if to.is_dir():
            _remove_old(to)
    return to


def _raise_problems(findings: check.Findings) -> None:
    """Raise an error that names the first problems of a folder, if there are any."""
    n_problems = len(findings.problems)
    if n_problems:
        listed = "; ".join(findings.problems[:_MOST])
        raise ValueError(f"{n_problems} problem{'s'[: n_problems != 1]} (`naturalistic check` lists all): {listed}")


def write_encodings(
    folder: Path,
    experiment: Any,
    encodings: Mapping[str, SubjectEncoding],
    preparation: Mapping[str, str],
    notes: Sequence[str],
    request: Mapping[str, Any],
) -> None:
    """Write encodings of subjects as a BIDS derivative into an empty folder.

    Parameters
    ----------
    folder : Path
    experiment : experiment with a ``name`` and ``title``
    encodings : dict of str to SubjectEncoding
        By label.
    preparation : dict of str to str
        How BOLD was prepared, in words.
    notes : list of str
    request : dict
        Arguments, for the provenance.
    """
    summary = pd.concat([one.summary() for one in encodings.values()], ignore_index=True)
    for label, one in encodings.items():
        own = folder / f"sub-{label}"
        own.mkdir()
        table = one.frame()
        path = own / f"sub-{label}_desc-encoding_scores.tsv"
        table.to_csv(path, sep="\t", index=False, na_rep="n/a", float_format="%.6g")
        write_maps(own, label, one, getattr(experiment, "template", TEMPLATES[0]))
    summary.to_csv(folder / "summary.tsv", sep="\t", index=False, na_rep="n/a", float_format="%.6g")
    _write_json(folder / DESCRIPTION, {
        "Name": f"Encoding models of {experiment.name}",
        "BIDSVersion": "1.8.0",
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "naturalistic", "Version": version("naturalistic"), "Description": "encode"}],
        "SourceDatasets": [{"URL": str(getattr(experiment, "folder", ""))}],
    })  # fmt: skip
    choices = {label: {**preparation, **one.choices} for label, one in encodings.items()}
    _write_json(folder / "provenance.json", {
        "request": {name: _plain(value) for name, value in request.items()},
        "choices": choices,
        "notes": [*notes, *(f"sub-{label}: {note}" for label, one in encodings.items() for note in one.notes)],
        "is_simulated": bool(getattr(experiment, "is_simulated", False)),
        "versions": {name: version(name) for name in _PACKAGES},
    })  # fmt: skip
    write_page(folder / "report.html", experiment, encodings, preparation, notes)


def _has_words(stimulus: Any, text: str | None) -> bool:
    """Return whether a stimulus has words, for which a language model is opened."""
    each = stimulus.values() if isinstance(stimulus, Mapping) else [stimulus]
    return any(isinstance(one, Transcript) or (one is not None and bool(text or one.text_column)) for one in each)


def _same_stimulus(one: Any, other: Any) -> bool:
    """Return whether two subjects saw the same in the runs that both have."""
    if one is other:
        return True
    return all(one[run].content == other[run].content for run in one if run in other)


def _open_subjects(
    experiment: Experiment, confounds: Strategy | str | None, region: str
) -> tuple[Mapping[str, Any], dict[str, str]]:
    """Return the subjects, and how they are prepared in words."""
    if not isinstance(experiment, BidsExperiment):
        return preprocessing.open_subjects(experiment), {"preparation": "published series, z-scored in each run"}
    options: dict[str, Any] = {"region": region}
    strategy = _default_confounds(experiment) if confounds == "default" else confounds
    if strategy is not None:
        options["confounds"] = strategy
    parts = strategy.get("strategy") if isinstance(strategy, Mapping) else strategy
    taken = ", ".join([parts] if isinstance(parts, str) else parts or []) or "none"
    preparation = {
        "space": ", ".join(dict.fromkeys([experiment.space, experiment.template])),
        "preparation": f"running median of {experiment.drift_window:g} s removed, z-scored in each run, {region} alone",
        "confounds regressed out": taken,
    }
    return preprocessing.open_subjects(experiment, **options), preparation


def _default_confounds(experiment: BidsExperiment) -> list[str] | None:
    """Return the confounds by default that all runs of all subjects have, or None."""
    if experiment.space == "raw":
        return None
    scans = [scan for label in experiment.subjects for scan in experiment.scans(label)]
    for strategy in BY_DEFAULT:
        try:
            for scan in scans:
                read_confounds(scan, strategy)
        except (FileNotFoundError, ValueError):
            continue
        return list(strategy)
    return None


def _check_target(to: Path) -> None:
    """Raise an error if a folder is there that no earlier call wrote."""
    if not to.exists():
        return
    try:
        about = json.loads((to / DESCRIPTION).read_text(encoding="utf-8"))
        ours = about["GeneratedBy"][0]["Name"] == "naturalistic"
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        ours = False
    if not ours and (to.is_file() or any(to.iterdir())):
        raise FileExistsError(f"{to} exists and holds something else; remove it, or name another folder")


def _check_test(experiment: Experiment, test: Sequence[str] | None) -> None:
    """Raise an error if a subject lacks a run to test on: the last one would say so after hours."""
    for label in experiment.subjects:
        of_subject: Sequence[str]
        if isinstance(experiment, BidsExperiment):
            of_subject = [run.name for run in experiment.runs[label]]
        else:
            of_subject = experiment.stories[label]
        if any(name not in of_subject for name in test or ()):
            raise ValueError(f"test is {list(test or ())}, subject {label} has the runs {', '.join(of_subject)}")


def _remove_old(to: Path) -> None:
    """Remove the result of an earlier call, just before the new one takes its name."""
    from naturalistic.cache import remove

    remove(to)


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")


def _plain(value: Any) -> Any:
    """Return an argument as JSON has it."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
