"""Named regions of the human cortex: spheres around landmarks in MNI152 space.

They are no atlas. They locate simulated signals, and name positions on a map. Heschl's gyrus after Penhune et al.
(1996) and Rademacher et al. (2001); belt and parabelt lateral, behind and in front of it (Kaas & Hackett 2000);
planes of the others after Brodmann's areas on the MNI template.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

# name: landmarks of the right hemisphere (x, y, z, radius), mm; the left ones are their mirror images
LANDMARKS = {
    "primary auditory": ((46, -20, 6, 13),),
    "auditory belt": ((61, -12, 2, 13), (60, -32, 10, 15)),
    "anterior temporal": ((54, 8, -18, 16),),
    "lateral prefrontal": ((48, 26, 16, 18),),
    "early visual": ((10, -90, 2, 16),),
    "hand motor": ((38, -24, 56, 15),),
    "precuneus": ((8, -60, 38, 15),),
}
NAMES = tuple(LANDMARKS)
# and what the pictures of a film drive: lateral occipital and fusiform cortex after Grill-Spector et al. (1999)
FILM_LANDMARKS = {**LANDMARKS, "higher visual": ((44, -72, 0, 14), (36, -54, -16, 13))}


def label(
    coordinates: ArrayLike, landmarks: Mapping[str, Sequence[tuple[float, float, float, float]]] = LANDMARKS
) -> NDArray:
    """Return the index of the region at each coordinate, -1 outside of all.

    The index counts in `NAMES`, or in other ``landmarks``.

    Parameters
    ----------
    coordinates : array (n_places, 3)
        MNI152 mm.
    landmarks : dict of str to sequence of (x, y, z, radius)
        `LANDMARKS`, or `FILM_LANDMARKS`.

    Returns
    -------
    labels : int array (n_places,)
    """
    return nearest(coordinates, landmarks=landmarks)[0]


def nearest(
    coordinates: ArrayLike,
    shift: ArrayLike = (0.0, 0.0, 0.0),
    landmarks: Mapping[str, Sequence[tuple[float, float, float, float]]] = LANDMARKS,
) -> tuple[NDArray, NDArray]:
    """Return the region at each coordinate and its distance from the landmark.

    Parameters
    ----------
    coordinates : array (n_places, 3)
        MNI152 mm.
    shift : array (3,)
        Moves all landmarks of the right hemisphere, mm; those of the left move as their mirror images.
    landmarks : dict of str to sequence of (x, y, z, radius)

    Returns
    -------
    labels : int array (n_places,)
        -1 outside of all regions.
    distance : array (n_places,)
        0 at a landmark, 1 at the border of its sphere; inf outside.
    """
    coordinates = np.asarray(coordinates, dtype=float)
    if coordinates.ndim != 2 or coordinates.shape[1] != 3:
        raise ValueError(f"coordinates has shape {coordinates.shape}, expected (n_places, 3), mm")
    labels = np.full(len(coordinates), -1)
    best = np.full(len(coordinates), np.inf)
    for k, spheres in enumerate(landmarks.values()):
        for x, y, z, radius in spheres:
            for side in (1, -1):
                center = (np.array([x, y, z]) + shift) * [side, 1, 1]
                distance = np.linalg.norm(coordinates - center, axis=1) / radius
                closer = (distance <= 1) & (distance < best)
                labels[closer] = k
                best[closer] = distance[closer]
    return labels, best
