"""Words of a stimulus in the runs of an experiment: the text that a model reads, and when a subject hears it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from naturalistic.arrays import ShapeRepr
from naturalistic.datasets.repeats import Played
from naturalistic.datasets.subject import Subject
from naturalistic.datasets.words import Transcript


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class SpokenWords(ShapeRepr):
    """Words in the order in which they are read, and the times at which each run plays them.

    A word stands here once, also where two runs play the same recording. Features of words come onto TRs by
    `features.text.stories.on_trs`.

    Attributes
    ----------
    words : list of str
    onsets, offsets : array (n_words,)
        s of the clock of ``tr_times``.
    events : int array (n_events,)
        Index of the word that is played, run by run.
    event_runs : int array (n_events,)
        Run that plays it.
    tr_times, runs : array (n_trs,)
        Start of each TR in s, and its run.
    tr : float
        Repetition time, s.
    texts : int array (n_words,) or None
        Recording of each word: contexts do not reach from one into another. None: they are one text.
    """

    words: list[str]
    onsets: NDArray
    offsets: NDArray
    events: NDArray
    event_runs: NDArray
    tr_times: NDArray
    runs: NDArray
    tr: float
    texts: NDArray | None = None

    def played_by_run(self) -> tuple[Played, ...]:
        """Return what each run played: runs of the same words play the same, also where a scan was stopped early."""
        played = []
        for run in np.unique(self.runs).tolist():
            heard = self.events[self.event_runs == run]
            if not len(heard):
                played.append(Played(("no words", run), 0.0))
                continue
            of_recording = heard if self.texts is None else np.flatnonzero(self.texts == self.texts[heard[0]])
            recording = tuple(self.words[k] for k in of_recording)
            played.append(Played(recording, float(self.onsets[of_recording[0]])))
        return tuple(played)


def words_in_runs(
    transcripts: Transcript | Mapping[str, Transcript],
    subject: Subject,
    *,
    offset: float | Mapping[str, float] = 0.0,
) -> SpokenWords:
    """Return the words that runs played, on the TRs of a subject.

    Parameters
    ----------
    transcripts : Transcript, or dict of str to Transcript
        Of all runs alike; or by run, or by a part of the run's name such as ``"task-story"`` or ``"run-2"``.
    subject : Subject
        Or any subject with the same runs.
    offset : float, or dict of str to float
        s of the scan at which the recording begins, of all runs or by run as above. Below 0, the recording began before
        the scan.

    Returns
    -------
    words : SpokenWords
        Words outside of the scan are read as context, and lie in no TR.

    Raises
    ------
    ValueError
        If a run has no transcript or several, or most words of a recording lie outside of its run: it is of another
        run, or its offset is wrong.
    """
    recordings: list[Transcript] = []
    places: dict[tuple[int, float], int] = {}
    of_run = []
    for name in subject.run_names:
        transcript = (
            transcripts if isinstance(transcripts, Transcript) else value_of_run(transcripts, name, "transcript")
        )
        start = float(offset if not isinstance(offset, Mapping) else value_of_run(offset, name, "offset"))
        # the same recording at another offset has other times
        place = places.setdefault((id(transcript), start), len(recordings))
        if place == len(recordings):
            recordings.append(transcript._replace(onsets=transcript.onsets + start, offsets=transcript.offsets + start))
        of_run.append(place)
    firsts = np.concatenate([[0], np.cumsum([len(each.words) for each in recordings])])
    times = subject.tr_times
    events = []
    for run, place in enumerate(of_run):
        inside = _inside(recordings[place], times[subject.runs == run], subject, run)
        events.append(firsts[place] + inside)
    return SpokenWords(
        words=[word for each in recordings for word in each.words],
        onsets=np.concatenate([each.onsets for each in recordings]),
        offsets=np.concatenate([each.offsets for each in recordings]),
        events=np.concatenate(events).astype(int),
        event_runs=np.repeat(np.arange(len(events)), [len(each) for each in events]),
        tr_times=times,
        runs=subject.runs,
        tr=subject.tr,
        texts=np.repeat(np.arange(len(recordings)), np.diff(firsts)),
    )


def value_of_run(values: Mapping, name: str, what: str) -> Any:
    """Return the value of a run: under its name, or under one part of it.

    Parameters
    ----------
    values : dict
        By run, or by a part of the run's name such as ``"task-story"`` or ``"run-2"``.
    name : str
        Of the run.
    what : str
        Name of a value, for the error.

    Raises
    ------
    ValueError
        If none or several fit.
    """
    if name in values:
        return values[name]
    parts = name.split("_")
    found = [key for key in values if set(str(key).split("_")) <= set(parts)]
    if len(found) != 1:
        raise ValueError(
            f"run {name!r} has {len(found)} of the {what}s {', '.join(map(str, values))}, expected one: name it by the "
            "run, or by a part of its name such as 'task-story'"
        )
    return values[found[0]]


def _inside(transcript: Transcript, tr_times: NDArray, subject: Subject, run: int) -> NDArray:
    """Return the indices of the words whose middles lie in a run."""
    middles = (transcript.onsets + transcript.offsets) / 2
    end = tr_times[-1] + subject.tr
    inside = np.flatnonzero((middles >= tr_times[0]) & (middles < end))
    n_outside = len(middles) - len(inside)
    sentence = (
        f"{n_outside} of {len(middles)} words lie outside of run {subject.run_names[run]!r} of subject {subject.label} "
        f"(words {middles.min():.1f} to {middles.max():.1f} s, scan {tr_times[0]:g} to {end:g} s)"
    )
    if 2 * n_outside > len(middles):
        raise ValueError(f"{sentence}: is it the recording of another run, or is the offset wrong?")
    if n_outside:
        warnings.warn(sentence, stacklevel=4)
    return inside
