"""Maps in fsLR, the space of CIFTI files, at the vertices of fsaverage5.

nilearn comes without a mesh of fsLR. TemplateFlow has its sphere in register with that of fsaverage, and fMRIPrep
fetches it wherever it writes CIFTI files; where it is there, a vertex of fsaverage5 takes the value of the nearest one
of fsLR.
"""

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
from nibabel import load
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from naturalistic.anatomy.surface import SIDES, meshes

_DENSITIES = {32_492: "32k", 59_292: "59k", 163_842: "164k"}
_RADIUS = 100.0  # mm, of FreeSurfer's sphere
_FARTHEST = 5.0  # mm from a vertex to the nearest one; the meshes are finer


def sphere_files(n_vertices: int) -> dict[str, Path]:
    """Return where TemplateFlow keeps the spheres of fsLR in register with fsaverage; they need not be there.

    Parameters
    ----------
    n_vertices : int
        Of a hemisphere.
    """
    home = Path(os.environ.get("TEMPLATEFLOW_HOME") or Path.home() / ".cache" / "templateflow")
    density = _DENSITIES.get(n_vertices, f"{n_vertices}")
    name = f"tpl-fsLR_space-fsaverage_hemi-{{}}_den-{density}_sphere.surf.gii"
    return {side: home / "tpl-fsLR" / name.format(side[0].upper()) for side in SIDES}


def fslr_to_fsaverage5(values: Mapping[str, ArrayLike]) -> dict[str, NDArray] | None:
    """Return values of fsLR at the vertices of fsaverage5, or None where the spheres are not there.

    Parameters
    ----------
    values : dict of str to array (n_vertices,)
        ``"left"`` and ``"right"``, NaN where nothing is known.

    Returns
    -------
    values : dict of str to float64 array (10242,), or None

    Raises
    ------
    ValueError
        If a sphere has other vertices.
    """
    at_vertices = {}
    for side in SIDES:
        path = _found(sphere_files(len(values[side]))[side])
        if path is None:
            return None
        distance, nearest = _nearest(path, side, len(values[side]))
        at_vertices[side] = np.where(distance < _FARTHEST, np.asarray(values[side], dtype=float)[nearest], np.nan)
    return at_vertices


def why_no_map(n_vertices: int) -> str:
    """Return why a map in fsLR is not drawn, and the way out.

    Parameters
    ----------
    n_vertices : int
        Of a hemisphere.
    """
    path = sphere_files(n_vertices)["left"]
    density = _DENSITIES.get(n_vertices, f"{n_vertices}")
    return (
        f"No figure of the cortex: nilearn has no mesh of fsLR, and TemplateFlow's sphere is not there ({path.name} in "
        f"{path.parent}). After `pip install templateflow`, templateflow.api.get('fsLR', space='fsaverage', "
        f"density='{density}', suffix='sphere') fetches it. The maps are whole in the .dscalar.nii file, which "
        "Connectome Workbench opens."
    )


def _found(path: Path) -> Path | None:
    """Return the file of this name, or of the same name in another order of its entities."""
    if path.is_file():
        return path
    wanted = set(path.name.split("_"))
    folder = sorted(path.parent.glob("tpl-fsLR*_sphere.surf.gii")) if path.parent.is_dir() else []
    return next((each for each in folder if set(each.name.split("_")) == wanted and each.is_file()), None)


@cache
def _nearest(path: Path, side: str, n_vertices: int) -> tuple[NDArray, NDArray]:
    """Return the distance, mm, and the index of the vertex of fsLR that is nearest to each of fsaverage5."""
    sphere = np.asarray(load(path).agg_data("pointset"), dtype=float)
    if sphere.shape != (n_vertices, 3):
        raise ValueError(f"{path} has points {sphere.shape}, expected ({n_vertices}, 3): fetch it again")
    ours = np.asarray(meshes("sphere")[SIDES.index(side)].coordinates, dtype=float)
    on_sphere = [x / np.linalg.norm(x, axis=1, keepdims=True) * _RADIUS for x in (sphere, ours)]
    return cKDTree(on_sphere[0]).query(on_sphere[1])
