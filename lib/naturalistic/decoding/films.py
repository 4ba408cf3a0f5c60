"""Decoding of films from regions: each region by itself, and all of them stacked, with the decoder's own error.

One ridge over all voxels is the wrong decoder of a target that few regions follow: the many others add their noise.
Here each region has a model of its own, and the models are stacked with weights for each dimension (`strategies`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from naturalistic.arrays import ShapeRepr, as_floats, check_finite
from naturalistic.decoding.calibration import Calibration, calibrate
from naturalistic.decoding.decoder import Decoder, column_scaling, default_ridge, fit_decoder
from naturalistic.decoding.metrics import correlation_by_dimension
from naturalistic.decoding.nulls import identification_test
from naturalistic.features.pca import Components, fit_components
from naturalistic.features.video import color_layout, optical_flow
from naturalistic.models.ridge import RidgeCV, cross_val_predict

__all__ = [
    "FilmDecoder",
    "FilmEmbedder",
    "TargetSpace",
    "decode_regions",
    "film_features",
    "fit_film_decoder",
    "target_space",
]

ALPHAS = tuple(np.logspace(0, 5, 11))
FLOW_GRID = (4, 4)
CHUNK = 200  # films at once


class FilmEmbedder(Protocol):
    """Turns films into vectors."""

    name: str
    dim: int

    def embed(self, films: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return vectors (n_films, dim) of films (n_films, n_frames, height, width, 3)."""
        ...


def film_features(
    films: NDArray[np.uint8], embedder: FilmEmbedder, progress: bool = False
) -> dict[str, NDArray[np.float32]]:
    """Return what is decoded of films, by space.

    Parameters
    ----------
    films : uint8 array (n_films, n_frames, height, width, 3)
    embedder : FilmEmbedder
        Of the meaning.
    progress : bool

    Returns
    -------
    features : dict of array
        ``"layout"`` (n_films, 192): the mean color of 8 x 8 cells; ``"meaning"`` (n_films, dim); ``"motion"``
        (n_films, 32): optical flow of the film at half its size, in 4 x 4 cells, mean over every second pair of frames.
    """
    parts: dict[str, list[NDArray]] = {"layout": [], "meaning": [], "motion": []}
    for first in tqdm(range(0, len(films), CHUNK), desc="films", unit="chunk", delay=5, disable=not progress):
        chunk = films[first : first + CHUNK]
        n, n_frames, height, width, _ = chunk.shape
        parts["layout"].append(color_layout(chunk, per_film=True))
        parts["meaning"].append(embedder.embed(chunk))
        halves = chunk[:, : n_frames - n_frames % 2].reshape(n, -1, 2, height // 2, 2, width // 2, 2, 3)
        pairs = halves.mean(axis=(4, 6), dtype=np.float32).round().astype(np.uint8)
        flow = optical_flow(pairs.reshape(-1, 2, height // 2, width // 2, 3), FLOW_GRID)
        parts["motion"].append(flow.reshape(n, n_frames // 2, -1).mean(axis=1))
    return {name: np.concatenate(values) for name, values in parts.items()}


@dataclass(frozen=True, eq=False, repr=False)
class TargetSpace(ShapeRepr):
    """Principal components of a feature space, each with standard deviation 1 in the films it was fitted on.

    Attributes
    ----------
    components : Components
    """

    components: Components

    def transform(self, features: ArrayLike) -> NDArray[np.float32]:
        """Return features as targets: float32 array (n_films, n_components).

        Parameters
        ----------
        features : array (n_films, n_features)
        """
        return self.components.transform(features) / np.sqrt(self.components.variances).astype(np.float32)

    def restore(self, targets: ArrayLike) -> NDArray[np.float32]:
        """Return the features of targets: float32 array (n_films, n_features).

        Parameters
        ----------
        targets : array (n_films, n_components)
        """
        scaled = np.asarray(targets, np.float64) * np.sqrt(self.components.variances)
        return (scaled @ self.components.axes + self.components.mean).astype(np.float32)


def target_space(features: ArrayLike, n_components: int) -> TargetSpace:
    """Return the space of targets of films: their whitened principal components.

    Parameters
    ----------
    features : array (n_films, n_features)
        Of training films, or of films that are in no test.
    n_components : int

    Returns
    -------
    space : TargetSpace

    Raises
    ------
    ValueError
        As `features.pca.fit_components`.
    """
    features = np.asarray(features)
    return TargetSpace(fit_components(features, np.ones(len(features), bool), n_components))


@dataclass(frozen=True, eq=False, repr=False)
class FilmDecoder(ShapeRepr):
    """Decoder of films whose predictions are as large as they are reliable.

    Attributes
    ----------
    decoder : Decoder
    calibration : Calibration
        Least squares of the targets on predictions of films that were held out.
    error : array (dim,)
        Standard deviation of the targets around the calibrated predictions of these films.
    predicted_cv : array (n_films, dim)
        These predictions, calibrated.
    """

    decoder: Decoder
    calibration: Calibration
    error: NDArray
    predicted_cv: NDArray

    def predict(self, responses: ArrayLike) -> NDArray:
        """Return the targets of films: array (n_films, dim).

        Parameters
        ----------
        responses : array (n_films, n_voxels)
        """
        return self.calibration(self.decoder.predict(responses))


def fit_film_decoder(
    responses: ArrayLike, targets: ArrayLike, regions: ArrayLike, *, cv: int = 5, model: RidgeCV | None = None
) -> FilmDecoder:
    """Fit a stack of regions, and measure its error on films that it was fitted without.

    Each region's prediction of a film comes from a model fitted without the film's fold. The weights of the regions,
    one each for a dimension, are those of all films: that few numbers learn next to nothing of any one film.

    Parameters
    ----------
    responses : array (n_films, n_voxels)
        Means over repeats.
    targets : array (n_films, dim)
    regions : int array (n_voxels,)
        Region of each voxel; -1 for none.
    cv : int
        Folds of whole films.
    model : RidgeCV, optional
        Of a region.

    Returns
    -------
    decoder : FilmDecoder

    Raises
    ------
    ValueError
        As `decoder.fit_decoder`.
    """
    responses = as_floats(responses, "responses")
    targets = as_floats(targets, "targets")
    regions = np.asarray(regions)
    model = default_ridge(ALPHAS, cv) if model is None else model
    films = np.arange(len(targets))
    n_regions = len(np.unique(regions[regions >= 0]))
    options = {"parcels": regions, "n_candidates": n_regions, "per_dimension": True}
    decoder = fit_decoder(responses, targets, films, "stack", model=model, **options)
    mean, scale = column_scaling(responses)
    scaled = (responses - mean) / scale
    raw = np.tile(targets.mean(axis=0, dtype=np.float64), (len(targets), 1))
    center = raw[0].copy()
    for voxels, weights in zip(decoder.columns, decoder.weights):
        raw += weights * (cross_val_predict(model, scaled[:, voxels], targets, films, model.cv) - center)
    calibration = calibrate(raw, targets, "regression")
    predicted = calibration(raw)
    error = np.sqrt(np.mean((targets - predicted) ** 2, axis=0))
    return FilmDecoder(decoder, calibration, error, predicted)


def decode_regions(
    train: ArrayLike,
    test: ArrayLike,
    regions: Mapping[str, ArrayLike],
    targets: Mapping[str, tuple[ArrayLike, ArrayLike]],
    *,
    n_permutations: int = 1000,
    seed: int = 0,
    model: RidgeCV | None = None,
) -> pd.DataFrame:
    """Decode each target from each region by itself.

    Parameters
    ----------
    train, test : array (n_films, n_voxels)
        Means over repeats.
    regions : dict of str to index (n_voxels_of_region,) or bool array (n_voxels,)
    targets : dict of str to (train, test)
        Arrays (n_films, dim).
    n_permutations, seed : int
        Films are permuted.
    model : RidgeCV, optional

    Returns
    -------
    table : DataFrame
        A row a region and target: ``identification`` of the test films (chance .5), its ``p``, and ``r``, the mean
        correlation over dimensions.

    Raises
    ------
    ValueError
        If shapes do not match, a value is not finite, or a region has no voxel.
    """
    train = as_floats(train, "train")
    test = as_floats(test, "test")
    check_finite(train, "train")
    model = default_ridge(ALPHAS) if model is None else model
    rows = []
    for region, columns in regions.items():
        bold = train[:, columns]
        if not bold.shape[1]:
            raise ValueError(f"region {region!r} has no voxel")
        for target, (of_train, of_test) in targets.items():
            decoder = fit_decoder(bold, of_train, np.arange(len(bold)), "whole", model=model)
            predicted = decoder.predict(test[:, columns])
            result = identification_test(predicted, of_test, n_permutations=n_permutations, seed=seed)
            r = float(np.mean(correlation_by_dimension(predicted, of_test)))
            rows.append({"region": region, "target": target, "identification": result.score, "p": result.p, "r": r})
    return pd.DataFrame(rows)
