"""Files of pycortex that say where the columns of a series lie: a mask of the scan, and the subject's own surfaces.

A series in pycortex's order has a column for each voxel of a mask, the volume read with its axes reversed: x runs
fastest. Surfaces are read as files; pycortex itself is not needed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from naturalistic.datasets.images import read_volume
from naturalistic.datasets.subject import VoxelGrid
from naturalistic.intact import check_whole, read_json

_FEW = 2  # files that a sentence names
_HEMISPHERES = {"left": "lh", "right": "rh"}


@dataclass(frozen=True)
class CortexFiles:
    """Folders of a subject in the stores of pycortex and FreeSurfer.

    Attributes
    ----------
    store : Path
        Of the subject in pycortex's store: ``surfaces`` and ``transforms`` are in it.
    transform : str
        Name of the transform that the series belong to.
    freesurfer : Path
        Of the subject in FreeSurfer's folder: ``surf`` is in it.
    """

    store: Path
    transform: str
    freesurfer: Path

    @property
    def to_voxels(self) -> Path:
        """Return the file of the matrix from mm of the surfaces to voxels of the scan."""
        return self.store / "transforms" / self.transform / "matrices.xfm"

    def masks(self) -> list[Path]:
        """Return the masks of the scan that are there."""
        return sorted(path for path in self.to_voxels.parent.glob("mask_*.nii.gz") if path.is_file())

    def surfaces(self) -> dict[str, tuple[Path, Path, Path]]:
        """Return white matter, pia and registered sphere by hemisphere; they need not be there."""
        by_side = {}
        for side, short in _HEMISPHERES.items():
            both = [self.store / "surfaces" / f"{name}_{short}.gii" for name in ("wm", "pia")]
            both = [path.with_suffix(".npz") if path.with_suffix(".npz").is_file() else path for path in both]
            by_side[side] = both[0], both[1], self.freesurfer / "surf" / f"{short}.sphere.reg"
        return by_side

    def missing(self, n_voxels: int) -> str:
        """Return what is missing to draw a map, empty if nothing is.

        Parameters
        ----------
        n_voxels : int
            Columns of the series.
        """
        if not self.masks():
            return f"{self.to_voxels.parent} has no mask, which says where the columns lie; fetch it (git-annex)"
        try:
            voxels_of_mask(self, n_voxels)
        except ValueError as error:
            return str(error)
        paths = [self.to_voxels, *(path for of_side in self.surfaces().values() for path in of_side)]
        absent = [str(path) for path in paths if not path.is_file()]
        more = " and others" if len(absent) > _FEW else ""
        return f"fetch {', '.join(absent[:_FEW])}{more} (git-annex)" if absent else ""


def voxels_of_mask(files: CortexFiles, n_voxels: int) -> VoxelGrid | None:
    """Return the voxels of a series in the volume that was scanned, or None where no mask is there.

    Parameters
    ----------
    files : CortexFiles
    n_voxels : int
        Columns of the series: it belongs to the mask with as many voxels, as in pycortex.

    Raises
    ------
    ValueError
        If masks are there, and none has as many voxels, or one is damaged.
    """
    counts = {}
    for path in files.masks():
        check_whole(path)
        mask, affine = read_volume(path, placed=True)
        counts[path.name] = int(np.count_nonzero(mask))
        if counts[path.name] == n_voxels:
            return VoxelGrid(np.argwhere(mask.T != 0)[:, ::-1], mask.shape, affine, None)
    if not counts:
        return None
    listed = ", ".join(f"{name} has {n:,}" for name, n in counts.items())
    raise ValueError(f"{files.to_voxels.parent}: {listed} voxels, expected {n_voxels:,} as the series have")


def read_surfaces(files: CortexFiles) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
    """Return the middle of the cortex in voxels of the scan, and the vertices on the registered sphere.

    Parameters
    ----------
    files : CortexFiles

    Returns
    -------
    middles, spheres : dict of str to array (n_vertices, 3)
        ``"left"`` and ``"right"``.

    Raises
    ------
    FileNotFoundError, ValueError
        If a file is missing, damaged, or surfaces have different vertices.
    """
    matrix = _matrix(files.to_voxels)
    middles = {}
    spheres = {}
    for side, (white, pial, sphere) in files.surfaces().items():
        points = [_points(path) for path in (white, pial, sphere)]
        if len({len(each) for each in points}) > 1:
            listed = ", ".join(f"{path.name} {len(each):,}" for path, each in zip((white, pial, sphere), points))
            raise ValueError(f"surfaces of {files.store.name} have different vertices: {listed}; fetch them again")
        middles[side] = (points[0] + points[1]) / 2 @ matrix[:3, :3].T + matrix[:3, 3]
        spheres[side] = points[2]
    return middles, spheres


def _matrix(path: Path) -> NDArray:
    """Return the affine from mm of the surfaces to voxels of the scan."""
    check_whole(path)
    content = read_json(path)
    matrix = np.asarray(content.get("coord") if isinstance(content, Mapping) else None, dtype=float)
    if matrix.shape != (4, 4):
        raise ValueError(f"{path} has no matrix 'coord' (4, 4), expected a transform of pycortex; fetch it again")
    return matrix


def _points(path: Path) -> NDArray:
    """Return the vertices of a surface (n, 3), mm."""
    check_whole(path)
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as content:
                points = content["pts"]
        elif path.suffix == ".gii":
            points = nib.load(path).agg_data("pointset")
        else:
            points, _ = nib.freesurfer.read_geometry(path)
        points = np.asarray(points, dtype=float)
    except Exception as error:  # what the readers raise on damaged files has no common class
        raise ValueError(f"{path} cannot be read as a surface ({error}); fetch it again") from error
    if points.ndim != 2 or points.shape[1] != 3 or not len(points):
        raise ValueError(f"{path} has points of shape {points.shape}, expected (n, 3); fetch it again")
    return points
