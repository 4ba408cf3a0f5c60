"""Check of a folder before hours of work: all that would stop an encoding model, in one list.

Names, links, headers, sidecars, sizes, tables of confounds and stimuli are read; no image is.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from naturalistic.cache import RequestError, cache_dir, check_room, format_bytes
from naturalistic.datasets import bids, lebel
from naturalistic.datasets import scans as scans_of
from naturalistic.datasets.bids_files import select_subjects
from naturalistic.datasets.bids_runs import Run, RunFiles
from naturalistic.datasets.confounds import Strategy, read_confounds
from naturalistic.datasets.images import gzip_problem
from naturalistic.datasets.run_events import (
    EVENTS,
    RunEvents,
    column_names,
    column_values,
    is_events_file,
    outside,
    read_run_events,
)
from naturalistic.datasets.scans import Scan
from naturalistic.datasets.spoken import value_of_run
from naturalistic.datasets.transcripts import read_transcript
from naturalistic.datasets.words import Transcript
from naturalistic.intact import check_whole

_LEAST_TRS = 60  # in all runs of a subject; a model needs more
_LONGER = 30.0  # s by which a recording and a run may differ without a word
_FEW = 4  # files that a sentence names


@dataclass
class Findings:
    """What a check found.

    Attributes
    ----------
    folder : str
    facts : list of str
        What is there.
    problems : list of str
        What stops the work.
    doubts : list of str
        What does not, and should be looked at.
    """

    folder: str
    facts: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    def report(self) -> str:
        """Return the findings as text for people."""
        lines = [self.folder, *(f"  {fact}" for fact in self.facts)]
        lines += [f"\nproblems: {len(self.problems)}", *(f"  ! {problem}" for problem in self.problems)]
        lines += [f"\nto be looked at: {len(self.doubts)}", *(f"  ? {doubt}" for doubt in self.doubts)]
        lines.append("\nnothing would stop it" if not self.problems else "\nit would stop: see the problems above")
        return "\n".join(lines)


def check_folder(
    folder: Path | str,
    *,
    task: str | Sequence[str] | None = None,
    subjects: Sequence[int | str] | str | None = None,
    sessions: Sequence[str] | str | None = None,
    space: str | None = None,
    derivatives: Path | str | None = None,
    tr: float | None = None,
    stimulus: Path | str | Mapping[str, Path | str] | None = None,
    audio: Path | str | Mapping[str, Path | str] | None = None,
    offset: float | Mapping[str, float] = 0.0,
    confounds: Strategy | None = None,
    columns: Sequence[str] | None = None,
    text: str | None = None,
) -> Findings:
    """Collect all that would stop an encoding model of a folder.

    Parameters
    ----------
    folder, task, subjects, sessions, space, derivatives, tr
        As in `datasets.experiments.open_experiment`.
    stimulus, audio, offset, columns, text
        As in `features.stimulus.stimulus_spaces`; stimulus ``"events"``: each run's own events.
    confounds : str, list of str, or dict, optional
        As in `preprocessing.prepare`.

    Returns
    -------
    findings : Findings
        No error is raised by bad data: all are in its lists.
    """
    folder = Path(folder).expanduser()
    findings = Findings(str(folder))
    if not folder.is_dir():
        findings.problems.append(f"{folder} is not a folder; expected the root of a data set")
        return findings
    if lebel.is_layout(folder) and space is None and derivatives is None:
        _check_lebel(folder, task, subjects, findings)
        if stimulus == EVENTS:
            findings.problems.append(f"{folder} has series of stories and no events of runs: leave the stimulus out")
        return findings
    try:
        root = bids.derivatives_root(folder, derivatives)
        runs = _selected_runs(folder, root, task, subjects, sessions)
    except (FileNotFoundError, ValueError) as error:
        findings.problems.append(str(error))
        return findings
    files = [RunFiles(folder, root, label, run) for label, each in runs.items() for run in each]
    n_runs = sorted({len(each) for each in runs.values()})
    each_has = f"{' or '.join(map(str, n_runs))} run{'s'[: n_runs != [1]]}"
    findings.facts.append(f"{len(runs)} subject{'s'[: len(runs) != 1]} with {each_has}, {len(files)} in all")
    findings.doubts += bids.differences(runs)
    if root is None and space != "raw":
        findings.problems.append(
            f"{folder} has no derivatives/fmriprep: run fMRIPrep, name its output folder (derivatives), or take "
            "space raw, whose motion is corrected here and which is not aligned between subjects"
        )
    _check_names(folder, files, findings)
    _check_links(files, findings)
    space = _check_spaces(files, space, findings)
    if space is not None:
        trs = _check_trs(files, space, tr, findings)
        _check_scans(files, space, trs, findings, confounds)
        lengths = {of_run.stem: _length(of_run, space) for of_run in files if of_run.stem in trs}
        there = [of_run for of_run in files if lengths.get(of_run.stem)]  # of the others it is said already
        ends = {of_run.stem: lengths[of_run.stem] * trs[of_run.stem] for of_run in there}
        if stimulus == EVENTS:
            _check_events(there, ends, findings, offset, columns, text)
            stimulus = None
        elif stimulus is None and audio is None:
            findings.facts.append("no stimulus was named: its files were not checked")
        _check_stimuli(there, ends, findings, stimulus, audio, offset)
    findings.problems[:] = dict.fromkeys(findings.problems)  # a file that two checks read is named once
    return findings


def _selected_runs(
    folder: Path,
    root: Path | None,
    task: str | Sequence[str] | None,
    subjects: Sequence[int | str] | str | None,
    sessions: Sequence[str] | str | None,
) -> dict[str, tuple[Run, ...]]:
    """Return the selected runs by subject; raise an error if there are none."""
    found = bids.index_runs(folder, root)
    if not found:
        raise FileNotFoundError(f"{folder} has no functional run (sub-*/func/*_bold.nii.gz), nor has {root or folder}")
    found = bids.select_runs(found, "task", task, folder)
    found = bids.select_runs(found, "session", sessions, folder) if sessions is not None else found
    labels = select_subjects(subjects, tuple(sorted(found)), folder, partial(bids.label_of, known=tuple(found)))
    return {label: tuple(found[label]) for label in labels}


def _few(names: Sequence[Any]) -> str:
    """Return the first names of a list, and how many more there are."""
    more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
    return ", ".join(map(str, names[:_FEW])) + more


def _check_names(folder: Path, files: Sequence[RunFiles], findings: Findings) -> None:
    """Note names that other programs cannot read."""
    odd = [of_run.stem for of_run in files if not of_run.stem.isascii()]
    if not str(folder).isascii():
        odd.insert(0, str(folder))
    if odd:
        findings.doubts.append(f"{len(odd)} names are not ASCII ({_few(odd)}): they work here, and not in all programs")


def _func_folders(files: Sequence[RunFiles]) -> Iterator[tuple[Path, set[str]]]:
    """Yield each functional folder, with the starts of the names of its runs."""
    stems: dict[Path, set[str]] = {}
    for of_run in files:
        for root in {of_run.folder, of_run.derivatives} - {None}:
            stems.setdefault(root / of_run.run.func, set()).add(of_run.stem)
    yield from stems.items()


def _check_links(files: Sequence[RunFiles], findings: Findings) -> None:
    """Note files that are only named, empty, or a pointer of git."""
    broken: list[Path] = []
    damaged = []
    for folder, stems in _func_folders(files):
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if not any(path.name.startswith(f"{stem}_") for stem in stems):
                continue
            if path.is_symlink() and not path.exists():
                broken.append(path)
                continue
            try:
                check_whole(path)
            except (ValueError, OSError) as error:
                damaged.append(str(error))
    if broken:
        findings.doubts.append(
            f"{len(broken)} files are only named, links of git-annex to nowhere: {_few(broken)}; "
            "`git annex get` fetches them"
        )
    findings.problems += damaged


def _check_spaces(files: Sequence[RunFiles], space: str | None, findings: Findings) -> str | None:
    """Return the space to work in, noting runs that lack it."""
    counts = {name: sum(of_run.is_there(name) for of_run in files) for name in bids.PREFERENCE}
    there = ", ".join(f"{name} ({n} of {len(files)} runs)" for name, n in counts.items() if n)
    findings.facts.append(f"spaces: {there or 'none'}")
    if space is None:
        whole = [name for name, n in counts.items() if n == len(files)]
        prepared = {name: n for name, n in counts.items() if name != "raw" and n}
        if whole and (whole[0] != "raw" or not prepared):
            findings.facts.append(f"the space by default: {whole[0]}")
            return whole[0]
        # raw scans are there of all: whoever ran fMRIPrep does not mean them
        counts = prepared or counts
        most = max(counts, key=lambda name: counts[name])
        if not counts[most]:
            findings.problems.append(f"no image of the {len(files)} runs is there: fetch them (git-annex)")
            return None
        space = most
    lacking = [of_run for of_run in files if not of_run.is_there(space)]
    if lacking:
        stems = [of_run.stem for of_run in lacking]
        findings.problems.append(
            f"{len(lacking)} of {len(files)} runs are not there in space {space}: {_few(stems)}: fetch "
            "them, run fMRIPrep again, name another space, or leave those subjects out"
        )
    return space if len(lacking) < len(files) else None


def _check_trs(files: Sequence[RunFiles], space: str, tr: float | None, findings: Findings) -> dict[str, float]:
    """Return the repetition time of each run whose image is there, by stem."""
    trs = {}
    for of_run in files:
        if not of_run.is_there(space):
            continue
        try:
            trs[of_run.stem] = of_run.tr(space) if tr is None else tr
        except (ValueError, OSError) as error:
            findings.problems.append(str(error))
    by_tr: dict[float, list[str]] = {}
    for stem, seconds in trs.items():
        by_tr.setdefault(seconds, []).append(stem)
    if len(by_tr) > 1:
        listed = "; ".join(f"{seconds:g} s: {_few(stems)}" for seconds, stems in by_tr.items())
        findings.problems.append(f"runs have several repetition times ({listed}): encode them one by one, or by task")
    elif by_tr:
        findings.facts.append(f"repetition time {next(iter(by_tr)):g} s")
    return trs


def _check_scans(
    files: Sequence[RunFiles], space: str, trs: Mapping[str, float], findings: Findings, strategy: Strategy | None
) -> None:
    """Note what is wrong with headers, grids, masks, sizes and confounds."""
    n_bytes = 0
    by_subject: dict[str, list[Scan]] = {}
    for of_run in files:
        if of_run.stem not in trs:
            continue
        try:
            scan = of_run.scan(space, trs[of_run.stem])
        except (ValueError, OSError) as error:
            findings.problems.append(str(error))
            continue
        if scan.mask is not None and not scan.mask.is_file():
            findings.problems.append(f"{scan.mask} is missing: expected the brain mask of the run")
            continue
        by_subject.setdefault(of_run.subject, []).append(scan)
        n_bytes += sum(path.stat().st_size for path in scan.paths)
        findings.problems += [problem for path in scan.paths for problem in gzip_problem(path)]
    masked = 0
    for subject, scans in by_subject.items():
        problems, doubts = scans_of.problems(scans)
        findings.problems += problems
        findings.doubts += doubts + scans_of.other_grids(scans)
        masked += sum(scan.mask is not None for scan in scans)
        n_trs = sum(scan.n_trs for scan in scans)
        if n_trs < _LEAST_TRS:
            findings.problems.append(
                f"sub-{subject} has {n_trs} volumes in {len(scans)} runs, expected {_LEAST_TRS} or more"
            )
        if strategy is not None and space != "raw":
            findings.problems += list(_confounds_problems(scans, strategy))
    volumes = [scan for scans in by_subject.values() for scan in scans if not scan.is_surface and space != "raw"]
    if len(volumes) > masked:
        findings.doubts.append(
            f"{len(volumes) - masked} of {len(volumes)} runs have no brain mask: one is made of the image"
        )
    findings.facts.append(f"{format_bytes(n_bytes)} of images")
    try:
        check_room(cache_dir(), 4 * n_bytes)  # of 16-bit integers in gzip to 32-bit floats of the cortex
    except RequestError as error:
        findings.doubts.append(str(error))


def _confounds_problems(scans: Sequence[Scan], strategy: Strategy) -> Iterator[str]:
    for scan in scans:
        try:
            read_confounds(scan, strategy)
        except (FileNotFoundError, ValueError) as error:
            yield str(error)


def _check_events(
    files: Sequence[RunFiles],
    ends: Mapping[str, float],
    findings: Findings,
    offset: float | Mapping[str, float],
    columns: Sequence[str] | None,
    text: str | None,
) -> None:
    """Note runs without events, and events that cannot be read or do not fit into their runs."""
    silent = [of_run.stem for of_run in files if of_run.events is None]
    if silent:
        findings.problems.append(f"{len(silent)} of {len(files)} runs have no file of events: {_few(silent)}")
    read: dict[Path, RunEvents] = {}
    failed: set[Path] = set()
    by_run = []
    for of_run in files:
        path = of_run.events
        if path is None or path in failed:
            continue
        try:
            read[path] = read.get(path) or read_run_events(path)
            start = float(value_of_run(offset, of_run.run.name, "offset") if isinstance(offset, Mapping) else offset)
        except (ValueError, OSError) as error:
            failed.add(path)
            findings.problems.append(str(error))
            continue
        by_run.append(read[path])
        beyond = outside(read[path], -start, ends[of_run.stem] - start)
        if beyond.any():
            row = read[path].rows[beyond.argmax()]
            sentence = (
                f"{path}: {int(beyond.sum())} of {len(beyond)} events lie outside of {of_run.stem}, which is scanned "
                f"for {ends[of_run.stem]:.0f} s, the first in row {row}"
            )
            if 2 * beyond.sum() > len(beyond):
                findings.problems.append(f"{sentence}: are they of another run, in ms, or is the offset wrong?")
            else:
                findings.doubts.append(sentence)
    if by_run:
        _check_columns(by_run, findings, columns, text)


def _check_columns(
    by_run: Sequence[RunEvents], findings: Findings, columns: Sequence[str] | None, text: str | None
) -> None:
    """Note columns of events that can be no features, and say which are taken."""
    taken = []
    if text is not None or all(of_run.text_column for of_run in by_run):
        for of_run in {id(each): each for each in by_run}.values():
            try:
                of_run.transcript(text)
            except ValueError as error:
                findings.problems.append(str(error))
        taken.append(f"words of {text or by_run[0].text_column!r}")
        columns = columns or ()
    reasons = []
    for column in column_names(by_run) if columns is None else columns:
        try:
            column_values(by_run, column)
            taken.append(column)
        except ValueError as error:
            reasons.append(str(error))
    findings.facts.append(f"features of events: {', '.join(taken) or 'none'}")
    if columns is None and taken:
        findings.doubts += [f"left out: {reason}" for reason in reasons]
    else:
        findings.problems += reasons or ([] if taken else ["events have no column besides onset and duration"])


def _check_stimuli(
    files: Sequence[RunFiles],
    ends_by_stem: Mapping[str, float],
    findings: Findings,
    stimulus: Path | str | Mapping[str, Path | str] | None,
    audio: Path | str | Mapping[str, Path | str] | None,
    offset: float | Mapping[str, float],
) -> None:
    """Note stimuli that cannot be read, or do not fit into their runs."""
    ends: dict[str, dict[str, float]] = {}  # by run, of all subjects
    for of_run in files:
        ends.setdefault(of_run.run.name, {})[of_run.stem] = ends_by_stem[of_run.stem]
    for what, given, read in (("transcript", stimulus, _words_span), ("sound file", audio, _sound_span)):
        if given is None:
            continue
        spans: dict[str, Any] = {}
        for run, of_subjects in ends.items():
            try:
                path = str(value_of_run(given, run, what) if isinstance(given, Mapping) else given)
                start = float(value_of_run(offset, run, "offset") if isinstance(offset, Mapping) else offset)
                spans.setdefault(path, None)
                spans[path] = spans[path] if spans[path] is not None else read(Path(path).expanduser())
            except (ValueError, OSError) as error:
                if str(error) not in findings.problems:
                    findings.problems.append(str(error))
                continue
            alike: dict[float, list[str]] = {}  # a stimulus that many heard for the same time is one line
            for stem, end in of_subjects.items():
                alike.setdefault(round(end, 3), []).append(stem)
            for end, stems in alike.items():
                _compare(path, spans[path] + start, end, stems, findings)


def _length(of_run: RunFiles, space: str) -> int:
    """Return the volumes of a run by its header; 0 where it cannot be read."""
    try:
        return of_run.scan(space, 1.0).n_trs
    except (ValueError, OSError):
        return 0


def _words_span(path: Path) -> np.ndarray:
    """Return the middles of the words of a file, or of its events, s."""
    if is_events_file(path):
        events = read_run_events(path)
        return events.onsets + events.durations / 2
    transcript: Transcript = read_transcript(path)
    if not len(transcript.words):
        raise ValueError(f"{path} has no words: is it the right file, or another tier or column?")
    return (transcript.onsets + transcript.offsets) / 2


def _sound_span(path: Path) -> np.ndarray:
    """Return each second of a sound file."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: expected a sound file")
    try:
        return np.arange(0.5, max(1.0, soundfile.info(path).duration))
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise ValueError(f"{path} cannot be read as sound ({error}); convert it to WAV") from error


def _compare(path: str, times: np.ndarray, end: float, stems: Sequence[str], findings: Findings) -> None:
    """Compare the times of a stimulus with those of runs that are as long as each other."""
    outside = float(np.mean((times < 0) | (times >= end)))
    verb = "is" if len(stems) == 1 else "are"
    sentence = f"{path} plays {times[0]:.0f} to {times[-1]:.0f} s, {_few(stems)} {verb} scanned for {end:.0f} s"
    if outside > 0.5:
        findings.problems.append(
            f"{sentence}: {outside:.0%} lie outside; is it of another run, or is the offset wrong?"
        )
    elif outside > 0:
        findings.doubts.append(f"{sentence}: {outside:.0%} lie outside")
    elif end - times[-1] > _LONGER:
        findings.doubts.append(f"{sentence}: {end - times[-1]:.0f} s at its end have no stimulus")


def _check_lebel(
    folder: Path, task: str | Sequence[str] | None, subjects: Sequence[int | str] | str | None, findings: Findings
) -> None:
    """Note what is wrong with published series and their words."""
    try:
        stories = [task] if isinstance(task, str) else task
        data = lebel.load(folder, subjects=subjects, stories=stories)
    except (FileNotFoundError, ValueError) as error:
        findings.problems.append(str(error))
        return
    findings.facts += str(data).splitlines()[:2]
    findings.doubts += data.notes
    words: dict[str, float | None] = {}
    for label in data.subjects:
        n_voxels = set()
        for story in data.stories[label]:
            try:
                shape = data.shape(label, story)
                n_voxels.add(shape[1])
                if story not in words:
                    words[story] = None
                    words[story] = float(data.transcript(story).offsets[-1])
            except (FileNotFoundError, ValueError) as error:
                findings.problems.append(str(error))
                continue
            end = (lebel.FIRST_TR + shape[0]) * lebel.TR
            last = words[story]
            if last is not None and abs(last - end) > _LONGER:
                findings.doubts.append(
                    f"the words of {story} end at {last:.0f} s, its series in {label} at {end:.0f} s"
                )
        missing = data.cortex_files(label).missing(next(iter(n_voxels))) if len(n_voxels) == 1 else ""
        if missing:
            findings.doubts.append(f"{label}: scores come as a table, and no map is drawn: {missing}")
        if len(n_voxels) > 1:
            findings.problems.append(f"stories of {label} have different voxels: {sorted(n_voxels)}")
