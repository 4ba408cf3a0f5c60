"""Responses of one subject to short films: one row a film, with its repeats, and targets grouped by region."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from naturalistic.arrays import ShapeRepr
from naturalistic.parameters import some_of

N_GRAYORDINATES = 91_282
N_CORTEX = 59_412  # the first of them: left cortex, then right cortex
_N_LEFT = 29_696


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class FilmResponses(ShapeRepr):
    """Responses to films of training and test.

    Attributes
    ----------
    label : str
        Of the subject.
    train, test : float32 array (n_films, n_repeats, n_targets)
        Targets are voxels, vertices or grayordinates.
    train_films, test_films : tuple of str
        Name of each film.
    regions : array of str (n_targets,)
        Region of each target; targets of a region stand together.
    hemispheres : array of str (n_targets,)
        ``"L"``, ``"R"``, or empty where it is not known.
    train_blocks, test_blocks : array (n_films,) or None
        Segment of each film where films follow each other in a longer one: what is permuted as a whole. None: each
        film stands for itself.
    """

    label: str
    train: NDArray
    test: NDArray
    train_films: tuple[str, ...]
    test_films: tuple[str, ...]
    regions: NDArray
    hemispheres: NDArray
    train_blocks: NDArray | None = None
    test_blocks: NDArray | None = None

    def __post_init__(self) -> None:
        """Check that shapes, names and regions belong together."""
        for split in ("train", "test"):
            films = getattr(self, f"{split}_films")
            shape = getattr(self, split).shape
            if len(shape) != 3 or shape[0] != len(films) or shape[2] != len(self.regions):
                raise ValueError(
                    f"{split} of subject {self.label} has shape {shape}, expected ({len(films)} films, repeats, "
                    f"{len(self.regions)} targets)"
                )
            if len(set(films)) < len(films):
                raise ValueError(f"subject {self.label} has a film of {split} twice, expected each once")
        if both := set(self.train_films) & set(self.test_films):
            raise ValueError(
                f"subject {self.label} saw {sorted(both)[0]} in training and in test, expected other films"
            )

    @property
    def region_names(self) -> tuple[str, ...]:
        """Return the regions in the order of their targets."""
        return tuple(dict.fromkeys(self.regions.tolist()))

    def targets_of(self, region: str) -> NDArray:
        """Return the indices of the targets of a region."""
        (region,) = some_of("regions", [region], self.region_names)
        return np.flatnonzero(self.regions == region)

    def by_region(self) -> dict[str, NDArray]:
        """Return the indices of the targets of each region, such as for stacking or banded penalties."""
        return {region: np.flatnonzero(self.regions == region) for region in self.region_names}

    def select_regions(self, regions: Sequence[str]) -> FilmResponses:
        """Return the responses of some regions."""
        selected = some_of("regions", regions, self.region_names)
        columns = np.concatenate([self.targets_of(region) for region in selected])
        return replace(
            self,
            train=self.train[:, :, columns],
            test=self.test[:, :, columns],
            regions=self.regions[columns],
            hemispheres=self.hemispheres[columns],
        )

    def mean_over_repeats(self, split: str) -> NDArray:
        """Return the mean response to each film (n_films, n_targets) of ``"train"`` or ``"test"``."""
        (split,) = some_of("split", [split], ("train", "test"))
        return getattr(self, split).mean(axis=1)

    def test_repeats(self) -> NDArray:
        """Return the repeats of the test films (n_repeats, n_films, n_targets), for `inference.noise_ceiling`.

        ``noise_ceiling(responses.test_repeats(), n_averaged=n_repeats)`` is the r of a perfect model against the mean
        of the repeats.
        """
        return self.test.swapaxes(0, 1)


def check_targets(targets: ArrayLike | None, n_targets: int) -> NDArray:
    """Return indices of targets, all by default.

    Raises
    ------
    ValueError
        If they are no indices, reach beyond the targets, or name one twice.
    """
    columns = np.arange(n_targets) if targets is None else np.asarray(targets)
    if columns.ndim != 1 or not len(columns) or columns.dtype.kind not in "iu":
        raise ValueError(f"targets has shape {columns.shape} and type {columns.dtype}, expected indices (n,)")
    if columns.min() < 0 or columns.max() >= n_targets or len(np.unique(columns)) < len(columns):
        raise ValueError(
            f"targets reach from {columns.min()} to {columns.max()}, expected each once, below {n_targets}"
        )
    return columns


def grayordinate_labels(n_targets: int) -> tuple[NDArray, NDArray]:
    """Return structure and hemisphere of each grayordinate in the standard order, none in others.

    Parameters
    ----------
    n_targets : int
        91,282 (cortex and subcortex in fsLR32k), 59,412 (cortex alone), or another number, of which nothing is known.
    """
    regions = np.full(n_targets, "all", dtype="<U9")
    hemispheres = np.full(n_targets, "", dtype="<U1")
    if n_targets in (N_CORTEX, N_GRAYORDINATES):
        regions[:] = "subcortex"
        regions[:N_CORTEX] = "cortex"
        hemispheres[:_N_LEFT] = "L"
        hemispheres[_N_LEFT:N_CORTEX] = "R"
    return regions, hemispheres
