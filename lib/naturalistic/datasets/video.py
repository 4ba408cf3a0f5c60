"""Frames of films: video files, folders of images, and arrays in npz or HDF5 files.

`read_frames` gives a film, or a part of it, at a size and a rate; `iter_frames` hands the same frames out one by one,
so that a film of two hours needs the memory of one picture. Times are those at which a player shows a frame (its
presentation time stamp), counted from the first one, so films of a variable rate are read rightly.

Video files need PyAV: ``pip install 'naturalistic[video]'``. Folders of images, npz and HDF5 files do not. A film in an
HDF5 file is named as if the file were a folder: ``films.h5/0001``.
"""

import importlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from naturalistic.intact import check_whole, open_arrays

FITS = ("crop", "stretch")
IMAGES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
HDF5 = (".h5", ".hdf5", ".hf5")
_EPSILON = 1e-6  # s; time stamps are fractions, and k / rate is not
_MISSING_END = (
    0.2  # s of film that may be missing at the end of a file: containers round, and count a last frame or not
)

Size = int | tuple[int, int] | None


@dataclass(frozen=True)
class FilmInfo:
    """Size and times of a film, before any frame is decoded.

    Attributes
    ----------
    height, width : int
        As shown: of a film that is turned by a flag, those after the turn.
    rate : float or None
        Frames a second, on average; None if nothing states it.
    duration : float or None
        s; None if nothing states it.
    """

    height: int
    width: int
    rate: float | None
    duration: float | None


@dataclass
class _Source:
    """Frames of a film in order, as they are stored.

    Attributes
    ----------
    frames : iterator of (float, object)
        Time of each frame in s, and the frame.
    end : float or None
        s; end of the last frame, known when ``frames`` are at their end.
    info : FilmInfo or None
        None of a video file: `_video_info` decodes a frame for it.
    close : callable
    """

    frames: Iterator[tuple[float, Any]]
    end: float | None = None
    info: FilmInfo | None = None
    close: Callable[[], None] = lambda: None


def read_frames(
    path: Path | str,
    size: Size = None,
    rate: float | None = None,
    start: float = 0.0,
    stop: float | None = None,
    *,
    fit: Literal["crop", "stretch"] = "crop",
    stored_rate: float | None = None,
) -> NDArray:
    """Return the frames of a film at a size and a rate.

    Parameters
    ----------
    path : str or Path
        A video file, a folder of images (in the order of the numbers in their names), an ``.npz`` file with ``frames``
        (n, height, width, 3) of uint8 and ``rate``, or ``films.h5/0001``: a dataset of such frames with the attribute
        ``rate``.
    size : int or (int, int), optional
        Pixels of a square frame, or height and width. Frames keep their stored size by default.
    rate : float, optional
        Frames a second. Frame k is the one on screen at ``start + k / rate`` s. Each stored frame once by default.
    start, stop : float
        s of the film; to its end by default.
    fit : {"crop", "stretch"}
        Cut the middle out of frames of another shape, or squeeze them.
    stored_rate : float, optional
        Frames a second of a folder of images, or of arrays that do not state theirs.

    Returns
    -------
    frames : uint8 array (n, height, width, 3)
        Red, green, blue.

    Raises
    ------
    FileNotFoundError, ValueError
        Naming the file: it is missing, empty, cut short, has no picture, or ends before ``start``.
    ModuleNotFoundError
        If it is a video file and PyAV is not installed.
    """
    frames = [frame for _, frame in iter_frames(path, size, rate, start, stop, fit=fit, stored_rate=stored_rate)]
    return np.stack(frames)


def iter_frames(
    path: Path | str,
    size: Size = None,
    rate: float | None = None,
    start: float = 0.0,
    stop: float | None = None,
    *,
    fit: Literal["crop", "stretch"] = "crop",
    stored_rate: float | None = None,
) -> Iterator[tuple[float, NDArray]]:
    """Iterate over the times and frames of a film; see `read_frames`.

    Yields
    ------
    time : float
        s of the film.
    frame : uint8 array (height, width, 3)

    Raises
    ------
    FileNotFoundError, ValueError, ModuleNotFoundError
        See `read_frames`.
    """
    shape = _check_request(size, rate, start, stop, fit)
    return _frames(Path(path), shape, rate, start, stop, fit, stored_rate)


def _frames(
    path: Path,
    shape: tuple[int, int] | None,
    rate: float | None,
    start: float,
    stop: float | None,
    fit: str,
    stored_rate: float | None,
) -> Iterator[tuple[float, NDArray]]:
    source = _open(path, start, stored_rate)
    n_frames = 0
    try:
        if source.info is not None and source.info.rate is None and (rate or start or stop):
            raise ValueError(f"{path} does not state its frames a second; give stored_rate=")
        timed = _as_stored(source, start, stop) if rate is None else _at_rate(source, rate, start, stop)
        for time, frame in timed:
            n_frames += 1
            yield time, _resized(_pixels(frame), shape, fit)
    finally:
        source.close()
    if not n_frames:
        end = "" if source.end is None else f", it ends at {source.end:.3f} s"
        raise ValueError(f"{path} has no frame from {start:g} s on{end}: expected a start within the film")


def film_info(path: Path | str, *, stored_rate: float | None = None) -> FilmInfo:
    """Return size, rate and duration of a film.

    Parameters
    ----------
    path, stored_rate
        See `read_frames`.

    Raises
    ------
    FileNotFoundError, ValueError, ModuleNotFoundError
        See `read_frames`.
    """
    path = Path(path)
    source = _open(path, 0.0, stored_rate)
    source.close()
    return source.info or _video_info(path)


def films_in(path: Path | str, suffixes: Sequence[str]) -> dict[str, Path]:
    """Return the films of a folder, at any depth, or of an HDF5 file, by their names without suffix.

    Parameters
    ----------
    path : str or Path
        Nothing is found where there is none.
    suffixes : sequence of str
        Of film files. HDF5 files are opened, and folders of images are films as well.

    Returns
    -------
    films : dict of str to Path
        What `read_frames` takes.
    """
    path = Path(path)
    if path.is_file() and path.suffix in HDF5:
        return _films_of_hdf5(path)
    found: dict[str, Path] = {}
    for each in sorted(path.rglob("*")) if path.is_dir() else []:
        if each.suffix.lower() in suffixes:
            found[each.stem] = each
        elif each.suffix in HDF5 and each.is_file():
            found |= _films_of_hdf5(each)
        elif each.suffix.lower() in IMAGES:
            found[each.parent.name] = each.parent
    return found


def _films_of_hdf5(path: Path) -> dict[str, Path]:
    check_whole(path)
    try:
        with h5py.File(path, "r") as file:
            names: list[str] = []
            file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    except OSError as error:
        raise ValueError(f"{path} was cut short or is no HDF5 file ({error}); write or copy it again") from error
    return {name.rpartition("/")[2]: path / name for name in names}


def _check_request(
    size: Size, rate: float | None, start: float, stop: float | None, fit: str
) -> tuple[int, int] | None:
    """Return height and width, None for the stored ones."""
    if rate is not None and not (np.isfinite(rate) and rate > 0):
        raise ValueError(f"rate is {rate}, expected frames a second above 0, or None for each stored frame")
    if not (np.isfinite(start) and start >= 0) or (stop is not None and not stop > start):
        raise ValueError(f"start is {start} and stop {stop}, expected 0 s or more, and a stop after the start")
    if fit not in FITS:
        raise ValueError(f"fit is {fit!r}, expected one of {', '.join(FITS)}")
    if size is None:
        return None
    shape = tuple(size) if isinstance(size, (tuple, list)) else (size, size)
    if len(shape) != 2 or any(not isinstance(n, (int, np.integer)) or n < 1 for n in shape):
        raise ValueError(f"size is {size!r}, expected pixels such as 64, or height and width such as (48, 64)")
    return int(shape[0]), int(shape[1])


def _at_rate(source: _Source, rate: float, start: float, stop: float | None) -> Iterator[tuple[float, Any]]:
    """Yield the frame on screen at each ``start + k / rate``."""
    k = 0
    shown = None
    end = np.inf if stop is None else stop
    for time, frame in source.frames:
        if shown is None:
            shown = frame  # before the first time stamp a player shows the first frame
        until = min(time, end)
        while start + k / rate < until - _EPSILON:
            yield start + k / rate, shown
            k += 1
        if start + k / rate >= end - _EPSILON:
            return
        shown = frame
    end = min(np.inf if source.end is None else source.end, end)
    while shown is not None and start + k / rate < end - _EPSILON:
        yield start + k / rate, shown
        k += 1


def _as_stored(source: _Source, start: float, stop: float | None) -> Iterator[tuple[float, Any]]:
    """Yield each stored frame from ``start`` to ``stop``."""
    for time, frame in source.frames:
        if stop is not None and time >= stop - _EPSILON:
            return
        if not time < start - _EPSILON:  # times are not numbers where no rate is known
            yield time, frame


def _open(path: Path, start: float, stored_rate: float | None) -> _Source:
    """Open a film of any kind; video files are read from a key frame before ``start`` on."""
    for parent in path.parents:
        if parent.suffix in HDF5 and parent.is_file():
            return _open_hdf5(parent, path.relative_to(parent).as_posix(), stored_rate)
    if path.is_dir():
        return _open_folder(path, stored_rate)
    check_whole(path, "give a video file, a folder of images, an .npz file, or a film of an HDF5 file (films.h5/0001)")
    if path.suffix in HDF5:
        raise ValueError(f"{path} is an HDF5 file, which may hold many films; expected one of them: {path.name}/NAME")
    if path.suffix == ".npz":
        return _open_npz(path, stored_rate)
    return _open_video(path, start)


def _evenly(path: Path, frames: Sequence, shape: tuple[int, ...], rate: float | None) -> _Source:
    """Return frames that follow each other at one rate."""
    if rate is not None and not (np.isfinite(rate) and rate > 0):
        raise ValueError(f"{path} has a rate of {rate}, expected frames a second above 0")
    step = np.nan if rate is None else 1 / float(rate)
    duration = None if rate is None else len(frames) * step
    timed = ((k * step, frames[k]) for k in range(len(frames)))
    return _Source(timed, duration, FilmInfo(int(shape[0]), int(shape[1]), rate, duration))


def _check_array(path: Path, shape: tuple[int, ...], dtype: np.dtype) -> None:
    if len(shape) != 4 or shape[3] != 3 or dtype != np.uint8 or not all(shape):
        raise ValueError(
            f"{path} holds an array of shape {tuple(shape)} and type {dtype}, expected frames "
            "(n, height, width, 3) of uint8"
        )


def _open_hdf5(path: Path, name: str, stored_rate: float | None) -> _Source:
    check_whole(path)
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise ValueError(f"{path} was cut short or is no HDF5 file ({error}); write or copy it again") from error
    film = file.get(name)
    if not isinstance(film, h5py.Dataset):
        names = list(file)
        file.close()
        raise FileNotFoundError(f"{path} has no film {name!r}; it has {len(names)}, such as {', '.join(names[:5])}")
    _check_array(path / name, film.shape, film.dtype)
    source = _evenly(path / name, film, film.shape[1:3], _rate(film.attrs.get("rate", stored_rate)))
    source.close = file.close
    return source


def _rate(stated: Any) -> float | None:
    return None if stated is None else float(stated)


def _open_npz(path: Path, stored_rate: float | None) -> _Source:
    arrays = open_arrays(path)
    if "frames" not in arrays:
        raise ValueError(
            f"{path} holds {', '.join(arrays) or 'nothing'}, expected frames (n, height, width, 3) and rate"
        )
    frames = arrays["frames"]
    _check_array(path, frames.shape, frames.dtype)
    return _evenly(path, frames, frames.shape[1:3], _rate(arrays.get("rate", stored_rate)))


class _Images:
    """The images of a folder, opened one at a time."""

    def __init__(self, folder: Path, paths: list[Path]) -> None:
        self.folder = folder
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, k: int) -> NDArray:
        check_whole(self.paths[k])
        try:
            with Image.open(self.paths[k]) as image:
                return np.asarray(image.convert("RGB"))
        except (UnidentifiedImageError, OSError, SyntaxError) as error:
            raise ValueError(f"{self.paths[k]} was cut short or is no image ({error})") from error


def _open_folder(path: Path, stored_rate: float | None) -> _Source:
    found = [each for each in path.iterdir() if each.suffix.lower() in IMAGES]
    if not found:
        raise FileNotFoundError(f"{path} has no images; expected frames such as 000.png, of {', '.join(IMAGES)}")
    found.sort(key=lambda each: [(int(part), "") if part.isdigit() else (-1, part) for part in _parts(each.stem)])
    images = _Images(path, found)
    return _evenly(path, images, images[0].shape[:2], stored_rate)


def _parts(name: str) -> list[str]:
    """Return the words and numbers of a name: frame10 comes after frame9."""
    return [part for part in re.split(r"(\d+)", name) if part]


def _open_video(path: Path, start: float) -> _Source:
    av = _pyav(path)
    container = _container(av, path)
    source = _Source(iter(()), close=container.close)
    source.frames = _decoded(av, container, path, start, source)
    return source


def _container(av: Any, path: Path) -> Any:
    """Open a video file that has pictures."""
    try:
        # a playlist could name addresses: a film is one file of this machine
        container = av.open(str(path), options={"protocol_whitelist": "file"})
    except av.error.FFmpegError as error:
        raise ValueError(
            f"{path} was cut short or is no video file ({error}); expected one that FFmpeg reads, such as mp4: "
            "fetch or copy it again"
        ) from error
    if not container.streams.video:
        types = ", ".join(sorted({stream.type for stream in container.streams}))
        container.close()
        if "audio" not in types:
            raise ValueError(f"{path} was cut short: it has neither picture nor sound; fetch or copy it again")
        raise ValueError(f"{path} has no video stream, only {types}; expected a film")
    return container


def _video_info(path: Path) -> FilmInfo:
    """Return size and times of a video file, the size as its first frame is shown."""
    av = _pyav(path)
    with _container(av, path) as container:
        stream = container.streams.video[0]
        duration = None if stream.duration is None else float(stream.duration * stream.time_base)
        if duration is None and container.duration is not None:
            duration = container.duration / av.time_base
        rate = float(stream.average_rate) if stream.average_rate else None
        source = _Source(iter(()))
        frame = next((frame for _, frame in _decoded(av, container, path, 0.0, source)), None)
    if frame is None:
        raise ValueError(f"{path} was cut short: it has no frame; fetch or copy it again")
    turned = round(frame.rotation / 90) % 2
    height, width = (frame.width, frame.height) if turned else (frame.height, frame.width)
    return FilmInfo(height, width, rate, duration)


def _pyav(path: Path) -> Any:
    try:
        return importlib.import_module("av")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{path} needs PyAV, which is not installed: pip install 'naturalistic[video]'. Folders of images, .npz "
            "and HDF5 files are read without it",
            name="av",
        ) from error


def _decoded(av: Any, container: Any, path: Path, start: float, source: _Source) -> Iterator[tuple[float, Any]]:
    """Yield time and frame, from a key frame at or before ``start`` on."""
    stream = container.streams.video[0]
    first = stream.start_time or 0
    step = 1 / float(stream.average_rate) if stream.average_rate else 0.04
    time = None
    length = step
    try:
        if start > 0:
            container.seek(first + int(start / stream.time_base), stream=stream)
        for frame in container.decode(stream):
            if frame.pts is not None:
                time = float((frame.pts - first) * stream.time_base)
            else:
                time = 0.0 if time is None else time + length
            length = float(frame.duration * stream.time_base) if frame.duration else step
            yield time, frame
    except av.error.FFmpegError as error:
        at = "" if time is None else f" after {time:.2f} s"
        raise ValueError(f"{path} was cut short or is damaged{at} ({error}); fetch or copy it again") from error
    source.end = 0.0 if time is None else time + length
    expected = float(stream.duration * stream.time_base) if stream.duration else source.end
    if time is not None and source.end < expected - max(_MISSING_END, 2 * step):
        raise ValueError(
            f"{path} was cut short: it holds {source.end:.2f} s of {expected:.2f} s; fetch or copy it again"
        )


def _pixels(frame: Any) -> NDArray:
    """Return a frame as an array, turned upright; frames of video are converted only where they are used."""
    if isinstance(frame, np.ndarray):
        return frame
    turns = round(frame.rotation / 90) % 4  # counterclockwise
    return np.rot90(frame.to_ndarray(format="rgb24"), turns)


def _resized(frame: NDArray, shape: tuple[int, int] | None, fit: str) -> NDArray:
    """Return a frame at a size, smoothed where it becomes smaller."""
    if shape is None or frame.shape[:2] == shape:
        return np.ascontiguousarray(frame)
    if fit == "crop":
        height, width = frame.shape[:2]
        scale = min(height / shape[0], width / shape[1])
        top = round((height - scale * shape[0]) / 2)
        left = round((width - scale * shape[1]) / 2)
        frame = frame[top : height - top, left : width - left]
    image = Image.fromarray(np.ascontiguousarray(frame))
    return np.asarray(image.resize(shape[::-1], Image.Resampling.BICUBIC))
