"""Feature spaces of a stimulus from its files, by name, on the TRs of a subject's runs.

Words with their times give the rate of words, vectors of single words and a language model's words in context; sound
gives loudness and a spectrum. Everything is on the clock of the scan, moved by an offset for each run.
"""

import hashlib
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import ArrayLike, NDArray

from naturalistic.arrays import ShapeRepr
from naturalistic.datasets.repeats import Played
from naturalistic.datasets.run_events import RunEvents, is_events_file, read_run_events
from naturalistic.datasets.spoken import SpokenWords, value_of_run, words_in_runs
from naturalistic.datasets.subject import Subject
from naturalistic.datasets.transcripts import read_transcript
from naturalistic.datasets.words import Transcript
from naturalistic.features.audio.acoustic import acoustic_frames
from naturalistic.features.run_events import EVENT_RATE, event_spaces
from naturalistic.features.text import stories
from naturalistic.features.text.contexts import context_starts
from naturalistic.features.text.language_model import MINILM, LanguageModel, StaticVectors, load_model
from naturalistic.features.text.word_encoder import contextual
from naturalistic.features.text.word_vectors import WordVectors
from naturalistic.features.timing import to_trs

WORD_RATE = "word rate"
LOUDNESS = "loudness"
SPECTRUM = "spectrum"
STATIC = "static"
CONTEXT = "context"
CONTROLS = (WORD_RATE, LOUDNESS, EVENT_RATE)  # what a model of meaning is held against
_PER_TR = 4  # steps of sound in a TR, so that any offset is met to a quarter of one

Words = Transcript | RunEvents | Path | str
Read = Transcript | RunEvents
Model = str | Path | LanguageModel | StaticVectors | WordVectors


@dataclass(frozen=True, eq=False, repr=False)
class StimulusSpaces(ShapeRepr):
    """Feature spaces of a stimulus on the TRs of a subject.

    Attributes
    ----------
    spaces : dict of str to float32 array (n_trs, n_features)
    words : SpokenWords or None
    model : str
        Name of the language model, "" without one.
    layer : int or None
        Of the space of words in context.
    played : tuple of Played or None
        What each run played, where words do not say it.
    """

    spaces: dict[str, NDArray]
    words: SpokenWords | None
    model: str
    layer: int | None
    played: tuple[Played, ...] | None = None

    @property
    def played_by_run(self) -> tuple[Played, ...] | None:
        """Return what each run played, by its words, else by sound or events; None where it is not known."""
        return self.words.played_by_run() if self.words is not None else self.played

    @property
    def clock(self) -> NDArray:
        """Return the fast feature that checks the clock (n_trs,): loudness, or else the rate of words or events."""
        name = next((name for name in (LOUDNESS, WORD_RATE, EVENT_RATE) if name in self.spaces), None)
        if name is None:
            raise ValueError(f"spaces are {', '.join(self.spaces)}, expected loudness or the rate of words or events")
        return self.spaces[name][:, 0]

    @property
    def controls(self) -> tuple[str, ...]:
        """Return the names of the spaces that are no meaning."""
        return tuple(name for name in self.spaces if name in CONTROLS)


def read_stimuli(stimulus: Words | Mapping[str, Words]) -> Read | dict[str, Read]:
    """Return the words or events of a recording, or of each of several, read from their files.

    Parameters
    ----------
    stimulus : Transcript, RunEvents, str or Path, or dict of these by run
        See `datasets.transcripts.read_transcript`; a name that ends in ``events.tsv`` is a file of events.
    """
    if not isinstance(stimulus, Mapping):
        return _read(stimulus)
    read: dict[str, Read] = {}
    files: dict[str, Read] = {}  # a file that is named twice is one recording
    for run, given in stimulus.items():
        if isinstance(given, (Transcript, RunEvents)):
            read[run] = given
            continue
        key = str(Path(given).expanduser().resolve())
        files[key] = files.get(key) or _read(given)
        read[run] = files[key]
    return read


def _read(given: Words) -> Read:
    """Return the words or events of one recording."""
    if isinstance(given, (Transcript, RunEvents)):
        return given
    path = Path(given).expanduser()
    return read_run_events(path) if is_events_file(path) else read_transcript(path)


def stimulus_spaces(
    subject: Subject,
    stimulus: Words | Mapping[str, Words] | None = None,
    *,
    audio: Path | str | Mapping[str, Path | str] | None = None,
    model: Model | None = MINILM,
    layer: int | None = None,
    n_words: int = 32,
    offset: float | Mapping[str, float] = 0.0,
    more: Mapping[str, ArrayLike] | None = None,
    columns: Sequence[str] | None = None,
    text: str | None = None,
    device: str = "cpu",
) -> StimulusSpaces:
    """Return named feature spaces of a stimulus on the TRs of a subject.

    Parameters
    ----------
    subject : Subject
    stimulus : str or Path, Transcript, RunEvents, or dict of these
        Words with their times: any file of `datasets.transcripts.read_transcript`; or events of BIDS
        (``..._events.tsv``, `datasets.experiments.stimulus_of`). One of all runs alike, or by run, or by a part of the
        run's name such as ``"task-story"`` or ``"run-2"``.
    audio : str or Path, or dict of these, optional
        Sound files (WAV, FLAC, OGG, MP3) likewise.
    model : str, Path or model, optional
        Any name of `features.text.load_model`; vectors of words alone ("glove", "static:...", a file) give no context.
        None: no language model.
    layer : int, optional
        Of the words in context: 0 is the embedding layer, -1 the last; the middle one by default.
    n_words : int
        Words of context, the word itself included.
    offset : float, or dict of str to float
        s of the scan at which the recording begins, of all runs or by run. `encoding.lag_profile` of the result's
        ``clock`` shows a wrong one.
    more : dict of str to array (n_trs, n_features), optional
        Spaces on the same TRs, such as those of a film by `features.video`.
    columns : list of str, optional
        Of events, see `features.run_events.event_spaces`: by default none if they have words, else all that can be
        features.
    text : str, optional
        Column of events that holds words or sentences; by default one of a usual name, such as ``word``.
    device : str
        Of the language model.

    Returns
    -------
    stimulus : StimulusSpaces
        ``word rate``, ``static``, ``context``; of events ``event rate`` and a space for each column; of sound
        ``loudness`` and ``spectrum``; and ``more``.

    Raises
    ------
    FileNotFoundError, ValueError
        If a file is missing or no stimulus, belongs to another run (most of it lies outside), or there is nothing to
        make features of.
    """
    if stimulus is None and audio is None and not more:
        raise ValueError("stimulus, audio and more are empty, expected words with times, a sound file, or features")
    spaces: dict[str, NDArray] = {}
    words = None
    name = ""
    played: list[Hashable] = []
    of_events: dict[str, NDArray] = {}
    if stimulus is not None:
        transcripts, events = _words_and_events(subject, read_stimuli(stimulus), columns, text)
        if transcripts is not None:
            words = words_in_runs(transcripts, subject, offset=offset)
            spaces[WORD_RATE] = stories.word_rate(words)
        if events is not None:
            of_events = event_spaces(subject, events, columns=columns, offset=offset)
            played = [of_run.content for of_run in events.values()]
    if audio is not None:
        loudness, spectrum = _sound(subject, audio, offset)
        spaces[LOUDNESS] = loudness
        spaces[SPECTRUM] = spectrum
    if words is not None and model is not None:
        opened = load_model(model, device=device) if isinstance(model, (str, Path)) else model
        name = opened.name
        if isinstance(opened, LanguageModel):
            layer = opened.n_layers // 2 if layer is None else layer
            spaces[STATIC] = stories.static_features(words, opened)
            spaces[CONTEXT] = stories.on_trs(_in_context(words, opened, n_words, layer), words)
        else:
            layer = None
            spaces[STATIC] = stories.on_trs(opened.means(words.words)[0], words)
    if taken := set(of_events) & set(spaces):
        raise ValueError(f"columns of events are called {', '.join(sorted(taken))}, as spaces of words or sound are")
    spaces |= of_events
    for space, values in (more or {}).items():
        spaces[space] = _checked(space, values, len(subject.runs), spaces)
    if not played:
        played = _sound_files(subject, audio) if audio is not None else _same_features(subject, spaces)
    return StimulusSpaces(spaces, words, name, layer if CONTEXT in spaces else None, _played(subject, played, offset))


def _words_and_events(
    subject: Subject, read: Read | Mapping[str, Read], columns: Sequence[str] | None, text: str | None
) -> tuple[dict[str, Transcript] | None, dict[str, RunEvents] | None]:
    """Return the words of each run, or None, and the events whose columns are features, or None."""
    by_run = {n: value_of_run(read, n, "transcript") if isinstance(read, Mapping) else read for n in subject.run_names}
    events = {name: each for name, each in by_run.items() if isinstance(each, RunEvents)}
    words = {name: each for name, each in by_run.items() if not isinstance(each, RunEvents)}
    if not events:
        if columns is not None or text is not None:
            raise ValueError("columns and text are of events, and the stimulus has none: leave them out")
        return words, None
    if len(events) < len(by_run):
        raise ValueError(f"{len(events)} of {len(by_run)} runs have events and others a transcript: expected one kind")
    if text is None and not all(each.text_column for each in events.values()):
        return None, events
    transcripts: dict[int, Transcript] = {}  # a file of several runs is one recording
    for each in events.values():
        if id(each) not in transcripts:
            transcripts[id(each)] = each.transcript(text)
    words = {name: transcripts[id(each)] for name, each in events.items()}
    return words, events if columns is not None else None


def _played(
    subject: Subject, recordings: Sequence[Hashable], offset: float | Mapping[str, float]
) -> tuple[Played, ...]:
    """Return what each run played."""
    played = []
    for name, recording in zip(subject.run_names, recordings):
        start = float(value_of_run(offset, name, "offset") if isinstance(offset, Mapping) else offset)
        played.append(Played(recording, start))
    return tuple(played)


def _sound_files(subject: Subject, audio: Path | str | Mapping[str, Path | str]) -> list[Hashable]:
    """Return the content of each run's sound file, as a key."""
    keys: list[Hashable] = []
    for name in subject.run_names:
        path = Path(value_of_run(audio, name, "sound file") if isinstance(audio, Mapping) else audio).expanduser()
        with open(path, "rb") as file:
            keys.append(hashlib.file_digest(file, "sha256").hexdigest())
    return keys


def _same_features(subject: Subject, spaces: Mapping[str, NDArray]) -> list[Hashable]:
    """Return the features of each run as a key: runs whose features are the same played the same."""
    return [
        hashlib.sha256(b"".join(x[subject.runs == run].tobytes() for x in spaces.values())).hexdigest()
        for run in range(len(subject.run_names))
    ]


def _in_context(words: SpokenWords, model: LanguageModel, n_words: int, layer: int) -> NDArray:
    """Return a layer for each word in its context, recording by recording.

    So each recording is in the cache by itself, and subjects who lack a run find the others there.
    """
    vectors = []
    for recording in np.unique(words.texts):
        of_recording = [words.words[k] for k in np.flatnonzero(words.texts == recording)]
        starts = context_starts(np.arange(len(of_recording)), n_words)
        vectors.append(contextual(model, of_recording, starts, layers=[layer])[0])
    return np.concatenate(vectors)


def _checked(name: str, values: ArrayLike, n_trs: int, spaces: Mapping[str, NDArray]) -> NDArray:
    """Return a space of the caller, as float32."""
    features = np.asarray(values, dtype=np.float32)
    features = features[:, None] if features.ndim == 1 else features
    if features.ndim != 2 or len(features) != n_trs or not np.isfinite(features).all():
        raise ValueError(f"more[{name!r}] has shape {features.shape}, expected ({n_trs}, n_features), finite numbers")
    if name in spaces:
        raise ValueError(f"more has {name!r}, which is a space of words or sound already: call it otherwise")
    return features


def _sound(
    subject: Subject, audio: Path | str | Mapping[str, Path | str], offset: float | Mapping[str, float]
) -> tuple[NDArray, NDArray]:
    """Return loudness (n_trs, 1) and a spectrum (n_trs, 64), dB above the quietest moment of the run's sound.

    TRs without any sound are as quiet as that moment.
    """
    loudness = []
    spectrum = []
    times = subject.tr_times
    step = subject.tr / _PER_TR
    for run, name in enumerate(subject.run_names):
        path = Path(value_of_run(audio, name, "sound file") if isinstance(audio, Mapping) else audio).expanduser()
        start = float(value_of_run(offset, name, "offset") if isinstance(offset, Mapping) else offset)
        mel = _mel(path, step)
        middles = start + (np.arange(len(mel)) + 0.5) * step
        of_run = times[subject.runs == run]
        inside = (middles >= of_run[0]) & (middles < of_run[-1] + subject.tr)
        if 2 * inside.sum() < len(inside):
            raise ValueError(
                f"{path} plays {start:.1f} to {start + len(mel) * step:.1f} s of run {name!r}, whose scan "
                f"is {of_run[0]:g} to {of_run[-1] + subject.tr:g} s: is it the sound of another run, or is the offset "
                "wrong?"
            )
        loud = mel.mean(axis=1, keepdims=True)
        loudness.append(to_trs(loud - loud.min(), middles, of_run, subject.tr, "mean"))
        spectrum.append(to_trs(mel - mel.min(axis=0), middles, of_run, subject.tr, "mean"))
    return np.concatenate(loudness), np.concatenate(spectrum)


def _mel(path: Path, step: float) -> NDArray:
    """Return the bands of a sound file (n_steps, 64), dB."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: expected a sound file")
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise ValueError(f"{path} cannot be read as sound ({error}); convert it to WAV") from error
    return acoustic_frames(samples.mean(axis=1), rate, step)["mel"]
