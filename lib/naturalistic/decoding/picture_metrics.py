"""Scores of the pictures of reconstructed films: structural similarity and color.

`ssim` and `hue_similarity` are those of the published work, step by step, with their defects:

- `ssim` of color pictures, or, as one code base has it, of each column of a gray picture, which doubles the score of an
  unrelated blur. A blur and the mean film win either.
- `hue_similarity` is a cosine that is not centered, so that unrelated films reach .8. `color_correlation` is centered.

What either says of a brain is told by `video_metrics.pair_score_test` and `video_metrics.pair_identification_test`.
"""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter1d, uniform_filter

_GRAY = np.array([0.2125, 0.7154, 0.0721])  # of red, green, blue, as in scikit-image
_K1 = 0.01  # constants of SSIM
_K2 = 0.03
_SIGMA = 1.5  # pixels of the Gaussian window
_RADIUS = 5  # pixels at which it is cut, 3.5 sigma
_WINDOW = 7  # pixels of the square window
_HUE_SHIFT = 12  # OpenCV computes the hue of 8-bit pictures in integers


def ssim(predicted: ArrayLike, target: ArrayLike, definition: Literal["color", "columns"] = "color") -> float:
    """Return the structural similarity of two films, the mean over frames.

    Parameters
    ----------
    predicted, target : uint8 array (n_frames, height, width, 3)
    definition : {"color", "columns"}
        ``"color"`` is that of scikit-image (Wang et al. 2004, square windows of 7 pixels) in each color, as most
        published code has it. ``"columns"`` is that of NEURONS' code: the last axis of a *gray* picture is given as the
        color axis, so that each column is compared for itself, in Gaussian windows of one dimension.

    Returns
    -------
    similarity : float

    Raises
    ------
    ValueError
        If shapes differ, a picture is smaller than a window, or values are no uint8.
    """
    predicted = _check_film(predicted, "predicted")
    target = _check_film(target, "target")
    _check_same(predicted, target)
    return float(_Moments(predicted, definition).ssim(_Moments(target, definition)))


def ssim_pairs(predicted: ArrayLike, target: ArrayLike, definition: Literal["color", "columns"] = "color") -> NDArray:
    """Return `ssim` of each generated film with each true film.

    Parameters
    ----------
    predicted, target : uint8 array (n_films, n_frames, height, width, 3)
    definition : {"color", "columns"}

    Returns
    -------
    pairs : float64 array (n_films, n_films)

    Raises
    ------
    ValueError
        See `ssim`.
    """
    made, true = _moments_of_films(predicted, target, definition)
    for one, other in zip(made, true):
        _check_same(one.values, other.values)
    return np.array([[one.ssim(other) for other in true] for one in made])


def ssim_shifts(
    predicted: ArrayLike, target: ArrayLike, shifts: ArrayLike, definition: Literal["color", "columns"] = "color"
) -> NDArray:
    """Return `ssim` of each generated film with some true films: `ssim_pairs` is slow where films are many.

    Parameters
    ----------
    predicted, target : uint8 array (n_films, n_frames, height, width, 3)
    shifts : int array (n_shifts,)
        Film i is compared with true film i + shift, around the end; with its own where the shift is 0.
    definition : {"color", "columns"}

    Returns
    -------
    values : float64 array (n_films, n_shifts)

    Raises
    ------
    ValueError
        See `ssim`.
    """
    made, true = _moments_of_films(predicted, target, definition)
    numbers = np.asarray(shifts, int)
    values = np.empty((len(made), len(numbers)))
    for i, one in enumerate(made):
        for k, shift in enumerate(numbers):
            other = true[(i + shift) % len(true)]
            _check_same(one.values, other.values)
            values[i, k] = one.ssim(other)
    return values


def _check_film(film: ArrayLike, name: str) -> NDArray:
    film = np.asarray(film)
    if film.ndim != 4 or film.shape[3] != 3 or film.dtype != np.uint8 or not film.size:
        raise ValueError(
            f"{name} has shape {film.shape} and type {film.dtype}, expected (n_frames, height, width, 3) of uint8"
        )
    return film


def check_same_number(predicted: ArrayLike, target: ArrayLike) -> None:
    """Raise an error unless there is one generated film for each true one.

    Parameters
    ----------
    predicted, target : sequence of n_films
    """
    if len(predicted) != len(target):
        raise ValueError(f"there are {len(predicted)} generated and {len(target)} true films, expected one for each")


def _moments_of_films(predicted: ArrayLike, target: ArrayLike, definition: str) -> "tuple[list[_Moments], ...]":
    """Return the moments of generated and of true films, once checked."""
    check_same_number(predicted, target)
    made = [_Moments(_check_film(film, "predicted"), definition) for film in predicted]
    true = [_Moments(_check_film(film, "target"), definition) for film in target]
    return made, true


def _check_same(predicted: NDArray, target: NDArray) -> None:
    if predicted.shape != target.shape:
        raise ValueError(
            f"predicted has shape {predicted.shape} and target {target.shape}, expected the same frames and pixels"
        )


class _Moments:
    """A film's local means and squares, which each comparison of it needs."""

    def __init__(self, film: NDArray, definition: str) -> None:
        if definition not in ("color", "columns"):
            raise ValueError(f"definition is {definition!r}, expected 'color' or 'columns'")
        self.in_color = definition == "color"
        smallest = _WINDOW if self.in_color else 2 * _RADIUS + 1
        if film.shape[1] < smallest or (self.in_color and film.shape[2] < smallest):
            raise ValueError(f"frames have {film.shape[1]} x {film.shape[2]} pixels, expected {smallest} or more")
        if self.in_color:
            self.values = np.moveaxis(film, -1, 1).astype(np.float64)
        else:
            self.values = (film / 255) @ _GRAY
        self.mean = self._filtered(self.values)
        self.square = self._filtered(self.values * self.values)

    def _filtered(self, values: NDArray) -> NDArray:
        if self.in_color:
            return uniform_filter(values, size=(1, 1, _WINDOW, _WINDOW))
        return gaussian_filter1d(values, _SIGMA, axis=1, mode="reflect", radius=_RADIUS)

    def ssim(self, other: "_Moments") -> float:
        """Return the mean similarity over frames, colors and pixels inside of the margin."""
        n = _WINDOW**2
        norm = n / (n - 1) if self.in_color else 1.0  # covariance of a sample, or of a population
        product = self._filtered(self.values * other.values)
        vx = norm * (self.square - self.mean * self.mean)
        vy = norm * (other.square - other.mean * other.mean)
        vxy = norm * (product - self.mean * other.mean)
        scale = 255.0 if self.in_color else 1.0
        c1 = (_K1 * scale) ** 2
        c2 = (_K2 * scale) ** 2
        numerator = (2 * self.mean * other.mean + c1) * (2 * vxy + c2)
        similarity = numerator / ((self.mean**2 + other.mean**2 + c1) * (vx + vy + c2))
        if self.in_color:
            margin = _WINDOW // 2
            return float(similarity[..., margin:-margin, margin:-margin].mean())
        return float(similarity[:, _RADIUS:-_RADIUS].mean())


def hue_similarity(predicted: ArrayLike, target: ArrayLike, channels: Literal["bgr", "rgb"] = "bgr") -> float:
    """Return the published hue score of two films ("hue-pcc"), the mean over frames.

    It is the cosine of the two pictures' hues, which are all positive and not centered.

    Parameters
    ----------
    predicted, target : uint8 array (n_frames, height, width, 3)
        Red, green, blue.
    channels : {"bgr", "rgb"}
        How the published code takes the channels: Mind-Animator's reads red as blue.

    Returns
    -------
    similarity : float
        0 for a picture without color, where the first code divides by 0.

    Raises
    ------
    ValueError
        If shapes differ or values are no uint8.
    """
    predicted = _check_film(predicted, "predicted")
    target = _check_film(target, "target")
    _check_same(predicted, target)
    step = _channel_step(channels)
    scores = []
    for made, true in zip(predicted[..., ::step], target[..., ::step]):
        x = _hue(made) / 360.0
        y = _hue(true) / 360.0
        norm = np.sqrt(np.sum(x**2)) * np.sqrt(np.sum(y**2))
        scores.append(np.sum(x * y) / norm if norm > 0 else 0.0)
    return float(np.mean(scores))


def hue_pairs(predicted: ArrayLike, target: ArrayLike, channels: Literal["bgr", "rgb"] = "bgr") -> NDArray:
    """Return `hue_similarity` of each generated film with each true film.

    Parameters
    ----------
    predicted, target : uint8 array (n_films, n_frames, height, width, 3)
    channels : {"bgr", "rgb"}

    Returns
    -------
    pairs : float64 array (n_films, n_films)

    Raises
    ------
    ValueError
        See `hue_similarity`.
    """
    step = _channel_step(channels)
    units = []
    for name, films in (("predicted", predicted), ("target", target)):
        hues = np.array([_hue(_check_film(film, name)[..., ::step]) for film in films], float)
        hues = hues.reshape(*hues.shape[:2], -1)
        norms = np.linalg.norm(hues, axis=2, keepdims=True)
        units.append(np.divide(hues, norms, out=np.zeros_like(hues), where=norms > 0))
    if units[0].shape != units[1].shape:
        raise ValueError(f"predicted has shape {np.shape(predicted)} and target {np.shape(target)}, expected the same")
    n_frames = units[0].shape[1]
    products = [units[0][:, k] @ units[1][:, k].T for k in range(n_frames)]
    return np.mean(products, axis=0)


def _channel_step(channels: str) -> int:
    """Return the step through red, green, blue in which a published code takes them."""
    if channels not in ("bgr", "rgb"):
        raise ValueError(f"channels is {channels!r}, expected 'bgr' or 'rgb'")
    return -1 if channels == "bgr" else 1


def _hue(picture: NDArray) -> NDArray:
    """Return the hue of 8-bit pictures (0 to 179, half degrees) in the integers in which OpenCV computes it."""
    red, green, blue = np.moveaxis(picture.astype(np.int64), -1, 0)
    value = picture.max(axis=-1).astype(np.int64)
    chroma = value - picture.min(axis=-1)
    table = np.zeros(256, dtype=np.int64)
    table[1:] = np.rint((180 << _HUE_SHIFT) / (6.0 * np.arange(1, 256)))
    sector = np.where(value == green, blue - red + 2 * chroma, red - green + 4 * chroma)
    sector = np.where(value == red, green - blue, sector)
    hue = (sector * table[chroma] + (1 << (_HUE_SHIFT - 1))) >> _HUE_SHIFT
    return np.where(hue < 0, hue + 180, hue)


def color_correlation(predicted: ArrayLike, target: ArrayLike) -> float:
    """Return the correlation of two films' colors, the mean over frames.

    Of each pixel the chroma, as a vector on the circle of hues, is taken; vectors are centered over the picture, so an
    unrelated picture has 0 on average, and so has a gray one.

    Parameters
    ----------
    predicted, target : uint8 array (n_frames, height, width, 3)

    Returns
    -------
    correlation : float

    Raises
    ------
    ValueError
        If shapes differ or values are no uint8.
    """
    predicted = _check_film(predicted, "predicted")
    target = _check_film(target, "target")
    _check_same(predicted, target)
    x = _chroma(predicted)
    y = _chroma(target)
    norm = np.sqrt((x**2).sum(axis=(1, 2)) * (y**2).sum(axis=(1, 2)))
    products = (x * y).sum(axis=(1, 2))
    return float(np.divide(products, norm, out=np.zeros_like(norm), where=norm > 0).mean())


def _chroma(film: NDArray) -> NDArray:
    """Return the two opponent colors of each pixel (n_frames, n_pixels, 2), centered over the picture."""
    red, green, blue = np.moveaxis(film.astype(np.float64), -1, 0)
    opponent = np.stack([red - (green + blue) / 2, np.sqrt(3) / 2 * (green - blue)], axis=-1)
    opponent = opponent.reshape(len(film), -1, 2)
    return opponent - opponent.mean(axis=1, keepdims=True)
