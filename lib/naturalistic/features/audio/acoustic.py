"""Acoustic features without a trained model: loudness, timbre, chroma, onsets, tempo.

By librosa (McFee et al. 2015, doi 10.25080/Majora-7b98e3ed-003). Sound is first brought to 22,050 Hz, so that numbers
of sounds of different rates can be compared; frames of 2,048 samples come every 441 (50 a second).

**Loudness.** A gain g adds 20 log10 g dB to ``mel_mean`` and ``mel`` and changes ``mfcc_mean[0]``; nothing else depends
on it: what is more than 80 dB below the loudest band of the clip counts as 80 dB below it.

The first import compiles a few functions (numba), which takes half a minute; later ones load them in two seconds.
"""

import itertools
from collections.abc import Sequence
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import joblib
import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from naturalistic.cache import content_key, one_at_a_time, read_array, write_array
from naturalistic.features.audio.windows import check_times, check_waveforms, n_windows, resample
from naturalistic.parameters import check_jobs

# librosa compiles parts of itself when they are imported, and numba keeps each in two files. Two processes that do so
# at once may leave one file of each, which kills every process that loads them, then and later (numba's issue 10128).
with one_at_a_time(Path(find_spec("librosa").origin).parent):
    import librosa
    import librosa.core.audio
    import librosa.core.pitch
    import librosa.util.utils

RATE = 22050  # Hz
STEP = 441  # samples between frames, 20 ms
_FFT = 2048
_MELS = 64
_MFCCS = 20
_BANDS = 6
_RANGE = 80.0  # dB below the loudest band that are told apart
_TINY = 1e-20  # power
_RECIPE = 1  # part of the cache's key: raise it when the same call gives other numbers
_STEPS_RECIPE = 1  # the same for `acoustic_steps`
# name and size of each descriptor of a clip, in the order in which a clip's numbers are kept
SIZES = {
    "mel_mean": _MELS,
    "mel_sd": _MELS,
    "mfcc_mean": _MFCCS,
    "mfcc_sd": _MFCCS,
    "chroma": 12,
    "onset": 3,
    "tempo": 1,
    "spectral_mean": 4,
    "spectral_sd": 4,
    "contrast": _BANDS + 1,
}


def acoustic(
    waveforms: ArrayLike | Sequence[ArrayLike],
    sample_rate: float,
    *,
    cache: bool = True,
    progress: bool = True,
    n_jobs: int = 1,
    allow_low_rate: bool = False,
) -> dict[str, NDArray]:
    """Return descriptors of clips.

    Parameters
    ----------
    waveforms : array (n_clips, n_samples) or (n_samples,), or list of arrays (n_samples,)
        Mono floats of full scale 1, equally long, 1 s or more.
    sample_rate : float
        Hz.
    cache : bool
        Keep the numbers of each clip, found again by its samples.
    progress : bool
        Show a bar if it takes more than 3 s.
    n_jobs : int
        Processes.
    allow_low_rate : bool
        Take sound below 16,000 Hz.

    Returns
    -------
    descriptors : dict of float32 arrays (n_clips, n), or (n,) of one clip by itself
        ``mel_mean``, ``mel_sd`` (64 bands, dB); ``mfcc_mean``, ``mfcc_sd`` (20); ``chroma`` (12, C to B, mean of
        frames whose strongest class is 1; tuned to A = 440 Hz); ``onset`` (mean and SD of onset strength, onsets a
        second); ``tempo`` (beats a minute, up to a factor of two: clicks at 180 are heard as 90); ``spectral_mean``,
        ``spectral_sd`` (centroid, bandwidth, 85-% roll-off in Hz, flatness from 0 to 1); ``contrast`` (7 bands, dB
        between peaks and valleys).

    Raises
    ------
    TypeError, ValueError
        If clips are not as expected (see `windows.check_waveforms`) or shorter than 1 s.
    """
    clips, single = check_waveforms(waveforms, sample_rate, allow_low_rate=allow_low_rate)
    _check_duration(clips, sample_rate, 1.0)
    numbers = np.empty((len(clips), sum(SIZES.values())), np.float32)
    keys = [content_key("acoustic", _RECIPE, float(sample_rate), clip) for clip in clips] if cache else []
    todo = list(range(len(clips)))
    for k, key in enumerate(keys):
        if (cached := read_array("acoustic", key, numbers.shape[1:])) is not None:
            numbers[k] = cached
            todo.remove(k)
    work = (joblib.delayed(_describe)(clips[k], sample_rate) for k in todo)
    results = joblib.Parallel(n_jobs=n_jobs, return_as="generator")(work)
    bar = tqdm(results, total=len(todo), desc="acoustic", unit="clip", delay=3, leave=False, disable=not progress)
    for values, k in zip(bar, todo):  # the generator first, so that it runs to its end
        numbers[k] = values
        if cache:
            write_array("acoustic", keys[k], numbers[k])
    parts = np.split(numbers, np.cumsum(list(SIZES.values()))[:-1], axis=1)
    return {name: part[0] if single else part for name, part in zip(SIZES, parts)}


def log_mel(waveform: ArrayLike, sample_rate: float, n_mels: int = _MELS, step: float = 0.02) -> NDArray:
    """Return the log-mel spectrogram of a clip.

    Parameters
    ----------
    waveform : array (n_samples,)
    sample_rate : float
        Hz.
    n_mels : int
        Bands, up to 11,025 Hz.
    step : float
        s between frames, the first of which is centered on the first sample.

    Returns
    -------
    frames : float32 array (n_frames, n_mels)
        dB of power, not more than 80 below the loudest.

    Raises
    ------
    TypeError, ValueError
        If the clip is not as expected, or ``step`` is no positive number of seconds.
    """
    check_times(1.0, step)
    sound = _sound(waveform, sample_rate)
    hop = max(1, round(step * RATE))
    power = np.abs(librosa.stft(sound, n_fft=_FFT, hop_length=hop)) ** 2
    return np.ascontiguousarray(_decibel(librosa.feature.melspectrogram(S=power, sr=RATE, n_mels=n_mels)).T)


def acoustic_frames(waveform: ArrayLike, sample_rate: float, step: float = 1.5) -> dict[str, NDArray]:
    """Return features of a clip on a grid of time steps, for encoding models.

    Parameters
    ----------
    waveform : array (n_samples,)
    sample_rate : float
        Hz.
    step : float
        s, such as a TR. Only whole steps count.

    Returns
    -------
    features : dict of float32 arrays (n_steps, n)
        Means over the frames whose centers are in a step: ``mel`` (64, dB), ``chroma`` (12), ``onset`` (1, strength),
        ``spectral`` (4: centroid, bandwidth, roll-off in Hz, flatness), ``contrast`` (7, dB).

    Raises
    ------
    TypeError, ValueError
        If the clip is not as expected, or shorter than a step, or ``step`` is shorter than a frame (0.02 s).
    """
    check_times(1.0, step)
    if step < STEP / RATE:
        raise ValueError(f"step is {step:g} s, expected at least the {STEP / RATE:g} s between frames")
    sound = _sound(waveform, sample_rate)
    n_steps = n_windows(np.size(waveform), sample_rate, step, step)
    if not n_steps:
        raise ValueError(f"waveform lasts {np.size(waveform) / sample_rate:g} s, expected {step:g} s or more")
    frames = _frames(sound)
    n_frames = len(frames["mel"])
    # the first frame that is not before each step's beginning, counted in whole numbers
    edges = [-int(-k * Fraction(str(step)) * RATE // STEP) for k in range(n_steps + 1)]
    edges = [min(edge, n_frames) for edge in edges]
    names = ("mel", "chroma", "onset", "spectral", "contrast")
    return {
        name: np.stack([frames[name][a:b].mean(0) for a, b in itertools.pairwise(edges)]).astype(np.float32)
        for name in names
    }


def _sound(waveform: ArrayLike, sample_rate: float) -> NDArray:
    """Return one clip, checked, at `RATE`."""
    clips, single = check_waveforms(waveform, sample_rate)
    if not single:
        raise ValueError(f"waveform has shape {np.shape(waveform)}, expected one clip, (n_samples,)")
    return resample(clips[0], sample_rate, RATE)


def _check_duration(clips: list[NDArray], sample_rate: float, least: float) -> None:
    if (n_samples := min(map(len, clips))) < least * sample_rate:
        raise ValueError(
            f"waveforms has clips of {n_samples / sample_rate:g} s, expected at least {least:g} s: onsets and "
            "tempo need that much"
        )


def _decibel(power: NDArray) -> NDArray:
    """Return power in dB, float32."""
    return librosa.power_to_db(power, ref=1.0, amin=_TINY, top_db=_RANGE).astype(np.float32)


def _frames(sound: NDArray) -> dict[str, NDArray]:
    """Return features of each frame, a dict of arrays (n_frames, n), from one spectrogram."""
    size = np.abs(librosa.stft(sound, n_fft=_FFT, hop_length=STEP))
    power = size**2
    options = {"sr": RATE}
    mel = _decibel(librosa.feature.melspectrogram(S=power, n_mels=_MELS, **options))
    features = {
        "mel": mel,
        "mfcc": librosa.feature.mfcc(S=mel, n_mfcc=_MFCCS, **options),
        "chroma": librosa.feature.chroma_stft(S=power, tuning=0.0, **options),
        "onset": librosa.onset.onset_strength(S=mel, hop_length=STEP, n_fft=_FFT, **options)[None],
        "spectral": np.concatenate(
            [
                librosa.feature.spectral_centroid(S=size, **options),
                librosa.feature.spectral_bandwidth(S=size, **options),
                librosa.feature.spectral_rolloff(S=size, **options),
                librosa.feature.spectral_flatness(S=size, amin=_TINY),
            ]
        ),
        "contrast": librosa.feature.spectral_contrast(S=size, n_bands=_BANDS, **options),
    }
    return {name: values.T for name, values in features.items()}


def _describe(clip: NDArray, sample_rate: float) -> NDArray:
    """Return the numbers of a clip in the order of `SIZES`."""
    sound = resample(clip, sample_rate, RATE)
    frames = _frames(sound)
    strength = frames["onset"][:, 0]
    onsets = librosa.onset.onset_detect(onset_envelope=strength, sr=RATE, hop_length=STEP)
    values = {
        "mel_mean": frames["mel"].mean(0),
        "mel_sd": frames["mel"].std(0),
        "mfcc_mean": frames["mfcc"].mean(0),
        "mfcc_sd": frames["mfcc"].std(0),
        "chroma": frames["chroma"].mean(0),
        "onset": [strength.mean(), strength.std(), len(onsets) / (len(sound) / RATE)],
        "tempo": librosa.feature.tempo(onset_envelope=strength, sr=RATE, hop_length=STEP),
        "spectral_mean": frames["spectral"].mean(0),
        "spectral_sd": frames["spectral"].std(0),
        "contrast": frames["contrast"].mean(0),
    }
    return np.concatenate([np.asarray(values[name], np.float32) for name in SIZES])


def acoustic_steps(
    waveforms: ArrayLike | Sequence[ArrayLike],
    sample_rate: float,
    step: float = 1.5,
    *,
    cache: bool = True,
    progress: bool = True,
    n_jobs: int = 1,
) -> NDArray:
    """Return acoustic features of clips on a grid of time steps, concatenated.

    See `acoustic_frames`.

    Parameters
    ----------
    waveforms : array (n_clips, n_samples), or list of arrays (n_samples,)
        Mono floats of full scale 1, equally long.
    sample_rate : float
        Hz.
    step : float
        s, such as a TR.
    cache : bool
        Keep the numbers of each clip, found again by its samples.
    progress : bool
        Show a bar if it takes more than 3 s.
    n_jobs : int
        Processes.

    Returns
    -------
    features : float32 array (n_clips, n_steps, 88)
        As vectors of windows of one step: loudness in 64 bands, chroma, onset strength, spectrum, contrast.

    Raises
    ------
    TypeError, ValueError
        As `acoustic.acoustic_frames`.
    """
    n_jobs = check_jobs(n_jobs)
    clips, _ = check_waveforms(waveforms, sample_rate)
    n_steps = n_windows(min(map(len, clips)), sample_rate, step, step)
    keys = _step_keys(clips, sample_rate, step) if cache else []
    features = {k: read_array("acoustic", key, (n_steps, 88)) for k, key in enumerate(keys)}
    todo = [k for k in range(len(clips)) if features.get(k) is None]
    work = (joblib.delayed(_steps)(clips[k], sample_rate, step, n_steps) for k in todo)
    results = joblib.Parallel(n_jobs=n_jobs, return_as="generator")(work)
    bar = tqdm(results, total=len(todo), desc="acoustic", unit="clip", delay=3, leave=False, disable=not progress)
    for values, k in zip(bar, todo):  # the generator first, so that it runs to its end
        features[k] = values
        if cache:
            write_array("acoustic", keys[k], values)
    return np.stack([features[k] for k in range(len(clips))])


def _step_keys(clips: list[NDArray], sample_rate: float, step: float) -> list[str]:
    return [content_key("acoustic steps", _STEPS_RECIPE, float(sample_rate), float(step), clip) for clip in clips]


def _steps(clip: NDArray, sample_rate: float, step: float, n_steps: int) -> NDArray:
    """Return the features of one clip (n_steps, 88)."""
    return np.concatenate(list(acoustic_frames(clip, sample_rate, step).values()), axis=1)[:n_steps]
