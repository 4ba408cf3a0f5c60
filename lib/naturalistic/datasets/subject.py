"""One subject of any data set: BOLD of its runs, and where its voxels lie."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import ArrayLike, NDArray

from naturalistic.arrays import ShapeRepr


@dataclass(frozen=True, eq=False, repr=False)
class VoxelGrid(ShapeRepr):
    """Voxels of a subject in the volume that was scanned.

    Attributes
    ----------
    indices : int array (n_voxels, 3)
        Of each column of ``bold``.
    shape : tuple of int
        Voxels of the whole volume along x, y and z.
    affine : array (4, 4) or None
        Voxel indices to mm of the subject's space; None if the image that has it was not downloaded.
    to_mni : array (4, 4) or None
        mm of the subject's space to MNI152 mm; None until it is registered.
    """

    indices: NDArray
    shape: tuple[int, ...]
    affine: NDArray | None
    to_mni: NDArray | None

    @classmethod
    def from_mask(cls, mask: NDArray, affine: NDArray, to_mni: NDArray) -> VoxelGrid:
        """Return the grid of the voxels of a mask (x, y, z), in the order of ``bold[:, mask]``."""
        return cls(np.argwhere(mask), mask.shape, affine, to_mni)

    @property
    def mask(self) -> NDArray:
        """Return the voxels as a mask of the volume: bool (x, y, z)."""
        mask = np.zeros(self.shape, dtype=bool)
        mask[tuple(self.indices.T)] = True
        return mask

    @property
    def coordinates(self) -> NDArray:
        """Return MNI152 mm of each voxel (n_voxels, 3)."""
        matrix = self.to_mni @ self.affine
        return self.indices @ matrix[:3, :3].T + matrix[:3, 3]

    @property
    def voxel_size(self) -> float:
        """Return the edge of a cube of a voxel's volume, mm."""
        return float(abs(np.linalg.det(self.affine[:3, :3])) ** (1 / 3))

    def image(self, values: ArrayLike) -> nib.Nifti1Image:
        """Return values (n_voxels,) as a NIfTI image in MNI152 space, NaN outside."""
        volume = np.full(self.shape, np.nan, dtype=np.float32)
        volume[tuple(self.indices.T)] = values
        return nib.Nifti1Image(volume, self.to_mni @ self.affine)


@dataclass(frozen=True, eq=False, repr=False)
class SurfaceVertices(ShapeRepr):
    """Vertices of a subject's two hemispheres, left before right in ``bold``.

    Attributes
    ----------
    left, right : int array (n,)
        Vertex of each column.
    n_vertices : int
        Of the mesh of one hemisphere; those without a column are no cortex.
    """

    left: NDArray
    right: NDArray
    n_vertices: int

    def on_mesh(self, values: ArrayLike) -> dict[str, NDArray]:
        """Return values of the columns at all vertices, NaN where there is none.

        Parameters
        ----------
        values : array (n_columns,)

        Returns
        -------
        values : dict of str to float32 array (n_vertices,)
            ``"left"`` and ``"right"``.
        """
        parts = np.split(np.asarray(values, dtype=np.float32), [len(self.left)])
        by_side = {}
        for side, part, vertices in zip(("left", "right"), parts, (self.left, self.right)):
            by_side[side] = np.full(self.n_vertices, np.nan, dtype=np.float32)
            by_side[side][vertices] = part
        return by_side


@dataclass(frozen=True, eq=False, repr=False)
class VoxelCoordinates(ShapeRepr):
    """Coordinates of a subject's voxels, vertices or parcels in MNI space.

    Attributes
    ----------
    coordinates : array (n_voxels, 3)
        MNI152 mm.
    voxel_size : float
        mm, of the edge of a voxel, or the spacing of vertices.
    """

    coordinates: NDArray
    voxel_size: float


@dataclass(frozen=True, eq=False, repr=False)
class Subject(ShapeRepr):
    """BOLD of one subject, ready for a model; every data set gives its subjects in this form.

    Attributes
    ----------
    label : str
        Such as ``"001"``.
    bold : float32 array or memory map (n_trs, n_voxels)
        All runs, one after another; columns are voxels, vertices, parcels or regions.
    runs : int array (n_trs,)
        Index into ``run_names``.
    run_names : tuple of str
    tr : float
        Repetition time, s.
    space : str
        Space of the data, such as ``"raw"``, ``"mni"`` or ``"fsaverage5"``.
    motion : array (n_trs, 6) or None
        mm and rad; None if unknown.
    scan_motion : dict of str to array (n_volumes, 6)
        By run, that of the whole scan: volumes that were dropped from ``bold`` are in it.
    first_trs : tuple of int
        By run, the volumes of the scan that were dropped before ``bold`` begins; empty: none were.
    grid : VoxelGrid or None
        None on a surface, and for parcels.
    surface : SurfaceVertices or None
        On a surface alone.
    locate : callable or None
        Gives the `VoxelCoordinates`, when they are first needed; raises an error that says what is missing.
    folder : Path or None
        Folder of the BOLD store, if it is in one.
    """

    label: str
    bold: NDArray
    runs: NDArray
    run_names: tuple[str, ...]
    tr: float
    space: str
    motion: NDArray | None = None
    scan_motion: Mapping[str, NDArray] = field(default_factory=dict, repr=False)
    first_trs: tuple[int, ...] = ()
    grid: VoxelGrid | None = None
    surface: SurfaceVertices | None = None
    locate: Callable[[], VoxelCoordinates] | None = field(default=None, repr=False)
    folder: Path | None = field(default=None, repr=False)

    @cached_property
    def _located(self) -> VoxelCoordinates:
        if self.locate is None:
            raise ValueError(f"subject {self.label} ({self.space}) has no coordinates: no map can be drawn")
        return self.locate()

    @property
    def coordinates(self) -> NDArray:
        """Return MNI152 mm of each column of ``bold`` (n_voxels, 3).

        Raises
        ------
        FileNotFoundError, ValueError
            If they cannot be known, with what is missing.
        """
        return self._located.coordinates

    @property
    def voxel_size(self) -> float:
        """Return the edge of a cube of a voxel's volume, or the spacing of vertices, mm."""
        return self._located.voxel_size

    @property
    def tr_times(self) -> NDArray:
        """Return the start of each TR since the scan of its run began, s (n_trs,)."""
        first_trs = self.first_trs or (0,) * len(self.run_names)
        counts = np.bincount(self.runs, minlength=len(self.run_names))
        return np.concatenate([np.arange(first, first + n) for first, n in zip(first_trs, counts)]) * self.tr

    def select(self, runs: str | Sequence[str]) -> Subject:
        """Return the subject with some of the runs, in the order of all.

        Parameters
        ----------
        runs : str or list of str
            Start of their names, such as ``"Test"``, or a list of whole names.

        Returns
        -------
        subject : Subject
            ``runs`` are indices into its own ``run_names``. ``bold`` is still mapped where the runs are adjacent.

        Raises
        ------
        ValueError
            If there is no such run.
        """
        if isinstance(runs, str):
            names = tuple(name for name in self.run_names if name.startswith(runs))
            if not names:
                raise ValueError(f"no run begins with {runs!r}; there are {', '.join(self.run_names)}")
        else:
            unknown = [name for name in runs if name not in self.run_names]
            if unknown or not len(runs):
                raise ValueError(f"runs are {list(runs)}, expected some of {', '.join(self.run_names)}")
            names = tuple(name for name in self.run_names if name in runs)
        kept = np.array([name in names for name in self.run_names])
        trs = kept[self.runs]
        first, last = np.flatnonzero(trs)[[0, -1]]
        adjacent = last - first + 1 == trs.sum()
        return replace(
            self,
            bold=self.bold[first : last + 1] if adjacent else self.bold[trs],
            runs=(np.cumsum(kept) - 1)[self.runs[trs]],
            run_names=names,
            motion=None if self.motion is None else self.motion[trs],
            first_trs=tuple(first for first, is_kept in zip(self.first_trs, kept) if is_kept),
            scan_motion={name: motion for name, motion in self.scan_motion.items() if name in names},
        )

    def image(self, values: ArrayLike) -> nib.Nifti1Image:
        """Return values (n_voxels,) as a NIfTI image in MNI152 space, NaN outside.

        Raises
        ------
        ValueError
            If the subject is on a surface, or has parcels.
        """
        if self.grid is None:
            raise ValueError("values on a surface are no volume: draw them on the mesh itself")
        return self.grid.image(values)


class Subjects(Mapping[str, Subject]):
    """Subjects by label, each opened at its first use.

    Parameters
    ----------
    labels : list of str
    open_subject : callable
        ``open_subject(label)`` gives a `Subject`.
    """

    def __init__(self, labels: Sequence[str], open_subject: Callable[[str], Subject]) -> None:
        self._opened: dict[str, Subject | None] = dict.fromkeys(labels)
        self._open = open_subject

    def __getitem__(self, label: str) -> Subject:
        """Return a subject; the second time the same object."""
        if label not in self._opened:
            raise KeyError(f"subject is {label!r}, expected one of {', '.join(self._opened)}")
        subject = self._opened[label]
        if subject is None:
            subject = self._opened[label] = self._open(label)
        return subject

    def __iter__(self) -> Iterator[str]:
        return iter(self._opened)

    def __len__(self) -> int:
        return len(self._opened)

    def __repr__(self) -> str:
        n_opened = sum(subject is not None for subject in self._opened.values())
        return f"Subjects({', '.join(self._opened)}; {n_opened} opened)"
