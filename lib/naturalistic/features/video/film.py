"""Any film file as features on the grid of TRs: pictures, motion, sound, and models of each by name.

::

    vision = video.film_features("film.mp4", "deit", tr=2.0, n_trs=150, offset=6.0)
    audio = video.film_features("film.mp4", "ast", tr=2.0, n_trs=150, offset=6.0)
    both = video.film_features("film.mp4", "git", tr=2.0, n_trs=150, offset=6.0)

These three are the vision, the audio and the multimodal space of Nakagi et al. (2024, EMNLP, Figure 5): ordinary
feature spaces (n_trs, n_features), before any delay, for `encoding.fit_predict` and the joint models beside others.

A film is read a stretch at a time, so one of two hours needs no more memory than one of a minute. What was found is
cached by the bytes of the file.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from naturalistic.cache import content_key, read_array, write_array
from naturalistic.datasets.sound_track import read_sound_track
from naturalistic.datasets.video import HDF5, film_info, read_frames
from naturalistic.features.audio import registry as audio_registry
from naturalistic.features.audio.checkpoint import kind
from naturalistic.features.audio.embedder import Embedder
from naturalistic.features.timing import to_trs
from naturalistic.features.video import checkpoint, registry
from naturalistic.features.video.embedder import VideoEmbedder
from naturalistic.features.video.frames import check_rate, count_windows, window_middles
from naturalistic.features.video.layout import GRID, color_layout
from naturalistic.features.video.motion import motion_energy, optical_flow
from naturalistic.parameters import whole

SPACES = ("layout", "flow", "motion_energy")  # that need no model
_RECIPE = 1  # part of the cache's key: raise it when the same call gives other numbers
_FOLDER = "film"
_STRETCH = 32.0  # s of a film that are in memory at once
_CONTEXT = 1.0  # s before and after a stretch that motion energy looks at; its filters span two thirds of one
_INSIDE = 1e-6  # s
_MOST = 480  # pixels: higher frames are made smaller before a model's own code does, to hold a stretch in memory
_RATES = {"layout": 4.0, "flow": 8.0, "motion_energy": 12.0}  # frames a second, by default
_HEIGHTS = {"layout": 64, "flow": 64, "motion_energy": 48}  # pixels, by default


@dataclass(frozen=True)
class FilmCourse:
    """Features of a film on its own clock.

    Attributes
    ----------
    features : float32 array (n_events, n_features)
        Of frames, or of windows.
    times : float64 array (n_events,)
        Middle of each in s from the film's first frame.
    duration : float
        Of the film, s.
    """

    features: NDArray[np.float32]
    times: NDArray[np.float64]
    duration: float

    def __repr__(self) -> str:
        """Return names and shapes."""
        return f"FilmCourse(features {self.features.shape}, times {self.times.shape}, duration {self.duration:g} s)"


def film_features(
    path: str | Path | Sequence[str | Path],
    space: str | Path | VideoEmbedder | Embedder,
    tr: float,
    n_trs: int | Sequence[int],
    offset: float | Sequence[float] = 0.0,
    *,
    method: Literal["lanczos", "mean", "last"] = "lanczos",
    outside: Literal["error", "zero"] = "error",
    device: str = "cpu",
    cache: bool = True,
    progress: bool = True,
    **options: Any,
) -> NDArray[np.float32]:
    """Return the features of a film at each TR, before any delay.

    Parameters
    ----------
    path : str or Path, or list of one a run
        As of `datasets.video.read_frames`; for sound a video file. A film that goes on over several runs comes once a
        run, with offsets of 0 and below.
    space : str, Path, VideoEmbedder or audio Embedder
        "layout", "flow", "motion_energy"; a name, hub id or folder of `features.video.load` (pictures) or
        `features.audio.load` (sound); or an embedder that was loaded.
    tr : float
        s.
    n_trs : int, or list of int, one a run
    offset : float, or list of float, one a run
        s from the start of the run's first TR to the film's first frame; below 0 where the run begins inside the film.
    method : {"lanczos", "mean", "last"}
        See `features.timing.to_trs`.
    outside : {"error", "zero"}
        TRs whose middle is before the film or after it: refused, as most of them are mistakes of the offset; or zeros,
        for a blank screen.
    device : str
        Of a model that is loaded by name.
    cache : bool
    progress : bool
    **options
        Of the space: ``grid``, ``rate``, ``height`` (layout, flow, motion_energy); of the model, such as ``window``,
        ``hop``, ``layer``; ``stored_rate`` of films that do not state their frames a second.

    Returns
    -------
    features : float32 array (n_trs, n_features)
        Runs one after the other; nothing of one reaches another.

    Raises
    ------
    FileNotFoundError, ValueError, ImportError
        If a file cannot be read, is shorter than a window, or does not cover the TRs; if there is no such space.
    """
    paths = [path] if isinstance(path, (str, Path)) else list(path)
    counts = _each(n_trs, len(paths), "n_trs")
    offsets = _each(offset, len(paths), "offset")
    counts = [whole("n_trs", n) for n in counts]
    if not (np.isfinite(tr) and tr > 0):
        raise ValueError(f"tr is {tr!r}, expected seconds above 0")
    if not np.isfinite(offsets).all():
        raise ValueError(f"offset is {offset!r}, expected seconds")
    if outside not in ("error", "zero"):
        raise ValueError(f"outside is {outside!r}, expected 'error' or 'zero'")
    stored_rate = options.pop("stored_rate", None)
    measure, own_options = _opened(space, device, options)
    courses = {}
    runs = []
    for film, n, start in zip(paths, counts, offsets):
        key = str(film)
        if key not in courses:
            courses[key] = _course(Path(film), measure, stored_rate, cache, progress, own_options)
        runs.append(_run_on_trs(courses[key], film, tr, n, float(start), method, outside))
    return np.concatenate(runs)


def film_course(
    path: str | Path,
    space: str | Path | VideoEmbedder | Embedder,
    *,
    device: str = "cpu",
    cache: bool = True,
    progress: bool = True,
    **options: Any,
) -> FilmCourse:
    """Return the features of a film on its own clock, before they are brought to TRs.

    Parameters
    ----------
    path, space, device, cache, progress, **options
        See `film_features`.

    Returns
    -------
    course : FilmCourse

    Raises
    ------
    FileNotFoundError, ValueError, ImportError
        See `film_features`.
    """
    stored_rate = options.pop("stored_rate", None)
    measure, own_options = _opened(space, device, options)
    return _course(Path(path), measure, stored_rate, cache, progress, own_options)


def _each(value: Any, n: int, name: str) -> list[Any]:
    """Return one value a run."""
    values = [value] * n if np.ndim(value) == 0 else list(value)
    if len(values) != n:
        raise ValueError(f"{name} has {len(values)} values for {n} film(s), expected one, or one a film")
    return values


def _run_on_trs(
    course: FilmCourse, path: str | Path, tr: float, n_trs: int, offset: float, method: str, outside: str
) -> NDArray[np.float32]:
    """Return the features of one run."""
    times = np.arange(n_trs) * tr - offset
    middles = times + tr / 2
    blank = (middles < -_INSIDE) | (middles > course.duration + _INSIDE)
    if blank.any() and (outside == "error" or blank.all()):
        raise ValueError(
            f"{path} has {course.duration:g} s, and {blank.sum()} of {n_trs} TRs lie outside of it (they are at "
            f"{times[0]:g} to {times[-1] + tr:g} s of the film): check offset (s from the first TR to the first frame) "
            "and n_trs" + ("" if blank.all() else ", or pass outside='zero' for a blank screen")
        )
    features = to_trs(course.features, course.times, times, tr, method).astype(np.float32, copy=False)
    features[blank] = 0
    return features


# --- spaces ---------------------------------------------------------------------------------------------------------


def _opened(space: Any, device: str, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return a space's name or embedder, and the options that are left for it."""
    if isinstance(space, (VideoEmbedder, Embedder)):
        if options:
            raise ValueError(f"{', '.join(options)}: options of a model that is loaded by name; {space.name} is loaded")
        embedder = space
    elif str(space) in SPACES:
        known = ["rate", "height"] + ([] if space == "motion_energy" else ["grid"])
        if unknown := sorted(set(options) - set(known)):
            raise ValueError(f"{', '.join(unknown)}: no option of {str(space)!r}, expected one of {', '.join(known)}")
        return str(space), options
    else:
        embedder = _load(space, device, options)
    if isinstance(embedder, VideoEmbedder) and embedder.window is None:
        raise ValueError(f"{embedder.name} has window=None, one vector a film: expected a window in s, such as 1")
    return embedder, {}


def _load(space: str | Path, device: str, options: dict[str, Any]) -> VideoEmbedder | Embedder:
    """Return the embedder of a name, hub id or folder, of pictures or of sound."""
    if str(space) in registry.MODELS:
        return registry.load(space, device, **options)
    if str(space) in audio_registry.MODELS:
        return audio_registry.load(space, device, **options)
    try:
        folder = checkpoint.locate(space, options.get("revision"))
    except FileNotFoundError as error:
        known = ", ".join([*SPACES, *registry.MODELS, *audio_registry.MODELS])
        raise FileNotFoundError(f"{error}. Spaces by name are {known}") from error
    load = registry.load if registry.knows(kind(folder)[0]) else audio_registry.load
    return load(folder, device, **options)


def _course(
    path: Path, space: Any, stored_rate: float | None, cache: bool, progress: bool, options: dict[str, Any]
) -> FilmCourse:
    """Return the features of one film, from the cache where they are there."""
    if isinstance(space, Embedder):
        return _of_sound(path, space, cache, progress)
    info = film_info(path, stored_rate=stored_rate)
    duration = info.duration
    if duration is None:
        raise ValueError(f"{path} does not state how long it is: pass stored_rate=, its frames a second")
    if isinstance(space, VideoEmbedder):
        settings = (*space._identity, space.window, space.hop)
        of_film = _windows_of_film
        times = _window_times(path, space, duration)
        size = (_MOST, round(_MOST * info.width / info.height)) if info.height > _MOST else None
        options = {"embedder": space, "size": size}
    else:
        options = _settings(space, info, options)
        settings = (space, *sorted(options.items()))
        of_film = {"layout": _layout_of_film, "flow": _flow_of_film, "motion_energy": _energy_of_film}[space]
        times = _frame_times(path, duration, options["rate"], 0.0 if space == "flow" else -0.5)
    key = content_key("film", _RECIPE, _digest(path), stored_rate, *settings) if cache else ""
    features = read_array(_FOLDER, key, None) if cache else None
    if features is None:
        reader = _reader(path, stored_rate)
        with tqdm(total=round(duration), desc=path.name, unit="s", delay=3, leave=False, disable=not progress) as bar:
            features = np.concatenate(list(of_film(reader, times, duration, bar, **options)))
        if cache:
            write_array(_FOLDER, key, features)
    # the last frame that a file states may not be there: what was read counts
    return FilmCourse(features, times[: len(features)], duration)


def _settings(space: str, info: Any, options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a space that needs no model, with its defaults."""
    height = whole("height", options.get("height", _HEIGHTS[space]), 8)
    width = max(8, round(height * info.width / info.height))
    settings = {"rate": check_rate(options.get("rate", _RATES[space])), "size": (height, width)}
    return settings if space == "motion_energy" else settings | {"grid": tuple(options.get("grid", GRID))}


def _frame_times(path: Path, duration: float, rate: float, shift: float) -> NDArray[np.float64]:
    """Return the middle of each frame (shift -0.5), or of each step from one frame to the next (0), in s."""
    n_frames = int(np.ceil(duration * rate - _INSIDE))
    times = (np.arange(1, n_frames + (shift < 0)) + shift) / rate
    if not len(times):
        raise ValueError(f"{path} has {duration:g} s, expected more than a frame at {rate:g} a second")
    return times


def _window_times(path: Path, embedder: VideoEmbedder, duration: float) -> NDArray[np.float64]:
    count = count_windows(int(duration * 1000 + _INSIDE), 1000, embedder.window, embedder.hop)
    if not count:
        raise ValueError(
            f"{path} has {duration:g} s, expected at least the {embedder.window:g} s of a window of {embedder.name}: "
            "load it with a shorter window"
        )
    return window_middles(count, embedder.window, embedder.hop)


def _reader(path: Path, stored_rate: float | None) -> Callable:
    def read(start: float, stop: float, rate: float, size: Any = None) -> NDArray[np.uint8]:
        return read_frames(path, size, rate, max(0.0, start), stop, fit="stretch", stored_rate=stored_rate)

    return read


def _stretches(n: int, per_second: float) -> Iterator[tuple[int, int]]:
    """Return first and end of stretches of frames or windows, the same for every machine."""
    step = max(1, int(_STRETCH * per_second))
    for first in range(0, n, step):
        yield first, min(first + step, n)


def _layout_of_film(
    read: Callable, times: NDArray, duration: float, bar: Any, *, rate: float, size: Any, grid: Any
) -> Iterator[NDArray]:
    for first, end in _stretches(len(times), rate):
        yield color_layout(read(first / rate, min(end / rate, duration), rate, size), grid)
        bar.update(round((end - first) / rate))


def _flow_of_film(
    read: Callable, times: NDArray, duration: float, bar: Any, *, rate: float, size: Any, grid: Any
) -> Iterator[NDArray]:
    """Yield the flow between frames; a stretch has the first frame of the next, so that no step is lost."""
    for first, end in _stretches(len(times), rate):
        frames = read(first / rate, min((end + 1) / rate, duration), rate, size)
        if len(frames) > 1:
            yield optical_flow(frames, grid).reshape(len(frames) - 1, -1)
        bar.update(round((end - first) / rate))


def _energy_of_film(
    read: Callable, times: NDArray, duration: float, bar: Any, *, rate: float, size: Any
) -> Iterator[NDArray]:
    """Yield the motion energy of frames; a stretch has what its filters look at before and after it."""
    context = int(np.ceil(_CONTEXT * rate))
    for first, end in _stretches(len(times), rate):
        before = min(first, context)
        frames = read((first - before) / rate, min((end + context) / rate, duration), rate, size)
        yield motion_energy(frames, rate)[before : before + end - first]
        bar.update(round((end - first) / rate))


def _windows_of_film(
    read: Callable, times: NDArray, duration: float, bar: Any, *, embedder: VideoEmbedder, size: Any
) -> Iterator[NDArray]:
    rate = embedder.n_frames / embedder.window
    for first, end in _stretches(len(times), 1 / embedder.hop):
        stop = (end - 1) * embedder.hop + embedder.window
        frames = read(first * embedder.hop, min(stop, duration), rate, size)
        vectors = embedder.embed(frames, rate, cache=False, progress=False)
        yield vectors[: end - first]
        bar.update(round((end - first) * embedder.hop))


def _of_sound(path: Path, embedder: Embedder, cache: bool, progress: bool) -> FilmCourse:
    """Return the features of a film's sound."""
    waveform, rate = read_sound_track(path)
    features = embedder.embed(waveform, rate, cache=cache, progress=progress)
    return FilmCourse(features, window_middles(len(features), embedder.window, embedder.hop), len(waveform) / rate)


def _digest(path: Path) -> str:
    """Return a hash of the bytes of a film: a file, a folder of images, or an HDF5 file with the name in it."""
    sha = hashlib.sha256()
    inside = next((parent for parent in path.parents if parent.suffix in HDF5 and parent.is_file()), None)
    if inside is not None:
        sha.update(path.relative_to(inside).as_posix().encode())
    files = sorted(each for each in path.iterdir() if each.is_file()) if path.is_dir() else [inside or path]
    for each in files:
        sha.update(each.name.encode() if path.is_dir() else b"")
        with open(each, "rb") as file:
            while block := file.read(2**20):
                sha.update(block)
    return sha.hexdigest()
