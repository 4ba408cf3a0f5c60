"""GTZAN: a thousand tracks of 30 s in ten genres, and the clips that the music experiment cut from them.

Tzanetakis & Cook (2002), IEEE Transactions on Speech and Audio Processing 10(5):293-302. One folder a genre,
``<genre>/<genre>.NNNNN.wav`` (older copies: ``.au``), 22,050 Hz, mono, 16 bit.
"""

from pathlib import Path

import soundfile
import soxr

from naturalistic.datasets.events import CLIP, GENRES
from naturalistic.datasets.presentation import as_played

SAMPLE_RATE = 22050  # Hz, as published
SUFFIXES = (".wav", ".au", ".flac")
AGAIN = "(naturalistic fetch gtzan --to DIR)"
DAMAGED_COPIES = {"jazz.00054": f"the copy on Kaggle is damaged, the archive's is whole {AGAIN}"}


def locate(folder, audio=None):
    """Return the folder that holds the genres' folders, or None where there is none.

    Parameters
    ----------
    folder : Path
        The data set, beside which ``genres``, ``gtzan`` or ``GTZAN`` is looked for.
    audio : str or Path, optional
        The reader's own choice: it, or ``genres`` in it, must hold the folders of genres.

    Returns
    -------
    audio : Path or None

    Raises
    ------
    FileNotFoundError
        If ``audio`` is given and holds no folder of a genre.
    """
    if audio is not None:
        places = [Path(audio).expanduser()]
    else:
        places = [base / name for base in (Path(folder), Path(folder).parent) for name in ("genres", "gtzan", "GTZAN")]
    for place in [p for base in places for p in (base, base / "genres")]:
        if any((place / genre).is_dir() for genre in GENRES):
            return place
    if audio is not None:
        raise FileNotFoundError(f"{audio} has no folder of a genre ({', '.join(GENRES[:3])} ...); expected GTZAN")
    return None


def track_path(audio, clip):
    """Return the file of a clip's track; the first of `SUFFIXES` that is there, or the ``.wav`` that is not."""
    stem = Path(audio) / clip.genre / clip.track_name
    paths = [stem.with_name(stem.name + suffix) for suffix in SUFFIXES]
    return next((path for path in paths if path.is_file()), paths[0])


def check_tracks(audio, clips):
    """Look for the tracks of all clips.

    Parameters
    ----------
    audio : Path or None
        Folder of the genres' folders.
    clips : iterable of Clip

    Raises
    ------
    FileNotFoundError
        Naming all tracks that are missing, all at once.
    """
    if audio is None:
        raise FileNotFoundError("there is no folder of GTZAN: fetch it (naturalistic fetch gtzan --to DIR) and name it")
    missing = sorted({clip.track_name for clip in clips if not track_path(audio, clip).is_file()})
    if missing:
        raise FileNotFoundError(f"{audio} lacks {len(missing)} tracks that were played: {', '.join(missing)}")


def load_clip(audio, clip, sample_rate=SAMPLE_RATE, *, convert=False):
    """Return a clip as the experiment played it: cut, faded in and out over 2 s, brought to one loudness.

    Parameters
    ----------
    audio : Path
        Folder of the genres' folders.
    clip : Clip
    sample_rate : int
        Hz of the result; resampled if the track has another.
    convert : bool
        Take tracks that are not as published (stereo, another rate), mixed down and resampled.

    Returns
    -------
    waveform : float32 array (n_samples,)
        Root mean square `sound.RMS`; peaks may pass 1.

    Raises
    ------
    FileNotFoundError, ValueError
        Naming the file: missing, unreadable, not as published, shorter than the clip's end, not finite, silent.
    """
    if audio is None:
        check_tracks(audio, [clip])
    path = track_path(audio, clip)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: expected the track of the clip {clip}")
    waveform, rate = _read(path, clip, convert)
    if rate != sample_rate:
        waveform = soxr.resample(waveform, rate, sample_rate)
    try:
        return as_played(waveform, sample_rate)
    except ValueError as error:
        raise ValueError(f"{path}, {clip.start:g} to {clip.end:g} s: {error}") from error


def _read(path, clip, convert):
    """Return the clip's samples (mono) and their rate."""
    try:
        with soundfile.SoundFile(path) as file:
            rate, n_channels, n_samples = file.samplerate, file.channels, file.frames
            if (rate, n_channels) != (SAMPLE_RATE, 1) and not convert:
                raise ValueError(
                    f"{path} has {n_channels} channel(s) at {rate} Hz, expected 1 at {SAMPLE_RATE} as published; "
                    "convert=True mixes down and resamples"
                )
            # tracks are 30 s give or take a few samples; the last clips end with them
            start = round(clip.start * rate)
            stop = start + round(CLIP * rate)  # all clips are equally long, to the sample
            if n_samples < stop - 0.1 * rate:
                raise ValueError(
                    f"{path} lasts {n_samples / rate:.2f} s, expected {clip.end:g} s or more for the clip {clip}"
                )
            file.seek(start)
            waveform = file.read(stop - start, dtype="float32", always_2d=True, fill_value=0)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        reason = getattr(error, "error_string", str(error))
        known = DAMAGED_COPIES.get(path.stem, f"it was cut short or is no sound; fetch it again {AGAIN}")
        raise ValueError(f"{path} cannot be read as sound ({reason}): {known}") from error
    return waveform.mean(axis=1), rate
