"""Feature spaces of a stimulus from its files, by name, on the TRs of a subject's runs.

Words with their times give the rate of words, vectors of single words and a language model's words in context; sound
gives loudness and a spectrum. Everything is on the clock of the scan, moved by an offset for each run.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import ArrayLike, NDArray

from naturalistic.arrays import ShapeRepr
from naturalistic.datasets.spoken import SpokenWords, value_of_run, words_in_runs
from naturalistic.datasets.subject import Subject
from naturalistic.datasets.transcripts import read_transcript
from naturalistic.datasets.words import Transcript
from naturalistic.features.audio.acoustic import acoustic_frames
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
CONTROLS = (WORD_RATE, LOUDNESS)  # what a model of meaning is held against
_PER_TR = 4  # steps of sound in a TR, so that any offset is met to a quarter of one

Words = Transcript | Path | str
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
    """

    spaces: dict[str, NDArray]
    words: SpokenWords | None
    model: str
    layer: int | None

    @property
    def clock(self) -> NDArray:
        """Return the fast feature by which the clock is checked (n_trs,): loudness, or else the rate of words."""
        name = LOUDNESS if LOUDNESS in self.spaces else WORD_RATE
        if name not in self.spaces:
            raise ValueError(f"spaces are {', '.join(self.spaces)}, expected loudness or the rate of words")
        return self.spaces[name][:, 0]

    @property
    def controls(self) -> tuple[str, ...]:
        """Return the names of the spaces that are no meaning."""
        return tuple(name for name in self.spaces if name in CONTROLS)


def read_stimuli(stimulus: Words | Mapping[str, Words]) -> Transcript | dict[str, Transcript]:
    """Return the words of a recording, or of each of several, read from their files.

    Parameters
    ----------
    stimulus : Transcript, str or Path, or dict of these by run
        See `datasets.transcripts.read_transcript`.
    """
    if isinstance(stimulus, Mapping):
        read: dict[str, Transcript] = {}
        files: dict[str, Transcript] = {}  # a file that is named twice is one recording
        for run, words in stimulus.items():
            if isinstance(words, Transcript):
                read[run] = words
                continue
            key = str(Path(words).expanduser().resolve())
            files[key] = files.get(key) or read_transcript(Path(words).expanduser())
            read[run] = files[key]
        return read
    return stimulus if isinstance(stimulus, Transcript) else read_transcript(Path(stimulus).expanduser())


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
    device: str = "cpu",
) -> StimulusSpaces:
    """Return named feature spaces of a stimulus on the TRs of a subject.

    Parameters
    ----------
    subject : Subject
    stimulus : str or Path, Transcript, or dict of these
        Words with their times: any file of `datasets.transcripts.read_transcript`. One of all runs alike, or by run, or
        by a part of the run's name such as ``"task-story"`` or ``"run-2"``.
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
    device : str
        Of the language model.

    Returns
    -------
    stimulus : StimulusSpaces
        ``word rate``, ``static``, ``context``; of sound ``loudness`` and ``spectrum``; and ``more``.

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
    if stimulus is not None:
        words = words_in_runs(read_stimuli(stimulus), subject, offset=offset)
        spaces[WORD_RATE] = stories.word_rate(words)
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
    for space, values in (more or {}).items():
        spaces[space] = _checked(space, values, len(subject.runs), spaces)
    return StimulusSpaces(spaces, words, name, layer if CONTEXT in spaces else None)


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
